//! Units: what each nexus is told of them, what they are while they run, and how much of a transfer is told (SPC-5, SBC-4, SAM-5).

use oarlock_block::{BlockSize, ByteCount};
use oarlock_scsi::iscsi::{Residual, TaskAttribute, TaskFunction, TaskTag};
use oarlock_scsi::{Lun, SenseKey, Status};
use oarlock_target::{TargetError, UnitOptions};

use crate::copies::{copy_list, copy_target};
use crate::initiator::{Answer, Flow, Session, Unasked, Who, cdb};
use crate::place::{NEXUS_LOSS, POWER_ON, Place, meet, pattern, unit};

const LUNS_CHANGED: (u8, u8, u8) = (6, 0x3f, 0x0e);
const CAPACITY_CHANGED: (u8, u8, u8) = (6, 0x2a, 0x09);
const MEDIUM_CHANGED: (u8, u8, u8) = (6, 0x28, 0x00);
const NO_UNIT: (u8, u8, u8) = (5, 0x25, 0x00);
const INVALID_CDB: (u8, u8, u8) = (5, 0x24, 0x00);
const INVALID_LIST: (u8, u8, u8) = (5, 0x26, 0x00);
const OUT_OF_RANGE: (u8, u8, u8) = (5, 0x21, 0x00);
const WRITE_PROTECTED: (u8, u8, u8) = (7, 0x27, 0x00);
const NO_MEDIUM: (u8, u8, u8) = (2, 0x3a, 0x00);
const REMOVAL_PREVENTED: (u8, u8, u8) = (5, 0x53, 0x02);

/// The longest transfer of one command.
const TRANSFER_MAX: usize = 32 << 20;

fn code(session: &mut Session, unit: u16) -> (u8, u8, u8) {
    session.run(unit, cdb::test_unit_ready(), Flow::None).code()
}

fn is_ready(session: &mut Session, unit: u16) {
    session.run(unit, cdb::test_unit_ready(), Flow::None).good();
}

fn luns(session: &mut Session) -> Vec<u8> {
    let list = session.run(0, cdb::report_luns(), Flow::In(4096)).good();
    list[8..].chunks(8).map(|lun| lun[1]).collect()
}

fn capacity(session: &mut Session, unit: u16) -> (u64, u32) {
    let data = session.run(unit, cdb::read_capacity(), Flow::In(32)).good();
    let last = u64::from_be_bytes(data[..8].try_into().unwrap());
    (last + 1, u32::from_be_bytes(data[8..12].try_into().unwrap()))
}

#[test]
fn each_nexus_is_told_once_of_the_power_on_and_by_no_command_that_passes_it() {
    let place = Place::new();
    for name in ["one", "two"] {
        let mut session = Who::new(name).login(place.portal());
        session.run(0, cdb::inquiry(96), Flow::In(96)).good();
        session.run(0, cdb::report_luns(), Flow::In(4096)).good();
        assert_eq!(session.run(0, cdb::write(0, 1), Flow::Out(&[1; 512])).code(), POWER_ON);
        assert_eq!(session.run(0, cdb::read(0, 1), Flow::In(512)).good(), [0; 512], "it was not executed");
        is_ready(&mut session, 0);
    }
    let mut again = Who::new("one").login(place.portal());
    assert_eq!(code(&mut again, 0), NEXUS_LOSS, "it was there before");
    is_ready(&mut again, 0);
}

/// libiscsi takes another name for each session: a unit does not remember all of them for ever.
#[test]
fn a_nexus_that_went_before_a_thousand_others_is_a_stranger_again() {
    let place = Place::new();
    let code_of = |number: u16| {
        let mut session = Who::new("one").with_session_id(number).login(place.portal());
        let code = code(&mut session, 0);
        session.logout();
        code
    };
    assert_eq!(code_of(0), POWER_ON);
    assert_eq!(code_of(0), NEXUS_LOSS);
    (1..=1024).for_each(|number| assert_eq!(code_of(number), POWER_ON));
    assert_eq!(code_of(0), POWER_ON);
    assert_eq!(code_of(1024), NEXUS_LOSS);
}

#[test]
fn request_sense_tells_an_attention_instead_of_failing() {
    let place = Place::new();
    let mut session = Who::new("one").login(place.portal());
    let data = session.run(0, cdb::request_sense(), Flow::In(252)).good();
    let sense = oarlock_scsi::Sense::decode(&data).unwrap();
    assert_eq!((sense.key, sense.code.code), (SenseKey::UnitAttention, 0x29));
    is_ready(&mut session, 0);
}

/// It was made, with all of its place, before it was refused.
#[test]
fn of_a_unit_that_is_refused_no_file_is_made() {
    let mut place = Place::with(|options, _| options.units[0].serial = Some("A7".to_owned()));
    let refused = [
        (0, "other", TargetError::UnitExists { number: 0 }),
        (1, "A7", TargetError::SerialInUse { number: 0, serial: "A7".to_owned() }),
        (16384, "other", TargetError::UnitNumber { number: 16384 }),
    ];
    let path = place.folder.path().join("new.img");
    let new = |number, serial: &str| UnitOptions {
        size: Some(ByteCount(1 << 20)),
        serial: Some(serial.to_owned()),
        ..UnitOptions::new(number, path.clone())
    };
    for (number, serial, error) in &refused {
        assert_eq!(place.target().add_unit(&new(*number, serial)).as_ref(), Err(error));
        assert!(!path.exists(), "unit {number}");
    }
    for (number, serial, error) in &refused {
        place.options.units.truncate(1);
        place.options.units.push(new(*number, serial));
        assert_eq!(place.try_restart().as_ref(), Err(error));
        assert!(!path.exists(), "unit {number}");
    }
}

