//! Finding a lock's record, or a place for it (R44, R39).

use std::time::Duration;

use oarlock_format::{LockMode, LockState, Locked, SlotSet};

use super::{SPOILT_MAX, Tried, Waiter};
use crate::cell::{Cell, Purpose, Swap};
use crate::decide::{Want, blockers};
use crate::lock::LockError;
use crate::standing::still_present;
use crate::takeover::distrust;
use crate::whereabouts::{Located, Whereabouts};

impl<W: Whereabouts> Waiter<'_, W> {
    /// Finds the record, or puts the name into the table by taking it.
    pub(super) async fn find(&mut self, slot: &mut Option<Cell<W::Record>>) -> Result<Tried, LockError> {
        let began = self.core.store.now();
        let located = self.place.whereabouts.locate(self.core).await;
        let located = located.inspect_err(|error| {
            if let LockError::Record(fault) = error {
                distrust(self.core, fault);
            }
        })?;
        match located {
            Located::Found(cell) => {
                self.place.spoilt.set(0);
                *slot = Some(cell);
                Ok(Tried::Again)
            }
            Located::Vacant { mut cell, vacant } => {
                let tried = self.swap_in(&mut cell, &vacant).await;
                *slot = Some(cell);
                tried
            }
            Located::Unnamed(cell) => self.free_unnamed(cell).await,
            Located::Again => {
                self.let_others_finish(self.core.store.now().since(began)).await;
                Ok(Tried::Unclear)
            }
        }
    }

    /// Hosts that put a name into one window at once spoil each other's work. Each waits for a random part of as long as
    /// its own took, and twice that after each further failure, until one of them gets through undisturbed.
    async fn let_others_finish(&mut self, took: Duration) {
        let spoilt = self.place.spoilt.get();
        self.place.spoilt.set((spoilt + 1).min(SPOILT_MAX));
        let longest = (took * (1 << spoilt)).min(self.core.store.timing.lease);
        let left = self.deadline.since(self.core.store.now());
        self.core.store.world.pause(self.core.store.world.jitter(longest).min(left)).await;
    }

    /// A lock whose name a repair could not tell may be the one that is looked for. Those who may hold it were asked;
    /// once all that are left are gone, it is nobody's.
    async fn free_unnamed(&mut self, mut cell: Cell<W::Record>) -> Result<Tried, LockError> {
        if cell.record.lock().holders.contains(self.core.me.slot) {
            // Asked once: waiters that ask again and again wake each other, and whoever answers never gets at the places.
            if !self.core.places.is_unanswered() {
                self.core.places.ask();
                self.core.changed.announce();
            }
            return Ok(Tried::Unclear);
        }
        // Judged by slots that are read after the record (R11).
        let present =
            still_present(self.core, &blockers(cell.record.lock(), self.core.me, Want::Exclusive)).await?;
        if !present.is_empty() {
            return Ok(Tried::Blocked(present));
        }
        let lock = LockState {
            mode: LockMode::Free,
            holders: SlotSet::default(),
            interest: false,
            sticky: false,
            ..*cell.record.lock()
        };
        let mut free = cell.record.clone();
        *free.lock_mut() = lock;
        let swap = cell.swap(&self.core.store, self.core.sender(Purpose::Upkeep), free).await;
        Ok(if matches!(swap, Swap::Swapped { .. }) { Tried::Again } else { Tried::Unclear })
    }
}
