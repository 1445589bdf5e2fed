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
/// What is lost within this of the first UNMAP was lost with it.
const WITH_IT_US: i64 = 2_000_000;
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
    let led = !were_first(&others, &own);
    let stopped = own.first().is_some_and(|first| all_stopped(case, first, &own));
    let lines = own.into_iter().take(4).chain(stakes.into_iter().take(4)).collect();
    let proof = Proof::new(confidence, because, lines)
        .and_collect("The schedule of the array's own jobs and of space reclamation (`esxcli storage vmfs reclaim config get`).");
    Judgement::Met(if !led {
        proof.but("But other commands to the same device were lost before the first UNMAP was, or in turns with it: the device stood still for all of them, and the UNMAPs did not begin it.")
    } else if stopped {
        proof.but("But other devices, which were sent no UNMAP, lost their commands in the same half minute: all of them stood still together, and the UNMAPs may be victims as the others are.")
    } else {
        proof
    })
}

/// Whether commands to the device of the first UNMAP that was lost were lost before it, or in turns with the UNMAPs from the first one on: a device that
/// stands still loses whatever is sent to it.
fn were_first(others: &[&Fact], own: &[&Fact]) -> bool {
    let Some(first) = own.first() else { return false };
    // Commands of one kind are one fact, from the first to the last of them: where two of these overlap, their beginnings tell which was first.
    let behind_us = |fact: &Fact| first.when.zip(fact.when).and_then(|(first, when)| when.since(&first));
    let of = |facts: &[&Fact], chosen: &dyn Fn(i64) -> bool| {
        let of_device = facts.iter().copied().take(FIRST).filter(|fact| fact.device == first.device);
        let lost: Vec<&Fact> = of_device.filter(|fact| behind_us(fact).is_some_and(chosen)).collect();
        total(&lost)
    };
    let with_it = |us: i64| (0..=WITH_IT_US).contains(&us);
    let (beside, unmaps) = (of(others, &with_it), of(own, &with_it));
    of(others, &|us| (-AT_ONCE_US..0).contains(&us)) >= LOST_MIN
        || beside >= LOST_MIN && beside.saturating_mul(2) >= unmaps
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
