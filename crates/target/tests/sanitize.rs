//! SANITIZE: nothing ends it but its end (SBC-4, "Sanitize operations").

use oarlock_block::{BlockSize, ByteCount};
use oarlock_scsi::CopyTarget;
use oarlock_scsi::iscsi::{TaskFunction, TaskTag};

use crate::copies::{copy_list, copy_target};
use crate::initiator::{Flow, Session, Unasked, cdb};
use crate::place::{Place, meet, pattern, unit};

const IN_PROGRESS: (u8, u8, u8) = (2, 0x04, 0x1b);
/// COPY ABORTED, THIRD PARTY DEVICE FAILURE.
const THIRD_PARTY_FAILED: (u8, u8, u8) = (0x0a, 0x0d, 0x01);
const FAILED: (u8, u8, u8) = (3, 0x31, 0x03);

/// A unit so large that its sanitize takes a while, and so empty that it costs nothing; and another one.
fn large() -> Place {
    Place::with(|options, folder| {
        options.units[0].size = Some(ByteCount(1 << 43));
        options.units[0].block_size = BlockSize::from_bytes(4096);
        options.units.push(unit(folder, 1));
    })
}

fn sense(session: &mut Session) -> oarlock_scsi::Sense {
    let data = session.run(0, cdb::request_sense(), Flow::In(252)).good();
    oarlock_scsi::Sense::decode(&data).unwrap()
}

fn code(session: &mut Session) -> (u8, u8, u8) {
    session.run(0, cdb::test_unit_ready(), Flow::None).code()
}

/// Waits until the unit can be used again.
fn wait_for_end(session: &mut Session) {
    while sense(session).key.bits() != 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// `sg_sanitize` and others ask REQUEST SENSE how far it is, and take NO SENSE for its end.
#[test]
fn request_sense_says_that_a_sanitize_is_under_way() {
    let place = large();
    let mut session = place.session("one");
    session.run(0, cdb::block_erase(), Flow::None).good();
    let sense = sense(&mut session);
    assert_eq!((sense.key.bits(), sense.code.code, sense.code.qualifier), IN_PROGRESS);
    assert!(matches!(sense.specific, Some(oarlock_scsi::SenseKeySpecific::Progress(_))));
    assert_eq!(code(&mut session), IN_PROGRESS);
}

#[test]
fn a_reset_does_not_end_it() {
    let place = large();
    let mut session = place.session("one");
    session.run(0, cdb::block_erase(), Flow::None).good();
    assert_eq!(session.manage(TaskFunction::LogicalUnitReset, 0, TaskTag::NONE), 0);
    // The first answer is the attention that the reset left.
    assert_eq!(sense(&mut session).key.bits(), 6);
    let sense = sense(&mut session);
    assert_eq!((sense.key.bits(), sense.code.code, sense.code.qualifier), IN_PROGRESS);
}

/// With blocks of the other unit in its hands the copy kept everybody from them until the sanitize was over.
#[test]
fn a_copy_to_what_is_being_erased_is_refused_and_holds_nothing() {
    let place = large();
    let mut session = place.session("one");
    meet(&mut session, 1);
    let erased = CopyTarget { block_bytes: 4096, ..copy_target(&mut session, 0) };
    let list = copy_list([copy_target(&mut session, 1), erased], (0, 1), 8, 1);
    session.run(0, cdb::block_erase(), Flow::None).good();
    let copied = session.run(1, cdb::extended_copy(list.len()), Flow::Out(&list));
    assert_eq!(copied.code(), THIRD_PARTY_FAILED);
    session.run(1, cdb::write(0, 1), Flow::Out(&[1; 512])).good();
    assert_eq!(code(&mut session), IN_PROGRESS, "it had gone on all the while");
}

/// A reset that turns the write cache off makes durable what was answered; there is nothing of it here.
#[test]
fn a_reset_that_turns_the_write_cache_off_does_not_wait_for_its_end() {
    let place = large();
    let mut session = place.session("one");
    let mut list = vec![0, 0, 0, 0, 0x08, 18];
    list.resize(4 + 20, 0);
    session.run(0, cdb::mode_select_saved(24), Flow::Out(&list)).good();
    list[4 + 2] = 1 << 2;
    session.run(0, cdb::mode_select(24), Flow::Out(&list)).good();
    session.run(0, cdb::block_erase(), Flow::None).good();
    assert_eq!(session.manage(TaskFunction::LogicalUnitReset, 0, TaskTag::NONE), 0);
    assert_eq!(sense(&mut session).key.bits(), 6);
    assert_eq!(code(&mut session), IN_PROGRESS);
}

/// Whoever sold the disk after the status of an array that was restarted meanwhile sold what was on it.
#[test]
fn it_goes_on_when_the_array_is_started_again() {
    let mut place = large();
    let mut session = place.session("one");
    let secret = pattern(4096);
    let last = (1 << 31) - 1;
    session.run(0, cdb::write(last, 1), Flow::Out(&secret)).good();
    session.run(0, cdb::block_erase(), Flow::None).good();
    drop(session);
    place.restart();
    assert_eq!(place.told("the sanitize that was under way begins anew").len(), 1);
    let mut session = place.session("one");
    wait_for_end(&mut session);
    assert_eq!(session.run(0, cdb::read(last, 1), Flow::In(4096)).good(), [0; 4096]);
    session.run(0, cdb::write(last, 1), Flow::Out(&secret)).good();
    drop(session);
    place.restart();
    let mut session = place.session("one");
    assert_eq!(session.run(0, cdb::read(last, 1), Flow::In(4096)).good(), secret, "it ended, for good");
}

/// The last copy of a disk was overwritten at the first start after it had been put back.
#[test]
fn a_file_that_was_put_in_the_place_of_the_one_that_was_erased_is_kept() {
    let mut place = large();
    let mut session = place.session("one");
    session.run(0, cdb::block_erase(), Flow::None).good();
    drop(session);
    let (path, backup) = (place.options.units[0].path.clone(), place.folder.path().join("backup"));
    let secret = pattern(8192);
    std::fs::write(&backup, &secret).unwrap();
    place.stop();
    std::fs::rename(&backup, &path).unwrap();
    place.restart();
    let mut session = place.session("one");
    assert_eq!(code(&mut session), FAILED);
    let told = place.told("UNIT 0 IS NOT SERVED");
    assert!(told[0].contains("unit-0.img.reservations"), "{told:?}");
    drop(session);
    place.stop();
    std::fs::remove_file(place.folder.path().join("unit-0.img.reservations")).unwrap();
    place.restart();
    assert_eq!(place.session("one").run(0, cdb::read(0, 2), Flow::In(8192)).good(), secret);
}

#[test]
fn a_backup_that_was_copied_into_the_file_that_was_erased_is_kept() {
    let mut place = large();
    let mut session = place.session("one");
    session.run(0, cdb::block_erase(), Flow::None).good();
    let path = place.options.units[0].path.clone();
    let saved = place.folder.path().join("unit-0.img.reservations");
    while !std::fs::read_to_string(&saved).unwrap().contains("begun") {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    drop(session);
    place.stop();
    let secret = pattern(8192);
    let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &secret, 0).unwrap();
    place.restart();
    assert_eq!(code(&mut place.session("one")), FAILED);
    assert_eq!(place.told("there is something again").len(), 1);
    let mut found = vec![0; secret.len()];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut found, 0).unwrap();
    assert_eq!(found, secret);
}

