//! Creating a disk: a descriptor is taken for it, its name written beside it, the name reserved; then it is ready (R36).

use std::rc::Rc;

use oarlock_block::{ByteCount, Instant};
use oarlock_format::{
    ClusterNumber, DescriptorNumber, DescriptorRecord, DiskUid, Generation, Layer, LayerFlags, LayerId,
    LayerKind, LayerLevels, LayerName, LayerState,
};

use super::conclude::{conclude, end, mend, with_layer};
use super::{DiskError, has_disks, next_round};
use crate::core::Core;
use crate::descriptor::{read_some, take};
use crate::directory::{Holder, Reserved, Wanted, find, reserve};
use crate::hold::Hold;
use crate::lock::LockError;

pub(super) async fn create(
    core: &Rc<Core>,
    name: &LayerName,
    size: ByteCount,
    deadline: Instant,
) -> Result<LayerId, DiskError> {
    has_disks(core)?;
    check_size(core, size)?;
    let wanted = Wanted::disk(core, name);
    let facts = Facts::of_new_disk(core, size);
    let mut round = 0;
    loop {
        next_round(core, &mut round, name, deadline).await?;
        if let Some(made) = make_named(core, &wanted, &facts, deadline).await? {
            return made.finish().await;
        }
    }
}

/// How many levels the map of a disk of that size has.
pub(super) fn levels_for(core: &Core, size: ByteCount) -> LayerLevels {
    core.superblock().record.map_shape().levels_for(size)
}

/// What a layer in the making is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) kind: LayerKind,
    pub(super) size: ByteCount,
    pub(super) levels: LayerLevels,
    pub(super) parent: Option<LayerId>,
    /// An ancestor's root; or, below a disk, the disk's, and whether the disk owned it.
    pub(super) root: Option<(ClusterNumber, bool)>,
    /// The disk that a snapshot belongs to; a disk belongs to itself.
    pub(super) disk: Option<LayerId>,
    /// It was asked for thick.
    pub(super) thick: bool,
}

impl Facts {
    /// A disk that shows nothing.
    pub(super) fn of_new_disk(core: &Core, size: ByteCount) -> Facts {
        Facts {
            kind: LayerKind::Disk,
            size,
            levels: levels_for(core, size),
            parent: None,
            root: None,
            disk: None,
            thick: false,
        }
    }
}

/// A layer in the making, with a name if it shall have one, in this host's hands.
pub(super) struct Made {
    pub(super) hold: Hold<DescriptorNumber>,
    pub(super) id: LayerId,
    pub(super) name_generation: Generation,
}

impl Made {
    /// It is ready, and released.
    pub(super) async fn finish(self) -> Result<LayerId, DiskError> {
        let (id, name_generation) = (self.id, self.name_generation);
        end(self.hold, &|record| ready(record, name_generation)).await?;
        Ok(id)
    }
}

/// Takes a descriptor for a layer of that name, writes the name beside it, and reserves it. None where others were faster.
pub(super) async fn make_named(
    core: &Rc<Core>,
    wanted: &Wanted,
    facts: &Facts,
    deadline: Instant,
) -> Result<Option<Made>, DiskError> {
    let name = &wanted.name;
    match find(core, wanted).await? {
        Holder::Layer(..) => return Err(DiskError::Exists { name: name.clone() }),
        Holder::Pending(number) => {
            mend(core, number, deadline).await?;
            return Ok(None);
        }
        Holder::Nobody => {}
    }
    let Some((hold, id)) = take_free(core, Some(wanted), facts, deadline).await? else { return Ok(None) };
    let name_generation = hold.write_name(id.uid, name).await?;
    match reserve(core, wanted, id).await? {
        Reserved::Done => Ok(Some(Made { hold, id, name_generation })),
        Reserved::Taken => {
            conclude(hold).await?;
            Err(DiskError::Exists { name: name.clone() })
        }
        Reserved::Full => {
            conclude(hold).await?;
            Err(DiskError::DirectoryFull { name: name.clone() })
        }
        Reserved::Pending(number) => {
            // Nobody waits for another's descriptor while he has one of his own (R27).
            conclude(hold).await?;
            mend(core, number, deadline).await?;
            Ok(None)
        }
    }
}

