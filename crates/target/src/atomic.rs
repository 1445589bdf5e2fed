//! Atomic writes of several blocks: all of them or none, whatever becomes of the power (SBC-4, WRITE ATOMIC (16) command).
//!
//! ```text
//!  step                          cut in the middle of it, by the power or a failure
//!  1 Record   the record         the blocks are old, and the record is incomplete: the next start discards it
//!  2 Place    the blocks         the record is complete: the next start does steps 2 and 3
//!  3 End      the record's end   the same, with blocks that nobody has written since
//! ```
//! Each step is durable before the next begins, and the answer comes after the third. The command has its blocks alone until then, and where a
//! step fails, who writes them (or reads them, when they may be torn) is refused until the record has found its end: so no record
//! is ever older than what it would be written over.

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Range;
use std::rc::Rc;

use futures::FutureExt;
use oarlock_block::{Geometry, IoError, Refusal, UnknownCause};
use oarlock_device::{DataBuffer, Medium};

use crate::array::Array;
use crate::journal::JournalFile;
use crate::media::Media;
use crate::ranges::Hold;
use crate::record::{Found, RECORD_BLOCK, RECORD_BYTES_MAX, Record};
use crate::turns::Turns;
use crate::unit::Unit;

/// The atomic writes of one unit.
#[derive(Default)]
pub(crate) struct AtomicWrites {
    /// One is under way at a time, for there is one journal. Whoever has the turn waits for no blocks.
    pub(crate) turns: Turns,
    journal: RefCell<Option<Rc<Medium>>>,
    left: RefCell<Option<Left>>,
    is_told: Cell<bool>,
}

/// A record that may be in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left {
    blocks: Range<u64>,
    /// They may be neither what they were nor what the record has.
    is_torn: bool,
}

/// What the steps are done to. All that is written is durable when it is answered.
pub(crate) trait Below {
    async fn read_journal(&self, buffer: &mut DataBuffer, part: Range<usize>) -> Result<(), IoError>;
    async fn write_journal(&self, buffer: &mut DataBuffer, part: Range<usize>) -> Result<(), IoError>;
    /// Has place for blocks of the unit, whose content stays: what finds none while it writes would leave them torn.
    async fn reserve(&self, bytes: Range<u64>) -> Result<(), IoError>;
    async fn write_in_place(
        &self,
        buffer: &mut DataBuffer,
        part: Range<usize>,
        to_byte: u64,
    ) -> Result<(), IoError>;
}

/// Which step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// Before the first step.
    Reserve(IoError),
    Record(IoError),
    Place(IoError),
    End(IoError),
}

const NOT_AS_WRITTEN: IoError = IoError::Unknown(UnknownCause::DeviceError);

impl AtomicWrites {
    /// The journal, which is made where there is none yet: that writes a file as long as the longest record, once in a unit's life. Whoever calls
    /// has the turn.
    pub(crate) async fn journal(&self, media: &Media, file: JournalFile) -> io::Result<Rc<Medium>> {
        if let Some(journal) = self.open_journal() {
            return Ok(journal);
        }
        let made = media.outside(move || file.create()).await?;
        Ok(Rc::clone(self.journal.borrow_mut().insert(Rc::new(made))))
    }

    /// The journal, where there is one.
    pub(crate) fn open_journal(&self) -> Option<Rc<Medium>> {
        self.journal.borrow().clone()
    }

    /// Whether a record is in the way of whoever wants these blocks.
    pub(crate) fn refuses(&self, blocks: &Range<u64>, hold: Hold) -> bool {
        self.left.borrow().as_ref().is_some_and(|left| {
            let overlaps = blocks.start < left.blocks.end && left.blocks.start < blocks.end;
            overlaps && (left.is_torn || hold == Hold::Alone)
        })
    }

    /// Whether there may be a record.
    pub(crate) fn has_left(&self) -> bool {
        self.left.borrow().is_some()
    }

    /// Whether the operator is to be told of a failure: of the first since all went well.
    pub(crate) fn is_first_failure(&self) -> bool {
        !self.is_told.replace(true)
    }

    fn leave(&self, blocks: &Range<u64>, is_torn: bool) {
        *self.left.borrow_mut() = Some(Left { blocks: blocks.clone(), is_torn });
    }

