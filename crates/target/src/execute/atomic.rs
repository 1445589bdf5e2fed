//! WRITE ATOMIC: one atomic block of the device below as it is, anything longer by the unit's journal (SBC-4, WRITE ATOMIC (16) command).
//!
//! Towards other commands every write here is atomic; this is about failures of power. What waits, waits in one order: memory for the
//! data, the blocks, the turn at the journal, memory for the record.

use std::io::ErrorKind;
use std::ops::Range;
use std::rc::Rc;

use oarlock_block::{BlockCount, BlockSize, IoError, Lba, Refusal, UnknownCause};
use oarlock_device::{DataBuffer, Durability, Medium};
use oarlock_scsi::{AdditionalSense, Sense, SenseKey, Transfer, WriteAtomic};

use super::{Reply, Work, failed};
use crate::array::Array;
use crate::atomic::{Below, Failed};
use crate::course::{Outcome, Stop};
use crate::journal::JournalFile;
use crate::limits::ATOMIC_BYTES_MAX;
use crate::media::Disk;
use crate::ranges::Hold;
use crate::record::{RECORD_BYTES_MAX, Record};
use crate::task::Received;
use crate::unit::Unit;

/// The most blocks of one atomic write.
pub(super) fn atomic_blocks_max(block: BlockSize) -> u32 {
    u32::try_from(ATOMIC_BYTES_MAX / block.length()).unwrap_or(u32::MAX)
}

/// A unit that is served, and its journal, on the array's ring.
struct OnRing<'a> {
    array: &'a Array,
    unit: &'a Unit,
    journal: &'a Medium,
}

impl OnRing<'_> {
    /// The journal: it lies where the unit lies.
    fn disk(&self) -> Disk<'_> {
        Disk { medium: self.journal, shares: &self.unit.shares }
    }
}

impl Below for OnRing<'_> {
    async fn read_journal(&self, buffer: &mut DataBuffer, part: Range<usize>) -> Result<(), IoError> {
        self.array.media.read(self.disk(), buffer, part, 0).await
    }

    async fn write_journal(&self, buffer: &mut DataBuffer, part: Range<usize>) -> Result<(), IoError> {
        self.array.media.write(self.disk(), buffer, part, 0, Durability::Durable).await
    }

    async fn reserve(&self, bytes: Range<u64>) -> Result<(), IoError> {
        self.array.media.reserve(self.unit.disk(), (bytes.start, bytes.end - bytes.start)).await
    }

    async fn write_in_place(
        &self,
        buffer: &mut DataBuffer,
        part: Range<usize>,
        to_byte: u64,
    ) -> Result<(), IoError> {
        self.unit.write(self.array, (buffer, part), to_byte, Durability::Durable).await
    }
}

/// What an initiator is told whose atomic write, or the end of an earlier one, failed at the journal.
fn failed_at_journal(error: &IoError) -> Stop {
    match failed(error, true) {
        Stop::Check(_) => {
            Sense::new(SenseKey::HardwareError, AdditionalSense::INTERNAL_TARGET_FAILURE).into()
        }
        stop => stop,
    }
}

impl Work {
    pub(super) async fn write_atomic(&self, write: WriteAtomic) -> Outcome<Reply> {
        let Transfer { lba, count, fua, .. } = write.transfer;
        let wrong_byte = match () {
            () if write.boundary.0 > 0 => Some(10),
            () if count.0 > u64::from(atomic_blocks_max(self.unit.block_size())) => Some(12),
            () => None,
        };
        if let Some(byte) = wrong_byte {
            return Err(Sense::invalid_cdb(byte, None).into());
        }
        let length = self.check_length(count)?;
        let Some(mut received) = self.receive_exactly(length).await? else { return Ok(Reply::good()) };
        let count = self.blocks_in(received.length);
        let _held = self.hold(lba, count, Hold::Alone).await?;
        if self.is_one_atomic_block(lba, count) {
            let durability = self.unit.durability(fua);
            self.write_from(&mut received.buffer, 0..received.length, lba, durability).await?;
        } else {
            self.write_by_journal(lba, count, &mut received).await?;
        }
        Ok(Reply::good())
    }

    /// What the device below writes at once by itself.
    fn is_one_atomic_block(&self, lba: Lba, count: BlockCount) -> bool {
        let atomic = self.unit.atomic_blocks().map(u64::from);
        atomic.is_some_and(|atomic| count.0 == atomic && lba.0.is_multiple_of(atomic))
    }

