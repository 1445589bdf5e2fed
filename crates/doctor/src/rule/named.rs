//! What Oarlock's own hosts name: they read the block after the answer, and nobody knows better.

use std::cmp::Reverse;

use oarlock_causes::Cause;

use super::{Case, Confidence, Proof, RULES};
use crate::fact::{Fact, Kind};
use crate::incident::Incident;
use crate::report::advice::{Risk, risk};

/// The causes that hosts name, with their lines: first those that put data at risk; then the own write that was met again, which goes before what is around it as
/// any proven pair does; then the others in the order of the chain, at whose end races stand: they are everyday, and explain nothing of what another record
/// suffered.
#[must_use]
pub fn causes<'a>(case: &Case<'a>) -> Vec<(Cause, Proof<'a>)> {
    let told = case.all(|fact| named(fact).is_some_and(|cause| cause != Cause::CannotTell));
    let link = |cause: Cause| RULES.iter().rposition(|(ruled, _)| *ruled == cause);
    let mut causes: Vec<Cause> = Cause::ALL.to_vec();
    causes.sort_by_key(|&cause| {
        (Reverse(risk(cause) == Risk::High), cause != Cause::DelayedOwnWrite, link(cause))
    });
    let of = |cause: Cause| {
        let lines: Vec<&Fact> = told.iter().copied().filter(|fact| named(fact) == Some(cause)).collect();
        let because = "An Oarlock host read the block after the answer, and names the cause itself.";
        (!lines.is_empty()).then(|| (cause, Proof::new(Confidence::Certain, because, lines)))
    };
    causes.into_iter().filter_map(of).collect()
}

/// An incident for each cause that puts data at risk, where hosts name several: none of these is a link to another, and each wants a remedy of its own.
/// What else happened stays with the first. Nothing where there are not two.
#[must_use]
pub fn parted<'a>(incident: &Incident<'a>) -> Vec<Incident<'a>> {
    let is_told = |cause: Cause| incident.facts.iter().any(|fact| named(fact) == Some(cause));
    let mut graves = Cause::ALL.iter().copied().filter(|cause| risk(*cause) == Risk::High && is_told(*cause));
    let (Some(_), others) = (graves.next(), graves.collect::<Vec<_>>()) else { return Vec::new() };
    if others.is_empty() {
        return Vec::new();
    }
    let part = |chosen: &dyn Fn(Option<Cause>) -> bool| Incident {
        facts: incident.facts.iter().copied().filter(|fact| chosen(named(fact))).collect(),
        ..incident.clone()
    };
    let first = part(&|cause| cause.is_none_or(|cause| !others.contains(&cause)));
    std::iter::once(first).chain(others.iter().map(|own| part(&|cause| cause == Some(*own)))).collect()
}

fn named(fact: &Fact) -> Option<Cause> {
    match fact.kind {
        Kind::Oarlock(cause) => Some(cause),
        _ => None,
    }
}
