//! Answers: a host that was asked looks at all locks, and gives up each part in one that it does not use (R25, R39).
//!
//! Asked by a growth, it reads the superblock again (R38). It is asked by a repair, which leaves a lock Unknown until every host that lived then has claimed or disclaimed it;
//! and by its own slot, when the last life there ended by takeover and shared bits of it may still stand.

use std::rc::Rc;

use oarlock_block::Lba;
use oarlock_format::{GroupNumber, LockMode, LockState, Locked, SlotSet};

use crate::cell::{Cell, Purpose, Swap};
use crate::core::Core;
use crate::decide::{Want, released};
use crate::descriptor::each_descriptor;
use crate::open::{OpenError, read_superblock};
use crate::places::{Holding, LockPlace};
use crate::roster::each_lock;
use crate::store::{Lane, Seen};
use crate::takeover::distrust;
use crate::whereabouts::{Whereabouts, read_group};

/// One record is tried this often in one look at all; what stays open is met again at the next look.
const SWAPS_MAX: u32 = 8;

/// Answers whenever it is asked, until the host has ended.
pub(crate) async fn attend(core: Rc<Core>) {
    while core.until_it_may_act().await.is_ok() {
        let seen = core.changed.seen();
        if !core.places.take_asked() {
            core.changed.beyond(seen).await;
            continue;
        }
        // One question for all: who asks is a tool that changed something which hosts remember.
        if read_superblock_again(&core).await && answer_all(&core).await {
            core.places.answered();
        } else {
            core.places.ask();
            core.store.world.pause(core.store.timing.beat).await;
        }
    }
}

/// Whether the superblock could be read; the next beat shows its generation.
async fn read_superblock_again(core: &Core) -> bool {
    match read_superblock(&core.store.world).await {
        Ok(chosen) => {
            core.note_superblock(chosen.superblock);
            true
        }
        // One that cannot be read is a repair's to mend; what this host knows of it stays true.
        Err(OpenError::NoSuperblock(_)) => true,
        Err(_) => false,
    }
}

/// Looks at every lock; whether all of them were answered.
async fn answer_all(core: &Rc<Core>) -> bool {
    let mut all = answer_names(core).await;
    if core.superblock().record.has_disks() {
        all &= answer_descriptors(core).await;
        all &= answer_groups(core).await;
    }
    core.changed.announce();
    all
}

async fn answer_names(core: &Rc<Core>) -> bool {
    let mut concerned = Vec::new();
    let read = each_lock(core, |seen| {
        if seen.stamped.record.lock.holders.contains(core.me.slot) {
            concerned.push((seen.stamped.record.name.clone(), seen.clone()));
        }
    });
    if let Err(fault) = read.await {
        distrust(core, &fault);
        return false;
    }
    answer_each(core, concerned).await
}

async fn answer_descriptors(core: &Rc<Core>) -> bool {
    let mut concerned = Vec::new();
    let read = each_descriptor(core, |described| {
        if described.seen.stamped.record.lock.holders.contains(core.me.slot) {
            concerned.push((Some(described.number), described.seen));
        }
    });
    if let Err(fault) = read.await {
        distrust(core, &fault);
        return false;
    }
    answer_each(core, concerned).await
}

/// Groups are never shared: only a repair puts hosts on the roll of one. They stand far apart, a read for each.
async fn answer_groups(core: &Rc<Core>) -> bool {
    let space = core.superblock().record.space();
    for number in (0..space.groups()).map(GroupNumber) {
        let seen = match read_group(core, number).await {
            Ok(Some(seen)) => seen,
            // Nobody has ever held it.
            Ok(None) => continue,
            Err(fault) => {
                distrust(core, &fault);
                return false;
            }
        };
        if seen.stamped.record.lock.holders.contains(core.me.slot)
            && !answer_each(core, vec![(Some(number), seen)]).await
        {
            return false;
        }
    }
    true
}

async fn answer_each<W: Whereabouts>(core: &Rc<Core>, concerned: Vec<(Option<W>, Seen<W::Record>)>) -> bool {
    let mut all = true;
    for (whereabouts, seen) in concerned {
        all &= answer_one(core, whereabouts, seen.stamped.stamp.lba, seen).await;
    }
    all
}

