//! What is wrong with slots and mailboxes, as a pure function of what was read.

use std::collections::BTreeMap;

use oarlock_block::Lba;
use oarlock_format::{
    DescriptorNumber, HostId, HostName, Incarnation, MailboxRecord, SlotIndex, SlotRecord, SlotState,
    Stamped, Standing, Writer,
};

use crate::check::code::Code;
use crate::check::evidence::Evidence;
use crate::check::scan::{Look, Snapshot};
use crate::check::suspicion::{Remedy, Suspicion, mailbox_spot, slot_spot};
use crate::store::Store;

/// Everything that is wrong with slots.
pub(crate) fn slots(store: &Store, snapshot: &Snapshot, evidence: &Evidence) -> Vec<Suspicion> {
    let mut found = Vec::new();
    for (slot, look) in (0..).map(SlotIndex).zip(&snapshot.slots) {
        let spot = slot_spot(store.layout.slot(slot), slot);
        match look {
            Look::Sound(stamped) => found.extend(sound(store, slot, stamped, evidence)),
            Look::Unsound { steady: false, error, .. } => {
                found.push(Suspicion::new(Code::InFlux, spot, error.to_string()));
            }
            Look::Unsound { error, .. } if error.is_newer() => {
                found.push(Suspicion::new(Code::SlotNewer, spot, error.to_string()));
            }
            Look::Unsound { error, .. } => {
                let suspicion = Suspicion::new(Code::SlotSpoiled, spot, error.to_string());
                found.push(suspicion.cured_by(Remedy::Slot(slot)));
            }
            Look::Unreadable(error) => {
                found.push(Suspicion::new(Code::Unreadable, spot, error.to_string()));
            }
        }
    }
    found.extend(namesakes(store, snapshot));
    found
}

fn sound(
    store: &Store,
    slot: SlotIndex,
    stamped: &Stamped<SlotRecord>,
    evidence: &Evidence,
) -> Vec<Suspicion> {
    let mut found = Vec::new();
    let record = &stamped.record;
    let lba = store.layout.slot(slot);
    let new = |code, message: String| Suspicion::new(code, slot_spot(lba, slot), message);
    if let Some(message) = contradiction(record) {
        found.push(new(Code::SlotContradicts, message).cured_by(Remedy::Slot(slot)));
    }
    if let Some(trace) = evidence.lives.get(&slot).filter(|trace| trace.incarnation > record.incarnation) {
        let message = format!(
            "the slot is in incarnation {}, and block {} names its incarnation {}",
            record.incarnation, trace.seen_at, trace.incarnation
        );
        let suspicion = new(Code::SlotOlder, message).seen_with([trace.seen_at]);
        found.push(suspicion.cured_by(Remedy::Slot(slot)));
    }
    match record.state {
        SlotState::Free => {}
        SlotState::Live => found.extend(foreign_hand(store, slot, stamped)),
        _ => {
            let message = format!("{} is {}", name_of(record), record.state.name());
            found.push(new(Code::SlotBurial, message));
        }
    }
    if let Some(fencer) = no_such_fencer(record, store.layout.slot_count()) {
        let message = format!("it was fenced from slot {fencer}");
        found.push(new(Code::SlotFencer, message).cured_by(Remedy::Slot(slot)));
    }
    if record.asked && record.state == SlotState::Live {
        found.push(new(Code::SlotAsked, format!("{} was asked", name_of(record))));
    }
    found
}

/// A life counts from 1: nobody lives, or lived, in incarnation 0.
pub(crate) fn contradiction(record: &SlotRecord) -> Option<String> {
    (record.state != SlotState::Free && record.incarnation == Incarnation(0))
        .then(|| format!("{} is {} in incarnation 0", name_of(record), record.state.name()))
}

/// The slot of a fencer that the datastore does not have.
pub(crate) fn no_such_fencer(record: &SlotRecord, slots: u16) -> Option<SlotIndex> {
    record.state.burial().map(|burial| burial.by.slot).filter(|slot| slot.0 >= slots)
}

