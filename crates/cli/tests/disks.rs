//! Disks of running hosts, with real processes: what is served, by whom, and what of it outlives its host.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Its functions are called by tests alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::guest::Guest;
use crate::common::{Place, Up, eventually, skip};

const BLOCK: usize = 4096;
const MIB: u64 = 1 << 20;

fn attach(place: &Place, host: &str, disk: &str) -> Guest {
    let attached = place.run(&["disk", "attach", disk, "--host", host, "--json"]).json();
    assert_eq!(attached["name"], disk);
    Guest::at(&place.door(host), disk).unwrap()
}

fn pattern(round: u8, place: u8) -> Vec<u8> {
    (0..BLOCK).map(|byte| round.wrapping_mul(31) ^ place ^ u8::try_from(byte / 512).unwrap()).collect()
}

#[test]
fn a_disk_is_made_told_attached_written_read_and_deleted() {
    let place = Place::for_disks("256M");
    let _a = place.up("a");
    let created = place.run(&["disk", "create", "vm/один", "--size", "64M", "--json"]).json();
    assert_eq!(created, serde_json::json!({ "name": "vm/один", "size": 64 * MIB, "thick": false }));
    place.run(&["disk", "create", "vm/один", "--size", "1M"]).fails(1, "OAR-0282");
    place.run(&["disk", "create", "odd", "--size", "1000"]).fails(2, "OAR-0284");
    place.run(&["disk", "create", "a@b", "--size", "1M"]).fails(2, "OAR-0271");
    place.run(&["disk", "show", "none"]).fails(1, "OAR-0283");
    place.run(&["disk", "detach", "vm/один"]).fails(1, "OAR-0323");
    let before = place.show("a", "vm/один");
    assert_eq!(
        (&before["allocated"], &before["owner"], &before["mode"]),
        (&0.into(), &Value::Null, &"free".into())
    );
    let mut guest = attach(&place, "a", "vm/один");
    assert_eq!(guest.size(), 64 * MIB);
    guest.write(8 * MIB, &pattern(1, 1)).unwrap();
    guest.flush().unwrap();
    assert_eq!(guest.read(8 * MIB, BLOCK).unwrap(), pattern(1, 1));
    assert_eq!(guest.read(0, BLOCK).unwrap(), vec![0; BLOCK]);
    let during = place.show("a", "vm/один");
    assert_eq!((&during["allocated"], &during["owner"]), (&65_536.into(), &"a".into()));
    let uri = format!("nbd+unix:///vm/%D0%BE%D0%B4%D0%B8%D0%BD?socket={}", place.door("a").display());
    assert_eq!(during["attached"], serde_json::json!([{ "host": "a", "uri": uri }]));
    let listed = place.run(&["disk", "list", "--json"]).json();
    assert_eq!((&listed[0]["name"], &listed[0]["attached"]), (&"vm/один".into(), &during["attached"]));
    // A busy device is counted over several looks.
    eventually("it is counted", || place.run(&["status", "--json"]).json()["disks"] == 1);
    place.run(&["disk", "delete", "vm/один"]).fails(1, "OAR-0288");
    place.run(&["disk", "attach", "vm/один"]).fails(1, "OAR-0288");
    place.run(&["disk", "detach", "vm/один"]).succeeds();
    assert!(guest.read(0, BLOCK).is_err(), "its clients are cut off");
    assert!(!place.door("a").exists(), "nobody stands behind the door any more");
    let after = place.show("a", "vm/один");
    assert_eq!((&after["allocated"], &after["mode"]), (&65_536.into(), &"free".into()), "all of it is home");
    place.run(&["disk", "rename", "vm/один", "two"]).succeeds();
    assert_eq!(attach(&place, "a", "two").read(8 * MIB, BLOCK).unwrap(), pattern(1, 1));
    place.run(&["disk", "detach", "two"]).succeeds();
    place.run(&["disk", "delete", "two"]).succeeds();
    assert_eq!(place.run(&["disk", "list", "--json"]).json(), serde_json::json!([]));
}

/// What a guest wrote where, and what of that a flush had covered, when its host was killed.
#[derive(Default)]
struct Written {
    /// The last round that was sent to each place, and the last one that was flushed.
    places: BTreeMap<u8, (u8, u8)>,
    flushes: usize,
}

