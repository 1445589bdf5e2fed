//! How a table of esxtop is written: by esxtop itself, or by a spreadsheet that somebody saved it with, which takes the quotes away, parts the
//! cells by `;` or a tab, and writes numbers and times as its country does.

use crate::prefix;
use crate::stamp::Stamp;
use crate::text::{after, decimal, has, position};

/// What the first cell of the header begins with.
pub const MARK: &str = "(PDH-CSV 4.0)";
/// Cells at the beginning of a row that must be numbers where no header says what they are.
const HEADLESS_CELLS: usize = 4;
/// Bytes of a row that are looked at for that.
const HEADLESS_BYTES: usize = 512;

/// Whether a line is a table's header, and not one that speaks of it.
#[must_use]
pub fn is_header(line: &str) -> bool {
    line.trim_start_matches(['\u{feff}', ' ', '"']).starts_with(MARK)
}

/// How the cells of a table are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    separator: char,
    /// How many separators its header has.
    separators: usize,
    /// What parts the whole from the decimals, once a number showed it.
    decimal: Option<char>,
    /// Minutes east of UTC of its times.
    zone_minutes: Option<i16>,
}

impl Form {
    /// The form of the table whose header this is, if it is one: what stands before the first name of a host is the separator.
    #[must_use]
    pub fn of_header(line: &str) -> Option<Form> {
        let head = after(line, MARK)?;
        let first = position(head, "\\\\");
        let before = first.map_or("", |at| &head[..at]);
        let separator =
            before.trim_end_matches('"').chars().next_back().filter(|sign| ",;\t ".contains(*sign));
        let separator = separator.unwrap_or(',');
        let form = Form { separator, separators: 0, decimal: None, zone_minutes: zone_minutes(before) };
        Some(Form { separators: form.separators_of(line), ..form })
    }

    /// Whether a line is a row of this table.
    #[must_use]
    pub fn is_row(&self, line: &str) -> bool {
        let dated = || self.cells(line).next().is_some_and(|cell| self.time(cell).is_some());
        line.starts_with('"') || self.separators > 0 && self.separators_of(line) == self.separators || dated()
    }

    /// Whether nobody can tell where its cells begin: without quotes, a decimal comma looks like a separator.
    #[must_use]
    pub fn is_ambiguous(&self, line: &str) -> bool {
        !line.starts_with('"') && self.separators_of(line) > self.separators
    }

    fn separators_of(&self, line: &str) -> usize {
        line.matches(self.separator).count()
    }

    /// The cells of a row, without their quotes.
    pub fn cells<'a>(&self, line: &'a str) -> Cells<'a> {
        let line = line.trim_end_matches(['\r', ' ']);
        match line.strip_prefix('"') {
            Some(line) => Cells {
                rest: Some(line.strip_suffix('"').unwrap_or(line)),
                separator: self.separator,
                quoted: true,
            },
            None => Cells { rest: Some(line), separator: self.separator, quoted: false },
        }
    }

    /// The number in a cell, as its country writes it: `1250.00`, `1,250.00`, `1.250,00`, `1 250,00`. A sign that stands once before three digits
    /// may be either; then the other numbers of the table tell, and else it parts the decimals.
    #[must_use]
    pub fn number(&self, cell: &str) -> Option<f64> {
        let cell = cell.trim();
        // As esxtop writes them, nearly all are.
        if self.decimal != Some(',')
            && let Ok(number) = cell.parse::<f64>()
        {
            return Some(number).filter(|number| number.is_finite());
        }
        let decimal =
            decimal_sign(cell).or(self.decimal).or_else(|| cell.chars().find(|sign| ".,".contains(*sign)));
        let grouped = |sign: char| sign != decimal.unwrap_or('.') && GROUPING.contains(&sign);
        if !cell.contains(grouped) && decimal != Some(',') {
            return cell.parse::<f64>().ok().filter(|number| number.is_finite());
        }
        let (whole, rest) = match decimal.and_then(|sign| cell.split_once(sign)) {
            Some((whole, rest)) => (whole, Some(rest)),
            None => (cell, None),
        };
        let mut groups = whole.split(grouped);
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let first = groups.next()?;
        let sound = is_digits(first.trim_start_matches('-'))
            && groups.all(|group| is_digits(group) && group.len() == 3);
        let plain: String = whole.chars().filter(|sign| !grouped(*sign)).collect();
        let plain = rest.map_or(plain.clone(), |rest| format!("{plain}.{rest}"));
        sound.then(|| plain.parse::<f64>().ok())?.filter(|number| number.is_finite())
    }

    /// Learns from a row how this table writes its numbers, as long as that is not known.
    pub fn learn(&mut self, line: &str) {
        if self.decimal.is_none() {
            self.decimal = self.cells(line).skip(1).find_map(decimal_sign);
        }
    }

    /// The time in a cell, in UTC: `11/20/2026 01:02:03`, with `PM` behind it, `20.11.2026 1:02:03`, `2026-11-20 01:02:03`.
    #[must_use]
    pub fn time(&self, cell: &str) -> Option<Stamp> {
        let (date, clock) = cell.trim().split_once(' ')?;
        let (clock, half) = match clock.trim().split_once(' ') {
            Some((clock, half)) => (clock, half.trim()),
            None => (clock.trim(), ""),
        };
        let (year, month, day) = date_of(date)?;
        let half = match half {
            "" => "",
            "AM" | "am" | "a.m." => "AM ",
            "PM" | "pm" | "p.m." => "PM ",
            _ => return None,
        };
        // ISO's form knows both halves of a day, and fractions.
        let clock =
            if clock.as_bytes().get(1) == Some(&b':') { format!("0{clock}") } else { clock.to_owned() };
        let stamp = prefix::split(&format!("{year:04}-{month:02}-{day:02} {half}{clock}")).when?;
        let zone = self.zone_minutes;
        Some(Stamp {
            micros: stamp.micros - i64::from(zone.unwrap_or(0)) * 60_000_000,
            zone_minutes: zone,
            ..stamp
        })
    }
}

