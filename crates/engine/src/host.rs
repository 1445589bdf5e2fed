//! The host: the face of the engine. Join, run, lock, look, evict, leave.

use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use futures::lock::Mutex;
use oarlock_block::{Instant, SlotIndex};
use oarlock_format::{
    Generation, HostName, LockName, Owner, SlotRecord, SlotState, Stamped, Superblock, Timing,
};

use crate::beat;
use crate::cell::{Cell, Purpose, Swap};
use crate::core::{Core, Ended, HostState};
use crate::decide::Want;
use crate::disk::here::{self, DisksHere};
use crate::event::EventSink;
use crate::guard::Guard;
use crate::hindrance::Hindrance;
use crate::hold;
use crate::home::JournalHome;
use crate::join::{self, JoinError};
use crate::journal::{self, HostJournal};
use crate::leftover::Leftover;
use crate::lock::LockError;
use crate::namesake::{bury_namesakes, shows_life};
use crate::open::open;
use crate::places::{AnyPlace, Holding, LockPolicy};
use crate::planted::{PlantedBug, planted};
use crate::roster::{self, HostRow, LockRow};
use crate::slots::read_slots;
use crate::store::{Lane, ReadFault, Seen};
use crate::suspect::{Interest, suspect};
use crate::takeover::distrust;
use crate::world::World;
use crate::{answer, mailbox};

/// How often a host that leaves asks for the groups of others in which it has something to free.
const CLEARINGS_MAX: u32 = 2;

/// One host in one datastore. Clones are the same host.
#[derive(Clone)]
pub struct Host {
    pub(crate) core: Rc<Core>,
    slot: Rc<Mutex<Cell<SlotRecord>>>,
    /// None where the datastore has no disks.
    pub(crate) disks: Option<Rc<DisksHere>>,
}

/// What `status` tells of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostStatus {
    /// Its name.
    pub name: HostName,
    /// Slot, host id, incarnation.
    pub owner: Owner,
    /// What it is at the moment.
    pub state: HostState,
    /// What is left of its lease.
    pub lease_left: Duration,
    /// For how long its lease has been over, while it is held.
    pub held_for: Option<Duration>,
    /// What stood in the way of its newest beat, if that was not confirmed.
    pub hindrance: Option<Hindrance>,
}

