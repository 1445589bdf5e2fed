//! The stream of replies: out of a buffer of the socket's bytes, each matched to its request (document, *Transmission*).
//!
//! As on the server's side, the bytes stay the caller's, and the data of a read are the caller's to take, from the buffer or straight
//! from the socket. What the server says is held against what was asked: cookies, ranges, kinds of chunk, and that a success is whole.

use std::collections::HashMap;

use super::negotiation::Session;
use super::waiting::{Waiting, kept_length};
use crate::bytes::{Reader, length_u32};
use crate::codes::{ChunkCode, Command, Errno, SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC};
use crate::error::NbdError;
use crate::flags::ChunkFlags;
use crate::limits::IN_FLIGHT_MAX;
use crate::reply::{ChunkHeader, Extent, SimpleReply};
use crate::request::{Cookie, Request};

/// What came next in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No whole reply: at least so many bytes are missing.
    More {
        /// How many.
        bytes: usize,
    },
    /// Data of a read: so many bytes come next, and are the caller's to take.
    Data {
        /// Whose.
        cookie: Cookie,
        /// Where, in bytes from the start of the export.
        offset: u64,
        /// How many bytes.
        length: u32,
    },
    /// Zeros of a read.
    Hole {
        /// Whose.
        cookie: Cookie,
        /// Where, in bytes from the start of the export.
        offset: u64,
        /// How many bytes.
        length: u32,
    },
    /// Extents of a block status, from the request's offset on.
    Status {
        /// Whose.
        cookie: Cookie,
        /// The server's number of the metadata context.
        context: u32,
        /// At least one, none empty.
        extents: Vec<Extent>,
    },
    /// An error of a request, whose end [`Reply::Done`] tells later.
    Failed {
        /// Whose.
        cookie: Cookie,
        /// Which.
        error: Errno,
        /// The server's sentence for people; may be empty.
        message: String,
        /// Where, in bytes from the start of the export, if the server said it.
        offset: Option<u64>,
    },
    /// A request is over, and its cookie free. A success is whole: all data came, or an extent list for each context.
    Done {
        /// Whose.
        cookie: Cookie,
        /// The first error that came.
        result: Result<(), Errno>,
    },
}

/// What stood in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// How many of the bytes were used, from the front.
    pub used: usize,
    /// What they were.
    pub reply: Reply,
}

/// The parser of one connection's replies.
#[derive(Clone, Debug)]
pub struct Replies {
    structured: bool,
    /// How many lists of extents a block status brings.
    contexts: usize,
    in_flight: HashMap<Cookie, Waiting>,
    payload: u32,
    /// The request that is over once the payload was taken.
    done: Option<Cookie>,
}

impl Replies {
    /// A parser for the replies of a session.
    pub fn new(session: &Session) -> Replies {
        Replies {
            structured: session.structured,
            contexts: session.contexts.len(),
            in_flight: HashMap::new(),
            payload: 0,
            done: None,
        }
    }

    /// Says that a request is about to be sent, so that its replies are known. `NBD_CMD_DISC` has none, and is not kept.
    ///
    /// # Errors
    /// [`NbdError::CookieInUse`] and [`NbdError::TooManyInFlight`]: nothing happened, and the request must not be sent now.
    pub fn expect(&mut self, request: &Request) -> Result<(), NbdError> {
        if self.in_flight.len() >= IN_FLIGHT_MAX {
            return Err(NbdError::TooManyInFlight { count_max: IN_FLIGHT_MAX });
        }
        let cookie = request.cookie;
        if self.in_flight.contains_key(&cookie) {
            return Err(NbdError::CookieInUse { cookie });
        }
        if request.command != Command::DISC {
            self.in_flight.insert(cookie, Waiting::new(request));
        }
        Ok(())
    }

    /// How many requests are under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Bytes of the last data that were not taken yet.
    pub fn payload_left(&self) -> usize {
        self.payload as usize
    }

