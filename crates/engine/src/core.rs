//! What the parts of one living host share: its place, its lease, its state, its jobs.
//!
//! ```text
//!   join --> Live <----------> Held          Held: the lease ran out; nothing is sent but beats (R7)
//!             |  beat confirmed  |
//!             |                  | fenced, rolled back, hold time over
//!             v                  v
//!            Left             Stopped        both are final for this incarnation
//! ```

use std::cell::{Cell as StdCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Instant, SlotIndex};
use oarlock_causes::Cause;
use oarlock_format::{HostName, Owner, Stamped, Superblock, Writer};

use crate::cell::{Purpose, Sender, Swap};
use crate::hindrance::Hindrance;
use crate::home::BringHome;
use crate::jobs::Jobs;
use crate::journal::Journal;
use crate::lease::Lease;
use crate::leftover::Leftover;
use crate::pages::CACHE_BYTES;
use crate::places::Places;
use crate::signal::Signal;
use crate::store::{Lane, Store};
use crate::suspect::Suspect;

/// What a host is at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostState {
    /// Its lease holds.
    Live,
    /// Its lease ran out: it sends nothing but beats, and gives nothing out.
    Held,
    /// It is over for this incarnation.
    Stopped(StopReason),
    /// It left cleanly.
    Left,
    /// It left, and could not free its slot in time.
    LeftBehind(Leftover),
}

impl HostState {
    /// Whether it is over for this incarnation, however it ended.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            HostState::Live | HostState::Held => false,
            HostState::Stopped(_) | HostState::Left | HostState::LeftBehind(_) => true,
        }
    }

    /// The name in `status` and JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            HostState::Live => "live",
            HostState::Held => "held",
            HostState::Stopped(_) => "fenced",
            HostState::Left => "free",
            // What its slot says on the disk.
            HostState::LeftBehind(_) => "live",
        }
    }
}

/// Why a host stopped for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    /// Another host wrote its death into its slot.
    #[error("this host was fenced by slot {} (host id {:016x}, incarnation {})", by.slot, by.host.0, by.incarnation.0)]
    Fenced {
        /// The fencer.
        by: Owner,
    },
    /// The slot belongs to a later incarnation by now.
    #[error("this host's slot belongs to another incarnation by now")]
    Superseded,
    /// A block showed an older state than this host had seen (R2).
    #[error("the device went back in time: {detail}")]
    Rollback {
        /// Which block, and what it showed.
        detail: String,
    },
    /// The host's own slot does not hold a sound record, and did not for the rest of the hold time.
    #[error("this host's own slot cannot be trusted: {detail}")]
    SlotDamaged {
        /// What was found.
        detail: String,
    },
    /// The device gave no confirmed beat for the whole hold time.
    #[error(
        "no beat was confirmed for the whole hold time of {} s{}",
        hold.as_secs_f64(),
        hindrance.as_ref().map_or(String::new(), |hindrance| format!("; of the last one: {hindrance}"))
    )]
    HoldOver {
        /// The hold time.
        hold: Duration,
        /// What stood in the way of the last one, where that is known.
        hindrance: Option<Hindrance>,
    },
    /// Another live host has this name, and this one came second (R30).
    #[error("slot {other} holds a live host of the same name; of two, the one in the higher slot leaves")]
    NameTaken {
        /// The other host's slot.
        other: SlotIndex,
    },
    /// Its journal failed: what it changed and did not commit is lost to it, and only another host's replay says what is on
    /// the device. It stops, so that one comes.
    #[error("this host's journal failed: {detail}")]
    JournalFailed {
        /// What the journal met.
        detail: String,
    },
}

/// One living host.
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) me: Owner,
    pub(crate) name: HostName,
    pub(crate) lease: Rc<Lease>,
    pub(crate) jobs: Jobs,
    pub(crate) places: Places,
    pub(crate) suspects: RefCell<BTreeMap<SlotIndex, Rc<Suspect>>>,
    /// None where the datastore has no disks.
    pub(crate) journal: Option<Journal>,
    /// Changes of state, lease, slots of others and locks: whoever waits for any of these looks again.
    pub(crate) changed: Signal,
    state: RefCell<HostState>,
    /// The newest superblock that this host has seen (R38).
    superblock: RefCell<Rc<Stamped<Superblock>>>,
    disturbances: StdCell<u64>,
    /// Of the newest beat that was not confirmed, since the newest that was.
    hindrance: RefCell<Option<Hindrance>>,
    /// Of the lapse that lasts, as it was told.
    pub(crate) lapse_cause: StdCell<Cause>,
    leaving: StdCell<bool>,
    /// Where the next free descriptor is looked for first.
    pub(crate) free_descriptor: StdCell<Option<u32>>,
    /// What dead hosts left half done is being mended.
    pub(crate) mending: StdCell<bool>,
    /// Who keeps pages of what this host's locks guard, if anybody does.
    home: RefCell<Option<Rc<dyn BringHome>>>,
}

impl Core {
    pub(crate) fn new(
        store: Store,
        superblock: &Stamped<Superblock>,
        me: Owner,
        name: HostName,
        first_beat: Instant,
    ) -> Core {
        let lease = Rc::new(Lease::new(store.timing.lease));
        lease.confirm(first_beat);
        store.bind(&lease);
        Core {
            store,
            me,
            name,
            lease,
            jobs: Jobs::default(),
            places: Places::default(),
            suspects: RefCell::default(),
            journal: Journal::new(superblock, me, CACHE_BYTES),
            changed: Signal::default(),
            state: RefCell::new(HostState::Live),
            superblock: RefCell::new(Rc::new(superblock.clone())),
            disturbances: StdCell::new(0),
            hindrance: RefCell::default(),
            lapse_cause: StdCell::new(Cause::CannotTell),
            leaving: StdCell::new(false),
            free_descriptor: StdCell::new(None),
            mending: StdCell::new(false),
            home: RefCell::new(None),
        }
    }

