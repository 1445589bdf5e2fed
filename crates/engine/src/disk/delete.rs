//! Deleting a disk or a snapshot: doomed first, then its name goes; what nobody needs of it comes free behind that (R35, R36).

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{
    DescriptorNumber, DescriptorRecord, DiskTarget, Layer, LayerFlags, LayerId, LayerKind, LayerName,
    LayerState,
};

use super::conclude::{conclude, mend, with_layer};
use super::find::{find_target, in_use_by, is_ready};
use super::here::DisksHere;
use super::tend::tend_soon;
use super::{DiskError, has_disks, next_round};
use crate::core::Core;
use crate::descriptor::{each_descriptor, take};
use crate::takeover::distrust;

pub(super) async fn delete(
    here: &Rc<DisksHere>,
    name: &LayerName,
    deadline: Instant,
) -> Result<(), DiskError> {
    let core = &here.core;
    has_disks(core)?;
    let target = DiskTarget { disk: name.clone(), snapshot: None };
    let mut round = 0;
    loop {
        next_round(core, &mut round, name, deadline).await?;
        let Some((number, found)) = find_target(core, &target, deadline).await? else { continue };
        let id = LayerId { descriptor: number, uid: found.uid };
        if doom(here, &target, (number, &found), deadline).await? {
            tend_soon(here, id);
            if let Some(parent) = found.layer.and_then(|layer| layer.parent) {
                tend_soon(here, parent);
            }
            return Ok(());
        }
    }
}

/// Takes the layer that was found, and dooms it; whether it was still what had been found. Its name is gone then.
pub(super) async fn doom(
    here: &DisksHere,
    target: &DiskTarget,
    (number, found): (DescriptorNumber, &DescriptorRecord),
    deadline: Instant,
) -> Result<bool, DiskError> {
    let core = &here.core;
    if here.attached_to_stay(number, deadline).await.is_some() {
        return Err(DiskError::AttachedHere { name: target.to_string() });
    }
    let hold = match take(core, number, &DescriptorRecord::clone, deadline).await {
        Ok(hold) => hold,
        Err(error) => return Err(in_use_by(here, target, number, error).await),
    };
    let record = hold.record().await?;
    if !is_ready(&record, found) {
        // What another left under way is brought to its end by the way.
        conclude(hold).await?;
        return Ok(false);
    }
    let may_have = |layer: &Layer| layer.kind == LayerKind::Disk && layer.flags.branched;
    let is_branched = record.layer.as_ref().is_some_and(may_have);
    let id = LayerId { descriptor: number, uid: record.uid };
    // Who makes a snapshot has the disk: none comes while it is this host's.
    let (snapshots, in_making) = if is_branched { snapshots_of(core, id).await? } else { (0, Vec::new()) };
    if snapshots > 0 || !in_making.is_empty() {
        conclude(hold).await?;
        for number in in_making {
            mend(core, number, deadline).await?;
        }
        return match snapshots {
            0 => Ok(false),
            count => Err(DiskError::HasSnapshots { name: target.disk.clone(), count }),
        };
    }
    hold.step(&|record| {
        with_layer(record, |layer| {
            let flags = LayerFlags { full: false, ..layer.flags };
            Layer { state: LayerState::Doomed, flags, ..layer }
        })
    })
    .await?;
    conclude(hold).await?;
    Ok(true)
}

/// How many snapshots a disk has, and those that were left in the making.
async fn snapshots_of(core: &Core, disk: LayerId) -> Result<(usize, Vec<DescriptorNumber>), DiskError> {
    let (mut count, mut in_making) = (0, Vec::new());
    let read = each_descriptor(core, |described| {
        let layer = described.seen.stamped.record.layer;
        let Some(layer) = layer.filter(|layer| layer.disk == disk && layer.kind != LayerKind::Disk) else {
            return;
        };
        match layer.state {
            LayerState::Creating | LayerState::Importing | LayerState::Renaming => {
                in_making.push(described.number);
            }
            LayerState::Ready if layer.kind == LayerKind::Snapshot => count += 1,
            LayerState::Ready | LayerState::Doomed => {}
        }
    });
    read.await.inspect_err(|fault| distrust(core, fault))?;
    Ok((count, in_making))
}
