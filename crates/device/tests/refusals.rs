//! What is not opened, and why; what names a device; and a device that is full.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Mount, SIZE, Scratch, block_of, is_root, open, read_block, skip};
use futures::executor::block_on;
use oarlock_block::{Answer, Device, IoError, Lba, Refusal};
use oarlock_device::{FileDevice, OpenError, OpenOptions, what_is_on};

fn refused(path: &Path) -> OpenError {
    FileDevice::open(path, OpenOptions::default()).err().expect("it is refused")
}

#[test]
fn what_is_neither_file_nor_block_device_is_refused_by_name() {
    let Some(scratch) = Scratch::new() else { return };
    let fifo = scratch.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    for (path, what) in [
        (scratch.folder(), "a directory"),
        (fifo.as_path(), "a fifo"),
        (Path::new("/dev/null"), "a character device"),
    ] {
        assert!(matches!(refused(path), OpenError::NotADevice { found, .. } if found == what), "{what}");
        assert!(what_is_on(path).is_err(), "{what}");
    }
    let absent = refused(&scratch.path("absent"));
    assert!(matches!(absent, OpenError::Io { absent: true, .. }), "{absent:?}");
}

#[test]
fn a_file_that_is_there_is_not_made_anew() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    fs::write(&path, vec![7; 8192]).unwrap();
    assert_eq!(open(&path).geometry().size().0, 8192);
    assert_eq!(fs::read(&path).unwrap(), vec![7; 8192]);
}

#[test]
fn a_link_and_its_file_are_one_device() {
    let Some(scratch) = Scratch::new() else { return };
    let (path, link) = (scratch.path("file"), scratch.path("link"));
    let device = open(&path);
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(open(&link).identity(), device.identity());
}

#[test]
fn a_copied_file_has_another_identity_and_a_moved_one_has_not() {
    let Some(scratch) = Scratch::new() else { return };
    let (path, copy, moved) = (scratch.path("file"), scratch.path("copy"), scratch.path("moved"));
    let device = open(&path);
    let before = device.identity();
    let identity = device.ensure_identity().unwrap();
    assert_eq!(device.identity(), identity);
    assert_eq!(device.ensure_identity().unwrap(), identity, "it is set once");
    if identity == before {
        return skip("this file system has no extended attributes of users");
    }
    assert!(Command::new("cp").arg("-a").args([&path, &copy]).status().unwrap().success());
    assert_ne!(open(&copy).identity(), identity);
    fs::rename(&path, &moved).unwrap();
    assert_eq!(open(&moved).identity(), identity);
}

#[test]
fn a_file_on_an_overlay_is_refused_and_its_file_system_named() {
    let Some(scratch) = Scratch::new() else { return };
    let [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map(|name| scratch.path(name));
    for folder in [&lower, &upper, &work] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(lower.join("file"), vec![0; 8192]).unwrap();
    let options =
        format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    let Some(_mount) = Mount::new(&["-t", "overlay", "overlay", "-o", &options], &merged) else { return };
    let error = refused(&merged.join("file"));
    assert!(
        matches!(&error, OpenError::FileSystem { file_system, .. } if file_system == "overlayfs"),
        "{error}"
    );
    let create = OpenOptions { create: Some(SIZE), ..OpenOptions::default() };
    assert!(matches!(FileDevice::open(&merged.join("new"), create), Err(OpenError::FileSystem { .. })));
    assert!(!merged.join("new").exists(), "nothing is made where nothing may lie");
}

#[test]
fn a_full_file_system_refuses_and_loses_nothing() {
    let Some(scratch) = Scratch::new() else { return };
    let folder = scratch.path("small");
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=1m", "oarlock"], &folder) else { return };
    let device = open(&folder.join("file"));
    let (zeros, ones, twos) = (block_of(&device, 0), block_of(&device, 1), block_of(&device, 2));
    assert_eq!(block_on(device.compare_and_write(Lba(0), &zeros, &ones)).outcome, Ok(Answer::Swapped));
    fs::write(folder.join("ballast"), vec![7; 900 << 10]).unwrap();
    let last = device.geometry().blocks.0 - 1;
    // Fills what is left, block by block from the end: 1,000 KiB at least, where 124 are left.
    let full: Vec<_> = (0..2000)
        .map(|back| block_on(device.compare_and_write(Lba(last - back), &zeros, &ones)).outcome)
        .collect();
    let first_refusal =
        full.iter().position(|answer| *answer != Ok(Answer::Swapped)).expect("it became full");
    assert_eq!(full[first_refusal], Err(Refusal::Full));
    let hole = Lba(last - first_refusal as u64);
    assert_eq!(read_block(&device, hole.0), zeros, "what was refused was not executed");
    assert_eq!(block_on(device.write(hole, &twos)), Err(IoError::Refused(Refusal::Full)));
    assert_eq!(read_block(&device, 0), ones, "what was there is there");
    assert_eq!(
        block_on(device.compare_and_write(Lba(0), &ones, &twos)).outcome,
        Ok(Answer::Swapped),
        "and can be changed"
    );

    fs::remove_file(folder.join("ballast")).unwrap();
    assert_eq!(block_on(device.compare_and_write(hole, &zeros, &ones)).outcome, Ok(Answer::Swapped));
}

#[test]
fn a_loop_device_is_its_file_unless_it_shows_a_part_of_it() {
    if !is_root() {
        return skip("loop devices need root");
    }
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let losetup = |arguments: &[&str]| {
        let output =
            Command::new("losetup").args(["--find", "--show"]).args(arguments).arg(&path).output().ok()?;
        output.status.success().then(|| Loop(String::from_utf8(output.stdout).unwrap().trim().to_owned()))
    };
    let Some(whole) = losetup(&[]) else { return skip("no loop device can be set up here") };
    let looped = open(Path::new(&whole.0));
    assert_eq!(looped.identity(), device.identity());
    let (zeros, ones) = (block_of(&looped, 0), block_of(&looped, 1));
    assert_eq!(block_on(looped.compare_and_write(Lba(1), &zeros, &ones)).outcome, Ok(Answer::Swapped));
    assert_eq!(read_block(&device, 1), ones);
    let part = losetup(&["--offset", "4096"]).expect("the first one could be set up");
    assert!(matches!(refused(Path::new(&part.0)), OpenError::LoopOfAPart { offset: 4096, .. }));
}

/// A loop device, detached when dropped.
struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
fn an_ext4_image_is_recognised_and_an_empty_file_is_nothing() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    drop(open(&path));
    assert_eq!(what_is_on(&path).unwrap(), None);
    match Command::new("mke2fs").args(["-q", "-F", "-t", "ext4"]).arg(&path).status() {
        Ok(status) if status.success() => {}
        _ => return skip("mke2fs is not here"),
    }
    assert_eq!(what_is_on(&path).unwrap().unwrap().what, "an ext4 file system");
}
