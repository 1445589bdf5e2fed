//! A host whose process is stopped (SIGSTOP): whoever asks it hears of that soon, with its process and the cure.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::common::guarded::{place_with, sleeping, state};
use crate::common::{Place, Ran, Up, eventually, send};

/// Five looks take 5 s. A host that runs and is only slow has 150 s for what needs the device, and one that is followed 60.
const SOON: Duration = Duration::from_secs(60);

fn stop(host: &Up) {
    host.signal(Signal::STOP);
    eventually("it is stopped", || state(Pid::from_child(&host.child)) == Some('T'));
}

/// It gave the host up: with its code, the process, the state and the cure.
#[track_caller]
fn gave_up(ran: &Ran, host: &Up) {
    assert_eq!(ran.exit, 75, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("OAR-0404"), "{}", ran.stderr);
    // The report breaks lines where it likes.
    let words: Vec<&str> = ran.stderr.split_whitespace().filter(|word| *word != "│").collect();
    let told = words.join(" ");
    let process = format!("its process {} is stopped (state T)", host.child.id());
    assert!(told.contains(&process) && told.contains("kill -CONT"), "{told}");
}

fn started(place: &Place, arguments: &[&str]) -> Child {
    place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn every_verb_gives_up_a_host_that_is_stopped_and_says_its_process_and_the_cure() {
    let (place, hosts) = place_with(&["a"]);
    stop(&hosts[0]);
    let begin = Instant::now();
    let verbs: [&[&str]; 7] = [
        &["status"],
        &["hosts"],
        &["locks"],
        &["events"],
        &["events", "--follow"],
        &["evict", "b"],
        &["lock", "run", "x", "--", "true"],
    ];
    let asking: Vec<Child> = verbs.iter().map(|verb| started(&place, verb)).collect();
    for child in asking {
        gave_up(&Ran::of(child.wait_with_output().unwrap()), &hosts[0]);
    }
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    hosts[0].signal(Signal::CONT);
    place.run(&["status"]).succeeds();
}

#[test]
fn a_lock_run_that_waits_ends_to_be_tried_again_when_its_host_is_stopped() {
    let (place, hosts) = place_with(&["a", "b"]);
    let (mut held, _) = sleeping(&place, "b");
    let waiting = started(&place, &["lock", "run", "nightly", "--host", "a", "--", "true"]);
    eventually("it waits", || {
        let locks = place.run(&["locks", "--host", "a", "--json"]).json();
        locks[0]["waiting_here"] == 1
    });
    stop(&hosts[0]);
    let begin = Instant::now();
    gave_up(&Ran::of(waiting.wait_with_output().unwrap()), &hosts[0]);
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    send(&held, Signal::TERM);
    held.wait().unwrap();
}

#[test]
fn who_follows_events_hears_that_the_host_was_stopped_in_the_middle() {
    let place = Place::new();
    place.format();
    // An event, so that the answer has begun: a beat that is answered late.
    let host = place.up_with("a", &["--fault", "late-reply:op=ats,record=slot,delay=500ms,after=2,count=1"]);
    let mut follow = started(&place, &["events", "--follow"]);
    let mut lines = BufReader::new(follow.stdout.take().unwrap());
    lines.read_line(&mut String::new()).unwrap();
    stop(&host);
    let begin = Instant::now();
    gave_up(&Ran::of(follow.wait_with_output().unwrap()), &host);
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
}

#[test]
fn of_several_hosts_one_that_is_stopped_is_passed_over() {
    let (place, hosts) = place_with(&["a", "b"]);
    stop(&hosts[0]);
    eventually("b answers", || {
        let ran = place.run(&["status", "--json"]);
        ran.exit == 0 && ran.json()["host"]["name"] == "b"
    });
}
