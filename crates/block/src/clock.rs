//! Time as the engine sees it: a clock of its own that counts suspended time, and the wall clock for people.

use std::fmt;
use std::time::Duration;

use crate::LocalFuture;

/// A point on one host's own clock. Points of different hosts are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    nanoseconds: u64,
}

impl Instant {
    /// The point that lies `duration` after the clock's zero.
    #[must_use]
    pub fn from_zero(duration: Duration) -> Instant {
        // 2^64 nanoseconds are 584 years of uptime.
        Instant { nanoseconds: u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX) }
    }

    /// The time since the clock's zero.
    #[must_use]
    pub fn since_zero(self) -> Duration {
        Duration::from_nanos(self.nanoseconds)
    }

    /// The time from `earlier` to here; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.nanoseconds.saturating_sub(earlier.nanoseconds))
    }

    /// The point `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Instant {
        Instant::from_zero(self.since_zero().saturating_add(duration))
    }

    /// The point `duration` earlier, or the clock's zero.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Instant {
        Instant::from_zero(self.since_zero().saturating_sub(duration))
    }
}

/// Milliseconds since 1970 in UTC, as this host believes: written for people, never used to decide anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime {
    /// Milliseconds since the epoch.
    pub milliseconds: u64,
}

impl fmt::Display for WallTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ms since 1970", self.milliseconds)
    }
}

/// A host's clock. It counts time in which the machine was suspended (`CLOCK_BOOTTIME`): a lease must run out while
/// its holder sleeps.
pub trait Clock {
    /// Now.
    fn now(&self) -> Instant;

    /// Resolves at `deadline` or after it, at once if it is past.
    fn sleep_until(&self, deadline: Instant) -> LocalFuture<'static, ()>;

    /// The wall clock, for people.
    fn wall(&self) -> WallTime;
}
