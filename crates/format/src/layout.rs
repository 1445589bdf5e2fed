//! Where everything stands on the device: regions, their sizes, and which record an address belongs to.
//!
//! ```text
//! | first superblock | slots and mailboxes | scratch | locks | directory | descriptors | journals | groups ... | shadow |
//! ```
//! Groups come last on purpose: each carries its own record and bitmap, so a device that grew just gets more of them.

use oarlock_block::{BlockCount, BlockSize, ByteCount, Lba, SlotIndex};

use crate::SLOTS_MAX;
use crate::window::LOCK_WINDOW;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

/// Regions start at multiples of this, so that no two share a page, a stripe unit or a thin pool's extent by accident.
const ALIGNMENT: u64 = 64 * KIB;
/// The largest device.
const DEVICE_MAX: u64 = 64 * TIB;
/// Strides in the scratch region.
const SCRATCH_STRIDES: u64 = 256;
/// Positions for named locks, at least and at most.
const LOCK_POSITIONS_MIN: u64 = 1_024;
const LOCK_POSITIONS_MAX: u64 = 16_384;
/// One position for each of these bytes of the device.
const BYTES_PER_LOCK_POSITION: u64 = 64 * KIB;
/// Locks never fill more than this part of the device.
const LOCKS_DIVISOR: u64 = 16;
/// Descriptors (one per disk or snapshot's layer), at least and at most.
const DESCRIPTORS_MIN: u64 = 256;
const DESCRIPTORS_MAX: u64 = 65_536;
const BYTES_PER_DESCRIPTOR: u64 = 4 * MIB;
/// Strides that a descriptor takes: lock and state, and name and fixed data (R25).
const DESCRIPTOR_STRIDES: u64 = 2;
/// Four descriptors for one directory bucket, which has room for five times as many: it will hardly ever be full.
const DESCRIPTORS_PER_BUCKET: u64 = 4;
/// A journal's size, at least and at most; all journals together fill no more than this part of the device.
const JOURNAL_MIN: u64 = 128 * KIB;
const JOURNAL_MAX: u64 = 16 * MIB;
const JOURNALS_DIVISOR: u64 = 8;
/// Space for groups without which a datastore is of no use.
const GROUPS_MIN: u64 = 16 * MIB;
/// Strides of a slot: its record, and its mailbox.
const SLOT_STRIDES: u64 = 2;
/// What the alignment of growing regions may cost at most: each region one unit, and the largest cluster.
const ALIGNMENT_SLACK: u64 = 8 * ALIGNMENT + CLUSTER_MAX;

const CLUSTER_MIN: u64 = 4 * KIB;
const CLUSTER_MAX: u64 = MIB;

/// Clusters of an allocation group, its head included.
pub const GROUP_CLUSTERS: u64 = 8_192;

/// A run of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// Its first block.
    pub start: Lba,
    /// Its length.
    pub blocks: BlockCount,
}

impl Region {
    /// Whether a block lies in it.
    #[must_use]
    pub const fn contains(&self, lba: Lba) -> bool {
        lba.0 >= self.start.0 && lba.0 - self.start.0 < self.blocks.0
    }

    /// The block after its last, unless that passes 2^64.
    const fn end(&self) -> Option<u64> {
        self.start.0.checked_add(self.blocks.0)
    }
}

/// Which region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegionName {
    /// Slot records and mailboxes.
    Slots,
    /// Blocks for `probe` and `bench`.
    Scratch,
    /// Named locks.
    Locks,
    /// Buckets of names.
    Directory,
    /// Descriptors of disks.
    Descriptors,
    /// Journals.
    Journals,
    /// Allocation groups.
    Groups,
    /// The superblock's shadow.
    Shadow,
}

impl RegionName {
    /// The word for people, and in FORMAT.md.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RegionName::Slots => "slots",
            RegionName::Scratch => "scratch",
            RegionName::Locks => "locks",
            RegionName::Directory => "directory",
            RegionName::Descriptors => "descriptors",
            RegionName::Journals => "journals",
            RegionName::Groups => "groups",
            RegionName::Shadow => "shadow",
        }
    }
}

