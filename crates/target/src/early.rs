//! Memory for data that come unasked, before their commands begin: bounded for all sessions together, and so that none takes all of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::limits::EARLY_BYTES_MAX;
use crate::pool::{HAD_BY_UNITS, LEFT_BY_SESSIONS};

/// What a session may have with its first command, whoever has the rest: an ATS is a kibibyte.
const FIRST_BYTES_MAX: usize = 8 << 10;

/// What is left to give.
#[derive(Clone)]
pub(crate) struct Early {
    free: Rc<Cell<usize>>,
    /// What those devices have whose commands were refused since somebody asked for that.
    refused: Rc<RefCell<Vec<Rc<Cell<usize>>>>>,
}

/// What a session has of it for the units on one device.
#[derive(Clone)]
pub(crate) struct EarlyShare {
    bytes: Rc<Cell<usize>>,
    /// The session has what it begins with, for whichever unit that is.
    has_first: Rc<Cell<bool>>,
}

impl EarlyShare {
    pub(crate) fn is_idle(&self) -> bool {
        self.bytes.get() == 0
    }

    /// `has_first` is one for all of a session.
    pub(crate) fn new(has_first: &Rc<Cell<bool>>) -> EarlyShare {
        EarlyShare { bytes: Rc::default(), has_first: Rc::clone(has_first) }
    }
}

/// A right to so many bytes, until it is dropped.
pub(crate) struct EarlyPermit {
    free: Rc<Cell<usize>>,
    of_session: EarlyShare,
    of_unit: Option<Rc<Cell<usize>>>,
    bytes: usize,
    /// It is what the session begins with, and none of the memory for all.
    is_first: bool,
}

impl Default for Early {
    fn default() -> Early {
        Early { free: Rc::new(Cell::new(EARLY_BYTES_MAX)), refused: Rc::default() }
    }
}

impl Early {
    /// The right to `bytes` bytes for a session that has `of_session`, and a unit that has `of_unit`, where they are left. Each may have a part of what it
    /// leaves free, so that there is some for another one (as of the [memory](crate::pool::Claim) that is waited for).
    pub(crate) fn permit(
        &self,
        of_session: &EarlyShare,
        of_unit: Option<&Rc<Cell<usize>>>,
        bytes: usize,
    ) -> Option<EarlyPermit> {
        let permit = self.try_permit(of_session, of_unit, bytes);
        if let (None, 0, Some(unit)) = (&permit, of_session.bytes.get(), of_unit) {
            let mut refused = self.refused.borrow_mut();
            if !refused.iter().any(|known| Rc::ptr_eq(known, unit)) {
                refused.push(Rc::clone(unit));
            }
        }
        permit
    }

    /// What those devices have for whose units a session that had nothing was refused since this was asked last.
    pub(crate) fn take_refused(&self) -> Vec<Rc<Cell<usize>>> {
        self.refused.take()
    }

    /// Whether there is less than a quarter left: then whoever keeps some keeps it from all.
    pub(crate) fn is_scarce(&self) -> bool {
        self.free.get() < EARLY_BYTES_MAX / 4
    }

    fn try_permit(
        &self,
        of_session: &EarlyShare,
        of_unit: Option<&Rc<Cell<usize>>>,
        bytes: usize,
    ) -> Option<EarlyPermit> {
        // A heartbeat is never without its place: what a session begins with is little, and beside all that is shared.
        let is_first = !of_session.has_first.get() && bytes <= FIRST_BYTES_MAX;
        let has = of_session.bytes.get() + bytes;
        let shared = if is_first { 0 } else { bytes };
        let left = self.free.get().checked_sub(shared)?;
        let is_too_much = has * LEFT_BY_SESSIONS > left
            || of_unit.is_some_and(|unit| unit.get() + bytes > left * HAD_BY_UNITS);
        if !is_first && is_too_much {
            return None;
        }
        self.free.set(left);
        of_session.bytes.set(has);
        of_session.has_first.set(is_first || of_session.has_first.get());
        if let Some(unit) = of_unit {
            unit.set(unit.get() + shared);
        }
        let (free, of_session, of_unit) = (Rc::clone(&self.free), of_session.clone(), of_unit.cloned());
        Some(EarlyPermit { free, of_session, of_unit, bytes, is_first })
    }
}

impl Drop for EarlyPermit {
    fn drop(&mut self) {
        let of_session = &self.of_session.bytes;
        of_session.set(of_session.get() - self.bytes);
        if self.is_first {
            self.of_session.has_first.set(false);
            return;
        }
        self.free.set(self.free.get() + self.bytes);
        if let Some(unit) = &self.of_unit {
            unit.set(unit.get() - self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as much as it gets, in pieces of 256 KiB.
    fn take_all(early: &Early, session: &EarlyShare) -> Vec<EarlyPermit> {
        std::iter::from_fn(|| early.permit(session, None, 256 << 10)).collect()
    }

    #[test]
    fn sessions_that_take_what_they_get_leave_room_for_the_next_one() {
        let early = Early::default();
        let share = || EarlyShare::new(&Rc::default());
        let greedy: Vec<_> = (0..60).map(|_| share()).collect();
        let mut permits: Vec<_> = greedy.iter().map(|session| take_all(&early, session)).collect();
        assert!(greedy[0].bytes.get() >= EARLY_BYTES_MAX / 6, "one alone has plenty");
        assert!(early.permit(&share(), None, 4096).is_some(), "and another one is not kept out");
        permits.clear();
        assert_eq!(early.free.get(), EARLY_BYTES_MAX);
        assert!(greedy.iter().all(|session| session.bytes.get() == 0));
    }

    /// It had them for each of its units, and many sessions together all memory that there is.
    #[test]
    fn what_a_session_begins_with_it_has_once_whatever_its_disks() {
        let (early, has_first) = (Early::default(), Rc::default());
        let [one, other] = [(); 2].map(|()| EarlyShare::new(&has_first));
        let first = early.permit(&one, None, 4096);
        assert_eq!(early.free.get(), EARLY_BYTES_MAX);
        let second = early.permit(&other, None, 4096);
        assert_eq!(early.free.get(), EARLY_BYTES_MAX - 4096);
        drop((first, second));
        assert!(early.free.get() == EARLY_BYTES_MAX && !has_first.get());
    }
}
