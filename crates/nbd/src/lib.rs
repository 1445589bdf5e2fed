//! The NBD protocol, without sockets: both ends of the cable.

#![forbid(unsafe_code)]

mod bytes;
pub mod client;
mod codes;
mod error;
mod export;
mod flags;
pub mod limits;
mod option;
mod option_reply;
mod reply;
mod request;
pub mod server;

pub use codes::{
    BASE_ALLOCATION, BASE_ALLOCATION_ID, ChunkCode, Command, Errno, GREETING_MAGIC, InfoCode, OLDSTYLE_MAGIC,
    OPTION_MAGIC, OPTION_REPLY_MAGIC, OptionCode, REQUEST_MAGIC, ReplyCode, SIMPLE_REPLY_MAGIC,
    STRUCTURED_REPLY_MAGIC,
};
pub use error::NbdError;
pub use export::{BlockSizes, Export, Exports, Refusal};
pub use flags::{Allocation, ChunkFlags, ClientFlags, CommandFlags, HandshakeFlags, TransmissionFlags};
pub use option::{ContextFault, ContextRequest, InfoRequest, OptionHeader, encode_option};
pub use option_reply::{OptionReply, OptionReplyHeader, encode_option_reply};
pub use reply::{ChunkHeader, Extent, SimpleReply};
pub use request::{Cookie, Request};
