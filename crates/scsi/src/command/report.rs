//! Commands that report what a target has and does: LUNs, commands, task management, target port groups (SPC-5).

use super::cdb::Cdb;
use super::operation::Operation;
use crate::opcode::Opcode;
use crate::sense::Sense;

/// SELECT REPORT: which logical units REPORT LUNS lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelectReport {
    /// 00h: all but well-known ones.
    Ordinary,
    /// 01h: well-known ones alone.
    WellKnown,
    /// 02h: all.
    All,
    /// 10h: administrative ones alone, of which an array has none.
    Administrative,
    /// 11h: administrative ones, and what is no part of a conglomerate.
    NonSubsidiary,
    /// 12h: subsidiary ones of the addressed conglomerate, of which an array has none.
    Subsidiary,
}

/// REPORT LUNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReportLuns {
    /// SELECT REPORT.
    pub select: SelectReport,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u32,
}

/// REPORTING OPTIONS with what they need: which commands are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reporting {
    /// 000b: all commands.
    All,
    /// 001b: one without service actions; with them it is an invalid field.
    Opcode(Opcode),
    /// 010b: one service action; an operation code without any is an invalid field.
    ServiceAction(Opcode, u16),
    /// 011b: one operation code, with its service action if it has any.
    Either(Opcode, u16),
}

/// REPORT SUPPORTED OPERATION CODES.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReportSupportedOperationCodes {
    /// RCTD: with command timeouts descriptors.
    pub timeouts: bool,
    /// Which commands.
    pub reporting: Reporting,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u32,
}

/// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReportSupportedTaskManagementFunctions {
    /// REPD: the 16 bytes of extended parameter data, with timeouts.
    pub extended: bool,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u32,
}

/// REPORT TARGET PORT GROUPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReportTargetPortGroups {
    /// PARAMETER DATA FORMAT 001b: with the extended header.
    pub extended: bool,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u32,
}

pub(super) fn report_luns(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    let select = match cdb.u8(2) {
        0x00 => SelectReport::Ordinary,
        0x01 => SelectReport::WellKnown,
        0x02 => SelectReport::All,
        0x10 => SelectReport::Administrative,
        0x11 => SelectReport::NonSubsidiary,
        0x12 => SelectReport::Subsidiary,
        _ => return Err(Sense::invalid_cdb(2, None)),
    };
    Ok(Operation::ReportLuns(ReportLuns { select, allocation_length: cdb.u32(6) }))
}

pub(super) fn report_supported_operation_codes(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    let (opcode, service_action) = (Opcode(cdb.u8(3)), cdb.u16(4));
    let reporting = match cdb.bits(2, 0, 3) {
        0b000 => Reporting::All,
        0b001 => Reporting::Opcode(opcode),
        0b010 => Reporting::ServiceAction(opcode, service_action),
        0b011 => Reporting::Either(opcode, service_action),
        _ => return Err(Sense::invalid_cdb(2, Some(2))),
    };
    let (timeouts, allocation_length) = (cdb.bit(2, 7), cdb.u32(6));
    Ok(Operation::ReportSupportedOperationCodes(ReportSupportedOperationCodes {
        timeouts,
        reporting,
        allocation_length,
    }))
}

pub(super) fn report_supported_task_management(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    let (extended, allocation_length) = (cdb.bit(2, 7), cdb.u32(6));
    let report = ReportSupportedTaskManagementFunctions { extended, allocation_length };
    Ok(Operation::ReportSupportedTaskManagementFunctions(report))
}

pub(super) fn report_target_port_groups(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    let extended = match cdb.bits(1, 5, 3) {
        0b000 => false,
        0b001 => true,
        _ => return Err(Sense::invalid_cdb(1, Some(7))),
    };
    let allocation_length = cdb.u32(6);
    Ok(Operation::ReportTargetPortGroups(ReportTargetPortGroups { extended, allocation_length }))
}

pub(super) fn set_target_port_groups(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::SetTargetPortGroups { parameter_list_length: cdb.u32(6) })
}
