//! `hba-fault`: the adapter, its firmware or its driver does not bring commands to an end.

use std::collections::BTreeSet;

use super::case::{self, Case, FIRST, JUST_BEFORE_US, command, total};
use super::order::is_harm;
use super::way::{
    TOLD_LATE_US, adapter, is_behind_the_driver, is_of_this_device, is_the_only_one, names_this_device,
    tells_its_way,
};
use super::{Confidence, Judgement, Proof, untied, words};
use crate::adapter_words;
use crate::fact::{Command, FabricEvent, Fact, HostStatus, Kind, PathEvent, Sense, TaskKind, TaskOutcome};
use crate::incident::is_broken;
use crate::scene::{before, near};
use crate::text::has;

/// So many requeues are a storm.
const STORM_MIN: u64 = 5;
/// One abort may be slow; several that never end are the adapter's.
const PENDING_MIN: u64 = 2;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let own = case.all(|fact| fact.kind == Kind::AdapterFault);
    if !own.is_empty() {
        return by_its_own_account(case, own);
    }
    if let Some(told) = requeues(case) {
        return told;
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
    errors_within(case).map_or(Judgement::Silent, Judgement::Met)
}

/// So many errors of a host's own are no accident.
const ERRORS_MIN: u64 = 2;

/// Commands to a LUN that ended in errors of the host's own (H:0x7), over one adapter at most, where nothing on the way was lost.
fn errors_within<'a>(case: &Case<'a>) -> Option<Proof<'a>> {
    let errors = case.commands(|command| command.host == Some(HostStatus::ERROR));
    let adapters: BTreeSet<_> =
        errors.iter().filter_map(|fact| Some((fact.host, adapter(case, fact)?))).collect();
    let moved = case
        .facts()
        .any(|fact| matches!(fact.kind, Kind::Path(event) if event.is_loss() && event != PathEvent::InDoubt));
    if total(&errors) < ERRORS_MIN
        || adapters.len() > 1
        || moved
        || !case.stakes().is_empty()
        || super::local::is_within_the_host(case)
    {
        return None;
    }
    let because = "Commands ended in errors of the host's own (H:0x7): the driver or the adapter could not bring them to an end, and no line tells of a link, a port or a path that was lost. A failing \
                   adapter does this, and so do its firmware and a bad optic.";
    let proof = Proof::new(Confidence::Possible, because, errors).and_collect(NEXT);
    Some(proof.and_collect("Whether other LUNs behind the same adapter have such errors, and those behind the host's other adapters have none: then it is that adapter."))
}

const NEXT: &str = "Driver and firmware of the adapter (`esxcli storage core adapter list`, `esxcli software vib list`; Linux: `modinfo`, \
                    /sys/class/fc_host), to compare with the vendor's matrix; and whether other hosts saw anything in that minute.";

/// What the driver says of its adapter.
fn by_its_own_account<'a>(case: &Case<'a>, own: Vec<&'a Fact>) -> Judgement<'a> {
    let because = "The driver itself reports that its adapter fails: a hang, a lost mailbox command or exhausted exchanges.";
    let (local, far): (Vec<&Fact>, Vec<&Fact>) =
        own.iter().copied().partition(|fact| is_of_a_local_controller(fact));
    let tied = !far.is_empty() && is_of_this_device(case, &far)
        || names_this_device(case, &of_a_named_adapter(case, &local))
        || took_its_disks(case, &local)
        || !local.is_empty() && is_all_there_is(case, &local);
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
    } else if far.is_empty() && !tied {
        format!(
            "{because} It is a controller of disks in the host's own case, and no line says that anything else here lies behind it."
        )
    } else {
        because.to_owned()
    };
    let proof = Proof::new(confidence, because, own).and_collect(NEXT);
    // Beside a test or a heartbeat of a LUN that nobody ties to it, a way that was lost or a device behind another adapter, a controller of local disks is no answer.
    let is_elsewhere = || {
        !case.stakes().is_empty()
            || case.facts().any(is_a_lost_way)
            || !case.incident.devices.is_empty()
                && local.iter().take(FIRST).any(|fault| tells_its_way(case, fault))
    };
    let is_beside = far.is_empty() && !tied && is_elsewhere();
    let is_reset = local.iter().take(FIRST).all(|fault| adapter_words::stopped(&fault.text));
    let words = if is_reset { &words::FIRMWARE_FAULT } else { &words::OWN_CONTROLLER };
    let proof = if far.is_empty() && !is_beside { proof.in_words(words) } else { proof };
    Judgement::Met(Proof { is_beside, ..proof })
}

