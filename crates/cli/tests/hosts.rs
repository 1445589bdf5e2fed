//! Running hosts: what keeps one from joining, what they tell, how they leave, how a dead one is taken over.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::{self, BLOCK, Place, Ran, bytes, spoil};

#[test]
fn a_host_says_ready_tells_its_status_and_leaves_on_sigterm() {
    let place = Place::new();
    place.format();
    let mut a = place.up("a");
    let status = place.run(&["status", "--json"]).json();
    assert_eq!(
        (status["host"]["name"].as_str(), status["host"]["state"].as_str()),
        (Some("a"), Some("live"))
    );
    assert_eq!((status["datastore"]["name"].as_str(), status["hosts"].as_u64()), (Some("store"), Some(1)));
    assert_eq!(
        (status["datastore"]["fencing"].as_str(), status["disks"].as_u64()),
        (Some("file-lock"), Some(0))
    );
    assert!(status["host"]["lease_ms_left"].as_u64().unwrap() <= 1_000);
    let hosts = place.run(&["hosts", "--json"]).json();
    assert_eq!((hosts[0]["name"].as_str(), hosts[0]["state"].as_str()), (Some("a"), Some("live")));
    assert_eq!(place.run(&["locks", "--json"]).json(), serde_json::json!([]));
    assert!(place.run(&["status"]).succeeds().stdout.contains("store"));
    a.signal(Signal::TERM);
    assert_eq!(a.wait(), 0, "a host that left cleanly did not fail");
    place.run(&["status"]).fails(75, "OAR-0401");
}

#[test]
fn a_living_datastore_is_not_formatted_whatever_the_flags() {
    let place = Place::new();
    place.format();
    let _a = place.up("a");
    place.run(&["format", "pool", "--name", "other", "--force"]).fails(1, "OAR-0264").says("host a");
    assert_eq!(place.run(&["status", "--json"]).json()["datastore"]["name"], "store");
}

/// Without a superblock nothing on the device says where its slots stand, and nobody could be watched: the locks of the
/// slots do.
#[test]
fn a_living_datastore_whose_superblocks_are_gone_is_not_formatted_either() {
    let place = Place::new();
    let pool = place.format();
    let mut a = place.up("a");
    let shadow = std::fs::metadata(&pool).unwrap().len() - BLOCK as u64;
    for at in [0, shadow] {
        spoil(&pool, at, &[0; BLOCK]);
    }
    for force in [&[][..], &["--force"]] {
        let arguments: Vec<&str> = [&["format", "pool", "--name", "other"], force].concat();
        place.run(&arguments).fails(1, "OAR-0264").says("a process holds the lock of slot");
    }
    a.signal(Signal::TERM);
    assert_eq!(a.wait(), 0, "the host was not disturbed");
    // Nobody lives there any more, and yet it is no file of zeros.
    place.run(&["format", "pool", "--name", "other"]).fails(1, "OAR-0315");
    place.run(&["format", "pool", "--name", "other", "--force"]).succeeds();
}

#[test]
fn a_living_copy_is_not_resigned() {
    let place = Place::new();
    let pool = place.format();
    std::fs::copy(&pool, place.path("copy")).unwrap();
    place.run(&["resignature", "copy"]).succeeds();
    std::fs::rename(place.path("copy"), &pool).unwrap();
    let _a = place.up("a");
    // Another identity than the one under which the host joined, as after a snapshot that was laid over the LUN.
    common::reseal(&pool, 0, |record| record[248] ^= 1);
    place.run(&["resignature", "pool"]).fails(1, "OAR-0508").says("host a");
}

