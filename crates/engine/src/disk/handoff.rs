//! Handing a disk over to another living host: the source's side (R28).
//!
//! ```text
//!   the receiver stands in the record as next --> its slot says that it lives --> most of what is owed is brought home
//!     --> called, and it answers --> guests wait --> all of it is home --> one ATS: owner := next --+--> over
//!                                      |                                                            |
//!                                      +--> not at rest in time: handed back                        +--> it gave up: handed back
//! ```
//! Until the last ATS nothing is given away: whatever fails before it, guests go on here. Once it was sent, nobody goes on before its
//! outcome is known (R1).

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::Instant;
use oarlock_format::{
    DescriptorNumber, DescriptorRecord, DiskTarget, Generation, HostName, LayerName, LockMode, LockState,
    Owner, SlotRecord, SlotState, Writer,
};

use super::attach::{AttachMode, Attached, not_detached};
use super::find::find_target;
use super::here::DisksHere;
use super::served::served_by;
use super::settle::settle_parent;
use super::{DiskError, has_disks, next_round};
use crate::attached::Rest;
use crate::bring::{bring_to, make_durable, swap_once};
use crate::core::Core;
use crate::decide::handed_over;
use crate::hold::Hold;
use crate::lock::FIRST_PAUSE;
use crate::places::{Holding, LockPlace};
use crate::planted::{PlantedBug, planted};
use crate::store::{Lane, ReadFault};

/// A receiver that was called looks at the record within an eighth of a beat. It has so many beats for its answer.
const BEATS_TO_ANSWER: u32 = 4;

/// Guests wait for so many parts of a lease at most while a disk comes to rest; then they go on, and the handoff is over.
const REST_PARTS: u32 = 4;

/// A handoff that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandedOver {
    /// How long no guest's request could begin here before the disk was the other host's.
    pub pause: Duration,
}

/// Hands a disk that this host has attached over to the host `to`, which waits for it.
pub(super) async fn hand_off(
    here: &Rc<DisksHere>,
    name: &LayerName,
    to: &HostName,
    deadline: Instant,
) -> Result<HandedOver, DiskError> {
    let core = &here.core;
    has_disks(core)?;
    if *to == core.name {
        return Err(DiskError::AttachedHere { name: name.to_string() });
    }
    let attached = attached_for_writing(here, name, deadline).await?;
    let place = core.places.descriptors.of(&attached.opened.number());
    let handoff = Handoff { core, place: &place, name, to };
    let receiver = handoff.await_receiver(deadline).await?;
    let _turn = attached.turn(core, name, deadline).await?;
    let known = here.attached(attached.opened.number());
    if known.is_none_or(|known| !Rc::ptr_eq(&known, &attached)) {
        return Err(DiskError::NotAttached { name: name.clone() });
    }
    settle_parent(core, &attached.opened.record().await?, deadline).await?;
    attached.disk.prepare().await?;
    handoff.call(receiver, deadline).await?;
    handoff.pass(here, &attached, receiver).await
}

async fn attached_for_writing(
    here: &Rc<DisksHere>,
    name: &LayerName,
    deadline: Instant,
) -> Result<Rc<Attached>, DiskError> {
    let target = DiskTarget { disk: name.clone(), snapshot: None };
    let mut round = 0;
    loop {
        next_round(&here.core, &mut round, name, deadline).await?;
        let Some((number, found)) = find_target(&here.core, &target, deadline).await? else { continue };
        let attached = here.attached_to_stay(number, deadline).await;
        let attached = attached.filter(|attached| attached.id.uid == found.uid);
        let attached = attached.ok_or_else(|| DiskError::NotAttached { name: name.clone() })?;
        return match attached.mode {
            AttachMode::Exclusive => Ok(attached),
            mode => Err(DiskError::not_alone(name, mode.want().mode())),
        };
    }
}

/// One handoff of one disk.
struct Handoff<'a> {
    core: &'a Rc<Core>,
    place: &'a Rc<LockPlace<DescriptorNumber>>,
    name: &'a LayerName,
    to: &'a HostName,
}

/// The lock as it stands, and who wrote it so.
struct Standing {
    lock: LockState,
    writer: Writer,
    generation: Generation,
}

