//! `oarlock lock run`: a command runs while its lock holds, and not longer.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Its functions are called by tests alone.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::guarded::{number, place_with, runs, sleeping, state, watchman_of};
use crate::common::{Place, Ran, eventually, send};

#[test]
fn a_run_reads_no_slot_and_asks_nothing_but_its_lock() {
    let place = Place::new();
    place.format();
    // The host counts the slots that it reads.
    let _a = place.up_with("a", &["--fault", "delay:op=read,record=slot,delay=1ms"]);
    let read = || place.run(&["status", "--json"]).json()["faults"][0]["struck"].as_u64().unwrap();
    let (first, second) = (read(), read());
    place.run(&["lock", "run", "nightly", "--", "true"]).succeeds();
    place.run(&["lock", "run", "nightly", "--", "true"]).succeeds();
    let of_a_status = second - first;
    assert_eq!((of_a_status > 0, read() - second), (true, of_a_status), "only the status itself reads slots");
}

#[test]
fn the_command_gets_lock_and_token_and_its_exit_code_is_the_program_s() {
    let (place, _hosts) = place_with(&["a"]);
    let script = "echo $OARLOCK_LOCK $OARLOCK_LOCK_TOKEN; exit 7";
    let tokens: Vec<u64> = (0..2)
        .map(|_| {
            let ran = place.run(&["lock", "run", "backup/nightly", "--", "sh", "-c", script]);
            assert_eq!(ran.exit, 7, "{}", ran.stderr);
            let (name, token) = ran.stdout.trim().split_once(' ').unwrap();
            assert_eq!(name, "backup/nightly");
            token.parse().unwrap()
        })
        .collect();
    assert!(tokens[0] < tokens[1], "{tokens:?}");
    assert_eq!(place.run(&["lock", "run", "n", "--", "sh", "-c", "kill -9 $$"]).exit, 128 + 9);
    assert_eq!(place.run(&["locks", "--json"]).json(), serde_json::json!([]), "each lock was released");
}

#[test]
fn a_command_that_cannot_be_started_ends_as_in_a_shell_and_the_lock_is_free() {
    let (place, _hosts) = place_with(&["a"]);
    place.run(&["lock", "run", "n", "--", "/no/such/program"]).fails(127, "OAR-0509");
    place.write("text", b"x");
    place.run(&["lock", "run", "n", "--", "./text"]).fails(126, "OAR-0509");
    place.run(&["lock", "run", "n", "--wait", "0s", "--", "true"]).succeeds();
}

#[test]
fn a_name_that_is_none_is_wrong_usage() {
    let place = Place::new();
    let long = "x".repeat(256);
    for name in [long.as_str(), "a@b", "a\nb", "", "a//b", ".."] {
        place.run(&["lock", "run", name, "--", "true"]).fails(2, "OAR-0271");
    }
    place.run(&["lock", "run", "name"]).fails(2, "OAR-0501");
    place.run(&["lock", "run", &"x".repeat(255), "--", "true"]).fails(75, "OAR-0401");
}

#[test]
fn of_several_hosts_one_must_be_chosen_and_none_is_try_again() {
    let (place, _hosts) = place_with(&["a", "b"]);
    place.run(&["lock", "run", "n", "--", "true"]).fails(2, "OAR-0402").says("a (datastore store), b");
    place.run(&["lock", "run", "n", "--host", "c", "--", "true"]).fails(75, "OAR-0401");
    place.run(&["lock", "run", "n", "--api", "/no/such.sock", "--", "true"]).fails(75, "OAR-0403");
    place.run(&["lock", "run", "n", "--host", "b", "--", "true"]).succeeds();
}

#[test]
fn a_held_lock_is_not_got_in_time_and_a_shared_one_is_shared() {
    let (place, _hosts) = place_with(&["a", "b"]);
    let (mut held, _) = sleeping(&place, "a");
    place
        .run(&["lock", "run", "nightly", "--host", "b", "--wait", "100ms", "--", "true"])
        .fails(75, "OAR-0241");
    place
        .run(&["lock", "run", "nightly", "--shared", "--host", "b", "--wait", "0s", "--", "true"])
        .fails(75, "OAR-0241");
    send(&held, Signal::TERM);
    held.wait().unwrap();
    let inner = env!("CARGO_BIN_EXE_oarlock");
    let both = [inner, "lock", "run", "nightly", "--shared", "--host", "b", "--wait", "0s", "--", "true"];
    let mut arguments = vec!["lock", "run", "nightly", "--shared", "--host", "a", "--"];
    arguments.extend(both);
    place.run(&arguments).succeeds();
}

