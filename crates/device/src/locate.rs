//! Which file stands behind a path (R14): links, loop devices and partitions are followed to the one inode on which
//! every host of this machine takes its locks.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use crate::open::OpenError;

/// The unit of `start` and `size` in sysfs, whatever the disk's own block size is.
const SECTOR: u64 = 512;

/// Loop devices on files on loop devices, and mapped devices on mapped devices, that are followed.
const DEPTH_MAX: usize = 8;

/// Disks that live in one machine: their drivers' names for them. What is not listed may be seen by other kernels too
/// (nbd, rbd, drbd), where a file lock proves nothing.
const LOCAL_DISKS: [&str; 10] = ["vd", "nvme", "loop", "ram", "pmem", "zram", "mmcblk", "xvd", "md", "dm-"];

/// The file or disk that stands behind a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// The plain file, or the disk's own node in devtmpfs.
    pub(crate) path: PathBuf,
    pub(crate) kind: LocationKind,
    /// The byte in it where the device begins.
    pub(crate) base: u64,
    /// Its length in bytes, where it is not the rest of the file or disk.
    pub(crate) length: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LocationKind {
    /// A plain file.
    File,
    /// A block device: its number, and the folder in sysfs that describes it.
    Disk { number: (u32, u32), folder: PathBuf },
}

/// Follows `path`, which must exist.
pub(crate) fn locate(path: &Path) -> Result<Location, OpenError> {
    locate_below(path, Path::new("/sys"), 0)
}

fn locate_below(path: &Path, sysfs: &Path, depth: usize) -> Result<Location, OpenError> {
    let resolved = fs::canonicalize(path).map_err(|error| OpenError::io(path, "resolve", &error))?;
    let metadata = fs::metadata(&resolved).map_err(|error| OpenError::io(path, "look at", &error))?;
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(Location { path: resolved, kind: LocationKind::File, base: 0, length: None });
    }
    if kind.is_block_device() && depth < DEPTH_MAX {
        let number = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
        return locate_disk(path, sysfs, number, depth);
    }
    let found = match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a fifo",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() => "a character device",
        () if kind.is_block_device() => "a block device on too many others",
        () => "something else",
    };
    Err(OpenError::NotADevice { path: path.to_owned(), found })
}

fn locate_disk(path: &Path, sysfs: &Path, number: (u32, u32), depth: usize) -> Result<Location, OpenError> {
    let folder = sysfs.join("dev/block").join(format!("{}:{}", number.0, number.1));
    let mut folder =
        fs::canonicalize(&folder).map_err(|error| OpenError::io(path, "find in sysfs", &error))?;
    let (mut base, mut length) = (0, None);
    if folder.join("partition").exists() {
        base = value_in(path, &folder.join("start"), bytes_of_sectors)?;
        length = Some(value_in(path, &folder.join("size"), bytes_of_sectors)?);
        folder.pop();
    }
    if folder.join("loop/backing_file").exists() {
        let below = loop_file(path, &folder, sysfs, depth)?;
        let Some(base) = below.base.checked_add(base) else {
            return Err(OpenError::Sysfs { path: path.to_owned(), file: folder.join("start") });
        };
        return Ok(Location { base, length: length.or(below.length), ..below });
    }
    check_local(path, &folder, depth)?;
    let number = value_in(path, &folder.join("dev"), device_number)?;
    let node = value_in(path, &folder.join("uevent"), node_of)?;
    Ok(Location { path: node, kind: LocationKind::Disk { number, folder }, base, length })
}

/// The file behind a loop device, which must show all of it: a host that opens the file and one that opens the loop
/// device shall mean the same bytes.
fn loop_file(path: &Path, folder: &Path, sysfs: &Path, depth: usize) -> Result<Location, OpenError> {
    let offset = value_in(path, &folder.join("loop/offset"), number)?;
    let size_limit = value_in(path, &folder.join("loop/sizelimit"), number)?;
    let file = PathBuf::from(text_in(path, &folder.join("loop/backing_file"))?);
    if offset != 0 || size_limit != 0 {
        return Err(OpenError::LoopOfAPart { path: path.to_owned(), file, offset, size_limit });
    }
    locate_below(&file, sysfs, depth + 1)
}

/// Refuses disks that other kernels may see, and those that want another backend.
fn check_local(path: &Path, folder: &Path, depth: usize) -> Result<(), OpenError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let subsystem = fs::canonicalize(folder.join("device/subsystem")).unwrap_or_default();
    if subsystem.file_name().is_some_and(|name| name == "scsi") {
        return Err(OpenError::NeedsScsi { path: path.to_owned(), disk: name });
    }
    let listed = LOCAL_DISKS.iter().any(|prefix| name.starts_with(prefix));
    if !listed || (name.starts_with("nvme") && !nvme_is_inside(folder)) {
        return Err(OpenError::NotLocal { path: path.to_owned(), disk: name });
    }
    let below = fs::read_dir(folder.join("slaves")).into_iter().flatten().flatten();
    for slave in below {
        let slave =
            fs::canonicalize(slave.path()).map_err(|error| OpenError::io(path, "find in sysfs", &error))?;
        if depth >= DEPTH_MAX {
            return Err(OpenError::NotLocal { path: path.to_owned(), disk: name });
        }
        let whole = if slave.join("partition").exists() { slave.parent().unwrap_or(&slave) } else { &slave };
        check_local(path, whole, depth + 1)?;
    }
    Ok(())
}

