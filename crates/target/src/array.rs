//! The array's state on its thread: units, sessions, connections, and the work that is under way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use futures::future::{LocalBoxFuture, select};
use oarlock_device::OsRandom;
use oarlock_scsi::iscsi::{Accounts, LoginRequest, LoginStatus, NodeName, SessionHandle};
use oarlock_scsi::{Lun, LunAddress};

use crate::connection::{Connection, Seat};
use crate::copies::Copies;
use crate::course::Abort;
use crate::early::Early;
use crate::execute::Faults;
use crate::limits::{CONNECTIONS_MAX, DEPARTURE_MAX, DRAIN_MAX, HANDOVER_STEP, LOGOUT_MAX};
use crate::login::next_handle;
use crate::media::Media;
use crate::metrics::{Metrics, MetricsReport};
use crate::output::Unread;
use crate::session::{Nexus, PortalIndex, Session};
use crate::shares::Devices;
use crate::task::Task;
use crate::timers::Timers;
use crate::unit::Unit;

/// What an array is, for as long as it runs.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) name: NodeName,
    pub(crate) accounts: Accounts,
    /// Initiators that may come in; empty: all.
    pub(crate) allowed: Vec<NodeName>,
    /// The address that initiators are told for each portal.
    pub(crate) portals: Vec<SocketAddr>,
    /// What those are told instead, where it was asked for.
    pub(crate) advertised: Vec<String>,
}

/// All that the array's thread has.
pub(crate) struct Array {
    pub(crate) config: Config,
    pub(crate) media: Rc<Media>,
    pub(crate) metrics: Metrics,
    pub(crate) early: Early,
    pub(crate) unread: Unread,
    pub(crate) faults: Faults,
    pub(crate) timers: Timers,
    pub(crate) random: OsRandom,
    pub(crate) units: RefCell<BTreeMap<u16, Rc<Unit>>>,
    pub(crate) devices: Devices,
    pub(crate) copies: RefCell<Copies>,
    pub(crate) connections: RefCell<Vec<Option<Connection>>>,
    sessions: RefCell<BTreeMap<SessionHandle, Rc<Session>>>,
    /// Sessions that ended and whose tasks have not.
    leaving: RefCell<Vec<Rc<Session>>>,
    last_handle: Cell<SessionHandle>,
    /// Connections that have something to send, or to be looked at for another reason.
    pub(crate) ready: Rc<RefCell<Vec<usize>>>,
    /// Connections that are to be closed.
    pub(crate) condemned: RefCell<Vec<(Seat, &'static str)>>,
    starting: RefCell<Vec<LocalBoxFuture<'static, ()>>>,
    now: Cell<Instant>,
    log: Box<dyn Fn(&str)>,
}

impl Array {
    pub(crate) fn new(config: Config, media: Media, faults: Faults, log: Box<dyn Fn(&str)>) -> Array {
        Array {
            config,
            media: Rc::new(media),
            metrics: Metrics::default(),
            early: Early::default(),
            unread: Unread::default(),
            faults,
            timers: Timers::default(),
            random: OsRandom,
            units: RefCell::default(),
            devices: Devices::default(),
            copies: RefCell::default(),
            connections: RefCell::default(),
            sessions: RefCell::default(),
            leaving: RefCell::default(),
            last_handle: Cell::new(SessionHandle(0)),
            ready: Rc::default(),
            condemned: RefCell::default(),
            starting: RefCell::default(),
            now: Cell::new(Instant::now()),
            log,
        }
    }

    /// Tells the operator.
    pub(crate) fn log(&self, line: &str) {
        (self.log)(line);
    }

    /// The time of this turn.
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    pub(crate) fn set_now(&self, now: Instant) {
        self.now.set(now);
    }

    /// Starts work on the array's thread.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.starting.borrow_mut().push(Box::pin(work));
    }

