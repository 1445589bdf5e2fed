//! Behind one mutex: which pages changed, what the next commit will say of them, and what is on its way home.
//!
//! ```text
//!   clean --change--> changed --checkpoint begins--> Waiting --copied--> Sent --home, flushed--> clean
//!                        ^                              | changed          | changed
//!                        |                              v                  v
//!                        +---- home, flushed ---- Kept (the old copy) --> Sent again
//! ```
//! A page in the list of changed ones has an image in the journal at or behind the floor, or in the next commit. So a
//! replay never needs what stands at home, where a write may have been torn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oarlock_block::Lba;
use oarlock_format::{CommitWriter, Epoch, JournalObject, JournalSequence, PageBytes};

use super::page::{Page, PageContent, PageKey};
use super::touched::{IMAGE_BYTES, Touch, Touched};

/// What is brought home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything; then the journal's tail moves.
    Whole,
    /// What is under these locks.
    Objects(BTreeSet<JournalObject>),
}

impl Scope {
    fn has(&self, object: JournalObject) -> bool {
        match self {
            Scope::Whole => true,
            Scope::Objects(objects) => objects.contains(&object),
        }
    }
}

/// What a batch of changes is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchFor<'a> {
    /// It is written, and not flushed.
    Note,
    /// It is made durable, and all that was noted before.
    Commit,
    /// The same, and that much is brought home then.
    Checkpoint(&'a Scope),
}

/// Everything that was changed up to one instant.
pub(crate) struct Taken {
    /// Which batch of changes this is.
    pub(crate) batch: u64,
    /// What the commit says; empty where nothing was changed.
    pub(crate) commit: CommitWriter,
    /// Batches before it were noted, and are not durable.
    pub(crate) covers_notes: bool,
    /// What a checkpoint that begins with this commit brings home, by address.
    pub(crate) home: Vec<PageKey>,
}

/// A page that changed since it last came home.
struct Changed {
    page: Arc<Page>,
    /// The commit with its newest image; 0: none yet.
    image: JournalSequence,
    /// The last commit that says anything of it.
    last: JournalSequence,
    trip: Trip,
}

/// Where a changed page is on its way home.
enum Trip {
    /// No checkpoint has it on its list.
    None,
    /// It goes home as it is.
    Waiting,
    /// It was changed meanwhile, and goes home as it was when the checkpoint began.
    Kept { content: Box<PageContent>, last: JournalSequence },
    /// A copy of it is on its way.
    Sent { changed_again: bool },
}

/// All that is behind the mutex.
pub(super) struct Pending {
    /// The locks under which pages may be changed.
    objects: BTreeMap<JournalObject, Epoch>,
    changed: BTreeMap<PageKey, Changed>,
    touched: BTreeMap<PageKey, Touched>,
    /// Bytes of payload that the next commit takes at most.
    bytes: usize,
    bytes_max: usize,
    changed_max: usize,
    /// Images before this commit are none to start from: the tail has moved beyond them, or is about to.
    floor: JournalSequence,
    /// The number of the batch that the next commit takes.
    pub(super) batch: u64,
    /// The last batch that a commit took, and no note: its first flush covers what was answered before it was taken.
    pub(super) covering: u64,
}

impl Pending {
    pub(super) fn new(bytes_max: usize, changed_max: usize) -> Pending {
        Pending {
            objects: BTreeMap::new(),
            changed: BTreeMap::new(),
            touched: BTreeMap::new(),
            bytes: 0,
            bytes_max,
            changed_max,
            floor: JournalSequence(1),
            batch: 1,
            covering: 0,
        }
    }

    pub(super) fn open(&mut self, object: JournalObject, epoch: Epoch) {
        let before = self.objects.insert(object, epoch);
        assert!(before.is_none(), "an object is opened that is open");
    }

    /// Closes an object; `false`, and nothing is done, while anything of it is not home.
    pub(super) fn close(&mut self, object: JournalObject) -> bool {
        let owes = self.owes(object);
        if !owes {
            self.objects.remove(&object);
        }
        !owes
    }

    /// Whether a page of the object changed since it last came home.
    pub(super) fn owes(&self, object: JournalObject) -> bool {
        let range = PageKey { object, lba: Lba(0) }..=PageKey { object, lba: Lba(u64::MAX) };
        self.changed.range(range).next().is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.touched.is_empty()
    }

    /// The newest batch that has a change in it.
    pub(super) fn newest(&self) -> u64 {
        if self.is_empty() { self.batch - 1 } else { self.batch }
    }

    pub(super) fn is_half_full(&self) -> bool {
        self.bytes * 2 >= self.bytes_max
    }

    pub(super) fn has_many_changed(&self) -> bool {
        self.changed.len() * 4 >= self.changed_max * 3
    }

    pub(super) fn changed(&self) -> usize {
        self.changed.len()
    }

    /// Whether so many further pages can be changed before the next commit, and the checkpoint after it.
    pub(super) fn has_room_for(&self, pages: usize) -> bool {
        self.bytes + pages * IMAGE_BYTES <= self.bytes_max && self.changed.len() + pages <= self.changed_max
    }

