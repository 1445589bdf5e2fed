//! What the suites of file systems stand on: two hosts of one datastore, a disk of it, QEMU's storage daemon that has it over NBD as a
//! guest's QEMU has, and a file that shows what that has. (The daemon can show a file itself; but up to QEMU 10.0 that spoils writes
//! that are under way together: it reads the next request into the buffer of the one that it waits with.)
//!
//! ```text
//!   fio, ext4 on a loop device --> file --nbdfuse--> qemu-storage-daemon --reconnects--> the disk's door --> host a, or b --> pool
//! ```

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::ground::{self, Ground, Process, eventually, succeeds};

/// Far more than anything here takes on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(120);
pub const DISK: &str = "disk";
/// The door: one place for the disk whichever host serves it, so that the client finds it again.
const DOOR: &str = "door.nbd";
const SHOWN: &str = "shown.raw";
const RELAY: &str = "relay.nbd";

/// A host, by its number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    A,
    B,
}

impl Who {
    pub fn name(self) -> &'static str {
        match self {
            Who::A => "a",
            Who::B => "b",
        }
    }

    pub fn other(self) -> Who {
        match self {
            Who::A => Who::B,
            Who::B => Who::A,
        }
    }
}

/// The datastore with its disk, and who serves it.
pub struct Hosts {
    pub ground: Ground,
    serving: Process,
    pub who: Who,
}

impl Hosts {
    /// A datastore with an empty disk, which host `a` serves.
    pub fn with_disk(chore: &str, pool: &str, disk: &str) -> Result<Hosts, String> {
        let hosts = Hosts::with_pool(chore, pool)?;
        hosts.must(&["disk", "create", DISK, "--size", disk])?;
        hosts.attach()?;
        Ok(hosts)
    }

    /// A datastore, and host `a` of it.
    pub fn with_pool(chore: &str, size: &str) -> Result<Hosts, String> {
        let ground = Ground::new(chore)?;
        let format = ["format", "pool", "--name", "store", "--size", size, "--slots", "8"];
        ground.must(&[&format[..], &["--beat", "250ms", "--lease", "1500ms", "--hold", "60s"]].concat())?;
        let serving = start_host(&ground, Who::A)?;
        Ok(Hosts { ground, serving, who: Who::A })
    }

    /// A verb, at the host that serves the disk.
    pub fn must(&self, arguments: &[&str]) -> Result<String, String> {
        self.ground.must(&[arguments, &["--host", self.who.name()]].concat())
    }

    pub fn attach(&self) -> Result<(), String> {
        self.must(&["disk", "attach", DISK, "--nbd", &format!("unix:{}", self.door())]).map(drop)
    }

    pub fn door(&self) -> String {
        self.ground.path(DOOR)
    }

    pub fn signal(&self, signal: &str) {
        ground::signal(&self.serving.0, signal);
    }

    /// Kills the host, and starts it again: it serves the disk at the same place by itself.
    pub fn kill_and_restart(&mut self) -> Result<(), String> {
        self.serving.kill();
        self.restart()
    }

    /// Asks the host to leave, as an upgrade does, and starts it again.
    pub fn leave_and_restart(&mut self) -> Result<(), String> {
        self.signal("TERM");
        self.ended()?;
        self.restart()
    }

    fn ended(&mut self) -> Result<(), String> {
        let serving = &mut self.serving;
        eventually("a host leaves", LIMIT, || serving.ended().is_some())
    }

    fn restart(&mut self) -> Result<(), String> {
        self.serving = start_host(&self.ground, self.who)?;
        Ok(())
    }

    /// Stops the host for longer than its lease, and lets it go on.
    pub fn stop_for(&self, time: Duration) -> Result<(), String> {
        self.signal("STOP");
        std::thread::sleep(time);
        self.signal("CONT");
        Ok(())
    }

    /// Kills the host; the other one takes the disk over, and serves it at the same place.
    pub fn kill_and_take_over(&mut self) -> Result<(), String> {
        self.kill_with(|| {})
    }

    /// The same, and whatever else dies in that moment.
    pub fn kill_with(&mut self, more: impl FnOnce()) -> Result<(), String> {
        let next = start_host(&self.ground, self.who.other())?;
        self.serving.kill();
        more();
        self.serving = next;
        self.who = self.who.other();
        self.attach()
    }

    /// The host stands still for so long that the other one takes the disk: nothing that the host asks of it is done any more.
    pub fn have_it_taken_away(&mut self) -> Result<(), String> {
        let other = self.who.other();
        let mut taker = start_host(&self.ground, other)?;
        self.signal("STOP");
        self.ground.must(&["disk", "attach", DISK, "--host", other.name()])?;
        self.signal("CONT");
        self.ground.must(&["disk", "detach", DISK, "--host", other.name()])?;
        ground::signal(&taker.0, "TERM");
        eventually("a host leaves", LIMIT, || taker.ended().is_some())
    }