#[test]
fn units_come_and_go_while_the_array_runs_and_everybody_is_told() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    assert_eq!(code(&mut session, 1), NO_UNIT);
    place.target().add_unit(&unit(&place.folder, 1)).unwrap();
    for session in [&mut session, &mut other] {
        assert_eq!(code(session, 0), LUNS_CHANGED);
        is_ready(session, 0);
        assert_eq!(code(session, 1), POWER_ON);
        assert_eq!(luns(session), [0, 1]);
    }
    session.run(1, cdb::write(0, 1), Flow::Out(&[1; 512])).good();
    place.target().remove_unit(1).unwrap();
    for session in [&mut session, &mut other] {
        assert_eq!(code(session, 0), LUNS_CHANGED);
        assert_eq!(code(session, 1), NO_UNIT);
        assert_eq!(luns(session), [0]);
    }
    place.target().add_unit(&unit(&place.folder, 1)).unwrap();
    meet(&mut session, 1);
    assert_eq!(session.run(1, cdb::read(0, 1), Flow::In(512)).good(), [1; 512]);
}

#[test]
fn what_a_unit_has_under_way_when_it_goes_is_told_so() {
    let place = Place::with(|options, folder| {
        let second = unit(folder, 1);
        options.units.push(second);
    });
    let mut session = place.session("one");
    meet(&mut session, 1);
    session.unasked = Unasked::Nothing;
    let held = session.start_held(1, cdb::write(0, 1), &[1; 512]);
    place.target().remove_unit(1).unwrap();
    assert_eq!(session.finish(held).status, Status::TASK_ABORTED);
    assert_eq!(code(&mut session, 0), LUNS_CHANGED);
    is_ready(&mut session, 0);
}

/// A command belongs to the unit that is there when its turn comes: the one that was removed is written no more.
#[test]
fn a_command_that_came_in_part_before_its_unit_went_does_nothing_to_it() {
    let place = Place::with(|options, folder| {
        let second = unit(folder, 1);
        options.units.push(second);
    });
    let mut session = place.session("one");
    meet(&mut session, 1);
    let command = session.command(1, cdb::write(0, 1), Flow::Out(&[1; 512]));
    let bytes = session.wire.encode(command.encode(), &[1; 512]);
    session.expect(command.task_tag);
    session.wire.send_bytes(&bytes[..100]);
    let mut other = place.session("two");
    other.ping_now();
    place.target().remove_unit(1).unwrap();
    session.wire.send_bytes(&bytes[100..]);
    assert_eq!(session.finish(command.task_tag).code(), NO_UNIT);
    place.target().add_unit(&unit(&place.folder, 1)).unwrap();
    meet(&mut other, 1);
    assert_eq!(other.run(1, cdb::read(0, 1), Flow::In(512)).good(), [0; 512]);
}

/// Units of other hosts: nothing names them, copies and resets included.
#[test]
fn a_unit_is_there_for_its_own_initiators_alone() {
    const UNREACHABLE: (u8, u8, u8) = (0x0a, 0x08, 0x04);
    let owner = Who::new("one");
    let place = Place::with(|options, folder| {
        let allowed = vec![owner.name.parse().unwrap()];
        options.units.push(UnitOptions { allowed, ..unit(folder, 1) });
    });
    let mut owner = owner.login(place.portal());
    meet(&mut owner, 0);
    meet(&mut owner, 1);
    let mut other = place.session("two");
    assert_eq!((luns(&mut owner), luns(&mut other)), (vec![0, 1], vec![0]));
    owner.run(1, cdb::write(0, 1), Flow::Out(&[1; 512])).good();
    assert_eq!(other.run(1, cdb::read(0, 1), Flow::In(512)).code(), NO_UNIT);
    assert_eq!(other.manage(TaskFunction::LogicalUnitReset, 1, TaskTag::NONE), 2, "no such unit");
    let names = [copy_target(&mut owner, 0), copy_target(&mut owner, 1)];
    let list = copy_list(names, (1, 0), 1, 1);
    assert_eq!(other.run(0, cdb::extended_copy(list.len()), Flow::Out(&list)).code(), UNREACHABLE);
    owner.run(0, cdb::extended_copy(list.len()), Flow::Out(&list)).good();
    assert_eq!(owner.run(0, cdb::read(0, 1), Flow::In(512)).good(), [1; 512]);
}

