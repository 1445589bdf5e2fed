//! Commands that move blocks: READ, WRITE, WRITE AND VERIFY, ORWRITE, VERIFY (SBC-4).

use std::rc::Rc;

use oarlock_block::{BlockCount, Lba};
use oarlock_device::{DataBuffer, Durability};
use oarlock_scsi::{AdditionalSense, ByteCheck, Sense, Transfer, Verify, WriteAndVerify};

use super::sanitize::check_erasures;
use super::{Payload, Reply, Work, failed};
use crate::course::{Outcome, Stop};
use crate::limits::TRANSFER_MAX;
use crate::output::Data;
use crate::pool::Grant;
use crate::ranges::{Held, Hold};
use crate::task::Received;
use crate::unit::Unit;

/// What VERIFY reads at once.
const VERIFY_STEP: usize = 1 << 20;

impl Work {
    /// Blocks in this command's hands. Whoever is ended while it waits for them stops waiting: its fate is known.
    pub(super) async fn hold(&self, lba: Lba, count: BlockCount, hold: Hold) -> Outcome<Held> {
        let blocks = lba.0..lba.0 + count.0;
        let held = self.unit.ranges.ask(blocks.clone(), hold);
        if !held.is_granted() {
            Box::pin(self.task.or_aborted(held.granted())).await?;
        }
        if self.unit.atomic.refuses(&blocks, hold) {
            Box::pin(self.mend(&self.unit, &blocks, hold)).await?;
        }
        check_erasures(&self.unit, self.erasures)?;
        Ok(held)
    }

    /// A transfer that VPD page B0h says is too long.
    pub(super) fn check_length(&self, count: BlockCount) -> Outcome<usize> {
        let bytes = count.bytes(self.unit.block_size()).0;
        match usize::try_from(bytes) {
            Ok(length) if length <= TRANSFER_MAX => Ok(length),
            _ => Err(Sense::invalid_cdb(self.transfer_length_byte(), None).into()),
        }
    }

    /// Where the CDB's transfer length stands.
    fn transfer_length_byte(&self) -> usize {
        match self.command.description.cdb_length() {
            6 => 4,
            10 => 7,
            12 => 6,
            _ => 10,
        }
    }

    pub(super) async fn read(&self, transfer: Transfer) -> Outcome<Reply> {
        let length = self.check_length(transfer.count)?;
        if length == 0 {
            return Ok(Reply::good());
        }
        let permit = Rc::new(self.task.permit(&self.array.media, length).await?);
        let mut buffer = self.buffer(length)?;
        let _held = self.hold(transfer.lba, transfer.count, Hold::Shared).await?;
        if transfer.fua && self.unit.durability(false) == Durability::Volatile {
            // What is read is on the medium, or goes there first (SBC-4, READ (10) command, FUA).
            self.unit.flush(&self.array).await.map_err(|error| failed(&error, true))?;
            self.task.check()?;
        }
        self.read_into(&mut buffer, length, transfer.lba).await?;
        let data = Data { bytes: buffer.into_bytes(), _permit: permit };
        Ok(Reply { payload: Payload::Medium(data, length), ..Reply::good() })
    }

    pub(super) fn buffer(&self, length: usize) -> Outcome<DataBuffer> {
        self.array.media.buffer(length).map_err(|error| failed(&error, false))
    }

    pub(super) async fn read_into(&self, buffer: &mut DataBuffer, length: usize, lba: Lba) -> Outcome<()> {
        let from_byte = lba.byte_offset(self.unit.block_size());
        let read = self.array.media.read(self.unit.disk(), buffer, 0..length, from_byte).await;
        self.task.check()?;
        read.map_err(|error| failed(&error, false))
    }

    pub(super) async fn write_from(
        &self,
        buffer: &mut DataBuffer,
        part: std::ops::Range<usize>,
        lba: Lba,
        durability: Durability,
    ) -> Outcome<()> {
        let to_byte = lba.byte_offset(self.unit.block_size());
        let written = self.unit.write(&self.array, (buffer, part), to_byte, durability).await;
        self.task.check()?;
        written.map_err(|error| failed(&error, true))
    }

