//! `cannot-tell`: nothing is proved. What to collect depends on what was seen.

use super::case::{self, Case, Record};
use super::{Confidence, Proof, path_fault, words};
use crate::fact::{ClusterStep, Command, Fact, Kind, PathEvent, Sense, TargetStep};
use crate::incident::{Weight, is_hard, weight};
use crate::text::holds;

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
    // Where a link, a port or a session was lost, the disk went after it, and a controller takes over from one that is not reached.
    let way_lost = path_fault::lost_the_way(case);
    let is_transition = |command: &Command| command.sense.is_some_and(Sense::is_transition);
    // A status without its command and its device is a piece that somebody pasted.
    let moving = case.all(|fact| fact.device.is_some() && case::command(fact).is_some_and(is_transition));
    if !moving.is_empty() && !way_lost && case.false_answers().is_empty() {
        return Some(
            Proof::new(Confidence::Possible, TRANSITION, moving)
                .in_words(&words::TRANSITION)
                .and_collect(ARRAY_MOVES),
        );
    }
    let unready = case.commands(|command| command.sense.is_some_and(Sense::waits_for_a_person));
    if !unready.is_empty() && !way_lost && case.false_answers().is_empty() {
        return Some(
            Proof::new(Confidence::Possible, UNREADY, unready)
                .in_words(&words::UNREADY)
                .and_collect(ARRAY_NEXT),
        );
    }
    offline_disk(case, way_lost)
}

/// The host took a disk out of use.
fn offline_disk<'a>(case: &Case<'a>, way_lost: bool) -> Option<Proof<'a>> {
    let given_up = !case.all(|fact| fact.kind == Kind::Path(PathEvent::GivenUp)).is_empty();
    let offline = case.all(|fact| fact.kind == Kind::Path(PathEvent::Offline));
    if offline.is_empty() || given_up || way_lost {
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

const TRANSITION: &str = "The array answered that it was moving the LUN from one controller to another (NOT READY, asymmetric access state transition): until that \
                          is done it executes nothing for this LUN. Commands so refused were not executed. Why it moved, no line here tells.";
const UNREADY: &str = "The array answered NOT READY, manual intervention required (2/4/3): it has the LUN, does not serve it, and does not expect that to change by \
                       itself. The answer came over the path, so the path works. Why, no line here tells.";
const ARRAY_MOVES: &str = "The array's own log of that minute: an upgrade, a restart or a fault of a controller, a failover by hand, a rebalancing? And how long it took: \
                           a heartbeat has 8 seconds, access is lost after 16.";
const ARRAY_NEXT: &str = "The array's own log and audit trail of that minute: a LUN deleted, unmapped, masked or renumbered, a pool or volume taken offline?";

/// What is said of an incident that no rule explains.
#[must_use]
pub fn proof<'a>(case: &Case<'a>) -> Proof<'a> {
    let pieces = pieces(case);
    // Whatever made this an incident is quoted: what weighs, or, of lines about one thing, what is hard.
    let rest = case.all(|fact| {
        weight(fact) > Weight::Context
            || is_hard(fact)
            || pieces.iter().any(|piece| std::ptr::eq(*piece, fact))
    });
    let only_pieces = if pieces.len() == rest.len() { pieces.clone() } else { Vec::new() };
    let known = told_by_name(case).into_iter().chain([(PIECES, only_pieces)]);
    let (because, lines) = known
        .into_iter()
        .find(|(_, lines)| !lines.is_empty())
        .unwrap_or(("Commands failed, and nothing near them says why.", rest));
    let mut proof = Proof::new(Confidence::Possible, because, lines);
    proof.collect = next_steps(case);
    if !pieces.is_empty() {
        proof.collect.insert(0, WHOLE_LINE.to_owned());
    }
    proof
}

/// Kinds of lines that say something although they prove no cause, the most telling first: what they say, and the lines, if any.
fn told_by_name<'a>(case: &Case<'a>) -> [(&'static str, Vec<&'a Fact>); 11] {
    let unequal = if case.shares_its_id() { SHARED_ID } else { of_a_false_answer(case.record()) };
    [
        (unequal, case.false_answers()),
        (AT_TARGET, case.all(|fact| fact.kind == Kind::Target(TargetStep::Miscompare))),
        ("An atomic test and set had no answer. Nothing near it says why.", case.unanswered_ats()),
        (VERIFIED, case.commands(Command::verified_unequal)),
        (REFUSED, case.commands(Command::refuses_reserve)),
        (OTHER_RECORD, case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::OtherRecord))),
        (RENEWAL_FAILED, case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::RenewalFailed))),
        (LEASE_LOST, case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::LeaseLost))),
        (HELD_ELSEWHERE, case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::HeldElsewhere))),
        (INITIATOR_SILENT, case.all(|fact| fact.kind == Kind::Target(TargetStep::InitiatorSilent))),
        (
            NOT_KNOWN,
            case.commands(|command| {
                command.opcode.is_some() && command.sense.is_some_and(Sense::is_unsupported)
            }),
        ),
    ]
}

