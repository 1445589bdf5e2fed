//! What a message is about: the device, the path or adapter, and the volume that it names, wherever they stand.

use memchr::memchr_iter;

use crate::text::{after, has, position, word};

/// What a message is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject<'a> {
    /// `naa.6...`, `eui....`, `sdc`, `nvme0n1`.
    pub device: Option<&'a str>,
    /// `vmhba2:C0:T0:L6`, `vmhba2`, `host3`, `2:0:0:1`.
    pub path: Option<&'a str>,
    /// A volume's label, or its id.
    pub volume: Option<&'a str>,
}

/// Finds what a message is about.
#[must_use]
pub fn find(text: &str) -> Subject<'_> {
    Subject { device: device(text).or_else(|| linux_device(text)), path: path(text), volume: volume(text) }
}

/// Whether a message about a link names an adapter or a driver that carries storage and nothing else.
#[must_use]
pub fn is_of_a_storage_port(text: &str) -> bool {
    const NAMES: [&str; 13] = [
        "vmhba",
        "fnic",
        "lpfc",
        "qla2xxx",
        "qlnativefc",
        "bfa",
        "qedf",
        "bnx2fc",
        "csiostor",
        "zfcp",
        "fcoe",
        "FC ",
        "rport-",
    ];
    NAMES.iter().any(|name| has(text, name))
}

/// Whether a line of Linux is about no disk: an optical drive, `sr0`, a tape, `st0`, a changer of tapes, `ch0`, or an enclosure. Nobody keeps a volume
/// on one, and what is scratched or torn there is a disc or a tape.
#[must_use]
pub fn is_of_no_disk(text: &str) -> bool {
    const NAMED: [&str; 5] = ["[sr", "dev sr", "[st", "[nst", "[ch"];
    const DRIVERS: [&str; 4] = ["st ", "ch ", "ses ", "osst "];
    let numbered = |rest: Option<&str>| {
        rest.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    };
    let driver = || DRIVERS.iter().any(|driver| numbered(text.trim_start().strip_prefix(driver)));
    NAMED.iter().any(|mark| numbered(after(text, mark))) || driver()
}

/// The device alone: for messages that name no path or volume.
#[must_use]
pub fn device_of(text: &str) -> Option<&str> {
    device(text).or_else(|| linux_device(text))
}

/// The device and the volume: for messages that name no path.
#[must_use]
pub fn device_and_volume(text: &str) -> Subject<'_> {
    Subject { device: device_of(text), path: None, volume: volume(text) }
}

/// A name of VMware's for a device.
fn device(text: &str) -> Option<&str> {
    const STARTS: [&str; 7] = ["naa.", "eui.", "t10.", "mpx.vmhba", "sym.0", "uuid.", "nqn."];
    // Each has a point behind its first letters, and most lines have few: one search for all.
    let mut first = [None; STARTS.len()];
    for point in memchr_iter(b'.', text.as_bytes()) {
        for (start, first) in STARTS.iter().zip(&mut first).filter(|(_, first)| first.is_none()) {
            let begin = point.checked_sub(if *start == "uuid." { 4 } else { 3 });
            *first = begin.filter(|&begin| text.as_bytes()[begin..].starts_with(start.as_bytes()));
        }
    }
    STARTS.iter().zip(first).find_map(|(start, at)| {
        let at = at?;
        let name = word(&text[at..]);
        // A partition is not the device.
        let whole = match *start {
            "naa." | "eui." => name.split(':').next()?,
            // Adapter, channel, target and LUN; a fifth number is a partition's.
            "mpx.vmhba" => name.match_indices(':').nth(3).map_or(name, |(end, _)| &name[..end]),
            // What T10's names are made of is their vendors' business; a number behind a colon is none of it.
            "t10." => name
                .rsplit_once(':')
                .filter(|(_, number)| is_partition(number))
                .map_or(name, |(disk, _)| disk),
            _ => name,
        };
        let name = whole.trim_end_matches(['.', ':']);
        (name.len() > start.len()).then_some(name)
    })
}

/// Whether this is a partition's number.
fn is_partition(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|letter| letter.is_ascii_digit())
}

/// `[sdc]`, `sdc:`, `sdc `, `nvme0n1`, `dm-3`.
fn linux_device(text: &str) -> Option<&str> {
    // Most lines name none of them: that is known sooner than their words are.
    if !["sd", "dm-", "nvme", "mpath"].iter().any(|start| has(text, start)) {
        return None;
    }
    let parts = text.split(|letter: char| letter.is_whitespace() || ",;:()[]\"'=".contains(letter));
    parts.map(|part| part.strip_prefix("/dev/").unwrap_or(part)).find(|part| is_linux_device(part))
}

