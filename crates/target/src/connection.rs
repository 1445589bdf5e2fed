//! One connection: bytes of its socket to PDUs, whose data go where they belong without another copy where they are long.

use std::io::{self, ErrorKind, IoSliceMut, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Instant;

use oarlock_block::crc32c as checksum;
use oarlock_scsi::iscsi::{HEADER_LENGTH, Header, SEGMENT_MAX, padded};

use crate::array::Array;
use crate::deliver;
use crate::limits::READS_A_TURN_MAX;
use crate::login::LoginPhase;
use crate::output::Output;
use crate::session::{PortalIndex, Session};
use crate::task::Task;

/// The longest data segment during a login (RFC 7143, 13.12: the default holds until something else was declared).
const LOGIN_SEGMENT_MAX: usize = 8192;

/// A data segment that is shorter is copied out of the common buffer: that costs less than a place for it of its own.
const DIRECT_MIN: usize = 16 << 10;

/// Behind a segment of this length the next one is likely as long: only its header is read ahead, and its data go where they belong.
const BULKY_MIN: usize = 64 << 10;

/// What is read ahead of such a segment.
const BULKY_READ: usize = 4 << 10;

/// A connection that cannot go on: its socket broke, or its initiator broke a rule that ends connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It was closed, or failed.
    Socket,
    /// A header's digest is wrong (RFC 7143, 7.7).
    HeaderDigest,
    /// The digest of a command's data is wrong: it counts as not received, and nothing sends it again (RFC 7143, 7.8).
    DataDigest,
    /// Bytes that are no PDU, or one that its phase does not have.
    Protocol,
}

impl Broken {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Broken::Socket => "the connection was closed",
            Broken::HeaderDigest => "a header's digest is wrong",
            Broken::DataDigest => "the digest of a command's data is wrong",
            Broken::Protocol => "the initiator broke the protocol",
        }
    }
}

/// Where a connection sits among the others, and which of those that sat there it is: work that was begun for one is never another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) place: usize,
    pub(crate) turn: u32,
}

/// A connection of one initiator.
pub(crate) struct Connection {
    pub(crate) seat: Seat,
    pub(crate) socket: Rc<TcpStream>,
    pub(crate) peer: SocketAddr,
    pub(crate) portal: PortalIndex,
    pub(crate) phase: Phase,
    /// Bytes that came and are no whole header yet.
    leftover: Vec<u8>,
    segment: Option<Segment>,
    /// The last PDU had long data.
    is_bulky: bool,
    pub(crate) is_reading_watched: bool,
    pub(crate) is_writing_watched: bool,
    /// The last read left nothing behind.
    pub(crate) is_emptied: bool,
    /// Nothing more is read; it is closed when its last answers are sent, or when that takes too long.
    pub(crate) closing_since: Option<Instant>,
    /// Looks at it since it sent or took anything.
    pub(crate) quiet: u64,
    /// Looks at it since it took any of what waits for it.
    pub(crate) unread: u64,
    /// Bytes that its initiator took since it was last found to read.
    pub(crate) taken: usize,
    /// It was asked whether it lives.
    pub(crate) is_asked: bool,
}

/// How far a connection has got.
pub(crate) enum Phase {
    /// It logs in.
    Login(Box<LoginPhase>),
    /// It is a session's.
    Full(Rc<Session>),
}

/// A PDU whose data have not come in full.
struct Segment {
    header: Header,
    sink: Sink,
    length: usize,
    done: usize,
    /// The digest of what came, where data have one.
    digest: Option<u32>,
}

/// How many bytes were taken, and whether what is behind them can be looked at.
struct Took {
    bytes: usize,
    goes_on: bool,
}

impl Took {
    const NOTHING: Took = Took { bytes: 0, goes_on: false };
}

/// Where the data of a PDU go.
pub(crate) enum Sink {
    /// Nowhere.
    Discard,
    /// To whoever handles the PDU.
    Collect(Vec<u8>),
    /// Into the buffer of a task, from this byte on.
    Task(Rc<Task>, usize),
}

