//! Numbers and moments in words.

use crate::civil::{self, DAY_US};
use crate::finding::Finding;
use crate::stamp::Axis;

use oarlock_causes::Cause;

/// The headline of a finding: what happened and where.
pub(super) fn headline(finding: &Finding) -> String {
    let title = Cause::from_name(&finding.cause).map_or(finding.cause.as_str(), |cause| cause.entry().title);
    let place = finding.volume.as_ref().or(finding.device.as_ref());
    let place = place.map_or_else(String::new, |place| format!(", on {place}"));
    let more = match finding.devices.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" and {}", counted(more as u64, "more device")),
    };
    format!("{title}{place}{more}")
}

/// `1 event`, `3 events`.
pub(super) fn counted(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", grouped(count))
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A latency or a short time, with two digits or so.
pub(super) fn duration(micros: u64) -> String {
    let tenths = |unit: u64, name: &str| {
        let tenths = micros.saturating_mul(10) / unit;
        if tenths >= 100 || tenths.is_multiple_of(10) {
            format!("{}\u{a0}{name}", grouped(tenths / 10))
        } else {
            format!("{}.{}\u{a0}{name}", tenths / 10, tenths % 10)
        }
    };
    match micros {
        0..1_000 => format!("{micros}\u{a0}µs"),
        1_000..1_000_000 => tenths(1_000, "ms"),
        1_000_000..120_000_000 => tenths(1_000_000, "s"),
        120_000_000..7_200_000_000 => tenths(60_000_000, "min"),
        7_200_000_000..172_800_000_000 => tenths(3_600_000_000, "h"),
        _ => tenths(86_400_000_000, "days"),
    }
}

/// A rate that is given in events in 1,000 seconds.
pub(super) fn rate(thousandths: u64) -> String {
    if thousandths.is_multiple_of(1_000) || thousandths >= 100_000 {
        return format!("{}/s", grouped(thousandths / 1_000));
    }
    format!("{}.{:02}/s", thousandths / 1_000, thousandths % 1_000 / 10)
}

/// A moment to the second, as its axis has it: with the date where there is one.
pub(super) fn moment(axis: Axis, micros: i64) -> String {
    let day = micros.div_euclid(DAY_US);
    let (year, month, number) = civil::date(day);
    let seconds = micros.rem_euclid(DAY_US) / 1_000_000;
    let time = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match axis {
        Axis::Wall => format!("{year:04}-{month:02}-{number:02} {time}"),
        Axis::Yearless => format!("{month:02}-{number:02} {time}"),
        Axis::Day => time,
        Axis::Boot => format!("day {day}, {time}"),
    }
}

/// What times of an axis count from.
pub(super) fn axis_name(axis: Axis) -> &'static str {
    match axis {
        Axis::Wall => "UTC",
        Axis::Yearless => "UTC, of a year that no line tells",
        Axis::Day => "the time of a day that no line tells",
        Axis::Boot => "the time since the host started",
    }
}

/// `+02:00`.
pub(super) fn zone(minutes: i16) -> String {
    let sign = if minutes < 0 { '\u{2212}' } else { '+' };
    let size = minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", size / 60, size % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_as_many_digits_as_they_mean() {
        let found = [640, 1_000, 1_550, 48_300, 2_300_000, 90_000_000, 600_000_000].map(duration);
        assert_eq!(
            found,
            ["640 µs", "1 ms", "1.5 ms", "48 ms", "2.3 s", "90 s", "10 min"]
                .map(|text| text.replace(' ', "\u{a0}"))
        );
        assert_eq!([2_000, 330, 1_234_567].map(rate), ["2/s", "0.33/s", "1,234/s"]);
        assert_eq!(counted(1, "event"), "1 event");
        assert_eq!(counted(12_345, "event"), "12,345 events");
        assert_eq!(zone(-150), "−02:30");
        assert_eq!(moment(Axis::Wall, 20_541 * DAY_US + 1_000_000), "2026-03-29 00:00:01");
    }
}
