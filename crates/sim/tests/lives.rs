//! Hosts die, stop and freeze; their commands do as commands do.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use common::{COUNTER, second};
use oarlock_block::{Clock, Device};
use oarlock_sim::{
    Change, Fault, FaultKind, FaultPlan, HostLife, HostSetup, Lane, LifeChange, Observer, Reply, Span,
    TrueTime, World, WorldOptions,
};

fn world_with(kind: FaultKind, fault: Fault) -> (World, HostLife) {
    let mut faults = FaultPlan::calm();
    faults.set(kind, fault);
    let world = World::seeded(WorldOptions::calm(1).with_faults(faults));
    let life = world.start_life(world.add_host(HostSetup::MEMBER));
    (world, life)
}

fn send_swap(life: &HostLife) -> Rc<Cell<bool>> {
    let (device, answered) = (life.device(Lane::Work), Rc::new(Cell::new(false)));
    let told = Rc::clone(&answered);
    life.spawn(async move {
        let _ = device.compare_and_write(COUNTER, &[0; 512], &[1; 512]).await;
        told.set(true);
    });
    answered
}

#[test]
fn a_late_command_lands_after_its_issuer_died_and_a_new_life_began() {
    #[derive(Default)]
    struct Abandoned(Cell<u32>);
    impl Observer for Abandoned {
        fn on_reply(&self, reply: &Reply) {
            self.0.set(self.0.get() + u32::from(reply.abandoned));
        }
    }
    let late = Fault::NONE.at(1_000_000).lasting(Span::milliseconds(30_000, 30_000));
    let (world, life) = world_with(FaultKind::LateCommand, late);
    let abandoned = Rc::new(Abandoned::default());
    world.observe(Rc::clone(&abandoned) as Rc<dyn Observer>);
    let answered = send_swap(&life);
    world.run_until(second(1));
    world.stop_life(life.host());
    let next = world.start_life(life.host());
    assert_ne!(next.process(), life.process());
    assert_eq!(next.process().boot_id, life.process().boot_id);
    world.run_until(second(29));
    assert_eq!((world.content(COUNTER)[0], world.writes_in_flight(life.host(), life.life())), (0, 1));
    world.run_until(second(31));
    assert_eq!((world.content(COUNTER)[0], world.writes_in_flight(life.host(), life.life())), (1, 0));
    assert!(!answered.get(), "its task died");
    assert_eq!(abandoned.0.get(), 1, "the reply came, and nobody waited for it");
}

#[test]
fn a_process_stopped_at_the_system_call_sends_the_command_when_it_goes_on_and_never_if_it_is_killed() {
    for killed in [false, true] {
        let stop = Fault::NONE.at(1_000_000).lasting(Span::milliseconds(60_000, 60_000)).times(1);
        let (world, life) = world_with(FaultKind::Pause, stop);
        let answered = send_swap(&life);
        world.run_until(second(59));
        assert_eq!((world.content(COUNTER)[0], world.writes_in_flight(life.host(), life.life())), (0, 0));
        if killed {
            world.stop_life(life.host());
        }
        world.run_until(second(120));
        assert_eq!((world.content(COUNTER)[0] == 0, answered.get()), (killed, !killed));
    }
}

#[test]
fn a_dropped_future_does_not_take_its_command_back() {
    let (world, life) = world_with(FaultKind::Busy, Fault::NONE);
    let device = life.device(Lane::Work);
    let (done, _) = world.run_to_end(&life, second(1), async move {
        let mut swap = device.compare_and_write(COUNTER, &[0; 512], &[1; 512]);
        assert!(futures::poll!(&mut swap).is_pending());
    });
    assert_eq!((done, world.content(COUNTER)[0]), (Some(()), 0));
    world.run_until(second(2));
    assert_eq!(world.content(COUNTER)[0], 1);
}

