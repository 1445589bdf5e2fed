//! `stale-cache`: the expected image came out of a cache.

use super::case::Case;
use super::{Confidence, Judgement, Proof};
use crate::fact::{Fact, HeartbeatStep, Kind, SlotImage};

/// The same expected image, false so many times, without any command that had no answer.
const REPEATS_MIN: usize = 3;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let said = case.all(|fact| fact.kind == Kind::StaleImage);
    if !said.is_empty() {
        let because = "The test was false with the image that had been read, and true after a direct read, with nobody writing in between by these \
                       lines: the first read came out of a cache.";
        return Judgement::Met(Proof::new(Confidence::Likely, because, said));
    }
    let tests =
        case.heartbeats(|heartbeat| heartbeat.step == HeartbeatStep::Miscompare && heartbeat.slot.is_some());
    let Some(first) = tests.first() else { return Judgement::Silent };
    let same: Vec<_> = tests.iter().copied().filter(|fact| expected(fact) == expected(first)).collect();
    let repeats = same
        .iter()
        .map(|fact| usize::try_from(fact.count).unwrap_or(usize::MAX))
        .fold(0, usize::saturating_add);
    if repeats < REPEATS_MIN {
        return Judgement::Silent;
    }
    if !case.unanswered_ats().is_empty() {
        return Judgement::Aside("The expected image did not change from attempt to attempt, but an attempt before had no answer: that explains it too.".to_owned());
    }
    let because = "The same expected image was tested again and again, and was false each time: the host does not see what stands on the \
                   disk, or does not read it again.";
    Judgement::Met(Proof::new(Confidence::Possible, because, same).and_collect(
        "A direct read of the block (`dd iflag=direct`, `sg_dd`) beside a cached one, from this host and from another; any cache between host and \
         disk: a hypervisor's, a gateway's, the page cache.",
    ))
}

fn expected(fact: &Fact) -> Option<SlotImage> {
    match &fact.kind {
        Kind::Heartbeat(heartbeat) => heartbeat.slot,
        _ => None,
    }
}
