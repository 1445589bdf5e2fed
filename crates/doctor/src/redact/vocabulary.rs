//! The words that everybody's logs are made of. What is none of them may be a name: of a machine that somebody called `otter`, of a
//! person, of a firm; so in the text of a log it goes. No list of places where names stand is ever complete; this one need not be.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use crate::dialect::Dialects;

/// Ordinary words, in lower case: of logs, of the standards, of English. None of them tells whose log it is.
const ORDINARY: &str = include_str!("../../data/words.txt");
/// What a number may stand behind, as in `cpu3`, `vmhba2`, `C0`: one letter too.
const NUMBERED: [&str; 70] = [
    "cpu",
    "vmhba",
    "vmnic",
    "vmk",
    "vmm",
    "vcpu",
    "host",
    "rport",
    "session",
    "connection",
    "target",
    "tag",
    "tid",
    "qid",
    "cid",
    "lun",
    "lba",
    "nvme",
    "nsid",
    "ctl",
    "port",
    "lane",
    "dm",
    "drbd",
    "md",
    "loop",
    "ext",
    "vmfs",
    "nfs",
    "smb",
    "crc",
    "ipv",
    "jbd",
    "gfs",
    "ocfs",
    "utf",
    "qla",
    "xxx",
    "qmi",
    "nc",
    "be",
    "iscsi",
    "bnx",
    "fc",
    "sg",
    "op",
    "rbd",
    "tpg",
    "fcoe",
    "phase",
    "raid",
    "mpt",
    "sas",
    "pcie",
    "world",
    "queue",
    "bus",
    "fs",
    "fil",
    "phy",
    "slot",
    "els",
    "fnic",
    "mbx",
    "ata",
    "lpe",
    "mpath",
    "lpfc",
    "vscsi",
    "kworker",
];
/// What stands behind a number: units.
const UNITS: [&str; 24] = [
    "s", "ms", "us", "ns", "sec", "secs", "k", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib", "hz", "x",
    "h", "min", "th", "st", "nd", "rd", "xxx",
];
/// Digits of a hex number that tells nothing by itself; longer ones are ids.
const HEX_DIGITS_MAX: usize = 8;

static WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let mut words: HashSet<String> = ORDINARY.split_whitespace().map(str::to_owned).collect();
    // What the dialects know lines by is no name, whoever adds to them.
    let known = Dialects::all();
    let spelt: Vec<&'static str> = known.key_words().flat_map(|(_, words)| words).collect();
    for word in spelt.iter().flat_map(|spelt| spelt.split(|letter: char| !letter.is_ascii_alphabetic())) {
        words.insert(word.to_ascii_lowercase());
    }
    words
});

/// Where a text has words that are not everybody's.
pub(super) fn strangers(text: &str) -> impl Iterator<Item = Range<usize>> {
    let ends = |letter: char| !(letter.is_alphanumeric() || "-_.+".contains(letter));
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(from..)?;
            let start = from + rest.find(|letter| !ends(letter))?;
            let end = text[start..].find(ends).map_or(text.len(), |end| start + end);
            from = end;
            let word = text[start..end].trim_end_matches(['-', '_', '.', '+']);
            let front = word.len() - word.trim_start_matches(['-', '_', '.', '+']).len();
            if !is_ordinary(&word[front..]) {
                return Some(start + front..start + word.len());
            }
        }
    })
}

/// Whether a word, or each part of it, is everybody's: `Not`, `hostbyte`, `nmp_ThrottleLogForDevice`, `H0`, `4161`, `0x89`.
pub(super) fn is_ordinary(word: &str) -> bool {
    word.split(['-', '_', '.', '+']).all(is_ordinary_part)
}