    /// The three steps. Whoever calls has the turn and the blocks; no record is left over. `journal` is a buffer of the record's length.
    pub(crate) async fn write(
        &self,
        below: &impl Below,
        record: &Record,
        (data, part): (&mut DataBuffer, Range<usize>),
        journal: &mut DataBuffer,
    ) -> Result<(), Failed> {
        assert!(!self.has_left(), "a record has found its end before the next");
        let length = record.length();
        record.encode(&mut journal.bytes()[..length], &data.bytes()[part.clone()]);
        if let Err(full @ IoError::Refused(Refusal::Full)) = below.reserve(record.bytes()).await {
            return Err(Failed::Reserve(full));
        }
        // Before each step stands what is so while it is under way, and when it failed.
        self.leave(&record.blocks, false);
        if let Err(error) = below.write_journal(journal, 0..length).await {
            // It may be complete all the same, and the blocks are to stay as they are.
            let _ = self.end(below, journal).await;
            return Err(Failed::Record(error));
        }
        self.leave(&record.blocks, true);
        below.write_in_place(data, part, record.bytes().start).await.map_err(Failed::Place)?;
        self.leave(&record.blocks, false);
        self.end(below, journal).await.map_err(Failed::End)?;
        self.is_told.set(false);
        Ok(())
    }

    async fn end(&self, below: &impl Below, buffer: &mut DataBuffer) -> Result<(), IoError> {
        buffer.bytes()[..RECORD_BLOCK].fill(0);
        below.write_journal(buffer, 0..RECORD_BLOCK).await?;
        *self.left.borrow_mut() = None;
        Ok(())
    }

    /// Brings a record that was left over to its end. Nobody else touches its blocks: [they are refused](AtomicWrites::refuses). Whoever
    /// calls has the turn; `buffer` has room for the longest record.
    pub(crate) async fn mend(&self, below: &impl Below, buffer: &mut DataBuffer) -> Result<(), IoError> {
        let Some(left) = self.left.borrow().clone() else { return Ok(()) };
        if left.is_torn {
            below.read_journal(buffer, 0..RECORD_BYTES_MAX).await?;
            let record = match Record::find(buffer.bytes()) {
                Found::Complete(record) if record.blocks == left.blocks => record,
                _ => return Err(NOT_AS_WRITTEN),
            };
            below.write_in_place(buffer, record.data(), record.bytes().start).await?;
            self.leave(&left.blocks, false);
        }
        self.end(below, buffer).await
    }

    /// Makes the whole journal zeros: it had blocks that are to be found nowhere any more.
    pub(crate) async fn wipe(&self, below: &impl Below, buffer: &mut DataBuffer) -> Result<(), IoError> {
        buffer.bytes()[..RECORD_BYTES_MAX].fill(0);
        below.write_journal(buffer, 0..RECORD_BYTES_MAX).await?;
        *self.left.borrow_mut() = None;
        Ok(())
    }

    /// Takes the journal of an earlier life, and what is in it.
    async fn resume(
        &self,
        below: &impl Below,
        buffer: &mut DataBuffer,
        (serial, geometry): (&str, Geometry),
    ) -> Result<Resumed, NotResumed> {
        below.read_journal(buffer, 0..RECORD_BYTES_MAX).await.map_err(NotResumed::Unreadable)?;
        match Record::find(&buffer.bytes()[..RECORD_BYTES_MAX]) {
            Found::Nothing => Ok(Resumed::Nothing),
            Found::Incomplete => {
                // Of no blocks: it is in nobody's way, and ends before the next begins at the latest.
                self.leave(&(0..0), false);
                Ok(Resumed::Incomplete(self.mend(below, buffer).await))
            }
            Found::Complete(record) => {
                let is_own = record.serial == serial
                    && record.block_size == geometry.block_size
                    && record.blocks.end <= geometry.blocks.0;
                if !is_own {
                    return Err(NotResumed::Foreign(record));
                }
                self.leave(&record.blocks, true);
                Ok(Resumed::Complete(record, self.mend(below, buffer).await))
            }
        }
    }
}

/// What a journal of an earlier life had, and what became of it.
#[derive(Debug, PartialEq, Eq)]
enum Resumed {
    Nothing,
    Incomplete(Result<(), IoError>),
    Complete(Record, Result<(), IoError>),
}

/// Why a journal is not taken.
#[derive(Debug, PartialEq, Eq)]
enum NotResumed {
    Unreadable(IoError),
    /// What it has is of another unit, or of this one as it was with other blocks.
    Foreign(Record),
}

/// A unit before it is served, and its journal: nobody else waits for what is done here, so it is done at once.
struct Early<'a>(&'a Medium, &'a Medium);

