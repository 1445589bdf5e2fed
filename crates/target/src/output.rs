//! Answers on their way to one initiator: headers in one run of bytes, data where they were read into.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::rc::Rc;

use oarlock_device::DataBytes;

use crate::limits::{OUTPUT_MAX, SLICES_MAX, SMALL_OUTPUT_MAX};
use crate::memory::Permit;
use crate::pool::LEFT_BY_SESSIONS;

/// Bytes of small pieces that were sent and still take memory.
const SMALL_UNUSED_MAX: usize = 64 << 10;

/// Data that a medium gave, and the right to its memory.
#[derive(Clone)]
pub(crate) struct Data {
    pub(crate) bytes: DataBytes,
    pub(crate) _permit: Rc<Permit>,
}

/// Bytes of all outputs that are no medium's.
#[derive(Clone, Default)]
pub(crate) struct Unread(Rc<Cell<usize>>);

/// What is to be sent, in order.
pub(crate) struct Output {
    unread: Unread,
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

impl Unread {
    fn add(&self, bytes: usize) {
        self.0.set(self.0.get() + bytes);
    }

    fn remove(&self, bytes: usize) {
        self.0.set(self.0.get() - bytes);
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.unread.remove(self.small.len());
    }
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

    pub(crate) fn new(unread: Unread) -> Output {
        Output { unread, pieces: VecDeque::new(), small: Vec::new(), sent: 0, bytes: 0 }
    }

    /// Whether the initiator reads what it asked for, as far as that is to be bounded.
    pub(crate) fn is_read(&self) -> bool {
        let left = SMALL_OUTPUT_MAX.saturating_sub(self.unread.0.get());
        self.bytes < OUTPUT_MAX && self.small.len() * LEFT_BY_SESSIONS <= left
    }

    /// Those of them that are no medium's.
    pub(crate) fn small_bytes(&self) -> usize {
        self.small.len()
    }

    /// Puts bytes behind all that is there.
    pub(crate) fn small(&mut self, bytes: &[u8]) {
        let start = self.small.len();
        self.small.extend_from_slice(bytes);
        self.unread.add(bytes.len());
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
        self.forget(self.small.len());
        (self.sent, self.bytes) = (0, 0);
        self.pieces = VecDeque::new();
    }

    /// Forgets the first bytes of the small pieces, and the memory of what was much.
    fn forget(&mut self, count: usize) {
        self.small.drain(..count);
        self.small.shrink_to(SMALL_UNUSED_MAX);
        self.unread.remove(count);
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
        self.forget(self.small.len());
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
        self.forget(unused);
        for piece in &mut self.pieces {
            if let Piece::Small(part) = piece {
                *part = part.start - unused..part.end - unused;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: usize = 256 << 10;

    /// Sixty sessions that pinged and read nothing had a gibibyte.
    #[test]
    fn answers_that_nobody_reads_are_bounded_for_all_together_and_keep_nobody_else_waiting() {
        let unread = Unread::default();
        let mut greedy: Vec<Output> = (0..60).map(|_| Output::new(unread.clone())).collect();
        for output in &mut greedy {
            while output.is_read() {
                output.small(&[0; ECHO]);
            }
        }
        assert!(greedy[0].bytes() > SMALL_OUTPUT_MAX / 6, "one alone has plenty");
        assert!(unread.0.get() <= SMALL_OUTPUT_MAX + greedy.len() * ECHO);
        assert!(Output::new(unread.clone()).is_read());
        drop(greedy);
        assert_eq!(unread.0.get(), 0);
    }
}
