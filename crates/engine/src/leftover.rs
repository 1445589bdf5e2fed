//! What a host leaves behind that could not leave in time, and what the others will do about it.

use std::fmt;
use std::time::Duration;

use oarlock_block::{Fencing, SlotIndex};

use crate::core::Core;
use crate::places::Holding;
use crate::step::grace_of;

/// Names of locks that are told at most.
const NAMES_MAX: usize = 3;

/// A slot that still says *live*, or may do so, and the locks in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The slot.
    pub slot: SlotIndex,
    /// How many locks users here had not let go of; none: the device did not confirm that the slot is free.
    pub locks: usize,
    /// The names of some of them.
    pub names: Vec<String>,
    /// What cuts this host off.
    pub fencing: Fencing,
    /// How long others wait once this process is proved to be gone, where the device can prove it.
    pub grace: Duration,
    /// How long others watch the slot where it cannot.
    pub watch: Duration,
}

impl Leftover {
    pub(crate) fn of(core: &Core) -> Leftover {
        let in_use = |holding| {
            matches!(
                holding,
                Holding::Exclusive | Holding::Shared(_) | Holding::MultiWriter | Holding::Handover
            )
        };
        let used: Vec<_> =
            core.places.every().into_iter().filter(|place| in_use(place.holding().get())).collect();
        Leftover {
            slot: core.me.slot,
            locks: used.len(),
            names: used.iter().take(NAMES_MAX).map(|place| place.words()).collect(),
            fencing: core.store.world.device.fencing(),
            grace: grace_of(core.store.timing.lease),
            watch: core.store.timing.watch,
        }
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.locks {
            0 => write!(formatter, "the device did not confirm in time that slot {} is free", self.slot)?,
            locks => {
                let what = if locks == 1 { "a lock was" } else { "locks were" };
                let names = self.names.join(", ");
                write!(
                    formatter,
                    "slot {} still says that it lives, for {what} still in use ({names}",
                    self.slot
                )?;
                if locks > self.names.len() {
                    write!(formatter, ", and {} more", locks - self.names.len())?;
                }
                write!(formatter, ")")?;
            }
        }
        let (grace, watch) = (self.grace.as_millis(), self.watch.as_millis());
        match self.fencing {
            Fencing::FileLock => write!(
                formatter,
                "; whoever wants what it held takes it over {grace} ms after it is seen that this process is gone"
            ),
            Fencing::Reservation | Fencing::Blocklist => write!(
                formatter,
                "; whoever wants what it held watches the slot for {watch} ms, cuts this host off and takes it over"
            ),
            Fencing::DrainOnly => write!(
                formatter,
                "; nothing proves it cut off on this device, so a person must say so (`oarlock evict --certain`)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_behind_and_what_becomes_of_it_is_a_sentence() {
        let leftover = |locks: usize, fencing| Leftover {
            slot: SlotIndex(3),
            locks,
            names: ["a", "b", "c"].iter().take(locks).map(|name| (*name).to_owned()).collect(),
            fencing,
            grace: Duration::from_millis(500),
            watch: Duration::from_secs(11),
        };
        assert_eq!(
            leftover(0, Fencing::FileLock).to_string(),
            "the device did not confirm in time that slot 3 is free; whoever wants what it held takes it over 500 ms after it \
             is seen that this process is gone"
        );
        let one = leftover(1, Fencing::Reservation).to_string();
        assert!(one.contains("a lock was still in use (a); ") && one.contains("for 11000 ms"), "{one}");
        let many = leftover(5, Fencing::DrainOnly).to_string();
        assert!(many.contains("locks were still in use (a, b, c, and 2 more); "), "{many}");
        assert!(many.contains("evict --certain"), "{many}");
    }
}