/// The lock was not got: whoever runs the job tries again, when the host is there again.
#[test]
fn a_lock_run_whose_host_is_fenced_while_it_waits_is_to_try_again() {
    let (place, _hosts) = place_with(&["a", "b"]);
    let (mut held, _) = sleeping(&place, "b");
    let waiting = place
        .command(&["lock", "run", "nightly", "--host", "a", "--", "true"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("it waits", || {
        let locks = place.run(&["locks", "--host", "a", "--json"]).json();
        locks[0]["waiting_here"] == 1
    });
    place.run(&["evict", "a", "--certain", "--host", "b"]).succeeds();
    // OAR-0252 in the host's own words; where the cut-off was quicker than those, the connection is lost.
    let ran = Ran::of(waiting.wait_with_output().unwrap());
    assert_eq!(ran.exit, 75, "{}", ran.stderr);
    send(&held, Signal::TERM);
    held.wait().unwrap();
}

#[test]
fn two_hosts_that_count_under_a_lock_lose_nothing() {
    let (place, _hosts) = place_with(&["a", "b"]);
    place.write("count", b"0");
    let script = "n=$(cat count); echo $((n + 1)) > count";
    let rounds = 10;
    std::thread::scope(|scope| {
        for host in ["a", "b"] {
            let place = &place;
            scope.spawn(move || {
                for _ in 0..rounds {
                    place.run(&["lock", "run", "n", "--host", host, "--", "sh", "-c", script]).succeeds();
                }
            });
        }
    });
    assert_eq!(fs::read_to_string(place.path("count")).unwrap().trim(), (2 * rounds).to_string());
}

#[test]
fn signals_are_passed_on_to_the_command() {
    let (place, _hosts) = place_with(&["a"]);
    for (signal, exit) in [(Signal::INT, 128 + 2), (Signal::TERM, 128 + 15)] {
        // A shell's own background jobs ignore SIGINT, so the command itself is what the signal is for.
        let run = place
            .command(&["lock", "run", "n", "--", "sh", "-c", "echo x > started; exec sleep 1000"])
            .spawn()
            .unwrap();
        eventually("the command runs", || place.path("started").exists());
        send(&run, signal);
        assert_eq!(Ran::of(run.wait_with_output().unwrap()).exit, exit);
        fs::remove_file(place.path("started")).unwrap();
    }
}

#[test]
fn the_whole_group_is_killed_at_once_when_the_host_dies() {
    let (place, mut hosts) = place_with(&["a", "b"]);
    let (run, command) = sleeping(&place, "a");
    let child = number(&place.path("child")).unwrap();
    hosts[0].signal(Signal::KILL);
    hosts[0].wait();
    Ran::of(run.wait_with_output().unwrap()).fails(76, "OAR-0510");
    eventually("the group is gone", || !runs(command) && !runs(child));
    let begin = Instant::now();
    place.run(&["lock", "run", "nightly", "--host", "b", "--", "true"]).succeeds();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn the_group_is_killed_before_another_host_can_have_the_lock_of_one_that_is_stopped() {
    let (place, hosts) = place_with(&["a", "b"]);
    let (run, command) = sleeping(&place, "a");
    let child = number(&place.path("child")).unwrap();
    hosts[0].signal(Signal::STOP);
    let others = place.run(&[
        "lock",
        "run",
        "nightly",
        "--host",
        "b",
        "--",
        "sh",
        "-c",
        "kill -0 $(cat pid) 2>/dev/null",
    ]);
    assert_eq!(others.exit, 1, "the command ran on while another host had its lock: {}", others.stderr);
    Ran::of(run.wait_with_output().unwrap()).fails(76, "OAR-0510").says("not renewed in time");
    assert!(!runs(command) && !runs(child));
}

#[test]
fn the_command_and_its_children_die_with_the_program_that_holds_the_lock() {
    let (place, _hosts) = place_with(&["a"]);
    let (mut run, command) = sleeping(&place, "a");
    let child = number(&place.path("child")).unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    eventually("the group is gone", || !runs(command) && !runs(child));
    place.run(&["lock", "run", "nightly", "--wait", "10s", "--", "true"]).succeeds();
}

/// A lock of `a`'s whose command sleeps, and whose watchman is stopped: the program, the command, its child, the watchman.
fn with_a_stopped_watchman(place: &Place) -> (Child, Pid, Pid, Pid) {
    let (run, command) = sleeping(place, "a");
    let child = number(&place.path("child")).unwrap();
    let watchman = watchman_of(&run, command);
    kill_process(watchman, Signal::STOP).unwrap();
    eventually("it is stopped", || state(watchman) == Some('T'));
    (run, command, child, watchman)
}

/// ```text
///   lock run: SIGKILL     the connection ends; the host releases the lock      another has it
///   watchman: late; what the command had started works on ......................... killed
/// ```
#[test]
fn the_lock_goes_to_nobody_before_the_watchman_has_killed_what_the_command_started() {
    let (place, _hosts) = place_with(&["a"]);
    let (mut run, command, child, watchman) = with_a_stopped_watchman(&place);
    // With a member whose parent lives, its group is no orphaned one, and the kernel does not wake it.
    let group = watchman.as_raw_nonzero().get();
    let mut member = Command::new("sleep").arg("1000").process_group(group).spawn().unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(runs(child), "only the command itself dies with the program");
    let taken = place.run(&["lock", "run", "nightly", "--wait", "500ms", "--", "true"]);
    assert!(runs(child));
    kill_process(watchman, Signal::CONT).unwrap();
    taken.fails(75, "OAR-0241");
    eventually("the group is gone", || !runs(command) && !runs(child));
    place.run(&["lock", "run", "nightly", "--wait", "10s", "--", "true"]).succeeds();
    member.kill().unwrap();
    member.wait().unwrap();
}

/// ```text
///   watchman: stopped     lock run: SIGKILL     the kernel wakes the orphaned group with SIGHUP: the watchman dies of it
///   another has the lock; what the command had started works on
/// ```
#[test]
fn a_watchman_does_not_die_of_the_signal_that_wakes_it() {
    let (place, _hosts) = place_with(&["a"]);
    let (mut run, _, child, _) = with_a_stopped_watchman(&place);
    run.kill().unwrap();
    run.wait().unwrap();
    place.run(&["lock", "run", "nightly", "--wait", "10s", "--", "true"]).succeeds();
    assert!(!runs(child), "the lock was another's while it ran");
}
