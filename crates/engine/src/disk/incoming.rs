//! Receiving a disk from the host that has it: the receiver's side of a handoff (R28).
//!
//! ```text
//!   stand in the record as next --> look at it --+--> called: answer, and look all the time --+
//!                                     ^          |                                            |
//!                                     +----------+<-------------------------------------------+
//!                                                +--> owner: this host --> map, lease: what guests asked meanwhile is done
//!                                                +--> neither next nor owner: it is over
//! ```
//! The data path is there from the beginning, and holds what guests ask: nothing tells it of a lease before the record says, in an
//! image that is read while this host may act, that this host owns the disk.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use oarlock_block::Instant;
use oarlock_format::{
    DescriptorNumber, DescriptorRecord, DiskTarget, LayerId, LayerName, LockMode, LockState, Owner, Writer,
};

use super::attach::{AttachMode, Attachment, begin_to_serve};
use super::find::{find_target, is_ready};
use super::handoff::name_of_living;
use super::here::DisksHere;
use super::opened::Opened;
use super::served::note_server;
use super::settle::{settle_parent, settle_root};
use super::{DiskError, has_disks, next_round};
use crate::attached::AwaitedDisk;
use crate::bring::swap_once;
use crate::cell::Cell;
use crate::core::{Core, Ended};
use crate::hold::Hold;
use crate::layer::Ground;
use crate::lock::FIRST_PAUSE;
use crate::path::DataPath;
use crate::places::{Holding, LockPlace};
use crate::planted::{PlantedBug, planted};
use crate::release::settle;
use crate::store::Lane;
use crate::takeover::distrust;

/// Once it was called the receiver looks at the record this often, for the time of a lease at most: guests wait for it.
const QUICK_LOOK: Duration = Duration::from_millis(1);

/// A disk that another host is to hand over. Dropping it gives that up; so does the host's leaving.
pub struct Incoming {
    here: Rc<DisksHere>,
    candidacy: Candidacy,
    name: LayerName,
    found: DescriptorRecord,
    path: Arc<DataPath>,
    awaited: RefCell<Option<AwaitedDisk>>,
}

impl Incoming {
    /// Which layer it is.
    #[must_use]
    pub fn id(&self) -> LayerId {
        LayerId { descriptor: self.candidacy.place.whereabouts, uid: self.found.uid }
    }

    /// What requests are driven against, by any thread. They wait until the disk is this host's; where it never is they fail with
    /// [`PathError::Moved`](crate::path::PathError::Moved), and nothing of them was done.
    #[must_use]
    pub fn path(&self) -> &Arc<DataPath> {
        &self.path
    }

    /// Waits for as long as it takes until the disk is this host's, and serves it from then on.
    ///
    /// # Errors
    /// Why it will not be: [`DiskError::NotHandedOver`] where its owner gave it up otherwise. It is over then.
    pub async fn take_up(&self) -> Result<Attachment, DiskError> {
        let taken = self.wait_and_begin().await;
        if taken.is_err() {
            self.path.hand_over();
        }
        taken
    }

    /// Gives up: resolves once the record does not name this host any more.
    pub async fn withdraw(self) {
        self.path.hand_over();
        self.candidacy.withdraw().await;
    }

    async fn wait_and_begin(&self) -> Result<Attachment, DiskError> {
        let (here, core, place) = (&self.here, &self.here.core, &self.candidacy.place);
        self.until_handed_over().await?;
        let token = place.cell.lock().await.as_ref().map_or(0, |cell| cell.generation().0);
        place.hold(crate::decide::Want::Exclusive);
        self.candidacy.is_over.set(true);
        let hold = Hold::new(core, place, token);
        let record = hold.record().await?;
        let timing = core.store.timing;
        let deadline = core.store.now().plus((timing.watch + timing.lease) * 2);
        settle_parent(core, &record, deadline).await?;
        settle_root(core, &hold).await?;
        note_server(core, &hold).await?;
        let opened = Opened::open(here, hold).await?;
        let facts = opened.facts().await?;
        let awaited = self.awaited.borrow_mut().take();
        let awaited = awaited.ok_or(DiskError::NotHandedOver { name: self.name.clone() })?;
        let disk = awaited.begin(opened.layer(), (facts.size.0, facts.flags.full));
        Ok(begin_to_serve(here, (self.id(), AttachMode::Exclusive), opened, disk))
    }

