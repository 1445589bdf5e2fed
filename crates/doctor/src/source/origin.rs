//! Which host wrote a file: what its place tells, where its lines do not.

use crate::prefix;

/// Names that log files have on every host; they tell nothing.
const USUAL: [&str; 46] = [
    "vmkernel",
    "vmkwarning",
    "vmksummary",
    "vobd",
    "hostd",
    "vpxa",
    "syslog",
    "messages",
    "kern",
    "kernel",
    "dmesg",
    "journal",
    "warn",
    "all",
    "log",
    "logs",
    "sanlock",
    "wdmd",
    "corosync",
    "pacemaker",
    "cluster",
    "esxtop",
    "output",
    "fdm",
    "shell",
    "var",
    "run",
    "scratch",
    "commands",
    "tcmu-runner",
    "gateway",
    "target",
    "events",
    "oarlock",
    "stdin",
    "zdump",
    "tmp",
    "home",
    "downloads",
    "localcli",
    "multipath",
    "multipath-ll",
    "by-id",
    "lsscsi",
    "lsblk",
    "udev",
];

/// Words by which people name an excerpt or a copy of a log: what it shows, when, and for whom.
const OF_AN_EXCERPT: [&str; 58] = [
    "after",
    "ats",
    "backup",
    "bad",
    "before",
    "case",
    "combined",
    "complete",
    "copy",
    "crash",
    "cut",
    "during",
    "error",
    "errors",
    "excerpt",
    "extract",
    "fail",
    "failed",
    "failure",
    "filtered",
    "first",
    "fri",
    "friday",
    "full",
    "good",
    "grep",
    "head",
    "incident",
    "issue",
    "last",
    "merged",
    "miscompare",
    "mon",
    "monday",
    "morning",
    "new",
    "night",
    "old",
    "orig",
    "original",
    "outage",
    "part",
    "problem",
    "reboot",
    "sample",
    "saturday",
    "snip",
    "snippet",
    "sr",
    "sunday",
    "tail",
    "thursday",
    "ticket",
    "today",
    "trimmed",
    "tuesday",
    "wednesday",
    "yesterday",
];

/// The host of an input: from a vm-support bundle's folder (`esx-HOST-2026-01-31--12.00`), from a file's own name
/// (`esx01-vmkernel.log`), or from its folder. `None` where none of them says anything.
#[must_use]
pub fn host_of(name: &str) -> Option<&str> {
    let parts: Vec<&str> = name.split(['/', '\\', '!']).filter(|part| !part.is_empty()).collect();
    let bundle = parts.iter().rev().find_map(|part| host_of_bundle(part).or_else(|| host_of_sosreport(part)));
    bundle.or_else(|| {
        // What lies in an archive has the folders within it; the archive's own name tells a host only where it looks like a log's of that host.
        if let Some((outer, inner)) = name.rsplit_once('!') {
            let archive = outer.rsplit(['/', '\\', '!']).next().unwrap_or(outer);
            let of_archive = || match host_in_stem(archive) {
                Stem::Host(host) => Some(host),
                Stem::Usual | Stem::Unknown => None,
            };
            return host_of(inner).or_else(of_archive);
        }
        let (file, folders) = parts.split_last()?;
        match host_in_stem(file) {
            Stem::Host(host) => Some(host),
            Stem::Usual => host_in_folders(folders),
            Stem::Unknown => None,
        }
    })
}

/// `sosreport-gw1-2026-01-31-abcdefg`: the host up to the date.
fn host_of_sosreport(part: &str) -> Option<&str> {
    let rest = part.strip_prefix("sosreport-")?;
    let year =
        rest.match_indices("-20").find(|(at, _)| {
            rest[at + 1..].bytes().take(10).enumerate().all(|(place, byte)| {
                if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() }
            })
        });
    year.map(|(at, _)| &rest[..at]).filter(|host| !host.is_empty())
}

