//! The data ring of an export's thread: every kind of command, its limits, its wakes, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{Mount, PATIENCE, SIZE, Scratch, block_length, block_sizes, cut_off, open, read_block};
use futures::FutureExt;
use futures::executor::block_on;
use oarlock_block::{Device, IoError, Lba, Refusal, SlotIndex};
use oarlock_device::{
    Completed, Completion, DATA_BUFFER_MAX, DATA_DEPTH_MAX, DataRing, DataRingError, FileDevice, HEADROOM,
    Interest, OpenOptions, Token,
};

const DONE: Completed = Completed::Device(Ok(()));

fn refused(refusal: Refusal) -> Completed {
    Completed::Device(Err(IoError::Refused(refusal)))
}

/// Turns until so many commands ended.
fn turn_until(ring: &mut DataRing, count: usize) -> Vec<Completion> {
    let deadline = Instant::now() + PATIENCE;
    let mut completions = Vec::new();
    while completions.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} commands ended", completions.len());
        ring.turn(Some(PATIENCE), &mut completions).unwrap();
    }
    completions
}

/// What became of the one command that is out.
fn outcome(ring: &mut DataRing) -> Completed {
    let mut completions = turn_until(ring, 1);
    assert_eq!(completions.len(), 1);
    completions.remove(0).outcome
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place / 64 % 251).to_le_bytes()[0]).collect()
}

#[test]
fn what_is_written_in_parts_is_read_in_other_parts_and_by_the_device() {
    let Some(scratch) = Scratch::new() else { return };
    for size in block_sizes(scratch.folder()) {
        let options = OpenOptions { create: Some(SIZE), block_size: Some(size), ..OpenOptions::default() };
        let path = scratch.path(&size.bytes().to_string());
        let device = FileDevice::open(&path, options).unwrap();
        let mut ring = DataRing::new(&device, 8).unwrap();
        assert_eq!(ring.geometry(), device.geometry());
        let block = block_length(&device);
        let data = pattern(6 * block);
        let mut buffer = ring.buffer(data.len()).unwrap();
        buffer.bytes().copy_from_slice(&data);
        // The middle goes elsewhere: three commands of one buffer at once.
        let far = 100 * block as u64;
        ring.write(Token(1), &buffer, 0..2 * block, 0).unwrap();
        ring.write(Token(2), &buffer, 2 * block..3 * block, far).unwrap();
        ring.write(Token(3), &buffer, 3 * block..6 * block, 2 * block as u64).unwrap();
        assert!(buffer.is_in_flight());
        let mut ended = turn_until(&mut ring, 3);
        ended.sort_by_key(|completion| completion.token);
        let tokens = [1, 2, 3].map(|token| Completion { token: Token(token), outcome: DONE });
        assert_eq!(ended, tokens);
        ring.flush(Token(4)).unwrap();
        assert_eq!(outcome(&mut ring), DONE);

        let mut back = ring.buffer(6 * block).unwrap();
        ring.read(Token(5), &back, 0..5 * block, 0).unwrap();
        ring.read(Token(6), &back, 5 * block..6 * block, far).unwrap();
        turn_until(&mut ring, 2);
        let expected = [&data[..2 * block], &data[3 * block..], &data[2 * block..3 * block]].concat();
        assert!(back.bytes() == expected.as_slice(), "what was written is read");
        assert_eq!(read_block(&device, 100), data[2 * block..3 * block]);
        assert_eq!(ring.places_free(), 8);
    }
}

#[test]
fn a_header_and_the_data_behind_it_are_one_run_of_bytes() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let mut ring = DataRing::new(&device, 1).unwrap();
    let block = block_length(&device);
    block_on(device.write(Lba(3), &vec![7; block])).unwrap();
    let mut buffer = ring.buffer(block).unwrap();
    ring.read(Token(0), &buffer, 0..block, 3 * block as u64).unwrap();
    assert_eq!(outcome(&mut ring), DONE);
    buffer.framed(16)[..16].copy_from_slice(&[1; 16]);
    assert_eq!(buffer.framed(16), [vec![1; 16], vec![7; block]].concat());
    assert_eq!(buffer.framed(HEADROOM).len(), HEADROOM + block);
}

