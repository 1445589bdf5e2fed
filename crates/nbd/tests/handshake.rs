//! The server's handshake, byte by byte as the document writes it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests fail as tests do.

mod common;

use common::{Server, contexts, exports, hex, info};
use oarlock_nbd::server::{Negotiation, Next, TlsPolicy};
use oarlock_nbd::{InfoCode, NbdError, OptionCode, ReplyCode, TransmissionFlags, encode_option};

const REPLY: &str = "0003e889045565a9";

/// The bytes that answer an option.
fn answer(server: &mut Server, option: OptionCode, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_option(option, data, &mut bytes);
    server.send(&bytes).unwrap();
    server.take_output()
}

#[test]
fn the_greeting_is_two_magics_and_both_flags() {
    let negotiation = Negotiation::new(TlsPolicy::None);
    assert_eq!(negotiation.output(), hex("4e42444d41474943 49484156454F5054 0003"));
}

#[test]
fn a_client_with_a_flag_that_was_not_offered_is_dropped() {
    for flags in [4_u32, 0x8000_0000, 7, u32::MAX] {
        let mut negotiation = Negotiation::new(TlsPolicy::None);
        let answer = negotiation.handle(exports().as_slice(), &flags.to_be_bytes());
        assert_eq!(answer, Err(NbdError::ClientFlags { found: flags }));
        assert!(negotiation.output().is_empty(), "something would be sent after an error");
    }
}

#[test]
fn an_option_without_its_magic_is_the_end() {
    let mut server = Server::new(TlsPolicy::None);
    let answer = server.send(&hex("49484156454F5055 00000003 00000000"));
    assert_eq!(answer, Err(NbdError::OptionMagic { found: 0x4948_4156_454F_5055 }));
    let after = server.negotiation.handle(exports().as_slice(), &hex("49484156454F5054 00000003 00000000"));
    assert_eq!(after.unwrap().used, 0, "bytes after an error were taken");
}

#[test]
fn export_name_answers_size_and_flags_and_124_zeros_unless_declined() {
    for (flags, zeros) in [([0, 0, 0, 3], 0), ([0, 0, 0, 2], 0), ([0, 0, 0, 1], 124), ([0, 0, 0, 0], 124)] {
        let mut server = Server::greeted(TlsPolicy::None, flags);
        let next = server.send(&hex("49484156454F5054 00000001 00000004 6469736b")).unwrap();
        let Next::Transmission(session) = next else { panic!("{next:?}") };
        let mut expected = hex("0000000040000000 0d6d");
        expected.extend(vec![0; zeros]);
        assert_eq!(server.take_output(), expected, "client flags {flags:?}");
        assert_eq!(session.export, server.exports[0]);
        assert!(!session.structured && !session.allocation && !session.block_sizes_agreed);
    }
}

#[test]
fn export_name_for_what_is_not_to_be_had_is_the_end() {
    let refusals: [(&str, &[u8], ReplyCode); 4] = [
        ("nosuch", b"nosuch", ReplyCode::ERR_UNKNOWN),
        ("secret", b"secret", ReplyCode::ERR_TLS_REQD),
        ("strict", b"strict", ReplyCode::ERR_BLOCK_SIZE_REQD),
        ("", b"\xFF", ReplyCode::ERR_INVALID),
    ];
    for (name, data, why) in refusals {
        let answer = Server::new(TlsPolicy::Offered).ask(OptionCode::EXPORT_NAME, data);
        assert_eq!(answer, Err(NbdError::ExportRefused { name: name.to_owned(), why }));
    }
}

#[test]
fn without_fixed_newstyle_only_export_name_is_taken() {
    for option in (0..20).map(OptionCode).filter(|&option| option != OptionCode::EXPORT_NAME) {
        let answer = Server::greeted(TlsPolicy::None, [0; 4]).ask(option, &[]);
        assert_eq!(answer, Err(NbdError::NotFixed { option }));
    }
}

#[test]
fn abort_is_acknowledged_whatever_comes_with_it() {
    for data in [&b""[..], &[7; 70_000]] {
        let mut server = Server::new(TlsPolicy::Required);
        server.negotiation.shut_down();
        let mut bytes = Vec::new();
        encode_option(OptionCode::ABORT, data, &mut bytes);
        assert_eq!(server.send(&bytes).unwrap(), Next::Close);
        assert_eq!(server.take_output(), hex(&format!("{REPLY} 00000002 00000001 00000000")));
    }
}

