//! The basic header segment: the 48 bytes that every PDU begins with (RFC 7143, 11.2.1).

use super::serial::{CmdSn, DataSn, StatSn};

/// The bytes of a basic header segment.
pub const HEADER_LENGTH: usize = 48;

/// An initiator's or target's number for a task: the initiator task tag, unique among what its session has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskTag(pub u32);

impl TaskTag {
    /// No task, and no tag (RFC 7143, 11.2.1.8 and 11.7.4).
    pub const NONE: TaskTag = TaskTag(0xffff_ffff);
}

/// What a PDU is. The lower half comes from initiators, the upper half from targets (RFC 7143, 11.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// NOP-Out.
    NopOut = 0x00,
    /// SCSI Command.
    ScsiCommand = 0x01,
    /// Task Management Function Request.
    TaskRequest = 0x02,
    /// Login Request.
    LoginRequest = 0x03,
    /// Text Request.
    TextRequest = 0x04,
    /// SCSI Data-Out.
    DataOut = 0x05,
    /// Logout Request.
    LogoutRequest = 0x06,
    /// SNACK Request.
    Snack = 0x10,
    /// NOP-In.
    NopIn = 0x20,
    /// SCSI Response.
    ScsiResponse = 0x21,
    /// Task Management Function Response.
    TaskResponse = 0x22,
    /// Login Response.
    LoginResponse = 0x23,
    /// Text Response.
    TextResponse = 0x24,
    /// SCSI Data-In.
    DataIn = 0x25,
    /// Logout Response.
    LogoutResponse = 0x26,
    /// Ready To Transfer.
    ReadyToTransfer = 0x31,
    /// Asynchronous Message.
    AsyncMessage = 0x32,
    /// Reject.
    Reject = 0x3f,
}

impl Opcode {
    /// Every opcode.
    pub const ALL: [Opcode; 18] = [
        Opcode::NopOut,
        Opcode::ScsiCommand,
        Opcode::TaskRequest,
        Opcode::LoginRequest,
        Opcode::TextRequest,
        Opcode::DataOut,
        Opcode::LogoutRequest,
        Opcode::Snack,
        Opcode::NopIn,
        Opcode::ScsiResponse,
        Opcode::TaskResponse,
        Opcode::LoginResponse,
        Opcode::TextResponse,
        Opcode::DataIn,
        Opcode::LogoutResponse,
        Opcode::ReadyToTransfer,
        Opcode::AsyncMessage,
        Opcode::Reject,
    ];

    /// The opcode of that number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Opcode> {
        Opcode::ALL.into_iter().find(|opcode| *opcode as u8 == number)
    }

    /// Whether initiators send it.
    #[must_use]
    pub const fn is_request(self) -> bool {
        (self as u8) < 0x20
    }
}

/// The 48 bytes, with a name for each field that several kinds of PDU share. What only one kind has stands in that kind's
/// own type, which is decoded from this one and encoded to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header(pub [u8; HEADER_LENGTH]);

impl Header {
    pub(crate) fn new(opcode: Opcode) -> Header {
        let mut bytes = [0; HEADER_LENGTH];
        bytes[0] = opcode as u8;
        Header(bytes)
    }

    /// The opcode's number, known or not.
    #[must_use]
    pub const fn opcode_number(&self) -> u8 {
        self.0[0] & 0x3f
    }

    /// The opcode, where it is known.
    #[must_use]
    pub fn opcode(&self) -> Option<Opcode> {
        Opcode::from_number(self.opcode_number())
    }

    /// The I bit: delivered at once, whatever its CmdSN (RFC 7143, 4.2.2.1).
    #[must_use]
    pub const fn is_immediate(&self) -> bool {
        self.0[0] & 0x40 != 0
    }

