//! Outages: the power goes just when a commit was written, now and then, and most of all when its host has written other things
//! that are not flushed, or brings home what another life's journal holds: what is durable then was made so in the right order, or by
//! luck. And a process ends just when it has written to its journal, so that there is something to bring home.

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

/// One in so many writes by which a replay brings pages home is the last.
const ONE_HOME_IN: usize = 4;

/// Behind one in so many writes to a host's journal its process ends.
const ONE_KILLED_IN: usize = 40;

/// What a write may bring about.
enum Blow {
    Power,
    Process,
}

pub struct Outage {
    run: Rc<Run>,
    /// Hosts that have written to groups since the device was flushed.
    unflushed: RefCell<BTreeSet<HostIndex>>,
    /// Hosts that replay: they read the journal of another life since they swapped anything.
    replaying: RefCell<BTreeSet<HostIndex>>,
}

impl Outage {
    pub fn new(run: Rc<Run>) -> Outage {
        Outage { run, unflushed: RefCell::default(), replaying: RefCell::default() }
    }

    /// A block was written; what happens now.
    fn written(&self, execution: &Execution) -> Option<Blow> {
        let (run, command) = (&self.run, &execution.command);
        let standing = run.layout.kind_at(execution.lba);
        if run.world.now() >= run.scenario.faults_end() {
            return None;
        }
        let is_last = execution.lba.0 + 1 == command.lba.0 + u64::from(command.blocks);
        if standing == Standing::Group {
            self.unflushed.borrow_mut().insert(command.host);
            let comes_home = is_last && self.replaying.borrow().contains(&command.host);
            return (comes_home && self.comes(FaultKind::PowerLoss, ONE_HOME_IN)).then_some(Blow::Power);
        }
        if !is_last || !matches!(standing, Standing::Journal(_)) {
            return None;
        }
        let is_unflushed = self.unflushed.borrow().contains(&command.host);
        if self.comes(FaultKind::PowerLoss, if is_unflushed { ONE_UNFLUSHED_IN } else { ONE_IN }) {
            return Some(Blow::Power);
        }
        self.comes(FaultKind::Crash, ONE_KILLED_IN).then_some(Blow::Process)
    }

    /// A block of a journal was read: of the reader's own it is the header at most.
    fn read(&self, execution: &Execution) {
        let (run, command) = (&self.run, &execution.command);
        let Standing::Journal(slot) = run.layout.kind_at(execution.lba) else { return };
        let reader = run.census.member((command.host, command.life));
        if reader.is_none_or(|member| member.host.status().owner.slot != slot) {
            self.replaying.borrow_mut().insert(command.host);
        }
    }

    fn comes(&self, kind: FaultKind, one_in: usize) -> bool {
        self.run.world.choices().choose(ChoiceKind::Fault(kind), one_in) == 1
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
            Effect::Written => match self.written(execution) {
                Some(Blow::Power) => self.run.world.fail_power(),
                Some(Blow::Process) => self.run.world.stop_life(execution.command.host),
                None => {}
            },
            Effect::Read => self.read(execution),
            Effect::Swapped => drop(self.replaying.borrow_mut().remove(&execution.command.host)),
            _ => {}
        }
    }
}
