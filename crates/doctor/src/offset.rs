//! Clock offsets between hosts, found from what they must have seen at the same moment: resets of a shared device, changes of
//! the fabric, losses of one device on all hosts.
//!
//! Hosts whose lines stand in one file by turns, in the order of time, have one clock. Of what repeats within a minute only the first counts: a burst over a hundred devices is one moment, not a hundred. Differences between all
//! pairs of such events of two hosts are laid together; the true offset makes a peak. It must rest on several moments, for hosts that are
//! taken down one after another look as if their clocks differed; and no schedule may explain it, for a job that takes a LUN from one host and
//! half an hour later from the next does so every week. Without a clear peak nothing is shifted: a wrong offset is worse than none.
//! What may be a difference and is none for sure is worth a question (`question.rs`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::fact::{Command, Fact, HostStatus, InputId, Kind, PathEvent, Sense};
use crate::names::Name;
use crate::question::{Question, of_planned_work, questions};
use crate::stamp::Axis;

/// Events of one host that are compared.
const EVENTS_MAX: usize = 400;
/// Hosts that are compared with the first.
pub(crate) const HOSTS_MAX: usize = 64;
/// Clocks that are further apart are taken for different days.
pub(crate) const OFFSET_MAX_US: i64 = 26 * 3_600_000_000;
/// Two hosts see one event within this; peaks are this wide.
pub(crate) const BIN_US: i64 = 2_000_000;
/// What is nearer than this to what came before is of the same moment.
pub(crate) const MOMENT_US: i64 = 60_000_000;
/// So many moments make an offset.
const MOMENTS_MIN: usize = 3;
/// Smaller offsets change no diagnosis.
const OFFSET_MIN_US: i64 = 4_000_000;
/// Jobs begin on whole minutes, and rollouts wait for whole ones: this near to one counts as one.
const PLANNED_US: i64 = 2_000_000;
/// What is planned begins on multiples of this.
const SCHEDULE_US: i64 = 300_000_000;

/// What two hosts can have seen together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Common {
    Reset(Option<Name>),
    Fabric,
    Loss(Option<Name>),
}

/// An offset that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// By how much the host's clock is ahead of the reference's, in microseconds.
    pub ahead_us: i64,
    /// The moments that both hosts saw.
    pub moments: usize,
    /// Whether work that was planned may have made them as well: then it is a question.
    planned: bool,
}

/// What is known of the hosts' clocks.
#[derive(Clone, Debug, Default)]
pub struct Clocks {
    /// The host whose clock is taken for everybody's: the middle one of three and more, else the one that saw most. `None` where no host was
    /// named.
    pub reference: Option<Name>,
    /// How far others' differ from it, where that was found.
    pub offsets: BTreeMap<Name, Offset>,
    /// Where one may differ.
    pub questions: Vec<Question>,
    /// Hosts whose lines say their zone.
    pub zoned: BTreeSet<Name>,
}

/// What one host saw: the first of each kind after a minute without it, in the order of time.
pub(crate) type Seen = Vec<(Common, i64)>;

/// What the facts, in the order of reading, say of their hosts' clocks.
#[must_use]
pub fn find(facts: &[Fact]) -> Clocks {
    let shared = shared_clocks(facts);
    let clock = |host: Name| shared.get(&host).copied().unwrap_or(host);
    let seen = seen(facts, clock);
    let says_zone = facts.iter().filter(|fact| fact.when.is_some_and(|when| when.zone_minutes.is_some()));
    let says_zone: BTreeSet<Name> = says_zone.filter_map(|fact| fact.host).collect();
    let zoned: BTreeSet<Name> = says_zone.iter().copied().map(clock).collect();
    // The host with most to compare is the clock of all; one that says its zone goes before one that does not.
    let busiest =
        seen.iter().max_by_key(|(host, events)| (zoned.contains(host), events.len(), Reverse(**host)));
    let Some((&busiest, told)) = busiest else { return Clocks::default() };
    let others = seen.iter().filter(|(host, _)| **host != busiest).take(HOSTS_MAX);
    let found = others.filter_map(|(&host, own)| offset(told, own).map(|offset| (host, offset)));
    let (planned, known): (BTreeMap<_, _>, BTreeMap<_, _>) = found.partition(|(_, offset)| offset.planned);
    let (reference, mut offsets) = from_the_middle(busiest, known, &zoned);
    let questions = questions(&seen, &offsets, of_planned_work(busiest, &planned));
    for (&host, clock) in &shared {
        if let Some(&offset) = offsets.get(clock) {
            offsets.insert(host, offset);
        }
    }
    Clocks { reference: Some(reference), offsets, questions, zoned: says_zone }
}

