//! Bad luck under the real program: a full file system, a device that goes, blocks that rot, a program that is told to stop.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::common::{self, BLOCK, Place, Ran, Up, bytes, eventually, flip, skip, spoil};

/// A small file system in memory, unmounted at the end.
struct Mount(PathBuf);

impl Mount {
    /// `None`, and a skip, where this process may not mount.
    fn tmpfs(place: &Place, size: &str) -> Option<Mount> {
        let folder = place.path("small");
        fs::create_dir(&folder).unwrap();
        let option = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &option, "none"])
            .arg(&folder)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Mount(folder));
        }
        skip("a file system of a test's own needs root");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // A host that is still there holds it; the kernel unmounts it after that one.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A host whose standard error the test reads at its end.
fn up_that_tells(place: &Place, pool: &str, host: &str) -> Child {
    let mut child = place
        .command(&["up", pool, "--host", host])
        .env("OARLOCK_STATE_DIR", place.path("state"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    // Unbuffered, so that nothing of what follows is lost.
    while !line.ends_with('\n') {
        let mut byte = [0];
        assert_eq!(
            std::io::Read::read(stdout, &mut byte).unwrap(),
            1,
            "host {host} ended before it was ready"
        );
        line.push(char::from(byte[0]));
    }
    assert_eq!(line, "ready\n");
    child
}

fn slot_of(place: &Place, host: &str) -> String {
    place.run(&["status", "--host", host, "--json"]).json()["host"]["slot"].to_string()
}

fn causes(place: &Place, host: &str) -> Vec<String> {
    let told = place.run(&["events", "--host", host, "--json"]);
    let lines = told.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|event| event["cause"].as_str().unwrap().to_owned()).collect()
}

/// The events in a host's file, which outlives it.
fn kept(place: &Place, host: &str) -> Vec<serde_json::Value> {
    let file = fs::read_to_string(place.path(&format!("state/store/{host}.events"))).unwrap();
    file.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn lapses(place: &Place, host: &str) -> Vec<serde_json::Value> {
    let lapses: Vec<_> = kept(place, host).into_iter().filter(|event| event["kind"] == "lapse").collect();
    assert_eq!(lapses.len(), 2, "held, then stopped: {lapses:?}");
    lapses
}

/// A report as it reads: it breaks its lines where it likes.
fn unbroken(report: &str) -> String {
    let words: Vec<&str> = report.split_whitespace().filter(|word| *word != "│").collect();
    words.join(" ")
}

/// A datastore with a hold time that a test can wait for.
fn format_with_slots(place: &Place, slots: &str) -> PathBuf {
    format_with_times(place, slots, ["200ms", "1s", "2s"])
}

fn format_with_times(place: &Place, slots: &str, [beat, lease, hold]: [&str; 3]) -> PathBuf {
    let times = ["--beat", beat, "--lease", lease, "--hold", hold];
    let mut arguments = vec!["format", "pool", "--name", "store", "--size", "64M", "--slots", slots];
    arguments.extend(times);
    place.run(&arguments).succeeds();
    place.path("pool")
}

#[test]
fn a_file_that_may_not_grow_is_an_error_with_a_code_and_leaves_nothing_behind() {
    let place = Place::new();
    let program = env!("CARGO_BIN_EXE_oarlock");
    let line = format!("ulimit -f 100; exec '{program}' format pool --name store --size 64M");
    let output = Command::new("sh").args(["-c", &line]).current_dir(place.path("")).output().unwrap();
    let ran = Ran::of(output);
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("OAR-") && ran.stderr.contains("pool"), "{}", ran.stderr);
    assert!(!place.path("pool").exists(), "what was made for it is removed");
}

#[test]
fn what_cannot_be_printed_is_an_error_also_where_it_is_help() {
    let place = Place::new();
    for arguments in [["--help"], ["--version"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = Ran::of(place.command(&arguments).stdout(full).stderr(Stdio::piped()).output().unwrap());
        ran.fails(1, "OAR-0503");
    }
}

#[test]
fn a_format_on_a_full_file_system_says_so_and_leaves_nothing_behind() {
    let place = Place::new();
    let Some(mount) = Mount::tmpfs(&place, "512k") else { return };
    place
        .run(&["format", "small/pool", "--name", "store", "--size", "64M", "--slots", "8"])
        .fails(1, "OAR-0265")
        .says("no space");
    assert_eq!(fs::read_dir(&mount.0).unwrap().count(), 0, "the file that was made is removed");
}

#[test]
fn a_file_system_that_fills_up_later_costs_a_host_nothing() {
    let place = Place::new();
    let Some(mount) = Mount::tmpfs(&place, "24M") else { return };
    let times = ["--beat", "200ms", "--lease", "1s", "--hold", "2s"];
    let mut arguments = vec!["format", "small/pool", "--name", "store", "--size", "64M", "--slots", "8"];
    arguments.extend(times);
    place.run(&arguments).succeeds();
    let mut host = up_that_tells(&place, "small/pool", "a");
    let full = fs::write(mount.0.join("filler"), vec![1; 32 << 20]);
    assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    // What a host writes has its blocks since the format.
    let ran = place.run(&["lock", "run", "nightly", "--host", "a", "--", "true"]);
    ran.succeeds();
    let mut second = up_that_tells(&place, "small/pool", "b");
    for child in [&mut second, &mut host] {
        common::send(child, Signal::TERM);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    place.run(&["check", "small/pool"]).succeeds();
}

#[test]
fn events_that_had_no_room_are_written_once_there_is_some_and_status_says_so_no_longer() {
    let place = Place::new();
    let Some(mount) = Mount::tmpfs(&place, "1M") else { return };
    place.format();
    let filler = mount.0.join("filler");
    fs::write(&filler, vec![1; 2 << 20]).unwrap_err();
    // One late answer: all events of this host come before there is room, so that no later one brings them along.
    let fault = "late-reply:op=ats,record=slot,delay=500ms,after=2,count=1";
    let child = place
        .command(&["up", "pool", "--host", "a", "--fault", fault])
        .env("OARLOCK_STATE_DIR", &mount.0)
        .stderr(Stdio::null())
        .spawn();
    let _host = Up { child: child.unwrap() };
    let events = || {
        let status = place.run(&["status", "--json"]);
        (status.exit == 0).then(|| status.json()["events"].clone())
    };
    eventually("status says that events are not kept", || {
        events().is_some_and(|events| events["error"].is_string())
    });
    let adopted = || causes(&place, "a").contains(&"delayed-own-write".to_owned());
    eventually("the late answer is an event", adopted);
    let log = PathBuf::from(events().unwrap()["file"].as_str().unwrap());
    assert_eq!(fs::metadata(&log).unwrap().len(), 0, "there is no room");
    fs::remove_file(&filler).unwrap();
    eventually("status says nothing any more", || events().is_some_and(|events| events["error"].is_null()));
    assert!(fs::read_to_string(&log).unwrap().contains("delayed-own-write"));
}

#[test]
fn a_file_that_is_cut_off_under_a_running_host_stops_it_by_the_hold_time_and_is_not_written_again() {
    let place = Place::new();
    let pool = format_with_slots(&place, "8");
    let host = up_that_tells(&place, "pool", "a");
    File::options().write(true).open(&pool).unwrap().set_len(0).unwrap();
    eventually("it is held", || place.run(&["status", "--json"]).json()["host"]["state"] == "held");
    // Nobody holds this lock.
    let locked = place.run(&["lock", "run", "y", "--wait", "100ms", "--", "true"]);
    locked.fails(75, "OAR-0241").says("its host a is held");
    let status = place.run(&["status"]).succeeds().stdout.clone();
    assert!(status.contains("held ") && status.contains("beyond the end of the device"), "{status}");
    let ran = Ran::of(host.wait_with_output().unwrap());
    ran.fails_after_ready("OAR-0256");
    assert!(
        unbroken(&ran.stderr).contains("the address lies beyond the end of the device"),
        "{}",
        ran.stderr
    );
    let lapses = lapses(&place, "a");
    assert!(lapses.iter().all(|lapse| lapse["cause"] == "cannot-tell"), "{lapses:?}");
    assert!(lapses[0]["detail"].as_str().unwrap().contains("beyond the end of the device"), "{lapses:?}");
    assert_eq!(fs::metadata(&pool).unwrap().len(), 0, "no beat made the file grow again");
    place.run(&["up", "pool", "--host", "a"]).fails(1, "OAR-0203");
}

#[test]
fn a_file_that_is_removed_under_a_running_host_stays_that_host_s_until_it_leaves() {
    let place = Place::new();
    let pool = format_with_slots(&place, "8");
    let mut a = place.up("a");
    fs::remove_file(&pool).unwrap();
    place.run(&["lock", "run", "nightly", "--host", "a", "--", "true"]).succeeds();
    place.run(&["up", "pool", "--host", "b"]).fails(1, "OAR-0101");
    a.signal(Signal::TERM);
    assert_eq!(a.wait(), 0);
    assert!(!pool.exists(), "a host never makes a device");
}

#[test]
fn a_rotten_slot_stops_its_own_host_by_the_hold_time_and_no_other() {
    let place = Place::new();
    // A lapse of another cause is no part of it: no machine is so busy that a lease of this length runs out for that.
    let pool = format_with_times(&place, "8", ["1s", "5s", "6s"]);
    let a = up_that_tells(&place, "pool", "a");
    let _b = place.up("b");
    flip(&pool, place.lba(&["slot", &slot_of(&place, "a")]));
    eventually("the damage has its name", || causes(&place, "a").contains(&"corrupt-block".to_owned()));
    // Meanwhile others come and go.
    let mut c = place.up("c");
    assert!(causes(&place, "c").contains(&"corrupt-block".to_owned()));
    c.signal(Signal::TERM);
    assert_eq!(c.wait(), 0);
    let ran = Ran::of(a.wait_with_output().unwrap());
    ran.fails_after_ready("OAR-0255");
    assert!(unbroken(&ran.stderr).contains("does not hold a sound record"), "{}", ran.stderr);
    let told = kept(&place, "a");
    let refused =
        told.iter().filter(|event| event["action"] == "refused" && event["record"] == "slot").count();
    // A lease of five seconds and a hold of six: at several tries in a beat there were fifty or more.
    assert!((1..=6).contains(&refused), "{told:?}");
    assert!(lapses(&place, "a").iter().all(|lapse| lapse["cause"] == "corrupt-block"), "{told:?}");
    assert_eq!(place.run(&["check", "pool", "--repair"]).exit, 3);
    let _a = place.up("a");
    let hosts = place.run(&["hosts", "--host", "b", "--json"]).json();
    assert_eq!(hosts.as_array().unwrap().len(), 2);
}

#[test]
fn a_rotten_lock_is_named_to_whoever_wants_it_and_comes_back_by_a_repair() {
    let place = Place::new();
    let pool = format_with_slots(&place, "8");
    let _a = place.up("a");
    place.run(&["lock", "run", "nightly", "--", "true"]).succeeds();
    let rotten = place.lba(&["lock", "nightly"]);
    // One whose window, 16 positions of a ring of 1,024, is far from the rotten one, which may be anybody's in its windows.
    let another = ["another", "weekly", "monthly", "yearly"].into_iter().find(|name| {
        place.run(&["lock", "run", name, "--", "true"]).succeeds();
        (16..=1008).contains(&((rotten + 1024 - place.lba(&["lock", name])) % 1024))
    });
    flip(&pool, rotten);
    place.run(&["lock", "run", "nightly", "--wait", "5s", "--", "true"]).fails(1, "OAR-0223").says("check");
    place.run(&["lock", "run", another.unwrap(), "--", "true"]).succeeds();
    assert_eq!(place.run(&["check", "pool", "--repair"]).exit, 3);
    place.run(&["lock", "run", "nightly", "--wait", "20s", "--", "true"]).succeeds();
}

#[test]
fn rotten_superblocks_and_mailboxes_stop_no_running_host() {
    let place = Place::new();
    let pool = format_with_slots(&place, "8");
    let _a = place.up("a");
    let mailbox = place.lba(&["mailbox", &slot_of(&place, "a")]);
    flip(&pool, mailbox);
    flip(&pool, 0);
    place.run(&["lock", "run", "nightly", "--", "true"]).succeeds();
    let mut b = place.up("b");
    b.signal(Signal::TERM);
    assert_eq!(b.wait(), 0, "the shadow stands in for the first superblock");
    // Now neither can be read: who runs goes on, and nobody joins.
    flip(&pool, 131_071);
    place.run(&["lock", "run", "nightly", "--", "true"]).succeeds();
    place.run(&["up", "pool", "--host", "b"]).fails(1, "OAR-0205");
    spoil(&pool, 0, &[0; BLOCK]);
    place.run(&["lock", "run", "nightly", "--", "true"]).succeeds();
}

#[test]
fn sigterm_in_the_middle_of_a_format_of_a_new_file_leaves_no_file() {
    let place = Place::new();
    let pool = place.path("pool");
    // How far a format gets before it hears of the signal is not for a test to say; that it was met once, is.
    eventually("a format is met in the middle", || {
        let format = place
            .command(&["format", "pool", "--name", "store", "--size", "8G", "--slots", "1024"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        eventually("the file is there", || pool.exists() || has_ended(format.id()));
        common::send(&format, Signal::TERM);
        let ran = Ran::of(format.wait_with_output().unwrap());
        if ran.exit == 0 {
            place.run(&["check", "pool"]).succeeds();
            fs::remove_file(&pool).unwrap();
            return false;
        }
        ran.fails(1, "OAR-0504").says("interrupted by SIGTERM");
        assert!(!pool.exists(), "what was made for it is removed");
        true
    });
}

/// Whether a child has ended and waits to be looked at.
fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

#[test]
fn sigterm_in_the_middle_of_lock_run_ends_the_command_and_frees_the_lock() {
    let place = Place::new();
    format_with_slots(&place, "8");
    let _a = place.up("a");
    // The lock is held a little before the command is watched: the signal falls on either side of that.
    for _ in 0..10 {
        let mut run = place.command(&["lock", "run", "nightly", "--", "sleep", "1000"]).spawn().unwrap();
        eventually("the lock is held", || place.run(&["locks", "--json"]).json()[0]["name"] == "nightly");
        common::send(&run, Signal::TERM);
        let status = run.wait().unwrap();
        // Before it has the lock's word and catches signals, the program itself ends by it: a shell says the same of both.
        let said = status.code().or(status.signal().map(|number| 128 + number));
        assert_eq!(said, Some(128 + 15), "ended by SIGTERM, as a shell says it");
        assert_eq!(
            place.run(&["locks", "--json"]).json(),
            serde_json::json!([]),
            "released when the program has ended"
        );
    }
}

#[test]
fn sigterm_while_a_lock_is_waited_for_leaves_nothing_behind() {
    let place = Place::new();
    format_with_slots(&place, "8");
    let _a = place.up("a");
    let mut holder = place.command(&["lock", "run", "nightly", "--", "sleep", "1000"]).spawn().unwrap();
    eventually("the lock is held", || place.run(&["locks", "--json"]).json()[0]["name"] == "nightly");
    let mut waiter =
        place.command(&["lock", "run", "nightly", "--wait", "10m", "--", "true"]).spawn().unwrap();
    eventually("it waits", || place.run(&["locks", "--json"]).json()[0]["waiting_here"] == 1);
    common::send(&waiter, Signal::TERM);
    assert_ne!(waiter.wait().unwrap().code(), Some(0));
    eventually("nobody waits any more", || place.run(&["locks", "--json"]).json()[0]["waiting_here"] == 0);
    common::send(&holder, Signal::TERM);
    holder.wait().unwrap();
    place.run(&["lock", "run", "nightly", "--wait", "5s", "--", "true"]).succeeds();
}

#[test]
fn the_only_slot_of_a_host_that_was_killed_is_the_next_one_s_at_once() {
    let place = Place::new();
    // With these times a watch would take 11 s: whoever is quicker did not wait for one.
    place.run(&["format", "pool", "--name", "store", "--size", "64M", "--slots", "1"]).succeeds();
    let mut a: Up = place.up("a");
    place.run(&["up", "pool", "--host", "b"]).fails(1, "OAR-0232").says("all 1 are taken");
    a.signal(Signal::KILL);
    a.wait();
    let started = std::time::Instant::now();
    let _b = place.up("b");
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    let status = place.run(&["status", "--json"]).json();
    assert_eq!((&status["host"]["slot"], &status["host"]["incarnation"]), (&0.into(), &2.into()));
}

#[test]
fn a_loop_device_whose_file_is_cut_off_stops_its_host() {
    let place = Place::new();
    let pool = format_with_slots(&place, "8");
    let Some(device) = Loop::over(&pool) else { return };
    let times = ["--beat", "200ms", "--lease", "1s", "--hold", "2s", "--force"];
    let mut arguments = vec!["format", &device.0, "--name", "looped", "--slots", "8"];
    arguments.extend(times);
    place.run(&arguments).succeeds();
    let host = up_that_tells(&place, &device.0, "a");
    File::options().write(true).open(&pool).unwrap().set_len(4096).unwrap();
    Ran::of(host.wait_with_output().unwrap()).fails_after_ready("OAR-0256");
}

/// A loop device, detached at the end.
struct Loop(String);

impl Loop {
    /// `None`, and a skip, where this process may not have one.
    fn over(file: &Path) -> Option<Loop> {
        let made = Command::new("losetup").args(["--find", "--show"]).arg(file).output();
        if let Ok(made) = made
            && made.status.success()
        {
            return Some(Loop(String::from_utf8_lossy(&made.stdout).trim().to_owned()));
        }
        skip("a loop device needs root, and losetup");
        None
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

impl Ran {
    /// It was ready, and then ended with this error.
    #[track_caller]
    fn fails_after_ready(&self, code: &str) {
        assert_eq!(self.exit, 1, "{}", self.stderr);
        assert!(self.stderr.contains(code) && self.stderr.contains("help: "), "{code}: {}", self.stderr);
    }
}

#[test]
fn a_sparse_file_is_refused_where_it_is_not_the_size_that_it_was() {
    let place = Place::new();
    let pool = format_with_slots(&place, "8");
    let whole = bytes(&pool);
    // Behind the last group's head and before the shadow there is nothing yet.
    let cut = whole.len() as u64 - (1 << 20);
    File::options().write(true).open(&pool).unwrap().set_len(cut).unwrap();
    place.run(&["up", "pool", "--host", "a"]).fails(1, "OAR-0209").says("truncate -s");
    assert_eq!(fs::metadata(&pool).unwrap().size(), cut);
    // The cure works where nothing but zeros and the shadow was lost.
    File::options().write(true).open(&pool).unwrap().set_len(whole.len() as u64).unwrap();
    assert_eq!(place.run(&["check", "pool", "--repair"]).exit, 3);
    let _a = place.up("a");
}
