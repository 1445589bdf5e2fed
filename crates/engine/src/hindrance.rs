//! Hindrance: what stood in the way of the newest beat that was not confirmed, in the device's words, and its cause.
//!
//! A lapse has a cause of its own only where a beat had one: a device that refuses at once is not slow, and a host that did
//! not run itself says nothing about its device.

use std::time::Duration;

use oarlock_block::{IoError, Refusal, UnknownCause};
use oarlock_causes::Cause;

use crate::cell::{Distrust, Swap};
use crate::store::ReadFault;

/// Why a beat was not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hindrance {
    /// The device surely did not execute it.
    #[error("the device refused it: {0}")]
    Refused(Refusal),
    /// The device said nothing of it that tells what became of it.
    #[error("it has no answer: {0}")]
    Unanswered(UnknownCause),
    /// It was answered false, and the slot was not read or is not to be believed.
    #[error("{0}")]
    Slot(ReadFault),
    /// The device answers false, and the slot shows just what was expected.
    #[error("the device answered false, and direct reads show exactly what was expected")]
    FalseThoughEqual,
}

impl Hindrance {
    /// What an ATS on the own slot says of it; `None` where it stands in nobody's way, or says nothing new.
    pub(crate) fn of(swap: &Swap) -> Option<Hindrance> {
        match swap {
            Swap::Refused(refusal) => Some(Hindrance::Refused(refusal.clone())),
            Swap::Open(hindrance) => hindrance.clone(),
            Swap::Distrusted(Distrust::Fault(fault)) => Some(Hindrance::Slot(fault.clone())),
            Swap::Distrusted(Distrust::FalseThoughEqual) => Some(Hindrance::FalseThoughEqual),
            Swap::Swapped { .. } | Swap::Adopted { .. } | Swap::Lost | Swap::Lapsed => None,
        }
    }

    /// Its cause in the catalogue.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Hindrance::Refused(refusal) => cause_of_refusal(refusal),
            Hindrance::Unanswered(why) => cause_of_silence(*why),
            Hindrance::Slot(fault) => cause_of_fault(fault),
            Hindrance::FalseThoughEqual => Cause::ArrayFault,
        }
    }

    /// Whether this is to be told instead of `known`, which an earlier beat met. A beat without an answer says nothing about
    /// a slot that was seen damaged: nothing but a repair mends that, and until then it is what stands in the way.
    pub(crate) fn says_more_than(&self, known: Option<&Hindrance>) -> bool {
        let is_silence = match self {
            Hindrance::Unanswered(_) => true,
            Hindrance::Slot(fault) => fault.is_passing(),
            Hindrance::Refused(_) | Hindrance::FalseThoughEqual => false,
        };
        !(is_silence && known.is_some_and(Hindrance::is_damage))
    }

    /// Whether the host's own slot does not hold a sound record: what a repair mends, and no waiting does.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Hindrance::Slot(ReadFault::Unsound { .. }))
    }
}

/// Cause and proof of a lease that ended unrenewed, which this host noticed `late` after its end.
pub(crate) fn of_lapse(hindrance: Option<&Hindrance>, late: Duration, beat: Duration) -> (Cause, String) {
    match hindrance {
        Some(hindrance) => (hindrance.cause(), format!("of the last one: {hindrance}")),
        // Its timers are as late as its beats were, and no beat that was sent had failed.
        None if late > beat => (
            Cause::CannotTell,
            format!(
                "none had failed: this host itself woke {} ms late, as one does that was paused or starved",
                late.as_millis()
            ),
        ),
        None => (Cause::SlowStorage, "none was answered in time".to_owned()),
    }
}

/// The cause that a refusal names. What the device is too busy for, or too short for, or gone for, it does not say.
fn cause_of_refusal(refusal: &Refusal) -> Cause {
    match refusal {
        Refusal::CutOff => Cause::Reservation,
        Refusal::Full => Cause::ArrayFull,
        Refusal::Unsupported => Cause::AtsUnsupported,
        Refusal::Busy | Refusal::OutOfRange | Refusal::Gone => Cause::CannotTell,
    }
}

/// The cause that a missing answer names.
pub(crate) fn cause_of_silence(why: UnknownCause) -> Cause {
    match why {
        UnknownCause::TimedOut | UnknownCause::Aborted => Cause::SlowStorage,
        UnknownCause::PathLost => Cause::PathFault,
        UnknownCause::DeviceError => Cause::DeviceFault,
    }
}

/// The cause that a fault of reading names.
pub(crate) fn cause_of_fault(fault: &ReadFault) -> Cause {
    match fault {
        ReadFault::Unreadable { error: IoError::Refused(refusal), .. } => cause_of_refusal(refusal),
        ReadFault::Unreadable { error: IoError::Unknown(why), .. } => cause_of_silence(*why),
        ReadFault::Unreadable { error: IoError::Medium, .. } => Cause::DeviceFault,
        ReadFault::TimedOut { .. } => Cause::SlowStorage,
        ReadFault::Unsound { error, .. } if error.is_foreign() => Cause::ForeignBlock,
        ReadFault::Unsound { .. } => Cause::CorruptBlock,
        ReadFault::Older { .. } => Cause::Rollback,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_block::Lba;
    use oarlock_format::DecodeError;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn only_a_beat_without_an_answer_in_time_makes_the_storage_slow() {
        let refused = |refusal| Hindrance::Refused(refusal).cause();
        assert_eq!(refused(Refusal::OutOfRange), Cause::CannotTell);
        assert_eq!(refused(Refusal::Gone), Cause::CannotTell);
        assert_eq!(refused(Refusal::Full), Cause::ArrayFull);
        assert_eq!(Hindrance::Unanswered(UnknownCause::DeviceError).cause(), Cause::DeviceFault);
        assert_eq!(Hindrance::Unanswered(UnknownCause::TimedOut).cause(), Cause::SlowStorage);
    }

    /// A test on a busy machine found it: a host with a rotten slot ended as one whose storage was slow, for its last beat
    /// of many had no answer.
    #[test]
    fn a_beat_without_an_answer_hides_no_damage_and_every_other_news_does() {
        let lba = Lba(7);
        let damage = Hindrance::Slot(ReadFault::Unsound {
            lba,
            error: DecodeError::Checksum { stored: 1, computed: 2 },
        });
        let silences = [
            Hindrance::Unanswered(UnknownCause::TimedOut),
            Hindrance::Slot(ReadFault::TimedOut { lba, limit: MS }),
        ];
        for silence in silences {
            assert!(!silence.says_more_than(Some(&damage)));
            assert!(silence.says_more_than(None) && damage.says_more_than(Some(&silence)));
        }
        assert!(Hindrance::Refused(Refusal::Gone).says_more_than(Some(&damage)));
    }

    #[test]
    fn a_host_that_did_not_run_blames_no_device() {
        assert_eq!(of_lapse(None, MS * 700, MS * 500).0, Cause::CannotTell);
        assert_eq!(of_lapse(None, MS * 20, MS * 500).0, Cause::SlowStorage);
        let told = of_lapse(Some(&Hindrance::Refused(Refusal::Gone)), MS * 700, MS * 500);
        assert_eq!(
            told,
            (Cause::CannotTell, "of the last one: the device refused it: the device is gone".to_owned())
        );
    }
}
