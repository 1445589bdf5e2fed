//! The diagnosis: every incident before every rule, and the earliest link that the evidence proves.

use std::collections::BTreeMap;

use oarlock_causes::Cause;

use crate::advisory::Advisories;
use crate::bounds::{EVIDENCE_MAX, FINDINGS_MAX};
use crate::clock::{ClockOffset, ClockQuestion};
use crate::fact::{Fact, Kind};
use crate::finding::{Evidence, Finding, PutAside, Remedy, Report, Stranger};
use crate::gravity::{Harm, harm};
use crate::incident::{self, Incident, Weight, weight};
use crate::ledger::{Input, Ledger};
use crate::names::Name;
use crate::offset::Offset;
use crate::question::Question;
use crate::rule::{
    Case, Confidence, Judgement, Proof, RULES, Words, named, notices, order, system, unsolved, untied,
};
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
    clocks(&scene, &mut report);
    report.incidents = incidents.iter().flat_map(|incident| judge_apart(incident, scene, &inputs)).collect();
    report.incidents = crate::merge::alike(std::mem::take(&mut report.incidents));
    report
}

/// What is known of the hosts' clocks.
fn clocks(scene: &Scene<'_>, report: &mut Report) {
    let text = |name: Name| scene.names.text(name).to_owned();
    let than = scene.clocks.reference.map(text).unwrap_or_default();
    let offset = |(&host, offset): (&Name, &Offset)| ClockOffset {
        host: text(host),
        ahead_s: offset.ahead_us / 1_000_000,
        than: than.clone(),
        moments: offset.moments as u64,
        zoneless: !scene.clocks.zoned.contains(&host),
    };
    report.clock_offsets = scene.clocks.offsets.iter().map(offset).collect();
    let question = |question: &Question| ClockQuestion {
        host: text(question.late),
        ahead_s: question.apart_us / 1_000_000,
        than: text(question.early),
    };
    report.clock_questions = scene.clocks.questions.iter().map(question).collect();
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

/// One incident; or several, where Oarlock's hosts name causes that have nothing to do with each other, or it is of a volume and a device that only stood near
/// each other.
fn judge_apart<'a>(incident: &Incident<'a>, scene: Scene<'a>, inputs: &[Input]) -> Vec<Finding> {
    let parts = named::parted(incident);
    if !parts.is_empty() {
        return parts.iter().flat_map(|part| judge_apart(part, scene, inputs)).collect();
    }
    let case = Case { incident, scene };
    let verdict = judge(&case);
    if let Some(findings) = proved_by_the_device(&case, &verdict, inputs) {
        return findings;
    }
    let Some(halves) = untied::halves(&case, &verdict.proof.lines) else {
        return vec![verdict.write(&case, inputs)];
    };
    let findings = halves.iter().filter_map(|half| {
        let case = Case { incident: half, scene };
        let mut own = judge(&case);
        // What was known of the other half may have spoken against it.
        if own.cause == verdict.cause {
            own.proof.confidence = own.proof.confidence.min(verdict.proof.confidence);
        }
        let matters = half.facts.iter().any(|fact| weight(fact) == Weight::Trigger);
        (matters || own.cause == verdict.cause && own.cause != Cause::CannotTell)
            .then(|| own.write(&case, inputs))
    });
    let findings: Vec<Finding> = findings.collect();
    if findings.is_empty() { vec![verdict.write(&case, inputs)] } else { findings }
}

/// The findings of a device and of a volume near it, where the device's own lines prove the cause that was lowered because no line ties the two: what they
/// show about a test of its own, no heartbeat that was late beside them makes less sure.
fn proved_by_the_device(case: &Case<'_>, verdict: &Verdict<'_>, inputs: &[Input]) -> Option<Vec<Finding>> {
    let [of_devices, of_volumes] = untied::halves_of_a_tie(case, &verdict.proof)?;
    let of_the_device = Case { incident: &of_devices, scene: case.scene };
    let own = judge(&of_the_device);
    let lost = of_volumes.facts.iter().any(|fact| harm(fact) == Harm::Lost);
    let tested = !of_the_device.stakes().is_empty() && !lost;
    let is_surer = matches!(own.cause, Cause::SlowStorage | Cause::PathFault)
        && own.cause == verdict.cause
        && own.proof.confidence > verdict.proof.confidence;
    if !tested || !is_surer {
        return None;
    }
    let mut findings = vec![own.write(&of_the_device, inputs)];
    if of_volumes.facts.iter().any(|fact| weight(fact) == Weight::Trigger) {
        let of_the_volume = Case { incident: &of_volumes, scene: case.scene };
        findings.push(judge(&of_the_volume).write(&of_the_volume, inputs));
    }
    Some(findings)
}

