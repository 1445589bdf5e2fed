//! Aligned buffers for direct I/O, pooled: the kernel may still write into one after the caller has gone away.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use crate::locked;

/// The alignment and the unit of every buffer: no direct I/O asks for more than a page.
pub(crate) const PAGE: usize = 4096;

/// What one command of a lane moves at most; longer reads and writes are cut into pieces. Long enough that the
/// journey to the ring and back does not show, short enough that 64 of them stay a modest 64 MiB.
pub(crate) const TRANSFER_MAX: usize = 1 << 20;

/// One-page buffers that a pool keeps for the next command: three for each ATS of two full lanes.
const SMALL_KEPT_MAX: usize = 384;

/// Larger buffers that a pool keeps.
const LARGE_KEPT_MAX: usize = 8;

#[derive(Clone, Copy)]
#[repr(C, align(4096))]
struct Page([u8; PAGE]);

/// Buffers that went out of use, for the next command.
#[derive(Default)]
pub(crate) struct Pool {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    small: Vec<Vec<Page>>,
    large: Vec<Vec<Page>>,
}

impl Pool {
    /// A buffer of `length` bytes (at most [`TRANSFER_MAX`]) with whatever content it had.
    pub(crate) fn take(self: &Arc<Pool>, length: usize) -> Buffer {
        assert!(length <= TRANSFER_MAX, "a transfer is cut into pieces before it asks for a buffer");
        let kept =
            if length <= PAGE { locked(&self.kept).small.pop() } else { locked(&self.kept).large.pop() };
        let whole = if length <= PAGE { PAGE } else { TRANSFER_MAX };
        let pages = kept.unwrap_or_else(|| vec![Page([0; PAGE]); whole / PAGE]);
        Buffer { pages, length, pool: Arc::clone(self) }
    }

    /// A buffer that holds `data`.
    pub(crate) fn filled(self: &Arc<Pool>, data: &[u8]) -> Buffer {
        let mut buffer = self.take(data.len());
        buffer.copy_from_slice(data);
        buffer
    }

    fn give_back(&self, pages: Vec<Page>) {
        let mut kept = locked(&self.kept);
        let (list, kept_max) = match pages.len() {
            0 => return,
            1 => (&mut kept.small, SMALL_KEPT_MAX),
            _ => (&mut kept.large, LARGE_KEPT_MAX),
        };
        if list.len() < kept_max {
            list.push(pages);
        }
    }
}

/// A page-aligned run of bytes that goes back to its pool when dropped. Its bytes never move.
pub(crate) struct Buffer {
    pages: Vec<Page>,
    length: usize,
    pool: Arc<Pool>,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `pages` is `pages.len() * PAGE` initialised bytes in one run (`Page` is `repr(C)`, as large as it is
        // aligned, so without padding), and `length` never exceeds that.
        unsafe { std::slice::from_raw_parts(self.pages.as_ptr().cast::<u8>(), self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; the exclusive borrow of `self` is the exclusive borrow of the pages.
        unsafe { std::slice::from_raw_parts_mut(self.pages.as_mut_ptr().cast::<u8>(), self.length) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.pages));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_to_a_page_and_exactly_as_long_as_asked() {
        let pool = Arc::new(Pool::default());
        for length in [512, 4096, 4608, TRANSFER_MAX] {
            let buffer = pool.take(length);
            assert_eq!(buffer.len(), length);
            assert_eq!(buffer.as_ptr().addr() % PAGE, 0);
        }
    }

    #[test]
    fn the_pool_keeps_no_more_than_its_maximum() {
        let pool = Arc::new(Pool::default());
        let many: Vec<Buffer> = (0..LARGE_KEPT_MAX + 3).map(|_| pool.take(TRANSFER_MAX)).collect();
        drop(many);
        assert_eq!(locked(&pool.kept).large.len(), LARGE_KEPT_MAX);
    }
}
