//! Each fault does what its description says, and nothing else.

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::{COUNTER, Swaps, second};
use oarlock_block::{Answer, BlockCount, Clock, Device, IoError, Lba, Refusal, UnknownCause};
use oarlock_sim::{
    Fault, FaultKind, FaultPlan, HostLife, HostSetup, Lane, Observer, Span, TrueTime, Verb, World,
    WorldOptions,
};

const ALWAYS: u32 = 1_000_000;

fn world_with(kind: FaultKind, fault: Fault) -> (World, HostLife) {
    let mut faults = FaultPlan::calm();
    faults.set(kind, fault);
    let world = World::seeded(WorldOptions::calm(1).with_faults(faults));
    let life = world.start_life(world.add_host(HostSetup::MEMBER));
    (world, life)
}

/// What an ATS from zeros to ones is answered within a minute, and what stands on the disk then.
fn swap_under(kind: FaultKind) -> (Option<Result<Answer, Refusal>>, u8) {
    let (world, life) = world_with(kind, Fault::NONE.at(ALWAYS));
    let device = life.device(Lane::Work);
    let swap = async move { device.compare_and_write(COUNTER, &[0; 512], &[1; 512]).await.outcome };
    let (answer, _) = world.run_to_end(&life, second(60), swap);
    assert_eq!(world.statistics().faults_of(kind), 1);
    (answer, world.content(COUNTER)[0])
}

#[test]
fn lost_busy_and_failed_commands_are_answered_and_executed_as_they_say() {
    assert_eq!(swap_under(FaultKind::LostReply), (None, 1));
    assert_eq!(swap_under(FaultKind::LostCommand), (None, 0));
    assert_eq!(swap_under(FaultKind::Busy), (Some(Err(Refusal::Busy)), 0));
    let unknown = Some(Ok(Answer::Unknown { cause: UnknownCause::DeviceError }));
    assert_eq!(swap_under(FaultKind::DeviceError).0, unknown);
}

#[test]
fn a_repeated_ats_is_executed_twice_and_swaps_once() {
    let repeat = Fault::NONE.at(ALWAYS).lasting(Span::milliseconds(5_000, 5_000));
    let (world, life) = world_with(FaultKind::RepeatedCommand, repeat);
    let swaps = Rc::new(Swaps::default());
    world.observe(Rc::clone(&swaps) as Rc<dyn Observer>);
    let device = life.device(Lane::Work);
    let swap = async move { device.compare_and_write(COUNTER, &[0; 512], &[1; 512]).await.outcome };
    assert_eq!(world.run_to_end(&life, second(1), swap).0, Some(Ok(Answer::Swapped)));
    assert_eq!(world.writes_in_flight(life.host(), life.life()), 1, "the second one is still to come");
    world.run_until(second(10));
    assert_eq!((swaps.images.borrow().len(), swaps.repeats.get()), (1, 1));
    assert_eq!((world.statistics().executions, world.statistics().replies), (2, 1));
    assert_eq!(world.writes_in_flight(life.host(), life.life()), 0);
}

#[test]
fn a_split_write_is_seen_half_done_and_a_split_read_sees_two_times() {
    for verb in [Verb::Write, Verb::Read] {
        let split = Fault::NONE.at(ALWAYS).lasting(Span::milliseconds(5_000, 5_000)).times(1);
        let (world, life) = world_with(FaultKind::SplitCommand, split);
        let (device, read) = (life.device(Lane::Work), Rc::new(RefCell::new(vec![9; 4 * 512])));
        let buffer = Rc::clone(&read);
        life.spawn(async move {
            if verb == Verb::Write {
                assert_eq!(device.write(Lba(0), &[1; 4 * 512]).await, Ok(()));
            } else {
                let mut bytes = vec![9; 4 * 512];
                assert_eq!(device.read(Lba(0), &mut bytes).await, Ok(()));
                buffer.replace(bytes);
            }
        });
        world.run_until(second(1));
        let ends = |world: &World| (world.content(Lba(0))[0], world.content(Lba(3))[0]);
        if verb == Verb::Write {
            assert_eq!(ends(&world), (1, 0));
            world.run_until(second(10));
            assert_eq!(ends(&world), (1, 1), "the rest came later");
        } else {
            world.put_content(Lba(0), &[1; 4 * 512]);
            world.run_until(second(10));
            assert_eq!((read.borrow()[0], read.borrow()[4 * 512 - 1]), (0, 1));
        }
    }
}

#[test]
fn a_discarded_block_is_zeros_or_as_it_was_and_a_zeroed_one_is_zeros() {
    let (world, life) = world_with(FaultKind::SplitCommand, Fault::NONE.at(ALWAYS));
    let (first, blocks) = (Lba(8), BlockCount(64));
    let each = || (0..64).map(|place| world.content(Lba(8 + place))[0]);
    let device = life.device(Lane::Work);
    let discard = async move {
        let written = device.write(first, &[7; 64 * 512]).await;
        (written, device.discard(first, blocks).await)
    };
    assert_eq!(world.run_to_end(&life, second(100), discard).0, Some((Ok(()), Ok(()))));
    let kept = each().filter(|byte| *byte == 7).count();
    assert!((1..64).contains(&kept) && each().all(|byte| [0, 7].contains(&byte)), "{kept} of 64 stand");
    let device = life.device(Lane::Work);
    let zero = async move { device.write_zeroes(first, blocks).await };
    assert_eq!(world.run_to_end(&life, second(200), zero).0, Some(Ok(())));
    assert!(each().all(|byte| byte == 0));
}

