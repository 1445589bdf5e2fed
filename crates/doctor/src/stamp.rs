//! When a line was written, as exactly as the line says it: the time, its zone, its precision, and what it counts from.

use std::fmt;

use crate::civil::{self, DAY_US};

/// What a time counts from: only times of one axis can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Axis {
    /// A date and a time.
    Wall,
    /// Month, day and time: syslog leaves out the year.
    Yearless,
    /// Time of the day only.
    Day,
    /// Time since the host started.
    Boot,
}

/// The unit of the last digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// Whole seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds, or finer.
    Microsecond,
}

/// The time of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Microseconds on the axis: since 1970 in UTC, since the first of January in a leap year, since midnight, since
    /// the start.
    pub micros: i64,
    /// What they count from.
    pub axis: Axis,
    /// The zone that the line was written in, in minutes east of UTC; `None` where it says nothing: taken for UTC.
    pub zone_minutes: Option<i16>,
    /// The unit of the last digit.
    pub precision: Precision,
}

/// A leap year, so that every day of a year has a place on the axis without years.
pub const YEARLESS_YEAR: i64 = 2000;

impl Stamp {
    /// Microseconds from `earlier` to this one; `None` where the two cannot be compared.
    #[must_use]
    pub fn since(&self, earlier: &Stamp) -> Option<i64> {
        (self.axis == earlier.axis).then(|| self.micros.saturating_sub(earlier.micros))
    }

    /// The same moment in the log's own zone, where that is another than UTC.
    #[must_use]
    pub fn in_own_zone(&self) -> Option<String> {
        let minutes = self.zone_minutes.filter(|&minutes| minutes != 0)?;
        let own = Stamp { micros: self.micros + i64::from(minutes) * 60_000_000, ..*self };
        let sign = if minutes < 0 { '-' } else { '+' };
        let zone = minutes.unsigned_abs();
        Some(format!("{}{sign}{:02}:{:02}", own.digits(), zone / 60, zone % 60))
    }

    /// Date and time without a zone.
    fn digits(&self) -> String {
        let (year, month, day) = civil::date(self.micros.div_euclid(DAY_US));
        let time = clock(self.micros.rem_euclid(DAY_US), self.precision);
        match self.axis {
            Axis::Wall => format!("{year:04}-{month:02}-{day:02}T{time}"),
            Axis::Yearless => format!("{month:02}-{day:02}T{time}"),
            Axis::Day => time,
            Axis::Boot => format!("+{}d{time}", self.micros.div_euclid(DAY_US)),
        }
    }
}

fn clock(micros: i64, precision: Precision) -> String {
    let seconds = micros / 1_000_000;
    let whole = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match precision {
        Precision::Second => whole,
        Precision::Millisecond => format!("{whole}.{:03}", micros % 1_000_000 / 1_000),
        Precision::Microsecond => format!("{whole}.{:06}", micros % 1_000_000),
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = if self.axis == Axis::Wall { "Z" } else { "" };
        formatter.pad(&format!("{}{zone}", self.digits()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_utc_and_in_its_own_zone() {
        let micros = civil::days(2026, 11, 20) * DAY_US + 3_600_000_000 + 5_000;
        let stamp =
            Stamp { micros, axis: Axis::Wall, zone_minutes: Some(-150), precision: Precision::Millisecond };
        assert_eq!(stamp.to_string(), "2026-11-20T01:00:00.005Z");
        assert_eq!(stamp.in_own_zone().as_deref(), Some("2026-11-19T22:30:00.005-02:30"));
    }

    #[test]
    fn times_that_count_from_different_things_are_not_compared() {
        let boot =
            Stamp { micros: 9, axis: Axis::Boot, zone_minutes: None, precision: Precision::Microsecond };
        assert_eq!(boot.since(&Stamp { axis: Axis::Wall, ..boot }), None);
        assert_eq!(boot.since(&Stamp { micros: 4, ..boot }), Some(5));
        assert_eq!(boot.to_string(), "+0d00:00:00.000009");
    }
}
