//! What sessions, and the units on one device, have of what there is a bounded number of.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::slice;

use crate::early::EarlyShare;
use crate::limits::UNITS_MAX;
use crate::memory::{Length, Shares};
use crate::pool::Share;
use crate::turns::Turns;

/// What the commands of the units on one device have, so that one whose medium does not answer leaves some to the others.
#[derive(Default)]
pub(crate) struct UnitShares {
    pub(crate) memory: Shares,
    /// Bytes of data that came unasked.
    pub(crate) early: Rc<Cell<usize>>,
    pub(crate) steps: Rc<Share>,
    pub(crate) commands: Rc<Share>,
    /// Its file system is asked one thing at a time: what it does not answer has one thread.
    pub(crate) asking: Turns,
    /// A command of theirs has ended since that was asked.
    has_moved: Cell<bool>,
}

impl UnitShares {
    /// A command of theirs has ended.
    pub(crate) fn moved(&self) {
        self.has_moved.set(true);
    }

    /// Whether nothing of it is anybody's.
    fn is_idle(&self) -> bool {
        self.memory.is_idle() && self.early.get() + self.steps.get() + self.commands.get() == 0
    }

    /// Whether commands are out of which none has ended since that was asked last: nobody but the disk keeps what they have.
    pub(crate) fn take_is_hung(&self) -> bool {
        !self.has_moved.take() && self.commands.get() > 0
    }
}

/// Memory that some wait for.
pub(crate) struct Lack {
    pub(crate) kind: Kind,
    /// Whose units have as much as they may; `None`: there is none left, whatever the device.
    pub(crate) device: Option<Rc<UnitShares>>,
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Data(Length),
    /// For data that come unasked.
    Early,
}

pub(crate) fn contains(some: &[Rc<UnitShares>], one: &Rc<UnitShares>) -> bool {
    some.iter().any(|other| Rc::ptr_eq(other, one))
}

/// The devices that units are on, those included whose units are served no more while they keep something.
#[derive(Default)]
pub(crate) struct Devices(RefCell<Vec<(Option<u64>, Rc<UnitShares>)>>);

impl Devices {
    /// What the units on the device of that number have: one disk that hangs takes all units with it that it carries, and they keep no more from the others
    /// than one would.
    pub(crate) fn of(&self, number: Option<u64>) -> Rc<UnitShares> {
        let mut devices = self.0.borrow_mut();
        devices.retain(|(_, shares)| Rc::strong_count(shares) > 1 || !shares.is_idle());
        let known = devices.iter().find(|(known, _)| number.is_some() && *known == number);
        if let Some((_, shares)) = known {
            return Rc::clone(shares);
        }
        let shares = Rc::<UnitShares>::default();
        devices.push((number, Rc::clone(&shares)));
        shares
    }

    /// The first that is as asked.
    pub(crate) fn find(&self, is_it: impl Fn(&UnitShares) -> bool) -> Option<Rc<UnitShares>> {
        self.0.borrow().iter().map(|(_, shares)| shares).find(|shares| is_it(shares)).cloned()
    }

    /// Those of which commands are out and none has ended since that was asked last.
    pub(crate) fn take_hung(&self) -> Vec<Rc<UnitShares>> {
        let devices = self.0.borrow();
        devices
            .iter()
            .filter(|(_, shares)| shares.take_is_hung())
            .map(|(_, shares)| Rc::clone(shares))
            .collect()
    }
}

/// What a session's commands to the units on one device have.
pub(crate) struct SessionShares {
    pub(crate) memory: Shares,
    /// For data that came unasked.
    pub(crate) early: EarlyShare,
    pub(crate) steps: Rc<Share>,
    /// Those that change what is saved come one behind the other, so that the others' wait for one alone.
    pub(crate) saving: Turns,
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
    /// What its commands keep of memory that others lack, but for these disks.
    pub(crate) fn kept(&self, lack: &Lack, but: &[Rc<UnitShares>]) -> usize {
        let is_one_of = |known: &Known, some: &[Rc<UnitShares>]| {
            known.device.as_ref().is_some_and(|device| contains(some, device))
        };
        let counts = |known: &&Known| {
            !is_one_of(known, but)
                && lack.device.as_ref().is_none_or(|there| is_one_of(known, slice::from_ref(there)))
        };
        let kept = |known: &Known| match lack.kind {
            Kind::Data(length) => known.shares.memory.of(length).get(),
            Kind::Early => known.shares.early.bytes(),
        };
        self.known.borrow().iter().filter(counts).map(kept).sum()
    }

