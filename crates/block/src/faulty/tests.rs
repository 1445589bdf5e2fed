//! What each fault does, to the caller and to the disk.

use futures::executor::{LocalPool, block_on};
use futures::task::LocalSpawnExt;
use futures::{FutureExt, poll};

use super::*;
use crate::testing::{ManualClock, MemoryDevice, image};

/// A faulty device of 16 blocks over one whose truth can be seen. Blocks 4 to 7 are slots.
struct World {
    faulty: Rc<Faulty>,
    truth: Rc<MemoryDevice>,
    clock: ManualClock,
    pool: LocalPool,
}

impl World {
    fn new(specs: &[&str]) -> World {
        let (truth, clock, pool) = (Rc::new(MemoryDevice::new(16)), ManualClock::default(), LocalPool::new());
        let spawner = pool.spawner();
        let surroundings = Surroundings {
            clock: Rc::new(clock.clone()),
            spawn: Rc::new(move |future| spawner.spawn_local(future).unwrap()),
            record_at: Rc::new(|lba| (4..8).contains(&lba.0).then_some("slot")),
        };
        let specs = specs.iter().map(|text| text.parse().unwrap()).collect();
        World { faulty: Rc::new(Faulty::new(truth.clone(), specs, surroundings)), truth, clock, pool }
    }

    fn swap(&self, lba: u64, expected: u8, new: u8) -> Result<Answer, Refusal> {
        block_on(self.faulty.compare_and_write(Lba(lba), &image(expected), &image(new))).outcome
    }

    fn read(&self, lba: u64) -> Vec<u8> {
        let mut buffer = image(0xee);
        block_on(self.faulty.read(Lba(lba), &mut buffer)).unwrap();
        buffer
    }

    fn write(&self, lba: u64, value: u8) -> Result<(), IoError> {
        block_on(self.faulty.write(Lba(lba), &image(value)))
    }

    fn struck(&self) -> Vec<u64> {
        self.faulty.struck().into_iter().map(|(_, struck)| struck).collect()
    }
}

const MISCOMPARED: Result<Answer, Refusal> = Ok(Answer::Miscompared { first_difference: Some(0) });

#[test]
fn a_device_without_faults_changes_nothing() {
    let world = World::new(&[]);
    assert_eq!(world.swap(1, 0, 7), Ok(Answer::Swapped));
    assert_eq!(world.read(1), image(7));
    assert_eq!(world.truth.executed(), 2);
}

#[test]
fn a_late_reply_comes_after_the_execution() {
    let world = World::new(&["late-reply:op=ats,delay=3s"]);
    let (expected, new) = (image(0), image(7));
    let mut swap = world.faulty.compare_and_write(Lba(1), &expected, &new);
    assert!(block_on(async { poll!(&mut swap) }).is_pending());
    assert_eq!(world.truth.value(Lba(1)), 7, "executed at once");
    world.clock.advance(Duration::from_secs(3));
    assert_eq!(swap.now_or_never(), Some(Attempted::at_once(Ok(Answer::Swapped))));
}

#[test]
fn a_delayed_command_is_not_sent_before_its_time_and_never_once_dropped() {
    let world = World::new(&["delay:delay=3s"]);
    let data = image(7);
    let mut write = world.faulty.write(Lba(1), &data);
    assert!(block_on(async { poll!(&mut write) }).is_pending());
    assert_eq!(world.truth.executed(), 0);
    world.clock.advance(Duration::from_secs(3));
    assert_eq!(write.now_or_never(), Some(Ok(())));
    let mut dropped = world.faulty.write(Lba(2), &data);
    assert!(block_on(async { poll!(&mut dropped) }).is_pending());
    drop(dropped);
    world.clock.advance(Duration::from_secs(3));
    assert_eq!(world.truth.executed(), 1);
}

#[test]
fn a_delayed_swap_says_how_long_it_waited_on_this_host() {
    let world = World::new(&["delay:delay=3s"]);
    let (expected, new) = (image(0), image(7));
    let mut swap = world.faulty.compare_and_write(Lba(1), &expected, &new);
    assert!(block_on(async { poll!(&mut swap) }).is_pending());
    world.clock.advance(Duration::from_secs(4));
    let queued_for = Duration::from_secs(4);
    assert_eq!(swap.now_or_never(), Some(Attempted { outcome: Ok(Answer::Swapped), queued_for }));
}

