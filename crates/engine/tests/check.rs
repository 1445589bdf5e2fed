//! The check finds nothing in what is whole, reads it once, and finds each thing that is not.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

use std::collections::BTreeMap;

use oarlock_block::{BlockSize, CommandKind, Lba};
use oarlock_engine::check::{CheckError, CheckOptions, check};
use oarlock_format::{LockPosition, SlotIndex};

use crate::machine::{BLOCK, Disk, Machine, SMALL, codes};

#[test]
fn a_fresh_datastore_is_clean_and_read_once_and_its_disks_once_more_for_what_is_whose() {
    let machine = Machine::new(SMALL);
    machine.format();
    let (world, recorded) = machine.recorded();
    let report = machine.time.run(check(&world, &CheckOptions::default(), &|_, _| {})).unwrap();
    assert_eq!((report.clean, report.exit_code(), report.findings), (true, 0, Vec::new()));
    let layout = machine.layout();
    let commands: Vec<_> = recorded.take().into_iter().map(|command| (command.kind, command.lba)).collect();
    let read = |lba| (CommandKind::Read, lba);
    let copies = [Lba(0), layout.shadow.start, layout.locks.start, layout.slots.start];
    let names = [layout.directory.start, layout.descriptors.start];
    let journals = (0..4).map(|slot| layout.journal(SlotIndex(slot), BlockSize::B512).header);
    let groups = [layout.groups.start];
    let survey = [layout.slots.start].into_iter().chain(names).chain(groups);
    let lbas = copies.into_iter().chain(names).chain(journals).chain(groups).chain(survey);
    assert_eq!(commands, lbas.map(read).collect::<Vec<_>>());
}

#[test]
fn the_largest_table_of_locks_is_read_a_megabyte_at_a_time() {
    let machine = Machine::new(2 << 30);
    machine.format();
    let (world, recorded) = machine.recorded();
    let report = machine.time.run(check(&world, &CheckOptions::default(), &|_, _| {})).unwrap();
    assert!(report.clean);
    assert_eq!(machine.layout().lock_positions(), 16_384);
    let read = recorded.take();
    assert!(read.iter().all(|command| command.blocks.0 <= 2_048));
    let locks = 2 + 8 + 1;
    let disks = 1 + 1 + 4 + 4;
    let survey = 1 + 1 + 1 + 4;
    assert_eq!(read.len(), locks + disks + survey, "8 MiB of locks are 8 reads, and each group is one");
}

#[test]
fn a_repair_of_what_is_clean_sends_nothing() {
    let machine = Machine::new(SMALL);
    machine.format();
    let (world, recorded) = machine.recorded();
    let options = CheckOptions { repair: true, host: None };
    let report = machine.time.run(check(&world, &options, &|_, _| {})).unwrap();
    assert!(report.clean && report.repaired_as.is_none());
    assert!(recorded.take().iter().all(|command| command.kind == CommandKind::Read));
}

#[test]
fn progress_ends_with_everything() {
    let machine = Machine::new(SMALL);
    machine.format();
    let last = std::cell::Cell::new((0, 0));
    let world = machine.process().0;
    let progress = |done, total| last.set((done, total));
    machine.time.run(check(&world, &CheckOptions::default(), &progress)).unwrap();
    assert_eq!(last.get().0, last.get().1);
    assert!(last.get().0 > 0);
}

#[test]
fn a_live_record_that_is_read_torn_is_no_damage() {
    let machine = Machine::new(SMALL);
    machine.format();
    let layout = machine.layout();
    machine.disk.tear(layout.slot(SlotIndex(1)), 7);
    machine.disk.tear(layout.lock(LockPosition(5)), 3);
    machine.disk.tear(Lba(0), 2);
    let report = machine.check();
    assert_eq!(codes(&report), Vec::<&str>::new());
    machine.disk.tear(layout.slot(SlotIndex(1)), 8);
    assert_eq!(codes(&machine.check()), ["CHK-0201"], "eight torn reads in a row are believed");
}

#[test]
fn a_block_that_the_medium_lost_is_damage_that_no_repair_touches() {
    let machine = Machine::new(SMALL);
    machine.format();
    machine.disk.lose(machine.layout().lock(LockPosition(9)));
    let report = machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0001"], 4));
}

