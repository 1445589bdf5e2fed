//! Text requests: discovery, and what may still be negotiated in a session (RFC 7143, 11.10, 13.12 and appendix C).

use oarlock_scsi::iscsi::{Opcode, TaskFunction, TaskTag, TextRequest, TextResponse};

use crate::initiator::{Flow, Session, TARGET, Who, cdb, pairs};
use crate::place::{Place, pattern};

const SNACK: u8 = 0x03;
const PROTOCOL: u8 = 0x04;
const INVALID_FIELD: u8 = 0x09;
const OUT_OF_RESOURCES: u8 = 0x0a;

/// Sends a text request as `change` makes it.
fn send(session: &mut Session, text: &[u8], change: impl FnOnce(&mut TextRequest)) {
    let mut request = TextRequest {
        is_immediate: false,
        is_final: true,
        is_continued: false,
        task_tag: session.tag(),
        transfer_tag: TaskTag::NONE,
        cmd_sn: session.take_cmd_sn(),
        exp_stat_sn: session.exp_stat_sn,
    };
    change(&mut request);
    session.wire.send(request.encode(), text);
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn a_discovery_session_is_told_the_target_and_its_portals() {
    let place = Place::with(|options, _| options.portals.push("127.0.0.1:0".parse().unwrap()));
    let mut session = Who::new("one").discovery().login(place.portals[1]);
    let expected = [
        pair("TargetName", TARGET),
        pair("TargetAddress", &format!("{},1", place.portals[0])),
        pair("TargetAddress", &format!("{},2", place.portals[1])),
    ];
    assert_eq!(session.text(&[("SendTargets", "All")]).0, expected);
    assert_eq!(session.text(&[("SendTargets", TARGET)]).0, expected);
    assert_eq!(session.text(&[("SendTargets", "iqn.2026-11.org.oarlock:other")]).0, []);
    session.logout();
    place.serves();
}

/// `0.0.0.0` is an initiator's own machine to the initiator.
#[test]
fn a_portal_on_every_address_is_told_by_the_address_that_the_initiator_came_by() {
    let place = Place::with(|options, _| {
        options.portals = ["0.0.0.0:0", "127.0.0.1:0"].map(|portal| portal.parse().unwrap()).to_vec();
    });
    let [everywhere, local] = [0, 1].map(|portal: usize| place.portals[portal].port());
    for (by, seen) in [("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2")] {
        let portal = format!("{by}:{everywhere}").parse().unwrap();
        let mut session = Who::new("one").discovery().login(portal);
        let expected = [
            pair("TargetName", TARGET),
            pair("TargetAddress", &format!("{seen}:{everywhere},1")),
            pair("TargetAddress", &format!("127.0.0.1:{local},2")),
        ];
        assert_eq!(session.text(&[("SendTargets", "All")]).0, expected);
        session.logout();
    }
}

#[test]
fn who_came_by_ipv6_is_told_of_no_portal_of_ipv4() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("no IPv6 on this machine: not tested");
        return;
    }
    let place = Place::with(|options, _| {
        options.portals = ["0.0.0.0:0", "[::1]:0"].map(|portal| portal.parse().unwrap()).to_vec();
    });
    let mut session = Who::new("one").discovery().login(place.portals[1]);
    let expected = [pair("TargetName", TARGET), pair("TargetAddress", &format!("{},2", place.portals[1]))];
    assert_eq!(session.text(&[("SendTargets", "All")]).0, expected);
}

#[test]
fn a_session_with_the_target_is_told_of_that_target_alone() {
    let place = Place::new();
    let mut session = place.session("one");
    let expected = [pair("TargetName", TARGET), pair("TargetAddress", &format!("{},1", place.portal()))];
    assert_eq!(session.text(&[("SendTargets", "")]).0, expected);
    assert_eq!(session.text(&[("SendTargets", TARGET)]).0, expected);
    assert_eq!(session.text(&[("SendTargets", "All")]).0, [pair("SendTargets", "Reject")]);
    session.logout();
}

