//! Growth: beside live hosts, broken off at each command, and where it must refuse (R38).

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{BlockCount, BlockSize, Clock, CommandKind, Lba, SlotIndex};
use oarlock_engine::{GrowError, Grown, Host, OpenError, TOOL_SLOT, grow};
use oarlock_format::{
    DecodeError, Epoch, Generation, GroupNumber, GroupRecord, HostId, HostName, Incarnation, LayoutError,
    LockMode, LockState, Nonce, Owner, Place, SlotRecord, Stamp, Stamped, Superblock, Writer, decode,
    decode_superblock, encode,
};

use crate::machine::{Machine, SMALL, codes};

const LARGE: u64 = SMALL + (40 << 20);

fn grow_on(machine: &Machine) -> Result<Grown, GrowError> {
    machine.time.run(grow(&machine.process().0))
}

fn superblock(machine: &Machine, lba: Lba) -> Stamped<Superblock> {
    decode_superblock(&machine.disk.block(lba), lba).unwrap()
}

/// The first copy and the shadow that it names are one superblock, and the check has nothing to say.
fn is_whole(machine: &Machine) {
    let first = superblock(machine, Lba(0));
    let shadow = superblock(machine, first.record.layout.shadow.start);
    assert_eq!((first.stamp.generation, &first.record), (shadow.stamp.generation, &shadow.record));
    let report = machine.check();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn a_longer_device_gets_more_groups_and_its_shadow_at_the_new_end_and_nothing_else_moves() {
    let machine = Machine::new(SMALL);
    let before = machine.format();
    machine.disk.set_length(LARGE / 512);
    let grown = grow_on(&machine).unwrap();
    assert_eq!((grown.was, grown.unseen_by.len()), (before.record.clone(), 0));
    let after = superblock(&machine, Lba(0));
    assert_eq!(after.record, grown.now);
    assert_eq!(after.record.device_blocks, BlockCount(LARGE / 512));
    assert_eq!(after.record.layout.shadow.start, Lba(LARGE / 512 - 1));
    assert!(after.record.clusters() > before.record.clusters());
    let kept = |superblock: &Superblock| superblock.layout.regions()[..6].to_vec();
    assert_eq!(kept(&after.record), kept(&before.record));
    assert_eq!(after.stamp.generation, before.stamp.generation.next());
    is_whole(&machine);
}

#[test]
fn growth_costs_a_swap_per_superblock_and_one_for_the_short_group_and_none_where_nothing_was_gained() {
    let machine = Machine::new(SMALL);
    machine.format();
    machine.disk.set_length(LARGE / 512);
    // The second of the two that are more lengthens the group that was the last.
    for swaps in [3, 0] {
        let (world, recorded) = machine.recorded();
        machine.time.run(grow(&world)).unwrap();
        let sent = recorded.take().into_iter().filter(|entry| entry.kind == CommandKind::Ats).count();
        assert_eq!(sent, swaps);
    }
}

#[test]
fn live_hosts_show_the_new_superblock_before_the_growth_returns_and_go_on() {
    let machine = Machine::new(SMALL);
    let before = machine.format();
    let name = HostName::new("alpha").unwrap();
    let host = machine.time.run(Host::join(machine.process().0, &name, Rc::new(|_| {}))).unwrap();
    let slot = host.status().owner.slot;
    machine.disk.set_length(LARGE / 512);
    machine.time.run(async {
        let world = machine.process().0;
        let (run, story) = (host.run(), grow(&world));
        futures::pin_mut!(run, story);
        let grown = match futures::future::select(story, run).await {
            futures::future::Either::Left((grown, _)) => grown.unwrap(),
            futures::future::Either::Right((ended, _)) => panic!("the host ended: {ended}"),
        };
        assert!(grown.unseen_by.is_empty());
    });
    let next = before.stamp.generation.next();
    assert_eq!(beat_of(&machine, slot).superblock_generation, next);
    assert_eq!(host.superblock().stamp.generation, next);
    assert_eq!(host.superblock().record.device_blocks, BlockCount(LARGE / 512));
    is_whole(&machine);
}

fn beat_of(machine: &Machine, slot: SlotIndex) -> SlotRecord {
    let format_id = superblock(machine, Lba(0)).stamp.format_id;
    let lba = machine.layout().slot(slot);
    decode::<SlotRecord>(&machine.disk.block(lba), &Place { format_id, lba }).unwrap().record
}

#[test]
fn a_host_that_does_not_answer_is_named_and_the_growth_ends_all_the_same() {
    let machine = Machine::new(SMALL);
    machine.format();
    let name = HostName::new("alpha").unwrap();
    let _silent = machine.time.run(Host::join(machine.process().0, &name, Rc::new(|_| {}))).unwrap();
    machine.disk.set_length(LARGE / 512);
    let began = machine.time.now();
    assert_eq!(grow_on(&machine).unwrap().unseen_by, ["alpha"]);
    assert!(machine.time.now().since(began) < Duration::from_secs(30));
    // Asked again, it is still the same one; the superblock stays as it is.
    let first = superblock(&machine, Lba(0));
    assert_eq!(grow_on(&machine).unwrap().unseen_by, ["alpha"]);
    assert_eq!(superblock(&machine, Lba(0)), first);
}

#[test]
fn broken_off_between_its_two_writes_it_is_finished_by_the_next_with_the_same_superblock() {
    let machine = Machine::new(SMALL);
    let group = machine.format().record.layout.groups.start;
    let (first, short) = (machine.disk.block(Lba(0)), machine.disk.block(group));
    machine.disk.set_length(LARGE / 512);
    let grown = grow_on(&machine).unwrap();
    let shadow = grown.now.layout.shadow.start;
    let standing = machine.disk.block(shadow);
    // The first copy was not reached, nor what comes after it.
    machine.disk.put(Lba(0), &first);
    machine.disk.put(group, &short);
    assert_eq!(machine.check().exit_code(), 0, "the datastore is whole as it was");
    assert_eq!(grow_on(&machine).unwrap().now, grown.now);
    assert_eq!(machine.disk.block(shadow), standing, "what stood was not written again");
    is_whole(&machine);
}

#[test]
fn a_broken_off_growth_to_another_length_is_in_nobodys_way() {
    let machine = Machine::new(SMALL);
    machine.format();
    let first = machine.disk.block(Lba(0));
    machine.disk.set_length(LARGE / 512);
    grow_on(&machine).unwrap();
    machine.disk.put(Lba(0), &first);
    machine.disk.set_length(LARGE / 512 + 9_999);
    grow_on(&machine).unwrap();
    is_whole(&machine);
}

#[test]
fn after_each_write_of_a_growth_either_copy_alone_still_tells_the_datastore() {
    let machine = Machine::new(SMALL);
    machine.format();
    let first = machine.disk.block(Lba(0));
    machine.disk.set_length(LARGE / 512);
    grow_on(&machine).unwrap();
    for spoilt_at in [first.clone(), machine.disk.block(Lba(0))] {
        machine.disk.put(Lba(0), &spoilt_at);
        let mut rotten = spoilt_at;
        rotten[300] ^= 1;
        machine.disk.put(Lba(0), &rotten);
        assert_eq!(machine.repair().exit_code(), 3, "the shadow at the new end stands in");
        is_whole(&machine);
    }
}

/// Blocks of a whole group.
const GROUP: u64 = 8_192 * 128;

/// A datastore of one whole group and so many blocks more, behind which the shadow stands.
fn ends_behind_its_first_group(blocks: u64) -> Machine {
    let machine = Machine::new(SMALL);
    let groups = machine.format().record.layout.groups.start;
    machine.disk.set_length(groups.0 + GROUP + blocks + 1);
    let grown = grow_on(&machine).unwrap();
    assert_eq!(grown.now.layout.shadow.start, Lba(groups.0 + GROUP + blocks));
    machine
}

fn group(machine: &Machine, number: u32) -> Result<GroupRecord, DecodeError> {
    let superblock = superblock(machine, Lba(0));
    let lba = superblock.record.space().record(GroupNumber(number));
    let place = Place { format_id: superblock.stamp.format_id, lba };
    decode::<GroupRecord>(&machine.disk.block(lba), &place).map(|stamped| stamped.record)
}

#[test]
fn the_group_that_reaches_over_the_old_end_gets_its_clusters_wherever_in_it_the_old_shadow_stands() {
    // Under its record, under its bitmap, in the rest of its head, behind too few clusters to make a group of, and behind enough.
    for blocks in [0, 8, 15, 16, 127, 128 * 15, 128 * 16, 128 * 500 + 77] {
        let machine = ends_behind_its_first_group(blocks);
        let had = superblock(&machine, Lba(0)).record.space().groups();
        assert_eq!(had, if blocks < 128 * 16 { 1 } else { 2 }, "{blocks} blocks");
        machine.disk.set_length(superblock(&machine, Lba(0)).record.layout.groups.start.0 + 3 * GROUP + 9);
        grow_on(&machine).unwrap();
        let space = superblock(&machine, Lba(0)).record.space();
        assert_eq!((space.groups(), group(&machine, 1).unwrap().clusters), (3, 8_192), "{blocks} blocks");
        assert_eq!(group(&machine, 1).unwrap().free, 8_191);
        is_whole(&machine);
    }
}

#[test]
fn while_a_host_believes_in_the_old_superblock_nothing_over_the_old_end_can_be_given_out() {
    for blocks in [0, 8, 128 * 500 + 77] {
        let machine = ends_behind_its_first_group(blocks);
        let before = superblock(&machine, Lba(0)).record;
        let old_shadow = machine.disk.block(before.layout.shadow.start);
        let name = HostName::new("alpha").unwrap();
        let (world, process) = machine.process();
        let silent = machine.time.run(Host::join(world, &name, Rc::new(|_| {}))).unwrap();
        machine.disk.set_length(before.layout.groups.start.0 + 3 * GROUP + 9);
        assert_eq!(grow_on(&machine).unwrap().unseen_by, ["alpha"]);
        assert_eq!(machine.disk.block(before.layout.shadow.start), old_shadow, "{blocks} blocks");
        match group(&machine, 1) {
            // A shadow at the group's own first block leaves no place for its record.
            Err(error) => assert!(blocks == 0 && matches!(error, DecodeError::WrongKind { .. })),
            Ok(record) => {
                let had = before.space().clusters_of(GroupNumber(1)).max(1);
                assert_eq!((record.clusters, record.free), (had, had - 1), "{blocks} blocks");
            }
        }
        assert_eq!(group(&machine, 2).unwrap().clusters, 8_192, "what lies behind it is ready");
        let report = machine.check();
        // The host was asked to look, and the group is not opened.
        let found = (codes(&report), report.exit_code());
        assert_eq!(found, (vec!["CHK-0209", "CHK-0803"], 0), "{:?}", report.findings);
        // The host is gone: run again, the growth is brought to its end.
        drop(silent);
        machine.kill(process);
        assert!(grow_on(&machine).unwrap().unseen_by.is_empty());
        assert_eq!(group(&machine, 1).unwrap().clusters, 8_192);
        let found = codes(&machine.check());
        assert!(!found.contains(&"CHK-0803"), "{found:?}");
    }
}

#[test]
fn a_group_that_is_held_is_lengthened_under_its_owner_and_keeps_its_lock_and_its_bitmap() {
    let machine = Machine::new(SMALL);
    let format = machine.format();
    let space = format.record.space();
    let (lba, bitmap) = (space.record(GroupNumber(0)), space.bitmap(GroupNumber(0)));
    let held = GroupRecord {
        lock: LockState {
            mode: LockMode::Exclusive,
            owner: Some(Owner { slot: SlotIndex(1), host: HostId(7), incarnation: Incarnation(1) }),
            epoch: Epoch(4),
            ..LockState::NEVER_HELD
        },
        free: 30,
        ..group(&machine, 0).unwrap()
    };
    let stamp = Stamp {
        format_id: format.stamp.format_id,
        lba,
        generation: Generation(2),
        writer: Writer::Tool,
        nonce: Nonce(5),
    };
    machine.disk.put(lba, encode(&stamp, &held, BlockSize::B512).bytes());
    let bits: Vec<_> = (0..8).map(|block| machine.disk.block(Lba(bitmap.0 + block))).collect();
    machine.disk.set_length(LARGE / 512);
    let grown = grow_on(&machine).unwrap().now.space().clusters_of(GroupNumber(0));
    assert!(grown > held.clusters);
    let longer = GroupRecord { clusters: grown, free: 30 + grown - held.clusters, ..held };
    assert_eq!(group(&machine, 0), Ok(longer));
    let after: Vec<_> = (0..8).map(|block| machine.disk.block(Lba(bitmap.0 + block))).collect();
    assert_eq!(after, bits);
}

#[test]
fn of_two_growths_at_once_the_second_is_refused() {
    let machine = Machine::new(SMALL);
    machine.format();
    let other = machine.process().0;
    machine.time.run(other.cut_off.enter(TOOL_SLOT)).unwrap();
    assert_eq!(grow_on(&machine), Err(GrowError::UnderWay));
    machine.time.run(other.cut_off.exit(TOOL_SLOT));
    assert!(grow_on(&machine).is_ok());
}

#[test]
fn a_datastore_without_disks_grows_as_before() {
    let machine = Machine::new(SMALL);
    let format = machine.format();
    let plain = Superblock { features_incompatible: 0, ..format.record.clone() };
    for lba in [Lba(0), format.record.layout.shadow.start] {
        let stamp = Stamp { lba, ..format.stamp };
        machine.disk.put(lba, encode(&stamp, &plain, BlockSize::B512).bytes());
    }
    machine.disk.set_length(LARGE / 512);
    let (world, recorded) = machine.recorded();
    let grown = machine.time.run(grow(&world)).unwrap();
    assert_eq!(grown.now.features_incompatible, 0);
    assert!(recorded.take().iter().all(|command| command.kind != CommandKind::Write));
    is_whole(&machine);
}

#[test]
fn a_device_that_shrank_is_no_place_to_grow_and_a_damaged_first_copy_is_repaired_first() {
    let machine = Machine::new(SMALL);
    machine.format();
    machine.disk.set_length(SMALL / 512 - 8);
    assert!(matches!(grow_on(&machine), Err(GrowError::Open(OpenError::Truncated { .. }))));
    machine.disk.set_length(SMALL / 512);
    let mut rotten = machine.disk.block(Lba(0));
    rotten[300] ^= 1;
    machine.disk.put(Lba(0), &rotten);
    assert!(matches!(grow_on(&machine), Err(GrowError::Unrepaired { .. })));
}

#[test]
fn a_device_beyond_the_largest_datastore_is_refused_and_nothing_is_written() {
    let machine = Machine::new(SMALL);
    machine.format();
    let first = machine.disk.block(Lba(0));
    machine.disk.set_length((64 << 40) / 512 + 1);
    assert!(matches!(grow_on(&machine), Err(GrowError::Layout(LayoutError::TooLarge { .. }))));
    assert_eq!(machine.disk.block(Lba(0)), first);
}

/// A LUN that grew, and nobody has run `grow` yet.
fn longer_and_not_grown() -> Machine {
    let machine = Machine::new(SMALL);
    machine.format();
    machine.disk.set_length(LARGE / 512);
    machine
}

#[test]
fn a_damaged_first_copy_leads_to_the_shadow_at_the_former_end_of_a_device_that_got_longer() {
    // A bit of the label; one of the shadow's own address, and one of the device's length, of which the other leads there.
    for offset in [190, 481, 105] {
        let machine = longer_and_not_grown();
        let mut rotten = machine.disk.block(Lba(0));
        rotten[offset] ^= 1;
        machine.disk.put(Lba(0), &rotten);
        let name = HostName::new("alpha").unwrap();
        assert!(
            machine.time.run(Host::join(machine.process().0, &name, Rc::new(|_| {}))).is_ok(),
            "{offset}"
        );
    }
    let machine = longer_and_not_grown();
    let mut rotten = machine.disk.block(Lba(0));
    rotten[190] ^= 1;
    machine.disk.put(Lba(0), &rotten);
    assert_eq!(machine.repair().exit_code(), 3);
    grow_on(&machine).unwrap();
    is_whole(&machine);
}

#[test]
fn an_overwritten_first_copy_is_restored_from_a_former_end_at_a_whole_gibibyte_and_from_no_old_shadow() {
    const GIBIBYTE: u64 = 1 << 30;
    let machine = Machine::new(2 * GIBIBYTE);
    machine.format();
    machine.disk.set_length(5 * GIBIBYTE / 512 + 77);
    machine.disk.put(Lba(0), &[0; 512]);
    assert_eq!(machine.repair().exit_code(), 3);
    assert_eq!(machine.check().exit_code(), 0);
    // Grown, and both present copies damaged: the old shadow does not speak for them.
    let grown = grow_on(&machine).unwrap();
    for lba in [Lba(0), grown.now.layout.shadow.start] {
        let mut rotten = machine.disk.block(lba);
        rotten[190] ^= 1;
        machine.disk.put(lba, &rotten);
    }
    assert_eq!(machine.repair().exit_code(), 4, "nothing is guessed");
}

#[test]
fn a_host_that_read_the_superblock_before_a_growth_and_claims_after_it_knows_it() {
    let machine = Machine::new(SMALL);
    let before = machine.format();
    let name = HostName::new("alpha").unwrap();
    // A silent namesake: the joiner watches it before it claims a slot.
    let _silent = machine.time.run(Host::join(machine.process().0, &name, Rc::new(|_| {}))).unwrap();
    machine.disk.set_length(LARGE / 512);
    let joined = machine.time.run(async {
        let (joiner, grower) = (machine.process().0, machine.process().0);
        let joining = Host::join(joiner, &name, Rc::new(|_| {}));
        let growing = async {
            machine.time.sleep_until(machine.time.now().plus(Duration::from_secs(1))).await;
            grow(&grower).await
        };
        futures::join!(joining, growing).0.unwrap()
    });
    assert_eq!(joined.superblock().stamp.generation, before.stamp.generation.next());
}