impl Below for Early<'_> {
    async fn read_journal(&self, buffer: &mut DataBuffer, part: Range<usize>) -> Result<(), IoError> {
        let Early(_, journal) = self;
        journal.read_now(buffer, part, 0)
    }

    async fn write_journal(&self, buffer: &mut DataBuffer, part: Range<usize>) -> Result<(), IoError> {
        write_now(self.1, buffer, part, 0)
    }

    async fn reserve(&self, _: Range<u64>) -> Result<(), IoError> {
        Ok(())
    }

    async fn write_in_place(
        &self,
        buffer: &mut DataBuffer,
        part: Range<usize>,
        to_byte: u64,
    ) -> Result<(), IoError> {
        write_now(self.0, buffer, part, to_byte)
    }
}

fn write_now(
    medium: &Medium,
    buffer: &mut DataBuffer,
    part: Range<usize>,
    to_byte: u64,
) -> Result<(), IoError> {
    if medium.is_read_only() {
        return Err(IoError::Refused(Refusal::Unsupported));
    }
    medium.write_now(buffer, part, to_byte)?;
    medium.flush_now()
}

/// A journal of an earlier life, what was in it, and what is left of that.
pub(crate) struct Replayed {
    journal: Medium,
    resumed: Resumed,
    left: Option<Left>,
}

/// Does for a medium that is not served yet what an atomic write of its earlier life left over.
///
/// # Errors
/// Where nobody can say what the journal has, or it has another unit's.
pub(crate) fn replay(medium: &Medium, serial: &str, journal: Medium) -> Result<Replayed, String> {
    let mut buffer = DataBuffer::apart(RECORD_BYTES_MAX).ok_or("there is no memory for its journal")?;
    let (writes, geometry) = (AtomicWrites::default(), medium.geometry());
    let resumed = writes.resume(&Early(medium, &journal), &mut buffer, (serial, geometry)).now_or_never();
    let busy = NotResumed::Unreadable(IoError::Refused(Refusal::Busy));
    let resumed = resumed.unwrap_or(Err(busy)).map_err(|not_resumed| match not_resumed {
        NotResumed::Unreadable(error) => error.to_string(),
        NotResumed::Foreign(record) => foreign(&record, (serial, geometry), &journal),
    })?;
    Ok(Replayed { journal, resumed, left: writes.left.into_inner() })
}

/// Takes for a unit what was replayed, and tells the operator.
pub(crate) fn resume(array: &Array, unit: &Unit, replayed: Option<Replayed>) {
    let Some(Replayed { journal, resumed, left }) = replayed else { return };
    let (file, number) = (journal.path().display(), unit.number);
    match &resumed {
        Resumed::Nothing => {}
        Resumed::Incomplete(ended) => {
            let and = match ended {
                Ok(()) => String::new(),
                Err(error) => format!(" (it stays in {file}, which cannot be written: {error})"),
            };
            array.log(&format!(
                "unit {number}: the array ended while it prepared an atomic write, which did not happen: its record is discarded{and}"
            ));
        }
        Resumed::Complete(record, ended) => {
            let Range { start, end } = record.blocks;
            let count = end - start;
            array.log(&match ended {
                Ok(()) => format!(
                    "unit {number}: the array ended in the middle of an atomic write of {count} blocks from {start} on; they were written again, and are whole"
                ),
                Err(error) => format!(
                    "UNIT {number} HAS A TORN WRITE: the array ended in the middle of an atomic write of {count} blocks from {start} on, and they cannot \
                     be written again from {file} ({error}). Reads and writes of them fail (MEDIUM ERROR) until that succeeds"
                ),
            });
        }
    }
    *unit.atomic.left.borrow_mut() = left;
    *unit.atomic.journal.borrow_mut() = Some(Rc::new(journal));
}

/// Why a unit is not served beside a whole record that it does not take for its own: its blocks may be torn, be it that the file was served
/// by another name, with other blocks, or longer, when the power failed.
fn foreign(record: &Record, (serial, geometry): (&str, Geometry), journal: &Medium) -> String {
    let (Range { start, end }, file) = (&record.blocks, journal.path().display());
    format!(
        "{file} has an atomic write that was cut short: blocks {start} to {} of {} bytes of the unit with serial number {}, and this one has \
         serial number {serial} and {} blocks of {} bytes. Serve it once as it was (serial=, block=), so that they become whole; or move that file \
         away, where it is of another disk",
        end - 1,
        record.block_size.bytes(),
        record.serial,
        geometry.blocks.0,
        geometry.block_size.bytes()
    )
}

#[cfg(test)]
mod tests;
