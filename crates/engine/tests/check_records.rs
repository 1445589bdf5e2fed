//! The repair of records and pages of disks: each kind is damaged in each way, made anew, and then nothing is wrong, and every disk
//! shows what it did. What nothing proves stays as it is.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::rc::Rc;

use oarlock_block::{BlockSize, Device, Lba, SlotIndex};
use oarlock_engine::check::CheckReport;
use oarlock_format::{ClusterIndex, DescriptorNumber, JournalHeader, LockMode};

use crate::company::{beside, read};
use crate::estate::{Estate, named, target};
use crate::ledger::superblock;
use crate::machine::{BLOCK, Machine, codes};
use crate::power::Power;
use crate::volume::{GROUP, Volume, volume, worker, write};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// One bit, which the checksum proves.
    Bit,
    /// Two bits, and nothing proves which.
    Bits,
    /// The second half is another's.
    Torn,
    Zeroed,
}

const HARMS: [Harm; 4] = [Harm::Bit, Harm::Bits, Harm::Torn, Harm::Zeroed];

fn harm(volume: &Volume, lba: Lba, harm: Harm) {
    let mut bytes = volume.machine.disk.block(lba);
    match harm {
        Harm::Bit => bytes[100] ^= 1,
        Harm::Bits => (bytes[100] ^= 1, bytes[200] ^= 4).1,
        Harm::Torn => bytes[BLOCK / 4..].fill(0xA5),
        Harm::Zeroed => bytes.fill(0),
    }
    volume.machine.disk.put(lba, &bytes);
}

/// The places of one record of each kind that some disk needs, each with its code.
fn places(volume: &Volume) -> Vec<(&'static str, Lba)> {
    let (layout, space) = (volume.machine.layout(), superblock(&volume.machine).space());
    let ring = (0..4).map(|slot| layout.journal(SlotIndex(slot), BlockSize::B512).header);
    let is_used = |lba: &Lba| read::<JournalHeader>(&volume.machine, *lba).incarnation.0 > 0;
    vec![
        ("CHK-0501", volume.bucket("c").0),
        ("CHK-0501", volume.bucket("s").0),
        ("CHK-0701", ring.into_iter().find(is_used).unwrap()),
        ("CHK-0801", space.record(GROUP)),
        ("CHK-0804", space.bitmap(GROUP)),
    ]
}

fn refusals(report: &CheckReport) -> Vec<String> {
    report.findings.iter().filter_map(|finding| finding.refused.clone()).collect()
}

#[test]
fn each_record_that_can_be_derived_is_made_anew_however_it_was_damaged() {
    for index in 0..places(&volume()).len() {
        for how in HARMS {
            let volume = volume();
            let before = volume.estate();
            let (code, lba) = places(&volume)[index];
            harm(&volume, lba, how);
            assert!(codes(&volume.found()).contains(&code), "{code} {how:?}");
            let report = volume.machine.repair();
            assert_eq!(report.exit_code(), 3, "{code} {how:?}: {:?}", report.findings);
            assert!(report.repaired_as.is_some());
            volume.is_whole();
            assert!(volume.estate() == before, "{code} {how:?}");
            let again = volume.machine.repair();
            assert_eq!((again.findings, again.repaired_as), (Vec::new(), None), "{code} {how:?}");
        }
    }
}

#[test]
fn a_bucket_that_was_made_anew_has_the_entries_that_it_had() {
    let volume = volume();
    let (lba, before) = volume.bucket("c");
    harm(&volume, lba, Harm::Zeroed);
    // Beside it nobody finds the disk: and the repair of this is that of the bucket.
    let found = volume.found();
    assert_eq!(codes(&found), ["CHK-0501", "CHK-0603"]);
    let unlisted = found.findings.iter().find(|finding| finding.code.text() == "CHK-0603").unwrap();
    assert!(unlisted.message.contains("does not read"), "{}", unlisted.message);
    let report = volume.machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0501"], 3));
    assert_eq!(volume.bucket("c").1, before);
}

#[test]
fn a_bucket_is_made_anew_beside_hosts_that_work() {
    let volume = volume();
    let (worker, _) = worker(&volume.machine, "b");
    beside(&volume.machine, &worker.host, async {
        let disk = worker.attach("c").await.unwrap();
        write(&worker, &disk, (0, 64), 9).await;
        harm(&volume, volume.bucket("c").0, Harm::Torn);
        harm(&volume, volume.bucket("s").0, Harm::Bit);
        let world = volume.machine.process().0;
        let options = oarlock_engine::check::CheckOptions { repair: true, host: None };
        let report = oarlock_engine::check::check(&world, &options, &|_, _| {}).await.unwrap();
        assert_eq!(report.exit_code(), 3, "{:?}", report.findings);
        disk.detach().await.unwrap();
        worker.host.rename_disk(&named("c"), &named("d"), worker.soon()).await.unwrap();
    });
}

