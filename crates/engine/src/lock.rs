//! Locks: taking, waiting for, keeping and releasing one lock record (R1, R11, R25, R26).
//!
//! ```text
//!   try:  know the record --> who stands in the way? --> nobody --------------> ATS: taken
//!                                   |                                            | lost, unknown: decide again
//!                                   +--> look at each one's slot, read after the record
//!                                              all gone: as nobody               some present: set interest, watch
//!                                                                                them, wait with growing pauses
//! ```
//! An acquire that ends without the lock leaves nothing behind: what is still open is settled in the background.

mod finding;

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Instant, Refusal, SlotIndex};
use oarlock_format::{LockMode, LockState, Locked, SlotRecord, SlotState};

use crate::cell::{Cell, Distrust, Purpose, Swap};
use crate::core::{Core, Ended};
use crate::decide::{Want, blockers, has, taken};
use crate::mailbox;
use crate::places::{Holding, LockPlace};
use crate::planted::{PlantedBug, planted, token_to_tell};
use crate::release::settle;
use crate::slots::read_slots;
use crate::standing::still_present;
use crate::store::{Lane, ReadFault};
use crate::suspect::{Interest, suspect};
use crate::takeover::distrust;
use crate::waiting::Waiting;
use crate::whereabouts::Whereabouts;

/// Why a lock was not got.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The deadline passed.
    #[error("the lock {name} was not got in time{}", why.as_ref().map_or(String::new(), |why| format!(": {why}")))]
    TimedOut {
        /// The lock.
        name: String,
        /// What stood in the way at last, if that was known.
        why: Option<String>,
    },
    /// The host came to its end first.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// All sixteen positions for the name are taken by locks in use.
    #[error(
        "there is no room for the lock {name}: all {} positions of its window hold locks in use",
        oarlock_format::LOCK_WINDOW
    )]
    TableFull {
        /// The lock.
        name: String,
    },
    /// What the lock guards cannot be written by several hosts (R34).
    #[error("the lock {name} cannot be had by several who write")]
    NotForMany {
        /// The lock.
        name: String,
    },
    /// A growth has not opened the allocation group yet: some host's beats do not show the present superblock, and nothing
    /// of the group may be given out before they do.
    #[error("the lock {name} cannot be taken: a growth has not opened the group yet")]
    Unopened {
        /// The lock.
        name: String,
    },
    /// A record on the way could not be read or trusted.
    #[error(transparent)]
    Record(#[from] ReadFault),
}

/// The first pause of a waiter; each further one is half as long again, up to an eighth of a beat, with jitter.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// So often in a row is an ATS refused as busy before some process is thought to be stopped in the middle of one. A file
/// tries for a quarter of a second each time.
const BUSY_TRIES: u32 = 4;

/// The pause after a failure to put a name into the table is doubled this often at most: enough for as many hosts as
/// want one name at once.
const SPOILT_MAX: u32 = 8;

/// A deadline that has passed already still gets one try: so many steps of it at most, of which the finding of the
/// record, the reading of who stands in the way and the taking are three.
const STEPS_OF_A_LATE_TRY: u32 = 4;

/// A try to take the lock.
enum Tried {
    /// It is this host's.
    Got,
    /// Something changed under the try: at once again.
    Again,
    /// Nothing is known at the moment, or the device is busy.
    Unclear,
    /// These slots stand in the way.
    Blocked(Vec<SlotIndex>),
}

/// Takes the lock for one local user, until `deadline` at most. Returns the generation of the image that took it: the
/// token.
pub(crate) async fn acquire<W: Whereabouts>(
    core: &Rc<Core>,
    place: &Rc<LockPlace<W>>,
    want: Want,
    deadline: Instant,
    still_wanted: &dyn Fn() -> bool,
) -> Result<u64, LockError> {
    acquire_with(core, place, Take { want, alter: &W::Record::clone }, deadline, still_wanted).await
}

/// How a lock is to be taken.
pub(crate) struct Take<'a, R> {
    /// Alone, or shared.
    pub(crate) want: Want,
    /// What the ATS that takes the lock changes besides, said of the record that it is taken from. It may be made from
    /// several images before it succeeds: this must be good for any.
    pub(crate) alter: &'a dyn Fn(&R) -> R,
}

/// As [`acquire`], by an ATS that makes one more change of the record.
pub(crate) async fn acquire_with<W: Whereabouts>(
    core: &Rc<Core>,
    place: &Rc<LockPlace<W>>,
    take: Take<'_, W::Record>,
    deadline: Instant,
    still_wanted: &dyn Fn() -> bool,
) -> Result<u64, LockError> {
    let mut waiter = Waiter::new(core, place, take, deadline);
    let waiting = Waiting::among(&place.waiting);
    let result = waiter.wait(still_wanted).await;
    drop(waiting);
    if result.is_err() && place.holding.get() == Holding::None {
        core.jobs.start(settle(Rc::clone(core), Rc::clone(place)));
    }
    result
}

