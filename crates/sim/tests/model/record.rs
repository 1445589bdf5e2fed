//! Records, images and cells of the model: small values in place of blocks, judged by the engine's own functions.

use std::time::Duration;

use oarlock_block::{Instant, Lba, SlotIndex};
use oarlock_engine::attempt::{OpenAttempt, OpenAttempts};
use oarlock_engine::verdict::{Finding, Version, find};
use oarlock_format::{
    FormatId, Generation, HostId, Incarnation, LockMode, LockState, Nonce, Owner, SlotRecord, SlotSet,
    SlotState, Stamp, Writer,
};

use crate::mistakes::Mistake;

/// Hosts, and slots: a host lives in the slot of its number, in one life after another.
pub const HOSTS: u8 = 3;
/// A beat lets a host act for so many ticks.
pub const LEASE: u8 = 2;
/// Every point of time is written as its age; the present is this many ticks after the clock's zero.
const PRESENT: u64 = 100;

/// A span of ticks.
pub fn ticks(count: u8) -> Duration {
    Duration::from_secs(u64::from(count))
}

/// The point that lies so many ticks back.
pub fn ago(age: u8) -> Instant {
    Instant::from_zero(Duration::from_secs(PRESENT)).minus(ticks(age))
}

/// How many ticks a point lies back.
pub fn age_of(point: Instant) -> u8 {
    u8::try_from(ago(0).since(point).as_secs()).unwrap_or(u8::MAX)
}

/// One life in one slot: what sends commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    pub slot: u8,
    pub life: u8,
}

impl Process {
    /// As the disk names it.
    pub fn owner(self) -> Owner {
        Owner {
            slot: SlotIndex(u16::from(self.slot)),
            host: HostId(u64::from(self.slot)),
            incarnation: Incarnation(u64::from(self.life)),
        }
    }
}

/// The slot of an owner.
pub fn slot_of(owner: Owner) -> u8 {
    u8::try_from(owner.slot.0).unwrap_or(HOSTS)
}

/// A slot's record: what the decisions look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    pub state: SlotState,
    pub life: u8,
    /// The life whose process the record names: what a cut-off may kill.
    pub process: u8,
}

impl Slot {
    /// As the engine knows it.
    pub fn record(&self) -> SlotRecord {
        SlotRecord {
            state: self.state,
            incarnation: Incarnation(u64::from(self.life)),
            ..SlotRecord::never_used()
        }
    }
}

/// A lock's record: what the decisions look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lock {
    pub mode: LockMode,
    pub owner: Option<Owner>,
    /// Bit n: slot n.
    pub holders: u8,
    pub epoch: u8,
}

impl Lock {
    pub const FREE: Lock = Lock { mode: LockMode::Free, owner: None, holders: 0, epoch: 0 };

    /// As the engine knows it.
    pub fn state(&self) -> LockState {
        let holders: SlotSet = (0..HOSTS)
            .filter(|slot| self.holders & (1 << slot) != 0)
            .map(|slot| SlotIndex(u16::from(slot)))
            .collect();
        LockState {
            mode: self.mode,
            owner: self.owner,
            holders,
            epoch: oarlock_format::Epoch(u64::from(self.epoch)),
            ..LockState::NEVER_HELD
        }
    }

    /// What the engine decided.
    pub fn of(lock: &LockState) -> Lock {
        let holders = (0..HOSTS)
            .filter(|slot| lock.holders.contains(SlotIndex(u16::from(*slot))))
            .fold(0, |bits, slot| bits | 1 << slot);
        let epoch = u8::try_from(lock.epoch.0).unwrap_or(u8::MAX);
        Lock { mode: lock.mode, owner: lock.owner, holders, epoch }
    }
}

/// The content of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Image<R> {
    pub generation: u8,
    /// Names the image. Made of the generation, the writer and the number of its attempts on one image, so that two
    /// schedules that differ only in order of drawing are one state; no two attempts have the same.
    pub nonce: u32,
    pub record: R,
}

