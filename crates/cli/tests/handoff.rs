//! Disks go from one running host to another while guests write (R28), with real processes: nothing is lost, a failed one is handed back,
//! and what the next lives of both hosts serve.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Its functions are called by tests alone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::guest::Guest;
use crate::common::{Place, eventually};

const BLOCK: usize = 4096;
/// Places of each writer, farther apart than a cluster, so that most first writes change the map.
const PLACES: u64 = 40;
const STRIDE: u64 = 96 << 10;
const WRITERS: u64 = 4;

fn guest(place: &Place, host: &str) -> Guest {
    Guest::at(&place.door(host), "disk").unwrap()
}

fn owner(place: &Place, host: &str) -> Value {
    place.run(&["disk", "show", "disk", "--host", host, "--json"]).json()["owner"].clone()
}

fn block(writer: u64, number: u64) -> Vec<u8> {
    (writer << 32 | number).to_le_bytes().repeat(BLOCK / 8)
}

fn offset(writer: u64, number: u64) -> u64 {
    (writer * PLACES + number % PLACES) * STRIDE
}

/// What writers share: how far they are, and when they shall stop.
#[derive(Default)]
struct Load {
    is_over: AtomicBool,
    answered: AtomicU64,
    /// Of requests that the first host had not begun, and that the second one did.
    moved: AtomicU64,
    longest_us: AtomicU64,
}

impl Load {
    /// Writes block after block at the first guest's host, and from its first refusal on at the second's; how many were answered.
    fn write(&self, writer: u64, first: Guest, second: Guest) -> u64 {
        let mut at = first;
        let mut next = Some(second);
        for number in 1.. {
            if self.is_over.load(Ordering::SeqCst) {
                return number - 1;
            }
            let (data, began) = (block(writer, number), Instant::now());
            let mut ask = |request: &dyn Fn(&mut Guest) -> std::io::Result<()>| {
                while let Err(error) = request(&mut at) {
                    // What was refused, or not answered, was not done or may be done again.
                    at = next.take().unwrap_or_else(|| panic!("both hosts refused a request: {error}"));
                    self.moved.fetch_add(1, Ordering::SeqCst);
                }
            };
            ask(&|guest| guest.write(offset(writer, number), &data));
            if number % 16 == 0 {
                ask(&Guest::flush);
            }
            let took = u64::try_from(began.elapsed().as_micros()).unwrap();
            self.longest_us.fetch_max(took, Ordering::SeqCst);
            self.answered.fetch_add(1, Ordering::SeqCst);
        }
        0
    }

    fn goes_on(&self, what: &str) {
        let now = self.answered.load(Ordering::SeqCst);
        eventually(what, || self.answered.load(Ordering::SeqCst) > now + 200);
    }
}

/// Each place of each writer shows the last block that was answered there.
fn assert_written(guest: &mut Guest, answered: &[u64]) {
    for (writer, last) in (0..).zip(answered) {
        for number in last.saturating_sub(PLACES - 1).max(1)..=*last {
            let found = guest.read(offset(writer, number), BLOCK).unwrap();
            assert!(found == block(writer, number), "block {number} of writer {writer}, of {last}, is lost");
        }
    }
}

#[test]
fn a_disk_goes_to_another_host_and_back_under_load_and_no_write_is_lost() {
    let place = Place::for_disks("256M");
    let (_a, mut b) = (place.up("a"), place.up("b"));
    place.run(&["disk", "create", "disk", "--size", "128M"]).succeeds();
    place.run(&["disk", "attach", "disk", "--host", "a"]).succeeds();
    for (from, to) in [("a", "b"), ("b", "a"), ("a", "b")] {
        let load = Load::default();
        let first: Vec<Guest> = (0..WRITERS).map(|_| guest(&place, from)).collect();
        let incoming = place.run(&["disk", "attach", "disk", "--incoming", "--host", to, "--json"]).json();
        assert_eq!(incoming["name"], "disk");
        let answered: Vec<u64> = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .zip(first)
                .map(|(writer, first)| {
                    let (load, second) = (&load, guest(&place, to));
                    scope.spawn(move || load.write(writer, first, second))
                })
                .collect();
            load.goes_on("they write before the handoff");
            let handed = place.run(&["disk", "handoff", "disk", "--to", to, "--host", from, "--json"]).json();
            assert_eq!((&handed["name"], &handed["to"]), (&"disk".into(), &to.into()));
            load.goes_on("they write after it");
            load.is_over.store(true, Ordering::SeqCst);
            let longest = load.longest_us.load(Ordering::SeqCst);
            eprintln!("{from} to {to}: pause {} us, the longest request {longest} us", handed["pause_us"]);
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        assert_eq!(load.moved.load(Ordering::SeqCst), WRITERS, "each went on at the other host");
        assert_written(&mut guest(&place, to), &answered);
        assert_eq!(owner(&place, from), to);
        let events = place.run(&["events", "--host", from]);
        assert!(events.succeeds().stdout.contains("handoff"), "{}", events.stdout);
    }
    // The next life serves what its last one was handed.
    let mut guest_of_b = guest(&place, "b");
    guest_of_b.write(0, &block(9, 9)).unwrap();
    guest_of_b.flush().unwrap();
    b.signal(Signal::KILL);
    b.wait();
    let _b = place.up("b");
    eventually("it is served again", || Guest::at(&place.door("b"), "disk").is_ok());
    assert_eq!(guest(&place, "b").read(0, BLOCK).unwrap(), block(9, 9));
    assert!(Guest::at(&place.door("a"), "disk").is_err(), "and by nobody else");
}

