//! Disks by name: who has a name, what dead hosts left half done, and what there is no room for.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::time::Duration;

use oarlock_block::{ByteCount, Clock, Instant};
use oarlock_engine::{DiskError, Holders, Host, InUseBy};
use oarlock_format::{
    BUCKET_ENTRIES_MAX, BucketEntry, BucketRecord, DescriptorName, DescriptorNumber, DescriptorRecord,
    DiskUid, Generation, Layer, LayerFlags, LayerId, LayerKind, LayerLevels, LayerName, LayerState,
    LockState, NameHash,
};

use crate::company::{beside, format_id, join, put, read};
use crate::machine::Machine;

const GIBIBYTE: u64 = 1 << 30;

fn named(name: &str) -> LayerName {
    LayerName::new(name).unwrap()
}

fn machine() -> Machine {
    let machine = Machine::new(GIBIBYTE);
    machine.format();
    machine
}

fn soon(machine: &Machine) -> Instant {
    machine.time.now().plus(Duration::from_secs(5))
}

async fn names_of(host: &Host) -> Vec<String> {
    host.disks().await.unwrap().into_iter().map(|row| row.name.to_string()).collect()
}

/// The hash of a disk's name on this machine, and what stands in its bucket.
fn hash_of(machine: &Machine, name: &str) -> NameHash {
    NameHash::of_disk(&format_id(machine), &named(name))
}

fn bucket_of(machine: &Machine, name: &str) -> BucketRecord {
    let layout = machine.layout();
    read(machine, layout.bucket(layout.bucket_of(hash_of(machine, name))))
}

/// A disk of one host half way through something, as the host left it whose lock was broken since.
struct Left {
    state: LayerState,
    hash: &'static str,
    other: Option<&'static str>,
    name: &'static str,
    entries: &'static [&'static str],
}

const NUMBER: DescriptorNumber = DescriptorNumber(3);
const ID: LayerId = LayerId { descriptor: NUMBER, uid: DiskUid(1) };

fn leave(machine: &Machine, left: &Left) {
    let layout = machine.layout();
    let layer = Layer {
        state: left.state,
        kind: LayerKind::Disk,
        flags: LayerFlags::default(),
        levels: LayerLevels(2),
        parent: None,
        size: ByteCount(GIBIBYTE),
        root: None,
        disk: ID,
        hash: Some(hash_of(machine, left.hash)),
        other_hash: left.other.map(|other| hash_of(machine, other)),
        name_generation: Generation(50),
        created_wall_ms: 0,
        allocated: 0,
        server: None,
    };
    let record = DescriptorRecord { lock: LockState::NEVER_HELD, uid: ID.uid, layer: Some(layer) };
    put(machine, layout.descriptor(NUMBER), &record);
    let name = DescriptorName { name: Some(named(left.name)), uid: ID.uid };
    put(machine, layout.descriptor_name(NUMBER), &name);
    for entry in left.entries {
        let hash = hash_of(machine, entry);
        let bucket = bucket_of(machine, entry).with(BucketEntry { hash, layer: ID }).unwrap();
        put(machine, layout.bucket(layout.bucket_of(hash)), &bucket);
    }
}

/// What a list and the mending behind it make of that: the names of disks, and of entries.
fn mended(left: &Left) -> (Vec<String>, Vec<&'static str>) {
    let machine = machine();
    leave(&machine, left);
    let host = join(&machine, machine.process().0, "a");
    let names = beside(&machine, &host, async {
        host.disks().await.unwrap();
        machine.time.sleep_until(machine.time.now().plus(Duration::from_secs(15))).await;
        names_of(&host).await
    });
    let record: DescriptorRecord = read(&machine, machine.layout().descriptor(NUMBER));
    assert!(record.layer.is_none_or(|layer| layer.state == LayerState::Ready && layer.other_hash.is_none()));
    let standing = |name: &&str| {
        bucket_of(&machine, name).of_hash(hash_of(&machine, name)).any(|entry| entry.layer == ID)
    };
    (names, ["old", "new"].into_iter().filter(standing).collect())
}

