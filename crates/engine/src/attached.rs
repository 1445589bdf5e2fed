//! An attached disk: its data path over the pages and the journal of this host.
//!
//! ```text
//!   threads of exports:   operations <--> data path <--> tree, pages (looked up, published)
//!                                            |  demands, by a queue
//!   engine's thread:      serve <------------+--> layer (pages in, nodes made), source (clusters), journal (commits)
//! ```
//! [`AttachedDisk::serve`] must be driven for as long as the disk is attached: it answers what operations wait for, tells the
//! gate until when the lease runs, and gives back what the disk does not need any more.

mod awaited;
mod handover;
mod queue;
mod serve;

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::allocate::SpaceError;
use crate::layer::Layer;
use crate::path::{DataPath, Ground, PathMode, Quarantine};

pub use awaited::AwaitedDisk;
pub use handover::Rest;
use queue::Queue;

/// How often a disk that is to be detached is looked at again, because clusters of it were still to come free.
const ROUNDS_MAX: usize = 4;

/// A disk that this host serves. For the engine's thread; the [path](Self::path) is for all.
pub struct AttachedDisk {
    layer: Rc<Layer>,
    path: Arc<DataPath>,
    queue: Arc<Queue>,
}

/// Operations of a disk are under way, or what they wrote may still land: it is not quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unquiet {
    /// Operations that began and have not ended.
    pub(crate) under_way: usize,
    /// Operations that failed, and whose writes have no answer.
    pub(crate) quarantined: usize,
}

/// Why a disk was not detached: it is attached still, and its path is paused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DetachError {
    /// Commands of unknown outcome may still land: nobody else may have what they touch (R21, R33).
    #[error("{} commands of the disk have no answer, and may still land", quarantines.len())]
    Quarantined {
        /// Which.
        quarantines: Vec<Quarantine>,
    },
    /// Something of it is not home.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// It was changed again and again meanwhile.
    #[error("the disk was changed while it was detached")]
    Changed,
}

impl AttachedDisk {
    /// Attaches the disk of that layer, of `size` bytes. It is held until [`serve`](Self::serve) is driven.
    ///
    /// # Panics
    /// When the layer's map does not reach to `size`.
    #[must_use]
    pub fn attach(layer: &Rc<Layer>, size: u64, mode: PathMode) -> AttachedDisk {
        let tree = layer.tree();
        assert!(size <= tree.ground.shape.reach(layer.root().levels).0, "a disk larger than its map");
        let queue = Arc::new(Queue::default());
        let map = Arc::clone(tree) as _;
        let path = Arc::new(DataPath::new(ground(&tree.ground), mode, size, map, Arc::clone(&queue) as _));
        layer.source().serve(&path);
        AttachedDisk { layer: Rc::clone(layer), path, queue }
    }

    /// What operations are driven against, by any thread.
    #[must_use]
    pub fn path(&self) -> &Arc<DataPath> {
        &self.path
    }

    /// The layer that it writes to.
    #[must_use]
    pub fn layer(&self) -> &Rc<Layer> {
        &self.layer
    }

    /// No operation begins any more, and those that began have ended. [`DataPath::unpause`] lets them begin again.
    pub async fn pause(&self) {
        self.path.pause();
        poll_fn(|context| if self.path.is_quiet(context.waker()) { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }

    /// As [`pause`](Self::pause), within that time, and only where nothing that an operation has written may still land: a late
    /// write would change a layer that is frozen from now on, or land on what was given to another (R21, R33). Whatever comes
    /// of it, the path is paused.
    pub(crate) async fn quiet_within(&self, limit: Duration) -> Result<(), Unquiet> {
        let world = &self.layer.source().journal().core().store.world;
        let _ = world.within(limit, self.pause()).await;
        let unquiet = self.unquiet();
        if unquiet == (Unquiet { under_way: 0, quarantined: 0 }) { Ok(()) } else { Err(unquiet) }
    }

    /// What is under way, and what may still land.
    pub(crate) fn unquiet(&self) -> Unquiet {
        Unquiet { under_way: self.path.operations(), quarantined: self.path.quarantines().len() }
    }

    /// Ends it: pauses, gives back what it has in hand, and brings everything home. Afterwards the descriptor's lock may be given
    /// up. [`serve`](Self::serve) must be driven meanwhile, and ends with it.
    ///
    /// # Errors
    /// Why it is attached still. It may be tried again.
    pub async fn detach(&self) -> Result<(), DetachError> {
        self.be_quiet().await?;
        self.give_back_all().await?;
        self.close().await?;
        self.layer.source().forget(&self.path);
        self.path.die();
        self.queue.close();
        // A refill that was on its way may have come in since, and none comes any more.
        self.recall();
        Ok(())
    }

    /// Pauses; nothing that was sent may land any more.
    async fn be_quiet(&self) -> Result<(), DetachError> {
        self.pause().await;
        let quarantines = self.path.quarantines();
        if quarantines.is_empty() { Ok(()) } else { Err(DetachError::Quarantined { quarantines }) }
    }

    /// Everything of the map is home, and none of it in memory.
    async fn close(&self) -> Result<(), DetachError> {
        for _ in 0..ROUNDS_MAX {
            if self.layer.close().await? {
                return Ok(());
            }
        }
        Err(DetachError::Changed)
    }

    /// Clusters that the disk has in hand go back.
    fn recall(&self) {
        let mut in_hand = Vec::new();
        self.path.recall(None, &mut in_hand);
        self.layer.source().give_back(in_hand);
    }

    /// Clusters in hand, and those that were given up: the commit that makes their unmapping durable first.
    async fn give_back_all(&self) -> Result<(), SpaceError> {
        let source = self.layer.source();
        self.recall();
        if self.path.waiting_to_be_free() > 0 {
            source.journal().commit().await?;
            source.collect(&self.path).await?;
        }
        Ok(())
    }
}

/// Where the clusters of a datastore stand, for its data paths.
fn ground(ground: &crate::layer::Ground) -> Ground {
    Ground::at(ground.start.byte_offset(ground.block), ground.block, ground.shape)
}