/// What parts groups of three digits.
const GROUPING: [char; 6] = [',', '.', ' ', '\'', '\u{a0}', '\u{202f}'];

/// What parts the decimals of a number, where it shows: the last of two different signs, or one before another number of digits than three.
fn decimal_sign(cell: &str) -> Option<char> {
    let cell = cell.trim();
    let last = cell.rfind(['.', ','])?;
    let sign = cell[last..].chars().next()?;
    let other = if sign == '.' { ',' } else { '.' };
    let digits = cell.len() - last - 1;
    let all = cell.bytes().all(|byte| byte.is_ascii_digit() || b".,- '".contains(&byte));
    let once = cell.matches(sign).count() == 1;
    (all && once && (cell[..last].contains(other) || digits != 3 && digits > 0)).then_some(sign)
}

/// `(Pacific Standard Time)(480)`: the bias is what must be added to a local time to have UTC, in minutes.
fn zone_minutes(head: &str) -> Option<i16> {
    const BIAS_MAX: i16 = 16 * 60;
    let (_, bias) = head.rsplit_once('(')?;
    let (bias, _) = bias.split_once(')')?;
    bias.trim().parse::<i16>().ok().filter(|bias| bias.abs() <= BIAS_MAX).map(|bias| -bias)
}

/// Year, month and day: the year first, or the month first with strokes and the day first with points.
fn date_of(date: &str) -> Option<(u64, u64, u64)> {
    let sign = date.chars().find(|letter| !letter.is_ascii_digit()).filter(|sign| "/.-".contains(*sign))?;
    let mut parts = date.split(sign).map(|part| decimal(part).filter(|_| part.len() <= 4));
    let parts = [parts.next()??, parts.next()??, parts.next()??];
    match (parts, sign) {
        ([year, month, day], _) if year > 31 => Some((year, month, day)),
        // Where there is no thirteenth month, the day stands first.
        ([day, month, year], '.' | '-') => Some((year, month, day)),
        ([day, month, year], _) if day > 12 => Some((year, month, day)),
        ([month, day, year], _) => Some((year, month, day)),
    }
}

/// Whether a line is a row of counters without its header: a time, and numbers.
#[must_use]
pub fn is_headless(line: &str) -> bool {
    let line = crate::text::cut(line, HEADLESS_BYTES);
    if has(line, MARK) || !line.trim_start_matches('"').starts_with(|letter: char| letter.is_ascii_digit()) {
        return false;
    }
    [',', ';', '\t'].into_iter().any(|separator| {
        let form = Form { separator, separators: 0, decimal: None, zone_minutes: None };
        let mut cells = form.cells(line);
        let dated = cells.next().is_some_and(|cell| form.time(cell).is_some());
        dated
            && cells.take(HEADLESS_CELLS).filter(|cell| form.number(cell).is_some()).count() == HEADLESS_CELLS
    })
}

/// The cells of a row.
#[derive(Debug)]
pub struct Cells<'a> {
    rest: Option<&'a str>,
    separator: char,
    quoted: bool,
}