    /// The host comes back, and is asked for what it has lost: by itself it leaves alone what another had since.
    pub fn give_it_back(&mut self) -> Result<(), String> {
        self.kill_and_restart()?;
        self.attach()
    }

    /// The host leaves in order, and what it leaves is sound.
    pub fn close(mut self) -> Result<(), String> {
        self.must(&["disk", "detach", DISK])?;
        self.signal("TERM");
        self.ended()?;
        let checked = self.ground.must(&["check", "pool"])?;
        if !checked.contains("clean") {
            return Err(format!("check says: {checked}"));
        }
        self.ground.remove()
    }
}

fn start_host(ground: &Ground, who: Who) -> Result<Process, String> {
    let said = format!("{}.out", who.name());
    let file =
        |name: &str| File::create(ground.folder.join(name)).map_err(|error| format!("{name}: {error}"));
    let (out, err) = (file(&said)?, file(&format!("{}.err", who.name()))?);
    let mut command = ground.oarlock(&["up", "pool", "--host", who.name()]);
    let mut host = Process::start(command.stdout(out).stderr(err))?;
    let is_ready = || fs::read_to_string(ground.folder.join(&said)).is_ok_and(|said| said.contains("ready"));
    let ready = eventually("a host comes up", LIMIT, || is_ready() || host.ended().is_some());
    if ready.is_ok() && is_ready() {
        return Ok(host);
    }
    let trouble = fs::read_to_string(ground.folder.join(format!("{}.err", who.name())));
    Err(format!("host {}: {}", who.name(), trouble.unwrap_or_default()))
}

/// The disk as a file. QEMU's storage daemon below it connects again when the disk's host comes back.
pub struct Shown {
    daemon: Process,
    shower: Process,
    pub file: String,
}

impl Shown {
    pub fn of(hosts: &Hosts) -> Result<Shown, String> {
        let file = hosts.ground.path(SHOWN);
        File::create(&file).map_err(|error| format!("{file}: {error}"))?;
        let door = hosts.door();
        let disk = format!(
            "driver=nbd,node-name=disk,server.type=unix,server.path={door},export={DISK},reconnect-delay=120,open-timeout=60,discard=unmap"
        );
        let relay = hosts.ground.path(RELAY);
        let _ = fs::remove_file(&relay);
        let mut command = Command::new("qemu-storage-daemon");
        command.args(["--blockdev", &disk, "--nbd-server", &format!("addr.type=unix,addr.path={relay}")]);
        command.args(["--export", "type=nbd,id=relay,node-name=disk,name=disk,writable=on"]);
        let mut daemon = Process::start(command.stdin(Stdio::null()))?;
        eventually("QEMU's storage daemon serves", LIMIT, || {
            Path::new(&relay).exists() || daemon.ended().is_some()
        })?;
        let mut command = Command::new("nbdfuse");
        command.args([&file, &format!("nbd+unix:///disk?socket={relay}")]).stdin(Stdio::null());
        let mut shower = Process::start(&mut command)?;
        // Until then it is the empty file that it is mounted over.
        let length = || fs::metadata(&file).map_or(0, |metadata| metadata.len());
        eventually("the disk is shown as a file", LIMIT, || length() > 0 || shower.ended().is_some())?;
        if length() == 0 {
            return Err("nbdfuse ended".to_owned());
        }
        Ok(Shown { daemon, shower, file })
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.daemon.kill();
        self.shower.kill();
        // A process that is killed leaves its mount.
        let _ = Command::new("umount").args(["--lazy", &self.file]).stderr(Stdio::null()).status();
    }
}

/// A file system in the file, mounted by a loop device.
pub struct Mounted {
    device: String,
    pub folder: String,
}

impl Mounted {
    /// Mounts what is in the file.
    pub fn new(shown: &Shown, folder: &Path) -> Result<Mounted, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let found =
            succeeds(Command::new("losetup").args(["--find", "--show", "--direct-io=on", &shown.file]))?;
        let mounted = Mounted { device: found.trim().to_owned(), folder: folder.display().to_string() };
        succeeds(Command::new("mount").args([&mounted.device, &mounted.folder]))?;
        Ok(mounted)
    }

    /// All that was written is home.
    pub fn unmount(self) -> Result<(), String> {
        succeeds(Command::new("umount").arg(&self.folder)).map(drop)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // It is there no more if it was unmounted in order; one whose device is dead goes once nobody uses it.
        let _ = Command::new("umount").args(["--lazy", &self.folder]).stderr(Stdio::null()).status();
        let _ = Command::new("losetup").args(["--detach", &self.device]).stderr(Stdio::null()).status();
    }
}
