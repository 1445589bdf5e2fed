//! How many disks there are, and how much is free: counted for `status`, now and then.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures::future::{FutureExt, LocalBoxFuture, Shared};
use oarlock_block::{ByteCount, Clock, Instant};
use oarlock_engine::Host;

/// It is counted no more often, unless this host itself changed the numbers: all descriptors are read for it.
const COUNT_EVERY: Duration = Duration::from_secs(10);

/// A count under way: of the disks, and of the free bytes, as far as either can be had.
type Counting = Shared<LocalBoxFuture<'static, (Option<usize>, Option<u64>)>>;

/// What the last count came to.
#[derive(Default)]
pub(crate) struct Counted {
    disks: Cell<usize>,
    free: Cell<Option<u64>>,
    counting: RefCell<Option<Counting>>,
    /// When it is counted again; none: the next time that somebody asks.
    due: Cell<Option<Instant>>,
}

impl Counted {
    pub(crate) fn disks(&self) -> usize {
        self.disks.get()
    }

    /// None where it was never counted.
    pub(crate) fn free(&self) -> Option<u64> {
        self.free.get()
    }

    /// Something changed: what is being counted does not count.
    pub(crate) fn is_over(&self) {
        self.counting.take();
        self.due.set(None);
    }

    /// Counts, where that was not done of late. A count that takes longer than one asker has time for is gone on with by the next.
    pub(crate) async fn count(&self, host: &Host, clock: &dyn Clock) {
        let is_due = self.due.get().is_none_or(|due| clock.now() >= due);
        let under_way = self.counting.borrow().clone();
        let counting = match under_way {
            Some(counting) => counting,
            None if is_due => {
                let counting = count(host.clone()).boxed_local().shared();
                self.counting.replace(Some(counting.clone()));
                counting
            }
            None => return,
        };
        let (disks, free) = counting.clone().await;
        if self.counting.borrow().as_ref().is_some_and(|known| known.ptr_eq(&counting)) {
            self.counting.take();
            self.disks.set(disks.unwrap_or(self.disks.get()));
            self.free.set(free.or(self.free.get()));
            self.due.set(Some(clock.now().plus(COUNT_EVERY)));
        }
    }
}

async fn count(host: Host) -> (Option<usize>, Option<u64>) {
    let disks = host.disks().await.ok().map(|rows| rows.len());
    (disks, host.free_space().await.ok().map(|ByteCount(free)| free))
}
