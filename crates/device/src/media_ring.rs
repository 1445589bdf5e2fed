//! The ring of an array's thread: the data of all its media and its sockets, with one system call a turn.

use std::ops::Range;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use oarlock_block::Refusal;

use crate::clear::Clear;
use crate::data_buffer::DataBuffer;
use crate::data_command::{Transfer, Work};
use crate::data_error::DataRingError;
use crate::data_ring::{Completion, RingWaker, Token};
use crate::medium::Medium;
use crate::places::Places;
use crate::watch::{Interest, Watch};

/// The deepest ring: two looks for each of 2,048 sockets, and 4,096 commands.
pub const MEDIA_DEPTH_MAX: usize = 8 << 10;

/// How long a dropped ring waits for what is in flight.
const DROP_WAIT_MAX: Duration = Duration::from_secs(5);

/// A ring over the data of any number of [media](Medium) and the sockets of one thread; for the rest as a
/// [`DataRing`](crate::DataRing): commands are collected, sent by the next [`turn`](MediaRing::turn), and end in any order,
/// each exactly once.
pub struct MediaRing {
    places: Places<Token>,
    buffer_bytes_max: usize,
}

/// How a write stands to power failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It may be lost until a flush.
    Volatile,
    /// It is there when it is answered.
    Durable,
}

impl MediaRing {
    /// A ring for `depth` commands at once, whose buffers are at most `buffer_bytes_max` bytes together.
    ///
    /// # Errors
    /// [`DataRingError::Depth`] and [`DataRingError::Kernel`].
    pub fn new(depth: usize, buffer_bytes_max: usize) -> Result<MediaRing, DataRingError> {
        if depth == 0 || depth > MEDIA_DEPTH_MAX {
            return Err(DataRingError::Depth { max: MEDIA_DEPTH_MAX, asked: depth });
        }
        Ok(MediaRing { places: Places::new(depth)?, buffer_bytes_max })
    }

    /// Lets so many commands wait in the kernel for media that do not answer, each with a thread of the kernel's. Before, it is four for each processor: as many
    /// on one medium that hangs would keep every other one from its writes and flushes. A kernel that knows no such number (before 5.15) keeps its own.
    pub fn let_wait(&self, commands: u32) {
        self.places.set_workers_max(commands);
    }

    /// Commands that can be asked for now.
    #[must_use]
    pub fn places_free(&self) -> usize {
        self.places.free()
    }

    /// What ends this ring's wait from other threads.
    #[must_use]
    pub fn waker(&self) -> RingWaker {
        self.places.waker()
    }

    /// A buffer of `length` bytes, with whatever content it had.
    ///
    /// # Errors
    /// [`DataRingError::NoBuffer`] beyond the limits.
    pub fn buffer(&self, length: usize) -> Result<DataBuffer, DataRingError> {
        self.places.buffer(length, self.buffer_bytes_max)
    }

    /// Reads from the medium's byte `from_byte` on into `part` of the buffer.
    ///
    /// # Errors
    /// [`DataRingError::Full`], [`DataRingError::Refused`], [`DataRingError::Kernel`]: nothing was asked for.
    ///
    /// # Panics
    /// Where `from_byte`, the part's start or its length are not whole blocks, the part is empty or exceeds the buffer:
    /// programmer's errors.
    pub fn read(
        &mut self,
        token: Token,
        medium: &Medium,
        (buffer, part): (&DataBuffer, Range<usize>),
        from_byte: u64,
    ) -> Result<(), DataRingError> {
        let transfer = transfer(medium, buffer, part, from_byte)?;
        self.begin(token, medium, Work::Read(transfer), Some(buffer))
    }

    /// Writes `part` of the buffer to the medium's byte `to_byte` and on.
    ///
    /// # Errors
    /// As [`read`](MediaRing::read).
    ///
    /// # Panics
    /// As [`read`](MediaRing::read).
    pub fn write(
        &mut self,
        token: Token,
        medium: &Medium,
        (buffer, part): (&DataBuffer, Range<usize>),
        to_byte: u64,
        durability: Durability,
    ) -> Result<(), DataRingError> {
        let transfer = transfer(medium, buffer, part, to_byte)?;
        check_writable(medium)?;
        let work = match durability {
            Durability::Volatile => Work::Write(transfer),
            Durability::Durable => Work::WriteThrough(transfer),
        };
        self.begin(token, medium, work, Some(buffer))
    }

    /// Makes every write that was answered durable.
    ///
    /// # Errors
    /// As [`read`](MediaRing::read).
    pub fn flush(&mut self, token: Token, medium: &Medium) -> Result<(), DataRingError> {
        self.begin(token, medium, Work::Flush, None)
    }

    /// Gives `length` bytes from `from_byte` on back to what is below; they read as zeros afterwards.
    ///
    /// # Errors
    /// As [`read`](MediaRing::read). A medium that cannot do it completes as `Refused(Unsupported)`.
    ///
    /// # Panics
    /// Where the bytes are not whole blocks: a programmer's error.
    pub fn discard(
        &mut self,
        token: Token,
        medium: &Medium,
        (from_byte, length): (u64, u64),
    ) -> Result<(), DataRingError> {
        self.clear(token, medium, Clear::Discard, (from_byte, length))
    }

