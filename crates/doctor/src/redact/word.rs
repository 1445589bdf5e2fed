//! What one word gives away: names of devices and hosts, addresses, numbers that are ids, keys, users, paths.

use std::collections::HashSet;
use std::net::Ipv6Addr;
use std::ops::Range;

use super::{Author, Sort};

/// Hex digits in a row that are an id, and neither a status nor an address in memory worth reading.
const ID_DIGITS_MIN: usize = 16;
/// Hex digits of a network card's address, written without signs between.
const CARD_DIGITS: usize = 12;
/// Letters in a row, of both cases and with digits, that are a key or a token.
const TOKEN_MIN: usize = 20;
/// Beginnings of names that storage gives to devices and ports.
const STORAGE: [&str; 13] = [
    "naa.", "eui.", "t10.", "mpx.", "vml.", "sym.", "uuid.", "iqn.", "nqn.", "wwn-", "scsi-", "dm-uuid-",
    "ceph:",
];
/// Beginnings of names that Ceph gives to whoever takes part.
const CEPH: [&str; 5] = ["client.", "mon.", "mds.", "mgr.", "rgw."];
/// What vCenter numbers: `vm-1234`, `domain-c7`.
const MANAGED: [&str; 15] = [
    "vm",
    "host",
    "datastore",
    "domain-c",
    "domain-s",
    "group-v",
    "group-h",
    "group-s",
    "group-d",
    "group-n",
    "group-p",
    "resgroup",
    "network",
    "dvs",
    "dvportgroup",
];
/// Words before a name.
const BEFORE_NAME: [&str; 18] = [
    "dev",
    "vol",
    "volume",
    "datastore",
    "node",
    "host",
    "lockspace",
    "resource",
    "vm",
    "user",
    "hostname",
    "serial",
    "number",
    "vg",
    "lv",
    "image",
    "pool",
    "targeting",
];
/// Words before the name of a person, a machine or a secret: with a sign of equality or a colon between, whatever follows is it.
const BEFORE_ANY: [&str; 21] = [
    "user",
    "username",
    "login",
    "account",
    "owner",
    "hostname",
    "host",
    "server",
    "vmname",
    "displayname",
    "name",
    "serial",
    "serialnumber",
    "sn",
    "s/n",
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "community",
];
/// Words behind `user` that name none.
const NO_USER: [&str; 18] = [
    "space",
    "process",
    "mode",
    "request",
    "requested",
    "data",
    "id",
    "name",
    "action",
    "input",
    "command",
    "error",
    "memory",
    "is",
    "was",
    "has",
    "and",
    "not",
];
/// Words behind `LV` and `VG`, as LVM writes them, that name none.
const NO_VOLUME: [&str; 14] = [
    "is",
    "was",
    "has",
    "and",
    "or",
    "not",
    "name",
    "lock",
    "locks",
    "locked",
    "locking",
    "already",
    "activation",
    "metadata",
];
/// Words before a version, which may look like an address.
const BEFORE_VERSION: [&str; 9] =
    ["version", "driver", "firmware", "fw", "ver", "release", "code", "build", "revision"];
/// Beginnings of names with points that are no hosts: VMware's events, and what everybody has.
const EVENTS: [&str; 9] =
    ["esx.", "vob.", "vprob.", "vim.", "com.vmware", "hostd.", "storage.", "org.", "scsi."];
/// Ends of files that everybody has.
const FILES: [&str; 8] = ["log", "gz", "ko", "so", "py", "conf", "service", "sh"];
/// Ends of names of two parts that are hosts.
const DOMAINS: [&str; 12] =
    ["local", "lan", "lab", "internal", "intern", "corp", "home", "example", "com", "net", "org", "test"];

/// A word and what stands before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    /// The word before it.
    pub before: &'a str,
    /// Whether a sign of equality or a colon stands between the two.
    pub told: bool,
    pub author: Author,
}

