//! PDUs of a session: in the order of their command numbers to whoever does what they ask (RFC 7143, 4.2.2 and 4.3).

use std::collections::VecDeque;
use std::rc::Rc;

use oarlock_device::DataBuffer;
use oarlock_scsi::AdditionalSense;
use oarlock_scsi::iscsi::{
    CmdSn, DataOut, Header, LogoutAnswer, LogoutReason, LogoutRequest, LogoutResponse, NopIn, NopOut, Opcode,
    Reject, RejectReason, ScsiCommand, TaskAnswer, TaskRequest, TaskTag, TextRequest,
};

use crate::array::Array;
use crate::connection::{Broken, Connection, Phase, Sink};
use crate::execute;
use crate::inbound::Inbound;
use crate::limits::{FUNCTIONS_MAX, IMMEDIATE_MAX, WAITING_BYTES_MAX, WINDOW};
use crate::session::Session;
use crate::task::Task;
use crate::{login, management, text};

/// The longest data that unsolicited memory is set aside for in full; of longer ones only what comes unasked.
const WHOLE_EARLY_MAX: usize = 256 << 10;

/// PDUs that came before the ones that they follow. One connection has them in order, so there are some only where an
/// initiator leaves a number out.
pub(crate) type Waiting = VecDeque<(CmdSn, Arrived)>;

/// A numbered PDU that came in full.
pub(crate) enum Arrived {
    Command(Rc<Task>),
    Task(TaskRequest),
    Text(TextRequest, Vec<u8>),
    Logout(LogoutRequest),
    Nop(NopOut, Vec<u8>),
    /// It never came, and will not: its initiator gave it up.
    Nothing,
}

impl Arrived {
    /// Bytes that it keeps; those of commands are counted elsewhere.
    fn bytes(&self) -> usize {
        match self {
            Arrived::Text(_, data) | Arrived::Nop(_, data) => data.len(),
            Arrived::Command(_) | Arrived::Task(_) | Arrived::Logout(_) | Arrived::Nothing => 0,
        }
    }
}

/// Where the data of a PDU go, by its header.
pub(crate) fn sink(array: &Rc<Array>, connection: &Connection, header: &Header) -> Result<Sink, Broken> {
    let Some(opcode) = header.opcode() else { return Ok(Sink::Discard) };
    let Phase::Full(session) = &connection.phase else {
        return if opcode == Opcode::LoginRequest {
            Ok(Sink::Collect(Vec::new()))
        } else {
            Err(Broken::Protocol)
        };
    };
    Ok(match opcode {
        Opcode::ScsiCommand => command_sink(array, session, header),
        Opcode::DataOut => data_sink(session, header),
        Opcode::NopOut | Opcode::TextRequest => Sink::Collect(Vec::new()),
        _ => Sink::Discard,
    })
}

/// The task of a new command, with memory for what comes unasked; nothing where the command is out of the window.
fn command_sink(array: &Rc<Array>, session: &Rc<Session>, header: &Header) -> Sink {
    let command = ScsiCommand::decode(header);
    if !is_in_window(session, command.is_immediate, command.cmd_sn) || session.is_discovery {
        return Sink::Discard;
    }
    let expected = command.data_out_length();
    let (is_unasked_open, unasked_max) = {
        let parameters = session.parameters();
        let is_open = command.writes && !command.is_final && !parameters.initial_r2t;
        (is_open, (parameters.first_burst_max as usize).min(expected))
    };
    let early_length = match () {
        () if header.data_length() == 0 && !is_unasked_open => 0,
        () if expected <= WHOLE_EARLY_MAX => expected,
        () => unasked_max,
    };
    let unit = array.unit_at(command.lun, &session.nexus.initiator);
    let mut inbound = Inbound::new(None, is_unasked_open, unasked_max);
    if early_length > 0 {
        let of_unit = unit.as_ref().map(|unit| &unit.shares.early);
        let of_session = session.shares(unit.as_deref());
        let permit = array.early.permit(&of_session.early, of_unit, DataBuffer::footprint(early_length));
        match permit.and_then(|permit| Some((array.media.buffer(early_length).ok()?, permit))) {
            Some(early) => inbound = Inbound::new(Some(early), is_unasked_open, unasked_max),
            None => inbound.refuse(),
        }
    }
    if header.data_length() > unasked_max
        || (header.data_length() > 0 && !session.parameters().immediate_data)
    {
        inbound.fail(AdditionalSense::UNEXPECTED_UNSOLICITED_DATA);
    }
    Sink::Task(Rc::new(Task::new(Rc::clone(session), command, unit, inbound)), 0)
}

