//! Joining: choose a slot, take the right to it, bury a former life there, claim it, confirm a beat (R9, R18, R30).
//!
//! ```text
//!   read all slots --> another live host of my name? --> watch it: moves: refused; stands still: goes on
//!        |
//!        v
//!   choose: my former slot, else a free one, else one whose death is proved
//!        |
//!        v
//!   enter (its lock is mine) --> former life there: Fenced, CutOff, Replaying, Replayed, Free, each by ATS
//!        |
//!        v
//!   claim: Free -> Live, incarnation + 1 --> durable --> one beat --> read all slots again: is
//!                                                                     there a live one of my name? yield
//! ```

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{EnterError, Fencing, SlotIndex};
use oarlock_causes::{Action, Cause, EventKind};
use oarlock_format::{
    CutOffProof, FenceReason, HostId, HostName, Incarnation, Kind, Owner, SlotRecord, SlotState, Stamped,
    Superblock, Writer,
};

use crate::cell::{Cell, Purpose, Sender, Swap};
use crate::core::{Core, StopReason};
use crate::event::EventSink;
use crate::journal::{ReplayError, replay};
use crate::namesake::{refuse_a_living_namesake, second_of_my_name};
use crate::open::{OpenError, read_superblock};
use crate::slots::{Slots, is_of_one_block, read_slots};
use crate::step::{Evidence, Step, grace_after_cut_off, grace_of, next_step, victim};
use crate::store::{Lane, ReadFault, Seen, Store};

/// Claims are tried this often against other joining hosts before "no free slot" is believed.
const CLAIMS_MAX: u32 = 16;
/// One swap of the claim or of a burial is tried this often while the device gives no clear answer.
const SWAPS_MAX: u32 = 16;

/// Why a host could not join.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The device is no datastore that this host may use.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record could not be read or trusted.
    #[error(transparent)]
    Record(#[from] ReadFault),
    /// Another live host has this name (R30).
    #[error("another live host is called {name} (slot {slot})")]
    NameTaken {
        /// The name.
        name: HostName,
        /// Its slot.
        slot: SlotIndex,
    },
    /// Every slot is taken.
    #[error(
        "no free slot: all {slots} are taken, {unproved} of them by hosts whose death nothing proves{}",
        damaged_words(*damaged)
    )]
    NoFreeSlot {
        /// How many there are.
        slots: u16,
        /// How many have a host, or one that was fenced, whose death is not proved: whether it beats was not looked at.
        unproved: usize,
        /// How many do not hold a sound record, so that nobody may take them.
        damaged: usize,
    },
    /// The slot's lock could not be asked.
    #[error(transparent)]
    Enter(#[from] EnterError),
    /// The device gave no clear answer to the claim.
    #[error("the claim of slot {slot} got no clear answer from the device")]
    NoAnswer {
        /// The slot.
        slot: SlotIndex,
    },
    /// What was claimed could not be made durable.
    #[error("the claim of slot {slot} could not be made durable: {error}")]
    NotDurable {
        /// The slot.
        slot: SlotIndex,
        /// The device's words.
        error: oarlock_block::IoError,
    },
}

fn damaged_words(damaged: usize) -> String {
    if damaged == 0 {
        return String::new();
    }
    format!("; {damaged} of them are damaged, and `oarlock check --repair` may free them")
}

/// A joined host's own slot, and the host.
pub(crate) struct Joined {
    pub(crate) core: Rc<Core>,
    pub(crate) slot: Cell<SlotRecord>,
}

/// Joins under `name`; returns once one beat is confirmed.
pub(crate) async fn join(
    store: Store,
    superblock: &Stamped<Superblock>,
    name: &HostName,
) -> Result<Joined, JoinError> {
    let mut joiner = Joiner { store: &store, name, superblock };
    let (index, mut slot, unclean) = joiner.claim().await?;
    let me = match slot.writer() {
        Writer::Host(owner) => owner,
        Writer::Tool => return Err(JoinError::NoAnswer { slot: index }),
    };
    let sent = match joiner.first_beat(index, me, &mut slot).await {
        Ok(sent) => sent,
        Err(error) => {
            free_again(&store, me, &mut slot).await;
            return Err(error);
        }
    };
    let core = Rc::new(Core::new(store, superblock, me, name.clone(), sent));
    match second_of_my_name(&core).await {
        Ok(None) => {}
        Ok(Some(other)) => {
            free_again(&core.store, me, &mut slot).await;
            core.stop(StopReason::NameTaken { other });
            return Err(JoinError::NameTaken { name: name.clone(), slot: other });
        }
        Err(error) => {
            free_again(&core.store, me, &mut slot).await;
            return Err(error);
        }
    }
    // A growth that called the roll before this slot was claimed has not asked this host to look (R38).
    let superblock_now = read_superblock(&core.store.world).await;
    let looked = superblock_now.is_ok();
    superblock_now.into_iter().for_each(|chosen| core.note_superblock(chosen.superblock));
    if unclean || !looked {
        // Shared bits of the slot's last life may stand in lock records: this host answers for them (R25).
        core.places.ask();
    }
    Ok(Joined { core, slot })
}

