//! Memory for data: bounded, given in the order of asking, and so that no session takes all of it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use oarlock_device::DataBuffer;

use crate::limits::{
    DATA_BYTES_MAX, LARGE_TRANSFER_MAX, LONG_BYTES_MAX, SMALL_BYTES_MAX, SMALL_TRANSFER_MAX,
};

/// Bytes that are left to give, and who waits for some.
pub(crate) struct Pool {
    bytes_max: usize,
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Rc<Waiting>>>,
}

/// What a session has of a pool. It waits for more where it would have more than a quarter of what it leaves free: one alone has a fifth, and
/// each of many that came one after the other a fifth of what was left, so that there is some for another one (dynamic thresholds of shared
/// switch buffers, Choudhury and Hahne, 1998). Who has nothing waits for its turn alone, be it ever so much.
#[derive(Default)]
pub(crate) struct Share(Cell<usize>);

struct Waiting {
    share: Option<Rc<Share>>,
    bytes: usize,
    is_given: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// How much more a session leaves free than it has.
pub(crate) const LEFT_TO_OTHERS: usize = 4;

/// A right to so many bytes of a pool, until it is dropped.
pub(crate) struct Grant {
    pool: Rc<Pool>,
    share: Option<Rc<Share>>,
    bytes: usize,
}

/// The right to memory for the data of a command.
pub(crate) type Permit = Grant;

/// The memory for the data of commands, apart for short, common and very long ones: whoever reads a block, or beats by one, waits for no long
/// transfer, and few wait for those that are longer than any that hosts send.
pub(crate) struct Memory {
    small: Rc<Pool>,
    large: Rc<Pool>,
    long: Rc<Pool>,
}

/// What a session has of it.
#[derive(Default)]
pub(crate) struct Shares {
    small: Rc<Share>,
    large: Rc<Share>,
    long: Rc<Share>,
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
    /// Waits for memory for the data of a command of a session: what a buffer of so many bytes takes.
    pub(crate) async fn permit(&self, shares: &Shares, bytes: usize) -> Permit {
        let (pool, share) = self.of(shares, bytes);
        pool.grant(Some(share), DataBuffer::footprint(bytes)).await
    }

    /// The same, where there is some at once.
    pub(crate) fn try_permit(&self, shares: &Shares, bytes: usize) -> Option<Permit> {
        let (pool, share) = self.of(shares, bytes);
        pool.try_grant(Some(share), DataBuffer::footprint(bytes))
    }

    /// Whether some wait who have nothing: others keep it from them.
    pub(crate) fn is_short(&self) -> bool {
        [&self.small, &self.large, &self.long].into_iter().any(|pool| pool.is_short())
    }

    fn of<'a>(&'a self, shares: &'a Shares, bytes: usize) -> (&'a Rc<Pool>, &'a Rc<Share>) {
        match bytes {
            small if small <= SMALL_TRANSFER_MAX => (&self.small, &shares.small),
            large if large <= LARGE_TRANSFER_MAX => (&self.large, &shares.large),
            _ => (&self.long, &shares.long),
        }
    }
}

impl Pool {
    pub(crate) fn new(bytes_max: usize) -> Rc<Pool> {
        Rc::new(Pool { bytes_max, free: Cell::new(bytes_max), waiting: RefCell::default() })
    }

