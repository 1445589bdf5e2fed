//! `hba-fault`: the adapter, its firmware or its driver does not bring commands to an end.

use std::collections::BTreeSet;

use super::case::{Case, FIRST, command, total};
use super::order::is_harm;
use super::way::{adapter, is_of_this_device};
use super::{Confidence, Judgement, Proof, untied};
use crate::fact::{Fact, HostStatus, Kind, PathEvent, Sense, TaskKind, TaskOutcome};

/// So many requeues are a storm.
const STORM_MIN: u64 = 5;
/// One abort may be slow; several that never end are the adapter's.
const PENDING_MIN: u64 = 2;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let own = case.all(|fact| fact.kind == Kind::AdapterFault);
    if !own.is_empty() {
        let because = "The driver itself reports that its adapter fails: a hang, a lost mailbox command, exhausted exchanges, or writes held back.";
        let tied = is_of_this_device(case, &own) && !own.iter().all(|fact| is_of_a_raid_controller(fact));
        let beside = only_others_suffer(case);
        let strange = hits_nobody_of_its_host(case, &own);
        let confidence = if tied && !beside && !strange { Confidence::Likely } else { Confidence::Possible };
        let because = if beside {
            format!(
                "{because} But no atomic test and set and no heartbeat of that host is in trouble by these lines, only those of others: an adapter is its own host's."
            )
        } else if strange {
            format!(
                "{because} But no line says that what went wrong with tests and heartbeats did so on that host."
            )
        } else {
            because.to_owned()
        };
        return Judgement::Met(Proof::new(confidence, because, own).and_collect(NEXT));
    }
    let moved = case.all(|fact| {
        matches!(fact.kind, Kind::Path(event) if event != PathEvent::InDoubt && (event.is_loss() || event.is_of_the_device()))
            || command(fact).is_some_and(|command| command.sense.is_some_and(Sense::is_nexus_loss))
    });
    let storm = case.commands(|command| {
        command.host.is_some_and(|status| matches!(status, HostStatus::SOFT_ERROR | HostStatus::SOFT_RETRY))
    });
    // Of 0xc, sources disagree more than of 0xb: a fabric or a target that asks for patience may be behind it.
    let retried = storm
        .iter()
        .any(|fact| command(fact).is_some_and(|command| command.host == Some(HostStatus::SOFT_RETRY)));
    // Every host has a vmhba2: an adapter is one of its host.
    let adapters: BTreeSet<_> =
        storm.iter().filter_map(|fact| Some((fact.host, adapter(case, fact)?))).collect();
    let hosts: BTreeSet<_> = storm.iter().filter_map(|fact| fact.host).collect();
    if total(&storm) >= STORM_MIN && hosts.len() > 1 {
        return Judgement::Aside(
            "Commands were requeued (H:0xb, H:0xc) on adapters of several hosts at once: what they share is behind it, and no adapter of one.".to_owned(),
        );
    }
    if total(&storm) >= STORM_MIN && adapters.len() <= 1 {
        if !moved.is_empty() {
            return Judgement::Aside(
                "Commands were requeued (H:0xb, H:0xc) on one adapter, but a path was lost too: the requeues may follow from that.".to_owned(),
            );
        }
        let stakes = case.stakes();
        let confidence = if stakes.is_empty() || retried { Confidence::Possible } else { Confidence::Likely };
        let status = if retried { "H:0xc" } else { "H:0xb" };
        let because = format!(
            "{} commands came back with {status}, all through one adapter, and no path was called failed: the driver asks for a retry again \
             and again, nobody moves to another path, and heartbeats run out of time.",
            total(&storm)
        );
        let lines = storm.into_iter().take(3).chain(stakes.into_iter().take(3)).collect();
        return Judgement::Met(Proof::new(confidence, because, lines).and_collect(NEXT));
    }
    let pending =
        case.all(|fact| fact.kind == Kind::Task { task: TaskKind::Abort, outcome: TaskOutcome::Pending });
    if total(&pending) >= PENDING_MIN {
        let because = format!(
            "{} aborts did not come to an end in the adapter: its exchanges stay taken, and the fate of those commands is not known. A bad \
             optic or cable does this as well as firmware.",
            total(&pending)
        );
        return Judgement::Met(Proof::new(Confidence::Possible, because, pending).and_collect(NEXT).and_collect(
            "The port's error counters on both ends (invalid CRC, loss of sync, link failures), and the optics' power levels.",
        ));
    }
    Judgement::Silent
}

const NEXT: &str = "Driver and firmware of the adapter (`esxcli storage core adapter list`, `esxcli software vib list`; Linux: `modinfo`, \
                    /sys/class/fc_host), to compare with the vendor's matrix; and whether other hosts saw anything in that minute.";

/// Whether the adapter's host and that of the tests and heartbeats may be two, by the names that their lines bear or lack.
fn hits_nobody_of_its_host(case: &Case<'_>, own: &[&Fact]) -> bool {
    let stakes = case.stakes();
    let is_its =
        |stake: &&Fact| own.iter().take(FIRST).any(|fact| fact.host.is_some() && fact.host == stake.host);
    let both: Vec<&Fact> = own.iter().chain(&stakes).copied().collect();
    !stakes.is_empty() && !stakes.iter().take(FIRST).any(is_its) && untied::speak_from_several_places(&both)
}

/// Whether all that went wrong with tests and heartbeats did so on hosts that are none of the incident's.
fn only_others_suffer(case: &Case<'_>) -> bool {
    let hosts = &case.incident.hosts;
    if hosts.is_empty() || !case.stakes().is_empty() {
        return false;
    }
    let mut harmed = case.scene.facts.iter().filter(|fact| is_harm(fact)).peekable();
    harmed.peek().is_some() && harmed.all(|fact| fact.host.is_some_and(|host| !hosts.contains(&host)))
}

/// A controller of disks in this host's own case: no LUN of a network is behind it.
fn is_of_a_raid_controller(fact: &Fact) -> bool {
    fact.text.contains("megaraid")
}
