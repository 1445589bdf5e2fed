//! The page cache of one host: pages of maps and bitmaps, by the lock under which they are read and by address.
//!
//! For all threads of the host: the engine's, and each export's. Nothing here waits for the device, and nothing knows a
//! runtime. All changes of all pages happen under one mutex, which also gathers what the journal has to write: so a
//! commit that takes it sees one consistent instant, and what one [`Transaction`] changed is in one commit. A reader takes
//! only the page's own lock.
//!
//! Locks are taken in this order: changes, then a page; the index alone.

mod bell;
mod index;
mod page;
mod pending;
mod touched;
mod transaction;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll};

use oarlock_block::Lba;
use oarlock_format::{
    DecodeError, Epoch, FormatId, JournalObject, JournalSequence, MapShape, PageBytes, Place,
};

pub(crate) use bell::Bell;
use index::{AllHeld, Index};
use pending::Pending;

pub use page::{Page, PageContent, PageKey};
pub(crate) use pending::{BatchFor, Scope, Taken};
pub use transaction::{Refused, TRANSACTION_PAGES_MAX, Transaction};

/// Bytes of pages that a host caches by default (R40).
pub const CACHE_BYTES: usize = 256 << 20;

/// The datastore's facts that a page is checked against, and how much of everything there may be.
#[derive(Clone, Copy, Debug)]
pub struct PagesLimits {
    /// The datastore.
    pub format_id: FormatId,
    /// The shape of its maps.
    pub shape: MapShape,
    /// Pages in the cache, at most.
    pub cached_max: usize,
    /// Pages that changed and are not home, at most.
    pub changed_max: usize,
    /// Bytes of changes in one commit, at most.
    pub commit_bytes_max: usize,
}

/// The page cache of one host.
pub struct Pages {
    limits: PagesLimits,
    index: RwLock<Index>,
    pending: Mutex<Pending>,
    /// The engine has something to do: a first change, a commit that somebody waits for, a want of room.
    work: Bell,
    /// Something was taken, became durable or came home, or the journal failed.
    settled: Bell,
    /// The highest batch of changes that is durable, and the highest that is noted: that only a loss of power takes back.
    durable: AtomicU64,
    noted: AtomicU64,
    /// The highest batches that somebody waits for to be so.
    wanted: AtomicU64,
    wanted_noted: AtomicU64,
    room_wanted: AtomicBool,
    /// Whole checkpoints: begun, and done to the moved tail.
    checkpoints_begun: AtomicU64,
    checkpoints_done: AtomicU64,
    failed: AtomicBool,
}

/// A batch of changes: what [`Pages::is_durable`] is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(crate) u64);

/// Pages whose clusters were given up: what [`Pages::may_be_reused`] is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retired(u64);

/// The journal failed: what was not durable then never will be, and nothing is changed any more in this life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this host's journal failed")]
pub struct Failed;

/// A page that was read did not get into the cache.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// It does not check out.
    #[error("the page at block {lba} does not check out: {error}")]
    Unsound {
        /// Where it stands.
        lba: Lba,
        /// The first doubt.
        error: DecodeError,
    },
    /// Its lock was given up, or the page retired, while it was read: what was read may be old.
    #[error("the page at block {lba} was given up while it was read")]
    GivenUp {
        /// Where it stands.
        lba: Lba,
    },
    /// Every page in the cache is held by somebody; a checkpoint, or who lets go of one, makes room.
    #[error("every page in the cache is held")]
    AllHeld,
}

impl From<AllHeld> for PageFault {
    fn from(AllHeld: AllHeld) -> PageFault {
        PageFault::AllHeld
    }
}

/// What a look into the cache found.
pub enum Look {
    /// The page.
    Cached(Arc<Page>),
    /// It has to be read: 4,096 bytes at its address, and then [`Reading::fill`].
    Missing(Reading),
}

/// A page that is being read. While there is one, nothing that arrives late replaces anything newer.
pub struct Reading {
    pages: Arc<Pages>,
    key: PageKey,
    id: u64,
}

impl Reading {
    /// Which page.
    #[must_use]
    pub const fn key(&self) -> PageKey {
        self.key
    }

