//! R36: no name is two disks' at any moment, descriptors go from state to state as they must, what users were told has
//! happened, and once it is quiet every disk has its entry, every entry its disk, and nothing is half done.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oarlock_engine::DiskRow;
use oarlock_format::{
    BucketEntry, BucketNumber, BucketRecord, DescriptorName, DescriptorNumber, DescriptorRecord, Layer,
    LayerId, LayerKind, LayerName, LayerState, LockMode, NameHash, Place, Record, Standing, decode, stamp_of,
};

use super::{says_gone, slot_now};
use crate::datastore::Template;
use crate::member::Run;
use crate::scenario::Theme;
use crate::{Effect, Execution, FaultEvent, FaultKind, Image, Observer};

/// What happened to a name, as the disk shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Created(LayerName),
    Renamed(LayerName, LayerName),
    Deleted(LayerName),
}

/// The naive model: which disk has which name, and what happened so far. Kept by the checker, asked by the users.
#[derive(Default)]
pub struct Names {
    /// Who has a name now.
    disks: RefCell<BTreeMap<LayerName, LayerId>>,
    changes: Cell<u64>,
    /// The rename that happened last, its old name first.
    renamed: RefCell<Option<(LayerName, LayerName)>>,
    /// How often each happened, and how often users were told so.
    done: RefCell<BTreeMap<Deed, (u64, u64)>>,
}

impl Names {
    /// Whether some disk has the name now.
    pub fn has(&self, name: &LayerName) -> bool {
        self.disks.borrow().contains_key(name)
    }

    /// The rename that happened last, its old name first, while the new name is somebody's and the old one nobody's. Its
    /// last steps may be still to come.
    pub fn renamed(&self) -> Option<(LayerName, LayerName)> {
        let renamed = self.renamed.borrow().clone();
        renamed.filter(|(old, new)| self.has(new) && !self.has(old))
    }

    fn happened(&self, deed: Deed) {
        self.done.borrow_mut().entry(deed).or_default().0 += 1;
    }

    /// A user was told that something is done: it happened, and nobody else was told of that very time.
    fn told(&self, run: &Run, deed: Deed) {
        let mut done = self.done.borrow_mut();
        let (happened, told) = done.entry(deed.clone()).or_default();
        *told += 1;
        if told > happened {
            run.violation("R36", &format!("a user was told of {deed:?}, which did not happen"));
        }
    }

    /// A user was told that he created a disk.
    pub fn told_created(&self, run: &Run, name: &LayerName, id: LayerId) {
        let record: Option<DescriptorRecord> = now(run, run.layout.descriptor(id.descriptor));
        if record.is_some_and(|record| record.uid < id.uid) {
            run.violation("R36", &format!("a user was told that {name} is {id}, which never was"));
        }
        self.told(run, Deed::Created(name.clone()));
    }

    /// A user was told that he renamed one.
    pub fn told_renamed(&self, run: &Run, name: &LayerName, new: &LayerName) {
        self.told(run, Deed::Renamed(name.clone(), new.clone()));
    }

    /// A user was told that he deleted one.
    pub fn told_deleted(&self, run: &Run, name: &LayerName) {
        self.told(run, Deed::Deleted(name.clone()));
    }

    /// What there is at this moment: to be remembered until a list that begins now has come.
    pub fn look(&self) -> (u64, BTreeMap<LayerName, LayerId>) {
        (self.changes.get(), self.disks.borrow().clone())
    }

    /// A user was told of all disks: what there was from the beginning of his list to its end is in it; and nothing else, and
    /// nothing twice, where nothing changed meanwhile.
    pub fn told_list(
        &self,
        run: &Run,
        (changes, before): &(u64, BTreeMap<LayerName, LayerId>),
        rows: &[DiskRow],
    ) {
        let now = self.disks.borrow();
        let told: BTreeSet<LayerId> = rows.iter().map(|row| row.id).collect();
        let still: BTreeSet<&LayerId> = now.values().collect();
        if let Some((name, id)) = before.iter().find(|(_, id)| still.contains(id) && !told.contains(id)) {
            run.violation("R36", &format!("a list lacks {name}, which is {id}"));
        }
        let named: Vec<_> = rows.iter().map(|row| (&row.name, &row.id)).collect();
        if self.changes.get() == *changes && named != now.iter().collect::<Vec<_>>() {
            run.violation("R36", &format!("a list has {named:?}, and there is {now:?}"));
        }
    }

