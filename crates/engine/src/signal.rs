//! A signal that tasks of one thread wait for: it counts its changes, so that none is missed.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Counts changes and wakes whoever waits for the next.
#[derive(Default)]
pub(crate) struct Signal {
    changes: Cell<u64>,
    wakers: RefCell<Vec<Waker>>,
}

impl Signal {
    /// The number of changes so far: what a waiter remembers before it looks at the state.
    pub(crate) fn seen(&self) -> u64 {
        self.changes.get()
    }

    /// Announces a change.
    pub(crate) fn announce(&self) {
        self.changes.set(self.changes.get() + 1);
        for waker in self.wakers.take() {
            waker.wake();
        }
    }

    /// Resolves once there was a change beyond `seen`.
    pub(crate) async fn beyond(&self, seen: u64) {
        poll_fn(|context| {
            if self.changes.get() > seen {
                return Poll::Ready(());
            }
            let mut wakers = self.wakers.borrow_mut();
            // A task that polls again must not be listed twice, or the list grows with every poll.
            if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}
