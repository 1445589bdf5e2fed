//! The stream of requests: byte-exact decoding, the table of errors, payloads that are taken or skipped, and what ends it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests fail as tests do.

mod common;

use common::{cookie, features, hex};
use oarlock_nbd::limits::PAYLOAD_MAX;
use oarlock_nbd::server::{Incoming, Negotiation, Next, Requests, Rules, TlsPolicy};
use oarlock_nbd::{
    BlockSizes, Command, CommandFlags, Errno, Export, NbdError, OptionCode, Request, TransmissionFlags,
    encode_option,
};

const SIZE: u64 = 1 << 20;
const PAYLOAD: u32 = 128 << 10;

/// Rules of an export of 1 MiB with blocks of 512 bytes and payloads of up to 128 KiB.
fn rules(flags: TransmissionFlags, structured: bool) -> Rules {
    let sizes = BlockSizes::new(512, 4096, PAYLOAD).unwrap();
    let export = [Export::new("disk", SIZE, sizes, flags).unwrap()];
    let mut negotiation = Negotiation::new(TlsPolicy::None);
    let mut bytes = vec![0, 0, 0, 3];
    if structured {
        encode_option(OptionCode::STRUCTURED_REPLY, &[], &mut bytes);
        let set = common::contexts("disk", &["base:allocation"]);
        encode_option(OptionCode::SET_META_CONTEXT, &set, &mut bytes);
    }
    encode_option(OptionCode::EXPORT_NAME, b"disk", &mut bytes);
    loop {
        let sent = negotiation.output().len();
        negotiation.output_sent(sent);
        let step = negotiation.handle(export.as_slice(), &bytes).unwrap();
        bytes.drain(..step.used);
        if let Next::Transmission(session) = step.next {
            return Rules::new(&session);
        }
    }
}

fn request(command: Command, offset: u64, length: u32) -> Request {
    Request::new(command, cookie(7), offset, length)
}

const RANGED: [Command; 6] = [
    Command::READ,
    Command::WRITE,
    Command::TRIM,
    Command::CACHE,
    Command::WRITE_ZEROES,
    Command::BLOCK_STATUS,
];

#[test]
fn a_request_is_28_bytes_in_the_documents_order() {
    let bytes = hex("25609513 0011 0006 0123456789abcdef 0000000000001000 00000200");
    let expected = Request {
        flags: CommandFlags::FUA | CommandFlags::FAST_ZERO,
        command: Command::WRITE_ZEROES,
        cookie: cookie(0x0123_4567_89ab_cdef),
        offset: 4096,
        length: 512,
    };
    assert_eq!(Request::decode(bytes.as_slice().try_into().unwrap()), Ok(expected));
    assert_eq!(expected.encode().as_slice(), bytes);
}

#[test]
fn what_lies_within_the_export_is_carried_out_with_every_flag_that_belongs_to_it() {
    let rules = rules(features(), true);
    let flags = [
        (Command::READ, CommandFlags::DF),
        (Command::WRITE_ZEROES, CommandFlags::NO_HOLE | CommandFlags::FAST_ZERO),
        (Command::BLOCK_STATUS, CommandFlags::REQ_ONE),
    ];
    for command in RANGED {
        let own = flags.iter().find(|(of, _)| *of == command).map_or(CommandFlags::NONE, |(_, flags)| *flags);
        for bits in 0..=u16::MAX {
            let asked = request(command, SIZE - 512, 512).with(CommandFlags(bits));
            let belongs = own.and(CommandFlags::FUA).has(CommandFlags(bits));
            assert_eq!(rules.judge(&asked), if belongs { Ok(()) } else { Err(Errno::EINVAL) }, "{asked:?}");
        }
    }
    assert_eq!(rules.judge(&request(Command::FLUSH, 0, 0).with(CommandFlags::FUA)), Ok(()));
}

#[test]
fn a_range_that_breaks_the_rules_fails_with_the_documents_error() {
    let rules = rules(features(), true);
    let beyond = |command| {
        let no_space = [Command::WRITE, Command::WRITE_ZEROES].contains(&command);
        if no_space { Errno::ENOSPC } else { Errno::EINVAL }
    };
    for command in RANGED {
        for (offset, length, expected) in [
            (0, 0, Errno::EINVAL),
            (256, 512, Errno::EINVAL),
            (512, 256, Errno::EINVAL),
            (SIZE, 512, beyond(command)),
            (SIZE - 512, 1024, beyond(command)),
            (u64::MAX - 511, 512, beyond(command)),
            (u64::MAX - 511, 65_536, beyond(command)),
        ] {
            let asked = request(command, offset, length);
            assert_eq!(rules.judge(&asked), Err(expected), "{asked:?}");
        }
    }
    for (offset, length) in [(512, 0), (0, 512)] {
        assert_eq!(rules.judge(&request(Command::FLUSH, offset, length)), Err(Errno::EINVAL));
    }
}

