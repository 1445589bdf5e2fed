//! Every record comes back as it was written; every damaged byte is seen; no bytes make a decoder panic.

mod common;

use common::{
    BLOCK_SIZES, FORMAT_ID, LBA, OWNER, PLACE, any_block_size, any_bucket, any_descriptor,
    any_descriptor_name, any_group, any_journal_header, any_lock, any_mailbox, any_slot, any_stamp,
    any_superblock, bucket, disk_descriptor, exclusive_lock, images, live_slot, stamp_at,
};
use oarlock_block::{BlockSize, Lba, crc32c};
use oarlock_format::{
    BucketRecord, DecodeError, DescriptorName, DescriptorRecord, FormatId, GroupNumber, GroupRecord, Image,
    JournalHeader, Kind, LockMode, LockName, LockRecord, LockState, MailboxRecord, Place, Record, SlotRecord,
    SlotSet, Stamp, Stamped, Superblock, Writer, decode, decode_superblock, describe, encode, stamp_of,
};
use proptest::prelude::*;

fn place_of(stamp: &Stamp) -> Place {
    Place { format_id: stamp.format_id, lba: stamp.lba }
}

/// What is wrong with a block, whatever record it was meant to be.
fn errors(bytes: &[u8]) -> [Option<DecodeError>; 10] {
    [
        decode::<Superblock>(bytes, &PLACE).err(),
        decode::<SlotRecord>(bytes, &PLACE).err(),
        decode::<MailboxRecord>(bytes, &PLACE).err(),
        decode::<LockRecord>(bytes, &PLACE).err(),
        decode_superblock(bytes, LBA).err(),
        decode::<BucketRecord>(bytes, &PLACE).err(),
        decode::<DescriptorRecord>(bytes, &PLACE).err(),
        decode::<DescriptorName>(bytes, &PLACE).err(),
        decode::<GroupRecord>(bytes, &PLACE).err(),
        decode::<JournalHeader>(bytes, &PLACE).err(),
    ]
}

/// The block after `change`, with a checksum that holds: what a writer with a bug, or a newer one, would leave.
fn forged(image: &Image, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = image.bytes().to_vec();
    change(&mut bytes);
    let checksum = crc32c(&[&bytes[..12], &[0; 4], &bytes[16..]]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn lock_image(block_size: BlockSize) -> Image {
    encode(&stamp_at(LBA, 7), &exclusive_lock(), block_size)
}

fn decode_lock(bytes: &[u8]) -> Result<Stamped<LockRecord>, DecodeError> {
    decode(bytes, &PLACE)
}

macro_rules! round_trip {
    ($claim:ident, $strategy:expr) => {
        proptest! {
            #[test]
            fn $claim(stamp in any_stamp(), record in $strategy, block_size in any_block_size()) {
                let image = encode(&stamp, &record, block_size);
                prop_assert_eq!(image.bytes().len(), block_size.length());
                prop_assert_eq!(image.stamp(), Some(stamp));
                prop_assert_eq!(decode(image.bytes(), &place_of(&stamp)), Ok(Stamped { stamp, record }));
            }
        }
    };
}

round_trip!(a_slot_comes_back_as_it_was_written, any_slot());
round_trip!(a_mailbox_comes_back_as_it_was_written, any_mailbox());
round_trip!(a_lock_comes_back_as_it_was_written, any_lock());
round_trip!(a_bucket_comes_back_as_it_was_written, any_bucket());
round_trip!(a_descriptor_comes_back_as_it_was_written, any_descriptor());
round_trip!(a_descriptors_name_comes_back_as_it_was_written, any_descriptor_name());
round_trip!(a_group_comes_back_as_it_was_written, any_group());
round_trip!(a_journals_header_comes_back_as_it_was_written, any_journal_header());

proptest! {
    #[test]
    fn a_superblock_comes_back_as_it_was_written(stamp in any_stamp(), record in any_superblock()) {
        let image = encode(&stamp, &record, record.block_size);
        prop_assert_eq!(decode_superblock(image.bytes(), stamp.lba), Ok(Stamped { stamp, record }));
    }

    #[test]
    fn random_bytes_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..5_000)) {
        prop_assert!(errors(&bytes).iter().all(Option::is_some));
        prop_assert_eq!(stamp_of(&bytes), None);
        let described: usize = describe(&bytes).iter().map(|field| field.length).sum();
        prop_assert_eq!(described, bytes.len());
    }

    /// Random bodies behind a whole stamp reach the fields' own checks. What is taken is written back as it stood.
    #[test]
    fn random_fields_behind_a_whole_stamp_never_panic(
        kind in 0..26_usize,
        changes in proptest::collection::vec((88..512_usize, any::<u8>()), 0..12),
    ) {
        let (_, image) = images(BlockSize::B512).swap_remove(kind);
        let bytes = forged(&image, |bytes| changes.iter().for_each(|(offset, byte)| bytes[*offset] = *byte));
        fn same<R: Record>(bytes: &[u8]) -> bool {
            let again = |taken: Stamped<R>| encode(&taken.stamp, &taken.record, BlockSize::B512);
            decode::<R>(bytes, &PLACE).map(again).map_or(true, |image| image.bytes() == bytes)
        }
        prop_assert!(same::<Superblock>(&bytes) && same::<SlotRecord>(&bytes));
        prop_assert!(same::<MailboxRecord>(&bytes) && same::<LockRecord>(&bytes));
        prop_assert!(same::<BucketRecord>(&bytes) && same::<DescriptorRecord>(&bytes));
        prop_assert!(same::<DescriptorName>(&bytes) && same::<GroupRecord>(&bytes));
        prop_assert!(same::<JournalHeader>(&bytes));
        prop_assert_eq!(describe(&bytes).iter().map(|field| field.length).sum::<usize>(), 512);
    }
}

