//! The takeover of a silent host: watch, fence, cut off, replay, free; each step one ATS on its slot (R6, R9, R11).
//!
//! ```text
//!   Live --watched, or death proved--> Fenced --cut-off proved--> CutOff --> Replaying --> Replayed --> Free
//! ```
//! Any host that is interested takes up the next step, whoever made the last one; only Replaying belongs to its author,
//! and moves to another host only once that author was fenced and cut off itself.

mod fencing;

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::Instant;
use oarlock_causes::{Action, Cause, EventKind};
use oarlock_format::{
    CutOffProof, FenceReason, Generation, Incarnation, Kind, Owner, SlotRecord, SlotState, Writer,
};

use crate::cell::{Cell, Distrust, Purpose, Swap};
use crate::core::{Core, StopReason};
use crate::event::Event;
use crate::journal::{ReplayError, replay};
use crate::planted::{PlantedBug, planted, take_replayed};
use crate::step::{Evidence, Step, buried_by, grace_of, next_step, victim};
use crate::store::{Lane, ReadFault};
use crate::suspect::{Interest, Suspect, suspect};
use crate::verdict::Version;
use crate::watch::{Look, Watch};

/// A proof of death is asked for this often while somebody waits: what a killed host's takeover waits for at most.
const DEATH_ASKED_EVERY: Duration = Duration::from_millis(200);

/// A pursuit for which nobody waits any more goes on for so many beats: whoever tries again with more patience may first look who lives,
/// which takes some.
const BEATS_TO_LINGER: u32 = 4;

/// A slot that is watched is read this often in a beat at least, however short the beat is.
const LOOKS_A_BEAT: u32 = 4;

/// How often a slot that is watched is looked at, and its host's death asked for.
pub(crate) fn look_every(beat: Duration) -> Duration {
    DEATH_ASKED_EVERY.min(beat / LOOKS_A_BEAT)
}

/// Watches and takes over one slot, as long as somebody is interested.
pub(crate) async fn pursue(core: Rc<Core>, suspect: Rc<Suspect>) {
    let pursuit = Pursuit::begin(&core, &suspect).await;
    if let Some(mut pursuit) = pursuit {
        while pursuit.goes_on().await {}
    }
    suspect.over.set(true);
    core.suspects.borrow_mut().remove(&suspect.slot);
    core.changed.announce();
}

struct Pursuit<'a> {
    core: &'a Rc<Core>,
    suspect: &'a Suspect,
    cell: Cell<SlotRecord>,
    incarnation: Incarnation,
    watch: Watch,
    /// The interest in the replaying host's slot, while that one is waited for.
    replayer: Option<Interest>,
    /// Since when its death has been proved at every look.
    dead_since: Option<Instant>,
    /// Since when nobody waits.
    unwanted_since: Option<Instant>,
    /// Fences in a row that the device was too busy for, all from this one image.
    busy: (Version, u32),
    /// The image that is known to be durable: no step is taken from another (R12).
    durable: Option<Version>,
    /// The image under which the journal went home: under it nothing is brought home again. The ATS that says so may have no
    /// answer and land at any time, and what was replayed is others' from then on (R11).
    home: Option<Version>,
}

