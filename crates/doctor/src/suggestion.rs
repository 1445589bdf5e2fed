//! Suggestions for a running machine: what its settings, counters and versions call for, each with what was found, and
//! with the remedy and the source of the catalogue, of an advisory or of docs/ATS.md. None is invented here.

use std::collections::{BTreeMap, HashSet};

use oarlock_causes::{Cause, Source};
use serde::Serialize;

use crate::advisory::Advisory;
use crate::bounds::{MACHINE_PARTS_MAX, SUGGESTIONS_MAX};
use crate::dialect::machine::{CONGESTION, LINK_ERRORS, is_gone};
use crate::fact::{Component, Fact, Kind, Part, Setting};
use crate::machine_line::MARK;
use crate::scene::Scene;

/// One part of the machine, as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MachinePart {
    /// What it is: `disk`, `nvme`, `port`, `path`, `map`, `driver`.
    pub part: &'static str,
    /// Its name.
    pub name: String,
    /// What was read of it; the end of a name is its unit.
    pub values: BTreeMap<String, String>,
}

/// Something to change or to look at before it becomes a false answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The cause that it prevents.
    pub cause: String,
    /// The part of the machine.
    pub subject: String,
    /// What was found there.
    pub found: String,
    /// What to do.
    pub text: String,
    /// Who says so.
    pub source: String,
}

/// Samples of one disk that must agree: one is a moment.
const SAMPLES_MIN: usize = 3;
/// Time in the device over which it is slow [common practice: DAVG over 20 to 25 ms].
const DEVICE_MS: f64 = 20.0;
/// A command's time-out below this ends commands that are only late: a path's time-out lasts up to 30 s.
const TIMEOUT_S: f64 = 30.0;
const ATS: &str = "docs/ATS.md";

/// Every part that a machine told of itself, in the order of a report; loads are moments, and are not listed.
pub(crate) fn parts(scene: &Scene<'_>) -> Vec<MachinePart> {
    let mut last: BTreeMap<(Part, &str), &Setting> = BTreeMap::new();
    for setting in settings(scene).filter(|setting| setting.part != Part::Load) {
        last.insert((setting.part, &setting.name), setting);
    }
    let part = |setting: &Setting| MachinePart {
        part: setting.part.word(),
        name: setting.name.to_string(),
        values: setting.values.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    };
    last.into_values().take(MACHINE_PARTS_MAX).map(part).collect()
}

/// What the parts call for; the same said of several parts is said of each.
pub(crate) fn suggestions(scene: &Scene<'_>) -> Vec<Suggestion> {
    let mut looks: BTreeMap<(Part, &str), Vec<&Setting>> = BTreeMap::new();
    for setting in settings(scene) {
        looks.entry((setting.part, &setting.name)).or_default().push(setting);
    }
    let mut found = Vec::new();
    for looks in looks.into_values() {
        let Some(latest) = looks.last().copied().filter(|_| found.len() < SUGGESTIONS_MAX) else { break };
        match latest.part {
            Part::Disk => disk(latest, scene, &mut found),
            Part::Nvme => nvme(latest, &mut found),
            Part::Load => load(&looks, &mut found),
            Part::Port => port(latest, &mut found),
            Part::Path if gone(latest) => {
                found.push(of(
                    Cause::PathFault,
                    latest,
                    format!("{}, a path of {}", states(latest), map(latest)),
                ));
            }
            Part::Map if latest.number("active") == Some(0.0) => {
                found.push(of(Cause::PathFault, latest, "no path of it is active".to_owned()));
            }
            Part::Path | Part::Map | Part::Driver => {}
        }
    }
    versions(scene, &mut found);
    found.truncate(SUGGESTIONS_MAX);
    found
}

fn settings<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Setting> + use<'a> {
    scene.facts.iter().filter_map(|fact| match &fact.kind {
        Kind::Setting(setting) => Some(&**setting),
        _ => None,
    })
}

/// The catalogue's best remedy of a cause, for a part.
fn of(cause: Cause, setting: &Setting, found: String) -> Suggestion {
    remedy(cause, setting, found, |_| true)
}

