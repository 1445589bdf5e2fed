//! Who holds what, and what is still to come of it: a lock of a host that is gone holds nothing, what a dead host's journal owes is
//! read from the journal, and what a living host holds nobody else can judge.

use std::collections::BTreeMap;

use oarlock_block::{Lba, SlotIndex};
use oarlock_format::{
    HostId, HostName, Incarnation, LockMode, LockState, Owner, PageBytes, SlotRecord, SlotState, Superblock,
};

use crate::decide::{Blocker, Life, life};
use crate::journal::replay::pages_of;
use crate::slots::{Slots, read_slots};
use crate::step::victim;
use crate::store::{ReadFault, Store};
use crate::verdict::Version;

/// Journals of dead hosts that are read into memory at most, of 16 MiB each; what others died over is not judged.
const JOURNALS_MAX: usize = 8;

/// What a lock says of the pages under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody changes them: they stand at home, or in the journal of a dead host, which was read.
    Quiet,
    /// Somebody may change them, or their changes are not known: who, or why.
    Used(String),
}

/// All slots as they were seen, and what the journals of dead hosts hold.
pub(crate) struct Holders {
    slots: BTreeMap<SlotIndex, SlotRecord>,
    versions: BTreeMap<SlotIndex, Version>,
    /// Slots that could not be read or trusted.
    unknown: Vec<SlotIndex>,
    /// Dead hosts whose journals were read.
    read: Vec<SlotIndex>,
    /// Dead hosts whose journals could not be.
    unread: BTreeMap<SlotIndex, String>,
    /// Pages as the journals of dead hosts make them.
    pages: BTreeMap<Lba, Box<PageBytes>>,
    own: Option<Owner>,
}

impl Holders {
    /// Looks at all slots, and reads the journals of those whose hosts are dead. `own` is the host that looks, if it is one.
    pub(crate) async fn read(
        store: &Store,
        superblock: &Superblock,
        own: Option<Owner>,
    ) -> Result<Holders, ReadFault> {
        let Slots { sound, damaged } = read_slots(store).await?;
        let mut holders = Holders {
            versions: sound.iter().map(|(slot, seen)| (*slot, seen.version())).collect(),
            slots: sound.into_iter().map(|(slot, seen)| (slot, seen.stamped.record)).collect(),
            unknown: damaged.into_iter().map(|(slot, _)| slot).collect(),
            read: Vec::new(),
            unread: BTreeMap::new(),
            pages: BTreeMap::new(),
            own,
        };
        for (slot, record) in holders.slots.clone() {
            if holders.own.is_some_and(|own| own.slot == slot) || !is_dead(store, slot, &record).await {
                continue;
            }
            holders.read_journal(store, superblock, slot, &record).await;
        }
        Ok(holders)
    }

    async fn read_journal(
        &mut self,
        store: &Store,
        superblock: &Superblock,
        slot: SlotIndex,
        record: &SlotRecord,
    ) {
        let Some(name) = &record.name else { return };
        if self.read.len() >= JOURNALS_MAX {
            self.unread.insert(
                slot,
                format!("{name} is dead, with too many others: they are to be taken over first"),
            );
            return;
        }
        let host = HostId::of(&store.format_id, name);
        let owner = Owner { slot, host, incarnation: record.incarnation };
        match pages_of(store, superblock, owner).await {
            Ok(pages) => {
                self.pages.extend(pages);
                self.read.push(slot);
            }
            Err(error) => {
                self.unread
                    .insert(slot, format!("{name} is dead, and its journal cannot be replayed: {error}"));
            }
        }
    }

    /// A page that a dead host's journal makes.
    pub(crate) fn page(&self, lba: Lba) -> Option<&PageBytes> {
        self.pages.get(&lba).map(AsRef::as_ref)
    }

    /// What the lock of a descriptor or a group says of the pages under it.
    pub(crate) fn standing(&self, lock: &LockState) -> Standing {
        match lock.mode {
            // Who shares a layer reads it.
            LockMode::Free | LockMode::Shared => Standing::Quiet,
            LockMode::MultiWriter => Standing::Used("several hosts".to_owned()),
            LockMode::Unknown => Standing::Used("nobody knows whom, after a repair".to_owned()),
            LockMode::Exclusive => lock.owner.map_or(Standing::Quiet, |owner| self.standing_of(owner)),
        }
    }

    /// Whether the pages under a lock may stand in the journal of its dead owner. Of one who lost the lock since, what the journal
    /// says is over.
    pub(crate) fn owes(&self, lock: &LockState) -> bool {
        let owes = |owner: Owner| {
            let record = self.slots.get(&owner.slot);
            record.is_some_and(|record| record.incarnation == owner.incarnation)
                && self.read.contains(&owner.slot)
        };
        lock.mode == LockMode::Exclusive && lock.owner.is_some_and(owes)
    }

    fn standing_of(&self, owner: Owner) -> Standing {
        let Some(record) = self.slots.get(&owner.slot) else {
            return Standing::Used(format!("slot {}, which does not read", owner.slot));
        };
        if life(&Blocker::Owner(owner), record) == Life::Gone {
            return Standing::Quiet;
        }
        let same = record.incarnation == owner.incarnation;
        if same && let Some(why) = self.unread.get(&owner.slot) {
            return Standing::Used(why.clone());
        }
        if same && self.read.contains(&owner.slot) {
            return Standing::Quiet;
        }
        Standing::Used(name_of(record, owner.incarnation))
    }

    /// Hosts that may have clusters in hand of which no record tells, by name: nobody else knows whose a cluster is that no layer
    /// names.
    pub(crate) fn living(&self) -> Vec<String> {
        let own = self.own.map(|own| own.slot);
        let lives = |slot: &SlotIndex, record: &SlotRecord| {
            let over = matches!(record.state, SlotState::Free | SlotState::Replayed { .. });
            !over && !self.read.contains(slot) && Some(*slot) != own
        };
        let named = self.slots.iter().filter(|(slot, record)| lives(slot, record));
        let named = named.map(|(slot, record)| {
            self.unread.get(slot).cloned().unwrap_or_else(|| name_of(record, record.incarnation))
        });
        named.chain(self.unknown.iter().map(|slot| format!("slot {slot}, which does not read"))).collect()
    }

    /// Whether nothing happened in any other slot since they were read.
    pub(crate) async fn are_as_before(&self, store: &Store) -> Result<bool, ReadFault> {
        let own = self.own.map(|own| own.slot);
        let now = read_slots(store).await?.sound;
        let now: BTreeMap<SlotIndex, Version> = now
            .iter()
            .map(|(slot, seen)| (*slot, seen.version()))
            .filter(|(slot, _)| Some(*slot) != own)
            .collect();
        let before = self.versions.iter().filter(|(slot, _)| Some(**slot) != own);
        Ok(before.map(|(slot, version)| (*slot, *version)).eq(now))
    }
}

/// Whether nothing more of the slot's host can land, while its journal is not replayed.
async fn is_dead(store: &Store, slot: SlotIndex, record: &SlotRecord) -> bool {
    match record.state {
        SlotState::Free | SlotState::Replayed { .. } => false,
        SlotState::CutOff { .. } | SlotState::Replaying { .. } => true,
        SlotState::Live | SlotState::Fenced { .. } => {
            store.world.cut_off.death_proved(victim(slot, record)).await.is_some()
        }
    }
}

fn name_of(record: &SlotRecord, incarnation: Incarnation) -> String {
    let name = record.name.as_ref().map_or("a host without a name", HostName::as_str);
    if incarnation == record.incarnation {
        format!("host {name}")
    } else {
        format!("a later life of host {name}")
    }
}
