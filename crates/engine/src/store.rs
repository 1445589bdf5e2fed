//! The datastore as one host reaches it: checked reads past every cache, and the memory of the newest version of each
//! block (R2, R3, I11).

use std::cell::{Cell as StdCell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{BlockSize, Device, Instant, IoError, Lba};
use oarlock_format::{
    DecodeError, FormatId, Image, Layout, Place, Record, Stamp, Stamped, Superblock, Timing,
};

use crate::event::{Event, EventSink};
use crate::lease::Lease;
use crate::planted::{PlantedBug, planted};
use crate::repeats::Repeats;
use crate::verdict::{Normal, Version};
use crate::world::World;

/// A record that does not check out is read this often within one beat before it counts as damaged (R3): live records
/// can be read torn.
pub const READS_OF_DAMAGE: u32 = 8;

/// Which place in the device's queue a command takes (R8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Beats, and what resolves them.
    Beat,
    /// Everything else.
    Work,
}

/// One host's view of the datastore.
pub(crate) struct Store {
    pub(crate) world: World,
    pub(crate) format_id: FormatId,
    pub(crate) block_size: BlockSize,
    pub(crate) layout: Layout,
    pub(crate) timing: Timing,
    pub(crate) normal: StdCell<Normal>,
    /// Once the host lives: nothing but beats is sent outside of it (I7).
    lease: OnceCell<Rc<Lease>>,
    newest: RefCell<BTreeMap<Lba, Version>>,
    pub(crate) repeats: Repeats,
    events: EventSink,
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Seen<R> {
    pub(crate) image: Image,
    pub(crate) stamped: Stamped<R>,
    pub(crate) issued: Instant,
    pub(crate) replied: Instant,
}

impl<R> Seen<R> {
    pub(crate) fn version(&self) -> Version {
        Version::of(&self.stamped.stamp)
    }
}

/// A read that gave no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadFault {
    /// The device did not give the block.
    #[error("block {lba} could not be read: {error}")]
    Unreadable {
        /// The block.
        lba: Lba,
        /// The device's words.
        error: IoError,
    },
    /// The device did not answer within the time of one beat.
    #[error("block {lba} was not read within {} ms", limit.as_millis())]
    TimedOut {
        /// The block.
        lba: Lba,
        /// The time that it was given.
        limit: Duration,
    },
    /// The block was read again and again, and never checked out.
    #[error("block {lba} does not hold a sound record: {error}")]
    Unsound {
        /// The block.
        lba: Lba,
        /// What does not check out.
        error: DecodeError,
    },
    /// The block shows an older state than this host has seen there (R2).
    #[error("block {lba} shows generation {found}, but this host has seen generation {newest} there")]
    Older {
        /// The block.
        lba: Lba,
        /// What it shows now.
        found: u64,
        /// What it showed before.
        newest: u64,
    },
}

impl ReadFault {
    /// Whether the device may well give the block a moment later: no answer in time, or one that says nothing.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            ReadFault::TimedOut { .. } => true,
            ReadFault::Unreadable { error, .. } => {
                matches!(error, IoError::Unknown(_) | IoError::Refused(oarlock_block::Refusal::Busy))
            }
            ReadFault::Unsound { .. } | ReadFault::Older { .. } => false,
        }
    }
}

impl Store {
    /// The datastore that `superblock` describes.
    pub(crate) fn new(world: World, superblock: &Stamped<Superblock>, events: EventSink) -> Store {
        Store {
            world,
            format_id: superblock.stamp.format_id,
            block_size: superblock.record.block_size,
            layout: superblock.record.layout,
            timing: superblock.record.timing,
            normal: StdCell::default(),
            lease: OnceCell::new(),
            newest: RefCell::default(),
            repeats: Repeats::default(),
            events,
        }
    }

    /// From now on the store sends nothing but beats outside of this lease.
    pub(crate) fn bind(&self, lease: &Rc<Lease>) {
        let bound = self.lease.set(Rc::clone(lease));
        assert!(bound.is_ok(), "a store is bound to one life's lease");
    }

    /// Whether an ATS may be sent now: a beat always, everything else within the lease. Asked directly before the
    /// sending, with nothing awaited in between.
    pub(crate) fn may_send(&self, lane: Lane) -> bool {
        lane == Lane::Beat
            || planted(PlantedBug::FenceWhileLapsed)
            || self.lease.get().is_none_or(|lease| lease.holds(self.now()))
    }

