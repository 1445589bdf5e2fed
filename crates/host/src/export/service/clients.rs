//! Clients in the export's thread: taken, read, written to, cut off.

use std::os::fd::AsFd;
use std::rc::Rc;

use oarlock_device::{DataRingError, Interest, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{READING, Service, WRITING};
use crate::export::connection::{Connection, Handover, Means};
use crate::export::limits::STALL_MAX;

impl Service {
    /// Takes who arrived, and learns that it shall stop.
    pub(super) fn hear_news(&mut self) -> Result<(), DataRingError> {
        let Some((arrived, stop_by)) = self.shared.news() else { return Ok(()) };
        self.stop_by = stop_by;
        if stop_by.is_some() {
            self.shared.gone(arrived.len());
            // An error is an answer, which a guest takes for its disk's. Who hears none asks again: here, or where the disk is next.
            (0..self.connections.len()).for_each(|place| self.close(place));
            return Ok(());
        }
        for handover in arrived {
            self.take(handover)?;
        }
        Ok(())
    }

    fn take(&mut self, handover: Handover) -> Result<(), DataRingError> {
        self.notice_broken()?;
        let mut connection = Connection::new(handover, self.now);
        connection.barrier = self.orphans.last().map(|last| last + 1);
        let place = match self.connections.iter().position(Option::is_none) {
            Some(place) => place,
            None => {
                self.connections.push(None);
                self.connections.len() - 1
            }
        };
        self.connections[place] = Some(connection);
        self.go_on(place)
    }

    /// Sees which clients hung up before somebody else connects, who may be the same one.
    fn notice_broken(&mut self) -> Result<(), DataRingError> {
        for place in 0..self.connections.len() {
            let Some(connection) = &self.connections[place] else { continue };
            let hung_up = hung_up(&connection.socket());
            if hung_up.intersects(PollFlags::RDHUP) {
                // What it sent before belongs to what has to end first.
                self.read(place)?;
                self.close(place);
            }
            if hung_up.intersects(PollFlags::HUP) {
                self.cut(place);
            }
        }
        Ok(())
    }

    /// Reads what a client sent, and begins it.
    pub(super) fn read(&mut self, place: usize) -> Result<(), DataRingError> {
        self.with(place, |connection, buffer, means| connection.read(place, buffer, means))
    }

    /// Lets a client go on with what it sent earlier.
    fn go_on(&mut self, place: usize) -> Result<(), DataRingError> {
        self.with(place, |connection, _, means| connection.go_on(place, means))
    }

    fn with(
        &mut self,
        place: usize,
        what: impl FnOnce(&mut Connection, &mut [u8], &mut Means<'_>),
    ) -> Result<(), DataRingError> {
        let Some(connection) = self.connections[place].as_mut().filter(|connection| !connection.is_gone)
        else {
            return Ok(());
        };
        let was_closing = connection.is_closing;
        let mut means = Means {
            budget: &mut self.budget,
            ring: &self.carrier.ring,
            begun: &mut self.begun,
            size: self.path.size(),
            now: self.now,
        };
        what(connection, &mut self.buffer, &mut means);
        let (structured, is_closing) = (connection.replies.is_structured(), connection.is_closing);
        self.begin(place, structured)?;
        if is_closing && !was_closing {
            self.closing(place);
        }
        Ok(())
    }

    /// Nothing more is read of a client.
    fn close(&mut self, place: usize) {
        if let Some(connection) = self.connections[place].as_mut().filter(|connection| !connection.is_closing)
        {
            connection.is_closing = true;
            self.closing(place);
        }
    }

    /// Nothing more is read of a client. What it began goes on, and is answered as long as somebody listens.
    fn closing(&mut self, place: usize) {
        self.budget.leave(place);
        let Some(connection) = &mut self.connections[place] else { return };
        if let Some(held_bytes) = connection.give_up_unbegun() {
            self.budget.free(held_bytes);
            self.budget.request_ended();
        }
        self.orphan(place, false);
    }

    pub(super) fn read_hurried(&mut self) -> Result<(), DataRingError> {
        if std::mem::take(&mut self.is_hurried) {
            for place in 0..self.connections.len() {
                let is_due = |connection: &Connection| connection.wants_input() && !connection.is_emptied;
                if self.connections[place].as_ref().is_some_and(is_due) {
                    self.read(place)?;
                }
            }
        }
        Ok(())
    }

    /// Sends answers, and lets those go on who waited for that, until nothing changes.
    pub(super) fn settle(&mut self) -> Result<(), DataRingError> {
        let mut is_changed = true;
        while is_changed {
            is_changed = false;
            for place in 0..self.connections.len() {
                self.send(place);
                if self.take_barrier(place)
                    || self.connections[place].as_ref().is_some_and(Connection::may_go_on)
                {
                    is_changed = true;
                    self.go_on(place)?;
                }
            }
            while let Some(place) = self.budget.next() {
                self.go_on(place)?;
                if self.budget.next() == Some(place) {
                    break;
                }
                is_changed = true;
            }
        }
        (0..self.connections.len()).for_each(|place| self.see_off(place));
        Ok(())
    }

    /// Whether a client need not wait for its predecessor's requests any more.
    fn take_barrier(&mut self, place: usize) -> bool {
        let Some(connection) = &mut self.connections[place] else { return false };
        let Some(barrier) = connection.barrier else { return false };
        if self.orphans.first().is_some_and(|first| *first < barrier) {
            return false;
        }
        connection.barrier = None;
        true
    }

    fn send(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else { return };
        if connection.is_gone || connection.is_writing_watched || !connection.wants_room() {
            return;
        }
        let (sent, is_alive) = connection.send();
        if sent.bytes > 0 {
            connection.moved = self.now;
        }
        self.budget.free(sent.freed_bytes);
        if !is_alive {
            self.cut(place);
        }
    }

    /// Closes a connection that is at its end, and forgets one that is closed.
    fn see_off(&mut self, place: usize) {
        let Some(connection) = &self.connections[place] else { return };
        let is_ending = connection.is_closing || self.stop_by.is_some();
        if is_ending && connection.under_way == 0 && !connection.wants_room() {
            self.cut(place);
        }
        let is_forgotten = |connection: &Connection| {
            connection.is_gone && !connection.is_reading_watched && !connection.is_writing_watched
        };
        if self.connections[place].as_ref().is_some_and(is_forgotten) {
            self.connections[place] = None;
            self.shared.gone(1);
        }
    }

    /// Ends a connection at once. Its requests go on.
    pub(super) fn cut(&mut self, place: usize) {
        if self.connections[place].as_ref().is_none_or(|connection| connection.is_gone) {
            return;
        }
        self.close(place);
        if let Some(connection) = &mut self.connections[place] {
            let held_bytes = connection.cut();
            self.budget.free(held_bytes);
        }
        self.orphan(place, true);
    }

    /// Cuts off who keeps memory that others wait for, and who does not take its last answers.
    pub(super) fn cut_stalled(&mut self) {
        let is_scarce = self.budget.next().is_some();
        for place in 0..self.connections.len() {
            let Some(connection) = &self.connections[place] else { continue };
            let is_stalled =
                self.now.duration_since(connection.moved) >= STALL_MAX && connection.waits_for_client();
            if is_stalled && (is_scarce || connection.is_closing) {
                self.cut(place);
            }
        }
    }

    /// Looks at each socket that somebody waits for.
    pub(super) fn watch_sockets(&mut self) -> Result<(), DataRingError> {
        let ring = &mut self.carrier.ring;
        for (place, connection) in self.connections.iter_mut().enumerate() {
            let Some(connection) = connection.as_mut().filter(|connection| !connection.is_gone) else {
                continue;
            };
            if connection.wants_input() && !connection.is_reading_watched {
                if connection.is_emptied {
                    ring.watch(Token(READING | place as u64), connection.socket(), Interest::Read)?;
                    connection.is_reading_watched = true;
                } else {
                    self.is_hurried = true;
                }
            }
            if connection.wants_room() && !connection.is_writing_watched {
                ring.watch(Token(WRITING | place as u64), connection.socket(), Interest::Write)?;
                connection.is_writing_watched = true;
            }
        }
        Ok(())
    }
}

/// What the other end of a socket closed: `RDHUP` where it sends nothing more, `HUP` where it takes nothing either.
fn hung_up(socket: &Rc<dyn AsFd>) -> PollFlags {
    let mut looked = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::RDHUP)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut looked, Some(&at_once)) {
        Ok(_) => looked[0].revents(),
        Err(_) => PollFlags::empty(),
    }
}
