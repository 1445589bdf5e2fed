//! The engine's work on the map of a layer: pages are brought in, nodes made and copied, roots replaced.

use std::rc::Rc;
use std::sync::Arc;

use futures::lock::{Mutex, MutexGuard};
use oarlock_block::LocalFuture;
use oarlock_format::{
    ClusterNumber, ClusterRun, DescriptorNumber, Epoch, JournalObject, LayerLevels, MapStep, NodePointer,
};

use super::fetch::read_page;
use super::node::NewNode;
use super::root::Root;
use super::tree::{Ground, Node, Tree, Walk, is_of_level};
use crate::allocate::{Source, SpaceError};
use crate::core::Core;
use crate::journal::{HostJournal, send};
use crate::pages::Page;
use crate::store::READS_OF_DAMAGE;

/// Who keeps the layer's descriptor: where its root stands.
pub trait RootKeeper {
    /// Makes this, which is the layer's own, its root; durably, before it is answered.
    ///
    /// # Errors
    /// [`SpaceError::Root`]: the descriptor's root is what it was, and stays so.
    fn set_root(&self, root: Root) -> LocalFuture<'_, Result<(), SpaceError>>;
}

/// What a node is made from.
#[derive(Clone, Copy)]
enum Original {
    /// An ancestor's node.
    Copied(ClusterNumber),
    /// The root, which becomes the first node below.
    Above(NodePointer),
}

impl Original {
    fn cluster(self) -> ClusterNumber {
        match self {
            Original::Copied(cluster) | Original::Above(NodePointer { cluster, .. }) => cluster,
        }
    }
}

/// One layer of whose descriptor this host holds the lock. For the engine's thread.
pub struct Layer {
    pub(super) journal: HostJournal,
    pub(super) source: Rc<Source>,
    keeper: Rc<dyn RootKeeper>,
    pub(super) tree: Arc<Tree>,
    /// One node is made at a time.
    growing: Mutex<()>,
}

impl Layer {
    /// The layer of a descriptor whose lock this host holds exclusively, in that epoch: it may change the layer's pages from
    /// now on.
    ///
    /// # Panics
    /// When it is open already.
    #[must_use]
    pub fn open(
        source: &Rc<Source>,
        keeper: Rc<dyn RootKeeper>,
        (descriptor, epoch): (DescriptorNumber, Epoch),
        root: Root,
    ) -> Rc<Layer> {
        let journal = source.journal().clone();
        let ground = Ground::of(&journal.core().superblock());
        journal.pages().open(JournalObject::Descriptor(descriptor), epoch);
        let shared = (Arc::clone(journal.pages()), Arc::clone(source.stock()));
        let tree = Arc::new(Tree::new(shared, ground, (descriptor, epoch), root));
        Rc::new(Layer { journal, source: Rc::clone(source), keeper, tree, growing: Mutex::default() })
    }

    /// Where its map begins now.
    #[must_use]
    pub fn root(&self) -> Root {
        self.tree.root()
    }

    /// Which descriptor.
    #[must_use]
    pub fn descriptor(&self) -> DescriptorNumber {
        self.tree.descriptor
    }

    pub(crate) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    pub(crate) fn source(&self) -> &Rc<Source> {
        &self.source
    }

    pub(super) fn core(&self) -> &Core {
        self.journal.core()
    }

    /// Everything that was changed is home, and nothing of the layer is remembered: its lock may be given up (R12). `false`
    /// where something changed meanwhile.
    ///
    /// # Errors
    /// Why it is not home: the lock must be kept.
    pub async fn close(&self) -> Result<bool, SpaceError> {
        self.journal.bring_home(self.tree.object()).await?;
        Ok(self.journal.pages().close(self.tree.object()))
    }

    /// What was [closed](Self::close) is changed here again: its lock was kept after all.
    pub(crate) fn reopen(&self) {
        self.journal.pages().open(self.tree.object(), self.tree.epoch);
    }

    pub(crate) fn object(&self) -> JournalObject {
        self.tree.object()
    }

    /// Brings the way to a cluster's entry into memory, as far as there is one.
    ///
    /// # Errors
    /// Why it is not there.
    pub async fn bring(&self, index: u64) -> Result<(), SpaceError> {
        loop {
            match self.tree.walk(index) {
                Walk::Leaf(_) | Walk::Nowhere { .. } => return Ok(()),
                Walk::Away(key) => drop(read_page(self.core(), &self.tree.pages, key).await?),
                Walk::NotANode { cluster, level } => return Err(SpaceError::NotANode { cluster, level }),
                Walk::Beyond => return Err(SpaceError::Beyond { index }),
            }
        }
    }

