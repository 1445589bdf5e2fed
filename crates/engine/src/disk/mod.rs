//! Disks by name: create, rename, delete, list, look up; and the locks of what they consist of.
//!
//! Each step is one ATS, durable before the next (R12). Whoever finds the steps of a host that is gone brings them to an end
//! or undoes them, once its lock is broken: see `conclude`.
//!
//! ```text
//!   create   descriptor: creating --> name --> entry --> (thick: map, zeros) --> descriptor: ready, released
//!   rename   descriptor: renaming --> new entry --> new name --> descriptor: ready --> old entry out --> released
//!   delete   descriptor: doomed --> entry out --> released --> what it owns comes free --> descriptor: free
//! ```

mod absorb;
mod attach;
mod below;
mod conclude;
mod count;
mod create;
mod delete;
mod enter;
mod error;
mod find;
mod flatten;
mod handoff;
pub(crate) mod here;
mod incoming;
mod list;
mod name_anew;
mod opened;
mod rename;
mod resize;
mod served;
mod settle;
mod snapshot;
mod tend;
mod thick;
mod worked;

use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{Either, select};
use oarlock_block::{ByteCount, Instant};
use oarlock_format::{DescriptorNumber, DiskTarget, GroupNumber, HostName, LayerId, LayerName};

use crate::core::Core;
use crate::decide::Want;
use crate::guard::Guard;
use crate::hold;
use crate::home::BringHome;
use crate::host::Host;
use crate::places::LockPolicy;

use attach::{AttachMode, Coming};
use here::DisksHere;

pub(crate) use conclude::is_under_way;
pub(crate) use enter::enter;
pub(crate) use name_anew::name_anew;
pub(crate) use tend::is_unneeded;

pub use attach::Attachment;
pub use error::{DiskError, Holders, InUseBy};
pub use handoff::HandedOver;
pub use incoming::Incoming;
pub use list::{DiskRow, SnapshotRow};
pub use thick::Progress;

impl Host {
    /// Makes an empty disk: all of it reads as zeros. Once it is answered, the disk survives a power cut. `deadline` bounds
    /// only the waiting for others: what was begun is brought to its end, or undone, even where the future is dropped.
    ///
    /// # Errors
    /// Why there is no new disk of that name.
    pub async fn create_disk(
        &self,
        name: &LayerName,
        size: ByteCount,
        deadline: Instant,
    ) -> Result<LayerId, DiskError> {
        let (core, name) = (Rc::clone(&self.core), name.clone());
        self.see_through(async move { create::create(&core, &name, size, deadline).await }).await
    }

    /// Makes a thick disk: all of its clusters are allocated, and zeroed. Until it is answered there is no such disk: where it
    /// stops half way, and where the future is dropped, what was made is undone, by this host or another. As for `deadline`,
    /// see [`Host::create_disk`].
    ///
    /// # Errors
    /// Why there is no new disk of that name; [`DiskError::NoRoom`] before anything is made.
    pub async fn create_thick_disk(
        &self,
        name: &LayerName,
        size: ByteCount,
        deadline: Instant,
    ) -> Result<LayerId, DiskError> {
        let (here, name) = (self.disks_here()?, name.clone());
        let filled = here.begin_work(&name)?;
        // Dropped with this future, whose caller has gone away.
        let _wanted = filled.work.wanted();
        let create = async move { thick::create(&here, (&name, size), &filled.work, deadline).await };
        self.see_through(create).await
    }

    /// How far the making of a thick disk of that name has come, or the growing of one, on this host.
    #[must_use]
    pub fn disk_progress(&self, name: &LayerName) -> Option<Progress> {
        self.disks.as_ref().and_then(|here| here.work_on(name)).map(|work| work.progress())
    }

    /// Gives a disk that nobody uses another name. As for `deadline`, see [`Host::create_disk`].
    ///
    /// # Errors
    /// Why it has its old name.
    pub async fn rename_disk(
        &self,
        name: &LayerName,
        new: &LayerName,
        deadline: Instant,
    ) -> Result<(), DiskError> {
        let (here, name, new) = (self.disks_here()?, name.clone(), new.clone());
        self.see_through(async move { rename::rename(&here, &name, &new, deadline).await }).await
    }

