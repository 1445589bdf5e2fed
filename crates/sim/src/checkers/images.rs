//! I1 and I2: no image is written twice, generations grow, and a shared record changes only by ATS.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oarlock_block::Lba;
use oarlock_format::{Generation, Standing, stamp_of};

use super::pages::is_owned_alone;
use crate::member::Run;
use crate::scenario::Power;
use crate::{Effect, Execution, FaultEvent, FaultKind, Observer};

pub struct Images {
    run: Rc<Run>,
    written: RefCell<BTreeSet<(Lba, u128)>>,
    /// The newest generation that was swapped into a block, whatever became of its bytes since.
    newest: RefCell<BTreeMap<Lba, Generation>>,
}

impl Images {
    pub fn new(run: Rc<Run>) -> Images {
        Images { run, written: RefCell::default(), newest: RefCell::default() }
    }

    fn swapped(&self, execution: &Execution) {
        let after = execution.after.as_ref().and_then(|image| stamp_of(image));
        let Some(after) = after else {
            self.run.violation("I1", &format!("block {} was swapped for what is no record", execution.lba));
            return;
        };
        if after.lba != execution.lba {
            self.run.violation("I1", &format!("an image of block {} in block {}", after.lba, execution.lba));
        }
        let before = execution.before.as_ref().and_then(|image| stamp_of(image));
        let newest = self.newest.borrow_mut().insert(execution.lba, after.generation);
        if before.map(|before| before.generation).max(newest).is_some_and(|newest| newest >= after.generation)
        {
            self.run.violation("I1", &format!("the generation of block {} did not grow", execution.lba));
        }
        if !self.written.borrow_mut().insert((execution.lba, after.nonce.0)) {
            self.run.violation("I1", &format!("an image was written to block {} twice", execution.lba));
        }
    }
}

impl Observer for Images {
    fn on_execute(&self, execution: &Execution) {
        match execution.effect {
            Effect::Swapped => self.swapped(execution),
            Effect::Written => {
                let shared = !matches!(self.run.layout.kind_at(execution.lba), Standing::Scratch(_))
                    && !is_owned_alone(&self.run, execution.lba);
                if shared {
                    self.run.violation("I2", &format!("block {} was written without an ATS", execution.lba));
                }
            }
            Effect::Read | Effect::Miscompared | Effect::Flushed | Effect::NotExecuted => {}
        }
    }

    fn on_fault(&self, fault: &FaultEvent) {
        let surviving = self.run.scenario.power != Power::OfTheMachine;
        match fault.kind {
            // The device forgot what was written, and hosts go on; the engine's own images may well be the first again.
            FaultKind::Rollback | FaultKind::PowerLoss if surviving => {
                self.written.borrow_mut().clear();
                self.newest.borrow_mut().clear();
                self.run.census.rolled_back.set(true);
                self.run.census.forget_histories();
            }
            // Nobody is left who knows what was lost. Its images are lost for ever, for nothing is on its way any more.
            FaultKind::PowerLoss => {
                self.newest.borrow_mut().clear();
                self.run.census.forget_histories();
            }
            _ => {}
        }
    }
}
