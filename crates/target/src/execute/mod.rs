//! A command from its arrival to its status: what every command has in common.

mod atomic;
mod blocks;
mod clearing;
mod compare;
mod copy;
mod erasure;
mod fault;
mod inquire;
mod map;
mod medium;
mod nowhere;
mod report;
mod reserve;
mod respond;
mod same;
mod sanitize;
mod settings;

use std::rc::Rc;

use oarlock_block::{IoError, Refusal};
use oarlock_scsi::iscsi::TaskAttribute;
use oarlock_scsi::{
    AccessRule, AccessState, AdditionalSense, Command, Operation, ReservationRule, Sense, SenseKey, Status,
    check_range, decode,
};

use crate::array::Array;
use crate::course::{Outcome, Stop};
use crate::output::Data;
use crate::task::Task;
use crate::task_set::Place;
use crate::unit::Unit;

pub(crate) use erasure::{Erasing, Erasure, is_erased_at_the_front, resume};
pub(crate) use fault::Faults;

/// What a command ends with.
pub(crate) struct Reply {
    pub(crate) status: Status,
    pub(crate) sense: Option<Sense>,
    pub(crate) payload: Payload,
}

/// What goes to the initiator.
pub(crate) enum Payload {
    Nothing,
    /// Parameter data, and the allocation length that cuts them.
    Bytes(Vec<u8>, u64),
    /// What a medium gave: so many bytes of it.
    Medium(Data, usize),
}

impl Reply {
    pub(crate) fn good() -> Reply {
        Reply { status: Status::GOOD, sense: None, payload: Payload::Nothing }
    }

    fn bytes(data: Vec<u8>, allocation_length: impl Into<u64>) -> Reply {
        Reply { payload: Payload::Bytes(data, allocation_length.into()), ..Reply::good() }
    }

    fn check(sense: Sense) -> Reply {
        Reply { status: Status::CHECK_CONDITION, sense: Some(sense), payload: Payload::Nothing }
    }

    fn status(status: Status) -> Reply {
        Reply { status, sense: None, payload: Payload::Nothing }
    }
}

/// Everything that a command's work needs.
pub(crate) struct Work {
    pub(crate) array: Rc<Array>,
    pub(crate) task: Rc<Task>,
    pub(crate) unit: Rc<Unit>,
    pub(crate) command: Command,
    /// How many sanitizes of the unit had begun when this began.
    erasures: u64,
}

/// A command begins: it takes its place in the task set of its unit, at once, for task management that comes behind it in the
/// same turn means it, too.
pub(crate) fn begin(array: &Rc<Array>, task: Rc<Task>) {
    task.begun();
    let unit = task.unit.clone().filter(|unit| !unit.is_gone.get());
    let place = unit.map(|unit| Place::take(unit, &task));
    array.spawn(run(Rc::clone(array), task, place));
}

async fn run(array: Rc<Array>, task: Rc<Task>, place: Option<Result<Place, Status>>) {
    let command = decode(&task.command.cdb);
    let outcome = match &place {
        Some(Err(status)) => Err(Stop::Status(*status)),
        _ if task.inbound.borrow().is_refused() => Err(Stop::Status(Status::TASK_SET_FULL)),
        Some(Ok(place)) => in_turn(&array, &task, place, &command).await,
        None => nowhere::perform(&array, &task, command),
    };
    let reply = match outcome {
        Ok(reply) => Ok(reply),
        Err(Stop::Check(sense)) => Ok(Reply::check(*sense)),
        Err(Stop::Status(status)) => Ok(Reply::status(status)),
        Err(Stop::Aborted) => Err(()),
    };
    // What the initiator still sends unasked belongs to this command: its tag is not free before that came.
    if reply.is_ok() {
        let _ = task.until(|| !task.inbound.borrow().is_unasked_open()).await;
    }
    task.session.tasks.borrow_mut().remove(&task.command.task_tag);
    drop(place);
    respond::respond(&array, &task, command.ok(), reply.ok());
    task.over();
}

