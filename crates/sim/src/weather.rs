//! Weather: the plan's faults as they come over the world, each counted, and none after the plan's end.

use std::time::Duration;

use crate::command::Verb;
use crate::events::Event;
use crate::faults::Length;
use crate::host::{Condition, EndCause};
use crate::observer::{CommandIdentity, FaultEvent, Notice};
use crate::slab::Key;
use crate::state::State;
use crate::{ChoiceKind, FaultKind, HostIndex, Latency, PerMillion, TrueTime};

/// How many points in time a rollback's reach is divided into.
const ROLLBACK_STEPS: u32 = 8;

impl FaultKind {
    /// Whether it comes over each host by itself, and not over the world.
    pub(crate) const fn is_of_hosts(self) -> bool {
        matches!(self, FaultKind::Crash | FaultKind::Pause | FaultKind::FrozenMachine | FaultKind::PathStall)
    }
}

impl State {
    /// Whether a fault of this kind befalls this command: then it is counted and in the trace. None befalls the commands
    /// of hosts that are not mortal.
    pub(crate) fn strikes(&mut self, kind: FaultKind, command: CommandIdentity) -> bool {
        self.strikes_by(kind, command, self.plan.fault(kind).per_million)
    }

    /// As [`strikes`](Self::strikes), of a command that is about to be sent: some steps have chances of their own.
    pub(crate) fn strikes_sent(&mut self, kind: FaultKind, command: CommandIdentity, key: Key) -> bool {
        self.strikes_by(kind, command, self.chance_of(kind, Some(key)))
    }

    fn strikes_by(&mut self, kind: FaultKind, command: CommandIdentity, chance: PerMillion) -> bool {
        let struck = self.draws(kind, command.host, chance);
        if struck {
            self.count_fault(kind, Some(command.host), Some(command));
        }
        struck
    }

    /// Whether a task of this host that was woken now is slow to wake.
    pub(crate) fn strikes_waking(&mut self, host: HostIndex) -> bool {
        let kind = FaultKind::SlowWake;
        let struck = self.draws(kind, host, self.plan.fault(kind).per_million);
        if struck {
            self.count_fault(kind, Some(host), None);
        }
        struck
    }

    fn draws(&self, kind: FaultKind, host: HostIndex, probability: PerMillion) -> bool {
        probability != PerMillion::NEVER
            && self.may_come(kind)
            && self.host(host).setup.mortal
            && self.choices.happens(ChoiceKind::Fault(kind), probability)
    }

    /// At each submission, execution and reply: the process of the host may end, or stop.
    pub(crate) fn strike_host(&mut self, host: HostIndex, command: Option<Key>) {
        if self.host(host).condition != Condition::Running {
            return;
        }
        let identity = command.and_then(|key| self.commands.get(key)).map(|command| command.identity);
        for kind in [FaultKind::Crash, FaultKind::Pause, FaultKind::FrozenMachine] {
            if self.draws(kind, host, self.chance_of(kind, command)) {
                self.count_fault(kind, Some(host), identity);
                self.befall(kind, host);
                return;
            }
        }
    }

    /// The chance that this kind of fault befalls a host at the submission of `command`, or at something else.
    fn chance_of(&self, kind: FaultKind, command: Option<Key>) -> PerMillion {
        let submitted = command.and_then(|key| self.commands.get(key));
        let at_step = self.plan.steps.zip(submitted).and_then(|(steps, command)| steps.chance(kind, command));
        at_step.unwrap_or(self.plan.fault(kind).per_million)
    }

    fn may_come(&self, kind: FaultKind) -> bool {
        let count = self.statistics.faults[kind.index()];
        self.now < self.plan.stop_at && count < u64::from(self.plan.fault(kind).times_max)
    }

    fn count_fault(&mut self, kind: FaultKind, host: Option<HostIndex>, command: Option<CommandIdentity>) {
        self.statistics.faults[kind.index()] += 1;
        let located = command.filter(|command| command.verb != Verb::Flush);
        self.record(Notice::Fault(FaultEvent {
            at: self.now,
            kind,
            host,
            command: command.map(|command| command.number),
            lba: located.map(|command| command.lba),
        }));
    }

    fn befall(&mut self, kind: FaultKind, host: HostIndex) {
        let length = self.length_of(kind);
        match kind {
            FaultKind::Crash => self.end_life(host, EndCause::Crashed),
            FaultKind::Pause => self.pause(host, Some(length), false),
            FaultKind::FrozenMachine => self.pause(host, Some(length), true),
            FaultKind::PathStall => {
                let first = self.until(self.choices.duration(self.plan.replies_first)).since(self.now);
                let (now, until) = (self.now, self.until(length));
                self.paths[host.place()].stall_replies_first(now, first, until);
            }
            _ => {}
        }
    }

    /// Gives the next fault of a kind that comes by itself its time.
    pub(crate) fn schedule_fault(&mut self, kind: FaultKind, host: Option<HostIndex>) {
        let Some(gap) = self.plan.fault(kind).gap else { return };
        // A gap of nothing would be a storm without an end.
        let gap = self.choices.duration(gap).max(Duration::from_micros(1));
        let at = self.now.plus(gap);
        if at < self.plan.stop_at {
            self.events.push(at, Event::Fault { kind, host });
        }
    }

