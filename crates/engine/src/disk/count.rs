//! What a disk owns of the datastore, and what a layer is called: for people who look.

use std::rc::Rc;

use oarlock_block::ByteCount;
use oarlock_format::{DiskTarget, JournalObject, LayerId, LayerKind, LayerName};

use super::DiskError;
use super::here::DisksHere;
use super::list::show;
use super::opened::root_of;
use crate::core::Core;
use crate::descriptor::{read, read_both};
use crate::layer::{Counting, Ground};

/// The bytes of the clusters that a disk owns, by a walk over its map.
pub(super) async fn allocated(here: &Rc<DisksHere>, name: &LayerName) -> Result<ByteCount, DiskError> {
    let core = &here.core;
    let number = show(core, name).await?.id.descriptor;
    // A disk that is open here has its root in memory first.
    let root = match here.attached(number) {
        Some(attached) => Some(attached.opened.layer().root()),
        None => {
            let seen =
                read::<oarlock_format::DescriptorRecord>(core, core.store.layout.descriptor(number)).await?;
            seen.stamped.record.layer.as_ref().map(root_of)
        }
    };
    let superblock = core.superblock();
    let counting = Counting {
        core,
        pages: here.source.journal().pages(),
        ground: Ground::of(&superblock),
        object: JournalObject::Descriptor(number),
    };
    let clusters = match root {
        Some(root) => counting.count(root).await?,
        None => 0,
    };
    Ok(ByteCount(clusters.saturating_mul(superblock.record.cluster_size.0)))
}

/// The name of a disk or snapshot; none where it has none (any more).
pub(super) async fn target_of(core: &Core, id: LayerId) -> Result<Option<DiskTarget>, DiskError> {
    let Some((record, named)) = read_both(core, id.descriptor).await? else { return Ok(None) };
    let (Some(layer), Some(name)) = (&record.layer, named.name.clone()) else { return Ok(None) };
    if record.uid != id.uid || named.uid != id.uid || layer.flags.nameless {
        return Ok(None);
    }
    match layer.kind {
        LayerKind::Disk => Ok(Some(DiskTarget { disk: name, snapshot: None })),
        LayerKind::Hidden => Ok(None),
        LayerKind::Snapshot => {
            let Some((record, disk)) = read_both(core, layer.disk.descriptor).await? else { return Ok(None) };
            let is_it = record.uid == layer.disk.uid && disk.uid == layer.disk.uid;
            let disk = disk.name.filter(|_| is_it);
            Ok(disk.map(|disk| DiskTarget { disk, snapshot: Some(name) }))
        }
    }
}
