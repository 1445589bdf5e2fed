//! The ledger: every fact that was read, each with its place, bounded whatever the size of the logs.
//!
//! Facts that say the same of the same thing within a second are one fact with a count. When there are too many, that
//! second becomes eight, and so on: what is lost is detail about storms, never the beginning or the end of one.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};

use crate::bounds::{FACTS_MAX, PROBLEMS_MAX, QUOTE_BYTES_MAX, STRANGERS_MAX};
use crate::copies::Copies;
use crate::digest::{Digest, Seeded};
use crate::drivers::Drivers;
use crate::error::DoctorError;
use crate::fact::{Fact, InputId, Kind, Place};
use crate::hosts::Hosts;
use crate::incident::{Weight, weight};
use crate::knowledge::Knowledge;
use crate::names::{Name, Names};
use crate::offset::Clocks;
use crate::passed::{Passed, PassedOver};
use crate::ports::Ports;
use crate::prefix;
use crate::record::Record;
use crate::said::Manner;
use crate::source::is_usual;
use crate::stamp::Stamp;
use crate::text::cut;
use crate::ties::{Rank, Ties};
use crate::unread_time;
use crate::voice::voice;
use crate::{adapter_words, ports};

/// Facts further apart than this are two, as long as there is room.
const MERGE_US: i64 = 1_000_000;
/// Facts from which on the room for all is taken at once.
const FACTS_GROW: usize = 1 << 12;
/// Behind so many first lines of an input that have no time, one is looked for.
const LOOKS_BEHIND_MAX: u32 = 8;
/// Lines without a time further apart than this are two facts.
const MERGE_LINES: u64 = 100;

/// A fact, as a dialect gives it.
#[derive(Debug)]
pub struct Draft<'a> {
    /// What it says.
    pub kind: Kind,
    /// The host, where the message itself names it.
    pub host: Option<&'a str>,
    /// The device.
    pub device: Option<&'a str>,
    /// The path or the adapter.
    pub path: Option<&'a str>,
    /// The volume.
    pub volume: Option<&'a str>,
    /// How many occurrences it stands for.
    pub count: u64,
    /// Whether the line says that it is about a write of data.
    pub of_a_write: bool,
}

impl Draft<'_> {
    /// A fact about nothing in particular.
    #[must_use]
    pub fn of(kind: Kind) -> Draft<'static> {
        Draft { kind, host: None, device: None, path: None, volume: None, count: 1, of_a_write: false }
    }
}

/// An input: a file, a member of an archive, standard input.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name for people.
    pub name: String,
    /// The host that its place tells.
    pub host: Option<Name>,
    /// The same, as it is written there.
    pub host_text: Option<String>,
}

/// Something that could not be read.
#[derive(Clone, Debug)]
pub struct Problem {
    /// In words.
    pub text: String,
    /// The names of inputs in it, in their order.
    pub names: Vec<String>,
}

/// A line that was not understood although it holds a key word.
#[derive(Clone, Debug)]
pub struct StrangerLine {
    /// Where it stands.
    pub place: Place,
    /// The line, cut.
    pub text: Box<str>,
}

/// The newest fact of its kind: where it stands, and until when it lasted. Most facts are not near it, which is seen without looking at it: it is no more
/// in the processor's cache.
#[derive(Clone, Copy, Debug)]
struct Recent {
    at: usize,
    last: Option<Stamp>,
}

impl Recent {
    fn may_be_near(&self, fact: &Fact, window_us: i64) -> bool {
        match (self.last, fact.when) {
            (Some(last), Some(when)) => is_within(&last, &when, window_us),
            (None, None) => true,
            _ => false,
        }
    }
}

