//! A set of clusters, one bit each, in memory only for the groups that it has something of; within a window of groups.

use std::collections::BTreeMap;
use std::ops::Range;

use oarlock_format::{ClusterIndex, ClusterNumber, GROUP_CLUSTERS, GroupNumber};

const WORDS: usize = (GROUP_CLUSTERS / u64::BITS) as usize;

/// The clusters of one group.
pub(crate) type GroupBits = [u64; WORDS];

/// Clusters of the groups of a window.
pub(crate) struct Clusters {
    window: Range<u32>,
    groups: BTreeMap<GroupNumber, Box<GroupBits>>,
}

impl Clusters {
    pub(crate) fn new(window: Range<u32>) -> Clusters {
        Clusters { window, groups: BTreeMap::new() }
    }

    fn is_within(&self, group: GroupNumber) -> bool {
        self.window.contains(&group.0)
    }

    /// Takes a cluster in; whether it was in already. One outside of the window never is.
    pub(crate) fn insert(&mut self, cluster: ClusterNumber) -> bool {
        let (group, index) = cluster.place();
        if !self.is_within(group) {
            return false;
        }
        let bits = self.groups.entry(group).or_insert_with(|| Box::new([0; WORDS]));
        let was = has(bits, index);
        set(bits, index, true);
        was
    }

    pub(crate) fn remove(&mut self, cluster: ClusterNumber) {
        let (group, index) = cluster.place();
        if let Some(bits) = self.groups.get_mut(&group) {
            set(bits, index, false);
        }
    }

    /// Whether the cluster is in; `None` outside of the window.
    pub(crate) fn contains(&self, cluster: ClusterNumber) -> Option<bool> {
        let (group, index) = cluster.place();
        self.is_within(group).then(|| self.groups.get(&group).is_some_and(|bits| has(bits, index)))
    }

    /// The clusters of one group.
    pub(crate) fn of(&self, group: GroupNumber) -> GroupBits {
        self.groups.get(&group).map_or([0; WORDS], |bits| **bits)
    }

    pub(crate) fn clear(&mut self) {
        self.groups.clear();
    }
}

/// Whether the cluster is among those of its group.
pub(crate) fn has(bits: &GroupBits, index: ClusterIndex) -> bool {
    bits[usize::from(index.0) / 64] >> (index.0 % 64) & 1 == 1
}

pub(crate) fn set(bits: &mut GroupBits, index: ClusterIndex, is_in: bool) {
    let (word, bit) = (&mut bits[usize::from(index.0) / 64], 1 << (index.0 % 64));
    *word = if is_in { *word | bit } else { *word & !bit };
}

/// The clusters of a group that are in the set, ascending.
pub(crate) fn members(bits: &GroupBits) -> impl Iterator<Item = ClusterIndex> + '_ {
    (0..GROUP_CLUSTERS)
        .filter_map(|index| u16::try_from(index).ok())
        .map(ClusterIndex)
        .filter(|index| has(bits, *index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_the_clusters_of_its_window_and_nothing_of_others() {
        let mut set = Clusters::new(1..3);
        let cluster = |group, index| ClusterNumber::of(GroupNumber(group), ClusterIndex(index));
        assert!(!set.insert(cluster(1, 8_191)) && set.insert(cluster(1, 8_191)));
        assert!(
            !set.insert(cluster(0, 5)) && !set.insert(cluster(0, 5)),
            "outside of the window nothing is kept"
        );
        assert_eq!((set.contains(cluster(1, 8_191)), set.contains(cluster(0, 5))), (Some(true), None));
        assert_eq!(members(&set.of(GroupNumber(1))).collect::<Vec<_>>(), [ClusterIndex(8_191)]);
        set.remove(cluster(1, 8_191));
        assert_eq!(set.contains(cluster(1, 8_191)), Some(false));
    }
}