    /// Looks at the record until it says that this host owns the disk.
    async fn until_handed_over(&self) -> Result<(), DiskError> {
        let core = &self.here.core;
        let (mut quick_until, mut pause) = (Instant::from_zero(Duration::ZERO), FIRST_PAUSE);
        loop {
            core.until_it_may_act().await?;
            if core.is_leaving() {
                return Err(Ended::Left.into());
            }
            match self.look().await? {
                Looked::Owner => return Ok(()),
                Looked::Called => quick_until = core.store.now().plus(core.store.timing.lease),
                Looked::Next => {}
            }
            let longest = core.store.timing.beat / 8;
            let is_quick = core.store.now() < quick_until;
            pause = if is_quick { QUICK_LOOK.min(longest) } else { (pause * 2).min(longest) };
            core.store.world.pause(pause).await;
        }
    }

    async fn look(&self) -> Result<Looked, DiskError> {
        let (core, place) = (&self.here.core, &self.candidacy.place);
        let over = DiskError::NotHandedOver { name: self.name.clone() };
        let mut guarded = place.cell.lock().await;
        let cell = guarded.as_mut().ok_or(over.clone())?;
        match cell.refresh(&core.store, Lane::Work).await {
            Ok(_) => {}
            Err(fault) if fault.is_passing() => return Ok(Looked::Next),
            Err(fault) => {
                distrust(core, &fault);
                return Err(fault.into());
            }
        }
        let (lock, me) = (cell.record.lock, core.me);
        // The lease may have run out while it was read: then it says nothing of now.
        if !core.may_act() {
            return Ok(Looked::Next);
        }
        if cell.record.uid != self.found.uid {
            return Err(over);
        }
        let is_called = lock.next == Some(me) && cell.writer() != Writer::Host(me);
        if lock.owner == Some(me) || (is_called && planted(PlantedBug::ServeBeforeHandoff)) {
            return Ok(Looked::Owner);
        }
        if lock.next != Some(me) || lock.mode != LockMode::Exclusive {
            return Err(over);
        }
        if !is_called {
            return Ok(Looked::Next);
        }
        // Whoever wrote the record has not seen whether this host still waits: another image of the same says so.
        let record = cell.record.clone();
        let _ = swap_once(core, cell, record, &mut { FIRST_PAUSE }).await?;
        Ok(Looked::Called)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Where it was taken up the path is the attachment's.
        if self.awaited.borrow().is_some() {
            self.path.hand_over();
        }
    }
}

/// What the record says.
enum Looked {
    /// This host owns the disk.
    Owner,
    /// It was called, and has answered.
    Called,
    /// It is the next owner, as before.
    Next,
}

/// This host's place in a record as its next owner. Dropping it gives that up, in the background.
struct Candidacy {
    core: Rc<Core>,
    place: Rc<LockPlace<DescriptorNumber>>,
    is_over: std::cell::Cell<bool>,
}

impl Candidacy {
    /// Keeps everybody else on this host from the lock.
    async fn begin(
        core: &Rc<Core>,
        number: DescriptorNumber,
        deadline: Instant,
    ) -> Result<Candidacy, DiskError> {
        let place = core.places.descriptors.of(&number);
        loop {
            let seen = core.changed.seen();
            {
                // Whoever takes it does so with the cell in hand.
                let _cell = place.cell.lock().await;
                if !place.conflicts(crate::decide::Want::Exclusive) {
                    place.holding.set(Holding::Handover);
                    let is_over = std::cell::Cell::new(false);
                    return Ok(Candidacy { core: Rc::clone(core), place: Rc::clone(&place), is_over });
                }
            }
            let now = core.store.now();
            if now >= deadline {
                return Err(DiskError::OpenHere { descriptor: number });
            }
            core.change_within(seen, deadline.since(now)).await;
        }
    }

    async fn withdraw(&self) {
        if !self.is_over.replace(true) {
            self.place.holding.set(Holding::Releasing);
            settle(Rc::clone(&self.core), Rc::clone(&self.place)).await;
        }
    }

