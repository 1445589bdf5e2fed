//! The contract of `Device`, as the plain file keeps it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, reason = "tests")]

mod common;

use std::fs;
use std::rc::Rc;

use common::{SIZE, Scratch, block_length, block_of, block_sizes, open, read_block};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::join_all;
use oarlock_block::{Answer, BlockCount, ByteCount, Device, Fencing, IoError, Lba, Refusal};
use oarlock_device::{FileDevice, Lane, OpenOptions};

/// What every device does, whatever is below: to be asked of each new backend.
fn keeps_the_contract(device: &dyn Device) {
    let length = block_length(device);
    let (zeros, ones, twos) = (block_of(device, 0), block_of(device, 1), block_of(device, 2));
    let swap = |lba, expected: &[u8], new: &[u8]| {
        block_on(device.compare_and_write(Lba(lba), expected, new)).outcome
    };

    assert_eq!(swap(3, &zeros, &ones), Ok(Answer::Swapped));
    assert_eq!(read_block(device, 3), ones);
    assert_eq!(swap(3, &zeros, &twos), Ok(Answer::Miscompared { first_difference: Some(0) }));
    assert_eq!(read_block(device, 3), ones, "a miscompare writes nothing");
    assert_eq!(read_block(device, 2), zeros, "the neighbours stand");
    assert_eq!(read_block(device, 4), zeros, "the neighbours stand");

    for place in [1, length / 2, length - 1] {
        let mut expected = ones.clone();
        expected[place] = 9;
        let first_difference = Some(u32::try_from(place).unwrap());
        assert_eq!(swap(3, &expected, &twos), Ok(Answer::Miscompared { first_difference }));
    }

    // Longer than one transfer, so that it is cut into pieces.
    let long: Vec<u8> =
        (0..(1 << 20) + 3 * length).map(|place| (place / length % 251).to_le_bytes()[0]).collect();
    block_on(device.write(Lba(8), &long)).unwrap();
    let mut back = vec![0; long.len()];
    block_on(device.read(Lba(8), &mut back)).unwrap();
    assert!(back == long, "what was written is read");
    assert_eq!(block_on(device.flush()), Ok(()));

    let cleared = |outcome, from: u64| {
        assert_eq!(outcome, Ok(()));
        assert_eq!(
            read_block(device, from - 1),
            back[(from as usize - 9) * length..][..length],
            "a neighbour"
        );
        (from..from + 3).for_each(|lba| assert_eq!(read_block(device, lba), zeros, "cleared"));
        assert_eq!(
            read_block(device, from + 3),
            back[(from as usize - 5) * length..][..length],
            "a neighbour"
        );
    };
    cleared(block_on(device.write_zeroes(Lba(16), BlockCount(3))), 16);
    cleared(block_on(device.discard(Lba(24), BlockCount(3))), 24);
    assert_eq!(block_on(device.discard(Lba(24), BlockCount(0))), Ok(()));

    let end = device.geometry().blocks.0;
    let refused = Err(IoError::Refused(Refusal::OutOfRange));
    assert_eq!(block_on(device.read(Lba(end), &mut zeros.clone())), refused);
    assert_eq!(block_on(device.read(Lba(end - 1), &mut vec![0; 2 * length])), refused);
    assert_eq!(block_on(device.write(Lba(end), &zeros)), refused);
    assert_eq!(block_on(device.write(Lba(u64::MAX), &zeros)), refused);
    assert_eq!(block_on(device.discard(Lba(end - 1), BlockCount(2))), refused);
    assert_eq!(block_on(device.write_zeroes(Lba(1), BlockCount(u64::MAX))), refused);
    assert_eq!(swap(end, &zeros, &ones), Err(Refusal::OutOfRange));
    assert_eq!(swap(end - 1, &zeros, &ones), Ok(Answer::Swapped), "the last block is one");
}

#[test]
fn a_plain_file_keeps_the_contract_in_every_block_size_and_on_both_lanes() {
    let Some(scratch) = Scratch::new() else { return };
    let sizes = block_sizes(scratch.folder());
    assert!(!sizes.is_empty());
    for size in sizes {
        for lane in [Lane::Beat, Lane::Work] {
            let path = scratch.path(&format!("{}-{}", size.bytes(), lane.name()));
            let options =
                OpenOptions { create: Some(SIZE), block_size: Some(size), ..OpenOptions::default() };
            let device = FileDevice::open(&path, options).unwrap();
            assert_eq!(device.geometry().block_size, size);
            assert_eq!(device.geometry().size(), SIZE);
            assert_eq!(device.fencing(), Fencing::FileLock);
            keeps_the_contract(&*device.lane(lane));
        }
    }
}

#[test]
fn what_one_handle_swapped_another_process_s_description_reads() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let (one, other) = (open(&path), open(&path));
    let (zeros, ones) = (block_of(&one, 0), block_of(&one, 1));
    assert_eq!(block_on(one.compare_and_write(Lba(0), &zeros, &ones)).outcome, Ok(Answer::Swapped));
    assert_eq!(read_block(&other, 0), ones);
    assert_eq!(block_on(other.compare_and_write(Lba(0), &ones, &zeros)).outcome, Ok(Answer::Swapped));
    assert_eq!(read_block(&one, 0), zeros);
}

#[test]
fn a_dropped_ats_still_lands() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let (zeros, ones) = (block_of(&device, 0), block_of(&device, 1));
    let mut attempt = device.compare_and_write(Lba(5), &zeros, &ones);
    // Polled once, it is sent; whether it has been answered by then does not matter here.
    let _ = attempt.as_mut().now_or_never();
    drop(attempt);
    common::eventually("the dropped command lands", || read_block(&device, 5) == ones);
}

