//! `oarlock demo`: every step holds, the facts are in its document, and nothing is left behind, however it ends.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Its functions are called by tests alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Ran, eventually, send};

const STEPS: [&str; 11] = [
    "format", "join", "counter", "shared", "killed", "stopped", "disk", "delayed", "wire", "answers", "leave",
];

/// A folder for the demonstration's folder, with a path that is short enough for sockets.
fn place() -> TempDir {
    let wanted = [std::env::temp_dir(), PathBuf::from("/dev/shm"), PathBuf::from("/var/tmp")];
    let local = wanted.iter().filter(|path| oarlock_device::is_local(path));
    local
        .into_iter()
        .find_map(|path| tempfile::tempdir_in(path).ok())
        .expect("a folder on a local file system")
}

/// The demonstration with its folder in `place`; what it tells goes into the file `told` beside it.
fn demo(place: &Path) -> Child {
    let told = fs::File::create(place.join("told")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_oarlock"))
        .args(["demo", "--json"])
        .env("TMPDIR", place)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(told)
        .spawn()
        .unwrap()
}

fn told(place: &Path) -> String {
    fs::read_to_string(place.join("told")).unwrap()
}

/// No wait for the demonstration is longer: that is as long as one wait of its own.
const LIMIT: Duration = Duration::from_mins(5);

/// Waits for the moment when a host is stopped.
#[track_caller]
fn until_a_host_is_stopped(place: &Path) {
    let deadline = Instant::now() + LIMIT;
    while !told(place).contains("b: SIGSTOP") {
        assert!(
            Instant::now() < deadline && !told(place).contains("nothing is left behind"),
            "{}",
            told(place)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes that work in `place`: each of the demonstration's has its folder in its environment.
fn processes(place: &Path) -> Vec<Pid> {
    let mark = format!("OARLOCK_RUNTIME_DIR={}", place.display());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|number| {
            let environment = fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|part| part == mark.as_bytes())
        })
        .filter_map(Pid::from_raw)
        .collect()
}

/// The process of the host `name`.
fn host(place: &Path, name: &str) -> Pid {
    let is_host = |pid: &Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&format!("\0up\0pool\0--host\0{name}\0"))
    };
    processes(place).into_iter().find(is_host).expect("the host runs")
}

#[track_caller]
fn nothing_is_left(place: &Path) {
    assert_eq!(processes(place), [], "processes: {}", told(place));
    let left: Vec<_> = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["told"]);
}

fn steps(document: &Value) -> Vec<(&str, bool)> {
    let steps = document["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["name"].as_str().unwrap(), step["ok"].as_bool().unwrap())).collect()
}

#[test]
fn every_step_holds_and_its_facts_are_there() {
    let place = place();
    let ran = Ran::of(demo(place.path()).wait_with_output().unwrap());
    assert_eq!(ran.exit, 0, "{}\n{}", ran.stdout, told(place.path()));
    let document = ran.json();
    assert_eq!(document["ok"], true);
    assert!(document["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(steps(&document), STEPS.map(|name| (name, true)));
    for step in document["steps"].as_array().unwrap() {
        assert!(step["ms"].is_u64() && !step["detail"].as_str().unwrap().is_empty(), "{step}");
    }
    let answers = document["answers"].as_array().unwrap();
    let has = |list: &[Value], wanted: &[(&str, &str)]| {
        list.iter().any(|event| wanted.iter().all(|(field, value)| event[*field] == *value))
    };
    assert!(has(answers, &[("kind", "miscompare"), ("cause", "contention")]));
    assert!(has(
        answers,
        &[("kind", "unknown"), ("cause", "delayed-own-write"), ("action", "adopted"), ("host", "d")]
    ));
    assert!(has(answers, &[("kind", "unknown"), ("cause", "slow-storage"), ("host", "d")]));
    for answer in answers {
        assert!(answer["device_us"].is_u64() && !answer["detail"].as_str().unwrap().is_empty(), "{answer}");
    }
    let events = document["events"].as_array().unwrap();
    for kind in ["fence", "takeover"] {
        let of_kind = events.iter().filter(|event| event["kind"] == kind).count();
        assert_eq!(of_kind, 3, "c was fenced and taken over twice, and b once: {events:?}");
    }
    nothing_is_left(place.path());
}

/// In the worst moment: one host was killed, one is stopped, one waits.
#[test]
fn an_interrupted_demonstration_leaves_nothing_behind() {
    let place = place();
    let child = demo(place.path());
    until_a_host_is_stopped(place.path());
    send(&child, Signal::INT);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ran.exit, ran.stdout.as_str()), (1, ""));
    assert!(told(place.path()).contains("OAR-0504"), "{}", told(place.path()));
    nothing_is_left(place.path());
}

#[test]
fn a_step_that_does_not_hold_is_said_and_leaves_nothing_behind() {
    let place = place();
    let child = demo(place.path());
    until_a_host_is_stopped(place.path());
    kill_process(host(place.path(), "a"), Signal::KILL).unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.exit, 1, "{}", told(place.path()));
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["ok"], false);
    let steps = steps(&document);
    assert_eq!(steps[5..], [("stopped", false), ("leave", true)]);
    nothing_is_left(place.path());
}

/// The folder of a demonstration that is killed stays, for nobody is there to remove it; its processes do not.
#[test]
fn a_killed_demonstration_leaves_no_process() {
    let place = place();
    let mut child = demo(place.path());
    until_a_host_is_stopped(place.path());
    assert!(processes(place.path()).len() > 3);
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("all are gone", || processes(place.path()).is_empty());
}
