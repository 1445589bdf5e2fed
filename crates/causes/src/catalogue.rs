//! The catalogue: one file of text for each cause, found here by its cause.

mod array_fault;
mod array_full;
mod array_load;
mod ats_unsupported;
mod cannot_tell;
mod contention;
mod corrupt_block;
mod delayed_own_write;
mod device_fault;
mod fabric_congestion;
mod fenced;
mod foreign_block;
mod gateway_fault;
mod hba_fault;
mod known_advisory;
mod lock_mode_mixed;
mod path_fault;
mod paths_disagree;
mod queue_depth;
mod reservation;
mod reset_cascade;
mod rollback;
mod slow_storage;
mod snapshot_signature;
mod stale_cache;

use crate::Cause;
use crate::entry::Entry;

impl Cause {
    /// Everything that is known about this cause.
    #[must_use]
    pub const fn entry(self) -> &'static Entry {
        match self {
            Cause::Contention => &contention::ENTRY,
            Cause::DelayedOwnWrite => &delayed_own_write::ENTRY,
            Cause::SlowStorage => &slow_storage::ENTRY,
            Cause::StaleCache => &stale_cache::ENTRY,
            Cause::PathFault => &path_fault::ENTRY,
            Cause::PathsDisagree => &paths_disagree::ENTRY,
            Cause::ArrayFault => &array_fault::ENTRY,
            Cause::Rollback => &rollback::ENTRY,
            Cause::CorruptBlock => &corrupt_block::ENTRY,
            Cause::ForeignBlock => &foreign_block::ENTRY,
            Cause::Fenced => &fenced::ENTRY,
            Cause::QueueDepth => &queue_depth::ENTRY,
            Cause::ResetCascade => &reset_cascade::ENTRY,
            Cause::FabricCongestion => &fabric_congestion::ENTRY,
            Cause::HbaFault => &hba_fault::ENTRY,
            Cause::DeviceFault => &device_fault::ENTRY,
            Cause::AtsUnsupported => &ats_unsupported::ENTRY,
            Cause::Reservation => &reservation::ENTRY,
            Cause::ArrayFull => &array_full::ENTRY,
            Cause::ArrayLoad => &array_load::ENTRY,
            Cause::SnapshotSignature => &snapshot_signature::ENTRY,
            Cause::LockModeMixed => &lock_mode_mixed::ENTRY,
            Cause::GatewayFault => &gateway_fault::ENTRY,
            Cause::KnownAdvisory => &known_advisory::ENTRY,
            Cause::CannotTell => &cannot_tell::ENTRY,
        }
    }
}

#[cfg(test)]
mod tests;
