//! Reading every shared record, a megabyte with each command; and single ones again (R3).
//!
//! Locks are read before slots, so that a slot is never older than what a lock says about it (R11).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oarlock_block::{BlockCount, IoError, Lba, Refusal};
use oarlock_format::{
    DecodeError, Image, LockPosition, LockRecord, MailboxRecord, Record, Region, SlotIndex, SlotRecord,
    Stamped, Standing,
};

use crate::check::CheckError;
use crate::store::Store;
use crate::world::World;

/// Bytes that one command reads at most.
const CHUNK_BYTES: u64 = 1 << 20;
/// Blocks that are not asked for, but are read along because they stand between two that are.
const BLOCKS_BETWEEN_MAX: u64 = 64;
/// One read is given this long, and then sent again: its reply may just have been lost.
const READ_LIMIT: Duration = Duration::from_secs(5);
/// A read without an answer is sent this often in all.
const READS_MAX: u32 = 6;
/// After so many seconds without an answer a check ends.
pub(crate) const PATIENCE_S: u64 = READ_LIMIT.as_secs() * READS_MAX as u64;
/// Gaps that are kept; the rest is counted.
const GAPS_KEPT: usize = 16;

/// What a block showed.
#[derive(Clone, Debug)]
pub(crate) enum Look<R> {
    /// A sound record.
    Sound(Stamped<R>),
    /// Anything else.
    Unsound {
        /// What is wrong with it.
        error: DecodeError,
        /// Its bytes.
        image: Image,
        /// Whether each look so far showed the same bytes.
        steady: bool,
    },
    /// The device did not give it.
    Unreadable(IoError),
}

impl<R: Record> Look<R> {
    /// The record, if it is sound.
    pub(crate) fn sound(&self) -> Option<&Stamped<R>> {
        match self {
            Look::Sound(stamped) => Some(stamped),
            Look::Unsound { .. } | Look::Unreadable(_) => None,
        }
    }

    fn learn(&mut self, next: Look<R>) {
        let same = match (&*self, &next) {
            (Look::Unsound { image: old, steady, .. }, Look::Unsound { image: new, .. }) => {
                *steady && old.bytes() == new.bytes()
            }
            _ => true,
        };
        *self = match next {
            Look::Unsound { error, image, .. } => Look::Unsound { error, image, steady: same },
            other => other,
        };
    }
}

/// Everything that was read.
pub(crate) struct Snapshot {
    pub(crate) slots: Vec<Look<SlotRecord>>,
    pub(crate) mailboxes: Vec<Look<MailboxRecord>>,
    pub(crate) locks: Vec<Look<LockRecord>>,
    /// Blocks between records that are not zero: the first few, and how many there are.
    pub(crate) gaps: (Vec<Lba>, u64),
}

impl Snapshot {
    pub(crate) fn slot(&self, slot: SlotIndex) -> Option<&Look<SlotRecord>> {
        self.slots.get(usize::from(slot.0))
    }

    pub(crate) fn lock(&self, position: LockPosition) -> Option<&Look<LockRecord>> {
        usize::try_from(position.0).ok().and_then(|position| self.locks.get(position))
    }

    /// All sound records of locks, with their positions.
    pub(crate) fn sound_locks(&self) -> impl Iterator<Item = (LockPosition, &Stamped<LockRecord>)> {
        (0..)
            .map(LockPosition)
            .zip(&self.locks)
            .filter_map(|(position, look)| Some((position, look.sound()?)))
    }

    /// All sound records of slots.
    pub(crate) fn sound_slots(&self) -> impl Iterator<Item = (SlotIndex, &Stamped<SlotRecord>)> {
        (0..).map(SlotIndex).zip(&self.slots).filter_map(|(slot, look)| Some((slot, look.sound()?)))
    }
}

/// A run of blocks as it was read.
struct Run {
    start: Lba,
    block: usize,
    bytes: Vec<u8>,
    unreadable: BTreeMap<Lba, IoError>,
}

