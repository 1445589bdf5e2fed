//! Redaction: hosts, devices, volumes, paths, addresses and ids become `host-1`, `device-2`, the same by the same through
//! the whole report, so that it can be shared and still be followed.
//!
//! It is done to the report before anybody prints it, so that no form of it can forget to. What the doctor took for a name
//! is replaced wherever it stands; what looks like a name, an address, an id or a path in a quoted line, too. Statuses,
//! sense data, operation codes, versions and times stay: they are the proof.

mod pattern;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use aho_corasick::AhoCorasick;

use crate::bounds::{NAME_BYTES_MAX, QUOTE_BYTES_MAX};
use crate::fact::Kind;
use crate::finding::{Finding, Report};
use crate::ledger::Ledger;
use crate::prefix;
use crate::suggestion::MachinePart;

/// What a name is of; it gives the replacement its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sort {
    Host,
    Device,
    Path,
    Volume,
    File,
    Id,
    Address,
    Name,
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Sort::Host => "host",
            Sort::Device => "device",
            Sort::Path => "path",
            Sort::Volume => "volume",
            Sort::File => "file",
            Sort::Id => "id",
            Sort::Address => "address",
            Sort::Name => "name",
        }
    }
}

/// Who wrote a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Author {
    /// A log: everything that looks like a name is one.
    Log,
    /// The doctor, who puts names into sentences of its own: words and paths of those stay.
    Doctor,
}

/// Replaces every name in a report that was made of this ledger.
pub(crate) fn redact(report: &mut Report, ledger: &Ledger) {
    let mut redactor = Redactor::of(report, ledger);
    for finding in &mut report.incidents {
        redactor.finding(finding);
    }
    for stranger in &mut report.strangers {
        stranger.file = redactor.file(&stranger.file);
        stranger.text = redactor.text(&stranger.text, Author::Log);
    }
    for offset in &mut report.clock_offsets {
        offset.host = redactor.whole(&offset.host, Sort::Host);
    }
    for part in &mut report.machine {
        redactor.part(part);
    }
    for suggestion in &mut report.suggestions {
        suggestion.subject = redactor.text(&suggestion.subject, Author::Doctor);
        suggestion.found = redactor.text(&suggestion.found, Author::Doctor);
    }
    for problem in &mut report.problems {
        *problem = redactor.problem(problem);
    }
    for name in report.chronicle.names_mut() {
        *name = redactor.whole(name, Sort::Device);
    }
}

#[derive(Debug)]
struct Redactor {
    /// Finds every known name; `None` where there is none.
    finder: Option<AhoCorasick>,
    /// The known names, in lower case, in the finder's order; with what they are of.
    known: Vec<(String, Sort)>,
    sorts: HashMap<String, Sort>,
    /// Versions that look like addresses and are none.
    versions: HashSet<String>,
    /// What each original became.
    given: HashMap<String, String>,
    counts: HashMap<&'static str, u32>,
}

impl Redactor {
    fn of(report: &Report, ledger: &Ledger) -> Redactor {
        let mut sorts: HashMap<String, Sort> = HashMap::new();
        let mut versions = HashSet::new();
        for fact in ledger.facts() {
            let names = [
                (fact.host, Sort::Host),
                (fact.device, Sort::Device),
                (fact.path, Sort::Path),
                (fact.volume, Sort::Volume),
            ];
            for (name, sort) in names {
                if let Some(name) = name {
                    sorts.entry(ledger.names.text(name).to_ascii_lowercase()).or_insert(sort);
                }
            }
            if let Kind::Version(component) = &fact.kind {
                versions.insert(component.version.to_ascii_lowercase());
            }
        }
        // Names of facts that were merged away may stand in lines that were not.
        for text in ledger.names.texts() {
            sorts.entry(text.to_ascii_lowercase()).or_insert(Sort::Name);
        }
        let quoted = report.incidents.iter().flat_map(|finding| &finding.evidence).map(|line| &line.text);
        for text in quoted.chain(report.strangers.iter().map(|stranger| &stranger.text)) {
            if let Some(host) = prefix::split(text).host {
                sorts.entry(host.to_ascii_lowercase()).or_insert(Sort::Host);
            }
        }
        short_hosts(&mut sorts);
        sorts.retain(|name, _| !name.trim().is_empty());
        let mut known: Vec<(String, Sort)> = sorts.iter().map(|(name, sort)| (name.clone(), *sort)).collect();
        known.sort_by(|one, other| one.0.cmp(&other.0));
        let finder = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(known.iter().map(|(name, _)| name))
            .ok()
            .filter(|_| !known.is_empty());
        Redactor { finder, known, sorts, versions, given: HashMap::new(), counts: HashMap::new() }
    }

