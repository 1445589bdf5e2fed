//! REPORT SUPPORTED OPERATION CODES and REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS parameter data (SPC-5).

use crate::bytes::{View, flag, length_u16, length_u32, put};
use crate::command::{CommandDescription, Reporting, find};
use crate::opcode::Opcode;
use crate::sense::Sense;

/// How long commands take: a command timeouts descriptor. 0 tells nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandTimeouts {
    /// NOMINAL COMMAND PROCESSING TIMEOUT, in seconds.
    pub nominal_seconds: u32,
    /// RECOMMENDED COMMAND TIMEOUT, in seconds.
    pub recommended_seconds: u32,
}

impl CommandTimeouts {
    fn encode(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[1] = 0x0a;
        put(&mut bytes, 4, &self.nominal_seconds.to_be_bytes());
        put(&mut bytes, 8, &self.recommended_seconds.to_be_bytes());
        bytes
    }
}

/// The parameter data of REPORT SUPPORTED OPERATION CODES. `commands` are those that this unit executes, in their order; with `timeouts`,
/// each has a command timeouts descriptor.
///
/// # Errors
/// INVALID FIELD IN CDB, where one without service actions is asked about and the operation code has them, or the other way round.
pub fn report_operation_codes<'a>(
    commands: impl Iterator<Item = &'a CommandDescription> + Clone,
    reporting: Reporting,
    timeouts: Option<CommandTimeouts>,
) -> Result<Vec<u8>, Sense> {
    let of = |opcode: Opcode| commands.clone().filter(move |row| row.opcode == opcode);
    let has_actions = |opcode: Opcode| of(opcode).next().map(|row| row.service_action.is_some());
    let chosen = match reporting {
        Reporting::All => return Ok(all_commands(commands, timeouts)),
        Reporting::Opcode(opcode) => match has_actions(opcode) {
            Some(true) => return Err(Sense::invalid_cdb(2, Some(2))),
            _ => of(opcode).next(),
        },
        Reporting::ServiceAction(opcode, action) => match has_actions(opcode) {
            Some(false) => return Err(Sense::invalid_cdb(2, Some(2))),
            _ => of(opcode).find(|row| row.service_action == Some(action)),
        },
        Reporting::Either(opcode, action) => of(opcode).find(|row| row.service_action.unwrap_or(0) == action),
    };
    Ok(one_command(chosen, timeouts))
}

/// SPC-5, "All_commands parameter data format".
fn all_commands<'a>(
    commands: impl Iterator<Item = &'a CommandDescription>,
    timeouts: Option<CommandTimeouts>,
) -> Vec<u8> {
    let mut data = vec![0; 4];
    for row in commands {
        data.extend([row.opcode.0, 0]);
        data.extend(row.service_action.unwrap_or(0).to_be_bytes());
        data.extend([0, flag(timeouts.is_some(), 1) | flag(row.service_action.is_some(), 0)]);
        data.extend(length_u16(row.cdb_length()).to_be_bytes());
        data.extend(timeouts.iter().flat_map(|timeouts| timeouts.encode()));
    }
    let length = length_u32(data.len() - 4);
    put(&mut data, 0, &length.to_be_bytes());
    data
}

/// SPC-5, "One_command parameter data format".
fn one_command(command: Option<&CommandDescription>, timeouts: Option<CommandTimeouts>) -> Vec<u8> {
    const NOT_SUPPORTED: u8 = 0b001;
    const AS_THE_STANDARD_SAYS: u8 = 0b011;
    let Some(row) = command else { return vec![0, NOT_SUPPORTED, 0, 0] };
    let mut data = vec![0, flag(timeouts.is_some(), 7) | AS_THE_STANDARD_SAYS];
    data.extend(length_u16(row.cdb_length()).to_be_bytes());
    data.extend(row.usage);
    data.extend(timeouts.iter().flat_map(|timeouts| timeouts.encode()));
    data
}

/// A command of another target, as REPORT SUPPORTED OPERATION CODES lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SupportedCommand {
    /// The operation code.
    pub opcode: Opcode,
    /// Its service action, where it has any.
    pub service_action: Option<u16>,
    /// CDB LENGTH, in bytes.
    pub cdb_length: u16,
}

impl SupportedCommand {
    /// What this crate's table knows of it.
    #[must_use]
    pub fn description(&self) -> Option<&'static CommandDescription> {
        find(self.opcode, self.service_action.unwrap_or(0))
    }

    /// Reads the list of all commands, up to the first descriptor that is cut short.
    #[must_use]
    pub fn decode_all(data: &[u8]) -> Option<Vec<SupportedCommand>> {
        let length = View(data).u32(0)? as usize;
        let mut rest = data.get(4..)?;
        rest = rest.get(..length).unwrap_or(rest);
        let mut commands = Vec::new();
        while let [opcode, _, high, low, _, flags, length_high, length_low, behind @ ..] = rest {
            let action = u16::from_be_bytes([*high, *low]);
            commands.push(SupportedCommand {
                opcode: Opcode(*opcode),
                service_action: (flags & 1 != 0).then_some(action),
                cdb_length: u16::from_be_bytes([*length_high, *length_low]),
            });
            let timeouts = if flags & 2 == 0 { 0 } else { 12 };
            rest = behind.get(timeouts..).unwrap_or(&[]);
        }
        Some(commands)
    }
}

