//! The repair: what it sends, beside live hosts, against another repair, and where it must refuse.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use oarlock_block::{
    Attempted, BlockSize, Clock, CommandKind, Device, DeviceIdentity, Fencing, Geometry, IoError, Lba,
    LocalFuture,
};
use oarlock_causes::EventKind;
use oarlock_engine::check::{CheckOptions, CheckReport, Repaired, check};
use oarlock_engine::{Guard, Host, Want, World, read_superblock};
use oarlock_format::{
    Epoch, FormatId, Generation, HostId, HostName, Incarnation, Kind, LockMode, LockName, LockPosition,
    LockRecord, LockState, Nonce, Owner, Place, Record, SlotIndex, SlotRecord, SlotState, Stamp, Stamped,
    Writer, decode, encode, home,
};

use crate::machine::{BLOCK, Machine, SMALL, codes};

const NAME: &str = "backup/nightly";

fn lock_name() -> LockName {
    LockName::new(NAME).unwrap()
}

async fn join(world: World, name: &str) -> Host {
    Host::join(world, &HostName::new(name).unwrap(), Rc::new(|_| {})).await.unwrap()
}

async fn take(machine: &Machine, host: &Host, want: Want) -> Guard {
    let deadline = machine.time.now().plus(Duration::from_secs(5));
    host.lock(&lock_name(), want, deadline).await.unwrap()
}

/// Runs `story` while `host` lives.
fn beside<T>(machine: &Machine, host: &Host, story: impl Future<Output = T>) -> T {
    machine.time.run(async {
        let (run, story) = (host.run(), story);
        futures::pin_mut!(run, story);
        match futures::future::select(story, run).await {
            futures::future::Either::Left((value, _)) => value,
            futures::future::Either::Right((ended, _)) => panic!("the host ended: {ended}"),
        }
    })
}

fn repairing() -> CheckOptions {
    CheckOptions { repair: true, host: None }
}

async fn repair_by(world: &World) -> CheckReport {
    check(world, &repairing(), &|_, _| {}).await.unwrap()
}

fn format_id(machine: &Machine) -> FormatId {
    let world = machine.process().0;
    machine.time.run(read_superblock(&world)).unwrap().superblock.stamp.format_id
}

fn position(machine: &Machine) -> LockPosition {
    home(&format_id(machine), &lock_name(), machine.layout().lock_positions())
}

fn read<R: Record>(machine: &Machine, lba: Lba) -> Stamped<R> {
    decode(&machine.disk.block(lba), &Place { format_id: format_id(machine), lba }).unwrap()
}

/// Puts a record on the disk as if it had been swapped there.
fn put<R: Record>(machine: &Machine, lba: Lba, record: &R) {
    let (format_id, generation, nonce) = (format_id(machine), Generation(5), Nonce(u128::from(lba.0) + 77));
    let stamp = Stamp { format_id, lba, generation, writer: Writer::Tool, nonce };
    machine.disk.put(lba, encode(&stamp, record, BlockSize::B512).bytes());
}

#[test]
fn a_live_holder_claims_its_lock_again_and_a_repair_never_does_it_for_it() {
    for (want, spoilt) in [(Want::Exclusive, vec![0; BLOCK]), (Want::Shared, vec![9; BLOCK])] {
        let machine = Machine::new(SMALL);
        machine.format();
        let lba = machine.layout().lock(position(&machine));
        let host = machine.time.run(join(machine.process().0, "alpha"));
        let slot = host.status().owner.slot;
        beside(&machine, &host, async {
            let guard = take(&machine, &host, want).await;
            machine.disk.put(lba, &spoilt);
            let report = repair_by(&machine.process().0).await;
            assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0401"], 3));
            let unknown: LockRecord = read(&machine, lba).record;
            assert_eq!(
                (unknown.lock.mode, unknown.lock.owner, unknown.name),
                (LockMode::Unknown, None, None)
            );
            assert!(unknown.lock.holders.contains(slot));
            machine.time.sleep_until(machine.time.now().plus(Duration::from_secs(5))).await;
            assert!(guard.holds());
            std::mem::forget(guard);
        });
        let claimed: LockRecord = read(&machine, lba).record;
        match want {
            Want::Exclusive => {
                assert_eq!(
                    (claimed.lock.mode, claimed.lock.owner),
                    (LockMode::Exclusive, Some(host.status().owner))
                );
                assert_eq!(claimed.name, Some(lock_name()), "the holder knows its name");
            }
            Want::Shared | Want::MultiWriter => {
                assert!(claimed.lock.holders.contains(slot), "who shares keeps its bit");
            }
        }
    }
}

