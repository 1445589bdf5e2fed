//! The damage matrix: each kind of record, spoiled in each way, is found, and put right as far as it can be.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::time::Duration;

use oarlock_block::{BlockSize, Clock, Lba};
use oarlock_engine::{Host, Want};
use oarlock_format::{
    FormatId, Generation, HostName, LockMode, LockName, LockPosition, LockRecord, MailboxRecord, Nonce,
    Place, Record, SlotIndex, SlotRecord, SlotState, Stamp, Stamped, Superblock, Writer, decode, encode,
    home,
};

use crate::machine::{BLOCK, Machine, SMALL, codes};

/// A datastore in which a host died with a lock, and what its blocks held before that.
struct Volume {
    machine: Machine,
    fresh: Machine,
    format_id: FormatId,
    /// The dead host's.
    slot: SlotIndex,
    /// Of the lock that it held.
    position: LockPosition,
}

fn volume() -> Volume {
    let machine = Machine::new(SMALL);
    let format_id = machine.format().stamp.format_id;
    let fresh = machine.copy();
    let (world, process) = machine.process();
    let time = std::rc::Rc::clone(&machine.time);
    let name = LockName::new("backup/nightly").unwrap();
    let slot = time.run(async {
        let host =
            Host::join(world, &HostName::new("alpha").unwrap(), std::rc::Rc::new(|_| {})).await.unwrap();
        let deadline = time.now().plus(Duration::from_secs(5));
        let take = host.lock(&name, Want::Exclusive, deadline);
        futures::pin_mut!(take);
        let run = host.run();
        futures::pin_mut!(run);
        match futures::future::select(take, run).await {
            futures::future::Either::Left((Ok(guard), _)) => std::mem::forget(guard),
            _ => panic!("the lock was not got"),
        }
        host.status().owner.slot
    });
    machine.kill(process);
    let position = home(&format_id, &name, machine.layout().lock_positions());
    Volume { machine, fresh, format_id, slot, position }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    First,
    Shadow,
    Slot,
    Mailbox,
    Lock,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Spoil {
    BitFlip,
    Zeroed,
    TornHalf,
    WrongAddress,
    OtherDatastore,
    OlderCopy,
}

impl Volume {
    fn lba(&self, target: Target) -> Lba {
        let layout = self.machine.layout();
        match target {
            Target::First => Lba(0),
            Target::Shadow => layout.shadow.start,
            Target::Slot => layout.slot(self.slot),
            Target::Mailbox => layout.mailbox(self.slot),
            Target::Lock => layout.lock(self.position),
        }
    }

    /// Another record of the same kind.
    fn sibling(&self, target: Target) -> Lba {
        let layout = self.machine.layout();
        let slot = SlotIndex((self.slot.0 + 1) % 4);
        match target {
            Target::First => layout.shadow.start,
            Target::Shadow => Lba(0),
            Target::Slot => layout.slot(slot),
            Target::Mailbox => layout.mailbox(slot),
            Target::Lock => layout.lock(LockPosition(if self.position.0 == 0 { 1 } else { 0 })),
        }
    }

    fn spoilt(&self, target: Target, spoil: Spoil) -> Machine {
        let machine = self.machine.copy();
        let lba = self.lba(target);
        let mut bytes = machine.disk.block(lba);
        match spoil {
            // In the middle of what the record says, where it has something to say.
            Spoil::BitFlip => bytes[100] ^= 0x10,
            Spoil::Zeroed => bytes.fill(0),
            Spoil::TornHalf => bytes[BLOCK / 2..].fill(0x5a),
            Spoil::WrongAddress => bytes = machine.disk.block(self.sibling(target)),
            Spoil::OtherDatastore => bytes = self.in_another_datastore(target),
            Spoil::OlderCopy => bytes = self.older(target),
        }
        machine.disk.put(lba, &bytes);
        machine
    }

    fn in_another_datastore(&self, target: Target) -> Vec<u8> {
        let lba = self.lba(target);
        let stamp = Stamp {
            format_id: FormatId(0xbad),
            lba,
            generation: Generation(3),
            writer: Writer::Tool,
            nonce: Nonce(1),
        };
        let encoded = match target {
            Target::First | Target::Shadow => {
                encode(&stamp, &self.record::<Superblock>(&self.machine, lba).record, BlockSize::B512)
            }
            Target::Slot => encode(&stamp, &SlotRecord::never_used(), BlockSize::B512),
            Target::Mailbox => encode(&stamp, &MailboxRecord::default(), BlockSize::B512),
            Target::Lock => encode(&stamp, &LockRecord::never_used(), BlockSize::B512),
        };
        encoded.bytes().to_vec()
    }

    fn older(&self, target: Target) -> Vec<u8> {
        let lba = self.lba(target);
        let Stamped { stamp, record } = match target {
            Target::First | Target::Shadow => self.record::<Superblock>(&self.machine, lba),
            Target::Slot | Target::Mailbox | Target::Lock => return self.fresh.disk.block(lba),
        };
        let stamp = Stamp { generation: Generation(1), nonce: Nonce(9), ..stamp };
        encode(&stamp, &record, BlockSize::B512).bytes().to_vec()
    }

    fn record<R: Record>(&self, machine: &Machine, lba: Lba) -> Stamped<R> {
        decode(&machine.disk.block(lba), &Place { format_id: self.format_id, lba }).unwrap()
    }
}

/// What a cell of the matrix comes to.
struct Expected {
    found: &'static [&'static str],
    exit: u8,
    after: &'static [&'static str],
}