#[test]
fn a_block_between_two_records_is_a_note() {
    let machine = Machine::with_disk(Disk::with_stride(96 << 20, 8));
    machine.format();
    let gap = machine.layout().lock(LockPosition(3));
    machine.disk.put(Lba(gap.0 + 1), &[7; BLOCK]);
    let report = machine.check();
    assert_eq!((codes(&report), report.clean), (vec!["CHK-0003"], true));
    assert_eq!(report.findings[0].place.lba, Lba(gap.0 + 1));
}

#[test]
fn a_device_without_a_datastore_is_an_error_and_not_damage() {
    let machine = Machine::new(SMALL);
    let world = machine.process().0;
    let error = machine.time.run(check(&world, &CheckOptions::default(), &|_, _| {})).unwrap_err();
    assert!(matches!(error, CheckError::NoSuperblock(_)), "{error}");
}

#[test]
fn what_the_device_contradicts_is_told() {
    let machine = Machine::new(SMALL);
    machine.format();
    machine.disk.set_identity("file:another");
    assert_eq!(codes(&machine.check()), ["CHK-0110"]);
    machine.disk.set_identity("file:test");
    machine.disk.set_length(SMALL / 512 + 64);
    assert_eq!(codes(&machine.check()), ["CHK-0112"]);
    machine.disk.set_length(SMALL / 512 - 64);
    let report = machine.repair();
    assert_eq!(
        (codes(&report), report.exit_code()),
        (vec!["CHK-0111"], 4),
        "of the lost shadow nothing is said"
    );
}

#[test]
fn nothing_is_repaired_on_a_copy_of_the_device() {
    let machine = Machine::new(SMALL);
    machine.format();
    machine.disk.put(machine.layout().lock(LockPosition(9)), &[0; BLOCK]);
    machine.disk.set_identity("file:another");
    let report = machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0110", "CHK-0401"], 4));
    assert!(report.findings[1].refused.as_ref().unwrap().contains("resignature"));
}

/// The blocks of a dump, as `crates/format/tests/volume` writes it: `zN.` stands for N zeros.
fn blocks(dump: &str) -> BTreeMap<u64, Vec<u8>> {
    let lines = dump.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    lines
        .map(|line| {
            let (lba, mut rest) = line.split_once(' ').unwrap();
            let mut bytes = Vec::new();
            while !rest.is_empty() {
                if let Some(run) = rest.strip_prefix('z') {
                    let (count, after) = run.split_once('.').unwrap();
                    bytes.resize(bytes.len() + count.parse::<usize>().unwrap(), 0);
                    rest = after;
                } else {
                    let (byte, after) = rest.split_at(2);
                    bytes.push(u8::from_str_radix(byte, 16).unwrap());
                    rest = after;
                }
            }
            bytes.resize(BLOCK, 0);
            (lba.parse().unwrap(), bytes)
        })
        .collect()
}

#[test]
fn the_frozen_volume_of_version_1_checks_as_it_was_left() {
    let machine = Machine::new(24 << 20);
    machine.disk.set_identity("file:frozen-v1");
    for (lba, bytes) in blocks(include_str!("../../../testdata/volumes/v1/volume.txt")) {
        machine.disk.put(Lba(lba), &bytes);
    }
    let report = machine.check();
    assert!(report.clean, "{:?}", report.findings);
    let found: Vec<_> =
        report.findings.iter().map(|finding| (finding.code.text(), finding.place.name.as_str())).collect();
    let (slots, locks): (Vec<_>, Vec<_>) = found.iter().partition(|(code, _)| *code < "CHK-0400");
    // alpha was asked, beta's image was written by alpha's hand (nobody lived there), gamma waits to be taken over.
    assert_eq!(slots, [("CHK-0209", "slot 0"), ("CHK-0207", "slot 1"), ("CHK-0206", "slot 2")]);
    // Four names stand at homes whose masks do not say so; one lock is unknown since a repair.
    let mut codes: Vec<_> = locks.iter().map(|(code, _)| *code).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["CHK-0406", "CHK-0406", "CHK-0406", "CHK-0406", "CHK-0409"]);
}
