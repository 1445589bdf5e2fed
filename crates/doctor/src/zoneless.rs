//! Copies of a host's lines whose times say no zone: a log server that writes local time beside the host's own log in UTC.
//!
//! The same messages in both, whole quarter hours apart, tell the zone. The copy is put there, and what stands in both counts once.

use std::collections::{BTreeMap, HashMap};

use crate::digest::digest;
use crate::fact::{Fact, InputId};
use crate::names::Name;
use crate::prefix;
use crate::stamp::{Axis, Stamp};

/// So many messages must stand in both.
const COMMON_MIN: usize = 3;
/// A log server notes a line within this of its host.
const LATE_US: i64 = 4_000_000;
/// Zones differ by multiples of this.
const QUARTER_HOUR_US: i64 = 900_000_000;

/// What was written by one host in one input without a zone.
type Stream = (Name, InputId);

/// Finds the zone of every such copy, puts its times into UTC, and takes away what the host's own log says.
pub fn settle(facts: &mut Vec<Fact>) {
    let mut own: HashMap<u64, Option<i64>> = HashMap::new();
    for (fact, when) in facts.iter().filter_map(|fact| Some((fact, wall(fact)?))) {
        if when.zone_minutes.is_some() {
            // A message that stands there twice tells no time.
            own.entry(message(fact)).and_modify(|known| *known = None).or_insert(Some(when.micros));
        }
    }
    let partner = |fact: &Fact| {
        let when = wall(fact).filter(|when| when.zone_minutes.is_none())?;
        let then = own.get(&message(fact)).copied().flatten()?;
        Some(when.micros - then)
    };
    let mut votes: BTreeMap<Stream, BTreeMap<i64, usize>> = BTreeMap::new();
    for fact in facts.iter() {
        if let (Some(host), Some(apart)) = (fact.host, partner(fact)) {
            let quarters = (apart + QUARTER_HOUR_US / 2).div_euclid(QUARTER_HOUR_US);
            if (apart - quarters * QUARTER_HOUR_US).abs() <= LATE_US {
                *votes.entry((host, fact.place.input)).or_default().entry(quarters).or_default() += 1;
            }
        }
    }
    let zones: BTreeMap<Stream, i64> =
        votes.into_iter().filter_map(|(stream, votes)| Some((stream, elected(&votes)?))).collect();
    if zones.is_empty() {
        return;
    }
    let zone = |fact: &Fact| fact.host.and_then(|host| zones.get(&(host, fact.place.input)).copied());
    facts.retain(|fact| {
        let twice = zone(fact).zip(partner(fact));
        twice.is_none_or(|(zone, apart)| (apart - zone * QUARTER_HOUR_US).abs() > LATE_US)
    });
    for fact in facts.iter_mut() {
        if let Some(quarters) = zone(fact) {
            [&mut fact.when, &mut fact.last].into_iter().flatten().for_each(|stamp| dress(stamp, quarters));
        }
    }
}

/// The difference that nearly all messages agree on, in quarter hours; `None` where there is none.
fn elected(votes: &BTreeMap<i64, usize>) -> Option<i64> {
    let all: usize = votes.values().sum();
    let (&quarters, &count) = votes.iter().max_by_key(|(_, count)| **count)?;
    (quarters != 0 && count >= COMMON_MIN && count * 10 >= all * 9).then_some(quarters)
}

fn dress(stamp: &mut Stamp, quarters: i64) {
    if stamp.axis == Axis::Wall && stamp.zone_minutes.is_none() {
        stamp.micros -= quarters * QUARTER_HOUR_US;
        stamp.zone_minutes = i16::try_from(quarters * 15).ok();
    }
}

fn wall(fact: &Fact) -> Option<Stamp> {
    fact.when.filter(|when| when.axis == Axis::Wall && fact.host.is_some())
}

/// A host's message without what a log server put before it.
fn message(fact: &Fact) -> u64 {
    digest(&(fact.host, prefix::split(&fact.text).body.trim()))
}

#[cfg(test)]
mod tests {
    use crate::{Doctor, Report};

    /// Commands that were given up, four seconds past some minutes of the day: by the host, and by a log server so many minutes east.
    fn logs(minutes: &[i64], east: i64) -> [String; 2] {
        let body = |at: &i64| {
            format!(
                "cpu7:2055)ScsiDeviceIO: 1672: Cmd(0x43) 0x89, CmdSN 0x{at:x} from world 34 to dev \"naa.60b0{at}\" failed H:0x5 D:0x0 P:0x0\n"
            )
        };
        let own = |at: &i64| format!("2026-07-07T{:02}:{:02}:04.120Z {}", at / 60, at % 60, body(at));
        let copy = |at: &i64| {
            format!("Jul  7 {:02}:{:02}:05 h3 vmkernel: {}", (at + east) / 60, (at + east) % 60, body(at))
        };
        [minutes.iter().map(own).collect(), minutes.iter().map(copy).collect()]
    }

    fn judge(own: &str, copy: &str) -> Report {
        let mut doctor = Doctor::new();
        doctor.read("h3/vmkernel.log", &mut own.as_bytes(), &mut |_| {});
        doctor.read("server.log", &mut copy.as_bytes(), &mut |_| {});
        doctor.judge()
    }

    #[test]
    fn a_copy_in_local_time_counts_once_and_is_put_into_utc() {
        let [own, copy] = logs(&[60, 95, 130, 200], 60);
        let more = logs(&[300], 60)[1].clone();
        let report = judge(&own, &(copy + &more));
        let seen: Vec<_> = report
            .incidents
            .iter()
            .map(|finding| (finding.events, finding.first.clone().unwrap_or_default()))
            .collect();
        assert_eq!(seen.len(), 5, "{seen:?}");
        assert!(seen.iter().all(|(events, _)| *events == 1), "{seen:?}");
        assert!(
            seen.iter().any(|(_, first)| first == "2026-07-07T05:00:05Z"),
            "what only the server has is in UTC too: {seen:?}"
        );
    }

    #[test]
    fn copies_that_fit_no_zone_are_left_as_they_are() {
        let [own, copy] = logs(&[60, 95], 60);
        assert_eq!(judge(&own, &copy).incidents.len(), 4, "two messages are no proof");
        let [own, copy] = logs(&[60, 95, 130, 200], 52);
        assert_eq!(judge(&own, &copy).incidents.len(), 8, "52 minutes are no zone");
    }
}
