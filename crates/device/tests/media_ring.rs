//! What a ring of media does that an export's has no use for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use common::{Mount, PATIENCE, Scratch};
use oarlock_block::{ByteCount, IoError, Refusal};
use oarlock_device::{Completed, MediaRing, Medium, MediumOptions, Token};

/// What became of the one command that is out.
fn outcome(ring: &mut MediaRing) -> Completed {
    let mut completions = Vec::new();
    while completions.is_empty() {
        ring.turn(Some(PATIENCE), &mut completions).unwrap();
    }
    assert_eq!(completions.len(), 1);
    completions.remove(0).outcome
}

/// A write that finds no place half-way leaves its blocks torn: whoever must not have that asks first.
#[test]
fn place_is_had_before_a_write_or_not_at_all_and_what_stands_there_stays() {
    let Some(scratch) = Scratch::new() else { return };
    let Some(mount) = Mount::new(&["-t", "tmpfs", "-o", "size=1m", "oarlock"], &scratch.path("small")) else {
        return;
    };
    let options = MediumOptions { create: Some(ByteCount(4 << 20)), ..MediumOptions::default() };
    let medium = Medium::open(&scratch.path("small/disk"), options).unwrap();
    let mut ring = MediaRing::new(4, 1 << 20).unwrap();
    let mut buffer = ring.buffer(64 << 10).unwrap();
    buffer.bytes().fill(7);
    medium.write_now(&mut buffer, 0..4096, 8192).unwrap();
    medium.flush_now().unwrap();
    let place_before = medium.space().unwrap().used_bytes;

    ring.reserve(Token(0), &medium, (0, 2 << 20)).unwrap();
    assert_eq!(outcome(&mut ring), Completed::Device(Err(IoError::Refused(Refusal::Full))));
    ring.reserve(Token(1), &medium, (0, 64 << 10)).unwrap();
    assert_eq!(outcome(&mut ring), Completed::Device(Ok(())));
    assert!(medium.space().unwrap().used_bytes >= place_before + (60 << 10));
    medium.read_now(&mut buffer, 0..64 << 10, 0).unwrap();
    let expected = |place| if (8192..12288).contains(&place) { 7 } else { 0 };
    assert!(buffer.bytes().iter().enumerate().all(|(place, byte)| *byte == expected(place)));
    drop((ring, medium, mount));
}
