//! Login Request and Response (RFC 7143, 11.12 and 11.13).

use std::fmt;

use super::header::{Header, Opcode, TaskTag};
use super::serial::{CmdSn, StatSn};

/// The one version of the protocol (RFC 7143, 11.12.4).
pub const VERSION: u8 = 0;

/// The initiator's part of a session's name, ISID (RFC 7143, 11.12.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 6]);

impl std::fmt::Display for SessionId {
    /// Twelve hexadecimal digits, as in a SCSI initiator port's name (RFC 7143, 3.4.6).
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The target's part of a session's name, TSIH; 0 asks for a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionHandle(pub u16);

impl SessionHandle {
    /// A new session.
    pub const NEW: SessionHandle = SessionHandle(0);
}

/// The initiator's name for a connection of a session, CID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u16);

/// How far a login has got (RFC 7143, 11.12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// Who are you?
    Security = 0,
    /// How shall we speak?
    Operational = 1,
    /// Commands.
    FullFeature = 3,
}

impl Stage {
    const fn from_bits(bits: u8) -> Option<Stage> {
        match bits & 3 {
            0 => Some(Stage::Security),
            1 => Some(Stage::Operational),
            3 => Some(Stage::FullFeature),
            _ => None,
        }
    }
}

/// Login Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginRequest {
    /// T: the initiator is ready for the next stage.
    pub is_transit: bool,
    /// C: the text goes on in the next request.
    pub is_continued: bool,
    /// The stage it is in; `None`: the number that is reserved.
    pub current: Option<Stage>,
    /// The stage it wants next, where it is ready.
    pub next: Option<Stage>,
    /// The highest version that the initiator speaks.
    pub version_max: u8,
    /// The lowest.
    pub version_min: u8,
    /// The initiator's part of the session's name.
    pub session_id: SessionId,
    /// The target's part.
    pub session_handle: SessionHandle,
    /// The initiator's name for the login.
    pub task_tag: TaskTag,
    /// The connection.
    pub connection_id: ConnectionId,
    /// Where the session's commands begin.
    pub cmd_sn: CmdSn,
    /// What the initiator has seen.
    pub exp_stat_sn: StatSn,
}

impl LoginRequest {
    /// The request in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> LoginRequest {
        let flags = header.0[1];
        LoginRequest {
            is_transit: flags & 0x80 != 0,
            is_continued: flags & 0x40 != 0,
            current: Stage::from_bits(flags >> 2),
            next: Stage::from_bits(flags),
            version_max: header.0[2],
            version_min: header.0[3],
            session_id: SessionId(header.array(8)),
            session_handle: SessionHandle(header.u16_at(14)),
            task_tag: header.task_tag(),
            connection_id: ConnectionId(header.u16_at(20)),
            cmd_sn: header.cmd_sn(),
            exp_stat_sn: header.exp_stat_sn(),
        }
    }

    /// The header of the request, without the length of its text.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::LoginRequest).with_immediate(true);
        header.0[1] = stages(self.is_transit, self.is_continued, self.current, self.next);
        header.0[2] = self.version_max;
        header.0[3] = self.version_min;
        header.set(8, self.session_id.0);
        header.set_u16(14, self.session_handle.0);
        header.set_u32(16, self.task_tag.0);
        header.set_u16(20, self.connection_id.0);
        header.set_u32(24, self.cmd_sn.0);
        header.set_u32(28, self.exp_stat_sn.0);
        header
    }
}

/// The stages' byte; one that is unknown becomes the reserved number 2.
const fn stages(is_transit: bool, is_continued: bool, current: Option<Stage>, next: Option<Stage>) -> u8 {
    const fn bits(stage: Option<Stage>) -> u8 {
        match stage {
            Some(stage) => stage as u8,
            None => 2,
        }
    }
    let next = if is_transit { bits(next) } else { 0 };
    (is_transit as u8) << 7 | (is_continued as u8) << 6 | bits(current) << 2 | next
}

/// How a login went: class and detail (RFC 7143, 11.13.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum LoginStatus {
    /// So far so good.
    Success = 0x0000,
    /// The initiator broke a rule.
    InitiatorError = 0x0200,
    /// It is not who it says.
    AuthenticationFailure = 0x0201,
    /// It may not use this target.
    AuthorizationFailure = 0x0202,
    /// There is no such target.
    NotFound = 0x0203,
    /// The target was removed.
    TargetRemoved = 0x0204,
    /// None of its versions is spoken here.
    UnsupportedVersion = 0x0205,
    /// The session may have no more connections.
    TooManyConnections = 0x0206,
    /// A key that is needed is missing.
    MissingParameter = 0x0207,
    /// The connection cannot be part of that session.
    CannotIncludeInSession = 0x0208,
    /// That kind of session is not supported.
    SessionTypeNotSupported = 0x0209,
    /// There is no such session.
    SessionDoesNotExist = 0x020a,
    /// A request came that makes no sense during a login.
    InvalidDuringLogin = 0x020b,
    /// The target failed.
    TargetError = 0x0300,
    /// The target serves nobody now.
    ServiceUnavailable = 0x0301,
    /// The target has no room for another session.
    OutOfResources = 0x0302,
}