/// `esx-esx01.lab-2026-01-31--12.00-20977` or `esx-esx01-2026-01-31--12.00.tgz`.
fn host_of_bundle(part: &str) -> Option<&str> {
    let rest = part.strip_prefix("esx-")?;
    let bytes = rest.as_bytes();
    let date = |at: usize| {
        let shape = b"-dddd-dd-dd--";
        bytes.get(at..at + shape.len()).is_some_and(|found| {
            found.iter().zip(shape).all(|(byte, &wanted)| match wanted {
                b'd' => byte.is_ascii_digit(),
                sign => *byte == sign,
            })
        })
    };
    let end = (1..rest.len()).find(|&at| date(at))?;
    rest.get(..end)
}

/// What a file's name says.
enum Stem<'a> {
    /// A host wrote it.
    Host(&'a str),
    /// It is named as every host's is: then its folder may be named after the host.
    Usual,
    /// It is named after something else.
    Unknown,
}

/// Dates behind a log's name have more digits.
const NUMBER_DIGITS_MAX: usize = 3;

/// What is left of a file's name without endings, numbers of rotation and usual names.
fn host_in_stem(file: &str) -> Stem<'_> {
    let mut stem = file;
    while let Some((front, end)) = stem.rsplit_once('.') {
        let ending = ["log", "gz", "txt", "tgz", "tar", "old", "csv", "json", "out", "zst"].contains(&end);
        let rotated = !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
        if !(ending || rotated) {
            break;
        }
        stem = front;
    }
    let mut left = stem;
    loop {
        let cut = left.trim_matches(['-', '_', '.']);
        let usual = USUAL.iter().find_map(|usual| {
            let end =
                cut.strip_suffix(usual).filter(|rest| rest.is_empty() || rest.ends_with(['-', '_', '.']));
            end.or_else(|| {
                cut.strip_prefix(usual).filter(|rest| rest.is_empty() || rest.starts_with(['-', '_', '.']))
            })
        });
        match usual {
            Some(rest) => left = rest,
            None => {
                left = cut;
                break;
            }
        }
    }
    let number = left.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match left.len() < stem.len() {
        // `vmkernel-1.log`, `vmkernel_2.log`: no rotation numbers so; a browser does, or whoever put the logs of several hosts side by side.
        true if number && (1..=NUMBER_DIGITS_MAX).contains(&left.len()) => Stem::Unknown,
        true if left.is_empty() || number => Stem::Usual,
        true if is_of_an_excerpt(left) => Stem::Unknown,
        true => Stem::Host(left),
        // A file with no usual name in it is named after what it shows, not after a host.
        false => Stem::Unknown,
    }
}

/// Whether what is left of a name says what an excerpt shows: `errors`, `after-reboot`, `part2`, `case12345`, `0x89`.
fn is_of_an_excerpt(left: &str) -> bool {
    let digits = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let code = |word: &str| {
        word.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let names = |word: &str| {
        let word = word.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_ascii_lowercase();
        OF_AN_EXCERPT.contains(&word.as_str())
    };
    let mut words = left.split(['-', '_', '.', ' ']).filter(|word| !word.is_empty());
    words.clone().any(|word| !digits(word)) && words.all(|word| digits(word) || code(word) || names(word))
}

/// The folder that the file lies in; where that is one of a system's own for logs, the one that this system's root was copied to.
fn host_in_folders<'a>(folders: &[&'a str]) -> Option<&'a str> {
    /// Folders below which people unpack what hosts sent.
    const PLACES: [&str; 14] = [
        "mnt",
        "media",
        "root",
        "opt",
        "srv",
        "data",
        "work",
        "files",
        "extracted",
        "unpacked",
        "bundle",
        "support",
        "cases",
        "users",
    ];
    let of_a_system = |folder: &&&str| ["var", "log", "run", "scratch", "journal", "pods"].contains(*folder);
    let system = folders.iter().rev().take_while(of_a_system).count();
    let folder = folders.get(folders.len().checked_sub(system + 1)?)?;
    let usual = USUAL.contains(folder) || PLACES.contains(folder) || [".", ".."].contains(folder);
    (!usual && !folder.contains("log")).then_some(folder)
}

