//! `cannot-tell`: nothing is proved. What to collect depends on what was seen.

use super::case::{self, Case, Record};
use super::{Confidence, Proof, words};
use crate::fact::{ClusterStep, Command, Fact, Kind, PathEvent, TargetStep};
use crate::incident::{Weight, weight};

/// What the lines prove although the catalogue has no cause for it: it goes before any cause that is only possible.
#[must_use]
pub fn told<'a>(case: &Case<'a>) -> Option<Proof<'a>> {
    let gone = case.all(|fact| {
        fact.kind == Kind::Path(PathEvent::PermanentLoss)
            || case::command(fact).is_some_and(Command::says_no_such_unit)
    });
    if !gone.is_empty() {
        let because = "The array itself answered that this LUN is not there (LOGICAL UNIT NOT SUPPORTED, permanent device loss). The way to it works, for the \
                       answer came over it: no optic, cable or port is to be replaced for this. Why the LUN is gone stands in the array's log, not here.";
        let proof = Proof::new(Confidence::Possible, because, gone).in_words(&words::NO_SUCH_UNIT);
        return Some(proof.and_collect(ARRAY_NEXT).and_collect(
            "Whether every host and every path got this answer (then the LUN was deleted or taken offline) or only some (then its mapping was changed).",
        ));
    }
    let given_up = !case.all(|fact| fact.kind == Kind::Path(PathEvent::GivenUp)).is_empty();
    let offline = case.all(|fact| fact.kind == Kind::Path(PathEvent::Offline));
    if offline.is_empty() || given_up {
        return None;
    }
    let unplugged = case.all(|fact| fact.kind == Kind::Path(PathEvent::Unplugged));
    let because = if unplugged.is_empty() {
        "The host itself refuses commands to a disk that it took out of use. What became of the disk, or of the way to it, no line here tells."
    } else {
        "The host refuses commands to a disk that it took out of use, and a device was taken off its USB at that time: most likely the disk was \
         unplugged, or lost its power."
    };
    let lines = unplugged.into_iter().take(2).chain(offline).collect();
    let proof = Proof::new(Confidence::Possible, because, lines).in_words(&words::OFFLINE);
    Some(proof.and_collect(
        "The kernel log of this host from two minutes before the first line quoted here: resets of a link or of the device, sessions or remote ports that \
         timed out, a USB disconnect.",
    ))
}

const ARRAY_NEXT: &str = "The array's own log and audit trail of that minute: a LUN deleted, unmapped, masked or renumbered, a pool or volume taken offline?";

/// What is said of an incident that no rule explains.
#[must_use]
pub fn proof<'a>(case: &Case<'a>) -> Proof<'a> {
    let miscompares = case.false_answers();
    let at_target = case.all(|fact| fact.kind == Kind::Target(TargetStep::Miscompare));
    let unanswered = case.unanswered_ats();
    let refused = case.commands(Command::refuses_reserve);
    let other = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::OtherRecord));
    let silent = case.all(|fact| fact.kind == Kind::Target(TargetStep::InitiatorSilent));
    let pieces = pieces(case);
    let rest = case
        .all(|fact| weight(fact) > Weight::Context || pieces.iter().any(|piece| std::ptr::eq(*piece, fact)));
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
    } else if !refused.is_empty() {
        (
            "The target refuses RESERVE (5/20/00 or 5/24/00), which a host needs to format a volume, and to lock one where it has no atomic test \
             and set. No atomic test and set is among these lines: the target's software must learn it, or the array allow it.",
            refused,
        )
    } else if !other.is_empty() {
        (
            "A lock manager met a record that is not the one it asked for: of another name, kind or geometry, or never initialised. The record is \
             whole: compare the lockspace, the device and the offset that are configured with what stands there, and initialise nothing blindly.",
            other,
        )
    } else if !silent.is_empty() {
        (
            "The target waited for data that an initiator had announced and did not send, and closed the connection. The fault is the initiator's or \
             the network's between them; of the target's own storage these lines say nothing.",
            silent,
        )
    } else if !pieces.is_empty() && pieces.len() == rest.len() {
        (
            "The statuses of a command stand here without the command: which it was, on which device and when is not said, and from its end \
             alone no cause follows. `oarlock doctor --explain` says what each of them means.",
            pieces.clone(),
        )
    } else {
        ("Commands failed, and nothing near them says why.", rest)
    };
    let mut proof = Proof::new(Confidence::Possible, because, lines);
    proof.collect = next_steps(case);
    if !pieces.is_empty() {
        proof.collect.insert(0, WHOLE_LINE.to_owned());
    }
    proof
}

const WHOLE_LINE: &str = "The whole line that this was cut from, with its time, host, device and opcode (0x89 is the atomic test and set), and the lines \
                          around it: `grep -n -B20 -A20 'H:0x' vmkernel.log`.";

/// Statuses without their command and their device.
fn pieces<'a>(case: &Case<'a>) -> Vec<&'a Fact> {
    case.all(|fact| {
        fact.device.is_none()
            && matches!(&fact.kind, Kind::Command(command) if command.opcode.is_none() && command.device.is_some())
    })
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