    /// Deletes a disk that nobody uses and that has no snapshots. Once it is answered the name is gone; what the disk held comes
    /// free in the background, and where this host ends over that, on another. As for `deadline`, see [`Host::create_disk`].
    ///
    /// # Errors
    /// Why it is still there.
    pub async fn delete_disk(&self, name: &LayerName, deadline: Instant) -> Result<(), DiskError> {
        let (here, name) = (self.disks_here()?, name.clone());
        self.see_through(async move { delete::delete(&here, &name, deadline).await }).await
    }

    /// Attaches a disk, alone, or a disk or a snapshot to be read only. As for `deadline`, see [`Host::create_disk`].
    ///
    /// # Errors
    /// Why it is not attached: [`DiskError::InUse`] says by whom it is.
    pub async fn attach_disk(
        &self,
        target: &DiskTarget,
        read_only: bool,
        deadline: Instant,
    ) -> Result<Attachment, DiskError> {
        let mode = if read_only { AttachMode::ReadOnly } else { AttachMode::Exclusive };
        let (here, target) = (self.disks_here()?, target.clone());
        let attach = async move { attach::attach(&here, &target, (mode, Coming::New), deadline).await };
        self.see_through(attach).await
    }

    /// As [`attach_disk`](Host::attach_disk), alone, for a host whose last life had the disk so: it does not take it from whoever had it
    /// since, nor behind him.
    ///
    /// # Errors
    /// As there, and [`DiskError::MovedOn`].
    pub async fn attach_disk_again(
        &self,
        disk: &LayerName,
        deadline: Instant,
    ) -> Result<Attachment, DiskError> {
        let here = self.disks_here()?;
        let target = DiskTarget { disk: disk.clone(), snapshot: None };
        let how = (AttachMode::Exclusive, Coming::Back);
        self.see_through(async move { attach::attach(&here, &target, how, deadline).await }).await
    }

    /// Attaches a disk that is full, to be written by this host and by others that attach it so, at once (R34). Its map, size and
    /// name stay what they are as long as anybody has it so. As for `deadline`, see [`Host::create_disk`].
    ///
    /// # Errors
    /// Why it is not attached: [`DiskError::NotForMany`] where it is not full; [`DiskError::InUse`] where somebody has it alone,
    /// or reads it.
    pub async fn share_disk(&self, disk: &LayerName, deadline: Instant) -> Result<Attachment, DiskError> {
        let here = self.disks_here()?;
        let target = DiskTarget { disk: disk.clone(), snapshot: None };
        let attach =
            async move { attach::attach(&here, &target, (AttachMode::Shared, Coming::New), deadline).await };
        self.see_through(attach).await
    }

    /// Stands beside the host that has a disk attached, to be handed it over (R28): the data path is there, and holds what is asked of
    /// it until [`Incoming::take_up`]. As for `deadline`, see [`Host::create_disk`].
    ///
    /// # Errors
    /// Why nobody will hand it over: [`DiskError::NoOwner`] where no living host has it, [`DiskError::Received`] where another host is
    /// to get it.
    pub async fn receive_disk(&self, name: &LayerName, deadline: Instant) -> Result<Incoming, DiskError> {
        let (here, name) = (self.disks_here()?, name.clone());
        self.see_through(async move { incoming::receive(&here, &name, deadline).await }).await
    }

    /// Hands a disk that this host has attached over to a host that [waits for it](Host::receive_disk), while guests use it: their
    /// requests wait for a moment; those that have not begun by then are turned away, and are the other host's to do. Where it fails
    /// this host goes on with it. As for `deadline`, see [`Host::create_disk`]; what was sent at last is waited for beyond it.
    ///
    /// # Errors
    /// Why this host has it still.
    pub async fn hand_off_disk(
        &self,
        name: &LayerName,
        to: &HostName,
        deadline: Instant,
    ) -> Result<HandedOver, DiskError> {
        let (here, name, to) = (self.disks_here()?, name.clone(), to.clone());
        self.see_through(async move { handoff::hand_off(&here, &name, &to, deadline).await }).await
    }

    /// Lets a disk grow, which this host may have attached. As for `deadline`, see [`Host::create_disk`].
    ///
    /// # Errors
    /// Why it has the size that it had.
    pub async fn resize_disk(
        &self,
        name: &LayerName,
        size: ByteCount,
        deadline: Instant,
    ) -> Result<(), DiskError> {
        let (here, name) = (self.disks_here()?, name.clone());
        self.see_through(async move { resize::resize(&here, &name, size, deadline).await }).await
    }