/// What was read.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The names in the facts.
    pub names: Names,
    /// The inputs, by number.
    pub inputs: Vec<Input>,
    /// Lines read.
    pub lines: u64,
    /// Lines that were understood.
    pub understood: u64,
    /// Lines with a key word that were not.
    pub strange: u64,
    /// The first of those.
    pub strangers: Vec<StrangerLine>,
    /// What is known of the hosts' clocks, once all was read.
    pub clocks: Clocks,
    /// What one line tells for all others, once all was read.
    pub(crate) knowledge: Knowledge,
    /// The names that a LUN has.
    pub(crate) ties: Ties,
    /// The drivers of SCSI hosts.
    pub(crate) drivers: Drivers,
    /// The ports of arrays behind the adapters of hosts.
    pub(crate) ports: Ports,
    /// How often a line of each input was of an earlier, and of a later time than its neighbour before it.
    pub(crate) steps: BTreeMap<InputId, (usize, usize)>,
    hosts: Hosts,
    facts: Vec<Fact>,
    recent: HashMap<u64, Recent, Seeded>,
    merge_us: Option<i64>,
    last_when: Option<Stamp>,
    /// First lines of this input that have no time, behind which one was looked for.
    looks_behind: u32,
    copies: Copies,
    /// What dialects said of the record that is being read: two may know the same phrase.
    told_here: Vec<(Place, u64)>,
    /// How the record that is being read is said.
    manner: Manner,
    /// Who speaks where no line says whose it is, by number: a file that is named after nobody, or a section of one.
    voice: u32,
    /// The host that a section is of.
    section_host: Option<Name>,
    section: u32,
    voices: u32,
    /// Who speaks in the logs of each archive that names no host.
    archives: HashMap<String, u32>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// How many more there were than are named.
    problems_unnamed: u64,
    /// What was passed over because it is no log.
    pub passed: PassedOver,
    /// Facts that were found again in a copy of their log, and count once.
    pub copied: u64,
}

impl Ledger {
    /// Begins an input; the facts that follow are its.
    pub fn begin(&mut self, name: &str, host: Option<&str>) -> InputId {
        let host_text = host.map(str::to_owned);
        let host = host.map(|host| self.host(host));
        let id = InputId(u32::try_from(self.inputs.len()).unwrap_or(u32::MAX));
        self.inputs.push(Input { name: name.to_owned(), host, host_text });
        (self.last_when, self.looks_behind) = (None, 0);
        (self.section, self.section_host) = (0, None);
        // Files that are named as on every host are of one host, as far as anybody knows; others may be of any.
        self.voice = 0;
        let archive = name.rsplit_once('!').map(|(archive, _)| archive);
        if !is_usual(name) {
            self.voices = self.voices.saturating_add(1);
            self.voice = self.voices;
        } else if let Some(archive) = archive {
            // What one archive holds is of one host, and what another holds may be another's.
            self.voice = match self.archives.get(archive) {
                Some(&voice) => voice,
                None => {
                    self.voices = self.voices.saturating_add(1);
                    self.archives.insert(archive.to_owned(), self.voices);
                    self.voices
                }
            };
        }
        id
    }

    fn host(&mut self, text: &str) -> Name {
        // Every machine that nobody named calls itself so: it is the one of this input.
        if text.starts_with("localhost")
            && text.strip_prefix("localhost").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        {
            if let Some(known) = self.inputs.last().and_then(|input| input.host) {
                return known;
            }
            let input = self.inputs.last().map(|input| input.name.clone()).unwrap_or_default();
            return self.names.name(&format!("localhost of {input}"));
        }
        self.hosts.host(&mut self.names, text)
    }

    /// Ends an input. Where lines of its log show that something is wrong, what is said around them speaks of them, and counts no more.
    pub fn end(&mut self) {
        let Some(last) = self.inputs.len().checked_sub(1).and_then(|last| u32::try_from(last).ok()) else {
            return;
        };
        let own = |fact: &Fact| fact.place.input == InputId(last);
        let begin = self.facts.iter().rposition(|fact| !own(fact)).map_or(0, |before| before + 1);
        let of_input = self.facts.get(begin..).unwrap_or_default();
        let told = of_input.iter().any(|fact| fact.is_told);
        if told && of_input.iter().any(|fact| !fact.is_told && weight(fact) == Weight::Trigger) {
            self.facts.retain(|fact| !(own(fact) && fact.is_told));
            self.recent.clear();
        }
    }

    /// Parts hosts that one name stood for, once all was read.
    pub(crate) fn part_hosts(&mut self) {
        let inputs = &self.inputs;
        let input_host = |fact: &Fact| {
            inputs.get(fact.place.input.0 as usize).and_then(|input| input.host_text.as_deref())
        };
        self.hosts.settle(&mut self.names, &mut self.facts, input_host);
    }

    /// Gives what units say of themselves, named by their numbers alone, a device.
    pub(crate) fn settle_units(&mut self) {
        crate::units::settle(&mut self.facts, &self.names);
    }

