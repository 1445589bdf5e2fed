//! The diagnosis: every incident before every rule, and the earliest link that the evidence proves.

use oarlock_causes::Cause;

use crate::advisory::Advisories;
use crate::bounds::{EVIDENCE_MAX, FINDINGS_MAX};
use crate::fact::{Fact, Kind};
use crate::finding::{ClockOffset, Evidence, Finding, PutAside, Remedy, Report, Stranger};
use crate::gravity::harm;
use crate::incident::{self, Incident, Weight, weight};
use crate::ledger::{Input, Ledger};
use crate::names::Name;
use crate::rule::{Case, Confidence, Judgement, Proof, RULES, unsolved};
use crate::scene::Scene;
use crate::series::Chronicle;
use crate::suggestion;

/// What was read, judged.
#[must_use]
pub fn diagnose(ledger: &mut Ledger, advisories: &Advisories, with_strangers: bool) -> Report {
    let inputs = ledger.inputs.clone();
    let mut report = Report {
        files: inputs.len() as u64,
        lines: ledger.lines,
        understood: ledger.understood,
        strange: ledger.strange,
        ..Report::default()
    };
    if with_strangers {
        let stranger = |line: &crate::ledger::StrangerLine| Stranger {
            file: name_of(&inputs, line.place.input.0),
            line: line.place.line,
            text: line.text.to_string(),
        };
        report.strangers = ledger.strangers.iter().map(stranger).collect();
    }
    let scene = Scene::set(ledger, advisories);
    report.machine = suggestion::parts(&scene);
    report.suggestions = suggestion::suggestions(&scene);
    let incident::Incidents { found: incidents, left_out } = incident::find(&scene);
    report.chronicle = Chronicle::of(scene.facts, scene.names, &incidents);
    let incidents = gravest(incidents, &mut report.incidents_unjudged);
    report.incidents_unjudged = report.incidents_unjudged.saturating_add(left_out);
    let offset = |(&host, &us): (&Name, &i64)| ClockOffset {
        host: scene.names.text(host).to_owned(),
        ahead_s: us / 1_000_000,
    };
    report.clock_offsets = scene.offsets.iter().map(offset).collect();
    report.incidents = incidents.iter().map(|incident| judge(incident, scene, &inputs)).collect();
    report.incidents = crate::merge::alike(std::mem::take(&mut report.incidents));
    report
}

/// The [`FINDINGS_MAX`] gravest incidents, in the order of time; how many were left is noted.
fn gravest<'a>(incidents: Vec<Incident<'a>>, left: &mut u64) -> Vec<Incident<'a>> {
    *left = incidents.len().saturating_sub(FINDINGS_MAX) as u64;
    let worst = |incident: &Incident<'_>| incident.facts.iter().map(|fact| harm(fact)).max();
    let mut ranked: Vec<_> = incidents.into_iter().enumerate().collect();
    ranked.sort_by_cached_key(|(index, incident)| (std::cmp::Reverse(worst(incident)), *index));
    ranked.truncate(FINDINGS_MAX);
    ranked.sort_by_key(|(index, _)| *index);
    ranked.into_iter().map(|(_, incident)| incident).collect()
}

fn name_of(inputs: &[Input], index: u32) -> String {
    inputs.get(index as usize).map(|input| input.name.clone()).unwrap_or_default()
}

