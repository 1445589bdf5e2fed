//! `fabric-congestion`: frames wait in the fabric.

use super::case::{Case, FIRST, JUST_BEFORE_US, total};
use super::way::{is_over_a_network_alone, was_slow_before};
use super::{Confidence, Judgement, Proof};
use crate::fact::{FabricEvent, Fact, HostStatus, Kind, TaskKind};
use crate::text::has;
use crate::{ports, units};

/// A notice or two come and go.
const NOTICES_MIN: u64 = 3;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let notices = case
        .all(|fact| matches!(fact.kind, Kind::Fabric(FabricEvent::Congestion | FabricEvent::CreditStall)));
    if notices.is_empty() {
        return Judgement::Silent;
    }
    let many = total(&notices) >= NOTICES_MIN;
    // A network's adapter is on no fabric of Fibre Channel.
    let confidence =
        if many && !is_over_a_network_alone(case) { Confidence::Likely } else { Confidence::Possible };
    let because = format!(
        "The fabric itself reported congestion or credit stalls, {} time(s): commands wait on the way, also those of ports that have \
         nothing to do with it.",
        total(&notices)
    );
    let harmed = case.stakes();
    // Beside a race that they cannot have lost, they stand for themselves.
    let stand_alone = harmed.is_empty() || case.is_a_plain_race();
    let doubt = if stand_alone { None } else { doubt(case, &notices) };
    let lines = notices.into_iter().take(4).chain(harmed.into_iter().take(2)).collect();
    let proof = Proof::new(confidence, because, lines)
        .and_collect("The switches' counters: which port has no credits left, which one drains slowly, which link is over-subscribed.");
    Judgement::Met(match doubt {
        Some(why) => proof.but(why),
        None => proof,
    })
}

/// Why the fabric's own word is not shown to be about what went wrong here.
fn doubt(case: &Case<'_>, notices: &[&Fact]) -> Option<&'static str> {
    let late = case.all(waited);
    let followed = !case.followed_by(notices, &late, JUST_BEFORE_US).is_empty();
    if !followed && !sums_up(case, notices, &late) {
        return Some(
            "But no line tells of a command that was late or lost behind that: a test that is answered false at once did not wait in the fabric.",
        );
    }
    notices.iter().take(FIRST).all(|notice| is_of_other_ports(case, notice)).then_some(
        "But they name ports of an array that are none of those behind which the host lists this device.",
    )
}

/// Whether a notice that counts what was since the last one came right behind a command that was late: it speaks of the time before it.
fn sums_up(case: &Case<'_>, notices: &[&Fact], late: &[&Fact]) -> bool {
    const SUMMED_US: i64 = 10_000_000;
    let sums = notices.iter().copied().take(FIRST).filter(|notice| has(&notice.text, "since last report"));
    let sums: Vec<&Fact> = sums.collect();
    // Moments explain no slowness of minutes before them.
    sums.iter().any(|sum| case.just_before(sum, late, SUMMED_US).is_some()) && !was_slow_before(case, &sums)
}

/// Whether this is what a frame leaves that waits or is lost on the way.
fn waited(fact: &Fact) -> bool {
    match &fact.kind {
        Kind::Command(sent) => {
            let put_back = [HostStatus::SOFT_ERROR, HostStatus::SOFT_RETRY];
            sent.unanswered() || sent.host.is_some_and(|status| put_back.contains(&status))
        }
        Kind::Heartbeat(heartbeat) => heartbeat.step.is_a_loss(),
        Kind::Latency { .. } | Kind::Task { task: TaskKind::Abort, .. } => true,
        _ => false,
    }
}

/// Whether a notice names the port of an array, and the host lists others behind each path to these devices.
fn is_of_other_ports(case: &Case<'_>, notice: &Fact) -> bool {
    let Some(port) = ports::of_a_target(&notice.text) else { return false };
    let knowledge = case.scene.knowledge;
    let paths = case.incident.devices.iter().flat_map(|&device| knowledge.paths(device));
    let mut targets =
        paths.filter_map(|path| units::adapter_and_target(case.scene.names.text(path))).peekable();
    targets.peek().is_some()
        && targets.all(|(adapter, target)| knowledge.ports.is_another(notice.host, adapter, target, port))
}
