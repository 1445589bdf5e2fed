//! What the tests share: QEMU's tools, a server over an image, images to copy.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oarlock_image::{Address, Onlooker, Progress};
use rustix::process::Signal;

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// No step of a test takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Says that a test was skipped and why; fails it where nothing may be skipped.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("OARLOCK_CI").is_none(), "skipped, and nothing may be skipped here: {reason}");
    eprintln!("skipped: {reason}");
}

/// Whether QEMU's tools are there; if not, the test is skipped, and says so.
pub fn qemu() -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| std::env::split_paths(&paths).any(|folder| folder.join(name).exists());
    match ["qemu-img", "qemu-nbd", "qemu-io"].iter().find(|name| !is_there(name)) {
        Some(missing) => {
            skip(&format!("there is no {missing} here"));
            false
        }
        None => true,
    }
}

/// Runs a program to its end in a folder, and gives what it said.
pub fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// `qemu-img`, whose words are split at spaces.
pub fn qemu_img(folder: &Path, line: &str) -> String {
    run(folder, "qemu-img", &line.split(' ').collect::<Vec<_>>())
}

/// A server of QEMU's over one image, on a socket in its folder.
pub struct Server {
    child: Child,
    pub address: Address,
}

impl Server {
    pub fn start(folder: &Path, line: &str) -> Server {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let socket = folder.join(format!("{number}.sock"));
        let child = Command::new("qemu-nbd")
            .args(["--persistent", "--shared=2", "--discard=unmap", "--export-name=a disk", "--socket"])
            .arg(&socket)
            .args(line.split(' '))
            .current_dir(folder)
            .stdin(Stdio::null())
            // What it says of clients that leave in the middle is no news here.
            .stderr(File::options().create(true).append(true).open(folder.join("server.log")).unwrap())
            .spawn()
            .unwrap();
        let server = Server { child, address: Address::new(&socket, "a disk") };
        wait_until("the server", || greets(&socket));
        server
    }
}

/// Whether a server says its first word. It listens before it has opened its image, and has it locked when it speaks.
fn greets(socket: &Path) -> bool {
    let greeted = UnixStream::connect(socket).and_then(|mut stream| {
        stream.set_read_timeout(Some(LIMIT))?;
        let mut word = [0; 8];
        stream.read_exact(&mut word).map(|()| word)
    });
    greeted.is_ok_and(|word| word == *b"NBDMAGIC")
}

impl Drop for Server {
    fn drop(&mut self) {
        // By its end its image is closed: whoever looks at the image next finds it whole. It takes no notice of a signal that comes
        // between its socket and its main loop, so that one may not be enough.
        let pid = rustix::process::Pid::from_child(&self.child);
        let deadline = Instant::now() + LIMIT;
        while matches!(self.child.try_wait(), Ok(None)) {
            let signal = if Instant::now() < deadline { Signal::TERM } else { Signal::KILL };
            let _ = rustix::process::kill_process(pid, signal);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Waits for something that will be so, and fails where it never is.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} never was");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Bytes that tell where they belong.
pub fn pattern(seed: u64, length: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[4]
        })
        .collect()
}

/// A sparse raw file: of `size` bytes, with data at these ranges.
pub fn raw(folder: &Path, name: &str, size: u64, ranges: &[(u64, u64)]) -> PathBuf {
    let path = folder.join(name);
    let file = File::create(&path).unwrap();
    file.set_len(size).unwrap();
    for (offset, length) in ranges {
        file.write_all_at(&pattern(offset + 1, *length), *offset).unwrap();
    }
    path
}

/// The file that most tests copy: 24 MiB with runs of data of odd lengths, one of them to the end.
pub const RANGES: [(u64, u64); 5] =
    [(0, 70_000), (MIB, 1), (5 * MIB - 100, 200), (9 * MIB + 4096, 3 * MIB), (24 * MIB - 512, 512)];

pub fn sample(folder: &Path) -> PathBuf {
    raw(folder, "sample.raw", 24 * MIB, &RANGES)
}

/// Bytes that a file takes on its file system.
pub fn taken(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().blocks() * 512
}

/// What is in a folder, but for sockets and what stood there before.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// An onlooker that keeps what it was told, and wants out at some point.
pub struct Keeper {
    pub told: Vec<Progress>,
    pub leaves_at_bytes: u64,
    pub patience: Duration,
}

impl Keeper {
    pub fn new() -> Keeper {
        Keeper { told: Vec::new(), leaves_at_bytes: u64::MAX, patience: LIMIT }
    }

    pub fn last(&self) -> Progress {
        *self.told.last().unwrap()
    }
}

impl Onlooker for Keeper {
    fn advanced(&mut self, progress: Progress) {
        assert!(self.told.last().is_none_or(|last| last.done_bytes <= progress.done_bytes), "it went back");
        self.told.push(progress);
    }

    fn wants_out(&self) -> bool {
        self.told.last().is_some_and(|last| last.done_bytes >= self.leaves_at_bytes)
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}
