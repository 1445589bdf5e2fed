//! iSCSI (RFC 7143), without sockets: PDUs, text, negotiation, login, sequence numbers.
//!
//! A PDU is a [`Header`] of 48 bytes, additional segments, a digest, data, a digest. Each kind of PDU has a type of its own with what
//! only it has; all of them are read from a header and written to one, so both ends of the cable, and a test client that breaks every
//! rule, speak with the same words.

mod chap;
mod command;
mod data;
mod header;
mod login;
mod login_pdu;
mod name;
mod negotiate;
mod serial;
mod session_pdu;
mod task;
pub mod text;

pub use chap::{Account, Accounts, Algorithm, Challenge, SECRET_LENGTH_MAX, SECRET_LENGTH_MIN};
pub use command::{CDB_LENGTH, Residual, ScsiCommand, ScsiResponse, ServiceResponse, TaskAttribute};
pub use data::{DataIn, DataOut, ReadyToTransfer};
pub use header::{HEADER_LENGTH, Header, Numbering, Opcode, TaskTag, padded};
pub use login::{Admission, Gate, LoggedIn, Login, LoginStep};
pub use login_pdu::{
    ConnectionId, LoginRequest, LoginResponse, LoginStatus, SessionHandle, SessionId, Stage, VERSION,
};
pub use name::{NAME_LENGTH_MAX, NameError, NodeName};
pub use negotiate::{
    BURST_MAX, FIRST_BURST_MAX, NegotiatedTwice, Negotiation, OUTSTANDING_R2T_MAX, Parameters, SEGMENT_MAX,
};
pub use serial::{CmdSn, DataSn, StatSn};
pub use session_pdu::{
    AsyncEvent, AsyncMessage, LogoutAnswer, LogoutReason, LogoutRequest, LogoutResponse, NopIn, NopOut,
    Reject, RejectReason, TextRequest, TextResponse,
};
pub use task::{TaskAnswer, TaskFunction, TaskRequest, TaskResponse};
