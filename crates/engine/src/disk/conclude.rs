//! Bringing to an end, or undoing, what was begun with a descriptor: by whoever began it, or, its host being gone, by
//! whoever finds it (R35, R36). The caller holds the descriptor, so that nobody else has anything under way with it.

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{
    DescriptorName, DescriptorNumber, DescriptorRecord, Layer, LayerFlags, LayerKind, LayerState, NameHash,
};

use crate::bring::make_durable;
use crate::core::Core;
use crate::descriptor::{read, take};
use crate::directory::{give_back, hash_of};
use crate::disk::DiskError;
use crate::disk::settle::read_layer;
use crate::hold::Hold;

/// Whether something was begun with the layer that is not at its end.
pub(crate) fn is_under_way(layer: &Layer) -> bool {
    match layer.state {
        LayerState::Ready => layer.other_hash.is_some(),
        LayerState::Creating | LayerState::Importing | LayerState::Renaming => true,
        LayerState::Doomed => !layer.flags.nameless,
    }
}

/// Whether nothing is lost with the descriptor: a disk that owns no cluster. Nobody's parent is a disk.
pub(super) fn owns_nothing(layer: &Layer) -> bool {
    layer.kind == LayerKind::Disk && !layer.flags.root_owned
}

/// Takes a descriptor, once whoever has it is done or gone, and brings what was begun with it to an end.
pub(super) async fn mend(
    core: &Rc<Core>,
    number: DescriptorNumber,
    deadline: Instant,
) -> Result<(), DiskError> {
    let hold = take(core, number, &DescriptorRecord::clone, deadline).await?;
    conclude(hold).await
}

/// Brings what was begun to an end, or undoes it, and releases the descriptor.
pub(super) async fn conclude(hold: Hold<DescriptorNumber>) -> Result<(), DiskError> {
    let record = hold.record().await?;
    match &record.layer {
        Some(layer) if layer.state == LayerState::Renaming => {
            decide_rename(&hold, &record, layer).await?;
            give_up_other_name(hold).await
        }
        Some(layer) if layer.state == LayerState::Ready && layer.other_hash.is_some() => {
            give_up_other_name(hold).await
        }
        Some(layer) if layer.state == LayerState::Creating && layer.kind != LayerKind::Disk => {
            decide_below(hold, &record, layer).await
        }
        Some(layer) if is_under_way(layer) => give_up_own_name(hold, &record, layer).await,
        _ => end(hold, &DescriptorRecord::clone).await,
    }
}

/// The name's record says which way a rename goes (R36).
async fn decide_rename(
    hold: &Hold<DescriptorNumber>,
    record: &DescriptorRecord,
    layer: &Layer,
) -> Result<(), DiskError> {
    let core = &hold.core;
    let lba = core.store.layout.descriptor_name(hold.number());
    let seen = read::<DescriptorName>(core, lba).await?;
    // A repair found the old name lost, and the new one was not written: it is undone.
    let is_lost = seen.stamped.record.name.is_none();
    let name = seen.stamped.record.name.filter(|_| seen.stamped.record.uid == record.uid);
    let hash = name.and_then(|name| hash_of(&core.store.format_id, layer, &name));
    let hash = if is_lost { layer.hash } else { hash };
    let other = match hash {
        Some(hash) if Some(hash) == layer.hash => layer.other_hash,
        Some(hash) if Some(hash) == layer.other_hash => layer.hash,
        _ => return Err(DiskError::Contradiction { descriptor: hold.number() }),
    };
    let name_generation = seen.stamped.stamp.generation;
    hold.step(&|record| {
        with_layer(record, |layer| Layer {
            state: LayerState::Ready,
            hash,
            other_hash: other,
            name_generation,
            ..layer
        })
    })
    .await
}

/// The entry of the name that it does not have goes.
async fn give_up_other_name(hold: Hold<DescriptorNumber>) -> Result<(), DiskError> {
    let record = hold.record().await?;
    let other = record.layer.as_ref().and_then(|layer| layer.other_hash);
    entry_out(&hold, &record, other).await?;
    end(hold, &|record| with_layer(record, |layer| Layer { other_hash: None, ..layer })).await
}

/// A layer that was to be put below a disk: the disk's own parent says whether it is there (R35). Where it is not, it owns
/// nothing: what it names is the disk's.
async fn decide_below(
    hold: Hold<DescriptorNumber>,
    record: &DescriptorRecord,
    layer: &Layer,
) -> Result<(), DiskError> {
    let disk = read_layer(&hold.core, layer.disk).await?;
    if disk.and_then(|disk| disk.parent) != record.id(hold.number()) {
        entry_out(&hold, record, layer.hash).await?;
        return end(hold, &|record| DescriptorRecord { layer: None, ..record.clone() }).await;
    }
    let lba = hold.core.store.layout.descriptor_name(hold.number());
    let named = read::<DescriptorName>(&hold.core, lba).await?.stamped;
    let name_generation = match layer.kind {
        LayerKind::Snapshot => named.stamp.generation,
        LayerKind::Disk | LayerKind::Hidden => layer.name_generation,
    };
    end(hold, &|record| {
        with_layer(record, |layer| Layer { state: LayerState::Ready, name_generation, ..layer })
    })
    .await
}

/// What was not ready yet, or is to go, gives up its name. With it goes what holds nothing; the rest waits to be reclaimed.
async fn give_up_own_name(
    hold: Hold<DescriptorNumber>,
    record: &DescriptorRecord,
    layer: &Layer,
) -> Result<(), DiskError> {
    entry_out(&hold, record, layer.hash).await?;
    if owns_nothing(layer) {
        return end(hold, &|record| DescriptorRecord { layer: None, ..record.clone() }).await;
    }
    end(hold, &|record| {
        with_layer(record, |layer| Layer {
            state: LayerState::Doomed,
            flags: LayerFlags { nameless: true, ..layer.flags },
            ..layer
        })
    })
    .await
}

async fn entry_out(
    hold: &Hold<DescriptorNumber>,
    record: &DescriptorRecord,
    hash: Option<NameHash>,
) -> Result<(), DiskError> {
    match (hash, record.id(hold.number())) {
        (Some(hash), Some(id)) => give_back(&hold.core, hash, id).await,
        _ => Ok(()),
    }
}

/// The last step: one change more, and the descriptor is released; durable before anybody hears of it.
pub(super) async fn end(
    hold: Hold<DescriptorNumber>,
    last: &dyn Fn(&DescriptorRecord) -> DescriptorRecord,
) -> Result<(), DiskError> {
    let core = Rc::clone(&hold.core);
    hold.release_with(last).await;
    Ok(make_durable(&core).await?)
}

/// The record with its layer changed.
pub(super) fn with_layer(record: &DescriptorRecord, change: impl FnOnce(Layer) -> Layer) -> DescriptorRecord {
    DescriptorRecord { layer: record.layer.clone().map(change), ..record.clone() }
}
