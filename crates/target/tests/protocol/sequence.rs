//! Numbers of commands and tags of tasks (RFC 7143, 4.2.2.1 and 11.3).

use oarlock_scsi::iscsi::{LogoutReason, NopOut, TaskFunction, TaskRequest, TaskTag};

use crate::initiator::{Flow, Session, Unasked, cdb};
use crate::place::Place;

const TASK_IN_PROGRESS: u8 = 0x07;
/// Task does not exist.
const NO_TASK: u8 = 1;
const TOO_MANY_IMMEDIATE: u8 = 0x06;
/// Commands that a session may have open.
const WINDOW: u32 = 128;
/// Immediate ones besides.
const IMMEDIATE_MAX: usize = 64;

fn goes_on(place: &Place, session: &mut Session) {
    session.run(0, cdb::test_unit_ready(), Flow::None).good();
    place.serves();
}

#[test]
fn a_command_whose_number_was_used_is_ignored() {
    let place = Place::new();
    let mut session = place.session("one");
    let mut old = session.command(0, cdb::write(3, 1), Flow::Out(&[1; 512]));
    session.cmd_sn = old.cmd_sn;
    old.cmd_sn = old.cmd_sn.minus(1);
    let tag = session.put(old, Flow::Out(&[1; 512]));
    session.ping_now();
    session.forget(tag);
    assert_eq!(session.run(0, cdb::read(3, 1), Flow::In(512)).good(), [0; 512]);
    goes_on(&place, &mut session);
}

#[test]
fn a_command_beyond_the_window_is_ignored_and_may_be_sent_again_when_its_turn_comes() {
    let place = Place::new();
    let mut session = place.session("one");
    let next = session.cmd_sn;
    let mut early = session.command(0, cdb::write(3, 1), Flow::Out(&[1; 512]));
    session.cmd_sn = next;
    early.cmd_sn = session.max_cmd_sn.next();
    let tag = session.put(early, Flow::Out(&[1; 512]));
    while session.cmd_sn.is_before(early.cmd_sn) {
        session.run(0, cdb::test_unit_ready(), Flow::None).good();
    }
    session.forget(tag);
    assert_eq!(session.run(0, cdb::read(3, 1), Flow::In(512)).good(), [0; 512]);
    goes_on(&place, &mut session);
}

fn ask(session: &mut Session, request: &TaskRequest) -> u8 {
    session.wire.send(request.encode(), &[]);
    session.managed(request.task_tag)
}

/// An initiator that gave a command up before it was sent had its session stand still for ever.
#[test]
fn an_abort_of_a_command_that_never_came_lets_those_behind_it_go_on() {
    let place = Place::new();
    let mut session = place.session("one");
    let lost = session.command(0, cdb::write(3, 1), Flow::Out(&[1; 512]));
    let behind = session.start(0, cdb::write(3, 1), Flow::Out(&[2; 512]));
    session.ping_now();
    assert!(!session.is_answered(behind));
    let mut abort = session.request(TaskFunction::AbortTask, 0, lost.task_tag);
    abort.referenced_cmd_sn = lost.cmd_sn.minus(1);
    assert_eq!(ask(&mut session, &abort), NO_TASK, "that number was another's");
    let mut abort = session.request(TaskFunction::AbortTask, 0, lost.task_tag);
    abort.referenced_cmd_sn = lost.cmd_sn;
    assert_eq!(ask(&mut session, &abort), 0);
    session.finish(behind).good();
    let tag = session.put(lost, Flow::Out(&[1; 512]));
    session.ping_now();
    session.forget(tag);
    assert_eq!(session.run(0, cdb::read(3, 1), Flow::In(512)).good(), [2; 512], "it comes too late now");
    goes_on(&place, &mut session);
}

#[test]
fn commands_behind_a_missing_number_wait_for_it_and_are_executed_in_their_order() {
    let place = Place::new();
    let mut session = place.session("one");
    let first = session.command(0, cdb::write(3, 1), Flow::Out(&[1; 512]));
    let third_sn = session.cmd_sn.next();
    let mut third = session.command(0, cdb::write(3, 1), Flow::Out(&[3; 512]));
    let mut second = session.command(0, cdb::write(3, 1), Flow::Out(&[2; 512]));
    (second.cmd_sn, third.cmd_sn) = (third.cmd_sn, third_sn);
    let third = session.put(third, Flow::Out(&[3; 512]));
    let second = session.put(second, Flow::Out(&[2; 512]));
    session.ping_now();
    assert!(!session.is_answered(second) && !session.is_answered(third));
    let first = session.put(first, Flow::Out(&[1; 512]));
    for tag in [first, second, third] {
        session.finish(tag).good();
    }
    assert_eq!(session.run(0, cdb::read(3, 1), Flow::In(512)).good(), [3; 512]);
    goes_on(&place, &mut session);
}

