//! The engine's thread at work on disks: each verb is a task of its own, and so is each disk that is held for an export.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::stream::StreamExt;
use oarlock_block::{ByteCount, Instant, WallTime};
use oarlock_causes::Action;
use oarlock_engine::path::DataPath;
use oarlock_engine::{Attachment, DiskError, DiskRow, Holders, SnapshotRow};
use oarlock_format::{DiskTarget, LayerId, LayerName};

use super::request::{Change, Coming, DiskRequest, HeldDisk, Share};
use crate::api::{AttachedEntry, DiskDetails, DiskEntry, SnapshotEntry};
use crate::error::HostError;
use crate::request::Reply;
use crate::serve::{Keeper, answer};
use crate::text::time_text;

/// A lock is waited for so many beats before somebody looks whether its owner lives.
const BEATS_TO_LOOK: u32 = 2;

/// Whoever asked does not wait for ever: a lock of a silent host is waited for so long at most.
const PATIENCE_MAX: Duration = Duration::from_secs(120);

/// A detach may take so long: most of it is bringing pages home. Where the device stays silent the host ends by itself.
const DETACH_LIMIT: Duration = Duration::from_secs(60);

impl Keeper {
    pub(crate) async fn attend_disk(&self, request: DiskRequest) {
        match request {
            DiskRequest::List(reply) => answer(reply, self.disk_entries()).await,
            DiskRequest::Show { name, reply } => answer(reply, self.disk_details(&name)).await,
            DiskRequest::Progress { name, reply } => {
                // Where nobody listens any more, nobody needs to know.
                let _ = reply.send(Ok(self.host.disk_progress(&name)));
            }
            DiskRequest::Change { change, reply } => answer(reply, self.change_disk(&change)).await,
            DiskRequest::Attach { target, share, coming, reply } => {
                self.attach(&target, (share, coming), reply).await;
            }
            DiskRequest::Receive { name, reply } => self.receive(&name, reply).await,
            DiskRequest::HandOff { name, to, wait, reply } => {
                answer(reply, self.hand_off(&name, &to, wait)).await;
            }
        }
    }

    async fn disk_entries(&self) -> Result<Vec<DiskEntry>, HostError> {
        let rows = self.host.disks().await?;
        Ok(rows.iter().map(entry).collect())
    }

    async fn disk_details(&self, name: &LayerName) -> Result<DiskDetails, HostError> {
        let row = self.host.disk(name).await?;
        let snapshots = self.host.snapshots(name).await?;
        // What is being changed under the walk is no reason to tell nothing of the disk.
        let allocated = self.host.allocated(name).await.ok();
        let parent = match row.parent {
            Some(parent) => self.host.layer_name(parent).await?,
            None => None,
        };
        let DiskEntry { name, size, state, owner, mode, attached } = entry(&row);
        Ok(DiskDetails {
            name,
            size,
            allocated: allocated.map(|ByteCount(bytes)| bytes),
            cluster_size: self.host.superblock().record.cluster_size.0,
            state,
            owner,
            mode,
            snapshots: snapshots.iter().map(snapshot_entry).collect(),
            parent: parent.map(|parent| parent.to_string()),
            attached,
            thick: row.thick,
            full: row.full,
            time: time_text(WallTime { milliseconds: row.created_wall_ms }),
        })
    }

    async fn change_disk(&self, change: &Change) -> Result<(), HostError> {
        self.may_change()?;
        let done = self.patiently(async |deadline| self.change_by(change, deadline).await).await;
        if done.is_ok() {
            self.counted.is_over();
        }
        done
    }

    async fn change_by(&self, change: &Change, deadline: Instant) -> Result<(), DiskError> {
        let host = &self.host;
        match change {
            Change::Create { name, size, thick: false } => {
                host.create_disk(name, *size, deadline).await.map(drop)
            }
            Change::Create { name, size, thick: true } => {
                host.create_thick_disk(name, *size, deadline).await.map(drop)
            }
            Change::Rename { name, to } => host.rename_disk(name, to, deadline).await,
            Change::Resize { name, size } => host.resize_disk(name, *size, deadline).await,
            Change::Delete(DiskTarget { disk, snapshot: None }) => host.delete_disk(disk, deadline).await,
            Change::Delete(DiskTarget { disk, snapshot: Some(snapshot) }) => {
                host.delete_snapshot(disk, snapshot, deadline).await
            }
            Change::Snapshot { disk, snapshot } => {
                host.snapshot_disk(disk, snapshot, deadline).await.map(drop)
            }
            Change::Revert { disk, snapshot } => host.revert_disk(disk, snapshot, deadline).await,
            Change::Clone { from, to } => host.clone_disk(from, to, deadline).await.map(drop),
            Change::Flatten { name } => host.flatten_disk(name, deadline).await,
        }
    }

