//! Taking a layer down that nobody needs: its clusters come free in steps, each of which leaves a map that is true (R33, R35).
//!
//! ```text
//!   for each level, the leaves first:   entries and their bits cleared, together   (leaves)
//!                                       checkpoint: the nodes are empty at home, and the journal says nothing of them
//!                                       pointers to them and their bits cleared, together; commit; then they come free
//! ```
//! Where it stops, whoever goes on begins again and finds what is left: so what a pointer leads to must be a node for as long as a
//! crash may bring the pointer back. A node's bit is cleared only once the journal holds no record of its pages: a replay would
//! write them over whatever stands there then.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use oarlock_format::{
    ClusterNumber, ClusterRun, ENTRIES_PER_PAGE, GroupNumber, LeafEntry, MapStep, Mapped, NodePointer,
};

use super::grow::Layer;
use super::tree::Node;
use crate::allocate::SpaceError;
use crate::pages::Page;

/// Nodes that share a checkpoint.
const NODES_AT_ONCE: usize = 64;

/// Pointers that one step looks at, at most, so that the engine's thread gets to everything else in between.
const LOOKS_PER_STEP: usize = 4_096;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reclaimed {
    /// There is more to do.
    More,
    /// Nothing is owned any more but the root, if that is: its cluster comes free behind the layer's descriptor.
    AllButRoot,
}

/// The taking down of a layer that has no children and is not attached.
pub struct Reclaim {
    layer: Rc<Layer>,
    level: u8,
    /// The cluster of the disk from which on nodes of this level are looked for.
    next: u64,
    /// Empty nodes that are still pointed at.
    emptied: Vec<Emptied>,
    looks: usize,
}

struct Emptied {
    node: ClusterNumber,
    parent: Node,
    step: MapStep,
}

impl Reclaim {
    /// Begins, or begins again.
    #[must_use]
    pub fn new(layer: &Rc<Layer>) -> Reclaim {
        Reclaim { layer: Rc::clone(layer), level: 0, next: 0, emptied: Vec::new(), looks: 0 }
    }

    /// Does some of it.
    ///
    /// # Errors
    /// Why it did not; what it did stays done.
    pub async fn step(&mut self) -> Result<Reclaimed, SpaceError> {
        let root = self.layer.root();
        let (Some(cluster), true) = (root.cluster, root.owned) else { return Ok(Reclaimed::AllButRoot) };
        let node = Node { cluster, is_own: true };
        if self.emptied.len() >= NODES_AT_ONCE {
            return self.unlink().await;
        }
        if self.level + 1 == root.levels.0 {
            if self.level == 0 {
                self.clear_leaf(node).await?;
            }
            return Ok(Reclaimed::AllButRoot);
        }
        self.looks = LOOKS_PER_STEP;
        match self.next_own(node).await? {
            Some(found) => {
                if self.level == 0 {
                    self.clear_leaf(Node { cluster: found.node, is_own: true }).await?;
                }
                self.emptied.push(found);
            }
            None if self.looks == 0 => {}
            None if !self.emptied.is_empty() => return self.unlink().await,
            None => (self.level, self.next) = (self.level + 1, 0),
        }
        Ok(Reclaimed::More)
    }

