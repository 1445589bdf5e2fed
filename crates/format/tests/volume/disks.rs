//! The volume that is frozen in `testdata/volumes/v1-disks`: that of version 1, and a disk, its snapshot, and what a host wrote.

use oarlock_block::{ByteCount, Lba, SlotIndex};
use oarlock_format::{
    BitmapPage, BucketEntry, BucketRecord, Change, ClusterIndex, ClusterNumber, ClusterRun, CommitWriter,
    DescriptorName, DescriptorNumber, DescriptorRecord, DiskUid, Epoch, Generation, GroupNumber, GroupRecord,
    Image, Initial, JournalHeader, JournalObject, JournalPosition, JournalSequence, Layer, LayerFlags,
    LayerId, LayerKind, LayerLevels, LayerName, LayerState, LeafEntry, LockMode, LockState, MapPage, Mapped,
    NameHash, Nonce, PageBytes, PageChange, PageHeader, PieceMask, Superblock, Writer,
};

use super::{BLOCK_SIZE, FORMAT_ID, FORMATTED_MS, Volume, owner, volume};

/// The disk and its snapshot.
pub const DISK: &str = "vm/web";
pub const SNAPSHOT: &str = "before the upgrade";

/// The map's root, and a cluster of data.
pub const ROOT: ClusterNumber = ClusterNumber(1);
pub const DATA: ClusterNumber = ClusterNumber(2);
/// What the snapshot left below.
pub const BELOW: ClusterNumber = ClusterNumber(3);

pub fn layer(descriptor: u32, uid: u64) -> LayerId {
    LayerId { descriptor: DescriptorNumber(descriptor), uid: DiskUid(uid) }
}

pub fn name(text: &str) -> LayerName {
    LayerName::new(text).unwrap()
}

/// Held by alpha, in the epoch under which it wrote.
pub fn held() -> LockState {
    LockState {
        mode: LockMode::Exclusive,
        owner: Some(owner(0)),
        sticky: true,
        epoch: Epoch(5),
        since_wall_ms: FORMATTED_MS + 62_000,
        ..LockState::NEVER_HELD
    }
}

pub fn entry() -> LeafEntry {
    LeafEntry {
        own: Some(Mapped { cluster: DATA, mask: PieceMask(0x000f) }),
        owned: true,
        below: Some(Mapped { cluster: BELOW, mask: PieceMask(0xfff0) }),
        below_owned: false,
    }
}

fn disk() -> Layer {
    Layer {
        state: LayerState::Renaming,
        kind: LayerKind::Disk,
        flags: LayerFlags { root_owned: true, ..LayerFlags::default() },
        levels: LayerLevels(1),
        parent: Some(layer(1, 1)),
        size: ByteCount(8 << 20),
        root: Some(ROOT),
        disk: layer(0, 2),
        hash: Some(NameHash::of_disk(&FORMAT_ID, &name(DISK))),
        other_hash: Some(NameHash::of_disk(&FORMAT_ID, &name("vm/www"))),
        name_generation: Generation(2),
        created_wall_ms: FORMATTED_MS + 63_000,
        allocated: 2,
        server: None,
    }
}

fn snapshot() -> Layer {
    Layer {
        state: LayerState::Ready,
        kind: LayerKind::Snapshot,
        flags: LayerFlags::default(),
        parent: None,
        root: Some(BELOW),
        hash: Some(NameHash::of_snapshot(&FORMAT_ID, layer(0, 2), &name(SNAPSHOT))),
        other_hash: None,
        ..disk()
    }
}

impl Volume {
    /// A page, block by block.
    fn put_page(&mut self, lba: Lba, page: &PageBytes) {
        for (lba, block) in (lba.0..).zip(page.chunks(BLOCK_SIZE.length())) {
            self.blocks.insert(lba, Image::new(block));
        }
    }

    fn header(&self, lba: Lba, object: u32) -> PageHeader {
        let (epoch, sequence) = (Epoch(5), JournalSequence(7));
        PageHeader { format_id: FORMAT_ID, lba, object, level: 0, epoch, sequence }
    }
}