#[test]
fn initiators_are_told_the_addresses_that_are_advertised() {
    let place = Place::with(|options, _| options.advertised = vec!["array.example.com:3260".to_owned()]);
    let mut session = Who::new("one").discovery().login(place.portal());
    let (answer, _) = session.text(&[("SendTargets", "All")]);
    assert_eq!(answer[1], pair("TargetAddress", "array.example.com:3260,1"));
}

#[test]
fn a_long_answer_comes_in_pieces_that_the_initiator_takes() {
    let place = Place::with(|options, _| options.portals = vec!["127.0.0.1:0".parse().unwrap(); 64]);
    let who = Who::new("one").discovery().key("MaxRecvDataSegmentLength", "512");
    let mut session = who.login(place.portal());
    let (answer, count) = session.text(&[("SendTargets", "All")]);
    assert_eq!(answer.len(), 1 + 64);
    assert!(count > 4, "{count} pieces");
    let addresses = answer[1..].iter().map(|(_, address)| address.clone());
    let expected = place.portals.iter().zip(1..).map(|(portal, group)| format!("{portal},{group}"));
    assert!(addresses.eq(expected));
    assert_eq!(session.text(&[("SendTargets", TARGET)]).0, answer, "and again");
    session.logout();
}

#[test]
fn a_question_in_pieces_is_put_together() {
    let place = Place::new();
    let mut session = Who::new("one").discovery().login(place.portal());
    let tag = session.tag();
    let go_on = |request: &mut TextRequest| {
        (request.task_tag, request.is_final, request.is_continued) = (tag, false, true);
    };
    send(&mut session, b"SendTar", go_on);
    let response = session.other();
    assert!(response.data.is_empty() && !response.header.is_final());
    let transfer_tag = oarlock_scsi::iscsi::TextResponse::decode(&response.header).transfer_tag;
    assert_ne!(transfer_tag, TaskTag::NONE);
    send(&mut session, b"gets=All\0", |request| {
        (request.task_tag, request.transfer_tag) = (tag, transfer_tag);
    });
    assert_eq!(pairs(&session.other().data)["TargetName"], TARGET);
    session.logout();
}

#[test]
fn text_that_is_none_or_has_no_place_is_rejected_and_the_session_goes_on() {
    let place = Place::new();
    let mut session = Who::new("one").discovery().login(place.portal());
    for none in [b"SendTargets=All".as_slice(), b"SendTargets\0", b"A=1\0A=2\0", b"\xff=\0"] {
        send(&mut session, none, |_| {});
        assert_eq!(session.rejected(), PROTOCOL, "{none:?}");
    }
    send(&mut session, b"SendTargets=All\0", |request| request.transfer_tag = TaskTag(0x7777));
    assert_eq!(session.rejected(), INVALID_FIELD);
    send(&mut session, &[b'x'; 32 << 10], |_| {});
    assert_eq!(session.rejected(), OUT_OF_RESOURCES);
    assert_eq!(session.text(&[("SendTargets", "All")]).0[0], pair("TargetName", TARGET));
    session.logout();
    place.serves();
}

#[test]
fn in_a_session_the_segment_length_can_still_be_changed_and_nothing_else() {
    let place = Place::new();
    let mut session = place.session("one");
    let data = pattern(8192);
    session.run(0, cdb::write(0, 16), Flow::Out(&data)).good();
    session.agreed.own_segment_max = 1024;
    assert_eq!(session.text(&[("MaxRecvDataSegmentLength", "1024")]).0, []);
    assert_eq!(session.run(0, cdb::read(0, 16), Flow::In(8192)).good(), data);
    for value in ["511", "16777216", "many"] {
        let answer = session.text(&[("MaxRecvDataSegmentLength", value)]).0;
        assert_eq!(answer, [pair("MaxRecvDataSegmentLength", "Reject")]);
    }
    assert_eq!(session.text(&[("HeaderDigest", "CRC32C")]).0, [pair("HeaderDigest", "Reject")]);
    assert_eq!(session.text(&[("X-com.example.a", "1")]).0, [pair("X-com.example.a", "NotUnderstood")]);
    assert_eq!(session.run(0, cdb::read(0, 16), Flow::In(8192)).good(), data);
    session.logout();
}

