//! Rubbish: chance bytes, and sound conversations with a few bytes changed. Nothing panics, and what is kept and said stays bounded.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests fail as tests do.

mod common;

use common::{Chance, Server, contexts, cookie, exports, features, info};
use oarlock_nbd::client::{self, Dial, DialNext, Reply, TlsWish, Wish};
use oarlock_nbd::limits::LIST_LENGTH_MAX;
use oarlock_nbd::server::{Incoming, Negotiation, Next, Replies, Requests, Rules, TlsPolicy};
use oarlock_nbd::{
    BlockSizes, Command, CommandFlags, Errno, Export, OptionCode, Request, TransmissionFlags, encode_option,
};

const SEEDS: u64 = 3000;

/// A sound client's whole handshake.
fn conversation(chance: &mut Chance) -> Vec<u8> {
    let options = [
        (OptionCode::LIST, Vec::new()),
        (OptionCode::STARTTLS, Vec::new()),
        (OptionCode::INFO, info("disk", &[])),
        (OptionCode::STRUCTURED_REPLY, Vec::new()),
        (OptionCode::LIST_META_CONTEXT, contexts("disk", &["base:"])),
        (OptionCode::SET_META_CONTEXT, contexts("disk", &["base:allocation"])),
        (OptionCode::EXTENDED_HEADERS, Vec::new()),
        (OptionCode::ABORT, vec![1; 70_000]),
        (OptionCode::GO, info("disk", &[])),
        (OptionCode::EXPORT_NAME, b"small".to_vec()),
    ];
    let mut bytes = vec![0, 0, 0, 3];
    for _ in 0..1 + chance.below(8) {
        let (option, data) = &options[chance.index(options.len())];
        encode_option(*option, data, &mut bytes);
    }
    bytes
}

fn spoil(chance: &mut Chance, bytes: &mut Vec<u8>) {
    for _ in 0..chance.below(4) {
        let at = chance.index(bytes.len());
        match chance.below(3) {
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => {
                bytes.truncate(at + 1);
            }
            _ => bytes[at] = u8::try_from(chance.below(256)).unwrap(),
        }
    }
}

/// Feeds a server until it wants no more, and returns how far it came.
fn feed(tls: TlsPolicy, exports: &[Export], bytes: &[u8], chance: &mut Chance) -> Option<Next> {
    let mut negotiation = Negotiation::new(tls);
    let mut at = 0;
    while at < bytes.len() {
        negotiation.output_sent(negotiation.output().len());
        let end = bytes.len().min(at + 1 + chance.index(200));
        let step = negotiation.handle(exports, &bytes[at..end]).ok()?;
        assert!(negotiation.output().len() <= LIST_LENGTH_MAX + 200, "an answer without bound");
        at += step.used;
        match step.next {
            Next::Bytes => {
                assert!(at == end || !negotiation.output().is_empty(), "bytes were left without need")
            }
            Next::Tls => {
                negotiation.output_sent(negotiation.output().len());
                negotiation.tls_established();
            }
            over => return Some(over),
        }
    }
    Some(Next::Bytes)
}

#[test]
fn no_bytes_make_the_servers_handshake_panic() {
    let (mut entered, mut failed) = (0, 0);
    for seed in 0..SEEDS {
        let mut chance = Chance(seed);
        let mut bytes = conversation(&mut chance);
        if seed % 5 == 0 {
            bytes = chance.bytes(300);
        } else {
            spoil(&mut chance, &mut bytes);
        }
        let tls = [TlsPolicy::None, TlsPolicy::Offered, TlsPolicy::Required][chance.index(3)];
        match feed(tls, &exports(), &bytes, &mut chance) {
            Some(Next::Transmission(_)) => entered += 1,
            None => failed += 1,
            _ => {}
        }
    }
    assert!(entered > SEEDS / 20 && failed > SEEDS / 20, "{entered} entered, {failed} failed");
}

/// A session with everything.
fn rules() -> Rules {
    let mut server = Server::new(TlsPolicy::None);
    let sizes = BlockSizes::new(1, 4096, 65_536).unwrap();
    server.exports = vec![Export::new("disk", 1 << 20, sizes, features()).unwrap()];
    server.last(OptionCode::STRUCTURED_REPLY, &[]);
    server.last(OptionCode::SET_META_CONTEXT, &contexts("disk", &["base:allocation"]));
    Rules::new(&server.go("disk"))
}

fn any_request(chance: &mut Chance) -> Request {
    let length_end = if chance.below(8) == 0 { 1 << 32 } else { 200 };
    let flags = if chance.below(4) == 0 { chance.below(64) } else { 0 };
    let request = Request {
        flags: CommandFlags(u16::try_from(flags).unwrap()),
        command: Command(u16::try_from(chance.below(10)).unwrap()),
        cookie: cookie(chance.next()),
        offset: chance.below(5 << 18),
        length: u32::try_from(chance.below(length_end)).unwrap(),
    };
    match request.command {
        Command::DISC if chance.below(4) > 0 => Request { command: Command::READ, ..request },
        Command::FLUSH if chance.below(4) > 0 => Request { offset: 0, length: 0, ..request },
        _ => request,
    }
}

