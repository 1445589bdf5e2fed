//! A latency histogram of fixed size: buckets by powers of two, each cut into sixteen.

use std::time::Duration;

/// Each power of two is cut into this many buckets, so a quantile is at most a sixteenth (6.25 %) too high.
const PARTS: u64 = 1 << PARTS_BITS;
const PARTS_BITS: u32 = 4;

/// Nanoseconds below [`PARTS`] have a bucket each; each of the 60 powers of two above has [`PARTS`].
const BUCKETS: usize = 61 << PARTS_BITS;

/// Durations of 0 to 2^64 nanoseconds, counted. Its size never grows.
#[derive(Clone)]
pub struct Histogram {
    buckets: Box<[u64; BUCKETS]>,
    count: u64,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: Box::new([0; BUCKETS]), count: 0, max: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanoseconds)] += 1;
        self.count += 1;
        self.max = self.max.max(duration);
    }

    /// Durations counted so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The median; zero while nothing was counted.
    #[must_use]
    pub fn p50(&self) -> Duration {
        self.quantile(500)
    }

    /// The duration that 99 of 100 did not pass.
    #[must_use]
    pub fn p99(&self) -> Duration {
        self.quantile(990)
    }

    /// The longest, exactly.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max
    }

    /// The upper edge of the bucket in which `permille` thousandths of the durations are reached, never above
    /// [`max`](Histogram::max); zero while nothing was counted.
    ///
    /// # Panics
    /// When `permille` is above 1,000.
    #[must_use]
    pub fn quantile(&self, permille: u64) -> Duration {
        assert!(permille <= 1000, "a quantile is at most 1,000 thousandths, not {permille}");
        // Counts of more than 2^64 / 1,000 take longer than the machine lives; saturating costs nothing.
        let wanted = self.count.saturating_mul(permille).div_ceil(1000).max(1);
        let mut reached = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            reached += count;
            if reached >= wanted {
                return Duration::from_nanos(upper_edge(index as u64)).min(self.max);
            }
        }
        Duration::ZERO
    }
}

/// The bucket of a value: the value itself below [`PARTS`], then the place of its leading bit and the
/// [`PARTS_BITS`] bits behind it.
fn bucket(nanoseconds: u64) -> usize {
    if nanoseconds < PARTS {
        return small(nanoseconds);
    }
    let power = nanoseconds.ilog2();
    let part = (nanoseconds >> (power - PARTS_BITS)) & (PARTS - 1);
    small(u64::from(power - PARTS_BITS + 1) * PARTS + part)
}

/// The largest value of a bucket.
fn upper_edge(index: u64) -> u64 {
    if index < PARTS {
        return index;
    }
    let shift = index / PARTS - 1;
    let lowest = (PARTS + index % PARTS) << shift;
    lowest + ((1 << shift) - 1)
}

/// An index, which is below [`BUCKETS`] by construction, as the type that slices want.
fn small(index: u64) -> usize {
    usize::try_from(index).map_or(BUCKETS - 1, |index| index.min(BUCKETS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_ends_where_the_next_begins() {
        for index in 0..BUCKETS - 1 {
            let edge = upper_edge(index as u64);
            assert_eq!(bucket(edge), index, "the upper edge {edge} lies in its own bucket");
            assert_eq!(bucket(edge + 1), index + 1, "{edge} + 1 lies in the next one");
        }
        assert_eq!(upper_edge(BUCKETS as u64 - 1), u64::MAX);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_quantile_is_never_below_the_truth_and_at_most_a_sixteenth_above() {
        let mut histogram = Histogram::default();
        for microseconds in 1..=1000 {
            histogram.record(Duration::from_micros(microseconds));
        }
        for (found, truth) in [(histogram.p50(), 500_000), (histogram.p99(), 990_000)] {
            let found = found.as_nanos();
            assert!(found >= truth && found <= truth + truth / 16, "{found} for {truth}");
        }
        assert_eq!(histogram.max(), Duration::from_millis(1));
        assert_eq!(histogram.count(), 1000);
    }

    #[test]
    fn an_empty_histogram_is_zero_everywhere() {
        let histogram = Histogram::default();
        assert_eq!((histogram.p50(), histogram.p99(), histogram.max()), Default::default());
    }

    #[test]
    fn one_value_is_every_quantile() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_micros(777));
        assert_eq!(histogram.quantile(0), Duration::from_micros(777));
        assert_eq!(histogram.quantile(1000), Duration::from_micros(777));
    }
}
