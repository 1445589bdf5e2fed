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
    /// R39: a repair believes who holds a lock by bytes that do not check out, and puts him back.
    RepairRestoresOwner,
    /// R9: a host is fenced in the instant in which its death is proved, before its users can know of it.
    FenceInTheInstant,
    /// R9: what a person's eviction cut off is taken over in the same instant.
    TakeOverInTheInstant,
    /// A sharer is told the token that this host was told when it first shared the lock.
    TellRememberedToken,
    /// R12: nothing is flushed before the next step, nor a claim before its life.
    StepBeforeFlush,
    /// R38: a growth swaps the first copy before the shadow that it names is there.
    NameShadowFirst,
    /// R38: a growth says that every live host knows, and has asked none.
    GiveOutShadowUnseen,
    /// R36: an entry of the directory that stands there already is adopted without a swap of its bucket.
    AdoptEntryUnswapped,
    /// R12: the lock of a group or a disk is given up, and its pages are not home.
    ReleaseBeforeHome,
    /// R31: a replay applies what was changed under a lock that was given up since.
    ReplayOtherEpoch,
    /// R11: what a replay has written is written once more, when the slot says Replayed already.
    ReplayTwice,
    /// R33: a cluster that was unmapped comes free while operations that know it are under way.
    FreeBeforeLastAnswer,
    /// R32: a commit is written, and the data behind it was not flushed.
    MapBeforeData,
    /// R31: a guest's flush flushes the device, and commits nothing.
    FlushWithoutCommit,
    /// R12: a guest is answered before what exposes its write is noted.
    AnswerBeforeNote,
    /// R32: a replay takes notes of another boot for commits: what they expose may be lost.
    NoteOfAnotherBoot,
    /// R32: a replay brings home what notes say before it has made them count in every boot.
    ReplayBareNotes,
    /// R35: a clone takes what it shares with its snapshot for its own.
    OwnSharedRoot,
    /// R35: a trim leaves what an ancestor has there.
    TrimKeepsAncestors,
    /// R34: who writes a disk together with others unmaps what its guest trims.
    UnmapWhileShared,
    /// R34: who wants a disk alone overlooks those who write it together.
    OverlookSharers,
    /// R28: the source of a handoff goes on with its guests when the disk is another host's.
    ServeAfterHandoff,
    /// R28: the receiver of a handoff serves once it was called, and not only once it owns the disk.
    ServeBeforeHandoff,
    /// R28: a disk is handed over and what the source's journal owes for it is not home.
    HandOverBeforeHome,
    /// R28: a handoff without an answer counts as one that failed.
    GoOnAfterUnknown,
    /// R28: a host that comes back takes the disk of its last life behind a host that had it since.
    ReturnBehindAnother,
    /// R24: a journal that finds no space below waits for it as for a device that is busy, and fails.
    FailWhenFull,
}

impl PlantedBug {
    /// Every mistake, for the catalogue of `cargo xtask planted-bugs`.
    pub const ALL: [PlantedBug; 40] = [
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
        PlantedBug::RepairRestoresOwner,
        PlantedBug::FenceInTheInstant,
        PlantedBug::TakeOverInTheInstant,
        PlantedBug::TellRememberedToken,
        PlantedBug::StepBeforeFlush,
        PlantedBug::NameShadowFirst,
        PlantedBug::GiveOutShadowUnseen,
        PlantedBug::AdoptEntryUnswapped,
        PlantedBug::ReleaseBeforeHome,
        PlantedBug::ReplayOtherEpoch,
        PlantedBug::ReplayTwice,
        PlantedBug::FreeBeforeLastAnswer,
        PlantedBug::MapBeforeData,
        PlantedBug::FlushWithoutCommit,
        PlantedBug::AnswerBeforeNote,
        PlantedBug::NoteOfAnotherBoot,
        PlantedBug::ReplayBareNotes,
        PlantedBug::OwnSharedRoot,
        PlantedBug::TrimKeepsAncestors,
        PlantedBug::UnmapWhileShared,
        PlantedBug::OverlookSharers,
        PlantedBug::ServeAfterHandoff,
        PlantedBug::ServeBeforeHandoff,
        PlantedBug::HandOverBeforeHome,
        PlantedBug::GoOnAfterUnknown,
        PlantedBug::ReturnBehindAnother,
        PlantedBug::FailWhenFull,
    ];

