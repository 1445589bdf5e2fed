//! Sleeping: on a host's own clock, which may drift and stand still, or in true time.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use oarlock_block::{Clock, Instant, LocalFuture, WallTime};

use crate::events::Event;
use crate::slab::Key;
use crate::state::{Core, State};
use crate::{HostIndex, TrueTime};

/// What simulated hosts believe the year to be when the world begins: 2026.
const WALL_START_MS: u64 = 1_767_225_600_000;

/// When a sleeper is to be woken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    Local(HostIndex, Instant),
    True(TrueTime),
}

pub(crate) struct Timer {
    deadline: Deadline,
    waker: Waker,
}

impl State {
    /// The true time of a deadline, as far as it is known; `None` while the host's clock stands still before it.
    fn due(&self, deadline: Deadline) -> Option<TrueTime> {
        match deadline {
            Deadline::Local(host, instant) => self.host(host).clock.reaches(instant),
            Deadline::True(time) => Some(time),
        }
    }

    fn is_over(&self, deadline: Deadline) -> bool {
        match deadline {
            Deadline::Local(host, instant) => self.host(host).clock.at(self.now) >= instant,
            Deadline::True(time) => self.now >= time,
        }
    }

    /// Gives a timer its place in the queue, or parks it until the clock goes on.
    pub(crate) fn arm(&mut self, key: Key) {
        let Some(deadline) = self.timers.get(key).map(|timer| timer.deadline) else { return };
        match (self.due(deadline), deadline) {
            (Some(due), _) => self.events.push(due.max(self.now), Event::Timer(key)),
            (None, Deadline::Local(host, _)) => self.host_mut(host).parked.push(key),
            (None, Deadline::True(_)) => {}
        }
    }

    /// A timer's event came up.
    pub(crate) fn fire(&mut self, key: Key) {
        let Some(timer) = self.timers.get(key) else { return self.events.exhume() };
        if self.is_over(timer.deadline) {
            let waker = timer.waker.clone();
            self.wakes.push(waker);
            self.timers.remove(key);
        } else {
            // The clock stood still since the timer was armed.
            self.arm(key);
        }
    }

    fn drop_timer(&mut self, key: Key) {
        let Some(timer) = self.timers.remove(key) else { return };
        if let Deadline::Local(host, _) = timer.deadline {
            let parked = &mut self.hosts[host.place()].parked;
            if let Some(place) = parked.iter().position(|parked| *parked == key) {
                parked.swap_remove(place);
                return;
            }
        }
        let timers = &self.timers;
        self.events.bury(|event| match event {
            Event::Timer(key) => timers.get(*key).is_some(),
            _ => true,
        });
    }
}

/// A sleeper. Dropped, it leaves nothing behind.
pub(crate) struct Sleep {
    core: Rc<Core>,
    deadline: Deadline,
    timer: Cell<Option<Key>>,
}

impl Sleep {
    pub(crate) fn new(core: Rc<Core>, deadline: Deadline) -> Sleep {
        Sleep { core, deadline, timer: Cell::new(None) }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let sleep = &*self;
        sleep.core.change(|state| {
            if state.is_over(sleep.deadline) {
                return Poll::Ready(());
            }
            match sleep.timer.get().and_then(|key| state.timers.get_mut(key)) {
                Some(timer) => timer.waker.clone_from(context.waker()),
                None => {
                    let waker = context.waker().clone();
                    let key = state.timers.insert(Timer { deadline: sleep.deadline, waker });
                    sleep.timer.set(Some(key));
                    state.arm(key);
                }
            }
            Poll::Pending
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer.get() {
            self.core.change(|state| state.drop_timer(key));
        }
    }
}

/// The clock of one host: `CLOCK_BOOTTIME` of its machine.
#[derive(Clone)]
pub struct SimClock {
    pub(crate) core: Rc<Core>,
    pub(crate) host: HostIndex,
}

impl Clock for SimClock {
    fn now(&self) -> Instant {
        self.core.read(|state| state.host(self.host).clock.at(state.now))
    }

    fn sleep_until(&self, deadline: Instant) -> LocalFuture<'static, ()> {
        Box::pin(Sleep::new(Rc::clone(&self.core), Deadline::Local(self.host, deadline)))
    }

    fn wall(&self) -> WallTime {
        self.core.read(|state| {
            let since_start = state.now.nanoseconds() / 1_000_000;
            WallTime { milliseconds: WALL_START_MS + state.host(self.host).wall_offset_ms + since_start }
        })
    }
}
