//! One seed, one run.

mod common;

use common::{counting_world, second};
use oarlock_sim::{FaultKind, FaultPlan, TRACE_ENTRIES};

fn run(seed: u64) -> (u64, String) {
    let faults = FaultPlan::draw(seed, FaultKind::ALL);
    let (world, _, _) = counting_world(seed, 4, faults);
    world.run_until(second(120));
    (world.fingerprint(), world.trace(&|lba, bytes| format!("{lba}={:?}", &bytes[..24])))
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte_and_another_seed_another() {
    let mut fingerprints = Vec::new();
    for seed in 0..50 {
        let (fingerprint, trace) = run(seed);
        let again = run(seed);
        assert!(again.0 == fingerprint && again.1 == trace, "seed {seed}");
        assert!(trace.lines().count() <= TRACE_ENTRIES + 1);
        fingerprints.push(fingerprint);
    }
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 50);
}

#[test]
fn the_usual_plan_of_all_kinds_makes_each_of_them_happen() {
    let mut faults = FaultPlan::calm().with_usual(FaultKind::ALL);
    faults.volatile_cache = true;
    let mut counts = [0_u64; FaultKind::COUNT];
    for seed in 0..20 {
        let (world, _, _) = counting_world(seed, 4, faults.clone());
        world.run_until(second(300));
        for kind in FaultKind::ALL {
            counts[kind.index()] += world.statistics().faults_of(*kind);
        }
    }
    for kind in FaultKind::ALL {
        // The counting hosts send commands of one block only: nothing to split.
        let expected = *kind != FaultKind::SplitCommand;
        assert_eq!(counts[kind.index()] > 0, expected, "{}: {}", kind.name(), counts[kind.index()]);
    }
}

#[test]
fn no_fault_begins_after_the_end_of_faults() {
    for seed in 0..20 {
        let mut faults = FaultPlan::draw(seed, FaultKind::ALL);
        faults.stop_at = second(60);
        let (world, told, _) = counting_world(seed, 3, faults);
        world.run_until(second(62));
        let (counts, swapped) = (world.statistics().faults, told.swapped.get());
        world.run_until(second(120));
        assert_eq!(world.statistics().faults, counts, "seed {seed}");
        assert!(told.swapped.get() >= swapped + 100, "seed {seed}: work goes on");
    }
}
