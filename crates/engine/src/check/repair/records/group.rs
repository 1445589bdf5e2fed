//! The record of a group: its number and its length are arithmetic, and nobody holds it. What it says of its clusters stands in its
//! bitmap, which is home where every host that had the group left or was taken over (R12).
//!
//! A dead host that had it cannot be taken over while the record does not check out. Its journal holds nothing of the group but bits,
//! which the maps say, too: so all of the group is marked as taken first, and then its record begins an epoch that no journal names.

use oarlock_block::IoError;
use oarlock_format::{
    BitmapPage, Epoch, GroupNumber, GroupRecord, Image, JournalSequence, PageHeader, Space,
};

use crate::check::CheckError;
use crate::check::restore;

use super::{Ground, Judged, Tried, Work, by_another, refused};

impl Work<'_> {
    pub(super) async fn group(
        &self,
        ground: &Ground,
        group: GroupNumber,
        image: &Image,
    ) -> Result<Tried, CheckError> {
        let space = self.space();
        let (lba, expected) = (space.record(group), space.clusters_of(group));
        let proved = match self.judge::<GroupRecord>(lba, image) {
            Judged::Newer(error) => return Ok(refused(error.to_string())),
            Judged::Sound(_) => return Ok(by_another()),
            Judged::Bad(proved) => proved,
        };
        if let Some(reason) = self.may_be_held(ground) {
            return Ok(refused(reason));
        }
        // A growth that is not finished has given it fewer: `grow` goes on with that.
        let proved = proved.filter(|record| record.number == group && record.clusters <= expected);
        let clusters = proved.as_ref().map_or(expected, |record| record.clusters);
        let lock = restore::unheld(None, self.epoch(ground), self.wall_ms());
        if !ground.owing.is_empty()
            && clusters > space.head()
            && let Err(reason) = self.take_all_of(group, clusters, lock.epoch).await
        {
            return Ok(refused(reason));
        }
        // How many are free is a hint: whoever has the group next counts.
        let record = GroupRecord { lock, number: group, clusters, free: 0 };
        let how = format!("nobody holds it: it is free again, with its {clusters} clusters");
        self.put(ground, image, lba, (&record, how)).await
    }

    /// The groups as the host knows them, which joined after the check began: a growth may have been in between.
    fn space(&self) -> Space {
        let known = self.host.disks.as_ref().map(|here| here.core.superblock().record.space());
        known.unwrap_or_else(|| self.records.superblock.space())
    }

    /// Marks all of a group as taken, whose record does not check out: so nobody has it, and nobody else writes its bitmap. Durable
    /// before the record is sound again. Should the write land late, it takes space away, and gives none.
    async fn take_all_of(&self, group: GroupNumber, clusters: u32, epoch: Epoch) -> Result<(), String> {
        let header = PageHeader {
            format_id: self.store.format_id,
            lba: self.space().bitmap(group),
            object: group.0,
            level: 0,
            epoch,
            sequence: JournalSequence(0),
        };
        let mut bitmap = BitmapPage::fresh(header, clusters);
        if let Some(reason) = self.right.refusal(self.store) {
            return Err(reason);
        }
        let write = self.store.world.device.write(header.lba, bitmap.seal(epoch, JournalSequence(0)));
        let written = self.store.world.within(self.store.timing.hold, write).await;
        let words = |error: IoError| format!("its bitmap could not be written: {error}");
        written.ok_or("its bitmap was not written in time")?.map_err(words)?;
        self.store.flush().await.map_err(words)
    }
}