    /// The machine lost its power: what was swapped and not flushed may never have happened.
    fn look_anew(&self, run: &Run) {
        let named = |number| {
            let descriptor: DescriptorRecord = now(run, run.layout.descriptor(number))?;
            let name: Option<DescriptorName> = now(run, run.layout.descriptor_name(number));
            named_by(number, &descriptor, name.as_ref())
        };
        let all = (0..run.layout.descriptor_count()).map(DescriptorNumber);
        self.changes.set(self.changes.get() + 1);
        *self.disks.borrow_mut() = all.filter_map(named).collect();
    }

    /// What is wrong once it has long been quiet.
    pub fn at_rest(&self, run: &Run) -> Option<String> {
        let layout = &run.layout;
        let mut expected: BTreeMap<BucketEntry, LayerName> = BTreeMap::new();
        let mut disks = BTreeMap::new();
        for number in (0..layout.descriptor_count()).map(DescriptorNumber) {
            let Some(record) = now::<DescriptorRecord>(run, layout.descriptor(number)) else {
                return Some(format!("descriptor {number} is no record"));
            };
            let Some(layer) = &record.layer else { continue };
            if layer.state != LayerState::Ready || layer.other_hash.is_some() {
                return Some(format!("descriptor {number} is {} for ever", layer.state.name()));
            }
            let named = now::<DescriptorName>(run, layout.descriptor_name(number));
            let name = named.filter(|named| named.uid == record.uid).and_then(|named| named.name);
            let (Some(name), Some(id)) = (name, record.id(number)) else {
                return Some(format!("descriptor {number} has no name"));
            };
            let hash = NameHash::of_disk(&Template::FORMAT_ID, &name);
            if layer.hash != Some(hash) {
                return Some(format!("descriptor {number} has the hash of another name than {name}"));
            }
            expected.insert(BucketEntry { hash, layer: id }, name.clone());
            if let Some(other) = disks.insert(name.clone(), id) {
                return Some(format!("{name} is the name of {other} and of {id}"));
            }
        }
        if disks != *self.disks.borrow() {
            return Some(format!("the disks are {disks:?}, and should be {:?}", self.disks.borrow()));
        }
        for bucket in (0..layout.bucket_count()).map(BucketNumber) {
            let Some(record) = now::<BucketRecord>(run, layout.bucket(bucket)) else {
                return Some(format!("bucket {bucket} is no record"));
            };
            if let Some(entry) = record.entries.iter().find(|entry| expected.remove(entry).is_none()) {
                return Some(format!("bucket {bucket} has an entry of nobody, for {}", entry.layer));
            }
        }
        expected.into_values().next().map(|name| format!("no bucket has an entry for {name}"))
    }
}

/// The record that stands in a block.
fn now<R: Record>(run: &Run, lba: oarlock_block::Lba) -> Option<R> {
    record(lba, &run.world.content(lba))
}

fn record<R: Record>(lba: oarlock_block::Lba, image: &Image) -> Option<R> {
    let place = Place { format_id: Template::FORMAT_ID, lba };
    decode::<R>(image, &place).ok().map(|stamped| stamped.record)
}

pub struct Checker {
    run: Rc<Run>,
}

impl Checker {
    pub fn new(run: Rc<Run>) -> Checker {
        Checker { run }
    }

    fn wrong(&self, number: DescriptorNumber, message: &str) {
        self.run.violation("R36", &format!("descriptor {number}: {message}"));
    }

    fn swapped(&self, number: DescriptorNumber, execution: &Execution) {
        let (state, name) = (self.run.layout.descriptor(number), self.run.layout.descriptor_name(number));
        let (Some(before), Some(after)) = (&execution.before, &execution.after) else { return };
        if execution.lba == state {
            let (before, after) = (record(state, before), record(state, after));
            let (Some(before), Some(after)) = (before, after) else { return };
            self.owner_changed(number, &before, &after, execution);
            self.state_changed(number, &before, &after);
            let named = now::<DescriptorName>(&self.run, name);
            self.name_changed(
                number,
                named_by(number, &before, named.as_ref()),
                named_by(number, &after, named.as_ref()),
            );
        } else {
            let Some(descriptor) = now::<DescriptorRecord>(&self.run, state) else { return };
            let (before, after): (Option<DescriptorName>, _) = (record(name, before), record(name, after));
            self.name_changed(
                number,
                named_by(number, &descriptor, before.as_ref()),
                named_by(number, &descriptor, after.as_ref()),
            );
        }
    }

