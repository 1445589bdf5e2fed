//! Blocks that are cleared, or written with one block again and again, without data of an initiator's under way.

use std::rc::Rc;

use oarlock_block::{BlockCount, IoError, Lba, Refusal};
use oarlock_device::Durability;

use super::failed;
use crate::array::Array;
use crate::course::{Course, Outcome};
use crate::shares::SessionShares;
use crate::unit::Unit;

/// What one write of a pattern covers.
const PATTERN_LENGTH: usize = 1 << 20;

/// What one command that clears covers: a file system stops the file's other commands meanwhile.
const CLEAR_STEP: u64 = 64 << 20;

/// What clears blocks of a unit, in steps between which it can be ended. The blocks are in its hands.
pub(super) struct Clearing<'a> {
    pub(super) array: &'a Rc<Array>,
    pub(super) unit: &'a Rc<Unit>,
    pub(super) course: &'a Course,
    /// Of the session that asked for it, where one waits.
    pub(super) session: Option<Rc<SessionShares>>,
}

impl Clearing<'_> {
    /// They read as zeros, and their place is given back where that can be.
    pub(super) async fn discard(&self, lba: Lba, count: BlockCount) -> Outcome<()> {
        for bytes in self.steps(lba, count) {
            let discarded = self.array.media.discard(self.unit.disk(), bytes).await;
            self.course.check()?;
            match discarded {
                Err(IoError::Refused(Refusal::Unsupported)) => return self.zero(lba, count).await,
                discarded => discarded.map_err(|error| failed(&error, true))?,
            }
        }
        Ok(())
    }

    /// They read as zeros, and have their place.
    pub(super) async fn zero(&self, lba: Lba, count: BlockCount) -> Outcome<()> {
        for bytes in self.steps(lba, count) {
            let zeroed = self.array.media.write_zeroes(self.unit.disk(), bytes).await;
            self.course.check()?;
            match zeroed {
                Err(IoError::Refused(Refusal::Unsupported)) => {
                    let block = self.unit.block_size().length();
                    return self.write_pattern(&vec![0; block], lba, count).await;
                }
                zeroed => zeroed.map_err(|error| failed(&error, true))?,
            }
        }
        Ok(())
    }

    /// Each of them is `pattern`.
    pub(super) async fn write_pattern(&self, pattern: &[u8], lba: Lba, count: BlockCount) -> Outcome<()> {
        let (start, length) = self.bytes_of(lba, count);
        let step = PATTERN_LENGTH.min(usize::try_from(length).unwrap_or(PATTERN_LENGTH));
        let media = &self.array.media;
        let _grant =
            self.course.or_aborted(media.step(self.session.as_deref(), &self.unit.shares, step)).await?;
        let mut buffer = media.buffer(step).map_err(|error| failed(&error, true))?;
        buffer.bytes().chunks_exact_mut(pattern.len()).for_each(|block| block.copy_from_slice(pattern));
        let mut done = 0;
        while done < length {
            let part = (length - done).min(step as u64);
            let part = 0..usize::try_from(part).unwrap_or(step);
            let written = part.end as u64;
            let to = start + done;
            let outcome = media.write(self.unit.disk(), &mut buffer, part, to, Durability::Volatile).await;
            self.course.check()?;
            outcome.map_err(|error| failed(&error, true))?;
            done += written;
        }
        Ok(())
    }

    fn steps(&self, lba: Lba, count: BlockCount) -> impl Iterator<Item = (u64, u64)> + use<> {
        let (start, length) = self.bytes_of(lba, count);
        (0..length.div_ceil(CLEAR_STEP)).map(move |number| {
            let done = number * CLEAR_STEP;
            (start + done, CLEAR_STEP.min(length - done))
        })
    }

    fn bytes_of(&self, lba: Lba, count: BlockCount) -> (u64, u64) {
        let block_size = self.unit.block_size();
        (lba.byte_offset(block_size), count.bytes(block_size).0)
    }
}
