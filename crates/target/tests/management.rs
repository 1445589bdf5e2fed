//! Task management: what ends, what is told to whom, and that the answer comes when the fate of each command is known (RFC 7143,
//! 11.5; SAM-5, "Task management functions").

use oarlock_block::{BlockSize, ByteCount};
use oarlock_scsi::Status;
use oarlock_scsi::iscsi::{TaskFunction, TaskTag};

use crate::initiator::{Flow, Session, Unasked, Who, cdb, lun};
use crate::place::{POWER_ON, Place, unit};

const COMPLETE: u8 = 0;
const NO_TASK: u8 = 1;
const NO_UNIT: u8 = 2;
const NOT_SUPPORTED: u8 = 5;

/// Why a PDU is rejected (RFC 7143, 11.17.1).
const INVALID_FIELD: u8 = 0x09;

/// BUS DEVICE RESET FUNCTION OCCURRED.
const UNIT_RESET: (u8, u8, u8) = (6, 0x29, 0x03);
/// SCSI BUS RESET OCCURRED.
const TARGET_RESET: (u8, u8, u8) = (6, 0x29, 0x02);
/// COMMANDS CLEARED BY ANOTHER INITIATOR.
const CLEARED: (u8, u8, u8) = (6, 0x2f, 0x00);
/// MODE PARAMETERS CHANGED.
const MODE_CHANGED: (u8, u8, u8) = (6, 0x2a, 0x01);
/// REGISTRATIONS PREEMPTED.
const PREEMPTED: (u8, u8, u8) = (6, 0x2a, 0x05);

/// The control mode page with TAS as it is to be.
pub(crate) fn control_page(task_aborted_status: bool) -> Vec<u8> {
    let mut list = vec![0, 0, 0, 0, 0x0a, 10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0];
    list[4 + 5] = u8::from(task_aborted_status) << 6;
    list
}

/// A write of one block that waits for its data.
fn held_write(session: &mut Session, lba: u64) -> TaskTag {
    session.unasked = Unasked::Nothing;
    session.start_held(0, cdb::write(lba, 1), &[0xee; 512])
}

fn block(session: &mut Session, lba: u64) -> Vec<u8> {
    session.run(0, cdb::read(lba, 1), Flow::In(512)).good()
}

fn code(session: &mut Session) -> (u8, u8, u8) {
    session.run(0, cdb::test_unit_ready(), Flow::None).code()
}

fn is_ready(session: &mut Session) {
    session.run(0, cdb::test_unit_ready(), Flow::None).good();
}

#[test]
fn a_command_that_waits_for_its_data_is_aborted_and_its_late_data_go_nowhere() {
    let place = Place::new();
    let mut session = place.session("one");
    let tag = held_write(&mut session, 5);
    let asked = session.asked(tag);
    assert_eq!(session.manage(TaskFunction::AbortTask, 0, tag), COMPLETE);
    let late = session.data_out(tag, asked.transfer_tag, 0);
    session.wire.send(late.encode(), &[0xee; 512]);
    assert_eq!(block(&mut session, 5), [0; 512]);
    session.forget(tag);
    assert_eq!(session.manage(TaskFunction::AbortTask, 0, tag), NO_TASK, "it is over");
    place.serves();
}

#[test]
fn a_task_that_is_not_there_is_not_aborted() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    assert_eq!(session.manage(TaskFunction::AbortTask, 0, TaskTag(0x7777)), NO_TASK);
    let tag = held_write(&mut other, 5);
    assert_eq!(session.manage(TaskFunction::AbortTask, 0, tag), NO_TASK, "another session's tag");
    other.release(tag);
    other.finish(tag).good();
    assert_eq!(session.manage(TaskFunction::AbortTaskSet, 7, TaskTag::NONE), NO_UNIT);
    assert_eq!(session.manage(TaskFunction::LogicalUnitReset, 7, TaskTag::NONE), NO_UNIT);
    assert_eq!(session.manage(TaskFunction::ClearAca, 0, TaskTag::NONE), NOT_SUPPORTED);
    assert_eq!(session.manage(TaskFunction::Unknown(99), 0, TaskTag::NONE), NOT_SUPPORTED);
    assert_eq!(session.manage(TaskFunction::TaskReassign, 0, TaskTag(1)), 4, "error recovery level 0");
}

