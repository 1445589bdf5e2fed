//! A disk that is to come from another host: its data path is there before its map is, and holds every request until then (R28).

use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use super::queue::Queue;
use super::{AttachedDisk, ground};
use crate::layer::{Ground, Layer, Tree};
use crate::path::{ChangeNumber, DataPath, DiskMap, Looked, PathMode, Publication, Published};

/// The data path of a disk that another host still has. Nothing tells it of a lease, so that its gate holds everything.
pub struct AwaitedDisk {
    map: Arc<LateMap>,
    path: Arc<DataPath>,
    queue: Arc<Queue>,
}

/// A map that is known once the disk has come. Before that nobody gets through the gate to ask for anything.
#[derive(Default)]
struct LateMap(OnceLock<Arc<Tree>>);

impl DiskMap for LateMap {
    fn look_up(&self, index: u64) -> Looked {
        self.0.get().map_or(Looked::Away, |tree| tree.look_up(index))
    }

    fn publish(&self, publication: &Publication) -> Published {
        self.0.get().map_or(Published::NotNow, |tree| tree.publish(publication))
    }

    fn durable(&self) -> ChangeNumber {
        self.0.get().map_or(ChangeNumber(0), |tree| tree.durable())
    }

    fn noted(&self) -> ChangeNumber {
        self.0.get().map_or(ChangeNumber(0), |tree| tree.noted())
    }
}

impl AwaitedDisk {
    /// The path of a disk that shows `size` bytes at this moment. Whether it is full is not known before it has come.
    pub(crate) fn new(at: &Ground, size: u64, thick: bool) -> AwaitedDisk {
        let mode = PathMode { read_only: false, shared: false, thick, full: true };
        let (map, queue) = (Arc::<LateMap>::default(), Arc::<Queue>::default());
        let path = DataPath::new(ground(at), mode, size, Arc::clone(&map) as _, Arc::clone(&queue) as _);
        AwaitedDisk { map, path: Arc::new(path), queue }
    }

    /// What requests are driven against, by any thread; all of them wait.
    #[must_use]
    pub fn path(&self) -> &Arc<DataPath> {
        &self.path
    }

    /// The disk has come: it is served once [`AttachedDisk::serve`] is driven.
    ///
    /// # Panics
    /// When the layer's map does not reach to `size`, or the disk has come before.
    pub(crate) fn begin(self, layer: &Rc<Layer>, (size, is_full): (u64, bool)) -> AttachedDisk {
        let tree = layer.tree();
        assert!(size <= tree.ground.shape.reach(layer.root().levels).0, "a disk larger than its map");
        assert!(self.map.0.set(Arc::clone(tree)).is_ok(), "a disk that comes twice");
        self.path.resize(size);
        if !is_full {
            self.path.thaw();
        }
        layer.source().serve(&self.path);
        AttachedDisk { layer: Rc::clone(layer), path: self.path, queue: self.queue }
    }
}