    pub(crate) fn take_starting(&self) -> Vec<LocalBoxFuture<'static, ()>> {
        std::mem::take(&mut *self.starting.borrow_mut())
    }

    pub(crate) fn unit(&self, number: u16) -> Option<Rc<Unit>> {
        self.units.borrow().get(&number).cloned()
    }

    /// The unit that an initiator names by a LUN: nothing where there is none for it.
    pub(crate) fn unit_at(&self, lun: [u8; 8], initiator: &NodeName) -> Option<Rc<Unit>> {
        let Some(LunAddress::Unit(number)) = Lun(lun).address() else { return None };
        self.unit(number).filter(|unit| unit.is_for(initiator))
    }

    /// The units that there are for an initiator.
    pub(crate) fn units_for(&self, initiator: &NodeName) -> Vec<Rc<Unit>> {
        self.units.borrow().values().filter(|unit| unit.is_for(initiator)).cloned().collect()
    }

    pub(crate) fn sessions(&self) -> Vec<Rc<Session>> {
        self.sessions.borrow().values().cloned().collect()
    }

    /// What was counted, and what is there.
    pub(crate) fn metrics_report(&self) -> MetricsReport {
        let units = self.units.borrow();
        let units_with_lost_writes = units.values().filter(|unit| unit.flushes.has_failed());
        MetricsReport {
            sessions: self.sessions.borrow().len(),
            connections: self.connections.borrow().iter().flatten().count(),
            units: units.len(),
            units_with_lost_writes: units_with_lost_writes.count(),
            faults: self.faults.struck(),
            media: self.media.counts(),
            ..self.metrics.report()
        }
    }

    /// Every nexus that has a session now.
    pub(crate) fn nexuses(&self) -> Vec<Nexus> {
        let sessions = self.sessions.borrow();
        sessions
            .values()
            .filter(|session| !session.is_discovery)
            .map(|session| session.nexus.clone())
            .collect()
    }

    /// The handle for a login, after what an earlier session of the same name had under way has ended.
    pub(crate) async fn succeed(
        &self,
        nexus: &Nexus,
        request: &LoginRequest,
        is_discovery: bool,
    ) -> Result<SessionHandle, LoginStatus> {
        let asked = request.session_handle;
        if asked != SessionHandle::NEW {
            let sessions = self.sessions.borrow();
            let session = sessions.get(&asked).filter(|session| session.nexus == *nexus);
            let session = session.ok_or(LoginStatus::SessionDoesNotExist)?;
            // Another connection of the session, and it has one (RFC 7143, 6.3.5): it goes on.
            if session.connection_id != request.connection_id {
                return Err(LoginStatus::TooManyConnections);
            }
        }
        if !is_discovery {
            self.supersede(nexus).await;
        }
        if asked != SessionHandle::NEW {
            return Ok(asked);
        }
        let sessions = self.sessions.borrow();
        if sessions.len() >= CONNECTIONS_MAX {
            return Err(LoginStatus::OutOfResources);
        }
        let handle = next_handle(self.last_handle.get(), |handle| sessions.contains_key(&handle))
            .ok_or(LoginStatus::OutOfResources)?;
        self.last_handle.set(handle);
        Ok(handle)
    }

    /// Ends the sessions of a nexus, and waits for what they had under way. Another login of it may have come through by then. What a disk keeps for longer
    /// is not waited for, or its hosts would lose all other units with it: it keeps its blocks in its hands, so that nothing of it lands on what comes after it.
    async fn supersede(&self, nexus: &Nexus) {
        let by = self.now() + DEPARTURE_MAX;
        loop {
            let is_of_nexus = |session: &Rc<Session>| session.nexus == *nexus && !session.is_discovery;
            let earlier: Vec<_> = self.sessions().into_iter().filter(is_of_nexus).collect();
            if earlier.is_empty() && (self.left_behind(nexus).is_none() || self.now() >= by) {
                return;
            }
            for session in earlier {
                self.leave(&session, "its initiator logged in again");
            }
            select(Box::pin(self.departed(nexus)), Box::pin(self.timers.until(by))).await;
        }
    }

    /// A session begins.
    pub(crate) fn join(&self, session: Rc<Session>) {
        let local =
            self.with_connection(session.connection, |connection| connection.socket.local_addr().ok());
        session.local.set(local.flatten().map(|address| address.ip().to_canonical()));
        if !session.is_discovery {
            self.units_for(&session.nexus.initiator).iter().for_each(|unit| unit.meet(&session.nexus));
            self.warn_of_caches(&session.nexus.initiator);
        }
        self.sessions.borrow_mut().insert(session.handle, session);
    }

    /// A session ends: its tasks do nothing that they have not begun, and its connection is closed.
    pub(crate) fn leave(&self, session: &Rc<Session>, reason: &'static str) {
        let is_its_own = |known: &Rc<Session>| Rc::ptr_eq(known, session);
        let mut sessions = self.sessions.borrow_mut();
        if sessions.get(&session.handle).is_some_and(is_its_own) {
            sessions.remove(&session.handle);
        }
        drop(sessions);
        if session.is_gone() {
            return;
        }
        session.end();
        self.condemned.borrow_mut().push((session.connection, reason));
        let tasks: Vec<_> = session.tasks.borrow().values().cloned().collect();
        if !session.is_discovery {
            self.units.borrow().values().for_each(|unit| unit.lose(&session.nexus));
        }
        if tasks.is_empty() {
            return;
        }
        for task in &tasks {
            task.abort(Abort::Silent);
            if !task.has_begun() {
                session.tasks.borrow_mut().remove(&task.command.task_tag);
                task.over();
            }
        }
        self.leaving.borrow_mut().push(Rc::clone(session));
    }

    /// Waits until nothing of a nexus that ended is under way.
    async fn departed(&self, nexus: &Nexus) {
        while let Some(task) = self.left_behind(nexus) {
            task.ended().await;
        }
    }

    /// A task of an earlier session of a nexus that has not ended.
    fn left_behind(&self, nexus: &Nexus) -> Option<Rc<Task>> {
        self.sweep();
        let leaving = self.leaving.borrow();
        let of_nexus = leaving.iter().find(|session| session.nexus == *nexus);
        of_nexus.and_then(|session| session.tasks.borrow().values().next().cloned())
    }

    /// Does something with the connection of that seat, where it is there still.
    pub(crate) fn with_connection<T>(&self, seat: Seat, act: impl FnOnce(&mut Connection) -> T) -> Option<T> {
        let mut connections = self.connections.borrow_mut();
        let connection = connections.get_mut(seat.place)?.as_mut();
        connection.filter(|connection| connection.seat == seat).map(act)
    }

    /// The connection of that seat, which is free then.
    pub(crate) fn take_connection(&self, seat: Seat) -> Option<Connection> {
        let mut connections = self.connections.borrow_mut();
        let place = connections.get_mut(seat.place)?;
        place.take_if(|connection| connection.seat == seat)
    }

    /// A session ends as soon as what is to be sent to it was sent.
    pub(crate) fn leave_when_sent(&self, session: &Rc<Session>, reason: &'static str) {
        self.with_connection(session.connection, |connection| {
            connection.closing_since.get_or_insert(self.now());
            self.log(&format!("{}: {}: {reason}", connection.peer, session.nexus.initiator));
        });
        self.ready.borrow_mut().push(session.connection.place);
    }

    /// A session is asked to go; it ends when what it has under way was answered.
    pub(crate) fn drain(self: &Rc<Array>, session: &Rc<Session>) {
        session.ask_to_leave(u16::try_from(DRAIN_MAX.as_secs()).unwrap_or(u16::MAX));
        let (array, session) = (Rc::clone(self), Rc::clone(session));
        self.spawn(async move {
            loop {
                match session.begun_task() {
                    Some(task) => task.ended().await,
                    None if array.wait_for_logout(&session).await => break,
                    None => {}
                }
            }
            if !session.is_gone() {
                array.leave_when_sent(&session, "the array stops");
            }
        });
    }

    /// An initiator that was asked to leave says goodbye; who does not is not waited for. `false`: it sent another command instead.
    async fn wait_for_logout(&self, session: &Session) -> bool {
        let by = self.now() + LOGOUT_MAX;
        while !session.is_gone() && !session.is_logging_out() && self.now() < by {
            self.timers.until(self.now() + HANDOVER_STEP).await;
            if session.begun_task().is_some() {
                return false;
            }
        }
        true
    }

    pub(crate) fn has_nothing_to_start(&self) -> bool {
        self.starting.borrow().is_empty()
    }

    /// Forgets sessions whose tasks have ended.
    pub(crate) fn sweep(&self) {
        self.leaving.borrow_mut().retain(|session| !session.tasks.borrow().is_empty());
    }

    /// Whether nothing is under way, neither of sessions that are there nor of those that ended.
    pub(crate) fn is_idle(&self) -> bool {
        self.sweep();
        self.leaving.borrow().is_empty()
            && self.units.borrow().values().all(|unit| unit.is_idle())
            && self.sessions.borrow().values().all(|session| session.tasks.borrow().is_empty())
    }

    /// The address that the initiator of a session is told for a portal. One that listens on every address has none that could be connected
    /// to: it is reached where this initiator reached the array. `None`: it is not, for that was by IPv6, and it listens by IPv4.
    pub(crate) fn address_for(&self, session: &Session, portal: PortalIndex) -> Option<String> {
        let place = usize::from(portal.0);
        let listens_on = self.config.portals.get(place)?;
        match session.local.get() {
            Some(local) if self.config.advertised.is_empty() && listens_on.ip().is_unspecified() => {
                let is_reached = listens_on.is_ipv6() || local.is_ipv4();
                is_reached.then(|| SocketAddr::new(local, listens_on.port()).to_string())
            }
            _ => self.address(portal),
        }
    }

    /// The address of a portal, as initiators are told it, or as it is.
    pub(crate) fn address(&self, portal: PortalIndex) -> Option<String> {
        let place = usize::from(portal.0);
        match self.config.advertised.get(place) {
            Some(address) => Some(address.clone()),
            None => self.config.portals.get(place).map(SocketAddr::to_string),
        }
    }
}
