//! Copies from unit to unit: they end with either unit, and what became of them is told as it was.

use oarlock_block::{BlockSize, ByteCount, Lba};
use oarlock_scsi::iscsi::{TaskAttribute, TaskFunction, TaskTag};
use oarlock_scsi::vpd::{Designation, Designator};
use oarlock_scsi::{CopyList, CopyTarget, ListIdUsage, Segment, Status};
use oarlock_target::UnitOptions;

use crate::initiator::{Answer, Flow, Session, Unasked, cdb};
use crate::place::{Place, meet, unit};

/// What RECEIVE COPY STATUS calls a copy that was not done.
const COMPLETED_WITH_ERRORS: u8 = 2;
/// Of each segment: 32 MiB less a block. All of them take a while wherever the files lie.
const BLOCKS: u16 = u16::MAX;
const SEGMENTS: u64 = 60;
const IDENTIFIER: u8 = 7;

/// Two units that are long enough.
fn place() -> Place {
    Place::with(|options, folder| {
        let second = unit(folder, 1);
        options.units.push(second);
        options.units.iter_mut().for_each(|unit| unit.size = Some(ByteCount(4 << 30)));
    })
}

/// A unit, as a copy names it.
pub(crate) fn copy_target(session: &mut Session, unit: u16) -> CopyTarget {
    let page = session.run(unit, cdb::vpd(0x83, 1024), Flow::In(1024)).good();
    let (designation, _) = Designation::decode(&page[4..]).expect("the unit's first name");
    assert!(matches!(designation.designator, Designator::Naa(_)));
    CopyTarget { designation, device_type: 0, pad: false, block_bytes: 512 }
}

/// Copies of `count` blocks each, one behind the other from the first block on, between units of that list.
pub(crate) fn copy_list(
    targets: impl Into<Vec<CopyTarget>>,
    (source, destination): (u16, u16),
    count: u16,
    segments: u64,
) -> Vec<u8> {
    let segment = |number: u64| Segment::Blocks {
        source,
        destination,
        concatenates: false,
        of_destination: false,
        count,
        source_lba: Lba(number * u64::from(count)),
        destination_lba: Lba(number * u64::from(count)),
    };
    CopyList {
        list_identifier: IDENTIFIER,
        usage: ListIdUsage::Hold,
        sequential: false,
        priority: 0,
        targets: targets.into(),
        segments: (0..segments).map(segment).collect(),
    }
    .encode()
}

/// The list of a long copy from unit 0 to unit 1.
fn long_list(session: &mut Session) -> Vec<u8> {
    let targets = [copy_target(session, 0), copy_target(session, 1)];
    copy_list(targets, (0, 1), BLOCKS, SEGMENTS)
}

/// Such a copy, which unit 0 was asked for and which is under way.
fn start_copy(session: &mut Session) -> TaskTag {
    let list = long_list(session);
    start_copy_of(session, &list)
}

fn start_copy_of(session: &mut Session, list: &[u8]) -> TaskTag {
    let tag = session.start(0, cdb::extended_copy(list.len()), Flow::Out(list));
    session.ping(b"behind it");
    tag
}

/// A unit that was copied to by an ordered copy of another one was lost to everybody: who waited there was woken by nobody.
#[test]
fn an_ordered_copy_is_ordered_where_it_was_sent_alone() {
    let place = place();
    let [mut copier, mut writer, mut reader] = ["one", "two", "three"].map(|name| {
        let mut session = place.session(name);
        meet(&mut session, 1);
        session
    });
    let list = long_list(&mut copier);
    writer.attribute = TaskAttribute::Ordered;
    writer.unasked = Unasked::Nothing;
    const FAR: u64 = (4 << 30) / 512 - 1;
    let write = writer.start_held(1, cdb::write(FAR, 1), &[1; 512]);
    copier.attribute = TaskAttribute::Ordered;
    let copy = start_copy_of(&mut copier, &list);
    let read = reader.start(1, cdb::read(FAR, 1), Flow::In(512));
    reader.ping_now();
    writer.release(write);
    writer.finish(write).good();
    assert_eq!(reader.finish(read).good(), [1; 512]);
    assert_eq!(copier.manage(TaskFunction::AbortTask, 0, copy), 0);
    copier.forget(copy);
    writer.run(1, cdb::test_unit_ready(), Flow::None).good();
}

fn status_of_copy(session: &mut Session) -> u8 {
    session.run(0, cdb::receive_copy_status(IDENTIFIER), Flow::In(12)).good()[4] & 0x7f
}

/// How many commands the array has of each session.
fn under_way(place: &Place) -> Vec<usize> {
    place.target().sessions().unwrap().iter().map(|session| session.commands).collect()
}