    /// Attaches a disk, and holds it until it is to be detached.
    async fn attach(&self, target: &DiskTarget, how: (Share, Coming), reply: Reply<HeldDisk>) {
        let attached = match self.may_change() {
            Ok(()) => self.patiently(async |deadline| self.attach_as(target, how, deadline).await).await,
            Err(refusal) => Err(refusal),
        };
        let attachment = match attached {
            Ok(attachment) => attachment,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let (detach, orders) = mpsc::unbounded();
        let held = self.held((attachment.id(), attachment.is_read_only()), attachment.path(), detach);
        // Where nobody listens any more, the orders end with the answer, and the disk is detached.
        drop(reply.send(Ok(held)));
        self.hold_disk(attachment, orders).await;
    }

    async fn attach_as(
        &self,
        target: &DiskTarget,
        (share, coming): (Share, Coming),
        deadline: Instant,
    ) -> Result<Attachment, DiskError> {
        match (share, &target.snapshot) {
            (Share::Nobody, None) if coming == Coming::Back => {
                self.host.attach_disk_again(&target.disk, deadline).await
            }
            (Share::Writers, None) => self.host.share_disk(&target.disk, deadline).await,
            (Share::Writers, Some(_)) => {
                Err(DiskError::NotForMany { name: target.to_string(), why: "a snapshot is only read" })
            }
            (Share::Nobody, _) => self.host.attach_disk(target, false, deadline).await,
            (Share::Readers, _) => self.host.attach_disk(target, true, deadline).await,
        }
    }

    /// What others need of a disk that this thread holds.
    pub(super) fn held(
        &self,
        (id, is_read_only): (LayerId, bool),
        path: &Arc<DataPath>,
        detach: mpsc::UnboundedSender<Reply<()>>,
    ) -> HeldDisk {
        HeldDisk {
            id,
            path: Arc::clone(path),
            is_read_only,
            device: self.file.clone(),
            clock: self.boot_clock.clone(),
            hold: self.host.timing().hold,
            detach,
        }
    }

    /// Holds the disk until it is detached, nobody has its handle any more, or the host has ended: then the engine lets its path die.
    pub(super) async fn hold_disk(
        &self,
        attachment: Attachment,
        mut orders: mpsc::UnboundedReceiver<Reply<()>>,
    ) {
        let ended = self.host.ended();
        let room = self.retry_where_full(attachment.path());
        futures::pin_mut!(ended, room);
        loop {
            let order = match select(orders.next(), select(&mut ended, &mut room)).await {
                Either::Left((Some(order), _)) => order,
                // Dropped, it is detached in the background.
                Either::Left((None, _)) | Either::Right(_) => return,
            };
            let detached = match select(Box::pin(self.detach(&attachment)), &mut room).await {
                Either::Left((detached, _)) => detached,
                Either::Right(_) => return,
            };
            let is_over = detached.is_ok();
            let _ = order.send(detached.map_err(HostError::from));
            if is_over {
                return;
            }
        }
    }

    /// Detaches a disk. What its guests began may wait for room on the device: then it is attached still, for somebody to ask again.
    async fn detach(&self, attachment: &Attachment) -> Result<(), DiskError> {
        let limit = self.clock.sleep_until(self.clock.now().plus(DETACH_LIMIT));
        match select(Box::pin(attachment.detach()), limit).await {
            Either::Left((detached, _)) => detached,
            Either::Right(_) => Err(DiskError::Unanswered {
                under_way: attachment.path().operations(),
                quarantined: attachment.path().quarantines().len(),
            }),
        }
    }

    /// Writes that the file system below has no room for are held (R24). Nobody tells when there is room again, so it is tried now and
    /// then; never ends.
    async fn retry_where_full(&self, path: &DataPath) {
        let mut is_told = false;
        loop {
            self.clock.sleep_until(self.clock.now().plus(self.host.timing().beat)).await;
            if !path.is_full() {
                is_told = false;
                continue;
            }
            if !is_told {
                let detail =
                    "the device has no room for what guests write: their writes are held, and tried again";
                self.note(Action::Held, detail.to_owned());
                is_told = true;
            }
            path.retry_full();
        }
    }

    /// Tries with little patience first: a lock that a living host has is told at once. One that a silent host has is waited for until
    /// that host can have been taken over.
    pub(super) async fn patiently<T>(
        &self,
        verb: impl AsyncFn(Instant) -> Result<T, DiskError>,
    ) -> Result<T, HostError> {
        let timing = self.host.timing();
        let by = |patience| self.clock.now().plus(patience);
        let error = match verb(by(timing.beat * BEATS_TO_LOOK)).await {
            Err(DiskError::InUse { holders, .. }) if !self.are_seen_alive(&holders).await => None,
            Err(
                DiskError::Lock(oarlock_engine::LockError::TimedOut { .. })
                | DiskError::Busy { .. }
                | DiskError::TurnTaken { .. },
            ) => None,
            Err(error) => Some(error),
            Ok(done) => return Ok(done),
        };
        match error {
            Some(error) => Err(error.into()),
            None => Ok(verb(by(((timing.watch + timing.lease) * 2).min(PATIENCE_MAX))).await?),
        }
    }

    /// Whether all of these hosts were seen to beat just now.
    async fn are_seen_alive(&self, holders: &Holders) -> bool {
        let rows = self.host.hosts().await.unwrap_or_default();
        let lives =
            |name: &str| rows.iter().any(|row| row.name == name && ["live", "held"].contains(&row.state));
        holders.0.iter().all(|holder| lives(&holder.host))
    }

    pub(super) fn may_change(&self) -> Result<(), HostError> {
        if self.read_only {
            return Err(HostError::ReadOnlyHost);
        }
        if self.leaving.get() {
            return Err(oarlock_engine::Ended::Left.into());
        }
        Ok(())
    }
}

fn entry(row: &DiskRow) -> DiskEntry {
    let attached = row.owners.iter().map(|owner| AttachedEntry { host: owner.host.clone(), uri: None });
    let owner = row.owners.first().filter(|_| row.mode == "exclusive");
    DiskEntry {
        name: row.name.as_str().to_owned(),
        size: row.size.0,
        state: row.state.to_owned(),
        owner: owner.map(|owner| owner.host.clone()),
        mode: row.mode.to_owned(),
        attached: attached.collect(),
    }
}

fn snapshot_entry(row: &SnapshotRow) -> SnapshotEntry {
    SnapshotEntry {
        name: row.name.as_str().to_owned(),
        time: time_text(WallTime { milliseconds: row.created_wall_ms }),
        size: row.size.0,
    }
}