async fn in_turn(
    array: &Rc<Array>,
    task: &Rc<Task>,
    place: &Place,
    command: &Result<Command, Sense>,
) -> Outcome<Reply> {
    let unit = &place.unit;
    if matches!(task.command.attribute, TaskAttribute::Aca | TaskAttribute::Reserved(_)) {
        // No nexus has an auto contingent allegiance here (SAM-5, "Task attributes").
        return Err(Sense::illegal(AdditionalSense::INVALID_MESSAGE_ERROR).into());
    }
    place.turn(task).await?;
    let command = (*command)?;
    let nexus = &task.session.nexus;
    if !command.description.passes_unit_attention
        && let Some(code) = unit.take_attention(nexus)
    {
        return Err(Sense::attention(code).into());
    }
    let erasures = unit.erasures.get();
    let work =
        Work { array: Rc::clone(array), task: Rc::clone(task), unit: Rc::clone(unit), command, erasures };
    work.check()?;
    if array.faults.is_empty() { work.perform().await } else { Box::pin(work.misbehave()).await }
}

/// What a command wants of a unit.
#[derive(Clone, Copy)]
struct Wanted {
    access: AccessRule,
    reservation: ReservationRule,
    needs_medium: bool,
    modifies_medium: bool,
}

impl Work {
    /// What keeps a command from being executed at all.
    fn check(&self) -> Outcome<()> {
        let description = self.command.description;
        if !self.is_supported(description) {
            // What REPORT SUPPORTED OPERATION CODES does not tell of is not there, be the unit as it may.
            return Err(match description.service_action {
                None => {
                    Sense::illegal(AdditionalSense::INVALID_COMMAND_OPERATION_CODE).at(true, 0, None).into()
                }
                Some(_) => Sense::invalid_cdb(1, Some(4)).into(),
            });
        }
        let wanted = Wanted {
            access: description.access,
            reservation: self.command.reservation_rule(),
            needs_medium: description.needs_medium,
            modifies_medium: description.modifies_medium,
        };
        self.check_unit(&self.unit, wanted)?;
        if let Some((lba, count)) = self.command.blocks(self.unit.blocks()) {
            check_range(lba, count, self.unit.blocks())?;
        }
        Ok(())
    }

    fn check_unit(&self, unit: &Unit, wanted: Wanted) -> Outcome<()> {
        let nexus = &self.task.session.nexus;
        self.check_access(unit, wanted.access)?;
        self.check_sanitize(unit)?;
        let state = unit.state.borrow();
        let is_reserved = state.reserved_by.as_ref().is_some_and(|holder| holder != nexus);
        // RESERVE and persistent reservations exclude each other, for who holds the one, too (SPC-2, 5.5.1).
        let is_excluded =
            state.reserved_by.is_some() && wanted.reservation == ReservationRule::PersistentReserveOut;
        let is_kept_out = is_excluded || is_reserved && !wanted.reservation.passes_reserve();
        if is_kept_out || !unit.reservations.borrow().lets(nexus, wanted.reservation) {
            return Err(Stop::Status(Status::RESERVATION_CONFLICT));
        }
        if wanted.needs_medium && !state.is_loaded {
            return Err(Sense::not_ready(AdditionalSense::MEDIUM_NOT_PRESENT).into());
        }
        drop(state);
        if wanted.modifies_medium && unit.is_write_protected() {
            return Err(Sense::new(SenseKey::DataProtect, AdditionalSense::WRITE_PROTECTED).into());
        }
        Ok(())
    }

    /// What the asymmetric access state of the port lets through (SPC-5, "Target port asymmetric access states").
    fn check_access(&self, unit: &Unit, rule: AccessRule) -> Outcome<()> {
        let code = match (unit.access(self.task.session.nexus.portal), rule) {
            (AccessState::Standby, AccessRule::Active) => AdditionalSense::TARGET_PORT_IN_STANDBY_STATE,
            (AccessState::Unavailable, AccessRule::Active | AccessRule::Standby) => {
                AdditionalSense::TARGET_PORT_IN_UNAVAILABLE_STATE
            }
            _ => return Ok(()),
        };
        Err(Sense::not_ready(code).into())
    }