/// The reason of a refusal, in words and by its number.
impl fmt::Display for LoginStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            LoginStatus::Success => "success",
            LoginStatus::InitiatorError => "it broke a rule of the login, or its name is none",
            LoginStatus::AuthenticationFailure => "it did not prove who it is",
            LoginStatus::AuthorizationFailure => "it is not among those that may come in",
            LoginStatus::NotFound => "it asked for a target of another name",
            LoginStatus::TargetRemoved => "the target was removed",
            LoginStatus::UnsupportedVersion => "it speaks no version that is spoken here",
            LoginStatus::TooManyConnections => "its session can have no more connections",
            LoginStatus::MissingParameter => "it left out a key that is needed",
            LoginStatus::CannotIncludeInSession => "the connection cannot be part of that session",
            LoginStatus::SessionTypeNotSupported => "there is no such type of session",
            LoginStatus::SessionDoesNotExist => "the session that it names does not exist",
            LoginStatus::InvalidDuringLogin => "it sent what makes no sense during a login",
            LoginStatus::TargetError => "the target failed",
            LoginStatus::ServiceUnavailable => "the target serves nobody now",
            LoginStatus::OutOfResources => "the target has no room for another session",
        };
        write!(formatter, "{words} (status {:04x}h)", *self as u16)
    }
}

/// Login Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginResponse {
    /// T: the next stage begins.
    pub is_transit: bool,
    /// C: the text goes on in the next response.
    pub is_continued: bool,
    /// The stage it is in.
    pub current: Option<Stage>,
    /// The stage that begins.
    pub next: Option<Stage>,
    /// The initiator's part of the session's name.
    pub session_id: SessionId,
    /// The target's part; set in the last response of a session's first login.
    pub session_handle: SessionHandle,
    /// The login.
    pub task_tag: TaskTag,
    /// Class and detail of the status.
    pub status: u16,
}

impl LoginResponse {
    /// The response in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> LoginResponse {
        let flags = header.0[1];
        LoginResponse {
            is_transit: flags & 0x80 != 0,
            is_continued: flags & 0x40 != 0,
            current: Stage::from_bits(flags >> 2),
            next: Stage::from_bits(flags),
            session_id: SessionId(header.array(8)),
            session_handle: SessionHandle(header.u16_at(14)),
            task_tag: header.task_tag(),
            status: header.u16_at(36),
        }
    }

    /// The header of the response, without its numbering and the length of its text.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::LoginResponse);
        header.0[1] = stages(self.is_transit, self.is_continued, self.current, self.next);
        header.0[2] = VERSION;
        header.0[3] = VERSION;
        header.set(8, self.session_id.0);
        header.set_u16(14, self.session_handle.0);
        header.set_u32(16, self.task_tag.0);
        header.set_u16(36, self.status);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_responses_are_read_as_they_were_written() {
        let request = LoginRequest {
            is_transit: true,
            is_continued: false,
            current: Some(Stage::Security),
            next: Some(Stage::Operational),
            version_max: 0,
            version_min: 0,
            session_id: SessionId([0x80, 1, 2, 3, 4, 5]),
            session_handle: SessionHandle(6),
            task_tag: TaskTag(7),
            connection_id: ConnectionId(8),
            cmd_sn: CmdSn(9),
            exp_stat_sn: StatSn(10),
        };
        let header = request.encode();
        assert_eq!(header.0[..2], [0x43, 0x81]);
        assert_eq!(LoginRequest::decode(&header), request);
        let response = LoginResponse {
            is_transit: true,
            is_continued: false,
            current: Some(Stage::Operational),
            next: Some(Stage::FullFeature),
            session_id: request.session_id,
            session_handle: SessionHandle(77),
            task_tag: TaskTag(7),
            status: LoginStatus::NotFound as u16,
        };
        let header = response.encode();
        assert_eq!((header.0[1], &header.0[36..38]), (0x87, &[2, 3][..]));
        assert_eq!(LoginResponse::decode(&header), response);
        assert_eq!(request.session_id.to_string(), "800102030405");
    }
}
