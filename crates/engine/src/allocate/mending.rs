//! Putting the bits of a group right that a check found wrong: under the group's lock, and through the journal, as any change of them.

use oarlock_format::{BitmapPage, ClusterIndex, ClusterRun, Epoch, GroupNumber, JournalObject};

use super::error::SpaceError;
use super::locks::{OwnedLock, Wish};
use super::source::Source;
use crate::layer::read_page;
use crate::pages::PageKey;

/// Bits that one transaction changes.
const BITS_AT_ONCE: usize = 256;

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
}
