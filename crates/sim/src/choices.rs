//! Choices: every decision that chance makes in the world goes through here, so that it can be drawn, replayed or
//! enumerated.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

use crate::FaultKind;
use crate::time::nanoseconds;

/// Choices that a script records at most; a run that makes more is too long to be enumerated, and goes on by default.
pub const RECORDED_CHOICES_MAX: usize = 1 << 20;

/// What a choice is about. Limits of an [`Explorer`](crate::Explorer) are given by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChoiceKind {
    /// Which task or event goes next.
    Schedule,
    /// How long a command takes on its way.
    Latency,
    /// Whether a fault happens here, or which form it takes.
    Fault(FaultKind),
    /// A decision of the workload.
    Workload,
}

impl fmt::Display for ChoiceKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChoiceKind::Schedule => formatter.write_str("schedule"),
            ChoiceKind::Latency => formatter.write_str("latency"),
            ChoiceKind::Fault(kind) => formatter.write_str(kind.name()),
            ChoiceKind::Workload => formatter.write_str("workload"),
        }
    }
}

/// A probability in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerMillion(pub u32);

impl PerMillion {
    /// Never.
    pub const NEVER: PerMillion = PerMillion(0);
    /// Each time.
    pub const ALWAYS: PerMillion = PerMillion(1_000_000);
}

/// Durations between two bounds, the lower one included. Drawn so that each doubling is as likely as the next: most
/// draws are short, and a few are as long as they can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The shortest.
    pub from: Duration,
    /// The longest.
    pub to: Duration,
}

impl Span {
    /// Always the same duration.
    #[must_use]
    pub const fn exactly(duration: Duration) -> Span {
        Span { from: duration, to: duration }
    }

    /// From so many to so many milliseconds.
    #[must_use]
    pub const fn milliseconds(from: u64, to: u64) -> Span {
        Span { from: Duration::from_millis(from), to: Duration::from_millis(to) }
    }

    /// From so many to so many microseconds.
    #[must_use]
    pub const fn microseconds(from: u64, to: u64) -> Span {
        Span { from: Duration::from_micros(from), to: Duration::from_micros(to) }
    }
}

/// One choice that a scripted run made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// What it was about.
    pub kind: ChoiceKind,
    /// How many alternatives there were: at least 2.
    pub arity: usize,
    /// Which was taken; 0 is the default.
    pub taken: usize,
}

/// The source of all chance in one world. A clone is another handle on the same source.
#[derive(Clone)]
pub struct Choices(Rc<RefCell<Source>>);

enum Source {
    Seeded(Xoshiro256PlusPlus),
    Scripted { script: Vec<usize>, made: Vec<Made> },
}