#[test]
fn a_lost_reply_leaves_the_write_on_the_disk_and_its_retry_meets_itself() {
    let mut world = World::new(&["lose-reply:op=ats,count=1"]);
    let (expected, new) = (image(0), image(7));
    let mut swap = world.faulty.compare_and_write(Lba(1), &expected, &new);
    world.clock.advance(Duration::from_secs(3600));
    world.pool.run_until_stalled();
    assert!(block_on(async { poll!(&mut swap) }).is_pending());
    drop(swap);
    assert_eq!(world.swap(1, 0, 7), MISCOMPARED);
    assert_eq!(world.truth.value(Lba(1)), 7);
}

#[test]
fn a_late_execution_lands_although_the_caller_gave_up() {
    let mut world = World::new(&["late-execution:op=ats,delay=5s,count=1"]);
    let (expected, new) = (image(0), image(7));
    let mut swap = world.faulty.compare_and_write(Lba(1), &expected, &new);
    assert!(block_on(async { poll!(&mut swap) }).is_pending());
    drop(swap);
    world.pool.run_until_stalled();
    assert_eq!(world.truth.value(Lba(1)), 0, "not yet");
    world.clock.advance(Duration::from_secs(5));
    world.pool.run_until_stalled();
    assert_eq!(world.truth.value(Lba(1)), 7);
    assert_eq!(world.faulty.late_executions.get(), 0);
}

#[test]
fn a_late_execution_answers_the_caller_that_waited() {
    let mut world = World::new(&["late-execution:delay=5s"]);
    world.pool.spawner().spawn_local(wait_for_all(world.faulty.clone())).unwrap();
    for _ in 0..4 {
        world.pool.run_until_stalled();
        world.clock.advance(Duration::from_secs(5));
    }
    world.pool.run();
    assert_eq!((world.truth.executed(), world.struck()), (4, vec![4]));
}

async fn wait_for_all(faulty: Rc<Faulty>) {
    let mut buffer = image(0xee);
    assert_eq!(faulty.write(Lba(2), &image(7)).await, Ok(()));
    assert_eq!(faulty.compare_and_write(Lba(2), &image(7), &image(8)).await.outcome, Ok(Answer::Swapped));
    assert_eq!(faulty.read(Lba(2), &mut buffer).await, Ok(()));
    assert_eq!(buffer, image(8));
    assert_eq!(faulty.flush().await, Ok(()));
}

#[test]
fn no_more_late_executions_are_under_way_than_the_maximum() {
    let world = World::new(&["late-execution:op=flush,delay=1h"]);
    for _ in 0..LATE_EXECUTIONS_MAX {
        assert_eq!(world.faulty.flush().now_or_never(), None);
    }
    assert_eq!(world.faulty.flush().now_or_never(), Some(Ok(())));
    assert_eq!(world.struck(), [LATE_EXECUTIONS_MAX as u64]);
}

#[test]
fn a_repeated_swap_gives_the_answer_that_was_asked_for() {
    let second = World::new(&["repeat:op=ats"]);
    assert_eq!(second.swap(1, 0, 7), MISCOMPARED);
    let first = World::new(&["repeat:op=ats,answer=first"]);
    assert_eq!(first.swap(1, 0, 7), Ok(Answer::Swapped));
    for world in [first, second] {
        assert_eq!((world.truth.executed(), world.truth.value(Lba(1))), (2, 7));
    }
}

#[test]
fn a_refused_command_is_not_executed() {
    let world = World::new(&["refuse"]);
    assert_eq!(world.swap(1, 0, 7), Err(Refusal::Busy));
    assert_eq!(world.write(1, 7), Err(IoError::Refused(Refusal::Busy)));
    assert_eq!(world.truth.executed(), 0);
}

#[test]
fn a_false_answer_although_equal_writes_nothing() {
    let world = World::new(&["false-although-equal:count=1"]);
    assert_eq!(world.swap(1, 0, 7), MISCOMPARED);
    assert_eq!((world.truth.executed(), world.truth.value(Lba(1))), (0, 0));
    assert_eq!(world.swap(1, 0, 7), Ok(Answer::Swapped));
}

