//! Logins that go wrong (RFC 7143, 6.3 and 11.12).

use oarlock_scsi::iscsi::{
    ConnectionId, LoginRequest, Opcode, SessionHandle, SessionId, Stage, TaskTag, text,
};

use crate::initiator::{Flow, Talk, Who, cdb};
use crate::place::Place;

const INITIATOR_ERROR: u16 = 0x0200;
const NOT_ALLOWED: u16 = 0x0202;
const NOT_FOUND: u16 = 0x0203;
const VERSION: u16 = 0x0205;
const MISSING_PARAMETER: u16 = 0x0207;
const SESSION_TYPE: u16 = 0x0209;
const NO_SESSION: u16 = 0x020a;
const INVALID_DURING_LOGIN: u16 = 0x020b;

/// More requests than any login needs.
const ENDLESS: usize = 1000;

/// A first request as `change` makes it, and its text: the status of the refusal.
fn refused(place: &Place, text: &[u8], change: impl FnOnce(&mut LoginRequest)) -> u16 {
    let talk = Talk::new(place.portal(), &Who::new("one"));
    let mut request = talk.request(Stage::Operational, Some(Stage::FullFeature));
    change(&mut request);
    let status = talk.refused(&request, text);
    place.serves();
    status
}

/// A login that has got to its operational stage.
fn under_way(place: &Place) -> Talk {
    let who = Who::new("one");
    let mut talk = Talk::new(place.portal(), &who);
    let request = talk.request(Stage::Security, Some(Stage::Operational));
    let (response, _) = talk.ask(&request, &who.names());
    assert_eq!((response.status, response.next), (0, Some(Stage::Operational)));
    talk
}

fn key(key: &str, value: &str) -> Vec<u8> {
    let mut whole = Vec::new();
    text::put(&mut whole, key, value);
    whole
}

#[test]
fn a_login_without_an_end_is_ended_by_the_target() {
    let place = Place::new();
    let mut talk = under_way(&place);
    let request = talk.request(Stage::Operational, None);
    let status = (0..ENDLESS).map(|_| talk.ask(&request, &[]).0.status).find(|status| *status != 0);
    assert_eq!(status, Some(INITIATOR_ERROR));
    assert!(talk.wire.wait_for_end().is_empty());
    place.serves();
}

#[test]
fn a_login_does_not_go_back() {
    let place = Place::new();
    let talk = under_way(&place);
    let request = talk.request(Stage::Security, Some(Stage::Operational));
    assert_eq!(talk.refused(&request, &[]), INVALID_DURING_LOGIN);
    place.serves();
}

#[test]
fn a_transit_needs_a_later_stage() {
    let place = Place::new();
    let names = Who::new("one").names();
    for next in [None, Some(Stage::Security), Some(Stage::Operational)] {
        let status = refused(&place, &names, |request| (request.is_transit, request.next) = (true, next));
        assert_eq!(status, INITIATOR_ERROR, "{next:?}");
    }
    assert_eq!(refused(&place, &names, |request| request.current = None), INITIATOR_ERROR);
    let status = refused(&place, &names, |request| request.current = Some(Stage::FullFeature));
    assert_eq!(status, INVALID_DURING_LOGIN);
}

#[test]
fn a_request_that_goes_on_is_not_ready_for_the_next_stage() {
    let place = Place::new();
    let status = refused(&place, &Who::new("one").names(), |request| request.is_continued = true);
    assert_eq!(status, INITIATOR_ERROR);
}

