//! `array-load`: the array is busy with work that hosts gave it in bulk, or with its own.

use super::case::{Case, FIRST, command, total};
use super::local::is_of_one_host;
use super::{Confidence, Judgement, Proof};
use crate::fact::{Fact, HostStatus, Opcode};
use crate::scene::{near, same_host};

/// A few UNMAPs are everyday.
const MASS_MIN: u64 = 5;
/// Each command runs out by its own clock, so that what stood still at once is lost within half a minute.
const AT_ONCE_US: i64 = 30_000_000;
/// One command of another device may be lost by chance.
const LOST_MIN: u64 = 2;

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
    let stopped = own.first().is_some_and(|first| all_stopped(case, first, &own));
    let lines = own.into_iter().take(4).chain(stakes.into_iter().take(4)).collect();
    let proof = Proof::new(confidence, because, lines)
        .and_collect("The schedule of the array's own jobs and of space reclamation (`esxcli storage vmfs reclaim config get`).");
    Judgement::Met(if stopped {
        proof.but("But other devices, which were sent no UNMAP, lost their commands in the same half minute: all of them stood still together, and the UNMAPs may be victims as the others are.")
    } else {
        proof
    })
}

/// Whether devices that had no UNMAP lost commands at about the time at which the first UNMAP was lost, on whichever host: what stands still behind
/// an array stands still for all.
fn all_stopped(case: &Case<'_>, first: &Fact, own: &[&Fact]) -> bool {
    let beside = |fact: &&Fact| {
        fact.device.is_some()
            && own.iter().all(|unmap| unmap.device != fact.device)
            && near(fact, first, AT_ONCE_US)
            && (same_host(fact, first) || fact.device.is_some_and(|device| !is_of_one_host(case, device)))
            && command(fact).is_some_and(|command| {
                command.unanswered() && command.opcode.is_some_and(|opcode| opcode.moves_data())
            })
    };
    let lost: Vec<&Fact> = case.scene.facts.iter().filter(beside).take(FIRST).collect();
    total(&lost) >= LOST_MIN
}
