//! What names of disks cost: the exact list of ATS of a create, a rename and a delete, each durable before the next.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::time::Duration;

use oarlock_block::{Answer, ByteCount, Clock, CommandKind, Lba, Outcome, Recorded};
use oarlock_engine::Host;
use oarlock_format::{DiskTarget, LayerName, Layout, NameHash};

use crate::company::{beside, join};
use crate::machine::Machine;

const GIBIBYTE: u64 = 1 << 30;

/// The swaps and flushes of what was recorded: a swap by its block, a flush as none.
fn swaps_and_flushes(recorded: &Recorded) -> Vec<Option<Lba>> {
    assert_eq!(recorded.missed(), 0);
    let mut told = Vec::new();
    for command in recorded.take() {
        match command.kind {
            CommandKind::Ats => {
                assert_eq!(command.outcome, Some(Outcome::Answered(Answer::Swapped)));
                told.push(Some(command.lba));
            }
            CommandKind::Flush => told.push(None),
            CommandKind::Read => {}
            CommandKind::Write | CommandKind::Discard | CommandKind::WriteZeroes => {
                panic!("a {} of block {}", command.kind, command.lba)
            }
        }
    }
    told
}

/// Each of these blocks swapped, and flushed before the next.
fn one_by_one(blocks: &[Lba]) -> Vec<Option<Lba>> {
    blocks.iter().flat_map(|block| [Some(*block), None]).collect()
}

struct Told {
    layout: Layout,
    /// The entry's bucket of the first name, and of the second.
    buckets: [Lba; 2],
    recorded: Vec<Vec<Option<Lba>>>,
}

fn names() -> [LayerName; 2] {
    ["web", "mail"].map(|name| LayerName::new(name).unwrap())
}

/// Runs each of these operations beside a host, and tells what each sent.
fn told(operations: impl AsyncFnOnce(&Host, &Machine, &mut dyn FnMut())) -> Told {
    let machine = Machine::new(GIBIBYTE);
    let superblock = machine.format();
    let (world, recorded) = machine.recorded();
    let host = join(&machine, world, "a");
    let mut told = Vec::new();
    beside(&machine, &host, async {
        let mut take = || told.push(swaps_and_flushes(&recorded));
        operations(&host, &machine, &mut take).await;
    });
    let layout = machine.layout();
    let bucket = |name| layout.bucket(layout.bucket_of(NameHash::of_disk(&superblock.stamp.format_id, name)));
    let [first, second] = names();
    Told { layout, buckets: [bucket(&first), bucket(&second)], recorded: told }
}

#[test]
fn a_create_is_four_swaps_a_rename_six_and_a_delete_four_each_flushed_before_the_next() {
    let mut descriptor = None;
    let told = told(async |host, machine, take| {
        let deadline = machine.time.now().plus(Duration::from_secs(1));
        let [first, second] = names();
        take();
        let id = host.create_disk(&first, ByteCount(GIBIBYTE), deadline).await.unwrap();
        descriptor = Some(id.descriptor);
        take();
        host.rename_disk(&first, &second, deadline).await.unwrap();
        take();
        host.delete_disk(&second, deadline).await.unwrap();
        take();
    });
    let number = descriptor.unwrap();
    let (state, name) = (told.layout.descriptor(number), told.layout.descriptor_name(number));
    let [old, new] = told.buckets;
    assert_ne!(old, new, "the names of this test shall stand in two buckets");
    assert_eq!(told.recorded[1], one_by_one(&[state, name, old, state]));
    assert_eq!(told.recorded[2], one_by_one(&[state, new, name, state, old, state]));
    assert_eq!(told.recorded[3], one_by_one(&[state, state, new, state]));
}

#[test]
fn looking_up_and_listing_send_no_swap_and_a_refusal_neither() {
    let told = told(async |host, machine, take| {
        let deadline = machine.time.now().plus(Duration::from_secs(1));
        let [first, second] = names();
        host.create_disk(&first, ByteCount(GIBIBYTE), deadline).await.unwrap();
        take();
        assert_eq!(host.disk(&first).await.unwrap().size, ByteCount(GIBIBYTE));
        assert_eq!(host.disks().await.unwrap().len(), 1);
        host.create_disk(&first, ByteCount(GIBIBYTE), deadline).await.unwrap_err();
        host.delete_disk(&second, deadline).await.unwrap_err();
        host.rename_disk(&second, &first, deadline).await.unwrap_err();
        host.create_disk(&second, ByteCount(513), deadline).await.unwrap_err();
        take();
    });
    assert_eq!(told.recorded[1], []);
}

#[test]
fn a_snapshot_is_seven_swaps_with_its_lock_and_a_clone_six_whatever_the_size_of_the_disk() {
    let mut descriptors = Vec::new();
    let told = told(async |host, machine, take| {
        let deadline = machine.time.now().plus(Duration::from_secs(1));
        let [disk, clone] = names();
        let id = host.create_disk(&disk, ByteCount(GIBIBYTE << 10), deadline).await.unwrap();
        take();
        let snapshot = host.snapshot_disk(&disk, &disk, deadline).await.unwrap();
        take();
        let of = DiskTarget { disk: disk.clone(), snapshot: Some(disk) };
        let cloned = host.clone_disk(&of, &clone, deadline).await.unwrap();
        take();
        descriptors.extend([id, snapshot, cloned].map(|id| id.descriptor));
    });
    let states: Vec<_> = descriptors.iter().map(|number| told.layout.descriptor(*number)).collect();
    let names: Vec<_> = descriptors.iter().map(|number| told.layout.descriptor_name(*number)).collect();
    // The disk's lock, the new layer, its name, its entry, the disk's swap; ready; the disk's lock again.
    let bucket = told.recorded[1][6].unwrap();
    let expected = [states[0], states[1], names[1], bucket, states[0], states[1], states[0]];
    assert_eq!(told.recorded[1], one_by_one(&expected));
    let [_, entry] = told.buckets;
    // The snapshot is held meanwhile, shared: that needs no flush.
    let swaps: Vec<_> = told.recorded[2].iter().flatten().copied().collect();
    assert_eq!(swaps, [states[1], states[2], names[2], entry, states[2], states[1]]);
}

#[test]
fn a_host_that_serves_a_disk_says_so_in_a_swap_of_its_own_and_says_it_once() {
    let mut descriptor = None;
    let told = told(async |host, machine, take| {
        let deadline = machine.time.now().plus(Duration::from_secs(1));
        let [first, _] = names();
        descriptor = Some(host.create_disk(&first, ByteCount(GIBIBYTE), deadline).await.unwrap().descriptor);
        take();
        for _ in 0..2 {
            let target = DiskTarget { disk: first.clone(), snapshot: None };
            host.attach_disk(&target, false, deadline).await.unwrap().detach().await.unwrap();
            take();
        }
    });
    let state = told.layout.descriptor(descriptor.unwrap());
    let swaps = |told: &[Option<Lba>]| told.iter().flatten().copied().collect::<Vec<_>>();
    assert_eq!(swaps(&told.recorded[1]), [state; 3]);
    assert_eq!(swaps(&told.recorded[2]), [state; 2]);
}
