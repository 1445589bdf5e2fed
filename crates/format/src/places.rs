//! Where the records of disks stand: buckets, descriptors, journals.

use oarlock_block::{BlockCount, BlockSize, Lba, SlotIndex};

use crate::layout::{DESCRIPTOR_STRIDES, Layout};
use crate::numbers::{BucketNumber, DescriptorNumber, NameHash};
use crate::space::{page_behind_record, page_blocks};

/// Where one slot's journal stands: its header, and behind it a ring of blocks of 4,096 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalRing {
    /// Whose it is.
    pub slot: SlotIndex,
    /// The header's address.
    pub header: Lba,
    /// The address of the ring's first block.
    pub start: Lba,
    /// How many blocks the ring has.
    pub blocks: u32,
    /// Blocks of the device that one block of the ring takes.
    pub step: BlockCount,
}

impl JournalRing {
    /// The address of a block of the ring; indices beyond the last begin again with the first.
    #[must_use]
    pub fn lba(&self, index: u32) -> Lba {
        let index = index.checked_rem(self.blocks).unwrap_or(0);
        self.start.plus(BlockCount(u64::from(index) * self.step.0))
    }

    /// The index of the block after that of `index`.
    #[must_use]
    pub fn next(&self, index: u32) -> u32 {
        index.saturating_add(1).checked_rem(self.blocks).unwrap_or(0)
    }

    /// The block of the ring that starts at an address.
    #[must_use]
    pub fn index_of(&self, lba: Lba) -> Option<u32> {
        let offset = lba.0.checked_sub(self.start.0)?;
        let index = u32::try_from(offset / self.step.0).ok()?;
        (offset.is_multiple_of(self.step.0) && index < self.blocks).then_some(index)
    }
}

impl Layout {
    /// How many buckets the directory has; at least one.
    #[must_use]
    pub fn bucket_count(&self) -> u32 {
        u32::try_from(self.directory.blocks.0 / self.stride_blocks.0).unwrap_or(u32::MAX).max(1)
    }

    /// The address of a bucket.
    ///
    /// # Panics
    /// When the directory has no such bucket.
    #[must_use]
    pub fn bucket(&self, bucket: BucketNumber) -> Lba {
        assert!(bucket.0 < self.bucket_count(), "the directory has no bucket {bucket}");
        self.record(self.directory, u64::from(bucket.0))
    }

    /// The bucket in which names of that hash stand.
    #[must_use]
    pub fn bucket_of(&self, hash: NameHash) -> BucketNumber {
        BucketNumber(u32::try_from(hash.0 % u64::from(self.bucket_count())).unwrap_or_default())
    }

    /// How many descriptors there are.
    #[must_use]
    pub fn descriptor_count(&self) -> u32 {
        let count = self.descriptors.blocks.0 / (DESCRIPTOR_STRIDES * self.stride_blocks.0);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The address of a descriptor's first record: lock and state.
    ///
    /// # Panics
    /// When the datastore has no such descriptor.
    #[must_use]
    pub fn descriptor(&self, descriptor: DescriptorNumber) -> Lba {
        assert!(descriptor.0 < self.descriptor_count(), "the datastore has no descriptor {descriptor}");
        self.record(self.descriptors, u64::from(descriptor.0) * DESCRIPTOR_STRIDES)
    }

    /// The address of a descriptor's second record: the name.
    ///
    /// # Panics
    /// When the datastore has no such descriptor.
    #[must_use]
    pub fn descriptor_name(&self, descriptor: DescriptorNumber) -> Lba {
        self.descriptor(descriptor).plus(self.stride_blocks)
    }

    /// A slot's journal.
    ///
    /// # Panics
    /// When the datastore has no such slot.
    #[must_use]
    pub fn journal(&self, slot: SlotIndex, block_size: BlockSize) -> JournalRing {
        assert!(slot.0 < self.slot_count(), "the datastore has no slot {slot}");
        let block = u64::from(block_size.bytes());
        let length = self.journal_blocks();
        let before_ring = page_behind_record(self.stride_blocks, block);
        let header = self.journals.start.plus(BlockCount(u64::from(slot.0) * length));
        let blocks = length.saturating_sub(before_ring) / page_blocks(block);
        JournalRing {
            slot,
            header,
            start: header.plus(BlockCount(before_ring)),
            blocks: u32::try_from(blocks).unwrap_or(u32::MAX),
            step: BlockCount(page_blocks(block)),
        }
    }

    /// Blocks of the device that one journal takes.
    pub(crate) fn journal_blocks(&self) -> u64 {
        self.journals.blocks.0 / u64::from(self.slot_count().max(1))
    }
}
