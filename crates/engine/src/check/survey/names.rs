//! What is wrong with layers as their descriptors, names and entries tell of them: a pure function of one reading. What is under way
//! or held is nobody's fault.

use std::collections::{BTreeMap, BTreeSet};

use oarlock_block::Lba;
use oarlock_format::{BucketEntry, BucketNumber, Kind, Layer, LayerId, LayerKind, LayerName, LayerState};

use crate::check::code::Code;
use crate::check::report::Spot;
use crate::check::suspicion::{Remedy, Suspicion};
use crate::directory::hash_of;
use crate::disk::{is_under_way, is_unneeded};
use crate::store::Store;

use super::estate::Estate;
use super::families::Families;
use super::holders::{Holders, Standing};

/// One look at the estate.
pub(crate) struct Names<'a> {
    pub(crate) store: &'a Store,
    pub(crate) estate: &'a Estate,
    pub(crate) holders: &'a Holders,
    pub(crate) families: &'a Families,
}

impl Names<'_> {
    /// Everything that is wrong.
    pub(crate) fn suspicions(&self) -> Vec<Suspicion> {
        let entered: BTreeSet<_> =
            self.estate.entries.iter().map(|(_, entry)| (entry.layer, entry.hash)).collect();
        let mut children: BTreeMap<LayerId, Vec<LayerId>> = BTreeMap::new();
        for (id, described) in &self.estate.layers {
            if let Some(parent) = described.layer.parent {
                children.entry(parent).or_default().push(*id);
            }
        }
        let mut found: Vec<Suspicion> =
            self.estate.entries.iter().filter_map(|(bucket, entry)| self.stray(*bucket, entry)).collect();
        for (id, described) in &self.estate.layers {
            if self.is_used(*id) {
                continue;
            }
            let layer = &described.layer;
            let is_listed = layer.hash.is_some_and(|hash| entered.contains(&(*id, hash)));
            found.extend(self.name_of(*id, layer, is_listed));
            found.extend(self.below(*id, layer));
            found.extend(self.left(*id, layer, children.get(id).map_or(&[], Vec::as_slice)));
        }
        found.extend(self.namesakes());
        found
    }

    fn is_used(&self, id: LayerId) -> bool {
        let lock = self.estate.layers.get(&id).map(|described| &described.lock);
        lock.is_some_and(|lock| self.holders.standing(lock) != Standing::Quiet)
    }

    fn about(&self, code: Code, id: LayerId, message: String) -> Suspicion {
        let lba = self.store.layout.descriptor(id.descriptor);
        let place = Spot { lba, record: Kind::Descriptor, name: format!("descriptor {}", id.descriptor) };
        Suspicion::new(code, place, message)
    }

    /// An entry whose descriptor neither has nor takes the name, nor has still to give it up.
    fn stray(&self, bucket: BucketNumber, entry: &BucketEntry) -> Option<Suspicion> {
        let id = entry.layer;
        // One that is looked for in another bucket is a finding of its own.
        if self.store.layout.bucket_of(entry.hash) != bucket {
            return None;
        }
        if id.descriptor.0 >= self.store.layout.descriptor_count()
            || self.estate.unread.contains(&id.descriptor)
        {
            return None;
        }
        let is_of = |layer: &Layer| {
            let is_gone = layer.state == LayerState::Doomed && layer.flags.nameless;
            (layer.hash == Some(entry.hash) && !is_gone) || layer.other_hash == Some(entry.hash)
        };
        if self.estate.layer(id).is_some_and(is_of) {
            return None;
        }
        let lba = self.store.layout.bucket(bucket);
        let place = Spot { lba, record: Kind::DirectoryBucket, name: format!("directory bucket {bucket}") };
        let message = format!("its entry of hash {} leads to {id}, which has no such name", entry.hash);
        let others = [self.store.layout.descriptor(id.descriptor)];
        let suspicion = Suspicion::new(Code::BucketStray, place, message).seen_with(others);
        Some(suspicion.about(format!("{id} {}", entry.hash)).cured_by(Remedy::Sweep(bucket)))
    }

    /// A disk or a snapshot that nobody finds by its name.
    fn name_of(&self, id: LayerId, layer: &Layer, is_listed: bool) -> Option<Suspicion> {
        let hash = layer.hash.filter(|_| layer.state == LayerState::Ready)?;
        let lba = self.store.layout.descriptor_name(id.descriptor);
        // A name that does not read is a finding of its own.
        let named = self.estate.names.get(&id.descriptor)?;
        let name = named.name.as_ref().filter(|_| named.uid == id.uid);
        let Some(name) = name.filter(|name| hash_of(&self.store.format_id, layer, name) == Some(hash)) else {
            let message = format!("what stands beside {} is not its name", self.estate.words(id));
            let suspicion = self.about(Code::DescriptorMisnamed, id, message).seen_with([lba]);
            // Another's name is a person's to judge. None at all is what a repair left of one that was lost.
            let is_lost = named.name.is_none() && layer.other_hash.is_none();
            return Some(if is_lost { suspicion.cured_by(Remedy::Rename(id)) } else { suspicion });
        };
        if is_listed {
            return None;
        }
        let bucket = self.store.layout.bucket_of(hash);
        let at = self.store.layout.bucket(bucket);
        let words = self.estate.words(id);
        let message = match self.estate.versions.contains_key(&at) {
            true => format!("{words} has no entry in bucket {bucket}: `{name}` is not found"),
            false => format!("{words} is not found by `{name}`: bucket {bucket} does not read"),
        };
        let suspicion = self.about(Code::DescriptorUnlisted, id, message);
        Some(suspicion.seen_with([lba, at]).cured_by(Remedy::Enter(id)))
    }

    /// What a layer says of the layer below it, and of its disk.
    fn below(&self, id: LayerId, layer: &Layer) -> Vec<Suspicion> {
        let mut found = Vec::new();
        let is_read = |id: LayerId| !self.estate.unread.contains(&id.descriptor);
        if let Some(parent) = layer.parent.filter(|parent| is_read(*parent))
            && self.estate.layer(parent).is_none()
        {
            let message = format!(
                "{} stands on {parent}, which is gone: what it has not written itself is lost",
                self.estate.words(id)
            );
            let below = self.store.layout.descriptor(parent.descriptor);
            found.push(self.about(Code::ParentMissing, id, message).seen_with([below]));
        }
        if self.families.in_a_ring.contains(&id) {
            let message =
                format!("{} stands on itself, by way of the layers below it", self.estate.words(id));
            found.push(self.about(Code::ParentRing, id, message));
        }
        let is_named = layer.kind == LayerKind::Snapshot && layer.state == LayerState::Ready;
        if is_named
            && is_read(layer.disk)
            && !self.estate.layer(layer.disk).is_some_and(|disk| disk.kind == LayerKind::Disk)
        {
            let message = format!("{} is one of {}, which is gone", self.estate.words(id), layer.disk);
            let disk = self.store.layout.descriptor(layer.disk.descriptor);
            found.push(self.about(Code::SnapshotOrphan, id, message).seen_with([disk]));
        }
        found
    }

    /// What somebody began and left.
    fn left(&self, id: LayerId, layer: &Layer, children: &[LayerId]) -> Option<Suspicion> {
        if is_under_way(layer) {
            let message = format!("{} is {}, and nobody has it", self.estate.words(id), layer.state.name());
            return Some(self.about(Code::DescriptorHalfDone, id, message).cured_by(Remedy::Tend));
        }
        // Two need it; and who has the only one absorbs it when he comes to it.
        let is_needed = children.len() > 1 || children.iter().any(|child| self.is_used(*child));
        if !is_unneeded(layer) || is_needed {
            return None;
        }
        let message = format!("nobody needs {}, and it is still there", self.estate.words(id));
        Some(self.about(Code::LayerLeftover, id, message).cured_by(Remedy::Tend))
    }

    /// Two of one name.
    fn namesakes(&self) -> Vec<Suspicion> {
        let mut first: BTreeMap<(Option<LayerId>, &LayerName), LayerId> = BTreeMap::new();
        let mut found = Vec::new();
        for (id, described) in &self.estate.layers {
            let layer = &described.layer;
            let (Some(name), LayerState::Ready) = (self.estate.name(*id), layer.state) else { continue };
            if hash_of(&self.store.format_id, layer, name) != layer.hash {
                continue;
            }
            let disk = (layer.kind == LayerKind::Snapshot).then_some(layer.disk);
            match first.get(&(disk, name)) {
                None => {
                    first.insert((disk, name), *id);
                }
                Some(other) => {
                    let message =
                        format!("{} has the name of {}", self.estate.words(*id), self.estate.words(*other));
                    let involved = |id: &LayerId| -> [Lba; 2] {
                        let layout = &self.store.layout;
                        [layout.descriptor(id.descriptor), layout.descriptor_name(id.descriptor)]
                    };
                    let suspicion = self.about(Code::DescriptorNamesake, *id, message);
                    found.push(suspicion.seen_with(involved(id)).seen_with(involved(other)));
                }
            }
        }
        found
    }
}
