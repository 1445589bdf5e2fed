//! Both ends shake hands through buffers that are cut at every byte, or anywhere: what is agreed never depends on it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests fail as tests do.

mod common;

use std::collections::VecDeque;

use common::{Chance, contexts, exports, info};
use oarlock_nbd::client::{self, Dial, DialNext, TlsWish, Wish};
use oarlock_nbd::server::{self, Negotiation, Next, TlsPolicy};
use oarlock_nbd::{
    Export, OptionCode, OptionHeader, OptionReply, ReplyCode, TransmissionFlags, encode_option,
};

/// How the two ends came together.
#[derive(Debug, PartialEq)]
enum Met {
    Agreed(Box<server::Session>, Box<client::Session>),
    Denied(ReplyCode),
}

/// Moves up to `cut` bytes; the rest comes later.
fn carry(from: &mut VecDeque<u8>, to: &mut Vec<u8>, cut: usize) {
    let cut = cut.min(from.len());
    to.extend(from.drain(..cut));
}

/// Lets a client dial a server; `cut` says how many bytes each end is given at once.
fn meet(wish: &Wish, tls: TlsPolicy, exports: &[Export], cut: &mut dyn FnMut() -> usize) -> Met {
    let (mut dial, mut negotiation) = (Dial::new(wish.clone()), Negotiation::new(tls));
    let (mut to_server, mut to_client) = (VecDeque::new(), VecDeque::new());
    let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
    let (mut served, mut secured) = (None, (false, false));
    for _ in 0..10_000 {
        to_client.extend(negotiation.output());
        negotiation.output_sent(negotiation.output().len());
        carry(&mut to_client, &mut at_client, cut());
        let step = dial.handle(&at_client).unwrap();
        at_client.drain(..step.used);
        to_server.extend(dial.take_output());
        match step.next {
            DialNext::Denied { denial, .. } => return Met::Denied(denial.code),
            DialNext::Transmission(session) => {
                assert!(at_client.is_empty() && to_client.is_empty(), "bytes were left over");
                return Met::Agreed(served.expect("the server agreed first"), session);
            }
            DialNext::Tls => secured.0 = true,
            DialNext::Bytes => {}
        }
        carry(&mut to_server, &mut at_server, cut());
        let step = negotiation.handle(exports, &at_server).unwrap();
        at_server.drain(..step.used);
        match step.next {
            Next::Transmission(session) => served = Some(session),
            Next::Tls => secured.1 = true,
            Next::Bytes | Next::Close => {}
        }
        if secured == (true, true) && negotiation.output().is_empty() {
            secured = (false, false);
            negotiation.tls_established();
            dial.tls_established().unwrap();
            to_server.extend(dial.take_output());
        }
    }
    panic!("they did not come together: {wish:?}, {tls:?}");
}

fn wishes() -> Vec<Wish> {
    let mut wishes = Vec::new();
    for export in ["disk", "secret", "nosuch", "strict"] {
        for tls in [TlsWish::Never, TlsWish::IfOffered, TlsWish::Always] {
            for (structured, allocation) in [(false, false), (true, false), (true, true)] {
                wishes.push(Wish { export: export.to_owned(), tls, structured, allocation });
            }
        }
    }
    wishes
}

#[test]
fn every_wish_meets_every_policy_as_the_document_says() {
    for wish in wishes() {
        for tls in [TlsPolicy::None, TlsPolicy::Offered, TlsPolicy::Required] {
            let secured = tls != TlsPolicy::None && wish.tls != TlsWish::Never;
            let denied = match wish.export.as_str() {
                _ if tls == TlsPolicy::None && wish.tls == TlsWish::Always => Some(ReplyCode::ERR_POLICY),
                _ if tls == TlsPolicy::Required && !secured => Some(ReplyCode::ERR_TLS_REQD),
                "nosuch" | "secret" if !secured && tls == TlsPolicy::Offered => Some(ReplyCode::ERR_TLS_REQD),
                "nosuch" => Some(ReplyCode::ERR_UNKNOWN),
                "secret" if !secured => Some(ReplyCode::ERR_UNKNOWN),
                _ => None,
            };
            match meet(&wish, tls, &exports(), &mut || usize::MAX) {
                Met::Denied(code) => assert_eq!(Some(code), denied, "{wish:?} {tls:?}"),
                Met::Agreed(at_server, at_client) => {
                    assert_eq!(denied, None, "{wish:?} {tls:?}");
                    assert_eq!(at_server.secured, secured);
                    assert_eq!(
                        (at_server.structured, at_client.structured),
                        (wish.structured, wish.structured)
                    );
                    assert_eq!(at_server.allocation, wish.allocation);
                    assert_eq!(at_client.contexts.len(), usize::from(wish.allocation));
                    assert_eq!(
                        (at_client.size_bytes, at_client.flags),
                        (at_server.export.size_bytes(), at_server.flags)
                    );
                    assert_eq!(at_client.block_sizes, Some(at_server.export.block_sizes()));
                    assert_eq!(at_client.name.as_deref(), Some(wish.export.as_str()));
                }
            }
        }
    }
}

