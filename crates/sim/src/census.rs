//! The census: what checkers know of the engines in the world: which host lives where, and who holds which lock by his
//! own belief.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Clock, SlotIndex};
use oarlock_engine::{Host, Want};
use oarlock_format::Owner;

use crate::history::{History, Hold, NotLinearizable};
use crate::{Handle, HostIndex, Life, SimClock, TrueTime};

/// One process on one machine.
pub type LifeKey = (HostIndex, Life);

/// A joined host.
pub struct Member {
    /// Its engine.
    pub host: Host,
    /// Its clock.
    pub clock: SimClock,
    /// Whether its clock ever stood still: then its own belief about its lease is worth nothing (R10).
    pub frozen: Cell<bool>,
}

impl Member {
    /// Whether it believes, at this moment and by its own clock, that its lease holds.
    #[must_use]
    pub fn believes_in_its_lease(&self) -> bool {
        !self.frozen.get()
            && matches!(
                self.host.status().state,
                oarlock_engine::HostState::Live | oarlock_engine::HostState::Held
            )
            && self.clock.now() < self.host.lease_end()
    }

    /// For how long its users rely on it without further news: until the last quarter of its lease (R29). Those of a
    /// machine that stood still did so with it.
    fn relied_on_for(&self) -> Duration {
        if self.frozen.get() {
            return Duration::ZERO;
        }
        let until = self.host.lease_end().minus(self.host.timing().lease / 4);
        until.since(self.clock.now())
    }
}

/// What a user was told: the lock is yours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which lock, by its number in the scenario.
    pub lock: usize,
    /// How.
    pub want: Want,
    /// Whether its host may keep it beyond its use.
    pub sticky: bool,
    /// Whose.
    pub life: LifeKey,
    /// When the user asked for it.
    pub asked: TrueTime,
    /// The token.
    pub token: u64,
}

/// Names a grant: the lock, and the number in its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantKey {
    lock: usize,
    number: Option<u64>,
}

/// Everything that checkers know of engines and users.
#[derive(Default)]
pub struct Census {
    members: RefCell<BTreeMap<LifeKey, Rc<Member>>>,
    /// Of each lock, by its number in the scenario.
    histories: RefCell<BTreeMap<usize, History>>,
    last_grant: RefCell<BTreeMap<usize, TrueTime>>,
    /// Who a process that has ended was, and for how long its users would still have relied on it, had they not heard of its end.
    relied: RefCell<BTreeMap<LifeKey, (Owner, Duration)>>,
    /// Acquisitions so far.
    pub acquired: Cell<u64>,
    /// Whether the device went back in time.
    pub rolled_back: Cell<bool>,
}

impl Census {
    /// A host joined.
    pub fn joined(&self, life: LifeKey, member: Member) {
        self.members.borrow_mut().insert(life, Rc::new(member));
    }

    /// A process ended: whatever it believed is over.
    pub fn ended(&self, life: LifeKey, at: TrueTime) {
        let member = self.members.borrow_mut().remove(&life);
        if let Some(member) = member {
            let relied = (member.host.status().owner, member.relied_on_for());
            self.relied.borrow_mut().insert(life, relied);
        }
        for history in self.histories.borrow_mut().values_mut() {
            history.over_where(at, |holder| holder == life);
        }
    }

    /// The device lost what was written to it: tokens may come again, and nothing of before can be held against what follows.
    pub fn forget_histories(&self) {
        self.histories.borrow_mut().clear();
    }

    /// For how long its users would still have relied on a process when it ended, as the host of that slot; nobody did on one that
    /// never joined, or that left a claim there which failed, and joined in another.
    #[must_use]
    pub fn relied_on_at_its_end(&self, life: LifeKey, slot: SlotIndex) -> Duration {
        let relied = self.relied.borrow().get(&life).copied();
        relied.filter(|(owner, _)| owner.slot == slot).map(|(_, relied)| relied).unwrap_or_default()
    }

    /// The run is over. A host's events lead back to the run that counts it, so it must be let go of, or neither is ever
    /// freed.
    pub fn close(&self) {
        let members = self.members.take();
        drop(members);
    }

    /// The engine of a process, if it joined.
    #[must_use]
    pub fn member(&self, life: LifeKey) -> Option<Rc<Member>> {
        self.members.borrow().get(&life).cloned()
    }

    /// Every joined host.
    #[must_use]
    pub fn members(&self) -> Vec<(LifeKey, Rc<Member>)> {
        self.members.borrow().iter().map(|(life, member)| (*life, Rc::clone(member))).collect()
    }

    /// The living host in a slot.
    #[must_use]
    pub fn in_slot(&self, slot: SlotIndex, incarnation: u64) -> Option<(LifeKey, Rc<Member>)> {
        self.members().into_iter().find(|(_, member)| {
            let owner = member.host.status().owner;
            owner.slot == slot && owner.incarnation.0 == incarnation
        })
    }

    /// A user got a lock. Says what is wrong with that, if anything is, and by which invariant: a lapsed host that gave it
    /// out, or a history of the lock that is none.
    pub fn granted(&self, world: &Handle, grant: Grant) -> (GrantKey, Option<String>) {
        self.acquired.set(self.acquired.get() + 1);
        self.last_grant.borrow_mut().insert(grant.lock, world.now());
        let (number, wrong) = match self.told(world, &grant) {
            Ok(number) => (Some(number), None),
            Err(wrong) => (None, Some(format!("linearizable: lock {}: {wrong}", grant.lock))),
        };
        let wrong = self.lapsed(&grant).or(wrong).filter(|_| !self.rolled_back.get());
        (GrantKey { lock: grant.lock, number }, wrong)
    }

    /// Puts the grant into its lock's history.
    fn told(&self, world: &Handle, grant: &Grant) -> Result<u64, NotLinearizable> {
        let mut histories = self.histories.borrow_mut();
        let history = histories.entry(grant.lock).or_default();
        // A host that has left or stopped has said so to its users, though its process may still be there.
        history.over_where(world.now(), |holder| {
            self.member(holder).is_none_or(|member| member.host.status().state.is_final())
        });
        let Grant { want, sticky, life, asked: invoked, token, .. } = *grant;
        let answered = world.now();
        history.given(Hold { life, want, sticky, invoked, answered, token, over_from: TrueTime::NEVER })
    }

    /// Nothing is given out outside of the lease (I7).
    fn lapsed(&self, grant: &Grant) -> Option<String> {
        let member = self.member(grant.life)?;
        let holds = member.frozen.get() || member.believes_in_its_lease();
        (!holds).then(|| {
            format!(
                "I7: lock {} was given out by {}.{} after its lease",
                grant.lock, grant.life.0, grant.life.1
            )
        })
    }

    /// A user begins to release.
    pub fn released(&self, world: &Handle, grant: GrantKey) {
        if let (Some(history), Some(number)) =
            (self.histories.borrow_mut().get_mut(&grant.lock), grant.number)
        {
            history.over(number, world.now());
        }
    }

    /// What is wrong with the histories of all locks, as they are at the end: releases and deaths are known by then.
    #[must_use]
    pub fn not_linearizable(&self) -> Option<String> {
        let histories = self.histories.borrow();
        let found = histories.iter().find_map(|(lock, history)| Some((lock, history.check().err()?)));
        found.filter(|_| !self.rolled_back.get()).map(|(lock, wrong)| format!("lock {lock}: {wrong}"))
    }

    /// When somebody last got the lock.
    #[must_use]
    pub fn last_grant_of(&self, lock: usize) -> Option<TrueTime> {
        self.last_grant.borrow().get(&lock).copied()
    }
}