#[test]
fn a_dropped_device_still_lands_what_was_sent() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let (zeros, ones) = (block_of(&device, 0), block_of(&device, 1));
    let mut attempt = device.compare_and_write(Lba(5), &zeros, &ones);
    let _ = attempt.as_mut().now_or_never();
    drop(attempt);
    drop(device);
    let after = open(&path);
    common::eventually("the dropped command lands", || read_block(&after, 5) == ones);
}

#[test]
fn more_commands_than_a_lane_has_places_all_end() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let (zeros, ones) = (block_of(&device, 0), block_of(&device, 1));
    let blocks = 0..500_u64;
    let answers =
        block_on(join_all(blocks.clone().map(|lba| device.compare_and_write(Lba(lba), &zeros, &ones))));
    assert!(answers.iter().all(|answer| answer.outcome == Ok(Answer::Swapped)));
    assert!(blocks.into_iter().all(|lba| read_block(&device, lba) == ones));
}

#[test]
fn of_many_swaps_of_one_image_exactly_one_wins() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let zeros = block_of(&device, 0);
    let news: Vec<Vec<u8>> = (1..=64).map(|byte| block_of(&device, byte)).collect();
    let beat: Rc<dyn Device> = device.lane(Lane::Beat);
    let attempts = news.iter().enumerate().map(|(number, new)| {
        let lane: &dyn Device = if number % 2 == 0 { &device } else { &*beat };
        lane.compare_and_write(Lba(1), &zeros, new)
    });
    let answers = block_on(join_all(attempts));
    let winners: Vec<usize> =
        (0..news.len()).filter(|&number| answers[number].outcome == Ok(Answer::Swapped)).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(read_block(&device, 1), news[winners[0]]);
    let lost =
        answers.iter().filter(|answer| matches!(answer.outcome, Ok(Answer::Miscompared { .. }))).count();
    assert_eq!(lost, news.len() - 1);
}

#[test]
fn a_device_opened_for_reading_writes_nothing() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let (zeros, ones) = (block_of(&open(&path), 0), block_of(&open(&path), 1));
    let device = FileDevice::open(&path, OpenOptions { read_only: true, ..OpenOptions::default() }).unwrap();
    assert_eq!(read_block(&device, 0), zeros);
    assert_eq!(block_on(device.compare_and_write(Lba(0), &zeros, &ones)).outcome, Err(Refusal::Unsupported));
    let unsupported = Err(IoError::Refused(Refusal::Unsupported));
    assert_eq!(block_on(device.write(Lba(0), &ones)), unsupported);
    assert_eq!(block_on(device.discard(Lba(0), BlockCount(1))), unsupported);
    assert_eq!(block_on(device.write_zeroes(Lba(0), BlockCount(1))), unsupported);
    assert_eq!(read_block(&device, 0), zeros);
}

#[test]
fn what_is_discarded_is_given_back_and_what_is_zeroed_is_kept_however_long_it_is() {
    use std::os::unix::fs::MetadataExt;
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    // More than a piece, so that it is cut.
    let size = ByteCount(72 << 20);
    let options = OpenOptions { create: Some(size), ..OpenOptions::default() };
    let device = FileDevice::open(&path, options).unwrap();
    let blocks = device.geometry().blocks;
    let allocated = || fs::metadata(&path).unwrap().blocks() * 512;
    block_on(device.write_zeroes(Lba(0), blocks)).unwrap();
    block_on(device.flush()).unwrap();
    assert!(allocated() >= size.0, "{} bytes are kept", allocated());
    block_on(device.write(Lba(blocks.0 - 1), &block_of(&device, 1))).unwrap();
    block_on(device.discard(Lba(0), blocks)).unwrap();
    assert!(allocated() <= 1 << 20, "{} bytes are left", allocated());
    assert_eq!(read_block(&device, blocks.0 - 1), block_of(&device, 0));
    assert_eq!(device.geometry().blocks, blocks);
    assert_eq!(fs::metadata(&path).unwrap().len(), size.0);
}

#[test]
fn a_file_truncated_under_us_is_out_of_range_and_stays_as_short() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let zeros = block_of(&device, 0);
    let length = zeros.len() as u64;
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4 * length + 100).unwrap();
    assert_eq!(read_block(&device, 3), zeros, "what is left is read");
    for lba in [4, 5] {
        let refused = Err(IoError::Refused(Refusal::OutOfRange));
        assert_eq!(block_on(device.read(Lba(lba), &mut zeros.clone())), refused);
        assert_eq!(block_on(device.write(Lba(lba), &zeros)), refused);
        assert_eq!(block_on(device.discard(Lba(lba), BlockCount(1))), refused);
        assert_eq!(block_on(device.write_zeroes(Lba(lba), BlockCount(1))), refused);
        assert_eq!(
            block_on(device.compare_and_write(Lba(lba), &zeros, &zeros)).outcome,
            Err(Refusal::OutOfRange)
        );
    }
    assert_eq!(fs::metadata(&path).unwrap().len(), 4 * length + 100);
}

#[test]
fn a_rest_of_less_than_a_block_is_not_counted() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    fs::write(&path, vec![7; 8192 + 100]).unwrap();
    let device = FileDevice::open(&path, OpenOptions::default()).unwrap();
    let geometry = device.geometry();
    assert_eq!(geometry.blocks, ByteCount(8192).whole_blocks(geometry.block_size));
    assert_ne!(geometry.blocks, BlockCount(0));
    assert!(read_block(&device, geometry.blocks.0 - 1).iter().all(|byte| *byte == 7));
}
