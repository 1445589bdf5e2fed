//! What checkers see: every submission, execution, reply, life and fault, told as it happens.

use std::rc::Rc;

use oarlock_block::{Attempted, IoError, Lba, ProcessIdentity};

use crate::{EndCause, FaultKind, HostIndex, Lane, Life, TrueTime, Verb};

/// The content of one block. Cheap to keep: the disk, the trace and every checker share it.
pub type Image = Rc<[u8]>;

/// The number of a command in its world, from 1 in the order of submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandNumber(pub u64);

/// Watches the world. Its methods are called when the world is at rest: they may ask it anything, and may
/// [report a violation](crate::Handle::report_violation), crash a host, or spawn a task.
pub trait Observer {
    /// A host gave a command to the device.
    fn on_submit(&self, submission: &Submission) {
        let _ = submission;
    }

    /// The device executed a command, or one block of a write, or refused to.
    fn on_execute(&self, execution: &Execution) {
        let _ = execution;
    }

    /// A reply reached its host.
    fn on_reply(&self, reply: &Reply) {
        let _ = reply;
    }

    /// A host's life began, ended, stopped or went on.
    fn on_life(&self, change: &LifeChange) {
        let _ = change;
    }

    /// A fault happened. For faults that change the device's content it has changed already.
    fn on_fault(&self, fault: &FaultEvent) {
        let _ = fault;
    }
}

/// What every event about a command says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandIdentity {
    /// Its number.
    pub number: CommandNumber,
    /// Who gave it.
    pub host: HostIndex,
    /// In which of its lives.
    pub life: Life,
    /// Through which lane.
    pub lane: Lane,
    /// What it asks for.
    pub verb: Verb,
    /// Its first block; 0 for a flush.
    pub lba: Lba,
    /// Its length in blocks; 0 for a flush.
    pub blocks: u32,
    /// When the host gave it.
    pub submitted_at: TrueTime,
}

/// A command as its host gave it.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Which command.
    pub command: CommandIdentity,
    /// For an ATS: the expected image.
    pub expected: Option<Image>,
    /// For an ATS or a write of one block: the new image.
    pub new: Option<Image>,
}

/// What the device did with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The data was read.
    Read,
    /// The block was written.
    Written,
    /// The block was compared, found equal, and written.
    Swapped,
    /// The block was compared and found to differ.
    Miscompared,
    /// What was written before is durable.
    Flushed,
    /// Nothing: the device refused, or failed.
    NotExecuted,
}

/// One act of the device. A write of several blocks is one act for each; a repeated command is executed twice.
#[derive(Clone, Debug)]
pub struct Execution {
    /// When: all acts have an order, and this is their time.
    pub at: TrueTime,
    /// Which command.
    pub command: CommandIdentity,
    /// Which block: `command.lba`, but for the later blocks of a write.
    pub lba: Lba,
    /// Whether this is the second execution of a repeated command.
    pub repeated: bool,
    /// What it did.
    pub effect: Effect,
    /// The block before; none for a flush and for reads of several blocks.
    pub before: Option<Image>,
    /// The block after; for a read of one block what was read, which a fault may have torn or aged.
    pub after: Option<Image>,
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The data of a read, block by block.
    Data(Rc<[Image]>),
    /// A write or flush is done.
    Done,
    /// An ATS was answered or refused.
    Attempted(Attempted),
    /// A read, write or flush failed.
    Failed(IoError),
}

/// A reply at its host.
#[derive(Clone, Debug)]
pub struct Reply {
    /// When it came.
    pub at: TrueTime,
    /// To which command.
    pub command: CommandIdentity,
    /// What it says.
    pub outcome: Outcome,
    /// Whether nobody waits for it any more: the future was dropped, by a time-out or with its host.
    pub abandoned: bool,
}

/// What became of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It began.
    Began,
    /// It ended; its commands in flight may still land.
    Ended(EndCause),
    /// Its tasks are stopped.
    Paused {
        /// Whether its clock is, too.
        frozen: bool,
    },
    /// Its tasks go on.
    Resumed,
}

/// A turn in a host's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeChange {
    /// When.
    pub at: TrueTime,
    /// Which host.
    pub host: HostIndex,
    /// Which of its lives.
    pub life: Life,
    /// The process that the life is.
    pub process: ProcessIdentity,
    /// What became of it.
    pub change: Change,
}

/// A fault that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultEvent {
    /// When.
    pub at: TrueTime,
    /// Which kind.
    pub kind: FaultKind,
    /// Whom it befell, where it was one host.
    pub host: Option<HostIndex>,
    /// The command that it befell.
    pub command: Option<CommandNumber>,
    /// The block, for bit rot and for commands.
    pub lba: Option<Lba>,
}

/// What the world has to tell, kept until it is at rest.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    Submission(Submission),
    Execution(Execution),
    Reply(Reply),
    Life(LifeChange),
    Fault(FaultEvent),
}

impl Notice {
    pub(crate) fn tell(&self, observer: &dyn Observer) {
        match self {
            Notice::Submission(submission) => observer.on_submit(submission),
            Notice::Execution(execution) => observer.on_execute(execution),
            Notice::Reply(reply) => observer.on_reply(reply),
            Notice::Life(change) => observer.on_life(change),
            Notice::Fault(fault) => observer.on_fault(fault),
        }
    }
}
