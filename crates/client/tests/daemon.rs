//! A daemon and its clients, over a real socket.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use oarlock::api::{EventEntry, LockMode};
use oarlock::{Api, Datastore, EngineOptions, Error, FormatOptions};
use oarlock_host::{Code, Daemon, DaemonOptions, Ended, Folders, HostError};
use tempfile::TempDir;

/// Nothing here takes so long; a wait that reaches it is a failed test.
const SOON: Duration = Duration::from_secs(30);

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place::with_beat(Duration::from_millis(200))
    }

    /// A lease has five beats.
    fn with_beat(beat: Duration) -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let options =
            FormatOptions { size: Some(256 << 20), beat, lease: 5 * beat, ..FormatOptions::new("store") };
        Datastore::format(place.device(), &options).unwrap();
        place
    }

    fn device(&self) -> PathBuf {
        self.folder.path().join("pool.img")
    }

    fn options(&self, host: &str) -> DaemonOptions {
        DaemonOptions {
            folders: Folders {
                runtime: Some(self.folder.path().join("run")),
                runtime_of_others: Vec::new(),
                state: Some(self.folder.path().join("state")),
            },
            signals: false,
            ..DaemonOptions::new(EngineOptions::new(&self.device(), host).unwrap())
        }
    }

    fn daemon(&self, host: &str) -> (Daemon, Api) {
        let daemon = Daemon::start(self.options(host)).unwrap();
        let api = Api::connect(&daemon.ready().api).unwrap();
        (daemon, api)
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a request as a foreign client would, and gives back all that comes until the connection ends.
fn raw(api: &Api, request: &str) -> String {
    let mut stream = UnixStream::connect(api.path()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn code(error: &Error) -> &str {
    error.code()
}

#[test]
fn every_question_of_the_api_has_its_answer() {
    let place = Place::new();
    let (daemon, api) = place.daemon("a");
    assert_eq!(api.path(), place.folder.path().join("run/store/a.sock"));
    let status = api.status().unwrap();
    assert_eq!((&*status.datastore.name, &*status.host.name, &*status.host.state), ("store", "a", "live"));
    assert_eq!(status.datastore.size, 256 << 20);
    assert!(status.datastore.free > 0 && status.datastore.free < status.datastore.size);
    assert!(status.host.lease_ms_left > 0 && status.host.lease_ms_left <= 1000);
    assert_eq!(api.hosts().unwrap()[0].name, "a");
    assert!(api.locks().unwrap().is_empty());
    let guard = api.lock("backups/nightly é", LockMode::Exclusive, SOON).unwrap();
    let locks = api.locks().unwrap();
    assert_eq!((&*locks[0].name, &*locks[0].mode), ("backups/nightly é", "exclusive"));
    assert_eq!(locks[0].owners[0].host, "a");
    assert!(locks[0].since.ends_with('Z'));
    guard.release();
    assert_eq!(api.events(false).unwrap().count(), 0);
    assert_eq!(code(&api.evict("b", false, None).unwrap_err()), "OAR-0243");
    assert_eq!(code(&api.evict("a", false, None).unwrap_err()), "OAR-0244");
    assert_eq!(daemon.leave().unwrap(), Ended::Left);
    assert!(matches!(api.status(), Err(Error::Unreachable { .. })));
    assert!(!api.path().exists());
}

#[test]
fn what_is_not_the_apis_is_refused_with_a_code_and_a_fitting_status() {
    let place = Place::new();
    let (_daemon, api) = place.daemon("a");
    let long = "x".repeat(300);
    for (request, status, code) in [
        ("GET /v1/nothing HTTP/1.1".to_owned(), 404, Code::NotThere),
        ("DELETE /v1/status HTTP/1.1".to_owned(), 405, Code::BadRequest),
        ("GET /v1/events?follow=maybe HTTP/1.1".to_owned(), 400, Code::BadRequest),
        (format!("POST /v1/locks/{long} HTTP/1.1"), 400, Code::BadName),
        ("POST /v1/locks/a%40b HTTP/1.1".to_owned(), 400, Code::BadName),
    ] {
        let answer = raw(&api, &format!("{request}\r\nhost: x\r\nconnection: close\r\n\r\n"));
        assert!(answer.contains(&format!("\"{}\"", code.text())), "{request}: {answer}");
        // A wrong method is a bad request to the catalogue.
        let fits = answer.starts_with(&format!("HTTP/1.1 {status}"))
            || (status == 405 && answer.starts_with("HTTP/1.1 400"));
        assert!(fits, "{request}: {answer}");
    }
    for body in ["{", "{\"mode\":\"upside-down\"}", "{\"wait\":1}", "{\"wait_ms\":604800001}"] {
        let length = body.len();
        let head = "POST /v1/locks/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length";
        let answer = raw(&api, &format!("{head}: {length}\r\n\r\n{body}"));
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("OAR-0310"), "{body}: {answer}");
    }
    let large = "x".repeat(20 << 10);
    let head = "POST /v1/evict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length";
    let answer = raw(&api, &format!("{head}: {}\r\n\r\n{large}", large.len()));
    assert!(answer.contains("OAR-0310"), "{answer}");
    assert!(api.locks().unwrap().is_empty());
}

#[test]
fn a_lock_is_waited_for_and_not_got_in_time_is_a_conflict() {
    // A guard that is lost gives its lock up. On a busy machine a lease of a second ran out in the middle of this.
    let place = Place::with_beat(Duration::from_secs(2));
    let (_a, a) = place.daemon("a");
    let (_b, b) = place.daemon("b");
    let guard = a.lock("x", LockMode::Exclusive, SOON).unwrap();
    let error = b.lock("x", LockMode::Exclusive, Duration::from_millis(300)).err().unwrap();
    assert_eq!(code(&error), "OAR-0241");
    assert!(error.is_temporary() && error.hint().contains("oarlock locks"));
    let first = guard.token();
    let waiter = std::thread::spawn(move || b.lock("x", LockMode::Exclusive, SOON).unwrap().token());
    until("the waiter has said that it waits", || a.locks().unwrap().iter().any(|lock| lock.interest));
    drop(guard);
    assert!(waiter.join().unwrap() > first);
}

#[test]
fn a_client_that_dies_with_a_lock_releases_it_and_one_that_dies_waiting_takes_none() {
    let place = Place::new();
    let (_daemon, api) = place.daemon("a");
    let mut holder = UnixStream::connect(api.path()).unwrap();
    holder.write_all(b"POST /v1/locks/x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    until("it holds the lock", || !api.locks().unwrap().is_empty());
    let mut waiter = UnixStream::connect(api.path()).unwrap();
    let body = "{\"wait_ms\":600000}";
    let head = format!("POST /v1/locks/x HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    waiter.write_all(format!("{head}{body}").as_bytes()).unwrap();
    until("it waits for the lock", || api.locks().unwrap().iter().any(|lock| lock.waiting_here == 1));
    // No goodbye: the kernel closes what a killed process had open.
    drop(waiter);
    until("nobody waits any more", || api.locks().unwrap().iter().all(|lock| lock.waiting_here == 0));
    drop(holder);
    until("the lock is free", || api.locks().unwrap().is_empty());
}

#[test]
fn a_renewed_lease_keeps_a_remote_guard_and_a_leaving_daemon_takes_it() {
    let place = Place::new();
    let (daemon, api) = place.daemon("a");
    // Three leases long: without news of renewals it would be lost by its clock, each time. A machine that has no time for
    // the daemon for most of a lease may lose it once.
    let kept = (0..5).find_map(|_| {
        let guard = api.lock("x", LockMode::Shared, SOON).unwrap();
        guard.lost(Duration::from_secs(3)).is_none().then_some(guard)
    });
    let guard = kept.unwrap();
    let leave = std::thread::spawn(move || daemon.leave());
    assert_eq!(guard.lost(SOON).unwrap(), "the host is leaving the datastore");
    assert_eq!(guard.loss(SOON).unwrap().kind(), oarlock::LossKind::Leaving);
    assert!(guard.is_lost());
    drop(guard);
    assert_eq!(leave.join().unwrap().unwrap(), Ended::Left);
}

#[test]
fn a_daemon_does_not_leave_for_ever_on_account_of_a_client_that_keeps_its_lock() {
    let place = Place::new();
    let options = DaemonOptions { leave_limit: Duration::from_millis(300), ..place.options("a") };
    let daemon = Daemon::start(options).unwrap();
    let api = Api::connect(&daemon.ready().api).unwrap();
    let guard = api.lock("x", LockMode::Exclusive, SOON).unwrap();
    let Ended::LeftBehind(leftover) = daemon.leave().unwrap() else { panic!("it says that it has left") };
    assert_eq!((leftover.locks, leftover.names), (1, vec!["x".to_owned()]));
    assert!(guard.is_lost());
    let (_b, b) = place.daemon("b");
    assert!(b.lock("x", LockMode::Exclusive, SOON).unwrap().token() > guard.token());
}

#[test]
fn a_daemon_whose_device_does_not_answer_does_not_say_that_it_has_left() {
    let place = Place::new();
    let mut options = DaemonOptions { leave_limit: Duration::from_millis(300), ..place.options("a") };
    // From the first beat after the join on.
    options.engine.arm("refuse:op=ats,record=slot,after=2").unwrap();
    let daemon = Daemon::start(options).unwrap();
    let error = HostError::from(daemon.leave().unwrap());
    assert_eq!(error.code(), Code::LeftBehind);
    assert!(error.to_string().contains("takes it over 50 ms after"), "{error}");
}

#[test]
fn a_second_daemon_of_one_name_is_refused_by_the_socket_and_another_name_is_not() {
    let place = Place::new();
    let (first, api) = place.daemon("a");
    let taken = Daemon::start(place.options("a"));
    assert!(matches!(taken, Err(HostError::NamesakeHere { .. })));
    assert_eq!(api.status().unwrap().hosts, 1, "it went away without having touched the datastore");
    let (_b, _) = place.daemon("b");
    first.leave().unwrap();
    place.daemon("a");
}

#[test]
fn events_are_followed_as_they_happen_and_survive_a_restart() {
    let place = Place::new();
    let mut options = place.options("a");
    options.engine.arm("lose-reply:op=ats,record=slot,after=4,count=1").unwrap();
    let daemon = Daemon::start(options).unwrap();
    let api = Api::connect(&daemon.ready().api).unwrap();
    let mut events = api.events(true).unwrap();
    assert_eq!(events.next().unwrap().unwrap().kind, "unknown");
    let adopted = events.next().unwrap().unwrap();
    assert_eq!(adopted.cause, "delayed-own-write");
    let status = api.status().unwrap();
    let file = place.folder.path().join("state/store/a.events");
    assert_eq!(status.events.file.as_deref(), file.to_str());
    assert_eq!((status.events.dropped, &status.events.error), (0, &None));
    daemon.leave().unwrap();
    assert!(events.next().is_none(), "the stream ends with the host");
    assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 2);
    let (_daemon, api) = place.daemon("a");
    let kept: Vec<_> = api.events(false).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[1], adopted);
}

#[test]
fn the_winner_of_a_race_is_told_by_name() {
    let place = Place::new();
    let (_b, b) = place.daemon("b");
    let mut options = place.options("a");
    // Each ATS on a lock waits in this host for a while: time enough for another to be first.
    options.engine.arm("delay:op=ats,record=lock,delay=100ms").unwrap();
    let slow = Daemon::start(options).unwrap();
    let a = Api::connect(&slow.ready().api).unwrap();
    let racing = a.clone();
    // One whose answer came: of an attempt that was given up nobody knows how long it waited.
    let is_lost_race = |event: &EventEntry| event.kind == "miscompare" && event.queue_us >= Some(100_000);
    let lost_a_race = move |api: &Api| api.events(false).unwrap().any(|event| is_lost_race(&event.unwrap()));
    let deadline = Instant::now() + SOON;
    let loser = std::thread::spawn(move || {
        while !lost_a_race(&racing) {
            assert!(Instant::now() < deadline, "no race was lost");
            // Whether it gets the lock is not the point: the other may be quicker every time.
            drop(racing.lock("x", LockMode::Exclusive, Duration::from_millis(500)));
        }
    });
    while !loser.is_finished() {
        drop(b.lock("x", LockMode::Exclusive, Duration::from_millis(500)));
    }
    loser.join().unwrap();
    let lost: Vec<_> = a.events(false).unwrap().map(Result::unwrap).collect();
    let lost = lost.iter().find(|event| is_lost_race(event)).unwrap();
    assert_eq!(lost.by.as_ref().unwrap().host, "b");
    assert_eq!(lost.record.as_deref(), Some("lock"));
    assert!(lost.found_generation.unwrap() > lost.expected_generation.unwrap());
}

#[test]
fn a_read_only_host_answers_and_takes_nothing() {
    let place = Place::new();
    let mut options = place.options("a");
    options.engine.read_only = true;
    let daemon = Daemon::start(options).unwrap();
    let api = Api::connect(&daemon.ready().api).unwrap();
    assert!(api.status().unwrap().host.read_only);
    assert_eq!(code(&api.lock("x", LockMode::Shared, SOON).err().unwrap()), "OAR-0308");
    assert_eq!(code(&api.evict("b", true, None).unwrap_err()), "OAR-0308");
}

#[test]
fn a_host_that_a_rollback_stopped_joins_again_only_when_a_person_says_so() {
    let place = Place::new();
    let (daemon, api) = place.daemon("a");
    let id = api.status().unwrap().datastore.id;
    drop(daemon);
    let folder = place.folder.path().join("state/store");
    let note = folder.join(format!("a.{id}.rollback"));
    std::fs::create_dir_all(&folder).unwrap();
    let of_another = folder.join(format!("a.{}.rollback", "0".repeat(id.len())));
    std::fs::write(&of_another, "block 7 shows generation 3").unwrap();
    drop(
        Daemon::start(place.options("a"))
            .expect("an older datastore of this name went back, and this one did not"),
    );
    std::fs::write(&note, "block 7 shows generation 3").unwrap();
    let error = Daemon::start(place.options("a")).err().unwrap();
    assert_eq!(error.code(), Code::RollbackNotAccepted);
    assert!(error.to_string().contains("block 7"));
    let accepted = DaemonOptions { accept_rollback: true, ..place.options("a") };
    drop(Daemon::start(accepted).unwrap());
    assert!(!note.exists());
    drop(Daemon::start(place.options("a")).unwrap());
}

#[test]
fn a_release_returns_when_the_device_has_it_and_not_before() {
    let place = Place::new();
    let mut options = place.options("a");
    // The take passes, and the release takes its time on the way to the device.
    options.engine.arm("delay:op=ats,record=lock,after=1,count=1,delay=400ms").unwrap();
    let daemon = Daemon::start(options).unwrap();
    let api = Api::connect(&daemon.ready().api).unwrap();
    let (_other, beside) = place.daemon("b");
    let guard = api.lock("nightly", LockMode::Exclusive, SOON).unwrap();
    assert!(guard.release(), "the host said so");
    assert!(beside.locks().unwrap().is_empty(), "the lock is still held when its release has returned");
}

/// Bytes after a request hide the end of the connection behind them: the host hears of it only when it writes.
#[test]
fn a_client_that_said_too_much_and_is_gone_keeps_no_lock_that_it_lost() {
    let place = Place::new();
    let mut options = place.options("a");
    // About two seconds after the join no beat gets through for longer than a lease.
    options.engine.arm("refuse:op=ats,record=slot,after=10,count=60").unwrap();
    let daemon = Daemon::start(options).unwrap();
    let api = Api::connect(&daemon.ready().api).unwrap();
    let mut stream = UnixStream::connect(api.path()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"POST /v1/locks/x HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}\r\n\r\n").unwrap();
    let mut told = String::new();
    while !told.contains("lost") {
        let mut bytes = [0; 512];
        let read = stream.read(&mut bytes).unwrap();
        assert!(read > 0, "the connection ended: {told}");
        told += std::str::from_utf8(&bytes[..read]).unwrap();
    }
    assert!(told.contains("\"granted\":true"), "{told}");
    drop(stream);
    api.lock("x", LockMode::Exclusive, SOON).unwrap().release();
}

#[test]
fn a_wait_for_ever_is_refused_and_no_panic() {
    let place = Place::new();
    let (_daemon, api) = place.daemon("a");
    assert_eq!(code(&api.lock("x", LockMode::Exclusive, Duration::MAX).err().unwrap()), "OAR-0310");
    assert_eq!(code(&api.evict("b", false, Some(Duration::MAX)).unwrap_err()), "OAR-0310");
    let datastore = Datastore::open(place.device(), "b").unwrap();
    datastore.lock("x").wait(Duration::MAX).unwrap().release();
}