/// Hosts whose lines stand in one input by turns, in the order of time, have one clock as far as matters here: each has the name of the first.
fn shared_clocks(facts: &[Fact]) -> BTreeMap<Name, Name> {
    let mut inputs: BTreeMap<InputId, Turns> = BTreeMap::new();
    for fact in facts {
        if let (Some(host), Some(when)) = (fact.host, fact.when.filter(|when| when.axis == Axis::Wall)) {
            inputs.entry(fact.place.input).or_default().take(host, when.micros);
        }
    }
    let mut shared: BTreeMap<Name, Name> = BTreeMap::new();
    for turns in inputs.values().filter(|turns| turns.is_one_clock()) {
        let known = turns.hosts.iter().find_map(|host| shared.get(host).copied());
        let Some(clock) = known.or_else(|| turns.hosts.first().copied()) else { continue };
        for &host in &turns.hosts {
            // Two groups that share a host are one.
            if let Some(other) = shared.insert(host, clock).filter(|other| *other != clock) {
                shared.values_mut().filter(|name| **name == other).for_each(|name| *name = clock);
            }
        }
    }
    shared
}

/// The hosts of one input.
#[derive(Debug, Default)]
struct Turns {
    hosts: BTreeSet<Name>,
    last: Option<(Name, i64)>,
    changes: usize,
    descends: bool,
}

impl Turns {
    fn take(&mut self, host: Name, at: i64) {
        if let Some((before, then)) = self.last.replace((host, at)) {
            self.descends |= at < then - BIN_US;
            self.changes += usize::from(before != host);
        }
        self.hosts.insert(host);
    }

    /// Whether some host's lines stand between another's: logs that were put one behind the other are no proof.
    fn is_one_clock(&self) -> bool {
        !self.descends && self.hosts.len() > 1 && self.changes >= self.hosts.len()
    }
}

/// Of three clocks and more, the middle one is the most likely to be right: offsets from the busiest host become offsets from that one's.
/// A clock that says its zone goes before any that does not.
fn from_the_middle(
    busiest: Name,
    mut known: BTreeMap<Name, Offset>,
    zoned: &BTreeSet<Name>,
) -> (Name, BTreeMap<Name, Offset>) {
    let most = known.values().map(|offset| offset.moments).max().unwrap_or(0);
    known.insert(busiest, Offset { ahead_us: 0, moments: most, planned: false });
    let of = |(&host, offset): (&Name, &Offset)| (offset.ahead_us, host);
    let fit = known.iter().filter(|(host, _)| zoned.contains(*host) || !zoned.contains(&busiest));
    let mut order: Vec<(i64, Name)> = fit.map(of).collect();
    order.sort_unstable();
    let middle = order.get((order.len() - 1) / 2).filter(|_| order.len() > 2);
    let (ahead_us, reference) = middle.copied().unwrap_or((0, busiest));
    for offset in known.values_mut() {
        offset.ahead_us -= ahead_us;
    }
    known.retain(|_, offset| offset.ahead_us.abs() >= OFFSET_MIN_US);
    (reference, known)
}

fn seen(facts: &[Fact], clock: impl Fn(Name) -> Name) -> BTreeMap<Name, Seen> {
    let mut times: BTreeMap<(Name, Common), Vec<i64>> = BTreeMap::new();
    for fact in facts {
        let (Some(host), Some(common), Some(when)) = (fact.host, common(fact), fact.when) else { continue };
        if when.axis == Axis::Wall {
            times.entry((clock(host), common)).or_default().push(when.micros);
        }
    }
    let mut seen: BTreeMap<Name, Seen> = BTreeMap::new();
    for ((host, common), mut times) in times {
        times.sort_unstable();
        let mut before = None;
        for at in times {
            if begins_anew(&mut before, at) {
                seen.entry(host).or_default().push((common, at));
            }
        }
    }
    for events in seen.values_mut() {
        events.sort_unstable_by_key(|event| event.1);
        events.truncate(EVENTS_MAX);
    }
    seen
}

/// Two times of one happening, and what it was.
#[derive(Clone, Copy, Debug)]
struct Pair {
    then: i64,
    at: i64,
    what: Common,
}

