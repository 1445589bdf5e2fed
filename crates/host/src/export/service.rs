//! The thread of an export: one ring for the disk's data and for all of its clients.
//!
//! ```text
//!     turn of the ring --> answers of the device --> requests go on, or end --> answers to clients
//!        ^  sockets ready ---> requests come ------> begin ------------------------^      |
//!        |                                                                                v
//!        +------ looks at sockets <-- who waited for room has its turn <-- one write for each client
//! ```
//!
//! A request whose client is gone goes on to its end: the disk may not be left half changed. A client that connects while
//! such requests are under way is not served before they ended, or what its predecessor sent could land on what it writes:
//! so a client that lost its connection may send again what was not answered.
//!
//! A request that the device keeps waiting for the hold time fails (R7). Its writes may land at any time after that, so the disk
//! keeps their place from everybody until the ring says that they have ended; for that the thread stays, told to stop or not.

mod clients;
mod requests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oarlock_block::Clock;
use oarlock_device::{BootClock, Completed, Completion, DataRingError, Token};
use oarlock_engine::path::{DataPath, Passage};

use super::bell::Bell;
use super::budget::Budget;
use super::carrier::{self, Carrier};
use super::connection::Connection;
use super::limits::{READ_MAX, TICK};
use super::shared::Shared;
use super::task::{Begun, State, Task};

/// A token of a look at a socket that something is to be read from; the number of the connection is added.
const READING: u64 = 1 << 62;

/// A token of a look at a socket for room to write.
const WRITING: u64 = 1 << 63;

/// The state of an export's thread.
pub(crate) struct Service {
    path: Arc<DataPath>,
    clock: BootClock,
    hold: Duration,
    shared: Arc<Shared>,
    carrier: Carrier,
    bell: Arc<Bell>,
    budget: Budget,
    tasks: Vec<Task>,
    free: Vec<usize>,
    /// Requests that were begun and have not ended.
    active: usize,
    /// Requests that go on as soon as they may: woken ones, and those that wait for memory or places.
    due: Vec<usize>,
    wanting: Vec<usize>,
    /// Requests of clients that are gone.
    orphans: BTreeSet<u64>,
    last_sequence: u64,
    served: u64,
    connections: Vec<Option<Connection>>,
    /// Some socket was not read to its end.
    is_hurried: bool,
    /// One look of the clock a turn, for what is counted in seconds.
    now: Instant,
    ticked: Instant,
    stop_by: Option<Instant>,
    /// Memory that is used again.
    buffer: Vec<u8>,
    begun: Vec<Begun>,
    completions: Vec<Completion>,
}

impl Service {
    pub(crate) fn new(
        path: Arc<DataPath>,
        (clock, hold): (BootClock, Duration),
        shared: Arc<Shared>,
        carrier: Carrier,
    ) -> Service {
        let now = Instant::now();
        Service {
            path,
            clock,
            hold,
            shared,
            bell: Arc::new(Bell::new(carrier.ring.waker())),
            carrier,
            budget: Budget::default(),
            tasks: Vec::new(),
            free: Vec::new(),
            active: 0,
            due: Vec::new(),
            wanting: Vec::new(),
            orphans: BTreeSet::new(),
            last_sequence: 0,
            served: 0,
            connections: Vec::new(),
            is_hurried: false,
            now,
            ticked: now,
            stop_by: None,
            buffer: vec![0; READ_MAX],
            begun: Vec::new(),
            completions: Vec::new(),
        }
    }