#[test]
fn an_unknown_answer_hides_an_executed_command() {
    let world = World::new(&["unknown"]);
    assert_eq!(world.swap(1, 0, 7), Ok(Answer::Unknown { cause: UnknownCause::DeviceError }));
    assert_eq!(world.write(2, 8), Err(IoError::Unknown(UnknownCause::DeviceError)));
    assert_eq!((world.truth.value(Lba(1)), world.truth.value(Lba(2))), (7, 8));
}

#[test]
fn a_discard_and_a_write_of_zeroes_meet_faults_as_writes_do() {
    let mut world = World::new(&["refuse:op=discard", "late-execution:op=write-zeroes,delay=1s"]);
    world.write(3, 7).unwrap();
    let refused = Err(IoError::Refused(Refusal::Busy));
    assert_eq!(block_on(world.faulty.discard(Lba(3), BlockCount(1))), refused);
    assert_eq!(world.read(3), image(7));
    assert_eq!(world.faulty.write_zeroes(Lba(3), BlockCount(1)).now_or_never(), None);
    assert_eq!(world.read(3), image(7), "not yet");
    world.clock.advance(Duration::from_secs(1));
    world.pool.run_until_stalled();
    assert_eq!(world.read(3), image(0), "though nobody waits for it");
    assert_eq!(world.struck(), [1, 1]);
}

#[test]
fn a_stale_read_shows_what_an_earlier_read_gave_and_waits_until_there_is_one() {
    let world = World::new(&["stale-read:lba=1,count=1"]);
    assert_eq!(world.read(1), image(0), "there is nothing older to show");
    assert_eq!(world.struck(), [0]);
    world.write(1, 7).unwrap();
    assert_eq!(world.read(1), image(0));
    assert_eq!(world.read(1), image(7));
    assert_eq!(world.struck(), [1]);
}

#[test]
fn a_torn_read_is_half_old_and_half_new() {
    let world = World::new(&["torn-read"]);
    world.read(1);
    world.write(1, 7).unwrap();
    let torn = world.read(1);
    assert_eq!((&torn[..256], &torn[256..]), (&image(0)[..256], &image(7)[256..]));
    assert_eq!(world.truth.value(Lba(1)), 7);
}

#[test]
fn a_flipped_bit_is_one_bit_of_each_selected_block_and_not_on_the_disk() {
    let world = World::new(&["flip:bit=9,record=slot"]);
    let mut buffer = vec![0; 3 * 512];
    block_on(world.faulty.read(Lba(3), &mut buffer)).unwrap();
    let wrong: Vec<_> = (0..buffer.len()).filter(|&place| buffer[place] != 0).collect();
    assert_eq!(wrong, [512 + 1, 1024 + 1], "block 3 is no slot");
    assert_eq!(buffer[513], 2);
    assert_eq!(world.truth.value(Lba(4)), 0);
}

#[test]
fn only_the_selected_commands_are_counted_and_struck() {
    let world = World::new(&["refuse:op=write,record=slot,after=1,every=2,count=2"]);
    let refused: Vec<_> = (0..8)
        .map(|_| {
            assert_eq!(world.write(1, 1), Ok(()), "no slot");
            world.read(4);
            world.write(5, 1).is_err()
        })
        .collect();
    // The first passes; of the rest the second and the fourth are struck; then the count is reached.
    assert_eq!(refused, [false, false, true, false, true, false, false, false]);
    assert_eq!(world.struck(), [2]);
}

#[test]
fn a_command_is_selected_by_any_block_that_it_touches() {
    let world = World::new(&["refuse:lba=6..8"]);
    let two = [image(1), image(1)].concat();
    for (lba, refused) in [(4, false), (5, true), (7, true), (8, false)] {
        assert_eq!(block_on(world.faulty.write(Lba(lba), &two)).is_err(), refused, "blocks from {lba} on");
    }
    assert_eq!(block_on(world.faulty.flush()), Ok(()), "a flush touches no block");
}

#[test]
fn a_command_meets_one_fault_and_the_next_keeps_its_count() {
    let world = World::new(&["refuse:op=write,count=1", "unknown:op=write,count=1"]);
    assert_eq!(world.write(1, 7), Err(IoError::Refused(Refusal::Busy)));
    assert_eq!(world.write(1, 7), Err(IoError::Unknown(UnknownCause::DeviceError)));
    assert_eq!(world.write(1, 7), Ok(()));
    assert_eq!(world.struck(), [1, 1]);
}
