//! A record of a log: one line, a part of a line in which several ran together, or a line with the lines that it was
//! wrapped into.

use std::borrow::Cow;

use crate::bounds::{GLUED_RECORDS_MAX, RECORD_LINES_MAX};
use crate::fact::Place;
use crate::plain::plain;
use crate::prefix::{self, Prefix};

/// A record, as a dialect gets it.
#[derive(Debug)]
pub struct Record<'a> {
    /// Where it stands.
    pub place: Place,
    /// The whole record, made plain.
    pub line: &'a str,
    /// What stands before the message, and the message.
    pub prefix: Prefix<'a>,
    /// The bytes behind the line, for records that are wrapped.
    pub ahead: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record of that line.
    #[must_use]
    pub fn new(place: Place, line: &'a str, ahead: &'a [u8]) -> Record<'a> {
        Record { place, line, prefix: prefix::split(line), ahead }
    }

    /// The message.
    #[must_use]
    pub fn body(&self) -> &'a str {
        self.prefix.body
    }

    /// The lines that follow, made plain, at most [`RECORD_LINES_MAX`].
    pub fn following(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.ahead.split(|&byte| byte == b'\n').take(RECORD_LINES_MAX).map(plain)
    }

    /// The message with the lines that it was wrapped into, until `whole` is content; and how many lines were taken.
    /// `None` where it never is, or another record begins first.
    pub fn unwrapped(&self, whole: impl Fn(&str) -> bool) -> Option<(String, u64)> {
        let mut text = self.body().trim_end().to_owned();
        let mut taken = 0;
        for line in self.following() {
            let next = prefix::split(&line);
            // Some versions put time and processor before each line of a wrapped record; a new one has a topic.
            let next_body = without_processor(next.body).trim();
            let begins = next.begins && is_new_message(next_body);
            if begins || next_body.is_empty() {
                return None;
            }
            let glue = if text.ends_with([' ', '[', '.']) { "" } else { " " };
            let spaced = format!("{text}{glue}{}", next_body);
            taken += 1;
            if whole(&spaced) {
                return Some((spaced, taken));
            }
            // A word may be broken in its middle.
            let joined = format!("{text}{}", next_body);
            if whole(&joined) {
                return Some((joined, taken));
            }
            text = spaced;
        }
        None
    }
}

/// Whether a message begins with a topic, as new messages do: `HBX: 2313: `, `WARNING: `.
fn is_new_message(body: &str) -> bool {
    body.split(' ').next().is_some_and(|word| word.ends_with(':') && word.len() > 1)
}

/// The message behind `cpu12:3456 opID=ab)`.
fn without_processor(body: &str) -> &str {
    let named = body.starts_with("cpu") && is_processor(body);
    body.split_once(')').filter(|_| named).map_or(body, |(_, message)| message)
}

/// Splits a line in which several records of a VMkernel ran together: each has a processor, `cpu12:3456)`.
#[must_use]
pub fn glued(line: &str) -> Vec<&str> {
    let mut starts = vec![0];
    let mut from = 0;
    let mut processor_before = None;
    while let Some(at) = line[from..].find("cpu").map(|at| from + at) {
        from = at + 3;
        if !is_processor(&line[at..]) {
            continue;
        }
        if let Some(before) = processor_before.replace(at)
            && starts.len() < GLUED_RECORDS_MAX
        {
            starts.push(start_of_time(line, at, before + 3));
        }
    }
    starts.push(line.len());
    starts.windows(2).filter_map(|pair| line.get(pair[0]..pair[1])).collect()
}

/// `cpu12:3456)` or `cpu12:3456 opID=`.
fn is_processor(text: &str) -> bool {
    // Publishers mask numbers: `cpuX:XXXXXXX)`.
    let digits =
        |text: &str| text.bytes().take_while(|byte| byte.is_ascii_digit() || b"X#*x".contains(byte)).count();
    let number = digits(&text[3..]);
    let rest = &text[3 + number..];
    number > 0
        && rest.starts_with(':')
        && digits(&rest[1..]) > 0
        && rest[1 + digits(&rest[1..])..].starts_with([')', ' '])
}

/// Where the time before a processor begins; the processor itself where there is none.
fn start_of_time(line: &str, processor: usize, not_before: usize) -> usize {
    const REACH: usize = 64;
    let from = (processor.saturating_sub(REACH).max(not_before)..processor)
        .find(|&at| line.is_char_boundary(at))
        .unwrap_or(processor);
    (from..processor)
        .filter(|&at| line.is_char_boundary(at))
        .find(|&at| {
            let prefix = prefix::split(&line[at..processor]);
            let letter = line.as_bytes()[at];
            prefix.begins && (letter == b'[' || letter.is_ascii_alphanumeric())
        })
        .unwrap_or(processor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::InputId;

    const PLACE: Place = Place { input: InputId(0), line: 1 };

    #[test]
    fn records_that_ran_together_are_taken_apart() {
        assert_eq!(glued("cpu0:1)A: xcpu7:2)B: y"), ["cpu0:1)A: x", "cpu7:2)B: y"]);
        assert_eq!(
            glued("2026-01-01T00:00:00Z cpu0:1)A: x2026-01-01T00:00:01Z cpu7:2)B: y"),
            ["2026-01-01T00:00:00Z cpu0:1)A: x", "2026-01-01T00:00:01Z cpu7:2)B: y"]
        );
        assert_eq!(glued("cpu usage of cpu1 is high"), ["cpu usage of cpu1 is high"]);
        assert_eq!(glued(""), [""]);
    }

    #[test]
    fn a_wrapped_record_is_put_together_also_in_the_middle_of_a_word() {
        let ahead = b"et 512 gen 5]\nmore";
        let record = Record::new(PLACE, "cpu1:2)HBX: [HB state abcdef02 offs", ahead);
        let whole = |text: &str| text.contains("offset") && text.contains(']');
        let (text, taken) = record.unwrapped(whole).unwrap();
        assert_eq!((text.as_str(), taken), ("cpu1:2)HBX: [HB state abcdef02 offset 512 gen 5]", 1));
    }

    #[test]
    fn a_new_record_ends_a_wrapped_one() {
        let ahead = b"2026-01-01T00:00:00Z cpu1:2)X: y ]\n";
        let record = Record::new(PLACE, "cpu1:2)DLX: Lock [type 1", ahead);
        assert_eq!(record.unwrapped(|text| text.contains(']')), None);
    }
}
