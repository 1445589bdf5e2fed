//! What a CDB asks for, by kind: the lengths of one command that differ in their CDB alone are one kind.

use super::copy::ReceiveCopyResults;
use super::medium::{ReadDefectData, StartStopUnit};
use super::primary::{Inquiry, LogSelect, LogSense, ModeSelect, ModeSense, RequestSense};
use super::report::{
    ReportLuns, ReportSupportedOperationCodes, ReportSupportedTaskManagementFunctions, ReportTargetPortGroups,
};
use super::reserve::{PersistentReserveIn, PersistentReserveOut};
use super::space::{GetLbaStatus, Sanitize, Unmap, WriteSame};
use super::transfer::{CacheRange, Transfer, Verify, WriteAndVerify, WriteAtomic};

/// What a CDB asks for, with its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// TEST UNIT READY.
    TestUnitReady,
    /// REQUEST SENSE.
    RequestSense(RequestSense),
    /// INQUIRY.
    Inquiry(Inquiry),
    /// MODE SENSE.
    ModeSense(ModeSense),
    /// MODE SELECT.
    ModeSelect(ModeSelect),
    /// LOG SENSE.
    LogSense(LogSense),
    /// LOG SELECT.
    LogSelect(LogSelect),
    /// RESERVE of the whole unit.
    Reserve,
    /// RELEASE of the whole unit.
    Release,
    /// PERSISTENT RESERVE IN.
    PersistentReserveIn(PersistentReserveIn),
    /// PERSISTENT RESERVE OUT.
    PersistentReserveOut(PersistentReserveOut),
    /// START STOP UNIT.
    StartStopUnit(StartStopUnit),
    /// PREVENT ALLOW MEDIUM REMOVAL.
    PreventAllowMediumRemoval {
        /// Whether this nexus wants the medium to stay.
        prevent: bool,
    },
    /// READ CAPACITY(10).
    ReadCapacity10,
    /// READ CAPACITY(16).
    ReadCapacity16 {
        /// ALLOCATION LENGTH, in bytes.
        allocation_length: u32,
    },
    /// READ.
    Read(Transfer),
    /// WRITE.
    Write(Transfer),
    /// VERIFY.
    Verify(Verify),
    /// WRITE AND VERIFY.
    WriteAndVerify(WriteAndVerify),
    /// ORWRITE.
    OrWrite(Transfer),
    /// COMPARE AND WRITE: the count is that of one half of the data-out.
    CompareAndWrite(Transfer),
    /// WRITE ATOMIC.
    WriteAtomic(WriteAtomic),
    /// WRITE SAME.
    WriteSame(WriteSame),
    /// UNMAP.
    Unmap(Unmap),
    /// PRE-FETCH.
    PreFetch(CacheRange),
    /// SYNCHRONIZE CACHE.
    SynchronizeCache(CacheRange),
    /// GET LBA STATUS.
    GetLbaStatus(GetLbaStatus),
    /// READ DEFECT DATA.
    ReadDefectData(ReadDefectData),
    /// SANITIZE.
    Sanitize(Sanitize),
    /// EXTENDED COPY(LID1). Its parameter list is [`CopyList`](crate::CopyList).
    ExtendedCopy {
        /// PARAMETER LIST LENGTH, in bytes; 0 is no error.
        parameter_list_length: u32,
    },
    /// RECEIVE COPY RESULTS.
    ReceiveCopyResults(ReceiveCopyResults),
    /// REPORT LUNS.
    ReportLuns(ReportLuns),
    /// REPORT SUPPORTED OPERATION CODES.
    ReportSupportedOperationCodes(ReportSupportedOperationCodes),
    /// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS.
    ReportSupportedTaskManagementFunctions(ReportSupportedTaskManagementFunctions),
    /// REPORT TARGET PORT GROUPS.
    ReportTargetPortGroups(ReportTargetPortGroups),
    /// SET TARGET PORT GROUPS. Its parameter list is [`SetTargetPortGroupsList`](crate::SetTargetPortGroupsList).
    SetTargetPortGroups {
        /// PARAMETER LIST LENGTH, in bytes; 0 is no error.
        parameter_list_length: u32,
    },
}
