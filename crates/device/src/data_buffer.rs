//! The buffer of an export's thread: it and the commands of its ring hold it together, and only one of them at a time.

use std::rc::Rc;
use std::sync::Arc;

use crate::buffer::{self, Buffer, PAGE, Pool};
use crate::ring::Memory;

/// The longest buffer: the largest request that NBD clients may send to a server that names no other limit.
pub const DATA_BUFFER_MAX: usize = 32 << 20;

/// The bytes of all buffers of one ring that are in use at once, headroom included.
pub const DATA_BYTES_MAX: usize = 64 << 20;

/// The bytes before a buffer's own, for a header that is sent together with it.
pub const HEADROOM: usize = PAGE;

/// Page-aligned bytes for commands of a [`DataRing`](crate::DataRing), with room for a header right before them.
///
/// Commands that are given the buffer share it with its owner, so one request may be many commands at once, and the
/// buffer may be dropped while they are out: its memory stays until the last of them ended. As long as one is out, the
/// owner has no access to the bytes.
pub struct DataBuffer {
    shared: Rc<Buffer>,
}

/// A command's hold on a buffer.
pub(crate) struct Hold(Rc<Buffer>);

// SAFETY: a `Hold` keeps the buffer alive, whose bytes never move. The bytes are seen through `DataBuffer` only, which
// shows them where it is the last to hold the buffer: so never while this value lives.
unsafe impl Memory for Hold {
    fn memory(&self) -> (*mut u8, usize) {
        (self.0.start(), self.0.length())
    }
}

impl DataBuffer {
    /// A buffer of `length` bytes; `None` beyond [`DATA_BUFFER_MAX`] and where the pool's would be more than `out_max` bytes.
    pub(crate) fn take(pool: &Arc<Pool>, length: usize, out_max: usize) -> Option<DataBuffer> {
        if length > DATA_BUFFER_MAX {
            return None;
        }
        pool.take_with_headroom(length, out_max).map(|buffer| DataBuffer { shared: Rc::new(buffer) })
    }

    /// A buffer of no ring's, for what is done without one; `None` beyond [`DATA_BUFFER_MAX`].
    #[must_use]
    pub fn apart(length: usize) -> Option<DataBuffer> {
        DataBuffer::take(&Arc::default(), length, usize::MAX)
    }

    /// The bytes that a buffer of `length` bytes takes: whole pages, a power of two of them, and its headroom.
    #[must_use]
    pub const fn footprint(length: usize) -> usize {
        buffer::footprint(length)
    }

    pub(crate) fn hold(&self) -> Hold {
        Hold(Rc::clone(&self.shared))
    }

    /// The number of bytes, headroom not counted.
    #[must_use]
    pub fn length(&self) -> usize {
        self.shared.length()
    }

    /// Whether a command that was given the buffer has not ended yet.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        Rc::strong_count(&self.shared) > 1
    }

    /// The bytes. A fresh buffer holds whatever was in it before.
    ///
    /// # Panics
    /// While a command of the buffer is in flight: a programmer's error.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.framed(0)
    }

    /// The last `header` bytes of the [`HEADROOM`] and the bytes behind them, as one run: what is sent at once.
    ///
    /// # Panics
    /// While a command of the buffer is in flight, and where `header` is more than the headroom: programmer's errors.
    pub fn framed(&mut self, header: usize) -> &mut [u8] {
        match Rc::get_mut(&mut self.shared) {
            Some(buffer) => buffer.with_headroom(header),
            None => panic!("the bytes of a buffer are the kernel's while a command of it is in flight"),
        }
    }
}

/// The bytes of a buffer that nobody changes any more: shared, shown, and given back with the last clone. No command can be
/// given them.
#[derive(Clone)]
pub struct DataBytes {
    shared: Rc<Buffer>,
}

impl DataBuffer {
    /// The bytes, for good.
    ///
    /// # Panics
    /// While a command of the buffer is in flight: a programmer's error.
    #[must_use]
    pub fn into_bytes(self) -> DataBytes {
        assert!(
            !self.is_in_flight(),
            "the bytes of a buffer are the kernel's while a command of it is in flight"
        );
        DataBytes { shared: self.shared }
    }
}

impl std::ops::Deref for DataBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_a_command_holds_shows_nobody_its_bytes_and_shows_them_again_afterwards() {
        let pool = Arc::new(Pool::default());
        let mut buffer = DataBuffer::take(&pool, 512, DATA_BYTES_MAX).unwrap();
        let hold = buffer.hold();
        assert!(buffer.is_in_flight());
        let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| buffer.bytes().len()));
        assert!(shown.is_err());
        drop(hold);
        assert_eq!(buffer.bytes().len(), 512);
    }

    #[test]
    fn a_dropped_buffer_s_memory_stays_until_its_last_command_ended() {
        let pool = Arc::new(Pool::default());
        let buffer = DataBuffer::take(&pool, 4096, DATA_BYTES_MAX).unwrap();
        let hold = buffer.hold();
        drop(buffer);
        assert_eq!(pool.out_bytes(), 2 * PAGE);
        drop(hold);
        assert_eq!(pool.out_bytes(), 0);
    }

    #[test]
    fn no_buffer_is_longer_and_no_ring_has_more_than_its_limit() {
        let pool = Arc::new(Pool::default());
        assert!(DataBuffer::take(&pool, DATA_BUFFER_MAX + 1, DATA_BYTES_MAX).is_none());
        let _held = DataBuffer::take(&pool, DATA_BUFFER_MAX, DATA_BYTES_MAX).unwrap();
        assert!(DataBuffer::take(&pool, DATA_BUFFER_MAX, DATA_BYTES_MAX).is_none());
        assert!(DataBuffer::take(&pool, DATA_BUFFER_MAX / 2, DATA_BYTES_MAX).is_some());
    }
}