impl Connection {
    pub(crate) fn new(
        seat: Seat,
        socket: TcpStream,
        peer: SocketAddr,
        portal: PortalIndex,
        phase: LoginPhase,
    ) -> Connection {
        Connection {
            seat,
            socket: Rc::new(socket),
            peer,
            portal,
            phase: Phase::Login(Box::new(phase)),
            leftover: Vec::new(),
            segment: None,
            is_bulky: false,
            is_reading_watched: false,
            is_writing_watched: false,
            is_emptied: false,
            closing_since: None,
            quiet: 0,
            unread: 0,
            taken: 0,
            is_asked: false,
        }
    }

    pub(crate) fn watched(&self) -> Rc<dyn AsFd> {
        Rc::clone(&self.socket) as Rc<dyn AsFd>
    }

    pub(crate) fn session(&self) -> Option<&Rc<Session>> {
        match &self.phase {
            Phase::Full(session) => Some(session),
            Phase::Login(_) => None,
        }
    }

    /// Looks at what waits to be sent.
    pub(crate) fn output<T>(&self, look: impl FnOnce(&Output) -> T) -> T {
        match &self.phase {
            Phase::Login(login) => look(&login.output),
            Phase::Full(session) => look(&session.output.borrow()),
        }
    }

    /// Whether it is to be read: it is open, and its initiator takes what it asked for.
    pub(crate) fn wants_input(&self) -> bool {
        let is_waiting = matches!(&self.phase, Phase::Login(login) if login.is_waiting());
        self.closing_since.is_none() && !is_waiting && self.output(Output::is_read)
    }

