//! The ledger: every fact that was read, each with its place, bounded whatever the size of the logs.
//!
//! Facts that say the same of the same thing within a second are one fact with a count. When there are too many, that
//! second becomes eight, and so on: what is lost is detail about storms, never the beginning or the end of one.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::bounds::{FACTS_MAX, QUOTE_BYTES_MAX, STRANGERS_MAX};
use crate::copies::Copies;
use crate::fact::{Fact, InputId, Kind, Place};
use crate::names::{Name, Names};
use crate::record::Record;
use crate::stamp::Stamp;
use crate::text::cut;

/// Facts further apart than this are two, as long as there is room.
const MERGE_US: i64 = 1_000_000;
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
}

impl Draft<'_> {
    /// A fact about nothing in particular.
    #[must_use]
    pub fn of(kind: Kind) -> Draft<'static> {
        Draft { kind, host: None, device: None, path: None, volume: None, count: 1 }
    }
}

/// An input: a file, a member of an archive, standard input.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name for people.
    pub name: String,
    /// The host that its place tells.
    pub host: Option<Name>,
}

/// A line that was not understood although it holds a key word.
#[derive(Clone, Debug)]
pub struct StrangerLine {
    /// Where it stands.
    pub place: Place,
    /// The line, cut.
    pub text: Box<str>,
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
    /// By how much each host's clock is ahead of the others', in microseconds, where that was found.
    pub offsets: BTreeMap<Name, i64>,
    facts: Vec<Fact>,
    recent: HashMap<u64, usize>,
    merge_us: Option<i64>,
    last_when: Option<Stamp>,
    copies: Copies,
    /// Facts that were found again in a copy of their log, and count once.
    pub copied: u64,
}

impl Ledger {
    /// Begins an input; the facts that follow are its.
    pub fn begin(&mut self, name: &str, host: Option<&str>) -> InputId {
        let host = host.map(|host| self.names.name(host));
        let id = InputId(u32::try_from(self.inputs.len()).unwrap_or(u32::MAX));
        self.inputs.push(Input { name: name.to_owned(), host });
        self.last_when = None;
        id
    }

    /// Notes a fact that a record says.
    pub fn note(&mut self, record: &Record<'_>, draft: Draft<'_>) {
        self.note_text(record, record.line, draft);
    }

    /// Notes a fact, with a text to quote that is more than the record's own line: of a wrapped record, of a dump.
    pub fn note_text(&mut self, record: &Record<'_>, text: &str, draft: Draft<'_>) {
        let place = record.place;
        // A line without any time was written with the line before it. A masked time is not a missing one.
        let inherited = if record.prefix.begins { None } else { self.last_when };
        let when = record.prefix.when.or(inherited);
        self.last_when = record.prefix.when.or(self.last_when);
        let written = draft.host.or(record.prefix.host).map(|host| self.names.name(host));
        let known = self.inputs.get(place.input.0 as usize).and_then(|input| input.host);
        let fact = Fact {
            place,
            when,
            last: when,
            host: written.or(known),
            device: draft.device.map(|name| self.names.name(name)),
            path: draft.path.map(|name| self.names.name(name)),
            volume: draft.volume.map(|name| self.names.name(name)),
            kind: draft.kind,
            count: draft.count.max(1),
            text: cut(text.trim(), QUOTE_BYTES_MAX).into(),
        };
        if self.copies.is_copy(&fact, record) {
            self.copied += 1;
            return;
        }
        self.add(fact);
    }

    /// The newest time that the current input told.
    pub fn saw_time(&mut self, when: Option<Stamp>) {
        self.last_when = when.or(self.last_when);
    }

    /// Notes a line that was not understood.
    pub fn stranger(&mut self, place: Place, line: &str) {
        self.strange += 1;
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

    fn add(&mut self, fact: Fact) {
        if let Some(key) = key(&fact) {
            let window = self.merge_us.unwrap_or(MERGE_US);
            if let Some(known) = self.recent.get(&key).and_then(|&at| self.facts.get_mut(at))
                && merge(known, &fact, window)
            {
                return;
            }
            self.recent.insert(key, self.facts.len());
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
            let facts = std::mem::take(&mut self.facts);
            for fact in facts {
                let known = key(&fact).and_then(|key| match self.recent.get(&key) {
                    Some(&at) => Some(at),
                    None => {
                        self.recent.insert(key, self.facts.len());
                        None
                    }
                });
                let merged = known
                    .and_then(|at| self.facts.get_mut(at))
                    .is_some_and(|known| merge(known, &fact, window));
                if !merged {
                    if let Some(key) = key(&fact) {
                        self.recent.insert(key, self.facts.len());
                    }
                    self.facts.push(fact);
                }
            }
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
fn key(fact: &Fact) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    std::mem::discriminant(&fact.kind).hash(&mut hasher);
    match &fact.kind {
        Kind::Command(command) => command.hash(&mut hasher),
        Kind::Task { task, outcome } => (task, outcome).hash(&mut hasher),
        Kind::Path(event) => event.hash(&mut hasher),
        Kind::Fabric(event) => event.hash(&mut hasher),
        Kind::Target(step) => step.hash(&mut hasher),
        Kind::Support(support) => support.hash(&mut hasher),
        Kind::Space(event) => event.hash(&mut hasher),
        Kind::Cluster(step) => step.hash(&mut hasher),
        Kind::Version(component) => component.hash(&mut hasher),
        Kind::Heartbeat(heartbeat) => {
            (heartbeat.step, heartbeat.slot.map(|slot| slot.generation)).hash(&mut hasher)
        }
        Kind::Lock(lock) => (lock.step, lock.record).hash(&mut hasher),
        Kind::ReservationConflicts | Kind::Medium | Kind::AdapterFault | Kind::Snapshot => {}
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
    (fact.host, fact.device, fact.path, fact.volume).hash(&mut hasher);
    Some(hasher.finish())
}

/// Merges `fact` into `known`, if it is near enough.
fn merge(known: &mut Fact, fact: &Fact, window_us: i64) -> bool {
    let near = match (known.last, fact.when) {
        (Some(last), Some(when)) => when.since(&last).is_some_and(|us| us.abs() <= window_us),
        (None, None) => {
            known.place.input == fact.place.input && fact.place.line.abs_diff(known.place.line) <= MERGE_LINES
        }
        _ => false,
    };
    if near {
        known.count = known.count.saturating_add(fact.count);
        if fact.last.zip(known.last).is_some_and(|(new, old)| new.micros > old.micros) {
            known.last = fact.last;
        }
    }
    near
}
