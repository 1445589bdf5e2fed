//! Commands: one table of them, and CDBs decoded by it.

mod cdb;
mod copy;
mod description;
mod medium;
mod operation;
mod primary;
mod report;
mod reserve;
mod space;
mod table;
#[cfg(test)]
mod tests;
mod transfer;

use oarlock_block::{BlockCount, BlockSize, ByteCount, Lba};

pub use copy::{CopyResults, ReceiveCopyResults};
pub use description::{AccessRule, CommandDescription};
pub use medium::{ReadDefectData, StartStopUnit};
pub use operation::Operation;
pub use primary::{
    Inquiry, LogControl, LogSelect, LogSense, ModeForm, ModeSelect, ModeSense, PageControl, RequestSense,
};
pub use report::{
    ReportLuns, ReportSupportedOperationCodes, ReportSupportedTaskManagementFunctions,
    ReportTargetPortGroups, Reporting, SelectReport,
};
pub use reserve::{
    PersistentReserveIn, PersistentReserveInAction, PersistentReserveOut, PersistentReserveOutAction,
};
pub use space::{GetLbaStatus, Sanitize, SanitizeAction, Unmap, WriteSame};
pub use table::{COMMANDS, describe, find};
pub use transfer::{ByteCheck, CacheRange, Transfer, Verify, WriteAndVerify, WriteAtomic};

use crate::reservation::ReservationRule;
use crate::sense::Sense;
use cdb::Cdb;

/// A CDB that was found good by itself: what it asks for, and what the table says of it.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// What it asks for.
    pub operation: Operation,
    /// The row of the table.
    pub description: &'static CommandDescription,
}

/// Reads a CDB. It may be followed by more bytes, as in an iSCSI header, where each has room for 16.
///
/// # Errors
/// INVALID COMMAND OPERATION CODE where the array does not execute it. INVALID FIELD IN CDB, with a pointer to the field, where it is cut
/// short, sets a bit that the command does not look at (NACA among them, and the protection fields, as there is no protection
/// information), or has a value that the standard does not define.
pub fn decode(cdb: &[u8]) -> Result<Command, Sense> {
    let description = describe(cdb)?;
    let length = description.cdb_length();
    let Some(cdb) = cdb.get(..length) else { return Err(Sense::invalid_cdb(cdb.len(), None)) };
    for (at, &byte) in cdb.iter().enumerate() {
        let excess = byte & !description.allowed_bits(at);
        if excess != 0 {
            let bit = u8::BITS - 1 - excess.leading_zeros();
            return Err(Sense::invalid_cdb(at, u8::try_from(bit).ok()));
        }
    }
    let operation = (description.decode)(Cdb(cdb))?;
    Ok(Command { operation, description })
}

impl Command {
    /// The bytes of data-out that the CDB asks for; `None` where the command has no data-out. Parameter lists have their PARAMETER LIST
    /// LENGTH.
    #[must_use]
    pub fn data_out_length(&self, block_size: BlockSize) -> Option<ByteCount> {
        let bytes = |length: u32| Some(ByteCount(u64::from(length)));
        match self.operation {
            Operation::Write(transfer) | Operation::OrWrite(transfer) => {
                Some(transfer.count.bytes(block_size))
            }
            Operation::WriteAndVerify(write) => Some(write.transfer.count.bytes(block_size)),
            Operation::WriteAtomic(write) => Some(write.transfer.count.bytes(block_size)),
            Operation::CompareAndWrite(transfer) => Some(BlockCount(2 * transfer.count.0).bytes(block_size)),
            Operation::Verify(verify) => verify.data_out_length(block_size),
            Operation::WriteSame(write) => (!write.no_data_out).then(|| BlockCount(1).bytes(block_size)),
            Operation::Unmap(unmap) => bytes(u32::from(unmap.parameter_list_length)),
            Operation::ModeSelect(select) => bytes(u32::from(select.parameter_list_length)),
            Operation::LogSelect(select) => bytes(u32::from(select.parameter_list_length)),
            Operation::Sanitize(Sanitize {
                action: SanitizeAction::Overwrite { parameter_list_length },
                ..
            }) => bytes(u32::from(parameter_list_length)),
            Operation::PersistentReserveOut(out) => bytes(out.parameter_list_length),
            Operation::ExtendedCopy { parameter_list_length }
            | Operation::SetTargetPortGroups { parameter_list_length } => bytes(parameter_list_length),
            _ => None,
        }
    }

