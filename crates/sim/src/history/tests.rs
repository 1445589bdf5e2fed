//! The pass against hand-made bad histories, and against the search that it stands for.

use std::collections::BTreeSet;

use super::*;
use crate::choices::scale;
use crate::{HostIndex, Life};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

fn at(second: u64) -> TrueTime {
    TrueTime::from_nanoseconds(second)
}

/// A hold of a host's first process, that lasts.
fn hold(host: u16, want: Want, token: u64, asked_and_given: (u64, u64)) -> Hold {
    Hold {
        life: (HostIndex(host), Life(0)),
        want,
        sticky: false,
        invoked: at(asked_and_given.0),
        answered: at(asked_and_given.1),
        token,
        over_from: TrueTime::NEVER,
    }
}

fn alone(host: u16, token: u64, times: (u64, u64)) -> Hold {
    hold(host, Want::Exclusive, token, times)
}

fn shared(host: u16, token: u64, times: (u64, u64)) -> Hold {
    hold(host, Want::Shared, token, times)
}

fn until(hold: Hold, over: u64) -> Hold {
    Hold { over_from: at(over), ..hold }
}

fn judged(holds: &[Hold]) -> Result<(), NotLinearizable> {
    let mut history = History::default();
    holds.iter().try_for_each(|hold| history.given(*hold).map(|_| ()))?;
    history.check()
}

#[test]
fn owners_one_after_the_other_and_sharers_beside_one_another_are_a_history() {
    let holds = [
        until(alone(1, 3, (0, 2)), 5),
        // Asked for while the first held it, and given when that one had asked for its release.
        until(shared(2, 5, (1, 6)), 9),
        until(shared(3, 6, (4, 7)), 8),
        // Told its token late, and smaller than that of the other sharer: sharers commute.
        until(shared(1, 4, (6, 8)), 9),
        alone(2, 10, (7, 11)),
    ];
    assert_eq!(judged(&holds), Ok(()));
}

#[test]
fn a_lock_that_is_given_twice_is_no_history() {
    let found = judged(&[alone(1, 3, (0, 2)), alone(2, 4, (3, 5))]);
    assert!(matches!(found, Err(NotLinearizable::Overlap(..))), "{found:?}");
}

#[test]
fn a_sharer_beside_an_owner_is_no_history_whoever_came_first() {
    for holds in [[alone(1, 3, (0, 2)), shared(2, 4, (3, 5))], [shared(1, 3, (0, 2)), alone(2, 4, (3, 5))]] {
        let found = judged(&holds);
        assert!(matches!(found, Err(NotLinearizable::Overlap(..))), "{found:?}");
    }
}

#[test]
fn a_token_that_did_not_grow_is_no_history_though_nobody_held_the_lock() {
    let first = until(alone(1, 7, (0, 1)), 2);
    for stale in [alone(2, 7, (3, 4)), shared(2, 7, (3, 4))] {
        let found = judged(&[first, stale]);
        assert!(matches!(found, Err(NotLinearizable::StaleToken(..))), "{found:?}");
    }
    // A smaller one says that it came first, and it was asked for only afterwards.
    let found = judged(&[first, alone(2, 6, (3, 4))]);
    assert!(matches!(found, Err(NotLinearizable::Overlap(..))), "{found:?}");
}

#[test]
fn an_owner_whose_release_is_unknown_and_who_goes_on_beside_the_next_one_is_no_history() {
    // The release of token 3 got no answer; read back, the record still showed its owner, and the lock was used on. Then it
    // landed, and the next one came.
    let used_on = [until(alone(1, 3, (0, 1)), 2), alone(1, 3, (4, 5)), alone(2, 5, (5, 6))];
    let found = judged(&used_on);
    assert!(matches!(found, Err(NotLinearizable::StaleToken(..))), "{found:?}");
}

#[test]
fn a_holder_that_is_only_silent_still_holds_and_one_that_died_does_not() {
    let mut history = History::default();
    let first = history.given(alone(1, 3, (0, 1))).unwrap();
    let next = alone(2, 4, (2, 30));
    assert!(history.clone().given(next).is_err(), "nobody knows that it ended");
    history.over(first, at(20));
    assert!(history.given(next).is_ok());
}