#[test]
fn what_a_server_accepts_lies_within_the_export_whatever_is_sent() {
    let (mut accepted, mut refused, mut ended) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut chance = Chance(seed);
        let mut requests = Requests::new(rules());
        let mut bytes = Vec::new();
        for _ in 0..20 {
            let request = any_request(&mut chance);
            bytes.extend(request.encode());
            bytes.extend(chance.bytes(request.payload_length().min(300) as usize));
        }
        spoil(&mut chance, &mut bytes);
        let mut at = 0;
        loop {
            at += requests.take_payload(&bytes[at..]).len();
            if requests.payload_left() > 0 {
                break;
            }
            let Ok(parsed) = requests.next(&bytes[at..]) else {
                ended += 1;
                break;
            };
            at += parsed.used;
            match parsed.incoming {
                Incoming::Request(request) => {
                    accepted += 1;
                    assert!(request.offset + u64::from(request.length) <= 1 << 20, "{request:?}");
                    assert_eq!(request.length == 0, request.command == Command::FLUSH, "{request:?}");
                    assert!(request.payload_length() <= 65_536);
                }
                Incoming::Refused { error, .. } => {
                    refused += 1;
                    assert!([Errno::EINVAL, Errno::ENOSPC, Errno::EOVERFLOW].contains(&error), "{error}");
                }
                Incoming::More { bytes } => {
                    assert!(bytes > 0);
                    break;
                }
                Incoming::Disconnect => break,
            }
        }
    }
    assert!(accepted > SEEDS && refused > SEEDS && ended > 10, "{accepted}, {refused}, {ended}");
}

#[test]
fn no_bytes_make_the_clients_handshake_panic() {
    let mut entered = 0;
    for seed in 0..SEEDS {
        let mut chance = Chance(seed);
        let mut server = Negotiation::new(TlsPolicy::Offered);
        let tls = [TlsWish::Never, TlsWish::IfOffered][chance.index(2)];
        let mut dial = Dial::new(Wish { export: "disk".to_owned(), tls, structured: true, allocation: true });
        for _ in 0..20 {
            let mut said = server.output().to_vec();
            server.output_sent(said.len());
            if !said.is_empty() && chance.below(8) == 0 {
                spoil(&mut chance, &mut said);
            }
            let (mut at, mut ended) = (0, false);
            while !ended {
                match dial.handle(&said[at..]) {
                    Err(_) => ended = true,
                    Ok(step) => {
                        at += step.used;
                        ended = step.used == 0 || matches!(step.next, DialNext::Denied { .. });
                        entered += u64::from(matches!(step.next, DialNext::Transmission(_)));
                        if step.next == DialNext::Tls {
                            dial.tls_established().unwrap();
                        }
                    }
                }
            }
            let asked = dial.take_output();
            match server.handle(exports().as_slice(), &asked).map(|step| step.next) {
                Ok(Next::Tls) => {
                    let more = server.output().to_vec();
                    server.output_sent(more.len());
                    server.tls_established();
                    if !matches!(dial.handle(&more).map(|step| step.next), Ok(DialNext::Tls)) {
                        break;
                    }
                    dial.tls_established().unwrap();
                    let asked = dial.take_output();
                    if server.handle(exports().as_slice(), &asked).is_err() {
                        break;
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
    assert!(entered > SEEDS / 2, "only {entered} came through");
}

fn session() -> client::Session {
    client::Session {
        size_bytes: 1 << 20,
        flags: TransmissionFlags::HAS_FLAGS,
        block_sizes: None,
        name: None,
        description: None,
        structured: true,
        contexts: vec![(1, "base:allocation".to_owned())],
    }
}

#[test]
fn no_bytes_make_the_client_believe_more_than_it_asked_for() {
    let (mut done, mut ended) = (0, 0);
    for seed in 0..SEEDS {
        let mut chance = Chance(seed);
        let mut replies = client::Replies::new(&session());
        let encoder = Replies::new(true);
        let mut bytes = Vec::new();
        for number in 0..5 {
            let command = [Command::READ, Command::WRITE, Command::BLOCK_STATUS][chance.index(3)];
            let request = Request::new(command, cookie(number), 1024 * number, 1024);
            replies.expect(&request).unwrap();
            match command {
                _ if chance.below(4) == 0 => encoder.failed(&request, Errno::EIO, "bad", &mut bytes),
                Command::READ => {
                    encoder.hole(&request, request.offset, 512, false, &mut bytes);
                    bytes.extend(encoder.data(&request, request.offset + 512, 512, true).as_bytes());
                    bytes.extend([7; 512]);
                }
                Command::BLOCK_STATUS => {
                    let extent = oarlock_nbd::Extent { length: 1024, status: oarlock_nbd::Allocation::NONE };
                    encoder.status(&request, [extent], &mut bytes);
                }
                _ => encoder.done(&request, &mut bytes),
            }
        }
        spoil(&mut chance, &mut bytes);
        let mut at = 0;
        loop {
            at += replies.take_payload(&bytes[at..]).len();
            if replies.payload_left() > 0 {
                break;
            }
            let Ok(parsed) = replies.next(&bytes[at..]) else {
                ended += 1;
                break;
            };
            at += parsed.used;
            match parsed.reply {
                Reply::More { bytes } => {
                    assert!(bytes > 0);
                    break;
                }
                Reply::Data { cookie, offset, length } | Reply::Hole { cookie, offset, length } => {
                    let (start, end) = (cookie.0 * 1024, offset + u64::from(length));
                    assert!(offset >= start && end <= start + 1024, "{length} bytes at {offset}");
                }
                Reply::Status { extents, .. } => assert!(!extents.is_empty()),
                Reply::Failed { .. } => {}
                Reply::Done { .. } => done += 1,
            }
        }
    }
    assert!(done > SEEDS && ended > SEEDS / 10, "{done} done, {ended} ended");
}
