//! The journal of one life: what this host changed on pages that it alone owns, written once and in order, so that
//! whoever takes this host over finds all of it (R12, R31).
//!
//! ```text
//!   changes --take--+--> flush --> blocks --> flush --> durable --------------------> users are told
//!                   |                                      |
//!                   |                                      +--> pages home --> flush --> header: the tail moves
//!                   +--> blocks --> noted: it counts for as long as the machine runs ----------> guests are answered
//! ```
//! [`attend`] is the one that commits and the one that brings home, each for everybody who asks: who comes while one commit
//! is on its way shares the next. Nothing is sent outside of the lease, and nothing that was answered after it is given
//! out before the next beat is confirmed (R7). docs/PROTOCOL.md, section 13, says why in this order.

mod commit;
mod error;
mod header;
mod home;
pub(crate) mod patience;
pub(crate) mod replay;
mod ring;
pub(crate) mod send;

use std::cell::{Cell as StdCell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use futures::future::{Either, select};
use oarlock_format::{
    FormatId, JournalHeader, JournalObject, JournalPosition, JournalRing, Owner, PAGE_LENGTH, Stamped,
    Superblock,
};

use crate::cell::Cell;
use crate::core::{Core, Ended, StopReason};
use crate::pages::{PageKey, Pages, PagesLimits, Scope, Ticket};
use crate::signal::Signal;

pub use error::JournalError;
pub use replay::ReplayError;
use ring::{RING_BLOCKS_MIN, Ring, commit_bytes_max};

/// One life's journal.
pub(crate) struct Journal {
    pages: Arc<Pages>,
    place: JournalRing,
    format_id: FormatId,
    me: Owner,
    /// None until the first commit: who changes no page never touches the journal.
    ring: RefCell<Option<Ring>>,
    header: futures::lock::Mutex<Option<Cell<JournalHeader>>>,
    /// How often it was swapped, and how many of these swaps are durable.
    header_swaps: StdCell<u64>,
    header_durable: StdCell<u64>,
    /// What the next checkpoint has to bring home.
    asked: RefCell<Option<Scope>>,
    /// Checkpoints, counted: begun, that is the changes taken; and done.
    begun: StdCell<u64>,
    done: StdCell<u64>,
    /// The one that is on its way home.
    trip: RefCell<Option<Rc<Trip>>>,
    trips: Signal,
    failure: RefCell<Option<JournalError>>,
}

/// A checkpoint on its way: everything in it is durable in the journal.
struct Trip {
    number: u64,
    home: Vec<PageKey>,
    /// Where the journal begins once everything is home.
    tail: Option<JournalPosition>,
}

impl Journal {
    /// The journal of a host that begins to live, with so many bytes of pages in memory; nothing where the datastore has no
    /// disks.
    pub(crate) fn new(superblock: &Stamped<Superblock>, me: Owner, cache_bytes: usize) -> Option<Journal> {
        let record = &superblock.record;
        if !record.has_disks() {
            return None;
        }
        let place = record.layout.journal(me.slot, record.block_size);
        let limits = PagesLimits {
            format_id: superblock.stamp.format_id,
            shape: record.map_shape(),
            cached_max: cache_bytes / PAGE_LENGTH,
            changed_max: cache_bytes / PAGE_LENGTH / 2,
            // A ring that is too short is refused when it is to be used.
            commit_bytes_max: commit_bytes_max(place.blocks.max(RING_BLOCKS_MIN)),
        };
        Some(Journal {
            pages: Pages::new(limits),
            place,
            format_id: superblock.stamp.format_id,
            me,
            ring: RefCell::new(None),
            header: futures::lock::Mutex::new(None),
            header_swaps: StdCell::new(0),
            header_durable: StdCell::new(0),
            asked: RefCell::new(None),
            begun: StdCell::new(0),
            done: StdCell::new(0),
            trip: RefCell::new(None),
            trips: Signal::default(),
            failure: RefCell::new(None),
        })
    }

    pub(crate) fn pages(&self) -> &Arc<Pages> {
        &self.pages
    }

    /// Why it failed, if it did.
    fn failure(&self) -> Option<JournalError> {
        self.failure.borrow().clone()
    }

    pub(crate) async fn commit(&self, core: &Core) -> Result<(), JournalError> {
        let ticket: Ticket = self.pages.commit();
        self.until(core, || self.pages.is_durable(ticket).unwrap_or(false)).await
    }

    pub(crate) async fn note(&self, core: &Core) -> Result<(), JournalError> {
        let ticket = self.pages.note();
        self.until(core, || self.pages.noted() >= ticket).await
    }

    /// Makes durable what was changed and what was answered up to now, whether or not a commit takes anything more.
    pub(crate) async fn cover(&self, core: &Core) -> Result<(), JournalError> {
        let (ticket, is_to_begin) = self.pages.commit_and_tell();
        self.until(core, || self.pages.is_durable(ticket).unwrap_or(false)).await?;
        // A commit that was on its way may have flushed before the last answer.
        if !is_to_begin {
            send::flush(core).await?;
            send::until_it_may_send(core).await?;
        }
        Ok(())
    }

    pub(crate) async fn bring_home(&self, core: &Core, object: JournalObject) -> Result<(), JournalError> {
        self.checkpoint_of(core, Scope::Objects(BTreeSet::from([object])), || self.pages.owes(object)).await
    }

    pub(crate) async fn checkpoint(&self, core: &Core) -> Result<(), JournalError> {
        let owes = || self.pages.changed() > 0 || self.ring.borrow().is_some_and(|ring| ring.used() > 0);
        self.checkpoint_of(core, Scope::Whole, owes).await
    }

    async fn checkpoint_of(
        &self,
        core: &Core,
        scope: Scope,
        owes: impl Fn() -> bool,
    ) -> Result<(), JournalError> {
        if !owes() {
            return Ok(());
        }
        // The one that is on its way was begun before this was asked for.
        let number = self.begun.get() + 1;
        self.ask(scope);
        self.pages.call();
        self.until(core, || self.done.get() >= number).await
    }

    /// Everybody who asks before the next checkpoint begins shares it.
    fn ask(&self, scope: Scope) {
        let mut asked = self.asked.borrow_mut();
        *asked = Some(match (asked.take(), scope) {
            (Some(Scope::Objects(mut objects)), Scope::Objects(more)) => {
                objects.extend(more);
                Scope::Objects(objects)
            }
            (None, scope) => scope,
            (Some(_), _) => Scope::Whole,
        });
    }

    async fn until(&self, core: &Core, done: impl Fn() -> bool) -> Result<(), JournalError> {
        loop {
            let (settled, changed) = (self.pages.settled(), core.changed.seen());
            if done() {
                return Ok(());
            }
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            if let Some(ended) = core.ended() {
                return Err(ended.into());
            }
            if self.pages.has_failed() {
                return Err(JournalError::Ended(Ended::Left));
            }
            let (settled, changed) = (self.pages.settled_beyond(settled), core.changed.beyond(changed));
            futures::pin_mut!(settled, changed);
            select(settled, changed).await;
        }
    }
}

/// A living host's pages and journal, for who changes pages: the only way to them from outside.
#[derive(Clone)]
pub struct HostJournal {
    core: Rc<Core>,
    pages: Arc<Pages>,
}

impl HostJournal {
    pub(crate) fn of(core: &Rc<Core>) -> Option<HostJournal> {
        let pages = Arc::clone(&core.journal.as_ref()?.pages);
        Some(HostJournal { core: Rc::clone(core), pages })
    }

    /// The pages; for every thread.
    #[must_use]
    pub fn pages(&self) -> &Arc<Pages> {
        &self.pages
    }

    /// Makes durable everything that was changed up to now, and the data behind it. Without changes nothing is sent.
    ///
    /// # Errors
    /// Why it never will be, as far as this host can say.
    pub async fn commit(&self) -> Result<(), JournalError> {
        self.journal()?.commit(&self.core).await
    }

    /// Writes down everything that was changed up to now, so that whoever takes this host over finds it, and only a loss of power
    /// takes it back. Without changes nothing is sent.
    ///
    /// # Errors
    /// Why it never will be, as far as this host can say.
    pub async fn note(&self) -> Result<(), JournalError> {
        self.journal()?.note(&self.core).await
    }

    /// As [`commit`](Self::commit), and with it every write to the device that was answered by now, whoever sent it: without
    /// changes that is one flush.
    ///
    /// # Errors
    /// Why it never will be, as far as this host can say.
    pub async fn make_durable(&self) -> Result<(), JournalError> {
        self.journal()?.cover(&self.core).await
    }

    /// Brings home every page of an object, and flushes: before its lock is released, handed off or downgraded (R12).
    /// Nobody may change anything under the lock meanwhile, or it is not home afterwards: [`Pages::close`] says so.
    ///
    /// # Errors
    /// Why it is not: then the lock must be kept.
    pub async fn bring_home(&self, object: JournalObject) -> Result<(), JournalError> {
        self.journal()?.bring_home(&self.core, object).await
    }

    /// Brings everything home that was changed up to now, and moves the journal's tail beyond it.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn checkpoint(&self) -> Result<(), JournalError> {
        self.journal()?.checkpoint(&self.core).await
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    fn journal(&self) -> Result<&Journal, JournalError> {
        self.core.journal.as_ref().ok_or(JournalError::NoDisks)
    }
}

/// Whatever ends the attending ends the journal: nobody may wait for what nobody does any more.
struct Attending<'a>(&'a Journal);

impl Drop for Attending<'_> {
    fn drop(&mut self) {
        self.0.pages.fail();
    }
}

/// Commits, and brings home, until the host has ended or the journal failed.
pub(crate) async fn attend(core: Rc<Core>) {
    let Some(journal) = &core.journal else { return };
    let _attending = Attending(journal);
    let (commits, trips) = (journal.commits(&core), journal.trips(&core));
    futures::pin_mut!(commits, trips);
    let error = match select(commits, trips).await {
        Either::Left((error, _)) | Either::Right((error, _)) => error,
    };
    *journal.failure.borrow_mut() = Some(error.clone());
    if !matches!(error, JournalError::Ended(_)) {
        header::report_failure(&core, journal, &error);
        // Its disks would stand still for as long as it beats: it stops, is fenced, and another replays.
        core.stop(StopReason::JournalFailed { detail: error.to_string() });
    }
}
