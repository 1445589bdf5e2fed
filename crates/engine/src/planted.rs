//! Known mistakes, compiled in only under the feature `planted-bugs`: the simulator must find each of them.
//!
//! Each is the interleaving behind a rule of docs/PROTOCOL.md, written as code. Without the feature every question is
//! answered `false` at compile time, and nothing of this is in a release build.

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlantedBug {
    /// R1: an unknown is closed by reading the expected image back.
    CloseUnknownByReading,
    /// R1: an unknown acquire that lapsed its deadline is forgotten instead of settled.
    ForgetUnknownAcquire,
    /// R11: a lock is broken while its owner's slot only says Fenced.
    BreakOnFenced,
    /// R11: a lock is judged by a slot that was read before the record.
    JudgeByCachedSlot,
    /// R6: a watch goes on across a stall.
    KeepWatchAcrossStall,
    /// R6: a watch counts from the issue of its first read.
    TimeWatchFromIssue,
    /// R5: a lease counts from the reply.
    LeaseFromReply,
    /// I1: an image is sent a second time.
    ReuseImage,
    /// I6: the cut-off is skipped.
    SkipCutOff,
    /// R18: the right to the slot is given back before the slot is freed.
    ExitBeforeFree,
    /// R7: an acquire that was answered after the lapse is given out.
    GiveOutAfterLapse,
    /// A name is put at a position without touching the others that its home's mask names.
    InsertWithoutTouch,
    /// R6: a lapsed host fences.
    FenceWhileLapsed,
    /// R2: an older record is taken for news.
    AdoptOlder,
}

impl PlantedBug {
    /// Every mistake, for the catalogue of `cargo xtask planted-bugs`.
    pub const ALL: [PlantedBug; 14] = [
        PlantedBug::CloseUnknownByReading,
        PlantedBug::ForgetUnknownAcquire,
        PlantedBug::BreakOnFenced,
        PlantedBug::JudgeByCachedSlot,
        PlantedBug::KeepWatchAcrossStall,
        PlantedBug::TimeWatchFromIssue,
        PlantedBug::LeaseFromReply,
        PlantedBug::ReuseImage,
        PlantedBug::SkipCutOff,
        PlantedBug::ExitBeforeFree,
        PlantedBug::GiveOutAfterLapse,
        PlantedBug::InsertWithoutTouch,
        PlantedBug::FenceWhileLapsed,
        PlantedBug::AdoptOlder,
    ];
}

#[cfg(feature = "planted-bugs")]
mod switch {
    use super::PlantedBug;
    use std::cell::Cell;

    thread_local! {
        static ACTIVE: Cell<Option<PlantedBug>> = const { Cell::new(None) };
    }

    /// Makes `bug` live on this thread, or none.
    pub fn plant(bug: Option<PlantedBug>) {
        ACTIVE.set(bug);
    }

    pub(crate) fn planted(bug: PlantedBug) -> bool {
        ACTIVE.get() == Some(bug)
    }
}

#[cfg(feature = "planted-bugs")]
pub use switch::plant;
#[cfg(feature = "planted-bugs")]
pub(crate) use switch::planted;

/// Whether this mistake is live: never, without the feature.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn planted(_bug: PlantedBug) -> bool {
    false
}
