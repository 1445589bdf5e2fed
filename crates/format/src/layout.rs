//! Where everything stands on the device: regions, their sizes, and which record an address belongs to.
//!
//! ```text
//! | first superblock | slots and mailboxes | scratch | locks | directory | descriptors | journals | groups ... | shadow |
//! ```
//! Groups come last on purpose: each carries its own record and bitmap, so a device that grew just gets more of them.

use oarlock_block::{BlockCount, Lba, SlotIndex};

use crate::SLOTS_MAX;
use crate::window::LOCK_WINDOW;

/// Strides of a slot: its record, and its mailbox.
pub(crate) const SLOT_STRIDES: u64 = 2;
/// Strides in the scratch region.
pub(crate) const SCRATCH_STRIDES: u64 = 256;
/// Strides that a descriptor takes: lock and state, and name and fixed data (R25).
pub(crate) const DESCRIPTOR_STRIDES: u64 = 2;

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
    pub(crate) const fn end(&self) -> Option<u64> {
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
    /// Buckets of names.
    pub directory: Region,
    /// Descriptors of disks, two records each.
    pub descriptors: Region,
    /// A journal per slot.
    pub journals: Region,
    /// Allocation groups.
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
    /// A block of an allocation group: [`Space::at`](crate::Space::at) knows more.
    Group,
    /// Nothing: between records, between regions, or behind the shadow.
    Nothing,
}

impl Layout {
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
                slot((lba.0 - region.start.0) / self.journal_blocks().max(1)).map(Standing::Journal)
            }
            RegionName::Groups => Some(Standing::Group),
            RegionName::Shadow => (lba == region.start).then_some(Standing::Shadow),
        }
    }

    pub(crate) fn record(&self, region: Region, index: u64) -> Lba {
        region.start.plus(BlockCount(index * self.stride_blocks.0))
    }

    /// The index of the record that starts at `lba`.
    fn record_index(&self, region: Region, lba: Lba) -> Option<u64> {
        let offset = lba.0.checked_sub(region.start.0)?;
        let starts = region.contains(lba) && offset.is_multiple_of(self.stride_blocks.0);
        starts.then(|| offset / self.stride_blocks.0)
    }
}
