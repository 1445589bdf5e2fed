//! Commands about the logical unit itself: INQUIRY, REQUEST SENSE, mode and log pages (SPC-5).

use super::cdb::Cdb;
use super::operation::Operation;
use crate::sense::{Sense, SenseForm};

/// REQUEST SENSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestSense {
    /// DESC: the form that is asked for.
    pub form: SenseForm,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u8,
}

/// INQUIRY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inquiry {
    /// EVPD and PAGE CODE: the vital product data page; `None` asks for the standard INQUIRY data.
    pub page: Option<u8>,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u16,
}

/// Which of the two lengths of a MODE command it is: their parameter headers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModeForm {
    /// Six bytes of CDB, a header of four.
    Six,
    /// Ten bytes of CDB, a header of eight.
    Ten,
}

/// PC: which values of a page are asked for (SPC-5, "MODE SENSE (6) command").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageControl {
    /// 00b: those in effect.
    Current,
    /// 01b: a mask of those that MODE SELECT may change.
    Changeable,
    /// 10b: those of a new unit.
    Default,
    /// 11b: those that outlive a reset.
    Saved,
}

impl PageControl {
    fn from_bits(bits: u8) -> PageControl {
        match bits & 3 {
            0 => PageControl::Current,
            1 => PageControl::Changeable,
            2 => PageControl::Default,
            _ => PageControl::Saved,
        }
    }
}

/// MODE SENSE(6) and (10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModeSense {
    /// Which CDB it is.
    pub form: ModeForm,
    /// DBD: no block descriptors.
    pub disable_block_descriptors: bool,
    /// LLBAA: a long block descriptor may be returned; only in the ten-byte form.
    pub long_lba_accepted: bool,
    /// PC.
    pub control: PageControl,
    /// PAGE CODE; 3Fh asks for all.
    pub page: u8,
    /// SUBPAGE CODE; FFh asks for all.
    pub subpage: u8,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u16,
}

/// MODE SELECT(6) and (10). Its parameter list is [`ModeList`](crate::ModeList).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModeSelect {
    /// Which CDB it is.
    pub form: ModeForm,
    /// PF: the list has pages as SPC-5 lays them out. Without it, a list that is not empty is the vendor's own.
    pub page_format: bool,
    /// SP: the pages are saved as well.
    pub save: bool,
    /// PARAMETER LIST LENGTH, in bytes; 0 is no error.
    pub parameter_list_length: u16,
}

/// PC of LOG SENSE and LOG SELECT: which values of the parameters are meant (SPC-5, "LOG SENSE command").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogControl {
    /// 00b: current thresholds.
    Threshold,
    /// 01b: current values.
    Cumulative,
    /// 10b: default thresholds.
    DefaultThreshold,
    /// 11b: default values.
    DefaultCumulative,
}

impl LogControl {
    fn from_bits(bits: u8) -> LogControl {
        match bits & 3 {
            0 => LogControl::Threshold,
            1 => LogControl::Cumulative,
            2 => LogControl::DefaultThreshold,
            _ => LogControl::DefaultCumulative,
        }
    }
}

/// LOG SENSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogSense {
    /// SP: the values are saved first.
    pub save: bool,
    /// PC.
    pub control: LogControl,
    /// PAGE CODE.
    pub page: u8,
    /// SUBPAGE CODE.
    pub subpage: u8,
    /// PARAMETER POINTER: parameters below it are left out.
    pub parameter_pointer: u16,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u16,
}

/// LOG SELECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogSelect {
    /// PCR: all parameters of the page, or of all pages, are reset.
    pub reset: bool,
    /// SP: the values are saved.
    pub save: bool,
    /// PC.
    pub control: LogControl,
    /// PAGE CODE.
    pub page: u8,
    /// SUBPAGE CODE.
    pub subpage: u8,
    /// PARAMETER LIST LENGTH, in bytes; 0 is no error.
    pub parameter_list_length: u16,
}

pub(super) fn request_sense(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    let form = if cdb.bit(1, 0) { SenseForm::Descriptor } else { SenseForm::Fixed };
    Ok(Operation::RequestSense(RequestSense { form, allocation_length: cdb.u8(4) }))
}

pub(super) fn inquiry(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    let page = cdb.bit(1, 0).then(|| cdb.u8(2));
    if page.is_none() && cdb.u8(2) != 0 {
        return Err(Sense::invalid_cdb(2, None));
    }
    Ok(Operation::Inquiry(Inquiry { page, allocation_length: cdb.u16(3) }))
}

fn mode_sense(cdb: Cdb<'_>, form: ModeForm, allocation_length: u16) -> Operation {
    Operation::ModeSense(ModeSense {
        form,
        disable_block_descriptors: cdb.bit(1, 3),
        long_lba_accepted: cdb.bit(1, 4),
        control: PageControl::from_bits(cdb.bits(2, 6, 2)),
        page: cdb.bits(2, 0, 6),
        subpage: cdb.u8(3),
        allocation_length,
    })
}

pub(super) fn mode_sense_6(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(mode_sense(cdb, ModeForm::Six, u16::from(cdb.u8(4))))
}

pub(super) fn mode_sense_10(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(mode_sense(cdb, ModeForm::Ten, cdb.u16(7)))
}

fn mode_select(cdb: Cdb<'_>, form: ModeForm, parameter_list_length: u16) -> Operation {
    let (page_format, save) = (cdb.bit(1, 4), cdb.bit(1, 0));
    Operation::ModeSelect(ModeSelect { form, page_format, save, parameter_list_length })
}

pub(super) fn mode_select_6(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(mode_select(cdb, ModeForm::Six, u16::from(cdb.u8(4))))
}

pub(super) fn mode_select_10(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(mode_select(cdb, ModeForm::Ten, cdb.u16(7)))
}

pub(super) fn log_sense(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::LogSense(LogSense {
        save: cdb.bit(1, 0),
        control: LogControl::from_bits(cdb.bits(2, 6, 2)),
        page: cdb.bits(2, 0, 6),
        subpage: cdb.u8(3),
        parameter_pointer: cdb.u16(5),
        allocation_length: cdb.u16(7),
    }))
}

pub(super) fn log_select(cdb: Cdb<'_>) -> Result<Operation, Sense> {
    let select = LogSelect {
        reset: cdb.bit(1, 1),
        save: cdb.bit(1, 0),
        control: LogControl::from_bits(cdb.bits(2, 6, 2)),
        page: cdb.bits(2, 0, 6),
        subpage: cdb.u8(3),
        parameter_list_length: cdb.u16(7),
    };
    // SPC-5, "LOG SELECT command": a reset, and a list of parameters beside it, exclude each other.
    if select.reset && select.parameter_list_length != 0 {
        return Err(Sense::invalid_cdb(1, Some(1)));
    }
    Ok(Operation::LogSelect(select))
}
