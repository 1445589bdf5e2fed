//! What is wrong with the records and pages of disks: whether each is sound, and stands where it may.
//!
//! There can be many of them, so that they are judged as they are read, and only what is wrong is kept.

use std::collections::BTreeMap;

use oarlock_block::{BlockCount, Lba, SlotIndex};
use oarlock_format::{
    BitmapPage, BucketEntry, BucketNumber, BucketRecord, ClusterIndex, DecodeError, DescriptorName,
    DescriptorNumber, DescriptorRecord, GroupNumber, GroupRecord, InSpace, JournalHeader, Kind, PAGE_LENGTH,
    Record, Space, Stamped, Standing, Superblock, decode_superblock, decode_within,
};

use crate::check::code::{Code, Severity};
use crate::check::report::Spot;
use crate::check::scan::{chunk_blocks, chunks, read_bytes, run_length};
use crate::check::suspicion::{Remedy, Suspicion};
use crate::check::{CheckError, looks_at};
use crate::store::{READS_OF_DAMAGE, Store};

/// Suspicions that are kept; the rest is counted.
const KEPT_MAX: usize = 256;

/// Blocks of a record or page, as they were read.
#[derive(Clone, Copy)]
struct Block<'a> {
    lba: Lba,
    bytes: &'a [u8],
}

/// The records of disks of one datastore.
pub(crate) struct Disks<'a> {
    store: &'a Store,
    space: Space,
    /// There are such records, and the device reaches as far as they do.
    there: bool,
}

/// What was found, by place, and how much more there was.
struct Found {
    kept: BTreeMap<Lba, Suspicion>,
    kept_max: usize,
    more: usize,
}

impl Found {
    fn of_at_most(kept_max: usize) -> Found {
        Found { kept: BTreeMap::new(), kept_max, more: 0 }
    }

    fn add(&mut self, suspicion: Suspicion) {
        if self.kept.len() < self.kept_max || suspicion.code.severity() != Severity::Damage {
            self.kept.entry(suspicion.place.lba).or_insert(suspicion);
        } else {
            self.more += 1;
        }
    }
}

impl Extend<Suspicion> for Found {
    fn extend<T: IntoIterator<Item = Suspicion>>(&mut self, suspicions: T) {
        suspicions.into_iter().for_each(|suspicion| self.add(suspicion));
    }
}

impl<'a> Disks<'a> {
    pub(crate) fn new(store: &'a Store, superblock: &Superblock) -> Disks<'a> {
        let reaches = store.world.device.geometry().blocks >= superblock.device_blocks;
        Disks { store, space: superblock.space(), there: superblock.has_disks() && reaches }
    }

    /// Whether there are such records, on a device that reaches as far as they do.
    pub(crate) fn are_there(&self) -> bool {
        self.there
    }

    /// How many blocks a look reads.
    pub(crate) fn blocks(&self) -> u64 {
        if !self.there {
            return 0;
        }
        let layout = &self.store.layout;
        let heads = u64::from(self.space.groups()) * self.head_blocks();
        layout.directory.blocks.0 + layout.descriptors.blocks.0 + u64::from(layout.slot_count()) + heads
    }

    /// From a group's record to the end of its bitmap page.
    fn head_blocks(&self) -> u64 {
        let group = GroupNumber(0);
        let page = PAGE_LENGTH as u64 / u64::from(self.store.block_size.bytes());
        self.space.bitmap(group).0 - self.space.record(group).0 + page
    }

    /// Reads everything once, and what is suspicious again and again; what each look shows is found. `progress` hears how many
    /// blocks were read.
    pub(crate) async fn look(&self, progress: &dyn Fn(u64)) -> Result<Vec<Suspicion>, CheckError> {
        if !self.there {
            return Ok(Vec::new());
        }
        let mut found = Found::of_at_most(KEPT_MAX);
        let mut done = 0;
        let layout = &self.store.layout;
        let regions = [layout.directory, layout.descriptors];
        let runs = regions.into_iter().flat_map(|region| chunks(region, chunk_blocks(self.store)));
        let headers = (0..layout.slot_count())
            .map(|slot| (layout.journal(SlotIndex(slot), self.store.block_size).header, BlockCount(1)));
        let groups = (0..self.space.groups())
            .map(|group| (self.space.record(GroupNumber(group)), BlockCount(self.head_blocks())));
        for (start, blocks) in runs.chain(headers).chain(groups) {
            self.read(start, blocks, &mut found).await?;
            done += blocks.0;
            progress(done);
        }
        self.look_again(found).await
    }

    /// What is suspicious may just have been written.
    async fn look_again(&self, found: Found) -> Result<Vec<Suspicion>, CheckError> {
        let mut standing: Vec<Suspicion> = found.kept.into_values().collect();
        let mut looks = 1;
        while looks < looks_at(&standing) {
            self.store.world.pause(self.store.timing.beat / (READS_OF_DAMAGE * 2)).await;
            // What stands between two suspicious records is read along, and may be wrong too: nothing is left out.
            let mut again = Found::of_at_most(usize::MAX);
            let lbas: Vec<Lba> = standing.iter().map(|suspicion| suspicion.place.lba).collect();
            for lbas in lbas.chunk_by(|first, second| self.stand_together(*first, *second)) {
                let mut rest = lbas;
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(run_length(rest, chunk_blocks(self.store)));
                    let (start, blocks) = self.span(now);
                    self.read(start, blocks, &mut again).await?;
                    rest = later;
                }
            }
            standing.retain_mut(|old| match again.kept.remove(&old.place.lba) {
                Some(new) if old.is_same(&new) => {
                    *old = new;
                    true
                }
                _ => false,
            });
            looks += 1;
        }
        if let Some(last) = standing.last_mut().filter(|_| found.more > 0) {
            last.message = format!("{} (and {} more blocks of disks are wrong)", last.message, found.more);
        }
        Ok(standing)
    }

