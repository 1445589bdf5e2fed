//! A disk that a verb works on: the attachment of this host where there is one, or else its lock for this one verb.

use std::rc::Rc;

use futures::lock::OwnedMutexGuard;
use oarlock_block::Instant;
use oarlock_format::{DescriptorRecord, DiskTarget, Layer, LayerId, LayerName};

use super::attach::{AttachMode, Attached};
use super::conclude::{conclude, is_under_way};
use super::find::{find_target, in_use_by, is_ready};
use super::here::DisksHere;
use super::opened::Opened;
use super::settle::{settle_parent, settle_root};
use super::{DiskError, has_disks, next_round};
use crate::descriptor::take;

/// A disk that this host may change for as long as this is held.
pub(super) struct Worked {
    pub(super) id: LayerId,
    pub(super) opened: Rc<Opened>,
    attached: Option<Rc<Attached>>,
    _turn: Option<OwnedMutexGuard<()>>,
}

/// Operations of the disk's guests are kept back.
pub(super) struct Quiet<'a>(Option<&'a Attached>);

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        if let Some(attached) = self.0 {
            attached.disk.path().unpause();
        }
    }
}

/// The disk of that name, open and this host's alone.
pub(super) async fn work_on(
    here: &Rc<DisksHere>,
    name: &LayerName,
    deadline: Instant,
) -> Result<Worked, DiskError> {
    let core = &here.core;
    has_disks(core)?;
    let target = DiskTarget { disk: name.clone(), snapshot: None };
    let mut round = 0;
    loop {
        next_round(core, &mut round, name, deadline).await?;
        let Some((number, found)) = find_target(core, &target, deadline).await? else { continue };
        let id = LayerId { descriptor: number, uid: found.uid };
        if let Some(attached) = here.attached_to_stay(number, deadline).await {
            let turn = attached.turn(core, name, deadline).await?;
            if let Some(worked) = of_attached(here, name, id, (attached, turn)).await? {
                let record = worked.opened.record().await?;
                settle_parent(core, &record, deadline).await?;
                return Ok(worked);
            }
            continue;
        }
        let hold = match take(core, number, &DescriptorRecord::clone, deadline).await {
            Ok(hold) => hold,
            Err(error) => return Err(in_use_by(here, &target, number, error).await),
        };
        let record = hold.record().await?;
        if !is_ready(&record, &found) {
            if record.layer.as_ref().is_some_and(is_under_way) {
                conclude(hold).await?;
            }
            continue;
        }
        settle_parent(core, &record, deadline).await?;
        settle_root(core, &hold).await?;
        let opened = Opened::open(here, hold).await?;
        return Ok(Worked { id, opened, attached: None, _turn: None });
    }
}

/// The attachment, if it is still one, and of that layer.
async fn of_attached(
    here: &DisksHere,
    name: &LayerName,
    id: LayerId,
    (attached, turn): (Rc<Attached>, OwnedMutexGuard<()>),
) -> Result<Option<Worked>, DiskError> {
    let is_still = here.attached(id.descriptor).is_some_and(|known| Rc::ptr_eq(&known, &attached));
    if !is_still || attached.id != id {
        return Ok(None);
    }
    match attached.mode {
        AttachMode::Exclusive => {}
        AttachMode::ReadOnly => return Err(DiskError::AttachedHere { name: name.to_string() }),
        AttachMode::Shared => return Err(DiskError::SharedHere { name: name.clone() }),
    }
    let opened = Rc::clone(&attached.opened);
    Ok(Some(Worked { id, opened, attached: Some(attached), _turn: Some(turn) }))
}

impl Worked {
    /// The layer of a descriptor that this verb has opened for itself.
    pub(super) fn alone(id: LayerId, opened: Rc<Opened>) -> Worked {
        Worked { id, opened, attached: None, _turn: None }
    }

    /// The attachment of that layer, for one verb; none where this host has not attached it for writing.
    pub(super) async fn attached_here(here: &DisksHere, id: LayerId) -> Option<Worked> {
        let attached =
            here.attached(id.descriptor).filter(|attached| attached.mode == AttachMode::Exclusive)?;
        let turn = attached.turn_at_last().await;
        let is_still = here.attached(id.descriptor).is_some_and(|known| Rc::ptr_eq(&known, &attached));
        let opened = Rc::clone(&attached.opened);
        (is_still && attached.id == id).then(|| Worked {
            id,
            opened,
            attached: Some(attached),
            _turn: Some(turn),
        })
    }

    pub(super) fn is_attached(&self) -> bool {
        self.attached.is_some()
    }

    /// Keeps the guests' operations back, once those that began have ended. They are waited for by a lease at most: others wait
    /// behind them meanwhile, who have done nothing to a device that does not answer.
    ///
    /// # Errors
    /// [`DiskError::Unanswered`] where they do not end, or have ended without an answer to what they wrote.
    pub(super) async fn quiet(&self) -> Result<Quiet<'_>, DiskError> {
        // However this ends, they go on.
        let quiet = Quiet(self.attached.as_deref());
        if let Some(attached) = &self.attached {
            let limit = self.opened.lease();
            attached.disk.quiet_within(limit).await?;
        }
        Ok(quiet)
    }

    /// Whether somebody waits for what this work keeps from him: a verb of this host's, or another host.
    pub(super) async fn is_waited_for(&self) -> Result<bool, DiskError> {
        match &self.attached {
            Some(attached) => Ok(attached.has_waiting_verbs()),
            None => self.opened.is_waited_for().await,
        }
    }

    /// It stands on a layer now: what its guests trim may come free. They are kept back meanwhile.
    pub(super) fn thaw(&self) {
        if let Some(attached) = &self.attached {
            attached.disk.path().thaw();
        }
    }

    /// What a guest sees from now on.
    pub(super) fn show_size(&self, size: u64) {
        if let Some(attached) = &self.attached {
            attached.disk.path().resize(size);
        }
    }

    /// Runs the verb, and gives the disk back whatever came of it.
    pub(super) async fn then<T>(
        self,
        verb: impl AsyncFnOnce(&Worked) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let done = verb(&self).await;
        let closed = match self.attached {
            Some(_) => Ok(()),
            None => self.opened.close(&DescriptorRecord::clone).await,
        };
        let done = done?;
        closed.map(|()| done)
    }

    /// What uses the descriptor.
    pub(super) async fn facts(&self) -> Result<Layer, DiskError> {
        self.opened.facts().await
    }
}
