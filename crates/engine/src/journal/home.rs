//! The way home: pages whose changes are durable in the journal are written where they belong, and then the journal's tail
//! moves (R12, R31).

use std::rc::Rc;

use futures::future::join_all;
use oarlock_block::{BlockCount, Lba};
use oarlock_format::{PAGE_LENGTH, PageBytes};

use crate::core::Core;
use crate::planted::{PlantedBug, planted};

use super::error::JournalError;
use super::{Journal, Trip, send};

/// Pages that are copied, and written, at once.
const PAGES_AT_ONCE: usize = 64;

impl Journal {
    /// Brings home whatever checkpoint begins; ends only with the journal.
    pub(super) async fn trips(&self, core: &Core) -> JournalError {
        loop {
            let seen = self.trips.seen();
            let trip = self.trip.borrow().clone();
            let Some(trip) = trip else {
                self.trips.beyond(seen).await;
                continue;
            };
            if let Err(error) = self.bring(core, &trip).await {
                return error;
            }
        }
    }

    async fn bring(&self, core: &Core, trip: &Rc<Trip>) -> Result<(), JournalError> {
        let stays_away = trip.tail.is_none() && planted(PlantedBug::ReleaseBeforeHome);
        for keys in trip.home.chunks(PAGES_AT_ONCE).filter(|_| !stays_away) {
            let runs = runs(self.pages.copies(keys), self.place.step);
            // All of them are waited for, whatever becomes of one: a write that is dropped may land later.
            let written = join_all(runs.iter().map(|(lba, bytes)| send::write(core, *lba, bytes))).await;
            written.into_iter().collect::<Result<(), JournalError>>()?;
        }
        if !trip.home.is_empty() {
            send::flush(core).await?;
            send::until_it_may_send(core).await?;
        }
        self.pages.came_home(&trip.home);
        if let Some(tail) = trip.tail {
            self.move_tail(core, tail).await?;
            self.pages.tail_moved();
        }
        self.done.set(trip.number);
        *self.trip.borrow_mut() = None;
        self.pages.announce();
        // A commit may wait for the room, another checkpoint for its turn.
        self.pages.call();
        Ok(())
    }
}

/// Pages in one run each where they are neighbours. `step`: blocks of a page.
pub(super) fn runs(pages: Vec<(Lba, Box<PageBytes>)>, step: BlockCount) -> Vec<(Lba, Vec<u8>)> {
    let mut runs: Vec<(Lba, Vec<u8>)> = Vec::new();
    for (lba, bytes) in pages {
        match runs.last_mut() {
            Some((first, run))
                if end(*first, run, step) == lba && run.len() < PAGES_AT_ONCE * PAGE_LENGTH =>
            {
                run.extend_from_slice(&*bytes);
            }
            _ => runs.push((lba, bytes.to_vec())),
        }
    }
    runs
}

fn end(first: Lba, run: &[u8], step: BlockCount) -> Lba {
    let pages = (run.len() / PAGE_LENGTH) as u64;
    first.plus(BlockCount(pages * step.0))
}
