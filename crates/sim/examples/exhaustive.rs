//! Runs every schedule of two hosts, one lock, one crash and one late command within the bounds of CI:
//! `cargo run --release -p oarlock-sim --example exhaustive`.

use std::process::ExitCode;
use std::time::Duration;

use oarlock_sim::exhaustive::{Bounds, explore};

/// Crashes, late commands and steps out of order in one run, at most; and for how long they may begin. The first has all three
/// together. The others have two of one kind; with the third kind beside them they would take hours.
const EXPLORATIONS: [(usize, usize, usize, Duration); 4] = [
    (1, 1, 1, Duration::from_millis(600)),
    (2, 1, 0, Duration::from_millis(100)),
    (1, 2, 0, Duration::from_millis(100)),
    (0, 0, 2, Duration::from_millis(600)),
];
/// Runs of one exploration at most: what does not end within is reported as cut short, and fails.
const SCHEDULES_MAX: u64 = 1_000_000;

fn main() -> ExitCode {
    let mut sound = true;
    for (crashes, late, out_of_order, faults_for) in EXPLORATIONS {
        let bounds = Bounds { crashes, late, out_of_order, faults_for, schedules_max: SCHEDULES_MAX };
        let started = std::time::Instant::now();
        let explored = explore(bounds);
        println!(
            "{crashes} crash, {late} late, {out_of_order} out of order: {} schedules of up to {} choices, {}, {:.1} s",
            explored.schedules,
            explored.choices_max,
            if explored.complete { "complete" } else { "NOT COMPLETE" },
            started.elapsed().as_secs_f64()
        );
        if let Some(found) = explored.found {
            println!("    FOUND: {}\n    script: {:?}", found.violation, found.script);
            println!("{}", oarlock_sim::exhaustive::replay(bounds, found.script).1);
        }
        sound &= explored.complete;
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
