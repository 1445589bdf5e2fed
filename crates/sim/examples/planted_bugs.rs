//! Runs seeds against each known mistake until one of them finds it: `cargo xtask planted-bugs`.
//!
//! Prints for each the seed that found it and the command that replays it; exits with 1 unless each is found. With
//! `survey SEEDS [THEME] [BUG...]` it runs all of so many seeds instead, or those of one theme, and prints how many of them find
//! each mistake, by which invariant: a mistake that few seeds find is one change of the weather away from being missed.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use oarlock_engine::{PlantedBug, plant};
use oarlock_sim::Theme;

/// Seeds that a mistake may take to be found.
const SEEDS_MAX: u64 = 2_000;

/// The same for mistakes that only hosts with disks can make: of these the theme's seeds alone are run.
const SEEDS_OF_DISKS_MAX: u64 = 10_000;

fn main() -> ExitCode {
    // A mistake may well end in a panic, which is a finding; its words are in the report.
    std::panic::set_hook(Box::new(|_| {}));
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("survey", seeds)) = wanted.first().map(String::as_str).zip(wanted.get(1))
        && let Ok(seeds) = seeds.parse()
    {
        let is_bug = |name: &&String| PlantedBug::ALL.into_iter().any(|bug| format!("{bug:?}") == **name);
        let (bugs, themes): (Vec<&String>, Vec<&String>) = wanted[2..].iter().partition(is_bug);
        let bugs: Vec<String> = bugs.into_iter().cloned().collect();
        let theme = themes.first().map(|theme| theme.as_str());
        return for_each(&bugs, |bug| survey(bug, theme, seeds));
    }
    if let [bug, seed] = wanted.as_slice()
        && let Ok(seed) = seed.parse()
    {
        return replay(bug, seed);
    }
    for_each(&wanted, search)
}

/// Does this for each mistake that is wanted, all where none is named; on all processors.
fn for_each(wanted: &[String], act: impl Fn(PlantedBug) -> bool + Sync) -> ExitCode {
    let bugs: Vec<PlantedBug> = PlantedBug::ALL
        .into_iter()
        .filter(|bug| wanted.is_empty() || wanted.contains(&format!("{bug:?}")))
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let missed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !act(*bug) {
                        missed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    if missed.into_inner() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all of the first so many seeds, of one theme or of all, and tells how many find the mistake, and by what.
fn survey(bug: PlantedBug, theme: Option<&str>, seeds: u64) -> bool {
    let mut by: BTreeMap<(String, Theme), Vec<u64>> = BTreeMap::new();
    let is_of_theme = |seed: &u64| theme.is_none_or(|theme| format!("{:?}", Theme::of(*seed)) == theme);
    for seed in (0..seeds).filter(is_of_theme) {
        plant(Some(bug));
        let found = oarlock_sim::run_seed(seed, None, 0).found;
        plant(None);
        if let Some(found) = found {
            by.entry((found.invariant, Theme::of(seed))).or_default().push(seed);
        }
    }
    let count: usize = by.values().map(Vec::len).sum();
    let mut text = format!("{bug:?}: {count} of {seeds} seeds\n");
    for ((invariant, theme), seeds) in by {
        let first = seeds.iter().take(6).map(u64::to_string).collect::<Vec<_>>().join(", ");
        text += &format!("    {invariant:12} {theme:?}: {} ({first}...)\n", seeds.len());
    }
    print!("{text}");
    count > 0
}

fn search(bug: PlantedBug) -> bool {
    let of_disks = bug.is_of_disks();
    let seeds_max = if of_disks { SEEDS_OF_DISKS_MAX } else { SEEDS_MAX };
    let mut seeds = (0..seeds_max).filter(|seed| !of_disks || Theme::of(*seed) == Theme::Disks);
    let found = seeds.find_map(|seed| finding(bug, seed));
    match found {
        Some(found) => {
            println!("{bug:?}: found by seed {}: {}: {}", found.seed, found.invariant, found.message);
            println!("    replay: cargo xtask planted-bugs {bug:?} {}", found.seed);
            true
        }
        None => {
            println!("{bug:?}: NOT FOUND within {seeds_max} seeds");
            false
        }
    }
}

/// What the seed finds with the mistake, and does not find without it.
fn finding(bug: PlantedBug, seed: u64) -> Option<oarlock_sim::SeedFound> {
    plant(Some(bug));
    let found = oarlock_sim::run_seed(seed, None, 0).found;
    plant(None);
    found.filter(|_| oarlock_sim::run_seed(seed, None, 0).found.is_none())
}

fn replay(name: &str, seed: u64) -> ExitCode {
    let Some(bug) = PlantedBug::ALL.into_iter().find(|bug| format!("{bug:?}") == name) else {
        eprintln!("no such mistake: {name}; there are {:?}", PlantedBug::ALL);
        return ExitCode::from(2);
    };
    plant(Some(bug));
    let report = oarlock_sim::run_seed(seed, None, oarlock_sim::TRACE_ENTRIES);
    println!("{}", report.trace);
    println!("{:?}", report.found);
    ExitCode::SUCCESS
}
