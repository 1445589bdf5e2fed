//! The watch: an observer's unbroken look at a slot (R6). A pure state machine; the takeover feeds it.
//!
//! ```text
//!              first reply      replies, each within a gap of the last       fence is issued
//!   read issued ---|----------------|----------------|-----------------------------|
//!                  |<--------------------- the whole watch ---------------------->|
//! ```
//! Another image, a slow or failed read, or a disturbance of the observer (a late beat, a lapse) starts it anew.

use std::time::Duration;

use oarlock_block::Instant;
use oarlock_format::Nonce;

use crate::planted::{PlantedBug, planted};

/// One observer's watch over one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// How long the slot must stand still.
    length: Duration,
    /// The longest time between two replies.
    gap_max: Duration,
    run: Option<Run>,
}

/// An unbroken run of reads that all showed one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    image: Nonce,
    since: Instant,
    last_reply: Instant,
    disturbances: u64,
}

/// One direct read of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The image that it showed.
    pub image: Nonce,
    /// When it was issued.
    pub issued: Instant,
    /// When it was answered.
    pub replied: Instant,
    /// How often the observer itself was late or lapsed so far.
    pub disturbances: u64,
}

impl Watch {
    /// A watch that has seen nothing.
    #[must_use]
    pub fn new(length: Duration, gap_max: Duration) -> Watch {
        Watch { length, gap_max, run: None }
    }

    /// Takes in one read. A read that was itself slower than the gap proves nothing about the time between.
    pub fn look(&mut self, look: Look) {
        let since = if planted(PlantedBug::TimeWatchFromIssue) { look.issued } else { look.replied };
        let fresh =
            Run { image: look.image, since, last_reply: look.replied, disturbances: look.disturbances };
        let goes_on = self.run.is_some_and(|run| {
            run.image == look.image
                && (planted(PlantedBug::KeepWatchAcrossStall)
                    || (look.replied.since(run.last_reply) <= self.gap_max
                        && run.disturbances == look.disturbances))
        });
        self.run = match self.run {
            Some(run) if goes_on => Some(Run { last_reply: look.replied, ..run }),
            _ => Some(fresh),
        };
    }

    /// The read failed or did not come in time: the run is broken.
    pub fn broken(&mut self) {
        if !planted(PlantedBug::KeepWatchAcrossStall) {
            self.run = None;
        }
    }

    /// Whether a fence may be issued at `now`, against the image that was watched.
    #[must_use]
    pub fn complete(&self, now: Instant, disturbances: u64) -> Option<Nonce> {
        let run = self.run?;
        let unbroken = planted(PlantedBug::KeepWatchAcrossStall)
            || (now.since(run.last_reply) <= self.gap_max && run.disturbances == disturbances);
        (unbroken && now.since(run.since) >= self.length).then_some(run.image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::from_zero(Duration::from_millis(milliseconds))
    }

    fn look(image: u128, replied_ms: u64) -> Look {
        Look { image: Nonce(image), issued: at(replied_ms - 5), replied: at(replied_ms), disturbances: 0 }
    }

    fn watch() -> Watch {
        Watch::new(Duration::from_secs(11), Duration::from_secs(2))
    }

    #[test]
    fn a_slot_that_stands_still_for_the_whole_watch_may_be_fenced() {
        let mut watch = watch();
        for second in 1..=12 {
            watch.look(look(7, second * 1000));
        }
        assert_eq!(watch.complete(at(12_000), 0), Some(Nonce(7)));
        assert_eq!(watch.complete(at(11_999), 0), None, "it counts from the first reply");
    }

    #[test]
    fn a_gap_a_new_image_and_a_disturbance_each_start_it_anew() {
        for broken_by in 0..3 {
            let mut watch = watch();
            for second in 1..=10 {
                watch.look(look(7, second * 1000));
            }
            match broken_by {
                0 => watch.look(look(7, 13_000)),
                1 => watch.look(look(8, 11_000)),
                _ => watch.look(Look { disturbances: 1, ..look(7, 11_000) }),
            }
            assert_eq!(watch.complete(at(14_000), u64::from(broken_by == 2)), None);
        }
    }

    #[test]
    fn a_watch_whose_last_look_is_too_old_is_not_complete() {
        let mut watch = watch();
        for second in 1..=12 {
            watch.look(look(7, second * 1000));
        }
        assert_eq!(watch.complete(at(14_001), 0), None);
        watch.broken();
        assert_eq!(watch.complete(at(12_500), 0), None);
    }
}
