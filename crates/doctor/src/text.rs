//! Small readers of text: numbers behind a word, what stands in quotes, a cut that splits no letter.
//!
//! A line is asked for some dozens of words, most of which it does not hold, and the searches of the standard library spend
//! longer on preparing than on looking. So [`position`] looks for the rarest letter of a word, and compares only there.

use memchr::{memchr_iter, memchr2_iter};

/// The text up to `bytes`, cut between letters.
#[must_use]
pub fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = (0..=bytes).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    &text[..end]
}

/// Where the first `part` begins. Inlined, so that the rarest letter of a word that stands in the code is known when it is compiled.
#[inline(always)]
#[must_use]
pub fn position(text: &str, part: &str) -> Option<usize> {
    position_by(text.as_bytes(), part.as_bytes(), rarest(part.as_bytes()))
}

/// Where the first `part` begins, found by its letter at `rare`.
fn position_by(text: &[u8], part: &[u8], rare: usize) -> Option<usize> {
    let Some((&end, _)) = part.split_last() else { return Some(0) };
    let last = text.len().checked_sub(part.len())?;
    let ends = |start: usize| text[start] == part[0] && text[start + part.len() - 1] == end;
    let mut starts = memchr_iter(part[rare], &text[rare..=last + rare]);
    starts.find(|&start| ends(start) && text[start..].starts_with(part))
}

/// Whether a text holds another.
#[inline(always)]
#[must_use]
pub fn has(text: &str, part: &str) -> bool {
    position(text, part).is_some()
}

/// How common each letter is in logs: 0 for the rarest. A table, for every search asks it.
const COMMON: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        table[byte as usize] = match byte {
            b' ' | b'0'..=b'9' | b'a' | b'c' | b'd' | b'e' | b'i' | b'n' | b'o' | b'r' | b's' | b't' => 3,
            b'b' | b'f'..=b'z' | b':' | b'.' | b'-' => 2,
            b'A'..=b'Z' | b',' | b'"' | b'\'' => 1,
            _ => 0,
        };
        byte += 1;
    }
    table
};
/// Letters of a word among which the rarest is looked for: more would cost more than they spare.
const CHOICE_BYTES: usize = 12;

/// Which letter of a word is the rarest in logs; 0 for no word at all.
#[inline(always)]
const fn rarest(part: &[u8]) -> usize {
    let mut best = 0;
    let mut at = 1;
    while at < part.len() && at < CHOICE_BYTES {
        if COMMON[part[at] as usize] < COMMON[part[best] as usize] {
            best = at;
        }
        at += 1;
    }
    best
}

/// What follows the first `mark`.
#[inline(always)]
#[must_use]
pub fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    position(text, mark).map(|at| &text[at + mark.len()..])
}

/// What stands between the first `open` and the next `close`, or the end of the line where `close` was cut off.
#[must_use]
pub fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let rest = after(text, open)?;
    Some(position(rest, close).map_or(rest, |end| &rest[..end]))
}

/// A word: up to a blank, a comma, a bracket, a quote or the end.
#[must_use]
pub fn word(text: &str) -> &str {
    let end = text.find(|letter: char| letter.is_whitespace() || ",;()[]{}<>\"'".contains(letter));
    &text[..end.unwrap_or(text.len())]
}

/// A number in hex or decimal at the start of a text: `0x` makes it hex.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => hex(digits),
        None => decimal(text),
    }
}

/// A number in hex at the start of a text, without a prefix.
#[must_use]
pub fn hex(text: &str) -> Option<u64> {
    read_digits(text, 16)
}

/// A number in decimal at the start of a text.
#[must_use]
pub fn decimal(text: &str) -> Option<u64> {
    read_digits(text, 10)
}

/// The number that the digits at the start of a text make; `None` where there is none, or it is too large.
fn read_digits(text: &str, radix: u32) -> Option<u64> {
    let mut value: u64 = 0;
    let mut is_one = false;
    for digit in text.bytes().map_while(|byte| char::from(byte).to_digit(radix)) {
        value = value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))?;
        is_one = true;
    }
    is_one.then_some(value)
}

/// The number in decimal that is all of a text.
#[must_use]
pub fn whole(text: &str) -> Option<u64> {
    decimal(text).filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a text holds another, letters of either case: for messages whose spelling changed over the years.
#[must_use]
pub fn holds(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    if part.is_empty() {
        return true;
    }
    let rare = rarest(part);
    let Some(last) = text.len().checked_sub(part.len()) else { return false };
    let (low, high) = (part[rare].to_ascii_lowercase(), part[rare].to_ascii_uppercase());
    let mut starts = memchr2_iter(low, high, &text[rare..=last + rare]);
    starts.any(|start| text[start..start + part.len()].eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_splits_no_letter() {
        assert_eq!(cut("aéb", 2), "a");
        assert_eq!(cut("abc", 9), "abc");
    }

    #[test]
    fn a_part_is_found_as_the_standard_library_finds_it() {
        let words = ["", "a", "ab", "aab", "é", "b[", "[a", "naa.", "aa", "zz"];
        for text in ["", "a", "aab[a]", "éab", "naa.naa.", "xnaa", "b[b[a", "ZZzz"] {
            for word in words {
                assert_eq!(position(text, word), text.find(word), "{word:?} in {text:?}");
                let lower = text.to_lowercase();
                assert_eq!(holds(text, word), lower.contains(word), "{word:?} in {text:?} of any case");
            }
        }
    }

    #[test]
    fn numbers_are_read_up_to_their_end() {
        assert_eq!(number("0x89,"), Some(0x89));
        assert_eq!(number("42ms"), Some(42));
        assert_eq!(number("x"), None);
        assert_eq!(number("99999999999999999999999"), None);
    }

    #[test]
    fn what_was_cut_off_is_read_to_its_end() {
        assert_eq!(between("dev \"naa.1\" failed", "\"", "\""), Some("naa.1"));
        assert_eq!(between("dev \"naa.12", "\"", "\""), Some("naa.12"));
    }
}
