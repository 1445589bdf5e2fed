//! A guest of a disk: an NBD client of one request at a time, on this project's own client state machine.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use oarlock_nbd::client::{Dial, DialNext, Replies, Reply, Session, TlsWish, Wish};
use oarlock_nbd::{Command, Cookie, Request};

/// No test waits longer for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A connection to an export.
pub struct Guest {
    stream: Box<dyn Stream>,
    session: Session,
    replies: Replies,
    input: Vec<u8>,
    last_cookie: u64,
}

impl Guest {
    /// Connects to an export of a host's own door.
    pub fn at(socket: &Path, export: &str) -> io::Result<Guest> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        Guest::on(Box::new(stream), export)
    }

    /// Connects to an export of a TCP port.
    pub fn at_port(address: &str, export: &str) -> io::Result<Guest> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        Guest::on(Box::new(stream), export)
    }

    fn on(mut stream: Box<dyn Stream>, export: &str) -> io::Result<Guest> {
        let wish =
            Wish { export: export.to_owned(), tls: TlsWish::Never, structured: false, allocation: false };
        let (mut dial, mut input) = (Dial::new(wish), Vec::new());
        loop {
            let step = dial.handle(&input).map_err(io::Error::other)?;
            input.drain(..step.used);
            stream.write_all(&dial.take_output())?;
            match step.next {
                DialNext::Transmission(session) => {
                    let replies = Replies::new(&session);
                    return Ok(Guest { stream, session: *session, replies, input, last_cookie: 0 });
                }
                DialNext::Denied { denial, .. } => return Err(io::Error::other(denial.message)),
                DialNext::Bytes if step.used == 0 => more(&mut *stream, &mut input)?,
                DialNext::Bytes | DialNext::Tls => {}
            }
        }
    }

    /// The size that was told.
    pub fn size(&self) -> u64 {
        self.session.size_bytes
    }

    pub fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.ask(Command::WRITE, offset, data.len(), data).map(drop)
    }

    pub fn read(&mut self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.ask(Command::READ, offset, length, &[])
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.ask(Command::FLUSH, 0, 0, &[]).map(drop)
    }

    fn ask(&mut self, command: Command, offset: u64, length: usize, payload: &[u8]) -> io::Result<Vec<u8>> {
        self.last_cookie += 1;
        let length = u32::try_from(length).map_err(io::Error::other)?;
        let request = Request::new(command, Cookie(self.last_cookie), offset, length);
        self.replies.expect(&request).map_err(io::Error::other)?;
        self.stream.write_all(&[&request.encode()[..], payload].concat())?;
        let mut data = Vec::new();
        loop {
            let parsed = self.replies.next(&self.input).map_err(io::Error::other)?;
            self.input.drain(..parsed.used);
            match parsed.reply {
                Reply::More { .. } => more(&mut *self.stream, &mut self.input)?,
                Reply::Done { result: Ok(()), .. } => return Ok(data),
                Reply::Done { result: Err(errno), .. } => {
                    return Err(io::Error::other(format!("{errno:?}")));
                }
                Reply::Data { length, .. } => self.take(&mut data, length as usize)?,
                _ => {}
            }
        }
    }

    fn take(&mut self, data: &mut Vec<u8>, length: usize) -> io::Result<()> {
        let end = data.len() + length;
        while data.len() < end {
            let taken = self.replies.take_payload(&self.input);
            let length = taken.len();
            data.extend_from_slice(taken);
            self.input.drain(..length);
            if length == 0 {
                more(&mut *self.stream, &mut self.input)?;
            }
        }
        Ok(())
    }
}

fn more(stream: &mut dyn Stream, input: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    let read = stream.read(&mut bytes)?;
    input.extend_from_slice(&bytes[..read]);
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
