//! COMPARE AND WRITE: the one act that locks are made of (SBC-4, COMPARE AND WRITE command).
//!
//! The blocks are held alone from before they are read until after they were written, so that nothing comes in between:
//! no write, no unmap, no copy, no other COMPARE AND WRITE, whatever session or portal it comes from. A command that is
//! aborted before its write was sent leaves the blocks as they were; one whose write was sent is over only when the medium
//! has answered that.

use oarlock_block::BlockCount;
use oarlock_scsi::{Sense, Transfer};

use super::blocks::first_difference;
use super::{Reply, Work};
use crate::course::Outcome;
use crate::limits::COMPARE_BLOCKS_MAX;
use crate::ranges::Hold;

/// The byte of the CDB that has the number of blocks.
const COUNT_BYTE: usize = 13;

impl Work {
    pub(super) async fn compare_and_write(&self, transfer: Transfer) -> Outcome<Reply> {
        let BlockCount(count) = transfer.count;
        if count > u64::from(COMPARE_BLOCKS_MAX) {
            return Err(Sense::invalid_cdb(COUNT_BYTE, None).into());
        }
        let length = transfer.count.bytes(self.unit.block_size()).0;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        // An initiator that sends anything but two times that means another count than it says.
        if self.task.command.data_out_length() != 2 * length {
            return Err(Sense::invalid_cdb(COUNT_BYTE, None).into());
        }
        let Some(mut received) = self.task.receive(&self.array.media, 2 * length).await? else {
            return Ok(Reply::good());
        };
        let _held = self.hold(transfer.lba, transfer.count, Hold::Alone).await?;
        let mut found = self.buffer(length)?;
        self.read_into(&mut found, length, transfer.lba).await?;
        if let Some(offset) = first_difference(&received.buffer.bytes()[..length], &found.bytes()[..length]) {
            return Err(Sense::miscompare(offset as u64).into());
        }
        let durability = self.unit.durability(transfer.fua);
        self.write_from(&mut received.buffer, length..2 * length, transfer.lba, durability).await?;
        Ok(Reply::good())
    }
}
