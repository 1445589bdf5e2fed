//! libiscsi's suite against our array, in each shape of a unit: no failure, and no skip that is not named here with its reason.
//!
//! CUnit counts a skip as passed, and ends with 0 where nothing was tested: tests are counted here, by what they print.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::built;

const TARGET: &str = "iqn.2026-11.org.oarlock:array";

/// One run takes ten seconds on a quiet machine.
const RUN_MAX: Duration = Duration::from_secs(240);

/// How long the array may take to be ready.
const READY_MAX: Duration = Duration::from_secs(20);

/// A shape of a unit, the tests that are run on it, and the skips that it may have.
struct Shape {
    name: &'static str,
    unit: &'static str,
    tests: &'static [&'static str],
    flags: &'static [&'static str],
    skips: &'static [Skip],
}

/// The beginning of a test's name, and why it skips itself. docs/TESTING.md has the same list.
type Skip = (&'static str, &'static str);

const NOT_REMOVABLE: [Skip; 3] = [
    ("NoMedia.", "for a removable unit: `removable` runs it"),
    ("PreventAllow.", "for a removable unit: `removable` runs it"),
    ("StartStopUnit.", "for a removable unit: `removable` runs it"),
];
const ONE_BLOCK_ALONE: [Skip; 5] = [
    ("CompareAndWrite.InvalidDataOutSize", "for a physical block of several: `physical` runs it"),
    ("WriteSame10.UnmapUnaligned", "for a physical block of several: `physical` runs it"),
    ("WriteSame10.InvalidDataOutSize", "for a physical block of several: `physical` runs it"),
    ("WriteSame16.UnmapUnaligned", "for a physical block of several: `physical` runs it"),
    ("WriteSame16.InvalidDataOutSize", "for a physical block of several: `physical` runs it"),
];
const EVERYWHERE: [Skip; 3] = [
    ("WriteAtomic16.VPD", "it looks at alignments, and there are none to keep"),
    ("WriteSame10.ZeroBlocks", "WSNZ is set (docs/decisions/0076)"),
    ("WriteSame16.ZeroBlocks", "WSNZ is set (docs/decisions/0076)"),
];
const READ_ONLY: Skip = ("ReadOnly.", "for a read-only unit: `read-only` runs it");
const SANITIZE: Skip = ("Sanitize.", "for a unit that may be erased: `removable` runs it");

