//! WRITE ATOMIC: what it takes, what it leaves beside the unit's file, and what a start makes of what was left there (SBC-4).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use oarlock_block::{BlockSize, crc32c};
use oarlock_scsi::iscsi::TaskFunction;

use crate::initiator::{Flow, Session, cdb};
use crate::place::{Place, meet, pattern, unit};

const INVALID_CDB: (u8, u8, u8) = (5, 0x24, 0x00);
const OUT_OF_RANGE: (u8, u8, u8) = (5, 0x21, 0x00);
const WRITE_PROTECTED: (u8, u8, u8) = (7, 0x27, 0x00);
const TARGET_FAILURE: (u8, u8, u8) = (4, 0x44, 0x00);
const SERIAL: &str = "A7";
/// What a journal has before the data of its record, and how long it is.
const HEADER: usize = 4096;
const JOURNAL: usize = HEADER + (1 << 20);

/// A place whose unit 0 has a serial number of its own.
fn place() -> Place {
    Place::with(|options, _| options.units[0].serial = Some(SERIAL.to_owned()))
}

fn journal(place: &Place, unit: u16) -> PathBuf {
    place.folder.path().join(format!("unit-{unit}.img.atomic"))
}

fn write_atomic(session: &mut Session, lba: u64, data: &[u8]) -> crate::initiator::Answer {
    let blocks = u16::try_from(data.len() / 512).unwrap();
    session.run(0, cdb::write_atomic(lba, blocks), Flow::Out(data))
}

fn read(session: &mut Session, lba: u64, length: usize) -> Vec<u8> {
    session.run(0, cdb::read(lba, u32::try_from(length / 512).unwrap()), Flow::In(length)).good()
}

/// A journal with a record, byte by byte as crates/target/src/record.rs draws it.
fn journal_of(serial: &str, lba: u64, data: &[u8]) -> Vec<u8> {
    let mut journal = vec![0; JOURNAL];
    let length = u32::try_from(data.len()).unwrap();
    let mut put = |at: usize, bytes: &[u8]| journal[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"OARATOMI");
    put(8, &1_u32.to_le_bytes());
    put(12, &512_u32.to_le_bytes());
    put(16, &lba.to_le_bytes());
    put(24, &u64::from(length / 512).to_le_bytes());
    put(32, &length.to_le_bytes());
    put(36, &crc32c(&[data]).to_le_bytes());
    put(40, &u32::try_from(serial.len()).unwrap().to_le_bytes());
    put(44, serial.as_bytes());
    put(HEADER, data);
    let checksum = crc32c(&[&journal[..508]]);
    journal[508..512].copy_from_slice(&checksum.to_le_bytes());
    journal
}

#[test]
fn an_atomic_write_is_of_any_length_up_to_its_maximum_from_any_block_on() {
    for (block_size, blocks_max) in [(BlockSize::B512, 2048_u32), (BlockSize::B4096, 256)] {
        let place = Place::with(|options, _| options.units[0].block_size = Some(block_size));
        let block = block_size.length();
        let mut session = place.session("one");
        let limits = session.run(0, cdb::vpd(0xb0, 4096), Flow::In(4096)).good();
        let number = |at: usize| u32::from_be_bytes(limits[at..at + 4].try_into().unwrap());
        assert_eq!(
            [44, 48, 52, 56, 60].map(number),
            [blocks_max, 0, 0, 0, 0],
            "length; no alignment, granularity or boundary"
        );
        let supported = session.run(0, cdb::report_operation_code(0x9c), Flow::In(4096)).good();
        assert_eq!(supported[1] & 7, 3);
        let data = pattern(blocks_max as usize * block);
        for (lba, blocks) in [(0, 1), (1, 2), (3, 8), (8, 8), (7, blocks_max)] {
            let data = &data[..blocks as usize * block];
            let command = cdb::write_atomic(lba, u16::try_from(blocks).unwrap());
            session.run(0, command, Flow::Out(data)).good();
            let found = session.run(0, cdb::read(lba, blocks), Flow::In(data.len())).good();
            assert!(found == data, "{blocks} blocks of {block} from {lba} on");
        }
        let last = (64 << 20) / block as u64 - 1;
        let two = &data[..2 * block];
        assert_eq!(
            session.run(0, cdb::write_atomic(last, 2), Flow::Out(two)).code(),
            OUT_OF_RANGE,
            "beyond the end"
        );
        session.run(0, cdb::write_atomic(last - 1, 2), Flow::Out(two)).good();
        let longer = u16::try_from(blocks_max + 1).unwrap();
        let long = pattern(usize::from(longer) * block);
        assert_eq!(session.run(0, cdb::write_atomic(0, longer), Flow::Out(&long)).code(), INVALID_CDB);
        let mut in_parts = cdb::write_atomic(0, 8);
        in_parts[11] = 4;
        assert_eq!(session.run(0, in_parts, Flow::Out(&data[..8 * block])).code(), INVALID_CDB, "a boundary");
    }
}

