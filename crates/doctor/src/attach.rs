//! What is about no device in particular (a link, the fabric, a gateway) joins every cluster that it is near.
//!
//! Clusters are found by device, host, time and place, so that each look ends in a match or is the last one at that cluster:
//! the cost is that of the matches, and a cluster takes so many and no more.

use std::collections::{BTreeMap, HashMap};

use crate::fact::{
    ClusterStep, DeviceStatus, Fact, HeartbeatStep, InputId, Kind, LockStep, Sense, SpaceEvent,
};
use crate::incident::{Incident, QUIET_US, Weight, weight};
use crate::names::Name;
use crate::prefix;
use crate::said::begins_as_a_log;
use crate::scene::{NEAR_LINES, near, same_host};
use crate::stamp::Axis;

/// Such facts that one cluster takes: the first of a storm tell what there is to tell.
const TAKEN_MAX: usize = 1_024;

/// Clusters of what is near none that are looked at for one more: hosts take turns.
const LONELY_LOOKS_MAX: usize = 8;

/// By what clusters are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Device(Name),
    Host(Name),
    /// No line tells the cluster's host.
    Hostless,
    Any,
}

/// When a cluster began and ended; it has no long silence within, but that of a device without paths.
#[derive(Clone, Copy, Debug)]
struct Span {
    axis: Axis,
    from_us: i64,
    to_us: i64,
}

/// Where the clusters are.
struct Index {
    spans: Vec<Option<Span>>,
    /// Clusters by key, those that begin last in front, so that the next to begin is popped from the end.
    waiting: HashMap<Key, Vec<usize>>,
    /// Those that have begun.
    running: HashMap<Key, Vec<usize>>,
    /// All, for facts that hold as long as the log goes on.
    lasting: HashMap<Key, Vec<usize>>,
    /// The places of their first and last lines.
    places: BTreeMap<(InputId, u64), Vec<usize>>,
    taken: Vec<usize>,
    looks: u64,
}

/// Gives `ambient`, in the order of time, to the clusters; what is near none makes clusters of its own, behind the others. The
/// second answer is the number of looks that it took.
pub fn attach<'a>(mut clusters: Vec<Incident<'a>>, ambient: Vec<&'a Fact>) -> (Vec<Incident<'a>>, u64) {
    let mut index = Index::of(&clusters);
    let mut lonely: Vec<Incident<'a>> = Vec::new();
    for fact in ambient {
        let homes = index.homes(fact, &clusters);
        if homes.is_empty() {
            keep(&mut lonely, fact);
        }
        for home in homes {
            // A full cluster takes no more, but the fact is no stranger either.
            if let (Some(taken), Some(cluster)) = (index.taken.get_mut(home), clusters.get_mut(home))
                && *taken < TAKEN_MAX
            {
                *taken += 1;
                cluster.facts.push(fact);
            }
        }
    }
    for cluster in &mut clusters {
        cluster.facts.sort_by_key(|fact| (fact.when.map(|when| (when.axis, when.micros)), fact.place));
    }
    clusters.extend(lonely);
    (clusters, index.looks)
}

/// Puts a fact that is near no cluster to its likes.
fn keep<'a>(lonely: &mut Vec<Incident<'a>>, fact: &'a Fact) {
    // What one host says of its own parts is no other host's.
    let of_parts = |fact: &Fact| matches!(fact.kind, Kind::AdapterFault | Kind::Medium);
    let of_one = |last: &Fact| {
        // An everyday refusal lends the name of its disk to no trouble.
        is_an_everyday_refusal(last) == is_an_everyday_refusal(fact)
            && (same_host(last, fact) || !of_parts(last) && !of_parts(fact))
    };
    let joins = |cluster: &&mut Incident<'a>| {
        cluster.facts.last().is_some_and(|last| near(last, fact, QUIET_US) && of_one(last))
    };
    let incident = match lonely.iter_mut().rev().take(LONELY_LOOKS_MAX).find(joins) {
        Some(known) => known,
        None => {
            lonely.push(Incident::default());
            let Some(new) = lonely.last_mut() else { return };
            new
        }
    };
    incident.facts.push(fact);
    // Hosts of one moment are few; a storm of names is cut.
    const NAMES_MAX: usize = 256;
    let lists = [
        (fact.device, &mut incident.devices),
        (fact.volume, &mut incident.volumes),
        (fact.host, &mut incident.hosts),
    ];
    for (name, names) in lists {
        if let Some(name) = name.filter(|name| names.len() < NAMES_MAX && !names.contains(name)) {
            names.push(name);
        }
    }
}

