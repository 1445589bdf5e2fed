//! Records for the tests: one of each shape by hand, and strategies for all others.

#![allow(dead_code)] // Each test file uses its own part.
#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

use std::time::Duration;

use oarlock_block::{
    BlockCount, BlockSize, ByteCount, DeviceIdentity, Fencing, Lba, ProcessIdentity, SlotIndex,
};
use oarlock_format::{
    BucketEntry, BucketRecord, ClusterNumber, CutOffProof, DescriptorName, DescriptorNumber,
    DescriptorRecord, DiskUid, Epoch, FenceReason, FormatId, Generation, GroupNumber, GroupRecord, HostId,
    HostName, Image, Incarnation, JournalHeader, JournalSequence, Label, Layer, LayerFlags, LayerId,
    LayerKind, LayerLevels, LayerName, LayerState, Layout, LayoutRequest, LockMode, LockName, LockRecord,
    LockState, MailboxRecord, NameHash, Nonce, Owner, Place, SlotRecord, SlotSet, SlotState, Stamp,
    Superblock, SuperblockState, Timing, Writer, encode,
};
use proptest::prelude::*;

pub const FORMAT_ID: FormatId = FormatId(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
pub const LBA: Lba = Lba(4_711);
pub const PLACE: Place = Place { format_id: FORMAT_ID, lba: LBA };
pub const BLOCK_SIZES: [BlockSize; 2] = [BlockSize::B512, BlockSize::B4096];

pub const OWNER: Owner = Owner { slot: SlotIndex(3), host: HostId(0xfeed), incarnation: Incarnation(9) };

pub fn stamp_at(lba: Lba, generation: u64) -> Stamp {
    Stamp {
        format_id: FORMAT_ID,
        lba,
        generation: Generation(generation),
        writer: Writer::Host(OWNER),
        nonce: Nonce(0xa5a5 + u128::from(generation)),
    }
}

pub fn request(block_size: BlockSize) -> LayoutRequest {
    LayoutRequest {
        block_size,
        stride_blocks: BlockCount(4096 / u64::from(block_size.bytes())),
        slots: 64,
        cluster_size: ByteCount(65_536),
        device_blocks: ByteCount(1 << 30).whole_blocks(block_size),
    }
}

pub fn superblock(block_size: BlockSize) -> Superblock {
    let request = request(block_size);
    Superblock {
        state: SuperblockState::Ready,
        label: Label::new("store").unwrap(),
        block_size,
        stride_blocks: request.stride_blocks,
        slots: request.slots,
        cluster_size: request.cluster_size,
        device_blocks: request.device_blocks,
        timing: Timing::DEFAULT,
        fencing: Fencing::FileLock,
        identity: DeviceIdentity::new("file:8:1:4711").unwrap(),
        features_compatible: 0,
        features_read_only: 0,
        features_incompatible: 0,
        layout: Layout::plan(&request).unwrap(),
        created_wall_ms: 1_795_228_563_000,
    }
}

pub fn live_slot() -> SlotRecord {
    SlotRecord {
        state: SlotState::Live,
        name: Some(HostName::new("alpha").unwrap()),
        incarnation: Incarnation(9),
        unclean: true,
        asked: false,
        clock_ns: 123_456_789,
        wall_ms: 1_795_228_563_123,
        process: ProcessIdentity { boot_id: 77, pid_namespace: 4_026_531_836, pid: 4_242, start_ticks: 99 },
        superblock_generation: Generation(2),
        version_max: 1,
        features: 0,
    }
}

pub fn exclusive_lock() -> LockRecord {
    LockRecord {
        name: Some(LockName::new("backup/nightly").unwrap()),
        lock: LockState {
            mode: LockMode::Exclusive,
            owner: Some(OWNER),
            interest: true,
            epoch: Epoch(5),
            since_wall_ms: 1_795_228_563_456,
            ..LockState::NEVER_HELD
        },
        children: 0,
    }
}

pub fn layer_id(descriptor: u32, uid: u64) -> LayerId {
    LayerId { descriptor: DescriptorNumber(descriptor), uid: DiskUid(uid) }
}

/// A disk's descriptor in the course of a handoff.
pub fn disk_descriptor() -> DescriptorRecord {
    let next = Owner { slot: SlotIndex(4), host: HostId(0xbeef), incarnation: Incarnation(2) };
    DescriptorRecord {
        lock: LockState { next: Some(next), ..exclusive_lock().lock },
        uid: DiskUid(7),
        layer: Some(Layer {
            state: LayerState::Ready,
            kind: LayerKind::Disk,
            flags: LayerFlags { thick: true, root_owned: true, ..LayerFlags::default() },
            levels: LayerLevels(2),
            parent: Some(layer_id(12, 3)),
            size: ByteCount(1 << 40),
            root: Some(ClusterNumber(8_195)),
            disk: layer_id(5, 7),
            hash: Some(NameHash(0x1234)),
            other_hash: Some(NameHash(0x5678)),
            name_generation: Generation(3),
            created_wall_ms: 1_795_228_563_000,
            allocated: 4_711,
            server: Some(HostId(0x9abc)),
        }),
    }
}

pub fn bucket(count: u32) -> BucketRecord {
    let entry = |index: u32| BucketEntry {
        hash: NameHash(u64::from(index / 2) + 1),
        layer: layer_id(index, u64::from(index) + 1),
    };
    BucketRecord { entries: (0..count).map(entry).collect() }
}

/// One image of each shape of the records of disks.
fn disk_images(block_size: BlockSize) -> Vec<(&'static str, Image)> {
    let stamp = stamp_at(LBA, 7);
    let disk = disk_descriptor();
    let hidden = disk.layer.clone().map(|layer| Layer {
        state: LayerState::Doomed,
        kind: LayerKind::Hidden,
        flags: LayerFlags { nameless: true, ..LayerFlags::default() },
        parent: None,
        root: None,
        hash: None,
        other_hash: None,
        ..layer
    });
    let free = DescriptorRecord { lock: LockState::NEVER_HELD, layer: None, ..disk.clone() };
    let named = DescriptorName { name: LayerName::new(&"é".repeat(127)).ok(), uid: DiskUid(7) };
    let group =
        GroupRecord { lock: exclusive_lock().lock, number: GroupNumber(9), clusters: 8_192, free: 12 };
    let header = JournalHeader {
        incarnation: Incarnation(9),
        first: JournalSequence(99),
        first_index: 30,
        blocks: 31,
    };
    vec![
        ("bucket, empty", encode(&stamp, &BucketRecord::default(), block_size)),
        ("bucket, full", encode(&stamp, &bucket(20), block_size)),
        ("descriptor, never used", encode(&stamp, &DescriptorRecord::never_used(), block_size)),
        ("descriptor, free again", encode(&stamp, &free, block_size)),
        ("descriptor, a disk", encode(&stamp, &disk, block_size)),
        (
            "descriptor, a hidden layer",
            encode(&stamp, &DescriptorRecord { layer: hidden, ..disk }, block_size),
        ),
        ("descriptor name, never used", encode(&stamp, &DescriptorName::never_used(), block_size)),
        ("descriptor name", encode(&stamp, &named, block_size)),
        ("group", encode(&stamp, &group, block_size)),
        ("journal header", encode(&stamp, &header, block_size)),
    ]
}

/// One image of each shape that a record can have, each with its name.
pub fn images(block_size: BlockSize) -> Vec<(&'static str, Image)> {
    let stamp = stamp_at(LBA, 7);
    let slot = |state| encode(&stamp, &SlotRecord { state, ..live_slot() }, block_size);
    let lock = |record: LockRecord| encode(&stamp, &record, block_size);
    let (by, reason, from, proof) = (OWNER, FenceReason::Watched, Generation(6), CutOffProof::FileLock);
    let shared = LockRecord {
        lock: LockState {
            mode: LockMode::Shared,
            owner: None,
            holders: [SlotIndex(0), SlotIndex(1023)].into_iter().collect(),
            ..exclusive_lock().lock
        },
        ..exclusive_lock()
    };
    let free = LockState { mode: LockMode::Free, owner: None, ..exclusive_lock().lock };
    let unknown = LockState { mode: LockMode::Unknown, ..shared.lock };
    let mailbox = MailboxRecord { overflow: false, entries: vec![Lba(1), Lba(2)] };
    let tool = Stamp { writer: Writer::Tool, ..stamp };
    let mut images = vec![
        ("superblock", encode(&stamp, &superblock(block_size), block_size)),
        ("slot, never used", encode(&tool, &SlotRecord::never_used(), block_size)),
        ("slot, free", slot(SlotState::Free)),
        ("slot, live", slot(SlotState::Live)),
        ("slot, fenced", slot(SlotState::Fenced { by, reason, from })),
        ("slot, cut off", slot(SlotState::CutOff { by, reason, from, proof })),
        ("slot, replaying", slot(SlotState::Replaying { by, reason, from, proof })),
        ("slot, replayed", slot(SlotState::Replayed { by, reason, from, proof })),
        ("mailbox, empty", encode(&stamp, &MailboxRecord::default(), block_size)),
        ("mailbox, with hints", encode(&stamp, &mailbox, block_size)),
        ("lock, never used", lock(LockRecord::never_used())),
        ("lock, free", lock(LockRecord { lock: free, ..exclusive_lock() })),
        ("lock, exclusive", lock(exclusive_lock())),
        ("lock, shared", lock(shared.clone())),
        ("lock, unknown", lock(LockRecord { lock: unknown, name: None, ..shared })),
        ("lock, a home with children", lock(LockRecord { children: 0x8005, ..exclusive_lock() })),
    ];
    images.extend(disk_images(block_size));
    images
}

pub fn any_bucket() -> impl Strategy<Value = BucketRecord> {
    let entry = (1..=u64::MAX, any::<u32>(), 1..=1_u64 << 63);
    proptest::collection::vec(entry, 0..=20).prop_map(|entries| {
        let with = |bucket: BucketRecord, (hash, descriptor, uid)| {
            bucket.with(BucketEntry { hash: NameHash(hash), layer: layer_id(descriptor, uid) }).unwrap()
        };
        entries.into_iter().fold(BucketRecord::default(), with)
    })
}

fn any_layer() -> impl Strategy<Value = Layer> {
    let place = (0..5_u8, 0..3_u8, any::<[bool; 3]>(), 1..=5_u8);
    let ids = (proptest::option::of((0..65_536_u32, 1..=1_u64 << 63)), 0..65_536_u32, 1..=1_u64 << 63);
    let map = (1..=1_u64 << 34, proptest::option::of(1..1_u64 << 40));
    let names = (1..u64::MAX, any::<bool>(), 0..=1_u64 << 63);
    (place, ids, map, names, any::<(u64, u64)>()).prop_map(
        |((state, kind, flags, levels), (parent, disk, uid), (pages, root), names, (created, allocated))| {
            let kind = [LayerKind::Disk, LayerKind::Snapshot, LayerKind::Hidden][usize::from(kind)];
            let hidden = kind == LayerKind::Hidden;
            let state = match state {
                0 => LayerState::Creating,
                1 if !hidden => LayerState::Renaming,
                2 => LayerState::Doomed,
                3 if kind == LayerKind::Disk => LayerState::Importing,
                _ => LayerState::Ready,
            };
            let parent = parent.map(|(descriptor, uid)| layer_id(descriptor, uid));
            let other = !hidden && (state == LayerState::Renaming || names.1);
            Layer {
                state,
                kind,
                flags: LayerFlags {
                    thick: flags[0],
                    root_owned: flags[1] && root.is_some(),
                    nameless: flags[2] && state == LayerState::Doomed,
                    full: flags[2] && root.is_some() && parent.is_none(),
                    branched: flags[0] != flags[1],
                },
                levels: LayerLevels(levels),
                parent,
                size: ByteCount(pages * 4_096),
                root: root.map(ClusterNumber),
                disk: layer_id(disk, uid),
                hash: (!hidden).then_some(NameHash(names.0)),
                other_hash: other.then_some(NameHash(names.0 + 1)),
                name_generation: Generation(names.2),
                created_wall_ms: created,
                allocated,
                server: (!flags[1]).then_some(HostId(created | 1)),
            }
        },
    )
}

pub fn any_descriptor() -> impl Strategy<Value = DescriptorRecord> {
    let next = proptest::option::of(any_owner());
    (any_lock(), proptest::option::of(any_layer()), next, 1..=1_u64 << 63).prop_map(
        |(lock, layer, next, uid)| {
            let uid = layer.as_ref().map_or(DiskUid(uid), |layer| layer.disk.uid);
            let next = next.filter(|next| lock.lock.owner.is_some_and(|owner| owner != *next));
            DescriptorRecord { lock: LockState { next, ..lock.lock }, uid, layer }
        },
    )
}

pub fn any_descriptor_name() -> impl Strategy<Value = DescriptorName> {
    (proptest::option::of("[a-z夜]{1,40}(/[a-z ]{1,40}){0,3}"), 1..=1_u64 << 63).prop_map(|(name, uid)| {
        DescriptorName { name: name.map(|name| LayerName::new(&name).unwrap()), uid: DiskUid(uid) }
    })
}

pub fn any_group() -> impl Strategy<Value = GroupRecord> {
    (any_lock(), any::<u32>(), 1..=8_192_u32, any::<u32>()).prop_map(|(lock, number, clusters, free)| {
        let lock = match lock.lock.mode {
            LockMode::Shared => LockState::NEVER_HELD,
            _ => lock.lock,
        };
        GroupRecord { lock, number: GroupNumber(number), clusters, free: free % (clusters + 1) }
    })
}

pub fn any_journal_header() -> impl Strategy<Value = JournalHeader> {
    (0..=1_u64 << 63, 1..=1_u64 << 63, any::<u32>(), 1..=u32::MAX).prop_map(
        |(incarnation, first, index, blocks)| JournalHeader {
            incarnation: Incarnation(incarnation),
            first: JournalSequence(first),
            first_index: index % blocks,
            blocks,
        },
    )
}

pub fn any_owner() -> impl Strategy<Value = Owner> {
    (0..1024_u16, any::<u64>(), 0..=1_u64 << 63).prop_map(|(slot, host, incarnation)| Owner {
        slot: SlotIndex(slot),
        host: HostId(host),
        incarnation: Incarnation(incarnation),
    })
}

pub fn any_stamp() -> impl Strategy<Value = Stamp> {
    let writer = prop_oneof![Just(Writer::Tool), any_owner().prop_map(Writer::Host)];
    (any::<u128>(), any::<u64>(), 0..=1_u64 << 63, writer, any::<u128>()).prop_map(
        |(format_id, lba, generation, writer, nonce)| Stamp {
            format_id: FormatId(format_id),
            lba: Lba(lba),
            generation: Generation(generation),
            writer,
            nonce: Nonce(nonce),
        },
    )
}

pub fn any_block_size() -> impl Strategy<Value = BlockSize> {
    prop_oneof![Just(BlockSize::B512), Just(BlockSize::B4096)]
}

fn any_reason() -> impl Strategy<Value = FenceReason> {
    proptest::sample::select(vec![
        FenceReason::Watched,
        FenceReason::DeathProved,
        FenceReason::Evicted,
        FenceReason::EvictedCertain,
        FenceReason::FormerLife,
        FenceReason::Rollback,
    ])
}

fn any_proof() -> impl Strategy<Value = CutOffProof> {
    proptest::sample::select(vec![
        CutOffProof::FileLock,
        CutOffProof::Killed,
        CutOffProof::Reservation,
        CutOffProof::Blocklist,
        CutOffProof::Drained,
        CutOffProof::Person,
    ])
}

fn any_slot_state() -> impl Strategy<Value = SlotState> {
    (0..6_u8, any_owner(), any_reason(), 0..=1_u64 << 63, any_proof()).prop_map(
        |(state, by, reason, from, proof)| {
            let from = Generation(from);
            match state {
                0 => SlotState::Free,
                1 => SlotState::Live,
                2 => SlotState::Fenced { by, reason, from },
                3 => SlotState::CutOff { by, reason, from, proof },
                4 => SlotState::Replaying { by, reason, from, proof },
                _ => SlotState::Replayed { by, reason, from, proof },
            }
        },
    )
}

pub fn any_slot() -> impl Strategy<Value = SlotRecord> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u16>(), any::<u64>(), 0..=1_u64 << 63);
    let process = (any::<u128>(), any::<u64>(), any::<u32>(), any::<u64>());
    (any_slot_state(), "[a-zä夜]{1,16}", any::<(bool, bool)>(), numbers, process).prop_map(
        |(state, name, (unclean, asked), numbers, process)| SlotRecord {
            state,
            name: Some(HostName::new(&name).unwrap()),
            incarnation: Incarnation(numbers.4),
            unclean,
            asked,
            clock_ns: numbers.0,
            wall_ms: numbers.1,
            process: ProcessIdentity {
                boot_id: process.0,
                pid_namespace: process.1,
                pid: process.2,
                start_ticks: process.3,
            },
            superblock_generation: Generation(numbers.4),
            version_max: numbers.2,
            features: numbers.3,
        },
    )
}

