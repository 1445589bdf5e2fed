//! `delayed-own-write`: the host met its own earlier write, which it had thought lost.

use super::case::{Case, FIRST, JUST_BEFORE_US, Record, command};
use super::pair::Side;
use super::{Confidence, Judgement, Proof, answered, untied};
use crate::fact::{Fact, HeartbeatStep, Kind, LockStep, TargetStep, TaskKind, TaskOutcome};

use crate::names::Name;
use crate::scene::{before, near, same_host};
use crate::text::{after, decimal};

/// A target and a host write of one answer within this.
const AT_ONCE_US: i64 = 2_000_000;
/// A heartbeat that was given up is tried again every second, for the 16 seconds until access is lost (KB320840): an answer
/// later than that may be to another command.
const NEXT_TRY_US: i64 = 20_000_000;

/// So many heartbeats that came back before a false answer are looked at.
const RECOVERIES_MAX: usize = 64;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let own = case.all(|fact| fact.kind == Kind::OwnImage);
    if !own.is_empty() {
        let because = "The same command had swapped before, without an error: the block holds the new image of this very writer.";
        return Judgement::Met(Proof::new(Confidence::Likely, because, own));
    }
    let false_ones = case.false_answers();
    if false_ones.is_empty() {
        return Judgement::Silent;
    }
    let open: Vec<Open<'a>> = case
        .all(is_open)
        .into_iter()
        .take(FIRST)
        .map(|fact| Open { fact, side: Side::of(case, fact) })
        .collect();
    let pair = false_ones
        .iter()
        .take(FIRST)
        .find_map(|answer| open_before(case, answer, &open).map(|earlier| (earlier, *answer)));
    let Some((earlier, answer)) = pair else {
        return Judgement::Aside(
            "No atomic test and set of this host was left without an answer in the minute before the false one, as far as these lines go."
                .to_owned(),
        );
    };
    let complete = complete_when_aborted(case, answer);
    let contested = !case.locks(|lock| matches!(lock.step, LockStep::NotFree | LockStep::Stale)).is_empty();
    let record = case.record_of(answer);
    if complete.is_empty() && record != Record::Lock && case.shares_its_id() {
        return Judgement::Aside(
            "Two hosts of these logs wait for heartbeats with one and the same host id: the slot may be the other's too, and its image no proof of an own \
             write. Hosts that were installed by copying a boot disk share their id (`esxcli system uuid get` on each)."
                .to_owned(),
        );
    }
    let tied = is_of_one_disk(case, earlier, answer);
    let confidence = match (complete.is_empty(), contested, record) {
        // What was complete may be a test that was false: it left no image.
        (false, _, _) if answered::was_lost_on_the_way(case, &complete) => Confidence::Possible,
        (false, _, _) => Confidence::Certain,
        (true, _, _) if !tied => Confidence::Possible,
        (true, _, _) if is_of_a_hidden_disk(case, answer) || was_put_back(earlier) => Confidence::Possible,
        (true, _, _) if [earlier, answer].iter().any(|fact| is_of_a_cut_block(case, fact)) => {
            Confidence::Possible
        }
        (true, _, _) if was_answered(case, earlier, answer, &false_ones) => Confidence::Possible,
        // A lock record is everybody's: beside an owner who lives, the own image is the lesser suspicion.
        (true, true, Record::Lock | Record::Both) => Confidence::Possible,
        (true, _, _) if !near(earlier, answer, NEXT_TRY_US) => Confidence::Possible,
        // The heartbeat that came back may have been this one.
        (true, _, _) if record != Record::Lock && recovery(case, earlier, answer) == Recovery::Maybe => {
            Confidence::Possible
        }
        (true, _, _) => Confidence::Likely,
    };
    let because = if complete.is_empty() && !tied {
        "The same host had given up a heartbeat shortly before, and then a test was false. If this device carries that volume, the host met its own image; no \
         line says that it does, or which record the test was about."
    } else if complete.is_empty() && record == Record::Slot {
        "The same host had left an atomic test and set to this device without an answer shortly before, and the false answer is about \
         its own heartbeat slot, which nobody else writes: it met its own image."
    } else if complete.is_empty() {
        "The same host had left an atomic test and set to this device without an answer shortly before: the array executed it \
         all the same, by all that these lines show, and the next one met its image."
    } else {
        "The same host had given up an atomic test and set to this device shortly before, and the target says that a command it was told to \
         abort was already complete: the next one met its image."
    };
    let lines = std::iter::once(earlier).chain(complete.into_iter().take(2)).chain([answer]).collect();
    Judgement::Met(
        Proof::new(confidence, because, lines)
            .and_collect("The image in the block (`hexdump -C` of the slot or lock record): does it name this host, and the stamp that it tried to write?"),
    )
}

