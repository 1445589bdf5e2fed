//! A hold: one local user's lock of whatever kind, got by a job of the host's, with its record at hand.

use std::cell::Cell as StdCell;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{Either, select};
use oarlock_block::Instant;

use crate::core::Core;
use crate::decide::Want;
use crate::guard::Guard;
use crate::lock::{self, LockError};
use crate::places::LockPlace;
use crate::planted::{PlantedBug, planted};
use crate::whereabouts::Whereabouts;

/// One local user's hold on a lock. Dropping it releases the lock in the background.
pub(crate) struct Hold<W: Whereabouts> {
    pub(crate) core: Rc<Core>,
    pub(crate) place: Rc<LockPlace<W>>,
    guard: Guard,
}

impl<W: Whereabouts> Hold<W> {
    /// The user of this place has just got its lock, under that token.
    pub(crate) fn new(core: &Rc<Core>, place: &Rc<LockPlace<W>>, token: u64) -> Hold<W> {
        let guard = Guard::new(Rc::clone(core), Rc::clone(place) as _, token);
        Hold { core: Rc::clone(core), place: Rc::clone(place), guard }
    }

    /// The record as this host knows it: as its owner it knows all of it but a bit of interest and whom it shall hand it to.
    pub(crate) async fn known(&self) -> Option<W::Record> {
        self.place.cell.lock().await.as_ref().map(|cell| cell.record.clone())
    }

    /// The lock was handed over to another host: nothing is left to release.
    pub(crate) fn forget(&self) {
        self.guard.forget();
    }

    /// The hold as users of the engine have it.
    pub(crate) fn into_guard(self) -> Guard {
        self.guard
    }

    /// Releases the lock by an ATS that makes one more change of the record; see [`Guard::release`].
    pub(crate) async fn release_with(self, last: &dyn Fn(&W::Record) -> W::Record) {
        self.guard.release_as(crate::release::release_with(self.core, self.place, last)).await;
    }
}

/// Who takes a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Whoever it is: once the host leaves he gets nothing any more, for its slot may be free in the next instant.
    Anybody,
    /// The leaving of the host itself, which goes on only when it has the answer.
    LeavingHost,
}

/// Takes the lock of that place, waiting until `deadline` at most. Dropping the future gives the lock up, whatever was on
/// its way.
pub(crate) async fn hold<W: Whereabouts>(
    core: &Rc<Core>,
    place: Rc<LockPlace<W>>,
    want: Want,
    deadline: Instant,
) -> Result<Hold<W>, LockError> {
    hold_for(core, place, (want, Asker::Anybody), deadline).await
}

/// As [`hold`], for that asker.
pub(crate) async fn hold_for<W: Whereabouts>(
    core: &Rc<Core>,
    place: Rc<LockPlace<W>>,
    want: (Want, Asker),
    deadline: Instant,
) -> Result<Hold<W>, LockError> {
    let name = place.whereabouts.words();
    let (sender, receiver) = oneshot::channel();
    // The acquire runs as a job of the host's: a caller that goes away must not leave an attempt behind that
    // nobody closes.
    core.jobs.start(acquire_for(Rc::clone(core), place, want, deadline, sender));
    let ended = core.until_ended();
    futures::pin_mut!(ended);
    match select(receiver, ended).await {
        Either::Left((Ok(Ok(hold)), _)) => {
            // The caller may have been woken late: nothing is given out after the lapse (R7).
            if !planted(PlantedBug::GiveOutAfterLapse) {
                let left = deadline.since(core.store.now());
                let within = core.store.world.within(left, core.until_it_may_act()).await;
                within.ok_or_else(|| LockError::TimedOut { name, why: core.why_held() })??;
            }
            Ok(hold)
        }
        Either::Left((Ok(Err(error)), _)) => Err(error),
        Either::Left((Err(oneshot::Canceled), ended)) => Err(ended.await.into()),
        Either::Right((ended, _)) => Err(ended.into()),
    }
}

/// One acquire, driven by the host; a caller that went away gives it up.
async fn acquire_for<W: Whereabouts>(
    core: Rc<Core>,
    place: Rc<LockPlace<W>>,
    (want, asker): (Want, Asker),
    deadline: Instant,
    sender: oneshot::Sender<Result<Hold<W>, LockError>>,
) {
    let gone = StdCell::new(false);
    let still_wanted = || {
        gone.set(sender.is_canceled());
        !gone.get() && (asker == Asker::LeavingHost || !core.is_leaving())
    };
    let result = lock::acquire(&core, &place, want, deadline, &still_wanted).await;
    let result = result.map(|token| Hold::new(&core, &place, token));
    // Where nobody listens any more, the hold comes back and its drop releases the lock.
    drop(sender.send(result));
}
