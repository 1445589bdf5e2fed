//! What an initiator gets of a command: its data, its status, how much was moved (RFC 7143, 11.4 and 11.7).

use std::time::Duration;

use oarlock_scsi::iscsi::{DataIn, DataSn, Residual, ScsiResponse, ServiceResponse};
use oarlock_scsi::{Command, GeneralStatistics, Operation, Sense, SenseForm, SenseKey, Status};

use super::{Payload, Reply};
use crate::array::Array;
use crate::course::Abort;
use crate::metrics::Answered;
use crate::output::Data;
use crate::task::Task;

/// Ends a command towards its initiator. `command`: what its CDB asks for, where that is anything. `reply`: `None` where somebody
/// ended it.
pub(super) fn respond(array: &Array, task: &Task, command: Option<Command>, reply: Option<Reply>) {
    if !task.command.is_immediate {
        task.session.closed();
    }
    let reply = match (reply, task.aborted()) {
        (_, Some(Abort::Silent)) | (None, None) => {
            array.metrics.unanswered(task.command.cdb[0]);
            return;
        }
        (_, Some(Abort::Told)) => Reply::status(Status::TASK_ABORTED),
        (Some(reply), None) => reply,
    };
    // By the clock itself: a turn has one time for all that comes and ends in it.
    let took = task.began.elapsed();
    count(task, command, &reply, took);
    let actual = actual_length(task, command, &reply);
    let expected = expected_length(task, &reply, actual);
    array.metrics.answered(&answered(task, &reply, expected.min(actual), took));
    let residual = Residual::of(expected, actual);
    let sendable = if task.command.reads { expected.min(actual) } else { 0 };
    let sendable = usize::try_from(sendable).unwrap_or(usize::MAX);
    let mut stream = Stream { task, data_sn: DataSn::FIRST, status: (reply.status, residual) };
    let is_told = match &reply.payload {
        Payload::Bytes(bytes, _) if sendable > 0 => stream.send(sendable, |from, to, header| {
            task.session.send(header.0, header.1, &bytes[from..to]);
        }),
        Payload::Medium(data, _) if sendable > 0 => stream.send_medium(sendable, data),
        _ => false,
    };
    if !is_told {
        let data_sn = if task.command.writes { task.inbound.borrow().r2ts() } else { stream.data_sn };
        send_status(task, &reply, residual, data_sn);
    }
}

/// What metrics have of a command that moved so many bytes.
fn answered(task: &Task, reply: &Reply, moved: u64, took: Duration) -> Answered {
    let is_miscompare = reply.sense.as_ref().is_some_and(|sense| sense.key == SenseKey::Miscompare);
    Answered {
        opcode: task.command.cdb[0],
        status: reply.status,
        is_miscompare,
        read_bytes: if task.command.reads { moved } else { 0 },
        // What fails for another reason may have ended before its data came.
        written_bytes: if task.command.writes && (reply.status == Status::GOOD || is_miscompare) {
            moved
        } else {
            0
        },
        took,
    }
}

/// Counts what was done for the log page of general statistics (SPC-5).
fn count(task: &Task, command: Option<Command>, reply: &Reply, took: Duration) {
    let Some(unit) = task.unit.as_ref().filter(|_| reply.status == Status::GOOD) else { return };
    let Some(command) = command else { return };
    let Some((_, blocks)) = command.blocks(unit.blocks()) else { return };
    let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let intervals = took / GeneralStatistics::INTERVAL_MICROSECONDS;
    let mut statistics = unit.statistics.get();
    match command.operation {
        Operation::Read(_) => {
            statistics.reads += 1;
            statistics.blocks_transmitted += blocks.0;
            statistics.read_intervals += intervals;
        }
        _ if command.is_write() => {
            statistics.writes += 1;
            // Those that came: of a WRITE SAME one at most, of a COMPARE AND WRITE twice as many as it is of.
            let wanted = command.data_out_length(unit.block_size()).map_or(0, |length| length.0);
            let received = wanted.min(task.command.data_out_length() as u64);
            statistics.blocks_received += received / u64::from(unit.block_size().bytes());
            statistics.write_intervals += intervals;
        }
        _ => {}
    }
    unit.statistics.set(statistics);
}

