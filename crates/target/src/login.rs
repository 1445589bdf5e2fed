//! A connection that logs in, and the session that comes of it (RFC 7143, 6.3).

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use oarlock_scsi::iscsi::{
    Accounts, Admission, Gate, Header, LoggedIn, Login, LoginRequest, LoginResponse, LoginStatus, LoginStep,
    NodeName, Numbering, SessionHandle, StatSn, padded,
};

use crate::array::Array;
use crate::connection::{Broken, Connection, Phase, Seat};
use crate::output::{Output, Unread};
use crate::session::{Nexus, PortalIndex, Session};

/// What a login needs besides its own state.
pub(crate) struct LoginPhase {
    login: Login,
    pub(crate) since: Instant,
    stat_sn: StatSn,
    pub(crate) output: Output,
    /// It waits, as that nexus, for the end of what an earlier session left behind.
    waits_as: Option<Nexus>,
}

impl LoginPhase {
    pub(crate) fn new(now: Instant, unread: Unread) -> LoginPhase {
        LoginPhase {
            login: Login::default(),
            since: now,
            stat_sn: StatSn(0),
            output: Output::new(unread),
            waits_as: None,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waits_as.is_some()
    }

    fn send(&mut self, request: &LoginRequest, response: LoginResponse, text: &[u8]) {
        let numbering =
            Numbering { stat_sn: self.stat_sn, exp_cmd_sn: request.cmd_sn, max_cmd_sn: request.cmd_sn };
        self.stat_sn = self.stat_sn.next();
        put(&mut self.output, response.encode(), numbering, text);
    }
}

fn put(output: &mut Output, mut header: Header, numbering: Numbering, text: &[u8]) {
    header.set_numbering(numbering);
    header.set_data_length(text.len());
    output.small(&header.0);
    output.small(text);
    output.small(&[0; 3][..padded(text.len()) - text.len()]);
}

/// Who may come in by one portal.
struct PortalGate<'a> {
    array: &'a Array,
    portal: PortalIndex,
}

impl Gate for PortalGate<'_> {
    fn has_target(&self, target: &NodeName) -> bool {
        *target == self.array.config.name
    }

    fn admit(&self, initiator: &NodeName, _target: Option<&NodeName>) -> Admission<'_> {
        let config = &self.array.config;
        let is_allowed = config.allowed.is_empty() || config.allowed.contains(initiator);
        match &config.accounts {
            _ if !is_allowed => Admission::Refused,
            Accounts { initiators, .. } if initiators.is_empty() => Admission::Open,
            accounts => Admission::Chap(accounts),
        }
    }

    fn portal_group_tag(&self) -> u16 {
        self.portal.port()
    }
}

/// Takes a login request and its text.
pub(crate) fn request(
    array: &Rc<Array>,
    connection: &mut Connection,
    header: &Header,
    text: &[u8],
) -> Result<(), Broken> {
    let (seat, portal, peer) = (connection.seat, connection.portal, connection.peer);
    let Phase::Login(phase) = &mut connection.phase else { return Err(Broken::Protocol) };
    let request = LoginRequest::decode(header);
    let gate = PortalGate { array, portal };
    match phase.login.take(&request, text, &gate, &array.random) {
        LoginStep::Answer(response, text) => phase.send(&request, response, &text),
        LoginStep::Refused(response, status) => {
            array.metrics.login_refused();
            let name = phase.login.said_name().unwrap_or("an initiator that gave no name");
            tell_refusal(array, peer, name, status);
            phase.send(&request, response, &[]);
            connection.closing_since = Some(array.now());
        }
        LoginStep::Complete(response, text, logged_in) => {
            let nexus =
                Nexus { initiator: logged_in.initiator.clone(), session_id: request.session_id, portal };
            let arriving = Arriving { seat, nexus, request, response, text, logged_in: *logged_in };
            arriving.replace_others(array);
            phase.waits_as = Some(arriving.nexus.clone());
            let started = Rc::clone(array);
            array.spawn(async move { arrive(&started, arriving).await });
        }
    }
    array.ready.borrow_mut().push(seat.place);
    Ok(())
}