#[test]
fn every_shape_of_record_is_taken_by_its_own_decoder_alone() {
    for block_size in BLOCK_SIZES {
        for (shape, image) in images(block_size) {
            let refused = errors(image.bytes()).into_iter().flatten().collect::<Vec<_>>();
            let own = if shape == "superblock" { 2 } else { 1 };
            assert_eq!(refused.len(), 10 - own, "{shape}: {refused:?}");
            assert!(refused.iter().all(|error| matches!(error, DecodeError::WrongKind { .. })), "{shape}");
        }
    }
}

#[test]
fn any_single_flipped_bit_reads_as_damage() {
    for block_size in BLOCK_SIZES {
        for (shape, image) in images(block_size) {
            let mut bytes = image.bytes().to_vec();
            // Behind the record each byte is alike, so that of the larger block a part is enough.
            for offset in (0..512).chain((512..bytes.len()).step_by(97)) {
                for bit in 0..8 {
                    bytes[offset] ^= 1 << bit;
                    for error in errors(&bytes) {
                        assert!(
                            matches!(error, Some(DecodeError::Checksum { .. })),
                            "{shape}: bit {bit} of byte {offset}: {error:?}"
                        );
                    }
                    bytes[offset] ^= 1 << bit;
                }
            }
            assert_eq!(bytes, image.bytes());
        }
    }
}

#[test]
fn a_block_torn_between_two_images_reads_as_damage() {
    let (old, new) =
        (lock_image(BlockSize::B512), encode(&stamp_at(LBA, 8), &exclusive_lock(), BlockSize::B512));
    for cut in 1..512 {
        let torn = [&new.bytes()[..cut], &old.bytes()[cut..]].concat();
        if torn != old.bytes() && torn != new.bytes() {
            let error = decode_lock(&torn).unwrap_err();
            assert!(matches!(error, DecodeError::Checksum { .. }), "cut at {cut}: {error:?}");
        }
    }
}

#[test]
fn each_doubt_is_named_in_its_order() {
    for block_size in BLOCK_SIZES {
        let image = lock_image(block_size);
        let refused = |bytes: &[u8]| decode_lock(bytes).unwrap_err();
        assert_eq!(refused(&image.bytes()[1..]), DecodeError::Length { found: block_size.length() - 1 });
        assert_eq!(refused(&vec![0; block_size.length()]), DecodeError::Blank);
        assert_eq!(refused(&vec![0xEB; block_size.length()]), DecodeError::Foreign);
        let other = |change: fn(&mut [u8])| refused(&forged(&image, change));
        assert_eq!(other(|bytes| bytes[4] = b'X'), DecodeError::UnknownKind { letters: *b"XOCK" });
        assert_eq!(
            other(|bytes| bytes[4..8].copy_from_slice(b"JRNL")),
            DecodeError::WrongKind { found: Kind::Journal }
        );
        assert_eq!(other(|bytes| bytes[8] = 2), DecodeError::Version { found: 2 });
        assert_eq!(
            other(|bytes| bytes[16] ^= 1),
            DecodeError::OtherDatastore { found: FormatId(FORMAT_ID.0 ^ 1) }
        );
        assert_eq!(other(|bytes| bytes[32] ^= 1), DecodeError::OtherAddress { found: Lba(LBA.0 ^ 1) });
        assert_eq!(other(|bytes| bytes[11] = 1), DecodeError::ReservedNotZero { offset: 11 });
        assert_eq!(other(|bytes| bytes[95] = 1), DecodeError::ReservedNotZero { offset: 95 });
        assert!(matches!(other(|bytes| bytes[47] = 0xFF), DecodeError::Field { offset: 40, .. }));
        assert!(matches!(other(|bytes| bytes[65] = 5), DecodeError::Field { offset: 64, .. }));
        let tool: fn(&mut [u8]) = |bytes| bytes[64..66].fill(0xFF);
        assert!(matches!(other(tool), DecodeError::Field { offset: 64, .. }), "a tool has no host");
    }
    let large = forged(&lock_image(BlockSize::B4096), |bytes| bytes[4_095] = 1);
    assert_eq!(decode_lock(&large), Err(DecodeError::ReservedNotZero { offset: 4_095 }));
}

