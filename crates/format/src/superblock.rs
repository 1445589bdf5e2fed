//! The superblock: what the datastore is. The truth stands first on the device, a shadow of it last.

use std::time::Duration;

use oarlock_block::{BlockCount, BlockSize, ByteCount, DeviceIdentity, Fencing, Lba};

use crate::error::DecodeError;
use crate::layout::{Layout, Region, RegionName};
use crate::map_shape::MapShape;
use crate::names::Label;
use crate::plan::{LayoutError, LayoutRequest};
use crate::record::{Record, Stamped, decode_at};
use crate::space::Space;
use crate::stamp::{Kind, STAMP_LENGTH};
use crate::table::{Draft, FieldSpec, RECORD_LENGTH, View, field_table};
use crate::timing::Timing;

const STATES: &[(u8, &str)] = &[(0, "formatting"), (1, "ready")];

const FENCINGS: &[(u8, &str)] = &[(0, "file-lock"), (1, "reservation"), (2, "blocklist"), (3, "drain-only")];

field_table! {
    STAMP_LENGTH, RECORD_LENGTH;
    STATE: 88, 1, "state", Shape::Code(STATES);
    FENCING: 89, 1, "fencing", Shape::Code(FENCINGS);
    SLOTS: 90, 2, "slots", Shape::Number;
    BLOCK_SIZE: 92, 4, "block size", Shape::Number;
    STRIDE: 96, 4, "stride", Shape::Number;
    CLUSTER_SIZE: 100, 4, "cluster size", Shape::Number;
    DEVICE_BLOCKS: 104, 8, "device blocks", Shape::Number;
    CREATED: 112, 8, "created", Shape::WallTime;
    FEATURES_COMPATIBLE: 120, 8, "compatible features", Shape::Hex;
    FEATURES_READ_ONLY: 128, 8, "read-only features", Shape::Hex;
    FEATURES_INCOMPATIBLE: 136, 8, "incompatible features", Shape::Hex;
    BEAT: 144, 4, "beat", Shape::Milliseconds;
    LEASE: 148, 4, "lease", Shape::Milliseconds;
    WATCH: 152, 8, "watch", Shape::Milliseconds;
    HOLD: 160, 8, "hold", Shape::Milliseconds;
    DRAIN: 168, 8, "drain", Shape::Milliseconds;
    LABEL_LENGTH: 176, 1, "label length", Shape::Number;
    IDENTITY_LENGTH: 177, 1, "identity length", Shape::Number;
    RESERVED_LENGTHS: 178, 6, "reserved", Shape::Reserved;
    LABEL: 184, 64, "label", Shape::Text("label length");
    IDENTITY: 248, 120, "identity", Shape::Text("identity length");
    SLOTS_START: 368, 8, "slots start", Shape::Number;
    SLOTS_BLOCKS: 376, 8, "slots blocks", Shape::Number;
    SCRATCH_START: 384, 8, "scratch start", Shape::Number;
    SCRATCH_BLOCKS: 392, 8, "scratch blocks", Shape::Number;
    LOCKS_START: 400, 8, "locks start", Shape::Number;
    LOCKS_BLOCKS: 408, 8, "locks blocks", Shape::Number;
    DIRECTORY_START: 416, 8, "directory start", Shape::Number;
    DIRECTORY_BLOCKS: 424, 8, "directory blocks", Shape::Number;
    DESCRIPTORS_START: 432, 8, "descriptors start", Shape::Number;
    DESCRIPTORS_BLOCKS: 440, 8, "descriptors blocks", Shape::Number;
    JOURNALS_START: 448, 8, "journals start", Shape::Number;
    JOURNALS_BLOCKS: 456, 8, "journals blocks", Shape::Number;
    GROUPS_START: 464, 8, "groups start", Shape::Number;
    GROUPS_BLOCKS: 472, 8, "groups blocks", Shape::Number;
    SHADOW_START: 480, 8, "shadow start", Shape::Number;
    SHADOW_BLOCKS: 488, 8, "shadow blocks", Shape::Number;
    RESERVED_END: 496, 16, "reserved", Shape::Reserved;
}

