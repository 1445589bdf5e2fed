//! Sessions: how they end, and how they come back (RFC 7143, 6.3.5, 11.14 and 11.15).

use oarlock_block::{BlockSize, ByteCount};
use oarlock_scsi::iscsi::{ConnectionId, LogoutReason, Stage, TaskAttribute};

use crate::initiator::{Flow, Talk, Unasked, Who, cdb};
use crate::place::{NEXUS_LOSS, POWER_ON, Place};

const CLOSED: u8 = 0;
const NO_CONNECTION: u8 = 1;
const NO_RECOVERY: u8 = 2;
const FAILED: u8 = 3;

#[test]
fn a_session_ends_by_its_own_logout_or_that_of_its_one_connection() {
    let place = Place::new();
    for (reason, connection) in
        [(LogoutReason::CloseSession, 1), (LogoutReason::CloseSession, 7), (LogoutReason::CloseConnection, 1)]
    {
        let mut session = Who::new("one").login(place.portal());
        let response = session.ask_to_leave(reason, connection);
        assert_eq!((response.answer, response.retain_s), (CLOSED, 0));
        assert!(session.wire.wait_for_end().is_empty());
        assert!(place.target().sessions().unwrap().is_empty());
    }
    place.serves();
}

#[test]
fn a_logout_of_what_is_not_there_changes_nothing() {
    let place = Place::new();
    let mut session = place.session("one");
    for (reason, connection, answer) in [
        (LogoutReason::CloseConnection, 7, NO_CONNECTION),
        (LogoutReason::RemoveForRecovery, 1, NO_RECOVERY),
        (LogoutReason::Unknown(9), 1, FAILED),
    ] {
        assert_eq!(session.ask_to_leave(reason, connection).answer, answer, "{reason:?}");
        session.run(0, cdb::test_unit_ready(), Flow::None).good();
    }
    session.logout();
    place.serves();
}

#[test]
fn what_is_sent_behind_a_logout_is_nobodys() {
    let place = Place::new();
    let mut session = place.session("one");
    let logout = session.logout_request(LogoutReason::CloseSession, 1);
    let command = session.command(0, cdb::write(0, 1), Flow::Out(&[1; 512]));
    let mut bytes = session.wire.encode(logout.encode(), &[]);
    bytes.extend(session.wire.encode(command.encode(), &[1; 512]));
    session.wire.send_bytes(&bytes);
    assert_eq!(session.wire.wait_for_end().len(), 1, "the logout's response");
    assert_eq!(place.session("two").run(0, cdb::read(0, 1), Flow::In(512)).good(), [0; 512]);
}

#[test]
fn a_logout_ends_what_its_session_has_under_way() {
    let place = Place::new();
    let mut session = place.session("one");
    session.unasked = Unasked::Nothing;
    session.start_held(0, cdb::write(0, 1), &[1; 512]);
    session.logout();
    place.serves();
}

/// A login of the same name and session ID takes the place of the session: its connection ends, and nothing that it had under
/// way happens afterwards.
#[test]
fn a_session_that_logs_in_again_takes_its_own_place() {
    let place = Place::new();
    let mut old = place.session("one");
    old.unasked = Unasked::Nothing;
    let held = old.start_held(0, cdb::write(0, 1), &[1; 512]);
    let asked = old.asked(held);
    let mut new = Who::new("one").login(place.portal());
    let late = old.data_out(held, asked.transfer_tag, 0);
    old.wire.send(late.encode(), &[1; 512]);
    assert!(old.wire.wait_for_end().is_empty());
    new.attribute = TaskAttribute::Ordered;
    assert_eq!(new.run(0, cdb::test_unit_ready(), Flow::None).code(), NEXUS_LOSS);
    assert_eq!(new.run(0, cdb::read(0, 1), Flow::In(512)).good(), [0; 512]);
    let sessions = place.target().sessions().unwrap();
    assert_eq!((sessions.len(), sessions[0].handle), (1, new.handle.0));
    place.serves();
}

