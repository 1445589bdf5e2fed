//! Whereabouts: what can be locked, how it is called, and how its record is found.
//!
//! Taking, waiting for, keeping, giving up and releasing a lock is one piece of code, whatever the lock guards. What
//! differs is here: a named lock is looked for in the table, and its place there may hold another name by now; a descriptor
//! or a group stands where its number says, and what it guards is journaled.

use oarlock_block::Lba;
use oarlock_format::{
    DecodeError, DescriptorNumber, DescriptorRecord, GroupNumber, GroupRecord, JournalObject, Kind, Layer,
    LayerKind, LayerState, LockName, LockRecord, Locked,
};

use crate::cell::Cell;
use crate::core::Core;
use crate::lock::LockError;
use crate::places::PlacesOf;
use crate::store::{Lane, ReadFault, Seen};
use crate::table;

/// What a look for a lock's record came to.
pub(crate) enum Located<R> {
    /// It stands here.
    Found(Cell<R>),
    /// It stands nowhere, and the next swap of this cell may put it there: as `vacant`, taken.
    Vacant { cell: Cell<R>, vacant: R },
    /// It may stand here: a repair could not tell this lock's name, and its possible holders have not all answered.
    Unnamed(Cell<R>),
    /// Another was faster, or an answer is not known: look again after a pause.
    Again,
}

/// A name or number under which something can be locked.
pub(crate) trait Whereabouts: Clone + Ord + 'static {
    /// The record that carries the lock.
    type Record: Locked + Clone + PartialEq + 'static;

    /// What people call it.
    fn words(&self) -> String;

    /// The places of this kind that the host remembers.
    fn places(core: &Core) -> &PlacesOf<Self>;

    /// Whether the record is this lock's: a position of the table may hold another name by now.
    fn is_in(&self, record: &Self::Record) -> bool;

    /// What the record says by itself that it is the lock of; `None` where a repair lost that, and of those that are called
    /// by where they stand.
    fn named_in(record: &Self::Record) -> Option<Self>;

    /// Whether a repair left the record's lock so that nobody can tell whose it is (R39).
    fn is_lost_in(record: &Self::Record) -> bool;

    /// Whether several hosts may write what the record guards (R34).
    fn may_be_written_by_many(_record: &Self::Record) -> bool {
        false
    }

    /// The record as its holder knows it, where a repair lost what it is called (R39).
    fn restore(&self, record: &Self::Record) -> Self::Record;

    /// What the journal may owe the disk for this lock: it is brought home before the lock is given up (R12).
    fn journaled(&self) -> Option<JournalObject>;

    /// Finds the record, or a place for it.
    async fn locate(&self, core: &Core) -> Result<Located<Self::Record>, LockError>;
}

impl Whereabouts for LockName {
    type Record = LockRecord;

    fn words(&self) -> String {
        self.as_str().to_owned()
    }

    fn places(core: &Core) -> &PlacesOf<LockName> {
        &core.places.names
    }

    fn is_in(&self, record: &LockRecord) -> bool {
        record.name.as_ref() == Some(self)
    }

    fn named_in(record: &LockRecord) -> Option<LockName> {
        record.name.clone()
    }

    fn is_lost_in(record: &LockRecord) -> bool {
        table::is_unnamed(record)
    }

    fn restore(&self, record: &LockRecord) -> LockRecord {
        LockRecord { name: Some(self.clone()), ..record.clone() }
    }

    fn journaled(&self) -> Option<JournalObject> {
        None
    }

    async fn locate(&self, core: &Core) -> Result<Located<LockRecord>, LockError> {
        table::locate(core, self).await
    }
}

impl Whereabouts for DescriptorNumber {
    type Record = DescriptorRecord;

    fn words(&self) -> String {
        format!("of descriptor {self}")
    }

    fn places(core: &Core) -> &PlacesOf<DescriptorNumber> {
        &core.places.descriptors
    }

    fn is_in(&self, _record: &DescriptorRecord) -> bool {
        true
    }

    fn named_in(_record: &DescriptorRecord) -> Option<DescriptorNumber> {
        None
    }

    fn is_lost_in(_record: &DescriptorRecord) -> bool {
        false
    }

    fn may_be_written_by_many(record: &DescriptorRecord) -> bool {
        let is_full = |layer: &Layer| {
            layer.kind == LayerKind::Disk && layer.flags.full && layer.state == LayerState::Ready
        };
        record.layer.as_ref().is_some_and(is_full)
    }

    fn restore(&self, record: &DescriptorRecord) -> DescriptorRecord {
        record.clone()
    }

    fn journaled(&self) -> Option<JournalObject> {
        Some(JournalObject::Descriptor(*self))
    }

    async fn locate(&self, core: &Core) -> Result<Located<DescriptorRecord>, LockError> {
        at(core, core.store.layout.descriptor(*self)).await
    }
}

impl Whereabouts for GroupNumber {
    type Record = GroupRecord;

    fn words(&self) -> String {
        format!("of group {self}")
    }

    fn places(core: &Core) -> &PlacesOf<GroupNumber> {
        &core.places.groups
    }

    fn is_in(&self, _record: &GroupRecord) -> bool {
        true
    }

    fn named_in(_record: &GroupRecord) -> Option<GroupNumber> {
        None
    }

    fn is_lost_in(_record: &GroupRecord) -> bool {
        false
    }

    fn restore(&self, record: &GroupRecord) -> GroupRecord {
        record.clone()
    }

    fn journaled(&self) -> Option<JournalObject> {
        Some(JournalObject::Group(*self))
    }

    async fn locate(&self, core: &Core) -> Result<Located<GroupRecord>, LockError> {
        let seen =
            read_group(core, *self).await?.ok_or_else(|| LockError::Unopened { name: self.words() })?;
        Ok(Located::Found(Cell::new(seen.stamped.stamp.lba, seen)))
    }
}

/// The record of a group; `None` of one that a growth has not opened yet: it has no cluster to give out and no bitmap, or the
/// old shadow stands in its place. Once it is open it stays so.
pub(crate) async fn read_group(
    core: &Core,
    group: GroupNumber,
) -> Result<Option<Seen<GroupRecord>>, ReadFault> {
    let space = core.superblock().record.space();
    match core.store.read::<GroupRecord>(Lane::Work, space.record(group)).await {
        Ok(seen) => Ok((seen.stamped.record.clusters > space.head()).then_some(seen)),
        Err(ReadFault::Unsound { error: DecodeError::WrongKind { found: Kind::Superblock }, .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The record that stands at an address.
async fn at<R: Locked + Clone>(core: &Core, lba: Lba) -> Result<Located<R>, LockError> {
    Ok(Located::Found(Cell::new(lba, core.store.read(Lane::Work, lba).await?)))
}