fn data_sink(session: &Session, header: &Header) -> Sink {
    let data = DataOut::decode(header);
    let Some(task) = session.tasks.borrow().get(&data.task_tag).cloned() else { return Sink::Discard };
    let expected = task.inbound.borrow_mut().expect(&data);
    match expected {
        Ok(offset) => Sink::Task(task, offset),
        Err(_) => Sink::Discard,
    }
}

/// Whether a command number is one that may come now; others are ignored in silence (RFC 7143, 4.2.2.1).
fn is_in_window(session: &Session, is_immediate: bool, cmd_sn: CmdSn) -> bool {
    let expected = session.exp_cmd_sn();
    if is_immediate {
        return true;
    }
    !cmd_sn.is_before(expected) && !session.max_cmd_sn().is_before(cmd_sn)
}

/// Handles a PDU that came in full. `is_sound`: its data's digest is right.
pub(crate) fn deliver(
    array: &Rc<Array>,
    connection: &mut Connection,
    header: Header,
    sink: Sink,
    is_sound: bool,
) -> Result<(), Broken> {
    let Phase::Full(session) = &connection.phase else {
        let Sink::Collect(text) = sink else { return Err(Broken::Protocol) };
        return login::request(array, connection, &header, &text);
    };
    let session = Rc::clone(session);
    let Some(opcode) = header.opcode().filter(|opcode| opcode.is_request()) else {
        reject(&session, &header, RejectReason::NotSupported);
        return Ok(());
    };
    if !is_sound {
        return unsound(&session, &header, opcode, sink);
    }
    match (opcode, sink) {
        (Opcode::LoginRequest, _) => return Err(Broken::Protocol),
        // It may ask which targets there are, and say goodbye (RFC 7143, 4.3).
        (Opcode::ScsiCommand | Opcode::TaskRequest | Opcode::DataOut, _) if session.is_discovery => {
            reject(&session, &header, RejectReason::Protocol);
            connection.closing_since.get_or_insert(array.now());
            array.log(&format!("{}: {}", connection.peer, Broken::Protocol.reason()));
        }
        (Opcode::Snack, _) => reject(&session, &header, RejectReason::Snack),
        (Opcode::DataOut, sink) => data_out(&session, &header, sink),
        (Opcode::ScsiCommand, Sink::Task(task, _)) => {
            task.inbound.borrow_mut().came(None, header.data_length(), true);
            begin_command(array, &session, &header, task);
        }
        (Opcode::TaskRequest, _) => {
            let request = TaskRequest::decode(&header);
            in_order(array, &session, request.is_immediate, request.cmd_sn, Arrived::Task(request));
        }
        (Opcode::TextRequest, Sink::Collect(text)) => {
            let request = TextRequest::decode(&header);
            in_order(array, &session, request.is_immediate, request.cmd_sn, Arrived::Text(request, text));
        }
        (Opcode::LogoutRequest, _) => {
            let request = LogoutRequest::decode(&header);
            in_order(array, &session, request.is_immediate, request.cmd_sn, Arrived::Logout(request));
        }
        (Opcode::NopOut, Sink::Collect(data)) => {
            let nop = NopOut::decode(&header);
            // An answer to our own question has no task tag, and needs none of its own.
            if nop.task_tag != TaskTag::NONE || !nop.is_immediate {
                in_order(array, &session, nop.is_immediate, nop.cmd_sn, Arrived::Nop(nop, data));
            }
        }
        _ => {}
    }
    // What an initiator sends behind its logout is nobody's (RFC 7143, 11.14), also where the logout waited for this PDU.
    if session.is_logging_out() {
        connection.closing_since.get_or_insert(array.now());
    }
    Ok(())
}

