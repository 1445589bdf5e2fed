//! Sense data as bytes, in both formats of SPC-5, 4.4: descriptor (72h, 73h) and fixed (70h, 71h), as programs dump them.

use crate::fact::Sense;
use crate::text::{has, holds};

/// Bytes that are looked at: the standard's largest.
const BYTES_MAX: usize = 252;
/// Bytes before the additional ones, in both formats.
const HEADER_BYTES: usize = 8;
/// The fixed format has code and qualifier here.
const FIXED_CODE_AT: usize = 12;

/// What sense bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenseBytes {
    /// Key, code and qualifier, as they stand there.
    pub numbers: [u8; 3],
    /// Whether they are of a command before the one that was answered (71h, 73h).
    pub deferred: bool,
    /// Whether the format is that of descriptors.
    pub descriptors: bool,
    /// The INFORMATION field, where it is marked as valid: for a miscompare the first byte that differs (SBC-4, 5.4).
    pub information: Option<u64>,
}

impl SenseBytes {
    /// Key, code and qualifier, where they say something.
    #[must_use]
    pub fn sense(&self) -> Option<Sense> {
        let [key, code, qualifier] = self.numbers.map(u64::from);
        Sense::of(key, code, qualifier)
    }
}

/// Finds sense bytes behind the word `sense`, or in a line that has nothing else.
#[must_use]
pub fn find(text: &str) -> Option<SenseBytes> {
    // Most lines have none of the five beginnings.
    if !["70 ", "71 ", "72 ", "73 ", "f0 ", "f1 ", "F0 ", "F1 ", "0x7"].iter().any(|start| has(text, start)) {
        return None;
    }
    let mut bytes: Vec<u8> = Vec::new();
    let mut alone = true;
    for part in text.split([' ', ',', ':', '\t', '[', ']', '|']).filter(|part| !part.is_empty()) {
        match byte(part) {
            // They begin with their format.
            Some(byte) if !bytes.is_empty() || matches!(byte & 0x7f, 0x70..=0x73) => bytes.push(byte),
            _ if bytes.len() >= HEADER_BYTES => break,
            _ => {
                bytes.clear();
                alone = false;
            }
        }
        if bytes.len() >= BYTES_MAX {
            break;
        }
    }
    (alone || holds(text, "sense")).then(|| decode(&bytes))?
}

/// Two digits, with `0x` or without.
fn byte(part: &str) -> Option<u8> {
    let digits = part.strip_prefix("0x").unwrap_or(part);
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Takes sense bytes apart; `None` where they are none, or too few.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<SenseBytes> {
    let format = bytes.first()? & 0x7f;
    let length = usize::from(*bytes.get(7)?);
    if bytes.len() < HEADER_BYTES || length > BYTES_MAX - HEADER_BYTES {
        return None;
    }
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let deferred = matches!(format, 0x71 | 0x73);
    match format {
        0x70 | 0x71 => {
            bytes.get(FIXED_CODE_AT + 1)?;
            let valid = at(0) & 0x80 != 0;
            let information = valid.then(|| u64::from(u32::from_be_bytes([at(3), at(4), at(5), at(6)])));
            let numbers = [at(2) & 0xf, at(FIXED_CODE_AT), at(FIXED_CODE_AT + 1)];
            Some(SenseBytes { numbers, deferred, descriptors: false, information })
        }
        // Three bytes behind the qualifier are reserved, but for one bit.
        0x72 | 0x73 if at(0) & 0x80 == 0 && at(5) == 0 && at(6) == 0 => {
            let numbers = [at(1) & 0xf, at(2), at(3)];
            Some(SenseBytes { numbers, deferred, descriptors: true, information: information(bytes) })
        }
        _ => None,
    }
}

/// The information descriptor (type 0, SPC-5, 4.4.2.2).
fn information(bytes: &[u8]) -> Option<u64> {
    const DESCRIPTOR_BYTES: usize = 12;
    let mut rest = bytes.get(HEADER_BYTES..)?;
    while let [kind, length, behind @ ..] = rest {
        if *kind == 0 && rest.len() >= DESCRIPTOR_BYTES && behind.first()? & 0x80 != 0 {
            return rest.get(4..DESCRIPTOR_BYTES)?.try_into().ok().map(u64::from_be_bytes);
        }
        rest = behind.get(usize::from(*length)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_taken_apart() {
        let descriptor = find("sense data: 72 0e 1d 00 00 00 00 00").unwrap();
        assert_eq!((descriptor.sense(), descriptor.descriptors), (Some(Sense::MISCOMPARE), true));
        let fixed = find("f0 00 0e 00 00 01 fe 0a 00 00 00 00 1d 00 00 00 00 00").unwrap();
        assert_eq!((fixed.sense(), fixed.information), (Some(Sense::MISCOMPARE), Some(510)));
        let described =
            find("Raw sense: 73 0e 1d 00 00 00 00 0c 00 0a 80 00 00 00 00 00 00 00 01 fe").unwrap();
        assert_eq!((described.deferred, described.information), (true, Some(510)));
        let without = find("Sense: 70 00 06 00 00 00 00 0a 00 00 00 00 29 07 00 00 00 00").unwrap();
        assert_eq!((without.numbers, without.information), ([6, 0x29, 7], None));
    }

    #[test]
    fn other_bytes_are_none() {
        for text in [
            "sense data: 0xe 0x1d 0x0",
            "sense data: 0x72 0x6e 0x20",
            "70 71 72",
            "at 70 00 0e 00 00 00 00 0a 00 00 00 00 1d 00",
            "sense data: 72 0e 1d 00 12 34 56 78",
            "",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
        for end in 0..18 {
            let _ = decode(&[0xf0, 0, 14, 0, 0, 1, 254, 10, 0, 0, 0, 0, 29, 0, 0, 0, 0, 0][..end]);
            let _ = decode(&[0x72, 14, 29, 0, 0, 0, 0, 12, 0, 10, 0x80, 0, 0, 0, 0, 0, 0, 0][..end]);
        }
    }
}
