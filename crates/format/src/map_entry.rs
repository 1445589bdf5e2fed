//! One entry of a map: where a cluster of a disk is read and written, or where the next node down stands.
//!
//! *Owned* says that the layer that owns the page owns what the entry points at. Below a pointer that is not owned
//! everything is an ancestor's, whatever the flags in there say: ownership is a property of the way from the root.

use crate::map_shape::MapShape;
use crate::numbers::ClusterNumber;
use crate::pieces::PieceMask;

/// Bytes of an entry.
pub const ENTRY_LENGTH: usize = 16;

const CLUSTER: u64 = (1 << ClusterNumber::BITS) - 1;
const OWNED: u64 = 1 << ClusterNumber::BITS;
const MASK_SHIFT: u32 = 48;
/// The bits between cluster, flag and mask, in both numbers.
const RESERVED: u64 = ((1 << MASK_SHIFT) - 1) & !CLUSTER & !OWNED;

/// An entry as it stands in a page and in the journal, whatever it means: two numbers, little-endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RawEntry {
    /// Cluster, flag and mask of what is written to.
    pub first: u64,
    /// Cluster and mask of what is only read.
    pub second: u64,
}

/// A cluster, and which of its pieces count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mapped {
    /// The cluster.
    pub cluster: ClusterNumber,
    /// The pieces that were written.
    pub mask: PieceMask,
}

/// An entry of a leaf: one cluster of the disk. Where nothing is mapped, zeros are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LeafEntry {
    /// What is read first; what is written to where it is owned. Its mask may be empty: a cluster kept in hand.
    pub own: Option<Mapped>,
    /// Whether `own` belongs to the layer that owns the page; else it is an ancestor's.
    pub owned: bool,
    /// What is read where `own` has nothing; its mask is never empty. Nothing is ever written to it.
    pub below: Option<Mapped>,
    /// Whether `below` belongs to the layer that owns the page, which has absorbed its parent; else it is an ancestor's.
    pub below_owned: bool,
}

/// An entry of an inner node: the node on the next level down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodePointer {
    /// The node.
    pub cluster: ClusterNumber,
    /// Whether it belongs to the layer that owns the page.
    pub owned: bool,
}

impl LeafEntry {
    /// The cluster from which a piece is read; none for zeros. No chain is walked: an entry says all there is to say.
    #[must_use]
    pub fn source(&self, piece: u32) -> Option<ClusterNumber> {
        let has = |mapped: &Mapped| mapped.mask.has(piece);
        self.own.filter(has).or(self.below.filter(has)).map(|mapped| mapped.cluster)
    }

    /// The clusters that belong to the layer that owns the page.
    pub fn owned_clusters(&self) -> impl Iterator<Item = ClusterNumber> + use<> {
        let own = self.own.filter(|_| self.owned);
        let below = self.below.filter(|_| self.below_owned);
        own.into_iter().chain(below).map(|mapped| mapped.cluster)
    }

    /// The same entry as it is on a page that another layer owns.
    #[must_use]
    pub const fn disowned(self) -> LeafEntry {
        LeafEntry { owned: false, below_owned: false, ..self }
    }
}

impl RawEntry {
    /// An entry that maps nothing.
    pub const EMPTY: RawEntry = RawEntry { first: 0, second: 0 };

    /// The bytes as they stand in a page.
    #[must_use]
    pub fn bytes(self) -> [u8; ENTRY_LENGTH] {
        let mut bytes = [0; ENTRY_LENGTH];
        bytes[..8].copy_from_slice(&self.first.to_le_bytes());
        bytes[8..].copy_from_slice(&self.second.to_le_bytes());
        bytes
    }

    /// The entry in these bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8; ENTRY_LENGTH]) -> RawEntry {
        let both = u128::from_le_bytes(*bytes);
        let half = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default();
        RawEntry { first: half(both), second: half(both >> 64) }
    }

    /// What it says in a leaf.
    #[must_use]
    pub fn leaf(self) -> LeafEntry {
        let mapped = |word: u64| {
            ClusterNumber::of_field(word & CLUSTER).map(|cluster| Mapped { cluster, mask: mask_of(word) })
        };
        LeafEntry {
            own: mapped(self.first),
            owned: self.first & OWNED != 0,
            below: mapped(self.second),
            below_owned: self.second & OWNED != 0,
        }
    }

    /// What it says in an inner node.
    #[must_use]
    pub fn node(self) -> Option<NodePointer> {
        let owned = self.first & OWNED != 0;
        ClusterNumber::of_field(self.first & CLUSTER).map(|cluster| NodePointer { cluster, owned })
    }

    /// The same entry, owning nothing: what a copied page holds.
    #[must_use]
    pub const fn disowned(self) -> RawEntry {
        RawEntry { first: self.first & !OWNED, second: self.second & !OWNED }
    }

    /// Whether it can stand on that level of a map of that shape; what is wrong with it, if it cannot.
    pub(crate) fn check(self, level: u8, shape: &MapShape) -> Result<(), &'static str> {
        if self.first & RESERVED != 0 || self.second & RESERVED != 0 {
            return Err("reserved bits");
        }
        if self.first & CLUSTER == 0 && self.first != 0 {
            return Err("a flag or a mask without a cluster");
        }
        if level > 0 {
            let plain = mask_of(self.first).is_empty() && self.second == 0;
            return if plain { Ok(()) } else { Err("a leaf's entry, in an inner node") };
        }
        let beyond = |mask: PieceMask| !mask.without(PieceMask::first(shape.pieces())).is_empty();
        if beyond(mask_of(self.first)) || beyond(mask_of(self.second)) {
            return Err("pieces that no cluster has");
        }
        if (self.second & CLUSTER == 0) != mask_of(self.second).is_empty() {
            return Err("a cluster below of which nothing is read");
        }
        if self.second & OWNED != 0 && self.first & CLUSTER != 0 && self.first & OWNED == 0 {
            return Err("what is below is owned, and what is above it is not");
        }
        if self.second != 0 && self.first & CLUSTER == self.second & CLUSTER {
            return Err("one cluster twice");
        }
        Ok(())
    }
}

const fn mask_of(word: u64) -> PieceMask {
    PieceMask((word >> MASK_SHIFT) as u16)
}

fn word(mapped: Option<Mapped>, owned: bool) -> u64 {
    let Some(Mapped { cluster, mask }) = mapped else { return 0 };
    assert!(cluster.is_mappable(), "cluster {cluster} does not fit an entry");
    cluster.0 | if owned { OWNED } else { 0 } | u64::from(mask.0) << MASK_SHIFT
}

impl From<LeafEntry> for RawEntry {
    /// # Panics
    /// When a cluster's number does not fit 40 bits: no datastore has so many.
    fn from(entry: LeafEntry) -> RawEntry {
        RawEntry { first: word(entry.own, entry.owned), second: word(entry.below, entry.below_owned) }
    }
}

impl From<Option<NodePointer>> for RawEntry {
    /// # Panics
    /// When the cluster's number does not fit 40 bits: no datastore has so many.
    fn from(pointer: Option<NodePointer>) -> RawEntry {
        let mapped = pointer.map(|pointer| Mapped { cluster: pointer.cluster, mask: PieceMask::NONE });
        RawEntry { first: word(mapped, pointer.is_some_and(|pointer| pointer.owned)), second: 0 }
    }
}
