//! The forms of a time before a message: each gives the stamp, and what follows.

use crate::civil::{self, DAY_US};
use crate::stamp::{Axis, Precision, Stamp, YEARLESS_YEAR};
use crate::text::decimal;

pub(super) fn digits(text: &str, from: usize, count: usize) -> Option<i64> {
    let part = text.as_bytes().get(from..from + count)?;
    part.iter().try_fold(0_i64, |value, byte| {
        let digit = Some(byte).filter(|byte| byte.is_ascii_digit())? - b'0';
        value.checked_mul(10)?.checked_add(i64::from(digit))
    })
}

/// `HH:MM:SS` with an optional fraction: microseconds, precision, and the rest.
pub(super) fn clock(text: &str) -> Option<(i64, Precision, &str)> {
    (text.as_bytes().get(2) == Some(&b':')).then(|| clock_behind_a_date(text))?
}

/// The same behind a date, where `HH-MM-SS`, `HH.MM.SS` and `HHMMSS` are times, too.
pub(super) fn clock_behind_a_date(text: &str) -> Option<(i64, Precision, &str)> {
    let bytes = text.as_bytes();
    let sign = *bytes.get(2)?;
    let width = match (sign, bytes.get(5)) {
        (b':', Some(b':')) | (b'-', Some(b'-')) | (b'.', Some(b'.')) => 3,
        (b'0'..=b'9', Some(b'0'..=b'9')) if !bytes.get(6).is_some_and(u8::is_ascii_digit) => 2,
        _ => return None,
    };
    let (hour, minute, second) = (digits(text, 0, 2)?, digits(text, width, 2)?, digits(text, 2 * width, 2)?);
    if hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let micros = (hour * 3_600 + minute * 60 + second) * 1_000_000;
    let (part, precision, rest) = fraction(&text[2 * width + 2..]);
    Some((micros + part, precision, rest))
}

/// The fraction of a second behind a point or a comma, where there is one: microseconds, precision, and the rest.
fn fraction(text: &str) -> (i64, Precision, &str) {
    let digit = |c: char| c.is_ascii_digit();
    let Some(fraction) = text.strip_prefix(['.', ',']).filter(|rest| rest.starts_with(digit)) else {
        return (0, Precision::Second, text);
    };
    let count = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let mut value = 0;
    for place in 0..6 {
        let digit = fraction.as_bytes().get(place).filter(|_| place < count).map_or(0, |byte| byte - b'0');
        value = value * 10 + i64::from(digit);
    }
    let precision = if count <= 3 { Precision::Millisecond } else { Precision::Microsecond };
    (value, precision, &fraction[count..])
}

