//! The verdict: what a false or missing answer means. Pure: what was expected, what was found, what this host knows.
//!
//! | found in the block | means | cause | action |
//! | --- | --- | --- | --- |
//! | the nonce of one of my open attempts | it landed after all | `delayed-own-write` | adopted |
//! | a newer image of somebody else | another won | `contention`, `slow-storage`, `queue-depth`, `fenced` | lost, stopped |
//! | exactly what was expected | false although equal, or a stale read | `array-fault`, `stale-cache` | refused |
//! | older than the newest known | lost write, restored LUN, split brain | `rollback` | refused |
//! | magic of ours, but damaged | torn or rotten | `corrupt-block` | refused |
//! | no magic of ours | never initialised, or another's | `foreign-block` | refused |

use std::time::Duration;

use oarlock_block::Instant;
use oarlock_causes::Cause;
use oarlock_format::{DecodeError, Generation, Nonce, Stamp};

use crate::attempt::{OpenAttempt, OpenAttempts};
use crate::planted::{PlantedBug, planted};

/// An image's place in its block's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// It only grows.
    pub generation: Generation,
    /// It names the image.
    pub nonce: Nonce,
}

impl Version {
    /// The version that a stamp names.
    #[must_use]
    pub fn of(stamp: &Stamp) -> Version {
        Version { generation: stamp.generation, nonce: stamp.nonce }
    }

    /// Whether a block that held `known` can never show `self` again: it is older, or another image of the same
    /// generation, which only a lost write or a split brain can make.
    #[must_use]
    pub fn contradicts(&self, known: &Version) -> bool {
        if planted(PlantedBug::AdoptOlder) {
            return false;
        }
        self.generation < known.generation
            || (self.generation == known.generation && self.nonce != known.nonce)
    }
}

/// What the block turned out to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// One of this host's open attempts landed.
    Own(OpenAttempt),
    /// A newer image that this host did not try to write.
    Newer,
    /// Exactly the image that was expected.
    Expected,
    /// An image that the block cannot hold, by what this host has seen there.
    Older,
    /// A record of ours whose bytes do not check out.
    Damaged,
    /// Nothing of ours.
    Foreign,
}

/// Compares what was found with what was expected, with this host's own open attempts, and with the newest ever seen
/// in the block.
#[must_use]
pub fn find(
    found: &Result<Stamp, DecodeError>,
    expected: Version,
    open: &OpenAttempts,
    newest: Version,
) -> Finding {
    let stamp = match found {
        Ok(stamp) => stamp,
        Err(error) if error.is_foreign() => return Finding::Foreign,
        Err(_) => return Finding::Damaged,
    };
    let version = Version::of(stamp);
    if version == expected {
        return Finding::Expected;
    }
    // Own attempts are looked for before the age: the newest known may well be an image that this one came before,
    // but an own attempt that is still open was never overwritten as far as this host knows.
    if version.contradicts(&newest) {
        return Finding::Older;
    }
    match open.by_nonce(version.nonce) {
        Some(attempt) => Finding::Own(attempt),
        None => Finding::Newer,
    }
}

/// The times of an ATS that lost, as this host measured them, and what is normal here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// In this host's queue.
    pub queue: Duration,
    /// From leaving the queue to the answer.
    pub device: Duration,
    /// The usual time from sending to answer on this device.
    pub normal: Duration,
}

/// A command this many times slower than normal was slow, where it also took [`SLOW_MIN`].
const SLOW_FACTOR: u32 = 8;
/// No command faster than this is called slow: VMware's own threshold for spinning storage (KB318927) is 10 ms.
const SLOW_MIN: Duration = Duration::from_millis(10);

/// Why another host could win: it was faster, my queue was too short, or the storage was slow.
#[must_use]
pub fn cause_of_loss(pace: Pace) -> Cause {
    let slow = |time: Duration| time >= SLOW_MIN && time >= pace.normal * SLOW_FACTOR;
    if slow(pace.queue) && pace.queue > pace.device * 2 {
        Cause::QueueDepth
    } else if slow(pace.device) {
        Cause::SlowStorage
    } else {
        Cause::Contention
    }
}

/// A running figure of the normal time of an ATS: an exponential mean, deaf to single outliers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Normal {
    mean: Option<Duration>,
}

impl Normal {
    /// Takes in the time of one answered ATS.
    pub fn note(&mut self, sent: Instant, answered: Instant) {
        let time = answered.since(sent);
        self.mean = Some(match self.mean {
            None => time,
            // One outlier may move the mean by a factor of two at most, or a stall would become the new normal.
            Some(mean) => (mean * 15 + time.min(mean * 16)) / 16,
        });
    }

    /// The normal time; zero before the first answer.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.mean.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_block::Lba;
    use oarlock_format::{FormatId, Writer};

    fn stamp(generation: u64, nonce: u128) -> Stamp {
        Stamp {
            format_id: FormatId(1),
            lba: Lba(9),
            generation: Generation(generation),
            writer: Writer::Tool,
            nonce: Nonce(nonce),
        }
    }

    fn version(generation: u64, nonce: u128) -> Version {
        Version { generation: Generation(generation), nonce: Nonce(nonce) }
    }

    fn open(nonce: u128, expected: u128) -> OpenAttempts {
        let mut open = OpenAttempts::default();
        let sent = Instant::from_zero(Duration::ZERO);
        open.add(OpenAttempt { nonce: Nonce(nonce), expected: Nonce(expected), sent });
        open
    }

    #[test]
    fn my_own_late_image_is_recognised_by_its_nonce() {
        let found = find(&Ok(stamp(6, 66)), version(5, 55), &open(66, 55), version(5, 55));
        assert!(matches!(found, Finding::Own(attempt) if attempt.nonce == Nonce(66)));
    }

    #[test]
    fn every_other_image_has_one_meaning() {
        let open = open(66, 55);
        let known = version(5, 55);
        assert_eq!(find(&Ok(stamp(7, 70)), known, &open, known), Finding::Newer);
        assert_eq!(find(&Ok(stamp(5, 55)), known, &open, known), Finding::Expected);
        assert_eq!(find(&Ok(stamp(4, 44)), known, &open, known), Finding::Older);
        assert_eq!(
            find(&Ok(stamp(5, 54)), known, &open, known),
            Finding::Older,
            "one generation, two images"
        );
        assert_eq!(find(&Err(DecodeError::Blank), known, &open, known), Finding::Foreign);
        assert_eq!(
            find(&Err(DecodeError::Checksum { stored: 1, computed: 2 }), known, &open, known),
            Finding::Damaged
        );
    }

    #[test]
    fn a_lost_race_is_blamed_on_what_was_slow() {
        let ms = Duration::from_millis;
        let pace = |queue, device| Pace { queue: ms(queue), device: ms(device), normal: ms(1) };
        assert_eq!(cause_of_loss(pace(0, 2)), Cause::Contention);
        assert_eq!(cause_of_loss(pace(0, 50)), Cause::SlowStorage);
        assert_eq!(cause_of_loss(pace(200, 3)), Cause::QueueDepth);
    }

    #[test]
    fn one_outlier_does_not_become_the_normal() {
        let mut normal = Normal::default();
        let zero = Instant::from_zero(Duration::ZERO);
        normal.note(zero, zero.plus(Duration::from_millis(1)));
        normal.note(zero, zero.plus(Duration::from_secs(100)));
        assert!(normal.time() < Duration::from_millis(2));
    }
}
