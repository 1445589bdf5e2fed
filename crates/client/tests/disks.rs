//! Disks through the library: what each call comes to, and what a foreign client of the API is told.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use oarlock::api::{AttachDiskRequest, AttachedEntry};
use oarlock::{Api, Datastore, EngineOptions, Error, FormatOptions};
use oarlock_host::{Daemon, DaemonOptions, Folders};
use tempfile::TempDir;

const SIZE: u64 = 64 << 20;

fn daemon(folder: &Path) -> Daemon {
    let device = folder.join("pool.img");
    if !device.exists() {
        let options = FormatOptions {
            size: Some(256 << 20),
            beat: Duration::from_millis(200),
            lease: Duration::from_secs(1),
            ..FormatOptions::new("store")
        };
        Datastore::format(&device, &options).unwrap();
    }
    let folders = Folders {
        runtime: Some(folder.join("run")),
        runtime_of_others: Vec::new(),
        state: Some(folder.join("state")),
    };
    let engine = EngineOptions::new(&device, "a").unwrap();
    Daemon::start(DaemonOptions { folders, signals: false, ..DaemonOptions::new(engine) }).unwrap()
}

fn served() -> (TempDir, Daemon, Api) {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path());
    let api = Api::connect(&daemon.ready().api).unwrap();
    (folder, daemon, api)
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().code().to_owned()
}

#[test]
fn every_verb_of_disks_is_a_call_and_a_daemon_started_again_serves_what_it_did() {
    let (folder, first, api) = served();
    api.create_disk("vm/one", SIZE).unwrap();
    assert_eq!(code(api.create_disk("vm/one", SIZE)), "OAR-0282");
    let attached = api.attach_disk("vm/one", &AttachDiskRequest::default()).unwrap();
    assert_eq!(attached.name, "vm/one");
    api.snapshot_disk("vm/one@s").unwrap();
    api.clone_disk("vm/one@s", "vm/two").unwrap();
    api.resize_disk("vm/two", 2 * SIZE).unwrap();
    api.flatten_disk("vm/two").unwrap();
    api.rename_disk("vm/two", "two").unwrap();
    assert_eq!(code(api.revert_disk("vm/one@s")), "OAR-0288");
    let names: Vec<_> = api.disks().unwrap().into_iter().map(|disk| (disk.name, disk.size)).collect();
    assert_eq!(names, [("two".to_owned(), 2 * SIZE), ("vm/one".to_owned(), SIZE)]);
    let here = [AttachedEntry { host: "a".to_owned(), uri: Some(attached.uri) }];
    assert_eq!(api.disk("vm/one").unwrap().attached, here);
    first.leave().unwrap();
    let second = daemon(folder.path());
    let api = Api::connect(&second.ready().api).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while api.disk("vm/one").unwrap().attached != here {
        assert!(std::time::Instant::now() < deadline, "it is served again");
        std::thread::sleep(Duration::from_millis(5));
    }
    api.detach_disk("vm/one").unwrap();
    api.revert_disk("vm/one@s").unwrap();
    for name in ["vm/one@s", "vm/one", "two"] {
        api.delete_disk(name).unwrap();
    }
    assert_eq!(api.disks().unwrap(), []);
}

#[test]
fn what_is_asked_wrongly_is_refused_in_words_and_changes_nothing() {
    let (_folder, _daemon, api) = served();
    api.create_disk("one", SIZE).unwrap();
    assert_eq!(code(api.snapshot_disk("one")), "OAR-0310");
    assert_eq!(code(api.disk("none")), "OAR-0283");
    assert_eq!(code(api.delete_disk("one@none")), "OAR-0283");
    assert_eq!(code(api.create_disk("", SIZE)), "OAR-0271");
    assert_eq!(code(api.create_disk("two", 0)), "OAR-0284");
    assert_eq!(code(api.create_disk("two", u64::MAX)), "OAR-0284");
    let at = |nbd: &str| AttachDiskRequest { nbd: Some(nbd.to_owned()), ..AttachDiskRequest::default() };
    assert_eq!(code(api.attach_disk("one", &at("unix:here.nbd"))), "OAR-0310");
    assert_eq!(code(api.attach_disk("one", &at("nowhere"))), "OAR-0318");
    for request in [
        "GET /v1/disks/one/attach HTTP/1.1",
        "POST /v1/disks/vm/one/attach HTTP/1.1",
        "POST /v1/disks/one/explode HTTP/1.1",
        "DELETE /v1/disks HTTP/1.1",
    ] {
        let mut stream = UnixStream::connect(api.path()).unwrap();
        write!(stream, "{request}\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 4") && answer.contains("OAR-031"), "{request}: {answer}");
    }
    let disks = api.disks().unwrap();
    assert_eq!((disks.len(), disks[0].mode.as_str()), (1, "free"));
}
