//! One row of a hex dump, in every form that people paste: `hexdump`, `hexdump -C`, `od` with any address and any word, `xxd`, and mails that
//! quote them.
//!
//! Two things are not said in a row. In which base its address is: the distance to the next row, sixteen bytes, tells. And in which order the
//! bytes of a word stand: `xxd` prints them as they lie on the disk, `hexdump` and `od` print numbers of a little-endian machine.

/// Bytes of a row: fewer tell nothing, and nobody's terminal is wide enough for more.
const ROW_BYTES: std::ops::RangeInclusive<usize> = 8..=64;
/// Digits of a line of `xxd -p`: thirty bytes, without an address.
const PLAIN_DIGITS: usize = 60;
/// Digits that an address has: `od -A x` prints six, `hexdump -C` eight, large disks more.
const ADDRESS_DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// The key words of dumps: the first word of a slot or of a lock record, in each form; and of rows of zeros.
pub const WORDS: [&str; 29] = [
    "  00 00 00 00",
    "0: 00 00 00 00 00",
    "0 00 00 00 00 00 00",
    ": 0000 0000 0000",
    " 0000 0000 0000 0000",
    " 00000000 00000000 00000000",
    "ef cd ab ",
    "EF CD AB ",
    "efcd ab",
    ": 01ef cdab",
    ": 02ef cdab",
    "EFCDAB",
    " ef01 abcd",
    " ef02 abcd",
    "abcdef01 ",
    "abcdef02 ",
    " c0 10 ",
    " C0 10 ",
    " 0001 10c0",
    "00 c010 ",
    " 10c00001 ",
    ": 00000000 00000000 ",
    "efcdab ",
    " 167401 125715",
    " 167402 125715",
    " 000001 010300",
    " 000000 000000 000000",
    "01efcdab00",
    "02efcdab00",
];

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The digits of its address, in a base that the row does not tell.
    pub address: String,
    /// Its bytes, in the order of the disk.
    pub bytes: Vec<u8>,
}

/// The line of a dump without what a mail put before it.
#[must_use]
pub fn unquoted(line: &str) -> &str {
    line.trim().trim_start_matches(['>', '|', ' ']).trim_end()
}

/// The line that stands for rows like the one before.
#[must_use]
pub fn stands_for_repeats(line: &str) -> bool {
    line == "*"
}

/// Reads a row.
#[must_use]
pub fn row(line: &str) -> Option<Row> {
    let (address, rest) = line.split_once([' ', ':'])?;
    let of_xxd = line.as_bytes().get(address.len()) == Some(&b':');
    let address = is_address(address).then(|| address.to_owned())?;
    // `xxd` prints two blanks before the letters, which may look like bytes; the other programs put a sign before them.
    let rest = if of_xxd { rest.trim_start().split("  ").next().unwrap_or("") } else { rest };
    let mut groups = rest.split(' ').filter(|part| !part.is_empty()).peekable();
    let digits = groups.peek().map(|group| group.len()).filter(|len| matches!(len, 2 | 4 | 6 | 8 | 16))?;
    let numbers = !of_xxd || is_little_endian(groups.peek().copied());
    let mut bytes = Vec::new();
    for group in groups.take_while(|group| !group.starts_with(['|', '>'])) {
        let word = if digits == 6 { octal(group)? } else { hexadecimal(group, digits)? };
        if numbers {
            bytes.extend(word.iter().rev());
        } else {
            bytes.extend(word);
        }
        if bytes.len() > *ROW_BYTES.end() {
            return None;
        }
    }
    let whole = bytes.len().is_power_of_two() && ROW_BYTES.contains(&bytes.len());
    // A short row of bytes may be anything that somebody wrote.
    let shown = of_xxd || bytes.len() >= 16;
    (whole && shown).then_some(Row { address, bytes })
}