#[test]
fn what_is_agreed_does_not_depend_on_where_the_bytes_are_cut() {
    for wish in wishes() {
        let uncut = meet(&wish, TlsPolicy::Offered, &exports(), &mut || usize::MAX);
        assert_eq!(meet(&wish, TlsPolicy::Offered, &exports(), &mut || 1), uncut, "one byte at a time");
        for seed in 0..40 {
            let mut chance = Chance(seed);
            let cut = meet(&wish, TlsPolicy::Offered, &exports(), &mut || chance.index(30));
            assert_eq!(cut, uncut, "seed {seed}, {wish:?}");
        }
    }
}

/// All that a server says to `bytes`, which are given to it in two pieces, and what is left of them.
fn said(bytes: &[u8], cut: usize) -> (Vec<u8>, usize, bool) {
    let mut negotiation = Negotiation::new(TlsPolicy::None);
    let (mut said, mut used, mut entered) = (Vec::new(), 0, false);
    for end in [cut, bytes.len()] {
        loop {
            said.extend(negotiation.output());
            negotiation.output_sent(negotiation.output().len());
            let step = negotiation.handle(exports().as_slice(), &bytes[used..end]).unwrap();
            used += step.used;
            entered |= matches!(step.next, Next::Transmission(_));
            if negotiation.output().is_empty() {
                break;
            }
        }
    }
    (said, used, entered)
}

#[test]
fn a_conversation_may_be_cut_at_each_of_its_bytes() {
    let mut bytes = vec![0, 0, 0, 3];
    for (option, data) in [
        (OptionCode::LIST, Vec::new()),
        (OptionCode::INFO, info("nosuch", &[])),
        (OptionCode(77), vec![1; 100]),
        (OptionCode::STRUCTURED_REPLY, Vec::new()),
        (OptionCode::LIST_META_CONTEXT, contexts("disk", &["base:"])),
        (OptionCode::SET_META_CONTEXT, contexts("disk", &["base:allocation"])),
        (OptionCode::STARTTLS, Vec::new()),
        (OptionCode::GO, info("disk", &[])),
    ] {
        encode_option(option, &data, &mut bytes);
    }
    let handshake = bytes.len();
    bytes.extend([0xAA; 40]);
    let uncut = said(&bytes, 0);
    assert_eq!((uncut.1, uncut.2), (handshake, true), "what follows GO belongs to transmission");
    assert!(uncut.0.len() > 400, "{} bytes of answers", uncut.0.len());
    for cut in 1..=bytes.len() {
        assert_eq!(said(&bytes, cut), uncut, "cut at byte {cut}");
    }
}

/// Lets a client dial a server that refuses each option but `NBD_OPT_EXPORT_NAME`, and returns what it asked and how it ended.
fn dial_an_old_server(greeting_flags: u8, tls: TlsWish) -> (Vec<OptionCode>, DialNext) {
    let wish = Wish { export: "disk".to_owned(), tls, structured: true, allocation: true };
    let mut dial = Dial::new(wish);
    let mut said = common::hex("4e42444d41474943 49484156454F5054 00");
    said.push(greeting_flags);
    let (mut asked, mut flags_length) = (Vec::new(), 4);
    for _ in 0..10 {
        let next = dial.handle(&said).unwrap().next;
        if next != DialNext::Bytes {
            return (asked, next);
        }
        let bytes = dial.take_output();
        let option = OptionHeader::decode(bytes[flags_length..].first_chunk().unwrap()).unwrap().code;
        flags_length = 0;
        asked.push(option);
        said.clear();
        if option == OptionCode::EXPORT_NAME {
            said.extend([0, 0, 0, 0, 0, 0, 2, 0, 0, 1]);
            said.extend(vec![0; if greeting_flags & 2 == 0 { 124 } else { 0 }]);
        } else {
            let (code, message) = (ReplyCode::ERR_UNSUP, String::new());
            OptionReply::Error { code, message }.encode(option, &mut said);
        }
    }
    panic!("no end: {asked:?}");
}

#[test]
fn an_old_server_is_asked_by_name_in_the_end_unless_tls_must_be() {
    let entered = |next: &DialNext| match next {
        DialNext::Transmission(session) => {
            (session.size_bytes, session.flags, session.structured)
                == (512, TransmissionFlags::HAS_FLAGS, false)
        }
        _ => false,
    };
    let (asked, next) = dial_an_old_server(3, TlsWish::IfOffered);
    let all = [OptionCode::STARTTLS, OptionCode::STRUCTURED_REPLY, OptionCode::GO, OptionCode::EXPORT_NAME];
    assert_eq!(asked, all);
    assert!(entered(&next), "{next:?}");
    let (asked, next) = dial_an_old_server(0, TlsWish::IfOffered);
    assert_eq!(asked, [OptionCode::EXPORT_NAME]);
    assert!(entered(&next), "{next:?}");
    let (asked, next) = dial_an_old_server(1, TlsWish::Always);
    assert_eq!(asked, [OptionCode::STARTTLS]);
    assert!(matches!(next, DialNext::Denied { option: OptionCode::STARTTLS, .. }), "{next:?}");
}
