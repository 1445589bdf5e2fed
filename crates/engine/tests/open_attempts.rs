//! More failures on one block than attempts that may be open there: what heals is used again.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{
    Answer, Attempted, Clock, Device, DeviceIdentity, Fencing, Geometry, IoError, Lba, LocalFuture,
    UnknownCause,
};
use oarlock_engine::attempt::OPEN_ATTEMPTS_MAX;
use oarlock_engine::{HostState, Want};
use oarlock_format::Timing;

use crate::company::{beside, home_lba, join, take};
use crate::machine::{Disk, Machine, SMALL};

/// A disk that fails every ATS at once, on the sick block or on all, without executing it: an array in the middle of a
/// failover. It counts the images that were sent there.
struct Failing {
    disk: Rc<Disk>,
    sick: Cell<bool>,
    block: Cell<Option<Lba>>,
    images: RefCell<BTreeSet<Vec<u8>>>,
    commands: Cell<usize>,
}

impl Device for Failing {
    fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }

    fn identity(&self) -> DeviceIdentity {
        self.disk.identity()
    }

    fn fencing(&self) -> Fencing {
        self.disk.fencing()
    }

    fn read<'a>(&'a self, lba: Lba, buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        self.disk.read(lba, buffer)
    }

    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        self.disk.write(lba, data)
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        if !self.sick.get() || self.block.get().is_some_and(|block| block != lba) {
            return self.disk.compare_and_write(lba, expected, new);
        }
        self.images.borrow_mut().insert(new.to_vec());
        self.commands.set(self.commands.get() + 1);
        let failed = Answer::Unknown { cause: UnknownCause::DeviceError };
        Box::pin(async { Attempted::at_once(Ok(failed)) })
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        self.disk.flush()
    }
}

fn failing(machine: &Machine) -> Rc<Failing> {
    Rc::new(Failing {
        disk: Rc::clone(&machine.disk),
        sick: Cell::default(),
        block: Cell::default(),
        images: RefCell::default(),
        commands: Cell::default(),
    })
}

fn quick() -> Timing {
    Timing {
        beat: Duration::from_millis(200),
        lease: Duration::from_secs(1),
        watch: Duration::from_millis(1_100),
        hold: Duration::from_secs(600),
        drain: None,
    }
}

async fn after(machine: &Machine, time: Duration) {
    machine.time.sleep_until(machine.time.now().plus(time)).await;
}

/// The attempts are open for ever, if no further one may be sent: the host would wait for its hold time, and stop.
#[test]
fn a_host_beats_on_after_more_failures_than_attempts_may_be_open() {
    let machine = Machine::new(SMALL);
    machine.format_with(quick());
    let device = failing(&machine);
    let host = join(&machine, machine.process_on(Rc::clone(&device) as Rc<dyn Device>).0, "alpha");
    beside(&machine, &host, async {
        device.sick.set(true);
        after(&machine, Duration::from_secs(60)).await;
        assert_eq!(host.status().state, HostState::Held);
        assert!(device.commands.get() > OPEN_ATTEMPTS_MAX, "{} commands", device.commands.get());
        assert_eq!(device.images.borrow().len(), OPEN_ATTEMPTS_MAX, "then the newest is sent again");
        device.sick.set(false);
        after(&machine, Duration::from_millis(200)).await;
        assert_eq!(host.status().state, HostState::Live);
    });
}

#[test]
fn a_lock_is_taken_after_more_failures_than_attempts_may_be_open() {
    let machine = Machine::new(SMALL);
    machine.format_with(quick());
    let device = failing(&machine);
    let host = join(&machine, machine.process_on(Rc::clone(&device) as Rc<dyn Device>).0, "alpha");
    device.block.set(Some(home_lba(&machine)));
    beside(&machine, &host, async {
        device.sick.set(true);
        let refused = take(&machine, &host, Want::Exclusive, Duration::from_secs(60)).await;
        assert!(refused.is_err());
        assert!(device.commands.get() > OPEN_ATTEMPTS_MAX, "{} commands", device.commands.get());
        assert_eq!(device.images.borrow().len(), OPEN_ATTEMPTS_MAX);
        device.sick.set(false);
        let guard = take(&machine, &host, Want::Exclusive, Duration::from_secs(1)).await;
        guard.unwrap().release().await;
    });
}
