//! The simulated cut-off: a lock for each slot that is held while a life runs or any of its writes is in flight (R13).

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{Either, select};
use oarlock_block::{
    CutOff, EnterError, Fencing, LocalFuture, NotCutOff, ProcessIdentity, Proof, SlotIndex, Victim,
};

use crate::host::EndCause;
use crate::state::{Core, State};
use crate::timer::{Deadline, Sleep};
use crate::{HostIndex, Life};

/// What the device of a world has for cutting hosts off, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutOffRules {
    /// Slot locks, as on a file: all hosts share one kernel.
    SlotLocks {
        /// How long a cut-off waits for a running victim to give its slot up before it kills it.
        grace: Duration,
        /// How long it waits for the victim's writes after that.
        drain: Duration,
    },
    /// Nothing: every cut-off answers [`NotCutOff::NoMeans`], death is never proved, and entering a slot always
    /// succeeds (R19).
    NoMeans,
}

impl CutOffRules {
    /// Slot locks, no grace, and two seconds for the writes (R5).
    pub const FILE: CutOffRules =
        CutOffRules::SlotLocks { grace: Duration::ZERO, drain: Duration::from_secs(2) };

    pub(crate) const fn fencing(self) -> Fencing {
        match self {
            CutOffRules::SlotLocks { .. } => Fencing::FileLock,
            CutOffRules::NoMeans => Fencing::DrainOnly,
        }
    }
}

impl State {
    /// Who holds a slot's lock. A life that has ended holds it until the last of its writes has landed.
    pub(crate) fn slot_holder(&self, slot: SlotIndex) -> Option<(HostIndex, Life)> {
        let (host, life) = *self.slot_locks.get(&slot)?;
        let state = self.life(host, life);
        (!state.ended || state.writes_in_flight > 0).then_some((host, life))
    }

    fn process_of(&self, (host, life): (HostIndex, Life)) -> ProcessIdentity {
        self.life(host, life).process
    }
}

/// What one life of one host knows of the slots' locks.
#[derive(Clone)]
pub struct SimCutOff {
    pub(crate) core: Rc<Core>,
    pub(crate) host: HostIndex,
    pub(crate) life: Life,
}

impl SimCutOff {
    fn own(&self) -> (HostIndex, Life) {
        (self.host, self.life)
    }

    /// The system call takes its time.
    async fn ask(&self) {
        let (latency, now) = self.core.read(|state| {
            let latency = state.choices.duration(state.plan.lock_latency);
            (latency, state.now)
        });
        if latency > Duration::ZERO {
            Sleep::new(Rc::clone(&self.core), Deadline::True(now.plus(latency))).await;
        }
    }

    /// Whether another life than this one holds the slot's lock.
    fn other_holder(&self, slot: SlotIndex) -> Option<(HostIndex, Life)> {
        self.core.read(|state| state.slot_holder(slot)).filter(|holder| *holder != self.own())
    }

    /// Waits until the slot's lock is free; false where it is still held after `length`.
    async fn freed_within(&self, slot: SlotIndex, holder: (HostIndex, Life), length: Duration) -> bool {
        let until = self.core.read(|state| state.now.plus(length));
        let drained = Drained { core: Rc::clone(&self.core), holder };
        let deadline = Sleep::new(Rc::clone(&self.core), Deadline::True(until));
        match select(drained, deadline).await {
            Either::Left(((), _)) => true,
            Either::Right(((), _)) => self.other_holder(slot).is_none(),
        }
    }

    async fn cut_off_by_lock(
        &self,
        victim: Victim,
        grace: Duration,
        drain: Duration,
    ) -> Result<Proof, NotCutOff> {
        let slot = victim.slot;
        self.ask().await;
        let Some(holder) = self.other_holder(slot) else { return Ok(Proof::FileLock) };
        let process = self.core.read(|state| state.process_of(holder));
        if process != victim.process {
            let reason = format!("it is held by pid {}, started later or elsewhere", process.pid);
            return Err(NotCutOff::HolderUnproved { slot, reason });
        }
        if grace > Duration::ZERO && self.freed_within(slot, holder, grace).await {
            return Ok(Proof::FileLock);
        }
        let killed = self.core.change(|state| {
            let present = state.is_present(holder.0, holder.1);
            if present {
                state.end_life(holder.0, EndCause::Killed);
            }
            present
        });
        let proof = if killed { Proof::Killed } else { Proof::FileLock };
        if self.freed_within(slot, holder, drain).await {
            Ok(proof)
        } else {
            Err(NotCutOff::StillHeld { slot })
        }
    }
}

impl CutOff for SimCutOff {
    fn process(&self) -> ProcessIdentity {
        self.core.read(|state| state.process_of(self.own()))
    }

    fn enter(&self, slot: SlotIndex) -> LocalFuture<'_, Result<(), EnterError>> {
        Box::pin(async move {
            self.ask().await;
            self.core.change(|state| {
                // A process that kept a slot from an earlier try has something out there, and does not get it anew.
                if state.slot_holder(slot).is_some() && state.options.cut_off != CutOffRules::NoMeans {
                    return Err(EnterError::Held { slot });
                }
                state.slot_locks.insert(slot, self.own());
                *state.slot_entries.entry(slot).or_default() += 1;
                Ok(())
            })
        })
    }

    fn exit(&self, slot: SlotIndex) -> LocalFuture<'_, ()> {
        Box::pin(async move {
            self.ask().await;
            self.core.change(|state| {
                if state.slot_locks.get(&slot) == Some(&self.own()) {
                    state.slot_locks.remove(&slot);
                }
            });
        })
    }

    fn death_proved(&self, victim: Victim) -> LocalFuture<'_, Option<Proof>> {
        Box::pin(async move {
            self.ask().await;
            let means = self.core.read(|state| state.options.cut_off) != CutOffRules::NoMeans;
            (means && self.other_holder(victim.slot).is_none()).then_some(Proof::FileLock)
        })
    }

    fn cut_off(&self, victim: Victim) -> LocalFuture<'_, Result<Proof, NotCutOff>> {
        Box::pin(async move {
            match self.core.read(|state| state.options.cut_off) {
                CutOffRules::NoMeans => Err(NotCutOff::NoMeans),
                CutOffRules::SlotLocks { grace, drain } => self.cut_off_by_lock(victim, grace, drain).await,
            }
        })
    }
}

/// Resolves when a life has ended and its last write has landed.
struct Drained {
    core: Rc<Core>,
    holder: (HostIndex, Life),
}

impl Future for Drained {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (host, life) = self.holder;
        self.core.change(|state| {
            let state = state.life_mut(host, life);
            if state.ended && state.writes_in_flight == 0 {
                return Poll::Ready(());
            }
            if !state.drain_waiters.iter().any(|waiter| waiter.will_wake(context.waker())) {
                state.drain_waiters.push(context.waker().clone());
            }
            Poll::Pending
        })
    }
}
