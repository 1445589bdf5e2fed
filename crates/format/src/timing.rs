//! The times of a datastore: how often a host beats, how long a beat lets it act, how long others must look on.

use std::time::Duration;

/// How far the rates of two hosts' clocks may differ, in percent (R5).
pub const DRIFT_PERCENT: u32 = 1;

/// A lapsed host has this part of a lease to stop its queues: G = lease / 20 (R5).
pub const STOP_ALLOWANCE_DIVISOR: u32 = 20;

const BEAT_MIN: Duration = Duration::from_millis(50);
const BEAT_MAX: Duration = Duration::from_secs(60);
/// A year: beyond it a time is a slip of the pen, and arithmetic with it need not be feared.
const TIME_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// Beats in one lease at least: three may fail, and the fourth still comes in time.
const BEATS_PER_LEASE_MIN: u32 = 4;

/// The times of a datastore, chosen at format. Each is a whole number of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From one beat to the next.
    pub beat: Duration,
    /// How long a confirmed beat lets a host act, counted from before it was sent.
    pub lease: Duration,
    /// How long a slot must stand still before its host may be fenced.
    pub watch: Duration,
    /// How long a lapsed host holds its guests' I/O before it fails it (R7).
    pub hold: Duration,
    /// Where nothing else cuts off: how long to wait before a takeover, if it is to be automatic at all (R19).
    pub drain: Option<Duration>,
}

/// Why a datastore must not be given these times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// The beat is out of bounds.
    #[error("a beat of {beat:?} is outside {BEAT_MIN:?} to {BEAT_MAX:?}")]
    Beat {
        /// The beat.
        beat: Duration,
    },
    /// Too few beats fit into a lease.
    #[error(
        "a beat of {beat:?} is too slow for a lease of {lease:?}: at least {BEATS_PER_LEASE_MIN} beats must fit"
    )]
    BeatTooSlow {
        /// The beat.
        beat: Duration,
        /// The lease.
        lease: Duration,
    },
    /// A living host could be fenced.
    #[error(
        "a watch of {watch:?} is too short for a lease of {lease:?}: it must be at least {}, or a living host could be fenced",
        in_milliseconds(*watch_min)
    )]
    WatchTooShort {
        /// The watch.
        watch: Duration,
        /// The lease.
        lease: Duration,
        /// The shortest watch for that lease.
        watch_min: Duration,
    },
    /// Guests would see errors before anybody could take over.
    #[error("a hold of {hold:?} is shorter than the watch of {watch:?}: guests would fail before a takeover")]
    HoldTooShort {
        /// The hold.
        hold: Duration,
        /// The watch.
        watch: Duration,
    },
    /// One of the times is absurdly long.
    #[error("the {which} of {found:?} is longer than a year")]
    TooLong {
        /// Which time.
        which: &'static str,
        /// The time.
        found: Duration,
    },
    /// One of the times is not a whole number of milliseconds.
    #[error("the {which} of {found:?} is not a whole number of milliseconds")]
    Fraction {
        /// Which time.
        which: &'static str,
        /// The time.
        found: Duration,
    },
    /// A drain of no time at all.
    #[error("a drain of no time lets nothing drain")]
    NoDrain,
}

/// Rounded up to what can be given.
fn in_milliseconds(time: Duration) -> String {
    format!("{}ms", time.as_nanos().div_ceil(1_000_000))
}

/// The shortest watch that cannot fence a living host: (L (1 + r) + G) / (1 - r), rounded up (R5).
#[must_use]
pub const fn watch_min(lease: Duration) -> Duration {
    let part_of = STOP_ALLOWANCE_DIVISOR;
    let numerator = (100 + DRIFT_PERCENT) * part_of + 100;
    let denominator = (100 - DRIFT_PERCENT) * part_of;
    match lease.saturating_mul(numerator).checked_div(denominator) {
        Some(watch) => watch.saturating_add(Duration::from_nanos(1)),
        None => Duration::MAX,
    }
}

impl Timing {
    /// Beat 2 s, lease 10 s, watch 11 s, hold 140 s, no drain.
    pub const DEFAULT: Timing = Timing {
        beat: Duration::from_secs(2),
        lease: Duration::from_secs(10),
        watch: Duration::from_secs(11),
        hold: Duration::from_secs(140),
        drain: None,
    };

