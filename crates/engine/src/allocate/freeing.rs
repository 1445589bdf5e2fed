//! Clusters come free: they are given out again, group by group, once their unmapping is durable and nobody knows them (R33).
//!
//! ```text
//!   of a group that this host has:  entry and bit cleared, together -----> in hand -----> given back
//!   of another's group:             entry cleared -----> group taken, bit cleared -----> given back
//! ```
//! So a crash leaves a bit that nobody owns of another's group only, and of a group that was given up meanwhile, with bits set anew;
//! `check` finds it. A delete takes no cluster: it changes entries and bits in place. So it needs no reserve.

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{ClusterIndex, ClusterNumber, ClusterRun, GroupNumber};

use super::error::SpaceError;
use super::locks::Wish;
use super::source::Source;
use crate::core::Ended;
use crate::journal::JournalError;
use crate::pages::{Page, Refused, Transaction};
use crate::path::DataPath;

/// Runs of bits that are cleared in one transaction.
const RUNS_AT_ONCE: usize = 256;

/// A step behind which clusters come free.
pub(crate) struct AboutToFree(Rc<Source>);

impl Drop for AboutToFree {
    fn drop(&mut self) {
        self.0.about_to_free.set(self.0.about_to_free.get() - 1);
    }
}

impl Source {
    /// Takes over what a disk has given up and nobody can touch any more, and clears its bits.
    ///
    /// # Errors
    /// Why it is not cleared; it is kept for the next time.
    pub(crate) async fn collect(&self, disk: &DataPath) -> Result<(), SpaceError> {
        let mut free = Vec::new();
        disk.take_free(&mut free);
        self.free(free).await
    }

    /// Takes over what a disk has given up and nobody can touch any more; its bits are cleared later. Waits for nothing.
    pub(crate) fn take_over(&self, disk: &DataPath) {
        let mut free = Vec::new();
        disk.take_free(&mut free);
        self.keep_for_later(free);
    }

    fn keep_for_later(&self, clusters: Vec<ClusterNumber>) {
        let mut unused = self.unused.borrow_mut();
        for cluster in clusters {
            unused.entry(cluster.place().0).or_default().push(cluster);
        }
    }

    /// Clears the bits of clusters that no entry names any more, durably, and that nobody can touch. The groups among them that
    /// this host does not own are taken for it; where that is refused, they wait for the next time.
    ///
    /// # Errors
    /// Why it is not done; it is kept for the next time.
    pub async fn free(&self, clusters: Vec<ClusterNumber>) -> Result<(), SpaceError> {
        self.keep_for_later(clusters);
        let groups: Vec<GroupNumber> = self.unused.borrow().keys().copied().collect();
        for group in groups {
            if self.stock.has(group) || self.open(group, Wish::Pressing).await? {
                self.clear_bits_of(group).await?;
            }
        }
        Ok(())
    }

    /// As [`free`](Self::free), for a host that leaves: clears what waits, as far as its groups can be had until then.
    pub(crate) async fn free_before_the_end(&self, until: Instant) {
        let groups: Vec<GroupNumber> = self.unused.borrow().keys().copied().collect();
        for group in groups {
            let is_own = self.stock.has(group)
                || matches!(self.open(group, Wish::BeforeTheEnd { until }).await, Ok(true));
            if is_own {
                // What is not cleared stays on the list, and is told.
                let _ = self.clear_bits_of(group).await;
            }
        }
    }

    /// Clusters are about to come free by a step that is on its way: as long as this is held, the host does not leave.
    pub(crate) fn about_to_free(self: &Rc<Self>) -> AboutToFree {
        self.about_to_free.set(self.about_to_free.get() + 1);
        AboutToFree(Rc::clone(self))
    }

    /// Whether a step is on its way behind which clusters come free.
    pub(crate) fn is_about_to_free(&self) -> bool {
        self.about_to_free.get() > 0
    }

    /// Clusters that wait for their bits to be cleared.
    #[must_use]
    pub fn waiting_to_be_cleared(&self) -> usize {
        self.unused.borrow().values().map(Vec::len).sum()
    }

