//! I4, I5, I6: a slot goes from state to state as it must, nobody is fenced within his lease, and nothing of a host lands
//! once its slot says that it was cut off.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oarlock_format::{
    FenceReason, Place, SlotIndex, SlotRecord, SlotState, Standing, Writer, decode, stamp_of,
};

use crate::census::LifeKey;
use crate::member::Run;
use crate::scenario::{Power, Theme};
use crate::{Change, Effect, Execution, FaultEvent, FaultKind, Image, LifeChange, Observer, TrueTime};

pub struct Slots {
    run: Rc<Run>,
    /// Which process lives, or lived, in which slot in which incarnation.
    lives: RefCell<BTreeMap<(SlotIndex, u64), LifeKey>>,
    /// By which entry of the slot each life there was claimed.
    entries: RefCell<BTreeMap<(SlotIndex, u64), u64>>,
    /// Processes that a slot says are cut off.
    cut_off: RefCell<BTreeSet<LifeKey>>,
    /// The last sound record of each slot, whatever became of its bytes since.
    sound: RefCell<BTreeMap<SlotIndex, SlotRecord>>,
    /// Lives that beat: their hosts may have done anything.
    lived: RefCell<BTreeSet<(SlotIndex, u64)>>,
    /// The newest generation that a process wrote into its own slot.
    beaten: RefCell<BTreeMap<(LifeKey, SlotIndex), u64>>,
    /// When processes ended.
    ended: RefCell<BTreeMap<LifeKey, TrueTime>>,
}

impl Slots {
    pub fn new(run: Rc<Run>) -> Slots {
        Slots {
            run,
            lives: RefCell::default(),
            entries: RefCell::default(),
            cut_off: RefCell::default(),
            sound: RefCell::default(),
            lived: RefCell::default(),
            beaten: RefCell::default(),
            ended: RefCell::default(),
        }
    }

    fn record(&self, execution: &Execution, image: &Option<Image>) -> Option<SlotRecord> {
        let format_id = crate::datastore::Template::FORMAT_ID;
        let place = Place { format_id, lba: execution.lba };
        image
            .as_ref()
            .and_then(|image| decode::<SlotRecord>(image, &place).ok())
            .map(|stamped| stamped.record)
    }

    fn swapped(&self, slot: SlotIndex, execution: &Execution) {
        let before = self.record(execution, &execution.before);
        let Some(after) = self.record(execution, &execution.after) else { return };
        let last = self.sound.borrow_mut().insert(slot, after.clone());
        let Some(before) = before else { return self.repaired(slot, last.as_ref(), &after, execution) };
        let life = (execution.command.host, execution.command.life);
        let writer = execution.after.as_ref().and_then(|image| stamp_of(image)).map(|stamp| stamp.writer);
        if let Err(wrong) = lawful(slot, &before, &after, writer) {
            self.run.violation("I5", &format!("slot {slot}: {wrong}"));
        }
        if let Err(wrong) = self.durable(slot, &before, &after, execution, writer) {
            self.run.violation("R12", &format!("slot {slot}: {wrong}"));
        }
        match after.state {
            SlotState::Live if before.state == SlotState::Free => {
                // A fresh join, which may come of an older state that the process has met (R2).
                self.beaten.borrow_mut().remove(&(life, slot));
                self.beat(slot, execution, life);
                self.lives.borrow_mut().insert((slot, after.incarnation.0), life);
                let entry = self.run.world.slot_entries(slot);
                self.entries.borrow_mut().insert((slot, after.incarnation.0), entry);
            }
            SlotState::Live => self.beat(slot, execution, life),
            SlotState::Fenced { reason, .. } if before.state == SlotState::Live => {
                self.fenced(slot, &before, reason, life);
            }
            SlotState::CutOff { .. } => self.cut(slot, &after, life),
            SlotState::Replayed { .. } => self.replayed(slot, &after, execution.at),
            _ => {}
        }
    }

