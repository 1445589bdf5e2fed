//! The table of all commands that the array executes.

use super::description::{AccessRule, CommandDescription, SERVICE_ACTION_BITS, row};
use super::{copy, medium, primary, report, reserve, space, transfer};
use crate::opcode::Opcode;
use crate::reservation::ReservationRule as Rule;
use crate::sense::Sense;
use crate::sense_code::AdditionalSense;

/// FUA_NV of SBC-2, bit 1 of byte 1: obsolete, and without a meaning where nothing is non-volatile but the medium.
const FUA_NV: &[(usize, u8)] = &[(1, 0x02)];
/// SYNC_NV of SBC-2, bit 2 of byte 1: obsolete as well.
const SYNC_NV: &[(usize, u8)] = &[(1, 0x04)];
/// LIST IDENTIFIER of SPC-3's RECEIVE COPY RESULTS, which this service action never looked at.
const LIST_IDENTIFIER: &[(usize, u8)] = &[(2, 0xff)];

/// Every command, in the order of its operation code and service action.
pub static COMMANDS: &[CommandDescription] = &[
    row("TEST UNIT READY", "SPC-5, TEST UNIT READY command", &[0x00, 0, 0, 0, 0, 0], medium::test_unit_ready)
        .on_medium()
        .reserved_as(Rule::AllowedButReserve),
    row(
        "REQUEST SENSE",
        "SPC-5, REQUEST SENSE command",
        &[0x03, 0x01, 0, 0, 0xff, 0],
        primary::request_sense,
    )
    .accessed(AccessRule::Always)
    .past_attention(),
    row("READ(6)", "SBC-3, READ (6) command", &[0x08, 0x1f, 0xff, 0xff, 0xff, 0], transfer::read_6).reads(),
    row("WRITE(6)", "SBC-3, WRITE (6) command", &[0x0a, 0x1f, 0xff, 0xff, 0xff, 0], transfer::write_6)
        .writes(),
    row("INQUIRY", "SPC-5, INQUIRY command", &[0x12, 0x01, 0xff, 0xff, 0xff, 0], primary::inquiry)
        .accessed(AccessRule::Always)
        .past_attention(),
    row(
        "MODE SELECT(6)",
        "SPC-5, MODE SELECT (6) command",
        &[0x15, 0x11, 0, 0, 0xff, 0],
        primary::mode_select_6,
    )
    .accessed(AccessRule::Standby)
    .reserved_as(Rule::Write),
    row("RESERVE(6)", "SPC-2, RESERVE(6) command", &[0x16, 0, 0, 0, 0, 0], reserve::reserve)
        .reserved_as(Rule::Reserve),
    row("RELEASE(6)", "SPC-2, RELEASE(6) command", &[0x17, 0, 0, 0, 0, 0], reserve::release)
        .reserved_as(Rule::Reserve),
    row(
        "MODE SENSE(6)",
        "SPC-5, MODE SENSE (6) command",
        &[0x1a, 0x08, 0xff, 0xff, 0xff, 0],
        primary::mode_sense_6,
    )
    .accessed(AccessRule::Standby)
    .reserved_as(Rule::Read),
    row(
        "START STOP UNIT",
        "SBC-4, START STOP UNIT command",
        &[0x1b, 0x01, 0, 0x0f, 0xf7, 0],
        medium::start_stop_unit,
    )
    .reserved_as(Rule::Write),
    row(
        "PREVENT ALLOW MEDIUM REMOVAL",
        "SBC-4, PREVENT ALLOW MEDIUM REMOVAL command",
        &[0x1e, 0, 0, 0, 0x03, 0],
        medium::prevent_allow,
    )
    .reserved_as(Rule::Write),
    row(
        "READ CAPACITY(10)",
        "SBC-4, READ CAPACITY (10) command",
        &[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        medium::read_capacity_10,
    )
    .accessed(AccessRule::Standby)
    .on_medium(),
    row(
        "READ(10)",
        "SBC-4, READ (10) command",
        &[0x28, 0x18, 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0],
        transfer::read_10,
    )
    .ignores(FUA_NV)
    .reads(),
    row(
        "WRITE(10)",
        "SBC-4, WRITE (10) command",
        &[0x2a, 0x18, 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0],
        transfer::write_10,
    )
    .ignores(FUA_NV)
    .writes(),
    row(
        "WRITE AND VERIFY(10)",
        "SBC-4, WRITE AND VERIFY (10) command",
        &[0x2e, 0x16, 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0],
        transfer::write_and_verify_10,
    )
    .writes(),
    row(
        "VERIFY(10)",
        "SBC-4, VERIFY (10) command",
        &[0x2f, 0x16, 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0],
        transfer::verify_10,
    )
    .reads(),
    row(
        "PRE-FETCH(10)",
        "SBC-4, PRE-FETCH (10) command",
        &[0x34, 0x02, 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0],
        transfer::pre_fetch_10,
    )
    .reads(),
    row(
        "SYNCHRONIZE CACHE(10)",
        "SBC-4, SYNCHRONIZE CACHE (10) command",
        &[0x35, 0x02, 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0],
        transfer::synchronize_cache_10,
    )
    .ignores(SYNC_NV)
    .on_medium()
    .reserved_as(Rule::Write),
    row(
        "READ DEFECT DATA(10)",
        "SBC-4, READ DEFECT DATA (10) command",
        &[0x37, 0, 0x1f, 0, 0, 0, 0, 0xff, 0xff, 0],
        medium::read_defect_data_10,
    )
    .on_medium()
    .reserved_as(Rule::Write),
    row(
        "WRITE SAME(10)",
        "SBC-4, WRITE SAME (10) command",
        &[0x41, 0x18, 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0],
        space::write_same_10,
    )
    .writes(),
    row("UNMAP", "SBC-4, UNMAP command", &[0x42, 0x01, 0, 0, 0, 0, 0x3f, 0xff, 0xff, 0], space::unmap)
        .writes(),
    row(
        "SANITIZE (OVERWRITE)",
        "SBC-4, SANITIZE command",
        &[0x48, 0xa1, 0, 0, 0, 0, 0, 0xff, 0xff, 0],
        space::sanitize_overwrite,
    )
    .action(0x01)
    .writes(),
    row(
        "SANITIZE (BLOCK ERASE)",
        "SBC-4, SANITIZE command",
        &[0x48, 0xa2, 0, 0, 0, 0, 0, 0, 0, 0],
        space::sanitize_block_erase,
    )
    .action(0x02)
    .writes(),
    row(
        "SANITIZE (EXIT FAILURE MODE)",
        "SBC-4, SANITIZE command",
        &[0x48, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0],
        space::sanitize_exit_failure_mode,
    )
    .action(0x1f)
    .writes(),
    row(
        "LOG SELECT",
        "SPC-5, LOG SELECT command",
        &[0x4c, 0x03, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0],
        primary::log_select,
    )
    .accessed(AccessRule::Standby)
    .reserved_as(Rule::Write),
    row(
        "LOG SENSE",
        "SPC-5, LOG SENSE command",
        &[0x4d, 0x01, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0],
        primary::log_sense,
    )
    .accessed(AccessRule::Standby),
    row(
        "MODE SELECT(10)",
        "SPC-5, MODE SELECT (10) command",
        &[0x55, 0x11, 0, 0, 0, 0, 0, 0xff, 0xff, 0],
        primary::mode_select_10,
    )
    .accessed(AccessRule::Standby)
    .reserved_as(Rule::Write),
    row("RESERVE(10)", "SPC-2, RESERVE(10) command", &[0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0], reserve::reserve)
        .reserved_as(Rule::Reserve),
    row("RELEASE(10)", "SPC-2, RELEASE(10) command", &[0x57, 0, 0, 0, 0, 0, 0, 0, 0, 0], reserve::release)
        .reserved_as(Rule::Reserve),
    row(
        "MODE SENSE(10)",
        "SPC-5, MODE SENSE (10) command",
        &[0x5a, 0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0],
        primary::mode_sense_10,
    )
    .accessed(AccessRule::Standby)
    .reserved_as(Rule::Read),
    persistent_in(
        "PERSISTENT RESERVE IN (READ KEYS)",
        &[0x5e, 0x00, 0, 0, 0, 0, 0, 0xff, 0xff, 0],
        reserve::read_keys,
    )
    .action(0x00),
    persistent_in(
        "PERSISTENT RESERVE IN (READ RESERVATION)",
        &[0x5e, 0x01, 0, 0, 0, 0, 0, 0xff, 0xff, 0],
        reserve::read_reservation,
    )
    .action(0x01),
    persistent_in(
        "PERSISTENT RESERVE IN (REPORT CAPABILITIES)",
        &[0x5e, 0x02, 0, 0, 0, 0, 0, 0xff, 0xff, 0],
        reserve::report_capabilities,
    )
    .action(0x02),
    persistent_in(
        "PERSISTENT RESERVE IN (READ FULL STATUS)",
        &[0x5e, 0x03, 0, 0, 0, 0, 0, 0xff, 0xff, 0],
        reserve::read_full_status,
    )
    .action(0x03),
    persistent_out(
        "PERSISTENT RESERVE OUT (REGISTER)",
        &[0x5f, 0x00, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0],
        reserve::register,
    )
    .action(0x00),
    persistent_out(
        "PERSISTENT RESERVE OUT (RESERVE)",
        &[0x5f, 0x01, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0],
        reserve::persistent_reserve,
    )
    .action(0x01),
    persistent_out(
        "PERSISTENT RESERVE OUT (RELEASE)",
        &[0x5f, 0x02, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0],
        reserve::persistent_release,
    )
    .action(0x02),
    persistent_out(
        "PERSISTENT RESERVE OUT (CLEAR)",
        &[0x5f, 0x03, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0],
        reserve::clear,
    )
    .action(0x03),
    persistent_out(
        "PERSISTENT RESERVE OUT (PREEMPT)",
        &[0x5f, 0x04, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0],
        reserve::preempt,
    )
    .action(0x04),
    persistent_out(
        "PERSISTENT RESERVE OUT (PREEMPT AND ABORT)",
        &[0x5f, 0x05, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0],
        reserve::preempt_and_abort,
    )
    .action(0x05),
    persistent_out(
        "PERSISTENT RESERVE OUT (REGISTER AND IGNORE EXISTING KEY)",
        &[0x5f, 0x06, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0],
        reserve::register_and_ignore,
    )
    .action(0x06),
    persistent_out(
        "PERSISTENT RESERVE OUT (REGISTER AND MOVE)",
        &[0x5f, 0x07, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0],
        reserve::register_and_move,
    )
    .action(0x07),
    row(
        "EXTENDED COPY(LID1)",
        "SPC-4, EXTENDED COPY (LID1) command",
        &[0x83, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
        copy::extended_copy,
    )
    .action(0x00)
    .on_medium()
    .reserved_as(Rule::Write),
    row(
        "RECEIVE COPY STATUS(LID1)",
        "SPC-4, RECEIVE COPY STATUS (LID1) command",
        &[0x84, 0x00, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
        copy::copy_status,
    )
    .action(0x00)
    .reserved_as(Rule::Write),
    row(
        "RECEIVE COPY OPERATING PARAMETERS",
        "SPC-4, RECEIVE COPY OPERATING PARAMETERS command",
        &[0x84, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
        copy::operating_parameters,
    )
    .ignores(LIST_IDENTIFIER)
    .action(0x03)
    .reserved_as(Rule::Write),
    row(
        "RECEIVE COPY FAILURE DETAILS(LID1)",
        "SPC-4, RECEIVE COPY FAILURE DETAILS (LID1) command",
        &[0x84, 0x04, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
        copy::failed_segment_details,
    )
    .action(0x04)
    .reserved_as(Rule::Write),
    row(
        "READ(16)",
        "SBC-4, READ (16) command",
        &[0x88, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::read_16,
    )
    .ignores(FUA_NV)
    .reads(),
    row(
        "COMPARE AND WRITE",
        "SBC-4, COMPARE AND WRITE command",
        &[0x89, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0xff, 0x3f, 0],
        transfer::compare_and_write,
    )
    .ignores(FUA_NV)
    .writes(),
    row(
        "WRITE(16)",
        "SBC-4, WRITE (16) command",
        &[0x8a, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::write_16,
    )
    .ignores(FUA_NV)
    .writes(),
    row(
        "ORWRITE(16)",
        "SBC-4, ORWRITE (16) command",
        &[0x8b, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::orwrite_16,
    )
    .ignores(FUA_NV)
    .writes(),
    row(
        "WRITE AND VERIFY(16)",
        "SBC-4, WRITE AND VERIFY (16) command",
        &[0x8e, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::write_and_verify_16,
    )
    .writes(),
    row(
        "VERIFY(16)",
        "SBC-4, VERIFY (16) command",
        &[0x8f, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::verify_16,
    )
    .reads(),
    row(
        "PRE-FETCH(16)",
        "SBC-4, PRE-FETCH (16) command",
        &[0x90, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::pre_fetch_16,
    )
    .reads(),
    row(
        "SYNCHRONIZE CACHE(16)",
        "SBC-4, SYNCHRONIZE CACHE (16) command",
        &[0x91, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::synchronize_cache_16,
    )
    .ignores(SYNC_NV)
    .on_medium()
    .reserved_as(Rule::Write),
    row(
        "WRITE SAME(16)",
        "SBC-4, WRITE SAME (16) command",
        &[0x93, 0x19, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        space::write_same_16,
    )
    .writes(),
    row(
        "WRITE ATOMIC(16)",
        "SBC-4, WRITE ATOMIC (16) command",
        &[0x9c, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::write_atomic_16,
    )
    .writes(),
    row(
        "READ CAPACITY(16)",
        "SBC-4, READ CAPACITY (16) command",
        &[0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
        medium::read_capacity_16,
    )
    .action(0x10)
    .accessed(AccessRule::Standby)
    .on_medium(),
    row(
        "GET LBA STATUS(16)",
        "SBC-4, GET LBA STATUS (16) command",
        &[0x9e, 0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
        space::get_lba_status,
    )
    .action(0x12)
    .reads(),
    row(
        "REPORT LUNS",
        "SPC-5, REPORT LUNS command",
        &[0xa0, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
        report::report_luns,
    )
    .accessed(AccessRule::Always)
    .past_attention(),
    row(
        "REPORT TARGET PORT GROUPS",
        "SPC-5, REPORT TARGET PORT GROUPS command",
        &[0xa3, 0xea, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
        report::report_target_port_groups,
    )
    .action(0x0a)
    .accessed(AccessRule::Always),
    row(
        "REPORT SUPPORTED OPERATION CODES",
        "SPC-5, REPORT SUPPORTED OPERATION CODES command",
        &[0xa3, 0x0c, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
        report::report_supported_operation_codes,
    )
    .action(0x0c)
    .accessed(AccessRule::Standby)
    .reserved_as(Rule::Read),
    row(
        "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
        "SPC-5, REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS command",
        &[0xa3, 0x0d, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
        report::report_supported_task_management,
    )
    .action(0x0d)
    .accessed(AccessRule::Standby)
    .reserved_as(Rule::Read),
    row(
        "SET TARGET PORT GROUPS",
        "SPC-5, SET TARGET PORT GROUPS command",
        &[0xa4, 0x0a, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
        report::set_target_port_groups,
    )
    .action(0x0a)
    .accessed(AccessRule::Unavailable)
    .reserved_as(Rule::Write),
    row(
        "READ(12)",
        "SBC-4, READ (12) command",
        &[0xa8, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::read_12,
    )
    .ignores(FUA_NV)
    .reads(),
    row(
        "WRITE(12)",
        "SBC-4, WRITE (12) command",
        &[0xaa, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::write_12,
    )
    .ignores(FUA_NV)
    .writes(),
    row(
        "WRITE AND VERIFY(12)",
        "SBC-4, WRITE AND VERIFY (12) command",
        &[0xae, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::write_and_verify_12,
    )
    .writes(),
    row(
        "VERIFY(12)",
        "SBC-4, VERIFY (12) command",
        &[0xaf, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0],
        transfer::verify_12,
    )
    .reads(),
    row(
        "READ DEFECT DATA(12)",
        "SBC-4, READ DEFECT DATA (12) command",
        &[0xb7, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
        medium::read_defect_data_12,
    )
    .on_medium()
    .reserved_as(Rule::Write),
];

type Decode = fn(super::cdb::Cdb<'_>) -> Result<super::Operation, Sense>;

const fn persistent_in(name: &'static str, usage: &'static [u8], decode: Decode) -> CommandDescription {
    row(name, "SPC-5, PERSISTENT RESERVE IN command", usage, decode)
        .accessed(AccessRule::Standby)
        .reserved_as(Rule::AllowedButReserve)
}

const fn persistent_out(name: &'static str, usage: &'static [u8], decode: Decode) -> CommandDescription {
    row(name, "SPC-5, PERSISTENT RESERVE OUT command", usage, decode)
        .accessed(AccessRule::Standby)
        .reserved_as(Rule::PersistentReserveOut)
}

/// All service actions of the operation code, or the one command that it is.
pub(super) fn with_opcode(opcode: Opcode) -> &'static [CommandDescription] {
    let start = COMMANDS.partition_point(|command| command.opcode < opcode);
    let length = COMMANDS[start..].partition_point(|command| command.opcode == opcode);
    &COMMANDS[start..start + length]
}

/// The command with that operation code and service action. `service_action` is not looked at where the operation code has none.
#[must_use]
pub fn find(opcode: Opcode, service_action: u16) -> Option<&'static CommandDescription> {
    let found =
        |command: &&CommandDescription| command.service_action.is_none_or(|action| action == service_action);
    with_opcode(opcode).iter().find(found)
}

/// The command that a CDB asks for, by its operation code and service action alone: what a meter or a fault needs of it.
///
/// # Errors
/// INVALID COMMAND OPERATION CODE where the array does not execute it, INVALID FIELD IN CDB where the service action is none.
pub fn describe(cdb: &[u8]) -> Result<&'static CommandDescription, Sense> {
    let Some(&opcode) = cdb.first() else { return Err(Sense::invalid_cdb(0, None)) };
    let opcode = Opcode(opcode);
    if with_opcode(opcode).is_empty() {
        return Err(Sense::illegal(AdditionalSense::INVALID_COMMAND_OPERATION_CODE).at(true, 0, None));
    }
    let action = cdb.get(1).map_or(0, |byte| byte & SERVICE_ACTION_BITS);
    find(opcode, u16::from(action)).ok_or(Sense::invalid_cdb(1, Some(4)))
}