/// A WRITE SAME of a gibibyte has its blocks in its hands for longer than any wait here: what waits for one of them is aborted at once all
/// the same, and does nothing when the block is free.
#[test]
fn a_command_that_waits_for_blocks_is_aborted_without_waiting_for_them() {
    let place = Place::with(|options, _| {
        options.units[0].size = Some(ByteCount(1 << 43));
        options.units[0].block_size = BlockSize::from_bytes(4096);
    });
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    let same = other.start(0, cdb::write_same(0, 1 << 18, false), Flow::Out(&[0x11; 4096]));
    // It has its blocks when its session has answered what came behind it, and takes long for a GiB.
    other.ping(b"behind it");
    let write = session.start(0, cdb::write((1 << 18) - 1, 1), Flow::Out(&[0xee; 4096]));
    session.ping(b"behind it");
    assert_eq!(session.manage(TaskFunction::AbortTask, 0, write), COMPLETE);
    session.forget(write);
    assert_eq!(other.manage(TaskFunction::AbortTask, 0, same), COMPLETE);
    other.forget(same);
    assert_eq!(session.run(0, cdb::read((1 << 18) - 1, 1), Flow::In(4096)).good(), [0; 4096]);
}

/// A backup that verifies a whole disk keeps nobody's heartbeat waiting.
#[test]
fn a_write_does_not_wait_for_the_end_of_a_verify() {
    let place = Place::with(|options, _| {
        options.units[0].size = Some(ByteCount(1 << 43));
        options.units[0].block_size = BlockSize::from_bytes(4096);
    });
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    let verify = other.start(0, cdb::verify(0, 1 << 31), Flow::None);
    other.ping(b"behind it");
    session.run(0, cdb::write(1 << 30, 1), Flow::Out(&[0xee; 4096])).good();
    assert_eq!(other.manage(TaskFunction::AbortTask, 0, verify), COMPLETE, "it was under way");
    other.forget(verify);
}

/// Memory answers at once: a command that goes over much of it step by step lets the others have their turns all the same.
#[test]
fn a_long_command_on_a_file_in_memory_keeps_nobody_waiting_for_its_end() {
    let place = Place::in_memory(|options, _| options.units[0].size = Some(ByteCount(1 << 40)));
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    let verify = other.start(0, cdb::verify(0, 1 << 31), Flow::None);
    session.run(0, cdb::write(1 << 30, 1), Flow::Out(&[0xee; 512])).good();
    assert_eq!(other.manage(TaskFunction::AbortTask, 0, verify), COMPLETE, "it was under way");
    other.forget(verify);
}

#[test]
fn abort_task_set_ends_the_tasks_of_its_sender_and_of_nobody_else() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    let own: Vec<TaskTag> = (0..3).map(|lba| held_write(&mut session, lba)).collect();
    let others = held_write(&mut other, 7);
    assert_eq!(session.manage(TaskFunction::AbortTaskSet, 0, TaskTag::NONE), COMPLETE);
    own.iter().for_each(|tag| session.forget(*tag));
    is_ready(&mut session);
    other.release(others);
    other.finish(others).good();
    assert_eq!(block(&mut session, 7), [0xee; 512]);
    assert_eq!(block(&mut session, 0), [0; 512]);
}

