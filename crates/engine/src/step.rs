//! The steps of a takeover, as a pure function of the slot's record and of what an observer knows (R11).

use std::time::Duration;

use oarlock_block::{SlotIndex, Victim};
use oarlock_format::{FenceReason, Owner, SlotRecord, SlotState};

use crate::planted::{PlantedBug, planted};

/// The next step of a takeover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing to take over: the slot is free.
    Done,
    /// Keep watching.
    Watch,
    /// Write its death into its slot.
    Fence(FenceReason),
    /// Make sure that nothing more of it lands, and write that down.
    CutOff,
    /// The slot's own next life stopped in the middle of burying the last one: end it, so that others can go on.
    EndBurial,
    /// Become the one that replays.
    TakeReplay,
    /// Another replays: its own death would have to be proved first.
    WaitForReplayer(Owner),
    /// Replay, and write that down.
    Replay,
    /// Free the slot.
    Free,
}

/// What an observer knows besides the slot's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The host was proved dead (R9).
    pub death_proved: bool,
    /// It stood still for the whole watch (R6).
    pub watched: bool,
    /// A person says that it is dead.
    pub evicted: bool,
    /// The replaying host was cut off itself.
    pub replayer_cut_off: bool,
    /// The slot's own next life is burying the last one, and is not proved dead: it will finish, unless it stands still
    /// for a whole watch itself.
    pub buried_by_itself: bool,
}

/// How long a death must have been proved before a slot is fenced for it. The users of a daemon that was killed hear of it
/// when their connection closes, and stop (R29): they need a moment, and nobody may have their locks before.
pub(crate) fn grace_of(lease: Duration) -> Duration {
    if planted(PlantedBug::FenceInTheInstant) { Duration::ZERO } else { lease / 20 }
}

/// How long a host must have been cut off before that is written down, and its locks can be broken. Where a person said that it
/// is dead nothing was waited for before the fence, and the cut-off may have killed it a moment ago: its users need
/// theirs. Those of a host that was watched were lost by the clock; a proof had stood before the fence
/// (R9, docs/decisions/0056).
#[must_use]
pub fn grace_after_cut_off(reason: FenceReason, lease: Duration) -> Duration {
    match reason {
        FenceReason::EvictedCertain if !planted(PlantedBug::TakeOverInTheInstant) => grace_of(lease),
        FenceReason::EvictedCertain
        | FenceReason::Watched
        | FenceReason::DeathProved
        | FenceReason::Evicted
        | FenceReason::FormerLife
        | FenceReason::Rollback => Duration::ZERO,
    }
}

/// What is to be done next with a slot, as a pure function of what was read and what is known (R11).
#[must_use]
pub fn next_step(state: &SlotState, me: Owner, evidence: Evidence) -> Step {
    match *state {
        SlotState::Free => Step::Done,
        _ if evidence.buried_by_itself && (evidence.watched || evidence.evicted) => Step::EndBurial,
        _ if evidence.buried_by_itself => Step::Watch,
        SlotState::Live if evidence.death_proved => Step::Fence(FenceReason::DeathProved),
        SlotState::Live if evidence.evicted => Step::Fence(FenceReason::EvictedCertain),
        SlotState::Live if evidence.watched => Step::Fence(FenceReason::Watched),
        SlotState::Live => Step::Watch,
        SlotState::Fenced { .. } => Step::CutOff,
        SlotState::CutOff { .. } => Step::TakeReplay,
        SlotState::Replaying { by, .. } if by == me => Step::Replay,
        SlotState::Replaying { .. } if evidence.replayer_cut_off => Step::TakeReplay,
        SlotState::Replaying { by, .. } => Step::WaitForReplayer(by),
        SlotState::Replayed { .. } => Step::Free,
    }
}

/// The victim that a slot's record names.
pub(crate) fn victim(slot: SlotIndex, record: &SlotRecord) -> Victim {
    Victim { slot, incarnation: record.incarnation.0, process: record.process }
}