#[test]
fn the_depth_is_kept_and_the_next_command_is_told_that_the_ring_is_full() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    for asked in [0, DATA_DEPTH_MAX + 1] {
        assert_eq!(
            DataRing::new(&device, asked).err(),
            Some(DataRingError::Depth { max: DATA_DEPTH_MAX, asked })
        );
    }
    for depth in [1, 3, DATA_DEPTH_MAX] {
        let mut ring = DataRing::new(&device, depth).unwrap();
        let block = block_length(&device);
        let buffer = ring.buffer(block).unwrap();
        for _round in 0..2 {
            for token in 0..depth as u64 {
                ring.read(Token(token), &buffer, 0..block, token * block as u64).unwrap();
            }
            let full = Err(DataRingError::Full { depth });
            assert_eq!(ring.read(Token(0), &buffer, 0..block, 0), full);
            assert_eq!(ring.flush(Token(0)), full);
            let (socket, _other) = UnixStream::pair().unwrap();
            assert!(ring.watch(Token(0), Rc::new(socket), Interest::Read).is_err());
            let mut tokens: Vec<u64> =
                turn_until(&mut ring, depth).iter().map(|completion| completion.token.0).collect();
            tokens.sort_unstable();
            assert_eq!(tokens, (0..depth as u64).collect::<Vec<_>>(), "each ended once");
        }
        assert_eq!(ring.places_free(), depth);
    }
}

#[test]
fn what_the_device_would_refuse_is_refused_at_once_and_takes_no_place() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let (block, end) = (block_length(&device), SIZE.0);
    let mut ring = DataRing::new(&device, 1).unwrap();
    let buffer = ring.buffer(2 * block).unwrap();
    let out_of_range = Err(DataRingError::Refused(Refusal::OutOfRange));
    assert_eq!(ring.read(Token(0), &buffer, 0..block, end), out_of_range);
    assert_eq!(ring.write(Token(0), &buffer, 0..2 * block, end - block as u64), out_of_range);
    assert_eq!(ring.discard(Token(0), 0, end + block as u64), out_of_range);
    assert_eq!(ring.write_zeroes(Token(0), u64::MAX - (block as u64 - 1), block as u64), out_of_range);
    let read_only = OpenOptions { read_only: true, ..OpenOptions::default() };
    let mut reader = DataRing::new(&FileDevice::open(&path, read_only).unwrap(), 1).unwrap();
    let unsupported = Err(DataRingError::Refused(Refusal::Unsupported));
    assert_eq!(reader.write(Token(0), &buffer, 0..block, 0), unsupported);
    assert_eq!(reader.discard(Token(0), 0, block as u64), unsupported);
    assert_eq!((ring.places_free(), reader.places_free()), (1, 1));
    assert!(!buffer.is_in_flight());
}

#[test]
fn a_file_truncated_under_us_is_out_of_range_and_stays_as_short() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let block = block_length(&device);
    let length = 4 * block as u64;
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
    let mut ring = DataRing::new(&device, 4).unwrap();
    let buffer = ring.buffer(2 * block).unwrap();
    ring.read(Token(0), &buffer, 0..2 * block, length - block as u64).unwrap();
    assert_eq!(outcome(&mut ring), refused(Refusal::OutOfRange));
    let out_of_range = Err(DataRingError::Refused(Refusal::OutOfRange));
    assert_eq!(ring.write(Token(0), &buffer, 0..2 * block, length - block as u64), out_of_range);
    assert_eq!(ring.write_zeroes(Token(0), length, block as u64), out_of_range);
    assert_eq!(fs::metadata(&path).unwrap().len(), length);
}