    /// A fault that comes by itself has come.
    pub(crate) fn fault_event(&mut self, kind: FaultKind, host: Option<HostIndex>) {
        if !self.may_come(kind) {
            return;
        }
        self.schedule_fault(kind, host);
        if let Some(host) = host {
            let running = self.host(host).condition == Condition::Running;
            if running || kind == FaultKind::PathStall {
                self.count_fault(kind, Some(host), None);
                self.befall(kind, host);
            }
            return;
        }
        let length = self.length_of(kind);
        let happened = match kind {
            FaultKind::FabricStall => {
                self.stall_fabric(length);
                true
            }
            FaultKind::DeviceStall => {
                self.device_stalled_until = self.device_stalled_until.max(self.until(length));
                true
            }
            FaultKind::NoSpace => {
                self.device_full_until = self.device_full_until.max(self.until(length));
                true
            }
            FaultKind::Rollback => self.disk.roll_back(self.now, length),
            FaultKind::PowerLoss => {
                self.lose_power();
                true
            }
            FaultKind::BitRot => return self.rot(),
            _ => false,
        };
        if happened {
            self.count_fault(kind, None, None);
        }
    }

    /// The power fails, where it may.
    pub(crate) fn power_event(&mut self) {
        if self.may_come(FaultKind::PowerLoss) {
            self.lose_power();
            self.count_fault(FaultKind::PowerLoss, None, None);
        }
    }

    /// The device loses its power, and what it had not written home in part; where it is their machine's, the hosts lose
    /// theirs.
    fn lose_power(&mut self) {
        if self.plan.power_takes_hosts {
            self.boots += 1;
            for place in 0..self.hosts.len() {
                if self.hosts[place].setup.mortal {
                    let host = HostIndex(u16::try_from(place).unwrap_or(u16::MAX));
                    self.end_life(host, EndCause::PowerLost);
                    self.lose_commands(host);
                }
            }
        }
        self.disk.lose_power(&self.choices);
    }

    /// Nothing of this host is on its way any more.
    fn lose_commands(&mut self, host: HostIndex) {
        for command in self.commands.values_mut().filter(|command| command.identity.host == host) {
            command.lost = true;
        }
        let mut wakers = Vec::new();
        for life in &mut self.host_mut(host).lives {
            life.writes_in_flight = 0;
            wakers.append(&mut life.drain_waiters);
        }
        self.wakes.append(&mut wakers);
    }

    /// Nothing passes for anybody; each path comes back when its host notices that the fabric has.
    fn stall_fabric(&mut self, length: Duration) {
        let until = self.until(length);
        self.fabric_stalled_until = self.fabric_stalled_until.max(until);
        if self.plan.ragged.to == Duration::ZERO {
            return;
        }
        for place in 0..self.paths.len() {
            let back = self.until(length + self.choices.duration(self.plan.ragged));
            self.paths[place].stall(self.now, self.now, back);
        }
    }

    fn rot(&mut self) {
        let kind = FaultKind::BitRot;
        let chosen = self.choices.choose(ChoiceKind::Fault(kind), self.plan.rot_ranges.len());
        let Some(range) = self.plan.rot_ranges.get(chosen).copied() else { return };
        if let Some(lba) = self.disk.rot(range, &self.choices) {
            self.statistics.faults[kind.index()] += 1;
            let event = FaultEvent { at: self.now, kind, host: None, command: None, lba: Some(lba) };
            self.record(Notice::Fault(event));
        }
    }

    /// The disk remembers its content, and will again while a rollback may come.
    pub(crate) fn remember_event(&mut self) {
        if !self.may_come(FaultKind::Rollback) {
            return;
        }
        self.disk.remember(self.now);
        let reach = match &self.plan.fault(FaultKind::Rollback).length {
            Length::Drawn(span) => span.to,
            Length::OneOf(lengths) => lengths.iter().max().copied().unwrap_or_default(),
        };
        let step = (reach / ROLLBACK_STEPS).max(Duration::from_millis(1));
        self.events.push(self.now.plus(step), Event::Remember);
    }

    /// How long a fault of this kind lasts this time.
    pub(crate) fn length_of(&self, kind: FaultKind) -> Duration {
        match &self.plan.fault(kind).length {
            Length::Drawn(span) => self.choices.duration(*span),
            Length::OneOf(lengths) => {
                let chosen = self.choices.choose(ChoiceKind::Fault(kind), lengths.len());
                lengths.get(chosen).copied().unwrap_or_default()
            }
        }
    }

    /// So long from now, but not beyond the end of faults.
    pub(crate) fn until(&self, length: Duration) -> TrueTime {
        self.now.plus(length).min(self.plan.stop_at.max(self.now))
    }

    /// The time that one leg of a command's way takes.
    pub(crate) fn latency(&self, latency: Latency) -> Duration {
        let rare = latency.tail_per_million.0 + latency.slow_per_million.0;
        if rare > 0 {
            let drawn = self.choices.below(1_000_000);
            // A script draws 0, and means the usual.
            if drawn > 0 && drawn <= u64::from(latency.tail_per_million.0) {
                return self.choices.duration(latency.tail);
            }
            if drawn > 0 && drawn <= u64::from(rare) {
                return self.choices.duration(latency.slow);
            }
        }
        self.choices.duration(latency.usual)
    }
}