/// The position of a named lock: an index into the region of locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockPosition(pub u32);

impl std::fmt::Display for LockPosition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// What a layout is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutRequest {
    /// The device's logical block.
    pub block_size: BlockSize,
    /// Blocks from one record to the next: a physical block (R40), 1 where both are the same.
    pub stride_blocks: BlockCount,
    /// How many hosts.
    pub slots: u16,
    /// The unit of allocation.
    pub cluster_size: ByteCount,
    /// The device's length.
    pub device_blocks: BlockCount,
}

/// Why a device cannot be laid out so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The device is too small.
    #[error("the device is too small for this datastore: {have} of the {needed} that are needed")]
    TooSmall {
        /// The smallest size that suffices.
        needed: ByteCount,
        /// What there is.
        have: ByteCount,
    },
    /// The device is too large.
    #[error("the device of {have} is larger than the largest datastore, {largest}")]
    TooLarge {
        /// What there is.
        have: ByteCount,
        /// The most that can be used.
        largest: ByteCount,
    },
    /// No slots, or too many.
    #[error("a datastore has 1 to {SLOTS_MAX} slots, not {found}")]
    Slots {
        /// The number asked for.
        found: u16,
    },
    /// A cluster size that is no power of two within bounds.
    #[error("a cluster is a power of two from 4 KiB to 1 MiB, not {found}")]
    ClusterSize {
        /// The size asked for.
        found: ByteCount,
    },
    /// Records too far apart.
    #[error("records stand a power of two of blocks apart, at most 64 KiB; not {} blocks", .found.0)]
    Stride {
        /// The stride asked for.
        found: BlockCount,
    },
    /// The regions that a superblock names do not fit one another or the device.
    #[error("the region of {} does not fit the datastore", .region.name())]
    Region {
        /// The first that does not fit.
        region: RegionName,
    },
}

/// Where everything stands. A layout is made once, at format, and read from the superblock ever after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Blocks from one record to the next.
    pub stride_blocks: BlockCount,
    /// Per slot two strides: its record, then its mailbox.
    pub slots: Region,
    /// Blocks for `probe` and `bench`, which nobody else reads.
    pub scratch: Region,
    /// The positions of named locks.
    pub locks: Region,
    /// Buckets of names: reserved.
    pub directory: Region,
    /// Descriptors of disks: reserved.
    pub descriptors: Region,
    /// A journal per slot: reserved.
    pub journals: Region,
    /// Allocation groups: reserved.
    pub groups: Region,
    /// The superblock's shadow, in the last whole stride of the device.
    pub shadow: Region,
}

/// What stands at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The first superblock.
    Superblock,
    /// The superblock's shadow.
    Shadow,
    /// A slot record.
    Slot(SlotIndex),
    /// A mailbox.
    Mailbox(SlotIndex),
    /// The scratch record of that index.
    Scratch(u64),
    /// A named lock.
    Lock(LockPosition),
    /// The directory bucket of that index.
    Directory(u64),
    /// The descriptor of that index (either of its two records).
    Descriptor(u64),
    /// A block of that slot's journal.
    Journal(SlotIndex),
    /// A block of an allocation group.
    Group,
    /// Nothing: between records, between regions, or behind the shadow.
    Nothing,
}

/// The blocks of each region before they are placed.
struct Sizes {
    slots: u64,
    scratch: u64,
    locks: u64,
    directory: u64,
    descriptors: u64,
    journals: u64,
}

impl LayoutRequest {
    fn check(&self) -> Result<(), LayoutError> {
        if self.slots == 0 || self.slots > SLOTS_MAX {
            return Err(LayoutError::Slots { found: self.slots });
        }
        let cluster = self.cluster_size.0;
        if !cluster.is_power_of_two() || !(CLUSTER_MIN..=CLUSTER_MAX).contains(&cluster) {
            return Err(LayoutError::ClusterSize { found: self.cluster_size });
        }
        let stride = self.stride_blocks.0;
        if !stride.is_power_of_two() || stride > self.blocks(ALIGNMENT) {
            return Err(LayoutError::Stride { found: self.stride_blocks });
        }
        if self.device_blocks.0 > self.blocks(DEVICE_MAX) {
            let bytes = self.device_blocks.0.saturating_mul(self.block());
            return Err(LayoutError::TooLarge { have: ByteCount(bytes), largest: ByteCount(DEVICE_MAX) });
        }
        Ok(())
    }