/// Which task management functions are carried out (SPC-5, "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS parameter data").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskManagementSupport {
    /// ATS: ABORT TASK.
    pub abort_task: bool,
    /// ATSS: ABORT TASK SET.
    pub abort_task_set: bool,
    /// CACAS: CLEAR ACA.
    pub clear_aca: bool,
    /// CTSS: CLEAR TASK SET.
    pub clear_task_set: bool,
    /// LURS: LOGICAL UNIT RESET.
    pub logical_unit_reset: bool,
    /// QTS: QUERY TASK.
    pub query_task: bool,
    /// TRS: target reset, which SAM-5 no longer has and iSCSI does.
    pub target_reset: bool,
    /// QAES: QUERY ASYNCHRONOUS EVENT.
    pub query_asynchronous_event: bool,
    /// QTSS: QUERY TASK SET.
    pub query_task_set: bool,
    /// ITNRS: I_T NEXUS RESET.
    pub nexus_reset: bool,
}

impl TaskManagementSupport {
    /// The parameter data: 4 bytes, or 16 where the extended form is asked for, which tells of no timeouts.
    #[must_use]
    pub fn encode(&self, extended: bool) -> Vec<u8> {
        let mut data = vec![0; if extended { 16 } else { 4 }];
        let first = [
            (self.abort_task, 7),
            (self.abort_task_set, 6),
            (self.clear_aca, 5),
            (self.clear_task_set, 4),
            (self.logical_unit_reset, 3),
            (self.query_task, 2),
            (self.target_reset, 1),
        ];
        data[0] = first.into_iter().fold(0, |byte, (set, bit)| byte | flag(set, bit));
        data[1] =
            flag(self.query_asynchronous_event, 2) | flag(self.query_task_set, 1) | flag(self.nexus_reset, 0);
        if extended {
            data[3] = 12;
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::COMMANDS;

    #[test]
    fn every_command_is_listed_and_reads_back() {
        for timeouts in [None, Some(CommandTimeouts::default())] {
            let data = report_operation_codes(COMMANDS.iter(), Reporting::All, timeouts).unwrap();
            assert_eq!(data.len(), 4 + COMMANDS.len() * if timeouts.is_some() { 20 } else { 8 });
            let listed = SupportedCommand::decode_all(&data).unwrap();
            assert_eq!(listed.len(), COMMANDS.len());
            for (listed, row) in listed.iter().zip(COMMANDS) {
                assert!(std::ptr::eq(listed.description().unwrap(), row), "{listed:?}");
                assert_eq!(usize::from(listed.cdb_length), row.cdb_length());
            }
        }
    }

    #[test]
    fn one_command_is_told_with_its_usage_map_and_timeouts() {
        let reporting = Reporting::Opcode(Opcode::INQUIRY);
        let data = report_operation_codes(COMMANDS.iter(), reporting, None).unwrap();
        assert_eq!(data, [0, 0x03, 0, 6, 0x12, 0x01, 0xff, 0xff, 0xff, 0]);
        let timeouts = CommandTimeouts { nominal_seconds: 1, recommended_seconds: 60 };
        let data = report_operation_codes(COMMANDS.iter(), reporting, Some(timeouts)).unwrap();
        assert_eq!(data[..4], [0, 0x83, 0, 6]);
        assert_eq!(data[10..], [0, 0x0a, 0, 0, 0, 0, 0, 1, 0, 0, 0, 60]);
    }

    #[test]
    fn the_service_action_stands_in_its_field_of_the_usage_map() {
        let reporting = Reporting::ServiceAction(Opcode::SERVICE_ACTION_IN_16, 0x12);
        let data = report_operation_codes(COMMANDS.iter(), reporting, None).unwrap();
        assert_eq!(data[..6], [0, 0x03, 0, 16, 0x9e, 0x12]);
    }

    #[test]
    fn a_question_of_the_wrong_kind_is_refused_and_an_unknown_command_is_not_supported() {
        let ask = |reporting| report_operation_codes(COMMANDS.iter(), reporting, None);
        let refused = Err(Sense::invalid_cdb(2, Some(2)));
        assert_eq!(ask(Reporting::Opcode(Opcode::SANITIZE)), refused);
        assert_eq!(ask(Reporting::ServiceAction(Opcode::INQUIRY, 0)), refused);
        for unknown in [
            Reporting::Opcode(Opcode(0xf1)),
            Reporting::ServiceAction(Opcode(0xf1), 0),
            Reporting::ServiceAction(Opcode::SANITIZE, 3),
            Reporting::Either(Opcode::INQUIRY, 1),
        ] {
            assert_eq!(ask(unknown), Ok(vec![0, 1, 0, 0]), "{unknown:?}");
        }
        assert_eq!(ask(Reporting::Either(Opcode::INQUIRY, 0)), ask(Reporting::Opcode(Opcode::INQUIRY)));
    }

    #[test]
    fn task_management_is_told_bit_by_bit() {
        let support = TaskManagementSupport {
            abort_task: true,
            logical_unit_reset: true,
            target_reset: true,
            nexus_reset: true,
            ..TaskManagementSupport::default()
        };
        assert_eq!(support.encode(false), [0x8a, 0x01, 0, 0]);
        let extended = support.encode(true);
        assert_eq!((extended.len(), &extended[..4]), (16, &[0x8a, 0x01, 0, 12][..]));
    }
}
