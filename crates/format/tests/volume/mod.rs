//! The volume that is frozen in `testdata/volumes/v1`: what format and a few hosts would have left on 24 MiB.
//!
//! Nothing in here is drawn or measured, so that it comes out the same on every machine and for ever.

#![allow(dead_code)] // The example writes the dump, the test reads it.
#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

pub mod disks;

use std::collections::BTreeMap;
use std::fmt::Write;

use oarlock_block::{
    BlockCount, BlockSize, ByteCount, DeviceIdentity, Fencing, Lba, ProcessIdentity, SlotIndex,
};
use oarlock_format::{
    Epoch, FenceReason, FormatId, Generation, HostId, HostName, Image, Incarnation, Label, Layout,
    LayoutRequest, LockMode, LockName, LockPosition, LockRecord, LockState, MailboxRecord, Nonce, Owner,
    Record, SlotRecord, SlotState, Stamp, Superblock, SuperblockState, Timing, Writer, encode, home,
};

pub const FORMAT_ID: FormatId = FormatId(0x0a12_10c4_0000_4000_8000_0000_0000_0001);
const BLOCK_SIZE: BlockSize = BlockSize::B512;
const FORMATTED_MS: u64 = 1_795_228_800_000;

/// The names of the locks in the volume, and what each shows.
pub const FREE: &str = "freed";
pub const EXCLUSIVE: &str = "backup/nightly";
pub const SHARED: &str = "images/golden";
pub const PARENT: &str = "a-home-with-children";
pub const UNKNOWN: &str = "repaired";

/// A run of zeros of this length or more is written as its length.
const ZERO_RUN_MIN: usize = 4;

/// The volume: every block that is not all zeros.
pub struct Volume {
    pub superblock: Superblock,
    pub blocks: BTreeMap<u64, Image>,
}

pub fn host_name(slot: u16) -> HostName {
    HostName::new(["alpha", "beta", "gamma", "delta"][usize::from(slot)]).unwrap()
}

pub fn owner(slot: u16) -> Owner {
    let host = HostId::of(&FORMAT_ID, &host_name(slot));
    Owner { slot: SlotIndex(slot), host, incarnation: Incarnation(u64::from(slot) + 3) }
}

/// The position of a lock's home.
pub fn position(layout: &Layout, name: &str) -> LockPosition {
    home(&FORMAT_ID, &LockName::new(name).unwrap(), layout.lock_positions())
}

impl Volume {
    fn put<R: Record>(&mut self, lba: Lba, generation: u64, writer: Writer, record: &R) {
        let nonce = Nonce(u128::from(lba.0) << 32 | u128::from(generation));
        let stamp = Stamp { format_id: FORMAT_ID, lba, generation: Generation(generation), writer, nonce };
        self.blocks.insert(lba.0, encode(&stamp, record, BLOCK_SIZE));
    }

    fn put_slot(&mut self, slot: u16, state: SlotState) {
        let record = SlotRecord {
            state,
            name: Some(host_name(slot)),
            incarnation: owner(slot).incarnation,
            unclean: slot == 1,
            asked: slot == 0,
            clock_ns: 9_000_000_000 + u64::from(slot),
            wall_ms: FORMATTED_MS + 60_000,
            process: ProcessIdentity {
                boot_id: 0xb007,
                pid_namespace: 4_026_531_836,
                pid: 100,
                start_ticks: 7,
            },
            superblock_generation: Generation(2),
            version_max: 1,
            features: 0,
        };
        let lba = self.superblock.layout.slot(SlotIndex(slot));
        self.put(lba, 40 + u64::from(slot), Writer::Host(owner(0)), &record);
    }

    fn put_lock(&mut self, name: &str, record: LockRecord) {
        let layout = self.superblock.layout;
        let record = LockRecord {
            name: Some(LockName::new(name).unwrap()),
            lock: LockState { epoch: Epoch(11), since_wall_ms: FORMATTED_MS + 61_000, ..record.lock },
            ..record
        };
        self.put(layout.lock(position(&layout, name)), 12, Writer::Host(owner(0)), &record);
    }
}