pub fn any_mailbox() -> impl Strategy<Value = MailboxRecord> {
    (any::<bool>(), proptest::collection::btree_set(any::<u64>(), 0..=32)).prop_map(|(overflow, entries)| {
        MailboxRecord { overflow, entries: entries.into_iter().map(Lba).collect() }
    })
}

pub fn any_lock() -> impl Strategy<Value = LockRecord> {
    let holders = proptest::collection::vec(0..1024_u16, 1..40);
    let rest = (any::<bool>(), any::<bool>(), any::<u16>(), 0..=1_u64 << 63, any::<u64>());
    (0..4_u8, "[a-z夜]{1,40}(/[a-z ]{1,40}){0,3}", any_owner(), holders, rest).prop_map(
        |(shape, name, owner, holders, (interest, sticky, children, epoch, since_wall_ms))| {
            let some: SlotSet = holders.into_iter().map(SlotIndex).collect();
            let (mode, owner, holders) = match shape {
                0 => (LockMode::Free, None, SlotSet::EMPTY),
                1 => (LockMode::Exclusive, Some(owner), SlotSet::EMPTY),
                2 => (LockMode::Shared, None, some),
                _ => (LockMode::Unknown, None, some),
            };
            let name = Some(LockName::new(&name).unwrap());
            let epoch = Epoch(epoch);
            let lock = LockState { mode, owner, next: None, holders, interest, sticky, epoch, since_wall_ms };
            LockRecord { name, lock, children }
        },
    )
}