/// Writes round after round, places here and there, and flushes now and then, until the host is gone.
fn write_until_the_end(mut guest: Guest, written: &Mutex<Written>) {
    for round in 1.. {
        for place in 0..=63 {
            written.lock().unwrap().places.entry(place).or_default().0 = round;
            if guest.write(u64::from(place) * 200 * 1024, &pattern(round, place)).is_err() {
                return;
            }
            if place % 16 == 15 {
                let sent: Vec<(u8, u8)> =
                    written.lock().unwrap().places.iter().map(|(place, (sent, _))| (*place, *sent)).collect();
                if guest.flush().is_err() {
                    return;
                }
                let mut written = written.lock().unwrap();
                written.flushes += 1;
                for (place, sent) in sent {
                    written.places.get_mut(&place).unwrap().1 = sent;
                }
            }
        }
    }
}

/// Nothing that was flushed is lost, and nothing stands there that nobody wrote.
fn assert_flushed(guest: &mut Guest, written: &Written) {
    for (place, (sent, flushed)) in &written.places {
        let found = guest.read(u64::from(*place) * 200 * 1024, BLOCK).unwrap();
        let is_one = (*flushed..=*sent)
            .any(|round| found == if round == 0 { vec![0; BLOCK] } else { pattern(round, *place) });
        assert!(is_one, "place {place}: rounds {flushed} to {sent}, and what is read is none of them");
    }
}

fn killed_in_mid_write(place: &Place, a: &mut Up, signal: Signal) -> Written {
    let guest = attach(place, "a", "disk");
    let written = Arc::new(Mutex::new(Written::default()));
    let writes = Arc::clone(&written);
    let thread = std::thread::spawn(move || write_until_the_end(guest, &writes));
    eventually("some flushes", || written.lock().unwrap().flushes >= 30);
    a.signal(signal);
    if signal == Signal::KILL {
        a.wait();
        thread.join().unwrap();
        return Arc::into_inner(written).unwrap().into_inner().unwrap();
    }
    // Nothing is answered by a process that is stopped.
    let mut known = written.lock().unwrap();
    std::mem::take(&mut *known)
}

#[test]
fn every_flushed_byte_is_there_on_another_host_after_the_first_was_killed_in_mid_write() {
    let place = Place::for_disks("256M");
    let (mut a, _b) = (place.up("a"), place.up("b"));
    place.run(&["disk", "create", "disk", "--size", "64M", "--host", "a"]).succeeds();
    let written = killed_in_mid_write(&place, &mut a, Signal::KILL);
    let mut guest = attach(&place, "b", "disk");
    assert_flushed(&mut guest, &written);
    guest.write(0, &pattern(9, 9)).unwrap();
    guest.flush().unwrap();
    place.run(&["disk", "detach", "disk", "--host", "b"]).succeeds();
    drop(_b);
    let check = place.run(&["check", "pool", "--json"]).json();
    assert_eq!(check["clean"], true, "{check}");
}

#[test]
fn a_host_that_is_stopped_loses_its_disk_to_another_which_has_every_flushed_byte() {
    let place = Place::for_disks("256M");
    let (mut a, _b) = (place.up("a"), place.up("b"));
    place.run(&["disk", "create", "disk", "--size", "64M", "--host", "a"]).succeeds();
    let written = killed_in_mid_write(&place, &mut a, Signal::STOP);
    let mut guest = attach(&place, "b", "disk");
    assert_flushed(&mut guest, &written);
    a.signal(Signal::CONT);
    assert_ne!(a.wait(), 0);
    assert_flushed(&mut guest, &written);
}

/// R7: a host that could not beat for longer than its lease answers nothing, and goes on where nobody fenced it.
#[test]
fn a_guest_is_held_over_a_lapse_and_goes_on_with_the_next_beat() {
    let place = Place::for_disks("256M");
    let a = place.up("a");
    place.run(&["disk", "create", "disk", "--size", "64M"]).succeeds();
    let mut guest = attach(&place, "a", "disk");
    guest.write(0, &pattern(1, 1)).unwrap();
    a.signal(Signal::STOP);
    let writes = std::thread::spawn(move || {
        guest.write(0, &pattern(2, 2)).unwrap();
        guest.flush().unwrap();
        guest
    });
    // Longer than the lease of a second.
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!writes.is_finished());
    a.signal(Signal::CONT);
    let mut guest = writes.join().unwrap();
    assert_eq!(guest.read(0, BLOCK).unwrap(), pattern(2, 2));
    assert_eq!(place.run(&["status", "--json"]).json()["host"]["state"], "live");
}