#[test]
fn a_second_host_of_one_name_is_refused_and_the_first_lives_on() {
    let place = Place::new();
    place.format();
    let _a = place.up("a");
    place.run(&["up", "pool", "--host", "a"]).fails(1, "OAR-0231").says("another live host is called a");
    let elsewhere = place.path("elsewhere.sock");
    place
        .run(&["up", "pool", "--host", "a", "--api", elsewhere.to_str().unwrap()])
        .fails(1, "OAR-0231")
        .says("another live host is called a");
    let hosts = place.run(&["hosts", "--json"]).json();
    assert_eq!(hosts.as_array().unwrap().len(), 1);
    assert_eq!(hosts[0]["state"], "live");
    // The same names, and another datastore: only its place is taken.
    place.run(&["format", "other", "--name", "store", "--size", "64M", "--slots", "8"]).succeeds();
    place.run(&["up", "other", "--host", "a"]).fails(1, "OAR-0301").says("--api");
}

#[test]
fn a_socket_that_another_holds_or_that_is_none_is_refused_before_the_datastore_is_touched() {
    let place = Place::new();
    let pool = place.format();
    let socket = place.path("taken.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let datagrams = place.path("datagrams.sock");
    let _receiver = std::os::unix::net::UnixDatagram::bind(&datagrams).unwrap();
    let file = place.write("file", b"text");
    let before = bytes(&pool);
    place.run(&["up", "pool", "--host", "a", "--api", socket.to_str().unwrap()]).fails(1, "OAR-0301");
    place.run(&["status", "--api", socket.to_str().unwrap(), "--host", "a"]).fails(2, "OAR-0501");
    place.run(&["up", "pool", "--host", "a", "--api", datagrams.to_str().unwrap()]).fails(1, "OAR-0301");
    assert!(datagrams.exists(), "what another holds stays");
    place.run(&["up", "pool", "--host", "a", "--api", file.to_str().unwrap()]).fails(1, "OAR-0302");
    assert!(bytes(&pool) == before);
    assert_eq!(bytes(&file), b"text");
}

#[test]
fn without_a_free_slot_a_host_is_refused() {
    let place = Place::new();
    place
        .run(&[
            "format", "pool", "--name", "store", "--size", "64M", "--slots", "1", "--beat", "200ms",
            "--lease", "1s",
        ])
        .succeeds();
    let _a = place.up("a");
    place
        .run(&["up", "pool", "--host", "b"])
        .fails(1, "OAR-0232")
        .says("all 1 are taken, 1 of them by hosts whose death nothing proves");
    assert_eq!(place.run(&["status", "--json"]).json()["hosts"], 1);
}

#[test]
fn what_is_no_datastore_is_not_joined_and_wrong_faults_are_usage() {
    let place = Place::new();
    let text = place.write("pool", &[b'x'; 1 << 20]);
    place.run(&["up", "pool", "--host", "a"]).fails(1, "OAR-0203");
    assert!(bytes(&text) == [b'x'; 1 << 20]);
    place.run(&["up", "absent", "--host", "a"]).fails(1, "OAR-0101");
    place.run(&["up", "pool"]).fails(2, "OAR-0501");
    place.run(&["up", "pool", "--host", "a/b"]).fails(2, "OAR-0271");
    place.run(&["up", "pool", "--host", "a", "--fault", "late"]).fails(2, "OAR-0317");
    place.run(&["up", "pool", "--host", "a", "--fault", "refuse:record=slots"]).fails(2, "OAR-0306");
}

#[test]
fn a_host_that_is_killed_is_taken_over_at_once_and_a_living_one_is_not() {
    let place = Place::new();
    place.format();
    let mut a = place.up("a");
    let _b = place.up("b");
    place.run(&["evict", "a", "--host", "b"]).fails(1, "OAR-0245");
    place.run(&["evict", "b", "--host", "b"]).fails(1, "OAR-0244");
    place.run(&["evict", "nobody", "--host", "b"]).fails(1, "OAR-0243");
    a.signal(Signal::KILL);
    a.wait();
    assert_eq!(place.run(&["evict", "a", "--host", "b", "--json"]).json()["host"], "a");
    let hosts = place.run(&["hosts", "--host", "b", "--json"]).json();
    assert_eq!(hosts.as_array().unwrap().len(), 1);
    let events = place.run(&["events", "--host", "b", "--json"]);
    let events: Vec<serde_json::Value> =
        events.succeeds().stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (kind, action) in [("fence", "stopped"), ("takeover", "adopted")] {
        let event = events.iter().find(|event| event["kind"] == kind).unwrap();
        assert_eq!(event["action"], action, "{event}");
        let by = &event["by"];
        assert_eq!((by["host"].as_str(), by["incarnation"].as_u64()), (Some("b"), Some(1)), "{event}");
        assert_eq!(by["attempt"].as_str().map(str::len), Some(32), "{event}");
    }
}

/// A command of the killed host's may run in a process of its own, and is to be killed first (docs/decisions/0056).
#[test]
fn a_person_s_word_leaves_the_users_of_a_killed_host_their_moment() {
    let place = Place::new();
    // With the times that a datastore has where nobody says otherwise.
    place.run(&["format", "pool", "--name", "store", "--size", "64M", "--slots", "8"]).succeeds();
    let mut a = place.up("a");
    let _b = place.up("b");
    a.signal(Signal::KILL);
    let begin = Instant::now();
    place.run(&["evict", "a", "--certain", "--host", "b"]).succeeds();
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(480), "a twentieth of the lease is half a second: {took:?}");
    assert!(took < Duration::from_secs(5), "and no watch: {took:?}");
    a.wait();
}

