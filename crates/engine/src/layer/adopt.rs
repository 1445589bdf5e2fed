//! Absorbing: what a layer names of its parent's becomes its own, by flags alone (R35).
//!
//! ```text
//!   the parent owns   the child's pointer there          what happens
//!   a node            leads to the same node             the node is the child's, with everything below it
//!                     leads to a node of the child's     both are looked into
//!                     is none                            nothing: the parent's taking down frees it
//!   a cluster         reads it, above or below           it is owned in the child's entry
//!                     does not                           nothing
//! ```
//! What changes hands leaves the parent's page and is owned in the child's in one transaction: whatever happens, one of the two
//! has it. A node that a layer further above still refers to is one that the child refers to, and stays as it is.

use std::rc::Rc;
use std::sync::Arc;

use oarlock_format::{ClusterNumber, ENTRIES_PER_PAGE, LeafEntry, MapStep, NodePointer};

use super::grow::Layer;
use super::reclaim::without;
use super::tree::Node;
use crate::allocate::SpaceError;
use crate::pages::Page;

/// Pages that one step looks at, at most: guests wait for it.
const LOOKS_PER_STEP: usize = 256;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// There is more to do.
    More,
    /// Nothing of the parent's is used by the child but as its own.
    All,
}

/// The absorbing of a parent whose only child this layer is. This host holds both.
pub struct Adoption {
    child: Rc<Layer>,
    parent: Rc<Layer>,
    /// The cluster of the disk from which on the maps are compared.
    next: u64,
}

impl Adoption {
    /// Begins, or begins again.
    ///
    /// # Errors
    /// Why the child's map cannot be laid beside the parent's.
    pub async fn new(child: &Rc<Layer>, parent: &Rc<Layer>) -> Result<Adoption, SpaceError> {
        let (root, above) = (parent.root(), child.root());
        if above.levels > root.levels && root.owned && above.owned {
            // What stands beside the parent's root is then a node of the child's.
            child.own(0).await?;
        }
        Ok(Adoption { child: Rc::clone(child), parent: Rc::clone(parent), next: 0 })
    }

    /// Does some of it. No operation of the child's guests may be under way.
    ///
    /// # Errors
    /// Why it did not; what it did stays done.
    pub async fn step(&mut self) -> Result<Adopted, SpaceError> {
        let child = Rc::clone(&self.child);
        let _growing = child.keep_from_growing().await;
        let (Some(upper), Some(lower)) = (self.parents_root(), self.beside_it().await?) else {
            return Ok(Adopted::All);
        };
        let mut looks = LOOKS_PER_STEP;
        while self.parent.tree.steps(self.next, self.parent.root().levels).is_some() {
            if looks == 0 {
                return Ok(Adopted::More);
            }
            looks = looks.saturating_sub(self.one_way(upper, lower).await?);
        }
        Ok(Adopted::All)
    }

    fn parents_root(&self) -> Option<Node> {
        let root = self.parent.root();
        root.cluster.filter(|_| root.owned).map(|cluster| Node { cluster, is_own: true })
    }

    /// The node of the child's on the level of the parent's root; none where it is not the child's own.
    async fn beside_it(&self) -> Result<Option<Node>, SpaceError> {
        let (levels, root) = (self.parent.root().levels, self.child.root());
        let Some(cluster) = root.cluster.filter(|_| root.owned && root.levels >= levels) else {
            return Ok(None);
        };
        let mut node = Node { cluster, is_own: true };
        for level in (levels.0..root.levels.0).rev() {
            let page = self.child.page(node, &MapStep { level, page: 0, entry: 0 }).await?;
            match page.read(|content| content.map().node(0)).map(|pointer| node.below(pointer)) {
                Some(below) if below.is_own => node = below,
                _ => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// Goes down from both to the next cluster as far as both go on; how many pages that took.
    async fn one_way(&mut self, mut upper: Node, mut lower: Node) -> Result<usize, SpaceError> {
        let shape = self.parent.tree.ground.shape;
        let steps = self.parent.tree.steps(self.next, self.parent.root().levels);
        let mut looks = 0;
        for step in steps.into_iter().flatten() {
            looks += 1;
            let theirs = self.parent.page(upper, &step).await?;
            let ours = self.child.page(lower, &step).await?;
            if step.level == 0 {
                self.adopt_entries(&theirs, &ours).await?;
                self.next += u64::from(ENTRIES_PER_PAGE - step.entry);
                return Ok(looks);
            }
            let at = |page: &Arc<Page>| page.read(|content| content.map().node(step.entry));
            let theirs_below = at(&theirs).map(|pointer| upper.below(pointer)).filter(|below| below.is_own);
            let ours_below = at(&ours).map(|pointer| lower.below(pointer));
            match (theirs_below, ours_below) {
                (Some(theirs), Some(ours)) if ours.is_own => (upper, lower) = (theirs, ours),
                (Some(node), Some(same)) if node.cluster == same.cluster => {
                    self.adopt_node(&theirs, &ours, (step.entry, node.cluster)).await?;
                    break;
                }
                _ => break,
            }
        }
        // Beyond all that the last pointer leads to.
        let level = self.parent.root().levels.0.saturating_sub(u8::try_from(looks).unwrap_or(u8::MAX));
        let span = shape.entries_per_node().saturating_pow(level.into());
        self.next = (self.next / span + 1).saturating_mul(span);
        Ok(looks)
    }

    async fn adopt_node(
        &self,
        theirs: &Arc<Page>,
        ours: &Arc<Page>,
        (entry, cluster): (u16, ClusterNumber),
    ) -> Result<(), SpaceError> {
        let mut transaction = self.child.source.begin(2).await?;
        transaction.set(theirs, entry, None::<NodePointer>);
        transaction.set(ours, entry, Some(NodePointer { cluster, owned: true }));
        Ok(())
    }

    async fn adopt_entries(&self, theirs: &Arc<Page>, ours: &Arc<Page>) -> Result<(), SpaceError> {
        let mut transaction = self.child.source.begin(2).await?;
        for index in 0..ENTRIES_PER_PAGE {
            let at = |page: &Arc<Page>| page.read(|content| content.map().leaf(index));
            let (mut left, mut adopted) = (at(theirs), at(ours));
            for cluster in at(theirs).owned_clusters() {
                if let Some(with) = owning(adopted, cluster) {
                    (left, adopted) = (without(left, cluster), with);
                }
            }
            if adopted != at(ours) {
                transaction.set(theirs, index, left);
                transaction.set(ours, index, adopted);
            }
        }
        Ok(())
    }
}

/// The entry with that cluster owned, if it names it as another's.
fn owning(entry: LeafEntry, cluster: ClusterNumber) -> Option<LeafEntry> {
    let is_own = entry.own.is_some_and(|own| own.cluster == cluster) && !entry.owned;
    let is_below = entry.below.is_some_and(|below| below.cluster == cluster) && !entry.below_owned;
    match (is_own, is_below) {
        (true, _) => Some(LeafEntry { owned: true, ..entry }),
        (_, true) => Some(LeafEntry { below_owned: true, ..entry }),
        (false, false) => None,
    }
}
