//! Groups and clusters: which cluster is in which group, and where each, its record and its bitmap stand.
//!
//! ```text
//!   a group: | record |  | bitmap page | rest of the head | cluster | cluster | ... 8,192 in all, the head's among them
//!            0         4,096 or one stride
//! ```

use oarlock_block::{BlockCount, BlockSize, ByteCount, Lba};

use crate::layout::Layout;
use crate::numbers::{ClusterIndex, ClusterNumber, GroupNumber};
use crate::page::PAGE_LENGTH;

/// Clusters of an allocation group, its head included.
pub const GROUP_CLUSTERS: u32 = 8_192;

/// A last group of fewer clusters is not made.
pub const GROUP_CLUSTERS_MIN: u32 = 16;

/// The region of groups, counted in clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    start: Lba,
    blocks: u64,
    block: u64,
    cluster_blocks: u64,
    /// From a group's record to its bitmap page.
    bitmap_blocks: u64,
}

/// What stands at an address in the region of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InSpace {
    /// A group's record.
    Record(GroupNumber),
    /// The first block of a group's bitmap page.
    Bitmap(GroupNumber),
    /// A block of a group's head that holds nothing.
    Head(GroupNumber),
    /// A block of a cluster.
    Cluster(ClusterNumber),
    /// A block of no group: too few were left to make one.
    Rest,
}

impl Space {
    /// The groups of a layout that was checked.
    #[must_use]
    pub fn new(layout: &Layout, block_size: BlockSize, cluster_size: ByteCount) -> Space {
        let block = u64::from(block_size.bytes());
        Space {
            start: layout.groups.start,
            blocks: layout.groups.blocks.0,
            block,
            cluster_blocks: (cluster_size.0 / block).max(1),
            bitmap_blocks: page_behind_record(layout.stride_blocks, block),
        }
    }

    /// Blocks of a cluster.
    #[must_use]
    pub const fn cluster_blocks(&self) -> BlockCount {
        BlockCount(self.cluster_blocks)
    }

    /// Clusters that a group's record and bitmap touch: the first ones of each group, never given out.
    #[must_use]
    pub fn head(&self) -> u32 {
        let blocks = self.bitmap_blocks + page_blocks(self.block);
        u32::try_from(blocks.div_ceil(self.cluster_blocks)).unwrap_or(GROUP_CLUSTERS)
    }

    /// The fewest clusters that a group has.
    fn group_min(&self) -> u64 {
        u64::from(GROUP_CLUSTERS_MIN.max(self.head() + 1))
    }

    /// How many groups there are.
    #[must_use]
    pub fn groups(&self) -> u32 {
        let all = self.blocks / self.cluster_blocks;
        let (whole, rest) = (all / u64::from(GROUP_CLUSTERS), all % u64::from(GROUP_CLUSTERS));
        u32::try_from(whole + u64::from(rest >= self.group_min())).unwrap_or(u32::MAX)
    }

    /// How many clusters a group has, its head among them; 0 where there is no such group.
    #[must_use]
    pub fn clusters_of(&self, group: GroupNumber) -> u32 {
        if group.0 >= self.groups() {
            return 0;
        }
        let before = u64::from(group.0) * u64::from(GROUP_CLUSTERS);
        let rest = (self.blocks / self.cluster_blocks).saturating_sub(before);
        u32::try_from(rest.min(u64::from(GROUP_CLUSTERS))).unwrap_or(GROUP_CLUSTERS)
    }

    /// How many clusters can be given out: those of all groups without their heads.
    #[must_use]
    pub fn clusters(&self) -> u64 {
        let Some(last) = self.groups().checked_sub(1) else { return 0 };
        let in_whole = u64::from(last) * u64::from(GROUP_CLUSTERS - self.head());
        in_whole + u64::from(self.clusters_of(GroupNumber(last)) - self.head())
    }

    /// Whether a cluster is one that can be given out.
    #[must_use]
    pub fn has(&self, cluster: ClusterNumber) -> bool {
        let Ok(group) = u32::try_from(cluster.0 / u64::from(GROUP_CLUSTERS)) else { return false };
        let index = cluster.0 % u64::from(GROUP_CLUSTERS);
        index >= u64::from(self.head()) && index < u64::from(self.clusters_of(GroupNumber(group)))
    }

    /// The address of a group's record.
    ///
    /// # Panics
    /// When there is no such group.
    #[must_use]
    pub fn record(&self, group: GroupNumber) -> Lba {
        assert!(group.0 < self.groups(), "the datastore has no group {group}");
        self.start.plus(BlockCount(u64::from(group.0) * u64::from(GROUP_CLUSTERS) * self.cluster_blocks))
    }

    /// The address of a group's bitmap page.
    ///
    /// # Panics
    /// When there is no such group.
    #[must_use]
    pub fn bitmap(&self, group: GroupNumber) -> Lba {
        self.record(group).plus(BlockCount(self.bitmap_blocks))
    }

    /// The address of a cluster's first block.
    ///
    /// # Panics
    /// When that cluster is none that can be given out.
    #[must_use]
    pub fn cluster(&self, cluster: ClusterNumber) -> Lba {
        assert!(self.has(cluster), "the datastore has no cluster {cluster} to give out");
        self.start.plus(BlockCount(cluster.0 * self.cluster_blocks))
    }

    /// What stands at an address; `None` outside of the region of groups.
    #[must_use]
    pub fn at(&self, lba: Lba) -> Option<InSpace> {
        let offset = lba.0.checked_sub(self.start.0).filter(|offset| *offset < self.blocks)?;
        let cluster = ClusterNumber(offset / self.cluster_blocks);
        let (group, index) = cluster.place();
        if u32::from(index.0) >= self.clusters_of(group) {
            return Some(InSpace::Rest);
        }
        if u32::from(index.0) >= self.head() {
            return Some(InSpace::Cluster(cluster));
        }
        Some(match offset % (u64::from(GROUP_CLUSTERS) * self.cluster_blocks) {
            0 => InSpace::Record(group),
            offset if offset == self.bitmap_blocks => InSpace::Bitmap(group),
            _ => InSpace::Head(group),
        })
    }
}

impl ClusterNumber {
    /// The cluster of that index in a group.
    #[must_use]
    pub fn of(group: GroupNumber, index: ClusterIndex) -> ClusterNumber {
        ClusterNumber(u64::from(group.0) * u64::from(GROUP_CLUSTERS) + u64::from(index.0))
    }

    /// Its group, and its index there. A number beyond every group gives the last there can be.
    #[must_use]
    pub fn place(self) -> (GroupNumber, ClusterIndex) {
        let group = u32::try_from(self.0 / u64::from(GROUP_CLUSTERS)).unwrap_or(u32::MAX);
        let index = u16::try_from(self.0 % u64::from(GROUP_CLUSTERS)).unwrap_or(u16::MAX);
        (GroupNumber(group), ClusterIndex(index))
    }
}

/// Blocks of a page.
pub(crate) const fn page_blocks(block: u64) -> u64 {
    PAGE_LENGTH as u64 / block
}

/// From a record to the first page behind it, in blocks: one stride, but 4,096 bytes at least.
pub(crate) fn page_behind_record(stride: BlockCount, block: u64) -> u64 {
    stride.0.max(page_blocks(block))
}
