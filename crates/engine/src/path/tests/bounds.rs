//! The limits: each is met, and each request that passes one is refused or goes in rounds.

use super::supplier::Leaf;
use super::world::World;
use crate::path::limits::{RESERVOIR_LOW, TURN_CLUSTERS_MAX};
use crate::path::*;

const KIB: u64 = 1 << 10;
const WRITE: RequestKind = RequestKind::Write { durable: false };

#[test]
fn a_long_write_in_small_clusters_goes_in_rounds_of_bounded_length() {
    let mut world = World::new(2, 4 << 10, 384, 1, PathMode::default());
    world.map.state().leaves.fill(Leaf::Own);
    let length = 384 * 4 * KIB;
    world.hand((1..=384).map(|number| 2 * number % 401));
    world.begin(0, Request { kind: WRITE, offset: 0, length });
    assert_eq!(
        world.submitted.len(),
        SEGMENTS_MAX - limits::CLUSTER_SEGMENTS_MAX + 1,
        "no two are neighbours"
    );
    world.drain();
    assert_eq!(world.clients[0].result, Some(Ok(())));
    assert_eq!(world.submitted.len(), 384);
    world.check_at_rest_contents();
}

#[test]
fn a_long_trim_lets_others_have_the_thread() {
    let clusters = 3 * TURN_CLUSTERS_MAX;
    let mut world = World::new(3, 4 << 10, clusters, 1, PathMode::default());
    let trim =
        Request { kind: RequestKind::Trim { durable: false }, offset: 0, length: clusters as u64 * 4 * KIB };
    let waker = std::task::Waker::noop();
    let mut operation = Operation::new(trim);
    let mut turns = 0;
    while operation.next(&world.path, world.now(), waker) == Next::Wait(Waiting::Turn) {
        turns += 1;
    }
    assert_eq!(turns, 2);
    assert_eq!(operation.next(&world.path, world.now(), waker), Next::Done(Ok(())));
    assert_eq!(world.run(Request::FLUSH), Ok(()));
}

#[test]
fn one_operation_too_many_is_refused_and_none_is_counted_twice() {
    let world = World::new(4, 64 << 10, 4, 1, PathMode::default());
    let waker = std::task::Waker::noop();
    world.map.state().away.insert(0);
    let read = Request { kind: RequestKind::Read, offset: 0, length: 512 };
    let mut all: Vec<_> = (0..=OPERATIONS_MAX).map(|_| Operation::new(read)).collect();
    let last = all.pop().map(|mut last| {
        for operation in &mut all {
            assert!(matches!(operation.next(&world.path, world.now(), waker), Next::Wait(_)));
        }
        last.next(&world.path, world.now(), waker) == Next::Done(Err(PathError::Busy { max: OPERATIONS_MAX }))
    });
    assert_eq!(last, Some(true));
    assert_eq!(world.path.operations(), OPERATIONS_MAX);
    world.path.die();
    all.iter_mut().for_each(|operation| {
        assert_eq!(operation.next(&world.path, world.now(), waker), Next::Done(Err(PathError::Io)));
    });
    assert_eq!(world.path.operations(), 0);
}

