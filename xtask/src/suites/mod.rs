//! Suites: what people run on a disk, on disks of real hosts that are killed, stopped, restarted and replaced meanwhile; and on the array.
//!
//! They want root (loop devices, mounts) and programs of others; one that is missing is a failure, and the message says which.

mod array;
mod disks;
mod machine;

use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Instant;

/// A suite: its name, the programs that it wants, and how it is run; it says what it saw.
#[derive(Clone, Copy)]
struct Suite(&'static str, &'static [&'static str], fn() -> Result<String, String>);

/// What is used to make virtual machines.
const MACHINES: &[&str] = &["apt-get", "dpkg", "ldd", "mkfs.ext4", "losetup"];

/// On the array, and on disks: two of them are run side by side, for each waits most of its time.
const LANES: [&[Suite]; 2] = [
    &[
        Suite("libiscsi", &["iscsi-test-cu", "timeout"], array::libiscsi::run),
        Suite("initiator", MACHINES, array::initiator::run),
        Suite("images", MACHINES, array::images::run),
        Suite("array-guest", MACHINES, array::guest::run),
    ],
    &[
        Suite("verify", &["fio", "qemu-storage-daemon", "nbdfuse"], disks::verify::run),
        Suite(
            "filesystem",
            &["mkfs.ext4", "losetup", "stress-ng", "fstrim", "qemu-storage-daemon", "nbdfuse"],
            disks::filesystem::run,
        ),
        Suite("guest", MACHINES, disks::guest::run),
    ],
];

/// Runs those that are named, or all.
pub fn run(names: &[String]) -> ExitCode {
    let known: Vec<&str> = LANES.iter().copied().flatten().map(|Suite(name, ..)| *name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        eprintln!("cargo xtask suites: there is no suite {unknown}; there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    let is_wanted = |suite: &&Suite| names.is_empty() || names.iter().any(|name| name == suite.0);
    let lanes = LANES.map(|lane| lane.iter().filter(is_wanted).copied().collect::<Vec<_>>());
    let outcomes = thread::scope(|scope| {
        let running = lanes.map(|lane| scope.spawn(move || run_lane(&lane)));
        running.map(|lane| lane.join().unwrap_or_else(|_| Err("a suite panicked".to_owned())))
    });
    let mut code = ExitCode::SUCCESS;
    for trouble in outcomes.into_iter().chain([machine::remove()]).filter_map(Result::err) {
        eprintln!("cargo xtask suites: {trouble}");
        code = ExitCode::FAILURE;
    }
    code
}

/// One after the other, up to the first that fails.
fn run_lane(suites: &[Suite]) -> Result<(), String> {
    for Suite(name, wants, run) in suites {
        let began = Instant::now();
        let saw = all_there(wants).and_then(|()| run()).map_err(|trouble| format!("{name}: {trouble}"))?;
        println!("{name}: {saw} ({} s)", began.elapsed().as_secs());
    }
    Ok(())
}

fn all_there(programs: &[&str]) -> Result<(), String> {
    let is_there = |program: &&str| {
        let found =
            Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    };
    match programs.iter().find(|program| !is_there(program)) {
        Some(missing) => Err(format!("there is no {missing}")),
        None => Ok(()),
    }
}