#[test]
fn discarded_and_zeroed_bytes_read_as_zeros_and_their_neighbours_stand() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let block = block_length(&device);
    let mut ring = DataRing::new(&device, 4).unwrap();
    let length = 64 << 10;
    let mut buffer = ring.buffer(length).unwrap();
    buffer.bytes().fill(9);
    ring.write(Token(0), &buffer, 0..length, 0).unwrap();
    assert_eq!(outcome(&mut ring), DONE);
    ring.flush(Token(0)).unwrap();
    assert_eq!(outcome(&mut ring), DONE);
    let allocated = || std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&path).unwrap());
    let before = allocated();

    ring.discard(Token(1), 16 << 10, 16 << 10).unwrap();
    assert_eq!(outcome(&mut ring), DONE);
    assert!(allocated() <= before - 32, "16 KiB were given back: {before}, then {}", allocated());
    let punched = allocated();
    ring.write_zeroes(Token(2), 40 << 10, block as u64).unwrap();
    let zeroed = match outcome(&mut ring) {
        DONE => block,
        // tmpfs has no such command.
        other => {
            assert_eq!(other, refused(Refusal::Unsupported));
            0
        }
    };
    assert!(allocated() >= punched, "zeros keep their place");
    ring.read(Token(3), &buffer, 0..length, 0).unwrap();
    assert_eq!(outcome(&mut ring), DONE);
    let mut expected = vec![9; length];
    expected[16 << 10..32 << 10].fill(0);
    expected[40 << 10..(40 << 10) + zeroed].fill(0);
    assert!(buffer.bytes() == expected.as_slice());
}

#[test]
fn a_full_file_system_is_full_and_goes_on_reading() {
    let Some(scratch) = Scratch::new() else { return };
    let Some(mount) = Mount::new(&["-t", "tmpfs", "-o", "size=1m", "oarlock"], &scratch.path("small")) else {
        return;
    };
    let device = open(&scratch.path("small/file"));
    let mut ring = DataRing::new(&device, 4).unwrap();
    let mut buffer = ring.buffer(2 << 20).unwrap();
    buffer.bytes().fill(1);
    ring.write(Token(0), &buffer, 0..2 << 20, 0).unwrap();
    assert_eq!(outcome(&mut ring), refused(Refusal::Full));
    ring.read(Token(1), &buffer, 0..4096, 3 << 20).unwrap();
    assert_eq!(outcome(&mut ring), DONE);
    assert!(buffer.bytes()[..4096].iter().all(|byte| *byte == 0));
    ring.discard(Token(2), 0, 1 << 20).unwrap();
    assert_eq!(outcome(&mut ring), DONE);
    ring.write(Token(3), &buffer, 0..4096, 3 << 20).unwrap();
    assert_eq!(outcome(&mut ring), DONE, "what was discarded can be had again");
    drop((ring, device, mount));
}

#[test]
fn buffers_are_bounded_and_come_back() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let mut ring = DataRing::new(&device, 64).unwrap();
    let no_buffer = DataRingError::NoBuffer { length: DATA_BUFFER_MAX + 1, in_use: 0 };
    assert_eq!(ring.buffer(DATA_BUFFER_MAX + 1).err(), Some(no_buffer));
    for _ in 0..4 {
        let largest = ring.buffer(DATA_BUFFER_MAX).unwrap();
        assert!(ring.buffer(DATA_BUFFER_MAX).is_err());
        drop(largest);
    }
    // Dropped with commands of theirs in flight: they come back with the last of them.
    for token in 0..64 {
        let buffer = ring.buffer(64 << 10).unwrap();
        ring.read(Token(token), &buffer, 0..64 << 10, 0).unwrap();
    }
    turn_until(&mut ring, 64);
    let in_use = 0;
    let length = DATA_BUFFER_MAX + 1;
    assert_eq!(ring.buffer(length).err(), Some(DataRingError::NoBuffer { length, in_use }), "none leaked");
}

#[test]
fn a_turn_without_commands_ends_with_its_timeout() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let mut ring = DataRing::new(&device, 1).unwrap();
    let (start, mut completions) = (Instant::now(), Vec::new());
    assert_eq!(ring.turn(Some(Duration::from_millis(30)), &mut completions), Ok(false));
    assert!(start.elapsed() >= Duration::from_millis(30) && completions.is_empty());
    assert_eq!(ring.turn(Some(Duration::ZERO), &mut completions), Ok(false));
}

