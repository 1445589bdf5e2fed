//! The lease: until when a host may act, by its own clock, counted from before its last confirmed beat was sent (R5).
//!
//! ```text
//!   beat sent           confirmed            lease ends        others may fence
//!      |---------------------|------------------|---------------------|
//!      |<----------------- lease L ------------>|                     |
//!      |<----------------------- watch W >= (L (1 + r) + G) / (1 - r) --->|
//! ```

use std::cell::Cell;
use std::time::Duration;

use oarlock_block::Instant;

/// Until when the host may act. Time alone ends it; only a confirmed beat extends it.
#[derive(Debug)]
pub struct Lease {
    length: Duration,
    confirmed: Cell<Option<Instant>>,
    revoked: Cell<bool>,
}

impl Lease {
    /// A lease that no beat has confirmed yet.
    #[must_use]
    pub fn new(length: Duration) -> Lease {
        Lease { length, confirmed: Cell::new(None), revoked: Cell::new(false) }
    }

    /// A beat that was sent at `sent` is confirmed. A beat older than the newest confirmed one changes nothing.
    pub fn confirm(&self, sent: Instant) {
        if self.confirmed.get().is_none_or(|newest| sent > newest) {
            self.confirmed.set(Some(sent));
        }
    }

    /// The host has left or had to stop: whatever beat may still be confirmed, it never acts again.
    pub fn revoke(&self) {
        self.revoked.set(true);
    }

    /// When it ends, or the clock's zero where no beat was confirmed.
    #[must_use]
    pub fn end(&self) -> Instant {
        match self.confirmed.get() {
            Some(sent) => sent.plus(self.length),
            None => Instant::from_zero(Duration::ZERO),
        }
    }

    /// Whether the host may act at `now`.
    #[must_use]
    pub fn holds(&self, now: Instant) -> bool {
        !self.revoked.get() && now < self.end()
    }

    /// When its last quarter begins: from here on an unrenewed lease counts as lost to those who hold named locks
    /// (R29), so that their work has stopped before anybody else can own the lock.
    #[must_use]
    pub fn last_quarter(&self) -> Instant {
        self.end().minus(self.length / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_zero(Duration::from_secs(seconds))
    }

    #[test]
    fn a_lease_counts_from_before_the_beat_was_sent() {
        let lease = Lease::new(Duration::from_secs(10));
        assert!(!lease.holds(at(0)));
        lease.confirm(at(5));
        assert!(lease.holds(at(14)));
        assert!(!lease.holds(at(15)));
        assert_eq!(lease.last_quarter(), Instant::from_zero(Duration::from_millis(12_500)));
    }

    #[test]
    fn a_revoked_lease_never_holds_again() {
        let lease = Lease::new(Duration::from_secs(10));
        lease.confirm(at(5));
        lease.revoke();
        lease.confirm(at(6));
        assert!(!lease.holds(at(7)));
    }

    #[test]
    fn an_older_beat_never_shortens_or_extends_a_lease() {
        let lease = Lease::new(Duration::from_secs(10));
        lease.confirm(at(7));
        lease.confirm(at(5));
        assert_eq!(lease.end(), at(17));
    }
}
