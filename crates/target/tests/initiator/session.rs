//! A session in its full feature phase: commands one by one or several at once, and everything that came beside them.
//!
//! It checks of every PDU what the standard promises of it: numbers in their order, data in their place, counts that are right.

use std::collections::{BTreeMap, HashMap, VecDeque};

use oarlock_scsi::iscsi::{
    CmdSn, DataIn, DataOut, DataSn, LogoutReason, LogoutRequest, LogoutResponse, NopIn, NopOut, Opcode,
    ReadyToTransfer, Residual, ScsiCommand, ScsiResponse, ServiceResponse, SessionHandle, StatSn,
    TaskAttribute, TaskFunction, TaskRequest, TaskResponse, TaskTag, TextRequest, TextResponse, text,
};
use oarlock_scsi::{Lun, Sense, Status};

use super::wire::{Pdu, Wire};

/// What a login agreed on.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub(crate) header_digest: bool,
    pub(crate) data_digest: bool,
    pub(crate) immediate_data: bool,
    pub(crate) initial_r2t: bool,
    pub(crate) first_burst_max: usize,
    pub(crate) own_segment_max: usize,
    pub(crate) target_segment_max: usize,
}

impl Agreed {
    pub(crate) fn of(offered: &[(&'static str, String)], answered: &BTreeMap<String, String>) -> Agreed {
        let answer = |key: &str| answered.get(key).map(String::as_str);
        let number = |value: Option<&str>, default: usize| {
            value.map_or(default, |value| value.parse().expect("a number"))
        };
        let own = offered.iter().find(|(key, _)| *key == "MaxRecvDataSegmentLength");
        Agreed {
            header_digest: answer("HeaderDigest") == Some("CRC32C"),
            data_digest: answer("DataDigest") == Some("CRC32C"),
            immediate_data: answer("ImmediateData") != Some("No"),
            initial_r2t: answer("InitialR2T") != Some("No"),
            first_burst_max: number(answer("FirstBurstLength"), 65_536),
            own_segment_max: number(own.map(|(_, value)| value.as_str()), 8192),
            target_segment_max: number(answer("MaxRecvDataSegmentLength"), 8192),
        }
    }
}

/// Where the data of a command go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flow<'a> {
    None,
    /// So many bytes are expected.
    In(usize),
    Out(&'a [u8]),
}

/// How data goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// With the command, as far as was agreed.
    Immediate,
    /// Only when it is asked for.
    Nothing,
    /// With the command and behind it, as far as was agreed.
    All,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) sense: Option<Sense>,
    /// The sense data as they came.
    pub(crate) sense_bytes: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) residual: Residual,
}

impl Answer {
    /// The sense key, code and qualifier of a CHECK CONDITION.
    pub(crate) fn code(&self) -> (u8, u8, u8) {
        assert_eq!(self.status, Status::CHECK_CONDITION, "{self:?}");
        let sense = self.sense.expect("sense data");
        (sense.key.bits(), sense.code.code, sense.code.qualifier)
    }

    /// Its data, where it went well.
    pub(crate) fn good(self) -> Vec<u8> {
        assert_eq!(self.status, Status::GOOD, "{:02x?}", self.sense);
        self.data
    }
}

/// A command that has not been answered.
#[derive(Default)]
struct Open {
    out: Vec<u8>,
    /// What the target asks for is not sent before somebody says so.
    is_held: bool,
    asked: VecDeque<ReadyToTransfer>,
    r2t_sn: DataSn,
    data_sn: DataSn,
    data: Vec<u8>,
    answer: Option<Answer>,
}

/// A session.
pub(crate) struct Session {
    pub(crate) wire: Wire,
    pub(crate) agreed: Agreed,
    pub(crate) handle: SessionHandle,
    /// Of the next command.
    pub(crate) cmd_sn: CmdSn,
    pub(crate) exp_stat_sn: StatSn,
    /// The last command that the target takes now, as far as it has said so.
    pub(crate) max_cmd_sn: CmdSn,
    pub(crate) attribute: TaskAttribute,
    pub(crate) unasked: Unasked,
    next_tag: u32,
    open: HashMap<u32, Open>,
    /// PDUs that belong to no command, in the order in which they came.
    others: VecDeque<Pdu>,
}

/// The eight bytes of a unit's number.
pub(crate) fn lun(number: u16) -> [u8; 8] {
    Lun::unit(number).expect("a unit's number").0
}