/// A write that a host had sent before the reset landed behind its answer.
#[test]
fn a_reset_ends_what_was_sent_before_it_and_has_not_come_yet() {
    let place = Place::new();
    let mut session = place.session("one");
    let missing = session.command(0, cdb::write(3, 1), Flow::Out(&[1; 512]));
    let waits = session.start(0, cdb::write(4, 1), Flow::Out(&[1; 512]));
    let reset = session.start_manage(TaskFunction::LogicalUnitReset, 0, TaskTag::NONE);
    session.ping_now();
    let missing = session.put(missing, Flow::Out(&[1; 512]));
    assert_eq!(session.managed(reset), COMPLETE);
    [missing, waits].into_iter().for_each(|tag| session.forget(tag));
    assert_eq!(code(&mut session), UNIT_RESET);
    assert_eq!([block(&mut session, 3), block(&mut session, 4)], [[0; 512]; 2]);
    place.serves();
}

#[test]
fn data_of_a_command_that_was_ended_are_not_those_of_the_next_one_with_its_tag() {
    let place = Place::new();
    let mut session = place.session("one");
    let old = held_write(&mut session, 5);
    let late = session.data_out(old, session.asked(old).transfer_tag, 0);
    assert_eq!(session.manage(TaskFunction::AbortTask, 0, old), COMPLETE);
    session.forget(old);
    let mut command = session.command(0, cdb::write(6, 1), Flow::Out(&[7; 512]));
    command.task_tag = old;
    session.put_held(&command, &[7; 512]);
    session.wire.send(late.encode(), &[0xee; 512]);
    assert_eq!(session.rejected(), INVALID_FIELD);
    session.release(old);
    session.finish(old).good();
    assert_eq!(block(&mut session, 6), [7; 512]);
}

#[test]
fn clear_task_set_without_tas_ends_the_tasks_of_others_in_silence_and_tells_them_by_an_attention() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    let own = held_write(&mut session, 1);
    let others: Vec<TaskTag> = (2..5).map(|lba| held_write(&mut other, lba)).collect();
    assert_eq!(session.manage(TaskFunction::ClearTaskSet, 0, TaskTag::NONE), COMPLETE);
    session.forget(own);
    is_ready(&mut session);
    assert_eq!(code(&mut other), CLEARED);
    others.iter().for_each(|tag| other.forget(*tag));
    is_ready(&mut other);
    place.serves();
}

#[test]
fn clear_task_set_with_tas_answers_the_tasks_of_others_with_task_aborted() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    let list = control_page(true);
    session.run(0, cdb::mode_select(16), Flow::Out(&list)).good();
    assert_eq!(code(&mut other), MODE_CHANGED);
    let own = held_write(&mut session, 1);
    let others = held_write(&mut other, 2);
    assert_eq!(session.manage(TaskFunction::ClearTaskSet, 0, TaskTag::NONE), COMPLETE);
    session.forget(own);
    assert_eq!(other.finish(others).status, Status::TASK_ABORTED);
    is_ready(&mut other);
    is_ready(&mut session);
}

#[test]
fn a_unit_reset_ends_all_tasks_gives_back_reservations_and_settings_and_tells_every_nexus() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    other.run(0, cdb::reserve(), Flow::None).good();
    assert_eq!(session.run(0, cdb::read(0, 1), Flow::In(512)).status, Status::RESERVATION_CONFLICT);
    other.run(0, cdb::mode_select(16), Flow::Out(&control_page(true))).good();
    let held = held_write(&mut other, 3);
    assert_eq!(session.manage(TaskFunction::LogicalUnitReset, 0, TaskTag::NONE), COMPLETE);
    assert_eq!(code(&mut session), MODE_CHANGED, "what was to be told before the reset");
    assert_eq!(code(&mut session), UNIT_RESET, "the sender is told too");
    assert_eq!(code(&mut other), UNIT_RESET);
    other.forget(held);
    is_ready(&mut session);
    is_ready(&mut other);
    assert_eq!(block(&mut session, 3), [0; 512], "the reservation is gone, and nothing was written");
    let page = session.run(0, cdb::mode_sense(0x0a), Flow::In(252)).good();
    assert_eq!(page[4 + 5] & 0x40, 0, "TAS is as it was at the start");
}