#[test]
fn a_unit_with_a_short_queue_refuses_what_is_too_much_for_it() {
    let place = Place::with(|options, _| options.units[0].queue = Some(2));
    let mut session = place.session("one");
    session.unasked = Unasked::Nothing;
    let held: Vec<_> = (0..2).map(|lba| session.start_held(0, cdb::write(lba, 1), &[1; 512])).collect();
    let refused = session.run(0, cdb::test_unit_ready(), Flow::None);
    assert_eq!(refused.status, Status::TASK_SET_FULL);
    for tag in held {
        session.release(tag);
        session.finish(tag).good();
    }
    is_ready(&mut session, 0);
}

#[test]
fn a_unit_grows_while_it_runs_and_everybody_is_told() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    assert_eq!(capacity(&mut session, 0), (131_072, 512));
    assert_eq!(session.run(0, cdb::write(131_072, 1), Flow::Out(&[1; 512])).code(), OUT_OF_RANGE);
    place.target().resize_unit(0, Some(ByteCount(96 << 20))).unwrap();
    for session in [&mut session, &mut other] {
        assert_eq!(code(session, 0), CAPACITY_CHANGED);
        assert_eq!(capacity(session, 0), (196_608, 512));
    }
    session.run(0, cdb::write(131_072, 1), Flow::Out(&[1; 512])).good();
    place.target().resize_unit(0, Some(ByteCount(1 << 20))).unwrap_err();
    is_ready(&mut other, 0);
}

#[test]
fn reservations_that_are_to_last_are_there_after_a_restart_and_others_are_not() {
    for persists in [true, false] {
        let mut place = Place::new();
        let mut session = place.session("one");
        let out = |action, kind| cdb::reserve_out(action, kind);
        session.run(0, out(0, 0), Flow::Out(&cdb::reserve_list(0, 0xabc, persists))).good();
        session.run(0, out(1, 1), Flow::Out(&cdb::reserve_list(0xabc, 0, false))).good();
        place.restart();
        let (mut session, mut other) = (place.session("one"), place.session("two"));
        let keys = session.run(0, cdb::reserve_in(0), Flow::In(4096)).good();
        let write = other.run(0, cdb::write(0, 1), Flow::Out(&[1; 512])).status;
        if persists {
            assert_eq!(keys[8..], 0xabc_u64.to_be_bytes());
            assert_eq!(keys[..4], [0; 4], "how often they changed is counted anew");
            assert_eq!(write, Status::RESERVATION_CONFLICT);
            session.run(0, cdb::write(0, 1), Flow::Out(&[2; 512])).good();
            let held = session.run(0, cdb::reserve_in(1), Flow::In(4096)).good();
            assert_eq!((&held[8..16], held[21]), (&0xabc_u64.to_be_bytes()[..], 1));
        } else {
            assert_eq!((keys.len(), write), (8, Status::GOOD));
        }
    }
}

/// Runs a command at the REPORT LUNS well-known unit.
fn run_well_known(session: &mut Session, cdb: [u8; 16], flow: Flow<'_>) -> Answer {
    let mut command = session.command(0, cdb, flow);
    command.lun = Lun::REPORT_LUNS.0;
    let tag = session.put(command, flow);
    session.finish(tag)
}

/// Initiators ask LUN 0 first, or the well-known unit, and take its word for what there is.
#[test]
fn without_a_unit_0_the_others_are_found_all_the_same() {
    let place = Place::with(|options, folder| options.units = vec![unit(folder, 3)]);
    let mut session = Who::new("one").login(place.portal());
    assert_eq!(luns(&mut session), [3]);
    let inquiry = session.run(0, cdb::inquiry(96), Flow::In(96)).good();
    assert_eq!((inquiry[0], inquiry.len()), (0x3f, 96), "nothing is connected there, and it answers");
    assert_eq!(session.run(1, cdb::inquiry(96), Flow::In(96)).good()[0], 0x7f);
    assert_eq!(code(&mut session, 0), NO_UNIT);
    assert_eq!(session.run(1, cdb::report_luns(), Flow::In(4096)).code(), NO_UNIT);

    let at_well_known = run_well_known(&mut session, cdb::report_luns(), Flow::In(4096)).good();
    assert_eq!(at_well_known[8..], [0, 3, 0, 0, 0, 0, 0, 0]);
    let inquiry = run_well_known(&mut session, cdb::inquiry(96), Flow::In(96)).good();
    assert_eq!(inquiry[0], 0x1e);
    let pages = run_well_known(&mut session, cdb::vpd(0, 255), Flow::In(255)).good();
    assert_eq!(pages, [0x1e, 0, 0, 2, 0x00, 0x83]);
    let names = run_well_known(&mut session, cdb::vpd(0x83, 4096), Flow::In(4096)).good();
    assert_eq!((names[0], names[1]), (0x1e, 0x83));
    run_well_known(&mut session, cdb::test_unit_ready(), Flow::None).good();
    let read = run_well_known(&mut session, cdb::read(0, 1), Flow::In(512)).code();
    assert_eq!(read, (5, 0x20, 0x00), "it has no blocks, and no such command");
}

