//! The theme of attached disks: its runs do everything that guests can do, and often enough to prove something.

use std::collections::BTreeMap;

use oarlock_sim::{Theme, run_seed};

#[test]
fn guests_do_whatever_can_be_done_with_disks_and_space_runs_out() {
    let seeds = (0..600).filter(|seed| Theme::of(*seed) == Theme::Disks);
    let mut deeds = BTreeMap::<&str, u64>::new();
    for seed in seeds {
        let report = run_seed(seed, None, 0);
        assert_eq!(report.found, None, "replay: cargo xtask seed {seed}");
        report.deeds.into_iter().for_each(|(deed, count)| *deeds.entry(deed).or_default() += count);
    }
    let least = [
        ("attach", 100),
        ("attach to read", 20),
        ("clone", 2),
        ("close a quarantine", 1),
        ("create", 20),
        ("create thick", 5),
        ("delete", 5),
        ("delete a snapshot", 5),
        ("failed", 1),
        ("flatten", 5),
        ("flush", 50),
        ("hand off", 10),
        ("make full again", 2),
        ("no space", 10),
        ("read", 500),
        ("receive", 20),
        ("resize", 2),
        ("revert", 2),
        ("share", 20),
        ("share with another", 5),
        ("snapshot", 20),
        ("take up", 10),
        ("tend", 20),
        ("trim", 300),
        ("try again where there was no room", 5),
        ("turned away", 10),
        ("write", 500),
    ];
    for (deed, least) in least {
        let count = deeds.get(deed).copied().unwrap_or_default();
        assert!(count >= least, "{deed}: {count} times only, of {deeds:?}");
    }
}
