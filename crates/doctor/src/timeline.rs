//! Lays the times of several logs over one another: years that syslog leaves out.

use crate::civil::{self, DAY_US};
use crate::fact::Fact;
use crate::ledger::Ledger;
use crate::stamp::{Axis, Stamp, YEARLESS_YEAR};

/// Puts times without a year on the axis of those with one, where there are some: each into the year that brings it
/// nearest to them.
pub fn settle(ledger: &mut Ledger) {
    let dated = ledger.facts().iter().filter_map(|fact| fact.when).filter(|when| when.axis == Axis::Wall);
    let Some(newest) = dated.map(|when| when.micros).max() else { return };
    for fact in ledger.facts_mut() {
        dress(fact, newest);
    }
}

fn dress(fact: &mut Fact, newest: i64) {
    for stamp in [&mut fact.when, &mut fact.last].into_iter().flatten() {
        if stamp.axis == Axis::Yearless {
            *stamp = Stamp { micros: with_year(stamp.micros, newest), axis: Axis::Wall, ..*stamp };
        }
    }
}

fn with_year(micros: i64, newest: i64) -> i64 {
    let (_, month, day) = civil::date(micros.div_euclid(DAY_US));
    let time = micros.rem_euclid(DAY_US);
    let (year, _, _) = civil::date(newest.div_euclid(DAY_US));
    let in_year = |year| civil::days(year, month, day) * DAY_US + time;
    let years = [year - 1, year, year + 1].map(in_year);
    years.into_iter().min_by_key(|micros| micros.abs_diff(newest)).unwrap_or(micros + YEARLESS_YEAR)
}
