//! A command's life: submitted by a host, sent, executed at the disk once, twice or never, answered or not.
//!
//! ```text
//!  submitted --> unsent (its process was stopped just before the system call)
//!      |           | goes on              | ends: never sent
//!      v           v
//!     sent ------------> lost on the way: never executed
//!      |  queue, path, stalls, lateness
//!      v
//!   executed ----------> once more, later (repeated)
//!      |  path, stalls, lateness
//!      v
//!   replied, or the reply is lost
//! ```
//! Nothing that happens to its host takes a sent command back.

use std::fmt;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use oarlock_block::{Attempted, BlockCount, IoError, Lba, Refusal};

use crate::events::Event;
use crate::host::Condition;
use crate::observer::{CommandIdentity, CommandNumber, Notice, Outcome, Reply, Submission};
use crate::slab::Key;
use crate::state::State;
use crate::{ChoiceKind, FaultKind, HostIndex, Image, Lane, Life, TrueTime};

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// READ.
    Read,
    /// WRITE.
    Write,
    /// COMPARE AND WRITE.
    CompareAndWrite,
    /// SYNCHRONIZE CACHE.
    Flush,
    /// UNMAP.
    Discard,
    /// WRITE SAME of zeros.
    WriteZeroes,
}

impl Verb {
    /// The name in traces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verb::Read => "read",
            Verb::Write => "write",
            Verb::CompareAndWrite => "ats",
            Verb::Flush => "flush",
            Verb::Discard => "discard",
            Verb::WriteZeroes => "write-zeroes",
        }
    }

    /// Whether the device's content may be another one after it.
    #[must_use]
    pub const fn changes_content(self) -> bool {
        matches!(self, Verb::Write | Verb::CompareAndWrite | Verb::Discard | Verb::WriteZeroes)
    }
}

impl fmt::Display for CommandIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{} {}", self.number.0, self.verb.name())?;
        match (self.verb, self.blocks) {
            (Verb::Flush, _) => Ok(()),
            (_, 1) => write!(formatter, " block {}", self.lba),
            (_, blocks) => write!(formatter, " blocks {}+{blocks}", self.lba),
        }
    }
}

/// The data of a command.
pub(crate) enum Body {
    Read,
    Write(Rc<[Image]>),
    CompareAndWrite { expected: Image, new: Image },
    Flush,
    Discard,
    WriteZeroes,
}

impl Body {
    fn verb(&self) -> Verb {
        match self {
            Body::Read => Verb::Read,
            Body::Write(_) => Verb::Write,
            Body::CompareAndWrite { .. } => Verb::CompareAndWrite,
            Body::Flush => Verb::Flush,
            Body::Discard => Verb::Discard,
            Body::WriteZeroes => Verb::WriteZeroes,
        }
    }
}

pub(crate) struct Command {
    pub(crate) identity: CommandIdentity,
    pub(crate) body: Body,
    /// What the device answered, on its way or there.
    pub(crate) outcome: Option<Outcome>,
    /// The reply is at the host.
    pub(crate) replied: bool,
    /// Its future is still there.
    pub(crate) attached: bool,
    pub(crate) waker: Option<Waker>,
    /// What it waited in its host's queue.
    pub(crate) queued_for: Duration,
    /// It went down with its host's power: it is not executed any more, and not answered.
    pub(crate) lost: bool,
    /// Events that will come to it.
    pub(crate) events: u8,
    /// Blocks executed already, of a command that was split.
    pub(crate) blocks_done: usize,
    /// Blocks read already.
    pub(crate) data: Vec<Image>,
}

/// A command as a device handle hands it in.
pub(crate) struct Request {
    pub(crate) host: HostIndex,
    pub(crate) life: Life,
    pub(crate) lane: Lane,
    pub(crate) lba: Lba,
    pub(crate) blocks: u32,
    pub(crate) body: Body,
}