    /// The most bytes of data-in that the CDB asks for: its blocks, or its ALLOCATION LENGTH; `None` where the command has no data-in.
    #[must_use]
    pub fn data_in_length(&self, block_size: BlockSize) -> Option<ByteCount> {
        let length = match self.operation {
            Operation::Read(transfer) => return Some(transfer.count.bytes(block_size)),
            // SBC-4, "READ CAPACITY (10) command": it has no ALLOCATION LENGTH.
            Operation::ReadCapacity10 => 8,
            Operation::RequestSense(request) => u32::from(request.allocation_length),
            Operation::Inquiry(inquiry) => u32::from(inquiry.allocation_length),
            Operation::ModeSense(sense) => u32::from(sense.allocation_length),
            Operation::LogSense(sense) => u32::from(sense.allocation_length),
            Operation::PersistentReserveIn(reserve) => u32::from(reserve.allocation_length),
            Operation::ReadCapacity16 { allocation_length } => allocation_length,
            Operation::GetLbaStatus(status) => status.allocation_length,
            Operation::ReadDefectData(read) => read.allocation_length,
            Operation::ReceiveCopyResults(receive) => receive.allocation_length,
            Operation::ReportLuns(report) => report.allocation_length,
            Operation::ReportSupportedOperationCodes(report) => report.allocation_length,
            Operation::ReportSupportedTaskManagementFunctions(report) => report.allocation_length,
            Operation::ReportTargetPortGroups(report) => report.allocation_length,
            _ => return None,
        };
        Some(ByteCount(u64::from(length)))
    }

    /// The blocks that the CDB names, on a unit of that capacity: "to the last block" is counted out; `None` where it names none. Whether they
    /// lie on the unit is for [`check_range`] to say.
    #[must_use]
    pub fn blocks(&self, capacity: BlockCount) -> Option<(Lba, BlockCount)> {
        // From beyond the last block there is no way to it: one block is named there, for check_range to refuse.
        let open = |lba: Lba, count: Option<BlockCount>| {
            (lba, count.unwrap_or(BlockCount(capacity.0.saturating_sub(lba.0).max(1))))
        };
        Some(match self.operation {
            Operation::Read(transfer)
            | Operation::Write(transfer)
            | Operation::OrWrite(transfer)
            | Operation::CompareAndWrite(transfer) => (transfer.lba, transfer.count),
            Operation::Verify(verify) => (verify.transfer.lba, verify.transfer.count),
            Operation::WriteAndVerify(write) => (write.transfer.lba, write.transfer.count),
            Operation::WriteAtomic(write) => (write.transfer.lba, write.transfer.count),
            Operation::WriteSame(write) => open(write.lba, write.count),
            Operation::PreFetch(range) | Operation::SynchronizeCache(range) => open(range.lba, range.count),
            _ => return None,
        })
    }

    /// Whether it changes what blocks hold.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        self.description.modifies_medium
    }

    /// How it fares where another nexus holds a reservation, with regard to its fields (SBC-4, "SBC-4 commands that are allowed in the
    /// presence of various reservations").
    #[must_use]
    pub const fn reservation_rule(&self) -> ReservationRule {
        match self.operation {
            Operation::PreventAllowMediumRemoval { prevent: false } => ReservationRule::Allowed,
            Operation::StartStopUnit(StartStopUnit { start: true, power_condition: 0, .. }) => {
                ReservationRule::Allowed
            }
            _ => self.description.reservation,
        }
    }
}

/// Whether a range lies on a unit of that capacity. A range of no blocks may begin directly behind the last block, and no further.
///
/// # Errors
/// LOGICAL BLOCK ADDRESS OUT OF RANGE.
pub fn check_range(lba: Lba, count: BlockCount, capacity: BlockCount) -> Result<(), Sense> {
    let end = lba.0.checked_add(count.0);
    if end.is_some_and(|end| end <= capacity.0) { Ok(()) } else { Err(Sense::out_of_range()) }
}
