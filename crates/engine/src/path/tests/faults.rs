//! Failures one by one: each write of a script struck, each point a lapse or the end, and what must not happen then.

use std::time::Duration;

use oarlock_block::{Instant, IoError, Refusal, UnknownCause};

use super::supplier::Leaf;
use super::world::World;
use crate::path::*;

const KIB: u64 = 1 << 10;
const WRITE: RequestKind = RequestKind::Write { durable: false };

fn world(seed: u64) -> World {
    World::new(seed, 64 << 10, 16, 2, PathMode::default())
}

fn request(kind: RequestKind, offset: u64, length: u64) -> Request {
    Request { kind, offset, length }
}

/// First writes, writes in place, a snapshot, copies, a zeroing with ragged ends: all that writes.
fn script(world: &mut World) -> Vec<Result<(), PathError>> {
    let zeros = RequestKind::WriteZeroes { durable: true, keep: false, fast: false };
    let mut results = vec![
        world.run(request(WRITE, 512, 200 * KIB)),
        world.run(request(WRITE, 0, 4 * KIB)),
        world.run(request(RequestKind::Write { durable: true }, 100 * KIB, 512)),
    ];
    world.map.state().disown();
    results.push(world.run(request(WRITE, 8 * KIB + 512, 512)));
    world.map.state().disown();
    results.push(world.run(request(WRITE, 20 * KIB, 512)));
    results.push(world.run(request(zeros, 512, 40 * KIB)));
    results.push(world.run(request(RequestKind::Trim { durable: false }, 0, 64 * KIB)));
    results.push(world.run(Request::FLUSH));
    results
}

#[test]
fn whichever_write_fails_its_cluster_is_never_mapped_and_never_lost() {
    let mut quiet = world(1);
    assert!(script(&mut quiet).iter().all(Result::is_ok));
    let writes = quiet.submitted.iter().filter(|segment| segment.is_write()).count();
    assert!(writes > 8, "the script has {writes} writes");
    let unknown = IoError::Unknown(UnknownCause::TimedOut);
    let errors = [unknown, IoError::Refused(Refusal::Gone), IoError::Refused(Refusal::Full)];
    for strike in 0..writes {
        for error in &errors {
            let mut world = world(7);
            world.strike = Some((strike, error.clone()));
            let results = script(&mut world);
            let failed = results.iter().filter(|result| **result == Err(PathError::Io)).count();
            let is_full = *error == IoError::Refused(Refusal::Full);
            assert_eq!(failed, usize::from(!is_full), "write {strike} meets {error}: {results:?}");
            assert!(results.iter().filter(|result| result.is_err()).count() == failed);
            world.check_at_rest();
        }
    }
}

#[test]
fn a_lapse_at_any_point_holds_and_the_next_beat_lets_all_go_on() {
    for point in 1..120 {
        let mut world = world(point);
        world.begin(0, request(WRITE, 512, 200 * KIB));
        (1..point % 60).for_each(|_| world.turn());
        world.path.hold();
        let was_done = world.clients[0].result.is_some();
        let submitted = world.submitted.len();
        (0..200).for_each(|_| world.turn());
        assert_eq!(world.clients[0].result.is_some(), was_done, "nothing is given out");
        assert_eq!(world.submitted.len(), submitted, "nothing is sent");
        world.path.resume();
        world.drain();
        assert_eq!(world.clients[0].result, Some(Ok(())));
        world.check_at_rest();
    }
}

#[test]
fn whoever_loses_the_disk_at_any_point_gives_out_errors_for_good() {
    for point in 0..60 {
        let mut world = world(point);
        world.begin(0, request(WRITE, 512, 200 * KIB));
        (0..point).for_each(|_| world.turn());
        let result = world.clients[0].result;
        world.path.die();
        world.path.resume();
        world.path.extend(Instant::from_zero(Duration::from_secs(1 << 40)));
        world.drive(0);
        assert_eq!(world.clients[0].result, Some(result.unwrap_or(Err(PathError::Io))));
        let submitted = world.submitted.len();
        if world.clients[0].operation.segments_out() == 0 {
            assert_eq!(world.run(request(RequestKind::Read, 0, 512)), Err(PathError::Io));
        }
        assert_eq!(world.submitted.len(), submitted, "nothing is sent any more");
        let free = world.pool.len();
        let mut in_hand = Vec::new();
        world.path.recall(None, &mut in_hand);
        let taken = world.map.state().bits.len();
        assert!(free + in_hand.len() + taken <= 400);
    }
}

