//! The beat: one ATS per interval on the host's own slot, and the lapse when none is confirmed (R5, R7, R8).
//!
//! ```text
//!   wait for the interval --> swap the slot --+-- Swapped, Adopted --> lease renewed from the time it was sent
//!          ^                                  +-- Open --------------> tried again at once with a new image
//!          |                                  +-- Lost --------------> fenced: stop (asked by a tool: go on)
//!          +----------------------------------+-- Refused, Distrusted: tried again soon; the lease runs on
//! ```

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Instant, Lba};
use oarlock_causes::{Action, Cause, EventKind};
use oarlock_format::{Kind, SlotRecord, SlotState, Writer};

use crate::cell::{Cell, Distrust, Purpose, Swap};
use crate::core::{Core, HostState, StopReason};
use crate::hindrance::{Hindrance, of_lapse};
use crate::planted::{PlantedBug, planted};
use crate::store::ReadFault;

/// The record of the host's next beat: the same life, a later stamp.
fn next_beat(core: &Core, known: &SlotRecord) -> SlotRecord {
    SlotRecord {
        clock_ns: u64::try_from(core.store.now().since_zero().as_nanos()).unwrap_or(u64::MAX),
        wall_ms: core.store.world.clock.wall().milliseconds,
        unclean: known.unclean && core.places.is_unanswered(),
        asked: false,
        superblock_generation: core.superblock().stamp.generation,
        ..known.clone()
    }
}

/// Beats until the host has ended. The slot comes back to the caller, who may still have to free it.
pub(crate) async fn beat(core: Rc<Core>, slot: Rc<futures::lock::Mutex<Cell<SlotRecord>>>) {
    let interval = core.store.timing.beat;
    let mut next = core.store.now().plus(interval);
    loop {
        core.store.world.clock.sleep_until(next).await;
        let mut slot = slot.lock().await;
        if core.ended().is_some() {
            return;
        }
        let started = core.store.now();
        let record = next_beat(&core, &slot.record);
        let swap = slot.swap(&core.store, core.sender(Purpose::OwnSlot), record).await;
        note_pace(&core, slot.lba, started);
        next = match react(&core, &mut slot, swap).await {
            Next::InTurn => started.plus(interval),
            Next::AtOnce => core.store.now().plus(interval / 8),
            Next::Never => return,
        };
    }
}

/// When the next beat is due.
enum Next {
    InTurn,
    AtOnce,
    Never,
}

async fn react(core: &Rc<Core>, slot: &mut Cell<SlotRecord>, swap: Swap) -> Next {
    core.note_hindrance(&swap);
    match swap {
        Swap::Swapped { sent } => {
            let from = if planted(PlantedBug::LeaseFromReply) { core.store.now() } else { sent };
            confirmed(core, from);
            Next::InTurn
        }
        Swap::Adopted { sent } => {
            confirmed(core, sent);
            Next::AtOnce
        }
        Swap::Lost => {
            lost(core, slot);
            if core.ended().is_some() { Next::Never } else { Next::AtOnce }
        }
        Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(Distrust::FalseThoughEqual) => {
            // Not in its turn: a late beat, however fast the device said no. It may say so to everybody (R6).
            core.disturbed();
            Next::AtOnce
        }
        Swap::Distrusted(Distrust::Fault(fault)) => {
            core.disturbed();
            distrusted(core, fault)
        }
    }
}

fn confirmed(core: &Core, sent: Instant) {
    core.lease.confirm(sent);
    core.unhindered();
    if core.may_act() && core.state() == HostState::Held {
        core.enter(HostState::Live);
        let words = "a beat was confirmed again: nobody had fenced this host; it goes on";
        report_lapse(core, core.lapse_cause.get(), Action::Retried, words.to_owned());
    }
    core.changed.announce();
}