const _: () = assert!(at::LABEL.length == Label::LENGTH_MAX);
const _: () = assert!(at::IDENTITY.length == DeviceIdentity::LENGTH_MAX);

/// Where each region's start and length stand, in the order of [`Layout::regions`].
const REGIONS: [(FieldSpec, FieldSpec); 8] = [
    (at::SLOTS_START, at::SLOTS_BLOCKS),
    (at::SCRATCH_START, at::SCRATCH_BLOCKS),
    (at::LOCKS_START, at::LOCKS_BLOCKS),
    (at::DIRECTORY_START, at::DIRECTORY_BLOCKS),
    (at::DESCRIPTORS_START, at::DESCRIPTORS_BLOCKS),
    (at::JOURNALS_START, at::JOURNALS_BLOCKS),
    (at::GROUPS_START, at::GROUPS_BLOCKS),
    (at::SHADOW_START, at::SHADOW_BLOCKS),
];

/// Feature bits that this version knows.
const KNOWN_READ_ONLY: u64 = 0;
const KNOWN_INCOMPATIBLE: u64 = Superblock::FEATURE_DISKS;

/// Whether the datastore is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SuperblockState {
    /// A format is at work, or was broken off: there may be no records behind it yet.
    Formatting,
    /// Every record stands.
    Ready,
}

/// What this program may do with a datastore whose superblock it can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    ReadWrite,
    /// Reading: the datastore uses features that a writer must know.
    ReadOnly {
        /// The bits that are unknown.
        unknown: u64,
    },
}

/// What the datastore is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Whether it is whole.
    pub state: SuperblockState,
    /// Its name.
    pub label: Label,
    /// The device's logical block.
    pub block_size: BlockSize,
    /// Blocks from one record to the next (R40); the layout's own.
    pub stride_blocks: BlockCount,
    /// How many hosts it has room for.
    pub slots: u16,
    /// The unit of allocation: a power of two from 4 KiB to 1 MiB.
    pub cluster_size: ByteCount,
    /// The device's length when it was formatted or last grown.
    pub device_blocks: BlockCount,
    /// Beat, lease, watch, hold, drain.
    pub timing: Timing,
    /// What cuts a host off.
    pub fencing: Fencing,
    /// Which LUN it was formatted on (R22).
    pub identity: DeviceIdentity,
    /// Features that a program need not know.
    pub features_compatible: u64,
    /// Features that a writer must know.
    pub features_read_only: u64,
    /// Features that everybody must know.
    pub features_incompatible: u64,
    /// Where everything stands.
    pub layout: Layout,
    /// Milliseconds since 1970 when it was formatted.
    pub created_wall_ms: u64,
}

impl Superblock {
    /// The incompatible feature `disks`: directory, descriptors, journals and groups hold records.
    pub const FEATURE_DISKS: u64 = 1;

    /// All features that this version knows: what a host writes into its slot.
    pub const FEATURES_KNOWN: u64 = KNOWN_READ_ONLY | KNOWN_INCOMPATIBLE;

    /// Whether there can be disks in this datastore.
    #[must_use]
    pub const fn has_disks(&self) -> bool {
        self.features_incompatible & Superblock::FEATURE_DISKS != 0
    }

    /// Its groups and clusters.
    #[must_use]
    pub fn space(&self) -> Space {
        Space::new(&self.layout, self.block_size, self.cluster_size)
    }

    /// The shape of its maps.
    ///
    /// # Panics
    /// When the cluster size is one that no superblock can have.
    #[must_use]
    pub fn map_shape(&self) -> MapShape {
        MapShape::new(self.cluster_size)
    }

    /// What this program may do with the datastore.
    #[must_use]
    pub const fn access(&self) -> Access {
        match self.features_read_only & !KNOWN_READ_ONLY {
            0 => Access::ReadWrite,
            unknown => Access::ReadOnly { unknown },
        }
    }

    /// How many clusters can be given out.
    #[must_use]
    pub fn clusters(&self) -> u64 {
        self.space().clusters()
    }