#[test]
fn a_sticky_lock_is_given_again_under_its_token_to_its_own_host_alone() {
    let sticky = |hold: Hold| Hold { sticky: true, ..hold };
    let first = sticky(until(alone(1, 3, (0, 1)), 2));
    assert_eq!(judged(&[first, sticky(alone(1, 3, (3, 4)))]), Ok(()));
    assert!(judged(&[first, sticky(alone(2, 3, (3, 4)))]).is_err());
    assert!(judged(&[first, alone(1, 3, (3, 4))]).is_err());
}

#[test]
fn what_very_many_holds_came_to_is_kept_when_they_are_settled() {
    let mut history = History::default();
    let count = 3 * HOLDS_MAX as u64;
    for number in 0..count {
        let times = (10 * number, 10 * number + 1);
        let given = history.given(alone(1, number, times)).unwrap();
        history.over(given, at(10 * number + 5));
    }
    assert!(history.holds.len() < HOLDS_MAX);
    assert!(
        history.given(alone(2, count, (10 * count - 9, 10 * count - 6))).is_err(),
        "the last one still held it"
    );
}

/// Wing and Gong's search: whether some order of all grants, and of as many releases as it takes, is lawful for the lock
/// and keeps the order of what did not overlap. What was tried is remembered by what was done: the lock's state depends on
/// nothing else.
struct Search<'a> {
    holds: &'a [Hold],
    tried: BTreeSet<(u32, u32)>,
}

impl Search<'_> {
    fn finds(&mut self, granted: u32, released: u32) -> bool {
        if granted.count_ones() as usize == self.holds.len() {
            return true;
        }
        if !self.tried.insert((granted, released)) {
            return false;
        }
        // Nothing comes next that was asked for after another, which did not come yet, was answered.
        let waiting = self.holds.iter().enumerate().filter(|(index, _)| granted & 1 << index == 0);
        let limit = waiting.map(|(_, hold)| hold.answered).min().unwrap_or(TrueTime::NEVER);
        (0..self.holds.len()).any(|index| {
            let (bit, hold) = (1 << index, &self.holds[index]);
            if granted & bit == 0 {
                hold.invoked <= limit
                    && self.may(granted, released, hold)
                    && self.finds(granted | bit, released)
            } else {
                let asked = hold.over_from != TrueTime::NEVER && hold.over_from <= limit;
                released & bit == 0 && asked && self.finds(granted, released | bit)
            }
        })
    }

    /// Whether the lock as it is by now may be given like this.
    fn may(&self, granted: u32, released: u32, next: &Hold) -> bool {
        self.holds.iter().enumerate().filter(|(index, _)| granted & 1 << index != 0).all(|(index, hold)| {
            let shares = hold.want == Want::Shared && next.want == Want::Shared;
            let gone = released & 1 << index != 0;
            shares || (gone && next.token > hold.token)
        })
    }
}

#[test]
fn the_one_pass_finds_what_the_search_finds() {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut below = |bound| scale(generator.next_u64(), bound);
    let mut seen = [0_u32; 2];
    for _ in 0..40_000 {
        let holds: Vec<Hold> = (0..2 + below(5))
            .map(|number| {
                let invoked = number * 2 + below(6);
                let answered = invoked + below(5);
                let want = if below(2) == 0 { Want::Shared } else { Want::Exclusive };
                // Mostly in the order of asking, and now and then not.
                let token = 2 * number + below(3);
                let held = hold(1, want, token, (invoked, answered));
                if below(8) == 0 { held } else { until(held, answered + below(4)) }
            })
            .collect();
        let mut search = Search { holds: &holds, tried: BTreeSet::new() };
        let expected = search.finds(0, 0);
        assert_eq!(judged_at_the_end(&holds).is_ok(), expected, "{holds:#?}");
        seen[usize::from(expected)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 4_000), "{seen:?}: too few of one kind prove nothing");
}

/// As `judged`, where every hold is known before anything is judged.
fn judged_at_the_end(holds: &[Hold]) -> Result<(), NotLinearizable> {
    let holds = holds.iter().map(|hold| (0, *hold)).collect();
    let mut history = History { holds, ..History::default() };
    history.holds.sort_by_key(|(_, hold)| order(hold));
    history.check()
}
