//! The history of one lock, and whether it is linearizable: whether all that users were told can have happened one after
//! the other, each at one instant between its asking and its answer, on a lock that a child could draw.
//!
//! The object is a reader-writer lock with tokens. `acquire(exclusive)` needs it free, and gives a token greater than all
//! before; `acquire(shared)` needs no exclusive holder, and gives a token greater than that of the exclusive holder before;
//! `release` gives a hold back. An acquire that was refused, or of which nobody ever heard again, may have happened at any later time
//! or never. So may the release of a holder that died: it may happen at any time from the death on.
//!
//! In general the question needs a search (Wing and Gong: try every operation that may come next, remember what was tried),
//! which is exponential in how many operations overlap. For this object one pass is enough, and it is complete:
//!
//! - *Tokens give the order.* Exclusive holds must stand in the order of their tokens, and each shared hold in the gap
//!   between the two exclusive ones whose tokens enclose its own. Sharers in one gap commute. So there is one order to try.
//! - *Only holds matter.* An acquire that was never granted keeps others out at most; leaving it out of the order never makes the
//!   rest wrong. A release that was answered says no more than one that was not: having it happen as early as possible, when it was
//!   asked for, or when its holder died, makes room for most, and forbids nothing, for an acquire may be refused without a reason.
//! - *Earliest is best.* With the order fixed, each hold's begin is put at the earliest instant that its predecessors allow; a
//!   later one would only leave less room. If the earliest is after the answer, there is none.
//!
//! The tests hold this pass against the search itself, over thousands of small histories.
//!
//! What ends a hold is what its user can see: the release that it asks for, the end of its process, or that its host says it has
//! left or stopped. A lease that ran out ends nothing: whoever is given the lock before the cut-off of a host that is only
//! silent is given it twice (R10), however long it was silent.

use std::fmt;

use oarlock_engine::Want;

use crate::TrueTime;
use crate::census::LifeKey;

/// Holds that are kept. Of more, the older half is taken for settled, and only their outcome stays.
const HOLDS_MAX: usize = 512;

/// One hold on the lock, from the asking for it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The process that was given it.
    pub life: LifeKey,
    /// How.
    pub want: Want,
    /// Whether its host may give the lock out again under the image that took it (R26): then the token need not grow for
    /// the same process.
    pub sticky: bool,
    /// When it was asked for.
    pub invoked: TrueTime,
    /// When it was given.
    pub answered: TrueTime,
    /// The token.
    pub token: u64,
    /// From when on it may be over: [`TrueTime::NEVER`] while it lasts.
    pub over_from: TrueTime,
}

impl fmt::Display for Hold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hold { life, want, invoked, answered, token, .. } = self;
        write!(
            formatter,
            "{}.{} ({want:?}, token {token}, asked at {invoked}, given at {answered}",
            life.0, life.1
        )?;
        match self.over_from {
            TrueTime::NEVER => formatter.write_str(", still held)"),
            over => write!(formatter, ", over from {over})"),
        }
    }
}

/// Why a history is no history of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotLinearizable {
    /// The token of the second is not greater than the first one's, though it must be.
    StaleToken(Hold, Hold),
    /// The second was given before the first can have been over.
    Overlap(Hold, Hold),
}

impl fmt::Display for NotLinearizable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotLinearizable::StaleToken(first, second) => {
                write!(formatter, "the token did not grow from {first} to {second}")
            }
            NotLinearizable::Overlap(first, second) => {
                write!(formatter, "{second} was given while {first} can not have been over")
            }
        }
    }
}

/// What all holds up to some token come to.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    /// The exclusive hold with the greatest token.
    exclusive: Option<Hold>,
    /// The exclusive hold that ends last, and when; and the same of the shared ones.
    last_alone: Option<(TrueTime, Hold)>,
    last_shared: Option<(TrueTime, Hold)>,
    /// The hold with the greatest token.
    newest: Option<Hold>,
}

