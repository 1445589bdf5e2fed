//! Lines that a mail or a terminal wrapped: put together again, each where it began, so that all lines keep their numbers.
//!
//! ```text
//!  2026-01-01T00:00:00Z cpu1:2)ScsiDeviceIO: 2652: Cmd(0x4      -->  the whole record
//!  3be9) 0x89, CmdSN 0x6 from world 3 to dev "naa.6" failed          (an empty line)
//!   H:0x5 D:0x0 P:0x0                                                (an empty line)
//! ```
//! A wrap shows itself by its width: no line is wider, and each that goes on is filled, to the last column or up to a word that found no room.

use memchr::memchr;

use super::document::{is_dated, section};
use crate::plain::plain;
use crate::prefix;
use crate::said::begins_as_a_log;

/// Narrower, and wider, nobody wraps.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=260;
/// Joints that make a wrap: one line that is as long as the longest stands in every text.
const JOINTS_MIN: usize = 2;
/// So few joints may all be at the last column by chance.
const JOINTS_FEW: usize = 4;
/// Lines that one record was wrapped into.
const PIECES_MAX: usize = 12;
/// Of ten joints, so many are at the last column where lines were cut anywhere.
const CUT_OF_TEN: usize = 9;

/// The text with its wrapped lines put together; `None` where nothing was wrapped.
pub(super) fn together(text: &[u8]) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').map(without_return).collect();
    let width = lines.iter().map(|line| line.len()).max().filter(|width| WIDTHS.contains(width))?;
    let joints = joints(&lines, width);
    if joints.len() < JOINTS_MIN {
        return None;
    }
    // Cut anywhere, a line is full but for a blank at its end, which is lost on the way; between words, hardly any is.
    let is_full = |line: &&usize| lines[**line].len() + 1 >= width;
    // A mail is wrapped between words; who quotes a terminal's lines in one quotes more of them.
    let is_quoted = joints.len() <= JOINTS_FEW && joints.iter().all(|&line| lines[line].starts_with(b">"));
    let is_cut = !is_quoted && joints.iter().filter(is_full).count() * 10 >= joints.len() * CUT_OF_TEN;
    let mut goes_on = vec![false; lines.len()];
    for &line in joints.iter().filter(|line| !is_cut || is_full(line)) {
        goes_on[line] = true;
    }
    let mut joined = Vec::with_capacity(text.len() + joints.len());
    let mut owed = 0;
    for (at, line) in lines.iter().enumerate() {
        let is_piece = at > 0 && goes_on[at - 1];
        joined.extend_from_slice(if is_piece { piece(line, is_cut) } else { line });
        if goes_on[at] {
            if !(is_cut && line.len() == width) {
                joined.push(b' ');
            }
            owed += 1;
            continue;
        }
        joined.extend(std::iter::repeat_n(b'\n', owed));
        owed = 0;
        if at + 1 < lines.len() {
            joined.push(b'\n');
        }
    }
    Some(joined)
}

/// The numbers of the lines, from 0, that go on with the next: those of a record of a log, that are filled and not at their end.
fn joints(lines: &[&[u8]], width: usize) -> Vec<usize> {
    let mut joints = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let begin = at;
        at += 1;
        if !begins_a_record(lines[begin]) {
            continue;
        }
        while at < lines.len() && at - begin < PIECES_MAX && goes_on(lines[at - 1], lines[at], width) {
            joints.push(at - 1);
            at += 1;
        }
    }
    joints
}

/// Whether a line begins a record of a log.
pub(super) fn begins_a_record(line: &[u8]) -> bool {
    is_dated(line) || begins_as_a_log(plain(line).trim_start_matches([' ', '>', '|']))
}

/// Whether a line is a record of its own. Where all words before a message filled the line, the message stands in the next.
fn begins_anew(line: &[u8], next: &[u8]) -> bool {
    let is_front = || {
        let line = plain(line);
        let prefix = prefix::split(&line);
        prefix.begins && prefix.body.trim().is_empty()
    };
    begins_a_record(next) && (is_dated(next) || !is_front())
}

