//! The census: what checkers know of the engines in the world: which host lives where, and who holds which lock by his
//! own belief.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Clock, SlotIndex};
use oarlock_engine::{Host, Want};

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

/// One user's hold on a lock, from the grant until the release begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which lock, by its number in the scenario.
    pub lock: usize,
    /// How.
    pub want: Want,
    /// Whose.
    pub life: LifeKey,
    /// The token.
    pub token: u64,
}

/// Everything that checkers know of engines and users.
#[derive(Default)]
pub struct Census {
    members: RefCell<BTreeMap<LifeKey, Rc<Member>>>,
    grants: RefCell<BTreeMap<u64, Grant>>,
    next_grant: Cell<u64>,
    tokens: RefCell<BTreeMap<usize, u64>>,
    last_grant: RefCell<BTreeMap<usize, TrueTime>>,
    /// For how long the users of a process that has ended would still have relied on it, had they not heard of its end.
    relied: RefCell<BTreeMap<LifeKey, Duration>>,
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
    pub fn ended(&self, life: LifeKey) {
        let member = self.members.borrow_mut().remove(&life);
        if let Some(member) = member {
            self.relied.borrow_mut().insert(life, member.relied_on_for());
        }
        self.grants.borrow_mut().retain(|_, grant| grant.life != life);
    }

    /// For how long its users would still have relied on a process when it ended; nobody did on one that never joined.
    #[must_use]
    pub fn relied_on_at_its_end(&self, life: LifeKey) -> Duration {
        self.relied.borrow().get(&life).copied().unwrap_or_default()
    }

    /// The run is over. A host's events lead back to the run that counts it, so it must be let go of, or neither is ever
    /// freed.
    pub fn close(&self) {
        let members = self.members.take();
        drop(members);
        self.grants.borrow_mut().clear();
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

    /// A user got a lock. Says what is wrong with that, if anything is, and by which invariant: another user who believes
    /// to hold it, a lapsed host that gave it out, or a token that did not grow.
    pub fn granted(&self, world: &Handle, grant: Grant) -> (u64, Option<String>) {
        let number = self.next_grant.get();
        self.next_grant.set(number + 1);
        self.acquired.set(self.acquired.get() + 1);
        self.last_grant.borrow_mut().insert(grant.lock, world.now());
        let wrong =
            self.lapsed(&grant).or_else(|| self.conflict(&grant)).or_else(|| self.stale_token(&grant));
        self.grants.borrow_mut().insert(number, grant);
        let newest = self.tokens.borrow().get(&grant.lock).copied().unwrap_or(0).max(grant.token);
        self.tokens.borrow_mut().insert(grant.lock, newest);
        (number, wrong.filter(|_| !self.rolled_back.get()))
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

    fn conflict(&self, grant: &Grant) -> Option<String> {
        let grants = self.grants.borrow();
        let other = grants.values().find(|other| {
            other.lock == grant.lock
                && (other.want == Want::Exclusive || grant.want == Want::Exclusive)
                && self.member(other.life).is_some_and(|member| member.believes_in_its_lease())
        })?;
        Some(format!(
            "one owner: lock {} was given to {}.{} ({:?}, token {}) while {}.{} holds it ({:?}, token {})",
            grant.lock,
            grant.life.0,
            grant.life.1,
            grant.want,
            grant.token,
            other.life.0,
            other.life.1,
            other.want,
            other.token
        ))
    }

    /// While the exclusive owner holds the lock nobody can have been given a later token.
    fn stale_token(&self, grant: &Grant) -> Option<String> {
        let newest = self.tokens.borrow().get(&grant.lock).copied()?;
        (grant.want == Want::Exclusive && newest >= grant.token).then(|| {
            format!(
                "one owner: lock {} was given with token {}, after token {newest}",
                grant.lock, grant.token
            )
        })
    }

    /// A user begins to release.
    pub fn released(&self, number: u64) {
        self.grants.borrow_mut().remove(&number);
    }

    /// When somebody last got the lock.
    #[must_use]
    pub fn last_grant_of(&self, lock: usize) -> Option<TrueTime> {
        self.last_grant.borrow().get(&lock).copied()
    }
}