/// A host whose record was taken away by another: its guests hear of it, and nothing waits.
#[test]
fn a_host_that_is_fenced_serves_nothing_any_more_and_ends() {
    let place = Place::for_disks("256M");
    let (mut a, _b) = (place.up("a"), place.up("b"));
    place.run(&["disk", "create", "disk", "--size", "64M", "--host", "a"]).succeeds();
    let mut guest = attach(&place, "a", "disk");
    guest.write(0, &pattern(1, 1)).unwrap();
    guest.flush().unwrap();
    place.run(&["evict", "a", "--certain", "--host", "b"]).succeeds();
    assert_ne!(a.wait(), 0);
    assert!(guest.write(0, &pattern(2, 2)).is_err());
    assert_eq!(attach(&place, "b", "disk").read(0, BLOCK).unwrap(), pattern(1, 1));
}

#[test]
fn a_disk_of_a_living_host_is_refused_at_once_with_its_name_and_served_elsewhere_once_it_left() {
    let place = Place::for_disks("256M");
    let (mut a, _b) = (place.up("a"), place.up("b"));
    place.run(&["disk", "create", "disk", "--size", "64M", "--store", "store"]).succeeds();
    place.run(&["disk", "attach", "disk"]).fails(2, "OAR-0402");
    let mut guest = attach(&place, "a", "disk");
    let began = Instant::now();
    let refused = place.run(&["disk", "attach", "disk", "--host", "b"]);
    refused.fails(1, "OAR-0287").says("in use by host a, which is live");
    assert!(began.elapsed() < Duration::from_secs(5), "it is not waited for: {:?}", began.elapsed());
    place.run(&["disk", "rename", "disk", "other", "--host", "b"]).fails(1, "OAR-0287").says("host a");
    place.run(&["disk", "rename", "disk", "other", "--host", "a"]).fails(1, "OAR-0288");
    place.run(&["disk", "delete", "disk", "--host", "b"]).fails(1, "OAR-0287").says("host a");
    // Answered, and not flushed: a host that leaves takes nothing along.
    guest.write(MIB, &pattern(3, 3)).unwrap();
    a.signal(Signal::TERM);
    assert_eq!(a.wait(), 0, "with a client that is connected");
    assert_eq!(attach(&place, "b", "disk").read(MIB, BLOCK).unwrap(), pattern(3, 3));
}

/// The folder was full: both exited with 0, and the next life served what had been detached, and not what had been attached.
#[test]
fn where_the_list_of_exports_cannot_be_written_whoever_attaches_or_detaches_hears_it() {
    let place = Place::for_disks("256M");
    let _a = place.up("a");
    for disk in ["one", "two"] {
        place.run(&["disk", "create", disk, "--size", "64M"]).succeeds();
    }
    drop(attach(&place, "a", "one"));
    let files = std::fs::read_dir(place.path("run/store")).unwrap().map(|file| file.unwrap().path());
    let list =
        files.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "exports")).unwrap();
    let mut beside = list.into_os_string();
    beside.push("~");
    std::fs::create_dir(&beside).unwrap();
    place.run(&["disk", "attach", "two"]).fails(1, "OAR-0325");
    assert!(Guest::at(&place.door("a"), "two").is_err());
    assert_eq!(place.show("a", "two")["mode"], "free");
    place.run(&["disk", "detach", "one"]).fails(1, "OAR-0325");
    assert_eq!(place.show("a", "one")["mode"], "free");
    std::fs::remove_dir(&beside).unwrap();
    drop(attach(&place, "a", "two"));
    place.run(&["disk", "detach", "two"]).succeeds();
}

