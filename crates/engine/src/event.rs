//! Events: every false and every unknown answer, each with its cause and the window it was lost in.

use std::time::Duration;

use oarlock_block::{Lba, WallTime};
use oarlock_causes::{Action, Cause, EventKind, Layer};
use oarlock_format::{Generation, Kind, Nonce, Writer};

/// What happened, for `oarlock events`, status and the doctor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, by the wall clock.
    pub time: WallTime,
    /// What kind of thing.
    pub kind: EventKind,
    /// Why.
    pub cause: Cause,
    /// The layer that the cause lies in.
    pub layer: Layer,
    /// The block.
    pub lba: Option<Lba>,
    /// What stands in the block.
    pub record: Option<Kind>,
    /// The window in which the ATS was lost, where the event is about one.
    pub window: Option<Window>,
    /// Who wrote what stands in the block now.
    pub by: Option<Writer>,
    /// The attempt that wrote it; in an event about an unknown answer, the attempt that has none.
    pub by_attempt: Option<Nonce>,
    /// What the host did about it.
    pub action: Action,
    /// The proof, in a sentence.
    pub detail: String,
}

/// The times and generations of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From reading (or writing) the expected image to sending the ATS.
    pub expected_age: Duration,
    /// In this host's queue.
    pub queue: Duration,
    /// From leaving the queue to the answer, or to giving up.
    pub device: Duration,
    /// The generation that the ATS expected.
    pub expected_generation: Generation,
    /// The generation that was found instead, where the block could be read.
    pub found_generation: Option<Generation>,
}

/// Where events go: the daemon's log, a test's list.
pub type EventSink = std::rc::Rc<dyn Fn(Event)>;
