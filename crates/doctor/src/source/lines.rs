//! Lines: reads an input in chunks, sieves each chunk whole, and looks only at the lines that the sieve holds.
//!
//! ```text
//!  buffer  |......line......hit......line|..........AHEAD.........|
//!          ^ start of the first line that is not done   ^ a line behind this waits for the next chunk,
//!                                                         so that a wrapped record can be seen whole
//! ```

use std::borrow::Cow;
use std::io::{self, Read};
use std::iter::Peekable;
use std::ops::Range;

use memchr::{memchr, memchr_iter, memrchr};

use super::blanks;
use super::document::{Document, Whose};
use super::exported::{ExportedAhead, line_of};
use super::headings::Large;
use super::origin::host_of;
use super::sniff::Intake;
use super::wrapped;
use crate::bounds::{
    AHEAD_BYTES, CHUNK_BYTES, DOCUMENT_BYTES_MAX, EXCERPT_LINES_MAX, FEW_BYTES_MAX, LINE_BYTES_MAX,
    RECORD_BYTES_MAX,
};
use crate::dialect::Reading;
use crate::fact::{InputId, Place};
use crate::ledger::Ledger;
use crate::plain::{plain, plain_row};
use crate::prefix;
use crate::record::{Ahead, Record, glued};
use crate::said::{self, Manner};
use crate::sieve::Hit;
use crate::stamp::Stamp;

/// Bytes behind a record of an export that may hold the rest of what it tells: its other fields, and the next records.
const BEHIND_BYTES: usize = 16 << 10;
/// Lines of an input whose neighbours' times are looked at.
const LOOKS_MAX: u32 = 16;
/// Bytes of a line in which its time stands.
const TIME_BYTES: usize = 120;
/// So far apart the times of a large input are looked at.
const LOOK_BYTES: usize = 128 << 10;
/// Key words of one line that are handed on.
const WORDS_MAX: usize = 64;

/// Where the reader of one input stands.
struct Progress {
    input: InputId,
    /// Lines that are done.
    lines: u64,
    /// The dialect that asked for the next line, whatever is in it.
    follower: Option<usize>,
    /// Lines up to this one were read as parts of an earlier record.
    read_until: u64,
    /// Whether the whole input is a few lines: then every line is looked at, for somebody chose each of them.
    few: bool,
    /// Lines whose neighbours were looked at.
    looks: u32,
    /// What the sentences around its lines say of them.
    document: Document,
    /// Of an input that is too large to be gone through before it is read.
    large: Option<Large>,
}

/// A line, and what stands behind it.
struct Line<'a> {
    place: Place,
    text: &'a [u8],
    ahead: Ahead<'a>,
}

/// Reads all lines of an input.
pub(super) fn read(
    intake: &mut Intake,
    name: &str,
    input: &mut dyn Read,
    ledger: &mut Ledger,
) -> io::Result<()> {
    let id = ledger.begin(name, host_of(name));
    let mut at = Progress {
        input: id,
        lines: 0,
        follower: None,
        read_until: 0,
        few: false,
        looks: 0,
        document: Document::default(),
        large: None,
    };
    let mut buffer = std::mem::take(&mut intake.buffer);
    let mut kept = 0;
    let result = loop {
        buffer.resize(kept + CHUNK_BYTES, 0);
        let (read, error) = super::archive::fill_until_error(input, &mut buffer[kept..]);
        let mut filled = kept + read;
        let last = read < CHUNK_BYTES;
        let first = at.lines == 0 && kept == 0;
        let is_short = first && last && filled <= DOCUMENT_BYTES_MAX;
        for mend in [wrapped::together, blanks::evened] {
            if let Some(mended) = is_short.then(|| mend(&buffer[..filled])).flatten() {
                filled = mended.len();
                buffer = mended;
            }
        }
        let end = if last { filled } else { whole_lines(&buffer[..filled]) };
        at.few = first && last && filled <= FEW_BYTES_MAX && newlines(&buffer[..filled]) <= EXCERPT_LINES_MAX;
        if first && last && filled <= DOCUMENT_BYTES_MAX {
            at.document = Document::of(&buffer[..filled]);
        } else if first {
            at.large = Some(Large::of(&buffer[..filled]));
        }
        if first {
            let line_end = memchr(b'\n', &buffer[..filled]).unwrap_or(filled).min(RECORD_BYTES_MAX);
            at.follower = intake.dialects.beginning(&plain_row(&buffer[..line_end]));
        }
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
    ledger.end();
    ledger.lines += at.lines;
    result
}

/// The end of the lines that can be read now: all that begin before the last [`AHEAD_BYTES`].
fn whole_lines(filled: &[u8]) -> usize {
    let limit = filled.len().saturating_sub(AHEAD_BYTES);
    memrchr(b'\n', &filled[..limit]).map_or(0, |newline| newline + 1)
}

impl Intake {
    /// The key words of a line: those that the sieve found, where it is as it was read; those that it finds now, where it was made plain since, and may hold
    /// others. None at all where there are too many.
    fn words_of(&mut self, line: &str, raw: bool) -> Vec<&'static str> {
        let mut words = std::mem::take(&mut self.words);
        if !raw {
            let mut hits = std::mem::take(&mut self.line_hits);
            self.sieve.search(line.as_bytes(), &mut hits);
            words.clear();
            words.extend(hits.iter().map(|hit| hit.word));
            self.line_hits = hits;
        }
        if words.len() > WORDS_MAX {
            words.clear();
        }
        words
    }
}

