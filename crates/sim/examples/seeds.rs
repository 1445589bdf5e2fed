//! Runs seeds A to B and prints what was found: `cargo run --release -p oarlock-sim --example seeds -- A B`.
fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (Some(Ok(from)), Some(Ok(to))) = (arguments.next(), arguments.next()) else {
        panic!("usage: seeds A B")
    };
    let started = std::time::Instant::now();
    let (mut host_time, mut commands, mut acquired, mut faults, mut found) =
        (std::time::Duration::ZERO, 0, 0, 0, 0);
    for seed in from..to {
        let report = oarlock_sim::run_seed(seed, None, 0);
        host_time += report.host_time;
        commands += report.commands;
        acquired += report.acquired;
        faults += report.faults;
        if let Some(wrong) = report.found {
            found += 1;
            println!("{wrong:?}");
        }
    }
    println!(
        "{} seeds, {} host-seconds, {commands} commands, {acquired} acquired, {faults} faults, {found} found, {:?}",
        to - from,
        host_time.as_secs(),
        started.elapsed()
    );
}