    /// The data of a command that wants `length` bytes: whole blocks, as far as the initiator has them. `None`: none at all.
    ///
    /// Data that end within a block are refused (FCP-4 lets a target choose that): whoever takes a part of a block for done would
    /// have something else there.
    pub(super) async fn receive_blocks(&self, length: usize) -> Outcome<Option<Received>> {
        let received = self.task.receive(&self.array.media, length).await?;
        match received {
            Some(received) if !received.length.is_multiple_of(self.unit.block_size().length()) => {
                Err(Sense::illegal(AdditionalSense::INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT).into())
            }
            received => Ok(received),
        }
    }

    /// The same, where the initiator sends as many bytes as the CDB asks for and no others: for what is one act, or a comparison, of which a part would be
    /// told as the whole.
    pub(super) async fn receive_exactly(&self, length: usize) -> Outcome<Option<Received>> {
        if self.task.command.data_out_length() != length {
            return Err(Sense::invalid_cdb(0, None).into());
        }
        self.receive_blocks(length).await
    }

    pub(super) fn blocks_in(&self, length: usize) -> BlockCount {
        BlockCount((length / self.unit.block_size().length()) as u64)
    }

    /// As many bytes as the initiator has. Where they end within a block, the rest of that stays as it is: some clients write 512 bytes to
    /// a block of 4,096.
    pub(super) async fn write(&self, transfer: Transfer) -> Outcome<Reply> {
        let length = self.check_length(transfer.count)?;
        let received = self.task.receive(&self.array.media, length).await?;
        let Some(mut received) = received else { return Ok(Reply::good()) };
        let block = self.unit.block_size().length();
        let whole = received.length / block * block;
        let count = BlockCount(received.length.div_ceil(block) as u64);
        let _held = self.hold(transfer.lba, count, Hold::Alone).await?;
        let durability = self.unit.durability(transfer.fua);
        if whole > 0 {
            self.write_from(&mut received.buffer, 0..whole, transfer.lba, durability).await?;
        }
        if whole < received.length {
            let part = &received.buffer.bytes()[whole..received.length];
            let lba = Lba(transfer.lba.0 + self.blocks_in(whole).0);
            Box::pin(self.write_part(part, lba, durability)).await?;
        }
        Ok(Reply::good())
    }

    /// Waits for memory to go on with, for whoever has blocks of a unit in its hands.
    pub(super) async fn step_of(&self, unit: &Unit, bytes: usize) -> Outcome<Grant> {
        let session = self.task.session.shares(Some(unit));
        self.task.or_aborted(self.array.media.step(Some(&session), &unit.shares, bytes)).await
    }

    /// The front of a block, which the caller holds.
    async fn write_part(&self, part: &[u8], lba: Lba, durability: Durability) -> Outcome<()> {
        let block = self.unit.block_size().length();
        let _grant = self.step_of(&self.unit, block).await?;
        let mut buffer = self.buffer(block)?;
        self.read_into(&mut buffer, block, lba).await?;
        buffer.bytes()[..part.len()].copy_from_slice(part);
        self.write_from(&mut buffer, 0..block, lba, durability).await
    }

    /// Written durably, and read again (SBC-4, WRITE AND VERIFY).
    pub(super) async fn write_and_verify(&self, write: WriteAndVerify) -> Outcome<Reply> {
        let transfer = write.transfer;
        let length = self.check_length(transfer.count)?;
        let Some(mut received) = self.receive_blocks(length).await? else { return Ok(Reply::good()) };
        let count = self.blocks_in(received.length);
        let _held = self.hold(transfer.lba, count, Hold::Alone).await?;
        self.write_from(&mut received.buffer, 0..received.length, transfer.lba, Durability::Durable).await?;
        self.compare(transfer.lba, &mut received, !write.compare).await?;
        Ok(Reply::good())
    }

    /// The blocks become the bits of both (SBC-4, ORWRITE (16) command).
    pub(super) async fn or_write(&self, transfer: Transfer) -> Outcome<Reply> {
        let length = self.check_length(transfer.count)?;
        let Some(mut received) = self.receive_blocks(length).await? else { return Ok(Reply::good()) };
        let count = self.blocks_in(received.length);
        let _held = self.hold(transfer.lba, count, Hold::Alone).await?;
        self.against(transfer.lba, &mut received, |_, new, found| {
            new.iter_mut().zip(found).for_each(|(new, found)| *new |= *found);
            Ok(())
        })
        .await?;
        let durability = self.unit.durability(transfer.fua);
        self.write_from(&mut received.buffer, 0..received.length, transfer.lba, durability).await?;
        Ok(Reply::good())
    }