/// The bytes of a group, as they are printed.
fn hexadecimal(group: &str, digits: usize) -> Option<Vec<u8>> {
    let pairs = group.as_bytes().chunks_exact(2);
    if group.len() != digits {
        return None;
    }
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// `od` without an option: words of two bytes in six octal digits.
fn octal(group: &str) -> Option<Vec<u8>> {
    let is_octal = group.len() == 6 && group.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let word = is_octal.then(|| u16::from_str_radix(group, 8).ok())??;
    Some(word.to_be_bytes().to_vec())
}

/// A line of `xxd -p`: bytes and nothing else. The last one is shorter.
#[must_use]
pub fn plain(line: &str, begins: bool) -> Option<Vec<u8>> {
    let fits = line.len() == PLAIN_DIGITS || !begins && line.len() < PLAIN_DIGITS && !line.is_empty();
    let is_hex = line.len().is_multiple_of(2) && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    (fits && is_hex).then(|| hexadecimal(line, line.len()))?
}

/// `xxd -e`: the number of a slot or a lock record is spelt as a number.
fn is_little_endian(group: Option<&str>) -> bool {
    const NUMBERS: [&str; 4] = ["abcdef01", "abcdef02", "10c00001", "10c00002"];
    group.is_some_and(|group| NUMBERS.contains(&group))
}

/// The last line of a dump is an address alone.
#[must_use]
pub fn is_address(line: &str) -> bool {
    ADDRESS_DIGITS.contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An address in a base.
#[must_use]
pub fn address(digits: &str, base: u32) -> Option<u64> {
    u64::from_str_radix(digits, base).ok()
}

/// The base in which two rows that follow one another are as far apart as the first of them has bytes.
#[must_use]
pub fn base(before: &Row, after: &str) -> Option<u32> {
    let apart = |base: u32| address(after, base)?.checked_sub(address(&before.address, base)?);
    [16, 8, 10].into_iter().find(|&base| apart(base) == Some(before.bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 16] = [2, 0xef, 0xcd, 0xab, 0, 0, 0x30, 0, 0, 0, 0, 0, 7, 0, 0, 0];

    #[test]
    fn a_row_says_the_same_in_every_form() {
        let forms = [
            "01400000  02 ef cd ab 00 00 30 00  00 00 00 00 07 00 00 00  |......0.........|",
            "01400000: 02ef cdab 0000 3000 0000 0000 0700 0000  ......0.........",
            "01400000: 02 EF CD AB 00 00 30 00 00 00 00 00 07 00 00 00  ......0.........",
            "01400000: 02efcdab 00003000 00000000 07000000  ......0.........",
            "01400000: abcdef02 00300000 00000000 00000007  ......0.........",
            "1400000 ef02 abcd 0000 0030 0000 0000 0007 0000",
            "1400000 02 ef cd ab 00 00 30 00 00 00 00 00 07 00 00 00  >......0.........<",
            "20971520 abcdef02 00300000 00000000 00000007",
            "120000000 00300000abcdef02 0000000700000000",
            "120000000 167402 125715 000000 000060 000000 000000 000007 000000",
        ];
        for form in forms {
            assert_eq!(row(form).map(|row| row.bytes), Some(BYTES.to_vec()), "{form}");
        }
        let narrow = row("01400000: 02efcdab 00003000  ......0.").map(|row| row.bytes);
        assert_eq!(narrow.as_deref(), Some(&BYTES[..8]));
        let plain = |line: &str, begins| super::plain(line, begins).map(|bytes| bytes.len());
        assert_eq!(plain(&"02efcdab0000".repeat(5), true), Some(30));
        assert_eq!(
            (plain("02efcdab", true), plain("02efcdab", false), plain("02efcdax", false)),
            (None, Some(4), None)
        );
        for other in [
            "01400000  02 ef cd ab 00 00 30 00",
            "01400000  02 ef",
            "2026-01-01 x",
            "01400000",
            "014 02 ef cd ab",
            "01400000: 02ef cd ab 00 00 00 00 00 00 00 00 00 00 00 00",
            "",
        ] {
            assert_eq!(row(other), None, "{other}");
        }
    }

    #[test]
    fn the_base_of_addresses_is_told_by_their_distance() {
        let cases = [
            ("1400000", "1400010", 16),
            ("120000000", "120000020", 8),
            ("20971520", "20971536", 10),
            ("0000096", "0000112", 10),
        ];
        let of = |address: &str, width: usize| Row { address: address.to_owned(), bytes: vec![0; width] };
        for (before, after, expected) in cases {
            assert_eq!(base(&of(before, 16), after), Some(expected), "{before}");
        }
        assert_eq!(base(&of("1400000", 16), "1400400"), None);
        assert_eq!(base(&of("00000010", 8), "00000018"), Some(16));
    }

    #[test]
    fn a_mails_quotes_are_taken_off() {
        assert_eq!(unquoted("> > 01400000  02 ef"), "01400000  02 ef");
        assert!(stands_for_repeats(unquoted("> *")));
    }
}