impl Run {
    fn bytes_of(&self, lba: Lba) -> &[u8] {
        let offset = usize::try_from(lba.0 - self.start.0).unwrap_or(usize::MAX).saturating_mul(self.block);
        &self.bytes[offset..offset + self.block]
    }

    fn look<R: Record>(&self, store: &Store, lba: Lba) -> Look<R> {
        if let Some(error) = self.unreadable.get(&lba) {
            return Look::Unreadable(error.clone());
        }
        let bytes = self.bytes_of(lba);
        match oarlock_format::decode::<R>(bytes, &store.place(lba)) {
            Ok(stamped) => Look::Sound(stamped),
            Err(error) => Look::Unsound { error, image: Image::new(bytes), steady: true },
        }
    }

    /// Whether a block carries anything.
    fn is_blank(&self, lba: Lba) -> bool {
        self.bytes_of(lba).iter().all(|byte| *byte == 0)
    }
}

/// Reads a run of blocks. Where the device does not give all of them at once, each is asked for by itself.
async fn read_run(store: &Store, start: Lba, blocks: BlockCount) -> Result<Run, CheckError> {
    let block = store.block_size.length();
    let length = usize::try_from(blocks.0).unwrap_or(usize::MAX).saturating_mul(block);
    let mut run = Run { start, block, bytes: vec![0; length], unreadable: BTreeMap::new() };
    let Err(error) = read_bytes(store, start, &mut run.bytes).await? else { return Ok(run) };
    if blocks.0 == 1 {
        run.unreadable.insert(start, error);
        return Ok(run);
    }
    for (lba, bytes) in (start.0..).map(Lba).zip(run.bytes.chunks_exact_mut(block)) {
        if let Err(error) = read_bytes(store, lba, bytes).await? {
            bytes.fill(0);
            run.unreadable.insert(lba, error);
        }
    }
    Ok(run)
}

/// Reads the bytes of whole blocks; the inner error is one of this address, the outer one of the device.
pub(crate) async fn read_bytes(
    store: &Store,
    lba: Lba,
    buffer: &mut [u8],
) -> Result<Result<(), IoError>, CheckError> {
    match read_patiently(&store.world, lba, buffer).await? {
        Err(error @ IoError::Refused(Refusal::Gone | Refusal::CutOff | Refusal::Unsupported)) => {
            Err(CheckError::Device { lba, error })
        }
        result => Ok(result),
    }
}

/// One read, sent again while no answer comes.
pub(crate) async fn read_patiently(
    world: &World,
    lba: Lba,
    buffer: &mut [u8],
) -> Result<Result<(), IoError>, CheckError> {
    for _ in 0..READS_MAX {
        if let Some(result) = world.within(READ_LIMIT, world.device.read(lba, buffer)).await {
            return Ok(result);
        }
    }
    Err(CheckError::NoAnswer { lba })
}

/// Reads everything once. `progress` hears how many of how many blocks were read.
pub(crate) async fn read_all(store: &Store, progress: &dyn Fn(u64, u64)) -> Result<Snapshot, CheckError> {
    let layout = &store.layout;
    let total = layout.locks.blocks.0 + layout.slots.blocks.0;
    let mut snapshot = Snapshot {
        slots: Vec::with_capacity(usize::from(layout.slot_count())),
        mailboxes: Vec::with_capacity(usize::from(layout.slot_count())),
        locks: Vec::with_capacity(usize::try_from(layout.lock_positions()).unwrap_or(0)),
        gaps: (Vec::new(), 0),
    };
    let mut done = 0;
    for region in [layout.locks, layout.slots] {
        for (start, blocks) in chunks(region, chunk_blocks(store)) {
            let run = read_run(store, start, blocks).await?;
            take_in(store, &run, blocks, &mut snapshot);
            done += blocks.0;
            progress(done, total);
        }
    }
    Ok(snapshot)
}