    /// Whether nothing but records of disks stands between the two.
    fn stand_together(&self, first: Lba, second: Lba) -> bool {
        let layout = &self.store.layout;
        [layout.directory, layout.descriptors]
            .iter()
            .any(|region| region.contains(first) && region.contains(second))
    }

    /// What is read to look at these records, which stand together: for a group its record and its bitmap.
    fn span(&self, lbas: &[Lba]) -> (Lba, BlockCount) {
        let (Some(lba), Some(last)) = (lbas.first().copied(), lbas.last()) else {
            return (Lba(0), BlockCount(0));
        };
        let blocks = BlockCount(last.0 - lba.0 + 1);
        let place = self.space.at(lba);
        let group = place.and_then(|place| match place {
            InSpace::Record(group) | InSpace::Bitmap(group) => Some(group),
            _ => None,
        });
        group.map_or((lba, blocks), |group| (self.space.record(group), BlockCount(self.head_blocks())))
    }

    /// Reads a run of whole records and judges them. Where the device does not give all of it at once, each half is asked for
    /// by itself, down to one record or one group's head.
    async fn read(&self, start: Lba, blocks: BlockCount, found: &mut Found) -> Result<(), CheckError> {
        let in_groups = self.store.layout.groups.contains(start);
        let stride = self.store.layout.stride_blocks.0;
        let mut runs = vec![(start, blocks)];
        while let Some((start, blocks)) = runs.pop() {
            let length = usize::try_from(blocks.bytes(self.store.block_size).0).unwrap_or(usize::MAX);
            let mut bytes = vec![0; length];
            match read_bytes(self.store, start, &mut bytes).await? {
                Ok(()) => self.judge(Block { lba: start, bytes: &bytes }, found),
                Err(_) if !in_groups && blocks.0 > stride => {
                    let first = BlockCount((blocks.0 / stride).div_ceil(2) * stride);
                    runs.push((start.plus(first), BlockCount(blocks.0 - first.0)));
                    runs.push((start, first));
                }
                Err(error) => {
                    found.add(Suspicion::new(Code::Unreadable, self.spot(start), error.to_string()))
                }
            }
        }
        Ok(())
    }

