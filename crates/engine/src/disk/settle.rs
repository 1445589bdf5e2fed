//! Before a disk gets another parent, or is used: the layer that its last host put below it is brought to its end, and a root that was
//! on its way to it arrives.

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{DescriptorNumber, DescriptorRecord, Layer, LayerFlags, LayerId, LayerState};

use super::DiskError;
use super::conclude::{mend, with_layer};
use crate::core::Core;
use crate::descriptor::read;
use crate::hold::Hold;

/// The layer, if the descriptor is still in that use.
pub(super) async fn read_layer(core: &Core, id: LayerId) -> Result<Option<Layer>, DiskError> {
    let seen = read::<DescriptorRecord>(core, core.store.layout.descriptor(id.descriptor)).await?;
    let record = seen.stamped.record;
    Ok(record.layer.filter(|_| record.uid == id.uid))
}

/// The caller holds the disk. Its parent may be a layer in the making: that it names it says that the making went through, and
/// nobody could tell any more once the disk has another parent.
pub(super) async fn settle_parent(
    core: &Rc<Core>,
    disk: &DescriptorRecord,
    deadline: Instant,
) -> Result<(), DiskError> {
    let Some(parent) = disk.layer.as_ref().and_then(|layer| layer.parent) else { return Ok(()) };
    let found = read_layer(core, parent).await?;
    if found.is_some_and(|layer| layer.state == LayerState::Creating) {
        mend(core, parent.descriptor, deadline).await?;
    }
    Ok(())
}

/// Whether the layer has given its root to the one above it, or never had one. What that one names of layers further below it names by
/// its own pages, and this one names nothing any more: so it must be gone before a layer below it that owns anything is absorbed.
pub(super) fn is_on_its_way_out(layer: &Layer) -> bool {
    layer.state == LayerState::Doomed && layer.root.is_none()
}

/// The caller holds the layer alone. A parent that was being absorbed into it may have forgotten the root that both began at, and this
/// layer not have taken it over yet: then it does, before it is changed. Once it had copied that root, nobody would be left who
/// owned what stands below it.
pub(super) async fn settle_root(core: &Core, hold: &Hold<DescriptorNumber>) -> Result<(), DiskError> {
    let Some(layer) = hold.record().await?.layer else { return Ok(()) };
    let Some(parent) = layer.parent.filter(|_| layer.root.is_some() && !layer.flags.root_owned) else {
        return Ok(());
    };
    if !read_layer(core, parent).await?.is_some_and(|parent| is_on_its_way_out(&parent)) {
        return Ok(());
    }
    let owning = |layer: Layer| Layer { flags: LayerFlags { root_owned: true, ..layer.flags }, ..layer };
    hold.step(&|record| with_layer(record, owning)).await
}
