//! Beginnings and ends: what a host leaves behind, a deadline of now, and what a new datastore refuses.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{ByteCount, Clock, CommandKind, Device, Lba, SlotIndex};
use oarlock_engine::check::{CheckOptions, check};
use oarlock_engine::{CreateError, CreateRequest, Ended, Host, LockError, StopReason, Want, create};
use oarlock_format::{
    Label, LockMode, LockPosition, LockRecord, Owner, SlotRecord, SlotState, Timing, Writer,
};

use crate::company::{beside, home_lba, join, put, put_by, read, take};
use crate::machine::{self, BLOCK, Machine, SMALL};

const SOON: Duration = Duration::from_secs(5);

async fn leave(machine: &Machine, host: &Host) {
    host.leave(machine.time.now().plus(SOON)).await;
}

/// Runs `story` while the host lives, to the end of both.
fn to_its_end(machine: &Machine, host: &Host, story: impl Future<Output = ()>) {
    machine.time.run(async { futures::join!(host.run(), story) });
}

#[test]
fn a_host_that_leaves_before_it_answered_a_repair_leaves_its_answer_to_the_next_life() {
    let machine = Machine::new(SMALL);
    machine.format_slots(1);
    let lba = home_lba(&machine);
    let slot = SlotIndex(0);
    let host = join(&machine, machine.process().0, "alpha");
    to_its_end(&machine, &host, async {
        machine.disk.put(lba, &[0; BLOCK]);
        let asked = check(&machine.process().0, &CheckOptions { repair: true, host: None }, &|_, _| {}).await;
        assert_eq!(asked.unwrap().exit_code(), 3);
        leave(&machine, &host).await;
    });
    assert_eq!(read::<LockRecord>(&machine, lba).lock.mode, LockMode::Unknown, "it had no time to answer");
    let left: SlotRecord = read(&machine, machine.layout().slot(slot));
    assert_eq!((left.state, left.unclean, left.asked), (SlotState::Free, true, false));

    let next = join(&machine, machine.process().0, "beta");
    let got = beside(&machine, &next, take(&machine, &next, Want::Exclusive, SOON));
    std::mem::forget(got.expect("the next life answered for the bit"));
}

#[test]
fn a_host_that_answered_leaves_a_clean_slot() {
    let machine = Machine::new(SMALL);
    machine.format_slots(1);
    let host = join(&machine, machine.process().0, "alpha");
    let slot = host.status().owner.slot;
    to_its_end(&machine, &host, async {
        machine.disk.put(home_lba(&machine), &[0; BLOCK]);
        check(&machine.process().0, &CheckOptions { repair: true, host: None }, &|_, _| {}).await.unwrap();
        machine.time.sleep_until(machine.time.now().plus(SOON)).await;
        leave(&machine, &host).await;
    });
    let left: SlotRecord = read(&machine, machine.layout().slot(slot));
    assert_eq!((left.state, left.unclean), (SlotState::Free, false));
}

#[test]
fn a_slot_that_was_unclean_stays_so_until_a_life_there_has_answered() {
    let machine = Machine::new(SMALL);
    machine.format_slots(1);
    // One lock that the medium lost: nobody can look at all of them.
    machine.disk.lose(machine.layout().lock(LockPosition(3)));
    let unclean = SlotRecord { unclean: true, ..SlotRecord::never_used() };
    put(&machine, machine.layout().slot(SlotIndex(0)), &unclean);
    let host = join(&machine, machine.process().0, "alpha");
    to_its_end(&machine, &host, async {
        leave(&machine, &host).await;
    });
    let left: SlotRecord = read(&machine, machine.layout().slot(SlotIndex(0)));
    assert_eq!((left.state, left.unclean), (SlotState::Free, true));
}

