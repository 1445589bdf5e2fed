//! The reservoir: clusters handed to one disk in advance, in memory only, so that a crash leaks none.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oarlock_format::{ClusterNumber, GroupNumber};

use super::limits::{RESERVOIR_LOW, RESERVOIR_MAX};

/// Clusters in hand. They are given out in the order in which they came, so that a run of them becomes a run of the disk.
#[derive(Debug, Default)]
pub(crate) struct Reservoir {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    clusters: VecDeque<ClusterNumber>,
    /// Whether the engine knows that there are few.
    said_low: bool,
}

/// What was in hand.
pub(crate) struct Taken {
    /// The cluster; none where none was left.
    pub(crate) cluster: Option<ClusterNumber>,
    /// How many more would be welcome, where the engine is to be told now.
    pub(crate) low: Option<usize>,
}

impl Reservoir {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next cluster.
    pub(crate) fn take(&self) -> Taken {
        let mut inner = self.lock();
        let cluster = inner.clusters.pop_front();
        let left = inner.clusters.len();
        let low = cluster.is_some() && left < RESERVOIR_LOW && !inner.said_low;
        inner.said_low |= low;
        Taken { cluster, low: low.then(|| RESERVOIR_MAX - left) }
    }

    /// A cluster that was taken and not used: it goes first again.
    pub(crate) fn give_back(&self, cluster: ClusterNumber) {
        self.lock().clusters.push_front(cluster);
    }

    /// Adds clusters; those for which there is no room come back.
    pub(crate) fn refill(&self, clusters: &[ClusterNumber]) -> usize {
        let mut inner = self.lock();
        let room = RESERVOIR_MAX.saturating_sub(inner.clusters.len());
        let accepted = room.min(clusters.len());
        inner.clusters.extend(&clusters[..accepted]);
        inner.said_low = false;
        accepted
    }

    /// How many it has room for.
    pub(crate) fn wanted(&self) -> usize {
        RESERVOIR_MAX.saturating_sub(self.lock().clusters.len())
    }

    /// Takes back the clusters of a group, or all of them.
    pub(crate) fn recall(&self, group: Option<GroupNumber>, recalled: &mut Vec<ClusterNumber>) {
        self.lock().clusters.retain(|cluster| {
            let goes = group.is_none_or(|group| cluster.place().0 == group);
            if goes {
                recalled.push(*cluster);
            }
            !goes
        });
    }
}
