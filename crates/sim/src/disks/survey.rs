//! A survey of all layers as they stand on the device: every cluster is in one layer's hands, and every reference leads to an
//! ancestor's.

use std::collections::{BTreeMap, BTreeSet};

use oarlock_block::Lba;
use oarlock_format::{
    BitmapPage, ClusterIndex, ClusterNumber, DescriptorNumber, DescriptorRecord, ENTRIES_PER_PAGE, FormatId,
    GroupNumber, GroupRecord, Layer, LayerId, LayerKind, LayerState, LockMode, MapPage, PAGE_LENGTH, Place,
    Record, Superblock, decode,
};

/// A datastore that nobody works on, block by block.
pub struct Medium<'a> {
    /// Its superblock.
    pub superblock: &'a Superblock,
    /// Its identity.
    pub format_id: FormatId,
    /// What a block holds.
    pub block: &'a dyn Fn(Lba) -> Vec<u8>,
}

impl Medium<'_> {
    fn record<R: Record>(&self, lba: Lba) -> Result<R, String> {
        let place = Place { format_id: self.format_id, lba };
        let stamped = decode::<R>(&(self.block)(lba), &place);
        stamped.map(|stamped| stamped.record).map_err(|error| format!("block {lba}: {error}"))
    }

    fn page(&self, lba: Lba) -> (Vec<u8>, Place) {
        let blocks = PAGE_LENGTH as u64 / u64::from(self.superblock.block_size.bytes());
        let bytes = (lba.0..lba.0 + blocks).flat_map(|lba| (self.block)(Lba(lba))).collect();
        (bytes, Place { format_id: self.format_id, lba })
    }

    /// The bitmap of a group.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn bitmap(&self, group: GroupNumber) -> Result<BitmapPage, String> {
        let (bytes, place) = self.page(self.superblock.space().bitmap(group));
        BitmapPage::decode(&bytes, &place).map_err(|error| format!("the bitmap of group {group}: {error}"))
    }
}

/// All layers, and who owns what.
#[derive(Debug, Default)]
pub struct Survey {
    /// Every layer, whatever its state.
    pub layers: BTreeMap<LayerId, Layer>,
    /// Whose each cluster is.
    pub owners: BTreeMap<ClusterNumber, LayerId>,
    /// Clusters that a layer names as an ancestor's.
    pub borrowed: BTreeMap<LayerId, BTreeSet<ClusterNumber>>,
    /// Clusters whose bits are set, heads apart.
    pub bits: BTreeSet<ClusterNumber>,
    /// Descriptors and groups that somebody holds.
    pub held: usize,
}

struct Walk<'a> {
    medium: &'a Medium<'a>,
    survey: &'a mut Survey,
    id: LayerId,
}

impl Survey {
    /// Reads it all, straight from the device.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(medium: &Medium<'_>) -> Result<Survey, String> {
        let mut survey = Survey::default();
        let layout = &medium.superblock.layout;
        for number in (0..layout.descriptor_count()).map(DescriptorNumber) {
            let record: DescriptorRecord = medium.record(layout.descriptor(number))?;
            survey.held += usize::from(record.lock.mode != LockMode::Free);
            if let Some(layer) = record.layer {
                survey.layers.insert(LayerId { descriptor: number, uid: record.uid }, layer);
            }
        }
        for (id, layer) in survey.layers.clone() {
            let mut walk = Walk { medium, survey: &mut survey, id };
            if let Some(root) = layer.root {
                walk.node((root, layer.flags.root_owned), layer.levels.0 - 1)?;
            }
        }
        survey.read_bits(medium)?;
        survey.check()?;
        Ok(survey)
    }

    fn read_bits(&mut self, medium: &Medium<'_>) -> Result<(), String> {
        let space = medium.superblock.space();
        for group in (0..space.groups()).map(GroupNumber) {
            let record: GroupRecord = medium.record(space.record(group))?;
            self.held += usize::from(record.lock.mode != LockMode::Free);
            let bitmap = medium.bitmap(group)?;
            let all = (0..space.clusters_of(group)).filter_map(|index| u16::try_from(index).ok());
            let all = all.map(|index| ClusterNumber::of(group, ClusterIndex(index)));
            self.bits.extend(all.filter(|cluster| space.has(*cluster) && bitmap.is_taken(cluster.place().1)));
        }
        Ok(())
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
    pub fn unowned(&self) -> impl Iterator<Item = ClusterNumber> + '_ {
        self.bits.iter().copied().filter(|cluster| !self.owners.contains_key(cluster))
    }

    /// How many bits nobody owns.
    #[must_use]
    pub fn leaked(&self) -> usize {
        self.unowned().count()
    }

    /// Layers that should not be there any more: half made, or needed by nobody, or by one other only.
    #[must_use]
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
        let superblock = self.medium.superblock;
        let shape = superblock.map_shape();
        let first = superblock.space().cluster(node).0;
        let blocks = PAGE_LENGTH as u64 / u64::from(superblock.block_size.bytes());
        for page in 0..u64::from(shape.pages_per_node()) {
            let (bytes, place) = self.medium.page(Lba(first + page * blocks));
            let map = MapPage::decode(&bytes, &place, &shape)
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
