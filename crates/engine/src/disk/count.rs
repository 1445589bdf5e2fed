//! What a disk owns of the datastore, what is free in it, and what a layer is called: for people who look.

use std::rc::Rc;

use oarlock_block::ByteCount;
use oarlock_format::{DiskTarget, GroupNumber, GroupRecord, JournalObject, LayerId, LayerKind, LayerName};

use super::DiskError;
use super::here::DisksHere;
use super::list::show;
use super::opened::root_of;
use crate::core::Core;
use crate::descriptor::{read, read_both};
use crate::layer::{Counting, Ground};
use crate::slots::is_of_one_block;
use crate::store::Lane;

/// So many groups are looked at for what is free; of more, these tell for all: a look must not take longer than people wait.
const GROUPS_LOOKED_AT_MAX: u32 = 1_024;

/// The bytes of the clusters that nobody owns: in groups of this host as they are, in others' as when they were last released.
pub(super) async fn free(here: &DisksHere) -> Result<ByteCount, DiskError> {
    let core = &here.core;
    let superblock = core.superblock();
    let space = superblock.record.space();
    let (groups, stock) = (space.groups(), here.source.stock());
    let looked_at = groups.min(GROUPS_LOOKED_AT_MAX);
    let mut others = 0;
    for step in 0..looked_at {
        let number = u64::from(step) * u64::from(groups) / u64::from(looked_at);
        let group = GroupNumber(u32::try_from(number).unwrap_or(step));
        if stock.has(group) {
            continue;
        }
        match core.store.read::<GroupRecord>(Lane::Work, space.record(group)).await {
            Ok(seen) => others += u64::from(seen.stamped.record.free),
            // What of it is free nobody can have either.
            Err(fault) if is_of_one_block(&fault) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    let others = others * u64::from(groups) / u64::from(looked_at.max(1));
    let clusters = others + stock.free() + here.in_hand();
    Ok(ByteCount(clusters.saturating_mul(superblock.record.cluster_size.0)))
}

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