/// Decision 0074: the host took the disk back in the moment in which the other one was restarted.
#[test]
fn a_host_that_comes_back_leaves_a_disk_alone_that_another_had_since() {
    let place = Place::for_disks("256M");
    let (mut a, mut b) = (place.up("a"), place.up("b"));
    for disk in ["moved", "kept"] {
        place.run(&["disk", "create", disk, "--size", "64M", "--host", "a"]).succeeds();
        attach(&place, "a", disk);
    }
    a.signal(Signal::KILL);
    a.wait();
    attach(&place, "b", "moved").write(0, &pattern(1, 1)).unwrap();
    place.run(&["disk", "snapshot", "kept@meanwhile", "--host", "b"]).succeeds();
    let _a = place.up("a");
    let of = |disk| place.show("a", disk)["attached"][0]["host"].clone();
    eventually("what nobody served meanwhile", || of("kept") == "a");
    b.signal(Signal::TERM);
    assert_eq!(b.wait(), 0);
    // Longer than a host waits before it tries an export again.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(of("moved"), Value::Null);
    b = place.up("b");
    eventually("the disk at its last host", || of("moved") == "b");
    drop(b);
}

#[test]
fn a_host_that_comes_back_serves_the_same_disks_at_the_same_places() {
    let place = Place::for_disks("256M");
    let mut a = place.up("a");
    for disk in ["one", "two"] {
        place.run(&["disk", "create", disk, "--size", "64M"]).succeeds();
    }
    let mut guest = attach(&place, "a", "one");
    guest.write(0, &pattern(1, 1)).unwrap();
    guest.flush().unwrap();
    place.run(&["disk", "snapshot", "one@first"]).succeeds();
    guest.write(0, &pattern(2, 2)).unwrap();
    guest.flush().unwrap();
    place.run(&["disk", "attach", "two", "--nbd", "tcp:127.0.0.1:0"]).succeeds();
    let own = place.path("own.nbd");
    let at = format!("unix:{}", own.display());
    place.run(&["disk", "attach", "one@first", "--nbd", &at]).succeeds();
    let served = || {
        let one = place.show("a", "one")["attached"].clone();
        (one, place.show("a", "two")["attached"].clone())
    };
    let before = served();
    let uri = before.1[0]["uri"].as_str().unwrap().to_owned();
    let port = uri.strip_prefix("nbd://").unwrap().strip_suffix("/two").unwrap();
    for signal in [Signal::KILL, Signal::TERM] {
        a.signal(signal);
        a.wait();
        a = place.up("a");
        eventually("the same disks at the same places", || served() == before);
        assert_eq!(Guest::at(&place.door("a"), "one").unwrap().read(0, BLOCK).unwrap(), pattern(2, 2));
        assert_eq!(Guest::at_port(port, "two").unwrap().size(), 64 * MIB);
        let mut first = Guest::at(&own, "one@first").unwrap();
        assert_eq!(first.read(0, BLOCK).unwrap(), pattern(1, 1));
        assert!(first.write(0, &pattern(3, 3)).is_err(), "a snapshot is never written");
    }
    place.run(&["disk", "detach", "two"]).succeeds();
    a.signal(Signal::KILL);
    a.wait();
    a = place.up("a");
    eventually("the rest", || served() == (before.0.clone(), serde_json::json!([])));
    // A disk that was made anew under the name is another one.
    a.signal(Signal::KILL);
    a.wait();
    let mut b = place.up("b");
    place.run(&["disk", "create", "three", "--size", "64M"]).succeeds();
    drop(attach(&place, "b", "three"));
    b.signal(Signal::KILL);
    b.wait();
    a = place.up("a");
    place.run(&["disk", "delete", "three"]).succeeds();
    place.run(&["disk", "create", "three", "--size", "1M"]).succeeds();
    let b = place.up("b");
    eventually("it is forgotten", || {
        let events = place.run(&["events", "--host", "b"]).stdout;
        events.contains("three was exported before, and is not any more: there is no disk three")
    });
    assert_eq!(place.show("a", "three")["mode"], "free");
    drop(b);
    // While it is away another host takes the disk: it is that one's then.
    a.signal(Signal::KILL);
    a.wait();
    let _b = place.up("b");
    let _guest = attach(&place, "b", "one");
    let _a = place.up("a");
    eventually("the snapshot is served by both", || {
        place.run(&["disk", "detach", "one@first", "--host", "a"]).exit == 0
    });
    eventually("it is forgotten", || {
        let events = place.run(&["events", "--host", "a"]).stdout;
        events.contains("one was exported before, and is not any more: one was attached to host b since")
    });
    assert_eq!(place.show("b", "one")["owner"], "b");
}

