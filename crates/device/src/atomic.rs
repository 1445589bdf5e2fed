//! What of a medium is written whole or not at all, whatever becomes of the power: one physical block of the device below, and no more
//! that could be asked of any.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use oarlock_block::ByteCount;

use crate::buffer::PAGE;

/// Where the kernel describes block devices.
const DEVICES: &str = "/sys/dev/block";

/// The atomic block of an open file or block device, which begins at each multiple of it; `None` where nothing is known of what is below.
pub(crate) fn atomic_block(file: BorrowedFd<'_>, is_file: bool, is_in_memory: bool) -> Option<ByteCount> {
    if is_in_memory {
        // What is in memory is whole for as long as there is power, and is not there at all afterwards.
        return Some(ByteCount(PAGE as u64));
    }
    let status = rustix::fs::fstat(file.as_fd()).ok()?;
    let number = if is_file { status.st_dev } else { status.st_rdev };
    let number = (rustix::fs::major(number), rustix::fs::minor(number));
    let of_device = device_block(Path::new(DEVICES), number)?;
    // Blocks of a file lie side by side on the device only within one of its file system's.
    let of_file = match is_file {
        true => rustix::fs::fstatvfs(file).ok()?.f_frsize,
        false => of_device,
    };
    Some(of_device.min(of_file)).filter(|bytes| bytes.is_power_of_two()).map(ByteCount)
}

/// The physical block of a device; its logical one where the device, a partition mostly, does not begin with a physical block.
fn device_block(devices: &Path, (major, minor): (u32, u32)) -> Option<u64> {
    let device = fs::canonicalize(devices.join(format!("{major}:{minor}"))).ok()?;
    let is_partition = device.join("partition").exists();
    let disk = if is_partition { device.parent()? } else { &device };
    let name = match number(&device.join("alignment_offset")) {
        Some(0) | None => "physical_block_size",
        Some(_) => "logical_block_size",
    };
    number(&disk.join("queue").join(name))
}

fn number(file: &Path) -> Option<u64> {
    // The kernel says -1 where nothing is aligned: that is no count of bytes, and not 0 either.
    let text = fs::read_to_string(file).ok()?;
    text.trim().parse::<i64>().ok().map(i64::unsigned_abs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn disk(sysfs: &Path, name: &str, sizes: (u32, u32)) {
        let queue = sysfs.join(name).join("queue");
        fs::create_dir_all(&queue).unwrap();
        fs::write(queue.join("logical_block_size"), format!("{}\n", sizes.0)).unwrap();
        fs::write(queue.join("physical_block_size"), format!("{}\n", sizes.1)).unwrap();
    }

    #[test]
    fn a_device_writes_its_physical_block_at_once_and_a_partition_beside_that_its_logical_one() {
        let folder = tempfile::tempdir().unwrap();
        let sysfs = folder.path();
        disk(sysfs, "sda", (512, 4096));
        for (partition, offset) in [("sda1", "0"), ("sda2", "3584"), ("sda3", "-1")] {
            let place = sysfs.join("sda").join(partition);
            fs::create_dir(&place).unwrap();
            fs::write(place.join("partition"), "1\n").unwrap();
            fs::write(place.join("alignment_offset"), format!("{offset}\n")).unwrap();
        }
        for (number, place) in [("8:0", "sda"), ("8:1", "sda/sda1"), ("8:2", "sda/sda2"), ("8:3", "sda/sda3")]
        {
            symlink(sysfs.join(place), sysfs.join(number)).unwrap();
        }
        let found = [0, 1, 2, 3, 4].map(|minor| device_block(sysfs, (8, minor)));
        assert_eq!(found, [Some(4096), Some(4096), Some(512), Some(512), None]);
    }
}
