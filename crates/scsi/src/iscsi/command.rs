//! SCSI Command and SCSI Response (RFC 7143, 11.3 and 11.4).

use super::header::{Header, Opcode, TaskTag};
use super::serial::{CmdSn, DataSn, StatSn};

/// How a task stands among the others of its logical unit (RFC 7143, 11.3.1.2; SAM-5, 8.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskAttribute {
    /// None was given: as simple.
    Untagged,
    /// In any order with other simple ones.
    Simple,
    /// After all that came before, before all that comes after.
    Ordered,
    /// Before all that has not begun.
    HeadOfQueue,
    /// For a nexus with an auto contingent allegiance, which nobody here has.
    Aca,
    /// A number that the standard keeps for later.
    Reserved(u8),
}

impl TaskAttribute {
    const fn from_bits(bits: u8) -> TaskAttribute {
        match bits & 7 {
            0 => TaskAttribute::Untagged,
            1 => TaskAttribute::Simple,
            2 => TaskAttribute::Ordered,
            3 => TaskAttribute::HeadOfQueue,
            4 => TaskAttribute::Aca,
            reserved => TaskAttribute::Reserved(reserved),
        }
    }

    const fn bits(self) -> u8 {
        match self {
            TaskAttribute::Untagged => 0,
            TaskAttribute::Simple => 1,
            TaskAttribute::Ordered => 2,
            TaskAttribute::HeadOfQueue => 3,
            TaskAttribute::Aca => 4,
            TaskAttribute::Reserved(bits) => bits & 7,
        }
    }
}

/// The bytes of a CDB that the header itself holds; longer ones go on in an additional header segment.
pub const CDB_LENGTH: usize = 16;

/// SCSI Command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScsiCommand {
    /// Delivered at once, whatever its number.
    pub is_immediate: bool,
    /// No unsolicited Data-Out follows.
    pub is_final: bool,
    /// Data goes to the initiator.
    pub reads: bool,
    /// Data comes from the initiator.
    pub writes: bool,
    /// Its place among the tasks of its unit.
    pub attribute: TaskAttribute,
    /// The logical unit.
    pub lun: [u8; 8],
    /// The initiator's name for it.
    pub task_tag: TaskTag,
    /// Bytes that the initiator expects to send (`writes`) or to receive.
    pub expected_length: u32,
    /// Its place in the session's order.
    pub cmd_sn: CmdSn,
    /// What the initiator has seen.
    pub exp_stat_sn: StatSn,
    /// The first 16 bytes of the CDB, the rest zero.
    pub cdb: [u8; CDB_LENGTH],
}

impl ScsiCommand {
    /// The command in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> ScsiCommand {
        let flags = header.0[1];
        ScsiCommand {
            is_immediate: header.is_immediate(),
            is_final: flags & 0x80 != 0,
            reads: flags & 0x40 != 0,
            writes: flags & 0x20 != 0,
            attribute: TaskAttribute::from_bits(flags),
            lun: header.lun(),
            task_tag: header.task_tag(),
            expected_length: header.u32_at(20),
            cmd_sn: header.cmd_sn(),
            exp_stat_sn: header.exp_stat_sn(),
            cdb: header.array(32),
        }
    }

    /// Bytes that the initiator means to send: none where it says that they go the other way, or nowhere.
    #[must_use]
    pub const fn data_out_length(&self) -> usize {
        if self.writes { self.expected_length as usize } else { 0 }
    }

    /// The header of the command.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::ScsiCommand).with_immediate(self.is_immediate);
        header.0[1] = u8::from(self.is_final) << 7
            | u8::from(self.reads) << 6
            | u8::from(self.writes) << 5
            | self.attribute.bits();
        header.set(8, self.lun);
        header.set_u32(16, self.task_tag.0);
        header.set_u32(20, self.expected_length);
        header.set_u32(24, self.cmd_sn.0);
        header.set_u32(28, self.exp_stat_sn.0);
        header.set(32, self.cdb);
        header
    }
}

/// How the length that was expected and the length that was moved differ (RFC 7143, 11.4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Residual {
    /// Not at all.
    #[default]
    None,
    /// So many bytes fewer were moved than expected.
    Under(u32),
    /// So many bytes more would have been moved.
    Over(u32),
}

