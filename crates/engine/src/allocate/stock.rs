//! The stock: all groups that this host owns, for every thread of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oarlock_format::{ClusterNumber, GroupNumber};

use super::group::OwnedGroup;
use crate::pages::Page;

/// The groups that this host owns. Nothing here waits for anything.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    groups: BTreeMap<GroupNumber, OwnedGroup>,
    /// The group that was taken from last.
    present: Option<GroupNumber>,
}

impl Stock {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this host gives out the clusters of that group.
    ///
    /// # Panics
    /// When it does already: what is in hand would be forgotten.
    pub(crate) fn open(&self, group: GroupNumber, clusters: u32, page: Arc<Page>) {
        let before = self.lock().groups.insert(group, OwnedGroup::new(group, clusters, page));
        assert!(before.is_none(), "group {group} is opened twice");
    }

    /// Takes up to `wanted` clusters: next to `near` first, then where it took last, then anywhere.
    pub(crate) fn take(&self, wanted: usize, near: Option<ClusterNumber>, taken: &mut Vec<ClusterNumber>) {
        let mut inner = self.lock();
        let first = [near.map(|near| near.place().0), inner.present];
        let others: Vec<GroupNumber> = inner.groups.keys().copied().collect();
        for group in first.into_iter().flatten().chain(others) {
            let left = wanted.saturating_sub(taken.len());
            if left == 0 {
                return;
            }
            let Some(owned) = inner.groups.get_mut(&group).filter(|owned| !owned.is_closing) else {
                continue;
            };
            let before = taken.len();
            owned.take(left, taken);
            if taken.len() > before {
                inner.present = Some(group);
            }
        }
    }

    /// Clusters that were in hand can be given out again. Those of a group that this host does not own any more are another's
    /// business.
    pub(crate) fn give_back(&self, clusters: impl IntoIterator<Item = ClusterNumber>) {
        let mut inner = self.lock();
        for cluster in clusters {
            let (group, index) = cluster.place();
            if let Some(owned) = inner.groups.get_mut(&group) {
                owned.give_back(index);
            }
        }
    }

    /// The bitmap of a group that this host owns.
    pub(crate) fn bitmap(&self, group: GroupNumber) -> Option<Arc<Page>> {
        self.lock().groups.get(&group).map(|owned| Arc::clone(owned.page()))
    }

    /// The bitmap of a group that this host owns and keeps: where a bit of it is cleared, the cluster stays in hand until it is
    /// [given back](Self::give_back).
    pub(crate) fn bitmap_kept(&self, group: GroupNumber) -> Option<Arc<Page>> {
        let inner = self.lock();
        let kept = inner.groups.get(&group).filter(|owned| !owned.is_closing);
        kept.map(|owned| Arc::clone(owned.page()))
    }

    /// Whether this host owns the group.
    pub(crate) fn has(&self, group: GroupNumber) -> bool {
        self.lock().groups.contains_key(&group)
    }

    /// How many groups this host owns.
    pub(crate) fn groups(&self) -> usize {
        self.lock().groups.len()
    }

    /// How many clusters could be given out.
    pub(crate) fn free(&self) -> u64 {
        let inner = self.lock();
        let open = inner.groups.values().filter(|owned| !owned.is_closing);
        open.map(|owned| u64::from(owned.free())).sum()
    }

    /// The groups of which nobody has a cluster in hand, those with the least left first.
    pub(crate) fn spare(&self) -> Vec<GroupNumber> {
        let inner = self.lock();
        let unused = inner.groups.iter().filter(|(_, owned)| owned.in_hand() == 0 && !owned.is_closing);
        let mut spare: Vec<_> = unused.map(|(group, owned)| (owned.free(), *group)).collect();
        spare.sort_unstable();
        spare.into_iter().map(|(_, group)| group).collect()
    }

    /// Nothing of that group is given out any more, or again.
    pub(crate) fn set_closing(&self, group: GroupNumber, is_closing: bool) {
        if let Some(owned) = self.lock().groups.get_mut(&group) {
            owned.is_closing = is_closing;
        }
    }

    /// How many clusters of that group somebody has in hand.
    pub(crate) fn in_hand(&self, group: GroupNumber) -> u32 {
        self.lock().groups.get(&group).map_or(0, OwnedGroup::in_hand)
    }

    /// Forgets a group; how many of its clusters are free.
    pub(crate) fn close(&self, group: GroupNumber) -> u32 {
        let mut inner = self.lock();
        if inner.present == Some(group) {
            inner.present = None;
        }
        inner.groups.remove(&group).map_or(0, |owned| owned.free())
    }
}
