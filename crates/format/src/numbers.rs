//! Numbers that name things of disks: descriptors and their uses, groups, clusters, places in the journal, hashes of names.

use std::fmt;

use crate::ids::{FormatId, growing};
use crate::names::LayerName;

/// A number that names something, and is shown as it is.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}", self.0)
            }
        }
    };
}

number! {
    /// One run of a machine from its power on to its power off. Never 0.
    BootTag(u64)
}

impl BootTag {
    /// The tag of the boot that the operating system names so.
    #[must_use]
    pub const fn of(boot_id: u128) -> BootTag {
        // Boot ids are random (RFC 9562, version 4): so many of their bits tell them apart as well.
        #[expect(clippy::cast_possible_truncation, reason = "both halves are in it")]
        let folded = (boot_id ^ (boot_id >> 64)) as u64;
        BootTag(if folded == 0 { 1 } else { folded })
    }
}

number! {
    /// A bucket of the directory.
    BucketNumber(u32)
}

number! {
    /// A descriptor: the index of its two records in their region.
    DescriptorNumber(u32)
}

number! {
    /// An allocation group, counted from the start of the region of groups.
    GroupNumber(u32)
}

number! {
    /// A cluster, counted from the start of the region of groups: group × 8,192 + index in the group. Cluster 0 is a
    /// group's head, so that a field of 0 can say that there is none.
    ClusterNumber(u64)
}

number! {
    /// A cluster within its group: below [`GROUP_CLUSTERS`](crate::GROUP_CLUSTERS).
    ClusterIndex(u16)
}

number! {
    /// How many levels of nodes a map has: the root alone is one level, which maps clusters of data.
    LayerLevels(u8)
}

growing! {
    /// Which use of a descriptor: one more with each disk, snapshot or layer that took it. 0: it was never used.
    DiskUid
}

growing! {
    /// A block of a slot's journal: one more with each block that a life writes. A new life goes on a whole ring further, so
    /// that none of its numbers was ever written before.
    /// A commit is known by the sequence of its first block; 0 stands for none.
    JournalSequence
}

impl ClusterNumber {
    /// The bits that a map's entry has for a cluster.
    pub const BITS: u32 = 40;

    /// The cluster that a field names; 0 names none.
    #[must_use]
    pub const fn of_field(field: u64) -> Option<ClusterNumber> {
        if field == 0 { None } else { Some(ClusterNumber(field)) }
    }

    /// The field that names a cluster, or none.
    #[must_use]
    pub fn field_of(cluster: Option<ClusterNumber>) -> u64 {
        cluster.map_or(0, |cluster| cluster.0)
    }

    /// Whether a map's entry can hold it: not 0, and within 40 bits.
    #[must_use]
    pub const fn is_mappable(self) -> bool {
        self.0 != 0 && self.0 >> ClusterNumber::BITS == 0
    }
}

/// A disk, a snapshot or a hidden layer: a descriptor in one of its uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerId {
    /// The descriptor.
    pub descriptor: DescriptorNumber,
    /// Which of its uses; never 0.
    pub uid: DiskUid,
}

impl fmt::Display for LayerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.descriptor, self.uid)
    }
}

/// The hash under which a name stands in the directory: SipHash-2-4 keyed by the format id. Never 0, which stands for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameHash(pub u64);

impl NameHash {
    /// The hash of a disk's name: of the byte `D` and the name.
    #[must_use]
    pub fn of_disk(format_id: &FormatId, name: &LayerName) -> NameHash {
        NameHash::of(format_id, &[b"D", name.as_str().as_bytes()])
    }

    /// The hash of the name of a disk's snapshot: of the byte `S`, the disk's descriptor and uid, and the snapshot's own
    /// name. So a disk that is renamed keeps its snapshots' entries.
    #[must_use]
    pub fn of_snapshot(format_id: &FormatId, disk: LayerId, name: &LayerName) -> NameHash {
        let (descriptor, uid) = (disk.descriptor.0.to_le_bytes(), disk.uid.0.to_le_bytes());
        NameHash::of(format_id, &[b"S", &descriptor, &uid, name.as_str().as_bytes()])
    }

    fn of(format_id: &FormatId, parts: &[&[u8]]) -> NameHash {
        NameHash(format_id.keyed_hash(&parts.concat()).max(1))
    }

    /// The hash in a field; 0 stands for none.
    pub(crate) const fn of_field(field: u64) -> Option<NameHash> {
        if field == 0 { None } else { Some(NameHash(field)) }
    }

    pub(crate) fn field_of(hash: Option<NameHash>) -> u64 {
        hash.map_or(0, |hash| hash.0)
    }
}

impl fmt::Display for NameHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_hashes_otherwise_as_a_disk_and_as_each_disks_snapshot() {
        let (format_id, name) = (FormatId(7), LayerName::new("vm/web").unwrap());
        let layer = |descriptor, uid| LayerId { descriptor: DescriptorNumber(descriptor), uid: DiskUid(uid) };
        let hashes = [
            NameHash::of_disk(&format_id, &name),
            NameHash::of_disk(&FormatId(8), &name),
            NameHash::of_snapshot(&format_id, layer(1, 1), &name),
            NameHash::of_snapshot(&format_id, layer(1, 2), &name),
            NameHash::of_snapshot(&format_id, layer(2, 1), &name),
        ];
        let unique: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(unique.len(), hashes.len());
    }
}