const SHAPES: [Shape; 6] = [
    Shape {
        name: "thin",
        unit: "size=128M,thin,physical=512",
        tests: &["ALL"],
        flags: &["--dataloss"],
        skips: &[
            NOT_REMOVABLE[0],
            NOT_REMOVABLE[1],
            NOT_REMOVABLE[2],
            ONE_BLOCK_ALONE[0],
            ONE_BLOCK_ALONE[1],
            ONE_BLOCK_ALONE[2],
            ONE_BLOCK_ALONE[3],
            ONE_BLOCK_ALONE[4],
            EVERYWHERE[0],
            EVERYWHERE[1],
            EVERYWHERE[2],
            READ_ONLY,
            SANITIZE,
        ],
    },
    Shape {
        name: "blocks of 4096",
        unit: "size=128M,thin,block=4096,wce=0",
        tests: &["ALL"],
        flags: &["--dataloss"],
        skips: &[
            NOT_REMOVABLE[0],
            NOT_REMOVABLE[1],
            NOT_REMOVABLE[2],
            ONE_BLOCK_ALONE[0],
            ONE_BLOCK_ALONE[1],
            ONE_BLOCK_ALONE[2],
            ONE_BLOCK_ALONE[3],
            ONE_BLOCK_ALONE[4],
            EVERYWHERE[0],
            EVERYWHERE[1],
            EVERYWHERE[2],
            READ_ONLY,
            SANITIZE,
        ],
    },
    Shape {
        name: "thick",
        unit: "size=128M,physical=512",
        tests: &["ALL"],
        flags: &["--dataloss"],
        skips: &[
            NOT_REMOVABLE[0],
            NOT_REMOVABLE[1],
            NOT_REMOVABLE[2],
            EVERYWHERE[0],
            READ_ONLY,
            SANITIZE,
            ("CompareAndWrite.InvalidDataOutSize", "for a thin unit: `physical` runs it"),
            ("GetLBAStatus.UnmapSingle", "for a thin unit: `thin` runs it"),
            ("Inquiry.BlockLimits", "its limits of UNMAP are a thin unit's: `thin` runs it"),
            ("Unmap.", "for a thin unit: `thin` runs it"),
            ("WriteSame10.", "what UNMAP does is a thin unit's: `thin` and `physical` run it"),
            ("WriteSame16.", "what UNMAP does is a thin unit's: `thin` and `physical` run it"),
        ],
    },
    Shape {
        name: "removable",
        unit: "size=128M,thin,removable,physical=512",
        tests: &[
            "SCSI.NoMedia",
            "SCSI.PreventAllow",
            "SCSI.StartStopUnit",
            "SCSI.TestUnitReady",
            "SCSI.Sanitize.Block*",
            "SCSI.Sanitize.Overwrite*",
            "SCSI.Sanitize.Crypto*",
            "SCSI.Sanitize.Exit*",
            "SCSI.Sanitize.Invalid*",
            "SCSI.Sanitize.Read*",
            "SCSI.Sanitize.Reservations",
        ],
        flags: &["--dataloss", "--allow-sanitize"],
        skips: &[
            ("Sanitize.CryptoErase", "nothing is encrypted"),
            ("Sanitize.Readonly", "its last part is a cryptographic erase: nothing is encrypted"),
            ("Sanitize.Reservations", "its last part is a cryptographic erase: nothing is encrypted"),
        ],
    },
    Shape {
        name: "read-only",
        unit: "ro",
        tests: &["SCSI.ReadOnly", "SCSI.Read10", "SCSI.Inquiry", "SCSI.ReadCapacity16"],
        flags: &["--dataloss"],
        skips: &[("Inquiry.BlockLimits", "its limits of UNMAP are a thin unit's: `thin` runs it")],
    },
    Shape {
        name: "physical",
        unit: "size=128M,thin,physical=4K",
        tests: &[
            "SCSI.CompareAndWrite",
            "SCSI.WriteSame10",
            "SCSI.WriteSame16",
            "SCSI.Unmap",
            "SCSI.ReadCapacity16",
        ],
        flags: &["--dataloss"],
        skips: &[EVERYWHERE[1], EVERYWHERE[2]],
    },
];

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
    if shape.unit == "ro" {
        let made = fs::File::create(&file).and_then(|file| file.set_len(128 << 20));
        made.map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let array =
        Array::start(program, &format!("0={},{}", file.display(), shape.unit), &file.with_extension("sock"))?;
    let mut counts = Counts::default();
    for tests in shape.tests {
        let printed = array.suite(shape.flags, tests)?;
        let seen = Seen::of(&printed);
        if seen.tests.is_empty() {
            return Err(format!("{tests}: nothing was tested:\n{printed}"));
        }
        for (test, outcome) in seen.tests {
            match outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Skipped if shape.skips.iter().any(|(name, _)| test.starts_with(name)) => {
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

/// A running array with two portals, and their addresses.
struct Array {
    process: Child,
    portals: Vec<String>,
}

impl Array {
    fn start(program: &Path, unit: &str, api: &Path) -> Result<Array, String> {
        let mut command = Command::new(program);
        command.args([
            "target",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--listen",
            "127.0.0.1:0",
            "--lun",
            unit,
            "--api",
        ]);
        command.arg(api);
        let mut process = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let Some(errors) = process.stderr.take() else {
            return Err("the array has no standard error".to_owned());
        };
        let (sender, portals) = std::sync::mpsc::channel();
        // Read to its end: an array whose words nobody takes would wait for somebody.
        thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                if let Some((_, portal)) = line.split_once(" at ") {
                    let _ = sender.send(portal.to_owned());
                }
            }
        });
        let mut array = Array { process, portals: Vec::new() };
        let deadline = Instant::now() + READY_MAX;
        while array.portals.len() < 2 {
            let left = deadline.saturating_duration_since(Instant::now());
            let portal = portals.recv_timeout(left).map_err(|_| "the array did not start".to_owned())?;
            array.portals.push(portal);
        }
        Ok(array)
    }

    /// What the suite prints of the tests of that name.
    fn suite(&self, flags: &[&str], tests: &str) -> Result<String, String> {
        let url = |portal: &String| format!("iscsi://{portal}/{TARGET}/0");
        let mut command = Command::new("timeout");
        command.arg(RUN_MAX.as_secs().to_string()).arg("iscsi-test-cu").args(flags).args([
            "--Verbose-scsi",
            "--test",
            tests,
        ]);
        command.args(self.portals.iter().map(url));
        let output = command.output().map_err(|error| format!("iscsi-test-cu: {error}"))?;
        if output.status.code() == Some(124) {
            return Err(format!("{tests}: not done after {} s", RUN_MAX.as_secs()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        // It is gone already, or is now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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
