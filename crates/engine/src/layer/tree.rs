//! The way from the root to an entry, over pages that are in the cache; and the published map of a data path on top of it.

use std::sync::Arc;

use oarlock_block::{BlockSize, Lba};
use oarlock_format::{
    ClusterNumber, ClusterRun, DescriptorNumber, Epoch, FormatId, JournalObject, LayerLevels, LeafEntry,
    MapPage, MapShape, MapStep, NodePointer, PAGE_LENGTH, Stamped, Superblock,
};

use super::root::{Root, SharedRoot};
use crate::allocate::Stock;
use crate::pages::{Page, PageKey, Pages, Refused, Ticket};
use crate::path::{ChangeNumber, DiskMap, Looked, Publication, Published, given_up};

/// The facts of the datastore by which nodes are found and made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground {
    pub(crate) format_id: FormatId,
    /// Where clusters are counted from. It is where it is, however many there come to be.
    pub(crate) start: Lba,
    pub(crate) shape: MapShape,
    pub(crate) block: BlockSize,
}

/// The map of one layer, as this host holds it. For every thread.
pub(crate) struct Tree {
    pub(super) pages: Arc<Pages>,
    pub(super) stock: Arc<Stock>,
    pub(crate) ground: Ground,
    pub(super) descriptor: DescriptorNumber,
    /// Of the descriptor's lock.
    pub(super) epoch: Epoch,
    root: SharedRoot,
}

/// How far a look came.
pub(super) enum Walk {
    /// To the entry.
    Leaf(Spot),
    /// To where there is nothing below, for all clusters before that one.
    Nowhere { until: u64 },
    /// To a page that is not in the cache.
    Away(PageKey),
    /// To a pointer that leads to no node of the level that should be there.
    NotANode { cluster: ClusterNumber, level: u8 },
    /// The map does not reach that far.
    Beyond,
}

/// An entry, and whose its page is.
pub(super) struct Spot {
    pub(super) page: Arc<Page>,
    pub(super) entry: u16,
    pub(super) is_own: bool,
}

/// A node on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) cluster: ClusterNumber,
    /// All pointers on the way to it are owned.
    pub(super) is_own: bool,
}

impl Ground {
    pub(crate) fn of(superblock: &Stamped<Superblock>) -> Ground {
        Ground {
            format_id: superblock.stamp.format_id,
            start: superblock.record.layout.groups.start,
            shape: superblock.record.map_shape(),
            block: superblock.record.block_size,
        }
    }

    /// The address of a page of a node. A pointer holds 40 bits, so that none, however damaged, makes this overflow: the device
    /// refuses what lies beyond it, and what is no node does not check out as one.
    pub(crate) fn page(&self, node: ClusterNumber, page: u16) -> Lba {
        let block = u64::from(self.block.bytes());
        let first = node.0.saturating_mul(self.shape.cluster_size().0 / block);
        let within = u64::from(page) * (PAGE_LENGTH as u64 / block);
        Lba(self.start.0.saturating_add(first).saturating_add(within))
    }
}

impl Tree {
    pub(crate) fn new(
        (pages, stock): (Arc<Pages>, Arc<Stock>),
        ground: Ground,
        (descriptor, epoch): (DescriptorNumber, Epoch),
        root: Root,
    ) -> Tree {
        Tree { pages, stock, ground, descriptor, epoch, root: SharedRoot::new(root) }
    }

    pub(crate) fn root(&self) -> Root {
        self.root.get()
    }

    /// The map begins there from now on. No operation may be under way.
    pub(crate) fn set_root(&self, root: Root) {
        self.root.set(root);
    }

    pub(super) fn object(&self) -> JournalObject {
        JournalObject::Descriptor(self.descriptor)
    }

    /// The page of a node, by the lock of this layer.
    pub(super) fn key(&self, node: ClusterNumber, page: u16) -> PageKey {
        PageKey { object: self.object(), lba: self.ground.page(node, page) }
    }

    /// The steps down to a cluster of the disk; `None` where so many levels do not reach that far.
    pub(super) fn steps(
        &self,
        index: u64,
        levels: LayerLevels,
    ) -> Option<impl Iterator<Item = MapStep> + use<>> {
        let shape = self.ground.shape;
        let offset = index.checked_mul(shape.cluster_size().0)?;
        (offset < shape.reach(levels).0).then(|| shape.path(offset, levels))
    }