    /// Reads what the socket has, `buffer` at a time, and handles the PDUs in it.
    ///
    /// # Errors
    /// [`Broken`]: the connection is of no use any more.
    pub(crate) fn read(&mut self, array: &Rc<Array>, buffer: &mut [u8]) -> Result<(), Broken> {
        for _ in 0..READS_A_TURN_MAX {
            if !self.wants_input() {
                // What is left in the socket is looked at again when it may be read.
                self.is_emptied = true;
                return Ok(());
            }
            self.is_emptied = self.read_once(array, buffer)?;
            if self.is_emptied {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One read; `true` where it left nothing behind.
    fn read_once(&mut self, array: &Rc<Array>, buffer: &mut [u8]) -> Result<bool, Broken> {
        let kept = self.leftover.len();
        buffer[..kept].copy_from_slice(&self.leftover);
        self.leftover.clear();
        let ahead = if self.is_bulky { (kept + BULKY_READ).min(buffer.len()) } else { buffer.len() };
        let buffer = &mut buffer[..ahead];
        let (direct, got, asked) = {
            let mut in_task = self.segment.as_ref().and_then(Segment::task);
            let mut rest = in_task.as_mut().and_then(|(inbound, at, left)| inbound.place(*at, *left));
            let direct = rest.as_ref().map_or(0, |rest| rest.len());
            let asked = direct + buffer.len() - kept;
            let got = match &mut rest {
                Some(rest) => (&*self.socket)
                    .read_vectored(&mut [IoSliceMut::new(rest), IoSliceMut::new(&mut buffer[kept..])]),
                None => (&*self.socket).read(&mut buffer[kept..]),
            };
            (direct, got, asked)
        };
        let got = match got {
            Ok(0) => return Err(Broken::Socket),
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.leftover.extend_from_slice(&buffer[..kept]);
                return Ok(true);
            }
            got => got.map_err(|_: io::Error| Broken::Socket)?,
        };
        self.quiet = 0;
        self.is_asked = false;
        let in_place = got.min(direct);
        if let Some(segment) = self.segment.as_mut().filter(|_| in_place > 0) {
            segment.came_in_place(in_place);
        }
        let filled = kept + (got - in_place);
        let used = self.take(array, &buffer[..filled])?;
        self.leftover.extend_from_slice(&buffer[used..filled]);
        Ok(got < asked)
    }

    /// Handles what is whole in `bytes`, and says how many of them that was.
    fn take(&mut self, array: &Rc<Array>, bytes: &[u8]) -> Result<usize, Broken> {
        let mut used = 0;
        loop {
            // Nobody waits for what a session that ended began: the next one of its nexus would find it under way.
            if self.session().is_some_and(|session| session.is_gone()) {
                return Ok(bytes.len());
            }
            let rest = &bytes[used..];
            let Took { bytes: took, goes_on } = match self.segment.take() {
                None => self.take_header(array, rest)?,
                Some(segment) => self.take_data(array, segment, rest)?,
            };
            used += took;
            if !goes_on {
                return Ok(used);
            }
            if self.closing_since.is_some() {
                return Ok(bytes.len());
            }
        }
    }

    fn take_header(&mut self, array: &Rc<Array>, bytes: &[u8]) -> Result<Took, Broken> {
        let Some(first) = bytes.first_chunk::<HEADER_LENGTH>() else { return Ok(Took::NOTHING) };
        let header = Header(*first);
        let has_digest = self.session().is_some_and(|session| session.parameters().header_digest);
        let length = HEADER_LENGTH + header.additional_length();
        let whole = length + if has_digest { 4 } else { 0 };
        let Some(taken) = bytes.get(..whole) else { return Ok(Took::NOTHING) };
        if has_digest && checksum(&[&taken[..length]]).to_le_bytes() != taken[length..] {
            return Err(Broken::HeaderDigest);
        }
        let segment_max = match self.phase {
            Phase::Login(_) => LOGIN_SEGMENT_MAX,
            Phase::Full(_) => SEGMENT_MAX as usize,
        };
        if header.data_length() > segment_max {
            return Err(Broken::Protocol);
        }
        let has_data_digest = self.session().is_some_and(|session| session.parameters().data_digest);
        self.is_bulky = header.data_length() >= BULKY_MIN;
        let sink = deliver::sink(array, self, &header)?;
        let segment = Segment {
            header,
            sink,
            length: header.data_length(),
            done: 0,
            digest: has_data_digest.then_some(0),
        };
        if segment.length == 0 {
            deliver::deliver(array, self, header, segment.sink, true)?;
        } else {
            self.segment = Some(segment);
        }
        Ok(Took { bytes: whole, goes_on: true })
    }

    /// Takes data of the PDU that is under way; at its end it is delivered.
    fn take_data(&mut self, array: &Rc<Array>, mut segment: Segment, bytes: &[u8]) -> Result<Took, Broken> {
        let took = (segment.length - segment.done).min(bytes.len());
        segment.copy(&bytes[..took]);
        let trailer = padded(segment.length) - segment.length;
        let tail = trailer + if segment.digest.is_some() { 4 } else { 0 };
        let behind = &bytes[took..];
        if segment.done < segment.length || behind.len() < tail {
            self.segment = Some(segment);
            return Ok(Took { bytes: took, goes_on: false });
        }
        let is_sound = segment.digest.is_none_or(|digest| {
            crc32c::crc32c_append(digest, &behind[..trailer]).to_le_bytes() == behind[trailer..tail]
        });
        let Segment { header, sink, .. } = segment;
        deliver::deliver(array, self, header, sink, is_sound)?;
        Ok(Took { bytes: took + tail, goes_on: true })
    }
}

impl Segment {
    /// The rest of a long segment of a task's: where it goes, and how long it is.
    fn task(&self) -> Option<(std::cell::RefMut<'_, crate::inbound::Inbound>, usize, usize)> {
        let Sink::Task(task, offset) = &self.sink else { return None };
        let left = self.length - self.done;
        (left >= DIRECT_MIN).then(|| (task.inbound.borrow_mut(), offset + self.done, left))
    }

    /// Bytes were read to where they belong.
    fn came_in_place(&mut self, length: usize) {
        if let (Some(digest), Sink::Task(task, offset)) = (self.digest, &self.sink) {
            let mut inbound = task.inbound.borrow_mut();
            let bytes = inbound.place(offset + self.done, length).map_or(&[][..], |bytes| &*bytes);
            self.digest = Some(crc32c::crc32c_append(digest, bytes));
        }
        self.done += length;
    }

    fn copy(&mut self, bytes: &[u8]) {
        match &mut self.sink {
            Sink::Discard => {}
            Sink::Collect(collected) => collected.extend_from_slice(bytes),
            Sink::Task(task, offset) => {
                if let Some(place) = task.inbound.borrow_mut().place(*offset + self.done, bytes.len()) {
                    place.copy_from_slice(bytes);
                }
            }
        }
        if let Some(digest) = self.digest {
            self.digest = Some(crc32c::crc32c_append(digest, bytes));
        }
        self.done += bytes.len();
    }
}
