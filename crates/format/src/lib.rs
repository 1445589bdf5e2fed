//! Bytes on the disk: encode, decode, check, and the arithmetic of the layout.
//!
//! No I/O, no clock, no randomness. Any bytes may be given to any decoder: the answer is a record or a
//! [`DecodeError`], never a panic. docs/FORMAT.md is the same for readers, and a test holds the two together.

mod bitmap_page;
mod bucket;
mod choose;
mod commit;
mod describe;
mod describe_page;
mod descriptor;
mod descriptor_name;
mod error;
mod group;
mod ids;
mod initial;
mod journal_block;
mod journal_header;
mod layer;
mod layout;
mod lock;
mod lock_state;
mod mailbox;
mod map_entry;
mod map_page;
mod map_shape;
mod names;
mod numbers;
mod page;
mod page_change;
mod pieces;
mod places;
mod plan;
mod record;
mod slot;
mod slot_set;
mod slot_state;
mod space;
mod stamp;
mod superblock;
mod table;
mod timing;
mod window;

pub use bitmap_page::{BitmapPage, ClusterRun};
pub use bucket::{BUCKET_ENTRIES_MAX, BucketEntry, BucketRecord};
pub use choose::{Chosen, NoSuperblock, OtherCopy, Truth, choose};
pub use commit::{
    COMMIT_BLOCKS_MAX, COMMIT_PAYLOAD_MAX, Commit, CommitReader, CommitWriter, JournalEnd, JournalPosition,
    SealedCommit, Taken,
};
pub use describe::{Field, TABLES, describe};
pub use descriptor::DescriptorRecord;
pub use descriptor_name::DescriptorName;
pub use error::DecodeError;
pub use group::GroupRecord;
pub use ids::{Epoch, FormatId, Generation, HostId, Incarnation, Nonce};
pub use initial::Initial;
pub use journal_block::{JOURNAL_HEADER_LENGTH, JOURNAL_PAYLOAD_LENGTH, JournalBlock};
pub use journal_header::JournalHeader;
pub use layer::{Layer, LayerFlags, LayerKind, LayerState};
pub use layout::{Layout, LockPosition, Region, RegionName, Standing};
pub use lock::LockRecord;
pub use lock_state::{LockMode, LockState, Locked};
pub use mailbox::{MAILBOX_ENTRIES_MAX, MailboxRecord};
pub use map_entry::{ENTRY_LENGTH, LeafEntry, Mapped, NodePointer, RawEntry};
pub use map_page::{ENTRIES_PER_PAGE, MapPage};
pub use map_shape::{MapShape, MapStep};
pub use names::{DiskTarget, HostName, Label, LayerName, LockName, NameError};
pub use numbers::{
    BootTag, BucketNumber, ClusterIndex, ClusterNumber, DescriptorNumber, DiskUid, GroupNumber,
    JournalSequence, LayerId, LayerLevels, NameHash,
};
pub use oarlock_block::SlotIndex;
pub use page::{PAGE_HEADER_LENGTH, PAGE_LENGTH, PageBytes, PageHeader};
pub use page_change::{Change, JournalObject, PageChange};
pub use pieces::{PIECES_MAX, PieceMask, Touched};
pub use places::JournalRing;
pub use plan::{
    DEVICE_SIZE_MAX, LayoutError, LayoutRequest, claimed_shadows, former_shadows, is_cluster_size,
    shadow_candidates,
};
pub use record::{Image, Place, Record, Stamped, decode, decode_within, encode, stamp_of};
pub use slot::SlotRecord;
pub use slot_set::SlotSet;
pub use slot_state::{Burial, CutOffProof, FenceReason, SlotState};
pub use space::{GROUP_CLUSTERS, GROUP_CLUSTERS_MIN, InSpace, Space};
pub use stamp::{Kind, Owner, STAMP_LENGTH, Stamp, VERSION, Writer};
pub use superblock::{Access, Superblock, SuperblockState, decode_superblock};
pub use table::{Draft, FieldSpec, RECORD_LENGTH, Shape, View};
pub use timing::{DRIFT_PERCENT, STOP_ALLOWANCE_DIVISOR, Timing, TimingError, watch_min};
pub use window::{LOCK_WINDOW, home, window};

/// The most slots that a datastore has.
pub const SLOTS_MAX: u16 = 1024;