    /// R12: what a slot says is durable before its next step, and so is a life before it is lived; no life is lived twice.
    fn durable(
        &self,
        slot: SlotIndex,
        before: &SlotRecord,
        after: &SlotRecord,
        execution: &Execution,
        writer: Option<Writer>,
    ) -> Result<(), String> {
        let life = (slot, after.incarnation.0);
        let step = match (before.state, after.state) {
            (SlotState::Free, SlotState::Live) if self.lived.borrow().contains(&life) => {
                return Err(format!("incarnation {} begins a second time", after.incarnation));
            }
            (SlotState::Free, _) => false,
            // The first beat is the step after the claim; later ones need no durability, nor do what ends a life.
            (SlotState::Live, SlotState::Live) if writer == Some(Writer::Tool) => false,
            (SlotState::Live, SlotState::Live) => self.lived.borrow_mut().insert(life),
            (SlotState::Live, _) => false,
            _ => true,
        };
        // One content that may come back is the one that this very step replaced.
        if step && self.run.world.unflushed(execution.lba) > 1 {
            return Err(format!(
                "{} incarnation {} was not durable before it became {}",
                before.state.name(),
                before.incarnation,
                after.state.name()
            ));
        }
        Ok(())
    }

    /// R39: a slot comes back free, in no earlier life, and only once nobody lives there and nothing of him is on its way.
    fn repaired(
        &self,
        slot: SlotIndex,
        last: Option<&SlotRecord>,
        after: &SlotRecord,
        execution: &Execution,
    ) {
        let wrong = |message: String| self.run.violation("R39", &format!("slot {slot}: {message}"));
        if after.state != SlotState::Free {
            wrong(format!("a repair made it {}", after.state.name()));
        }
        let Some(last) = last else { return };
        if after.incarnation < last.incarnation {
            wrong(format!(
                "a repair took it back from incarnation {} to {}",
                last.incarnation, after.incarnation
            ));
        }
        let Some(life) = self.lives.borrow().get(&(slot, last.incarnation.0)).copied() else { return };
        // A process may have left a slot behind in which it could not join, and clear that away itself.
        if last.state == SlotState::Free || life == (execution.command.host, execution.command.life) {
            return;
        }
        if self.is_present(life) && !self.is_at_home(slot, last, life) {
            return;
        }
        if self.is_present(life) || self.run.world.writes_in_flight(life.0, life.1) > 0 {
            wrong(format!(
                "a repair freed it while {}.{} lives, or a write of it is on its way",
                life.0, life.1
            ));
        }
        self.cut_off.borrow_mut().insert(life);
    }

    /// R2: a host that has seen a newer state of its own slot never goes on from an older one.
    fn beat(&self, slot: SlotIndex, execution: &Execution, life: LifeKey) {
        let generation =
            execution.after.as_ref().and_then(|image| stamp_of(image)).map_or(0, |stamp| stamp.generation.0);
        let newest = self.beaten.borrow_mut().insert((life, slot), generation);
        if newest.is_some_and(|newest| generation <= newest) {
            let message = format!("{}.{} beats on in slot {slot} from an older state", life.0, life.1);
            self.run.violation("R2", &message);
        }
    }

    fn fenced(&self, slot: SlotIndex, victim: &SlotRecord, reason: FenceReason, fencer: LifeKey) {
        let Some(life) = self.lives.borrow().get(&(slot, victim.incarnation.0)).copied() else { return };
        if life == fencer {
            // A process whose join failed buries what it wrote itself.
            return;
        }
        if self.run.scenario.theme == Theme::Stalls && reason == FenceReason::Watched {
            let message = format!("slot {slot} was fenced, though only the device stalled");
            self.run.violation("no fence in a stall", &message);
        }
        let proved = matches!(reason, FenceReason::DeathProved | FenceReason::FormerLife);
        if proved && self.is_present(life) && self.is_at_home(slot, victim, life) {
            self.run
                .violation("I4", &format!("slot {slot} was fenced as dead, and {}.{} lives", life.0, life.1));
        }
        let within = self.run.census.member(life).is_some_and(|member| member.believes_in_its_lease());
        if reason == FenceReason::Watched && within && !self.run.census.rolled_back.get() {
            let message = format!("slot {slot} was fenced within the lease of {}.{}", life.0, life.1);
            self.run.violation("I4", &message);
        }
    }

    fn cut(&self, slot: SlotIndex, victim: &SlotRecord, fencer: LifeKey) {
        let Some(life) = self.lives.borrow().get(&(slot, victim.incarnation.0)).copied() else { return };
        if life == fencer {
            return;
        }
        if self.is_present(life) && !self.is_at_home(slot, victim, life) {
            return;
        }
        let in_flight = self.run.world.writes_in_flight(life.0, life.1);
        if self.is_present(life) || in_flight > 0 {
            let message = format!(
                "slot {slot} was written down as cut off, while {}.{} {} and has {in_flight} writes in flight",
                life.0,
                life.1,
                if self.is_present(life) { "lives" } else { "is dead" }
            );
            self.run.violation("I6", &message);
        }
        self.cut_off.borrow_mut().insert(life);
    }

