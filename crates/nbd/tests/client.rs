//! The client against servers that break the protocol: each breach has its own error, and nothing is believed.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests fail as tests do.

mod common;

use common::{cookie, hex};
use oarlock_nbd::client::{Event, Negotiation, Parsed, Replies, Reply, Session};
use oarlock_nbd::limits::{ANSWER_LENGTH_MAX, IN_FLIGHT_MAX, OPTION_REPLY_LENGTH_MAX};
use oarlock_nbd::{
    ChunkCode, Command, CommandFlags, Errno, NbdError, OptionCode, OptionReply, ReplyCode, Request,
    TransmissionFlags, encode_option_reply,
};

const GREETING: &str = "4e42444d41474943 49484156454F5054";

fn greeted(flags: &str) -> Negotiation {
    let mut negotiation = Negotiation::new();
    let step = negotiation.handle(&hex(&format!("{GREETING} {flags}"))).unwrap();
    assert!(matches!(step.event, Some(Event::Greeted(_))));
    negotiation
}

#[test]
fn the_client_takes_the_flags_that_were_offered_and_no_others() {
    for (offered, taken) in
        [("0003", "00000003"), ("0001", "00000001"), ("0000", "00000000"), ("fffe", "00000002")]
    {
        assert_eq!(greeted(offered).take_output(), hex(taken), "offered {offered}");
    }
}

#[test]
fn other_protocols_are_told_apart() {
    let handle = |text| Negotiation::new().handle(&hex(text));
    assert_eq!(handle("4e42444d41474943 0000420281861253 0000"), Err(NbdError::Oldstyle));
    let not_nbd = handle("5353482d322e302d 4f70656e5353485f 0000");
    assert_eq!(not_nbd, Err(NbdError::NotNbd { found: 0x5353_482d_322e_302d }));
}

#[test]
fn a_server_without_fixed_newstyle_is_asked_for_an_export_only() {
    let mut negotiation = greeted("0000");
    let option = OptionCode::LIST;
    assert_eq!(negotiation.ask(option, &[]), Err(NbdError::NotFixedServer { option }));
    negotiation.ask(OptionCode::EXPORT_NAME, b"disk").unwrap();
    let answer = [hex("0000000040000000 0005"), vec![0; 124]].concat();
    assert_eq!(negotiation.handle(&answer[..133]).unwrap().event, None);
    let step = negotiation.handle(&[&answer[133..], &[9; 5]].concat()).unwrap();
    let Some(Event::Transmission(session)) = step.event else { panic!("{step:?}") };
    assert_eq!((step.used, session.size_bytes, session.flags.0), (1, 1 << 30, 5));
}

/// What becomes of bytes that answer GO.
fn after_go(answer: &[u8]) -> Result<Option<Event>, NbdError> {
    let mut negotiation = greeted("0003");
    negotiation.ask(OptionCode::GO, &common::info("disk", &[])).unwrap();
    negotiation.handle(answer).map(|step| step.event)
}

fn reply(option: OptionCode, code: ReplyCode, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_option_reply(option, code, data, &mut bytes);
    bytes
}

#[test]
fn answers_that_break_the_layout_are_the_end() {
    let option = OptionCode::GO;
    let malformed = |reply| Err(NbdError::MalformedAnswer { option, reply });
    for (code, data) in [
        (ReplyCode::ACK, &[0][..]),
        (ReplyCode::INFO, &[]),
        (ReplyCode::INFO, &[0; 11]),
        (ReplyCode::INFO, &[0; 13]),
        (ReplyCode::INFO, &[0, 3, 0, 0, 0, 3, 0, 0, 16, 0, 0, 0, 255, 255]),
        (ReplyCode::INFO, &[0, 1, 0xFF]),
        (ReplyCode::SERVER, &[0, 0, 0, 0]),
        (ReplyCode::META_CONTEXT, &[0, 0, 0, 0]),
        (ReplyCode(5), &[]),
        // An export that is accepted and never described.
        (ReplyCode::ACK, &[]),
    ] {
        assert_eq!(after_go(&reply(option, code, data)), malformed(code), "{code} {data:?}");
    }
    let asked = option;
    let answered = OptionCode::LIST;
    assert_eq!(
        after_go(&reply(answered, ReplyCode::ACK, &[])),
        Err(NbdError::OtherOption { asked, answered })
    );
    let found = 0x0003_e889_0455_65a8;
    let mut bytes = reply(option, ReplyCode::ACK, &[]);
    bytes[7] -= 1;
    assert_eq!(after_go(&bytes), Err(NbdError::OptionReplyMagic { option, found }));
}