impl Residual {
    /// What results where `expected` bytes were expected and the command was for `actual`.
    #[must_use]
    pub fn of(expected: u64, actual: u64) -> Residual {
        let count = |difference: u64| u32::try_from(difference).unwrap_or(u32::MAX);
        match expected.cmp(&actual) {
            std::cmp::Ordering::Equal => Residual::None,
            std::cmp::Ordering::Greater => Residual::Under(count(expected - actual)),
            std::cmp::Ordering::Less => Residual::Over(count(actual - expected)),
        }
    }

    pub(super) const fn from_header(header: &Header) -> Residual {
        let count = header.u32_at(44);
        match header.0[1] & 0x06 {
            0x02 => Residual::Under(count),
            0x04 => Residual::Over(count),
            _ => Residual::None,
        }
    }

    pub(super) const fn put(self, header: &mut Header) {
        match self {
            Residual::None => {}
            Residual::Under(count) => {
                header.0[1] |= 0x02;
                header.set_u32(44, count);
            }
            Residual::Over(count) => {
                header.0[1] |= 0x04;
                header.set_u32(44, count);
            }
        }
    }
}

/// Whether the target did what was asked of it (RFC 7143, 11.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceResponse {
    /// The command completed at the target; its status says how.
    Completed,
    /// The target failed; there is no status.
    TargetFailure,
    /// A code of a vendor or of later standards.
    Other(u8),
}

impl ServiceResponse {
    const fn number(self) -> u8 {
        match self {
            ServiceResponse::Completed => 0,
            ServiceResponse::TargetFailure => 1,
            ServiceResponse::Other(number) => number,
        }
    }
}

/// SCSI Response. Its data segment, where there is one, is the sense data behind their length in two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScsiResponse {
    /// Whether there is a status.
    pub response: ServiceResponse,
    /// The SCSI status.
    pub status: u8,
    /// The command.
    pub task_tag: TaskTag,
    /// How many Data-In or R2T PDUs the command had.
    pub exp_data_sn: DataSn,
    /// How much less or more than expected was moved.
    pub residual: Residual,
}

impl ScsiResponse {
    /// The response in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> ScsiResponse {
        ScsiResponse {
            response: match header.0[2] {
                0 => ServiceResponse::Completed,
                1 => ServiceResponse::TargetFailure,
                other => ServiceResponse::Other(other),
            },
            status: header.0[3],
            task_tag: header.task_tag(),
            exp_data_sn: header.data_sn(),
            residual: Residual::from_header(header),
        }
    }

    /// The header of the response, without its numbering.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::ScsiResponse);
        header.0[1] = 0x80;
        header.0[2] = self.response.number();
        header.0[3] = self.status;
        header.set_u32(16, self.task_tag.0);
        header.set_u32(36, self.exp_data_sn.0);
        self.residual.put(&mut header);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_it_was_written() {
        let command = ScsiCommand {
            is_immediate: true,
            is_final: true,
            reads: false,
            writes: true,
            attribute: TaskAttribute::Ordered,
            lun: [0, 3, 0, 0, 0, 0, 0, 0],
            task_tag: TaskTag(0x1234_5678),
            expected_length: 1024,
            cmd_sn: CmdSn(7),
            exp_stat_sn: StatSn(9),
            cdb: [0x89, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0],
        };
        let header = command.encode();
        assert_eq!(header.0[..4], [0x41, 0xa2, 0, 0]);
        assert_eq!(header.0[20..24], [0, 0, 4, 0]);
        assert_eq!(ScsiCommand::decode(&header), command);
    }

    #[test]
    fn a_residual_says_which_of_the_two_lengths_was_the_longer_one() {
        assert_eq!(Residual::of(512, 512), Residual::None);
        assert_eq!(Residual::of(1024, 512), Residual::Under(512));
        assert_eq!(Residual::of(512, 1 << 40), Residual::Over(u32::MAX));
        for residual in [Residual::None, Residual::Under(7), Residual::Over(9)] {
            let response = ScsiResponse {
                response: ServiceResponse::Completed,
                status: 2,
                task_tag: TaskTag(5),
                exp_data_sn: DataSn(2),
                residual,
            };
            assert_eq!(ScsiResponse::decode(&response.encode()), response);
        }
    }
}
