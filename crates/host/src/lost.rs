//! Whether a lock can still be relied upon: what its user looks at, on whatever thread, whatever the engine is doing.
//!
//! ```text
//!   relied upon --- the last quarter of the lease begins, unrenewed ---> lost
//!               --- the host stops, leaves, or the connection ends ----> lost, for good
//! ```

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::loss::{Loss, LossKind};

/// The reason that the clock gives.
pub(crate) const UNRENEWED: &str = "the host's lease was not renewed in time";

/// Nanoseconds of this machine's `CLOCK_BOOTTIME`, which all its processes share.
#[must_use]
pub fn boot_time_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// What a lock's user knows of it: until when it may rely on it without further news, and whether it is lost.
#[derive(Debug)]
pub struct Lost {
    until_ns: Arc<AtomicU64>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    reason: Option<Loss>,
    closed: bool,
    /// As many as there are futures that wait: each takes its own out when it is dropped.
    wakers: BTreeMap<u64, Waker>,
    next_number: u64,
}

impl Lost {
    /// A lock that may be relied upon until that time of `CLOCK_BOOTTIME`, in nanoseconds.
    #[must_use]
    pub fn until(until_ns: u64) -> Lost {
        Lost::on(Arc::new(AtomicU64::new(until_ns)))
    }

    /// A lock that may be relied upon until the time that another keeps up to date.
    pub(crate) fn on(until_ns: Arc<AtomicU64>) -> Lost {
        Lost { until_ns, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Until when the lock may be relied upon without further news.
    #[must_use]
    pub fn until_ns(&self) -> u64 {
        self.until_ns.load(Ordering::Acquire)
    }

    /// The lease was renewed: the lock may be relied upon until then.
    pub fn extend(&self, until_ns: u64) {
        self.until_ns.fetch_max(until_ns, Ordering::AcqRel);
    }

    /// The lock is lost. Only the first reason counts.
    pub fn lose(&self, loss: Loss) {
        self.change(|state| {
            state.reason.get_or_insert(loss);
        });
    }

    /// No further news will come.
    pub fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Whether the lock can no longer be relied upon.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.reason().is_some()
    }

    /// Why the lock can no longer be relied upon, if so.
    #[must_use]
    pub fn reason(&self) -> Option<Loss> {
        self.look(&mut self.locked())
    }

    /// Waits until the lock is lost, for `timeout` at most.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Option<Loss> {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.locked();
        loop {
            if let Some(reason) = self.look(&mut state) {
                return Some(reason);
            }
            let left =
                deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return None;
            }
            // The lease may end without any news: the clock says so then. It is looked at a little after its end.
            let lease = Duration::from_nanos(self.until_ns().saturating_sub(boot_time_ns()));
            let pause = left.min(lease + Duration::from_millis(1));
            state = self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Resolves once no further news will come.
    pub(crate) async fn closed(&self) {
        self.until_it_shows(|state| state.closed.then_some(())).await;
    }

    /// Waits until no further news will come, for `timeout` at most; says whether it is so.
    #[must_use]
    pub fn wait_closed(&self, timeout: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.locked(), timeout, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Resolves once the lock was lost, with the reason. It hears of news; that the lease ended without any is told by
    /// the engine, not by a clock of its own.
    pub async fn lost(&self) -> Loss {
        self.until_it_shows(|state| self.look(state)).await
    }

    async fn until_it_shows<T>(&self, look: impl Fn(&mut MutexGuard<'_, State>) -> Option<T>) -> T {
        let number = {
            let mut state = self.locked();
            state.next_number += 1;
            state.next_number
        };
        // A guard may live for days, and be asked by a new task for each piece of work.
        let _waiting = Waiting { lost: self, number };
        poll_fn(|context| {
            let mut state = self.locked();
            if let Some(seen) = look(&mut state) {
                return Poll::Ready(seen);
            }
            state.wakers.insert(number, context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// What is so now. A lease that is found to have ended stays so for this lock's user, who stops at that.
    fn look(&self, state: &mut MutexGuard<'_, State>) -> Option<Loss> {
        if state.reason.is_none() && boot_time_ns() >= self.until_ns() {
            state.reason = Some(Loss::new(LossKind::NotRenewed, UNRENEWED));
        }
        state.reason.clone()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let wakers = {
            let mut state = self.locked();
            change(&mut state);
            std::mem::take(&mut state.wakers)
        };
        self.changed.notify_all();
        wakers.into_values().for_each(Waker::wake);
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future that waits for the loss.
struct Waiting<'a> {
    lost: &'a Lost,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.lost.locked().wakers.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_ms(milliseconds: u64) -> u64 {
        boot_time_ns() + milliseconds * 1_000_000
    }

    #[test]
    fn a_lease_that_ends_without_news_is_noticed_by_whoever_waits() {
        let lost = Lost::until(in_ms(20));
        let loss = lost.wait(Duration::from_secs(60)).unwrap();
        assert_eq!((loss.kind(), loss.to_string().as_str()), (LossKind::NotRenewed, UNRENEWED));
        assert!(boot_time_ns() >= lost.until_ns());
    }

    #[test]
    fn a_renewed_lease_holds_and_a_lost_one_stays_lost() {
        let lost = Lost::until(in_ms(3_600_000));
        assert!(!lost.is_lost());
        lost.extend(0);
        assert!(!lost.is_lost(), "a lease never gets shorter");
        lost.lose(Loss::new(LossKind::Fenced, "first"));
        lost.lose(Loss::new(LossKind::Leaving, "second"));
        lost.extend(u64::MAX);
        assert_eq!(lost.reason().unwrap(), Loss::new(LossKind::Fenced, "first"));
    }

    #[test]
    fn whoever_waits_on_another_thread_hears_of_it() {
        let lost = Arc::new(Lost::until(in_ms(3_600_000)));
        let other = Arc::clone(&lost);
        let thread = std::thread::spawn(move || other.wait(Duration::from_secs(60)));
        let waiting = Arc::clone(&lost);
        let future = std::thread::spawn(move || futures::executor::block_on(waiting.lost()));
        lost.lose(Loss::new(LossKind::Disconnected, "gone"));
        assert_eq!(thread.join().unwrap().unwrap().to_string(), "gone");
        assert_eq!(future.join().unwrap().kind(), LossKind::Disconnected);
    }

    #[test]
    fn futures_that_are_dropped_leave_nothing_behind() {
        let lost = Lost::until(in_ms(3_600_000));
        for _ in 0..100 {
            // Each is polled by another task, as with a runtime that gives each piece of work one.
            let flag = Arc::new(NoWake);
            let mut waiting = std::pin::pin!(lost.lost());
            let waker = Waker::from(flag);
            assert!(waiting.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        }
        assert!(lost.locked().wakers.is_empty());
    }

    struct NoWake;

    impl std::task::Wake for NoWake {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_wait_ends_at_its_time_out() {
        let lost = Lost::until(in_ms(3_600_000));
        assert_eq!(lost.wait(Duration::from_millis(5)), None);
        assert!(!lost.wait_closed(Duration::from_millis(5)));
    }
}
