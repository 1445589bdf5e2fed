//! One owner at the disk: a lock changes hands only by a release, or from an owner that its slot says is gone; a name
//! stands in one place; epochs and tokens grow.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use oarlock_block::Lba;
use oarlock_format::{
    Incarnation, LockMode, LockName, LockPosition, LockRecord, Owner, Place, SlotIndex, SlotRecord,
    SlotState, Standing, Writer, decode, home, stamp_of,
};

use super::{says_gone, slot_now, slot_record};
use crate::datastore::Template;
use crate::member::Run;
use crate::scenario::Power;
use crate::{Effect, Execution, FaultEvent, FaultKind, Image, Observer};

pub struct Locks {
    run: Rc<Run>,
    places: RefCell<BTreeMap<LockName, Lba>>,
    /// The generation of the image under which a name was last taken.
    taken: RefCell<BTreeMap<LockName, u64>>,
    /// The last sound record of each block, whatever became of its bytes since.
    sound: RefCell<BTreeMap<Lba, LockRecord>>,
    /// The last sound record of each slot: one that rots after it was proved free is free.
    sound_slots: RefCell<BTreeMap<SlotIndex, SlotRecord>>,
    /// Who owned a lock when its record rotted: the only one who may claim it (R39).
    claimants: RefCell<BTreeMap<Lba, Owner>>,
    /// Which life of a slot last took a share in a lock, or confirmed it by a swap of the record.
    shares: RefCell<BTreeMap<(Lba, SlotIndex), Incarnation>>,
    /// Which life of a slot a repair put on a lock's roll.
    on_the_roll: RefCell<BTreeMap<(Lba, SlotIndex), Incarnation>>,
}

impl Locks {
    pub fn new(run: Rc<Run>) -> Locks {
        Locks {
            run,
            places: RefCell::default(),
            taken: RefCell::default(),
            sound: RefCell::default(),
            sound_slots: RefCell::default(),
            claimants: RefCell::default(),
            shares: RefCell::default(),
            on_the_roll: RefCell::default(),
        }
    }

    fn record(lba: Lba, image: &Option<Image>) -> Option<LockRecord> {
        let place = Place { format_id: Template::FORMAT_ID, lba };
        image
            .as_ref()
            .and_then(|image| decode::<LockRecord>(image, &place).ok())
            .map(|stamped| stamped.record)
    }

    fn slot_now(&self, slot: SlotIndex) -> Option<SlotRecord> {
        slot_now(&self.run, slot).or_else(|| self.sound_slots.borrow().get(&slot).cloned())
    }

    fn swapped(&self, execution: &Execution) {
        let lba = execution.lba;
        let Some(after) = Locks::record(lba, &execution.after) else { return };
        let last = self.sound.borrow_mut().insert(lba, after.clone());
        let Some(before) = Locks::record(lba, &execution.before) else {
            let writer = execution.after.as_ref().and_then(|image| stamp_of(image)).map(|stamp| stamp.writer);
            self.repaired(lba, last.as_ref(), &after, writer.and_then(Writer::owner));
            return self.put_on_the_roll(lba, &after);
        };
        let stamp = execution.after.as_ref().and_then(|image| stamp_of(image));
        let Some(writer) = stamp.and_then(|stamp| stamp.writer.owner()) else { return };
        if after.lock.epoch < before.lock.epoch {
            self.wrong(lba, "the epoch went back");
        }
        if after.children & before.children != before.children {
            self.wrong(lba, "a bit of the children's mask was cleared");
        }
        self.name_moved(lba, &before, &after);
        self.owner_changed(lba, &before, &after, writer);
        self.bits_changed(lba, &before, &after, writer);
        let generation = stamp.map_or(0, |stamp| stamp.generation.0);
        self.taken(lba, &before, &after, generation);
        if after.lock.mode != LockMode::Unknown {
            self.claimants.borrow_mut().remove(&lba);
        }
        if after.name.is_none() && after.lock.mode == LockMode::Free {
            // Nobody gave a name back that was lost by rot: it stands here no longer.
            self.places.borrow_mut().retain(|_, place| *place != lba);
        }
    }