/// A data digest that is wrong: the PDU counts as not received, and its command fails (RFC 7143, 7.8).
fn unsound(session: &Rc<Session>, header: &Header, opcode: Opcode, sink: Sink) -> Result<(), Broken> {
    reject(session, header, RejectReason::DataDigest);
    match (opcode, sink) {
        (Opcode::DataOut, Sink::Task(task, _)) => {
            let data = DataOut::decode(header);
            let end = task.inbound.borrow_mut().fail_at(&data);
            task.inbound.borrow_mut().came(Some(data.transfer_tag), end, data.is_final);
            task.wake();
            Ok(())
        }
        // A numbered PDU is missing for good then, and no other connection brings it: the session cannot go on.
        (Opcode::ScsiCommand | Opcode::TextRequest | Opcode::NopOut, _) if !header.is_immediate() => {
            Err(Broken::DataDigest)
        }
        _ => Ok(()),
    }
}

fn data_out(session: &Rc<Session>, header: &Header, sink: Sink) {
    let data = DataOut::decode(header);
    match sink {
        Sink::Task(task, offset) => {
            task.inbound.borrow_mut().came(Some(data.transfer_tag), offset + data.length, data.is_final);
            task.ask_for_data();
            task.wake();
        }
        _ => {
            // Data of a command that was ended are dropped in silence: they may have been on their way.
            let is_known = session.tasks.borrow().contains_key(&data.task_tag);
            if is_known {
                reject(session, header, RejectReason::InvalidField);
            }
        }
    }
}

fn begin_command(array: &Rc<Array>, session: &Rc<Session>, header: &Header, task: Rc<Task>) {
    let (is_immediate, cmd_sn, tag) = (task.command.is_immediate, task.command.cmd_sn, task.command.task_tag);
    if !is_immediate && session.waiting.borrow().iter().any(|(number, _)| *number == cmd_sn) {
        // Its number was used: it is ignored, and keeps nothing.
        return;
    }
    let is_taken = session.tasks.borrow().contains_key(&tag) || tag == TaskTag::NONE;
    if is_taken {
        reject(session, header, RejectReason::TaskInProgress);
        // Its number is used up all the same, or nothing behind it would ever be looked at.
        if !is_immediate && cmd_sn == session.exp_cmd_sn() {
            session.advance();
            drain(array, session);
        }
        return;
    }
    if is_immediate && session.immediate_tasks() >= IMMEDIATE_MAX {
        reject(session, header, RejectReason::TooManyImmediate);
        return;
    }
    session.tasks.borrow_mut().insert(tag, Rc::clone(&task));
    in_order(array, session, is_immediate, cmd_sn, Arrived::Command(task));
}

/// Handles a PDU when all before it came.
fn in_order(array: &Rc<Array>, session: &Rc<Session>, is_immediate: bool, cmd_sn: CmdSn, arrived: Arrived) {
    if is_immediate {
        match arrived {
            Arrived::Task(request) if means_missing(session, &request) => hold(session, request),
            arrived => handle(array, session, arrived),
        }
        return;
    }
    if !is_in_window(session, false, cmd_sn) {
        return;
    }
    if cmd_sn == session.exp_cmd_sn() {
        session.advance();
        handle(array, session, arrived);
        drain(array, session);
        return;
    }
    if session.waiting.borrow().iter().map(|(_, waits)| waits.bytes()).sum::<usize>() + arrived.bytes()
        > WAITING_BYTES_MAX
    {
        array.leave(session, "it sent too much before its turn");
        return;
    }
    let mut waiting = session.waiting.borrow_mut();
    let is_known = waiting.iter().any(|(number, _)| *number == cmd_sn);
    if !is_known && waiting.len() < WINDOW as usize {
        waiting.push_back((cmd_sn, arrived));
    }
}