/// What the rules say of one incident.
struct Verdict<'a> {
    cause: Cause,
    proof: Proof<'a>,
    /// Causes that were met besides, or put aside.
    met: Vec<(Cause, Proof<'a>)>,
    considered: Vec<PutAside>,
}

/// One incident before all rules.
fn judge<'a>(case: &Case<'a>) -> Verdict<'a> {
    let mut met: Vec<(Cause, Proof<'a>)> = named::causes(case);
    let mut considered = Vec::new();
    for &(cause, rule) in RULES {
        // A cause with several proofs is told by the first that holds.
        if met.iter().any(|(known, _)| *known == cause) {
            continue;
        }
        match rule(case) {
            Judgement::Met(proof) => {
                let proof = order::sobered(case, cause, untied::sobered(case, proof));
                met.push((cause, proof));
            }
            Judgement::Aside(why) => considered.push(PutAside { cause: cause.name().to_owned(), why }),
            Judgement::Silent => {}
        }
    }
    // The earliest link that is at least likely; else what is proved and has no name; else the earliest link that is possible.
    let sure = earliest(case, &met);
    let told = if sure.is_none() { unsolved::told(case) } else { None };
    // That a device is of a family for which a fault was published says nothing of what happened here: it is something to check.
    let fits = met.iter().position(|(cause, proof)| *cause != Cause::KnownAdvisory && !proof.is_beside);
    let chosen = sure.or(if told.is_some() { None } else { fits });
    let (cause, proof) = match chosen {
        Some(index) => met.remove(index),
        None => {
            let proof = told.or_else(|| notices::proof(case)).unwrap_or_else(|| unsolved::proof(case));
            (Cause::CannotTell, proof)
        }
    };
    Verdict { cause, proof, met, considered }
}

/// The earliest link of the chain that is at least likely. Rank is not time: a proven pair of an own write and its image goes before trouble
/// that only came later.
fn earliest(case: &Case<'_>, met: &[(Cause, Proof<'_>)]) -> Option<usize> {
    let is_sure = |proof: &Proof<'_>| proof.confidence >= Confidence::Likely;
    let pair = met.iter().find(|(cause, proof)| *cause == Cause::DelayedOwnWrite && is_sure(proof));
    met.iter().position(|(cause, proof)| {
        is_sure(proof)
            && !proof.is_beside
            && !order::is_overtaken(case, *cause, proof, met)
            && (*cause == Cause::DelayedOwnWrite
                || pair.is_none_or(|(_, pair)| order::may_lead(case, *cause, proof, pair)))
    })
}

impl Verdict<'_> {
    fn write(self, case: &Case<'_>, inputs: &[Input]) -> Finding {
        let Verdict { cause, proof, met, mut considered } = self;
        let mut finding = write(case, cause, proof, inputs);
        for (other, proof) in met {
            if proof.confidence >= Confidence::Likely {
                finding.also.push(other.name().to_owned());
                continue;
            }
            if other == Cause::KnownAdvisory {
                finding.collect_next.extend(proof.collect);
            }
            considered.push(PutAside {
                cause: other.name().to_owned(),
                why: format!("Possible, but less well shown. {}", proof.because),
            });
        }
        finding.considered = considered;
        finding
    }
}