    /// Makes a snapshot of a disk, which this host may have attached: of what its guests were answered by now. As for
    /// `deadline`, see [`Host::create_disk`].
    ///
    /// # Errors
    /// Why there is none.
    pub async fn snapshot_disk(
        &self,
        disk: &LayerName,
        snapshot: &LayerName,
        deadline: Instant,
    ) -> Result<LayerId, DiskError> {
        let (here, disk, snapshot) = (self.disks_here()?, disk.clone(), snapshot.clone());
        self.see_through(async move { snapshot::snapshot(&here, &disk, &snapshot, deadline).await }).await
    }

    /// Makes a new disk that shows what a snapshot, or a disk as it is now, shows. As for `deadline`, see
    /// [`Host::create_disk`].
    ///
    /// # Errors
    /// Why there is none.
    pub async fn clone_disk(
        &self,
        from: &DiskTarget,
        new: &LayerName,
        deadline: Instant,
    ) -> Result<LayerId, DiskError> {
        let (here, from, new) = (self.disks_here()?, from.clone(), new.clone());
        self.see_through(async move { snapshot::clone(&here, &from, &new, deadline).await }).await
    }

    /// Lets a disk that nobody has attached show again what its snapshot shows; what it showed since is lost. As for
    /// `deadline`, see [`Host::create_disk`].
    ///
    /// # Errors
    /// Why it shows what it did.
    pub async fn revert_disk(
        &self,
        disk: &LayerName,
        snapshot: &LayerName,
        deadline: Instant,
    ) -> Result<(), DiskError> {
        let (here, disk, snapshot) = (self.disks_here()?, disk.clone(), snapshot.clone());
        self.see_through(async move { snapshot::revert(&here, &disk, &snapshot, deadline).await }).await
    }

    /// Copies everything that a disk reads of the layers below it, so that it needs none; this host may have it attached. Where
    /// it stops half way nothing is lost, and it may be asked for again. As for `deadline`, see [`Host::create_disk`].
    ///
    /// # Errors
    /// Why it still stands above others.
    pub async fn flatten_disk(&self, name: &LayerName, deadline: Instant) -> Result<(), DiskError> {
        let (here, name) = (self.disks_here()?, name.clone());
        self.see_through(async move { flatten::flatten(&here, &name, deadline).await }).await
    }

    /// Deletes a snapshot. No data moves: what the layer above it uses becomes that layer's own, the rest comes free, in the
    /// background; where several stand above it, it stays without a name until one is left. As for `deadline`, see
    /// [`Host::create_disk`].
    ///
    /// # Errors
    /// Why it is still there.
    pub async fn delete_snapshot(
        &self,
        disk: &LayerName,
        snapshot: &LayerName,
        deadline: Instant,
    ) -> Result<(), DiskError> {
        let here = self.disks_here()?;
        let target = DiskTarget { disk: disk.clone(), snapshot: Some(snapshot.clone()) };
        self.see_through(async move { snapshot::delete_snapshot(&here, &target, deadline).await }).await
    }

    /// Brings to an end what other hosts began with layers and left, and frees what nobody needs, as far as locks allow. One
    /// read of all descriptors, and what there is to do.
    ///
    /// # Errors
    /// What stood in the way.
    pub async fn tend_layers(&self) -> Result<(), DiskError> {
        let here = self.disks_here()?;
        self.see_through(async move { tend::tend_all(&here).await }).await
    }

    fn disks_here(&self) -> Result<Rc<DisksHere>, DiskError> {
        self.disks.clone().ok_or(DiskError::NoDisks)
    }

    /// The disk of that name.
    ///
    /// # Errors
    /// [`DiskError::Unknown`] where there is none; otherwise what could not be read.
    pub async fn disk(&self, name: &LayerName) -> Result<DiskRow, DiskError> {
        list::show(&self.core, name).await
    }

    /// The bytes of the clusters that nobody owns: in groups of other hosts as when those released them last. Where there are
    /// many groups, some of them are looked at and tell for all.
    ///
    /// # Errors
    /// What could not be read.
    pub async fn free_space(&self) -> Result<ByteCount, DiskError> {
        count::free(&*self.disks_here()?).await
    }

    /// The bytes of the clusters of data that a disk owns, by a walk over its map. Where another host has the disk, as it was
    /// when that one brought it home last.
    ///
    /// # Errors
    /// [`DiskError::Unknown`] where there is no such disk; otherwise what could not be read.
    pub async fn allocated(&self, name: &LayerName) -> Result<ByteCount, DiskError> {
        count::allocated(&self.disks_here()?, name).await
    }

