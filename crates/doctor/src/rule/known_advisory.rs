//! `known-advisory`: what the logs say of versions matches a published fault.

use std::collections::BTreeSet;

use super::case::Case;
use super::system::is_of_vmware;
use super::{Confidence, Judgement, Proof};
use crate::advisory::Match;
use crate::fact::Kind;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    if case.stakes().is_empty() {
        return Judgement::Silent;
    }
    let mut lines = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    let mut confidence = Confidence::Possible;
    let mut seen = BTreeSet::new();
    for fact in case.facts() {
        // A device is looked up once, not with every line.
        if !matches!(fact.kind, Kind::Version(_)) && !seen.insert(fact.device) {
            continue;
        }
        let matched = match &fact.kind {
            Kind::Version(component) => case.scene.advisories.of_component(component),
            _ => case.text(fact.device).and_then(|device| case.scene.advisories.of_device(device)),
        };
        let Some((advisory, how)) = matched else { continue };
        // A driver of one name has other versions, and other faults, on each system.
        let of_vmware = advisory.product.contains("ESX");
        if how == Match::Version && of_vmware && !is_of_vmware(fact) {
            continue;
        }
        if how == Match::Version {
            confidence = Confidence::Likely;
        }
        let text = format!(
            "{}: {} ({}). Remedy: {}. Source: {}.",
            advisory.product, advisory.fault, advisory.range, advisory.remedy, advisory.source
        );
        if !texts.contains(&text) {
            texts.push(text);
            lines.push(fact);
        }
    }
    if texts.is_empty() {
        return Judgement::Silent;
    }
    let sure = if confidence == Confidence::Likely {
        "A version in these lines lies in the range of a published fault."
    } else {
        "The device is of a family for which a fault was published; its version is not in these lines."
    };
    let because = format!("{sure} {}", texts.join(" "));
    Judgement::Met(Proof::new(confidence, because, lines).and_collect(
        "The versions of array, adapter firmware, driver and host, to hold against the published fault of this family: does it apply here at all?",
    ))
}
