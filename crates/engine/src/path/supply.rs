//! What a data path needs of the engine behind it: the map's pages, and answers to what only the engine can do.

use oarlock_format::{ClusterNumber, LeafEntry};

/// A number that only grows with the changes of a host's pages. A commit makes all changes up to some number durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeNumber(pub u64);

/// What is known of one cluster of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Its entry. Where the leaf is not this layer's, the entry's `owned` is clear, whatever the page says: ownership is
    /// a property of the way from the root.
    Entry {
        /// The entry.
        entry: LeafEntry,
        /// Whether the leaf belongs to this layer, so that the entry can be changed.
        leaf_is_own: bool,
    },
    /// There is no leaf: zeros are read.
    NoLeaf {
        /// The first cluster behind all those of which this is known by the same look.
        until: u64,
    },
    /// A page on the way is not in memory.
    Away,
}

/// One change of the map, made at once with the bits of the cluster that it takes and of those that it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Which cluster of the disk.
    pub index: u64,
    /// The entry as it must be found.
    pub before: LeafEntry,
    /// The entry as it will be.
    pub after: LeafEntry,
    /// The cluster whose bit is set with it: one from the reservoir, mapped for the first time.
    pub taken: Option<ClusterNumber>,
}

impl Publication {
    /// Of so many pages at most: the leaf, the bitmap of the cluster that is taken, and those of two that are given up.
    pub(crate) const PAGES_MAX: usize = 4;
}

/// What became of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Readers see it from now on; it is durable once a commit covers that number.
    At(ChangeNumber),
    /// Nothing was changed: the page is not in memory, not this layer's, or the entry is another.
    NotNow,
    /// Nothing was changed: what changed before has to be written down first.
    NoRoom,
}

/// The published map of one disk. No call waits for I/O; reading takes no lock but a page's own.
pub trait DiskMap: Send + Sync {
    /// What is known of a cluster of the disk.
    fn look_up(&self, index: u64) -> Looked;

    /// Changes an entry, and the bits of the cluster that it takes and of those that it gives up, in one transaction of the journal.
    /// The data behind it was answered before this call (R32). A bit that is cleared here gives nobody the cluster: as long as anybody
    /// may know it this host has it in hand (R33).
    fn publish(&self, publication: &Publication) -> Published;

    /// Up to where changes are durable.
    fn durable(&self) -> ChangeNumber;

    /// Up to where changes are noted: whoever comes after this host finds them, unless the power goes.
    fn noted(&self) -> ChangeNumber;
}

/// What an operation waits for, by number. The engine answers each once, by [`DataPath::answer`](super::DataPath::answer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What only the engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Bring the way to this cluster's entry into memory.
    Leaf {
        /// Which cluster of the disk.
        index: u64,
    },
    /// As [`Leaf`](Demand::Leaf), and make it this layer's own: nodes that are missing are made, nodes of an ancestor copied.
    OwnLeaf {
        /// Which cluster of the disk.
        index: u64,
    },
    /// Hand over at least one cluster by [`DataPath::refill`](super::DataPath::refill).
    Clusters {
        /// How many the disk could use.
        wanted: usize,
    },
    /// Commit all that was published. It must be a commit that *begins* after this was asked: it starts with a flush of
    /// the device, which has to cover every write that was answered by now.
    Commit,
    /// Note all that was published by now: no guest is answered before, or the death of this process would take back what he was
    /// told.
    Note,
    /// Answer once there is room for another change. Others may have taken it by then, and this is asked again.
    Room,
}

/// Commands whose outcome is unknown: they may still land. Until they are closed nothing overlapping is sent (R21), and
/// no cluster that they touch is given to anybody (R33).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarantine(pub u64);

/// The engine as a data path sees it. No call may block, or call the path back while it runs.
pub trait Supplier: Send + Sync {
    /// An operation waits for this.
    fn ask(&self, ticket: Ticket, demand: Demand);

    /// Few clusters are left in hand, and nobody waits yet: so many would be welcome.
    fn low(&self, wanted: usize);

    /// The outcome of writes is unknown. [`DataPath::close`](super::DataPath::close) says that they are proved dead or
    /// ended.
    fn quarantined(&self, quarantine: Quarantine);
}
