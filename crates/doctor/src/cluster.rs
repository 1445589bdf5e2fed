//! Clusters: facts about one device or volume, near in time. Every fact is looked up, none is compared with all clusters.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::fact::{Fact, Kind, PathEvent};
use crate::incident::{Incident, QUIET_US, Weight, weight};
use crate::knowledge::Knowledge;
use crate::names::{Name, Names};
use crate::scene::near;
use crate::subject::is_linux_device;

/// Open clusters that are looked at for a fact whose device or volume no line ties to another.
const UNTIED_LOOKS_MAX: usize = 64;

/// Beyond a minute nothing but chance puts a volume and a device together that no line ties.
const UNTIED_US: i64 = 60_000_000;

/// How long all paths to a device may be down before the next line of that outage: ESXi's handler is silent from its start to its
/// time-out (140 seconds by default), and from there to its end.
const OUTAGE_US: i64 = 900_000_000;

/// A device or a volume; with its host, where the name means something on that host alone.
type Place = (Option<Name>, Name);

/// What a cluster lacks: a device or a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Lack {
    Device,
    Volume,
}

/// The clusters, and where to find the one for a fact.
struct Clusters<'a> {
    grown: Vec<Incident<'a>>,
    of_device: HashMap<Place, usize>,
    of_volume: HashMap<Place, usize>,
    /// Names that every host gives anew: what one host calls so is not what another does.
    of_each_host: HashSet<Name>,
    /// Those of Linux's disks.
    of_linux: HashSet<Name>,
    /// Clusters that still lack a device or a volume, by host; those of no host are everybody's.
    untied: BTreeMap<(Lack, Option<Name>), BTreeSet<usize>>,
    /// The same clusters, whatever their hosts: those that lack nothing any more are taken off the lists of all their hosts, once.
    lacking: HashSet<(Lack, usize)>,
    known: HashSet<(usize, Sort, Name)>,
    knowledge: &'a Knowledge,
    /// The last line about a device without paths, by cluster, device and host.
    down: HashMap<(usize, Name, Option<Name>), &'a Fact>,
}

/// Whether it is a line of ESXi's handler of devices without paths (APD).
fn is_of_the_handler(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Path(PathEvent::AllDown | PathEvent::Restored))
        && ["APD ", "All Paths Down", ".apd."].iter().any(|mark| fact.text.contains(mark))
}

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sort {
    Device,
    Volume,
    Host,
}

/// Clusters of the facts, which stand in the order of time; and those facts that make no cluster: about no device or volume,
/// or only informing.
pub fn grow<'a>(
    facts: &'a [Fact],
    names: &Names,
    knowledge: &'a Knowledge,
) -> (Vec<Incident<'a>>, Vec<&'a Fact>) {
    let all = || facts.iter().flat_map(|fact| [fact.device, fact.volume]).flatten();
    let mut clusters = Clusters {
        grown: Vec::new(),
        of_device: HashMap::new(),
        of_volume: HashMap::new(),
        of_each_host: all().filter(|&name| is_of_each_host(names.text(name))).collect(),
        of_linux: all().filter(|&name| is_linux_device(names.text(name))).collect(),
        knowledge,
        untied: BTreeMap::new(),
        lacking: HashSet::new(),
        known: HashSet::new(),
        down: HashMap::new(),
    };
    let mut ambient = Vec::new();
    for fact in facts {
        let informs = weight(fact) == Weight::Context && !clusters.ends_an_outage(fact);
        if fact.device.is_none() && fact.volume.is_none() || informs {
            ambient.push(fact);
            continue;
        }
        let home = clusters.home(fact).unwrap_or(clusters.grown.len());
        clusters.take(home, fact);
    }
    (clusters.grown, ambient)
}

/// Names of Linux's disks, of disks without an identity, and of the volume that ESXi's setup makes on each host's own disk.
fn is_of_each_host(name: &str) -> bool {
    let numbered = |rest: &str| rest.starts_with(|letter: char| letter.is_ascii_digit());
    let lettered =
        |rest: &str| rest.len() <= 4 && rest.starts_with(|letter: char| letter.is_ascii_lowercase());
    name.starts_with("mpx.")
        || name.starts_with("mpath")
        || name == "datastore1"
        || crate::units::is_numbers(name)
        || name.starts_with("datastore1 (")
        || name.strip_prefix("dm-").is_some_and(numbered)
        || name.strip_prefix("nvme").is_some_and(numbered)
        || name.strip_prefix("sd").is_some_and(lettered)
}

