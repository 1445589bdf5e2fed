//! Outages: the power goes just when a commit was written, now and then, and most of all when its host has written other things
//! that are not flushed: what is durable then was made so in the right order, or by luck. So it does while a replay writes pages home.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oarlock_format::{Place, SlotIndex, SlotRecord, SlotState, Standing, decode};

use crate::datastore::Template;
use crate::member::Run;
use crate::scenario::{Power, Theme};
use crate::{ChoiceKind, Effect, Execution, FaultKind, HostIndex, Observer};

/// One in so many commits is the last that is written.
const ONE_IN: usize = 60;

/// The same, where its host has written to groups since the last flush.
const ONE_UNFLUSHED_IN: usize = 8;

/// The same of writes to groups by who replays another.
const ONE_REPLAYED_IN: usize = 12;

pub struct Outage {
    run: Rc<Run>,
    /// Hosts that have written to groups since the device was flushed.
    unflushed: RefCell<BTreeSet<HostIndex>>,
    /// Who replays which slot.
    replaying: RefCell<BTreeMap<SlotIndex, HostIndex>>,
}

impl Outage {
    pub fn new(run: Rc<Run>) -> Outage {
        Outage { run, unflushed: RefCell::default(), replaying: RefCell::default() }
    }

    /// A block was written; whether the power goes now.
    fn written(&self, execution: &Execution) -> bool {
        let (run, command) = (&self.run, &execution.command);
        let is_last = execution.lba.0 + 1 == command.lba.0 + u64::from(command.blocks);
        let may_go = is_last && run.world.now() < run.scenario.faults_end();
        match run.layout.kind_at(execution.lba) {
            Standing::Group => {
                self.unflushed.borrow_mut().insert(command.host);
                let replays = self.replaying.borrow().values().any(|host| *host == command.host);
                may_go && replays && self.chooses(ONE_REPLAYED_IN)
            }
            Standing::Journal(_) => {
                let is_unflushed = self.unflushed.borrow().contains(&command.host);
                may_go && self.chooses(if is_unflushed { ONE_UNFLUSHED_IN } else { ONE_IN })
            }
            _ => false,
        }
    }

    /// A slot was swapped: who replays it, if anybody does.
    fn swapped(&self, execution: &Execution) {
        let Standing::Slot(number) = self.run.layout.kind_at(execution.lba) else { return };
        let place = Place { format_id: Template::FORMAT_ID, lba: execution.lba };
        let record = execution.after.as_ref().and_then(|image| decode::<SlotRecord>(image, &place).ok());
        let state = record.map(|stamped| stamped.record.state);
        let mut replaying = self.replaying.borrow_mut();
        match state {
            Some(SlotState::Replaying { .. }) => drop(replaying.insert(number, execution.command.host)),
            _ => drop(replaying.remove(&number)),
        }
    }

    fn chooses(&self, one_in: usize) -> bool {
        self.run.world.choices().choose(ChoiceKind::Fault(FaultKind::PowerLoss), one_in) == 1
    }
}

impl Observer for Outage {
    fn on_execute(&self, execution: &Execution) {
        let scenario = &self.run.scenario;
        if scenario.theme != Theme::Disks || scenario.power != Power::OfTheMachine {
            return;
        }
        match execution.effect {
            Effect::Flushed => self.unflushed.borrow_mut().clear(),
            Effect::Swapped => self.swapped(execution),
            Effect::Written if self.written(execution) => self.run.world.fail_power(),
            _ => {}
        }
    }
}
