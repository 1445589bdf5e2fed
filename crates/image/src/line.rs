//! One connection to a disk's NBD server, with many requests under way.

use std::collections::HashMap;

use oarlock_nbd::client::{Dial, DialNext, Replies, Reply, Session, TlsWish, Wish};
use oarlock_nbd::{Command, Cookie, Errno, Extent, Request, TransmissionFlags};

use crate::address::Address;
use crate::error::ImageError;
use crate::onlooker::Onlooker;
use crate::wire::Wire;

/// What came of requests.
pub enum Received<'a> {
    /// A piece of a read's data. Zeros that the server tells as a hole are not told: buffers begin as zeros.
    Data {
        /// Where the piece begins on the disk.
        offset: u64,
        /// Whose.
        cookie: Cookie,
        /// The piece.
        bytes: &'a [u8],
    },
    /// The extents of a block status.
    Status(Vec<Extent>),
    /// A request is done.
    Done(Request),
}

/// Who takes what came of requests.
pub type Taker<'a> = dyn FnMut(Received<'_>) -> Result<(), ImageError> + 'a;

/// A connection in transmission.
pub struct Line {
    wire: Wire,
    session: Session,
    replies: Replies,
    /// A read whose data came in part: whose, and where the rest begins.
    half_read: Option<(Cookie, u64)>,
    under_way: HashMap<Cookie, Request>,
    /// The server's sentences about requests that failed.
    sentences: HashMap<Cookie, String>,
    next_cookie: u64,
}

impl Line {
    /// Connects, and agrees on structured replies and `base:allocation` where the server has them.
    pub fn dial(address: &Address, onlooker: &dyn Onlooker) -> Result<Line, ImageError> {
        let failed = |source| ImageError::Connect { socket: address.socket.clone(), source };
        let mut wire = Wire::connect(&address.socket, onlooker)?.map_err(failed)?;
        let mut dial = Dial::new(Wish {
            export: address.export.clone(),
            tls: TlsWish::Never,
            structured: true,
            allocation: true,
        });
        let session = loop {
            let step = dial.handle(&wire.input)?;
            wire.input.drain(..step.used);
            wire.push(&dial.take_output());
            match step.next {
                DialNext::Transmission(session) => break *session,
                DialNext::Denied { denial, .. } => {
                    let why = format!("{} {}", denial.code, denial.message.escape_debug());
                    let export = address.export.clone();
                    return Err(ImageError::Denied { export, why: why.trim().to_owned() });
                }
                DialNext::Bytes if step.used == 0 => wire.wait(onlooker)?,
                // TLS is never asked for, so it is never offered.
                DialNext::Bytes | DialNext::Tls => {}
            }
        };
        Ok(Line {
            wire,
            replies: Replies::new(&session),
            session,
            half_read: None,
            under_way: HashMap::new(),
            sentences: HashMap::new(),
            next_cookie: 0,
        })
    }

    /// The disk's size.
    pub fn size_bytes(&self) -> u64 {
        self.session.size_bytes
    }

    /// Whether the export can do all of that.
    pub fn can(&self, flags: TransmissionFlags) -> bool {
        self.session.flags.has(flags)
    }

    /// Whether it tells where data are.
    pub fn tells_allocation(&self) -> bool {
        !self.session.contexts.is_empty()
    }

    /// Requests begin and end at multiples of so many bytes. A server that says nothing may want sectors.
    pub fn block_size(&self) -> u64 {
        self.session.block_sizes.map_or(512, |sizes| u64::from(sizes.minimum()))
    }

    /// The most that one request may carry.
    pub fn payload_max(&self) -> u32 {
        self.session.block_sizes.map_or(u32::MAX, |sizes| sizes.payload_max())
    }

    /// Requests that are not answered.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Queues a request, with the payload of a write; [`turn`](Self::turn) sends what the socket does not take at once. The caller keeps how many are under way in bounds.
    pub fn send(
        &mut self,
        command: Command,
        offset: u64,
        length: u32,
        payload: &[u8],
    ) -> Result<Cookie, ImageError> {
        let cookie = Cookie(self.next_cookie);
        self.next_cookie += 1;
        let request = Request::new(command, cookie, offset, length);
        self.replies.expect(&request)?;
        self.under_way.insert(cookie, request);
        self.wire.push(&request.encode());
        self.wire.push(payload);
        self.wire.send_some()?;
        Ok(cookie)
    }

    /// Sends one request while no other is under way, and waits until it is done.
    pub fn ask(
        &mut self,
        (command, offset, length): (Command, u64, u32),
        onlooker: &dyn Onlooker,
        taker: &mut Taker<'_>,
    ) -> Result<(), ImageError> {
        self.send(command, offset, length, &[])?;
        while self.under_way() > 0 {
            self.turn(onlooker, taker)?;
        }
        Ok(())
    }

    /// Waits until something came, and gives it to the taker. To be called while requests are under way.
    pub fn turn(&mut self, onlooker: &dyn Onlooker, taker: &mut Taker<'_>) -> Result<(), ImageError> {
        self.wire.wait(onlooker)?;
        let input = std::mem::take(&mut self.wire.input);
        let used = self.understand(&input, taker)?;
        self.wire.input = input;
        self.wire.input.drain(..used);
        Ok(())
    }

    /// Says goodbye.
    pub fn leave(mut self) {
        self.wire.push(&Request::new(Command::DISC, Cookie(self.next_cookie), 0, 0).encode());
        // A goodbye that does not reach anybody changes nothing.
        let _ = self.wire.send_some();
    }

    /// Takes all replies in the bytes; how many of them were used.
    fn understand(&mut self, input: &[u8], taker: &mut Taker<'_>) -> Result<usize, ImageError> {
        let mut used = 0;
        loop {
            if let Some((cookie, offset)) = self.half_read.take() {
                let bytes = self.replies.take_payload(&input[used..]);
                used += bytes.len();
                taker(Received::Data { offset, cookie, bytes })?;
                if self.replies.payload_left() > 0 {
                    self.half_read = Some((cookie, offset + bytes.len() as u64));
                    return Ok(used);
                }
            }
            let parsed = self.replies.next(&input[used..])?;
            used += parsed.used;
            match parsed.reply {
                Reply::More { .. } => return Ok(used),
                Reply::Data { cookie, offset, .. } => self.half_read = Some((cookie, offset)),
                Reply::Hole { .. } => {}
                Reply::Status { extents, .. } => taker(Received::Status(extents))?,
                Reply::Failed { cookie, message, .. } => {
                    self.sentences.insert(cookie, message);
                }
                Reply::Done { cookie, result } => taker(Received::Done(self.ended(cookie, result)?))?,
            }
        }
    }

    /// Takes a request from the account of those under way; refused, it ends the copy.
    fn ended(&mut self, cookie: Cookie, result: Result<(), Errno>) -> Result<Request, ImageError> {
        let sentence = self.sentences.remove(&cookie).unwrap_or_default();
        let request = self.under_way.remove(&cookie);
        let request = request.unwrap_or_else(|| Request::new(Command::READ, cookie, 0, 0));
        let Request { command, offset, length, .. } = request;
        match result {
            Ok(()) => Ok(request),
            Err(errno) => Err(ImageError::Refused { command, offset, length, errno, message: sentence }),
        }
    }
}
