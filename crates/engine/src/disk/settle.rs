//! Before a disk gets another parent, or is used: the layer that its last host put below it is brought to its end.

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{DescriptorRecord, LayerId, LayerState};

use super::DiskError;
use super::conclude::mend;
use crate::core::Core;
use crate::descriptor::read;

/// The layer, if the descriptor is still in that use.
pub(super) async fn read_layer(core: &Core, id: LayerId) -> Result<Option<oarlock_format::Layer>, DiskError> {
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
