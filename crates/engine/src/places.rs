//! Places: what this host remembers of each lock that it used, and who holds it here (local users queue here first).

use std::cell::{Cell as StdCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use futures::lock::Mutex;
use oarlock_block::Instant;
use oarlock_format::{LockName, LockRecord};

use crate::cell::Cell;
use crate::decide::Want;

/// Locks remembered at most: beyond it the ones not in use are forgotten, which costs a read when they are used again.
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
    /// Nobody, but the lock is kept on the disk.
    Kept(Want),
    /// Nobody, and the disk is being told.
    Releasing,
}

/// One lock as this host knows it.
pub(crate) struct LockPlace {
    pub(crate) name: LockName,
    /// The record; whoever sends an ATS on it holds this.
    pub(crate) cell: Mutex<Option<Cell<LockRecord>>>,
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

impl LockPlace {
    /// Whether local users stand in the way of `want`.
    pub(crate) fn conflicts(&self, want: Want) -> bool {
        match self.holding.get() {
            Holding::None | Holding::Kept(_) => false,
            Holding::Exclusive | Holding::Releasing => true,
            Holding::Shared(_) => want == Want::Exclusive,
        }
    }

    /// One more local user.
    pub(crate) fn hold(&self, want: Want) {
        let next = match (want, self.holding.get()) {
            (Want::Exclusive, _) => Holding::Exclusive,
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

/// All locks that this host remembers.
#[derive(Default)]
pub(crate) struct Places {
    by_name: RefCell<BTreeMap<LockName, Rc<LockPlace>>>,
    asked: StdCell<bool>,
    /// A look that was asked for is on its way, or still to come.
    unanswered: StdCell<bool>,
}

impl Places {
    pub(crate) fn of(&self, name: &LockName) -> Rc<LockPlace> {
        let mut by_name = self.by_name.borrow_mut();
        if let Some(place) = by_name.get(name) {
            return Rc::clone(place);
        }
        if by_name.len() >= PLACES_MAX {
            by_name.retain(|_, place| in_use(place));
        }
        let place = Rc::new(LockPlace {
            name: name.clone(),
            cell: Mutex::new(None),
            holding: StdCell::new(Holding::None),
            policy: StdCell::default(),
            polite_until: StdCell::new(None),
            wanted: StdCell::new(false),
            spoilt: StdCell::new(0),
            waiting: StdCell::new(0),
        });
        by_name.insert(name.clone(), Rc::clone(&place));
        place
    }

    pub(crate) fn all(&self) -> Vec<Rc<LockPlace>> {
        self.by_name.borrow().values().cloned().collect()
    }

    /// Whether a lock is, or may be, kept for nobody: then the mailbox is read once per beat (R26).
    pub(crate) fn any_sticky(&self) -> bool {
        self.by_name
            .borrow()
            .values()
            .any(|place| place.policy.get().sticky && !matches!(place.holding.get(), Holding::None))
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
fn in_use(place: &Rc<LockPlace>) -> bool {
    Rc::strong_count(place) > 1
        || place.holding.get() != Holding::None
        || place.cell.try_lock().is_none_or(|cell| cell.as_ref().is_some_and(Cell::has_open_attempts))
}
