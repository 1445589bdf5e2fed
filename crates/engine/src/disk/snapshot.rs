//! Snapshots, clones and reverts: nothing is copied, maps are shared (R35).

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{DescriptorNumber, DiskTarget, Layer, LayerId, LayerKind, LayerName};

use super::below::put_below;
use super::create::{Facts, make_named};
use super::find::{find_target, in_use_by, is_ready, snapshot_wanted};
use super::here::DisksHere;
use super::opened::{root_of, with_root};
use super::settle::read_layer;
use super::tend::tend_soon;
use super::worked::{Worked, work_on};
use super::{DiskError, next_round};
use crate::decide::Want;
use crate::directory::Wanted;
use crate::hold::{Hold, hold};
use crate::layer::Root;
use crate::planted::{PlantedBug, planted};

/// Makes a snapshot of a disk as it is now.
pub(super) async fn snapshot(
    here: &Rc<DisksHere>,
    disk: &LayerName,
    name: &LayerName,
    deadline: Instant,
) -> Result<LayerId, DiskError> {
    let worked = work_on(here, disk, deadline).await?;
    worked
        .then(async |worked| {
            let wanted = snapshot_wanted(&here.core, worked.id, name);
            put_below(here, (worked, disk), Some(&wanted), deadline).await.map_err(|error| match error {
                DiskError::Exists { name: taken } if taken == *name => {
                    DiskError::SnapshotExists { disk: disk.clone(), snapshot: name.clone() }
                }
                other => other,
            })
        })
        .await
}

/// Makes a disk that shows what the snapshot, or the disk as it is now, shows.
pub(super) async fn clone(
    here: &Rc<DisksHere>,
    from: &DiskTarget,
    name: &LayerName,
    deadline: Instant,
) -> Result<LayerId, DiskError> {
    super::has_disks(&here.core)?;
    if from.snapshot.is_some() {
        let (source, id, layer) = hold_snapshot(here, from, deadline).await?;
        let made = clone_of(here, (id, &layer), name, deadline).await;
        source.into_guard().release().await;
        return made;
    }
    let worked = work_on(here, &from.disk, deadline).await?;
    worked
        .then(async |worked| {
            let below = put_below(here, (worked, &from.disk), None, deadline).await?;
            // The disk is this host's, and names it: nobody takes it away meanwhile.
            let layer = read_layer(&here.core, below).await?;
            let layer = layer.ok_or(DiskError::TakenAway { descriptor: below.descriptor })?;
            let made = clone_of(here, (below, &layer), name, deadline).await;
            if made.is_err() {
                tend_soon(here, below);
            }
            made
        })
        .await
}

/// A snapshot, held so that nobody deletes it meanwhile.
async fn hold_snapshot(
    here: &Rc<DisksHere>,
    target: &DiskTarget,
    deadline: Instant,
) -> Result<(Hold<DescriptorNumber>, LayerId, Layer), DiskError> {
    let core = &here.core;
    let mut round = 0;
    loop {
        next_round(core, &mut round, &target.disk, deadline).await?;
        let Some((number, found)) = find_target(core, target, deadline).await? else { continue };
        let held = match hold(core, core.places.descriptors.of(&number), Want::Shared, deadline).await {
            Ok(held) => held,
            Err(error) => return Err(in_use_by(here, target, number, error).await),
        };
        let record = held.record().await?;
        if let (true, Some(layer)) = (is_ready(&record, &found), record.layer.clone()) {
            return Ok((held, LayerId { descriptor: number, uid: record.uid }, layer));
        }
        held.into_guard().release().await;
    }
}

async fn clone_of(
    here: &DisksHere,
    (parent, layer): (LayerId, &Layer),
    name: &LayerName,
    deadline: Instant,
) -> Result<LayerId, DiskError> {
    let core = &here.core;
    let wanted = Wanted::disk(core, name);
    let facts = Facts {
        kind: LayerKind::Disk,
        size: layer.size,
        levels: layer.levels,
        parent: Some(parent),
        root: layer.root.map(|root| (root, planted(PlantedBug::OwnSharedRoot))),
        disk: None,
        thick: false,
    };
    let mut round = 0;
    loop {
        next_round(core, &mut round, name, deadline).await?;
        if let Some(made) = make_named(core, &wanted, &facts, deadline).await? {
            return made.finish().await;
        }
    }
}

/// Lets a disk that nobody has attached show again what its snapshot shows. What it showed since is given up.
pub(super) async fn revert(
    here: &Rc<DisksHere>,
    disk: &LayerName,
    snapshot: &LayerName,
    deadline: Instant,
) -> Result<(), DiskError> {
    let worked = work_on(here, disk, deadline).await?;
    worked
        .then(async |worked| {
            if worked.is_attached() {
                return Err(DiskError::AttachedHere { name: disk.to_string() });
            }
            let target = DiskTarget { disk: disk.clone(), snapshot: Some(snapshot.clone()) };
            let (source, id, layer) = hold_snapshot(here, &target, deadline).await?;
            let done = revert_to(here, (worked, disk), (id, &layer), deadline).await;
            source.into_guard().release().await;
            done
        })
        .await
}

async fn revert_to(
    here: &Rc<DisksHere>,
    (worked, disk): (&Worked, &LayerName),
    (id, layer): (LayerId, &Layer),
    deadline: Instant,
) -> Result<(), DiskError> {
    let before = worked.facts().await?;
    // What the disk owns goes to a layer of its own, which nobody needs: so nothing is lost where this stops half way.
    let given_up = match before.flags.root_owned {
        true => Some(put_below(here, (worked, disk), None, deadline).await?),
        false => before.parent,
    };
    worked.opened.forget_pages().await?;
    let root = Root { owned: false, ..root_of(layer) };
    let size = layer.size;
    worked.opened.step(|layer| with_root(Layer { parent: Some(id), size, ..layer }, root)).await?;
    worked.opened.layer().begin_at(root);
    if let Some(given_up) = given_up.filter(|given_up| *given_up != id) {
        tend_soon(here, given_up);
    }
    Ok(())
}

/// Dooms a snapshot: its name is gone, and what nobody needs of it comes free.
pub(super) async fn delete_snapshot(
    here: &Rc<DisksHere>,
    target: &DiskTarget,
    deadline: Instant,
) -> Result<(), DiskError> {
    let core = &here.core;
    super::has_disks(core)?;
    let mut round = 0;
    loop {
        next_round(core, &mut round, &target.disk, deadline).await?;
        let Some((number, found)) = find_target(core, target, deadline).await? else { continue };
        if super::delete::doom(here, target, (number, &found), deadline).await? {
            tend_soon(here, LayerId { descriptor: number, uid: found.uid });
            return Ok(());
        }
    }
}