    fn block(&self) -> u64 {
        u64::from(self.block_size.bytes())
    }

    fn blocks(&self, bytes: u64) -> u64 {
        bytes / self.block()
    }

    fn align(&self, block: u64) -> u64 {
        block.next_multiple_of(self.blocks(ALIGNMENT))
    }

    /// The regions' sizes where the device has `spare` bytes beyond the smallest that suffices. Together they grow by
    /// less than a quarter of the spare bytes, so that they always fit; groups get the rest.
    fn sizes(&self, spare: u64) -> Sizes {
        let stride = self.stride_blocks.0;
        let stride_bytes = stride * self.block();
        let device_bytes = self.device_blocks.0 * self.block();
        let positions = (device_bytes / BYTES_PER_LOCK_POSITION)
            .clamp(LOCK_POSITIONS_MIN, LOCK_POSITIONS_MAX)
            .min(LOCK_POSITIONS_MIN + spare / LOCKS_DIVISOR / stride_bytes);
        let descriptors = (DESCRIPTORS_MIN + spare / BYTES_PER_DESCRIPTOR).min(DESCRIPTORS_MAX);
        let slots = u64::from(self.slots);
        let journal = (JOURNAL_MIN + spare / JOURNALS_DIVISOR / slots).min(JOURNAL_MAX);
        let journal = journal - journal % ALIGNMENT;
        Sizes {
            slots: slots * SLOT_STRIDES * stride,
            scratch: SCRATCH_STRIDES * stride,
            locks: positions * stride,
            directory: descriptors / DESCRIPTORS_PER_BUCKET * stride,
            descriptors: descriptors * DESCRIPTOR_STRIDES * stride,
            journals: slots * self.blocks(journal),
        }
    }

    /// The smallest device in blocks: a multiple of the alignment, and one stride for the shadow.
    fn needed(&self) -> u64 {
        let groups = self.place(&self.sizes(0)).groups.start.0;
        let by_sum = groups + self.blocks(GROUPS_MIN);
        let by_locks = LOCK_POSITIONS_MIN * LOCKS_DIVISOR * self.stride_blocks.0;
        by_sum.max(by_locks) + self.stride_blocks.0
    }

    /// Puts the regions one after another.
    fn place(&self, sizes: &Sizes) -> Layout {
        let stride = self.stride_blocks.0;
        let mut next = self.blocks(ALIGNMENT);
        let mut region = |blocks: u64| {
            let start = next;
            next = self.align(start + blocks);
            Region { start: Lba(start), blocks: BlockCount(blocks) }
        };
        let slots = region(sizes.slots);
        let scratch = region(sizes.scratch);
        let locks = region(sizes.locks);
        let directory = region(sizes.directory);
        let descriptors = region(sizes.descriptors);
        let journals = region(sizes.journals);
        let groups = next.next_multiple_of(self.blocks(self.cluster_size.0.max(ALIGNMENT)));
        let shadow = shadow_start(self.device_blocks.0, stride);
        Layout {
            stride_blocks: self.stride_blocks,
            slots,
            scratch,
            locks,
            directory,
            descriptors,
            journals,
            groups: Region { start: Lba(groups), blocks: BlockCount(shadow.saturating_sub(groups)) },
            shadow: Region { start: Lba(shadow), blocks: BlockCount(stride) },
        }
    }
}

/// The first block of the last whole stride of a device.
const fn shadow_start(device_blocks: u64, stride: u64) -> u64 {
    (device_blocks / stride).saturating_sub(1) * stride
}

/// Where a shadow may stand on a device whose first superblock cannot be read and whose stride is therefore unknown:
/// once for each stride that the format allows, at most eight addresses.
pub fn shadow_candidates(
    block_size: BlockSize,
    device_blocks: BlockCount,
) -> impl Iterator<Item = Lba> + use<> {
    let stride_max = ALIGNMENT / u64::from(block_size.bytes());
    let strides = std::iter::successors(Some(1_u64), |stride| Some(stride * 2));
    let mut previous = None;
    strides
        .take_while(move |stride| *stride <= stride_max)
        .map(move |stride| Lba(shadow_start(device_blocks.0, stride)))
        .filter(move |lba| lba.0 != 0 && previous.replace(*lba) != Some(*lba))
}

