//! How fast the world is: simulated host-hours a minute of idle hosts, and device commands a second of busy ones.
//!
//! `cargo run --release -p oarlock-sim --example speed`

use std::time::{Duration, Instant};

use futures::future::{Either, select};
use oarlock_block::{Answer, Clock, Device, Lba};
use oarlock_sim::{FaultKind, FaultPlan, HostSetup, Lane, TrueTime, World, WorldOptions};

const IDLE_HOSTS: u64 = 64;
const IDLE_TIME: Duration = Duration::from_secs(4 * 3_600);
const BUSY_HOSTS: u64 = 8;
const BUSY_TASKS: u64 = 8;

fn main() {
    let calm = FaultPlan::calm();
    idle("idle, calm", &calm);
    for kinds in [FaultKind::ORDINARY, FaultKind::ALL] {
        let name = if kinds.len() == FaultKind::COUNT { "all faults" } else { "ordinary faults" };
        let mut plan = FaultPlan::calm().with_usual(kinds);
        // Hosts that die stay dead here, and an idle world would be a dead one.
        plan.set(FaultKind::Crash, oarlock_sim::Fault::NONE);
        idle(&format!("idle, {name}"), &plan);
    }
    busy("busy, calm", &calm, false);
    busy("busy, calm, traced", &calm, true);
    let mut plan = FaultPlan::calm().with_usual(&[
        FaultKind::RepeatedCommand,
        FaultKind::LateReply,
        FaultKind::TornRead,
        FaultKind::SlowWake,
    ]);
    plan.latency = oarlock_sim::Latency::HEAVY_TAIL;
    busy("busy, four faults", &plan, false);
}

/// Hosts that beat every two seconds: one ATS each, given up after one interval.
fn idle(name: &str, plan: &FaultPlan) {
    let world = World::seeded(WorldOptions::calm(1).with_faults(plan.clone()));
    for slot in 0..IDLE_HOSTS {
        let life = world.start_life(world.add_host(HostSetup::MEMBER));
        let (device, clock) = (life.device(Lane::Beat), life.clock());
        life.spawn(async move {
            let mut image = [0_u8; 512];
            let interval = Duration::from_secs(2);
            loop {
                let next = clock.now().plus(interval);
                let mut new = image;
                new[..8].copy_from_slice(&clock.now().since_zero().as_millis().to_le_bytes()[..8]);
                let beat = device.compare_and_write(Lba(slot), &image, &new);
                let swapped = match select(beat, clock.sleep_until(next)).await {
                    Either::Left((answer, deadline)) => {
                        deadline.await;
                        answer.outcome == Ok(Answer::Swapped)
                    }
                    Either::Right(_) => false,
                };
                if swapped {
                    image = new;
                }
            }
        });
    }
    let began = Instant::now();
    world.run_for(IDLE_TIME);
    let took = began.elapsed().as_secs_f64();
    let hours = f64::from(u32::try_from(IDLE_HOSTS).unwrap_or(0)) * IDLE_TIME.as_secs_f64() / 3_600.0;
    let statistics = world.statistics();
    println!(
        "{name:24} {:>9.0} host-hours a minute  {:>9.0} commands a second",
        hours / took * 60.0,
        statistics.commands as f64 / took
    );
}

/// Hosts whose tasks send one ATS after the other, each on a block that it shares with a task of another host.
fn busy(name: &str, plan: &FaultPlan, traced: bool) {
    let mut options = WorldOptions::calm(1).with_faults(plan.clone());
    if !traced {
        options.trace_entries = 0;
    }
    let world = World::seeded(options);
    for host in 0..BUSY_HOSTS {
        let life = world.start_life(world.add_host(HostSetup::MEMBER));
        for task in 0..BUSY_TASKS {
            let device = life.device(Lane::Work);
            let lba = Lba(task * BUSY_HOSTS / 2 + host / 2);
            life.spawn(async move {
                let mut image = [0_u8; 512];
                loop {
                    let mut new = image;
                    let count = u64::from_le_bytes(new[..8].try_into().unwrap_or_default());
                    new[..8].copy_from_slice(&(count + 1).to_le_bytes());
                    if device.compare_and_write(lba, &image, &new).await.outcome == Ok(Answer::Swapped) {
                        image = new;
                    } else {
                        let _ = device.read(lba, &mut image).await;
                    }
                }
            });
        }
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        let next = world.now().plus(Duration::from_millis(100));
        world.run_until(next.max(TrueTime::START));
    }
    let took = began.elapsed().as_secs_f64();
    let statistics = world.statistics();
    println!(
        "{name:24} {:>9.0} commands a second       {:>9.0} events a second",
        statistics.executions as f64 / took,
        statistics.events as f64 / took
    );
}