    pub(crate) fn device(&self, lane: Lane) -> &dyn Device {
        match lane {
            Lane::Beat => self.world.beat_device.as_ref(),
            Lane::Work => self.world.device.as_ref(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.world.clock.now()
    }

    pub(crate) fn place(&self, lba: Lba) -> Place {
        Place { format_id: self.format_id, lba }
    }

    pub(crate) fn report(&self, event: Event) {
        (self.events)(event);
    }

    /// The newest version that this host has seen in the block.
    pub(crate) fn newest(&self, lba: Lba) -> Option<Version> {
        self.newest.borrow().get(&lba).copied()
    }

    /// This host has seen, or written, this version. The map is bounded by the number of records in the layout.
    pub(crate) fn note_version(&self, lba: Lba, version: Version) {
        let mut newest = self.newest.borrow_mut();
        let known = newest.entry(lba).or_insert(version);
        if known.generation < version.generation {
            *known = version;
        }
    }

    /// Reads the bytes of one block, waiting one beat at most.
    pub(crate) async fn read_bytes(&self, lane: Lane, lba: Lba, buffer: &mut [u8]) -> Result<(), ReadFault> {
        let limit = self.timing.beat;
        match self.world.within(limit, self.device(lane).read(lba, buffer)).await {
            None => Err(ReadFault::TimedOut { lba, limit }),
            Some(Err(error)) => Err(ReadFault::Unreadable { lba, error }),
            Some(Ok(())) => Ok(()),
        }
    }

    /// The record in a block that was read at `lba`. Every record enters the engine here: none that names a slot which
    /// the datastore does not have, for such a one would be looked for outside of the slots (I12).
    pub(crate) fn decode<R: Record>(&self, lba: Lba, bytes: &[u8]) -> Result<Stamped<R>, DecodeError> {
        oarlock_format::decode_within(bytes, &self.place(lba), &self.layout)
    }

    /// Reads one record past every cache, and checks it: magic, kind, format id, address, version, CRC, age. What does
    /// not check out is read again, eight times within one beat at most, and then refused (R3).
    pub(crate) async fn read<R: Record>(&self, lane: Lane, lba: Lba) -> Result<Seen<R>, ReadFault> {
        let first_issue = self.now();
        let mut tries = 0;
        loop {
            let fault = match self.read_once(lane, lba).await {
                Ok(seen) => return Ok(seen),
                Err(fault @ (ReadFault::Unreadable { .. } | ReadFault::TimedOut { .. })) => {
                    return Err(fault);
                }
                Err(fault) => fault,
            };
            tries += 1;
            let pause = self.timing.beat / (READS_OF_DAMAGE * 2);
            if tries >= READS_OF_DAMAGE || self.now().plus(pause).since(first_issue) >= self.timing.beat {
                return Err(fault);
            }
            self.world.pause(self.world.jitter(pause)).await;
        }
    }

    async fn read_once<R: Record>(&self, lane: Lane, lba: Lba) -> Result<Seen<R>, ReadFault> {
        let mut buffer = [0; BlockSize::LARGEST];
        let buffer = &mut buffer[..self.block_size.length()];
        let issued = self.now();
        // What was learnt while this read was on its way says nothing about it: it may have been executed before.
        let newest = self.newest(lba);
        self.read_bytes(lane, lba, buffer).await?;
        let replied = self.now();
        let stamped = self.decode::<R>(lba, buffer).map_err(|error| ReadFault::Unsound { lba, error })?;
        check_age(&stamped.stamp, newest)?;
        self.note_version(lba, Version::of(&stamped.stamp));
        Ok(Seen { image: Image::new(buffer), stamped, issued, replied })
    }

    /// Makes what was swapped so far durable, trying for the time of one lease at most (R12).
    pub(crate) async fn flush(&self) -> Result<(), IoError> {
        if planted(PlantedBug::StepBeforeFlush) {
            return Ok(());
        }
        let limit = self.timing.lease;
        match self.world.within(limit, self.device(Lane::Work).flush()).await {
            Some(result) => result,
            None => Err(IoError::Unknown(oarlock_block::UnknownCause::TimedOut)),
        }
    }
}

/// Whether a block that was known to hold `newest` when the read was sent can show this stamp.
pub(crate) fn check_age(stamp: &Stamp, newest: Option<Version>) -> Result<(), ReadFault> {
    match newest {
        Some(newest) if Version::of(stamp).contradicts(&newest) => {
            Err(ReadFault::Older { lba: stamp.lba, found: stamp.generation.0, newest: newest.generation.0 })
        }
        _ => Ok(()),
    }
}