    /// Takes as much of the data as stands at the front of `bytes`, and returns it; it counts as used.
    pub fn take_payload<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let taken = &bytes[..bytes.len().min(self.payload_left())];
        self.payload -= length_u32(taken.len());
        taken
    }

    /// Says that so many bytes of the data were read from the socket, past this parser.
    ///
    /// # Panics
    /// Where there are not so many left.
    pub fn payload_received(&mut self, bytes: usize) {
        assert!(bytes <= self.payload_left(), "more data were received than the reply has");
        self.payload -= length_u32(bytes);
    }

    /// The next reply in `bytes`, which start behind what was used before. A whole chunk of extents or an error must fit into the
    /// caller's buffer: 4 + 8 * 2^20 bytes and its header at the most.
    ///
    /// # Errors
    /// Why the connection must be ended.
    ///
    /// # Panics
    /// Where data were not taken.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Parsed, NbdError> {
        assert!(self.payload == 0, "{} bytes of a reply's data were not taken", self.payload);
        if let Some(cookie) = self.done.take() {
            return self.finish(cookie).map(|reply| Parsed { used: 0, reply });
        }
        let mut reader = Reader::new(bytes);
        match reader.u32() {
            None => Ok(more(4 - bytes.len())),
            Some(SIMPLE_REPLY_MAGIC) if bytes.len() < SimpleReply::LENGTH => {
                Ok(more(SimpleReply::LENGTH - bytes.len()))
            }
            Some(SIMPLE_REPLY_MAGIC) => self.simple(reader),
            Some(STRUCTURED_REPLY_MAGIC) if self.structured => self.structured(bytes),
            Some(found) => Err(NbdError::ReplyMagic { found }),
        }
    }

    fn waiting(&mut self, cookie: Cookie) -> Result<&mut Waiting, NbdError> {
        self.in_flight.get_mut(&cookie).ok_or(NbdError::UnknownCookie { cookie })
    }

    fn simple(&mut self, mut reader: Reader<'_>) -> Result<Parsed, NbdError> {
        let error = reader.u32().unwrap_or_default();
        let cookie = Cookie(reader.u64().unwrap_or_default());
        let structured = self.structured;
        let waiting = self.waiting(cookie)?;
        let Request { command, offset, length, .. } = *waiting.request();
        let has_payload = command == Command::READ || (command == Command::BLOCK_STATUS && error == 0);
        if structured && has_payload {
            return Err(NbdError::SimpleReply { cookie, command });
        }
        if error != 0 {
            waiting.fail(Errno(error));
        }
        let used = SimpleReply::LENGTH;
        if error != 0 || command != Command::READ || length == 0 {
            return self.finish(cookie).map(|reply| Parsed { used, reply });
        }
        waiting.cover(offset, length)?;
        (self.payload, self.done) = (length, Some(cookie));
        Ok(Parsed { used, reply: Reply::Data { cookie, offset, length } })
    }

    fn structured(&mut self, bytes: &[u8]) -> Result<Parsed, NbdError> {
        if bytes.len() < ChunkHeader::LENGTH {
            return Ok(more(ChunkHeader::LENGTH - bytes.len()));
        }
        let header = chunk_header(bytes);
        let waiting = self.waiting(header.cookie)?;
        let malformed = waiting.malformed(header.code);
        let Some(kept) = kept_length(&header) else { return Err(malformed) };
        let used = ChunkHeader::LENGTH + kept;
        let Some(body) = bytes.get(ChunkHeader::LENGTH..used) else { return Ok(more(used - bytes.len())) };
        let last = header.flags.has(ChunkFlags::DONE);
        // A chunk without anything is only good for the end.
        let Some(reply) = waiting.read_chunk(&header, body)? else {
            let finished = if last { self.finish(header.cookie) } else { Err(malformed) };
            return finished.map(|reply| Parsed { used, reply });
        };
        if let Reply::Data { length, .. } = reply {
            self.payload = length;
        }
        self.done = last.then_some(header.cookie);
        Ok(Parsed { used, reply })
    }

    /// The end of a request, which is whole if it claims success.
    fn finish(&mut self, cookie: Cookie) -> Result<Reply, NbdError> {
        let waiting = self.in_flight.remove(&cookie).ok_or(NbdError::UnknownCookie { cookie })?;
        let (missing, result) = (waiting.missing(self.contexts), waiting.result());
        if result.is_ok() && missing > 0 {
            return Err(NbdError::Incomplete { cookie, missing });
        }
        Ok(Reply::Done { cookie, result })
    }
}

fn more(bytes: usize) -> Parsed {
    Parsed { used: 0, reply: Reply::More { bytes } }
}

/// The header at the front of `bytes`, which are long enough.
fn chunk_header(bytes: &[u8]) -> ChunkHeader {
    let mut reader = Reader::new(bytes);
    reader.u32();
    ChunkHeader {
        flags: ChunkFlags(reader.u16().unwrap_or_default()),
        code: ChunkCode(reader.u16().unwrap_or_default()),
        cookie: Cookie(reader.u64().unwrap_or_default()),
        length: reader.u32().unwrap_or_default(),
    }
}
