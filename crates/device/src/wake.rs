//! What ends a ring's wait from another thread: an eventfd that is written once per look.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::EventfdFlags;

/// The bell of one ring.
pub(crate) struct Wake {
    eventfd: OwnedFd,
    rung: AtomicBool,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Wake> {
        let eventfd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Wake { eventfd, rung: AtomicBool::new(false) })
    }

    /// Ends the ring's wait, or its next one. What was done before this call is seen by the ring's thread afterwards.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // The one error of an eventfd is a full counter, and a full counter wakes as well.
            let _ = rustix::io::write(&self.eventfd, &1_u64.to_ne_bytes());
        }
    }

    /// The ring's thread heard it, and looks now. The counter is emptied first: in the other order a ring in between
    /// would be emptied too while it counts as rung, and none after it would be heard.
    pub(crate) fn heard(&self) {
        let _ = rustix::io::read(&self.eventfd, &mut [0; 8]);
        self.rung.swap(false, Ordering::AcqRel);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(wake: &Wake) -> Option<u64> {
        let mut bytes = [0; 8];
        rustix::io::read(wake, &mut bytes).ok().map(|_| u64::from_ne_bytes(bytes))
    }

    #[test]
    fn many_calls_between_two_looks_write_once_and_a_look_makes_the_next_one_count() {
        let wake = Wake::new().unwrap();
        (0..5).for_each(|_| wake.ring());
        assert_eq!(counter(&wake), Some(1));
        wake.heard();
        assert_eq!(counter(&wake), None);
        wake.ring();
        assert_eq!(counter(&wake), Some(1));
    }
}
