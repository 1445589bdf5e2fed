//! The protocol under every fault: a few hundred seeds here, ten thousand by `oarlock sim`, and small worlds exhaustively.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oarlock_sim::exhaustive::{Bounds, explore};
use oarlock_sim::run_seed;

/// Seeds that each `cargo test` runs.
const SEEDS: u64 = 240;

#[test]
fn a_few_hundred_seeds_break_no_invariant() {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let acquired = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    let report = run_seed(seed, None, 0);
                    assert_eq!(report.found, None, "replay: cargo xtask seed {seed}");
                    acquired.fetch_add(report.acquired, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(acquired.into_inner() > SEEDS * 50, "hardly any lock was taken: these runs prove nothing");
}

/// Seeds that found a mistake of the engine, and what it was. Later changes of the weather make other runs of them; what
/// they cost is little.
const FOUND_ONCE: [(u64, &str); 8] = [
    (3118, "a user who queued behind another took a lock after his host had begun to free its slot"),
    (
        1734,
        "a host disclaimed a shared lock whose name a repair had lost, because a second user had looked at it",
    ),
    (134, "a host that repaired a lock which it held itself left itself out"),
    (
        1554,
        "a host that answered for a lock without a name gave up what its own user had just taken there (found by its history)",
    ),
    (834, "waiters for a nameless lock kept their own host from answering"),
    (
        94,
        "hosts that put one name into a window of which all positions are named spoilt each other's work for ever",
    ),
    (
        4087,
        "a host answered for a lock by a place that had stood there before, and gave up what its own user held",
    ),
    (448, "a host that was fenced while it joined freed its slot itself, out of the hands of who buried it"),
];

#[test]
fn seeds_that_once_found_a_mistake_find_none() {
    for (seed, mistake) in FOUND_ONCE {
        assert_eq!(run_seed(seed, None, 0).found, None, "once: {mistake}; replay: cargo xtask seed {seed}");
    }
}

#[test]
fn one_seed_is_one_run() {
    for seed in [0, 4, 6, 7, 8, 13, 16, 19] {
        let (first, second) = (run_seed(seed, None, 0), run_seed(seed, None, 0));
        assert_eq!(first.fingerprint, second.fingerprint, "seed {seed} ran differently the second time");
    }
}

#[test]
fn every_schedule_with_one_crash_or_one_late_command_keeps_one_owner() {
    for (crashes, late) in [(1, 0), (0, 1)] {
        let bounds = Bounds {
            crashes,
            late,
            out_of_order: 0,
            faults_for: Duration::from_millis(600),
            schedules_max: 10_000,
        };
        let explored = explore(bounds);
        assert!(explored.complete && explored.schedules > 30, "{explored:?}");
        assert_eq!(explored.found, None);
    }
}
