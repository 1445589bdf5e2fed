//! Commits: changes of pages packed into blocks of the journal, and unpacked again by a replay (R31).
//!
//! A commit counts as a whole or not at all: each of its blocks carries the checksum of its whole payload. A reader begins
//! where the journal's header says, and stops at the first block that does not follow.
//!
//! A *note* is a commit that was not flushed, nor what it says: it counts in the boot in which it was written, where nothing
//! that was answered is lost, and in every boot once a commit stands behind it.

use oarlock_block::{Lba, crc32c};

use crate::error::DecodeError;
use crate::ids::{FormatId, Incarnation};
use crate::journal_block::{JOURNAL_PAYLOAD_LENGTH, JournalBlock};
use crate::journal_header::JournalHeader;
use crate::numbers::{BootTag, JournalSequence};
use crate::page::PAGE_LENGTH;
use crate::page_change::PageChange;
use crate::places::JournalRing;
use crate::record::Place;

/// Blocks of one commit, at most: 1 MiB. A ring may be shorter still.
pub const COMMIT_BLOCKS_MAX: u16 = 256;

/// Bytes of payload of one commit, at most.
pub const COMMIT_PAYLOAD_MAX: usize = COMMIT_BLOCKS_MAX as usize * JOURNAL_PAYLOAD_LENGTH;

/// A place in a journal: where the next block is written, or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalPosition {
    /// The datastore.
    pub format_id: FormatId,
    /// The journal.
    pub ring: JournalRing,
    /// The life that writes, or wrote.
    pub incarnation: Incarnation,
    /// The block's sequence.
    pub sequence: JournalSequence,
    /// The block's index in the ring.
    pub index: u32,
}

impl JournalPosition {
    /// The first block that a replay needs, as the journal's header says; `None` where the header is about a ring of another
    /// length than the layout's.
    #[must_use]
    pub fn first(format_id: FormatId, ring: JournalRing, header: &JournalHeader) -> Option<JournalPosition> {
        let JournalHeader { incarnation, first, first_index, blocks } = *header;
        let position = JournalPosition { format_id, ring, incarnation, sequence: first, index: first_index };
        (blocks == ring.blocks).then_some(position)
    }

    /// The place of the block after this.
    #[must_use]
    pub fn next(self) -> JournalPosition {
        JournalPosition { sequence: self.sequence.next(), index: self.ring.next(self.index), ..self }
    }

    /// The block's address.
    #[must_use]
    pub fn lba(&self) -> Lba {
        self.ring.lba(self.index)
    }
}

/// A commit that is being put together.
#[derive(Clone, Debug, Default)]
pub struct CommitWriter {
    payload: Vec<u8>,
}

/// A commit as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedCommit {
    /// Its name: the sequence of its first block.
    pub sequence: JournalSequence,
    /// Where the next commit begins.
    pub next: JournalPosition,
    /// One write, or two where the ring ends between them: address and bytes.
    pub writes: Vec<(Lba, Vec<u8>)>,
}

impl CommitWriter {
    /// Adds a change; `false`, and nothing is added, where the commit has no room for it.
    #[must_use]
    pub fn push(&mut self, change: &PageChange<'_>) -> bool {
        let fits = change.length() <= self.room();
        if fits {
            change.put(&mut self.payload);
        }
        fits
    }

    /// Bytes of changes that there is room for.
    #[must_use]
    pub fn room(&self) -> usize {
        COMMIT_PAYLOAD_MAX - self.payload.len()
    }

    /// Whether there is no change in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// How many blocks of the ring it will take.
    #[must_use]
    pub fn blocks(&self) -> u16 {
        u16::try_from(self.payload.len().div_ceil(JOURNAL_PAYLOAD_LENGTH)).unwrap_or(COMMIT_BLOCKS_MAX)
    }

    /// The commit in blocks, the first of them at `position`; with a boot, a note. A commit that says nothing makes the notes
    /// before it count in every boot.
    ///
    /// # Panics
    /// When it is longer than the whole ring, or a note that says nothing.
    #[must_use]
    pub fn seal(self, position: JournalPosition, boot: Option<BootTag>) -> SealedCommit {
        assert!(boot.is_none() || !self.is_empty(), "a note that says nothing");
        let blocks = self.blocks().max(1);
        let fits = (1..=position.ring.blocks).contains(&u32::from(blocks));
        assert!(fits, "a commit of {blocks} blocks does not fit a ring of {}", position.ring.blocks);
        let payload_checksum = crc32c(&[&self.payload]);
        let mut writes: Vec<(Lba, Vec<u8>)> = Vec::new();
        let mut at = position;
        let parts = self.payload.chunks(JOURNAL_PAYLOAD_LENGTH).chain(std::iter::once(&[][..]));
        for (index, part) in (0..blocks).zip(parts) {
            let block = JournalBlock {
                format_id: at.format_id,
                lba: at.lba(),
                slot: at.ring.slot,
                incarnation: at.incarnation,
                sequence: at.sequence,
                index,
                blocks,
                payload_checksum,
                boot,
            };
            match writes.last_mut() {
                Some((_, bytes)) if at.index != 0 => bytes.extend_from_slice(&*block.encode(part)),
                _ => writes.push((block.lba, block.encode(part).to_vec())),
            }
            at = at.next();
        }
        SealedCommit { sequence: position.sequence, next: at, writes }
    }
}