impl Session {
    pub(crate) fn new(
        mut wire: Wire,
        agreed: Agreed,
        handle: SessionHandle,
        (cmd_sn, exp_stat_sn): (CmdSn, StatSn),
    ) -> Session {
        wire.header_digest = agreed.header_digest;
        wire.data_digest = agreed.data_digest;
        Session {
            wire,
            agreed,
            handle,
            cmd_sn,
            exp_stat_sn,
            max_cmd_sn: cmd_sn,
            attribute: TaskAttribute::Simple,
            unasked: Unasked::Immediate,
            next_tag: 1,
            open: HashMap::new(),
            others: VecDeque::new(),
        }
    }

    /// A tag that no open task has.
    pub(crate) fn tag(&mut self) -> TaskTag {
        self.next_tag += 1;
        TaskTag(self.next_tag)
    }

    /// The number of the next command, which it takes.
    pub(crate) fn take_cmd_sn(&mut self) -> CmdSn {
        let cmd_sn = self.cmd_sn;
        self.cmd_sn = cmd_sn.next();
        cmd_sn
    }

    // Commands.

    /// Sends a command, and waits for its end.
    pub(crate) fn run(&mut self, unit: u16, cdb: [u8; 16], flow: Flow<'_>) -> Answer {
        let tag = self.start(unit, cdb, flow);
        self.finish(tag)
    }

    /// Sends a command.
    pub(crate) fn start(&mut self, unit: u16, cdb: [u8; 16], flow: Flow<'_>) -> TaskTag {
        let command = self.command(unit, cdb, flow);
        self.put(command, flow)
    }

    /// Sends a command whose data wait until [`release`](Session::release), and waits until the target asks for them.
    pub(crate) fn start_held(&mut self, unit: u16, cdb: [u8; 16], data: &[u8]) -> TaskTag {
        let command = self.command(unit, cdb, Flow::Out(data));
        self.put_held(&command, data)
    }

    /// The same with a command that was made.
    pub(crate) fn put_held(&mut self, command: &ScsiCommand, data: &[u8]) -> TaskTag {
        let tag = self.put_mute(command, data);
        while self.open[&tag.0].asked.is_empty() {
            self.pump();
        }
        tag
    }

    /// The same, and does not wait.
    pub(crate) fn put_mute(&mut self, command: &ScsiCommand, data: &[u8]) -> TaskTag {
        let tag = command.task_tag;
        self.open.insert(tag.0, Open { out: data.to_vec(), is_held: true, ..Open::default() });
        self.wire.send(command.encode(), &[]);
        tag
    }

    /// What the target asked for of a command that is held.
    pub(crate) fn asked(&self, tag: TaskTag) -> ReadyToTransfer {
        *self.open[&tag.0].asked.front().expect("an R2T")
    }

    /// Sends what was held.
    pub(crate) fn release(&mut self, tag: TaskTag) {
        let open = self.open.get_mut(&tag.0).expect("an open command");
        open.is_held = false;
        for asked in std::mem::take(&mut open.asked) {
            self.answer_r2t(asked);
        }
    }

    /// A command of that tag is going to be sent as bytes.
    pub(crate) fn expect(&mut self, tag: TaskTag) {
        self.open.insert(tag.0, Open::default());
    }

    /// Forgets a command that will not be answered.
    pub(crate) fn forget(&mut self, tag: TaskTag) {
        let open = self.open.remove(&tag.0).expect("an open command");
        assert_eq!(open.answer, None, "an aborted command is not answered");
    }

    /// A command as [`start`](Session::start) sends it; it takes the next number.
    pub(crate) fn command(&mut self, unit: u16, cdb: [u8; 16], flow: Flow<'_>) -> ScsiCommand {
        let (reads, writes, length) = match flow {
            Flow::None => (false, false, 0),
            Flow::In(length) => (true, false, length),
            Flow::Out(data) => (false, true, data.len()),
        };
        ScsiCommand {
            is_immediate: false,
            is_final: true,
            reads,
            writes,
            attribute: self.attribute,
            lun: lun(unit),
            task_tag: self.tag(),
            expected_length: u32::try_from(length).unwrap(),
            cmd_sn: self.take_cmd_sn(),
            exp_stat_sn: self.exp_stat_sn,
            cdb,
        }
    }

