//! Memory for data: bounded, apart for short, common and very long commands, and shared between sessions and units.

use std::rc::Rc;

use oarlock_device::DataBuffer;

use crate::limits::{
    DATA_BYTES_MAX, LARGE_TRANSFER_MAX, LONG_BYTES_MAX, SMALL_BYTES_MAX, SMALL_TRANSFER_MAX,
};
use crate::pool::{Claim, Grant, Pool, Share, Shortage};

/// The right to memory for the data of a command.
pub(crate) type Permit = Grant;

/// The memory for the data of commands, apart for short, common and very long ones: whoever reads a block, or beats by one, waits for no long
/// transfer, and few wait for those that are longer than any that hosts send.
pub(crate) struct Memory {
    small: Rc<Pool>,
    large: Rc<Pool>,
    long: Rc<Pool>,
}

/// How long a command's data are: that decides which memory they take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Small,
    Large,
    Long,
}

impl Length {
    const ALL: [Length; 3] = [Length::Small, Length::Large, Length::Long];

    fn of(bytes: usize) -> Length {
        match bytes {
            small if small <= SMALL_TRANSFER_MAX => Length::Small,
            large if large <= LARGE_TRANSFER_MAX => Length::Large,
            _ => Length::Long,
        }
    }
}

/// What a session, or a unit, has of it.
#[derive(Default)]
pub(crate) struct Shares {
    small: Rc<Share>,
    large: Rc<Share>,
    long: Rc<Share>,
}

impl Shares {
    pub(crate) fn is_idle(&self) -> bool {
        Length::ALL.iter().all(|length| self.of(*length).get() == 0)
    }

    pub(crate) fn of(&self, length: Length) -> &Rc<Share> {
        match length {
            Length::Small => &self.small,
            Length::Large => &self.large,
            Length::Long => &self.long,
        }
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory {
            small: Pool::new(SMALL_BYTES_MAX),
            large: Pool::new(DATA_BYTES_MAX),
            long: Pool::new(LONG_BYTES_MAX),
        }
    }
}

impl Memory {
    /// Waits for memory for the data of a command of a session on a unit: what a buffer of so many bytes takes.
    pub(crate) async fn permit(&self, session: &Shares, unit: Option<&Shares>, bytes: usize) -> Permit {
        let (pool, claim) = self.of(session, unit, bytes);
        pool.grant(claim, DataBuffer::footprint(bytes)).await
    }

    /// The same, where there is some at once.
    pub(crate) fn try_permit(&self, session: &Shares, unit: Option<&Shares>, bytes: usize) -> Option<Permit> {
        let (pool, claim) = self.of(session, unit, bytes);
        pool.try_grant(claim, DataBuffer::footprint(bytes)).ok()
    }

    /// One look at those that wait, and not for one of these disks.
    pub(crate) fn shortage(&self, hung: &[&Shares]) -> impl Iterator<Item = (Length, Shortage)> {
        Length::ALL.into_iter().map(|length| {
            let is_hung = |share: &Rc<Share>| hung.iter().any(|disk| Rc::ptr_eq(disk.of(length), share));
            (length, self.pool(length).shortage(is_hung))
        })
    }

    fn of(&self, session: &Shares, unit: Option<&Shares>, bytes: usize) -> (&Rc<Pool>, Claim) {
        let length = Length::of(bytes);
        let unit = unit.map(|unit| Rc::clone(unit.of(length)));
        (self.pool(length), Claim { session: Some(Rc::clone(session.of(length))), units: [unit, None] })
    }

    fn pool(&self, length: Length) -> &Rc<Pool> {
        match length {
            Length::Small => &self.small,
            Length::Large => &self.large,
            Length::Long => &self.long,
        }
    }
}
