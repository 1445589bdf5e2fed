//! The shape of a map: how many levels of nodes a disk of some size needs, and which entries lead to one of its clusters.
//!
//! A map is a radix tree. A node is one cluster full of map pages; its entries, counted through all of its pages, are its
//! branches. Level 0 is the leaf's, whose entries map the disk's clusters; the root stands on the highest level.

use oarlock_block::ByteCount;

use crate::map_page::ENTRIES_PER_PAGE;
use crate::numbers::LayerLevels;
use crate::page::PAGE_LENGTH;
use crate::pieces::PIECES_MAX;
use crate::plan::{CLUSTER_MAX, CLUSTER_MIN};

/// The smallest piece: what a device can write at once whatever its block, and what a guest writes at least.
const PIECE_MIN: u64 = 4_096;

/// The shape of all maps of a datastore: it follows from the cluster size alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapShape {
    cluster: u64,
}

/// One entry on the way from the root to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapStep {
    /// The level of the node; 0 for the leaf.
    pub level: u8,
    /// The page within the node.
    pub page: u16,
    /// The entry within the page: below [`ENTRIES_PER_PAGE`].
    pub entry: u16,
}

impl MapShape {
    /// The shape of maps of clusters of that size.
    ///
    /// # Panics
    /// When no datastore has clusters of that size.
    #[must_use]
    pub fn new(cluster_size: ByteCount) -> MapShape {
        let ByteCount(cluster) = cluster_size;
        let known = cluster.is_power_of_two() && (CLUSTER_MIN..=CLUSTER_MAX).contains(&cluster);
        assert!(known, "no datastore has clusters of {cluster} bytes");
        MapShape { cluster }
    }

    /// The size of a cluster.
    #[must_use]
    pub const fn cluster_size(&self) -> ByteCount {
        ByteCount(self.cluster)
    }

    /// The size of a piece: a sixteenth of a cluster, but 4 KiB at least.
    #[must_use]
    pub fn piece_size(&self) -> ByteCount {
        ByteCount((self.cluster / u64::from(PIECES_MAX)).max(PIECE_MIN))
    }

    /// Pieces of a cluster: 1 to 16.
    #[must_use]
    pub fn pieces(&self) -> u32 {
        u32::try_from(self.cluster / self.piece_size().0).unwrap_or(PIECES_MAX)
    }

    /// Map pages of a node.
    #[must_use]
    pub fn pages_per_node(&self) -> u16 {
        u16::try_from(self.cluster / PAGE_LENGTH as u64).unwrap_or(u16::MAX)
    }

    /// Entries of a node.
    #[must_use]
    pub fn entries_per_node(&self) -> u64 {
        u64::from(self.pages_per_node()) * u64::from(ENTRIES_PER_PAGE)
    }

    /// How many levels a disk of that size needs at least; 1 at least.
    #[must_use]
    pub fn levels_for(&self, size: ByteCount) -> LayerLevels {
        let fits = |levels: &u8| self.reach(LayerLevels(*levels)).0 >= size.0;
        LayerLevels((1..LayerLevels::LARGEST.0).find(fits).unwrap_or(LayerLevels::LARGEST.0))
    }

    /// How many bytes of a disk so many levels can map.
    #[must_use]
    pub fn reach(&self, levels: LayerLevels) -> ByteCount {
        let clusters = self.entries_per_node().saturating_pow(u32::from(levels.0));
        ByteCount(clusters.saturating_mul(self.cluster))
    }

    /// The entries from the root down to the one that maps the cluster in which a byte of the disk lies.
    ///
    /// # Panics
    /// When so many levels do not reach that far.
    #[must_use]
    pub fn path(&self, offset: u64, levels: LayerLevels) -> impl DoubleEndedIterator<Item = MapStep> + use<> {
        let reach = self.reach(levels).0;
        assert!(offset < reach, "byte {offset} lies beyond the {reach} that {levels} levels map");
        let (cluster, entries) = (offset / self.cluster, self.entries_per_node());
        (0..levels.0).rev().map(move |level| {
            let below = entries.saturating_pow(u32::from(level));
            MapStep::of_entry(level, cluster / below % entries)
        })
    }
}

impl MapStep {
    fn of_entry(level: u8, entry: u64) -> MapStep {
        let half = |value: u64| u16::try_from(value).unwrap_or(u16::MAX);
        let per_page = u64::from(ENTRIES_PER_PAGE);
        MapStep { level, page: half(entry / per_page), entry: half(entry % per_page) }
    }
}
