//! SIGTERM makes a daemon leave. Alone in its program: the signal goes to the whole process.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use oarlock::{Api, Datastore, EngineOptions, FormatOptions};
use oarlock_host::{Daemon, DaemonOptions, Ended, Folders};
use rustix::process::{Signal, getpid, kill_process};

#[test]
fn a_daemon_that_is_told_to_end_leaves_cleanly_and_its_locks_are_free() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("pool.img");
    let format = FormatOptions { size: Some(256 << 20), ..FormatOptions::new("store") };
    Datastore::format(&device, &format).unwrap();
    let options = |host| DaemonOptions {
        folders: Folders {
            runtime: Some(folder.path().join("run")),
            runtime_of_others: Vec::new(),
            state: None,
        },
        ..DaemonOptions::new(EngineOptions::new(&device, host).unwrap())
    };
    let daemon = Daemon::start(options("a")).unwrap();
    let api = Api::connect(&daemon.ready().api).unwrap();
    let guard = api.lock("x", oarlock::api::LockMode::Exclusive, Duration::from_secs(30)).unwrap();
    kill_process(getpid(), Signal::TERM).unwrap();
    assert_eq!(guard.lost(Duration::from_secs(30)).unwrap(), "the host is leaving the datastore");
    drop(guard);
    assert_eq!(daemon.wait().unwrap(), Ended::Left);
    let next = Datastore::open(&device, "b").unwrap();
    assert!(next.lock("x").exclusive().try_now().unwrap().is_some());
    assert_eq!(next.status().unwrap().hosts, 1);
}
