//! Decisions about locks, as pure functions of records: who stands in the way, whether it is gone, and what the next
//! record is (R11, R25, R26).

use oarlock_block::SlotIndex;
use oarlock_format::{LockMode, LockState, Owner, SlotRecord, SlotSet, SlotState};

use crate::planted::{PlantedBug, planted};

/// What somebody wants of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    /// Alone.
    Exclusive,
    /// Together with others who share.
    Shared,
    /// Together with others who write as well (R34); of a disk that is full alone.
    MultiWriter,
}

impl Want {
    /// The mode of a lock that was given so.
    #[must_use]
    pub const fn mode(self) -> LockMode {
        match self {
            Want::Exclusive => LockMode::Exclusive,
            Want::Shared => LockMode::Shared,
            Want::MultiWriter => LockMode::MultiWriter,
        }
    }

    /// Whether whoever has it so is one of several, in a lock of that mode.
    const fn joins(self, mode: LockMode) -> bool {
        matches!((self, mode), (Want::Shared, LockMode::Shared) | (Want::MultiWriter, LockMode::MultiWriter))
    }
}

/// Somebody whose part in a lock stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocker {
    /// The owner: a slot in one of its lives.
    Owner(Owner),
    /// Whoever lives in the slot answers for its bit in the bitmap.
    Bit(SlotIndex),
}

impl Blocker {
    /// The slot to look at.
    #[must_use]
    pub fn slot(&self) -> SlotIndex {
        match self {
            Blocker::Owner(owner) => owner.slot,
            Blocker::Bit(slot) => *slot,
        }
    }
}

/// What a slot, read directly after the lock record, says about a blocker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It cannot act any more, and what it owed was replayed: its part may be broken.
    Gone,
    /// It lives, or was not taken over to the end.
    Present,
    /// The slot is older than the lock says: the device went back in time, or the read was stale (R2).
    Impossible,
}

/// Whether a blocker is gone, by its slot.
#[must_use]
pub fn life(blocker: &Blocker, slot: &SlotRecord) -> Life {
    let over = matches!(slot.state, SlotState::Free | SlotState::Replayed { .. })
        || (planted(PlantedBug::BreakOnFenced) && slot.state != SlotState::Live);
    match blocker {
        Blocker::Bit(_) if slot.state == SlotState::Free => Life::Gone,
        Blocker::Bit(_) => Life::Present,
        Blocker::Owner(owner) if slot.incarnation > owner.incarnation => Life::Gone,
        Blocker::Owner(owner) if slot.incarnation < owner.incarnation => Life::Impossible,
        Blocker::Owner(_) if over => Life::Gone,
        Blocker::Owner(_) => Life::Present,
    }
}

/// Who stands in the way of `want`. An earlier life in this host's own slot does not: it is gone, or this one would not
/// live there.
#[must_use]
pub fn blockers(lock: &LockState, me: Owner, want: Want) -> Vec<Blocker> {
    match lock.mode {
        LockMode::Free => Vec::new(),
        LockMode::Exclusive => match lock.owner {
            Some(owner) if owner.slot != me.slot => vec![Blocker::Owner(owner)],
            _ => Vec::new(),
        },
        mode if want.joins(mode) => Vec::new(),
        LockMode::MultiWriter if planted(PlantedBug::OverlookSharers) => Vec::new(),
        LockMode::Shared | LockMode::MultiWriter | LockMode::Unknown => {
            lock.holders.iter().filter(|slot| *slot != me.slot).map(Blocker::Bit).collect()
        }
    }
}

/// The lock once it was given to `me`; every blocker is gone.
#[must_use]
pub fn taken(lock: &LockState, me: Owner, want: Want, sticky: bool, wall_ms: u64) -> LockState {
    let joins = want.joins(lock.mode);
    let mut holders = if joins { lock.holders } else { SlotSet::default() };
    if want != Want::Exclusive {
        holders.insert(me.slot);
    }
    LockState {
        mode: want.mode(),
        owner: (want == Want::Exclusive).then_some(me),
        next: None,
        holders,
        // Whoever shares with the present holders changes no owner: the one who waits for them still waits.
        interest: joins && lock.interest,
        sticky: sticky || (joins && lock.sticky),
        epoch: lock.epoch.next(),
        since_wall_ms: wall_ms,
    }
}

