//! ext4 on a disk: stressed while the disk's host is killed, stopped, restarted and replaced; then cut off in the middle of its work, with
//! its guest. What was synced is there, and the file system's own check finds nothing.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::stack::{Hosts, LIMIT, Mounted, Shown};
use super::verify::disturb;
use crate::ground::{Process, eventually, succeeds};

const DISK: &str = "384M";
const STRESS: &str = "25";
/// Files that are synced before the plug is pulled: enough for several transactions of ext4's journal.
const FILES: u64 = 200;
/// Files are of 1 to 64 KiB.
const FILE_MAX: u64 = 64 << 10;

pub fn run() -> Result<String, String> {
    let mut hosts = Hosts::with_disk("filesystem", "2G", DISK)?;
    let mount = hosts.ground.folder.join("mounted");
    let shown = Shown::of(&hosts)?;
    succeeds(Command::new("mkfs.ext4").args(["-q", "-F", &shown.file]))?;
    let mounted = Mounted::new(&shown, &mount)?;
    let mut stress = Process::start(&mut stress(&mounted))?;
    let faults = disturb(&mut hosts, || stress.ended().is_none())?;
    if stress.ended() != Some(true) {
        return Err("stress-ng failed".to_owned());
    }
    trim(&hosts, &mounted)?;
    mounted.unmount()?;
    check(&shown.file)?;
    let mounted = Mounted::new(&shown, &mount)?;
    let synced = pull_the_plug(&mut hosts, shown, mounted)?;
    let shown = Shown::of(&hosts)?;
    let mounted = Mounted::new(&shown, &mount)?;
    (0..synced).try_for_each(|number| read_back(&mount, number))?;
    mounted.unmount()?;
    check(&shown.file)?;
    drop(shown);
    hosts.close()?;
    Ok(format!(
        "stressed beside {faults}; {synced} synced files there after the plug was pulled; fsck finds nothing"
    ))
}

/// Files written, read back and compared, truncated, renamed, linked.
fn stress(mounted: &Mounted) -> Command {
    let mut stress = Command::new("stress-ng");
    stress.args(["--temp-path", &mounted.folder, "--timeout", STRESS, "--verify", "--quiet"]);
    stress.args([
        "--hdd",
        "1",
        "--hdd-bytes",
        "48M",
        "--hdd-opts",
        "wr-rnd,rd-rnd,fsync",
        "--aiol",
        "1",
        "--fallocate",
        "1",
    ]);
    stress.args([
        "--fallocate-bytes",
        "16M",
        "--rename",
        "1",
        "--dir",
        "1",
        "--iomix",
        "1",
        "--iomix-bytes",
        "16M",
    ]);
    stress.stdin(Stdio::null()).stdout(Stdio::null());
    stress
}

/// What the stress left is deleted and trimmed: the disk gives its clusters back.
fn trim(hosts: &Hosts, mounted: &Mounted) -> Result<(), String> {
    let allocated = || {
        let said = hosts.must(&["disk", "show", "disk"])?;
        let line = said.lines().find(|line| line.starts_with("size")).map(str::to_owned);
        line.ok_or_else(|| format!("disk show says: {said}"))
    };
    let full = Path::new(&mounted.folder).join("full");
    fs::write(&full, vec![0x5a; 96 << 20]).map_err(|error| format!("{}: {error}", full.display()))?;
    succeeds(&mut Command::new("sync"))?;
    let before = allocated()?;
    fs::remove_file(&full).map_err(|error| error.to_string())?;
    succeeds(&mut Command::new("sync"))?;
    succeeds(Command::new("fstrim").arg(&mounted.folder))?;
    // Clusters come free once nothing can touch them any more.
    eventually("fstrim gives clusters back", LIMIT, || allocated().is_ok_and(|after| after != before))
}

fn check(file: &str) -> Result<(), String> {
    succeeds(Command::new("e2fsck").args(["-f", "-n", file])).map(drop)
}

/// Writes and syncs files until host and guest are killed together, and lets the other host take over. How many were synced by then.
fn pull_the_plug(hosts: &mut Hosts, shown: Shown, mounted: Mounted) -> Result<u64, String> {
    let (synced, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let folder = PathBuf::from(&mounted.folder);
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            // It ends with the first error: the device is gone.
            while !over.load(Ordering::Relaxed) && write_synced(&folder, number).is_ok() {
                number += 1;
                if !over.load(Ordering::Relaxed) {
                    synced.store(number, Ordering::Relaxed);
                }
            }
        });
        let written = eventually("files are written", LIMIT, || synced.load(Ordering::Relaxed) >= FILES);
        over.store(true, Ordering::Relaxed);
        let outcome = written.and_then(|()| hosts.kill_with(|| drop(shown)));
        drop(mounted);
        outcome
    });
    outcome.map(|()| synced.load(Ordering::Relaxed))
}

fn content(number: u64) -> Vec<u8> {
    let length = 1_024 + number * 7_919 % (FILE_MAX - 1_024);
    number.to_le_bytes().into_iter().cycle().take(usize::try_from(length).unwrap_or(1_024)).collect()
}

fn write_synced(folder: &Path, number: u64) -> std::io::Result<()> {
    let mut file = File::create(folder.join(format!("synced-{number}")))?;
    file.write_all(&content(number))?;
    file.sync_all()?;
    // The name is durable with its folder.
    File::open(folder)?.sync_all()?;
    thread::sleep(Duration::from_millis(5));
    Ok(())
}

fn read_back(folder: &Path, number: u64) -> Result<(), String> {
    let path = folder.join(format!("synced-{number}"));
    let mut read = Vec::new();
    let opened = File::open(&path).and_then(|mut file| file.read_to_end(&mut read));
    opened.map_err(|error| format!("{}: {error}", path.display()))?;
    if read == content(number) { Ok(()) } else { Err(format!("{} is not what was synced", path.display())) }
}