#[test]
fn a_disk_is_created_looked_up_renamed_and_deleted() {
    let machine = machine();
    let host = join(&machine, machine.process().0, "a");
    beside(&machine, &host, async {
        for name in ["b/2", "a", "b/1"] {
            host.create_disk(&named(name), ByteCount(4096), soon(&machine)).await.unwrap();
        }
        assert_eq!(names_of(&host).await, ["a", "b/1", "b/2"]);
        host.rename_disk(&named("a"), &named("c"), soon(&machine)).await.unwrap();
        host.rename_disk(&named("c"), &named("c"), soon(&machine)).await.unwrap();
        assert_eq!(host.disk(&named("a")).await, Err(DiskError::Unknown { name: named("a") }));
        let row = host.disk(&named("c")).await.unwrap();
        assert_eq!((row.size, row.state, row.mode), (ByteCount(4096), "ready", "free"));
        host.delete_disk(&named("b/1"), soon(&machine)).await.unwrap();
        assert_eq!(names_of(&host).await, ["b/2", "c"]);
    });
    let report = machine.check();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn a_name_that_is_taken_or_unknown_or_a_size_that_no_disk_has_is_refused_and_changes_nothing() {
    let machine = machine();
    let host = join(&machine, machine.process().0, "a");
    beside(&machine, &host, async {
        for name in ["a", "b"] {
            host.create_disk(&named(name), ByteCount(4096), soon(&machine)).await.unwrap();
        }
        let exists = |name| Err(DiskError::Exists { name: named(name) });
        let created = host.create_disk(&named("a"), ByteCount(4096), soon(&machine)).await;
        assert_eq!(created.map(|_| ()), exists("a"));
        assert_eq!(host.rename_disk(&named("a"), &named("b"), soon(&machine)).await, exists("b"));
        let unknown = Err(DiskError::Unknown { name: named("c") });
        assert_eq!(host.rename_disk(&named("c"), &named("d"), soon(&machine)).await, unknown);
        assert_eq!(host.delete_disk(&named("c"), soon(&machine)).await, unknown);
        for size in [0, 100, (64 << 40) + 512] {
            let created = host.create_disk(&named("c"), ByteCount(size), soon(&machine)).await;
            assert!(matches!(created, Err(DiskError::Size { .. })), "{created:?}");
        }
        assert_eq!(names_of(&host).await, ["a", "b"]);
    });
}

#[test]
fn of_two_hosts_that_create_one_name_at_once_exactly_one_wins() {
    let machine = machine();
    let (first, second) =
        (join(&machine, machine.process().0, "a"), join(&machine, machine.process().0, "b"));
    let name = named("one");
    beside(&machine, &first, async {
        let run = second.run();
        let story = async {
            let create = |host: &Host| {
                let (host, name, soon) = (host.clone(), name.clone(), soon(&machine));
                async move { host.create_disk(&name, ByteCount(4096), soon).await }
            };
            let (left, right) = futures::future::join(create(&first), create(&second)).await;
            assert_eq!(usize::from(left.is_ok()) + usize::from(right.is_ok()), 1, "{left:?} {right:?}");
            assert_eq!(left.err().or(right.err()), Some(DiskError::Exists { name: name.clone() }));
            assert_eq!(names_of(&second).await, ["one"]);
        };
        futures::pin_mut!(run, story);
        match futures::future::select(story, run).await {
            futures::future::Either::Left(((), _)) => {}
            futures::future::Either::Right((ended, _)) => panic!("the host ended: {ended}"),
        }
    });
    let report = machine.check();
    assert!(report.findings.is_empty(), "the loser left something: {:?}", report.findings);
}

#[test]
fn a_disk_that_was_being_created_when_its_host_died_is_undone() {
    for entries in [&[][..], &["old"]] {
        let left = Left { state: LayerState::Creating, hash: "old", other: None, name: "old", entries };
        assert_eq!(mended(&left), (vec![], vec![]));
    }
}

#[test]
fn a_disk_that_was_being_deleted_when_its_host_died_goes() {
    for entries in [&[][..], &["old"]] {
        let left = Left { state: LayerState::Doomed, hash: "old", other: None, name: "old", entries };
        assert_eq!(mended(&left), (vec![], vec![]));
    }
}

#[test]
fn a_rename_whose_host_died_is_decided_by_the_name_s_record() {
    let renaming =
        |name, entries| Left { state: LayerState::Renaming, hash: "old", other: Some("new"), name, entries };
    for entries in [&["old"][..], &["old", "new"]] {
        assert_eq!(mended(&renaming("old", entries)), (vec!["old".to_owned()], vec!["old"]), "undone");
    }
    assert_eq!(mended(&renaming("new", &["old", "new"])), (vec!["new".to_owned()], vec!["new"]), "finished");
}

#[test]
fn an_entry_that_a_dead_host_did_not_take_out_any_more_goes() {
    let left =
        |entries| Left { state: LayerState::Ready, hash: "new", other: Some("old"), name: "new", entries };
    for entries in [&["new"][..], &["old", "new"]] {
        assert_eq!(mended(&left(entries)), (vec!["new".to_owned()], vec!["new"]));
    }
}

#[test]
fn an_entry_that_stands_there_already_is_adopted_by_a_swap_of_its_bucket() {
    let machine = machine();
    let entries = &["old", "new"];
    leave(
        &machine,
        &Left { state: LayerState::Ready, hash: "new", other: Some("old"), name: "new", entries },
    );
    let layout = machine.layout();
    let bucket = layout.bucket(layout.bucket_of(hash_of(&machine, "old")));
    let before = machine.disk.block(bucket);
    let host = join(&machine, machine.process().0, "a");
    beside(&machine, &host, async {
        host.rename_disk(&named("new"), &named("old"), soon(&machine)).await.unwrap();
        assert_eq!(names_of(&host).await, ["old"]);
    });
    assert_ne!(
        machine.disk.block(bucket),
        before,
        "whoever judged the entry by that image would take it out"
    );
    let own = BucketEntry { hash: hash_of(&machine, "old"), layer: ID };
    assert!(bucket_of(&machine, "old").entries.contains(&own));
}

#[test]
fn an_entry_of_nobody_is_replaced_by_who_takes_the_name() {
    let machine = machine();
    let entries = &["old", "new"];
    leave(
        &machine,
        &Left { state: LayerState::Ready, hash: "new", other: Some("old"), name: "new", entries },
    );
    let host = join(&machine, machine.process().0, "a");
    beside(&machine, &host, async {
        host.create_disk(&named("old"), ByteCount(4096), soon(&machine)).await.unwrap();
        assert_eq!(names_of(&host).await, ["new", "old"]);
    });
    let hash = hash_of(&machine, "old");
    assert_eq!(bucket_of(&machine, "old").of_hash(hash).filter(|entry| entry.layer == ID).count(), 0);
}

#[test]
fn a_full_bucket_is_an_error_until_one_of_its_names_is_deleted() {
    let machine = machine();
    let layout = machine.layout();
    let bucket = |name: &str| layout.bucket_of(hash_of(&machine, name));
    let wanted = bucket("n0");
    let alike: Vec<String> =
        (0..100_000).map(|n| format!("n{n}")).filter(|name| bucket(name) == wanted).take(21).collect();
    let host = join(&machine, machine.process().0, "a");
    beside(&machine, &host, async {
        let create = |name: &str| {
            let (host, name, soon) = (host.clone(), named(name), soon(&machine));
            async move { host.create_disk(&name, ByteCount(4096), soon).await.map(|_| ()) }
        };
        for name in &alike[..BUCKET_ENTRIES_MAX] {
            create(name).await.unwrap();
        }
        let full = Err(DiskError::DirectoryFull { name: named(&alike[20]) });
        assert_eq!(create(&alike[20]).await, full);
        assert_eq!(host.rename_disk(&named("n0"), &named(&alike[20]), soon(&machine)).await, full);
        host.delete_disk(&named(&alike[7]), soon(&machine)).await.unwrap();
        create(&alike[20]).await.unwrap();
        assert_eq!(names_of(&host).await.len(), BUCKET_ENTRIES_MAX);
    });
    let report = machine.check();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn more_disks_than_descriptors_are_an_error_and_their_descriptors_are_used_again() {
    let machine = machine();
    let count = machine.layout().descriptor_count();
    let layout = machine.layout();
    for number in (1..count).map(DescriptorNumber) {
        let id = LayerId { descriptor: number, uid: DiskUid(1) };
        let layer = Layer {
            state: LayerState::Ready,
            kind: LayerKind::Hidden,
            flags: LayerFlags::default(),
            levels: LayerLevels(1),
            parent: None,
            size: ByteCount(4096),
            root: None,
            disk: id,
            hash: None,
            other_hash: None,
            name_generation: Generation(0),
            created_wall_ms: 0,
            allocated: 0,
            server: None,
        };
        let record = DescriptorRecord { lock: LockState::NEVER_HELD, uid: id.uid, layer: Some(layer) };
        put(&machine, layout.descriptor(number), &record);
    }
    let host = join(&machine, machine.process().0, "b");
    beside(&machine, &host, async {
        for round in 1..=3 {
            let id = host.create_disk(&named("a"), ByteCount(4096), soon(&machine)).await.unwrap();
            assert_eq!((id.descriptor, id.uid), (DescriptorNumber(0), DiskUid(round)));
            let second = host.create_disk(&named("b"), ByteCount(4096), soon(&machine)).await;
            assert_eq!(second, Err(DiskError::DescriptorsFull { count }));
            host.delete_disk(&named("a"), soon(&machine)).await.unwrap();
        }
    });
}

#[test]
fn a_disk_that_another_host_uses_is_neither_renamed_nor_deleted_and_says_who_has_it() {
    let machine = machine();
    let (first, second) =
        (join(&machine, machine.process().0, "a"), join(&machine, machine.process().0, "b"));
    beside(&machine, &first, async {
        let run = second.run();
        let story = async {
            let soon = || machine.time.now().plus(Duration::from_secs(1));
            let id = first.create_disk(&named("a"), ByteCount(4096), soon()).await.unwrap();
            let guard = first.hold_layer(id.descriptor, oarlock_engine::Want::Shared, soon()).await.unwrap();
            let refused = second.delete_disk(&named("a"), soon()).await;
            let holder = InUseBy { host: "a".to_owned(), state: "live" };
            let in_use = DiskError::InUse { name: "a".to_owned(), holders: Holders(vec![holder]) };
            assert_eq!(refused, Err(in_use.clone()));
            let refused = second.rename_disk(&named("a"), &named("b"), soon()).await;
            assert_eq!(refused, Err(in_use));
            let row = second.disk(&named("a")).await.unwrap();
            let owners: Vec<_> = row.owners.iter().map(|owner| owner.host.as_str()).collect();
            assert_eq!((row.mode, owners.as_slice()), ("shared", &["a"][..]));
            guard.release().await;
            second.delete_disk(&named("a"), machine.time.now().plus(Duration::from_secs(5))).await.unwrap();
        };
        futures::pin_mut!(run, story);
        match futures::future::select(story, run).await {
            futures::future::Either::Left(((), _)) => {}
            futures::future::Either::Right((ended, _)) => panic!("the host ended: {ended}"),
        }
    });
}
