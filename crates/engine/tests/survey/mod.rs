//! A survey of all layers as they stand on the device: every cluster is in one layer's hands, and every reference leads to an
//! ancestor's.

#![allow(dead_code)] // Each test file uses its own part.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::collections::{BTreeMap, BTreeSet};

use oarlock_block::Lba;
use oarlock_format::{
    BitmapPage, ClusterIndex, ClusterNumber, DescriptorNumber, DescriptorRecord, ENTRIES_PER_PAGE,
    GroupNumber, GroupRecord, Layer, LayerId, LayerKind, LayerState, LockMode, MapPage, PAGE_LENGTH, Place,
    Superblock,
};

use crate::company::{format_id, read};
use crate::ledger::{page_bytes, superblock};
use crate::machine::{BLOCK, Machine};

/// All layers, and who owns what.
#[derive(Debug, Default)]
pub struct Survey {
    pub layers: BTreeMap<LayerId, Layer>,
    pub owners: BTreeMap<ClusterNumber, LayerId>,
    /// Clusters that a layer names as an ancestor's.
    pub borrowed: BTreeMap<LayerId, BTreeSet<ClusterNumber>>,
    /// Clusters whose bits are set, heads apart.
    pub bits: BTreeSet<ClusterNumber>,
    /// Descriptors and groups that somebody holds.
    pub held: usize,
}

struct Walk<'a> {
    machine: &'a Machine,
    superblock: Superblock,
    survey: &'a mut Survey,
    id: LayerId,
}

impl Survey {
    /// Reads it all, straight from the device; what is wrong with it, if anything.
    pub fn of(machine: &Machine) -> Result<Survey, String> {
        let mut survey = Survey::default();
        let superblock = superblock(machine);
        for number in (0..superblock.layout.descriptor_count()).map(DescriptorNumber) {
            let record: DescriptorRecord = read(machine, machine.layout().descriptor(number));
            survey.held += usize::from(record.lock.mode != LockMode::Free);
            if let Some(layer) = record.layer.clone() {
                survey.layers.insert(LayerId { descriptor: number, uid: record.uid }, layer);
            }
        }
        for (id, layer) in survey.layers.clone() {
            let mut walk = Walk { machine, superblock: superblock.clone(), survey: &mut survey, id };
            if let Some(root) = layer.root {
                walk.node((root, layer.flags.root_owned), layer.levels.0 - 1)?;
            }
        }
        survey.read_bits(machine, &superblock);
        survey.check()?;
        Ok(survey)
    }

    fn read_bits(&mut self, machine: &Machine, superblock: &Superblock) {
        let space = superblock.space();
        for group in (0..space.groups()).map(GroupNumber) {
            let record: GroupRecord = read(machine, space.record(group));
            self.held += usize::from(record.lock.mode != LockMode::Free);
            let lba = space.bitmap(group);
            let place = Place { format_id: format_id(machine), lba };
            let bitmap = BitmapPage::decode(&page_bytes(machine, lba), &place).unwrap();
            let index = |index| ClusterIndex(u16::try_from(index).unwrap());
            let all = (0..space.clusters_of(group)).map(|at| ClusterNumber::of(group, index(at)));
            self.bits.extend(all.filter(|cluster| space.has(*cluster) && bitmap.is_taken(cluster.place().1)));
        }
    }

    fn check(&self) -> Result<(), String> {
        for (id, clusters) in &self.borrowed {
            let above = self.ancestors(*id);
            for cluster in clusters {
                match self.owners.get(cluster) {
                    Some(owner) if above.contains(owner) => {}
                    owner => return Err(format!("{id:?} names cluster {cluster}, which is {owner:?}'s")),
                }
            }
        }
        match self.owners.keys().find(|cluster| !self.bits.contains(cluster)) {
            Some(cluster) => Err(format!("cluster {cluster} is owned, and its bit is clear")),
            None => Ok(()),
        }
    }

    fn ancestors(&self, id: LayerId) -> BTreeSet<LayerId> {
        let mut ancestors = BTreeSet::new();
        let mut next = self.layers.get(&id).and_then(|layer| layer.parent);
        while let Some(id) = next.filter(|id| ancestors.insert(*id)) {
            next = self.layers.get(&id).and_then(|layer| layer.parent);
        }
        ancestors
    }

    /// Bits that nobody owns.
    pub fn leaked(&self) -> usize {
        self.bits.iter().filter(|cluster| !self.owners.contains_key(cluster)).count()
    }

    /// Layers that should not be there any more: half made, or needed by nobody, or by one other only.
    pub fn left_over(&self) -> Vec<LayerId> {
        let children = |id| self.layers.values().filter(|layer| layer.parent == Some(id)).count();
        let is_left = |(id, layer): &(&LayerId, &Layer)| match (layer.state, layer.kind) {
            (LayerState::Ready, LayerKind::Hidden) | (LayerState::Doomed, _) => children(**id) < 2,
            (LayerState::Ready, _) => false,
            _ => true,
        };
        self.layers.iter().filter(is_left).map(|(id, _)| *id).collect()
    }
}

impl Walk<'_> {
    fn own(&mut self, cluster: ClusterNumber) -> Result<(), String> {
        match self.survey.owners.insert(cluster, self.id) {
            None => Ok(()),
            Some(other) => Err(format!("cluster {cluster} is owned by {other:?} and {:?}", self.id)),
        }
    }

    fn name(&mut self, cluster: ClusterNumber, is_own: bool) -> Result<(), String> {
        if is_own {
            return self.own(cluster);
        }
        self.survey.borrowed.entry(self.id).or_default().insert(cluster);
        Ok(())
    }

    fn node(&mut self, (node, is_own): (ClusterNumber, bool), level: u8) -> Result<(), String> {
        self.name(node, is_own)?;
        let shape = self.superblock.map_shape();
        let first = self.superblock.space().cluster(node).0;
        for page in 0..u64::from(shape.pages_per_node()) {
            let lba = Lba(first + page * (PAGE_LENGTH / BLOCK) as u64);
            let place = Place { format_id: format_id(self.machine), lba };
            let map = MapPage::decode(&page_bytes(self.machine, lba), &place, &shape)
                .map_err(|error| format!("node {node} of {:?}: {error}", self.id))?;
            if map.header().level != level {
                return Err(format!("node {node} is of level {} and not {level}", map.header().level));
            }
            for entry in 0..ENTRIES_PER_PAGE {
                if level > 0 {
                    if let Some(below) = map.node(entry) {
                        self.node((below.cluster, is_own && below.owned), level - 1)?;
                    }
                    continue;
                }
                let leaf = map.leaf(entry);
                if let Some(own) = leaf.own {
                    self.name(own.cluster, is_own && leaf.owned)?;
                }
                if let Some(below) = leaf.below {
                    self.name(below.cluster, is_own && leaf.below_owned)?;
                }
            }
        }
        Ok(())
    }
}
