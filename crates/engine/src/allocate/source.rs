//! Where clusters come from: the stock, further groups, what this host's disks do not need, and other hosts, in this order;
//! and only then nowhere (R37).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use futures::future::join_all;
use futures::lock::Mutex;
use oarlock_block::Instant;
use oarlock_format::{ClusterNumber, GroupNumber, JournalObject};

use super::error::SpaceError;
use super::locks::{GroupLocks, OwnedLock, Wish};
use super::stock::Stock;
use crate::core::Core;
use crate::journal::HostJournal;
use crate::layer::read_page;
use crate::pages::{PageKey, Pages};
use crate::path::DataPath;

/// Groups that a host owns at most: each has its bitmap in memory, twice. With clusters of 64 KiB that is 2 TiB to take from.
pub const GROUPS_MAX: usize = 4_096;

/// Of what is free in the stock one disk gets this part at a time at most, so that many disks can share a group.
const SHARE: u64 = 8;

/// A disk gets so many clusters, if there are as many, whatever its share.
const SHARE_MIN: u64 = 16;

/// Groups whose owners are asked for them at once, at most.
const ASKED_AT_ONCE_MAX: usize = 64;

/// How often a group is brought home that changes meanwhile; and how many groups are tried to give one up.
const ROUNDS_MAX: usize = 4;

/// The source of clusters of one host.
pub struct Source {
    pub(super) journal: HostJournal,
    pub(super) stock: Arc<Stock>,
    pub(super) locks: Rc<dyn GroupLocks>,
    /// One search at a time.
    search: Mutex<Search>,
    /// Groups that are being opened or closed.
    doors: RefCell<BTreeMap<GroupNumber, Rc<Mutex<()>>>>,
    disks: RefCell<Vec<Weak<DataPath>>>,
    /// Clusters whose bits are to be cleared, by group.
    pub(super) unused: RefCell<BTreeMap<GroupNumber, Vec<ClusterNumber>>>,
    pub(super) clearing: Mutex<()>,
    /// Steps on their way behind which clusters come free.
    pub(super) about_to_free: Cell<usize>,
}

#[derive(Default)]
struct Search {
    /// Where the next search for an idle group begins.
    next: u32,
    /// When a whole pass last found nothing.
    in_vain: Option<Instant>,
}

impl Source {
    /// A source that owns nothing yet.
    #[must_use]
    pub fn new(journal: &HostJournal, locks: Rc<dyn GroupLocks>) -> Rc<Source> {
        let core = journal.core();
        // Hosts begin far from one another, so that they seldom want the same group.
        let slots = u64::from(core.store.layout.slot_count().max(1));
        let next = u64::from(locks.groups()) * u64::from(core.me.slot.0) / slots;
        let search = Search { next: u32::try_from(next).unwrap_or(0), in_vain: None };
        Rc::new(Source {
            journal: journal.clone(),
            stock: Arc::default(),
            locks,
            search: Mutex::new(search),
            doors: RefCell::default(),
            disks: RefCell::default(),
            unused: RefCell::default(),
            clearing: Mutex::default(),
            about_to_free: Cell::default(),
        })
    }

    pub(crate) fn journal(&self) -> &HostJournal {
        &self.journal
    }

    pub(crate) fn stock(&self) -> &Arc<Stock> {
        &self.stock
    }

    pub(super) fn core(&self) -> &Core {
        self.journal.core()
    }

    pub(super) fn pages(&self) -> &Arc<Pages> {
        self.journal.pages()
    }

    /// This disk's reservoir is filled from here, and can be called back.
    pub(crate) fn serve(&self, disk: &Arc<DataPath>) {
        let mut disks = self.disks.borrow_mut();
        disks.retain(|disk| disk.strong_count() > 0);
        disks.push(Arc::downgrade(disk));
    }

    /// This disk is not there any more.
    pub(crate) fn forget(&self, disk: &Arc<DataPath>) {
        let gone = Arc::downgrade(disk);
        self.disks.borrow_mut().retain(|disk| !disk.ptr_eq(&gone));
    }

