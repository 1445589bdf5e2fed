//! One layer's own part of its map, read from the device: every cluster that it owns, and every one that it names as an ancestor's.
//!
//! Only owned pointers are followed: what stands below another is an ancestor's whole affair, and is met on that one's own way.

use oarlock_block::{BlockCount, IoError, Lba};
use oarlock_format::{
    ClusterNumber, DecodeError, DescriptorNumber, DescriptorRecord, ENTRIES_PER_PAGE, Epoch, Kind, LayerId,
    MapPage, MapShape, PAGE_LENGTH, Space,
};

use crate::check::CheckError;
use crate::check::code::Code;
use crate::check::report::Spot;
use crate::check::scan::read_bytes;
use crate::check::suspicion::Suspicion;
use crate::layer::Root;
use crate::store::{Lane, READS_OF_DAMAGE, Store};

use super::estate::Estate;
use super::holders::Holders;

/// By what maps are read.
pub(crate) struct Maps<'a> {
    pub(crate) store: &'a Store,
    pub(crate) space: Space,
    pub(crate) shape: MapShape,
    pub(crate) holders: &'a Holders,
    /// In which epoch each descriptor's lock was.
    pub(crate) epochs: &'a [Option<Epoch>],
}

/// So much wrong with one map ends the walk over it: the rest would only be more of it.
const DOUBTS_MAX: usize = 64;

/// A cluster that a layer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) cluster: ClusterNumber,
    /// It is the layer's own, and not an ancestor's.
    pub(crate) is_owned: bool,
    /// A node of the map, and not data.
    pub(crate) is_node: bool,
    /// Where on the disk: the first byte that it maps.
    pub(crate) offset: u64,
}

/// A node that is to be read.
struct Open {
    node: ClusterNumber,
    level: u8,
    offset: u64,
}

/// A layer's map that is walked.
pub(crate) struct Walk<'a> {
    maps: &'a Maps<'a>,
    layer: (LayerId, Lba),
    /// A dead host had it: what its journal holds is newer than what stands at home.
    owes: bool,
    open: Vec<Open>,
    /// What is wrong with the map itself.
    pub(crate) doubts: Vec<Suspicion>,
    /// Every node could be read: all that the layer owns was named.
    pub(crate) is_complete: bool,
    nodes: u64,
}

