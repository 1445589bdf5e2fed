//! Hosts within this process, on a real file.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use oarlock::{Datastore, FormatOptions};
use tempfile::TempDir;

/// Nothing here takes so long; a wait that reaches it is a failed test.
const SOON: Duration = Duration::from_secs(30);

fn store() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.img");
    let options = FormatOptions {
        size: Some(256 << 20),
        beat: Duration::from_millis(200),
        lease: Duration::from_secs(1),
        ..FormatOptions::new("store")
    };
    Datastore::format(&path, &options).unwrap();
    (folder, path)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn two_hosts_that_fight_for_a_lock_lose_no_increment_and_tokens_only_grow() {
    const ROUNDS: u64 = 20;
    let (folder, path) = store();
    let counter = folder.path().join("counter");
    std::fs::write(&counter, "0").unwrap();
    let workers: Vec<_> = ["a", "b"]
        .into_iter()
        .map(|host| {
            let (path, counter) = (path.clone(), counter.clone());
            std::thread::spawn(move || {
                let datastore = Datastore::open(&path, host).unwrap();
                let mut tokens = Vec::new();
                for _ in 0..ROUNDS {
                    let guard = datastore.lock("counter").exclusive().wait(SOON).unwrap();
                    // Not atomic: only the lock keeps the two apart.
                    let read: u64 = std::fs::read_to_string(&counter).unwrap().parse().unwrap();
                    std::thread::yield_now();
                    std::fs::write(&counter, (read + 1).to_string()).unwrap();
                    tokens.push(guard.token());
                    guard.release();
                }
                tokens
            })
        })
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        let tokens = worker.join().unwrap();
        assert!(tokens.windows(2).all(|pair| pair[0] < pair[1]), "{tokens:?}");
        all.extend(tokens);
    }
    assert_eq!(std::fs::read_to_string(&counter).unwrap(), (2 * ROUNDS).to_string());
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len() as u64, 2 * ROUNDS, "every token is another");
}

#[test]
fn a_dropped_guard_releases_its_lock_and_a_held_one_keeps_others_out() {
    let (_folder, path) = store();
    let (a, b) = (Datastore::open(&path, "a").unwrap(), Datastore::open(&path, "b").unwrap());
    let guard = a.lock("x").exclusive().try_now().unwrap().unwrap();
    assert!(b.lock("x").exclusive().try_now().unwrap().is_none());
    let error = b.lock("x").shared().wait(Duration::from_millis(300)).err().unwrap();
    assert_eq!(error.code(), "OAR-0241");
    assert!(error.is_temporary());
    let held = b.locks().unwrap();
    assert_eq!((&*held[0].name, &*held[0].mode, &*held[0].owners[0].host), ("x", "exclusive", "a"));
    assert_eq!(held[0].kind, "named");
    drop(guard);
    let other = b.lock("x").exclusive().wait(SOON).unwrap();
    assert!(!other.is_lost());
}

#[test]
fn those_who_share_hold_at_once() {
    let (_folder, path) = store();
    let (a, b) = (Datastore::open(&path, "a").unwrap(), Datastore::open(&path, "b").unwrap());
    let _first = a.lock("x").shared().wait(SOON).unwrap();
    let _second = b.lock("x").shared().wait(SOON).unwrap();
    assert!(a.lock("x").exclusive().try_now().unwrap().is_none());
    assert_eq!(a.locks().unwrap()[0].owners.len(), 2);
}

#[test]
fn a_guard_hears_that_its_host_leaves_and_the_next_host_gets_the_lock() {
    let (_folder, path) = store();
    let (a, b) = (Datastore::open(&path, "a").unwrap(), Datastore::open(&path, "b").unwrap());
    let guard = a.lock("x").exclusive().wait(SOON).unwrap();
    let leaving = a.clone();
    let leave = std::thread::spawn(move || leaving.leave(SOON));
    assert_eq!(guard.lost(SOON).unwrap(), "the host is leaving the datastore");
    assert_eq!(guard.loss(SOON).unwrap().kind(), oarlock::LossKind::Leaving);
    assert!(guard.is_lost());
    // Lost, but still held: nobody else works under it before this user has stopped.
    assert!(b.lock("x").exclusive().try_now().unwrap().is_none());
    drop(guard);
    leave.join().unwrap().unwrap();
    assert!(b.lock("x").exclusive().wait(SOON).is_ok());
    assert_eq!(a.status().unwrap_err().code(), "OAR-0251");
    assert_eq!(a.lock("y").wait(SOON).err().unwrap().code(), "OAR-0251");
}

