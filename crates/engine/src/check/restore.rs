//! What replaces a damaged record: its content as far as the bytes prove it, but never a lock, and never a life (R39).

use oarlock_format::{
    DiskUid, Epoch, Generation, Incarnation, LockMode, LockRecord, LockState, MailboxRecord, SlotRecord,
    SlotSet, SlotState,
};

/// What a repair adds to an incarnation or an epoch that it can only guess from what other records saw.
const GUESS_STEP: u64 = 1 << 32;

/// The highest epoch or incarnation that a record can have been in which is replaced by an image of this generation: each
/// came with an image of its own, so it never ran ahead of the generation. Other records may know nothing of it: where an
/// earlier repair had to guess, that guess stood in this block alone.
pub(crate) fn spent_before(generation: Generation) -> u64 {
    generation.0.saturating_sub(GUESS_STEP)
}
/// All sixteen positions of a window: a mask may say too much, never too little.
const ALL_CHILDREN: u16 = u16::MAX;

/// What is known about a damaged lock besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockFacts {
    /// Who may hold it.
    pub(crate) holders: SlotSet,
    /// Whether names have their home here.
    pub(crate) is_home: bool,
    /// Which of these were found standing.
    pub(crate) children: u16,
    /// The newest epoch that any lock was seen in, or that this one can have been in.
    pub(crate) epoch: Epoch,
    pub(crate) wall_ms: u64,
}

/// The record that replaces a damaged lock. `proved` is what its own bytes prove.
pub(crate) fn lock(proved: Option<&LockRecord>, facts: &LockFacts) -> LockRecord {
    let nobody = facts.holders.is_empty();
    let children = match proved {
        _ if !facts.is_home => 0,
        Some(record) => record.children | facts.children,
        // A host may be about to put a name where the lost mask already says so.
        None => ALL_CHILDREN,
    };
    LockRecord {
        name: proved.and_then(|record| record.name.clone()),
        lock: LockState {
            mode: if nobody { LockMode::Free } else { LockMode::Unknown },
            owner: None,
            next: None,
            holders: facts.holders,
            interest: false,
            // Whoever keeps it without using it must be rung.
            sticky: !nobody,
            epoch: proved
                .map_or(Epoch(facts.epoch.0.saturating_add(GUESS_STEP)), |record| record.lock.epoch.next()),
            since_wall_ms: facts.wall_ms,
        },
        children,
    }
}

/// The lock of a descriptor or a group that nobody can hold: free, in an epoch in which it never was.
pub(crate) fn unheld(proved: Option<&LockState>, epoch: Epoch, wall_ms: u64) -> LockState {
    let guess = Epoch(epoch.0.saturating_add(GUESS_STEP).min(Epoch::LARGEST.0));
    LockState {
        epoch: proved.map_or(guess, |lock| lock.epoch.next()),
        since_wall_ms: wall_ms,
        ..LockState::NEVER_HELD
    }
}

/// A use of a descriptor above any that it can have had, of which others know `seen` at most.
pub(crate) fn uid_above(seen: DiskUid, generation: Generation) -> DiskUid {
    let newest = seen.0.max(spent_before(generation));
    DiskUid(newest.saturating_add(GUESS_STEP).min(DiskUid::LARGEST.0))
}

/// The record that replaces a damaged slot in which nobody lives. `seen` is the newest life that any other record names
/// there, `generation` that of the new image.
pub(crate) fn slot(
    proved: Option<&SlotRecord>,
    seen: Incarnation,
    generation: Generation,
    wall_ms: u64,
) -> SlotRecord {
    let newest = seen.0.max(spent_before(generation));
    let guess = Incarnation(newest.saturating_add(GUESS_STEP).min(Incarnation::LARGEST.0));
    SlotRecord {
        state: SlotState::Free,
        name: proved.and_then(|record| record.name.clone()),
        // The bytes prove which life was the last one only where no other record knows of a later one.
        incarnation: proved.map(|record| record.incarnation).filter(|life| *life >= seen).unwrap_or(guess),
        unclean: true,
        wall_ms,
        ..SlotRecord::never_used()
    }
}

/// The record that replaces a damaged mailbox: whoever reads it looks at all locks.
pub(crate) fn mailbox() -> MailboxRecord {
    MailboxRecord { overflow: true, entries: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_format::{HostId, LockName, Owner, SlotIndex};

    fn facts(holders: SlotSet, is_home: bool) -> LockFacts {
        LockFacts { holders, is_home, children: 0b100, epoch: Epoch(9), wall_ms: 1 }
    }

    fn held() -> LockRecord {
        LockRecord {
            name: LockName::new("nightly").ok(),
            lock: LockState {
                mode: LockMode::Exclusive,
                owner: Some(Owner { slot: SlotIndex(1), host: HostId(1), incarnation: Incarnation(3) }),
                epoch: Epoch(7),
                ..LockState::NEVER_HELD
            },
            children: 1,
        }
    }

    #[test]
    fn a_lock_comes_back_unknown_with_its_name_and_without_its_owner() {
        let holders: SlotSet = [SlotIndex(1), SlotIndex(2)].into_iter().collect();
        let restored = lock(Some(&held()), &facts(holders, true));
        assert_eq!(
            (restored.lock.mode, restored.lock.owner, restored.lock.holders),
            (LockMode::Unknown, None, holders)
        );
        assert_eq!((restored.name, restored.children, restored.lock.epoch), (held().name, 0b101, Epoch(8)));
    }

    #[test]
    fn a_lock_whose_bytes_prove_nothing_has_no_name_and_every_child() {
        let holders: SlotSet = [SlotIndex(1)].into_iter().collect();
        let restored = lock(None, &facts(holders, true));
        assert_eq!((&restored.name, restored.children), (&None, ALL_CHILDREN));
        assert!(restored.lock.epoch > Epoch(9));
        assert_eq!(lock(None, &facts(holders, false)).children, 0);
    }

    #[test]
    fn a_lock_that_nobody_can_hold_comes_back_free() {
        assert_eq!(lock(None, &facts(SlotSet::EMPTY, true)).lock.mode, LockMode::Free);
    }

    #[test]
    fn a_slot_comes_back_free_in_a_life_above_any_seen() {
        let proved =
            SlotRecord { state: SlotState::Live, incarnation: Incarnation(5), ..SlotRecord::never_used() };
        let low = Generation(9 + GUESS_STEP);
        let restored = slot(Some(&proved), Incarnation(5), low, 1);
        assert_eq!(
            (restored.state, restored.incarnation, restored.unclean),
            (SlotState::Free, Incarnation(5), true)
        );
        assert!(slot(Some(&proved), Incarnation(6), low, 1).incarnation > Incarnation(6));
        assert!(slot(None, Incarnation(6), low, 1).incarnation > Incarnation(6));
        let high = Generation(9 + 7 * GUESS_STEP);
        let again = slot(None, Incarnation(6), high, 1).incarnation;
        assert!(again.0 >= high.0, "an earlier guess, which the bytes do not show any more, is not undercut");
    }
}
