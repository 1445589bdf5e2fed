//! The world: what it is made of, and how long it is run.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use oarlock_block::{BlockCount, BlockSize, ByteCount, DeviceIdentity, Geometry};

use crate::executor::{Inbox, Step};
use crate::slab::Key;
use crate::state::{Core, State};
use crate::{Choices, CutOffRules, FaultKind, FaultPlan, Handle, TRACE_ENTRIES, TrueTime};

/// Steps that a world takes at one instant before it is called a livelock.
pub const STEPS_PER_INSTANT_MAX: u64 = 1_000_000;

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// For what is drawn apart from the choices: nonces, drifts, uptimes, pids.
    pub seed: u64,
    /// The device's shape.
    pub geometry: Geometry,
    /// The device's name.
    pub identity: DeviceIdentity,
    /// The faults.
    pub faults: FaultPlan,
    /// What cuts hosts off.
    pub cut_off: CutOffRules,
    /// How the next step is chosen.
    pub scheduling: Scheduling,
    /// Lines of the trace that are kept: [`TRACE_ENTRIES`] or fewer; 0 for speed. The fingerprint covers all lines anyway.
    pub trace_entries: usize,
}

impl WorldOptions {
    /// A calm world: 8 GiB in blocks of 512 bytes, slot locks, no faults, random order.
    ///
    /// # Panics
    /// Never: the identity is a constant of printable ASCII.
    #[must_use]
    pub fn calm(seed: u64) -> WorldOptions {
        let Some(identity) = DeviceIdentity::new("sim:disk0") else {
            unreachable!("a constant of printable ASCII is an identity")
        };
        WorldOptions {
            seed,
            geometry: Geometry {
                block_size: BlockSize::B512,
                physical_block: ByteCount(512),
                blocks: BlockCount(16 << 20),
            },
            identity,
            faults: FaultPlan::calm(),
            cut_off: CutOffRules::FILE,
            scheduling: Scheduling::Timed,
            trace_entries: TRACE_ENTRIES,
        }
    }

    /// The same with these faults.
    #[must_use]
    pub fn with_faults(mut self, faults: FaultPlan) -> WorldOptions {
        self.faults = faults;
        self
    }
}

/// How the next step is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// Ready tasks first, in an order that is chosen; then the earliest event. Reordering comes from latencies that are
    /// drawn. For seeded choices.
    Timed,
    /// Any ready task or any event within `window` of the earliest, as chosen: every order of commands, replies, timers
    /// and tasks that is possible if each may be late by the window. For scripted choices: the default is the order of
    /// time, ready tasks first.
    Interleaved {
        /// How far apart two events may be and still change places.
        window: Duration,
        /// Tasks and events among which one step chooses, at most.
        alternatives_max: usize,
    },
}

/// What a world counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Commands submitted.
    pub commands: u64,
    /// Executions at the disk; a repeated command has two, a lost one none.
    pub executions: u64,
    /// Replies that arrived.
    pub replies: u64,
    /// Tasks polled.
    pub polls: u64,
    /// Events that came up.
    pub events: u64,
    /// Faults that happened, by [`FaultKind::index`].
    pub faults: [u64; FaultKind::COUNT],
}

impl Statistics {
    /// The faults of one kind that happened.
    #[must_use]
    pub fn faults_of(&self, kind: FaultKind) -> u64 {
        self.faults[kind.index()]
    }
}

/// What a checker found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When it said so.
    pub at: TrueTime,
    /// What it said.
    pub what: String,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The time was reached.
    Limit,
    /// What was waited for is so.
    Satisfied,
    /// Nothing will ever happen any more: every task ended, or waits for what cannot come.
    Idle,
    /// A checker [reported a violation](crate::Handle::report_violation).
    Violated,
    /// [`STEPS_PER_INSTANT_MAX`] steps were taken and no time passed.
    Livelock,
}

/// A world, and the right to run it. Everything else is done through its [`Handle`], which a world is too. Dropped, it
/// drops all tasks and observers, so that handles in them do not keep it alive.
pub struct World {
    handle: Handle,
    /// Keys of woken tasks, kept for its room.
    woken: RefCell<Vec<Key>>,
}

impl World {
    /// A world without hosts, whose chance comes from `choices`.
    #[must_use]
    pub fn new(options: WorldOptions, choices: Choices) -> World {
        let core = Rc::new(Core {
            state: RefCell::new(State::new(options, choices)),
            observers: RefCell::new(Vec::new()),
            inbox: Arc::new(Inbox::default()),
        });
        World { handle: Handle { core }, woken: RefCell::new(Vec::new()) }
    }

    /// A world whose chance is drawn from the seed of its options.
    #[must_use]
    pub fn seeded(options: WorldOptions) -> World {
        let choices = Choices::seeded(options.seed);
        World::new(options, choices)
    }

    /// A handle for tasks and observers.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until the true time, which it is then.
    pub fn run_until(&self, limit: TrueTime) -> Ended {
        self.run_until_satisfied(limit, || false)
    }

    /// Runs for so long.
    pub fn run_for(&self, length: Duration) -> Ended {
        self.run_until(self.now().plus(length))
    }

    /// Runs until `satisfied` says so, asked after each step, and no longer than to `limit`.
    pub fn run_until_satisfied(&self, limit: TrueTime, mut satisfied: impl FnMut() -> bool) -> Ended {
        let core = &self.handle.core;
        let woken = &mut *self.woken.borrow_mut();
        let (mut instant, mut steps) = (self.now(), 0_u64);
        loop {
            if core.read(|state| state.violation.is_some()) {
                return Ended::Violated;
            }
            if satisfied() {
                return Ended::Satisfied;
            }
            match core.step(limit, woken) {
                Step::Done => {}
                Step::Idle => return Ended::Idle,
                Step::Limit => {
                    core.change(|state| state.now = state.now.max(limit));
                    return Ended::Limit;
                }
            }
            steps += 1;
            let now = self.now();
            if now != instant {
                (instant, steps) = (now, 0);
            } else if steps == STEPS_PER_INSTANT_MAX {
                return Ended::Livelock;
            }
        }
    }
}

impl std::ops::Deref for World {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let core = &self.handle.core;
        let observers = std::mem::take(&mut *core.observers.borrow_mut());
        let tasks = core.change(|state| {
            state.watched = false;
            for host in &mut state.hosts {
                host.condition = crate::host::Condition::Down;
            }
            state.events.clear();
            state.ready.clear();
            state.tasks.drain()
        });
        // Tasks and observers hold handles, and call back when they are dropped.
        drop(tasks);
        drop(observers);
    }
}
