//! Lays the times of several logs over one another: years that syslog leaves out, and clocks that differ.

use std::collections::BTreeMap;

use crate::civil::{self, DAY_US};
use crate::fact::{Fact, InputId};
use crate::ledger::Ledger;
use crate::names::Name;
use crate::stamp::{Axis, Stamp};

/// Puts times without a year on the axis of those with one, where there are some: each into the year that brings it
/// nearest to them; then all hosts on one clock, where common events tell how theirs differ.
pub fn settle(ledger: &mut Ledger) {
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
    let offsets = crate::offset::find(ledger.facts());
    if !offsets.is_empty() {
        for fact in ledger.facts_mut() {
            shift(fact, &offsets);
        }
    }
    ledger.offsets = offsets;
}

fn dress(fact: &mut Fact, newest: i64) {
    for stamp in [&mut fact.when, &mut fact.last].into_iter().flatten() {
        if stamp.axis == Axis::Yearless {
            *stamp = Stamp { micros: with_year(stamp.micros, newest), axis: Axis::Wall, ..*stamp };
        }
    }
}

fn shift(fact: &mut Fact, offsets: &BTreeMap<Name, i64>) {
    let Some(offset) = fact.host.and_then(|host| offsets.get(&host)) else { return };
    for stamp in [&mut fact.when, &mut fact.last].into_iter().flatten() {
        if stamp.axis == Axis::Wall {
            stamp.micros -= offset;
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
