//! Thick disks: every cluster is allocated and every piece zeroed before anybody may use them (R32, R34); a disk that is *full* in
//! this way stays so when it grows.
//!
//! ```text
//!   creating, name, entry --> root, nodes, zeros, entries, in steps --> all of it home --> ready and full, released
//! ```
//! Until the last swap the layer is in the making: where its maker dies, whoever finds it dooms it, and takes down what there is of it.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use oarlock_block::{ByteCount, Instant};
use oarlock_format::{
    DescriptorRecord, Layer, LayerFlags, LayerId, LayerLevels, LayerName, LayerState, MapShape,
};

use super::conclude::{conclude, with_layer};
use super::count::has_free;
use super::create::{Facts, Made, check_size, make_named};
use super::here::DisksHere;
use super::opened::Opened;
use super::tend::tend_soon;
use super::{DiskError, has_disks, next_round};
use crate::allocate::SpaceError;
use crate::core::Ended;
use crate::directory::Wanted;
use crate::layer::{Filled, Filling};

/// How far the filling of a disk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are allocated and zeroed.
    pub done: ByteCount,
    /// Bytes that shall be.
    pub total: ByteCount,
}

/// The filling of a disk, for those who look.
#[derive(Debug)]
pub(super) struct Work {
    done: Cell<u64>,
    total: Cell<u64>,
    cluster_bytes: Cell<u64>,
    is_wanted: Cell<bool>,
}

impl Default for Work {
    fn default() -> Work {
        Work {
            done: Cell::new(0),
            total: Cell::new(0),
            cluster_bytes: Cell::new(0),
            is_wanted: Cell::new(true),
        }
    }
}

/// Somebody waits for a disk to be filled.
pub(super) struct WantedStill(Rc<Work>);

impl Drop for WantedStill {
    fn drop(&mut self) {
        self.0.is_wanted.set(false);
    }
}

impl Work {
    /// As long as this is held the disk is wanted.
    pub(super) fn wanted(self: &Rc<Work>) -> WantedStill {
        WantedStill(Rc::clone(self))
    }

    pub(super) fn progress(&self) -> Progress {
        let bytes = |clusters: &Cell<u64>| ByteCount(clusters.get().saturating_mul(self.cluster_bytes.get()));
        Progress { done: bytes(&self.done), total: bytes(&self.total) }
    }
}

/// Makes a disk all of which is allocated and zeroed.
pub(super) async fn create(
    here: &Rc<DisksHere>,
    (name, size): (&LayerName, ByteCount),
    work: &Work,
    deadline: Instant,
) -> Result<LayerId, DiskError> {
    let core = &here.core;
    has_disks(core)?;
    check_size(core, size)?;
    let clusters = clusters_of(here, size);
    has_room(here, 0, clusters).await?;
    let wanted = Wanted::disk(core, name);
    let facts = Facts { thick: true, ..Facts::of_new_disk(core, size) };
    let mut round = 0;
    let made = loop {
        next_round(core, &mut round, name, deadline).await?;
        if let Some(made) = make_named(core, &wanted, &facts, deadline).await? {
            break made;
        }
    };
    let Made { hold, id, name_generation } = made;
    let opened = Opened::open(here, hold).await?;
    if let Err(error) = fill(here, &opened, (0, clusters), work).await {
        undo(here, &opened, id).await?;
        return Err(error);
    }
    let ready_and_full = |record: &DescriptorRecord| {
        with_layer(record, |layer| {
            let flags = LayerFlags { full: true, ..layer.flags };
            Layer { state: LayerState::Ready, name_generation, flags, ..layer }
        })
    };
    opened.close(&ready_and_full).await?;
    Ok(id)
}

/// What was made of a disk is nobody's any more, and comes free in the background.
async fn undo(here: &Rc<DisksHere>, opened: &Opened, id: LayerId) -> Result<(), DiskError> {
    conclude(opened.keep_hold_alone().await?).await?;
    tend_soon(here, id);
    Ok(())
}

/// Allocates and zeroes the clusters `first..end` of a disk, all but those that are so already; durably.
pub(super) async fn fill(
    here: &DisksHere,
    opened: &Opened,
    (first, end): (u64, u64),
    work: &Work,
) -> Result<(), DiskError> {
    work.cluster_bytes.set(shape(here).cluster_size().0);
    work.total.set(end - first);
    let mut filling = Filling::new(opened.layer(), first, end);
    loop {
        if !work.is_wanted.get() || here.core.is_leaving() {
            return Err(Ended::Left.into());
        }
        let filled = filling.step().await?;
        work.done.set(filling.next() - first);
        if filled == Filled::All {
            break;
        }
        let_others_go_on().await;
    }
    here.source.journal().commit().await.map_err(SpaceError::from)?;
    Ok(())
}

/// A device that answers at once must not keep the engine's thread from its beats.
async fn let_others_go_on() {
    let mut has_waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn shape(here: &DisksHere) -> MapShape {
    here.core.superblock().record.map_shape()
}

/// The clusters of a disk of that size.
pub(super) fn clusters_of(here: &DisksHere, size: ByteCount) -> u64 {
    size.0.div_ceil(shape(here).cluster_size().0)
}

/// Whether there is room for the clusters `first..end` of a disk, and for the nodes above them.
pub(super) async fn has_room(here: &DisksHere, first: u64, end: u64) -> Result<(), DiskError> {
    let shape = shape(here);
    let needed = end - first + nodes(&shape, end) - if first > 0 { nodes(&shape, first) } else { 0 };
    let bytes = |clusters: u64| ByteCount(clusters.saturating_mul(shape.cluster_size().0));
    match has_free(here, needed).await? {
        Ok(()) => Ok(()),
        Err(free) => Err(DiskError::NoRoom { needed: bytes(needed), free: bytes(free) }),
    }
}

/// The nodes of a map of which the first so many clusters are mapped.
fn nodes(shape: &MapShape, clusters: u64) -> u64 {
    let LayerLevels(levels) = shape.levels_for(ByteCount(clusters.saturating_mul(shape.cluster_size().0)));
    let per_level = (1..=u32::from(levels))
        .map(|level| clusters.div_ceil(shape.entries_per_node().saturating_pow(level)).max(1));
    per_level.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_a_node_for_each_run_of_entries_on_each_level() {
        let shape = MapShape::new(ByteCount(4 << 10));
        let per_node = shape.entries_per_node();
        let counts = [1, per_node, per_node + 1, per_node * per_node, per_node * per_node + 1];
        let expected = [1, 1, 3, per_node + 1, per_node + 1 + 2 + 1];
        assert_eq!(counts.map(|clusters| nodes(&shape, clusters)), expected);
    }
}