/// What the repair of a volume says, where not all of it could be done.
fn refused(volume: &Volume) -> Vec<String> {
    let report = volume.machine.repair();
    assert_eq!(report.exit_code(), 4, "{:?}", report.findings);
    refusals(&report)
}

#[test]
fn a_descriptor_that_its_bytes_prove_stands_again_and_nobody_holds_it() {
    for name in ["a", "c", "s"] {
        let volume = volume();
        let (before, was) = (volume.estate(), volume.descriptor(name));
        let lba = volume.machine.layout().descriptor(volume.number(name));
        harm(&volume, lba, Harm::Bit);
        assert!(codes(&volume.found()).contains(&"CHK-0601"));
        assert_eq!(volume.machine.repair().exit_code(), 3);
        let now = volume.descriptor(name);
        assert_eq!((now.lock.mode, now.lock.owner, &now.layer), (LockMode::Free, None, &was.layer));
        assert!(now.lock.epoch > was.lock.epoch);
        volume.is_whole();
        assert!(volume.estate() == before);
    }
}

#[test]
fn a_descriptor_that_is_lost_is_told_of_and_nothing_of_it_is_given_away() {
    let volume = volume();
    let lba = volume.machine.layout().descriptor(volume.number("c"));
    let clusters = volume.bitmap();
    harm(&volume, lba, Harm::Zeroed);
    let bytes = volume.machine.disk.block(lba);
    let found = volume.found();
    let finding = found.findings.iter().find(|finding| finding.code.text() == "CHK-0601").unwrap();
    assert!(finding.message.contains("it was `c`"), "{}", finding.message);
    for _ in 0..2 {
        let why = refused(&volume);
        assert!(why.iter().any(|why| why.contains("restored from a backup")), "{why:?}");
        assert_eq!(volume.machine.disk.block(lba), bytes);
        let (now, space) = (volume.bitmap(), superblock(&volume.machine).space());
        for index in (0..space.clusters_of(GROUP)).map(|index| ClusterIndex(u16::try_from(index).unwrap())) {
            assert_eq!(now.is_taken(index), clusters.is_taken(index), "cluster {index}");
        }
    }
}

#[test]
fn what_stands_on_a_layer_whose_descriptor_is_lost_shows_what_it_did() {
    let volume = volume();
    let before = volume.estate();
    harm(&volume, volume.machine.layout().descriptor(volume.number("s")), Harm::Zeroed);
    let why = refused(&volume);
    assert!(why.iter().any(|why| why.contains("stand on it")), "{why:?}");
    let now = volume.estate();
    for name in ["a", "b", "c"] {
        assert!(now[name].now == before[name].now, "{name}");
    }
}

#[test]
fn a_descriptor_beside_a_lost_one_or_a_lost_bucket_is_not_taken_for_nobodys() {
    let unused = DescriptorNumber(99);
    // Another that is lost may stand on it.
    let volume = volume();
    let layout = volume.machine.layout();
    let lost = layout.descriptor(volume.number("c"));
    harm(&volume, lost, Harm::Zeroed);
    harm(&volume, layout.descriptor(unused), Harm::Zeroed);
    let why = refused(&volume);
    assert!(why.iter().any(|why| why.contains("may stand on it")), "{why:?}");
    // And where its entry is lost as well, the bucket is not made anew without it: nothing would lead to it any more.
    let volume = crate::volume::volume();
    let (bucket, lost) = (volume.bucket("c").0, layout.descriptor(volume.number("c")));
    harm(&volume, lost, Harm::Zeroed);
    harm(&volume, bucket, Harm::Zeroed);
    for _ in 0..2 {
        let why = refused(&volume);
        assert!(why.iter().any(|why| why.contains("may have had an entry here")), "{why:?}");
        assert_eq!(volume.machine.disk.block(lost), [0; BLOCK]);
    }
}

#[test]
fn descriptors_and_buckets_that_nothing_leads_to_are_free_again_however_many_are_lost() {
    let volume = volume();
    let (before, layout) = (volume.estate(), volume.machine.layout());
    for number in (90..110).map(DescriptorNumber) {
        harm(&volume, layout.descriptor(number), Harm::Zeroed);
        harm(&volume, layout.descriptor_name(number), Harm::Zeroed);
    }
    let report = volume.machine.repair();
    assert_eq!(report.exit_code(), 3, "{:?}", report.findings);
    volume.is_whole();
    assert!(volume.estate() == before);
}

