//! Text: `key=value` pairs, each ended by a zero byte (RFC 7143, 6.1).

/// The longest key name (RFC 7143, 6.1).
pub const KEY_LENGTH_MAX: usize = 63;

/// The longest value, but for keys that say otherwise (RFC 7143, 6.1).
pub const VALUE_LENGTH_MAX: usize = 255;

/// The longest value of all: a CHAP challenge of 1,024 bytes in hexadecimal.
pub const LARGE_VALUE_LENGTH_MAX: usize = 2 * 1024 + 2;

/// All of one request's text, continued ones put together. The standard asks for 8,192 bytes at least (RFC 7143, 6.2).
pub const TEXT_LENGTH_MAX: usize = 16 << 10;

/// What is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The last pair has no zero byte behind it.
    #[error("the text does not end with a zero byte")]
    Unended,
    /// A pair is not of the form `key=value`, or its key is none.
    #[error("a part of the text is no key with a value")]
    NoPair,
    /// A value is longer than any may be.
    #[error("a value of the text is longer than any key allows")]
    TooLong,
    /// A key stands twice.
    #[error("a key stands twice in one negotiation")]
    Twice,
}

/// The pairs of a text, in their order.
///
/// # Errors
/// Where it is none.
pub fn pairs(text: &[u8]) -> Result<Vec<(&str, &str)>, TextError> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let Some((last, body)) = text.split_last() else { return Ok(found) };
    if *last != 0 {
        return Err(TextError::Unended);
    }
    // Zero bytes behind the last pair are padding that some initiators count.
    for part in body.split(|byte| *byte == 0).filter(|part| !part.is_empty()) {
        let (key, value) = pair(part)?;
        if found.iter().any(|(earlier, _)| *earlier == key) {
            return Err(TextError::Twice);
        }
        found.push((key, value));
    }
    Ok(found)
}

fn pair(part: &[u8]) -> Result<(&str, &str), TextError> {
    let part = std::str::from_utf8(part).map_err(|_| TextError::NoPair)?;
    let (key, value) = part.split_once('=').ok_or(TextError::NoPair)?;
    let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || b".-+@_#".contains(&byte);
    if key.is_empty() || key.len() > KEY_LENGTH_MAX || !key.bytes().all(is_of_key) {
        return Err(TextError::NoPair);
    }
    if value.len() > LARGE_VALUE_LENGTH_MAX {
        return Err(TextError::TooLong);
    }
    Ok((key, value))
}

/// Puts one pair behind a text.
pub fn put(text: &mut Vec<u8>, key: &str, value: &str) {
    text.extend_from_slice(key.as_bytes());
    text.push(b'=');
    text.extend_from_slice(value.as_bytes());
    text.push(0);
}

/// A number as keys have it: decimal, or hexadecimal behind `0x` (RFC 7143, 6.1).
#[must_use]
pub fn number(value: &str) -> Option<u32> {
    let hexadecimal = value.strip_prefix("0x").or_else(|| value.strip_prefix("0X"));
    // Rust takes a plus sign before a number; the standard does not.
    if value.starts_with('+') || hexadecimal.is_some_and(|digits| digits.starts_with('+')) {
        return None;
    }
    match hexadecimal {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

/// Bytes as keys have them: hexadecimal behind `0x`, or base64 behind `0b` (RFC 7143, 6.1); at most `length_max`.
#[must_use]
pub fn bytes(value: &str, length_max: usize) -> Option<Vec<u8>> {
    let (prefix, digits) = value.split_at_checked(2)?;
    let bytes = match prefix {
        "0x" | "0X" => hexadecimal(digits)?,
        "0b" | "0B" => base64(digits)?,
        _ => return None,
    };
    (bytes.len() <= length_max).then_some(bytes)
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    // An odd number of digits has a zero before the first.
    let digits = digits.as_bytes();
    let (first, rest) = digits.split_at(digits.len() % 2);
    let mut bytes: Vec<u8> = first.iter().map(|byte| nibble(*byte)).collect::<Option<_>>()?;
    for two in rest.chunks_exact(2) {
        bytes.push(nibble(two[0])? << 4 | nibble(two[1])?);
    }
    Some(bytes)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    let kept = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    if !text.len().is_multiple_of(4) || text.len() - kept > 2 {
        return None;
    }
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for byte in &text[..kept] {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// Bytes in hexadecimal, behind `0x`.
#[must_use]
pub fn to_hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_in_their_order_and_padding_is_none() {
        assert_eq!(pairs(b""), Ok(vec![]));
        assert_eq!(pairs(b"A=1\0B=\0\0\0"), Ok(vec![("A", "1"), ("B", "")]));
        assert_eq!(pairs(b"X-com.example.a=b=c\0"), Ok(vec![("X-com.example.a", "b=c")]));
    }

    #[test]
    fn what_is_no_text_is_told_from_what_is() {
        assert_eq!(pairs(b"A=1"), Err(TextError::Unended));
        assert_eq!(pairs(b"A\0"), Err(TextError::NoPair));
        assert_eq!(pairs(b"=1\0"), Err(TextError::NoPair));
        assert_eq!(pairs(b"A B=1\0"), Err(TextError::NoPair));
        assert_eq!(pairs(b"A=\xff\0"), Err(TextError::NoPair));
        assert_eq!(pairs(b"A=1\0A=2\0"), Err(TextError::Twice));
        let long = [b"A=".as_slice(), &[b'x'; LARGE_VALUE_LENGTH_MAX + 1], b"\0"].concat();
        assert_eq!(pairs(&long), Err(TextError::TooLong));
        let long = [&[b'A'; KEY_LENGTH_MAX + 1][..], b"=1\0"].concat();
        assert_eq!(pairs(&long), Err(TextError::NoPair));
    }

    #[test]
    fn numbers_are_decimal_or_hexadecimal_and_nothing_else() {
        assert_eq!(number("262144"), Some(262_144));
        assert_eq!(number("0x40000"), Some(262_144));
        for no_number in ["", "+1", "-1", "1k", "0x", "0x+1", "4294967296"] {
            assert_eq!(number(no_number), None, "{no_number}");
        }
    }

    #[test]
    fn bytes_are_read_in_both_forms() {
        assert_eq!(bytes("0x0aFf", 2), Some(vec![0x0a, 0xff]));
        assert_eq!(bytes("0xaff", 2), Some(vec![0x0a, 0xff]));
        assert_eq!(bytes("0bCv8=", 2), Some(vec![0x0a, 0xff]));
        assert_eq!(bytes("0bQUJD", 3), Some(b"ABC".to_vec()));
        assert_eq!(bytes("0x010203", 2), None, "longer than it may be");
        for none in ["", "0", "12", "0xzz", "0bA", "0b====", "0bA===", "0b*AAA"] {
            assert_eq!(bytes(none, 9), None, "{none}");
        }
        assert_eq!(to_hexadecimal(&[0x0a, 0xff]), "0x0aff");
    }
}
