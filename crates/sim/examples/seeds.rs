//! Runs seeds A to B, of one theme or of all, and prints what was found:
//! `cargo run --release -p oarlock-sim --example seeds -- A B [THEME]`.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse::<u64>().ok());
    let (Some(from), Some(to)) = (number(0), number(1)) else { panic!("usage: seeds A B [THEME]") };
    let theme = arguments.get(2);
    let started = std::time::Instant::now();
    let (mut host_time, mut commands, mut acquired, mut faults, mut found) =
        (std::time::Duration::ZERO, 0, 0, 0, 0);
    let mut deeds = std::collections::BTreeMap::<&str, u64>::new();
    let is_of_theme =
        |seed: &u64| theme.is_none_or(|theme| format!("{:?}", oarlock_sim::Theme::of(*seed)) == *theme);
    let seeds: Vec<u64> = (from..to).filter(is_of_theme).collect();
    for seed in &seeds {
        let report = oarlock_sim::run_seed(*seed, None, 0);
        host_time += report.host_time;
        commands += report.commands;
        acquired += report.acquired;
        faults += report.faults;
        report.deeds.into_iter().for_each(|(deed, count)| *deeds.entry(deed).or_default() += count);
        if let Some(wrong) = report.found {
            found += 1;
            println!("{wrong:?}");
        }
    }
    println!(
        "{} seeds, {} host-seconds, {commands} commands, {acquired} acquired, {faults} faults, {found} found, {:?}",
        seeds.len(),
        host_time.as_secs(),
        started.elapsed()
    );
    if !deeds.is_empty() {
        println!("{deeds:?}");
    }
}
