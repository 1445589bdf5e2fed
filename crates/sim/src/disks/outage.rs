//! Outages: the power goes just when a commit was written, now and then: what is durable then was made so in the right order, or by
//! luck.

use std::rc::Rc;

use oarlock_format::Standing;

use crate::member::Run;
use crate::scenario::{Power, Theme};
use crate::{ChoiceKind, Effect, Execution, FaultKind, Observer};

/// One in so many blocks of a journal is the last that is written.
const ONE_IN: usize = 400;

pub struct Outage(Rc<Run>);

impl Outage {
    pub fn new(run: Rc<Run>) -> Outage {
        Outage(run)
    }
}

impl Observer for Outage {
    fn on_execute(&self, execution: &Execution) {
        let run = &self.0;
        if run.scenario.theme == Theme::Disks
            && run.scenario.power == Power::OfTheMachine
            && execution.effect == Effect::Written
            && matches!(run.layout.kind_at(execution.lba), Standing::Journal(_))
            && run.world.now() < run.scenario.faults_end()
            && run.world.choices().choose(ChoiceKind::Fault(FaultKind::PowerLoss), ONE_IN) == 1
        {
            run.world.fail_power();
        }
    }
}