    /// Puts in what was read; the page as it is in the cache now, which may be newer than these bytes.
    ///
    /// # Errors
    /// Why it is not there.
    pub fn fill(self, bytes: &[u8]) -> Result<Arc<Page>, PageFault> {
        let PageKey { object, lba } = self.key;
        let limits = &self.pages.limits;
        let place = Place { format_id: limits.format_id, lba };
        let content = PageContent::decode(object, bytes, &place, &limits.shape)
            .map_err(|error| PageFault::Unsound { lba, error })?;
        let filled = self.pages.index_mut().fill(Page::new(self.key, content), self.id)?;
        filled.ok_or(PageFault::GivenUp { lba })
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.pages.index_mut().end_reading(&self.key, self.id);
    }
}

impl Pages {
    /// A cache without pages.
    ///
    /// # Panics
    /// When the limits leave no room for a transaction beside a checkpoint.
    #[must_use]
    pub fn new(limits: PagesLimits) -> Arc<Pages> {
        let transaction = limits.commit_bytes_max >= TRANSACTION_PAGES_MAX * touched::IMAGE_BYTES;
        // Whoever finds no room has then made a checkpoint due: three quarters of the changed pages that there may be.
        let checkpoint = limits.changed_max >= 4 * TRANSACTION_PAGES_MAX;
        assert!(transaction && checkpoint, "a cache in which a transaction may never find room");
        assert!(limits.cached_max > limits.changed_max, "a cache that changed pages can fill");
        Arc::new(Pages {
            limits,
            index: RwLock::new(Index::new(limits.cached_max)),
            pending: Mutex::new(Pending::new(limits.commit_bytes_max, limits.changed_max)),
            work: Bell::default(),
            settled: Bell::default(),
            durable: AtomicU64::new(0),
            noted: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            wanted_noted: AtomicU64::new(0),
            room_wanted: AtomicBool::new(false),
            checkpoints_begun: AtomicU64::new(0),
            checkpoints_done: AtomicU64::new(0),
            failed: AtomicBool::new(false),
        })
    }

