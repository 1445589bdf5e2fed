//! The project's own chores, run as `cargo xtask NAME`: what is too long or too particular for `cargo test`.

mod portable;
mod soak;

use std::process::{Command, ExitCode};

/// One chore: its name, what it does, and how.
type Chore = (&'static str, &'static str, fn(&[String]) -> ExitCode);

const CHORES: [Chore; 6] = [
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
        "portable",
        ": the doctor alone as one static binary, and its crate checked for other systems",
        portable::run,
    ),
    ("fuzz", "[SECONDS]: every decoder's fuzz target for so long (60)", fuzz),
];

/// The fuzz targets of fuzz/Cargo.toml.
const FUZZ_TARGETS: [&str; 17] = [
    "superblock",
    "slot",
    "mailbox",
    "lock",
    "bucket",
    "descriptor",
    "descriptor_name",
    "group",
    "journal_header",
    "map_page",
    "bitmap_page",
    "journal",
    "describe",
    "nbd_negotiation",
    "nbd_requests",
    "doctor",
    "explain",
];
/// Those that read logs: what they begin with lies in this folder, and what they find on the way in one that is not kept.
const LOG_READERS: [&str; 2] = ["doctor", "explain"];
const LOG_SEEDS: &str = "testdata/logs";

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

fn planted_bugs(arguments: &[String]) -> ExitCode {
    example("planted_bugs", &["--features", "planted-bugs"], arguments)
}

fn exhaustive(arguments: &[String]) -> ExitCode {
    example("exhaustive", &[], arguments)
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

/// Fuzzes each target; needs cargo-fuzz, and a toolchain that lets a stable compiler build it.
fn fuzz(arguments: &[String]) -> ExitCode {
    let seconds = match arguments.first().map_or(Ok(60), |text| text.parse::<u32>()) {
        Ok(seconds) => seconds,
        Err(error) => {
            eprintln!("cargo xtask fuzz: {}: {error}; give a number of seconds", arguments[0]);
            return ExitCode::from(2);
        }
    };
    for target in FUZZ_TARGETS {
        let limit = format!("-max_total_time={seconds}");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.env("RUSTC_BOOTSTRAP", "1").args(["fuzz", "run", target]);
        if LOG_READERS.contains(&target) {
            // cargo-fuzz does not make the folder of what is found, when seeds are named beside it.
            let found = format!("fuzz/corpus/{target}");
            if let Err(error) = std::fs::create_dir_all(&found) {
                eprintln!("cargo xtask fuzz: {found}: {error}");
                return ExitCode::FAILURE;
            }
            cargo.args([found.as_str(), LOG_SEEDS]);
        }
        cargo.args(["--", &limit]);
        let code = finish(&mut cargo);
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    ExitCode::SUCCESS
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
