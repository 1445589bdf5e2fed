//! How a host's end reaches the users of its locks: before others may judge the host by its slot.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Its functions are called by tests alone.

use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::{Duration, Instant};

use oarlock::api::LockMode;
use oarlock::{Api, RemoteGuard};
use oarlock_block::{CutOff, ProcessIdentity, SlotIndex, Victim};
use oarlock_device::{FileDevice, OpenOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use crate::common::{BLOCK, Place, Ran, bytes, eventually, send, spoil};

/// Looks at the byte of a host's slot, as other hosts do.
struct Byte {
    cut_off: std::rc::Rc<dyn CutOff>,
    slot: SlotIndex,
}

impl Byte {
    fn of(place: &Place, slot: u16) -> Byte {
        let device = FileDevice::open(&place.path("pool"), OpenOptions::default()).unwrap();
        Byte { cut_off: device.cut_off().unwrap(), slot: SlotIndex(slot) }
    }

    fn is_free(&self) -> bool {
        let victim = Victim { slot: self.slot, incarnation: 1, process: ProcessIdentity::default() };
        oarlock_host::wait_for(self.cut_off.death_proved(victim)).is_some()
    }
}

/// Whether the host has ended the connection.
fn ended(connection: &OwnedFd) -> bool {
    let mut of = [PollFd::new(connection, PollFlags::RDHUP)];
    poll(&mut of, Some(&Timespec::default())).unwrap() > 0
}

/// A lock of a host's whose user never lets go, a second handle on its connection, and the byte of the host's slot.
fn kept_lock(place: &Place, host: &str) -> (RemoteGuard, OwnedFd, Byte) {
    let status = place.run(&["status", "--host", host, "--json"]).json();
    let slot = u16::try_from(status["host"]["slot"].as_u64().unwrap()).unwrap();
    let api = Api::connect(&place.path(&format!("run/store/{host}.sock"))).unwrap();
    let guard = api.lock("nightly", LockMode::Exclusive, Duration::from_secs(20)).unwrap();
    let connection = guard.connection().unwrap();
    let byte = Byte::of(place, slot);
    assert!(!byte.is_free() && !ended(&connection));
    (guard, connection, byte)
}

/// ```text
///   a: meets a rollback, stops; frees the byte of its slot ......... ends its users' connections
///   b:                            dead: takes over, gives x out
///   a's lock run is stopped; its watchman has the connection alone, and lets the command work on beside b's
/// ```
#[test]
fn a_host_that_stops_by_itself_ends_its_users_connections_before_it_lets_go_of_its_slot() {
    let place = Place::new();
    place.format();
    let mut a = place.up("a");
    let (guard, connection, byte) = kept_lock(&place, "a");
    let at = place.lba(&["slot", &byte.slot.to_string()]) * BLOCK as u64;
    let image = || bytes(&place.path("pool"))[usize::try_from(at).unwrap()..][..BLOCK].to_vec();
    let old = image();
    eventually("it has beaten since", || image() != old);
    let deadline = Instant::now() + Duration::from_secs(20);
    spoil(&place.path("pool"), at, &old);
    let mut spoilt = Instant::now();
    while !byte.is_free() {
        assert!(Instant::now() < deadline, "the host goes on");
        // A beat that was just being written may have won.
        if !ended(&connection) && spoilt.elapsed() > Duration::from_secs(1) {
            spoil(&place.path("pool"), at, &old);
            spoilt = Instant::now();
        }
    }
    assert!(ended(&connection), "others may take the lock, and its user has not heard of it");
    let reason = guard.lost(Duration::from_secs(20)).unwrap();
    assert!(reason.contains("went back in time"), "the last word says why: {reason}");
    assert_eq!(a.wait(), 1);
}

/// ```text
///   a: SIGTERM; waits for a user that does not let go; ends by its limit: "left the datastore", exit code 0
///   its slot still says that it lives, and holds the lock
/// ```
#[test]
fn a_host_whose_user_never_lets_go_ends_its_connection_and_says_what_it_left_behind() {
    let place = Place::new();
    place.format();
    let a =
        place.command(&["up", "pool", "--host", "a"]).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let a = a.unwrap();
    eventually("it is up", || place.run(&["status", "--host", "a"]).exit == 0);
    let (guard, connection, byte) = kept_lock(&place, "a");
    send(&a, Signal::TERM);
    let deadline = Instant::now() + Duration::from_secs(40);
    while !byte.is_free() {
        assert!(Instant::now() < deadline, "the host goes on");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(ended(&connection), "others may take the lock, and its user has not heard of it");
    let reason = guard.lost(Duration::from_secs(20)).unwrap();
    assert_eq!(reason, "the host is leaving the datastore");
    let ran = Ran::of(a.wait_with_output().unwrap());
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    ran.says("OAR-0259").says("a lock was still in use (nightly)").says("50 ms after it is seen");
    assert!(!ran.stderr.contains("left the datastore"), "{}", ran.stderr);
    let slot = place.run(&["inspect", "pool", "slot", &byte.slot.to_string()]);
    assert!(slot.stdout.contains("live"), "the slot says the same: {}", slot.stdout);
}