    fn index_mut(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on pages are changed under this lock, which this host holds in this epoch.
    ///
    /// # Panics
    /// When the object is open already.
    pub fn open(&self, object: JournalObject, epoch: Epoch) {
        self.pending().open(object, epoch);
    }

    /// Forgets every page of an object, before or after its lock is given up; `false`, and nothing is done, while a page
    /// of it is not home: then the lock must be kept (R12).
    #[must_use]
    pub fn close(&self, object: JournalObject) -> bool {
        let closed = self.pending().close(object);
        if closed {
            self.index_mut().forget(object);
        }
        closed
    }

    /// Whether a page of the object changed since it last came home.
    #[must_use]
    pub fn owes(&self, object: JournalObject) -> bool {
        self.pending().owes(object)
    }

    /// The page, or the right to read it.
    #[must_use]
    pub fn look(self: &Arc<Self>, key: PageKey) -> Look {
        if let Some(page) = self.get(key) {
            return Look::Cached(page);
        }
        let mut index = self.index_mut();
        if let Some(page) = index.get(&key) {
            return Look::Cached(page);
        }
        let id = index.begin_reading(key);
        Look::Missing(Reading { pages: Arc::clone(self), key, id })
    }

    /// The page, if it is in the cache.
    #[must_use]
    pub fn get(&self, key: PageKey) -> Option<Arc<Page>> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).get(&key)
    }

    /// Puts in a page of a node that was just written whole to a fresh cluster, and flushed.
    ///
    /// # Errors
    /// [`PageFault::AllHeld`].
    pub fn put(&self, key: PageKey, content: PageContent) -> Result<Arc<Page>, PageFault> {
        let page = Page::new(key, content);
        self.index_mut().put(&page)?;
        Ok(page)
    }

    /// How many pages are in the cache.
    #[must_use]
    pub fn cached(&self) -> usize {
        self.index.read().unwrap_or_else(PoisonError::into_inner).cached()
    }

    /// How many pages changed and are not home.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.pending().changed()
    }

    /// Begins changes that belong together, of so many pages at most. Other changes wait meanwhile, so be brief, and wait
    /// for nothing.
    ///
    /// # Errors
    /// [`Refused::NoRoom`]: a commit or a checkpoint has to come first, and has been asked for;
    /// [`Pages::poll_settled`] says when to try again.
    ///
    /// # Panics
    /// When `pages` is more than [`TRANSACTION_PAGES_MAX`].
    pub fn begin(&self, pages: usize) -> Result<Transaction<'_>, Refused> {
        assert!(pages <= TRANSACTION_PAGES_MAX, "a transaction of {pages} pages");
        let seen = self.settled.seen();
        let pending = self.pending();
        if self.has_failed() {
            return Err(Refused::Failed);
        }
        if !pending.has_room_for(pages) {
            drop(pending);
            self.room_wanted.store(true, Ordering::SeqCst);
            self.work.ring();
            return Err(Refused::NoRoom { seen });
        }
        Ok(Transaction::new(self, pending, pages))
    }

    /// Asks for a commit of everything that was changed up to now, and names it. All who ask while one commit is on its way
    /// share the next.
    #[must_use]
    pub fn commit(&self) -> Ticket {
        self.commit_and_tell().0
    }

    /// As [`commit`](Self::commit), and whether that commit is still to begin: then its first flush covers all that was
    /// answered by now, too.
    pub(crate) fn commit_and_tell(&self) -> (Ticket, bool) {
        let pending = self.pending();
        let ticket = pending.newest();
        let is_to_begin = pending.covering < ticket;
        drop(pending);
        if self.wanted.fetch_max(ticket, Ordering::SeqCst) < ticket {
            self.work.ring();
        }
        (Ticket(ticket), is_to_begin)
    }

    /// Asks for a note of everything that was changed up to now, and names it: from then on only a loss of power takes it back.
    pub(crate) fn note(&self) -> Ticket {
        let ticket = self.pending().newest();
        if self.wanted_noted.fetch_max(ticket, Ordering::SeqCst) < ticket {
            self.work.ring();
        }
        Ticket(ticket)
    }

    /// Up to which batch changes are noted, or durable.
    #[must_use]
    pub fn noted(&self) -> Ticket {
        Ticket(self.noted.load(Ordering::SeqCst))
    }

    /// Up to which batch changes are durable.
    #[must_use]
    pub fn durable(&self) -> Ticket {
        Ticket(self.durable.load(Ordering::SeqCst))
    }

    /// Whether that batch of changes survives everything.
    ///
    /// # Errors
    /// [`Failed`]: it never will, as far as this host can say.
    pub fn is_durable(&self, ticket: Ticket) -> Result<bool, Failed> {
        let durable = self.durable.load(Ordering::SeqCst) >= ticket.0;
        if durable || !self.has_failed() { Ok(durable) } else { Err(Failed) }
    }

    /// How often anything settled so far: what is remembered before one looks.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.settled.seen()
    }

    /// Ready once anything settled beyond `seen`: a commit was taken or is durable, pages came home, the journal failed. Else
    /// the context's waker is woken then, from the engine's thread.
    pub fn poll_settled(&self, seen: u64, context: &mut Context<'_>) -> Poll<()> {
        self.settled.poll_beyond(seen, context)
    }

    /// Waits until a batch of changes is durable.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn until_durable(&self, ticket: Ticket) -> Result<(), Failed> {
        loop {
            let seen = self.settled.seen();
            if self.is_durable(ticket)? {
                return Ok(());
            }
            self.settled.beyond(seen).await;
        }
    }

    /// Drops pages whose node is no part of any map any more, in all states of them: from now on neither the journal nor a
    /// checkpoint writes them. Records of them that the journal already holds would still be replayed, over whatever
    /// stands there then: their clusters' bits may be freed once [`Pages::may_be_reused`] says so.
    #[must_use]
    pub fn retire(&self, keys: &[PageKey]) -> Retired {
        let mut pending = self.pending();
        keys.iter().for_each(|key| pending.drop_page(key));
        // Under the mutex: a checkpoint that begins later has a tail behind all records of these pages.
        let retired = Retired(self.checkpoints_begun.load(Ordering::SeqCst) + 1);
        drop(pending);
        let mut index = self.index_mut();
        keys.iter().for_each(|key| index.remove(key));
        retired
    }

    /// Whether the journal's tail has moved beyond every record of what was retired, and every write of it was answered.
    #[must_use]
    pub fn may_be_reused(&self, retired: Retired) -> bool {
        self.checkpoints_done.load(Ordering::SeqCst) >= retired.0
    }

    /// Whether the journal failed, and with it every change that was not durable.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }
}

