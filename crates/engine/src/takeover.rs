//! The takeover of a silent host: watch, fence, cut off, replay, free; each step one ATS on its slot (R6, R9, R11).
//!
//! ```text
//!   Live --watched, or death proved--> Fenced --cut-off proved--> CutOff --> Replaying --> Replayed --> Free
//! ```
//! Any host that is interested takes up the next step, whoever made the last one; only Replaying belongs to its author,
//! and moves to another host only once that author was fenced and cut off itself.

use std::cell::{Cell as StdCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Instant, Proof, Refusal, SlotIndex, Victim};
use oarlock_causes::{Action, Cause, EventKind};
use oarlock_format::{CutOffProof, FenceReason, Generation, Incarnation, Kind, Owner, SlotRecord, SlotState};

use crate::cell::{Cell, Distrust, Purpose, Swap};
use crate::core::{Core, StopReason};
use crate::journal::{ReplayError, replay};
use crate::planted::{PlantedBug, planted};
use crate::store::{Lane, ReadFault};
use crate::verdict::Version;
use crate::watch::{Look, Watch};

/// A proof of death is asked for this often while somebody waits: what a killed host's takeover waits for at most.
const DEATH_ASKED_EVERY: Duration = Duration::from_millis(200);

/// A slot in which this host takes an interest, because somebody here waits for what its host owns.
pub(crate) struct Suspect {
    slot: SlotIndex,
    interested: StdCell<usize>,
    /// The life that a person knows to be dead.
    forced: StdCell<Option<Incarnation>>,
    /// The pursuit has come to its end; whoever still waits begins another.
    over: StdCell<bool>,
    refused: RefCell<Option<String>>,
}

/// One waiter's interest in a slot; the takeover goes on while there is one.
pub(crate) struct Interest {
    suspect: Rc<Suspect>,
}

impl Interest {
    /// A person knows the host to be dead in this life of it: the watch is skipped, never the cut-off.
    pub(crate) fn force(&self, incarnation: Incarnation) {
        self.suspect.forced.set(Some(incarnation));
    }

    /// Whether the pursuit has ended: with a free slot, or because another life began there.
    pub(crate) fn is_over(&self) -> bool {
        self.suspect.over.get()
    }

    /// Why the takeover does not get on, if it was refused.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.suspect.refused.borrow().clone()
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.suspect.interested.set(self.suspect.interested.get() - 1);
    }
}

/// Takes an interest in a slot: from now on it is watched, and taken over once it may be.
pub(crate) fn suspect(core: &Rc<Core>, slot: SlotIndex) -> Interest {
    assert_ne!(slot, core.me.slot, "a host never suspects itself");
    let known = core.suspects.borrow().get(&slot).cloned();
    let suspect = known.unwrap_or_else(|| {
        let suspect = Rc::new(Suspect {
            slot,
            interested: StdCell::new(0),
            forced: StdCell::new(None),
            over: StdCell::new(false),
            refused: RefCell::new(None),
        });
        core.suspects.borrow_mut().insert(slot, Rc::clone(&suspect));
        core.jobs.start(pursue(Rc::clone(core), Rc::clone(&suspect)));
        suspect
    });
    suspect.interested.set(suspect.interested.get() + 1);
    Interest { suspect }
}

/// The next step of a takeover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing to take over: the slot is free.
    Done,
    /// Keep watching.
    Watch,
    /// Write its death into its slot.
    Fence(FenceReason),
    /// Make sure that nothing more of it lands, and write that down.
    CutOff,
    /// The slot's own next life stopped in the middle of burying the last one: end it, so that others can go on.
    EndBurial,
    /// Become the one that replays.
    TakeReplay,
    /// Another replays: its own death would have to be proved first.
    WaitForReplayer(Owner),
    /// Replay, and write that down.
    Replay,
    /// Free the slot.
    Free,
}

