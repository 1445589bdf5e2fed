//! Descriptors: reading them by number and in runs, and changing one that this host holds, step by step (R25, R35, R36).

use std::rc::Rc;

use oarlock_block::{Instant, Lba};
use oarlock_format::{
    DescriptorName, DescriptorNumber, DescriptorRecord, DiskUid, Generation, LayerName, LayerState, LockMode,
    Locked, Record,
};

use crate::bring::{bring_to, make_durable};
use crate::cell::Cell;
use crate::core::Core;
use crate::decide::{Want, has};
use crate::disk::DiskError;
use crate::hold::Hold;
use crate::lock::{FIRST_PAUSE, LockError, Take, acquire_with};
use crate::run::Run;
use crate::slots::is_of_one_block;
use crate::store::{Lane, ReadFault, Seen};
use crate::takeover::distrust;

/// Descriptors that one command reads: of 512 bytes, 64 KiB.
const DESCRIPTORS_PER_READ: u32 = 64;

/// A descriptor is read so often while it changes under its reader; then it is under way.
const READS_OF_CHANGE: u32 = 4;

/// A descriptor of a run.
pub(crate) struct Described {
    pub(crate) number: DescriptorNumber,
    pub(crate) seen: Seen<DescriptorRecord>,
    /// Its name's record, where it checks out.
    pub(crate) name: Option<Seen<DescriptorName>>,
}

/// The descriptors from `first` on that one command reads, and the number behind the last of them. One that does not check
/// out is left out: it must not hide all the rest.
pub(crate) async fn read_some(
    core: &Core,
    first: DescriptorNumber,
) -> Result<(Vec<Described>, DescriptorNumber), ReadFault> {
    let layout = &core.store.layout;
    let until = first.0.saturating_add(DESCRIPTORS_PER_READ).min(layout.descriptor_count());
    let Some(last) = until.checked_sub(1).filter(|last| *last >= first.0) else {
        return Ok((Vec::new(), DescriptorNumber(until)));
    };
    let (start, end) = (layout.descriptor(first), layout.descriptor_name(DescriptorNumber(last)));
    let run = Run::read(&core.store, start, end).await?;
    let mut some = Vec::new();
    for number in (first.0..until).map(DescriptorNumber) {
        match run.seen_surely(&core.store, layout.descriptor(number)).await {
            Ok(seen) => {
                let name = run.seen(&core.store, layout.descriptor_name(number));
                some.push(Described { number, seen, name });
            }
            Err(fault) if is_of_one_block(&fault) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok((some, DescriptorNumber(until)))
}

/// Reads all descriptors, and calls `each` with every one that is sound.
pub(crate) async fn each_descriptor(core: &Core, mut each: impl FnMut(Described)) -> Result<(), ReadFault> {
    let mut next = DescriptorNumber(0);
    while next.0 < core.store.layout.descriptor_count() {
        let (some, behind) = read_some(core, next).await?;
        some.into_iter().for_each(&mut each);
        next = behind;
    }
    Ok(())
}

/// A descriptor, and the name that it had while it stood as read; `None` where it changes under its reader.
pub(crate) async fn read_both(
    core: &Core,
    number: DescriptorNumber,
) -> Result<Option<(DescriptorRecord, DescriptorName)>, DiskError> {
    let layout = &core.store.layout;
    for _ in 0..READS_OF_CHANGE {
        let before = read::<DescriptorRecord>(core, layout.descriptor(number)).await?;
        let name = read::<DescriptorName>(core, layout.descriptor_name(number)).await?;
        if agree(&before, &name) {
            return Ok(Some((before.stamped.record, name.stamped.record)));
        }
        // The name's record alone says nothing: it may have changed since, with what was decided by it.
        let after = read::<DescriptorRecord>(core, layout.descriptor(number)).await?;
        if before.version() == after.version() {
            return Ok(Some((before.stamped.record, name.stamped.record)));
        }
    }
    Ok(None)
}

/// Whether the descriptor says by itself that this is its name: it is free, or ready with the name of that generation.
pub(crate) fn agree(descriptor: &Seen<DescriptorRecord>, name: &Seen<DescriptorName>) -> bool {
    let record = &descriptor.stamped.record;
    record.layer.as_ref().is_none_or(|layer| {
        layer.state == LayerState::Ready
            && layer.name_generation == name.stamped.stamp.generation
            && record.uid == name.stamped.record.uid
    })
}

/// One record, for as long as the device says nothing of it: what was begun must not end half done because of one read.
pub(crate) async fn read<R: Record>(core: &Core, lba: Lba) -> Result<Seen<R>, DiskError> {
    let mut pause = FIRST_PAUSE;
    loop {
        core.until_it_may_act().await?;
        match core.store.read(Lane::Work, lba).await {
            Err(fault) if fault.is_passing() => {}
            seen => return Ok(seen.inspect_err(|fault| distrust(core, fault))?),
        }
        core.store.world.pause(core.store.world.jitter(pause)).await;
        pause = (pause * 2).min(core.store.timing.beat);
    }
}

/// Takes a descriptor alone; the ATS that takes it makes one more change, as `alter` says of the record that it finds.
pub(crate) async fn take(
    core: &Rc<Core>,
    number: DescriptorNumber,
    alter: &dyn Fn(&DescriptorRecord) -> DescriptorRecord,
    deadline: Instant,
) -> Result<Hold<DescriptorNumber>, LockError> {
    let place = core.places.descriptors.of(&number);
    let still_wanted = || !core.is_leaving();
    let token =
        acquire_with(core, &place, Take { want: Want::Exclusive, alter }, deadline, &still_wanted).await?;
    Ok(Hold::new(core, &place, token))
}

impl Hold<DescriptorNumber> {
    pub(crate) fn number(&self) -> DescriptorNumber {
        self.place.whereabouts
    }

    /// [`known`](Self::known), which it is as long as this host owns it.
    pub(crate) async fn record(&self) -> Result<DescriptorRecord, DiskError> {
        self.known().await.ok_or(DiskError::TakenAway { descriptor: self.number() })
    }

    /// One step: the record becomes what `change` makes of it, and that is durable before the next one.
    pub(crate) async fn step(
        &self,
        change: &dyn Fn(&DescriptorRecord) -> DescriptorRecord,
    ) -> Result<(), DiskError> {
        let core = &self.core;
        let as_owner = |record: &DescriptorRecord| {
            let mine = has(record.lock(), core.me, Want::Exclusive);
            mine.then(|| DescriptorRecord { lock: record.lock, ..change(record) })
        };
        loop {
            let mut cell = self.place.cell.lock().await;
            let Some(known) = cell.as_mut() else { break };
            if bring_to(core, known, &as_owner).await? {
                return Ok(make_durable(core).await?);
            }
            // A repair asks who owns it, and this host answers by itself (R39).
            if known.record.lock.mode != LockMode::Unknown {
                break;
            }
            drop(cell);
            core.store.world.pause(core.store.timing.beat / 8).await;
        }
        Err(DiskError::TakenAway { descriptor: self.number() })
    }

    /// Writes the name beside the descriptor, for this use of it, and makes it durable. The generation of that record.
    pub(crate) async fn write_name(&self, uid: DiskUid, name: &LayerName) -> Result<Generation, DiskError> {
        let core = &self.core;
        let lba = core.store.layout.descriptor_name(self.number());
        let mut cell = Cell::new(lba, read::<DescriptorName>(core, lba).await?);
        let named = DescriptorName { name: Some(name.clone()), uid };
        bring_to(core, &mut cell, &|_| Some(named.clone())).await?;
        make_durable(core).await?;
        Ok(cell.generation())
    }
}