impl Handoff<'_> {
    fn host(&self) -> String {
        self.to.as_str().to_owned()
    }

    /// Waits until the receiver stands in the record and its slot, read after it, says that it lives. One that is dead is taken out.
    async fn await_receiver(&self, deadline: Instant) -> Result<Owner, DiskError> {
        let (core, mut pause) = (self.core, FIRST_PAUSE);
        loop {
            let next = match self.look().await {
                Ok(standing) => self.mine(&standing)?.next,
                Err(DiskError::Record(fault)) if fault.is_passing() => None,
                Err(error) => return Err(error),
            };
            if let Some(next) = next {
                match name_of_living(core, next).await? {
                    Some(name) if name == *self.to => return Ok(next),
                    Some(name) => {
                        return Err(DiskError::Received {
                            name: self.name.clone(),
                            host: name.as_str().to_owned(),
                        });
                    }
                    None => self.turn_away(next).await?,
                }
            }
            let now = core.store.now();
            if now >= deadline {
                return Err(DiskError::NoReceiver { name: self.name.clone(), host: self.host() });
            }
            let longest = core.store.timing.beat / 8;
            core.change_within(core.changed.seen(), pause.min(deadline.since(now))).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// The record as it stands on the device.
    async fn look(&self) -> Result<Standing, DiskError> {
        self.core.until_it_may_act().await?;
        let mut guarded = self.place.cell.lock().await;
        let gone = DiskError::TakenAway { descriptor: self.place.whereabouts };
        let cell = guarded.as_mut().ok_or(gone)?;
        cell.refresh(&self.core.store, Lane::Work).await?;
        Ok(Standing { lock: cell.record.lock, writer: cell.writer(), generation: cell.generation() })
    }

    /// The lock, if this host owns it.
    fn mine<'s>(&self, standing: &'s Standing) -> Result<&'s LockState, DiskError> {
        let gone = DiskError::TakenAway { descriptor: self.place.whereabouts };
        if standing.lock.owner == Some(self.core.me) { Ok(&standing.lock) } else { Err(gone) }
    }

    /// A receiver that is dead is none.
    async fn turn_away(&self, receiver: Owner) -> Result<(), DiskError> {
        let (core, me) = (self.core, self.core.me);
        let without = |record: &DescriptorRecord| {
            let lock = record.lock;
            let next = lock.next.filter(|next| *next != receiver);
            (lock.owner == Some(me))
                .then(|| DescriptorRecord { lock: LockState { next, ..lock }, ..record.clone() })
        };
        let mut guarded = self.place.cell.lock().await;
        let Some(cell) = guarded.as_mut() else { return Ok(()) };
        bring_to(core, cell, &without).await.map(drop)
    }

    /// Calls the receiver, by a new image of the same record, and waits for its answer, another such image: so it waits for the disk
    /// now, whatever it did before, and looks at the record all the time from then on.
    async fn call(&self, receiver: Owner, deadline: Instant) -> Result<(), DiskError> {
        let core = self.core;
        let patience = core.store.now().plus(core.store.timing.beat * BEATS_TO_ANSWER);
        let mut called = None;
        loop {
            match self.look().await {
                Ok(standing) => {
                    if self.mine(&standing)?.next != Some(receiver) {
                        return Err(DiskError::ReceiverGone { name: self.name.clone(), host: self.host() });
                    }
                    let (writer, generation) = (standing.writer, standing.generation);
                    if writer == Writer::Host(receiver) && called.is_some_and(|called| generation > called) {
                        break;
                    }
                    if called.is_none() || writer != Writer::Host(core.me) {
                        called = self.touch().await?.or(called);
                    }
                }
                Err(DiskError::Record(fault)) if fault.is_passing() => {}
                Err(error) => return Err(error),
            }
            if core.store.now() >= deadline.min(patience) {
                return Err(DiskError::ReceiverSilent { name: self.name.clone(), host: self.host() });
            }
            core.store.world.pause(core.store.timing.beat / 64).await;
        }
        match name_of_living(core, receiver).await? {
            Some(_) => Ok(()),
            None => Err(DiskError::ReceiverGone { name: self.name.clone(), host: self.host() }),
        }
    }

    /// One more image of the same content; its generation, where it stands there.
    async fn touch(&self) -> Result<Option<Generation>, DiskError> {
        let mut guarded = self.place.cell.lock().await;
        let Some(cell) = guarded.as_mut() else { return Ok(None) };
        let record = cell.record.clone();
        let is_mine = swap_once(self.core, cell, record, &mut { FIRST_PAUSE }).await?;
        Ok(is_mine.then(|| cell.generation()))
    }

    /// Lets guests wait, brings everything home, and gives the disk away by one ATS.
    async fn pass(
        &self,
        here: &Rc<DisksHere>,
        attached: &Rc<Attached>,
        receiver: Owner,
    ) -> Result<HandedOver, DiskError> {
        let (core, disk, number) = (self.core, &attached.disk, attached.opened.number());
        let (began, rest) = (core.store.now(), Rest::default());
        let limit = core.store.timing.lease / REST_PARTS;
        let at_rest = match core.store.world.within(limit, disk.come_to_rest(&rest)).await {
            Some(at_rest) => at_rest.map_err(|error| not_detached(attached, error)),
            None => Err(DiskError::NotAtRest { name: self.name.clone(), limit }),
        };
        if let Err(error) = at_rest {
            disk.go_on(&rest);
            return Err(error);
        }
        let hold = attached.opened.hold()?;
        self.place.holding.set(Holding::Handover);
        if !self.give(&hold, receiver).await? {
            disk.go_on(&rest);
            return Err(DiskError::ReceiverGone { name: self.name.clone(), host: self.host() });
        }
        let pause = core.store.now().since(began);
        hold.forget();
        attached.opened.give_away();
        here.note_detached(number);
        if !planted(PlantedBug::ServeAfterHandoff) {
            disk.hand_over();
        }
        disk.path().unpause();
        self.place.holding.set(Holding::None);
        core.changed.announce();
        make_durable(core).await?;
        Ok(HandedOver { pause })
    }

    /// Swaps the owner, until it is known whether that was done: true, or whether it can never be any more: false, and this host owns the
    /// disk as before.
    async fn give(&self, hold: &Hold<DescriptorNumber>, receiver: Owner) -> Result<bool, DiskError> {
        let (core, me) = (self.core, self.core.me);
        let wall_ms = core.store.world.clock.wall().milliseconds;
        let given = |record: &DescriptorRecord| {
            let lock = record.lock;
            let given = match lock.next {
                Some(next) if next == receiver => {
                    let given = served_by(record, receiver.host);
                    DescriptorRecord { lock: handed_over(&lock, receiver, wall_ms), ..given }
                }
                // It gave up: nothing may be open any more.
                _ => record.clone(),
            };
            (lock.owner == Some(me)).then_some(given)
        };
        loop {
            let mut guarded = hold.place.cell.lock().await;
            let Some(cell) = guarded.as_mut() else {
                return Err(DiskError::TakenAway { descriptor: hold.number() });
            };
            if planted(PlantedBug::GoOnAfterUnknown) {
                let Some(record) = given(&cell.record) else { return Ok(true) };
                let given = swap_once(core, cell, record, &mut { FIRST_PAUSE }).await?;
                self.place.holding.set(Holding::Exclusive);
                return Ok(given);
            }
            let brought = bring_to(core, cell, &given).await;
            let lock = cell.record.lock;
            drop(guarded);
            match brought {
                Ok(_) | Err(DiskError::Record(_)) if lock.mode == LockMode::Unknown => {
                    self.ask_who_has_it(&lock, receiver);
                }
                // The record is damaged, and whether the owner was swapped is not known: a repair has to come first.
                Err(DiskError::Record(_)) => {}
                Err(error) => return Err(error),
                Ok(_) if lock.owner != Some(me) => return Ok(true),
                Ok(_) => {
                    self.place.holding.set(Holding::Exclusive);
                    return Ok(false);
                }
            }
            core.store.world.pause(core.store.timing.beat / 4).await;
            // What it shows by then; what cannot be read is tried again.
            let _ = self.look().await;
        }
    }

    /// A repair lost who owns it (R39). The receiver says that it does, or that it does not; in the second case this host still does.
    fn ask_who_has_it(&self, lock: &LockState, receiver: Owner) {
        if !lock.holders.contains(receiver.slot) {
            self.place.holding.set(Holding::Exclusive);
            self.core.places.ask();
            self.core.changed.announce();
        }
    }
}

/// The name of that life of a host, if its slot says that it lives.
pub(super) async fn name_of_living(core: &Core, owner: Owner) -> Result<Option<HostName>, DiskError> {
    let lba = core.store.layout.slot(owner.slot);
    loop {
        core.until_it_may_act().await?;
        match core.store.read::<SlotRecord>(Lane::Work, lba).await {
            Ok(seen) => {
                let record = seen.stamped.record;
                let lives = record.state == SlotState::Live && record.incarnation == owner.incarnation;
                return Ok(record.name.filter(|_| lives));
            }
            Err(fault) if fault.is_passing() => core.store.world.pause(core.store.timing.beat / 8).await,
            // Whoever lives in a damaged slot cannot beat.
            Err(ReadFault::Unsound { .. }) => return Ok(None),
            Err(fault) => return Err(fault.into()),
        }
    }
}