/// The lock once its owner handed it over to whom it was promised (R28).
#[must_use]
pub fn handed_over(lock: &LockState, to: Owner, wall_ms: u64) -> LockState {
    LockState {
        mode: LockMode::Exclusive,
        owner: Some(to),
        epoch: lock.epoch.next(),
        since_wall_ms: wall_ms,
        ..LockState::NEVER_HELD
    }
}

/// The lock without this host's part in it, or `None` where it has none. Who is to be given it next has a part in it.
#[must_use]
pub fn released(lock: &LockState, me: Owner, wall_ms: u64) -> Option<LockState> {
    let free = LockState { epoch: lock.epoch, since_wall_ms: wall_ms, ..LockState::NEVER_HELD };
    match lock.mode {
        LockMode::Exclusive if lock.owner == Some(me) => Some(free),
        LockMode::Exclusive if lock.next == Some(me) => Some(LockState { next: None, ..*lock }),
        LockMode::Shared | LockMode::MultiWriter | LockMode::Unknown if lock.holders.contains(me.slot) => {
            let mut holders = lock.holders;
            holders.remove(me.slot);
            Some(if holders.is_empty() { free } else { LockState { holders, ..*lock } })
        }
        LockMode::Free
        | LockMode::Exclusive
        | LockMode::Shared
        | LockMode::MultiWriter
        | LockMode::Unknown => None,
    }
}