/// Its initiator was told that it had failed, and that the unit was of no use any more.
#[test]
fn who_waits_for_its_end_is_told_that_it_goes_on_when_the_array_stops() {
    let mut place = large();
    let mut session = place.session("one");
    let mut command = cdb::block_erase();
    // Without IMMED.
    command[1] &= 0x7f;
    let tag = session.start(0, command, Flow::None);
    session.ping_now();
    place.stop();
    assert_eq!(session.finish(tag).code(), IN_PROGRESS);
}

#[test]
fn one_that_cannot_go_on_leaves_a_unit_that_nobody_can_use() {
    let mut place = large();
    let mut session = place.session("one");
    session.run(0, cdb::block_erase(), Flow::None).good();
    drop(session);
    place.options.units[0].is_read_only = true;
    place.restart();
    let mut session = place.session("one");
    assert_eq!(code(&mut session), FAILED);
    assert_eq!(session.run(0, cdb::read(0, 1), Flow::In(4096)).code(), FAILED);
}

/// It had been sent before, and its data came when the disk was sold.
#[test]
fn a_write_that_waits_for_its_data_while_all_is_erased_writes_nothing() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    session.unasked = Unasked::Nothing;
    let write = session.start_held(0, cdb::write(7, 1), &pattern(512));
    other.run(0, cdb::block_erase(), Flow::None).good();
    wait_for_end(&mut other);
    session.release(write);
    assert_eq!(session.finish(write).code(), IN_PROGRESS);
    assert_eq!(session.run(0, cdb::read(7, 1), Flow::In(512)).good(), [0; 512]);
}
