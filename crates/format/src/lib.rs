//! Bytes on the disk: encode, decode, check, and the arithmetic of the layout.
//!
//! No I/O, no clock, no randomness. Any bytes may be given to any decoder: the answer is a record or a
//! [`DecodeError`], never a panic. docs/FORMAT.md is the same for readers, and a test holds the two together.

mod choose;
mod describe;
mod error;
mod ids;
mod layout;
mod lock;
mod lock_state;
mod mailbox;
mod names;
mod plan;
mod record;
mod slot;
mod slot_set;
mod slot_state;
mod stamp;
mod superblock;
mod table;
mod timing;
mod window;

pub use choose::{Chosen, NoSuperblock, OtherCopy, Truth, choose};
pub use describe::{Field, TABLES, describe};
pub use error::DecodeError;
pub use ids::{Epoch, FormatId, Generation, HostId, Incarnation, Nonce};
pub use layout::{GROUP_CLUSTERS, Layout, LockPosition, Region, RegionName, Standing};
pub use lock::LockRecord;
pub use lock_state::{LockMode, LockState, Locked};
pub use mailbox::{MAILBOX_ENTRIES_MAX, MailboxRecord};
pub use names::{HostName, Label, LockName, NameError};
pub use oarlock_block::SlotIndex;
pub use plan::{LayoutError, LayoutRequest, shadow_candidates};
pub use record::{Image, Place, Record, Stamped, decode, decode_within, encode, stamp_of};
pub use slot::SlotRecord;
pub use slot_set::SlotSet;
pub use slot_state::{Burial, CutOffProof, FenceReason, SlotState};
pub use stamp::{Kind, Owner, STAMP_LENGTH, Stamp, VERSION, Writer};
pub use superblock::{Access, Superblock, SuperblockState, decode_superblock};
pub use table::{Draft, FieldSpec, RECORD_LENGTH, Shape, View};
pub use timing::{DRIFT_PERCENT, STOP_ALLOWANCE_DIVISOR, Timing, TimingError, watch_min};
pub use window::{LOCK_WINDOW, home, window};

/// The most slots that a datastore has.
pub const SLOTS_MAX: u16 = 1024;
