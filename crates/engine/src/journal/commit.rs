//! Commits: when one is due, and the order in which it is written (R31, R32).

use std::rc::Rc;
use std::time::Duration;

use crate::core::Core;
use crate::pages::Scope;
use crate::planted::{PlantedBug, planted};

use super::error::JournalError;
use super::{Journal, Trip, send};

/// A change that nobody waits for is durable after this time and a commit's.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

impl Journal {
    /// Commits whenever it is due; ends only with the journal.
    pub(super) async fn commits(&self, core: &Core) -> JournalError {
        loop {
            let done = match self.until_due(core).await {
                Ok(scope) => self.commit_once(core, scope).await,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    /// Waits until a commit is due; what the checkpoint brings home that begins with it, if one does.
    async fn until_due(&self, core: &Core) -> Result<Option<Scope>, JournalError> {
        let mut since = None;
        loop {
            let seen = self.pages.work_seen();
            if let Some(ended) = core.ended() {
                return Err(ended.into());
            }
            let now = core.store.now();
            let first = if self.pages.wants().anything { Some(*since.get_or_insert(now)) } else { None };
            since = first;
            let left = first.map(|first| first.plus(COMMIT_EVERY).since(now));
            if let Some(scope) = self.due(left == Some(Duration::ZERO)) {
                return Ok(scope);
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

    /// Whether a commit is due, and whether a checkpoint begins with it. `late`: a change has waited for long enough.
    fn due(&self, late: bool) -> Option<Option<Scope>> {
        let (wants, ring) = (self.pages.wants(), *self.ring.borrow());
        let under_way = self.trip.borrow().is_some();
        if !under_way {
            let half_full = ring.is_some_and(|ring| ring.is_half_full());
            if wants.checkpoint || half_full {
                return Some(Some(Scope::Whole));
            }
            if let Some(asked) = self.asked.borrow().clone() {
                return Some(Some(asked));
            }
        }
        let wanted = wants.commit || (late && wants.anything);
        if !wanted {
            return None;
        }
        if ring.is_none_or(|ring| ring.has_room()) {
            return Some(None);
        }
        // Only a moved tail makes room: the checkpoint that is under way, or else one that begins with this commit.
        (!under_way).then_some(Some(Scope::Whole))
    }

    /// A checkpoint begins: what it brings home, with everything that was asked for.
    fn begin_checkpoint(&self, scope: Scope) -> Scope {
        self.ask(scope);
        self.begun.set(self.begun.get() + 1);
        self.asked.borrow_mut().take().unwrap_or(Scope::Whole)
    }

    async fn commit_once(&self, core: &Core, scope: Option<Scope>) -> Result<(), JournalError> {
        let mut ring = self.started(core).await?;
        send::until_it_may_send(core).await?;
        let position = ring.next();
        // From here to the taking nothing is awaited: whoever has asked by now is served by this checkpoint.
        let scope = scope.map(|scope| self.begin_checkpoint(scope));
        let taken = self.pages.take(position.sequence, scope.as_ref());
        if !taken.commit.is_empty() {
            let sealed = taken.commit.seal(position);
            // What the records expose was answered before they were taken; now it is durable. So are the acquires of the
            // locks under which it was changed, and the header that names this life, or the one that freed these blocks.
            if !planted(PlantedBug::MapBeforeData) {
                send::flush(core).await?;
            }
            for (lba, bytes) in &sealed.writes {
                send::write(core, *lba, bytes).await?;
            }
            send::flush(core).await?;
            // Answered after the lease, it is given out only once nobody has fenced this host.
            send::until_it_may_send(core).await?;
            ring.advance(sealed.next);
            // The tail may have moved while this was written.
            if let Some(ring) = self.ring.borrow_mut().as_mut() {
                ring.advance(sealed.next);
            }
        }
        self.pages.became_durable(taken.batch);
        if let Some(scope) = scope {
            let tail = (scope == Scope::Whole).then(|| ring.next());
            let trip = Trip { number: self.begun.get(), home: taken.home, tail };
            *self.trip.borrow_mut() = Some(Rc::new(trip));
            self.trips.announce();
        }
        Ok(())
    }
}
