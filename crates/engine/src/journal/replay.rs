//! Replay: what a dead host's journal holds goes home, by whoever has put its slot into Replaying (R11, R12, R31).
//!
//! ```text
//!   header --> blocks that follow --> is it damaged? --> locks of the objects --> pages home --> flush
//! ```
//! Only images and changes of the journal make a page, never what stands at home, where a write may have been torn. A
//! replay may stop anywhere and be done again by another: until the slot says Replayed nobody else changes what it writes,
//! and each time the same comes out. Where the journal contradicts itself the takeover is refused: nothing is guessed.

mod gather;
mod read;

use std::collections::BTreeMap;

use oarlock_block::{IoError, Lba, UnknownCause};
use oarlock_format::{
    Commit, CommitWriter, DecodeError, DescriptorRecord, Epoch, GroupRecord, HostId, Incarnation, JournalEnd,
    JournalHeader, JournalObject, JournalPosition, JournalRing, LockMode, LockState, Locked, Owner,
    PageBytes, Record, SlotIndex, SlotRecord, Superblock,
};

use crate::core::{Core, StopReason};
use crate::planted::{PlantedBug, note_replayed, planted};
use crate::store::{Lane, ReadFault, Store};

use super::home::runs;
use gather::Gathered;

/// Why a journal was not replayed. Nothing of the dead host may be broken then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The journal's header could not be read or trusted.
    #[error("the header of the journal of slot {slot}: {fault}")]
    Header {
        /// The slot.
        slot: SlotIndex,
        /// What is wrong with it.
        fault: ReadFault,
    },
    /// The header is about another ring than the layout's.
    #[error(
        "the header of the journal of slot {slot} is about a ring of {found} blocks, and there are {blocks}"
    )]
    OtherRing {
        /// The slot.
        slot: SlotIndex,
        /// How many the layout has.
        blocks: u32,
        /// How many the header says.
        found: u32,
    },
    /// The journal belongs to a later life than the one that died: the slot, or the journal, went back in time.
    #[error(
        "the journal of slot {slot} belongs to incarnation {found}, and incarnation {dead} is to be replayed"
    )]
    LaterLife {
        /// The slot.
        slot: SlotIndex,
        /// The life that died.
        dead: u64,
        /// The header's.
        found: u64,
    },
    /// A block of the journal could not be read.
    #[error("block {lba} of the journal of slot {slot} could not be read: {error}")]
    Unreadable {
        /// The slot.
        slot: SlotIndex,
        /// The first block of the read.
        lba: Lba,
        /// The device's words.
        error: IoError,
    },
    /// The journal goes on behind a commit that does not check out: it was whole once.
    #[error(
        "the journal of slot {slot} is damaged: a commit at block {lba} does not check out ({end}), and later ones stand \
         behind it"
    )]
    Damaged {
        /// The slot.
        slot: SlotIndex,
        /// Where the commit begins.
        lba: Lba,
        /// What is wrong there.
        end: JournalEnd,
    },
    /// A later version of this program wrote it.
    #[error("block {lba} of the journal of slot {slot} needs a newer program: {error}")]
    Newer {
        /// The slot.
        slot: SlotIndex,
        /// The block.
        lba: Lba,
        /// What is newer.
        error: DecodeError,
    },
    /// A commit is whole, and says what no writer says.
    #[error("commit {sequence} of the journal of slot {slot} says what no host writes: {what}")]
    Nonsense {
        /// The slot.
        slot: SlotIndex,
        /// The commit's first block.
        sequence: u64,
        /// What.
        what: String,
    },
    /// The lock of an object could not be read or trusted.
    #[error("the lock of {object:?}, which the journal of slot {slot} changes: {fault}")]
    Lock {
        /// The slot.
        slot: SlotIndex,
        /// The object.
        object: JournalObject,
        /// What is wrong with it.
        fault: ReadFault,
    },
    /// A repair left the lock of an object without an owner: whether the dead host held it nobody can say.
    #[error("after a repair nobody knows who held {object:?}, which the journal of slot {slot} changes")]
    OwnerUnknown {
        /// The slot.
        slot: SlotIndex,
        /// The object.
        object: JournalObject,
    },
    /// A page was not written, or what was written not flushed; the replay can be done again.
    #[error("pages of the journal of slot {slot} could not be brought home: {error}")]
    Device {
        /// The slot.
        slot: SlotIndex,
        /// The device's words.
        error: IoError,
    },
    /// A write has no answer, and may land after the next owner's. This host must never say Replayed.
    #[error("a write of the replay of slot {slot}, at block {lba}, has no answer, and may still land")]
    StillOut {
        /// The slot.
        slot: SlotIndex,
        /// Where.
        lba: Lba,
    },
    /// The lease ran out meanwhile: it is done again once the host may act.
    #[error("the lease ran out during the replay of slot {slot}")]
    Lapsed {
        /// The slot.
        slot: SlotIndex,
    },
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// Whole commits in the journal.
    pub(crate) commits: u64,
    /// Pages that were written home.
    pub(crate) pages: usize,
}

