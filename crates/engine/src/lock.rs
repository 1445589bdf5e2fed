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

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Instant, SlotIndex};
use oarlock_format::{LockMode, LockRecord, LockState, SlotRecord, SlotSet, SlotState};

use crate::cell::{Cell, Distrust, Purpose, Swap};
use crate::core::{Core, Ended};
use crate::decide::{Blocker, Life, Want, blockers, has, life, released, taken};
use crate::mailbox;
use crate::places::{Holding, LockPlace};
use crate::planted::{PlantedBug, planted, slot_to_judge_by};
use crate::store::{Lane, ReadFault};
use crate::table::{self, Located};
use crate::takeover::{Interest, distrust, suspect};

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
    /// A record on the way could not be read or trusted.
    #[error(transparent)]
    Record(#[from] ReadFault),
}

/// The first pause of a waiter; each further one is half as long again, up to an eighth of a beat, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

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
pub(crate) async fn acquire(
    core: &Rc<Core>,
    place: &Rc<LockPlace>,
    want: Want,
    deadline: Instant,
    still_wanted: &dyn Fn() -> bool,
) -> Result<u64, LockError> {
    let mut waiter = Waiter::new(core, place, want, deadline);
    place.waiting.set(place.waiting.get() + 1);
    let result = waiter.wait(still_wanted).await;
    place.waiting.set(place.waiting.get() - 1);
    if result.is_err() && place.holding.get() == Holding::None {
        core.jobs.start(settle(Rc::clone(core), Rc::clone(place)));
    }
    result
}

struct Waiter<'a> {
    core: &'a Rc<Core>,
    place: &'a Rc<LockPlace>,
    want: Want,
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
}

