//! From a disk to an image file.

use std::collections::VecDeque;

use oarlock_nbd::{Allocation, Command, Cookie, Extent};

use crate::address::Address;
use crate::error::ImageError;
use crate::limits::{EXTENTS_AHEAD_MIN, RANGE_LENGTH_MAX, REQUEST_LENGTH_MAX, REQUESTS_MAX};
use crate::line::{Line, Received};
use crate::onlooker::{Onlooker, Progress};
use crate::sink::{Destination, Sink};

/// What an export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The disk's size.
    pub size_bytes: u64,
    /// Bytes that were read of the disk; the rest told that it is zeros.
    pub read_bytes: u64,
    /// Requests to read, and questions where data stand.
    pub requests: u64,
}

/// Writes a disk into an image file, which is there whole or not at all.
///
/// # Errors
/// What the disk refuses and what the file system does; nothing is left behind then.
pub fn export(
    address: &Address,
    destination: &Destination,
    onlooker: &mut dyn Onlooker,
) -> Result<Exported, ImageError> {
    let line = Line::dial(address, onlooker)?;
    let size_bytes = line.size_bytes();
    let mut copy = Copy {
        data_max: line.payload_max().min(REQUEST_LENGTH_MAX).into(),
        sink: destination.begin(size_bytes)?,
        line,
        ahead: Ahead::default(),
        reads: VecDeque::new(),
        done: Exported { size_bytes, ..Exported::default() },
    };
    copy.run(onlooker)?;
    let Copy { line, sink, done, .. } = copy;
    line.leave();
    sink.finish()?;
    Ok(done)
}

/// What is known of the disk in front of the reads.
#[derive(Default)]
struct Ahead {
    /// How far the disk is known.
    known: u64,
    /// Whether a question is under way.
    is_asking: bool,
    /// Ranges of data, in order: where each begins and ends.
    data: VecDeque<(u64, u64)>,
}

impl Ahead {
    /// Takes the answer to a question about the disk from where it is known on.
    fn take(&mut self, extents: &[Extent], size_bytes: u64) {
        for extent in extents {
            let start = self.known;
            self.known = (start + u64::from(extent.length)).min(size_bytes);
            // A hole that is not said to be zeros may read as anything.
            if !extent.status.has(Allocation::ZERO) && start < self.known {
                self.add(start);
            }
        }
    }

    fn add(&mut self, start: u64) {
        match self.data.back_mut() {
            Some(last) if last.1 == start => last.1 = self.known,
            _ => self.data.push_back((start, self.known)),
        }
    }
}

/// A read under way, or done and waiting for its turn.
struct Read {
    cookie: Cookie,
    offset: u64,
    bytes: Vec<u8>,
    is_done: bool,
}

struct Copy {
    line: Line,
    sink: Sink,
    data_max: u64,
    ahead: Ahead,
    /// In order of offset, which is the order in which the image takes them.
    reads: VecDeque<Read>,
    done: Exported,
}

impl Copy {
    fn run(&mut self, onlooker: &mut dyn Onlooker) -> Result<(), ImageError> {
        loop {
            if onlooker.wants_out() {
                return Err(ImageError::Interrupted);
            }
            self.ask_ahead()?;
            self.ask_data()?;
            if self.line.under_way() == 0 && self.reads.is_empty() {
                break;
            }
            self.turn(onlooker)?;
            self.put(onlooker)?;
        }
        assert!(self.ahead.known == self.done.size_bytes && self.ahead.data.is_empty(), "all was read");
        let size = self.done.size_bytes;
        onlooker.advanced(Progress { done_bytes: size, total_bytes: size });
        Ok(())
    }

    /// Asks where data stand, when little is known ahead.
    fn ask_ahead(&mut self) -> Result<(), ImageError> {
        let left = self.done.size_bytes - self.ahead.known;
        if left == 0 || self.ahead.is_asking || self.ahead.data.len() >= EXTENTS_AHEAD_MIN {
            return Ok(());
        }
        let length = left.min(RANGE_LENGTH_MAX);
        if !self.line.tells_allocation() {
            let start = self.ahead.known;
            self.ahead.known += length;
            self.ahead.add(start);
            return Ok(());
        }
        self.ahead.is_asking = true;
        self.done.requests += 1;
        self.line.send(Command::BLOCK_STATUS, self.ahead.known, length_of(length), &[]).map(|_| ())
    }

    /// Asks for data, as far as there are places.
    fn ask_data(&mut self) -> Result<(), ImageError> {
        while self.reads.len() < REQUESTS_MAX
            && let Some((start, end)) = self.ahead.data.pop_front()
        {
            // Pieces end at multiples of their length, so that clusters come whole.
            let piece_end = start - start % self.data_max + self.data_max;
            let piece_end = piece_end.min(end);
            if piece_end < end {
                self.ahead.data.push_front((piece_end, end));
            }
            let length = piece_end - start;
            let cookie = self.line.send(Command::READ, start, length_of(length), &[])?;
            self.done.requests += 1;
            self.done.read_bytes += length;
            let bytes = vec![0; usize::try_from(length).unwrap_or(0)];
            self.reads.push_back(Read { cookie, offset: start, bytes, is_done: false });
        }
        Ok(())
    }

    fn turn(&mut self, onlooker: &dyn Onlooker) -> Result<(), ImageError> {
        let Copy { line, reads, ahead, done, .. } = self;
        line.turn(onlooker, &mut |received| {
            match received {
                Received::Data { cookie, offset, bytes } => {
                    if let Some(read) = reads.iter_mut().find(|read| read.cookie == cookie) {
                        let start = usize::try_from(offset - read.offset).unwrap_or(usize::MAX);
                        read.bytes[start..start + bytes.len()].copy_from_slice(bytes);
                    }
                }
                Received::Status(extents) => ahead.take(&extents, done.size_bytes),
                Received::Done(request) if request.command == Command::BLOCK_STATUS => {
                    ahead.is_asking = false;
                }
                Received::Done(request) => {
                    if let Some(read) = reads.iter_mut().find(|read| read.cookie == request.cookie) {
                        read.is_done = true;
                    }
                }
            }
            Ok(())
        })
    }

    /// Gives the image what came, in order.
    fn put(&mut self, onlooker: &mut dyn Onlooker) -> Result<(), ImageError> {
        while self.reads.front().is_some_and(|read| read.is_done)
            && let Some(read) = self.reads.pop_front()
        {
            self.sink.write(read.offset, &read.bytes)?;
            let done_bytes = read.offset + read.bytes.len() as u64;
            onlooker.advanced(Progress { done_bytes, total_bytes: self.done.size_bytes });
        }
        Ok(())
    }
}

fn length_of(length: u64) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
