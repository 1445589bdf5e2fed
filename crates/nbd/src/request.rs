//! The request of the transmission phase, the same at both ends (document, *Request message*).

use std::fmt;

use crate::bytes::Reader;
use crate::codes::{Command, REQUEST_MAGIC};
use crate::flags::CommandFlags;

/// The client's name for a request, opaque to the server, which puts it into each reply (*Transmission*).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie(pub u64);

impl fmt::Display for Cookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cookie {:#x}", self.0)
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A request without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// How it is to be carried out.
    pub flags: CommandFlags,
    /// What is to be done.
    pub command: Command,
    /// The client's name for it.
    pub cookie: Cookie,
    /// Where, in bytes from the start of the export.
    pub offset: u64,
    /// How much, in bytes. Of a write: so many bytes follow the request.
    pub length: u32,
}

impl Request {
    /// Its length on the wire, without payload, in bytes.
    pub const LENGTH: usize = 28;

    /// A request without flags.
    pub fn new(command: Command, cookie: Cookie, offset: u64, length: u32) -> Request {
        Request { flags: CommandFlags::NONE, command, cookie, offset, length }
    }

    /// The same request with these flags too.
    pub fn with(mut self, flags: CommandFlags) -> Request {
        self.flags = self.flags | flags;
        self
    }

    /// Bytes that follow the request: the length of a write, nothing for any other command, known or not.
    pub fn payload_length(&self) -> u32 {
        if self.command == Command::WRITE { self.length } else { 0 }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// The magic, where it is another.
    pub fn decode(bytes: &[u8; Request::LENGTH]) -> Result<Request, u32> {
        let mut reader = Reader::new(bytes);
        let magic = reader.u32().unwrap_or_default();
        if magic != REQUEST_MAGIC {
            return Err(magic);
        }
        Ok(Request {
            flags: CommandFlags(reader.u16().unwrap_or_default()),
            command: Command(reader.u16().unwrap_or_default()),
            cookie: Cookie(reader.u64().unwrap_or_default()),
            offset: reader.u64().unwrap_or_default(),
            length: reader.u32().unwrap_or_default(),
        })
    }

    /// The request as the wire has it, without payload.
    pub fn encode(&self) -> [u8; Request::LENGTH] {
        let mut bytes = [0; Request::LENGTH];
        bytes[0..4].copy_from_slice(&REQUEST_MAGIC.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.flags.0.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.command.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.cookie.0.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.offset.to_be_bytes());
        bytes[24..28].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }
}
