//! Names that their place in a line gives away, words of a dictionary among them: a virtual machine may be called `backup`. What is
//! learned here once is hidden wherever it stands in the report.

use std::ops::Range;

use crate::prefix;
use crate::text::holds;

/// A mark behind which a name stands: what the line must hold too, and the mark itself.
const MARKS: [(&str, &str); 34] = [
    // Fences of Pacemaker 1.1 to 3
    ("peration ", "reboot of "),
    ("peration ", "off of "),
    ("peration ", "on of "),
    ("peration ", "targeting "),
    ("peration ", " by "),
    ("peration ", " using "),
    ("peration ", "for host '"),
    (" targeting ", " on "),
    // Whom a login or a privilege belongs to
    ("sudo", "sudo: "),
    ("su", "su to "),
    ("su to ", " by "),
    ("Bearer", "Bearer "),
    ("", "for user "),
    // Targets, gateways, file systems, clusters
    ("", "(dev "),
    ("", "fsid="),
    ("", "dlm: "),
    ("lvmlockd", " S lvm_"),
    ("lvmlockd", " S "),
    ("lvmlockd", " R "),
    ("lvm_", " R "),
    ("", "map "),
    ("", "malloc_"),
    ("", "cluster_name: "),
    ("", "cluster_name "),
    ("", "cluster name: "),
    // Kubernetes, fabric, hardware
    ("", "PVC "),
    ("", "persistentvolumeclaim "),
    ("", "StatefulSet "),
    ("", "nodeName="),
    ("", "zone name "),
    ("", "fcalias "),
    ("", "S/N "),
    ("", "SN "),
    ("", "bdev "),
];
/// Words behind a mark that are no name.
const NONE: [&str; 34] = [
    "a",
    "an",
    "the",
    "is",
    "was",
    "are",
    "of",
    "on",
    "by",
    "to",
    "for",
    "in",
    "at",
    "and",
    "or",
    "not",
    "no",
    "this",
    "that",
    "failed",
    "error",
    "timeout",
    "lost",
    "down",
    "up",
    "disk",
    "device",
    "node",
    "reset",
    "read",
    "write",
    "remote",
    "peer",
    "initiator",
];
/// Words that multipathd writes where it mostly has a map or a path.
const NO_MAP: [&str; 9] =
    ["uevent", "checker", "path", "error", "add", "remove", "reconfigure", "libdevmapper", "multipathd"];
/// Letters of a name with blanks in it.
const NAME_LENGTH_MAX: usize = 80;