    fn finding(&mut self, finding: &mut Finding) {
        for host in &mut finding.hosts {
            *host = self.whole(host, Sort::Host);
        }
        for device in finding.device.iter_mut().chain(&mut finding.devices) {
            *device = self.whole(device, Sort::Device);
        }
        if let Some(volume) = &mut finding.volume {
            *volume = self.whole(volume, Sort::Volume);
        }
        for line in &mut finding.evidence {
            line.file = self.file(&line.file);
            line.text = self.text(&line.text, Author::Log);
            line.host = line.host.as_ref().map(|host| self.whole(host, Sort::Host));
        }
        finding.because = self.text(&finding.because, Author::Doctor);
        for other in &mut finding.considered {
            other.why = self.text(&other.why, Author::Doctor);
        }
        for step in &mut finding.collect_next {
            *step = self.text(step, Author::Doctor);
        }
    }

    /// A part of a running machine: its name, and the names in its values.
    fn part(&mut self, part: &mut MachinePart) {
        part.name = self.text(&part.name, Author::Doctor);
        for value in part.values.values_mut() {
            *value = self.text(value, Author::Log);
        }
    }

    /// The replacement of a text that is nothing but a name.
    fn whole(&mut self, text: &str, otherwise: Sort) -> String {
        let sort = self.sorts.get(&text.to_ascii_lowercase()).copied().unwrap_or(otherwise);
        self.replacement(text, sort)
    }

    /// The replacement of an input's name: it keeps the word that tells which log it is.
    fn file(&mut self, name: &str) -> String {
        const LOGS: [&str; 14] = [
            "vmkernel",
            "vmkwarning",
            "vobd",
            "hostd",
            "vpxa",
            "syslog",
            "messages",
            "dmesg",
            "journal",
            "sanlock",
            "corosync",
            "pacemaker",
            "esxtop",
            "kern",
        ];
        let last = name.rsplit(['/', '\\', '!']).next().unwrap_or("").to_ascii_lowercase();
        let word = LOGS.into_iter().find(|log| last.contains(log)).unwrap_or("file");
        self.given_for(&format!("file {name}"), word)
    }

    /// A sentence about an input that could not be read: it begins with the input's name.
    fn problem(&mut self, problem: &str) -> String {
        const AFTER_NAME: [&str; 4] =
            [" unpacks to more", " is a damaged archive", " lies in too many", " has more than "];
        let end = AFTER_NAME.iter().find_map(|mark| problem.rfind(mark)).or_else(|| problem.rfind(": "));
        match end {
            Some(end) => {
                let (name, rest) = problem.split_at(end);
                format!("{}{}", self.file(name), self.text(rest, Author::Log))
            }
            None => self.text(problem, Author::Log),
        }
    }

    /// A text with every name in it replaced.
    fn text(&mut self, text: &str, author: Author) -> String {
        let mut found = self.exact(text);
        found.extend(pattern::find(text, author, &self.versions));
        // A name that was cut where the quote ends is no longer the whole name, and must go all the same.
        if author == Author::Log && text.len() + 4 > QUOTE_BYTES_MAX {
            let start = text.rfind(char::is_whitespace).map_or(0, |at| at + 1);
            found.push((start..text.len(), Sort::Name));
        }
        found.retain(|(range, _)| !range.is_empty());
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut replaced = String::with_capacity(text.len());
        let mut done = 0;
        for (range, sort) in united(found) {
            replaced.push_str(text.get(done..range.start).unwrap_or_default());
            replaced.push_str(&self.whole(text.get(range.clone()).unwrap_or_default(), sort));
            done = range.end;
        }
        replaced.push_str(text.get(done..).unwrap_or_default());
        replaced
    }

