//! The survey of what is whose: each damage of names, layers, maps and bitmaps is planted, found, repaired where that is safe, and then
//! there is none; what is healthy, held or not replayed yet is no damage.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use oarlock_block::ByteCount;
use oarlock_engine::check::{CheckReport, Finding, Severity};
use oarlock_engine::path::{Request, RequestKind};
use oarlock_format::{
    BucketEntry, ClusterIndex, ClusterNumber, DescriptorName, DescriptorNumber, DescriptorRecord, DiskUid,
    Layer, LayerFlags, LayerId, LayerKind, LayerState, LeafEntry, Mapped, NameHash, PieceMask,
};

use crate::company::{beside, format_id};
use crate::estate::named;
use crate::ledger::{page_bytes, superblock};
use crate::machine::{BLOCK, codes};
use crate::volume::{SECTORS, Volume, volume, worker, write};

/// What a finding says, without the numbers of descriptors, which are whatever was free.
fn words(finding: &Finding) -> String {
    let mut parts = finding.message.split(" (descriptor ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |words, part| words + part.split_once(')').map_or(part, |(_, rest)| rest))
}

fn only(report: &CheckReport) -> &Finding {
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    &report.findings[0]
}

fn mapped(cluster: ClusterNumber) -> Option<Mapped> {
    Some(Mapped { cluster, mask: PieceMask::first(16) })
}

#[test]
fn a_volume_of_snapshots_and_clones_has_nothing_wrong() {
    volume().is_whole();
}

#[test]
fn what_a_repair_can_put_right_is_found_put_right_and_gone() {
    type Case = (&'static str, Severity, &'static str, fn(&Volume));
    let cases: [Case; 7] = [
        ("CHK-0806", Severity::Warning, "1 clusters are marked as taken and nobody's", |volume| {
            volume.mark(volume.free(), true);
        }),
        ("CHK-0807", Severity::Damage, "by disk `c` at byte 0", |volume| {
            volume.mark(volume.owned("c"), false);
        }),
        ("CHK-0503", Severity::Warning, "which has no such name", |volume| {
            let (lba, bucket) = volume.bucket("c");
            let hash = NameHash(volume.descriptor("c").layer.unwrap().hash.unwrap().0);
            let layer = LayerId { descriptor: DescriptorNumber(9), uid: DiskUid(3) };
            volume.put(lba, &bucket.with(BucketEntry { hash, layer }).unwrap());
        }),
        ("CHK-0603", Severity::Damage, "disk `c` has no entry", |volume| {
            let (lba, bucket) = volume.bucket("c");
            let hash = volume.descriptor("c").layer.unwrap().hash.unwrap();
            volume.put(lba, &bucket.without(BucketEntry { hash, layer: volume.id("c") }));
        }),
        ("CHK-0606", Severity::Note, "disk `c` is doomed", |volume| {
            volume.set_layer("c", |layer| Layer { state: LayerState::Doomed, ..layer });
        }),
        ("CHK-0606", Severity::Note, "is importing, and nobody has it", |volume| {
            volume.set_layer("c", |layer| Layer { state: LayerState::Importing, ..layer });
        }),
        ("CHK-0607", Severity::Note, "nobody needs", |volume| {
            // As a deletion leaves it whose host died behind the name.
            let (lba, bucket) = volume.bucket("c");
            let hash = volume.descriptor("c").layer.unwrap().hash.unwrap();
            volume.put(lba, &bucket.without(BucketEntry { hash, layer: volume.id("c") }));
            volume.set_layer("c", |layer| {
                let flags = LayerFlags { nameless: true, ..layer.flags };
                Layer { state: LayerState::Doomed, flags, ..layer }
            });
        }),
    ];
    for (code, severity, words, plant) in cases {
        let volume = volume();
        plant(&volume);
        let report = volume.found();
        let finding = only(&report);
        assert_eq!((finding.code.text(), finding.severity()), (code, severity), "{finding:?}");
        assert!(self::words(finding).contains(words), "{}", finding.message);
        let repaired = volume.machine.repair();
        let finding = only(&repaired);
        assert!(finding.repaired.is_some() && finding.refused.is_none(), "{code}: {finding:?}");
        assert!(repaired.repaired_as.is_some(), "{code}");
        let exit = if severity == Severity::Damage { 3 } else { 0 };
        assert_eq!(repaired.exit_code(), exit, "{code}");
        volume.is_whole();
    }
}

/// The snapshot `s` is one of a disk that is gone.
fn lose_the_disk_of_a_snapshot(volume: &Volume) {
    let disk = LayerId { descriptor: DescriptorNumber(77), uid: DiskUid(1) };
    let snapshot = volume.number("s");
    let hash = NameHash::of_snapshot(&format_id(&volume.machine), disk, &named("s"));
    let old = volume.bucket("s");
    let entry =
        BucketEntry { hash: volume.descriptor("s").layer.unwrap().hash.unwrap(), layer: volume.id("s") };
    volume.put(old.0, &old.1.without(entry));
    volume.set_layer("s", |layer| Layer { disk, hash: Some(hash), ..layer });
    let (lba, bucket) = volume.bucket("s");
    let layer = LayerId { descriptor: snapshot, uid: DiskUid(1) };
    volume.put(lba, &bucket.with(BucketEntry { hash, layer }).unwrap());
}

/// Another disk has the name of `c`, and stands in the same bucket.
fn name_another_disk_the_same(volume: &Volume) {
    let (lba, bucket) = volume.bucket("c");
    let record = volume.descriptor("c");
    let number = DescriptorNumber(200);
    let uid = DiskUid(1);
    let id = LayerId { descriptor: number, uid };
    let layer = record.layer.map(|layer| Layer {
        disk: id,
        root: None,
        flags: LayerFlags { root_owned: false, ..layer.flags },
        ..layer
    });
    let hash = layer.as_ref().unwrap().hash.unwrap();
    volume.put(volume.machine.layout().descriptor(number), &DescriptorRecord { layer, uid, ..record });
    let name = DescriptorName { name: Some(named("c")), uid };
    volume.put(volume.machine.layout().descriptor_name(number), &name);
    volume.put(lba, &bucket.with(BucketEntry { hash, layer: id }).unwrap());
}

#[test]
fn what_no_repair_may_touch_is_found_with_whose_it_is_and_left_as_it_is() {
    type Case = (&'static str, &'static str, fn(&Volume));
    let cases: [Case; 10] = [
        ("CHK-1004", "by disk `a` at byte 0 and disk `c` at byte 1310720", |volume| {
            let own = mapped(volume.owned("a"));
            volume.set_entry("c", 20, LeafEntry { own, owned: true, ..LeafEntry::default() });
        }),
        ("CHK-1005", "by disk `b` at byte 1966080 and is that of disk `c`", |volume| {
            let own = mapped(volume.owned("c"));
            volume.set_entry("b", 30, LeafEntry { own, owned: false, ..LeafEntry::default() });
        }),
        ("CHK-1003", "leads to cluster 1099511627000", |volume| {
            let own = mapped(ClusterNumber(1_099_511_627_000));
            volume.set_entry("c", 20, LeafEntry { own, owned: true, ..LeafEntry::default() });
        }),
        ("CHK-1001", "checksum", |volume| {
            let mut bytes = page_bytes(&volume.machine, volume.leaf("c"));
            bytes[100] ^= 1;
            volume.put_page(volume.leaf("c"), &bytes);
        }),
        ("CHK-1002", "in epoch 99 of descriptor", |volume| {
            let mut page = volume.map("c");
            let sequence = page.header().sequence;
            let bytes = *page.seal(oarlock_format::Epoch(99), sequence);
            volume.put_page(volume.leaf("c"), &bytes);
        }),
        ("CHK-0604", "what stands beside a disk without a name", |volume| {
            let number = volume.number("c");
            let record = DescriptorName { name: Some(named("c")), uid: DiskUid(7) };
            volume.put(volume.machine.layout().descriptor_name(number), &record);
        }),
        ("CHK-0608", "is one of 77/1, which is gone", lose_the_disk_of_a_snapshot),
        ("CHK-0609", "stands on 40/1, which is gone", |volume| {
            let parent = Some(LayerId { descriptor: DescriptorNumber(40), uid: DiskUid(1) });
            volume.set_layer("c", |layer| Layer { parent, ..layer });
        }),
        ("CHK-0610", "stands on itself", |volume| {
            let parent = Some(volume.id("c"));
            volume.set_layer("c", |layer| Layer { parent, ..layer });
        }),
        ("CHK-0605", "has the name of disk `c`", name_another_disk_the_same),
    ];
    for (code, words, plant) in cases {
        let volume = volume();
        plant(&volume);
        let report = volume.found();
        assert_eq!((codes(&report), report.exit_code()), (vec![code], 4), "{:?}", report.findings);
        let told = report.findings.iter().any(|finding| self::words(finding).contains(words));
        assert!(told, "{code}: {:?}", report.findings);
        let before = volume.machine.copy();
        let repaired = volume.machine.repair();
        assert_eq!((codes(&repaired), repaired.exit_code(), &repaired.repaired_as), (vec![code], 4, &None));
        let leaf = volume.leaf("c");
        assert_eq!(before.disk.block(leaf), volume.machine.disk.block(leaf), "{code}");
    }
}

#[test]
fn beside_a_map_that_does_not_read_nothing_counts_as_nobodys() {
    let volume = volume();
    volume.put_page(volume.leaf("c"), &[7; 4_096]);
    let report = volume.found();
    assert_eq!(codes(&report), ["CHK-1001"]);
    assert!(
        report.not_judged.iter().any(|why| why.contains("not every layer is known")),
        "{:?}",
        report.not_judged
    );
    assert_eq!(codes(&volume.machine.repair()), ["CHK-1001"]);
    assert!(volume.bitmap().is_taken(superblock(&volume.machine).space().at(volume.leaf("c")).map_or(
        ClusterIndex(0),
        |at| match at {
            oarlock_format::InSpace::Cluster(cluster) => cluster.place().1,
            _ => ClusterIndex(0),
        }
    )));
}

#[test]
fn what_a_living_host_has_is_not_judged_and_no_damage() {
    let volume = volume();
    let (worker, _) = worker(&volume.machine, "b");
    beside(&volume.machine, &worker.host, async {
        let disk = worker.attach("c").await.unwrap();
        for round in 0..20 {
            write(&worker, &disk, (round * 150, 64), round).await;
            let world = volume.machine.process().0;
            let options = oarlock_engine::check::CheckOptions { repair: round % 2 == 1, host: None };
            let report = oarlock_engine::check::check(&world, &options, &|_, _| {}).await.unwrap();
            assert_eq!(report.findings, Vec::new());
            let told = |words: &str| report.not_judged.iter().any(|told| told.ends_with(words));
            assert!(told(": host b has it"), "{:?}", report.not_judged);
            assert!(round < 5 || told("1 groups: host b has them"), "{:?}", report.not_judged);
        }
        disk.detach().await.unwrap();
    });
}

/// A host writes to `c`, and dies with all of it in its journal.
fn died_over(volume: &Volume, trim: bool) {
    let (worker, process) = worker(&volume.machine, "b");
    beside(&volume.machine, &worker.host, async {
        let disk = worker.attach("c").await.unwrap();
        write(&worker, &disk, (2_000, 900), 5).await;
        let request = Request { kind: RequestKind::Trim { durable: true }, offset: 0, length: 256 << 10 };
        if trim {
            worker.run(&disk, request, Vec::new()).await;
        }
        std::mem::forget(disk);
    });
    volume.machine.kill(process);
}

#[test]
fn what_a_dead_hosts_journal_owes_is_read_from_it() {
    let volume = volume();
    let before = volume.bitmap();
    died_over(&volume, false);
    assert_eq!(volume.bitmap(), before, "nothing of it is home");
    let report = volume.found();
    assert_eq!((report.findings, report.not_judged), (Vec::new(), Vec::<String>::new()));
}

#[test]
fn clusters_that_a_host_died_over_freeing_are_free_behind_its_replay() {
    let volume = volume();
    died_over(&volume, true);
    let report = volume.found();
    assert_eq!((report.findings, report.not_judged), (Vec::new(), Vec::<String>::new()));
    let (worker, process) = worker(&volume.machine, "d");
    beside(&volume.machine, &worker.host, async {
        worker.attach("c").await.unwrap().detach().await.unwrap();
    });
    volume.machine.kill(process);
    volume.is_whole();
}

#[test]
fn bits_are_not_touched_of_a_group_that_another_had_since() {
    // Of two repairs that found the same cluster only one clears its bit: behind the other a disk may have it.
    let volume = volume();
    let leaked = volume.free();
    volume.mark(leaked, true);
    let world = volume.machine.process().0;
    let options = oarlock_engine::check::CheckOptions { repair: true, host: None };
    let both = volume.machine.time.run(async {
        let other = volume.machine.process().0;
        futures::future::join(
            oarlock_engine::check::check(&world, &options, &|_, _| {}),
            oarlock_engine::check::check(&other, &options, &|_, _| {}),
        )
        .await
    });
    let restored = [both.0.unwrap(), both.1.unwrap()]
        .iter()
        .filter(|report| {
            report.findings.iter().any(|finding| {
                finding.repaired.as_ref().is_some_and(|done| done.words().contains("free again"))
            })
        })
        .count();
    assert!(restored <= 1, "{restored}");
    let _ = volume.machine.repair();
    volume.is_whole();
}

#[test]
fn a_kind_of_layer_that_nobody_names_is_called_by_its_number() {
    let volume = volume();
    volume.set_layer("s", |layer| Layer { kind: LayerKind::Hidden, hash: None, ..layer });
    let report = volume.found();
    // Two stand on it: it is needed. Its entry is nobody's.
    assert_eq!(codes(&report), ["CHK-0503"]);
    let size = ByteCount(SECTORS * BLOCK as u64);
    assert_eq!(volume.descriptor("s").layer.unwrap().size, size);
}
