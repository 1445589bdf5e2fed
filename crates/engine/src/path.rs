//! The data path of one attached disk: from a guest's request to segments on the device, and to what the map becomes.
//!
//! No I/O, no runtime, and no clock but the `now` it is given. An export's thread drives it on its ring, and the simulator
//! in its world:
//!
//! ```text
//!   Operation::new(request) -> next(path, now, waker) -+-> Submit(segments): execute them, call answered for each
//!                                     ^                |-> Wait(what): the waker is woken, or a segment is answered
//!                                     |                |-> Hold: the gate is closed; the waker is woken when it opens
//!                                     +----------------+-> Done(result)
//! ```
//!
//! Data is written first, the entry that exposes it is published after the write was answered, and a commit of the journal makes the
//! entry durable later (R32): so no guest ever reads what another left on the device. docs/PROTOCOL.md has the order, and why.

mod claims;
mod gate;
mod grace;
mod ground;
mod limits;
mod operation;
mod plan;
mod request;
mod reservoir;
mod segment;
mod supply;
#[cfg(test)]
mod tests;
mod waiters;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use oarlock_block::Instant;
use oarlock_format::{ClusterNumber, GroupNumber};

pub use gate::Passage;
pub use ground::Ground;
pub use limits::{
    DATA_LENGTH_MAX, EXTENTS_MAX, OPERATIONS_MAX, RESERVOIR_MAX, ROUND_CLUSTERS_MAX, SCRATCH_MAX,
    SEGMENTS_MAX,
};
pub use operation::{Extent, Next, Operation, Waiting};
pub use plan::Status;
pub(crate) use plan::given_up;
pub use request::{PathError, Request, RequestKind};
pub use segment::{Action, Memory, Segment, SegmentIndex};
pub use supply::{
    ChangeNumber, Demand, DiskMap, Looked, Publication, Published, Quarantine, Supplier, Ticket,
};

use claims::{Claim, Claims};
use gate::Gate;
use grace::{Grace, Pin};
use reservoir::Reservoir;
use waiters::Waiters;

use crate::planted::{PlantedBug, planted};

/// How a disk is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathMode {
    /// Nothing is written.
    pub read_only: bool,
    /// Several hosts write: the disk is full, its map is frozen, and nothing new is mapped (R34).
    pub shared: bool,
    /// What was given to the disk stays with it: a trim keeps its cluster.
    pub thick: bool,
    /// Every piece of the disk is written, and that is to stay so until [`DataPath::thaw`]: a trim does nothing, and zeroes are
    /// written as data.
    pub full: bool,
}

/// The data path of one attached disk, for any number of threads.
pub struct DataPath {
    ground: Ground,
    mode: PathMode,
    is_thawed: AtomicBool,
    size: AtomicU64,
    map: Arc<dyn DiskMap>,
    supplier: Arc<dyn Supplier>,
    gate: Gate,
    paused: AtomicBool,
    operations: AtomicUsize,
    /// The newest change of this disk's map, and how many changes are just being made.
    changed: AtomicU64,
    publishing: AtomicUsize,
    /// How often pieces were cleared whose cluster stays with the disk.
    clearings: AtomicU64,
    claims: Claims,
    reservoir: Reservoir,
    grace: Grace,
    waiters: Waiters,
    quarantines: Mutex<Quarantines>,
    quiet: Mutex<Option<Waker>>,
}

#[derive(Default)]
struct Quarantines {
    last: u64,
    kept: BTreeMap<Quarantine, Kept>,
}

/// What commands of unknown outcome may still touch.
struct Kept {
    claims: Vec<Hand>,
    pin: Pin,
}

/// Whether an operation may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entrance {
    Open,
    Paused,
    Crowded,
}

/// A claim, and whether its pieces go to a cluster in the making.
#[derive(Clone, Copy, Debug)]
struct Hand {
    claim: Claim,
    is_maker: bool,
}

impl DataPath {
    /// The data path of a disk of that size. It is held until the first [`extend`](Self::extend).
    #[must_use]
    pub fn new(
        ground: Ground,
        mode: PathMode,
        size: u64,
        map: Arc<dyn DiskMap>,
        supplier: Arc<dyn Supplier>,
    ) -> DataPath {
        DataPath {
            ground,
            mode,
            is_thawed: AtomicBool::new(false),
            size: AtomicU64::new(size),
            map,
            supplier,
            gate: Gate::new(),
            paused: AtomicBool::new(false),
            operations: AtomicUsize::new(0),
            changed: AtomicU64::new(0),
            publishing: AtomicUsize::new(0),
            clearings: AtomicU64::new(0),
            claims: Claims::new(),
            reservoir: Reservoir::default(),
            grace: Grace::default(),
            waiters: Waiters::default(),
            quarantines: Mutex::default(),
            quiet: Mutex::default(),
        }
    }