    /// The commands that there are many of run in the task's own memory, which is the smaller for the others having theirs elsewhere.
    async fn perform(&self) -> Outcome<Reply> {
        match self.command.operation {
            Operation::TestUnitReady => Ok(Reply::good()),
            Operation::Inquiry(inquiry) => self.inquire(inquiry),
            Operation::RequestSense(request) => Ok(self.request_sense(request)),
            Operation::ReadCapacity10 => Ok(self.read_capacity_10()),
            Operation::ReadCapacity16 { allocation_length } => Ok(self.read_capacity_16(allocation_length)),
            Operation::ReportLuns(report) => Ok(self.array.report_luns(&self.task.session.nexus, report)),
            Operation::ReportSupportedOperationCodes(report) => self.report_operation_codes(report),
            Operation::ReportSupportedTaskManagementFunctions(report) => {
                Ok(self.report_task_functions(report))
            }
            Operation::Read(transfer) => self.read(transfer).await,
            Operation::Write(transfer) => self.write(transfer).await,
            Operation::WriteAtomic(write) => Box::pin(self.write_atomic(write)).await,
            Operation::WriteAndVerify(write) => Box::pin(self.write_and_verify(write)).await,
            Operation::OrWrite(transfer) => Box::pin(self.or_write(transfer)).await,
            Operation::Verify(verify) => Box::pin(self.verify(verify)).await,
            Operation::CompareAndWrite(transfer) => self.compare_and_write(transfer).await,
            Operation::WriteSame(write) => Box::pin(self.write_same(write)).await,
            Operation::Unmap(unmap) => Box::pin(self.unmap(unmap)).await,
            Operation::GetLbaStatus(status) => Box::pin(self.get_lba_status(status)).await,
            Operation::SynchronizeCache(range) => Box::pin(self.synchronize_cache(range)).await,
            Operation::PreFetch(range) => Box::pin(self.pre_fetch(range)).await,
            Operation::StartStopUnit(start) => Box::pin(self.start_stop(start)).await,
            Operation::PreventAllowMediumRemoval { prevent } => self.prevent_removal(prevent),
            Operation::Reserve => Box::pin(self.reserve()).await,
            Operation::Release => self.release(),
            Operation::PersistentReserveIn(request) => Box::pin(self.persistent_reserve_in(request)).await,
            Operation::PersistentReserveOut(request) => Box::pin(self.persistent_reserve_out(request)).await,
            Operation::ModeSense(request) => self.mode_sense(&request),
            Operation::ModeSelect(request) => Box::pin(self.mode_select(&request)).await,
            Operation::LogSense(request) => Box::pin(self.log_sense(&request)).await,
            Operation::LogSelect(request) => Box::pin(self.log_select(&request)).await,
            Operation::ReportTargetPortGroups(report) => Ok(self.report_target_port_groups(report)),
            Operation::SetTargetPortGroups { parameter_list_length } => {
                Box::pin(self.set_target_port_groups(parameter_list_length)).await
            }
            Operation::Sanitize(sanitize) => Box::pin(self.sanitize(sanitize)).await,
            Operation::ExtendedCopy { parameter_list_length } => {
                Box::pin(self.extended_copy(parameter_list_length)).await
            }
            Operation::ReceiveCopyResults(request) => self.receive_copy_results(request),
            Operation::ReadDefectData(read) => Ok(self.read_defect_data(read)),
        }
    }
}

/// What an initiator is told where the medium failed a command that reads (`wrote` is false) or writes.
fn failed(error: &IoError, wrote: bool) -> Stop {
    let of_medium =
        if wrote { AdditionalSense::WRITE_ERROR } else { AdditionalSense::UNRECOVERED_READ_ERROR };
    match error {
        IoError::Refused(Refusal::Busy) => Stop::Status(Status::BUSY),
        IoError::Refused(Refusal::Full) => {
            Sense::new(SenseKey::DataProtect, AdditionalSense::SPACE_ALLOCATION_FAILED_WRITE_PROTECT).into()
        }
        IoError::Refused(Refusal::Gone | Refusal::Unsupported | Refusal::CutOff) => {
            Sense::new(SenseKey::HardwareError, AdditionalSense::INTERNAL_TARGET_FAILURE).into()
        }
        IoError::Refused(Refusal::OutOfRange) | IoError::Unknown(_) | IoError::Medium => {
            Sense::new(SenseKey::MediumError, of_medium).into()
        }
    }
}