    pub(super) async fn verify(&self, verify: Verify) -> Outcome<Reply> {
        let Transfer { lba, count, .. } = verify.transfer;
        match verify.byte_check {
            ByteCheck::Medium => self.verify_medium(lba, count).await,
            ByteCheck::Blocks => {
                let length = self.check_length(count)?;
                let Some(mut received) = self.receive_exactly(length).await? else {
                    return Ok(Reply::good());
                };
                let _held = self.hold(lba, self.blocks_in(received.length), Hold::Shared).await?;
                self.compare(lba, &mut received, false).await?;
                Ok(Reply::good())
            }
            ByteCheck::Same => self.verify_same(lba, count).await,
        }
    }

    /// Every block can be read. It promises nothing of all blocks at one time, so it holds them step by step: it may cover the whole unit,
    /// and would keep every writer waiting for hours.
    async fn verify_medium(&self, lba: Lba, count: BlockCount) -> Outcome<Reply> {
        for (lba, count) in self.steps(lba, count) {
            let _held = self.hold(lba, count, Hold::Shared).await?;
            let length = self.check_length(count)?;
            let _grant = self.step_of(&self.unit, length).await?;
            let mut buffer = self.buffer(length)?;
            self.read_into(&mut buffer, length, lba).await?;
        }
        Ok(Reply::good())
    }

    /// Every block is the one that was sent; they are held step by step, too.
    async fn verify_same(&self, lba: Lba, count: BlockCount) -> Outcome<Reply> {
        let block = self.unit.block_size().length();
        let wanted = if count.0 == 0 { 0 } else { block };
        let Some(mut received) = self.receive_exactly(wanted).await? else { return Ok(Reply::good()) };
        let pattern = received.buffer.bytes()[..block].to_vec();
        drop(received);
        let mut done = 0;
        for (lba, count) in self.steps(lba, count) {
            let _held = self.hold(lba, count, Hold::Shared).await?;
            let length = self.check_length(count)?;
            let _grant = self.step_of(&self.unit, length).await?;
            let mut found = self.buffer(length)?;
            self.read_into(&mut found, length, lba).await?;
            let found = &found.bytes()[..length];
            for (place, found) in found.chunks_exact(block).enumerate() {
                if let Some(offset) = first_difference(&pattern, found) {
                    return Err(Sense::miscompare((done + place * block + offset) as u64).into());
                }
            }
            done += length;
        }
        Ok(Reply::good())
    }

    /// Reads what was received again, and compares it unless only reading is asked for.
    async fn compare(&self, lba: Lba, received: &mut Received, only_read: bool) -> Outcome<()> {
        self.against(lba, received, |at, sent, found| {
            match first_difference(sent, found).filter(|_| !only_read) {
                Some(offset) => Err(Stop::from(Sense::miscompare((at + offset) as u64))),
                None => Ok(()),
            }
        })
        .await
    }

    /// Holds what was received against what is there, step by step: `look` is given where in it a step begins, the step, and what is
    /// there. Whoever has blocks in its hands has memory of its own to go on with, and little of it.
    async fn against(
        &self,
        lba: Lba,
        received: &mut Received,
        mut look: impl FnMut(usize, &mut [u8], &[u8]) -> Outcome<()>,
    ) -> Outcome<()> {
        let mut at = 0;
        for (lba, count) in self.steps(lba, self.blocks_in(received.length)) {
            let length = self.check_length(count)?;
            let _grant = self.step_of(&self.unit, length).await?;
            let mut found = self.buffer(length)?;
            self.read_into(&mut found, length, lba).await?;
            look(at, &mut received.buffer.bytes()[at..at + length], &found.bytes()[..length])?;
            at += length;
        }
        Ok(())
    }

    /// A run of blocks in steps that fit a buffer.
    fn steps(&self, lba: Lba, count: BlockCount) -> impl Iterator<Item = (Lba, BlockCount)> + use<> {
        let step = (VERIFY_STEP / self.unit.block_size().length()) as u64;
        (0..count.0.div_ceil(step)).map(move |number| {
            let done = number * step;
            (Lba(lba.0 + done), BlockCount(step.min(count.0 - done)))
        })
    }
}

/// Where two runs of bytes first differ.
pub(super) fn first_difference(left: &[u8], right: &[u8]) -> Option<usize> {
    if left == right {
        return None;
    }
    left.iter().zip(right).position(|(left, right)| left != right)
}
