//! Memory for data that come unasked, before their commands begin: bounded for all sessions together, and so that none takes all of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::limits::EARLY_BYTES_MAX;
use crate::pool::{HAD_BY_UNITS, LEFT_BY_SESSIONS};

/// What a session may have with its first command, whoever has the rest: an ATS is a kibibyte.
const FIRST_BYTES_MAX: usize = 8 << 10;

/// What is left to give.
pub(crate) struct Early {
    free: Rc<Cell<usize>>,
    /// Since somebody asked for them, one for each unit and reason.
    refused: RefCell<Vec<Refused>>,
}

/// That a session which had nothing was given nothing.
pub(crate) struct Refused {
    /// What the device has that its command was to.
    pub(crate) unit: Rc<Cell<usize>>,
    pub(crate) by: TooMuch,
}

/// Who has too much for another one to have some.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMuch {
    /// All together.
    All,
    /// The device that the command is to.
    Unit,
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

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.get()
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
        Early { free: Rc::new(Cell::new(EARLY_BYTES_MAX)), refused: RefCell::default() }
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
        match self.try_permit(of_session, of_unit, bytes) {
            Ok(permit) => return Some(permit),
            Err(by) => of_unit.inspect(|unit| self.note(of_session, unit, by)),
        };
        None
    }

    fn note(&self, of_session: &EarlyShare, unit: &Rc<Cell<usize>>, by: TooMuch) {
        let mut refused = self.refused.borrow_mut();
        let is_it = |known: &Refused| Rc::ptr_eq(&known.unit, unit) && known.by == by;
        if of_session.is_idle() && !refused.iter().any(is_it) {
            refused.push(Refused { unit: Rc::clone(unit), by });
        }
    }

    /// Those since this was asked last.
    pub(crate) fn take_refused(&self) -> Vec<Refused> {
        self.refused.take()
    }

    /// # Errors
    /// Who has too much, itself among all.
    fn try_permit(
        &self,
        of_session: &EarlyShare,
        of_unit: Option<&Rc<Cell<usize>>>,
        bytes: usize,
    ) -> Result<EarlyPermit, TooMuch> {
        // A heartbeat is never without its place: what a session begins with is little, and beside all that is shared.
        let is_first = !of_session.has_first.get() && bytes <= FIRST_BYTES_MAX;
        let has = of_session.bytes.get() + bytes;
        let shared = if is_first { 0 } else { bytes };
        let left = self.free.get().checked_sub(shared).ok_or(TooMuch::All)?;
        if !is_first && has * LEFT_BY_SESSIONS > left {
            return Err(TooMuch::All);
        }
        if !is_first && of_unit.is_some_and(|unit| unit.get() + bytes > left * HAD_BY_UNITS) {
            return Err(TooMuch::Unit);
        }
        self.free.set(left);
        of_session.bytes.set(has);
        of_session.has_first.set(is_first || of_session.has_first.get());
        if let Some(unit) = of_unit {
            unit.set(unit.get() + shared);
        }
        let (free, of_session, of_unit) = (Rc::clone(&self.free), of_session.clone(), of_unit.cloned());
        Ok(EarlyPermit { free, of_session, of_unit, bytes, is_first })
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

    /// A device that had as much as it may was told as scarcity for all, and hosts of the other disks were given up for it; a session that has some
    /// waits for itself.
    #[test]
    fn who_is_refused_is_told_with_who_has_too_much() {
        let early = Early::default();
        let [busy, quiet] = [(); 2].map(|()| Rc::<Cell<usize>>::default());
        let share = || EarlyShare::new(&Rc::default());
        let refused = || -> Vec<(bool, TooMuch)> {
            early.take_refused().iter().map(|of| (Rc::ptr_eq(&of.unit, &busy), of.by)).collect()
        };
        let all_of = |unit: &Rc<Cell<usize>>| -> Vec<_> {
            std::iter::from_fn(|| early.permit(&share(), Some(unit), 64 << 10)).collect()
        };
        let _kept = all_of(&busy);
        assert!(refused() == [(true, TooMuch::Unit)] && refused().is_empty());
        let has = share();
        let _some = early.permit(&has, Some(&quiet), 64 << 10).unwrap();
        assert!(early.permit(&has, Some(&busy), 64 << 10).is_none() && refused().is_empty());
        let _rest = std::iter::from_fn(|| early.permit(&share(), None, 64 << 10)).collect::<Vec<_>>();
        assert!(early.permit(&share(), Some(&quiet), 64 << 10).is_none());
        assert!(refused() == [(false, TooMuch::All)]);
    }
}
