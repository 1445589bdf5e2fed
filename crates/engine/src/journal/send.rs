//! How the journal sends: within the lease only, again where that does no harm, and never as done what is not.
//!
//! | answer | a write | a flush |
//! | --- | --- | --- |
//! | refused: busy, gone, cut off | sent again after a pause, for the hold time | the same |
//! | refused: no space below | sent again after a pause, for as long as it takes (R24) | the same |
//! | refused: beyond the end, unsupported | failed | failed |
//! | an error of the device | the same bytes once more: the device has ended the first attempt | failed: what it held may be lost, and no later flush would say so |
//! | aborted | the same bytes once more | once more |
//! | no answer, path lost | failed: it may land at any time, over what is written there later (R21) | once more |

use oarlock_block::{BlockCount, IoError, Lba, Refusal, UnknownCause};

use crate::core::Core;
use crate::planted::{PlantedBug, planted};
use crate::store::Lane;

use super::error::JournalError;
use super::patience::Patience;

/// What to do about a command that was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Again,
    /// The same, once somebody has made room.
    ForSpace,
    Fail,
    StillOut,
}

fn after_refusal(refusal: &Refusal) -> Course {
    match refusal {
        // A device that is gone lets the lease run out, and so does one that cut this host off: then the beat finds out, and ends it.
        Refusal::Busy | Refusal::Gone | Refusal::CutOff => Course::Again,
        Refusal::Full if planted(PlantedBug::FailWhenFull) => Course::Again,
        Refusal::Full => Course::ForSpace,
        Refusal::OutOfRange | Refusal::Unsupported => Course::Fail,
    }
}

fn after_write(error: &IoError) -> Course {
    match error {
        IoError::Refused(refusal) => after_refusal(refusal),
        IoError::Medium | IoError::Unknown(UnknownCause::DeviceError | UnknownCause::Aborted) => {
            Course::Again
        }
        IoError::Unknown(UnknownCause::TimedOut | UnknownCause::PathLost) => Course::StillOut,
    }
}

fn after_flush(error: &IoError) -> Course {
    match error {
        IoError::Refused(refusal) => after_refusal(refusal),
        IoError::Medium | IoError::Unknown(UnknownCause::DeviceError) => Course::Fail,
        IoError::Unknown(UnknownCause::TimedOut | UnknownCause::PathLost | UnknownCause::Aborted) => {
            Course::Again
        }
    }
}

/// Writes, waiting out lapses and passing refusals.
pub(crate) async fn write(core: &Core, lba: Lba, bytes: &[u8]) -> Result<(), JournalError> {
    let mut patience = Patience::default();
    loop {
        until_it_may_send(core).await?;
        // The answer is waited for: a write that is given up may land later. Who waits ends with the host.
        let written = core
            .store
            .world
            .within(core.store.timing.hold, async { core.store.device(Lane::Work).write(lba, bytes).await });
        let error = match written.await {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => error,
            None => IoError::Unknown(UnknownCause::TimedOut),
        };
        match after_write(&error) {
            Course::StillOut => return Err(JournalError::StillOut { lba }),
            Course::ForSpace => patience.wait_for_space(core, lba).await,
            Course::Again if patience.pause(core).await => {}
            Course::Again | Course::Fail => return Err(JournalError::Write { lba, error }),
        }
    }
}

/// Makes blocks read as zeros, of which `zeros` has as many, and keeps their place: by the device's own command, or by writing
/// them where it has none. As [`write`], but that there is no space below is told at once.
pub(crate) async fn zero(core: &Core, lba: Lba, zeros: &[u8]) -> Result<(), JournalError> {
    let blocks = BlockCount(zeros.len() as u64 / u64::from(core.store.block_size.bytes()));
    let (mut patience, mut has_command) = (Patience::default(), true);
    loop {
        until_it_may_send(core).await?;
        let device = core.store.device(Lane::Work);
        let sent = async {
            if has_command { device.write_zeroes(lba, blocks).await } else { device.write(lba, zeros).await }
        };
        let error = match core.store.world.within(core.store.timing.hold, sent).await {
            Some(Ok(())) => return Ok(()),
            Some(Err(IoError::Refused(Refusal::Unsupported))) if has_command => {
                has_command = false;
                continue;
            }
            Some(Err(error)) => error,
            None => IoError::Unknown(UnknownCause::TimedOut),
        };
        match after_write(&error) {
            Course::StillOut => return Err(JournalError::StillOut { lba }),
            Course::Again if patience.pause(core).await => {}
            Course::Again | Course::ForSpace | Course::Fail => {
                return Err(JournalError::Write { lba, error });
            }
        }
    }
}

/// Makes durable whatever was answered before, this host's swaps and its users' data among it.
pub(crate) async fn flush(core: &Core) -> Result<(), JournalError> {
    let mut patience = Patience::default();
    loop {
        until_it_may_send(core).await?;
        let Err(error) = core.store.flush().await else { return Ok(()) };
        match after_flush(&error) {
            Course::ForSpace => patience.wait_for_space(core, core.store.layout.slot(core.me.slot)).await,
            Course::Again if patience.pause(core).await => {}
            Course::Again | Course::Fail | Course::StillOut => return Err(JournalError::Flush(error)),
        }
    }
}

/// Waits until something may be sent: nothing is outside of the lease (R7).
pub(crate) async fn until_it_may_send(core: &Core) -> Result<(), JournalError> {
    loop {
        core.until_it_may_act().await?;
        if core.store.may_send(Lane::Work) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_UNKNOWN: [UnknownCause; 4] =
        [UnknownCause::TimedOut, UnknownCause::Aborted, UnknownCause::PathLost, UnknownCause::DeviceError];

    #[test]
    fn a_write_that_may_still_land_is_never_sent_again() {
        let out = |cause| after_write(&IoError::Unknown(cause)) == Course::StillOut;
        let still_out: Vec<_> = ALL_UNKNOWN.into_iter().filter(|cause| out(*cause)).collect();
        assert_eq!(still_out, [UnknownCause::TimedOut, UnknownCause::PathLost]);
    }

    #[test]
    fn a_flush_that_failed_is_never_tried_again() {
        let fails = |cause| after_flush(&IoError::Unknown(cause)) == Course::Fail;
        let failed: Vec<_> = ALL_UNKNOWN.into_iter().filter(|cause| fails(*cause)).collect();
        assert_eq!(failed, [UnknownCause::DeviceError]);
        assert_eq!(after_flush(&IoError::Medium), Course::Fail);
    }

    #[test]
    fn only_a_lack_of_space_is_waited_for_without_end() {
        use Refusal::{Busy, CutOff, Full, Gone, OutOfRange, Unsupported};
        for after in [after_write, after_flush] {
            let waits = |refusal: &Refusal| after(&IoError::Refused(refusal.clone())) == Course::ForSpace;
            let refusals = [Busy, Full, Gone, CutOff, OutOfRange, Unsupported].into_iter();
            assert_eq!(refusals.filter(waits).collect::<Vec<_>>(), [Full]);
        }
    }
}
