//! Grace periods: a cluster that was unmapped is given to nobody before the unmapping is durable and every operation that
//! may still read or write it has ended (R33).
//!
//! Operations begin in the present generation. An unmapping is noted with it, and the next generation begins as soon as its
//! place is empty; once all generations up to the noted one are empty, nobody can know the old entry any more.
//!
//! ```text
//!     generation     5            6            7            8      a ring of four counts
//!     operations     0            2            1            -      8 begins when 4 is empty
//!                    ^ empty      ^ the oldest with operations: what was unmapped in 5 can be freed
//! ```

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use oarlock_format::{ClusterNumber, GroupNumber};

use super::supply::ChangeNumber;
use crate::planted::{PlantedBug, planted};

/// Generations that may have operations at a time.
const GENERATIONS: usize = 4;

/// An operation that counts in a generation. It is given back exactly once.
#[derive(Debug)]
#[must_use = "a pin that is not given back keeps every later cluster from being freed"]
pub(crate) struct Pin {
    generation: u64,
}

/// The generations, and what was unmapped in each.
#[derive(Debug, Default)]
pub(crate) struct Grace {
    present: AtomicU64,
    counts: [AtomicUsize; GENERATIONS],
    unmapped: Mutex<VecDeque<Unmapped>>,
}

#[derive(Debug)]
struct Unmapped {
    cluster: ClusterNumber,
    generation: u64,
    change: ChangeNumber,
}

impl Grace {
    fn count(&self, generation: u64) -> &AtomicUsize {
        &self.counts[usize::try_from(generation % GENERATIONS as u64).unwrap_or_default()]
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Unmapped>> {
        self.unmapped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An operation begins: whatever it looks up from now on is kept for it.
    pub(crate) fn begin(&self) -> Pin {
        loop {
            let generation = self.present.load(Ordering::SeqCst);
            self.count(generation).fetch_add(1, Ordering::SeqCst);
            // A generation that ended in between may have been found empty already; then this one does not count in it.
            // Each turn of the loop is another's progress.
            if self.present.load(Ordering::SeqCst) == generation {
                return Pin { generation };
            }
            self.count(generation).fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// An operation ended.
    pub(crate) fn end(&self, pin: Pin) {
        self.count(pin.generation).fetch_sub(1, Ordering::SeqCst);
    }

    /// A cluster was unmapped, by the change of that number.
    pub(crate) fn unmap(&self, cluster: ClusterNumber, change: ChangeNumber) {
        let mut unmapped = self.lock();
        unmapped.push_back(Unmapped { cluster, generation: self.present.load(Ordering::SeqCst), change });
        self.advance();
    }

    /// Begins the next generation where its place is empty. Called under the mutex, so that only one does.
    fn advance(&self) {
        let present = self.present.load(Ordering::SeqCst);
        if self.count(present + 1).load(Ordering::SeqCst) == 0 {
            self.present.store(present + 1, Ordering::SeqCst);
        }
    }

    /// Moves out what may be given to others: `durable` says up to where changes are.
    pub(crate) fn take_free(&self, durable: ChangeNumber, free: &mut Vec<ClusterNumber>) {
        let mut unmapped = self.lock();
        let Some(newest) = unmapped.back().map(|unmapped| unmapped.generation) else { return };
        if newest == self.present.load(Ordering::SeqCst) {
            self.advance();
        }
        let oldest = self.oldest();
        while let Some(first) = unmapped.front() {
            let is_known = first.generation >= oldest && !planted(PlantedBug::FreeBeforeLastAnswer);
            if is_known || first.change > durable {
                break;
            }
            free.push(first.cluster);
            unmapped.pop_front();
        }
    }

    /// The oldest generation that has operations, or may get some.
    fn oldest(&self) -> u64 {
        let present = self.present.load(Ordering::SeqCst);
        let first = present.saturating_sub(GENERATIONS as u64 - 1);
        (first..present)
            .find(|generation| self.count(*generation).load(Ordering::SeqCst) > 0)
            .unwrap_or(present)
    }

    /// Adds those that wait of a group.
    pub(crate) fn add_waiting(&self, group: GroupNumber, waiting: &mut Vec<ClusterNumber>) {
        let unmapped = self.lock();
        waiting.extend(
            unmapped.iter().map(|unmapped| unmapped.cluster).filter(|cluster| cluster.place().0 == group),
        );
    }

    /// How many clusters wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().len()
    }
}
