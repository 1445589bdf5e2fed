//! What happened to each host and device in the course of time, counted into cells: what a time line is drawn from.
//!
//! Facts feed it in any number. Two happenings of one sort in one cell of time are one with a count, or with the higher
//! figure; when there are too many cells, they become four times as long, and [`Chronicle::grain_us`] says so.

use std::collections::{BTreeMap, HashMap};

use crate::fact::{
    ClusterStep, Command, Fact, GatewayStep, Heartbeat, HeartbeatStep, HostStatus, Kind, Outcome, PathEvent,
    Queue, TargetStep, TaskKind,
};
use crate::incident::{Incident, Weight, weight};
use crate::names::{Name, Names};
use crate::stamp::{Axis, Stamp};

/// Hosts and devices that are told apart. What belongs to later ones is counted as turned away.
const TRACKS_MAX: usize = 4_096;
/// Cells that are kept, of 64 bytes or so each.
const CELLS_MAX: usize = 100_000;
/// A cell's length as long as there is room: the ledger merges within a second too.
const GRAIN_US: i64 = 1_000_000;
/// How many times longer cells become when there are too many.
const COARSER: i64 = 4;
/// H:0x5: the host gave the command up.
const ABORTED: HostStatus = HostStatus(5);

/// A sort of happening. The order is that of the rows of a time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Channel {
    /// Latency of the device, in microseconds; the highest.
    DeviceLatency,
    /// Latency in the host's kernel and queues, in microseconds; the highest.
    HostLatency,
    /// Atomic tests and sets in 1,000 seconds, from counters; the highest.
    AtsRate,
    /// False ones in 1,000 seconds, from counters; the highest.
    FalseAtsRate,
    /// Atomic tests and sets that were false.
    FalseAts,
    /// Atomic tests and sets that nobody answered or that were refused.
    FailedAts,
    /// Locks of the volume that were not got, or not at once.
    Lock,
    /// Commands that were aborted, and aborts that were asked for.
    Abort,
    /// Commands that were lost to a reset, and resets that were asked for.
    Reset,
    /// Other commands that failed, space that ran out, reservations in the way.
    Failure,
    /// A path, a link or a session was lost.
    PathLost,
    /// One came back.
    PathBack,
    /// The fabric speaks: something changed, congestion, credits.
    Fabric,
    /// A heartbeat or a lease was late, lost or false.
    BeatLost,
    /// It came back.
    BeatBack,
    /// A host was fenced, was to be, or counts as dead.
    Fence,
}

impl Channel {
    /// Whether of several figures in one cell the highest counts, and not their sum.
    pub(crate) fn is_peak(self) -> bool {
        self <= Channel::FalseAtsRate
    }
}

/// What happened in one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The first time, in microseconds on the track's axis.
    pub(crate) from_us: i64,
    /// The last time; not before the first.
    pub(crate) to_us: i64,
    /// How many, or how much, as the channel says.
    pub(crate) amount: u64,
}

/// One host and one device, volume, or nothing but the host itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Track {
    /// The host that saw it; `None` where no line tells.
    pub(crate) host: Option<String>,
    /// The device; the volume where no line tells the device; `None` for what is about the host, its adapters, the fabric.
    pub(crate) subject: Option<String>,
    /// What its times count from.
    pub(crate) axis: Axis,
    /// The zone that its lines were written in.
    zone: Zone,
}

/// The zone of a track's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zone {
    /// No line tells one.
    Unsaid,
    /// Minutes east of UTC.
    One(i16),
    /// Its lines tell several.
    Several,
}

impl Zone {
    fn and(self, minutes: Option<i16>) -> Zone {
        match (self, minutes) {
            (known, None) => known,
            (Zone::Unsaid, Some(minutes)) => Zone::One(minutes),
            (Zone::One(known), Some(minutes)) if known == minutes => self,
            (Zone::One(_) | Zone::Several, Some(_)) => Zone::Several,
        }
    }
}