#[test]
fn a_command_in_a_discovery_session_ends_it() {
    let place = Place::new();
    let mut session = Who::new("one").discovery().login(place.portal());
    session.start(0, cdb::write(0, 1), Flow::Out(&[1; 512]));
    assert_rejected_at_the_end(&mut session);
    place.serves();
    assert_eq!(place.session("two").run(0, cdb::read(0, 1), Flow::In(512)).good(), [0; 512]);
}

/// RFC 7143, 4.3.
fn assert_rejected_at_the_end(session: &mut Session) {
    let rest = session.wire.wait_for_end();
    let [last] = &rest[..] else { panic!("{rest:?}") };
    assert_eq!((last.header.opcode(), last.header.0[2]), (Some(Opcode::Reject), PROTOCOL));
}

/// It reset units that it does not have.
#[test]
fn task_management_in_a_discovery_session_ends_it() {
    let place = Place::new();
    let mut witness = place.session("two");
    for function in [TaskFunction::LogicalUnitReset, TaskFunction::TargetColdReset] {
        let mut session = Who::new("one").discovery().login(place.portal());
        session.start_manage(function, 0, TaskTag::NONE);
        assert_rejected_at_the_end(&mut session);
    }
    witness.run(0, cdb::test_unit_ready(), Flow::None).good();
}

/// At error recovery level 0 there is nothing to send again (RFC 7143, 11.16).
#[test]
fn a_snack_is_rejected() {
    let place = Place::new();
    let mut session = place.session("one");
    let mut header = session.data_out(TaskTag::NONE, TaskTag::NONE, 0).encode();
    header.0[0] = 0x10;
    for kind in 0..4 {
        header.0[1] = 0x80 | kind;
        session.wire.send(header, &[]);
        assert_eq!(session.rejected(), SNACK);
    }
    session.logout();
    place.serves();
}

#[test]
fn the_rest_of_an_answer_is_had_only_where_there_is_one_and_nothing_is_asked_on_the_way() {
    let place = Place::new();
    let mut session =
        Who::new("one").discovery().key("MaxRecvDataSegmentLength", "512").login(place.portal());
    send(&mut session, b"SendTargets=All\0", |request| request.transfer_tag = TaskTag(1));
    assert_eq!(session.rejected(), INVALID_FIELD, "nobody was told to go on");
    let question: String = (0..100).map(|number| format!("X-com.example.{number}=1\0")).collect();
    send(&mut session, question.as_bytes(), |_| {});
    let goes_on = TextResponse::decode(&session.other().header);
    assert!(goes_on.is_continued);
    send(&mut session, question.as_bytes(), |request| request.transfer_tag = goes_on.transfer_tag);
    assert_eq!(session.rejected(), OUT_OF_RESOURCES);
    place.serves();
}

/// One read of a socket had thousands of short questions, each answered with all portals: megabytes for each session that reads nothing.
#[test]
fn who_asks_and_does_not_read_the_answers_is_let_go() {
    let place = Place::with(|options, _| options.portals = vec!["127.0.0.1:0".parse().unwrap(); 64]);
    let mut session = Who::new("one").login(place.portal());
    let mut questions = Vec::new();
    for _ in 0..4000 {
        let request = TextRequest {
            is_immediate: true,
            is_final: true,
            is_continued: false,
            task_tag: session.tag(),
            transfer_tag: TaskTag::NONE,
            cmd_sn: session.cmd_sn,
            exp_stat_sn: session.exp_stat_sn,
        };
        questions.extend(session.wire.encode(request.encode(), b"SendTargets=\0"));
    }
    session.wire.send_bytes(&questions);
    session.wire.wait_for_end();
    // What the log has is there when another was served.
    place.serves();
    assert!(!place.told("does not read what it is answered").is_empty());
}