/// A login that is complete but for the session.
struct Arriving {
    seat: Seat,
    nexus: Nexus,
    request: LoginRequest,
    response: LoginResponse,
    text: Vec<u8>,
    logged_in: LoggedIn,
}

impl Arriving {
    fn is_discovery(&self) -> bool {
        self.logged_in.target.is_none()
    }

    /// The newest login of a nexus is the one that counts: those that still wait are given up.
    fn replace_others(&self, array: &Array) {
        if self.is_discovery() {
            return;
        }
        for connection in array.connections.borrow_mut().iter_mut().flatten() {
            if let Phase::Login(phase) = &mut connection.phase
                && phase.waits_as.as_ref() == Some(&self.nexus)
            {
                phase.waits_as = None;
                array.condemned.borrow_mut().push((connection.seat, "its initiator logged in again"));
            }
        }
    }
}

/// Makes the session, after all that an earlier one of the same name left behind has ended (RFC 7143, 6.3.5): what it sent
/// must not land on what the new one writes.
async fn arrive(array: &Rc<Array>, arriving: Arriving) {
    match array.succeed(&arriving.nexus, &arriving.request, arriving.is_discovery()).await {
        Ok(handle) => {
            let seat = arriving.seat;
            let joined = array
                .with_connection(seat, |connection| begin(array, connection, arriving, handle))
                .flatten();
            if let Some(session) = joined {
                array.join(session);
            }
        }
        Err(status) => refuse(array, &arriving, status),
    }
}

/// The login becomes a session, where it waits still.
fn begin(
    array: &Array,
    connection: &mut Connection,
    arriving: Arriving,
    handle: SessionHandle,
) -> Option<Rc<Session>> {
    let Phase::Login(phase) = &mut connection.phase else { return None };
    phase.waits_as.take()?;
    let response = LoginResponse { session_handle: handle, ..arriving.response };
    // The window opens with the last response, by the numbers of the session itself.
    let request = arriving.request;
    let session = Rc::new(Session::new(
        (arriving.seat, arriving.nexus.portal),
        arriving.logged_in,
        (request.session_id, handle, request.connection_id),
        (request.cmd_sn, phase.stat_sn.next()),
        std::mem::replace(&mut phase.output, Output::new(array.unread.clone())),
        Rc::clone(&array.ready),
    ));
    let numbering =
        Numbering { stat_sn: phase.stat_sn, exp_cmd_sn: request.cmd_sn, max_cmd_sn: session.max_cmd_sn() };
    put(&mut session.output.borrow_mut(), response.encode(), numbering, &arriving.text);
    array.ready.borrow_mut().push(arriving.seat.place);
    array.log(&format!("{}: {} logged in", connection.peer, session.nexus.initiator));
    array.metrics.logged_in();
    connection.phase = Phase::Full(Rc::clone(&session));
    Some(session)
}

/// Names are as initiators say them: nothing of them may be read as another line.
fn tell_refusal(array: &Array, peer: SocketAddr, name: &str, status: LoginStatus) {
    array.log(&format!("{peer}: login of {} refused: {status}", name.escape_debug()));
}

fn refuse(array: &Rc<Array>, arriving: &Arriving, status: LoginStatus) {
    array.metrics.login_refused();
    array.with_connection(arriving.seat, |connection| {
        let Phase::Login(phase) = &mut connection.phase else { return };
        phase.waits_as = None;
        tell_refusal(array, connection.peer, arriving.nexus.initiator.as_str(), status);
        phase.send(&arriving.request, arriving.response.refuse(status), &[]);
        connection.closing_since = Some(array.now());
    });
    array.ready.borrow_mut().push(arriving.seat.place);
}

/// The handle of a session that nobody has, after `last`.
pub(crate) fn next_handle(
    last: SessionHandle,
    is_taken: impl Fn(SessionHandle) -> bool,
) -> Option<SessionHandle> {
    (1..=u16::MAX)
        .map(|step| SessionHandle(last.0.wrapping_add(step)))
        .find(|handle| *handle != SessionHandle::NEW && !is_taken(*handle))
}