/// Commands for which the driver asks again and again.
fn requeues<'a>(case: &Case<'a>) -> Option<Judgement<'a>> {
    let moved = case.all(|fact| {
        matches!(fact.kind, Kind::Path(event) if event != PathEvent::InDoubt && (event.is_loss() || event.is_of_the_device()))
            || command(fact).is_some_and(|command| command.sense.is_some_and(Sense::is_nexus_loss))
    });
    let stalled = case.all(|fact| matches!(fact.kind, Kind::Fabric(event) if event != FabricEvent::Clear));
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
        return Some(Judgement::Aside(
            "Commands were requeued (H:0xb, H:0xc) on adapters of several hosts at once: what they share is behind it, and no adapter of one.".to_owned(),
        ));
    }
    if total(&storm) >= STORM_MIN && adapters.len() <= 1 {
        if !moved.is_empty() {
            return Some(Judgement::Aside(
                "Commands were requeued (H:0xb, H:0xc) on one adapter, but a path was lost too: the requeues may follow from that.".to_owned(),
            ));
        }
        // The driver asks for a retry where frames wait or are thrown away (KB390100 shows just that).
        let behind_a_stall = storm.iter().take(FIRST).any(|requeue| {
            let mut stalls = stalled.iter().take(FIRST);
            stalls.any(|stall| before(stall, requeue) && near(stall, requeue, JUST_BEFORE_US))
        });
        if behind_a_stall {
            return Some(Judgement::Aside(
                "Commands were requeued (H:0xb, H:0xc) on one adapter, but the fabric told of congestion, of links without credits or of lost frames just before: the requeues may follow from that.".to_owned(),
            ));
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
        return Some(Judgement::Met(Proof::new(confidence, because, lines).and_collect(NEXT)));
    }
    None
}

/// Those that name the adapter itself, and not only its driver.
fn of_a_named_adapter<'a>(case: &Case<'a>, faults: &[&'a Fact]) -> Vec<&'a Fact> {
    faults.iter().copied().filter(|fault| tells_its_way(case, fault)).collect()
}

/// Whether the only adapter of its driver failed, the disks are behind it, and none of them was lost or broken before. Firmware that is reset makes a test or a heartbeat
/// late; only of one that died it is known that a disk went with it.
fn took_its_disks(case: &Case<'_>, faults: &[&Fact]) -> bool {
    let harmed = !case.stakes().is_empty();
    let died: Vec<&Fact> =
        faults.iter().copied().filter(|fault| harmed || adapter_words::died(&fault.text)).collect();
    let is_earlier = |fact: &&Fact| is_long_before(fact, &died);
    !died.is_empty()
        && names_this_device(case, &died)
        && died.iter().take(FIRST).all(|fault| is_the_only_one(case, fault))
        && !case.all(|fact| is_lost(fact) || is_broken(fact)).iter().take(FIRST).any(is_earlier)
}

/// Whether something was long over when the first of these was told.
fn is_long_before(fact: &Fact, faults: &[&Fact]) -> bool {
    faults.first().is_some_and(|first| before(fact, first) && !near(fact, first, TOLD_LATE_US))
}

/// Whether an adapter that died is all that there is to tell: no test, heartbeat, volume or way was lost, and no disk but those which the kernel puts behind its
/// driver. A LUN is lost over another adapter in the same minute, too.
fn is_all_there_is(case: &Case<'_>, faults: &[&Fact]) -> bool {
    if !case.stakes().is_empty() || !case.incident.volumes.is_empty() || case.facts().any(is_a_lost_way) {
        return false;
    }
    let is_its_own = |fact: &Fact| is_behind_the_driver(case, fact, faults) && !is_long_before(fact, faults);
    let lost = case.all(is_lost);
    let devices = &case.incident.devices;
    let are_all_lost = devices.iter().all(|&device| lost.iter().any(|fact| fact.device == Some(device)));
    faults.iter().any(|fault| adapter_words::died(&fault.text))
        && are_all_lost
        && lost.iter().take(FIRST).all(|fact| is_its_own(fact))
}

/// Whether a link, a port, a session or a path was lost.
fn is_a_lost_way(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Path(event) if event.is_loss() && !event.is_of_the_device())
}

/// Whether a disk was lost, or a command because there was no way to it.
fn is_lost(fact: &Fact) -> bool {
    let has_no_way = |command: &Command| command.host.is_some_and(HostStatus::is_of_a_lost_way);
    case::says_device_gone(fact) || command(fact).is_some_and(has_no_way)
}

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

/// Whether a line is of a controller of disks in its host's own case. A LUN of a network is not behind it, unless a line says so.
fn is_of_a_local_controller(fact: &Fact) -> bool {
    const DRIVERS: [&str; 15] = [
        "megaraid",
        "megasas",
        "lsi_mr3",
        "lsi_msgpt",
        "mpt2sas",
        "mpt3sas",
        "mptsas",
        "mptbase",
        "smartpqi",
        "hpsa",
        "aacraid",
        "pm80xx",
        "arcmsr",
        "ahci",
        "NVMEDEV",
    ];
    DRIVERS.iter().any(|driver| has(&fact.text, driver))
}
