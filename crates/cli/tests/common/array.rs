//! A running array, and an initiator of a hundred lines that sees what it does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oarlock_scsi::iscsi::{
    CmdSn, ConnectionId, Header, LoginRequest, Opcode, Parameters, ScsiCommand, SessionHandle, SessionId,
    Stage, StatSn, TaskAttribute, TaskFunction, TaskRequest, TaskTag, padded,
};
use rustix::process::Signal;

use super::{Place, Ran};

/// The name that `oarlock target serve` gives an array by itself.
pub const NAME: &str = "iqn.2026-11.org.oarlock:array";

/// The initiators of tests are called so, with their own word behind it.
const INITIATOR: &str = "iqn.2026-11.org.example:";

/// No test waits longer for a byte.
const PATIENCE: Duration = Duration::from_secs(20);

/// `oarlock target serve`, which said that it is ready. Killed with this value.
pub struct Served {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Place {
    /// An array at one port that the kernel chose.
    pub fn serve(&self, more: &[&str]) -> Served {
        let mut arguments = vec!["target", "serve", "--listen", "127.0.0.1:0"];
        arguments.extend(more);
        self.serve_as(&arguments)
    }

    /// An array with these very arguments.
    pub fn serve_as(&self, arguments: &[&str]) -> Served {
        Place::serve_by(&mut self.command(arguments))
    }

    /// An array that this command starts.
    pub fn serve_by(command: &mut Command) -> Served {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::<Mutex<String>>::default();
        let (told, stderr) = (Arc::clone(&said), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                *told.lock().unwrap() += &(line + "\n");
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let served = Served { child, said };
        assert_eq!(line, "ready\n", "{command:?}: {}", served.said());
        served
    }

    /// A verb of `oarlock target`, and its JSON.
    pub fn target(&self, words: &[&str]) -> serde_json::Value {
        self.target_runs(&[words, &["--json"]].concat()).json()
    }

    pub fn target_runs(&self, words: &[&str]) -> Ran {
        self.run(&[&["target"], words].concat())
    }
}

impl Served {
    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// What it says behind these words, to the end of the line: what was said before `ready` may be read after it.
    pub fn said_behind(&self, words: &str) -> String {
        let mut found = None;
        super::eventually(&format!("it says `{words}`"), || {
            found = self.said().lines().find_map(|line| Some(line.split_once(words)?.1.to_owned()));
            found.is_some()
        });
        found.unwrap()
    }

    /// Where its first portal listens.
    pub fn address(&self) -> String {
        self.said_behind(" at ")
    }

    /// Ends it as an operator does, and gives its exit code.
    pub fn stop(&mut self) -> i32 {
        super::send(&self.child, Signal::TERM);
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server answers to one request, head and all.
pub fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// One session.
pub struct Initiator {
    stream: TcpStream,
    cmd_sn: u32,
    next_tag: u32,
}

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub tag: u32,
    pub status: u8,
    /// Sense key, code and qualifier, where there are some.
    pub sense: Option<(u8, u8, u8)>,
    pub data: Vec<u8>,
}

impl Initiator {
    /// Logs in, and takes the attention that every new session has.
    pub fn log_in(address: &str, word: &str) -> Initiator {
        let mut initiator = Initiator::try_log_in(address, word)
            .map_err(|status| format!("{status:04x}h"))
            .expect("it may come in");
        while initiator.command(&[0; 6], &[], 0).status != 0 {}
        initiator
    }

    /// Logs in; the status of a login that is refused.
    pub fn try_log_in(address: &str, word: &str) -> Result<Initiator, u16> {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut initiator = Initiator { stream, cmd_sn: 1, next_tag: 1 };
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
            cmd_sn: CmdSn(1),
            exp_stat_sn: StatSn(0),
        };
        let text = format!(
            "InitiatorName={INITIATOR}{word}\0TargetName={NAME}\0SessionType=Normal\0ImmediateData=Yes\0"
        );
        initiator.send(request.encode(), text.as_bytes());
        let (header, _) = initiator.receive();
        assert_eq!(header.opcode(), Some(Opcode::LoginResponse));
        match u16::from_be_bytes([header.0[36], header.0[37]]) {
            0 => Ok(initiator),
            status => Err(status),
        }
    }

    fn send(&mut self, mut header: Header, data: &[u8]) {
        header.set_data_length(data.len());
        let mut pdu = header.0.to_vec();
        pdu.extend_from_slice(data);
        pdu.resize(48 + padded(data.len()), 0);
        self.stream.write_all(&pdu).unwrap();
    }

