//! Deleting a disk: doomed first, then its name goes, then its descriptor is free (R35, R36).

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{DescriptorRecord, DiskUid, Layer, LayerName, LayerState, NameHash};

use super::conclude::{conclude, is_empty_disk, with_layer};
use super::rename::find_named;
use super::{DiskError, has_disks, next_round};
use crate::core::Core;
use crate::descriptor::take;
use crate::directory::Wanted;

pub(super) async fn delete(core: &Rc<Core>, name: &LayerName, deadline: Instant) -> Result<(), DiskError> {
    has_disks(core)?;
    let wanted = Wanted::disk(core, name);
    let mut round = 0;
    loop {
        next_round(core, &mut round, name, deadline)?;
        let Some((number, record)) = find_named(core, &wanted, deadline).await? else { continue };
        if !record.layer.as_ref().is_some_and(is_empty_disk) {
            return Err(DiskError::NotEmpty { name: name.clone() });
        }
        let (uid, hash) = (record.uid, wanted.hash);
        let hold = take(core, number, &|record| doomed(record, uid, hash), deadline).await?;
        let record = hold.record().await?;
        let done =
            record.uid == uid && record.layer.as_ref().is_some_and(|layer| layer.state == LayerState::Doomed);
        // Where another was faster, what he left under way is brought to its end by the way.
        conclude(hold).await?;
        if done {
            return Ok(());
        }
    }
}

/// The record as it is once the disk is lost, where it can be deleted at once.
fn doomed(record: &DescriptorRecord, uid: DiskUid, hash: NameHash) -> DescriptorRecord {
    let can = |layer: &Layer| {
        layer.state == LayerState::Ready
            && layer.hash == Some(hash)
            && layer.other_hash.is_none()
            && is_empty_disk(layer)
    };
    if record.uid != uid || !record.layer.as_ref().is_some_and(can) {
        return record.clone();
    }
    with_layer(record, |layer| Layer { state: LayerState::Doomed, ..layer })
}
