//! Hosts: machines with a clock, and the lives of the process on each.

use std::fmt;
use std::task::Waker;
use std::time::Duration;

use oarlock_block::ProcessIdentity;

use crate::choices::{mix, scale};
use crate::events::Event;
use crate::observer::{Change, LifeChange, Notice};
use crate::path::Path;
use crate::slab::Key;
use crate::state::State;
use crate::{FaultKind, LocalClock, TrueTime};

/// Hosts in one world at most: as many as a datastore has slots, and some that observe.
pub const HOSTS_MAX: usize = 1_100;

/// Lives of one host in one run at most.
const LIVES_MAX: usize = 1 << 20;

/// Pids on a machine are taken from so few, so that they are used again: a pid alone proves nothing.
const PIDS: u64 = 3;

/// A machine in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostIndex(pub u16);

impl HostIndex {
    pub(crate) fn place(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for HostIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("host{}", self.0))
    }
}

/// The number of a process on its machine, from 0: each is another incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life(pub u32);

impl fmt::Display for Life {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// What a machine is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostSetup {
    /// The drift of its clock in parts per million, positive is fast; `None`: drawn from the seed within the plan's.
    pub drift_ppm: Option<i32>,
    /// Whether faults befall it. The workload's own tasks live on a host that is not mortal.
    pub mortal: bool,
}

impl HostSetup {
    /// A host of the datastore: mortal, its drift drawn.
    pub const MEMBER: HostSetup = HostSetup { drift_ppm: None, mortal: true };
    /// Where a workload's own tasks live: an exact clock, and no faults.
    pub const OVERSEER: HostSetup = HostSetup { drift_ppm: Some(0), mortal: false };
}

/// Why a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndCause {
    /// A fault of the plan.
    Crashed,
    /// Another host's cut-off killed it.
    Killed,
    /// The workload ended it.
    Stopped,
    /// Its machine lost its power.
    PowerLost,
}

impl EndCause {
    /// The words in traces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            EndCause::Crashed => "crashed",
            EndCause::Killed => "killed by another host's cut-off",
            EndCause::Stopped => "stopped by the workload",
            EndCause::PowerLost => "without power",
        }
    }
}

/// What a machine's process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// There is none.
    Down,
    Running,
    /// It is stopped, for the pause of this number.
    Paused(u64),
}

/// One life. It outlives itself: its writes may be in flight.
pub(crate) struct LifeState {
    pub(crate) process: ProcessIdentity,
    pub(crate) writes_in_flight: u32,
    pub(crate) ended: bool,
    pub(crate) end_waiters: Vec<Waker>,
    pub(crate) drain_waiters: Vec<Waker>,
}

pub(crate) struct Host {
    pub(crate) setup: HostSetup,
    pub(crate) clock: LocalClock,
    pub(crate) wall_offset_ms: u64,
    pub(crate) lives: Vec<LifeState>,
    pub(crate) condition: Condition,
    /// Its tasks.
    pub(crate) tasks: Vec<Key>,
    /// Tasks that were woken while it was stopped.
    pub(crate) held: Vec<Key>,
    /// Commands whose process was stopped just before it sent them.
    pub(crate) unsent: Vec<Key>,
    /// Timers that wait for the clock to go on.
    pub(crate) parked: Vec<Key>,
}

impl State {
    pub(crate) fn add_host(&mut self, setup: HostSetup) -> HostIndex {
        assert!(self.hosts.len() < HOSTS_MAX, "a world has {HOSTS_MAX} hosts at most");
        let host = HostIndex(u16::try_from(self.hosts.len()).unwrap_or(u16::MAX));
        let draw = |purpose, bound| scale(mix(self.seed, &[0x68, u64::from(host.0), purpose]), bound);
        // Half of the clocks are as wrong as they may be: what a bound allows is where it breaks.
        let bound = self.plan.drift_ppm_max;
        let drift = u32::try_from(draw(0, u64::from(bound) + 1)).unwrap_or(0);
        let drift = i32::try_from(if draw(1, 2) == 0 { bound } else { drift }).unwrap_or(0);
        let drift_ppm = setup.drift_ppm.unwrap_or(if draw(2, 2) == 0 { drift } else { -drift });
        let uptime = Duration::from_millis(1_000 + draw(3, 1_000_000_000));
        self.hosts.push(Host {
            setup,
            clock: LocalClock::new(uptime, drift_ppm),
            wall_offset_ms: draw(4, 7_200_000),
            lives: Vec::new(),
            condition: Condition::Down,
            tasks: Vec::new(),
            held: Vec::new(),
            unsent: Vec::new(),
            parked: Vec::new(),
        });
        self.paths.push(Path::CLEAR);
        if setup.mortal {
            for kind in [FaultKind::Crash, FaultKind::Pause, FaultKind::FrozenMachine, FaultKind::PathStall] {
                self.schedule_fault(kind, Some(host));
            }
        }
        host
    }

    pub(crate) fn host(&self, host: HostIndex) -> &Host {
        &self.hosts[host.place()]
    }

    pub(crate) fn host_mut(&mut self, host: HostIndex) -> &mut Host {
        &mut self.hosts[host.place()]
    }

