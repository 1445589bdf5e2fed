//! Opening a device: what is refused, and why.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use oarlock_block::{BlockSize, ByteCount};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::file_system::FileSystem;
use crate::locate::{self, Location, LocationKind};

/// How to open a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Open for reading only: every write and ATS is refused.
    pub read_only: bool,
    /// The length of a plain file to be made where there is none. One that is there is left as it is.
    pub create: Option<ByteCount>,
    /// The block size; without it, 512 bytes where direct I/O allows them, else 4,096.
    pub block_size: Option<BlockSize>,
}

/// A device that could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused.
    #[error("cannot {action} {}: {reason}", path.display())]
    Io {
        /// What was to be opened.
        path: PathBuf,
        /// What was tried, as a verb.
        action: &'static str,
        /// The operating system's words.
        reason: String,
        /// Whether it is that nothing is there.
        absent: bool,
    },
    /// Neither a plain file nor a block device.
    #[error("{} is {found}, neither a plain file nor a block device", path.display())]
    NotADevice {
        /// What was to be opened.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// The file system is not on the allow-list (R14).
    #[error(
        "{} lies on {file_system}, where a file lock does not prove a host dead; \
         put the file on a local ext4, xfs, btrfs, tmpfs or zfs",
        path.display()
    )]
    FileSystem {
        /// What was to be opened.
        path: PathBuf,
        /// The file system's name, or its magic number.
        file_system: String,
    },
    /// A SCSI disk, or a mapped device over one.
    #[error("{} stands on the SCSI disk {disk}, which needs the SCSI backend", path.display())]
    NeedsScsi {
        /// What was to be opened.
        path: PathBuf,
        /// The disk below it.
        disk: String,
    },
    /// A disk that other kernels may see.
    #[error(
        "{} stands on {disk}, which is not known to be local to this machine: \
         a file lock there does not stop other machines",
        path.display()
    )]
    NotLocal {
        /// What was to be opened.
        path: PathBuf,
        /// The disk below it.
        disk: String,
    },
    /// A loop device that shows a part of its file.
    #[error(
        "{} is a loop device on a part of {} (offset {offset}, size limit {size_limit}); \
         open the file itself, or set the loop device up without offset and limit",
        path.display(),
        file.display()
    )]
    LoopOfAPart {
        /// The loop device.
        path: PathBuf,
        /// The file behind it.
        file: PathBuf,
        /// Its offset in bytes.
        offset: u64,
        /// Its size limit in bytes; 0 where there is none.
        size_limit: u64,
    },
    /// The kernel's description of a block device does not read as it should.
    #[error("{} cannot be followed to its disk: {} is missing or not understood", path.display(), file.display())]
    Sysfs {
        /// What was to be opened.
        path: PathBuf,
        /// The file in sysfs.
        file: PathBuf,
    },
    /// The disk's node does not lie in the machine's devtmpfs, so its locks would be its own.
    #[error(
        "{} is not the disk's node in the machine's devtmpfs: other processes' locks would not be seen on it; \
         give this process the machine's /dev",
        path.display()
    )]
    ForeignNode {
        /// The node.
        path: PathBuf,
    },
    /// The block size that was asked for, or that the disk has, does not work.
    #[error(
        "{} cannot be used in blocks of {}; direct I/O there needs {needed} bytes, and Oarlock knows 512 and 4,096",
        path.display(),
        asked.map_or_else(|| "512 or 4,096 bytes".to_owned(), |asked| format!("{asked} bytes"))
    )]
    BlockSize {
        /// What was to be opened.
        path: PathBuf,
        /// The size that was asked for.
        asked: Option<u32>,
        /// The smallest that works there.
        needed: u32,
    },
    /// The kernel gave no ring.
    #[error(
        "the kernel gives no io_uring ({reason}); allow it \
         (sysctl kernel.io_uring_disabled, the container's seccomp profile)"
    )]
    NoRing {
        /// The operating system's words.
        reason: String,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path, action: &'static str, error: &io::Error) -> OpenError {
        let absent = error.kind() == io::ErrorKind::NotFound;
        OpenError::Io { path: path.to_owned(), action, reason: error.to_string(), absent }
    }
}

/// The one open file description, and where it stands.
pub(crate) fn open(path: &Path, options: OpenOptions) -> Result<(OwnedFd, Location), OpenError> {
    if let Some(size) = options.create {
        create(path, size)?;
    }
    let location = locate::locate(path)?;
    // Before it is opened: opening is harmless on a local file system, and who knows what elsewhere.
    match location.kind {
        LocationKind::File => check_file_system(path, FileSystem::of_path(&location.path))?,
        LocationKind::Disk { .. } => {}
    }
    let file = open_direct(&location.path, options.read_only)
        .map_err(|errno| OpenError::io(path, "open", &errno.into()))?;
    check_same(path, &file, &location)?;
    Ok((file, location))
}