    /// A descriptor changes its owner as a lock does, and its layer only by the hand of its owner.
    fn owner_changed(
        &self,
        number: DescriptorNumber,
        before: &DescriptorRecord,
        after: &DescriptorRecord,
        execution: &Execution,
    ) {
        let stamp = execution.after.as_ref().and_then(|image| stamp_of(image));
        let Some(writer) = stamp.and_then(|stamp| stamp.writer.owner()) else { return };
        let taken_from =
            before.lock.owner.filter(|owner| *owner != writer && after.lock.owner != Some(*owner));
        if let Some(owner) = taken_from
            && slot_now(&self.run, owner.slot).is_none_or(|slot| !says_gone(&slot, owner))
        {
            self.wrong(number, &format!("slot {} took it from slot {}, not gone", writer.slot, owner.slot));
        }
        let entitled = before.lock.owner == Some(writer) || after.lock.owner == Some(writer);
        if before.layer != after.layer && !entitled {
            self.wrong(number, &format!("slot {} changed it, and does not own it", writer.slot));
        }
        if after.lock.mode == LockMode::Exclusive && after.lock.epoch < before.lock.epoch {
            self.wrong(number, "the epoch went back");
        }
    }

    fn state_changed(&self, number: DescriptorNumber, before: &DescriptorRecord, after: &DescriptorRecord) {
        use LayerState::{Creating, Doomed, Ready, Renaming};
        let state = |record: &DescriptorRecord| record.layer.as_ref().map(|layer| layer.state);
        let (from, to) = (state(before), state(after));
        let fits = match (from, to) {
            (None, Some(Creating)) => after.uid > before.uid,
            (from, to) if from == to => after.uid == before.uid,
            // A thick disk that is undone half way has clusters to give up.
            (Some(Creating), Some(Doomed)) => {
                let is_filled = |layer: &Layer| layer.flags.thick && layer.flags.root_owned;
                after.uid == before.uid && before.layer.as_ref().is_some_and(is_filled)
            }
            (Some(Creating | Doomed), None)
            | (Some(Creating | Renaming), Some(Ready))
            | (Some(Ready), Some(Renaming | Doomed)) => after.uid == before.uid,
            _ => false,
        };
        if !fits {
            let (from, to) = (from.map_or("free", LayerState::name), to.map_or("free", LayerState::name));
            self.wrong(number, &format!("{from}, use {}, became {to}, use {}", before.uid, after.uid));
        }
    }

    /// The model follows what the disk shows, and notices two of one name.
    fn name_changed(
        &self,
        number: DescriptorNumber,
        before: Option<(LayerName, LayerId)>,
        after: Option<(LayerName, LayerId)>,
    ) {
        if before == after {
            return;
        }
        let names = &self.run.names;
        names.changes.set(names.changes.get() + 1);
        if let Some((name, id)) = &before {
            let mut disks = names.disks.borrow_mut();
            if disks.get(name) == Some(id) {
                disks.remove(name);
            }
        }
        if let Some((name, id)) = &after {
            let other = names.disks.borrow_mut().insert(name.clone(), *id);
            if let Some(other) = other {
                self.wrong(number, &format!("{name} is the name of {other} and of {id}"));
            }
        }
        match (before, after) {
            (None, Some((name, _))) => names.happened(Deed::Created(name)),
            (Some((name, _)), None) => names.happened(Deed::Deleted(name)),
            (Some((old, _)), Some((new, _))) => {
                *names.renamed.borrow_mut() = Some((old.clone(), new.clone()));
                names.happened(Deed::Renamed(old, new));
            }
            (None, None) => {}
        }
    }
}

/// The name that a descriptor has, if it is a disk's that others may use.
fn named_by(
    number: DescriptorNumber,
    record: &DescriptorRecord,
    named: Option<&DescriptorName>,
) -> Option<(LayerName, LayerId)> {
    let layer = record.layer.as_ref()?;
    if layer.kind != LayerKind::Disk || !matches!(layer.state, LayerState::Ready | LayerState::Renaming) {
        return None;
    }
    let name = named.filter(|named| named.uid == record.uid)?.name.clone()?;
    Some((name, record.id(number)?))
}

impl Observer for Checker {
    fn on_execute(&self, execution: &Execution) {
        if execution.effect != Effect::Swapped {
            return;
        }
        if let Standing::Descriptor(number) = self.run.layout.kind_at(execution.lba)
            && let Ok(number) = u32::try_from(number)
        {
            self.swapped(DescriptorNumber(number), execution);
        }
    }

    fn on_fault(&self, fault: &FaultEvent) {
        if fault.kind == FaultKind::PowerLoss && self.run.scenario.theme == Theme::Disks {
            self.run.names.look_anew(&self.run);
        }
    }
}
