//! Attaching a disk or a snapshot: its lock, its map in memory, its data path; and detaching it (R7, R12).

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use futures::lock::{Mutex, OwnedMutexGuard};
use oarlock_block::Instant;
use oarlock_format::{DescriptorNumber, DescriptorRecord, DiskTarget, LayerId, LayerName};

use super::conclude::{conclude, is_under_way};
use super::find::{find_target, in_use_by, is_ready};
use super::here::DisksHere;
use super::opened::Opened;
use super::served::{note_server, stay_away};
use super::settle::{settle_parent, settle_root};
use super::tend::{tend_parent_soon, tend_soon};
use super::{DiskError, has_disks, next_round};
use crate::attached::{AttachedDisk, DetachError};
use crate::core::Core;
use crate::decide::Want;
use crate::descriptor::read;
use crate::hold::hold;
use crate::lock::LockError;
use crate::path::{DataPath, PathMode};
use crate::waiting::Waiting;

/// How a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttachMode {
    /// To be written by this host alone.
    Exclusive,
    /// To be read, by any number of hosts.
    ReadOnly,
    /// To be written by this host and others (R34).
    Shared,
}

impl AttachMode {
    pub(super) const fn want(self) -> Want {
        match self {
            AttachMode::Exclusive => Want::Exclusive,
            AttachMode::ReadOnly => Want::Shared,
            AttachMode::Shared => Want::MultiWriter,
        }
    }
}

/// Who attaches a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coming {
    /// Somebody who asked for it now.
    New,
    /// A host whose last life had it: whoever had it since is not disturbed.
    Back,
}

/// A disk or snapshot that this host has attached.
pub(super) struct Attached {
    pub(super) id: LayerId,
    pub(super) mode: AttachMode,
    pub(super) opened: Rc<Opened>,
    pub(super) disk: AttachedDisk,
    /// One verb at a time works on it, and so many wait for that.
    turn: Arc<Mutex<()>>,
    waiting: Cell<usize>,
    /// Nobody has it any more, and it is about to be detached.
    pub(super) is_going: Cell<bool>,
}

impl Attached {
    /// Waits until no other verb works on the disk of that name, for a verb of whose time so much is left.
    pub(super) async fn turn(
        &self,
        core: &Core,
        name: &LayerName,
        deadline: Instant,
    ) -> Result<OwnedMutexGuard<()>, DiskError> {
        let limit = deadline.since(core.store.now());
        let _waiting = Waiting::among(&self.waiting);
        let turn = core.store.world.within(limit, self.turn_at_last()).await;
        turn.ok_or_else(|| DiskError::TurnTaken { name: name.clone() })
    }

    /// The same, for work that nobody waits for: whatever has the turn ends in time.
    pub(super) async fn turn_at_last(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Whether a verb waits for another, or for work that nobody waits for.
    pub(super) fn has_waiting_verbs(&self) -> bool {
        self.waiting.get() > 0
    }
}

/// An attached disk or snapshot, for whoever exports it. Dropping it detaches it in the background.
pub struct Attachment {
    here: Rc<DisksHere>,
    attached: Rc<Attached>,
    is_detached: Cell<bool>,
}

impl Attachment {
    /// Which layer it is.
    #[must_use]
    pub fn id(&self) -> LayerId {
        self.attached.id
    }

    /// Whether nothing can be written to it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.attached.mode == AttachMode::ReadOnly
    }

    /// What operations are driven against, by any thread.
    #[must_use]
    pub fn path(&self) -> &Arc<DataPath> {
        self.attached.disk.path()
    }

    /// Detaches it: no operation begins any more, everything goes home, and the lock is given up.
    ///
    /// # Errors
    /// Why it is attached still. Its path is paused, and this may be tried again.
    pub async fn detach(&self) -> Result<(), DiskError> {
        if self.is_detached.get() {
            return Ok(());
        }
        detach(&self.here, &self.attached).await?;
        self.is_detached.set(true);
        Ok(())
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if self.is_detached.get() {
            return;
        }
        self.attached.is_going.set(true);
        let (here, attached) = (Rc::clone(&self.here), Rc::clone(&self.attached));
        self.here.core.jobs.start(async move {
            while here.core.ended().is_none() && detach(&here, &attached).await.is_err() {
                here.core.store.world.pause(here.core.store.timing.beat).await;
            }
        });
    }
}

async fn detach(here: &Rc<DisksHere>, attached: &Attached) -> Result<(), DiskError> {
    let _turn = attached.turn_at_last().await;
    if here.attached(attached.opened.number()).is_none_or(|known| !std::ptr::eq(&*known, attached)) {
        return Ok(());
    }
    attached.disk.detach().await.map_err(|error| not_detached(attached, error))?;
    let parent = attached.opened.facts().await?.parent;
    here.note_detached(attached.opened.number());
    attached.opened.close(&DescriptorRecord::clone).await?;
    if let Some(parent) = parent {
        tend_soon(here, parent);
    }
    Ok(())
}