    /// Where known names stand in a text.
    fn exact(&self, text: &str) -> Vec<(Range<usize>, Sort)> {
        let Some(finder) = &self.finder else { return Vec::new() };
        let mut found = Vec::new();
        for matched in finder.find_overlapping_iter(text) {
            let (name, sort) = &self.known[matched.pattern().as_usize()];
            let mut range = matched.range();
            if name.len() + 4 > NAME_BYTES_MAX {
                // A name that was cut when it was noted: the rest of it stands behind.
                let rest = &text[range.end..];
                range.end += rest.find(char::is_whitespace).unwrap_or(rest.len());
            }
            if stands_alone(text, &range) {
                found.push((range, *sort));
            }
        }
        found
    }

    fn replacement(&mut self, original: &str, sort: Sort) -> String {
        self.given_for(&key(original), sort.word())
    }

    fn given_for(&mut self, key: &str, word: &'static str) -> String {
        if let Some(given) = self.given.get(key) {
            return given.clone();
        }
        let count = self.counts.entry(word).or_insert(0);
        // A replacement that is itself somebody's name would be taken for that.
        let text = loop {
            *count += 1;
            let text = format!("{word}-{count}");
            if !self.sorts.contains_key(&text) {
                break text;
            }
        };
        self.given.insert(key.to_owned(), text.clone());
        text
    }
}

/// A host that is known by its long name is known by its short one too.
fn short_hosts(sorts: &mut HashMap<String, Sort>) {
    let short: Vec<String> = sorts
        .iter()
        .filter(|(_, sort)| **sort == Sort::Host)
        .filter_map(|(name, _)| name.split_once('.').map(|(short, _)| short))
        .filter(|short| short.len() > 1 && short.contains(|letter: char| letter.is_ascii_alphabetic()))
        .map(str::to_owned)
        .collect();
    for name in short {
        sorts.entry(name).or_insert(Sort::Host);
    }
}

/// What is the same although it is written differently: letters of either case, and the digits of an id with and without
/// the marks that different systems put before them.
fn key(original: &str) -> String {
    const DIGITS_MIN: usize = 16;
    let lower = original.to_ascii_lowercase();
    let bare = ["naa.", "eui.", "wwn-0x", "scsi-", "0x"].iter().find_map(|mark| lower.strip_prefix(mark));
    let digits = bare.unwrap_or(&lower);
    if digits.len() < DIGITS_MIN || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return lower;
    }
    // Multipath's WWID of an NAA id is that id behind a 3.
    let digits =
        if matches!(digits.len(), 17 | 33) { digits.strip_prefix('3').unwrap_or(digits) } else { digits };
    digits.to_owned()
}

/// Whether a match is a word of its own, and not a part of a longer word or number.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    /// Shorter names are parts of other words by chance.
    const LOOSE_MIN: usize = 3;
    let loose = range.len() >= LOOSE_MIN;
    let joined = |one: Option<char>, other: Option<char>| match (one, other) {
        (Some(one), Some(other)) if loose => {
            one.is_alphabetic() && other.is_alphabetic() || one.is_ascii_digit() && other.is_ascii_digit()
        }
        (Some(one), Some(other)) => one.is_alphanumeric() && other.is_alphanumeric(),
        _ => false,
    };
    let (Some(before), Some(inside), Some(behind)) =
        (text.get(..range.start), text.get(range.clone()), text.get(range.end..))
    else {
        return false;
    };
    !joined(before.chars().next_back(), inside.chars().next())
        && !joined(inside.chars().next_back(), behind.chars().next())
}

/// Stretches in order, those that overlap made one; the sort is that of the longest.
fn united(found: Vec<(Range<usize>, Sort)>) -> Vec<(Range<usize>, Sort)> {
    let mut united: Vec<(Range<usize>, Sort)> = Vec::new();
    for (range, sort) in found {
        match united.last_mut().filter(|(last, _)| range.start < last.end) {
            Some((last, _)) => last.end = last.end.max(range.end),
            None => united.push((range, sort)),
        }
    }
    united
}

#[cfg(test)]
mod tests;
