//! Listing disks, and looking one up.

use std::rc::Rc;

use oarlock_block::ByteCount;
use oarlock_format::{
    DescriptorName, DescriptorNumber, DescriptorRecord, Layer, LayerId, LayerKind, LayerName, LayerState,
};

use super::conclude::{is_under_way, mend};
use super::{DiskError, has_disks};
use crate::core::Core;
use crate::descriptor::{Described, agree, each_descriptor, read, read_both};
use crate::directory::{Holder, Wanted, find};
use crate::roster::{LockOwner, owners};
use crate::slots::read_slots;
use crate::store::Seen;
use crate::takeover::distrust;
use crate::verdict::Version;

/// One disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskRow {
    /// Its name.
    pub name: LayerName,
    /// Its descriptor, and which use of it.
    pub id: LayerId,
    /// What a guest sees.
    pub size: ByteCount,
    /// Clusters that it owned when it was last released.
    pub allocated_clusters: u64,
    /// `ready`, `renaming`, `importing`.
    pub state: &'static str,
    /// Whether its clusters were all allocated when it was made.
    pub thick: bool,
    /// Whether every piece of it is written, so that several hosts may write it (R34).
    pub full: bool,
    /// The layer below it, if there is one.
    pub parent: Option<LayerId>,
    /// Milliseconds since 1970 when it was made, by its maker's clock.
    pub created_wall_ms: u64,
    /// How it is held: `free`, `exclusive`, `shared`, `multi-writer`, `unknown`.
    pub mode: &'static str,
    /// Who holds it.
    pub owners: Vec<LockOwner>,
}

/// One snapshot of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRow {
    /// Its name, without the disk's.
    pub name: LayerName,
    /// Its descriptor, and which use of it.
    pub id: LayerId,
    /// What the disk's size was.
    pub size: ByteCount,
    /// The layer below it, if there is one.
    pub parent: Option<LayerId>,
    /// Milliseconds since 1970 when it was made, by its maker's clock.
    pub created_wall_ms: u64,
}

/// The snapshots of the disk of that name, in the order in which they were made.
pub(super) async fn snapshots(core: &Core, name: &LayerName) -> Result<Vec<SnapshotRow>, DiskError> {
    let disk = show(core, name).await?.id;
    let mut numbers = Vec::new();
    let read = each_descriptor(core, |described| {
        let layer = described.seen.stamped.record.layer;
        let is_one = |layer: &Layer| layer.kind == LayerKind::Snapshot && layer.disk == disk;
        if layer.as_ref().is_some_and(is_one) {
            numbers.push(described.number);
        }
    });
    read.await.inspect_err(|fault| distrust(core, fault))?;
    let mut rows = Vec::new();
    for number in numbers {
        // What is in the making or on its way out has no name to be told.
        let Some((record, named)) = read_both(core, number).await? else { continue };
        rows.extend(snapshot_row(number, disk, &record, &named));
    }
    rows.sort_by(|left: &SnapshotRow, right| {
        (left.created_wall_ms, &left.name).cmp(&(right.created_wall_ms, &right.name))
    });
    Ok(rows)
}

fn snapshot_row(
    number: DescriptorNumber,
    disk: LayerId,
    record: &DescriptorRecord,
    named: &DescriptorName,
) -> Option<SnapshotRow> {
    let layer = record.layer.as_ref()?;
    let is_one = layer.kind == LayerKind::Snapshot && layer.disk == disk && layer.state == LayerState::Ready;
    if !is_one || named.uid != record.uid {
        return None;
    }
    Some(SnapshotRow {
        name: named.name.clone()?,
        id: record.id(number)?,
        size: layer.size,
        parent: layer.parent,
        created_wall_ms: layer.created_wall_ms,
    })
}

/// The disk of that name.
pub(super) async fn show(core: &Core, name: &LayerName) -> Result<DiskRow, DiskError> {
    has_disks(core)?;
    let unknown = || DiskError::Unknown { name: name.clone() };
    let number = match find(core, &Wanted::disk(core, name)).await? {
        Holder::Layer(number, _) | Holder::Pending(number) => number,
        Holder::Nobody => return Err(unknown()),
    };
    let Some((record, named)) = read_both(core, number).await? else {
        return Err(DiskError::Busy { name: name.clone() });
    };
    let row = row(number, &record, &named).filter(|row| row.name == *name).ok_or_else(unknown)?;
    with_owners(core, vec![(row, record)]).await?.pop().ok_or_else(unknown)
}

