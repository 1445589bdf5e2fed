//! `lock-mode-mixed`: hosts lock one volume in different ways.

use std::collections::BTreeSet;

use super::case::Case;
use super::{Confidence, Judgement, Proof};
use crate::fact::{Kind, LockStep, Support};

/// KB340212 saw it with more hosts than these.
const HOSTS_MIN: usize = 9;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let said = case.all(|fact| fact.kind == Kind::Support(Support::MixedModes));
    if !said.is_empty() {
        let because = "The hosts' locking modes for this volume differ by their own account.";
        return Judgement::Met(Proof::new(Confidence::Likely, because, said).and_collect(NEXT));
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

const NEXT: &str =
    "`esxcli storage vmfs lockmode list` on each host that shares the volume: are they all the same?";
