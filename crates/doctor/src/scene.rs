//! The scene: all facts in the order of time, and what it means that two of them are near each other.

use std::cmp::Ordering;

use crate::advisory::Advisories;
use crate::fact::Fact;
use crate::knowledge::Knowledge;
use crate::ledger::Ledger;
use crate::names::Names;
use crate::offset::Clocks;
use crate::stamp::Axis;
use crate::ties::Ties;

/// A line without a time is near another of the same input within so many lines.
pub const NEAR_LINES: u64 = 60;

/// All facts in the order of time.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The facts.
    pub facts: &'a [Fact],
    /// Their names.
    pub names: &'a Names,
    /// What is known of the hosts' clocks; the facts are shifted already.
    pub clocks: &'a Clocks,
    /// Published faults.
    pub advisories: &'a Advisories,
    /// The names of one LUN; the facts have its first name already.
    pub ties: &'a Ties,
    /// What one line tells for all others.
    pub knowledge: &'a Knowledge,
    /// Lines that were read.
    pub lines: u64,
}

impl<'a> Scene<'a> {
    /// The scene of what was read: puts the facts into the order of time.
    pub fn set(ledger: &'a mut Ledger, advisories: &'a Advisories) -> Scene<'a> {
        ledger.part_hosts();
        crate::ties::settle(ledger);
        ledger.settle_units();
        let newest_first = crate::timeline::settle(ledger);
        ledger.settle_rotation();
        ledger.facts_mut().sort_by(order);
        crate::volumes::settle(ledger.facts_mut());
        ledger.knowledge = Knowledge::of(ledger.facts());
        ledger.knowledge.newest_first = newest_first;
        ledger.knowledge.ports = std::mem::take(&mut ledger.ports);
        ledger.knowledge.drivers = std::mem::take(&mut ledger.drivers);
        Scene {
            facts: ledger.facts(),
            names: &ledger.names,
            clocks: &ledger.clocks,
            advisories,
            ties: &ledger.ties,
            knowledge: &ledger.knowledge,
            lines: ledger.lines,
        }
    }
}

impl Scene<'_> {
    /// Whether the line of the later time stands first in their common log: its clock was set back there, by hand or at the end of summer, and the order of
    /// the lines is the true one.
    #[must_use]
    pub fn is_set_back(&self, earlier: &Fact, later: &Fact) -> bool {
        earlier.place.input == later.place.input
            && earlier.place.line > later.place.line
            && !self.knowledge.newest_first.contains(&earlier.place.input)
    }
}

/// Earlier first; facts that cannot be compared by time stand in the order of reading, behind those that can.
fn order(one: &Fact, other: &Fact) -> Ordering {
    let key =
        |fact: &Fact| (fact.when.map_or((Axis::Boot, i64::MAX), |when| (when.axis, when.micros)), fact.place);
    key(one).cmp(&key(other))
}

/// Microseconds from the end of `earlier` to the beginning of `later`; `None` where their times cannot be compared.
#[must_use]
pub fn gap_us(earlier: &Fact, later: &Fact) -> Option<i64> {
    later.when?.since(&earlier.last?)
}

/// Whether two facts are within `window_us` of each other, or, without times, a few lines apart in one input.
#[must_use]
pub fn near(one: &Fact, other: &Fact, window_us: i64) -> bool {
    match (one.when, other.when) {
        (Some(when), Some(then)) if when.axis == then.axis => {
            let (one_last, other_last) = (one.last.unwrap_or(when), other.last.unwrap_or(then));
            // Between the end of the earlier and the beginning of the later; overlapping facts are near.
            let apart = (then.micros - one_last.micros).max(when.micros - other_last.micros);
            apart <= window_us
        }
        (Some(_), Some(_)) => false,
        _ => {
            one.place.input == other.place.input
                && one.place.line.abs_diff(other.place.line) <= NEAR_LINES
                && !is_long_behind_a_first_line(one, other, window_us)
        }
    }
}

/// Whether one of two is a first line that lost its time, and the other was written long behind the line that follows it: whatever the first line's time was,
/// it is no nearer.
fn is_long_behind_a_first_line(one: &Fact, other: &Fact, window_us: i64) -> bool {
    let of_one = one.when.is_some() != other.when.is_some();
    let times = one.when.or(one.last).zip(other.when.or(other.last));
    of_one && times.and_then(|(one, other)| one.since(&other)).is_some_and(|us| us.abs() > window_us)
}

/// Whether `one` was written before `other`, as far as can be told: by time, else by their lines.
#[must_use]
pub fn before(one: &Fact, other: &Fact) -> bool {
    match gap_us(one, other) {
        Some(0) | None => one.place.input == other.place.input && one.place.line < other.place.line,
        Some(gap) => one.when.zip(other.when).map_or(gap > 0, |(one, other)| one.micros < other.micros),
    }
}

/// Whether two facts may be of one host: the same, or one of them does not say.
#[must_use]
pub fn same_host(one: &Fact, other: &Fact) -> bool {
    one.host.is_none() || other.host.is_none() || one.host == other.host
}
