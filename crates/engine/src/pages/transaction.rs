//! Changes of pages that belong together: all of them are in one commit, or none is.

use std::sync::{Arc, MutexGuard};

use oarlock_format::{ClusterRun, RawEntry};

use super::page::Page;
use super::pending::Pending;
use super::touched::Touch;
use super::{PageKey, Pages, Ticket};

/// Pages that one transaction changes, at most: the images of so many fit into a commit of the shortest ring.
pub const TRANSACTION_PAGES_MAX: usize = 6;

/// Why nothing can be changed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A commit or a checkpoint has to come first.
    #[error("a commit or a checkpoint has to come first")]
    NoRoom {
        /// What [`Pages::poll_settled`] is asked with.
        seen: u64,
    },
    /// The journal failed.
    #[error("this host's journal failed")]
    Failed,
}

/// Changes that belong together. They are made as they are said, and end with the transaction; there is no way back.
pub struct Transaction<'a> {
    pages: &'a Pages,
    pending: Option<MutexGuard<'a, Pending>>,
    /// The pages that were changed so far.
    changed: Vec<PageKey>,
    changed_max: usize,
    /// There was nothing to commit before: the engine's thread has to hear of the first change.
    first: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(
        pages: &'a Pages,
        pending: MutexGuard<'a, Pending>,
        changed_max: usize,
    ) -> Transaction<'a> {
        let first = pending.is_empty();
        Transaction { pages, pending: Some(pending), changed: Vec::new(), changed_max, first }
    }

    /// Changes an entry of a map's page.
    ///
    /// # Panics
    /// When the page is a bitmap, its object is not open, another copy of it was changed, or it is one page more than the
    /// transaction was begun for.
    pub fn set(&mut self, page: &Arc<Page>, index: u16, entry: impl Into<RawEntry>) {
        self.change(page, Touch::Entry { index, entry: entry.into() });
    }

    /// Marks clusters of a group as taken or free.
    ///
    /// # Panics
    /// As [`set`](Self::set), and when the page is a map's.
    pub fn mark(&mut self, page: &Arc<Page>, run: ClusterRun, taken: bool) {
        self.change(page, Touch::Bits { run, taken });
    }

    /// The batch that these changes belong to.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        Ticket(self.pending.as_ref().map_or(0, |pending| pending.batch))
    }

    fn change(&mut self, page: &Arc<Page>, touch: Touch) {
        if !self.changed.contains(&page.key()) {
            self.changed.push(page.key());
            assert!(self.changed.len() <= self.changed_max, "more pages are changed than there is room for");
        }
        if let Some(pending) = &mut self.pending {
            pending.change(page, touch);
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        let half_full = pending.is_half_full();
        drop(pending);
        if (self.first && !self.changed.is_empty()) || half_full {
            self.pages.work.ring();
        }
    }
}