/// Why a journal ends where it does. Each is what a reader expects behind the last commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalEnd {
    /// No whole block of this datastore and this place stands there.
    #[error("no block of the journal stands there: {0}")]
    NoBlock(DecodeError),
    /// A block of another life of the slot, or of another slot.
    #[error("a block of another life stands there")]
    OtherLife,
    /// A block of an earlier lap, or of none.
    #[error("a block of sequence {found} stands there")]
    OtherSequence {
        /// Its sequence.
        found: JournalSequence,
    },
    /// The commit was not written to its end.
    #[error("the commit was not written to its end")]
    Unfinished,
    /// The whole ring was read.
    #[error("the whole ring was read")]
    WholeLap,
}

/// A commit that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name: the sequence of its first block.
    pub sequence: JournalSequence,
    /// Of a note, its boot.
    pub boot: Option<BootTag>,
    payload: Vec<u8>,
}

impl Commit {
    /// A commit that was not read as one, to be shown.
    pub(crate) fn of_payload(payload: &[u8]) -> Commit {
        Commit { sequence: JournalSequence(0), boot: None, payload: payload.to_vec() }
    }

    /// Its changes, in order. All of them are looked at before the first is given out.
    ///
    /// # Errors
    /// [`DecodeError::Field`], its offset counted in the payload: the commit is whole, and says what no writer of this
    /// version would. A replay must not go on.
    pub fn changes(&self) -> Result<Vec<PageChange<'_>>, DecodeError> {
        let mut changes = Vec::new();
        let mut at = 0;
        while at < self.payload.len() {
            let (change, length) = PageChange::take(&self.payload[at..], at)?;
            changes.push(change);
            at += length;
        }
        Ok(changes)
    }
}

/// What a block came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It belongs to a commit of which more blocks are to come.
    More,
    /// It is the last of a commit.
    Commit(Commit),
    /// It does not follow: the journal ends before it, or before the commit that it would belong to.
    End(JournalEnd),
}

/// A reader of a journal's commits, block by block.
#[derive(Clone, Debug)]
pub struct CommitReader {
    /// Behind the last whole commit.
    end: JournalPosition,
    /// The block that is read next.
    next: JournalPosition,
    /// Blocks of the ring that were not read yet.
    left: u32,
    /// The first block of the commit that is being read.
    begun: Option<JournalBlock>,
    payload: Vec<u8>,
}

impl CommitReader {
    /// A reader that begins at `first`.
    #[must_use]
    pub fn new(first: JournalPosition) -> CommitReader {
        CommitReader { end: first, next: first, left: first.ring.blocks, begun: None, payload: Vec::new() }
    }

    /// The address of the block that is to be read next.
    #[must_use]
    pub fn lba(&self) -> Lba {
        self.next.lba()
    }

    /// How many blocks from [`lba`](Self::lba) on stand one behind the other, and may be read at once: up to the ring's end.
    #[must_use]
    pub fn contiguous(&self) -> u32 {
        self.left.min(self.next.ring.blocks.saturating_sub(self.next.index))
    }

    /// Behind the last whole commit: where the journal ends once [`Taken::End`] was given.
    #[must_use]
    pub const fn end(&self) -> JournalPosition {
        self.end
    }

    /// Takes the 4,096 bytes that were read at [`lba`](Self::lba).
    pub fn take(&mut self, bytes: &[u8]) -> Taken {
        match self.follow(bytes) {
            Ok(taken) => taken,
            Err(end) => Taken::End(end),
        }
    }

    fn follow(&mut self, bytes: &[u8]) -> Result<Taken, JournalEnd> {
        if self.left == 0 {
            return Err(JournalEnd::WholeLap);
        }
        let place = Place { format_id: self.next.format_id, lba: self.next.lba() };
        let (block, part) = JournalBlock::decode(bytes, &place).map_err(JournalEnd::NoBlock)?;
        if block.slot != self.next.ring.slot || block.incarnation != self.next.incarnation {
            return Err(JournalEnd::OtherLife);
        }
        if block.sequence != self.next.sequence {
            return Err(JournalEnd::OtherSequence { found: block.sequence });
        }
        let first = *self.begun.get_or_insert(block);
        let read = u64::from(block.index);
        let common = |block: &JournalBlock| (block.blocks, block.payload_checksum, block.boot);
        let same = common(&first) == common(&block);
        if !same
            || first.index != 0
            || block.blocks > COMMIT_BLOCKS_MAX
            || first.sequence.0 + read != block.sequence.0
        {
            return Err(JournalEnd::Unfinished);
        }
        self.payload.extend_from_slice(part);
        self.left -= 1;
        self.next = self.next.next();
        if block.index + 1 < block.blocks {
            return Ok(Taken::More);
        }
        self.begun = None;
        let payload = std::mem::take(&mut self.payload);
        if crc32c(&[&payload]) != first.payload_checksum {
            return Err(JournalEnd::Unfinished);
        }
        self.end = self.next;
        Ok(Taken::Commit(Commit { sequence: first.sequence, boot: first.boot, payload }))
    }
}

const _: () = assert!(PAGE_LENGTH + 24 <= COMMIT_PAYLOAD_MAX, "a page's image fits a commit");
