//! What a test serves: a disk with its map in memory, an export, a door.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oarlock_host::export::{Door, Export, ExportOptions, ExportStatus, Place, Tls};

use crate::client::{ANSWER_LIMIT, Client};
use crate::memory::{Beginning, CLUSTER, LEASE, MemoryDisk};

pub const MIB: u64 = 1 << 20;

/// A served disk. What is dropped first stops first.
pub struct World {
    pub door: Option<Door>,
    pub export: Option<Export>,
    pub disk: MemoryDisk,
    pub folder: tempfile::TempDir,
}

impl World {
    /// An empty disk of that size, and room for all of it below.
    pub fn empty(size: u64) -> World {
        World::with(size, Beginning::Empty, size / CLUSTER + 64, (false, None))
    }

    pub fn with(
        size: u64,
        beginning: Beginning,
        clusters: u64,
        (read_only, tls): (bool, Option<Tls>),
    ) -> World {
        let folder = tempfile::tempdir().unwrap();
        let disk = MemoryDisk::open(&folder.path().join("disk.img"), size, beginning, clusters);
        World::around(folder, disk, |disk| export_of(disk, read_only), tls)
    }

    /// An empty disk on that file system, whose export fails what the device keeps waiting for `hold`.
    pub fn on(file_system: &Path, size: u64, hold: Duration) -> World {
        let folder = tempfile::tempdir_in(file_system).unwrap();
        let file = folder.path().join("disk.img");
        let disk = MemoryDisk::open(&file, size, Beginning::Empty, size / CLUSTER + 64);
        World::around(folder, disk, |disk| export_with_hold(disk, false, hold), None)
    }

    /// As [`empty`](Self::empty), held until its path is told of a lease, and lost when the lapse has lasted for `hold`.
    pub fn without_lease(size: u64, hold: Duration) -> World {
        let folder = tempfile::tempdir().unwrap();
        let clusters = size / CLUSTER + 64;
        let file = folder.path().join("disk.img");
        let disk = MemoryDisk::without_lease(&file, size, Beginning::Empty, clusters);
        World::around(folder, disk, |disk| export_with_hold(disk, false, hold), None)
    }

    fn around(
        folder: tempfile::TempDir,
        disk: MemoryDisk,
        export: impl FnOnce(&MemoryDisk) -> Export,
        tls: Option<Tls>,
    ) -> World {
        let export = export(&disk);
        let door = Door::open(&Place::Unix(folder.path().join("nbd.sock")), tls).unwrap();
        door.offer(&export).unwrap();
        World { door: Some(door), export: Some(export), disk, folder }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("nbd.sock")
    }

    pub fn uri(&self) -> String {
        self.door.as_ref().unwrap().uri("disk")
    }

    pub fn client(&self) -> Client {
        Client::new(&self.socket())
    }

    pub fn export(&self) -> &Export {
        self.export.as_ref().unwrap()
    }

    pub fn status(&self) -> ExportStatus {
        self.export().status()
    }

    /// Waits until the export is as it should be.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(ExportStatus) -> bool) {
        wait_until(what, || is_so(self.status()));
    }
}

pub fn export_of(disk: &MemoryDisk, read_only: bool) -> Export {
    export_with_hold(disk, read_only, LEASE)
}

/// An export that fails what it held for so long.
pub fn export_with_hold(disk: &MemoryDisk, read_only: bool, hold: Duration) -> Export {
    Export::start(ExportOptions {
        name: "disk".to_owned(),
        description: "a disk of a test".to_owned(),
        read_only,
        path: Arc::clone(&disk.path),
        device: disk.device.clone(),
        clock: disk.clock.clone(),
        hold,
    })
    .unwrap()
}

/// Waits for something that will be so, and fails where it never is.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + ANSWER_LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} never was");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Bytes that tell where they belong.
pub fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Says that a test was skipped and why; fails it where nothing may be skipped.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("OARLOCK_CI").is_none(), "skipped, and nothing may be skipped here: {reason}");
    eprintln!("skipped: {reason}");
}

/// Whether the programs that a test needs are there; if not, it is skipped, and says so.
pub fn tools(names: &[&str]) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| std::env::split_paths(&paths).any(|folder| folder.join(name).exists());
    match names.iter().find(|name| !is_there(name)) {
        Some(missing) => {
            skip(&format!("there is no {missing} here"));
            false
        }
        None => true,
    }
}

/// Runs a program to its end, and gives what it said.
pub fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = std::process::Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}
