//! Releasing a lock: keeping it for the next local user, or bringing the disk to "no part in it, and nothing open" (R1, R26).

use std::rc::Rc;

use oarlock_format::{LockMode, LockRecord};

use crate::cell::{Distrust, Purpose, Swap};
use crate::core::Core;
use crate::decide::{Want, has, released};
use crate::lock::FIRST_PAUSE;
use crate::places::{Holding, LockPlace};
use crate::planted::{PlantedBug, planted};
use crate::takeover::distrust;

/// One local user is done. The last one's end releases the lock, or keeps it where the policy says so.
pub(crate) async fn release(core: Rc<Core>, place: Rc<LockPlace>) {
    if !place.let_go() {
        core.changed.announce();
        return;
    }
    let want = match place.holding.get() {
        Holding::Exclusive => Want::Exclusive,
        _ => Want::Shared,
    };
    if place.policy.get().sticky && !place.wanted.get() && !core.is_leaving() && core.ended().is_none() {
        place.holding.set(Holding::Kept(want));
        core.changed.announce();
        return;
    }
    place.holding.set(Holding::Releasing);
    settle(core, place).await;
}

/// Brings the disk to "this host has no part in the lock, and nothing is open", for as long as that takes; ends with
/// the host. Where another local user has got the lock meanwhile, there is nothing left to settle.
pub(crate) async fn settle(core: Rc<Core>, place: Rc<LockPlace>) {
    let mut cell = place.cell.lock().await;
    if !matches!(place.holding.get(), Holding::None | Holding::Releasing) {
        return;
    }
    let mut interested = false;
    let mut pause = FIRST_PAUSE;
    while let Some(known) = cell.as_mut() {
        // The bit is usually seen only when this host's own image loses against it.
        interested |= known.record.lock.interest;
        let wall_ms = core.store.world.clock.wall().milliseconds;
        // The position may hold another name by now, and this host may well own that one for somebody else here.
        let named = known.record.name.as_ref();
        let concerns =
            named == Some(&place.name) || (named.is_none() && known.record.lock.mode == LockMode::Unknown);
        let part = if concerns { released(&known.record.lock, core.me, wall_ms) } else { None };
        let record = match part {
            Some(lock) => LockRecord { lock, ..known.record.clone() },
            None if known.has_open_attempts() => known.record.clone(),
            None => break,
        };
        if core.until_it_may_act().await.is_err() {
            break;
        }
        match known.swap(&core.store, core.sender(Purpose::Upkeep), record).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } | Swap::Lost => {}
            other => {
                if planted(PlantedBug::CloseUnknownByReading)
                    && has(&known.record.lock, core.me, Want::Exclusive)
                {
                    place.holding.set(Holding::Kept(Want::Exclusive));
                    known.forget_open_attempts();
                    return;
                }
                if let Swap::Distrusted(Distrust::Fault(fault)) = &other {
                    distrust(&core, fault);
                }
                core.store.world.pause(core.store.world.jitter(pause)).await;
                pause = (pause * 2).min(core.store.timing.beat);
            }
        }
    }
    if interested {
        // Somebody waits: this host lets it go first, and a sticky lock is not retaken for a whole beat (R26). Every
        // waiter looks again within an eighth of a beat, its longest pause, and shall have looked once before this host
        // asks again: a newcomer's pauses are short, and it would win against all who have waited for long.
        let beat = core.store.timing.beat;
        let look = beat / 8;
        let pause = if place.policy.get().sticky { beat } else { look + core.store.world.jitter(look) };
        place.polite_until.set(Some(core.store.now().plus(pause)));
    }
    place.holding.set(Holding::None);
    place.wanted.set(false);
    drop(cell);
    core.changed.announce();
}