/// `2026-03-29T20:49:12.918Z`, also with a blank for the T, a comma for the point, and a zone.
pub(super) fn iso(text: &str) -> Option<(Option<Stamp>, &str)> {
    let bytes = text.as_bytes();
    let dash = *bytes.get(4)?;
    if !matches!(dash, b'-' | b'/')
        || bytes.get(7) != Some(&dash)
        || !matches!(bytes.get(10), Some(b'T' | b' ' | b'_'))
    {
        return None;
    }
    let (year, month, day) = (digits(text, 0, 4)?, digits(text, 5, 2)?, digits(text, 8, 2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // `2017-02-08 AM 12:35:05`
    let (before, rest) = match text.get(11..14) {
        Some("AM ") => (Some(0), &text[14..]),
        Some("PM ") => (Some(12), &text[14..]),
        _ => (None, &text[11..]),
    };
    let (time, precision, rest) = clock_behind_a_date(rest)?;
    let (time, rest) = if before.is_some() { (of_half(time, before), rest) } else { half(time, rest) };
    let (zone_minutes, rest) = zone(rest);
    let micros =
        civil::days(year, month, day) * DAY_US + time - i64::from(zone_minutes.unwrap_or(0)) * 60_000_000;
    Some((Some(Stamp { micros, axis: Axis::Wall, zone_minutes, precision }), rest))
}

/// Names of zones that stand for one, in minutes east of UTC.
const ZONES: [(&str, i16); 27] = [
    ("UTC", 0),
    ("GMT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("MEZ", 60),
    ("MESZ", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("HKT", 480),
    ("SGT", 480),
    ("JST", 540),
    ("KST", 540),
    ("AEST", 600),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
    ("EST", -300),
    ("EDT", -240),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("AKST", -540),
];
/// Names that stand for several: America's and China's, Britain's and Bangladesh's, India's and Israel's.
const AMBIGUOUS: [&str; 4] = ["CST", "BST", "IST", "AST"];

/// ` CET`: capital letters behind a time, and what follows.
fn zone_name(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix(' ')?;
    let count = rest.bytes().take_while(u8::is_ascii_uppercase).count();
    let behind = &rest[count..];
    let ends = behind.is_empty() || behind.starts_with([' ', ']', ',', ':']);
    ((3..=4).contains(&count) && ends).then(|| (&rest[..count], behind))
}

/// The name of a zone behind the time of a line that nobody can tell: it may be one of several.
pub(crate) fn ambiguous_zone(line: &str) -> Option<&str> {
    const FRONT_BYTES: usize = 48;
    let end = (0..=line.len().min(FRONT_BYTES)).rev().find(|&end| line.is_char_boundary(end))?;
    line[..end].split([' ', ']']).find(|word| AMBIGUOUS.contains(word))
}

/// `10:00:00 PM`: the time of the day, and what stands behind.
pub(super) fn half(time: i64, rest: &str) -> (i64, &str) {
    if !rest.as_bytes().get(1).is_some_and(|letter| b"AaPp".contains(letter)) {
        return (time, rest);
    }
    for (mark, offset) in [(" AM", 0), (" PM", 12), (" am", 0), (" pm", 12)] {
        if let Some(behind) = rest.strip_prefix(mark)
            && behind.starts_with([' ', ']', ','])
        {
            return (of_half(time, Some(offset)), behind);
        }
    }
    (time, rest)
}

fn of_half(time: i64, offset: Option<i64>) -> i64 {
    const HOUR_US: i64 = 3_600_000_000;
    let hour = time / HOUR_US;
    offset.map_or(time, |offset| time + (hour % 12 + offset - hour) * HOUR_US)
}

/// `Z`, `+02:00`, `+0200`, or nothing.
pub(super) fn zone(text: &str) -> (Option<i16>, &str) {
    if let Some(rest) = text.strip_prefix('Z') {
        return (Some(0), rest);
    }
    if let Some((name, rest)) = zone_name(text) {
        let known = ZONES.iter().find(|(known, _)| *known == name).map(|(_, minutes)| *minutes);
        if known.is_some() || AMBIGUOUS.contains(&name) {
            return (known, rest);
        }
    }
    // `10:00:00 +0100`
    let parted =
        text.strip_prefix(' ').filter(|rest| rest.starts_with(['+', '-']) && digits(rest, 1, 4).is_some());
    let behind = text;
    let text = parted.unwrap_or(text);
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return (None, text),
    };
    let colon = usize::from(text.as_bytes().get(3) == Some(&b':'));
    match (digits(text, 1, 2), digits(text, 3 + colon, 2)) {
        (Some(hours), Some(minutes)) if hours <= 14 && minutes < 60 => {
            let minutes = i16::try_from(sign * (hours * 60 + minutes)).ok();
            (minutes, &text[5 + colon..])
        }
        _ => (None, behind),
    }
}

/// A time that a publisher masked: `YYYY-MM-DDTHH:MM:SS.015Z`, `XXXX-XX-XXTXX:XX:XXZ`.
pub(super) fn masked(text: &str) -> Option<(Option<Stamp>, &str)> {
    let word = &text[..text.find([' ', ']']).unwrap_or(text.len())];
    let letters = |byte: u8| b"YMDHSTXZhmsxyd#*-:.0123456789".contains(&byte);
    let sign = |at: usize| word.as_bytes().get(at).copied();
    let masked = (sign(4), sign(7), sign(10)) == (Some(b'-'), Some(b'-'), Some(b'T'))
        && (sign(13), sign(16)) == (Some(b':'), Some(b':'))
        && word.bytes().all(letters)
        // Digits alone are masked nowhere: no calendar has that time.
        && word.bytes().any(|byte| !byte.is_ascii_digit() && !b"TZ-:.".contains(&byte));
    masked.then(|| (None, &text[word.len()..]))
}

/// `Mar  9 23:53:24`, `Mar 9 2023 23:53:24`: syslog, without a year or with one.
pub(super) fn syslog(text: &str) -> Option<(Stamp, &str)> {
    let month = civil::month(text.get(..3)?)?;
    let rest = text[3..].strip_prefix(' ')?.trim_start();
    let day = i64::try_from(decimal(rest)?).ok().filter(|day| (1..=31).contains(day))?;
    let rest = rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).strip_prefix(' ')?;
    let year = digits(rest, 0, 4).filter(|_| rest.as_bytes().get(4) == Some(&b' '));
    let rest = if year.is_some() { &rest[5..] } else { rest };
    let (time, precision, rest) = clock(rest)?;
    let axis = if year.is_some() { Axis::Wall } else { Axis::Yearless };
    let micros = civil::days(year.unwrap_or(YEARLESS_YEAR), month, day) * DAY_US + time;
    Some((Stamp { micros, axis, zone_minutes: None, precision }, rest))
}

/// `Feb  1 10:00:00 2026`: as C's `ctime` has it.
pub(super) fn with_year_behind(text: &str) -> Option<(Stamp, &str)> {
    let (stamp, rest) = syslog(text).filter(|(stamp, _)| stamp.axis == Axis::Yearless)?;
    let rest = rest.strip_prefix(' ')?;
    let year = digits(rest, 0, 4).filter(|year| (1970..2200).contains(year))?;
    let rest = &rest[4..];
    let ends = rest.is_empty() || rest.starts_with([']', ' ']);
    let (month, day) = (civil::month(text.get(..3)?)?, i64::try_from(decimal(text[3..].trim_start())?).ok()?);
    let time = stamp.micros.rem_euclid(DAY_US);
    ends.then_some((
        Stamp { micros: civil::days(year, month, day) * DAY_US + time, axis: Axis::Wall, ..stamp },
        rest,
    ))
}

/// What stands behind `Sat `.
pub(super) fn behind_the_day_of_the_week(text: &str) -> Option<&str> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let rest = DAYS.iter().find_map(|day| text.strip_prefix(day))?;
    rest.strip_prefix(',').unwrap_or(rest).strip_prefix(' ')
}

/// `E1111 17:31:06.529205`: severity, month and day, as programs of Kubernetes write it.
pub(super) fn klog(text: &str) -> Option<(Stamp, &str)> {
    let rest = text.strip_prefix(['I', 'W', 'E', 'F'])?;
    let (month, day) = (digits(rest, 0, 2)?, digits(rest, 2, 2)?);
    let (time, precision, rest) = clock(rest.get(4..)?.strip_prefix(' ')?)?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let micros = civil::days(YEARLESS_YEAR, month, day) * DAY_US + time;
    Some((Stamp { micros, axis: Axis::Yearless, zone_minutes: None, precision }, rest))
}

/// `1759546805`, and with a fraction or as milliseconds and finer: the time since 1970, as exports of databases of logs have it.
pub(super) fn epoch(text: &str) -> Option<(Stamp, &str)> {
    const YEARS: std::ops::Range<i64> = 946_684_800..4_102_444_800;
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let value = digits(text, 0, length)?;
    let (micros, precision, rest) = match length {
        10 => {
            let (part, precision, rest) = fraction(&text[length..]);
            (value * 1_000_000 + part, precision, rest)
        }
        13 => (value * 1_000, Precision::Millisecond, &text[length..]),
        16 => (value, Precision::Microsecond, &text[length..]),
        19 => (value / 1_000, Precision::Microsecond, &text[length..]),
        _ => return None,
    };
    let known = YEARS.contains(&micros.div_euclid(1_000_000)) && rest.starts_with([' ', ']', '\t', ',']);
    known.then_some((Stamp { micros, axis: Axis::Wall, zone_minutes: Some(0), precision }, rest))
}

/// `76:23:45:36.239`: days and time since the host started.
pub(super) fn boot(text: &str) -> Option<(Stamp, &str)> {
    let (days, rest) = text.split_once(':')?;
    let days = (days.len() <= 5).then(|| digits(days, 0, days.len()))??;
    let (time, precision, rest) = clock(rest)?;
    let micros = days * DAY_US + time;
    Some((Stamp { micros, axis: Axis::Boot, zone_minutes: None, precision }, rest))
}

/// `19:26:42.068`: a time without a day.
pub(super) fn day(text: &str) -> Option<(Stamp, &str)> {
    let (micros, precision, rest) = clock(text)?;
    rest.starts_with([' ', ']']).then_some(())?;
    Some((Stamp { micros, axis: Axis::Day, zone_minutes: None, precision }, rest))
}

/// `[11334.299177]`: seconds since the start, as Linux prints them.
pub(super) fn kernel(text: &str) -> Option<(Stamp, &str)> {
    let rest = text.strip_prefix('[')?.trim_start();
    let (seconds, rest) = rest.split_once('.')?;
    let seconds = (seconds.len() <= 10).then(|| digits(seconds, 0, seconds.len()))??;
    let places = rest.bytes().take_while(u8::is_ascii_digit).count();
    // Milliseconds, where whoever printed them cut them.
    let fraction = (3..=6).contains(&places).then(|| digits(rest, 0, places))??;
    let fraction = (places..6).fold(fraction, |fraction, _| fraction * 10);
    let rest = rest[places..].strip_prefix(']')?;
    let micros = seconds * 1_000_000 + fraction;
    Some((Stamp { micros, axis: Axis::Boot, zone_minutes: None, precision: Precision::Microsecond }, rest))
}
