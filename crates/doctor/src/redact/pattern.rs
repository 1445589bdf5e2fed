//! What looks like a name, an address, an id or a path, in the text of a log.

use std::collections::HashSet;
use std::net::Ipv6Addr;
use std::ops::Range;

use super::{Author, Sort};

/// Hex digits in a row that are an id, and neither a status nor an address in memory worth reading.
const ID_DIGITS_MIN: usize = 16;
/// Beginnings of names that storage gives to devices and ports.
const STORAGE: [&str; 13] = [
    "naa.", "eui.", "t10.", "mpx.", "vml.", "sym.", "uuid.", "iqn.", "nqn.", "wwn-", "scsi-", "dm-uuid-",
    "ceph:",
];
/// Words before a name.
const BEFORE_NAME: [&str; 12] = [
    "vol",
    "volume",
    "datastore",
    "node",
    "lockspace",
    "vm",
    "user",
    "hostname",
    "serial",
    "vg",
    "lv",
    "image",
];
/// Words before a version, which may look like an address.
const BEFORE_VERSION: [&str; 9] =
    ["version", "driver", "firmware", "fw", "ver", "release", "code", "build", "revision"];
/// Beginnings of names with points that are no hosts: VMware's events, and what everybody has.
const EVENTS: [&str; 9] =
    ["esx.", "vob.", "vprob.", "vim.", "com.vmware", "hostd.", "storage.", "org.", "scsi."];
/// Ends of files that everybody has.
const FILES: [&str; 8] = ["log", "gz", "ko", "so", "py", "conf", "service", "sh"];

/// Where they stand; stretches may overlap.
pub(super) fn find(text: &str, author: Author, versions: &HashSet<String>) -> Vec<(Range<usize>, Sort)> {
    let mut found = Vec::new();
    let mut before = "";
    for range in words(text) {
        let word = &text[range.clone()];
        if let Some((inside, sort)) = of_word(word, before, author, versions) {
            found.push((range.start + inside.start..range.start + inside.end, sort));
        }
        before = word;
    }
    for range in uuids(text) {
        if author == Author::Log
            && let Some(label) = label_behind(text, range.end)
        {
            found.push((label, Sort::Volume));
        }
        found.push((range, Sort::Id));
    }
    if author == Author::Log {
        found.extend(quoted(text).into_iter().map(|range| (range, Sort::Name)));
    }
    found
}

/// Words: what stands between blanks, quotes, brackets, commas and signs of equality.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let ends = |letter: char| letter.is_whitespace() || "\"'`()[]{}<>,;=|".contains(letter);
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = text.get(from..)?;
        let start = from + rest.find(|letter| !ends(letter))?;
        let end = text[start..].find(ends).map_or(text.len(), |end| start + end);
        from = end;
        let word = text[start..end].trim_end_matches(['.', ':', '!', '?']);
        Some(start..start + word.len())
    })
}

/// The part of a word that is a name.
fn of_word(
    word: &str,
    before: &str,
    author: Author,
    versions: &HashSet<String>,
) -> Option<(Range<usize>, Sort)> {
    let lower = word.to_ascii_lowercase();
    let starts = STORAGE.iter().filter_map(|start| lower.find(start)).filter(|&at| at + 5 < word.len());
    if let Some(at) = starts.min() {
        return Some((at..word.len(), Sort::Device));
    }
    if let Some(range) = address(&lower, before, versions) {
        return Some((range, Sort::Address));
    }
    if let Some(range) = long_number(word) {
        return Some((range, Sort::Id));
    }
    if author == Author::Doctor {
        return None;
    }
    let whole = 0..word.len();
    if word.contains("://")
        || word.split_once('@').is_some_and(|(user, at)| !user.is_empty() && !at.is_empty())
    {
        return Some((whole, Sort::Name));
    }
    if let Some(at) = folder(word) {
        return Some((at..word.len(), Sort::File));
    }
    if is_long_host(&lower) {
        return Some((whole, Sort::Host));
    }
    let named = BEFORE_NAME.iter().any(|known| before.eq_ignore_ascii_case(known));
    (named && looks_given(word)).then_some((whole, Sort::Name))
}

/// Where a path begins: `/a/b`, `dev:/a/b`, `pool/image7`, but neither `6/29/07` nor `read/write`.
fn folder(word: &str) -> Option<usize> {
    let slash = word.find('/')?;
    let (front, back) = word.split_at(slash);
    if back.len() > 2 && (front.is_empty() || front.ends_with(':')) {
        return Some(slash);
    }
    let number =
        |part: &str| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'x');
    let has = |class: fn(char) -> bool| word.contains(class);
    let numbers = word.split('/').all(number);
    (has(|c| c.is_ascii_digit()) && has(char::is_alphabetic) && !numbers).then_some(0)
}

/// Whether a word has more than a dictionary gives: a digit, a sign, a capital.
fn looks_given(word: &str) -> bool {
    let number = word.trim_start_matches("0x").bytes().all(|byte| byte.is_ascii_hexdigit());
    !number && word.contains(|c: char| c.is_ascii_digit() || c.is_uppercase() || "-_.".contains(c))
}

/// `esx01.lab.example`, with a port or without.
fn is_long_host(lower: &str) -> bool {
    let name = lower.split(':').next().unwrap_or(lower);
    let labels: Vec<&str> = name.split('.').collect();
    let Some(last) = labels.last().filter(|_| labels.len() >= 3) else { return false };
    let label = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    labels.iter().all(label)
        && last.len() > 1
        && last.bytes().all(|byte| byte.is_ascii_lowercase())
        && !FILES.contains(last)
        && !EVENTS.iter().any(|start| name.starts_with(start))
}

