//! Layers that nobody needs any more: taken down where no layer stands above them, absorbed where one does, and kept for two
//! or more (R35). All of it may stop anywhere, and is gone on with by whoever comes by.

use std::rc::Rc;

use oarlock_block::{Instant, SlotIndex};
use oarlock_format::{DescriptorRecord, DiskUid, Layer, LayerFlags, LayerId, LayerKind, LayerState};

use super::DiskError;
use super::absorb::absorb;
use super::conclude::{end, is_under_way, mend, with_layer};
use super::here::DisksHere;
use super::opened::Opened;
use super::settle::{read_layer, settle_root};
use crate::allocate::SpaceError;
use crate::core::Core;
use crate::descriptor::{each_descriptor, read, take};
use crate::layer::{Reclaim, Reclaimed};
use crate::mailbox;
use crate::roster::owners;
use crate::slots::read_slots;
use crate::takeover::distrust;

/// What stands in the way of the tending is looked at again so often; then it is left to the next who comes by.
const TRIES_MAX: u32 = 8;

/// Tends to a layer in the background.
pub(super) fn tend_soon(here: &Rc<DisksHere>, id: LayerId) {
    let here = Rc::clone(here);
    here.clone().core.jobs.start(async move {
        for _ in 0..TRIES_MAX {
            if tend(&here, id).await.is_ok() || here.core.ended().is_some() {
                return;
            }
            here.core.store.world.pause(here.core.store.timing.lease).await;
        }
    });
}

/// Tends to a layer in the background, once those had the time to come in for whom it was left alone.
pub(super) fn tend_later(here: &Rc<DisksHere>, id: LayerId) {
    let here = Rc::clone(here);
    here.clone().core.jobs.start(async move {
        here.core.store.world.pause(here.core.store.timing.lease).await;
        tend_soon(&here, id);
    });
}

/// Tends in the background to the layer below one that this host has or had.
pub(super) fn tend_parent_soon(here: &Rc<DisksHere>, opened: &Rc<Opened>) {
    let (here, opened) = (Rc::clone(here), Rc::clone(opened));
    here.clone().core.jobs.start(async move {
        let parent = opened.facts().await.ok().and_then(|layer| layer.parent);
        drop(opened);
        if let Some(parent) = parent {
            tend_soon(&here, parent);
        }
    });
}

/// Whether nobody needs the layer but for the layers above it.
pub(crate) fn is_unneeded(layer: &Layer) -> bool {
    match layer.state {
        LayerState::Doomed => layer.flags.nameless,
        LayerState::Ready => layer.kind == LayerKind::Hidden,
        LayerState::Creating | LayerState::Importing | LayerState::Renaming => false,
    }
}

/// Brings everything to its end that was begun and left, and all layers that nobody needs as far as they can be.
pub(super) async fn tend_all(here: &Rc<DisksHere>) -> Result<(), DiskError> {
    let (mut under_way, mut unneeded) = (Vec::new(), Vec::new());
    let read = each_descriptor(&here.core, |described| {
        let record = &described.seen.stamped.record;
        let Some(layer) = &record.layer else { return };
        if is_under_way(layer) {
            under_way.push((described.number, record.uid));
        }
        if is_unneeded(layer) || layer.state == LayerState::Doomed {
            unneeded.push(LayerId { descriptor: described.number, uid: record.uid });
        }
    });
    read.await.inspect_err(|fault| distrust(&here.core, fault))?;
    for (number, uid) in under_way {
        if here.is_open(number) {
            // This host is at it.
            continue;
        }
        // A layer in the making whose maker lives is his.
        let _ = mend(&here.core, number, patience(here)).await;
        unneeded.push(LayerId { descriptor: number, uid });
    }
    for id in unneeded {
        tend(here, id).await?;
    }
    Ok(())
}

/// How long the tending waits for a lock: as long as a dead host's takes at most.
fn patience(here: &DisksHere) -> Instant {
    let timing = here.core.store.timing;
    here.core.store.now().plus((timing.watch + timing.lease) * 2)
}

/// Takes the layer down, or lets its one child absorb it, if nobody needs it; then the layers below it.
pub(super) async fn tend(here: &Rc<DisksHere>, first: LayerId) -> Result<(), DiskError> {
    let mut next = Some(first);
    // Each turn but the last goes one layer up, or leaves one less.
    while let Some(id) = next {
        next = tend_one(here, id).await?;
    }
    Ok(())
}

/// The layer below, where this one is no more.
async fn tend_one(here: &Rc<DisksHere>, id: LayerId) -> Result<Option<LayerId>, DiskError> {
    let core = &here.core;
    let Some(layer) = read_layer(core, id).await?.filter(is_unneeded) else { return Ok(None) };
    // Nothing ever stands above a disk.
    let is_disk = layer.kind == LayerKind::Disk;
    let children = if is_disk { Vec::new() } else { children_of(core, id).await? };
    let gone = match children[..] {
        [] => reclaim(here, (id, layer.kind), patience(here)).await?,
        [(child, LayerState::Creating | LayerState::Importing)] => {
            // It may be undone, and then there is none.
            mend(core, child.descriptor, patience(here)).await?;
            return Ok(Some(id));
        }
        [(child, _)] => {
            if read_layer(core, child).await?.is_some_and(|layer| is_unneeded(&layer))
                && !is_shared(core, child).await?
            {
                return Ok(Some(child));
            }
            if let Some(slot) = user_of(core, child).await? {
                // Only who has it may absorb anything into it: he is told, and finds out why when he looks.
                mailbox::ring(core, slot, core.store.layout.descriptor(child.descriptor)).await;
                return Ok(None);
            }
            absorb(here, (id, child), patience(here)).await?
        }
        _ => false,
    };
    Ok(layer.parent.filter(|_| gone))
}

