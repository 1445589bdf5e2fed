//! Whole records that name what the datastore does not have: bytes from the disk never panic (I12).

use std::time::Duration;

use oarlock_block::{Lba, SlotIndex};
use oarlock_causes::Cause;
use oarlock_engine::{JoinError, LockError, ReadFault, Want};
use oarlock_format::{
    CutOffProof, FenceReason, Generation, HostId, HostName, Incarnation, LockMode, LockRecord, LockState,
    MailboxRecord, Owner, SlotRecord, SlotSet, SlotState,
};

use crate::company::{beside, home_lba, join, lock_name, put, read, take, try_join};
use crate::machine::{self, Machine, SMALL, codes};

const SOON: Duration = Duration::from_secs(5);

fn nobody(slot: u16) -> Owner {
    Owner { slot: SlotIndex(slot), host: HostId(1), incarnation: Incarnation(4) }
}

fn held() -> [LockRecord; 3] {
    let locked = |lock| LockRecord { name: Some(lock_name()), lock, children: 1 };
    let holders: SlotSet = [SlotIndex(900)].into_iter().collect();
    [
        locked(LockState { mode: LockMode::Exclusive, owner: Some(nobody(900)), ..LockState::NEVER_HELD }),
        locked(LockState { mode: LockMode::Shared, holders, ..LockState::NEVER_HELD }),
        LockRecord {
            name: None,
            ..locked(LockState { mode: LockMode::Unknown, holders, ..LockState::NEVER_HELD })
        },
    ]
}

#[test]
fn a_lock_that_names_a_slot_beyond_the_last_is_damage_and_the_host_lives_on() {
    for record in held() {
        let machine = Machine::new(SMALL);
        machine.format();
        let host = join(&machine, machine.process().0, "alpha");
        put(&machine, home_lba(&machine), &record);
        let (got, locks) = beside(&machine, &host, async {
            let got = take(&machine, &host, Want::Exclusive, SOON).await.map(std::mem::forget);
            (got, host.locks().await.map(|rows| rows.len()))
        });
        let unsound = |fault: &ReadFault| matches!(fault, ReadFault::Unsound { .. });
        assert!(
            matches!(&got, Err(LockError::Record(fault)) if unsound(fault)),
            "{:?}: {got:?}",
            record.lock.mode
        );
        assert!(matches!(&locks, Err(fault) if unsound(fault)), "{locks:?}");
        let report = machine.repair();
        assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0407"], 3), "and a repair ends it");
    }
}

#[test]
fn a_slot_whose_fencer_cannot_be_is_damage_and_a_repair_frees_it() {
    let machine = Machine::new(SMALL);
    machine.format();
    let slot = machine.layout().slot(SlotIndex(2));
    let by = nobody(900);
    let (reason, from, proof) = (FenceReason::Watched, Generation(3), CutOffProof::FileLock);
    let record = SlotRecord {
        state: SlotState::Replaying { by, reason, from, proof },
        name: HostName::new("alpha").ok(),
        incarnation: Incarnation(3),
        ..SlotRecord::never_used()
    };
    put(&machine, slot, &record);
    let (joined, _) = machine.time.run(try_join(machine.process().0, "beta"));
    let host = joined.unwrap();
    let evicted = beside(&machine, &host, async {
        let deadline = oarlock_block::Clock::now(&*machine.time).plus(SOON);
        host.evict(&HostName::new("alpha").unwrap(), false, deadline).await
    });
    assert!(evicted.is_err(), "what is damaged is not taken over");
    let report = machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0206", "CHK-0208"], 3));
    let freed: SlotRecord = read(&machine, slot);
    assert_eq!((freed.state, freed.unclean), (SlotState::Free, true));
    assert!(freed.incarnation >= record.incarnation);
}

