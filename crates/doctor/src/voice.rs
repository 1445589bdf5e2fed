//! Who speaks where no line says whose it is: nobody knows, but where what stands around a message differs, another may.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use memchr::memchr_iter;

use crate::civil;
use crate::digest::Digest;
use crate::prefix;
use crate::record::Record;
use crate::source::names_a_host;
use crate::text::position;

/// Who speaks in a record: its place, what stands before the message and is no time, no program and no severity, and a name that is set off behind
/// it. Nobody knows what these mean, but where they differ, another may speak. `about` is what the message itself is about.
pub fn voice(place: u32, record: &Record<'_>, about: [Option<&str>; 3]) -> u64 {
    const SEVERITIES: [&str; 14] = [
        "in", "wa", "al", "er", "no", "db", "info", "warn", "warning", "error", "err", "notice", "alert",
        "crit",
    ];
    const MESSAGES: [&str; 5] = ["cpu", "sd ", "ScsiDeviceIO", "NMP: ", "HBX: "];
    let line = record.line;
    let header = line.len().saturating_sub(record.body().len());
    // Nearly always the message begins right behind its header.
    let begins = MESSAGES.iter().any(|start| record.body().starts_with(start));
    let message = if begins { None } else { MESSAGES.iter().filter_map(|start| position(line, start)).min() };
    // The element that begins a page's block stands before its first line, and names nobody for the others.
    let skipped = prefix::behind_a_block(line).map_or(0, |rest| line.len() - rest.len());
    let front = line.get(skipped..message.unwrap_or(header).max(header)).unwrap_or("");
    let marked = front;
    // A time alone names nobody.
    let front = if front.bytes().any(is_lettered) { front } else { "" };
    let words = front.split(|letter: char| !letter.is_alphanumeric() && !"-_.".contains(letter));
    let names = words.filter(|word| {
        // Times, and numbers of threads in hex.
        let lettered = word.bytes().any(is_lettered);
        let known = prefix::is_program(word) || SEVERITIES.contains(&&*word.to_ascii_lowercase());
        lettered && !known && !is_of_a_date(word)
    });
    let mut hasher = Digest::default();
    place.hash(&mut hasher);
    names.for_each(|name| name.hash(&mut hasher));
    record.prefix.label.hash(&mut hasher);
    marks(marked, &SEVERITIES).for_each(|mark| mark.hash(&mut hasher));
    is_of_esxi_8(marked).hash(&mut hasher);
    // A time has one point, and no colons in a row.
    if memchr_iter(b'.', front.as_bytes()).nth(2).is_some() || front.contains("::") {
        addresses(front).for_each(|address| address.hash(&mut hasher));
    }
    named(line).hash(&mut hasher);
    set_off(line).filter(|name| !about.contains(&Some(name))).hash(&mut hasher);
    hasher.finish()
}

/// What somebody put before a line to mark whose it is: `A) 2025-...`, `Node B: Jun  1`, `< 2025-...`. Brackets, dates and severities are the log's own.
fn marks<'a>(front: &'a str, severities: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let end = front.find(|letter: char| letter.is_ascii_digit()).unwrap_or(0);
    // What opens right before the time: `[2025-...`, `<181>Jun`.
    let front = front[..end].trim_end_matches(['[', '(', '{', '"', '<']);
    front.split_whitespace().filter(|mark| {
        let word = mark.trim_matches(|letter: char| !letter.is_alphanumeric());
        !severities.contains(&&*word.to_ascii_lowercase()) && !is_of_a_date(word)
    })
}