    pub(super) fn disks(&self) -> Vec<Arc<DataPath>> {
        self.disks.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// Clusters to use or to [give back](Self::give_back): one at least, a fair part of `wanted` at most.
    ///
    /// # Errors
    /// [`SpaceError::NoSpace`] after a pass over all groups, at most one pass a beat; or why it is not known.
    pub async fn clusters(
        &self,
        wanted: usize,
        near: Option<ClusterNumber>,
    ) -> Result<Vec<ClusterNumber>, SpaceError> {
        if let Some(taken) = self.take_from_stock(wanted, near) {
            return Ok(taken);
        }
        let mut search = self.search.lock().await;
        // Whoever searched before may have found for all.
        if let Some(taken) = self.take_from_stock(wanted, near) {
            return Ok(taken);
        }
        if let Some(taken) = self.search_idle_groups(&mut search, wanted).await? {
            return Ok(taken);
        }
        self.squeeze().await?;
        if let Some(taken) = self.take_from_stock(wanted, near) {
            return Ok(taken);
        }
        let (now, beat) = (self.core().store.now(), self.core().store.timing.beat);
        if search.in_vain.is_some_and(|in_vain| now.since(in_vain) < beat) {
            return Err(SpaceError::NoSpace);
        }
        if let Some(taken) = self.ask_other_hosts(&search, wanted).await? {
            return Ok(taken);
        }
        search.in_vain = Some(self.core().store.now());
        Err(SpaceError::NoSpace)
    }

    /// Clusters that were had from here and not used.
    pub fn give_back(&self, clusters: impl IntoIterator<Item = ClusterNumber>) {
        self.stock.give_back(clusters);
    }

    fn take_from_stock(&self, wanted: usize, near: Option<ClusterNumber>) -> Option<Vec<ClusterNumber>> {
        let share = (self.stock.free() / SHARE).max(SHARE_MIN);
        let wanted = wanted.min(usize::try_from(share).unwrap_or(usize::MAX));
        let mut taken = Vec::new();
        self.stock.take(wanted, near, &mut taken);
        (!taken.is_empty()).then_some(taken)
    }

    /// The next group that nobody holds and that has something.
    async fn search_idle_groups(
        &self,
        search: &mut Search,
        wanted: usize,
    ) -> Result<Option<Vec<ClusterNumber>>, SpaceError> {
        let groups = self.locks.groups();
        for step in 0..groups {
            let group = GroupNumber((search.next + step) % groups);
            if self.stock.has(group) || !self.open(group, Wish::Idle).await? {
                continue;
            }
            if let Some(taken) = self.take_from_stock(wanted, None) {
                search.next = (group.0 + 1) % groups;
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    async fn ask_other_hosts(
        &self,
        search: &Search,
        wanted: usize,
    ) -> Result<Option<Vec<ClusterNumber>>, SpaceError> {
        let groups = self.locks.groups();
        let all = (0..groups).map(|step| GroupNumber((search.next + step) % groups));
        let others: Vec<GroupNumber> = all.filter(|group| !self.stock.has(*group)).collect();
        let (mut rest, mut at_once) = (&others[..], 1);
        while !rest.is_empty() {
            // Each owner has some time to answer: the more have needed theirs, the more are asked at once.
            let (asked, left) = rest.split_at(at_once.min(rest.len()));
            let opened = join_all(asked.iter().map(|group| self.open(*group, Wish::Pressing))).await;
            opened.into_iter().collect::<Result<Vec<bool>, SpaceError>>()?;
            if let Some(taken) = self.take_from_stock(wanted, None) {
                return Ok(Some(taken));
            }
            (rest, at_once) = (left, (at_once * 4).min(ASKED_AT_ONCE_MAX));
        }
        Ok(None)
    }

    /// Owns a group, whoever holds it now.
    ///
    /// # Errors
    /// [`SpaceError::NoSpace`], where its owner needs it: try again later.
    pub(crate) async fn own(&self, group: GroupNumber) -> Result<(), SpaceError> {
        let owned = self.stock.has(group) || self.open(group, Wish::Pressing).await?;
        if owned { Ok(()) } else { Err(SpaceError::NoSpace) }
    }

    /// Everything that lies about on this host: clusters that were given up, and what its disks have in hand.
    async fn squeeze(&self) -> Result<(), SpaceError> {
        let disks = self.disks();
        if disks.iter().any(|disk| disk.waiting_to_be_free() > 0) {
            self.journal.commit().await?;
        }
        for disk in &disks {
            self.collect(disk).await?;
        }
        // From here on nothing is awaited, and nothing fails: what is in nobody's hand keeps its group for ever.
        let mut in_hand = Vec::new();
        for disk in &disks {
            disk.recall(None, &mut in_hand);
        }
        self.stock.give_back(in_hand);
        Ok(())
    }

    /// The door of a group: it is opened or closed by one at a time. To wait for one group keeps nobody from giving up another.
    pub(super) fn door(&self, group: GroupNumber) -> Rc<Mutex<()>> {
        let mut doors = self.doors.borrow_mut();
        doors.retain(|_, door| Rc::strong_count(door) > 1);
        Rc::clone(doors.entry(group).or_default())
    }

    /// Owns a group, if it can be had: its lock, and its bitmap in memory. Whether this host owns it now.
    pub(super) async fn open(&self, group: GroupNumber, wish: Wish) -> Result<bool, SpaceError> {
        if !self.make_room().await? {
            return Ok(false);
        }
        let door = self.door(group);
        let _door = door.lock().await;
        if self.stock.has(group) {
            return Ok(true);
        }
        let Some(OwnedLock { epoch, clusters }) = self.locks.take(group, wish).await? else {
            return Ok(false);
        };
        let object = JournalObject::Group(group);
        self.pages().open(object, epoch);
        let lba = self.core().superblock().record.space().bitmap(group);
        match read_page(self.core(), self.pages(), PageKey { object, lba }).await {
            Ok(page) => {
                self.stock.open(group, clusters, page);
                Ok(true)
            }
            Err(error) => {
                if self.pages().close(object) {
                    self.locks.release(group, 0).await;
                }
                Err(error)
            }
        }
    }

    /// Gives up a group, where this host owns as many as it may: one of which nothing is left, or else any that nobody uses.
    /// Whether there is room for another.
    async fn make_room(&self) -> Result<bool, SpaceError> {
        if self.stock.groups() < GROUPS_MAX {
            return Ok(true);
        }
        for group in self.stock.spare().into_iter().take(ROUNDS_MAX) {
            if self.give_up(group).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives a group up, because another host wants it, or at the end: what disks have in hand of it is called back, what is to
    /// be freed in it is freed, its bitmap goes home, then its lock. `false`, and this host keeps it, while anybody is about to
    /// use a cluster of it.
    ///
    /// # Errors
    /// Why the bitmap is not home: the lock is kept then.
    pub async fn give_up(&self, group: GroupNumber) -> Result<bool, SpaceError> {
        let door = self.door(group);
        let _door = door.lock().await;
        if !self.stock.has(group) {
            return Ok(true);
        }
        self.clear_bits_of(group).await?;
        self.stock.set_closing(group, true);
        let closed = self.try_close(group).await;
        if !matches!(closed, Ok(true)) {
            self.stock.set_closing(group, false);
        }
        closed
    }

    /// The groups that this host owns.
    #[must_use]
    pub fn owned_groups(&self) -> usize {
        self.stock.groups()
    }

    async fn try_close(&self, group: GroupNumber) -> Result<bool, SpaceError> {
        self.keep_from_others(group).await?;
        let (mut in_hand, mut in_making) = (Vec::new(), 0);
        for disk in self.disks() {
            in_making += disk.recall(Some(group), &mut in_hand);
        }
        self.stock.give_back(in_hand);
        if in_making > 0 || self.stock.in_hand(group) > 0 {
            return Ok(false);
        }
        let object = JournalObject::Group(group);
        for _ in 0..ROUNDS_MAX {
            self.journal.bring_home(object).await?;
            if self.pages().close(object) {
                let free = self.stock.close(group);
                self.locks.release(group, free).await;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
