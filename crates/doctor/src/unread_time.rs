//! Times that are printed and not read: that is not the same as none, and two of them are not near each other.

use crate::prefix;
use crate::record::is_processor;
use crate::stamp::{Axis, Stamp};
use crate::text::position;

/// Bytes before a message in which a time stands: behind a priority, a host or an address.
const FRONT_BYTES: usize = 64;

/// Whether a line that gave no time prints one, in whatever form. Publishers mask theirs; those were understood as such.
#[must_use]
pub fn stands_before(line: &str) -> bool {
    !prefix::split(line).begins && (has_a_clock(line) || front(line).split_ascii_whitespace().any(is_a_time))
}

/// Whether a time stands anywhere in a line, as `2026-01-31T12:00`: also in a cell of a table that nobody knows.
#[must_use]
pub fn stands_within(line: &str) -> bool {
    let bytes = line.as_bytes();
    let digits = |at: usize| bytes.get(at..at + 2).is_some_and(|two| two.iter().all(u8::is_ascii_digit));
    let sign = |at: usize, sign: u8| bytes.get(at) == Some(&sign);
    line.match_indices('T').any(|(at, _)| {
        at >= 3
            && sign(at - 3, b'-')
            && digits(at - 2)
            && digits(at + 1)
            && sign(at + 3, b':')
            && digits(at + 4)
    })
}

/// The time that stands before a message, behind words that nobody knows.
#[must_use]
pub fn known_within(line: &str) -> Option<Stamp> {
    const WORDS_MAX: usize = 12;
    let front = front(line);
    let starts = front.match_indices(' ').map(|(at, _)| at + 1).take(WORDS_MAX);
    starts.filter_map(|at| prefix::time_of(&line[at..])).find(|stamp| stamp.axis != Axis::Day)
}

/// What stands before a message, as far as it is known where that begins.
fn front(line: &str) -> &str {
    let processor = position(line, "cpu").filter(|&at| is_processor(&line[at..]));
    let program = || {
        let mut words = line.split_ascii_whitespace().take(12);
        let found = words.find(|word| {
            let name = word.trim_end_matches(':').split('[').next().unwrap_or(word);
            word.ends_with(':') && prefix::is_program(name)
        });
        found.and_then(|word| position(line, word))
    };
    let begin = processor.or_else(program).unwrap_or(0);
    &line[..begin]
}

/// Whether a word that stands before a message is a time or a date in no known form, or a counter: digits, and no name that has some.
fn is_a_time(word: &str) -> bool {
    let bare = word.trim_matches(['[', ']', '(', ')', '<', '>', ',', ';']);
    // `12:`, `1)`: the number of a line.
    let numbered = word.len() < 8
        && word.ends_with([':', ')', '.'])
        && bare.trim_end_matches([':', '.']).bytes().all(|byte| byte.is_ascii_digit());
    let digits = bare.bytes().filter(u8::is_ascii_digit).count();
    let lettered = bare.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let is_priority = word.starts_with('<');
    // `esx1`, `iscsid[1234]:`, `10.0.0.7`
    let is_address = || bare.trim_end_matches(':').parse::<std::net::IpAddr>().is_ok();
    digits >= 2 && !numbered && !lettered && !is_priority && !is_address()
}

/// `01:02:03`, wherever in the front, and `10:00 ` for a line that begins with it.
fn has_a_clock(line: &str) -> bool {
    let front = line.as_bytes();
    let front = &front[..front.len().min(FRONT_BYTES)];
    let digit = |at: usize| front.get(at).is_some_and(u8::is_ascii_digit);
    let digits = |from: usize, count: usize| (from..from + count).all(digit);
    let is_in_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b':' || byte == b'.';
    let begins = |at: usize| at == 0 || !is_in_word(front[at - 1]);
    let clock = |at: usize| {
        let short = digits(at, 2) && front.get(at + 2) == Some(&b':') && digits(at + 3, 2);
        let behind = front.get(at + 5).copied();
        let whole =
            behind == Some(b':') && digits(at + 6, 2) && !digit(at + 8) && front.get(at + 8) != Some(&b':');
        short && (whole || behind.is_some_and(|byte| byte == b' ' || byte == b']'))
    };
    let packed = |at: usize| digits(at, 8) && front.get(at + 8) == Some(&b'T') && digits(at + 9, 4);
    (0..front.len()).any(|at| begins(at) && (clock(at) || packed(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_time_is_one_and_names_and_numbers_of_lines_are_none() {
        for line in [
            "2026-02-30T25:61:61.000Z esx1 vmkernel: cpu1:2)X",
            "2026年2月1日 11時50分00秒 esx1 vmkernel: cpu1:2)X",
            "TSC: 8812388 cpu1:2)X",
            "25/02/01 h kernel: x",
            "02/01/2026 10:00:00 x",
        ] {
            assert!(stands_before(line), "{line}");
        }
        for line in [
            "cpu1:2)X",
            "12:cpu1:2)X",
            "esx12 vmkernel: cpu1:2)X",
            "10.20.30.40 iscsid[1234]: x",
            "sd 2:0:0:1: [sdc] x",
            "YYYY-MM-DDTHH:MM:SS.015Z esx1 vmkernel: cpu1:2)X",
            "qla2xxx [0000:81:00.0]-500b:2: x",
        ] {
            assert!(!stands_before(line), "{line}");
        }
        assert!(stands_within("<td>esx1</td><td>2026-02-01T11:50:00Z x</td>"));
        assert!(!stands_within("scsi 2:0:0:1: T10-PI 02-03T4"));
    }
}
