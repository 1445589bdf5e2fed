//! What wrappers of a device call a command: its kind, and what became of it.

use std::fmt;
use std::time::Duration;

use crate::{Answer, Attempted, IoError, Refusal, UnknownCause};

/// The commands that a [`Device`](crate::Device) takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandKind {
    /// A read of whole blocks.
    Read,
    /// A plain write.
    Write,
    /// A COMPARE AND WRITE of one block.
    Ats,
    /// A flush.
    Flush,
    /// A discard of whole blocks.
    Discard,
    /// A write of zeros that are not transferred.
    WriteZeroes,
}

impl CommandKind {
    /// Every kind.
    pub const ALL: [CommandKind; 6] = [
        CommandKind::Read,
        CommandKind::Write,
        CommandKind::Ats,
        CommandKind::Flush,
        CommandKind::Discard,
        CommandKind::WriteZeroes,
    ];

    /// The name in fault specifications, metrics and test failures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            CommandKind::Read => "read",
            CommandKind::Write => "write",
            CommandKind::Ats => "ats",
            CommandKind::Flush => "flush",
            CommandKind::Discard => "discard",
            CommandKind::WriteZeroes => "write-zeroes",
        }
    }

    /// The kind of that exact name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<CommandKind> {
        CommandKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its place in [`ALL`](CommandKind::ALL): what a table with a row for each kind is indexed by.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for CommandKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// What became of a command that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All but an ATS: it succeeded.
    Done,
    /// An ATS was answered.
    Answered(Answer),
    /// It was refused, ended unknown, or the medium failed.
    Failed(IoError),
}

/// A reply that a wrapper can look at and make up, whichever command it belongs to.
pub(crate) trait Reply: Sized + 'static {
    /// What the reply says.
    fn outcome(&self) -> Outcome;

    /// The reply of a device that did not execute the command.
    fn refused(refusal: Refusal) -> Self;

    /// The reply that says nothing about what was executed.
    fn unknown(cause: UnknownCause) -> Self;

    /// The same reply after a further wait on this host, where the reply says how long it waited there.
    fn queued(self, waited: Duration) -> Self;
}

impl Reply for Result<(), IoError> {
    fn outcome(&self) -> Outcome {
        match self {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(error.clone()),
        }
    }

    fn refused(refusal: Refusal) -> Self {
        Err(IoError::Refused(refusal))
    }

    fn unknown(cause: UnknownCause) -> Self {
        Err(IoError::Unknown(cause))
    }

    fn queued(self, _waited: Duration) -> Self {
        self
    }
}

impl Reply for Attempted {
    fn outcome(&self) -> Outcome {
        match &self.outcome {
            Ok(answer) => Outcome::Answered(answer.clone()),
            Err(refusal) => Outcome::Failed(IoError::Refused(refusal.clone())),
        }
    }

    fn refused(refusal: Refusal) -> Self {
        Attempted::at_once(Err(refusal))
    }

    fn unknown(cause: UnknownCause) -> Self {
        Attempted::at_once(Ok(Answer::Unknown { cause }))
    }

    fn queued(self, waited: Duration) -> Self {
        Attempted { queued_for: self.queued_for.saturating_add(waited), ..self }
    }
}
