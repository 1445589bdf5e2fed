//! Pages that a host changes under its own locks, and a ledger of what must be on them after every end of that host.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use oarlock_block::{BlockCount, Clock, Lba, SlotIndex};
use oarlock_engine::pages::{Look, Page, PageContent, PageKey, Pages};
use oarlock_engine::{Host, HostJournal};
use oarlock_format::{
    BitmapPage, ClusterIndex, ClusterNumber, ClusterRun, DescriptorNumber, DescriptorRecord, Epoch,
    GroupNumber, GroupRecord, HostName, JournalObject, JournalSequence, LeafEntry, LockMode, LockState,
    MapPage, Mapped, Owner, PAGE_LENGTH, PageHeader, PieceMask, Place, Superblock, decode_superblock,
};

use oarlock_sim::disks::{Medium, Survey};

use crate::company::{format_id, put_by, read};
use crate::machine::Machine;

pub const DISK: JournalObject = JournalObject::Descriptor(DescriptorNumber(0));
pub const GROUP: JournalObject = JournalObject::Group(GroupNumber(0));

/// The first cluster of the node whose pages the tests change.
const NODE: ClusterNumber = ClusterNumber(8);

/// Entries and bits, by page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub entries: BTreeMap<(u16, u16), u64>,
    pub bits: BTreeMap<u16, bool>,
}

/// The datastore's facts that a test needs.
pub fn superblock(machine: &Machine) -> Superblock {
    decode_superblock(&machine.disk.block(Lba(0)), Lba(0)).unwrap().record
}

/// What stands on a datastore that nobody works on: every layer, and whose each cluster is; what is wrong with it, if anything.
pub fn survey(machine: &Machine) -> Result<Survey, String> {
    let (superblock, format_id) = (superblock(machine), format_id(machine));
    let block = |lba| machine.disk.block(lba);
    Survey::of(&Medium { superblock: &superblock, format_id, block: &block })
}

/// The address of a page of the node.
pub fn map_page(machine: &Machine, page: u16) -> Lba {
    superblock(machine).space().cluster(NODE).plus(BlockCount(u64::from(page) * 8))
}

pub fn bitmap_page(machine: &Machine) -> Lba {
    superblock(machine).space().bitmap(GroupNumber(0))
}

/// Puts the lock of an object into the hands of `owner`, in that epoch, as the image that many generations later.
pub fn give(machine: &Machine, object: JournalObject, owner: Option<Owner>, epoch: u64) {
    let mode = if owner.is_some() { LockMode::Exclusive } else { LockMode::Free };
    let lock = LockState { mode, owner, epoch: Epoch(epoch), ..LockState::NEVER_HELD };
    let by = oarlock_format::Writer::Tool;
    let later = epoch * 2 + u64::from(owner.is_none());
    match object {
        JournalObject::Descriptor(number) => {
            let record = DescriptorRecord { lock, ..DescriptorRecord::never_used() };
            put_by(machine, machine.layout().descriptor(number), &record, by, later);
        }
        JournalObject::Group(number) => {
            let lba = superblock(machine).space().record(number);
            let record = GroupRecord { lock, ..read::<GroupRecord>(machine, lba) };
            put_by(machine, lba, &record, by, later);
        }
    }
}

/// Where an object's lock stands.
pub fn lock_of(machine: &Machine, object: JournalObject) -> Lba {
    match object {
        JournalObject::Descriptor(number) => machine.layout().descriptor(number),
        JournalObject::Group(number) => superblock(machine).space().record(number),
    }
}

/// Writes empty pages of a leaf to the node: what a layer does before it links one.
pub fn make_node(machine: &Machine, pages: u16) {
    for page in 0..pages {
        let lba = map_page(machine, page);
        let header = PageHeader {
            format_id: format_id(machine),
            lba,
            object: 0,
            level: 0,
            epoch: Epoch(1),
            sequence: JournalSequence(0),
        };
        let bytes = *MapPage::empty(header).seal(Epoch(1), JournalSequence(0));
        for (sector, block) in bytes.chunks(512).enumerate() {
            machine.disk.put(Lba(lba.0 + sector as u64), block);
        }
    }
}

