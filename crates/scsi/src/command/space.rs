//! Commands about blocks that move no data of their own: the same block many times, blocks that are given back, the whole medium (SBC-4).

use oarlock_block::{BlockCount, Lba};

use super::cdb::Cdb;
use super::operation::Operation;
use crate::sense::Sense;

/// WRITE SAME(10) and (16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriteSame {
    /// The first block.
    pub lba: Lba,
    /// How many; `None` asks for all up to the last block, which a unit with WSNZ set in its block limits page refuses.
    pub count: Option<BlockCount>,
    /// UNMAP: the blocks may be unmapped if they read as the block of the data-out then.
    pub unmap: bool,
    /// ANCHOR: unmapped blocks stay anchored. Only with `unmap`.
    pub anchor: bool,
    /// NDOB: there is no data-out, and the block is zeros.
    pub no_data_out: bool,
    /// GROUP NUMBER.
    pub group: u8,
}

/// UNMAP. Its parameter list is [`UnmapList`](crate::UnmapList).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unmap {
    /// ANCHOR: the blocks become anchored.
    pub anchor: bool,
    /// GROUP NUMBER.
    pub group: u8,
    /// PARAMETER LIST LENGTH, in bytes; 0 is no error.
    pub parameter_list_length: u16,
}

/// GET LBA STATUS(16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GetLbaStatus {
    /// The first block.
    pub lba: Lba,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u32,
}

/// What SANITIZE does (SBC-4, "SANITIZE command").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SanitizeAction {
    /// 01h: the parameter list's pattern over everything; the list is [`SanitizeOverwrite`](crate::SanitizeOverwrite).
    Overwrite {
        /// PARAMETER LIST LENGTH, in bytes.
        parameter_list_length: u16,
    },
    /// 02h: everything is erased.
    BlockErase,
    /// 1Fh: after a sanitize that failed, the unit becomes usable again.
    ExitFailureMode,
}

/// SANITIZE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sanitize {
    /// What it does.
    pub action: SanitizeAction,
    /// IMMED: status is returned when the CDB and the parameters are found good.
    pub immediate: bool,
    /// AUSE: a sanitize that fails may be left by EXIT FAILURE MODE.
    pub allow_unrestricted_exit: bool,
}

pub(super) fn write_same_10(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    write_same(cdb, cdb.lba32(), cdb.count16(7), cdb.bits(6, 0, 6), false)
}

pub(super) fn write_same_16(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    write_same(cdb, cdb.lba64(), cdb.count32(10), cdb.bits(14, 0, 6), cdb.bit(1, 0))
}

fn write_same(
    cdb: Cdb<'_>,
    lba: Lba,
    count: BlockCount,
    group: u8,
    no_data_out: bool,
) -> Result<Operation, Sense> {
    let (anchor, unmap) = (cdb.bit(1, 4), cdb.bit(1, 3));
    if anchor && !unmap {
        return Err(Sense::invalid_cdb(1, Some(4)));
    }
    let count = Some(count).filter(|count| count.0 != 0);
    Ok(Operation::WriteSame(WriteSame { lba, count, unmap, anchor, no_data_out, group }))
}

pub(super) fn unmap(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::Unmap(Unmap {
        anchor: cdb.bit(1, 0),
        group: cdb.bits(6, 0, 6),
        parameter_list_length: cdb.u16(7),
    }))
}

pub(super) fn get_lba_status(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::GetLbaStatus(GetLbaStatus { lba: cdb.lba64(), allocation_length: cdb.u32(10) }))
}

pub(super) fn sanitize_overwrite(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    sanitize(cdb, SanitizeAction::Overwrite { parameter_list_length: cdb.u16(7) })
}

pub(super) fn sanitize_block_erase(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    sanitize(cdb, SanitizeAction::BlockErase)
}

pub(super) fn sanitize_exit_failure_mode(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    sanitize(cdb, SanitizeAction::ExitFailureMode)
}

fn sanitize(cdb: Cdb<'_>, action: SanitizeAction) -> Result<Operation, Sense> {
    let (immediate, allow_unrestricted_exit) = (cdb.bit(1, 7), cdb.bit(1, 5));
    Ok(Operation::Sanitize(Sanitize { action, immediate, allow_unrestricted_exit }))
}