/// Where they stand.
pub(super) fn names(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (beside, mark) in MARKS {
        if holds(text, beside) {
            let behind = text.match_indices(mark).map(|(at, mark)| (at, at + mark.len()));
            let begins = |at: usize| {
                mark.starts_with([' ', '(']) || !text[..at].ends_with(|letter: char| letter.is_alphanumeric())
            };
            found.extend(behind.filter(|&(at, _)| begins(at)).map(|(_, from)| word_at(text, from)));
        }
    }
    found.extend(event(text));
    found.extend(worlds(text));
    found.extend(before_a_colon(text));
    // Sanlock numbers its lockspaces: `s3` names none.
    let numbered = |range: &Range<usize>| {
        text[range.clone()]
            .strip_prefix('s')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    found.extend(before(text, " renewal error").filter(|range| !numbered(range)));
    found.extend(lockspaces(text));
    found.retain(|range| {
        let name = &text[range.clone()];
        name.contains(char::is_alphabetic) && !NONE.iter().any(|word| name.eq_ignore_ascii_case(word))
    });
    found
}

fn ends(letter: char) -> bool {
    letter.is_whitespace() || ",;()[]{}<>\"'=|".contains(letter)
}

fn word_at(text: &str, from: usize) -> Range<usize> {
    let end = text[from..].find(ends).map_or(text.len(), |end| from + end);
    from..from + text[from..end].trim_end_matches(['.', ':', '!', '?']).len()
}

/// The word that ends where `mark` begins.
fn before(text: &str, mark: &str) -> Option<Range<usize>> {
    let end = text.find(mark)?;
    let start =
        text[..end].rfind(ends).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    Some(start..end)
}

/// vCenter's way: `Event 44 : MACHINE on HOST in DATACENTER: what happened`.
fn event(text: &str) -> Vec<Range<usize>> {
    let Some(start) = text.find("Event ").and_then(|at| Some(at + text[at..].find(" : ")? + 3)) else {
        return Vec::new();
    };
    let part = |from: usize, mark: &str| text.get(from..)?.find(mark).map(|at| from + at);
    let Some(on) = part(start, " on ").filter(|on| on - start <= NAME_LENGTH_MAX) else { return Vec::new() };
    let host = word_at(text, on + 4);
    if !text[host.end..].starts_with(" in ") || holds(&text[start..on], "access") {
        return Vec::new();
    }
    let place = host.end + 4;
    let end = text[place..].find([':', ',', '.']).map_or(text.len(), |end| place + end);
    let place = if end - place <= NAME_LENGTH_MAX { place..end } else { word_at(text, place) };
    vec![start..on, host, place]
}

/// The worlds of a virtual machine: `vmm0:NAME`, `(vmx-vcpu-0:NAME)`.
fn worlds(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for mark in ["vmm", "vcpu-"] {
        for (at, _) in text.match_indices(mark) {
            let behind = &text[at + mark.len()..];
            let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 && behind[digits..].starts_with(':') {
                let from = at + mark.len() + digits + 1;
                // In brackets a name may have blanks.
                let in_brackets = text[..at].rfind('(').is_some_and(|open| !text[open..at].contains(')'));
                let close = text[from..].find(')').filter(|_| in_brackets).map(|close| from + close);
                found.push(close.map_or_else(|| word_at(text, from), |close| from..close));
            }
        }
    }
    found
}

/// `multipathd[8]: NAME: remaining active paths`, `...; NAME: Entering recovery mode`; `drbd NAME PEER: ...`.
fn before_a_colon(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let body = prefix::split(text).body;
    let start = text.len() - body.len();
    if holds(text, "multipathd") {
        let further = body.match_indices("; ").map(|(at, mark)| start + at + mark.len());
        for from in std::iter::once(start).chain(further) {
            let name = word_at(text, from);
            let known = NO_MAP.contains(&&text[name.clone()]);
            if text[name.end..].starts_with(':') && !known {
                found.push(name);
            }
        }
    }
    if let Some(at) =
        text.find("drbd ").filter(|&at| !text[..at].ends_with(|letter: char| letter.is_alphanumeric()))
    {
        let from = at + "drbd ".len();
        if let Some(colon) = text[from..].find(": ").filter(|&colon| colon <= NAME_LENGTH_MAX) {
            let mut at = from;
            for part in text[from..from + colon].split(' ') {
                let resource = part.split('/').next().unwrap_or(part);
                found.push(at..at + resource.len());
                at += part.len() + 1;
            }
        }
    }
    found
}

/// `lockspace NAME:1:/dev/...:0`, `s5:NAME`
fn lockspaces(text: &str) -> Vec<Range<usize>> {
    let behind = text.match_indices("lockspace ").map(|(at, mark)| at + mark.len());
    let mut found: Vec<Range<usize>> = behind
        .filter_map(|from| {
            let word = &text[word_at(text, from)];
            let (name, _) = word.split_once(':')?;
            Some(from..from + name.len())
        })
        .collect();
    found.retain(|range| !range.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_place_though_it_is_an_everyday_word() {
        let cases: [(&str, &[&str]); 10] = [
            (
                "stonith-ng[2]: notice: Operation reboot of storage by backup for crmd.47@data.1a: OK",
                &["storage", "backup"],
            ),
            ("Operation 'off' [9] targeting storage using backup returned 1", &["storage", "backup"]),
            (
                "hostd: Event 44 : backup on storage in data center: lost access",
                &["backup", "storage", "data center"],
            ),
            ("Event 12 : Lost access to volume x on host in y: z", &[]),
            ("cpu1:2)vmm0:backup: x (vmx-vcpu-0:Backup 2)", &["backup", "Backup 2"]),
            ("Nov 2 02:00:00 x multipathd[8]: data: remaining active paths: 0", &["data"]),
            (
                "Nov 2 02:00:00 x multipathd[8]: sdc: mark as failed; data: Entering recovery mode",
                &["sdc", "data"],
            ),
            ("kernel: drbd data/0 drbd5 backup: PingAck did not arrive", &["data", "drbd5", "backup"]),
            ("s5 lockspace data:1:/dev/x:0", &["data"]),
            ("lvmlockd[9]: 17 S lvm_data R backup lock_san error", &["data", "lvm_data", "backup"]),
        ];
        for (text, wanted) in cases {
            let found: Vec<&str> = names(text).into_iter().map(|range| &text[range]).collect();
            for name in wanted {
                assert!(found.contains(name), "{name} is not in {found:?} of {text}");
            }
            assert!(!wanted.is_empty() || found.is_empty(), "{found:?} of {text}");
        }
    }
}