/// What an observer knows besides the slot's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The host was proved dead (R9).
    pub death_proved: bool,
    /// It stood still for the whole watch (R6).
    pub watched: bool,
    /// A person says that it is dead.
    pub evicted: bool,
    /// The replaying host was cut off itself.
    pub replayer_cut_off: bool,
    /// The slot's own next life is burying the last one, and is not proved dead: it will finish, unless it stands still
    /// for a whole watch itself.
    pub buried_by_itself: bool,
}

/// How long a death must have been proved before a slot is fenced for it. The users of a daemon that was killed hear of it
/// when their connection closes, and stop (R29): they need a moment, and nobody may have their locks before.
pub(crate) fn grace_of(lease: Duration) -> Duration {
    lease / 20
}

/// What is to be done next with a slot, as a pure function of what was read and what is known (R11).
#[must_use]
pub fn next_step(state: &SlotState, me: Owner, evidence: Evidence) -> Step {
    match *state {
        SlotState::Free => Step::Done,
        _ if evidence.buried_by_itself && (evidence.watched || evidence.evicted) => Step::EndBurial,
        _ if evidence.buried_by_itself => Step::Watch,
        SlotState::Live if evidence.death_proved => Step::Fence(FenceReason::DeathProved),
        SlotState::Live if evidence.evicted => Step::Fence(FenceReason::EvictedCertain),
        SlotState::Live if evidence.watched => Step::Fence(FenceReason::Watched),
        SlotState::Live => Step::Watch,
        SlotState::Fenced { .. } => Step::CutOff,
        SlotState::CutOff { .. } => Step::TakeReplay,
        SlotState::Replaying { by, .. } if by == me => Step::Replay,
        SlotState::Replaying { .. } if evidence.replayer_cut_off => Step::TakeReplay,
        SlotState::Replaying { by, .. } => Step::WaitForReplayer(by),
        SlotState::Replayed { .. } => Step::Free,
    }
}

/// The victim that a slot's record names.
pub(crate) fn victim(slot: SlotIndex, record: &SlotRecord) -> Victim {
    Victim { slot, incarnation: record.incarnation.0, process: record.process }
}

/// Watches and takes over one slot, as long as somebody is interested.
async fn pursue(core: Rc<Core>, suspect: Rc<Suspect>) {
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
    /// Fences in a row that the device was too busy for, all from this one image.
    busy: (Version, u32),
    /// The last step could not be made durable: no other is taken before it is (R12).
    undurable: bool,
}