    /// Takes the host of their place from files of one name that cannot be one host's.
    pub(crate) fn settle_rotation(&mut self) {
        crate::rotation::settle(&self.inputs, &mut self.facts);
    }

    /// Notes something that could not be read: what else there is, is read nevertheless.
    pub fn problem(&mut self, error: &DoctorError) {
        if self.problems.len() < PROBLEMS_MAX {
            let names = error.names().into_iter().map(str::to_owned).collect();
            self.problems.push(Problem { text: error.to_string(), names });
        } else {
            self.problems_unnamed += 1;
        }
    }

    /// All that could not be read, in words.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.problems.iter().map(|problem| problem.text.clone()).collect();
        if self.problems_unnamed > 0 {
            problems.push(format!("{} more files or members of archives", self.problems_unnamed));
        }
        problems
    }

    /// Notes an input that is no log.
    pub fn pass_over(&mut self, what: Passed, name: &str) {
        self.passed.note(what, name);
    }

    /// The records that follow are said in that manner.
    pub fn hear(&mut self, manner: Manner) {
        self.manner = manner;
    }

    /// The records that follow stand in a section of that number, 0 for none, and of that host.
    pub fn listen(&mut self, section: u32, host: Option<&str>) {
        if section != self.section {
            self.section = section;
            self.section_host = host.map(|host| self.host(host));
            self.voices = self.voices.saturating_add(1);
            self.voice = self.voices;
        }
    }

    /// How the record that is being read is said.
    #[must_use]
    pub fn manner(&self) -> Manner {
        self.manner
    }

    /// Begins a record, which several dialects may read: what one of them says, no other says again.
    pub fn begin_record(&mut self) {
        self.told_here.clear();
    }

    /// Notes a fact that a record says.
    pub fn note(&mut self, record: &Record<'_>, draft: Draft<'_>) {
        self.note_text(record, record.line, draft);
    }

    /// Notes a fact, with a text to quote that is more than the record's own line: of a wrapped record, of a dump.
    pub fn note_text(&mut self, record: &Record<'_>, text: &str, draft: Draft<'_>) {
        let place = record.place;
        // A line without any time was written with the line before it. A masked time is not a missing one.
        // Neither is one that is printed and was not read.
        let is_unread = record.prefix.when.is_none() && unread_time::stands_before(record.line);
        let inherited = if record.prefix.begins || is_unread { None } else { self.last_when };
        let when = record.prefix.when.or(inherited);
        self.last_when = record.prefix.when.or(self.last_when.filter(|_| !is_unread));
        let written = draft.host.or(record.prefix.host).map(|host| self.host(host));
        let known = self.inputs.get(place.input.0 as usize).and_then(|input| input.host);
        // What is not understood before a message may name another than the place does.
        let host = written.or(self.section_host.or(known).filter(|_| !record.prefix.is_unread));
        let about = [draft.device, draft.path, draft.volume];
        let is_first = when.is_none() && !is_unread && !record.prefix.begins;
        let fact = Fact {
            place,
            when,
            last: when.or_else(|| if is_first { self.time_behind(record) } else { None }),
            host,
            // Whose host is known speaks for that.
            voice: if host.is_none() { voice(self.voice, record, about) } else { 0 },
            device: draft.device.map(|name| self.names.name(name)),
            path: draft.path.map(|name| self.names.name(name)),
            volume: draft.volume.map(|name| self.names.name(name)),
            kind: draft.kind,
            count: draft.count.max(1),
            of_a_write: draft.of_a_write,
            is_told: self.manner != Manner::Logged,
            text: Box::default(),
        };
        let key = key(&fact, text);
        if let Some(key) = key {
            if self.told_here.contains(&(place, key)) {
                return;
            }
            self.told_here.push((place, key));
        }
        if self.copies.is_copy(&fact, record) {
            self.copied += 1;
            return;
        }
        self.add(fact, key, text);
    }

    /// The time of the line behind one that has none, and no line before it to tell it: the copy began amid that line. Behind many such lines nobody looks: the
    /// whole log has no times then.
    fn time_behind(&mut self, record: &Record<'_>) -> Option<Stamp> {
        self.looks_behind = self.looks_behind.saturating_add(1);
        let looks = self.looks_behind <= LOOKS_BEHIND_MAX;
        record.following().take_while(|_| looks).find_map(|line| prefix::split(&line).when)
    }

    /// Notes that a record ties two names of one LUN on its host.
    pub fn tie(&mut self, record: &Record<'_>, one: (Rank, &str), other: (Rank, &str)) {
        let known = self.inputs.get(record.place.input.0 as usize).and_then(|input| input.host);
        let host = record.prefix.host.map(|host| self.host(host)).or(known);
        let [one, other] = [one, other].map(|(rank, name)| (rank, self.names.name(name)));
        self.ties.tie(host, one, other);
    }

    /// Notes that the kernel says how one of its SCSI hosts is called.
    pub fn drives(&mut self, record: &Record<'_>, number: u64, called: &str) {
        let known = self.inputs.get(record.place.input.0 as usize).and_then(|input| input.host);
        let host = record.prefix.host.map(|host| self.host(host)).or(self.section_host).or(known);
        self.drivers.note(host, number, called);
    }

    /// Notes that a host lists which port of an array is behind a target number of its adapter.
    pub fn leads_to(&mut self, record: &Record<'_>, adapter: &str, target: u64, port: u64) {
        let known = self.inputs.get(record.place.input.0 as usize).and_then(|input| input.host);
        let host = record.prefix.host.map(|host| self.host(host)).or(self.section_host).or(known);
        self.ports.note(host, adapter, target, port);
    }

    /// Notes two times that stand one behind the other in an input.
    pub fn step(&mut self, input: InputId, earlier: Stamp, later: Stamp) {
        let apart = later.since(&earlier).unwrap_or(0);
        let (falls, rises) = self.steps.entry(input).or_default();
        *falls += usize::from(apart < 0);
        *rises += usize::from(apart > 0);
    }

    /// The newest time that the current input told.
    pub fn saw_time(&mut self, when: Option<Stamp>) {
        self.last_when = when.or(self.last_when);
    }

    /// Notes a line that was not understood.
    pub fn stranger(&mut self, place: Place, line: &str) {
        self.strange += 1;
        self.show(place, line);
    }

    /// Keeps a line that was not understood, to be shown where that is asked for.
    pub fn show(&mut self, place: Place, line: &str) {
        if self.strangers.len() < STRANGERS_MAX {
            self.strangers.push(StrangerLine { place, text: cut(line.trim(), QUOTE_BYTES_MAX).into() });
        }
    }

    /// The facts, in the order of reading.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The facts, to be put into the order of time.
    pub(crate) fn facts_mut(&mut self) -> &mut Vec<Fact> {
        // Their places in the list change: nothing can be merged into them any more.
        self.recent.clear();
        &mut self.facts
    }

    /// Adds a fact with the text to quote, which is kept only where the fact is one of its own.
    fn add(&mut self, mut fact: Fact, key: Option<u64>, text: &str) {
        if let Some(key) = key {
            let window = self.merge_us.unwrap_or(MERGE_US);
            if let Some(recent) = self.recent.get_mut(&key)
                && recent.may_be_near(&fact, window)
                && let Some(known) = self.facts.get_mut(recent.at)
                && merge(known, &fact, window)
            {
                recent.last = known.last;
                return;
            }
            self.recent.insert(key, Recent { at: self.facts.len(), last: fact.last });
        }
        fact.text = cut(text.trim(), QUOTE_BYTES_MAX).into();
        if self.facts.len() == FACTS_GROW {
            // Few logs have so many; those that do fill the whole room, which growing step by step would copy again and again.
            self.facts.reserve_exact(FACTS_MAX - FACTS_GROW);
        }
        self.facts.push(fact);
        if self.facts.len() >= FACTS_MAX {
            self.compact();
        }
    }

    /// Merges over longer and longer times until half of the room is free again.
    fn compact(&mut self) {
        const WIDENINGS_MAX: usize = 12;
        for _ in 0..WIDENINGS_MAX {
            let window = self.merge_us.unwrap_or(MERGE_US).saturating_mul(8);
            self.merge_us = Some(window);
            self.recent.clear();
            // In place: a second list of this size would cost more than all the merging.
            let mut kept = 0;
            for at in 0..self.facts.len() {
                let (before, rest) = self.facts.split_at_mut(at);
                let Some(fact) = rest.first() else { break };
                let key = key(fact, &fact.text);
                if let Some(recent) = key.and_then(|key| self.recent.get_mut(&key))
                    && let Some(known) = before.get_mut(recent.at)
                    && merge(known, fact, window)
                {
                    recent.last = known.last;
                    continue;
                }
                if let Some(key) = key {
                    self.recent.insert(key, Recent { at: kept, last: fact.last });
                }
                self.facts.swap(kept, at);
                kept += 1;
            }
            self.facts.truncate(kept);
            if self.facts.len() < FACTS_MAX / 2 {
                return;
            }
        }
        // Nothing else helped: the oldest half stays, as what came first explains more than what came last.
        self.facts.truncate(FACTS_MAX / 2);
        self.recent.clear();
    }
}

