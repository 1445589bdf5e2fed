//! Small readers of text: numbers behind a word, what stands in quotes, a cut that splits no letter.

/// The text up to `bytes`, cut between letters.
#[must_use]
pub fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = (0..=bytes).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    &text[..end]
}

/// What follows the first `mark`.
#[must_use]
pub fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.find(mark).map(|at| &text[at + mark.len()..])
}

/// What stands between the first `open` and the next `close`, or the end of the line where `close` was cut off.
#[must_use]
pub fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let rest = after(text, open)?;
    Some(rest.find(close).map_or(rest, |end| &rest[..end]))
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
    let end = text.find(|letter: char| !letter.is_ascii_hexdigit()).unwrap_or(text.len());
    u64::from_str_radix(&text[..end], 16).ok()
}

/// A number in decimal at the start of a text.
#[must_use]
pub fn decimal(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// Whether a text holds another, letters of either case: for messages whose spelling changed over the years.
#[must_use]
pub fn holds(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
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