impl<'a> Waiter<'a> {
    fn new(core: &'a Rc<Core>, place: &'a Rc<LockPlace>, want: Want, deadline: Instant) -> Waiter<'a> {
        Waiter {
            core,
            place,
            want,
            deadline,
            interests: Vec::new(),
            pause: FIRST_PAUSE,
            polite_until: None,
            rang: None,
            late_steps: STEPS_OF_A_LATE_TRY,
            last_fault: None,
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
            if let Tried::Got = tried
                && let Some(token) = self.give_out(&cell).await?
            {
                return Ok(token);
            }
            drop(cell);
            match tried {
                Tried::Got | Tried::Again => {}
                Tried::Unclear => self.pause_or_change().await,
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

    /// The lock is this host's on the disk. It is given out only within the lease (R7): otherwise the host waits until
    /// it may act again, or ends, or the user's time is over; then the lock is given back.
    async fn give_out(&self, cell: &Option<Cell<LockRecord>>) -> Result<Option<u64>, LockError> {
        let Some(cell) = cell else { return Ok(None) };
        if !planted(PlantedBug::GiveOutAfterLapse) && !self.core.may_act() {
            let left = self.deadline.since(self.core.store.now());
            let within = self.core.store.world.within(left, self.core.until_it_may_act()).await;
            within.ok_or_else(|| self.timed_out())??;
        }
        self.place.hold(self.want);
        Ok(Some(cell.generation().0))
    }

    /// Whether this host recently let somebody else go first (R26).
    fn must_be_polite(&self) -> bool {
        self.place.polite_until.get().is_some_and(|until| self.core.store.now() < until)
            && !matches!(self.place.holding.get(), Holding::Kept(_))
    }

    async fn try_once(&mut self, slot: &mut Option<Cell<LockRecord>>) -> Result<Tried, LockError> {
        let Some(cell) = slot else { return self.find(slot).await };
        if cell.has_open_attempts() {
            return self.close(cell).await;
        }
        if cell.record.name.as_ref() != Some(&self.place.name) {
            if table::is_unnamed(&cell.record) && self.place.holding.get() != Holding::None {
                // A repair lost the name of a lock that is in use here. This place is known by its block alone now, and
                // must be found by it when the host is asked (R39).
                return Ok(Tried::Unclear);
            }
            *slot = None;
            return Ok(Tried::Again);
        }
        if has(&cell.record.lock, self.core.me, self.want)
            && matches!(self.place.holding.get(), Holding::Kept(_))
        {
            return Ok(Tried::Got);
        }
        let mut in_the_way = blockers(&cell.record.lock, self.core.me, self.want);
        if !in_the_way.is_empty() {
            // What stands in the way is judged by the record as it is now, and by slots read after it (R11).
            cell.refresh(&self.core.store, Lane::Work)
                .await
                .inspect_err(|fault| distrust(self.core, fault))?;
            in_the_way = blockers(&cell.record.lock, self.core.me, self.want);
            if cell.record.name.as_ref() != Some(&self.place.name) {
                return Ok(Tried::Again);
            }
        }
        let present = self.still_present(&in_the_way).await?;
        if present.is_empty() && !self.yields_to_interest(&cell.record) {
            return self.take(cell).await;
        }
        self.show_interest(cell, &present).await;
        Ok(Tried::Blocked(present))
    }

    /// Finds the record of the name, or puts it into the table by taking it.
    async fn find(&mut self, slot: &mut Option<Cell<LockRecord>>) -> Result<Tried, LockError> {
        let began = self.core.store.now();
        let located = table::locate(self.core, &self.place.name).await;
        let located = located.inspect_err(|error| {
            if let LockError::Record(fault) = error {
                distrust(self.core, fault);
            }
        })?;
        match located {
            Located::Found(cell) => {
                self.place.spoilt.set(0);
                *slot = Some(cell);
                Ok(Tried::Again)
            }
            Located::Vacant { mut cell, children } => {
                let name = Some(self.place.name.clone());
                let vacant = LockRecord { name, children, ..cell.record.clone() };
                let tried = self.swap_in(&mut cell, &vacant).await;
                *slot = Some(cell);
                tried
            }
            Located::Unnamed(cell) => self.free_unnamed(cell).await,
            Located::Again => {
                self.let_others_finish(self.core.store.now().since(began)).await;
                Ok(Tried::Unclear)
            }
        }
    }

    /// Hosts that put a name into one window at once spoil each other's work. Each waits for a random part of as long as
    /// its own took, and twice that after each further failure, until one of them gets through undisturbed.
    async fn let_others_finish(&mut self, took: Duration) {
        let spoilt = self.place.spoilt.get();
        self.place.spoilt.set((spoilt + 1).min(SPOILT_MAX));
        let longest = (took * (1 << spoilt)).min(self.core.store.timing.lease);
        let left = self.deadline.since(self.core.store.now());
        self.core.store.world.pause(self.core.store.world.jitter(longest).min(left)).await;
    }

    /// A lock whose name a repair could not tell may be the one that is looked for. Those who may hold it were asked;
    /// once all that are left are gone, it is nobody's.
    async fn free_unnamed(&mut self, mut cell: Cell<LockRecord>) -> Result<Tried, LockError> {
        if cell.record.lock.holders.contains(self.core.me.slot) {
            // Asked once: waiters that ask again and again wake each other, and whoever answers never gets at the places.
            if !self.core.places.is_unanswered() {
                self.core.places.ask();
                self.core.changed.announce();
            }
            return Ok(Tried::Unclear);
        }
        // Judged by slots that are read after the record (R11).
        let present = self.still_present(&blockers(&cell.record.lock, self.core.me, Want::Exclusive)).await?;
        if !present.is_empty() {
            return Ok(Tried::Blocked(present));
        }
        let lock = LockState {
            mode: LockMode::Free,
            holders: SlotSet::default(),
            interest: false,
            sticky: false,
            ..cell.record.lock
        };
        let free = LockRecord { lock, ..cell.record.clone() };
        let swap = cell.swap(&self.core.store, self.core.sender(Purpose::Upkeep), free).await;
        Ok(if matches!(swap, Swap::Swapped { .. }) { Tried::Again } else { Tried::Unclear })
    }

    async fn take(&mut self, cell: &mut Cell<LockRecord>) -> Result<Tried, LockError> {
        let record = cell.record.clone();
        self.swap_in(cell, &record).await
    }

    async fn swap_in(&mut self, cell: &mut Cell<LockRecord>, from: &LockRecord) -> Result<Tried, LockError> {
        let wall_ms = self.core.store.world.clock.wall().milliseconds;
        let sticky = self.place.policy.get().sticky;
        let lock = taken(&from.lock, self.core.me, self.want, sticky, wall_ms);
        let record = LockRecord { lock, ..from.clone() };
        let swap = cell.swap(&self.core.store, self.core.sender(Purpose::Race), record).await;
        if let Swap::Distrusted(Distrust::Fault(fault)) = &swap {
            distrust(self.core, fault);
            if matches!(fault, ReadFault::Unsound { .. }) {
                // It was read often enough: whoever waits should know, and no waiting helps.
                return Err(fault.clone().into());
            }
        }
        let mine = has(&cell.record.lock, self.core.me, self.want)
            && cell.record.name.as_ref() == Some(&self.place.name)
            && !cell.has_open_attempts();
        Ok(match swap {
            Swap::Swapped { .. } | Swap::Adopted { .. } if mine => Tried::Got,
            Swap::Swapped { .. } | Swap::Adopted { .. } | Swap::Lost => Tried::Again,
            Swap::Open | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => Tried::Unclear,
        })
    }

    /// An earlier attempt is open: it is closed by a swap of one's own, which may as well be the take.
    async fn close(&mut self, cell: &mut Cell<LockRecord>) -> Result<Tried, LockError> {
        let in_place = cell.record.name.as_ref() == Some(&self.place.name);
        if in_place && blockers(&cell.record.lock, self.core.me, self.want).is_empty() {
            return self.take(cell).await;
        }
        let record = cell.record.clone();
        Ok(match cell.swap(&self.core.store, self.core.sender(Purpose::Upkeep), record).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } | Swap::Lost => Tried::Again,
            Swap::Open | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => Tried::Unclear,
        })
    }

