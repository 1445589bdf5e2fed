//! The record of a group: its number and its length are arithmetic, and nobody holds it. What it says of its clusters stands in its
//! bitmap, which is home where every host that had the group left or was taken over (R12).

use oarlock_format::{GroupNumber, GroupRecord, Image};

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
        let space = self.records.superblock.space();
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
        let lock =
            restore::unheld(proved.as_ref().map(|record| &record.lock), self.epoch(ground), self.wall_ms());
        // How many are free is a hint: whoever has the group next counts.
        let record = GroupRecord { lock, number: group, clusters, free: 0 };
        let how = format!("nobody holds it: it is free again, with its {clusters} clusters");
        self.put(ground, image, lba, (&record, how)).await
    }
}