/// The slot of another host that lives and has the layer.
async fn user_of(core: &Core, id: LayerId) -> Result<Option<SlotIndex>, DiskError> {
    let seen = read::<DescriptorRecord>(core, core.store.layout.descriptor(id.descriptor)).await?;
    let lock = seen.stamped.record.lock;
    let Some(slot) = lock.owner.map(|owner| owner.slot).or(lock.holders.iter().next()) else {
        return Ok(None);
    };
    let slots = read_slots(&core.store).await.inspect_err(|fault| distrust(core, fault))?;
    let lives = owners(&lock, &slots.sound).iter().any(|owner| owner.state == "live");
    Ok(Some(slot).filter(|slot| lives && *slot != core.me.slot))
}

/// Whether two layers or more stand on this one for good, so that none of them absorbs it.
///
/// What one layer absorbs gives its pages away one by one, and what they name of layers below is named by that one from then on. So
/// nothing may be absorbed into a layer that is itself on its way into another: it would be freed as what nobody names. A layer
/// on its way has one child, and gets no other: one that is put between takes the child's place.
pub(super) async fn is_shared(core: &Core, id: LayerId) -> Result<bool, DiskError> {
    let mut settled = 0;
    for (child, _) in children_of(core, id).await? {
        // Read again: between two records a layer may have been put below one of them, which the scan then saw twice.
        let layer = read_layer(core, child).await?.filter(|layer| layer.parent == Some(id));
        let is_settled = |layer: Layer| !matches!(layer.state, LayerState::Creating | LayerState::Importing);
        settled += u32::from(layer.is_some_and(is_settled));
    }
    Ok(settled >= 2)
}

/// The layers that stand directly above this one.
pub(super) async fn children_of(core: &Core, id: LayerId) -> Result<Vec<(LayerId, LayerState)>, DiskError> {
    let mut children = Vec::new();
    let read = each_descriptor(core, |described| {
        let record = &described.seen.stamped.record;
        if let Some(layer) = record.layer.as_ref().filter(|layer| layer.parent == Some(id)) {
            let child = LayerId { descriptor: described.number, uid: record.uid };
            children.push((child, layer.state));
        }
    });
    read.await.inspect_err(|fault| distrust(core, fault))?;
    Ok(children)
}

/// Takes a layer that nobody needs, and sees to it that none comes to stand on it: from then on it is doomed. None where it is
/// another one by now.
pub(super) async fn take_unneeded(
    here: &Rc<DisksHere>,
    id: LayerId,
    deadline: Instant,
) -> Result<Option<Rc<Opened>>, DiskError> {
    let hold = take(&here.core, id.descriptor, &|record| doomed(record, id.uid), deadline).await?;
    let record = hold.record().await?;
    let is_it = record.uid == id.uid
        && record.layer.as_ref().is_some_and(|layer| layer.state == LayerState::Doomed && is_unneeded(layer));
    if !is_it {
        end(hold, &DescriptorRecord::clone).await?;
        return Ok(None);
    }
    settle_root(&here.core, &hold).await?;
    Opened::open(here, hold).await.map(Some)
}

fn doomed(record: &DescriptorRecord, uid: DiskUid) -> DescriptorRecord {
    if record.uid != uid || !record.layer.as_ref().is_some_and(is_unneeded) {
        return record.clone();
    }
    with_layer(record, |layer| {
        let flags = LayerFlags { nameless: true, ..layer.flags };
        Layer { state: LayerState::Doomed, flags, ..layer }
    })
}

/// Takes a layer down above which no other stands; whether it is gone.
async fn reclaim(
    here: &Rc<DisksHere>,
    (id, kind): (LayerId, LayerKind),
    deadline: Instant,
) -> Result<bool, DiskError> {
    let Some(opened) = take_unneeded(here, id, deadline).await? else { return Ok(false) };
    // It is doomed: nobody clones it any more, and what was cloned before is found.
    let is_needed = kind != LayerKind::Disk && !children_of(&here.core, id).await?.is_empty();
    if is_needed || !empty(here, &opened, async || Ok(false)).await? {
        opened.close(&DescriptorRecord::clone).await?;
        return Ok(false);
    }
    free(here, &opened).await?;
    Ok(true)
}

/// Gives up all clusters of a layer but its root; whether that was brought to its end. It is not where somebody waits for something
/// else that is kept meanwhile.
pub(super) async fn empty(
    here: &DisksHere,
    opened: &Opened,
    is_waited_for: impl AsyncFn() -> Result<bool, DiskError>,
) -> Result<bool, DiskError> {
    let mut reclaim = Reclaim::new(opened.layer());
    while reclaim.step().await? == Reclaimed::More {
        if here.core.is_leaving() || is_waited_for().await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Frees the descriptor of a layer that is empty, and behind it the root: while the descriptor names it, it is nobody else's.
pub(super) async fn free(here: &DisksHere, opened: &Opened) -> Result<(), DiskError> {
    let root = opened.layer().root();
    let owned = root.cluster.filter(|_| root.owned);
    // Behind the descriptor nobody else knows of the root any more: this host has its group by then, and does not leave.
    let _about_to_free = here.source.about_to_free();
    if let Some(cluster) = owned {
        here.source.own(cluster.place().0).await?;
    }
    // A replay would write the root's pages over whatever stands there then.
    here.source.journal().checkpoint().await.map_err(SpaceError::from)?;
    opened.close(&|record| DescriptorRecord { layer: None, ..record.clone() }).await?;
    here.source.free(owned.into_iter().collect()).await?;
    Ok(())
}
