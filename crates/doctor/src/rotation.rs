//! Files of one name: what rotation makes of one host's log goes back in time with each number, and so tells the logs of two hosts from one that was rotated.
//!
//! `vmkernel.1.log` is older than `vmkernel.log`, and nobody's log has two newest files. Where the times say otherwise, a program has numbered what was
//! fetched twice (wget's `vmkernel.log.1`), or two folders hold what two hosts call the same.

use std::collections::BTreeMap;

use crate::digest::digest;
use crate::fact::{Fact, InputId};
use crate::ledger::Input;
use crate::names::Name;
use crate::prefix;
use crate::source::{Rotated, rotated};
use crate::stamp::Stamp;

/// Lines of several processors come out of their order by less.
const SLACK_US: i64 = 1_000_000;
/// So many files of one name are compared with each other.
const FILES_MAX: usize = 64;

/// A file, and when its facts begin and end.
struct File<'a> {
    input: InputId,
    rotated: Rotated<'a>,
    span: Option<(Stamp, Stamp)>,
}

impl File<'_> {
    /// Whether one host's rotation cannot have made both.
    fn contradicts(&self, other: &File<'_>, is_of_a_host: bool) -> bool {
        if self.rotated.number == other.rotated.number {
            // A host's own folders hold one log under several paths.
            return !is_of_a_host;
        }
        let (newer, older) =
            if self.rotated.number < other.rotated.number { (self, other) } else { (other, self) };
        let spans = newer.span.zip(older.span);
        spans.and_then(|(newer, older)| newer.0.since(&older.1)).is_some_and(|apart| apart < -SLACK_US)
    }
}

/// Takes from the facts of files that are not of one host what only their places told: their host. Each such file speaks for itself from then on.
pub fn settle(inputs: &[Input], facts: &mut [Fact]) {
    let mut spans: BTreeMap<InputId, (Stamp, Stamp)> = BTreeMap::new();
    for fact in facts.iter() {
        let Some((first, last)) = fact.when.zip(fact.last) else { continue };
        let span = spans.entry(fact.place.input).or_insert((first, last));
        span.0 = if first.since(&span.0).is_some_and(|apart| apart < 0) { first } else { span.0 };
        span.1 = if last.since(&span.1).is_some_and(|apart| apart > 0) { last } else { span.1 };
    }
    let mut of_one_name: BTreeMap<_, Vec<File<'_>>> = BTreeMap::new();
    for (number, input) in inputs.iter().enumerate() {
        let Some(rotated) = rotated(&input.name) else { continue };
        let input_id = InputId(u32::try_from(number).unwrap_or(u32::MAX));
        // Without a host in their places all are compared, whatever their folders are called.
        let files = of_one_name.entry((input.host, rotated.base)).or_default();
        if files.len() < FILES_MAX {
            files.push(File { input: input_id, rotated, span: spans.get(&input_id).copied() });
        }
    }
    let doubtful = |((host, _), files): (&(Option<Name>, &str), &Vec<File<'_>>)| {
        let is_doubtful = |file: &&File<'_>| {
            files.iter().any(|other| {
                other.input != file.input && other.span.is_some() && file.contradicts(other, host.is_some())
            })
        };
        files.iter().filter(is_doubtful).map(|file| file.input).collect::<Vec<_>>()
    };
    let doubtful: Vec<InputId> = of_one_name.iter().flat_map(doubtful).collect();
    if doubtful.is_empty() {
        return;
    }
    for fact in facts.iter_mut().filter(|fact| doubtful.contains(&fact.place.input)) {
        let place = inputs.get(fact.place.input.0 as usize).and_then(|input| input.host);
        if fact.host == place && prefix::split(&fact.text).host.is_none() {
            fact.host = None;
            fact.voice = digest(&(fact.voice, fact.place.input));
        }
    }
}