impl Index {
    fn of(clusters: &[Incident<'_>]) -> Index {
        let spans: Vec<_> = clusters.iter().map(span).collect();
        let mut order: Vec<usize> = (0..clusters.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(spans[at].map(|span| (span.axis, span.from_us))));
        let mut index = Index {
            waiting: HashMap::new(),
            running: HashMap::new(),
            lasting: HashMap::new(),
            places: BTreeMap::new(),
            taken: vec![0; clusters.len()],
            looks: 0,
            spans,
        };
        for at in order {
            for key in keys_of(&clusters[at]) {
                index.lasting.entry(key).or_default().push(at);
                if index.spans[at].is_some() {
                    index.waiting.entry(key).or_default().push(at);
                }
            }
            let ends = [clusters[at].facts.first(), clusters[at].facts.last()];
            for end in ends.into_iter().flatten() {
                let here = index.places.entry((end.place.input, end.place.line)).or_default();
                if here.last() != Some(&at) {
                    here.push(at);
                }
            }
        }
        index
    }

    /// The clusters that a fact belongs to.
    fn homes(&mut self, fact: &Fact, clusters: &[Incident<'_>]) -> Vec<usize> {
        // The fabric, the array and a cluster's membership are everybody's.
        let shared = matches!(
            fact.kind,
            Kind::Fabric(_)
                | Kind::Target(_)
                | Kind::Gateway(_)
                | Kind::Task { .. }
                | Kind::Cluster(ClusterStep::MemberLost)
        );
        let keys = match (fact.device, fact.host) {
            (Some(device), _) => vec![Key::Device(device)],
            (None, Some(host)) if !shared => vec![Key::Host(host), Key::Hostless],
            _ => vec![Key::Any],
        };
        let fits = |cluster: &Incident<'_>| {
            shared || cluster.hosts.is_empty() || fact.host.is_none_or(|host| cluster.hosts.contains(&host))
        };
        // A version holds for as long as the log goes on.
        let lasting = weight(fact) == Weight::Context
            && matches!(fact.kind, Kind::Version(_) | Kind::Support(_) | Kind::Slot(_) | Kind::LockDump(_));
        let mut homes = Vec::new();
        for key in keys {
            homes.extend(if lasting { self.all(key) } else { self.at_that_time(key, fact) });
        }
        if !lasting {
            homes.extend(self.at_that_place(fact, clusters));
        }
        let is_piece = is_a_piece(fact);
        let strange = |cluster: &Incident<'_>| {
            is_piece && is_news(fact, cluster) || is_of_one_volume(fact) && is_of_another(fact, cluster)
        };
        homes.retain(|&home| clusters.get(home).is_some_and(|home| fits(home) && !strange(home)));
        homes.sort_unstable();
        homes.dedup();
        homes
    }

    /// Every cluster of a key that is not full.
    fn all(&mut self, key: Key) -> Vec<usize> {
        let Some(list) = self.lasting.get_mut(&key) else { return Vec::new() };
        self.looks += list.len() as u64;
        let found = list.clone();
        list.retain(|&at| self.taken[at] < TAKEN_MAX);
        found
    }

    /// The clusters of a key that have begun by then and are not over. One that is over is never looked at again.
    fn at_that_time(&mut self, key: Key, fact: &Fact) -> Vec<usize> {
        let Some(when) = fact.when else { return Vec::new() };
        let now = (when.axis, when.micros);
        let Index { spans, waiting, running, taken, looks, .. } = self;
        let running = running.entry(key).or_default();
        if let Some(waiting) = waiting.get_mut(&key) {
            let begun = |at: usize| {
                spans[at].is_some_and(|span| (span.axis, span.from_us.saturating_sub(QUIET_US)) <= now)
            };
            while let Some(at) = waiting.pop_if(|at| begun(*at)) {
                *looks += 1;
                running.push(at);
            }
        }
        *looks += running.len() as u64;
        running.retain(|&at| {
            spans[at].is_some_and(|span| now <= (span.axis, span.to_us.saturating_add(QUIET_US)))
        });
        let found = running.clone();
        running.retain(|&at| taken[at] < TAKEN_MAX);
        found
    }

