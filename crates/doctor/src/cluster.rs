//! Clusters: facts about one device or volume, near in time. Every fact is looked up, none is compared with all clusters.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::fact::{Fact, Kind, PathEvent};
use crate::incident::{Incident, QUIET_US, Weight, weight};
use crate::names::Name;
use crate::scene::near;

/// Open clusters that are looked at for a fact whose device or volume no line ties to another.
const UNTIED_LOOKS_MAX: usize = 64;

/// How long all paths to a device may be down before the next line of that outage: ESXi's handler is silent from its start to its
/// time-out (140 seconds by default), and from there to its end.
const OUTAGE_US: i64 = 900_000_000;

/// What a cluster lacks: a device or a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lack {
    Device,
    Volume,
}

/// The clusters, and where to find the one for a fact.
#[derive(Default)]
struct Clusters<'a> {
    grown: Vec<Incident<'a>>,
    of_device: HashMap<Name, usize>,
    of_volume: HashMap<Name, usize>,
    /// Clusters that still lack a device or a volume, by host; those of no host are everybody's.
    untied: BTreeMap<(Lack, Option<Name>), BTreeSet<usize>>,
    known: HashSet<(usize, Sort, Name)>,
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
pub fn grow(facts: &[Fact]) -> (Vec<Incident<'_>>, Vec<&Fact>) {
    let mut clusters = Clusters::default();
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

impl<'a> Clusters<'a> {
    /// The cluster that a fact belongs to.
    fn home(&mut self, fact: &Fact) -> Option<usize> {
        let by_device = fact.device.and_then(|device| self.of_device.get(&device).copied());
        let by_volume = fact.volume.and_then(|volume| self.of_volume.get(&volume).copied());
        let named = [by_device, by_volume].into_iter().flatten().find(|&index| self.is_open(index, fact));
        named.or_else(|| self.untied_home(fact))
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
        let home = fact.device.and_then(|device| self.of_device.get(&device));
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
                    found.insert(index);
                } else if self.is_over(index, fact)
                    && let Some(set) = self.untied.get_mut(&key)
                {
                    set.remove(&index);
                }
            }
        }
        found.first().copied().filter(|_| found.len() == 1)
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
        self.of_device.extend(fact.device.map(|device| (device, index)));
        self.of_volume.extend(fact.volume.map(|volume| (volume, index)));
        self.tie(index, fact);
    }

    /// Notes under the fact's host what its cluster still lacks.
    fn tie(&mut self, index: usize, fact: &Fact) {
        let Some(cluster) = self.grown.get(index) else { return };
        let lacks = [(Lack::Device, cluster.devices.is_empty()), (Lack::Volume, cluster.volumes.is_empty())];
        for (lack, lacking) in lacks {
            if lacking {
                self.untied.entry((lack, fact.host)).or_default().insert(index);
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
