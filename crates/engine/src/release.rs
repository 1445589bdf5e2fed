//! Releasing a lock: keeping it for the next local user, or bringing the disk to "no part in it, and nothing open" (R1, R12, R26).

use std::rc::Rc;
use std::time::Duration;

use oarlock_format::{LockMode, Locked};

use crate::cell::{Cell, Distrust, Purpose, Swap};
use crate::core::Core;
use crate::decide::{Want, has, released};
use crate::lock::FIRST_PAUSE;
use crate::places::{Holding, LockPlace};
use crate::planted::{PlantedBug, planted};
use crate::takeover::distrust;
use crate::whereabouts::Whereabouts;

/// One local user is done. The last one's end releases the lock, or keeps it where the policy says so.
pub(crate) async fn release<W: Whereabouts>(core: Rc<Core>, place: Rc<LockPlace<W>>) {
    if !place.let_go() {
        core.changed.announce();
        return;
    }
    let want = match place.holding.get() {
        Holding::Exclusive => Want::Exclusive,
        Holding::MultiWriter => Want::MultiWriter,
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

/// Its only user is done, and the ATS that releases the lock makes one more change of the record.
pub(crate) async fn release_with<W: Whereabouts>(
    core: Rc<Core>,
    place: Rc<LockPlace<W>>,
    last: &dyn Fn(&W::Record) -> W::Record,
) {
    place.holding.set(Holding::Releasing);
    settle_with(core, place, last).await;
}

/// Brings the disk to "this host has no part in the lock, and nothing is open", for as long as that takes; ends with
/// the host. Where another local user has got the lock meanwhile, there is nothing left to settle.
pub(crate) async fn settle<W: Whereabouts>(core: Rc<Core>, place: Rc<LockPlace<W>>) {
    settle_with(core, place, &W::Record::clone).await;
}

async fn settle_with<W: Whereabouts>(
    core: Rc<Core>,
    place: Rc<LockPlace<W>>,
    last: &dyn Fn(&W::Record) -> W::Record,
) {
    let mut cell = place.cell.lock().await;
    if !matches!(place.holding.get(), Holding::None | Holding::Releasing) {
        return;
    }
    let mut interested = false;
    let mut at_home = false;
    let mut pause = FIRST_PAUSE;
    while let Some(known) = cell.as_mut() {
        // The bit is usually seen only when this host's own image loses against it.
        interested |= known.record.lock().interest;
        let record = match without_this_host(&core, &place, known, last) {
            Some(record) if !at_home => {
                at_home = bring_home(&core, &place, known).await;
                if at_home {
                    record
                } else if core.until_it_may_act().await.is_err() {
                    break;
                } else {
                    pause = pause_longer(&core, pause).await;
                    continue;
                }
            }
            Some(record) => record,
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
                    && has(known.record.lock(), core.me, Want::Exclusive)
                {
                    place.holding.set(Holding::Kept(Want::Exclusive));
                    known.forget_open_attempts();
                    return;
                }
                if let Swap::Distrusted(Distrust::Fault(fault)) = &other {
                    distrust(&core, fault);
                }
                pause = pause_longer(&core, pause).await;
            }
        }
    }
    if interested {
        be_polite(&core, &place);
    }
    place.holding.set(Holding::None);
    place.wanted.set(false);
    drop(cell);
    core.changed.announce();
}

/// The record without this host's part in its lock; `None` where it has none.
fn without_this_host<W: Whereabouts>(
    core: &Core,
    place: &LockPlace<W>,
    known: &Cell<W::Record>,
    last: &dyn Fn(&W::Record) -> W::Record,
) -> Option<W::Record> {
    // The position may hold another name by now, and this host may well own that one for somebody else here.
    if !place.whereabouts.is_in(&known.record) && !W::is_lost_in(&known.record) {
        return None;
    }
    let wall_ms = core.store.world.clock.wall().milliseconds;
    let lock = released(known.record.lock(), core.me, wall_ms)?;
    // A lock that a repair made unknown is not this host's to change anything under.
    let unknown = known.record.lock().mode == LockMode::Unknown;
    let mut record = if unknown { known.record.clone() } else { last(&known.record) };
    *record.lock_mut() = lock;
    Some(record)
}

/// R12: what the journal owes for the lock is home and flushed before the ATS that gives it up. Whether that is so.
async fn bring_home<W: Whereabouts>(core: &Core, place: &LockPlace<W>, known: &Cell<W::Record>) -> bool {
    let writes = matches!(known.record.lock().mode, LockMode::Exclusive | LockMode::MultiWriter);
    match (place.whereabouts.journaled(), core.home()) {
        (Some(object), Some(home)) if writes => home.bring_home(object).await.is_ok(),
        _ => true,
    }
}

async fn pause_longer(core: &Core, pause: Duration) -> Duration {
    core.store.world.pause(core.store.world.jitter(pause)).await;
    (pause * 2).min(core.store.timing.beat)
}

/// Somebody waits: this host lets it go first, and a sticky lock is not retaken for a whole beat (R26). Every waiter looks
/// again within an eighth of a beat, its longest pause, and shall have looked once before this host asks again: a newcomer's
/// pauses are short, and it would win against all who have waited for long.
fn be_polite<W: Whereabouts>(core: &Core, place: &LockPlace<W>) {
    let beat = core.store.timing.beat;
    let look = beat / 8;
    let pause = if place.policy.get().sticky { beat } else { look + core.store.world.jitter(look) };
    place.polite_until.set(Some(core.store.now().plus(pause)));
}
