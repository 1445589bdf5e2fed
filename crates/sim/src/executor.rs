//! The executor: one thread, one step at a time, and the next step is whatever the choices say.

use std::future::Future;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use oarlock_block::LocalFuture;

use crate::events::{Entry, Event};
use crate::host::Condition;
use crate::slab::Key;
use crate::state::{Core, State};
use crate::{ChoiceKind, FaultKind, HostIndex, Life, Scheduling, TrueTime};

/// A task's future: it ends without a result; a workload shares cells with it.
pub(crate) type TaskFuture = LocalFuture<'static, ()>;

/// Keys of tasks that were woken, in the order of waking. Wakers must be `Send`, so this is locked; nobody contends.
#[derive(Default)]
pub(crate) struct Inbox {
    woken: Mutex<Vec<Key>>,
}

impl Inbox {
    fn push(&self, key: Key) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(key);
    }

    /// Moves what was woken into `keys`, which is empty.
    fn take(&self, keys: &mut Vec<Key>) {
        std::mem::swap(keys, &mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What a task's waker holds: waking twice before a poll is waking once.
pub(crate) struct Wakeup {
    key: Key,
    queued: AtomicBool,
    inbox: Arc<Inbox>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.inbox.push(self.key);
        }
    }
}

pub(crate) struct Task {
    host: HostIndex,
    life: Life,
    /// Away while it is polled.
    future: Option<TaskFuture>,
    wakeup: Arc<Wakeup>,
    waker: Waker,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something.
    Done,
    /// Nothing will ever happen any more.
    Idle,
    /// Nothing more will happen until the limit.
    Limit,
}

impl State {
    /// A new task of a life; where the life has ended, its future comes back to be dropped.
    pub(crate) fn spawn(
        &mut self,
        host: HostIndex,
        life: Life,
        future: TaskFuture,
        inbox: &Arc<Inbox>,
    ) -> Option<TaskFuture> {
        if !self.is_present(host, life) {
            return Some(future);
        }
        let key = self.tasks.insert_with(|key| {
            let wakeup = Arc::new(Wakeup { key, queued: AtomicBool::new(true), inbox: Arc::clone(inbox) });
            let waker = Waker::from(Arc::clone(&wakeup));
            Task { host, life, future: Some(future), wakeup, waker }
        });
        self.host_mut(host).tasks.push(key);
        self.ready.push_back(key);
        None
    }

    /// A task was woken: it is ready, or slow, or its process is stopped.
    fn wake_task(&mut self, key: Key) {
        let Some(host) = self.tasks.get(key).map(|task| task.host) else { return };
        if self.host(host).condition == Condition::Running && self.strikes_waking(host) {
            let at = self.until(self.length_of(FaultKind::SlowWake));
            self.events.push(at, Event::Ready(key));
        } else {
            self.ready.push_back(key);
        }
    }

    /// Takes a task's future out to be polled; `None` where it is gone, or its process is stopped.
    fn begin_poll(&mut self, key: Key) -> Option<(TaskFuture, Waker)> {
        let host = self.tasks.get(key)?.host;
        if let Condition::Paused(_) = self.host(host).condition {
            self.host_mut(host).held.push(key);
            return None;
        }
        let task = self.tasks.get_mut(key)?;
        task.wakeup.queued.store(false, Ordering::Relaxed);
        let future = task.future.take()?;
        self.statistics.polls += 1;
        Some((future, task.waker.clone()))
    }

    /// Puts a pending future back; where its life ended while it was polled, it comes back to be dropped.
    fn end_poll(&mut self, key: Key, future: TaskFuture) -> Option<TaskFuture> {
        let Some(task) = self.tasks.get_mut(key) else { return Some(future) };
        let (host, life) = (task.host, task.life);
        if !self.is_present(host, life) {
            return Some(future);
        }
        if let Some(task) = self.tasks.get_mut(key) {
            task.future = Some(future);
        }
        None
    }

    fn end_task(&mut self, key: Key) {
        let Some(task) = self.tasks.remove(key) else { return };
        let tasks = &mut self.host_mut(task.host).tasks;
        if let Some(place) = tasks.iter().position(|known| *known == key) {
            tasks.swap_remove(place);
        }
    }

    /// Chooses which ready task is polled next.
    fn choose_ready(&mut self) -> Option<Key> {
        let chosen = self.choices.choose(ChoiceKind::Schedule, self.ready.len());
        // Drawn at random, the order of the rest means nothing; scripted, the default is first in, first out.
        if self.choices.is_seeded() {
            self.ready.swap_remove_front(chosen)
        } else {
            self.ready.remove(chosen)
        }
    }