#[test]
fn a_host_that_cannot_beat_loses_its_locks_before_its_lease_ends_and_says_so() {
    let (_folder, path) = store();
    let mut options = oarlock::EngineOptions::new(&path, "a").unwrap();
    // Enough beats to join and to take a lock; then each is refused.
    options.arm("refuse:op=ats,record=slot,after=12").unwrap();
    let a = Datastore::open_with(options).unwrap();
    let guard = a.lock("x").exclusive().wait(SOON).unwrap();
    assert_eq!(guard.loss(SOON).unwrap().kind(), oarlock::LossKind::NotRenewed);
    assert!(a.status().unwrap().host.lease_ms_left <= 250, "the last quarter of a second's lease has begun");
    until("the host tells that it is held, and that its fault struck", || {
        a.status().is_ok_and(|status| status.host.state == "held" && status.faults[0].struck > 0)
    });
    drop(guard);
    // It cannot free its slot: it goes like a host that died, and the next one takes its lock over.
    let _ = a.leave(Duration::from_millis(100));
    let b = Datastore::open(&path, "b").unwrap();
    assert!(b.lock("x").exclusive().wait(SOON).is_ok());
}

#[test]
fn a_lost_reply_to_a_beat_is_told_as_unknown_then_as_this_hosts_own_late_write() {
    let (_folder, path) = store();
    let mut options = oarlock::EngineOptions::new(&path, "a").unwrap();
    options.arm("lose-reply:op=ats,record=slot,after=4,count=1").unwrap();
    let a = Datastore::open_with(options).unwrap();
    let guard = a.lock("x").exclusive().wait(SOON).unwrap();
    until("both events are there", || a.events().iter().any(|event| event.cause == "delayed-own-write"));
    assert!(!guard.is_lost(), "a beat that was only unanswered costs nobody a lock");
    let events = a.events();
    let [unknown, adopted] = events.as_slice() else { panic!("{events:#?}") };
    assert_eq!((&*unknown.kind, &*unknown.action), ("unknown", "retried"));
    assert_eq!((&*adopted.kind, &*adopted.action), ("unknown", "adopted"), "no ATS was answered false");
    let attempt = unknown.by.as_ref().unwrap();
    assert_eq!(attempt.host, "a");
    assert_eq!(adopted.by.as_ref().unwrap(), attempt, "the image met is that attempt's");
    for event in &events {
        assert_eq!(event.record.as_deref(), Some("slot"));
        assert_eq!(event.path.as_deref(), path.to_str());
        assert!(event.device_us.is_some() && event.queue_us.is_some() && event.expected_age_us.is_some());
        assert!(event.time.ends_with('Z'), "{}", event.time);
    }
    assert_eq!(a.status().unwrap().faults[0].struck, 1);
}

#[test]
fn a_second_host_of_one_name_is_refused() {
    let (_folder, path) = store();
    let _first = Datastore::open(&path, "a").unwrap();
    assert_eq!(Datastore::open(&path, "a").err().unwrap().code(), "OAR-0231");
}

#[test]
fn hosts_are_listed_with_their_states_and_none_that_left() {
    let (_folder, path) = store();
    let a = Datastore::open(&path, "a").unwrap();
    let b = Datastore::open(&path, "b").unwrap();
    let mut names: Vec<_> = a.hosts().unwrap().into_iter().map(|host| (host.name, host.state)).collect();
    names.sort();
    let live = |name: &str| (name.to_owned(), "live".to_owned());
    assert_eq!(names, [live("a"), live("b")]);
    drop(b);
    assert_eq!(a.hosts().unwrap().len(), 1);
    let status = a.status().unwrap();
    assert_eq!((status.hosts, status.disks, &*status.host.state), (1, 0, "live"));
    assert_eq!(status.datastore.fencing, "file-lock");
}

#[test]
fn a_host_that_was_dropped_joins_again_at_once() {
    let (_folder, path) = store();
    for _ in 0..3 {
        let datastore = Datastore::open(&path, "a").unwrap();
        let _guard = datastore.lock("x").exclusive().wait(SOON).unwrap();
    }
}

#[test]
fn a_device_that_is_no_datastore_is_refused_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zeros");
    std::fs::File::create(&path).unwrap().set_len(1 << 20).unwrap();
    assert_eq!(Datastore::open(&path, "a").err().unwrap().code(), "OAR-0203");
    assert_eq!(Datastore::open(folder.path().join("none"), "a").err().unwrap().code(), "OAR-0101");
    assert_eq!(Datastore::open(&path, "a/b").err().unwrap().code(), "OAR-0271");
}

#[test]
fn a_datastore_of_large_blocks_is_found_to_have_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.img");
    let options = FormatOptions {
        size: Some(1 << 30),
        block_size: Some(4096),
        slots: 8,
        ..FormatOptions::new("store")
    };
    assert_eq!(Datastore::format(&path, &options).unwrap().block_size, 4096);
    let datastore = Datastore::open(&path, "a").unwrap();
    let guard = datastore.lock("x").exclusive().wait(SOON).unwrap();
    assert!(!guard.is_lost());
}