/// The volume, as today's program writes it.
pub fn volume_with_disks() -> Volume {
    let mut volume = volume();
    let superblock =
        Superblock { features_incompatible: Superblock::FEATURE_DISKS, ..volume.superblock.clone() };
    volume.superblock = superblock.clone();
    for lba in [Lba(0), superblock.layout.shadow.start] {
        volume.put(lba, 3, Writer::Tool, &superblock);
    }
    let nonce = || Nonce(0x0d15);
    for (lba, image) in Initial::new(&superblock, FORMAT_ID, &nonce).images() {
        if lba >= superblock.layout.directory.start {
            for (lba, block) in (lba.0..).zip(image.bytes().chunks(BLOCK_SIZE.length())) {
                volume.blocks.insert(lba, Image::new(block));
            }
        }
    }
    fill(&mut volume);
    volume
}

/// A disk in the course of a rename and of a handoff, its snapshot, a descriptor that is free again; and what alpha wrote.
fn fill(volume: &mut Volume) {
    let (layout, space) = (volume.superblock.layout, volume.superblock.space());
    let writer = Writer::Host(owner(0));
    let records = [
        (
            0,
            DescriptorRecord {
                lock: LockState { next: Some(owner(1)), ..held() },
                uid: DiskUid(2),
                layer: Some(disk()),
            },
        ),
        (1, DescriptorRecord { lock: LockState::NEVER_HELD, uid: DiskUid(1), layer: Some(snapshot()) }),
        (2, DescriptorRecord { lock: LockState::NEVER_HELD, uid: DiskUid(9), layer: None }),
    ];
    for (number, record) in records {
        volume.put(layout.descriptor(DescriptorNumber(number)), 6, writer, &record);
        let entries = record.layer.iter().flat_map(|layer| [layer.hash, layer.other_hash]).flatten();
        for hash in entries {
            let lba = layout.bucket(layout.bucket_of(hash));
            let entry = BucketEntry { hash, layer: record.id(DescriptorNumber(number)).unwrap() };
            volume.put(lba, 4, writer, &BucketRecord { entries: vec![entry] });
        }
    }
    for (number, uid, text) in [(0, 2, DISK), (1, 1, SNAPSHOT)] {
        let record = DescriptorName { name: Some(name(text)), uid: DiskUid(uid) };
        volume.put(layout.descriptor_name(DescriptorNumber(number)), 2, writer, &record);
    }
    let group = GroupNumber(0);
    let clusters = space.clusters_of(group);
    let record =
        GroupRecord { lock: held(), free: clusters - 4, ..GroupRecord::never_held(group, clusters, 1) };
    volume.put(space.record(group), 3, writer, &record);
    let mut bitmap = BitmapPage::fresh(volume.header(space.bitmap(group), 0), space.head());
    let taken = ClusterRun { first: ClusterIndex(1), count: 3 };
    bitmap.mark(taken, true);
    volume.put_page(space.bitmap(group), bitmap.seal(Epoch(5), JournalSequence(7)));
    let root = space.cluster(ROOT);
    let mut page = MapPage::empty(volume.header(root, 0));
    page.set(9, entry());
    volume.put_page(root, page.seal(Epoch(5), JournalSequence(7)));
    commit(volume, space.bitmap(group), root, taken);
}

/// A commit of alpha's journal: an image, which reaches into a second block, and two changes.
fn commit(volume: &mut Volume, bitmap: Lba, root: Lba, taken: ClusterRun) {
    let ring = volume.superblock.layout.journal(SlotIndex(0), BLOCK_SIZE);
    let header = JournalHeader {
        incarnation: owner(0).incarnation,
        first: JournalSequence(7),
        first_index: ring.blocks - 1,
        blocks: ring.blocks,
    };
    volume.put(ring.header, 2, Writer::Host(owner(0)), &header);
    let mut image = MapPage::empty(volume.header(root, 0));
    let image = *image.seal(Epoch(5), JournalSequence(7));
    let entries = [oarlock_format::RawEntry::from(entry()).bytes()];
    let descriptor = JournalObject::Descriptor(DescriptorNumber(0));
    let changes = [
        (descriptor, root, Change::Image(&image)),
        (descriptor, root, Change::Entries { first: 9, entries: &entries }),
        (JournalObject::Group(GroupNumber(0)), bitmap, Change::Bits { run: taken, taken: true }),
    ];
    let mut writer = CommitWriter::default();
    for (object, page, change) in changes {
        assert!(writer.push(&PageChange { object, epoch: Epoch(5), page, change }));
    }
    let sealed = writer.seal(JournalPosition::first(FORMAT_ID, ring, &header).unwrap(), None);
    for (lba, bytes) in &sealed.writes {
        for (lba, block) in (lba.0..).zip(bytes.chunks(BLOCK_SIZE.length())) {
            volume.blocks.insert(lba, Image::new(block));
        }
    }
}
