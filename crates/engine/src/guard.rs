//! A guard: one local user's hold on a lock, with its token and its end.

use std::rc::Rc;

use crate::core::Core;
use crate::lock;
use crate::places::LockPlace;

/// One local user's hold on a lock. Dropping it releases the lock in the background.
pub struct Guard {
    core: Rc<Core>,
    place: Rc<LockPlace>,
    token: u64,
    released: bool,
}

impl Guard {
    pub(crate) fn new(core: Rc<Core>, place: Rc<LockPlace>, token: u64) -> Guard {
        Guard { core, place, token, released: false }
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

    /// Releases the lock; resolves once the disk says so, or the host has ended (then others will break it).
    pub async fn release(mut self) {
        self.released = true;
        lock::release(Rc::clone(&self.core), Rc::clone(&self.place)).await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.released {
            self.core.jobs.start(lock::release(Rc::clone(&self.core), Rc::clone(&self.place)));
        }
    }
}
