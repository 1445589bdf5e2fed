//! The doctor alone as one static binary, and its crate checked for systems that are not Linux.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

/// Where the binary shall run: any Linux, whichever C library it has.
const STATIC: &str = "x86_64-unknown-linux-musl";
/// What stands in on a developer's machine where that target cannot be had: static too, with the C library of this machine.
const STATIC_INSTEAD: &str = "x86_64-unknown-linux-gnu";
/// Other systems that the crate doctor must compile for.
const OTHERS: [&str; 2] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];
/// A binary above this is no longer one that is copied to a host at night without a thought.
const SIZE_MAX: u64 = 8 << 20;
/// What `rustup` may take to fetch a target.
const FETCH_SECONDS_MAX: &str = "120";
/// Attempts to fetch one: a network may falter.
const FETCHES_MAX: usize = 3;
/// Set where the ladder of checks runs: there a stand-in, or a system that was not checked, would be a check that did not happen.
const LADDER: &str = "OARLOCK_CI";
/// Verbs that it must have, and one that it must not.
const VERBS: [(&str, bool); 3] = [("doctor", true), ("causes", true), ("up", false)];

/// Builds, looks and tries; every complaint is one line.
pub fn run(_arguments: &[String]) -> ExitCode {
    match build().and_then(|binary| examine(&binary)).and_then(|()| others()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("cargo xtask portable: {what}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<PathBuf, String> {
    let musl = wanted(STATIC)?;
    let target = if musl { STATIC } else { STATIC_INSTEAD };
    if !musl {
        println!("{STATIC_INSTEAD} with +crt-static instead");
    }
    let mut cargo = cargo(&["build", "--package", "oarlock-cli", "--no-default-features"]);
    cargo.args(["--features", "doctor", "--profile", "portable", "--target", target]);
    if !musl {
        cargo.env("RUSTFLAGS", "-C target-feature=+crt-static");
    }
    succeeded(&mut cargo)?;
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    Ok(folder.join(target).join("portable/oarlock"))
}

/// That it is static, small, and has the verbs it is to have, and that a diagnosis comes out of it.
fn examine(binary: &Path) -> Result<(), String> {
    let bytes = std::fs::metadata(binary).map_err(|error| format!("{}: {error}", binary.display()))?.len();
    let told = output(Command::new("ldd").arg(binary))?;
    let told = format!("{}{}", text(&told.stdout), text(&told.stderr));
    let is_static = told.contains("statically linked") || told.contains("not a dynamic executable");
    println!("{}: {:.1} MiB, {}", binary.display(), mebibytes(bytes), told.trim());
    if !is_static {
        return Err("the binary is not static".to_owned());
    }
    if bytes > SIZE_MAX {
        return Err(format!("the binary has {bytes} bytes, more than {SIZE_MAX}"));
    }
    for (verb, wanted) in VERBS {
        let has = output(Command::new(binary).args([verb, "--help"]))?.status.success();
        if has != wanted {
            return Err(format!("the verb {verb} is there: {has}; it shall be: {wanted}"));
        }
    }
    let line = "2026-01-01T00:00:00.000Z cpu1:2)ScsiDeviceIO: 1: Cmd(0x4) 0x89, CmdSN 0x3 from world 4 to dev \"naa.6001\" failed \
                H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";
    let explained = output(Command::new(binary).args(["doctor", "--explain", line]))?;
    if !text(&explained.stdout).contains("COMPARE AND WRITE") {
        return Err("the binary does not explain a line".to_owned());
    }
    Ok(())
}

/// Checks the crate doctor for the other systems, as far as their targets can be had.
fn others() -> Result<(), String> {
    for target in OTHERS {
        if wanted(target)? {
            succeeded(&mut cargo(&["check", "--package", "oarlock-doctor", "--target", target]))?;
            println!("oarlock-doctor compiles for {target}");
        }
    }
    Ok(())
}

/// Whether a target can be had, with a word where it cannot; on the ladder of checks that is a failure.
fn wanted(target: &str) -> Result<bool, String> {
    let Err(why) = fetched(target) else { return Ok(true) };
    let what = format!("the standard library for {target} is not here, and rustup could not fetch it: {why}");
    if std::env::var_os(LADDER).is_some() {
        return Err(format!("{what} (without {LADDER} this check would go on without it)"));
    }
    println!("{what}");
    Ok(false)
}

/// Fetches a target where it is not installed; the error is what rustup said last.
fn fetched(target: &str) -> Result<(), String> {
    let listed = output(Command::new("rustup").args(["target", "list", "--installed"]))?;
    if text(&listed.stdout).lines().any(|line| line == target) {
        return Ok(());
    }
    let mut said = String::new();
    for _ in 0..FETCHES_MAX {
        // Without a network it fails at once, or never answers: then `timeout` ends it.
        let added =
            output(Command::new("timeout").args([FETCH_SECONDS_MAX, "rustup", "target", "add", target]))?;
        if added.status.success() {
            return Ok(());
        }
        said = text(&added.stderr).trim().lines().last().unwrap_or("nothing was said").to_owned();
    }
    Err(said)
}

fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).args(["--quiet", "--locked"]);
    cargo
}

fn output(command: &mut Command) -> Result<Output, String> {
    command.output().map_err(|error| format!("{command:?}: {error}"))
}

fn succeeded(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed: {status}")) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// For people: one digit behind the point is enough.
#[allow(clippy::cast_precision_loss)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
