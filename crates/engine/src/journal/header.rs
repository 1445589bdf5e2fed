//! The journal's header: whose life writes, and from where on (R31). Each change of it is one ATS.

use oarlock_block::Refusal;
use oarlock_causes::{Action, Cause, EventKind};
use oarlock_format::{JournalHeader, JournalPosition, JournalSequence, Kind};

use crate::cell::{Cell, Distrust, Purpose, Swap};
use crate::core::Core;
use crate::store::{Lane, ReadFault};
use crate::takeover::distrust;

use super::error::JournalError;
use super::patience::Patience;
use super::ring::{RING_BLOCKS_MIN, Ring};
use super::{Journal, send};

impl Journal {
    /// Where the journal stands; before the first commit the header is swapped to this life. It is durable before the
    /// first block is written, by the flush that each commit begins with.
    pub(super) async fn started(&self, core: &Core) -> Result<Ring, JournalError> {
        if let Some(ring) = *self.ring.borrow() {
            return Ok(ring);
        }
        let mut cell = self.read_header(core).await?;
        let JournalHeader { incarnation, first, first_index, blocks } = cell.record;
        if blocks != self.place.blocks || blocks < RING_BLOCKS_MIN {
            return Err(JournalError::OtherRing { blocks: self.place.blocks, found: blocks });
        }
        if incarnation >= self.me.incarnation {
            return Err(JournalError::OtherLife { mine: self.me.incarnation.0, found: incarnation.0 });
        }
        let position = JournalPosition {
            format_id: self.format_id,
            ring: self.place,
            incarnation: self.me.incarnation,
            // The last life wrote no block that far: its tail stood at `first`, and a commit never passes its own tail.
            sequence: JournalSequence(first.0 + u64::from(blocks)),
            index: first_index,
        };
        self.swap(core, &mut cell, position).await?;
        *self.header.lock().await = Some(cell);
        let ring = Ring::new(position);
        *self.ring.borrow_mut() = Some(ring);
        Ok(ring)
    }

    /// Everything before `tail` is home, and flushed.
    pub(super) async fn move_tail(&self, core: &Core, tail: JournalPosition) -> Result<(), JournalError> {
        let moves = self.ring.borrow().is_some_and(|ring| ring.tail() != tail.sequence);
        if moves && let Some(cell) = self.header.lock().await.as_mut() {
            self.swap(core, cell, tail).await?;
        }
        // Blocks before it are written again only by a later commit or note, and that one begins with a flush.
        if let Some(ring) = self.ring.borrow_mut().as_mut() {
            ring.move_tail(tail);
        }
        Ok(())
    }

    async fn read_header(&self, core: &Core) -> Result<Cell<JournalHeader>, JournalError> {
        let mut patience = Patience::default();
        loop {
            send::until_it_may_send(core).await?;
            match core.store.read::<JournalHeader>(Lane::Work, self.place.header).await {
                Ok(seen) => return Ok(Cell::new(self.place.header, seen)),
                Err(fault) => {
                    distrust(core, &fault);
                    if !fault.is_passing() || !patience.pause(core).await {
                        return Err(JournalError::Header(fault));
                    }
                }
            }
        }
    }

    /// Swaps the header until it names this life and that tail.
    async fn swap(
        &self,
        core: &Core,
        cell: &mut Cell<JournalHeader>,
        tail: JournalPosition,
    ) -> Result<(), JournalError> {
        let wanted = JournalHeader {
            incarnation: self.me.incarnation,
            first: tail.sequence,
            first_index: tail.index,
            blocks: self.place.blocks,
        };
        let mut patience = Patience::default();
        loop {
            send::until_it_may_send(core).await?;
            let swap = cell.swap(&core.store, core.sender(Purpose::Upkeep), wanted).await;
            if let Swap::Distrusted(Distrust::Fault(fault @ ReadFault::Older { .. })) = &swap {
                distrust(core, fault);
            }
            match swap {
                Swap::Swapped { .. } | Swap::Adopted { .. } if cell.record == wanted => {
                    self.header_swaps.set(self.header_swaps.get() + 1);
                    return Ok(());
                }
                Swap::Swapped { .. } | Swap::Adopted { .. } | Swap::Lapsed => {}
                // A tool may have repaired it; a later life may not be there while this one lives.
                Swap::Lost if cell.record.incarnation > self.me.incarnation => {
                    let (mine, found) = (self.me.incarnation.0, cell.record.incarnation.0);
                    return Err(JournalError::OtherLife { mine, found });
                }
                Swap::Refused(Refusal::Full) => patience.wait_for_space(core, self.place.header).await,
                swap => {
                    if !patience.pause(core).await {
                        return Err(JournalError::Swap { why: format!("{swap:?}") });
                    }
                }
            }
        }
    }
}

/// Says that the journal failed, and the host with it.
pub(super) fn report_failure(core: &Core, journal: &Journal, error: &JournalError) {
    let lba = journal.place.header;
    let event = core.store.event(EventKind::Path, Cause::DeviceFault, lba, Kind::Journal, Action::Stopped);
    core.store.report(event.about(format!("this host's journal failed, and the host stops: {error}")));
}
