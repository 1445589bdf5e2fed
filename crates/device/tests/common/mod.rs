//! What the tests of this crate share: a folder on a local file system, devices, and the one way to skip.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(unsafe_code, reason = "locks as another process would take them")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use oarlock_block::{BlockSize, ByteCount, CutOff, Device, Lba};
use oarlock_device::{FileDevice, OpenOptions};

/// What a child of a test is told: its role's name, and the file that it is about.
const ROLE: &str = "OARLOCK_TEST_ROLE";
const FILE: &str = "OARLOCK_TEST_FILE";

/// The longest that a test waits for anything that must happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Says that a test was skipped and why; fails it where nothing may be skipped.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("OARLOCK_CI").is_none(), "skipped, and nothing may be skipped here: {reason}");
    eprintln!("skipped: {reason}");
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A folder of a test's own, removed at its end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A folder on a file system that a datastore can lie on; `None`, and a skip, where this machine has none.
    pub fn new() -> Option<Scratch> {
        let places = [Path::new(env!("CARGO_TARGET_TMPDIR")), &std::env::temp_dir(), Path::new("/dev/shm")]
            .map(Path::to_owned);
        let made = places
            .iter()
            .filter(|place| oarlock_device::is_local(place))
            .find_map(|place| Scratch::within(place));
        if made.is_none() {
            skip("no folder on a local file system can be written");
        }
        made
    }

    fn within(place: &Path) -> Option<Scratch> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = place.join(format!("oarlock-device-{}-{number}", std::process::id()));
        fs::create_dir(&folder).ok().map(|()| Scratch(folder))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub const SIZE: ByteCount = ByteCount(4 << 20);

pub fn open(path: &Path) -> FileDevice {
    FileDevice::open(path, OpenOptions { create: Some(SIZE), ..OpenOptions::default() }).unwrap()
}

pub fn cut_off(device: &FileDevice) -> std::rc::Rc<dyn CutOff> {
    device.cut_off().unwrap()
}

pub fn block_length(device: &dyn Device) -> usize {
    device.geometry().block_size.length()
}

pub fn block_of(device: &dyn Device, byte: u8) -> Vec<u8> {
    vec![byte; block_length(device)]
}

pub fn read_block(device: &dyn Device, lba: u64) -> Vec<u8> {
    let mut block = block_of(device, 0);
    block_on(device.read(Lba(lba), &mut block)).unwrap();
    block
}

/// Waits until `condition` holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The file that this process is to play its role on, where it was started as a child of the test to do so.
pub fn role(name: &str) -> Option<PathBuf> {
    let asked = std::env::var_os(ROLE)?;
    (asked == name).then(|| std::env::var_os(FILE).unwrap().into())
}

/// A child that is killed and reaped when dropped.
pub struct Helper(pub Child);

impl Helper {
    /// Starts this test binary again, with only `test`, which asks for its [`role`].
    pub fn start(test: &str, name: &str, file: &Path) -> Helper {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, name)
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Helper(child)
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Whether the child's main thread is in the state that /proc shows as `state`.
    pub fn is_in_state(&self, state: char) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(state))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A path that a child makes to say that it is ready.
pub fn ready_mark(file: &Path) -> PathBuf {
    file.with_extension("ready")
}

/// For a child: says that it is ready, and stays until its parent kills it or goes away.
pub fn say_ready_and_stay(file: &Path) -> ! {
    fs::write(ready_mark(file), b"").unwrap();
    let mut byte = [0];
    // The pipe ends with the parent.
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut byte);
    std::process::exit(0)
}

pub fn wait_ready(file: &Path) {
    eventually("the child is ready", || ready_mark(file).exists());
}

/// The block sizes that a device in this folder can have.
pub fn block_sizes(folder: &Path) -> Vec<BlockSize> {
    let path = folder.join("block-sizes");
    [BlockSize::B512, BlockSize::B4096]
        .into_iter()
        .filter(|size| {
            let options =
                OpenOptions { create: Some(SIZE), block_size: Some(*size), ..OpenOptions::default() };
            FileDevice::open(&path, options).is_ok()
        })
        .collect()
}

/// A range of a file locked exclusively through a description of its own: what any other process could do.
pub struct ForeignLock(fs::File);

impl ForeignLock {
    pub fn take(path: &Path, start: u64, length: u64) -> ForeignLock {
        let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        // SAFETY: all zeros is a `flock`, and the call reads one that outlives it, for a descriptor that is open.
        let result = unsafe {
            let mut lock: libc::flock = std::mem::zeroed();
            lock.l_type = libc::F_WRLCK.try_into().unwrap();
            lock.l_start = start.try_into().unwrap();
            lock.l_len = length.try_into().unwrap();
            libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&file), libc::F_OFD_SETLK, &raw mut lock)
        };
        assert_eq!(result, 0, "the range is free");
        ForeignLock(file)
    }
}

/// Something mounted by root, unmounted when dropped.
pub struct Mount(PathBuf);

impl Mount {
    /// Mounts by `mount ARGUMENTS TARGET`; `None`, and a skip, where that cannot be done here.
    pub fn new(arguments: &[&str], target: &Path) -> Option<Mount> {
        if !is_root() {
            skip("mounting needs root");
            return None;
        }
        fs::create_dir_all(target).unwrap();
        match Command::new("mount").args(arguments).arg(target).output() {
            Ok(output) if output.status.success() => Some(Mount(target.to_owned())),
            Ok(output) => {
                skip(&format!("mount {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)));
                None
            }
            Err(error) => {
                skip(&format!("mount: {error}"));
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a device that was dropped just now closes its file a moment later.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