pub fn any_request() -> impl Strategy<Value = LayoutRequest> {
    let device = prop_oneof![1_u64 << 20..1 << 31, 1_u64 << 28..=1 << 46];
    (any_block_size(), 0..8_u32, 1..=1024_u16, 12..=20_u32, device).prop_map(
        |(block_size, stride, slots, cluster, device)| LayoutRequest {
            block_size,
            stride_blocks: BlockCount((1 << stride).min(65_536 / u64::from(block_size.bytes()))),
            slots,
            cluster_size: ByteCount(1 << cluster),
            device_blocks: ByteCount(device).whole_blocks(block_size),
        },
    )
}

pub fn any_superblock() -> impl Strategy<Value = Superblock> {
    let planned = any_request().prop_filter_map("a device that is large enough", |request| {
        Layout::plan(&request).ok().map(|layout| (request, layout))
    });
    let fencing = proptest::sample::select(vec![
        Fencing::FileLock,
        Fencing::Reservation,
        Fencing::Blocklist,
        Fencing::DrainOnly,
    ]);
    let timing = (50..=500_u64, proptest::option::of(1..100_000_u64)).prop_map(|(beat, drain)| {
        let lease = Duration::from_millis(beat * 5);
        Timing {
            beat: Duration::from_millis(beat),
            lease,
            watch: Timing::watch_for(lease),
            hold: Duration::from_secs(140),
            drain: drain.map(Duration::from_millis),
        }
    });
    let words = ("[a-zé]{1,30}", "[!-~]{1,120}", any::<bool>(), any::<u64>());
    (planned, fencing, timing, words, any::<(u64, u64)>()).prop_map(
        |((request, layout), fencing, timing, (label, identity, ready, created), features)| Superblock {
            state: if ready { SuperblockState::Ready } else { SuperblockState::Formatting },
            label: Label::new(&label).unwrap(),
            block_size: request.block_size,
            stride_blocks: request.stride_blocks,
            slots: request.slots,
            cluster_size: request.cluster_size,
            device_blocks: request.device_blocks,
            timing,
            fencing,
            identity: DeviceIdentity::new(&identity).unwrap(),
            features_compatible: features.0,
            features_read_only: features.1,
            features_incompatible: 0,
            layout,
            created_wall_ms: created,
        },
    )
}