/// When a sleep of ten local seconds ends, of a host that is stopped from 5 s to 65 s.
fn sleep_through_a_pause(frozen: bool) -> (TrueTime, Duration) {
    let world = World::seeded(WorldOptions::calm(1));
    let life = world.start_life(world.add_host(HostSetup::MEMBER));
    let (clock, handle) = (life.clock(), world.handle());
    let woke = Rc::new(Cell::new(None));
    let cell = Rc::clone(&woke);
    life.spawn(async move {
        let began = clock.now();
        clock.sleep_until(began.plus(Duration::from_secs(10))).await;
        cell.set(Some((handle.now(), clock.now().since(began))));
    });
    world.run_until(second(5));
    world.pause(life.host(), Some(Duration::from_secs(60)), frozen);
    world.run_until(second(200));
    woke.get().unwrap_or_else(|| panic!("it did not wake"))
}

#[test]
fn a_stopped_process_finds_its_time_passed_and_a_frozen_machine_does_not() {
    assert_eq!(sleep_through_a_pause(false), (second(65), Duration::from_secs(65)));
    assert_eq!(sleep_through_a_pause(true), (second(70), Duration::from_secs(10)));
}

#[test]
fn sleepers_wake_by_their_own_clocks() {
    let world = World::seeded(WorldOptions::calm(1));
    let ended = Rc::new(RefCell::new(Vec::new()));
    for drift_ppm in [-10_000, 0, 10_000] {
        let setup = HostSetup { drift_ppm: Some(drift_ppm), mortal: true };
        let life = world.start_life(world.add_host(setup));
        let (clock, handle, ended) = (life.clock(), world.handle(), Rc::clone(&ended));
        life.spawn(async move {
            clock.sleep_until(clock.now().plus(Duration::from_secs(10_000))).await;
            ended.borrow_mut().push((drift_ppm, handle.now().since_start().as_secs()));
        });
    }
    world.run_until(second(20_000));
    assert_eq!(*ended.borrow(), [(10_000, 9_900), (0, 10_000), (-10_000, 10_101)]);
}

#[test]
fn the_tasks_of_a_dead_life_are_dropped_and_their_destructors_may_call_the_world() {
    struct Last(oarlock_sim::Handle, HostLife, Rc<Cell<u32>>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.note(None, "dropped");
            let (life, count) = (self.1.clone(), Rc::clone(&self.2));
            self.1.spawn(async move { count.set(100) });
            self.2.set(self.2.get() + u32::from(!life.is_present()));
        }
    }
    let world = World::seeded(WorldOptions::calm(1));
    let life = world.start_life(world.add_host(HostSetup::MEMBER));
    let count = Rc::new(Cell::new(0));
    let last = Last(world.handle(), life.clone(), Rc::clone(&count));
    life.spawn(async move {
        futures::future::pending::<()>().await;
        drop(last);
    });
    let (handle, host) = (world.handle(), life.host());
    // A task that ends its own host is not polled again either.
    life.spawn(async move {
        handle.sleep_until(second(1)).await;
        handle.stop_life(host);
        futures::future::pending::<()>().await;
    });
    world.run_until(second(2));
    assert_eq!(count.get(), 1);
}

#[test]
fn a_dropped_world_drops_what_lives_in_it() {
    let witness = Rc::new(());
    let world = World::seeded(WorldOptions::calm(1));
    let life = world.start_life(world.add_host(HostSetup::MEMBER));
    let (held, handle) = (Rc::clone(&witness), world.handle());
    life.spawn(async move {
        handle.sleep_until(second(100)).await;
        drop(held);
    });
    world.run_until(second(1));
    assert_eq!(Rc::strong_count(&witness), 2);
    drop(world);
    assert_eq!(Rc::strong_count(&witness), 1);
}

#[test]
fn observers_see_each_turn_of_a_life() {
    #[derive(Default)]
    struct Turns(RefCell<Vec<Change>>);
    impl Observer for Turns {
        fn on_life(&self, change: &LifeChange) {
            self.0.borrow_mut().push(change.change);
        }
    }
    let world = World::seeded(WorldOptions::calm(1));
    let turns = Rc::new(Turns::default());
    world.observe(Rc::clone(&turns) as Rc<dyn Observer>);
    let host = world.add_host(HostSetup::MEMBER);
    let _ = world.start_life(host);
    world.pause(host, None, true);
    world.resume(host);
    world.stop_life(host);
    let stopped = Change::Ended(oarlock_sim::EndCause::Stopped);
    assert_eq!(*turns.0.borrow(), [Change::Began, Change::Paused { frozen: true }, Change::Resumed, stopped]);
}
