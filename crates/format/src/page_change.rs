//! The records in a journal's payload: what became of a page. Absolute values only, so that applying one twice is applying
//! it once.
//!
//! ```text
//!   0 kind u8 | 1 object kind u8 | 2 length u16 | 4 object u32 | 8 epoch u64 | 16 page u64 | 24 what follows the kind
//!     1 page image   4,096 bytes
//!     2 map entries  first u16, count u16, reserved 4, count × 16 bytes
//!     3 bits         first u16, count u16, taken u8, reserved 3
//! ```

use oarlock_block::Lba;

use crate::bitmap_page::ClusterRun;
use crate::error::DecodeError;
use crate::ids::Epoch;
use crate::map_entry::{ENTRY_LENGTH, RawEntry};
use crate::map_page::ENTRIES_PER_PAGE;
use crate::numbers::{ClusterIndex, DescriptorNumber, GroupNumber};
use crate::page::{PAGE_LENGTH, PageBytes};
use crate::space::GROUP_CLUSTERS;

/// Bytes of a record before what its kind adds.
const HEAD_LENGTH: usize = 24;
/// Bytes that entries and bits add before what they list.
const RUN_LENGTH: usize = 8;

const DESCRIPTOR: u8 = 1;
const GROUP: u8 = 2;

const IMAGE: u8 = 1;
const ENTRIES: u8 = 2;
const BITS: u8 = 3;

/// Under whose lock a page is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JournalObject {
    /// A map's page.
    Descriptor(DescriptorNumber),
    /// A group's bitmap.
    Group(GroupNumber),
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// All of it: the first change after a checkpoint.
    Image(&'a PageBytes),
    /// These entries of a map's page, from that one on.
    Entries {
        /// The first that changed.
        first: u16,
        /// What they are now: 1 to 252, as they stand in the page.
        entries: &'a [[u8; ENTRY_LENGTH]],
    },
    /// These clusters of a group are taken now, or free.
    Bits {
        /// Which.
        run: ClusterRun,
        /// Taken, or free.
        taken: bool,
    },
}

/// One record of a journal's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageChange<'a> {
    /// Under whose lock.
    pub object: JournalObject,
    /// In which epoch of that lock: a replay applies it only if the lock is in it still (R12).
    pub epoch: Epoch,
    /// The page's address.
    pub page: Lba,
    /// What became of it.
    pub change: Change<'a>,
}

impl<'a> PageChange<'a> {
    /// Bytes of the record in the payload.
    #[must_use]
    pub const fn length(&self) -> usize {
        HEAD_LENGTH
            + match self.change {
                Change::Image(_) => PAGE_LENGTH,
                Change::Entries { entries, .. } => RUN_LENGTH + entries.len() * ENTRY_LENGTH,
                Change::Bits { .. } => RUN_LENGTH,
            }
    }

    /// Writes the record behind others.
    ///
    /// # Panics
    /// When it is one that no reader would take: entries of a group, bits of a map, a run beyond its page.
    pub(crate) fn put(&self, payload: &mut Vec<u8>) {
        let start = payload.len();
        let (object_kind, object) = match self.object {
            JournalObject::Descriptor(number) => (DESCRIPTOR, number.0),
            JournalObject::Group(number) => (GROUP, number.0),
        };
        let kind = match self.change {
            Change::Image(_) => IMAGE,
            Change::Entries { .. } => ENTRIES,
            Change::Bits { .. } => BITS,
        };
        let length = u16::try_from(self.length()).unwrap_or(u16::MAX);
        payload.extend_from_slice(&[kind, object_kind]);
        payload.extend_from_slice(&length.to_le_bytes());
        payload.extend_from_slice(&object.to_le_bytes());
        payload.extend_from_slice(&self.epoch.0.to_le_bytes());
        payload.extend_from_slice(&self.page.0.to_le_bytes());
        match self.change {
            Change::Image(image) => payload.extend_from_slice(image),
            Change::Entries { first, entries } => {
                let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
                put_run(payload, first, count, 0);
                payload.extend_from_slice(entries.as_flattened());
            }
            Change::Bits { run, taken } => put_run(payload, run.first.0, run.count, u8::from(taken)),
        }
        let written = PageChange::take(&payload[start..], start);
        assert!(written.is_ok(), "a change that no replay would take is written: {written:?}");
    }