/// What targets say was complete when it was to be aborted, near a false answer.
fn complete_when_aborted<'a>(case: &Case<'a>, answer: &Fact) -> Vec<&'a Fact> {
    case.all(|fact| {
        fact.kind == Kind::Task { task: TaskKind::Abort, outcome: TaskOutcome::AlreadyComplete }
            && near(fact, answer, JUST_BEFORE_US)
            && !untied::is_of_a_stranger(case, fact)
    })
}

/// The offset of the heartbeat slot that a line is about, where it prints one: two offsets are two slots.
fn slot_of(fact: &Fact) -> Option<u64> {
    let Kind::Heartbeat(heartbeat) = &fact.kind else { return None };
    let printed = || {
        ["HB at offset ", "HB images at offset "]
            .iter()
            .find_map(|mark| after(&fact.text, mark))
            .and_then(decimal)
    };
    heartbeat.slot.map(|slot| slot.offset).or_else(printed)
}

/// Whether what was left open and what was false are about one disk, as far as any line tells: a volume and a device that are only
/// near each other in time may be two of many.
fn is_of_one_disk(case: &Case<'_>, earlier: &Fact, answer: &Fact) -> bool {
    let same = |one: Option<Name>, other: Option<Name>| one.is_some() && one == other;
    let (Some(volume), Some(device)) = (earlier.volume, answer.device) else { return true };
    if same(earlier.device, answer.device) || same(earlier.volume, answer.volume) {
        return true;
    }
    case.scene.facts.iter().any(|fact| fact.volume == Some(volume) && fact.device == Some(device))
}

/// Whether whoever published the lines hid which disk they are about: two disks may stand behind one mask.
fn is_of_a_hidden_disk(case: &Case<'_>, answer: &Fact) -> bool {
    let is_nameless = || answer.device.is_none() && answer.volume.is_none();
    Side::of(case, answer).map_or_else(is_nameless, |side| side.is_of_a_hidden_disk())
}

/// Whether a line's command was cut within the address of its block: it may be of any block.
fn is_of_a_cut_block(case: &Case<'_>, fact: &Fact) -> bool {
    Side::of(case, fact).is_some_and(|side| side.is_of_a_cut_block())
}

/// Whether the driver only asked for the command to be sent again (Linux: DID_IMM_RETRY, DID_REQUEUE): mostly it never left the host.
fn was_put_back(earlier: &Fact) -> bool {
    ["DID_IMM_RETRY", "DID_REQUEUE"].iter().any(|status| earlier.text.contains(status))
}

/// Whether the target itself says that it answered a test false before this one, which no host got: that may be the one that was left open, and then it
/// was not executed.
fn was_answered(case: &Case<'_>, earlier: &Fact, answer: &Fact, false_ones: &[&Fact]) -> bool {
    let at_once = |one: &Fact, other: &Fact| {
        let apart = one.when.zip(other.when).and_then(|(one, other)| one.since(&other));
        apart.is_none_or(|us| us.abs() <= AT_ONCE_US)
    };
    case.all(|fact| fact.kind == Kind::Target(TargetStep::Miscompare)).into_iter().any(|told| {
        near(told, earlier, JUST_BEFORE_US)
            && before(told, answer)
            && !false_ones.iter().take(FIRST).any(|known| at_once(known, told))
            && !untied::is_of_a_stranger(case, told)
    })
}

