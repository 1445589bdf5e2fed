//! What sessions, and the units on one device, have of what there is a bounded number of.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::early::EarlyShare;
use crate::memory::Shares;
use crate::pool::Share;

/// What the commands of the units on one device have, so that one whose medium does not answer leaves some to the others.
#[derive(Default)]
pub(crate) struct UnitShares {
    pub(crate) memory: Shares,
    /// Bytes of data that came unasked.
    pub(crate) early: Rc<Cell<usize>>,
    pub(crate) steps: Rc<Share>,
    pub(crate) commands: Rc<Share>,
    /// A command of theirs has ended since that was asked.
    has_moved: Cell<bool>,
}

impl UnitShares {
    /// A command of theirs has ended.
    pub(crate) fn moved(&self) {
        self.has_moved.set(true);
    }

    /// Whether commands are out of which none has ended since that was asked last: nobody but the disk keeps what they have.
    pub(crate) fn take_is_hung(&self) -> bool {
        !self.has_moved.take() && self.commands.get() > 0
    }
}

/// What a session's commands to the units on one device have.
pub(crate) struct SessionShares {
    pub(crate) memory: Shares,
    /// For data that came unasked.
    pub(crate) early: EarlyShare,
}

/// What a session's commands have, by device: one that hangs keeps the session's commands to the others from none.
#[derive(Default)]
pub(crate) struct SharesByDevice {
    known: RefCell<Vec<Known>>,
    /// Its first command with data that come unasked has memory, whatever the others have.
    has_first: Rc<Cell<bool>>,
}

struct Known {
    device: Option<Rc<UnitShares>>,
    shares: Rc<SessionShares>,
}

impl SharesByDevice {
    /// What it has for the units on a device, or for none.
    pub(crate) fn of(&self, device: Option<&Rc<UnitShares>>) -> Rc<SessionShares> {
        let mut known = self.known.borrow_mut();
        let is_it = |known: &&Known| known.device.as_ref().map(Rc::as_ptr) == device.map(Rc::as_ptr);
        if let Some(found) = known.iter().find(is_it) {
            return Rc::clone(&found.shares);
        }
        // Devices that are served no more are nobody else's.
        known.retain(|known| known.device.as_ref().is_none_or(|device| Rc::strong_count(device) > 1));
        let early = EarlyShare::new(&self.has_first);
        let shares = Rc::new(SessionShares { memory: Shares::default(), early });
        known.push(Known { device: device.cloned(), shares: Rc::clone(&shares) });
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_one_share_for_each_device_and_none_for_those_that_are_gone() {
        let shares = SharesByDevice::default();
        let [one, other] = [(); 2].map(|()| Rc::<UnitShares>::default());
        assert!(Rc::ptr_eq(&shares.of(Some(&one)), &shares.of(Some(&one))));
        assert!(!Rc::ptr_eq(&shares.of(Some(&one)), &shares.of(None)));
        drop(one);
        shares.of(Some(&other));
        assert_eq!(shares.known.borrow().len(), 2, "of the other, and of none");
    }
}
