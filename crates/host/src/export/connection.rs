//! One client in transmission: bytes of its socket to requests, and answers to bytes of its socket.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use oarlock_device::{DataBuffer, DataRing};
use oarlock_nbd::server::{Incoming, Replies, Requests, Rules, Session};
use oarlock_nbd::{Command, NbdError, Request};

use super::budget::{Budget, bytes_for};
use super::limits::{CONNECTION_REQUESTS_MAX, READS_A_TURN_MAX, REPLY_BYTES_MAX};
use super::output::{Output, Sent};
use super::task::Begun;
use super::wire::Wire;

/// A client whose handshake is over, on its way to the export's thread.
pub(crate) struct Handover {
    pub(crate) wire: Wire,
    pub(crate) session: Session,
    /// What it sent behind its handshake.
    pub(crate) early: Vec<u8>,
}

/// A client that is served.
pub(crate) struct Connection {
    wire: Wire,
    watched: Rc<dyn AsFd>,
    requests: Requests,
    pub(crate) replies: Replies,
    pub(crate) output: Output,
    /// Bytes that came and were not looked at yet.
    leftover: Vec<u8>,
    /// A write whose data has not come in full.
    receiving: Option<Receiving>,
    /// A request that was not let in yet.
    stalled: Option<Request>,
    /// Requests begun whose answer was not sent, or, where it has no data, not made.
    pub(crate) under_way: usize,
    /// It waits for its own answers before it may ask for more.
    pub(crate) is_crowded: bool,
    /// The last read left nothing behind.
    pub(crate) is_emptied: bool,
    pub(crate) is_reading_watched: bool,
    pub(crate) is_writing_watched: bool,
    /// Nothing more of it is read: it said goodbye, or broke off, or broke the rules.
    pub(crate) is_closing: bool,
    /// Its socket is shut.
    pub(crate) is_gone: bool,
    /// Requests of broken connections below this number must end before this one's begin.
    pub(crate) barrier: Option<u64>,
    /// When it last sent or took anything.
    pub(crate) moved: Instant,
}

struct Receiving {
    request: Request,
    data: DataBuffer,
    at: usize,
    held_bytes: usize,
}

/// What is given out to connections.
pub(crate) struct Means<'a> {
    pub(crate) budget: &'a mut Budget,
    pub(crate) ring: &'a DataRing,
    pub(crate) begun: &'a mut Vec<Begun>,
    /// The disk's size now.
    pub(crate) size: u64,
    pub(crate) now: Instant,
}

impl Connection {
    pub(crate) fn new(handover: Handover, now: Instant) -> Connection {
        let Handover { wire, session, early } = handover;
        let watched: Rc<dyn AsFd> = Rc::new(Arc::clone(wire.socket()));
        Connection {
            wire,
            watched,
            requests: Requests::new(Rules::new(&session)),
            replies: Replies::new(session.structured),
            output: Output::default(),
            leftover: early,
            receiving: None,
            stalled: None,
            under_way: 0,
            is_crowded: false,
            is_emptied: false,
            is_reading_watched: false,
            is_writing_watched: false,
            is_closing: false,
            is_gone: false,
            barrier: None,
            moved: now,
        }
    }

    pub(crate) fn socket(&self) -> Rc<dyn AsFd> {
        Rc::clone(&self.watched)
    }

    /// Whether it has nothing to do but to be read.
    pub(crate) fn wants_input(&self) -> bool {
        !self.is_closing && !self.is_crowded && self.stalled.is_none() && self.barrier.is_none()
    }

    /// Whether answers wait for room in the socket.
    pub(crate) fn wants_room(&self) -> bool {
        !self.output.is_empty() || self.wire.is_pending()
    }