impl<'a> Walk<'a> {
    /// The walk over the map of a layer.
    pub(crate) fn of(maps: &'a Maps<'a>, estate: &Estate, id: LayerId) -> Walk<'a> {
        let lock = estate.layers.get(&id).map(|described| &described.lock);
        let owes = lock.is_some_and(|lock| maps.holders.owes(lock));
        let layer = (id, maps.store.layout.descriptor(id.descriptor));
        Walk { maps, layer, owes, open: Vec::new(), doubts: Vec::new(), is_complete: true, nodes: 0 }
    }

    /// Walks from the root. `see` hears of every cluster that is named, and says of an owned node whether to look into it; `read`
    /// hears of every node that was.
    pub(crate) async fn all(
        &mut self,
        root: Root,
        see: &mut dyn FnMut(Mention) -> bool,
        read: &dyn Fn(),
    ) -> Result<(), CheckError> {
        let Some(cluster) = root.cluster else { return Ok(()) };
        let level = root.levels.0.saturating_sub(1);
        let at = self.layer.1;
        let mention = Mention { cluster, is_owned: root.owned, is_node: true, offset: 0 };
        self.meet(mention, level, at, see);
        while let Some(open) = self.open.pop() {
            if self.doubts.len() >= DOUBTS_MAX {
                self.is_complete = false;
                return Ok(());
            }
            self.nodes += 1;
            // Only a map that leads in rings has more nodes than there are clusters.
            if self.nodes > self.maps.space.clusters() {
                self.doubt(Code::MapContradicts, at, "the map leads in rings".to_owned());
                return Ok(());
            }
            self.read_node(&open, see).await?;
            read();
        }
        Ok(())
    }

    /// A cluster that is named, by an entry in the page at `by`, or by the descriptor.
    fn meet(&mut self, mention: Mention, level: u8, by: Lba, see: &mut dyn FnMut(Mention) -> bool) {
        if !self.maps.space.has(mention.cluster) {
            let message = format!(
                "byte {} of the layer leads to cluster {}, which the datastore does not have",
                mention.offset, mention.cluster
            );
            self.is_complete &= !mention.is_owned;
            let place = if by == self.layer.1 { self.descriptor_spot() } else { self.page_spot(by) };
            let suspicion = Suspicion::new(Code::MapBeyond, place, message);
            return self.doubts.push(suspicion.seen_with([self.layer.1]));
        }
        if see(mention) && mention.is_owned && mention.is_node {
            self.open.push(Open { node: mention.cluster, level, offset: mention.offset });
        }
    }

    async fn read_node(
        &mut self,
        open: &Open,
        see: &mut dyn FnMut(Mention) -> bool,
    ) -> Result<(), CheckError> {
        let (store, shape) = (self.maps.store, self.maps.shape);
        let first = self.maps.space.cluster(open.node);
        let page_blocks = PAGE_LENGTH as u64 / u64::from(store.block_size.bytes());
        let mut bytes = vec![0; usize::from(shape.pages_per_node()) * PAGE_LENGTH];
        if let Err(error) = read_bytes(store, first, &mut bytes).await? {
            self.unreadable(first, &error);
            return Ok(());
        }
        let per_page = u64::from(ENTRIES_PER_PAGE);
        let span = shape
            .entries_per_node()
            .saturating_pow(u32::from(open.level))
            .saturating_mul(shape.cluster_size().0);
        for (index, bytes) in (0..).zip(bytes.chunks(PAGE_LENGTH)) {
            let lba = first.plus(BlockCount(index * page_blocks));
            let Some(page) = self.page(lba, bytes, open.level).await? else { continue };
            let offset = |entry: u16| {
                open.offset.saturating_add((index * per_page + u64::from(entry)).saturating_mul(span))
            };
            self.entries(&page, lba, &offset, see);
        }
        Ok(())
    }

    fn entries(
        &mut self,
        page: &MapPage,
        lba: Lba,
        offset: &dyn Fn(u16) -> u64,
        see: &mut dyn FnMut(Mention) -> bool,
    ) {
        let level = page.header().level;
        for entry in 0..ENTRIES_PER_PAGE {
            let offset = offset(entry);
            if level > 0 {
                if let Some(below) = page.node(entry) {
                    let mention =
                        Mention { cluster: below.cluster, is_owned: below.owned, is_node: true, offset };
                    self.meet(mention, level - 1, lba, see);
                }
                continue;
            }
            let leaf = page.leaf(entry);
            let both = [(leaf.own, leaf.owned), (leaf.below, leaf.below_owned)];
            for (mapped, is_owned) in both.into_iter().filter_map(|(mapped, owned)| Some((mapped?, owned))) {
                self.meet(Mention { cluster: mapped.cluster, is_owned, is_node: false, offset }, 0, lba, see);
            }
        }
    }

    /// A page of this level: as a dead host's journal makes it, or as it stands here. What does not check out is read again (R3).
    async fn page(&mut self, lba: Lba, bytes: &[u8], level: u8) -> Result<Option<MapPage>, CheckError> {
        let store = self.maps.store;
        let mut bytes = match self.maps.holders.page(lba).filter(|_| self.owes) {
            Some(page) => page.to_vec(),
            None => bytes.to_vec(),
        };
        let mut tries = 1;
        let page = loop {
            let error: DecodeError = match MapPage::decode(&bytes, &store.place(lba), &self.maps.shape) {
                Ok(page) => break page,
                Err(error) => error,
            };
            if tries >= READS_OF_DAMAGE {
                let code = if error.is_newer() { Code::DisksNewer } else { Code::MapSpoiled };
                self.doubt(code, lba, error.to_string());
                return Ok(None);
            }
            tries += 1;
            store.world.pause(store.timing.beat / (READS_OF_DAMAGE * 2)).await;
            if let Err(error) = read_bytes(store, lba, &mut bytes).await? {
                self.unreadable(lba, &error);
                return Ok(None);
            }
        };
        if let Some(message) = self.contradiction(&page, level).await {
            self.doubt(Code::MapContradicts, lba, message);
            return Ok(None);
        }
        Ok(Some(page))
    }

    /// What is wrong with a page that checks out. Under whose lock it was written is no question: a layer gets pages of others by
    /// snapshots and deletions. But somebody's it was, and not in an epoch that is to come.
    async fn contradiction(&self, page: &MapPage, level: u8) -> Option<String> {
        let header = page.header();
        if header.level != level {
            return Some(format!("the page is of level {}, and here is level {level}", header.level));
        }
        let Some(known) = self.maps.epochs.get(usize::try_from(header.object).unwrap_or(usize::MAX)) else {
            return Some(format!(
                "the page was written under descriptor {}, which there is not",
                header.object
            ));
        };
        let known = (*known)?;
        if header.epoch <= known {
            return None;
        }
        // It may have been taken, and the page written, since that was read.
        let lba = self.maps.store.layout.descriptor(DescriptorNumber(header.object));
        let seen = self.maps.store.read::<DescriptorRecord>(Lane::Work, lba).await.ok()?;
        let known = seen.stamped.record.lock.epoch;
        (header.epoch > known).then(|| {
            format!(
                "the page was written in epoch {} of descriptor {}, which is in epoch {known}",
                header.epoch, header.object
            )
        })
    }

    fn unreadable(&mut self, lba: Lba, error: &IoError) {
        self.doubt(Code::Unreadable, lba, error.to_string());
    }

    fn doubt(&mut self, code: Code, lba: Lba, message: String) {
        self.is_complete = false;
        let place = self.page_spot(lba);
        self.doubts.push(Suspicion::new(code, place, message).seen_with([self.layer.1]));
    }

    fn page_spot(&self, lba: Lba) -> Spot {
        Spot { lba, record: Kind::MapPage, name: format!("map of descriptor {}", self.layer.0.descriptor) }
    }

    fn descriptor_spot(&self) -> Spot {
        let name = format!("descriptor {}", self.layer.0.descriptor);
        Spot { lba: self.layer.1, record: Kind::Descriptor, name }
    }
}
