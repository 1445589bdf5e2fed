//! Aligned buffers for direct I/O, pooled: the kernel may still write into one after the caller has gone away.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use crate::locked;

/// The alignment and the unit of every buffer: no direct I/O asks for more than a page.
pub(crate) const PAGE: usize = 4096;

/// What one command of a lane moves at most; longer reads and writes are cut into pieces. Long enough that the
/// journey to the ring and back does not show, short enough that 64 of them stay a modest 64 MiB.
pub(crate) const TRANSFER_MAX: usize = 1 << 20;

/// What a pool keeps for the next commands, in bytes: the three pages of each ATS of two full lanes, and eight transfers.
const KEPT_MAX: usize = 384 * PAGE + 8 * TRANSFER_MAX;

/// Lists of kept runs: a run is a power of two of pages, up to 2^15 (128 MiB), with a page of headroom or without.
const CLASSES: usize = 32;

#[derive(Clone, Copy)]
#[repr(C, align(4096))]
struct Page([u8; PAGE]);

/// A run of pages on the heap. It is held by its address and not by a `Box`, for the kernel reads and writes it while
/// it is held here and there; who may touch its bytes is for its holders to say.
struct Run(NonNull<[Page]>);

// SAFETY: a run owns its pages and nothing else does; they are plain bytes, which any thread may use and free.
unsafe impl Send for Run {}
// SAFETY: a shared reference to a run tells its address and length only.
unsafe impl Sync for Run {}

impl Run {
    fn new(pages: usize) -> Run {
        let pages = Box::leak(vec![Page([0; PAGE]); pages].into_boxed_slice());
        Run(NonNull::from(pages))
    }