    /// What its layout was made from.
    #[must_use]
    pub fn request(&self) -> LayoutRequest {
        LayoutRequest {
            block_size: self.block_size,
            stride_blocks: self.stride_blocks,
            slots: self.slots,
            cluster_size: self.cluster_size,
            device_blocks: self.device_blocks,
        }
    }
}

/// The superblock in a block that was read at `lba`. It is where one learns the datastore's id.
///
/// # Errors
/// The first doubt that the block does not stand; [`DecodeError::Features`] where this program is too old.
pub fn decode_superblock(bytes: &[u8], lba: Lba) -> Result<Stamped<Superblock>, DecodeError> {
    decode_at(bytes, lba, None)
}

impl Record for Superblock {
    const KIND: Kind = Kind::Superblock;
    const TABLE: &'static [FieldSpec] = at::TABLE;

    fn check(&self) -> Result<(), DecodeError> {
        self.timing.check().map_err(|_| at::BEAT.error("times that would let a living host be fenced"))?;
        let request = self.request();
        let for_disks = |()| if self.has_disks() { self.layout.check_for_disks(&request) } else { Ok(()) };
        self.layout.check(&request).and_then(for_disks).map_err(|error| match error {
            LayoutError::Slots { .. } => at::SLOTS.error("a number of slots beyond the bounds"),
            LayoutError::ClusterSize { .. } => at::CLUSTER_SIZE.error("a cluster size beyond the bounds"),
            LayoutError::Stride { .. } => at::STRIDE.error("a stride beyond the bounds"),
            LayoutError::TooSmall { .. } | LayoutError::TooLarge { .. } => {
                at::DEVICE_BLOCKS.error("a device's length beyond the bounds")
            }
            LayoutError::Region { region } => region_field(region).error("a region that does not fit"),
        })
    }

    fn encode_body(&self, draft: &mut Draft) {
        let state = match self.state {
            SuperblockState::Formatting => 0,
            SuperblockState::Ready => 1,
        };
        draft.put_u8(at::STATE, state);
        draft.put_u8(at::FENCING, fencing_code(self.fencing));
        draft.put_u16(at::SLOTS, self.slots);
        draft.put_u32(at::BLOCK_SIZE, self.block_size.bytes());
        draft.put_u32(at::STRIDE, low_half(self.stride_blocks.0));
        draft.put_u32(at::CLUSTER_SIZE, low_half(self.cluster_size.0));
        draft.put_u64(at::DEVICE_BLOCKS, self.device_blocks.0);
        draft.put_u64(at::CREATED, self.created_wall_ms);
        draft.put_u64(at::FEATURES_COMPATIBLE, self.features_compatible);
        draft.put_u64(at::FEATURES_READ_ONLY, self.features_read_only);
        draft.put_u64(at::FEATURES_INCOMPATIBLE, self.features_incompatible);
        draft.put_u32(at::BEAT, low_half(milliseconds(self.timing.beat)));
        draft.put_u32(at::LEASE, low_half(milliseconds(self.timing.lease)));
        draft.put_u64(at::WATCH, milliseconds(self.timing.watch));
        draft.put_u64(at::HOLD, milliseconds(self.timing.hold));
        draft.put_u64(at::DRAIN, self.timing.drain.map_or(0, milliseconds));
        draft.put_text(at::LABEL_LENGTH, at::LABEL, self.label.as_str());
        draft.put_text(at::IDENTITY_LENGTH, at::IDENTITY, self.identity.as_str());
        for ((_, region), (start, blocks)) in self.layout.regions().into_iter().zip(REGIONS) {
            draft.put_u64(start, region.start.0);
            draft.put_u64(blocks, region.blocks.0);
        }
    }

    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError> {
        // Features come first: with one that is unknown, the fields may mean something else.
        let features_incompatible = view.u64(at::FEATURES_INCOMPATIBLE);
        let unknown = features_incompatible & !KNOWN_INCOMPATIBLE;
        if unknown != 0 {
            return Err(DecodeError::Features { unknown });
        }
        let stride_blocks = BlockCount(u64::from(view.u32(at::STRIDE)));
        Ok(Superblock {
            state: decode_state(view.u8(at::STATE))?,
            label: decode_label(view)?,
            block_size: decode_block_size(view)?,
            stride_blocks,
            slots: view.u16(at::SLOTS),
            cluster_size: ByteCount(u64::from(view.u32(at::CLUSTER_SIZE))),
            device_blocks: BlockCount(view.u64(at::DEVICE_BLOCKS)),
            timing: decode_timing(view),
            fencing: decode_fencing(view.u8(at::FENCING))?,
            identity: decode_identity(view)?,
            features_compatible: view.u64(at::FEATURES_COMPATIBLE),
            features_read_only: view.u64(at::FEATURES_READ_ONLY),
            features_incompatible,
            layout: decode_layout(view, stride_blocks),
            created_wall_ms: view.u64(at::CREATED),
        })
    }
}

