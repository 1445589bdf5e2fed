//! A command on its way through a lane.
//!
//! ```text
//!              range (and lock) got          equal
//!  Waiting --+--------------------> Comparing ----> Swapping ---> swapped
//!     |      |                          | unequal
//!     |      |                          +-------------------------> miscompared
//!     |      +--------------------> Reading / Writing / Clearing -> done
//!     |  not in time: a read goes on without, all else is busy
//!     +----------------------------------------------------------> busy
//!  (a flush starts as) Syncing -----------------------------------> done
//! ```

use std::time::{Duration, Instant};

use futures::channel::oneshot;
use oarlock_block::{Answer, Attempted, IoError, Refusal};

use crate::buffer::Buffer;
use crate::clear::Clear;
use crate::permits::Permit;
use crate::range_lock::ByteRange;
use crate::range_table::{CommandId, LockKind};

/// How long an ATS or a write waits for its range. A thousand commands of others fit into it; who holds a range for
/// longer is stopped or stuck below, and the caller shall know that it is busy.
pub(crate) const RANGE_WAIT_MAX: Duration = Duration::from_millis(250);

/// How long a read waits for the writes of this process before it goes on without: one may be stuck below, and a record's
/// checksum tells a torn image (R3). For those of other processes it does not wait at all.
pub(crate) const READ_WAIT_MAX: Duration = Duration::from_millis(20);

/// The first pause before a lock that another process holds is tried again: a good part of one ATS.
pub(crate) const PAUSE_FIRST: Duration = Duration::from_micros(20);

/// The longest such pause.
pub(crate) const PAUSE_MAX: Duration = Duration::from_micros(500);

/// Where the outcome of a read goes: its data.
pub(crate) type ReadReply = oneshot::Sender<Result<Buffer, IoError>>;
/// Where the outcome of a write or flush goes.
pub(crate) type DoneReply = oneshot::Sender<Result<(), IoError>>;
/// Where the answer to an ATS goes, with the time that it waited on this host: for a place, for its range, for the ring.
pub(crate) struct SwapReply {
    sender: oneshot::Sender<Attempted>,
    called: Instant,
    left_queue: Option<Instant>,
}

impl SwapReply {
    /// The reply to an ATS that is asked for now.
    pub(crate) fn new(sender: oneshot::Sender<Attempted>, called: Instant) -> SwapReply {
        SwapReply { sender, called, left_queue: None }
    }

    /// The command goes to the device.
    pub(crate) fn leaves_queue(self) -> SwapReply {
        SwapReply { left_queue: Some(Instant::now()), ..self }
    }

    /// Answers. A caller that went away is nobody's loss.
    pub(crate) fn send(self, outcome: Result<Answer, Refusal>) {
        let left = self.left_queue.unwrap_or_else(Instant::now);
        let queued_for = left.saturating_duration_since(self.called);
        drop(self.sender.send(Attempted { outcome, queued_for }));
    }
}

/// A command as it is sent to a lane. A caller that went away leaves its reply's other end dropped, and changes nothing
/// else.
pub(crate) struct Command {
    pub(crate) id: CommandId,
    /// The bytes of the file that it is about (base included); for a flush, none in particular.
    pub(crate) range: ByteRange,
    pub(crate) work: Work,
    pub(crate) permit: Permit,
}

/// What there is to do.
pub(crate) enum Work {
    Read { buffer: Buffer, reply: ReadReply },
    Write { data: Buffer, reply: DoneReply },
    Swap { expected: Buffer, new: Buffer, found: Buffer, reply: SwapReply },
    Flush { reply: DoneReply },
    Clear { clear: Clear, reply: DoneReply },
}

impl Work {
    /// Who may have its range beside it.
    pub(crate) fn lock_kind(&self) -> LockKind {
        match self {
            Work::Read { .. } | Work::Flush { .. } => LockKind::Shared,
            Work::Write { .. } | Work::Swap { .. } | Work::Clear { .. } => LockKind::Exclusive,
        }
    }

    /// How long the work waits for it.
    pub(crate) fn wait_max(&self) -> Duration {
        match self.lock_kind() {
            LockKind::Shared => READ_WAIT_MAX,
            LockKind::Exclusive => RANGE_WAIT_MAX,
        }
    }

    /// Answers that the work was refused.
    pub(crate) fn refuse(self, refusal: Refusal) {
        // A reply that nobody waits for any more is nobody's loss.
        match self {
            Work::Read { reply, .. } => drop(reply.send(Err(IoError::Refused(refusal)))),
            Work::Write { reply, .. } | Work::Flush { reply } | Work::Clear { reply, .. } => {
                drop(reply.send(Err(IoError::Refused(refusal))));
            }
            Work::Swap { reply, .. } => reply.send(Err(refusal)),
        }
    }
}

/// A command in a lane.
pub(crate) struct Job {
    pub(crate) id: CommandId,
    pub(crate) range: ByteRange,
    pub(crate) stage: Stage,
    /// Held until the command ended, whoever still waits for it.
    pub(crate) _permit: Permit,
}

/// How far it got. `done`: bytes that were moved, where the kernel stopped short.
pub(crate) enum Stage {
    Waiting { work: Work, granted: bool, deadline: Instant, pause: Duration, wake_at: Instant },
    Reading { done: usize, reply: ReadReply },
    Comparing { done: usize, expected: Buffer, new: Buffer, reply: SwapReply },
    Swapping { done: usize, reply: SwapReply },
    Writing { done: usize, reply: DoneReply },
    Syncing { reply: DoneReply },
    Clearing { reply: DoneReply },
}

/// The offset of the first byte in which two images differ.
pub(crate) fn first_difference(found: &[u8], expected: &[u8]) -> Option<u32> {
    let place = found.iter().zip(expected).position(|(one, other)| one != other)?;
    u32::try_from(place).ok()
}
