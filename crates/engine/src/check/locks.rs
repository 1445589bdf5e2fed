//! What is wrong with locks, as a pure function of what was read.

use oarlock_block::Lba;
use oarlock_format::{
    HostName, LOCK_WINDOW, LockMode, LockName, LockPosition, LockRecord, SlotIndex, SlotState, Stamped, home,
};

use crate::check::code::Code;
use crate::check::evidence::{Evidence, child_bit};
use crate::check::scan::{Look, Snapshot};
use crate::check::suspicion::{Remedy, Suspicion, lock_spot};
use crate::decide::{Blocker, Life, life};
use crate::store::Store;

/// Everything that is wrong with locks.
pub(crate) fn locks(store: &Store, snapshot: &Snapshot, evidence: &Evidence) -> Vec<Suspicion> {
    let mut found = Vec::new();
    for (position, look) in (0..).map(LockPosition).zip(&snapshot.locks) {
        let spot = || lock_spot(store.layout.lock(position), position);
        match look {
            Look::Sound(stamped)
                if stamped.record.name.is_none() && stamped.record.lock.mode == LockMode::Free => {}
            Look::Sound(stamped) => found.extend(sound(store, snapshot, position, stamped)),
            Look::Unsound { steady: false, error, .. } => {
                found.push(Suspicion::new(Code::InFlux, spot(), error.to_string()));
            }
            Look::Unsound { error, .. } if error.is_newer() => {
                found.push(Suspicion::new(Code::LockNewer, spot(), error.to_string()));
            }
            Look::Unsound { error, .. } => {
                let suspicion = Suspicion::new(Code::LockSpoiled, spot(), error.to_string());
                found.push(suspicion.cured_by(Remedy::Lock(position)));
            }
            Look::Unreadable(error) => {
                found.push(Suspicion::new(Code::Unreadable, spot(), error.to_string()));
            }
        }
    }
    found.extend(twice(store, snapshot, evidence));
    found
}

fn sound(
    store: &Store,
    snapshot: &Snapshot,
    position: LockPosition,
    stamped: &Stamped<LockRecord>,
) -> Vec<Suspicion> {
    let record = &stamped.record;
    let mut found = Vec::new();
    if let Some(name) = &record.name {
        found.extend(standing(store, snapshot, position, name));
    }
    if let Some(slot) = no_such_slot(record, store.layout.slot_count()) {
        let spot = lock_spot(store.layout.lock(position), position);
        let message =
            format!("{} names slot {slot}, and there are {}", who(record), store.layout.slot_count());
        found.push(Suspicion::new(Code::LockNoSuchSlot, spot, message).cured_by(Remedy::Lock(position)));
        return found;
    }
    found.extend(holding(store, snapshot, position, record));
    found
}

/// Whether the name may stand where it stands.
fn standing(
    store: &Store,
    snapshot: &Snapshot,
    position: LockPosition,
    name: &LockName,
) -> Option<Suspicion> {
    let home = home(&store.format_id, name, store.layout.lock_positions());
    let new = |code, message: String| {
        let spot = lock_spot(store.layout.lock(position), position);
        Suspicion::new(code, spot, message).about(name.as_str()).seen_with([store.layout.lock(home)])
    };
    let Some(bit) = child_bit(home, position) else {
        let last = home.0 + LOCK_WINDOW - 1;
        let message = format!("`{name}` stands here, and is looked for at positions {home} to {last}");
        return Some(new(Code::LockAstray, message).cured_by(Remedy::Lock(position)));
    };
    // Where the home itself is spoiled its mask is put right with it.
    let mask = snapshot.lock(home)?.sound()?.record.children;
    if mask & bit != 0 {
        return None;
    }
    let message = format!("`{name}` stands here, and its home {home} does not name this position");
    let code = if position == home { Code::LockHomeUnlisted } else { Code::LockUnlisted };
    let suspicion = new(code, message);
    let remedy = if position == home { Remedy::Nothing } else { Remedy::List { home, bit } };
    Some(suspicion.cured_by(remedy))
}

