//! The stream of requests: out of a buffer of the socket's bytes, one request after the other (document, *Request message*).
//!
//! ```text
//!        +----> [Header] -- 28 bytes ---> accepted, no payload ------------> Request --+
//!        |          |                     accepted write -----> [Payload] -> Request --+ the caller
//!        |          |                     refused ------------> [Skip] ----> Refused --+ takes the payload
//!        |          |                     NBD_CMD_DISC -------> [Over] ----> Disconnect|
//!        |          +-- another magic, or a payload beyond PAYLOAD_MAX: an error       |
//!        +-----------------------------------------------------------------------------+
//! ```
//!
//! Nothing is copied and nothing is kept: the bytes stay the caller's. A payload is the caller's to take, from the buffer as far as
//! it is there ([`Requests::take_payload`]), and for the rest from the socket, straight into where it shall lie
//! ([`Requests::payload_received`]).

use super::rules::Rules;
use crate::bytes::length_u32;
use crate::codes::{Command, Errno};
use crate::error::NbdError;
use crate::limits::PAYLOAD_MAX;
use crate::request::Request;

/// What came next in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// No whole request: at least so many bytes are missing.
    More {
        /// How many.
        bytes: usize,
    },
    /// A request that is to be carried out. Where it is a write, its payload of [`Request::length`] bytes comes next.
    Request(Request),
    /// A request that is to be answered with an error, at once or later. Where it carries a payload, that is skipped here.
    Refused {
        /// The request.
        request: Request,
        /// The error.
        error: Errno,
    },
    /// `NBD_CMD_DISC`: answer what is under way, then close. Nothing else comes.
    Disconnect,
}

/// What stood in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// How many of the bytes were used, from the front.
    pub used: usize,
    /// What they were.
    pub incoming: Incoming,
}

/// The parser of one connection's requests.
#[derive(Clone, Debug)]
pub struct Requests {
    rules: Rules,
    /// Bytes of the last write's payload that the caller has to take.
    payload: u32,
    /// Bytes of a refused write's payload that nobody wants.
    skip: u32,
    /// No request will follow: a farewell or an error came.
    over: bool,
}

impl Requests {
    /// A parser under these rules.
    pub fn new(rules: Rules) -> Requests {
        Requests { rules, payload: 0, skip: 0, over: false }
    }

    /// The rules, to change the size or to shut down.
    pub fn rules_mut(&mut self) -> &mut Rules {
        &mut self.rules
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Bytes of the last write's payload that were not taken yet.
    pub fn payload_left(&self) -> usize {
        self.payload as usize
    }

    /// The next request in `bytes`, which start behind what was used before.
    ///
    /// # Errors
    /// [`NbdError::RequestMagic`] and [`NbdError::PayloadTooLong`]: the stream has lost its meaning, or would take too long to get it
    /// back. The connection must be ended; what is under way may be answered first.
    ///
    /// # Panics
    /// Where a payload was not taken: its bytes would be read as requests.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Parsed, NbdError> {
        assert!(self.payload == 0, "{} bytes of a write's payload were not taken", self.payload);
        if self.over {
            return Ok(Parsed { used: 0, incoming: Incoming::Disconnect });
        }
        let skipped = bytes.len().min(self.skip as usize);
        self.skip -= length_u32(skipped);
        let rest = &bytes[skipped..];
        let Some(header) = rest.first_chunk::<{ Request::LENGTH }>() else {
            let missing = self.skip as usize + Request::LENGTH - rest.len();
            return Ok(Parsed { used: skipped, incoming: Incoming::More { bytes: missing } });
        };
        let incoming = self.sort(header).inspect_err(|_| self.over = true)?;
        Ok(Parsed { used: skipped + Request::LENGTH, incoming })
    }

    /// Takes as much of the payload as stands at the front of `bytes`, and returns it; it counts as used.
    pub fn take_payload<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let taken = &bytes[..bytes.len().min(self.payload_left())];
        self.payload -= length_u32(taken.len());
        taken
    }

    /// Says that so many bytes of the payload were read from the socket, past this parser.
    ///
    /// # Panics
    /// Where the payload has not so many left.
    pub fn payload_received(&mut self, bytes: usize) {
        assert!(bytes <= self.payload_left(), "more payload was received than the write has");
        self.payload -= length_u32(bytes);
    }

    fn sort(&mut self, header: &[u8; Request::LENGTH]) -> Result<Incoming, NbdError> {
        let request = Request::decode(header).map_err(|found| NbdError::RequestMagic { found })?;
        if request.command == Command::DISC {
            self.over = true;
            return Ok(Incoming::Disconnect);
        }
        let length = request.payload_length();
        if length > PAYLOAD_MAX {
            return Err(NbdError::PayloadTooLong { length, length_max: PAYLOAD_MAX });
        }
        Ok(match self.rules.judge(&request) {
            Ok(()) => {
                self.payload = length;
                Incoming::Request(request)
            }
            Err(error) => {
                self.skip = length;
                Incoming::Refused { request, error }
            }
        })
    }
}