/// The slot of the host that is burying the last life in a slot.
pub(crate) fn buried_by(state: &SlotState) -> Option<SlotIndex> {
    match state {
        SlotState::Free | SlotState::Live => None,
        SlotState::Fenced { by, .. }
        | SlotState::CutOff { by, .. }
        | SlotState::Replaying { by, .. }
        | SlotState::Replayed { by, .. } => Some(by.slot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_format::{CutOffProof, Generation, HostId, Incarnation};

    const NOTHING: Evidence = Evidence {
        death_proved: false,
        watched: false,
        evicted: false,
        replayer_cut_off: false,
        buried_by_itself: false,
    };

    fn owner(slot: u16) -> Owner {
        Owner { slot: SlotIndex(slot), host: HostId(u64::from(slot)), incarnation: Incarnation(1) }
    }

    #[test]
    fn only_a_watch_a_proof_or_a_person_fences_a_live_host() {
        let me = owner(1);
        assert_eq!(next_step(&SlotState::Live, me, NOTHING), Step::Watch);
        let watched = Evidence { watched: true, ..NOTHING };
        assert_eq!(next_step(&SlotState::Live, me, watched), Step::Fence(FenceReason::Watched));
        let proved = Evidence { death_proved: true, ..watched };
        assert_eq!(next_step(&SlotState::Live, me, proved), Step::Fence(FenceReason::DeathProved));
        let evicted = Evidence { evicted: true, ..NOTHING };
        assert_eq!(next_step(&SlotState::Live, me, evicted), Step::Fence(FenceReason::EvictedCertain));
    }

    #[test]
    fn users_of_a_host_that_a_person_evicted_have_their_moment_after_the_cut_off() {
        let lease = Duration::from_secs(10);
        assert_eq!(grace_after_cut_off(FenceReason::EvictedCertain, lease), Duration::from_millis(500));
        for reason in [FenceReason::Watched, FenceReason::DeathProved, FenceReason::FormerLife] {
            assert_eq!(grace_after_cut_off(reason, lease), Duration::ZERO, "they had it before");
        }
    }

    #[test]
    fn a_fenced_host_is_cut_off_before_anything_else() {
        let by = owner(2);
        let fenced = SlotState::Fenced { by, reason: FenceReason::Watched, from: Generation(4) };
        let everything = Evidence {
            death_proved: true,
            watched: true,
            evicted: true,
            replayer_cut_off: true,
            buried_by_itself: false,
        };
        assert_eq!(next_step(&fenced, owner(1), everything), Step::CutOff);
    }

    #[test]
    fn a_next_life_that_buries_the_last_one_is_left_alone_until_it_stands_still_itself() {
        let burial = SlotState::Fenced { by: owner(3), reason: FenceReason::FormerLife, from: Generation(4) };
        let alive = Evidence { buried_by_itself: true, ..NOTHING };
        assert_eq!(next_step(&burial, owner(1), alive), Step::Watch);
        assert_eq!(next_step(&burial, owner(1), Evidence { watched: true, ..alive }), Step::EndBurial);
        assert_eq!(next_step(&burial, owner(1), Evidence { death_proved: true, ..NOTHING }), Step::CutOff);
    }

    #[test]
    fn replaying_moves_only_when_the_replayer_was_cut_off() {
        let state = SlotState::Replaying {
            by: owner(2),
            reason: FenceReason::Watched,
            from: Generation(4),
            proof: CutOffProof::FileLock,
        };
        assert_eq!(next_step(&state, owner(2), NOTHING), Step::Replay);
        assert_eq!(next_step(&state, owner(1), NOTHING), Step::WaitForReplayer(owner(2)));
        let cut_off = Evidence { replayer_cut_off: true, ..NOTHING };
        assert_eq!(next_step(&state, owner(1), cut_off), Step::TakeReplay);
    }
}
