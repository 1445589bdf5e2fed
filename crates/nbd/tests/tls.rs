//! TLS as the server's three policies have it: what is answered in the clear, what is hidden, and that nothing crosses over.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests fail as tests do.

mod common;

use common::{Server, contexts, info};
use oarlock_nbd::server::{Next, TlsPolicy};
use oarlock_nbd::{NbdError, OptionCode, OptionReply, ReplyCode, encode_option};

fn error_code(reply: &OptionReply) -> Option<ReplyCode> {
    match reply {
        OptionReply::Error { code, .. } => Some(*code),
        _ => None,
    }
}

fn secured(tls: TlsPolicy) -> Server {
    let mut server = Server::new(tls);
    assert_eq!(server.ask(OptionCode::STARTTLS, &[]).unwrap(), (vec![OptionReply::Ack], Next::Tls));
    server.negotiation.tls_established();
    server
}

fn names(server: &mut Server) -> Vec<String> {
    let (replies, _) = server.ask(OptionCode::LIST, &[]).unwrap();
    let name = |reply| match reply {
        OptionReply::Server { name, .. } => Some(name),
        _ => None,
    };
    replies.into_iter().filter_map(name).collect()
}

#[test]
fn bytes_behind_starttls_are_never_read_as_options() {
    let mut server = Server::new(TlsPolicy::Offered);
    let mut bytes = Vec::new();
    encode_option(OptionCode::STARTTLS, &[], &mut bytes);
    encode_option(OptionCode::STRUCTURED_REPLY, &[], &mut bytes);
    for from in [0, 16, 16] {
        let step = server.negotiation.handle(server.exports.as_slice(), &bytes[from..]).unwrap();
        assert_eq!(
            (step.used, step.next),
            (16 - from, Next::Tls),
            "what follows belongs to the TLS handshake"
        );
    }
    server.take_output();
    server.negotiation.tls_established();
    assert!(!server.go("disk").structured);
}

#[test]
fn what_was_agreed_in_the_clear_is_forgotten_under_tls() {
    let mut server = Server::new(TlsPolicy::Offered);
    server.last(OptionCode::STRUCTURED_REPLY, &[]);
    server.last(OptionCode::SET_META_CONTEXT, &contexts("disk", &["base:allocation"]));
    server.ask(OptionCode::STARTTLS, &[]).unwrap();
    server.negotiation.tls_established();
    let session = server.go("disk");
    assert!(session.secured && !session.structured && !session.allocation);
}

#[test]
fn where_tls_is_required_nothing_else_is_answered_and_export_name_is_the_end() {
    for option in (2..16).map(OptionCode).filter(|&option| option != OptionCode::STARTTLS) {
        let mut server = Server::new(TlsPolicy::Required);
        let expected = if option == OptionCode::ABORT { None } else { Some(ReplyCode::ERR_TLS_REQD) };
        assert_eq!(error_code(&server.last(option, &[1, 2, 3])), expected, "{option}");
        assert!(!server.negotiation.is_secured());
    }
    let by_name = Server::new(TlsPolicy::Required).ask(OptionCode::EXPORT_NAME, b"disk");
    assert_eq!(by_name, Err(NbdError::TlsRequired));
}

#[test]
fn under_tls_all_exports_are_named_and_served() {
    for tls in [TlsPolicy::Offered, TlsPolicy::Required] {
        let mut server = secured(tls);
        assert_eq!(names(&mut server), ["disk", "small", "secret", "strict"]);
        assert!(server.go("secret").secured);
        let again = secured(tls).last(OptionCode::STARTTLS, &[]);
        assert_eq!(error_code(&again), Some(ReplyCode::ERR_INVALID));
    }
}

#[test]
fn in_the_clear_a_hidden_export_cannot_be_told_from_one_that_does_not_exist() {
    for tls in [TlsPolicy::None, TlsPolicy::Offered] {
        assert!(!names(&mut Server::new(tls)).contains(&"secret".to_owned()));
        for option in
            [OptionCode::INFO, OptionCode::GO, OptionCode::LIST_META_CONTEXT, OptionCode::SET_META_CONTEXT]
        {
            let about = |name: &str| {
                let data = if option < OptionCode::STRUCTURED_REPLY {
                    info(name, &[])
                } else {
                    contexts(name, &["base:allocation"])
                };
                let mut server = Server::new(tls);
                server.last(OptionCode::STRUCTURED_REPLY, &[]);
                server.ask(option, &data).unwrap()
            };
            assert_eq!(about("secret"), about("nosuch"), "{option}");
            let code = error_code(&about("secret").0[0]).unwrap();
            let may_ask_for_tls = tls == TlsPolicy::Offered && option < OptionCode::STRUCTURED_REPLY;
            assert_eq!(code == ReplyCode::ERR_TLS_REQD, may_ask_for_tls, "{option} under {tls:?}: {code}");
        }
    }
}

#[test]
#[should_panic(expected = "TLS started before the client was told")]
fn tls_does_not_start_before_its_answer_is_out() {
    let mut server = Server::new(TlsPolicy::Offered);
    let mut bytes = Vec::new();
    encode_option(OptionCode::STARTTLS, &[], &mut bytes);
    server.send(&bytes).unwrap();
    server.negotiation.tls_established();
}
