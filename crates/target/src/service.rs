//! The array's thread: one ring for all media and all sockets.
//!
//! ```text
//!     turn of the ring --> answers of media --> commands go on, or end --> answers to initiators
//!        ^  sockets ready ---> PDUs come -----> commands begin ---^               |
//!        |                                                                        v
//!        +------------------------- looks at sockets <---- one write for each connection
//! ```
//!
//! Everything of the array happens here, one thing after the other, so nothing needs a lock, and what one command sees no
//! other can change between two of its waits. Other threads talk to it by messages.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, Stream};
use oarlock_device::{Completed, Completion, DataRingError, Interest, Token};
use rustix::io::Errno;
use rustix::net::sockopt;

use crate::array::Array;
use crate::connection::{Broken, Connection, Phase, Seat};
use crate::control::Message;
use crate::limits::{CONNECTIONS_MAX, DRAIN_MAX, LOGINS_MAX, PROGRESS_MIN, READ_MAX, TICK};
use crate::login::LoginPhase;
use crate::output::Output;
use crate::patience::Patience;
use crate::session::PortalIndex;

/// Tokens of looks at sockets, by what is looked for; the place of the portal is added, or that of the connection and its turn there.
const READING: u64 = 1 << 62;
const WRITING: u64 = 1 << 63;
const LISTENING: u64 = READING | WRITING;
/// Behind the place in a token, which has fewer bits.
const TURN_SHIFT: u32 = 16;
const _: () = assert!(CONNECTIONS_MAX <= 1 << TURN_SHIFT, "a place fits in front of the turn");

/// Notes that some work can go on.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Flag>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Portal {
    listener: Rc<TcpListener>,
    is_watched: bool,
}

/// The state of the array's thread.
pub(crate) struct Service {
    array: Rc<Array>,
    portals: Vec<Portal>,
    messages: Receiver<Message>,
    work: FuturesUnordered<LocalBoxFuture<'static, ()>>,
    flag: Arc<Flag>,
    waker: Waker,
    /// Connections that were not read to their end.
    hurried: Vec<usize>,
    buffer: Vec<u8>,
    completions: Vec<Completion>,
    ticked: Instant,
    patience: Patience,
    stop_by: Option<Instant>,
    /// Connections so far.
    turns: u32,
    /// A descriptor that is given up where there is none for a connection.
    spare: Option<File>,
    is_out_of_descriptors: bool,
}

impl Service {
    pub(crate) fn new(array: Rc<Array>, listeners: Vec<TcpListener>, messages: Receiver<Message>) -> Service {
        let flag = Arc::new(Flag::default());
        Service {
            array,
            portals: listeners
                .into_iter()
                .map(|listener| Portal { listener: Rc::new(listener), is_watched: false })
                .collect(),
            messages,
            work: FuturesUnordered::new(),
            waker: Waker::from(Arc::clone(&flag)),
            flag,
            hurried: Vec::new(),
            buffer: vec![0; 2 * READ_MAX],
            completions: Vec::new(),
            ticked: Instant::now(),
            patience: Patience::default(),
            stop_by: None,
            turns: 0,
            spare: spare(),
            is_out_of_descriptors: false,
        }
    }

