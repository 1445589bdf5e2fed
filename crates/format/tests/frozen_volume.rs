//! The frozen volume of version 1 is read, record by record, and today's encoder still writes the same bytes.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

mod volume;

use std::collections::BTreeMap;

use oarlock_block::{Lba, SlotIndex};
use oarlock_format::{
    DecodeError, FenceReason, Generation, LockMode, LockPosition, LockRecord, MailboxRecord, OtherCopy,
    Place, Record, SlotRecord, SlotState, Stamped, Standing, Superblock, Truth, choose, decode,
    decode_superblock,
};
use volume::{EXCLUSIVE, FORMAT_ID, FREE, PARENT, SHARED, UNKNOWN, owner, position};

const DUMP: &str = include_str!("../../../testdata/volumes/v1/volume.txt");

struct Frozen {
    blocks: BTreeMap<u64, Vec<u8>>,
    superblock: Stamped<Superblock>,
}

fn frozen() -> Frozen {
    let blocks = volume::parse(DUMP);
    let (last, _) = blocks.last_key_value().unwrap();
    let first = decode_superblock(&blocks[&0], Lba(0));
    let chosen = choose(first, decode_superblock(&blocks[last], Lba(*last))).unwrap();
    assert_eq!((chosen.truth, chosen.other), (Truth::First, OtherCopy::Same));
    Frozen { superblock: chosen.superblock, blocks }
}

impl Frozen {
    fn read<R: Record>(&self, lba: Lba) -> Result<R, DecodeError> {
        let place = Place { format_id: self.superblock.stamp.format_id, lba };
        decode(&self.blocks[&lba.0], &place).map(|stamped| stamped.record)
    }

    fn lock(&self, name: &str) -> LockRecord {
        let layout = self.superblock.record.layout;
        let lock: LockRecord = self.read(layout.lock(position(&layout, name))).unwrap();
        assert_eq!(lock.name.as_ref().unwrap().as_str(), name);
        lock
    }
}

#[test]
fn today_s_encoder_writes_the_frozen_bytes() {
    let today = volume::dump(&volume::volume());
    let differs = DUMP.lines().zip(today.lines()).position(|(frozen, today)| frozen != today);
    assert_eq!(differs, None, "line {differs:?} of the dump, counted from 0, is written otherwise today");
    assert_eq!(DUMP.len(), today.len());
}

#[test]
fn every_record_of_the_frozen_volume_is_read() {
    let frozen = frozen();
    let superblock = &frozen.superblock.record;
    assert_eq!(frozen.superblock.stamp.format_id, FORMAT_ID);
    assert_eq!((superblock.label.as_str(), superblock.slots), ("frozen", 4));
    let (mut slots, mut mailboxes, mut locks) = (0, 0, 0);
    for lba in frozen.blocks.keys().copied().map(Lba) {
        match superblock.layout.kind_at(lba) {
            Standing::Superblock | Standing::Shadow => assert!(frozen.read::<Superblock>(lba).is_ok()),
            Standing::Slot(_) => slots += u32::from(frozen.read::<SlotRecord>(lba).is_ok()),
            Standing::Mailbox(_) => mailboxes += u32::from(frozen.read::<MailboxRecord>(lba).is_ok()),
            Standing::Lock(_) => locks += u32::from(frozen.read::<LockRecord>(lba).is_ok()),
            other => panic!("block {lba}: {other:?} holds something"),
        }
    }
    assert_eq!((slots, mailboxes, locks), (4, 4, superblock.layout.lock_positions()));
    assert_eq!(frozen.blocks.len(), 2 + 4 + 4 + 1_024);
}

#[test]
fn the_slots_say_who_lives_who_is_fenced_and_what_is_free() {
    let frozen = frozen();
    let layout = frozen.superblock.record.layout;
    let slot = |index: u16| frozen.read::<SlotRecord>(layout.slot(SlotIndex(index))).unwrap();
    assert_eq!((slot(0).state, slot(0).unclean, slot(0).asked), (SlotState::Live, false, true));
    assert_eq!((slot(1).state, slot(1).unclean, slot(1).asked), (SlotState::Live, true, false));
    let fenced = SlotState::Fenced { by: owner(0), reason: FenceReason::Watched, from: Generation(41) };
    assert_eq!(slot(2).state, fenced);
    assert_eq!(slot(2).name.unwrap().as_str(), "gamma");
    assert_eq!(slot(3), SlotRecord::never_used());
    let mailbox: MailboxRecord = frozen.read(layout.mailbox(SlotIndex(0))).unwrap();
    let hints = [EXCLUSIVE, SHARED].map(|name| layout.lock(position(&layout, name)));
    assert_eq!(mailbox, MailboxRecord { overflow: false, entries: hints.to_vec() });
}

#[test]
fn the_locks_are_found_at_their_homes_and_held_as_they_were() {
    let frozen = frozen();
    let free = frozen.lock(FREE);
    assert_eq!((free.lock.mode, free.lock.owner, free.children), (LockMode::Free, None, 0));
    let exclusive = frozen.lock(EXCLUSIVE);
    assert_eq!(
        (exclusive.lock.mode, exclusive.lock.owner, exclusive.lock.interest),
        (LockMode::Exclusive, Some(owner(0)), true)
    );
    let shared = frozen.lock(SHARED);
    let holders: Vec<SlotIndex> = shared.lock.holders.iter().collect();
    assert_eq!((shared.lock.mode, holders), (LockMode::Shared, vec![SlotIndex(0), SlotIndex(1)]));
    let parent = frozen.lock(PARENT);
    assert_eq!((parent.lock.mode, parent.lock.owner, parent.children), (LockMode::Free, None, 0x8005));
    assert_eq!(frozen.lock(UNKNOWN).lock.mode, LockMode::Unknown);
    let layout = frozen.superblock.record.layout;
    let names = [FREE, EXCLUSIVE, SHARED, PARENT, UNKNOWN].map(|name| position(&layout, name));
    let unused = (0..layout.lock_positions()).map(LockPosition).find(|found| !names.contains(found));
    let unused: LockRecord = frozen.read(layout.lock(unused.unwrap())).unwrap();
    assert_eq!(unused, LockRecord::never_used());
}