#[test]
fn a_name_that_something_proves_stands_again() {
    for name in ["c", "s"] {
        // The bits are behind the name: what is left has the hash that the descriptor says.
        for how in [Harm::Bit, Harm::Bits, Harm::Torn] {
            let volume = volume();
            let before = volume.estate();
            harm(&volume, volume.machine.layout().descriptor_name(volume.number(name)), how);
            let report = volume.machine.repair();
            assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0602"], 3), "{name} {how:?}");
            volume.is_whole();
            assert!(volume.estate() == before, "{name} {how:?}");
        }
    }
}

#[test]
fn a_disk_or_snapshot_whose_name_is_lost_gets_another_and_shows_what_it_did() {
    for name in ["c", "s"] {
        let volume = volume();
        let (mut before, number) = (volume.estate(), volume.number(name));
        harm(&volume, volume.machine.layout().descriptor_name(number), Harm::Zeroed);
        let report = volume.machine.repair();
        assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0602", "CHK-0604"], 3));
        volume.is_whole();
        let new = format!("recovered-{number}");
        match before.remove(name) {
            Some(image) => drop(before.insert(new, image)),
            None => {
                let snapshots = &mut before.get_mut("a").unwrap().snapshots;
                let contents = snapshots.remove(name).unwrap();
                snapshots.insert(new, contents);
            }
        }
        assert!(volume.estate() == before, "{name}");
        let again = volume.machine.repair();
        assert_eq!((again.findings, again.repaired_as), (Vec::new(), None));
    }
}

#[test]
fn what_a_living_host_may_hold_is_left_alone_until_it_is_gone() {
    let volume = volume();
    let before = volume.estate();
    let layout = volume.machine.layout();
    let descriptor = layout.descriptor(volume.number("c"));
    let record = superblock(&volume.machine).space().record(GROUP);
    let (worker, process) = worker(&volume.machine, "b");
    let slot = worker.host.status().owner.slot;
    let header = layout.journal(slot, BlockSize::B512).header;
    let bad = [descriptor, record, header];
    bad.iter().for_each(|lba| harm(&volume, *lba, Harm::Bit));
    let was: Vec<_> = bad.iter().map(|lba| volume.machine.disk.block(*lba)).collect();
    let report = beside(&volume.machine, &worker.host, async {
        let world = volume.machine.process().0;
        let options = oarlock_engine::check::CheckOptions { repair: true, host: None };
        oarlock_engine::check::check(&world, &options, &|_, _| {}).await.unwrap()
    });
    assert_eq!(report.exit_code(), 4);
    let why = refusals(&report);
    assert!(why.iter().any(|why| why.contains("may hold it: stop all hosts")), "{why:?}");
    assert!(why.iter().any(|why| why.contains("is not free")), "{why:?}");
    assert_eq!(bad.iter().map(|lba| volume.machine.disk.block(*lba)).collect::<Vec<_>>(), was);
    // The death of a host is found out, and it is taken over first: but for the one whose journal does not read.
    volume.machine.kill(process);
    let why = refused(&volume);
    assert!(why.iter().any(|why| why.contains("is dead and not taken over")), "{why:?}");
    let mut bytes = volume.machine.disk.block(header);
    bytes[100] ^= 1;
    volume.machine.disk.put(header, &bytes);
    assert_eq!(volume.machine.repair().exit_code(), 3);
    volume.is_whole();
    assert!(volume.estate() == before);
}

/// A host writes to `c`, and dies with all of it in its journal.
fn die_over(volume: &Volume) {
    let (worker, process) = worker(&volume.machine, "b");
    beside(&volume.machine, &worker.host, async {
        let disk = worker.attach("c").await.unwrap();
        write(&worker, &disk, (2_000, 900), 5).await;
        std::mem::forget(disk);
    });
    volume.machine.kill(process);
}

#[test]
fn a_group_that_a_dead_host_had_is_made_anew_and_what_the_host_owed_is_there() {
    for how in HARMS {
        let volume = volume();
        die_over(&volume);
        let before = Volume { machine: volume.machine.copy() }.estate();
        harm(&volume, superblock(&volume.machine).space().record(GROUP), how);
        let report = volume.machine.repair();
        assert_eq!(report.exit_code(), 3, "{how:?}: {:?}", report.findings);
        assert!(volume.estate() == before, "{how:?}");
        volume.is_whole();
    }
}