/// Why a disk did not come to its end here.
pub(super) fn not_detached(attached: &Attached, error: DetachError) -> DiskError {
    match error {
        DetachError::Quarantined { .. } => attached.disk.unquiet().into(),
        DetachError::Space(error) => error.into(),
        DetachError::Changed => DiskError::Changed { descriptor: attached.opened.number() },
    }
}

/// Takes the lock of the disk or snapshot, and serves it from then on. A snapshot is read only.
pub(super) async fn attach(
    here: &Rc<DisksHere>,
    target: &DiskTarget,
    (mode, coming): (AttachMode, Coming),
    deadline: Instant,
) -> Result<Attachment, DiskError> {
    let core = &here.core;
    has_disks(core)?;
    let mode = if target.snapshot.is_some() { AttachMode::ReadOnly } else { mode };
    let mut round = 0;
    loop {
        next_round(core, &mut round, &target.disk, deadline).await?;
        let Some((number, found)) = find_target(core, target, deadline).await? else { continue };
        if here.attached_to_stay(number, deadline).await.is_some() {
            return Err(DiskError::AttachedHere { name: target.to_string() });
        }
        if coming == Coming::Back {
            stay_away(core, &target.disk, &found).await?;
        }
        let place = core.places.descriptors.of(&number);
        let hold = match hold(core, place, mode.want(), deadline).await {
            Ok(hold) => hold,
            Err(LockError::NotForMany { .. }) if is_as_found(core, number, &found).await? => {
                let why = "it is not allocated in full, or stands on a snapshot";
                return Err(DiskError::NotForMany { name: target.to_string(), why });
            }
            Err(LockError::NotForMany { .. }) => continue,
            Err(error) => return Err(in_use_by(here, target, number, error).await),
        };
        let record = hold.record().await?;
        if !is_ready(&record, &found) {
            // Another was faster; what he left under way is brought to its end by the way.
            if mode == AttachMode::Exclusive && record.layer.as_ref().is_some_and(is_under_way) {
                conclude(hold).await?;
            }
            continue;
        }
        if coming == Coming::Back {
            stay_away(core, &target.disk, &record).await?;
        }
        if mode == AttachMode::Exclusive {
            settle_parent(core, &record, deadline).await?;
            settle_root(core, &hold).await?;
            note_server(core, &hold).await?;
        }
        let opened = Opened::open(here, hold).await?;
        let facts = opened.facts().await?;
        let path_mode = PathMode {
            read_only: mode == AttachMode::ReadOnly,
            shared: mode == AttachMode::Shared,
            thick: facts.flags.thick,
            full: facts.flags.full,
        };
        let disk = AttachedDisk::attach(opened.layer(), facts.size.0, path_mode);
        let id = LayerId { descriptor: number, uid: record.uid };
        return Ok(begin_to_serve(here, (id, mode), opened, disk));
    }
}

/// Whether it is still the layer that was found, under that name, with nothing under way.
async fn is_as_found(
    core: &Core,
    number: DescriptorNumber,
    found: &DescriptorRecord,
) -> Result<bool, DiskError> {
    let seen = read::<DescriptorRecord>(core, core.store.layout.descriptor(number)).await?;
    Ok(is_ready(&seen.stamped.record, found))
}

/// Serves a disk from now on that this host holds.
pub(super) fn begin_to_serve(
    here: &Rc<DisksHere>,
    (id, mode): (LayerId, AttachMode),
    opened: Rc<Opened>,
    disk: AttachedDisk,
) -> Attachment {
    let (turn, waiting, is_going) = (Arc::default(), Cell::new(0), Cell::new(false));
    let attached = Rc::new(Attached { id, mode, opened, disk, turn, waiting, is_going });
    here.note_attached(id.descriptor, &attached);
    here.core.jobs.start(serve(Rc::clone(&here.core), Rc::clone(&attached)));
    // One that was deleted while this disk was in use elsewhere waits to be absorbed.
    tend_parent_soon(here, &attached.opened);
    Attachment { here: Rc::clone(here), attached, is_detached: Cell::new(false) }
}

/// The path of a disk that nobody serves any more is dead: whoever waits on it must hear so.
struct Served(Arc<DataPath>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.die();
    }
}

async fn serve(core: Rc<Core>, attached: Rc<Attached>) {
    let _served = Served(Arc::clone(attached.disk.path()));
    attached.disk.serve().await;
    core.changed.announce();
}