/// How many bytes the initiator has room for, or sends, the way that they go: none where it says that they go the other way, or nowhere.
fn expected_length(task: &Task, reply: &Reply, actual: u64) -> u64 {
    let is_agreed = match reply.payload {
        Payload::Bytes(..) | Payload::Medium(..) => task.command.reads,
        Payload::Nothing => task.command.writes || actual == 0,
    };
    if is_agreed { u64::from(task.command.expected_length) } else { 0 }
}

/// How many bytes the command moved, or would have moved had the initiator had room for them.
fn actual_length(task: &Task, command: Option<Command>, reply: &Reply) -> u64 {
    match &reply.payload {
        Payload::Bytes(bytes, allocation_length) => (bytes.len() as u64).min(*allocation_length),
        Payload::Medium(_, length) => *length as u64,
        Payload::Nothing if reply.status == Status::GOOD || task.command.writes => {
            let block_size = task.unit.as_ref().map(|unit| unit.block_size());
            let length = command.zip(block_size).and_then(|(command, size)| command.data_out_length(size));
            length.map_or(0, |length| length.0)
        }
        Payload::Nothing => 0,
    }
}

/// Data-In PDUs of one command.
struct Stream<'a> {
    task: &'a Task,
    data_sn: DataSn,
    status: (Status, Residual),
}

impl Stream<'_> {
    /// Sends `length` bytes; the last PDU carries the status where that is GOOD. `true`: it did.
    fn send(
        &mut self,
        length: usize,
        mut put: impl FnMut(usize, usize, (oarlock_scsi::iscsi::Header, bool)),
    ) -> bool {
        let (segment_max, burst_max) = {
            let parameters = self.task.session.parameters();
            (parameters.initiator_segment_max as usize, parameters.burst_max as usize)
        };
        let is_good = self.status.0 == Status::GOOD;
        let mut from = 0;
        while from < length {
            let burst_end = (from / burst_max + 1) * burst_max;
            let to = length.min(from + segment_max).min(burst_end);
            let is_last = to == length;
            let data_in = DataIn {
                is_final: is_last || to == burst_end,
                status: (is_last && is_good).then_some((self.status.0.0, self.status.1)),
                task_tag: self.task.command.task_tag,
                data_sn: self.data_sn,
                offset: u32::try_from(from).unwrap_or(u32::MAX),
                length: 0,
            };
            self.data_sn = self.data_sn.next();
            put(from, to, (data_in.encode(), is_last && is_good));
            from = to;
        }
        is_good
    }

    fn send_medium(&mut self, length: usize, data: &Data) -> bool {
        let session = &self.task.session;
        self.send(length, |from, to, (header, has_status)| {
            session.send_data(header, has_status, data, from..to)
        })
    }
}

fn send_status(task: &Task, reply: &Reply, residual: Residual, exp_data_sn: DataSn) {
    let response = ScsiResponse {
        response: ServiceResponse::Completed,
        status: reply.status.0,
        task_tag: task.command.task_tag,
        exp_data_sn,
        residual,
    };
    let sense = reply.sense.as_ref().map(|sense| with_length(sense, sense_form(task)));
    task.session.send(response.encode(), true, sense.as_deref().unwrap_or_default());
}

fn sense_form(task: &Task) -> SenseForm {
    let is_descriptor = task.unit.as_ref().is_some_and(|unit| unit.state.borrow().settings.descriptor_sense);
    if is_descriptor { SenseForm::Descriptor } else { SenseForm::Fixed }
}

/// Sense data behind their length (RFC 7143, 11.4.7).
fn with_length(sense: &Sense, form: SenseForm) -> Vec<u8> {
    let sense = sense.encode(form);
    let mut data = u16::try_from(sense.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    data.extend_from_slice(&sense);
    data
}