#[test]
fn a_lock_without_a_name_is_not_made_a_second_time_before_its_holder_has_answered() {
    let machine = Machine::new(SMALL);
    machine.format();
    let lba = machine.layout().lock(position(&machine));
    let holder = machine.time.run(join(machine.process().0, "alpha"));
    beside(&machine, &holder, async { std::mem::forget(take(&machine, &holder, Want::Exclusive).await) });
    // The holder is slow: it lives, and sends nothing for as long as the other waits.
    machine.disk.put(lba, &[0; BLOCK]);
    machine.time.run(repair_by(&machine.process().0));
    assert_eq!(read::<LockRecord>(&machine, lba).record.name, None);
    let other = machine.time.run(join(machine.process().0, "beta"));
    let got = beside(&machine, &other, async {
        let deadline = machine.time.now().plus(Duration::from_secs(3));
        other.lock(&lock_name(), Want::Exclusive, deadline).await.is_ok()
    });
    assert!(!got, "two owners of one name");
}

#[test]
fn a_lock_without_a_name_is_nobody_s_once_its_possible_holders_are_gone() {
    let machine = Machine::new(SMALL);
    machine.format();
    let lba = machine.layout().lock(position(&machine));
    let (world, process) = machine.process();
    let holder = machine.time.run(join(world, "alpha"));
    beside(&machine, &holder, async { std::mem::forget(take(&machine, &holder, Want::Exclusive).await) });
    machine.kill(process);
    machine.disk.put(lba, &[0; BLOCK]);
    machine.time.run(repair_by(&machine.process().0));
    let other = machine.time.run(join(machine.process().0, "beta"));
    beside(&machine, &other, async { drop(take(&machine, &other, Want::Exclusive).await) });
    let record: LockRecord = read(&machine, lba).record;
    assert_eq!(record.lock.holders.len(), 0);
    assert_eq!(codes(&machine.check()), Vec::<&str>::new());
}

#[test]
fn hosts_that_do_not_hold_a_damaged_lock_disclaim_it() {
    let machine = Machine::new(SMALL);
    machine.format();
    let lba = machine.layout().lock(position(&machine));
    let host = machine.time.run(join(machine.process().0, "alpha"));
    beside(&machine, &host, async {
        machine.disk.put(lba, &[0; BLOCK]);
        repair_by(&machine.process().0).await;
        machine.time.sleep_until(machine.time.now().plus(Duration::from_secs(5))).await;
    });
    let record: LockRecord = read(&machine, lba).record;
    assert_eq!((record.lock.mode, record.lock.holders.len(), record.name), (LockMode::Free, 0, None));
    assert_eq!(codes(&machine.check()), Vec::<&str>::new());
}

#[test]
fn a_repair_of_one_lock_sends_its_own_life_a_proof_of_each_free_slot_and_one_swap() {
    let machine = Machine::new(SMALL);
    machine.format();
    let layout = machine.layout();
    let lba = layout.lock(position(&machine));
    machine.disk.put(lba, &[0; BLOCK]);
    let (world, recorded) = machine.recorded();
    let report = machine.time.run(repair_by(&world));
    assert_eq!(report.exit_code(), 3);
    let commands = recorded.take();
    assert!(
        commands.iter().all(|command| command.kind != CommandKind::Write),
        "no record is plainly written"
    );
    let ats: Vec<Lba> = commands
        .iter()
        .filter(|command| command.kind == CommandKind::Ats)
        .map(|command| command.lba)
        .collect();
    let own = ats[0];
    let free: Vec<Lba> =
        (0..4).map(|slot| layout.slot(SlotIndex(slot))).filter(|slot| *slot != own).collect();
    // Claim, first beat; three proofs; the lock; the slot is freed.
    let expected: Vec<Lba> = [own, own].into_iter().chain(free).chain([lba, own]).collect();
    assert_eq!(ats, expected);
    assert!(report.repaired_as.unwrap().starts_with("repair-"));
    assert!(report.events.iter().any(|event| event.kind == EventKind::Repair && event.lba == Some(lba)));
}

