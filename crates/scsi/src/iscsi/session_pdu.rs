//! What keeps a session going and ends it: Text, Logout, NOP, Asynchronous Message, Reject (RFC 7143, 11.9 to 11.11, 11.14 to 11.19).

use super::header::{HEADER_LENGTH, Header, Opcode, TaskTag};
use super::login_pdu::ConnectionId;
use super::serial::{CmdSn, StatSn};

/// Text Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextRequest {
    /// Delivered at once, whatever its number.
    pub is_immediate: bool,
    /// The last or only one of a negotiation.
    pub is_final: bool,
    /// C: the text goes on in the next request.
    pub is_continued: bool,
    /// The initiator's name for it.
    pub task_tag: TaskTag,
    /// What the target gave to go on with, or [`TaskTag::NONE`] to begin.
    pub transfer_tag: TaskTag,
    /// Its place in the session's order.
    pub cmd_sn: CmdSn,
    /// What the initiator has seen.
    pub exp_stat_sn: StatSn,
}

impl TextRequest {
    /// The request in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> TextRequest {
        TextRequest {
            is_immediate: header.is_immediate(),
            is_final: header.is_final(),
            is_continued: header.0[1] & 0x40 != 0,
            task_tag: header.task_tag(),
            transfer_tag: TaskTag(header.u32_at(20)),
            cmd_sn: header.cmd_sn(),
            exp_stat_sn: header.exp_stat_sn(),
        }
    }

    /// The header of the request, without the length of its text.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::TextRequest).with_immediate(self.is_immediate);
        header.0[1] = u8::from(self.is_final) << 7 | u8::from(self.is_continued) << 6;
        header.set_u32(16, self.task_tag.0);
        header.set_u32(20, self.transfer_tag.0);
        header.set_u32(24, self.cmd_sn.0);
        header.set_u32(28, self.exp_stat_sn.0);
        header
    }
}

/// Text Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextResponse {
    /// The last one.
    pub is_final: bool,
    /// C: the text goes on in the next response, which the initiator asks for.
    pub is_continued: bool,
    /// The request.
    pub task_tag: TaskTag,
    /// What the initiator is to ask for more with; [`TaskTag::NONE`] in the last one.
    pub transfer_tag: TaskTag,
}

impl TextResponse {
    /// The response in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> TextResponse {
        TextResponse {
            is_final: header.is_final(),
            is_continued: header.0[1] & 0x40 != 0,
            task_tag: header.task_tag(),
            transfer_tag: TaskTag(header.u32_at(20)),
        }
    }

    /// The header of the response, without its numbering and the length of its text.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::TextResponse);
        header.0[1] = u8::from(self.is_final) << 7 | u8::from(self.is_continued) << 6;
        header.set_u32(16, self.task_tag.0);
        header.set_u32(20, self.transfer_tag.0);
        header
    }
}

/// Why an initiator logs out (RFC 7143, 11.14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoutReason {
    /// The whole session ends.
    CloseSession,
    /// One connection ends.
    CloseConnection,
    /// One connection is removed, and its tasks go on over another; for higher levels of error recovery.
    RemoveForRecovery,
    /// A number that the standard gives no meaning.
    Unknown(u8),
}

/// Logout Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogoutRequest {
    /// Delivered at once, whatever its number.
    pub is_immediate: bool,
    /// Why.
    pub reason: LogoutReason,
    /// The initiator's name for it.
    pub task_tag: TaskTag,
    /// The connection that ends; of no meaning where the session does.
    pub connection_id: ConnectionId,
    /// Its place in the session's order.
    pub cmd_sn: CmdSn,
    /// What the initiator has seen.
    pub exp_stat_sn: StatSn,
}

impl LogoutRequest {
    /// The request in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> LogoutRequest {
        LogoutRequest {
            is_immediate: header.is_immediate(),
            reason: match header.0[1] & 0x7f {
                0 => LogoutReason::CloseSession,
                1 => LogoutReason::CloseConnection,
                2 => LogoutReason::RemoveForRecovery,
                number => LogoutReason::Unknown(number),
            },
            task_tag: header.task_tag(),
            connection_id: ConnectionId(header.u16_at(20)),
            cmd_sn: header.cmd_sn(),
            exp_stat_sn: header.exp_stat_sn(),
        }
    }

    /// The header of the request.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::LogoutRequest).with_immediate(self.is_immediate);
        header.0[1] = 0x80
            | match self.reason {
                LogoutReason::CloseSession => 0,
                LogoutReason::CloseConnection => 1,
                LogoutReason::RemoveForRecovery => 2,
                LogoutReason::Unknown(number) => number & 0x7f,
            };
        header.set_u32(16, self.task_tag.0);
        header.set_u16(20, self.connection_id.0);
        header.set_u32(24, self.cmd_sn.0);
        header.set_u32(28, self.exp_stat_sn.0);
        header
    }
}