/// What two facts must have in common to be merged; `None` for those that are always kept apart.
fn key(fact: &Fact, text: &str) -> Option<u64> {
    let mut hasher = Digest::default();
    std::mem::discriminant(&fact.kind).hash(&mut hasher);
    match &fact.kind {
        Kind::Command(command) => command.hash(&mut hasher),
        Kind::Task { task, outcome } => (task, outcome).hash(&mut hasher),
        Kind::Path(event) => event.hash(&mut hasher),
        // Which of an array's ports a notice names matters.
        Kind::Fabric(event) => (event, ports::of_a_target(text)).hash(&mut hasher),
        Kind::AdapterFault => (adapter_words::died(text), adapter_words::stopped(text)).hash(&mut hasher),
        Kind::Target(step) => step.hash(&mut hasher),
        Kind::Support(support) => support.hash(&mut hasher),
        Kind::Space(event) => event.hash(&mut hasher),
        Kind::Volume(event) => event.hash(&mut hasher),
        Kind::HostId(id) => id.hash(&mut hasher),
        Kind::Notice(notice) => notice.hash(&mut hasher),
        Kind::Cluster(step) => step.hash(&mut hasher),
        Kind::Version(component) => component.hash(&mut hasher),
        Kind::Heartbeat(heartbeat) => {
            (heartbeat.step, heartbeat.slot.map(|slot| slot.generation)).hash(&mut hasher)
        }
        Kind::Lock(lock) => (lock.step, lock.record).hash(&mut hasher),
        Kind::ReservationConflicts | Kind::Medium | Kind::Snapshot | Kind::Listed => {}
        Kind::Latency { .. } | Kind::Queue(_) | Kind::Slot(_) | Kind::LockDump(_) => return None,
        Kind::Gateway(_)
        | Kind::Oarlock(_)
        | Kind::Restart
        | Kind::OwnImage
        | Kind::StaleImage
        | Kind::Setting(_) => {
            return None;
        }
    }
    (fact.host, fact.device, fact.path, fact.volume, fact.of_a_write).hash(&mut hasher);
    Some(hasher.finish())
}