    /// Serves until it is told to stop, and what was under way has ended.
    pub(crate) fn run(mut self) {
        if self.watch_portals().is_err() {
            return;
        }
        while !self.is_over() {
            if let Err(error) = self.turn() {
                self.array.log(&format!("the array ends: {error}"));
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        let Some(stop_by) = self.stop_by else { return false };
        let is_quiet = self.array.is_idle() && self.array.connections.borrow().iter().all(Option::is_none);
        is_quiet || Instant::now() >= stop_by
    }

    fn turn(&mut self) -> Result<(), DataRingError> {
        let is_in_a_hurry = !self.hurried.is_empty() || self.array.media.is_breathing();
        let timeout = if is_in_a_hurry { Duration::ZERO } else { self.array.timers.wait(TICK) };
        let mut completions = std::mem::take(&mut self.completions);
        let woken = self.array.media.ring.borrow_mut().turn(Some(timeout), &mut completions)?;
        self.array.set_now(Instant::now());
        self.array.timers.fire(self.array.now());
        self.array.media.go_on();
        for Completion { token, outcome } in completions.drain(..) {
            match outcome {
                Completed::Device(outcome) => self.array.media.ended(token, outcome),
                Completed::Watched(_) | Completed::Unwatched => self.seen(token),
            }
        }
        self.completions = completions;
        for place in std::mem::take(&mut self.hurried) {
            self.read(place);
        }
        if woken {
            self.hear();
        }
        self.drive();
        self.send();
        if self.array.now().duration_since(self.ticked) >= TICK {
            self.tick();
        }
        self.close_condemned();
        self.watch_portals()
    }

    fn seen(&mut self, Token(token): Token) {
        let kind = token & LISTENING;
        if kind == LISTENING {
            let place = usize::try_from(token & !LISTENING).unwrap_or(usize::MAX);
            if let Some(portal) = self.portals.get_mut(place) {
                portal.is_watched = false;
            }
            self.accept(place);
            return;
        }
        let seat = seat_of(token);
        let is_there = self.array.with_connection(seat, |connection| match kind {
            READING => connection.is_reading_watched = false,
            _ => connection.is_writing_watched = false,
        });
        match (is_there, kind) {
            // A look at one that is gone.
            (None, _) => {}
            (Some(()), READING) => self.read(seat.place),
            (Some(()), _) => self.array.ready.borrow_mut().push(seat.place),
        }
    }

    // Portals.

    fn watch_portals(&mut self) -> Result<(), DataRingError> {
        if self.stop_by.is_some() {
            return Ok(());
        }
        for (place, portal) in self.portals.iter_mut().enumerate().filter(|(_, portal)| !portal.is_watched) {
            let listener = Rc::clone(&portal.listener) as Rc<dyn AsFd>;
            let token = Token(LISTENING | place as u64);
            match self.array.media.ring.borrow_mut().watch(token, listener, Interest::Read) {
                Ok(_) => portal.is_watched = true,
                // Looks at sockets that were closed are on their way out; the next turn finds room.
                Err(DataRingError::Full { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn accept(&mut self, place: usize) {
        let Some(portal) = self.portals.get(place) else { return };
        let listener = Rc::clone(&portal.listener);
        let portal = PortalIndex(u16::try_from(place).unwrap_or(u16::MAX));
        // One look may stand for many initiators; the rest of them are seen by the next look.
        loop {
            let (socket, peer) = match listener.accept() {
                Ok(accepted) => {
                    self.is_out_of_descriptors = false;
                    accepted
                }
                Err(error) if is_out_of_descriptors(&error) => {
                    self.turn_away(&listener);
                    return;
                }
                Err(_) => return,
            };
            if self.stop_by.is_some() || prepare(&socket).is_err() {
                continue;
            }
            self.make_room();
            let mut connections = self.array.connections.borrow_mut();
            let free = connections.iter().position(Option::is_none);
            let place = match free {
                Some(place) => place,
                None if connections.len() < CONNECTIONS_MAX => {
                    connections.push(None);
                    connections.len() - 1
                }
                None => continue,
            };
            self.turns = self.turns.wrapping_add(1);
            let seat = Seat { place, turn: self.turns };
            let login = LoginPhase::new(self.array.now(), self.array.unread.clone());
            connections[place] = Some(Connection::new(seat, socket, peer, portal, login));
            drop(connections);
            self.hurried.push(place);
        }
    }

    /// There is no descriptor for whoever comes: with the spare one they are told so, for else they would be seen again at once, for ever.
    fn turn_away(&mut self, listener: &TcpListener) {
        if self.spare.take().is_some() && !std::mem::replace(&mut self.is_out_of_descriptors, true) {
            self.array
                .log("there is no file descriptor left: initiators are turned away (raise `ulimit -n`)");
        }
        while let Ok((socket, _)) = listener.accept() {
            drop(socket);
        }
        self.spare = spare();
    }

    /// Where too many log in at once, the oldest login gives way.
    fn make_room(&self) {
        let mut connections = self.array.connections.borrow_mut();
        let logins = || {
            connections.iter().enumerate().filter_map(|(place, connection)| {
                match &connection.as_ref()?.phase {
                    Phase::Login(login) => Some((login.since, place)),
                    Phase::Full(_) => None,
                }
            })
        };
        if logins().count() >= LOGINS_MAX
            && let Some((_, place)) = logins().min()
            && let Some(connection) = connections[place].take()
        {
            hang_up(&connection);
        }
    }

    // Connections.

    fn read(&mut self, place: usize) {
        let taken = self.array.connections.borrow_mut().get_mut(place).and_then(Option::take);
        let Some(mut connection) = taken else { return };
        let outcome = connection.read(&self.array, &mut self.buffer);
        let (seat, is_emptied) = (connection.seat, connection.is_emptied);
        self.array.connections.borrow_mut()[place] = Some(connection);
        match outcome {
            Err(broken) => self.array.condemned.borrow_mut().push((seat, broken.reason())),
            Ok(()) if is_emptied => self.array.ready.borrow_mut().push(place),
            Ok(()) => self.hurried.push(place),
        }
    }

    /// Runs all work that can go on, until none can.
    fn drive(&mut self) {
        loop {
            self.work.extend(self.array.take_starting());
            self.flag.0.store(false, Ordering::Relaxed);
            let mut context = Context::from_waker(&self.waker);
            while let Poll::Ready(Some(())) = Pin::new(&mut self.work).poll_next(&mut context) {}
            if !self.flag.0.load(Ordering::Relaxed) && self.array.has_nothing_to_start() {
                return;
            }
        }
    }

    /// Sends what there is to send, and looks at sockets for what comes next.
    fn send(&mut self) {
        let mut ready = std::mem::take(&mut *self.array.ready.borrow_mut());
        ready.sort_unstable();
        ready.dedup();
        for place in ready.drain(..) {
            let mut connections = self.array.connections.borrow_mut();
            let Some(Some(connection)) = connections.get_mut(place) else { continue };
            let outcome = send(connection).and_then(|()| watch(&self.array, connection));
            if let Err(broken) = outcome {
                self.array.condemned.borrow_mut().push((connection.seat, broken.reason()));
            } else if connection.closing_since.is_some() && connection.output(Output::bytes) == 0 {
                self.array.condemned.borrow_mut().push((connection.seat, "its session ended"));
            }
        }
    }

    /// Closes what was found broken, and ends the sessions of it.
    fn close_condemned(&mut self) {
        loop {
            let Some((seat, reason)) = self.array.condemned.borrow_mut().pop() else { return };
            let Some(connection) = self.array.take_connection(seat) else { continue };
            hang_up(&connection);
            if let Some(session) = connection.session() {
                self.array.log(&format!("{}: {}: {reason}", connection.peer, session.nexus.initiator));
                self.array.leave(session, reason);
            }
            self.drive();
        }
    }

    /// What is counted in seconds.
    fn tick(&mut self) {
        let now = self.array.now();
        self.ticked = now;
        self.array.sweep();
        self.patience.look(&self.array);
        let mut connections = self.array.connections.borrow_mut();
        for connection in connections.iter_mut().flatten() {
            if let Some(reason) = self.patience.end(connection, now) {
                self.array.condemned.borrow_mut().push((connection.seat, reason));
            }
        }
        drop(connections);
        self.send();
    }

    // Control.

    fn hear(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            if let Message::Stop = message {
                self.stop();
            } else {
                crate::control::obey(&self.array, message);
            }
        }
    }

    /// Nothing new begins; sessions are asked to go, and end when what they have under way has.
    fn stop(&mut self) {
        self.stop_by.get_or_insert(Instant::now() + DRAIN_MAX);
        for unit in self.array.units.borrow().values() {
            unit.pause_erasing();
        }
        for session in self.array.sessions() {
            self.array.drain(&session);
        }
        let mut connections = self.array.connections.borrow_mut();
        for connection in connections.iter_mut() {
            if let Some(Connection { phase: Phase::Login(_), .. }) = connection {
                connection.take().iter().for_each(hang_up);
            }
        }
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

fn prepare(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    Ok(sockopt::set_socket_keepalive(socket, true)?)
}

/// Ends a connection's socket, and with it the looks at it, which would keep it open for as long as its initiator says nothing.
fn hang_up(connection: &Connection) {
    let _ = connection.socket.shutdown(std::net::Shutdown::Both);
}

fn send(connection: &mut Connection) -> Result<(), Broken> {
    let before = connection.output(Output::bytes);
    if before == 0 {
        return Ok(());
    }
    let outcome = match &mut connection.phase {
        Phase::Login(login) => login.output.send(&connection.socket),
        Phase::Full(session) => session.output.borrow_mut().send(&connection.socket),
    };
    let after = connection.output(Output::bytes);
    if after < before {
        connection.quiet = 0;
        connection.taken += before - after;
    }
    if after == 0 || connection.taken >= PROGRESS_MIN {
        (connection.unread, connection.taken) = (0, 0);
    }
    outcome.map(drop).map_err(|_| Broken::Socket)
}

fn seat_of(token: u64) -> Seat {
    let place = usize::try_from(token & ((1 << TURN_SHIFT) - 1)).unwrap_or(usize::MAX);
    Seat { place, turn: u32::try_from((token & !LISTENING) >> TURN_SHIFT).unwrap_or(u32::MAX) }
}

fn watch(array: &Array, connection: &mut Connection) -> Result<(), Broken> {
    let Seat { place, turn } = connection.seat;
    let socket = connection.watched();
    let look = |kind: u64, interest: Interest| {
        let token = Token(kind | u64::from(turn) << TURN_SHIFT | place as u64);
        match array.media.ring.borrow_mut().watch(token, Rc::clone(&socket), interest) {
            Ok(_) => Ok(true),
            // Looks at sockets that were closed are on their way out; the next turn finds room.
            Err(DataRingError::Full { .. }) => {
                array.ready.borrow_mut().push(place);
                Ok(false)
            }
            Err(_) => Err(Broken::Socket),
        }
    };
    if connection.wants_input() && !connection.is_reading_watched {
        connection.is_reading_watched = look(READING, Interest::Read)?;
    }
    if connection.output(Output::bytes) > 0 && !connection.is_writing_watched {
        connection.is_writing_watched = look(WRITING, Interest::Write)?;
    }
    Ok(())
}