#[test]
fn a_waker_on_another_thread_ends_the_wait_and_no_wake_is_lost() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let mut ring = DataRing::new(&device, 1).unwrap();
    let mut completions = Vec::new();
    ring.waker().wake();
    ring.waker().wake();
    assert_eq!(ring.turn(Some(PATIENCE), &mut completions), Ok(true), "woken before it waited");
    assert_eq!(ring.turn(Some(Duration::ZERO), &mut completions), Ok(false), "two wakes, one look");

    const WAKES: u32 = 2_000;
    let (waker, (sender, receiver)) = (ring.waker(), std::sync::mpsc::channel());
    let thread = std::thread::spawn(move || {
        for number in 0..WAKES {
            sender.send(number).unwrap();
            waker.wake();
        }
    });
    let mut heard = 0;
    while heard < WAKES {
        assert_eq!(ring.turn(Some(PATIENCE), &mut completions), Ok(true), "a wake was lost after {heard}");
        heard += u32::try_from(receiver.try_iter().count()).unwrap();
    }
    thread.join().unwrap();
}

/// Connected sockets of both families: ours, for the ring, and the other end.
fn unix_pair() -> (Rc<UnixStream>, UnixStream) {
    let (ours, other) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Rc::new(ours), other)
}

fn tcp_pair() -> (Rc<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let ours = listener.accept().unwrap().0;
    ours.set_nonblocking(true).unwrap();
    (Rc::new(ours), other)
}