    /// Waits for the right to `bytes` bytes: in the order of asking, so that the long ones are not starved; only those whose session has
    /// too much are passed by.
    pub(crate) async fn grant(self: &Rc<Pool>, share: Option<&Rc<Share>>, bytes: usize) -> Grant {
        if let Some(grant) = self.try_grant(share, bytes) {
            return grant;
        }
        let (share, bytes) = (share.cloned(), bytes.min(self.bytes_max));
        let waiting = Waiting { share, bytes, is_given: Cell::new(false), waker: RefCell::default() };
        let waiting = Rc::new(waiting);
        self.waiting.borrow_mut().push_back(Rc::clone(&waiting));
        let leaves = Leaves { pool: self, waiting };
        self.serve();
        poll_fn(|context| {
            if leaves.waiting.is_given.get() {
                return Poll::Ready(());
            }
            *leaves.waiting.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        leaves.waiting.is_given.set(false);
        Grant { pool: Rc::clone(self), share: leaves.waiting.share.clone(), bytes }
    }

    /// The right to them, where nobody waits and it can be had at once.
    pub(crate) fn try_grant(self: &Rc<Pool>, share: Option<&Rc<Share>>, bytes: usize) -> Option<Grant> {
        let (share, bytes) = (share.cloned(), bytes.min(self.bytes_max));
        let is_free = self.waiting.borrow().is_empty() && self.free.get() >= bytes;
        if !is_free || !self.may_have(share.as_deref(), bytes) {
            return None;
        }
        self.take(share.as_deref(), bytes);
        Some(Grant { pool: Rc::clone(self), share, bytes })
    }

    /// Whether a session has so little that it may have so much more.
    fn may_have(&self, share: Option<&Share>, bytes: usize) -> bool {
        let has = share.map_or(0, |share| share.0.get());
        has == 0
            || self.free.get().checked_sub(bytes).is_some_and(|left| (has + bytes) * LEFT_TO_OTHERS <= left)
    }

    fn is_short(&self) -> bool {
        let has_nothing =
            |waiting: &Rc<Waiting>| waiting.share.as_ref().is_none_or(|share| share.0.get() == 0);
        self.waiting.borrow().iter().any(has_nothing)
    }

    fn take(&self, share: Option<&Share>, bytes: usize) {
        self.free.set(self.free.get() - bytes);
        if let Some(Share(has)) = share {
            has.set(has.get() + bytes);
        }
    }

    fn give_back(&self, share: Option<&Share>, bytes: usize) {
        self.free.set(self.free.get() + bytes);
        if let Some(Share(has)) = share {
            has.set(has.get() - bytes);
        }
        self.serve();
    }

    /// Gives what is free to those that wait. A session that waits for more waits with all that it asked for later: what is short would pass
    /// by what is long for ever.
    fn serve(&self) {
        let mut waiting = self.waiting.borrow_mut();
        let mut passed_by: Vec<Rc<Share>> = Vec::new();
        let mut place = 0;
        while let Some(first) = waiting.get(place) {
            let share = first.share.as_deref();
            let is_known = |share: &Rc<Share>| passed_by.iter().any(|passed| Rc::ptr_eq(passed, share));
            let is_passed_by = first.share.as_ref().is_some_and(is_known);
            if is_passed_by || !self.may_have(share, first.bytes) {
                passed_by.extend(first.share.clone().filter(|_| !is_passed_by));
                place += 1;
                continue;
            }
            if self.free.get() < first.bytes {
                return;
            }
            self.take(share, first.bytes);
            first.is_given.set(true);
            if let Some(waker) = first.waker.borrow_mut().take() {
                waker.wake();
            }
            waiting.remove(place);
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.pool.give_back(self.share.as_deref(), self.bytes);
    }
}

/// Whoever stops waiting leaves the queue, or gives back what it was given and did not take.
struct Leaves<'a> {
    pool: &'a Pool,
    waiting: Rc<Waiting>,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        if self.waiting.is_given.get() {
            self.pool.give_back(self.waiting.share.as_deref(), self.waiting.bytes);
        } else {
            self.pool.waiting.borrow_mut().retain(|other| !Rc::ptr_eq(other, &self.waiting));
            self.pool.serve();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const MIB: usize = 1 << 20;

    /// Takes as much as it gets, in pieces of a mebibyte.
    fn take_all(pool: &Rc<Pool>, share: &Rc<Share>) -> Vec<Grant> {
        std::iter::from_fn(|| pool.grant(Some(share), MIB).now_or_never()).collect()
    }

    #[test]
    fn sessions_that_take_what_they_get_leave_room_for_the_next_one() {
        let pool = Pool::new(64 * MIB);
        let shares: Vec<Rc<Share>> = (0..8).map(|_| Rc::default()).collect();
        let grants: Vec<_> = shares.iter().map(|share| take_all(&pool, share)).collect();
        assert_eq!(grants[0].len(), 12, "one alone has a fifth");
        let left = pool.free.get();
        assert!(left >= 8 * MIB && pool.grant(Some(&Rc::default()), left).now_or_never().is_some());
        drop(grants);
        assert_eq!(pool.free.get(), 64 * MIB);
        assert!(shares.iter().all(|share| share.0.get() == 0) && pool.waiting.borrow().is_empty());
    }

    #[test]
    fn the_long_are_not_starved_by_the_short_and_who_has_too_much_is_passed_by() {
        let pool = Pool::new(10 * MIB);
        let [greedy, long, short] = [(); 3].map(|()| Rc::<Share>::default());
        let first = take_all(&pool, &greedy);
        assert_eq!(first.len(), 2);
        let more = &mut Box::pin(pool.grant(Some(&greedy), MIB));
        assert!(more.now_or_never().is_none());
        let wanted = &mut Box::pin(pool.grant(Some(&long), 9 * MIB));
        assert!(wanted.now_or_never().is_none());
        let behind = &mut Box::pin(pool.grant(Some(&short), MIB));
        assert!(behind.now_or_never().is_none(), "it would be first for ever");
        drop(first);
        let got = wanted.now_or_never().unwrap();
        assert!(behind.now_or_never().is_some() || more.now_or_never().is_some());
        drop(got);
    }

    /// One of 2 MiB among many of 1 MiB got nothing for as long as its session had others, and its host reset the unit for all.
    #[test]
    fn the_long_of_one_session_are_not_passed_by_its_own_short_ones() {
        let pool = Pool::new(64 * MIB);
        let share = Rc::<Share>::default();
        let mut has = take_all(&pool, &share);
        let mut long = Box::pin(pool.grant(Some(&share), 2 * MIB));
        assert!((&mut long).now_or_never().is_none());
        let mut short = Box::pin(pool.grant(Some(&share), MIB));
        assert!((&mut short).now_or_never().is_none());
        drop(has.pop());
        assert!((&mut short).now_or_never().is_none(), "it was asked for later");
        drop(has.pop());
        drop(has.pop());
        assert!(long.now_or_never().is_some());
    }

    #[test]
    fn who_stops_waiting_keeps_nothing() {
        let pool = Pool::new(MIB);
        let [first, second, third] = [(); 3].map(|()| Rc::<Share>::default());
        let has = pool.grant(Some(&first), MIB).now_or_never().unwrap();
        let mut given = Box::pin(pool.grant(Some(&second), MIB));
        let mut gone = Box::pin(pool.grant(Some(&third), MIB));
        assert!((&mut given).now_or_never().is_none() && (&mut gone).now_or_never().is_none());
        drop(gone);
        drop(has);
        drop(given);
        assert_eq!(pool.free.get(), MIB);
        assert!(pool.grant(None, MIB).now_or_never().is_some());
    }
}
