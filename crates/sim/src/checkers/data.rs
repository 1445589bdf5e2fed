//! I6, judged where it hurts: nothing that a former owner wrote lands between what the present owner reads and writes.

use std::rc::Rc;

use oarlock_format::Standing;

use crate::member::Run;
use crate::user::{counter, counter_base};
use crate::{Effect, Execution, Observer};

pub struct Data {
    run: Rc<Run>,
}

impl Data {
    pub fn new(run: Rc<Run>) -> Data {
        Data { run }
    }
}

impl Observer for Data {
    fn on_execute(&self, execution: &Execution) {
        if execution.effect != Effect::Written
            || !matches!(self.run.layout.kind_at(execution.lba), Standing::Scratch(_))
            || !self.run.scenario.guards_data()
        {
            return;
        }
        let (Some(before), Some(after)) = (&execution.before, &execution.after) else { return };
        let (stood, base) = (counter(before), counter_base(after));
        if stood != base {
            self.run.violation(
                "I6",
                &format!(
                    "{}.{} wrote the counter in block {} from {base}, but it stood at {stood}: a lost update",
                    execution.command.host, execution.command.life, execution.lba
                ),
            );
        }
    }
}
