//! A slot's lock is held while its life runs or any of its writes is in flight (R13).

mod common;

use std::future::Future;
use std::time::Duration;

use common::{COUNTER, second};
use oarlock_block::{CutOff, Device, EnterError, NotCutOff, Proof, SlotIndex, Victim};
use oarlock_sim::{
    CutOffRules, Fault, FaultKind, FaultPlan, HostLife, HostSetup, Lane, SimCutOff, Span, World, WorldOptions,
};

const SLOT: SlotIndex = SlotIndex(0);

/// A world in which each command is late by so many milliseconds; a host in the slot, and one that asks.
fn world(late_ms: u64, cut_off: CutOffRules) -> (World, HostLife, HostLife) {
    let mut faults = FaultPlan::calm();
    if late_ms > 0 {
        let late = Fault::NONE.at(1_000_000).lasting(Span::milliseconds(late_ms, late_ms));
        faults.set(FaultKind::LateCommand, late);
    }
    let options = WorldOptions { cut_off, ..WorldOptions::calm(1).with_faults(faults) };
    let world = World::seeded(options);
    let victim = world.start_life(world.add_host(HostSetup::MEMBER));
    let asker = world.start_life(world.add_host(HostSetup::MEMBER));
    let lock = victim.cut_off();
    assert_eq!(ask(&world, &victim, async move { lock.enter(SLOT).await }), Ok(()));
    (world, victim, asker)
}

fn ask<T: 'static>(world: &World, life: &HostLife, future: impl Future<Output = T> + 'static) -> T {
    let (answer, ended) = world.run_to_end(life, second(1_000), future);
    answer.unwrap_or_else(|| panic!("no answer: {ended:?}"))
}

fn cut_off(world: &World, asker: &HostLife, victim: Victim) -> Result<Proof, NotCutOff> {
    let lock = asker.cut_off();
    ask(world, asker, async move { lock.cut_off(victim).await })
}

fn proved(world: &World, asker: &HostLife, victim: Victim) -> Option<Proof> {
    let lock: SimCutOff = asker.cut_off();
    ask(world, asker, async move { lock.death_proved(victim).await })
}

fn enter(world: &World, life: &HostLife) -> Result<(), EnterError> {
    let lock = life.cut_off();
    ask(world, life, async move { lock.enter(SLOT).await })
}

fn victim_of(life: &HostLife) -> Victim {
    Victim { slot: SLOT, incarnation: 1, process: life.process() }
}

fn send_write(world: &World, life: &HostLife) {
    let device = life.device(Lane::Work);
    life.spawn(async move {
        let _ = device.write(COUNTER, &[1; 512]).await;
    });
    world.run_for(Duration::from_millis(1));
    assert_eq!(world.writes_in_flight(life.host(), life.life()), 1);
}

#[test]
fn a_running_host_holds_its_slot_and_a_dead_one_without_writes_does_not() {
    let (world, victim, asker) = world(0, CutOffRules::FILE);
    assert_eq!(proved(&world, &asker, victim_of(&victim)), None);
    assert_eq!(enter(&world, &asker), Err(EnterError::Held { slot: SLOT }));
    assert_eq!(enter(&world, &victim), Err(EnterError::Held { slot: SLOT }), "nor gets it twice");
    world.pause(victim.host(), None, false);
    assert_eq!(proved(&world, &asker, victim_of(&victim)), None, "a stopped process is not a dead one");
    world.stop_life(victim.host());
    assert_eq!(proved(&world, &asker, victim_of(&victim)), Some(Proof::FileLock));
    assert_eq!(cut_off(&world, &asker, victim_of(&victim)), Ok(Proof::FileLock));
    assert_eq!(enter(&world, &asker), Ok(()));
}

#[test]
fn a_dead_host_holds_its_slot_until_its_last_write_has_landed() {
    let (world, victim, asker) = world(10_000, CutOffRules::FILE);
    send_write(&world, &victim);
    world.stop_life(victim.host());
    assert_eq!(proved(&world, &asker, victim_of(&victim)), None);
    let again = world.start_life(victim.host());
    assert_eq!(enter(&world, &again), Err(EnterError::Held { slot: SLOT }), "its own next life, too");
    let began = world.now();
    assert_eq!(cut_off(&world, &asker, victim_of(&victim)), Err(NotCutOff::StillHeld { slot: SLOT }));
    assert_eq!(world.now().since(began), Duration::from_secs(2), "the wait is bounded");
    world.run_until(second(9));
    let began = world.now();
    assert_eq!(cut_off(&world, &asker, victim_of(&victim)), Ok(Proof::FileLock));
    assert!(world.now().since(began) < Duration::from_millis(1_100), "and ends when the write has landed");
    assert_eq!(world.content(COUNTER)[0], 1);
}

#[test]
fn a_stopped_host_is_killed_and_its_writes_are_waited_for() {
    let (world, victim, asker) = world(1_000, CutOffRules::FILE);
    send_write(&world, &victim);
    world.pause(victim.host(), None, false);
    assert_eq!(cut_off(&world, &asker, victim_of(&victim)), Ok(Proof::Killed));
    assert!(!victim.is_present());
    assert_eq!(world.content(COUNTER)[0], 1, "what was in flight had landed when the proof was given");
}

#[test]
fn a_process_that_is_not_provably_the_victim_is_not_killed() {
    let (world, victim, asker) = world(0, CutOffRules::FILE);
    let former = victim_of(&victim);
    world.stop_life(victim.host());
    let again = world.start_life(victim.host());
    assert_eq!(enter(&world, &again), Ok(()));
    let answer = cut_off(&world, &asker, former);
    assert!(matches!(answer, Err(NotCutOff::HolderUnproved { slot: SLOT, .. })), "{answer:?}");
    assert!(again.is_present());
    assert_eq!(
        proved(&world, &again, former),
        Some(Proof::FileLock),
        "who holds the lock itself has the proof"
    );
}

#[test]
fn a_host_that_leaves_gives_its_slot_back() {
    let (world, victim, asker) = world(0, CutOffRules::FILE);
    let lock = victim.cut_off();
    ask(&world, &victim, async move { lock.exit(SLOT).await });
    assert_eq!(enter(&world, &asker), Ok(()));
    let lock = victim.cut_off();
    ask(&world, &victim, async move { lock.exit(SLOT).await });
    assert_eq!(world.slot_holder(SLOT), Some((asker.host(), asker.life())), "only its own");
}

#[test]
fn a_device_without_means_proves_nothing() {
    let (world, victim, asker) = world(0, CutOffRules::NoMeans);
    world.stop_life(victim.host());
    assert_eq!(proved(&world, &asker, victim_of(&victim)), None);
    assert_eq!(cut_off(&world, &asker, victim_of(&victim)), Err(NotCutOff::NoMeans));
    assert_eq!(enter(&world, &asker), Ok(()));
}

#[test]
fn a_victim_that_leaves_within_the_grace_is_not_killed() {
    let rules = CutOffRules::SlotLocks { grace: Duration::from_secs(1), drain: Duration::from_secs(2) };
    let (world, victim, asker) = world(0, rules);
    let (lock, clock) = (victim.cut_off(), world.handle());
    victim.spawn(async move {
        clock.sleep_until(clock.now().plus(Duration::from_millis(500))).await;
        lock.exit(SLOT).await;
    });
    assert_eq!(cut_off(&world, &asker, victim_of(&victim)), Ok(Proof::FileLock));
    assert!(victim.is_present());
}
