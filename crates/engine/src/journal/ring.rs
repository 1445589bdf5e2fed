//! How full the ring is: whether the next commit has room, and when the tail must move first.
//!
//! ```text
//!   tail              next                                     tail
//!    |== what a replay needs ==|------------ free ---------------|
//!                              |-- a commit --|-- one more --|
//! ```
//! Behind each plain commit there is room for one more: the one that a checkpoint begins with. So a full ring can always
//! be emptied, and nothing ever waits for room that only itself could make.

use oarlock_format::{COMMIT_BLOCKS_MAX, JOURNAL_PAYLOAD_LENGTH, JournalPosition, JournalSequence};

/// A ring shorter than this could not take a transaction's images in a quarter of its length.
pub(crate) const RING_BLOCKS_MIN: u32 = 28;

/// The part of the ring that one commit takes at most.
const COMMITS_PER_RING: u32 = 4;

/// Blocks of one commit in a ring of that length, at most.
pub(crate) fn commit_blocks_max(ring_blocks: u32) -> u32 {
    (ring_blocks / COMMITS_PER_RING).clamp(1, u32::from(COMMIT_BLOCKS_MAX))
}

/// Bytes of changes in one commit of such a ring, at most.
pub(crate) fn commit_bytes_max(ring_blocks: u32) -> usize {
    commit_blocks_max(ring_blocks) as usize * JOURNAL_PAYLOAD_LENGTH
}

/// Where a journal is written, and from where on it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ring {
    /// The first block that a replay needs.
    tail: JournalPosition,
    /// Where the next commit begins.
    next: JournalPosition,
}

impl Ring {
    /// A ring without commits.
    pub(crate) fn new(first: JournalPosition) -> Ring {
        Ring { tail: first, next: first }
    }

    pub(crate) fn next(&self) -> JournalPosition {
        self.next
    }

    /// Blocks that a replay needs.
    pub(crate) fn used(&self) -> u64 {
        self.next.sequence.0 - self.tail.sequence.0
    }

    fn free_after(&self, commits: u32) -> bool {
        let blocks = self.next.ring.blocks;
        self.used() + u64::from(commit_blocks_max(blocks) * commits) <= u64::from(blocks)
    }

    /// Whether a commit may be written that begins no checkpoint.
    pub(crate) fn has_room(&self) -> bool {
        self.free_after(2)
    }

    /// Whether it is time for a checkpoint, so that commits need not wait for it later.
    pub(crate) fn is_half_full(&self) -> bool {
        self.used() * 2 >= u64::from(self.next.ring.blocks)
    }

    /// A commit takes the blocks up to `next`.
    ///
    /// # Panics
    /// When it reaches into what a replay needs.
    pub(crate) fn advance(&mut self, next: JournalPosition) {
        assert!(next.sequence > self.next.sequence, "a commit of no blocks");
        self.next = next;
        assert!(self.used() <= u64::from(next.ring.blocks), "a commit reaches into what a replay needs");
    }

    /// What lies before `tail` is not needed any more.
    pub(crate) fn move_tail(&mut self, tail: JournalPosition) {
        let within = self.tail.sequence <= tail.sequence && tail.sequence <= self.next.sequence;
        assert!(within, "the tail moves to where no commit begins");
        self.tail = tail;
    }

    pub(crate) fn tail(&self) -> JournalSequence {
        self.tail.sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_block::{BlockCount, Lba, SlotIndex};
    use oarlock_format::{FormatId, Incarnation, JournalRing};

    fn start(blocks: u32) -> JournalPosition {
        let ring =
            JournalRing { slot: SlotIndex(0), header: Lba(0), start: Lba(8), blocks, step: BlockCount(8) };
        JournalPosition {
            format_id: FormatId(1),
            ring,
            incarnation: Incarnation(1),
            sequence: JournalSequence(1),
            index: 0,
        }
    }

    fn after(position: JournalPosition, blocks: u32) -> JournalPosition {
        (0..blocks).fold(position, |position, _| position.next())
    }

    #[test]
    fn a_transaction_of_images_fits_a_commit_of_the_shortest_ring() {
        let images = crate::pages::TRANSACTION_PAGES_MAX * (24 + oarlock_format::PAGE_LENGTH);
        assert!(images <= commit_bytes_max(RING_BLOCKS_MIN));
    }

    #[test]
    fn whatever_was_committed_a_checkpoint_s_first_commit_has_room() {
        for blocks in RING_BLOCKS_MIN..200 {
            let largest = commit_blocks_max(blocks);
            for size in 1..=largest {
                let mut ring = Ring::new(start(blocks));
                for _ in 0..blocks * 3 {
                    let begins = !ring.has_room();
                    // The largest commit there can be: it panics where it has no room.
                    ring.advance(after(ring.next(), if begins { largest } else { size }));
                    if begins {
                        ring.move_tail(ring.next());
                    }
                }
            }
        }
    }

    #[test]
    fn a_checkpoint_that_ends_leaves_room_whatever_was_committed_meanwhile() {
        for blocks in RING_BLOCKS_MIN..120 {
            for before in 0..blocks {
                let mut ring = Ring::new(start(blocks));
                while ring.used() < u64::from(before) && ring.has_room() {
                    ring.advance(after(ring.next(), 1));
                }
                ring.advance(after(ring.next(), commit_blocks_max(blocks)));
                let tail = ring.next();
                while ring.has_room() {
                    ring.advance(after(ring.next(), commit_blocks_max(blocks)));
                }
                ring.move_tail(tail);
                // Room for a plain commit, or for the one that begins the next checkpoint.
                ring.advance(after(ring.next(), commit_blocks_max(blocks)));
            }
        }
    }
}