/// `In(182) vmkernel: `: ESXi 8 writes so, and older ones never.
fn is_of_esxi_8(front: &str) -> bool {
    front.match_indices('(').any(|(at, _)| {
        let name = &front.as_bytes()[at.saturating_sub(2)..at];
        let digits = front[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let is_name =
            matches!(name, [first, second] if first.is_ascii_uppercase() && second.is_ascii_lowercase());
        is_name && (1..=3).contains(&digits) && front[at + 1 + digits..].starts_with(')')
    })
}

/// The addresses in what stands before a message.
fn addresses(front: &str) -> impl Iterator<Item = IpAddr> {
    const WORDS_MAX: usize = 16;
    let words =
        front.split(|letter: char| letter.is_whitespace() || ",;|=()\"<>".contains(letter)).take(WORDS_MAX);
    words.filter_map(|word| {
        let word = word.trim_matches(['[', ']']);
        let parted = word.matches('.').count() == 3 || word.matches(':').count() > 1;
        if !parted {
            return None;
        }
        let address = word.trim_end_matches(':').parse().ok();
        address.or_else(|| Some(word.parse::<SocketAddr>().ok()?.ip()))
    })
}

/// `dvchost=esx1`, `host=esx1`: a field, wherever it stands, that names whoever spoke.
fn named(line: &str) -> Option<&str> {
    const FIELDS: [&str; 4] = ["host", "src", "dvc", "node"];
    let mut signs = memchr_iter(b'=', line.as_bytes());
    let sign =
        signs.find(|&sign| FIELDS.iter().any(|field| line.as_bytes()[..sign].ends_with(field.as_bytes())))?;
    let value = line[sign + 1..].trim_start_matches(['"', '\'']);
    let end = value.find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.:".contains(letter)));
    Some(&value[..end.unwrap_or(value.len())])
}

/// Whether a letter is none of a time, nor of a number in hex.
fn is_lettered(byte: u8) -> bool {
    byte.is_ascii_alphabetic() && !byte.is_ascii_hexdigit() && byte != b'T' && byte != b'Z'
}

/// `Jun`, `Sat`
fn is_of_a_date(word: &str) -> bool {
    word.len() == 3
        && (civil::month(word).is_some() || ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(&word))
}

/// `... 0x0.   (esx1)`, `... # esx1`, `... <- esx1`: a name behind a message, as people note whose a line is.
fn set_off(line: &str) -> Option<&str> {
    const MARKS: [&str; 11] = ["#", "//", "--", "-", "<-", "<--", "<=", "<==", "@", "|", ";"];
    let line = line.trim_end();
    // Nearly every message ends with a point, a colon or a number.
    let last = line.bytes().last()?;
    if !(last.is_ascii_alphanumeric() || b")]}>_-".contains(&last)) {
        return None;
    }
    let (rest, name, is_marked) = match last {
        close @ (b')' | b']' | b'}' | b'>') => {
            let open = match close {
                b')' => '(',
                b']' => '[',
                b'}' => '{',
                _ => '<',
            };
            let (rest, inside) = line[..line.len() - 1].rsplit_once(open)?;
            // `(on esx1)`
            (rest, inside.rsplit(' ').next()?, true)
        }
        _ => {
            let (rest, name) = line.rsplit_once([' ', ';', '|', ','])?;
            let mark = rest.trim_end().rsplit(' ').next().unwrap_or("");
            let at_once = line[rest.len()..].starts_with([';', '|', ',']);
            (rest, name.trim_start_matches('@'), at_once || name.starts_with('@') || MARKS.contains(&mark))
        }
    };
    // A message that ended has nothing more to say.
    let ended = if is_marked {
        rest.ends_with("  ") || rest.trim_end().ends_with('.')
    } else {
        rest.ends_with(' ') || rest.ends_with('.') && names_a_host(name)
    };
    let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (is_name && (ended || is_marked && names_a_host(name))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_behind_a_message_is_seen_and_the_end_of_a_message_is_none() {
        for end in [
            ".   (esx1)",
            ". (esx1)",
            " [esx1]",
            " # esx1",
            " <- esx1",
            " @esx1",
            ";esx1",
            "  esx1",
            " (on esx1)",
        ] {
            assert_eq!(
                set_off(&format!("cpu1:2)X: failed H:0x5 sense data: 0x0 0x0 0x0{end}")),
                Some("esx1"),
                "{end}"
            );
        }
        for line in [
            "NMP: x Valid sense data: 0xe 0x1d 0x0. Act:EVAL",
            "iscsi_vmk: x marked \"OFFLINE\" (Event:4)",
            "x on path \"vmhba2:C0:T0:L1\"",
            "sd 2:0:0:1: [sdc]",
            "x from world 20 (vmhba64)",
            "HBX: 'x': HB at offset 1 - Waiting for timed out HB:",
            "",
        ] {
            assert_eq!(set_off(line), None, "{line}");
        }
    }
}
