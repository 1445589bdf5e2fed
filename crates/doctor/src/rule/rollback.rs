//! `rollback`: a record went back to an image older than one that was seen.

use super::case::Case;
use super::{Confidence, Judgement, Proof};
use crate::fact::{Fact, Kind, LockRecord, SlotImage};
use crate::scene::{before, gap_us};

/// One host prints old and new images of one moment in any order: only what is clearly later counts.
const LATER_US: i64 = 1_000_000;
/// A stamp counts microseconds of its host: this much cannot be the order of two lines.
const STAMP_BACK_US: u64 = 60_000_000;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let images: Vec<_> = case.facts().filter(|fact| slot(fact).is_some() || lock(fact).is_some()).collect();
    for (index, earlier) in images.iter().enumerate() {
        // The next few images of the record decide; a quadratic search of a storm would not.
        const REACH: usize = 200;
        for later in images.iter().skip(index + 1).take(REACH) {
            if earlier.host == later.host
                && earlier.volume == later.volume
                && before(earlier, later)
                && gap_us(earlier, later).is_some_and(|gap| gap >= LATER_US)
                && went_back(earlier, later)
            {
                let because = "The same host saw a newer image of this record first and an older one later. What was written in between is \
                               gone from the disk.";
                return Judgement::Met(
                    Proof::new(Confidence::Likely, because, vec![earlier, later])
                        .and_collect("What happened to the array in between: power loss, controller failover, restore, replication failover."),
                );
            }
        }
    }
    Judgement::Silent
}

fn slot(fact: &Fact) -> Option<&SlotImage> {
    match &fact.kind {
        Kind::Heartbeat(heartbeat) => heartbeat.slot.as_ref().filter(|slot| slot.state.is_sound()),
        _ => None,
    }
}

fn lock(fact: &Fact) -> Option<&LockRecord> {
    match &fact.kind {
        Kind::Lock(lock) => lock.record.as_ref(),
        _ => None,
    }
}

/// Whether the later image of one record is older than the earlier. Two volumes may bear one label and use one offset, so
/// that a lower generation alone proves nothing; a stamp that runs backwards in one generation of one owner does.
fn went_back(earlier: &Fact, later: &Fact) -> bool {
    if let (Some(old), Some(new)) = (slot(earlier), slot(later)) {
        let same = old.offset == new.offset && old.owner == new.owner && old.owner.is_some();
        return same
            && old.generation == new.generation
            && old.stamp_us > new.stamp_us.saturating_add(STAMP_BACK_US);
    }
    if let (Some(old), Some(new)) = (lock(earlier), lock(later)) {
        let same = old.kind == new.kind && old.offset == new.offset && old.offset.is_some();
        return same && old.version.zip(new.version).is_some_and(|(old, new)| old > new);
    }
    false
}
