//! One row of a hex dump, in every form that people paste: `hexdump`, `hexdump -C`, `od` with any address and any word, `xxd`, and mails that
//! quote them.
//!
//! Two things are not said in a row. In which base its address is: the distance to the next row, sixteen bytes, tells. And in which order the
//! bytes of a word stand: `xxd` prints them as they lie on the disk, `hexdump` and `od` print numbers of a little-endian machine.

/// Bytes of a row.
pub const ROW_BYTES: u64 = 16;
/// Digits that an address has: `od -A x` prints six, `hexdump -C` eight, large disks more.
const ADDRESS_DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// The key words of dumps: the first word of a slot or of a lock record, in each form; and of rows of zeros.
pub const WORDS: [&str; 21] = [
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
];

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The digits of its address, in a base that the row does not tell.
    pub address: String,
    /// Its bytes, in the order of the disk.
    pub bytes: [u8; 16],
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
    let mut groups = rest.split(' ').filter(|part| !part.is_empty()).peekable();
    let digits = groups.peek().map(|group| group.len()).filter(|len| matches!(len, 2 | 4 | 8 | 16))?;
    let mut bytes = [0; 16];
    let numbers = !of_xxd || is_little_endian(groups.peek().copied());
    for word in bytes.chunks_exact_mut(digits / 2) {
        let group = groups.next().filter(|group| group.len() == digits)?;
        for (byte, pair) in word.iter_mut().zip(group.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        if numbers {
            word.reverse();
        }
    }
    Some(Row { address, bytes })
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

/// The base in which two rows that follow one another are sixteen bytes apart.
#[must_use]
pub fn base(before: &str, after: &str) -> Option<u32> {
    let apart = |base: u32| address(after, base)?.checked_sub(address(before, base)?);
    [16, 8, 10].into_iter().find(|&base| apart(base) == Some(ROW_BYTES))
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
        ];
        for form in forms {
            assert_eq!(row(form).map(|row| row.bytes), Some(BYTES), "{form}");
        }
        for other in [
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
        for (before, after, expected) in cases {
            assert_eq!(base(before, after), Some(expected), "{before}");
        }
        assert_eq!(base("1400000", "1400400"), None);
    }

    #[test]
    fn a_mails_quotes_are_taken_off() {
        assert_eq!(unquoted("> > 01400000  02 ef"), "01400000  02 ef");
        assert!(stands_for_repeats(unquoted("> *")));
    }
}
