//! Reading all slots: the sound ones, and those that do not hold a sound record, for whoever can go on without them.

use oarlock_block::{IoError, SlotIndex};
use oarlock_format::SlotRecord;

use crate::run::Run;
use crate::store::{Lane, ReadFault, Seen, Store};

/// Slots that one command reads: 64 slots and mailboxes of 512 bytes are 64 KiB.
const SLOTS_PER_READ: u16 = 64;

/// What a look at all slots showed.
#[derive(Default)]
pub(crate) struct Slots {
    /// The slots with a sound record, ascending.
    pub(crate) sound: Vec<(SlotIndex, Seen<SlotRecord>)>,
    /// The others, each with what is wrong. One rotten block must not hide all the rest.
    pub(crate) damaged: Vec<(SlotIndex, ReadFault)>,
}

/// Reads all slots, a good many with each command.
///
/// # Errors
/// A fault that is not one block's: no answer, or a state older than known (R2).
pub(crate) async fn read_slots(store: &Store) -> Result<Slots, ReadFault> {
    let count = store.layout.slot_count();
    let mut all = Slots::default();
    let mut next = 0;
    while next < count {
        let until = count.min(next + SLOTS_PER_READ);
        let run = read_run(store, next, until).await?;
        for slot in (next..until).map(SlotIndex) {
            match seen_in(store, run.as_ref(), slot).await {
                Ok(seen) => all.sound.push((slot, seen)),
                Err(fault) if is_of_one_block(&fault) => all.damaged.push((slot, fault)),
                Err(fault) => return Err(fault),
            }
        }
        next = until;
    }
    Ok(all)
}

/// Whether only this block is concerned, and no further read of it would help.
pub(crate) fn is_of_one_block(fault: &ReadFault) -> bool {
    matches!(fault, ReadFault::Unsound { .. } | ReadFault::Unreadable { error: IoError::Medium, .. })
}

/// Reads the slots from `first` to below `until`; none where the medium lost one of the blocks.
async fn read_run(store: &Store, first: u16, until: u16) -> Result<Option<Run>, ReadFault> {
    let (first, last) = (store.layout.slot(SlotIndex(first)), store.layout.slot(SlotIndex(until - 1)));
    match Run::read(store, first, last).await {
        Ok(run) => Ok(Some(run)),
        Err(ReadFault::Unreadable { error: IoError::Medium, .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// One slot: as the run shows it if that checks out, else read again by itself.
async fn seen_in(store: &Store, run: Option<&Run>, slot: SlotIndex) -> Result<Seen<SlotRecord>, ReadFault> {
    let lba = store.layout.slot(slot);
    match run {
        Some(run) => run.seen_surely(store, lba).await,
        None => store.read(Lane::Work, lba).await,
    }
}
