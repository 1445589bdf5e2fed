//! Guards around a compressed stream: how much went in, how much came out, and when that is a bomb.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::bounds::{UNPACK_RATIO_MAX, UNPACKED_BYTES_MAX, UNPACKED_FREE_BYTES};

/// A reader that counts.
#[derive(Debug)]
pub(super) struct Counted<R> {
    inner: R,
    bytes: Rc<Cell<u64>>,
}

impl<R> Counted<R> {
    pub(super) fn new(inner: R) -> (Counted<R>, Rc<Cell<u64>>) {
        let bytes = Rc::new(Cell::new(0));
        (Counted { inner, bytes: Rc::clone(&bytes) }, bytes)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get().saturating_add(read as u64));
        Ok(read)
    }
}

/// A reader of what is unpacked, that stops where no log can be so large.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    inner: R,
    packed: Rc<Cell<u64>>,
    unpacked: u64,
}

/// The message of the error by which [`Bounded`] stops.
pub(super) const BOMB: &str = "this unpacks to more than any log";

impl<R> Bounded<R> {
    pub(super) fn new(inner: R, packed: Rc<Cell<u64>>) -> Bounded<R> {
        Bounded { inner, packed, unpacked: 0 }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.unpacked = self.unpacked.saturating_add(read as u64);
        let ratio_broken = self.unpacked > UNPACKED_FREE_BYTES
            && self.unpacked / self.packed.get().max(1) > UNPACK_RATIO_MAX;
        if ratio_broken || self.unpacked > UNPACKED_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, BOMB));
        }
        Ok(read)
    }
}

impl<R> Bounded<R> {
    /// Bytes that came out.
    pub(super) fn unpacked(&self) -> u64 {
        self.unpacked
    }
}