    /// The next node of this level that is the layer's own; `None` at the end, or where the step has looked at enough.
    async fn next_own(&mut self, root: Node) -> Result<Option<Emptied>, SpaceError> {
        let levels = self.layer.root().levels;
        'search: while let Some(steps) = self.layer.tree.steps(self.next, levels) {
            let mut parent = root;
            for step in steps {
                if self.looks == 0 {
                    return Ok(None);
                }
                self.looks -= 1;
                let page = self.layer.page(parent, &step).await?;
                let pointer = page.read(|content| content.map().node(step.entry));
                let own = pointer.map(|pointer| parent.below(pointer)).filter(|below| below.is_own);
                let found = step.level == self.level + 1;
                if own.is_none() || found {
                    let span =
                        self.layer.tree.ground.shape.entries_per_node().saturating_pow(step.level.into());
                    self.next = (self.next / span + 1).saturating_mul(span);
                }
                match own {
                    Some(own) if found => return Ok(Some(Emptied { node: own.cluster, parent, step })),
                    Some(own) => parent = own,
                    None => continue 'search,
                }
            }
        }
        Ok(None)
    }

    /// Gives up every cluster that a leaf owns.
    async fn clear_leaf(&self, leaf: Node) -> Result<(), SpaceError> {
        for page in 0..self.layer.tree.ground.shape.pages_per_node() {
            let page = self.layer.page(leaf, &MapStep { level: 0, page, entry: 0 }).await?;
            for (group, owned) in owned(&page) {
                self.layer.source.own(group).await?;
                self.clear_entries(&page, group, &owned).await?;
            }
        }
        Ok(())
    }

    /// Gives up the clusters of one group that these entries own.
    async fn clear_entries(
        &self,
        page: &Arc<Page>,
        group: GroupNumber,
        owned: &[(u16, ClusterNumber)],
    ) -> Result<(), SpaceError> {
        let source = &self.layer.source;
        let mut transaction = source.begin(2).await?;
        // Only now: while room was waited for, the group may have been given up.
        let bitmap = self.layer.tree.stock.bitmap(group).ok_or(SpaceError::NoSpace)?;
        for (index, cluster) in owned {
            let left = without(page.read(|content| content.map().leaf(*index)), *cluster);
            transaction.set(page, *index, left);
            let first = cluster.place().1;
            transaction.mark(&bitmap, ClusterRun { first, count: 1 }, false);
        }
        drop(transaction);
        // Nobody reads a layer that is taken down: its clusters may be written before this is durable.
        source.give_back(owned.iter().map(|(_, cluster)| *cluster));
        Ok(())
    }

    /// Clears the pointers to empty nodes. That is durable before anything else is written where they stood: whoever goes on after
    /// a crash, and finds such a pointer still, must find a node.
    async fn unlink(&mut self) -> Result<Reclaimed, SpaceError> {
        self.layer.journal.checkpoint().await?;
        let mut unlinked = Vec::new();
        let done = self.clear_pointers(&mut unlinked).await;
        if !unlinked.is_empty() {
            self.layer.journal.commit().await?;
            self.layer.source.give_back(unlinked);
        }
        done.map(|()| Reclaimed::More)
    }

    async fn clear_pointers(&mut self, unlinked: &mut Vec<ClusterNumber>) -> Result<(), SpaceError> {
        let layer = &self.layer;
        while let Some(Emptied { node, parent, step }) = self.emptied.pop() {
            let (group, first) = node.place();
            layer.source.own(group).await?;
            let page = layer.page(parent, &step).await?;
            let mut transaction = layer.source.begin(2).await?;
            // Only now: while room was waited for, the group may have been given up.
            let bitmap = layer.tree.stock.bitmap(group).ok_or(SpaceError::NoSpace)?;
            transaction.set(&page, step.entry, None::<NodePointer>);
            transaction.mark(&bitmap, ClusterRun { first, count: 1 }, false);
            drop(transaction);
            let pages = 0..layer.tree.ground.shape.pages_per_node();
            let keys: Vec<_> = pages.map(|page| layer.tree.key(node, page)).collect();
            let _ = layer.tree.pages.retire(&keys);
            unlinked.push(node);
        }
        Ok(())
    }
}

/// The entries of a leaf's page that own a cluster, by the cluster's group.
fn owned(page: &Page) -> BTreeMap<GroupNumber, Vec<(u16, ClusterNumber)>> {
    let mut owned: BTreeMap<_, Vec<_>> = BTreeMap::new();
    page.read(|content| {
        for index in 0..ENTRIES_PER_PAGE {
            for cluster in content.map().leaf(index).owned_clusters() {
                owned.entry(cluster.place().0).or_default().push((index, cluster));
            }
        }
    });
    owned
}

/// The entry without a cluster that it owns.
pub(super) fn without(entry: LeafEntry, cluster: ClusterNumber) -> LeafEntry {
    let stays = |mapped: &Mapped| mapped.cluster != cluster;
    let (own, below) = (entry.own.filter(stays), entry.below.filter(stays));
    LeafEntry {
        own,
        owned: entry.owned && own.is_some(),
        below,
        below_owned: entry.below_owned && below.is_some(),
    }
}