/// A live slot's image is written by its own host in this life, or by a repair that asks it.
fn foreign_hand(store: &Store, slot: SlotIndex, stamped: &Stamped<SlotRecord>) -> Option<Suspicion> {
    let record = &stamped.record;
    let name = record.name.as_ref()?;
    let own = match stamped.stamp.writer {
        Writer::Tool => record.asked,
        Writer::Host(owner) => {
            owner.slot == slot
                && owner.incarnation == record.incarnation
                && owner.host == HostId::of(&store.format_id, name)
        }
    };
    let by = || match stamped.stamp.writer {
        Writer::Tool => "a tool that asks nothing".to_owned(),
        Writer::Host(owner) => format!("slot {}, incarnation {}", owner.slot, owner.incarnation),
    };
    let spot = slot_spot(store.layout.slot(slot), slot);
    (!own).then(|| {
        Suspicion::new(Code::SlotForeignHand, spot, format!("the image of {name} was written by {}", by()))
    })
}

fn namesakes(store: &Store, snapshot: &Snapshot) -> Vec<Suspicion> {
    let mut first: BTreeMap<&HostName, SlotIndex> = BTreeMap::new();
    let mut found = Vec::new();
    for (slot, stamped) in snapshot.sound_slots() {
        let (Some(name), SlotState::Live) = (&stamped.record.name, stamped.record.state) else { continue };
        match first.get(name) {
            None => {
                first.insert(name, slot);
            }
            Some(other) => {
                let spot = slot_spot(store.layout.slot(slot), slot);
                let message =
                    format!("{name} lives in slot {other} and in slot {slot}; of two, the higher leaves");
                let suspicion = Suspicion::new(Code::SlotNamesake, spot, message).about(name.as_str());
                found.push(suspicion.seen_with([store.layout.slot(*other)]));
            }
        }
    }
    found
}

/// Everything that is wrong with mailboxes.
pub(crate) fn mailboxes(store: &Store, snapshot: &Snapshot) -> Vec<Suspicion> {
    let mut found = Vec::new();
    for (slot, look) in (0..).map(SlotIndex).zip(&snapshot.mailboxes) {
        let spot = mailbox_spot(store.layout.mailbox(slot), slot);
        match look {
            Look::Sound(stamped) => {
                if let Some(message) = wrong_hint(store, &stamped.record) {
                    found.push(Suspicion::new(Code::MailboxHint, spot, message));
                }
            }
            Look::Unsound { steady: false, error, .. } => {
                found.push(Suspicion::new(Code::InFlux, spot, error.to_string()));
            }
            Look::Unsound { error, .. } if error.is_newer() => {
                found.push(Suspicion::new(Code::MailboxNewer, spot, error.to_string()));
            }
            Look::Unsound { error, .. } => {
                let suspicion = Suspicion::new(Code::MailboxSpoiled, spot, error.to_string());
                found.push(suspicion.cured_by(Remedy::Mailbox(slot)));
            }
            Look::Unreadable(error) => {
                found.push(Suspicion::new(Code::Unreadable, spot, error.to_string()));
            }
        }
    }
    found
}

fn wrong_hint(store: &Store, record: &MailboxRecord) -> Option<String> {
    let layout = &store.layout;
    // Descriptors and groups have locks, too.
    let has_lock = |lba: Lba| match layout.kind_at(lba) {
        Standing::Lock(_) | Standing::Group => true,
        Standing::Descriptor(number) => {
            u32::try_from(number).is_ok_and(|number| layout.descriptor(DescriptorNumber(number)) == lba)
        }
        _ => false,
    };
    let wrong = record.entries.iter().find(|lba| !has_lock(**lba))?;
    Some(format!("it holds a hint about block {wrong}, where no lock stands"))
}

fn name_of(record: &SlotRecord) -> &str {
    record.name.as_ref().map_or("a host without a name", HostName::as_str)
}
