//! Findings that say the same are one: many LUNs behind one broken cable are one case.

use crate::bounds::EVIDENCE_MAX;
use crate::finding::Finding;

/// Merges findings of one cause whose times overlap and that share a host; sorts the gravest first.
#[must_use]
pub fn alike(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        match merged.iter_mut().find(|known| is_same(known, &finding)) {
            Some(known) => join(known, finding),
            None => merged.push(finding),
        }
    }
    merged.sort_by_key(|finding| (rank(finding), std::cmp::Reverse(finding.events)));
    merged
}

fn rank(finding: &Finding) -> u8 {
    let solved = finding.cause != oarlock_causes::Cause::CannotTell.name();
    match (solved, finding.confidence.as_str()) {
        (true, "certain") => 0,
        (true, "likely") => 1,
        (true, _) => 2,
        (false, _) => 3,
    }
}

fn is_same(known: &Finding, finding: &Finding) -> bool {
    let overlap = known.first <= finding.last && finding.first <= known.last;
    let host = known.hosts.is_empty()
        || finding.hosts.is_empty()
        || finding.hosts.iter().any(|host| known.hosts.contains(host));
    // What nobody could explain is not explained by its likes.
    known.cause == finding.cause && known.cause != oarlock_causes::Cause::CannotTell.name() && overlap && host
}

fn join(known: &mut Finding, other: Finding) {
    let add = |into: &mut Vec<String>, from: Vec<String>| {
        for text in from {
            if !into.contains(&text) {
                into.push(text);
            }
        }
    };
    add(&mut known.devices, other.devices);
    add(&mut known.hosts, other.hosts);
    add(&mut known.also, other.also);
    add(&mut known.collect_next, other.collect_next);
    known.first = known.first.take().min(other.first);
    known.last = known.last.take().max(other.last);
    known.span = match (known.span, other.span) {
        (Some((first, last)), Some((from, to))) if first.axis == from.axis && last.axis == to.axis => Some((
            if from.micros < first.micros { from } else { first },
            if to.micros > last.micros { to } else { last },
        )),
        (known, other) => known.or(other),
    };
    known.events = known.events.saturating_add(other.events);
    for evidence in other.evidence {
        if known.evidence.len() < EVIDENCE_MAX && !known.evidence.contains(&evidence) {
            known.evidence.push(evidence);
        }
    }
    known.volume = known.volume.take().or(other.volume);
}
