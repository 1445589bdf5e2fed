//! What a unit has mapped: GET LBA STATUS (SBC-4).

use oarlock_block::{BlockCount, Lba};
use oarlock_device::Content;
use oarlock_scsi::{AdditionalSense, GetLbaStatus, LbaStatus, LbaStatusList, Sense, SenseKey, check_range};

use super::{Reply, Work};
use crate::course::Outcome;

/// Descriptors of one answer.
const DESCRIPTORS_MAX: usize = 64;

impl Work {
    pub(super) async fn get_lba_status(&self, status: GetLbaStatus) -> Outcome<Reply> {
        check_range(status.lba, BlockCount(1), self.unit.blocks())?;
        let room = LbaStatusList::room(status.allocation_length).min(DESCRIPTORS_MAX);
        let block = u64::from(self.unit.block_size().bytes());
        let size = self.unit.geometry().size().0;
        let mut at = status.lba.byte_offset(self.unit.block_size());
        let mut list = LbaStatusList::default();
        while at < size && list.ranges.len() < room {
            let (end, state) = self.run(at, block, size)?;
            let count = ((end - at) / block).min(u64::from(u32::MAX));
            list.ranges.push((Lba(at / block), u32::try_from(count).unwrap_or(u32::MAX), state));
            at += count * block;
        }
        Ok(Reply::bytes(list.encode(), status.allocation_length))
    }

    /// The run of blocks that are alike from byte `at` on, and where it ends. A block with a byte of data is mapped as a whole.
    fn run(&self, at: u64, block: u64, size: u64) -> Outcome<(u64, LbaStatus)> {
        let failed = |_| Sense::new(SenseKey::MediumError, AdditionalSense::UNRECOVERED_READ_ERROR);
        if !self.unit.traits.is_thin {
            return Ok((size, LbaStatus::Mapped));
        }
        let region = self.unit.medium.region(at).map_err(failed)?;
        let whole = region.end_byte / block * block;
        if region.content == Content::Data || whole <= at {
            return Ok((region.end_byte.next_multiple_of(block).clamp(at + block, size), LbaStatus::Mapped));
        }
        match region.content {
            Content::Reserved => Ok((whole, LbaStatus::Anchored)),
            Content::Data | Content::Hole => Ok((whole, LbaStatus::Deallocated)),
        }
    }
}