impl Progress {
    /// Reads the lines of `text` that begin before `end`; the answer is where the first line that is not done begins.
    fn chunk(&mut self, intake: &mut Intake, text: &[u8], end: usize, ledger: &mut Ledger) -> usize {
        let mut hits = std::mem::take(&mut intake.hits);
        intake.sieve.search(&text[..end], &mut hits);
        let mut ahead = hits.iter().peekable();
        let mut at = 0;
        let mut seams = self.seams_of(&text[..end]).into_iter().peekable();
        while at < end {
            if self.follower.is_some() {
                at = self.line(intake, text, at, 0, ledger);
                continue;
            }
            while ahead.next_if(|hit| hit.at < at).is_some() {}
            if self.few {
                let line_end = memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline);
                let mask = words_until(&mut ahead, line_end, &mut intake.words);
                let (start, understood) = (at, ledger.understood);
                at = self.line(intake, text, at, mask, ledger);
                self.look_around(text, start..at, understood, ledger);
                continue;
            }
            let Some(hit) = ahead.peek().map(|hit| hit.at) else {
                self.pass(&text[at..end]);
                // The last line of an input may have no newline.
                if end == text.len() && text.last().is_some_and(|&byte| byte != b'\n') {
                    self.lines += 1;
                }
                at = end;
                break;
            };
            let start = memrchr(b'\n', &text[at..hit]).map_or(at, |newline| at + newline + 1);
            self.pass(&text[at..start]);
            let line_end = memchr(b'\n', &text[hit..]).map_or(text.len(), |newline| hit + newline);
            let mask = words_until(&mut ahead, line_end, &mut intake.words);
            let understood = ledger.understood;
            let mut is_seam = false;
            while seams.next_if(|&seam| seam <= start).is_some() {
                is_seam = true;
            }
            self.part(is_seam);
            at = self.line(intake, text, start, mask, ledger);
            self.look_around(text, start..at, understood, ledger);
            if let Some(large) = &mut self.large {
                large.look(&text[start..line_end], self.lines - 1);
            }
        }
        self.part(seams.next().is_some());
        intake.hits = hits;
        at
    }

    /// Where the times of a chunk of a large input jump against their way, as far as a look every so often tells.
    fn seams_of(&mut self, text: &[u8]) -> Vec<usize> {
        let Some(Large { seams, .. }) = &mut self.large else { return Vec::new() };
        let mut found = Vec::new();
        for at in (0..text.len()).step_by(LOOK_BYTES) {
            let Some(newline) = memchr(b'\n', &text[at..]) else { break };
            let start = at + newline + 1;
            let line = &text[start..text.len().min(start + TIME_BYTES)];
            let line = &line[..memchr(b'\n', line).unwrap_or(line.len())];
            let jump = time_of(line).and_then(|when| seams.meet(when));
            if jump.is_some_and(|jump| seams.is_seam(jump)) {
                found.push(start);
            }
        }
        found
    }

    /// Passes whole lines that hold no key word.
    fn pass(&mut self, text: &[u8]) {
        self.lines += match &mut self.large {
            Some(large) => large.pass(text, self.lines),
            None => newlines(text),
        };
    }

    /// Begins the sections of a large input that headings announced since, and one where its times jumped.
    fn part(&mut self, is_seam: bool) {
        let Some(large) = &mut self.large else { return };
        if !large.is_quiet() {
            for (lines, whose) in large.take() {
                self.document.begin(lines + 1, whose);
            }
        }
        if is_seam && !self.document.is_named() {
            self.document.begin(self.lines + 1, Whose::Nobody);
        }
    }

    /// Compares the times of a line that was understood, of which there were so many before it, and of its neighbours: a log stands oldest first or newest
    /// first, and two facts alone do not tell which.
    fn look_around(&mut self, text: &[u8], line: Range<usize>, understood: u64, ledger: &mut Ledger) {
        if ledger.understood == understood || self.looks >= LOOKS_MAX {
            return;
        }
        self.looks += 1;
        let before = text[..line.start].strip_suffix(b"\n").map(|before| {
            let begin = memrchr(b'\n', before).map_or(0, |newline| newline + 1);
            &before[begin..]
        });
        let behind = &text[line.end..];
        let behind = &behind[..memchr(b'\n', behind).unwrap_or(behind.len())];
        let own = time_of(&text[line]);
        for (one, other) in [(before.and_then(time_of), own), (own, time_of(behind))] {
            if let Some((one, other)) = one.zip(other) {
                ledger.step(self.input, one, other);
            }
        }
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
        let exported;
        let mut ahead = Ahead::Plain(&text[next..text.len().min(next + AHEAD_BYTES)]);
        let line = behind_a_hole(&text[start..end]);
        if let Some(follower) = self.follower {
            if self.follow(intake, follower, Line { place, text: line, ahead }, ledger) {
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
        let around = self.document.manner(self.lines);
        if around == Manner::Cited {
            if mask != 0 {
                ledger.stranger(place, &plain(&line[..line.len().min(RECORD_BYTES_MAX)]));
            }
            return next;
        }
        let of_table = mask & intake.dialects.tables() != 0;
        let limit = if of_table { LINE_BYTES_MAX } else { RECORD_BYTES_MAX };
        let written = made_plain(&line[..line.len().min(limit)], of_table);
        let mut line = Cow::Borrowed(&*written);
        if !of_table && let Some(own) = line_of(&written, &text[..start], &text[next..]) {
            exported = ExportedAhead::of(&written, &text[next..text.len().min(next + BEHIND_BYTES)]);
            line = Cow::Owned(own);
            ahead = Ahead::Exported(&exported);
        }
        let raw = matches!((&written, &line), (Cow::Borrowed(_), Cow::Borrowed(_)));
        let words = intake.words_of(&line, raw);
        let asked = if self.few { mask | intake.dialects.last_resort() } else { mask };
        let (section, host) = self.document.section(self.lines);
        ledger.listen(section, host);
        let mut understood = false;
        for part in glued(&line) {
            let record = Record::new(place, part, ahead).with_words(&words);
            ledger.saw_time(record.prefix.when);
            ledger.hear(said::of(&record).max(around));
            let (dialect, reading) = intake.dialects.read(asked, &record, ledger);
            understood |= self.take(dialect, reading, ledger);
        }
        intake.words = words;
        if understood {
            ledger.understood += 1;
            self.document.own(self.lines, self.lines.max(self.read_until));
        } else if mask != 0 {
            ledger.stranger(place, &line);
        } else if self.few && !line.trim().is_empty() {
            // Whoever pastes a few lines may ask which of them say nothing here.
            ledger.show(place, &line);
        }
        next
    }

    /// Reads a line that a dialect asked for; whether it was one of its own.
    fn follow(&mut self, intake: &mut Intake, follower: usize, line: Line<'_>, ledger: &mut Ledger) -> bool {
        let limit = line.text.len().min(LINE_BYTES_MAX);
        let text = made_plain(&line.text[..limit], intake.dialects.tables() & 1 << follower != 0);
        let record = Record::new(line.place, &text, line.ahead);
        ledger.hear(Manner::Logged);
        match intake.dialects.read(1 << follower, &record, ledger).1 {
            Reading::More => {
                ledger.understood += 1;
                self.document.own(self.lines, self.lines);
            }
            Reading::Skipped => ledger.stranger(line.place, &text),
            Reading::Stranger | Reading::Understood { .. } => return false,
        }
        true
    }

    /// Takes what a dialect made of a record; whether it was understood.
    fn take(&mut self, dialect: usize, reading: Reading, ledger: &mut Ledger) -> bool {
        match reading {
            Reading::Stranger => return false,
            Reading::Skipped => {
                self.follower = Some(dialect);
                return false;
            }
            Reading::Understood { and_lines } => {
                ledger.understood += and_lines;
                self.read_until = self.read_until.max(self.lines + and_lines);
            }
            Reading::More => self.follower = Some(dialect),
        }
        true
    }
}

/// A line without the zero bytes that a crash left in it: what stands behind the last of them; where nothing does, what stands before the first.
fn behind_a_hole(line: &[u8]) -> &[u8] {
    let Some(first) = memchr(0, line) else { return line };
    let behind = memrchr(0, line).map_or(line, |last| &line[last + 1..]);
    if behind.trim_ascii().is_empty() { &line[..first] } else { behind }
}

/// When a line was written, as far as it says so itself.
fn time_of(line: &[u8]) -> Option<Stamp> {
    prefix::split(&plain(&line[..line.len().min(TIME_BYTES)])).when
}

fn made_plain(line: &[u8], of_table: bool) -> Cow<'_, str> {
    if of_table { plain_row(line) } else { plain(line) }
}

/// What the words that end before `line_end` lead to, and which they are.
fn words_until(
    ahead: &mut Peekable<std::slice::Iter<'_, Hit>>,
    line_end: usize,
    words: &mut Vec<&'static str>,
) -> u64 {
    let mut mask = 0;
    words.clear();
    while let Some(hit) = ahead.next_if(|hit| hit.at < line_end) {
        mask |= hit.mask;
        // A line of counters may hold thousands; without them, a dialect looks for its words itself.
        if words.len() <= WORDS_MAX {
            words.push(hit.word);
        }
    }
    mask
}

fn newlines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}
