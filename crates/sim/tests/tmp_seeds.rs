//! Temporary.
use oarlock_sim::{Theme, run_seed};
#[test]
fn seeds() {
    let from: u64 = std::env::var("FROM").unwrap().parse().unwrap();
    let to: u64 = std::env::var("TO").unwrap().parse().unwrap();
    let mut count = 0;
    let mut bad = 0;
    for seed in (from..to).filter(|seed| Theme::of(*seed) == Theme::Disks) {
        let report = run_seed(seed, None, if to - from == 1 { 4000 } else { 0 });
        count += 1;
        if let Some(found) = report.found {
            bad += 1;
            println!("SEED {seed}: {}", found.message);
            if to - from == 1 {
                println!("{}", report.trace);
            }
        }
    }
    println!("DONE {count} bad {bad}");
}
