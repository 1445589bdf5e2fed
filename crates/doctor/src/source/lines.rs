//! Lines: reads an input in chunks, sieves each chunk whole, and looks only at the lines that the sieve holds.
//!
//! ```text
//!  buffer  |......line......hit......line|..........AHEAD.........|
//!          ^ start of the first line that is not done   ^ a line behind this waits for the next chunk,
//!                                                         so that a wrapped record can be seen whole
//! ```

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

use super::origin::host_of;
use super::sniff::Intake;
use crate::bounds::{AHEAD_BYTES, CHUNK_BYTES, LINE_BYTES_MAX, RECORD_BYTES_MAX};
use crate::dialect::Reading;
use crate::fact::{InputId, Place};
use crate::ledger::Ledger;
use crate::plain::plain;
use crate::record::{Record, glued};

/// Where the reader of one input stands.
struct Progress {
    input: InputId,
    /// Lines that are done.
    lines: u64,
    /// The dialect that asked for the next line, whatever is in it.
    follower: Option<usize>,
    /// Lines up to this one were read as parts of an earlier record.
    read_until: u64,
}

/// Reads all lines of an input.
pub(super) fn read(
    intake: &mut Intake,
    name: &str,
    input: &mut dyn Read,
    ledger: &mut Ledger,
) -> io::Result<()> {
    let id = ledger.begin(name, host_of(name));
    let mut at = Progress { input: id, lines: 0, follower: None, read_until: 0 };
    let mut buffer = std::mem::take(&mut intake.buffer);
    let mut kept = 0;
    let result = loop {
        buffer.resize(kept + CHUNK_BYTES, 0);
        let (read, error) = super::archive::fill_until_error(input, &mut buffer[kept..]);
        let filled = kept + read;
        let last = read < CHUNK_BYTES;
        let end = if last { filled } else { whole_lines(&buffer[..filled]) };
        let done = at.chunk(intake, &buffer[..filled], end, ledger);
        if last {
            break error.map_or(Ok(()), Err);
        }
        buffer.copy_within(done..filled, 0);
        kept = filled - done;
        if kept > LINE_BYTES_MAX {
            // A line without end: its beginning was long enough.
            kept = 0;
        }
    };
    buffer.truncate(CHUNK_BYTES);
    intake.buffer = buffer;
    intake.dialects.end(ledger);
    ledger.lines += at.lines;
    result
}

/// The end of the lines that can be read now: all that begin before the last [`AHEAD_BYTES`].
fn whole_lines(filled: &[u8]) -> usize {
    let limit = filled.len().saturating_sub(AHEAD_BYTES);
    memrchr(b'\n', &filled[..limit]).map_or(0, |newline| newline + 1)
}

impl Progress {
    /// Reads the lines of `text` that begin before `end`; the answer is where the first line that is not done begins.
    fn chunk(&mut self, intake: &mut Intake, text: &[u8], end: usize, ledger: &mut Ledger) -> usize {
        let mut at = 0;
        while at < end {
            if self.follower.is_some() {
                at = self.line(intake, text, at, 0, ledger);
                continue;
            }
            let Some((hit, mask)) = intake.sieve.next(&text[..end], at) else {
                self.lines += newlines(&text[at..end]);
                // The last line of an input may have no newline.
                if end == text.len() && text.last().is_some_and(|&byte| byte != b'\n') {
                    self.lines += 1;
                }
                return end;
            };
            let start = memrchr(b'\n', &text[at..hit]).map_or(at, |newline| at + newline + 1);
            self.lines += newlines(&text[at..start]);
            let line_end = memchr(b'\n', &text[hit..]).map_or(text.len(), |newline| hit + newline);
            let mask = all_dialects(intake, &text[..line_end], hit, mask);
            at = self.line(intake, text, start, mask, ledger);
        }
        at
    }

    /// Reads the line that begins at `start`; the answer is where the next begins.
    fn line(
        &mut self,
        intake: &mut Intake,
        text: &[u8],
        start: usize,
        mask: u64,
        ledger: &mut Ledger,
    ) -> usize {
        let end = memchr(b'\n', &text[start..]).map_or(text.len(), |newline| start + newline);
        let next = (end + 1).min(text.len());
        self.lines += 1;
        let place = Place { input: self.input, line: self.lines };
        let ahead = &text[next..text.len().min(next + AHEAD_BYTES)];
        let line = &text[start..end];
        if let Some(follower) = self.follower {
            let limit = line.len().min(LINE_BYTES_MAX);
            let line = plain(&line[..limit]);
            let record = Record::new(place, &line, ahead);
            if intake.dialects.read(1 << follower, &record, ledger).1 == Reading::More {
                ledger.understood += 1;
                return next;
            }
            self.follower = None;
            // It may be anything: the sieve decides.
            self.lines -= 1;
            return start;
        }
        if self.lines <= self.read_until {
            return next;
        }
        let limit = if mask & intake.dialects.tables() == 0 { RECORD_BYTES_MAX } else { LINE_BYTES_MAX };
        let line = plain(&line[..line.len().min(limit)]);
        let mut understood = false;
        for part in glued(&line) {
            let record = Record::new(place, part, ahead);
            ledger.saw_time(record.prefix.when);
            match intake.dialects.read(mask, &record, ledger) {
                (_, Reading::Stranger) => {}
                (_, Reading::Understood { and_lines }) => {
                    understood = true;
                    ledger.understood += and_lines;
                    self.read_until = self.read_until.max(self.lines + and_lines);
                }
                (dialect, Reading::More) => {
                    understood = true;
                    self.follower = Some(dialect);
                }
            }
        }
        if understood {
            ledger.understood += 1;
        } else {
            ledger.stranger(place, &line);
        }
        next
    }
}

/// The dialects of every key word of a line.
fn all_dialects(intake: &Intake, text: &[u8], hit: usize, first: u64) -> u64 {
    let mut mask = first;
    let mut from = hit + 1;
    while let Some((at, more)) = intake.sieve.next(text, from) {
        mask |= more;
        from = at + 1;
    }
    mask
}

fn newlines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}
