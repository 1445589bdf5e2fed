//! Proofs that hang on a volume lying on a device, where no line says that it does.
//!
//! A heartbeat names its volume, a failed command its device. Near each other in time they are two of many: a host has dozens of
//! both. What is proved by both together is no more than possible until a line ties them.

use super::case::{Case, FIRST, command};
use super::{Confidence, Proof};
use crate::fact::{Fact, Kind};
use crate::incident::Incident;
use crate::names::Name;
use crate::prefix;
use crate::subject;
use crate::text::{between, has};
use crate::unread_time;

/// The proof, no surer than its ties allow.
#[must_use]
pub fn sobered<'a>(case: &Case<'a>, proof: Proof<'a>) -> Proof<'a> {
    if proof.confidence == Confidence::Possible {
        return proof;
    }
    // A sentence, or an example, shows nothing: not even what it is about.
    if proof.lines.iter().take(FIRST).any(|fact| fact.is_told) {
        return proof
            .but("But lines of it are quoted in a sentence, or stand in a document as an example may: whether they were seen here, only who wrote it knows.")
            .and_collect("The log itself, of the host and the minutes that this is about.");
    }
    if bear_unread_times(&proof.lines) {
        return proof
            .but("But the times of these lines are written in a form that is not read here: nothing shows that they are near each other.")
            .and_collect("The same lines with their times as `2026-01-31T12:00:00Z`, or the log as its host wrote it.");
    }
    if speak_from_several_places(&proof.lines) {
        return proof
            .but("But these lines stand in different files or sections, and no line says that one host wrote them.")
            .and_collect("Which host wrote each of these lines: its name before the line, or each host's log in a folder of its name.");
    }
    if let Some(label) = label_of_several(case, &proof.lines) {
        return proof
            .but(&format!("But {label} is the label of several volumes in these lines, by their ids: which of them each line is about, it does not say."))
            .and_collect("The ids of the volumes on this host: `esxcli storage filesystem list`.");
    }
    let Some((volume, device)) = untied(case, &proof.lines) else { return without_strangers(case, proof) };
    let names = case.scene.names;
    let (volume, device) = (names.text(volume), names.text(device));
    let proof = proof
        .but(&format!("This holds if volume {volume} lies on {device}, which no line says."))
        .and_collect("Which device the volume lies on: `esxcli storage vmfs extent list` on the host that wrote these lines.");
    Proof { is_untied: true, ..proof }
}

/// Whether a proof of several lines has some whose time is printed and was not understood, or whose zones have names that mean several: that is not the same as none.
fn bear_unread_times(lines: &[&Fact]) -> bool {
    let unread = |fact: &&Fact| fact.when.is_none() && unread_time::stands_before(&fact.text);
    let mut zones = lines.iter().take(FIRST).map(|fact| prefix::ambiguous_zone(&fact.text));
    let first = zones.next().flatten();
    lines.len() > 1 && (zones.any(|zone| zone != first) || lines.iter().take(FIRST).any(unread))
}

/// The label that lines of a proof share, where lines of the incident print several ids with it: then it is no identity.
fn label_of_several<'a>(case: &Case<'a>, lines: &[&Fact]) -> Option<&'a str> {
    const ID_BYTES: usize = 35;
    let mut volumes = lines.iter().take(FIRST).filter_map(|fact| fact.volume);
    let first = volumes.next()?;
    if volumes.all(|volume| volume != first) {
        return None;
    }
    let label = case.text(Some(first))?;
    // `[esx.problem.vmfs.heartbeat.timedout] 66aa...-... gold`, `volume 66aa...-... (gold)`
    let id = |fact: &'a Fact| {
        let at = fact.text.rfind(label)?;
        let front = fact.text[..at].trim_end_matches([' ', '(', '"', '\'', '/']);
        let id = front.get(front.len().checked_sub(ID_BYTES)?..)?;
        let is_id =
            id.matches('-').count() == 3 && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        is_id.then_some(id)
    };
    let mut ids = case.facts().take(FIRST).filter(|fact| fact.volume == Some(first)).filter_map(id);
    let known = ids.next()?;
    ids.any(|id| id != known).then_some(label)
}