    /// Clears what is to be cleared in a group that this host owns.
    pub(super) async fn clear_bits_of(&self, group: GroupNumber) -> Result<(), SpaceError> {
        let _clearing = self.clearing.lock().await;
        let Some(mut clusters) = self.unused.borrow_mut().remove(&group) else { return Ok(()) };
        clusters.sort_unstable();
        if let Some(bitmap) = self.stock.bitmap(group) {
            self.stock.give_back(clusters.extract_if(.., |cluster| !is_taken(&bitmap, *cluster)));
        }
        while !clusters.is_empty() {
            let transaction = self.begin(1).await;
            let bitmap = self.stock.bitmap(group);
            let (Ok(mut transaction), Some(bitmap)) = (transaction, bitmap) else {
                self.unused.borrow_mut().entry(group).or_default().extend(clusters);
                return Ok(());
            };
            let (runs, count) = runs(&clusters);
            for run in runs {
                transaction.mark(&bitmap, run, false);
            }
            drop(transaction);
            // Nobody else may want a commit for long, and a kill before it would leave them taken, and nobody's.
            let _ = self.pages().commit();
            self.stock.give_back(clusters.drain(..count));
        }
        Ok(())
    }

    /// Sets the bits of clusters that are given up and may still be known, for a group that is closing: whoever has it next knows of
    /// them by their bits alone. One whose giving up is not told yet is missed, and counts as in hand.
    ///
    /// # Errors
    /// The journal's end.
    pub(super) async fn keep_from_others(&self, group: GroupNumber) -> Result<(), SpaceError> {
        loop {
            let mut transaction = self.begin(1).await?;
            let Some(bitmap) = self.stock.bitmap(group) else { return Ok(()) };
            // Only now: while room was waited for, some may have come free.
            let mut waiting = Vec::new();
            self.disks().iter().for_each(|disk| disk.add_waiting_to_be_free(group, &mut waiting));
            waiting.retain(|cluster| !is_taken(&bitmap, *cluster));
            if waiting.is_empty() {
                return Ok(());
            }
            waiting.sort_unstable();
            let (runs, _) = runs(&waiting);
            runs.into_iter().for_each(|run| transaction.mark(&bitmap, run, true));
        }
    }

    /// Begins a transaction of so many pages, as soon as there is room for it.
    ///
    /// # Errors
    /// The journal's end.
    pub(crate) async fn begin(&self, pages: usize) -> Result<Transaction<'_>, SpaceError> {
        loop {
            match self.pages().begin(pages) {
                Ok(transaction) => return Ok(transaction),
                Err(Refused::NoRoom { seen }) => self.pages().settled_beyond(seen).await,
                Err(Refused::Failed) => return Err(JournalError::Ended(Ended::Left).into()),
            }
        }
    }
}

fn is_taken(bitmap: &Page, cluster: ClusterNumber) -> bool {
    bitmap.read(|content| content.bitmap().is_taken(cluster.place().1))
}

/// The first runs of ascending clusters of one group, as many as go at once; and how many clusters those are.
fn runs(clusters: &[ClusterNumber]) -> (Vec<ClusterRun>, usize) {
    let mut runs: Vec<ClusterRun> = Vec::new();
    for (count, cluster) in clusters.iter().enumerate() {
        let ClusterIndex(index) = cluster.place().1;
        let is_full = runs.len() == RUNS_AT_ONCE;
        match runs.last_mut() {
            Some(run) if run.first.0 + run.count == index => run.count += 1,
            _ if is_full => return (runs, count),
            _ => runs.push(ClusterRun { first: ClusterIndex(index), count: 1 }),
        }
    }
    (runs, clusters.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_cleared_in_one_run_and_no_more_runs_at_once_than_there_may_be() {
        let clusters: Vec<_> = [9, 10, 11, 20, 21, 40].map(ClusterNumber).into();
        let (three, count) = runs(&clusters);
        assert_eq!(
            three.iter().map(|run| (run.first.0, run.count)).collect::<Vec<_>>(),
            [(9, 3), (20, 2), (40, 1)]
        );
        assert_eq!(count, 6);
        let alone: Vec<_> = (0..400).map(|index| ClusterNumber(index * 2)).collect();
        let (most, count) = runs(&alone);
        assert_eq!((most.len(), count), (RUNS_AT_ONCE, RUNS_AT_ONCE));
    }
}
