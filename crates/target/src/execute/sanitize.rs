//! SANITIZE: everything of a unit is made unreadable (SBC-4, SANITIZE command).

use std::cell::Cell;
use std::rc::Rc;

use oarlock_block::{BlockCount, Lba};
use oarlock_scsi::{
    AdditionalSense, Operation, Sanitize, SanitizeAction, SanitizeOverwrite, Sense, SenseKey,
};

use super::{Reply, Work};
use crate::inbound::Inbound;
use crate::ranges::Hold;
use crate::task::{Outcome, Task};
use crate::unit::{Sanitizing, Unit};

/// What is done between two looks at how far it is.
const STEP_BYTES: u64 = 64 << 20;

impl Work {
    /// What keeps commands out while a sanitize is under way, or after one that failed.
    pub(super) fn check_sanitize(&self, unit: &Unit) -> Outcome<()> {
        let passes = matches!(
            self.command.operation,
            Operation::Inquiry(_)
                | Operation::RequestSense(_)
                | Operation::ReportLuns(_)
                | Operation::ReportSupportedOperationCodes(_)
                | Operation::ReportSupportedTaskManagementFunctions(_)
                | Operation::LogSense(_)
                | Operation::PersistentReserveIn(_)
                | Operation::ReportTargetPortGroups(_)
        );
        match unit.state.borrow().sanitizing {
            _ if passes => Ok(()),
            Sanitizing::No => Ok(()),
            Sanitizing::Under { progress } => {
                Err(Sense::not_ready(AdditionalSense::SANITIZE_IN_PROGRESS).with_progress(progress).into())
            }
            Sanitizing::Failed if matches!(self.command.operation, Operation::Sanitize(_)) => Ok(()),
            Sanitizing::Failed => {
                Err(Sense::new(SenseKey::MediumError, AdditionalSense::SANITIZE_COMMAND_FAILED).into())
            }
        }
    }

    pub(super) async fn sanitize(&self, sanitize: Sanitize) -> Outcome<Reply> {
        let pattern = match sanitize.action {
            SanitizeAction::Overwrite { parameter_list_length } => {
                let list = self.receive_list(usize::from(parameter_list_length)).await?;
                Some(SanitizeOverwrite::decode(&list, self.unit.block_size())?)
            }
            SanitizeAction::BlockErase if !self.unit.traits.is_thin => {
                return Err(Sense::invalid_cdb(1, Some(4)).into());
            }
            SanitizeAction::BlockErase => None,
            SanitizeAction::ExitFailureMode => return self.exit_failure_mode(),
        };
        self.unit.state.borrow_mut().sanitizing = Sanitizing::Under { progress: 0 };
        let unit = Rc::clone(&self.unit);
        // A task of its own, which no initiator can end; it ends where the unit is taken away.
        let unending = Task::new(
            Rc::clone(&self.task.session),
            self.task.command,
            Some(Rc::clone(&unit)),
            Inbound::default(),
        );
        let unending = Rc::new(unending);
        unit.sanitizes(Some(&unending));
        let work =
            Work { array: Rc::clone(&self.array), task: Rc::clone(&unending), unit, command: self.command };
        // It goes on whatever becomes of the command (SBC-4, "Sanitize operations"): one that is ended ends alone.
        let outcome = Rc::new(Cell::new(None));
        let (told, task) = (Rc::clone(&outcome), Rc::clone(&self.task));
        self.array.spawn(async move {
            told.set(Some(work.run_sanitize(pattern, sanitize.allow_unrestricted_exit).await));
            work.unit.sanitizes(None);
            unending.over();
            task.wake();
        });
        if sanitize.immediate {
            return Ok(Reply::good());
        }
        self.task.until(|| outcome.get().is_some()).await?;
        match outcome.get() {
            Some(true) => Ok(Reply::good()),
            _ => Err(Sense::new(SenseKey::MediumError, AdditionalSense::SANITIZE_COMMAND_FAILED).into()),
        }
    }

    /// A unit that failed may be used again only where the sanitize that failed allowed it (AUSE).
    fn exit_failure_mode(&self) -> Outcome<Reply> {
        let mut state = self.unit.state.borrow_mut();
        if state.sanitizing == Sanitizing::Failed && !state.may_exit_failure {
            return Err(Sense::invalid_cdb(1, Some(4)).into());
        }
        state.sanitizing = Sanitizing::No;
        Ok(Reply::good())
    }

    /// Erases all; `false` where it failed.
    async fn run_sanitize(&self, pattern: Option<SanitizeOverwrite>, may_exit: bool) -> bool {
        let blocks = self.unit.blocks();
        let _held = self.unit.ranges.hold(0..blocks.0, Hold::Alone).await;
        let outcome = self.erase_all(pattern.as_ref(), blocks).await;
        let mut state = self.unit.state.borrow_mut();
        state.may_exit_failure = may_exit;
        state.sanitizing = if outcome.is_ok() { Sanitizing::No } else { Sanitizing::Failed };
        outcome.is_ok()
    }

    async fn erase_all(&self, overwrite: Option<&SanitizeOverwrite>, blocks: BlockCount) -> Result<(), ()> {
        self.wipe_journal().await?;
        let block = self.unit.block_size().length();
        let step = STEP_BYTES / block as u64;
        let passes = overwrite.map_or(1, |overwrite| u64::from(overwrite.passes));
        let steps = blocks.0.div_ceil(step);
        for pass in 0..passes {
            let pattern = overwrite.map(|overwrite| pattern_of(overwrite, pass, block));
            for number in 0..steps {
                let lba = Lba(number * step);
                let count = BlockCount(step.min(blocks.0 - lba.0));
                if self.unit.is_gone.get() {
                    return Err(());
                }
                self.erase(pattern.as_deref(), lba, count).await?;
                let done = (pass * steps + number + 1) * u64::from(u16::MAX) / (passes * steps);
                let progress = u16::try_from(done).unwrap_or(u16::MAX);
                self.unit.state.borrow_mut().sanitizing = Sanitizing::Under { progress };
            }
        }
        self.unit.flush(&self.array).await.map_err(drop)
    }

    async fn erase(&self, pattern: Option<&[u8]>, lba: Lba, count: BlockCount) -> Result<(), ()> {
        match pattern {
            Some(pattern) => self.write_pattern(pattern, lba, count).await.map_err(drop),
            None => self.discard(lba, count).await.map_err(drop),
        }
    }
}

/// The block of one pass (SBC-4: with INVERT every second one is inverted).
fn pattern_of(overwrite: &SanitizeOverwrite, pass: u64, block: usize) -> Vec<u8> {
    let inverts = overwrite.invert && pass % 2 == 1;
    overwrite.pattern.iter().cycle().take(block).map(|byte| if inverts { !byte } else { *byte }).collect()
}
