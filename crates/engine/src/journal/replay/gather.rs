//! What the pages of a journal come to: images, and the changes after them.

use std::collections::BTreeMap;

use oarlock_block::Lba;
use oarlock_format::{
    Change, Epoch, InSpace, JournalObject, JournalPosition, JournalSequence, PAGE_LENGTH, PageBytes,
    PageChange, Place,
};

use crate::pages::{PageContent, PageKey};

use super::Dead;

/// Pages as the journal makes them. There are never more than the ring has blocks.
#[derive(Default)]
pub(super) struct Gathered {
    pages: BTreeMap<PageKey, Made>,
    pub(super) commits: u64,
    /// Where the commit goes that makes the last notes count in every boot.
    pub(super) behind_notes: Option<JournalPosition>,
}

/// A page, and the commit that last changed it.
struct Made {
    content: PageContent,
    epoch: Epoch,
    last: JournalSequence,
}

impl Gathered {
    /// Applies a change, whose lock the dead host still holds in the change's epoch; what is wrong with it, if anything.
    pub(super) fn apply(
        &mut self,
        dead: &Dead<'_>,
        sequence: JournalSequence,
        change: &PageChange<'_>,
    ) -> Result<(), String> {
        let PageChange { object, epoch, page: lba, .. } = *change;
        if !is_home(dead, object, lba) {
            return Err(format!("a page of {object:?} at block {lba}, where none can stand"));
        }
        let key = PageKey { object, lba };
        let shape = dead.superblock.map_shape();
        if let Change::Image(bytes) = change.change {
            let place = Place { format_id: dead.store.format_id, lba };
            let content = PageContent::decode(object, bytes, &place, &shape)
                .map_err(|error| format!("an image of the page at block {lba}: {error}"))?;
            self.pages.insert(key, Made { content, epoch, last: sequence });
            return Ok(());
        }
        let Some(made) = self.pages.get_mut(&key) else {
            return Err(format!("a change of the page at block {lba}, and no image of it before"));
        };
        made.last = sequence;
        match (&mut made.content, change.change) {
            (PageContent::Map(page), Change::Entries { first, entries }) => page
                .apply(first, entries, &shape)
                .map_err(|error| format!("entries of the page at block {lba}: {error}")),
            (PageContent::Bitmap(page), Change::Bits { run, taken }) => {
                page.mark(run, taken);
                Ok(())
            }
            _ => Err(format!("a change of another kind of page at block {lba}")),
        }
    }

    /// The pages to write, by address.
    pub(super) fn sealed(&self) -> Vec<(Lba, Box<PageBytes>)> {
        let seal = |(key, made): (&PageKey, &Made)| {
            (key.lba, Box::new(*made.content.clone().seal(made.epoch, made.last)))
        };
        let mut sealed: Vec<_> = self.pages.iter().map(seal).collect();
        sealed.sort_by_key(|(lba, _)| *lba);
        sealed
    }
}

/// Whether a page of that object can stand there.
fn is_home(dead: &Dead<'_>, object: JournalObject, lba: Lba) -> bool {
    let space = dead.superblock.space();
    match (object, space.at(lba)) {
        (JournalObject::Group(group), Some(InSpace::Bitmap(found))) => found == group,
        (JournalObject::Descriptor(_), Some(InSpace::Cluster(cluster))) => {
            let offset = lba.0 - space.cluster(cluster).0;
            let page = PAGE_LENGTH as u64 / u64::from(dead.store.block_size.bytes());
            offset.is_multiple_of(page)
        }
        _ => false,
    }
}