    /// Stands in the record as the next owner; none where it is not the disk that was found any more.
    async fn stand(
        &self,
        name: &LayerName,
        found: &DescriptorRecord,
        deadline: Instant,
    ) -> Result<Option<DescriptorRecord>, DiskError> {
        let (core, mut pause) = (&self.core, FIRST_PAUSE);
        loop {
            core.until_it_may_act().await?;
            if core.is_leaving() {
                return Err(Ended::Left.into());
            }
            let mut guarded = self.place.cell.lock().await;
            let read = match guarded.as_mut() {
                Some(cell) => cell.refresh(&core.store, Lane::Work).await,
                None => {
                    core.store.read(Lane::Work, core.store.layout.descriptor(self.place.whereabouts)).await
                }
            };
            match read {
                Ok(seen) if guarded.is_none() => {
                    let lba = core.store.layout.descriptor(self.place.whereabouts);
                    *guarded = Some(Cell::new(lba, seen));
                }
                Ok(_) => {}
                Err(fault) if fault.is_passing() && core.store.now() < deadline => {
                    drop(guarded);
                    core.store.world.pause(core.store.timing.beat / 8).await;
                    continue;
                }
                Err(fault) => {
                    distrust(core, &fault);
                    return Err(fault.into());
                }
            }
            let Some(cell) = guarded.as_mut() else { continue };
            if !is_ready(&cell.record, found) {
                return Ok(None);
            }
            if cell.record.lock.next == Some(core.me) && !cell.has_open_attempts() {
                return Ok(Some(cell.record.clone()));
            }
            self.look_at_others(name, &cell.record.lock).await?;
            let lock = LockState { next: Some(core.me), ..cell.record.lock };
            let record = DescriptorRecord { lock, ..cell.record.clone() };
            let _ = swap_once(core, cell, record, &mut pause).await?;
            if core.store.now() >= deadline {
                return Err(DiskError::Busy { name: name.clone() });
            }
        }
    }

    /// Whether the disk has an owner who can hand it over, and nobody else is to receive it.
    async fn look_at_others(&self, name: &LayerName, lock: &LockState) -> Result<(), DiskError> {
        if matches!(lock.mode, LockMode::Shared | LockMode::MultiWriter) {
            return Err(DiskError::not_alone(name, lock.mode));
        }
        let owner = lock.owner.filter(|owner| owner.slot != self.core.me.slot);
        let owner = owner.ok_or_else(|| DiskError::NoOwner { name: name.clone() })?;
        if name_of_living(&self.core, owner).await?.is_none() {
            return Err(DiskError::NoOwner { name: name.clone() });
        }
        let other = lock.next.filter(|next| *next != self.core.me);
        let other = match other {
            Some(other) => living(&self.core, other).await?,
            None => None,
        };
        other.map_or(Ok(()), |host| Err(DiskError::Received { name: name.clone(), host }))
    }
}

async fn living(core: &Core, owner: Owner) -> Result<Option<String>, DiskError> {
    Ok(name_of_living(core, owner).await?.map(|name| name.as_str().to_owned()))
}

impl Drop for Candidacy {
    fn drop(&mut self) {
        if !self.is_over.get() {
            self.place.holding.set(Holding::Releasing);
            self.core.jobs.start(settle(Rc::clone(&self.core), Rc::clone(&self.place)));
        }
    }
}

/// Stands beside the owner of a disk as its next owner, with a data path that holds everything until then.
pub(super) async fn receive(
    here: &Rc<DisksHere>,
    name: &LayerName,
    deadline: Instant,
) -> Result<Incoming, DiskError> {
    let core = &here.core;
    has_disks(core)?;
    let target = DiskTarget { disk: name.clone(), snapshot: None };
    let mut round = 0;
    loop {
        next_round(core, &mut round, name, deadline).await?;
        let Some((number, found)) = find_target(core, &target, deadline).await? else { continue };
        if here.attached_to_stay(number, deadline).await.is_some() {
            return Err(DiskError::AttachedHere { name: name.to_string() });
        }
        let candidacy = Candidacy::begin(core, number, deadline).await?;
        let Some(record) = candidacy.stand(name, &found, deadline).await? else {
            candidacy.withdraw().await;
            continue;
        };
        let Some(facts) = &record.layer else { continue };
        let awaited = AwaitedDisk::new(&Ground::of(&core.superblock()), facts.size.0, facts.flags.thick);
        return Ok(Incoming {
            here: Rc::clone(here),
            candidacy,
            name: name.clone(),
            found,
            path: Arc::clone(awaited.path()),
            awaited: RefCell::new(Some(awaited)),
        });
    }
}
