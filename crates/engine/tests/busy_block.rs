//! A block of a file that a stopped process keeps busy, as the file's ATS is a lock, a read and a write.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{
    Attempted, Clock, Device, DeviceIdentity, Fencing, Geometry, IoError, Lba, LocalFuture, Refusal,
};
use oarlock_engine::{Host, Want};
use oarlock_format::{SlotRecord, SlotState};

use crate::company::{home_lba, join, read, take};
use crate::machine::{Disk, Machine, SMALL};

/// A disk on which one block is busy.
struct Busy {
    disk: Rc<Disk>,
    block: Cell<Option<Lba>>,
}

impl Device for Busy {
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
        if self.block.get() == Some(lba) {
            return Box::pin(async { Attempted::at_once(Err(Refusal::Busy)) });
        }
        self.disk.compare_and_write(lba, expected, new)
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        self.disk.flush()
    }
}

fn state(machine: &Machine, host: &Host) -> SlotState {
    read::<SlotRecord>(machine, machine.layout().slot(host.status().owner.slot)).state
}

#[test]
fn whoever_was_stopped_in_the_middle_of_taking_a_lock_is_found_and_fenced_and_nobody_else_is() {
    let machine = Machine::new(SMALL);
    machine.format();
    let device = Rc::new(Busy { disk: Rc::clone(&machine.disk), block: Cell::default() });
    let waiter = join(&machine, machine.process_on(Rc::clone(&device) as Rc<dyn Device>).0, "alpha");
    let live = join(&machine, machine.process().0, "beta");
    // It is never run: it was stopped, and the lock's record does not name it yet.
    let stopped = join(&machine, machine.process().0, "gamma");
    device.block.set(Some(home_lba(&machine)));
    let story = async {
        let begun = machine.time.now();
        let got = take(&machine, &waiter, Want::Exclusive, Duration::from_secs(16)).await;
        let error = got.err().unwrap().to_string();
        assert!(error.contains("stopped in the middle of an ATS"), "{error}");
        assert!(machine.time.now().since(begun) < Duration::from_secs(18));
    };
    machine.time.run(async {
        let (first, second) = (waiter.run(), live.run());
        futures::pin_mut!(story, first, second);
        let hosts = futures::future::select(first, second);
        futures::future::select(story, hosts).await;
    });
    assert_eq!(state(&machine, &live), SlotState::Live);
    assert!(matches!(state(&machine, &stopped), SlotState::Fenced { .. }));
}
