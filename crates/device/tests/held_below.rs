//! Killing proves nothing: writes held below land after their process is gone, and its byte is not free before (R13).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{
    Helper, Scratch, block_length, cut_off, eventually, is_root, open, ready_mark, role, say_ready_and_stay,
    skip, wait_ready,
};
use futures::FutureExt;
use futures::executor::block_on;
use oarlock_block::{ByteCount, Device, Lba, Proof, SlotIndex, Victim};
use oarlock_device::{DataRing, FileDevice, OpenOptions, Token, process_identity};

const SLOT: SlotIndex = SlotIndex(3);
const WRITES: usize = 32;
const WRITE_LENGTH: usize = 256 << 10;

/// One MiB in a second: 8 MiB take eight.
const BYTES_PER_SECOND: u64 = 1 << 20;

/// A cgroup that slows the writes of its processes to one disk; removed when dropped.
struct Throttle(PathBuf);

impl Throttle {
    fn new(disk: &str) -> Result<Throttle, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oarlock-test-{}-{number}", std::process::id());
        let ways = [
            ("/sys/fs/cgroup/blkio", "blkio.throttle.write_bps_device", format!("{disk} {BYTES_PER_SECOND}")),
            ("/sys/fs/cgroup", "io.max", format!("{disk} wbps={BYTES_PER_SECOND}")),
            ("/sys/fs/cgroup/unified", "io.max", format!("{disk} wbps={BYTES_PER_SECOND}")),
        ];
        let mut reasons = String::new();
        for (root, file, limit) in ways {
            let _ = fs::write(Path::new(root).join("cgroup.subtree_control"), "+io");
            let folder = Path::new(root).join(&name);
            if let Err(error) = fs::create_dir(&folder) {
                reasons += &format!("{}: {error}; ", folder.display());
                continue;
            }
            let throttle = Throttle(folder);
            match fs::OpenOptions::new().write(true).open(throttle.0.join(file)) {
                Ok(mut opened) => match opened.write_all(limit.as_bytes()) {
                    Ok(()) => return Ok(throttle),
                    Err(error) => reasons += &format!("{file} of {root}: {error}; "),
                },
                Err(error) => reasons += &format!("{file} of {root}: {error}; "),
            }
        }
        Err(reasons)
    }

    fn add(&self, helper: &Helper) {
        fs::write(self.0.join("cgroup.procs"), helper.pid().to_string()).unwrap();
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        // A group empties a moment after its last process was reaped.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The disk below a file, as the throttle names it.
fn disk_below(path: &Path) -> Option<String> {
    let device = fs::metadata(path).unwrap().dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let folder = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    let disk = if folder.join("partition").exists() { folder.parent()? } else { &folder };
    Some(fs::read_to_string(disk.join("dev")).ok()?.trim().to_owned())
}

fn device_on(path: &Path) -> FileDevice {
    let size = ByteCount((WRITES * WRITE_LENGTH) as u64);
    FileDevice::open(path, OpenOptions { create: Some(size), ..OpenOptions::default() }).unwrap()
}

fn lba_of(device: &FileDevice, number: usize) -> Lba {
    Lba((number * WRITE_LENGTH / block_length(device)) as u64)
}

/// For a child: enters the slot, waits to be let go, sends all writes by `send`, and stays. What `send` gives back is
/// kept, so that nothing is given up before the kill.
fn write_slowly<Kept>(path: &Path, send: impl FnOnce(&FileDevice) -> Kept) -> ! {
    let device = device_on(path);
    block_on(cut_off(&device).enter(SLOT)).unwrap();
    std::io::stdin().read_exact(&mut [0]).unwrap();
    let _kept = send(&device);
    say_ready_and_stay(path)
}

fn send_by_the_lane(device: &FileDevice) {
    let data = vec![1; WRITE_LENGTH];
    let mut writes: Vec<_> = (0..WRITES).map(|number| device.write(lba_of(device, number), &data)).collect();
    for write in &mut writes {
        let _ = write.as_mut().now_or_never();
    }
}

fn send_by_a_data_ring(device: &FileDevice) -> DataRing {
    let mut ring = DataRing::new(device, WRITES).unwrap();
    let mut buffer = ring.buffer(WRITE_LENGTH).unwrap();
    buffer.bytes().fill(1);
    for number in 0..WRITES {
        ring.write(Token(number as u64), &buffer, 0..WRITE_LENGTH, (number * WRITE_LENGTH) as u64).unwrap();
    }
    ring.turn(Some(Duration::ZERO), &mut Vec::new()).unwrap();
    ring
}

/// Which of the writes have landed, by their last block.
fn landed(device: &FileDevice) -> Vec<bool> {
    let blocks = (WRITE_LENGTH / block_length(device)) as u64;
    (0..WRITES)
        .map(|number| {
            let mut block = vec![0; block_length(device)];
            block_on(device.read(Lba(lba_of(device, number).0 + blocks - 1), &mut block)).unwrap();
            block[0] == 1
        })
        .collect()
}

#[test]
fn a_killed_host_s_byte_is_not_free_before_its_last_write_landed() {
    if let Some(path) = role("write") {
        write_slowly(&path, send_by_the_lane);
    }
    the_byte_is_free_only_after_the_last_write(
        "a_killed_host_s_byte_is_not_free_before_its_last_write_landed",
    );
}

/// An export's thread has a ring of its own, but no description of its own.
#[test]
fn a_killed_host_s_byte_is_not_free_before_its_data_ring_s_last_write_landed() {
    if let Some(path) = role("write") {
        write_slowly(&path, send_by_a_data_ring);
    }
    the_byte_is_free_only_after_the_last_write(
        "a_killed_host_s_byte_is_not_free_before_its_data_ring_s_last_write_landed",
    );
}

fn the_byte_is_free_only_after_the_last_write(test: &str) {
    if !is_root() {
        return skip("holding writes below needs root");
    }
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = device_on(&path);
    // Allocated beforehand, so that the writes are nothing but writes.
    let zeros = vec![0; WRITE_LENGTH];
    (0..WRITES).for_each(|number| block_on(device.write(lba_of(&device, number), &zeros)).unwrap());
    block_on(device.flush()).unwrap();
    let Some(disk) = disk_below(&path) else { return skip("the file lies on no disk that can be slowed") };
    let throttle = match Throttle::new(&disk) {
        Ok(throttle) => throttle,
        Err(reasons) => return skip(&format!("no cgroup slows writes here: {reasons}")),
    };

    let mut helper = Helper::start(test, "write", &path);
    throttle.add(&helper);
    let victim =
        Victim { slot: SLOT, incarnation: 1, process: process_identity(helper.pid()).unwrap().unwrap() };
    helper.0.stdin.as_mut().unwrap().write_all(b"g").unwrap();
    wait_ready(&path);
    eventually("the first write lands", || landed(&device).contains(&true));
    helper.0.kill().unwrap();
    helper.0.wait().unwrap();

    let prover = cut_off(&device);
    let at_death = landed(&device);
    let proof_at_death = block_on(prover.death_proved(victim));
    eventually("the death is proved", || block_on(prover.death_proved(victim)) == Some(Proof::FileLock));
    let at_proof = landed(&device);
    // Longer than one held write takes: what could still land would show.
    std::thread::sleep(Duration::from_secs(2));
    let later = landed(&device);
    let count = |landed: &[bool]| landed.iter().filter(|landed| **landed).count();
    eprintln!(
        "landed of {WRITES}: {} at death, {} at proof, {} later",
        count(&at_death),
        count(&at_proof),
        count(&later)
    );
    assert!(at_death != at_proof, "nothing was held below: this test proved nothing");
    assert_eq!(proof_at_death, None, "the process is gone, its writes are not");
    assert_eq!(at_proof, later, "nothing lands after the proof");
    assert!(ready_mark(&path).exists() && open(&path).geometry().blocks.0 > 0);
}