impl<'a> Iterator for Cells<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let end = if self.quoted {
            quoted_end(rest, self.separator)
        } else {
            rest.find(self.separator).map(|at| (at, 1))
        };
        let (cell, rest) = match end {
            Some((at, length)) => (&rest[..at], rest.get(at + length..)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(cell)
    }
}

/// Where a cell's closing quote stands, and how long it is with the separator and the next cell's opening quote.
fn quoted_end(rest: &str, separator: char) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'"', &rest.as_bytes()[from..]).map(|at| from + at) {
        let behind = rest[at + 1..].strip_prefix(separator);
        if behind.is_some_and(|behind| behind.starts_with('"')) {
            return Some((at, 3));
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(header: &str) -> Form {
        Form::of_header(header).unwrap()
    }

    #[test]
    fn a_header_tells_separator_and_zone() {
        let cases = [
            ("\"(PDH-CSV 4.0) (UTC)(0)\",\"\\\\h\\a\\b\"", ',', Some(0)),
            ("(PDH-CSV 4.0) (Mitteleuropaeische Zeit)(-60);\\\\h\\a\\b", ';', Some(60)),
            ("(PDH-CSV 4.0) (Pacific Standard Time)(480)\t\\\\h\\a\\b", '\t', Some(-480)),
            ("(PDH-CSV 4.0)", ',', None),
            ("(PDH-CSV 4.0) (x)(99999),\\\\h\\a\\b", ',', None),
        ];
        for (header, separator, zone) in cases {
            let form = form(header);
            assert_eq!((form.separator, form.zone_minutes), (separator, zone), "{header}");
        }
    }

    #[test]
    fn times_of_every_country_are_read() {
        let form = Form { separator: ',', separators: 0, decimal: None, zone_minutes: Some(60) };
        let cases = [
            ("11/20/2026 10:00:50", "2026-11-20T09:00:50Z"),
            ("11/20/2026 10:00:50 PM", "2026-11-20T21:00:50Z"),
            ("11/20/2026 12:30:00 AM", "2026-11-19T23:30:00Z"),
            ("1/2/2026 1:02:03 AM", "2026-01-02T00:02:03Z"),
            ("20.11.2026 10:00:50", "2026-11-20T09:00:50Z"),
            ("20/11/2026 10:00:50", "2026-11-20T09:00:50Z"),
            ("2026-11-20 10:00:50.125", "2026-11-20T09:00:50.125Z"),
        ];
        for (cell, expected) in cases {
            assert_eq!(form.time(cell).map(|when| when.to_string()).as_deref(), Some(expected), "{cell}");
        }
        for cell in
            ["", "x", "11/20/2026", "11/20/2026 noon", "99/99/2026 01:02:03", "11/20/2026 01:02:03 XM"]
        {
            assert_eq!(form.time(cell), None, "{cell}");
        }
    }

    #[test]
    fn cells_are_parted_by_the_headers_own_separator() {
        let form = form("\"(PDH-CSV 4.0) (UTC)(0)\";\"\\\\h\\a\\b\"");
        assert_eq!(form.cells("\"1,5\";\"\";\"x\"\r").collect::<Vec<_>>(), ["1,5", "", "x"]);
        assert_eq!(form.cells("1,5;;x").collect::<Vec<_>>(), ["1,5", "", "x"]);
        assert_eq!(
            (form.number("1,5"), form.number("1.5"), form.number("1.000,5"), form.number("inf")),
            (Some(1.5), Some(1.5), Some(1_000.5), None)
        );
    }

    #[test]
    fn numbers_of_every_country_are_read() {
        let form = Form { separator: ';', separators: 0, decimal: None, zone_minutes: None };
        let cases = [
            ("1250.00", 1250.0),
            ("1,250.00", 1250.0),
            ("1.250,00", 1250.0),
            ("1 250,00", 1250.0),
            ("1'250.5", 1250.5),
            ("1,234,567.25", 1_234_567.25),
            ("0,01", 0.01),
            ("1.2E3", 1200.0),
            ("-3,5", -3.5),
            ("33", 33.0),
            ("1,250", 1.25),
        ];
        for (cell, number) in cases {
            assert_eq!(form.number(cell), Some(number), "{cell}");
        }
        for cell in ["1,25,000.00", "1.2.3", "", ",", "a,b", "inf"] {
            assert_eq!(form.number(cell), None, "{cell}");
        }
        let mut learned = form;
        learned.learn("20.11.2026 10:00:00;33;1,024;0.01");
        assert_eq!(learned.number("1,250"), Some(1250.0), "the table parts its decimals by a point");
    }
}