#[test]
fn a_read_that_comes_back_after_the_lapse_is_not_given_out() {
    let mut world = world(3);
    world.run(request(WRITE, 0, 4 * KIB)).unwrap();
    world.begin(0, request(RequestKind::Read, 0, 4 * KIB));
    assert_eq!(world.clients[0].operation.segments_out(), 1);
    world.path.hold();
    while world.clients[0].operation.segments_out() > 0 {
        world.fly();
    }
    world.drive(0);
    assert_eq!(world.clients[0].result, None);
    world.path.resume();
    world.drive(0);
    assert_eq!(world.clients[0].result, Some(Ok(())));
}

#[test]
fn a_device_without_space_holds_writes_while_reads_go_on() {
    let mut world = world(4);
    world.run(request(WRITE, 0, 64 * KIB)).unwrap();
    world.strike = Some((1, IoError::Refused(Refusal::Full)));
    world.begin(0, request(WRITE, 0, 4 * KIB));
    while !world.path.is_full() {
        world.fly();
    }
    world.begin(1, request(RequestKind::Read, 8 * KIB, 4 * KIB));
    while world.clients[1].result.is_none() {
        world.fly();
    }
    assert_eq!(world.clients[1].result, Some(Ok(())));
    assert_eq!(world.clients[0].result, None, "the write waits");
    world.path.retry_full();
    world.drain();
    assert_eq!(world.clients[0].result, Some(Ok(())));
    world.check_at_rest();
}

#[test]
fn nothing_overlapping_is_sent_before_a_write_of_unknown_outcome_is_closed() {
    let mut world = world(5);
    world.run(request(WRITE, 0, 64 * KIB)).unwrap();
    world.strike = Some((1, IoError::Unknown(UnknownCause::PathLost)));
    world.begin(0, request(WRITE, 0, 4 * KIB));
    while world.clients[0].result.is_none() {
        world.fly();
    }
    assert_eq!(world.clients[0].result, Some(Err(PathError::Io)), "it is not acknowledged");
    let quarantines = world.path.quarantines();
    assert_eq!((quarantines.len(), world.supplier.quarantines.lock().unwrap().len()), (1, 1));
    let submitted = world.submitted.len();
    world.begin(0, request(WRITE, 2 * KIB, 512));
    world.begin(1, request(RequestKind::Trim { durable: false }, 0, 64 * KIB));
    assert_eq!(world.submitted.len(), submitted, "nothing overlapping is sent");
    assert_eq!((world.clients[0].result, world.clients[1].result), (None, None));
    world.drain();
    assert_eq!((world.clients[0].result, world.clients[1].result), (Some(Ok(())), Some(Ok(()))));
    world.check_at_rest();
}

/// A sector that the device could not write is the guest's to write again, at once: nothing of the first attempt is out.
#[test]
fn a_write_that_the_device_failed_keeps_nothing_from_anybody() {
    for is_mapped in [true, false] {
        let mut world = world(13);
        if is_mapped {
            world.run(request(WRITE, 0, 64 * KIB)).unwrap();
        }
        world.strike = Some((usize::from(is_mapped), IoError::Unknown(UnknownCause::DeviceError)));
        assert_eq!(world.run(request(WRITE, 0, 4 * KIB)), Err(PathError::Io), "it is not acknowledged");
        assert_eq!(world.path.quarantines(), []);
        assert_eq!(world.run(request(WRITE, 2 * KIB, 4 * KIB)), Ok(()));
        world.check_at_rest();
    }
}