    /// Where clusters stand.
    #[must_use]
    pub const fn ground(&self) -> &Ground {
        &self.ground
    }

    /// What a guest sees, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::SeqCst)
    }

    /// The disk was resized. Requests that began before are not cut short.
    pub fn resize(&self, size: u64) {
        self.size.store(size, Ordering::SeqCst);
    }

    /// The disk need not stay full. Of use while it is paused.
    pub fn thaw(&self) {
        self.is_thawed.store(true, Ordering::SeqCst);
    }

    /// Whether nothing that is mapped may be unmapped.
    fn is_frozen(&self) -> bool {
        (self.mode.shared && !planted(PlantedBug::UnmapWhileShared))
            || (self.mode.full && !self.mode.shared && !self.is_thawed.load(Ordering::SeqCst))
    }

    /// Whether operations may go on at `now`. A driver that submits later than `next` told it to asks again.
    #[must_use]
    pub fn passage(&self, now: Instant) -> Passage {
        self.gate.passage(now)
    }

    /// When the lease ends, as far as the disk was told.
    #[must_use]
    pub fn lease_end(&self) -> Instant {
        self.gate.lease_end()
    }

    /// A beat was confirmed: the lease ends then. What was held by a lapse goes on.
    pub fn extend(&self, lease_end: Instant) {
        self.gate.extend(lease_end);
        self.waiters.wake_held();
    }

    /// Holds everything: nothing is sent, and nothing given out (R7, R28).
    pub fn hold(&self) {
        self.gate.hold();
    }

    /// What [`hold`](Self::hold) held goes on.
    pub fn resume(&self) {
        self.gate.resume();
        self.waiters.wake_held();
    }

    /// The host lost the disk, or held it for too long: all fails, for good.
    pub fn die(&self) {
        self.gate.die();
        self.waiters.wake_all();
    }

    /// Another host has the disk from now on (R28): nothing begins any more, for good; what has ended is given out. The path is paused
    /// and quiet.
    pub fn hand_over(&self) {
        self.gate.hand_over();
        self.waiters.wake_all();
    }

    /// Whether the device below said that it has no space. Writes are held until [`retry_full`](Self::retry_full).
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.gate.is_full()
    }

    /// There may be space below again: held writes are tried again, and hold again where there is none.
    pub fn retry_full(&self) {
        self.gate.set_full(false);
        self.waiters.wake_held();
    }

    /// No operation begins any more; those that began go on to their end, tickets and all. For a change of the whole map: a
    /// snapshot, a revert.
    pub fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    /// Whether no operation is under way; if not, the waker is woken when none is. Of use after [`pause`](Self::pause).
    pub fn is_quiet(&self, waker: &Waker) -> bool {
        *lock(&self.quiet) = Some(waker.clone());
        self.operations.load(Ordering::SeqCst) == 0
    }

    /// Operations begin again.
    pub fn unpause(&self) {
        self.paused.store(false, Ordering::SeqCst);
        self.waiters.wake_held();
    }

    /// Operations that began and have not ended.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.operations.load(Ordering::SeqCst)
    }

    /// Answers a ticket. What it asked for is in place by now: the page, the clusters, the commit.
    pub fn answer(&self, ticket: Ticket, answer: Result<(), PathError>) {
        self.waiters.answer(ticket, answer);
    }

    /// Hands over clusters that are taken, in memory, out of a group that this host owns; their bits are clear. How many of
    /// them were accepted, from the first on; a path that is dead accepts none.
    pub fn refill(&self, clusters: &[ClusterNumber]) -> usize {
        if self.gate.is_over() { 0 } else { self.reservoir.refill(clusters) }
    }

    /// How many clusters there is room for.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.reservoir.wanted()
    }

    /// Takes back what is in hand of a group, or all. How many clusters of it are being written to and not mapped yet: they come
    /// back, or are mapped, soon; ask again.
    pub fn recall(&self, group: Option<GroupNumber>, recalled: &mut Vec<ClusterNumber>) -> usize {
        let of_group = |cluster: ClusterNumber| group.is_none_or(|group| cluster.place().0 == group);
        let in_making = self.claims.count_makings(of_group);
        self.reservoir.recall(group, recalled);
        in_making
    }

    /// Moves out the clusters that this disk gave up and nobody can touch any more: their unmapping is durable, and every
    /// operation that may know them has ended. Their bits may be cleared.
    pub fn take_free(&self, free: &mut Vec<ClusterNumber>) {
        self.grace.take_free(self.map.durable(), free);
    }

    /// Adds the clusters of a group that were given up and wait for that.
    pub(crate) fn add_waiting_to_be_free(&self, group: GroupNumber, waiting: &mut Vec<ClusterNumber>) {
        self.grace.add_waiting(group, waiting);
    }

    /// Clusters that were given up and wait for that.
    #[must_use]
    pub fn waiting_to_be_free(&self) -> usize {
        self.grace.waiting()
    }

    /// The commands of that quarantine are proved dead, or have ended: what they may have touched can be used again.
    pub fn close(&self, quarantine: Quarantine) {
        let kept = lock(&self.quarantines).kept.remove(&quarantine);
        if let Some(Kept { claims, pin }) = kept {
            claims.iter().for_each(|hand| self.put_down(hand));
            self.grace.end(pin);
        }
    }

    /// Quarantines that are not closed.
    #[must_use]
    pub fn quarantines(&self) -> Vec<Quarantine> {
        lock(&self.quarantines).kept.keys().copied().collect()
    }

    /// Ends a claim; a cluster that was to be made and was not goes back.
    fn put_down(&self, hand: &Hand) {
        if hand.is_maker {
            let unused = self.claims.of(hand.claim.index).leave(hand.claim.index);
            if let Some(cluster) = unused {
                self.reservoir.give_back(cluster);
            }
        }
        self.claims.release(&hand.claim);
    }

    fn quarantine(&self, mut claims: Vec<Hand>, pin: Pin) -> Quarantine {
        claims.iter_mut().for_each(|hand| self.claims.harden(&mut hand.claim));
        let quarantine = {
            let mut quarantines = lock(&self.quarantines);
            quarantines.last += 1;
            let quarantine = Quarantine(quarantines.last);
            quarantines.kept.insert(quarantine, Kept { claims, pin });
            quarantine
        };
        self.supplier.quarantined(quarantine);
        quarantine
    }

    /// Asks the engine for something on behalf of an operation.
    fn ask(&self, demand: Demand, waker: &Waker) -> Ticket {
        let ticket = self.waiters.wait(waker);
        self.supplier.ask(ticket, demand);
        // Whoever lets the disk die in between finds the ticket, or is seen here.
        if self.gate.is_over() {
            waker.wake_by_ref();
        }
        ticket
    }

    /// A cluster out of the reservoir.
    fn take_cluster(&self) -> Option<ClusterNumber> {
        let taken = self.reservoir.take();
        if let Some(wanted) = taken.low {
            self.supplier.low(wanted);
        }
        taken.cluster
    }

    /// Changes an entry. Whoever sees the new one finds it counted among those that are being made, or among the changes.
    fn publish(&self, publication: &Publication) -> Published {
        self.publishing.fetch_add(1, Ordering::SeqCst);
        let published = self.map.publish(publication);
        if let Published::At(change) = published {
            self.changed.fetch_max(change.0, Ordering::SeqCst);
        }
        self.publishing.fetch_sub(1, Ordering::SeqCst);
        published
    }

    fn note_clearing(&self) {
        self.clearings.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether all that this disk published is durable.
    fn is_committed(&self) -> bool {
        self.changed.load(Ordering::SeqCst) <= self.map.durable().0
    }

    /// Whether all that anybody has seen published of this disk is noted.
    fn is_noted(&self) -> bool {
        self.publishing.load(Ordering::SeqCst) == 0
            && self.changed.load(Ordering::SeqCst) <= self.map.noted().0
    }

    /// Counts an operation in, unless none may begin.
    fn enter(&self) -> Entrance {
        // Counted first and asked then: whoever pauses either sees this one, or is seen by it.
        let others = self.operations.fetch_add(1, Ordering::SeqCst);
        let entrance = match self.paused.load(Ordering::SeqCst) {
            true => Entrance::Paused,
            false if others >= OPERATIONS_MAX => Entrance::Crowded,
            false => Entrance::Open,
        };
        if entrance != Entrance::Open {
            self.leave();
        }
        entrance
    }

    fn leave(&self) {
        if self.operations.fetch_sub(1, Ordering::SeqCst) == 1
            && self.paused.load(Ordering::SeqCst)
            && let Some(waker) = lock(&self.quiet).take()
        {
            waker.wake();
        }
    }
}

impl std::fmt::Debug for DataPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DataPath")
            .field("mode", &self.mode)
            .field("size", &self.size)
            .field("gate", &self.gate)
            .field("operations", &self.operations)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