/// Whether the lock says that `me` has what it wants.
#[must_use]
pub fn has(lock: &LockState, me: Owner, want: Want) -> bool {
    match want {
        Want::Exclusive => lock.mode == LockMode::Exclusive && lock.owner == Some(me),
        Want::Shared | Want::MultiWriter => lock.mode == want.mode() && lock.holders.contains(me.slot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_format::{CutOffProof, FenceReason, Generation, HostId, Incarnation};

    fn owner(slot: u16, incarnation: u64) -> Owner {
        Owner { slot: SlotIndex(slot), host: HostId(7), incarnation: Incarnation(incarnation) }
    }

    fn slot(state: SlotState, incarnation: u64) -> SlotRecord {
        SlotRecord { state, incarnation: Incarnation(incarnation), ..SlotRecord::never_used() }
    }

    #[test]
    fn a_lock_is_broken_only_after_replay_or_by_a_later_life() {
        let blocker = Blocker::Owner(owner(2, 5));
        let by = owner(1, 1);
        let (reason, from, proof) = (FenceReason::Watched, Generation(1), CutOffProof::FileLock);
        let present = [
            slot(SlotState::Live, 5),
            slot(SlotState::Fenced { by, reason, from }, 5),
            slot(SlotState::CutOff { by, reason, from, proof }, 5),
            slot(SlotState::Replaying { by, reason, from, proof }, 5),
        ];
        for record in present {
            assert_eq!(life(&blocker, &record), Life::Present);
        }
        assert_eq!(life(&blocker, &slot(SlotState::Replayed { by, reason, from, proof }, 5)), Life::Gone);
        assert_eq!(life(&blocker, &slot(SlotState::Free, 5)), Life::Gone);
        assert_eq!(life(&blocker, &slot(SlotState::Live, 6)), Life::Gone);
        assert_eq!(life(&blocker, &slot(SlotState::Live, 4)), Life::Impossible);
    }

    #[test]
    fn a_lock_is_handed_over_in_a_new_epoch_and_a_receiver_who_gives_up_changes_nothing_else() {
        let (source, receiver) = (owner(1, 1), owner(2, 4));
        let held = taken(&LockState::NEVER_HELD, source, Want::Exclusive, false, 9);
        let promised = LockState { next: Some(receiver), interest: true, ..held };
        let handed = handed_over(&promised, receiver, 10);
        assert!(has(&handed, receiver, Want::Exclusive) && !has(&handed, source, Want::Exclusive));
        assert_eq!((handed.epoch, handed.next, handed.interest), (held.epoch.next(), None, false));
        assert_eq!(released(&promised, receiver, 10), Some(LockState { next: None, ..promised }));
        assert_eq!(
            released(&promised, owner(2, 5), 10),
            None,
            "another life of the receiver has no part in it"
        );
    }

    #[test]
    fn a_bit_is_cleared_only_when_its_slot_is_free() {
        let bit = Blocker::Bit(SlotIndex(2));
        assert_eq!(life(&bit, &slot(SlotState::Free, 9)), Life::Gone);
        assert_eq!(life(&bit, &slot(SlotState::Live, 9)), Life::Present);
        let replayed = SlotState::Replayed {
            by: owner(1, 1),
            reason: FenceReason::Watched,
            from: Generation(1),
            proof: CutOffProof::FileLock,
        };
        assert_eq!(life(&bit, &slot(replayed, 9)), Life::Present);
    }

    #[test]
    fn taking_and_releasing_is_a_round_trip_that_only_grows_the_epoch() {
        let me = owner(3, 1);
        for want in [Want::Exclusive, Want::Shared, Want::MultiWriter] {
            let held = taken(&LockState::NEVER_HELD, me, want, false, 9);
            assert!(has(&held, me, want));
            assert!(held.epoch > LockState::NEVER_HELD.epoch);
            let free = released(&held, me, 9).unwrap();
            assert_eq!(free, LockState { epoch: held.epoch, since_wall_ms: 9, ..LockState::NEVER_HELD });
            assert_eq!(released(&free, me, 9), None);
        }
    }

    #[test]
    fn sharing_keeps_the_others_and_the_interest_of_who_waits_for_them() {
        let first = taken(&LockState::NEVER_HELD, owner(1, 1), Want::Shared, false, 0);
        let waited_for = LockState { interest: true, ..first };
        let second = taken(&waited_for, owner(2, 1), Want::Shared, false, 0);
        assert!(second.interest);
        assert_eq!(second.holders.len(), 2);
        assert_eq!(
            blockers(&second, owner(2, 1), Want::Exclusive),
            vec![Blocker::Bit(SlotIndex(1))],
            "one's own bit is no blocker"
        );
        let one_left = released(&second, owner(1, 1), 0).unwrap();
        assert_eq!(one_left.mode, LockMode::Shared);
        assert!(!one_left.holders.contains(SlotIndex(1)));
    }

    #[test]
    fn who_writes_together_keeps_out_all_who_do_not() {
        let first = taken(&LockState::NEVER_HELD, owner(1, 1), Want::MultiWriter, false, 0);
        assert!(blockers(&first, owner(2, 1), Want::MultiWriter).is_empty());
        let second = taken(&first, owner(2, 1), Want::MultiWriter, false, 0);
        assert_eq!((second.mode, second.holders.len(), second.owner), (LockMode::MultiWriter, 2, None));
        for want in [Want::Exclusive, Want::Shared] {
            let in_the_way = blockers(&second, owner(2, 1), want);
            assert_eq!(in_the_way, vec![Blocker::Bit(SlotIndex(1))]);
            let other = taken(&LockState::NEVER_HELD, owner(3, 1), want, false, 0);
            assert_eq!(blockers(&other, owner(1, 1), Want::MultiWriter).len(), 1);
        }
        let left = released(&second, owner(1, 1), 0).unwrap();
        assert_eq!((left.mode, left.holders.len()), (LockMode::MultiWriter, 1));
        assert_eq!(released(&left, owner(2, 1), 0).unwrap().mode, LockMode::Free);
    }

    #[test]
    fn an_earlier_life_in_the_same_slot_is_no_blocker() {
        let held = taken(&LockState::NEVER_HELD, owner(1, 1), Want::Exclusive, false, 0);
        assert!(blockers(&held, owner(1, 2), Want::Exclusive).is_empty());
        assert!(!has(&held, owner(1, 2), Want::Exclusive));
        assert_eq!(released(&held, owner(1, 2), 0), None, "and nothing of it is given back as one's own");
    }
}
