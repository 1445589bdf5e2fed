//! Memory is bounded, and no initiator keeps the others from it: not one that sends no data, and not one that reads no answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use oarlock_scsi::Status;
use oarlock_scsi::iscsi::TaskAttribute;

use crate::initiator::{Flow, Session, Unasked, Who, cdb};
use crate::place::{Place, meet, pattern, unit};

/// The longest transfer that hosts send.
const LONGEST: usize = 8 << 20;
/// The longest transfer of one command.
const TRANSFER_MAX: usize = 32 << 20;
/// Such commands that take all of the memory for data together.
const ALL: u8 = 24;
/// Those of one unit: the others have a place left.
const OF_UNIT: u8 = 21;
/// The blocks of one of them.
const BLOCKS: u32 = 16_384;

fn login(place: &Place, number: u8) -> Session {
    let who = Who::new("one").with_session_id(number.into()).key("MaxRecvDataSegmentLength", "262144");
    let mut session = who.key("MaxBurstLength", "1048576").login(place.portal());
    meet(&mut session, 0);
    session.unasked = Unasked::Nothing;
    session
}

/// So many hosts that lost their power in the middle of as many writes each of `data`, from one block on.
fn stalled(place: &Place, hosts: u8, writes: usize, lba: u64, data: &[u8]) -> Vec<Session> {
    let blocks = u32::try_from(data.len() / 512).expect("at most the longest transfer");
    let stall = |number| {
        let mut session = login(place, number);
        for _ in 0..writes {
            let command = session.command(0, cdb::write(lba, blocks), Flow::Out(data));
            session.put_mute(&command, data);
        }
        session.ping_now();
        session
    };
    (0..hosts).map(stall).collect()
}

/// Writes hold all of the memory and wait for the blocks of a VERIFY, which has memory of its own to go on with.
#[test]
fn who_waits_for_blocks_keeps_no_memory_from_who_has_them() {
    let place = Place::in_memory(|_, _| {});
    let data = pattern(LONGEST);
    let mut writers: Vec<_> = (0..OF_UNIT)
        .map(|number| {
            let mut session = login(&place, number);
            let tag = session.start_held(0, cdb::write(u64::from(number % 2), BLOCKS), &data);
            (session, tag)
        })
        .collect();
    let mut verifier = login(&place, ALL);
    let verify = verifier.start(0, cdb::verify(0, 2 * BLOCKS), Flow::None);
    verifier.ping_now();
    for (session, tag) in &mut writers {
        session.release(*tag);
    }
    for (session, tag) in &mut writers {
        session.finish(*tag).good();
    }
    verifier.finish(verify).good();
}

#[test]
fn an_initiator_that_sends_no_data_keeps_no_memory_from_others() {
    let place = Place::in_memory(|_, _| {});
    let mut session = login(&place, 0);
    let data = pattern(LONGEST);
    let first = session.start_held(0, cdb::write(65_536, BLOCKS), &data);
    let others: Vec<_> =
        (0..ALL).map(|_| session.start(0, cdb::write(65_536, BLOCKS), Flow::Out(&data))).collect();
    session.ping_now();
    place.serves_unordered();
    session.release(first);
    session.finish(first).good();
    others.into_iter().for_each(|tag| drop(session.finish(tag).good()));
}

/// Four hosts that lost their power in the middle of their writes kept the others from every read for half a minute.
#[test]
fn initiators_that_send_no_data_leave_memory_to_the_others_however_many_they_are() {
    let place = Place::in_memory(|_, _| {});
    let data = pattern(1 << 20);
    let mut stalled = stalled(&place, 8, 48, 65_536, &data);
    let mut other = login(&place, 100);
    assert_eq!(other.run(0, cdb::read(0, 2048), Flow::In(1 << 20)).good().len(), 1 << 20);
    other.run(0, cdb::write(0, 2048), Flow::Out(&data)).good();
    stalled.iter_mut().for_each(Session::ping_now);
}

/// It had its share for each of its units, and so all of what the units on one disk may have: hosts of the others got one command's data at a time.
#[test]
fn an_initiator_that_stalls_on_many_units_keeps_no_more_than_on_one() {
    let place =
        Place::in_memory(|options, folder| options.units.extend((1..17).map(|number| unit(folder, number))));
    let data = pattern(1 << 20);
    let mut stalled = login(&place, 0);
    for number in 1..17 {
        meet(&mut stalled, number);
        for _ in 0..8 {
            let command = stalled.command(number, cdb::write(0, 2048), Flow::Out(&data));
            stalled.put_mute(&command, &data);
        }
    }
    stalled.ping_now();
    let mut other = login(&place, 1);
    let writes: Vec<_> =
        (0..8).map(|number| other.start_held(0, cdb::write(2048 * number, 2048), &data)).collect();
    other.ping_now();
    writes.iter().for_each(|tag| assert_eq!(other.asked(*tag).length, 1 << 20));
    writes.iter().for_each(|tag| other.release(*tag));
    writes.into_iter().for_each(|tag| drop(other.finish(tag).good()));
}

/// Six of them had all of the memory, and every read of 128 KiB waited for half a minute.
#[test]
fn initiators_that_stop_in_the_middle_of_the_longest_writes_keep_nobody_waiting() {
    let place = Place::in_memory(|_, _| {});
    let data = pattern(TRANSFER_MAX);
    let mut stalled = stalled(&place, 6, 1, 0, &data);
    let mut other = login(&place, 100);
    for blocks in [8, 256, 2048] {
        other.run(0, cdb::read(0, blocks), Flow::In(512 * blocks as usize)).good();
    }
    stalled.iter_mut().for_each(Session::ping_now);
}