/// What this host left open before a false answer. A heartbeat that was given up explains none about a lock record: that is
/// another block.
fn open_before<'a>(case: &Case<'a>, answer: &Fact, open: &[Open<'a>]) -> Option<&'a Fact> {
    let of_lock = case.record_of(answer) == Record::Lock;
    let own = Side::of(case, answer);
    let is_another = |open: &Open<'_>| {
        own.as_ref().zip(open.side.as_ref()).is_some_and(|(own, side)| own.is_another(side))
    };
    let fitting: Vec<&Fact> = open
        .iter()
        .filter(|open| !is_another(open))
        .map(|open| open.fact)
        .filter(|earlier| !(of_lock && matches!(earlier.kind, Kind::Heartbeat(_))))
        .filter(|earlier| slot_of(earlier).zip(slot_of(answer)).is_none_or(|(one, other)| one == other))
        .filter(|earlier| before(earlier, answer) && near(earlier, answer, JUST_BEFORE_US))
        .filter(|earlier| !case.scene.is_set_back(earlier, answer))
        .filter(|earlier| of_lock || recovery(case, earlier, answer) != Recovery::Shown)
        .collect();
    let of_one_disk: Vec<&Fact> =
        fitting.iter().copied().filter(|earlier| is_of_one_disk(case, earlier, answer)).collect();
    let sure = case.just_before(answer, &of_one_disk, JUST_BEFORE_US);
    sure.or_else(|| case.just_before(answer, &fitting, JUST_BEFORE_US))
}

/// Whether the host had its heartbeat again in between: it had read the slot and swapped it anew, so that the image which was in doubt is not the one it
/// tests now. A heartbeat of a volume that no line ties to any device may be this device's.
fn recovery(case: &Case<'_>, earlier: &Fact, answer: &Fact) -> Recovery {
    let lies_here = |fact: &Fact| match (fact.volume, answer.device) {
        (Some(volume), Some(device)) if fact.device.is_none() => {
            let carriers = case.scene.knowledge.carriers(volume, fact.when);
            carriers.map(|carriers| carriers.contains(&device))
        }
        _ => Some(fact.device.is_none() || fact.device == answer.device),
    };
    let other = |one: Option<Name>, two: Option<Name>| one.is_some() && two.is_some() && one != two;
    let facts = case.scene.facts;
    let recoveries = case.scene.knowledge.recoveries();
    // They stand in the order of time, as the facts do: the last ones before the answer are those that matter.
    let behind = recoveries.partition_point(|&at| facts.get(at).is_some_and(|fact| before(fact, answer)));
    let last = recoveries[..behind].iter().rev().take(RECOVERIES_MAX).filter_map(|&at| facts.get(at));
    let between = last.filter(|fact| {
        same_host(fact, earlier)
            && fact.voice == earlier.voice
            && !other(fact.volume, earlier.volume)
            && before(earlier, fact)
    });
    let here = between.map(lies_here).max_by_key(|here| match here {
        Some(true) => 2,
        None => 1,
        Some(false) => 0,
    });
    match here {
        Some(Some(true)) => Recovery::Shown,
        Some(None) => Recovery::Maybe,
        _ => Recovery::None,
    }
}

/// Whether a heartbeat came back between a command that was left open and a false answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recovery {
    None,
    /// One of a volume that may be this device's.
    Maybe,
    Shown,
}

/// What was left open, with what its line says of itself.
struct Open<'a> {
    fact: &'a Fact,
    side: Option<Side<'a>>,
}

/// An ATS without an answer; or a heartbeat that was given up, which is one by KB326437.
fn is_open(fact: &Fact) -> bool {
    let ats = command(fact).is_some_and(|command| command.is_ats() && command.unanswered());
    let beat = matches!(&fact.kind, Kind::Heartbeat(heartbeat) if heartbeat.step == HeartbeatStep::TimedOut);
    ats || beat
}