/// Whole strides that one command reads.
pub(crate) fn chunk_blocks(store: &Store) -> u64 {
    let stride = store.layout.stride_blocks.0;
    let blocks = CHUNK_BYTES / u64::from(store.block_size.bytes());
    (blocks / stride).max(1) * stride
}

pub(crate) fn chunks(region: Region, length: u64) -> impl Iterator<Item = (Lba, BlockCount)> {
    let end = region.start.0 + region.blocks.0;
    let step = usize::try_from(length).unwrap_or(usize::MAX);
    (region.start.0..end).step_by(step).map(move |start| (Lba(start), BlockCount(length.min(end - start))))
}

fn take_in(store: &Store, run: &Run, blocks: BlockCount, snapshot: &mut Snapshot) {
    for lba in (run.start.0..run.start.0 + blocks.0).map(Lba) {
        match store.layout.kind_at(lba) {
            Standing::Slot(_) => snapshot.slots.push(run.look(store, lba)),
            Standing::Mailbox(_) => snapshot.mailboxes.push(run.look(store, lba)),
            Standing::Lock(_) => snapshot.locks.push(run.look(store, lba)),
            _ if run.is_blank(lba) => {}
            _ => {
                snapshot.gaps.1 += 1;
                if snapshot.gaps.0.len() < GAPS_KEPT {
                    snapshot.gaps.0.push(lba);
                }
            }
        }
    }
}

/// Reads these records again, locks before slots, as few commands as they allow.
pub(crate) async fn look_again(
    store: &Store,
    snapshot: &mut Snapshot,
    lbas: &BTreeSet<Lba>,
) -> Result<(), CheckError> {
    let (locks, others): (Vec<Lba>, Vec<Lba>) =
        lbas.iter().copied().partition(|lba| store.layout.locks.contains(*lba));
    for group in [locks, others] {
        let mut rest = group.as_slice();
        while let Some(first) = rest.first().copied() {
            let length = run_length(rest, chunk_blocks(store));
            let (now, later) = rest.split_at(length);
            let last = now.last().copied().unwrap_or(first);
            let run = read_run(store, first, BlockCount(last.0 - first.0 + 1)).await?;
            for lba in now {
                learn(store, &run, *lba, snapshot);
            }
            rest = later;
        }
    }
    Ok(())
}

/// How many of these ascending addresses one command takes in.
pub(crate) fn run_length(lbas: &[Lba], blocks_max: u64) -> usize {
    let Some(first) = lbas.first() else { return 0 };
    let follows =
        |pair: &[Lba]| pair[1].0 - pair[0].0 <= BLOCKS_BETWEEN_MAX && pair[1].0 - first.0 < blocks_max;
    1 + lbas.windows(2).take_while(|pair| follows(pair)).count()
}

fn learn(store: &Store, run: &Run, lba: Lba, snapshot: &mut Snapshot) {
    match store.layout.kind_at(lba) {
        Standing::Slot(slot) => {
            if let Some(look) = snapshot.slots.get_mut(usize::from(slot.0)) {
                look.learn(run.look(store, lba));
            }
        }
        Standing::Mailbox(slot) => {
            if let Some(look) = snapshot.mailboxes.get_mut(usize::from(slot.0)) {
                look.learn(run.look(store, lba));
            }
        }
        Standing::Lock(position) => {
            let index = usize::try_from(position.0).unwrap_or(usize::MAX);
            if let Some(look) = snapshot.locks.get_mut(index) {
                look.learn(run.look(store, lba));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_takes_in_what_stands_close_and_no_more_than_its_length() {
        let lbas: Vec<Lba> = [10, 11, 20, 200, 201].map(Lba).to_vec();
        assert_eq!(run_length(&lbas, 1_000), 3);
        assert_eq!(run_length(&lbas[3..], 1_000), 2);
        assert_eq!(run_length(&lbas, 5), 2);
        assert_eq!(run_length(&[], 5), 0);
    }
}