#[test]
fn the_maximum_payload_binds_only_what_carries_one() {
    for structured in [false, true] {
        let rules = rules(features(), structured);
        let over = |command| rules.judge(&request(command, 0, PAYLOAD + 512));
        assert_eq!(over(Command::WRITE), Err(Errno::EINVAL));
        assert_eq!(over(Command::READ), Err(if structured { Errno::EOVERFLOW } else { Errno::EINVAL }));
        for command in [Command::TRIM, Command::WRITE_ZEROES, Command::CACHE] {
            assert_eq!(over(command), Ok(()), "{command}");
        }
        for command in [Command::READ, Command::WRITE] {
            assert_eq!(rules.judge(&request(command, 0, PAYLOAD)), Ok(()), "{command}");
        }
    }
}

#[test]
fn nothing_is_written_to_a_read_only_export() {
    let rules = rules(features() | TransmissionFlags::READ_ONLY, true);
    for command in RANGED {
        let writes = [Command::WRITE, Command::TRIM, Command::WRITE_ZEROES].contains(&command);
        let expected = if writes { Err(Errno::EPERM) } else { Ok(()) };
        assert_eq!(rules.judge(&request(command, 0, 512)), expected, "{command}");
        if writes {
            assert_eq!(rules.judge(&request(command, SIZE, 512)), expected, "{command} beyond the end");
        }
    }
}

#[test]
fn what_was_not_offered_or_agreed_is_invalid() {
    let bare = rules(TransmissionFlags::NONE, false);
    for command in
        [Command::FLUSH, Command::TRIM, Command::CACHE, Command::WRITE_ZEROES, Command::BLOCK_STATUS]
    {
        let length = if command == Command::FLUSH { 0 } else { 512 };
        assert_eq!(bare.judge(&request(command, 0, length)), Err(Errno::EINVAL), "{command}");
    }
    for flag in [CommandFlags::FUA, CommandFlags::DF] {
        assert_eq!(bare.judge(&request(Command::READ, 0, 512).with(flag)), Err(Errno::EINVAL), "{flag:?}");
    }
    let slow_zero = rules(TransmissionFlags::SEND_WRITE_ZEROES, false);
    let zeroes = request(Command::WRITE_ZEROES, 0, 512);
    assert_eq!(slow_zero.judge(&zeroes), Ok(()));
    assert_eq!(slow_zero.judge(&zeroes.with(CommandFlags::FAST_ZERO)), Err(Errno::EINVAL));
    for unknown in (8..=u16::MAX).map(Command) {
        assert_eq!(bare.judge(&request(unknown, 0, 512)), Err(Errno::EINVAL), "{unknown}");
    }
}

#[test]
fn a_server_that_goes_down_refuses_and_one_that_grew_reaches_further() {
    let mut rules = rules(features(), true);
    let behind = request(Command::WRITE, SIZE, 512);
    assert_eq!(rules.judge(&behind), Err(Errno::ENOSPC));
    rules.resize(SIZE + 512);
    assert_eq!(rules.judge(&behind), Ok(()));
    rules.shut_down();
    for command in (0..10).map(Command).filter(|&command| command != Command::DISC) {
        assert_eq!(rules.judge(&request(command, 0, 512)), Err(Errno::ESHUTDOWN), "{command}");
    }
}

#[test]
fn all_requests_of_a_buffer_come_out_and_a_payload_is_taken_where_the_caller_wants_it() {
    let mut requests = Requests::new(rules(features(), false));
    let read = request(Command::READ, 0, 512);
    let write = request(Command::WRITE, 512, 1024);
    let mut bytes = [&read.encode()[..], &write.encode(), &[1; 600]].concat();
    let parsed = requests.next(&bytes).unwrap();
    assert_eq!((parsed.used, parsed.incoming), (28, Incoming::Request(read)));
    bytes.drain(..28);
    let parsed = requests.next(&bytes).unwrap();
    assert_eq!((parsed.used, parsed.incoming), (28, Incoming::Request(write)));
    assert_eq!(requests.payload_left(), 1024);
    assert_eq!(requests.take_payload(&bytes[28..]), [1; 600]);
    // The other 424 bytes are read from the socket to where they belong.
    assert_eq!(requests.payload_left(), 424);
    requests.payload_received(424);
    let parsed = requests.next(&read.encode()).unwrap();
    assert_eq!((parsed.used, parsed.incoming), (28, Incoming::Request(read)));
}