struct Joiner<'a> {
    store: &'a Store,
    name: &'a HostName,
    superblock: &'a Stamped<Superblock>,
}

impl Joiner<'_> {
    /// Claims a slot; the last part says whether its former life was taken over.
    async fn claim(&mut self) -> Result<(SlotIndex, Cell<SlotRecord>, bool), JoinError> {
        let (mut unproved, mut damaged) = (0, 0);
        for round in 0..CLAIMS_MAX {
            let Slots { sound: slots, damaged: skipped } = read_slots(self.store).await?;
            if round == 0 {
                self.report_skipped(&skipped);
            }
            damaged = skipped.len();
            let silent_namesake = refuse_a_living_namesake(self.store, self.name, &slots).await?;
            let (mut candidates, taken) = self.candidates(&slots).await;
            // If the silent one should come back, it is the one to stay: of two of one name the higher leaves (R30).
            candidates.sort_by_key(|slot| silent_namesake.is_some_and(|namesake| *slot < namesake));
            unproved = taken;
            if candidates.is_empty() {
                break;
            }
            for index in candidates {
                match self.store.world.cut_off.enter(index).await {
                    Ok(()) => {}
                    Err(EnterError::Held { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
                let mut may_land = false;
                match self.claim_entered(index, &mut may_land).await {
                    Ok(Some((slot, unclean))) => return Ok((index, slot, unclean)),
                    Ok(None) => self.store.world.cut_off.exit(index).await,
                    // The slot's lock is kept: whoever finds it free would be told that nothing more of this process can land.
                    Err(error) if may_land => return Err(error),
                    Err(error) => {
                        self.store.world.cut_off.exit(index).await;
                        return Err(error);
                    }
                }
            }
            self.store.world.pause(self.store.world.jitter(self.store.timing.beat / 8)).await;
        }
        Err(JoinError::NoFreeSlot { slots: self.store.layout.slot_count(), unproved, damaged })
    }

    /// A damaged slot is neither taken nor taken for a namesake's (docs/decisions/0051): its host, if it has one, cannot
    /// beat, and a person should know.
    fn report_skipped(&self, skipped: &[(SlotIndex, ReadFault)]) {
        for (slot, fault) in skipped {
            let lba = self.store.layout.slot(*slot);
            self.store.report_distrust::<SlotRecord>(
                lba,
                Purpose::Upkeep,
                EventKind::Miscompare,
                None,
                fault,
            );
        }
    }

    /// The slots to try, best first: this name's former one, free ones, then those whose death is proved; and how many are
    /// taken, since nothing proves the death of whoever is there.
    async fn candidates(&self, slots: &[(SlotIndex, Seen<SlotRecord>)]) -> (Vec<SlotIndex>, usize) {
        let mut former = Vec::new();
        let mut free = Vec::new();
        let mut dead = Vec::new();
        let mut taken = 0;
        for (index, seen) in slots {
            let record = &seen.stamped.record;
            let mine = record.name.as_ref() == Some(self.name);
            if record.state == SlotState::Free {
                if mine {
                    former.push(*index)
                } else {
                    free.push(*index)
                }
                continue;
            }
            let proved = self.store.world.cut_off.death_proved(victim(*index, record)).await.is_some();
            match (proved, mine) {
                (true, true) => former.insert(0, *index),
                (true, false) => dead.push(*index),
                (false, _) => taken += 1,
            }
        }
        // Joining hosts start at different places, so that they do not all fight for the first free slot.
        if !free.is_empty() {
            let start = usize::try_from(self.store.world.random.below(free.len() as u64)).unwrap_or(0);
            free.rotate_left(start);
        }
        former.extend(free);
        former.extend(dead);
        (former, taken)
    }

    /// The slot's lock is this process's: nobody else lives there. Buries the former life, and claims; says, also where it fails,
    /// whether anything was sent that may still change the device. A claim that was answered cannot: whoever finds it there without its
    /// process buries it.
    async fn claim_entered(
        &self,
        index: SlotIndex,
        may_land: &mut bool,
    ) -> Result<Option<(Cell<SlotRecord>, bool)>, JoinError> {
        let lba = self.store.layout.slot(index);
        let seen = match self.store.read::<SlotRecord>(Lane::Work, lba).await {
            // It rotted since it was chosen, and nothing was sent: there are others.
            Err(fault) if is_of_one_block(&fault) => return Ok(None),
            seen => seen?,
        };
        let mut cell = Cell::new(lba, seen);
        // The users of the life that has ended here need a moment to hear of it.
        let lease = self.store.timing.lease;
        let grace = match cell.record.state {
            SlotState::Live => grace_of(lease),
            SlotState::Fenced { reason, .. } => grace_after_cut_off(reason, lease),
            _ => Duration::ZERO,
        };
        self.store.world.pause(grace).await;
        let me = self.next_life(index, &cell.record);
        let (mut durable, mut home) = (None, None);
        for _ in 0..SWAPS_MAX {
            let Some(evidence) = self.evidence(index, &cell.record).await? else { return Ok(None) };
            let burial = !matches!(cell.record.state, SlotState::Free | SlotState::Live);
            if burial && durable != Some(cell.version()) {
                // Another began it, or this process before, and may not have flushed what it wrote (R12).
                self.make_durable(index).await?;
                durable = Some(cell.version());
            }
            let step = next_step(&cell.record.state, me, evidence);
            *may_land = true;
            // Once, whatever becomes of the ATS behind it: where that has no answer it may land, and the pages be others' (R11).
            if step == Step::Replay && home != Some(cell.version()) {
                if !self.replayed(index, &cell.record).await? {
                    return Ok(None);
                }
                home = Some(cell.version());
            }
            let record = self.after(step, me, &cell.record);
            let unclean = cell.record.unclean;
            let sender = Sender { writer: Writer::Host(me), lane: Lane::Work, purpose: Purpose::Race };
            let swap = cell.swap(self.store, sender, record).await;
            *may_land = cell.has_open_attempts();
            match swap {
                Swap::Swapped { .. } | Swap::Adopted { .. } => {
                    self.make_durable(index).await?;
                    durable = Some(cell.version());
                    if cell.record.state == SlotState::Live && cell.writer() == Writer::Host(me) {
                        return Ok(Some((cell, unclean)));
                    }
                }
                Swap::Lost if cell.record.state == SlotState::Live => return Ok(None),
                Swap::Lost => {
                    if self.next_life(index, &cell.record) != me {
                        return Ok(None);
                    }
                }
                Swap::Distrusted(crate::cell::Distrust::Fault(fault)) => return Err(fault.into()),
                Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => {
                    self.store.world.pause(self.store.timing.beat / 8).await;
                }
            }
        }
        Err(JoinError::NoAnswer { slot: index })
    }

    /// Brings home what the journal of the last life in this slot holds; whether it did. Where the journal is damaged the
    /// slot is left to people, and there are others (docs/decisions/0051).
    async fn replayed(&self, index: SlotIndex, record: &SlotRecord) -> Result<bool, JoinError> {
        match replay::of_life(self.store, &self.superblock.record, index, record).await {
            Ok(()) => Ok(true),
            // The slot's lock is kept: whoever finds it free would be told that nothing more of this process can land.
            Err(ReplayError::StillOut { .. }) => Err(JoinError::NoAnswer { slot: index }),
            Err(reason) => {
                let lba = self.store.layout.slot(index);
                let event =
                    self.store.event(EventKind::Takeover, Cause::Fenced, lba, Kind::Slot, Action::Refused);
                self.store.report(event.about(format!("the former life in slot {index}: {reason}")));
                Ok(false)
            }
        }
    }

    async fn make_durable(&self, slot: SlotIndex) -> Result<(), JoinError> {
        self.store.flush().await.map_err(|error| JoinError::NotDurable { slot, error })
    }

    /// What the holder of a slot's lock knows about the last life there; `None` where that is not for it to bury: without
    /// file locks `enter` proves nothing, and a replay belongs to its author while that one can act.
    async fn evidence(&self, index: SlotIndex, record: &SlotRecord) -> Result<Option<Evidence>, JoinError> {
        if record.state != SlotState::Free && self.store.world.device.fencing() != Fencing::FileLock {
            return Ok(None);
        }
        if let SlotState::Replaying { by, .. } = record.state
            && by.slot != index
        {
            let seen = self.store.read::<SlotRecord>(Lane::Work, self.store.layout.slot(by.slot)).await?;
            let replayer = seen.stamped.record;
            let acts = matches!(replayer.state, SlotState::Live | SlotState::Fenced { .. });
            if replayer.incarnation < by.incarnation || (replayer.incarnation == by.incarnation && acts) {
                return Ok(None);
            }
        }
        Ok(Some(Evidence {
            death_proved: true,
            watched: false,
            evicted: false,
            replayer_cut_off: true,
            buried_by_itself: false,
        }))
    }

    fn next_life(&self, index: SlotIndex, record: &SlotRecord) -> Owner {
        Owner {
            slot: index,
            host: HostId::of(&self.store.format_id, self.name),
            incarnation: record.incarnation.next(),
        }
    }

    /// The record after one step of burying the former life in this host's own slot, or after the claim.
    fn after(&self, step: Step, me: Owner, record: &SlotRecord) -> SlotRecord {
        let (by, reason, proof) = (me, FenceReason::FormerLife, CutOffProof::FileLock);
        let from = oarlock_format::Generation(0);
        let state = match step {
            Step::Done => return self.living(me.incarnation, record.unclean),
            Step::Fence(_) | Step::Watch | Step::EndBurial => SlotState::Fenced { by, reason, from },
            Step::CutOff => SlotState::CutOff { by, reason, from, proof },
            Step::TakeReplay | Step::WaitForReplayer(_) => SlotState::Replaying { by, reason, from, proof },
            Step::Replay => SlotState::Replayed { by, reason, from, proof },
            Step::Free => return SlotRecord { state: SlotState::Free, unclean: true, ..record.clone() },
        };
        // From here on the slot names this process: if it dies in the middle, its own death is what must be proved.
        SlotRecord { state, process: self.store.world.cut_off.process(), ..record.clone() }
    }

    /// The record of a life. `unclean` stays until the host has looked at every lock for bits of the last life (R25).
    fn living(&self, incarnation: Incarnation, unclean: bool) -> SlotRecord {
        SlotRecord {
            state: SlotState::Live,
            name: Some(self.name.clone()),
            incarnation,
            unclean,
            asked: false,
            clock_ns: u64::try_from(self.store.now().since_zero().as_nanos()).unwrap_or(u64::MAX),
            wall_ms: self.store.world.clock.wall().milliseconds,
            process: self.store.world.cut_off.process(),
            superblock_generation: self.superblock.stamp.generation,
            version_max: oarlock_format::VERSION,
            features: Superblock::FEATURES_KNOWN,
        }
    }

    /// The first beat: what gives the host its lease. Returns when it was sent.
    async fn first_beat(
        &self,
        index: SlotIndex,
        me: Owner,
        slot: &mut Cell<SlotRecord>,
    ) -> Result<oarlock_block::Instant, JoinError> {
        let sender = Sender { writer: Writer::Host(me), lane: Lane::Beat, purpose: Purpose::OwnSlot };
        for _ in 0..SWAPS_MAX {
            let record = self.living(me.incarnation, slot.record.unclean);
            match slot.swap(self.store, sender, record).await {
                Swap::Swapped { sent } | Swap::Adopted { sent } => return Ok(sent),
                Swap::Lost => break,
                Swap::Distrusted(crate::cell::Distrust::Fault(fault)) => return Err(fault.into()),
                Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => {
                    self.store.world.pause(self.store.timing.beat / 8).await;
                }
            }
        }
        Err(JoinError::NoAnswer { slot: index })
    }
}

/// Frees the slot of a host that leaves as soon as it came. Where that does not succeed the slot's lock is kept to the
/// process's end, for an attempt may still be out. What it was asked is left to the next life there, as `unclean`. A host that
/// was fenced while it joined frees nothing: its slot belongs to whoever buries it (R11).
async fn free_again(store: &Store, me: Owner, slot: &mut Cell<SlotRecord>) {
    let unclean = slot.record.unclean || slot.record.asked;
    let record = SlotRecord { state: SlotState::Free, unclean, asked: false, ..slot.record.clone() };
    let sender = Sender { writer: Writer::Host(me), lane: Lane::Beat, purpose: Purpose::OwnSlot };
    for _ in 0..SWAPS_MAX {
        if slot.record.state != SlotState::Live {
            return;
        }
        match slot.swap(store, sender, record.clone()).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } if slot.record.state == SlotState::Free => {
                store.world.cut_off.exit(me.slot).await;
                return;
            }
            Swap::Lost => return,
            _ => store.world.pause(store.timing.beat / 8).await,
        }
    }
}

/// A store for joining: what the superblock says, and nothing known yet.
pub(crate) fn store_for(
    world: crate::world::World,
    superblock: &Stamped<Superblock>,
    events: EventSink,
) -> Store {
    Store::new(world, superblock, events)
}