    /// The clusters whose first or last line is a few lines away, where the fact or the cluster has no time.
    fn at_that_place(&mut self, fact: &Fact, clusters: &[Incident<'_>]) -> Vec<usize> {
        let line = fact.place.line;
        let window = (fact.place.input, line.saturating_sub(NEAR_LINES))
            ..=(fact.place.input, line.saturating_add(NEAR_LINES));
        let mut found = Vec::new();
        for at in self.places.range(window).flat_map(|(_, here)| here.iter().copied()) {
            self.looks += 1;
            let timed = fact.when.is_some() && self.spans[at].is_some();
            let own = fact.device.is_none_or(|device| clusters[at].devices.contains(&device));
            if !timed && own {
                found.push(at);
            }
        }
        found
    }
}

/// Whether a device refused a command that it does not know (Illegal Request), as local disks do each day.
fn is_an_everyday_refusal(fact: &Fact) -> bool {
    weight(fact) == Weight::Context
        && matches!(&fact.kind, Kind::Command(command) if command.sense.is_some_and(|sense| sense.key == 5))
}

/// Whether a fact is of a piece of a line that somebody pasted, without time, program and name: of which device it is, nobody knows, whatever stands around it.
fn is_a_piece(fact: &Fact) -> bool {
    let says_what_was_met = matches!(
        fact.kind,
        Kind::Command(_)
            | Kind::Heartbeat(_)
            | Kind::Lock(_)
            | Kind::Space(_)
            | Kind::Snapshot
            | Kind::ReservationConflicts
    );
    let names_nothing = fact.device.is_none() && fact.volume.is_none() && fact.path.is_none();
    let bare = || {
        let prefix = prefix::split(&fact.text);
        !prefix.begins && prefix.process.is_none() && !begins_as_a_log(prefix.body)
    };
    says_what_was_met && names_nothing && bare()
}

/// Whether a line speaks of one volume or one pool without its name: a record that is damaged, a reservation that stands in the way, a space that is used
/// up. What else failed at that time is no word about which.
fn is_of_one_volume(fact: &Fact) -> bool {
    let of_one =
        is_damage(fact) || matches!(fact.kind, Kind::ReservationConflicts | Kind::Space(SpaceEvent::Full));
    of_one && fact.device.is_none() && fact.volume.is_none() && fact.path.is_none()
}

/// Whether none of a cluster's lines says what a line about one volume without a name says; a pool may be behind a device whose id does not deny it.
fn is_of_another(fact: &Fact, cluster: &Incident<'_>) -> bool {
    /// The first lines of a storm tell what it says.
    const LOOKS_MAX: usize = 256;
    let is_space = |kind: &Kind| matches!(kind, Kind::Space(_));
    let agrees = |known: &Fact| match (&fact.kind, &known.kind) {
        (Kind::ReservationConflicts, Kind::Command(command)) => {
            command.device == Some(DeviceStatus::RESERVATION_CONFLICT) || command.refuses_reserve()
        }
        (space, Kind::Command(command)) if is_space(space) => {
            command.sense.is_some_and(Sense::is_out_of_space)
        }
        (space, _) if is_space(space) && known.device.is_some() && !is_of_another_array(known) => true,
        _ => is_damage(fact) && is_damage(known) || says_the_same(known, fact),
    };
    !cluster.facts.iter().take(LOOKS_MAX).any(|known| agrees(known))
}

/// Whether a record is said to be damaged, of a heartbeat or of a lock.
fn is_damage(fact: &Fact) -> bool {
    match &fact.kind {
        Kind::Heartbeat(heartbeat) => heartbeat.step == HeartbeatStep::Corrupt,
        Kind::Lock(lock) => lock.step == LockStep::Corrupt,
        _ => false,
    }
}

/// Whether a line names a device by an id that is none of LIO's: its space is no pool's of a Linux host.
fn is_of_another_array(fact: &Fact) -> bool {
    fact.text.contains("naa.6") && !fact.text.contains("6001405")
}

/// Whether none of a cluster's lines says what a piece says, and some have a time.
fn is_news(piece: &Fact, cluster: &Incident<'_>) -> bool {
    /// The first lines of a storm tell what it says: thousands of pieces are not compared with all of it.
    const LOOKS_MAX: usize = 256;
    let mut known = cluster.facts.iter().take(LOOKS_MAX);
    known.clone().any(|known| known.when.is_some()) && !known.any(|known| says_the_same(known, piece))
}

/// Whether two lines tell of the same kind of answer.
fn says_the_same(one: &Fact, other: &Fact) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Command(one), Kind::Command(other)) => {
            one.miscompared() && other.miscompared()
                || (one.host, one.device, one.sense) == (other.host, other.device, other.sense)
        }
        (Kind::Heartbeat(one), Kind::Heartbeat(other)) => one.step == other.step,
        (Kind::Lock(one), Kind::Lock(other)) => one.step == other.step,
        (one, other) => one == other,
    }
}