/// How far `own` is ahead of `told`.
fn offset(told: &[(Common, i64)], own: &[(Common, i64)]) -> Option<Offset> {
    let mut bins: HashMap<i64, Vec<Pair>> = HashMap::new();
    for &(what, at) in own {
        for &(_, then) in told.iter().filter(|(other, _)| *other == what) {
            let apart = at - then;
            if apart.abs() <= OFFSET_MAX_US {
                bins.entry(apart.div_euclid(BIN_US)).or_default().push(Pair { then, at, what });
            }
        }
    }
    // A peak may lie on the border of two bins.
    let peak = |bin: i64| -> Vec<Pair> {
        [bin, bin + 1].into_iter().filter_map(|bin| bins.get(&bin)).flatten().copied().collect()
    };
    let heights: Vec<(i64, usize)> = bins.keys().map(|&bin| (bin, height(&peak(bin)))).collect();
    let (best, moments) = heights.iter().copied().max_by_key(|&(bin, height)| (height, -bin.abs()))?;
    let rival = heights
        .iter()
        .filter(|(bin, _)| (bin - best).abs() > 1)
        .map(|(_, height)| *height)
        .max()
        .unwrap_or(0);
    if moments < MOMENTS_MIN || moments < 2 * rival {
        return None;
    }
    let peak = peak(best);
    let mut apart: Vec<i64> = peak.iter().map(|pair| pair.at - pair.then).collect();
    apart.sort_unstable();
    let ahead_us = apart.get(apart.len() / 2).copied()?;
    Some(Offset { ahead_us, moments, planned: is_planned(&peak, ahead_us) })
}

/// Whether a schedule explains these moments as well as clocks that differ: both hosts saw them by the clock, whole multiples of five minutes
/// apart; or nothing but losses of devices was seen, which anybody can plan, and the hosts are whole minutes apart. Resets and changes of the
/// fabric strike all hosts at once.
fn is_planned(pairs: &[Pair], ahead_us: i64) -> bool {
    if ahead_us.abs() < OFFSET_MIN_US {
        return false;
    }
    let is_near = |apart: i64, step: i64| {
        let rest = apart.rem_euclid(step);
        rest.min(step - rest) <= PLANNED_US
    };
    let by_the_clock =
        |times: Vec<i64>| moments_of(times).windows(2).all(|pair| is_near(pair[1] - pair[0], SCHEDULE_US));
    let lost_alone = pairs.iter().all(|pair| matches!(pair.what, Common::Loss(_)));
    lost_alone && is_near(ahead_us, MOMENT_US)
        || by_the_clock(pairs.iter().map(|pair| pair.then).collect())
            && by_the_clock(pairs.iter().map(|pair| pair.at).collect())
}

/// The times at which something began after a minute without it.
fn moments_of(mut times: Vec<i64>) -> Vec<i64> {
    times.sort_unstable();
    let mut before = None;
    times.retain(|&at| begins_anew(&mut before, at));
    times
}

/// Whether what is at that time, and is noted as the last, begins a moment.
pub(crate) fn begins_anew(last: &mut Option<i64>, at: i64) -> bool {
    last.replace(at).is_none_or(|before| at - before >= MOMENT_US)
}

/// On how many moments such pairs of times rest: both hosts must have seen them apart.
fn height(pairs: &[Pair]) -> usize {
    let told = moments_of(pairs.iter().map(|pair| pair.then).collect()).len();
    let own = moments_of(pairs.iter().map(|pair| pair.at).collect()).len();
    told.min(own)
}