    /// Sends a command that was made, with its data as [`Unasked`] has it.
    pub(crate) fn put(&mut self, mut command: ScsiCommand, flow: Flow<'_>) -> TaskTag {
        let data = if let Flow::Out(data) = flow { data } else { &[] };
        let unasked_max = self.agreed.first_burst_max.min(data.len());
        let immediate = match self.unasked {
            Unasked::Nothing => 0,
            _ if !self.agreed.immediate_data => 0,
            _ => unasked_max.min(self.agreed.target_segment_max),
        };
        let goes_on = self.unasked == Unasked::All && !self.agreed.initial_r2t && unasked_max > immediate;
        command.is_final = !goes_on;
        let tag = command.task_tag;
        self.open.insert(tag.0, Open { out: data.to_vec(), ..Open::default() });
        self.wire.send(command.encode(), &data[..immediate]);
        if goes_on {
            self.send_data(tag, TaskTag::NONE, immediate..unasked_max);
        }
        tag
    }

    /// Waits for the end of a command.
    pub(crate) fn finish(&mut self, tag: TaskTag) -> Answer {
        loop {
            if let Some(answer) = self.open.get_mut(&tag.0).expect("an open command").answer.take() {
                self.open.remove(&tag.0);
                return answer;
            }
            self.pump();
        }
    }

    /// Whether the answer of a command has come so far.
    pub(crate) fn is_answered(&self, tag: TaskTag) -> bool {
        self.open[&tag.0].answer.is_some()
    }

    /// Waits for the end of any command; `None` where the connection ended first.
    pub(crate) fn try_finish_any(&mut self) -> Option<(TaskTag, Answer)> {
        loop {
            let done = self.open.iter().find(|(_, open)| open.answer.is_some()).map(|(tag, _)| *tag);
            if let Some(tag) = done {
                return Some((TaskTag(tag), self.finish(TaskTag(tag))));
            }
            let pdu = self.wire.try_receive()?;
            self.take(pdu);
        }
    }

    // What is not a command.

    /// The next PDU that belongs to no command.
    pub(crate) fn other(&mut self) -> Pdu {
        loop {
            if let Some(pdu) = self.others.pop_front() {
                return pdu;
            }
            self.pump();
        }
    }

    /// The reason of a Reject, which is the next PDU that belongs to no command.
    pub(crate) fn rejected(&mut self) -> u8 {
        let pdu = self.other();
        assert_eq!(pdu.header.opcode(), Some(Opcode::Reject), "{pdu:02x?}");
        assert_eq!(pdu.data.len(), 48, "a Reject has the header of what was rejected");
        oarlock_scsi::iscsi::Reject::decode(&pdu.header).reason
    }

    /// A task management function that is to be sent at once.
    pub(crate) fn request(&mut self, function: TaskFunction, unit: u16, referenced: TaskTag) -> TaskRequest {
        TaskRequest {
            is_immediate: true,
            function,
            lun: lun(unit),
            task_tag: self.tag(),
            referenced_tag: referenced,
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.exp_stat_sn,
            referenced_cmd_sn: self.cmd_sn,
        }
    }

    /// Sends a task management function, at once.
    pub(crate) fn start_manage(&mut self, function: TaskFunction, unit: u16, referenced: TaskTag) -> TaskTag {
        let request = self.request(function, unit, referenced);
        self.wire.send(request.encode(), &[]);
        request.task_tag
    }

    /// A task management function, and its answer.
    pub(crate) fn manage(&mut self, function: TaskFunction, unit: u16, referenced: TaskTag) -> u8 {
        let tag = self.start_manage(function, unit, referenced);
        self.managed(tag)
    }

    pub(crate) fn managed(&mut self, tag: TaskTag) -> u8 {
        let response = self.task_response();
        assert_eq!(response.task_tag, tag);
        response.answer
    }

    /// The answer to any task management function.
    pub(crate) fn any_managed(&mut self) -> u8 {
        self.task_response().answer
    }

    fn task_response(&mut self) -> TaskResponse {
        let pdu = self.other();
        assert_eq!(pdu.header.opcode(), Some(Opcode::TaskResponse), "{pdu:02x?}");
        TaskResponse::decode(&pdu.header)
    }

