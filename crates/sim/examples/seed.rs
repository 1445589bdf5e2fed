//! Runs one seed and prints its trace: `cargo run --release -p oarlock-sim --example seed -- SEED [HOSTS]`.
fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let Some(Ok(seed)) = arguments.next() else { panic!("usage: seed SEED [HOSTS]") };
    let hosts = arguments.next().and_then(Result::ok).and_then(|hosts| u16::try_from(hosts).ok());
    let report = oarlock_sim::run_seed(seed, hosts, oarlock_sim::TRACE_WHOLE);
    println!("{}", report.trace);
    println!(
        "{:?} {} commands, {} acquired, {} faults",
        report.found, report.commands, report.acquired, report.faults
    );
}
