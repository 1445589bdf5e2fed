//! What a disk owns of the datastore, what is free in it, and what a layer is called: for people who look.

use std::rc::Rc;

use futures::future::join_all;
use oarlock_block::{ByteCount, Lba};
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

/// Groups that are read at once.
const GROUPS_AT_ONCE: usize = 64;

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
        others += free_in(here, space.record(group)).await?;
    }
    let others = others * u64::from(groups) / u64::from(looked_at.max(1));
    let clusters = others + stock.free() + here.in_hand();
    Ok(ByteCount(clusters.saturating_mul(superblock.record.cluster_size.0)))
}

/// Whether so many clusters are free: one group after the other is asked until there are enough; of other hosts' groups it
/// counts what was free when they took them. Where there are not: how many there are.
pub(super) async fn has_free(here: &DisksHere, needed: u64) -> Result<Result<(), u64>, DiskError> {
    let superblock = here.core.superblock();
    let space = superblock.record.space();
    let stock = here.source.stock();
    let mut free = stock.free() + here.in_hand();
    let all: Vec<GroupNumber> =
        (0..space.groups()).map(GroupNumber).filter(|group| !stock.has(*group)).collect();
    for some in all.chunks(GROUPS_AT_ONCE) {
        if free >= needed {
            return Ok(Ok(()));
        }
        let reads = some.iter().map(|group| free_in(here, space.record(*group)));
        for read in join_all(reads).await {
            free += read?;
        }
    }
    Ok(if free >= needed { Ok(()) } else { Err(free) })
}

/// The clusters of another host's group that were free when it was last released.
async fn free_in(here: &DisksHere, record: Lba) -> Result<u64, DiskError> {
    match here.core.store.read::<GroupRecord>(Lane::Work, record).await {
        Ok(seen) => Ok(u64::from(seen.stamped.record.free)),
        // What of it is free nobody can have either.
        Err(fault) if is_of_one_block(&fault) => Ok(0),
        Err(fault) => Err(fault.into()),
    }
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
