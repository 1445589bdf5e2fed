//! Options in every order, malformed, too long, too many: each is answered as a small model says, and the limits hold.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests fail as tests do.

mod common;

use common::{Server, contexts, export, info};
use oarlock_nbd::limits::{LIST_LENGTH_MAX, OPTION_LENGTH_MAX, OPTION_SKIP_MAX, OPTIONS_MAX, QUERIES_MAX};
use oarlock_nbd::server::{Next, TlsPolicy};
use oarlock_nbd::{NbdError, OptionCode, OptionReply, ReplyCode, encode_option};

const UNKNOWN: OptionCode = OptionCode(0x1234);

/// What a server should have in mind after some options.
#[derive(Default)]
struct Model {
    secured: bool,
    structured: bool,
    allocation: bool,
}

impl Model {
    fn expect(&mut self, tls: TlsPolicy, option: OptionCode) -> ReplyCode {
        if tls == TlsPolicy::Required && !self.secured && option != OptionCode::STARTTLS {
            return ReplyCode::ERR_TLS_REQD;
        }
        match option {
            OptionCode::STARTTLS if self.secured => ReplyCode::ERR_INVALID,
            OptionCode::STARTTLS if tls == TlsPolicy::None => ReplyCode::ERR_POLICY,
            OptionCode::STARTTLS => {
                *self = Model { secured: true, ..Model::default() };
                ReplyCode::ACK
            }
            OptionCode::LIST_META_CONTEXT | OptionCode::SET_META_CONTEXT if !self.structured => {
                ReplyCode::ERR_INVALID
            }
            OptionCode::SET_META_CONTEXT => {
                self.allocation = true;
                ReplyCode::ACK
            }
            OptionCode::STRUCTURED_REPLY => {
                self.structured = true;
                ReplyCode::ACK
            }
            UNKNOWN | OptionCode::EXTENDED_HEADERS => ReplyCode::ERR_UNSUP,
            _ => ReplyCode::ACK,
        }
    }
}

fn code_of(reply: &OptionReply) -> ReplyCode {
    match reply {
        OptionReply::Ack => ReplyCode::ACK,
        OptionReply::Error { code, message } => {
            assert!(!message.is_empty(), "{code} says nothing to people");
            *code
        }
        other => panic!("{other:?} is not final"),
    }
}

/// Calls `each` with every order of `items` (Heap's way).
fn orders<T>(items: &mut [T], length: usize, each: &mut dyn FnMut(&[T])) {
    if length <= 1 {
        return each(items);
    }
    for index in 0..length {
        orders(items, length - 1, each);
        items.swap(if length.is_multiple_of(2) { index } else { 0 }, length - 1);
    }
}

#[test]
fn options_in_every_order_are_answered_as_the_model_says() {
    let mut options = [
        (OptionCode::LIST, Vec::new()),
        (OptionCode::STARTTLS, Vec::new()),
        (OptionCode::INFO, info("disk", &[])),
        (OptionCode::STRUCTURED_REPLY, Vec::new()),
        (OptionCode::LIST_META_CONTEXT, contexts("disk", &[])),
        (OptionCode::SET_META_CONTEXT, contexts("disk", &["base:allocation"])),
        (UNKNOWN, vec![1, 2, 3]),
    ];
    for tls in [TlsPolicy::None, TlsPolicy::Offered, TlsPolicy::Required] {
        let count = options.len();
        let mut seen = std::collections::BTreeSet::new();
        orders(&mut options, count, &mut |order| {
            seen.insert(order.iter().map(|(option, _)| *option).collect::<Vec<_>>());
            let (mut server, mut model) = (Server::new(tls), Model::default());
            for (option, data) in order {
                let (replies, next) = server.ask(*option, data).unwrap();
                let expected = model.expect(tls, *option);
                assert_eq!(replies.last().map(code_of), Some(expected), "{option} in {order:?}");
                if next == Next::Tls {
                    server.negotiation.tls_established();
                }
            }
            let session = server.go("disk");
            assert_eq!(
                (session.secured, session.structured, session.allocation),
                (model.secured, model.structured, model.allocation),
                "after {order:?}"
            );
        });
        assert_eq!(seen.len(), 7 * 6 * 5 * 4 * 3 * 2, "not every order was tried");
    }
}