impl<R> Image<R> {
    /// The first image of a block, written by the format.
    pub fn first(record: R) -> Image<R> {
        Image { generation: 1, nonce: 1, record }
    }

    fn version(&self) -> Version {
        Version { generation: Generation(u64::from(self.generation)), nonce: Nonce(u128::from(self.nonce)) }
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            format_id: FormatId(1),
            lba: Lba(1),
            generation: self.version().generation,
            writer: Writer::Tool,
            nonce: self.version().nonce,
        }
    }
}

/// An ATS without a known outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Open {
    pub nonce: u32,
    expected: u32,
    /// How long ago it was sent, by its host's clock.
    pub age: u8,
}

/// A record as one host knows it, with its open attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cell<R> {
    pub image: Image<R>,
    pub open: Vec<Open>,
}

/// What an ATS, or a look after it, came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The block holds an image of this host's, sent so many ticks ago. `adopted`: it had no answer.
    Mine { age: u8, adopted: bool },
    /// The block holds a newer image of somebody else.
    Lost,
    /// Nothing is known.
    Open,
}

impl<R: Copy + PartialEq> Cell<R> {
    pub fn new(image: Image<R>) -> Cell<R> {
        Cell { image, open: Vec::new() }
    }

    fn attempts(&self) -> OpenAttempts {
        let mut attempts = OpenAttempts::default();
        for open in &self.open {
            attempts.add(OpenAttempt {
                nonce: Nonce(u128::from(open.nonce)),
                expected: Nonce(u128::from(open.expected)),
                sent: ago(open.age),
            });
        }
        attempts
    }

    /// The block showed this image.
    pub fn learn(&mut self, seen: Image<R>) {
        let mut attempts = self.attempts();
        attempts.shown(seen.version().nonce);
        self.open.retain(|open| attempts.by_nonce(Nonce(u128::from(open.nonce))).is_some());
        if !seen.version().contradicts(&self.image.version()) {
            self.image = seen;
        }
    }

    /// The image of one more attempt, which is open from now on.
    pub fn attempt(&mut self, by: Process, record: R) -> Image<R> {
        let expected = self.image.nonce;
        let number = self.open.iter().filter(|open| open.expected == expected).count();
        let generation = self.image.generation + 1;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let writer = (u32::from(by.slot) << 4) | u32::from(by.life);
        let nonce = (u32::from(generation) << 12) | (writer << 5) | (number + 2);
        self.open.push(Open { nonce, expected, age: 0 });
        Image { generation, nonce, record }
    }

    /// The device said swapped.
    pub fn written(&mut self, image: Image<R>) -> Swap {
        let age = self.age_of(image.nonce);
        self.learn(image);
        Swap::Mine { age, adopted: false }
    }

    fn age_of(&self, nonce: u32) -> u8 {
        self.open.iter().find(|open| open.nonce == nonce).map_or(u8::MAX, |open| open.age)
    }

    /// The block was read after a false or a missing answer.
    pub fn read_back(&mut self, seen: Image<R>, mistake: Option<Mistake>) -> Swap {
        let known = self.image.version();
        match find(&Ok(seen.stamp()), known, &self.attempts(), known) {
            Finding::Own(attempt) => {
                self.learn(seen);
                Swap::Mine { age: age_of(attempt.sent), adopted: true }
            }
            Finding::Newer => {
                self.learn(seen);
                Swap::Lost
            }
            Finding::Expected if mistake == Some(Mistake::CloseUnknownByReading) => {
                self.open.clear();
                Swap::Lost
            }
            Finding::Expected => Swap::Open,
            other => panic!("a faithful device showed {other:?}"),
        }
    }

    /// A tick of its host's clock. An attempt older than a lease confirms nothing, however much older it is.
    pub fn grow_older(&mut self, by: u8) {
        for open in &mut self.open {
            open.age = (open.age + by).min(LEASE);
        }
    }
}