/// Whether a line tells of a volume of VMFS, which no host of Linux has.
fn is_of_vmfs(fact: &Fact) -> bool {
    fact.volume.is_some() && matches!(fact.kind, Kind::Heartbeat(_) | Kind::Lock(_))
}

impl<'a> Clusters<'a> {
    /// The cluster that a fact belongs to.
    fn home(&mut self, fact: &Fact) -> Option<usize> {
        let by_device = fact.device.and_then(|device| self.of_device.get(&self.place(fact, device)).copied());
        let by_volume = fact.volume.and_then(|volume| self.of_volume.get(&self.place(fact, volume)).copied());
        let named = [by_device, by_volume].into_iter().flatten().find(|&index| self.is_open(index, fact));
        named.or_else(|| self.tied_home(fact)).or_else(|| self.untied_home(fact))
    }

    fn place(&self, fact: &Fact, name: Name) -> Place {
        (fact.host.filter(|_| self.of_each_host.contains(&name)), name)
    }

    /// The cluster of the device that carries the fact's volume, or of the volume that lies on its device, as some line says.
    fn tied_home(&self, fact: &Fact) -> Option<usize> {
        let devices = fact.volume.and_then(|volume| self.knowledge.carriers(volume, fact.when));
        let volumes = fact.device.and_then(|device| self.knowledge.carried(device, fact.when));
        let devices = devices.iter().flat_map(|devices| devices.iter());
        let volumes = volumes.iter().flat_map(|volumes| volumes.iter());
        let by_device = devices.filter_map(|&device| self.of_device.get(&self.place(fact, device)));
        let by_volume = volumes.filter_map(|&volume| self.of_volume.get(&self.place(fact, volume)));
        by_device.chain(by_volume).copied().find(|&index| self.is_open(index, fact))
    }

