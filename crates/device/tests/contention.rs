//! One block, many processes: no update lost; and a block that is held keeps no other block waiting.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{ForeignLock, Helper, PATIENCE, Scratch, block_length, block_of, open, read_block, role};
use futures::executor::block_on;
use futures::future::{Either, FutureExt, join_all, select};
use oarlock_block::{Answer, Device, Lba, Refusal};
use oarlock_device::Lane;

const PROCESSES: u64 = 2;
const THREADS: u64 = 4;
const INCREMENTS: u64 = 100;

/// The counter that a block holds, in each of its words; a torn block has two.
fn counter_in(block: &[u8]) -> u64 {
    u64::from_le_bytes(block[..8].try_into().unwrap())
}

fn counter_block(length: usize, counter: u64) -> Vec<u8> {
    counter.to_le_bytes().repeat(length / 8)
}

/// Adds one by ATS until it was swapped.
fn increment(device: &dyn Device) {
    let length = block_length(device);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counter = counter_in(&read_block(device, 7));
        let (expected, new) = (counter_block(length, counter), counter_block(length, counter + 1));
        match block_on(device.compare_and_write(Lba(7), &expected, &new)).outcome {
            Ok(Answer::Swapped) => return,
            Ok(Answer::Miscompared { .. }) | Err(Refusal::Busy) => {}
            other => panic!("{other:?}"),
        }
        assert!(Instant::now() < deadline, "no increment came through");
    }
}

fn increment_from_many_threads(path: &Path) {
    let device = open(path);
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let device = device.clone();
            let lane = if number % 2 == 0 { Lane::Beat } else { Lane::Work };
            scope.spawn(move || {
                let lane = device.lane(lane);
                (0..INCREMENTS).for_each(|_| increment(&*lane));
            });
        }
    });
}

#[test]
fn no_increment_of_many_threads_in_two_processes_is_lost() {
    const NAME: &str = "no_increment_of_many_threads_in_two_processes_is_lost";
    if let Some(path) = role("increment") {
        return increment_from_many_threads(&path);
    }
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let mut helpers: Vec<Helper> = (0..PROCESSES).map(|_| Helper::start(NAME, "increment", &path)).collect();
    for helper in &mut helpers {
        assert!(helper.0.wait().unwrap().success());
    }
    let block = read_block(&device, 7);
    assert_eq!(block, counter_block(block.len(), PROCESSES * THREADS * INCREMENTS));
}

#[test]
fn a_block_that_another_process_holds_is_busy_and_keeps_no_other_waiting() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let (zeros, ones) = (block_of(&device, 0), block_of(&device, 1));
    let held = ForeignLock::take(&path, 0, zeros.len() as u64);

    // A machine that is busy elsewhere may keep the others longer than the device waits for the held block; if they waited for it,
    // they would come behind it every time.
    const ROUNDS: u64 = 20;
    let others_first = (0..ROUNDS).find(|round| {
        let stuck = device.compare_and_write(Lba(0), &zeros, &ones);
        let blocks = 1 + round * 32..33 + round * 32;
        let others = join_all(blocks.map(|lba| device.compare_and_write(Lba(lba), &zeros, &ones)));
        let (stuck, answers, others_first) = match block_on(select(stuck, others)) {
            Either::Right((answers, stuck)) => (block_on(stuck), answers, true),
            Either::Left((stuck, others)) => (stuck, block_on(others), false),
        };
        assert!(answers.iter().all(|answer| answer.outcome == Ok(Answer::Swapped)));
        assert_eq!(stuck.outcome, Err(Refusal::Busy));
        assert_eq!(read_block(&device, 0), zeros, "what was busy was not executed");
        others_first
    });
    assert!(others_first.is_some(), "the others waited for the held block in each of {ROUNDS} rounds");

    drop(held);
    assert_eq!(block_on(device.compare_and_write(Lba(0), &zeros, &ones)).outcome, Ok(Answer::Swapped));
}

#[test]
fn a_plain_write_or_a_discard_over_a_held_block_is_busy() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let ones = block_of(&device, 1).repeat(4);
    let _held = ForeignLock::take(&path, 2 * block_length(&device) as u64, 1);
    let busy = Err(oarlock_block::IoError::Refused(Refusal::Busy));
    assert_eq!(block_on(device.write(Lba(0), &ones)), busy);
    assert_eq!(block_on(device.discard(Lba(0), oarlock_block::BlockCount(4))), busy);
    assert_eq!(read_block(&device, 0), block_of(&device, 0));
}

#[test]
fn a_read_waits_for_no_other_process() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let _held = ForeignLock::take(&path, 0, 1);
    let start = Instant::now();
    (0..100).for_each(|_| assert_eq!(read_block(&device, 0), block_of(&device, 0)));
    assert!(start.elapsed() < Duration::from_secs(2), "not even 20 ms each");
}

#[test]
fn a_lane_full_of_stuck_commands_does_not_keep_a_beat_waiting() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let (zeros, ones) = (block_of(&device, 0), block_of(&device, 1));
    let _held = ForeignLock::take(&path, 0, zeros.len() as u64);
    let mut stuck: Vec<_> = (0..200).map(|_| device.compare_and_write(Lba(0), &zeros, &ones)).collect();
    for attempt in &mut stuck {
        assert!(attempt.as_mut().now_or_never().is_none());
    }
    let beat = device.lane(Lane::Beat);
    let beating = beat.compare_and_write(Lba(1), &zeros, &ones);
    match block_on(select(beating, join_all(stuck))) {
        futures::future::Either::Left((answer, _)) => assert_eq!(answer.outcome, Ok(Answer::Swapped)),
        futures::future::Either::Right(_) => panic!("the beat stood behind the stuck commands"),
    }
}

/// The daemon's reader, a `check`, an `inspect`: reads all of it again and again, as long as its parent lives.
fn read_for_ever(path: &Path) -> ! {
    let device = open(path);
    std::fs::write(common::ready_mark(path), b"").unwrap();
    let mut all = block_of(&device, 0).repeat(1024);
    loop {
        block_on(device.read(Lba(0), &mut all)).unwrap();
    }
}

/// ^Z on `oarlock check`, or SIGSTOP to any host: it is stopped while it reads all slots. A lock on what it reads would
/// keep every host of the datastore from beating, and with all leases gone nobody may end it.
#[test]
fn a_reader_that_is_stopped_keeps_nobody_from_beating() {
    const NAME: &str = "a_reader_that_is_stopped_keeps_nobody_from_beating";
    if let Some(path) = role("read") {
        read_for_ever(&path);
    }
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let beat = device.lane(Lane::Beat);
    let helper = Helper::start(NAME, "read", &path);
    common::wait_ready(&path);
    for beats in 0..40 {
        helper.signal(rustix::process::Signal::STOP);
        common::eventually("the reader is stopped", || helper.is_in_state('T'));
        let (expected, new) = (block_of(&device, beats), block_of(&device, beats + 1));
        let answer = block_on(beat.compare_and_write(Lba(3), &expected, &new));
        assert_eq!(answer.outcome, Ok(Answer::Swapped), "beat {beats}");
        helper.signal(rustix::process::Signal::CONT);
    }
}