/// What became of a logout (RFC 7143, 11.15.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LogoutAnswer {
    /// The connection or session is closed.
    Closed = 0,
    /// There is no such connection.
    NoConnection = 1,
    /// Connections cannot be recovered here.
    NoRecovery = 2,
    /// It failed.
    Failed = 3,
}

/// Logout Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogoutResponse {
    /// What became of it.
    pub answer: u8,
    /// The request.
    pub task_tag: TaskTag,
    /// Seconds before the initiator may come back.
    pub wait_s: u16,
    /// Seconds for which tasks are kept behind that.
    pub retain_s: u16,
}

impl LogoutResponse {
    /// The response in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> LogoutResponse {
        LogoutResponse {
            answer: header.0[2],
            task_tag: header.task_tag(),
            wait_s: header.u16_at(40),
            retain_s: header.u16_at(42),
        }
    }

    /// The header of the response, without its numbering.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::LogoutResponse);
        header.0[1] = 0x80;
        header.0[2] = self.answer;
        header.set_u32(16, self.task_tag.0);
        header.set_u16(40, self.wait_s);
        header.set_u16(42, self.retain_s);
        header
    }
}

/// NOP-Out: the initiator asks whether the target lives, or answers that it lives itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NopOut {
    /// Delivered at once, whatever its number.
    pub is_immediate: bool,
    /// The unit that the target's question named.
    pub lun: [u8; 8],
    /// The initiator's question, or [`TaskTag::NONE`].
    pub task_tag: TaskTag,
    /// The target's question that is answered, or [`TaskTag::NONE`].
    pub transfer_tag: TaskTag,
    /// Its place in the session's order.
    pub cmd_sn: CmdSn,
    /// What the initiator has seen.
    pub exp_stat_sn: StatSn,
}

impl NopOut {
    /// The PDU in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> NopOut {
        NopOut {
            is_immediate: header.is_immediate(),
            lun: header.lun(),
            task_tag: header.task_tag(),
            transfer_tag: TaskTag(header.u32_at(20)),
            cmd_sn: header.cmd_sn(),
            exp_stat_sn: header.exp_stat_sn(),
        }
    }

    /// The header of the PDU, without the length of its data.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::NopOut).with_immediate(self.is_immediate);
        header.0[1] = 0x80;
        header.set(8, self.lun);
        header.set_u32(16, self.task_tag.0);
        header.set_u32(20, self.transfer_tag.0);
        header.set_u32(24, self.cmd_sn.0);
        header.set_u32(28, self.exp_stat_sn.0);
        header
    }
}

/// NOP-In: the target answers, or asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NopIn {
    /// The unit of a question.
    pub lun: [u8; 8],
    /// The initiator's question that is answered, or [`TaskTag::NONE`].
    pub task_tag: TaskTag,
    /// The target's question, or [`TaskTag::NONE`].
    pub transfer_tag: TaskTag,
}

impl NopIn {
    /// The PDU in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> NopIn {
        NopIn { lun: header.lun(), task_tag: header.task_tag(), transfer_tag: TaskTag(header.u32_at(20)) }
    }

    /// The header of the PDU, without its numbering and the length of its data.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::NopIn);
        header.0[1] = 0x80;
        header.set(8, self.lun);
        header.set_u32(16, self.task_tag.0);
        header.set_u32(20, self.transfer_tag.0);
        header
    }
}

/// What a target tells unasked (RFC 7143, 11.9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AsyncEvent {
    /// A SCSI event; the sense data are in the data segment.
    ScsiEvent = 0,
    /// The initiator is asked to log out within `third` seconds.
    LogoutRequested = 1,
    /// The connection (`first`) will be dropped.
    ConnectionDropped = 2,
    /// All connections of the session will be dropped.
    SessionDropped = 3,
    /// The initiator is asked to negotiate within `third` seconds.
    NegotiationRequested = 4,
    /// All tasks of the unit were ended by another (RFC 7143, 4.2.3.4).
    TasksTerminated = 5,
}

