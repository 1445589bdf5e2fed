//! The roll call: which slots are not free, so that their hosts may hold a damaged lock; and the asking of those that live.

use oarlock_block::SlotIndex;
use oarlock_format::{Incarnation, SlotRecord, SlotSet, SlotState, Writer};

use crate::cell::{Cell, Purpose, Sender, Swap};
use crate::check::right::Right;
use crate::step::victim;
use crate::store::{Lane, Store};

/// A live host swaps its slot once per beat: so many races against it are not lost in a row.
const ASKS_MAX: u32 = 16;

/// Calls the roll: every slot that is not proved free. It must come after the bad bytes were read: a host that joins later finds the lock damaged, and
/// cannot take it.
///
/// A slot is free only once an ATS proved it: a stale read of a slot that has a host by now would take that host's lock
/// away. What cannot be read counts as present.
pub(crate) async fn call(store: &Store, right: Right<'_>) -> SlotSet {
    let mut present = SlotSet::EMPTY;
    for slot in (0..store.layout.slot_count()).map(SlotIndex) {
        let joined = matches!(right, Right::Joined(host) if host.status().owner.slot == slot);
        if !joined && !is_free(store, right, slot).await {
            present.insert(slot);
        }
    }
    present
}

async fn is_free(store: &Store, right: Right<'_>, slot: SlotIndex) -> bool {
    last_life(store, right, slot).await.is_some()
}

/// The last life of a slot that is free, which an ATS proves; none where it may not be.
pub(crate) async fn last_life(store: &Store, right: Right<'_>, slot: SlotIndex) -> Option<Incarnation> {
    let lba = store.layout.slot(slot);
    let seen = store.read::<SlotRecord>(Lane::Work, lba).await.ok()?;
    if seen.stamped.record.state != SlotState::Free || right.refusal(store).is_some() {
        return None;
    }
    let record = seen.stamped.record.clone();
    let incarnation = record.incarnation;
    let mut cell = Cell::new(lba, seen);
    let swap = cell.swap(store, sender(right.writer()), record).await;
    matches!(swap, Swap::Swapped { .. }).then_some(incarnation)
}

pub(crate) fn sender(writer: Writer) -> Sender {
    Sender { writer, lane: Lane::Work, purpose: Purpose::Upkeep }
}

/// Asks every live host among `holders` to look at all locks; how many were asked. A host that was taken over, or left,
/// has no say; one whose death is proved is not asked, so that whoever watches it is not held up.
pub(crate) async fn ask(store: &Store, right: Right<'_>, holders: &SlotSet) -> Result<usize, String> {
    let mut asked = 0;
    let own = right.writer().owner().map(|owner| owner.slot);
    if let Right::Host(host) = right
        && own.is_some_and(|own| holders.contains(own))
    {
        host.ask_itself();
        asked += 1;
    }
    for slot in holders.iter().filter(|slot| Some(*slot) != own && slot.0 < store.layout.slot_count()) {
        asked += usize::from(ask_one(store, right, slot).await?);
    }
    Ok(asked)
}

/// As a tool asks that repairs nothing: every live host among `holders`, to look again (R38, R39).
pub(crate) async fn ask_as_tool(store: &Store, holders: &SlotSet) -> Result<usize, String> {
    ask(store, Right::Tool, holders).await
}

async fn ask_one(store: &Store, right: Right<'_>, slot: SlotIndex) -> Result<bool, String> {
    let lba = store.layout.slot(slot);
    // A slot that cannot be read is a finding of its own.
    let Ok(seen) = store.read::<SlotRecord>(Lane::Work, lba).await else { return Ok(false) };
    let mut cell = Cell::new(lba, seen);
    let incarnation: Incarnation = cell.record.incarnation;
    for _ in 0..ASKS_MAX {
        let record = &cell.record;
        if record.state != SlotState::Live || record.incarnation != incarnation {
            return Ok(false);
        }
        if store.world.cut_off.death_proved(victim(slot, record)).await.is_some() {
            return Ok(false);
        }
        if let Some(reason) = right.refusal(store) {
            return Err(reason);
        }
        // An earlier asking may have been answered before this repair: it is asked anew. Only a tool asks; an image of
        // a host in another's slot is a fence to its owner.
        let record = SlotRecord { asked: true, ..record.clone() };
        match cell.swap(store, sender(Writer::Tool), record).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } => return Ok(true),
            Swap::Lost => {}
            Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => {
                store.world.pause(store.timing.beat / 8).await;
            }
        }
    }
    Err(format!("the host in slot {slot} could not be asked: its slot changed {ASKS_MAX} times meanwhile"))
}
