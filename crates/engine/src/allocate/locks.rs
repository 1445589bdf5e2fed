//! The locks of groups, as the allocator needs them: whoever has the records implements it.

use oarlock_block::{Instant, LocalFuture};
use oarlock_format::{Epoch, GroupNumber};

use super::error::SpaceError;

/// How much a group is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Only if nobody holds it, and its record does not say that it is empty: one read, and one ATS.
    Idle,
    /// Its owner is asked for it (R26), and has some time to give it up or to show that he needs it (R37). It is taken even
    /// if it is said to be empty: there may be something to free in it.
    Pressing,
    /// As pressing, until then at most, by a host that leaves and has something to free in it. Nobody else asks while it leaves.
    BeforeTheEnd {
        /// Whoever owns it keeps it, if he has it then.
        until: Instant,
    },
}

/// A group's lock that this host has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedLock {
    /// The epoch under which this host changes its bitmap.
    pub epoch: Epoch,
    /// How many clusters the group has, its head among them.
    pub clusters: u32,
}

/// The locks of groups.
pub trait GroupLocks {
    /// How many groups the datastore has now.
    fn groups(&self) -> u32;

    /// Takes a group for as long as this host likes it (sticky). The lock is durable before it is answered (R12). Nothing where
    /// it is not to be had, or the group has no clusters yet (a growth opens it later).
    ///
    /// # Errors
    /// Why nothing is known of the group.
    fn take(&self, group: GroupNumber, wish: Wish) -> LocalFuture<'_, Result<Option<OwnedLock>, SpaceError>>;

    /// Gives a group up, `free` of whose clusters are free. Its bitmap is home, and flushed.
    fn release(&self, group: GroupNumber, free: u32) -> LocalFuture<'_, ()>;
}
