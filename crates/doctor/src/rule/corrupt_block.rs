//! `corrupt-block`: the record on the disk is not one.

use super::case::Case;
use super::{Confidence, Judgement, Proof};
use crate::fact::{ClusterStep, Fact, HeartbeatStep, Kind, LockStep, SlotState};

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let said = case.all(|fact| match &fact.kind {
        Kind::Heartbeat(heartbeat) => heartbeat.step == HeartbeatStep::Corrupt,
        Kind::Lock(lock) => lock.step == LockStep::Corrupt,
        Kind::Cluster(step) => *step == ClusterStep::BadRecord,
        _ => false,
    });
    let dumped = case.all(is_damaged_slot);
    if !said.is_empty() {
        let because = "The file system itself says that the record on the disk is damaged. Every atomic test and set there must \
                       fail, for no host can name the image that stands there; nobody competes for it.";
        let mut lines = said;
        lines.truncate(6);
        lines.extend(dumped);
        return Judgement::Met(Proof::new(Confidence::Certain, because, lines).and_collect(NEXT));
    }
    if dumped.is_empty() {
        return Judgement::Silent;
    }
    let because = "In the dump, a slot among sound neighbours is zero, has no known state, or names another offset than its own.";
    Judgement::Met(Proof::new(Confidence::Likely, because, dumped).and_collect(NEXT))
}

const NEXT: &str = "Before anything is written: a dump of the region (`hexdump -C` of the heartbeat region, `voma -m vmfs -f check`), and the \
                    array's log of the last power loss or failover.";

/// A slot that cannot be one: no state, or not its own offset.
fn is_damaged_slot(fact: &Fact) -> bool {
    let Kind::Slot(image) = &fact.kind else { return false };
    let elsewhere = image.found_at.is_some_and(|at| at != image.offset);
    match image.state {
        SlotState::Zero => true,
        SlotState::Damaged(magic) => !super::foreign_block::is_foreign(magic),
        SlotState::Free | SlotState::InUse => elsewhere,
    }
}
