//! What looks like a name, an address, an id or a path, in the text of a log.

use std::collections::HashSet;
use std::ops::Range;

use super::word::{self, Word};
use super::{Author, Sort};

/// Ends of files of virtual machines, whose names may hold blanks.
const MACHINE_FILES: [&str; 9] =
    [".vmdk", ".vmx", ".vswp", ".vmsd", ".vmsn", ".vmtx", ".nvram", ".vmxf", ".vmem"];
/// Letters of a name with blanks in it.
const NAME_LENGTH_MAX: usize = 160;
/// Words before a name in quotes.
const BEFORE_QUOTED: [&str; 12] = [
    "vm",
    "volume",
    "vol",
    "datastore",
    "host",
    "user",
    "name",
    "displayname",
    "node",
    "machine",
    "pool",
    "cluster",
];

/// Where they stand; stretches may overlap.
pub(super) fn find(text: &str, author: Author, versions: &HashSet<String>) -> Vec<(Range<usize>, Sort)> {
    let mut found = Vec::new();
    let mut before = 0..0;
    // A fence: `Operation 'off' targeting alpha on beta for ...`, and in newer releases `by beta`.
    let fences = text.contains(" targeting ");
    for range in words(text) {
        let between = text.get(before.end..range.start).unwrap_or("");
        let told = between.contains('=') || between.trim_start().starts_with(':');
        let on = fences && matches!(&text[before.clone()], "on" | "by");
        let word = Word { text: &text[range.clone()], before: &text[before.clone()], told, author };
        let names = word::names(word, versions).into_iter();
        found
            .extend(names.map(|(inside, sort)| (range.start + inside.start..range.start + inside.end, sort)));
        if author == Author::Log && (on || fences && &text[before.clone()] == "targeting") {
            found.push((range.clone(), Sort::Name));
        }
        before = range;
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
        found.extend(machine_files(text).into_iter().map(|range| (range, Sort::File)));
        found.extend(addresses_of_the_web(text).into_iter().map(|range| (range, Sort::Name)));
    }
    found
}

/// `https://host/x?user=somebody`: to its end, whatever signs are in it.
fn addresses_of_the_web(text: &str) -> Vec<Range<usize>> {
    let scheme = |at: usize| {
        let letters = text[..at].bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
        at - letters
    };
    let ends = |letter: char| letter.is_whitespace() || "\"'`<>|".contains(letter);
    let starts = text.match_indices("://").map(|(at, _)| (scheme(at), at));
    starts.map(|(start, at)| start..text[at..].find(ends).map_or(text.len(), |end| at + end)).collect()
}

/// Files of virtual machines: `/vmfs/volumes/gold/Web Server 1/Web Server 1.vmdk`, `[gold] Web Server 1/Web Server 1.vmx`.
fn machine_files(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for end in
        MACHINE_FILES.iter().flat_map(|file| text.match_indices(file).map(|(at, file)| at + file.len()))
    {
        let mut from = end.saturating_sub(NAME_LENGTH_MAX);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        let front = &text[from..end];
        // A name has none of these signs; what stands before the last of them is another thing.
        let cut = front.rfind(['"', '\'', ',', ';', '=', '<', '(']).map_or(0, |at| at + 1);
        let front = &front[cut..];
        let path = ["/vmfs/", "["].iter().filter_map(|mark| front.rfind(mark)).max();
        if let Some(at) = path.filter(|&at| front[at..].contains('/')) {
            found.push(from + cut + at..end);
        }
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

/// What stands in quotes and is one word, or stands behind a word for names: in a log, a name.
fn quoted(text: &str) -> Vec<Range<usize>> {
    /// Words that cluster managers quote and that are no names.
    const USUAL: [&str; 15] = [
        "reboot", "off", "on", "start", "stop", "monitor", "none", "unknown", "OFFLINE", "ONLINE", "DEAD",
        "ACTIVE", "STANDBY", "dead", "active",
    ];
    const LENGTH_MAX: usize = 120;
    let mut found = Vec::new();
    for quote in ['"', '\'', '`'] {
        let mut from = 0;
        while let Some(open) = text[from..].find(quote).map(|at| from + at) {
            from = open + 1;
            let Some(close) = text[from..].find(['\'', quote]).map(|at| from + at) else { break };
            let inside = &text[from..close];
            let begins = !text[..open].ends_with(char::is_alphanumeric);
            let before = text[..open].trim_end_matches([' ', '=', ':']);
            let before = before.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or("");
            let told = BEFORE_QUOTED.iter().any(|word| before.eq_ignore_ascii_case(word));
            let name = !inside.is_empty()
                && inside.len() <= LENGTH_MAX
                && (told || !inside.contains(char::is_whitespace))
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