    /// Whether only hosts with disks can make it. Those stand last.
    #[must_use]
    pub const fn is_of_disks(self) -> bool {
        self as usize >= PlantedBug::ReleaseBeforeHome as usize
    }
}

#[cfg(feature = "planted-bugs")]
mod switch {
    use super::PlantedBug;
    use crate::decide::Want;
    use oarlock_block::Lba;
    use oarlock_format::{LockRecord, Owner, Place, SlotRecord};
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    thread_local! {
        static ACTIVE: Cell<Option<PlantedBug>> = const { Cell::new(None) };
        static SLOTS: RefCell<BTreeMap<(Owner, u16), SlotRecord>> = const { RefCell::new(BTreeMap::new()) };
        static REPLAYED: RefCell<Vec<(Lba, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
        static TOKENS: RefCell<BTreeMap<(Owner, Lba), u64>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// The first record that `me` saw of the slot, where that mistake is live; else the one just read.
    pub(crate) fn slot_to_judge_by(me: Owner, slot: u16, read: SlotRecord) -> SlotRecord {
        if !planted(PlantedBug::JudgeByCachedSlot) {
            return read;
        }
        SLOTS.with_borrow_mut(|slots| slots.entry((me, slot)).or_insert(read).clone())
    }

    /// The first token of `me` as a sharer of the lock, where that mistake is live; else the one of the image that took it.
    pub(crate) fn token_to_tell(me: Owner, lba: Lba, want: Want, token: u64) -> u64 {
        if want != Want::Shared || !planted(PlantedBug::TellRememberedToken) {
            return token;
        }
        TOKENS.with_borrow_mut(|tokens| *tokens.entry((me, lba)).or_insert(token))
    }

    /// What damaged bytes say of a lock, where that mistake is live: what one flipped bit proves, owner and all, or what
    /// there is once the checksum is put right (docs/FORMAT.md).
    pub(crate) fn believed(bytes: &[u8], place: &Place, proved: Option<&LockRecord>) -> Option<LockRecord> {
        if !planted(PlantedBug::RepairRestoresOwner) {
            return None;
        }
        if let Some(proved) = proved {
            return Some(proved.clone());
        }
        let mut bytes = bytes.to_vec();
        bytes.get_mut(12..16)?.fill(0);
        let checksum = oarlock_block::crc32c(&[&bytes]);
        bytes.get_mut(12..16)?.copy_from_slice(&checksum.to_le_bytes());
        oarlock_format::decode::<LockRecord>(&bytes, place).ok().map(|stamped| stamped.record)
    }

    /// A replay wrote this: remembered, where that mistake is live.
    pub(crate) fn note_replayed(lba: Lba, bytes: &[u8]) {
        if planted(PlantedBug::ReplayTwice) {
            REPLAYED.with_borrow_mut(|replayed| replayed.push((lba, bytes.to_vec())));
        }
    }

    /// What replays wrote since it was last asked for.
    pub(crate) fn take_replayed() -> Vec<(Lba, Vec<u8>)> {
        REPLAYED.take()
    }

    /// Makes `bug` live on this thread, or none.
    pub fn plant(bug: Option<PlantedBug>) {
        ACTIVE.set(bug);
        SLOTS.with_borrow_mut(BTreeMap::clear);
        TOKENS.with_borrow_mut(BTreeMap::clear);
        REPLAYED.take();
    }

    pub(crate) fn planted(bug: PlantedBug) -> bool {
        ACTIVE.get() == Some(bug)
    }
}

#[cfg(feature = "planted-bugs")]
pub use switch::plant;
#[cfg(feature = "planted-bugs")]
pub(crate) use switch::{believed, note_replayed, planted, slot_to_judge_by, take_replayed, token_to_tell};

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

/// The token of the image that took the lock.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn token_to_tell(
    _me: oarlock_format::Owner,
    _lba: oarlock_block::Lba,
    _want: crate::decide::Want,
    token: u64,
) -> u64 {
    token
}

/// What damaged bytes say of a lock: nothing that is believed.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) fn believed(
    _bytes: &[u8],
    _place: &oarlock_format::Place,
    _proved: Option<&oarlock_format::LockRecord>,
) -> Option<oarlock_format::LockRecord> {
    None
}

/// A replay wrote this: nothing is remembered.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn note_replayed(_lba: oarlock_block::Lba, _bytes: &[u8]) {}

/// What replays wrote: nothing that is written again.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn take_replayed() -> Vec<(oarlock_block::Lba, Vec<u8>)> {
    Vec::new()
}