fn expected(target: Target, spoil: Spoil) -> Expected {
    const NOTHING: &[&str] = &[];
    let all = |found, after| Expected { found, exit: 3, after };
    match (target, spoil) {
        // The device may be somebody else's: nothing of it is touched.
        (Target::First, Spoil::OtherDatastore) => {
            let found = &["CHK-0102", "CHK-0201", "CHK-0301", "CHK-0401"];
            Expected { found, exit: 4, after: found }
        }
        (Target::First, Spoil::Zeroed) => all(&["CHK-0107"], NOTHING),
        // An older first copy is the truth all the same (R38), and its shadow looks like a growth that was broken off.
        (Target::First, Spoil::OlderCopy) => Expected { found: &["CHK-0105"], exit: 0, after: &["CHK-0105"] },
        (Target::First, _) => all(&["CHK-0101"], NOTHING),
        (Target::Shadow, Spoil::OlderCopy) => Expected { found: &["CHK-0104"], exit: 0, after: NOTHING },
        (Target::Shadow, _) => all(&["CHK-0102"], NOTHING),
        // The lock tells of a later life; once the slot is free, it is left over.
        (Target::Slot, Spoil::OlderCopy) => all(&["CHK-0204"], &["CHK-0408"]),
        (Target::Slot, _) => all(&["CHK-0201"], &["CHK-0408"]),
        (Target::Mailbox, Spoil::OlderCopy) => Expected { found: NOTHING, exit: 0, after: NOTHING },
        (Target::Mailbox, _) => all(&["CHK-0301"], NOTHING),
        // Nothing on the disk tells that this position was used; the host that used it would see it (R2).
        (Target::Lock, Spoil::OlderCopy) => Expected { found: NOTHING, exit: 0, after: NOTHING },
        (Target::Lock, _) => all(&["CHK-0401"], &["CHK-0409"]),
    }
}

fn cells() -> impl Iterator<Item = (Target, Spoil)> {
    let targets = [Target::First, Target::Shadow, Target::Slot, Target::Mailbox, Target::Lock];
    let spoils = [
        Spoil::BitFlip,
        Spoil::Zeroed,
        Spoil::TornHalf,
        Spoil::WrongAddress,
        Spoil::OtherDatastore,
        Spoil::OlderCopy,
    ];
    targets.into_iter().flat_map(move |target| spoils.into_iter().map(move |spoil| (target, spoil)))
}

#[test]
fn the_volume_is_clean_before_it_is_spoiled() {
    assert_eq!(codes(&volume().machine.check()), Vec::<&str>::new());
}

#[test]
fn every_damage_is_found_and_a_check_alone_writes_nothing() {
    let volume = volume();
    for (target, spoil) in cells() {
        let machine = volume.spoilt(target, spoil);
        let expected = expected(target, spoil);
        let report = machine.check();
        assert_eq!(codes(&report), expected.found, "{target:?} {spoil:?}");
        let exit = if expected.exit == 3 { 4 } else { expected.exit };
        assert_eq!(report.exit_code(), exit, "{target:?} {spoil:?}");
        let again = volume.spoilt(target, spoil);
        for lba in [volume.lba(target), volume.sibling(target)] {
            assert_eq!(machine.disk.block(lba), again.disk.block(lba), "{target:?} {spoil:?}");
        }
    }
}

#[test]
fn every_damage_is_repaired_and_stays_so() {
    let volume = volume();
    for (target, spoil) in cells() {
        let machine = volume.spoilt(target, spoil);
        let expected = expected(target, spoil);
        let report = machine.repair();
        let told: Vec<_> =
            report.findings.iter().filter_map(|finding| finding.refused.as_ref()).take(1).collect();
        assert_eq!(report.exit_code(), expected.exit, "{target:?} {spoil:?}: {told:?}");
        let after = machine.check();
        assert_eq!(codes(&after), expected.after, "{target:?} {spoil:?}: {:?}", after.findings);
        assert_eq!(after.clean, expected.exit != 4, "{target:?} {spoil:?}");
        // Who repairs again changes nothing.
        assert_eq!(codes(&machine.repair()), expected.after, "{target:?} {spoil:?}");
    }
}

