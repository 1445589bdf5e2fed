//! A map and an engine for tests: entries in memory, commits on demand, bits checked at each step.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use oarlock_format::{ClusterNumber, LeafEntry};

use crate::path::*;

/// Clusters that a leaf of this map has.
pub(super) const LEAF: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leaf {
    Missing,
    Ancestors,
    Own,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) entries: Vec<LeafEntry>,
    pub(super) leaves: Vec<Leaf>,
    pub(super) away: BTreeSet<usize>,
    pub(super) bits: BTreeSet<ClusterNumber>,
    pub(super) durable_entries: Vec<LeafEntry>,
    pub(super) change: u64,
    pub(super) durable: u64,
    pub(super) noted: u64,
    pub(super) publications: usize,
    /// Publications that fail, each as if its page had gone.
    pub(super) refuse: usize,
    /// No publication is taken before the next room.
    pub(super) no_room: bool,
}

pub(super) struct TestMap(Mutex<State>);

impl TestMap {
    pub(super) fn new(clusters: usize) -> TestMap {
        TestMap(Mutex::new(State {
            entries: vec![LeafEntry::default(); clusters],
            leaves: vec![Leaf::Missing; clusters.div_ceil(LEAF)],
            away: BTreeSet::new(),
            bits: BTreeSet::new(),
            durable_entries: vec![LeafEntry::default(); clusters],
            change: 0,
            durable: 0,
            noted: 0,
            publications: 0,
            refuse: 0,
            no_room: false,
        }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    /// What the map says of a cluster, ownership by the way from the root.
    fn entry(&self, index: usize) -> LeafEntry {
        let entry = self.entries[index];
        if self.leaves[index / LEAF] == Leaf::Own { entry } else { entry.disowned() }
    }

    /// All that was published becomes durable.
    pub(super) fn commit(&mut self) {
        self.durable = self.change;
        self.durable_entries = self.entries.clone();
        self.note();
    }

    /// All that was published is noted.
    pub(super) fn note(&mut self) {
        self.noted = self.change;
    }

    /// Clusters that an entry of the present or the durable map names.
    pub(super) fn named(&self) -> BTreeSet<ClusterNumber> {
        let of = |entry: &LeafEntry| [entry.own, entry.below].into_iter().flatten();
        let all = self.entries.iter().chain(&self.durable_entries);
        all.flat_map(of).map(|mapped| mapped.cluster).collect()
    }

    /// A snapshot: what was this layer's is an ancestor's.
    pub(super) fn disown(&mut self) -> Vec<LeafEntry> {
        let frozen = self.entries.clone();
        self.entries.iter_mut().for_each(|entry| entry.owned = false);
        for leaf in self.leaves.iter_mut().filter(|leaf| **leaf == Leaf::Own) {
            *leaf = Leaf::Ancestors;
        }
        self.commit();
        frozen
    }
}

impl DiskMap for TestMap {
    fn look_up(&self, index: u64) -> Looked {
        let (state, index) = (self.state(), usize::try_from(index).unwrap());
        match state.leaves[index / LEAF] {
            _ if state.away.contains(&(index / LEAF)) => Looked::Away,
            Leaf::Missing => Looked::NoLeaf { until: ((index / LEAF + 1) * LEAF) as u64 },
            leaf => Looked::Entry { entry: state.entry(index), leaf_is_own: leaf == Leaf::Own },
        }
    }

    fn publish(&self, publication: &Publication) -> Published {
        let (mut state, index) = (self.state(), usize::try_from(publication.index).unwrap());
        let leaf = index / LEAF;
        let changed = state.leaves[leaf] != Leaf::Own || state.entry(index) != publication.before;
        if state.refuse > 0 || changed || state.away.contains(&leaf) {
            state.refuse = state.refuse.saturating_sub(1);
            return Published::NotNow;
        }
        if state.no_room {
            return Published::NoRoom;
        }
        if let Some(taken) = publication.taken {
            assert_eq!(publication.after.own.map(|own| own.cluster), Some(taken));
            assert!(state.bits.insert(taken), "cluster {taken} is taken twice");
        }
        let raw = oarlock_format::RawEntry::from(publication.after);
        assert_eq!(raw.leaf(), publication.after, "an entry that cannot stand in a page");
        if let (Some(own), Some(below)) = (publication.after.own, publication.after.below) {
            assert!(own.cluster != below.cluster && !below.mask.is_empty(), "{publication:?}");
        }
        state.entries[index] = publication.after;
        state.change += 1;
        state.publications += 1;
        Published::At(ChangeNumber(state.change))
    }

    fn durable(&self) -> ChangeNumber {
        ChangeNumber(self.state().durable)
    }

    fn noted(&self) -> ChangeNumber {
        ChangeNumber(self.state().noted)
    }
}

#[derive(Default)]
pub(super) struct TestSupplier {
    pub(super) asked: Mutex<Vec<(Ticket, Demand)>>,
    pub(super) quarantines: Mutex<Vec<Quarantine>>,
    pub(super) lows: Mutex<usize>,
}

impl Supplier for TestSupplier {
    fn ask(&self, ticket: Ticket, demand: Demand) {
        self.asked.lock().unwrap().push((ticket, demand));
    }

    fn low(&self, _: usize) {
        *self.lows.lock().unwrap() += 1;
    }

    fn quarantined(&self, quarantine: Quarantine) {
        self.quarantines.lock().unwrap().push(quarantine);
    }
}
