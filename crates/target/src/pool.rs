//! What there is a bounded number of, as bytes of memory and places in the ring: given in the order of asking, and so that neither one session nor
//! one unit takes all of it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// How many are left to give, and who waits for some.
pub(crate) struct Pool {
    most: usize,
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Rc<Waiting>>>,
}

/// How many somebody has.
#[derive(Default)]
pub(crate) struct Share(Cell<usize>);

/// For whom something is asked. A session waits for more where it would have more than a quarter of what it leaves free: one alone has a fifth, and
/// each of many that came one after the other a fifth of what was left, so that there is some for another one (dynamic thresholds of shared
/// switch buffers, Choudhury and Hahne, 1998). A unit waits where it would have more than twice what it leaves, for one whose medium does not answer keeps
/// what it has; more than eight times that where the session has nothing. Who has nothing waits for its turn alone, be it ever so much.
#[derive(Clone, Default)]
pub(crate) struct Claim {
    pub(crate) session: Option<Rc<Share>>,
    /// The unit, or those that a copy goes from and to.
    pub(crate) units: [Option<Rc<Share>>; 2],
}

/// How much more a session leaves free than it has.
pub(crate) const LEFT_BY_SESSIONS: usize = 4;

/// How much more a unit has than it leaves free.
pub(crate) const HAD_BY_UNITS: usize = 2;

/// The same with what sessions begin with.
const HAD_WITH_THE_FIRST: usize = 8;

struct Waiting {
    claim: Claim,
    count: usize,
    /// Looks at those that wait, since it began to.
    looks: Cell<u32>,
    is_given: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// What some wait for whose session has not too much itself, and whose units are none that hang.
#[derive(Default)]
pub(crate) struct Shortage {
    /// There is none left.
    pub(crate) of_all: bool,
    /// These have as much as they may.
    pub(crate) of_units: Vec<Rc<Share>>,
}

/// What keeps somebody waiting whatever is left.
enum Hindrance {
    /// What its own session has, or has asked for before.
    Session,
    /// The same of this unit.
    Unit(Rc<Share>),
}

/// Whose claims were passed by. A session that waits for more waits with all that it asked for later: what is short would pass by what is long for ever.
/// So does a unit.
#[derive(Default)]
struct PassedBy(Vec<Rc<Share>>);

impl PassedBy {
    fn has(&self, share: &Rc<Share>) -> bool {
        self.0.iter().any(|passed| Rc::ptr_eq(passed, share))
    }

    fn add(&mut self, share: &Rc<Share>) {
        if !self.has(share) {
            self.0.push(Rc::clone(share));
        }
    }
}

/// How many looks somebody waits whose session has nothing before others are held to what they keep: one second.
const LOOKS_OF_NOTHING: u32 = 1;

/// The same where it has some: an array that is busy lets all wait a little.
const LOOKS_OF_SOME: u32 = 3;

/// A right to so many of a pool, until it is dropped.
pub(crate) struct Grant {
    pool: Rc<Pool>,
    claim: Claim,
    count: usize,
}

impl Share {
    pub(crate) fn get(&self) -> usize {
        self.0.get()
    }
}

impl Claim {
    /// Of one unit, whatever the session.
    pub(crate) fn of_unit(share: &Rc<Share>) -> Claim {
        Claim { session: None, units: [Some(Rc::clone(share)), None] }
    }

    /// Whether its session has nothing.
    fn is_first(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.get() == 0)
    }

    fn has_nothing(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.get() == 0)
    }

    fn units(&self) -> impl Iterator<Item = &Rc<Share>> {
        self.units.iter().flatten()
    }

    fn shares(&self) -> impl Iterator<Item = &Rc<Share>> {
        self.units().chain(&self.session)
    }
}

impl Pool {
    pub(crate) fn new(most: usize) -> Rc<Pool> {
        Rc::new(Pool { most, free: Cell::new(most), waiting: RefCell::default() })
    }

