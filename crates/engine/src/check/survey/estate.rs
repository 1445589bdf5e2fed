//! All layers with their names and their entries in the directory, as one reading showed them.

use std::collections::BTreeMap;

use oarlock_block::Lba;
use oarlock_format::{
    BucketEntry, BucketNumber, BucketRecord, DescriptorName, DescriptorNumber, DescriptorRecord, Epoch,
    Layer, LayerId, LayerKind, LayerName, LockState, Record, Region, Stamped, decode_within,
};

use crate::check::CheckError;
use crate::check::scan::{chunk_blocks, chunks, read_bytes};
use crate::store::{Lane, Store};
use crate::verdict::Version;

/// A layer, and the record that tells of it.
pub(crate) struct Described {
    pub(crate) layer: Layer,
    pub(crate) lock: LockState,
}

/// Everything of disks but their maps.
#[derive(Default)]
pub(crate) struct Estate {
    pub(crate) layers: BTreeMap<LayerId, Described>,
    /// The name's record of each descriptor that is used.
    pub(crate) names: BTreeMap<DescriptorNumber, DescriptorName>,
    pub(crate) entries: Vec<(BucketNumber, BucketEntry)>,
    /// In which epoch each descriptor's lock was; none where it does not read.
    pub(crate) epochs: Vec<Option<Epoch>>,
    /// What stood where.
    pub(crate) versions: BTreeMap<Lba, Version>,
    /// A descriptor does not read: what it owned nobody knows.
    pub(crate) unread: Vec<DescriptorNumber>,
}

impl Estate {
    /// Reads directory and descriptors. `progress` hears of blocks that were read.
    pub(crate) async fn read(store: &Store, progress: &dyn Fn(u64)) -> Result<Estate, CheckError> {
        let mut estate = Estate::default();
        let layout = store.layout;
        estate.read_region(store, layout.directory, progress).await?;
        estate.read_region(store, layout.descriptors, progress).await?;
        Ok(estate)
    }

    async fn read_region(
        &mut self,
        store: &Store,
        region: Region,
        progress: &dyn Fn(u64),
    ) -> Result<(), CheckError> {
        let (stride, block) = (store.layout.stride_blocks.0, store.block_size.length());
        for (start, blocks) in chunks(region, chunk_blocks(store)) {
            let length = usize::try_from(blocks.bytes(store.block_size).0).unwrap_or(usize::MAX);
            let mut bytes = vec![0; length];
            // Where the device does not give them all at once, each is read by itself below.
            let _ = read_bytes(store, start, &mut bytes).await?;
            let step = block * usize::try_from(stride).unwrap_or(1);
            for (index, bytes) in (0..).zip(bytes.chunks(step)) {
                let lba = Lba(start.0 + index * stride);
                self.take_in(store, lba, &bytes[..block]).await;
            }
            progress(blocks.0);
        }
        Ok(())
    }

    async fn take_in(&mut self, store: &Store, lba: Lba, bytes: &[u8]) {
        use oarlock_format::Standing;
        let layout = &store.layout;
        match layout.kind_at(lba) {
            Standing::Directory(bucket) => {
                let number = BucketNumber(u32::try_from(bucket).unwrap_or(u32::MAX));
                if let Some(found) = sound::<BucketRecord>(store, lba, bytes).await {
                    self.versions.insert(lba, Version::of(&found.stamp));
                    self.entries.extend(found.record.entries.into_iter().map(|entry| (number, entry)));
                }
            }
            Standing::Descriptor(number) => {
                let number = DescriptorNumber(u32::try_from(number).unwrap_or(u32::MAX));
                if lba == layout.descriptor(number) {
                    let found = sound::<DescriptorRecord>(store, lba, bytes).await;
                    self.take_descriptor(number, lba, found);
                } else if let Some(found) = sound::<DescriptorName>(store, lba, bytes).await {
                    self.versions.insert(lba, Version::of(&found.stamp));
                    if self.id_in(number).is_some() {
                        self.names.insert(number, found.record);
                    }
                }
            }
            _ => {}
        }
    }

    fn take_descriptor(
        &mut self,
        number: DescriptorNumber,
        lba: Lba,
        found: Option<Stamped<DescriptorRecord>>,
    ) {
        self.epochs.push(found.as_ref().map(|found| found.record.lock.epoch));
        let Some(Stamped { stamp, record }) = found else {
            self.unread.push(number);
            return;
        };
        self.versions.insert(lba, Version::of(&stamp));
        if let (Some(id), Some(layer)) = (record.id(number), record.layer) {
            self.layers.insert(id, Described { layer, lock: record.lock });
        }
    }

    /// The layer that uses a descriptor.
    pub(crate) fn id_in(&self, number: DescriptorNumber) -> Option<LayerId> {
        let first = LayerId { descriptor: number, uid: oarlock_format::DiskUid(0) };
        let (id, _) = self.layers.range(first..).next()?;
        (id.descriptor == number).then_some(*id)
    }

    pub(crate) fn layer(&self, id: LayerId) -> Option<&Layer> {
        self.layers.get(&id).map(|described| &described.layer)
    }

    /// A layer and all that it stands on.
    pub(crate) fn line(&self, id: LayerId) -> Vec<LayerId> {
        let mut line = vec![id];
        let mut next = self.layer(id).and_then(|layer| layer.parent);
        while let Some(below) = next.filter(|below| !line.contains(below)) {
            line.push(below);
            next = self.layer(below).and_then(|layer| layer.parent);
        }
        line
    }

    /// The name that stands beside a layer's descriptor, if it is about this use of it.
    pub(crate) fn name(&self, id: LayerId) -> Option<&LayerName> {
        let named = self.names.get(&id.descriptor).filter(|named| named.uid == id.uid)?;
        named.name.as_ref()
    }

    /// A layer, for people.
    pub(crate) fn words(&self, id: LayerId) -> String {
        let number = id.descriptor;
        let Some(layer) = self.layer(id) else { return format!("descriptor {number}") };
        match (layer.kind, self.name(id)) {
            (LayerKind::Disk, Some(name)) => format!("disk `{name}` (descriptor {number})"),
            (LayerKind::Snapshot, Some(name)) => {
                let disk = self.name(layer.disk).map_or("?", LayerName::as_str);
                format!("snapshot `{disk}@{name}` (descriptor {number})")
            }
            (kind, _) => format!("{} without a name (descriptor {number})", words_of(kind)),
        }
    }
}

const fn words_of(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Disk => "a disk",
        LayerKind::Snapshot => "a snapshot",
        LayerKind::Hidden => "a hidden layer",
    }
}

/// The record, from these bytes, or read again by itself.
async fn sound<R: Record>(store: &Store, lba: Lba, bytes: &[u8]) -> Option<Stamped<R>> {
    if let Ok(stamped) = decode_within::<R>(bytes, &store.place(lba), &store.layout) {
        return Some(stamped);
    }
    Some(store.read::<R>(Lane::Work, lba).await.ok()?.stamped)
}
