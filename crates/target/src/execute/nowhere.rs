//! What answers where no unit is: LUN 0 and the REPORT LUNS well-known unit, which tell an initiator the units there are, and nothing elsewhere
//! (SPC-5, "Incorrect logical unit selection" and "REPORT LUNS well known logical unit").

use oarlock_scsi::vpd::{DeviceIdentification, SupportedPages, page};
use oarlock_scsi::{
    AdditionalSense, Command, Inquiry, Lun, LunAddress, LunList, Operation, Peripheral, ReportLuns,
    SelectReport, Sense, SenseKey,
};

use super::{Reply, inquire};
use crate::array::Array;
use crate::course::Outcome;
use crate::session::Nexus;
use crate::task::Task;

/// What is at a LUN behind which is no unit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Every initiator asks LUN 0 first, whatever there is.
    Zero,
    WellKnown,
    Nothing,
}

/// Executes a command to where no unit is.
pub(super) fn perform(array: &Array, task: &Task, command: Result<Command, Sense>) -> Outcome<Reply> {
    let place = match Lun(task.command.lun).address() {
        Some(LunAddress::Unit(0)) => Place::Zero,
        _ if Lun(task.command.lun) == Lun::REPORT_LUNS => Place::WellKnown,
        _ => Place::Nothing,
    };
    let is_well_known = place == Place::WellKnown;
    let nothing = Sense::illegal(AdditionalSense::LOGICAL_UNIT_NOT_SUPPORTED);
    match command.map(|command| command.operation) {
        Ok(Operation::ReportLuns(report)) if place != Place::Nothing => {
            Ok(array.report_luns(&task.session.nexus, report))
        }
        Ok(Operation::Inquiry(inquiry)) if is_well_known => well_known(array, task, inquiry),
        Ok(Operation::Inquiry(inquiry)) if inquiry.page.is_none() => {
            let peripheral = if place == Place::Zero { Peripheral::NOT_CONNECTED } else { Peripheral::NONE };
            Ok(Reply::bytes(inquire::of_no_unit(peripheral).encode(), inquiry.allocation_length))
        }
        Ok(Operation::RequestSense(request)) => {
            let no_sense = Sense::new(SenseKey::NoSense, AdditionalSense::NO_ADDITIONAL_SENSE_INFORMATION);
            let sense = if is_well_known { no_sense } else { nothing };
            Ok(Reply::bytes(sense.encode(request.form), request.allocation_length))
        }
        Ok(Operation::TestUnitReady) if is_well_known => Ok(Reply::good()),
        Ok(_) if is_well_known => Err(Sense::illegal(AdditionalSense::INVALID_COMMAND_OPERATION_CODE).into()),
        Err(sense) if is_well_known => Err(sense.into()),
        _ => Err(nothing.into()),
    }
}

fn well_known(array: &Array, task: &Task, inquiry: Inquiry) -> Outcome<Reply> {
    const PAGES: [u8; 2] = [page::SUPPORTED, page::DEVICE_IDENTIFICATION];
    let mut data = match inquiry.page {
        None => inquire::of_no_unit(Peripheral::WELL_KNOWN).encode(),
        Some(page::SUPPORTED) => SupportedPages { pages: PAGES.to_vec() }.encode(),
        Some(page::DEVICE_IDENTIFICATION) => {
            let designations = array.designations(task.session.nexus.portal);
            DeviceIdentification { designations }.encode()
        }
        Some(_) => return Err(Sense::invalid_cdb(2, None).into()),
    };
    data[0] = Peripheral::WELL_KNOWN.0;
    Ok(Reply::bytes(data, inquiry.allocation_length))
}

impl Array {
    /// The units that are asked for. Whoever asks knows of all changes to them.
    pub(super) fn report_luns(&self, nexus: &Nexus, report: ReportLuns) -> Reply {
        let units = self.units_for(&nexus.initiator);
        units.iter().for_each(|unit| {
            unit.clear_attention(nexus, AdditionalSense::REPORTED_LUNS_DATA_HAS_CHANGED);
        });
        let ordinary = units.iter().map(|unit| unit.lun);
        let luns = match report.select {
            SelectReport::Ordinary | SelectReport::NonSubsidiary => ordinary.collect(),
            SelectReport::WellKnown => vec![Lun::REPORT_LUNS],
            SelectReport::All => ordinary.chain([Lun::REPORT_LUNS]).collect(),
            SelectReport::Administrative | SelectReport::Subsidiary => Vec::new(),
        };
        Reply::bytes(LunList { luns }.encode(), report.allocation_length)
    }
}
