//! A command under `oarlock lock run` when `lock run` itself is killed or stopped: it never works on without its lock.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Its functions are called by tests alone.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::guarded::{number, place_with, runs, sleeping, state, watchman_of};
use crate::common::{Place, Ran, eventually, send};

/// ```text
///   lock run: starts the command's first step ... SIGKILL             the lock is free
///   first step:                          becomes the command, which starts others, and nobody watches
/// ```
#[test]
fn a_command_whose_lock_run_ended_before_it_was_watched_never_begins() {
    let place = Place::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let me = std::process::id().to_string();
    let first_step = place
        .command(&["guard", "exec", "--gated", "--parent", &me, "--", "touch", "ran"])
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&first_step);
    eventually("it waits", || state(pid) == Some('S') || state(pid) == Some('Z'));
    assert!(!place.path("ran").exists());
    drop(ours);
    Ran::of(first_step.wait_with_output().unwrap()).fails(76, "OAR-0510");
    assert!(!place.path("ran").exists());
}

/// Every process that says `mark` on its command line, but for the program's own: what a command left behind.
fn marked(mark: &str) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let own = line.split('\0').next()?.ends_with("oarlock");
        (line.contains(mark) && !own).then_some(pid)
    });
    pids.collect()
}

#[test]
fn nothing_of_a_command_is_left_once_the_lock_is_free_whenever_lock_run_was_killed() {
    const LANES: u32 = 4;
    const ROUNDS: u32 = 12;
    let (place, _hosts) = place_with(&["a"]);
    let lane = |lane: u32| {
        let (mark, lock) = (format!("{}.271{lane}", 100_000 + std::process::id()), format!("n{lane}"));
        let script = format!("for i in 1 2 3; do sleep {mark} & done; echo x >> began; wait");
        for round in 0..ROUNDS {
            let mut run = place.command(&["lock", "run", &lock, "--", "sh", "-c", &script]).spawn().unwrap();
            // From before the lock is taken to when the command runs: a little later in each round.
            std::thread::sleep(Duration::from_micros(700) * (round * LANES + lane));
            run.kill().unwrap();
            run.wait().unwrap();
            place.run(&["lock", "run", &lock, "--wait", "10s", "--", "true"]).succeeds();
            assert_eq!(marked(&mark), [0; 0], "lane {lane}, killed in round {round}");
        }
    };
    std::thread::scope(|scope| {
        for number in 0..LANES {
            let lane = &lane;
            scope.spawn(move || lane(number));
        }
    });
    let began = fs::read_to_string(place.path("began")).unwrap_or_default().lines().count();
    assert!(began < (LANES * ROUNDS) as usize, "some are killed before the command begins");
}

#[test]
fn the_command_reads_on_where_its_input_stands_and_inherits_nothing_else() {
    let (place, _hosts) = place_with(&["a"]);
    let mut input = File::options().read(true).write(true).create_new(true).open(place.path("in")).unwrap();
    input.write_all(b"one\ntwo\n").unwrap();
    input.seek(SeekFrom::Start(4)).unwrap();
    let fds = "ls /proc/$$/fd";
    let plain = Command::new("sh").args(["-c", fds]).stdin(Stdio::null()).output().unwrap();
    let script = format!("read line; echo $line; {fds}");
    let run = place
        .command(&["lock", "run", "n", "--", "sh", "-c", &script])
        .stdin(input.try_clone().unwrap())
        .output()
        .unwrap();
    let ran = Ran::of(run);
    ran.succeeds();
    assert_eq!(ran.stdout, format!("two\n{}", Ran::of(plain).stdout), "as in a plain shell");
    let mut rest = String::new();
    input.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "the input is the caller's own, and was read");
}

#[test]
fn a_stopped_lock_run_does_not_let_its_command_outlive_the_host() {
    let (place, mut hosts) = place_with(&["a", "b"]);
    let (run, command) = sleeping(&place, "a");
    let child = number(&place.path("child")).unwrap();
    send(&run, Signal::STOP);
    hosts[0].signal(Signal::KILL);
    hosts[0].wait();
    place.run(&["lock", "run", "nightly", "--host", "b", "--", "true"]).succeeds();
    assert!(!runs(command) && !runs(child), "the lock was another's while they ran");
    send(&run, Signal::CONT);
    Ran::of(run.wait_with_output().unwrap()).fails(76, "OAR-0510");
}

#[test]
fn a_stopped_lock_run_does_not_let_its_command_outlive_the_lease_of_a_stopped_host() {
    let (place, hosts) = place_with(&["a", "b"]);
    let (run, command) = sleeping(&place, "a");
    let child = number(&place.path("child")).unwrap();
    send(&run, Signal::STOP);
    hosts[0].signal(Signal::STOP);
    place.run(&["lock", "run", "nightly", "--host", "b", "--", "true"]).succeeds();
    assert!(!runs(command) && !runs(child), "the lock was another's while they ran");
    send(&run, Signal::CONT);
    Ran::of(run.wait_with_output().unwrap()).fails(76, "OAR-0510");
}

#[test]
fn a_lock_run_that_is_stopped_for_a_lease_loses_its_command_and_says_so() {
    let (place, _hosts) = place_with(&["a"]);
    let (run, command) = sleeping(&place, "a");
    send(&run, Signal::STOP);
    let begin = Instant::now();
    eventually("the command is killed", || !runs(command));
    assert!(begin.elapsed() < Duration::from_secs(3), "a lease of 1 s: {:?}", begin.elapsed());
    // Its connection stands: nobody has the lock before it is done with it.
    place.run(&["lock", "run", "nightly", "--wait", "0s", "--", "true"]).fails(75, "OAR-0241");
    send(&run, Signal::CONT);
    Ran::of(run.wait_with_output().unwrap()).fails(76, "OAR-0510");
    place.run(&["lock", "run", "nightly", "--wait", "10s", "--", "true"]).succeeds();
}

#[test]
fn ctrl_z_does_not_stop_a_lock_run() {
    let (place, _hosts) = place_with(&["a"]);
    let (mut run, command) = sleeping(&place, "a");
    let pid = Pid::from_child(&run);
    kill_process(pid, Signal::TSTP).unwrap();
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        assert_ne!(state(pid), Some('T'));
        assert!(runs(command), "it would be killed with the lease");
        std::thread::sleep(Duration::from_millis(20));
    }
    send(&run, Signal::TERM);
    assert_eq!(run.wait().unwrap().code(), Some(128 + 15));
}

/// ```text
///   watchman: SIGKILL .......... lock run: does not notice; SIGKILL     the lock is free
///   what the command started works on ...................................................
/// ```
#[test]
fn a_command_whose_watchman_was_killed_ends_with_all_that_it_started() {
    let (place, _hosts) = place_with(&["a"]);
    let (run, command) = sleeping(&place, "a");
    let child = number(&place.path("child")).unwrap();
    let begin = Instant::now();
    kill_process(watchman_of(&run, command), Signal::KILL).unwrap();
    eventually("the group is gone", || !runs(command) && !runs(child));
    assert!(begin.elapsed() < Duration::from_secs(2), "at once: {:?}", begin.elapsed());
    Ran::of(run.wait_with_output().unwrap()).fails(76, "OAR-0515").says("the command was killed");
    place.run(&["lock", "run", "nightly", "--wait", "0s", "--", "true"]).succeeds();
}
