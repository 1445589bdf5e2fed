//! Answers on their way to one initiator: headers in one run of bytes, data where they were read into.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::rc::Rc;

use oarlock_device::DataBytes;

use crate::limits::SLICES_MAX;
use crate::memory::Permit;

/// Bytes of small pieces that were sent and still take memory.
const SMALL_UNUSED_MAX: usize = 64 << 10;

/// Data that a medium gave, and the right to its memory.
#[derive(Clone)]
pub(crate) struct Data {
    pub(crate) bytes: DataBytes,
    pub(crate) _permit: Rc<Permit>,
}

/// What is to be sent, in order.
#[derive(Default)]
pub(crate) struct Output {
    pieces: VecDeque<Piece>,
    /// The bytes of all small pieces, until nothing is left to send.
    small: Vec<u8>,
    /// Bytes of the first piece that were sent.
    sent: usize,
    bytes: usize,
}

enum Piece {
    Small(Range<usize>),
    Data(Data, Range<usize>),
}

impl Piece {
    fn length(&self) -> usize {
        match self {
            Piece::Small(part) | Piece::Data(_, part) => part.len(),
        }
    }
}

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts bytes behind all that is there.
    pub(crate) fn small(&mut self, bytes: &[u8]) {
        let start = self.small.len();
        self.small.extend_from_slice(bytes);
        let end = self.small.len();
        self.bytes += bytes.len();
        match self.pieces.back_mut() {
            Some(Piece::Small(part)) => part.end = end,
            _ => self.pieces.push_back(Piece::Small(start..end)),
        }
    }

    /// Puts a part of what was read behind all that is there.
    pub(crate) fn data(&mut self, data: Data, part: Range<usize>) {
        self.bytes += part.len();
        if !part.is_empty() {
            self.pieces.push_back(Piece::Data(data, part));
        }
    }

    /// Forgets all of it.
    pub(crate) fn clear(&mut self) {
        *self = Output::default();
    }

    /// Sends what the socket takes; `true` where it took all.
    pub(crate) fn send(&mut self, socket: &TcpStream) -> io::Result<bool> {
        while !self.pieces.is_empty() {
            let mut slices: [IoSlice<'_>; SLICES_MAX] = std::array::from_fn(|_| IoSlice::new(&[]));
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                let skipped = if count == 0 { self.sent } else { 0 };
                let bytes = match piece {
                    Piece::Small(part) => &self.small[part.clone()],
                    Piece::Data(data, part) => &data.bytes[part.clone()],
                };
                *slice = IoSlice::new(&bytes[skipped..]);
                count += 1;
            }
            match (&*socket).write_vectored(&slices[..count]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.took(written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.shrink();
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.small.clear();
        Ok(true)
    }

    fn took(&mut self, written: usize) {
        self.sent += written;
        self.bytes -= written;
        while let Some(first) = self.pieces.front() {
            let length = first.length();
            if self.sent < length {
                return;
            }
            self.sent -= length;
            self.pieces.pop_front();
        }
    }

    /// Gives back what the bytes of small pieces that were sent take, where a connection is never quite empty.
    fn shrink(&mut self) {
        let first = self.pieces.iter().find_map(|piece| match piece {
            Piece::Small(part) => Some(part.start),
            Piece::Data(..) => None,
        });
        let unused = first.unwrap_or(self.small.len());
        if unused < SMALL_UNUSED_MAX {
            return;
        }
        self.small.drain(..unused);
        for piece in &mut self.pieces {
            if let Piece::Small(part) = piece {
                *part = part.start - unused..part.end - unused;
            }
        }
    }
}