#[test]
fn damage_foreignness_and_a_newer_writer_exclude_one_another() {
    let errors = [
        (DecodeError::Length { found: 1 }, "neither"),
        (DecodeError::Blank, "foreign"),
        (DecodeError::Foreign, "foreign"),
        (DecodeError::Checksum { stored: 0, computed: 1 }, "damage"),
        (DecodeError::WrongKind { found: Kind::Lock }, "damage"),
        (DecodeError::UnknownKind { letters: *b"XXXX" }, "newer"),
        (DecodeError::Version { found: 2 }, "newer"),
        (DecodeError::OtherDatastore { found: FormatId(1) }, "foreign"),
        (DecodeError::OtherAddress { found: Lba(1) }, "damage"),
        (DecodeError::ReservedNotZero { offset: 1 }, "damage"),
        (DecodeError::Field { offset: 1, what: "x" }, "damage"),
        (DecodeError::Features { unknown: 1 }, "newer"),
    ];
    for (error, class) in errors {
        let found = (error.is_damage(), error.is_foreign(), error.is_newer());
        let expected = (class == "damage", class == "foreign", class == "newer");
        assert_eq!(found, expected, "{error}");
    }
}

#[test]
fn a_lock_whose_fields_contradict_its_mode_is_refused() {
    let refused = |change: fn(&mut [u8])| match decode_lock(&forged(&lock_image(BlockSize::B512), change)) {
        Err(DecodeError::Field { offset, what }) => (offset, what),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(|bytes| bytes[88] = 3), (88, "multi-writer, which only a disk can be"));
    assert_eq!(refused(|bytes| bytes[88] = 5), (88, "an unknown mode"));
    assert_eq!(refused(|bytes| bytes[89] = 4), (89, "a flag without a meaning"));
    assert_eq!(refused(|bytes| bytes[88] = 0).0, 90, "free, with an owner");
    assert_eq!(refused(|bytes| bytes[88] = 2).0, 90, "shared, with an owner");
    assert_eq!(refused(|bytes| bytes[128] = 1).0, 128, "exclusive, with holders");
    assert_eq!(refused(|bytes| bytes[256] = 0).0, 257, "text beyond its length");
    assert_eq!(refused(|bytes| bytes[256..].fill(0)).0, 256, "held, without a name");
    assert_eq!(refused(|bytes| bytes[257] = b'@').0, 257, "a bad name");
    assert_eq!(refused(|bytes| bytes[257] = 0xFF).0, 257, "no UTF-8");
}