fn is_within(last: &Stamp, when: &Stamp, window_us: i64) -> bool {
    when.since(last).is_some_and(|us| us.abs() <= window_us)
}

/// Merges `fact` into `known`, if it is near enough.
fn merge(known: &mut Fact, fact: &Fact, window_us: i64) -> bool {
    let near = match (known.last, fact.when) {
        (Some(last), Some(when)) => is_within(&last, &when, window_us),
        (None, None) => {
            known.place.input == fact.place.input && fact.place.line.abs_diff(known.place.line) <= MERGE_LINES
        }
        _ => false,
    };
    if near {
        known.count = known.count.saturating_add(fact.count);
        known.is_told &= fact.is_told;
        if fact.last.zip(known.last).is_some_and(|(new, old)| new.micros > old.micros) {
            known.last = fact.last;
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use crate::Doctor;

    fn events(log: &str) -> Vec<u64> {
        let mut doctor = Doctor::new();
        doctor.read("log", &mut log.as_bytes(), &mut |_| {});
        doctor.judge().incidents.iter().map(|finding| finding.events).collect()
    }

    #[test]
    fn a_line_that_two_dialects_know_is_one_event() {
        let line = "2026-05-06T07:08:09.010Z cpu5:33000)WARNING: lpfc: lpfc_mbx_cmpl_read_topology:3311: 0:(0):1305 Link Down Event x2 received\n";
        assert_eq!(events(line), [1]);
        assert_eq!(events(&line.repeat(2)), [2], "and two lines are two");
    }
}
