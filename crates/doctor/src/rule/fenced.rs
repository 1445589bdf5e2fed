//! `fenced`: another host, or the cluster, declared this one dead.

use std::collections::BTreeSet;

use super::case::{Case, FIRST, JUST_BEFORE_US, command};
use super::{Confidence, Judgement, Proof, words};
use crate::fact::{ClusterStep, Command, DeviceStatus, Fact, HeartbeatStep, Kind};
use crate::scene::{before, near, same_host};
use crate::text::{after, word};

/// A host that was cut off tries on until it is restarted; an incident is over after two minutes of silence in any case.
const FENCED_FOR_US: i64 = 600_000_000;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let taken = case.heartbeats(|heartbeat| heartbeat.step == HeartbeatStep::TakenOver);
    let fenced =
        case.all(|fact| matches!(fact.kind, Kind::Cluster(ClusterStep::Fenced | ClusterStep::Watchdog)));
    let before = troubled(case);
    if !taken.is_empty() {
        let because = "The host's own slot was taken over by another: the disk is right, and this host was silent for too long.";
        return Judgement::Met(Proof::new(Confidence::Likely, because, taken).and_collect(NEXT));
    }
    let other = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::OtherOwner));
    if !other.is_empty() && fenced.is_empty() {
        let because = "Another host's record stands where this host's own lease was: the disk is right, and this host must give up what the lease protects. Either \
                       this host was silent for so long that its id was taken, or two hosts were given one and the same id.";
        let proof = Proof::new(Confidence::Likely, because, other).in_words(&words::ID_TAKEN);
        return Judgement::Met(proof.and_collect(
            "The host ids that are configured on all hosts, and who owns the record now: `sanlock client status`, `sanlock client read -s LOCKSPACE`.",
        ));
    }
    if !not_fenced(case).is_empty() {
        return Judgement::Aside(
            "A fence was tried and did not succeed; no line says that it did later.".to_owned(),
        );
    }
    if fenced.is_empty() {
        let coming = about_to_be_reset(case).or_else(|| about_to_be_fenced(case));
        return coming.unwrap_or_else(|| by_its_registration(case));
    }
    let late = case.followed_by(&before, &fenced, 2 * JUST_BEFORE_US);
    let ordered = fenced.iter().any(|fact| fact.text.contains("stonith_admin"));
    let by_order = ordered && late.is_empty();
    let mut because = who_and_why(case, by_order);
    let refused = after_a_fence(case);
    if !refused.is_empty() {
        because.push_str(" The reservation conflicts that it met afterwards are that fence at work.");
    }
    let lines = late.into_iter().take(4).chain(fenced).chain(refused.into_iter().take(2)).collect();
    let proof = Proof::new(Confidence::Certain, because, lines);
    if by_order {
        return Judgement::Met(proof.in_words(&words::FENCED_BY_ORDER).and_collect(
            "Who or what ran `stonith_admin` (or `pcs stonith fence`) at that time: the shell histories, the scheduler, the change that was planned.",
        ));
    }
    Judgement::Met(proof.and_collect(NEXT).in_words(&words::FENCED_BY_CLUSTER))
}

/// What goes before a fence: leases that were late or lost, members that left, a host that did not run.
fn troubled<'a>(case: &Case<'a>) -> Vec<&'a Fact> {
    case.all(|fact| {
        matches!(
            fact.kind,
            Kind::Cluster(
                ClusterStep::RenewalLate
                    | ClusterStep::RenewalFailed
                    | ClusterStep::LeaseLost
                    | ClusterStep::MemberLost
                    | ClusterStep::Paused
            )
        )
    })
}

/// wdmd's own line, with the seconds that are left.
fn counts_down(fact: &Fact) -> bool {
    fact.text.contains("test failed rem")
}

/// Who was fenced, and why, as far as the lines tell.
fn who_and_why(case: &Case<'_>, by_order: bool) -> String {
    let targets: BTreeSet<&str> = case
        .all(|fact| fact.kind == Kind::Cluster(ClusterStep::Fenced))
        .iter()
        .filter_map(|fact| case.text(fact.host))
        .collect();
    let whom = match targets.len() {
        0 => "A host was".to_owned(),
        1 => format!("{} was", targets.into_iter().collect::<String>()),
        _ => format!("{} were", targets.into_iter().collect::<Vec<_>>().join(", ")),
    };
    if let Some(node) = case.facts().find_map(|fact| sender_of_a_pill(&fact.text)) {
        return format!(
            "{whom} fenced by {node}: the watcher of the shared disk (sbd) found the order to end the host in its slot there, and carried it out."
        );
    }
    match (reason(case), by_order) {
        (Some(reason), _) => format!("{whom} fenced. The cluster says why: {reason}."),
        (None, true) => format!(
            "{whom} fenced because a person or a script ordered it (stonith_admin), not because a lease or a membership was not renewed: no line here says so."
        ),
        (None, false) => format!(
            "{whom} fenced by the cluster, or about to be reset by the watchdog: a lease or a membership was not renewed in time."
        ),
    }
}

/// Who wrote an order into a host's slot on the shared disk: `sbd[815]: ... Received command reset from node1 on disk /dev/sdx`.
fn sender_of_a_pill(text: &str) -> Option<&str> {
    let (kind, rest) = after(text, "Received command ")?.split_once(" from ")?;
    matches!(kind, "reset" | "off" | "crashdump").then(|| word(rest)).filter(|node| !node.is_empty())
}

