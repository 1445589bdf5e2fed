//! What other threads ask of the engine about disks, and the disk that it holds for them.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use oarlock_block::ByteCount;
use oarlock_device::{BootClock, FileDevice};
use oarlock_engine::Progress;
use oarlock_engine::path::DataPath;
use oarlock_format::{DiskTarget, HostName, LayerId, LayerName};

use crate::api::{DiskDetails, DiskEntry};
use crate::error::HostError;
use crate::request::{Engine, Reply, Request};

/// One question or verb.
pub(crate) enum DiskRequest {
    List(Reply<Vec<DiskEntry>>),
    Show { name: LayerName, reply: Reply<DiskDetails> },
    Progress { name: LayerName, reply: Reply<Option<Progress>> },
    Change { change: Change, reply: Reply<()> },
    Attach { target: DiskTarget, share: Share, coming: Coming, reply: Reply<HeldDisk> },
    Receive { name: LayerName, reply: Reply<(HeldDisk, Arrival)> },
    HandOff { name: LayerName, to: HostName, wait: Duration, reply: Reply<Duration> },
}

/// Who else may have a disk while it is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// Nobody: it is written.
    Nobody,
    /// Others who read.
    Readers,
    /// Others who write as well.
    Writers,
}

/// Who attaches a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coming {
    /// Somebody who asked for it now.
    New,
    /// This host, whose last life had it: not where another host had it since.
    Back,
}

/// What becomes of a disk that is to come from another host: it is there, or will not come. Nothing where it is not waited for any more.
pub(crate) type Arrival = oneshot::Receiver<Result<(), HostError>>;

/// What is to become of a disk.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Create { name: LayerName, size: ByteCount, thick: bool },
    Rename { name: LayerName, to: LayerName },
    Resize { name: LayerName, size: ByteCount },
    Delete(DiskTarget),
    Snapshot { disk: LayerName, snapshot: LayerName },
    Revert { disk: LayerName, snapshot: LayerName },
    Clone { from: DiskTarget, to: LayerName },
    Flatten { name: LayerName },
}

/// A disk that the engine's thread has attached for an export. Dropping it detaches it in the background.
pub(crate) struct HeldDisk {
    pub(crate) id: LayerId,
    pub(crate) path: Arc<DataPath>,
    pub(crate) is_read_only: bool,
    /// The engine's own description of the device: what is out on it keeps the host's slot (R13).
    pub(crate) device: FileDevice,
    pub(crate) clock: BootClock,
    pub(crate) hold: Duration,
    pub(crate) detach: mpsc::UnboundedSender<Reply<()>>,
}

impl HeldDisk {
    /// Whether it is still to come from another host.
    pub(crate) fn is_awaited(&self) -> bool {
        self.path.lease_end().since_zero().is_zero()
    }

    /// Detaches it; resolves once it is another's to have, or the host has ended.
    ///
    /// # Errors
    /// Why it is attached still. It may be tried again.
    pub(crate) async fn detach(&self) -> Result<(), HostError> {
        let (reply, answer) = oneshot::channel();
        if self.detach.unbounded_send(reply).is_err() {
            return Ok(());
        }
        // Without an answer the host has ended, and the disk is nobody's here.
        answer.await.unwrap_or(Ok(()))
    }
}

impl Engine {
    pub(crate) async fn disks(&self) -> Result<Vec<DiskEntry>, HostError> {
        self.ask(|reply| Request::Disk(DiskRequest::List(reply))).await
    }

    pub(crate) async fn disk(&self, name: LayerName) -> Result<DiskDetails, HostError> {
        self.ask(|reply| Request::Disk(DiskRequest::Show { name, reply })).await
    }

    pub(crate) async fn disk_progress(&self, name: LayerName) -> Result<Option<Progress>, HostError> {
        self.ask(|reply| Request::Disk(DiskRequest::Progress { name, reply })).await
    }

    pub(crate) async fn change_disk(&self, change: Change) -> Result<(), HostError> {
        self.ask(|reply| Request::Disk(DiskRequest::Change { change, reply })).await
    }

    pub(crate) async fn attach_disk(
        &self,
        target: DiskTarget,
        share: Share,
        coming: Coming,
    ) -> Result<HeldDisk, HostError> {
        self.ask(|reply| Request::Disk(DiskRequest::Attach { target, share, coming, reply })).await
    }

    pub(crate) async fn receive_disk(&self, name: LayerName) -> Result<(HeldDisk, Arrival), HostError> {
        self.ask(|reply| Request::Disk(DiskRequest::Receive { name, reply })).await
    }

    /// How long clients could begin nothing.
    pub(crate) async fn hand_off_disk(
        &self,
        name: LayerName,
        to: HostName,
        wait: Duration,
    ) -> Result<Duration, HostError> {
        self.ask(|reply| Request::Disk(DiskRequest::HandOff { name, to, wait, reply })).await
    }
}
