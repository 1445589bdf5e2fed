//! The line in which a gatherer states what it read of a machine's part; [`crate::Doctor::read`] takes it as any line of a
//! log, so that every figure can be quoted, shared and judged again later.
//!
//! ```text
//!  2026-01-02T03:04:05.678901Z gw-1 oarlock: this-machine disk sdc model="2145" queue_depth=32 state=running
//! ```

use std::collections::BTreeMap;
use std::fmt;

use crate::fact::{Part, Setting};
use crate::stamp::{Axis, Precision, Stamp};
use crate::text::cut;

/// By this word such a line is known.
pub(crate) const MARK: &str = "this-machine ";
/// Bytes of one value.
const VALUE_BYTES_MAX: usize = 120;
/// Values of one line.
const VALUES_MAX: usize = 64;

/// A line that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineLine(String);

impl MachineLine {
    /// Begins a line about a part: read at `unix_us` (microseconds since 1970, UTC) on `host`.
    #[must_use]
    pub fn new(unix_us: i64, host: &str, part: Part, name: &str) -> MachineLine {
        let host = word_of(host);
        MachineLine(format!("{} {host} oarlock: {MARK}{} {}", utc(unix_us), part.word(), word_of(name)))
    }

    /// Adds a value under a name, whose end is the unit (`timeout_s`). An empty value says nothing and is left out.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> MachineLine {
        let value: String = value.to_string().chars().map(plain).collect();
        let value = cut(value.trim(), VALUE_BYTES_MAX);
        if !value.is_empty() {
            let quote = if value.contains(' ') { "\"" } else { "" };
            self.0.push_str(&format!(" {}={quote}{value}{quote}", word_of(key)));
        }
        self
    }

    /// The same with a value that may be unknown.
    #[must_use]
    pub fn with_known(self, key: &str, value: Option<impl fmt::Display>) -> MachineLine {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
}

impl fmt::Display for MachineLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A moment in UTC, as lines have it: from microseconds since 1970.
#[must_use]
pub fn utc(unix_us: i64) -> String {
    Stamp { micros: unix_us, axis: Axis::Wall, zone_minutes: Some(0), precision: Precision::Microsecond }
        .to_string()
}

/// Reads what stands behind the mark; `None` where it is no such line.
pub(crate) fn read(line: &str) -> Option<Setting> {
    let (_, rest) = line.split_once(MARK)?;
    let mut words = rest.splitn(3, ' ');
    let part = Part::from_word(words.next()?)?;
    let name = words.next().map(str::trim).filter(|name| !name.is_empty())?;
    let mut values = BTreeMap::new();
    let mut left = words.next().unwrap_or("").trim();
    while let Some((key, after)) = left.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        if values.len() < VALUES_MAX {
            values.insert(key.trim().into(), cut(value, VALUE_BYTES_MAX).into());
        }
        left = next.trim_start();
    }
    Some(Setting { part, name: name.into(), values })
}

/// Whatever a device calls itself, it ends no line and no value.
fn plain(letter: char) -> char {
    match letter {
        '"' => '\'',
        letter if letter.is_control() => ' ',
        letter => letter,
    }
}

/// The same for what must be one word.
fn word_of(text: &str) -> String {
    let word: String = text
        .trim()
        .chars()
        .map(|letter| {
            if letter.is_whitespace() || letter.is_control() || "\"=".contains(letter) { '_' } else { letter }
        })
        .collect();
    if word.is_empty() { "-".to_owned() } else { cut(&word, VALUE_BYTES_MAX).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = MachineLine::new(1_000_000, "gw 1", Part::Disk, "sdc")
            .with("vendor", "IBM     ")
            .with("model", "a\nb \"c\"=d")
            .with("queue_depth", 32)
            .with("none", "  ")
            .with_known("eh_timeout_s", None::<u8>)
            .to_string();
        assert_eq!(
            line,
            "1970-01-01T00:00:01.000000Z gw_1 oarlock: this-machine disk sdc vendor=IBM model=\"a b 'c'=d\" queue_depth=32"
        );
        let setting = read(&line).unwrap();
        assert_eq!((setting.part, &*setting.name), (Part::Disk, "sdc"));
        assert_eq!((setting.text("vendor"), setting.text("model")), (Some("IBM"), Some("a b 'c'=d")));
        assert_eq!((setting.number("queue_depth"), setting.number("vendor")), (Some(32.0), None));
    }

    #[test]
    fn what_is_cut_or_strange_is_no_reason_to_fall() {
        let line = "x this-machine disk sdc a=\"b c\" d=e";
        for end in 0..line.len() {
            let _ = read(&line[..end]);
        }
        assert_eq!(read("this-machine moon x a=1"), None);
        assert_eq!(read("this-machine disk "), None);
        assert_eq!(read("this-machine load sda late_ms=nan").unwrap().number("late_ms"), None);
    }
}