#[test]
fn a_request_that_does_not_fit_the_disk_is_refused_before_anything_is_done() {
    let mut world = World::new(5, 64 << 10, 4, 1, PathMode::default());
    let mut refused = |kind, offset, length| world.run(Request { kind, offset, length }).unwrap_err();
    let size = 256 * KIB;
    let out = |offset, length| PathError::OutOfRange { offset, length, size };
    assert_eq!(refused(WRITE, size, 512), out(size, 512));
    assert_eq!(refused(WRITE, 512, size), out(512, size));
    assert_eq!(refused(RequestKind::Read, u64::MAX - 511, 1024), out(u64::MAX - 511, 1024));
    assert_eq!(refused(RequestKind::Read, 0, 0), out(0, 0));
    assert_eq!(refused(WRITE, 1, 512), PathError::Unaligned { offset: 1, end: 513, block: 512 });
    world.path.resize(64 << 20);
    let long = world.run(Request { kind: WRITE, offset: 0, length: DATA_LENGTH_MAX + 512 });
    assert_eq!(long, Err(PathError::TooLong { length: DATA_LENGTH_MAX + 512, max: DATA_LENGTH_MAX }));
    let fast = RequestKind::WriteZeroes { durable: false, keep: false, fast: true };
    assert_eq!(world.run(Request { kind: fast, offset: 512, length: 4096 }), Err(PathError::NotFast));
    assert!(world.submitted.is_empty());
    let read_only = PathMode { read_only: true, ..PathMode::default() };
    let mut world = World::new(6, 64 << 10, 4, 1, read_only);
    assert_eq!(world.run(Request { kind: WRITE, offset: 0, length: 512 }), Err(PathError::ReadOnly));
}

#[test]
fn the_engine_hears_once_that_few_clusters_are_left() {
    let mut world = World::new(7, 64 << 10, 16, 1, PathMode::default());
    world.hand(1..=2 + RESERVOIR_LOW as u64);
    for cluster in 0..8 {
        world.run(Request { kind: WRITE, offset: cluster * 64 * KIB, length: 4 * KIB }).unwrap();
    }
    assert_eq!(*world.supplier.lows.lock().unwrap(), 1);
}

#[test]
fn an_engine_that_never_keeps_its_word_ends_in_an_error_and_no_cluster_is_lost() {
    let mut world = World::new(8, 64 << 10, 4, 1, PathMode::default());
    world.map.state().refuse = 100;
    assert_eq!(world.run(Request { kind: WRITE, offset: 0, length: 512 }), Err(PathError::Io));
    world.map.state().refuse = 0;
    world.check_at_rest();
}

#[test]
fn a_full_datastore_is_told_to_the_guest() {
    let mut world = World::new(9, 64 << 10, 4, 1, PathMode::default());
    world.pool.clear();
    assert_eq!(world.run(Request { kind: WRITE, offset: 0, length: 512 }), Err(PathError::NoSpace));
    assert_eq!(world.run(Request { kind: RequestKind::Read, offset: 0, length: 512 }), Ok(()));
}

#[test]
fn a_publication_that_finds_no_room_is_made_once_there_is_some_however_often_that_takes() {
    let mut world = World::new(3, 64 << 10, 16, 1, PathMode::default());
    world.map.state().leaves.fill(Leaf::Own);
    world.hand(1..=20);
    for kind in [WRITE, RequestKind::Trim { durable: false }] {
        world.map.state().no_room = true;
        world.begin(0, Request { kind, offset: 0, length: 64 << 10 });
        let mut asked_for_room = 0;
        while world.clients[0].result.is_none() {
            world.fly();
            let asked = world.supplier.asked.lock().unwrap().clone();
            if let [(_, demand)] = asked[..] {
                world.serve();
                if demand == Demand::Room {
                    asked_for_room += 1;
                    // Others were faster, once and again.
                    world.map.state().no_room = asked_for_room < 20;
                } else {
                    assert_eq!((demand, asked_for_room), (Demand::Note, 20));
                }
            }
            world.wake();
        }
        assert_eq!((world.clients[0].result, asked_for_room), (Some(Ok(())), 20));
    }
    world.check_at_rest();
}

#[test]
fn whoever_waits_for_the_engine_hears_that_the_disk_is_lost() {
    let mut world = World::new(3, 64 << 10, 16, 1, PathMode::default());
    world.begin(0, Request { kind: WRITE, offset: 0, length: 64 << 10 });
    assert_eq!((world.supplier.asked.lock().unwrap().len(), world.clients[0].result), (1, None));
    world.path.die();
    world.wake();
    assert_eq!(world.clients[0].result, Some(Err(PathError::Io)));
}
