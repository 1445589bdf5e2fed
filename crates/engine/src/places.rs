//! Places: what this host remembers of each lock that it used, and who holds it here (local users queue here first).

use std::cell::{Cell as StdCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use futures::FutureExt;
use futures::lock::Mutex;
use oarlock_block::{Instant, LocalFuture};
use oarlock_format::{DescriptorNumber, GroupNumber, LockName, MailboxRecord};

use crate::cell::Cell;
use crate::core::Core;
use crate::decide::Want;
use crate::release;
use crate::whereabouts::Whereabouts;

/// Locks of one kind remembered at most: beyond it the ones not in use are forgotten, which costs a read when they are used
/// again.
const PLACES_MAX: usize = 4096;

/// How a lock is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockPolicy {
    /// Kept on the disk after its last user here is done, until another host is interested. Never for named locks
    /// (R26): the end of a guard releases those.
    pub sticky: bool,
}

/// Who uses a lock on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    /// Nobody, and the disk knows or will soon know.
    None,
    /// One.
    Exclusive,
    /// So many.
    Shared(usize),
    /// One, which writes as others on other hosts do.
    MultiWriter,
    /// Nobody, but the lock is kept on the disk.
    Kept(Want),
    /// Nobody, and the disk is being told.
    Releasing,
    /// It is on its way to another host, or from one (R28): nobody else here gets it, and who is asked for it does not know.
    Handover,
}

/// One lock as this host knows it.
pub(crate) struct LockPlace<W: Whereabouts> {
    pub(crate) whereabouts: W,
    /// The record; whoever sends an ATS on it holds this.
    pub(crate) cell: Mutex<Option<Cell<W::Record>>>,
    pub(crate) holding: StdCell<Holding>,
    pub(crate) policy: StdCell<LockPolicy>,
    /// Somebody else waited: this host does not retake the lock before this time.
    pub(crate) polite_until: StdCell<Option<Instant>>,
    /// Another host rang for it: its next release is not kept.
    pub(crate) wanted: StdCell<bool>,
    /// Failures in a row to put the name into the table.
    pub(crate) spoilt: StdCell<u32>,
    /// Local users that wait for it.
    pub(crate) waiting: StdCell<usize>,
}

impl<W: Whereabouts> LockPlace<W> {
    fn new(whereabouts: W) -> LockPlace<W> {
        LockPlace {
            whereabouts,
            cell: Mutex::new(None),
            holding: StdCell::new(Holding::None),
            policy: StdCell::default(),
            polite_until: StdCell::new(None),
            wanted: StdCell::new(false),
            spoilt: StdCell::new(0),
            waiting: StdCell::new(0),
        }
    }

    /// Whether local users stand in the way of `want`.
    pub(crate) fn conflicts(&self, want: Want) -> bool {
        match self.holding.get() {
            Holding::None | Holding::Kept(_) => false,
            Holding::Exclusive | Holding::MultiWriter | Holding::Releasing | Holding::Handover => true,
            Holding::Shared(_) => want != Want::Shared,
        }
    }

    /// One more local user.
    pub(crate) fn hold(&self, want: Want) {
        let next = match (want, self.holding.get()) {
            (Want::Exclusive, _) => Holding::Exclusive,
            (Want::MultiWriter, _) => Holding::MultiWriter,
            (Want::Shared, Holding::Shared(users)) => Holding::Shared(users + 1),
            (Want::Shared, _) => Holding::Shared(1),
        };
        self.holding.set(next);
    }

    /// One local user less; whether it was the last.
    pub(crate) fn let_go(&self) -> bool {
        match self.holding.get() {
            Holding::Shared(users) if users > 1 => {
                self.holding.set(Holding::Shared(users - 1));
                false
            }
            _ => true,
        }
    }
}

/// A place, whatever it is the lock of.
pub(crate) trait AnyPlace {
    /// What people call the lock.
    fn words(&self) -> String;

    /// Who uses it on this host.
    fn holding(&self) -> &StdCell<Holding>;

    /// Whether it is, or may be, kept for nobody.
    fn may_be_kept(&self) -> bool;

    /// Another host rang: the next release is not kept.
    fn want(&self);

    /// Whether one of the mailbox's entries may be this lock. A record that is in hand at this moment may be the one: it is
    /// given up once too often rather than never.
    fn is_rung_by(&self, rung: &MailboxRecord) -> bool;

    /// See [`release::release`].
    fn release(self: Rc<Self>, core: Rc<Core>) -> LocalFuture<'static, ()>;

    /// See [`release::settle`].
    fn settle(self: Rc<Self>, core: Rc<Core>) -> LocalFuture<'static, ()>;

