//! Reading a dead host's journal: the commits that follow one another, and whether they are all that there were.
//!
//! A commit is written only once the one before it is durable. So where a commit does not check out, and a later one
//! stands behind it, it was whole once, and what it said was promised to somebody: the journal is damaged. Where nothing
//! stands behind it, it is the one that the host died over, and nobody was told of it.
//!
//! A note is written once the one before it was answered, and nothing is flushed. So it counts in its own boot, as a commit does; in
//! another one only where a commit stands behind it, for that began with a flush. What a loss of power left of the last notes is
//! nothing: what they expose may be lost, and so may those between them.

use oarlock_block::{IoError, UnknownCause};
use oarlock_format::{
    BootTag, Commit, CommitReader, JournalBlock, JournalEnd, JournalHeader, JournalPosition, PAGE_LENGTH,
    Place, Taken,
};

use crate::planted::{PlantedBug, planted};
use crate::store::{Lane, READS_OF_DAMAGE};

use super::{Dead, ReplayError};

/// Bytes of the ring that are read at once.
const BYTES_AT_ONCE: usize = 1 << 20;

/// The commits and notes of a journal that count.
pub(super) struct Counted {
    pub(super) commits: Vec<Commit>,
    /// Behind the last of them, where that is a note: where the commit goes that makes it count in every boot.
    pub(super) behind_notes: Option<JournalPosition>,
}

/// A journal that was read.
struct Found {
    commits: Vec<Commit>,
    /// Behind the last commit.
    end: JournalPosition,
    why: JournalEnd,
}

impl Dead<'_> {
    /// What the journal says, in order. A ring has 16 MiB at most, and is read whole.
    pub(super) async fn read(&self, header: &JournalHeader) -> Result<Counted, ReplayError> {
        let mut ring = self.read_ring().await?;
        let mut found = self.follow(header, &ring);
        // What does not check out is read again before it is believed (R3).
        for _ in 1..READS_OF_DAMAGE {
            if !is_damage(&found.why) {
                break;
            }
            ring = self.read_ring().await?;
            let again = self.follow(header, &ring);
            let same = again.end == found.end;
            found = again;
            if same {
                break;
            }
        }
        self.look_behind(&found, &ring)?;
        let Found { mut commits, end, .. } = found;
        let last = commits.iter().rposition(|commit| self.counts(commit.boot));
        commits.truncate(last.map_or(0, |last| last + 1));
        let is_note = commits.last().is_some_and(|commit| commit.boot.is_some());
        Ok(Counted { commits, behind_notes: is_note.then_some(end) })
    }

    /// Whether a commit counts by itself: it is no note, or one of this boot.
    fn counts(&self, boot: Option<BootTag>) -> bool {
        let this = self.store.world.boot();
        boot.is_none_or(|boot| boot == this || planted(PlantedBug::NoteOfAnotherBoot))
    }

    async fn read_ring(&self) -> Result<Vec<u8>, ReplayError> {
        let mut ring = vec![0; self.ring.blocks as usize * PAGE_LENGTH];
        let step = BYTES_AT_ONCE / PAGE_LENGTH;
        for (index, bytes) in (0..self.ring.blocks).step_by(step).zip(ring.chunks_mut(BYTES_AT_ONCE)) {
            let lba = self.ring.lba(index);
            let read = self.store.device(Lane::Work).read(lba, bytes);
            let read = self.store.world.within(self.store.timing.lease, read).await;
            let read = read.unwrap_or(Err(IoError::Unknown(UnknownCause::TimedOut)));
            read.map_err(|error| ReplayError::Unreadable { slot: self.owner.slot, lba, error })?;
        }
        Ok(ring)
    }

    /// The commits from the header's first block on.
    fn follow(&self, header: &JournalHeader, ring: &[u8]) -> Found {
        let first = JournalPosition {
            format_id: self.store.format_id,
            ring: self.ring,
            incarnation: header.incarnation,
            sequence: header.first,
            index: header.first_index,
        };
        let mut reader = CommitReader::new(first);
        let (mut commits, mut index) = (Vec::new(), header.first_index);
        loop {
            match reader.take(block(ring, index)) {
                Taken::More => {}
                Taken::Commit(commit) => commits.push(commit),
                Taken::End(why) => return Found { commits, end: reader.end(), why },
            }
            index = self.ring.next(index);
        }
    }

    /// Refuses a journal that goes on behind its end.
    fn look_behind(&self, found: &Found, ring: &[u8]) -> Result<(), ReplayError> {
        let (slot, end) = (self.owner.slot, found.end);
        for index in 0..self.ring.blocks {
            let lba = self.ring.lba(index);
            let place = Place { format_id: self.store.format_id, lba };
            let block = match JournalBlock::decode(block(ring, index), &place) {
                Ok((block, _)) => block,
                Err(error) if error.is_newer() => return Err(ReplayError::Newer { slot, lba, error }),
                Err(_) => continue,
            };
            // Of this life, and of a commit that was begun after the one at the end.
            let behind = block.sequence.0.saturating_sub(u64::from(block.index)) > end.sequence.0;
            if block.slot == slot && block.incarnation == end.incarnation && behind && self.counts(block.boot)
            {
                return Err(ReplayError::Damaged { slot, lba: end.lba(), end: found.why.clone() });
            }
        }
        Ok(())
    }
}

fn block(ring: &[u8], index: u32) -> &[u8] {
    let start = index as usize * PAGE_LENGTH;
    ring.get(start..start + PAGE_LENGTH).unwrap_or(&[])
}

/// Whether the end may be one only because it was read badly.
fn is_damage(why: &JournalEnd) -> bool {
    match why {
        JournalEnd::NoBlock(error) => error.is_damage(),
        JournalEnd::Unfinished => true,
        JournalEnd::OtherLife | JournalEnd::OtherSequence { .. } | JournalEnd::WholeLap => false,
    }
}