#[test]
fn an_unknown_error_is_an_error_and_an_unknown_information_is_ignored() {
    let denied = after_go(&reply(OptionCode::GO, ReplyCode(0x8000_1234), b"\xFFno\0")).unwrap();
    let Some(Event::Answered(answer)) = denied else { panic!("{denied:?}") };
    assert_eq!(answer.result.unwrap_err().message, "\u{FFFD}no");
    let export = OptionReply::Export { size_bytes: 512, flags: TransmissionFlags::HAS_FLAGS };
    let mut bytes = reply(OptionCode::GO, ReplyCode::INFO, &[0, 99, 1, 2, 3]);
    export.encode(OptionCode::GO, &mut bytes);
    OptionReply::Ack.encode(OptionCode::GO, &mut bytes);
    assert!(matches!(after_go(&bytes), Ok(Some(Event::Transmission(session))) if session.size_bytes == 512));
}

#[test]
fn what_the_client_agreed_in_the_clear_is_forgotten_under_tls() {
    let mut negotiation = greeted("0003");
    let mut answered = |option, data: &[u8], answer: &[OptionReply]| {
        negotiation.ask(option, data).unwrap();
        let mut bytes = Vec::new();
        answer.iter().for_each(|reply| reply.encode(option, &mut bytes));
        let event = negotiation.handle(&bytes).unwrap().event;
        if option == OptionCode::STARTTLS {
            negotiation.tls_established();
        }
        event
    };
    let context = OptionReply::Context { id: 1, name: "base:allocation".to_owned() };
    answered(OptionCode::STRUCTURED_REPLY, &[], &[OptionReply::Ack]);
    answered(OptionCode::SET_META_CONTEXT, &[], &[context, OptionReply::Ack]);
    answered(OptionCode::STARTTLS, &[], &[OptionReply::Ack]);
    let export = OptionReply::Export { size_bytes: 512, flags: TransmissionFlags::HAS_FLAGS };
    let event = answered(OptionCode::GO, &[], &[export, OptionReply::Ack]);
    let Some(Event::Transmission(session)) = event else { panic!("{event:?}") };
    assert_eq!((session.structured, session.contexts), (false, Vec::new()));
}

#[test]
fn an_answer_without_end_is_left() {
    let option = OptionCode::GO;
    let length = OPTION_REPLY_LENGTH_MAX as usize + 1;
    let length_max = OPTION_REPLY_LENGTH_MAX as usize;
    let one = after_go(&reply(option, ReplyCode::INFO, &vec![0; length])[..20]);
    assert_eq!(one, Err(NbdError::AnswerTooLong { option, length, length_max }));
    let mut negotiation = greeted("0003");
    negotiation.ask(option, &common::info("disk", &[])).unwrap();
    let information = reply(option, ReplyCode::INFO, &vec![0xFF; 65_516]);
    let room = ANSWER_LENGTH_MAX / information.len();
    for _ in 0..room {
        assert_eq!(negotiation.handle(&information).unwrap().event, None);
    }
    let answer = negotiation.handle(&information);
    assert!(matches!(answer, Err(NbdError::AnswerTooLong { .. })), "{answer:?}");
}

fn session(structured: bool) -> Session {
    Session {
        size_bytes: 1 << 30,
        flags: TransmissionFlags::HAS_FLAGS,
        block_sizes: None,
        name: None,
        description: None,
        structured,
        contexts: vec![(1, "base:allocation".to_owned())],
    }
}

fn waiting(structured: bool, request: &Request) -> Replies {
    let mut replies = Replies::new(&session(structured));
    replies.expect(request).unwrap();
    replies
}