    /// Whether no line says that the fact's volume lies elsewhere than on a cluster's devices, or its device carries others.
    fn may_be_of(&self, index: usize, fact: &Fact) -> bool {
        let Some(cluster) = self.grown.get(index) else { return false };
        let fits = |known: Option<Cow<'_, BTreeSet<Name>>>, names: &[Name]| {
            names.is_empty() || known.is_none_or(|known| names.iter().any(|name| known.contains(name)))
        };
        let (carried, carriers) = (
            |device: Name| self.knowledge.carried(device, fact.when),
            |volume: Name| self.knowledge.carriers(volume, fact.when),
        );
        let own = fact.device.is_none_or(|device| fits(carried(device), &cluster.volumes))
            && fact.volume.is_none_or(|volume| fits(carriers(volume), &cluster.devices));
        let theirs = fact
            .volume
            .is_none_or(|volume| cluster.devices.iter().all(|&device| fits(carried(device), &[volume])))
            && fact
                .device
                .is_none_or(|device| cluster.volumes.iter().all(|&volume| fits(carriers(volume), &[device])));
        own && theirs
    }

    fn is_open(&self, index: usize, fact: &Fact) -> bool {
        let last = self.grown.get(index).and_then(|cluster| cluster.facts.last());
        last.is_some_and(|last| near(last, fact, QUIET_US)) || self.is_down(index, fact)
    }

    /// Whether a line of ESXi's handler of devices without paths goes on with what the cluster's last line of its kind, about the same
    /// device on the same host, began.
    fn is_down(&self, index: usize, fact: &Fact) -> bool {
        let began = fact.device.and_then(|device| self.down.get(&(index, device, fact.host)));
        is_of_the_handler(fact) && began.is_some_and(|began| near(began, fact, OUTAGE_US))
    }

    /// Whether the paths that a cluster's device had lost are back.
    fn ends_an_outage(&self, fact: &Fact) -> bool {
        let home = fact.device.and_then(|device| self.of_device.get(&self.place(fact, device)));
        fact.kind == Kind::Path(PathEvent::Restored) && home.is_some_and(|&index| self.is_down(index, fact))
    }

    /// A volume and a device whose tie no line tells: one host, one time, and only one that it can be. Of several, any
    /// choice would be a guess.
    fn untied_home(&mut self, fact: &Fact) -> Option<usize> {
        let lack = match (fact.device, fact.volume) {
            (None, Some(_)) => Lack::Volume,
            (Some(_), None) => Lack::Device,
            _ => return None,
        };
        let keys: Vec<_> = match fact.host {
            Some(host) => vec![(lack, Some(host)), (lack, None)],
            None => self.untied.keys().copied().filter(|key| key.0 == lack).take(UNTIED_LOOKS_MAX).collect(),
        };
        let mut found = BTreeSet::new();
        for key in keys {
            let members: Vec<usize> =
                self.untied.get(&key).into_iter().flatten().rev().take(UNTIED_LOOKS_MAX).copied().collect();
            for index in members {
                if self.is_open(index, fact) {
                    let last = self.grown.get(index).and_then(|cluster| cluster.facts.last());
                    let soon = last.is_some_and(|last| near(last, fact, UNTIED_US));
                    if soon && self.may_be_of(index, fact) && !self.is_of_another_system(index, fact) {
                        found.insert(index);
                    }
                } else if self.is_over(index, fact)
                    && let Some(set) = self.untied.get_mut(&key)
                {
                    set.remove(&index);
                }
            }
        }
        found.first().copied().filter(|_| found.len() == 1)
    }

    /// Whether one of both is a volume of VMFS, and the other a disk of Linux.
    fn is_of_another_system(&self, index: usize, fact: &Fact) -> bool {
        let Some(cluster) = self.grown.get(index) else { return false };
        let is_of_linux = |device: &Name| self.of_linux.contains(device);
        let has_a_volume = || cluster.facts.iter().rev().take(UNTIED_LOOKS_MAX).any(|own| is_of_vmfs(own));
        is_of_vmfs(fact) && cluster.devices.iter().any(is_of_linux)
            || fact.device.as_ref().is_some_and(is_of_linux) && has_a_volume()
    }

    /// Whether nothing later can join: times only grow. Lines without a time have no such order.
    fn is_over(&self, index: usize, fact: &Fact) -> bool {
        let last = self.grown.get(index).and_then(|cluster| cluster.facts.last());
        fact.when.is_some() && last.is_some_and(|last| last.when.is_some() && !near(last, fact, QUIET_US))
    }

    fn take(&mut self, index: usize, fact: &'a Fact) {
        if index == self.grown.len() {
            self.grown.push(Incident::default());
        }
        let Some(cluster) = self.grown.get_mut(index) else { return };
        let names = [
            (Sort::Device, fact.device, &mut cluster.devices),
            (Sort::Volume, fact.volume, &mut cluster.volumes),
            (Sort::Host, fact.host, &mut cluster.hosts),
        ];
        for (sort, name, names) in names {
            if let Some(name) = name.filter(|&name| self.known.insert((index, sort, name))) {
                names.push(name);
            }
        }
        cluster.facts.push(fact);
        if let Some(device) = fact.device.filter(|_| is_of_the_handler(fact)) {
            let key = (index, device, fact.host);
            if fact.kind == Kind::Path(PathEvent::AllDown) {
                self.down.insert(key, fact);
            } else {
                self.down.remove(&key);
            }
        }
        let device = fact.device.map(|device| (self.place(fact, device), index));
        let volume = fact.volume.map(|volume| (self.place(fact, volume), index));
        self.of_device.extend(device);
        self.of_volume.extend(volume);
        self.tie(index, fact);
    }

    /// Notes under the fact's host what its cluster still lacks.
    fn tie(&mut self, index: usize, fact: &Fact) {
        let Some(cluster) = self.grown.get(index) else { return };
        let lacks = [(Lack::Device, cluster.devices.is_empty()), (Lack::Volume, cluster.volumes.is_empty())];
        for (lack, lacking) in lacks {
            if lacking {
                self.untied.entry((lack, fact.host)).or_default().insert(index);
                self.lacking.insert((lack, index));
                continue;
            }
            // A cluster of a thousand hosts would look through them again with each of its lines.
            if !self.lacking.remove(&(lack, index)) {
                continue;
            }
            for host in cluster.hosts.iter().copied().map(Some).chain([None]) {
                if let Some(set) = self.untied.get_mut(&(lack, host)) {
                    set.remove(&index);
                }
            }
        }
    }
}
