//! `lock-mode-mixed`: hosts lock one volume in different ways.

use std::collections::BTreeSet;

use super::case::{Case, FIRST};
use super::{Confidence, Judgement, Proof};
use crate::fact::{DeviceStatus, Kind, LockStep, Opcode, Support};

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
    let refused = case
        .commands(|command| command.is_ats() && command.device == Some(DeviceStatus::RESERVATION_CONFLICT));
    let reserves = case.commands(|command| command.opcode == Some(Opcode::RESERVE));
    let other = reserves.iter().take(FIRST).find(|reserve| {
        reserve.host.is_some()
            && refused.iter().take(FIRST).any(|ats| ats.host.is_some() && ats.host != reserve.host)
    })?;
    let because = "An atomic test and set met a reservation, and another host sends RESERVE to the same device at that time: one locks the volume \
                   by atomic test and set, the other by reservations.";
    let lines = refused.iter().copied().take(4).chain([*other]).collect();
    Some(Judgement::Met(Proof::new(Confidence::Likely, because, lines).and_collect(NEXT)))
}

const NEXT: &str =
    "`esxcli storage vmfs lockmode list` on each host that shares the volume: are they all the same?";