    /// Comes to an event: time goes on to it, if it is not late.
    fn come_to(&mut self, entry: Entry) {
        self.now = self.now.max(entry.at);
        match entry.event {
            Event::Timer(key) => self.fire(key),
            Event::Ready(key) => self.ready.push_back(key),
            Event::Execute { command, repeated } => self.execute_event(command, repeated),
            Event::Reply(key) => self.reply_event(key),
            Event::Resume { host, pause } => self.resume(host, Some(pause)),
            Event::Fault { kind, host } => self.fault_event(kind, host),
            Event::Remember => self.remember_event(),
        }
        self.statistics.events += 1;
    }

    /// Timed: ready tasks first, in any order; then the earliest event.
    fn next_timed(&mut self, limit: TrueTime) -> Result<Next, Step> {
        if let Some(key) = self.choose_ready() {
            return Ok(Next::Poll(key));
        }
        match self.events.next_time() {
            None => Err(Step::Idle),
            Some(at) if at > limit => Err(Step::Limit),
            Some(_) => Ok(self.events.pop().map_or(Next::Nothing, Next::Event)),
        }
    }

    /// Interleaved: any ready task, or any event within the window of the earliest; an event that is passed over is
    /// late, which every command may be, and every timer.
    fn next_interleaved(
        &mut self,
        limit: TrueTime,
        window: Duration,
        alternatives_max: usize,
    ) -> Result<Next, Step> {
        let mut candidates: Vec<Entry> = Vec::new();
        let ready = self.ready.len().min(alternatives_max);
        while ready + candidates.len() < alternatives_max {
            let Some(entry) = self.events.pop() else { break };
            if let Event::Timer(key) = entry.event
                && self.timers.get(key).is_none()
            {
                self.events.exhume();
                continue;
            }
            let first = candidates.first().map_or(entry.at, |first| first.at);
            let from = if ready > 0 { self.now } else { first.max(self.now) };
            if entry.at > from.plus(window).min(limit) {
                self.events.put_back(entry);
                break;
            }
            candidates.push(entry);
        }
        let alternatives = ready + candidates.len();
        if alternatives == 0 {
            return Err(if self.events.next_time().is_none() { Step::Idle } else { Step::Limit });
        }
        let chosen = self.choices.choose(ChoiceKind::Schedule, alternatives);
        let mut next = Next::Nothing;
        for (place, entry) in candidates.into_iter().enumerate() {
            if ready + place == chosen {
                next = Next::Event(entry);
            } else {
                self.events.put_back(entry);
            }
        }
        if chosen < ready {
            next = self.ready.remove(chosen).map_or(Next::Nothing, Next::Poll);
        }
        Ok(next)
    }
}

enum Next {
    Poll(Key),
    Event(Entry),
    /// What was chosen is gone.
    Nothing,
}

impl Core {
    /// One step of the world.
    pub(crate) fn step(self: &Rc<Core>, limit: TrueTime, woken: &mut Vec<Key>) -> Step {
        self.bury_doomed();
        self.inbox.take(woken);
        if !woken.is_empty() {
            self.change(|state| woken.drain(..).for_each(|key| state.wake_task(key)));
        }
        let poll = self.change(|state| {
            let next = match state.options.scheduling {
                Scheduling::Timed => state.next_timed(limit),
                Scheduling::Interleaved { window, alternatives_max } => {
                    state.next_interleaved(limit, window, alternatives_max)
                }
            };
            match next? {
                Next::Poll(key) => return Ok(Some(key)),
                Next::Event(entry) => state.come_to(entry),
                Next::Nothing => {}
            }
            Ok(None)
        });
        match poll {
            Ok(Some(key)) => self.poll(key),
            Ok(None) => {}
            Err(step) => return step,
        }
        Step::Done
    }

    fn poll(&self, key: Key) {
        let Some((mut future, waker)) = self.change(|state| state.begin_poll(key)) else { return };
        match Future::poll(future.as_mut(), &mut Context::from_waker(&waker)) {
            Poll::Ready(()) => {
                // Futures are dropped while nobody borrows the state: what they hold may call back.
                drop(future);
                self.change(|state| state.end_task(key));
            }
            Poll::Pending => drop(self.change(|state| state.end_poll(key, future))),
        }
    }

    /// Drops the tasks of lives that ended.
    fn bury_doomed(&self) {
        while let Some(key) = self.change(|state| state.doomed.pop()) {
            drop(self.change(|state| state.tasks.remove(key)));
        }
    }
}
