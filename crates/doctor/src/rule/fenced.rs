//! `fenced`: another host, or the cluster, declared this one dead.

use std::collections::BTreeSet;

use super::case::{Case, FIRST, JUST_BEFORE_US, command};
use super::{Confidence, Judgement, Proof, words};
use crate::fact::{ClusterStep, Command, DeviceStatus, Fact, HeartbeatStep, Kind};
use crate::scene::{before, near, same_host};

/// A host that was cut off tries on until it is restarted; an incident is over after two minutes of silence in any case.
const FENCED_FOR_US: i64 = 600_000_000;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let taken = case.heartbeats(|heartbeat| heartbeat.step == HeartbeatStep::TakenOver);
    let fenced =
        case.all(|fact| matches!(fact.kind, Kind::Cluster(ClusterStep::Fenced | ClusterStep::Watchdog)));
    let before = case.all(|fact| {
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
    });
    if !taken.is_empty() {
        let because = "The host's own slot was taken over by another: the disk is right, and this host was silent for too long.";
        return Judgement::Met(Proof::new(Confidence::Likely, because, taken).and_collect(NEXT));
    }
    if fenced.is_empty() {
        return by_its_registration(case);
    }
    let late = case.followed_by(&before, &fenced, 2 * JUST_BEFORE_US);
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
    let mut because = format!(
        "{whom} fenced by the cluster, or about to be reset by the watchdog: a lease or a membership was not renewed in time."
    );
    let refused = after_a_fence(case);
    if !refused.is_empty() {
        because.push_str(" The reservation conflicts that it met afterwards are that fence at work.");
    }
    let lines = late.into_iter().take(4).chain(fenced).chain(refused.into_iter().take(2)).collect();
    Judgement::Met(
        Proof::new(Confidence::Certain, because, lines).and_collect(NEXT).in_words(&words::FENCED_BY_CLUSTER),
    )
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

/// Reservation conflicts of a host that was fenced before: by a cluster's word, or by the device's that its registration is gone.
pub fn after_a_fence<'a>(case: &Case<'a>) -> Vec<&'a Fact> {
    let fences = case.all(|fact| {
        fact.kind == Kind::Cluster(ClusterStep::Fenced) || command(fact).is_some_and(Command::was_preempted)
    });
    let fenced_before = |conflict: &&Fact| {
        fences.iter().take(FIRST).any(|fence| {
            same_host(fence, conflict) && !before(conflict, fence) && near(fence, conflict, FENCED_FOR_US)
        })
    };
    let conflicts = case.commands(|command| command.device == Some(DeviceStatus::RESERVATION_CONFLICT));
    conflicts.into_iter().filter(fenced_before).collect()
}

const NEXT: &str = "Why that host was silent: its own log of the minutes before, its paths, its load, its storage's latency.";