/// Whether lines of no known host stand in several places that may be of several hosts. Each of them may still prove its own.
#[must_use]
pub fn speak_from_several_places(lines: &[&Fact]) -> bool {
    let mut nameless = lines.iter().take(FIRST).filter(|fact| fact.host.is_none());
    let first = nameless.next();
    let Some(first) = first else { return false };
    // What a line without a name says of its own host may be another's than the one that is named elsewhere.
    let is_own = |fact: &Fact| {
        matches!(fact.kind, Kind::Command(_) | Kind::Heartbeat(_) | Kind::Path(_) | Kind::AdapterFault)
    };
    let is_named = |fact: &&Fact| fact.host.is_some() && is_own(fact);
    // One log writes its times in one way: with a zone, or without.
    let has_a_zone = |fact: &Fact| fact.when.map(|when| when.zone_minutes.is_some());
    let is_another = |other: &Fact| {
        let zones = has_a_zone(other).zip(has_a_zone(first));
        other.voice != first.voice || zones.is_some_and(|(one, other)| one != other)
    };
    nameless.any(|other| is_another(other)) || is_own(first) && lines.iter().take(FIRST).any(is_named)
}

/// A volume and a device of a proof whose lines name one each, and that no line of all that was read names together.
fn untied(case: &Case<'_>, lines: &[&Fact]) -> Option<(Name, Name)> {
    let lines = || lines.iter().take(FIRST);
    let volumes: Vec<Name> =
        lines().filter(|fact| fact.device.is_none()).filter_map(|fact| fact.volume).collect();
    let devices: Vec<Name> =
        lines().filter(|fact| fact.volume.is_none()).filter_map(|fact| fact.device).collect();
    let (volume, device) = (*volumes.first()?, *devices.first()?);
    (!case.scene.knowledge.ties(&volumes, &devices, case.when())).then_some((volume, device))
}

/// What a host says of its own parts, of its own space and of services that run on it, without a device, is no proof about a device
/// that the same host reaches from afar.
fn without_strangers<'a>(case: &Case<'a>, proof: Proof<'a>) -> Proof<'a> {
    let is_nameless = |fact: &&&Fact| {
        fact.device.is_none()
            && fact.volume.is_none()
            && (matches!(fact.kind, Kind::Target(_) | Kind::Space(_) | Kind::Gateway(_) | Kind::Medium)
                || is_of_lio(fact))
    };
    let stranger =
        proof.lines.iter().take(FIRST).find(is_nameless).filter(|fact| is_of_a_stranger(case, fact));
    if stranger.is_none() {
        return proof;
    }
    proof.but("But that line is of a host's own log and does not name the device: no line says that it is about it.")
}

/// Whether a line that names no device is of a target, or of parts of a host, that cannot be known to be this incident's.
#[must_use]
pub fn is_of_a_stranger(case: &Case<'_>, fact: &Fact) -> bool {
    // A target whose log names its host serves this device only if the device is of its kind: LIO's have ids of their own.
    let of_a_known_target = |fact: &Fact| {
        let id = case.text(fact.device).unwrap_or_default();
        id.contains("6001405") || !id.starts_with("naa.6")
    };
    let named = |other: &Fact| fact.host.is_some() && other.host.is_some();
    // Who serves images of Ceph serves them as LIO's, whose ids are known.
    let of_ceph = is_of_ceph(fact);
    let of_no_gateway = of_ceph && is_of_the_whole_cluster(fact) && !is_tied_by_a_gateway(case, fact);
    let mut commands =
        case.facts().take(FIRST).filter(|fact| fact.device.is_some() && command(fact).is_some());
    commands.any(|other| {
        let strange = !of_a_known_target(other);
        let unknown =
            of_no_gateway || of_ceph && !case.text(other.device).unwrap_or_default().contains("6001405");
        named(other) && (other.host == fact.host || strange) || is_of_lio(fact) && strange || unknown
    })
}