/// A journal that is replayed, or looked at.
pub(super) struct Dead<'a> {
    pub(super) store: &'a Store,
    pub(super) superblock: &'a Superblock,
    pub(super) owner: Owner,
    pub(super) ring: JournalRing,
    /// Nobody knows what the host was called: the slot and the life are enough to tell what is its.
    is_nameless: bool,
}

/// Brings home what the journal of `owner`, who is dead and cut off, holds under the locks that are still his. The slot is
/// Replaying, by this host, and that was flushed: so nothing that is read here can be lost to a power cut after half of it
/// went home.
pub(crate) async fn replay(
    store: &Store,
    superblock: &Superblock,
    owner: Owner,
) -> Result<Replayed, ReplayError> {
    let Some(dead) = Dead::new(store, superblock, owner) else { return Ok(Replayed::default()) };
    let Some(header) = dead.header().await? else { return Ok(Replayed::default()) };
    let gathered = dead.examine(&header).await?;
    dead.bring_home(gathered).await
}

/// Replays the journal of the life that a slot's record names.
pub(crate) async fn of_life(
    store: &Store,
    superblock: &Superblock,
    slot: SlotIndex,
    record: &SlotRecord,
) -> Result<(), ReplayError> {
    // A slot in which nobody ever lived has no journal.
    let Some(name) = &record.name else { return Ok(()) };
    let host = HostId::of(&store.format_id, name);
    let owner = Owner { slot, host, incarnation: record.incarnation };
    replay(store, superblock, owner).await.map(|_| ())
}

/// As [`of_life`], for a takeover by a living host. One whose replay sent a write that has no answer must never say Replayed, and
/// while it beats nobody else may: it stops, so that whoever buries it waits for that write, and replays both.
pub(crate) async fn for_takeover(
    core: &Core,
    slot: SlotIndex,
    record: &SlotRecord,
) -> Result<(), ReplayError> {
    let replayed = of_life(&core.store, &core.superblock().record, slot, record).await;
    if let Err(error @ ReplayError::StillOut { .. }) = &replayed {
        core.stop(StopReason::JournalFailed { detail: error.to_string() });
    }
    replayed
}

/// Replays whatever a slot's journal holds, though the slot's own record does not say whose it is: the journal's header and
/// its blocks name the life, and a slot has each life once. Nothing of a former host of the slot can land any more, and none
/// can come.
pub(crate) async fn of_slot(
    store: &Store,
    superblock: &Superblock,
    slot: SlotIndex,
) -> Result<Replayed, ReplayError> {
    let nobody = Owner { slot, host: HostId(0), incarnation: Incarnation(0) };
    let Some(mut dead) = Dead::new(store, superblock, nobody) else { return Ok(Replayed::default()) };
    dead.is_nameless = true;
    let header = dead.sound_header().await?;
    dead.owner.incarnation = header.incarnation;
    // In a journal that nobody ever wrote to there is nothing that follows.
    let gathered = dead.examine(&header).await?;
    dead.bring_home(gathered).await
}

