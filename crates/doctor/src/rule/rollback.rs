//! `rollback`: a record went back to an image older than one that was seen.

use super::case::Case;
use super::{Confidence, Judgement, Proof};
use crate::fact::{Fact, Kind, LockRecord, SlotImage, TargetStep};
use crate::scene::{before, gap_us};

/// One host prints old and new images of one moment in any order: only what is clearly later counts.
const LATER_US: i64 = 1_000_000;
/// A stamp counts microseconds of its host: this much cannot be the order of two lines.
const STAMP_BACK_US: u64 = 60_000_000;

/// From then on the two images may be of two volumes, one made after the other.
const SOON_US: i64 = 24 * 3_600_000_000;

/// Images of the volumes of one incident that are compared.
const IMAGES_MAX: usize = 2_000;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let is_image = |fact: &&Fact| slot(fact).is_some() || lock(fact).is_some();
    let volumes = &case.incident.volumes;
    let has_own = case.facts().any(|fact| is_image(&fact));
    // A record may have been seen long before: the newer image need not be of this incident.
    let of_these =
        |fact: &&Fact| fact.volume.is_some_and(|volume| volumes.contains(&volume)) && is_image(fact);
    let images: Vec<_> =
        case.scene.facts.iter().filter(|_| has_own).filter(of_these).take(IMAGES_MAX).collect();
    let lost = case.all(|fact| fact.kind == Kind::Target(TargetStep::CacheLost));
    for (index, earlier) in images.iter().enumerate() {
        // The next few images of the record decide; a quadratic search of a storm would not.
        const REACH: usize = 200;
        for later in images.iter().skip(index + 1).take(REACH) {
            if case.facts().any(|fact| std::ptr::eq(fact, *later))
                && is_of_one_log(earlier, later)
                && earlier.volume == later.volume
                && before(earlier, later)
                && !is_read_backwards(earlier, later)
                && gap_us(earlier, later).is_some_and(|gap| gap >= LATER_US)
                && went_back(earlier, later)
            {
                let because = "The same host saw a newer image of this record first and an older one later. What was written in between is \
                               gone from the disk.";
                // Within days a volume may have been made anew, under its old name.
                let soon = gap_us(earlier, later).is_some_and(|gap| gap <= SOON_US);
                // The version of a lock alone may be another volume's of that name; a test that was false beside it is not.
                let shown = slot(earlier).is_some() || !case.false_answers().is_empty() || !lost.is_empty();
                let of_one_generation =
                    slot(earlier).map(|old| old.generation) == slot(later).map(|new| new.generation);
                let two_writers = goes_forth_again(earlier, later, &images[index + 1..]);
                // Two generations that stand there by turns are of two volumes with one label.
                if two_writers && !of_one_generation {
                    continue;
                }
                let confidence = match (soon && shown, lost.is_empty()) {
                    _ if two_writers || !of_one_generation => Confidence::Possible,
                    (false, _) => Confidence::Possible,
                    (true, true) => Confidence::Likely,
                    (true, false) => Confidence::Certain,
                };
                let lines = [*earlier, *later].into_iter().chain(lost).collect();
                let proof = Proof::new(confidence, because, lines);
                let doubt =
                    if two_writers { Some(TWO_WRITERS) } else { (!of_one_generation).then_some(LOWER) };
                let proof = doubt.into_iter().fold(proof, Proof::but);
                return Judgement::Met(
                    proof.and_collect("What happened to the array in between: power loss, controller failover, restore, replication failover."),
                );
            }
        }
    }
    let false_ones = case.false_answers();
    if lost.is_empty() || false_ones.is_empty() {
        return Judgement::Silent;
    }
    let because = "The array says that it lost what was in its write cache, and an atomic test and set met an image that its host did not expect: \
                   blocks may be older than what was acknowledged.";
    // In one log that gathers several machines'. What a host's own log says of a controller without naming a device is of a card in that host.
    let of_another = |fact: &Fact| {
        false_ones.iter().any(|other| {
            other.place.input == fact.place.input && fact.host.is_some() && fact.host != other.host
        })
    };
    let names_it = lost.iter().any(|fact| fact.device.is_some() || of_another(fact));
    let lines = lost.into_iter().take(4).chain(false_ones.into_iter().take(4)).collect();
    // A controller that names no device, in a log of its own, may be another machine's, and in the host's own log is that host's.
    let confidence = if names_it { Confidence::Likely } else { Confidence::Possible };
    Judgement::Met(
        Proof::new(confidence, because, lines).and_collect(
            "The array's log of the power loss or failover, and the state of its cache's battery.",
        ),
    )
}

/// Whether two lines are of one host; where none is named, those of one log are.
fn is_of_one_log(earlier: &Fact, later: &Fact) -> bool {
    earlier.host == later.host && (earlier.host.is_some() || earlier.place.input == later.place.input)
}

/// Whether the line with the later time stands first in their common log: the clock was set back there, and the order of the lines is the
/// true one. Of a log that stands newest first nothing is said either: what is gone from a disk is too grave for a guess.
fn is_read_backwards(earlier: &Fact, later: &Fact) -> bool {
    earlier.place.input == later.place.input && earlier.place.line > later.place.line
}

const LOWER: &str =
    "But its generation is lower, too: it may be the slot of another volume under the same label.";

const TWO_WRITERS: &str = "But the newer image stood there again after that: nothing is gone that comes back. Two hosts of one and the same id write this slot by turns \
                           (`esxcli system uuid get` on each; hosts that were installed by copying a boot disk share their id).";

/// Whether the stamp of a slot that went back goes on later where it had been: by far more than the time that went by.
fn goes_forth_again(earlier: &Fact, later: &Fact, images: &[&Fact]) -> bool {
    const REACH: usize = 200;
    let (Some(new), Some(old)) = (slot(earlier), slot(later)) else { return false };
    let returns = |fact: &&&Fact| {
        slot(fact).is_some_and(|again| {
            again.offset == old.offset
                && again.owner == old.owner
                && again.generation == new.generation
                && again.stamp_us >= new.stamp_us
                && again.stamp_us > old.stamp_us.saturating_add(STAMP_BACK_US)
        })
    };
    images
        .iter()
        .take(REACH)
        .filter(|fact| before(later, fact) && is_of_one_log(later, fact))
        .any(|fact| returns(&fact))
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
/// that a lower generation alone proves nothing; a stamp of one owner that runs backwards and did not begin anew does in one generation, and is possible in a lower one.
fn went_back(earlier: &Fact, later: &Fact) -> bool {
    if let (Some(old), Some(new)) = (slot(earlier), slot(later)) {
        let same = old.offset == new.offset && old.owner == new.owner && old.owner.is_some();
        // A host that started again has a higher generation, and a clock that begins anew: less than what went by in between.
        let went_by = gap_us(earlier, later).and_then(|gap| u64::try_from(gap).ok()).unwrap_or(0);
        return same
            && old.generation >= new.generation
            && new.stamp_us > went_by
            && old.stamp_us > new.stamp_us.saturating_add(STAMP_BACK_US);
    }
    if let (Some(old), Some(new)) = (lock(earlier), lock(later)) {
        let same = old.kind == new.kind && old.offset == new.offset && old.offset.is_some();
        return same && old.version.zip(new.version).is_some_and(|(old, new)| old > new);
    }
    false
}