fn decode_state(code: u8) -> Result<SuperblockState, DecodeError> {
    match code {
        0 => Ok(SuperblockState::Formatting),
        1 => Ok(SuperblockState::Ready),
        2.. => Err(at::STATE.error("an unknown state")),
    }
}

fn decode_label(view: &View<'_>) -> Result<Label, DecodeError> {
    let text = view.text(at::LABEL_LENGTH, at::LABEL)?.unwrap_or_default();
    Label::new(text).map_err(|_| at::LABEL.error("what is not a datastore's name"))
}

fn decode_identity(view: &View<'_>) -> Result<DeviceIdentity, DecodeError> {
    let text = view.text(at::IDENTITY_LENGTH, at::IDENTITY)?.unwrap_or_default();
    DeviceIdentity::new(text).ok_or(at::IDENTITY.error("what is not a device's identity"))
}

fn decode_block_size(view: &View<'_>) -> Result<BlockSize, DecodeError> {
    BlockSize::from_bytes(view.u32(at::BLOCK_SIZE))
        .filter(|size| size.length() == view.length())
        .ok_or(at::BLOCK_SIZE.error("a block size that is not the block's own"))
}

fn decode_timing(view: &View<'_>) -> Timing {
    let drain = view.u64(at::DRAIN);
    Timing {
        beat: Duration::from_millis(u64::from(view.u32(at::BEAT))),
        lease: Duration::from_millis(u64::from(view.u32(at::LEASE))),
        watch: Duration::from_millis(view.u64(at::WATCH)),
        hold: Duration::from_millis(view.u64(at::HOLD)),
        drain: (drain != 0).then(|| Duration::from_millis(drain)),
    }
}

fn decode_layout(view: &View<'_>, stride_blocks: BlockCount) -> Layout {
    let [slots, scratch, locks, directory, descriptors, journals, groups, shadow] = REGIONS
        .map(|(start, blocks)| Region { start: Lba(view.u64(start)), blocks: BlockCount(view.u64(blocks)) });
    Layout { stride_blocks, slots, scratch, locks, directory, descriptors, journals, groups, shadow }
}

/// Where the region of that name starts in the record.
const fn region_field(region: RegionName) -> FieldSpec {
    match region {
        RegionName::Slots => at::SLOTS_START,
        RegionName::Scratch => at::SCRATCH_START,
        RegionName::Locks => at::LOCKS_START,
        RegionName::Directory => at::DIRECTORY_START,
        RegionName::Descriptors => at::DESCRIPTORS_START,
        RegionName::Journals => at::JOURNALS_START,
        RegionName::Groups => at::GROUPS_START,
        RegionName::Shadow => at::SHADOW_START,
    }
}

const fn fencing_code(fencing: Fencing) -> u8 {
    match fencing {
        Fencing::FileLock => 0,
        Fencing::Reservation => 1,
        Fencing::Blocklist => 2,
        Fencing::DrainOnly => 3,
    }
}

fn decode_fencing(code: u8) -> Result<Fencing, DecodeError> {
    match code {
        0 => Ok(Fencing::FileLock),
        1 => Ok(Fencing::Reservation),
        2 => Ok(Fencing::Blocklist),
        3 => Ok(Fencing::DrainOnly),
        4.. => Err(at::FENCING.error("an unknown fencing")),
    }
}

/// A duration that [`Timing::check`] has bounded, in milliseconds.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A number that a check has bounded far below 2^32.
fn low_half(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