fn remedy(cause: Cause, setting: &Setting, found: String, wanted: impl Fn(&Source) -> bool) -> Suggestion {
    let entry = cause.entry();
    let remedy = entry.remedy.iter().find(|remedy| wanted(&remedy.source)).or(entry.remedy.first());
    let (text, source) =
        remedy.map_or((entry.what, Source::CommonPractice), |remedy| (remedy.text, remedy.source));
    say(cause, setting, found, (text, &source.to_string()))
}

fn say(cause: Cause, setting: &Setting, found: String, (text, source): (&str, &str)) -> Suggestion {
    Suggestion {
        cause: cause.name().to_owned(),
        subject: setting.name.to_string(),
        found,
        text: text.to_owned(),
        source: source.to_owned(),
    }
}

fn gone(setting: &Setting) -> bool {
    ["state", "dm", "checker"].iter().any(|key| setting.text(key).is_some_and(is_gone))
}

fn states(setting: &Setting) -> String {
    let told =
        ["state", "dm", "checker"].iter().filter_map(|key| Some(format!("{key} {}", setting.text(key)?)));
    told.collect::<Vec<_>>().join(", ")
}

fn map(setting: &Setting) -> String {
    setting.text("map").unwrap_or("no map").to_owned()
}

fn disk(disk: &Setting, scene: &Scene<'_>, found: &mut Vec<Suggestion>) {
    if gone(disk) {
        found.push(of(Cause::PathFault, disk, states(disk)));
    }
    let shared = disk.text("transport").is_some_and(|transport| transport != "local");
    if shared && disk.number("caw_blocks") == Some(0.0) {
        let what = "VPD page B0h, byte 5: COMPARE AND WRITE of 0 blocks at most".to_owned();
        found.push(of(Cause::AtsUnsupported, disk, what));
    }
    if let Some(timeout) = disk.number("timeout_s").filter(|&timeout| shared && timeout < TIMEOUT_S) {
        let what = format!("a command is given up after {timeout} s");
        found.push(remedy(Cause::ResetCascade, disk, what, |source| *source == Source::Document(ATS)));
    }
    let (vendor, model) = (disk.text("vendor").unwrap_or(""), disk.text("model").unwrap_or(""));
    let product = format!("{vendor} {model}");
    match vendor {
        "LIO-ORG" if model.starts_with("TCMU") => {
            let of_gateway = |source: &Source| source.to_string().contains("/pull/330");
            found.push(remedy(Cause::GatewayFault, disk, product, of_gateway));
        }
        "LIO-ORG" => {
            let text = "LIO lets a plain WRITE in between a COMPARE AND WRITE: let a shared record change by test and set only.";
            found.push(say(Cause::ArrayFault, disk, product, (text, ATS)));
        }
        "IET" => {
            let text = "The test and set of tgt is not atomic with several I/O threads: count with several initiators before it is trusted.";
            found.push(say(Cause::ArrayFault, disk, product, (text, ATS)));
        }
        _ => {}
    }
    let family = disk.text("wwid").and_then(|wwid| scene.advisories.of_device(wwid));
    if let Some((advisory, _)) = family {
        found.push(advised(
            disk,
            advisory,
            format!("a device of {}; its own version is not told here", advisory.product),
        ));
    }
}

fn advised(setting: &Setting, advisory: Advisory<'_>, found: String) -> Suggestion {
    let text = format!("{} ({}): {}.", advisory.fault, advisory.range, advisory.remedy);
    say(Cause::KnownAdvisory, setting, found, (&text, advisory.source))
}

fn nvme(nvme: &Setting, found: &mut Vec<Suggestion>) {
    if nvme.text("transport").is_some_and(|transport| !matches!(transport, "pcie" | "loop")) {
        let text = "Linux's NVMe driver refuses fused commands: this host cannot do a test and set there; others may through the target.";
        let what = format!("NVMe over {}", nvme.text("transport").unwrap_or("a fabric"));
        found.push(say(Cause::AtsUnsupported, nvme, what, (text, ATS)));
    }
    if let Some(state) = nvme.text("state").filter(|&state| state != "live" && state != "new") {
        found.push(of(Cause::PathFault, nvme, format!("state {state}")));
    }
}