#[test]
fn a_torn_read_mixes_two_contents_that_both_stood_there_while_it_ran() {
    let (world, life) = world_with(FaultKind::TornRead, Fault::NONE.at(ALWAYS));
    let (device, clock) = (life.device(Lane::Work), life.clock());
    let (torn, _) = world.run_to_end(&life, second(100), async move {
        let mut torn = 0;
        for byte in 1..=200 {
            let mut seen = [0; 512];
            let new = [byte; 512];
            let both = futures::future::join(device.write(COUNTER, &new), device.read(COUNTER, &mut seen));
            assert_eq!(both.await, (Ok(()), Ok(())));
            assert!(seen.iter().all(|seen| *seen == byte || *seen == byte - 1), "{byte}");
            torn += u32::from(seen[0] != seen[511]);
            clock.sleep_until(clock.now().plus(Duration::from_millis(1))).await;
            assert_eq!(device.read(COUNTER, &mut seen).await, Ok(()));
            assert_eq!(seen, new, "a read that meets no write is whole");
        }
        torn
    });
    assert!(torn.is_some_and(|torn| torn > 50), "{torn:?}");
}

/// When swaps of two hosts, sent each 10 ms for a minute, were executed.
fn executions_under(kind: FaultKind) -> [Vec<TrueTime>; 2] {
    struct Times(RefCell<[Vec<TrueTime>; 2]>);
    impl Observer for Times {
        fn on_execute(&self, execution: &oarlock_sim::Execution) {
            self.0.borrow_mut()[usize::from(execution.command.host.0)].push(execution.at);
        }
    }
    let stall =
        Fault::NONE.every(Span::milliseconds(10_000, 10_000)).lasting(Span::milliseconds(5_000, 5_000));
    let (world, life) = world_with(kind, stall.times(1));
    let times = Rc::new(Times(RefCell::default()));
    world.observe(Rc::clone(&times) as Rc<dyn Observer>);
    for life in [life, world.start_life(world.add_host(HostSetup::MEMBER))] {
        let (device, clock) = (life.device(Lane::Work), life.clock());
        life.spawn(async move {
            loop {
                assert_eq!(device.flush().await, Ok::<(), IoError>(()));
                clock.sleep_until(clock.now().plus(Duration::from_millis(10))).await;
            }
        });
    }
    world.run_until(second(60));
    times.0.take()
}

#[test]
fn a_stall_holds_the_commands_of_one_host_or_of_all_for_its_length() {
    let during = |times: &[TrueTime]| {
        let (from, to) = (second(10).plus(Duration::from_millis(1)), second(15));
        times.iter().filter(|at| (from..to).contains(at)).count()
    };
    for kind in [FaultKind::DeviceStall, FaultKind::FabricStall] {
        let executions = executions_under(kind);
        assert_eq!(executions.each_ref().map(|times| during(times)), [0, 0], "{}", kind.name());
        assert!(executions.iter().all(|times| times.len() > 5_000), "they go on after it");
    }
    let [stalled, other] = executions_under(FaultKind::PathStall);
    assert_eq!(during(&stalled), 0);
    assert!(during(&other) > 450);
}

/// When a read that each of two hosts sends during a stall of the fabric is answered.
fn answers_after_a_fabric_stall(ragged: Span) -> Vec<TrueTime> {
    let mut faults = FaultPlan::calm();
    let stall = Fault::NONE.every(Span::milliseconds(1_000, 1_000)).times(1);
    faults.set(FaultKind::FabricStall, stall.lasting(Span::milliseconds(5_000, 5_000)));
    faults.ragged = ragged;
    let world = World::seeded(WorldOptions::calm(1).with_faults(faults));
    let answers = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..2 {
        let life = world.start_life(world.add_host(HostSetup::MEMBER));
        let (device, clock, handle) = (life.device(Lane::Work), life.clock(), world.handle());
        let answers = Rc::clone(&answers);
        life.spawn(async move {
            clock.sleep_until(clock.now().plus(Duration::from_secs(2))).await;
            let _ = device.read(COUNTER, &mut [0; 512]).await;
            answers.borrow_mut().push(handle.now());
        });
    }
    world.run_until(second(60));
    answers.take()
}

#[test]
fn after_a_ragged_stall_of_the_fabric_each_path_comes_back_at_its_own_time() {
    let together = answers_after_a_fabric_stall(Span::exactly(Duration::ZERO));
    assert!(together.iter().all(|at| (second(6)..second(7)).contains(at)), "{together:?}");
    let ragged = answers_after_a_fabric_stall(Span::milliseconds(2_000, 20_000));
    assert!(ragged.iter().all(|at| (second(8)..second(27)).contains(at)), "{ragged:?}");
    assert_ne!(ragged[0], ragged[1]);
}
