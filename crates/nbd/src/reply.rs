//! The replies of the transmission phase, the same at both ends: simple replies, and chunks of structured ones.

use crate::codes::{ChunkCode, Errno, SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC};
use crate::flags::{Allocation, ChunkFlags};
use crate::request::Cookie;

/// A simple reply without its data (document, *Simple reply message*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimpleReply {
    /// Why the request failed, or that it did not.
    pub result: Result<(), Errno>,
    /// The request's.
    pub cookie: Cookie,
}

impl SimpleReply {
    /// Its length on the wire, without data, in bytes.
    pub const LENGTH: usize = 16;

    /// The reply as the wire has it.
    pub fn encode(&self) -> [u8; SimpleReply::LENGTH] {
        let mut bytes = [0; SimpleReply::LENGTH];
        let error = self.result.err().map_or(0, |errno| errno.0);
        bytes[0..4].copy_from_slice(&SIMPLE_REPLY_MAGIC.to_be_bytes());
        bytes[4..8].copy_from_slice(&error.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.cookie.0.to_be_bytes());
        bytes
    }
}

/// The header of a chunk (document, *Structured reply chunk message*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// Whether it is the last of its reply.
    pub flags: ChunkFlags,
    /// What follows.
    pub code: ChunkCode,
    /// The request's.
    pub cookie: Cookie,
    /// Bytes that follow.
    pub length: u32,
}

impl ChunkHeader {
    /// Its length on the wire in bytes.
    pub const LENGTH: usize = 20;

    /// The header as the wire has it.
    pub fn encode(&self) -> [u8; ChunkHeader::LENGTH] {
        let mut bytes = [0; ChunkHeader::LENGTH];
        bytes[0..4].copy_from_slice(&STRUCTURED_REPLY_MAGIC.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.flags.0.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.code.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.cookie.0.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }
}

/// A run of bytes of one status (`NBD_REPLY_TYPE_BLOCK_STATUS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// How many bytes; never 0 on the wire.
    pub length: u32,
    /// What they are, in `base:allocation`.
    pub status: Allocation,
}

impl Extent {
    /// Its length on the wire in bytes.
    pub const LENGTH: usize = 8;
}