/// A slot that the record names and the datastore does not have.
pub(crate) fn no_such_slot(record: &LockRecord, slots: u16) -> Option<SlotIndex> {
    let owner = record.lock.owner.map(|owner| owner.slot);
    owner.into_iter().chain(record.lock.holders.iter()).find(|slot| slot.0 >= slots)
}

/// Who holds it, where that is left over or open.
fn holding(
    store: &Store,
    snapshot: &Snapshot,
    position: LockPosition,
    record: &LockRecord,
) -> Option<Suspicion> {
    let lba = store.layout.lock(position);
    let blockers =
        record.lock.owner.map(Blocker::Owner).into_iter().chain(record.lock.holders.iter().map(Blocker::Bit));
    let gone: Vec<SlotIndex> =
        blockers.filter(|blocker| is_gone(snapshot, blocker)).map(|b| b.slot()).collect();
    let slots =
        |slots: &[SlotIndex]| -> Vec<Lba> { slots.iter().map(|slot| store.layout.slot(*slot)).collect() };
    if record.lock.mode == LockMode::Unknown {
        let waiting: Vec<SlotIndex> = record.lock.holders.iter().collect();
        let message = format!("{} waits for {}", who(record), names(snapshot, &waiting));
        let suspicion = Suspicion::new(Code::LockUnknown, lock_spot(lba, position), message);
        return Some(suspicion.seen_with(slots(&waiting)).cured_by(Remedy::Ask(position)));
    }
    if gone.is_empty() {
        return None;
    }
    let message = format!("{} is held by {}, gone since", who(record), names(snapshot, &gone));
    Some(Suspicion::new(Code::LockLeftover, lock_spot(lba, position), message).seen_with(slots(&gone)))
}

fn is_gone(snapshot: &Snapshot, blocker: &Blocker) -> bool {
    let slot = snapshot.slot(blocker.slot()).and_then(Look::sound);
    slot.is_some_and(|stamped| life(blocker, &stamped.record) == Life::Gone)
}

fn names(snapshot: &Snapshot, slots: &[SlotIndex]) -> String {
    if slots.is_empty() {
        return "nobody".to_owned();
    }
    let name = |slot: &SlotIndex| {
        let record = snapshot.slot(*slot).and_then(Look::sound).map(|stamped| &stamped.record);
        let lives = record.filter(|record| record.state != SlotState::Free);
        let name = lives.and_then(|record| record.name.as_ref()).map_or("?", HostName::as_str);
        format!("slot {slot} ({name})")
    };
    slots.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn who(record: &LockRecord) -> String {
    record.name.as_ref().map_or("a lock without a name".to_owned(), |name| format!("`{name}`"))
}

/// Names that stand at more than one position.
fn twice(store: &Store, snapshot: &Snapshot, evidence: &Evidence) -> Vec<Suspicion> {
    let mut found = Vec::new();
    for (name, positions) in evidence.names.iter().filter(|(_, positions)| positions.len() > 1) {
        let home = home(&store.format_id, name, store.layout.lock_positions());
        let within = || positions.iter().copied().filter(|position| child_bit(home, *position).is_some());
        let Some(keep) = within().max_by_key(|position| worth(snapshot, *position)) else { continue };
        for drop in within().filter(|position| *position != keep) {
            let spot = lock_spot(store.layout.lock(drop), drop);
            let message = format!("`{name}` stands here and at position {keep}");
            let suspicion = Suspicion::new(Code::LockTwice, spot, message).about(name.as_str());
            found.push(
                suspicion.seen_with([store.layout.lock(keep)]).cured_by(Remedy::Duplicate { drop, keep }),
            );
        }
    }
    found
}

/// Which of two records of one name is kept: the one that is held, else the one that was used last.
fn worth(snapshot: &Snapshot, position: LockPosition) -> (bool, u64) {
    let stamped = snapshot.lock(position).and_then(Look::sound);
    stamped.map_or((false, 0), |stamped| {
        (stamped.record.lock.mode != LockMode::Free, stamped.stamp.generation.0)
    })
}