/// Whether every controller of an NVMe namespace sits in this machine, and none across a fabric.
fn nvme_is_inside(folder: &Path) -> bool {
    let device = folder.join("device");
    let mut controllers = vec![device.clone()];
    controllers.extend(fs::read_dir(&device).into_iter().flatten().flatten().map(|entry| entry.path()));
    let transports: Vec<String> =
        controllers.iter().filter_map(|folder| fs::read_to_string(folder.join("transport")).ok()).collect();
    !transports.is_empty() && transports.iter().all(|name| matches!(name.trim(), "pcie" | "apple-nvme"))
}

fn text_in(path: &Path, file: &Path) -> Result<String, OpenError> {
    let text = fs::read_to_string(file)
        .map_err(|_| OpenError::Sysfs { path: path.to_owned(), file: file.to_owned() })?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

fn value_in<T>(path: &Path, file: &Path, read: impl Fn(&str) -> Option<T>) -> Result<T, OpenError> {
    let value = read(&text_in(path, file)?);
    value.ok_or_else(|| OpenError::Sysfs { path: path.to_owned(), file: file.to_owned() })
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// `2048`: the bytes of so many sectors.
pub(crate) fn bytes_of_sectors(text: &str) -> Option<u64> {
    number(text)?.checked_mul(SECTOR)
}

/// `254:0`.
pub(crate) fn device_number(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The node that a `uevent` names by `DEVNAME=`: always below /dev.
pub(crate) fn node_of(uevent: &str) -> Option<PathBuf> {
    let name = Path::new(uevent.lines().find_map(|line| line.strip_prefix("DEVNAME="))?);
    let mut parts = name.components().peekable();
    parts.peek()?;
    parts.all(|part| matches!(part, Component::Normal(_))).then(|| Path::new("/dev").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A made-up sysfs in a folder of its own.
    struct Sysfs(PathBuf);

    impl Sysfs {
        fn new() -> Sysfs {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let folder = std::env::temp_dir().join(format!("oarlock-sysfs-{}-{number}", std::process::id()));
            fs::create_dir_all(folder.join("dev/block")).unwrap();
            // The temporary folder may be behind a link, and what is found is compared resolved.
            Sysfs(fs::canonicalize(folder).unwrap())
        }

        fn write(&self, file: &str, text: &str) {
            let file = self.0.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }

        fn disk(&self, name: &str, number: &str) {
            self.write(&format!("devices/{name}/dev"), &format!("{number}\n"));
            self.write(
                &format!("devices/{name}/uevent"),
                &format!("MAJOR=1\nDEVNAME={name}\nDEVTYPE=disk\n"),
            );
            symlink(self.0.join("devices").join(name), self.0.join("dev/block").join(number)).unwrap();
        }

        fn partition(&self, disk: &str, name: &str, number: &str, (start, size): (u64, u64)) {
            let folder = format!("devices/{disk}/{name}");
            self.write(&format!("{folder}/partition"), "1\n");
            self.write(&format!("{folder}/start"), &format!("{start}\n"));
            self.write(&format!("{folder}/size"), &format!("{size}\n"));
            symlink(self.0.join(folder), self.0.join("dev/block").join(number)).unwrap();
        }

        fn slave(&self, disk: &str, below: &str) {
            let slaves = self.0.join("devices").join(disk).join("slaves");
            fs::create_dir_all(&slaves).unwrap();
            symlink(self.0.join("devices").join(below), slaves.join(below)).unwrap();
        }

        fn scsi(&self, disk: &str) {
            fs::create_dir_all(self.0.join("bus/scsi")).unwrap();
            self.write(&format!("devices/{disk}/device/type"), "0\n");
            let device = self.0.join("devices").join(disk).join("device");
            symlink(self.0.join("bus/scsi"), device.join("subsystem")).unwrap();
        }

        fn locate(&self, number: (u32, u32)) -> Result<Location, OpenError> {
            locate_disk(Path::new("/dev/asked"), &self.0, number, 0)
        }
    }

    impl Drop for Sysfs {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_partition_is_a_part_of_its_disk() {
        let sysfs = Sysfs::new();
        sysfs.disk("vda", "254:0");
        sysfs.partition("vda", "vda1", "254:1", (2048, 4096));
        let location = sysfs.locate((254, 1)).unwrap();
        assert_eq!(location.path, Path::new("/dev/vda"));
        assert_eq!((location.base, location.length), (2048 * 512, Some(4096 * 512)));
        let whole = sysfs.locate((254, 0)).unwrap();
        assert_eq!((whole.path, whole.base, whole.length), (location.path, 0, None));
        assert_eq!(whole.kind, location.kind);
    }

    #[test]
    fn a_scsi_disk_needs_its_own_backend_also_below_a_mapped_device() {
        let sysfs = Sysfs::new();
        sysfs.disk("sda", "8:0");
        sysfs.scsi("sda");
        sysfs.disk("dm-0", "253:0");
        sysfs.slave("dm-0", "sda");
        sysfs.disk("dm-1", "253:1");
        sysfs.slave("dm-1", "dm-0");
        for number in [(8, 0), (253, 0), (253, 1)] {
            assert!(matches!(sysfs.locate(number), Err(OpenError::NeedsScsi { disk, .. }) if disk == "sda"));
        }
    }

    #[test]
    fn a_disk_that_other_machines_may_see_is_refused() {
        let sysfs = Sysfs::new();
        for (number, name) in ["nbd0", "rbd0", "drbd0", "unheard0"].into_iter().enumerate() {
            sysfs.disk(name, &format!("43:{number}"));
            let refused = sysfs.locate((43, u32::try_from(number).unwrap()));
            assert!(matches!(refused, Err(OpenError::NotLocal { .. })), "{name}");
        }
    }

    #[test]
    fn an_nvme_namespace_is_local_only_behind_pcie() {
        let sysfs = Sysfs::new();
        for (number, (name, transport, local)) in
            [("nvme0n1", "pcie", true), ("nvme1n1", "tcp", false), ("nvme2n1", "rdma", false)]
                .into_iter()
                .enumerate()
        {
            sysfs.disk(name, &format!("259:{number}"));
            sysfs.write(&format!("devices/{name}/device/transport"), &format!("{transport}\n"));
            assert_eq!(sysfs.locate((259, u32::try_from(number).unwrap())).is_ok(), local, "{name}");
        }
        sysfs.disk("nvme9n1", "259:9");
        assert!(sysfs.locate((259, 9)).is_err(), "where nothing is said, nothing is believed");
    }

    #[test]
    fn a_partition_of_a_loop_device_is_a_part_of_the_file() {
        let sysfs = Sysfs::new();
        let file = sysfs.0.join("file");
        fs::write(&file, b"").unwrap();
        sysfs.disk("loop0", "7:0");
        sysfs.partition("loop0", "loop0p1", "259:0", (8, 16));
        sysfs.write("devices/loop0/loop/backing_file", &format!("{}\n", file.display()));
        sysfs.write("devices/loop0/loop/offset", "0\n");
        sysfs.write("devices/loop0/loop/sizelimit", "0\n");
        let expected =
            Location { path: file.clone(), kind: LocationKind::File, base: 8 * 512, length: Some(16 * 512) };
        assert_eq!(sysfs.locate((259, 0)), Ok(expected));
        sysfs.write("devices/loop0/loop/sizelimit", "4096\n");
        assert!(matches!(sysfs.locate((7, 0)), Err(OpenError::LoopOfAPart { size_limit: 4096, .. })));
    }

    #[test]
    fn a_sysfs_that_is_not_understood_is_an_error() {
        let sysfs = Sysfs::new();
        sysfs.disk("vda", "254:0");
        sysfs.partition("vda", "vda1", "254:1", (2048, 4096));
        sysfs.write("devices/vda/vda1/start", "soon\n");
        assert!(matches!(sysfs.locate((254, 1)), Err(OpenError::Sysfs { .. })));
        // So many sectors have more bytes than a number can say: it was a panic, or a base that wrapped round.
        for (file, base) in [("start", u64::MAX), ("size", u64::MAX / 512 + 1)] {
            sysfs.write("devices/vda/vda1/start", "2048\n");
            sysfs.write(&format!("devices/vda/vda1/{file}"), &format!("{base}\n"));
            assert!(matches!(sysfs.locate((254, 1)), Err(OpenError::Sysfs { .. })), "{file}");
        }
        for name in ["/etc/shadow", "../etc/shadow", "a/../../x", ""] {
            sysfs.write("devices/vda/uevent", &format!("DEVNAME={name}\n"));
            assert!(
                matches!(sysfs.locate((254, 0)), Err(OpenError::Sysfs { .. })),
                "{name:?} is no node in /dev"
            );
        }
        sysfs.write("devices/vda/dev", "254\n");
        assert!(matches!(sysfs.locate((254, 0)), Err(OpenError::Sysfs { .. })));
        assert!(matches!(sysfs.locate((254, 9)), Err(OpenError::Io { absent: true, .. })));
    }
}
