//! A client for tests, on this project's own client state machine; it can send anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use oarlock_nbd::client::{Dial, DialNext, Replies, Reply, Session, TlsWish, Wish};
use oarlock_nbd::{Command, CommandFlags, Cookie, Errno, Extent, Request};

/// No test waits longer for an answer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A connection in transmission.
pub struct Client {
    pub stream: UnixStream,
    pub session: Session,
    replies: Replies,
    input: Vec<u8>,
    last_cookie: u64,
    offsets: BTreeMap<Cookie, u64>,
    answers: BTreeMap<Cookie, Answered>,
    done: BTreeSet<Cookie>,
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    pub failed: Option<Errno>,
    /// Bytes of a read by offset; holes are zeros.
    pub data: Vec<u8>,
    /// Bytes of a read that came as holes.
    pub hole_bytes: usize,
    pub extents: Vec<Extent>,
}

/// A stream that fails instead of waiting for ever.
pub fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
    stream.set_write_timeout(Some(ANSWER_LIMIT)).unwrap();
    stream
}

/// Whether the server ended the connection.
pub fn is_ended(stream: &mut UnixStream) -> bool {
    // A reset is an end as well; a time-out is none.
    let read = stream.read_to_end(&mut Vec::new());
    read.map_or_else(|error| error.kind() == std::io::ErrorKind::ConnectionReset, |_| true)
}

fn read_more(stream: &mut UnixStream, input: &mut Vec<u8>) -> std::io::Result<()> {
    let start = input.len();
    input.resize(start + (64 << 10), 0);
    let read = stream.read(&mut input[start..]);
    input.truncate(start + read.as_ref().map_or(0, |read| *read));
    if read? == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

impl Client {
    /// Connects to the export `disk`; what the server denied, or how the connection broke.
    pub fn dial(socket: &Path) -> Result<Client, String> {
        let mut stream = connect(socket);
        let wish =
            Wish { export: "disk".to_owned(), tls: TlsWish::Never, structured: true, allocation: true };
        let (mut dial, mut input) = (Dial::new(wish), Vec::new());
        loop {
            let step = dial.handle(&input).map_err(|error| error.to_string())?;
            input.drain(..step.used);
            stream.write_all(&dial.take_output()).map_err(|error| error.to_string())?;
            match step.next {
                DialNext::Transmission(session) => {
                    let replies = Replies::new(&session);
                    return Ok(Client {
                        stream,
                        session: *session,
                        replies,
                        input,
                        last_cookie: 0,
                        offsets: BTreeMap::new(),
                        answers: BTreeMap::new(),
                        done: BTreeSet::new(),
                    });
                }
                DialNext::Denied { denial, .. } => return Err(denial.message),
                DialNext::Bytes if step.used == 0 => {
                    read_more(&mut stream, &mut input).map_err(|error| error.to_string())?;
                }
                DialNext::Bytes | DialNext::Tls => {}
            }
        }
    }

    pub fn new(socket: &Path) -> Client {
        Client::dial(socket).unwrap()
    }

    /// A request with a cookie of its own.
    pub fn request(&mut self, command: Command, offset: u64, length: u32) -> Request {
        self.last_cookie += 1;
        Request::new(command, Cookie(self.last_cookie), offset, length)
    }

    /// Sends a request, and does not wait for its answer.
    pub fn send(&mut self, request: &Request, payload: &[u8]) {
        self.replies.expect(request).unwrap();
        self.offsets.insert(request.cookie, request.offset);
        let mut bytes = request.encode().to_vec();
        bytes.extend(payload);
        self.stream.write_all(&bytes).unwrap();
    }

    /// Sends requests without data in one write: a unix socket takes few small ones that nobody reads.
    pub fn send_together(&mut self, requests: &[Request]) {
        let mut bytes = Vec::new();
        for request in requests {
            self.replies.expect(request).unwrap();
            self.offsets.insert(request.cookie, request.offset);
            bytes.extend(request.encode());
        }
        self.stream.write_all(&bytes).unwrap();
    }

    /// Whether the server ended the connection. What it still sends is dropped.
    pub fn is_cut_off(&mut self) -> bool {
        is_ended(&mut self.stream)
    }

    /// The answer to a request that was sent. Those to others are kept for whoever asks for them.
    pub fn answer(&mut self, request: &Request) -> std::io::Result<Answered> {
        while !self.done.contains(&request.cookie) {
            self.take_reply()?;
        }
        let mut answered = self.answers.remove(&request.cookie).unwrap_or_default();
        // A hole at the end has brought no byte.
        if request.command == Command::READ && answered.failed.is_none() {
            answered.data.resize(request.length as usize, 0);
        }
        Ok(answered)
    }

    fn take_reply(&mut self) -> std::io::Result<()> {
        let parsed = self.replies.next(&self.input).map_err(std::io::Error::other)?;
        self.input.drain(..parsed.used);
        match parsed.reply {
            Reply::More { .. } => read_more(&mut self.stream, &mut self.input)?,
            Reply::Done { cookie, result } => {
                self.done.insert(cookie);
                let answered = self.answers.entry(cookie).or_default();
                answered.failed = answered.failed.or(result.err());
            }
            Reply::Data { cookie, offset, length } => {
                let start = usize::try_from(offset - self.offsets[&cookie]).unwrap();
                self.take_data(cookie, start, start + length as usize)?;
            }
            Reply::Hole { cookie, length, .. } => {
                self.answers.entry(cookie).or_default().hole_bytes += length as usize;
            }
            Reply::Status { cookie, extents, .. } => {
                self.answers.entry(cookie).or_default().extents = extents
            }
            _ => {}
        }
        Ok(())
    }

    fn take_data(&mut self, cookie: Cookie, mut at: usize, end: usize) -> std::io::Result<()> {
        let length = self.answers.entry(cookie).or_default().data.len().max(end);
        self.answers.entry(cookie).or_default().data.resize(length, 0);
        while at < end {
            let taken = self.replies.take_payload(&self.input);
            let length = taken.len();
            self.answers.entry(cookie).or_default().data[at..at + length].copy_from_slice(taken);
            at += length;
            self.input.drain(..length);
            if length == 0 {
                read_more(&mut self.stream, &mut self.input)?;
            }
        }
        Ok(())
    }

    /// Asks, and waits.
    pub fn ask(&mut self, request: &Request, payload: &[u8]) -> Answered {
        self.send(request, payload);
        self.answer(request).unwrap()
    }

    pub fn read(&mut self, offset: u64, length: u32) -> Answered {
        let request = self.request(Command::READ, offset, length);
        self.ask(&request, &[])
    }

    pub fn write(&mut self, offset: u64, data: &[u8]) -> Answered {
        let request = self.request(Command::WRITE, offset, u32::try_from(data.len()).unwrap());
        self.ask(&request, data)
    }

    /// A command without data.
    pub fn tell(&mut self, command: Command, flags: CommandFlags, offset: u64, length: u32) -> Answered {
        let request = Request { flags, ..self.request(command, offset, length) };
        self.ask(&request, &[])
    }
}