fn common(fact: &Fact) -> Option<Common> {
    match &fact.kind {
        Kind::Command(Command { sense: Some(sense), .. })
            if sense.is_reset() && !Sense::is_nexus_loss(*sense) =>
        {
            Some(Common::Reset(fact.device))
        }
        Kind::Command(Command { host: Some(HostStatus::RESET), .. }) => Some(Common::Reset(fact.device)),
        Kind::Fabric(_) | Kind::Path(PathEvent::FabricChange) => Some(Common::Fabric),
        Kind::Path(PathEvent::AllDown | PathEvent::PermanentLoss) => Some(Common::Loss(fact.device)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;
    use crate::{Doctor, Report};

    fn series(device: Name, starts: &[i64], shift: i64) -> Seen {
        starts.iter().map(|at| (Common::Reset(Some(device)), at * 1_000_000 + shift)).collect()
    }

    #[test]
    fn a_clear_peak_is_the_offset() {
        let device = Names::default().name("naa.1");
        let told = series(device, &[10, 75, 300, 1_000, 1_900], 0);
        let own = series(device, &[10, 75, 300, 1_000, 5_000], 3_600_000_000);
        assert_eq!(offset(&told, &own), Some(Offset { ahead_us: 3_600_000_000, moments: 4, planned: false }));
    }

    /// Jobs took a LUN from one host, and half an hour later from the next, week by week.
    #[test]
    fn what_a_schedule_explains_is_asked_about_and_shifts_nothing() {
        let device = Names::default().name("naa.1");
        let lost = |starts: &[i64]| -> Seen {
            starts.iter().map(|at| (Common::Loss(Some(device)), at * 1_000_000)).collect()
        };
        let is_planned = |told: &Seen, own: &Seen| offset(told, own).map(|offset| offset.planned);
        let week = 7 * 86_400;
        let cases: [(&[i64], i64, bool); 4] = [
            (&[3_600, 3_600 + week, 3_601 + 2 * week], 1_800, true),
            (&[3_600, 18_001, 39_600], 1_201, true),
            // By hand, and a script that waits ten minutes before it goes to the next host.
            (&[3_611, 18_377, 39_602], 600, true),
            (&[3_611, 18_377, 39_602], 617, false),
        ];
        for (starts, apart, planned) in cases {
            let later: Vec<i64> = starts.iter().map(|at| at + apart).collect();
            assert_eq!(
                is_planned(&lost(starts), &lost(&later)),
                Some(planned),
                "{starts:?} and {apart} s later"
            );
        }
        let resets = series(device, &[3_611, 18_377, 39_602], 0);
        let later = series(device, &[3_611, 18_377, 39_602], 600_000_000);
        assert_eq!(is_planned(&resets, &later), Some(false), "a reset strikes all hosts at once");
        let report = outages(&[("h1", &[3_600, 18_000, 39_600]), ("h2", &[4_800, 19_200, 40_800])]);
        assert_eq!((report.clock_offsets.len(), report.incidents.len()), (0, 6));
        assert_eq!(report.clock_questions[0].ahead_s, 1_200);
    }

    #[test]
    fn events_that_repeat_evenly_give_no_offset() {
        let device = Names::default().name("naa.1");
        let told = series(device, &[0, 60, 120, 180, 240, 300], 0);
        let own = series(device, &[60, 120, 180, 240, 300, 360], 0);
        assert_eq!(offset(&told, &own), None);
    }

    #[test]
    fn a_burst_over_many_devices_is_one_moment() {
        let mut names = Names::default();
        let devices: Vec<Name> = (0..40).map(|number| names.name(&format!("naa.{number}"))).collect();
        let burst = |starts: &[i64]| -> Seen {
            devices.iter().flat_map(|&device| series(device, starts, 0)).collect()
        };
        assert_eq!(
            offset(&burst(&[0, 700]), &burst(&[3_720, 4_420])),
            None,
            "two moments are no proof, on however many devices"
        );
        assert!(offset(&burst(&[0, 700, 1_900]), &burst(&[3_720, 4_420, 5_620])).is_some());
    }

    /// Each host loses its link, and with it all its paths to six LUNs, at its second of the day.
    fn outages(hosts: &[(&str, &[i64])]) -> Report {
        let mut doctor = Doctor::new();
        for (host, starts) in hosts {
            let mut log = String::new();
            for start in *starts {
                let clock = |at: i64, part: i64| {
                    format!(
                        "2026-11-20T{:02}:{:02}:{:02}.{part}00Z cpu3:2097)",
                        at / 3_600,
                        at / 60 % 60,
                        at % 60
                    )
                };
                log += &format!(
                    "{}lpfc: read_topology:3400: 0:(0):1305 Link Down Event x1 received\n",
                    clock(*start, 0)
                );
                for (at, what) in [(*start, "entered"), (start + 45, "exited")] {
                    for lun in 0..6 {
                        log += &format!(
                            "{}StorageApdHandler: 421: Device or filesystem with identifier [naa.60aa000{lun}] has {what} the All Paths Down state.\n",
                            clock(at, lun)
                        );
                    }
                }
            }
            doctor.read(&format!("{host}/vmkernel.log"), &mut log.as_bytes(), &mut |_| {});
        }
        doctor.judge()
    }

    #[test]
    fn hosts_that_are_taken_down_one_after_another_have_clocks_that_agree() {
        let report = outages(&[("h1", &[36_000]), ("h2", &[37_800]), ("h3", &[39_720])]);
        assert_eq!(report.clock_offsets, []);
        let seen: Vec<_> = report.incidents.iter().map(|finding| finding.hosts.clone()).collect();
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(seen.iter().all(|hosts| hosts.len() == 1), "{seen:?}");
        // Half an hour to the second: a question, and still two incidents.
        let asked: Vec<_> = report
            .clock_questions
            .iter()
            .map(|question| (question.host.as_str(), question.ahead_s))
            .collect();
        assert_eq!(asked, [("h2", 1_800)]);
    }

    #[test]
    fn one_outage_that_two_hosts_saw_whole_hours_apart_is_asked_about_and_never_merged() {
        let report = outages(&[("h1", &[36_000]), ("h2", &[39_601])]);
        assert_eq!((report.clock_offsets.len(), report.incidents.len()), (0, 2));
        let sentence = report.clock_questions[0].sentence();
        assert!(sentence.contains("1 h apart") && sentence.contains("clock of h2"), "{sentence}");
        let other = outages(&[("h1", &[36_000]), ("h2", &[39_720])]);
        assert_eq!(other.clock_questions, [], "an hour and two minutes is no zone");
        let twice = outages(&[("h1", &[36_000, 37_000]), ("h2", &[36_180, 37_180])]);
        assert_eq!(twice.clock_questions[0].ahead_s, 180);
        assert_eq!(twice.clock_offsets, []);
        let both = outages(&[("h1", &[36_000, 50_400]), ("h2", &[36_000, 54_000])]);
        assert_eq!(both.clock_questions, [], "what both saw at once shows that the clocks agree");
    }

    #[test]
    fn hosts_that_take_turns_in_one_ascending_file_have_one_clock() {
        let reset = |host: &str, at: i64| {
            format!(
                "2026-11-20T{:02}:{:02}:{:02}Z {host} vmkernel: cpu1:2)ScsiDeviceIO: 1: Cmd(0x43) 0x2a, CmdSN 0x1 from world 3 to dev \"naa.60aa0007\" failed \
                 H:0x8 D:0x0 P:0x0\n",
                at / 3_600,
                at / 60 % 60,
                at % 60
            )
        };
        let moments = [3_600, 4_300, 6_100, 8_000];
        let mut lines: Vec<(i64, &str)> =
            moments.iter().flat_map(|&at| [(at, "h1"), (at + 500, "h2")]).collect();
        lines.sort_unstable();
        let one: String = lines.iter().map(|&(at, host)| reset(host, at)).collect();
        let judge = |logs: &[String]| {
            let mut doctor = Doctor::new();
            logs.iter().for_each(|log| doctor.read("all.log", &mut log.as_bytes(), &mut |_| {}));
            doctor.judge().clock_offsets
        };
        assert_eq!(judge(&[one]), [], "they agree: whatever the differences");
        let apart = |wanted: &str| {
            lines
                .iter()
                .filter(|line| line.1 == wanted)
                .map(|&(at, host)| reset(host, at))
                .collect::<String>()
        };
        assert_eq!(judge(&[apart("h1"), apart("h2")]).len(), 1, "in two files, the same are two clocks");
        // A log without a zone is never the clock of all.
        let zoneless = apart("h1").replace("2026-11-20T", "Nov 20 ").replace('Z', "");
        let offsets = judge(&[zoneless, apart("h2")]);
        assert_eq!(
            (offsets[0].host.as_str(), offsets[0].than.as_str(), offsets[0].zoneless),
            ("h1", "h2", true)
        );
        assert!(offsets[0].sentence().contains("say no zone"), "{}", offsets[0].sentence());
    }

    #[test]
    fn of_three_clocks_the_middle_one_is_everybodys() {
        let [early, right, late] =
            [-187, 0, 3_617].map(|ahead| [10_000, 11_000, 14_000].map(|at| at + ahead));
        let report = outages(&[("h1", &early), ("h2", &right), ("h3", &late)]);
        let offsets: Vec<_> =
            report.clock_offsets.iter().map(|offset| (offset.host.as_str(), offset.ahead_s)).collect();
        assert_eq!(offsets, [("h1", -187), ("h3", 3_617)]);
        assert_eq!(report.incidents.len(), 3, "each is seen by three hosts");
    }

    #[test]
    fn an_offset_names_the_clock_that_the_times_are_of() {
        let report = outages(&[("h1", &[3_600, 9_000, 20_000, 30_000]), ("h2", &[5_013, 10_413, 21_413])]);
        let offset = &report.clock_offsets[0];
        assert_eq!(
            (offset.host.as_str(), offset.ahead_s, offset.than.as_str(), offset.moments),
            ("h2", 1_413, "h1", 3)
        );
        assert!(offset.sentence().contains("which of the two is right"), "{}", offset.sentence());
    }
}