#[test]
fn a_guest_of_qemu_that_may_reconnect_goes_on_over_the_death_of_its_host() {
    let found = Command::new("qemu-io").arg("--version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return skip("there is no qemu-io");
    }
    let place = Place::for_disks("256M");
    let mut a = place.up("a");
    place.run(&["disk", "create", "disk", "--size", "64M"]).succeeds();
    drop(attach(&place, "a", "disk"));
    let image = format!(
        "driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={},file.export=disk,file.reconnect-delay=60",
        place.door("a").display()
    );
    let mut qemu = Command::new("qemu-io");
    qemu.args(["--image-opts", &image]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut qemu = qemu.spawn().unwrap();
    let mut orders = qemu.stdin.take().unwrap();
    writeln!(orders, "write -P 5 0 1M\nflush").unwrap();
    // What it says comes at its end; what it did shows at once.
    eventually("the first write", || place.show("a", "disk")["allocated"] == MIB);
    a.signal(Signal::KILL);
    a.wait();
    let _a = place.up("a");
    writeln!(orders, "write -P 6 1M 1M\nflush\nread -P 5 0 1M\nread -P 6 1M 1M\nquit").unwrap();
    drop(orders);
    let deadline = Instant::now() + Duration::from_secs(60);
    while qemu.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            qemu.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = qemu.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !said.contains("failed"), "{said}");
    assert_eq!(
        (said.matches("wrote 1048576").count(), said.matches("read 1048576").count()),
        (2, 2),
        "{said}"
    );
}

#[test]
fn snapshots_clones_and_reverts_show_what_they_should_and_go_away_without_moving_data() {
    let place = Place::for_disks("256M");
    let _a = place.up("a");
    place.run(&["disk", "create", "base", "--size", "64M"]).succeeds();
    let mut guest = attach(&place, "a", "base");
    for round in 1..=3 {
        guest.write(u64::from(round) * MIB, &pattern(round, 0)).unwrap();
        guest.write(0, &pattern(round, 0)).unwrap();
        place.run(&["disk", "snapshot", &format!("base@{round}")]).succeeds();
    }
    place.run(&["disk", "snapshot", "base@3"]).fails(1, "OAR-0282");
    place.run(&["disk", "clone", "base@2", "copy"]).succeeds();
    place.run(&["disk", "clone", "base", "now"]).succeeds();
    guest.write(0, &pattern(4, 0)).unwrap();
    guest.flush().unwrap();
    let base = place.show("a", "base");
    let names: Vec<_> = base["snapshots"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["1", "2", "3"]);
    assert_eq!(place.show("a", "copy")["parent"], "base@2");
    let mut copy = attach(&place, "a", "copy");
    assert_eq!(copy.read(0, BLOCK).unwrap(), pattern(2, 0));
    assert_eq!(copy.read(3 * MIB, BLOCK).unwrap(), vec![0; BLOCK]);
    assert_eq!(attach(&place, "a", "now").read(0, BLOCK).unwrap(), pattern(3, 0));
    place.run(&["disk", "revert", "base@1"]).fails(1, "OAR-0288");
    place.run(&["disk", "detach", "base"]).succeeds();
    place.run(&["disk", "revert", "base@1"]).succeeds();
    let mut guest = attach(&place, "a", "base");
    assert_eq!(guest.read(0, BLOCK).unwrap(), pattern(1, 0));
    assert_eq!(guest.read(2 * MIB, BLOCK).unwrap(), vec![0; BLOCK]);
    place.run(&["disk", "delete", "base@2"]).succeeds();
    place.run(&["disk", "delete", "base@2"]).fails(1, "OAR-0283");
    place.run(&["disk", "flatten", "copy"]).succeeds();
    assert_eq!(copy.read(0, BLOCK).unwrap(), pattern(2, 0));
    assert_eq!(place.show("a", "copy")["parent"], Value::Null);
    place.run(&["disk", "resize", "copy", "--size", "128M"]).succeeds();
    place.run(&["disk", "resize", "copy", "--size", "64M"]).fails(1, "OAR-0286");
    assert_eq!(Guest::at(&place.door("a"), "copy").unwrap().size(), 128 * MIB);
    place.run(&["disk", "detach", "base"]).succeeds();
    place.run(&["disk", "delete", "base"]).fails(1, "OAR-0285");
    for name in ["base@1", "base@3", "base"] {
        place.run(&["disk", "delete", name]).succeeds();
    }
    assert_eq!(copy.read(2 * MIB, BLOCK).unwrap(), pattern(2, 0));
}