#[test]
fn list_names_each_export_that_needs_no_tls() {
    let mut server = Server::new(TlsPolicy::None);
    let entry = |name: &str, description: &str| {
        let mut data = hex(&format!("{:08x}", name.len()));
        data.extend([name, description].concat().as_bytes());
        [hex(&format!("{REPLY} 00000003 00000002 {:08x}", data.len())), data].concat()
    };
    let expected = [
        entry("disk", "a disk"),
        entry("small", ""),
        entry("strict", ""),
        hex(&format!("{REPLY} 00000003 00000001 00000000")),
    ];
    assert_eq!(answer(&mut server, OptionCode::LIST, &[]), expected.concat());
}

#[test]
fn go_answers_block_sizes_export_name_and_description_then_ack() {
    let mut server = Server::new(TlsPolicy::None);
    let asked = [InfoCode(9), InfoCode::BLOCK_SIZE, InfoCode::DESCRIPTION, InfoCode::NAME];
    let request = info("disk", &asked);
    assert_eq!(request, hex("00000004 6469736b 0004 0009 0003 0002 0001"));
    let expected = [
        hex(&format!("{REPLY} 00000007 00000003 0000000e 0003 00000200 00001000 00100000")),
        hex(&format!("{REPLY} 00000007 00000003 0000000c 0000 0000000040000000 0d6d")),
        hex(&format!("{REPLY} 00000007 00000003 00000006 0001 6469736b")),
        hex(&format!("{REPLY} 00000007 00000003 00000008 0002 61206469736b")),
        hex(&format!("{REPLY} 00000007 00000001 00000000")),
    ];
    assert_eq!(answer(&mut server, OptionCode::GO, &request), expected.concat());
}

#[test]
fn info_tells_what_go_would_and_stays_in_the_handshake() {
    let mut server = Server::new(TlsPolicy::None);
    let request = info("disk", &[InfoCode::BLOCK_SIZE]);
    let (told, next) = server.ask(OptionCode::INFO, &request).unwrap();
    assert_eq!(next, Next::Bytes);
    let (told_again, next) = server.ask(OptionCode::GO, &request).unwrap();
    assert_eq!(told, told_again);
    let Next::Transmission(session) = next else { panic!("{next:?}") };
    assert!(session.block_sizes_agreed);
}

#[test]
fn send_df_is_told_once_structured_replies_are_agreed() {
    let mut server = Server::new(TlsPolicy::None);
    let acknowledged = hex(&format!("{REPLY} 00000008 00000001 00000000"));
    assert_eq!(answer(&mut server, OptionCode::STRUCTURED_REPLY, &[]), acknowledged);
    let session = server.go("disk");
    assert!(session.structured && session.flags.has(TransmissionFlags::SEND_DF));
    assert!(!Server::new(TlsPolicy::None).go("disk").flags.has(TransmissionFlags::SEND_DF));
}

#[test]
fn contexts_are_listed_and_selected_by_name() {
    let mut server = Server::new(TlsPolicy::None);
    server.last(OptionCode::STRUCTURED_REPLY, &[]);
    let request = contexts("disk", &["base:allocation"]);
    assert_eq!(request, hex("00000004 6469736b 00000001 0000000f 62617365 3a 616c6c6f636174696f6e"));
    for (option, id) in [("00000009", "00000000"), ("0000000a", "00000001")] {
        let expected = [
            hex(&format!("{REPLY} {option} 00000004 00000013 {id}")),
            b"base:allocation".to_vec(),
            hex(&format!("{REPLY} {option} 00000001 00000000")),
        ];
        let code = OptionCode(u32::from_str_radix(option, 16).unwrap());
        assert_eq!(answer(&mut server, code, &request), expected.concat());
    }
    assert!(server.go("disk").allocation);
}

#[test]
fn the_empty_name_is_the_only_export() {
    let mut server = Server::new(TlsPolicy::None);
    assert!(matches!(
        server.last(OptionCode::INFO, &info("", &[])),
        oarlock_nbd::OptionReply::Error { code: ReplyCode::ERR_UNKNOWN, .. }
    ));
    server.exports.truncate(1);
    let (told, _) = server.ask(OptionCode::INFO, &info("", &[InfoCode::NAME])).unwrap();
    assert!(told.contains(&oarlock_nbd::OptionReply::Name("disk".to_owned())));
}
