//! What a living host has of disks: the source of its clusters, the layers that are open, and the disks that are attached.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{DescriptorNumber, LayerName};

use super::DiskError;
use super::attach::Attached;
use super::tend::tend_parent_soon;
use super::thick::Work;
use crate::allocate::Source;
use crate::core::Core;
use crate::group_locks::{BEATS_TO_GIVE_UP, HeldGroups};
use crate::journal::HostJournal;
use crate::path::RESERVOIR_MAX;

/// Disks that one host fills at once, at most: each has a buffer of zeros.
const WORKS_MAX: usize = 64;

/// Everything of disks that one host has in memory.
pub(crate) struct DisksHere {
    pub(crate) core: Rc<Core>,
    pub(crate) source: Rc<Source>,
    groups: Rc<HeldGroups>,
    open: RefCell<BTreeSet<DescriptorNumber>>,
    attached: RefCell<BTreeMap<DescriptorNumber, Rc<Attached>>>,
    /// Disks that are being filled.
    works: RefCell<BTreeMap<LayerName, Rc<Work>>>,
}

/// A disk that this host fills, until this is dropped.
pub(super) struct Filled {
    here: Rc<DisksHere>,
    name: LayerName,
    pub(super) work: Rc<Work>,
}

impl Drop for Filled {
    fn drop(&mut self) {
        self.here.works.borrow_mut().remove(&self.name);
    }
}

impl DisksHere {
    /// Nothing is open yet; none where the datastore has no disks.
    pub(crate) fn new(core: &Rc<Core>) -> Option<Rc<DisksHere>> {
        let journal = HostJournal::of(core)?;
        let groups = HeldGroups::new(core);
        let source = Source::new(&journal, Rc::clone(&groups) as _);
        Some(Rc::new(DisksHere {
            core: Rc::clone(core),
            source,
            groups,
            open: RefCell::default(),
            attached: RefCell::default(),
            works: RefCell::default(),
        }))
    }

    /// A layer is about to be opened; whether it was not open here before.
    pub(super) fn note_open(&self, number: DescriptorNumber) -> bool {
        self.open.borrow_mut().insert(number)
    }

    pub(super) fn note_closed(&self, number: DescriptorNumber) {
        self.open.borrow_mut().remove(&number);
    }

    /// Whether the layer is open here.
    pub(super) fn is_open(&self, number: DescriptorNumber) -> bool {
        self.open.borrow().contains(&number)
    }

    /// A disk of that name is about to be filled.
    ///
    /// # Errors
    /// [`DiskError::Busy`] where one is already, or as many are as there may be.
    pub(super) fn begin_work(self: &Rc<Self>, name: &LayerName) -> Result<Filled, DiskError> {
        let mut works = self.works.borrow_mut();
        if works.contains_key(name) || works.len() >= WORKS_MAX {
            return Err(DiskError::Busy { name: name.clone() });
        }
        let work = Rc::new(Work::default());
        works.insert(name.clone(), Rc::clone(&work));
        Ok(Filled { here: Rc::clone(self), name: name.clone(), work })
    }

    pub(super) fn work_on(&self, name: &LayerName) -> Option<Rc<Work>> {
        self.works.borrow().get(name).cloned()
    }

    pub(super) fn attached(&self, number: DescriptorNumber) -> Option<Rc<Attached>> {
        self.attached.borrow().get(&number).cloned()
    }

    /// As [`attached`](Self::attached), but one that is on its way out is waited for, until `deadline` at most.
    pub(super) async fn attached_to_stay(
        &self,
        number: DescriptorNumber,
        deadline: Instant,
    ) -> Option<Rc<Attached>> {
        loop {
            let seen = self.core.changed.seen();
            let attached = self.attached(number)?;
            let now = self.core.store.now();
            if !attached.is_going.get() || now >= deadline {
                return Some(attached);
            }
            self.core.change_within(seen, deadline.since(now)).await;
        }
    }

    /// Clusters that attached disks have in hand and not used yet.
    pub(super) fn in_hand(&self) -> u64 {
        let attached = self.attached.borrow();
        let in_hand = |attached: &Rc<Attached>| RESERVOIR_MAX.saturating_sub(attached.disk.path().wanted());
        attached.values().map(in_hand).sum::<usize>() as u64
    }

    /// The attached disks that another host rang for since the last time.
    fn rung_for(&self) -> Vec<Rc<Attached>> {
        let attached = self.attached.borrow();
        attached.values().filter(|attached| attached.opened.take_rung()).cloned().collect()
    }

    pub(super) fn note_attached(&self, number: DescriptorNumber, attached: &Rc<Attached>) {
        self.attached.borrow_mut().insert(number, Rc::clone(attached));
    }

    pub(super) fn note_detached(&self, number: DescriptorNumber) {
        self.attached.borrow_mut().remove(&number);
        self.core.changed.announce();
    }
}

/// Clears bits that could not be cleared when their clusters came free, for another host had the group; until the host has ended.
pub(crate) async fn clear_later(here: Rc<DisksHere>) {
    let core = &here.core;
    while core.ended().is_none() {
        core.store.world.pause(core.store.timing.beat).await;
        if here.source.waiting_to_be_cleared() > 0 && core.may_act() && !core.is_leaving() {
            // What is not cleared now waits on.
            let _ = here.source.free(Vec::new()).await;
        }
    }
}

/// The host leaves and holds nothing any more: bits that wait in groups of others are cleared, once those give them up. Half of the time
/// that is left is kept for what is to be done behind it.
pub(crate) async fn clear_before_the_end(here: &DisksHere, deadline: Instant) {
    let core = &here.core;
    let now = core.store.now();
    let patience = (core.store.timing.beat * BEATS_TO_GIVE_UP).min(deadline.since(now) / 2);
    here.source.free_before_the_end(now.plus(patience)).await;
    core.changed.announce();
}

/// Gives up groups that other hosts ring for, and all of them when the host leaves; until it has ended.
pub(crate) async fn attend(here: Rc<DisksHere>) {
    let core = &here.core;
    loop {
        let seen = core.changed.seen();
        if core.ended().is_some() {
            return;
        }
        for attached in here.rung_for() {
            // Whoever deletes a layer below a disk of this host's rings for the disk.
            tend_parent_soon(&here, &attached.opened);
        }
        let wanted = here.groups.wanted();
        if wanted.is_empty() {
            core.changed.beyond(seen).await;
            continue;
        }
        for group in wanted {
            // Where a disk is about to use a cluster of it, or the bitmap is not home, it is tried again after a while.
            let _ = here.source.give_up(group).await;
        }
        if !here.groups.wanted().is_empty() {
            core.store.world.pause(core.store.timing.beat / 4).await;
        }
    }
}