async fn answer_one<W: Whereabouts>(
    core: &Rc<Core>,
    whereabouts: Option<W>,
    lba: Lba,
    seen: Seen<W::Record>,
) -> bool {
    match place_of(core, lba, whereabouts).await {
        Some(place) => {
            // Whoever takes or releases this lock here goes first; what is in use now is not given up.
            let mut guarded = place.cell.lock().await;
            if guarded.as_ref().is_none_or(|cell| cell.lba != lba) {
                if guarded.as_ref().is_some_and(Cell::has_open_attempts) {
                    return false;
                }
                *guarded = Some(Cell::new(lba, seen));
            }
            let Some(cell) = guarded.as_mut() else { return false };
            answer_in_hand(core, cell, Some(&place)).await
        }
        None => answer_in_hand::<W>(core, &mut Cell::new(lba, seen), None).await,
    }
}

/// This host's place for the lock in the block: by its name or number; where a repair lost the name, by where it stands, and
/// of several that stood here once, the one that is in use. A place that is in hand at the moment is waited for: the lock may
/// be the one.
async fn place_of<W: Whereabouts>(core: &Core, lba: Lba, whereabouts: Option<W>) -> Option<Rc<LockPlace<W>>> {
    if let Some(whereabouts) = whereabouts {
        return Some(W::places(core).of(&whereabouts));
    }
    let mut unused = None;
    for place in W::places(core).all() {
        let stands_here = place.cell.lock().await.as_ref().is_some_and(|cell| cell.lba == lba);
        if stands_here && place.holding.get() != Holding::None {
            return Some(place);
        }
        if stands_here {
            unused = Some(place);
        }
    }
    unused
}

async fn answer_in_hand<W: Whereabouts>(
    core: &Core,
    cell: &mut Cell<W::Record>,
    place: Option<&LockPlace<W>>,
) -> bool {
    for _ in 0..SWAPS_MAX {
        if let Err(fault) = cell.refresh(&core.store, Lane::Work).await {
            distrust(core, &fault);
            return false;
        }
        // While this was on its way a user here may have found the lock, whose name had been lost, and taken it: then it is
        // answered by that user's place, the next time.
        if place.is_none() && place_of(core, cell.lba, W::named_in(&cell.record)).await.is_some() {
            return false;
        }
        // And another name may stand here by now, which is in use by another place.
        let named = W::named_in(&cell.record);
        if place.is_some_and(|place| named.is_some_and(|named| named != place.whereabouts)) {
            return false;
        }
        let Some(record) = answer(core, &cell.record, place) else { return !cell.has_open_attempts() };
        if !core.may_act() {
            return false;
        }
        match cell.swap(&core.store, core.sender(Purpose::Upkeep), record).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } | Swap::Lost => {}
            Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => {
                core.store.world.pause(core.store.timing.beat / 8).await;
            }
        }
    }
    false
}

/// The record after this host's answer; `None` where nothing is asked of it.
fn answer<W: Whereabouts>(
    core: &Core,
    record: &W::Record,
    place: Option<&LockPlace<W>>,
) -> Option<W::Record> {
    let holding = place.map_or(Holding::None, |place| place.holding.get());
    let lock = record.lock();
    let (mut answered, lock) = match (holding, lock.mode) {
        (Holding::Exclusive | Holding::Kept(Want::Exclusive), LockMode::Unknown) => {
            if !lock.holders.contains(core.me.slot) {
                return None;
            }
            let claimed = LockState {
                mode: LockMode::Exclusive,
                owner: Some(core.me),
                holders: SlotSet::default(),
                epoch: lock.epoch.next(),
                ..*lock
            };
            (place?.whereabouts.restore(record), claimed)
        }
        // Whoever shares keeps its bit: new ones wait until the last of the old has gone or disclaimed.
        (Holding::None, LockMode::Unknown | LockMode::Shared | LockMode::MultiWriter) => {
            let wall_ms = core.store.world.clock.wall().milliseconds;
            (record.clone(), released(lock, core.me, wall_ms)?)
        }
        _ => return None,
    };
    *answered.lock_mut() = lock;
    Some(answered)
}
