//! What a record of disks comes to, in a few words, and what else tells of the same thing: for people who would look that up next.

use std::collections::BTreeSet;

use oarlock_block::{BlockCount, Lba, SlotIndex};
use oarlock_format::{
    BitmapPage, BucketRecord, CommitReader, DescriptorName, DescriptorNumber, DescriptorRecord,
    ENTRIES_PER_PAGE, GroupNumber, GroupRecord, InSpace, JournalHeader, JournalObject, JournalPosition,
    Layer, LayerKind, LockState, MapPage, PAGE_LENGTH, Place, Record, Stamped, Standing, Superblock, Taken,
    decode,
};
use serde::Serialize;

use super::read_length;
use crate::failure::Failure;
use crate::ground::Ground;

/// Bytes of a journal that are read at once.
const BYTES_AT_ONCE: u32 = 1 << 20;

/// One line of a summary.
#[derive(Serialize)]
pub struct Line {
    pub name: &'static str,
    pub value: String,
}

/// What a record comes to, and the blocks that tell more of the same.
#[derive(Default)]
pub struct Summary {
    pub lines: Vec<Line>,
    pub related: Vec<Lba>,
}

impl Summary {
    fn say(&mut self, name: &'static str, value: impl ToString) {
        self.lines.push(Line { name, value: value.to_string() });
    }
}

/// A datastore that is looked at.
pub struct Looked<'a> {
    pub ground: &'a mut Ground,
    pub superblock: &'a Stamped<Superblock>,
}