impl Outcome {
    /// Adds the hold that comes next by its token. What does not fit is not added.
    fn add(&mut self, hold: &Hold) -> Result<(), NotLinearizable> {
        self.check_token(hold)?;
        let after = match hold.want {
            Want::Shared | Want::MultiWriter => self.last_alone,
            Want::Exclusive => later(self.last_alone, self.last_shared),
        };
        let earliest = after.map_or(hold.invoked, |(over, _)| over.max(hold.invoked));
        if let Some((_, holder)) = after
            && earliest > hold.answered
        {
            return Err(NotLinearizable::Overlap(holder, *hold));
        }
        let over = Some((earliest.max(hold.over_from), *hold));
        match hold.want {
            Want::Shared | Want::MultiWriter => self.last_shared = later(self.last_shared, over),
            Want::Exclusive => {
                self.last_alone = later(self.last_alone, over);
                self.exclusive = Some(*hold);
            }
        }
        self.newest = Some(*hold);
        Ok(())
    }

    fn check_token(&self, hold: &Hold) -> Result<(), NotLinearizable> {
        let before = match hold.want {
            Want::Shared | Want::MultiWriter => self.exclusive,
            Want::Exclusive => self.newest,
        };
        let Some(before) = before else { return Ok(()) };
        let again = hold.sticky && before.sticky && before.life == hold.life && before.want == hold.want;
        if hold.token > before.token || (again && hold.token == before.token) {
            return Ok(());
        }
        Err(NotLinearizable::StaleToken(before, *hold))
    }
}

/// The one of two that ends later.
fn later(one: Option<(TrueTime, Hold)>, other: Option<(TrueTime, Hold)>) -> Option<(TrueTime, Hold)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.0 > one.0 { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// The history of one lock.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What settled holds came to.
    settled: Outcome,
    /// The others, by token, and where tokens are equal by when they were given.
    holds: Vec<(u64, Hold)>,
    next: u64,
}

impl History {
    /// A hold was given. The number names it from now on.
    ///
    /// # Errors
    /// Why the history is none any more.
    pub fn given(&mut self, hold: Hold) -> Result<u64, NotLinearizable> {
        let number = self.next;
        self.next += 1;
        let place = self.holds.partition_point(|(_, known)| order(known) <= order(&hold));
        self.holds.insert(place, (number, hold));
        self.check()?;
        self.settle();
        Ok(number)
    }

    /// Its user begins to release it, or its process ended, at this time.
    pub fn over(&mut self, number: u64, at: TrueTime) {
        for (_, hold) in self.holds.iter_mut().filter(|(known, _)| *known == number) {
            hold.over_from = hold.over_from.min(at);
        }
    }

    /// Every hold for which `is_over` says so may be over from this time on.
    pub fn over_where(&mut self, at: TrueTime, is_over: impl Fn(LifeKey) -> bool) {
        for (_, hold) in &mut self.holds {
            if hold.over_from == TrueTime::NEVER && is_over(hold.life) {
                hold.over_from = at;
            }
        }
    }

    /// Whether all that happened can have happened one after the other.
    ///
    /// # Errors
    /// What cannot.
    pub fn check(&self) -> Result<(), NotLinearizable> {
        let mut outcome = self.settled;
        self.holds.iter().try_for_each(|(_, hold)| outcome.add(hold))
    }

    /// Settles the older half of very many, as far as it is over. What comes with an older token then does not fit any more,
    /// and is called stale; hundreds of holds late, it is.
    fn settle(&mut self) {
        if self.holds.len() < HOLDS_MAX {
            return;
        }
        let half = &self.holds[..HOLDS_MAX / 2];
        let over = half.iter().take_while(|(_, hold)| hold.over_from != TrueTime::NEVER).count();
        for (_, hold) in self.holds.drain(..over) {
            // One that does not fit was told of when it came.
            let _ = self.settled.add(&hold);
        }
    }
}

/// Holds stand by their tokens; those of one token by when they were given.
fn order(hold: &Hold) -> (u64, TrueTime) {
    (hold.token, hold.answered)
}

#[cfg(test)]
mod tests;