/// What the session before had begun on the medium is over when the next login is answered: the unit has no task but the
/// new session's.
/// A second connection of a session is refused (MaxConnections is 1), and the first one goes on.
#[test]
fn a_login_to_a_session_by_another_connection_is_refused_and_the_session_goes_on() {
    const TOO_MANY_CONNECTIONS: u16 = 0x0206;
    let place = Place::new();
    let mut session = place.session("one");
    let who = Who::new("one");
    let login = |connection: u16| {
        let mut talk = Talk::new(place.portal(), &who);
        let mut request = talk.request(Stage::Operational, Some(Stage::FullFeature));
        (request.session_handle, request.connection_id) = (session.handle, ConnectionId(connection));
        talk.ask(&request, &who.text()).0.status
    };
    assert_eq!(login(2), TOO_MANY_CONNECTIONS);
    session.run(0, cdb::test_unit_ready(), Flow::None).good();
}

#[test]
fn a_login_that_takes_a_sessions_place_is_answered_when_its_tasks_have_ended() {
    let place = Place::with(|options, _| {
        options.units[0].size = Some(ByteCount(1 << 43));
        options.units[0].block_size = BlockSize::from_bytes(4096);
    });
    let mut old = place.session("one");
    old.start(0, cdb::verify(0, 1 << 31), Flow::None);
    old.ping(b"behind it");
    let mut new = Who::new("one").login(place.portal());
    assert_eq!(new.run(0, cdb::test_unit_ready(), Flow::None).code(), NEXUS_LOSS);
    assert_eq!(place.target().sessions().unwrap()[0].commands, 0);
    new.attribute = TaskAttribute::Ordered;
    new.run(0, cdb::write(1 << 30, 1), Flow::Out(&[1; 4096])).good();
}

#[test]
fn sessions_of_other_ids_other_portals_and_other_names_stand_side_by_side() {
    let place = Place::with(|options, _| options.portals.push("127.0.0.1:0".parse().unwrap()));
    let one = Who::new("one");
    let mut all = vec![
        one.login(place.portals[0]),
        one.login(place.portals[1]),
        one.clone().with_session_id(2).login(place.portals[0]),
        Who::new("two").login(place.portals[0]),
    ];
    for session in &mut all {
        assert_eq!(session.run(0, cdb::test_unit_ready(), Flow::None).code(), POWER_ON);
        session.run(0, cdb::test_unit_ready(), Flow::None).good();
    }
    let handles: std::collections::BTreeSet<u16> = all.iter().map(|session| session.handle.0).collect();
    assert_eq!(handles.len(), all.len(), "each has a handle of its own");
    let told: Vec<String> =
        place.target().sessions().unwrap().into_iter().map(|session| session.portal).collect();
    assert_eq!(told.iter().filter(|portal| **portal == place.portals[1].to_string()).count(), 1);
    all.into_iter().for_each(crate::initiator::Session::logout);
}

#[test]
fn a_discovery_session_takes_nobodys_place() {
    let place = Place::new();
    let mut session = place.session("one");
    let mut discovery = Who::new("one").discovery().login(place.portal());
    assert_eq!(discovery.text(&[("SendTargets", "All")]).0.len(), 2);
    session.run(0, cdb::test_unit_ready(), Flow::None).good();
    discovery.logout();
    session.run(0, cdb::test_unit_ready(), Flow::None).good();
}

/// It found the connection closed under it, and took the array for one that had failed.
#[test]
fn an_initiator_that_is_asked_to_leave_can_say_goodbye() {
    let mut place = Place::new();
    let mut session = place.session("one");
    std::thread::scope(|scope| {
        let stops = scope.spawn(|| place.restart());
        let message = session.other();
        assert_eq!(message.header.opcode(), Some(oarlock_scsi::iscsi::Opcode::AsyncMessage));
        session.logout();
        stops.join().unwrap();
    });
    place.serves();
}

#[test]
fn a_target_that_stops_asks_its_initiators_to_leave_and_ends_what_waits() {
    let mut place = Place::new();
    let mut session = place.session("one");
    session.run(0, cdb::write_through(0, 1), Flow::Out(&[7; 512])).good();
    place.restart();
    let message = session.other();
    assert_eq!(message.header.opcode(), Some(oarlock_scsi::iscsi::Opcode::AsyncMessage));
    assert!(session.wire.wait_for_end().is_empty());
    assert_eq!(place.session("one").run(0, cdb::read(0, 1), Flow::In(512)).good(), [7; 512]);
}