impl<'a> Pursuit<'a> {
    async fn begin(core: &'a Rc<Core>, suspect: &'a Suspect) -> Option<Pursuit<'a>> {
        let lba = core.store.layout.slot(suspect.slot);
        while suspect.interested.get() > 0 && core.until_it_may_act().await.is_ok() {
            match core.store.read::<SlotRecord>(Lane::Work, lba).await {
                Ok(seen) => {
                    let incarnation = seen.stamped.record.incarnation;
                    suspect.name.borrow_mut().clone_from(&seen.stamped.record.name);
                    let timing = core.store.timing;
                    // A random part of half a beat keeps many observers from fencing in the same instant (R40).
                    let length = timing.watch + core.store.world.jitter(timing.beat / 2);
                    let mut watch = Watch::new(length, timing.beat);
                    watch.look(look_of(core, &seen));
                    let first = seen.version();
                    let cell = Cell::new(lba, seen);
                    return Some(Pursuit {
                        core,
                        suspect,
                        cell,
                        incarnation,
                        watch,
                        replayer: None,
                        dead_since: None,
                        unwanted_since: None,
                        busy: (first, 0),
                        durable: None,
                        home: None,
                    });
                }
                Err(fault) => distrust(core, &fault),
            }
            core.store.world.pause(core.store.timing.beat / 2).await;
        }
        None
    }

    /// One look and at most one step; whether there is more to do.
    async fn goes_on(&mut self) -> bool {
        // Once the cut-off is proved the rest is a matter of moments: the slot is freed even if nobody waits any more.
        let state = &self.cell.record.state;
        let begun = matches!(
            state,
            SlotState::CutOff { .. } | SlotState::Replaying { .. } | SlotState::Replayed { .. }
        );
        let unwanted = self.suspect.interested.get() == 0 && !self.cell.has_open_attempts() && !begun;
        let lapsed = planted(PlantedBug::FenceWhileLapsed) && self.core.ended().is_none();
        if !lapsed && self.core.until_it_may_act().await.is_err() {
            return false;
        }
        if self.cell.record.incarnation != self.incarnation {
            return false;
        }
        if unwanted {
            return self.lingers().await;
        }
        self.unwanted_since = None;
        if self.must_be_durable_first() {
            self.make_durable().await;
            return true;
        }
        let evidence = self.evidence().await;
        let step = next_step(&self.cell.record.state, self.core.me, evidence);
        match step {
            Step::Done => return false,
            Step::Watch => self.look_again().await,
            Step::Fence(reason) => self.fence(reason, evidence).await,
            Step::CutOff => self.cut_off().await,
            Step::EndBurial => {
                if self.still_stands().await {
                    self.end_of_process().await;
                }
            }
            Step::TakeReplay => {
                self.after_cut_off(|by, reason, from, proof| SlotState::Replaying {
                    by,
                    reason,
                    from,
                    proof,
                })
                .await;
            }
            Step::WaitForReplayer(by) => self.wait_for(by).await,
            Step::Replay => self.replay().await,
            Step::Free => self.free().await,
        }
        self.core.changed.announce();
        true
    }

    /// Nobody waits any more: whoever comes soon, because he tries again, finds that the watch went on. No step is taken for nobody.
    async fn lingers(&mut self) -> bool {
        let now = self.core.store.now();
        let since = *self.unwanted_since.get_or_insert(now);
        let is_over = now.since(since) >= self.core.store.timing.beat * BEATS_TO_LINGER;
        if is_over || self.cell.record.state == SlotState::Free {
            return false;
        }
        // These looks ask for no proof of death, so none has been there at every look.
        self.dead_since = None;
        self.core.store.world.pause(self.until_next_look()).await;
        self.look().await;
        true
    }

    /// Whether the slot's state, this host's step or another's, must be flushed before the next one (R12). Beats need no
    /// durability, nor does a slot that another has freed.
    fn must_be_durable_first(&self) -> bool {
        let counts = match self.cell.record.state {
            SlotState::Live => false,
            SlotState::Free => self.cell.writer() == Writer::Host(self.core.me),
            _ => true,
        };
        counts && self.durable != Some(self.cell.version())
    }

    async fn evidence(&mut self) -> Evidence {
        let record = &self.cell.record;
        let own_burial = buried_by(&record.state) == Some(self.suspect.slot);
        let cut_off = &self.core.store.world.cut_off;
        let dead = (record.state == SlotState::Live || own_burial)
            && cut_off.death_proved(victim(self.suspect.slot, record)).await.is_some();
        let now = self.core.store.now();
        let since = if dead { Some(*self.dead_since.get_or_insert(now)) } else { None };
        self.dead_since = since;
        let grace = grace_of(self.core.store.timing.lease);
        let death_proved = since.is_some_and(|since| now.since(since) >= grace);
        let record = &self.cell.record;
        let replayer_cut_off = match record.state {
            SlotState::Replaying { by, .. } => self.is_cut_off(by).await,
            _ => false,
        };
        Evidence {
            death_proved,
            watched: self.watched(),
            evicted: self.suspect.forced.get() == Some(self.cell.record.incarnation),
            replayer_cut_off,
            buried_by_itself: own_burial && !dead,
        }
    }

    /// Whether a replaying host can land nothing any more: its own slot says so, or, where it replays its own former
    /// life, its death is proved.
    async fn is_cut_off(&self, replayer: Owner) -> bool {
        if replayer.slot == self.suspect.slot {
            let victim = victim(self.suspect.slot, &self.cell.record);
            return self.core.store.world.cut_off.death_proved(victim).await.is_some();
        }
        let lba = self.core.store.layout.slot(replayer.slot);
        match self.core.store.read::<SlotRecord>(Lane::Work, lba).await {
            Ok(seen) => {
                let record = seen.stamped.record;
                let cut_off = !matches!(record.state, SlotState::Live | SlotState::Fenced { .. });
                record.incarnation > replayer.incarnation
                    || (record.incarnation == replayer.incarnation && cut_off)
            }
            Err(fault) => {
                distrust(self.core, &fault);
                false
            }
        }
    }

    /// Looks at the slot for half a beat, or until there is something to do, asking for a proof of death meanwhile.
    async fn look_again(&mut self) {
        let known = self.cell.version();
        let until = self.core.store.now().plus(self.core.store.timing.beat / 2);
        while self.core.store.now() < until {
            self.core.store.world.pause(self.until_next_look()).await;
            if self.suspect.interested.get() == 0 {
                return;
            }
            self.look().await;
            let record = &self.cell.record;
            let forced = self.suspect.forced.get() == Some(record.incarnation);
            let watched = record.state == SlotState::Live && self.watched();
            if forced || watched || self.cell.version() != known || self.is_dead().await {
                return;
            }
        }
    }

    /// The pause before the next look at a slot. A watch breaks where two replies are more than a beat apart (R6), and on a
    /// busy machine each pause and each reply is late: so most of the beat is left to them.
    fn until_next_look(&self) -> Duration {
        let timing = &self.core.store.timing;
        let tick = look_every(timing.beat);
        let grace_left = |since: Instant| since.plus(grace_of(timing.lease)).since(self.core.store.now());
        self.dead_since.map_or(tick, grace_left).min(tick)
    }

    /// Reads the slot, for the watch.
    async fn look(&mut self) {
        match self.cell.refresh(&self.core.store, Lane::Work).await {
            Ok(seen) => self.watch.look(look_of(self.core, &seen)),
            Err(fault) => {
                self.watch.broken();
                distrust(self.core, &fault);
            }
        }
    }

    /// Whether the host is proved dead now; since when is kept for its users' moment (R9).
    async fn is_dead(&mut self) -> bool {
        let victim = victim(self.suspect.slot, &self.cell.record);
        let dead = self.core.store.world.cut_off.death_proved(victim).await.is_some();
        if dead {
            self.dead_since.get_or_insert(self.core.store.now());
        }
        dead
    }

    /// Whether the slot stood still for a whole watch, as the image that is known.
    fn watched(&self) -> bool {
        self.watch.complete(self.core.store.now(), self.core.disturbances())
            == Some(self.cell.version().nonce)
    }

    /// What the dead host's journal holds goes home; only then the slot says Replayed (R11).
    async fn replay(&mut self) {
        let under = self.cell.version();
        let replayed = match self.home == Some(under) {
            true => Ok(()),
            false => replay::for_takeover(self.core, self.suspect.slot, &self.cell.record).await,
        };
        match replayed {
            Ok(()) => {
                self.home = Some(under);
                self.after_cut_off(|by, reason, from, proof| SlotState::Replayed { by, reason, from, proof })
                    .await;
                for (lba, bytes) in take_replayed() {
                    self.core.store.world.pause(self.core.store.timing.lease).await;
                    let _ = self.core.store.device(Lane::Work).write(lba, &bytes).await;
                }
            }
            // Done again once this host may act, if the slot is still its to replay.
            Err(ReplayError::Lapsed { .. }) => {}
            Err(reason) => {
                self.refuse(reason.to_string()).await;
                // Each try reads a whole journal.
                self.core.store.world.pause(self.core.store.timing.lease).await;
            }
        }
    }

    async fn free(&mut self) {
        let record =
            SlotRecord { state: SlotState::Free, unclean: true, asked: false, ..self.cell.record.clone() };
        self.swap_record(record).await;
        if self.cell.record.state == SlotState::Free {
            self.report(
                EventKind::Takeover,
                Action::Adopted,
                "taken over: its locks can be broken now".to_owned(),
            );
        }
    }

    /// Swaps the state of a slot that was cut off for the one that follows, by this host.
    async fn after_cut_off(
        &mut self,
        next: impl FnOnce(Owner, FenceReason, Generation, CutOffProof) -> SlotState,
    ) {
        let state = match self.cell.record.state {
            SlotState::CutOff { reason, from, proof, .. }
            | SlotState::Replaying { reason, from, proof, .. }
            | SlotState::Replayed { reason, from, proof, .. } => next(self.core.me, reason, from, proof),
            SlotState::Free | SlotState::Live | SlotState::Fenced { .. } => return,
        };
        self.swap_record(SlotRecord { state, ..self.cell.record.clone() }).await;
    }

    async fn swap_record(&mut self, record: SlotRecord) {
        match self.cell.swap(&self.core.store, self.core.sender(Purpose::Race), record).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } => self.make_durable().await,
            other => self.not_done(&other).await,
        }
    }

    /// A slot's state is durable before the next step (R12); where the flush fails, the step is not relied on.
    async fn make_durable(&mut self) {
        let image = self.cell.version();
        let mut tries = 0;
        while let Err(error) = self.core.store.flush().await {
            tries += 1;
            if tries == FLUSHES_MAX {
                self.refuse(format!("the slot's new state could not be made durable: {error}")).await;
                return;
            }
            self.core.store.world.pause(self.core.store.timing.beat / 2).await;
        }
        self.durable = Some(image);
        *self.suspect.refused.borrow_mut() = None;
    }

    async fn not_done(&mut self, swap: &Swap) {
        if let Swap::Distrusted(Distrust::Fault(fault)) = swap {
            distrust(self.core, fault);
        }
        if !matches!(swap, Swap::Lost) {
            self.core.store.world.pause(self.core.store.world.jitter(self.core.store.timing.beat / 4)).await;
        }
    }

    async fn wait_for(&mut self, replayer: Owner) {
        if self.replayer.as_ref().is_some_and(Interest::is_over) {
            self.replayer = None;
        }
        if self.replayer.is_none() && replayer.slot != self.suspect.slot && replayer.slot != self.core.me.slot
        {
            self.replayer = Some(suspect(self.core, replayer.slot));
        }
        self.look_again().await;
    }

    async fn refuse(&mut self, reason: String) {
        if self.suspect.refused.borrow().as_ref() != Some(&reason) {
            self.report(EventKind::Takeover, Action::Refused, reason.clone());
        }
        *self.suspect.refused.borrow_mut() = Some(reason);
        self.look_again().await;
    }

    /// `by` is who wrote what stands in the slot: the fencer, once it is fenced, with the attempt that did it.
    fn report(&self, kind: EventKind, action: Action, detail: String) {
        let name = self.cell.record.name.as_ref().map_or("?", |name| name.as_str());
        let event = self.core.store.event(kind, Cause::Fenced, self.cell.lba, Kind::Slot, action);
        let event = event.about(format!("host {name} (slot {}): {detail}", self.suspect.slot));
        self.core.store.report(Event {
            by: Some(self.cell.writer()),
            by_attempt: Some(self.cell.version().nonce),
            ..event
        });
    }
}

/// A slot's state is flushed this often before the takeover is refused.
const FLUSHES_MAX: u32 = 3;

fn look_of(core: &Core, seen: &crate::store::Seen<SlotRecord>) -> Look {
    Look {
        image: seen.version().nonce,
        issued: seen.issued,
        replied: seen.replied,
        disturbances: core.disturbances(),
    }
}

/// An older block than known stops the host (R2); every other fault only costs time.
pub(crate) fn distrust(core: &Core, fault: &ReadFault) {
    if matches!(fault, ReadFault::Older { .. }) {
        core.stop(StopReason::Rollback { detail: fault.to_string() });
    }
}
