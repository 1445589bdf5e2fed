//! What the array tells of itself and its units: capacity, LUNs, commands, sense (SPC-5, SBC-4).

use oarlock_block::Lba;
use oarlock_scsi::{
    AdditionalSense, COMMANDS, Capacity, CommandDescription, CommandTimeouts, Opcode,
    ReportSupportedOperationCodes, ReportSupportedTaskManagementFunctions, RequestSense, Sense, SenseKey,
    TaskManagementSupport, report_operation_codes,
};

use super::{Reply, Work};
use crate::course::Outcome;
use crate::unit::Sanitizing;

/// The service action of SANITIZE (SBC-4).
const BLOCK_ERASE: u16 = 0x02;

impl Work {
    fn capacity(&self) -> Capacity {
        let geometry = self.unit.geometry();
        let block = u64::from(geometry.block_size.bytes());
        let logical = (geometry.physical_block.0 / block).max(1);
        Capacity {
            blocks: geometry.blocks,
            block_bytes: geometry.block_size.bytes(),
            physical_exponent: u8::try_from(logical.ilog2()).unwrap_or(0),
            provisioning_management: self.unit.traits.is_thin,
            unmapped_reads_zeros: self.unit.traits.is_thin,
            lowest_aligned: Lba(0),
        }
    }

    pub(super) fn read_capacity_10(&self) -> Reply {
        Reply::bytes(self.capacity().encode_10(), u64::MAX)
    }

    pub(super) fn read_capacity_16(&self, allocation_length: u32) -> Reply {
        Reply::bytes(self.capacity().encode(), allocation_length)
    }

    pub(super) fn report_operation_codes(&self, report: ReportSupportedOperationCodes) -> Outcome<Reply> {
        let supported = COMMANDS.iter().filter(|command| self.is_supported(command));
        let timeouts = report.timeouts.then(CommandTimeouts::default);
        let data = report_operation_codes(supported, report.reporting, timeouts)?;
        Ok(Reply::bytes(data, report.allocation_length))
    }

    /// Whether the unit, as it is, has the command.
    pub(super) fn is_supported(&self, command: &CommandDescription) -> bool {
        match command.opcode {
            Opcode::UNMAP => self.unit.traits.is_thin,
            // What is erased reads as anything then: a unit that cannot unmap has nothing quicker than OVERWRITE.
            Opcode::SANITIZE if command.service_action == Some(BLOCK_ERASE) => self.unit.traits.is_thin,
            Opcode::PREVENT_ALLOW_MEDIUM_REMOVAL => self.unit.traits.is_removable,
            _ => true,
        }
    }

    pub(super) fn report_task_functions(&self, report: ReportSupportedTaskManagementFunctions) -> Reply {
        let support = TaskManagementSupport {
            abort_task: true,
            abort_task_set: true,
            clear_task_set: true,
            logical_unit_reset: true,
            target_reset: true,
            ..TaskManagementSupport::default()
        };
        Reply::bytes(support.encode(report.extended), report.allocation_length)
    }

    /// Pending attentions are told, and count as told (SPC-5, REQUEST SENSE command).
    pub(super) fn request_sense(&self, request: RequestSense) -> Reply {
        let state = self.unit.state.borrow();
        let attention = self.unit.take_attention(&self.task.session.nexus);
        let sense = match (attention, &state.sanitizing) {
            (Some(code), _) => Sense::attention(code),
            // Whoever waits for the end of a sanitize asks here how far it is (SBC-4, "Sanitize operations").
            (None, Sanitizing::Under { progress, .. }) => {
                Sense::not_ready(AdditionalSense::SANITIZE_IN_PROGRESS).with_progress(*progress)
            }
            (None, Sanitizing::Failed { .. }) => {
                Sense::new(SenseKey::MediumError, AdditionalSense::SANITIZE_COMMAND_FAILED)
            }
            _ if !state.is_loaded => Sense::not_ready(AdditionalSense::MEDIUM_NOT_PRESENT),
            _ => Sense::new(SenseKey::NoSense, AdditionalSense::NO_ADDITIONAL_SENSE_INFORMATION),
        };
        Reply::bytes(sense.encode(request.form), request.allocation_length)
    }
}