#[test]
fn a_refused_write_is_answered_at_once_and_its_payload_skipped() {
    let mut requests = Requests::new(rules(features(), false));
    let long = request(Command::WRITE, 0, PAYLOAD_MAX);
    let read = request(Command::READ, 0, 512);
    let parsed = requests.next(&long.encode()).unwrap();
    assert_eq!(parsed.incoming, Incoming::Refused { request: long, error: Errno::EINVAL });
    assert_eq!(requests.payload_left(), 0);
    let mut left = PAYLOAD_MAX as usize;
    let junk = vec![0xFF; 100_000];
    while left > junk.len() {
        let parsed = requests.next(&junk).unwrap();
        left -= junk.len();
        assert_eq!((parsed.used, parsed.incoming), (junk.len(), Incoming::More { bytes: left + 28 }));
    }
    let parsed = requests.next(&[&junk[..left], &read.encode()].concat()).unwrap();
    assert_eq!((parsed.used, parsed.incoming), (left + 28, Incoming::Request(read)));
}

#[test]
fn a_write_too_long_to_skip_and_another_magic_end_the_connection() {
    let long = request(Command::WRITE, 0, PAYLOAD_MAX + 1);
    let mut other = request(Command::READ, 0, 512).encode();
    other[0] = 0;
    let (length, length_max) = (PAYLOAD_MAX + 1, PAYLOAD_MAX);
    for (bytes, expected) in [
        (long.encode(), NbdError::PayloadTooLong { length, length_max }),
        (other, NbdError::RequestMagic { found: 0x0060_9513 }),
    ] {
        let mut requests = Requests::new(rules(features(), false));
        assert_eq!(requests.next(&bytes), Err(expected));
        let after = requests.next(&request(Command::READ, 0, 512).encode()).unwrap();
        assert_eq!((after.used, after.incoming), (0, Incoming::Disconnect));
    }
}

#[test]
fn nothing_follows_a_farewell() {
    let mut requests = Requests::new(rules(features(), false));
    let farewell = request(Command::DISC, 5, 5).with(CommandFlags(0xFFFF)).encode();
    let bytes = [farewell, request(Command::WRITE, 0, 512).encode()].concat();
    assert_eq!(requests.next(&bytes).unwrap().incoming, Incoming::Disconnect);
    let after = requests.next(&bytes[28..]).unwrap();
    assert_eq!((after.used, after.incoming), (0, Incoming::Disconnect));
}

#[test]
fn a_part_of_a_request_says_how_much_is_missing() {
    let bytes = request(Command::READ, 0, 512).encode();
    for length in 0..bytes.len() {
        let parsed = Requests::new(rules(features(), false)).next(&bytes[..length]).unwrap();
        assert_eq!((parsed.used, parsed.incoming), (0, Incoming::More { bytes: 28 - length }));
    }
}

#[test]
#[should_panic(expected = "were not taken")]
fn a_payload_that_was_not_taken_is_never_read_as_a_request() {
    let mut requests = Requests::new(rules(features(), false));
    let bytes = request(Command::WRITE, 0, 512).encode();
    requests.next(&bytes).unwrap();
    let _ = requests.next(&bytes);
}

#[test]
fn exports_that_break_the_protocol_cannot_be_made() {
    for (minimum, preferred, payload_max) in [
        (0, 4096, 65_536),
        (3, 4096, 65_536),
        (1 << 17, 1 << 17, 1 << 20),
        (4096, 512, 65_536),
        (1, 256, 65_536),
        (1, 3000, 65_536),
        (1, 4096, 2048),
        (512, 4096, 65_537),
        (1, 4096, PAYLOAD_MAX + 1),
    ] {
        let expected = NbdError::BlockSizes { minimum, preferred, payload_max };
        assert_eq!(BlockSizes::new(minimum, preferred, payload_max), Err(expected));
    }
    let sizes = BlockSizes::new(512, 4096, 65_536).unwrap();
    let new = |name, size, flags| Export::new(name, size, sizes, flags);
    let none = TransmissionFlags::NONE;
    assert_eq!(new("a\0b", 512, none), Err(NbdError::NotAString { length: 3 }));
    assert_eq!(new("a", 513, none), Err(NbdError::PartialBlock { size_bytes: 513, minimum: 512 }));
    for flags in [
        TransmissionFlags::SEND_RESIZE,
        TransmissionFlags::SEND_DF,
        TransmissionFlags::BLOCK_STATUS_PAYLOAD,
        TransmissionFlags::SEND_FAST_ZERO,
        TransmissionFlags(1 << 15),
    ] {
        assert_eq!(new("a", 512, flags), Err(NbdError::ExportFlags { flags }));
    }
}
