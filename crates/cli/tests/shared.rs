//! Thick disks, and disks that several hosts write at once, with real processes.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Its functions are called by tests alone.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::guest::Guest;
use crate::common::{Place, eventually, skip};

const MIB: u64 = 1 << 20;

fn share(place: &Place, host: &str, disk: &str) -> Guest {
    let attached = place.run(&["disk", "attach", disk, "--shared", "--host", host, "--json"]).json();
    assert_eq!(attached["name"], disk);
    Guest::at(&place.door(host), disk).unwrap()
}

/// What qemu-io says to these orders at the door of a host; none where there is no qemu-io.
fn qemu_io(place: &Place, host: &str, disk: &str, orders: &[&str]) -> Option<String> {
    let found = Command::new("qemu-io").arg("--version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        skip("there is no qemu-io");
        return None;
    }
    let mut qemu = Command::new("qemu-io");
    qemu.args(["-f", "raw", &format!("nbd+unix:///{disk}?socket={}", place.door(host).display())]);
    for order in orders {
        qemu.args(["-c", order]);
    }
    let output = qemu.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !said.contains("failed"), "{said}");
    Some(said)
}

#[test]
fn a_thick_disk_has_all_of_its_space_from_the_start_and_one_that_has_no_room_is_refused_at_once() {
    let place = Place::for_disks("256M");
    let _a = place.up("a");
    let free = || place.run(&["status", "--json"]).json()["datastore"]["free"].as_u64().unwrap();
    let before = free();
    let created = place.run(&["disk", "create", "t", "--size", "64M", "--thick", "--json"]).json();
    assert_eq!(created, json!({ "name": "t", "size": 64 * MIB, "thick": true }));
    let shown = place.show("a", "t");
    assert_eq!(
        (&shown["allocated"], &shown["thick"], &shown["full"]),
        (&json!(64 * MIB), &json!(true), &json!(true))
    );
    eventually("it takes space", || free() <= before - 64 * MIB);
    let refused = place.run(&["disk", "create", "u", "--size", "1T", "--thick"]);
    refused.fails(1, "OAR-0292").says("are needed");
    let listed = place.run(&["disk", "list", "--json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    place.run(&["disk", "delete", "t"]).succeeds();
    eventually("it gives it back", || free() == before);
}

#[test]
fn one_that_its_maker_died_over_is_undone_by_another_host() {
    let place = Place::for_disks("256M");
    // Zeroing takes a while, so that there is something to die over.
    let mut a = place.up_with("a", &["--fault", "delay:op=write-zeroes,delay=200ms"]);
    let making = place.command(&["disk", "create", "t", "--size", "128M", "--thick", "--host", "a"]).spawn();
    let mut making = making.unwrap();
    eventually("it is being made", || {
        place.run(&["inspect", "pool", "disk", "t"]).stdout.contains("creating")
    });
    a.signal(Signal::KILL);
    a.wait();
    assert_ne!(making.wait().unwrap().code(), Some(0));
    let _b = place.up("b");
    place.run(&["disk", "create", "t", "--size", "64M", "--thick"]).succeeds();
    assert_eq!(place.show("b", "t")["allocated"], json!(64 * MIB));
}

#[test]
fn what_one_sharer_writes_the_other_reads_and_who_wants_the_disk_alone_is_told_who_has_it() {
    let place = Place::for_disks("256M");
    let (_a, _b, _c) = (place.up("a"), place.up("b"), place.up("c"));
    place.run(&["disk", "create", "t", "--size", "64M", "--thick", "--host", "c"]).succeeds();
    place.run(&["disk", "create", "thin", "--size", "64M", "--host", "c"]).succeeds();
    place.run(&["disk", "attach", "thin", "--shared", "--host", "a"]).fails(1, "OAR-0296").says("in full");
    place
        .run(&["disk", "attach", "t", "--shared", "--read-only", "--host", "a"])
        .fails(2, "OAR-0501")
        .says("--read-only");
    let (mut here, mut there) = (share(&place, "a", "t"), share(&place, "b", "t"));
    here.write(MIB, &[1; 8192]).unwrap();
    assert_eq!(there.read(MIB, 8192).unwrap(), [1; 8192]);
    there.write(MIB + 4096, &[2; 4096]).unwrap();
    assert_eq!(here.read(MIB, 8192).unwrap()[4096..], [2; 4096]);
    drop((here, there));
    let orders = ["write -P 7 3M 2M", "write -z 4M 64k", "discard 3M 64k", "flush"];
    if qemu_io(&place, "a", "t", &orders).is_some() {
        let orders = ["read -P 7 3M 1M", "read -P 0 4M 64k", "write -P 8 3M 4k", "flush"];
        qemu_io(&place, "b", "t", &orders).unwrap();
        qemu_io(&place, "a", "t", &["read -P 8 3M 4k", "read -P 7 3076k 60k"]).unwrap();
    }
    let began = Instant::now();
    for arguments in [&["attach", "t"][..], &["attach", "t", "--read-only"]] {
        let refused = place.run(&[&["disk"], arguments, &["--host", "c"]].concat());
        refused.fails(1, "OAR-0287").says("in use by hosts a (live), b (live)");
    }
    for arguments in [&["snapshot", "t@s"][..], &["resize", "t", "--size", "65M"], &["clone", "t", "u"]] {
        place.run(&[&["disk"], arguments, &["--host", "a"]].concat()).fails(1, "OAR-0297");
        place.run(&[&["disk"], arguments, &["--host", "c"]].concat()).fails(1, "OAR-0287").says("b (live)");
    }
    // Whoever wants to have it as well attaches it as well.
    let alone = "only a disk that one host writes alone is handed over";
    place.run(&["disk", "handoff", "t", "--to", "c", "--host", "a"]).fails(1, "OAR-0275").says(alone);
    place.run(&["disk", "attach", "t", "--incoming", "--host", "c"]).fails(1, "OAR-0275").says(alone);
    assert!(began.elapsed() < Duration::from_secs(40), "nobody waits for them: {:?}", began.elapsed());
    let shown = place.show("a", "t");
    let hosts: Vec<&Value> =
        shown["attached"].as_array().unwrap().iter().map(|entry| &entry["host"]).collect();
    assert_eq!((&shown["mode"], hosts), (&json!("multi-writer"), vec![&json!("a"), &json!("b")]));
    place.run(&["disk", "detach", "t", "--host", "a"]).succeeds();
    place
        .run(&["disk", "attach", "t", "--host", "c"])
        .fails(1, "OAR-0287")
        .says("in use by host b, which is live");
    place.run(&["disk", "detach", "t", "--host", "b"]).succeeds();
    place.run(&["disk", "attach", "t", "--host", "c"]).succeeds();
    assert_eq!(Guest::at(&place.door("c"), "t").unwrap().read(MIB, 4096).unwrap(), [1; 4096]);
}

#[test]
fn a_sharer_that_died_is_taken_over_and_one_that_comes_back_shares_again() {
    let place = Place::for_disks("256M");
    let (mut a, b) = (place.up("a"), place.up("b"));
    place.run(&["disk", "create", "t", "--size", "64M", "--thick", "--host", "a"]).succeeds();
    let (mut here, mut there) = (share(&place, "a", "t"), share(&place, "b", "t"));
    here.write(0, &[1; 4096]).unwrap();
    a.signal(Signal::KILL);
    a.wait();
    // The other goes on meanwhile.
    there.write(4096, &[2; 4096]).unwrap();
    assert_eq!(there.read(0, 4096).unwrap(), [1; 4096]);
    let mut a = place.up("a");
    eventually("it shares the disk again", || Guest::at(&place.door("a"), "t").is_ok());
    assert_eq!(Guest::at(&place.door("a"), "t").unwrap().read(4096, 4096).unwrap(), [2; 4096]);
    a.signal(Signal::KILL);
    a.wait();
    drop(there);
    place.run(&["disk", "detach", "t", "--host", "b"]).succeeds();
    // Its bit stands still: whoever wants the disk alone takes it over.
    place.run(&["disk", "attach", "t", "--host", "b"]).succeeds();
    assert_eq!(place.show("b", "t")["owner"], "b");
    drop(b);
    let check = place.run(&["check", "pool", "--json"]).json();
    assert_eq!(
        check["findings"].as_array().unwrap().iter().filter(|found| found["severity"] == "damage").count(),
        0,
        "{check}"
    );
}
