//! Commands about the medium as a whole: start and stop, removal, capacity, defects (SBC-4).

use super::cdb::Cdb;
use super::operation::Operation;
use crate::sense::Sense;

/// START STOP UNIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StartStopUnit {
    /// IMMED: status may be returned before the work is done.
    pub immediate: bool,
    /// POWER CONDITION; with any but 0, `start` and `load_eject` are ignored.
    pub power_condition: u8,
    /// POWER CONDITION MODIFIER.
    pub power_condition_modifier: u8,
    /// NO_FLUSH: the cache need not be written first.
    pub no_flush: bool,
    /// LOEJ: the medium is loaded, or ejected.
    pub load_eject: bool,
    /// START: the unit becomes active, or stops.
    pub start: bool,
}

/// Which defects READ DEFECT DATA asks for, and how they are addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReadDefectData {
    /// Whether it is the twelve-byte CDB, whose header differs.
    pub is_twelve: bool,
    /// REQ_PLIST: those that the maker found.
    pub primary: bool,
    /// REQ_GLIST: those that came later.
    pub grown: bool,
    /// DEFECT LIST FORMAT.
    pub format: u8,
    /// ADDRESS DESCRIPTOR INDEX of the twelve-byte form.
    pub index: u32,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u32,
}

pub(super) fn start_stop_unit(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::StartStopUnit(StartStopUnit {
        immediate: cdb.bit(1, 0),
        power_condition: cdb.bits(4, 4, 4),
        power_condition_modifier: cdb.bits(3, 0, 4),
        no_flush: cdb.bit(4, 2),
        load_eject: cdb.bit(4, 1),
        start: cdb.bit(4, 0),
    }))
}

pub(super) fn prevent_allow(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::PreventAllowMediumRemoval { prevent: cdb.bits(4, 0, 2) != 0 })
}

pub(super) fn test_unit_ready(_: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::TestUnitReady)
}

pub(super) fn read_capacity_10(_: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::ReadCapacity10)
}

pub(super) fn read_capacity_16(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::ReadCapacity16 { allocation_length: cdb.u32(10) })
}

pub(super) fn read_defect_data_10(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::ReadDefectData(ReadDefectData {
        is_twelve: false,
        primary: cdb.bit(2, 4),
        grown: cdb.bit(2, 3),
        format: cdb.bits(2, 0, 3),
        index: 0,
        allocation_length: u32::from(cdb.u16(7)),
    }))
}

pub(super) fn read_defect_data_12(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::ReadDefectData(ReadDefectData {
        is_twelve: true,
        primary: cdb.bit(1, 4),
        grown: cdb.bit(1, 3),
        format: cdb.bits(1, 0, 3),
        index: cdb.u32(2),
        allocation_length: cdb.u32(6),
    }))
}
