//! A client that looks at an export, on `std` alone: `look unix:/tmp/nbd.sock NAME` tells what was agreed, where data stand, and how
//! many of their bytes are not zero.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use oarlock_nbd::client::{Dial, DialNext, Replies, Reply, Session, TlsWish, Wish};
use oarlock_nbd::{Allocation, Command, Cookie, Extent, Request};

const STATUS_AT_ONCE: u64 = 1 << 30;
const READ_AT_ONCE: u32 = 1 << 20;
const BUFFER: usize = 64 << 10;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [place, rest @ ..] = arguments.as_slice() else {
        eprintln!("look tcp:HOST:PORT or unix:PATH, and the export's name");
        return Ok(());
    };
    let export = rest.first().cloned().unwrap_or_default();
    if let Some(address) = place.strip_prefix("tcp:") {
        look(TcpStream::connect(address)?, export)
    } else {
        look(UnixStream::connect(place.trim_start_matches("unix:"))?, export)
    }
}

/// A connection, and what of its bytes was not used yet.
struct Line<S> {
    server: S,
    input: Vec<u8>,
}

impl<S: Read + Write> Line<S> {
    fn read_more(&mut self) -> Result<(), Error> {
        let start = self.input.len();
        self.input.resize(start + BUFFER, 0);
        let read = self.server.read(&mut self.input[start..])?;
        self.input.truncate(start + read);
        if read == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn dial(&mut self, export: String) -> Result<Session, Failure> {
        let mut dial = Dial::new(Wish { export, tls: TlsWish::Never, structured: true, allocation: true });
        loop {
            let step = dial.handle(&self.input)?;
            self.input.drain(..step.used);
            self.server.write_all(&dial.take_output())?;
            match step.next {
                DialNext::Transmission(session) => return Ok(*session),
                DialNext::Denied { option, denial } => {
                    return Err(format!("{option}: {} {}", denial.code, denial.message).into());
                }
                DialNext::Bytes if step.used == 0 => self.read_more()?,
                DialNext::Bytes | DialNext::Tls => {}
            }
        }
    }

    /// Sends one request, and gives each of its replies to `each`, data with their bytes.
    fn ask(
        &mut self,
        replies: &mut Replies,
        request: Request,
        mut each: impl FnMut(&Reply, &[u8]),
    ) -> Result<(), Failure> {
        replies.expect(&request)?;
        self.server.write_all(&request.encode())?;
        loop {
            let parsed = replies.next(&self.input)?;
            self.input.drain(..parsed.used);
            match &parsed.reply {
                Reply::More { .. } => self.read_more()?,
                Reply::Done { result, .. } => return result.map_err(|errno| errno.to_string().into()),
                reply => each(reply, &[]),
            }
            while replies.payload_left() > 0 {
                let taken = replies.take_payload(&self.input).len();
                each(&parsed.reply, &self.input[..taken]);
                self.input.drain(..taken);
                if taken == 0 {
                    self.read_more()?;
                }
            }
        }
    }
}

fn look<S: Read + Write>(server: S, export: String) -> Result<(), Failure> {
    let mut line = Line { server, input: Vec::new() };
    let session = line.dial(export)?;
    println!("{session:#?}");
    let mut replies = Replies::new(&session);
    let mut offset = 0;
    while offset < session.size_bytes && !session.contexts.is_empty() {
        let length = u32::try_from((session.size_bytes - offset).min(STATUS_AT_ONCE))?;
        let mut found: Vec<Extent> = Vec::new();
        let request = Request::new(Command::BLOCK_STATUS, Cookie(offset), offset, length);
        line.ask(&mut replies, request, |reply, _| {
            if let Reply::Status { extents, .. } = reply {
                found.clone_from(extents);
            }
        })?;
        for extent in found {
            let bytes = if extent.status.has(Allocation::ZERO) {
                0
            } else {
                count(&mut line, &mut replies, offset, u64::from(extent.length))?
            };
            println!(
                "{offset:>16} {:>12} {:?}, {bytes} bytes that are not zero",
                extent.length, extent.status
            );
            offset += u64::from(extent.length);
        }
    }
    Ok(line.server.write_all(&Request::new(Command::DISC, Cookie(0), 0, 0).encode())?)
}

/// How many bytes of a range are not zero.
fn count<S: Read + Write>(
    line: &mut Line<S>,
    replies: &mut Replies,
    start: u64,
    length: u64,
) -> Result<usize, Failure> {
    let (mut at, mut bytes) = (start, 0);
    while at < start + length {
        let piece = u32::try_from((start + length - at).min(u64::from(READ_AT_ONCE)))?;
        line.ask(replies, Request::new(Command::READ, Cookie(at), at, piece), |_, data| {
            bytes += data.iter().filter(|&&byte| byte != 0).count();
        })?;
        at += u64::from(piece);
    }
    Ok(bytes)
}