    /// From the record's first byte on it goes to its end, whoever ends the command.
    async fn write_by_journal(&self, lba: Lba, count: BlockCount, received: &mut Received) -> Outcome<()> {
        let (array, unit) = (&self.array, &self.unit);
        let _turn = self.task.or_aborted(unit.atomic.turns.next()).await?;
        let _grant = self.step_of(unit, RECORD_BYTES_MAX).await?;
        let mut buffer = self.buffer(RECORD_BYTES_MAX)?;
        if unit.flushes.has_failed() {
            return Err(failed(&IoError::Unknown(UnknownCause::DeviceError), true));
        }
        let file = JournalFile::of(&unit.medium, &unit.traits.serial);
        let journal = unit.atomic.journal(&array.media, file).await.map_err(|error| {
            self.tell_once(unit, &format!("no atomic write, for its journal cannot be made: {error}"));
            match error.kind() {
                ErrorKind::StorageFull => failed(&IoError::Refused(Refusal::Full), true),
                _ => Sense::new(SenseKey::HardwareError, AdditionalSense::INTERNAL_TARGET_FAILURE).into(),
            }
        })?;
        let below = OnRing { array, unit, journal: &journal };
        self.mend_left(&below, &mut buffer).await.map_err(|error| failed_at_journal(&error))?;
        self.task.check()?;
        let serial = unit.traits.serial.clone();
        let record = Record { serial, block_size: unit.block_size(), blocks: lba.0..lba.0 + count.0 };
        let data = (&mut received.buffer, 0..received.length);
        let written = unit.atomic.write(&below, &record, data, &mut buffer).await;
        if let Err(failed) = &written {
            self.tell_failure(unit, &record.blocks, &journal, failed);
        }
        self.task.check()?;
        written.map_err(|failure| match &failure {
            Failed::Reserve(error) | Failed::Place(error) => failed(error, true),
            Failed::Record(error) | Failed::End(error) => failed_at_journal(error),
        })
    }

    fn tell_once(&self, unit: &Unit, words: &str) {
        if unit.atomic.is_first_failure() {
            self.array.log(&format!("unit {}: {words}", unit.number));
        }
    }

    fn tell_failure(&self, unit: &Unit, blocks: &Range<u64>, journal: &Medium, failed: &Failed) {
        let (Range { start, end }, file) = (blocks, journal.path().display());
        let (step, error, consequence) = match failed {
            Failed::Reserve(error) => ("there is no place for them", error, "they are as they were"),
            Failed::Record(error) if unit.atomic.has_left() => (
                "its record could neither be written nor be taken back",
                error,
                "they are as they were, and writes of them fail until the record can be taken back",
            ),
            Failed::Record(error) => ("its record could not be written", error, "they are as they were"),
            Failed::Place(error) => (
                "they could not be written",
                error,
                "reads and writes of them fail until they can be written from the record, now or after a restart",
            ),
            Failed::End(error) => (
                "its record could not be taken back",
                error,
                "they are written, and further writes of them fail until the record can be taken back",
            ),
        };
        self.tell_once(
            unit,
            &format!(
                "an atomic write of blocks {start} to {} failed by its journal {file}: {step} ({error}); {consequence}",
                end - 1
            ),
        );
    }

    /// What keeps these blocks of a unit from whoever has them in hand: an atomic write that failed, unless it can be brought to its end now.
    pub(super) async fn mend(&self, unit: &Rc<Unit>, blocks: &Range<u64>, hold: Hold) -> Outcome<()> {
        if !unit.atomic.refuses(blocks, hold) {
            return Ok(());
        }
        let _turn = self.task.or_aborted(unit.atomic.turns.next()).await?;
        if unit.atomic.refuses(blocks, hold)
            && let Some(journal) = unit.atomic.open_journal()
        {
            let _grant = self.step_of(unit, RECORD_BYTES_MAX).await?;
            let mut buffer = self.buffer(RECORD_BYTES_MAX)?;
            let below = OnRing { array: &self.array, unit, journal: &journal };
            // Whether it did is seen by what is left.
            let _ = self.mend_left(&below, &mut buffer).await;
        }
        match (unit.atomic.refuses(blocks, hold), hold) {
            (false, _) => self.task.check(),
            (true, Hold::Alone) => Err(failed(&IoError::Unknown(UnknownCause::DeviceError), true)),
            (true, Hold::Shared) => Err(failed(&IoError::Medium, false)),
        }
    }

    async fn mend_left(&self, below: &OnRing<'_>, buffer: &mut DataBuffer) -> Result<(), IoError> {
        let unit = below.unit;
        if !unit.atomic.has_left() {
            return Ok(());
        }
        unit.atomic.mend(below, buffer).await?;
        self.array.log(&format!(
            "unit {}: the atomic write that had failed was brought to its end: its blocks are served again",
            unit.number
        ));
        Ok(())
    }
}

/// Nothing of what was written atomically is left in the journal.
pub(super) async fn wipe_journal(array: &Rc<Array>, unit: &Rc<Unit>) -> Result<(), IoError> {
    let _turn = unit.atomic.turns.next().await;
    let Some(journal) = unit.atomic.open_journal() else { return Ok(()) };
    let _grant = array.media.step(None, &unit.shares, RECORD_BYTES_MAX).await;
    let mut buffer = array.media.buffer(RECORD_BYTES_MAX)?;
    let below = OnRing { array, unit, journal: &journal };
    unit.atomic.wipe(&below, &mut buffer).await
}