/// A device that never answers: the guest hears of an error, and what may still land keeps its place from everybody.
#[test]
fn a_write_that_is_given_up_fails_and_nothing_overlapping_is_sent_before_it_has_ended() {
    let mut world = world(11);
    world.run(request(WRITE, 0, 64 * KIB)).unwrap();
    world.begin(0, request(WRITE, 0, 4 * KIB));
    assert_eq!(world.clients[0].operation.segments_out(), 1);
    world.give_up(0);
    assert_eq!(world.clients[0].result, Some(Err(PathError::Io)), "it is not acknowledged");
    assert_eq!((world.path.operations(), world.path.quarantines().len()), (0, 1));
    assert_eq!(world.clients[0].operation.quarantine(), world.path.quarantines().first().copied());
    let submitted = world.submitted.len();
    world.begin(0, request(WRITE, 2 * KIB, 512));
    assert_eq!((world.submitted.len(), world.clients[0].result), (submitted, None), "nothing overlapping");
    // Who waits behind it has sent nothing: there is nothing to keep.
    world.give_up(0);
    assert_eq!(world.clients[0].result, Some(Err(PathError::Io)));
    assert_eq!((world.path.operations(), world.path.quarantines().len()), (0, 1));
    world.begin(1, request(WRITE, 8 * KIB, 512));
    while world.clients[1].result.is_none() {
        world.fly();
    }
    assert_eq!(world.clients[1].result, Some(Ok(())), "other pieces are written as ever");
    world.drain();
    world.run(request(WRITE, 2 * KIB, 512)).unwrap();
    world.check_at_rest();
}

#[test]
fn a_read_that_is_given_up_keeps_nothing_from_anybody() {
    let mut world = world(12);
    world.run(request(WRITE, 0, 64 * KIB)).unwrap();
    world.begin(0, request(RequestKind::Read, 0, 4 * KIB));
    world.give_up(0);
    assert_eq!((world.clients[0].result, world.path.quarantines()), (Some(Err(PathError::Io)), vec![]));
    world.run(request(WRITE, 0, 4 * KIB)).unwrap();
    world.check_at_rest();
}

#[test]
fn a_host_that_was_cut_off_is_dead() {
    let mut world = world(6);
    world.strike = Some((0, IoError::Refused(Refusal::CutOff)));
    assert_eq!(world.run(request(WRITE, 0, 4 * KIB)), Err(PathError::Io));
    assert_eq!(world.path.passage(world.now()), Passage::Dead);
}

#[test]
fn a_disk_that_several_hosts_write_maps_nothing_and_gives_nothing_up() {
    let mode = PathMode { shared: true, ..PathMode::default() };
    let mut world = World::new(8, 64 << 10, 16, 1, mode);
    assert_eq!(world.run(request(WRITE, 64 * KIB, 512)), Err(PathError::NotFull { offset: 64 * KIB }));
    world.pool.retain(|cluster| cluster.0 != 9);
    let own = oarlock_format::Mapped {
        cluster: oarlock_format::ClusterNumber(9),
        mask: oarlock_format::PieceMask::first(16),
    };
    world.map.state().leaves[0] = super::supplier::Leaf::Own;
    world.map.state().entries[0] =
        oarlock_format::LeafEntry { own: Some(own), owned: true, ..oarlock_format::LeafEntry::default() };
    assert_eq!(world.run(request(WRITE, 0, 64 * KIB)), Ok(()));
    world.submitted.clear();
    assert_eq!(world.run(request(RequestKind::Trim { durable: false }, 0, 64 * KIB)), Ok(()));
    assert_eq!(world.submitted, [], "a trim is only an offer");
    let zeros = |fast| RequestKind::WriteZeroes { durable: false, keep: false, fast };
    assert_eq!(world.run(request(zeros(true), 0, 64 * KIB)), Err(PathError::NotFast));
    world.submitted.clear();
    assert_eq!(world.run(request(zeros(false), 0, 64 * KIB)), Ok(()));
    let expected = Segment { action: Action::WriteZeroes { to_byte: 9 * 64 * KIB }, length: 64 * KIB };
    assert_eq!(world.submitted, [expected]);
    assert_eq!(world.map.state().publications, 0);
}