fn is_ordinary_part(part: &str) -> bool {
    if part.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    if let Some(digits) = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
        return digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    // Some drivers write `x2bc`.
    let bare =
        part.strip_prefix('x').filter(|digits| digits.contains(|letter: char| letter.is_ascii_digit()));
    if bare.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return true;
    }
    if is_short_hex(part) || is_word(part) {
        return true;
    }
    let letter = |letter: char| !letter.is_ascii_digit();
    let letters = || part.split(|c: char| c.is_ascii_digit()).filter(|run| !run.is_empty());
    if !part.contains(|c: char| c.is_ascii_digit()) {
        return parts_of_camels(part).all(is_word);
    }
    // `03T01`, `C0`, `v47`: single letters between short numbers.
    let short = part.split(letter).all(|digits| digits.len() <= 4);
    if short && letters().all(|run| run.len() == 1 && run.is_ascii()) {
        return true;
    }
    let known = |run: &str, list: &[&str]| list.iter().any(|word| run.eq_ignore_ascii_case(word));
    if part.starts_with(|c: char| c.is_ascii_digit()) {
        return letters().all(|run| known(run, &UNITS));
    }
    letters().all(|run| run.len() == 1 || known(run, &NUMBERED))
}

/// `0e`, `abcdef02`, `4f72aa10`: with a digit, or so short that it is no name.
fn is_short_hex(part: &str) -> bool {
    let hex = part.len() <= HEX_DIGITS_MAX && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let begins = part.starts_with(|letter: char| letter.is_ascii_digit());
    hex && (part.len() <= 2
        || begins
        || part.len() == HEX_DIGITS_MAX && part.contains(|letter: char| letter.is_ascii_digit()))
}

fn is_word(word: &str) -> bool {
    /// A shorter stem is a part of too many names.
    const STEM_MIN: usize = 4;
    let lower = word.to_ascii_lowercase();
    let of = |end: &str| {
        lower.strip_suffix(end).is_some_and(|stem| stem.len() >= STEM_MIN && WORDS.contains(stem))
    };
    let single = word.len() == 1 && word.is_ascii();
    single || WORDS.contains(&lower) || ["s", "d", "ed", "es", "ing"].into_iter().any(of)
}

/// `ThrottleLogForDevice`: its words.
fn parts_of_camels(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let mut letters = rest.char_indices().peekable();
        let (_, mut before) = letters.next()?;
        let mut end = rest.len();
        while let Some((at, letter)) = letters.next() {
            let follows_lower = letters.peek().is_some_and(|(_, next)| next.is_lowercase());
            if letter.is_uppercase() && (before.is_lowercase() || follows_lower) {
                end = at;
                break;
            }
            before = letter;
        }
        let (part, behind) = rest.split_at(end);
        rest = behind;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_everybodys_lines_is_ordinary() {
        let lines = [
            "2026-05-03T01:10:02.120Z In(182) vmkernel: cpu3:2097152)NMP: nmp_ThrottleLogForDevice:3867: Cmd 0x89 (0x45b8c1d2e3f0, 2097170)",
            "Sep  9 01:02:03 kernel: tag#11 FAILED Result: hostbyte=DID_TRANSPORT_DISRUPTED driverbyte=DRIVER_OK cmd_age=31s",
            "[HB state abcdef02 offset 3407872 gen 29 stampUS 105063 jrnl <FB 5> drv 14.61]",
            "lpfc_nc553i qla2xxx 64KiB 20ms C0:T3:L9 VMW_SATP_ALUA_CX ScsiDeviceIO VMFS6 HPP:",
        ];
        for line in lines {
            let found: Vec<&str> = strangers(line).map(|range| &line[range]).collect();
            assert!(found.is_empty(), "{found:?} in {line}");
        }
    }

    #[test]
    fn what_is_in_no_list_is_a_stranger_wherever_it_stands() {
        let text = "lost otter, vmm0:sqlprod (dev acme_scst) vgledger-lvledger-tpool PayrollStore db1 esx35 CZ3456789A \u{fc}ber";
        let found: Vec<&str> = strangers(text).map(|range| &text[range]).collect();
        let wanted = [
            "otter",
            "sqlprod",
            "acme_scst",
            "vgledger-lvledger-tpool",
            "PayrollStore",
            "db1",
            "esx35",
            "CZ3456789A",
            "\u{fc}ber",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn the_list_is_sorted_and_holds_words_alone() {
        let words: Vec<&str> = ORDINARY.split_whitespace().collect();
        assert!(words.is_sorted());
        assert!(
            words.iter().all(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        );
    }
}
