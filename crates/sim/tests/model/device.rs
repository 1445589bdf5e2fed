//! The device and the replies: execution of a command as one act, delivery, loss, and what each host makes of it.

use oarlock_format::SlotState;

use crate::mistakes::Mistake;
use crate::record::{Cell, Image, Lock, Process, Slot, Swap};
use crate::rules;
use crate::state::{Command, Flaw, Lane, Note, Payload, Phase, State};

/// The device executes the command, at whatever time.
pub fn execute(state: &mut State, index: usize) -> Option<()> {
    let command = *state.commands.get(index)?;
    if command.done.is_some() {
        return None;
    }
    let swapped = match command.payload {
        Payload::Slot { slot, expected, new } => execute_on_slot(state, command.by, slot, expected, new),
        Payload::Lock { expected, new } => execute_on_lock(state, command.by, expected, new),
        Payload::Data { epoch } => {
            if epoch != state.lock.record.epoch {
                state.judge(Some(Flaw::StaleWriteLanded));
            }
            true
        }
    };
    if swapped && rules::is_cut_off(state, command.by) {
        state.judge(Some(Flaw::EffectAfterCutOff));
    }
    match command.awaited {
        true => state.commands[index].done = Some(swapped),
        false => {
            state.commands.remove(index);
        }
    }
    Some(())
}

/// A command that nobody waits for is lost for ever.
pub fn lose(state: &mut State, index: usize) -> Option<()> {
    let command = *state.commands.get(index)?;
    (!command.awaited).then(|| {
        state.commands.remove(index);
    })
}

fn execute_on_slot(state: &mut State, by: Process, slot: u8, expected: u32, new: Image<Slot>) -> bool {
    let old = state.slot(slot);
    if old.nonce != expected {
        let fence = matches!(new.record.state, SlotState::Fenced { .. });
        if fence && old.record.state == SlotState::Live {
            state.note = Some(Note::FenceLost);
        }
        return false;
    }
    state.judge(rules::flaw_of_slot_change(state, by, slot, old.record, new.record));
    state.note = match (old.record.state, new.record.state) {
        (SlotState::Live, SlotState::Fenced { .. }) => Some(Note::HostFenced),
        (SlotState::Replaying { by: before, .. }, SlotState::Replaying { by: now, .. }) if before != now => {
            Some(Note::ReplayTakenOver)
        }
        (SlotState::Replayed { .. }, SlotState::Free) => Some(Note::TakeoverCompleted),
        _ => None,
    };
    state.slots[usize::from(slot)] = new;
    true
}

fn execute_on_lock(state: &mut State, by: Process, expected: u32, new: Image<Lock>) -> bool {
    if state.lock.nonce != expected {
        return false;
    }
    let (old, next) = (state.lock.record, new.record);
    state.judge(rules::flaw_of_lock_change(state, by, old, next));
    if old.owner.is_some() && next.owner.is_some() && old.owner != next.owner {
        state.note = Some(Note::LockBroken);
    }
    state.lock = new;
    true
}

/// The reply reaches the host.
pub fn deliver(state: &mut State, host: u8, lane: Lane, mistake: Option<Mistake>) -> Option<()> {
    let index = awaited(state, host, lane)?;
    let swapped = state.commands[index].done?;
    let command = state.commands.remove(index);
    answered(state, host, &command, swapped, mistake);
    Some(())
}

/// The host gives up waiting: the command was executed or not, and may be later.
pub fn give_up(state: &mut State, host: u8, lane: Lane, mistake: Option<Mistake>) -> Option<()> {
    if lane == Lane::Data {
        // A plain write without a reply blocks its user for good (R21): nothing here would go on.
        return None;
    }
    state.left.unknowns = state.left.unknowns.checked_sub(1)?;
    let index = awaited(state, host, lane)?;
    let command = state.commands[index];
    match command.done {
        Some(_) => {
            state.commands.remove(index);
        }
        None => state.commands[index].awaited = false,
    }
    answered(state, host, &command, false, mistake);
    Some(())
}

fn awaited(state: &State, host: u8, lane: Lane) -> Option<usize> {
    let process = state.host(host).process;
    state.commands.iter().position(|command| command.by == process && command.lane == lane && command.awaited)
}

/// Where it did not swap, or nobody knows, the host reads the block and judges.
fn answered(state: &mut State, host: u8, command: &Command, swapped: bool, mistake: Option<Mistake>) {
    let adopted = match command.payload {
        Payload::Data { .. } => return,
        Payload::Slot { slot, new, .. } => {
            let seen = state.slot(slot);
            let known = state.host_mut(host);
            match command.lane {
                Lane::Beat => {
                    let Some(own) = &mut known.own else { return };
                    let swap = resolve(own, swapped, new, seen, mistake);
                    beat_answered(state, host, swap, mistake);
                    swap
                }
                Lane::Pursuit => {
                    let Some(pursuit) = &mut known.pursuit else { return };
                    let swap = resolve(&mut pursuit.cell, swapped, new, seen, mistake);
                    if rules::is_over(pursuit) {
                        known.pursuit = None;
                    }
                    swap
                }
                _ => {
                    if swapped {
                        known.proved |= 1 << slot;
                    }
                    return;
                }
            }
        }
        Payload::Lock { new, .. } => {
            let seen = state.lock;
            let known = state.host_mut(host);
            let Some(lock) = &mut known.lock else { return };
            let before = lock.image.nonce;
            let swap = resolve(lock, swapped, new, seen, mistake);
            if lock.image.nonce != before {
                known.proved = 0;
            }
            swap
        }
    };
    if matches!(adopted, Swap::Mine { adopted: true, .. }) {
        state.note = Some(Note::LateCommandAdopted);
    }
}

fn resolve<R: Copy + PartialEq>(
    cell: &mut Cell<R>,
    swapped: bool,
    new: Image<R>,
    seen: Image<R>,
    mistake: Option<Mistake>,
) -> Swap {
    if swapped { cell.written(new) } else { cell.read_back(seen, mistake) }
}

fn beat_answered(state: &mut State, index: u8, swap: Swap, mistake: Option<Mistake>) {
    let host = state.host_mut(index);
    let Some(own) = &host.own else { return };
    let record = own.image.record;
    if host.phase == Phase::Joining {
        if record.state == SlotState::Live && record.life == host.process.life {
            host.phase = Phase::Live;
        }
        return;
    }
    match swap {
        Swap::Mine { adopted: false, .. } if mistake == Some(Mistake::LeaseFromReply) => host.confirm(0),
        Swap::Mine { age, .. } => host.confirm(age),
        Swap::Open => {}
        Swap::Lost if record.state == SlotState::Live && record.life == host.process.life => {}
        Swap::Lost => {
            // Its users' connections end first, its slot's lock is let go after that.
            state.end_process(index, mistake != Some(Mistake::ByteBeforeConnections));
            state.host_mut(index).phase = Phase::Stopped;
        }
    }
}