#[test]
fn a_hint_about_a_block_that_is_not_there_is_taken_for_a_hint_and_emptied() {
    let machine = Machine::new(SMALL);
    machine.format();
    let host = join(&machine, machine.process().0, "alpha");
    let mailbox = machine.layout().mailbox(host.status().owner.slot);
    put(&machine, mailbox, &MailboxRecord { overflow: false, entries: vec![Lba(u64::MAX), Lba(0)] });
    beside(&machine, &host, async {
        let policy = oarlock_engine::LockPolicy { sticky: true };
        let deadline = oarlock_block::Clock::now(&*machine.time).plus(SOON);
        let guard = host.lock_with(&lock_name(), Want::Exclusive, policy, deadline).await.unwrap();
        let later = oarlock_block::Clock::now(&*machine.time).plus(SOON);
        oarlock_block::Clock::sleep_until(&*machine.time, later).await;
        assert!(guard.holds(), "the lock that is in use is not given up");
        std::mem::forget(guard);
    });
    assert_eq!(read::<MailboxRecord>(&machine, mailbox), MailboxRecord::default());
}

#[test]
fn a_datastore_without_a_sound_slot_says_so() {
    let machine = Machine::new(SMALL);
    machine.format();
    for slot in 0..4 {
        machine.disk.put(machine.layout().slot(SlotIndex(slot)), &[7; machine::BLOCK]);
    }
    let (joined, _) = machine.time.run(try_join(machine.process().0, "beta"));
    assert!(matches!(joined, Err(JoinError::NoFreeSlot { slots: 4, unproved: 0, damaged: 4 })));
}

#[test]
fn one_rotten_slot_keeps_no_host_out_and_is_told() {
    for medium in [false, true] {
        let machine = Machine::new(SMALL);
        machine.format();
        let rotten = machine.layout().slot(SlotIndex(1));
        if medium {
            machine.disk.lose(rotten);
        } else {
            let mut block = machine.disk.block(rotten);
            block[100] ^= 4;
            machine.disk.put(rotten, &block);
        }
        let mut hosts = Vec::new();
        for name in ["alpha", "beta", "gamma"] {
            let (joined, events) = machine.time.run(try_join(machine.process().0, name));
            let cause = if medium { Cause::DeviceFault } else { Cause::CorruptBlock };
            let told = events.borrow().iter().filter(|event| event.lba == Some(rotten)).count();
            assert!(told == 1 && events.borrow().iter().all(|event| event.cause == cause), "{events:?}");
            let host = joined.unwrap();
            assert_ne!(host.status().owner.slot, SlotIndex(1), "what is damaged is not taken");
            hosts.push(host);
        }
        let rows = beside(&machine, &hosts[0], async { hosts[0].hosts().await.unwrap() });
        assert_eq!(rows.len(), 3);
        let (joined, _) = machine.time.run(try_join(machine.process().0, "delta"));
        let error = joined.err().unwrap();
        assert!(matches!(error, JoinError::NoFreeSlot { slots: 4, unproved: 3, damaged: 1 }), "{error}");
        assert!(error.to_string().contains("check --repair"), "{error}");
        assert!(!error.to_string().contains("beat"), "nobody watched whether they beat: {error}");
    }
}

#[test]
fn a_namesake_in_a_damaged_slot_cannot_hold_a_lock_together_with_the_new_one() {
    let machine = Machine::new(SMALL);
    machine.format();
    let old = join(&machine, machine.process().0, "alpha");
    let slot = old.status().owner.slot;
    let guard = beside(&machine, &old, take(&machine, &old, Want::Exclusive, SOON)).unwrap();
    machine.disk.put(machine.layout().slot(slot), &[7; machine::BLOCK]);
    // The old one lives, and cannot beat.
    let (joined, _) = machine.time.run(try_join(machine.process().0, "alpha"));
    let new = joined.unwrap();
    assert_ne!(new.status().owner.slot, slot);
    let got = beside(&machine, &new, take(&machine, &new, Want::Exclusive, SOON));
    assert!(got.is_err(), "two owners of one name");
    assert!(old.status().lease_left < Duration::from_secs(10));
    std::mem::forget(guard);
}