    /// A text request and its answer, which goes on for as long as the target says so; and how many responses that were.
    pub(crate) fn text(&mut self, keys: &[(&str, &str)]) -> (Vec<(String, String)>, usize) {
        let mut question = Vec::new();
        keys.iter().for_each(|(key, value)| text::put(&mut question, key, value));
        let (task_tag, mut transfer_tag, mut whole, mut count) = (self.tag(), TaskTag::NONE, Vec::new(), 0);
        loop {
            let request = TextRequest {
                is_immediate: false,
                is_final: true,
                is_continued: false,
                task_tag,
                transfer_tag,
                cmd_sn: self.take_cmd_sn(),
                exp_stat_sn: self.exp_stat_sn,
            };
            self.wire.send(request.encode(), &std::mem::take(&mut question));
            let pdu = self.other();
            assert_eq!(pdu.header.opcode(), Some(Opcode::TextResponse), "{pdu:02x?}");
            assert!(pdu.data.len() <= self.agreed.own_segment_max);
            let response = TextResponse::decode(&pdu.header);
            whole.extend(pdu.data);
            count += 1;
            transfer_tag = response.transfer_tag;
            if response.is_final {
                assert_eq!(transfer_tag, TaskTag::NONE);
                break;
            }
        }
        let parts = whole.split(|byte| *byte == 0).filter(|part| !part.is_empty());
        let pairs = parts.map(|part| {
            let part = std::str::from_utf8(part).unwrap();
            let (key, value) = part.split_once('=').expect("a pair");
            (key.to_owned(), value.to_owned())
        });
        (pairs.collect(), count)
    }

    /// Asks whether the target lives, with data that come back, in the order of commands.
    pub(crate) fn ping(&mut self, data: &[u8]) -> Vec<u8> {
        let mut nop = self.nop();
        (nop.is_immediate, nop.cmd_sn) = (false, self.take_cmd_sn());
        self.ask(nop, data)
    }

    /// The same out of order: whatever was sent before has been looked at when the answer comes.
    pub(crate) fn ping_now(&mut self) {
        let nop = self.nop();
        self.ask(nop, b"now");
    }

    fn nop(&mut self) -> NopOut {
        NopOut {
            is_immediate: true,
            lun: [0; 8],
            task_tag: self.tag(),
            transfer_tag: TaskTag::NONE,
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.exp_stat_sn,
        }
    }

    fn ask(&mut self, nop: NopOut, data: &[u8]) -> Vec<u8> {
        self.wire.send(nop.encode(), data);
        let pdu = self.other();
        assert_eq!(pdu.header.opcode(), Some(Opcode::NopIn), "{pdu:02x?}");
        assert_eq!(pdu.header.task_tag(), nop.task_tag);
        pdu.data
    }

    /// Asks for a logout, and says what became of that.
    pub(crate) fn ask_to_leave(&mut self, reason: LogoutReason, connection: u16) -> LogoutResponse {
        let request = self.logout_request(reason, connection);
        self.wire.send(request.encode(), &[]);
        let pdu = self.other();
        assert_eq!(pdu.header.opcode(), Some(Opcode::LogoutResponse), "{pdu:02x?}");
        let response = LogoutResponse::decode(&pdu.header);
        assert_eq!(response.task_tag, request.task_tag);
        response
    }

    pub(crate) fn logout_request(&mut self, reason: LogoutReason, connection: u16) -> LogoutRequest {
        LogoutRequest {
            is_immediate: false,
            reason,
            task_tag: self.tag(),
            connection_id: oarlock_scsi::iscsi::ConnectionId(connection),
            cmd_sn: self.take_cmd_sn(),
            exp_stat_sn: self.exp_stat_sn,
        }
    }

    pub(crate) fn logout(mut self) {
        assert_eq!(self.ask_to_leave(LogoutReason::CloseSession, 1).answer, 0);
        assert!(self.wire.wait_for_end().is_empty());
    }

    // PDUs as they come.

    /// Takes the next PDU to where it belongs.
    pub(crate) fn pump(&mut self) {
        let pdu = self.wire.receive();
        self.take(pdu);
    }

    fn take(&mut self, pdu: Pdu) {
        let numbering = pdu.header.numbering();
        let opcode = pdu.header.opcode().expect("a known opcode");
        let takes_status = match opcode {
            Opcode::DataIn => DataIn::decode(&pdu.header).status.is_some(),
            Opcode::ReadyToTransfer => false,
            Opcode::NopIn => pdu.header.task_tag() != TaskTag::NONE,
            _ => true,
        };
        if opcode != Opcode::DataIn || takes_status {
            assert_eq!(
                numbering.stat_sn, self.exp_stat_sn,
                "{opcode:?}: statuses are numbered in their order"
            );
        }
        if self.max_cmd_sn.is_before(numbering.max_cmd_sn) {
            self.max_cmd_sn = numbering.max_cmd_sn;
        }
        if takes_status {
            self.exp_stat_sn = self.exp_stat_sn.next();
        }
        assert!(
            !numbering.max_cmd_sn.next().is_before(numbering.exp_cmd_sn),
            "a window of less than nothing"
        );
        match opcode {
            Opcode::DataIn => self.data_in(&pdu),
            Opcode::ReadyToTransfer => self.r2t(&pdu),
            Opcode::ScsiResponse => self.response(&pdu),
            Opcode::NopIn if !takes_status => self.live(&pdu),
            _ => self.others.push_back(pdu),
        }
    }