/// Takes a descriptor for a layer that nobody will name. None where others were faster.
pub(super) async fn make_hidden(
    core: &Rc<Core>,
    facts: &Facts,
    deadline: Instant,
) -> Result<Option<Made>, DiskError> {
    let taken = take_free(core, None, facts, deadline).await?;
    Ok(taken.map(|(hold, id)| Made { hold, id, name_generation: Generation(0) }))
}

pub(super) fn check_size(core: &Core, size: ByteCount) -> Result<(), DiskError> {
    let unit = ByteCount(Layer::SIZE_UNIT.0.max(u64::from(core.store.block_size.bytes())));
    let largest = Layer::SIZE_MAX;
    if size.0 == 0 || size.0 > largest.0 || !size.0.is_multiple_of(unit.0) {
        return Err(DiskError::Size { size, unit, largest });
    }
    Ok(())
}

fn ready(record: &DescriptorRecord, name_generation: Generation) -> DescriptorRecord {
    with_layer(record, |layer| Layer { state: LayerState::Ready, name_generation, ..layer })
}

/// Takes a free descriptor, and makes it that of a layer in the making, by one ATS. None where others were faster.
async fn take_free(
    core: &Rc<Core>,
    wanted: Option<&Wanted>,
    facts: &Facts,
    deadline: Instant,
) -> Result<Option<(Hold<DescriptorNumber>, LayerId)>, DiskError> {
    let number = find_free(core).await?;
    let created_wall_ms = core.store.world.clock.wall().milliseconds;
    let (root, root_owned) = facts.root.map_or((None, false), |(root, owned)| (Some(root), owned));
    let making = |uid| Layer {
        state: LayerState::Creating,
        kind: facts.kind,
        flags: LayerFlags { root_owned, thick: facts.thick, ..LayerFlags::default() },
        levels: facts.levels,
        parent: facts.parent,
        size: facts.size,
        root,
        disk: facts.disk.unwrap_or(LayerId { descriptor: number, uid }),
        hash: wanted.map(|wanted| wanted.hash),
        other_hash: None,
        name_generation: Generation(0),
        created_wall_ms,
        allocated: 0,
        server: None,
    };
    let alter = |record: &DescriptorRecord| match record.layer {
        Some(_) => record.clone(),
        None => {
            let uid = DiskUid(record.uid.0 + 1);
            DescriptorRecord { uid, layer: Some(making(uid)), ..record.clone() }
        }
    };
    // A free descriptor is waited for by nobody: one that another takes at this moment is left to him.
    let soon = core.store.now().plus(core.store.timing.beat).min(deadline);
    let hold = match take(core, number, &alter, soon).await {
        Ok(hold) => hold,
        Err(LockError::TimedOut { .. }) => {
            // The attempt may have landed, and the release of what it took leaves a layer in the making.
            let core = Rc::clone(core);
            let until = core.store.now().plus(core.store.timing.lease);
            core.clone().jobs.start(async move { drop(mend(&core, number, until).await) });
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let record = hold.record().await?;
    if record.layer == Some(making(record.uid)) {
        return Ok(Some((hold, LayerId { descriptor: number, uid: record.uid })));
    }
    // Somebody else's; what he left under way is brought to its end by the way.
    conclude(hold).await?;
    Ok(None)
}

/// A descriptor that nothing uses and nobody holds, looked for behind the one that this host found last: hosts begin at
/// places of their own, so that they do not all want the same.
async fn find_free(core: &Core) -> Result<DescriptorNumber, DiskError> {
    let count = core.store.layout.descriptor_count();
    let start = core.free_descriptor.get().unwrap_or_else(|| {
        let slots = u64::from(core.store.layout.slot_count().max(1));
        u32::try_from(u64::from(core.me.slot.0) * u64::from(count) / slots).unwrap_or(0)
    });
    let mut next = DescriptorNumber(if start < count { start } else { 0 });
    let mut looked_at = 0;
    // Once around, and the part that was begun with once more.
    while looked_at <= count {
        let (some, behind) = read_some(core, next).await?;
        looked_at += behind.0.saturating_sub(next.0).max(1);
        let free = some.iter().find(|described| {
            let record = &described.seen.stamped.record;
            record.layer.is_none() && record.lock.owner.is_none()
        });
        if let Some(free) = free {
            core.free_descriptor.set(Some(free.number.0 + 1));
            return Ok(free.number);
        }
        next = if behind.0 < count { behind } else { DescriptorNumber(0) };
    }
    Err(DiskError::DescriptorsFull { count })
}