/// The byte at which a record with these changes is refused.
fn refused_at<R: Record>(record: &R, change: impl FnOnce(&mut [u8])) -> usize {
    let image = encode(&stamp_at(LBA, 7), record, BlockSize::B512);
    match decode::<R>(&forged(&image, change), &PLACE) {
        Err(DecodeError::Field { offset, .. }) => offset,
        Ok(_) => panic!("it is taken"),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_descriptor_whose_fields_contradict_one_another_is_refused() {
    let disk = disk_descriptor();
    let refused = |change: fn(&mut [u8])| refused_at(&disk, change);
    assert_eq!(refused(|bytes| bytes[88] = 3), 90, "written by several, with an owner");
    assert_eq!(refused(|bytes| bytes[94..96].fill(0xFF)), 94, "no receiver, and its host");
    assert_eq!(refused(|bytes| bytes[256] = 0), 257, "free, and a disk");
    assert_eq!(refused(|bytes| bytes[256] = 6), 256, "an unknown state");
    assert_eq!(refused(|bytes| bytes[257] = 0), 257, "used by nothing");
    assert_eq!(refused(|bytes| bytes[257] = 3), 312, "hidden, with a name");
    assert_eq!(refused(|bytes| bytes[258] = 6), 258, "six levels");
    assert_eq!(refused(|bytes| bytes[259] = 4), 259, "nameless, and ready");
    assert_eq!(refused(|bytes| bytes[259] = 8), 259, "full, above a parent");
    assert_eq!(refused(|bytes| bytes[260..264].fill(0xFF)), 260, "the uid of no parent");
    assert_eq!(refused(|bytes| bytes[272] = 8), 296, "a disk that is another's");
    assert_eq!(refused(|bytes| bytes[280] = 1), 280, "half a sector");
    assert_eq!(refused(|bytes| bytes[280..288].fill(0)), 280, "no size");
    assert_eq!(refused(|bytes| bytes[287] = 1), 280, "the largest of all disks");
    assert_eq!(refused(|bytes| bytes[293] = 1), 288, "a cluster beyond 40 bits");
    assert_eq!(refused(|bytes| bytes[288..296].fill(0)), 259, "owns a root that is not there");
    assert_eq!(refused(|bytes| bytes[304..312].copy_from_slice(&[0x34, 0x12, 0, 0, 0, 0, 0, 0])), 304);
    assert_eq!(refused(|bytes| bytes[360..364].fill(0xFF)), 360, "half of a disk");
    let renaming: fn(&mut [u8]) = |bytes| {
        bytes[256] = 3;
        bytes[304..312].fill(0);
    };
    assert_eq!(refused(renaming), 304, "renamed to nothing");
    let unreceived: fn(&mut [u8]) = |bytes| bytes[88..92].copy_from_slice(&[0, 0, 0xFF, 0xFF]);
    let image = encode(&stamp_at(LBA, 7), &disk, BlockSize::B512);
    let nobody = forged(&image, |bytes| {
        unreceived(bytes);
        bytes[96..112].fill(0);
    });
    let found = decode::<DescriptorRecord>(&nobody, &PLACE);
    assert!(matches!(found, Err(DecodeError::Field { offset: 94, .. })), "a receiver without an owner");
    let free = DescriptorRecord::never_used();
    assert_eq!(refused_at(&free, |bytes| bytes[336] = 1), 336, "free, with clusters");
    assert_eq!(refused_at(&free, |bytes| bytes[88] = 3), 128, "written by nobody");
}

#[test]
fn the_other_records_of_disks_are_held_against_themselves_too() {
    let two = bucket(2);
    assert_eq!(refused_at(&two, |bytes| bytes[88] = 21), 88, "more than there is room for");
    assert_eq!(refused_at(&two, |bytes| bytes[88] = 1), 96, "an entry beyond the count");
    assert_eq!(refused_at(&two, |bytes| bytes[96] = 9), 96, "out of order");
    assert_eq!(refused_at(&two, |bytes| bytes[108..116].fill(0)), 96, "of no use");
    let name = DescriptorName { name: None, uid: two.entries[0].layer.uid };
    assert_eq!(refused_at(&name, |bytes| (bytes[88], bytes[89]) = (1, b'@')), 89, "no name");
    assert_eq!(refused_at(&DescriptorName::never_used(), |bytes| (bytes[88], bytes[89]) = (1, b'a')), 344);
    let group = GroupRecord::never_held(GroupNumber(1), 16, 1);
    assert_eq!(refused_at(&group, |bytes| bytes[260..264].fill(0)), 260, "no clusters");
    assert_eq!(refused_at(&group, |bytes| bytes[261] = 0x21), 260, "too many");
    assert_eq!(refused_at(&group, |bytes| bytes[264] = 17), 264, "more free than there are");
    assert_eq!(refused_at(&group, |bytes| (bytes[88], bytes[128]) = (2, 1)), 88, "shared");
    let header = JournalHeader::never_used(31);
    assert_eq!(refused_at(&header, |bytes| bytes[96] = 0), 96, "the sequence of none");
    assert_eq!(refused_at(&header, |bytes| bytes[104] = 31), 104, "beyond the ring");
}

#[test]
fn a_slot_whose_fields_contradict_its_state_is_refused() {
    let image = encode(&stamp_at(LBA, 7), &live_slot(), BlockSize::B512);
    let refused = |change: fn(&mut [u8])| match decode::<SlotRecord>(&forged(&image, change), &PLACE) {
        Err(DecodeError::Field { offset, .. }) => offset,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(|bytes| bytes[88] = 6), 88, "an unknown state");
    assert_eq!(refused(|bytes| bytes[88] = 2), 88, "fenced by nobody");
    assert_eq!(refused(|bytes| bytes[90] = 1), 92, "a reason without a fencer");
    assert_eq!(refused(|bytes| bytes[92..94].fill(0)), 90, "a fencer without a reason");
    assert_eq!(refused(|bytes| bytes[196] = 65), 196, "a length beyond the field");
    assert_eq!(refused(|bytes| bytes[196..264].fill(0)), 196, "live without a name");
}

#[test]
#[should_panic(expected = "a lock record that no reader would take")]
fn a_record_that_contradicts_itself_is_not_written() {
    let shared_by_nobody =
        LockState { mode: LockMode::Shared, owner: None, holders: SlotSet::EMPTY, ..exclusive_lock().lock };
    let shared_by_nobody = LockRecord { lock: shared_by_nobody, ..exclusive_lock() };
    let _ = encode(&stamp_at(LBA, 7), &shared_by_nobody, BlockSize::B512);
}

#[test]
fn a_name_of_255_bytes_fits_a_lock_record() {
    let name = LockName::new(&"é".repeat(127)).unwrap();
    let longest = LockName::new(&"x".repeat(255)).unwrap();
    for name in [name, longest] {
        let record = LockRecord { name: Some(name), ..exclusive_lock() };
        let image = encode(&stamp_at(LBA, 7), &record, BlockSize::B512);
        assert_eq!(decode_lock(image.bytes()).unwrap().record, record);
    }
}

#[test]
fn a_superblock_with_an_unknown_feature_is_refused_or_opened_for_reading() {
    let (_, image) = images(BlockSize::B512).swap_remove(0);
    let incompatible = forged(&image, |bytes| bytes[136] = 0b100);
    assert_eq!(decode_superblock(&incompatible, LBA), Err(DecodeError::Features { unknown: 0b100 }));
    let read_only = forged(&image, |bytes| bytes[128] = 1);
    let taken = decode_superblock(&read_only, LBA).unwrap().record;
    assert_eq!(taken.access(), oarlock_format::Access::ReadOnly { unknown: 1 });
    let compatible = forged(&image, |bytes| bytes[120] = 1);
    let taken = decode_superblock(&compatible, LBA).unwrap().record;
    assert_eq!(taken.access(), oarlock_format::Access::ReadWrite);
}

#[test]
fn a_stamp_is_read_whatever_the_record_and_whosever_the_datastore() {
    for (shape, image) in images(BlockSize::B512) {
        let stamp = stamp_of(image.bytes()).unwrap();
        assert_eq!(stamp.writer == Writer::Host(OWNER), shape != "slot, never used");
        let newer = forged(&image, |bytes| bytes[8] = 2);
        assert_eq!(stamp_of(&newer), None, "what a later version means by its bytes is not known");
    }
}

#[test]
fn an_image_is_shown_by_what_names_it_and_not_by_its_bytes() {
    let shown = format!("{:?}", lock_image(BlockSize::B512));
    assert_eq!(shown, "Image(lock 7 nonce 0000000000000000000000000000a5ac)");
    assert_eq!(format!("{:?}", Image::new(&[1, 2, 3])), "Image(3 bytes, no record)");
}

#[test]
fn describe_shows_each_field_once_and_names_damage() {
    let value = |bytes: &[u8], name: &str| {
        describe(bytes).into_iter().find(|field| field.name == name).map(|field| field.value).unwrap()
    };
    let image = lock_image(BlockSize::B4096);
    assert_eq!(value(image.bytes(), "magic"), "OARLLOCK");
    assert_eq!(value(image.bytes(), "mode"), "1 (exclusive)");
    assert_eq!(value(image.bytes(), "flags"), "interest");
    assert_eq!(value(image.bytes(), "name"), "\"backup/nightly\"");
    assert_eq!(value(image.bytes(), "since"), "2026-11-21T02:36:03.456Z");
    assert!(value(image.bytes(), "checksum").ends_with("(holds)"));
    let mut damaged = image.bytes().to_vec();
    damaged[88] = 9;
    assert_eq!(value(&damaged, "mode"), "9 (unknown)");
    assert!(value(&damaged, "checksum").contains("does not hold"));
    assert_eq!(value(&[0; 512], "block"), "the block is all zeros");
    assert!(value(b"\x7fELF", "block").contains("512 or 4096 bytes"));
    assert!(value(&[0xEB; 512], "block").starts_with("not a record of Oarlock; it starts with ebeb"));
    for (shape, image) in images(BlockSize::B4096) {
        let mut next = 0;
        for field in describe(image.bytes()) {
            assert_eq!(field.offset, next, "{shape}: {}", field.name);
            next += field.length;
        }
        assert_eq!(next, 4_096, "{shape}");
    }
}