#[test]
fn a_deadline_of_now_is_one_try_and_not_none() {
    let machine = Machine::new(SMALL);
    machine.format();
    let (world, recorded) = machine.recorded();
    let host = join(&machine, world, "alpha");
    beside(&machine, &host, async {
        // What a host does first of all is over.
        machine.time.sleep_until(machine.time.now().plus(Duration::from_millis(10))).await;
        drop(recorded.take());
        let guard = take(&machine, &host, Want::Exclusive, Duration::ZERO).await.unwrap();
        let kinds: Vec<_> = recorded.take().into_iter().map(|command| command.kind).collect();
        assert_eq!(kinds, [CommandKind::Read, CommandKind::Ats], "a look for the name, and the take");
        let second = take(&machine, &host, Want::Exclusive, Duration::ZERO).await;
        assert!(matches!(second, Err(LockError::TimedOut { .. })), "another user here has it");
        assert!(recorded.take().is_empty());
        guard.release().await;
        // A second time, and now the record is known.
        take(&machine, &host, Want::Exclusive, Duration::ZERO).await.unwrap().release().await;
    });
}

#[test]
fn a_held_lock_is_tried_once_by_a_deadline_of_now() {
    let machine = Machine::new(SMALL);
    machine.format();
    let holder = join(&machine, machine.process().0, "alpha");
    let guard = beside(&machine, &holder, take(&machine, &holder, Want::Exclusive, SOON)).unwrap();
    let other = join(&machine, machine.process().0, "beta");
    beside(&machine, &other, async {
        let before = machine.time.now();
        let got = take(&machine, &other, Want::Exclusive, Duration::ZERO).await.err().unwrap();
        assert!(got.to_string().contains("held by"), "{got}");
        assert_eq!(machine.time.now(), before, "it did not wait");
        let got = take(&machine, &other, Want::Exclusive, SOON).await.err().unwrap();
        assert!(got.to_string().contains("held by alpha in slot"), "{got}");
    });
    std::mem::forget(guard);
}

/// A device that tells when it is closed.
struct Closing(Rc<machine::Disk>, Rc<Cell<bool>>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.1.set(true);
    }
}

impl Device for Closing {
    fn geometry(&self) -> oarlock_block::Geometry {
        self.0.geometry()
    }

    fn identity(&self) -> oarlock_block::DeviceIdentity {
        self.0.identity()
    }

    fn fencing(&self) -> oarlock_block::Fencing {
        self.0.fencing()
    }

    fn read<'a>(
        &'a self,
        lba: Lba,
        buffer: &'a mut [u8],
    ) -> oarlock_block::LocalFuture<'a, Result<(), oarlock_block::IoError>> {
        self.0.read(lba, buffer)
    }

    fn write<'a>(
        &'a self,
        lba: Lba,
        data: &'a [u8],
    ) -> oarlock_block::LocalFuture<'a, Result<(), oarlock_block::IoError>> {
        self.0.write(lba, data)
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> oarlock_block::LocalFuture<'a, oarlock_block::Attempted> {
        self.0.compare_and_write(lba, expected, new)
    }

    fn flush(&self) -> oarlock_block::LocalFuture<'_, Result<(), oarlock_block::IoError>> {
        self.0.flush()
    }
}

#[test]
fn a_guard_that_outlives_its_host_keeps_no_device_open() {
    let machine = Machine::new(SMALL);
    machine.format();
    let closed: Rc<Cell<bool>> = Rc::default();
    let device = Closing(Rc::clone(&machine.disk), Rc::clone(&closed));
    let (world, _) = machine.process_on(Rc::new(device));
    let host = join(&machine, world, "alpha");
    let guard = Cell::new(None);
    to_its_end(&machine, &host, async {
        guard.set(take(&machine, &host, Want::Exclusive, SOON).await.ok());
        // The user does not let go: the host leaves without it.
        leave(&machine, &host).await;
    });
    drop(host);
    assert!(!closed.get(), "the guard still asks its host whether it holds");
    drop(guard.take().expect("the lock was got"));
    assert!(closed.get(), "the release that nobody drives keeps the device open");
}

