//! `fabric-congestion`: frames wait in the fabric.

use super::case::{Case, total};
use super::{Confidence, Judgement, Proof};
use crate::fact::{FabricEvent, Kind};

/// A notice or two come and go.
const NOTICES_MIN: u64 = 3;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let notices = case
        .all(|fact| matches!(fact.kind, Kind::Fabric(FabricEvent::Congestion | FabricEvent::CreditStall)));
    if notices.is_empty() {
        return Judgement::Silent;
    }
    let many = total(&notices) >= NOTICES_MIN;
    let confidence = if many { Confidence::Likely } else { Confidence::Possible };
    let because = format!(
        "The fabric itself reported congestion or credit stalls, {} time(s): commands wait on the way, also those of ports that have \
         nothing to do with it.",
        total(&notices)
    );
    let lines = notices.into_iter().take(4).chain(case.stakes().into_iter().take(2)).collect();
    Judgement::Met(
        Proof::new(confidence, because, lines)
            .and_collect("The switches' counters: which port has no credits left, which one drains slowly, which link is over-subscribed."),
    )
}