impl Choices {
    /// Drawn from a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Choices {
        Choices(Rc::new(RefCell::new(Source::Seeded(Xoshiro256PlusPlus::seed_from_u64(seed)))))
    }

    /// The choices in `script`, in order, and the default (0) for all after it. What was chosen is recorded. Durations
    /// are never chosen: each is the shortest of its span.
    #[must_use]
    pub fn scripted(script: Vec<usize>) -> Choices {
        Choices(Rc::new(RefCell::new(Source::Scripted { script, made: Vec::new() })))
    }

    /// Whether chance is drawn from a seed, and not enumerated.
    #[must_use]
    pub fn is_seeded(&self) -> bool {
        matches!(*self.0.borrow(), Source::Seeded(_))
    }

    /// One of `alternatives`, from 0; 0 where there are fewer than two. All are equally likely.
    ///
    /// # Panics
    /// When a script names an alternative that is not there: the run is not the one that the script was made for.
    #[must_use]
    pub fn choose(&self, kind: ChoiceKind, alternatives: usize) -> usize {
        if alternatives < 2 {
            return 0;
        }
        match &mut *self.0.borrow_mut() {
            Source::Seeded(generator) => {
                let bound = u64::try_from(alternatives).unwrap_or(u64::MAX);
                usize::try_from(scale(generator.next_u64(), bound)).unwrap_or(0)
            }
            Source::Scripted { script, made } => {
                if made.len() == RECORDED_CHOICES_MAX {
                    return 0;
                }
                let taken = script.get(made.len()).copied().unwrap_or(0);
                assert!(
                    taken < alternatives,
                    "choice {} ({kind}) has {alternatives} alternatives, and the script takes number {taken}: \
                     the run differs from the one that the script was made for",
                    made.len()
                );
                made.push(Made { kind, arity: alternatives, taken });
                taken
            }
        }
    }

    /// Whether something happens that has this probability. A script may have it happen whenever it is possible at all.
    #[must_use]
    pub fn happens(&self, kind: ChoiceKind, probability: PerMillion) -> bool {
        if probability == PerMillion::NEVER {
            return false;
        }
        if let Source::Seeded(generator) = &mut *self.0.borrow_mut() {
            return scale(generator.next_u64(), 1_000_000) < u64::from(probability.0);
        }
        self.choose(kind, 2) == 1
    }

    /// A number below `bound`, or 0 where it is 0; in a script always 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        match &mut *self.0.borrow_mut() {
            Source::Seeded(generator) => scale(generator.next_u64(), bound),
            Source::Scripted { .. } => 0,
        }
    }

    /// A duration of the span; in a script its shortest.
    #[must_use]
    pub fn duration(&self, span: Span) -> Duration {
        let (from, to) = (nanoseconds(span.from), nanoseconds(span.to));
        if from >= to {
            return span.from;
        }
        let Source::Seeded(generator) = &mut *self.0.borrow_mut() else { return span.from };
        // From 1 microsecond on each doubling is one octave; a single draw serves the octave and the place in it.
        let floor = from.max(1_000);
        let octaves = (to / floor).max(1).ilog2() + 1;
        let bits = generator.next_u64();
        let octave = scale(bits << 32, u64::from(octaves));
        let low = floor << octave;
        let high = (low << 1).min(to).max(low + 1);
        let drawn = low + scale(bits >> 32 << 32, high - low);
        Duration::from_nanos(if octave == 0 { drawn.saturating_sub(floor - from) } else { drawn })
    }

    /// The choices that a scripted run made, in order; empty for a seeded one.
    #[must_use]
    pub fn made(&self) -> Vec<Made> {
        match &*self.0.borrow() {
            Source::Seeded(_) => Vec::new(),
            Source::Scripted { made, .. } => made.clone(),
        }
    }
}

/// `bits` of 2^64 parts of `bound`: a number below `bound` that is as random as `bits`.
pub(crate) fn scale(bits: u64, bound: u64) -> u64 {
    let product = u128::from(bits) * u128::from(bound);
    u64::try_from(product >> 64).unwrap_or(0)
}

/// Mixes a seed with the numbers of what it is for, so that streams of neighbours have nothing in common.
pub(crate) fn mix(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |state, part| {
        // The finalizer of SplitMix64.
        let mut mixed = state.wrapping_add(*part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_followed_and_recorded_and_the_rest_is_default() {
        let choices = Choices::scripted(vec![1, 2]);
        let taken: Vec<usize> =
            [2, 1, 3, 4].iter().map(|arity| choices.choose(ChoiceKind::Workload, *arity)).collect();
        assert_eq!(taken, [1, 0, 2, 0], "a choice with one alternative is none");
        let arities: Vec<usize> = choices.made().iter().map(|made| made.arity).collect();
        assert_eq!(arities, [2, 3, 4]);
    }

    #[test]
    #[should_panic(expected = "the run differs")]
    fn a_script_of_another_run_is_refused() {
        let _ = Choices::scripted(vec![5]).choose(ChoiceKind::Workload, 2);
    }

    #[test]
    fn durations_stay_in_their_span_and_reach_both_ends_of_it() {
        let choices = Choices::seeded(1);
        for span in [
            Span::microseconds(50, 150),
            Span::milliseconds(0, 60_000),
            Span { from: Duration::from_nanos(3), to: Duration::from_nanos(2_000) },
        ] {
            let drawn: Vec<Duration> = (0..20_000).map(|_| choices.duration(span)).collect();
            assert!(drawn.iter().all(|duration| (span.from..=span.to).contains(duration)), "{span:?}");
            let (shortest, longest) = (drawn.iter().min(), drawn.iter().max());
            assert!(shortest.is_some_and(|shortest| *shortest <= span.from + span.to / 20), "{shortest:?}");
            assert!(longest.is_some_and(|longest| *longest >= span.to / 100 * 50), "{span:?} {longest:?}");
        }
    }

    #[test]
    fn a_probability_is_met_within_a_tenth() {
        let choices = Choices::seeded(2);
        let count =
            (0..100_000).filter(|_| choices.happens(ChoiceKind::Workload, PerMillion(100_000))).count();
        assert!((9_000..11_000).contains(&count), "{count}");
    }
}
