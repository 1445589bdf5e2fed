//! Redaction: hosts, devices, volumes, paths, addresses and ids become `host-1`, `device-2`, the same by the same through
//! the whole report, so that it can be shared and still be followed.
//!
//! It is done to the report before anybody prints it, so that no form of it can forget to. What the doctor took for a name
//! is replaced wherever it stands, and so is what a place in a line gave away as one (`place`); what looks like a name, an address,
//! an id or a path in a quoted line, too (`pattern`, `word`); and of the rest of a quoted line every word that is not everybody's
//! (`vocabulary`). A comment is not quoted. Statuses, sense data, operation codes, versions and times stay: they are the proof.

mod event;
mod pattern;
mod place;
mod spelling;
mod vocabulary;
mod word;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use aho_corasick::AhoCorasick;

use crate::bounds::{NAME_BYTES_MAX, NAMES_MAX, QUOTE_BYTES_MAX};
use crate::fact::Kind;
use crate::finding::{Finding, Report};
use crate::ledger::{Ledger, Problem};
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
    /// A log: everything that looks like a name is one, and every word that is not everybody's.
    Log,
    /// A machine that tells of its parts, and the system that refuses something: what looks like a name is one.
    Machine,
    /// The doctor, who puts names into sentences of its own: words and paths of those stay.
    Doctor,
}