/// Asynchronous Message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsyncMessage {
    /// The unit, of SCSI events.
    pub lun: [u8; 8],
    /// What happened.
    pub event: u8,
    /// Parameter1.
    pub first: u16,
    /// Parameter2.
    pub second: u16,
    /// Parameter3.
    pub third: u16,
}

impl AsyncMessage {
    /// The message in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> AsyncMessage {
        AsyncMessage {
            lun: header.lun(),
            event: header.0[36],
            first: header.u16_at(38),
            second: header.u16_at(40),
            third: header.u16_at(42),
        }
    }

    /// The header of the message, without its numbering.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::AsyncMessage);
        header.0[1] = 0x80;
        header.set(8, self.lun);
        header.set_u32(16, TaskTag::NONE.0);
        header.0[36] = self.event;
        header.set_u16(38, self.first);
        header.set_u16(40, self.second);
        header.set_u16(42, self.third);
        header
    }
}

/// Why a PDU was rejected (RFC 7143, 11.17.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RejectReason {
    /// The digest of its data is wrong: it counts as not received.
    DataDigest = 0x02,
    /// A SNACK was rejected.
    Snack = 0x03,
    /// It breaks the protocol.
    Protocol = 0x04,
    /// It is not supported.
    NotSupported = 0x05,
    /// There are too many immediate commands.
    TooManyImmediate = 0x06,
    /// There is a task of that tag already.
    TaskInProgress = 0x07,
    /// It acknowledges data that were not sent.
    InvalidDataAck = 0x08,
    /// A field of it makes no sense, as a transfer tag that was never given out.
    InvalidField = 0x09,
    /// There is no room for it now.
    OutOfResources = 0x0a,
    /// The negotiation begins anew.
    NegotiationReset = 0x0b,
    /// It waits for a logout.
    WaitingForLogout = 0x0c,
}

/// Reject. Its data segment is the header of what was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: u8,
}

impl Reject {
    /// The PDU in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> Reject {
        Reject { reason: header.0[2] }
    }

    /// The header of the PDU, without its numbering.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::Reject);
        header.0[1] = 0x80;
        header.0[2] = self.reason;
        header.set_u32(16, TaskTag::NONE.0);
        header.set_data_length(HEADER_LENGTH);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_were_written() {
        let (task_tag, transfer_tag) = (TaskTag(1), TaskTag(2));
        let (cmd_sn, exp_stat_sn) = (CmdSn(3), StatSn(4));
        let text = TextRequest {
            is_immediate: true,
            is_final: false,
            is_continued: true,
            task_tag,
            transfer_tag,
            cmd_sn,
            exp_stat_sn,
        };
        assert_eq!(TextRequest::decode(&text.encode()), text);
        let logout = LogoutRequest {
            is_immediate: false,
            reason: LogoutReason::CloseConnection,
            task_tag,
            connection_id: ConnectionId(5),
            cmd_sn,
            exp_stat_sn,
        };
        assert_eq!(LogoutRequest::decode(&logout.encode()), logout);
        let nop = NopOut { is_immediate: true, lun: [1; 8], task_tag, transfer_tag, cmd_sn, exp_stat_sn };
        assert_eq!(NopOut::decode(&nop.encode()), nop);
    }

    #[test]
    fn responses_are_read_as_they_were_written() {
        let (task_tag, transfer_tag) = (TaskTag(1), TaskTag(2));
        let text = TextResponse { is_final: true, is_continued: false, task_tag, transfer_tag };
        assert_eq!(TextResponse::decode(&text.encode()), text);
        let logout = LogoutResponse { answer: 1, task_tag, wait_s: 2, retain_s: 20 };
        assert_eq!(LogoutResponse::decode(&logout.encode()), logout);
        let nop = NopIn { lun: [2; 8], task_tag, transfer_tag };
        assert_eq!(NopIn::decode(&nop.encode()), nop);
        let message = AsyncMessage { lun: [0; 8], event: 1, first: 2, second: 3, third: 4 };
        assert_eq!(AsyncMessage::decode(&message.encode()), message);
        let reject = Reject { reason: RejectReason::Protocol as u8 };
        assert_eq!(Reject::decode(&reject.encode()), reject);
    }
}
