//! The locks of groups as the allocator has them: the host's own locks, kept for as long as it likes, and given up once another
//! host is interested (R26, R37).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures::FutureExt;
use oarlock_block::{Instant, LocalFuture};
use oarlock_format::{GroupNumber, GroupRecord, Owner, SlotRecord};

use crate::allocate::{GroupLocks, OwnedLock, SpaceError, Wish};
use crate::core::Core;
use crate::decide::Want;
use crate::hold::{Asker, Hold, hold_for};
use crate::lock::LockError;
use crate::places::LockPolicy;
use crate::store::{Lane, ReadFault};
use crate::verdict::Version;

/// Beats in which an owner that lives gives a group up, or shows by keeping it that it needs it: its mailbox is read once in
/// each, then its bitmap goes home.
pub(crate) const BEATS_TO_GIVE_UP: u32 = 4;

/// The groups that this host holds.
pub(crate) struct HeldGroups {
    core: Rc<Core>,
    held: RefCell<BTreeMap<GroupNumber, Hold<GroupNumber>>>,
}

impl HeldGroups {
    pub(crate) fn new(core: &Rc<Core>) -> Rc<HeldGroups> {
        Rc::new(HeldGroups { core: Rc::clone(core), held: RefCell::default() })
    }

    /// The groups that another host has rung for; all of them where this host leaves.
    pub(crate) fn wanted(&self) -> Vec<GroupNumber> {
        let leaves = self.core.is_leaving();
        let held = self.held.borrow();
        let wanted = held.iter().filter(|(_, hold)| leaves || hold.place.wanted.get());
        wanted.map(|(group, _)| *group).collect()
    }

    async fn read(&self, group: GroupNumber) -> Result<GroupRecord, LockError> {
        let lba = self.core.superblock().record.space().record(group);
        Ok(self.core.store.read::<GroupRecord>(Lane::Work, lba).await?.stamped.record)
    }

    async fn try_take(&self, group: GroupNumber, wish: Wish) -> Result<Option<OwnedLock>, LockError> {
        let record = self.read(group).await?;
        let head = self.core.superblock().record.space().head();
        // A growth opens it once every host knows of it.
        let is_open = record.clusters > head;
        let is_idle = record.lock.owner.is_none() && record.free > 0;
        if !is_open || (wish == Wish::Idle && !is_idle) {
            return Ok(None);
        }
        let (now, timing) = (self.core.store.now(), self.core.store.timing);
        if let Wish::BeforeTheEnd { until } = wish {
            return self.take_until(group, until, Asker::LeavingHost).await;
        }
        let Some(owner) = record.lock.owner.filter(|owner| *owner != self.core.me) else {
            return self.take_until(group, now.plus(timing.beat), Asker::Anybody).await;
        };
        let before = self.version_of(&owner).await?;
        let given_up = now.plus(timing.beat * BEATS_TO_GIVE_UP);
        if let Some(lock) = self.take_until(group, given_up, Asker::Anybody).await? {
            return Ok(Some(lock));
        }
        if self.version_of(&owner).await? != before {
            return Ok(None);
        }
        // It stands still: it is watched, and taken over if it goes on doing so.
        let taken_over = self.core.store.now().plus((timing.watch + timing.lease) * 2);
        self.take_until(group, taken_over, Asker::Anybody).await
    }

    /// How the slot of an owner stands.
    async fn version_of(&self, owner: &Owner) -> Result<Version, ReadFault> {
        let lba = self.core.store.layout.slot(owner.slot);
        Ok(self.core.store.read::<SlotRecord>(Lane::Work, lba).await?.version())
    }

    async fn take_until(
        &self,
        group: GroupNumber,
        deadline: Instant,
        asker: Asker,
    ) -> Result<Option<OwnedLock>, LockError> {
        let place = self.core.places.groups.of(&group);
        place.policy.set(LockPolicy { sticky: true });
        let taken = match hold_for(&self.core, place, (Want::Exclusive, asker), deadline).await {
            Ok(taken) => taken,
            Err(LockError::TimedOut { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(record) = taken.known().await else { return Ok(None) };
        self.held.borrow_mut().insert(group, taken);
        Ok(Some(OwnedLock { epoch: record.lock.epoch, clusters: record.clusters }))
    }
}

impl GroupLocks for HeldGroups {
    fn groups(&self) -> u32 {
        self.core.superblock().record.space().groups()
    }

    fn take(&self, group: GroupNumber, wish: Wish) -> LocalFuture<'_, Result<Option<OwnedLock>, SpaceError>> {
        async move { self.try_take(group, wish).await.map_err(|error| SpaceError::Group { group, error }) }
            .boxed_local()
    }

    fn release(&self, group: GroupNumber, free: u32) -> LocalFuture<'_, ()> {
        let held = self.held.borrow_mut().remove(&group);
        async move {
            let Some(held) = held else { return };
            held.release_with(&|record| GroupRecord { free: free.min(record.clusters), ..record.clone() })
                .await;
        }
        .boxed_local()
    }
}