/// Replaces every name in a report that was made of this ledger.
pub(crate) fn redact(report: &mut Report, ledger: &Ledger) {
    let mut redactor = Redactor::of(report, ledger);
    report.redacted = true;
    for finding in &mut report.incidents {
        redactor.finding(finding);
    }
    for stranger in &mut report.strangers {
        stranger.file = redactor.file(&stranger.file);
        stranger.text = redactor.text(&stranger.text, Author::Log);
    }
    for name in report.clock_names_mut() {
        *name = redactor.whole(name, Sort::Host);
    }
    for part in &mut report.machine {
        redactor.part(part);
    }
    for suggestion in &mut report.suggestions {
        suggestion.subject = redactor.text(&suggestion.subject, Author::Doctor);
        suggestion.found = redactor.text(&suggestion.found, Author::Doctor);
    }
    // The last may be the number of those that are not named.
    for (told, problem) in report.problems.iter_mut().zip(&ledger.problems) {
        *told = redactor.problem(problem);
    }
    for name in report.passed_over.iter_mut().flat_map(|kind| &mut kind.first) {
        *name = redactor.file(name);
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
    /// Hosts that are written with their domain too: the long name, and the short one.
    short: HashMap<String, String>,
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
        let quoted = report.incidents.iter().flat_map(|finding| &finding.evidence).map(|line| &line.text);
        for text in quoted.chain(report.strangers.iter().map(|stranger| &stranger.text)) {
            learn(text, &versions, &mut sorts);
        }
        let short = short_hosts(&mut sorts);
        sorts.retain(|name, _| !name.trim().is_empty());
        let mut known: Vec<(String, Sort)> = sorts.iter().map(|(name, sort)| (name.clone(), *sort)).collect();
        known.sort_by(|one, other| one.0.cmp(&other.0));
        let finder = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(known.iter().map(|(name, _)| name))
            .ok()
            .filter(|_| !known.is_empty());
        Redactor { finder, known, sorts, versions, short, given: HashMap::new(), counts: HashMap::new() }
    }

    fn finding(&mut self, finding: &mut Finding) {
        for host in &mut finding.hosts {
            *host = self.whole(host, Sort::Host);
        }
        // One host by two names has one stand-in.
        let mut seen = HashSet::new();
        finding.hosts.retain(|host| seen.insert(host.clone()));
        for device in finding.device.iter_mut().chain(&mut finding.devices) {
            *device = self.whole(device, Sort::Device);
        }
        for name in &mut finding.also_called {
            *name = self.whole(name, Sort::Device);
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
            *value = self.text(value, Author::Machine);
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

    /// A sentence about what could not be read, with the names of inputs in it.
    fn problem(&mut self, problem: &Problem) -> String {
        let mut told = String::new();
        let mut rest = problem.text.as_str();
        for name in &problem.names {
            let Some((before, behind)) = rest.split_once(name.as_str()) else { continue };
            told.push_str(&self.text(before, Author::Machine));
            told.push_str(&self.file(name));
            rest = behind;
        }
        told.push_str(&self.text(rest, Author::Machine));
        told
    }

    /// A text with every name in it replaced.
    fn text(&mut self, text: &str, author: Author) -> String {
        if author == Author::Log && event::is_event(text) {
            return self.event(text);
        }
        if author == Author::Log && is_comment(text) {
            return COMMENT.to_owned();
        }
        let mut found = self.exact(text);
        found.extend(pattern::find(text, author, &self.versions));
        if author == Author::Log {
            found.extend(place::names(text).into_iter().map(|range| (range, Sort::Name)));
        }
        // A name that was cut where the quote ends is no longer the whole name, and must go all the same.
        if author != Author::Doctor && text.len() + 4 > QUOTE_BYTES_MAX {
            let start = text.rfind(char::is_whitespace).map_or(0, |at| at + 1);
            found.push((start..text.len(), Sort::Name));
        }
        found.retain(|(range, _)| !range.is_empty());
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut replaced = String::with_capacity(text.len());
        let mut done = 0;
        for (range, sort) in united(found) {
            self.rest(text.get(done..range.start).unwrap_or_default(), author, &mut replaced);
            replaced.push_str(&self.whole(text.get(range.clone()).unwrap_or_default(), sort));
            done = range.end;
        }
        self.rest(text.get(done..).unwrap_or_default(), author, &mut replaced);
        replaced
    }

    /// An event of Oarlock's own.
    fn event(&mut self, text: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut done = 0;
        for part in event::parts(text) {
            let (range, told) = match part {
                event::Part::Plain(range) => (range.clone(), text[range].to_owned()),
                event::Part::Name(range, sort) => (range.clone(), self.whole(&text[range], sort)),
                event::Part::Words(range) => (range.clone(), self.text(&text[range], Author::Log)),
            };
            replaced.push_str(&text[done..range.start]);
            replaced.push_str(&told);
            done = range.end;
        }
        replaced.push_str(&text[done..]);
        replaced
    }

    /// What is no name by its place or its look: in a log, only everybody's words of it stay.
    fn rest(&mut self, text: &str, author: Author, replaced: &mut String) {
        let mut done = 0;
        if author == Author::Log {
            for range in vocabulary::strangers(text) {
                replaced.push_str(text.get(done..range.start).unwrap_or_default());
                replaced.push_str(&self.whole(text.get(range.clone()).unwrap_or_default(), Sort::Name));
                done = range.end;
            }
        }
        replaced.push_str(text.get(done..).unwrap_or_default());
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
        let key = spelling::key(original);
        let key = self.short.get(&key).cloned().unwrap_or(key);
        self.given_for(&key, sort.word())
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

/// What stands for a line that is no line of a program: nobody knows whom a person names there.
const COMMENT: &str = "(a comment)";

/// Whether a person wrote this line.
fn is_comment(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '\t', '>']);
    ["#", "//", "REM ", "rem "].iter().any(|mark| text.starts_with(mark))
}

/// Adds the names that a line gives away, so that they are hidden in every other line too, and in the doctor's own sentences: by their
/// place whatever they are called, by their look where they are nobody's everyday words.
fn learn(text: &str, versions: &HashSet<String>, sorts: &mut HashMap<String, Sort>) {
    if event::is_event(text) {
        for part in event::parts(text) {
            if let event::Part::Name(range, sort) = part
                && range.len() >= LEARNED_MIN
                && sorts.len() < NAMES_MAX
            {
                sorts.entry(text[range].to_ascii_lowercase()).or_insert(sort);
            }
        }
        return;
    }
    if is_comment(text) {
        return;
    }
    let placed = place::names(text).into_iter().map(|range| (range, Sort::Name, true));
    let looked =
        pattern::find(text, Author::Log, versions).into_iter().map(|(range, sort)| (range, sort, false));
    for (range, sort, sure) in placed.chain(looked) {
        let Some(name) = text.get(range).map(str::to_ascii_lowercase) else { continue };
        let telling = sure || !name.split_whitespace().all(vocabulary::is_ordinary);
        if telling && name.len() >= LEARNED_MIN && sorts.len() < NAMES_MAX {
            sorts.entry(name).or_insert(sort);
        }
    }
}

/// Shorter words are parts of too many others.
const LEARNED_MIN: usize = 3;

/// A host that is known by its long name is known by its short one too. Told are those whose short name means no other host.
fn short_hosts(sorts: &mut HashMap<String, Sort>) -> HashMap<String, String> {
    let mut long: HashMap<String, Vec<String>> = HashMap::new();
    for name in sorts.iter().filter(|(_, sort)| **sort == Sort::Host).map(|(name, _)| name) {
        if let Some((short, _)) = name.split_once('.')
            && short.len() > 1
            && short.contains(|letter: char| letter.is_ascii_alphabetic())
        {
            long.entry(short.to_owned()).or_default().push(name.clone());
        }
    }
    let mut shorter = HashMap::new();
    for (short, mut long) in long {
        sorts.entry(short.clone()).or_insert(Sort::Host);
        if let (Some(name), true) = (long.pop(), long.is_empty()) {
            shorter.insert(name, short);
        }
    }
    shorter
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
