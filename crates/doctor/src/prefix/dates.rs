//! Dates that no standard of logs has, and exports, tools and people write: with a month's name, with points, packed.

use crate::civil::{self, DAY_US};
use crate::stamp::{Axis, Stamp, YEARLESS_YEAR};

use super::times::{clock, clock_behind_a_date, digits, half, zone};

/// A day, and what stands behind it.
struct Day<'a> {
    year: Option<i64>,
    month: i64,
    day: i64,
    rest: &'a str,
}

/// A date of one of these forms and the time behind it. Where two orders of day and month fit, it is none of them.
pub(super) fn dated(text: &str) -> Option<(Stamp, &str)> {
    // Most words are no month's name, and that is seen at once.
    let may_begin = |letter: u8| letter.is_ascii_digit() || b"JFMASOND".contains(&letter);
    if !text.bytes().next().is_some_and(may_begin) {
        return None;
    }
    let found =
        pointed(text).or_else(|| packed(text)).or_else(|| day_first(text)).or_else(|| name_first(text));
    let Day { year, month, day, rest } = found?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // `Feb 1, 2026 @ 10:00:00.000`, `01/Feb/2026:10:00:00 +0000`
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start_matches(' ');
    let rest = rest.strip_prefix("@ ").or_else(|| rest.strip_prefix([':', 'T'])).unwrap_or(rest);
    let (time, precision, rest) = clock_behind_a_date(rest)?;
    let (time, rest) = half(time, rest);
    let (zone_minutes, rest) = zone(rest);
    let axis = if year.is_some() { Axis::Wall } else { Axis::Yearless };
    let micros = civil::days(year.unwrap_or(YEARLESS_YEAR), month, day) * DAY_US + time
        - i64::from(zone_minutes.unwrap_or(0)) * 60_000_000;
    Some((Stamp { micros, axis, zone_minutes, precision }, rest))
}

/// `01.02.2026`: with points the day stands first; `2026.02.01`.
fn pointed(text: &str) -> Option<Day<'_>> {
    let point = |at: usize| text.as_bytes().get(at) == Some(&b'.');
    let (year, month, day) = if point(4) && point(7) {
        (digits(text, 0, 4)?, digits(text, 5, 2)?, digits(text, 8, 2)?)
    } else if point(2) && point(5) {
        (digits(text, 6, 4)?, digits(text, 3, 2)?, digits(text, 0, 2)?)
    } else {
        return None;
    };
    let rest = text.get(10..).filter(|rest| rest.starts_with([' ', ',', 'T']))?;
    is_a_year(year).then_some(Day { year: Some(year), month, day, rest })
}

/// `20260201T100000Z`, `20260201 10:00:00`.
fn packed(text: &str) -> Option<Day<'_>> {
    let (year, month, day) = (digits(text, 0, 4)?, digits(text, 4, 2)?, digits(text, 6, 2)?);
    let rest = text.get(8..)?;
    // Nothing but digits may be any number: a T, or a time with its colons, makes a date of it.
    let is_date = rest.starts_with('T') || rest.strip_prefix([' ', '-']).and_then(clock).is_some();
    let rest = rest.strip_prefix('-').filter(|_| is_date).unwrap_or(rest);
    (is_date && is_a_year(year)).then_some(Day { year: Some(year), month, day, rest })
}

/// `01 Feb 2026`, `1-Feb-2026`, `01/Feb/2026`, and without a year.
fn day_first(text: &str) -> Option<Day<'_>> {
    let (day, rest) = number(text, 2)?;
    let sign = rest.chars().next().filter(|sign| [' ', '-', '/', '.'].contains(sign))?;
    let rest = rest[1..].trim_start();
    let (month, rest) = month(rest)?;
    let year = rest.strip_prefix(sign).and_then(|rest| Some((digits(rest, 0, 4)?, rest.get(4..)?)));
    let year = year.filter(|(year, _)| is_a_year(*year));
    let rest = year.map_or(rest, |(_, rest)| rest);
    Some(Day { year: year.map(|(year, _)| year), month, day, rest })
}

/// `Feb 1, 2026`, `2026 Feb  1`.
fn name_first(text: &str) -> Option<Day<'_>> {
    let year_before = digits(text, 0, 4).filter(|year| is_a_year(*year));
    let rest = if year_before.is_some() { text[4..].strip_prefix(' ')? } else { text };
    let (month, rest) = month(rest)?;
    let (day, rest) = number(rest.strip_prefix(' ')?.trim_start(), 2)?;
    if year_before.is_some() {
        return Some(Day { year: year_before, month, day, rest });
    }
    let behind = rest.strip_prefix(',').unwrap_or(rest).strip_prefix(' ')?;
    let year = digits(behind, 0, 4).filter(|year| is_a_year(*year))?;
    Some(Day { year: Some(year), month, day, rest: &behind[4..] })
}

fn is_a_year(year: i64) -> bool {
    (1970..2200).contains(&year)
}

/// A number of so many digits at most.
fn number(text: &str, most: usize) -> Option<(i64, &str)> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    (1..=most).contains(&count).then_some(())?;
    Some((digits(text, 0, count)?, &text[count..]))
}

/// `Feb`, `February`.
fn month(text: &str) -> Option<(i64, &str)> {
    const LETTERS_MAX: usize = 9;
    let count = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let name = text.get(..3).filter(|_| (3..=LETTERS_MAX).contains(&count))?;
    Some((civil::month(name)?, &text[count..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Precision;

    #[test]
    fn each_form_is_the_same_moment() {
        for text in [
            "01.02.2026 10:00:07 x",
            "2026.02.01 10:00:07 x",
            "2026.02.01 10.00.07 x",
            "20260201T100007Z x",
            "20260201 10:00:07 x",
            "01 Feb 2026 10:00:07 +0000 x",
            "1-Feb-2026 10:00:07 x",
            "01/Feb/2026:10:00:07 +0000 x",
            "Feb 1, 2026 @ 10:00:07.000 x",
            "Feb 1, 2026 10:00:07 AM x",
            "February 1, 2026 10:00:07 x",
            "2026 Feb  1 10:00:07 x",
            "1 February 2026 11:00:07 CET x",
        ] {
            let (stamp, rest) = dated(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((stamp.to_string().get(..19), rest), (Some("2026-02-01T10:00:07"), " x"), "{text}");
        }
        let (stamp, _) = dated("01 Feb 10:00:07 x").unwrap();
        assert_eq!((stamp.axis, stamp.precision), (Axis::Yearless, Precision::Second));
    }

    #[test]
    fn what_two_orders_fit_or_no_calendar_has_is_none() {
        for text in [
            "02/01/2026 10:00:00 x",
            "31.31.2026 10:00:00 x",
            "1 Foo 2026 10:00:00 x",
            "10.0.0.7 x",
            "12 x",
            "",
        ] {
            assert_eq!(dated(text), None, "{text}");
        }
    }
}
