//! A real block device, a compressed disk in memory: what differs from a plain file is told here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use common::{block_of, eventually, is_root, read_block, skip};
use futures::executor::block_on;
use oarlock_block::{Answer, BlockCount, ByteCount, Device, IoError, Lba, Refusal};
use oarlock_device::{Completed, DataRing, FileDevice, OpenOptions, Token};

const SIZE: ByteCount = ByteCount(16 << 20);
const CONTROL: &str = "/sys/class/zram-control";

/// A zram disk of a test's own, removed when dropped.
struct Zram(String);

impl Zram {
    /// `None`, and a skip, where this machine has none to give.
    fn new() -> Option<Zram> {
        if !is_root() {
            skip("a disk in memory needs root");
            return None;
        }
        let Ok(number) = fs::read_to_string(format!("{CONTROL}/hot_add")) else {
            skip("the kernel gives no zram disk (modprobe zram)");
            return None;
        };
        let zram = Zram(number.trim().to_owned());
        fs::write(format!("/sys/block/zram{}/disksize", zram.0), SIZE.0.to_string()).unwrap();
        Some(zram)
    }

    fn path(&self) -> PathBuf {
        format!("/dev/zram{}", self.0).into()
    }
}

impl Drop for Zram {
    fn drop(&mut self) {
        // A device that was dropped just now closes its disk a moment later.
        for _ in 0..200 {
            if fs::write(format!("{CONTROL}/hot_remove"), &self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_disk_is_swapped_discarded_and_zeroed_by_a_lane_and_by_a_data_ring() {
    let Some(zram) = Zram::new() else { return };
    let device = FileDevice::open(&zram.path(), OpenOptions::default()).unwrap();
    assert_eq!(device.geometry().size(), SIZE);
    let (zeros, ones) = (block_of(&device, 0), block_of(&device, 1));
    let block = zeros.len();
    assert_eq!(block_on(device.compare_and_write(Lba(0), &zeros, &ones)).outcome, Ok(Answer::Swapped));
    block_on(device.write(Lba(0), &ones.repeat(8))).unwrap();
    block_on(device.discard(Lba(1), BlockCount(2))).unwrap();
    block_on(device.write_zeroes(Lba(4), BlockCount(2))).unwrap();
    let kept =
        |device: &FileDevice| (0..8).filter(|lba| read_block(device, *lba) == ones).collect::<Vec<_>>();
    assert_eq!(kept(&device), [0, 3, 6, 7]);

    let mut ring = DataRing::new(&device, 4).unwrap();
    let at = |lba: u64| lba * block as u64;
    let buffer = ring.buffer(block).unwrap();
    ring.discard(Token(0), at(6), at(1)).unwrap();
    ring.write_zeroes(Token(1), at(7), at(1)).unwrap();
    ring.read(Token(2), &buffer, 0..block, at(3)).unwrap();
    ring.flush(Token(3)).unwrap();
    let mut ended = Vec::new();
    eventually("all four end", || {
        ring.turn(Some(Duration::from_secs(1)), &mut ended).unwrap();
        ended.len() == 4
    });
    assert!(ended.iter().all(|completion| completion.outcome == Completed::Device(Ok(()))), "{ended:?}");
    assert_eq!(kept(&device), [0, 3]);
    let beyond = block_on(device.discard(Lba(SIZE.0 / at(1)), BlockCount(1)));
    assert_eq!(beyond, Err(IoError::Refused(Refusal::OutOfRange)));
}