fn span(cluster: &Incident<'_>) -> Option<Span> {
    let (first, last) = (cluster.facts.first()?.when?, cluster.facts.last()?.last?);
    (first.axis == last.axis).then_some(Span { axis: first.axis, from_us: first.micros, to_us: last.micros })
}

fn keys_of(cluster: &Incident<'_>) -> Vec<Key> {
    let devices = cluster.devices.iter().copied().map(Key::Device);
    let hosts = cluster.hosts.iter().copied().map(Key::Host);
    let hostless = cluster.hosts.is_empty().then_some(Key::Hostless);
    devices.chain(hosts).chain(hostless).chain([Key::Any]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::grow;
    use crate::fact::{Command, GatewayStep, HostStatus, Opcode, Place};
    use crate::knowledge::Knowledge;
    use crate::names::Names;
    use crate::stamp::{Precision, Stamp};

    /// A fact of that second and line, about a device or about none.
    fn fact(second: u64, line: u64, device: Option<Name>, kind: Kind) -> Fact {
        let micros = i64::try_from(second).unwrap() * 1_000_000;
        let when = Some(Stamp { micros, axis: Axis::Wall, zone_minutes: None, precision: Precision::Second });
        let place = Place { input: InputId(0), line };
        Fact {
            place,
            when,
            last: when,
            host: None,
            device,
            path: None,
            volume: None,
            of_a_write: false,
            kind,
            is_told: false,
            voice: 0,
            count: 1,
            text: "".into(),
        }
    }

    /// So many devices with a late ATS each, and so many lines of a gateway, all within a minute.
    fn hostile(count: u64) -> Vec<Fact> {
        let mut names = Names::default();
        let late = Command {
            opcode: Some(Opcode::COMPARE_AND_WRITE),
            host: Some(HostStatus::TIMEOUT),
            ..Command::default()
        };
        (0..count)
            .flat_map(|number| {
                let second = 1_000 + number * 60 / count;
                let device = names.name(&format!("naa.{number}"));
                [
                    fact(second, number * 2, Some(device), Kind::Command(late)),
                    fact(second, number * 2 + 1, None, Kind::Gateway(GatewayStep::LockAcquired)),
                ]
            })
            .collect()
    }

    #[test]
    fn looks_grow_with_the_number_of_facts_and_not_with_its_square() {
        let looks = |count: u64| {
            let facts = hostile(count);
            let knowledge = Knowledge::of(&facts);
            let (mut clusters, ambient) = grow(&facts, &Names::default(), &knowledge);
            assert_eq!(clusters.len() as u64, count);
            clusters.truncate(crate::bounds::CLUSTERS_MAX);
            attach(clusters, ambient).1
        };
        let ceiling = (TAKEN_MAX as u64 + 2) * crate::bounds::CLUSTERS_MAX as u64;
        for count in [5_000, 20_000, 50_000] {
            let looks = looks(count);
            assert!(looks <= ceiling + count * (2 * NEAR_LINES + 2), "{count} devices took {looks} looks");
        }
    }

    #[test]
    fn what_is_near_joins_and_what_is_far_stays_alone() {
        let device = Names::default().name("naa.1");
        let late = Command { opcode: Some(Opcode::COMPARE_AND_WRITE), ..Command::default() };
        let facts = [
            fact(1_000, 1, Some(device), Kind::Command(late)),
            fact(1_100, 2, None, Kind::Gateway(GatewayStep::LockLost)),
            fact(5_000, 3, None, Kind::Gateway(GatewayStep::LockLost)),
        ];
        let knowledge = Knowledge::of(&facts);
        let (clusters, ambient) = grow(&facts, &Names::default(), &knowledge);
        let (found, _) = attach(clusters, ambient);
        assert_eq!(found.iter().map(|cluster| cluster.facts.len()).collect::<Vec<_>>(), [2, 1]);
    }
}