    /// R39: a repair restores no owner, and leaves out nobody who may hold the lock. A name that it could not tell still
    /// stands here, until its holder gave it back or everybody disclaimed it.
    fn repaired(&self, lba: Lba, last: Option<&LockRecord>, after: &LockRecord, writer: Option<Owner>) {
        let wrong = |message: &str| self.run.violation("R39", &format!("lock at block {lba}: {message}"));
        if after.lock.owner.is_some() || !matches!(after.lock.mode, LockMode::Unknown | LockMode::Free) {
            wrong(&format!("a repair made it {}, owner {:?}", after.lock.mode.name(), after.lock.owner));
        }
        let Some(last) = last else { return };
        if after.lock.epoch < last.lock.epoch {
            wrong("a repair took its epoch back");
        }
        if after.name.is_some() && after.name != last.name {
            wrong(&format!("a repair gave it the name {:?} for {:?}", after.name, last.name));
        }
        if after.children & last.children != last.children {
            wrong("a repair lost a bit of the children's mask");
        }
        if let Some(owner) = last.lock.owner {
            self.claimants.borrow_mut().insert(lba, owner);
            if !after.lock.holders.contains(owner.slot) && !self.is_gone(owner) {
                wrong(&format!("a repair left out its owner in slot {}, who is not gone", owner.slot));
            }
        }
        for slot in last.lock.holders.iter().filter(|slot| !after.lock.holders.contains(*slot)) {
            // A host that joined for the repair into a slot whose last life had a part in the lock has none itself. Another's roll may
            // have it: it says for itself that it holds nothing.
            let shared = self.shares.borrow().get(&(lba, slot)).copied();
            let newcomer =
                writer.is_some_and(|writer| writer.slot == slot && shared != Some(writer.incarnation));
            let life = shared.max(self.on_the_roll.borrow().get(&(lba, slot)).copied());
            // So has whoever joined there after the repair had proved the slot free: only a swap of the lock gives a part in it.
            let gone = self.slot_now(slot).is_some_and(|record| {
                record.state == SlotState::Free || life.is_some_and(|life| record.incarnation > life)
            });
            if !newcomer && !gone {
                wrong(&format!("a repair left out slot {slot}, which holds a part of it"));
            }
        }
    }

    /// Also of a lock that nothing sound was known of: the next repair of it asks.
    fn put_on_the_roll(&self, lba: Lba, after: &LockRecord) {
        for slot in after.lock.holders.iter() {
            if let Some(record) = self.slot_now(slot) {
                self.on_the_roll.borrow_mut().insert((lba, slot), record.incarnation);
            }
        }
    }

    /// Where names stand on a device that lost some of what was written: whatever it lost, each in one place, and its home's
    /// mask knows where (R44).
    fn look_at_what_is_left(&self) {
        let layout = &self.run.layout;
        for position in (0..layout.lock_positions()).map(LockPosition) {
            let lba = layout.lock(position);
            let Some(name) =
                Locks::record(lba, &Some(self.run.world.content(lba))).and_then(|lock| lock.name)
            else {
                continue;
            };
            if let Some(other) = self.places.borrow_mut().insert(name.clone(), lba) {
                self.wrong(
                    lba,
                    &format!("without power, the name {name} came to stand at block {other} too"),
                );
            }
            let home_at = home(&Template::FORMAT_ID, &name, layout.lock_positions());
            let home_lba = layout.lock(home_at);
            let mask =
                Locks::record(home_lba, &Some(self.run.world.content(home_lba))).map(|home| home.children);
            if mask.is_some_and(|mask| mask & 1 << (position.0 - home_at.0) == 0) {
                self.wrong(lba, &format!("without power, {name} stands where its home's mask does not say"));
            }
        }
    }

    /// Whether the owner's slot says that he is gone.
    fn is_gone(&self, owner: Owner) -> bool {
        self.slot_now(owner.slot).is_some_and(|slot| says_gone(&slot, owner))
    }

    fn wrong(&self, lba: Lba, message: &str) {
        self.run.violation("one owner", &format!("lock at block {lba}: {message}"));
    }

