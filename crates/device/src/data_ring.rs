//! The ring of an export's thread: the device's data and the thread's sockets, with one system call a turn.

use std::ops::Range;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oarlock_block::{Geometry, IoError, Refusal};

use crate::clear::Clear;
use crate::data_buffer::{DATA_BYTES_MAX, DataBuffer, Hold};
use crate::data_command::{Transfer, Work};
use crate::data_error::DataRingError;
use crate::description::Description;
use crate::file::FileDevice;
use crate::places::Places;
use crate::range_table::CommandId;
use crate::turns::{TurnIndex, Turns};
use crate::wake::Wake;
use crate::watch::{Interest, Readiness, Watch};

/// The deepest ring: four connections of 32 requests with a few pieces each, and their sockets.
pub const DATA_DEPTH_MAX: usize = 512;

/// How long a dropped ring waits for what is in flight. What is stuck below for longer keeps its memory for good.
const DROP_WAIT_MAX: Duration = Duration::from_secs(5);

/// What a caller knows a command by. The ring only carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A command that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The token that it was asked for with.
    pub token: Token,
    /// What became of it.
    pub outcome: Completed,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completed {
    /// A read, write, flush, discard or write of zeroes: all of it, or why not. A write that failed, `Full` included,
    /// may have written its first blocks.
    Device(Result<(), IoError>),
    /// A socket is ready.
    Watched(Readiness),
    /// The look at a socket was cancelled before it saw anything.
    Unwatched,
}

/// A ring over the data of one [`FileDevice`] and the sockets of one thread.
///
/// It uses the device's own open file description (R13): its commands count as the description's, so a slot is given
/// back, and a dead process's slot byte comes free, only after the last of them. It takes no range locks, so it is for
/// what this host owns alone, data and never records.
///
/// Commands are collected, and sent by the next [`turn`](DataRing::turn), all at once; they may end in any order. Each ends
/// exactly once. A transfer that the kernel cut short goes on inside. The ring belongs to the thread that made it; a
/// [`RingWaker`] ends its wait from any other.
///
/// Sockets are std's, non-blocking: the thread reads and writes them itself, and asks the ring to
/// [`watch`](DataRing::watch) one when it would have to wait for it. (Sends and receives on the ring were measured, and gave nothing:
/// docs/decisions/0058.) A read that returns less than was asked for has emptied the socket: watch it, and do not read
/// again only to be told so.
///
/// A drop sends what was collected and waits for all of it, five seconds at most.
pub struct DataRing {
    places: Places<Tag>,
    description: Arc<Description>,
    turns: Turns,
    /// Where a plain file ended when this turn first asked.
    file_end: Option<u64>,
}

/// What a command is known by, and the turn that it counts with; a look counts with none.
struct Tag {
    token: Token,
    turn: Option<TurnIndex>,
}

/// Ends the wait of a [`DataRing`] from any thread: its present [`turn`](DataRing::turn), or its next one.
#[derive(Clone)]
pub struct RingWaker {
    pub(crate) wake: Arc<Wake>,
}

impl RingWaker {
    /// Wakes the ring's thread. What this thread did before, that one sees after its turn.
    pub fn wake(&self) {
        self.wake.ring();
    }
}

impl DataRing {
    /// A ring for `depth` commands at once on `device`, for this thread.
    ///
    /// # Errors
    /// [`DataRingError::Depth`] and [`DataRingError::Kernel`].
    pub fn new(device: &FileDevice, depth: usize) -> Result<DataRing, DataRingError> {
        DataRing::on(Arc::clone(device.description()), depth)
    }

    fn on(description: Arc<Description>, depth: usize) -> Result<DataRing, DataRingError> {
        if depth == 0 || depth > DATA_DEPTH_MAX {
            return Err(DataRingError::Depth { max: DATA_DEPTH_MAX, asked: depth });
        }
        Ok(DataRing { places: Places::new(depth)?, description, turns: Turns::default(), file_end: None })
    }

