//! The order of time between trouble and what it is said to explain.
//!
//! ```text
//!  trouble ---> false answer            explains it, if it is near
//!               false answer ---> trouble      stands beside it
//!  trouble  own write left open ---> own image met     of a proven pair only what came before its beginning is why; what is told
//!           trouble of a command ->                    when a command ends may have begun before
//! ```
//!
//! What an adapter, the fabric, the array or a queue suffered is a neighbour of a false answer and no part of it. That it happened in the same
//! minutes makes it a reason only for what came after it.

use std::collections::BTreeSet;

use oarlock_causes::Cause;

use super::case::{Case, FIRST, JUST_BEFORE_US, command, is_shared};
use super::{Confidence, Proof};
use crate::fact::{Command, Fact, HeartbeatStep, HostStatus, Kind, Sense, TaskKind, TaskOutcome};
use crate::names::Name;
use crate::scene::{before, near, same_host};

/// Causes whose proof is trouble that stood near, and not the record or the answer itself.
const fn is_a_neighbour(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::HbaFault
            | Cause::DeviceFault
            | Cause::FabricCongestion
            | Cause::PathFault
            | Cause::ArrayLoad
            | Cause::QueueDepth
            | Cause::SlowStorage
    )
}

/// The proof, no surer than the order of its lines allows.
#[must_use]
pub fn sobered<'a>(case: &Case<'a>, cause: Cause, proof: Proof<'a>) -> Proof<'a> {
    // Nobody but its own host reaches a local disk, whatever came first.
    let of_the_disk_itself = cause == Cause::DeviceFault && case.has_local_disks_alone();
    if !is_a_neighbour(cause) || of_the_disk_itself {
        return proof;
    }
    if is_of_a_stop(case, &proof.lines) {
        return proof.but("But the host said right before that it was being shut down: it lets go of its links and heartbeats itself then.");
    }
    let harmed = case.all(is_harm);
    // That a disk has unreadable sectors is true whoever won the race.
    let sure = proof.confidence > Confidence::Possible;
    if sure && cause != Cause::DeviceFault && case.is_a_plain_race() {
        const NEEDS_NO_OTHER: &str = "But the lock is another host's, which was found alive: a test that is false in such a race needs no other reason.";
        // What the fabric or a driver says of itself is true whoever won a race, and is told beside it.
        let of_itself = matches!(cause, Cause::FabricCongestion | Cause::HbaFault);
        if of_itself && names_no_device(case, &proof) || harmed.is_empty() && case.incident.devices.is_empty()
        {
            return proof.beside(NEEDS_NO_OTHER);
        }
        if !harmed.is_empty() {
            return proof.but(NEEDS_NO_OTHER);
        }
    }
    let troubles: Vec<&Fact> =
        proof.lines.iter().copied().take(FIRST).filter(|fact| is_trouble(fact)).collect();
    if matches!(cause, Cause::HbaFault | Cause::PathFault) && is_of_few_hosts(case, &troubles, &harmed) {
        let proof = proof.but(
            "But other hosts lost their answers in the same minute, and no line tells of such trouble there: what one host suffers of its own parts does not explain them. \
             What all of them share may be behind both.",
        );
        return Proof { is_beside: true, ..proof };
    }
    // Slowness tells its order itself.
    if !sure && cause == Cause::SlowStorage
        || harmed.is_empty()
        || troubles.is_empty()
        || came_first(case, &troubles, &harmed)
    {
        return proof;
    }
    let proof = proof.but(
        "But all of this was written after what went wrong with the atomic tests and sets and the heartbeats, or long before it: it is not shown to be why.",
    );
    // A slow command is told when it ends.
    Proof { is_beside: cause != Cause::SlowStorage, ..proof }
}

/// Whether the trouble of a proof is nobody's in particular: no line of it names a device.
fn names_no_device(case: &Case<'_>, proof: &Proof<'_>) -> bool {
    let stakes = case.stakes();
    let is_a_stake = |fact: &Fact| stakes.iter().take(FIRST).any(|stake| std::ptr::eq(*stake, fact));
    proof.lines.iter().take(FIRST).all(|fact| fact.device.is_none() || is_a_stake(fact))
}

/// Whether every line of a proof was written by a host that had just said that it stops.
fn is_of_a_stop(case: &Case<'_>, lines: &[&Fact]) -> bool {
    const WORDS: [&str; 4] = [".host.stop.", "shutting down", "is rebooting", "is powering down"];
    let stops =
        case.all(|fact| fact.kind == Kind::Restart && WORDS.iter().any(|word| fact.text.contains(word)));
    !lines.is_empty()
        && lines.iter().take(FIRST).all(|fact| {
            stops.iter().any(|stop| {
                before(stop, fact)
                    && near(stop, fact, 2 * JUST_BEFORE_US)
                    && same_host(stop, fact)
                    && (fact.host.is_some() || stop.voice == fact.voice)
            })
        })
}

/// Whether an adapter or a path is in trouble on some hosts alone, while others, which have none, lose their answers at the same time. That a test was
/// false elsewhere may follow from one host's trouble; that nobody answered there does not.
fn is_of_few_hosts(case: &Case<'_>, troubles: &[&Fact], harmed: &[&Fact]) -> bool {
    // What the fabric, a target or a gateway says is of what hosts share; an abort is its own host's.
    let is_anybodys = |fact: &&Fact| is_shared(fact) && !matches!(fact.kind, Kind::Task { .. });
    if troubles.iter().any(is_anybodys) {
        return false;
    }
    let troubled: BTreeSet<Option<Name>> =
        case.all(is_of_own_parts).iter().chain(troubles).map(|fact| fact.host).collect();
    let is_elsewhere = |fact: &&Fact| {
        fact.host.is_some()
            && !troubled.contains(&fact.host)
            && !command(fact).is_some_and(Command::miscompared)
            && troubles.iter().take(FEW).any(|trouble| near(trouble, fact, JUST_BEFORE_US))
    };
    !troubled.contains(&None) && harmed.iter().any(is_elsewhere)
}