/// The second one is ignored like every command whose number was used: it keeps nothing, its tag least of all.
#[test]
fn of_two_commands_of_one_number_that_wait_the_second_is_ignored() {
    let place = Place::new();
    let mut session = place.session("one");
    let missing = session.command(0, cdb::test_unit_ready(), Flow::None);
    let waits = session.command(0, cdb::write(3, 1), Flow::Out(&[1; 512]));
    let mut twin = waits;
    twin.task_tag = session.tag();
    let waits = session.put(waits, Flow::Out(&[1; 512]));
    let twin = session.put(twin, Flow::Out(&[2; 512]));
    let missing = session.put(missing, Flow::None);
    session.finish(missing).good();
    session.finish(waits).good();
    session.ping_now();
    session.forget(twin);
    let mut again = session.command(0, cdb::read(3, 1), Flow::In(512));
    again.task_tag = twin;
    let again = session.put(again, Flow::In(512));
    assert_eq!(session.finish(again).good(), [1; 512]);
    goes_on(&place, &mut session);
}

#[test]
fn a_tag_that_an_open_task_has_is_rejected_and_that_task_goes_on() {
    let place = Place::new();
    let mut session = place.session("one");
    session.unasked = Unasked::Nothing;
    let held = session.start_held(0, cdb::write(3, 1), &[1; 512]);
    for tag in [held, TaskTag::NONE] {
        let mut twin = session.command(0, cdb::test_unit_ready(), Flow::None);
        twin.task_tag = tag;
        session.wire.send(twin.encode(), &[]);
        assert_eq!(session.rejected(), TASK_IN_PROGRESS);
    }
    session.release(held);
    session.finish(held).good();
    assert_eq!(session.run(0, cdb::read(3, 1), Flow::In(512)).good(), [1; 512]);
    goes_on(&place, &mut session);
}

#[test]
fn the_window_closes_when_it_is_full_and_opens_again() {
    let place = Place::new();
    let mut session = place.session("one");
    session.unasked = Unasked::Nothing;
    let held: Vec<TaskTag> =
        (0..WINDOW).map(|lba| session.start_held(0, cdb::write(lba.into(), 1), &[1; 512])).collect();
    assert_eq!(session.max_cmd_sn.next(), session.cmd_sn, "no further command may be sent");
    let one_more = session.start(0, cdb::test_unit_ready(), Flow::None);
    session.ping_now();
    session.forget(one_more);
    session.cmd_sn = session.cmd_sn.minus(1);
    for tag in held {
        session.release(tag);
        session.finish(tag).good();
    }
    assert_eq!(session.max_cmd_sn.since(session.cmd_sn), WINDOW - 1);
    goes_on(&place, &mut session);
}

#[test]
fn immediate_commands_have_a_bound_of_their_own() {
    let place = Place::new();
    let mut session = place.session("one");
    let immediate = |session: &mut Session| {
        let mut command = session.command(0, cdb::write(1, 1), Flow::Out(&[1; 512]));
        session.cmd_sn = command.cmd_sn;
        command.is_immediate = true;
        command
    };
    let held: Vec<TaskTag> = (0..IMMEDIATE_MAX)
        .map(|_| {
            let command = immediate(&mut session);
            session.put_held(&command, &[1; 512])
        })
        .collect();
    let one_more = immediate(&mut session);
    session.wire.send(one_more.encode(), &[]);
    assert_eq!(session.rejected(), TOO_MANY_IMMEDIATE);
    for tag in held {
        session.release(tag);
        session.finish(tag).good();
    }
    goes_on(&place, &mut session);
}

/// What came in the same bytes was executed, and the next session of the host would have found it under way.
#[test]
fn what_stands_behind_the_end_of_a_session_is_nobodys() {
    let place = Place::new();
    let mut session = place.session("one");
    let next = session.command(0, cdb::write(3, 1), Flow::Out(&[1; 512]));
    let mut bytes = Vec::new();
    for ahead in 1..20 {
        let mut early = session.command(0, cdb::test_unit_ready(), Flow::None);
        early.cmd_sn = (0..ahead).fold(next.cmd_sn, |number, _| number.next());
        let nop = NopOut {
            lun: [0; 8],
            is_immediate: false,
            task_tag: early.task_tag,
            transfer_tag: TaskTag::NONE,
            cmd_sn: early.cmd_sn,
            exp_stat_sn: early.exp_stat_sn,
        };
        bytes.extend(session.wire.encode(nop.encode(), &[0; 64 << 10]));
    }
    bytes.extend(session.wire.encode(next.encode(), &[1; 512]));
    session.wire.send_bytes(&bytes);
    session.wire.wait_for_end();
    let mut other = place.session("two");
    assert_eq!(other.run(0, cdb::read(3, 1), Flow::In(512)).good(), [0; 512]);
    assert!(!place.told("too much before its turn").is_empty());
}

#[test]
fn a_logout_behind_a_missing_number_ends_the_session_when_the_number_comes() {
    let place = Place::new();
    let mut session = place.session("one");
    let missing = session.command(0, cdb::test_unit_ready(), Flow::None);
    let logout = session.logout_request(LogoutReason::CloseSession, 1);
    session.wire.send(logout.encode(), &[]);
    session.ping_now();
    session.wire.send(missing.encode(), &[]);
    session.wire.wait_for_end();
    place.serves();
    assert!(place.target().sessions().unwrap().is_empty());
}
