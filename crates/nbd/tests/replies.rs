//! The server's replies, byte by byte, and the rules that its encoder keeps.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests fail as tests do.

mod common;

use common::{cookie, hex};
use oarlock_nbd::server::{READ_HEADROOM, Replies};
use oarlock_nbd::{Allocation, Command, CommandFlags, Errno, Extent, Request};

const SIMPLE: Replies = Replies::new(false);
const STRUCTURED: Replies = Replies::new(true);

fn request(command: Command) -> Request {
    Request::new(command, cookie(0x0102_0304_0506_0708), 4096, 8192)
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

#[test]
fn a_simple_reply_is_magic_error_and_cookie() {
    let write = request(Command::WRITE);
    let done = hex("67446698 00000000 0102030405060708");
    for replies in [SIMPLE, STRUCTURED] {
        assert_eq!(encoded(|out| replies.done(&write, out)), done, "the smaller reply is allowed to both");
    }
    let failed = hex("67446698 0000001c 0102030405060708");
    assert_eq!(encoded(|out| SIMPLE.failed(&write, Errno::ENOSPC, "full", out)), failed);
    assert_eq!(encoded(|out| SIMPLE.failed_at(&write, Errno::ENOSPC, 4096, "full", out)), failed);
    let read = request(Command::READ);
    assert_eq!(SIMPLE.data(&read, 4096, 8192, true).as_bytes(), done);
    let failed = hex("67446698 00000005 0102030405060708");
    assert_eq!(encoded(|out| SIMPLE.failed(&read, Errno::EIO, "", out)), failed);
}

#[test]
fn a_read_with_structured_replies_is_chunks_even_when_it_fails_early() {
    let read = request(Command::READ);
    let chunk = |rest: &str| hex(&format!("668e33ef {rest}"));
    assert_eq!(
        STRUCTURED.data(&read, 8192, 512, false).as_bytes(),
        chunk("0000 0001 0102030405060708 00000208 0000000000002000")
    );
    assert_eq!(
        STRUCTURED.data(&read, 4096, 8192, true).as_bytes(),
        chunk("0001 0001 0102030405060708 00002008 0000000000001000")
    );
    assert_eq!(
        encoded(|out| STRUCTURED.hole(&read, 4096, 4096, false, out)),
        chunk("0000 0002 0102030405060708 0000000c 0000000000001000 00001000")
    );
    assert_eq!(encoded(|out| STRUCTURED.done(&read, out)), chunk("0001 0000 0102030405060708 00000000"));
    assert_eq!(
        encoded(|out| STRUCTURED.failed(&read, Errno::EINVAL, "no", out)),
        chunk("0001 8001 0102030405060708 00000008 00000016 0002 6e6f")
    );
    assert_eq!(
        encoded(|out| STRUCTURED.failed_at(&read, Errno::EIO, 4608, "no", out)),
        chunk("0001 8002 0102030405060708 00000010 00000005 0002 6e6f 0000000000001200")
    );
}

#[test]
fn a_header_ends_where_its_aligned_data_start() {
    let read = request(Command::READ);
    for (replies, length) in [(SIMPLE, 16), (STRUCTURED, 28)] {
        let header = replies.data(&read, 4096, 8192, true);
        let mut buffer = vec![0xEE; 4096 + 8192];
        let start = header.place_before(&mut buffer, 4096);
        assert_eq!((start, &buffer[start..4096]), (4096 - length, header.as_bytes()));
        assert!(buffer[..start].iter().chain(&buffer[4096..]).all(|&byte| byte == 0xEE));
    }
    let mut tight = [0; READ_HEADROOM];
    assert_eq!(STRUCTURED.data(&read, 4096, 8192, true).place_before(&mut tight, READ_HEADROOM), 0);
}

/// Length and status of an extent, as the encoder is given it, and as it stands on the wire.
type Given = (u32, Allocation);
type Told = (u32, u32);

const HOLE: Allocation = Allocation(3);
const DATA: Allocation = Allocation::NONE;

fn extents(list: &[Given]) -> Vec<Extent> {
    list.iter().map(|&(length, status)| Extent { length, status }).collect()
}

/// The extents of a status reply, after its header was looked at.
fn told(request: &Request, list: &[Given]) -> Vec<Told> {
    let out = encoded(|out| STRUCTURED.status(request, extents(list), out));
    assert_eq!(out[..16], hex("668e33ef 0001 0005 0102030405060708"));
    let word = |at: usize| u32::from_be_bytes(out[at..at + 4].try_into().unwrap());
    assert_eq!((word(16) as usize, word(20)), (out.len() - 20, 1), "length and context");
    (24..out.len()).step_by(8).map(|at| (word(at), word(at + 4))).collect()
}

#[test]
fn a_block_status_joins_neighbours_and_ends_with_the_extent_that_reaches_the_requests_end() {
    let status = request(Command::BLOCK_STATUS);
    let cases: [(&[Given], &[Told]); 5] = [
        (&[(4096, DATA), (4096, HOLE)], &[(4096, 0), (4096, 3)]),
        (&[(512, HOLE), (512, HOLE), (0, DATA), (512, HOLE), (512, DATA)], &[(1536, 3), (512, 0)]),
        (&[(4096, DATA), (65_536, HOLE), (4096, DATA)], &[(4096, 0), (65_536, 3)]),
        (&[(8192, DATA), (4096, HOLE)], &[(8192, 0)]),
        (&[(4096, HOLE)], &[(4096, 3)]),
    ];
    for (given, expected) in cases {
        assert_eq!(told(&status, given), expected, "{given:?}");
    }
}

#[test]
fn a_block_status_of_one_extent_stays_within_the_request() {
    let one = request(Command::BLOCK_STATUS).with(CommandFlags::REQ_ONE);
    let cases: [(&[Given], Told); 4] = [
        (&[(4096, DATA), (4096, HOLE)], (4096, 0)),
        (&[(65_536, HOLE)], (8192, 3)),
        (&[(4096, HOLE), (65_536, HOLE)], (8192, 3)),
        (&[(512, HOLE), (512, HOLE), (512, DATA)], (1024, 3)),
    ];
    for (given, expected) in cases {
        assert_eq!(told(&one, given), [expected], "{given:?}");
    }
}

#[test]
fn a_block_status_has_no_more_extents_than_the_document_allows() {
    let status = Request::new(Command::BLOCK_STATUS, cookie(0x0102_0304_0506_0708), 0, u32::MAX);
    let all: Vec<_> =
        (0..(1 << 20) + 5).map(|index| (512, if index % 2 == 0 { DATA } else { HOLE })).collect();
    assert_eq!(told(&status, &all).len(), 1 << 20);
}

#[test]
fn a_sentence_is_cut_to_what_a_string_holds() {
    let read = request(Command::READ);
    let out = encoded(|out| STRUCTURED.failed(&read, Errno::EIO, &"ü\0".repeat(4000), out));
    let length = usize::from(u16::from_be_bytes([out[24], out[25]]));
    assert_eq!((length, out.len()), (4096, 26 + 4096));
    assert_eq!(std::str::from_utf8(&out[26..]).unwrap(), "ü".repeat(2048));
}

/// Whether encoding panics, as it must for what the protocol forbids.
fn refuses(encode: impl FnOnce(&mut Vec<u8>) + std::panic::UnwindSafe) -> bool {
    std::panic::catch_unwind(|| encode(&mut Vec::new())).is_err()
}

#[test]
fn a_caller_that_would_break_the_protocol_is_stopped() {
    let read = request(Command::READ);
    let whole = read.with(CommandFlags::DF);
    let status = request(Command::BLOCK_STATUS);
    assert!(refuses(|out| SIMPLE.done(&read, out)), "a read that is done without data");
    assert!(refuses(|out| SIMPLE.hole(&read, 4096, 512, true, out)), "a hole in a simple reply");
    assert!(
        refuses(|_| {
            SIMPLE.data(&read, 4096, 512, true);
        }),
        "a part in a simple reply"
    );
    assert!(
        refuses(|_| {
            SIMPLE.data(&read, 4096, 8192, false);
        }),
        "more behind a simple reply"
    );
    assert!(
        refuses(|_| {
            STRUCTURED.data(&whole, 4096, 512, false);
        }),
        "a part where DF is set"
    );
    assert!(refuses(|out| STRUCTURED.hole(&whole, 4096, 8192, true, out)), "a hole where DF is set");
    assert!(
        refuses(|_| {
            STRUCTURED.data(&read, 4095, 512, false);
        }),
        "data before the request"
    );
    assert!(
        refuses(|_| {
            STRUCTURED.data(&read, 12_287, 2, false);
        }),
        "data behind the request"
    );
    assert!(
        refuses(|_| {
            STRUCTURED.data(&read, 4096, 0, false);
        }),
        "no data"
    );
    assert!(refuses(|out| STRUCTURED.done(&status, out)), "a status without extents");
    assert!(refuses(|out| STRUCTURED.status(&status, extents(&[(0, HOLE)]), out)), "only an empty extent");
    assert!(
        refuses(|out| STRUCTURED.failed_at(&read, Errno::EIO, 12_288, "", out)),
        "an error behind the end"
    );
    assert!(refuses(|out| SIMPLE.failed(&read, Errno(0), "", out)), "an error that is none");
}
