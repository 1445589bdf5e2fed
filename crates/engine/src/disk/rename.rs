//! Renaming a disk: the new name is reserved before the old one is given up, and the name's record decides between them (R36).

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{
    DescriptorNumber, DescriptorRecord, DiskTarget, DiskUid, Layer, LayerId, LayerName, LayerState, NameHash,
};

use super::conclude::{conclude, mend, with_layer};
use super::find::in_use_by;
use super::here::DisksHere;
use super::{DiskError, has_disks, next_round};
use crate::core::Core;
use crate::descriptor::take;
use crate::directory::{Holder, Reserved, Wanted, find, reserve};

pub(super) async fn rename(
    here: &Rc<DisksHere>,
    name: &LayerName,
    new: &LayerName,
    deadline: Instant,
) -> Result<(), DiskError> {
    let core = &here.core;
    has_disks(core)?;
    let (old, wanted) = (Wanted::disk(core, name), Wanted::disk(core, new));
    let mut round = 0;
    loop {
        next_round(core, &mut round, name, deadline).await?;
        let Some((number, record)) = find_named(core, &old, deadline).await? else { continue };
        if name == new {
            return Ok(());
        }
        if here.attached_to_stay(number, deadline).await.is_some() {
            return Err(DiskError::AttachedHere { name: name.to_string() });
        }
        match find(core, &wanted).await? {
            Holder::Layer(..) => return Err(DiskError::Exists { name: new.clone() }),
            Holder::Pending(other) if other != number => {
                mend(core, other, deadline).await?;
                continue;
            }
            Holder::Pending(_) | Holder::Nobody => {}
        }
        let (uid, from, to) = (record.uid, old.hash, wanted.hash);
        let hold = match take(core, number, &|record| renaming(record, uid, from, to), deadline).await {
            Ok(hold) => hold,
            Err(error) => {
                let target = DiskTarget { disk: name.clone(), snapshot: None };
                return Err(in_use_by(here, &target, number, error).await);
            }
        };
        let record = hold.record().await?;
        if !is_renaming(&record, uid, from, to) {
            // Another was faster; what he left under way is brought to its end by the way.
            conclude(hold).await?;
            continue;
        }
        match reserve(core, &wanted, LayerId { descriptor: number, uid }).await? {
            Reserved::Done => {
                hold.write_name(uid, new).await?;
                return conclude(hold).await;
            }
            Reserved::Taken => {
                conclude(hold).await?;
                return Err(DiskError::Exists { name: new.clone() });
            }
            Reserved::Full => {
                conclude(hold).await?;
                return Err(DiskError::DirectoryFull { name: new.clone() });
            }
            Reserved::Pending(other) => {
                // Nobody waits for another's descriptor while he has one of his own (R27).
                conclude(hold).await?;
                mend(core, other, deadline).await?;
            }
        }
    }
}

/// The layer of that name; none where something was under way with it, which is at its end now.
pub(super) async fn find_named(
    core: &Rc<Core>,
    wanted: &Wanted,
    deadline: Instant,
) -> Result<Option<(DescriptorNumber, DescriptorRecord)>, DiskError> {
    match find(core, wanted).await? {
        Holder::Layer(number, record) => Ok(Some((number, *record))),
        Holder::Nobody => Err(DiskError::Unknown { name: wanted.name.clone() }),
        Holder::Pending(number) => {
            mend(core, number, deadline).await?;
            Ok(None)
        }
    }
}

/// The record with the rename begun, where that can be begun at once. An entry that the layer has still to give up is no
/// hindrance if it is the very one that it wants now.
pub(super) fn renaming(
    record: &DescriptorRecord,
    uid: DiskUid,
    from: NameHash,
    to: NameHash,
) -> DescriptorRecord {
    let can = |layer: &Layer| {
        layer.state == LayerState::Ready
            && layer.hash == Some(from)
            && layer.other_hash.is_none_or(|other| other == to)
    };
    if record.uid != uid || !record.layer.as_ref().is_some_and(can) {
        return record.clone();
    }
    with_layer(record, |layer| Layer { state: LayerState::Renaming, other_hash: Some(to), ..layer })
}

pub(super) fn is_renaming(record: &DescriptorRecord, uid: DiskUid, from: NameHash, to: NameHash) -> bool {
    let is = |layer: &Layer| {
        layer.state == LayerState::Renaming && layer.hash == Some(from) && layer.other_hash == Some(to)
    };
    record.uid == uid && record.layer.as_ref().is_some_and(is)
}