#[test]
fn a_host_that_only_looks_takes_no_lock_and_evicts_nobody() {
    let place = Place::new();
    place.format();
    let _a = place.up_with("a", &["--read-only"]);
    assert_eq!(place.run(&["hosts", "--json"]).json()[0]["name"], "a");
    place.run(&["lock", "run", "nightly", "--", "true"]).fails(1, "OAR-0308");
    place.run(&["evict", "b"]).fails(1, "OAR-0308");
}

#[test]
fn events_are_followed_as_they_happen() {
    let place = Place::new();
    place.format();
    // The beat after the second is answered three leases late: the host meets its own image.
    let _a = place.up_with("a", &["--fault", "late-reply:op=ats,record=slot,delay=500ms,after=2,count=1"]);
    let mut follow = place.command(&["events", "--follow", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(follow.stdout.take().unwrap()));
    let adopted = lines
        .map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap())
        .find(|event| event["cause"] == "delayed-own-write")
        .unwrap();
    assert_eq!((adopted["kind"].as_str(), adopted["action"].as_str()), (Some("unknown"), Some("adopted")));
    follow.kill().unwrap();
    follow.wait().unwrap();
    let faults = &place.run(&["status", "--json"]).json()["faults"];
    assert_eq!(faults[0]["struck"], 1);
}

#[test]
fn sigterm_at_any_moment_of_a_format_leaves_the_old_datastore_the_new_one_or_one_to_format_again() {
    let place = Place::new();
    let size = ["--size", "1G", "--slots", "256"];
    place.run(&[&["format", "pool", "--name", "old"], &size[..]].concat()).succeeds();
    let mut interrupted = 0;
    for moment in 0..24 {
        let format = place
            .command(&["format", "pool", "--name", "new", "--slots", "256", "--force"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        common::until_it_catches_signals(&format);
        std::thread::sleep(Duration::from_millis(moment));
        common::send(&format, Signal::TERM);
        let ran = Ran::of(format.wait_with_output().unwrap());
        if ran.exit != 0 {
            ran.fails(1, "OAR-0504").says("interrupted by SIGTERM");
            interrupted += 1;
        }
        // Whole, or known for what it is; and made anew it is whole.
        let checked = place.run(&["check", "pool"]);
        assert!(checked.exit == 0 || checked.stdout.contains("CHK-0109"), "{}", checked.stdout);
        place.run(&["format", "pool", "--name", "old", "--slots", "256", "--force"]).succeeds();
    }
    assert!(interrupted > 0, "no signal came in the middle");
}