#[test]
fn units_are_listed_as_select_report_says() {
    let place = Place::new();
    let mut session = place.session("one");
    let (unit, well_known) = ([0; 8], Lun::REPORT_LUNS.0);
    for (select, listed) in [
        (0x00, vec![unit]),
        (0x01, vec![well_known]),
        (0x02, vec![unit, well_known]),
        (0x10, vec![]),
        (0x11, vec![unit]),
        (0x12, vec![]),
    ] {
        let list = session.run(0, cdb::report_luns_of(select), Flow::In(4096)).good();
        assert_eq!(list[8..], listed.concat(), "{select:02x}h");
    }
}

/// A host that scans a path in standby asks for the size there, and keeps the disk with none if it is not told.
#[test]
fn a_standby_port_tells_the_size_and_who_set_it_so_is_told_for_the_unit_alone() {
    let place = Place::with(|options, folder| {
        let second = unit(folder, 1);
        options.units.push(second);
    });
    let mut session = place.session("one");
    meet(&mut session, 1);
    let group = |session: &mut Session, unit: u16| {
        let data = session.run(unit, cdb::report_target_port_groups(), Flow::In(4096)).good();
        (data[4] & 0x0f, data[4 + 5])
    };
    assert_eq!(group(&mut session, 0), (0, 0), "active and optimized, and nobody made it so");
    let list = |state: u8| [0, 0, 0, 0, state, 0, 0, 1];
    session.run(0, cdb::set_target_port_groups(8), Flow::Out(&list(2))).good();
    assert_eq!(group(&mut session, 0), (2, 1), "standby, by SET TARGET PORT GROUPS");
    assert_eq!(group(&mut session, 1), (0, 0));
    assert_eq!(capacity(&mut session, 0), (131_072, 512));
    assert_eq!(code(&mut session, 0), (2, 0x04, 0x0b));
    assert_eq!(session.run(0, cdb::read(0, 1), Flow::In(512)).code(), (2, 0x04, 0x0b));
    let long = vec![0; 4 + 4 * 65];
    let length = u32::try_from(long.len()).unwrap();
    let refused = session.run(0, cdb::set_target_port_groups(length), Flow::Out(&long));
    assert_eq!(refused.code(), (5, 0x1a, 0x00), "no list that says anything is so long");
    session.run(0, cdb::set_target_port_groups(8), Flow::Out(&list(0))).good();
    is_ready(&mut session, 0);
}

/// A file system that is not mounted at a start has no file, and initiators find an empty disk of the name that they know.
#[test]
fn an_operator_is_told_of_a_file_that_was_made_and_of_none_that_was_there() {
    let mut place = Place::new();
    let made = "was not there, and was made";
    assert_eq!(place.told(made).len(), 1);
    place.restart();
    assert_eq!(place.told(made).len(), 1);
    place.target().add_unit(&unit(&place.folder, 3)).unwrap();
    assert!(place.told(made)[1].starts_with("unit 3: "));
    place.options.units[0].size = Some(ByteCount(128 << 20));
    place.restart();
    assert_eq!(place.told("is there and has 64 MiB, not 128 MiB").len(), 1);
}

/// A unit that is not thin had no place for what it promised, and a full file system failed its writes.
#[test]
fn a_unit_that_is_not_thin_has_its_place_or_its_operator_is_told() {
    let mut place = Place::with(|options, _| options.units[0].is_thin = false);
    let blocks = |place: &Place| {
        std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(&place.options.units[0].path).unwrap())
    };
    assert!(blocks(&place) * 512 >= 64 << 20);
    place.target().resize_unit(0, Some(ByteCount(80 << 20))).unwrap();
    assert!(blocks(&place) * 512 >= 80 << 20);
    assert!(place.told("where its file system is full").is_empty());
    std::fs::File::create(&place.options.units[0].path).unwrap().set_len(80 << 20).unwrap();
    place.options.units[0].size = None;
    place.restart();
    assert_eq!(place.told("where its file system is full").len(), 1);
}

#[test]
fn an_operator_is_told_of_an_esxi_host_that_takes_a_write_cache_for_none() {
    let place = Place::with(|options, folder| {
        let others = vec![Who::new("two").name.parse().unwrap()];
        options.units.push(unit(folder, 1));
        options.units.push(UnitOptions { allowed: others, ..unit(folder, 2) });
        options.units[0].write_cache = false;
    });
    let esxi = Who { name: "iqn.1998-01.com.vmware:host-1a2b3c4d".to_owned(), ..Who::new("one") };
    esxi.login(place.portal()).ping_now();
    place.session("two");
    let lines = place.told("wce=0");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("LUN 1 is") && lines[0].contains("host-1a2b3c4d"), "{lines:?}");
}

#[test]
fn a_unit_of_another_serial_number_does_not_take_the_reservations_that_it_finds() {
    let mut place = Place::with(|options, _| options.units[0].serial = Some("A7".to_owned()));
    let mut session = place.session("one");
    session.run(0, cdb::reserve_out(0, 0), Flow::Out(&cdb::reserve_list(0, 0xabc, true))).good();
    place.options.units[0].serial = Some("A8".to_owned());
    let refused = place.try_restart().unwrap_err().to_string();
    assert!(refused.contains("A7") && refused.contains("A8"), "{refused}");
    place.options.units[0].serial = Some("A7".to_owned());
    place.restart();
    let keys = place.session("one").run(0, cdb::reserve_in(0), Flow::In(4096)).good();
    assert_eq!(keys[8..], 0xabc_u64.to_be_bytes());
}