#[test]
fn a_repair_by_a_host_that_is_there_needs_no_slot_of_its_own() {
    let machine = Machine::new(SMALL);
    machine.format();
    let lba = machine.layout().lock(position(&machine));
    let (world, recorded) = machine.recorded();
    let host = machine.time.run(join(world.clone(), "alpha"));
    let owner = host.status().owner;
    beside(&machine, &host, async {
        machine.disk.put(lba, &[0; BLOCK]);
        drop(recorded.take());
        let options = CheckOptions { repair: true, host: Some(host.clone()) };
        let report = check(&world, &options, &|_, _| {}).await.unwrap();
        assert_eq!((report.exit_code(), report.repaired_as.as_deref()), (3, Some("alpha")));
        let ats = recorded.take().into_iter().filter(|command| command.kind == CommandKind::Ats).count();
        assert_eq!(ats, 3 + 1, "three free slots and the lock");
        let record: Stamped<LockRecord> = read(&machine, lba);
        assert_eq!((record.record.lock.mode, record.stamp.writer), (LockMode::Unknown, Writer::Host(owner)));
        assert!(
            record.record.lock.holders.contains(owner.slot),
            "it lived before the repair and may hold the lock"
        );
        machine.time.sleep_until(machine.time.now().plus(Duration::from_secs(5))).await;
    });
    assert_eq!(read::<LockRecord>(&machine, lba).record.lock.mode, LockMode::Free, "and disclaims it");
}

#[test]
fn a_host_that_repairs_a_lock_which_it_holds_itself_still_holds_it() {
    for want in [Want::Exclusive, Want::Shared] {
        let machine = Machine::new(SMALL);
        machine.format();
        let lba = machine.layout().lock(position(&machine));
        let world = machine.process().0;
        let host = machine.time.run(join(world.clone(), "alpha"));
        beside(&machine, &host, async {
            let guard = take(&machine, &host, want).await;
            machine.disk.put(lba, &[0; BLOCK]);
            let options = CheckOptions { repair: true, host: Some(host.clone()) };
            check(&world, &options, &|_, _| {}).await.unwrap();
            machine.time.sleep_until(machine.time.now().plus(Duration::from_secs(5))).await;
            assert!(guard.holds());
            std::mem::forget(guard);
        });
        let record: LockRecord = read(&machine, lba).record;
        let slot = host.status().owner.slot;
        match want {
            Want::Exclusive => assert_eq!(record.lock.owner, Some(host.status().owner)),
            Want::Shared | Want::MultiWriter => assert!(record.lock.holders.contains(slot), "{record:?}"),
        }
    }
}

/// Found by the simulator: the second one's look made the host forget in which block the lock stood, so that it answered
/// the repair as one that did not hold it, and another host was given the lock beside the first user.
#[test]
fn a_second_user_who_would_share_a_nameless_lock_does_not_make_his_host_disclaim_it() {
    let machine = Machine::new(SMALL);
    machine.format();
    let lba = machine.layout().lock(position(&machine));
    let host = machine.time.run(join(machine.process().0, "alpha"));
    beside(&machine, &host, async {
        let guard = take(&machine, &host, Want::Shared).await;
        machine.disk.put(lba, &[0; BLOCK]);
        let (name, deadline) = (lock_name(), machine.time.now().plus(Duration::from_secs(20)));
        let second = host.lock(&name, Want::Shared, deadline);
        let repair = async {
            repair_by(&machine.process().0).await;
            machine.time.sleep_until(machine.time.now().plus(Duration::from_secs(10))).await;
            let record: LockRecord = read(&machine, lba).record;
            assert!(record.lock.holders.contains(host.status().owner.slot), "{record:?}");
        };
        let (second, ()) = futures::join!(second, repair);
        assert!(guard.holds());
        std::mem::forget((guard, second));
    });
}

/// The disk behind a path on which each ATS takes a second.
struct Late(Machine);

impl Device for Late {
    fn geometry(&self) -> Geometry {
        self.0.disk.geometry()
    }

    fn identity(&self) -> DeviceIdentity {
        self.0.disk.identity()
    }

    fn fencing(&self) -> Fencing {
        self.0.disk.fencing()
    }