#[test]
fn a_bitmap_that_was_made_anew_beside_a_living_host_gives_nothing_away() {
    let volume = volume();
    let before = volume.estate();
    let (worker, _) = worker(&volume.machine, "b");
    beside(&volume.machine, &worker.host, async {
        let disk = worker.host.attach_disk(&target("c", None), true, worker.soon()).await.unwrap();
        harm(&volume, superblock(&volume.machine).space().bitmap(GROUP), Harm::Torn);
        let world = volume.machine.process().0;
        let options = oarlock_engine::check::CheckOptions { repair: true, host: None };
        let report = oarlock_engine::check::check(&world, &options, &|_, _| {}).await.unwrap();
        assert_eq!(report.exit_code(), 3, "{:?}", report.findings);
        assert!(report.not_judged.iter().any(|why| why.contains("may have them in hand")), "{report:?}");
        let (bitmap, space) = (volume.bitmap(), superblock(&volume.machine).space());
        assert_eq!(bitmap.free(space.clusters_of(GROUP)), 0, "whose each is nobody knows beside a host");
        disk.detach().await.unwrap();
        assert_eq!(worker.host.leave(worker.soon()).await, oarlock_engine::Ended::Left);
    });
    let report = volume.machine.repair();
    assert_eq!((codes(&report), report.exit_code()), (vec!["CHK-0806"], 0));
    volume.is_whole();
    assert!(volume.estate() == before);
}

/// Repairs the volume, and again after each loss of power in the middle of that. Nothing that is in use is ever marked as free
/// beside a record that is sound: whoever came by would give it away. How many ends were looked at.
fn repaired_after_every_loss_of_power(volume: &Volume, before: &Estate, case: &str) -> usize {
    let power = Power::new(Rc::clone(&volume.machine.disk));
    let world = volume.machine.process_on(Rc::clone(&power) as Rc<dyn Device>).0;
    let options = oarlock_engine::check::CheckOptions { repair: true, host: None };
    let check = oarlock_engine::check::check(&world, &options, &|_, _| {});
    assert_eq!(volume.machine.time.run(check).unwrap().exit_code(), 3, "{case}");
    let mut ends = 0;
    for cut in 0..=power.commands() {
        for disk in power.disks_lost(cut, 1) {
            let lost = Volume { machine: Machine::with_disk(disk) };
            let found = lost.found();
            assert!(!codes(&found).contains(&"CHK-0807"), "{case}, {cut}: {:?}", found.findings);
            let report = lost.machine.repair();
            assert!([0, 3].contains(&report.exit_code()), "{case}, {cut}: {:?}", report.findings);
            // What was begun by the host that is gone, and counted as its own, is put right behind its takeover.
            let _ = lost.machine.repair();
            // A bit may stand in the journal of a host that is gone: whoever has its group next replays it.
            let mut found = lost.found();
            // Nor is anybody in need of what a burial that is half done still holds.
            found.findings.retain(|finding| finding.code.text() != "CHK-0206");
            assert_eq!((found.findings, found.not_judged), (Vec::new(), Vec::new()), "{case}, {cut}");
            assert!(lost.estate() == *before, "{case}, {cut}");
            ends += 1;
        }
    }
    ends
}

#[test]
fn a_repair_that_loses_its_power_at_any_command_is_done_by_the_next() {
    let volume = volume();
    let (layout, before) = (volume.machine.layout(), volume.estate());
    let mut bad = places(&volume);
    bad.push(("CHK-0601", layout.descriptor(DescriptorNumber(99))));
    bad.push(("CHK-0602", layout.descriptor_name(volume.number("c"))));
    let mut ends = 0;
    for (code, lba) in bad {
        let volume = Volume { machine: volume.machine.copy() };
        harm(&volume, lba, if code == "CHK-0602" { Harm::Torn } else { Harm::Zeroed });
        ends += repaired_after_every_loss_of_power(&volume, &before, code);
    }
    assert!(ends > 200, "{ends}");
}

#[test]
fn a_group_that_a_dead_host_had_gives_nothing_away_wherever_its_repair_loses_its_power() {
    let volume = volume();
    die_over(&volume);
    let before = Volume { machine: volume.machine.copy() }.estate();
    harm(&volume, superblock(&volume.machine).space().record(GROUP), Harm::Zeroed);
    assert!(repaired_after_every_loss_of_power(&volume, &before, "CHK-0801") > 20);
}