    fn bytes(&self) -> usize {
        self.0.len() * PAGE
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // SAFETY: the address came from a leaked box in `new`, and is given back once, here.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// Buffers that went out of use, for the next command, and a count of those that are in use.
#[derive(Default)]
pub(crate) struct Pool {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: [Vec<Run>; CLASSES],
    kept_bytes: usize,
    out_bytes: usize,
}

/// How many pages a buffer of `length` bytes has, its headroom not counted.
const fn pages_for(length: usize) -> usize {
    let pages = length.div_ceil(PAGE);
    if pages == 0 { 1 } else { pages.next_power_of_two() }
}

/// The bytes that a buffer of `length` bytes takes, a page of headroom included.
pub(crate) const fn footprint(length: usize) -> usize {
    pages_for(length) * PAGE + PAGE
}

/// The list that runs of so many pages are kept in.
fn class(pages: usize, headroom: usize) -> usize {
    pages.trailing_zeros() as usize * 2 + usize::from(headroom > 0)
}

impl Pool {
    /// A buffer of `length` bytes (at most [`TRANSFER_MAX`]) with whatever content it had.
    pub(crate) fn take(self: &Arc<Pool>, length: usize) -> Buffer {
        assert!(length <= TRANSFER_MAX, "a transfer is cut into pieces before it asks for a buffer");
        self.take_run(length, 0)
    }

    /// A buffer with a page of headroom before its `length` bytes; `None` where more than `out_max` bytes of this pool
    /// would be in use then.
    pub(crate) fn take_with_headroom(self: &Arc<Pool>, length: usize, out_max: usize) -> Option<Buffer> {
        (self.out_bytes() + footprint(length) <= out_max).then(|| self.take_run(length, PAGE))
    }

    /// A buffer that holds `data`.
    pub(crate) fn filled(self: &Arc<Pool>, data: &[u8]) -> Buffer {
        let mut buffer = self.take(data.len());
        buffer.copy_from_slice(data);
        buffer
    }

    /// The bytes of all buffers in use, headroom included.
    pub(crate) fn out_bytes(&self) -> usize {
        locked(&self.state).out_bytes
    }

    fn take_run(self: &Arc<Pool>, length: usize, headroom: usize) -> Buffer {
        let pages = pages_for(length);
        let kept = {
            let mut state = locked(&self.state);
            state.out_bytes += pages * PAGE + headroom;
            let kept = state.kept[class(pages, headroom)].pop();
            state.kept_bytes -= kept.as_ref().map_or(0, Run::bytes);
            kept
        };
        let run = kept.unwrap_or_else(|| Run::new(pages + headroom / PAGE));
        Buffer { run: Some(run), headroom, length, pool: Arc::clone(self) }
    }

    fn give_back(&self, run: Run, headroom: usize) {
        let mut state = locked(&self.state);
        state.out_bytes -= run.bytes();
        if state.kept_bytes + run.bytes() <= KEPT_MAX {
            state.kept_bytes += run.bytes();
            let pages = (run.bytes() - headroom) / PAGE;
            state.kept[class(pages, headroom)].push(run);
        }
    }
}

/// A page-aligned run of bytes that goes back to its pool when dropped. Its bytes never move.
pub(crate) struct Buffer {
    /// Always there until the drop.
    run: Option<Run>,
    headroom: usize,
    length: usize,
    pool: Arc<Pool>,
}

impl Buffer {
    /// Where the bytes lie, headroom not counted: they stay there while the buffer lives.
    pub(crate) fn start(&self) -> *mut u8 {
        let Some(run) = &self.run else { unreachable!("a buffer has its run until it is dropped") };
        run.0.cast::<u8>().as_ptr().wrapping_add(self.headroom)
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// The last `before` bytes of the headroom, and the buffer's own behind them.
    ///
    /// # Panics
    /// Where `before` is more than the headroom.
    pub(crate) fn with_headroom(&mut self, before: usize) -> &mut [u8] {
        assert!(before <= self.headroom, "{before} bytes are more than the headroom of {}", self.headroom);
        let start = self.start().wrapping_sub(before);
        // SAFETY: `before` bytes of headroom and `length` bytes behind them lie within one run of initialised bytes
        // (`Page` is `repr(C)`, as large as it is aligned, so without padding); the exclusive borrow of the buffer is
        // the exclusive borrow of its run.
        unsafe { std::slice::from_raw_parts_mut(start, before + self.length) }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: as in `with_headroom`, and nobody writes while the buffer is borrowed: the kernel only does so while
        // a ring holds the buffer.
        unsafe { std::slice::from_raw_parts(self.start(), self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.with_headroom(0)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(run) = self.run.take() {
            self.pool.give_back(run, self.headroom);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_to_a_page_and_exactly_as_long_as_asked() {
        let pool = Arc::new(Pool::default());
        for length in [0, 512, 4096, 4608, TRANSFER_MAX] {
            let buffer = pool.take(length);
            assert_eq!(buffer.len(), length);
            assert_eq!(buffer.as_ptr().addr() % PAGE, 0);
            let mut framed = pool.take_with_headroom(length, usize::MAX).unwrap();
            assert_eq!(framed.as_ptr().addr() % PAGE, 0);
            assert_eq!(framed.with_headroom(48).len(), length + 48);
        }
    }

    #[test]
    fn the_headroom_lies_right_before_the_bytes() {
        let pool = Arc::new(Pool::default());
        let mut buffer = pool.take_with_headroom(512, usize::MAX).unwrap();
        buffer.with_headroom(2)[..3].copy_from_slice(&[1, 2, 3]);
        assert_eq!(buffer[0], 3);
        assert_eq!(buffer.with_headroom(PAGE)[PAGE - 2..PAGE], [1, 2]);
    }

    #[test]
    fn the_pool_keeps_no_more_than_its_maximum_and_counts_what_is_out() {
        let pool = Arc::new(Pool::default());
        let many: Vec<Buffer> = (0..13).map(|_| pool.take(TRANSFER_MAX)).collect();
        assert_eq!(pool.out_bytes(), 13 * TRANSFER_MAX);
        drop(many);
        assert_eq!(pool.out_bytes(), 0);
        let kept = locked(&pool.state).kept_bytes;
        assert!((8 * TRANSFER_MAX..=KEPT_MAX).contains(&kept), "{kept}");
    }

    #[test]
    fn a_run_with_headroom_never_serves_as_one_without() {
        let pool = Arc::new(Pool::default());
        drop(pool.take_with_headroom(PAGE, usize::MAX));
        assert_eq!(pool.take(2 * PAGE).run.as_ref().map(Run::bytes), Some(2 * PAGE));
        assert_eq!(
            pool.take_with_headroom(PAGE, usize::MAX).unwrap().run.as_ref().map(Run::bytes),
            Some(2 * PAGE)
        );
    }

    #[test]
    fn beyond_the_limit_there_is_no_buffer_until_one_comes_back() {
        let pool = Arc::new(Pool::default());
        let held = pool.take_with_headroom(PAGE, 2 * PAGE).unwrap();
        assert!(pool.take_with_headroom(1, 2 * PAGE).is_none());
        drop(held);
        assert!(pool.take_with_headroom(1, 2 * PAGE).is_some());
    }
}