/// Looks at the journal of a life as a replay would, and writes nothing: what a replay would say of it.
pub(crate) async fn examine(store: &Store, superblock: &Superblock, owner: Owner) -> Result<(), ReplayError> {
    let Some(dead) = Dead::new(store, superblock, owner) else { return Ok(()) };
    match dead.header().await? {
        Some(header) => dead.examine(&header).await.map(|_| ()),
        None => Ok(()),
    }
}

/// The pages that a replay of the journal of a life would write home, as things stand; nothing is written.
pub(crate) async fn pages_of(
    store: &Store,
    superblock: &Superblock,
    owner: Owner,
) -> Result<Vec<(Lba, Box<PageBytes>)>, ReplayError> {
    let Some(dead) = Dead::new(store, superblock, owner) else { return Ok(Vec::new()) };
    match dead.header().await? {
        Some(header) => Ok(dead.examine(&header).await?.sealed()),
        None => Ok(Vec::new()),
    }
}

impl<'a> Dead<'a> {
    fn new(store: &'a Store, superblock: &'a Superblock, owner: Owner) -> Option<Dead<'a>> {
        let ring = superblock.has_disks().then(|| superblock.layout.journal(owner.slot, store.block_size))?;
        Some(Dead { store, superblock, owner, ring, is_nameless: false })
    }

    /// The journal's header; nothing where that life never wrote a block.
    async fn header(&self) -> Result<Option<JournalHeader>, ReplayError> {
        let header = self.sound_header().await?;
        let (slot, dead, found) = (self.owner.slot, self.owner.incarnation, header.incarnation);
        if found > dead {
            return Err(ReplayError::LaterLife { slot, dead: dead.0, found: found.0 });
        }
        Ok((found == dead).then_some(header))
    }

    async fn sound_header(&self) -> Result<JournalHeader, ReplayError> {
        let slot = self.owner.slot;
        let seen = self.store.read::<JournalHeader>(Lane::Work, self.ring.header).await;
        let header = seen.map_err(|fault| ReplayError::Header { slot, fault })?.stamped.record;
        if header.blocks != self.ring.blocks {
            return Err(ReplayError::OtherRing { slot, blocks: self.ring.blocks, found: header.blocks });
        }
        Ok(header)
    }

    /// Reads the whole journal; what it comes to.
    async fn examine(&self, header: &JournalHeader) -> Result<Gathered, ReplayError> {
        let counted = self.read(header).await?;
        let mut gathered = Gathered::default();
        gathered.behind_notes = counted.behind_notes;
        let mut held = BTreeMap::new();
        for commit in &counted.commits {
            let changes = commit.changes().map_err(|error| self.nonsense(commit, error.to_string()))?;
            for change in &changes {
                let epoch = match held.get(&change.object) {
                    Some(epoch) => *epoch,
                    None => {
                        let epoch = self.held_in(change.object, commit).await?;
                        held.insert(change.object, epoch);
                        epoch
                    }
                };
                // Under another epoch it came home before the lock was given up, and another has written there since.
                if epoch == Some(change.epoch) || planted(PlantedBug::ReplayOtherEpoch) {
                    gathered
                        .apply(self, commit.sequence, change)
                        .map_err(|what| self.nonsense(commit, what))?;
                }
            }
            gathered.commits += 1;
        }
        Ok(gathered)
    }

    /// In which epoch the dead host holds the object's lock, if it does.
    async fn held_in(&self, object: JournalObject, commit: &Commit) -> Result<Option<Epoch>, ReplayError> {
        let superblock = self.superblock;
        let lock = match object {
            JournalObject::Descriptor(number) if number.0 < superblock.layout.descriptor_count() => {
                self.lock::<DescriptorRecord>(object, superblock.layout.descriptor(number)).await?
            }
            JournalObject::Group(group) if group.0 < superblock.space().groups() => {
                self.lock::<GroupRecord>(object, superblock.space().record(group)).await?
            }
            object => {
                return Err(self.nonsense(commit, format!("{object:?}, which the datastore does not have")));
            }
        };
        if lock.mode == LockMode::Unknown {
            return Err(ReplayError::OwnerUnknown { slot: self.owner.slot, object });
        }
        Ok(lock.owner.is_some_and(|owner| self.is_dead(&owner)).then_some(lock.epoch))
    }

    /// Whether that is the dead host.
    fn is_dead(&self, owner: &Owner) -> bool {
        let same_life = owner.slot == self.owner.slot && owner.incarnation == self.owner.incarnation;
        same_life && (self.is_nameless || owner.host == self.owner.host)
    }

    async fn lock<R: Record + Locked>(
        &self,
        object: JournalObject,
        lba: Lba,
    ) -> Result<LockState, ReplayError> {
        let seen = self.store.read::<R>(Lane::Work, lba).await;
        let slot = self.owner.slot;
        let seen = seen.map_err(|fault| ReplayError::Lock { slot, object, fault })?;
        Ok(*seen.stamped.record.lock())
    }

    async fn bring_home(&self, gathered: Gathered) -> Result<Replayed, ReplayError> {
        let pages = gathered.sealed();
        let replayed = Replayed { commits: gathered.commits, pages: pages.len() };
        if pages.is_empty() {
            return Ok(replayed);
        }
        if let Some(end) = gathered.behind_notes
            && !planted(PlantedBug::ReplayBareNotes)
        {
            self.commit_notes(end).await?;
        }
        for (lba, bytes) in runs(pages, self.ring.step) {
            self.write(lba, &bytes).await?;
            note_replayed(lba, &bytes);
        }
        self.flush().await?;
        Ok(replayed)
    }

    /// Makes the notes before `end` count in every boot, and what they expose durable: else a loss of power while they go home would
    /// leave some of them there, and the replay after it would not know of them. There is room behind every note.
    async fn commit_notes(&self, end: JournalPosition) -> Result<(), ReplayError> {
        self.flush().await?;
        for (lba, bytes) in CommitWriter::default().seal(end, None).writes {
            self.write(lba, &bytes).await?;
        }
        self.flush().await
    }

    async fn flush(&self) -> Result<(), ReplayError> {
        self.may_send()?;
        self.store.flush().await.map_err(|error| self.device(error))
    }

    async fn write(&self, lba: Lba, bytes: &[u8]) -> Result<(), ReplayError> {
        self.may_send()?;
        let limit = self.store.timing.hold;
        let write = self.store.device(Lane::Work).write(lba, bytes);
        match self.store.world.within(limit, write).await {
            Some(Ok(())) => Ok(()),
            None | Some(Err(IoError::Unknown(UnknownCause::TimedOut | UnknownCause::PathLost))) => {
                Err(ReplayError::StillOut { slot: self.owner.slot, lba })
            }
            Some(Err(error)) => Err(self.device(error)),
        }
    }

    /// A host that lapsed may have been fenced, and its replay be another's by now.
    fn may_send(&self) -> Result<(), ReplayError> {
        let lapsed = ReplayError::Lapsed { slot: self.owner.slot };
        self.store.may_send(Lane::Work).then_some(()).ok_or(lapsed)
    }

    fn device(&self, error: IoError) -> ReplayError {
        ReplayError::Device { slot: self.owner.slot, error }
    }

    fn nonsense(&self, commit: &Commit, what: String) -> ReplayError {
        ReplayError::Nonsense { slot: self.owner.slot, sequence: commit.sequence.0, what }
    }
}