#[test]
fn a_cluster_is_not_free_while_a_reader_knows_it_nor_before_its_unmapping_is_durable() {
    let mut world = world(9);
    world.run(request(WRITE, 0, 64 * KIB)).unwrap();
    world.run(Request::FLUSH).unwrap();
    world.begin(1, request(RequestKind::Read, 0, 64 * KIB));
    world.begin(0, request(RequestKind::Trim { durable: false }, 0, 64 * KIB));
    let note = |world: &mut World| {
        world.serve();
        world.wake();
    };
    let free = |world: &World| {
        let mut free = Vec::new();
        (0..8).for_each(|_| world.path.take_free(&mut free));
        free.len()
    };
    note(&mut world);
    world.map.state().commit();
    assert_eq!((world.clients[0].result, free(&world)), (Some(Ok(())), 0), "the reader has not ended");
    while world.clients[1].result.is_none() {
        world.fly();
    }
    assert_eq!(free(&world), 1);
    world.run(request(WRITE, 0, 64 * KIB)).unwrap();
    world.run(Request::FLUSH).unwrap();
    world.begin(0, request(RequestKind::Trim { durable: false }, 0, 64 * KIB));
    note(&mut world);
    assert_eq!((world.clients[0].result, free(&world)), (Some(Ok(())), 0), "it is not durable");
    world.map.state().commit();
    assert_eq!(free(&world), 1);
}

#[test]
fn a_write_is_answered_once_what_exposes_it_is_noted_be_that_another_s() {
    let mut world = World::new(9, 64 << 10, 16, 3, PathMode::default());
    world.map.state().leaves.fill(Leaf::Own);
    world.hand(1..=20);
    world.begin(0, request(WRITE, 0, 64 * KIB));
    let noting = |world: &World| {
        let asked = world.supplier.asked.lock().unwrap();
        asked.iter().filter(|(_, demand)| *demand == Demand::Note).count()
    };
    while noting(&world) == 0 {
        world.fly();
        world.wake();
    }
    // In place, into the cluster of a write that would be lost with this process, and its entry.
    world.begin(1, request(WRITE, 0, 4 * KIB));
    while noting(&world) == 1 {
        world.fly();
        world.wake();
    }
    // A reader tells nobody that it will stay.
    world.begin(2, request(RequestKind::Read, 0, 64 * KIB));
    while world.clients[2].result.is_none() {
        world.fly();
    }
    assert_eq!((world.clients[0].result, world.clients[1].result), (None, None));
    (0..2).for_each(|_| world.serve());
    world.wake();
    assert_eq!((world.clients[0].result, world.clients[1].result), (Some(Ok(())), Some(Ok(()))));
    // Nothing more is published: nothing more is waited for.
    assert_eq!(world.run(request(WRITE, 0, 4 * KIB)), Ok(()));
    assert_eq!(noting(&world), 0);
}

#[test]
fn a_read_that_a_trim_met_is_read_again_where_its_entry_changed_and_only_there() {
    let mut world = world(10);
    world.run(request(WRITE, 0, 128 * KIB)).unwrap();
    let waker = std::task::Waker::noop();
    let read = |offset| Operation::new(request(RequestKind::Read, offset, 4 * KIB));
    let (mut met, mut beside) = (read(0), read(64 * KIB));
    for operation in [&mut met, &mut beside] {
        assert!(matches!(operation.next(&world.path, world.now(), waker), Next::Submit(_)));
    }
    // From here on piece 0 may be written anew in its place, and be seen there before it is mapped.
    world.run(request(RequestKind::Trim { durable: false }, 0, 4 * KIB)).unwrap();
    for operation in [&mut met, &mut beside] {
        operation.answered(SegmentIndex(0), Ok(()));
    }
    let zeros = Segment { action: Action::ClearMemory { into: Memory::Request(0) }, length: 4 * KIB };
    assert_eq!(met.next(&world.path, world.now(), waker), Next::Submit(&[zeros]));
    assert_eq!(met.next(&world.path, world.now(), waker), Next::Done(Ok(())));
    assert_eq!(beside.next(&world.path, world.now(), waker), Next::Done(Ok(())));
}

#[test]
fn a_trim_of_pieces_waits_for_the_write_in_place_there_and_a_new_write_for_the_trim() {
    let mut world = world(11);
    world.run(request(WRITE, 0, 64 * KIB)).unwrap();
    world.begin(1, request(WRITE, 0, 4 * KIB));
    world.begin(0, request(RequestKind::Trim { durable: false }, 0, 4 * KIB));
    assert_eq!(world.clients[0].result, None, "the write may still land");
    while world.clients[1].result.is_none() {
        world.fly();
    }
    world.drain();
    assert_eq!(world.clients[0].result, Some(Ok(())));
    world.check_at_rest();
}
