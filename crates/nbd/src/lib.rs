//! The NBD protocol, without sockets: both ends of the cable.
//!
//! State machines and codecs for the Network Block Device protocol as its document has it
//! (<https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>, read at commit `89ba7b53`; clauses are cited by their headings, in
//! italics). No socket, no thread, no clock, no runtime: bytes go in, bytes and events come out, and the caller moves them. So a test
//! drives both ends in memory, and a server drives them from any loop it likes.
//!
//! # One connection
//!
//! ```text
//!             server::Negotiation                                client::Negotiation, or client::Dial
//!   [Flags]        --- greeting, 18 bytes --->                        [Greeting]
//!      |           <-- client flags, 4 bytes ---                          |
//!   [Option] <-+   <-- an option ----------------                      [Idle] <-+
//!      |       |   --- its replies, the last one final -->                |     |
//!      |       +- answered: the next option                              ask ---+
//!      |       +- STARTTLS accepted: the caller runs TLS, and all that was agreed is forgotten
//!      |       +- ABORT: close
//!      v
//!   GO, EXPORT_NAME accepted: a Session at each end
//!      |
//!             server::Requests, Rules                            Request::encode
//!   [Header] <-+   <-- request, 28 bytes, a write's payload ---
//!      |       |
//!      |       +- accepted: the caller carries it out, taking the payload where it wants it
//!      |       +- refused: an error to answer; a payload is skipped
//!      |
//!             server::Replies                                    client::Replies
//!      |           --- simple reply, or chunks ---------------->       [Waiting], by cookie
//!      v
//!   NBD_CMD_DISC: answer what is under way, close
//! ```
//!
//! `examples/memory.rs` is a whole server and `examples/look.rs` a client, each in some 130 lines on `std`.
//!
//! # What is spoken
//!
//! - Fixed newstyle; of the server, each option of the document's *Option types*. `NBD_OPT_EXPORT_NAME` alone for clients that
//!   decline fixed newstyle.
//! - TLS as *NOTLS*, *SELECTIVETLS* and *FORCEDTLS* have it; the encryption itself is the caller's.
//! - Simple and structured replies; `base:allocation`; each command and command flag of the document.
//!
//! # What is not, and why
//!
//! - **Extended headers** (`NBD_OPT_EXTENDED_HEADERS`) are answered with `NBD_REP_ERR_UNSUP`, as the document's baseline tells servers to
//!   answer what they lack: it is an experimental extension, "subject to change at any point"; what it adds, requests of more than
//!   4 GiB, saves nothing where a payload has at most 32 MiB; and each client that asks falls back to structured replies.
//! - **Resize** (`NBD_CMD_RESIZE`) is experimental as well, and a client's wish. An export that grows on the server's side is
//!   [`server::Rules::resize`]; its clients see the new size when they connect again.
//! - Oldstyle, which the document gave up.
//!
//! # What ends a connection
//!
//! Each [`NbdError`]. All else is answered: a request that breaks a rule with the error that *Error values* asks for, an option with an
//! error reply. A write that is refused is skipped up to [`limits::PAYLOAD_MAX`] and the connection goes on; a longer one ends it.
//!
//! # What a peer may cost
//!
//! [`limits`] names it all. A server's negotiation keeps one option and one answer; its requests and replies keep nothing. A client's
//! negotiation keeps one answer, its replies an account of each request under way.

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
