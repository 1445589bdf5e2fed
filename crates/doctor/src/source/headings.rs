//! Headings in an input that is too large to be gone through before it is read: what names whose the lines behind it are.
//!
//! Who parts a collection by headings begins with one: where the first lines hold none, no other is looked for, which would cost a log a twentieth of its time.
//! Where one does, each line that begins as no line of a log does is looked at; where many do, the input is of a form in which that means nothing.

use memchr::memchr_iter;

use super::document::{Whose, section};
use super::origin::{host_of, is_a_file};
use crate::civil;
use crate::plain::plain;
use crate::seams::Seams;

/// Lines among which the first heading stands.
const FIRST_LINES: usize = 8;
/// Bytes of a line that are looked at.
const HEADING_BYTES: usize = 200;
/// Lines that are looked at in any input; of longer ones, one in so many.
const LOOKS_FREE: u64 = 2_000;
const LINES_FOR_A_LOOK: u64 = 1_000;

/// What a large input shows of where its parts begin.
#[derive(Debug, Default)]
pub(super) struct Large {
    /// Which way its times go.
    pub(super) seams: Seams,
    looks: u64,
    has_headings: bool,
    /// What was found, until it is taken: behind how many lines, and whose the rest is.
    found: Vec<(u64, Whose)>,
}

/// Whether a line may be a heading, by its first byte: logs begin with digits, brackets and blanks, exports with quotes and braces.
const MAY_BEGIN: [bool; 256] = {
    let mut table = [true; 256];
    let others = b"0123456789<{\"' \t\r\n|}()";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = false;
        at += 1;
    }
    table
};

impl Large {
    /// Of what begins so.
    pub(super) fn of(text: &[u8]) -> Large {
        let mut large = Large::default();
        for line in text.split(|&byte| byte == b'\n').take(FIRST_LINES) {
            large.look(line, 0);
        }
        // They are met again.
        large.found.clear();
        large
    }

    /// Passes lines that hold no key word, and counts them; `lines` were passed before. `text` begins where a line does.
    pub(super) fn pass(&mut self, text: &[u8], lines: u64) -> u64 {
        if !self.has_headings {
            return memchr_iter(b'\n', text).count() as u64;
        }
        let mut count = 0;
        let mut start = 0;
        for newline in memchr_iter(b'\n', text) {
            if text.get(start).is_some_and(|&first| MAY_BEGIN[usize::from(first)]) {
                self.look(&text[start..newline], lines + count);
            }
            count += 1;
            start = newline + 1;
        }
        count
    }

    /// Looks at a line, behind so many.
    pub(super) fn look(&mut self, line: &[u8], lines: u64) {
        let begins = match line {
            [b'[', next, ..] => next.is_ascii_alphabetic(),
            // `Jun  1 02:00:00`
            _ if is_a_month(line) => false,
            [first, ..] => MAY_BEGIN[usize::from(*first)],
            [] => false,
        };
        if !begins || self.looks > LOOKS_FREE + lines / LINES_FOR_A_LOOK {
            return;
        }
        self.looks += 1;
        if super::document::is_dated(line) {
            return;
        }
        let line = plain(&line[..line.len().min(HEADING_BYTES)]);
        let found = section(&line, line.trim_matches([' ', '#', '*'])).or_else(|| of_a_file(&line));
        if let Some(whose) = found {
            self.has_headings = true;
            self.found.push((lines, whose));
        }
    }

    /// What was found since it was asked last.
    pub(super) fn take(&mut self) -> Vec<(u64, Whose)> {
        std::mem::take(&mut self.found)
    }

    /// Whether nothing was found since.
    pub(super) fn is_quiet(&self) -> bool {
        self.found.is_empty()
    }
}

/// Whether a line begins as `Jun  1` does.
fn is_a_month(line: &[u8]) -> bool {
    line.get(3) == Some(&b' ')
        && line.get(..3).and_then(|name| std::str::from_utf8(name).ok()).and_then(civil::month).is_some()
}

/// `Contents of esx1/vmkernel.log`: a line that is there to name a file, whose place tells its host.
fn of_a_file(line: &str) -> Option<Whose> {
    const WORDS_MAX: usize = 6;
    let mut words = line.split_whitespace();
    let host = words.by_ref().take(WORDS_MAX).filter(|word| is_a_file(word)).find_map(host_of)?;
    words.next().is_none().then(|| Whose::Host(host.to_owned()))
}
