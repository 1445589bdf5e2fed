//! The initiator of the demonstration: one session of one array over a real socket, one command at a time (RFC 7143).

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use oarlock_scsi::iscsi::{
    CmdSn, ConnectionId, DataIn, Header, LoginRequest, LoginResponse, Opcode, ScsiCommand, ScsiResponse,
    SessionHandle, SessionId, Stage, StatSn, TaskAnswer, TaskAttribute, TaskFunction, TaskRequest,
    TaskResponse, TaskTag, padded, text,
};
use oarlock_scsi::{Sense, Status};

/// Its name.
const NAME: &str = "iqn.2026-11.org.oarlock:demo";
/// Unit 0.
const UNIT: [u8; 8] = [0; 8];
const HEADER: usize = 48;
/// How long an answer that must come may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A session with unit 0 of an array.
pub struct Initiator {
    socket: TcpStream,
    cmd_sn: CmdSn,
    exp_stat_sn: StatSn,
    last_tag: u32,
    input: Vec<u8>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: Status,
    pub data: Vec<u8>,
    pub sense: Option<Sense>,
}

impl Initiator {
    /// Logs in.
    ///
    /// # Errors
    /// Where the array cannot be reached, or refuses.
    pub fn log_in(address: &str, target: &str) -> io::Result<Initiator> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let mut session =
            Initiator { socket, cmd_sn: CmdSn(1), exp_stat_sn: StatSn(0), last_tag: 0, input: Vec::new() };
        let mut keys = Vec::new();
        for (key, value) in [
            ("InitiatorName", NAME),
            ("TargetName", target),
            ("SessionType", "Normal"),
            ("HeaderDigest", "None"),
            ("DataDigest", "None"),
            ("InitialR2T", "Yes"),
            ("ImmediateData", "Yes"),
        ] {
            text::put(&mut keys, key, value);
        }
        let request = LoginRequest {
            is_transit: true,
            is_continued: false,
            current: Some(Stage::Operational),
            next: Some(Stage::FullFeature),
            version_max: 0,
            version_min: 0,
            session_id: SessionId([0x80, 0, 0, 0, 0, 1]),
            session_handle: SessionHandle::NEW,
            task_tag: TaskTag(0),
            connection_id: ConnectionId(0),
            cmd_sn: session.cmd_sn,
            exp_stat_sn: session.exp_stat_sn,
        };
        session.send(request.encode(), &keys)?;
        let (header, _) = session.receive(PATIENCE)?.ok_or(ErrorKind::TimedOut)?;
        match (header.opcode(), LoginResponse::decode(&header).status) {
            (Some(Opcode::LoginResponse), 0) => Ok(session),
            (_, status) => Err(io::Error::other(format!("the login was refused: {status:04x}h"))),
        }
    }

    /// COMPARE AND WRITE of one block: whether its answer came within `patience`, and its tag.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn swap(
        &mut self,
        lba: u64,
        images: (&[u8], &[u8]),
        patience: Duration,
    ) -> io::Result<(TaskTag, Option<Answer>)> {
        let mut cdb = [0; 16];
        cdb[0] = 0x89;
        cdb[2..10].copy_from_slice(&lba.to_be_bytes());
        cdb[13] = 1;
        let tag = self.command(cdb, 0, &[images.0, images.1].concat())?;
        Ok((tag, self.answer(tag, patience)?))
    }

    /// READ of one block of `length` bytes.
    ///
    /// # Errors
    /// Where the connection is gone, or the array does not give it.
    pub fn read(&mut self, lba: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut cdb = [0; 16];
        cdb[0] = 0x88;
        cdb[2..10].copy_from_slice(&lba.to_be_bytes());
        cdb[13] = 1;
        let tag = self.command(cdb, length, &[])?;
        match self.answer(tag, PATIENCE)? {
            Some(Answer { status: Status::GOOD, data, .. }) => Ok(data),
            answer => Err(io::Error::other(format!("a read was answered {answer:?}"))),
        }
    }

    /// Takes the unit attention of a session that begins.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn meet(&mut self) -> io::Result<()> {
        let tag = self.command([0; 16], 0, &[])?;
        self.answer(tag, PATIENCE).map(drop)
    }

    /// ABORT TASK: what the array says of it.
    ///
    /// # Errors
    /// Where the connection is gone, or no answer comes.
    pub fn abort(&mut self, tag: TaskTag) -> io::Result<bool> {
        let own = self.next_tag();
        let request = TaskRequest {
            is_immediate: true,
            function: TaskFunction::AbortTask,
            lun: UNIT,
            task_tag: own,
            referenced_tag: tag,
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.exp_stat_sn,
            referenced_cmd_sn: self.cmd_sn,
        };
        self.send(request.encode(), &[])?;
        loop {
            let (header, _) = self.receive(PATIENCE)?.ok_or(ErrorKind::TimedOut)?;
            if header.opcode() == Some(Opcode::TaskResponse) {
                return Ok(TaskResponse::decode(&header).answer == TaskAnswer::Complete as u8);
            }
        }
    }

    fn next_tag(&mut self) -> TaskTag {
        self.last_tag += 1;
        TaskTag(self.last_tag)
    }

    fn command(&mut self, cdb: [u8; 16], reads: usize, data: &[u8]) -> io::Result<TaskTag> {
        let task_tag = self.next_tag();
        let command = ScsiCommand {
            is_immediate: false,
            is_final: true,
            reads: reads > 0,
            writes: !data.is_empty(),
            attribute: TaskAttribute::Simple,
            lun: UNIT,
            task_tag,
            expected_length: u32::try_from(reads.max(data.len())).unwrap_or(u32::MAX),
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.exp_stat_sn,
            cdb,
        };
        self.cmd_sn = self.cmd_sn.next();
        self.send(command.encode(), data)?;
        Ok(task_tag)
    }

    /// The answer to a command; what comes for others is nobody's any more.
    fn answer(&mut self, tag: TaskTag, patience: Duration) -> io::Result<Option<Answer>> {
        let (until, mut all) = (Instant::now() + patience, Vec::new());
        loop {
            let Some((header, data)) = self.receive(until.saturating_duration_since(Instant::now()))? else {
                return Ok(None);
            };
            match header.opcode() {
                Some(Opcode::DataIn) if DataIn::decode(&header).task_tag == tag => {
                    all.extend_from_slice(&data);
                    if DataIn::decode(&header).status.is_some() {
                        return Ok(Some(Answer { status: Status::GOOD, data: all, sense: None }));
                    }
                }
                Some(Opcode::ScsiResponse) if ScsiResponse::decode(&header).task_tag == tag => {
                    let status = Status(ScsiResponse::decode(&header).status);
                    let sense = data.get(2..).and_then(Sense::decode);
                    return Ok(Some(Answer { status, data: all, sense }));
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, mut header: Header, data: &[u8]) -> io::Result<()> {
        header.set_data_length(data.len());
        let mut bytes = header.0.to_vec();
        bytes.extend_from_slice(data);
        bytes.resize(HEADER + padded(data.len()), 0);
        self.socket.write_all(&bytes)
    }

    /// The next PDU within that time.
    fn receive(&mut self, patience: Duration) -> io::Result<Option<(Header, Vec<u8>)>> {
        let until = Instant::now() + patience;
        loop {
            if let Some(first) = self.input.first_chunk::<HEADER>() {
                let header = Header(*first);
                let whole = HEADER + padded(header.data_length());
                if self.input.len() >= whole {
                    let data = self.input[HEADER..HEADER + header.data_length()].to_vec();
                    self.input.drain(..whole);
                    self.exp_stat_sn = header.numbering().stat_sn.next();
                    return Ok(Some((header, data)));
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left))?;
            let mut buffer = [0; 4096];
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => self.input.extend_from_slice(&buffer[..got]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