    /// What a layer is called; none where it has no name (any more).
    ///
    /// # Errors
    /// What could not be read.
    pub async fn layer_name(&self, id: LayerId) -> Result<Option<DiskTarget>, DiskError> {
        count::target_of(&self.core, id).await
    }

    /// The snapshots of a disk, in the order in which they were made. One read of all descriptors.
    ///
    /// # Errors
    /// [`DiskError::Unknown`] where there is no such disk; otherwise what could not be read.
    pub async fn snapshots(&self, disk: &LayerName) -> Result<Vec<SnapshotRow>, DiskError> {
        list::snapshots(&self.core, disk).await
    }

    /// All disks, by name. What a dead host left half done is brought to an end or undone in the background.
    ///
    /// # Errors
    /// What could not be read.
    pub async fn disks(&self) -> Result<Vec<DiskRow>, DiskError> {
        list::list(&self.core).await
    }

    /// Takes the lock of a disk or another layer: alone to write it, or shared to read it. Taken alone, it is durable (R12).
    ///
    /// # Errors
    /// Why it was not got: [`DiskError::NoDescriptor`] where there is none of that number.
    pub async fn hold_layer(
        &self,
        descriptor: DescriptorNumber,
        want: Want,
        deadline: Instant,
    ) -> Result<Guard, DiskError> {
        has_disks(&self.core)?;
        let count = self.core.store.layout.descriptor_count();
        if descriptor.0 >= count {
            return Err(DiskError::NoDescriptor { descriptor, count });
        }
        let place = self.core.places.descriptors.of(&descriptor);
        Ok(hold::hold(&self.core, place, want, deadline).await?.into_guard())
    }

    /// Takes the lock of an allocation group, alone. It is sticky: this host keeps it when the guard is dropped, until
    /// another host is interested, and gives it up once its pages are home (R12, R26).
    ///
    /// # Errors
    /// Why it was not got: [`DiskError::NoGroup`] where there is none of that number, [`crate::LockError::Unopened`] of one that a
    /// growth has not opened yet.
    pub async fn hold_group(&self, group: GroupNumber, deadline: Instant) -> Result<Guard, DiskError> {
        has_disks(&self.core)?;
        let count = self.core.superblock().record.space().groups();
        if group.0 >= count {
            return Err(DiskError::NoGroup { group, count });
        }
        let place = self.core.places.groups.of(&group);
        place.policy.set(LockPolicy { sticky: true });
        Ok(hold::hold(&self.core, place, Want::Exclusive, deadline).await?.into_guard())
    }

    /// From now on no lock of a layer or a group is given up before `home` brought home what it guards (R12).
    pub fn bring_home_by(&self, home: Rc<dyn BringHome>) {
        self.core.set_home(home);
    }

    /// Runs an operation as a job of the host's: whoever asked for it may go away, and it leaves nothing half done.
    async fn see_through<T: 'static>(
        &self,
        operation: impl Future<Output = Result<T, DiskError>> + 'static,
    ) -> Result<T, DiskError> {
        if let Some(ended) = self.core.ended() {
            return Err(ended.into());
        }
        let (sender, receiver) = oneshot::channel();
        self.core.jobs.start(async move { drop(sender.send(operation.await)) });
        let ended = self.core.until_ended();
        futures::pin_mut!(ended);
        match select(receiver, ended).await {
            Either::Left((Ok(result), _)) => result,
            Either::Left((Err(oneshot::Canceled), ended)) => Err(ended.await.into()),
            Either::Right((ended, _)) => Err(ended.into()),
        }
    }
}

/// Whether the datastore has what disks need.
fn has_disks(core: &Core) -> Result<(), DiskError> {
    if core.superblock().record.has_disks() { Ok(()) } else { Err(DiskError::NoDisks) }
}

/// An operation that others spoil is begun anew so often; then they are too many.
const ROUNDS_MAX: u32 = 32;

/// The first rounds follow at once; from then on the others are given a part of a beat.
const ROUNDS_AT_ONCE: u32 = 4;

/// Whether there is time for another round.
async fn next_round(
    core: &Core,
    round: &mut u32,
    name: &LayerName,
    deadline: Instant,
) -> Result<(), DiskError> {
    *round += 1;
    if *round > ROUNDS_AT_ONCE {
        core.store.world.pause(core.store.world.jitter(core.store.timing.beat / 8)).await;
    }
    if *round > ROUNDS_MAX || (*round > 1 && core.store.now() >= deadline) {
        return Err(DiskError::Busy { name: name.clone() });
    }
    Ok(())
}
