//! Decisions about locks, as pure functions of records: who stands in the way, whether it is gone, and what the next
//! record is (R11, R25, R26).

use oarlock_block::SlotIndex;
use oarlock_format::{LockMode, LockRecord, Owner, SlotRecord, SlotSet, SlotState};

use crate::planted::{PlantedBug, planted};

/// What somebody wants of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    /// Alone.
    Exclusive,
    /// Together with others who share.
    Shared,
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
pub fn blockers(record: &LockRecord, me: Owner, want: Want) -> Vec<Blocker> {
    match (record.mode, want) {
        (LockMode::Free, _) | (LockMode::Shared, Want::Shared) => Vec::new(),
        (LockMode::Exclusive, _) => match record.owner {
            Some(owner) if owner.slot != me.slot => vec![Blocker::Owner(owner)],
            _ => Vec::new(),
        },
        (LockMode::Shared, Want::Exclusive) | (LockMode::Unknown, _) => {
            record.holders.iter().filter(|slot| *slot != me.slot).map(Blocker::Bit).collect()
        }
    }
}

/// The record that gives the lock to `me`; every blocker is gone.
#[must_use]
pub fn taken(record: &LockRecord, me: Owner, want: Want, sticky: bool, wall_ms: u64) -> LockRecord {
    let joins = record.mode == LockMode::Shared && want == Want::Shared;
    let mut holders = if joins { record.holders } else { SlotSet::default() };
    if want == Want::Shared {
        holders.insert(me.slot);
    }
    LockRecord {
        mode: if want == Want::Exclusive { LockMode::Exclusive } else { LockMode::Shared },
        owner: (want == Want::Exclusive).then_some(me),
        holders,
        // Whoever shares with the present holders changes no owner: the one who waits for them still waits.
        interest: joins && record.interest,
        sticky: sticky || (joins && record.sticky),
        epoch: record.epoch.next(),
        since_wall_ms: wall_ms,
        ..record.clone()
    }
}

/// The record without this host's part in it, or `None` where it has none.
#[must_use]
pub fn released(record: &LockRecord, me: Owner, wall_ms: u64) -> Option<LockRecord> {
    let free = LockRecord {
        mode: LockMode::Free,
        owner: None,
        holders: SlotSet::default(),
        interest: false,
        sticky: false,
        since_wall_ms: wall_ms,
        ..record.clone()
    };
    match record.mode {
        LockMode::Exclusive if record.owner == Some(me) => Some(free),
        LockMode::Shared | LockMode::Unknown if record.holders.contains(me.slot) => {
            let mut holders = record.holders;
            holders.remove(me.slot);
            Some(if holders.is_empty() { free } else { LockRecord { holders, ..record.clone() } })
        }
        LockMode::Free | LockMode::Exclusive | LockMode::Shared | LockMode::Unknown => None,
    }
}

/// Whether the record says that `me` has what it wants.
#[must_use]
pub fn has(record: &LockRecord, me: Owner, want: Want) -> bool {
    match want {
        Want::Exclusive => record.mode == LockMode::Exclusive && record.owner == Some(me),
        Want::Shared => record.mode == LockMode::Shared && record.holders.contains(me.slot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_format::{CutOffProof, FenceReason, Generation, HostId, Incarnation, LockName};

    fn owner(slot: u16, incarnation: u64) -> Owner {
        Owner { slot: SlotIndex(slot), host: HostId(7), incarnation: Incarnation(incarnation) }
    }

    fn slot(state: SlotState, incarnation: u64) -> SlotRecord {
        SlotRecord { state, incarnation: Incarnation(incarnation), ..SlotRecord::never_used() }
    }

    fn free_lock() -> LockRecord {
        LockRecord { name: LockName::new("nightly").ok(), ..LockRecord::never_used() }
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
        for want in [Want::Exclusive, Want::Shared] {
            let held = taken(&free_lock(), me, want, false, 9);
            assert!(has(&held, me, want));
            assert!(held.epoch > free_lock().epoch);
            let free = released(&held, me, 9).unwrap();
            assert_eq!(free, LockRecord { epoch: held.epoch, since_wall_ms: 9, ..free_lock() });
            assert_eq!(released(&free, me, 9), None);
        }
    }

    #[test]
    fn sharing_keeps_the_others_and_the_interest_of_who_waits_for_them() {
        let first = taken(&free_lock(), owner(1, 1), Want::Shared, false, 0);
        let waited_for = LockRecord { interest: true, ..first };
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
    fn an_earlier_life_in_the_same_slot_is_no_blocker() {
        let held = taken(&free_lock(), owner(1, 1), Want::Exclusive, false, 0);
        assert!(blockers(&held, owner(1, 2), Want::Exclusive).is_empty());
        assert!(!has(&held, owner(1, 2), Want::Exclusive));
        assert_eq!(released(&held, owner(1, 2), 0), None, "and nothing of it is given back as one's own");
    }
}
