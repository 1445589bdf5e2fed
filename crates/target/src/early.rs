//! Memory for data that come unasked, before their commands begin: bounded for all sessions together.

use std::cell::Cell;
use std::rc::Rc;

use crate::limits::EARLY_BYTES_MAX;

/// What is left to give.
#[derive(Clone)]
pub(crate) struct Early {
    free: Rc<Cell<usize>>,
}

/// A right to so many bytes, until it is dropped.
pub(crate) struct EarlyPermit {
    free: Rc<Cell<usize>>,
    bytes: usize,
}

impl Default for Early {
    fn default() -> Early {
        Early { free: Rc::new(Cell::new(EARLY_BYTES_MAX)) }
    }
}

impl Early {
    /// The right to `bytes` bytes, where they are left.
    pub(crate) fn permit(&self, bytes: usize) -> Option<EarlyPermit> {
        let left = self.free.get().checked_sub(bytes)?;
        self.free.set(left);
        Some(EarlyPermit { free: Rc::clone(&self.free), bytes })
    }
}

impl Drop for EarlyPermit {
    fn drop(&mut self) {
        self.free.set(self.free.get() + self.bytes);
    }
}