impl Looked<'_> {
    /// What stands at an address, if there is more to say of it than its fields.
    pub fn summary(&mut self, lba: Lba) -> Result<Summary, Failure> {
        let superblock = self.superblock;
        let layout = &superblock.record.layout;
        if !superblock.record.has_disks() {
            return Ok(Summary::default());
        }
        match layout.kind_at(lba) {
            Standing::Descriptor(index) => {
                let number = DescriptorNumber(u32::try_from(index).unwrap_or_default());
                self.descriptor(number, lba == layout.descriptor(number))
            }
            Standing::Journal(slot) => {
                let ring = layout.journal(slot, superblock.record.block_size);
                if lba == ring.header { self.journal(slot) } else { Ok(Summary::default()) }
            }
            Standing::Group => match superblock.record.space().at(lba) {
                Some(InSpace::Record(group)) => self.group(group, true),
                Some(InSpace::Bitmap(group)) => self.group(group, false),
                Some(InSpace::Cluster(_)) => self.map_page(lba),
                _ => Ok(Summary::default()),
            },
            _ => Ok(Summary::default()),
        }
    }

    /// The record at an address, if it is sound.
    fn record<R: Record>(&mut self, lba: Lba) -> Result<Option<Stamped<R>>, Failure> {
        let bytes = read_length(self.ground, lba, 0)?;
        Ok(decode::<R>(&bytes, &self.place(lba)).ok())
    }

    fn place(&self, lba: Lba) -> Place {
        Place { format_id: self.superblock.stamp.format_id, lba }
    }

    fn descriptor(&mut self, number: DescriptorNumber, is_first: bool) -> Result<Summary, Failure> {
        let (layout, space) = (self.superblock.record.layout, self.superblock.record.space());
        let mut summary = Summary::default();
        summary.related.push(if is_first {
            layout.descriptor_name(number)
        } else {
            layout.descriptor(number)
        });
        let Some(found) = self.record::<DescriptorRecord>(layout.descriptor(number))? else {
            return Ok(summary);
        };
        let Some(layer) = &found.record.layer else {
            summary.say("use", "none");
            return Ok(summary);
        };
        let named = self.record::<DescriptorName>(layout.descriptor_name(number))?;
        let name =
            named.filter(|named| named.record.uid == found.record.uid).and_then(|named| named.record.name);
        let shown = name.map_or("none".to_owned(), |name| name.as_str().to_owned());
        summary.say("use", format!("{}, {}", kind(layer), layer.state.name()));
        summary.say("name", shown);
        summary.say("held by", holder(&found.record.lock));
        if let (Some(hash), Some(id)) = (layer.hash, found.record.id(number)) {
            let bucket = layout.bucket_of(hash);
            let lba = layout.bucket(bucket);
            let entries =
                self.record::<BucketRecord>(lba)?.map(|bucket| bucket.record.entries).unwrap_or_default();
            let is_there = entries.iter().any(|entry| entry.hash == hash && entry.layer == id);
            let words = if is_there { "stands" } else { "does not stand" };
            summary.say("entry", format!("{words} in directory bucket {bucket}"));
            summary.related.push(lba);
        }
        if let Some(parent) = layer.parent {
            summary.say("stands on", format!("descriptor {parent}"));
            summary.related.push(layout.descriptor(parent.descriptor));
        }
        match layer.root.filter(|root| space.has(*root)) {
            Some(root) => {
                let whose = if layer.flags.root_owned { "its own" } else { "a layer's below it" };
                summary.say("map", format!("{} levels from cluster {root} on, {whose}", layer.levels));
                summary.related.push(space.cluster(root));
            }
            None => summary.say(
                "map",
                layer.root.map_or("none: nothing was ever written".to_owned(), |root| {
                    format!("from cluster {root} on, which the datastore does not have")
                }),
            ),
        }
        Ok(summary)
    }

    /// The group's record, and its bitmap.
    fn group(&mut self, group: GroupNumber, is_record: bool) -> Result<Summary, Failure> {
        let space = self.superblock.record.space();
        let (record, bitmap) = (space.record(group), space.bitmap(group));
        let mut summary = Summary::default();
        summary.related.push(if is_record { bitmap } else { record });
        let clusters = match self.record::<GroupRecord>(record)? {
            Some(found) => {
                summary.say("held by", holder(&found.record.lock));
                summary.say("free when last released", found.record.free);
                found.record.clusters
            }
            None => space.clusters_of(group),
        };
        let bytes = read_length(self.ground, bitmap, PAGE_LENGTH)?;
        summary.say("clusters", format!("{clusters}, {} of them its head", space.head()));
        match BitmapPage::decode(&bytes[..PAGE_LENGTH], &self.place(bitmap)) {
            Ok(page) => {
                let free = page.free(clusters);
                summary.say("taken", clusters.saturating_sub(free));
                summary.say("free", free);
            }
            Err(error) => summary.say("bitmap", error),
        }
        Ok(summary)
    }

    /// What a replay of a slot's journal would find.
    fn journal(&mut self, slot: SlotIndex) -> Result<Summary, Failure> {
        let superblock = self.superblock;
        let ring = superblock.record.layout.journal(slot, superblock.record.block_size);
        let mut summary = Summary::default();
        summary.related.push(superblock.record.layout.slot(slot));
        let Some(header) = self.record::<JournalHeader>(ring.header)? else { return Ok(summary) };
        let Some(first) = JournalPosition::first(superblock.stamp.format_id, ring, &header.record) else {
            summary.say("ring", format!("{} blocks, and the header is about another one", ring.blocks));
            return Ok(summary);
        };
        let mut bytes = Vec::new();
        let step = BYTES_AT_ONCE / u32::try_from(PAGE_LENGTH).unwrap_or(1);
        for index in (0..ring.blocks).step_by(step as usize) {
            let length = step.min(ring.blocks - index) as usize * PAGE_LENGTH;
            bytes.extend(read_length(self.ground, ring.lba(index), length)?);
        }
        let block = |index: u32| {
            let start = index as usize * PAGE_LENGTH;
            bytes.get(start..start + PAGE_LENGTH).unwrap_or(&[])
        };
        let (mut reader, mut index) = (CommitReader::new(first), header.record.first_index);
        let (mut commits, mut pages, mut objects) = (0_u64, BTreeSet::new(), BTreeSet::new());
        let end = loop {
            match reader.take(block(index)) {
                Taken::More => {}
                Taken::End(end) => break end,
                Taken::Commit(commit) => {
                    commits += 1;
                    for change in commit.changes().iter().flatten() {
                        pages.insert(change.page);
                        objects.insert(object(change.object));
                    }
                }
            }
            index = ring.next(index);
        };
        let blocks = reader.end().sequence.0.saturating_sub(header.record.first.0);
        summary.say("commits that wait", commits);
        summary.say("blocks that wait", format!("{blocks} of {}", ring.blocks));
        summary.say("pages that they change", pages.len());
        summary.say(
            "under the locks of",
            if objects.is_empty() {
                "none".to_owned()
            } else {
                objects.into_iter().collect::<Vec<_>>().join(", ")
            },
        );
        summary.say("behind them", end);
        Ok(summary)
    }

    /// A page of a map, if the cluster holds one.
    fn map_page(&mut self, lba: Lba) -> Result<Summary, Failure> {
        let superblock = self.superblock;
        let mut summary = Summary::default();
        let blocks = BlockCount(PAGE_LENGTH as u64 / u64::from(superblock.record.block_size.bytes()));
        if lba.0 + blocks.0 > self.ground.world.device.geometry().blocks.0 {
            return Ok(summary);
        }
        let bytes = read_length(self.ground, lba, PAGE_LENGTH)?;
        let page = MapPage::decode(&bytes[..PAGE_LENGTH], &self.place(lba), &superblock.record.map_shape());
        let Ok(page) = page else { return Ok(summary) };
        let number = DescriptorNumber(page.header().object);
        let (mut used, mut owned) = (0_u32, 0_usize);
        for entry in 0..ENTRIES_PER_PAGE {
            if page.header().level > 0 {
                let node = page.node(entry);
                used += u32::from(node.is_some());
                owned += usize::from(node.is_some_and(|node| node.owned));
            } else {
                let leaf = page.leaf(entry);
                used += u32::from(leaf.own.is_some() || leaf.below.is_some());
                owned += leaf.owned_clusters().count();
            }
        }
        summary.say("entries", format!("{used} of {ENTRIES_PER_PAGE}"));
        summary.say("clusters that they own", owned);
        if number.0 < superblock.record.layout.descriptor_count() {
            summary.related.push(superblock.record.layout.descriptor(number));
        }
        Ok(summary)
    }
}

fn kind(layer: &Layer) -> String {
    match layer.kind {
        LayerKind::Disk => "disk".to_owned(),
        LayerKind::Snapshot => format!("snapshot of descriptor {}", layer.disk),
        LayerKind::Hidden => "hidden layer".to_owned(),
    }
}

fn holder(lock: &LockState) -> String {
    let holders: Vec<String> = lock.holders.iter().map(|slot| format!("slot {slot}")).collect();
    match lock.owner {
        Some(owner) => format!("slot {}, incarnation {}", owner.slot, owner.incarnation),
        None if holders.is_empty() => "nobody".to_owned(),
        None => format!("{} ({})", holders.join(", "), lock.mode.name()),
    }
}

fn object(object: JournalObject) -> String {
    match object {
        JournalObject::Descriptor(number) => format!("descriptor {number}"),
        JournalObject::Group(group) => format!("group {group}"),
    }
}
