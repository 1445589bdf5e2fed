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

/// What a session, or a unit, has of it.
#[derive(Default)]
pub(crate) struct Shares {
    small: Rc<Share>,
    large: Rc<Share>,
    long: Rc<Share>,
}

impl Shares {
    pub(crate) fn is_idle(&self) -> bool {
        self.all().iter().all(|share| share.get() == 0)
    }

    /// Whether that share is one of these.
    pub(crate) fn has(&self, share: &Rc<Share>) -> bool {
        self.all().iter().any(|own| Rc::ptr_eq(own, share))
    }

    fn all(&self) -> [&Rc<Share>; 3] {
        [&self.small, &self.large, &self.long]
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
    pub(crate) fn shortage(&self, hung: &[&Shares]) -> Shortage {
        let is_hung = |share: &Rc<Share>| hung.iter().any(|disk| disk.has(share));
        let mut all = Shortage::default();
        for pool in [&self.small, &self.large, &self.long] {
            let Shortage { of_all, of_units } = pool.shortage(is_hung);
            all.of_all |= of_all;
            all.of_units.extend(of_units);
        }
        all
    }

    fn of(&self, session: &Shares, unit: Option<&Shares>, bytes: usize) -> (&Rc<Pool>, Claim) {
        let (pool, share): (_, fn(&Shares) -> &Rc<Share>) = match bytes {
            small if small <= SMALL_TRANSFER_MAX => (&self.small, |shares| &shares.small),
            large if large <= LARGE_TRANSFER_MAX => (&self.large, |shares| &shares.large),
            _ => (&self.long, |shares| &shares.long),
        };
        let unit = unit.map(|unit| Rc::clone(share(unit)));
        (pool, Claim { session: Some(Rc::clone(share(session))), units: [unit, None] })
    }
}