/// So many that what each of them has at least is all there is: they are given up sooner than those in whose way nobody is, and before the heartbeat
/// of a host runs out.
#[test]
fn who_stalls_in_the_way_of_others_is_given_up_soon() {
    let place = Place::in_memory(|_, _| {});
    let data = pattern(LONGEST);
    let stalled = stalled(&place, ALL, 1, 0, &data);
    let mut other = login(&place, 100);
    other.run(0, cdb::read(0, BLOCKS), Flow::In(LONGEST)).good();
    assert!(!place.told("does not send the data of a command").is_empty());
    drop(stalled);
}

/// An ordered command keeps all that come behind it waiting, whoever sent them.
#[test]
fn who_stalls_in_an_ordered_command_is_given_up_soon() {
    let place = Place::in_memory(|_, _| {});
    let mut session = login(&place, 0);
    session.attribute = TaskAttribute::Ordered;
    let command = session.command(0, cdb::write(0, 1), Flow::Out(&[1; 512]));
    session.put_mute(&command, &[1; 512]);
    session.ping_now();
    let mut other = login(&place, 1);
    other.run(0, cdb::read(0, 1), Flow::In(512)).good();
    assert!(!place.told("does not send the data of a command").is_empty());
}

/// It was given up together with whoever was in the way of others, on another unit.
#[test]
fn who_pauses_in_nobodys_way_has_all_of_its_time() {
    let place = Place::in_memory(|options, folder| options.units.push(unit(folder, 1)));
    let (mut pausing, mut session) = (login(&place, 0), login(&place, 1));
    meet(&mut pausing, 1);
    let paused = pausing.start_held(1, cdb::write(0, 1), &[1; 512]);
    pausing.ping_now();
    session.attribute = TaskAttribute::Ordered;
    let command = session.command(0, cdb::write(0, 1), Flow::Out(&[1; 512]));
    session.put_mute(&command, &[1; 512]);
    session.ping_now();
    let mut other = login(&place, 2);
    other.run(0, cdb::read(0, 1), Flow::In(512)).good();
    assert_eq!(place.told("does not send the data of a command").len(), 1);
    pausing.release(paused);
    pausing.finish(paused).good();
}

/// Others wait, but for hosts that are slow and go on; one that paused was given up for it.
#[test]
fn who_pauses_beside_those_that_are_slow_has_all_of_its_time() {
    let place = Place::in_memory(|_, _| {});
    let mut pausing = login(&place, 0);
    let paused = pausing.start_held(0, cdb::write(0, 256), &[1; 256 * 512]);
    pausing.ping_now();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 1..=2 * ALL {
            let (place, is_over) = (&place, &is_over);
            scope.spawn(move || {
                let mut session = login(place, number);
                // What the sockets hold is no memory of the array's: so there are several.
                let tags = [(); 4].map(|()| session.start(0, cdb::read(0, BLOCKS), Flow::In(LONGEST)));
                while !is_over.load(Ordering::Relaxed) {
                    session.pump();
                    thread::sleep(Duration::from_millis(300));
                }
                tags.into_iter().for_each(|tag| drop(session.finish(tag).good()));
            });
        }
        thread::sleep(Duration::from_secs(9));
        is_over.store(true, Ordering::Relaxed);
    });
    pausing.release(paused);
    pausing.finish(paused).good();
    assert!(place.told("does not send the data of a command").is_empty());
}

/// Sixteen hosts that died in their writes fill the task set of a unit.
#[test]
fn who_stalls_in_a_full_task_set_is_given_up_soon() {
    let place = Place::in_memory(|options, _| options.units[0].queue = Some(4));
    let stalled = stalled(&place, 4, 1, 0, &[1; 512]);
    let mut other = Who::new("other").login(place.portal());
    loop {
        let answer = other.run(0, cdb::test_unit_ready(), Flow::None);
        if answer.status != Status::BUSY {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(!place.told("does not send the data of a command").is_empty());
    drop(stalled);
}

/// The other end of the same memory.
#[test]
fn initiators_that_read_no_answers_leave_memory_to_the_others_however_many_they_are() {
    let place = Place::in_memory(|_, _| {});
    let mut deaf: Vec<_> = (0..8)
        .map(|number| {
            let mut session = login(&place, number);
            for _ in 0..48 {
                session.start(0, cdb::read(0, BLOCKS), Flow::In(LONGEST));
            }
            session
        })
        .collect();
    let mut other = login(&place, 100);
    for blocks in [8, 256, 2048] {
        other.run(0, cdb::read(0, blocks), Flow::In(512 * blocks as usize)).good();
    }
    deaf.iter_mut().for_each(Session::ping_now);
}

#[test]
fn an_initiator_that_reads_no_answers_keeps_no_memory_from_others_and_gets_them_all() {
    let place = Place::in_memory(|_, _| {});
    let mut session = login(&place, 0);
    let data = pattern(LONGEST);
    session.run(0, cdb::write(65_536, BLOCKS), Flow::Out(&data)).good();
    let reads: Vec<_> =
        (0..=ALL).map(|_| session.start(0, cdb::read(65_536, BLOCKS), Flow::In(LONGEST))).collect();
    // All of them have begun when one that came behind them on another connection is answered.
    place.serves_unordered();
    place.serves_unordered();
    for tag in reads {
        assert!(session.finish(tag).good() == data);
    }
}
