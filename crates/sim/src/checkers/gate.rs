//! I7: a host whose lease ran out by its own clock sends nothing but beats.

use std::rc::Rc;

use crate::member::Run;
use crate::{Change, LifeChange, Observer, Submission};

pub struct Gate {
    run: Rc<Run>,
}

impl Gate {
    pub fn new(run: Rc<Run>) -> Gate {
        Gate { run }
    }
}

impl Observer for Gate {
    fn on_submit(&self, submission: &Submission) {
        let command = &submission.command;
        if !command.verb.changes_content() {
            return;
        }
        let Some(member) = self.run.census.member((command.host, command.life)) else { return };
        let own_slot = self.run.layout.slot(member.host.status().owner.slot);
        if command.lba != own_slot && !member.frozen.get() && !member.believes_in_its_lease() {
            self.run.violation(
                "I7",
                &format!("{}.{} sent {command} after its lease ran out", command.host, command.life),
            );
        }
    }

    fn on_life(&self, change: &LifeChange) {
        let key = (change.host, change.life);
        match change.change {
            Change::Paused { frozen: true } => {
                if let Some(member) = self.run.census.member(key) {
                    member.frozen.set(true);
                }
            }
            Change::Ended(_) => self.run.census.ended(key, change.at),
            Change::Began | Change::Paused { frozen: false } | Change::Resumed => {}
        }
    }
}
