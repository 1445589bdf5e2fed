//! The mailbox: a hint, beside a host's slot, that somebody waits for a lock which the host keeps without using it (R26).

use std::rc::Rc;

use oarlock_block::{Lba, SlotIndex};
use oarlock_format::MailboxRecord;

use crate::cell::{Cell, Purpose, Swap};
use crate::core::Core;
use crate::places::Holding;
use crate::store::Lane;
use crate::takeover::distrust;

/// Ringing is tried this often against other ringers; after that the holder finds the interest bit by itself.
const RINGS_MAX: u32 = 4;

/// Tells the host in `slot` that somebody waits for the record at `lba`. Only a hint: every fault is forgotten.
pub(crate) async fn ring(core: &Core, slot: SlotIndex, lba: Lba) {
    let mailbox = core.store.layout.mailbox(slot);
    let Some(mut cell) = read(core, mailbox).await else { return };
    for _ in 0..RINGS_MAX {
        let record = cell.record.ring(lba);
        if record == cell.record {
            return;
        }
        match cell.swap(&core.store, core.sender(Purpose::Upkeep), record).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } => return,
            Swap::Lost => {}
            Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => return,
        }
    }
}

/// The mailbox as it stands. It is only a hint: what cannot be read is none, but one from the past is a rollback (R2).
async fn read(core: &Core, mailbox: Lba) -> Option<Cell<MailboxRecord>> {
    match core.store.read::<MailboxRecord>(Lane::Work, mailbox).await {
        Ok(seen) => Some(Cell::new(mailbox, seen)),
        Err(fault) => {
            distrust(core, &fault);
            None
        }
    }
}

/// Reads the mailbox once per beat while locks are kept, and gives up those that somebody waits for. A host that keeps
/// none reads nothing.
pub(crate) async fn attend(core: Rc<Core>) {
    while core.ended().is_none() {
        core.store.world.pause(core.store.timing.beat).await;
        if core.places.any_sticky() && core.may_act() {
            look(&core).await;
        }
    }
}

async fn look(core: &Rc<Core>) {
    let mailbox = core.store.layout.mailbox(core.me.slot);
    let Some(mut cell) = read(core, mailbox).await else { return };
    let record = cell.record.clone();
    if record.entries.is_empty() && !record.overflow {
        return;
    }
    // Emptied before it is acted upon: a ring that comes in between is not lost, it makes this swap fail.
    let empty = MailboxRecord::default();
    let swap = cell.swap(&core.store, core.sender(Purpose::Upkeep), empty).await;
    if !matches!(swap, Swap::Swapped { .. } | Swap::Adopted { .. }) {
        return;
    }
    for place in core.places.every() {
        if !record.overflow && !place.is_rung_by(&record) {
            continue;
        }
        place.want();
        if let Holding::Kept(_) = place.holding().get() {
            // The interest bit was set by whoever rang; this host's copy of the record does not have it yet, so the
            // give-up meets it as a lost race and goes on from there.
            place.holding().set(Holding::Releasing);
            core.jobs.start(place.settle(Rc::clone(core)));
        }
    }
    // Who keeps groups in use gives them up by himself.
    core.changed.announce();
}
