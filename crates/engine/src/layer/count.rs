//! Counting what a layer owns, by its map: nobody keeps the figure, for that would be one more write with each change.

use oarlock_block::Lba;
use oarlock_format::{ClusterNumber, JournalObject, MapPage, PAGE_LENGTH, Place};

use super::fetch::read;
use super::root::Root;
use super::tree::Ground;
use crate::allocate::SpaceError;
use crate::core::Core;
use crate::pages::{PageFault, PageKey, Pages};
use crate::store::READS_OF_DAMAGE;

/// A layer whose clusters are counted, which any host may have meanwhile: then the number is that of a moment ago.
pub(crate) struct Counting<'a> {
    pub(crate) core: &'a Core,
    /// What this host knows of it by its own lock is newer than what stands at home.
    pub(crate) pages: &'a Pages,
    pub(crate) ground: Ground,
    pub(crate) object: JournalObject,
}

impl Counting<'_> {
    /// How many clusters of data the layer owns; its nodes do not count.
    ///
    /// # Errors
    /// Where a node cannot be read, or is none (any more).
    pub(crate) async fn count(&self, root: Root) -> Result<u64, SpaceError> {
        let mut owned = 0;
        let mut nodes: Vec<(ClusterNumber, u8)> = Vec::new();
        if let Some(cluster) = root.cluster.filter(|_| root.owned) {
            nodes.push((cluster, root.levels.0.saturating_sub(1)));
        }
        // Each level is one less than that of the node which leads to it: however damaged, this ends.
        while let Some((node, level)) = nodes.pop() {
            for page in self.node(node, level).await? {
                if level == 0 {
                    let of = |entry: oarlock_format::RawEntry| entry.leaf().owned_clusters().count();
                    owned += page.entries().map(of).sum::<usize>() as u64;
                } else {
                    let own = page.entries().filter_map(|entry| entry.node()).filter(|below| below.owned);
                    nodes.extend(own.map(|below| (below.cluster, level - 1)));
                }
            }
        }
        Ok(owned)
    }

    async fn node(&self, node: ClusterNumber, level: u8) -> Result<Vec<MapPage>, SpaceError> {
        let mut tries = 0;
        loop {
            match self.read_node(node).await? {
                Ok(pages) if pages.iter().all(|page| page.header().level == level) => return Ok(pages),
                Ok(_) => return Err(SpaceError::NotANode { cluster: node, level }),
                Err(fault) => {
                    tries += 1;
                    if tries >= READS_OF_DAMAGE {
                        return Err(fault.into());
                    }
                    let store = &self.core.store;
                    store.world.pause(store.timing.beat / (READS_OF_DAMAGE * 2)).await;
                }
            }
        }
    }

    async fn read_node(&self, node: ClusterNumber) -> Result<Result<Vec<MapPage>, PageFault>, SpaceError> {
        let count = self.ground.shape.pages_per_node();
        let mut bytes = vec![0; usize::from(count) * PAGE_LENGTH];
        read(self.core, self.ground.page(node, 0), &mut bytes).await?;
        let of = |(number, bytes)| self.page(self.ground.page(node, number), bytes);
        Ok((0..count).zip(bytes.chunks(PAGE_LENGTH)).map(of).collect())
    }

    fn page(&self, lba: Lba, bytes: &[u8]) -> Result<MapPage, PageFault> {
        if let Some(page) = self.pages.get(PageKey { object: self.object, lba }) {
            return Ok(page.read(|content| content.map().clone()));
        }
        let place = Place { format_id: self.ground.format_id, lba };
        MapPage::decode(bytes, &place, &self.ground.shape).map_err(|error| PageFault::Unsound { lba, error })
    }
}