    fn spot(&self, lba: Lba) -> Spot {
        let (record, name) = match self.store.layout.kind_at(lba) {
            Standing::Directory(bucket) => (Kind::DirectoryBucket, format!("directory bucket {bucket}")),
            Standing::Descriptor(number) => {
                let descriptor = DescriptorNumber(u32::try_from(number).unwrap_or_default());
                if lba == self.store.layout.descriptor(descriptor) {
                    (Kind::Descriptor, format!("descriptor {number}"))
                } else {
                    (Kind::DescriptorName, format!("name of descriptor {number}"))
                }
            }
            Standing::Journal(slot) => (Kind::Journal, format!("journal of slot {slot}")),
            _ => match self.space.at(lba) {
                Some(InSpace::Bitmap(group)) => (Kind::BitmapPage, format!("bitmap of group {group}")),
                _ => (Kind::AllocationGroup, self.group_name(lba)),
            },
        };
        Spot { lba, record, name }
    }

    fn group_name(&self, lba: Lba) -> String {
        match self.space.at(lba) {
            Some(InSpace::Record(group)) => format!("group {group}"),
            _ => "a group".to_owned(),
        }
    }

    /// Judges everything in a run of blocks.
    fn judge(&self, run: Block<'_>, found: &mut Found) {
        if self.store.layout.groups.contains(run.lba) {
            return self.judge_group(run, found);
        }
        let stride = self.store.layout.stride_blocks;
        let block = self.store.block_size.length();
        let step = usize::try_from(stride.bytes(self.store.block_size).0).unwrap_or(usize::MAX);
        for (index, bytes) in (0..).zip(run.bytes.chunks(step)) {
            let lba = run.lba.plus(BlockCount(index * stride.0));
            self.judge_one(Block { lba, bytes: &bytes[..block] }, found);
        }
    }

    fn judge_one(&self, block: Block<'_>, found: &mut Found) {
        let spot = self.spot(block.lba);
        match spot.record {
            Kind::DirectoryBucket => {
                if let Some(bucket) = self.sound::<BucketRecord>(block, Code::BucketSpoiled, found) {
                    found.extend(self.astray(spot, &bucket.record));
                }
            }
            Kind::Descriptor => {
                let _ = self.sound::<DescriptorRecord>(block, Code::DescriptorSpoiled, found);
            }
            Kind::DescriptorName => {
                let _ = self.sound::<DescriptorName>(block, Code::DescriptorNameSpoiled, found);
            }
            _ => {
                if let Some(header) = self.sound::<JournalHeader>(block, Code::JournalSpoiled, found) {
                    found.extend(self.other_ring(spot, &header.record));
                }
            }
        }
    }

    /// The record, if it is sound.
    fn sound<R: Record>(&self, block: Block<'_>, code: Code, found: &mut Found) -> Option<Stamped<R>> {
        match decode_within::<R>(block.bytes, &self.store.place(block.lba), &self.store.layout) {
            Ok(stamped) => Some(stamped),
            Err(error) => {
                found.add(self.unsound(block.lba, code, &error));
                None
            }
        }
    }

    fn unsound(&self, lba: Lba, code: Code, error: &DecodeError) -> Suspicion {
        let spot = self.spot(lba);
        if error.is_newer() {
            return Suspicion::new(Code::DisksNewer, spot, error.to_string());
        }
        Suspicion::new(code, spot, error.to_string()).cured_by(self.remedy(lba))
    }

    /// What puts the record or page right that stands there.
    fn remedy(&self, lba: Lba) -> Remedy {
        match self.store.layout.kind_at(lba) {
            Standing::Directory(bucket) => {
                Remedy::Bucket(BucketNumber(u32::try_from(bucket).unwrap_or_default()))
            }
            Standing::Descriptor(number) => {
                let number = DescriptorNumber(u32::try_from(number).unwrap_or_default());
                match lba == self.store.layout.descriptor(number) {
                    true => Remedy::Descriptor(number),
                    false => Remedy::NameRecord(number),
                }
            }
            Standing::Journal(slot) => Remedy::Header(slot),
            _ => match self.space.at(lba) {
                Some(InSpace::Record(group)) => Remedy::Group(group),
                Some(InSpace::Bitmap(group)) => Remedy::Bitmap(group),
                _ => Remedy::Nothing,
            },
        }
    }