/// Whether this is a name that Linux's kernel or multipathing gives to a disk.
pub fn is_linux_device(part: &str) -> bool {
    let letters =
        |rest: &str| !rest.is_empty() && rest.len() <= 4 && rest.bytes().all(|b| b.is_ascii_lowercase());
    let number = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    // `nvme0` alone is a controller: a way to namespaces, as an adapter is.
    let nvme = |rest: &str| rest.contains('n') && rest.split(['n', 'c', 'p']).all(number);
    part.strip_prefix("sd").is_some_and(|rest| letters(rest.trim_end_matches(|c: char| c.is_ascii_digit())))
        || part.strip_prefix("dm-").is_some_and(number)
        || part.strip_prefix("nvme").is_some_and(nvme)
        || part.strip_prefix("mpath").is_some_and(letters)
}

/// `vmhba2:C0:T0:L6`, `vmhba2`, `vmhba1:0:132`, Linux's four numbers, or a controller of NVMe.
fn path(text: &str) -> Option<&str> {
    if let Some(at) = position(text, "vmhba").filter(|&at| !text[..at].ends_with("mpx.")) {
        let name = word(&text[at..]).trim_end_matches([':', '.']);
        return Some(name);
    }
    let parts = || text.split([' ', '[', ']', '(', ')', ',']);
    // Most lines have neither four numbers nor an adapter's name: that is known sooner than their words are. A processor has two
    // numbers, a time three.
    let between_digits = |at: &usize| {
        let digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
        *at > 0 && digit(at - 1) && digit(at + 1)
    };
    let numbers = memchr_iter(b':', text.as_bytes()).filter(between_digits).nth(2).is_some();
    if !numbers && !["host", "rport-", "connection", "session", "nvme"].iter().any(|start| has(text, start)) {
        return None;
    }
    let nexus = parts().map(|part| part.trim_end_matches(':')).find(|part| {
        let numbers = part.split(':');
        numbers.clone().count() == 4
            && numbers.clone().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    nexus.or_else(|| {
        let of_adapter = |part: &&str| {
            let controller =
                part.strip_prefix("nvme").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
            let port = ["host", "rport-", "connection", "session"].iter().any(|start| {
                part.strip_prefix(start).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            });
            port || controller && part.len() > "nvme".len()
        };
        parts().map(|part| part.trim_end_matches(':')).find(of_adapter)
    })
}

/// `on vol 'X'`, `volume 4f72...-... ("X")`, `volume 4f72... (X)`, `'X': HB at`.
fn volume(text: &str) -> Option<&str> {
    let quoted = |rest: &'_ str| -> Option<(usize, usize)> {
        let start = rest.find(['\'', '"'])? + 1;
        let end = rest[start..].find(['\'', '"'])? + start;
        Some((start, end))
    };
    let says_volume = has(text, "ol");
    if says_volume
        && let Some(rest) = after(text, "vol ").or_else(|| after(text, "Vol "))
        && rest.starts_with(['\'', '"'])
        && let Some((start, end)) = quoted(rest)
    {
        return Some(&rest[start..end]);
    }
    // `at offset 4096 on vol gold`, as sources quote it.
    if says_volume && let Some(rest) = after(text, " on vol ").map(word).filter(|label| !label.is_empty()) {
        return Some(rest.trim_end_matches(['.', ':']));
    }
    for mark in ["volume ", "Volume "].into_iter().filter(|_| says_volume) {
        let Some(rest) = after(text, mark) else { continue };
        let id = word(rest);
        let label = rest[id.len()..].trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let label = label.map(|(label, _)| label.trim_matches(['"', '\'']));
        if let Some(label) = label.filter(|label| !label.is_empty()) {
            return Some(label);
        }
        // `VMFS volume LABEL/ID on DEVICE`
        if let Some((label, _)) = id.split_once('/').filter(|(label, id)| !label.is_empty() && is_uuid(id)) {
            return Some(label);
        }
        if id.len() >= 16 && id.contains('-') {
            return Some(id);
        }
        if rest.starts_with(['\'', '"'])
            && let Some((start, end)) = quoted(rest)
        {
            return Some(&rest[start..end]);
        }
    }
    // `Affected datastores: "gold", "silver".`, `(Datastores: "gold")` after a device: those that it carries, of which one is enough.
    if let Some(rest) = after(text, "atastores: ")
        && let Some((start, end)) = quoted(rest)
    {
        return Some(&rest[start..end]);
    }
    // `[esx.problem.vmfs.heartbeat.timedout] 66aa...-... bronze`: the id, then the label.
    if let Some(rest) = after(text, ".vmfs.").and_then(|rest| after(rest, "] ")) {
        let id = word(rest);
        let label = to_the_end(rest[id.len()..].trim_start());
        if is_uuid(id) {
            return Some(if label.is_empty() { id } else { label });
        }
    }
    let beat = position(text, ": HB ");
    let quoted = beat.and_then(|at| at.checked_sub(1)).filter(|&at| text.as_bytes()[at] == b'\'');
    if let Some(before) = quoted.or_else(|| position(text, "': [Req")) {
        let start = text[..before].rfind('\'')? + 1;
        return Some(&text[start..before]);
    }
    // `HBX: 2961: "gold": HB at`, `HBX: 2961: gold: HB at`: in other quotes, or in none.
    let before = beat.filter(|&at| text[at..].starts_with(": HB at "))?;
    let (_, label) = text[..before].rsplit_once(": ").unwrap_or(("", &text[..before]));
    let label = label.trim_matches(['"', '`', '\\', ' ']);
    (!label.is_empty()).then_some(label)
}

/// A label that ends a message, blanks in it and all: up to what an export puts behind it.
fn to_the_end(text: &str) -> &str {
    let end = [text.find(['"', '\'', '(', '[', '{', '|', ';', '#']), text.find("  "), text.find(". ")];
    let end = end.into_iter().flatten().min().unwrap_or(text.len());
    text[..end].trim_end_matches([' ', '.', ',', '\\'])
}

/// Whether a word has the form of a volume's id.
fn is_uuid(word: &str) -> bool {
    word.len() == 35 && word.matches('-').count() == 3
}

/// The image that a line of a gateway is about: `rbd/pool1.image7:`, `rbd/disk_1`. Lines that name none are about one.
#[must_use]
pub fn image(text: &str) -> &str {
    let mut words = text.split([' ', ',', '\'', '"']).map(|word| word.trim_end_matches([':', '.']));
    let is_image = |word: &&str| {
        word.split_once('/').is_some_and(|(pool, image)| {
            !image.is_empty() && pool.starts_with(|letter: char| letter.is_ascii_alphabetic())
        })
    };
    let named = || {
        after(text, " image ").map(word).filter(|name| name.contains(|letter: char| letter.is_ascii_digit()))
    };
    words.find(is_image).or_else(named).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_paths_and_volumes_are_found_wherever_they_stand() {
        let cases = [
            (
                "x \"naa.6001\" on path \"vmhba3:C0:T6:L17\" y",
                (Some("naa.6001"), Some("vmhba3:C0:T6:L17"), None),
            ),
            ("sd 2:0:0:1: [sdc] tag#3 FAILED", (Some("sdc"), Some("2:0:0:1"), None)),
            (
                "to write-quiesced partition t10.ATA_____Maker_SD400__77:3",
                (Some("t10.ATA_____Maker_SD400__77"), None, None),
            ),
            ("nvme0n1: I/O error", (Some("nvme0n1"), None, None)),
            ("nvme nvme4: starting error recovery", (None, Some("nvme4"), None)),
            ("Lost access to volume 5a-5b-00000-1 (alpha) due", (None, None, Some("alpha"))),
            (
                "VMFS volume gold/66aa0001-bb000001-1111-0050560a0b0c on mpx.vmhba32:C0:T0:L0:7 has been",
                (Some("mpx.vmhba32:C0:T0:L0"), None, Some("gold")),
            ),
            ("[HB state 0] on vol 'beta'", (None, None, Some("beta"))),
            (
                "[x] 9us: [esx.problem.vmfs.heartbeat.timedout] 66aa0001-bb000001-1111-0050560a0b0c delta",
                (None, None, Some("delta")),
            ),
            ("HB images at offset 4096 on vol delta.", (None, None, Some("delta"))),
            ("HBX: 2956: 'gamma': HB at offset 1 - W", (None, None, Some("gamma"))),
            ("Volume 4f7217c1-3589352d-625d-001b22248a7a (\"d-1\") may", (None, None, Some("d-1"))),
            ("lpfc: vmhba2 lpfc_x:2050: PRLI", (None, Some("vmhba2"), None)),
            (" connection1:0: detected conn error", (None, Some("connection1:0"), None)),
        ];
        for (text, (device, path, volume)) in cases {
            assert_eq!(find(text), Subject { device, path, volume }, "{text}");
        }
    }
}