    pub(super) fn change(&mut self, page: &Arc<Page>, touch: Touch) {
        let key = page.key();
        assert!(self.objects.contains_key(&key.object), "a page is changed under a lock that is not held");
        let changed = self.changed.entry(key).or_insert_with(|| Changed {
            page: Arc::clone(page),
            image: JournalSequence(0),
            last: JournalSequence(0),
            trip: Trip::None,
        });
        assert!(Arc::ptr_eq(&changed.page, page), "there are two copies of a page that is changed");
        changed.keep();
        match self.touched.get_mut(&key) {
            Some(touched) => {
                self.bytes -= touched.bytes();
                touched.add(touch);
                self.bytes += touched.bytes();
            }
            None => {
                let based = changed.image >= self.floor;
                let touched = if based { Touched::first(touch) } else { Touched::Image };
                self.bytes += touched.bytes();
                self.touched.insert(key, touched);
            }
        }
        page.write(|content| touch.apply(content));
    }

    /// Takes everything that was changed up to now, for a commit that begins at `sequence`; and begins a checkpoint with
    /// it, if one is wanted.
    pub(super) fn take(&mut self, sequence: JournalSequence, scope: Option<&Scope>) -> Taken {
        let mut commit = CommitWriter::default();
        for (key, touched) in std::mem::take(&mut self.touched) {
            let epoch = self.epoch(&key);
            if let Some(changed) = self.changed.get_mut(&key) {
                touched.put(&changed.page, epoch, sequence, &mut commit);
                changed.last = sequence;
                if matches!(touched, Touched::Image) {
                    changed.image = sequence;
                }
            }
        }
        self.bytes = 0;
        let batch = self.batch;
        self.batch += 1;
        let behind = JournalSequence(sequence.0 + u64::from(commit.blocks()));
        let home = scope.map_or_else(Vec::new, |scope| self.begin_trip(scope, behind));
        Taken { batch, home, commit, covers_notes: false }
    }

    fn begin_trip(&mut self, scope: &Scope, behind: JournalSequence) -> Vec<PageKey> {
        if *scope == Scope::Whole {
            self.floor = behind;
        }
        let mut home: Vec<PageKey> = Vec::new();
        for (key, changed) in self.changed.iter_mut().filter(|(key, _)| scope.has(key.object)) {
            assert!(matches!(changed.trip, Trip::None), "a page goes home in two checkpoints at once");
            changed.trip = Trip::Waiting;
            home.push(*key);
        }
        // Neighbours on the device go home in one write.
        home.sort_unstable_by_key(|key| key.lba);
        home
    }

    fn epoch(&self, key: &PageKey) -> Epoch {
        let epoch = self.objects.get(&key.object);
        assert!(epoch.is_some(), "a page was changed under a lock that was given up");
        epoch.copied().unwrap_or(Epoch(0))
    }

    /// What these pages are at home once they are written: as they were when the checkpoint began.
    pub(super) fn copies(&mut self, keys: &[PageKey]) -> Vec<(Lba, Box<PageBytes>)> {
        let mut copies = Vec::new();
        for key in keys {
            // A page that was retired meanwhile has no home any more.
            if !self.changed.contains_key(key) {
                continue;
            }
            let epoch = self.epoch(key);
            let Some(changed) = self.changed.get_mut(key) else { continue };
            let trip = std::mem::replace(&mut changed.trip, Trip::Sent { changed_again: false });
            let bytes = match trip {
                Trip::Kept { mut content, last } => {
                    changed.trip = Trip::Sent { changed_again: true };
                    Box::new(*content.seal(epoch, last))
                }
                Trip::Waiting => changed.page.write(|content| Box::new(*content.seal(epoch, changed.last))),
                Trip::None | Trip::Sent { .. } => panic!("a page goes home that is not on the list"),
            };
            copies.push((key.lba, bytes));
        }
        copies
    }

    /// These pages are home, and flushed.
    pub(super) fn came_home(&mut self, keys: &[PageKey]) {
        for key in keys {
            let Some(changed) = self.changed.get_mut(key) else { continue };
            match changed.trip {
                Trip::Sent { changed_again: true } => changed.trip = Trip::None,
                Trip::Sent { changed_again: false } => {
                    self.changed.remove(key);
                }
                Trip::None | Trip::Waiting | Trip::Kept { .. } => {
                    panic!("a page came home that was not sent")
                }
            }
        }
    }

    /// Drops a page without a word: nothing of it is written any more, neither to the journal nor home.
    pub(super) fn drop_page(&mut self, key: &PageKey) {
        if let Some(touched) = self.touched.remove(key) {
            self.bytes -= touched.bytes();
        }
        self.changed.remove(key);
    }
}

impl Changed {
    /// Before a change: what a checkpoint has still to copy is kept as it is.
    fn keep(&mut self) {
        match &mut self.trip {
            Trip::None | Trip::Kept { .. } => {}
            Trip::Waiting => {
                let content = Box::new(self.page.read(PageContent::clone));
                self.trip = Trip::Kept { content, last: self.last };
            }
            Trip::Sent { changed_again } => *changed_again = true,
        }
    }
}
