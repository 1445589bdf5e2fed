//! A bucket of the directory, made anew from the descriptors: their own names are the truth, and entries reservations (R36).
//!
//! While the bucket does not check out nobody reserves a name in it and nobody gives one up. So what descriptors say after its bytes
//! were read is what it has to hold when it is swapped, whatever hosts did meanwhile.

use oarlock_format::{BucketEntry, BucketNumber, BucketRecord, DescriptorNumber, Image, LayerState};

use crate::check::CheckError;

use super::traces::name_beside;
use super::{Ground, Judged, Tried, Work, by_another, refused};

impl Work<'_> {
    pub(super) async fn bucket(
        &self,
        ground: &Ground,
        number: BucketNumber,
        image: &Image,
    ) -> Result<Tried, CheckError> {
        let layout = &self.store.layout;
        let lba = layout.bucket(number);
        let known = match self.judge::<BucketRecord>(lba, image) {
            Judged::Newer(error) => return Ok(refused(error.to_string())),
            Judged::Bad(proved) => proved,
            Judged::Sound(sound) => {
                let is_here = |entry: &BucketEntry| layout.bucket_of(entry.hash) == number;
                let (here, astray): (Vec<_>, Vec<_>) = sound.record.entries.into_iter().partition(is_here);
                if astray.is_empty() {
                    return Ok(by_another());
                }
                Some(BucketRecord { entries: here })
            }
        };
        let is_proved = known.is_some();
        if !is_proved && let Some(unread) = self.may_have_had_an_entry(ground).await? {
            return Ok(refused(format!(
                "descriptor {unread} does not read, and may have had an entry here: repair that first"
            )));
        }
        let mut bucket = known.unwrap_or_default();
        for entry in entries_of(ground, |entry| layout.bucket_of(entry.hash) == number) {
            if bucket.entries.contains(&entry) {
                continue;
            }
            let Some(with) = bucket.with(entry) else {
                return Ok(refused("more names lead there than it has room for"));
            };
            bucket = with;
        }
        let how = match bucket.entries.len() {
            0 => "no name leads there: it is empty again".to_owned(),
            entries => format!("it has the entries of {entries} names again, from their descriptors"),
        };
        self.put(ground, image, lba, (&bucket, how)).await
    }

    /// A descriptor that does not read, and of which nothing says that it never had a name. Would its entry not be put back, the next
    /// repair might take it for nobody's.
    async fn may_have_had_an_entry(&self, ground: &Ground) -> Result<Option<DescriptorNumber>, CheckError> {
        for number in ground.estate.unread.iter().copied() {
            if name_beside(self.store, number).await?.is_none_or(|named| named.name.is_some()) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }
}

/// The entries of names that descriptors have, take or have still to give up: those that are had first.
fn entries_of(ground: &Ground, is_wanted: impl Fn(&BucketEntry) -> bool) -> Vec<BucketEntry> {
    let (mut had, mut others) = (Vec::new(), Vec::new());
    for (id, described) in &ground.estate.layers {
        let layer = &described.layer;
        if layer.state == LayerState::Doomed && layer.flags.nameless {
            continue;
        }
        let entry = |hash| BucketEntry { hash, layer: *id };
        let own = layer.hash.map(entry);
        match layer.state {
            LayerState::Ready => had.extend(own),
            _ => others.extend(own),
        }
        others.extend(layer.other_hash.map(entry));
    }
    had.extend(others);
    had.retain(is_wanted);
    had
}
