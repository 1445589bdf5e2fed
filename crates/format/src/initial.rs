//! What `format` leaves: every record of a new datastore as it is before anybody used it, and the pages that it needs.

use oarlock_block::{Lba, SlotIndex};

use crate::bitmap_page::BitmapPage;
use crate::bucket::BucketRecord;
use crate::descriptor::DescriptorRecord;
use crate::descriptor_name::DescriptorName;
use crate::group::GroupRecord;
use crate::ids::{Epoch, FormatId, Generation, Nonce};
use crate::journal_header::JournalHeader;
use crate::layout::LockPosition;
use crate::lock::LockRecord;
use crate::mailbox::MailboxRecord;
use crate::numbers::{BucketNumber, DescriptorNumber, GroupNumber, JournalSequence};
use crate::page::PageHeader;
use crate::record::{Image, Record, encode};
use crate::slot::SlotRecord;
use crate::stamp::{Stamp, Writer};
use crate::superblock::Superblock;

/// The first image of every block of a datastore that a superblock describes.
#[derive(Clone, Copy)]
pub struct Initial<'a> {
    superblock: &'a Superblock,
    format_id: FormatId,
    nonce: &'a dyn Fn() -> Nonce,
}

impl<'a> Initial<'a> {
    /// For that datastore; `nonce` is asked once for each record.
    #[must_use]
    pub fn new(superblock: &'a Superblock, format_id: FormatId, nonce: &'a dyn Fn() -> Nonce) -> Initial<'a> {
        Initial { superblock, format_id, nonce }
    }

    /// How many images there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let layout = &self.superblock.layout;
        let locks = u64::from(layout.slot_count()) * 2 + u64::from(layout.lock_positions());
        if !self.superblock.has_disks() {
            return locks;
        }
        let names = u64::from(layout.bucket_count()) + u64::from(layout.descriptor_count()) * 2;
        locks + names + u64::from(layout.slot_count()) + u64::from(self.superblock.space().groups()) * 2
    }

    /// All of them, ascending by address. A page's image has 4,096 bytes, each other one a block.
    pub fn images(&self) -> impl Iterator<Item = (Lba, Image)> + use<'a> {
        let disks = self.superblock.has_disks().then_some(*self);
        self.locks().chain(disks.into_iter().flat_map(|initial| initial.disks()))
    }

    /// Slots and mailboxes, then locks.
    fn locks(self) -> impl Iterator<Item = (Lba, Image)> + use<'a> {
        let layout = self.superblock.layout;
        let slots = (0..layout.slot_count()).map(SlotIndex).flat_map(move |slot| {
            let (record, mailbox) = (layout.slot(slot), layout.mailbox(slot));
            [self.record(record, &SlotRecord::never_used()), self.record(mailbox, &MailboxRecord::default())]
        });
        let locks = (0..layout.lock_positions()).map(LockPosition);
        slots.chain(locks.map(move |at| self.record(layout.lock(at), &LockRecord::never_used())))
    }

    /// Directory, descriptors, journals, groups.
    fn disks(self) -> impl Iterator<Item = (Lba, Image)> + use<'a> {
        let layout = self.superblock.layout;
        let block_size = self.superblock.block_size;
        let buckets = (0..layout.bucket_count()).map(BucketNumber);
        let buckets = buckets.map(move |at| self.record(layout.bucket(at), &BucketRecord::default()));
        let descriptors = (0..layout.descriptor_count()).map(DescriptorNumber).flat_map(move |at| {
            [
                self.record(layout.descriptor(at), &DescriptorRecord::never_used()),
                self.record(layout.descriptor_name(at), &DescriptorName::never_used()),
            ]
        });
        let journals = (0..layout.slot_count()).map(move |slot| {
            let ring = layout.journal(SlotIndex(slot), block_size);
            self.record(ring.header, &JournalHeader::never_used(ring.blocks))
        });
        let space = self.superblock.space();
        let groups = (0..space.groups()).map(GroupNumber);
        let groups = groups.flat_map(move |group| self.group(group, space.clusters_of(group)));
        buckets.chain(descriptors).chain(journals).chain(groups)
    }

    /// The record and the bitmap page of a group that begins with so many clusters.
    ///
    /// # Panics
    /// When the datastore has no such group.
    #[must_use]
    pub fn group(&self, group: GroupNumber, clusters: u32) -> [(Lba, Image); 2] {
        let space = self.superblock.space();
        let record = GroupRecord::never_held(group, clusters, space.head());
        let header = PageHeader {
            format_id: self.format_id,
            lba: space.bitmap(group),
            object: group.0,
            level: 0,
            epoch: Epoch(0),
            sequence: JournalSequence(0),
        };
        let mut bitmap = BitmapPage::fresh(header, space.head());
        let bitmap = Image::new(bitmap.seal(Epoch(0), JournalSequence(0)));
        [self.record(space.record(group), &record), (header.lba, bitmap)]
    }

    fn record<R: Record>(&self, lba: Lba, record: &R) -> (Lba, Image) {
        let stamp = Stamp {
            format_id: self.format_id,
            lba,
            generation: Generation(1),
            writer: Writer::Tool,
            nonce: (self.nonce)(),
        };
        (lba, encode(&stamp, record, self.superblock.block_size))
    }
}