/// The parts of a word that are names.
pub(super) fn names(word: Word<'_>, versions: &HashSet<String>) -> Vec<(Range<usize>, Sort)> {
    let lower = word.text.to_ascii_lowercase();
    let whole = 0..word.text.len();
    if word.author != Author::Doctor
        && let Some(found) = whole_word(word, &lower)
    {
        return vec![(whole, found)];
    }
    // `iscsi-scst` is a driver, and no device of `scsi-`.
    let stands = |at: &usize| !lower[..*at].ends_with(|letter: char| letter.is_ascii_alphanumeric());
    let starts = STORAGE
        .iter()
        .filter_map(|start| lower.find(start))
        .filter(stands)
        .filter(|&at| at + 5 < word.text.len());
    if let Some(at) = starts.min() {
        // Before it may stand the address of its portal: `ip-10.1.2.3:3260-iscsi-iqn...`.
        let front = Word { text: &word.text[..at], ..word };
        let mut found = if at > 0 { names(front, versions) } else { Vec::new() };
        found.push((at..word.text.len(), Sort::Device));
        return found;
    }
    if let Some(range) = address(&lower, word.before, versions) {
        return vec![(range, Sort::Address)];
    }
    let ids = numbers(word.text);
    if !ids.is_empty() {
        return ids.into_iter().map(|range| (range, Sort::Id)).collect();
    }
    if word.author == Author::Doctor {
        return Vec::new();
    }
    if let Some(at) = folder(word.text) {
        return vec![(at..word.text.len(), Sort::File)];
    }
    if is_long_host(&lower) {
        return vec![(whole, Sort::Host)];
    }
    if follows_a_word_for_names(word) { vec![(whole, Sort::Name)] } else { Vec::new() }
}

/// What a whole word of a log is, whatever stands in it.
fn whole_word(word: Word<'_>, lower: &str) -> Option<Sort> {
    let text = word.text;
    let parts = |sign| {
        text.split_once(sign).filter(|(one, other): &(&str, &str)| !one.is_empty() && !other.is_empty())
    };
    if text.contains("://") || parts('@').is_some() {
        return Some(Sort::Name);
    }
    // `DOMAIN\user`, `\\server\share`, `C:\Users\somebody`
    if text.starts_with("\\\\") || parts('\\').is_some_and(|(_, user)| user.starts_with(char::is_alphabetic))
    {
        return Some(Sort::Name);
    }
    if is_managed(lower) || is_licence(text) {
        return Some(Sort::Id);
    }
    let of_ceph = CEPH.iter().any(|start| lower.strip_prefix(start).is_some_and(|name| !name.is_empty()));
    of_ceph.then_some(Sort::Name)
}