#[test]
fn a_repaired_record_is_2_to_the_32_above_any_that_was_seen() {
    let volume = volume();
    for (target, spoil) in cells().filter(|(target, _)| matches!(target, Target::Slot | Target::Lock)) {
        if expected(target, spoil).exit != 3 {
            continue;
        }
        let machine = volume.spoilt(target, spoil);
        machine.repair();
        let lba = volume.lba(target);
        let generation = match target {
            Target::Slot => volume.record::<SlotRecord>(&machine, lba).stamp.generation,
            _ => volume.record::<LockRecord>(&machine, lba).stamp.generation,
        };
        assert!(generation.0 > 1 << 32 && generation.0 < 1 << 33, "{target:?} {spoil:?}: {generation}");
    }
}

#[test]
fn a_damaged_lock_comes_back_unknown_and_keeps_its_name_where_its_bytes_prove_it() {
    let volume = volume();
    let lba = volume.lba(Target::Lock);
    for spoil in [Spoil::BitFlip, Spoil::Zeroed, Spoil::TornHalf, Spoil::WrongAddress, Spoil::OtherDatastore]
    {
        let machine = volume.spoilt(Target::Lock, spoil);
        machine.repair();
        let record = volume.record::<LockRecord>(&machine, lba).record;
        let holders: Vec<SlotIndex> = record.lock.holders.iter().collect();
        assert_eq!(
            (record.lock.mode, record.lock.owner, holders),
            (LockMode::Unknown, None, vec![volume.slot]),
            "{spoil:?}"
        );
        let name = record.name.as_ref().map(LockName::as_str);
        let (expected, children) =
            if spoil == Spoil::BitFlip { (Some("backup/nightly"), 1) } else { (None, u16::MAX) };
        assert_eq!((name, record.children), (expected, children), "{spoil:?}");
    }
}

#[test]
fn a_damaged_slot_comes_back_free_above_every_life_that_was_seen_there() {
    let volume = volume();
    let lba = volume.lba(Target::Slot);
    for spoil in [Spoil::BitFlip, Spoil::Zeroed, Spoil::TornHalf, Spoil::OlderCopy] {
        let machine = volume.spoilt(Target::Slot, spoil);
        machine.repair();
        let record = volume.record::<SlotRecord>(&machine, lba).record;
        assert_eq!((record.state, record.unclean), (SlotState::Free, true), "{spoil:?}");
        let proved = spoil == Spoil::BitFlip;
        assert_eq!(record.incarnation.0 == 1, proved, "{spoil:?}: {}", record.incarnation);
        assert!(record.incarnation.0 == 1 || record.incarnation.0 > 1 << 32);
        assert_eq!(record.name.is_some(), proved, "{spoil:?}");
    }
}

#[test]
fn a_damaged_mailbox_says_that_it_overflowed() {
    let volume = volume();
    let machine = volume.spoilt(Target::Mailbox, Spoil::TornHalf);
    machine.repair();
    let record = volume.record::<MailboxRecord>(&machine, volume.lba(Target::Mailbox)).record;
    assert_eq!(record, MailboxRecord { overflow: true, entries: Vec::new() });
}

#[test]
fn both_superblocks_spoiled_is_damage_that_stays() {
    let volume = volume();
    let machine = volume.spoilt(Target::First, Spoil::TornHalf);
    let lba = volume.lba(Target::Shadow);
    machine.disk.put(lba, &volume.spoilt(Target::Shadow, Spoil::TornHalf).disk.block(lba));
    let report = machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0108"], 4));
}

#[test]
fn an_overwritten_superblock_is_not_restored_where_somebody_else_moved_in() {
    let volume = volume();
    let partitioned = {
        let mut bytes = vec![0; BLOCK];
        bytes[510..].copy_from_slice(&[0x55, 0xaa]);
        bytes
    };
    for (lba, bytes) in [(Lba(0), partitioned), (Lba(8), vec![1; BLOCK])] {
        let machine = volume.spoilt(Target::First, Spoil::Zeroed);
        machine.disk.put(lba, &bytes);
        let first = machine.disk.block(Lba(0));
        let report = machine.repair();
        assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0107"], 4));
        assert_eq!(machine.disk.block(Lba(0)), first);
    }
}