    /// What it has for the units on a device, or for none.
    pub(crate) fn of(&self, device: Option<&Rc<UnitShares>>) -> Rc<SessionShares> {
        let mut known = self.known.borrow_mut();
        let is_it = |known: &&Known| known.device.as_ref().map(Rc::as_ptr) == device.map(Rc::as_ptr);
        if let Some(found) = known.iter().find(is_it) {
            return Rc::clone(&found.shares);
        }
        // Some of them are served no more.
        if known.len() > UNITS_MAX {
            known.retain(|known| known.device.as_ref().is_some_and(|device| !device.is_idle()));
        }
        let early = EarlyShare::new(&self.has_first);
        let (memory, steps, saving) = (Shares::default(), Rc::default(), Turns::default());
        let shares = Rc::new(SessionShares { memory, early, steps, saving });
        known.push(Known { device: device.cloned(), shares: Rc::clone(&shares) });
        shares
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::early::Early;
    use crate::memory::Memory;
    use crate::pool::{Claim, Grant, Pool};

    /// A command to a device, under way.
    fn command(shares: &UnitShares) -> Grant {
        Pool::new(1).grant(Claim::of_unit(&shares.commands), 1).now_or_never().unwrap()
    }

    #[test]
    fn a_session_has_one_share_for_each_device_and_forgets_those_that_are_gone() {
        let shares = SharesByDevice::default();
        let one = Rc::<UnitShares>::default();
        let of_one = shares.of(Some(&one));
        assert!(Rc::ptr_eq(&of_one, &shares.of(Some(&one))));
        assert!(!Rc::ptr_eq(&shares.of(Some(&one)), &shares.of(None)));
        let _command = command(&one);
        (0..UNITS_MAX).for_each(|_| drop(shares.of(Some(&Rc::default()))));
        assert!(shares.known.borrow().len() < UNITS_MAX);
        assert!(Rc::ptr_eq(&of_one, &shares.of(Some(&one))), "what it has of one that is busy is kept");
    }

    /// A unit that was removed and added anew while its disk hung began with nothing, again and again.
    #[test]
    fn a_device_is_known_by_its_number_for_as_long_as_anything_of_it_is_kept() {
        let devices = Devices::default();
        let first = devices.of(Some(7));
        assert!(Rc::ptr_eq(&first, &devices.of(Some(7))) && !Rc::ptr_eq(&first, &devices.of(Some(8))));
        assert!(!Rc::ptr_eq(&devices.of(None), &devices.of(None)));
        let kept = Rc::downgrade(&first);
        let _command = command(&first);
        drop(first);
        assert!(kept.upgrade().is_some_and(|kept| Rc::ptr_eq(&kept, &devices.of(Some(7)))));
        assert_eq!(devices.take_hung().len(), 1);
    }

    /// Where the memory for very long commands ran out, sessions were given up that kept some for short ones alone.
    #[test]
    fn a_session_is_in_the_way_of_those_that_lack_what_it_keeps() {
        let (shares, memory) = (SharesByDevice::default(), Memory::default());
        let [one, other] = [(); 2].map(|()| Rc::<UnitShares>::default());
        let of_one = shares.of(Some(&one));
        let _short = memory.try_permit(&of_one.memory, Some(&one.memory), 4096).unwrap();
        let keeps = |length, device: Option<&Rc<UnitShares>>| {
            shares.kept(&Lack { kind: Kind::Data(length), device: device.cloned() }, &[]) > 0
        };
        assert!(keeps(Length::Small, None) && keeps(Length::Small, Some(&one)));
        assert!(!keeps(Length::Small, Some(&other)) && !keeps(Length::Long, None));
        let early = |device, but: &[_]| shares.kept(&Lack { kind: Kind::Early, device }, but) > 0;
        assert!(!early(None, &[]));
        let _early = Early::default().permit(&of_one.early, Some(&one.early), 4096).unwrap();
        assert!(early(Some(Rc::clone(&one)), &[]) && early(None, &[other]) && !early(None, &[one]));
    }
}