impl<'a> Pursuit<'a> {
    async fn begin(core: &'a Rc<Core>, suspect: &'a Suspect) -> Option<Pursuit<'a>> {
        let lba = core.store.layout.slot(suspect.slot);
        while suspect.interested.get() > 0 && core.until_it_may_act().await.is_ok() {
            match core.store.read::<SlotRecord>(Lane::Work, lba).await {
                Ok(seen) => {
                    let incarnation = seen.stamped.record.incarnation;
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
                        busy: (first, 0),
                        undurable: false,
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
        if unwanted || (!lapsed && self.core.until_it_may_act().await.is_err()) {
            return false;
        }
        if self.cell.record.incarnation != self.incarnation {
            return false;
        }
        if self.undurable {
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
            watched: self.watch.complete(self.core.store.now(), self.core.disturbances())
                == Some(self.cell.version().nonce),
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

    /// Waits for the next look, asking for a proof of death meanwhile; then reads the slot.
    async fn look_again(&mut self) {
        let world = &self.core.store.world;
        let half = self.core.store.timing.beat / 2;
        let grace_left =
            |since: Instant| since.plus(grace_of(self.core.store.timing.lease)).since(self.core.store.now());
        let tick = self.dead_since.map_or(DEATH_ASKED_EVERY, grace_left).min(DEATH_ASKED_EVERY).min(half);
        let until = self.core.store.now().plus(half);
        while self.core.store.now() < until {
            world.pause(tick).await;
            let victim = victim(self.suspect.slot, &self.cell.record);
            let forced = self.suspect.forced.get() == Some(self.cell.record.incarnation);
            if forced {
                break;
            }
            if world.cut_off.death_proved(victim).await.is_some() {
                self.dead_since.get_or_insert(self.core.store.now());
                break;
            }
            if self.suspect.interested.get() == 0 {
                return;
            }
        }
        match self.cell.refresh(&self.core.store, Lane::Work).await {
            Ok(seen) => self.watch.look(look_of(self.core, &seen)),
            Err(fault) => {
                self.watch.broken();
                distrust(self.core, &fault);
            }
        }
    }

    async fn fence(&mut self, reason: FenceReason, evidence: Evidence) {
        let from: Generation = self.cell.generation();
        let by = self.core.me;
        let record = SlotRecord { state: SlotState::Fenced { by, reason, from }, ..self.cell.record.clone() };
        let swap = self.cell.swap(&self.core.store, self.core.sender(Purpose::Race), record).await;
        match swap {
            Swap::Swapped { .. } | Swap::Adopted { .. } => {
                self.report(EventKind::Fence, Action::Lost, format!("fenced: {}", words(reason)));
                self.make_durable().await;
            }
            // A process that was stopped in the middle of an ATS keeps its block locked for ever, its own slot's too.
            // It was silent for a whole watch; its end frees the block, and the fence follows.
            // Busy may also mean a beat that is just coming back: only a block that stays locked is a reason.
            Swap::Refused(Refusal::Busy) if evidence.watched || evidence.evicted => {
                let image = self.cell.version();
                let before = if self.busy.0 == image { self.busy.1 } else { 0 };
                self.busy = (image, before + 1);
                if self.busy.1 >= BUSY_FENCES && self.still_stands().await {
                    self.end_of_process().await;
                }
            }
            other => self.not_done(&other).await,
        }
    }

    /// Whether the slot, read once more, holds the image that is known: who moved meanwhile lives, and is left alone.
    async fn still_stands(&mut self) -> bool {
        let image = self.cell.version();
        match self.cell.refresh(&self.core.store, Lane::Work).await {
            Ok(seen) => {
                self.watch.look(look_of(self.core, &seen));
                self.cell.version() == image
            }
            Err(fault) => {
                self.watch.broken();
                distrust(self.core, &fault);
                false
            }
        }
    }

    /// Ends the process that the slot names, before its state says so: only where it stood still for a whole watch.
    async fn end_of_process(&mut self) {
        if !self.core.may_act() {
            return;
        }
        let victim = victim(self.suspect.slot, &self.cell.record);
        if let Err(reason) = self.core.store.world.cut_off.cut_off(victim).await {
            self.refuse(reason.to_string()).await;
        }
    }

    async fn cut_off(&mut self) {
        let victim = victim(self.suspect.slot, &self.cell.record);
        let proved = if planted(PlantedBug::SkipCutOff) {
            Ok(Proof::FileLock)
        } else {
            self.core.store.world.cut_off.cut_off(victim).await
        };
        match proved {
            Ok(proof) => {
                let SlotState::Fenced { reason, from, .. } = self.cell.record.state else { return };
                let state = SlotState::CutOff { by: self.core.me, reason, from, proof: proof.into() };
                self.swap_record(SlotRecord { state, ..self.cell.record.clone() }).await;
            }
            Err(reason) => self.refuse(reason.to_string()).await,
        }
    }

    /// What the dead host's journal holds goes home; only then the slot says Replayed (R11).
    async fn replay(&mut self) {
        match replay::for_takeover(self.core, self.suspect.slot, &self.cell.record).await {
            Ok(()) => {
                self.after_cut_off(|by, reason, from, proof| SlotState::Replayed { by, reason, from, proof })
                    .await;
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
                Action::Lost,
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
        self.undurable = true;
        let mut tries = 0;
        while let Err(error) = self.core.store.flush().await {
            tries += 1;
            if tries == FLUSHES_MAX {
                self.refuse(format!("the slot's new state could not be made durable: {error}")).await;
                return;
            }
            self.core.store.world.pause(self.core.store.timing.beat / 2).await;
        }
        self.undurable = false;
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

    fn report(&self, kind: EventKind, action: Action, detail: String) {
        let name = self.cell.record.name.as_ref().map_or("?", |name| name.as_str());
        let event = self.core.store.event(kind, Cause::Fenced, self.cell.lba, Kind::Slot, action);
        let event = event.about(format!("host {name} (slot {}): {detail}", self.suspect.slot));
        self.core.store.report(event);
    }
}

/// Fences that the device was too busy for, in a row, before the victim's process is ended first.
const BUSY_FENCES: u32 = 4;

/// The slot of the host that is burying the last life in a slot.
fn buried_by(state: &SlotState) -> Option<SlotIndex> {
    match state {
        SlotState::Free | SlotState::Live => None,
        SlotState::Fenced { by, .. }
        | SlotState::CutOff { by, .. }
        | SlotState::Replaying { by, .. }
        | SlotState::Replayed { by, .. } => Some(by.slot),
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

fn words(reason: FenceReason) -> &'static str {
    match reason {
        FenceReason::Watched => "its slot stood still for a whole watch",
        FenceReason::DeathProved => "its death was proved",
        FenceReason::Evicted => "a person asked for it, and it stood still for a whole watch",
        FenceReason::EvictedCertain => "a person knows it to be dead",
        FenceReason::FormerLife => "it was this host's own former life",
        FenceReason::Rollback => "it had seen a newer state of the device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_format::HostId;

    const NOTHING: Evidence = Evidence {
        death_proved: false,
        watched: false,
        evicted: false,
        replayer_cut_off: false,
        buried_by_itself: false,
    };

    fn owner(slot: u16) -> Owner {
        Owner { slot: SlotIndex(slot), host: HostId(u64::from(slot)), incarnation: Incarnation(1) }
    }

    #[test]
    fn only_a_watch_a_proof_or_a_person_fences_a_live_host() {
        let me = owner(1);
        assert_eq!(next_step(&SlotState::Live, me, NOTHING), Step::Watch);
        let watched = Evidence { watched: true, ..NOTHING };
        assert_eq!(next_step(&SlotState::Live, me, watched), Step::Fence(FenceReason::Watched));
        let proved = Evidence { death_proved: true, ..watched };
        assert_eq!(next_step(&SlotState::Live, me, proved), Step::Fence(FenceReason::DeathProved));
        let evicted = Evidence { evicted: true, ..NOTHING };
        assert_eq!(next_step(&SlotState::Live, me, evicted), Step::Fence(FenceReason::EvictedCertain));
    }

    #[test]
    fn a_fenced_host_is_cut_off_before_anything_else() {
        let by = owner(2);
        let fenced = SlotState::Fenced { by, reason: FenceReason::Watched, from: Generation(4) };
        let everything = Evidence {
            death_proved: true,
            watched: true,
            evicted: true,
            replayer_cut_off: true,
            buried_by_itself: false,
        };
        assert_eq!(next_step(&fenced, owner(1), everything), Step::CutOff);
    }

    #[test]
    fn a_next_life_that_buries_the_last_one_is_left_alone_until_it_stands_still_itself() {
        let burial = SlotState::Fenced { by: owner(3), reason: FenceReason::FormerLife, from: Generation(4) };
        let alive = Evidence { buried_by_itself: true, ..NOTHING };
        assert_eq!(next_step(&burial, owner(1), alive), Step::Watch);
        assert_eq!(next_step(&burial, owner(1), Evidence { watched: true, ..alive }), Step::EndBurial);
        assert_eq!(next_step(&burial, owner(1), Evidence { death_proved: true, ..NOTHING }), Step::CutOff);
    }

    #[test]
    fn replaying_moves_only_when_the_replayer_was_cut_off() {
        let state = SlotState::Replaying {
            by: owner(2),
            reason: FenceReason::Watched,
            from: Generation(4),
            proof: CutOffProof::FileLock,
        };
        assert_eq!(next_step(&state, owner(2), NOTHING), Step::Replay);
        assert_eq!(next_step(&state, owner(1), NOTHING), Step::WaitForReplayer(owner(2)));
        let cut_off = Evidence { replayer_cut_off: true, ..NOTHING };
        assert_eq!(next_step(&state, owner(1), cut_off), Step::TakeReplay);
    }
}