    /// The watch where none is chosen: 1.1 times the lease, in whole milliseconds, rounded up.
    #[must_use]
    pub fn watch_for(lease: Duration) -> Duration {
        let milliseconds = (lease.as_millis() * 11).div_ceil(10);
        let watch = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX));
        assert!(watch >= watch_min(lease).min(TIME_MAX), "1.1 leases are not watch enough for {lease:?}");
        watch
    }

    /// Whether a datastore may be given these times.
    ///
    /// # Errors
    /// What is wrong, in one sentence.
    pub fn check(&self) -> Result<(), TimingError> {
        let named = [("beat", self.beat), ("lease", self.lease), ("watch", self.watch), ("hold", self.hold)];
        for (which, found) in named.into_iter().chain(self.drain.map(|drain| ("drain", drain))) {
            if found > TIME_MAX {
                return Err(TimingError::TooLong { which, found });
            }
            if found.subsec_nanos() % 1_000_000 != 0 {
                return Err(TimingError::Fraction { which, found });
            }
        }
        let Timing { beat, lease, watch, hold, drain } = *self;
        if beat < BEAT_MIN || beat > BEAT_MAX {
            return Err(TimingError::Beat { beat });
        }
        if beat * BEATS_PER_LEASE_MIN > lease {
            return Err(TimingError::BeatTooSlow { beat, lease });
        }
        let shortest = watch_min(lease);
        if watch < shortest {
            return Err(TimingError::WatchTooShort { watch, lease, watch_min: shortest });
        }
        if hold < watch {
            return Err(TimingError::HoldTooShort { hold, watch });
        }
        if drain.is_some_and(|drain| drain.is_zero()) { Err(TimingError::NoDrain) } else { Ok(()) }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Timing::DEFAULT
    }
}

/// The defaults keep the gap between "I stop" and "others may fence" (I4).
const _: () = assert!(Timing::DEFAULT.watch.as_nanos() >= watch_min(Timing::DEFAULT.lease).as_nanos());

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(beat_ms: u64, lease_ms: u64) -> Timing {
        let lease = Duration::from_millis(lease_ms);
        Timing {
            beat: Duration::from_millis(beat_ms),
            lease,
            watch: Timing::watch_for(lease),
            ..Timing::DEFAULT
        }
    }

    #[test]
    fn the_defaults_a_san_s_and_the_fastest_are_allowed() {
        assert_eq!(Timing::DEFAULT.check(), Ok(()));
        assert_eq!(timing(3_000, 20_000).check(), Ok(()));
        assert_eq!(timing(200, 1_000).check(), Ok(()));
        assert_eq!(timing(50, 200).check(), Ok(()));
    }

    #[test]
    fn a_watch_of_1_1_leases_always_suffices() {
        for lease_ms in (200..100_000).step_by(77) {
            let lease = Duration::from_millis(lease_ms);
            assert!(Timing::watch_for(lease) >= watch_min(lease), "{lease:?}");
        }
    }

    #[test]
    fn the_shortest_watch_is_that_of_the_rule() {
        let shortest = watch_min(Duration::from_secs(10));
        assert!(shortest > Duration::from_millis(10_707) && shortest < Duration::from_millis(10_708));
    }

    #[test]
    fn each_bad_time_is_refused_for_its_own_reason() {
        let good = Timing::DEFAULT;
        let seconds = Duration::from_secs;
        let refused = |timing: Timing| timing.check().unwrap_err();
        assert!(matches!(refused(timing(49, 1_000)), TimingError::Beat { .. }));
        assert!(matches!(refused(timing(61_000, 600_000)), TimingError::Beat { .. }));
        assert!(matches!(refused(timing(2_501, 10_000)), TimingError::BeatTooSlow { .. }));
        let short = Timing { watch: Duration::from_millis(10_707), ..good };
        assert!(matches!(refused(short), TimingError::WatchTooShort { .. }));
        assert!(matches!(refused(Timing { hold: seconds(10), ..good }), TimingError::HoldTooShort { .. }));
        let year = Timing { hold: seconds(366 * 24 * 3600), ..good };
        assert!(matches!(refused(year), TimingError::TooLong { which: "hold", .. }));
        let fraction = Timing { beat: Duration::from_micros(2_000_001), ..good };
        assert!(matches!(refused(fraction), TimingError::Fraction { which: "beat", .. }));
        assert_eq!(refused(Timing { drain: Some(Duration::ZERO), ..good }), TimingError::NoDrain);
    }
}