/// A machine that was stalled finds the command and the function that gives it up in its socket together.
#[test]
fn what_ends_commands_ends_those_that_came_in_one_piece_with_it() {
    let functions = [
        TaskFunction::AbortTask,
        TaskFunction::AbortTaskSet,
        TaskFunction::ClearTaskSet,
        TaskFunction::LogicalUnitReset,
        TaskFunction::TargetWarmReset,
    ];
    for function in functions {
        let place = Place::new();
        let mut session = place.session("one");
        let command = session.command(0, cdb::write(5, 1), Flow::Out(&[0xee; 512]));
        let request = session.request(function, 0, command.task_tag);
        session.expect(command.task_tag);
        let write = session.wire.encode(command.encode(), &[0xee; 512]);
        let bytes = [write, session.wire.encode(request.encode(), &[])].concat();
        session.wire.send_bytes(&bytes);
        assert_eq!(session.managed(request.task_tag), COMPLETE);
        session.forget(command.task_tag);
        assert_eq!(block_after_attentions(&mut session, 5), [0; 512], "{function:?}");
    }
}

#[test]
fn functions_that_wait_for_one_command_are_bounded() {
    const REJECTED: u8 = 255;
    let place = Place::with(|options, _| options.units[0].size = Some(ByteCount(4 << 30)));
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    let same = other.start(0, cdb::write_same(0, 2 << 20, false), Flow::Out(&[0x11; 512]));
    other.ping(b"behind it");
    // In one piece: none of them is answered before the last one has come.
    let mut bytes = Vec::new();
    for _ in 0..65 {
        let request = session.request(TaskFunction::ClearTaskSet, 0, TaskTag::NONE);
        bytes.extend(session.wire.encode(request.encode(), &[]));
    }
    session.wire.send_bytes(&bytes);
    let mut answers: Vec<_> = (0..65).map(|_| session.any_managed()).collect();
    answers.sort_unstable();
    assert_eq!(answers.iter().filter(|answer| **answer == COMPLETE).count(), 64);
    assert_eq!(answers.last(), Some(&REJECTED));
    other.forget(same);
}

#[test]
fn a_warm_reset_resets_every_unit_and_keeps_the_sessions() {
    let place = Place::with(|options, folder| {
        let second = unit(folder, 1);
        options.units.push(second);
    });
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    assert_eq!(other.run(1, cdb::test_unit_ready(), Flow::None).code(), POWER_ON);
    let held = held_write(&mut other, 3);
    assert_eq!(session.manage(TaskFunction::TargetWarmReset, 0, TaskTag::NONE), COMPLETE);
    assert_eq!(code(&mut other), TARGET_RESET);
    other.forget(held);
    assert_eq!(other.run(1, cdb::test_unit_ready(), Flow::None).code(), TARGET_RESET);
    assert_eq!(code(&mut session), TARGET_RESET);
    is_ready(&mut session);
    is_ready(&mut other);
}

#[test]
fn a_cold_reset_is_answered_and_then_ends_every_session() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    let held = held_write(&mut other, 3);
    assert_eq!(session.manage(TaskFunction::TargetColdReset, 0, TaskTag::NONE), COMPLETE);
    assert!(session.wire.wait_for_end().is_empty());
    assert!(other.wire.wait_for_end().is_empty());
    other.forget(held);
    let mut again = Who::new("one").login(place.portal());
    assert_eq!(code(&mut again), TARGET_RESET);
    assert_eq!(block_after_attentions(&mut again, 3), [0; 512]);
    place.serves();
}

fn block_after_attentions(session: &mut Session, lba: u64) -> Vec<u8> {
    while session.run(0, cdb::test_unit_ready(), Flow::None).status == Status::CHECK_CONDITION {}
    block(session, lba)
}