    fn receive(&mut self) -> (Header, Vec<u8>) {
        self.receive_in_time().expect("a PDU comes")
    }

    fn receive_in_time(&mut self) -> std::io::Result<(Header, Vec<u8>)> {
        let mut header = [0; 48];
        self.stream.read_exact(&mut header)?;
        let header = Header(header);
        let mut data = vec![0; padded(header.data_length())];
        self.stream.read_exact(&mut data)?;
        data.truncate(header.data_length());
        Ok((header, data))
    }

    /// Sends a command to unit 0 with all of its data; its tag.
    pub fn begin(&mut self, cdb: &[u8], data: &[u8], expected: u32) -> u32 {
        let tag = self.next_tag;
        self.next_tag += 1;
        let mut long_cdb = [0; 16];
        long_cdb[..cdb.len()].copy_from_slice(cdb);
        assert!(data.len() <= Parameters::default().initiator_segment_max as usize, "one PDU takes it");
        let command = ScsiCommand {
            is_immediate: false,
            is_final: true,
            reads: expected > 0,
            writes: !data.is_empty(),
            attribute: TaskAttribute::Simple,
            lun: [0; 8],
            task_tag: TaskTag(tag),
            expected_length: if data.is_empty() { expected } else { u32::try_from(data.len()).unwrap() },
            cmd_sn: CmdSn(self.cmd_sn),
            exp_stat_sn: StatSn(0),
            cdb: long_cdb,
        };
        self.cmd_sn += 1;
        self.send(command.encode(), data);
        tag
    }

    /// The end of a command that is under way.
    pub fn end(&mut self) -> Ended {
        let mut data = Vec::new();
        loop {
            let (header, segment) = self.receive();
            let tag = header.task_tag().0;
            match header.opcode() {
                Some(Opcode::DataIn) => {
                    data.extend(segment);
                    if header.0[1] & 1 != 0 {
                        return Ended { tag, status: header.0[3], sense: None, data };
                    }
                }
                Some(Opcode::ScsiResponse) => {
                    let sense = segment.get(2..16).map(|sense| (sense[2] & 15, sense[12], sense[13]));
                    return Ended { tag, status: header.0[3], sense, data };
                }
                other => panic!("{other:?} was not asked for"),
            }
        }
    }

    /// A command, and its end.
    pub fn command(&mut self, cdb: &[u8], data: &[u8], expected: u32) -> Ended {
        self.begin(cdb, data, expected);
        self.end()
    }

    /// Ends a command by ABORT TASK; the answer.
    pub fn abort(&mut self, tag: u32) -> u8 {
        let request = TaskRequest {
            is_immediate: true,
            function: TaskFunction::AbortTask,
            lun: [0; 8],
            task_tag: TaskTag(0x0abc_0000 + tag),
            referenced_tag: TaskTag(tag),
            cmd_sn: CmdSn(self.cmd_sn),
            exp_stat_sn: StatSn(0),
            referenced_cmd_sn: CmdSn(0),
        };
        self.send(request.encode(), &[]);
        let (header, _) = self.receive();
        // Answers that came before would stand here: the test asked for none.
        assert_eq!(header.opcode(), Some(Opcode::TaskResponse));
        header.0[2]
    }

    pub fn read(&mut self, block: u8) -> Ended {
        self.command(&[0x88, 0, 0, 0, 0, 0, 0, 0, 0, block, 0, 0, 0, 1, 0, 0], &[], 512)
    }

    pub fn write_cdb(block: u8) -> [u8; 16] {
        [0x8a, 0, 0, 0, 0, 0, 0, 0, 0, block, 0, 0, 0, 1, 0, 0]
    }

    pub fn write(&mut self, block: u8, fill: u8) -> Ended {
        self.command(&Initiator::write_cdb(block), &[fill; 512], 0)
    }

    pub fn ats_cdb(block: u8) -> [u8; 16] {
        [0x89, 0, 0, 0, 0, 0, 0, 0, 0, block, 0, 0, 0, 1, 0, 0]
    }

    /// COMPARE AND WRITE of one block, from one byte's fill to another's.
    pub fn swap(&mut self, block: u8, from: u8, to: u8) -> Ended {
        self.command(&Initiator::ats_cdb(block), &[[from; 512], [to; 512]].concat(), 0)
    }
}
