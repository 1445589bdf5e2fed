//! Where a file lock proves a host dead: the file systems of one kernel (R14), on an allow-list by their magic number.

use std::fmt;
use std::path::Path;

/// The allow-list: the `statfs` magic and the name. On each of these, the locks of an inode live in this kernel alone,
/// and a write in flight keeps its description, and with it the lock, open.
const LOCAL: [(u64, &str); 5] =
    [(0xef53, "ext4"), (0x5846_5342, "xfs"), (0x9123_683e, "btrfs"), (TMPFS, "tmpfs"), (0x2fc1_2fc1, "zfs")];

const TMPFS: u64 = 0x0102_1994;

/// Names for what is refused; a number that is not listed is refused too, by its number.
const REFUSED: [(u64, &str); 16] = [
    (0x6969, "nfs"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x6573_5546, "fuse"),
    (0x794c_7630, "overlayfs"),
    (0x00c3_6400, "ceph"),
    (0x0116_1970, "gfs2"),
    (0x7461_636f, "ocfs2"),
    (0x0bd0_0bd0, "lustre"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "afs"),
    (0x4d44, "vfat"),
    (0x2011_bab0, "exfat"),
    (0x8584_58f6, "ramfs"),
    (0xf15f, "ecryptfs"),
    (0x5346_544e, "ntfs"),
];

/// What a file system is to a file lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileSystem {
    /// On the allow-list, with its name.
    Local(&'static str),
    /// Known, and not local, or not made for it.
    Refused(&'static str),
    /// Not known.
    Unknown(u64),
}

impl FileSystem {
    /// What the magic number stands for. Only the low 32 bits count: the kernel's field is signed on some machines.
    pub(crate) fn of_magic(magic: u64) -> FileSystem {
        let magic = magic & 0xffff_ffff;
        let find = |list: &[(u64, &'static str)]| {
            list.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
        };
        match (find(&LOCAL), find(&REFUSED)) {
            (Some(name), _) => FileSystem::Local(name),
            (None, Some(name)) => FileSystem::Refused(name),
            (None, None) => FileSystem::Unknown(magic),
        }
    }

    /// The file system of an open file.
    pub(crate) fn of_file(file: impl std::os::fd::AsFd) -> rustix::io::Result<FileSystem> {
        Ok(FileSystem::of_magic(magic(rustix::fs::fstatfs(file)?.f_type)))
    }

    /// The file system of a path.
    pub(crate) fn of_path(path: &Path) -> rustix::io::Result<FileSystem> {
        Ok(FileSystem::of_magic(magic(rustix::fs::statfs(path)?.f_type)))
    }

    pub(crate) fn is_tmpfs(self) -> bool {
        self == FileSystem::of_magic(TMPFS)
    }
}

/// The kernel's field is signed, and of a width that depends on the machine; only its bits count.
#[allow(clippy::cast_sign_loss, reason = "only the low 32 bits are looked at")]
fn magic(field: impl Into<i64>) -> u64 {
    field.into() as u64
}

impl fmt::Display for FileSystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileSystem::Local(name) | FileSystem::Refused(name) => formatter.write_str(name),
            FileSystem::Unknown(magic) => write!(formatter, "an unknown file system (magic {magic:#x})"),
        }
    }
}

/// Whether a datastore can lie on the file system of `path`, which must exist: a folder for a demonstration or a test
/// is chosen by this.
#[must_use]
pub fn is_local(path: &Path) -> bool {
    matches!(FileSystem::of_path(path), Ok(FileSystem::Local(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_local_file_systems_are_allowed() {
        for (magic, name) in LOCAL {
            assert_eq!(FileSystem::of_magic(magic), FileSystem::Local(name));
        }
    }

    #[test]
    fn network_fuse_and_overlay_file_systems_are_refused_by_name() {
        for (magic, name) in
            [(0x6969, "nfs"), (0x6573_5546, "fuse"), (0x794c_7630, "overlayfs"), (0xff53_4d42, "cifs")]
        {
            assert_eq!(FileSystem::of_magic(magic), FileSystem::Refused(name));
        }
    }

    #[test]
    fn what_is_not_known_is_not_allowed() {
        assert_eq!(FileSystem::of_magic(0x1234), FileSystem::Unknown(0x1234));
    }

    #[test]
    fn a_magic_that_was_sign_extended_is_the_same_magic() {
        assert_eq!(FileSystem::of_magic(0xffff_ffff_9123_683e), FileSystem::Local("btrfs"));
    }
}
