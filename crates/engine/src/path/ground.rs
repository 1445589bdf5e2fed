//! Where clusters stand on the device, in bytes: what turns a map's entry into an address.

use oarlock_block::{BlockSize, ByteCount};
use oarlock_format::{ClusterNumber, GroupNumber, MapShape, Space};

/// The arithmetic of one datastore's clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    start_byte: u64,
    block: BlockSize,
    shape: MapShape,
}

impl Ground {
    /// The clusters of a datastore's groups; `None` where it has no group.
    #[must_use]
    pub fn new(space: &Space, block: BlockSize, shape: MapShape) -> Option<Ground> {
        let start = (space.groups() > 0).then(|| space.record(GroupNumber(0)))?;
        Some(Ground::at(start.byte_offset(block), block, shape))
    }

    /// Clusters counted from that byte of the device on.
    #[must_use]
    pub const fn at(start_byte: u64, block: BlockSize, shape: MapShape) -> Ground {
        Ground { start_byte, block, shape }
    }

    /// The shape of maps.
    #[must_use]
    pub const fn shape(&self) -> &MapShape {
        &self.shape
    }

    /// The device's logical block: what requests are multiples of.
    #[must_use]
    pub const fn block(&self) -> BlockSize {
        self.block
    }

    /// The first byte of a cluster on the device. Entries hold 40 bits and a cluster has 2^20 bytes at most, so that no
    /// entry, however damaged, makes this overflow; the device refuses what lies beyond it.
    #[must_use]
    pub fn byte_of(&self, cluster: ClusterNumber) -> u64 {
        self.start_byte.saturating_add(cluster.0.saturating_mul(self.shape.cluster_size().0))
    }

    /// The size of a piece in bytes: 2^16 at most.
    pub(crate) fn piece(&self) -> u32 {
        let ByteCount(piece) = self.shape.piece_size();
        u32::try_from(piece).unwrap_or(u32::MAX)
    }
}