/// Why a cluster decided to fence, in its own words.
fn reason<'a>(case: &Case<'a>) -> Option<&'a str> {
    let planned = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::FencePlanned));
    planned.into_iter().find_map(|fact| after(&fact.text, "because ").map(str::trim))
}

/// Fences that did not succeed, of hosts that no later line calls fenced.
pub fn not_fenced<'a>(case: &Case<'a>) -> Vec<&'a Fact> {
    let done = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::Fenced));
    let failed = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::FenceFailed));
    let stands =
        |failed: &&Fact| !done.iter().take(FIRST).any(|done| same_host(done, failed) && before(failed, done));
    failed.into_iter().filter(stands).collect()
}

/// A fence was decided or asked for, and no line says that it was done.
fn about_to_be_fenced<'a>(case: &Case<'a>) -> Option<Judgement<'a>> {
    let planned = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::FencePlanned));
    let why = reason(case).map_or_else(String::new, |reason| format!(" The cluster says why: {reason}."));
    let confirmed = planned
        .iter()
        .any(|fact| ["by a human", "manual confirmation"].iter().any(|mark| fact.text.contains(mark)));
    let because = if confirmed {
        "A person confirmed by hand that a host is fenced, and the cluster took it as that; no machine saw it: if the host was not switched off, it \
         may still write."
            .to_owned()
    } else {
        format!(
            "A cluster decided to fence a host, or asked for it, and no line here says that it was done: until it is, that host may still write.{why}"
        )
    };
    let next = "Whether the fence was done: the log of the host that carries it out (pacemaker-fenced, stonith-ng), and of the one that was to be fenced.";
    let proof =
        Proof::new(Confidence::Possible, because, planned.clone()).in_words(&words::FENCED_BY_CLUSTER);
    (!planned.is_empty()).then_some(Judgement::Met(proof.and_collect(next).and_collect(NEXT)))
}

/// The watchdog's own test fails: it counts down, and whoever renews the lease in time stops it. Where a later line says so, nothing happened.
fn about_to_be_reset<'a>(case: &Case<'a>) -> Option<Judgement<'a>> {
    let counting = case.all(counts_down);
    let last = counting.last()?;
    let saved = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::Healthy));
    if saved.iter().take(FIRST).any(|fact| same_host(fact, last) && before(last, fact)) {
        return None;
    }
    let because = "The watchdog's own test fails, for a lease was not renewed in time, and no later line says that it was: it resets the host when its \
                   time is over.";
    let late = troubled(case).into_iter().filter(|fact| !counts_down(fact));
    let lines = late.take(4).chain(counting.into_iter().take(4)).collect();
    let proof = Proof::new(Confidence::Likely, because, lines).in_words(&words::FENCED_BY_CLUSTER);
    Some(Judgement::Met(proof.and_collect(NEXT)))
}

/// Its registration was taken away by another initiator, as fence agents do that work on the disks (fence_scsi, fence_mpath). One that
/// lets a host in takes the same host's older registration, so that it proves nothing alone.
fn by_its_registration<'a>(case: &Case<'a>) -> Judgement<'a> {
    let preempted = case.commands(Command::was_preempted);
    if preempted.is_empty() {
        return Judgement::Silent;
    }
    let refused = after_a_fence(case);
    let (confidence, because) = if refused.is_empty() {
        (
            Confidence::Possible,
            "The device says that another initiator took this host's registration away (6/2a/05). So does a fence by the disk; and so does an agent that \
             registers the host anew over another of its paths. No command of the host was refused by these lines.",
        )
    } else {
        (
            Confidence::Certain,
            "The device says that another initiator took this host's registration away (6/2a/05), and refuses its commands since: it was fenced by the \
             disk. The reservation conflicts are that fence at work.",
        )
    };
    let lines = preempted.into_iter().take(4).chain(refused.into_iter().take(4)).collect();
    Judgement::Met(
        Proof::new(confidence, because, lines).and_collect(NEXT).in_words(&words::FENCED_BY_CLUSTER),
    )
}

/// Whether a host writes down what the others told it of itself.
fn was_told(fence: &Fact) -> bool {
    fence.text.contains("We were allegedly")
}

/// Reservation conflicts of a host that was fenced before: by a cluster's word, or by the device's that its registration is gone.
pub fn after_a_fence<'a>(case: &Case<'a>) -> Vec<&'a Fact> {
    let fences = case.all(|fact| {
        fact.kind == Kind::Cluster(ClusterStep::Fenced) || command(fact).is_some_and(Command::was_preempted)
    });
    // A fenced host hears of it last.
    let fenced_before = |conflict: &&Fact| {
        fences.iter().take(FIRST).any(|fence| {
            let in_time = if before(conflict, fence) {
                was_told(fence) && near(fence, conflict, JUST_BEFORE_US)
            } else {
                near(fence, conflict, FENCED_FOR_US)
            };
            in_time && same_host(fence, conflict)
        })
    };
    let conflicts = case.commands(|command| command.device == Some(DeviceStatus::RESERVATION_CONFLICT));
    conflicts.into_iter().filter(fenced_before).collect()
}

const NEXT: &str = "Why that host was silent: its own log of the minutes before, its paths, its load, its storage's latency.";
