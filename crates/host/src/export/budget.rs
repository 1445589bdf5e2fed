//! How much of an export its clients may have at once: requests, and bytes of memory for their data, in order of asking.

use std::collections::VecDeque;

use super::limits::{EXPORT_REQUESTS_MAX, REQUEST_BYTES_MAX};

/// The unit of memory, and what each buffer has before its bytes.
const PAGE: usize = 4096;

/// What is given out, and which connections wait for more, the first one first: so a long request is not starved by short ones.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    requests: usize,
    bytes: usize,
    waiting: VecDeque<usize>,
}

/// What a buffer of `length` bytes takes: a power of two of pages, and one more; nothing for no bytes.
pub(crate) fn bytes_for(length: usize) -> usize {
    match length {
        0 => 0,
        length => (length.div_ceil(PAGE).next_power_of_two() + 1) * PAGE,
    }
}

impl Budget {
    /// Lets a request with so many bytes in. `false`: its connection stands in the queue.
    pub(crate) fn admit(&mut self, connection: usize, bytes: usize) -> bool {
        let is_next = self.waiting.front().is_none_or(|first| *first == connection);
        if !is_next || !self.fits(bytes) {
            if !self.waiting.contains(&connection) {
                self.waiting.push_back(connection);
            }
            return false;
        }
        self.leave(connection);
        self.requests += 1;
        self.bytes += bytes;
        true
    }

    /// What was let in cannot begin after all: its connection stands first in the queue.
    pub(crate) fn take_back(&mut self, connection: usize, bytes: usize) {
        self.requests -= 1;
        self.bytes -= bytes;
        self.waiting.push_front(connection);
    }

    fn fits(&self, bytes: usize) -> bool {
        self.requests < EXPORT_REQUESTS_MAX && self.bytes + bytes <= REQUEST_BYTES_MAX
    }

    /// The connection that is let in next.
    pub(crate) fn next(&self) -> Option<usize> {
        self.waiting.front().copied()
    }

    /// A connection waits no more.
    pub(crate) fn leave(&mut self, connection: usize) {
        self.waiting.retain(|waiting| *waiting != connection);
    }

    /// A request ended.
    pub(crate) fn request_ended(&mut self) {
        self.requests -= 1;
    }

    /// Memory of requests is free again.
    pub(crate) fn free(&mut self, bytes: usize) {
        self.bytes -= bytes;
    }

    /// Requests that were let in and have not ended.
    pub(crate) fn requests(&self) -> usize {
        self.requests
    }

    /// Bytes that are given out.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_request_is_not_starved_by_short_ones() {
        let mut budget = Budget::default();
        let long = bytes_for(32 << 20);
        assert!(budget.admit(1, long));
        assert!(!budget.admit(2, long));
        assert!(!budget.admit(3, bytes_for(4096)), "the second one stands before it");
        budget.free(long);
        assert_eq!(budget.next(), Some(2));
        assert!(!budget.admit(3, bytes_for(4096)));
        assert!(budget.admit(2, long));
        assert!(budget.admit(3, bytes_for(4096)));
        assert_eq!((budget.next(), budget.requests()), (None, 3));
    }

    #[test]
    fn no_more_requests_and_bytes_are_let_in_than_the_limits_say() {
        let mut budget = Budget::default();
        let mut requests = 0;
        while budget.admit(1, 0) {
            requests += 1;
        }
        assert_eq!(requests, EXPORT_REQUESTS_MAX);
        let mut budget = Budget::default();
        while budget.admit(1, bytes_for(1 << 20)) {}
        assert!(budget.bytes() <= REQUEST_BYTES_MAX);
        budget.leave(1);
        assert_eq!(budget.next(), None, "a connection that is gone keeps nobody waiting");
    }
}
