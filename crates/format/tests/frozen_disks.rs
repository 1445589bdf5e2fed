//! The frozen volume of version 1 with disks is read, record by record and page by page, and today's encoder still writes the
//! same bytes.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

mod volume;

use std::collections::BTreeMap;

use oarlock_block::{Lba, SlotIndex};
use oarlock_format::{
    BitmapPage, BucketRecord, Change, ClusterIndex, CommitReader, DescriptorName, DescriptorNumber,
    DescriptorRecord, DiskUid, GroupNumber, GroupRecord, InSpace, JournalEnd, JournalHeader, JournalPosition,
    LayerKind, LayerState, LeafEntry, MapPage, NameHash, PAGE_LENGTH, Place, RawEntry, Record, Standing,
    Superblock, Taken, decode, decode_superblock,
};
use volume::disks::{BELOW, DATA, DISK, ROOT, SNAPSHOT, entry, held, layer, name, volume_with_disks};
use volume::{FORMAT_ID, owner};

const DUMP: &str = include_str!("../../../testdata/volumes/v1-disks/volume.txt");

struct Frozen {
    blocks: BTreeMap<u64, Vec<u8>>,
    superblock: Superblock,
}

fn frozen() -> Frozen {
    let blocks = volume::parse(DUMP);
    let superblock = decode_superblock(&blocks[&0], Lba(0)).unwrap().record;
    assert!(superblock.has_disks());
    Frozen { superblock, blocks }
}

impl Frozen {
    fn read<R: Record>(&self, lba: Lba) -> R {
        decode(&self.blocks[&lba.0], &Place { format_id: FORMAT_ID, lba }).unwrap().record
    }

    fn page(&self, lba: Lba) -> Vec<u8> {
        let block = |lba| self.blocks.get(&lba).cloned().unwrap_or_else(|| vec![0; 512]);
        (lba.0..lba.0 + 8).flat_map(block).collect()
    }

    fn descriptor(&self, number: u32) -> DescriptorRecord {
        self.read(self.superblock.layout.descriptor(DescriptorNumber(number)))
    }
}

#[test]
fn today_s_encoder_writes_the_frozen_bytes_of_disks() {
    let today = volume::dump(&volume_with_disks());
    let differs = DUMP.lines().zip(today.lines()).position(|(frozen, today)| frozen != today);
    assert_eq!(differs, None, "line {differs:?} of the dump, counted from 0, is written otherwise today");
    assert_eq!(DUMP.len(), today.len());
}

#[test]
fn every_record_of_disks_is_read() {
    let frozen = frozen();
    let layout = frozen.superblock.layout;
    let mut read = [0_u32; 4];
    for lba in frozen.blocks.keys().copied().map(Lba) {
        match layout.kind_at(lba) {
            Standing::Directory(_) => {
                read[0] += u32::from(!frozen.read::<BucketRecord>(lba).entries.is_empty())
            }
            Standing::Descriptor(number) => {
                let number = DescriptorNumber(u32::try_from(number).unwrap());
                if lba == layout.descriptor(number) {
                    read[1] += u32::from(frozen.read::<DescriptorRecord>(lba).uid != DiskUid(0));
                } else {
                    read[2] += u32::from(frozen.read::<DescriptorName>(lba).name.is_some());
                }
            }
            Standing::Group if frozen.superblock.space().at(lba) == Some(InSpace::Record(GroupNumber(0))) => {
                read[3] += u32::from(frozen.read::<GroupRecord>(lba).lock == held());
            }
            _ => {}
        }
    }
    assert_eq!(read, [3, 3, 2, 1]);
}

#[test]
fn the_disk_is_found_by_its_name_and_says_whose_it_is() {
    let frozen = frozen();
    let layout = frozen.superblock.layout;
    let hash = NameHash::of_disk(&FORMAT_ID, &name(DISK));
    let bucket: BucketRecord = frozen.read(layout.bucket(layout.bucket_of(hash)));
    let found: Vec<_> = bucket.of_hash(hash).map(|entry| entry.layer).collect();
    assert_eq!(found, [layer(0, 2)]);
    let disk = frozen.descriptor(0);
    assert_eq!((disk.lock.owner, disk.lock.next), (Some(owner(0)), Some(owner(1))));
    let layer_of_disk = disk.layer.unwrap();
    assert_eq!((layer_of_disk.state, layer_of_disk.kind), (LayerState::Renaming, LayerKind::Disk));
    assert_eq!((layer_of_disk.parent, layer_of_disk.root), (Some(layer(1, 1)), Some(ROOT)));
    let snapshot = frozen.descriptor(1).layer.unwrap();
    assert_eq!(
        (snapshot.kind, snapshot.disk, snapshot.root),
        (LayerKind::Snapshot, layer(0, 2), Some(BELOW))
    );
    assert_eq!(snapshot.hash, Some(NameHash::of_snapshot(&FORMAT_ID, layer(0, 2), &name(SNAPSHOT))));
    let free = frozen.descriptor(2);
    assert_eq!((free.uid, free.layer), (DiskUid(9), None));
    let named: DescriptorName = frozen.read(layout.descriptor_name(DescriptorNumber(1)));
    assert_eq!((named.name, named.uid), (Some(name(SNAPSHOT)), DiskUid(1)));
}

#[test]
fn the_map_and_the_bitmap_say_where_a_piece_is_read() {
    let frozen = frozen();
    let (space, shape) = (frozen.superblock.space(), frozen.superblock.map_shape());
    let place = |lba| Place { format_id: FORMAT_ID, lba };
    let root = space.cluster(ROOT);
    let page = MapPage::decode(&frozen.page(root), &place(root), &shape).unwrap();
    assert_eq!(page.leaf(9), entry());
    assert_eq!((page.leaf(9).source(3), page.leaf(9).source(4)), (Some(DATA), Some(BELOW)));
    assert_eq!(page.leaf(8), LeafEntry::default());
    let bitmap = space.bitmap(GroupNumber(0));
    let bits = BitmapPage::decode(&frozen.page(bitmap), &place(bitmap)).unwrap();
    assert!((0..4).all(|index| bits.is_taken(ClusterIndex(index))) && !bits.is_taken(ClusterIndex(4)));
}

#[test]
fn the_journal_s_commit_is_read_over_the_ring_s_end() {
    let frozen = frozen();
    let ring = frozen.superblock.layout.journal(SlotIndex(0), frozen.superblock.block_size);
    let header: JournalHeader = frozen.read(ring.header);
    let mut reader = CommitReader::new(JournalPosition::first(FORMAT_ID, ring, &header).unwrap());
    assert_eq!(reader.take(&frozen.page(reader.lba())), Taken::More);
    let Taken::Commit(commit) = reader.take(&frozen.page(reader.lba())) else { panic!("no commit") };
    let changes = commit.changes().unwrap();
    assert!(matches!(changes[0].change, Change::Image(image) if image.len() == PAGE_LENGTH));
    let bytes = [RawEntry::from(entry()).bytes()];
    assert_eq!(changes[1].change, Change::Entries { first: 9, entries: &bytes });
    assert!(matches!(changes[2].change, Change::Bits { taken: true, run } if run.count == 3));
    assert!(matches!(reader.take(&frozen.page(reader.lba())), Taken::End(JournalEnd::NoBlock(_))));
}