    /// Whether nobody here has any part in it, and nothing is open.
    fn is_settled(&self) -> LocalFuture<'_, bool>;
}

impl<W: Whereabouts> AnyPlace for LockPlace<W> {
    fn words(&self) -> String {
        self.whereabouts.words()
    }

    fn holding(&self) -> &StdCell<Holding> {
        &self.holding
    }

    fn may_be_kept(&self) -> bool {
        self.policy.get().sticky && !matches!(self.holding.get(), Holding::None)
    }

    fn want(&self) {
        self.wanted.set(true);
    }

    fn is_rung_by(&self, rung: &MailboxRecord) -> bool {
        self.cell
            .try_lock()
            .is_none_or(|cell| cell.as_ref().is_some_and(|cell| rung.entries.contains(&cell.lba)))
    }

    fn release(self: Rc<Self>, core: Rc<Core>) -> LocalFuture<'static, ()> {
        release::release(core, self).boxed_local()
    }

    fn settle(self: Rc<Self>, core: Rc<Core>) -> LocalFuture<'static, ()> {
        release::settle(core, self).boxed_local()
    }

    fn is_settled(&self) -> LocalFuture<'_, bool> {
        async {
            let cell = self.cell.lock().await;
            let open = cell.as_ref().is_some_and(Cell::has_open_attempts);
            !open && self.holding.get() == Holding::None
        }
        .boxed_local()
    }
}

/// All locks of one kind that this host remembers.
pub(crate) struct PlacesOf<W: Whereabouts> {
    places: RefCell<BTreeMap<W, Rc<LockPlace<W>>>>,
}

impl<W: Whereabouts> Default for PlacesOf<W> {
    fn default() -> PlacesOf<W> {
        PlacesOf { places: RefCell::default() }
    }
}

impl<W: Whereabouts> PlacesOf<W> {
    pub(crate) fn of(&self, whereabouts: &W) -> Rc<LockPlace<W>> {
        let mut places = self.places.borrow_mut();
        if let Some(place) = places.get(whereabouts) {
            return Rc::clone(place);
        }
        if places.len() >= PLACES_MAX {
            places.retain(|_, place| in_use(place));
        }
        let place = Rc::new(LockPlace::new(whereabouts.clone()));
        places.insert(whereabouts.clone(), Rc::clone(&place));
        place
    }

    pub(crate) fn all(&self) -> Vec<Rc<LockPlace<W>>> {
        self.places.borrow().values().cloned().collect()
    }
}

/// All locks that this host remembers.
#[derive(Default)]
pub(crate) struct Places {
    pub(crate) names: PlacesOf<LockName>,
    pub(crate) descriptors: PlacesOf<DescriptorNumber>,
    pub(crate) groups: PlacesOf<GroupNumber>,
    asked: StdCell<bool>,
    /// A look that was asked for is on its way, or still to come.
    unanswered: StdCell<bool>,
}

impl Places {
    /// The places of every kind, in the order of locks (R27).
    pub(crate) fn every(&self) -> Vec<Rc<dyn AnyPlace>> {
        let names = self.names.all().into_iter().map(|place| place as Rc<dyn AnyPlace>);
        let descriptors = self.descriptors.all().into_iter().map(|place| place as Rc<dyn AnyPlace>);
        let groups = self.groups.all().into_iter().map(|place| place as Rc<dyn AnyPlace>);
        names.chain(descriptors).chain(groups).collect()
    }

    /// Whether a lock is, or may be, kept for nobody: then the mailbox is read once per beat (R26).
    pub(crate) fn any_sticky(&self) -> bool {
        self.every().iter().any(|place| place.may_be_kept())
    }

    /// A tool asks this host to look again: at the superblock (R38), and which locks it owns (R39).
    pub(crate) fn ask(&self) {
        self.asked.set(true);
        self.unanswered.set(true);
    }

    /// Every lock was looked at since the host was last asked.
    pub(crate) fn answered(&self) {
        self.unanswered.set(self.asked.get());
    }

    /// Whether the host still has to look at all locks.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.unanswered.get()
    }

    /// Whether it was asked since the last look.
    pub(crate) fn take_asked(&self) -> bool {
        self.asked.take()
    }
}

/// Whether a place must be remembered: it is used, somebody has it in hand, or its attempts are not closed.
fn in_use<W: Whereabouts>(place: &Rc<LockPlace<W>>) -> bool {
    Rc::strong_count(place) > 1
        || place.holding.get() != Holding::None
        || place.cell.try_lock().is_none_or(|cell| cell.as_ref().is_some_and(Cell::has_open_attempts))
}
