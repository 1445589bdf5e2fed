//! `array-load`: the array is busy with work that hosts gave it in bulk, or with its own.

use super::case::{Case, total};
use super::{Confidence, Judgement, Proof};
use crate::fact::{HostStatus, Opcode};

/// A few UNMAPs are everyday.
const MASS_MIN: u64 = 5;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let unmaps = case.commands(|command| command.opcode == Some(Opcode::UNMAP) && command.unanswered());
    if unmaps.is_empty() {
        return Judgement::Silent;
    }
    let own: Vec<_> = case.commands(|command| {
        command.opcode == Some(Opcode::UNMAP)
            && command.unanswered()
            && command.host != Some(HostStatus::RESET)
    });
    if own.is_empty() {
        return Judgement::Aside(
            "UNMAP commands were lost to a reset as all others were: victims, not the load.".to_owned(),
        );
    }
    if total(&unmaps) < MASS_MIN {
        return Judgement::Aside(format!(
            "Only {} UNMAP command(s) had no answer: no mass of them.",
            total(&unmaps)
        ));
    }
    let others = case.commands(|command| {
        command.opcode != Some(Opcode::UNMAP) && !command.is_ats() && command.unanswered()
    });
    let stakes = case.stakes();
    let confidence = match (stakes.is_empty(), total(&unmaps) >= total(&others)) {
        (false, true) => Confidence::Likely,
        _ => Confidence::Possible,
    };
    let because = format!(
        "{} UNMAP commands had no answer in the same minutes: space reclamation keeps the array busy, and heartbeats wait behind it.",
        total(&unmaps)
    );
    let lines = own.into_iter().take(4).chain(stakes.into_iter().take(4)).collect();
    Judgement::Met(
        Proof::new(confidence, because, lines)
            .and_collect("The schedule of the array's own jobs and of space reclamation (`esxcli storage vmfs reclaim config get`)."),
    )
}
