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

use std::time::Duration;

use oarlock_block::{BlockCount, Instant, IoError, Lba, Refusal, UnknownCause};
use oarlock_causes::{Action, Cause, EventKind};
use oarlock_format::Kind;

use crate::core::Core;
use crate::store::Lane;

use super::error::JournalError;

/// What to do about a command that was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Again,
    Fail,
    StillOut,
}

fn after_refusal(refusal: &Refusal) -> Course {
    match refusal {
        // Space comes back when somebody makes some (R24); a device that is gone lets the lease run out, and so does one
        // that cut this host off: then the beat finds out, and ends it.
        Refusal::Busy | Refusal::Full | Refusal::Gone | Refusal::CutOff => Course::Again,
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
    let (mut first_refused, mut is_told) = (None, false);
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
        if error == IoError::Refused(Refusal::Full) {
            wait_for_space(core, lba, &mut is_told).await;
            first_refused = None;
            continue;
        }
        match after_write(&error) {
            Course::StillOut => return Err(JournalError::StillOut { lba }),
            Course::Again if pause(core, &mut first_refused).await => {}
            Course::Again | Course::Fail => return Err(JournalError::Write { lba, error }),
        }
    }
}

/// A pause where there is no space below. That is no fault of this host's, and its end would make none: somebody has to make room, and
/// whatever waits for the journal waits until then, as guests' writes do (R24).
pub(super) async fn wait_for_space(core: &Core, lba: Lba, is_told: &mut bool) {
    if !std::mem::replace(is_told, true) {
        let event = core.store.event(EventKind::Path, Cause::ArrayFull, lba, Kind::Journal, Action::Held);
        let detail = "there is no space below the device for this host's journal: what waits for it waits until somebody makes room";
        core.store.report(event.about(detail.to_owned()));
    }
    core.store.world.pause(core.store.world.jitter(core.store.timing.beat / 4)).await;
}

/// Makes blocks read as zeros, of which `zeros` has as many, and keeps their place: by the device's own command, or by writing
/// them where it has none. As [`write`], but that there is no space below is told at once.
pub(crate) async fn zero(core: &Core, lba: Lba, zeros: &[u8]) -> Result<(), JournalError> {
    let blocks = BlockCount(zeros.len() as u64 / u64::from(core.store.block_size.bytes()));
    let (mut first_refused, mut has_command) = (None, true);
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
        let is_full = error == IoError::Refused(Refusal::Full);
        match after_write(&error) {
            Course::StillOut => return Err(JournalError::StillOut { lba }),
            Course::Again if !is_full && pause(core, &mut first_refused).await => {}
            Course::Again | Course::Fail => return Err(JournalError::Write { lba, error }),
        }
    }
}

/// Makes durable whatever was answered before, this host's swaps and its users' data among it.
pub(crate) async fn flush(core: &Core) -> Result<(), JournalError> {
    let (mut first_refused, mut is_told) = (None, false);
    loop {
        until_it_may_send(core).await?;
        let Err(error) = core.store.flush().await else { return Ok(()) };
        if error == IoError::Refused(Refusal::Full) {
            wait_for_space(core, core.store.layout.slot(core.me.slot), &mut is_told).await;
            first_refused = None;
            continue;
        }
        match after_flush(&error) {
            Course::Again if pause(core, &mut first_refused).await => {}
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

/// A pause before the next try; `false` once the hold time is over since the first that was in vain.
pub(crate) async fn pause(core: &Core, first: &mut Option<Instant>) -> bool {
    let now = core.store.now();
    let first = *first.get_or_insert(now);
    if now.since(first) >= core.store.timing.hold {
        return false;
    }
    let pause: Duration = core.store.timing.beat / 4;
    core.store.world.pause(core.store.world.jitter(pause)).await;
    true
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
}