    pub(crate) fn life(&self, host: HostIndex, life: Life) -> &LifeState {
        &self.host(host).lives[life.0 as usize]
    }

    pub(crate) fn life_mut(&mut self, host: HostIndex, life: Life) -> &mut LifeState {
        &mut self.host_mut(host).lives[life.0 as usize]
    }

    /// The life that runs or is stopped there.
    pub(crate) fn present_life(&self, host: HostIndex) -> Option<Life> {
        let state = self.host(host);
        if state.condition == Condition::Down {
            return None;
        }
        let count = u32::try_from(state.lives.len()).unwrap_or(u32::MAX);
        Some(Life(count - 1))
    }

    pub(crate) fn is_present(&self, host: HostIndex, life: Life) -> bool {
        self.present_life(host) == Some(life)
    }

    pub(crate) fn begin_life(&mut self, host: HostIndex) -> Life {
        assert!(self.present_life(host).is_none(), "{host} has a process already");
        let now = self.now;
        let (seed, lives) = (self.seed, self.host(host).lives.len());
        assert!(lives < LIVES_MAX, "{host} was restarted more than {LIVES_MAX} times");
        let life = Life(u32::try_from(lives).unwrap_or(u32::MAX));
        let draw = |purpose| mix(seed, &[0x70, u64::from(host.0), purpose]);
        let pid = 1_000 + 8 * u64::from(host.0) + mix(draw(2), &[u64::from(life.0)]) % PIDS;
        let since_boot = self.host(host).clock.at(now).since_zero();
        let process = ProcessIdentity {
            boot_id: u128::from(mix(seed, &[0x71, self.boots])) << 64
                | u128::from(mix(seed, &[0x72, self.boots])),
            pid_namespace: 0xefff_fffc,
            pid: u32::try_from(pid).unwrap_or(u32::MAX),
            // Ticks are 10 ms; a life's number keeps two lives of one tick apart, as the kernel's process table would.
            start_ticks: u64::try_from(since_boot.as_millis() / 10).unwrap_or(u64::MAX) + u64::from(life.0),
        };
        let state = self.host_mut(host);
        state.lives.push(LifeState {
            process,
            writes_in_flight: 0,
            ended: false,
            end_waiters: Vec::new(),
            drain_waiters: Vec::new(),
        });
        state.condition = Condition::Running;
        self.record_life(host, life, Change::Began);
        life
    }

    /// Ends the life that is there. Its tasks are dropped when the world is at rest; its commands in flight stay out.
    pub(crate) fn end_life(&mut self, host: HostIndex, cause: EndCause) {
        let Some(life) = self.present_life(host) else { return };
        let now = self.now;
        let state = self.host_mut(host);
        state.condition = Condition::Down;
        state.held.clear();
        let tasks = std::mem::take(&mut state.tasks);
        let unsent = std::mem::take(&mut state.unsent);
        self.thaw(host, now);
        self.doomed.extend(tasks);
        for command in unsent {
            self.forget_unsent(command);
        }
        let state = self.life_mut(host, life);
        state.ended = true;
        let mut wakers = std::mem::take(&mut state.end_waiters);
        if state.writes_in_flight == 0 {
            wakers.append(&mut state.drain_waiters);
        }
        self.wakes.append(&mut wakers);
        self.record_life(host, life, Change::Ended(cause));
    }

    /// Stops the process of a host: for so long, or until it is told to go on.
    pub(crate) fn pause(&mut self, host: HostIndex, length: Option<Duration>, frozen: bool) {
        if self.host(host).condition != Condition::Running {
            return;
        }
        let now = self.now;
        self.pauses += 1;
        let pause = self.pauses;
        let Some(life) = self.present_life(host) else { return };
        let state = self.host_mut(host);
        state.condition = Condition::Paused(pause);
        if frozen {
            state.clock.freeze(now);
        }
        if let Some(length) = length {
            let until = self.until(length);
            self.events.push(until, Event::Resume { host, pause });
        }
        self.record_life(host, life, Change::Paused { frozen });
    }

    /// Lets a stopped host go on; with a number, only from the pause of that number.
    pub(crate) fn resume(&mut self, host: HostIndex, pause: Option<u64>) {
        let Condition::Paused(present) = self.host(host).condition else { return };
        if pause.is_some_and(|pause| pause != present) {
            return;
        }
        let now = self.now;
        let state = self.host_mut(host);
        state.condition = Condition::Running;
        let held = std::mem::take(&mut state.held);
        let unsent = std::mem::take(&mut state.unsent);
        self.thaw(host, now);
        for command in unsent {
            self.send(command);
        }
        for task in held {
            self.ready.push_back(task);
        }
        if let Some(life) = self.present_life(host) {
            self.record_life(host, life, Change::Resumed);
        }
    }

    fn thaw(&mut self, host: HostIndex, now: TrueTime) {
        let state = self.host_mut(host);
        if state.clock.is_frozen() {
            state.clock.thaw(now);
        }
        for timer in std::mem::take(&mut state.parked) {
            self.arm(timer);
        }
    }

    fn record_life(&mut self, host: HostIndex, life: Life, change: Change) {
        let process = self.life(host, life).process;
        self.record(Notice::Life(LifeChange { at: self.now, host, life, process, change }));
    }
}
