//! The replies to requests, and which of the two kinds is allowed where (document, *Structured reply chunk message*).
//!
//! | request | simple replies agreed | structured replies agreed |
//! | --- | --- | --- |
//! | read, done | simple, with all data behind it | chunks of data and holes, the last one marked |
//! | read, failed | simple | error chunk ("MUST NOT use a simple reply", even for an early error) |
//! | block status | (never: it needs structured replies) | one chunk of extents, or an error chunk |
//! | others, done | simple | simple: the smaller one, and allowed |
//! | others, failed | simple | error chunk, for the sentence in it |

use crate::bytes::{length_u32, message};
use crate::codes::{BASE_ALLOCATION_ID, ChunkCode, Command, Errno};
use crate::flags::{ChunkFlags, CommandFlags};
use crate::limits::EXTENTS_MAX;
use crate::reply::{ChunkHeader, Extent, SimpleReply};
use crate::request::Request;

/// The most room that a header in front of data takes, in bytes. A buffer that has so much before its (aligned) data goes out in one piece.
pub const READ_HEADROOM: usize = ChunkHeader::LENGTH + 8;

/// A header in front of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    bytes: [u8; READ_HEADROOM],
    start: usize,
}

impl ReplyHeader {
    fn simple(reply: SimpleReply) -> ReplyHeader {
        let start = READ_HEADROOM - SimpleReply::LENGTH;
        let mut bytes = [0; READ_HEADROOM];
        bytes[start..].copy_from_slice(&reply.encode());
        ReplyHeader { bytes, start }
    }

    fn chunk(header: ChunkHeader, offset: u64) -> ReplyHeader {
        let mut bytes = [0; READ_HEADROOM];
        bytes[..ChunkHeader::LENGTH].copy_from_slice(&header.encode());
        bytes[ChunkHeader::LENGTH..].copy_from_slice(&offset.to_be_bytes());
        ReplyHeader { bytes, start: 0 }
    }

    /// The header's bytes: 16 of a simple reply, 28 of a chunk.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Writes the header so that it ends where the data start, and returns where it starts.
    ///
    /// # Panics
    /// Where there is less room than [`READ_HEADROOM`] before `data_start`.
    pub fn place_before(&self, buffer: &mut [u8], data_start: usize) -> usize {
        assert!(data_start >= READ_HEADROOM, "there is no room for a header before the data");
        let start = data_start - self.as_bytes().len();
        buffer[start..data_start].copy_from_slice(self.as_bytes());
        start
    }
}

/// The encoder of one connection's replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replies {
    structured: bool,
}

impl Replies {
    /// An encoder for a session with structured replies, or without.
    pub const fn new(structured: bool) -> Replies {
        Replies { structured }
    }

    /// Whether holes, several chunks and block status can be said.
    pub fn is_structured(self) -> bool {
        self.structured
    }

    /// The header in front of `length` bytes of data, read at `offset`. `last` says that nothing of this reply follows; it may only
    /// be said where the data are at hand, since no error can be told any more.
    ///
    /// # Panics
    /// Where the data lie outside of the request, or, without structured replies or with `DF`, are not all of it and the last.
    pub fn data(self, request: &Request, offset: u64, length: u32, last: bool) -> ReplyHeader {
        assert_within(request, offset, length);
        let whole = offset == request.offset && length == request.length;
        assert!(whole || !request.flags.has(CommandFlags::DF), "a read that shall not be fragmented was");
        if !self.structured {
            assert!(whole && last, "a simple reply carries all data of its read");
            return ReplyHeader::simple(SimpleReply { result: Ok(()), cookie: request.cookie });
        }
        ReplyHeader::chunk(
            chunk(request, ChunkCode::OFFSET_DATA, length_u32(length as usize + 8), last),
            offset,
        )
    }

    /// Appends that `length` bytes at `offset` read as zeros.
    ///
    /// # Panics
    /// Without structured replies, with `DF` (the zeros must be sent as data then), and where the hole lies outside of the request.
    pub fn hole(self, request: &Request, offset: u64, length: u32, last: bool, out: &mut Vec<u8>) {
        assert!(self.structured, "a simple reply has no holes");
        assert!(!request.flags.has(CommandFlags::DF), "a read that shall not be fragmented has no holes");
        assert_within(request, offset, length);
        out.extend(chunk(request, ChunkCode::OFFSET_HOLE, 12, last).encode());
        out.extend(offset.to_be_bytes());
        out.extend(length.to_be_bytes());
    }

