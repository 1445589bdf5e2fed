//! True time: the one time line of the simulated world, which no host can read.

use std::fmt;
use std::time::Duration;

/// Nanoseconds since the world began. Hosts see only their own [clocks](crate::LocalClock); checkers judge by this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrueTime {
    nanoseconds: u64,
}

impl TrueTime {
    /// The beginning of the world.
    pub const START: TrueTime = TrueTime { nanoseconds: 0 };
    /// Later than everything: 584 years.
    pub const NEVER: TrueTime = TrueTime { nanoseconds: u64::MAX };

    /// The point that lies this many nanoseconds after the beginning.
    #[must_use]
    pub const fn from_nanoseconds(nanoseconds: u64) -> TrueTime {
        TrueTime { nanoseconds }
    }

    /// The point that lies `duration` after the beginning.
    #[must_use]
    pub fn from_start(duration: Duration) -> TrueTime {
        TrueTime { nanoseconds: nanoseconds(duration) }
    }

    /// Nanoseconds since the beginning.
    #[must_use]
    pub const fn nanoseconds(self) -> u64 {
        self.nanoseconds
    }

    /// The time since the beginning.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.nanoseconds)
    }

    /// The time from `earlier` to here; zero where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: TrueTime) -> Duration {
        Duration::from_nanos(self.nanoseconds.saturating_sub(earlier.nanoseconds))
    }

    /// The point `duration` later; [`NEVER`](TrueTime::NEVER) at most.
    #[must_use]
    pub fn plus(self, duration: Duration) -> TrueTime {
        TrueTime { nanoseconds: self.nanoseconds.saturating_add(nanoseconds(duration)) }
    }

    /// The point `duration` earlier; the beginning at least.
    #[must_use]
    pub fn minus(self, duration: Duration) -> TrueTime {
        TrueTime { nanoseconds: self.nanoseconds.saturating_sub(nanoseconds(duration)) }
    }
}

impl fmt::Display for TrueTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:09}", self.nanoseconds / 1_000_000_000, self.nanoseconds % 1_000_000_000)
    }
}

/// The length in nanoseconds; 584 years at most.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shown_in_seconds_to_the_nanosecond_and_never_wraps() {
        assert_eq!(TrueTime::from_start(Duration::from_millis(12_345)).to_string(), "12.345000000");
        assert_eq!(TrueTime::NEVER.plus(Duration::from_secs(1)), TrueTime::NEVER);
        assert_eq!(TrueTime::START.minus(Duration::from_secs(1)), TrueTime::START);
    }
}
