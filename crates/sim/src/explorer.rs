//! The explorer: runs a small world once for every sequence of choices within bounds, depth first.

use crate::{ChoiceKind, Choices, Made};

/// How far an exploration goes. A bound on the choices that are not the default ones (a "delay bound") is what makes
/// the number of schedules finite and small: most bugs need one or two.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Choices other than the default in one run, over all kinds that have no limit of their own.
    pub non_default_max: usize,
    /// Kinds with a limit of their own, that do not count towards the general one.
    pub non_default_max_of: Vec<(ChoiceKind, usize)>,
    /// Choices from the start of a run among which alternatives are tried.
    pub depth_max: usize,
    /// Runs in all.
    pub schedules_max: u64,
}

impl Limits {
    /// Every schedule, up to `schedules_max` of them.
    #[must_use]
    pub fn unbounded(schedules_max: u64) -> Limits {
        Limits {
            non_default_max: usize::MAX,
            non_default_max_of: Vec::new(),
            depth_max: crate::RECORDED_CHOICES_MAX,
            schedules_max,
        }
    }

    /// The place of `kind` in a table of counts: the general limit has the last place.
    fn place(&self, kind: ChoiceKind) -> usize {
        let own = self.non_default_max_of.iter().position(|(limited, _)| *limited == kind);
        own.unwrap_or(self.non_default_max_of.len())
    }

    fn limit(&self, place: usize) -> usize {
        self.non_default_max_of.get(place).map_or(self.non_default_max, |(_, limit)| *limit)
    }
}

/// A schedule that a run called wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<V> {
    /// What [`Choices::scripted`] takes to run it again.
    pub script: Vec<usize>,
    /// What the run said.
    pub violation: V,
}

/// What an exploration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exploration<V> {
    /// Runs made, the violating one included.
    pub schedules: u64,
    /// The most choices that one run made.
    pub choices_max: usize,
    /// Whether a run made choices beyond the depth, whose alternatives were not tried.
    pub depth_exceeded: bool,
    /// Whether every schedule within the limits was run; false after a violation or where the runs were used up.
    pub complete: bool,
    /// The first schedule that was wrong.
    pub found: Option<Found<V>>,
}

/// Enumerates schedules.
#[derive(Clone, Debug)]
pub struct Explorer {
    limits: Limits,
}

impl Explorer {
    /// An explorer within these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Explorer {
        Explorer { limits }
    }

    /// Calls `run` once for each schedule, with the choices that make it; stops at the first error. `run` builds its
    /// world anew each time, and must depend on nothing but the choices.
    pub fn explore<V>(&self, mut run: impl FnMut(Choices) -> Result<(), V>) -> Exploration<V> {
        let mut exploration =
            Exploration { schedules: 0, choices_max: 0, depth_exceeded: false, complete: false, found: None };
        let mut script = Vec::new();
        while exploration.schedules < self.limits.schedules_max {
            let choices = Choices::scripted(script);
            let outcome = run(choices.clone());
            let made = choices.made();
            exploration.schedules += 1;
            exploration.choices_max = exploration.choices_max.max(made.len());
            exploration.depth_exceeded |= made.len() > self.limits.depth_max;
            if let Err(violation) = outcome {
                let script = made.iter().map(|made| made.taken).collect();
                exploration.found = Some(Found { script, violation });
                return exploration;
            }
            match self.next_script(&made) {
                Some(next) => script = next,
                None => {
                    exploration.complete = true;
                    return exploration;
                }
            }
        }
        exploration
    }

    /// The script after the one that made these choices, in depth-first order; `None` after the last.
    fn next_script(&self, made: &[Made]) -> Option<Vec<usize>> {
        let made = &made[..made.len().min(self.limits.depth_max)];
        let mut counts = vec![0_usize; self.limits.non_default_max_of.len() + 1];
        for choice in made.iter().filter(|choice| choice.taken > 0) {
            counts[self.limits.place(choice.kind)] += 1;
        }
        for (position, choice) in made.iter().enumerate().rev() {
            let place = self.limits.place(choice.kind);
            if choice.taken > 0 {
                counts[place] -= 1;
            }
            if choice.taken + 1 < choice.arity && counts[place] < self.limits.limit(place) {
                let mut script: Vec<usize> = made[..position].iter().map(|made| made.taken).collect();
                script.push(choice.taken + 1);
                return Some(script);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultKind;

    const CRASH: ChoiceKind = ChoiceKind::Fault(FaultKind::Crash);

    fn count(limits: Limits, arities: &[(ChoiceKind, usize)]) -> u64 {
        let exploration = Explorer::new(limits).explore(|choices| {
            for (kind, arity) in arities {
                let _ = choices.choose(*kind, *arity);
            }
            Ok::<(), ()>(())
        });
        assert!(exploration.complete);
        exploration.schedules
    }

    #[test]
    fn every_sequence_of_choices_is_run_once() {
        let mut seen = Vec::new();
        let exploration = Explorer::new(Limits::unbounded(100)).explore(|choices| {
            let first = choices.choose(ChoiceKind::Schedule, 3);
            let second = if first == 1 { choices.choose(ChoiceKind::Schedule, 2) } else { 0 };
            seen.push((first, second));
            Ok::<(), ()>(())
        });
        assert_eq!(seen, [(0, 0), (1, 0), (1, 1), (2, 0)]);
        assert!(exploration.complete && exploration.found.is_none());
    }

    #[test]
    fn the_bound_counts_choices_that_are_not_the_default() {
        let five = [(ChoiceKind::Schedule, 2); 5];
        let bounded = |non_default_max| Limits { non_default_max, ..Limits::unbounded(100) };
        assert_eq!(count(bounded(0), &five), 1);
        assert_eq!(count(bounded(1), &five), 1 + 5);
        assert_eq!(count(bounded(2), &five), 1 + 5 + 10);
        assert_eq!(count(bounded(5), &five), 32);
        assert_eq!(count(bounded(1), &[(ChoiceKind::Schedule, 4); 3]), 1 + 3 * 3);
    }

    #[test]
    fn a_kind_with_its_own_limit_does_not_count_towards_the_general_one() {
        let choices = [(ChoiceKind::Schedule, 2), (CRASH, 2), (ChoiceKind::Schedule, 2), (CRASH, 2)];
        let limits =
            Limits { non_default_max: 1, non_default_max_of: vec![(CRASH, 1)], ..Limits::unbounded(100) };
        assert_eq!(count(limits, &choices), (1 + 2) * (1 + 2));
    }

    #[test]
    fn an_exploration_that_was_cut_short_says_so() {
        let run = |choices: Choices| {
            let _ = (choices.choose(ChoiceKind::Schedule, 2), choices.choose(ChoiceKind::Schedule, 2));
            Ok::<(), ()>(())
        };
        let short = Explorer::new(Limits::unbounded(3)).explore(run);
        assert_eq!((short.schedules, short.complete), (3, false));
        let shallow = Explorer::new(Limits { depth_max: 1, ..Limits::unbounded(9) }).explore(run);
        assert_eq!((shallow.schedules, shallow.complete, shallow.depth_exceeded), (2, true, true));
    }
}
