//! Commands that read, write or compare blocks (SBC-4).

use oarlock_block::{BlockCount, BlockSize, ByteCount, Lba};

use super::cdb::Cdb;
use super::operation::Operation;
use crate::sense::Sense;

/// The blocks of a transfer, and how the cache is to treat them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transfer {
    /// The first block.
    pub lba: Lba,
    /// How many; none is no error.
    pub count: BlockCount,
    /// DPO: they need not stay in the cache.
    pub dpo: bool,
    /// FUA: they come from the medium, or are on it before the command ends.
    pub fua: bool,
    /// GROUP NUMBER: whom the command is counted for. The array counts no groups.
    pub group: u8,
}

/// How VERIFY compares (SBC-4, "VERIFY (10) command", BYTCHK).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteCheck {
    /// 00b: no data-out; the blocks are read and their medium checked.
    Medium,
    /// 01b: each block with its own of the data-out.
    Blocks,
    /// 11b: each block with the one block of the data-out.
    Same,
}

/// VERIFY, all lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verify {
    /// The blocks; `fua` is never set.
    pub transfer: Transfer,
    /// What they are compared with.
    pub byte_check: ByteCheck,
}

/// WRITE AND VERIFY, all lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriteAndVerify {
    /// The blocks; `fua` is never set, as what is verified is on the medium.
    pub transfer: Transfer,
    /// What was written is compared byte by byte; otherwise its medium is checked.
    pub compare: bool,
}

/// WRITE ATOMIC(16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriteAtomic {
    /// The blocks.
    pub transfer: Transfer,
    /// ATOMIC BOUNDARY, in blocks: each part of that size is atomic by itself; 0 asks for one part.
    pub boundary: BlockCount,
}

/// PRE-FETCH and SYNCHRONIZE CACHE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheRange {
    /// The first block.
    pub lba: Lba,
    /// How many; `None` asks for all up to the last block.
    pub count: Option<BlockCount>,
    /// IMMED: status may be returned before the work is done.
    pub immediate: bool,
    /// GROUP NUMBER.
    pub group: u8,
}

impl Verify {
    /// The length of the data-out.
    #[must_use]
    pub fn data_out_length(&self, block_size: BlockSize) -> Option<ByteCount> {
        match self.byte_check {
            ByteCheck::Medium => None,
            ByteCheck::Blocks => Some(self.transfer.count.bytes(block_size)),
            ByteCheck::Same => Some(BlockCount(self.transfer.count.0.min(1)).bytes(block_size)),
        }
    }
}

/// Which fields a CDB of 6, 10, 12 or 16 bytes has where.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Six,
    Ten,
    Twelve,
    Sixteen,
}

fn transfer(cdb: Cdb<'_>, form: Form) -> Transfer {
    let (dpo, fua) = (cdb.bit(1, 4), cdb.bit(1, 3));
    match form {
        Form::Six => Transfer {
            lba: Lba(u64::from(cdb.u32(0) & 0x001f_ffff)),
            // SBC-4, "READ (6) command": a TRANSFER LENGTH of 0 asks for 256 blocks.
            count: BlockCount(if cdb.u8(4) == 0 { 256 } else { u64::from(cdb.u8(4)) }),
            dpo: false,
            fua: false,
            group: 0,
        },
        Form::Ten => Transfer { lba: cdb.lba32(), count: cdb.count16(7), dpo, fua, group: cdb.bits(6, 0, 6) },
        Form::Twelve => {
            Transfer { lba: cdb.lba32(), count: cdb.count32(6), dpo, fua, group: cdb.bits(10, 0, 6) }
        }
        Form::Sixteen => {
            Transfer { lba: cdb.lba64(), count: cdb.count32(10), dpo, fua, group: cdb.bits(14, 0, 6) }
        }
    }
}

/// The transfer of a VERIFY or WRITE AND VERIFY, where the bit of FUA is none.
fn verified(cdb: Cdb<'_>, form: Form) -> Transfer {
    Transfer { fua: false, ..transfer(cdb, form) }
}

macro_rules! by_form {
    ($($name:ident: $form:ident, $decode:ident;)+) => {
        $(pub(super) fn $name(cdb: Cdb<'_>) -> Result<Operation, Sense> {
            $decode(cdb, Form::$form)
        })+
    };
}

by_form! {
    read_6: Six, read;
    read_10: Ten, read;
    read_12: Twelve, read;
    read_16: Sixteen, read;
    write_6: Six, write;
    write_10: Ten, write;
    write_12: Twelve, write;
    write_16: Sixteen, write;
    verify_10: Ten, verify;
    verify_12: Twelve, verify;
    verify_16: Sixteen, verify;
    write_and_verify_10: Ten, write_and_verify;
    write_and_verify_12: Twelve, write_and_verify;
    write_and_verify_16: Sixteen, write_and_verify;
    pre_fetch_10: Ten, pre_fetch;
    pre_fetch_16: Sixteen, pre_fetch;
    synchronize_cache_10: Ten, synchronize_cache;
    synchronize_cache_16: Sixteen, synchronize_cache;
}

fn read(cdb: Cdb<'_>, form: Form) -> Result<Operation, Sense> {
    Ok(Operation::Read(transfer(cdb, form)))
}

fn write(cdb: Cdb<'_>, form: Form) -> Result<Operation, Sense> {
    Ok(Operation::Write(transfer(cdb, form)))
}

fn verify(cdb: Cdb<'_>, form: Form) -> Result<Operation, Sense> {
    let byte_check = match cdb.bits(1, 1, 2) {
        0b00 => ByteCheck::Medium,
        0b01 => ByteCheck::Blocks,
        0b11 => ByteCheck::Same,
        _ => return Err(Sense::invalid_cdb(1, Some(2))),
    };
    Ok(Operation::Verify(Verify { transfer: verified(cdb, form), byte_check }))
}

fn write_and_verify(cdb: Cdb<'_>, form: Form) -> Result<Operation, Sense> {
    let compare = match cdb.bits(1, 1, 2) {
        0b00 => false,
        0b01 => true,
        _ => return Err(Sense::invalid_cdb(1, Some(2))),
    };
    Ok(Operation::WriteAndVerify(WriteAndVerify { transfer: verified(cdb, form), compare }))
}

fn cache_range(cdb: Cdb<'_>, form: Form) -> CacheRange {
    let Transfer { lba, count, group, .. } = transfer(cdb, form);
    let count = Some(count).filter(|count| count.0 != 0);
    CacheRange { lba, count, immediate: cdb.bit(1, 1), group }
}

fn pre_fetch(cdb: Cdb<'_>, form: Form) -> Result<Operation, Sense> {
    Ok(Operation::PreFetch(cache_range(cdb, form)))
}

fn synchronize_cache(cdb: Cdb<'_>, form: Form) -> Result<Operation, Sense> {
    Ok(Operation::SynchronizeCache(cache_range(cdb, form)))
}

pub(super) fn orwrite_16(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::OrWrite(transfer(cdb, Form::Sixteen)))
}

pub(super) fn compare_and_write(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    let count = BlockCount(u64::from(cdb.u8(13)));
    Ok(Operation::CompareAndWrite(Transfer { count, ..transfer(cdb, Form::Sixteen) }))
}

pub(super) fn write_atomic_16(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    let transfer = Transfer { count: cdb.count16(12), ..transfer(cdb, Form::Sixteen) };
    Ok(Operation::WriteAtomic(WriteAtomic { transfer, boundary: cdb.count16(10) }))
}