impl State {
    /// Takes a command from a host; `None` where the life that gives it has ended: nothing is sent, no reply comes.
    pub(crate) fn submit(&mut self, request: Request, waker: Waker) -> Option<Key> {
        let Request { host, life, lane, lba, blocks, body } = request;
        if !self.is_present(host, life) {
            return None;
        }
        self.statistics.commands += 1;
        let identity = CommandIdentity {
            number: CommandNumber(self.statistics.commands),
            host,
            life,
            lane,
            verb: body.verb(),
            lba,
            blocks,
            submitted_at: self.now,
        };
        let (expected, new) = match &body {
            Body::CompareAndWrite { expected, new } => (Some(Rc::clone(expected)), Some(Rc::clone(new))),
            Body::Write(images) if images.len() == 1 => (None, Some(Rc::clone(&images[0]))),
            _ => (None, None),
        };
        self.record(Notice::Submission(Submission { command: identity, expected, new }));
        let key = self.commands.insert(Command {
            identity,
            body,
            outcome: None,
            replied: false,
            attached: true,
            waker: Some(waker),
            queued_for: Duration::ZERO,
            lost: false,
            events: 0,
            blocks_done: 0,
            data: Vec::new(),
        });
        self.strike_host(host, Some(key));
        // Stopped, by that fault or before, the process has not made the system call yet.
        if self.host(host).condition == Condition::Running {
            self.send(key);
        } else if self.is_present(host, life) {
            self.host_mut(host).unsent.push(key);
        } else if self.choices.choose(ChoiceKind::Schedule, 2) == 0 {
            // Ended by that fault: just after the call, and not just before.
            self.send(key);
        }
        Some(key)
    }

    /// The command leaves its process. From here on it is out.
    pub(crate) fn send(&mut self, key: Key) {
        let Some(command) = self.commands.get(key) else { return };
        let identity = command.identity;
        let end = u128::from(identity.lba.0) + u128::from(identity.blocks);
        if end > u128::from(self.options.geometry.blocks.0) {
            self.answer(key, refused(identity.verb, Refusal::OutOfRange));
            return;
        }
        if self.strikes(FaultKind::LostCommand, identity) {
            return;
        }
        if identity.verb.changes_content() {
            self.life_mut(identity.host, identity.life).writes_in_flight += 1;
        }
        let queue = match identity.lane {
            Lane::Work => self.latency(self.plan.work_queue),
            Lane::Beat => Duration::ZERO,
        };
        if let Some(command) = self.commands.get_mut(key) {
            command.queued_for = queue;
        }
        let usual = self.now.plus(queue).plus(self.latency(self.plan.latency));
        let at = match self.strikes_sent(FaultKind::LateCommand, identity, key) {
            true => usual.max(self.until(self.length_of(FaultKind::LateCommand))),
            false => usual,
        };
        self.schedule(key, at, Event::Execute { command: key, repeated: false });
    }

    /// The process ended before it sent the command.
    pub(crate) fn forget_unsent(&mut self, key: Key) {
        self.free_if_done(key);
    }

    /// The device comes to a command.
    pub(crate) fn execute_event(&mut self, key: Key, repeated: bool) {
        let Some(identity) = self.take_event(key) else { return };
        let event = Event::Execute { command: key, repeated };
        if let Some(until) = self.stalled_until(identity.host, true) {
            let at = until.plus(self.latency(self.plan.latency));
            self.schedule(key, at, event);
            return;
        }
        let Some(executed) = self.execute(key, repeated) else {
            // A part of it comes later.
            let at = self.until(self.length_of(FaultKind::SplitCommand));
            self.schedule(key, at, event);
            return;
        };
        self.statistics.executions += 1;
        if identity.verb.changes_content() {
            let may_repeat = executed.may_repeat && identity.verb == Verb::CompareAndWrite;
            if !repeated && may_repeat && self.strikes(FaultKind::RepeatedCommand, identity) {
                if let Some(command) = self.commands.get_mut(key) {
                    command.blocks_done = 0;
                }
                let at = self.until(self.length_of(FaultKind::RepeatedCommand));
                self.schedule(key, at, Event::Execute { command: key, repeated: true });
            } else {
                self.land(identity.host, identity.life);
            }
        }
        if repeated {
            self.free_if_done(key);
            return;
        }
        if self.strikes(FaultKind::LostReply, identity) {
            self.free_if_done(key);
        } else {
            self.answer(key, executed.outcome);
        }
        self.strike_host(identity.host, None);
    }

