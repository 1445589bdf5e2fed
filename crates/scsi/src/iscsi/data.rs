//! SCSI Data-Out, SCSI Data-In and Ready To Transfer (RFC 7143, 11.7 and 11.8).

use super::command::Residual;
use super::header::{Header, Opcode, TaskTag};
use super::serial::{DataSn, StatSn};

/// SCSI Data-Out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataOut {
    /// The last of its sequence: of the unsolicited data, or of what one R2T asked for.
    pub is_final: bool,
    /// The unit that the R2T named; zero for unsolicited data.
    pub lun: [u8; 8],
    /// The command.
    pub task_tag: TaskTag,
    /// The R2T that asked for it, or [`TaskTag::NONE`].
    pub transfer_tag: TaskTag,
    /// What the initiator has seen.
    pub exp_stat_sn: StatSn,
    /// Its place in the sequence.
    pub data_sn: DataSn,
    /// Where in the command's data its own begin, in bytes.
    pub offset: u32,
    /// Bytes of its data segment.
    pub length: usize,
}

impl DataOut {
    /// The PDU in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> DataOut {
        DataOut {
            is_final: header.is_final(),
            lun: header.lun(),
            task_tag: header.task_tag(),
            transfer_tag: TaskTag(header.u32_at(20)),
            exp_stat_sn: header.exp_stat_sn(),
            data_sn: header.data_sn(),
            offset: header.u32_at(40),
            length: header.data_length(),
        }
    }

    /// The header of the PDU.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::DataOut);
        header.0[1] = u8::from(self.is_final) << 7;
        header.set_data_length(self.length);
        header.set(8, self.lun);
        header.set_u32(16, self.task_tag.0);
        header.set_u32(20, self.transfer_tag.0);
        header.set_u32(28, self.exp_stat_sn.0);
        header.set_u32(36, self.data_sn.0);
        header.set_u32(40, self.offset);
        header
    }
}

/// SCSI Data-In.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataIn {
    /// The last of its sequence.
    pub is_final: bool,
    /// The command ended with this: its status and residual, so that no SCSI Response follows.
    pub status: Option<(u8, Residual)>,
    /// The command.
    pub task_tag: TaskTag,
    /// Its place among the command's.
    pub data_sn: DataSn,
    /// Where in the command's data its own begin, in bytes.
    pub offset: u32,
    /// Bytes of its data segment.
    pub length: usize,
}

impl DataIn {
    /// The PDU in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> DataIn {
        let has_status = header.0[1] & 1 != 0;
        DataIn {
            is_final: header.is_final(),
            status: if has_status { Some((header.0[3], Residual::from_header(header))) } else { None },
            task_tag: header.task_tag(),
            data_sn: header.data_sn(),
            offset: header.u32_at(40),
            length: header.data_length(),
        }
    }

    /// The header of the PDU, without its numbering.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::DataIn);
        header.0[1] = u8::from(self.is_final) << 7;
        header.set_data_length(self.length);
        header.set_u32(16, self.task_tag.0);
        header.set_u32(20, TaskTag::NONE.0);
        header.set_u32(36, self.data_sn.0);
        header.set_u32(40, self.offset);
        if let Some((status, residual)) = self.status {
            header.0[1] |= 1;
            header.0[3] = status;
            residual.put(&mut header);
        }
        header
    }
}

/// Ready To Transfer: the target asks for a part of a command's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyToTransfer {
    /// The command's unit.
    pub lun: [u8; 8],
    /// The command.
    pub task_tag: TaskTag,
    /// The target's name for this sequence of data.
    pub transfer_tag: TaskTag,
    /// Its place among the command's.
    pub r2t_sn: DataSn,
    /// Where in the command's data the part begins, in bytes.
    pub offset: u32,
    /// How many bytes are asked for; never 0.
    pub length: u32,
}

impl ReadyToTransfer {
    /// The PDU in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> ReadyToTransfer {
        ReadyToTransfer {
            lun: header.lun(),
            task_tag: header.task_tag(),
            transfer_tag: TaskTag(header.u32_at(20)),
            r2t_sn: header.data_sn(),
            offset: header.u32_at(40),
            length: header.u32_at(44),
        }
    }

    /// The header of the PDU, without its numbering.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::ReadyToTransfer);
        header.0[1] = 0x80;
        header.set(8, self.lun);
        header.set_u32(16, self.task_tag.0);
        header.set_u32(20, self.transfer_tag.0);
        header.set_u32(36, self.r2t_sn.0);
        header.set_u32(40, self.offset);
        header.set_u32(44, self.length);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_pdus_are_read_as_they_were_written() {
        let out = DataOut {
            is_final: true,
            lun: [0, 1, 0, 0, 0, 0, 0, 0],
            task_tag: TaskTag(3),
            transfer_tag: TaskTag(4),
            exp_stat_sn: StatSn(5),
            data_sn: DataSn(6),
            offset: 8192,
            length: 4096,
        };
        assert_eq!(DataOut::decode(&out.encode()), out);
        for status in [None, Some((0, Residual::Under(512)))] {
            let data_in = DataIn {
                is_final: true,
                status,
                task_tag: TaskTag(3),
                data_sn: DataSn(1),
                offset: 512,
                length: 17,
            };
            assert_eq!(DataIn::decode(&data_in.encode()), data_in);
        }
        let wanted = ReadyToTransfer {
            lun: [0; 8],
            task_tag: TaskTag(3),
            transfer_tag: TaskTag(9),
            r2t_sn: DataSn(2),
            offset: 65_536,
            length: 262_144,
        };
        assert_eq!(ReadyToTransfer::decode(&wanted.encode()), wanted);
    }
}