    fn read<'a>(&'a self, lba: Lba, buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        self.0.disk.read(lba, buffer)
    }

    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        self.0.disk.write(lba, data)
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        async move {
            self.0.time.sleep_until(self.0.time.now().plus(Duration::from_secs(1))).await;
            self.0.disk.compare_and_write(lba, expected, new).await
        }
        .boxed_local()
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        self.0.disk.flush()
    }
}

#[test]
fn of_two_repairs_at_once_the_later_reads_again_and_leaves_the_other_s_image() {
    for kind in [Kind::Mailbox, Kind::Lock] {
        let machine = Machine::new(SMALL);
        // No slot is free, so that neither joins and both come to the block at once.
        machine.format_slots(1);
        let layout = machine.layout();
        let lba =
            if kind == Kind::Lock { layout.lock(position(&machine)) } else { layout.mailbox(SlotIndex(0)) };
        let host = machine.time.run(join(machine.process().0, "alpha"));
        machine.disk.put(lba, &[7; BLOCK]);
        let early = machine.process().0;
        let late = machine.process_on(Rc::new(Late(machine.clone()))).0;
        let (late, (early, image)) = beside(&machine, &host, async {
            let early = async {
                let report = repair_by(&early).await;
                (report, machine.disk.block(lba))
            };
            futures::join!(repair_by(&late), early)
        });
        assert_eq!((early.exit_code(), late.exit_code()), (3, 3), "{kind:?}");
        assert!(matches!(early.findings[0].repaired, Some(Repaired::Restored { .. })), "{kind:?}");
        assert_eq!(late.findings[0].repaired, Some(Repaired::ByAnother), "{kind:?}");
        if kind == Kind::Mailbox {
            assert_eq!(machine.disk.block(lba), image, "nothing came after the first repair");
        }
    }
}

#[test]
fn a_damaged_slot_whose_host_lives_is_refused_and_its_host_may_still_hold_its_locks() {
    let machine = Machine::new(SMALL);
    machine.format();
    let lba = machine.layout().lock(position(&machine));
    let host = machine.time.run(join(machine.process().0, "alpha"));
    let slot = host.status().owner.slot;
    let report = beside(&machine, &host, async {
        std::mem::forget(take(&machine, &host, Want::Exclusive).await);
        machine.disk.put(machine.layout().slot(slot), &[0; BLOCK]);
        machine.disk.put(lba, &[0; BLOCK]);
        repair_by(&machine.process().0).await
    });
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0201", "CHK-0401"], 4));
    assert!(report.findings[0].refused.as_ref().unwrap().contains("may live there"));
    // One slot that cannot be read keeps nobody out: the lock was repaired by a host (R18).
    assert!(report.repaired_as.as_ref().is_some_and(|host| host.starts_with("repair-")));
    let lock: LockRecord = read(&machine, lba).record;
    assert_eq!((lock.lock.mode, lock.lock.holders.contains(slot)), (LockMode::Unknown, true));
}

#[test]
fn a_repair_without_a_free_slot_works_as_a_tool() {
    let machine = Machine::new(SMALL);
    machine.format_slots(1);
    let lba = machine.layout().lock(position(&machine));
    let host = machine.time.run(join(machine.process().0, "alpha"));
    let report = beside(&machine, &host, async {
        machine.disk.put(lba, &[0; BLOCK]);
        repair_by(&machine.process().0).await
    });
    assert_eq!((report.exit_code(), report.repaired_as), (3, None));
    assert_eq!(read::<LockRecord>(&machine, lba).stamp.writer, Writer::Tool);
}

#[test]
fn an_unknown_lock_is_asked_about_again() {
    let machine = Machine::new(SMALL);
    machine.format();
    let lba = machine.layout().lock(position(&machine));
    let host = machine.time.run(join(machine.process().0, "alpha"));
    let slot = host.status().owner.slot;
    let report = beside(&machine, &host, async {
        let holders = [slot].into_iter().collect();
        put(
            &machine,
            lba,
            &LockRecord {
                lock: LockState { mode: LockMode::Unknown, holders, ..LockState::NEVER_HELD },
                ..LockRecord::never_used()
            },
        );
        let report = repair_by(&machine.process().0).await;
        machine.time.sleep_until(machine.time.now().plus(Duration::from_secs(5))).await;
        report
    });
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0409"], 0));
    assert_eq!(report.findings[0].repaired, Some(Repaired::Asked { hosts: 1 }));
    assert_eq!(read::<LockRecord>(&machine, lba).record.lock.mode, LockMode::Free);
}