    /// Makes `length` bytes from `from_byte` on read as zeros, and keeps their place.
    ///
    /// # Errors
    /// As [`discard`](MediaRing::discard).
    ///
    /// # Panics
    /// As [`discard`](MediaRing::discard).
    pub fn write_zeroes(
        &mut self,
        token: Token,
        medium: &Medium,
        (from_byte, length): (u64, u64),
    ) -> Result<(), DataRingError> {
        self.clear(token, medium, Clear::Zero, (from_byte, length))
    }

    /// Has place for `length` bytes from `from_byte` on, whatever they are, so that a write of them finds it.
    ///
    /// # Errors
    /// As [`discard`](MediaRing::discard): block devices are among what cannot do it.
    ///
    /// # Panics
    /// As [`discard`](MediaRing::discard).
    pub fn reserve(
        &mut self,
        token: Token,
        medium: &Medium,
        (from_byte, length): (u64, u64),
    ) -> Result<(), DataRingError> {
        self.clear(token, medium, Clear::Reserve, (from_byte, length))
    }

    /// Looks at a socket once: completes when it is ready, broken, or the look is cancelled. The ring keeps it open
    /// until then.
    ///
    /// # Errors
    /// [`DataRingError::Full`] and [`DataRingError::Kernel`]: nothing was asked for.
    pub fn watch(
        &mut self,
        token: Token,
        socket: Rc<dyn AsFd>,
        interest: Interest,
    ) -> Result<Watch, DataRingError> {
        self.places.watch(token, socket, interest)
    }

    /// Cancels a look: unless it saw something first, it completes as [`Completed::Unwatched`](crate::Completed::Unwatched).
    /// `false` where it is over already, or being cancelled.
    ///
    /// # Errors
    /// [`DataRingError::Kernel`].
    pub fn unwatch(&mut self, watch: Watch) -> Result<bool, DataRingError> {
        self.places.unwatch(watch)
    }

    /// Sends what was asked for, waits until a command ended, somebody [woke](RingWaker) the ring, or `timeout` is over
    /// (`None`: an hour), and adds what ended to `completions`. `true`: the ring was woken. It may return with nothing.
    ///
    /// # Errors
    /// [`DataRingError::Kernel`]: the ring is of no use any more.
    pub fn turn(
        &mut self,
        timeout: Option<Duration>,
        completions: &mut Vec<Completion>,
    ) -> Result<bool, DataRingError> {
        self.places.turn(timeout, |token, outcome| completions.push(Completion { token, outcome }))
    }

    fn clear(
        &mut self,
        token: Token,
        medium: &Medium,
        clear: Clear,
        (start, length): (u64, u64),
    ) -> Result<(), DataRingError> {
        check_range(medium, start, length)?;
        check_writable(medium)?;
        self.begin(token, medium, Work::Clear { clear, start, length }, None)
    }

    fn begin(
        &mut self,
        token: Token,
        medium: &Medium,
        work: Work,
        buffer: Option<&DataBuffer>,
    ) -> Result<(), DataRingError> {
        let file = (&medium.file, medium.geometry().block_size.length());
        self.places.begin(token, file, work, buffer.map(DataBuffer::hold))
    }
}

fn transfer(
    medium: &Medium,
    buffer: &DataBuffer,
    part: Range<usize>,
    start: u64,
) -> Result<Transfer, DataRingError> {
    assert!(part.start <= part.end && part.end <= buffer.length(), "the part lies within the buffer");
    let block = medium.geometry().block_size.length();
    assert!(part.start.is_multiple_of(block), "a part begins at a whole block of its buffer");
    check_range(medium, start, part.len() as u64)?;
    Ok(Transfer { part, start, done: 0 })
}

fn check_range(medium: &Medium, start: u64, length: u64) -> Result<(), DataRingError> {
    let geometry = medium.geometry();
    let block = u64::from(geometry.block_size.bytes());
    assert!(
        start.is_multiple_of(block) && length.is_multiple_of(block) && length > 0,
        "{length} bytes at byte {start} are not whole blocks of {block}"
    );
    match start.checked_add(length) {
        Some(end) if end <= geometry.size().0 => Ok(()),
        _ => Err(DataRingError::Refused(Refusal::OutOfRange)),
    }
}

fn check_writable(medium: &Medium) -> Result<(), DataRingError> {
    if medium.is_read_only() { Err(DataRingError::Refused(Refusal::Unsupported)) } else { Ok(()) }
}

impl Drop for MediaRing {
    fn drop(&mut self) {
        let deadline = Instant::now() + DROP_WAIT_MAX;
        let mut ended = Vec::new();
        if self.places.unwatch_all().is_err() {
            return;
        }
        while !self.places.are_all_free() {
            let left = deadline.saturating_duration_since(Instant::now());
            // A ring that broke, or a medium that does not answer: the memory stays with the kernel for good.
            if left.is_zero() || self.turn(Some(left), &mut ended).is_err() {
                return;
            }
        }
    }
}