fn write(case: &Case<'_>, cause: Cause, proof: Proof<'_>, inputs: &[Input]) -> Finding {
    let entry = cause.entry();
    let incident = case.incident;
    let texts = |names: &[Name]| -> Vec<String> {
        names.iter().map(|&name| case.scene.names.text(name).to_owned()).collect()
    };
    let count = |sum: u64, fact: &&Fact| sum.saturating_add(fact.count);
    let counted = incident.facts.iter().filter(|fact| weight(fact) > Weight::Context).fold(0, count);
    // What was pasted to be explained weighs nothing, and is there all the same.
    let events = if counted == 0 { proof.lines.iter().fold(0, count) } else { counted };
    let times = || incident.facts.iter().filter(|fact| weight(fact) > Weight::Context && !is_lasting(fact));
    let first = times().filter_map(|fact| fact.when).min_by_key(|when| (when.axis, when.micros));
    let last =
        times().filter_map(|fact| fact.when.and(fact.last)).max_by_key(|when| (when.axis, when.micros));
    let devices = texts(&incident.devices);
    let words = proof.words;
    let remedies = words.map_or(entry.remedy, |words| words.remedy);
    let without_vmware = system::is_without_vmware(case);
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
        harm: harm_of(case),
        breaks_writes: case.facts().any(|fact| harm(fact) == Harm::Broken),
        is_lone: cause == Cause::CannotTell && unsolved::is_lone(case, &proof),
        events,
        evidence: quoted(case, &proof.lines).into_iter().map(|fact| quote(case, fact, inputs)).collect(),
        explanation: words.map_or(entry.what, |words| words.what).to_owned(),
        because: with_notices(case, proof.because, words),
        considered: Vec::new(),
        remedy: remedies
            .iter()
            .filter(|remedy| !(without_vmware && remedy.is_for_vmware()))
            .map(|remedy| Remedy {
                text: remedy.text.to_owned(),
                risk: remedy.risk.name().to_owned(),
                source: remedy.source.to_string(),
            })
            .collect(),
        collect_next: proof.collect,
    }
}

/// What the lines show, with what was noticed beside it: it may be why, and no cause of the catalogue speaks of it.
fn with_notices(case: &Case<'_>, because: String, words: Option<&Words>) -> String {
    let noticed = notices::beside(case, words);
    if noticed.is_empty() {
        return because;
    }
    format!("{because} Noticed in the same minutes, which may have to do with it: {}.", noticed.join("; "))
}

/// The worst that happened. A test that was false in a race for a lock wrote nothing, and whoever sent it knows why.
fn harm_of(case: &Case<'_>) -> Harm {
    let worst = case.facts().map(harm).max().unwrap_or_default();
    if worst == Harm::False && case.is_a_plain_race() { Harm::Refused } else { worst }
}

/// The lines of a proof that are quoted. Of samples the worst of each device on each host, for they are many and say the same; and where a
/// proof is samples alone, what went wrong meanwhile stands behind them.
fn quoted<'a>(case: &Case<'a>, lines: &[&'a Fact]) -> Vec<&'a Fact> {
    const SAMPLES_MAX: usize = 3;
    const STAKES_MAX: usize = 4;
    let worst = |fact: &Fact| match &fact.kind {
        Kind::Queue(queue) => queue
            .device_ms
            .unwrap_or(0.0)
            .max(queue.kernel_ms.unwrap_or(0.0))
            .max(queue.guest_ms.unwrap_or(0.0)),
        _ => 0.0,
    };
    let is_sample = |fact: &&&Fact| matches!(fact.kind, Kind::Queue(_));
    let mut samples: Vec<&Fact> = lines.iter().filter(is_sample).copied().collect();
    if samples.len() <= SAMPLES_MAX {
        return lines.iter().copied().take(EVIDENCE_MAX).collect();
    }
    samples.sort_by(|one, other| worst(other).total_cmp(&worst(one)));
    let mut told: BTreeMap<(Option<Name>, Option<Name>), usize> = BTreeMap::new();
    samples.retain(|fact| {
        let series = told.entry((fact.host, fact.device)).or_default();
        *series += 1;
        *series <= SAMPLES_MAX
    });
    let mut quoted: Vec<&Fact> = lines.iter().filter(|fact| !is_sample(fact)).copied().collect();
    let mut kinds: Vec<(std::mem::Discriminant<Kind>, Option<Name>)> = Vec::new();
    if quoted.is_empty() {
        let stakes = case.stakes().into_iter().filter(|fact| {
            let kind = (std::mem::discriminant(&fact.kind), fact.host);
            let new = !kinds.contains(&kind);
            kinds.push(kind);
            new
        });
        quoted.extend(stakes.take(STAKES_MAX));
    }
    let room = EVIDENCE_MAX.saturating_sub(quoted.len().min(EVIDENCE_MAX / 2));
    samples.into_iter().take(room).chain(quoted).take(EVIDENCE_MAX).collect()
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
