//! A guest of a disk: an NBD client of one request at a time.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use oarlock_image::Address;
use oarlock_nbd::client::{Dial, DialNext, Replies, Reply, TlsWish, Wish};
use oarlock_nbd::{Command, Cookie, Request};

use super::stage::LIMIT;

/// Bytes that are read of the socket at once.
const READ_LENGTH: usize = 64 << 10;

/// A connection to a disk. Each of its waits ends with [`LIMIT`].
pub struct Guest {
    stream: UnixStream,
    replies: Replies,
    input: Vec<u8>,
    last_cookie: u64,
}

impl Guest {
    /// Connects.
    ///
    /// # Errors
    /// What the system or the host says.
    pub fn at(address: &Address) -> io::Result<Guest> {
        let mut stream = UnixStream::connect(&address.socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let export = address.export.clone();
        let wish = Wish { export, tls: TlsWish::Never, structured: false, allocation: false };
        let (mut dial, mut input) = (Dial::new(wish), Vec::new());
        loop {
            let step = dial.handle(&input).map_err(io::Error::other)?;
            input.drain(..step.used);
            stream.write_all(&dial.take_output())?;
            match step.next {
                DialNext::Transmission(session) => {
                    let replies = Replies::new(&session);
                    return Ok(Guest { stream, replies, input, last_cookie: 0 });
                }
                DialNext::Denied { denial, .. } => return Err(io::Error::other(denial.message)),
                DialNext::Bytes if step.used == 0 => more(&mut stream, &mut input)?,
                DialNext::Bytes | DialNext::Tls => {}
            }
        }
    }

    /// Writes bytes at an offset.
    ///
    /// # Errors
    /// What the system or the disk says; also those below.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.ask(Command::WRITE, offset, data.len(), data).map(drop)
    }

    /// Makes durable what was written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.ask(Command::FLUSH, 0, 0, &[]).map(drop)
    }

    /// Reads bytes at an offset.
    pub fn read(&mut self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.ask(Command::READ, offset, length, &[])
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
                Reply::More { .. } => more(&mut self.stream, &mut self.input)?,
                Reply::Done { result: Ok(()), .. } => return Ok(data),
                Reply::Done { result: Err(errno), .. } => return Err(io::Error::other(errno.to_string())),
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
                more(&mut self.stream, &mut self.input)?;
            }
        }
        Ok(())
    }
}

fn more(stream: &mut UnixStream, input: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = vec![0; READ_LENGTH];
    let read = stream.read(&mut bytes)?;
    input.extend_from_slice(&bytes[..read]);
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
