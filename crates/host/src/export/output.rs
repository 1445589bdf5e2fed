//! Answers on their way to one client: small ones in one run of bytes, data in the buffers that it was read into.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

use oarlock_device::DataBuffer;
use oarlock_nbd::server::ReplyHeader;

use super::limits::SLICES_MAX;
use super::wire::Wire;

/// What is to be sent, in order.
#[derive(Default)]
pub(crate) struct Output {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that were sent.
    sent: usize,
    small_bytes: usize,
    /// Used again for small answers.
    spare: Vec<u8>,
}

enum Piece {
    Small(Vec<u8>),
    Data { buffer: DataBuffer, header: usize, held_bytes: usize },
}

impl Piece {
    /// The bytes; a buffer that was read into is nobody else's by now.
    fn bytes(&mut self) -> &[u8] {
        match self {
            Piece::Small(bytes) => bytes,
            Piece::Data { buffer, header, .. } => buffer.framed(*header),
        }
    }
}

/// What became of an attempt to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Bytes that the client's socket took.
    pub(crate) bytes: usize,
    /// Bytes of memory that are free again.
    pub(crate) freed_bytes: usize,
    /// Answers with data that are gone.
    pub(crate) answers: usize,
}

impl Output {
    /// Where small answers are put: behind all that is there.
    pub(crate) fn small(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.pieces.back(), Some(Piece::Small(_))) {
            self.pieces.push_back(Piece::Small(std::mem::take(&mut self.spare)));
        }
        if let Some(Piece::Small(bytes)) = self.pieces.back_mut() {
            let before = bytes.len();
            put(bytes);
            self.small_bytes += bytes.len() - before;
        }
    }

    /// A buffer full of data, with its header before it. `held_bytes` is what it counts for, until it is sent.
    pub(crate) fn data(&mut self, header: &ReplyHeader, mut buffer: DataBuffer, held_bytes: usize) {
        let length = header.as_bytes().len();
        buffer.framed(length)[..length].copy_from_slice(header.as_bytes());
        self.pieces.push_back(Piece::Data { buffer, header: length, held_bytes });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes of answers without data.
    pub(crate) fn small_bytes(&self) -> usize {
        self.small_bytes
    }

    /// Bytes of memory that all of it holds.
    pub(crate) fn held_bytes(&self) -> usize {
        let held = |piece: &Piece| if let Piece::Data { held_bytes, .. } = piece { *held_bytes } else { 0 };
        self.pieces.iter().map(held).sum()
    }

    /// Sends what the socket takes. With `WouldBlock` some may have been sent before.
    pub(crate) fn send(&mut self, wire: &mut Wire, total: &mut Sent) -> io::Result<()> {
        while !self.pieces.is_empty() {
            let mut slices: [IoSlice<'_>; SLICES_MAX] = std::array::from_fn(|_| IoSlice::new(&[]));
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&mut self.pieces) {
                let skipped = if count == 0 { self.sent } else { 0 };
                *slice = IoSlice::new(&piece.bytes()[skipped..]);
                count += 1;
            }
            match wire.write(&slices[..count])? {
                0 => return Err(ErrorKind::WriteZero.into()),
                written => self.took(written, total),
            }
        }
        wire.send_pending()
    }

    fn took(&mut self, written: usize, total: &mut Sent) {
        total.bytes += written;
        self.sent += written;
        while let Some(first) = self.pieces.front_mut() {
            let length = first.bytes().len();
            if self.sent < length {
                return;
            }
            self.sent -= length;
            match self.pieces.pop_front() {
                Some(Piece::Small(mut bytes)) => {
                    self.small_bytes -= bytes.len();
                    bytes.clear();
                    self.spare = bytes;
                }
                Some(Piece::Data { held_bytes, .. }) => {
                    total.freed_bytes += held_bytes;
                    total.answers += 1;
                }
                None => {}
            }
        }
    }
}
