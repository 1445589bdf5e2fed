//! A descriptor: what its own bytes prove, without its lock; or free, where nothing in the datastore leads to it.

use oarlock_format::{BucketNumber, DescriptorNumber, DescriptorRecord, DiskUid, Image, Locked};

use crate::check::CheckError;
use crate::check::restore;

use super::traces::Traces;
use super::{Ground, Judged, Tried, Work, by_another, refused, words};

impl Work<'_> {
    pub(super) async fn descriptor(
        &self,
        ground: &Ground,
        number: DescriptorNumber,
        image: &Image,
        may_be_nobodys: bool,
    ) -> Result<Tried, CheckError> {
        let lba = self.store.layout.descriptor(number);
        let proved = match self.judge::<DescriptorRecord>(lba, image) {
            Judged::Newer(error) => return Ok(refused(error.to_string())),
            Judged::Sound(_) => return Ok(by_another()),
            Judged::Bad(proved) => proved,
        };
        if let Some(reason) = self.may_be_held(ground) {
            return Ok(refused(reason));
        }
        if !ground.owing.is_empty() {
            // Free, in another epoch, it would make a replay pass over what the dead host owes it.
            return Ok(refused(format!(
                "the host of slot {} is dead and not taken over, and its journal may hold pages of it",
                words(&ground.owing)
            )));
        }
        if let Some(mut record) = proved {
            *record.lock_mut() = restore::unheld(Some(record.lock()), self.epoch(ground), self.wall_ms());
            let how = "its bytes prove what it said, and nobody holds it: it stands there again".to_owned();
            return self.put(ground, image, lba, (&record, how)).await;
        }
        let traces = Traces::of(self.store, &ground.estate, number).await?;
        if !may_be_nobodys || traces.are_some() {
            return Ok(refused(format!("{}. {}", traces.words(), LOST)));
        }
        if let Some(why) = self.cannot_be_told(ground, number) {
            return Ok(refused(why));
        }
        let uids = ground.estate.layers.keys().map(|id| id.uid).chain(traces.uid);
        let uid = restore::uid_above(uids.max().unwrap_or(DiskUid(0)), ground.generation);
        let lock = restore::unheld(None, self.epoch(ground), self.wall_ms());
        let record = DescriptorRecord { lock, uid, layer: None };
        let how = "nothing in the datastore leads to it: it is free again".to_owned();
        self.put(ground, image, lba, (&record, how)).await
    }

    /// Why it cannot be told whether the descriptor is nobody's, if so: what leads to it may stand where nothing can be read.
    fn cannot_be_told(&self, ground: &Ground, number: DescriptorNumber) -> Option<String> {
        let layout = &self.store.layout;
        let is_read = |bucket| ground.estate.versions.contains_key(&layout.bucket(bucket));
        if let Some(bucket) = (0..layout.bucket_count()).map(BucketNumber).find(|bucket| !is_read(*bucket)) {
            return Some(format!("bucket {bucket} does not read, which may lead to it: repair that first"));
        }
        let mut others = ground.estate.unread.iter().filter(|other| **other != number);
        let other = others.find(|other| ground.referred_to.contains(other))?;
        Some(format!("descriptor {other} does not read either, and may stand on it"))
    }
}

/// What becomes of a layer whose descriptor is lost.
const LOST: &str = "What it said (its size, the layer below it, where its map begins) stands nowhere else: what only this layer held \
    is to be restored from a backup. Its clusters stay marked as taken, and no other disk gets them";
