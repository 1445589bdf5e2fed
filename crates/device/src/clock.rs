//! The host's clock: `CLOCK_BOOTTIME`, which counts suspended time, with sleepers woken by a timerfd of the same clock.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oarlock_block::{Clock, Instant, LocalFuture, WallTime};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

use crate::locked;

/// A clock with a thread of its own, which does nothing but wake sleepers: at their deadline or as soon after it as the
/// kernel runs the thread, also where the machine was suspended meanwhile. Clones share the thread, which ends with
/// the last of them and of their sleepers.
#[derive(Clone)]
pub struct BootClock {
    timer: Arc<Timer>,
}

impl BootClock {
    /// Starts the clock's thread.
    ///
    /// # Errors
    /// Where the kernel gives no timer or no thread.
    pub fn start() -> io::Result<BootClock> {
        let descriptor = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC)?;
        let shared = Arc::new(Shared { descriptor, sleepers: Mutex::default() });
        let timer = Arc::new(Timer { shared: Arc::clone(&shared) });
        std::thread::Builder::new().name("oarlock-clock".to_owned()).spawn(move || shared.run())?;
        Ok(BootClock { timer })
    }
}

impl Clock for BootClock {
    fn now(&self) -> Instant {
        now()
    }

    fn sleep_until(&self, deadline: Instant) -> LocalFuture<'static, ()> {
        Box::pin(Sleep { timer: Arc::clone(&self.timer), deadline, number: None })
    }

    fn wall(&self) -> WallTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime { milliseconds: u64::try_from(since.as_millis()).unwrap_or(u64::MAX) }
    }
}

fn now() -> Instant {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Instant::from_zero(Duration::new(seconds, nanoseconds))
}

/// What clock and sleepers hold. The thread does not: the drop of the last tells it to end.
struct Timer {
    shared: Arc<Shared>,
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut sleepers = locked(&self.shared.sleepers);
        sleepers.ended = true;
        self.shared.arm(Instant::from_zero(Duration::ZERO));
    }
}

struct Shared {
    descriptor: OwnedFd,
    sleepers: Mutex<Sleepers>,
}

/// As many as there are live sleeping futures: each takes its own out when it is dropped.
#[derive(Default)]
struct Sleepers {
    by_deadline: BTreeMap<(Instant, u64), Waker>,
    next_number: u64,
    ended: bool,
}

impl Shared {
    fn run(&self) {
        loop {
            // Blocks until the timer fires. An error (a signal) is no reason to wake nobody.
            let _ = rustix::io::read(&self.descriptor, &mut [0; 8]);
            let due = {
                let mut sleepers = locked(&self.sleepers);
                if sleepers.ended {
                    return;
                }
                let now = now();
                let later = sleepers.by_deadline.split_off(&(now, u64::MAX));
                let due = std::mem::replace(&mut sleepers.by_deadline, later);
                if let Some(((deadline, _), _)) = sleepers.by_deadline.first_key_value() {
                    self.arm(*deadline);
                }
                due
            };
            due.into_values().for_each(Waker::wake);
        }
    }

    /// Sets the timer; always under the sleepers' lock, so that the earliest deadline wins.
    fn arm(&self, deadline: Instant) {
        // Zero would switch the timer off, where the beginning of time means "at once".
        let since = deadline.since_zero().max(Duration::from_nanos(1));
        let when = Timespec {
            tv_sec: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: since.subsec_nanos().into(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: when };
        let set = timerfd_settime(&self.descriptor, TimerfdTimerFlags::ABSTIME, &once);
        assert!(set.is_ok(), "the kernel sets a timer of ours to a time that it can name");
    }
}

struct Sleep {
    timer: Arc<Timer>,
    deadline: Instant,
    number: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if now() >= self.deadline {
            return Poll::Ready(());
        }
        let deadline = self.deadline;
        let known = self.number;
        let number = {
            let mut sleepers = locked(&self.timer.shared.sleepers);
            let number = known.unwrap_or(sleepers.next_number);
            sleepers.next_number = sleepers.next_number.max(number + 1);
            sleepers.by_deadline.insert((deadline, number), context.waker().clone());
            if sleepers.by_deadline.first_key_value().is_some_and(|(first, _)| *first == (deadline, number)) {
                self.timer.shared.arm(deadline);
            }
            number
        };
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            locked(&self.timer.shared.sleepers).by_deadline.remove(&(self.deadline, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::future::join_all;

    fn in_ms(milliseconds: u64) -> Instant {
        now().plus(Duration::from_millis(milliseconds))
    }

    #[test]
    fn nobody_is_woken_before_the_deadline() {
        let clock = BootClock::start().unwrap();
        let deadlines: Vec<Instant> = [30, 10, 20, 10].map(in_ms).into();
        block_on(join_all(deadlines.iter().map(|&deadline| {
            let clock = clock.clone();
            async move {
                clock.sleep_until(deadline).await;
                assert!(clock.now() >= deadline);
            }
        })));
    }

    #[test]
    fn a_deadline_that_is_past_resolves_without_the_thread() {
        use futures::FutureExt;
        let clock = BootClock::start().unwrap();
        assert!(clock.sleep_until(clock.now()).now_or_never().is_some());
        assert!(locked(&clock.timer.shared.sleepers).by_deadline.is_empty());
    }

    #[test]
    fn a_sleeper_that_is_dropped_leaves_nothing_behind() {
        use futures::FutureExt;
        let clock = BootClock::start().unwrap();
        let mut sleep = clock.sleep_until(in_ms(3_600_000));
        assert!(sleep.as_mut().now_or_never().is_none());
        assert_eq!(locked(&clock.timer.shared.sleepers).by_deadline.len(), 1);
        drop(sleep);
        assert!(locked(&clock.timer.shared.sleepers).by_deadline.is_empty());
    }

    #[test]
    fn a_nearer_deadline_does_not_wait_for_a_farther_one() {
        use futures::FutureExt;
        let clock = BootClock::start().unwrap();
        let mut far = clock.sleep_until(in_ms(3_600_000));
        assert!(far.as_mut().now_or_never().is_none());
        block_on(clock.sleep_until(in_ms(5)));
        assert!(far.as_mut().now_or_never().is_none());
    }

    #[test]
    fn the_thread_ends_with_the_last_clock() {
        let clock = BootClock::start().unwrap();
        let shared = Arc::downgrade(&clock.timer.shared);
        drop(clock);
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while shared.strong_count() > 0 {
            assert!(std::time::Instant::now() < deadline, "the thread did not end");
            std::thread::yield_now();
        }
    }
}