/// The receiver was killed before it had written down that the disk came, and its next life did not serve it.
#[test]
fn a_receiver_that_is_killed_right_behind_the_handoff_serves_the_disk_in_its_next_life() {
    let place = Place::for_disks("256M");
    let (_a, mut b) = (place.up("a"), place.up("b"));
    place.run(&["disk", "create", "disk", "--size", "64M"]).succeeds();
    place.run(&["disk", "attach", "disk", "--host", "a"]).succeeds();
    guest(&place, "a").write(0, &block(1, 1)).unwrap();
    for _ in 0..3 {
        place.run(&["disk", "attach", "disk", "--incoming", "--host", "b"]).succeeds();
        place.run(&["disk", "handoff", "disk", "--to", "b", "--host", "a"]).succeeds();
        b.signal(Signal::KILL);
        b.wait();
        b = place.up("b");
        eventually("it is served", || Guest::at(&place.door("b"), "disk").is_ok());
        assert_eq!(guest(&place, "b").read(0, BLOCK).unwrap(), block(1, 1));
        place.run(&["disk", "attach", "disk", "--incoming", "--host", "a"]).succeeds();
        place.run(&["disk", "handoff", "disk", "--to", "a", "--host", "b"]).succeeds();
    }
}

#[test]
fn a_handoff_to_a_host_that_is_gone_or_stands_still_is_handed_back() {
    let place = Place::for_disks("256M");
    let (_a, mut b) = (place.up("a"), place.up("b"));
    place.run(&["disk", "create", "disk", "--size", "64M"]).succeeds();
    place.run(&["disk", "attach", "disk", "--incoming", "--host", "b"]).fails(1, "OAR-0275");
    place.run(&["disk", "attach", "disk", "--host", "a"]).succeeds();
    let mut writer = guest(&place, "a");
    writer.write(0, &block(1, 1)).unwrap();
    let handoff =
        |wait: &str| place.run(&["disk", "handoff", "disk", "--to", "b", "--host", "a", "--wait", wait]);
    handoff("100ms").fails(1, "OAR-0277");
    place.run(&["disk", "handoff", "disk", "--to", "a", "--host", "a"]).fails(1, "OAR-0288");
    place.run(&["disk", "handoff", "disk", "--to", "a", "--host", "b"]).fails(1, "OAR-0323");
    // It stands by, and gives that up.
    place.run(&["disk", "attach", "disk", "--incoming", "--host", "b"]).succeeds();
    place.run(&["disk", "attach", "disk", "--host", "b"]).fails(1, "OAR-0288");
    place.run(&["disk", "detach", "disk", "--host", "b"]).succeeds();
    handoff("100ms").fails(1, "OAR-0277");
    // It stands by, and is stopped in the middle of it.
    place.run(&["disk", "attach", "disk", "--incoming", "--host", "b"]).succeeds();
    b.signal(Signal::STOP);
    handoff("1s").fails(1, "OAR-0277");
    writer.write(STRIDE, &block(1, 2)).unwrap();
    b.signal(Signal::CONT);
    b.signal(Signal::KILL);
    b.wait();
    handoff("1s").fails(1, "OAR-0277");
    writer.write(2 * STRIDE, &block(1, 3)).unwrap();
    writer.flush().unwrap();
    // Its next life did not ask for the disk.
    let _b = place.up("b");
    thread::sleep(Duration::from_millis(500));
    assert!(Guest::at(&place.door("b"), "disk").is_err());
    assert_eq!(owner(&place, "b"), "a");
    for number in 1..=3 {
        assert_eq!(writer.read((number - 1) * STRIDE, BLOCK).unwrap(), block(1, number));
    }
    // And it gets the disk as any other would.
    place.run(&["disk", "attach", "disk", "--incoming", "--host", "b"]).succeeds();
    handoff("5s").succeeds();
    assert_eq!(guest(&place, "b").read(2 * STRIDE, BLOCK).unwrap(), block(1, 3));
}