    /// Sends the reply on its way.
    fn answer(&mut self, key: Key, mut outcome: Outcome) {
        let Some(command) = self.commands.get_mut(key) else { return };
        if let Outcome::Attempted(attempted) = &mut outcome {
            attempted.queued_for = command.queued_for;
        }
        command.outcome = Some(outcome);
        let identity = command.identity;
        let usual = self.now.plus(self.latency(self.plan.latency));
        let at = match self.strikes(FaultKind::LateReply, identity) {
            true => usual.max(self.until(self.length_of(FaultKind::LateReply))),
            false => usual,
        };
        self.schedule(key, at, Event::Reply(key));
    }

    /// The reply arrives at the host.
    pub(crate) fn reply_event(&mut self, key: Key) {
        let Some(identity) = self.take_event(key) else { return };
        if let Some(until) = self.stalled_until(identity.host, false) {
            let at = until.plus(self.latency(self.plan.latency));
            self.schedule(key, at, Event::Reply(key));
            return;
        }
        if self.is_present(identity.host, identity.life) {
            self.strike_host(identity.host, None);
        }
        // A host that this strike ended waits for nothing, though its futures are dropped only when the world rests.
        let present = self.is_present(identity.host, identity.life);
        let at = self.now;
        let Some(command) = self.commands.get_mut(key) else { return };
        let Some(outcome) = command.outcome.clone() else { return };
        command.replied = true;
        let waker = command.waker.take();
        let abandoned = !command.attached || !present;
        self.statistics.replies += 1;
        self.record(Notice::Reply(Reply { at, command: identity, outcome, abandoned }));
        if !abandoned {
            self.wakes.extend(waker);
        }
        self.free_if_done(key);
    }

    /// The answer, where it has come; else `waker` is woken when it does.
    pub(crate) fn take_outcome(&mut self, key: Key, waker: &Waker) -> Option<Outcome> {
        let command = self.commands.get_mut(key)?;
        if !command.replied {
            match &mut command.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
            return None;
        }
        command.outcome.clone()
    }

    /// Nobody waits for the command any more; it stays out.
    pub(crate) fn detach(&mut self, key: Key) {
        if let Some(command) = self.commands.get_mut(key) {
            command.attached = false;
            command.waker = None;
            self.free_if_done(key);
        }
    }

    /// A write of this life has ended at the device, for good.
    fn land(&mut self, host: HostIndex, life: Life) {
        let state = self.life_mut(host, life);
        state.writes_in_flight -= 1;
        if state.ended && state.writes_in_flight == 0 {
            let mut wakers = std::mem::take(&mut state.drain_waiters);
            self.wakes.append(&mut wakers);
        }
    }

    fn schedule(&mut self, key: Key, at: TrueTime, event: Event) {
        if let Some(command) = self.commands.get_mut(key) {
            command.events += 1;
            self.events.push(at, event);
        }
    }

    fn take_event(&mut self, key: Key) -> Option<CommandIdentity> {
        let command = self.commands.get_mut(key)?;
        command.events -= 1;
        let (identity, lost) = (command.identity, command.lost);
        if lost {
            self.free_if_done(key);
        }
        (!lost).then_some(identity)
    }

    fn free_if_done(&mut self, key: Key) {
        if self.commands.get(key).is_some_and(|command| command.events == 0 && !command.attached) {
            self.commands.remove(key);
        }
    }

    /// Until when nothing passes between this host and the device: to be executed, or back.
    fn stalled_until(&self, host: HostIndex, to_be_executed: bool) -> Option<TrueTime> {
        let path = &self.paths[host.place()];
        let held = if to_be_executed { path.commands_held(self.now) } else { path.replies_held(self.now) };
        let mut until = held.unwrap_or(self.now).max(self.fabric_stalled_until);
        if to_be_executed {
            until = until.max(self.device_stalled_until);
        }
        (until > self.now).then_some(until)
    }
}

/// The outcome of a refused command.
pub(crate) fn refused(verb: Verb, refusal: Refusal) -> Outcome {
    match verb {
        Verb::CompareAndWrite => Outcome::Attempted(Attempted::at_once(Err(refusal))),
        Verb::Read | Verb::Write | Verb::Flush | Verb::Discard | Verb::WriteZeroes => {
            Outcome::Failed(IoError::Refused(refusal))
        }
    }
}

/// The number of blocks as a count.
pub(crate) fn blocks_as_count(blocks: usize) -> BlockCount {
    BlockCount(u64::try_from(blocks).unwrap_or(u64::MAX))
}