    /// Waits for the right to `count` of them: in the order of asking, so that those who want many are not starved; only those whose session or
    /// unit has too much are passed by.
    pub(crate) async fn grant(self: &Rc<Pool>, claim: Claim, count: usize) -> Grant {
        let claim = match self.try_grant(claim, count) {
            Ok(grant) => return grant,
            Err(claim) => claim,
        };
        let count = count.min(self.most);
        let (looks, is_given) = (Cell::new(0), Cell::new(false));
        let waiting = Waiting { claim, count, looks, is_given, waker: RefCell::default() };
        let waiting = Rc::new(waiting);
        self.waiting.borrow_mut().push_back(Rc::clone(&waiting));
        let leaves = Leaves { pool: self, waiting };
        self.serve();
        poll_fn(|context| {
            if leaves.waiting.is_given.get() {
                return Poll::Ready(());
            }
            *leaves.waiting.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        leaves.waiting.is_given.set(false);
        Grant { pool: Rc::clone(self), claim: leaves.waiting.claim.clone(), count }
    }

    /// The right to them, where nobody waits and it can be had at once.
    ///
    /// # Errors
    /// The claim, where it cannot.
    pub(crate) fn try_grant(self: &Rc<Pool>, claim: Claim, count: usize) -> Result<Grant, Claim> {
        let count = count.min(self.most);
        let is_free = self.waiting.borrow().is_empty() && self.free.get() >= count;
        if !is_free || self.hindrance(&claim, count, &mut PassedBy::default()).is_some() {
            return Err(claim);
        }
        self.take(&claim, count);
        Ok(Grant { pool: Rc::clone(self), claim, count })
    }

    /// One look at those that wait: whether others keep from them what they wait for, and who.
    pub(crate) fn shortage(&self, is_hung: impl Fn(&Rc<Share>) -> bool) -> Shortage {
        let (mut shortage, mut passed_by) = (Shortage::default(), PassedBy::default());
        for waiting in self.waiting.borrow().iter() {
            let Waiting { claim, count, looks, .. } = &**waiting;
            let hindrance = self.hindrance(claim, *count, &mut passed_by);
            let seen = looks.replace(looks.get() + 1);
            let patience = if claim.has_nothing() { LOOKS_OF_NOTHING } else { LOOKS_OF_SOME };
            if seen < patience || claim.units().any(&is_hung) {
                continue;
            }
            match hindrance {
                Some(Hindrance::Session) => {}
                Some(Hindrance::Unit(unit))
                    if shortage.of_units.iter().any(|known| Rc::ptr_eq(known, &unit)) => {}
                Some(Hindrance::Unit(unit)) => shortage.of_units.push(unit),
                None => shortage.of_all = true,
            }
        }
        shortage
    }

    /// What a claim waits for, be there as much as it may.
    fn hindrance(&self, claim: &Claim, count: usize, passed_by: &mut PassedBy) -> Option<Hindrance> {
        let session = claim.session.as_ref();
        let session_hinders = |session: &&Rc<Share>| {
            passed_by.has(session) || self.exceeds(session, count, (LEFT_BY_SESSIONS, 1))
        };
        if let Some(session) = session.filter(session_hinders) {
            passed_by.add(session);
            return Some(Hindrance::Session);
        }
        // Who has nothing is not held to what others wait for of its unit, but to more.
        let is_first = claim.is_first();
        let had_by_units = if is_first { HAD_WITH_THE_FIRST } else { HAD_BY_UNITS };
        let unit_hinders = |unit: &&Rc<Share>| {
            !is_first && passed_by.has(unit) || self.exceeds(unit, count, (1, had_by_units))
        };
        let unit = claim.units().find(unit_hinders)?;
        passed_by.add(unit);
        Some(Hindrance::Unit(Rc::clone(unit)))
    }

    /// Whether somebody would have more than a part of what it leaves, and has some already.
    fn exceeds(&self, share: &Share, count: usize, (of_has, of_left): (usize, usize)) -> bool {
        let (has, left) = (share.get(), self.free.get().checked_sub(count));
        has > 0 && left.is_none_or(|left| (has + count) * of_has > left * of_left)
    }

    fn take(&self, claim: &Claim, count: usize) {
        self.free.set(self.free.get() - count);
        claim.shares().for_each(|share| share.0.set(share.get() + count));
    }

    fn give_back(&self, claim: &Claim, count: usize) {
        self.free.set(self.free.get() + count);
        claim.shares().for_each(|share| share.0.set(share.get() - count));
        self.serve();
    }

    /// Gives what is free to those that wait.
    fn serve(&self) {
        let mut waiting = self.waiting.borrow_mut();
        let (mut passed_by, mut place) = (PassedBy::default(), 0);
        while let Some(first) = waiting.get(place) {
            if self.hindrance(&first.claim, first.count, &mut passed_by).is_some() {
                place += 1;
                continue;
            }
            if self.free.get() < first.count {
                return;
            }
            self.take(&first.claim, first.count);
            first.is_given.set(true);
            if let Some(waker) = first.waker.borrow_mut().take() {
                waker.wake();
            }
            waiting.remove(place);
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.pool.give_back(&self.claim, self.count);
    }
}

/// Whoever stops waiting leaves the queue, or gives back what it was given and did not take.
struct Leaves<'a> {
    pool: &'a Pool,
    waiting: Rc<Waiting>,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        if self.waiting.is_given.get() {
            self.pool.give_back(&self.waiting.claim, self.waiting.count);
        } else {
            self.pool.waiting.borrow_mut().retain(|other| !Rc::ptr_eq(other, &self.waiting));
            self.pool.serve();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const MIB: usize = 1 << 20;

    fn of(session: &Rc<Share>) -> Claim {
        Claim { session: Some(Rc::clone(session)), units: [None, None] }
    }

    /// Takes as much as it gets, in pieces of a mebibyte.
    fn take_all(pool: &Rc<Pool>, claim: &Claim) -> Vec<Grant> {
        std::iter::from_fn(|| pool.grant(claim.clone(), MIB).now_or_never()).collect()
    }

    #[test]
    fn sessions_that_take_what_they_get_leave_room_for_the_next_one() {
        let pool = Pool::new(64 * MIB);
        let shares: Vec<Rc<Share>> = (0..8).map(|_| Rc::default()).collect();
        let grants: Vec<_> = shares.iter().map(|share| take_all(&pool, &of(share))).collect();
        assert_eq!(grants[0].len(), 12, "one alone has a fifth");
        let left = pool.free.get();
        assert!(left >= 8 * MIB && pool.grant(of(&Rc::default()), left).now_or_never().is_some());
        drop(grants);
        assert_eq!(pool.free.get(), 64 * MIB);
        assert!(shares.iter().all(|share| share.0.get() == 0) && pool.waiting.borrow().is_empty());
    }

    #[test]
    fn the_long_are_not_starved_by_the_short_and_who_has_too_much_is_passed_by() {
        let pool = Pool::new(10 * MIB);
        let [greedy, long, short] = [(); 3].map(|()| Rc::<Share>::default());
        let first = take_all(&pool, &of(&greedy));
        assert_eq!(first.len(), 2);
        let more = &mut Box::pin(pool.grant(of(&greedy), MIB));
        assert!(more.now_or_never().is_none());
        let wanted = &mut Box::pin(pool.grant(of(&long), 9 * MIB));
        assert!(wanted.now_or_never().is_none());
        let behind = &mut Box::pin(pool.grant(of(&short), MIB));
        assert!(behind.now_or_never().is_none(), "it would be first for ever");
        drop(first);
        let got = wanted.now_or_never().unwrap();
        assert!(behind.now_or_never().is_some() || more.now_or_never().is_some());
        drop(got);
    }

    /// One of 2 MiB among many of 1 MiB got nothing for as long as its session had others, and its host reset the unit for all.
    #[test]
    fn the_long_of_one_session_are_not_passed_by_its_own_short_ones() {
        let pool = Pool::new(64 * MIB);
        let share = Rc::<Share>::default();
        let mut has = take_all(&pool, &of(&share));
        let mut long = Box::pin(pool.grant(of(&share), 2 * MIB));
        assert!((&mut long).now_or_never().is_none());
        let mut short = Box::pin(pool.grant(of(&share), MIB));
        assert!((&mut short).now_or_never().is_none());
        drop(has.pop());
        assert!((&mut short).now_or_never().is_none(), "it was asked for later");
        drop(has.pop());
        drop(has.pop());
        assert!(long.now_or_never().is_some());
    }

    /// Whoever stood in the queue at the moment of a look was enough, and honest hosts of a busy array were given up.
    #[test]
    fn who_waits_does_so_for_a_while_before_others_are_held_to_what_they_keep() {
        let looks = |pool: &Pool, count: u32| -> Vec<(bool, usize)> {
            let look = |_| {
                let Shortage { of_all, of_units } = pool.shortage(|_| false);
                (of_all, of_units.len())
            };
            (0..count).map(look).collect()
        };
        let pool = Pool::new(100 * MIB);
        let [nothing, some, unit] = [(); 3].map(|()| Rc::<Share>::default());
        let kept = pool.grant(Claim::default(), 90 * MIB).now_or_never();
        let mut waiting = Box::pin(pool.grant(of(&nothing), 20 * MIB));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(looks(&pool, 2), [(false, 0), (true, 0)], "it has nothing");
        drop((kept, waiting));
        let claim = Claim { session: Some(Rc::clone(&some)), ..Claim::of_unit(&unit) };
        let _kept = pool.grant(Claim::of_unit(&unit), 66 * MIB).now_or_never().unwrap();
        let _has = pool.grant(claim.clone(), MIB).now_or_never().unwrap();
        let mut waiting = Box::pin(pool.grant(claim, MIB));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(
            looks(&pool, 4),
            [(false, 0), (false, 0), (false, 0), (false, 1)],
            "its unit has too much"
        );
        let mut behind = Box::pin(pool.grant(of(&some), 30 * MIB));
        assert!((&mut behind).now_or_never().is_none());
        let mut short = Box::pin(pool.grant(of(&some), 1));
        assert!((&mut short).now_or_never().is_none(), "a long one of its own session is before it");
        assert!(looks(&pool, 6).iter().all(|(of_all, _)| !of_all));
    }

    /// What it would have had of its unit was more than that may have, too, and the other sessions waited for a session that waited for itself.
    #[test]
    fn who_waits_for_its_own_session_is_in_nobodys_way() {
        let pool = Pool::new(100 * MIB);
        let [greedy, other, unit] = [(); 3].map(|()| Rc::<Share>::default());
        let to_unit = |session| Claim { session: Some(Rc::clone(session)), ..Claim::of_unit(&unit) };
        let _has = take_all(&pool, &to_unit(&greedy));
        let mut long = Box::pin(pool.grant(to_unit(&greedy), 60 * MIB));
        assert!((&mut long).now_or_never().is_none());
        let _first = pool.grant(to_unit(&other), MIB).now_or_never().unwrap();
        assert!(pool.grant(to_unit(&other), MIB).now_or_never().is_some());
    }

    #[test]
    fn who_stops_waiting_keeps_nothing() {
        let pool = Pool::new(MIB);
        let [first, second, third] = [(); 3].map(|()| Rc::<Share>::default());
        let has = pool.grant(of(&first), MIB).now_or_never().unwrap();
        let mut given = Box::pin(pool.grant(of(&second), MIB));
        let mut gone = Box::pin(pool.grant(of(&third), MIB));
        assert!((&mut given).now_or_never().is_none() && (&mut gone).now_or_never().is_none());
        drop(gone);
        drop(has);
        drop(given);
        assert_eq!(pool.free.get(), MIB);
        assert!(pool.grant(Claim::default(), MIB).now_or_never().is_some());
    }

    /// A disk that answered nothing kept every other one's hosts from their reads.
    #[test]
    fn a_unit_that_keeps_what_it_gets_leaves_some_for_the_others_and_is_passed_by() {
        let pool = Pool::new(90 * MIB);
        let [hung, healthy] = [(); 2].map(|()| Rc::<Share>::default());
        let take = |claim: &dyn Fn() -> Claim| -> Vec<Grant> {
            std::iter::from_fn(|| pool.grant(claim(), MIB).now_or_never()).collect()
        };
        let kept = take(&|| Claim::of_unit(&hung));
        assert_eq!(kept.len(), 60);
        let of_new = |unit: &Rc<Share>| Claim { session: Some(Rc::default()), ..Claim::of_unit(unit) };
        let firsts = take(&|| of_new(&hung));
        assert_eq!(kept.len() + firsts.len(), 80);
        let more = &mut Box::pin(pool.grant(of_new(&hung), MIB));
        assert!(more.now_or_never().is_none());
        let both = Claim { session: None, units: [Some(Rc::clone(&healthy)), Some(Rc::clone(&hung))] };
        assert!(pool.grant(both, MIB).now_or_never().is_none(), "a copy from or to it");
        assert!(take(&|| of_new(&healthy)).len() >= 8);
        drop((kept, firsts));
        assert!(more.now_or_never().is_some());
    }
}
