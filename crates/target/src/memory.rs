//! Memory for data: bounded, and given in the order of asking.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Bytes that are left to give, and who waits for some.
pub(crate) struct Pool {
    bytes_max: usize,
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Waiting>>,
    next_waiter: Cell<u64>,
}

struct Waiting {
    number: u64,
    waker: Option<Waker>,
}

/// A right to so many bytes of a pool, until it is dropped.
pub(crate) struct Grant {
    pool: Rc<Pool>,
    bytes: usize,
}

/// The right to memory for the data of a command.
pub(crate) struct Permit {
    _of_session: Grant,
    _of_all: Grant,
}

impl Permit {
    /// Waits for both: first for the share of the session, so that one that gives nothing back has no more than that.
    pub(crate) async fn new(session: &Rc<Pool>, all: &Rc<Pool>, bytes: usize) -> Permit {
        let of_session = session.grant(bytes).await;
        Permit { _of_session: of_session, _of_all: all.grant(bytes).await }
    }
}

impl Pool {
    pub(crate) fn new(bytes_max: usize) -> Rc<Pool> {
        Rc::new(Pool {
            bytes_max,
            free: Cell::new(bytes_max),
            waiting: RefCell::default(),
            next_waiter: Cell::new(0),
        })
    }

    /// Waits for the right to `bytes` bytes: in the order of asking, so that the long ones are not starved.
    pub(crate) async fn grant(self: &Rc<Pool>, bytes: usize) -> Grant {
        let bytes = bytes.min(self.bytes_max);
        let number = self.next_waiter.get();
        self.next_waiter.set(number + 1);
        let _leaves = Leaves { pool: self, number };
        poll_fn(|context| {
            let mut waiting = self.waiting.borrow_mut();
            let first = waiting.front().map_or(number, |first| first.number);
            if first == number && self.free.get() >= bytes {
                self.free.set(self.free.get() - bytes);
                return Poll::Ready(());
            }
            match waiting.iter_mut().find(|waiting| waiting.number == number) {
                Some(waiting) => waiting.waker = Some(context.waker().clone()),
                None => waiting.push_back(Waiting { number, waker: Some(context.waker().clone()) }),
            }
            Poll::Pending
        })
        .await;
        Grant { pool: Rc::clone(self), bytes }
    }

    fn wake_first(&self) {
        let first = self.waiting.borrow_mut().front_mut().and_then(|first| first.waker.take());
        if let Some(waker) = first {
            waker.wake();
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.pool.free.set(self.pool.free.get() + self.bytes);
        self.pool.wake_first();
    }
}

/// Whoever stops waiting leaves the queue, and wakes the next.
struct Leaves<'a> {
    pool: &'a Pool,
    number: u64,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.pool.waiting.borrow_mut().retain(|waiting| waiting.number != self.number);
        self.pool.wake_first();
    }
}