fn request(command: Command) -> Request {
    Request::new(command, cookie(7), 4096, 8192)
}

/// The first error of a stream of replies whose data are taken as they come.
fn breach(structured: bool, request: &Request, text: &str) -> NbdError {
    let (mut replies, bytes) = (waiting(structured, request), hex(text));
    let mut at = 0;
    loop {
        match replies.next(&bytes[at..]) {
            Err(error) => return error,
            Ok(Parsed { reply: reply @ (Reply::Done { .. } | Reply::More { .. }), .. }) => {
                panic!("{text} passed: {reply:?}")
            }
            Ok(parsed) => {
                at += parsed.used;
                let left = replies.payload_left();
                replies.payload_received(left);
            }
        }
    }
}

const C: &str = "0000000000000007";

#[test]
fn replies_that_were_not_agreed_or_asked_are_the_end() {
    let (read, status) = (request(Command::READ), request(Command::BLOCK_STATUS));
    let simple = format!("67446698 00000000 {C}");
    let command = Command::READ;
    assert_eq!(breach(true, &read, &simple), NbdError::SimpleReply { cookie: cookie(7), command });
    let command = Command::BLOCK_STATUS;
    assert_eq!(breach(true, &status, &simple), NbdError::SimpleReply { cookie: cookie(7), command });
    let chunk = format!("668e33ef 0001 0000 {C} 00000000");
    assert_eq!(breach(false, &read, &chunk), NbdError::ReplyMagic { found: 0x668e_33ef });
    assert_eq!(breach(true, &read, "25609513"), NbdError::ReplyMagic { found: 0x2560_9513 });
    for text in ["67446698 00000000 0000000000000008", "668e33ef 0001 0000 0000000000000008 00000000"] {
        assert_eq!(breach(true, &read, text), NbdError::UnknownCookie { cookie: cookie(8) });
    }
}

#[test]
fn content_outside_of_the_read_or_twice_is_stray_and_a_gap_is_no_success() {
    let read = request(Command::READ);
    let data = |offset: u64, length: u32| format!("668e33ef 0000 0001 {C} {:08x} {offset:016x}", length + 8);
    let hole =
        |offset: u64, length: u32| format!("668e33ef 0000 0002 {C} 0000000c {offset:016x} {length:08x}");
    let cases = [
        (hole(4095, 1), 4095, 1),
        (hole(12_288, 1), 12_288, 1),
        (hole(4096, 8193), 4096, 8193),
        (hole(4096, 0), 4096, 0),
        (hole(u64::MAX, 2), u64::MAX, 2),
        (data(0, 512), 0, 512),
        (hole(4096, 512) + &hole(4607, 512), 4607, 512),
    ];
    for (text, offset, length) in cases {
        let stray = NbdError::StrayContent { cookie: cookie(7), offset, length };
        assert_eq!(breach(true, &read, &text), stray, "{text}");
    }
    let end = format!("668e33ef 0001 0000 {C} 00000000");
    let short = hole(4096, 8191) + &end;
    assert_eq!(breach(true, &read, &short), NbdError::Incomplete { cookie: cookie(7), missing: 1 });
    let status = request(Command::BLOCK_STATUS);
    assert_eq!(breach(true, &status, &end), NbdError::Incomplete { cookie: cookie(7), missing: 1 });
}

