//! A guest that boots from a disk and writes files for ever, while the disk's host is killed, stopped, restarted and replaced; after its own
//! death and its host's it boots again elsewhere, and finds every file that it had synced. Refused for good, it is paused and goes on later.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::stack::{DISK, Hosts, LIMIT};
use crate::built;
use crate::ground::{Process, eventually};

/// Makes the virtual machine.
const PREPARE: &str = include_str!("guest.sh");
/// Each step is over once the guest synced so many files more.
const STEP: u64 = 20;
/// Longer than the hosts' lease.
const STOP: Duration = Duration::from_millis(3_000);

pub fn run() -> Result<String, String> {
    let machine = built::folder("guest-machine")?;
    let prepared = Command::new("bash").args(["-c", PREPARE, "guest.sh"]).arg(&machine).output();
    let prepared = prepared.map_err(|error| format!("bash: {error}"))?;
    if !prepared.status.success() {
        return Err(format!("the guest's machine: {}", String::from_utf8_lossy(&prepared.stderr)));
    }
    let mut hosts = Hosts::with_pool("guest", "1G")?;
    hosts.must(&["disk", "import", &machine.join("guest.raw").display().to_string(), DISK])?;
    hosts.attach()?;
    println!("guest: it boots");
    let guest = Guest::boot(&hosts, machine.join("qemu"))?;
    guest.goes_on("from its disk")?;
    hosts.kill_and_restart()?;
    guest.goes_on("behind a host that was killed and came back")?;
    hosts.stop_for(STOP)?;
    guest.goes_on("behind a host that stood still")?;
    hosts.kill_and_take_over()?;
    guest.goes_on("behind a host that took over")?;
    hosts.leave_and_restart()?;
    guest.goes_on("behind a host that left and came back")?;
    refuse(&mut hosts, &guest)?;
    let synced = guest.synced();
    hosts.kill_with(|| drop(guest))?;
    let guest = Guest::boot(&hosts, machine.join("qemu"))?;
    guest.goes_on("after its own death and its host's")?;
    let found = guest.found(synced)?;
    drop(guest);
    hosts.close()?;
    fs::remove_dir_all(&machine).map_err(|error| format!("{}: {error}", machine.display()))?;
    Ok(format!(
        "a guest wrote {synced} files beside a kill, a stop, a takeover and a restart, was paused when it was refused, and found {found} after its death"
    ))
}

/// The disk is taken away from a host that stands still. What the guest asks of it then is refused for good, and QEMU pauses the guest, as
/// it was told to; it goes on where it was, once the disk is back.
fn refuse(hosts: &mut Hosts, guest: &Guest) -> Result<(), String> {
    hosts.have_it_taken_away()?;
    eventually("the guest is paused", LIMIT, || {
        guest.ask("info status").is_ok_and(|said| said.contains("paused (io-error)"))
    })?;
    hosts.give_it_back()?;
    let reconnected = || {
        guest.ask("cont").is_ok() && {
            thread::sleep(Duration::from_millis(200));
            guest.ask("info status").is_ok_and(|said| said.contains("VM status: running"))
        }
    };
    eventually("the guest runs again", LIMIT, reconnected)?;
    guest.goes_on("where it was paused")
}

/// A QEMU with the disk.
struct Guest {
    _qemu: Process,
    console: PathBuf,
    monitor: PathBuf,
}

impl Guest {
    fn boot(hosts: &Hosts, qemu: PathBuf) -> Result<Guest, String> {
        let folder = &hosts.ground.folder;
        let (console, monitor) = (folder.join("console"), folder.join("monitor"));
        let _ = fs::remove_file(&monitor);
        let disk = format!(
            "driver=nbd,node-name=disk,server.type=unix,server.path={},export={DISK},reconnect-delay=30,open-timeout=60",
            hosts.door()
        );
        let mut command = Command::new(qemu);
        command.args(["-accel", "tcg", "-M", "q35", "-cpu", "max", "-m", "256", "-nodefaults", "-no-reboot"]);
        command.args(["-display", "none", "-serial", &format!("file:{}", console.display())]);
        command.args(["-monitor", &format!("unix:{},server=on,wait=off", monitor.display())]);
        command.args(["-blockdev", &disk]);
        command.args(["-device", "virtio-blk-pci,drive=disk,bootindex=0,werror=stop,rerror=stop"]);
        let qemu = Process::start(command.stdin(Stdio::null()))?;
        Ok(Guest { _qemu: qemu, console, monitor })
    }

    fn said(&self) -> String {
        fs::read(&self.console).map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default()
    }

    /// The number behind the last such word of the console.
    fn number(&self, word: &str) -> Option<u64> {
        let said = self.said();
        let number = |line: &str| line.trim().strip_prefix(word)?.trim().parse().ok();
        said.lines().rev().find_map(number)
    }

    fn synced(&self) -> u64 {
        self.number("synced").unwrap_or(0)
    }

    fn goes_on(&self, how: &str) -> Result<(), String> {
        let before = self.synced();
        eventually(&format!("the guest goes on {how}"), LIMIT, || self.synced() >= before + STEP)
            .map_err(|trouble| format!("{trouble}; its console says:\n{}", self.said()))?;
        println!("guest: it goes on {how}");
        Ok(())
    }

    /// How many files it found when it came up: all that it had synced, none of them spoiled.
    fn found(&self, synced: u64) -> Result<u64, String> {
        let found = self.number("found").unwrap_or(0);
        if found > synced && !self.said().contains("spoiled") {
            return Ok(found);
        }
        Err(format!("file {synced} had been synced; the guest says:\n{}", self.said()))
    }

    /// What QEMU's monitor answers.
    fn ask(&self, order: &str) -> Result<String, String> {
        let asked = || {
            let mut monitor = UnixStream::connect(&self.monitor)?;
            monitor.set_read_timeout(Some(Duration::from_millis(500)))?;
            writeln!(monitor, "{order}")?;
            let (mut said, mut buffer) = (String::new(), [0; 4096]);
            // It keeps the connection: silence is the end of its answer.
            while let Ok(length @ 1..) = monitor.read(&mut buffer) {
                said += &String::from_utf8_lossy(&buffer[..length]);
            }
            Ok(said)
        };
        asked().map_err(|error: std::io::Error| format!("the monitor: {error}"))
    }
}
