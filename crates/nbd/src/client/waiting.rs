//! A request under way: what its replies have said so far, and whether that may be.

use super::coverage::{Coverage, NotTaken};
use super::replies::Reply;
use crate::bytes::{Reader, message};
use crate::codes::{ChunkCode, Command, Errno};
use crate::error::NbdError;
use crate::flags::{Allocation, CommandFlags};
use crate::limits::{EXTENTS_MAX, RANGES_MAX, STRING_LENGTH_MAX};
use crate::reply::{ChunkHeader, Extent};
use crate::request::Request;

/// A request under way.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    request: Request,
    coverage: Coverage,
    /// The metadata contexts whose extents came.
    contexts: Vec<u32>,
    result: Result<(), Errno>,
}

impl Waiting {
    pub(super) fn new(request: &Request) -> Waiting {
        let coverage = Coverage::new(request.offset, request.length);
        Waiting { request: *request, coverage, contexts: Vec::new(), result: Ok(()) }
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// The first error that came.
    pub(super) fn result(&self) -> Result<(), Errno> {
        self.result
    }

    pub(super) fn fail(&mut self, error: Errno) {
        self.result = self.result.and(Err(error));
    }

    /// What a success would lack: bytes of a read, or lists of extents of a block status that brings `contexts` of them.
    pub(super) fn missing(&self, contexts: usize) -> u64 {
        match self.request.command {
            Command::READ => self.coverage.missing(),
            Command::BLOCK_STATUS => contexts.saturating_sub(self.contexts.len()) as u64,
            _ => 0,
        }
    }

    pub(super) fn malformed(&self, chunk: ChunkCode) -> NbdError {
        NbdError::MalformedChunk { cookie: self.request.cookie, command: self.request.command, chunk }
    }

    /// Notes that content came, or is about to.
    pub(super) fn cover(&mut self, offset: u64, length: u32) -> Result<(), NbdError> {
        let cookie = self.request.cookie;
        self.coverage.add(offset, length).map_err(|not_taken| match not_taken {
            NotTaken::Stray => NbdError::StrayContent { cookie, offset, length },
            NotTaken::TooMany => NbdError::TooManyPieces { cookie, count_max: RANGES_MAX },
        })
    }

    /// What a chunk says; `None` of one that says nothing but, perhaps, the end.
    pub(super) fn read_chunk(
        &mut self,
        header: &ChunkHeader,
        body: &[u8],
    ) -> Result<Option<Reply>, NbdError> {
        let (cookie, mut reader) = (header.cookie, Reader::new(body));
        let offset_first = |reader: &mut Reader<'_>| reader.u64().unwrap_or_default();
        let reply = match (header.code, self.request.command) {
            (ChunkCode::NONE, _) => return Ok(None),
            (ChunkCode::OFFSET_DATA, Command::READ) => {
                let (offset, length) = (offset_first(&mut reader), header.length - 8);
                self.cover(offset, length)?;
                Some(Reply::Data { cookie, offset, length })
            }
            (ChunkCode::OFFSET_HOLE, Command::READ) => {
                let (offset, length) = (offset_first(&mut reader), reader.u32().unwrap_or_default());
                self.cover(offset, length)?;
                Some(Reply::Hole { cookie, offset, length })
            }
            (ChunkCode::BLOCK_STATUS, Command::BLOCK_STATUS) => self.read_status(reader),
            (code, _) if code.is_error() => self.read_error(code, reader),
            _ => None,
        };
        reply.map(Some).ok_or_else(|| self.malformed(header.code))
    }

    fn read_status(&mut self, mut reader: Reader<'_>) -> Option<Reply> {
        let context = reader.u32()?;
        let (mut extents, mut covered, mut before_last) = (Vec::new(), 0, 0);
        while !reader.is_empty() {
            let extent = Extent { length: reader.u32()?, status: Allocation(reader.u32()?) };
            if extent.length == 0 {
                return None;
            }
            before_last = covered;
            covered += u64::from(extent.length);
            extents.push(extent);
        }
        let asked = u64::from(self.request.length);
        let one = self.request.flags.has(CommandFlags::REQ_ONE);
        let too_much = before_last >= asked || (one && (extents.len() > 1 || covered > asked));
        if extents.is_empty() || too_much || self.contexts.contains(&context) {
            return None;
        }
        self.contexts.push(context);
        Some(Reply::Status { cookie: self.request.cookie, context, extents })
    }

    fn read_error(&mut self, code: ChunkCode, mut reader: Reader<'_>) -> Option<Reply> {
        let error = Errno(reader.u32().filter(|&error| error != 0)?);
        let length = usize::from(reader.u16()?);
        let sentence = reader.bytes(length).filter(|_| length <= STRING_LENGTH_MAX)?;
        let offset = match code {
            ChunkCode::ERROR_OFFSET => Some(reader.u64().filter(|&offset| self.coverage.contains(offset))?),
            _ => None,
        };
        self.fail(error);
        let message = message(&String::from_utf8_lossy(sentence));
        Some(Reply::Failed { cookie: self.request.cookie, error, message, offset })
    }
}

/// How many bytes behind the header are read here: all, but for data. `None` where the length breaks the layout.
pub(super) fn kept_length(header: &ChunkHeader) -> Option<usize> {
    let length = header.length as usize;
    let sound = match header.code {
        ChunkCode::NONE => length == 0,
        ChunkCode::OFFSET_DATA => length >= 9,
        ChunkCode::OFFSET_HOLE => length == 12,
        ChunkCode::BLOCK_STATUS => {
            length >= 12
                && (length - 4).is_multiple_of(Extent::LENGTH)
                && length <= 4 + Extent::LENGTH * EXTENTS_MAX
        }
        // Later documents may append fields to errors, but a sentence and a page of them are enough.
        code if code.is_error() => (6..=2 * STRING_LENGTH_MAX).contains(&length),
        _ => false,
    };
    let kept = if header.code == ChunkCode::OFFSET_DATA { 8 } else { length };
    sound.then_some(kept)
}
