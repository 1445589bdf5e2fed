//! Attempts: every ATS that this host sent to one block and that is not closed yet (R1).
//!
//! ```text
//!              swapped, or the block shows another image than the one it expected
//!   open ------------------------------------------------------------------------> closed
//!    ^ |
//!    |_| the expected image is read back: this resolves nothing, the command may land later
//! ```

use oarlock_block::Instant;
use oarlock_format::Nonce;

/// Attempts kept open on one block at most. A host whose device fails each beat at once adds eight in a beat's interval;
/// once so many are open, the newest is sent again instead of a further one.
pub const OPEN_ATTEMPTS_MAX: usize = 1024;

/// One ATS without a known outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenAttempt {
    /// The new image's nonce: if it is seen in the block, the attempt landed.
    pub nonce: Nonce,
    /// The expected image's nonce: while the block may hold it, the attempt may land.
    pub expected: Nonce,
    /// Before it was sent, by this host's clock.
    pub sent: Instant,
}

/// The open attempts on one block, oldest first.
#[derive(Clone, Debug, Default)]
pub struct OpenAttempts {
    list: Vec<OpenAttempt>,
}

impl OpenAttempts {
    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether no more may be sent until one is closed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.list.len() >= OPEN_ATTEMPTS_MAX
    }

    /// The attempt that wrote the image with this nonce, if it is one of these.
    #[must_use]
    pub fn by_nonce(&self, nonce: Nonce) -> Option<OpenAttempt> {
        self.list.iter().copied().find(|attempt| attempt.nonce == nonce)
    }

    /// An attempt is about to be sent.
    ///
    /// # Panics
    /// When the list is full: the caller must have asked.
    pub fn add(&mut self, attempt: OpenAttempt) {
        assert!(!self.is_full(), "more open attempts than a block may have");
        self.list.push(attempt);
    }

    /// The device proved that this attempt was not executed and never will be.
    pub fn refused(&mut self, nonce: Nonce) {
        self.list.retain(|attempt| attempt.nonce != nonce);
    }

    /// The block is known to hold, or to have held, the image `shown`: every attempt that expected another image is
    /// dead or has landed, for no image is ever written twice.
    pub fn shown(&mut self, shown: Nonce) {
        self.list.retain(|attempt| attempt.expected == shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn attempt(nonce: u128, expected: u128) -> OpenAttempt {
        OpenAttempt {
            nonce: Nonce(nonce),
            expected: Nonce(expected),
            sent: Instant::from_zero(Duration::from_secs(1)),
        }
    }

    #[test]
    fn reading_the_expected_image_back_closes_nothing() {
        let mut open = OpenAttempts::default();
        open.add(attempt(2, 1));
        open.shown(Nonce(1));
        assert!(open.by_nonce(Nonce(2)).is_some());
    }

    #[test]
    fn another_image_in_the_block_closes_all_that_expected_the_old_one() {
        let mut open = OpenAttempts::default();
        open.add(attempt(2, 1));
        open.add(attempt(3, 1));
        open.add(attempt(4, 2));
        open.shown(Nonce(2));
        assert!(open.by_nonce(Nonce(4)).is_some(), "the one that expects what stands there is still out");
        open.shown(Nonce(9));
        assert!(open.is_empty());
    }
}
