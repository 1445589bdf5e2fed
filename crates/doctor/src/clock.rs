//! What a report says of hosts' clocks.

use serde::Serialize;

/// A host whose clock differs from another's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockOffset {
    /// The host.
    pub host: String,
    /// Seconds by which its clock is ahead; what it wrote was shifted back by them.
    pub ahead_s: i64,
    /// The host whose clock the report's times are of: of three and more the middle one, of two the one that
    /// has most to compare. It need not be right.
    pub than: String,
    /// How many moments both hosts saw.
    pub moments: u64,
    /// Whether its lines say no zone: then it may be the zone that differs, and no clock.
    pub zoneless: bool,
}

/// A host whose clock may differ from another's: both saw the same happen to the same devices, whole quarter hours apart, or several times at one
/// difference. Nothing was shifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockQuestion {
    /// The host that saw it later.
    pub host: String,
    /// How many seconds later.
    pub ahead_s: i64,
    /// The host that saw it first.
    pub than: String,
}

impl ClockOffset {
    /// In words.
    #[must_use]
    pub fn sentence(&self) -> String {
        let side = if self.ahead_s < 0 { "behind" } else { "ahead of" };
        let zone =
            if self.zoneless { " Its lines say no zone, which may be the whole difference." } else { "" };
        format!(
            "The clock of {} is {} {side} that of {}: {} moments that both saw fit no other difference.{zone} Times are those of {} here, but not in the \
             quoted lines; which of the two is right, the logs do not tell.",
            self.host,
            time(self.ahead_s.unsigned_abs()),
            self.than,
            self.moments,
            self.than
        )
    }
}

impl ClockQuestion {
    /// In words.
    #[must_use]
    pub fn sentence(&self) -> String {
        const QUARTER_HOUR_S: i64 = 900;
        let time = time(self.ahead_s.unsigned_abs());
        let zone = if self.ahead_s % QUARTER_HOUR_S == 0 {
            ", as a clock that is set to a local time makes it"
        } else {
            ""
        };
        format!(
            "Is the clock of {host} {time} ahead of that of {than}? Both saw the same happen to the same devices, {time} apart to within seconds{zone}. If \
             so, what is told of each apart here happened once; if both clocks are right, it happened twice. `date -u` on both tells.",
            host = self.host,
            than = self.than,
        )
    }
}

/// Seconds as a person says them: whole hours and minutes, where they are whole.
fn time(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (hours, 0, 0) => format!("{hours} h"),
        (hours, minutes, 0) => format!("{hours} h {minutes} min"),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_minutes_and_hours_are_told_as_such() {
        let cases = [(7, "7 s"), (180, "3 min"), (3_600, "1 h"), (5_400, "1 h 30 min"), (3_607, "3607 s")];
        for (seconds, text) in cases {
            assert_eq!(time(seconds), text);
        }
    }
}