/// `vm-1234`, `domain-c7`, also behind `vim.VirtualMachine:`.
fn is_managed(lower: &str) -> bool {
    let last = lower.rsplit(':').next().unwrap_or(lower);
    MANAGED.iter().any(|kind| {
        let number = last.strip_prefix(kind).map(|rest| rest.strip_prefix('-').unwrap_or(rest));
        let joined = last.strip_prefix(kind).is_some_and(|rest| rest.starts_with('-') || kind.contains('-'));
        joined
            && number
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// `M0123-4N567-08900-0123A-45678`
fn is_licence(text: &str) -> bool {
    let group = |part: &str| {
        part.len() == 5 && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    text.split('-').count() == 5 && text.split('-').all(group)
}

fn follows_a_word_for_names(word: Word<'_>) -> bool {
    let is = |known: &&str| word.before.eq_ignore_ascii_case(known);
    let statuses = word.text.contains(':') || word.text.starts_with("0x");
    if word.told && BEFORE_ANY.iter().any(is) {
        return !statuses;
    }
    if word.before.eq_ignore_ascii_case("user") {
        return !NO_USER.iter().any(|known| word.text.eq_ignore_ascii_case(known));
    }
    if matches!(word.before, "LV" | "VG") {
        return !statuses && !NO_VOLUME.iter().any(|known| word.text.eq_ignore_ascii_case(known));
    }
    BEFORE_NAME.iter().any(is) && !statuses && looks_given(word.text)
}

/// Where a path begins: `/a/b`, `dev:/a/b`, `pool/image7`, `rbd/pool.image`, but neither `6/29/07` nor `read/write`.
fn folder(word: &str) -> Option<usize> {
    let slash = word.find('/')?;
    let (front, back) = word.split_at(slash);
    // A home is named after its user.
    if front.starts_with('~') {
        return Some(0);
    }
    // `filer7:/exports`: the machine goes too.
    if back.len() > 2 && (front.is_empty() || front.ends_with(':')) {
        return Some(0);
    }
    let number =
        |part: &str| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'x');
    let has = |class: fn(char) -> bool| word.contains(class);
    let numbers = word.split('/').all(number);
    let of_an_image = front == "rbd" && back.len() > 1;
    // A part of several parts: `pool/group.image`.
    let inner = |part: &str| part.trim_matches('.').contains('.') && part.contains(char::is_alphabetic);
    let given = has(|c| c.is_ascii_digit()) && has(char::is_alphabetic) && !numbers;
    (of_an_image || given || back.split('/').any(inner)).then_some(0)
}

/// Whether a word has more than a dictionary gives: a digit, a sign, a capital.
fn looks_given(word: &str) -> bool {
    let number = word.trim_start_matches("0x").bytes().all(|byte| byte.is_ascii_hexdigit());
    !number && word.contains(|c: char| c.is_ascii_digit() || c.is_uppercase() || "-_./".contains(c))
}

/// `esx01.lab.example`, `esx01.lab`, with a port or without.
fn is_long_host(lower: &str) -> bool {
    let name = lower.split(':').next().unwrap_or(lower);
    let labels: Vec<&str> = name.split('.').collect();
    let Some(last) = labels.last().filter(|_| labels.len() >= 2) else { return false };
    let label = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    labels.iter().all(label)
        && last.len() > 1
        && (labels.len() > 2 || DOMAINS.contains(last))
        && last.bytes().all(|byte| byte.is_ascii_lowercase())
        && !FILES.contains(last)
        && !EVENTS.iter().any(|start| name.starts_with(start))
}

/// An address of IP, of a network card or of a port of the fabric.
fn address(lower: &str, before: &str, versions: &HashSet<String>) -> Option<Range<usize>> {
    let pair = |group: &str| group.len() == 2 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Six pairs are a card's address, eight a port's; more of them a node and its port.
    for sign in [':', '-'] {
        if lower.split(sign).filter(|group| pair(group)).count() >= 6 {
            return Some(0..lower.len());
        }
    }
    // Cisco's way of writing a card's address: 0025.b5aa.0001
    let four = |group: &str| group.len() == 4 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    if lower.split('.').count() == 3 && lower.split('.').all(four) {
        return Some(0..lower.len());
    }
    // A host that is named after its address: ip-10-1-2-3
    let octet = |group: &str| group.parse::<u8>().is_ok();
    if let Some(dashed) = lower.strip_prefix("ip-")
        && dashed.split('-').count() == 4
        && dashed.split('-').all(octet)
    {
        return Some(0..lower.len());
    }
    let bare = lower.split(['%', '/']).next().unwrap_or(lower);
    if bare.matches(':').count() > 1 && bare.len() > 2 && bare.parse::<Ipv6Addr>().is_ok() {
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

/// Numbers so long that they are ids, and letters so many and so mixed that they are keys.
fn numbers(word: &str) -> Vec<Range<usize>> {
    let hex = runs(word, |byte| byte.is_ascii_hexdigit()).filter_map(|run| {
        let text = &word[run.clone()];
        let marked = word[..run.start].ends_with("0x");
        // Without a mark before it; addresses in memory have one.
        let card = run.len() == CARD_DIGITS
            && !marked
            && text.bytes().any(|byte| byte.is_ascii_digit())
            && text.bytes().any(|byte| byte.is_ascii_alphabetic())
            && !word[run.end..].starts_with(char::is_alphanumeric)
            && !word[..run.start].ends_with(char::is_alphanumeric);
        let start = if marked { run.start - 2 } else { run.start };
        (card || run.len() >= ID_DIGITS_MIN).then_some(start..run.end)
    });
    let mut found: Vec<Range<usize>> = hex.collect();
    if found.is_empty() {
        found.extend(runs(word, |byte| byte.is_ascii_alphanumeric() || b"+/-".contains(&byte)).filter(
            |run| {
                let has = |class: fn(&u8) -> bool| word[run.clone()].as_bytes().iter().any(class);
                run.len() >= TOKEN_MIN
                    && has(u8::is_ascii_uppercase)
                    && has(u8::is_ascii_lowercase)
                    && has(u8::is_ascii_digit)
                    && !word.starts_with('/')
            },
        ));
    }
    found
}

/// Stretches of bytes of one kind.
fn runs(word: &str, of: impl Fn(u8) -> bool) -> impl Iterator<Item = Range<usize>> {
    let bytes = word.as_bytes();
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + bytes[from..].iter().position(|&byte| of(byte))?;
        let end = bytes[start..].iter().position(|&byte| !of(byte)).map_or(bytes.len(), |end| start + end);
        from = end;
        Some(start..end)
    })
}