#[test]
fn a_read_only_unit_takes_no_atomic_write() {
    let mut place = place();
    place.options.units[0].is_read_only = true;
    place.options.units[0].size = None;
    place.restart();
    let mut session = place.session("one");
    assert_eq!(write_atomic(&mut session, 0, &[1; 1024]).code(), WRITE_PROTECTED);
}

#[test]
fn a_journal_is_made_by_the_first_long_atomic_write_and_has_no_record_after_an_answer() {
    let mut place = place();
    let mut session = place.session("one");
    session.run(0, cdb::write(0, 8), Flow::Out(&pattern(4096))).good();
    assert!(!journal(&place, 0).exists(), "nothing needed it yet");
    for round in 0..3 {
        write_atomic(&mut session, 3 + round, &pattern(64 << 10)).good();
        let journal = fs::read(journal(&place, 0)).unwrap();
        assert_eq!(journal.len(), JOURNAL);
        assert!(journal[..HEADER].iter().all(|byte| *byte == 0), "a record is left");
    }
    let mode = fs::metadata(journal(&place, 0)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it has what initiators wrote");
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 2, "the unit, and its journal");
    place.restart();
    assert!(place.told("atomic").is_empty(), "a start finds nothing to do");
    // The file is free when its unit is gone, and another life of the unit takes it.
    let handle = place.target().handle();
    handle.remove_unit(0).unwrap();
    handle.add_unit(&place.options.units[0]).unwrap();
    let mut session = place.session("two");
    write_atomic(&mut session, 3, &[7; 8192]).good();
    assert_eq!(read(&mut session, 3, 8192), [7; 8192]);
}

#[test]
fn what_was_recorded_whole_is_written_by_the_next_start() {
    let mut place = place();
    let mut session = place.session("one");
    session.run(0, cdb::write(96, 64), Flow::Out(&[0x0d; 64 * 512])).good();
    let data = pattern(40 * 512);
    // Some of it is there, and some is not: where the power failed.
    session.run(0, cdb::write(101, 7), Flow::Out(&data[..7 * 512])).good();
    fs::write(journal(&place, 0), journal_of(SERIAL, 101, &data)).unwrap();
    place.restart();
    assert_eq!(place.told("40 blocks from 101 on; they were written again").len(), 1);
    let mut session = place.session("two");
    assert_eq!(read(&mut session, 101, 40 * 512), data);
    assert_eq!(read(&mut session, 96, 5 * 512), [0x0d; 5 * 512]);
    assert_eq!(read(&mut session, 141, 19 * 512), [0x0d; 19 * 512]);
    // It is done once: what is written now is not written over by a later start.
    session.run(0, cdb::write_through(101, 40), Flow::Out(&[0x4e; 40 * 512])).good();
    place.restart();
    assert_eq!(place.told("were written again").len(), 1);
    assert_eq!(read(&mut place.session("three"), 101, 40 * 512), [0x4e; 40 * 512]);
}

#[test]
fn what_was_not_recorded_whole_did_not_happen() {
    let data = pattern(16 * 512);
    let whole = journal_of(SERIAL, 8, &data);
    let mut without_end = whole.clone();
    without_end[HEADER + 15 * 512..HEADER + 16 * 512].fill(0);
    let mut header_torn = whole.clone();
    header_torn[40..512].fill(0);
    for journal_found in [without_end, header_torn] {
        let mut place = place();
        place.session("one").run(0, cdb::write(8, 16), Flow::Out(&[0x0d; 16 * 512])).good();
        fs::write(journal(&place, 0), journal_found).unwrap();
        place.restart();
        assert_eq!(place.told("its record is discarded").len(), 1);
        let mut session = place.session("two");
        assert_eq!(read(&mut session, 8, 16 * 512), [0x0d; 16 * 512]);
        write_atomic(&mut session, 8, &data).good();
        place.restart();
        assert_eq!(place.told("its record is discarded").len(), 1, "once");
        assert_eq!(read(&mut place.session("three"), 8, 16 * 512), data);
    }
}