impl Layout {
    /// The layout of a new datastore.
    ///
    /// # Errors
    /// What does not fit.
    pub fn plan(request: &LayoutRequest) -> Result<Layout, LayoutError> {
        request.check()?;
        let needed = request.needed();
        if request.device_blocks.0 < needed {
            return Err(LayoutError::TooSmall {
                needed: BlockCount(needed).bytes(request.block_size),
                have: request.device_blocks.bytes(request.block_size),
            });
        }
        let surplus = (request.device_blocks.0 - needed) * request.block();
        Ok(request.place(&request.sizes(surplus.saturating_sub(ALIGNMENT_SLACK))))
    }

    /// Whether this layout, as a superblock has it, stands on what the superblock says besides.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self, request: &LayoutRequest) -> Result<(), LayoutError> {
        request.check()?;
        let stride = self.stride_blocks.0;
        if self.stride_blocks != request.stride_blocks {
            return Err(LayoutError::Stride { found: self.stride_blocks });
        }
        let slots = u64::from(request.slots);
        let positions = self.locks.blocks.0 / stride;
        let whole = |blocks: u64, unit: u64| blocks > 0 && blocks.is_multiple_of(unit);
        let fits = [
            self.slots.blocks.0 == slots * SLOT_STRIDES * stride,
            self.scratch.blocks.0 == SCRATCH_STRIDES * stride,
            whole(self.locks.blocks.0, stride)
                && (LOCK_POSITIONS_MIN..=LOCK_POSITIONS_MAX).contains(&positions),
            whole(self.directory.blocks.0, stride),
            whole(self.descriptors.blocks.0, DESCRIPTOR_STRIDES * stride),
            whole(self.journals.blocks.0, slots * stride),
            whole(self.groups.blocks.0, stride),
            self.shadow.start.0 == shadow_start(request.device_blocks.0, stride)
                && self.shadow.blocks.0 == stride,
        ];
        let mut free_from = stride;
        for ((name, region), fits) in self.regions().into_iter().zip(fits) {
            let end = region.end().filter(|end| *end <= request.device_blocks.0);
            let Some(end) =
                end.filter(|_| fits && region.start.0 >= free_from && region.start.0.is_multiple_of(stride))
            else {
                return Err(LayoutError::Region { region: name });
            };
            free_from = end;
        }
        Ok(())
    }

    /// All regions in the order in which they stand, each with its name.
    #[must_use]
    pub const fn regions(&self) -> [(RegionName, Region); 8] {
        [
            (RegionName::Slots, self.slots),
            (RegionName::Scratch, self.scratch),
            (RegionName::Locks, self.locks),
            (RegionName::Directory, self.directory),
            (RegionName::Descriptors, self.descriptors),
            (RegionName::Journals, self.journals),
            (RegionName::Groups, self.groups),
            (RegionName::Shadow, self.shadow),
        ]
    }

    /// How many slots there are.
    #[must_use]
    pub fn slot_count(&self) -> u16 {
        u16::try_from(self.slots.blocks.0 / (SLOT_STRIDES * self.stride_blocks.0)).unwrap_or(SLOTS_MAX)
    }

    /// The address of a slot's record.
    ///
    /// # Panics
    /// When the datastore has no such slot.
    #[must_use]
    pub fn slot(&self, slot: SlotIndex) -> Lba {
        assert!(slot.0 < self.slot_count(), "the datastore has no slot {slot}");
        self.record(self.slots, u64::from(slot.0) * SLOT_STRIDES)
    }

    /// The address of a slot's mailbox.
    ///
    /// # Panics
    /// When the datastore has no such slot.
    #[must_use]
    pub fn mailbox(&self, slot: SlotIndex) -> Lba {
        self.slot(slot).plus(self.stride_blocks)
    }

    /// How many scratch blocks there are.
    #[must_use]
    pub const fn scratch_count(&self) -> u64 {
        SCRATCH_STRIDES
    }

    /// The address of a scratch block.
    ///
    /// # Panics
    /// When there is no scratch block of that index.
    #[must_use]
    pub fn scratch(&self, index: u64) -> Lba {
        assert!(index < SCRATCH_STRIDES, "the datastore has no scratch block {index}");
        self.record(self.scratch, index)
    }

    /// How many positions there are for named locks: at least [`LOCK_WINDOW`].
    #[must_use]
    pub fn lock_positions(&self) -> u32 {
        let positions = self.locks.blocks.0 / self.stride_blocks.0;
        u32::try_from(positions).unwrap_or(u32::MAX).max(LOCK_WINDOW)
    }

    /// The address of a named lock.
    ///
    /// # Panics
    /// When the datastore has no such position.
    #[must_use]
    pub fn lock(&self, position: LockPosition) -> Lba {
        assert!(position.0 < self.lock_positions(), "the datastore has no lock position {position}");
        self.record(self.locks, u64::from(position.0))
    }

    /// The position of the lock at an address; `None` where no lock's record starts there.
    #[must_use]
    pub fn lock_position_of(&self, lba: Lba) -> Option<LockPosition> {
        let position = self.record_index(self.locks, lba)?;
        u32::try_from(position).ok().map(LockPosition)
    }

    /// What stands at an address.
    #[must_use]
    pub fn kind_at(&self, lba: Lba) -> Standing {
        if lba == Lba(0) {
            return Standing::Superblock;
        }
        self.record_at(lba).unwrap_or(Standing::Nothing)
    }

    /// What record or data stands at an address behind the first superblock.
    fn record_at(&self, lba: Lba) -> Option<Standing> {
        let slot = |index: u64| u16::try_from(index).ok().map(SlotIndex);
        let regions = self.regions();
        let (name, region) = regions.iter().find(|(_, region)| region.contains(lba))?;
        let record = self.record_index(*region, lba);
        match name {
            RegionName::Slots => {
                let index = record?;
                let slot = slot(index / SLOT_STRIDES)?;
                Some(if index.is_multiple_of(SLOT_STRIDES) {
                    Standing::Slot(slot)
                } else {
                    Standing::Mailbox(slot)
                })
            }
            RegionName::Scratch => record.map(Standing::Scratch),
            RegionName::Locks => self.lock_position_of(lba).map(Standing::Lock),
            RegionName::Directory => record.map(Standing::Directory),
            RegionName::Descriptors => record.map(|index| Standing::Descriptor(index / DESCRIPTOR_STRIDES)),
            RegionName::Journals => {
                let journal = self.journals.blocks.0 / u64::from(self.slot_count());
                slot((lba.0 - region.start.0) / journal).map(Standing::Journal)
            }
            RegionName::Groups => Some(Standing::Group),
            RegionName::Shadow => (lba == region.start).then_some(Standing::Shadow),
        }
    }

    fn record(&self, region: Region, index: u64) -> Lba {
        region.start.plus(BlockCount(index * self.stride_blocks.0))
    }

    /// The index of the record that starts at `lba`.
    fn record_index(&self, region: Region, lba: Lba) -> Option<u64> {
        let offset = lba.0.checked_sub(region.start.0)?;
        let starts = region.contains(lba) && offset.is_multiple_of(self.stride_blocks.0);
        starts.then(|| offset / self.stride_blocks.0)
    }

    /// How many clusters can be given out: those of all groups without their heads (a record and a bitmap, in whole
    /// clusters).
    #[must_use]
    pub fn clusters(&self, block_size: BlockSize, cluster_size: ByteCount) -> u64 {
        let bitmap = GROUP_CLUSTERS / 8;
        let head = (self.stride_blocks.bytes(block_size).0 + bitmap).div_ceil(cluster_size.0);
        let all = self.groups.blocks.bytes(block_size).0 / cluster_size.0;
        let (groups, rest) = (all / GROUP_CLUSTERS, all % GROUP_CLUSTERS);
        groups * (GROUP_CLUSTERS - head) + rest.saturating_sub(head)
    }
}
