//! What the SCSI and iSCSI standards say, without sockets: both ends of the cable.
//!
//! Codecs and state machines for SPC-5 and SBC-4 (commands, sense, pages, parameter lists) and for RFC 7143 ([`iscsi`]: PDUs, text
//! keys, login, sequencing). No socket, no thread, no clock, no runtime: bytes go in, bytes and values come out.

#![forbid(unsafe_code)]

mod bytes;
mod capacity;
mod command;
mod copy;
mod defect;
mod inquiry;
pub mod iscsi;
mod lba_status;
mod log;
mod lun;
mod mode;
mod opcode;
mod persistent;
mod port_groups;
mod report_luns;
mod report_opcodes;
mod reservation;
mod sanitize;
mod sense;
mod sense_code;
mod status;
mod transport_id;
mod unmap;
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
pub use copy::{
    CopyFailure, CopyLimits, CopyList, CopyManagerStatus, CopyStatus, CopyTarget, ListIdUsage, Segment,
};
pub use defect::empty_defect_list;
pub use inquiry::{Peripheral, StandardInquiry, TargetPortGroupSupport, VersionDescriptor};
pub use lba_status::{LbaStatus, LbaStatusList};
pub use log::{
    GeneralStatistics, LogPage, LogParameter, ProvisioningResources, log_page, supported_log_pages,
    supported_log_subpages,
};
pub use lun::{Lun, LunAddress};
pub use mode::{ModeList, ModeMedium, ModePages, ModeSettings};
pub use opcode::Opcode;
pub use persistent::{
    FullStatus, HeldReservation, MoveList, PersistentReserveOutList, RegisterList, ReservationCapabilities,
    ReservationKeys, StatusDescriptor,
};
pub use port_groups::{
    AccessState, AccessStatus, SetTargetPortGroupsList, TargetPortGroup, TargetPortGroups,
};
pub use report_luns::LunList;
pub use report_opcodes::{CommandTimeouts, SupportedCommand, TaskManagementSupport, report_operation_codes};
pub use reservation::{ReservationRule, ReservationType};
pub use sanitize::SanitizeOverwrite;
pub use sense::{FieldPointer, SegmentPointer, Sense, SenseForm, SenseKey, SenseKeySpecific};
pub use sense_code::AdditionalSense;
pub use status::Status;
pub use transport_id::TransportId;
pub use unmap::UnmapList;
