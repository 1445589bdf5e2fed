//! The gate of one disk: until when its host may act, and what happens to guests when it may not (R7, R24, R28).
//!
//! ```text
//!             the lease ends, or hold()
//!     open ---------------------------->  held
//!       ^  <----------------------------   |
//!       |    a later beat is confirmed,    |
//!       |    and resume()                  |
//!       +--------> dead <------------------+      fenced, cut off, or held for too long: for good
//!       |                                  |
//!       +--------> moved <-----------------+      handed over, with nothing under way: for good
//! ```

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use oarlock_block::Instant;

const OPEN: u8 = 0;
const HELD: u8 = 1;
const DEAD: u8 = 2;
const MOVED: u8 = 3;

/// Whether operations may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// They may.
    Open,
    /// They wait, and nothing is sent or given out.
    Held,
    /// They fail, for good.
    Dead,
    /// Another host has the disk: what ended before that is given out, and nothing begins any more.
    Moved,
}

/// The gate. It is asked without any lock, before each submission and before each result is given out.
#[derive(Debug)]
pub(crate) struct Gate {
    lease_end_nanoseconds: AtomicU64,
    state: AtomicU8,
    full: AtomicBool,
}

impl Gate {
    /// A gate without a lease: held.
    pub(crate) fn new() -> Gate {
        Gate {
            lease_end_nanoseconds: AtomicU64::new(0),
            state: AtomicU8::new(OPEN),
            full: AtomicBool::new(false),
        }
    }

    pub(crate) fn passage(&self, now: Instant) -> Passage {
        match self.state.load(Ordering::SeqCst) {
            DEAD => Passage::Dead,
            MOVED => Passage::Moved,
            OPEN if now < self.lease_end() => Passage::Open,
            _ => Passage::Held,
        }
    }

    pub(crate) fn lease_end(&self) -> Instant {
        Instant::from_zero(Duration::from_nanos(self.lease_end_nanoseconds.load(Ordering::SeqCst)))
    }

    /// The lease ends then. It never ends earlier than it was said to: beats are confirmed in any order.
    pub(crate) fn extend(&self, lease_end: Instant) {
        let nanoseconds = u64::try_from(lease_end.since_zero().as_nanos()).unwrap_or(u64::MAX);
        self.lease_end_nanoseconds.fetch_max(nanoseconds, Ordering::SeqCst);
    }

    pub(crate) fn hold(&self) {
        // A dead gate stays dead, so only an open one is closed.
        let _ = self.state.compare_exchange(OPEN, HELD, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub(crate) fn resume(&self) {
        let _ = self.state.compare_exchange(HELD, OPEN, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub(crate) fn die(&self) {
        // What ended before a handoff was promised, and stays so whatever becomes of this host.
        let die = |state| (state != MOVED).then_some(DEAD);
        let _ = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, die);
    }

    /// Another host has the disk. Nothing is under way.
    pub(crate) fn hand_over(&self) {
        let hand_over = |state| (state != DEAD).then_some(MOVED);
        let _ = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, hand_over);
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state.load(Ordering::SeqCst), DEAD | MOVED)
    }

    /// Whether the device below has no space: writes wait, reads go on (R24).
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_zero(Duration::from_secs(seconds))
    }

    #[test]
    fn a_gate_is_open_while_the_lease_runs_and_opens_again_when_a_later_beat_is_confirmed() {
        let gate = Gate::new();
        assert_eq!(gate.passage(at(0)), Passage::Held, "no beat was confirmed yet");
        gate.extend(at(10));
        assert_eq!(gate.passage(at(9)), Passage::Open);
        assert_eq!(gate.passage(at(10)), Passage::Held);
        gate.extend(at(20));
        gate.extend(at(15));
        assert_eq!(gate.passage(at(19)), Passage::Open, "an older beat shortens nothing");
    }

    #[test]
    fn a_gate_that_was_handed_over_stays_so_and_a_dead_one_is_not_handed_over() {
        let (gate, dead) = (Gate::new(), Gate::new());
        gate.extend(at(10));
        gate.hand_over();
        gate.die();
        gate.resume();
        assert_eq!(gate.passage(at(1)), Passage::Moved);
        dead.die();
        dead.hand_over();
        assert_eq!(dead.passage(at(1)), Passage::Dead);
    }

    #[test]
    fn a_dead_gate_never_opens() {
        let gate = Gate::new();
        gate.extend(at(10));
        gate.die();
        gate.hold();
        gate.resume();
        gate.extend(at(20));
        assert_eq!(gate.passage(at(1)), Passage::Dead);
    }
}