/// What Linux sends where somebody writes to a disk's `cache_type`: the caching page with WCE as asked, SP where PS was set.
#[test]
fn a_write_cache_that_was_turned_off_and_saved_is_off_after_a_reset_and_after_a_restart() {
    let mut place = Place::new();
    let mut session = place.session("one");
    let caching = |session: &mut Session, control: u8| {
        let data = session.run(0, cdb::mode_sense(control << 6 | 0x08), Flow::In(252)).good();
        (data[4] & 0x80 != 0, data[4 + 2] & 0x04 != 0)
    };
    assert_eq!(caching(&mut session, 0), (true, true), "PS, WCE");
    let mut list = session.run(0, cdb::mode_sense(0x08), Flow::In(252)).good();
    list[..4].fill(0);
    list[4] &= 0x7f;
    list[6] &= !0x04;
    let length = u8::try_from(list.len()).unwrap();
    session.run(0, cdb::mode_select_saved(length), Flow::Out(&list)).good();
    assert_eq!(session.manage(TaskFunction::LogicalUnitReset, 0, TaskTag::NONE), 0);
    assert_eq!(code(&mut session, 0), (6, 0x29, 0x03));
    place.restart();
    let mut session = place.session("one");
    let (current, default, saved) = (0, 2, 3);
    assert_eq!(
        [current, default, saved].map(|control| caching(&mut session, control).1),
        [false, true, false]
    );
    assert!(!place.target().units().unwrap()[0].write_cache);
}

/// Another host turned it on by one command, for ESXi too, and a reset did not turn it off again.
#[test]
fn a_write_cache_that_its_owner_wants_off_is_turned_on_by_nobody() {
    let place = Place::with(|options, _| options.units[0].write_cache = false);
    let mut session = place.session("one");
    let changeable = session.run(0, cdb::mode_sense(1 << 6 | 0x08), Flow::In(252)).good();
    assert_eq!(changeable[4 + 2] & 0x04, 0);
    let mut list = session.run(0, cdb::mode_sense(0x08), Flow::In(252)).good();
    list[..4].fill(0);
    list[4] &= 0x7f;
    list[6] |= 0x04;
    let length = u8::try_from(list.len()).unwrap();
    for select in [cdb::mode_select(length), cdb::mode_select_saved(length)] {
        assert_eq!(session.run(0, select, Flow::Out(&list)).code(), INVALID_LIST);
    }
    assert!(!place.target().units().unwrap()[0].write_cache);
}

#[test]
fn an_operator_is_told_what_becomes_of_units_and_who_changed_what() {
    let place = Place::new();
    let esxi = Who { name: "iqn.1998-01.com.vmware:host-1a2b3c4d".to_owned(), ..Who::new("one") };
    let added = UnitOptions { write_cache: true, ..unit(&place.folder, 1) };
    let (mut session, mut esxi) = (place.session("two"), esxi.login(place.portal()));
    let warned = place.told("wce=0").len();
    place.target().add_unit(&added).unwrap();
    assert_eq!(place.told("is served from now on").len(), 1);
    assert_eq!(place.told("wce=0").len(), warned + 1, "the new one has a cache, too");
    place.target().resize_unit(1, Some(ByteCount(80 << 20))).unwrap();
    assert_eq!(place.told("unit 1").iter().filter(|line| line.contains("has 80 MiB now")).count(), 1);
    place.target().remove_unit(1).unwrap();
    assert_eq!(place.told("is served no more").len(), 1);
    for (registrant, key) in [(&mut session, 1), (&mut esxi, 2)] {
        while registrant.run(0, cdb::test_unit_ready(), Flow::None).status != Status::GOOD {}
        registrant.run(0, cdb::reserve_out(0, 0), Flow::Out(&cdb::reserve_list(0, key, false))).good();
    }
    session.run(0, cdb::reserve_out(4, 1), Flow::Out(&cdb::reserve_list(1, 2, false))).good();
    assert_eq!(place.told("two preempted iqn.1998-01.com.vmware:host-1a2b3c4d").len(), 1);
}

