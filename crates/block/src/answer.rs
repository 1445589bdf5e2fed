//! The three answers of an ATS, and the refusals that are no answers.

use std::fmt;
use std::time::Duration;

/// What the device said to a COMPARE AND WRITE (SBC-4, 5.3) that was sent.
///
/// Three values, and every caller says what it does about each. The third is the heart of the matter: the write may
/// have landed, may land later, or never.
#[must_use = "an ATS whose answer is dropped is an ATS whose outcome nobody knows"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The block held the expected image and holds the new one now.
    Swapped,
    /// The block held something else; nothing was written.
    Miscompared {
        /// The offset of the first byte that differed: the INFORMATION field of the sense data. `None` where the
        /// device does not say.
        first_difference: Option<u32>,
    },
    /// No answer: the command may have been executed, may be executed later, or never.
    Unknown {
        /// What went missing.
        cause: UnknownCause,
    },
}

/// Why there is no answer to a command that may have reached the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnknownCause {
    /// The host stopped waiting. The command is still out.
    TimedOut,
    /// The command was aborted; an abort does not say what it found.
    Aborted,
    /// The path or session went away with the command in flight.
    PathLost,
    /// The device answered, but with an error that says nothing about the block (a hardware error, 04h/xx; an I/O
    /// error from the kernel below).
    DeviceError,
}

impl UnknownCause {
    /// Whether a plain write may still land, or only has landed or not. An error of the device is its last word: what it did not
    /// write by then it does not write any more.
    #[must_use]
    pub const fn may_still_land(self) -> bool {
        match self {
            UnknownCause::TimedOut | UnknownCause::Aborted | UnknownCause::PathLost => true,
            UnknownCause::DeviceError => false,
        }
    }
}

impl fmt::Display for UnknownCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            UnknownCause::TimedOut => "no answer in time",
            UnknownCause::Aborted => "aborted",
            UnknownCause::PathLost => "the path was lost",
            UnknownCause::DeviceError => "the device reported an error",
        })
    }
}

/// The command was surely not executed, and never will be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another command holds the block's range, or the device's queue is full: try again (SAM-5 BUSY, TASK SET FULL).
    #[error("the device is busy with another command for this block")]
    Busy,
    /// The host is not, or no longer, allowed to write here (SAM-5 RESERVATION CONFLICT): it was cut off.
    #[error("this host was cut off from the device")]
    CutOff,
    /// No space below: a thin pool or the file system is full (07h/27h/07h, ENOSPC). Of a write of several blocks those may be
    /// written for which there was room.
    #[error("there is no space below the device")]
    Full,
    /// The address lies beyond the device's end (05h/21h/00h).
    #[error("the address lies beyond the end of the device")]
    OutOfRange,
    /// The device does not execute the command (05h/20h/00h), or is opened for reading only.
    #[error("the device does not support the command")]
    Unsupported,
    /// The device is not there any more.
    #[error("the device is gone")]
    Gone,
}

/// What became of an attempt to compare and write.
#[must_use = "an ATS whose answer is dropped is an ATS whose outcome nobody knows"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// An answer of the device, or a refusal before execution.
    pub outcome: Result<Answer, Refusal>,
    /// How long the command waited on this host before it was sent to the device: what tells a queue that is too
    /// short from a device that is slow.
    pub queued_for: Duration,
}

impl Attempted {
    /// An outcome that did not wait in a queue of this host.
    pub fn at_once(outcome: Result<Answer, Refusal>) -> Attempted {
        Attempted { outcome, queued_for: Duration::ZERO }
    }
}
