//! What a host does of its own accord: join, beat, take, use and release the lock, watch, fence, cut off, take over.

use std::time::Duration;

use oarlock_engine::Want;
use oarlock_engine::decide::{Blocker, Life, blockers, has, life, released, taken};
use oarlock_engine::step::{Evidence, Step, grace_after_cut_off, next_step};
use oarlock_format::{CutOffProof, FenceReason, Generation, SlotState};

use crate::mistakes::Mistake;
use crate::record::{Cell, LEASE, Lock, Process, Slot, slot_of, ticks};
use crate::rules;
use crate::state::{Host, Lane, Payload, Phase, Pursuit, State};

/// A new process enters the slot, whose lock must be free, and reads it.
pub fn enter(state: &mut State, index: u8, mistake: Option<Mistake>) -> Option<()> {
    let beside = mistake == Some(Mistake::EnterBesideOldWrites) && state.host(index).phase == Phase::Dead;
    if !state.slot_lock_is_free(index) && !beside {
        return None;
    }
    state.left.joins = state.left.joins.checked_sub(1)?;
    let seen = state.slot(index);
    let mut host = Host::dead(Process { slot: index, life: seen.record.life + 1 });
    host.phase = Phase::Joining;
    host.own = Some(Cell::new(seen));
    *state.host_mut(index) = host;
    Some(())
}

/// One step of burying the former life in one's own slot, or the claim.
pub fn bury(state: &mut State, index: u8, mistake: Option<Mistake>) -> Option<()> {
    let me = state.host(index).process;
    if state.host(index).phase != Phase::Joining || state.waits(me, Lane::Beat) {
        return None;
    }
    let seen = state.slot(index);
    let known = state.host(index).own.as_ref()?.image.record;
    let patient = match known.state {
        SlotState::Live => true,
        SlotState::Fenced { reason, .. } => has_grace_after_cut_off(reason),
        _ => false,
    };
    if patient && !state.a_grace_went_by(index) && mistake != Some(Mistake::BuryInTheInstant) {
        return None;
    }
    let evidence = Evidence {
        death_proved: true,
        watched: false,
        evicted: false,
        replayer_cut_off: replayer_gone(state, index, known) || mistake == Some(Mistake::JoinerTakesReplay),
        buried_by_itself: false,
    };
    let step = next_step(&known.state, me.owner(), evidence);
    let own = state.host_mut(index).own.as_mut()?;
    if let Step::WaitForReplayer(_) = step {
        let news = own.image != seen;
        own.learn(seen);
        return news.then_some(());
    }
    let next = Slot { state: after(step, known.state, me, FenceReason::FormerLife)?, ..known };
    let next = match step {
        Step::Done => Slot { life: me.life, process: me.life, ..next },
        _ if mistake == Some(Mistake::KillTheNextLife) => Slot { process: me.life, ..next },
        _ => next,
    };
    send_slot(state, index, Lane::Beat, index, next)
}

fn has_grace_after_cut_off(reason: FenceReason) -> bool {
    grace_after_cut_off(reason, ticks(LEASE)) > Duration::ZERO
}

fn replayer_gone(state: &State, slot: u8, known: Slot) -> bool {
    match known.state {
        // The lock of one's own slot is held: a former joiner there is dead.
        SlotState::Replaying { by, .. } => slot_of(by) == slot || rules::replayer_is_cut_off(state, by, slot),
        _ => false,
    }
}

/// The state after a step; `None` where the step is none to be sent.
fn after(step: Step, known: SlotState, me: Process, reason: FenceReason) -> Option<SlotState> {
    let by = me.owner();
    let burial = known.burial();
    let reason = burial.map_or(reason, |burial| burial.reason);
    let from = burial.map_or(Generation(0), |burial| burial.from);
    let proof = burial.and_then(|burial| burial.proof).unwrap_or(CutOffProof::FileLock);
    match step {
        Step::Done => Some(SlotState::Live),
        Step::Fence(_) => Some(SlotState::Fenced { by, reason, from }),
        Step::CutOff => Some(SlotState::CutOff { by, reason, from, proof }),
        Step::TakeReplay => Some(SlotState::Replaying { by, reason, from, proof }),
        Step::Replay => Some(SlotState::Replayed { by, reason, from, proof }),
        Step::Free => Some(SlotState::Free),
        Step::Watch | Step::WaitForReplayer(_) | Step::EndBurial => None,
    }
}

