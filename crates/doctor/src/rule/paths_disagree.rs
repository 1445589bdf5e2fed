//! `paths-disagree`: one block gives different answers through different paths.

use std::collections::BTreeMap;

use super::case::{Case, FIRST, command};
use super::{Confidence, Judgement, Proof};
use crate::fact::{Command, Component, Fact, Kind};
use crate::names::Name;

/// So many false answers on one path alone are no chance.
const FALSE_MIN: u64 = 4;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let mut by_path: BTreeMap<Name, Vec<&'a Fact>> = BTreeMap::new();
    let ats = case.commands(Command::is_ats);
    for fact in ats.iter().filter(|fact| command(fact).is_some_and(|command| command.miscompared())) {
        if let Some(path) = fact.path {
            by_path.entry(path).or_default().push(fact);
        }
    }
    // Other I/O to the device went through other paths all the while; to ask it how it is, hosts use paths that carry nothing.
    let carries =
        |command: &Command| command.is_ats() || command.opcode.is_none_or(|opcode| opcode.moves_data());
    let others = case.all(|fact| {
        fact.path.is_some_and(|path| !by_path.contains_key(&path)) && command(fact).is_some_and(carries)
    });
    let count: u64 = by_path.values().flatten().map(|fact| fact.count).fold(0, u64::saturating_add);
    if by_path.len() != 1 || others.is_empty() || count < FALSE_MIN || !case.unanswered_ats().is_empty() {
        return Judgement::Silent;
    }
    let because = format!(
        "{count} atomic tests and sets were false, all through one path, while other paths to the same device were in use, and none of \
         them was false there."
    );
    let lines: Vec<&Fact> = by_path.into_values().flatten().take(6).collect();
    let versions = two_versions(case);
    let confidence = if versions.is_empty() { Confidence::Possible } else { Confidence::Likely };
    let because = if versions.is_empty() {
        because
    } else {
        format!("{because} The controllers behind these paths say two versions of one firmware.")
    };
    let lines = lines.into_iter().chain(versions).collect();
    Judgement::Met(
        Proof::new(confidence, because, lines)
            .and_collect("One block read through each path in turn (`sg_read_block_limits` for the id, `sg_dd` of the same block): do they agree? Firmware of all controllers."),
    )
}

/// Two lines in which one product has two versions on two paths.
fn two_versions<'a>(case: &Case<'a>) -> Vec<&'a Fact> {
    let versions: Vec<(&Fact, &Component)> = case
        .facts()
        .filter_map(|fact| match &fact.kind {
            Kind::Version(component) if fact.path.is_some() => Some((fact, component)),
            _ => None,
        })
        .take(FIRST)
        .collect();
    let Some(&(first, known)) = versions.first() else { return Vec::new() };
    let other = versions.iter().find(|(fact, component)| {
        component.name == known.name && component.version != known.version && fact.path != first.path
    });
    other.map_or_else(Vec::new, |(other, _)| vec![first, *other])
}