impl Track {
    /// The zone that its lines were written in, in minutes east of UTC, where it is one zone and another than UTC.
    pub(crate) fn zone_minutes(&self) -> Option<i16> {
        match self.zone {
            Zone::One(minutes) if minutes != 0 => Some(minutes),
            _ => None,
        }
    }
}

/// Every track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chronicle {
    tracks: Vec<Track>,
    index: HashMap<(Option<Name>, Option<Name>, Axis), usize>,
    cells: BTreeMap<(usize, Channel, i64), Moment>,
    grain_us: i64,
    untimed: u64,
    turned_away: u64,
}

impl Default for Chronicle {
    fn default() -> Chronicle {
        Chronicle {
            tracks: Vec::new(),
            index: HashMap::new(),
            cells: BTreeMap::new(),
            grain_us: GRAIN_US,
            untimed: 0,
            turned_away: 0,
        }
    }
}

impl Chronicle {
    /// The chronicle of all that was read.
    pub(crate) fn of(facts: &[Fact], names: &Names, incidents: &[Incident<'_>]) -> Chronicle {
        let devices = devices(facts, incidents);
        let mut chronicle = Chronicle::default();
        for fact in facts {
            let known = fact.volume.map(|volume| devices.get(&volume).copied().unwrap_or(volume));
            chronicle.feed(fact, fact.device.or(known), names);
        }
        chronicle
    }

    /// Takes one fact that is about `subject`.
    fn feed(&mut self, fact: &Fact, subject: Option<Name>, names: &Names) {
        let happenings = happenings(fact);
        if happenings.iter().all(Option::is_none) {
            return;
        }
        let Some(when) = fact.when else {
            self.untimed = self.untimed.saturating_add(fact.count);
            return;
        };
        let Some(track) = self.track(fact.host, subject, when, names) else {
            self.turned_away = self.turned_away.saturating_add(fact.count);
            return;
        };
        if let Some(track) = self.tracks.get_mut(track) {
            track.zone = track.zone.and(when.zone_minutes);
        }
        let to_us = fact.last.filter(|last| last.axis == when.axis).map_or(when.micros, |last| last.micros);
        for (channel, amount) in happenings.into_iter().flatten() {
            let moment = Moment { from_us: when.micros, to_us: to_us.max(when.micros), amount };
            self.add(track, channel, moment);
        }
        if self.cells.len() > CELLS_MAX {
            self.coarsen();
        }
    }

    fn track(
        &mut self,
        host: Option<Name>,
        subject: Option<Name>,
        when: Stamp,
        names: &Names,
    ) -> Option<usize> {
        let key = (host, subject, when.axis);
        if let Some(&known) = self.index.get(&key) {
            return Some(known);
        }
        if self.tracks.len() >= TRACKS_MAX {
            return None;
        }
        let text = |name: Option<Name>| name.map(|name| names.text(name).to_owned());
        self.tracks.push(Track {
            host: text(host),
            subject: text(subject),
            axis: when.axis,
            zone: Zone::Unsaid,
        });
        self.index.insert(key, self.tracks.len() - 1);
        Some(self.tracks.len() - 1)
    }

    fn add(&mut self, track: usize, channel: Channel, moment: Moment) {
        let key = (track, channel, moment.from_us.div_euclid(self.grain_us));
        let known = self.cells.entry(key).or_insert(Moment { amount: 0, ..moment });
        known.from_us = known.from_us.min(moment.from_us);
        known.to_us = known.to_us.max(moment.to_us);
        known.amount = if channel.is_peak() {
            known.amount.max(moment.amount)
        } else {
            known.amount.saturating_add(moment.amount)
        };
    }

    /// Makes the cells longer until half of the room is free.
    fn coarsen(&mut self) {
        const TIMES_MAX: usize = 24;
        for _ in 0..TIMES_MAX {
            self.grain_us = self.grain_us.saturating_mul(COARSER);
            for ((track, channel, _), moment) in std::mem::take(&mut self.cells) {
                self.add(track, channel, moment);
            }
            if self.cells.len() <= CELLS_MAX / 2 {
                return;
            }
        }
    }

    /// Every track, by its number.
    pub(crate) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The names in the tracks, to be replaced.
    pub(crate) fn names_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.tracks.iter_mut().flat_map(|track| [&mut track.host, &mut track.subject]).flatten()
    }

