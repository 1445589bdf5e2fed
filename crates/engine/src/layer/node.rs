//! Nodes in the making: all pages of one, fresh or copied, as they are written to their cluster. All of it pure.

use oarlock_format::{
    ClusterNumber, DecodeError, JournalSequence, MapPage, NodePointer, PAGE_LENGTH, PageHeader, Place,
};

use super::tree::Tree;
use crate::pages::{PageContent, PageKey};

/// A node that is to be written: its pages in order.
pub(super) struct NewNode {
    pages: Vec<(PageKey, MapPage)>,
}

impl NewNode {
    /// A node that maps nothing.
    pub(super) fn fresh(tree: &Tree, cluster: ClusterNumber, level: u8) -> NewNode {
        let page = |page| {
            let key = tree.key(cluster, page);
            let header = PageHeader {
                format_id: tree.ground.format_id,
                lba: key.lba,
                object: tree.descriptor.0,
                level,
                epoch: tree.epoch,
                sequence: JournalSequence(0),
            };
            (key, MapPage::empty(header))
        };
        NewNode { pages: (0..tree.ground.shape.pages_per_node()).map(page).collect() }
    }

    /// A node whose first entry leads to another: what becomes of a root that is raised.
    pub(super) fn above(tree: &Tree, cluster: ClusterNumber, level: u8, first: NodePointer) -> NewNode {
        let mut node = NewNode::fresh(tree, cluster, level);
        if let Some((_, page)) = node.pages.first_mut() {
            page.set(0, Some(first));
        }
        node
    }

    /// The copy of an ancestor's node, whose pages stand in order in `bytes`: it points where that one points, and owns nothing
    /// of it.
    ///
    /// # Errors
    /// The first page that is none of a node of that level.
    pub(super) fn copy(
        tree: &Tree,
        cluster: ClusterNumber,
        (original, level, bytes): (ClusterNumber, u8, &[u8]),
    ) -> Result<NewNode, DecodeError> {
        let mut pages = Vec::new();
        for (page, bytes) in (0..tree.ground.shape.pages_per_node()).zip(bytes.chunks(PAGE_LENGTH)) {
            let (from, to) = (tree.key(original, page), tree.key(cluster, page));
            let place = Place { format_id: tree.ground.format_id, lba: from.lba };
            let original = MapPage::decode(bytes, &place, &tree.ground.shape)?;
            if original.header().level != level {
                return Err(DecodeError::Field { offset: 44, what: "the level of another node" });
            }
            pages.push((to, original.copy_for(to.lba, tree.descriptor, tree.epoch)));
        }
        Ok(NewNode { pages })
    }

    /// The bytes of the whole cluster.
    pub(super) fn bytes(&mut self, tree: &Tree) -> Vec<u8> {
        let pages = self.pages.iter_mut();
        pages.flat_map(|(_, page)| *page.seal(tree.epoch, JournalSequence(0))).collect()
    }

    /// The pages, for the cache.
    pub(super) fn into_pages(self) -> impl Iterator<Item = (PageKey, PageContent)> {
        self.pages.into_iter().map(|(key, page)| (key, PageContent::Map(page)))
    }
}
