//! The check of the records of disks: each damage is found, named and left as it is; what is in flux is no damage.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use crate::machine;

use machine::{BLOCK, Machine, SMALL, codes};
use oarlock_block::{BlockSize, Lba, SlotIndex, crc32c};
use oarlock_format::{
    BucketEntry, BucketNumber, BucketRecord, DescriptorNumber, DiskUid, Generation, GroupNumber, GroupRecord,
    JournalHeader, LayerId, NameHash, Nonce, Record, Stamp, Stamped, Superblock, Writer, encode,
};

/// A volume, and where its records of disks stand.
struct Volume {
    machine: Machine,
    superblock: Stamped<Superblock>,
}

fn volume() -> Volume {
    let machine = Machine::new(SMALL);
    let superblock = machine.format();
    Volume { machine, superblock }
}

impl Volume {
    /// The places of one record of each kind, each with its code.
    fn places(&self) -> [(&'static str, Lba); 6] {
        let (layout, space) = (self.superblock.record.layout, self.superblock.record.space());
        [
            ("CHK-0501", layout.bucket(BucketNumber(3))),
            ("CHK-0601", layout.descriptor(DescriptorNumber(7))),
            ("CHK-0602", layout.descriptor_name(DescriptorNumber(7))),
            ("CHK-0701", layout.journal(SlotIndex(2), BlockSize::B512).header),
            ("CHK-0801", space.record(GroupNumber(0))),
            ("CHK-0804", space.bitmap(GroupNumber(0))),
        ]
    }

    fn put<R: Record>(&self, lba: Lba, record: &R) {
        let format_id = self.superblock.stamp.format_id;
        let (generation, nonce) = (Generation(2), Nonce(7));
        let stamp = Stamp { format_id, lba, generation, writer: Writer::Tool, nonce };
        self.machine.disk.put(lba, encode(&stamp, record, BlockSize::B512).bytes());
    }

    fn found(&self) -> Vec<&'static str> {
        codes(&self.machine.check())
    }
}

#[test]
fn each_record_and_page_that_rotted_or_is_gone_is_found_and_made_anew() {
    for zeroed in [false, true] {
        for index in 0..6 {
            let volume = volume();
            let (code, lba) = volume.places()[index];
            let mut bytes = volume.machine.disk.block(lba);
            if zeroed {
                bytes.fill(0);
            } else {
                bytes[100] ^= 1;
            }
            volume.machine.disk.put(lba, &bytes);
            let found = volume.machine.check();
            assert_eq!((codes(&found), found.exit_code()), (vec![code], 4));
            assert_eq!((found.findings[0].place.lba, volume.machine.disk.block(lba)), (lba, bytes));
            let report = volume.machine.repair();
            assert_eq!(report.exit_code(), 3, "{code}: {:?}", report.findings);
            assert_eq!(volume.found(), Vec::<&str>::new(), "{code}");
        }
    }
}

#[test]
fn a_block_that_the_medium_lost_is_named_and_its_neighbours_are_read() {
    let volume = volume();
    let [(_, bucket), (_, descriptor), ..] = volume.places();
    volume.machine.disk.lose(bucket);
    volume.put(descriptor, &BucketRecord::default());
    let report = volume.machine.check();
    let found: Vec<_> =
        report.findings.iter().map(|finding| (finding.code.text(), finding.place.lba)).collect();
    assert_eq!(found, [("CHK-0001", bucket), ("CHK-0601", descriptor)]);
}

#[test]
fn a_record_that_is_read_torn_a_few_times_is_no_damage() {
    for index in 0..6 {
        let volume = volume();
        volume.machine.disk.tear(volume.places()[index].1, 5);
        assert_eq!(volume.found(), Vec::<&str>::new());
    }
}

#[test]
fn what_stands_where_it_may_not_is_found() {
    let layer = LayerId { descriptor: DescriptorNumber(1), uid: DiskUid(1) };
    let record = GroupNumber(0);
    type Spoil = fn(&Volume, LayerId, GroupNumber);
    let cases: [(&str, Spoil); 4] = [
        ("CHK-0502", |volume, layer, _| {
            let layout = volume.superblock.record.layout;
            let hash = NameHash(u64::from(layout.bucket_count()) + 4);
            let entries = vec![BucketEntry { hash, layer }];
            volume.put(layout.bucket(BucketNumber(3)), &BucketRecord { entries });
        }),
        ("CHK-0702", |volume, _, _| {
            let ring = volume.superblock.record.layout.journal(SlotIndex(0), BlockSize::B512);
            volume.put(ring.header, &JournalHeader::never_used(ring.blocks + 1));
        }),
        ("CHK-0802", |volume, _, group| {
            let lba = volume.superblock.record.space().record(group);
            volume.put(lba, &GroupRecord::never_held(GroupNumber(1), 20, 1));
        }),
        ("CHK-0803", |volume, _, group| {
            let lba = volume.superblock.record.space().record(group);
            volume.put(lba, &GroupRecord::never_held(group, 1, 1));
        }),
    ];
    for (code, spoil) in cases {
        let volume = volume();
        spoil(&volume, layer, record);
        assert_eq!(volume.found(), [code]);
    }
    // A page whose checksum holds, and that says what no bitmap does: the head is free.
    let volume = volume();
    let lba = volume.superblock.record.space().bitmap(record);
    let mut page: Vec<u8> = (0..8).flat_map(|block| volume.machine.disk.block(Lba(lba.0 + block))).collect();
    page[64] = 0;
    let checksum = crc32c(&[&page[..12], &[0; 4], &page[16..]]);
    page[12..16].copy_from_slice(&checksum.to_le_bytes());
    volume.machine.disk.put(lba, &page[..BLOCK]);
    assert_eq!(volume.found(), ["CHK-0805"]);
}

#[test]
fn of_very_much_damage_a_part_is_shown_and_the_rest_counted() {
    let volume = volume();
    let descriptors = volume.superblock.record.layout.descriptors;
    for lba in descriptors.start.0..descriptors.start.0 + descriptors.blocks.0 {
        volume.machine.disk.put(Lba(lba), &[7; BLOCK]);
    }
    let report = volume.machine.check();
    assert_eq!(report.findings.len(), 256);
    let more = format!("and {} more blocks", descriptors.blocks.0 - 256);
    assert!(report.findings.iter().any(|finding| finding.message.contains(&more)));
}

#[test]
fn a_datastore_without_disks_has_none_to_check() {
    let volume = volume();
    let plain = Superblock { features_incompatible: 0, ..volume.superblock.record.clone() };
    for lba in [Lba(0), plain.layout.shadow.start] {
        volume.put(lba, &plain);
    }
    for (_, lba) in volume.places() {
        volume.machine.disk.put(lba, &[9; BLOCK]);
    }
    assert_eq!(volume.found(), Vec::<&str>::new());
}
