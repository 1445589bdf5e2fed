//! Putting the bits of a group right that a check found wrong: under the group's lock, and through the journal, as any change of them.

use std::sync::Arc;

use oarlock_format::{
    BitmapPage, ClusterIndex, ClusterRun, Epoch, GroupNumber, JournalObject, JournalSequence, PageHeader,
};

use super::error::SpaceError;
use super::locks::{OwnedLock, Wish};
use super::source::Source;
use crate::layer::read_page;
use crate::pages::{Page, PageContent, PageFault, PageKey};

/// Bits that one transaction changes.
const BITS_AT_ONCE: usize = 256;

/// What a look at the bitmap of a group came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bitmap {
    /// It is sound.
    Sound,
    /// It did not check out; all of the group is taken now.
    AllTaken,
    /// Its group was not got.
    InUse,
}

/// How often a group is brought home whose pages change meanwhile.
const ROUNDS_MAX: usize = 4;

impl Source {
    /// Gives up every group that this host owns, as far as nobody uses a cluster of it.
    ///
    /// # Errors
    /// Why a bitmap is not home.
    pub(crate) async fn give_all_up(&self) -> Result<(), SpaceError> {
        for group in self.stock.spare() {
            self.give_up(group).await?;
        }
        Ok(())
    }

    /// Clears and sets bits of a group, if nobody had the group since its lock was in `epoch`: then they are as they were read, and
    /// what was nobody's is so still. Whether it is done, and durable.
    ///
    /// # Errors
    /// Why it is not known to be done.
    pub(crate) async fn put_right(
        &self,
        group: GroupNumber,
        epoch: Epoch,
        bits: &[(ClusterIndex, bool)],
    ) -> Result<bool, SpaceError> {
        let door = self.door(group);
        let _door = door.lock().await;
        if self.stock.has(group) {
            return Ok(false);
        }
        let Some(OwnedLock { epoch: now, clusters }) = self.locks.take(group, Wish::Pressing).await? else {
            return Ok(false);
        };
        let object = JournalObject::Group(group);
        self.pages().open(object, now);
        let is_as_seen = now == epoch.next();
        let lba = self.core().superblock().record.space().bitmap(group);
        let page = match read_page(self.core(), self.pages(), PageKey { object, lba }).await {
            Ok(page) => page,
            Err(error) => {
                if self.pages().close(object) {
                    self.locks.release(group, 0).await;
                }
                return Err(error);
            }
        };
        if is_as_seen {
            for some in bits.chunks(BITS_AT_ONCE) {
                let mut transaction = self.begin(1).await?;
                for (first, taken) in some {
                    transaction.mark(&page, ClusterRun { first: *first, count: 1 }, *taken);
                }
            }
        }
        for _ in 0..ROUNDS_MAX {
            self.journal.bring_home(object).await?;
            let free = page.read(|content| BitmapPage::free(content.bitmap(), clusters));
            if self.pages().close(object) {
                self.locks.release(group, free).await;
                return Ok(is_as_seen);
            }
        }
        Ok(false)
    }

    /// Gives a group whose bitmap does not check out one in which every cluster is taken: whose each is only the maps know, and what a
    /// host has still to free in it, that host alone. So nothing is given away that may be somebody's; a survey clears what is nobody's.
    ///
    /// # Errors
    /// Why it is not known to be done.
    pub(crate) async fn renew_bitmap(&self, group: GroupNumber) -> Result<Bitmap, SpaceError> {
        let door = self.door(group);
        let _door = door.lock().await;
        if self.stock.has(group) {
            return Ok(Bitmap::InUse);
        }
        let Some(OwnedLock { epoch, clusters }) = self.locks.take(group, Wish::Pressing).await? else {
            return Ok(Bitmap::InUse);
        };
        let object = JournalObject::Group(group);
        self.pages().open(object, epoch);
        let space = self.core().superblock().record.space();
        let key = PageKey { object, lba: space.bitmap(group) };
        let read = read_page(self.core(), self.pages(), key).await;
        let is_well = |page: &Arc<Page>| page.read(|content| is_of(content.bitmap(), group, space.head()));
        if let Ok(page) = &read
            && is_well(page)
        {
            return self.close_with(object, (group, clusters), page, Bitmap::Sound).await;
        }
        match read {
            Ok(_) | Err(SpaceError::Page(PageFault::Unsound { .. })) => {}
            Err(error) => {
                if self.pages().close(object) {
                    self.locks.release(group, 0).await;
                }
                return Err(error);
            }
        }
        let header = PageHeader {
            format_id: self.core().store.format_id,
            lba: key.lba,
            object: group.0,
            level: 0,
            epoch,
            sequence: JournalSequence(0),
        };
        let fresh = BitmapPage::fresh(header, space.head());
        let page = self.pages().put(key, PageContent::Bitmap(fresh))?;
        let count = u16::try_from(clusters).unwrap_or(u16::MAX);
        let mut transaction = self.begin(1).await?;
        transaction.mark(&page, ClusterRun { first: ClusterIndex(0), count }, true);
        drop(transaction);
        self.close_with(object, (group, clusters), &page, Bitmap::AllTaken).await
    }

    /// Brings a bitmap home, and gives its group up.
    async fn close_with<T>(
        &self,
        object: JournalObject,
        (group, clusters): (GroupNumber, u32),
        page: &Arc<Page>,
        done: T,
    ) -> Result<T, SpaceError> {
        for _ in 0..ROUNDS_MAX {
            self.journal.bring_home(object).await?;
            let free = page.read(|content| BitmapPage::free(content.bitmap(), clusters));
            if self.pages().close(object) {
                self.locks.release(group, free).await;
                break;
            }
        }
        Ok(done)
    }
}

/// Whether a page that checks out is the bitmap of that group.
fn is_of(page: &BitmapPage, group: GroupNumber, head: u32) -> bool {
    let mut head = (0..head).filter_map(|index| u16::try_from(index).ok());
    page.header().object == group.0 && head.all(|index| page.is_taken(ClusterIndex(index)))
}