    /// Which of the blockers' slots say that they are still there.
    async fn still_present(&self, in_the_way: &[Blocker]) -> Result<Vec<SlotIndex>, LockError> {
        let mut present = Vec::new();
        for blocker in in_the_way {
            let slot = self.look_at(blocker.slot()).await?;
            match life(blocker, &slot.record) {
                Life::Gone => {
                    if matches!(blocker, Blocker::Bit(_)) && !self.prove_free(slot).await {
                        present.push(blocker.slot());
                    }
                }
                Life::Present | Life::Impossible => present.push(blocker.slot()),
            }
        }
        Ok(present)
    }

    async fn look_at(&self, slot: SlotIndex) -> Result<Cell<SlotRecord>, LockError> {
        let lba = self.core.store.layout.slot(slot);
        let seen = self.core.store.read::<SlotRecord>(Lane::Work, lba).await;
        let seen = seen.inspect_err(|fault| distrust(self.core, fault))?;
        let mut cell = Cell::new(lba, seen);
        cell.record = slot_to_judge_by(self.core.me, slot.0, cell.record);
        Ok(cell)
    }

    /// A free slot's bit is cleared only once an ATS proved the slot free: a stale read of a slot that has a new host by
    /// now would take that host's lock away.
    async fn prove_free(&self, mut slot: Cell<SlotRecord>) -> bool {
        if planted(PlantedBug::JudgeByCachedSlot) {
            return true;
        }
        if slot.record.state != SlotState::Free {
            return false;
        }
        let record = slot.record.clone();
        let swap = slot.swap(&self.core.store, self.core.sender(Purpose::Upkeep), record).await;
        matches!(swap, Swap::Swapped { .. })
    }

    /// Who would share waits for a beat where somebody waits for the sharers.
    fn yields_to_interest(&mut self, record: &LockRecord) -> bool {
        if !(self.want == Want::Shared && record.lock.mode == LockMode::Shared && record.lock.interest) {
            return false;
        }
        let now = self.core.store.now();
        let until = *self.polite_until.get_or_insert(now.plus(self.core.store.timing.beat));
        now < until
    }