    /// What happened on one track, in the order of time.
    pub(crate) fn moments(&self, track: usize, channel: Channel) -> impl Iterator<Item = Moment> {
        self.cells.range((track, channel, i64::MIN)..=(track, channel, i64::MAX)).map(|(_, moment)| *moment)
    }

    /// Whether anything happened at a time that is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The length of a cell in microseconds: what happened within it is not told apart.
    pub(crate) fn grain_us(&self) -> i64 {
        self.grain_us
    }

    /// Events at a time that no line tells.
    pub(crate) fn untimed(&self) -> u64 {
        self.untimed
    }

    /// Events of hosts and devices beyond [`TRACKS_MAX`].
    pub(crate) fn turned_away(&self) -> u64 {
        self.turned_away
    }
}

/// The device of each volume: by a line that names both, else by incidents that are about one device and that volume, as
/// long as all of them say the same.
fn devices(facts: &[Fact], incidents: &[Incident<'_>]) -> HashMap<Name, Name> {
    let mut told: HashMap<Name, Name> = HashMap::new();
    for (volume, device) in facts.iter().filter_map(|fact| fact.volume.zip(fact.device)) {
        told.entry(volume).or_insert(device);
    }
    let mut guessed: HashMap<Name, Option<Name>> = HashMap::new();
    for incident in incidents {
        if let ([device], [volume]) = (incident.devices.as_slice(), incident.volumes.as_slice()) {
            let known = guessed.entry(*volume).or_insert(Some(*device));
            *known = known.filter(|known| known == device);
        }
    }
    for (volume, device) in guessed {
        if let Some(device) = device {
            told.entry(volume).or_insert(device);
        }
    }
    told
}

/// What a fact adds to its track; a sample of counters adds several things.
fn happenings(fact: &Fact) -> [Option<(Channel, u64)>; 6] {
    let mut found = [None; 6];
    let one = |channel| Some((channel, fact.count));
    found[0] = match &fact.kind {
        Kind::Queue(queue) => return sample(queue),
        Kind::Latency { now_us, .. } => Some((Channel::DeviceLatency, *now_us)),
        Kind::Command(command) => of_command(command, fact).and_then(one),
        Kind::Task { task: TaskKind::Abort, .. } => one(Channel::Abort),
        Kind::Task { .. } => one(Channel::Reset),
        Kind::Path(PathEvent::LinkUp | PathEvent::Restored) => one(Channel::PathBack),
        Kind::Path(PathEvent::FabricChange | PathEvent::NetworkLink) | Kind::Fabric(_) => {
            one(Channel::Fabric)
        }
        Kind::Path(_) => one(Channel::PathLost),
        Kind::Heartbeat(heartbeat) => one(of_heartbeat(heartbeat)),
        Kind::Cluster(
            ClusterStep::Healthy
            | ClusterStep::Busy
            | ClusterStep::HeldElsewhere
            | ClusterStep::BadRecord
            | ClusterStep::StrangeRecord
            | ClusterStep::OtherRecord
            | ClusterStep::Paused,
        ) => None,
        Kind::Cluster(ClusterStep::Fenced | ClusterStep::FencePlanned | ClusterStep::FenceFailed) => {
            one(Channel::Fence)
        }
        Kind::Cluster(_) => one(Channel::BeatLost),
        Kind::Lock(_) => one(Channel::Lock),
        Kind::Target(TargetStep::Miscompare | TargetStep::FusedSplit)
        | Kind::OwnImage
        | Kind::StaleImage
        | Kind::Oarlock(_) => one(Channel::FalseAts),
        Kind::Target(TargetStep::SessionLost | TargetStep::InitiatorSilent) => one(Channel::PathLost),
        Kind::Gateway(GatewayStep::LockAcquired) | Kind::Target(TargetStep::Noise) => None,
        Kind::Gateway(_) => one(Channel::PathLost),
        Kind::Target(_)
        | Kind::Medium
        | Kind::AdapterFault
        | Kind::Space(_)
        | Kind::ReservationConflicts
        | Kind::Notice(_)
        | Kind::Snapshot => one(Channel::Failure),
        Kind::Slot(_)
        | Kind::LockDump(_)
        | Kind::Support(_)
        | Kind::Version(_)
        | Kind::Restart
        | Kind::Volume(_)
        | Kind::Listed
        | Kind::HostId(_)
        | Kind::Setting(_) => None,
    };
    found
}

fn of_command(command: &Command, fact: &Fact) -> Option<Channel> {
    if command.is_ats() {
        let missed = command.outcome() == Outcome::Miscompared;
        return Some(if missed { Channel::FalseAts } else { Channel::FailedAts });
    }
    match command.host {
        Some(ABORTED) => Some(Channel::Abort),
        Some(HostStatus::RESET) => Some(Channel::Reset),
        _ => (weight(fact) > Weight::Context).then_some(Channel::Failure),
    }
}

fn of_heartbeat(heartbeat: &Heartbeat) -> Channel {
    match heartbeat.step {
        HeartbeatStep::Reclaimed | HeartbeatStep::Restored => Channel::BeatBack,
        HeartbeatStep::CleanedUp => Channel::Fence,
        HeartbeatStep::TimedOut
        | HeartbeatStep::ReclaimFailed
        | HeartbeatStep::LostAccess
        | HeartbeatStep::Miscompare
        | HeartbeatStep::Corrupt
        | HeartbeatStep::TakenOver
        | HeartbeatStep::Changed => Channel::BeatLost,
    }
}

/// Counters: milliseconds become microseconds, events a second become events in 1,000 seconds.
fn sample(queue: &Queue) -> [Option<(Channel, u64)>; 6] {
    let thousands = |channel, figure: Option<f64>| Some((channel, thousandfold(figure?)?));
    // A rate of events over the time of the sample is a number of events.
    let seconds = queue.seconds.unwrap_or(1.0);
    let whole = |channel, rate: Option<f64>| Some((channel, thousandfold(rate? * seconds)?.div_ceil(1_000)));
    [
        thousands(Channel::DeviceLatency, queue.device_ms),
        thousands(Channel::HostLatency, queue.kernel_ms),
        thousands(Channel::AtsRate, queue.ats),
        thousands(Channel::FalseAtsRate, queue.ats_failed),
        whole(Channel::Abort, queue.aborts),
        whole(Channel::Reset, queue.resets),
    ]
}

/// A counter of a log in thousandths; `None` for zero, and for what is no sensible number.
fn thousandfold(figure: f64) -> Option<u64> {
    const SENSIBLE_MAX: f64 = 1e12;
    let sensible = figure > 0.0 && figure < SENSIBLE_MAX;
    // Within the limits above, the cast loses nothing but the fraction.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    sensible.then_some((figure * 1_000.0).round() as u64).filter(|&figure| figure > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{InputId, Place};
    use crate::stamp::Precision;

    fn stamp(seconds: i64) -> Stamp {
        Stamp {
            micros: seconds * 1_000_000,
            axis: Axis::Wall,
            zone_minutes: Some(120),
            precision: Precision::Second,
        }
    }

    fn fact(seconds: i64, device: Option<Name>, volume: Option<Name>, kind: Kind) -> Fact {
        Fact {
            place: Place { input: InputId(0), line: 1 },
            when: Some(stamp(seconds)),
            last: Some(stamp(seconds)),
            host: None,
            device,
            path: None,
            volume,
            kind,
            is_told: false,
            of_a_write: false,
            voice: 0,
            count: 1,
            text: "".into(),
        }
    }

    fn beat(step: HeartbeatStep) -> Kind {
        Kind::Heartbeat(Box::new(Heartbeat { step, slot: None, wanted: None }))
    }

    #[test]
    fn a_volume_whose_device_some_line_tells_is_on_the_devices_track() {
        let mut names = Names::default();
        let (device, volume) = (names.name("naa.6"), names.name("VOL"));
        let facts = [
            fact(5, None, Some(volume), beat(HeartbeatStep::LostAccess)),
            fact(6, Some(device), Some(volume), beat(HeartbeatStep::Restored)),
            fact(7, Some(device), None, Kind::Latency { usual_us: None, now_us: 700 }),
        ];
        let chronicle = Chronicle::of(&facts, &names, &[]);
        let subjects: Vec<_> = chronicle.tracks().iter().map(|track| track.subject.as_deref()).collect();
        assert_eq!(subjects, [Some("naa.6")]);
        let lost: Vec<Moment> = chronicle.moments(0, Channel::BeatLost).collect();
        assert_eq!(lost, [Moment { from_us: 5_000_000, to_us: 5_000_000, amount: 1 }]);
        assert_eq!(chronicle.moments(0, Channel::BeatBack).count(), 1);
        assert_eq!(chronicle.tracks()[0].zone_minutes(), Some(120));
    }

    #[test]
    fn its_size_is_bounded_and_no_event_is_lost_by_that() {
        let mut names = Names::default();
        let device = names.name("naa.6");
        let mut chronicle = Chronicle::default();
        let events = 150_000_i64;
        for second in 0..events {
            chronicle.feed(&fact(second, Some(device), None, Kind::Medium), Some(device), &names);
        }
        assert!(chronicle.cells.len() <= CELLS_MAX);
        assert!(chronicle.grain_us() > GRAIN_US);
        let total: u64 = chronicle.moments(0, Channel::Failure).map(|moment| moment.amount).sum();
        assert_eq!(i64::try_from(total), Ok(events));
    }

    #[test]
    fn tracks_are_bounded_and_what_belongs_to_more_of_them_is_counted() {
        let mut names = Names::default();
        let mut chronicle = Chronicle::default();
        for number in 0..TRACKS_MAX + 3 {
            let device = names.name(&format!("naa.{number}"));
            chronicle.feed(&fact(1, Some(device), None, Kind::Medium), Some(device), &names);
        }
        assert_eq!((chronicle.tracks().len(), chronicle.turned_away()), (TRACKS_MAX, 3));
    }

    #[test]
    fn a_time_that_no_line_tells_is_counted_and_not_drawn() {
        let names = Names::default();
        let mut chronicle = Chronicle::default();
        chronicle.feed(&Fact { when: None, ..fact(0, None, None, Kind::Medium) }, None, &names);
        assert!(chronicle.is_empty());
        assert_eq!(chronicle.untimed(), 1);
    }

    #[test]
    fn counters_are_taken_in_their_units_and_nonsense_is_not() {
        let queue = Queue { device_ms: Some(1.5), ats: Some(0.0), aborts: Some(0.2), ..Queue::default() };
        let found: Vec<_> = sample(&queue).into_iter().flatten().collect();
        assert_eq!(found, [(Channel::DeviceLatency, 1_500), (Channel::Abort, 1)]);
        let five_seconds = Queue { aborts: Some(3.2), seconds: Some(5.0), ..Queue::default() };
        assert_eq!(sample(&five_seconds).into_iter().flatten().collect::<Vec<_>>(), [(Channel::Abort, 16)]);
        for nonsense in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(thousandfold(nonsense), None);
        }
    }
}
