//! R38: the first superblock names a shadow that is whole and says the same or newer, whatever is broken off where.

use std::rc::Rc;

use oarlock_block::Lba;
use oarlock_format::{Stamped, Superblock, decode_superblock};

use crate::member::Run;
use crate::{Effect, Execution, FaultEvent, FaultKind, Handle, Observer};

pub struct Superblocks {
    run: Rc<Run>,
}

impl Superblocks {
    pub fn new(run: Rc<Run>) -> Superblocks {
        Superblocks { run }
    }

    /// What is wrong with the two copies, were the power to fail now, or the first to rot.
    fn look(&self) -> Result<(), String> {
        let first = copy_at(&self.run.world, Lba(0)).ok_or("the first copy is no superblock")?;
        let lba = first.record.layout.shadow.start;
        let shadow =
            copy_at(&self.run.world, lba).ok_or("the first copy names a shadow that is not there")?;
        let same_or_newer = shadow.stamp.format_id == first.stamp.format_id
            && (shadow.stamp.generation > first.stamp.generation
                || (shadow.stamp.generation == first.stamp.generation && shadow.record == first.record));
        if same_or_newer {
            Ok(())
        } else {
            Err("the shadow that the first copy names says something else".to_owned())
        }
    }

    fn judge(&self) {
        if let Err(wrong) = self.look() {
            self.run.violation("R38", &wrong);
        }
    }
}

/// The superblock at an address, where one stands there.
pub fn copy_at(world: &Handle, lba: Lba) -> Option<Stamped<Superblock>> {
    decode_superblock(&world.content(lba), lba).ok()
}

impl Observer for Superblocks {
    fn on_execute(&self, execution: &Execution) {
        if execution.effect != Effect::Swapped || execution.lba != Lba(0) {
            return;
        }
        self.judge();
        let shadow = copy_at(&self.run.world, Lba(0)).map(|first| first.record.layout.shadow.start);
        if shadow.is_some_and(|shadow| self.run.world.unflushed(shadow) > 0) {
            self.run.violation("R12", "the first superblock names a shadow that is not durable");
        }
    }

    fn on_fault(&self, fault: &FaultEvent) {
        if fault.kind == FaultKind::PowerLoss {
            self.judge();
        }
    }
}
