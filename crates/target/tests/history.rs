//! Whether a history of one register is linearizable: whether its acts could have happened one after the other, each between its
//! invocation and its answer (Herlihy and Wing; searched as Wing and Gong do, with what was tried kept in mind, as Lowe does).

use std::collections::HashSet;

/// What was asked, and what was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Read {
        found: u64,
    },
    Write {
        new: u64,
    },
    CompareAndWrite {
        old: u64,
        new: u64,
        wrote: bool,
    },
    /// ORWRITE: bits that are set.
    Or {
        bits: u64,
    },
}

impl Act {
    /// The register after the act, where the act can have happened to `value`.
    fn apply(self, value: u64) -> Option<u64> {
        match self {
            Act::Read { found } => (found == value).then_some(value),
            Act::Write { new } => Some(new),
            Act::Or { bits } => Some(value | bits),
            Act::CompareAndWrite { old, new, wrote: true } => (old == value).then_some(new),
            Act::CompareAndWrite { old, wrote: false, .. } => (old != value).then_some(value),
        }
    }
}

/// An act, and when it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) invoked: u128,
    pub(crate) answered: u128,
    pub(crate) act: Act,
}

/// How far a search has got: how many acts of each session have happened, and what the register has.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Reached {
    done: Vec<usize>,
    value: u64,
}

/// Whether the acts of sessions, each of which did one after the other, can be put in one order that explains what each of them
/// saw, from `first` on.
pub(crate) fn is_linearizable(sessions: &[Vec<Event>], first: u64) -> bool {
    let mut tried = HashSet::new();
    let mut open = vec![Reached { done: vec![0; sessions.len()], value: first }];
    while let Some(reached) = open.pop() {
        let next = || sessions.iter().zip(&reached.done).map(|(events, done)| events.get(*done));
        // What happens next was invoked before anything that is left was answered.
        let Some(answered_first) = next().flatten().map(|event| event.answered).min() else { return true };
        for (session, event) in next().enumerate() {
            let Some(event) = event.filter(|event| event.invoked <= answered_first) else { continue };
            if let Some(value) = event.act.apply(reached.value) {
                let mut further = Reached { done: reached.done.clone(), value };
                further.done[session] += 1;
                if tried.insert(further.clone()) {
                    open.push(further);
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Act, Event};

    fn event(invoked: u128, answered: u128, act: Act) -> Event {
        Event { invoked, answered, act }
    }

    /// Each of the events by a session of its own.
    fn is_linearizable(events: &[Event], first: u64) -> bool {
        super::is_linearizable(&events.iter().map(|event| vec![*event]).collect::<Vec<_>>(), first)
    }

    #[test]
    fn acts_at_once_may_be_in_either_order() {
        let write = event(0, 10, Act::Write { new: 1 });
        for found in [0, 1] {
            assert!(is_linearizable(&[write, event(2, 8, Act::Read { found })], 0));
        }
        assert!(!is_linearizable(&[write, event(2, 8, Act::Read { found: 2 })], 0));
    }

    #[test]
    fn what_was_answered_before_another_was_invoked_happened_before_it() {
        let write = event(0, 1, Act::Write { new: 1 });
        assert!(is_linearizable(&[write, event(2, 3, Act::Read { found: 1 })], 0));
        assert!(!is_linearizable(&[write, event(2, 3, Act::Read { found: 0 })], 0));
    }

    #[test]
    fn a_lost_update_is_found() {
        let both = |wrote| {
            [
                event(0, 5, Act::CompareAndWrite { old: 0, new: 1, wrote: true }),
                event(1, 6, Act::CompareAndWrite { old: 0, new: 2, wrote }),
            ]
        };
        assert!(is_linearizable(&both(false), 0));
        assert!(!is_linearizable(&both(true), 0), "both compared with one value, and both wrote");
    }

    #[test]
    fn a_value_that_comes_back_from_the_dead_is_found() {
        let history = [
            event(0, 1, Act::Write { new: 1 }),
            event(2, 3, Act::Write { new: 2 }),
            event(4, 5, Act::Read { found: 2 }),
            event(6, 7, Act::Read { found: 1 }),
        ];
        assert!(!is_linearizable(&history, 0));
        assert!(is_linearizable(&history[..3], 0));
    }

    #[test]
    fn a_false_miscompare_is_found() {
        let failed = Act::CompareAndWrite { old: 0, new: 1, wrote: false };
        assert!(!is_linearizable(&[event(0, 1, failed)], 0));
        assert!(is_linearizable(&[event(0, 5, failed), event(1, 2, Act::Write { new: 9 })], 0));
    }
}
