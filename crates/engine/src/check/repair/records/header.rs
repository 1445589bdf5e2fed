//! The header of the journal of a slot in which nobody lives: nothing of it is to be replayed, and the next life begins behind all
//! that stands in the ring (R31).

use oarlock_format::{
    Image, Incarnation, JournalBlock, JournalHeader, JournalSequence, PAGE_LENGTH, Place, SlotIndex,
};

use crate::check::CheckError;
use crate::check::rollcall;
use crate::check::scan::read_bytes;

use super::{Ground, Judged, Tried, Work, by_another, refused};

/// Blocks of a ring that are read at once.
const BLOCKS_AT_ONCE: u32 = 256;

impl Work<'_> {
    /// While the header does not check out no life begins to write: so the last one that may have written is that of the slot, which
    /// is free after the header's bytes were read.
    pub(super) async fn header(
        &self,
        ground: &Ground,
        slot: SlotIndex,
        image: &Image,
    ) -> Result<Tried, CheckError> {
        let ring = self.store.layout.journal(slot, self.store.block_size);
        let proved = match self.judge::<JournalHeader>(ring.header, image) {
            Judged::Newer(error) => return Ok(refused(error.to_string())),
            Judged::Sound(sound) if sound.record.blocks == ring.blocks => return Ok(by_another()),
            Judged::Sound(_) => None,
            Judged::Bad(proved) => proved.filter(|header| header.blocks == ring.blocks),
        };
        // A host that joined for this has not begun its journal: it is here before it needs it.
        let last = match self.own_life(slot) {
            Some(life) => Some(Incarnation(life.0.saturating_sub(1))),
            None => rollcall::last_life(self.store, self.right, slot).await,
        };
        let Some(last) = last else {
            return Ok(refused(format!(
                "slot {slot} is not free, and what its journal holds may be owed: the host must leave it, or be taken over, first"
            )));
        };
        let written = match self.written(slot).await? {
            Ok(written) => written,
            Err(reason) => return Ok(refused(reason)),
        };
        if written.life.max(proved.map_or(Incarnation(0), |header| header.incarnation)) > last {
            return Ok(refused(format!(
                "the journal was written in a later life than {last}, the last that slot {slot} knows of"
            )));
        }
        let fresh = JournalHeader {
            incarnation: last,
            first: JournalSequence(written.sequence.0 + 1 + u64::from(ring.blocks)),
            ..JournalHeader::never_used(ring.blocks)
        };
        let how = "nobody lives in the slot: its next host begins a journal of its own".to_owned();
        self.put(ground, image, ring.header, (&proved.unwrap_or(fresh), how)).await
    }

    /// The newest sequence and the newest life in the ring.
    async fn written(&self, slot: SlotIndex) -> Result<Result<Written, String>, CheckError> {
        let ring = self.store.layout.journal(slot, self.store.block_size);
        let mut written = Written { sequence: JournalSequence(0), life: Incarnation(0) };
        for first in (0..ring.blocks).step_by(BLOCKS_AT_ONCE as usize) {
            let count = BLOCKS_AT_ONCE.min(ring.blocks - first);
            let mut bytes = vec![0; count as usize * PAGE_LENGTH];
            if let Err(error) = read_bytes(self.store, ring.lba(first), &mut bytes).await? {
                return Ok(Err(format!("the journal could not be read: {error}")));
            }
            for (index, bytes) in (first..).zip(bytes.chunks(PAGE_LENGTH)) {
                let place = Place { format_id: self.store.format_id, lba: ring.lba(index) };
                match JournalBlock::decode(bytes, &place) {
                    Ok((block, _)) if block.slot == slot => {
                        written.sequence = written.sequence.max(block.sequence);
                        written.life = written.life.max(block.incarnation);
                    }
                    Err(error) if error.is_newer() => return Ok(Err(error.to_string())),
                    Ok(_) | Err(_) => {}
                }
            }
        }
        Ok(Ok(written))
    }
}

struct Written {
    sequence: JournalSequence,
    life: Incarnation,
}
