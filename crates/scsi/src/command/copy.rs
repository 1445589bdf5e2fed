//! EXTENDED COPY(LID1) and RECEIVE COPY RESULTS (SPC-4).

use super::cdb::Cdb;
use super::operation::Operation;
use crate::sense::Sense;

/// What RECEIVE COPY RESULTS asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CopyResults {
    /// 00h RECEIVE COPY STATUS(LID1).
    Status {
        /// LIST IDENTIFIER of the copy.
        list_identifier: u8,
    },
    /// 03h RECEIVE COPY OPERATING PARAMETERS.
    OperatingParameters,
    /// 04h RECEIVE COPY FAILURE DETAILS(LID1).
    FailedSegmentDetails {
        /// LIST IDENTIFIER of the copy.
        list_identifier: u8,
    },
}

/// RECEIVE COPY RESULTS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReceiveCopyResults {
    /// What it asks for.
    pub results: CopyResults,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u32,
}

pub(super) fn extended_copy(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::ExtendedCopy { parameter_list_length: cdb.u32(10) })
}

pub(super) fn copy_status(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    receive(cdb, CopyResults::Status { list_identifier: cdb.u8(2) })
}

pub(super) fn operating_parameters(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    receive(cdb, CopyResults::OperatingParameters)
}

pub(super) fn failed_segment_details(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    receive(cdb, CopyResults::FailedSegmentDetails { list_identifier: cdb.u8(2) })
}

fn receive(cdb: Cdb<'_>, results: CopyResults) -> Result<Operation, Sense> {
    Ok(Operation::ReceiveCopyResults(ReceiveCopyResults { results, allocation_length: cdb.u32(10) }))
}