#[test]
fn names_that_are_missing_wrong_or_unknown_are_told_apart() {
    let place = Place::new();
    let name = key("InitiatorName", "iqn.1998-01.com.example:one");
    let of = |target: &str| [name.clone(), key("TargetName", target)].concat();
    assert_eq!(refused(&place, &[], |_| {}), MISSING_PARAMETER);
    assert_eq!(refused(&place, &key("TargetName", crate::initiator::TARGET), |_| {}), MISSING_PARAMETER);
    assert_eq!(refused(&place, &name, |_| {}), MISSING_PARAMETER);
    assert_eq!(refused(&place, &of("iqn.2026-11.org.oarlock:other"), |_| {}), NOT_FOUND);
    assert_eq!(refused(&place, &of("no name at all"), |_| {}), NOT_FOUND);
    assert_eq!(refused(&place, &key("InitiatorName", "me"), |_| {}), INITIATOR_ERROR);
    let other = [name.clone(), key("SessionType", "Other")].concat();
    assert_eq!(refused(&place, &other, |_| {}), SESSION_TYPE);
}

#[test]
fn who_is_not_on_the_list_is_refused() {
    let place = Place::with(|options, _| {
        options.allowed = ["witness", "two"]
            .iter()
            .map(|name| format!("iqn.1998-01.com.example:{name}").parse().unwrap())
            .collect();
    });
    assert_eq!(Who::new("one").try_login(place.portal()).err(), Some(NOT_ALLOWED));
    assert_eq!(Who::new("one").discovery().try_login(place.portal()).err(), Some(NOT_ALLOWED));
    Who::new("TWO").login(place.portal()).logout();
    place.serves();
}

#[test]
fn a_version_that_is_not_spoken_is_refused() {
    let place = Place::new();
    let status = refused(&place, &Who::new("one").names(), |request| {
        (request.version_min, request.version_max) = (1, 9);
    });
    assert_eq!(status, VERSION);
}

#[test]
fn text_that_is_none_is_refused() {
    let place = Place::new();
    let names = Who::new("one").names();
    let behind = |bytes: &[u8]| [names.as_slice(), bytes].concat();
    for wrong in [
        behind(b"MaxBurstLength=512"),
        behind(b"MaxBurstLength\0"),
        behind(b"=512\0"),
        behind(b"Max Burst=512\0"),
        behind(b"X-a=\xff\0"),
        behind(b"MaxBurstLength=512\0MaxBurstLength=512\0"),
        behind(&[b"X-a=".as_slice(), &[b'x'; 4000], b"\0"].concat()),
        behind(&[&[b'K'; 64][..], b"=1\0"].concat()),
    ] {
        assert_eq!(refused(&place, &wrong, |_| {}), INITIATOR_ERROR, "{wrong:?}");
    }
}

/// One request of 16 KiB was answered by a PDU of 64, where an initiator takes 8.
#[test]
fn so_many_unknown_keys_that_one_answer_cannot_name_them_are_refused() {
    let place = Place::new();
    let with_keys = |count: usize| {
        let keys: String = (0..count).map(|number| format!("X-{number:03}=1\0")).collect();
        [Who::new("one").names(), keys.into_bytes()].concat()
    };
    let mut talk = Talk::new(place.portal(), &Who::new("one"));
    let request = talk.request(Stage::Operational, None);
    assert_eq!(talk.ask(&request, &with_keys(300)).0.status, 0);
    assert_eq!(refused(&place, &with_keys(500), |_| {}), INITIATOR_ERROR);
    place.serves();
}

#[test]
fn a_key_is_not_negotiated_twice_in_two_requests_either() {
    let place = Place::new();
    let mut talk = under_way(&place);
    let request = talk.request(Stage::Operational, None);
    let (response, answered) = talk.ask(&request, &key("MaxBurstLength", "8192"));
    assert_eq!((response.status, answered["MaxBurstLength"].as_str()), (0, "8192"));
    assert_eq!(talk.refused(&request, &key("MaxBurstLength", "8192")), INITIATOR_ERROR);
    place.serves();
}