/// One incident before all rules.
fn judge<'a>(incident: &'a Incident<'a>, scene: Scene<'a>, inputs: &[Input]) -> Finding {
    let case = Case { incident, scene };
    let mut met: Vec<(Cause, Proof<'a>)> = Vec::new();
    let mut considered = Vec::new();
    // A host that names its own cause has read the block; nobody knows better.
    for &cause in Cause::ALL.iter().filter(|cause| **cause != Cause::CannotTell) {
        let lines = case.all(|fact| fact.kind == Kind::Oarlock(cause));
        if !lines.is_empty() {
            let because = "An Oarlock host read the block after the answer, and names the cause itself.";
            met.push((cause, Proof::new(Confidence::Certain, because, lines)));
        }
    }
    for &(cause, rule) in RULES {
        match rule(&case) {
            Judgement::Met(proof) => met.push((cause, proof)),
            Judgement::Aside(why) => considered.push(PutAside { cause: cause.name().to_owned(), why }),
            Judgement::Silent => {}
        }
    }
    // The earliest link that is at least likely; else what is proved and has no name; else the earliest link that is possible.
    let sure = met.iter().position(|(_, proof)| proof.confidence >= Confidence::Likely);
    let told = if sure.is_none() { unsolved::told(&case) } else { None };
    // That a device is of a family for which a fault was published says nothing of what happened here: it is something to check.
    let fits = met.iter().position(|(cause, _)| *cause != Cause::KnownAdvisory);
    let chosen = sure.or(if told.is_some() { None } else { fits });
    let (cause, proof) = match chosen {
        Some(index) => met.remove(index),
        None => (Cause::CannotTell, told.unwrap_or_else(|| unsolved::proof(&case))),
    };
    let mut finding = write(&case, cause, proof, inputs);
    for (other, proof) in met {
        if proof.confidence >= Confidence::Likely {
            finding.also.push(other.name().to_owned());
        } else {
            if other == Cause::KnownAdvisory {
                finding.collect_next.extend(proof.collect);
            }
            considered.push(PutAside {
                cause: other.name().to_owned(),
                why: format!("Possible, but less well shown. {}", proof.because),
            });
        }
    }
    finding.considered = considered;
    finding
}

fn write(case: &Case<'_>, cause: Cause, proof: Proof<'_>, inputs: &[Input]) -> Finding {
    let entry = cause.entry();
    let incident = case.incident;
    let texts = |names: &[Name]| -> Vec<String> {
        names.iter().map(|&name| case.scene.names.text(name).to_owned()).collect()
    };
    let counted = incident.facts.iter().filter(|fact| weight(fact) > Weight::Context);
    let times = || incident.facts.iter().filter(|fact| weight(fact) > Weight::Context && !is_lasting(fact));
    let first = times().filter_map(|fact| fact.when).min_by_key(|when| (when.axis, when.micros));
    let last = times().filter_map(|fact| fact.last).max_by_key(|when| (when.axis, when.micros));
    let devices = texts(&incident.devices);
    let words = proof.words;
    let remedies = words.map_or(entry.remedy, |words| words.remedy);
    Finding {
        cause: cause.name().to_owned(),
        own_title: words.map(|words| words.title),
        layer: words.map_or(entry.layer, |words| words.layer).name().to_owned(),
        confidence: proof.confidence.name().to_owned(),
        also: Vec::new(),
        consequence: words.map_or(entry.consequence, |words| words.consequence).to_owned(),
        device: devices.first().cloned(),
        also_called: also_called(&case.scene, &incident.devices),
        devices,
        volume: texts(&incident.volumes).into_iter().next(),
        hosts: texts(&incident.hosts),
        first: first.map(|when| when.to_string()),
        last: last.map(|when| when.to_string()),
        span: first.zip(last),
        harm: incident.facts.iter().map(|fact| harm(fact)).max().unwrap_or_default(),
        events: counted.map(|fact| fact.count).fold(0, u64::saturating_add),
        evidence: proof.lines.iter().take(EVIDENCE_MAX).map(|fact| quote(case, fact, inputs)).collect(),
        explanation: words.map_or(entry.what, |words| words.what).to_owned(),
        because: proof.because,
        considered: Vec::new(),
        remedy: remedies
            .iter()
            .map(|remedy| Remedy {
                text: remedy.text.to_owned(),
                risk: remedy.risk.name().to_owned(),
                source: remedy.source.to_string(),
            })
            .collect(),
        collect_next: proof.collect,
    }
}

fn also_called(scene: &Scene<'_>, devices: &[Name]) -> Vec<String> {
    const DEVICES_MAX: usize = 8;
    let of_each = devices.iter().take(DEVICES_MAX);
    of_each.flat_map(|&device| crate::ties::also_called(scene.ties, scene.names, device)).collect()
}

fn is_lasting(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Version(_))
}

fn quote(case: &Case<'_>, fact: &Fact, inputs: &[Input]) -> Evidence {
    Evidence {
        file: name_of(inputs, fact.place.input.0),
        line: fact.place.line,
        text: fact.text.to_string(),
        time: fact.when.map(|when| when.to_string()),
        local_time: fact.when.and_then(|when| when.in_own_zone()),
        host: case.text(fact.host).map(str::to_owned),
        count: fact.count,
    }
}
