//! How long a command that was not done is tried again: for the hold time, and for as long as it takes where there is no space below.

use oarlock_block::{Instant, Lba};
use oarlock_causes::{Action, Cause, EventKind};
use oarlock_format::Kind;

use crate::core::Core;

/// What the tries of one command have met so far.
#[derive(Default)]
pub(crate) struct Patience {
    /// The first in a row that was in vain, but for a lack of space.
    first: Option<Instant>,
    has_told_of_space: bool,
}

impl Patience {
    /// A pause before the next try; `false` once the hold time is over since the first that was in vain.
    pub(crate) async fn pause(&mut self, core: &Core) -> bool {
        let now = core.store.now();
        let first = *self.first.get_or_insert(now);
        if now.since(first) >= core.store.timing.hold {
            return false;
        }
        rest(core).await;
        true
    }

    /// A pause where there is no space below. That is no fault of this host's, and its end would make none: somebody has to make room,
    /// and whatever waits for the journal waits until then, as guests' writes do (R24).
    pub(super) async fn wait_for_space(&mut self, core: &Core, lba: Lba) {
        self.first = None;
        if !std::mem::replace(&mut self.has_told_of_space, true) {
            let event = core.store.event(EventKind::Path, Cause::ArrayFull, lba, Kind::Journal, Action::Held);
            let detail = "there is no space below the device for this host's journal: what waits for it waits until somebody makes room";
            core.store.report(event.about(detail.to_owned()));
        }
        rest(core).await;
    }
}

async fn rest(core: &Core) {
    core.store.world.pause(core.store.world.jitter(core.store.timing.beat / 4)).await;
}