#[test]
fn data_that_do_not_follow_the_layout_are_invalid_and_the_next_option_is_answered() {
    let cases: Vec<(OptionCode, Vec<u8>)> = vec![
        (OptionCode::LIST, vec![0]),
        (OptionCode::STRUCTURED_REPLY, vec![0]),
        (OptionCode::STARTTLS, vec![0]),
        (OptionCode::INFO, vec![]),
        (OptionCode::INFO, vec![0; 5]),
        (OptionCode::GO, [info("disk", &[]), vec![0]].concat()),
        (OptionCode::GO, info("disk", &[])[..9].to_vec()),
        // A name that is longer than the option, has a NUL, is no UTF-8, is longer than a string may be.
        (OptionCode::GO, [&[0, 0, 0, 9][..], b"disk", &[0, 0]].concat()),
        (OptionCode::GO, [&[0xFF; 4][..], b"disk", &[0, 0]].concat()),
        (OptionCode::GO, info("di\0sk", &[])),
        (OptionCode::GO, [&[0, 0, 0, 1][..], &[0xFF], &[0, 0]].concat()),
        (OptionCode::GO, info(&"x".repeat(4097), &[])),
        (OptionCode::LIST_META_CONTEXT, contexts("disk", &["base:"])[..12].to_vec()),
        (OptionCode::SET_META_CONTEXT, [contexts("disk", &["base:"]), vec![0]].concat()),
        (OptionCode::SET_META_CONTEXT, contexts("disk", &[&"x".repeat(4097)])),
    ];
    for (option, data) in cases {
        let mut server = Server::new(TlsPolicy::Offered);
        server.last(OptionCode::STRUCTURED_REPLY, &[]);
        assert_eq!(code_of(&server.last(option, &data)), ReplyCode::ERR_INVALID, "{option} {data:?}");
        assert_eq!(server.go("disk").export.name(), "disk");
    }
}

#[test]
fn wildcards_list_and_never_select() {
    let cases: [(&[&str], bool, bool); 7] = [
        (&[], true, false),
        (&["base:"], true, false),
        (&["base:allocation"], true, true),
        (&["base:allocation", "base:allocation", "base:"], true, true),
        (&["base:unknown", "qemu:dirty-bitmap:x", "x-ours:"], false, false),
        (&["nocolon"], false, false),
        (&["base:allocation2"], false, false),
    ];
    for (queries, listed, selected) in cases {
        let mut server = Server::new(TlsPolicy::None);
        server.last(OptionCode::STRUCTURED_REPLY, &[]);
        for (option, expected) in
            [(OptionCode::LIST_META_CONTEXT, listed), (OptionCode::SET_META_CONTEXT, selected)]
        {
            let (replies, _) = server.ask(option, &contexts("disk", queries)).unwrap();
            assert_eq!(replies.len(), 1 + usize::from(expected), "{option} of {queries:?}");
            assert_eq!(replies.last(), Some(&OptionReply::Ack));
        }
        assert_eq!(server.go("disk").allocation, selected, "{queries:?}");
    }
}

#[test]
fn a_later_selection_replaces_the_earlier_one_even_when_it_fails() {
    let later = [
        contexts("disk", &[]),
        contexts("nosuch", &["base:allocation"]),
        contexts("small", &["base:allocation"]),
        contexts("disk", &["base:allocation"])[..15].to_vec(),
        vec![0; OPTION_LENGTH_MAX as usize + 1],
    ];
    for data in later {
        let mut server = Server::new(TlsPolicy::None);
        server.last(OptionCode::STRUCTURED_REPLY, &[]);
        server.last(OptionCode::SET_META_CONTEXT, &contexts("disk", &["base:allocation"]));
        server.last(OptionCode::SET_META_CONTEXT, &data);
        assert!(!server.go("disk").allocation, "{} bytes", data.len());
    }
}

#[test]
fn an_export_that_needs_block_sizes_says_them_with_its_refusal() {
    let mut server = Server::new(TlsPolicy::None);
    let (replies, next) = server.ask(OptionCode::GO, &info("strict", &[])).unwrap();
    assert_eq!(next, Next::Bytes);
    assert!(matches!(replies[0], OptionReply::BlockSizes(_)));
    assert_eq!(code_of(&replies[1]), ReplyCode::ERR_BLOCK_SIZE_REQD);
    let asked = info("strict", &[oarlock_nbd::InfoCode::BLOCK_SIZE]);
    assert!(matches!(server.ask(OptionCode::GO, &asked).unwrap().1, Next::Transmission(_)));
}