fn readiness(ring: &mut DataRing) -> oarlock_device::Readiness {
    match outcome(ring) {
        Completed::Watched(readiness) => readiness,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sockets_of_both_families_are_seen_readable_and_writable_and_ended() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let mut ring = DataRing::new(&device, 2).unwrap();
    let (unix, unix_other) = unix_pair();
    see_everything(&mut ring, &unix, unix_other);
    let (tcp, tcp_other) = tcp_pair();
    see_everything(&mut ring, &tcp, tcp_other);
}

fn see_everything<Socket>(ring: &mut DataRing, ours: &Rc<Socket>, mut other: impl Write)
where
    Socket: std::os::fd::AsFd + 'static,
    for<'a> &'a Socket: Read,
{
    ring.watch(Token(0), ours.clone(), Interest::Write).unwrap();
    let ready = readiness(ring);
    assert!(ready.writable && !ready.readable && !ready.ended);
    ring.watch(Token(1), ours.clone(), Interest::Read).unwrap();
    let mut completions = Vec::new();
    ring.turn(Some(Duration::ZERO), &mut completions).unwrap();
    assert_eq!(completions, [], "nothing to read yet");
    other.write_all(b"x").unwrap();
    let ready = readiness(ring);
    assert!(ready.readable && !ready.ended);
    assert_eq!((&**ours).read(&mut [0; 8]).unwrap(), 1);
    drop(other);
    ring.watch(Token(2), ours.clone(), Interest::Both).unwrap();
    let ready = readiness(ring);
    assert!(ready.readable && ready.ended);
    assert_eq!((&**ours).read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_look_that_is_cancelled_ends_once_and_a_late_cancellation_meets_nobody() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let mut ring = DataRing::new(&device, 1).unwrap();
    let (ours, mut other) = unix_pair();
    let first = ring.watch(Token(1), ours.clone(), Interest::Read).unwrap();
    assert_eq!(ring.unwatch(first), Ok(true));
    assert_eq!(ring.unwatch(first), Ok(false), "it is being cancelled");
    assert_eq!(turn_until(&mut ring, 1), [Completion { token: Token(1), outcome: Completed::Unwatched }]);

    // The place is used again: the old name means nothing to it.
    let second = ring.watch(Token(2), ours.clone(), Interest::Read).unwrap();
    assert_eq!(ring.unwatch(first), Ok(false));
    other.write_all(b"x").unwrap();
    assert!(readiness(&mut ring).readable);
    assert_eq!(ring.unwatch(second), Ok(false), "it is over");
    ring.flush(Token(3)).unwrap();
    assert_eq!(ring.unwatch(second), Ok(false), "no command of the device is ever cancelled");
    assert_eq!(outcome(&mut ring), DONE);
    assert_eq!(Rc::strong_count(&ours), 1, "the ring lets go of the socket");
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_a_reply_is_seen_and_harms_nothing() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let mut ring = DataRing::new(&device, 4).unwrap();
    let (ours, other) = unix_pair();
    let mut buffer = ring.buffer(1 << 20).unwrap();
    ring.read(Token(0), &buffer, 0..1 << 20, 0).unwrap();
    assert_eq!(outcome(&mut ring), DONE);
    let reply = buffer.framed(16);
    let sent = (&*ours).write(reply).unwrap();
    assert!(sent < reply.len(), "the socket takes only a part of it");
    assert_eq!((&*ours).write(&reply[sent..]).unwrap_err().kind(), ErrorKind::WouldBlock);

    ring.watch(Token(1), ours.clone(), Interest::Write).unwrap();
    ring.read(Token(2), &buffer, 0..4096, 0).unwrap();
    assert_eq!(turn_until(&mut ring, 1), [Completion { token: Token(2), outcome: DONE }]);
    drop(other);
    let ready = readiness(&mut ring);
    assert!(ready.ended || ready.failed);
    let rest = (&*ours).write(&buffer.framed(16)[sent..]);
    assert_eq!(rest.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(ring.places_free(), 4);
}

#[test]
fn a_slot_is_given_back_only_after_the_ring_s_commands() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let mut ring = DataRing::new(&device, 1).unwrap();
    let (slot, fence) = (SlotIndex(3), cut_off(&device));
    block_on(fence.enter(slot)).unwrap();
    let buffer = ring.buffer(4096).unwrap();
    ring.write(Token(0), &buffer, 0..4096, 0).unwrap();
    let mut exit = fence.exit(slot);
    assert_eq!(exit.as_mut().now_or_never(), None, "a write is out");
    // Sockets are nobody's concern but the thread's.
    assert_eq!(outcome(&mut ring), DONE);
    block_on(exit);
    block_on(fence.enter(slot)).unwrap();
    let (ours, _other) = unix_pair();
    ring.watch(Token(0), ours, Interest::Read).unwrap();
    assert_eq!(fence.exit(slot).now_or_never(), Some(()));
}

#[test]
fn a_dropped_ring_lands_what_was_asked_for_and_lets_go_of_its_sockets() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let mut ring = DataRing::new(&device, 8).unwrap();
    let (ours, _other) = unix_pair();
    ring.watch(Token(0), ours.clone(), Interest::Read).unwrap();
    let mut buffer = ring.buffer(4096).unwrap();
    buffer.bytes().fill(5);
    ring.write(Token(1), &buffer, 0..4096, 8192).unwrap();
    let start = Instant::now();
    drop(ring);
    assert!(start.elapsed() < Duration::from_secs(4), "it did not wait for the socket");
    assert!(!buffer.is_in_flight());
    let lba = 8192 / block_length(&device) as u64;
    assert!(read_block(&device, lba).iter().all(|byte| *byte == 5));
    assert_eq!(Rc::strong_count(&ours), 1);
}

#[test]
fn a_ring_outlives_the_handles_of_its_device_and_two_threads_have_one_each() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    std::thread::scope(|scope| {
        for number in 0..2_u8 {
            let device = device.clone();
            scope.spawn(move || {
                let mut ring = DataRing::new(&device, 4).unwrap();
                drop(device);
                let mut buffer = ring.buffer(4096).unwrap();
                buffer.bytes().fill(number + 1);
                ring.write(Token(0), &buffer, 0..4096, u64::from(number) * 4096).unwrap();
                assert_eq!(outcome(&mut ring), DONE);
            });
        }
        drop(device);
    });
    let written = fs::read(&path).unwrap();
    assert!(
        written[..4096].iter().all(|byte| *byte == 1) && written[4096..8192].iter().all(|byte| *byte == 2)
    );
}
