//! Suites: what people run on a disk, on disks of real hosts that are killed, stopped, restarted and replaced meanwhile.
//!
//! They want root (loop devices, mounts) and programs of others; one that is missing is a failure, and the message says which.

mod array;
mod filesystem;
mod guest;
mod stack;
mod verify;

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// A suite: its name, the programs that it wants, and how it is run; it says what it saw.
type Suite = (&'static str, &'static [&'static str], fn() -> Result<String, String>);

const SUITES: [Suite; 4] = [
    ("array", &["iscsi-test-cu", "timeout"], array::run),
    ("verify", &["fio", "qemu-storage-daemon", "nbdfuse"], verify::run),
    (
        "filesystem",
        &["mkfs.ext4", "losetup", "stress-ng", "fstrim", "qemu-storage-daemon", "nbdfuse"],
        filesystem::run,
    ),
    ("guest", &["apt-get", "dpkg", "mkfs.ext4", "losetup"], guest::run),
];

/// Runs those that are named, or all.
pub fn run(names: &[String]) -> ExitCode {
    if let Some(unknown) = names.iter().find(|name| !SUITES.iter().any(|(known, ..)| known == name)) {
        let known: Vec<&str> = SUITES.iter().map(|(name, ..)| *name).collect();
        eprintln!("cargo xtask suites: there is no suite {unknown}; there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    for (name, wants, suite) in SUITES {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        let began = Instant::now();
        match all_there(wants).and_then(|()| suite()) {
            Ok(saw) => println!("{name}: {saw} ({} s)", began.elapsed().as_secs()),
            Err(trouble) => {
                eprintln!("cargo xtask suites {name}: {trouble}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
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