    /// Serves until it is told to stop and all requests have ended.
    pub(crate) fn run(mut self) {
        while !self.is_over() {
            if self.turn().is_err() {
                self.break_off();
                break;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.stop_by.is_some()
            && self.active == 0
            && self.connections.iter().all(Option::is_none)
            && !self.keeps_quarantines()
    }

    /// Whether writes are out whose end only this thread can see. Of a disk that is lost nobody wants to know.
    fn keeps_quarantines(&self) -> bool {
        self.tasks.iter().any(Task::is_quarantined) && self.path.passage(self.clock.now()) != Passage::Dead
    }

    fn turn(&mut self) -> Result<(), DataRingError> {
        let mut completions = std::mem::take(&mut self.completions);
        self.carrier.ring.turn(self.timeout(), &mut completions)?;
        self.now = Instant::now();
        for completion in completions.drain(..) {
            self.completed(completion)?;
        }
        self.completions = completions;
        self.hear_news()?;
        self.read_hurried()?;
        self.bell.take(&mut self.due);
        self.drive_due()?;
        // Before the answers go out: those that a tick makes go with them.
        if self.now.duration_since(self.ticked) >= TICK {
            self.tick()?;
        }
        self.settle()?;
        self.watch_sockets()?;
        self.shared.report(self.budget.requests(), self.budget.bytes(), self.served);
        Ok(())
    }

    fn timeout(&self) -> Option<Duration> {
        if self.is_hurried || self.bell.is_rung() || !self.due.is_empty() {
            return Some(Duration::ZERO);
        }
        let is_idle = self.active == 0 && self.stop_by.is_none() && self.budget.next().is_none();
        let is_closing = self.connections.iter().flatten().any(|connection| connection.is_closing);
        (!is_idle || is_closing).then_some(TICK)
    }

    fn completed(&mut self, completion: Completion) -> Result<(), DataRingError> {
        let Completion { token, outcome } = completion;
        match outcome {
            Completed::Device(outcome) => {
                let (place, segment) = carrier::of_token(token);
                self.answered(place, segment, outcome)
            }
            Completed::Watched(_) | Completed::Unwatched => self.watched(token),
        }
    }

    fn watched(&mut self, Token(token): Token) -> Result<(), DataRingError> {
        let place = usize::try_from(token & (READING - 1)).unwrap_or(usize::MAX);
        let Some(Some(connection)) = self.connections.get_mut(place) else { return Ok(()) };
        if token & WRITING != 0 {
            connection.is_writing_watched = false;
            return Ok(());
        }
        connection.is_reading_watched = false;
        connection.is_emptied = false;
        self.read(place)
    }

    /// What is counted in seconds.
    fn tick(&mut self) -> Result<(), DataRingError> {
        self.ticked = self.now;
        self.cut_stalled();
        if self.stop_by.is_some_and(|stop_by| self.now >= stop_by) {
            (0..self.connections.len()).for_each(|place| self.cut(place));
        }
        if self.active == 0 {
            return Ok(());
        }
        let now = self.clock.now();
        if self.is_hold_over(now) {
            self.path.die();
        }
        let passage = self.path.passage(now);
        let is_over = matches!(passage, Passage::Dead | Passage::Moved);
        let is_open = passage == Passage::Open && !self.path.is_full();
        for place in 0..self.tasks.len() {
            let stands_still = self.tasks[place].stands_still(self.now, is_open);
            if stands_still >= self.hold && is_open {
                self.tasks[place].give_up(&self.path);
            }
            // Where the disk is lost, or another host's, nobody waits for a device that does not answer.
            if is_over || stands_still >= self.hold {
                self.drive(place)?;
            }
        }
        Ok(())
    }

    /// Whether a lapse has lasted for the whole hold time. A path that never had a lease waits for its first one (R28).
    fn is_hold_over(&self, now: oarlock_block::Instant) -> bool {
        let lease_end = self.path.lease_end();
        !lease_end.since_zero().is_zero() && now >= lease_end.plus(self.hold)
    }

    /// The ring broke: nothing can be sent or answered any more. What was out may land, so nobody may have its place.
    fn break_off(&mut self) {
        self.path.die();
        (0..self.connections.len()).for_each(|place| self.cut(place));
        let connections = self.connections.drain(..).flatten().count();
        self.shared.gone(connections);
        for place in 0..self.tasks.len() {
            // A dead path asks nothing of the ring.
            if self.tasks[place].state == State::Active {
                let _ = self.drive(place);
            }
        }
    }
}

impl Drop for Service {
    /// Also where the thread panics: what its requests had begun nobody ends, so the disk is lost to this host, in words and not in
    /// waits; and whoever is on the way here is sent off.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.path.die();
        }
        self.shared.gone(self.connections.drain(..).flatten().count());
        self.shared.over();
    }
}
