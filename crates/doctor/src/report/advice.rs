//! Advice for a person in a hurry: is data at risk, what to do now, what not to do.

use oarlock_causes::Cause;

use crate::finding::{Coverage, Report};
use crate::gravity::{Harm, risk_of};

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
    /// In a sentence. Whether an answer is missing is another question than whether a cause can lead to that.
    fn sentence(self, lacks_an_answer: bool, breaks_writes: bool) -> &'static str {
        match self {
            Risk::Unknown if breaks_writes => {
                "Writes failed: what they held is not on the disk, and whoever wrote through a cache may not know it. See what the file system and the applications say."
            }
            Risk::Unknown if !lacks_an_answer => {
                "No write without an answer is among these lines. Whether there was one that they do not tell of is not known."
            }
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

/// The gravest risk of a report's findings, in a sentence.
#[must_use]
pub fn at_risk(report: &Report) -> Option<(Risk, &'static str)> {
    let worst = report.incidents.iter().map(risk_of).max()?;
    let lacks_an_answer =
        report.incidents.iter().any(|finding| risk_of(finding) == worst && finding.harm >= Harm::Doubt);
    let breaks_writes = report.incidents.iter().any(|finding| finding.breaks_writes);
    Some((worst, worst.sentence(lacks_an_answer, breaks_writes)))
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
    const BREAK: &str = "Break no lock by hand whose owner may live: its slot's stamp tells.";
    const FILL: &str =
        "Write no more than must be, take no snapshot and move nothing onto the pool that is full.";
    const APART: &str = "Do not change the locking of one host alone: all hosts that share a volume must lock in the same way.";
    const HALF: &str = "Do not update firmware without its driver, nor all hosts at once.";
    const DEEPER: &str = "Raise no queue beyond what the array's vendor recommends: then the array's own queue is full instead.";
    match cause {
        Cause::Contention => &[RESET, BREAK],
        Cause::ArrayFull => &[FILL, RESET],
        Cause::AtsUnsupported | Cause::LockModeMixed => &[APART, BREAK],
        Cause::KnownAdvisory => &[RESET, HALF],
        Cause::QueueDepth => &[RESET, DEEPER],
        Cause::Reservation => &[RESET, RELEASE],
        Cause::SnapshotSignature => &[REPAIR, RESIGN],
        Cause::CorruptBlock | Cause::ForeignBlock | Cause::Rollback => &[REPAIR, RESET],
        _ => &[RESET, REPAIR],
    }
}

/// What a report without an incident says: no more than what was read allows.
#[must_use]
pub fn nothing_found(report: &Report) -> &'static str {
    match report.coverage {
        Coverage::Nothing => "Nothing could be read. This says nothing about the storage, good or bad.",
        Coverage::Whole if knows_none(report) => {
            "None of these lines is of a kind that is known here. This says nothing about the storage, good or bad."
        }
        Coverage::Part => {
            "No incident was found in what could be read. What could not be read may hold one: it is listed above."
        }
        Coverage::Whole if report.lines == 0 && report.machine.is_empty() && report.files > 0 => {
            "There is no line in what was given. This says nothing about the storage, good or bad."
        }
        Coverage::Whole => "No incident was found in these lines.",
    }
}

/// Whether there were lines, and not one of them is of a dialect that is known.
#[must_use]
pub fn knows_none(report: &Report) -> bool {
    report.understood == 0 && report.lines > 0 && report.machine.is_empty()
}