/// Makes a sparse file of `size` where nothing is. Its length is set before it has its name's place in the folder on
/// disk, so no crash leaves it half made and durable.
fn create(path: &Path, size: ByteCount) -> Result<(), OpenError> {
    let io = |error: Errno| OpenError::io(path, "create", &error.into());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    check_file_system(path, FileSystem::of_path(folder))?;
    let file = match rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP) {
        Ok(file) => file,
        // Another was first: then it is theirs.
        Err(Errno::EXIST) => return Ok(()),
        Err(errno) => return Err(io(errno)),
    };
    let made = rustix::fs::ftruncate(&file, size.0).and_then(|()| rustix::fs::fsync(&file)).and_then(|()| {
        let folder = rustix::fs::open(folder, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::fs::fsync(folder)
    });
    made.map_err(|errno| {
        let _ = fs::remove_file(path);
        io(errno)
    })
}

fn check_file_system(path: &Path, found: rustix::io::Result<FileSystem>) -> Result<(), OpenError> {
    match found {
        Ok(FileSystem::Local(_)) => Ok(()),
        Ok(other) => Err(OpenError::FileSystem { path: path.to_owned(), file_system: other.to_string() }),
        Err(errno) => Err(OpenError::io(path, "find the file system of", &errno.into())),
    }
}

/// Opens for direct I/O. A file system of the allow-list that has none (an old tmpfs, an old zfs) keeps its one cache
/// in this kernel, which all hosts of the file share.
fn open_direct(path: &Path, read_only: bool) -> rustix::io::Result<OwnedFd> {
    let access = if read_only { OFlags::RDONLY } else { OFlags::RDWR };
    let flags = access | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags | OFlags::DIRECT, Mode::empty()) {
        Err(Errno::INVAL) => rustix::fs::open(path, flags, Mode::empty()),
        opened => opened,
    }
}

/// Whether what was opened is what was located: names can change in between, and a disk's node can be a foreign one.
fn check_same(path: &Path, file: &OwnedFd, location: &Location) -> Result<(), OpenError> {
    let io = |errno: Errno| OpenError::io(path, "look at", &errno.into());
    let status = rustix::fs::fstat(file).map_err(io)?;
    match location.kind {
        LocationKind::File => {
            let there =
                fs::metadata(&location.path).map_err(|error| OpenError::io(path, "look at", &error))?;
            if (there.dev(), there.ino()) != (status.st_dev, status.st_ino) || !there.is_file() {
                return Err(OpenError::NotADevice {
                    path: path.to_owned(),
                    found: "changing while it is opened",
                });
            }
            check_file_system(path, FileSystem::of_file(file.as_fd()))
        }
        LocationKind::Disk { number, .. } => {
            let same = number == (rustix::fs::major(status.st_rdev), rustix::fs::minor(status.st_rdev));
            let device = (rustix::fs::major(status.st_dev), rustix::fs::minor(status.st_dev));
            let mounts = fs::read_to_string("/proc/self/mountinfo")
                .map_err(|error| OpenError::io(path, "find the mount of", &error))?;
            if same && is_devtmpfs(&mounts, device) {
                Ok(())
            } else {
                Err(OpenError::ForeignNode { path: location.path.clone() })
            }
        }
    }
}

/// Whether the file system of that device number is devtmpfs, of which a machine has one however often it is mounted:
/// so a node in it has one inode, and one set of locks. (proc(5): fields 3 and, after a lone dash, 1.)
pub(crate) fn is_devtmpfs(mounts: &str, device: (u32, u32)) -> bool {
    let wanted = format!("{}:{}", device.0, device.1);
    mounts.lines().any(|line| {
        let kind = line.split_once(" - ").and_then(|(_, rest)| rest.split(' ').next());
        line.split(' ').nth(2) == Some(&wanted) && kind == Some("devtmpfs")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machine_s_devtmpfs_counts_as_dev() {
        let mounts = "22 1 0:6 / /dev rw,relatime shared:2 - devtmpfs devtmpfs rw,size=10k\n\
                      23 1 0:7 / /jail/dev rw - tmpfs tmpfs rw\n";
        assert!(is_devtmpfs(mounts, (0, 6)));
        assert!(!is_devtmpfs(mounts, (0, 7)));
        assert!(!is_devtmpfs(mounts, (0, 8)));
    }
}
