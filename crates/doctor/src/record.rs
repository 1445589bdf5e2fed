//! A record of a log: one line, a part of a line in which several ran together, or a line with the lines that it was
//! wrapped into.

use std::borrow::Cow;

use crate::bounds::{GLUED_RECORDS_MAX, RECORD_LINES_MAX};
use crate::fact::Place;
use crate::plain::plain;
use crate::prefix::{self, Prefix};
use crate::source::ExportedAhead;
use crate::text::{has, position};

/// A record, as a dialect gets it.
#[derive(Debug)]
pub struct Record<'a> {
    /// Where it stands.
    pub place: Place,
    /// The whole record, made plain.
    pub line: &'a str,
    /// What stands before the message, and the message.
    pub prefix: Prefix<'a>,
    /// What stands behind the line, for records that are wrapped.
    pub ahead: Ahead<'a>,
    /// The key words that the sieve found in the line that the record is of; empty where it was not asked, or where the line was
    /// made plain since.
    pub words: &'a [&'static str],
    /// The marks of these words, of which a word that is not among them has nearly always another: a dialect asks for a hundred.
    marks: u64,
}

/// What stands behind a line.
#[derive(Clone, Copy, Debug)]
pub enum Ahead<'a> {
    /// The bytes of its log.
    Plain(&'a [u8]),
    /// Records of an export, which are made lines where somebody asks for them: few do.
    Exported(&'a ExportedAhead<'a>),
}

impl<'a> Ahead<'a> {
    /// Nothing.
    pub const NOTHING: Ahead<'static> = Ahead::Plain(&[]);

    fn bytes(self) -> &'a [u8] {
        match self {
            Ahead::Plain(bytes) => bytes,
            Ahead::Exported(exported) => exported.lines(),
        }
    }
}

/// One bit for a word, by its length and its ends.
pub const fn mark(word: &str) -> u64 {
    let bytes = word.as_bytes();
    match bytes {
        [first, .., last] => 1 << ((bytes.len() * 7 + *first as usize * 3 + *last as usize) % 64),
        _ => 1,
    }
}

