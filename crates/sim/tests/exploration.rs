//! The explorer enumerates every order of a small world, once each, and finds what only one of them shows.

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use common::{COUNTER, count_in, next_image, second};
use oarlock_block::{Answer, Clock, Device};
use oarlock_sim::{
    ChoiceKind, Choices, Ended, Explorer, FaultKind, FaultPlan, HostLife, HostSetup, Lane, Limits,
    Scheduling, World, WorldOptions,
};

fn small_world(choices: Choices, faults: FaultPlan) -> World {
    let mut options = WorldOptions::calm(1).with_faults(faults);
    options.scheduling = Scheduling::Interleaved { window: Duration::from_secs(1), alternatives_max: 16 };
    World::new(options, choices)
}

fn life_in(world: &World) -> HostLife {
    world.start_life(world.add_host(HostSetup { drift_ppm: Some(0), mortal: true }))
}

/// Two tasks of three polls each.
fn two_tasks(choices: Choices) -> Result<(), String> {
    let world = small_world(choices, FaultPlan::calm());
    let done = Rc::new(Cell::new(0));
    for _ in 0..2 {
        let done = Rc::clone(&done);
        life_in(&world).spawn(async move {
            for _ in 0..2 {
                yield_once().await;
            }
            done.set(done.get() + 1);
        });
    }
    let ended = world.run_until(second(1));
    if (ended, done.get()) == (Ended::Idle, 2) { Ok(()) } else { Err(format!("{ended:?} {}", done.get())) }
}

async fn yield_once() {
    let mut polled = false;
    futures::future::poll_fn(move |context| {
        if polled {
            return std::task::Poll::Ready(());
        }
        polled = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn two_tasks_of_three_steps_have_twenty_schedules() {
    let exploration = Explorer::new(Limits::unbounded(1_000)).explore(two_tasks);
    assert_eq!((exploration.schedules, exploration.complete), (20, true), "6! / (3! 3!)");
    assert_eq!(exploration.found, None);
    let one_deviation = Limits { non_default_max: 1, ..Limits::unbounded(1_000) };
    let exploration = Explorer::new(one_deviation).explore(two_tasks);
    assert_eq!(exploration.schedules, 6, "the default, and one for each step at which both can go");
}

#[test]
fn two_commands_of_four_steps_have_seventy_schedules() {
    // Each: the task submits, the disk executes, the reply arrives, the task takes it.
    let mut winners = BTreeSet::new();
    let exploration = Explorer::new(Limits::unbounded(1_000)).explore(|choices| {
        let world = small_world(choices, FaultPlan::calm());
        let won = Rc::new(Cell::new(0));
        for number in 1..=2 {
            let life = life_in(&world);
            let (device, won) = (life.device(Lane::Work), Rc::clone(&won));
            life.spawn(async move {
                let answer = device.compare_and_write(COUNTER, &[0; 512], &[number; 512]).await;
                if answer.outcome == Ok(Answer::Swapped) {
                    assert_eq!(won.replace(number), 0, "two winners");
                }
            });
        }
        world.run_until(second(5));
        winners.insert(won.get());
        if world.content(COUNTER)[0] == won.get() { Ok(()) } else { Err("the winner is not on the disk") }
    });
    assert_eq!((exploration.schedules, exploration.complete), (70, true), "8! / (4! 4!)");
    assert_eq!(winners, BTreeSet::from([1, 2]));
}

/// Two hosts add one each, the second a moment later; with a plain write, or by ATS.
fn add_twice(choices: Choices, by_ats: bool) -> Result<(), u64> {
    let world = small_world(choices, FaultPlan::calm());
    for host in 0..2 {
        let life = life_in(&world);
        let (device, clock) = (life.device(Lane::Work), life.clock());
        life.spawn(async move {
            clock.sleep_until(clock.now().plus(Duration::from_millis(10 * host))).await;
            loop {
                let mut image = [0; 512];
                assert_eq!(device.read(COUNTER, &mut image).await, Ok(()));
                let next = next_image(&image, u128::from(host));
                if by_ats {
                    if device.compare_and_write(COUNTER, &image, &next).await.outcome == Ok(Answer::Swapped) {
                        return;
                    }
                } else {
                    assert_eq!(device.write(COUNTER, &next).await, Ok(()));
                    return;
                }
            }
        });
    }
    world.run_until(second(5));
    let count = count_in(&world.content(COUNTER));
    if count == 2 { Ok(()) } else { Err(count) }
}

#[test]
fn the_explorer_finds_the_lost_update_of_a_plain_write_and_its_script_replays_it() {
    let limits = |non_default_max| Limits { non_default_max, ..Limits::unbounded(100_000) };
    let calm = Explorer::new(limits(0)).explore(|choices| add_twice(choices, false));
    assert_eq!((calm.schedules, calm.found), (1, None), "in the order of time nothing is lost");
    let exploration = Explorer::new(limits(2)).explore(|choices| add_twice(choices, false));
    let found = exploration.found.expect("a lost update");
    assert_eq!(found.violation, 1);
    assert_eq!(add_twice(Choices::scripted(found.script), false), Err(1));
}

#[test]
fn an_ats_loses_no_update_in_any_schedule_of_three_deviations() {
    let limits = Limits { non_default_max: 3, ..Limits::unbounded(100_000) };
    let exploration = Explorer::new(limits).explore(|choices| add_twice(choices, true));
    assert!(exploration.complete && !exploration.depth_exceeded, "{exploration:?}");
    assert_eq!(exploration.found, None);
    assert!(exploration.schedules > 100, "{}", exploration.schedules);
}

#[test]
fn one_crash_is_tried_at_each_point_of_a_command_and_one_command_at_each_lateness() {
    // (the host died, a second after the start the block is swapped, an hour after it is)
    let mut outcomes = BTreeSet::new();
    let limits = Limits {
        non_default_max: 0,
        non_default_max_of: vec![
            (ChoiceKind::Fault(FaultKind::Crash), 1),
            (ChoiceKind::Fault(FaultKind::LateCommand), 2),
            (ChoiceKind::Schedule, 1),
        ],
        ..Limits::unbounded(1_000)
    };
    let exploration = Explorer::new(limits).explore(|choices| {
        let delays = vec![Duration::from_millis(500), Duration::from_secs(60)];
        let world = small_world(choices, FaultPlan::exhaustive(1, 1, delays));
        let life = life_in(&world);
        let device = life.device(Lane::Work);
        life.spawn(async move {
            let _ = device.compare_and_write(COUNTER, &[0; 512], &[1; 512]).await;
        });
        world.run_until(second(1));
        let soon = world.content(COUNTER)[0] == 1;
        world.run_until(second(3_600));
        outcomes.insert((!life.is_present(), soon, world.content(COUNTER)[0] == 1));
        Ok::<(), ()>(())
    });
    assert!(exploration.complete);
    let expected = [
        (false, true, true),
        (false, false, true),
        (true, true, true),
        (true, false, true),
        (true, false, false),
    ];
    assert_eq!(outcomes, BTreeSet::from(expected));
    // On time or late by one of two: no crash, or at the submission (sent or not), the execution, the reply. Not sent
    // is not late.
    assert_eq!(exploration.schedules, 3 * 4 + 1);
}
