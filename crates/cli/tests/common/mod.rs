//! What the program's tests share: a folder that a datastore may lie in, the real program, and bytes to spoil.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Its functions are called by tests alone.

pub mod array;
pub mod guarded;
pub mod guest;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;
use tempfile::TempDir;

/// The block size of a new file on the file systems that tests run on.
pub const BLOCK: usize = 512;

/// A folder of a test's own, with its own sockets and events.
pub struct Place {
    folder: TempDir,
}

/// What the program did.
pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    /// A folder on a file system that a datastore may lie on.
    pub fn new() -> Place {
        let wanted =
            [PathBuf::from(env!("CARGO_TARGET_TMPDIR")), std::env::temp_dir(), PathBuf::from("/dev/shm")];
        let folder = wanted
            .iter()
            .filter(|path| oarlock_device::is_local(path))
            .find_map(|path| tempfile::tempdir_in(path).ok());
        Place { folder: folder.expect("a folder on a local file system") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with these arguments, in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oarlock"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("OARLOCK_RUNTIME_DIR", self.folder.path().join("run"))
            .env_remove("OARLOCK_API")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program starts"))
    }

    /// A datastore called `store` in a file called `pool`, with times that make tests quick.
    pub fn format(&self) -> PathBuf {
        self.format_with(&[])
    }

    pub fn format_with(&self, more: &[&str]) -> PathBuf {
        self.format_sized("64M", more)
    }

    pub fn format_sized(&self, size: &str, more: &[&str]) -> PathBuf {
        let path = self.path("pool");
        let mut arguments = vec!["format", "pool", "--name", "store", "--size", size, "--slots", "8"];
        arguments.extend(["--beat", "200ms", "--lease", "1s", "--hold", "10s"]);
        arguments.extend(more);
        self.run(&arguments).succeeds();
        path
    }

    /// A place with a datastore that has room for disks.
    pub fn for_disks(size: &str) -> Place {
        let place = Place::new();
        place.format_sized(size, &[]);
        place
    }

    /// Where a host serves its disks.
    pub fn door(&self, host: &str) -> PathBuf {
        self.path(&format!("run/store/{host}.nbd"))
    }

    /// What a host says about a disk.
    pub fn show(&self, host: &str, disk: &str) -> Value {
        self.run(&["disk", "show", disk, "--host", host, "--json"]).json()
    }

    /// What one field of a block says.
    pub fn field(&self, device: &str, block: &str, name: &str) -> String {
        let inspected = self.run(&["inspect", device, block, "--json"]).json();
        let mut fields = inspected["fields"].as_array().unwrap().iter();
        let found = fields.find(|field| field["name"] == name).unwrap();
        found["value"].as_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A file of zeros but for `bytes` at `at`.
    pub fn file_with(&self, name: &str, length: usize, at: usize, bytes: &[u8]) -> PathBuf {
        let mut all = vec![0; length];
        all[at..at + bytes.len()].copy_from_slice(bytes);
        self.write(name, &all)
    }
}

impl Ran {
    pub fn of(output: Output) -> Ran {
        Ran {
            exit: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn succeeds(&self) -> &Ran {
        assert_eq!(self.exit, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// It failed with this exit code and this error, said so on standard error alone, and said what to do.
    #[track_caller]
    pub fn fails(&self, exit: i32, code: &str) -> &Ran {
        let all = format!("exit {}\nstdout: {}\nstderr: {}", self.exit, self.stdout, self.stderr);
        assert_eq!(self.exit, exit, "{all}");
        assert!(self.stderr.starts_with(code), "{code} is wanted: {all}");
        assert!(self.stderr.contains("help: "), "an error says what to do: {all}");
        assert_eq!(self.stdout, "", "a failure writes no result");
        self
    }

    #[track_caller]
    pub fn says(&self, text: &str) -> &Ran {
        assert!(self.stderr.contains(text), "`{text}` is wanted: {}", self.stderr);
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        self.succeeds();
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// The bytes of a file: what must be the same after a refusal.
pub fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

/// Changes a record in place and makes its checksum hold again: what a newer program could have written.
pub fn reseal(path: &Path, block: u64, change: impl FnOnce(&mut [u8])) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut record = [0; BLOCK];
    file.read_exact_at(&mut record, block * BLOCK as u64).unwrap();
    change(&mut record);
    record[12..16].fill(0);
    let checksum = oarlock_block::crc32c(&[&record]);
    record[12..16].copy_from_slice(&checksum.to_le_bytes());
    file.write_all_at(&record, block * BLOCK as u64).unwrap();
}

/// Overwrites bytes of a file.
pub fn spoil(path: &Path, at: u64, with: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(with, at).unwrap();
}

/// A running host: `oarlock up`, which said that it is ready. Killed with this value.
pub struct Up {
    pub child: std::process::Child,
}

impl Place {
    /// Starts a host of the datastore in `pool`, and waits until it is ready.
    pub fn up(&self, host: &str) -> Up {
        self.up_with(host, &[])
    }

    pub fn up_with(&self, host: &str, more: &[&str]) -> Up {
        let mut arguments = vec!["up", "pool", "--host", host];
        arguments.extend(more);
        let mut child =
            self.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        assert_eq!(line, "ready\n", "host {host}");
        Up { child }
    }
}

impl Up {
    /// Sends a signal. Where that stops it, each of its threads has stopped behind this.
    pub fn signal(&self, signal: Signal) {
        send(&self.child, signal);
        if signal == Signal::STOP {
            let child = WaitId::Pid(Pid::from_child(&self.child));
            waitid(child, WaitIdOptions::STOPPED).unwrap();
        }
    }

    /// Waits for its end, and gives its exit code: -1 where a signal ended it.
    pub fn wait(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a child.
pub fn send(child: &std::process::Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits until a child catches SIGTERM, or has ended.
#[track_caller]
pub fn until_it_catches_signals(child: &std::process::Child) {
    let status = format!("/proc/{}/status", child.id());
    eventually("it catches SIGTERM, or has ended", || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.is_none_or(|mask| u64::from_str_radix(mask.trim(), 16).unwrap_or(0) & (1 << 14) != 0)
    });
}

/// Waits for `what`, and fails the test where it does not come within 20 seconds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Says that a test was skipped and why; fails it where nothing may be skipped.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("OARLOCK_CI").is_none(), "skipped, and nothing may be skipped here: {reason}");
    eprintln!("skipped: {reason}");
}

impl Place {
    /// Where a record stands, as `inspect` says it: `["slot", "3"]`.
    pub fn lba(&self, record: &[&str]) -> u64 {
        let mut arguments = vec!["inspect", "pool"];
        arguments.extend(record);
        arguments.push("--json");
        self.run(&arguments).json()["lba"].as_u64().unwrap()
    }
}

/// Flips one bit in the middle of a record.
pub fn flip(path: &Path, lba: u64) {
    let at = lba * BLOCK as u64 + 100;
    let byte = bytes(path)[usize::try_from(at).unwrap()];
    spoil(path, at, &[byte ^ 4]);
}