/// What several looks at a disk say together.
fn load(looks: &[&Setting], found: &mut Vec<Suggestion>) {
    let Some(last) = looks.last() else { return };
    let full = |look: &&&Setting| {
        look.number("under_way")
            .zip(look.number("queue_depth"))
            .is_some_and(|(under_way, depth)| under_way > depth)
    };
    let fulls: Vec<_> = looks.iter().filter(full).collect();
    if fulls.len() >= SAMPLES_MIN {
        let most = fulls.iter().filter_map(|look| look.number("under_way")).fold(0.0, f64::max);
        let depth = last.number("queue_depth").unwrap_or(0.0);
        let what = format!(
            "in {} of {} looks its queue was full: up to {most:.0} requests under way, and {depth} places",
            fulls.len(),
            looks.len()
        );
        found.push(of(Cause::QueueDepth, last, what));
    }
    let slow: Vec<f64> = looks
        .iter()
        .filter(|look| !full(look))
        .filter_map(|look| look.number("await_ms"))
        .filter(|&await_ms| await_ms > DEVICE_MS)
        .collect();
    if slow.len() >= SAMPLES_MIN {
        let worst = slow.iter().copied().fold(0.0, f64::max);
        let what = format!(
            "in {} of {} looks a request took {worst:.1} ms and less, over {DEVICE_MS} ms",
            slow.len(),
            looks.len()
        );
        found.push(of(Cause::SlowStorage, last, what));
    }
    let stuck = looks.iter().filter(|look| {
        look.number("ended") == Some(0.0)
            && look.number("under_way").is_some_and(|under_way| under_way >= 1.0)
    });
    if stuck.count() >= SAMPLES_MIN {
        let what = "requests are under way, and none ended while it was looked at".to_owned();
        found.push(of(Cause::SlowStorage, last, what));
    }
}

fn port(port: &Setting, found: &mut Vec<Suggestion>) {
    let counted = |names: &[&str], now_only: &[&str]| {
        let told = names.iter().filter_map(|name| {
            let total = port.number(name).filter(|&total| total > 0.0)?;
            let grew = port.number(&format!("{name}_grew")).unwrap_or(0.0);
            let matters = grew > 0.0 || !now_only.contains(name);
            matters.then(|| format!("{name} {total:.0} since the driver began, {grew:.0} of them just now"))
        });
        told.collect::<Vec<_>>().join("; ")
    };
    // Links fail and lose their signal whenever a host or a switch starts: only what grows is worth a word.
    let of_starts =
        ["link_failure_count", "loss_of_sync_count", "loss_of_signal_count", "invalid_tx_word_count"];
    let link = counted(&LINK_ERRORS, &of_starts);
    if !link.is_empty() {
        found.push(of(Cause::PathFault, port, link));
    }
    let congestion = counted(&CONGESTION, &[]);
    if !congestion.is_empty() {
        found.push(of(Cause::FabricCongestion, port, congestion));
    }
    if let Some(state) = port.text("state").filter(|&state| matches!(state, "Linkdown" | "Offline" | "Error"))
    {
        found.push(of(Cause::PathFault, port, format!("port state {state}")));
    }
}

/// Versions of drivers and firmware that a published fault names.
fn versions(scene: &Scene<'_>, found: &mut Vec<Suggestion>) {
    // A machine that told nothing of its parts is not asked for its versions: logs have their own rule for them.
    let of_machine = scene.facts.iter().filter(|fact| fact.text.contains(MARK));
    let of_version = |fact: &'_ Fact| match &fact.kind {
        Kind::Version(component) => Some(component.clone()),
        _ => None,
    };
    // Each once: a hundred disks of one array are one version.
    let components: HashSet<Component> = of_machine.filter_map(of_version).collect();
    let mut components: Vec<Component> = components.into_iter().collect();
    components.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    for component in &components {
        let Some((advisory, _)) = scene.advisories.of_component(component) else { continue };
        let suggestion = Suggestion {
            subject: component.name.to_string(),
            cause: Cause::KnownAdvisory.name().to_owned(),
            found: format!("version {} ({})", component.version, advisory.product),
            text: format!("{} ({}): {}.", advisory.fault, advisory.range, advisory.remedy),
            source: advisory.source.to_owned(),
        };
        found.push(suggestion);
    }
}