fn send_slot(state: &mut State, index: u8, lane: Lane, slot: u8, next: Slot) -> Option<()> {
    let host = state.host_mut(index);
    let me = host.process;
    let cell = match lane {
        Lane::Beat => host.own.as_mut()?,
        _ => &mut host.pursuit.as_mut()?.cell,
    };
    let expected = cell.image.nonce;
    let new = cell.attempt(me, next);
    state.send(me, lane, Payload::Slot { slot, expected, new });
    Some(())
}

/// A beat; the one thing that a lapsed host may send.
pub fn beat(state: &mut State, index: u8) -> Option<()> {
    let me = state.host(index).process;
    if state.host(index).phase != Phase::Live || state.waits(me, Lane::Beat) {
        return None;
    }
    state.left.beats = state.left.beats.checked_sub(1)?;
    let known = state.host(index).own.as_ref()?.image.record;
    send_slot(state, index, Lane::Beat, index, known)
}

fn idle_at_lock(state: &State, index: u8) -> bool {
    let host = state.host(index);
    let waits = |lane| state.waits(host.process, lane);
    host.may_act() && host.holds.is_none() && !waits(Lane::Lock) && !waits(Lane::Proof)
}

fn send_lock(state: &mut State, index: u8, next: Lock) -> Option<()> {
    let host = state.host_mut(index);
    let me = host.process;
    let cell = host.lock.as_mut()?;
    let expected = cell.image.nonce;
    let new = cell.attempt(me, next);
    state.send(me, Lane::Lock, Payload::Lock { expected, new });
    Some(())
}

/// The lock's record is read.
pub fn read_lock(state: &mut State, index: u8) -> Option<()> {
    if !idle_at_lock(state, index) {
        return None;
    }
    let seen = state.lock;
    let host = state.host_mut(index);
    match &mut host.lock {
        None => host.lock = Some(Cell::new(seen)),
        Some(cell) if cell.image == seen => return None,
        Some(cell) => cell.learn(seen),
    }
    host.proved = 0;
    Some(())
}

/// The lock is taken, where nobody stands in the way or all who do are gone, by their slots as read now.
pub fn take(state: &mut State, index: u8, want: Want, mistake: Option<Mistake>) -> Option<()> {
    if !idle_at_lock(state, index) {
        return None;
    }
    let host = state.host(index);
    let me = host.process.owner();
    let cell = host.lock.as_ref()?;
    let known = cell.image.record.state();
    let in_the_way = blockers(&known, me, want);
    if !cell.open.is_empty() && !in_the_way.is_empty() {
        // Closed by a swap of one's own that changes nothing but the image.
        return send_lock(state, index, cell.image.record);
    }
    let all_gone = in_the_way.iter().all(|blocker| match blocker {
        Blocker::Bit(slot) => host.proved & (1 << slot.0) != 0,
        Blocker::Owner(owner) => is_gone(state, blocker, slot_of(*owner), mistake),
    });
    if !all_gone || (cell.open.is_empty() && has(&known, me, want)) {
        return None;
    }
    state.left.takes = state.left.takes.checked_sub(1)?;
    let next = Lock::of(&taken(&known, me, want, false, 0));
    send_lock(state, index, next)
}

fn is_gone(state: &State, blocker: &Blocker, slot: u8, mistake: Option<Mistake>) -> bool {
    let record = state.slot(slot).record;
    let too_soon = mistake == Some(Mistake::BreakOnFenced) && record.state != SlotState::Live;
    too_soon || life(blocker, &record.record()) == Life::Gone
}