#[test]
fn text_in_pieces_is_put_together_and_text_without_end_is_refused() {
    let place = Place::new();
    let who = Who::new("one").key("MaxBurstLength", "8192");
    let mut talk = Talk::new(place.portal(), &who);
    let text = who.text();
    let mut piece = talk.request(Stage::Operational, None);
    piece.is_continued = true;
    let (begin, end) = text.split_at(text.len() - 10);
    for part in begin.chunks(20) {
        assert_eq!(talk.ask(&piece, part).0.status, 0);
    }
    let last = talk.request(Stage::Operational, Some(Stage::FullFeature));
    let (response, answered) = talk.ask(&last, end);
    assert_eq!((response.status, answered["MaxBurstLength"].as_str()), (0, "8192"));
    let mut session = talk.begin(&who, &response, &answered);
    session.run(0, cdb::test_unit_ready(), Flow::None).code();
    session.logout();

    let mut talk = Talk::new(place.portal(), &who);
    let status = (0..ENDLESS).map(|_| talk.ask(&piece, &[b'x'; 8192]).0.status).find(|status| *status != 0);
    assert_eq!(status, Some(INITIATOR_ERROR));
    place.serves();
}

#[test]
fn a_login_request_that_is_too_long_ends_the_connection() {
    let place = Place::new();
    let mut talk = Talk::new(place.portal(), &Who::new("one"));
    let request = talk.request(Stage::Operational, None);
    talk.wire.send(request.encode(), &[b'x'; 8196]);
    assert!(talk.wire.wait_for_end().is_empty());
    place.serves();
}

#[test]
fn a_session_that_is_not_there_is_not_continued() {
    let place = Place::new();
    let names = Who::new("one").names();
    let other = Who::new("two").login(place.portal());
    for handle in [SessionHandle(0x7777), other.handle] {
        assert_eq!(refused(&place, &names, |request| request.session_handle = handle), NO_SESSION);
    }
    other.logout();
}

#[test]
fn a_login_does_not_change_its_names_on_the_way() {
    let place = Place::new();
    let changes: [fn(&mut LoginRequest); 4] = [
        |request| request.session_id = SessionId([0x40, 0, 1, 0x37, 9, 9]),
        |request| request.session_handle = SessionHandle(9),
        |request| request.connection_id = ConnectionId(9),
        |request| request.task_tag = TaskTag(9),
    ];
    for change in changes {
        let talk = under_way(&place);
        let mut request = talk.request(Stage::Operational, Some(Stage::FullFeature));
        change(&mut request);
        assert_eq!(talk.refused(&request, &[]), INVALID_DURING_LOGIN);
        place.serves();
    }
}

#[test]
fn what_is_no_login_request_ends_a_connection_that_logs_in() {
    let place = Place::new();
    for number in (0..0x40).filter(|number| *number != Opcode::LoginRequest as u8) {
        for has_begun in [false, true] {
            let mut talk =
                if has_begun { under_way(&place) } else { Talk::new(place.portal(), &Who::new("one")) };
            let mut header = talk.request(Stage::Operational, None).encode();
            header.0[0] = 0x40 | number;
            talk.wire.send(header, &[]);
            assert!(talk.wire.wait_for_end().is_empty(), "opcode {number:02x}h");
        }
    }
    place.serves();
}

#[test]
fn a_login_request_in_a_session_ends_the_session() {
    let place = Place::new();
    let mut session = place.session("one");
    let talk = Talk::new(place.portal(), &Who::new("one"));
    let request = talk.request(Stage::Operational, Some(Stage::FullFeature));
    session.wire.send(request.encode(), &Who::new("one").names());
    assert!(session.wire.wait_for_end().is_empty());
    place.serves();
}

#[test]
fn a_connection_that_ends_in_its_login_at_any_byte_leaves_nothing() {
    let place = Place::new();
    let who = Who::new("one");
    let talk = Talk::new(place.portal(), &who);
    let whole =
        talk.wire.encode(talk.request(Stage::Operational, Some(Stage::FullFeature)).encode(), &who.text());
    for length in 0..whole.len() {
        let mut talk = Talk::new(place.portal(), &who);
        talk.wire.send_bytes(&whole[..length]);
        talk.wire.hang_up();
    }
    place.serves();
    assert!(place.target().sessions().unwrap().is_empty());
}
