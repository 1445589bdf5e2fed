//! One group that this host owns: which of its clusters can be given out.

use std::sync::Arc;

use oarlock_format::{BitmapPage, ClusterIndex, ClusterNumber, ClusterRun, GroupNumber};

use crate::pages::Page;

/// A group whose lock this host holds, with its bitmap in the cache.
#[derive(Debug)]
pub(super) struct OwnedGroup {
    number: GroupNumber,
    page: Arc<Page>,
    clusters: u32,
    /// What is not to be given out: clusters whose bit is set, and those that somebody has in hand.
    used: BitmapPage,
    /// Where the next search begins.
    next: ClusterIndex,
    /// It is about to be given up: nothing is given out any more.
    pub(super) is_closing: bool,
}

impl OwnedGroup {
    /// A group of so many clusters, nothing of which is in anybody's hand.
    pub(super) fn new(number: GroupNumber, clusters: u32, page: Arc<Page>) -> OwnedGroup {
        let used = page.read(|content| content.bitmap().clone());
        OwnedGroup { number, page, clusters, used, next: ClusterIndex(0), is_closing: false }
    }

    pub(super) fn page(&self) -> &Arc<Page> {
        &self.page
    }

    /// How many clusters can be given out.
    pub(super) fn free(&self) -> u32 {
        self.used.free(self.clusters)
    }

    /// How many clusters somebody has in hand, their bits not set.
    pub(super) fn in_hand(&self) -> u32 {
        let free = self.page.read(|content| content.bitmap().free(self.clusters));
        free.saturating_sub(self.free())
    }

    /// Takes up to `wanted` clusters, in runs as long as there are.
    pub(super) fn take(&mut self, wanted: usize, taken: &mut Vec<ClusterNumber>) {
        let mut left = u16::try_from(wanted).unwrap_or(u16::MAX);
        while left > 0 {
            let Some(run) = self.used.free_run(self.next, self.clusters, left) else { return };
            self.used.mark(run, true);
            let end = run.first.0 + run.count;
            taken.extend((run.first.0..end).map(|index| ClusterNumber::of(self.number, ClusterIndex(index))));
            self.next = ClusterIndex(end);
            left -= run.count;
        }
    }

    /// A cluster that was in hand can be given out again: it was not used, or its bit was cleared.
    ///
    /// # Panics
    /// When its bit is set, or nobody had it.
    pub(super) fn give_back(&mut self, index: ClusterIndex) {
        let has_bit = self.page.read(|content| content.bitmap().is_taken(index));
        assert!(!has_bit, "a cluster of group {} comes back whose bit is set", self.number);
        assert!(self.used.is_taken(index), "a cluster of group {} comes back twice", self.number);
        self.used.mark(ClusterRun { first: index, count: 1 }, false);
    }
}