    /// Appends that a request is done. For a read in several chunks, of which none was called the last: that nothing follows.
    ///
    /// # Panics
    /// For a read without structured replies, whose data say it, and for a block status, whose extents do.
    pub fn done(self, request: &Request, out: &mut Vec<u8>) {
        assert!(request.command != Command::BLOCK_STATUS, "a block status ends with its extents");
        if request.command == Command::READ {
            assert!(self.structured, "a simple reply to a read carries its data");
            out.extend(chunk(request, ChunkCode::NONE, 0, true).encode());
            return;
        }
        out.extend(SimpleReply { result: Ok(()), cookie: request.cookie }.encode());
    }

    /// Appends that a request failed, and with which sentence for people (cut to 4,096 bytes; only structured replies carry it).
    pub fn failed(self, request: &Request, error: Errno, sentence: &str, out: &mut Vec<u8>) {
        self.fail(request, error, None, sentence, out);
    }

    /// Appends that a request failed at `offset`; what chunks said of bytes before it stands. Without structured replies, the whole
    /// request fails.
    ///
    /// # Panics
    /// Where the offset lies outside of the request.
    pub fn failed_at(self, request: &Request, error: Errno, offset: u64, sentence: &str, out: &mut Vec<u8>) {
        assert_within(request, offset, 1);
        self.fail(request, error, Some(offset), sentence, out);
    }

    fn fail(self, request: &Request, error: Errno, offset: Option<u64>, sentence: &str, out: &mut Vec<u8>) {
        assert!(error.0 != 0, "an error of 0 is none");
        if !self.structured {
            out.extend(SimpleReply { result: Err(error), cookie: request.cookie }.encode());
            return;
        }
        let sentence = message(sentence);
        let code = if offset.is_some() { ChunkCode::ERROR_OFFSET } else { ChunkCode::ERROR };
        let length = length_u32(6 + sentence.len() + offset.map_or(0, |_| 8));
        out.extend(chunk(request, code, length, true).encode());
        out.extend(error.0.to_be_bytes());
        let [.., high, low] = length_u32(sentence.len()).to_be_bytes();
        out.extend([high, low]);
        out.extend(sentence.as_bytes());
        out.extend(offset.into_iter().flat_map(u64::to_be_bytes));
    }

    /// Appends the extents of a block status, which follow one another from the request's offset on.
    ///
    /// Neighbours of one status become one extent. What the document forbids is left out: after the first extent that reaches the
    /// request's end nothing follows, the last one of a `REQ_ONE` is cut to the request, and there are at most [`EXTENTS_MAX`].
    ///
    /// # Panics
    /// Where there is no extent with a length: "the server MUST return at least one".
    pub fn status(self, request: &Request, extents: impl IntoIterator<Item = Extent>, out: &mut Vec<u8>) {
        assert!(self.structured, "a block status needs structured replies");
        let one = request.flags.has(CommandFlags::REQ_ONE);
        let told = compact(extents, request.length, if one { 1 } else { EXTENTS_MAX }, one);
        assert!(!told.is_empty(), "a block status without extents");
        let length = length_u32(4 + told.len() * Extent::LENGTH);
        out.extend(chunk(request, ChunkCode::BLOCK_STATUS, length, true).encode());
        out.extend(BASE_ALLOCATION_ID.to_be_bytes());
        for extent in told {
            out.extend(extent.length.to_be_bytes());
            out.extend(extent.status.0.to_be_bytes());
        }
    }
}

fn chunk(request: &Request, code: ChunkCode, length: u32, last: bool) -> ChunkHeader {
    let flags = if last { ChunkFlags::DONE } else { ChunkFlags::NONE };
    ChunkHeader { flags, code, cookie: request.cookie, length }
}

fn assert_within(request: &Request, offset: u64, length: u32) {
    let end = request.offset.saturating_add(u64::from(request.length));
    let within = offset >= request.offset && offset.saturating_add(u64::from(length)) <= end;
    assert!(within && length > 0, "{length} bytes at {offset} are no part of {request:?}");
}

/// At most `count_max` extents: neighbours of one status joined, nothing behind the first that reaches `asked` bytes, and no more
/// than that at all where `cut` is set.
fn compact(
    extents: impl IntoIterator<Item = Extent>,
    asked: u32,
    count_max: usize,
    cut: bool,
) -> Vec<Extent> {
    let mut told: Vec<Extent> = Vec::new();
    let mut covered: u64 = 0;
    for extent in extents.into_iter().filter(|extent| extent.length > 0) {
        if covered >= u64::from(asked) {
            break;
        }
        let joined = told
            .last_mut()
            .filter(|last| last.status == extent.status)
            .and_then(|last| last.length.checked_add(extent.length).map(|length| last.length = length));
        if joined.is_none() {
            if told.len() == count_max {
                break;
            }
            told.push(extent);
        }
        covered += u64::from(extent.length);
    }
    if let (true, [only]) = (cut, told.as_mut_slice()) {
        only.length = only.length.min(asked);
    }
    told
}