/// What the journal does with the cache.
impl Pages {
    /// Takes what was changed, for a note or for a commit, which a checkpoint may begin with.
    pub(crate) fn take(&self, sequence: JournalSequence, batch_for: BatchFor<'_>) -> Taken {
        let mut pending = self.pending();
        let scope = match batch_for {
            BatchFor::Checkpoint(scope) => Some(scope),
            BatchFor::Note | BatchFor::Commit => None,
        };
        let mut taken = pending.take(sequence, scope);
        if batch_for != BatchFor::Note {
            pending.covering = taken.batch;
        }
        taken.covers_notes = self.durable.load(Ordering::SeqCst) + 1 < taken.batch;
        if scope == Some(&Scope::Whole) {
            self.checkpoints_begun.fetch_add(1, Ordering::SeqCst);
        }
        drop(pending);
        self.room_wanted.store(false, Ordering::SeqCst);
        self.settled.ring();
        taken
    }

    pub(crate) fn became_durable(&self, batch: u64) {
        self.durable.fetch_max(batch, Ordering::SeqCst);
        self.became_noted(batch);
    }

    pub(crate) fn became_noted(&self, batch: u64) {
        self.noted.fetch_max(batch, Ordering::SeqCst);
        self.settled.ring();
    }

    pub(crate) fn copies(&self, keys: &[PageKey]) -> Vec<(Lba, Box<PageBytes>)> {
        self.pending().copies(keys)
    }

    pub(crate) fn came_home(&self, keys: &[PageKey]) {
        self.pending().came_home(keys);
        self.settled.ring();
    }

    pub(crate) fn tail_moved(&self) {
        self.checkpoints_done.fetch_add(1, Ordering::SeqCst);
        self.settled.ring();
    }

    pub(crate) fn fail(&self) {
        // Under the mutex: whoever begins a transaction after this sees it.
        let pending = self.pending();
        self.failed.store(true, Ordering::SeqCst);
        drop(pending);
        self.settled.ring();
        self.work.ring();
    }

    /// What the engine has to do for the cache, while no commit is on its way.
    pub(crate) fn wants(&self) -> Wants {
        let pending = self.pending();
        let room = self.room_wanted.load(Ordering::SeqCst);
        let (newest, durable) = (pending.newest(), self.durable.load(Ordering::SeqCst));
        let is_tight = !pending.is_empty() && (room || pending.is_half_full());
        Wants {
            commit: is_tight || self.wanted.load(Ordering::SeqCst) > durable,
            checkpoint: pending.has_many_changed(),
            note: !pending.is_empty() && self.wanted_noted.load(Ordering::SeqCst) >= newest,
            // What was only noted is not durable yet.
            anything: durable < newest,
        }
    }

    pub(crate) fn work_seen(&self) -> u64 {
        self.work.seen()
    }

    pub(crate) async fn work_beyond(&self, seen: u64) {
        self.work.beyond(seen).await;
    }

    pub(crate) async fn settled_beyond(&self, seen: u64) {
        self.settled.beyond(seen).await;
    }

    /// Whoever waits for anything to settle looks again.
    pub(crate) fn announce(&self) {
        self.settled.ring();
    }

    /// Something else is to be looked at by whoever attends to the cache's wants.
    pub(crate) fn call(&self) {
        self.work.ring();
    }
}

/// What the cache wants of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wants {
    /// A commit now: somebody waits, or it is as long as it should become.
    pub(crate) commit: bool,
    /// A checkpoint: so many pages changed that soon no more can.
    pub(crate) checkpoint: bool,
    /// A note, at least: somebody waits for that.
    pub(crate) note: bool,
    /// A commit within a while.
    pub(crate) anything: bool,
}

#[cfg(test)]
mod tests;
