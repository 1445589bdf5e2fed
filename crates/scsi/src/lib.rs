//! What the SCSI and iSCSI standards say, without sockets: both ends of the cable.
//!
//! Codecs and state machines for SPC-5 and SBC-4 (commands, sense, pages, parameter lists) and for RFC 7143 ([`iscsi`]: PDUs, text
//! keys, login, sequencing). No socket, no thread, no clock, no runtime: bytes go in, bytes and values come out. Clauses are cited by their
//! headings, so that they are found in any edition.
//!
//! # One command
//!
//! ```text
//!   CDB --> describe: a row of COMMANDS          who may pass a unit attention, a reservation, an access state; what a meter counts
//!       --> decode:   a Command                  refused with a pointer to the bit, if its usage map does not have it
//!               |      .data_out_length()        what the transport has to fetch
//!               |      .blocks(), check_range    what is touched, and whether the unit has it
//!               v
//!           Operation --> parameter list         UnmapList, ModePages::select, PersistentReserveOutList, CopyList ...
//!                     --> the caller does it
//!                     --> parameter data         StandardInquiry, vpd, ModePages::sense, LogPage, Capacity ...
//!   Status, Sense <--
//! ```
//!
//! One table, [`COMMANDS`], feeds the decoder, REPORT SUPPORTED OPERATION CODES ([`report_operation_codes`]), the Third-party Copy page and the
//! tests. A bit that its usage map does not have is refused; so the map is right, or a test that sets each bit of each CDB fails.
//!
//! # What is not there, and why
//!
//! - Protection information: RDPROTECT, WRPROTECT and their like are refused with a pointer, and no page speaks of them.
//! - Auto contingent allegiance: NACA is refused, and nobody misses it.
//! - GROUP NUMBER is taken, as initiators fill it, and nothing is counted by it.
//! - EXTENDED COPY(LID4), POPULATE TOKEN and WRITE USING TOKEN; inline data; copies between other devices than disks.
//!
//! # What a peer may cost
//!
//! A decoder keeps no more than what came. Lists of descriptors end with the bytes; initiators of one REGISTER with
//! [`PersistentReserveOutList::INITIATORS_MAX`], a copy's descriptors with [`CopyLimits`].

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
    ErrorCounters, GeneralStatistics, LogPage, LogParameter, ProvisioningResources, log_page,
    supported_log_pages, supported_log_subpages,
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
