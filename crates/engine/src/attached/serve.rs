//! The engine's side of an attached disk: every demand answered, each once; the lease told; clusters taken back.

use futures::future::{Either, join, select};
use futures::stream::{FuturesUnordered, StreamExt};
use oarlock_block::LocalFuture;

use super::AttachedDisk;
use crate::allocate::SpaceError;
use crate::journal::JournalError;
use crate::path::{Demand, PathError, Publication, RESERVOIR_MAX, Ticket};

/// Demands of one disk that are worked on at once; the others wait in the queue, where one per operation has room.
const AT_ONCE_MAX: usize = 64;

/// A piece of work on the engine's thread; a ticket that waits for it is answered with what it comes to.
type Work<'a> = LocalFuture<'a, Done>;

enum Done {
    Answered,
    /// A commit, for all who asked before it began.
    Committed,
    /// The same of a note.
    Noted,
}

impl AttachedDisk {
    /// Serves the disk until it is detached and all that was begun for it is at its end, or this host has come to its own: then its
    /// path is dead.
    pub async fn serve(&self) {
        let served = join(self.serve_demands(), self.take_back());
        let lease = self.follow_lease();
        futures::pin_mut!(served, lease);
        match select(served, lease).await {
            Either::Left(_) | Either::Right(_) => {}
        }
        // Whoever waits for an answer gets none any more, and looks again.
        self.path.die();
    }

    async fn serve_demands(&self) {
        let mut running: FuturesUnordered<Work<'_>> = FuturesUnordered::new();
        let (mut waiting, mut commits, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        let (mut is_committing, mut is_noting) = (false, false);
        loop {
            let seen = self.queue.bell.seen();
            if self.queue.is_closed() {
                break;
            }
            for (ticket, demand) in self.queue.take() {
                match demand {
                    Demand::Commit => commits.push(ticket),
                    Demand::Note => notes.push(ticket),
                    demand => waiting.push((ticket, demand)),
                }
            }
            if !is_committing && !commits.is_empty() {
                is_committing = true;
                running.push(Box::pin(self.commit_for(std::mem::take(&mut commits))));
            }
            if !is_noting && !notes.is_empty() {
                is_noting = true;
                running.push(Box::pin(self.note_for(std::mem::take(&mut notes))));
            }
            if let Some(wanted) = self.queue.take_low() {
                running.push(Box::pin(self.top_up(wanted)));
            }
            let room = AT_ONCE_MAX.saturating_sub(running.len()).min(waiting.len());
            for (ticket, demand) in waiting.drain(..room) {
                running.push(Box::pin(self.answer(ticket, demand)));
            }
            let rung = self.queue.bell.beyond(seen);
            futures::pin_mut!(rung);
            if running.is_empty() {
                rung.await;
            } else if let Either::Left((Some(done), _)) = select(running.next(), rung).await {
                is_committing &= !matches!(done, Done::Committed);
                is_noting &= !matches!(done, Done::Noted);
            }
        }
        // Whoever is opening a group must not be stopped in the middle of it: nobody would have it, and nobody give it up.
        while running.next().await.is_some() {}
    }

    async fn answer(&self, ticket: Ticket, demand: Demand) -> Done {
        let done = match demand {
            Demand::Leaf { index } => self.layer.bring(index).await,
            Demand::OwnLeaf { index } => self.layer.own(index).await,
            Demand::Clusters { wanted } => self.refill(wanted).await,
            Demand::Room => self.layer.source().begin(Publication::PAGES_MAX).await.map(drop),
            Demand::Commit => self.layer.source().journal().make_durable().await.map_err(SpaceError::from),
            Demand::Note => self.layer.source().journal().note().await.map_err(SpaceError::from),
        };
        self.path.answer(ticket, done.map_err(|error| error.for_guest()));
        Done::Answered
    }

    /// One commit for all who asked before it.
    async fn commit_for(&self, tickets: Vec<Ticket>) -> Done {
        self.answer_all(tickets, &self.layer.source().journal().make_durable().await);
        Done::Committed
    }

    /// One note for all who asked before it.
    async fn note_for(&self, tickets: Vec<Ticket>) -> Done {
        self.answer_all(tickets, &self.layer.source().journal().note().await);
        Done::Noted
    }

    fn answer_all(&self, tickets: Vec<Ticket>, written: &Result<(), JournalError>) {
        for ticket in tickets {
            self.path.answer(ticket, if written.is_ok() { Ok(()) } else { Err(PathError::Io) });
        }
    }

    /// Hands over clusters.
    async fn refill(&self, wanted: usize) -> Result<(), SpaceError> {
        let clusters = match self.layer.source().clusters(wanted.max(1), None).await {
            // Another demand has filled the reservoir meanwhile, with what this one looked for in vain.
            Err(SpaceError::NoSpace) if self.path.wanted() < RESERVOIR_MAX => return Ok(()),
            clusters => clusters?,
        };
        // From here on nothing is awaited: a disk that is detached meanwhile has taken back all that it had in hand.
        let accepted = if self.queue.is_closed() { 0 } else { self.path.refill(&clusters) };
        self.layer.source().give_back(clusters[accepted..].iter().copied());
        Ok(())
    }

    /// Clusters before anybody waits for them. Where there are none, whoever needs one asks, and hears it.
    async fn top_up(&self, wanted: usize) -> Done {
        let _ = self.refill(wanted).await;
        Done::Answered
    }

    /// Tells the gate until when this host may act, beat by beat; ends with the host.
    async fn follow_lease(&self) {
        let core = self.layer.source().journal().core();
        loop {
            let seen = core.changed.seen();
            if core.ended().is_some() {
                return;
            }
            self.path.extend(core.lease.end());
            core.changed.beyond(seen).await;
        }
    }

    /// Clears the bits of what the disk gave up, whenever more of that became durable; ends once it is detached.
    async fn take_back(&self) {
        let source = self.layer.source();
        while !self.queue.is_closed() {
            let seen = source.journal().pages().settled();
            if self.path.waiting_to_be_free() > 0 {
                // What could not be cleared waits for the next time.
                let _ = source.collect(&self.path).await;
            }
            let (settled, closed) = (source.journal().pages().settled_beyond(seen), self.until_closed());
            futures::pin_mut!(settled, closed);
            select(settled, closed).await;
        }
    }

    /// Waits until the disk is detached.
    async fn until_closed(&self) {
        loop {
            let seen = self.queue.bell.seen();
            if self.queue.is_closed() {
                return;
            }
            self.queue.bell.beyond(seen).await;
        }
    }
}
