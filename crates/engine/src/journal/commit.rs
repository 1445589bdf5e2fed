//! Commits and notes: when one is due, and the order in which it is written (R31, R32).

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::Instant;
use oarlock_format::SealedCommit;

use crate::core::Core;
use crate::pages::{BatchFor, Scope};
use crate::planted::{PlantedBug, planted};

use super::error::JournalError;
use super::{Journal, Trip, send};

/// A change that nobody waits for is durable after this time and a commit's.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// What is written next.
enum Due {
    /// A note, for whoever waits for no more than that.
    Note,
    Commit,
    /// A commit that a checkpoint begins with: what it brings home, besides what was asked for.
    Checkpoint(Scope),
}

impl Journal {
    /// Commits whenever it is due; ends only with the journal.
    pub(super) async fn commits(&self, core: &Core) -> JournalError {
        // Since when something is owed that is not durable, notes or not.
        let mut since = None;
        loop {
            let done = match self.until_due(core, &mut since).await {
                Ok(due) => self.commit_once(core, due).await,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    /// Waits until something is due.
    async fn until_due(&self, core: &Core, since: &mut Option<Instant>) -> Result<Due, JournalError> {
        loop {
            let seen = self.pages.work_seen();
            if let Some(ended) = core.ended() {
                return Err(ended.into());
            }
            let now = core.store.now();
            *since = self.pages.wants().anything.then(|| since.unwrap_or(now));
            let left = since.map(|since| since.plus(COMMIT_EVERY).since(now));
            if let Some(due) = self.due(left == Some(Duration::ZERO)) {
                if !matches!(due, Due::Note) {
                    *since = None;
                }
                return Ok(due);
            }
            let work = self.pages.work_beyond(seen);
            match left.filter(|left| !left.is_zero()) {
                Some(left) => {
                    let _ = core.store.world.within(left, work).await;
                }
                None => work.await,
            }
        }
    }

    /// What is due, if anything is. `late`: a change has waited for long enough.
    fn due(&self, late: bool) -> Option<Due> {
        let (wants, ring) = (self.pages.wants(), *self.ring.borrow());
        let under_way = self.trip.borrow().is_some();
        if !under_way {
            let half_full = ring.is_some_and(|ring| ring.is_half_full());
            if wants.checkpoint || half_full {
                return Some(Due::Checkpoint(Scope::Whole));
            }
            if let Some(asked) = self.asked.borrow().clone() {
                return Some(Due::Checkpoint(asked));
            }
        }
        let is_commit = wants.commit || (late && wants.anything);
        if !is_commit && !wants.note {
            return None;
        }
        if ring.is_none_or(|ring| ring.has_room()) {
            return Some(if is_commit { Due::Commit } else { Due::Note });
        }
        // Only a moved tail makes room: the checkpoint that is under way, or else one that begins with this commit.
        (!under_way).then_some(Due::Checkpoint(Scope::Whole))
    }

    /// A checkpoint begins: what it brings home, with everything that was asked for.
    fn begin_checkpoint(&self, scope: Scope) -> Scope {
        self.ask(scope);
        self.begun.set(self.begun.get() + 1);
        self.asked.borrow_mut().take().unwrap_or(Scope::Whole)
    }

    async fn commit_once(&self, core: &Core, due: Due) -> Result<(), JournalError> {
        let mut ring = self.started(core).await?;
        send::until_it_may_send(core).await?;
        let position = ring.next();
        // From here to the taking nothing is awaited: whoever has asked by now is served by this checkpoint.
        let (boot, scope) = match due {
            Due::Note => (Some(core.store.world.boot()), None),
            Due::Commit => (None, None),
            Due::Checkpoint(scope) => (None, Some(self.begin_checkpoint(scope))),
        };
        let batch_for = match (&boot, &scope) {
            (Some(_), _) => BatchFor::Note,
            (None, None) => BatchFor::Commit,
            (None, Some(scope)) => BatchFor::Checkpoint(scope),
        };
        let taken = self.pages.take(position.sequence, batch_for);
        if !taken.commit.is_empty() || (boot.is_none() && taken.covers_notes) {
            let sealed = taken.commit.seal(position, boot);
            self.write(core, &sealed, boot.is_some()).await?;
            // Answered after the lease, it is given out only once nobody has fenced this host.
            send::until_it_may_send(core).await?;
            ring.advance(sealed.next);
            // The tail may have moved while this was written.
            if let Some(ring) = self.ring.borrow_mut().as_mut() {
                ring.advance(sealed.next);
            }
        }
        match boot {
            Some(_) => self.pages.became_noted(taken.batch),
            None => self.pages.became_durable(taken.batch),
        }
        if let Some(scope) = scope {
            let tail = (scope == Scope::Whole).then(|| ring.next());
            let trip = Trip { number: self.begun.get(), home: taken.home, tail };
            *self.trip.borrow_mut() = Some(Rc::new(trip));
            self.trips.announce();
        }
        Ok(())
    }

    /// Writes a commit, or a note, in its order.
    async fn write(&self, core: &Core, sealed: &SealedCommit, is_note: bool) -> Result<(), JournalError> {
        // What the records expose was answered before they were taken; now it is durable. So are the acquires of the locks
        // under which it was changed, and the header that names this life, or the one that freed these blocks. A note needs
        // none of this, for it counts only where nothing that was answered is lost, but the header: what it frees would be
        // overwritten, and the old header come back.
        let swaps = self.header_swaps.get();
        let is_header_durable = self.header_durable.get() == swaps;
        if !is_header_durable || !(is_note || planted(PlantedBug::MapBeforeData)) {
            send::flush(core).await?;
            self.header_durable.set(swaps);
        }
        for (lba, bytes) in &sealed.writes {
            send::write(core, *lba, bytes).await?;
        }
        if is_note { Ok(()) } else { send::flush(core).await }
    }
}
