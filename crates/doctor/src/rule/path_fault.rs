//! `path-fault`: a path failed with commands in flight.

use super::case::{Case, JUST_BEFORE_US, command, total};
use super::{Confidence, Judgement, Proof};
use crate::fact::{Command, FabricEvent, HostStatus, Kind, PathEvent, Sense, TaskKind, TaskOutcome};

/// So many losses are no hiccup.
const MANY: u64 = 4;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let events = case.all(|fact| match &fact.kind {
        Kind::Path(event) => event.is_loss() && !matches!(event, PathEvent::InDoubt | PathEvent::Failover),
        Kind::Fabric(event) => matches!(event, FabricEvent::LinkIntegrity | FabricEvent::Dropped),
        // The other end refused to abort what was lost on the way.
        Kind::Task { task: TaskKind::Abort, outcome: TaskOutcome::Failed } => true,
        _ => false,
    });
    let gone = case.commands(is_of_a_lost_path);
    let weak = case.all(|fact| {
        matches!(fact.kind, Kind::Path(PathEvent::InDoubt | PathEvent::FabricChange | PathEvent::Failover))
            || command(fact).is_some_and(|command| command.host == Some(HostStatus::BUS_BUSY))
    });
    let strong: Vec<_> = events.iter().chain(&gone).copied().collect();
    if strong.is_empty() {
        return if weak.is_empty() {
            Judgement::Silent
        } else {
            Judgement::Aside(
                "A path was in doubt, or the fabric changed, but no path, link or session was lost by these lines.".to_owned(),
            )
        };
    }
    let stakes = case.stakes();
    let hit = case.followed_by(&strong, &stakes, JUST_BEFORE_US);
    if !hit.is_empty() {
        let because = "A path, link or session was lost, and within a minute an atomic test and set or a heartbeat on the same host went \
                       wrong. Commands that were on that path have no answer: they may have been executed.";
        let lines = hit.into_iter().take(4).chain(stakes.into_iter().take(4)).collect();
        return Judgement::Met(Proof::new(Confidence::Likely, because, lines).and_collect(NEXT));
    }
    let many = total(&strong) >= MANY;
    let all_gone = events
        .iter()
        .any(|fact| matches!(fact.kind, Kind::Path(PathEvent::AllDown | PathEvent::PermanentLoss)));
    if stakes.is_empty() && (all_gone || many || !gone.is_empty()) {
        let confidence = if all_gone { Confidence::Likely } else { Confidence::Possible };
        let because = "Paths were lost, and commands with them. No atomic test and set is among these lines.";
        return Judgement::Met(Proof::new(confidence, because, strong).and_collect(NEXT));
    }
    Judgement::Aside("A path was lost, but only after the first trouble, or long before it.".to_owned())
}

const NEXT: &str = "The port's error counters on both ends (invalid CRC, loss of sync, link failures; /sys/class/fc_host/*/statistics on Linux), the \
                    optics' power levels, the switch's log of that minute.";

/// The command came to nothing because its path was gone.
fn is_of_a_lost_path(command: &Command) -> bool {
    command.sense.is_some_and(Sense::is_nexus_loss)
        || command.sense.is_some_and(|sense| sense.key == 5 && sense.is_gone())
        || command.host.is_some_and(|status| matches!(status.0, 0x1 | 0xd | 0xe | 0xf))
}