    /// The device's shape.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        self.description.geometry
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
        self.places.buffer(length, DATA_BYTES_MAX)
    }

    /// Reads from the device's byte `from_byte` on into `part` of the buffer.
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
        buffer: &DataBuffer,
        part: Range<usize>,
        from_byte: u64,
    ) -> Result<(), DataRingError> {
        let transfer = self.transfer(buffer, part, from_byte)?;
        self.begin(token, Work::Read(transfer), Some(buffer.hold()))
    }

    /// Writes `part` of the buffer to the device's byte `to_byte` and on.
    ///
    /// # Errors
    /// As [`read`](DataRing::read).
    ///
    /// # Panics
    /// As [`read`](DataRing::read).
    pub fn write(
        &mut self,
        token: Token,
        buffer: &DataBuffer,
        part: Range<usize>,
        to_byte: u64,
    ) -> Result<(), DataRingError> {
        let transfer = self.transfer(buffer, part, to_byte)?;
        self.check_writable(transfer.start + transfer.part.len() as u64)?;
        self.begin(token, Work::Write(transfer), Some(buffer.hold()))
    }

    /// Makes every write that was answered durable (fdatasync). One that is still in flight may be left out.
    ///
    /// # Errors
    /// As [`read`](DataRing::read).
    pub fn flush(&mut self, token: Token) -> Result<(), DataRingError> {
        self.begin(token, Work::Flush, None)
    }

    /// Gives `length` bytes from `from_byte` on back to what is below, as [`Device::discard`](oarlock_block::Device::discard)
    /// does: here they read as zeros afterwards. A file system stops all other commands of the file meanwhile.
    ///
    /// # Errors
    /// As [`read`](DataRing::read). A device that cannot do it completes as `Refused(Unsupported)`.
    ///
    /// # Panics
    /// Where the bytes are not whole blocks: a programmer's error.
    pub fn discard(&mut self, token: Token, from_byte: u64, length: u64) -> Result<(), DataRingError> {
        self.clear(token, Clear::Discard, (from_byte, length))
    }

    /// Makes `length` bytes from `from_byte` on read as zeros, and keeps their place, as
    /// [`Device::write_zeroes`](oarlock_block::Device::write_zeroes) does; but where what is below has no such command
    /// (tmpfs), it completes as `Refused(Unsupported)`, and zeros must be written.
    ///
    /// # Errors
    /// As [`discard`](DataRing::discard).
    ///
    /// # Panics
    /// As [`discard`](DataRing::discard).
    pub fn write_zeroes(&mut self, token: Token, from_byte: u64, length: u64) -> Result<(), DataRingError> {
        self.clear(token, Clear::Zero, (from_byte, length))
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
        self.places.watch(Tag { token, turn: None }, socket, interest)
    }

    /// Cancels a look: unless it saw something first, it completes as [`Completed::Unwatched`]. `false` where it is
    /// over already, or being cancelled.
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
        self.file_end = None;
        self.end(Turns::close);
        let DataRing { places, turns, description, .. } = self;
        places.turn(timeout, |Tag { token, turn }, outcome| {
            if let Some(id) = turn.and_then(|turn| turns.leave(turn)) {
                description.ended(id);
            }
            completions.push(Completion { token, outcome });
        })
    }

    fn transfer(
        &self,
        buffer: &DataBuffer,
        part: Range<usize>,
        at_byte: u64,
    ) -> Result<Transfer, DataRingError> {
        assert!(part.start <= part.end && part.end <= buffer.length(), "the part lies within the buffer");
        let block = self.description.geometry.block_size.length();
        assert!(part.start.is_multiple_of(block), "a part begins at a whole block of its buffer");
        Ok(Transfer { start: self.file_byte(at_byte, part.len() as u64)?, part, done: 0 })
    }

    /// Where in the file the device's bytes begin.
    fn file_byte(&self, at_byte: u64, length: u64) -> Result<u64, DataRingError> {
        let geometry = self.description.geometry;
        let block = u64::from(geometry.block_size.bytes());
        assert!(
            at_byte.is_multiple_of(block) && length.is_multiple_of(block) && length > 0,
            "{length} bytes at byte {at_byte} are not whole blocks of {block}"
        );
        match at_byte.checked_add(length) {
            Some(end) if end <= geometry.size().0 => Ok(self.description.base + at_byte),
            _ => Err(DataRingError::Refused(Refusal::OutOfRange)),
        }
    }

    /// Whether the file can be changed up to its byte `end`. One that was truncated under us must not be lengthened
    /// again; asking once a turn is enough, for whoever truncates races with us anyway.
    fn check_writable(&mut self, end: u64) -> Result<(), DataRingError> {
        if self.description.read_only {
            return Err(DataRingError::Refused(Refusal::Unsupported));
        }
        let file_end = match self.file_end {
            Some(file_end) => file_end,
            None => *self.file_end.insert(self.description.end()),
        };
        if end > file_end { Err(DataRingError::Refused(Refusal::OutOfRange)) } else { Ok(()) }
    }

    fn clear(
        &mut self,
        token: Token,
        clear: Clear,
        (at_byte, length): (u64, u64),
    ) -> Result<(), DataRingError> {
        let start = self.file_byte(at_byte, length)?;
        self.check_writable(start + length)?;
        self.begin(token, Work::Clear { clear, start, length }, None)
    }

    fn begin(&mut self, token: Token, work: Work, hold: Option<Hold>) -> Result<(), DataRingError> {
        self.places.place()?;
        // It is not sent before the next turn, so it is counted in time.
        let turn = self.turns.join(|| self.description.begin());
        let file = (&self.description.file, self.description.geometry.block_size.length());
        let begun = self.places.begin(Tag { token, turn: Some(turn) }, file, work, hold);
        if begun.is_err() {
            self.end(|turns| turns.leave(turn));
        }
        begun
    }

    /// Tells the description of a turn of which nothing is out any more.
    fn end(&mut self, over: impl FnOnce(&mut Turns) -> Option<CommandId>) {
        if let Some(id) = over(&mut self.turns) {
            self.description.ended(id);
        }
    }
}

impl Drop for DataRing {
    fn drop(&mut self) {
        let deadline = Instant::now() + DROP_WAIT_MAX;
        let mut ended = Vec::new();
        if self.places.unwatch_all().is_err() {
            return;
        }
        while !self.places.are_all_free() {
            let left = deadline.saturating_duration_since(Instant::now());
            // A ring that broke, or a device that does not answer: the memory stays with the kernel for good.
            if left.is_zero() || self.turn(Some(left), &mut ended).is_err() {
                return;
            }
        }
    }
}