fn goes_on(line: &[u8], next: &[u8], width: usize) -> bool {
    let rest = piece(next, false);
    let word = memchr(b' ', rest).unwrap_or(rest.len());
    let is_filled = line.len() == width || line.len() + 1 + word > width;
    is_filled && !rest.is_empty() && !is_at_its_end(line) && !begins_anew(line, next) && !is_a_row(rest) && {
        let next = plain(next);
        section(&next, next.trim()).is_none()
    }
}

/// What a wrapped line adds: without the marks of a quoted mail, and, where words were kept whole, without its indent.
fn piece(line: &[u8], is_cut: bool) -> &[u8] {
    let marks = line.iter().take_while(|&&byte| byte == b'>').count();
    let line = &line[marks..];
    let line = if marks > 0 { line.strip_prefix(b" ").unwrap_or(line) } else { line };
    if is_cut { line } else { line.trim_ascii_start() }
}

/// Whether a record has nothing more to say: its sentence ended.
fn is_at_its_end(line: &[u8]) -> bool {
    line.trim_ascii_end().ends_with(b".")
}

/// A row of a dump.
pub(super) fn is_a_row(line: &[u8]) -> bool {
    const NUMBERS_MIN: usize = 8;
    let words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let numbers = words.take_while(|word| word.len() <= 16 && word.iter().all(u8::is_ascii_hexdigit));
    numbers.count() >= NUMBERS_MIN
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "2026-01-01T00:00:00Z cpu1:2)ScsiDeviceIO: 2652: Cmd(0x43be9) 0x89, CmdSN 0x6 from world 3 to dev \"naa.6\" failed H:0x5 D:0x0 P:0x0";

    fn cut(text: &str, width: usize) -> String {
        let bytes = text.as_bytes().chunks(width).map(|part| std::str::from_utf8(part).unwrap());
        bytes.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_was_cut_at_a_column_or_between_words_is_whole_again_and_lines_keep_their_numbers() {
        let expected = |joints: usize| format!("{RECORD}{0}\n{RECORD}{0}\nbehind\n", "\n".repeat(joints));
        for width in [50, 64, 72] {
            let wrapped = format!("{}\n{}", cut(RECORD, width), cut(RECORD, width));
            let joints = wrapped.matches('\n').count() / 2;
            let joined = together(format!("{wrapped}\nbehind\n").as_bytes()).unwrap();
            assert_eq!(String::from_utf8(joined).unwrap(), expected(joints), "{width}");
        }
        let quoted = textwrap::fill(RECORD, 60).replace('\n', "\n> ");
        let joined = together(format!("> {quoted}\n\nbehind\n").as_bytes()).unwrap();
        assert_eq!(String::from_utf8(joined).unwrap(), format!("> {RECORD}\n\n\n\nbehind\n"));
        // Each piece is as wide as the widest, and was wrapped between words all the same.
        let pieces =
            "> 2026-01-01T00:00:00Z cpu1:2)WARNING: ctlr 26, psaCmd\n> 0x45b, status 0x371, opc 0x5\n";
        let joined = together(pieces.repeat(2).as_bytes()).unwrap();
        let whole = pieces.replacen("\n> ", " ", 1) + "\n";
        assert_eq!(String::from_utf8(joined).unwrap(), whole.repeat(2));
    }

    #[test]
    fn long_lines_and_what_stands_between_them_stay_as_they_are() {
        for log in [
            format!("{RECORD}.\nand then on the other\n{RECORD}.\nand again\n"),
            format!("{RECORD}\nesx2:\n{RECORD}\nesx3:\n"),
            format!("{RECORD}\n{RECORD}\n"),
            String::new(),
        ] {
            assert_eq!(together(log.as_bytes()), None, "{log}");
        }
    }
}