struct Waiter<'a, W: Whereabouts> {
    core: &'a Rc<Core>,
    place: &'a Rc<LockPlace<W>>,
    want: Want,
    /// What the ATS that takes the lock changes besides.
    alter: &'a dyn Fn(&W::Record) -> W::Record,
    deadline: Instant,
    interests: Vec<(SlotIndex, Interest)>,
    pause: Duration,
    /// Until when this sharer lets somebody who waits for the sharers go first.
    polite_until: Option<Instant>,
    /// When this waiter last rang, or began to wait.
    rang: Option<Instant>,
    /// Steps that may be taken after the deadline, because none was taken before.
    late_steps: u32,
    /// The last read that did not come: what to say if the deadline passes.
    last_fault: Option<ReadFault>,
    /// How often in a row the device refused an ATS on the record as busy.
    busy: u32,
}

impl<'a, W: Whereabouts> Waiter<'a, W> {
    fn new(
        core: &'a Rc<Core>,
        place: &'a Rc<LockPlace<W>>,
        take: Take<'a, W::Record>,
        deadline: Instant,
    ) -> Waiter<'a, W> {
        Waiter {
            core,
            place,
            want: take.want,
            alter: take.alter,
            deadline,
            interests: Vec::new(),
            pause: FIRST_PAUSE,
            polite_until: None,
            rang: None,
            late_steps: STEPS_OF_A_LATE_TRY,
            last_fault: None,
            busy: 0,
        }
    }

    async fn wait(&mut self, still_wanted: &dyn Fn() -> bool) -> Result<u64, LockError> {
        loop {
            if let Some(ended) = self.core.ended() {
                return Err(ended.into());
            }
            if !still_wanted() || !self.has_time() {
                return Err(self.timed_out());
            }
            if self.place.conflicts(self.want) || self.must_be_polite() {
                self.pause_or_change().await;
                continue;
            }
            let left = self.deadline.since(self.core.store.now());
            let place = Rc::clone(self.place);
            let Some(mut cell) = self.core.store.world.within(left, place.cell.lock()).await else {
                continue;
            };
            // It may have waited for long. A host that began to leave meanwhile and found nothing held here is freeing its
            // slot by now: what it took after that would be broken under its user at once.
            if !still_wanted() {
                return Err(self.timed_out());
            }
            if self.place.conflicts(self.want) {
                continue;
            }
            if !self.core.may_act() {
                drop(cell);
                self.pause_or_change().await;
                continue;
            }
            let tried = match self.try_once(&mut cell).await {
                Err(LockError::Record(fault)) if fault.is_passing() => {
                    self.last_fault = Some(fault);
                    Tried::Unclear
                }
                other => other?,
            };
            let mut tried = tried;
            if let Tried::Got = tried {
                if self.is_durable().await {
                    if let Some(token) = self.give_out(&cell).await? {
                        return Ok(token);
                    }
                } else {
                    tried = Tried::Unclear;
                }
            }
            drop(cell);
            match tried {
                Tried::Got | Tried::Again => {}
                Tried::Unclear => {
                    self.suspect_all_if_busy().await;
                    self.pause_or_change().await;
                }
                Tried::Blocked(slots) => {
                    self.watch(&slots);
                    self.pause_or_change().await;
                }
            }
        }
    }

    /// Whether there is time for another step. A deadline of now is one try, not none.
    fn has_time(&mut self) -> bool {
        if self.core.store.now() < self.deadline {
            return true;
        }
        let left = self.late_steps > 0;
        self.late_steps = self.late_steps.saturating_sub(1);
        left
    }

    /// An acquire that guards journaled objects is durable before the first commit, or the first write, under it (R12), and so before
    /// it is given out. One that was kept was durable then. Where the flush fails the lock is taken anew by the next try.
    async fn is_durable(&self) -> bool {
        let kept = matches!(self.place.holding.get(), Holding::Kept(_));
        let commits = self.want != Want::Shared && self.place.whereabouts.journaled().is_some();
        kept || !commits || self.core.store.flush().await.is_ok()
    }

    /// The lock is this host's on the disk. It is given out only within the lease (R7): otherwise the host waits until
    /// it may act again, or ends, or the user's time is over; then the lock is given back.
    async fn give_out(&self, cell: &Option<Cell<W::Record>>) -> Result<Option<u64>, LockError> {
        let Some(cell) = cell else { return Ok(None) };
        if !planted(PlantedBug::GiveOutAfterLapse) && !self.core.may_act() {
            let left = self.deadline.since(self.core.store.now());
            let within = self.core.store.world.within(left, self.core.until_it_may_act()).await;
            within.ok_or_else(|| self.timed_out())??;
        }
        self.place.hold(self.want);
        Ok(Some(token_to_tell(self.core.me, cell.lba, self.want, cell.generation().0)))
    }

    /// Whether this host recently let somebody else go first (R26).
    fn must_be_polite(&self) -> bool {
        self.place.polite_until.get().is_some_and(|until| self.core.store.now() < until)
            && !matches!(self.place.holding.get(), Holding::Kept(_))
    }

    async fn try_once(&mut self, slot: &mut Option<Cell<W::Record>>) -> Result<Tried, LockError> {
        let Some(cell) = slot else { return self.find(slot).await };
        if cell.has_open_attempts() {
            return self.close(cell).await;
        }
        if !self.place.whereabouts.is_in(&cell.record) {
            if W::is_lost_in(&cell.record) && self.place.holding.get() != Holding::None {
                // A repair lost the name of a lock that is in use here. This place is known by its block alone now, and
                // must be found by it when the host is asked (R39).
                return Ok(Tried::Unclear);
            }
            *slot = None;
            return Ok(Tried::Again);
        }
        if has(cell.record.lock(), self.core.me, self.want)
            && matches!(self.place.holding.get(), Holding::Kept(_))
        {
            return Ok(Tried::Got);
        }
        let mut in_the_way = blockers(cell.record.lock(), self.core.me, self.want);
        if !in_the_way.is_empty() {
            // What stands in the way is judged by the record as it is now, and by slots read after it (R11).
            cell.refresh(&self.core.store, Lane::Work)
                .await
                .inspect_err(|fault| distrust(self.core, fault))?;
            in_the_way = blockers(cell.record.lock(), self.core.me, self.want);
            if !self.place.whereabouts.is_in(&cell.record) {
                return Ok(Tried::Again);
            }
        }
        let present = still_present(self.core, &in_the_way).await?;
        if present.is_empty() && !self.yields_to_interest(cell.record.lock()) {
            if self.may_have(&cell.record) {
                return self.take(cell).await;
            }
            // What this host remembers of it may be old.
            cell.refresh(&self.core.store, Lane::Work)
                .await
                .inspect_err(|fault| distrust(self.core, fault))?;
            let refused = LockError::NotForMany { name: self.place.whereabouts.words() };
            return if self.may_have(&cell.record) { Ok(Tried::Again) } else { Err(refused) };
        }
        self.show_interest(cell, &present).await;
        Ok(Tried::Blocked(present))
    }

    /// Whether what the lock guards can be had in the way that is wanted.
    fn may_have(&self, record: &W::Record) -> bool {
        self.want != Want::MultiWriter || W::may_be_written_by_many(record)
    }

    async fn take(&mut self, cell: &mut Cell<W::Record>) -> Result<Tried, LockError> {
        let record = cell.record.clone();
        self.swap_in(cell, &record).await
    }

    async fn swap_in(&mut self, cell: &mut Cell<W::Record>, from: &W::Record) -> Result<Tried, LockError> {
        let wall_ms = self.core.store.world.clock.wall().milliseconds;
        let sticky = self.place.policy.get().sticky;
        let lock = taken(from.lock(), self.core.me, self.want, sticky, wall_ms);
        let mut record = (self.alter)(from);
        *record.lock_mut() = lock;
        let swap = cell.swap(&self.core.store, self.core.sender(Purpose::Race), record).await;
        self.note_busy(&swap);
        if let Swap::Distrusted(Distrust::Fault(fault)) = &swap {
            distrust(self.core, fault);
            if matches!(fault, ReadFault::Unsound { .. }) {
                // It was read often enough: whoever waits should know, and no waiting helps.
                return Err(fault.clone().into());
            }
        }
        let mine = has(cell.record.lock(), self.core.me, self.want)
            && self.place.whereabouts.is_in(&cell.record)
            && !cell.has_open_attempts();
        Ok(match swap {
            Swap::Swapped { .. } | Swap::Adopted { .. } if mine => Tried::Got,
            Swap::Swapped { .. } | Swap::Adopted { .. } | Swap::Lost => Tried::Again,
            Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => Tried::Unclear,
        })
    }

    /// An earlier attempt is open: it is closed by a swap of one's own, which may as well be the take.
    async fn close(&mut self, cell: &mut Cell<W::Record>) -> Result<Tried, LockError> {
        let in_place = self.place.whereabouts.is_in(&cell.record);
        let is_free = blockers(cell.record.lock(), self.core.me, self.want).is_empty();
        if in_place && is_free && self.may_have(&cell.record) {
            return self.take(cell).await;
        }
        let record = cell.record.clone();
        let swap = cell.swap(&self.core.store, self.core.sender(Purpose::Upkeep), record).await;
        self.note_busy(&swap);
        Ok(match swap {
            Swap::Swapped { .. } | Swap::Adopted { .. } | Swap::Lost => Tried::Again,
            Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => Tried::Unclear,
        })
    }

    /// Who would share waits for a beat where somebody waits for the sharers.
    fn yields_to_interest(&mut self, lock: &LockState) -> bool {
        let joins = self.want != Want::Exclusive && lock.mode == self.want.mode();
        if !(joins && lock.interest) {
            return false;
        }
        let now = self.core.store.now();
        let until = *self.polite_until.get_or_insert(now.plus(self.core.store.timing.beat));
        now < until
    }

    /// Sets the interest bit, once, and rings those that keep the lock without using it. A ring is only a hint and may
    /// get lost, so whoever still waits after a lease rings again, or once half of his time is over: who waits for a group waits
    /// for less than a lease, and the next who does finds the bit set.
    async fn show_interest(&mut self, cell: &mut Cell<W::Record>, present: &[SlotIndex]) {
        if cell.record.lock().mode == LockMode::Free {
            return;
        }
        let now = self.core.store.now();
        let (timing, rang) = (self.core.store.timing, *self.rang.get_or_insert(now));
        let again = timing.lease.min(self.deadline.since(rang) / 2).max(timing.beat);
        let mut rings = now.since(rang) >= again;
        if !cell.record.lock().interest {
            let mut record = cell.record.clone();
            record.lock_mut().interest = true;
            let swap = cell.swap(&self.core.store, self.core.sender(Purpose::Upkeep), record).await;
            rings |= matches!(swap, Swap::Swapped { .. } | Swap::Adopted { .. });
        }
        if rings && cell.record.lock().sticky {
            self.rang = Some(now);
            for slot in present {
                mailbox::ring(self.core, *slot, cell.lba).await;
            }
        }
    }

    fn watch(&mut self, slots: &[SlotIndex]) {
        // A pursuit that ended with another life in the slot is begun again for that one.
        self.interests.retain(|(slot, interest)| slots.contains(slot) && !interest.is_over());
        for slot in slots {
            if *slot != self.core.me.slot && !self.interests.iter().any(|(known, _)| known == slot) {
                self.interests.push((*slot, suspect(self.core, *slot)));
            }
        }
    }

    fn note_busy(&mut self, swap: &Swap) {
        self.busy = if *swap == Swap::Refused(Refusal::Busy) { self.busy + 1 } else { 0 };
    }

    /// A file's block stays busy where a process was stopped in the middle of an ATS on it (R43), and nobody can tell which
    /// one. Whoever it is beats no more: so all are watched, and the one that stands still is fenced and cut off.
    async fn suspect_all_if_busy(&mut self) {
        let watching = self.interests.iter().any(|(_, interest)| !interest.is_over());
        if self.busy < BUSY_TRIES || watching {
            return;
        }
        match read_slots(&self.core.store).await {
            Ok(slots) => {
                let taken = |seen: &SlotRecord| seen.state != SlotState::Free;
                let taken = slots.sound.iter().filter(|(_, seen)| taken(&seen.stamped.record));
                self.watch(&taken.map(|(slot, _)| *slot).collect::<Vec<_>>());
            }
            Err(fault) => self.last_fault = Some(fault),
        }
    }

    /// A growing, jittered pause; a change on this host ends it early.
    async fn pause_or_change(&mut self) {
        // Whoever waits has had its try.
        self.late_steps = 0;
        let longest = self.core.store.timing.beat / 8;
        let left = self.deadline.since(self.core.store.now());
        let pause = self.pause / 2 + self.core.store.world.jitter(self.pause / 2);
        self.core.change_within(self.core.changed.seen(), pause.min(left)).await;
        self.pause = (self.pause * 3 / 2).min(longest);
    }

    fn timed_out(&self) -> LockError {
        let refusal = self.interests.iter().find_map(|(_, interest)| interest.refusal());
        let held_by = self.interests.first().map(|(_, interest)| match &refusal {
            Some(refusal) => format!("held by {}, whose takeover is refused: {refusal}", interest.who()),
            None => format!("held by {}", interest.who()),
        });
        let stuck = (self.busy >= BUSY_TRIES).then(|| {
            "its block is busy: a process that was stopped in the middle of an ATS may hold it".to_owned()
        });
        let here = self.place.conflicts(self.want).then(|| "another user on this host has it".to_owned());
        let fault = self.last_fault.as_ref().map(ReadFault::to_string);
        LockError::TimedOut {
            name: self.place.whereabouts.words(),
            // What a host may not do, no other holder need stand in the way of.
            why: self.core.why_held().or(here).or(stuck).or(held_by).or(fault),
        }
    }
}
