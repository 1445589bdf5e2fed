//! Lays the times of several logs over one another: years that syslog leaves out, and clocks that differ.

use std::collections::{BTreeMap, BTreeSet};

use crate::civil::{self, DAY_US};
use crate::fact::{Fact, InputId};
use crate::ledger::Ledger;
use crate::names::Name;
use crate::offset::Offset;
use crate::stamp::{Axis, Stamp};

/// A log that goes back by more than this went over New Year.
const TURN_US: i64 = 300 * DAY_US;

/// One without dates that goes back by more than this went over midnight.
const TURN_OF_DAY_US: i64 = DAY_US / 2;

/// Puts times without a year on the axis of those with one, where there are some: each into the year that brings it
/// nearest to them; then all hosts on one clock, where common events tell how theirs differ. The answer are the inputs that stand newest first.
pub fn settle(ledger: &mut Ledger) -> BTreeSet<InputId> {
    turn_years(ledger.facts_mut());
    turn_days(ledger.facts_mut());
    // A file's own dates tell more of its year than those of other files, which may be of other years.
    let mut newest_of: BTreeMap<InputId, i64> = BTreeMap::new();
    for fact in ledger.facts() {
        if let Some(when) = fact.when.filter(|when| when.axis == Axis::Wall) {
            let newest = newest_of.entry(fact.place.input).or_insert(when.micros);
            *newest = when.micros.max(*newest);
        }
    }
    if let Some(&newest) = newest_of.values().max() {
        for fact in ledger.facts_mut() {
            let own = newest_of.get(&fact.place.input).copied();
            dress(fact, own.unwrap_or(newest));
        }
    }
    crate::zoneless::settle(ledger.facts_mut());
    let clocks = crate::offset::find(ledger.facts());
    if !clocks.offsets.is_empty() {
        for fact in ledger.facts_mut() {
            shift(fact, &clocks.offsets);
        }
    }
    ledger.clocks = clocks;
    let steps = std::mem::take(&mut ledger.steps);
    straighten(ledger.facts_mut(), &steps)
}

/// Where a log without years goes from December to January, another year begins.
fn turn_years(facts: &mut [Fact]) {
    let mut last: Option<(InputId, i64)> = None;
    let mut years = 0;
    for fact in facts {
        let Some(when) = fact.when.filter(|when| when.axis == Axis::Yearless) else { continue };
        match last.replace((fact.place.input, when.micros)) {
            Some((input, then)) if input == fact.place.input => {
                years += i64::from(when.micros < then - TURN_US);
            }
            _ => years = 0,
        }
        for stamp in [&mut fact.when, &mut fact.last].into_iter().flatten().filter(|_| years > 0) {
            let (year, month, day) = civil::date(stamp.micros.div_euclid(DAY_US));
            stamp.micros = civil::days(year + years, month, day) * DAY_US + stamp.micros.rem_euclid(DAY_US);
        }
    }
}

/// Where a log without dates goes from evening to morning, another day begins.
fn turn_days(facts: &mut [Fact]) {
    let mut last: Option<(InputId, i64)> = None;
    let mut days = 0;
    for fact in facts {
        let Some(when) = fact.when.filter(|when| when.axis == Axis::Day) else { continue };
        match last.replace((fact.place.input, when.micros)) {
            Some((input, then)) if input == fact.place.input => {
                days += i64::from(when.micros < then - TURN_OF_DAY_US)
            }
            _ => days = 0,
        }
        for stamp in [&mut fact.when, &mut fact.last].into_iter().flatten() {
            stamp.micros += days * DAY_US;
        }
    }
}

/// The inputs whose lines stand newest first, as log servers export them. What stands there at one moment, a whole second in many logs, was written in
/// the order from the last line to the first, and is put a microsecond apart. Where two facts are all that a log tells, the lines around them tell more: a clock that was
/// set back goes back once.
fn straighten(facts: &mut [Fact], around: &BTreeMap<InputId, (usize, usize)>) -> BTreeSet<InputId> {
    let mut steps: BTreeMap<InputId, (Option<Stamp>, usize, usize)> = BTreeMap::new();
    for fact in facts.iter() {
        let Some(when) = fact.when else { continue };
        let (last, falls, rises) = steps.entry(fact.place.input).or_default();
        let apart = last.replace(when).and_then(|last| when.since(&last)).unwrap_or(0);
        *falls += usize::from(apart < 0);
        *rises += usize::from(apart > 0);
    }
    let newest_first: BTreeSet<InputId> = steps
        .into_iter()
        .filter(|(input, (_, falls, rises))| {
            let (more_falls, more_rises) = around.get(input).copied().unwrap_or_default();
            falls + more_falls > rises + more_rises
        })
        .map(|(input, _)| input)
        .collect();
    let mut moment: Option<(InputId, Stamp, i64)> = None;
    for fact in facts.iter_mut().rev().filter(|fact| newest_first.contains(&fact.place.input)) {
        let Some(when) = fact.when else { continue };
        let rank = match moment {
            Some((input, then, rank)) if input == fact.place.input && then == when => rank + 1,
            _ => 0,
        };
        moment = Some((fact.place.input, when, rank));
        for stamp in [&mut fact.when, &mut fact.last].into_iter().flatten() {
            stamp.micros += rank;
        }
    }
    newest_first
}

fn dress(fact: &mut Fact, newest: i64) {
    for stamp in [&mut fact.when, &mut fact.last].into_iter().flatten() {
        if stamp.axis == Axis::Yearless {
            *stamp = Stamp { micros: with_year(stamp.micros, newest), axis: Axis::Wall, ..*stamp };
        }
    }
}

fn shift(fact: &mut Fact, offsets: &BTreeMap<Name, Offset>) {
    let Some(offset) = fact.host.and_then(|host| offsets.get(&host)) else { return };
    for stamp in [&mut fact.when, &mut fact.last].into_iter().flatten() {
        if stamp.axis == Axis::Wall {
            stamp.micros -= offset.ahead_us;
        }
    }
}

fn with_year(micros: i64, newest: i64) -> i64 {
    let (_, month, day) = civil::date(micros.div_euclid(DAY_US));
    let time = micros.rem_euclid(DAY_US);
    let (year, _, _) = civil::date(newest.div_euclid(DAY_US));
    let in_year = |year| civil::days(year, month, day) * DAY_US + time;
    let years = [year - 1, year, year + 1].map(in_year);
    years.into_iter().min_by_key(|micros| micros.abs_diff(newest)).unwrap_or(micros)
}
