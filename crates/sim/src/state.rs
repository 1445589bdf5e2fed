//! The state of a world, and the one way into it: a change is made, and what it has to tell is told after it.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use oarlock_block::{SlotIndex, crc32c};

use crate::command::Command;
use crate::disk::Disk;
use crate::events::{Event, EventQueue};
use crate::executor::{Inbox, Task};
use crate::host::Host;
use crate::observer::Notice;
use crate::path::Path;
use crate::slab::{Key, Slab};
use crate::timer::Timer;
use crate::trace::Trace;
use crate::{
    Change, Choices, Effect, FaultKind, FaultPlan, HostIndex, Life, Observer, Outcome, Statistics, TrueTime,
    Violation, WorldOptions,
};

/// Everything that a world consists of but its observers. Nothing in here calls out: wakers, observers and futures
/// that are to be dropped wait in `wakes`, `outbox` and `doomed` until nobody borrows the state.
pub(crate) struct State {
    pub(crate) seed: u64,
    pub(crate) options: WorldOptions,
    pub(crate) plan: FaultPlan,
    pub(crate) now: TrueTime,
    pub(crate) choices: Choices,
    pub(crate) events: EventQueue,
    pub(crate) hosts: Vec<Host>,
    pub(crate) tasks: Slab<Task>,
    pub(crate) ready: VecDeque<Key>,
    pub(crate) doomed: Vec<Key>,
    pub(crate) timers: Slab<Timer>,
    pub(crate) commands: Slab<Command>,
    pub(crate) disk: Disk,
    pub(crate) slot_locks: BTreeMap<SlotIndex, (HostIndex, Life)>,
    /// How often each slot was entered.
    pub(crate) slot_entries: BTreeMap<SlotIndex, u64>,
    pub(crate) paths: Vec<Path>,
    pub(crate) fabric_stalled_until: TrueTime,
    pub(crate) device_stalled_until: TrueTime,
    pub(crate) device_full_until: TrueTime,
    pub(crate) pauses: u64,
    /// How often the machine that all hosts share lost its power.
    pub(crate) boots: u64,
    pub(crate) random_streams: u64,
    pub(crate) statistics: Statistics,
    pub(crate) trace: Trace,
    pub(crate) violation: Option<Violation>,
    pub(crate) watched: bool,
    pub(crate) outbox: Vec<Notice>,
    pub(crate) wakes: Vec<Waker>,
}

impl State {
    pub(crate) fn new(options: WorldOptions, choices: Choices) -> State {
        let plan = options.faults.clone();
        let mut state = State {
            seed: options.seed,
            now: TrueTime::START,
            choices,
            events: EventQueue::new(),
            hosts: Vec::new(),
            tasks: Slab::new(),
            ready: VecDeque::new(),
            doomed: Vec::new(),
            timers: Slab::new(),
            commands: Slab::new(),
            disk: Disk::new(options.geometry, &plan),
            slot_locks: BTreeMap::new(),
            slot_entries: BTreeMap::new(),
            paths: Vec::new(),
            fabric_stalled_until: TrueTime::START,
            device_stalled_until: TrueTime::START,
            device_full_until: TrueTime::START,
            pauses: 0,
            boots: 0,
            random_streams: 0,
            statistics: Statistics::default(),
            trace: Trace::new(options.trace_entries),
            violation: None,
            watched: false,
            outbox: Vec::new(),
            wakes: Vec::new(),
            options,
            plan,
        };
        for kind in FaultKind::ALL {
            if !kind.is_of_hosts() {
                state.schedule_fault(*kind, None);
            }
        }
        if state.plan.kinds().any(|kind| kind == FaultKind::Rollback) {
            state.events.push(TrueTime::START, Event::Remember);
        }
        state
    }

    /// Puts what happened into the fingerprint, the trace, and the observers' box.
    pub(crate) fn record(&mut self, notice: Notice) {
        let (tag, detail) = digest(&notice);
        self.trace.fold(self.now.nanoseconds());
        self.trace.fold(tag);
        self.trace.fold(detail);
        if self.watched {
            self.outbox.push(notice.clone());
        }
        if self.trace.keeps() {
            self.trace.keep(self.now, notice);
        }
    }
}

/// Two numbers that differ where two events do.
fn digest(notice: &Notice) -> (u64, u64) {
    match notice {
        Notice::Submission(submission) => {
            (1, submission.command.number.0 << 16 | u64::from(submission.command.host.0))
        }
        Notice::Execution(execution) => {
            let writes = matches!(execution.effect, Effect::Swapped | Effect::Written | Effect::Read);
            let image = execution.after.as_ref().filter(|_| writes);
            let content = image.map_or(0, |image| crc32c(&[image]));
            (2 + ((execution.effect as u64) << 8), execution.command.number.0 << 32 ^ u64::from(content))
        }
        Notice::Reply(reply) => {
            let outcome = match &reply.outcome {
                Outcome::Data(_) => 0,
                Outcome::Done => 1,
                Outcome::Attempted(attempted) if attempted.outcome.is_ok() => 2,
                Outcome::Attempted(_) => 3,
                Outcome::Failed(_) => 4,
            };
            (3 + (outcome << 8), reply.command.number.0 << 1 | u64::from(reply.abandoned))
        }
        Notice::Life(change) => {
            let turn = match change.change {
                Change::Began => 0,
                Change::Ended(cause) => 1 + (cause as u64),
                Change::Paused { frozen } => 8 + u64::from(frozen),
                Change::Resumed => 10,
            };
            (4 + (turn << 8), u64::from(change.host.0) << 32 | u64::from(change.life.0))
        }
        Notice::Fault(fault) => (5 + ((fault.kind as u64) << 8), fault.lba.map_or(0, |lba| lba.0)),
    }
}

/// A world's inside: the state, and who watches it.
pub(crate) struct Core {
    pub(crate) state: RefCell<State>,
    pub(crate) observers: RefCell<Vec<Rc<dyn Observer>>>,
    pub(crate) inbox: Arc<Inbox>,
}

impl Core {
    /// Changes the state, and then, when nobody borrows it any more, wakes and tells whom the change concerns. What is
    /// told may lead to further changes.
    pub(crate) fn change<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let (result, wakes, outbox) = {
            let state = &mut *self.state.borrow_mut();
            let result = act(state);
            if state.wakes.is_empty() && state.outbox.is_empty() {
                return result;
            }
            (result, std::mem::take(&mut state.wakes), std::mem::take(&mut state.outbox))
        };
        for waker in wakes {
            waker.wake();
        }
        for notice in outbox {
            self.tell(&notice);
        }
        result
    }

    /// Reads the state.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.state.borrow())
    }

    fn tell(&self, notice: &Notice) {
        let count = self.observers.borrow().len();
        for place in 0..count {
            let observer = self.observers.borrow().get(place).map(Rc::clone);
            if let Some(observer) = observer {
                notice.tell(&*observer);
            }
        }
    }
}