/// The volume, as today's program writes it.
pub fn volume() -> Volume {
    let request = LayoutRequest {
        block_size: BLOCK_SIZE,
        stride_blocks: BlockCount(1),
        slots: 4,
        cluster_size: ByteCount(65_536),
        device_blocks: ByteCount(24 << 20).whole_blocks(BLOCK_SIZE),
    };
    let layout = Layout::plan(&request).unwrap();
    let superblock = Superblock {
        state: SuperblockState::Ready,
        label: Label::new("frozen").unwrap(),
        block_size: request.block_size,
        stride_blocks: request.stride_blocks,
        slots: request.slots,
        cluster_size: request.cluster_size,
        device_blocks: request.device_blocks,
        timing: Timing::DEFAULT,
        fencing: Fencing::FileLock,
        identity: DeviceIdentity::new("file:frozen-v1").unwrap(),
        features_compatible: 0,
        features_read_only: 0,
        features_incompatible: 0,
        layout,
        created_wall_ms: FORMATTED_MS,
    };
    let mut volume = Volume { superblock: superblock.clone(), blocks: BTreeMap::new() };
    for lba in [Lba(0), layout.shadow.start] {
        volume.put(lba, 2, Writer::Tool, &superblock);
    }
    for slot in (0..request.slots).map(SlotIndex) {
        volume.put(layout.slot(slot), 1, Writer::Tool, &SlotRecord::never_used());
        volume.put(layout.mailbox(slot), 1, Writer::Tool, &MailboxRecord::default());
    }
    for index in 0..layout.lock_positions() {
        volume.put(layout.lock(LockPosition(index)), 1, Writer::Tool, &LockRecord::never_used());
    }
    fill(&mut volume);
    volume
}

/// What hosts have left: alpha lives, beta came back after a takeover, gamma is fenced, and the last slot is free.
fn fill(volume: &mut Volume) {
    let layout = volume.superblock.layout;
    volume.put_slot(0, SlotState::Live);
    volume.put_slot(1, SlotState::Live);
    let (by, from) = (owner(0), Generation(41));
    volume.put_slot(2, SlotState::Fenced { by, reason: FenceReason::Watched, from });
    let hints = [EXCLUSIVE, SHARED].map(|name| layout.lock(position(&layout, name)));
    let mailbox = MailboxRecord { overflow: false, entries: hints.to_vec() };
    volume.put(layout.mailbox(SlotIndex(0)), 5, Writer::Host(owner(1)), &mailbox);
    let holders = [SlotIndex(0), SlotIndex(1)].into_iter().collect();
    let (owner, none) = (Some(owner(0)), LockRecord::never_used());
    let locked = |lock| LockRecord { lock, ..LockRecord::never_used() };
    volume.put_lock(FREE, none.clone());
    volume.put_lock(
        EXCLUSIVE,
        locked(LockState { mode: LockMode::Exclusive, owner, interest: true, ..LockState::NEVER_HELD }),
    );
    volume.put_lock(SHARED, locked(LockState { mode: LockMode::Shared, holders, ..LockState::NEVER_HELD }));
    volume.put_lock(PARENT, LockRecord { children: 0x8005, ..none });
    volume.put_lock(UNKNOWN, locked(LockState { mode: LockMode::Unknown, holders, ..LockState::NEVER_HELD }));
}

/// The dump: a line per block, its address and its bytes in hex. `zN` stands for N zeros; zeros at the end are left out.
pub fn dump(volume: &Volume) -> String {
    let mut text = String::from("# A datastore of format version 1. See README.md beside this file.\n");
    writeln!(text, "block_size {}", BLOCK_SIZE.bytes()).unwrap();
    writeln!(text, "blocks {}", volume.superblock.device_blocks.0).unwrap();
    for (lba, image) in &volume.blocks {
        write!(text, "{lba} ").unwrap();
        let mut rest = image.bytes();
        while let Some(byte) = rest.first() {
            let zeros = rest.iter().take_while(|byte| **byte == 0).count();
            if zeros == rest.len() {
                break;
            }
            let taken = if zeros >= ZERO_RUN_MIN { zeros } else { 1 };
            if taken > 1 {
                write!(text, "z{taken}.").unwrap();
            } else {
                write!(text, "{byte:02x}").unwrap();
            }
            rest = &rest[taken..];
        }
        text.push('\n');
    }
    text
}

/// The blocks of a dump: address and content.
pub fn parse(text: &str) -> BTreeMap<u64, Vec<u8>> {
    let lines = text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
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
            assert!(bytes.len() <= BLOCK_SIZE.length());
            bytes.resize(BLOCK_SIZE.length(), 0);
            (lba.parse().unwrap(), bytes)
        })
        .collect()
}
