//! Two hosts whose clocks may differ: what both saw once, whole quarter hours apart as a clock that is set to the local time makes it, twice at one
//! difference, or as a schedule has it, shifts nothing and is worth a question.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::Name;
use crate::offset::{BIN_US, Common, HOSTS_MAX, MOMENT_US, OFFSET_MAX_US, Offset, Seen, begins_anew};

/// Time zones differ by multiples of this.
const QUARTER_HOUR_US: i64 = 900_000_000;
/// Hosts that saw more moments meet a whole quarter hour by chance.
const ASKED_MOMENTS_MAX: usize = 3;
/// Questions of one report.
const QUESTIONS_MAX: usize = 5;

/// Two hosts that saw the same happen to the same devices, at one difference of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The host that saw it first.
    pub early: Name,
    /// The host that saw it later.
    pub late: Name,
    /// How much later, in microseconds: a multiple of a quarter of an hour, or of several moments the same.
    pub apart_us: i64,
}

/// What a schedule explains as well is asked about.
pub(crate) fn of_planned_work(busiest: Name, planned: &BTreeMap<Name, Offset>) -> Vec<Question> {
    let question = |(&host, offset): (&Name, &Offset)| {
        let (early, late) = if offset.ahead_us > 0 { (busiest, host) } else { (host, busiest) };
        Question { early, late, apart_us: offset.ahead_us.abs() }
    };
    planned.iter().map(question).take(QUESTIONS_MAX).collect()
}

/// A moment of one host: when it began, and what was seen.
type Moment = (i64, BTreeSet<Common>);

/// Pairs of hosts, on clocks that are right as far as they are known, that may have seen the same; behind the questions that there are already.
pub(crate) fn questions(
    seen: &BTreeMap<Name, Seen>,
    offsets: &BTreeMap<Name, Offset>,
    mut questions: Vec<Question>,
) -> Vec<Question> {
    let hosts: Vec<(Name, Vec<Moment>)> = seen
        .iter()
        .take(HOSTS_MAX)
        .map(|(&host, events)| {
            (host, moments(events, offsets.get(&host).map_or(0, |offset| offset.ahead_us)))
        })
        .filter(|(_, moments)| moments.len() <= ASKED_MOMENTS_MAX)
        .collect();
    let mut asked: BTreeSet<Name> =
        questions.iter().flat_map(|question| [question.early, question.late]).collect();
    for (index, (host, own)) in hosts.iter().enumerate() {
        for (other, told) in hosts.iter().skip(index + 1) {
            let both_asked = asked.contains(host) && asked.contains(other);
            let Some(apart_us) = apart(own, told).filter(|_| !both_asked) else { continue };
            asked.extend([*host, *other]);
            let (early, late) = if apart_us > 0 { (*host, *other) } else { (*other, *host) };
            if questions.len() >= QUESTIONS_MAX {
                return questions;
            }
            questions.push(Question { early, late, apart_us: apart_us.abs() });
        }
    }
    questions
}

fn moments(events: &[(Common, i64)], ahead_us: i64) -> Vec<Moment> {
    let mut moments: Vec<Moment> = Vec::new();
    let mut before = None;
    for &(common, at) in events {
        if begins_anew(&mut before, at) {
            moments.push((at - ahead_us, BTreeSet::new()));
        }
        if let Some((_, seen)) = moments.last_mut() {
            seen.insert(common);
        }
    }
    moments
}

/// How much later `told` saw what `own` saw, if that is one difference for every moment of the host that saw fewer: whole quarter hours, or any
/// where there are several moments. What both saw at once shows that their clocks agree.
fn apart(own: &[Moment], told: &[Moment]) -> Option<i64> {
    let (few, many, sign) = if own.len() <= told.len() { (own, told, 1) } else { (told, own, -1) };
    let at_once = |(at, seen): &Moment| {
        many.iter().any(|(then, other)| (then - at).abs() < MOMENT_US && !seen.is_disjoint(other))
    };
    if few.iter().any(at_once) {
        return None;
    }
    let fits = |apart: i64| {
        few.iter().all(|(at, seen)| {
            many.iter().any(|(then, other)| (then - at - apart).abs() < 2 * BIN_US && is_alike(seen, other))
        })
    };
    let (first, seen) = few.first()?;
    let mut found = many
        .iter()
        .filter(|(_, other)| is_alike(seen, other))
        .map(|(then, _)| then - first)
        .filter_map(|apart| whole_quarters(apart).or((few.len() > 1).then_some(apart)))
        .filter(|&apart| apart.abs() <= OFFSET_MAX_US && fits(apart));
    found.next().filter(|_| found.next().is_none()).map(|apart| apart * sign)
}

/// The whole quarter hours that a difference is, if it is.
fn whole_quarters(apart: i64) -> Option<i64> {
    let whole = (apart + QUARTER_HOUR_US / 2).div_euclid(QUARTER_HOUR_US) * QUARTER_HOUR_US;
    (whole != 0 && (apart - whole).abs() < 2 * BIN_US).then_some(whole)
}

/// Whether two hosts saw something in common, and it was about the same devices.
fn is_alike(one: &BTreeSet<Common>, other: &BTreeSet<Common>) -> bool {
    let devices = |seen: &BTreeSet<Common>| -> BTreeSet<Name> {
        seen.iter()
            .filter_map(|common| match common {
                Common::Reset(device) | Common::Loss(device) => *device,
                Common::Fabric => None,
            })
            .collect()
    };
    let of_one = devices(one);
    !of_one.is_empty() && of_one == devices(other) && !one.is_disjoint(other)
}
