//! WRITE SAME and UNMAP: many blocks at once, without their data (SBC-4).

use oarlock_block::{BlockCount, BlockSize, Lba};
use oarlock_scsi::{AdditionalSense, Sense, Unmap, UnmapList, WriteSame};

use super::clearing::Clearing;
use super::{Reply, Work, failed};
use crate::course::Outcome;
use crate::ranges::Hold;

/// The most bytes of one WRITE SAME, as VPD page B0h tells it in blocks: what a slow disk writes well within the 30 seconds that initiators
/// wait, where zeros have to be written, or the block is another.
const WRITE_SAME_BYTES_MAX: u64 = 1 << 30;

/// The most blocks of one UNMAP.
pub(super) const UNMAP_BLOCKS_MAX: u32 = 1 << 20;

/// The most descriptors of one UNMAP.
pub(super) const UNMAP_DESCRIPTORS_MAX: u32 = 256;

/// The most blocks of one WRITE SAME.
pub(super) fn write_same_max(block: BlockSize) -> u64 {
    WRITE_SAME_BYTES_MAX / u64::from(block.bytes())
}

impl Work {
    pub(super) async fn write_same(&self, write: WriteSame) -> Outcome<Reply> {
        let count_byte = if self.command.description.cdb_length() == 10 { 7 } else { 10 };
        // WSNZ is set in VPD page B0h: no count means none, not all.
        let Some(count) = write.count.filter(|count| count.0 <= write_same_max(self.unit.block_size()))
        else {
            return Err(Sense::invalid_cdb(count_byte, None).into());
        };
        if write.unmap && !self.unit.traits.is_thin {
            return Err(Sense::invalid_cdb(1, Some(3)).into());
        }
        if write.anchor && !self.unit.has_anchors() {
            return Err(Sense::invalid_cdb(1, Some(4)).into());
        }
        let block = self.unit.block_size().length();
        let pattern = match write.no_data_out {
            true => vec![0; block],
            // Anything but one block is no block that could be written (SBC-4, WRITE SAME (10) command).
            false => match self.receive_exactly(block).await? {
                Some(mut received) => received.buffer.bytes()[..block].to_vec(),
                None => return Ok(Reply::good()),
            },
        };
        let _held = self.hold(write.lba, count, Hold::Alone).await?;
        let is_zero = pattern.iter().all(|byte| *byte == 0);
        match () {
            // Unmapped blocks read as zeros: whoever wants something else gets it written.
            () if is_zero && write.unmap && !write.anchor => {
                self.clearing().discard(write.lba, count).await?
            }
            () if is_zero => self.clearing().zero(write.lba, count).await?,
            () => self.clearing().write_pattern(&pattern, write.lba, count).await?,
        }
        self.settle().await?;
        Ok(Reply::good())
    }

    pub(super) async fn unmap(&self, unmap: Unmap) -> Outcome<Reply> {
        if unmap.anchor && !self.unit.has_anchors() {
            return Err(Sense::invalid_cdb(1, Some(0)).into());
        }
        let list = self.receive_list(usize::from(unmap.parameter_list_length)).await?;
        let descriptors = UnmapList::decode(&list)?.ranges;
        self.check_descriptors(&descriptors)?;
        for (lba, count) in descriptors.into_iter().filter(|(_, count)| count.0 > 0) {
            let _held = self.hold(lba, count, Hold::Alone).await?;
            match unmap.anchor {
                true => self.clearing().zero(lba, count).await?,
                false => self.clearing().discard(lba, count).await?,
            }
        }
        self.settle().await?;
        Ok(Reply::good())
    }

    fn check_descriptors(&self, descriptors: &[(Lba, BlockCount)]) -> Outcome<()> {
        let invalid = Sense::illegal(AdditionalSense::INVALID_FIELD_IN_PARAMETER_LIST);
        let total: u64 = descriptors.iter().map(|(_, count)| count.0).sum();
        if descriptors.len() > UNMAP_DESCRIPTORS_MAX as usize || total > u64::from(UNMAP_BLOCKS_MAX) {
            return Err(invalid.into());
        }
        for (lba, count) in descriptors {
            oarlock_scsi::check_range(*lba, *count, self.unit.blocks())?;
        }
        Ok(())
    }

    /// Durable, where the unit has no write cache.
    async fn settle(&self) -> Outcome<()> {
        if self.unit.durability(false) == oarlock_device::Durability::Durable {
            self.unit.flush(&self.array).await.map_err(|error| failed(&error, true))?;
        }
        self.task.check()
    }

    fn clearing(&self) -> Clearing<'_> {
        let session = Some(self.task.session.shares(Some(&self.unit)));
        Clearing { array: &self.array, unit: &self.unit, course: &self.task, session }
    }

    /// A parameter list of `length` bytes.
    pub(super) async fn receive_list(&self, length: usize) -> Outcome<Vec<u8>> {
        let received = self.task.receive(&self.array.media, length).await?;
        Ok(received.map_or_else(Vec::new, |mut received| received.buffer.bytes()[..received.length].to_vec()))
    }
}
