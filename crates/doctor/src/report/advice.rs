//! Advice for a person in a hurry: is data at risk, what to do now, what not to do.

use oarlock_causes::Cause;

/// Whether data is at risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Nothing is lost; work may be slow or stand still.
    Low,
    /// Commands have no answer: what was written last is not known.
    Unknown,
    /// Something on the disk is or becomes wrong.
    High,
}

impl Risk {
    /// In a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Risk::Low => "Data is not at risk by this: work may be slow or stand still.",
            Risk::Unknown => {
                "Writes without an answer may or may not be on the disk. Applications that keep a journal recover from that."
            }
            Risk::High => {
                "Data is at risk: something on the disk is wrong, or may become so with every further write."
            }
        }
    }
}

/// The risk that comes with a cause.
#[must_use]
pub fn risk(cause: Cause) -> Risk {
    match cause {
        Cause::CorruptBlock
        | Cause::ForeignBlock
        | Cause::Rollback
        | Cause::ArrayFault
        | Cause::PathsDisagree => Risk::High,
        Cause::StaleCache => Risk::High,
        Cause::PathFault
        | Cause::HbaFault
        | Cause::DeviceFault
        | Cause::ResetCascade
        | Cause::ArrayFull
        | Cause::GatewayFault => Risk::Unknown,
        Cause::DelayedOwnWrite
        | Cause::SlowStorage
        | Cause::CannotTell
        | Cause::FabricCongestion
        | Cause::Fenced => Risk::Unknown,
        Cause::Contention | Cause::QueueDepth | Cause::AtsUnsupported | Cause::Reservation => Risk::Low,
        // A copy is not mounted: nothing is written until somebody decides which one is which.
        Cause::ArrayLoad | Cause::LockModeMixed | Cause::KnownAdvisory | Cause::SnapshotSignature => {
            Risk::Low
        }
    }
}

/// What not to do, whatever is tempting at night.
#[must_use]
pub fn not_now(cause: Cause) -> &'static [&'static str] {
    const RESET: &str = "No LUN or target reset: it kills the commands of every host, and leaves more of them without an answer.";
    const REPAIR: &str = "No blind repair: never write over a heartbeat slot or a lock record before it is dumped and understood.";
    const RELEASE: &str = "Do not clear a reservation before its owner is proved dead.";
    const RESIGN: &str =
        "Do not mount or resignature a copy beside its original before it is known which one is which.";
    match cause {
        Cause::Reservation => &[RESET, RELEASE],
        Cause::SnapshotSignature => &[REPAIR, RESIGN],
        Cause::CorruptBlock | Cause::ForeignBlock | Cause::Rollback => &[REPAIR, RESET],
        _ => &[RESET, REPAIR],
    }
}
