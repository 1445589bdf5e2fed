//! Finding a disk or a snapshot by its name, and telling who has it.

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{
    DescriptorNumber, DescriptorRecord, DiskTarget, Layer, LayerId, LayerName, LayerState, NameHash,
};

use super::conclude::mend;
use super::error::{DiskError, Holders, InUseBy};
use super::here::DisksHere;
use super::rename::find_named;
use crate::core::Core;
use crate::descriptor::read;
use crate::directory::{Holder, Wanted, find};
use crate::lock::LockError;
use crate::roster::owners;
use crate::slots::read_slots;

/// The name of a snapshot of a disk.
pub(super) fn snapshot_wanted(core: &Core, disk: LayerId, name: &LayerName) -> Wanted {
    Wanted { name: name.clone(), hash: NameHash::of_snapshot(&core.store.format_id, disk, name) }
}

/// The disk or snapshot of that name; none where something was under way with it, which is at its end now.
pub(super) async fn find_target(
    core: &Rc<Core>,
    target: &DiskTarget,
    deadline: Instant,
) -> Result<Option<(DescriptorNumber, DescriptorRecord)>, DiskError> {
    let disk = find_named(core, &Wanted::disk(core, &target.disk), deadline).await?;
    let (Some((number, record)), Some(snapshot)) = (&disk, &target.snapshot) else { return Ok(disk) };
    let id = LayerId { descriptor: *number, uid: record.uid };
    match find(core, &snapshot_wanted(core, id, snapshot)).await? {
        Holder::Layer(number, record) => Ok(Some((number, *record))),
        Holder::Nobody => {
            Err(DiskError::UnknownSnapshot { disk: target.disk.clone(), snapshot: snapshot.clone() })
        }
        Holder::Pending(number) => {
            mend(core, number, deadline).await?;
            Ok(None)
        }
    }
}

/// Whether the record is that of the layer which was found, under the name by which it was, with nothing under way.
pub(super) fn is_ready(record: &DescriptorRecord, found: &DescriptorRecord) -> bool {
    let hash = found.layer.as_ref().and_then(|layer| layer.hash);
    let is = |layer: &Layer| {
        layer.state == LayerState::Ready && layer.other_hash.is_none() && layer.hash == hash && hash.is_some()
    };
    record.uid == found.uid && record.layer.as_ref().is_some_and(is)
}

/// What to tell of a layer whose lock was not got: who has it, and whether that host lives.
pub(super) async fn in_use_by(
    here: &DisksHere,
    target: &DiskTarget,
    number: DescriptorNumber,
    error: LockError,
) -> DiskError {
    if !matches!(error, LockError::TimedOut { .. }) {
        return error.into();
    }
    if here.attached(number).is_some() {
        return DiskError::AttachedHere { name: target.to_string() };
    }
    let core = &here.core;
    let record = read::<DescriptorRecord>(core, core.store.layout.descriptor(number)).await;
    let (Ok(seen), Ok(slots)) = (record, read_slots(&core.store).await) else { return error.into() };
    let owners = owners(&seen.stamped.record.lock, &slots.sound);
    if !owners.is_empty() && owners.iter().all(|owner| owner.slot == core.me.slot) {
        // Work in the background, which gives way.
        return DiskError::TurnTaken { name: target.disk.clone() };
    }
    let mut holders: Vec<InUseBy> =
        owners.into_iter().map(|owner| InUseBy { host: owner.host, state: owner.state }).collect();
    // Their slots mean nothing to whoever reads it.
    holders.sort_by(|one, other| one.host.cmp(&other.host));
    if holders.is_empty() {
        return error.into();
    }
    DiskError::InUse { name: target.to_string(), holders: Holders(holders) }
}
