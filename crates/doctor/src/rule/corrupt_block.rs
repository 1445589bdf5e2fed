//! `corrupt-block`: the record on the disk is not one.

use super::case::Case;
use super::{Confidence, Judgement, Proof, words};
use crate::fact::{ClusterStep, Fact, HeartbeatStep, Kind, LockStep, SlotState};
use crate::image_words;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let said = case.all(|fact| match &fact.kind {
        Kind::Heartbeat(heartbeat) => heartbeat.step == HeartbeatStep::Corrupt,
        Kind::Lock(lock) => lock.step == LockStep::Corrupt,
        Kind::Cluster(step) => *step == ClusterStep::BadRecord,
        _ => false,
    });
    let dumped = case.all(is_damaged_slot);
    if let Some(proof) = of_other_records(&said) {
        return Judgement::Met(proof);
    }
    if !said.is_empty() {
        let because = "The file system itself says that the record on the disk is damaged. Every atomic test and set there must \
                       fail, for no host can name the image that stands there; nobody competes for it.";
        let mut lines = said;
        lines.truncate(6);
        lines.extend(dumped);
        return Judgement::Met(Proof::new(Confidence::Certain, because, lines).and_collect(NEXT));
    }
    let strange = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::StrangeRecord));
    if !strange.is_empty() {
        let because = "Where a lock manager's record should be, something begins with a number that none of its records has: the record was written \
                       over, or the device or offset that it was told to read is another's.";
        return Judgement::Met(Proof::new(Confidence::Likely, because, strange).and_collect(
            "A dump of the first sectors there (`hexdump -C`), and the path and offset that the lock manager was given: does another program's header \
             stand there?",
        ));
    }
    if dumped.is_empty() {
        return Judgement::Silent;
    }
    Judgement::Met(of_dumped(dumped).and_collect(NEXT))
}

/// Slots of a dump that cannot be ones. One alone has no neighbours that would show where it stands.
fn of_dumped(dumped: Vec<&Fact>) -> Proof<'_> {
    const NAMED_MAX: usize = 3;
    let image = |fact: &Fact| match &fact.kind {
        Kind::Slot(image) => Some(*image),
        _ => None,
    };
    let places = dumped.iter().filter_map(|fact| image(fact)).take(NAMED_MAX);
    let places: Vec<String> =
        places.map(|slot| image_words::place(slot.found_at.unwrap_or(slot.offset))).collect();
    let more = dumped.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let lone = dumped.iter().filter_map(|fact| image(fact)).all(|slot| slot.found_at.is_none());
    let unknown = dumped.iter().filter_map(|fact| image(fact)).all(|slot| is_of_the_family(slot.state));
    let (confidence, amid) = if unknown {
        (
            Confidence::Possible,
            "The number is one of those that VMFS gives to slots, but for its last digit: it may be a state that is not published.",
        )
    } else if lone {
        (
            Confidence::Possible,
            "It stands alone: a dump of the slots around it would show whether this is the heartbeat region at all.",
        )
    } else {
        (Confidence::Likely, "The slots around are sound.")
    };
    let because = format!(
        "In the dump, what should be a heartbeat slot is zero, has no known state, or names another offset than its own: {}{more}. {amid}",
        places.join("; ")
    );
    Proof::new(confidence, because, dumped)
}

/// Whether a state differs from the two known ones, abcdef01 and abcdef02, in the last digit alone.
const fn is_of_the_family(state: SlotState) -> bool {
    matches!(state, SlotState::Damaged(0xabcd_ef03..=0xabcd_ef0f))
}

/// Damage that is about no heartbeat: lock records, or the records from which VMFS allocates space.
fn of_other_records<'a>(said: &[&'a Fact]) -> Option<Proof<'a>> {
    let of_locks = said.iter().all(|fact| matches!(fact.kind, Kind::Lock(_)));
    if said.is_empty() || !of_locks {
        return None;
    }
    let of_resources = said.iter().any(|fact| is_of_resources(fact));
    let of_some = said.iter().all(|fact| fact.text.contains("has been detected corrupted"));
    let (because, words) = if of_some {
        (
            "VMFS itself says that the volume is damaged; this line does not say which of its records.",
            &words::DAMAGED_VOLUME,
        )
    } else if of_resources {
        (
            "VMFS itself says that a resource cluster on the disk is damaged: a record from which it allocates space, and no heartbeat. Nothing is allocated from \
             there any more; nobody competes for it.",
            &words::DAMAGED_RESOURCES,
        )
    } else {
        (
            "VMFS itself says that a lock record on the disk is damaged, and no heartbeat. Nobody can take that lock or give it back; nobody competes for it.",
            &words::DAMAGED_LOCK,
        )
    };
    let lines = said.iter().copied().take(6).collect();
    Some(Proof::new(Confidence::Certain, because, lines).in_words(words).and_collect(CHECK))
}

/// Whether a line is about what VMFS allocates space from, or about a volume as a whole.
fn is_of_resources(fact: &Fact) -> bool {
    ["esource cluster", "vmfs.resource."].iter().any(|word| fact.text.contains(word))
}

const CHECK: &str = "Before anything is written: what `voma -m vmfs -f check -d /vmfs/devices/disks/DEVICE:PARTITION` says while the volume is in use nowhere, and the log of \
                     the device below it: did its commands fail before?";
const NEXT: &str = "Before anything is written: a dump of the region (`hexdump -C` of the heartbeat region, `voma -m vmfs -f check -d /vmfs/devices/disks/DEVICE:PARTITION`), and the \
                    array's log of the last power loss or failover.";

/// A slot that cannot be one: no state, or not its own offset.
fn is_damaged_slot(fact: &Fact) -> bool {
    let Kind::Slot(image) = &fact.kind else { return false };
    let elsewhere = image.found_at.is_some_and(|at| at != image.offset);
    match image.state {
        SlotState::Zero => true,
        SlotState::Damaged(magic) => !super::foreign_block::is_foreign(magic),
        SlotState::Free | SlotState::InUse => elsewhere,
    }
}
