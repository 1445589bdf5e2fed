//! What must hold: the judgement of each change at the disk and of each state, written apart from the engine's own.

use oarlock_engine::Want;
use oarlock_format::{FenceReason, Owner, SlotState};

use crate::record::{HOSTS, Lock, Process, Slot, slot_of};
use crate::state::{Flaw, Host, Payload, Phase, Pursuit, State};

/// Whether nothing of this life can land any more, by its slot.
pub fn is_cut_off(state: &State, process: Process) -> bool {
    let record = state.slot(process.slot).record;
    let over = !matches!(record.state, SlotState::Live | SlotState::Fenced { .. });
    record.life > process.life || (record.life == process.life && over)
}

/// Whether the host that replays `slot` can do nothing any more.
pub fn replayer_is_cut_off(state: &State, replayer: Owner, slot: u8) -> bool {
    if slot_of(replayer) == slot {
        return state.slot_lock_is_free(slot);
    }
    is_cut_off(state, process_of(replayer))
}

fn process_of(owner: Owner) -> Process {
    Process { slot: slot_of(owner), life: u8::try_from(owner.incarnation.0).unwrap_or(u8::MAX) }
}

/// Whether there is nothing more to take over.
pub fn is_over(pursuit: &Pursuit) -> bool {
    let record = pursuit.cell.image.record;
    record.life != pursuit.life || (record.state == SlotState::Free && pursuit.cell.open.is_empty())
}

/// What is wrong with a slot's next record.
pub fn flaw_of_slot_change(state: &State, by: Process, slot: u8, old: Slot, new: Slot) -> Option<Flaw> {
    if new.life < old.life {
        return Some(Flaw::LifeWentBack);
    }
    if let (SlotState::Replaying { by: before, .. }, SlotState::Replaying { by: now, .. }) =
        (old.state, new.state)
    {
        // A joiner holds its slot's lock: a former joiner there is dead.
        let former_joiner = slot_of(before) == slot && by.slot == slot;
        if before != now && !former_joiner && !replayer_is_cut_off(state, before, slot) {
            return Some(Flaw::ReplayTakenFromTheLiving);
        }
    }
    None
}

/// What is wrong with the lock's next record: each part in it that goes was given up by its own slot, or its host was
/// taken over to the end.
pub fn flaw_of_lock_change(state: &State, by: Process, old: Lock, new: Lock) -> Option<Flaw> {
    let owner_gone = old.owner.is_none_or(|owner| {
        new.owner == Some(owner) || slot_of(owner) == by.slot || is_buried(state, process_of(owner))
    });
    let holders_gone = (0..HOSTS).all(|slot| {
        let goes = old.holders & !new.holders & (1 << slot) != 0;
        !goes || slot == by.slot || state.slot(slot).record.state == SlotState::Free
    });
    (!owner_gone || !holders_gone).then_some(Flaw::OwnerChangedUnlawfully)
}

fn is_buried(state: &State, process: Process) -> bool {
    let record = state.slot(process.slot).record;
    let over = matches!(record.state, SlotState::Replayed { .. } | SlotState::Free);
    record.life > process.life || (record.life == process.life && over)
}

/// A process is killed: only the one whose own life the disk calls dead may be.
pub fn flaw_of_kill(state: &State, process: Process) -> Option<Flaw> {
    let record = state.slot(process.slot).record;
    let dead = record.life == process.life && record.state != SlotState::Live;
    (!dead && state.host(process.slot).phase != Phase::Stopped).then_some(Flaw::KilledUnfenced)
}

/// At most one owner believes that it has the lock, or only sharers do.
pub fn one_owner(state: &State) -> bool {
    let users = || state.hosts.iter().filter(|host| host.may_act() && host.holds.is_some());
    users().count() <= 1 || users().all(|host| host.holds == Some(Want::Shared))
}

/// The same, judged at their users: one whose host's process has ended works on until it hears of that, or its lease ends.
pub fn one_user(state: &State) -> bool {
    let living = state.hosts.iter().filter(|host| host.may_act()).filter_map(|host| host.holds);
    let users = || living.clone().chain(state.users.iter().flatten().map(|user| user.want));
    users().count() <= 1 || users().all(|want| want == Want::Shared)
}

/// Whoever is within its lease has not been fenced, but by a person's word.
pub fn no_fence_within_the_lease(state: &State) -> bool {
    state.hosts.iter().filter(|host| host.may_act()).all(|host| {
        let record = state.slot(host.process.slot).record;
        let by_a_person =
            record.state.burial().is_some_and(|burial| burial.reason == FenceReason::EvictedCertain);
        (record.state == SlotState::Live || by_a_person) && record.life == host.process.life
    })
}

/// An attempt that may still land is on its host's list (R1), but for one that changes nothing (R41).
pub fn no_unknown_is_given_up(state: &State) -> bool {
    state.commands.iter().filter(|command| !command.awaited && command.done.is_none()).all(|command| {
        let host = state.host(command.by.slot);
        let lives = matches!(host.phase, Phase::Live | Phase::Joining) && host.process == command.by;
        !lives
            || match command.payload {
                Payload::Data { .. } => true,
                Payload::Lock { expected, new } => {
                    expected != state.lock.nonce || is_listed_for_lock(host, new.nonce)
                }
                Payload::Slot { slot, expected, new } => {
                    let now = state.slot(slot);
                    expected != now.nonce || new.record == now.record || is_listed_for_slot(host, new.nonce)
                }
            }
    })
}

fn is_listed_for_lock(host: &Host, nonce: u32) -> bool {
    host.lock.iter().any(|cell| cell.open.iter().any(|open| open.nonce == nonce))
}

fn is_listed_for_slot(host: &Host, nonce: u32) -> bool {
    let own = host.own.iter().flat_map(|cell| &cell.open);
    let pursued = host.pursuit.iter().flat_map(|pursuit| &pursuit.cell.open);
    own.chain(pursued).any(|open| open.nonce == nonce)
}
