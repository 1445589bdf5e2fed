//! What the SCSI and iSCSI standards say, without sockets: both ends of the cable.
//!
//! Codecs and state machines for SPC-5 and SBC-4 (commands, sense, pages, parameter lists) and for RFC 7143 ([`iscsi`]: PDUs, text
//! keys, login, sequencing). No socket, no thread, no clock, no runtime: bytes go in, bytes and values come out.

#![forbid(unsafe_code)]

mod bytes;
mod capacity;
mod command;
mod inquiry;
pub mod iscsi;
mod lun;
mod opcode;
mod report_luns;
mod report_opcodes;
mod reservation;
mod sense;
mod sense_code;
mod status;
pub mod vpd;

pub use capacity::Capacity;
pub use command::{
    AccessRule, ByteCheck, COMMANDS, CacheRange, Command, CommandDescription, CopyResults, GetLbaStatus,
    Inquiry, LogControl, LogSelect, LogSense, ModeForm, ModeSelect, ModeSense, Operation, PageControl,
    PersistentReserveIn, PersistentReserveInAction, PersistentReserveOut, PersistentReserveOutAction,
    ReadDefectData, ReceiveCopyResults, ReportLuns, ReportSupportedOperationCodes,
    ReportSupportedTaskManagementFunctions, ReportTargetPortGroups, Reporting, RequestSense, Sanitize,
    SanitizeAction, SelectReport, StartStopUnit, Transfer, Unmap, Verify, WriteAndVerify, WriteAtomic,
    WriteSame, check_range, decode, describe, find,
};
pub use inquiry::{Peripheral, StandardInquiry, TargetPortGroupSupport, VersionDescriptor};
pub use lun::{Lun, LunAddress};
pub use opcode::Opcode;
pub use report_luns::LunList;
pub use report_opcodes::{CommandTimeouts, SupportedCommand, TaskManagementSupport, report_operation_codes};
pub use reservation::{ReservationRule, ReservationType};
pub use sense::{FieldPointer, SegmentPointer, Sense, SenseForm, SenseKey, SenseKeySpecific};
pub use sense_code::AdditionalSense;
pub use status::Status;