    /// R9, R29: from here on its locks may be broken, and its users, who may be processes of their own, must have had the
    /// time to hear of its end, or have given it up by the clock.
    fn replayed(&self, slot: SlotIndex, victim: &SlotRecord, at: TrueTime) {
        let Some(life) = self.lives.borrow().get(&(slot, victim.incarnation.0)).copied() else { return };
        let Some(ended) = self.ended.borrow().get(&life).copied() else { return };
        // A twentieth of the lease, by a clock that is fast by as much as one may be.
        let moment = self.run.scenario.timing.lease / 20 * 98 / 100;
        let moment = moment.min(self.run.census.relied_on_at_its_end(life, slot));
        if at < ended.plus(moment) && !self.run.census.rolled_back.get() {
            let message = format!(
                "slot {slot} was taken over {:?} after the end of {}.{}, before its users could hear of it",
                at.since(ended),
                life.0,
                life.1
            );
            self.run.violation("R9", &message);
        }
    }

    /// Whether a process lives in a slot, in that life: as its host, or, while it joins, with the slot's lock in hand. One that failed
    /// to join gave the lock back, and may well leave a record behind that names it; if it comes in again, it is for another life.
    fn is_at_home(&self, slot: SlotIndex, record: &SlotRecord, life: LifeKey) -> bool {
        let (world, incarnation) = (&self.run.world, record.incarnation.0);
        let host = self.run.census.in_slot(slot, incarnation);
        let is_in_since = self.entries.borrow().get(&(slot, incarnation)) == Some(&world.slot_entries(slot));
        host.is_some_and(|(host, _)| host == life) || (is_in_since && world.slot_holder(slot) == Some(life))
    }

    fn is_present(&self, life: LifeKey) -> bool {
        self.run.world.present_life(life.0).is_some_and(|present| present.life() == life.1)
    }
}

impl Observer for Slots {
    fn on_life(&self, change: &LifeChange) {
        if let Change::Ended(_) = change.change {
            self.ended.borrow_mut().insert((change.host, change.life), change.at);
        }
    }

    fn on_execute(&self, execution: &Execution) {
        if !matches!(execution.effect, Effect::Swapped | Effect::Written) {
            return;
        }
        let life = (execution.command.host, execution.command.life);
        if self.cut_off.borrow().contains(&life) {
            let message = format!("{} of {}.{} landed after its cut-off", execution.command, life.0, life.1);
            self.run.violation("I6", &message);
        }
        if let Standing::Slot(slot) = self.run.layout.kind_at(execution.lba) {
            self.swapped(slot, execution);
        }
    }

    fn on_fault(&self, fault: &FaultEvent) {
        let surviving = self.run.scenario.power != Power::OfTheMachine;
        match fault.kind {
            FaultKind::Rollback | FaultKind::PowerLoss if surviving => self.lived.borrow_mut().clear(),
            FaultKind::PowerLoss => self.sound.borrow_mut().clear(),
            _ => {}
        }
    }
}

/// Whether a slot may go from one record to the other (R11).
fn lawful(
    slot: SlotIndex,
    before: &SlotRecord,
    after: &SlotRecord,
    writer: Option<Writer>,
) -> Result<(), String> {
    let by_owner = writer
        .and_then(Writer::owner)
        .is_some_and(|owner| owner.slot == slot && owner.incarnation == before.incarnation);
    let claimed = after.incarnation == before.incarnation.next();
    let same = after.incarnation == before.incarnation;
    let lawful = match (before.state, after.state) {
        (SlotState::Free, SlotState::Live) => claimed,
        (SlotState::Free, SlotState::Free) => same,
        (SlotState::Live, SlotState::Live) => {
            same && (by_owner || (after.asked && writer == Some(Writer::Tool)))
        }
        (SlotState::Live, SlotState::Free) => same && by_owner,
        (SlotState::Live, SlotState::Fenced { .. })
        | (SlotState::Fenced { .. }, SlotState::CutOff { .. })
        | (SlotState::CutOff { .. } | SlotState::Replaying { .. }, SlotState::Replaying { .. })
        | (SlotState::Replaying { .. }, SlotState::Replayed { .. })
        | (SlotState::Replayed { .. }, SlotState::Free) => same,
        _ => false,
    };
    if lawful {
        return Ok(());
    }
    Err(format!(
        "{} incarnation {} became {} incarnation {} by {writer:?}",
        before.state.name(),
        before.incarnation,
        after.state.name(),
        after.incarnation
    ))
}
