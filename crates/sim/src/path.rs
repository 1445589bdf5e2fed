//! The path of each host to the device: when it passes commands and replies, and when it does not.
//!
//! ```text
//!   fault comes        replies pass         stall ends
//!       |--- replies held ---|---- nothing passes ----|
//! ```

use std::time::Duration;

use crate::TrueTime;

/// How long the replies that were held back have for getting through before nothing passes any more.
const BURST: Duration = Duration::from_millis(2);

/// One host's path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// Replies are held until then.
    replies_held_until: TrueTime,
    /// From then on nothing passes,
    stalled_from: TrueTime,
    /// until then.
    stalled_until: TrueTime,
}

impl Path {
    /// A path that passes everything.
    pub(crate) const CLEAR: Path = Path {
        replies_held_until: TrueTime::START,
        stalled_from: TrueTime::START,
        stalled_until: TrueTime::START,
    };

    /// Nothing passes from `from` until `until`. A stall that is on goes on until the later end.
    pub(crate) fn stall(&mut self, now: TrueTime, from: TrueTime, until: TrueTime) {
        let on = self.stalled_until > now;
        self.stalled_from = if on { from.min(self.stalled_from) } else { from };
        self.stalled_until = until.max(self.stalled_until);
    }

    /// A stall that comes: replies are held for `replies_first`, and let through just before nothing passes for `length`.
    pub(crate) fn stall_replies_first(&mut self, now: TrueTime, replies_first: Duration, until: TrueTime) {
        if replies_first == Duration::ZERO {
            return self.stall(now, now, until);
        }
        let burst = now.plus(replies_first);
        self.replies_held_until = burst.max(self.replies_held_until);
        self.stall(now, burst.plus(BURST), until.max(burst.plus(BURST)));
    }

    /// Until when a command does not get to the device, where it does not now.
    pub(crate) fn commands_held(&self, now: TrueTime) -> Option<TrueTime> {
        (self.stalled_from <= now && now < self.stalled_until).then_some(self.stalled_until)
    }

    /// Until when a reply does not get back, where it does not now.
    pub(crate) fn replies_held(&self, now: TrueTime) -> Option<TrueTime> {
        self.commands_held(now).or((now < self.replies_held_until).then_some(self.replies_held_until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> TrueTime {
        TrueTime::from_start(Duration::from_millis(milliseconds))
    }

    #[test]
    fn replies_are_held_first_and_pass_in_a_burst_before_nothing_passes() {
        let mut path = Path::CLEAR;
        path.stall_replies_first(at(10), Duration::from_millis(200), at(1_000));
        assert_eq!((path.commands_held(at(100)), path.replies_held(at(100))), (None, Some(at(210))));
        assert_eq!((path.commands_held(at(211)), path.replies_held(at(211))), (None, None));
        assert_eq!(
            (path.commands_held(at(212)), path.replies_held(at(212))),
            (Some(at(1_000)), Some(at(1_000)))
        );
        assert_eq!((path.commands_held(at(1_000)), path.replies_held(at(1_000))), (None, None));
    }

    #[test]
    fn a_second_stall_never_shortens_the_first() {
        let mut path = Path::CLEAR;
        path.stall(at(10), at(10), at(500));
        path.stall(at(20), at(300), at(400));
        assert_eq!(path.commands_held(at(250)), Some(at(500)));
        path.stall(at(600), at(700), at(800));
        assert_eq!((path.commands_held(at(650)), path.commands_held(at(750))), (None, Some(at(800))));
    }
}