/// Counts a command that did not come as received, where it may still have come before the number `before`; `false` where it may not.
pub(crate) fn pass_over(array: &Rc<Array>, session: &Rc<Session>, cmd_sn: CmdSn, before: CmdSn) -> bool {
    let is_known = session.waiting.borrow().iter().any(|(number, _)| *number == cmd_sn);
    let is_missing = is_in_window(session, false, cmd_sn) && cmd_sn.is_before(before) && !is_known;
    if is_missing {
        in_order(array, session, false, cmd_sn, Arrived::Nothing);
    }
    is_missing
}

/// Whether a function that ends several commands was numbered behind some that have not come: it is to end them, too (RFC 7143, 4.2.3.3).
fn means_missing(session: &Session, request: &TaskRequest) -> bool {
    let is_behind = session.exp_cmd_sn().is_before(request.cmd_sn);
    let is_near = !session.max_cmd_sn().next().is_before(request.cmd_sn);
    is_behind && is_near && request.function.ends_several()
}

/// Keeps a function until all came that it means.
fn hold(session: &Session, request: TaskRequest) {
    let mut held = session.early_functions.borrow_mut();
    if held.len() < FUNCTIONS_MAX {
        held.push(request);
    } else {
        management::answer(session, &request, TaskAnswer::Rejected);
    }
}

/// Handles what waited for the number that came.
fn drain(array: &Rc<Array>, session: &Rc<Session>) {
    loop {
        let expected = session.exp_cmd_sn();
        let is_due = |request: &mut TaskRequest| !expected.is_before(request.cmd_sn);
        let due: Vec<_> = session.early_functions.borrow_mut().extract_if(.., is_due).collect();
        due.into_iter().for_each(|request| management::begin(array, session, request));
        let next = {
            let mut waiting = session.waiting.borrow_mut();
            let expected = session.exp_cmd_sn();
            let found = waiting.iter().position(|(number, _)| *number == expected);
            found.and_then(|place| waiting.remove(place))
        };
        let Some((_, arrived)) = next else { return };
        session.advance();
        handle(array, session, arrived);
    }
}

fn handle(array: &Rc<Array>, session: &Rc<Session>, arrived: Arrived) {
    match arrived {
        // It was ended while it waited for its number, and its tag may be another's by now.
        Arrived::Command(task) if task.aborted().is_some() => {}
        Arrived::Command(task) => {
            if !task.command.is_immediate {
                session.opened();
            }
            execute::begin(array, task);
        }
        Arrived::Task(request) => management::begin(array, session, request),
        Arrived::Text(request, text) => text::answer(array, session, &request, &text),
        Arrived::Logout(request) => logout(session, &request),
        Arrived::Nop(nop, data) => answer_nop(session, &nop, &data),
        Arrived::Nothing => {}
    }
}

fn answer_nop(session: &Session, nop: &NopOut, data: &[u8]) {
    if nop.task_tag == TaskTag::NONE {
        return;
    }
    let answer = NopIn { lun: nop.lun, task_tag: nop.task_tag, transfer_tag: TaskTag::NONE };
    let length_max = session.parameters().initiator_segment_max as usize;
    session.send(answer.encode(), true, &data[..data.len().min(length_max)]);
}

/// RFC 7143, 11.14 and 11.15. A session has one connection here, so either ends both.
fn logout(session: &Session, request: &LogoutRequest) {
    let answer = match request.reason {
        LogoutReason::CloseConnection if request.connection_id != session.connection_id => {
            LogoutAnswer::NoConnection
        }
        LogoutReason::CloseSession | LogoutReason::CloseConnection => LogoutAnswer::Closed,
        LogoutReason::RemoveForRecovery => LogoutAnswer::NoRecovery,
        LogoutReason::Unknown(_) => LogoutAnswer::Failed,
    };
    let wait_s = u16::try_from(session.parameters().time_to_wait_s).unwrap_or(u16::MAX);
    let response = LogoutResponse { answer: answer as u8, task_tag: request.task_tag, wait_s, retain_s: 0 };
    session.send(response.encode(), true, &[]);
    if answer == LogoutAnswer::Closed {
        session.log_out();
    }
}

/// RFC 7143, 11.17.
pub(crate) fn reject(session: &Session, header: &Header, reason: RejectReason) {
    session.send(Reject { reason: reason as u8 }.encode(), true, &header.0);
}
