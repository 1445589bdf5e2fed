//! From an image file to a disk.

use oarlock_nbd::{Allocation, Command, TransmissionFlags};

use crate::address::Address;
use crate::error::ImageError;
use crate::limits::{DISK_SLACK_MAX, RANGE_LENGTH_MAX, REQUEST_LENGTH_MAX, REQUESTS_MAX, ZEROS_LENGTH};
use crate::line::{Line, Received};
use crate::onlooker::{Onlooker, Progress};
use crate::plan::{Plan, Step};
use crate::source::Source;
use crate::zeros;

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Bytes that were zeroed, because the disk was not blank.
    pub zeroed_bytes: u64,
    /// Bytes that were left as they were: zeros on a blank disk.
    pub skipped_bytes: u64,
    /// Requests to write or to zero.
    pub requests: u64,
}

/// Writes an image onto a disk, all of it, and makes it durable. Zeros are written only where the disk does not say already that it has
/// them, so that on a new disk what stood empty takes no room.
///
/// # Errors
/// What cannot be read, and what the disk refuses. The disk then holds a part of the image: a caller who made it for the import takes it away.
pub fn import(
    source: &mut Source,
    address: &Address,
    onlooker: &mut dyn Onlooker,
) -> Result<Imported, ImageError> {
    let total_bytes = source.survey(onlooker)?.data_bytes;
    let line = Line::dial(address, onlooker)?;
    check(&line, source)?;
    let mut copy = Copy {
        block: line.block_size(),
        zeroes: line.can(TransmissionFlags::SEND_WRITE_ZEROES),
        is_blank: false,
        line,
        done: Imported::default(),
        progress: Progress { done_bytes: 0, total_bytes },
    };
    copy.is_blank = copy.find_blank(onlooker)?;
    copy.run(source, onlooker)?;
    copy.line.ask((Command::FLUSH, 0, 0), onlooker, &mut |_| Ok(()))?;
    copy.line.leave();
    Ok(copy.done)
}

/// Whether the disk can take the image at all.
fn check(line: &Line, source: &Source) -> Result<(), ImageError> {
    if line.can(TransmissionFlags::READ_ONLY) {
        return Err(ImageError::ReadOnly);
    }
    if !line.can(TransmissionFlags::SEND_FLUSH) {
        return Err(ImageError::NoFlush);
    }
    let (disk_bytes, image_bytes) = (line.size_bytes(), source.size_bytes());
    let fits = disk_bytes.checked_sub(image_bytes).is_some_and(|slack| slack < DISK_SLACK_MAX);
    if !fits || !disk_bytes.is_multiple_of(line.block_size()) {
        return Err(ImageError::SizeDiffers { disk_bytes, image_bytes });
    }
    Ok(())
}

struct Copy {
    line: Line,
    block: u64,
    /// Whether the server knows how to zero.
    zeroes: bool,
    /// Whether the disk says of itself that it is zeros from end to end.
    is_blank: bool,
    done: Imported,
    progress: Progress,
}

impl Copy {
    /// Whether the disk says that it is zeros from its beginning to its end.
    fn find_blank(&mut self, onlooker: &dyn Onlooker) -> Result<bool, ImageError> {
        if !self.line.tells_allocation() {
            return Ok(false);
        }
        let mut place = 0;
        while place < self.line.size_bytes() {
            let length = (self.line.size_bytes() - place).min(RANGE_LENGTH_MAX);
            let (mut told, mut is_zero) = (0, true);
            self.line.ask((Command::BLOCK_STATUS, place, length_of(length)), onlooker, &mut |received| {
                if let Received::Status(extents) = received {
                    told = extents.iter().map(|extent| u64::from(extent.length)).sum();
                    is_zero = extents.iter().all(|extent| extent.status.has(Allocation::ZERO));
                }
                Ok(())
            })?;
            if !is_zero {
                return Ok(false);
            }
            place += told;
        }
        Ok(true)
    }

    fn run(&mut self, source: &mut Source, onlooker: &mut dyn Onlooker) -> Result<(), ImageError> {
        let data_max = self.line.payload_max().min(REQUEST_LENGTH_MAX);
        let data_max = (u64::from(data_max) / self.block * self.block).max(self.block);
        let mut plan = Plan::new(self.line.size_bytes(), self.block, data_max);
        let mut buffer = Vec::new();
        while let Some(step) = plan.next(source)? {
            if onlooker.wants_out() {
                return Err(ImageError::Interrupted);
            }
            if step.is_zero {
                self.zero(step.offset, step.length, data_max, onlooker)?;
            } else {
                self.data(source, step, &mut buffer, onlooker)?;
                self.advance(&step, onlooker);
            }
        }
        while self.line.under_way() > 0 {
            self.line.turn(onlooker, &mut |_| Ok(()))?;
        }
        Ok(())
    }

    /// Tells how far the copy is. A data block with a few bytes of data counts as a whole one, hence the bound.
    fn advance(&mut self, step: &Step, onlooker: &mut dyn Onlooker) {
        let Progress { done_bytes, total_bytes } = self.progress;
        self.progress.done_bytes = (done_bytes + step.length).min(total_bytes);
        onlooker.advanced(self.progress);
    }

    /// Writes a range of data, but for the zeros in it.
    fn data(
        &mut self,
        source: &mut Source,
        step: Step,
        buffer: &mut Vec<u8>,
        onlooker: &dyn Onlooker,
    ) -> Result<(), ImageError> {
        buffer.resize(usize::try_from(step.length).unwrap_or(usize::MAX), 0);
        source.read_at(step.offset, buffer)?;
        let grain = ZEROS_LENGTH.max(usize::try_from(self.block).unwrap_or(ZEROS_LENGTH));
        for (start, length, is_zero) in zeros::runs(step.offset, buffer, grain) {
            let offset = step.offset + start as u64;
            if is_zero && (self.is_blank || self.zeroes) {
                self.zero(offset, length as u64, step.length, onlooker)?;
            } else {
                self.done.written_bytes += length as u64;
                self.ask(Command::WRITE, offset, length as u64, &buffer[start..start + length], onlooker)?;
            }
        }
        Ok(())
    }

    /// Makes a range zeros.
    fn zero(
        &mut self,
        offset: u64,
        length: u64,
        data_max: u64,
        onlooker: &dyn Onlooker,
    ) -> Result<(), ImageError> {
        if self.is_blank {
            self.done.skipped_bytes += length;
            return Ok(());
        }
        if self.zeroes {
            self.done.zeroed_bytes += length;
            return self.ask(Command::WRITE_ZEROES, offset, length, &[], onlooker);
        }
        let (zeros, mut place) = (vec![0; usize::try_from(data_max.min(length)).unwrap_or(0)], offset);
        while place < offset + length {
            let piece = (offset + length - place).min(zeros.len() as u64);
            self.done.written_bytes += piece;
            let payload = &zeros[..usize::try_from(piece).unwrap_or(0)];
            self.ask(Command::WRITE, place, piece, payload, onlooker)?;
            place += piece;
        }
        Ok(())
    }

    /// Sends a request, once there is a place for it.
    fn ask(
        &mut self,
        command: Command,
        offset: u64,
        length: u64,
        payload: &[u8],
        onlooker: &dyn Onlooker,
    ) -> Result<(), ImageError> {
        while self.line.under_way() >= REQUESTS_MAX {
            self.line.turn(onlooker, &mut |_| Ok(()))?;
        }
        self.done.requests += 1;
        self.line.send(command, offset, length_of(length), payload).map(|_| ())
    }
}

fn length_of(length: u64) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