const fn of_a_false_answer(record: Record) -> &'static str {
    match record {
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
    }
}

const SHARED_ID: &str = "The device compared, and the block was not equal. Two hosts of these logs wait for heartbeats with one and the same host id, as hosts do that were \
                         installed by copying a boot disk: each may take the other's slot for its own. No line shows which of them wrote.";
const AT_TARGET: &str = "The target answered an atomic test and set with miscompare. Its log does not say which host wrote what stands there.";
const VERIFIED: &str = "Another command, such as VERIFY, found a block that differs from what its sender expected. It is no atomic test and set, and locks nothing: \
                        two copies differ, or somebody wrote in between.";
const REFUSED: &str = "The target refuses RESERVE (5/20/00 or 5/24/00), which a host needs to format a volume, and to lock one where it has no atomic test \
                       and set. No atomic test and set is among these lines: the target's software must learn it, or the array allow it.";
const OTHER_RECORD: &str = "A lock manager met a record that is not the one it asked for: of another name, kind or geometry, or never initialised. The record is \
                            whole: compare the lockspace, the device and the offset that are configured with what stands there, and initialise nothing blindly.";
const RENEWAL_FAILED: &str = "A lock manager's read or write of its own lease ended in an error: it was not late, it failed. The kernel log of the same host says why.";
const NOT_KNOWN: &str = "The device refused a command that it does not know, or not in this form (Illegal Request): it was not executed, and the path works. Multipathing of \
                         older kernels takes such a refusal of a discard (UNMAP, WRITE SAME) for a failed path: update the kernel, or mount without discard.";
const LEASE_LOST: &str = "A lock manager lost its lease: it ran out, or another host stands in this host's record, as after two hosts were given one host id. Why, no \
                          line here tells: compare the host ids that are configured, and read who owns the record now (`sanlock client read -s`).";
const HELD_ELSEWHERE: &str = "A lock manager refused a lock because another host holds it: that is what locks are for, and no fault of the storage. Whether that host \
                              still needs it, no line here tells: deactivate the volume there (`lvs -o+lv_active`), or, where the host is dead, wait until its \
                              lease has run out.";
const INITIATOR_SILENT: &str = "The target waited for data that an initiator had announced and did not send, and closed the connection. The fault is the initiator's or \
                                the network's between them; of the target's own storage these lines say nothing.";
const PIECES: &str = "The statuses of a command stand here without the command: which it was, on which device and when is not said, and from its end \
                      alone no cause follows. `oarlock doctor --explain` says what each of them means.";

const WHOLE_LINE: &str = "The whole line that this was cut from, with its time, host, device and opcode (0x89 is the atomic test and set), and the lines \
                          around it: `grep -n -B20 -A20 'H:0x' vmkernel.log`.";

/// Statuses without their command and their device.
fn pieces<'a>(case: &Case<'a>) -> Vec<&'a Fact> {
    case.all(|fact| {
        fact.device.is_none()
            && matches!(&fact.kind, Kind::Command(command) if command.opcode.is_none() && command.device.is_some())
    })
}

/// What to collect where no atomic test and set, heartbeat or lock is in question.
fn next_steps_of_the_way(case: &Case<'_>) -> Vec<String> {
    let iscsi = case
        .facts()
        .take(case::FIRST)
        .any(|fact| holds(&fact.text, "iscsi") || fact.text.contains("connection"));
    let way = if iscsi {
        "The network between host and target: a ping of full length without fragmentation (`vmkping -d -s 8972`, or 1472 without jumbo frames), the error counters \
         of the switch ports and cards, the binding of ports and their subnets; and the target's log: did it close the connection, or was it busy?"
    } else {
        "The error counters of the adapter and of the switch's port (/sys/class/fc_host/*/statistics; `esxcli storage san fc stats get`), the switch's log, and which \
         paths of the device failed and which stayed."
    };
    vec![
        "The kernel log (or vmkernel.log) of this host, from two minutes before the first line quoted here: what failed first?".to_owned(),
        way.to_owned(),
        "The array's or target's log and its latency for this device in the same minutes, and whether other hosts saw the same.".to_owned(),
        VERSIONS.to_owned(),
    ]
}

const VERSIONS: &str = "Versions of the HBA's firmware and driver, of the hosts and of the array, to compare with the advisories.";

fn next_steps(case: &Case<'_>) -> Vec<String> {
    let of_target = case.all(|fact| matches!(fact.kind, Kind::Target(_)));
    if case.stakes().is_empty() && of_target.is_empty() && pieces(case).is_empty() {
        return next_steps_of_the_way(case);
    }
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
    steps.push(if !of_target.is_empty() {
        "The initiators' logs of the same seconds: which command it was, and what came before it.".to_owned()
    } else {
        "The array's or target's own log of the same seconds: did it execute a command that the host had given up?".to_owned()
    });
    steps.push(VERSIONS.to_owned());
    steps
}
