//! Known mistakes, compiled in only under the feature `planted-bugs`: the simulator must find each of them.
//!
//! Each is the interleaving behind a rule of docs/PROTOCOL.md, written as code. Without the feature every question is
//! answered `false` at compile time, and nothing of this is in a release build.

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlantedBug {
    /// R1: a release without an answer is closed by reading one's own lock back, and the lock is used on.
    CloseUnknownByReading,
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
    pub const ALL: [PlantedBug; 13] = [
        PlantedBug::CloseUnknownByReading,
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
    use oarlock_format::{Owner, SlotRecord};
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    thread_local! {
        static ACTIVE: Cell<Option<PlantedBug>> = const { Cell::new(None) };
        static SLOTS: RefCell<BTreeMap<(Owner, u16), SlotRecord>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// The first record that `me` saw of the slot, where that mistake is live; else the one just read.
    pub(crate) fn slot_to_judge_by(me: Owner, slot: u16, read: SlotRecord) -> SlotRecord {
        if !planted(PlantedBug::JudgeByCachedSlot) {
            return read;
        }
        SLOTS.with_borrow_mut(|slots| slots.entry((me, slot)).or_insert(read).clone())
    }

    /// Makes `bug` live on this thread, or none.
    pub fn plant(bug: Option<PlantedBug>) {
        ACTIVE.set(bug);
        SLOTS.with_borrow_mut(BTreeMap::clear);
    }

    pub(crate) fn planted(bug: PlantedBug) -> bool {
        ACTIVE.get() == Some(bug)
    }
}

#[cfg(feature = "planted-bugs")]
pub use switch::plant;
#[cfg(feature = "planted-bugs")]
pub(crate) use switch::{planted, slot_to_judge_by};

/// Whether this mistake is live: never, without the feature.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn planted(_bug: PlantedBug) -> bool {
    false
}

/// The record just read: what a lock's owner is judged by.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) fn slot_to_judge_by(
    _me: oarlock_format::Owner,
    _slot: u16,
    read: oarlock_format::SlotRecord,
) -> oarlock_format::SlotRecord {
    read
}
