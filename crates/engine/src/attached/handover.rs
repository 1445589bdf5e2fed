//! The source's side of a handoff: a disk comes to rest, and goes on here or on another host (R28).
//!
//! ```text
//!   serving --- prepare ---> serving --- come_to_rest ---> at rest --+-- hand_over ---> over: what has not begun is turned away
//!                                            |                       +-- go_on -------> serving
//!                                            +-- it failed: go_on ---> serving
//! ```

use std::cell::Cell;

use super::{AttachedDisk, DetachError};
use crate::allocate::SpaceError;
use crate::planted::{PlantedBug, planted};

/// How far a disk is on its way to rest: what [`AttachedDisk::go_on`] has to undo.
#[derive(Debug, Default)]
pub struct Rest {
    is_closed: Cell<bool>,
}

impl AttachedDisk {
    /// Does as much of the way to rest as can be done while guests go on: what is left to do while they wait is little then.
    ///
    /// # Errors
    /// Why pages could not be brought home.
    pub async fn prepare(&self) -> Result<(), SpaceError> {
        let source = self.layer.source();
        source.journal().bring_home(self.layer.object()).await?;
        Ok(())
    }

    /// Pauses, waits for what is under way, gives back what the disk has in hand, and brings everything home, so that nothing of the
    /// disk hangs on this host any more. [`serve`](Self::serve) must be driven meanwhile. Waits for no other host.
    ///
    /// # Errors
    /// Why it is not at rest. It is paused, as it is where the future is dropped, until it is to [go on](Self::go_on).
    pub async fn come_to_rest(&self, rest: &Rest) -> Result<(), DetachError> {
        self.be_quiet().await?;
        self.recall();
        if !planted(PlantedBug::HandOverBeforeHome) {
            self.close().await?;
        }
        rest.is_closed.set(true);
        Ok(())
    }

    /// It was not handed over: guests go on where they stood.
    pub fn go_on(&self, rest: &Rest) {
        if rest.is_closed.take() && !planted(PlantedBug::HandOverBeforeHome) {
            self.layer.reopen();
        }
        self.path.unpause();
    }

    /// Another host has it: what has not begun is turned away, and nothing begins any more.
    pub fn hand_over(&self) {
        let source = self.layer.source();
        source.take_over(&self.path);
        source.forget(&self.path);
        self.path.hand_over();
        self.queue.close();
        // A refill that was on its way may have come in since, and none comes any more.
        self.recall();
    }
}