#[test]
fn chunks_that_break_their_layout_or_place_are_the_end() {
    let (read, write, status) =
        (request(Command::READ), request(Command::WRITE), request(Command::BLOCK_STATUS));
    let one = status.with(CommandFlags::REQ_ONE);
    let cases = [
        // No end in an empty chunk; an empty chunk that is not empty; no data; a hole of another length; an unknown chunk.
        (read, "0000 0000", "00000000".to_owned(), ChunkCode::NONE),
        (read, "0001 0000", "00000001 00".to_owned(), ChunkCode::NONE),
        (read, "0001 0001", "00000008 0000000000001000".to_owned(), ChunkCode::OFFSET_DATA),
        (read, "0001 0002", "0000000b 0000000000001000 000000".to_owned(), ChunkCode::OFFSET_HOLE),
        (read, "0001 0009", "00000000".to_owned(), ChunkCode(9)),
        // Content for a write, extents for a read.
        (write, "0001 0002", "0000000c 0000000000001000 00000200".to_owned(), ChunkCode::OFFSET_HOLE),
        (read, "0001 0005", "0000000c 00000001 00000200 00000000".to_owned(), ChunkCode::BLOCK_STATUS),
        // No extent; a part of one; an empty one; one behind the end; more than was asked for.
        (status, "0001 0005", "00000004 00000001".to_owned(), ChunkCode::BLOCK_STATUS),
        (status, "0001 0005", "0000000d 00000001 00000200 00000000 00".to_owned(), ChunkCode::BLOCK_STATUS),
        (status, "0001 0005", "0000000c 00000001 00000000 00000000".to_owned(), ChunkCode::BLOCK_STATUS),
        (
            status,
            "0001 0005",
            "00000014 00000001 00002000 00000000 00000200 00000000".to_owned(),
            ChunkCode::BLOCK_STATUS,
        ),
        (
            one,
            "0001 0005",
            "00000014 00000001 00000200 00000000 00000200 00000000".to_owned(),
            ChunkCode::BLOCK_STATUS,
        ),
        (one, "0001 0005", "0000000c 00000001 00002001 00000000".to_owned(), ChunkCode::BLOCK_STATUS),
        // An error of 0; a sentence longer than its chunk; an offset outside of the request.
        (write, "0001 8001", "00000006 00000000 0000".to_owned(), ChunkCode::ERROR),
        (write, "0001 8001", "00000006 00000005 0001".to_owned(), ChunkCode::ERROR),
        (write, "0001 8002", "0000000e 00000005 0000 0000000000003000".to_owned(), ChunkCode::ERROR_OFFSET),
    ];
    for (request, start, rest, chunk) in cases {
        let expected = NbdError::MalformedChunk { cookie: cookie(7), command: request.command, chunk };
        let text = format!("668e33ef {start} {C} {rest}");
        assert_eq!(breach(true, &request, &text), expected, "{text}");
    }
}

#[test]
fn one_context_is_told_once() {
    let extents = |done: &str| format!("668e33ef {done} 0005 {C} 0000000c 00000001 00000200 00000000");
    let twice = extents("0000") + &extents("0001");
    let (command, chunk) = (Command::BLOCK_STATUS, ChunkCode::BLOCK_STATUS);
    let expected = NbdError::MalformedChunk { cookie: cookie(7), command, chunk };
    assert_eq!(breach(true, &request(command), &twice), expected);
}

#[test]
fn an_error_of_an_unknown_kind_fails_its_request_and_the_connection_goes_on() {
    let mut replies = waiting(true, &request(Command::WRITE));
    let bytes = hex(&format!("668e33ef 0001 8077 {C} 0000000a 0000001c 0002 6e6f abcd"));
    let parsed = replies.next(&bytes).unwrap();
    let (error, message) = (Errno::ENOSPC, "no".to_owned());
    assert_eq!(parsed.reply, Reply::Failed { cookie: cookie(7), error, message, offset: None });
    let end = replies.next(&bytes[parsed.used..]).unwrap();
    assert_eq!((parsed.used, end.reply), (30, Reply::Done { cookie: cookie(7), result: Err(error) }));
}

#[test]
fn a_cookie_under_way_and_one_request_too_many_are_not_sent() {
    let mut replies = waiting(false, &request(Command::READ));
    let again = replies.expect(&request(Command::WRITE));
    assert_eq!(again, Err(NbdError::CookieInUse { cookie: cookie(7) }));
    for number in 100..100 + IN_FLIGHT_MAX as u64 - 1 {
        replies.expect(&Request::new(Command::READ, cookie(number), 0, 512)).unwrap();
    }
    let count_max = IN_FLIGHT_MAX;
    let more = replies.expect(&Request::new(Command::READ, cookie(1), 0, 512));
    assert_eq!(more, Err(NbdError::TooManyInFlight { count_max }));
    assert_eq!(replies.in_flight(), IN_FLIGHT_MAX);
}