/// Why a host could not be evicted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvictError {
    /// No slot holds a host of this name.
    #[error("no slot holds a host called {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// It is this very host.
    #[error("{name} is the host that was asked; it leaves by SIGTERM")]
    Myself {
        /// The name.
        name: String,
    },
    /// It beats.
    #[error("{name} lives: it beat while it was watched")]
    Lives {
        /// The name.
        name: String,
    },
    /// It was not got through in time.
    #[error("{name} was not evicted in time{}", reason.as_ref().map_or(String::new(), |reason| format!(": {reason}")))]
    TimedOut {
        /// The name.
        name: String,
        /// What stood in the way, if it is known.
        reason: Option<String>,
    },
    /// The slots could not be read.
    #[error(transparent)]
    Record(#[from] ReadFault),
    /// This host came to its end first.
    #[error(transparent)]
    Ended(#[from] Ended),
}

impl Host {
    /// Opens the datastore and joins it under `name`; returns once one beat is confirmed. [`Host::run`] must be driven
    /// from then on.
    ///
    /// # Errors
    /// Why this host cannot be one of the datastore's.
    pub async fn join(world: World, name: &HostName, events: EventSink) -> Result<Host, JoinError> {
        let chosen = open(&world).await.map_err(JoinError::Open)?;
        let store = join::store_for(world, &chosen.superblock, events);
        let joined = join::join(store, &chosen.superblock, name).await?;
        let core = joined.core;
        core.set_home(Rc::new(JournalHome::new(&core)));
        let disks = DisksHere::new(&core);
        Ok(Host { core, slot: Rc::new(Mutex::new(joined.slot)), disks })
    }

    /// Beats, watches, answers and settles, until the host has left or had to stop. Once it has returned nothing of this
    /// host works on in the background; the last clone and the last guard that are dropped close the device.
    pub async fn run(&self) -> Ended {
        let core = &self.core;
        core.jobs.start(beat::beat(Rc::clone(core), Rc::clone(&self.slot)));
        core.jobs.start(beat::guard_lease(Rc::clone(core)));
        core.jobs.start(mailbox::attend(Rc::clone(core)));
        core.jobs.start(answer::attend(Rc::clone(core)));
        core.jobs.start(bury_namesakes(Rc::clone(core)));
        core.jobs.start(journal::attend(Rc::clone(core)));
        if let Some(disks) = &self.disks {
            core.jobs.start(here::attend(Rc::clone(disks)));
            core.jobs.start(here::clear_later(Rc::clone(disks)));
        }
        let jobs = core.jobs.drive();
        let end = self.ended();
        futures::pin_mut!(jobs, end);
        match select(end, jobs).await {
            Either::Left((ended, _)) => ended,
            Either::Right(((), end)) => end.await,
        }
    }

    /// Resolves when the host has left or stopped.
    pub async fn ended(&self) -> Ended {
        self.core.until_ended().await
    }

    /// What the host is now.
    #[must_use]
    pub fn status(&self) -> HostStatus {
        let (now, state) = (self.core.store.now(), self.core.state());
        HostStatus {
            name: self.core.name.clone(),
            owner: self.core.me,
            held_for: (state == HostState::Held).then(|| now.since(self.core.lease.end())),
            hindrance: self.core.hindrance(),
            state,
            lease_left: self.core.lease.end().since(now),
        }
    }

    /// Until when, by this host's clock, the host may act as things stand: for checkers, and for data paths.
    #[must_use]
    pub fn lease_end(&self) -> Instant {
        self.core.lease.end()
    }

    /// The datastore's superblock: the newest that this host has seen. A growth makes it look again (R38).
    #[must_use]
    pub fn superblock(&self) -> Rc<Stamped<Superblock>> {
        self.core.superblock()
    }

    /// The pages that this host changes, and their journal; nothing where the datastore has no disks.
    #[must_use]
    pub fn journal(&self) -> Option<HostJournal> {
        HostJournal::of(&self.core)
    }

    /// Beat, lease, watch, hold.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.core.store.timing
    }

    /// Takes a named lock, waiting until `deadline` (by the host's clock) at most. Dropping the future gives the lock
    /// up, whatever was on its way.
    ///
    /// # Errors
    /// Why it was not got.
    pub async fn lock(&self, name: &LockName, want: Want, deadline: Instant) -> Result<Guard, LockError> {
        self.lock_with(name, want, LockPolicy::default(), deadline).await
    }

    /// As [`Host::lock`], for a lock that is used in a certain way.
    ///
    /// # Errors
    /// Why it was not got.
    pub async fn lock_with(
        &self,
        name: &LockName,
        want: Want,
        policy: LockPolicy,
        deadline: Instant,
    ) -> Result<Guard, LockError> {
        if let Some(ended) = self.core.ended() {
            return Err(ended.into());
        }
        let place = self.core.places.names.of(name);
        place.policy.set(policy);
        Ok(hold::hold(&self.core, place, want, deadline).await?.into_guard())
    }

    /// A repair by this very host made locks unknown: it looks at all locks, as if its slot had asked it (R39).
    pub(crate) fn ask_itself(&self) {
        self.core.places.ask();
        self.core.changed.announce();
    }

    /// The next image of this host's slot goes above this generation.
    pub(crate) async fn raise_generation(&self, above: Generation) {
        self.slot.lock().await.raise_generation(above);
    }

    /// Looks at all slots for up to two beats.
    ///
    /// # Errors
    /// Which slot could not be read.
    pub async fn hosts(&self) -> Result<Vec<HostRow>, ReadFault> {
        roster::hosts(&self.core).await.inspect_err(|fault| distrust(&self.core, fault))
    }

    /// Reads all held locks.
    ///
    /// # Errors
    /// Which record could not be read.
    pub async fn locks(&self) -> Result<Vec<LockRow>, ReadFault> {
        roster::locks(&self.core).await.inspect_err(|fault| distrust(&self.core, fault))
    }

    /// How many hosts have a slot at this moment, dead ones that were not taken over among them.
    ///
    /// # Errors
    /// Which slot could not be read.
    pub async fn host_count(&self) -> Result<usize, ReadFault> {
        let slots = read_slots(&self.core.store).await.inspect_err(|fault| distrust(&self.core, fault))?;
        Ok(slots.sound.iter().filter(|(_, seen)| seen.stamped.record.state != SlotState::Free).count())
    }

    /// Takes over the host called `name`: watched and fenced if it is silent, at once if it is proved dead or
    /// `certain`; always cut off first (I6).
    ///
    /// # Errors
    /// Why it still has its slot.
    pub async fn evict(&self, name: &HostName, certain: bool, deadline: Instant) -> Result<(), EvictError> {
        let text = || name.as_str().to_owned();
        let slots = read_slots(&self.core.store).await?;
        let found = slots.sound.iter().find(|(_, seen)| {
            let record = &seen.stamped.record;
            record.state != SlotState::Free && record.name.as_ref() == Some(name)
        });
        let Some((slot, first)) = found else {
            // It may be the host of a slot that cannot be read.
            let damaged = slots.damaged.into_iter().next();
            return Err(damaged.map_or(EvictError::Unknown { name: text() }, |(_, fault)| fault.into()));
        };
        if *slot == self.core.me.slot {
            return Err(EvictError::Myself { name: text() });
        }
        let mut interest = suspect(&self.core, *slot);
        let force = |interest: &Interest| {
            if certain {
                interest.force(first.stamped.record.incarnation);
            }
        };
        force(&interest);
        let beat = self.core.store.timing.beat;
        let began = self.core.store.now();
        loop {
            if let Some(ended) = self.core.ended() {
                return Err(ended.into());
            }
            let seen = self.read_slot(*slot).await?;
            let record = &seen.stamped.record;
            if record.state == SlotState::Free || record.incarnation != first.stamped.record.incarnation {
                return Ok(());
            }
            let beats = record.state == SlotState::Live && shows_life(&seen, first.version());
            if beats && !certain {
                return Err(EvictError::Lives { name: text() });
            }
            if self.core.store.now() >= deadline {
                let watch = self.core.store.timing.watch;
                let too_short = !certain && deadline.since(began) < watch;
                let unwatched = || {
                    format!(
                        "its death is not proved, and a watch of {:.1} s had not ended",
                        watch.as_secs_f64()
                    )
                };
                let reason = interest.refusal().or_else(|| too_short.then(unwatched));
                return Err(EvictError::TimedOut { name: text(), reason });
            }
            if interest.renew(&self.core) {
                force(&interest);
            }
            self.core.change_within(self.core.changed.seen(), beat / 4).await;
        }
    }

    async fn read_slot(&self, slot: SlotIndex) -> Result<Seen<SlotRecord>, ReadFault> {
        self.core.store.read(Lane::Work, self.core.store.layout.slot(slot)).await
    }

    /// Leaves cleanly: every lock is released, the slot freed, the right to it given back. What cannot be done until
    /// `deadline` is left to the others, as if this host had died: [`Ended::LeftBehind`] says what.
    pub async fn leave(&self, deadline: Instant) -> Ended {
        let core = &self.core;
        core.leave_begins();
        for place in core.places.every() {
            place.holding().set(match place.holding().get() {
                Holding::Kept(_) => Holding::None,
                other => other,
            });
            core.jobs.start(settle_for_leave(Rc::clone(core), place));
        }
        let released = async {
            if !self.lets_go(deadline).await {
                return;
            }
            if planted(PlantedBug::ExitBeforeFree) {
                core.store.world.cut_off.exit(core.me.slot).await;
            }
            // What the journal owes goes home; where it cannot, others find it in the slot of a dead host (R12).
            let home = match &core.journal {
                Some(journal) => journal.checkpoint(core).await,
                None => Ok(()),
            };
            if home.is_ok() {
                self.free_slot().await;
            }
        };
        let left = deadline.since(core.store.now());
        let _ = core.store.world.within(left, released).await;
        core.enter(self.how_it_left());
        core.ended().unwrap_or(Ended::Left)
    }

    /// Waits until no lock is held any more and no cluster is left to be freed, as far as others give up what that takes;
    /// `false` where the host has ended meanwhile.
    async fn lets_go(&self, deadline: Instant) -> bool {
        let core = &self.core;
        let mut clearings = CLEARINGS_MAX;
        loop {
            let is_about_to_free = self.disks.as_ref().is_some_and(|disks| disks.source.is_about_to_free());
            if is_about_to_free || !self.nothing_is_held().await {
                let seen = core.changed.seen();
                core.change_within(seen, core.store.timing.beat / 8).await;
                if core.ended().is_some() {
                    return false;
                }
                continue;
            }
            let Some(disks) = self.disks.as_ref().filter(|_| self.uncleared() > 0 && clearings > 0) else {
                return true;
            };
            clearings -= 1;
            here::clear_before_the_end(disks, deadline).await;
        }
    }

    /// Clusters that came free and are marked as taken still: their groups are other hosts', who have not given them up. A host
    /// that leaves waits for them, but not for ever: what it leaves so is nobody's.
    #[must_use]
    pub fn uncleared(&self) -> usize {
        self.disks.as_ref().map_or(0, |disks| disks.source.waiting_to_be_cleared())
    }

    /// What the disk says of this host at the end of its leave.
    fn how_it_left(&self) -> HostState {
        // A beat without an answer keeps the cell for itself: then nothing is known of the slot.
        let freed = self.slot.try_lock().is_some_and(|slot| slot.record.state == SlotState::Free);
        if freed { HostState::Left } else { HostState::LeftBehind(Leftover::of(&self.core)) }
    }

    /// Whether no lock is held or open any more. Users that still have guards are waited for.
    async fn nothing_is_held(&self) -> bool {
        for place in self.core.places.every() {
            if !place.is_settled().await {
                return false;
            }
        }
        true
    }

    async fn free_slot(&self) {
        let core = &self.core;
        // What this life released must not come back without power under a slot that says that nothing of it stands anywhere.
        let durable = core.store.flush().await.is_ok();
        let mut slot = self.slot.lock().await;
        while core.ended().is_none() && slot.record.state == SlotState::Live {
            // Who was asked and has not answered leaves bits in locks that may be unknown (R25, R39). The next life in the
            // slot answers for them; an answer now could take as long as the device does for the whole table.
            let unclean = slot.record.asked || core.places.is_unanswered() || !durable;
            // Like a beat it may be sent outside of the lease: if it swaps this host's own last image, nobody fenced it.
            let record = SlotRecord { state: SlotState::Free, unclean, asked: false, ..slot.record.clone() };
            let swap = slot.swap(&core.store, core.sender(Purpose::OwnSlot), record).await;
            core.note_hindrance(&swap);
            match swap {
                Swap::Swapped { .. } | Swap::Adopted { .. } => {}
                Swap::Lost => beat::lost(core, &slot),
                Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => {
                    core.store.world.pause(core.store.timing.beat / 8).await;
                }
            }
        }
        if slot.record.state == SlotState::Free {
            // First the right to the slot, then the end: once it has ended nobody drives what is left to do.
            core.store.world.cut_off.exit(core.me.slot).await;
            core.enter(HostState::Left);
        }
    }
}

async fn settle_for_leave(core: Rc<Core>, place: Rc<dyn AnyPlace>) {
    if place.holding().get() == Holding::None {
        place.settle(core).await;
    }
}
