//! `contention`: another host that lives holds, or won, the record.

use super::case::{Case, FIRST, JUST_BEFORE_US};
use super::{Confidence, Judgement, Proof, words};
use crate::fact::{Fact, Kind, LockKind, LockRecord, LockStep, Uuid};
use crate::scene::near;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let held = case.locks(|lock| lock.step == LockStep::NotFree);
    let stale = case.locks(|lock| lock.step == LockStep::Stale);
    let asked = case.locks(|lock| lock.step == LockStep::CheckingLiveness);
    if held.is_empty() && stale.is_empty() {
        return match (asked.is_empty(), case.miscompares().is_empty()) {
            (false, _) => Judgement::Aside(
                "The host asked whether the owner of a lock lives; no line says that it does.".to_owned(),
            ),
            (true, false) if case.is_about_slots_alone() => Judgement::Aside(
                "The record is this host's own heartbeat slot, which nobody else writes while it lives: no contention.".to_owned(),
            ),
            (true, false) => Judgement::Aside(
                "No line names a lock record, an owner or another host that writes here.".to_owned(),
            ),
            (true, true) => Judgement::Silent,
        };
    }
    let (own, held): (Vec<_>, Vec<_>) = held.into_iter().partition(|fact| is_own(case, fact));
    if let Some(own) = own.first().filter(|_| held.is_empty() && stale.is_empty()) {
        return Judgement::Aside(format!(
            "The owner of the lock is this host itself ({}): nobody competes.",
            owner(own).map_or_else(String::new, |owner| owner.to_string())
        ));
    }
    let (dead, held): (Vec<_>, Vec<_>) = held.into_iter().partition(|fact| is_of_a_dead_host(case, fact));
    if !dead.is_empty() && held.is_empty() && stale.is_empty() {
        return Judgement::Aside(
            "The lock is held through a heartbeat slot that had been marked as a dead host's before: it waits to be freed, and nobody who lives competes by these lines.".to_owned(),
        );
    }
    let late = case.unanswered_ats();
    let near_late = late
        .iter()
        .take(FIRST)
        .any(|late| held.iter().chain(&stale).take(FIRST).any(|lock| near(late, lock, JUST_BEFORE_US)));
    let named = held.iter().any(|fact| owner(fact).is_some());
    // One that is held alone has an owner; a record that says otherwise is of a moment, or damaged.
    let of_nobody = stale.is_empty() && held.iter().take(FIRST).all(|fact| is_held_by_nobody(fact));
    // A lock that is held explains no false answer about a heartbeat slot.
    let elsewhere = case.is_about_slots_alone();
    // Whoever breaks the lock later found its owner dead after all.
    let broken = !case.locks(|lock| lock.step == LockStep::Breaking).is_empty();
    let confidence = match (near_late || elsewhere || broken || of_nobody, named && !asked.is_empty()) {
        (true, _) => Confidence::Possible,
        (false, true) => Confidence::Certain,
        (false, false) => Confidence::Likely,
    };
    let of_a_file =
        held.first().is_some_and(|fact| record(fact).is_some_and(|lock| lock.kind == LockKind::File));
    let mut because = because(&held);
    if elsewhere {
        because.push_str(
            " The false answer itself is about a heartbeat slot, though: this does not explain it.",
        );
    }
    if of_nobody {
        because.push_str(
            " But the record names no owner, though only one may hold it: who that is, it does not say.",
        );
    }
    let lines =
        held.into_iter().take(4).chain(asked.into_iter().take(2)).chain(stale.into_iter().take(2)).collect();
    let proof = Proof::new(confidence, because, lines);
    let proof = if case.lost_heartbeats().is_empty() { proof } else { proof.beside(NO_LOSS) };
    if of_a_file {
        return Judgement::Met(proof.in_words(&words::HELD_FILE).and_collect(
            "Which file it is (the lines just behind these name it), and on the host that holds it, what has it open: `vmkfstools -D FILE`, `lsof | grep FILE`.",
        ));
    }
    Judgement::Met(proof.and_collect("How many hosts share the volume, and how full it is: over ten hosts and under a tenth of free space make this frequent (KB301887)."))
}

const NO_LOSS: &str = "But a heartbeat ran out of time, or the volume was lost, in the same minutes: no race for a lock does that, and it is to be looked at first.";

fn because(held: &[&Fact]) -> String {
    let Some(record) = held.iter().find_map(|fact| record(fact)) else {
        return "The record was another host's: it was taken, or had changed, in the meantime. This is what an atomic test and set is for.".to_owned();
    };
    let owner = record.owner.map_or_else(
        || "another host".to_owned(),
        |owner| {
            format!(
                "host {owner} (the last twelve digits are the MAC address {} of one of its cards)",
                owner.mac()
            )
        },
    );
    let what = match record.kind {
        LockKind::Other(_) => "a record".to_owned(),
        kind => kind.name().to_owned(),
    };
    format!(
        "The lock of {what} is held by {owner}, which was found alive (`Not free`). It is a lock record, not a heartbeat slot: others may hold it."
    )
}

fn record(fact: &Fact) -> Option<LockRecord> {
    match &fact.kind {
        Kind::Lock(lock) => lock.record,
        _ => None,
    }
}

/// Whether a lock that one host alone may hold has nobody's id in it. Of several that read together none is the owner.
fn is_held_by_nobody(fact: &Fact) -> bool {
    const EXCLUSIVE: u64 = 1;
    record(fact).is_some_and(|lock| lock.mode == Some(EXCLUSIVE))
        && fact.text.contains("owner 00000000-00000000-")
}

fn owner(fact: &Fact) -> Option<Uuid> {
    record(fact).and_then(|record| record.owner)
}

fn is_of_a_dead_host(case: &Case<'_>, fact: &Fact) -> bool {
    record(fact).is_some_and(|lock| case.scene.knowledge.is_of_a_dead_host(fact, &lock))
}

fn is_own(case: &Case<'_>, fact: &Fact) -> bool {
    let known = case.scene.knowledge;
    owner(fact).is_some_and(|owner| known.is_own_id(fact.host, owner))
        || record(fact).is_some_and(|lock| known.is_own_slot(fact, &lock))
}