/// The path was spelled in another way, and with it the serial number was another: the blocks were served torn.
#[test]
fn a_unit_beside_a_whole_record_of_another_name_is_not_served_until_it_has_that_name() {
    let mut place = place();
    place.session("one").run(0, cdb::write(8, 16), Flow::Out(&[0x0d; 16 * 512])).good();
    let record = journal_of("vg/lun1", 8, &pattern(16 * 512));
    fs::write(journal(&place, 0), &record).unwrap();
    for is_read_only in [false, true] {
        place.options.units[0].is_read_only = is_read_only;
        let refused = place.try_restart().unwrap_err().to_string();
        assert!(refused.contains("vg/lun1") && refused.contains("blocks 8 to 23"), "{refused}");
        assert!(fs::read(journal(&place, 0)).unwrap() == record);
    }
    place.options.units[0].is_read_only = false;
    place.options.units[0].serial = Some("vg/lun1".to_owned());
    place.restart();
    assert_eq!(read(&mut place.session("two"), 8, 16 * 512), pattern(16 * 512));
}

#[test]
fn blocks_that_may_be_torn_are_not_read_from_a_read_only_unit() {
    let mut place = place();
    let data = pattern(16 * 512);
    fs::write(journal(&place, 0), journal_of(SERIAL, 8, &data)).unwrap();
    place.options.units[0].is_read_only = true;
    place.options.units[0].size = None;
    place.restart();
    assert_eq!(place.told("UNIT 0 HAS A TORN WRITE").len(), 1);
    let mut session = place.session("two");
    let answer = session.run(0, cdb::read(23, 1), Flow::In(512));
    assert_eq!(answer.code(), (3, 0x11, 0x00));
    assert_eq!(read(&mut session, 24, 512), [0; 512], "others are read");
    place.options.units[0].is_read_only = false;
    place.restart();
    assert_eq!(read(&mut place.session("three"), 8, 16 * 512), data);
}

#[test]
fn a_file_that_is_no_journal_is_left_alone() {
    let mut place = place();
    fs::write(journal(&place, 0), "somebody's").unwrap();
    let mut session = place.session("one");
    for _ in 0..2 {
        assert_eq!(write_atomic(&mut session, 0, &pattern(8192)).code(), TARGET_FAILURE);
    }
    assert_eq!(place.told("its journal cannot be made").len(), 1, "once");
    assert_eq!(read(&mut session, 0, 8192), [0; 8192]);
    let refused = place.try_restart().unwrap_err().to_string();
    assert!(refused.contains("is no journal of atomic writes"), "{refused}");
    assert_eq!(fs::read(journal(&place, 0)).unwrap(), b"somebody's");
}

#[test]
fn atomic_writes_of_many_are_one_after_the_other_and_one_that_is_aborted_is_whole_or_absent() {
    let mut place = Place::in_memory(|_, _| {});
    let mut sessions: Vec<Session> =
        (0..4).map(|number| place.session(&format!("writer-{number}"))).collect();
    for round in 0..8_u8 {
        let mut tags = Vec::new();
        for (number, session) in (0_u8..).zip(&mut sessions) {
            for place in 0..4_u8 {
                let value = 1 + round * 16 + number * 4 + place;
                let data = vec![value; 96 * 512];
                // They overlap each other.
                let command = cdb::write_atomic(u64::from(place) * 32, 96);
                tags.push((usize::from(number), session.start(0, command, Flow::Out(&data))));
            }
        }
        let (aborted, tag) = tags.pop().unwrap();
        sessions[aborted].manage(TaskFunction::AbortTask, 0, tag);
        if sessions[aborted].is_answered(tag) {
            sessions[aborted].finish(tag).good();
        } else {
            sessions[aborted].forget(tag);
        }
        for (number, tag) in tags {
            sessions[number].finish(tag).good();
        }
        let blocks = read(&mut sessions[0], 0, 192 * 512);
        // Each ends on a boundary of 32 blocks: within those nothing is mixed.
        for (number, part) in blocks.chunks(32 * 512).enumerate() {
            assert!(part.iter().all(|byte| *byte == part[0] && *byte > 0), "part {number} of round {round}");
        }
    }
    place.restart();
    assert!(place.told("atomic").is_empty());
}

#[test]
fn a_sanitized_unit_has_nothing_in_its_journal() {
    let place = Place::with(|options, folder| options.units.push(unit(folder, 1)));
    let mut session = place.session("one");
    meet(&mut session, 1);
    let blocks = cdb::write_atomic(0, 64);
    session.run(1, blocks, Flow::Out(&[0x77; 64 * 512])).good();
    assert!(fs::read(journal(&place, 1)).unwrap().contains(&0x77));
    let mut erase = cdb::block_erase();
    erase[1] = 0x02;
    session.run(1, erase, Flow::None).good();
    assert!(fs::read(journal(&place, 1)).unwrap().iter().all(|byte| *byte == 0));
}