/// Both locks in this host's hands, in epoch 1, and open.
pub fn take_both(machine: &Machine, host: &Host) -> HostJournal {
    let journal = host.journal().unwrap();
    for object in [DISK, GROUP] {
        give(machine, object, Some(host.status().owner), 1);
        journal.pages().open(object, Epoch(1));
    }
    journal
}

/// The page, read from the disk where it is not cached.
pub fn page(machine: &Machine, pages: &Arc<Pages>, object: JournalObject, lba: Lba) -> Arc<Page> {
    match pages.look(PageKey { object, lba }) {
        Look::Cached(page) => page,
        Look::Missing(reading) => reading.fill(&page_bytes(machine, lba)).unwrap(),
    }
}

pub fn page_bytes(machine: &Machine, lba: Lba) -> Vec<u8> {
    (0..PAGE_LENGTH as u64 / 512).flat_map(|sector| machine.disk.block(Lba(lba.0 + sector))).collect()
}

pub fn entry(cluster: u64) -> LeafEntry {
    let mapped = Mapped { cluster: ClusterNumber(cluster), mask: PieceMask::first(16) };
    LeafEntry { own: Some(mapped), owned: true, ..LeafEntry::default() }
}

impl Ledger {
    /// Maps a cluster and takes its bit, in one transaction.
    pub fn map(&mut self, machine: &Machine, pages: &Arc<Pages>, at: (u16, u16), cluster: u16) {
        let map = page(machine, pages, DISK, map_page(machine, at.0));
        let bitmap = page(machine, pages, GROUP, bitmap_page(machine));
        let mut transaction = pages.begin(2).unwrap();
        transaction.set(&map, at.1, entry(u64::from(cluster)));
        transaction.mark(&bitmap, ClusterRun { first: ClusterIndex(cluster), count: 1 }, true);
        self.entries.insert(at, u64::from(cluster));
        self.bits.insert(cluster, true);
    }

    /// What stands on the disk, at the places that this ledger knows; the first page that does not check out.
    pub fn found(&self, machine: &Machine) -> Result<Ledger, String> {
        let mut found = Ledger::default();
        let shape = superblock(machine).map_shape();
        for at in self.entries.keys() {
            let lba = map_page(machine, at.0);
            let place = Place { format_id: format_id(machine), lba };
            let content = PageContent::decode(DISK, &page_bytes(machine, lba), &place, &shape);
            let content = content.map_err(|error| format!("map page {}: {error}", at.0))?;
            if let Some(own) = content.map().leaf(at.1).own {
                found.entries.insert(*at, own.cluster.0);
            }
        }
        let lba = bitmap_page(machine);
        let bitmap =
            BitmapPage::decode(&page_bytes(machine, lba), &Place { format_id: format_id(machine), lba })
                .map_err(|error| format!("bitmap: {error}"))?;
        let taken = self.bits.keys().filter(|bit| bitmap.is_taken(ClusterIndex(**bit)));
        found.bits = taken.map(|bit| (*bit, true)).collect();
        Ok(found)
    }
}

/// Another host comes up on the disk, all processes that there were being dead, and takes over whoever is called `name`.
pub fn taken_over_by(machine: &Machine, by: &str, name: &str) -> Result<(), String> {
    let (world, _) = machine.process();
    taken_over_in(machine, world, by, name)
}

pub fn taken_over_in(
    machine: &Machine,
    world: oarlock_engine::World,
    by: &str,
    name: &str,
) -> Result<(), String> {
    machine.time.run(async {
        let named = HostName::new(by).unwrap();
        let host = Host::join(world, &named, Rc::new(|_| {})).await.map_err(|error| error.to_string())?;
        let story = async {
            let deadline = machine.time.now().plus(Duration::from_secs(60));
            match host.evict(&HostName::new(name).unwrap(), false, deadline).await {
                // Its slot was given to the host that comes, and buried before.
                Ok(()) | Err(oarlock_engine::EvictError::Unknown { .. }) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        };
        let run = host.run();
        futures::pin_mut!(run, story);
        match futures::future::select(story, run).await {
            futures::future::Either::Left((taken, _)) => taken,
            futures::future::Either::Right((ended, _)) => Err(format!("the host ended: {ended}")),
        }
    })
}

/// The slot of the host that is called so.
pub fn slot_of(machine: &Machine, slot: SlotIndex) -> oarlock_format::SlotRecord {
    read(machine, machine.layout().slot(slot))
}
