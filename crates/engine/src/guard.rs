//! A guard: one local user's hold on a lock, with its token and its end.

use std::cell::Cell;
use std::rc::Rc;

use crate::core::Core;
use crate::places::AnyPlace;

/// One local user's hold on a lock. Dropping it releases the lock in the background.
pub struct Guard {
    core: Rc<Core>,
    place: Rc<dyn AnyPlace>,
    token: u64,
    end: Cell<End>,
}

/// How far the end of a guard has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The lock is held.
    Open,
    /// The user has let go; the disk is being told.
    Begun,
    /// Nothing is left to do.
    Done,
}

impl Guard {
    pub(crate) fn new(core: Rc<Core>, place: Rc<dyn AnyPlace>, token: u64) -> Guard {
        Guard { core, place, token, end: Cell::new(End::Open) }
    }

    /// A number that only grows from owner to owner: the generation of the image that took the lock. What is guarded
    /// outside of the datastore should refuse a token smaller than one it has seen (R29).
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Whether the lock may be relied upon at this moment: the lease was renewed in time.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.core.ended().is_none() && self.core.store.now() < self.core.lease.last_quarter()
    }

    /// Resolves when the lock can no longer be relied upon: the last quarter of the lease began unrenewed, or the host
    /// ended.
    pub async fn lost(&self) {
        while self.holds() {
            let seen = self.core.changed.seen();
            if !self.holds() {
                return;
            }
            self.core.changed.beyond(seen).await;
        }
    }

    /// Releases the lock; resolves once the disk says so, or the host has ended (then others will break it). Where it is
    /// dropped before that, the host goes on with it.
    pub async fn release(self) {
        let release = Rc::clone(&self.place).release(Rc::clone(&self.core));
        self.release_as(release).await;
    }

    /// Releases the lock as `release` does it; see [`Guard::release`].
    pub(crate) async fn release_as(self, release: impl Future<Output = ()>) {
        self.end.set(End::Begun);
        release.await;
        self.end.set(End::Done);
    }

    /// The lock is another host's, who was given it (R28): nothing is left to release.
    pub(crate) fn forget(&self) {
        self.end.set(End::Done);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (core, place) = (Rc::clone(&self.core), Rc::clone(&self.place));
        match self.end.get() {
            End::Open => self.core.jobs.start(place.release(Rc::clone(&core))),
            // Not the release again: the lock may be another local user's by now, and only what is open is closed.
            End::Begun => self.core.jobs.start(place.settle(Rc::clone(&core))),
            End::Done => {}
        }
    }
}
