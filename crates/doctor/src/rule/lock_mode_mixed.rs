//! `lock-mode-mixed`: hosts lock one volume in different ways.

use std::collections::BTreeSet;

use super::case::{Case, command};
use super::{Confidence, Judgement, Proof};
use crate::fact::{Command, DeviceStatus, Kind, LockStep, Opcode, Support};

/// KB340212 saw it with more hosts than these.
const HOSTS_MIN: usize = 9;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let said = case.all(|fact| fact.kind == Kind::Support(Support::MixedModes));
    if !said.is_empty() {
        let because = "The hosts' locking modes for this volume differ by their own account.";
        return Judgement::Met(Proof::new(Confidence::Certain, because, said).and_collect(NEXT));
    }
    if let Some(judgement) = reserved_against_ats(case) {
        return judgement;
    }
    let failed = case.locks(|lock| lock.step == LockStep::Failed);
    let owners: BTreeSet<_> = case
        .facts()
        .filter_map(|fact| match &fact.kind {
            Kind::Lock(lock) => lock.record.and_then(|record| record.owner),
            _ => None,
        })
        .collect();
    if failed.len() < 2 || owners.len() < HOSTS_MIN {
        return Judgement::Silent;
    }
    let because =
        format!("Locks cannot be taken or broken on a volume that at least {} hosts use.", owners.len());
    Judgement::Met(Proof::new(Confidence::Possible, because, failed).and_collect(NEXT))
}

/// One host tests and sets while another, which lives, locks the same device by reservations: RESERVE is what a host sends
/// that does not lock this volume by ATS.
fn reserved_against_ats<'a>(case: &Case<'a>) -> Option<Judgement<'a>> {
    let conflicts = case.commands(|command| {
        command.device == Some(DeviceStatus::RESERVATION_CONFLICT)
            && (command.is_ats() || command.opcode == Some(Opcode::RESERVE))
    });
    let own = conflicts.first().copied()?;
    let tests = command(own).is_some_and(Command::is_ats);
    let is_other_way =
        |command: &Command| if tests { command.opcode == Some(Opcode::RESERVE) } else { command.is_ats() };
    // A host's way to lock lasts: the other may have shown its own at any time.
    let other = case.scene.facts.iter().find(|fact| {
        let same_device = fact.device.is_some() && fact.device == own.device;
        let other_host = fact.host.is_some() && own.host.is_some() && fact.host != own.host;
        same_device && other_host && command(fact).is_some_and(is_other_way)
    })?;
    let because = "Of two hosts, one locks this device by atomic test and set and the other by RESERVE, and they meet: a reservation of the one \
                   stands in the way of the other's locks.";
    let lines = conflicts.into_iter().take(4).chain([other]).collect();
    Some(Judgement::Met(Proof::new(Confidence::Likely, because, lines).and_collect(NEXT)))
}

const NEXT: &str =
    "`esxcli storage vmfs lockmode list` on each host that shares the volume: are they all the same?";