/// What the name of a rotated log tells: which log it is, and how often it was rotated since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated<'a> {
    /// `vmkernel`
    pub base: &'a str,
    /// The `1` of `vmkernel.1.gz`; none of the newest.
    pub number: Option<u32>,
}

/// How a log that lies in a folder was rotated. `None` of what lies in an archive or a bundle, which came from one host, and of what is named otherwise.
pub fn rotated(name: &str) -> Option<Rotated<'_>> {
    let is_gathered = |part: &str| host_of_bundle(part).or_else(|| host_of_sosreport(part)).is_some();
    if name.contains('!') || name.split(['/', '\\']).any(is_gathered) {
        return None;
    }
    let mut base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let mut number = None;
    while let Some((front, end)) = base.rsplit_once('.') {
        match end.parse() {
            Ok(parsed) if number.is_none() => number = Some(parsed),
            Err(_) if ["log", "gz", "txt", "old", "zst"].contains(&end) => {}
            _ => return None,
        }
        base = front;
    }
    USUAL.contains(&base).then_some(Rotated { base, number })
}

/// Whether a file is named as those of every host are, and not after what it shows.
pub fn is_usual(name: &str) -> bool {
    let file = name.rsplit(['/', '\\', '!']).next().unwrap_or(name);
    matches!(host_in_stem(file), Stem::Usual)
}

/// Whether a word may be a host's name: letters and digits, and none of what else has both.
pub fn names_a_host(word: &str) -> bool {
    const OTHERS: [&str; 14] = [
        "naa.", "eui.", "t10.", "fc.", "iqn.", "vmhba", "vmnic", "vmk", "kb", "lun", "sd", "nvme", "esxi",
        "step",
    ];
    let lower = word.to_ascii_lowercase();
    prefix::is_host(word)
        && word.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && !is_a_file(word)
        && !OTHERS.iter().any(|other| lower.starts_with(other))
}

/// Whether a word names a file.
pub fn is_a_file(name: &str) -> bool {
    name.contains('/') || [".log", ".txt", ".gz"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_file_tells_its_host() {
        let cases = [
            ("b.tgz!esx-esx01.lab-2026-01-31--12.00-20977/var/run/log/vmkernel.0.gz", Some("esx01.lab")),
            ("ticket/esx07-vmkernel.3.log", Some("esx07")),
            ("vmkernel-esx07.log", Some("esx07")),
            ("hosts/alpha/vmkernel.log", Some("alpha")),
            ("alpha/var/log/vmkernel.log", Some("alpha")),
            ("/mnt/var/log/vmkernel.log", None),
            ("sosreport-gw-1-2026-01-31-abcdefg/var/log/messages", Some("gw-1")),
            ("/var/log/vmkernel.log", None),
            ("vmkernel.log", None),
            // Names of excerpts were hosts once.
            ("vmkernel_errors.log", None),
            ("old-vmkernel.log", None),
            ("vmkernel-after-reboot.log", None),
            ("vmkernel_part2.log", None),
            ("case12345_vmkernel.log", None),
            ("sr-4711-vmkernel.log", None),
            ("vmkernel-0x89.log", None),
            ("vmkernel-monday.log", None),
            ("vmkernel-before-7.log", None),
            ("old-esx07-vmkernel.log", Some("old-esx07")),
            ("new-york-vmkernel.log", Some("new-york")),
            ("excerpt.log", None),
            ("cases/excerpt.log", None),
            ("messages-20240101", None),
            ("esx07/messages-20240101", Some("esx07")),
            ("esx07/vmkernel-1.log", None),
            ("esx07/vmkernel (1).log", None),
            ("esx07/vmkernel - Copy.log", None),
        ];
        for (name, host) in cases {
            assert_eq!(host_of(name), host, "{name}");
        }
    }
}