    fn name_moved(&self, lba: Lba, before: &LockRecord, after: &LockRecord) {
        if before.name == after.name {
            return;
        }
        // Its holder knows the name of a lock whose name was lost by rot.
        let given_back = before.name.is_none() && before.lock.mode == LockMode::Unknown;
        if before.lock.mode != LockMode::Free && !given_back {
            self.wrong(lba, "a held lock was given another name");
        }
        let mut places = self.places.borrow_mut();
        if let Some(name) = &before.name {
            places.remove(name);
        }
        if let Some(name) = &after.name
            && let Some(other) = places.insert(name.clone(), lba)
            && other != lba
        {
            self.wrong(lba, &format!("the name {name} stands at block {other} too"));
        }
    }

    fn owner_changed(&self, lba: Lba, before: &LockRecord, after: &LockRecord, writer: Owner) {
        let Some(owner) = before.lock.owner else { return };
        if after.lock.owner == Some(owner) || writer == owner {
            return;
        }
        if !self.is_gone(owner) && !self.run.census.rolled_back.get() {
            let message = format!(
                "slot {} took it from slot {} incarnation {}, which is not gone",
                writer.slot, owner.slot, owner.incarnation
            );
            self.wrong(lba, &message);
        }
    }

    fn bits_changed(&self, lba: Lba, before: &LockRecord, after: &LockRecord, writer: Owner) {
        if after.lock.holders.contains(writer.slot) {
            self.shares.borrow_mut().insert((lba, writer.slot), writer.incarnation);
        }
        if before.lock.mode == LockMode::Unknown && after.lock.owner == Some(writer) {
            let claimant = self.claimants.borrow().get(&lba).copied();
            if claimant == Some(writer) {
                return;
            }
        }
        for slot in before.lock.holders.iter().filter(|slot| !after.lock.holders.contains(*slot)) {
            // Whoever lives in the slot by now took its share by a swap of its own, or does not share.
            let shared = self.shares.borrow_mut().remove(&(lba, slot));
            let free = self.slot_now(slot).is_some_and(|record| {
                record.state == SlotState::Free || shared.is_none_or(|life| record.incarnation > life)
            });
            if slot != writer.slot && !free && !self.run.census.rolled_back.get() {
                self.wrong(
                    lba,
                    &format!("slot {} cleared the bit of slot {slot}, which is not free", writer.slot),
                );
            }
        }
    }

    /// Tokens of a name grow, even where it moved to another position.
    fn taken(&self, lba: Lba, before: &LockRecord, after: &LockRecord, generation: u64) {
        let Some(name) = &after.name else { return };
        if after.lock.epoch == before.lock.epoch || self.run.census.rolled_back.get() {
            return;
        }
        let last = self.taken.borrow_mut().insert(name.clone(), generation);
        if last.is_some_and(|last| last >= generation) {
            self.wrong(lba, &format!("{name} was taken with token {generation} after token {last:?}"));
        }
    }
}

impl Observer for Locks {
    fn on_execute(&self, execution: &Execution) {
        if execution.effect != Effect::Swapped {
            return;
        }
        match self.run.layout.kind_at(execution.lba) {
            Standing::Lock(_) => self.swapped(execution),
            Standing::Slot(slot) => {
                let record = execution.after.as_ref().and_then(|image| slot_record(execution.lba, image));
                self.sound_slots.borrow_mut().extend(record.map(|record| (slot, record)));
            }
            _ => {}
        }
    }

    fn on_fault(&self, fault: &FaultEvent) {
        if matches!(fault.kind, FaultKind::Rollback | FaultKind::PowerLoss) {
            self.places.borrow_mut().clear();
            self.taken.borrow_mut().clear();
            self.shares.borrow_mut().clear();
            self.on_the_roll.borrow_mut().clear();
            self.sound.borrow_mut().clear();
            self.sound_slots.borrow_mut().clear();
            self.claimants.borrow_mut().clear();
        }
        if fault.kind == FaultKind::PowerLoss && self.run.scenario.power == Power::OfTheMachine {
            self.look_at_what_is_left();
        }
    }
}