#[test]
fn a_full_datastore_says_so_to_the_guest_and_a_deleted_disk_makes_room() {
    let place = Place::new();
    place.format();
    let _a = place.up("a");
    place.run(&["disk", "create", "large", "--size", "256M"]).succeeds();
    let mut guest = attach(&place, "a", "large");
    let free = || place.run(&["status", "--json"]).json()["datastore"]["free"].as_u64().unwrap();
    let before = free();
    let data = [7; 1 << 20];
    let full =
        (0..256).find_map(|number| guest.write(number * MIB, &data).err().map(|error| (number, error)));
    let (number, error) = full.expect("a datastore of 64 MiB is full before");
    assert!(number > 16 && error.to_string().contains("ENOSPC"), "{number}: {error}");
    guest.flush().unwrap();
    assert_eq!(guest.read((number - 1) * MIB, BLOCK).unwrap(), data[..BLOCK]);
    guest.write(0, &pattern(1, 1)).unwrap();
    // Each verb that changes the number of disks lets them be counted anew.
    place.run(&["disk", "create", "other", "--size", "64M"]).succeeds();
    eventually("nothing is free", || free() < MIB);
    place.run(&["disk", "detach", "large"]).succeeds();
    place.run(&["disk", "delete", "large"]).succeeds();
    let mut other = attach(&place, "a", "other");
    eventually("room", || other.write(0, &data).is_ok());
    for number in 1..16 {
        other.write(number * MIB, &data).unwrap();
    }
    other.flush().unwrap();
    place.run(&["disk", "create", "third", "--size", "64M"]).succeeds();
    eventually("what was used is not free", || (before - 18 * MIB..before - 16 * MIB).contains(&free()));
    drop(_a);
    let check = place.run(&["check", "pool", "--json"]).json();
    assert_eq!(check["clean"], true, "{check}");
}

#[test]
fn several_disks_stand_behind_one_port_by_name_and_a_place_that_is_taken_is_named() {
    let place = Place::for_disks("256M");
    let _a = place.up("a");
    for disk in ["one", "two"] {
        place.run(&["disk", "create", disk, "--size", "64M"]).succeeds();
    }
    let first = place.run(&["disk", "attach", "one", "--nbd", "tcp:127.0.0.1:0", "--json"]).json();
    let uri = first["uri"].as_str().unwrap();
    let port = uri.strip_prefix("nbd://").unwrap().strip_suffix("/one").unwrap();
    let at = format!("tcp:{port}");
    place.run(&["disk", "attach", "two", "--nbd", &at, "--tls", "certificates"]).fails(1, "OAR-0324");
    place.run(&["disk", "attach", "two", "--nbd", &at, "--read-only"]).succeeds();
    Guest::at_port(port, "one").unwrap().write(0, &pattern(1, 1)).unwrap();
    assert!(Guest::at_port(port, "two").unwrap().write(0, &pattern(1, 1)).is_err());
    assert!(Guest::at_port(port, "three").is_err());
    place.run(&["disk", "detach", "two"]).succeeds();
    assert!(Guest::at_port(port, "two").is_err());
    assert_eq!(Guest::at_port(port, "one").unwrap().read(0, BLOCK).unwrap(), pattern(1, 1));
    place.run(&["disk", "attach", "two", "--nbd", "udp:1"]).fails(2, "OAR-0318");
    place.run(&["disk", "attach", "two", "--tls", "nowhere"]).fails(1, "OAR-0320");
    let taken = place.path("run/store/a.sock");
    place.run(&["disk", "attach", "two", "--nbd", &format!("unix:{}", taken.display())]).fails(1, "OAR-0301");
    assert_eq!(place.show("a", "two")["mode"], "free", "an attach that fails leaves nothing attached");
}