    /// The record at the front of `bytes`, and its length. `offset` is where the bytes stand in the payload.
    pub(crate) fn take(bytes: &'a [u8], offset: usize) -> Result<(PageChange<'a>, usize), DecodeError> {
        let wrong = |at: usize, what| Err(DecodeError::Field { offset: offset + at, what });
        let Some((head, _)) = bytes.split_first_chunk::<HEAD_LENGTH>() else {
            return wrong(0, "less than a record of the journal");
        };
        let number = |at: usize, length: usize| little_endian(&head[at..at + length]);
        let length = usize::try_from(number(2, 2)).unwrap_or_default();
        let Some(body) = bytes.get(HEAD_LENGTH..length) else {
            return wrong(2, "a record beyond the journal's payload");
        };
        let object = u32::try_from(number(4, 4)).unwrap_or_default();
        let object = match head[1] {
            DESCRIPTOR => JournalObject::Descriptor(DescriptorNumber(object)),
            GROUP => JournalObject::Group(GroupNumber(object)),
            _ => return wrong(1, "an unknown kind of object"),
        };
        let epoch = Epoch(number(8, 8));
        if epoch > Epoch::LARGEST {
            return wrong(8, "a number beyond all that are given out");
        }
        let change = match (head[0], object) {
            (IMAGE, _) => <&PageBytes>::try_from(body).ok().map(Change::Image),
            (ENTRIES, JournalObject::Descriptor(_)) => take_entries(body),
            (BITS, JournalObject::Group(_)) => take_bits(body),
            _ => return wrong(0, "an unknown kind of record, or one that its object never has"),
        };
        let Some(change) = change else { return wrong(HEAD_LENGTH, "a change that no page can have") };
        Ok((PageChange { object, epoch, page: Lba(number(16, 8)), change }, length))
    }
}

impl RawEntry {
    /// Entries as a journal takes them.
    #[must_use]
    pub fn journal_bytes(entries: &[RawEntry]) -> Vec<[u8; ENTRY_LENGTH]> {
        entries.iter().map(|entry| entry.bytes()).collect()
    }
}

fn put_run(payload: &mut Vec<u8>, first: u16, count: u16, taken: u8) {
    payload.extend_from_slice(&first.to_le_bytes());
    payload.extend_from_slice(&count.to_le_bytes());
    payload.extend_from_slice(&[taken, 0, 0, 0]);
}

fn take_entries(body: &[u8]) -> Option<Change<'_>> {
    let (run, list) = body.split_first_chunk::<RUN_LENGTH>()?;
    let (entries, rest) = list.as_chunks::<ENTRY_LENGTH>();
    let first = u16::from_le_bytes([run[0], run[1]]);
    let count = u16::from_le_bytes([run[2], run[3]]);
    let within = usize::from(first) + entries.len() <= usize::from(ENTRIES_PER_PAGE);
    let listed = usize::from(count) == entries.len() && rest.is_empty() && count > 0;
    (within && listed && run[4..] == [0; 4]).then_some(Change::Entries { first, entries })
}

fn take_bits(body: &[u8]) -> Option<Change<'_>> {
    let run = <&[u8; RUN_LENGTH]>::try_from(body).ok()?;
    let first = u16::from_le_bytes([run[0], run[1]]);
    let count = u16::from_le_bytes([run[2], run[3]]);
    let within = count > 0 && u32::from(first) + u32::from(count) <= GROUP_CLUSTERS;
    let run_of = ClusterRun { first: ClusterIndex(first), count };
    (within && run[4] <= 1 && run[5..] == [0; 3]).then_some(Change::Bits { run: run_of, taken: run[4] == 1 })
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