    /// Makes the leaf of a cluster's entry this layer's own, and all nodes on the way to it.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn own(&self, index: u64) -> Result<(), SpaceError> {
        self.own_leaf(index).await.map(drop)
    }

    /// As [`own`](Self::own); the page of the cluster's entry, and which one of it that is.
    pub(super) async fn own_leaf(&self, index: u64) -> Result<(Arc<Page>, u16), SpaceError> {
        let _growing = self.growing.lock().await;
        let root = self.tree.root();
        let beyond = SpaceError::Beyond { index };
        let steps: Vec<MapStep> = self.tree.steps(index, root.levels).ok_or(beyond.clone())?.collect();
        let mut node = self.own_root(root).await?;
        for (step, below) in steps.iter().zip(&steps[1..]) {
            node = self.own_below(node, step, below.level).await?;
        }
        let leaf = steps.last().ok_or(beyond)?;
        Ok((self.page(node, leaf).await?, leaf.entry))
    }

    /// No node is made, and the root stays what it is, as long as this is held.
    pub(crate) async fn keep_from_growing(&self) -> MutexGuard<'_, ()> {
        self.growing.lock().await
    }

    /// The map begins there from now on, as the descriptor says by now. No operation is under way, and nothing grows.
    pub(crate) fn begin_at(&self, root: Root) {
        self.tree.set_root(root);
    }

    /// Lets the map reach to so many levels, for a disk that grows: a root above the present one, which stays as it is.
    ///
    /// # Errors
    /// Why it does not. The map is what it was.
    pub async fn raise(&self, levels: LayerLevels) -> Result<(), SpaceError> {
        let _growing = self.growing.lock().await;
        while self.tree.root().levels < levels {
            let root = self.tree.root();
            let higher = LayerLevels(root.levels.0 + 1);
            let Some(cluster) = root.cluster else {
                // Whoever writes first makes it.
                self.tree.set_root(Root { levels: higher, ..root });
                continue;
            };
            let below = NodePointer { cluster, owned: root.owned };
            let made = self.make(Some(Original::Above(below)), root.levels.0).await?;
            self.keep_root(self.mark_root(made).await?, higher).await?;
        }
        Ok(())
    }

    /// The page on which a step's entry stands.
    pub(super) async fn page(&self, node: Node, step: &MapStep) -> Result<Arc<Page>, SpaceError> {
        let key = self.tree.key(node.cluster, step.page);
        let page = read_page(self.core(), &self.tree.pages, key).await?;
        let not_a_node = SpaceError::NotANode { cluster: node.cluster, level: step.level };
        if is_of_level(&page, step.level) { Ok(page) } else { Err(not_a_node) }
    }

    /// The root, made the layer's own where it is not; none where nothing was ever written.
    pub(super) async fn own_present_root(&self) -> Result<Option<Node>, SpaceError> {
        let _growing = self.growing.lock().await;
        let root = self.tree.root();
        if root.cluster.is_none() {
            return Ok(None);
        }
        self.own_root(root).await.map(Some)
    }

    async fn own_root(&self, root: Root) -> Result<Node, SpaceError> {
        if let (Some(cluster), true) = (root.cluster, root.owned) {
            return Ok(Node { cluster, is_own: true });
        }
        let cluster = self.new_root(root).await?;
        self.keep_root(cluster, root.levels).await
    }

    /// The root is this node from now on, here and in the descriptor.
    async fn keep_root(&self, cluster: ClusterNumber, levels: LayerLevels) -> Result<Node, SpaceError> {
        let root = Root { cluster: Some(cluster), owned: true, levels };
        if let Err(error) = self.keeper.set_root(root).await {
            // Its bit is set, and nobody needs it.
            self.source.free(vec![cluster]).await?;
            return Err(error);
        }
        self.tree.set_root(root);
        Ok(Node { cluster, is_own: true })
    }

    /// Writes a root, and sets its bit. The bit is durable before any descriptor names the cluster, for a replay does not look
    /// into descriptors; a crash in between leaves a bit that nobody owns.
    async fn new_root(&self, root: Root) -> Result<ClusterNumber, SpaceError> {
        let level = root.levels.0 - 1;
        self.mark_root(self.make(root.cluster.map(Original::Copied), level).await?).await
    }

    async fn mark_root(&self, made: ClusterNumber) -> Result<ClusterNumber, SpaceError> {
        let marked = self.link(made, None).await;
        if let Err(error) = marked {
            self.source.give_back([made]);
            return Err(error);
        }
        self.journal.commit().await?;
        Ok(made)
    }

    /// The node that a pointer leads to, this layer's own: made or copied where it is not.
    async fn own_below(&self, node: Node, step: &MapStep, level: u8) -> Result<Node, SpaceError> {
        let page = self.page(node, step).await?;
        let pointer = page.read(|content| content.map().node(step.entry));
        if let Some(own) = pointer.map(|pointer| node.below(pointer)).filter(|below| below.is_own) {
            return Ok(own);
        }
        let original = pointer.map(|pointer| Original::Copied(pointer.cluster));
        let cluster = self.make(original, level).await?;
        if let Err(error) = self.link(cluster, Some((&page, step.entry))).await {
            self.source.give_back([cluster]);
            return Err(error);
        }
        Ok(Node { cluster, is_own: true })
    }

    /// Writes a node, empty or a copy, to a cluster of its own, and has its pages in memory. Nothing names it yet, and its bit
    /// is clear.
    async fn make(&self, original: Option<Original>, level: u8) -> Result<ClusterNumber, SpaceError> {
        let near = original.map(Original::cluster);
        let taken = self.source.clusters(1, near).await?;
        let Some((&cluster, more)) = taken.split_first() else { return Err(SpaceError::NoSpace) };
        self.source.give_back(more.iter().copied());
        let written = self.write(cluster, original, level).await;
        // A write without an answer may land later: its cluster stays in hand until the end of this life (R33).
        if let Err(error) = &written
            && !error.may_still_land()
        {
            self.source.give_back([cluster]);
        }
        written.map(|()| cluster)
    }

    async fn write(
        &self,
        cluster: ClusterNumber,
        original: Option<Original>,
        level: u8,
    ) -> Result<(), SpaceError> {
        let mut node = match original {
            None => NewNode::fresh(&self.tree, cluster, level),
            Some(Original::Above(root)) => NewNode::above(&self.tree, cluster, level, root),
            Some(Original::Copied(original)) => self.copy(cluster, original, level).await?,
        };
        let first = self.tree.key(cluster, 0);
        send::write(self.core(), first.lba, &node.bytes(&self.tree)).await?;
        // All of its pages: of an earlier node in that cluster the cache may know some.
        for (key, content) in node.into_pages() {
            self.tree.pages.put(key, content)?;
        }
        Ok(())
    }

    /// The copy of an ancestor's node. Its owner may be absorbing a layer, which changes flags of it in place: what does not check
    /// out is read again, eight times at most (R3).
    async fn copy(
        &self,
        cluster: ClusterNumber,
        original: ClusterNumber,
        level: u8,
    ) -> Result<NewNode, SpaceError> {
        let mut tries = 0;
        loop {
            let bytes = self.tree.read_node(self.core(), original).await?;
            let error = match NewNode::copy(&self.tree, cluster, (original, level, &bytes)) {
                Ok(node) => return Ok(node),
                Err(error) => error,
            };
            tries += 1;
            if tries >= READS_OF_DAMAGE {
                return Err(self.tree.unsound(original, error));
            }
            self.core().store.world.pause(self.core().store.timing.beat / (READS_OF_DAMAGE * 2)).await;
        }
    }

    /// Sets the bit of a node, in one transaction with the pointer to it.
    async fn link(&self, cluster: ClusterNumber, from: Option<(&Arc<Page>, u16)>) -> Result<(), SpaceError> {
        let (group, first) = cluster.place();
        let bitmap = self.tree.stock.bitmap(group).ok_or(SpaceError::NoSpace)?;
        let mut transaction = self.source.begin(1 + usize::from(from.is_some())).await?;
        let is_taken = bitmap.read(|content| content.bitmap().is_taken(first));
        assert!(!is_taken, "cluster {cluster} becomes a node and is another's");
        transaction.mark(&bitmap, ClusterRun { first, count: 1 }, true);
        if let Some((page, entry)) = from {
            transaction.set(page, entry, Some(NodePointer { cluster, owned: true }));
        }
        Ok(())
    }
}
