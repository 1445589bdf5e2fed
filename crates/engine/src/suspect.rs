//! Suspects: slots that somebody here waits for, each with one pursuit, however many wait (R40).

use std::cell::{Cell as StdCell, RefCell};
use std::rc::Rc;

use oarlock_block::SlotIndex;
use oarlock_format::{HostName, Incarnation};

use crate::core::Core;
use crate::takeover::pursue;

/// A slot in which this host takes an interest, because somebody here waits for what its host owns.
pub(crate) struct Suspect {
    pub(crate) slot: SlotIndex,
    pub(crate) interested: StdCell<usize>,
    /// The life that a person knows to be dead.
    pub(crate) forced: StdCell<Option<Incarnation>>,
    /// The pursuit has come to its end; whoever still waits begins another.
    pub(crate) over: StdCell<bool>,
    pub(crate) refused: RefCell<Option<String>>,
    /// The host's name, once its slot was read.
    pub(crate) name: RefCell<Option<HostName>>,
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

    /// The same interest once more, where its pursuit has ended: it may have been another waiter's, of an earlier life in the slot, and
    /// the present one is nobody's quarry yet.
    pub(crate) fn renew(&mut self, core: &Rc<Core>) -> bool {
        let is_over = self.is_over();
        if is_over {
            *self = suspect(core, self.suspect.slot);
        }
        is_over
    }

    /// Why the takeover does not get on, if it was refused.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.suspect.refused.borrow().clone()
    }

    /// Who it is, as far as it is known: `b in slot 7`, `slot 7`.
    pub(crate) fn who(&self) -> String {
        let slot = self.suspect.slot;
        match self.suspect.name.borrow().as_ref() {
            Some(name) => format!("{name} in slot {slot}"),
            None => format!("slot {slot}"),
        }
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
            name: RefCell::new(None),
        });
        core.suspects.borrow_mut().insert(slot, Rc::clone(&suspect));
        core.jobs.start(pursue(Rc::clone(core), Rc::clone(&suspect)));
        suspect
    });
    suspect.interested.set(suspect.interested.get() + 1);
    Interest { suspect }
}