/// All disks, by name.
pub(super) async fn list(core: &Rc<Core>) -> Result<Vec<DiskRow>, DiskError> {
    has_disks(core)?;
    let (mut rows, mut unclear, mut under_way) = (Vec::new(), Vec::new(), Vec::new());
    let read = each_descriptor(core, |described: Described| {
        let record = &described.seen.stamped.record;
        let Some(layer) = &record.layer else { return };
        if is_under_way(layer) {
            under_way.push((described.number, described.seen.version()));
        }
        match &described.name {
            Some(named) if agree(&described.seen, named) => {
                let row = row(described.number, record, &named.stamped.record);
                rows.extend(row.map(|row| (row, record.clone())));
            }
            _ => unclear.push(described.number),
        }
    });
    read.await.inspect_err(|fault| distrust(core, fault))?;
    for number in unclear {
        let (record, named) = match read_both(core, number).await? {
            Some(both) => both,
            // It changes all the time, and is a disk all the same: under the name that it had a moment ago.
            None => read_apart(core, number).await?,
        };
        rows.extend(row(number, &record, &named).map(|row| (row, record)));
    }
    mend_in_background(core, under_way);
    rows.sort_by(|(left, _), (right, _)| left.name.cmp(&right.name));
    with_owners(core, rows).await
}

async fn read_apart(
    core: &Core,
    number: DescriptorNumber,
) -> Result<(DescriptorRecord, DescriptorName), DiskError> {
    let named = read::<DescriptorName>(core, core.store.layout.descriptor_name(number)).await?;
    let record = read::<DescriptorRecord>(core, core.store.layout.descriptor(number)).await?;
    Ok((record.stamped.record, named.stamped.record))
}

/// What is to be told of a descriptor, if it is a disk's that has a name.
fn row(number: DescriptorNumber, record: &DescriptorRecord, named: &DescriptorName) -> Option<DiskRow> {
    let layer = record.layer.as_ref()?;
    let shown = matches!(layer.state, LayerState::Ready | LayerState::Renaming | LayerState::Importing);
    if layer.kind != LayerKind::Disk || !shown || named.uid != record.uid {
        return None;
    }
    Some(DiskRow {
        name: named.name.clone()?,
        id: record.id(number)?,
        size: layer.size,
        allocated_clusters: layer.allocated,
        state: layer.state.name(),
        thick: layer.flags.thick,
        full: layer.flags.full,
        parent: layer.parent,
        created_wall_ms: layer.created_wall_ms,
        mode: record.lock.mode.name(),
        owners: Vec::new(),
    })
}

/// The rows with who holds what, told by one look at the slots; none where nobody holds anything.
async fn with_owners(core: &Core, rows: Vec<(DiskRow, DescriptorRecord)>) -> Result<Vec<DiskRow>, DiskError> {
    let held = |record: &DescriptorRecord| record.lock.owner.is_some() || !record.lock.holders.is_empty();
    let slots = if rows.iter().any(|(_, record)| held(record)) {
        read_slots(&core.store).await.inspect_err(|fault| distrust(core, fault))?.sound
    } else {
        Vec::new()
    };
    let with =
        |(row, record): (DiskRow, DescriptorRecord)| DiskRow { owners: owners(&record.lock, &slots), ..row };
    Ok(rows.into_iter().map(with).collect())
}

/// What stands still half done was left so by a host that is gone, or will soon be found to be: each such descriptor is
/// looked at once more after a lease, and mended where it has not changed. One such look at a time.
fn mend_in_background(core: &Rc<Core>, under_way: Vec<(DescriptorNumber, Version)>) {
    if under_way.is_empty() || core.mending.replace(true) {
        return;
    }
    let core = Rc::clone(core);
    core.clone().jobs.start(async move {
        core.store.world.pause(core.store.timing.lease).await;
        for (number, version) in under_way {
            let lba = core.store.layout.descriptor(number);
            let seen: Result<Seen<DescriptorRecord>, _> = read(&core, lba).await;
            if seen.is_ok_and(|seen| seen.version() == version) {
                let deadline = core.store.now().plus(core.store.timing.watch * 2);
                // Whatever stands in the way now: the next list finds it again.
                drop(mend(&core, number, deadline).await);
            }
        }
        core.mending.set(false);
    });
}