    /// The newest superblock that this host has seen.
    pub(crate) fn superblock(&self) -> Rc<Stamped<Superblock>> {
        Rc::clone(&self.superblock.borrow())
    }

    /// A superblock that was read: kept where it is newer than the one that is known.
    pub(crate) fn note_superblock(&self, found: Stamped<Superblock>) {
        let mut known = self.superblock.borrow_mut();
        let same = found.stamp.format_id == known.stamp.format_id;
        if same && found.stamp.generation > known.stamp.generation {
            *known = Rc::new(found);
        }
    }

    pub(crate) fn state(&self) -> HostState {
        self.state.borrow().clone()
    }

    /// Moves to another state; the final ones are never left.
    pub(crate) fn enter(&self, next: HostState) {
        {
            let mut state = self.state.borrow_mut();
            if *state == next || state.is_final() {
                return;
            }
            *state = next;
        }
        if self.ended().is_some() {
            self.lease.revoke();
        }
        self.changed.announce();
    }

    pub(crate) fn stop(&self, reason: StopReason) {
        self.enter(HostState::Stopped(reason));
    }

    /// Why the host can do nothing any more, if so.
    pub(crate) fn ended(&self) -> Option<Ended> {
        match self.state() {
            HostState::Stopped(reason) => Some(Ended::Stopped(reason)),
            HostState::Left => Some(Ended::Left),
            HostState::LeftBehind(leftover) => Some(Ended::LeftBehind(leftover)),
            HostState::Live | HostState::Held => None,
        }
    }

    /// Whether the host may act now: its lease holds, and nothing ended it.
    pub(crate) fn may_act(&self) -> bool {
        self.lease.holds(self.store.now()) && self.ended().is_none()
    }

    /// How often this host itself was late or lapsed: what breaks every watch (R6).
    pub(crate) fn disturbances(&self) -> u64 {
        self.disturbances.get()
    }

    pub(crate) fn disturbed(&self) {
        self.disturbances.set(self.disturbances.get() + 1);
    }

    /// What stood in the way of the newest beat, if it was not confirmed.
    pub(crate) fn hindrance(&self) -> Option<Hindrance> {
        self.hindrance.borrow().clone()
    }

    /// An ATS on the host's own slot came to this. What says nothing new leaves standing what was known.
    pub(crate) fn note_hindrance(&self, swap: &Swap) {
        let mut known = self.hindrance.borrow_mut();
        if let Some(hindrance) = Hindrance::of(swap).filter(|found| found.says_more_than(known.as_ref())) {
            *known = Some(hindrance);
        }
    }

    /// A beat is confirmed: its slot is sound, and its device answers.
    pub(crate) fn unhindered(&self) {
        self.hindrance.replace(None);
        self.store.end_repeats();
    }

    /// Since when and why this host may do nothing, in words; `None` while it may, and once it is over.
    pub(crate) fn why_held(&self) -> Option<String> {
        let now = self.store.now();
        if self.lease.holds(now) || self.ended().is_some() {
            return None;
        }
        let since = now.since(self.lease.end()).as_secs_f64();
        let why =
            self.hindrance().map_or(String::new(), |hindrance| format!("; of the last one: {hindrance}"));
        Some(format!(
            "its host {} is held: no beat was confirmed, and its lease ended {since:.1} s ago{why}",
            self.name
        ))
    }

    pub(crate) fn leave_begins(&self) {
        self.leaving.set(true);
        self.changed.announce();
    }

    /// From now on no lock of a descriptor or a group is given up before this one brought home what it guards.
    pub(crate) fn set_home(&self, home: Rc<dyn BringHome>) {
        *self.home.borrow_mut() = Some(home);
    }

    pub(crate) fn home(&self) -> Option<Rc<dyn BringHome>> {
        self.home.borrow().clone()
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.get()
    }

    pub(crate) fn sender(&self, purpose: Purpose) -> Sender {
        let lane = if purpose == Purpose::OwnSlot { Lane::Beat } else { Lane::Work };
        Sender { writer: Writer::Host(self.me), lane, purpose }
    }

    /// Waits until the host may act, or has ended.
    pub(crate) async fn until_it_may_act(&self) -> Result<(), Ended> {
        loop {
            let seen = self.changed.seen();
            if let Some(ended) = self.ended() {
                return Err(ended);
            }
            if self.may_act() {
                return Ok(());
            }
            self.changed.beyond(seen).await;
        }
    }

    /// Waits until the host has left or stopped.
    pub(crate) async fn until_ended(&self) -> Ended {
        loop {
            let seen = self.changed.seen();
            if let Some(ended) = self.ended() {
                return ended;
            }
            self.changed.beyond(seen).await;
        }
    }

    /// Waits for a change, for `limit` at most.
    pub(crate) async fn change_within(&self, seen: u64, limit: Duration) {
        let _ = self.store.world.within(limit, self.changed.beyond(seen)).await;
    }
}

/// How a host's life ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// It left cleanly.
    #[error("the host left the datastore")]
    Left,
    /// It was to leave, and could not free its slot in time.
    #[error("the host ended without having left: {0}")]
    LeftBehind(Leftover),
    /// It had to stop.
    #[error("the host stopped: {0}")]
    Stopped(StopReason),
}