    /// Whether it waits for its client: for the rest of a write, or to be read.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.receiving.is_some() || self.wants_room()
    }

    /// Whether it has something to look at that came earlier, and may look.
    pub(crate) fn may_go_on(&self) -> bool {
        let is_crowded =
            self.under_way >= CONNECTION_REQUESTS_MAX || self.output.small_bytes() > REPLY_BYTES_MAX;
        self.is_crowded && !is_crowded && !self.is_closing
    }

    /// Reads what the socket has, `buffer` at a time, and looks for requests. A connection that broke or ended
    /// [closes](Self::is_closing).
    pub(crate) fn read(&mut self, place: usize, buffer: &mut [u8], means: &mut Means<'_>) {
        for _ in 0..READS_A_TURN_MAX {
            if !self.wants_input() {
                return;
            }
            match self.read_once(place, buffer, means) {
                Ok(is_emptied) => self.is_emptied = is_emptied,
                Err(_) => self.is_closing = true,
            }
            if self.is_emptied {
                return;
            }
        }
    }

    /// One read; `true` where it left nothing behind.
    fn read_once(&mut self, place: usize, buffer: &mut [u8], means: &mut Means<'_>) -> io::Result<bool> {
        let kept = self.leftover.len();
        buffer[..kept].copy_from_slice(&self.leftover);
        self.leftover.clear();
        let rest: &mut [u8] = match &mut self.receiving {
            Some(receiving) => &mut receiving.data.bytes()[receiving.at..],
            None => &mut [],
        };
        let (wanted, asked) = (rest.len(), rest.len() + buffer.len() - kept);
        let got = match self.wire.read(rest, &mut buffer[kept..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(false),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.leftover.extend_from_slice(&buffer[..kept]);
                return Ok(true);
            }
            got => got?,
        };
        self.moved = means.now;
        self.received(got.min(wanted), means);
        let filled = kept + got.saturating_sub(wanted);
        self.parse(place, &buffer[..filled], means);
        Ok(self.wire.is_emptied_by(got, asked))
    }

    /// So many bytes of the write that is being received have come.
    fn received(&mut self, bytes: usize, means: &mut Means<'_>) {
        let Some(mut receiving) = self.receiving.take() else { return };
        self.requests.payload_received(bytes);
        receiving.at += bytes;
        if receiving.at < receiving.request.length as usize {
            self.receiving = Some(receiving);
            return;
        }
        let Receiving { request, data, held_bytes, .. } = receiving;
        means.begun.push(Begun { request, data: Some(data), held_bytes });
    }

    /// Goes on with what came earlier.
    pub(crate) fn go_on(&mut self, place: usize, means: &mut Means<'_>) {
        self.is_crowded = false;
        let bytes = std::mem::take(&mut self.leftover);
        self.parse(place, &bytes, means);
    }

    /// Looks for requests, and keeps what is not looked at.
    fn parse(&mut self, place: usize, bytes: &[u8], means: &mut Means<'_>) {
        self.requests.rules_mut().resize(means.size);
        let mut used = 0;
        while !self.is_closing && self.receiving.is_none() {
            if let Some(request) = self.stalled {
                let Some(taken) = self.admit(place, request, &bytes[used..], means) else { break };
                used += taken;
                continue;
            }
            self.is_crowded =
                self.under_way >= CONNECTION_REQUESTS_MAX || self.output.small_bytes() > REPLY_BYTES_MAX;
            if self.is_crowded || self.barrier.is_some() {
                break;
            }
            match self.next(&bytes[used..]) {
                Ok((0, _)) => break,
                Ok((taken, is_more)) => {
                    used += taken;
                    if !is_more {
                        break;
                    }
                }
                Err(_) => self.is_closing = true,
            }
        }
        if !self.is_closing {
            self.leftover.extend_from_slice(&bytes[used..]);
        }
    }

    /// The next request: how many bytes it took, and whether another may follow.
    fn next(&mut self, bytes: &[u8]) -> Result<(usize, bool), NbdError> {
        let parsed = self.requests.next(bytes)?;
        match parsed.incoming {
            Incoming::More { .. } => return Ok((parsed.used, false)),
            Incoming::Disconnect => self.is_closing = true,
            Incoming::Request(request) => self.stalled = Some(request),
            Incoming::Refused { request, error } => {
                let replies = self.replies;
                self.output.small(|out| replies.failed(&request, error, "the export's rules refuse it", out));
            }
        }
        Ok((parsed.used, true))
    }

    /// Lets the stalled request in, if there is room for it: how many of the bytes are its data.
    fn admit(
        &mut self,
        place: usize,
        request: Request,
        bytes: &[u8],
        means: &mut Means<'_>,
    ) -> Option<usize> {
        let carries_data = matches!(request.command, Command::READ | Command::WRITE);
        let held_bytes = if carries_data { bytes_for(request.length as usize) } else { 0 };
        if !means.budget.admit(place, held_bytes) {
            return None;
        }
        self.stalled = None;
        self.under_way += 1;
        if request.command != Command::WRITE {
            means.begun.push(Begun { request, data: None, held_bytes });
            return Some(0);
        }
        // Buffers that the kernel never gave back count with the ring and not with the budget: then it waits, too.
        let Ok(mut data) = means.ring.buffer(request.length as usize) else {
            means.budget.take_back(place, held_bytes);
            (self.stalled, self.under_way) = (Some(request), self.under_way - 1);
            return None;
        };
        let came = self.requests.take_payload(bytes);
        data.bytes()[..came.len()].copy_from_slice(came);
        if came.len() < request.length as usize {
            self.receiving = Some(Receiving { request, data, at: came.len(), held_bytes });
        } else {
            means.begun.push(Begun { request, data: Some(data), held_bytes });
        }
        Some(came.len())
    }

    /// Sends what the socket takes; an error is the end of the connection.
    pub(crate) fn send(&mut self) -> (Sent, bool) {
        let mut sent = Sent::default();
        let is_alive = match self.output.send(&mut self.wire, &mut sent) {
            Ok(()) => true,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        self.under_way -= sent.answers;
        (sent, is_alive)
    }

    /// Gives up what it asked for and was not begun: the bytes that were set aside for it, where there was something.
    pub(crate) fn give_up_unbegun(&mut self) -> Option<usize> {
        self.stalled = None;
        self.leftover = Vec::new();
        let receiving = self.receiving.take()?;
        self.under_way -= 1;
        Some(receiving.held_bytes)
    }

    /// Ends the connection. Bytes of memory that its answers held.
    pub(crate) fn cut(&mut self) -> usize {
        let held_bytes = self.output.held_bytes();
        self.wire.say_goodbye();
        self.wire.socket().shut();
        self.output = Output::default();
        (self.is_closing, self.is_gone, self.is_crowded) = (true, true, false);
        held_bytes
    }
}