/// Another image stands in the host's own slot: it was fenced, or it is asked something.
pub(crate) fn lost(core: &Core, slot: &Cell<SlotRecord>) {
    let record = &slot.record;
    if record.state == SlotState::Live
        && record.incarnation == core.me.incarnation
        && slot.writer() == Writer::Tool
    {
        // A tool asks (R38, R39): the slot is still this host's, and the next beat goes on from the asking image.
        core.places.ask();
        core.changed.announce();
        return;
    }
    if planted(PlantedBug::AdoptOlder)
        && record.state == SlotState::Live
        && slot.writer() == Writer::Host(core.me)
    {
        return;
    }
    let reason = match record.state {
        SlotState::Fenced { by, .. }
        | SlotState::CutOff { by, .. }
        | SlotState::Replaying { by, .. }
        | SlotState::Replayed { by, .. } => StopReason::Fenced { by },
        SlotState::Live | SlotState::Free => StopReason::Superseded,
    };
    core.stop(reason);
}

fn distrusted(core: &Core, fault: ReadFault) -> Next {
    match fault {
        ReadFault::Older { .. } => {
            core.stop(StopReason::Rollback { detail: fault.to_string() });
            Next::Never
        }
        // Damage may be repaired from outside while the host is held; only the hold time ends the waiting.
        _ => Next::AtOnce,
    }
}

/// A beat over a quarter of the lease is a warning, over half of it an event; one that overruns its own interval breaks
/// the host's watches (R6, R8).
fn note_pace(core: &Core, lba: Lba, started: Instant) {
    let took = core.store.now().since(started);
    if took > core.store.timing.beat {
        core.disturbed();
    }
    if took <= core.store.timing.lease / 4 {
        return;
    }
    let part = if took > core.store.timing.lease / 2 { "half" } else { "a quarter" };
    let event = core.store.event(EventKind::Path, Cause::SlowStorage, lba, Kind::Slot, Action::Retried);
    core.store.report(event.about(format!("a beat took {} ms, over {part} of the lease", took.as_millis())));
}

/// Watches the lease itself: announces its last quarter and its end, and ends the host when the hold time is over.
///
/// Whether the host may act is asked of the clock, never of this task, which only wakes those who wait for the answer.
pub(crate) async fn guard_lease(core: Rc<Core>) {
    let mut announced = None;
    while core.ended().is_none() {
        let (now, quarter, end) = (core.store.now(), core.lease.last_quarter(), core.lease.end());
        if now < quarter {
            core.store.world.clock.sleep_until(quarter).await;
        } else if now < end {
            if announced.replace(end) != Some(end) {
                core.changed.announce();
            }
            core.change_within(core.changed.seen(), end.since(now)).await;
        } else {
            if core.state() == HostState::Live {
                lapse(&core, now.since(end));
            }
            hold(&core).await;
        }
    }
}

/// The lease is over, and this is noticed so late.
fn lapse(core: &Core, late: Duration) {
    core.disturbed();
    core.enter(HostState::Held);
    let (cause, why) = of_lapse(core.hindrance().as_ref(), late, core.store.timing.beat);
    core.lapse_cause.set(cause);
    let words = format!("no beat was confirmed for a whole lease; everything is held back; {why}");
    report_lapse(core, cause, Action::Held, words);
}

/// The hold time is over. What stood in the way of the last beat is what the host ends with: a slot that was torn or
/// read out of date for a while has had a later beat by then.
fn give_up(core: &Core, hold: Duration) {
    let hindrance = core.hindrance();
    let cause = hindrance.as_ref().map_or(core.lapse_cause.get(), Hindrance::cause);
    let reason = match hindrance {
        Some(damage) if damage.is_damage() => StopReason::SlotDamaged { detail: damage.to_string() },
        hindrance => StopReason::HoldOver { hold, hindrance },
    };
    core.store.end_repeats();
    report_lapse(core, cause, Action::Stopped, reason.to_string());
    core.stop(reason);
}

/// Waits for a confirmed beat, or for the end of the hold time.
async fn hold(core: &Core) {
    let hold: Duration = core.store.timing.hold;
    let until = core.lease.end().plus(hold);
    while !core.lease.holds(core.store.now()) && core.ended().is_none() {
        let now = core.store.now();
        if now >= until {
            give_up(core, hold);
            return;
        }
        core.change_within(core.changed.seen(), until.since(now)).await;
    }
}

fn report_lapse(core: &Core, cause: Cause, action: Action, words: String) {
    let lba = core.store.layout.slot(core.me.slot);
    let event = core.store.event(EventKind::Lapse, cause, lba, Kind::Slot, action);
    core.store.report(event.about(words));
}
