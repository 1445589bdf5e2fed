//! The root of a map, in one word that every thread reads.

use std::sync::atomic::{AtomicU64, Ordering};

use oarlock_format::{ClusterNumber, LayerLevels};

const CLUSTER: u64 = (1 << ClusterNumber::BITS) - 1;
const OWNED: u64 = 1 << ClusterNumber::BITS;
const LEVELS_SHIFT: u32 = 48;

/// Where a map begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The root's node; none where nothing was ever written.
    pub cluster: Option<ClusterNumber>,
    /// Whether it is this layer's own, and not an ancestor's.
    pub owned: bool,
    /// How many levels of nodes there are, the root's among them: 1 to [`LayerLevels::LARGEST`].
    pub levels: LayerLevels,
}

/// A root that changes while others look.
#[derive(Debug)]
pub(super) struct SharedRoot(AtomicU64);

impl SharedRoot {
    pub(super) fn new(root: Root) -> SharedRoot {
        SharedRoot(AtomicU64::new(word(root)))
    }

    pub(super) fn get(&self) -> Root {
        let word = self.0.load(Ordering::SeqCst);
        let levels = u8::try_from(word >> LEVELS_SHIFT).unwrap_or(LayerLevels::LARGEST.0);
        Root {
            cluster: ClusterNumber::of_field(word & CLUSTER),
            owned: word & OWNED != 0,
            levels: LayerLevels(levels),
        }
    }

    pub(super) fn set(&self, root: Root) {
        self.0.store(word(root), Ordering::SeqCst);
    }
}

fn word(root: Root) -> u64 {
    let Root { cluster, owned, levels } = root;
    assert!(cluster.is_none_or(ClusterNumber::is_mappable), "a root that no datastore has");
    let owned = if owned { OWNED } else { 0 };
    ClusterNumber::field_of(cluster) | owned | u64::from(levels.0) << LEVELS_SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_comes_out_as_it_went_in() {
        let levels = LayerLevels::LARGEST;
        let largest = ClusterNumber((1 << ClusterNumber::BITS) - 1);
        for root in [
            Root { cluster: None, owned: false, levels: LayerLevels(1) },
            Root { cluster: Some(largest), owned: true, levels },
            Root { cluster: Some(ClusterNumber(1)), owned: false, levels },
        ] {
            assert_eq!(SharedRoot::new(root).get(), root);
        }
    }
}
