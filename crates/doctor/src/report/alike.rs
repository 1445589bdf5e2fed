//! Findings in the same words: on a first screen they are one line, for whoever reads in a hurry reads the rest only if it says something else.

use oarlock_causes::Cause;

use super::some::some_of;
use crate::finding::Finding;

/// Findings that a first screen would tell in the same words, each group with the number of its first.
pub(super) fn alike(findings: &[Finding]) -> Vec<(usize, Vec<&Finding>)> {
    let mut groups: Vec<(usize, Vec<&Finding>)> = Vec::new();
    for (index, finding) in findings.iter().enumerate() {
        let same = |(_, known): &&mut (usize, Vec<&Finding>)| {
            known.first().is_some_and(|known| titled(known) == titled(finding))
        };
        match groups.iter_mut().find(same) {
            Some((_, known)) => known.push(finding),
            None => groups.push((index + 1, vec![finding])),
        }
    }
    groups
}

/// What it is, and how sure that is.
pub(super) fn titled(finding: &Finding) -> String {
    let sure = if finding.cause == Cause::CannotTell.name() {
        String::new()
    } else {
        format!(", {}", finding.confidence)
    };
    format!("{} ({}{sure})", finding.title().unwrap_or(""), finding.cause)
}

/// `, 3 times, on gold, silver`: how many they are, and where.
pub(super) fn times_and_places(findings: &[&Finding]) -> String {
    let mut places: Vec<String> = Vec::new();
    for place in findings.iter().filter_map(|finding| finding.volume.as_ref().or(finding.device.as_ref())) {
        if !places.contains(place) {
            places.push(place.clone());
        }
    }
    let places = if places.is_empty() { String::new() } else { format!(", on {}", some_of(&places)) };
    format!(", {} times{places}", findings.len())
}
