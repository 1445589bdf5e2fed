//! `cargo xtask fuzz`: the targets of fuzz/fuzz_targets, however many there are, within one time together.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::finish;

/// What all targets together get, where nothing is said: what `.ci/run` has for them.
const SECONDS: u32 = 300;
/// The longest input. The largest block has as many bytes; answers and documents that matter are shorter.
const LENGTH_MAX: u32 = 4096;
/// Those that read logs begin with the logs in this folder; what they find on the way goes into one that is not kept.
const LOG_READERS: [&str; 2] = ["doctor", "explain"];
const LOG_SEEDS: &str = "testdata/logs";

/// Builds all targets, and fuzzes one after the other, each for its share of the time. Needs cargo-fuzz; the variable lets
/// the pinned stable compiler use the sanitizers.
pub fn run(arguments: &[String]) -> ExitCode {
    let seconds = match arguments.first().map_or(Ok(SECONDS), |text| text.parse::<u32>()) {
        Ok(seconds) => seconds,
        Err(error) => {
            eprintln!("cargo xtask fuzz: {}: {error}; give a number of seconds", arguments[0]);
            return ExitCode::from(2);
        }
    };
    let known = match targets() {
        Ok(known) => known,
        Err(error) => {
            eprintln!("cargo xtask fuzz: the targets could not be listed: {error}");
            return ExitCode::FAILURE;
        }
    };
    let wanted = arguments.get(1..).unwrap_or_default();
    let targets: Vec<&String> =
        known.iter().filter(|target| wanted.is_empty() || wanted.contains(target)).collect();
    let count = u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
    let code = finish(cargo_fuzz().arg("build"));
    if code != ExitCode::SUCCESS {
        return code;
    }
    for target in targets {
        println!("fuzzing {target}, target one of {count}");
        let limit = format!("-max_total_time={}", (seconds / count).max(1));
        let length = format!("-max_len={LENGTH_MAX}");
        let mut run = cargo_fuzz();
        run.args(["run", target]);
        if LOG_READERS.contains(&target.as_str()) {
            // cargo-fuzz does not make the folder of what is found, when seeds are named beside it.
            let found = format!("fuzz/corpus/{target}");
            if let Err(error) = std::fs::create_dir_all(&found) {
                eprintln!("cargo xtask fuzz: {found}: {error}");
                return ExitCode::FAILURE;
            }
            run.args([found.as_str(), LOG_SEEDS]);
        }
        let code = finish(run.args(["--", &limit, &length, "-verbosity=0"]));
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    ExitCode::SUCCESS
}

fn cargo_fuzz() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.env("RUSTC_BOOTSTRAP", "1").arg("fuzz");
    cargo
}

/// The names of the targets, each a file of its own.
fn targets() -> std::io::Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.extend(entry?.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