/// It was told what its link led to; put back by that, a unit was another disk, without its reservations.
#[test]
fn a_unit_that_is_put_back_as_it_is_listed_is_the_same() {
    let place = Place::new();
    let (file, link) = (place.folder.path().join("volume"), place.folder.path().join("by-name"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    std::fs::File::create(&file).unwrap().set_len(1 << 20).unwrap();
    let added = UnitOptions { is_thin: true, ..UnitOptions::new(1, link.clone()) };
    let listed = || place.target().units().unwrap().pop().unwrap();
    place.target().add_unit(&added).unwrap();
    let first = listed();
    assert_eq!((&first.path, &first.medium), (&link, &file.canonicalize().unwrap()));
    place.target().remove_unit(1).unwrap();
    assert_eq!(place.told(&link.display().to_string()).len(), 2, "the log names it so, too");
    place.target().add_unit(&UnitOptions { path: first.path.clone(), ..added }).unwrap();
    assert_eq!(listed(), first);
    let grown = place.target().resize_unit(1, Some(ByteCount(2 << 20))).unwrap();
    assert_eq!(grown.size, ByteCount(2 << 20));
}

#[test]
fn a_reset_of_log_parameters_is_of_the_page_that_it_names() {
    const WRITES: std::ops::Range<usize> = 16..24;
    let place = Place::new();
    let mut session = place.session("one");
    session.run(0, cdb::write(0, 1), Flow::Out(&[1; 512])).good();
    let writes = |session: &mut Session| {
        session.run(0, cdb::log_sense(0x19, 0), Flow::In(256)).good()[WRITES].to_vec()
    };
    for (page, subpage) in [(0x3a, 0), (0x19, 5)] {
        assert_eq!(session.run(0, cdb::log_reset(page, subpage), Flow::None).code(), INVALID_CDB);
    }
    session.run(0, cdb::log_reset(0x0c, 0), Flow::None).good();
    assert_ne!(writes(&mut session), [0; 8]);
    session.run(0, cdb::log_reset(0x19, 0), Flow::None).good();
    assert_eq!(writes(&mut session), [0; 8]);
    let absent = session.run(0, cdb::log_sense(0x19, 5), Flow::In(256)).sense.unwrap();
    assert_eq!(absent.field().unwrap().byte, 3, "the page is there");
}

/// A pattern that was written to many blocks counted as as many that came (SPC-5, General Statistics and Performance log page).
#[test]
fn blocks_that_came_are_counted_and_not_those_that_were_written() {
    const BLOCKS_RECEIVED: std::ops::Range<usize> = 24..32;
    let place = Place::new();
    let mut session = place.session("one");
    let commands = [
        (cdb::write(0, 4), 4 * 512, 4),
        (cdb::write(0, 4), 2 * 512, 2),
        (cdb::write_same(0, 64, false), 512, 1),
        (cdb::compare_and_write(100, 1), 2 * 512, 2),
    ];
    for (cdb, length, blocks) in commands {
        session.run(0, cdb::log_reset(0x19, 0), Flow::None).good();
        session.run(0, cdb, Flow::Out(&vec![0; length])).good();
        let page = session.run(0, cdb::log_sense(0x19, 0), Flow::In(256)).good();
        assert_eq!(page[BLOCKS_RECEIVED], u64::to_be_bytes(blocks), "{cdb:x?}");
    }
}

/// As REPORT SUPPORTED OPERATION CODES has it, whatever else is wrong.
#[test]
fn what_a_unit_does_not_have_is_refused_before_it_is_said_to_be_write_protected() {
    let mut place = Place::new();
    place.options.units[0].is_thin = false;
    place.options.units[0].is_read_only = true;
    place.restart();
    let mut session = place.session("one");
    let list = cdb::unmap_list(0, 1);
    let unmapped = session.run(0, cdb::unmap(24), Flow::Out(&list));
    assert_eq!(unmapped.code(), (5, 0x20, 0x00));
    assert_eq!(session.run(0, cdb::block_erase(), Flow::None).code(), INVALID_CDB);
    let characteristics = session.run(0, cdb::vpd(0xb1, 64), Flow::In(64)).good();
    assert_eq!(characteristics[7] >> 6, 0, "WABEREQ, where nothing is block erased");
}

/// No nexus has an auto contingent allegiance here.
#[test]
fn a_task_attribute_that_nobody_knows_is_refused() {
    let place = Place::new();
    let mut session = place.session("one");
    for attribute in [TaskAttribute::Aca, TaskAttribute::Reserved(6)] {
        session.attribute = attribute;
        assert_eq!(code(&mut session, 0), (5, 0x49, 0x00));
    }
}

#[test]
fn a_unit_that_is_read_only_is_never_written() {
    let mut place = Place::new();
    place.options.units[0].is_read_only = true;
    place.restart();
    let mut session = place.session("one");
    let pair = [[0; 512], [1; 512]].concat();
    for (command, data) in [
        (cdb::write(0, 1), vec![1; 512]),
        (cdb::write_same(0, 1, false), vec![1; 512]),
        (cdb::compare_and_write(0, 1), pair),
        (cdb::unmap(24), cdb::unmap_list(0, 1)),
    ] {
        assert_eq!(session.run(0, command, Flow::Out(&data)).code(), WRITE_PROTECTED, "{:02x}h", command[0]);
    }
    assert_eq!(session.run(0, cdb::read(0, 1), Flow::In(512)).good(), [0; 512]);
    assert_eq!(session.run(0, cdb::mode_sense(0x3f), Flow::In(252)).good()[2] & 0x80, 0x80, "WP");
}

#[test]
fn a_removable_medium_goes_and_comes_unless_somebody_forbids_it() {
    let place = Place::with(|options, _| options.units[0].is_removable = true);
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    session.run(0, cdb::prevent_removal(true), Flow::None).good();
    assert_eq!(other.run(0, cdb::start_stop(false, true), Flow::None).code(), REMOVAL_PREVENTED);
    // Who is gone forbids nothing any more.
    session.logout();
    other.run(0, cdb::start_stop(false, true), Flow::None).good();
    assert_eq!(code(&mut other, 0), NO_MEDIUM);
    assert_eq!(other.run(0, cdb::write(0, 1), Flow::Out(&[1; 512])).code(), NO_MEDIUM);
    let mut session = place.session("one");
    other.run(0, cdb::start_stop(true, true), Flow::None).good();
    is_ready(&mut other, 0);
    assert_eq!(code(&mut session, 0), MEDIUM_CHANGED);
    // Nothing turns here: a host that stops the unit stops it for nobody.
    other.run(0, cdb::start_stop(false, false), Flow::None).good();
    is_ready(&mut session, 0);
    assert_eq!(session.run(0, cdb::read(0, 1), Flow::In(512)).good(), [0; 512]);
}

#[test]
fn a_unit_of_large_blocks_counts_in_them() {
    let place = Place::with(|options, _| options.units[0].block_size = BlockSize::from_bytes(4096));
    let mut session = place.session("one");
    assert_eq!(capacity(&mut session, 0), (16_384, 4096));
    let data = pattern(4 * 4096);
    session.run(0, cdb::write(16_380, 4), Flow::Out(&data)).good();
    assert_eq!(session.run(0, cdb::read(16_380, 4), Flow::In(data.len())).good(), data);
    assert_eq!(session.run(0, cdb::read(16_381, 4), Flow::In(data.len())).code(), OUT_OF_RANGE);
    let mut pair = [&data[..4096], &[9; 4096]].concat();
    session.run(0, cdb::compare_and_write(16_380, 1), Flow::Out(&pair)).good();
    pair[..4096].fill(9);
    pair[4000] = 8;
    let answer = session.run(0, cdb::compare_and_write(16_380, 1), Flow::Out(&pair));
    assert_eq!(answer.code(), (0x0e, 0x1d, 0x00));
    assert_eq!(answer.sense.unwrap().information, Some(4000), "the first byte that differs");
}

#[test]
fn the_pages_that_say_what_a_unit_is_are_told_in_full_and_cut_where_asked() {
    let place = Place::new();
    let mut session = place.session("one");
    let pages = session.run(0, cdb::vpd(0x00, 255), Flow::In(255)).good()[4..].to_vec();
    for wanted in [0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2] {
        assert!(pages.contains(&wanted), "page {wanted:02x}h of {pages:02x?}");
    }
    for page in pages {
        let whole = session.run(0, cdb::vpd(page, 4096), Flow::In(4096)).good();
        assert_eq!(whole[1], page);
        assert_eq!(usize::from(u16::from_be_bytes([whole[2], whole[3]])), whole.len() - 4);
        let cut = session.run(0, cdb::vpd(page, 6), Flow::In(6)).good();
        assert_eq!(cut, whole[..whole.len().min(6)]);
    }
    let limits = session.run(0, cdb::vpd(0xb0, 4096), Flow::In(4096)).good();
    let number = |at: usize| u32::from_be_bytes(limits[at..at + 4].try_into().unwrap());
    assert_eq!(
        (limits[5], number(8) as usize),
        (128, TRANSFER_MAX / 512),
        "of COMPARE AND WRITE, and of transfers"
    );
    let extended = session.run(0, cdb::vpd(0x86, 4096), Flow::In(4096)).good();
    assert_eq!(extended[4 + 3] & 1, 1, "LUICLR: one REPORT LUNS clears the attention everywhere");
    assert_eq!(usize::from(extended[4 + 9]), oarlock_scsi::Sense::LENGTH_MAX);
    assert_eq!(session.run(0, cdb::vpd(0x7f, 255), Flow::In(255)).code(), INVALID_CDB);
}

#[test]
fn a_read_tells_how_much_more_or_less_there_was_than_was_expected() {
    let place = Place::new();
    let mut session = place.session("one");
    session.run(0, cdb::write(0, 4), Flow::Out(&[7; 2048])).good();
    for (expected, residual) in [
        (2048, Residual::None),
        (4096, Residual::Under(2048)),
        (1000, Residual::Over(1048)),
        (1, Residual::Over(2047)),
    ] {
        let answer = session.run(0, cdb::read(0, 4), Flow::In(expected));
        assert_eq!((answer.residual, answer.data.len()), (residual, expected.min(2048)));
        assert_eq!(answer.good(), vec![7; expected.min(2048)]);
    }
    let answer = session.run(0, cdb::read(0, 4), Flow::None);
    assert_eq!((answer.residual, answer.data.len()), (Residual::Over(2048), 0));
    let answer = session.run(0, cdb::test_unit_ready(), Flow::In(512));
    assert_eq!((answer.residual, answer.good()), (Residual::Under(512), vec![]));
}

/// It was told that its block was written.
#[test]
fn a_command_whose_data_go_nowhere_moved_none_of_what_it_expected() {
    let place = Place::new();
    let mut session = place.session("one");
    for cdb in [cdb::write(0, 1), cdb::read(0, 1)] {
        let mut command = session.command(0, cdb, Flow::In(512));
        command.reads = false;
        let tag = session.put(command, Flow::None);
        let answer = session.finish(tag);
        assert_eq!((answer.residual, answer.data), (Residual::Over(512), vec![]), "{:02x}h", cdb[0]);
    }
}

#[test]
fn a_write_tells_how_much_more_or_less_was_wanted_than_was_sent() {
    let place = Place::new();
    let mut session = place.session("one");
    for unasked in [Unasked::Immediate, Unasked::Nothing] {
        session.unasked = unasked;
        for (sent, residual) in
            [(2048, Residual::None), (4096, Residual::Under(2048)), (1024, Residual::Over(1024))]
        {
            session.run(0, cdb::write_same(0, 16, false), Flow::Out(&[0; 512])).good();
            let answer = session.run(0, cdb::write(0, 4), Flow::Out(&vec![7; sent]));
            assert_eq!((answer.status, answer.residual), (Status::GOOD, residual));
            let found = session.run(0, cdb::read(0, 16), Flow::In(8192)).good();
            let written = found.iter().take_while(|byte| **byte == 7).count();
            assert_eq!(written, sent.min(2048));
            assert!(found[written..].iter().all(|byte| *byte == 0));
        }
    }
}

/// libiscsi's suite writes 512 bytes to a block of 4,096 and wants them there.
#[test]
fn data_that_end_within_a_block_are_written_as_far_as_they_go_and_no_further() {
    let place = Place::with(|options, _| options.units[0].block_size = BlockSize::from_bytes(4096));
    let mut session = place.session("one");
    for (sent, missing) in [(512, 3 * 4096 - 512), (4096 + 1, 2 * 4096 - 1), (2 * 4096 + 4095, 1)] {
        session.run(0, cdb::write(0, 3), Flow::Out(&[3; 3 * 4096])).good();
        let answer = session.run(0, cdb::write(0, 3), Flow::Out(&vec![7; sent]));
        assert_eq!((answer.status, answer.residual), (Status::GOOD, Residual::Over(missing)));
        let found = session.run(0, cdb::read(0, 3), Flow::In(3 * 4096)).good();
        assert!(found[..sent].iter().all(|byte| *byte == 7) && found[sent..].iter().all(|byte| *byte == 3));
    }
}

#[test]
fn data_of_other_commands_that_end_within_a_block_are_refused() {
    const INVALID_UNIT: (u8, u8, u8) = (5, 0x0e, 0x03);
    let place = Place::new();
    let mut session = place.session("one");
    for opcode in [0x8e, 0x8b] {
        let mut write = cdb::write(0, 4);
        write[0] = opcode;
        let answer = session.run(0, write, Flow::Out(&[7; 1100]));
        assert_eq!((answer.code(), answer.residual), (INVALID_UNIT, Residual::Over(948)));
    }
    assert_eq!(session.run(0, cdb::read(0, 4), Flow::In(2048)).good(), [0; 2048]);
}

#[test]
fn the_longest_transfer_goes_through_both_ways_and_one_block_more_is_refused() {
    let place = Place::new();
    let who = Who::new("one")
        .key("MaxRecvDataSegmentLength", "262144")
        .key("MaxBurstLength", "1048576")
        .key("MaxOutstandingR2T", "8");
    let mut session = who.login(place.portal());
    meet(&mut session, 0);
    let data = pattern(TRANSFER_MAX);
    let blocks = u32::try_from(TRANSFER_MAX / 512).unwrap();
    session.run(0, cdb::write(1, blocks), Flow::Out(&data)).good();
    assert!(session.run(0, cdb::read(1, blocks), Flow::In(TRANSFER_MAX)).good() == data);
    assert_eq!(session.run(0, cdb::read(1, blocks + 1), Flow::In(TRANSFER_MAX + 512)).code(), INVALID_CDB);
    let longer = vec![9; TRANSFER_MAX + 512];
    assert_eq!(session.run(0, cdb::write(1, blocks + 1), Flow::Out(&longer)).code(), INVALID_CDB);
    assert!(session.run(0, cdb::read(1, blocks), Flow::In(TRANSFER_MAX)).good() == data);
}

#[test]
fn sense_data_have_the_form_that_was_set() {
    let place = Place::new();
    let mut session = place.session("one");
    let wrong = cdb::read(1 << 40, 1);
    let fixed = session.run(0, wrong, Flow::In(512));
    assert_eq!((fixed.sense_bytes[0] & 0x7f, fixed.code()), (0x70, OUT_OF_RANGE));
    let mut list = vec![0, 0, 0, 0, 0x0a, 10, 0x04, 0x10, 0, 0, 0, 0, 0, 0, 0, 0];
    session.run(0, cdb::mode_select(16), Flow::Out(&list)).good();
    let descriptor = session.run(0, wrong, Flow::In(512));
    assert_eq!((descriptor.sense_bytes[0] & 0x7f, descriptor.code()), (0x72, OUT_OF_RANGE));
    let pair = [[1; 512], [2; 512]].concat();
    let miscompare = session.run(0, cdb::compare_and_write(0, 1), Flow::Out(&pair));
    assert_eq!((miscompare.sense_bytes[0], miscompare.sense.unwrap().information), (0x72, Some(0)));
    list[6] = 0;
    session.run(0, cdb::mode_select(16), Flow::Out(&list)).good();
    assert_eq!(session.run(0, wrong, Flow::In(512)).sense_bytes[0] & 0x7f, 0x70);
}