/// A sharer's slot is read; where it is free, an ATS proves it (R41).
pub fn prove_free(state: &mut State, index: u8, slot: u8, want: Want) -> Option<()> {
    if !idle_at_lock(state, index) {
        return None;
    }
    let host = state.host(index);
    let me = host.process;
    let known = host.lock.as_ref()?.image.record.state();
    let blocker = blockers(&known, me.owner(), want).into_iter().find(|blocker| {
        matches!(blocker, Blocker::Bit(bit) if bit.0 == u16::from(slot)) && host.proved & (1 << slot) == 0
    })?;
    let seen = state.slot(slot);
    if life(&blocker, &seen.record.record()) != Life::Gone {
        return None;
    }
    let mut cell = Cell::new(seen);
    let new = cell.attempt(me, seen.record);
    state.send(me, Lane::Proof, Payload::Slot { slot, expected: seen.nonce, new });
    Some(())
}

/// The user gets the lock that the disk says is this host's: only within the lease, and with nothing open (R7).
pub fn give_out(state: &mut State, index: u8, want: Want) -> Option<()> {
    if !idle_at_lock(state, index) {
        return None;
    }
    let host = state.host_mut(index);
    let cell = host.lock.as_ref()?;
    let mine = cell.open.is_empty() && has(&cell.image.record.state(), host.process.owner(), want);
    mine.then(|| host.holds = Some(want))
}

/// The user is done, or a release goes on, or what is open is closed.
pub fn release(state: &mut State, index: u8) -> Option<()> {
    let process = state.host(index).process;
    let writing = state.commands.iter().any(|command| command.by == process && command.lane == Lane::Data);
    if !state.host(index).may_act() || state.waits(process, Lane::Lock) || writing {
        return None;
    }
    let host = state.host_mut(index);
    let cell = host.lock.as_ref()?;
    let known = cell.image.record;
    let is_open = !cell.open.is_empty();
    if host.holds.take().is_none() && !is_open {
        return None;
    }
    let next = match released(&known.state(), process.owner(), 0) {
        Some(record) => Lock::of(&record),
        None if is_open => known,
        None => return None,
    };
    if !is_open {
        state.left.releases = state.left.releases.checked_sub(1)?;
    }
    send_lock(state, index, next)
}

/// The user writes what the lock guards.
pub fn write(state: &mut State, index: u8) -> Option<()> {
    let host = state.host(index);
    let me = host.process;
    if !host.may_act() || host.holds != Some(Want::Exclusive) || state.waits(me, Lane::Data) {
        return None;
    }
    let epoch = host.lock.as_ref()?.image.record.epoch;
    state.left.writes = state.left.writes.checked_sub(1)?;
    state.send(me, Lane::Data, Payload::Data { epoch });
    Some(())
}

/// Takes an interest in a slot: its host stands in the way, or replays the one that does.
pub fn pursue(state: &mut State, index: u8, slot: u8, want: Want) -> Option<()> {
    let host = state.host(index);
    let me = host.process;
    if slot == index || !host.may_act() || state.waits(me, Lane::Pursuit) {
        return None;
    }
    let wanted = match &host.pursuit {
        None => {
            let known = host.lock.as_ref()?.image.record.state();
            blockers(&known, me.owner(), want).iter().any(|blocker| blocker.slot().0 == u16::from(slot))
        }
        Some(pursuit) => {
            let replayed_by = matches!(pursuit.cell.image.record.state,
                SlotState::Replaying { by, .. } if slot_of(by) == slot);
            replayed_by && pursuit.slot != slot && pursuit.cell.open.is_empty()
        }
    };
    if !wanted || state.slot(slot).record.state == SlotState::Free {
        return None;
    }
    let seen = state.slot(slot);
    let mut pursuit =
        Pursuit { slot, life: seen.record.life, cell: Cell::new(seen), run: None, evicted: false };
    pursuit.look(seen.nonce);
    state.host_mut(index).pursuit = Some(pursuit);
    Some(())
}