impl<'a> Record<'a> {
    /// The record of that line.
    #[must_use]
    pub fn new(place: Place, line: &'a str, ahead: Ahead<'a>) -> Record<'a> {
        Record { place, line, prefix: prefix::split(line), ahead, words: &[], marks: 0 }
    }

    /// The same, with the key words that were found in its line.
    #[must_use]
    pub fn with_words(self, words: &'a [&'static str]) -> Record<'a> {
        Record { words, marks: words.iter().fold(0, |marks, word| marks | mark(word)), ..self }
    }

    /// The message.
    #[must_use]
    pub fn body(&self) -> &'a str {
        self.prefix.body
    }

    /// Whether the record holds a key word.
    #[must_use]
    pub fn holds_word(&self, word: &'static str) -> bool {
        self.may_hold(mark(word))
            && (self.words.is_empty() || self.words.contains(&word))
            && has(self.line, word)
    }

    /// Whether a word of that mark may be among those that were found.
    #[must_use]
    pub fn may_hold(&self, mark: u64) -> bool {
        self.words.is_empty() || self.marks & mark != 0
    }

    /// The lines that follow, made plain, at most [`RECORD_LINES_MAX`].
    pub fn following(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.ahead.bytes().split(|&byte| byte == b'\n').take(RECORD_LINES_MAX).map(plain)
    }

    /// The line that follows, made plain, where it is one that `begins` likes without the marks of a quoted mail: nearly none is, and none of an export's.
    pub fn next_if(&self, begins: impl Fn(&[u8]) -> bool) -> Option<Cow<'a, str>> {
        let Ahead::Plain(bytes) = self.ahead else { return None };
        let marks = bytes.iter().take_while(|byte| b" >|".contains(byte)).count();
        begins(&bytes[marks..]).then(|| self.following().next())?
    }

    /// The message with the lines that it was wrapped into, until `whole` is content; and how many lines were taken.
    /// `None` where it never is, or another record begins first.
    pub fn unwrapped(&self, whole: impl Fn(&str) -> bool) -> Option<(String, u64)> {
        let mut text = self.body().trim_end().to_owned();
        let mut taken = 0;
        for line in self.following() {
            let next = prefix::split(&line);
            if self.is_of_another(&next) {
                return None;
            }
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

impl Record<'_> {
    /// Whether a line is of another world, or has a time of its own and is of another host or moment: then it goes on with nothing of this record.
    #[must_use]
    pub fn is_of_another(&self, next: &Prefix<'_>) -> bool {
        let differ =
            |one: Option<&str>, other: Option<&str>| one.zip(other).is_some_and(|(one, other)| one != other);
        let apart = next.when.zip(self.prefix.when).and_then(|(when, then)| when.since(&then));
        // A world stands in a line also where its time was cut off.
        differ(world(self.prefix.body), world(next.body))
            || next.begins
                && (differ(self.prefix.host, next.host) || apart.is_some_and(|us| us.abs() > BREATH_US))
    }
}

/// What one record says over several lines is written in one breath.
const BREATH_US: i64 = 1_000_000;

/// `cpu9:2097312`: who wrote a line of a VMkernel; nothing where the numbers are masked.
fn world(body: &str) -> Option<&str> {
    let inner = body.split_once(')').map(|(front, _)| front).filter(|_| body.starts_with("cpu"))?;
    let name = inner.split(' ').next()?;
    name["cpu".len()..].bytes().all(|byte| byte.is_ascii_digit() || byte == b':').then_some(name)
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
pub fn glued(line: &str) -> impl Iterator<Item = &str> {
    let starts = further_records(line);
    (0..=starts.len()).filter_map(move |part| {
        let begin = part.checked_sub(1).map_or(Some(0), |before| starts.get(before).copied())?;
        line.get(begin..starts.get(part).copied().unwrap_or(line.len()))
    })
}

/// Where further records begin in a line. Nearly always there are none, and nothing is allocated.
fn further_records(line: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut from = 0;
    let mut processor_before = None;
    while let Some(at) = position(&line[from..], "cpu").map(|at| from + at) {
        from = at + 3;
        if !is_processor(&line[at..]) {
            continue;
        }
        if let Some(before) = processor_before.replace(at)
            && starts.len() + 1 < GLUED_RECORDS_MAX
        {
            starts.push(start_of_time(line, at, before + 3));
        }
    }
    starts
}

/// `cpu12:3456)` or `cpu12:3456 opID=`.
pub fn is_processor(text: &str) -> bool {
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

/// Where the time before a processor begins, with the word that the line has before its first time, too; the processor itself where there is none.
fn start_of_time(line: &str, processor: usize, not_before: usize) -> usize {
    const REACH: usize = 64;
    let from = (processor.saturating_sub(REACH).max(not_before)..processor)
        .find(|&at| line.is_char_boundary(at))
        .unwrap_or(processor);
    // Whatever stands before it ends another record: `P:0x0 2026-01-01T...` has no host `P:0x0`.
    let time = (from..processor)
        .filter(|&at| line.is_char_boundary(at))
        .find(|&at| prefix::begins_with_a_time(&line[at..processor]));
    time.map_or(processor, |time| with_the_first_word(line, time, from))
}

/// Where a record begins whose time is there: at a host or a program that the line's first record has before its time, too.
fn with_the_first_word(line: &str, time: usize, from: usize) -> usize {
    let front = line[..time].trim_end();
    let first = line.trim_start().split(' ').next().unwrap_or_default();
    let begin = front.len().checked_sub(first.len()).filter(|&begin| begin >= from);
    let is_it = |begin: &usize| {
        !first.is_empty()
            && front.get(*begin..) == Some(first)
            && !prefix::begins_with_a_time(first)
            && line.get(..*begin).is_some_and(|before| before.ends_with([' ', '\t']))
    };
    begin.filter(is_it).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::InputId;

    const PLACE: Place = Place { input: InputId(0), line: 1 };

    #[test]
    fn records_that_ran_together_are_taken_apart() {
        fn parts(line: &str) -> Vec<&str> {
            glued(line).collect()
        }
        assert_eq!(parts("cpu0:1)A: xcpu7:2)B: y"), ["cpu0:1)A: x", "cpu7:2)B: y"]);
        assert_eq!(
            parts("2026-01-01T00:00:00Z cpu0:1)A: x2026-01-01T00:00:01Z cpu7:2)B: y"),
            ["2026-01-01T00:00:00Z cpu0:1)A: x", "2026-01-01T00:00:01Z cpu7:2)B: y"]
        );
        // What ends a record was once the host of the next: the last status, or the tail of a device's name.
        for end in ["failed H:0x5 D:0x0 P:0x0", "partition naa.6006fe:1", "HB on gold", "probing: Timeout"] {
            let first = format!("2026-01-01T00:00:00Z cpu0:1)A: {end} ");
            let second = "2026-01-01T00:00:01Z cpu7:2)B: y";
            assert_eq!(parts(&format!("{first}{second}")), [first.as_str(), second]);
        }
        assert_eq!(
            parts("esx1 2026-01-01T00:00:00Z cpu0:1)A: x esx1 2026-01-01T00:00:01Z cpu7:2)B: y"),
            ["esx1 2026-01-01T00:00:00Z cpu0:1)A: x ", "esx1 2026-01-01T00:00:01Z cpu7:2)B: y"]
        );
        assert_eq!(parts("cpu usage of cpu1 is high"), ["cpu usage of cpu1 is high"]);
        assert_eq!(parts(""), [""]);
    }

    #[test]
    fn a_wrapped_record_is_put_together_also_in_the_middle_of_a_word() {
        let ahead = b"et 512 gen 5]\nmore";
        let record = Record::new(PLACE, "cpu1:2)HBX: [HB state abcdef02 offs", Ahead::Plain(ahead));
        let whole = |text: &str| text.contains("offset") && text.contains(']');
        let (text, taken) = record.unwrapped(whole).unwrap();
        assert_eq!((text.as_str(), taken), ("cpu1:2)HBX: [HB state abcdef02 offset 512 gen 5]", 1));
    }

    #[test]
    fn a_new_record_ends_a_wrapped_one() {
        let ahead = b"2026-01-01T00:00:00Z cpu1:2)X: y ]\n";
        let record = Record::new(PLACE, "cpu1:2)DLX: Lock [type 1", Ahead::Plain(ahead));
        assert_eq!(record.unwrapped(|text| text.contains(']')), None);
    }
}