/// It was merged into the block of the destination, whether its initiator wanted that or not.
#[test]
fn blocks_that_end_within_a_longer_block_are_padded_where_that_was_asked_for_and_refused_elsewhere() {
    let place = Place::with(|options, folder| {
        options.units.push(UnitOptions { block_size: Some(BlockSize::B4096), ..unit(folder, 1) });
    });
    let mut session = place.session("one");
    meet(&mut session, 1);
    session.run(0, cdb::write(0, 24), Flow::Out(&[1; 24 * 512])).good();
    session.run(1, cdb::write(0, 2), Flow::Out(&[2; 2 * 4096])).good();
    let mut targets = [copy_target(&mut session, 0), copy_target(&mut session, 1)];
    targets[1].block_bytes = 4096;
    let segment = |count, lba| Segment::Blocks {
        source: 0,
        destination: 1,
        concatenates: false,
        of_destination: false,
        count,
        source_lba: Lba(0),
        destination_lba: Lba(lba),
    };
    let mut list = CopyList {
        list_identifier: IDENTIFIER,
        usage: ListIdUsage::Discard,
        sequential: false,
        priority: 0,
        targets: targets.to_vec(),
        segments: vec![segment(8, 0), segment(3, 1)],
    };
    let refused = copy(&mut session, &list);
    assert_eq!(refused.code(), (0xa, 0x26, 0x0a));
    assert_eq!(refused.sense.unwrap().command_specific, Some(1), "the second segment");
    let both = [[1; 4096], [2; 4096]].concat();
    assert_eq!(session.run(1, cdb::read(0, 2), Flow::In(2 * 4096)).good(), both);
    list.targets[1].device_type = 1;
    assert_eq!(copy(&mut session, &list).code(), (0xa, 0x0d, 0x03), "a tape");
    list.targets[1].device_type = 0;
    list.targets[1].pad = true;
    copy(&mut session, &list).good();
    let padded = [vec![1; 3 * 512], vec![0; 5 * 512]].concat();
    assert_eq!(session.run(1, cdb::read(1, 1), Flow::In(4096)).good(), padded);
}

fn copy(session: &mut Session, list: &CopyList) -> Answer {
    let list = list.encode();
    session.run(0, cdb::extended_copy(list.len()), Flow::Out(&list))
}

#[test]
fn a_copy_that_was_aborted_is_not_told_to_be_done() {
    let place = place();
    let mut session = place.session("one");
    meet(&mut session, 1);
    let copy = start_copy(&mut session);
    assert_eq!(session.manage(TaskFunction::AbortTask, 0, copy), 0);
    session.forget(copy);
    assert_eq!(status_of_copy(&mut session), COMPLETED_WITH_ERRORS);
}

#[test]
fn a_copy_has_ended_when_the_unit_that_it_writes_is_removed() {
    let place = place();
    let mut session = place.session("one");
    meet(&mut session, 1);
    let copy = start_copy(&mut session);
    place.target().remove_unit(1).unwrap();
    assert_eq!(under_way(&place), [0]);
    // Nobody has its file any more.
    place.target().add_unit(&place.options.units[1]).unwrap();
    assert_eq!(session.finish(copy).status, Status::TASK_ABORTED);
}

#[test]
fn a_copy_has_ended_when_the_unit_that_it_writes_is_reset() {
    let place = place();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    meet(&mut session, 1);
    let copy = start_copy(&mut session);
    assert_eq!(other.manage(TaskFunction::LogicalUnitReset, 1, TaskTag::NONE), 0);
    assert_eq!(under_way(&place), [0, 0]);
    session.forget(copy);
}

/// A host that was fenced writes no more, by whatever unit it asked for its copy.
#[test]
fn a_copy_has_ended_when_its_initiator_is_preempted_on_the_unit_that_it_writes() {
    const REGISTER: u8 = 0;
    const PREEMPT_AND_ABORT: u8 = 5;
    let place = place();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    meet(&mut session, 1);
    meet(&mut other, 1);
    for (registrant, key) in [(&mut session, 1), (&mut other, 2)] {
        let list = cdb::reserve_list(0, key, false);
        registrant.run(1, cdb::reserve_out(REGISTER, 0), Flow::Out(&list)).good();
    }
    let copy = start_copy(&mut session);
    let list = cdb::reserve_list(2, 1, false);
    other.run(1, cdb::reserve_out(PREEMPT_AND_ABORT, 1), Flow::Out(&list)).good();
    assert_eq!(under_way(&place), [0, 0]);
    session.forget(copy);
}

#[test]
fn a_sanitize_has_ended_when_its_unit_is_removed() {
    let place = place();
    let mut session = place.session("one");
    meet(&mut session, 1);
    // An overwrite by a pattern, which is answered at once.
    let list = [&[1, 0, 0, 4][..], &[0x5a; 4]].concat();
    session.run(1, cdb::sanitize_overwrite(list.len()), Flow::Out(&list)).good();
    place.target().remove_unit(1).unwrap();
    place.target().add_unit(&place.options.units[1]).unwrap();
}
