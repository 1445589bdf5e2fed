//! `cannot-tell`: nothing is proved. What to collect depends on what was seen.

use super::case::{Case, Record};
use super::{Confidence, Proof};
use crate::fact::{Kind, TargetStep};
use crate::incident::{Weight, weight};

/// What is said of an incident that no rule explains.
#[must_use]
pub fn proof<'a>(case: &Case<'a>) -> Proof<'a> {
    let miscompares = case.miscompares();
    let at_target = case.all(|fact| fact.kind == Kind::Target(TargetStep::Miscompare));
    let unanswered = case.unanswered_ats();
    let rest = case.all(|fact| weight(fact) > Weight::Context);
    let (because, lines) = if !miscompares.is_empty() {
        let because = match case.record() {
            Record::Slot => {
                "The device compared, and the block was not equal. The lines around are about the host's own heartbeat slot, which nobody \
                 else writes: this is no contention. Most often the host met its own delayed write; no line shows that write."
            }
            Record::Lock => {
                "The device compared, and the block was not equal. The lines around are about a lock record, which every host may write: \
                 most often another was first; no line names one that lives."
            }
            Record::Both | Record::Unknown => {
                "The device compared, and the block was not equal. Nothing near it says who wrote what stands there."
            }
        };
        (because, miscompares)
    } else if !at_target.is_empty() {
        (
            "The target answered an atomic test and set with miscompare. Its log does not say which host wrote what stands there.",
            at_target,
        )
    } else if !unanswered.is_empty() {
        ("An atomic test and set had no answer. Nothing near it says why.", unanswered)
    } else {
        ("Commands failed, and nothing near them says why.", rest)
    };
    let mut proof = Proof::new(Confidence::Possible, because, lines);
    proof.collect = next_steps(case);
    proof
}

fn next_steps(case: &Case<'_>) -> Vec<String> {
    let mut steps = vec![
        "The vmkernel.log (or kernel log) of this host, from 60 seconds before the first line quoted here: was an earlier 0x89 \
         timed out or aborted (H:0x5, H:0x3, H:0x8)? Then this is the host's own delayed write."
            .to_owned(),
    ];
    let others = "The same minutes of every other host that shares the device";
    steps.push(match case.record() {
        Record::Slot => format!(
            "{others}: did one of them fence this host or clear its slot? And a dump of the slot (`hexdump -C` of the heartbeat region): does it \
             hold the image that this host tried to write?"
        ),
        Record::Lock => format!(
            "{others}: which of them took the lock? `vmkfstools -D FILE` names the owner by its MAC address, and whether the lock is held."
        ),
        Record::Both | Record::Unknown => format!(
            "{others}: who wrote the record, and is it a lock record (then it may be contention) or this host's own heartbeat slot \
             (then it is not)?"
        ),
    });
    let of_target = case.facts().any(|fact| matches!(fact.kind, Kind::Target(_)));
    steps.push(if of_target {
        "The initiators' logs of the same seconds: which command it was, and what came before it.".to_owned()
    } else {
        "The array's or target's own log of the same seconds: did it execute a command that the host had given up?".to_owned()
    });
    steps.push("Versions of the HBA's firmware and driver, of the hosts and of the array, to compare with the advisories.".to_owned());
    steps
}