/// An address of IP, of a network card or of a port of the fabric.
fn address(lower: &str, before: &str, versions: &HashSet<String>) -> Option<Range<usize>> {
    let groups: Vec<&str> = lower.split(':').collect();
    let pair = |group: &&str| group.len() == 2 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Six pairs are a card's address, eight a port's; more of them a node and its port.
    if groups.len() >= 6 && groups.iter().filter(|group| pair(group)).count() >= 6 {
        return Some(0..lower.len());
    }
    let bare = lower.split(['%', '/']).next().unwrap_or(lower);
    if groups.len() > 2 && bare.len() > 2 && bare.parse::<Ipv6Addr>().is_ok() {
        return Some(0..lower.len());
    }
    let told =
        BEFORE_VERSION.iter().any(|word| before.trim_end_matches([':', '.']).eq_ignore_ascii_case(word));
    let range = four_numbers(lower)?;
    let is_version = told || versions.contains(&lower[range.clone()]);
    (!is_version).then_some(range)
}

/// Four numbers with points between, none above 255, and no fifth.
fn four_numbers(word: &str) -> Option<Range<usize>> {
    let part = |letter: char| letter.is_ascii_digit() || letter == '.';
    let mut from = 0;
    while let Some(start) = word[from..].find(|letter: char| letter.is_ascii_digit()).map(|at| from + at) {
        let end = word[start..].find(|letter| !part(letter)).map_or(word.len(), |end| start + end);
        let number = word[start..end].trim_end_matches('.');
        let fits = |group: &str| group.len() <= 3 && group.parse::<u8>().is_ok();
        let alone = !word[..start].ends_with(|letter: char| letter.is_ascii_alphanumeric());
        if alone && number.split('.').count() == 4 && number.split('.').all(fits) {
            return Some(start..start + number.len());
        }
        from = end;
    }
    None
}

/// A number so long that it is an id.
fn long_number(word: &str) -> Option<Range<usize>> {
    let mut start = 0;
    for (at, byte) in word.bytes().chain(std::iter::once(b' ')).enumerate() {
        if byte.is_ascii_hexdigit() {
            continue;
        }
        if at - start >= ID_DIGITS_MIN {
            let marked = word[..start].ends_with("0x");
            return Some(if marked { start - 2..at } else { start..at });
        }
        start = at + 1;
    }
    None
}

/// Ids of the shapes 8-8-4-12, as VMFS has them, and 8-4-4-4-12, with either sign between; also one that the end of the
/// line cuts, and the end of one with which a wrapped line goes on.
fn uuids(text: &str) -> Vec<Range<usize>> {
    const SHAPES: [&[usize]; 3] = [&[8, 8, 4, 12], &[8, 4, 4, 4, 12], &[4, 12]];
    let bytes = text.as_bytes();
    let at_shape = |start: usize, shape: &[usize]| {
        let mut at = start;
        for (index, length) in shape.iter().enumerate() {
            if index > 0 {
                if !matches!(bytes.get(at), Some(b'-' | b'_')) {
                    return None;
                }
                at += 1;
            }
            let group = bytes.get(at..(at + length).min(bytes.len()))?;
            if !group.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            at += group.len();
            if group.len() < *length {
                return (index > 0 && shape.len() > 2).then_some(start..at);
            }
        }
        Some(start..at)
    };
    let begins = |start: usize| start == 0 || !bytes[start - 1].is_ascii_hexdigit();
    let starts = (0..bytes.len()).filter(|&start| bytes[start].is_ascii_hexdigit() && begins(start));
    starts.filter_map(|start| SHAPES.iter().find_map(|shape| at_shape(start, shape))).collect()
}

/// `4f72...-... (LABEL)`: the label of a volume behind its id.
fn label_behind(text: &str, end: usize) -> Option<Range<usize>> {
    let rest = text.get(end..)?;
    let skipped = rest.len() - rest.trim_start_matches(['"', '\'', ' ']).len();
    let open = end + skipped;
    let inside = text.get(open..)?.strip_prefix('(')?;
    let close = inside.find(')').unwrap_or(inside.len());
    Some(open + 1..open + 1 + close)
}

/// What stands in quotes and is one word: in a log, a name.
fn quoted(text: &str) -> Vec<Range<usize>> {
    /// Words that cluster managers quote and that are no names.
    const USUAL: [&str; 8] = ["reboot", "off", "on", "start", "stop", "monitor", "none", "unknown"];
    const LENGTH_MAX: usize = 120;
    let mut found = Vec::new();
    for quote in ['"', '\'', '`'] {
        let mut from = 0;
        while let Some(open) = text[from..].find(quote).map(|at| from + at) {
            from = open + 1;
            let Some(close) = text[from..].find(['\'', quote]).map(|at| from + at) else { break };
            let inside = &text[from..close];
            let begins = !text[..open].ends_with(char::is_alphanumeric);
            let name = !inside.is_empty()
                && inside.len() <= LENGTH_MAX
                && !inside.contains(char::is_whitespace)
                && inside.contains(char::is_alphabetic)
                && !USUAL.contains(&inside);
            if begins && name {
                found.push(from..close);
                from = close + 1;
            }
        }
    }
    found
}