/// The two halves of an incident whose volumes and devices were put together only because nothing else was near, where the proof needs
/// but one of them: the volume's trouble is a question of its own then. What names neither belongs to both.
#[must_use]
pub fn halves<'a>(case: &Case<'a>, lines: &[&Fact]) -> Option<[Incident<'a>; 2]> {
    let incident = case.incident;
    if let Some(halves) = of_a_lease_alone(case, lines) {
        return Some(halves);
    }
    let (devices, volumes) = (&incident.devices, &incident.volumes);
    if devices.is_empty() || volumes.is_empty() || case.scene.knowledge.ties(volumes, devices, case.when()) {
        return None;
    }
    let by_device = lines.iter().any(|fact| fact.device.is_some());
    let by_volume = lines.iter().any(|fact| fact.volume.is_some());
    if by_device == by_volume {
        return None;
    }
    Some(parted(incident))
}

/// The halves of an incident of which the proof is lowered for the tie alone: the device's lines may prove as much by themselves.
#[must_use]
pub fn halves_of_a_tie<'a>(case: &Case<'a>, proof: &Proof<'_>) -> Option<[Incident<'a>; 2]> {
    let incident = case.incident;
    (proof.is_untied && !incident.devices.is_empty() && !incident.volumes.is_empty())
        .then(|| parted(incident))
}

/// What is of the devices, and what is of the volumes; what names neither is of both.
fn parted<'a>(incident: &Incident<'a>) -> [Incident<'a>; 2] {
    let (devices, volumes) = (&incident.devices, &incident.volumes);
    let half = |chosen: &dyn Fn(&Fact) -> bool| Incident {
        facts: incident.facts.iter().copied().filter(|fact| chosen(fact)).collect(),
        hosts: incident.hosts.clone(),
        ..Incident::default()
    };
    let of_devices = half(&|fact| fact.volume.is_none());
    let of_volumes = half(&|fact| fact.device.is_none());
    [Incident { devices: devices.clone(), ..of_devices }, Incident { volumes: volumes.clone(), ..of_volumes }]
}

/// The two halves of an incident that is explained by what a lock manager says of its leases, none of which names the device that the
/// commands of the incident are about: a lease lies on a device of its own.
fn of_a_lease_alone<'a>(case: &Case<'a>, lines: &[&Fact]) -> Option<[Incident<'a>; 2]> {
    let of_a_lease =
        |fact: &Fact| matches!(fact.kind, Kind::Cluster(_)) && fact.device.is_none() && fact.volume.is_none();
    let incident = case.incident;
    let named = !incident.devices.is_empty() || !incident.volumes.is_empty();
    if !named || lines.is_empty() || !lines.iter().all(|fact| of_a_lease(fact)) {
        return None;
    }
    let (leases, others): (Vec<&Fact>, Vec<&Fact>) =
        incident.facts.iter().copied().partition(|fact| of_a_lease(fact));
    let mut hosts: Vec<Name> = leases.iter().filter_map(|fact| fact.host).collect();
    hosts.dedup();
    Some([
        Incident { facts: others, ..incident.clone() },
        Incident { facts: leases, hosts, ..Incident::default() },
    ])
}

/// A word of Ceph's, or of a gateway to it.
fn is_of_ceph(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Target(_) | Kind::Gateway(_))
        && ["osd", "ceph", "rbd", "tcmu", "blacklisted", "blocklisted"]
            .iter()
            .any(|word| fact.text.contains(word))
}

/// What Ceph says of its OSDs, which serve many images, and disks that no gateway exports.
fn is_of_the_whole_cluster(fact: &Fact) -> bool {
    ["slow ops", "slow requests"].iter().any(|words| fact.text.contains(words))
}

/// Whether a gateway tells of an image in these minutes that may lie where the slow requests are: where Ceph names the pool, in that one.
fn is_tied_by_a_gateway(case: &Case<'_>, slow: &Fact) -> bool {
    let pool = between(&slow.text, "affected pool [ '", "'");
    let is_of_an_image = |fact: &Fact| {
        matches!(fact.kind, Kind::Gateway(_))
            || has(&fact.text, "tcmu") && matches!(fact.kind, Kind::Target(_))
    };
    let images = case.facts().take(FIRST).filter(|fact| is_of_an_image(fact));
    images
        .map(|fact| subject::image(&fact.text))
        .any(|image| pool.zip(image.split_once('/')).is_none_or(|(pool, (other, _))| pool == other))
}

/// A task of Linux's own target.
fn is_of_lio(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Task { .. }) && fact.text.contains("ABORT_TASK")
}
