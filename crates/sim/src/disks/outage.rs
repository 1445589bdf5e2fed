//! Outages: the power goes just when a commit was written, now and then, and most of all when its host has written other things
//! that are not flushed: what is durable then was made so in the right order, or by luck.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use oarlock_format::Standing;

use crate::member::Run;
use crate::scenario::{Power, Theme};
use crate::{ChoiceKind, Effect, Execution, FaultKind, HostIndex, Observer};

/// One in so many commits is the last that is written.
const ONE_IN: usize = 60;

/// The same, where its host has written to groups since the last flush.
const ONE_UNFLUSHED_IN: usize = 8;

pub struct Outage {
    run: Rc<Run>,
    /// Hosts that have written to groups since the device was flushed.
    unflushed: RefCell<BTreeSet<HostIndex>>,
}

impl Outage {
    pub fn new(run: Rc<Run>) -> Outage {
        Outage { run, unflushed: RefCell::default() }
    }

    /// A block was written; whether the power goes now.
    fn written(&self, execution: &Execution) -> bool {
        let (run, command) = (&self.run, &execution.command);
        let standing = run.layout.kind_at(execution.lba);
        if standing == Standing::Group {
            self.unflushed.borrow_mut().insert(command.host);
        }
        let is_last = execution.lba.0 + 1 == command.lba.0 + u64::from(command.blocks);
        if !is_last
            || !matches!(standing, Standing::Journal(_))
            || run.world.now() >= run.scenario.faults_end()
        {
            return false;
        }
        let is_unflushed = self.unflushed.borrow().contains(&command.host);
        let one_in = if is_unflushed { ONE_UNFLUSHED_IN } else { ONE_IN };
        run.world.choices().choose(ChoiceKind::Fault(FaultKind::PowerLoss), one_in) == 1
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
            Effect::Written if self.written(execution) => self.run.world.fail_power(),
            _ => {}
        }
    }
}