/// A person says that the pursued host is dead.
pub fn evict(state: &mut State, index: u8) -> Option<()> {
    state.left.evictions = state.left.evictions.checked_sub(1)?;
    let host = state.host_mut(index);
    let pursuit = host.pursuit.as_mut()?;
    (!std::mem::replace(&mut pursuit.evicted, true)).then_some(())
}

/// A process that met its own death on the disk ends.
pub fn exit(state: &mut State, index: u8) -> Option<()> {
    if state.host(index).phase != Phase::Stopped {
        return None;
    }
    state.host_mut(index).phase = Phase::Dead;
    Some(())
}

/// The pursued slot is read.
pub fn look(state: &mut State, index: u8) -> Option<()> {
    let host = state.host(index);
    if !host.may_act() || state.waits(host.process, Lane::Pursuit) {
        return None;
    }
    let before = host.pursuit.clone()?;
    let seen = state.slot(before.slot);
    let host = state.host_mut(index);
    let pursuit = host.pursuit.as_mut()?;
    pursuit.cell.learn(seen);
    pursuit.look(seen.nonce);
    if rules::is_over(pursuit) {
        host.pursuit = None;
        return Some(());
    }
    (*pursuit != before).then_some(())
}

/// The next step of the takeover, as far as it can be taken now.
pub fn step(state: &mut State, index: u8, mistake: Option<Mistake>) -> Option<()> {
    let host = state.host(index);
    let me = host.process;
    if !host.may_act() || state.waits(me, Lane::Pursuit) {
        return None;
    }
    let pursuit = host.pursuit.as_ref()?;
    let (slot, known) = (pursuit.slot, pursuit.cell.image.record);
    let evidence = Evidence {
        death_proved: known.state == SlotState::Live
            && state.slot_lock_is_free(slot)
            && (state.a_grace_went_by(slot) || mistake == Some(Mistake::FenceInTheInstant)),
        watched: pursuit.watched() || mistake == Some(Mistake::FenceUnwatched),
        evicted: pursuit.evicted,
        replayer_cut_off: match known.state {
            SlotState::Replaying { by, .. } => rules::replayer_is_cut_off(state, by, slot),
            _ => false,
        },
        buried_by_itself: mistake != Some(Mistake::KillTheNextLife)
            && known.state.burial().is_some_and(|burial| slot_of(burial.by) == slot)
            && !state.slot_lock_is_free(slot),
    };
    let step = next_step(&known.state, me.owner(), evidence);
    if step == Step::EndBurial {
        return kill(state, slot, known);
    }
    if step == Step::CutOff && mistake != Some(Mistake::SkipCutOff) && !state.slot_lock_is_free(slot) {
        return kill(state, slot, known);
    }
    if let (Step::CutOff, SlotState::Fenced { reason, .. }) = (step, known.state)
        && has_grace_after_cut_off(reason)
        && !state.a_grace_went_by(slot)
        && mistake != Some(Mistake::TakeOverInTheInstant)
    {
        return None;
    }
    let reason = if let Step::Fence(reason) = step { reason } else { FenceReason::Watched };
    let next = Slot { state: after(step, known.state, me, reason)?, ..known };
    if step == Step::Done {
        return None;
    }
    send_slot(state, index, Lane::Pursuit, slot, next)
}

/// The slot's lock is held: its holder is killed, where it is the process that the record names. What it has in
/// flight still holds the lock.
fn kill(state: &mut State, slot: u8, known: Slot) -> Option<()> {
    let holder = state.host(slot);
    if holder.phase == Phase::Dead || holder.process.life != known.process {
        return None;
    }
    state.judge(rules::flaw_of_kill(state, holder.process));
    state.end_process(slot, true);
    Some(())
}
