//! libiscsi's suite against our array, in each shape of a unit: no failure, and no skip that is not named here with its reason.
//!
//! CUnit counts a skip as passed, and ends with 0 where nothing was tested: tests are counted here, by what they print.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::serving::Array;
use super::shapes::{SHAPES, Shape};
use crate::built;

/// One run takes ten seconds on a quiet machine.
const RUN_MAX: Duration = Duration::from_secs(240);

pub fn run() -> Result<String, String> {
    let (program, folder) = (built::program()?, built::folder("array")?);
    // Side by side: most of a run is the suite's own waiting for resets.
    let counted: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> =
            SHAPES.iter().map(|shape| scope.spawn(|| run_shape(&program, &folder, shape))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or_else(|_| Err("it panicked".to_owned()))).collect()
    });
    let mut told = Vec::new();
    for (shape, counts) in SHAPES.iter().zip(counted) {
        let counts = counts.map_err(|trouble| format!("{}: {trouble}", shape.name))?;
        println!("{}: {} passed, {} skipped as named", shape.name, counts.passed, counts.skipped);
        told.push(format!("{} {}", shape.name, counts.passed));
    }
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(format!("libiscsi's suite without a failure ({})", told.join(", ")))
}

#[derive(Default)]
struct Counts {
    passed: u32,
    skipped: u32,
}

fn run_shape(program: &Path, folder: &Path, shape: &Shape) -> Result<Counts, String> {
    let file = folder.join(format!("{}.img", shape.name.replace(' ', "-")));
    if shape.unit.starts_with("ro") {
        let made = fs::File::create(&file).and_then(|file| file.set_len(128 << 20));
        made.map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let unit = format!("0={},{}", file.display(), shape.unit);
    let array = Array::start(program, &file.with_extension("sock"), &["--lun", &unit])?;
    let mut counts = Counts::default();
    for tests in shape.tests {
        let printed = suite(&array, shape.flags, tests)?;
        let seen = Seen::of(&printed);
        if seen.tests.is_empty() {
            return Err(format!("{tests}: nothing was tested:\n{printed}"));
        }
        for (test, outcome) in seen.tests {
            match outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Skipped
                    if shape.skips.iter().copied().flatten().any(|(name, _)| test.starts_with(name)) =>
                {
                    counts.skipped += 1
                }
                Outcome::Skipped => return Err(format!("{test} skipped itself, which no line here allows")),
                Outcome::Failed(why) => return Err(format!("{test} failed:\n{why}")),
            }
        }
    }
    drop(array);
    fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(counts)
}

/// What the suite prints of the tests of that name.
fn suite(array: &Array, flags: &[&str], tests: &str) -> Result<String, String> {
    let mut command = Command::new("timeout");
    command.arg(RUN_MAX.as_secs().to_string()).arg("iscsi-test-cu").args(flags);
    command.args(["--Verbose-scsi", "--test", tests, &array.url(0, 0), &array.url(1, 0)]);
    let output = command.output().map_err(|error| format!("iscsi-test-cu: {error}"))?;
    if output.status.code() == Some(124) {
        return Err(format!("{tests}: not done after {} s", RUN_MAX.as_secs()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

enum Outcome {
    Passed,
    Skipped,
    Failed(String),
}

/// What a run of the suite says of each test.
struct Seen {
    tests: Vec<(String, Outcome)>,
}

impl Seen {
    /// `Suite: NAME`, then for each test `Test: NAME ...`, its words, and `passed` or `FAILED` at the beginning of a line, or
    /// at the end of its own.
    fn of(printed: &str) -> Seen {
        let mut seen = Seen { tests: Vec::new() };
        let (mut suite, mut test, mut words) = (String::new(), None::<String>, Vec::new());
        for line in printed.lines() {
            if let Some(name) = line.strip_prefix("Suite: ") {
                suite = name.trim().to_owned();
            }
            if let Some((name, rest)) =
                line.trim_start().strip_prefix("Test: ").and_then(|rest| rest.split_once(" ..."))
            {
                test = Some(format!("{suite}.{}", name.trim()));
                words = vec![rest.to_owned()];
            } else {
                words.push(line.to_owned());
            }
            let has_passed = line.starts_with("passed") || line.contains(" ...passed");
            let has_failed = line.starts_with("FAILED") || line.contains(" ...FAILED");
            if (has_passed || has_failed)
                && let Some(name) = test.take()
            {
                let is_skipped = words.iter().any(|word| word.contains("[SKIPPED]"));
                let tail = words[words.len().saturating_sub(12)..].join("\n");
                let outcome = match () {
                    () if has_failed => Outcome::Failed(tail),
                    () if is_skipped => Outcome::Skipped,
                    () => Outcome::Passed,
                };
                seen.tests.push((name, outcome));
            }
        }
        if let Some(name) = test {
            seen.tests.push((name, Outcome::Failed("it did not end".to_owned())));
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_by_what_they_print_and_a_skip_is_no_pass() {
        let printed = "Suite: Read10\n  Test: Simple ...\n    [OK] fine\npassed\n  Test: BeyondEol ...    [SKIPPED] no\npassed\n\
                       Suite: Write10\n  Test: Simple ...\n    [FAILED] no\nFAILED\n  Test: Reset ...passed    Send\n  Test: Async ...\n    cut";
        let seen: Vec<String> = Seen::of(printed)
            .tests
            .into_iter()
            .map(|(name, outcome)| match outcome {
                Outcome::Passed => format!("{name} passed"),
                Outcome::Skipped => format!("{name} skipped"),
                Outcome::Failed(_) => format!("{name} failed"),
            })
            .collect();
        let wanted = [
            "Read10.Simple passed",
            "Read10.BeyondEol skipped",
            "Write10.Simple failed",
            "Write10.Reset passed",
            "Write10.Async failed",
        ];
        assert_eq!(seen, wanted);
    }
}