/// Whether a line tells of a host's adapter, or of its way to the storage.
fn is_of_own_parts(fact: &Fact) -> bool {
    match &fact.kind {
        Kind::AdapterFault => true,
        Kind::Path(event) => event.is_loss(),
        Kind::Task { task: TaskKind::Abort, outcome } => {
            matches!(outcome, TaskOutcome::Failed | TaskOutcome::Pending)
        }
        Kind::Command(command) => {
            command.sense.is_some_and(Sense::is_nexus_loss)
                || command.host.is_some_and(|host| !matches!(host.0, 0x0 | 0x3 | 0x5 | 0x8))
        }
        _ => false,
    }
}

/// Whether any of what went wrong followed any of the trouble, or trouble of its kind.
fn came_first<'a>(case: &Case<'a>, troubles: &[&'a Fact], harmed: &[&Fact]) -> bool {
    let alike = case.all(|fact| troubles.iter().take(FEW).any(|trouble| is_alike(trouble, fact)));
    !case.followed_by(&alike, harmed, JUST_BEFORE_US).is_empty()
}

/// So many lines of a proof are what it is about.
const FEW: usize = 8;

/// Lines of one moment are written in any order.
const AT_ONCE_US: i64 = 1_000_000;

/// Whether two lines tell of the same kind of trouble.
fn is_alike(one: &Fact, other: &Fact) -> bool {
    match (command(one), command(other)) {
        (Some(one), Some(other)) if is_trouble_of(other) => {
            one.host == other.host && one.device == other.device && one.sense == other.sense
        }
        (Some(_), _) | (_, Some(_)) => false,
        _ => std::mem::discriminant(&one.kind) == std::mem::discriminant(&other.kind) && is_trouble(other),
    }
}

/// Whether a line tells of trouble, and not only of what trouble is to explain.
fn is_trouble(fact: &Fact) -> bool {
    command(fact).map_or_else(|| !is_harm(fact), is_trouble_of)
}

/// A test that was false, or whose time ran out, tells no reason; that its path was gone is one.
fn is_trouble_of(command: &Command) -> bool {
    let ran_out = command.host.is_some_and(|host| matches!(host, HostStatus(0x3 | 0x5 | 0x8)));
    !is_of_a_test(command) || command.unanswered() && !ran_out
}

fn is_of_a_test(command: &Command) -> bool {
    command.is_ats() && (command.miscompared() || command.unanswered())
}

/// Whether this is what neighbours are asked to explain: a test that was false or stayed without an answer, a heartbeat that was late.
#[must_use]
pub fn is_harm(fact: &Fact) -> bool {
    match &fact.kind {
        Kind::Command(command) => is_of_a_test(command),
        Kind::Heartbeat(heartbeat) => {
            heartbeat.step.is_a_loss() || heartbeat.step == HeartbeatStep::Miscompare
        }
        _ => false,
    }
}

/// Whether what a device said of itself (its space, a reservation, its identity) came only after the harm, which a neighbour that came before explains.
/// It is true all the same, and told with that.
#[must_use]
pub fn is_overtaken(case: &Case<'_>, cause: Cause, proof: &Proof<'_>, met: &[(Cause, Proof<'_>)]) -> bool {
    let of_itself = matches!(
        cause,
        Cause::ArrayFull | Cause::Reservation | Cause::SnapshotSignature | Cause::AtsUnsupported
    );
    if !of_itself
        || !met.iter().any(|(cause, proof)| is_a_neighbour(*cause) && proof.confidence > Confidence::Possible)
    {
        return false;
    }
    let harmed = case.all(is_harm);
    let said: Vec<&Fact> = proof.lines.iter().copied().take(FIRST).collect();
    !harmed.is_empty() && !came_first(case, &said, &harmed)
}

/// Whether a cause may be told before a proven pair: the host's own write that was left open, and its image that was met. What speaks of the
/// record itself may; a neighbour only if it was there before, at that host or at what hosts share: of the way, before the write was given up; of what
/// is told when a command ends, before the image was met.
#[must_use]
pub fn may_lead(case: &Case<'_>, cause: Cause, proof: &Proof<'_>, pair: &Proof<'_>) -> bool {
    // Neither a device that is full nor one that is reserved leaves a command open; but a full one that says BUSY was not told apart from a late one.
    if cause == Cause::Reservation {
        return false;
    }
    if !is_a_neighbour(cause) && !matches!(cause, Cause::ArrayFull | Cause::AtsUnsupported) {
        return true;
    }
    let (Some(given_up), Some(met)) = (pair.lines.first(), pair.lines.last()) else { return true };
    let is_in_time = |trouble: &Fact| {
        let of_the_way = matches!(cause, Cause::HbaFault | Cause::PathFault | Cause::FabricCongestion);
        // A link that falls later has not taken a command that was given up before.
        !of_the_way || !before(given_up, trouble) || near(given_up, trouble, AT_ONCE_US)
    };
    let first: Vec<&Fact> = proof.lines.iter().copied().take(FEW).filter(|fact| is_trouble(fact)).collect();
    let mut troubles = case.facts().filter(|fact| first.iter().any(|line| is_alike(line, fact)));
    troubles.any(|trouble| {
        (same_host(trouble, met) || is_shared(trouble))
            && before(trouble, met)
            && near(trouble, met, JUST_BEFORE_US)
            && is_in_time(trouble)
    })
}