    /// An entry whose name is looked for in another bucket.
    fn astray(&self, spot: Spot, bucket: &BucketRecord) -> Option<Suspicion> {
        let layout = &self.store.layout;
        let here = |entry: &BucketEntry| -> BucketNumber { layout.bucket_of(entry.hash) };
        let astray = bucket.entries.iter().find(|entry| layout.bucket(here(entry)) != spot.lba)?;
        let message = format!(
            "the entry of descriptor {} is looked for in bucket {}",
            astray.layer.descriptor,
            here(astray)
        );
        let remedy = self.remedy(spot.lba);
        Some(Suspicion::new(Code::BucketAstray, spot, message).cured_by(remedy))
    }

    fn other_ring(&self, spot: Spot, header: &JournalHeader) -> Option<Suspicion> {
        let Standing::Journal(slot) = self.store.layout.kind_at(spot.lba) else { return None };
        let blocks = self.store.layout.journal(slot, self.store.block_size).blocks;
        let message =
            format!("the header is about a ring of {} blocks, and there are {blocks}", header.blocks);
        let remedy = self.remedy(spot.lba);
        (header.blocks != blocks)
            .then(|| Suspicion::new(Code::JournalOtherRing, spot, message).cured_by(remedy))
    }

    /// A group's record and its bitmap, which were read at once.
    fn judge_group(&self, run: Block<'_>, found: &mut Found) {
        let Some(InSpace::Record(group)) = self.space.at(run.lba) else { return };
        let block = self.store.block_size.length();
        let record = Block { lba: run.lba, bytes: &run.bytes[..block] };
        let spot = || self.spot(run.lba);
        let decoded =
            decode_within::<GroupRecord>(record.bytes, &self.store.place(run.lba), &self.store.layout);
        let expected = self.space.clusters_of(group);
        let record = match decoded {
            Ok(stamped) => stamped.record,
            Err(_) if self.is_old_shadow(record) => {
                let message = "an old shadow stands here: `oarlock grow` puts the group there".to_owned();
                return found.add(Suspicion::new(Code::GroupUnopened, spot(), message));
            }
            Err(error) => return found.add(self.unsound(run.lba, Code::GroupSpoiled, &error)),
        };
        if record.number != group || record.clusters > expected {
            let message = format!(
                "the record is about group {} of {} clusters, and here is group {group} of {expected}",
                record.number, record.clusters
            );
            return found.add(Suspicion::new(Code::GroupContradicts, spot(), message));
        }
        if record.clusters < expected {
            let message =
                format!("the group has {} clusters, and `oarlock grow` gives it {expected}", record.clusters);
            found.add(Suspicion::new(Code::GroupUnopened, spot(), message));
        }
        // A group that was not opened yet has no bitmap.
        if record.clusters > self.space.head() {
            let page = run.bytes.len() - PAGE_LENGTH;
            let lba = self.space.bitmap(group);
            self.judge_bitmap(Block { lba, bytes: &run.bytes[page..] }, group, record.clusters, found);
        }
    }

    fn is_old_shadow(&self, block: Block<'_>) -> bool {
        let standing = decode_superblock(block.bytes, block.lba);
        standing.is_ok_and(|superblock| superblock.stamp.format_id == self.store.format_id)
    }

    fn judge_bitmap(&self, block: Block<'_>, group: GroupNumber, clusters: u32, found: &mut Found) {
        let page = match BitmapPage::decode(block.bytes, &self.store.place(block.lba)) {
            Ok(page) => page,
            Err(error) => return found.add(self.unsound(block.lba, Code::BitmapSpoiled, &error)),
        };
        let mut head = (0..self.space.head()).filter_map(|index| u16::try_from(index).ok());
        // What is taken beyond the group may be in use once the group is longer: that is no repair's to forget.
        let (message, remedy) = if page.header().object != group.0 {
            (format!("the page is of group {}", page.header().object), Remedy::Bitmap(group))
        } else if !head.all(|index| page.is_taken(ClusterIndex(index))) {
            ("a cluster of the group's head is free".to_owned(), Remedy::Bitmap(group))
        } else if !page.is_free_beyond(clusters) {
            (format!("a cluster beyond the group's {clusters} is taken"), Remedy::Nothing)
        } else {
            return;
        };
        let suspicion = Suspicion::new(Code::BitmapContradicts, self.spot(block.lba), message);
        found.add(suspicion.cured_by(remedy));
    }
}