#[test]
fn a_host_that_only_looks_lists_disks_and_changes_none() {
    let place = Place::for_disks("256M");
    let mut a = place.up("a");
    place.run(&["disk", "create", "one", "--size", "64M"]).succeeds();
    a.signal(Signal::TERM);
    a.wait();
    let _a = place.up_with("a", &["--read-only"]);
    assert_eq!(place.run(&["disk", "list", "--json"]).json()[0]["name"], "one");
    for verb in [&["disk", "attach", "one"][..], &["disk", "delete", "one"], &["disk", "snapshot", "one@s"]] {
        place.run(verb).fails(1, "OAR-0308");
    }
}

/// What `inspect` says of a record, by the name of the line.
fn summed_up(place: &Place, record: &[&str]) -> (Value, BTreeMap<String, String>) {
    let inspected = place.run(&[&["inspect", "pool", "--json"], record].concat()).json();
    assert_eq!(inspected["verdict"], "sound", "{record:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = inspected["summary"].as_array().unwrap().iter();
    let summary = lines.map(|line| (text(&line["name"]), text(&line["value"]))).collect();
    (inspected, summary)
}

#[test]
fn check_and_inspect_tell_of_disks_beside_a_living_host_and_behind_a_killed_one() {
    let place = Place::for_disks("256M");
    let mut host = place.up("a");
    place.run(&["disk", "create", "vm/one", "--size", "64M"]).succeeds();
    let mut guest = attach(&place, "a", "vm/one");
    guest.write(8 * MIB, &pattern(1, 1)).unwrap();
    guest.flush().unwrap();
    place.run(&["disk", "snapshot", "vm/one@s"]).succeeds();
    guest.write(0, &pattern(2, 2)).unwrap();
    guest.flush().unwrap();

    let check = |more: &[&str]| place.run(&[&["check", "pool", "--json"], more].concat());
    let beside = check(&[]).json();
    assert_eq!((&beside["clean"], &beside["findings"]), (&true.into(), &serde_json::json!([])));
    let told = beside["not_judged"].to_string();
    assert!(told.contains("disk `vm/one`") && told.contains("host a has it"), "{told}");
    assert!(place.run(&["check", "pool"]).succeeds().stdout.contains("Not judged"));

    let (disk, summary) = summed_up(&place, &["disk", "vm/one"]);
    assert_eq!((summary["use"].as_str(), summary["name"].as_str()), ("disk, ready", "vm/one"));
    assert!(summary["entry"].starts_with("stands in directory bucket "), "{summary:?}");
    assert!(summary["map"].ends_with("its own") && summary["held by"].starts_with("slot "), "{summary:?}");
    let related: Vec<&str> =
        disk["related"].as_array().unwrap().iter().map(|other| other["standing"].as_str().unwrap()).collect();
    assert!(related.len() == 4 && related[0].starts_with("name of descriptor"), "{related:?}");
    let (_, snapshot) = summed_up(&place, &["disk", "vm/one@s"]);
    assert!(snapshot["use"].starts_with("snapshot of descriptor") && snapshot["name"] == "s", "{snapshot:?}");
    let slot = summary["held by"].trim_start_matches("slot ").split(',').next().unwrap().to_owned();
    let (_, journal) = summed_up(&place, &["journal", &slot]);
    assert!(
        journal["commits that wait"] != "0" && journal["under the locks of"].contains("descriptor"),
        "{journal:?}"
    );
    place.run(&["inspect", "pool", "disk", "none"]).fails(1, "OAR-0506");
    place.run(&["inspect", "pool", "group", "9999"]).fails(1, "OAR-0506").says("there is no group 9999");
    place.run(&["inspect", "pool", "bucket", "x"]).fails(2, "OAR-0501");

    host.signal(Signal::KILL);
    host.wait();
    let behind = check(&[]).json();
    assert_eq!(
        (&behind["findings"], &behind["not_judged"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
    let repaired = check(&["--repair"]).json();
    assert_eq!((&repaired["clean"], &repaired["repaired_as"]), (&true.into(), &Value::Null));
    let (_, group) = summed_up(&place, &["group", "0"]);
    assert!(group["taken"].parse::<u32>().unwrap() > 0 && group.contains_key("free"), "{group:?}");
    let text = place.run(&["inspect", "pool", "disk", "vm/one"]);
    assert!(text.succeeds().stdout.contains("\nname: vm/one\nheld by: slot "), "{}", text.stdout);
}