    pub(super) fn walk(&self, index: u64) -> Walk {
        let root = self.root.get();
        let Some(steps) = self.steps(index, root.levels) else { return Walk::Beyond };
        let Some(cluster) = root.cluster else { return Walk::Nowhere { until: u64::MAX } };
        let mut node = Node { cluster, is_own: root.owned };
        for step in steps {
            let key = self.key(node.cluster, step.page);
            let Some(page) = self.pages.get(key) else { return Walk::Away(key) };
            if !is_of_level(&page, step.level) {
                return Walk::NotANode { cluster: node.cluster, level: step.level };
            }
            if step.level == 0 {
                return Walk::Leaf(Spot { page, entry: step.entry, is_own: node.is_own });
            }
            let Some(pointer) = page.read(|content| content.map().node(step.entry)) else {
                let span = self.ground.shape.entries_per_node().saturating_pow(step.level.into());
                return Walk::Nowhere { until: (index / span + 1).saturating_mul(span) };
            };
            node = node.below(pointer);
        }
        Walk::Beyond
    }
}

impl Node {
    /// The node that a pointer in this one leads to.
    pub(super) fn below(self, pointer: NodePointer) -> Node {
        Node { cluster: pointer.cluster, is_own: self.is_own && pointer.owned }
    }
}

/// Whether a page says that it belongs to a node of that level: what is asked of its entries is another thing on each.
pub(super) fn is_of_level(page: &Page, level: u8) -> bool {
    page.read(|content| content.map().header().level == level)
}

/// An entry of a leaf, owned by the way and not by its word alone.
fn entry_of(page: &MapPage, spot: &Spot) -> LeafEntry {
    let entry = page.leaf(spot.entry);
    if spot.is_own { entry } else { entry.disowned() }
}

impl DiskMap for Tree {
    fn look_up(&self, index: u64) -> Looked {
        match self.walk(index) {
            Walk::Leaf(spot) => Looked::Entry {
                entry: spot.page.read(|content| entry_of(content.map(), &spot)),
                leaf_is_own: spot.is_own,
            },
            Walk::Nowhere { until } => Looked::NoLeaf { until },
            // The engine says what is wrong with it.
            Walk::Away(_) | Walk::NotANode { .. } | Walk::Beyond => Looked::Away,
        }
    }

    fn publish(&self, publication: &Publication) -> Published {
        let Walk::Leaf(spot) = self.walk(publication.index) else { return Published::NotNow };
        let taken = publication.taken.map(ClusterNumber::place);
        let bitmap = taken.and_then(|(group, _)| self.stock.bitmap(group));
        if !spot.is_own || bitmap.is_some() != taken.is_some() {
            return Published::NotNow;
        }
        let mut transaction = match self.pages.begin(Publication::PAGES_MAX) {
            Ok(transaction) => transaction,
            Err(Refused::NoRoom { .. }) => return Published::NoRoom,
            Err(Refused::Failed) => return Published::NotNow,
        };
        // All changes are made by who holds the transaction: what is seen now stays.
        if spot.page.read(|content| entry_of(content.map(), &spot)) != publication.before {
            return Published::NotNow;
        }
        transaction.set(&spot.page, spot.entry, publication.after);
        if let (Some((_, first)), Some(bitmap)) = (taken, &bitmap) {
            let is_taken = bitmap.read(|content| content.bitmap().is_taken(first));
            assert!(!is_taken, "a cluster is mapped that is another's: {publication:?}");
            transaction.mark(bitmap, ClusterRun { first, count: 1 }, true);
        }
        // Where this host has the group no crash leaves a bit behind that is nobody's. Of another's group it is cleared later.
        for (group, first) in given_up(&publication.before, &publication.after).map(ClusterNumber::place) {
            if let Some(bitmap) = self.stock.bitmap_kept(group) {
                transaction.mark(&bitmap, ClusterRun { first, count: 1 }, false);
            }
        }
        let Ticket(batch) = transaction.ticket();
        Published::At(ChangeNumber(batch))
    }

    fn durable(&self) -> ChangeNumber {
        let Ticket(batch) = self.pages.durable();
        ChangeNumber(batch)
    }

    fn noted(&self) -> ChangeNumber {
        let Ticket(batch) = self.pages.noted();
        ChangeNumber(batch)
    }
}