#[test]
fn preempt_and_abort_ends_the_tasks_of_whom_it_preempts_before_it_is_answered() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    let mut bystander = place.session("three");
    for (initiator, key) in [(&mut session, 1), (&mut other, 2)] {
        initiator.unasked = Unasked::Immediate;
        initiator.run(0, cdb::reserve_out(0, 0), Flow::Out(&cdb::reserve_list(0, key, false))).good();
    }
    let all_may_write_that_registered = 5;
    other
        .run(
            0,
            cdb::reserve_out(1, all_may_write_that_registered),
            Flow::Out(&cdb::reserve_list(2, 0, false)),
        )
        .good();
    let held = held_write(&mut other, 3);
    let asked = other.asked(held);
    let preempt = cdb::reserve_out(5, all_may_write_that_registered);
    session.run(0, preempt, Flow::Out(&cdb::reserve_list(1, 2, false))).good();
    let late = other.data_out(held, asked.transfer_tag, 0);
    other.wire.send(late.encode(), &[0xee; 512]);
    assert_eq!(code(&mut other), PREEMPTED);
    other.forget(held);
    assert_eq!(block(&mut bystander, 3), [0; 512]);
    other.unasked = Unasked::Immediate;
    assert_eq!(
        other.run(0, cdb::write(3, 1), Flow::Out(&[0xee; 512])).status,
        Status::RESERVATION_CONFLICT,
        "it is not registered any more"
    );
}

/// The preemptor's own tasks go on, the one that preempts among them: else it would wait for its own end.
#[test]
fn preempt_and_abort_of_ones_own_key_spares_ones_own_tasks() {
    let place = Place::new();
    let mut session = place.session("one");
    session.run(0, cdb::reserve_out(0, 0), Flow::Out(&cdb::reserve_list(0, 1, false))).good();
    session.run(0, cdb::reserve_out(1, 1), Flow::Out(&cdb::reserve_list(1, 0, false))).good();
    let held = held_write(&mut session, 3);
    session.unasked = Unasked::Immediate;
    session.run(0, cdb::reserve_out(5, 3), Flow::Out(&cdb::reserve_list(1, 1, false))).good();
    session.release(held);
    session.finish(held).good();
    assert_eq!(block(&mut session, 3), [0xee; 512]);
}

/// A command that waits for a number before its own is ended as well: it does nothing when that number comes, and its tag is free.
#[test]
fn a_command_that_waits_for_its_number_is_aborted() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    let missing = session.take_cmd_sn();
    let reserve = session.start(0, cdb::reserve(), Flow::None);
    assert_eq!(session.manage(TaskFunction::AbortTask, 0, reserve), COMPLETE);
    session.forget(reserve);
    let mut again = session.command(0, cdb::test_unit_ready(), Flow::None);
    again.task_tag = reserve;
    let again = session.put(again, Flow::None);
    let mut late = session.command(0, cdb::test_unit_ready(), Flow::None);
    session.cmd_sn = session.cmd_sn.minus(1);
    late.cmd_sn = missing;
    let late = session.put(late, Flow::None);
    session.finish(late).good();
    session.finish(again).good();
    other.run(0, cdb::read(0, 1), Flow::In(512)).good();
    is_ready(&mut session);
}

/// It kept an array that was told to stop for twenty seconds.
#[test]
fn an_array_that_stops_waits_for_no_command_whose_number_has_not_come() {
    let mut place = Place::new();
    let (mut waiting, mut busy) = (place.session("one"), place.session("two"));
    waiting.take_cmd_sn();
    waiting.start(0, cdb::test_unit_ready(), Flow::None);
    waiting.ping_now();
    let held = held_write(&mut busy, 3);
    std::thread::scope(|scope| {
        scope.spawn(|| place.stop());
        waiting.wire.wait_for_end();
        busy.release(held);
        busy.finish(held).good();
    });
}

#[test]
fn task_management_names_the_unit_by_its_eight_bytes() {
    assert_eq!(lun(3), [0, 3, 0, 0, 0, 0, 0, 0]);
    let place = Place::new();
    let mut session = place.session("one");
    let tag = held_write(&mut session, 1);
    assert_eq!(session.manage(TaskFunction::AbortTask, 1, tag), NO_TASK, "a task of another unit");
    session.release(tag);
    session.finish(tag).good();
}