    /// The F bit: the last of its sequence.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.0[1] & 0x80 != 0
    }

    /// The bytes of additional header segments behind this one, a multiple of 4.
    #[must_use]
    pub const fn additional_length(&self) -> usize {
        self.0[4] as usize * 4
    }

    /// The bytes of the data segment, without padding.
    #[must_use]
    pub const fn data_length(&self) -> usize {
        (self.0[5] as usize) << 16 | (self.0[6] as usize) << 8 | self.0[7] as usize
    }

    /// The eight bytes that name a logical unit, of PDUs that have them.
    #[must_use]
    pub const fn lun(&self) -> [u8; 8] {
        self.array(8)
    }

    /// The initiator task tag.
    #[must_use]
    pub const fn task_tag(&self) -> TaskTag {
        TaskTag(self.u32_at(16))
    }

    /// Of requests that carry one, the CmdSN: the place in the session's order.
    #[must_use]
    pub const fn cmd_sn(&self) -> CmdSn {
        CmdSn(self.u32_at(24))
    }

    /// Of requests, the status that is expected next: everything before it has been seen.
    #[must_use]
    pub const fn exp_stat_sn(&self) -> StatSn {
        StatSn(self.u32_at(28))
    }

    /// The numbers that every response carries.
    #[must_use]
    pub const fn numbering(&self) -> Numbering {
        Numbering {
            stat_sn: StatSn(self.u32_at(24)),
            exp_cmd_sn: CmdSn(self.u32_at(28)),
            max_cmd_sn: CmdSn(self.u32_at(32)),
        }
    }

    /// Sets the numbers of a response, which are those of the moment at which it is sent.
    pub const fn set_numbering(&mut self, numbering: Numbering) {
        self.set_u32(24, numbering.stat_sn.0);
        self.set_u32(28, numbering.exp_cmd_sn.0);
        self.set_u32(32, numbering.max_cmd_sn.0);
    }

    pub(crate) const fn with_immediate(mut self, is_immediate: bool) -> Header {
        if is_immediate {
            self.0[0] |= 0x40;
        }
        self
    }

    /// Sets the length of the data segment.
    ///
    /// # Panics
    /// Beyond 24 bits: nobody may send that much at once.
    pub const fn set_data_length(&mut self, length: usize) {
        assert!(length < 1 << 24, "a data segment has 24 bits of length");
        #[expect(clippy::cast_possible_truncation, reason = "the length has 24 bits")]
        let bytes = (length as u32).to_be_bytes();
        self.0[5] = bytes[1];
        self.0[6] = bytes[2];
        self.0[7] = bytes[3];
    }

    pub(crate) const fn data_sn(&self) -> DataSn {
        DataSn(self.u32_at(36))
    }

    pub(crate) const fn u16_at(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.0[at], self.0[at + 1]])
    }

    pub(crate) const fn u32_at(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.array(at))
    }

    pub(crate) const fn set_u16(&mut self, at: usize, value: u16) {
        self.set(at, value.to_be_bytes());
    }

    pub(crate) const fn set_u32(&mut self, at: usize, value: u32) {
        self.set(at, value.to_be_bytes());
    }

    pub(crate) const fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        let mut place = 0;
        while place < N {
            bytes[place] = self.0[at + place];
            place += 1;
        }
        bytes
    }

    pub(crate) const fn set<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        let mut place = 0;
        while place < N {
            self.0[at + place] = bytes[place];
            place += 1;
        }
    }
}

/// What every response tells of the connection and the session (RFC 7143, 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbering {
    /// The status's own number, or the next one where the PDU carries no status.
    pub stat_sn: StatSn,
    /// The command that is expected next.
    pub exp_cmd_sn: CmdSn,
    /// The last command that may be sent; one before `exp_cmd_sn` where none may.
    pub max_cmd_sn: CmdSn,
}

/// How long a segment is on the wire: padded to whole words (RFC 7143, 11.2.3).
#[must_use]
pub const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_where_they_were_set() {
        let mut header = Header::new(Opcode::DataOut);
        header.set_data_length(0x01_2345);
        assert_eq!(header.0[5..8], [0x01, 0x23, 0x45]);
        assert_eq!(header.data_length(), 0x01_2345);
        assert_eq!((padded(0), padded(1), padded(4), padded(0x01_2345)), (0, 4, 4, 0x01_2348));
    }

    #[test]
    fn every_opcode_has_the_number_of_its_name_and_no_other_number_has_one() {
        for number in 0..=0xff {
            if let Some(opcode) = Opcode::from_number(number) {
                assert_eq!(opcode as u8, number);
                assert_eq!(opcode.is_request(), number < 0x20);
            }
        }
        assert_eq!((0..=0xff).filter_map(Opcode::from_number).count(), Opcode::ALL.len());
    }
}