fn held_by(owner: Option<Owner>) -> LockRecord {
    let lock = LockState { mode: LockMode::Exclusive, owner, ..LockState::NEVER_HELD };
    LockRecord { lock, ..LockRecord::never_used() }
}

fn named(record: LockRecord) -> LockRecord {
    LockRecord { name: Some(lock_name()), ..record }
}

#[test]
fn a_name_that_its_home_does_not_list_is_listed() {
    let machine = Machine::new(SMALL);
    machine.format();
    let home = position(&machine);
    let layout = machine.layout();
    put(&machine, layout.lock(LockPosition(home.0 + 3)), &named(LockRecord::never_used()));
    let report = machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0405"], 3));
    assert_eq!(read::<LockRecord>(&machine, layout.lock(home)).record.children, 0b1000);
    assert!(machine.check().findings.is_empty());
}

#[test]
fn a_name_outside_of_its_window_is_taken_away() {
    let machine = Machine::new(SMALL);
    machine.format();
    let layout = machine.layout();
    let astray = LockPosition((position(&machine).0 + 100) % layout.lock_positions());
    put(&machine, layout.lock(astray), &named(LockRecord::never_used()));
    let report = machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0403"], 3));
    assert_eq!(read::<LockRecord>(&machine, layout.lock(astray)).record.name, None);
    assert!(machine.check().findings.is_empty());
}

#[test]
fn of_one_name_at_two_positions_the_held_one_stays_and_its_tokens_go_on() {
    let machine = Machine::new(SMALL);
    machine.format();
    let (home, layout) = (position(&machine), machine.layout());
    let (kept, dropped) = (layout.lock(home), layout.lock(LockPosition(home.0 + 1)));
    let owner = Some(Owner { slot: SlotIndex(2), host: HostId(1), incarnation: Incarnation(4) });
    let living = SlotRecord {
        state: SlotState::Live,
        name: HostName::new("gamma").ok(),
        incarnation: Incarnation(4),
        asked: true,
        ..SlotRecord::never_used()
    };
    put(&machine, layout.slot(SlotIndex(2)), &living);
    let held = LockRecord { children: 0b11, ..held_by(owner) };
    put(&machine, kept, &named(held));
    put(
        &machine,
        dropped,
        &named(LockRecord {
            lock: LockState { epoch: Epoch(3), ..LockState::NEVER_HELD },
            ..LockRecord::never_used()
        }),
    );
    let report = machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0209", "CHK-0404"], 3));
    let kept: Stamped<LockRecord> = read(&machine, kept);
    assert_eq!((kept.record.lock.owner, kept.record.name), (owner, Some(lock_name())));
    assert!(kept.stamp.generation > Generation(5));
    let dropped: LockRecord = read(&machine, dropped).record;
    assert_eq!((dropped.name, dropped.lock.epoch), (None, Epoch(3)));
}

#[test]
fn a_lock_held_at_both_its_positions_is_left_to_its_holders() {
    let machine = Machine::new(SMALL);
    machine.format();
    let (home, layout) = (position(&machine), machine.layout());
    for (slot, distance) in [(1, 0), (2, 1)] {
        let owner = Some(Owner { slot: SlotIndex(slot), host: HostId(1), incarnation: Incarnation(0) });
        let held = LockRecord { children: 0b11, ..held_by(owner) };
        put(&machine, layout.lock(LockPosition(home.0 + distance)), &named(held));
    }
    let report = machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0404", "CHK-0408"], 4));
}

#[test]
fn a_lock_of_a_slot_that_is_not_there_keeps_its_name_and_loses_its_owner() {
    let machine = Machine::new(SMALL);
    machine.format();
    let lba = machine.layout().lock(position(&machine));
    let owner = Some(Owner { slot: SlotIndex(900), host: HostId(1), incarnation: Incarnation(4) });
    let held = LockRecord { children: 1, ..held_by(owner) };
    put(&machine, lba, &named(held));
    let report = machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0407"], 3));
    let record: LockRecord = read(&machine, lba).record;
    assert_eq!((record.lock.mode, record.name), (LockMode::Free, Some(lock_name())));
    assert!(machine.check().findings.is_empty());
}