fn request(force: bool) -> CreateRequest {
    let label = Label::new("other").unwrap();
    CreateRequest { label, slots: 4, cluster_size: ByteCount(65_536), timing: Timing::DEFAULT, force }
}

/// Makes the record in block 0 one of format version 9, whole.
fn make_newer(machine: &Machine) {
    let mut block = machine.disk.block(Lba(0));
    block[8] = 9;
    block[12..16].fill(0);
    let checksum = oarlock_block::crc32c(&[&block]);
    block[12..16].copy_from_slice(&checksum.to_le_bytes());
    machine.disk.put(Lba(0), &block);
}

fn spoil_both(machine: &Machine) {
    let shadow = machine.layout().shadow.start;
    for lba in [Lba(0), shadow] {
        let mut block = machine.disk.block(lba);
        block[100] ^= 4;
        machine.disk.put(lba, &block);
    }
}

fn overwrite_first(machine: &Machine) {
    machine.disk.put(Lba(0), &[7; BLOCK]);
}

#[test]
fn a_datastore_that_cannot_be_read_is_not_made_anew_without_force() {
    for spoil in [make_newer as fn(&Machine), spoil_both, overwrite_first] {
        let machine = Machine::new(SMALL);
        machine.format();
        spoil(&machine);
        let (world, recorded) = machine.recorded();
        let refused = machine.time.run(create(&world, &request(false), &|_, _| {})).unwrap_err();
        assert!(matches!(refused, CreateError::Unread { .. }), "{refused}");
        assert!(recorded.take().iter().all(|command| command.kind == CommandKind::Read));
        machine.time.run(create(&world, &request(true), &|_, _| {})).unwrap();
    }
}

#[test]
fn a_living_datastore_whose_first_superblock_was_overwritten_is_not_made_anew_by_force() {
    let machine = Machine::new(SMALL);
    machine.format();
    let host = join(&machine, machine.process().0, "alpha");
    overwrite_first(&machine);
    let world = machine.process().0;
    let refused = beside(&machine, &host, create(&world, &request(true), &|_, _| {})).unwrap_err();
    assert!(matches!(refused, CreateError::Living { .. }), "{refused}");
}

#[test]
fn a_namesake_is_found_although_the_first_look_for_one_failed() {
    let machine = Machine::new(SMALL);
    machine.format_slots(2);
    let host = join(&machine, machine.process().0, "alpha");
    let (own, blocks) = (host.status().owner.slot, SMALL / 512);
    let other = machine.layout().slot(SlotIndex(1 - own.0));
    let writer = Writer::Host(Owner { slot: SlotIndex(1 - own.0), ..host.status().owner });
    let mut namesake: SlotRecord = read(&machine, machine.layout().slot(own));
    put(&machine, other, &namesake);
    let its_process = machine.process().0;
    machine.time.run(its_process.cut_off.enter(SlotIndex(1 - own.0))).unwrap();
    // The device is gone while the host begins, and for longer than one read of it is given.
    machine.disk.set_length(0);
    let ended = machine.time.run(async {
        let story = async {
            let beat = Timing::DEFAULT.beat;
            machine.time.sleep_until(machine.time.now().plus(beat * 2)).await;
            machine.disk.set_length(blocks);
            for beats in 0..20 {
                machine.time.sleep_until(machine.time.now().plus(beat)).await;
                namesake.clock_ns += 1;
                put_by(&machine, other, &namesake, writer, 1 + beats);
            }
        };
        let (run, story) = (host.run(), story);
        futures::pin_mut!(run, story);
        match futures::future::select(run, story).await {
            futures::future::Either::Left((ended, _)) => Some(ended),
            futures::future::Either::Right(_) => None,
        }
    });
    let taken = matches!(ended, Some(Ended::Stopped(StopReason::NameTaken { .. })));
    assert!(taken, "two hosts of one name live on: {ended:?}");
}