    /// Sets the interest bit, once, and rings those that keep the lock without using it. A ring is only a hint and may
    /// get lost, so whoever still waits after a lease rings again.
    async fn show_interest(&mut self, cell: &mut Cell<LockRecord>, present: &[SlotIndex]) {
        if cell.record.lock.mode == LockMode::Free {
            return;
        }
        let now = self.core.store.now();
        let mut rings = now.since(*self.rang.get_or_insert(now)) >= self.core.store.timing.lease;
        if !cell.record.lock.interest {
            let lock = LockState { interest: true, ..cell.record.lock };
            let record = LockRecord { lock, ..cell.record.clone() };
            let swap = cell.swap(&self.core.store, self.core.sender(Purpose::Upkeep), record).await;
            rings |= matches!(swap, Swap::Swapped { .. } | Swap::Adopted { .. });
        }
        if rings && cell.record.lock.sticky {
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
        let held_by = self.interests.first().map(|(slot, _)| match &refusal {
            Some(refusal) => format!("held by slot {slot}, whose takeover is refused: {refusal}"),
            None => format!("held by slot {slot}"),
        });
        let here = self.place.conflicts(self.want).then(|| "another user on this host has it".to_owned());
        let fault = self.last_fault.as_ref().map(ReadFault::to_string);
        LockError::TimedOut { name: self.place.name.as_str().to_owned(), why: here.or(held_by).or(fault) }
    }
}

/// One local user is done. The last one's end releases the lock, or keeps it where the policy says so.
pub(crate) async fn release(core: Rc<Core>, place: Rc<LockPlace>) {
    if !place.let_go() {
        core.changed.announce();
        return;
    }
    let want = match place.holding.get() {
        Holding::Exclusive => Want::Exclusive,
        _ => Want::Shared,
    };
    if place.policy.get().sticky && !place.wanted.get() && !core.is_leaving() && core.ended().is_none() {
        place.holding.set(Holding::Kept(want));
        core.changed.announce();
        return;
    }
    place.holding.set(Holding::Releasing);
    settle(core, place).await;
}

/// Brings the disk to "this host has no part in the lock, and nothing is open", for as long as that takes; ends with
/// the host. Where another local user has got the lock meanwhile, there is nothing left to settle.
pub(crate) async fn settle(core: Rc<Core>, place: Rc<LockPlace>) {
    let mut cell = place.cell.lock().await;
    if !matches!(place.holding.get(), Holding::None | Holding::Releasing) {
        return;
    }
    let mut interested = false;
    let mut pause = FIRST_PAUSE;
    while let Some(known) = cell.as_mut() {
        // The bit is usually seen only when this host's own image loses against it.
        interested |= known.record.lock.interest;
        let wall_ms = core.store.world.clock.wall().milliseconds;
        // The position may hold another name by now, and this host may well own that one for somebody else here.
        let named = known.record.name.as_ref();
        let concerns =
            named == Some(&place.name) || (named.is_none() && known.record.lock.mode == LockMode::Unknown);
        let part = if concerns { released(&known.record.lock, core.me, wall_ms) } else { None };
        let record = match part {
            Some(lock) => LockRecord { lock, ..known.record.clone() },
            None if known.has_open_attempts() => known.record.clone(),
            None => break,
        };
        if core.until_it_may_act().await.is_err() {
            break;
        }
        match known.swap(&core.store, core.sender(Purpose::Upkeep), record).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } | Swap::Lost => {}
            other => {
                if planted(PlantedBug::CloseUnknownByReading)
                    && has(&known.record.lock, core.me, Want::Exclusive)
                {
                    place.holding.set(Holding::Kept(Want::Exclusive));
                    known.forget_open_attempts();
                    return;
                }
                if let Swap::Distrusted(Distrust::Fault(fault)) = &other {
                    distrust(&core, fault);
                }
                core.store.world.pause(core.store.world.jitter(pause)).await;
                pause = (pause * 2).min(core.store.timing.beat);
            }
        }
    }
    if interested {
        // Somebody waits: this host lets it go first, and a sticky lock is not retaken for a whole beat (R26). Every
        // waiter looks again within an eighth of a beat, its longest pause, and shall have looked once before this host
        // asks again: a newcomer's pauses are short, and it would win against all who have waited for long.
        let beat = core.store.timing.beat;
        let look = beat / 8;
        let pause = if place.policy.get().sticky { beat } else { look + core.store.world.jitter(look) };
        place.polite_until.set(Some(core.store.now().plus(pause)));
    }
    place.holding.set(Holding::None);
    place.wanted.set(false);
    drop(cell);
    core.changed.announce();
}