    /// Answers the question whether it lives.
    fn live(&mut self, pdu: &Pdu) {
        let mut nop = self.nop();
        (nop.task_tag, nop.transfer_tag) = (TaskTag::NONE, NopIn::decode(&pdu.header).transfer_tag);
        self.wire.send(nop.encode(), &[]);
    }

    fn data_in(&mut self, pdu: &Pdu) {
        let data_in = DataIn::decode(&pdu.header);
        assert!(pdu.data.len() <= self.agreed.own_segment_max, "a segment longer than was declared");
        let open = self.open.get_mut(&data_in.task_tag.0).expect("data of an open command");
        assert_eq!((data_in.data_sn, data_in.offset as usize), (open.data_sn, open.data.len()));
        open.data_sn = open.data_sn.next();
        open.data.extend(&pdu.data);
        if let Some((status, residual)) = data_in.status {
            open.answer = Some(Answer {
                status: Status(status),
                sense: None,
                sense_bytes: Vec::new(),
                data: std::mem::take(&mut open.data),
                residual,
            });
        }
    }

    fn r2t(&mut self, pdu: &Pdu) {
        let asked = ReadyToTransfer::decode(&pdu.header);
        let open = self.open.get_mut(&asked.task_tag.0).expect("an R2T of an open command");
        assert_eq!(asked.r2t_sn, open.r2t_sn);
        open.r2t_sn = open.r2t_sn.next();
        if open.is_held {
            open.asked.push_back(asked);
        } else {
            self.answer_r2t(asked);
        }
    }

    fn answer_r2t(&mut self, asked: ReadyToTransfer) {
        let from = asked.offset as usize;
        self.send_data(asked.task_tag, asked.transfer_tag, from..from + asked.length as usize);
    }

    /// Sends a part of a command's data in as many PDUs as it needs.
    fn send_data(&mut self, task_tag: TaskTag, transfer_tag: TaskTag, part: std::ops::Range<usize>) {
        let segment_max = self.agreed.target_segment_max;
        let (mut data_sn, mut from) = (DataSn::FIRST, part.start);
        while from < part.end {
            let to = part.end.min(from + segment_max);
            let data = self.open[&task_tag.0].out[from..to].to_vec();
            let mut out = self.data_out(task_tag, transfer_tag, from);
            out.data_sn = data_sn;
            out.is_final = to == part.end;
            self.wire.send(out.encode(), &data);
            data_sn = data_sn.next();
            from = to;
        }
    }

    /// A Data-Out, the first and last of its sequence.
    pub(crate) fn data_out(&self, task_tag: TaskTag, transfer_tag: TaskTag, offset: usize) -> DataOut {
        DataOut {
            is_final: true,
            lun: [0; 8],
            task_tag,
            transfer_tag,
            exp_stat_sn: self.exp_stat_sn,
            data_sn: DataSn::FIRST,
            offset: u32::try_from(offset).unwrap(),
            length: 0,
        }
    }

    fn response(&mut self, pdu: &Pdu) {
        let response = ScsiResponse::decode(&pdu.header);
        assert_eq!(response.response, ServiceResponse::Completed);
        let open = self.open.get_mut(&response.task_tag.0).expect("the status of an open command");
        assert_eq!(open.answer, None, "a command has one status");
        let counted = if open.out.is_empty() { open.data_sn } else { open.r2t_sn };
        assert_eq!(response.exp_data_sn, counted, "how many Data-In or R2T there were");
        let sense_bytes = match pdu.data.split_first_chunk::<2>() {
            Some((length, sense)) => {
                assert_eq!(usize::from(u16::from_be_bytes(*length)), sense.len());
                sense.to_vec()
            }
            None => Vec::new(),
        };
        open.answer = Some(Answer {
            status: Status(response.status),
            sense: Sense::decode(&sense_bytes),
            sense_bytes,
            data: std::mem::take(&mut open.data),
            residual: response.residual,
        });
    }
}
