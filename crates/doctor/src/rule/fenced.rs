//! `fenced`: another host, or the cluster, declared this one dead.

use super::case::{Case, JUST_BEFORE_US};
use super::{Confidence, Judgement, Proof};
use crate::fact::{ClusterStep, HeartbeatStep, Kind};

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let taken = case.heartbeats(|heartbeat| heartbeat.step == HeartbeatStep::TakenOver);
    let fenced =
        case.all(|fact| matches!(fact.kind, Kind::Cluster(ClusterStep::Fenced | ClusterStep::Watchdog)));
    let before = case.all(|fact| {
        matches!(
            fact.kind,
            Kind::Cluster(ClusterStep::RenewalLate | ClusterStep::LeaseLost | ClusterStep::MemberLost)
        )
    });
    if !taken.is_empty() {
        let because = "The host's own slot was taken over by another: the disk is right, and this host was silent for too long.";
        return Judgement::Met(Proof::new(Confidence::Likely, because, taken).and_collect(NEXT));
    }
    if fenced.is_empty() {
        return Judgement::Silent;
    }
    let late = case.followed_by(&before, &fenced, 2 * JUST_BEFORE_US);
    let because = "The cluster fenced a host, or its watchdog was about to: its lease or its membership was not renewed in time.";
    let lines = late.into_iter().take(4).chain(fenced).collect();
    Judgement::Met(Proof::new(Confidence::Certain, because, lines).and_collect(NEXT))
}

const NEXT: &str = "Why that host was silent: its own log of the minutes before, its paths, its load, its storage's latency.";
