//! Waits of so and so long, on the array's thread: for faults, which are late on purpose.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// Who waits until when. A wait's number tells two of one time apart.
#[derive(Default)]
pub(crate) struct Timers {
    waiting: RefCell<BTreeMap<(Instant, u64), Waker>>,
    next: Cell<u64>,
}

impl Timers {
    /// Waits until that time by the clock of [`fire`](Timers::fire).
    pub(crate) async fn until(&self, when: Instant) {
        let number = self.next.get();
        self.next.set(number + 1);
        let place = Place { timers: self, key: (when, number) };
        let mut is_begun = false;
        poll_fn(|context| {
            let mut waiting = self.waiting.borrow_mut();
            if is_begun && !waiting.contains_key(&place.key) {
                return Poll::Ready(());
            }
            is_begun = true;
            waiting.insert(place.key, context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// How long the ring may wait: until the first of those who wait, `most` at most.
    pub(crate) fn wait(&self, most: Duration) -> Duration {
        match self.waiting.borrow().first_key_value() {
            None => most,
            Some(((when, _), _)) => when.saturating_duration_since(Instant::now()).min(most),
        }
    }

    /// It is `now`: wakes whoever waited for that.
    pub(crate) fn fire(&self, now: Instant) {
        let mut waiting = self.waiting.borrow_mut();
        while let Some(first) = waiting.first_entry().filter(|first| first.key().0 <= now) {
            first.remove().wake();
        }
    }
}

/// A place among those who wait, given up with the wait.
struct Place<'a> {
    timers: &'a Timers,
    key: (Instant, u64),
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.timers.waiting.borrow_mut().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_wait_ends_when_its_time_has_come_and_leaves_nothing_behind() {
        let (timers, begin) = (Timers::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(timers.wait(second), second);
        let mut first = Box::pin(timers.until(begin + 5 * second));
        let mut given_up = Box::pin(timers.until(begin + 2 * second));
        assert!((&mut first).now_or_never().is_none() && (&mut given_up).now_or_never().is_none());
        timers.fire(begin + 3 * second);
        assert!((&mut given_up).now_or_never().is_some() && (&mut first).now_or_never().is_none());
        timers.fire(begin + 5 * second);
        assert!((&mut first).now_or_never().is_some());
        let mut dropped = Box::pin(timers.until(begin + second));
        assert!((&mut dropped).now_or_never().is_none());
        assert!(timers.wait(Duration::MAX) <= second, "the ring waits no longer than the first of them");
        drop(dropped);
        assert!(timers.waiting.borrow().is_empty());
    }
}
