//! The project's own chores, run as `cargo xtask NAME`: what is too long or too particular for `cargo test`.

mod built;
mod fuzz;
mod ground;
mod portable;
mod readme;
mod soak;
mod suites;

use std::process::{Command, ExitCode};

/// One chore: its name, what it does, and how.
type Chore = (&'static str, &'static str, fn(&[String]) -> ExitCode);

const CHORES: [Chore; 8] = [
    (
        "planted-bugs",
        "[BUG [SEED] | survey SEEDS [BUG...]]: the simulator against each known mistake; each must be found",
        planted_bugs,
    ),
    ("exhaustive", ": every schedule of two hosts, one lock, one crash and one late command", exhaustive),
    ("seed", "SEED: one seed of the simulator, with its trace", seed),
    (
        "soak",
        "[SECONDS [SEED]]: real hosts, killed and stopped at random, while a counter is kept (60)",
        soak::run,
    ),
    (
        "suites",
        "[SUITE...]: what people run on a disk, on disks of hosts that are killed, stopped and replaced meanwhile",
        suites::run,
    ),
    (
        "portable",
        ": the doctor alone as one static binary, and its crate checked for other systems",
        portable::run,
    ),
    (
        "readme",
        ": the commands of README.md's sections \"By hand\" and \"Disks\", as a reader types them",
        readme::run,
    ),
    (
        "fuzz",
        "[SECONDS [TARGET...]]: the fuzz targets of every decoder, for so long together (300)",
        fuzz::run,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let chore = arguments.first().and_then(|name| CHORES.iter().find(|(known, ..)| known == name));
    match chore {
        Some((_, _, run)) => run(&arguments[1..]),
        None => {
            for (name, what, _) in CHORES {
                eprintln!("cargo xtask {name} {what}");
            }
            ExitCode::from(2)
        }
    }
}

/// What lets mistakes be switched on.
const PLANTED: [&str; 2] = ["--features", "planted-bugs"];

fn planted_bugs(arguments: &[String]) -> ExitCode {
    example("planted_bugs", &PLANTED, arguments)
}

/// By the same build, with no mistake switched on: another one takes longer than most of what is explored.
fn exhaustive(arguments: &[String]) -> ExitCode {
    example("exhaustive", &PLANTED, arguments)
}

fn seed(arguments: &[String]) -> ExitCode {
    example("seed", &[], arguments)
}

/// Runs an example of the simulator in release.
fn example(name: &str, flags: &[&str], arguments: &[String]) -> ExitCode {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--release", "--package", "oarlock-sim", "--example", name]).args(flags);
    finish(cargo.arg("--").args(arguments))
}

fn finish(command: &mut Command) -> ExitCode {
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("{command:?} could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}
