//! A host's own clock as arithmetic: an offset and a rate against true time, and spells in which it stands still.

use std::time::Duration;

use oarlock_block::Instant;

use crate::TrueTime;
use crate::time::nanoseconds;

/// The drift that the protocol allows for (R5): 1 %.
pub const DRIFT_PPM_MAX: i32 = 10_000;

/// Times that one clock may be frozen in one run: each leaves two segments, which queries walk through.
const SEGMENTS_MAX: usize = 1 << 16;

/// Local nanoseconds per this many true ones are what a segment's rate counts.
const RATE_UNIT: u64 = 1_000_000_000;

/// A piece of the clock's course in which its rate does not change.
#[derive(Clone, Copy, Debug)]
struct Segment {
    from: TrueTime,
    local_from: u64,
    /// Local nanoseconds in [`RATE_UNIT`] true ones; 0 while the clock stands still.
    rate: u64,
}

impl Segment {
    fn at(&self, time: TrueTime) -> u64 {
        let passed = u128::from(nanoseconds(time.since(self.from)));
        let local = passed * u128::from(self.rate) / u128::from(RATE_UNIT);
        self.local_from.saturating_add(u64::try_from(local).unwrap_or(u64::MAX))
    }

    /// The first true time at which this segment shows `local`, were it to go on for ever.
    fn reaches(&self, local: u64) -> Option<TrueTime> {
        if local <= self.local_from {
            return Some(self.from);
        }
        if self.rate == 0 {
            return None;
        }
        let missing = u128::from(local - self.local_from) * u128::from(RATE_UNIT);
        let passed = u64::try_from(missing.div_ceil(u128::from(self.rate))).unwrap_or(u64::MAX);
        Some(self.from.plus(Duration::from_nanos(passed)))
    }
}

/// The course of one host's clock, from the beginning of the world until now.
#[derive(Clone, Debug)]
pub struct LocalClock {
    segments: Vec<Segment>,
    rate: u64,
}

impl LocalClock {
    /// A clock that shows `offset` at the beginning of the world and drifts by so many parts per million: positive is
    /// fast.
    ///
    /// # Panics
    /// Where the drift is beyond [`DRIFT_PPM_MAX`] tenfold: such a clock is no test of a rule that allows for 1 %.
    #[must_use]
    pub fn new(offset: Duration, drift_ppm: i32) -> LocalClock {
        assert!(drift_ppm.abs() <= 10 * DRIFT_PPM_MAX, "a clock that drifts by {drift_ppm} ppm");
        let drift = u64::from(drift_ppm.unsigned_abs()) * 1_000;
        let rate = if drift_ppm < 0 { RATE_UNIT - drift } else { RATE_UNIT + drift };
        let first = Segment { from: TrueTime::START, local_from: nanoseconds(offset), rate };
        LocalClock { segments: vec![first], rate }
    }

    /// What the clock shows at a true time, past or future; the future is what it will show if nothing freezes it.
    #[must_use]
    pub fn at(&self, time: TrueTime) -> Instant {
        let after = self.segments.partition_point(|segment| segment.from <= time);
        let local = self.segments[after.saturating_sub(1)].at(time);
        Instant::from_zero(Duration::from_nanos(local))
    }

    /// The first true time at which the clock shows `instant` or more, as far as its course is known; `None` where it
    /// stands still before that.
    #[must_use]
    pub fn reaches(&self, instant: Instant) -> Option<TrueTime> {
        let local = nanoseconds(instant.since_zero());
        let after = self.segments.partition_point(|segment| segment.local_from < local);
        let segment = self.segments[after.saturating_sub(1)];
        let reached = segment.reaches(local);
        // Rounding may leave the next segment to begin one nanosecond short of what its predecessor would have shown.
        match (reached, self.segments.get(after)) {
            (Some(reached), Some(next)) => Some(reached.min(next.from)),
            (None, Some(next)) => Some(next.from),
            (reached, None) => reached,
        }
    }

    /// Whether it stands still now.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.segments[self.segments.len() - 1].rate == 0
    }

    /// The clock stands still from `now` on, as a paused virtual machine's does (R10).
    pub(crate) fn freeze(&mut self, now: TrueTime) {
        self.turn(now, 0);
    }

    /// The clock goes on from where it stood.
    pub(crate) fn thaw(&mut self, now: TrueTime) {
        self.turn(now, self.rate);
    }

    fn turn(&mut self, now: TrueTime, rate: u64) {
        assert!(self.segments.len() < SEGMENTS_MAX, "a clock was frozen more than {SEGMENTS_MAX} times");
        let last = self.segments[self.segments.len() - 1];
        let next = Segment { from: now, local_from: last.at(now), rate };
        if last.from == now {
            self.segments.pop();
        }
        self.segments.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(nanoseconds: u64) -> Instant {
        Instant::from_zero(Duration::from_nanos(nanoseconds))
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_fast_and_a_slow_clock_drift_apart_by_their_rates() {
        let (fast, slow) =
            (LocalClock::new(Duration::ZERO, 10_000), LocalClock::new(Duration::from_secs(5), -10_000));
        let hour = TrueTime::from_start(Duration::from_secs(3_600));
        assert_eq!(fast.at(hour), local(3_636 * SECOND));
        assert_eq!(slow.at(hour), local((5 + 3_564) * SECOND));
    }

    #[test]
    fn an_instant_is_reached_at_the_first_nanosecond_that_shows_it() {
        for drift in [-10_000, -9_999, -1, 0, 1, 7, 3_333, 10_000] {
            let clock = LocalClock::new(Duration::from_nanos(17), drift);
            for instant in [18, 19, 1_000, 999_999_937, 3_600 * SECOND + 1].map(local) {
                let reached = clock.reaches(instant);
                let reached = reached.unwrap_or_else(|| panic!("{instant:?} is reached"));
                assert!(clock.at(reached) >= instant, "{drift} {instant:?}");
                let before = reached.minus(Duration::from_nanos(1));
                assert!(clock.at(before) < instant, "{drift} {instant:?}");
            }
        }
    }

    #[test]
    fn a_frozen_clock_stands_still_and_goes_on_from_there() {
        let mut clock = LocalClock::new(Duration::ZERO, 0);
        let at = |seconds| TrueTime::from_start(Duration::from_secs(seconds));
        clock.freeze(at(10));
        assert!(clock.is_frozen());
        assert_eq!(clock.at(at(50)), local(10 * SECOND));
        assert_eq!(clock.reaches(local(10 * SECOND)), Some(at(10)));
        assert_eq!(clock.reaches(local(11 * SECOND)), None, "nobody knows when it goes on");
        clock.thaw(at(60));
        assert_eq!(clock.at(at(61)), local(11 * SECOND));
        assert_eq!(clock.at(at(9)), local(9 * SECOND), "the past stays what it was");
        assert_eq!(clock.reaches(local(9 * SECOND)), Some(at(9)));
        assert_eq!(clock.reaches(local(11 * SECOND)), Some(at(61)));
    }
}