#[test]
fn a_server_that_goes_down_says_so_to_each_option() {
    let mut server = Server::new(TlsPolicy::None);
    server.negotiation.shut_down();
    for (option, data) in [
        (OptionCode::LIST, Vec::new()),
        (OptionCode::GO, info("disk", &[])),
        (UNKNOWN, Vec::new()),
        (OptionCode::STARTTLS, Vec::new()),
    ] {
        assert_eq!(code_of(&server.last(option, &data)), ReplyCode::ERR_SHUTDOWN, "{option}");
    }
}

#[test]
fn an_option_too_long_to_keep_is_skipped_and_answered() {
    let data = vec![0; OPTION_LENGTH_MAX as usize + 1];
    let mut server = Server::new(TlsPolicy::None);
    for (option, expected) in [
        (OptionCode::GO, ReplyCode::ERR_TOO_BIG),
        (OptionCode::LIST, ReplyCode::ERR_TOO_BIG),
        (UNKNOWN, ReplyCode::ERR_UNSUP),
    ] {
        assert_eq!(code_of(&server.last(option, &data)), expected, "{option}");
    }
    assert_eq!(server.go("disk").export.name(), "disk");
}

#[test]
fn an_option_too_long_to_skip_is_the_end_before_its_data() {
    let mut bytes = Vec::new();
    encode_option(UNKNOWN, &[], &mut bytes);
    bytes[12..16].copy_from_slice(&(OPTION_SKIP_MAX + 1).to_be_bytes());
    let length = OPTION_SKIP_MAX + 1;
    let expected = NbdError::OptionTooLong { option: UNKNOWN, length, length_max: OPTION_SKIP_MAX };
    assert_eq!(Server::new(TlsPolicy::None).send(&bytes), Err(expected));
}

#[test]
fn too_many_queries_are_too_big() {
    let most = vec!["a:b"; QUERIES_MAX as usize];
    let more = vec!["a:b"; QUERIES_MAX as usize + 1];
    let mut server = Server::new(TlsPolicy::None);
    server.last(OptionCode::STRUCTURED_REPLY, &[]);
    for (queries, expected) in [(most, ReplyCode::ACK), (more, ReplyCode::ERR_TOO_BIG)] {
        let data = contexts("disk", &queries);
        assert_eq!(code_of(&server.last(OptionCode::LIST_META_CONTEXT, &data)), expected);
    }
}

#[test]
fn a_client_that_never_comes_to_an_end_is_left() {
    let mut server = Server::new(TlsPolicy::None);
    for _ in 0..OPTIONS_MAX {
        assert_eq!(code_of(&server.last(UNKNOWN, &[])), ReplyCode::ERR_UNSUP);
    }
    let expected = NbdError::TooManyOptions { count_max: OPTIONS_MAX };
    assert_eq!(server.ask(UNKNOWN, &[]), Err(expected));
}

#[test]
fn a_list_that_is_too_long_ends_with_too_big() {
    let mut server = Server::new(TlsPolicy::None);
    server.exports = (0..2000).map(|index| export(&format!("{index:04000}"), 4096)).collect();
    let mut bytes = Vec::new();
    encode_option(OptionCode::LIST, &[], &mut bytes);
    server.send(&bytes).unwrap();
    let output = server.take_output();
    assert!((LIST_LENGTH_MAX - 8000..LIST_LENGTH_MAX + 200).contains(&output.len()), "{}", output.len());
    let replies = common::replies(OptionCode::LIST, &output);
    assert_eq!(replies.last().map(code_of), Some(ReplyCode::ERR_TOO_BIG));
}

#[test]
fn a_client_that_asks_without_reading_stands_still() {
    let mut server = Server::new(TlsPolicy::None);
    let mut bytes = Vec::new();
    for _ in 0..100 {
        encode_option(OptionCode::LIST, &[], &mut bytes);
    }
    let step = server.negotiation.handle(server.exports.as_slice(), &bytes).unwrap();
    assert_eq!((step.used, step.next), (16, Next::Bytes), "one option is answered, the others wait");
    let waiting = server.negotiation.output().len();
    let step = server.negotiation.handle(server.exports.as_slice(), &bytes[16..]).unwrap();
    assert_eq!((step.used, server.negotiation.output().len()), (0, waiting));
}
