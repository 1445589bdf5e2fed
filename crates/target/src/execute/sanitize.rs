//! SANITIZE, and what it keeps from a unit (SBC-4, SANITIZE command).

use std::io;

use oarlock_scsi::{
    AdditionalSense, Operation, Sanitize, SanitizeAction, SanitizeOverwrite, Sense, SenseKey,
};

use super::erasure::{self, Erasure};
use super::{Reply, Work};
use crate::course::{Outcome, Stop};
use crate::unit::{Sanitizing, Unit};

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
        let is_sanitize = matches!(self.command.operation, Operation::Sanitize(_));
        match &unit.state.borrow().sanitizing {
            _ if passes => Ok(()),
            Sanitizing::No => Ok(()),
            Sanitizing::Under { progress, .. } => {
                Err(Sense::not_ready(AdditionalSense::SANITIZE_IN_PROGRESS).with_progress(*progress).into())
            }
            Sanitizing::Failed { .. } if is_sanitize => Ok(()),
            Sanitizing::Failed { .. } => Err(sanitize_failed()),
        }
    }

    pub(super) async fn sanitize(&self, sanitize: Sanitize) -> Outcome<Reply> {
        let overwrite = match sanitize.action {
            SanitizeAction::Overwrite { parameter_list_length } => {
                let list = self.receive_list(usize::from(parameter_list_length)).await?;
                Some(SanitizeOverwrite::decode(&list, self.unit.block_size())?)
            }
            SanitizeAction::BlockErase => None,
            SanitizeAction::ExitFailureMode => return self.exit_failure_mode().await,
        };
        let saving = self.turn_to_save().await?;
        // Another may have begun meanwhile.
        self.check_sanitize(&self.unit)?;
        let erasure = Erasure {
            overwrite,
            may_exit_failure: sanitize.allow_unrestricted_exit,
            file_number: self.unit.medium.file_number(),
            has_begun: false,
        };
        let erasing =
            erasure::begin(&self.array, &self.unit, erasure).await.map_err(|error| self.unsaved(&error))?;
        drop(saving);
        let initiator = &self.task.session.nexus.initiator;
        self.array.log(&format!("unit {}: {initiator} began a sanitize", self.unit.number));
        // It goes on whatever becomes of the command: one that is ended ends alone.
        if sanitize.immediate {
            return Ok(Reply::good());
        }
        self.task.or_aborted(erasing.course.ended()).await?;
        match () {
            () if erasing.has_succeeded() => Ok(Reply::good()),
            // The array stops, or the unit is taken away: it goes on later.
            () if erasing.course.aborted().is_some() => {
                Err(Sense::not_ready(AdditionalSense::SANITIZE_IN_PROGRESS).into())
            }
            () => Err(sanitize_failed()),
        }
    }

    /// A unit that failed may be used again only where the sanitize that failed allowed it (AUSE).
    async fn exit_failure_mode(&self) -> Outcome<Reply> {
        let _saving = self.turn_to_save().await?;
        let sanitizing = self.unit.state.borrow().sanitizing.clone();
        match sanitizing {
            Sanitizing::Failed { may_exit: true } => {
                let set = erasure::set(&self.array, &self.unit, Sanitizing::No).await;
                set.map_err(|error| self.unsaved(&error))?;
            }
            Sanitizing::Failed { may_exit: false } => return Err(Sense::invalid_cdb(1, Some(4)).into()),
            Sanitizing::No | Sanitizing::Under { .. } => {}
        }
        Ok(Reply::good())
    }

    fn unsaved(&self, reason: &io::Error) -> Stop {
        self.array.log(&format!("unit {}: its sanitize cannot be saved: {reason}", self.unit.number));
        Sense::new(SenseKey::HardwareError, AdditionalSense::INTERNAL_TARGET_FAILURE).into()
    }
}

/// A command that waited, for its data or for its blocks, while everything was erased does not write what it had from before.
pub(super) fn check_erasures(unit: &Unit, had_begun: u64) -> Outcome<()> {
    if unit.erasures.get() == had_begun {
        return Ok(());
    }
    Err(Sense::not_ready(AdditionalSense::SANITIZE_IN_PROGRESS).into())
}

fn sanitize_failed() -> Stop {
    Sense::new(SenseKey::MediumError, AdditionalSense::SANITIZE_COMMAND_FAILED).into()
}
