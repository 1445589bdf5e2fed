//! What the fuzz targets reach of this crate; no other build has it.

use std::path::PathBuf;

use oarlock_block::DeviceIdentity;

use crate::identity::IdentityError;

/// The pid and the start time of a text of the form of /proc/PID/stat.
#[must_use]
pub fn stat(text: &str) -> Option<(u32, u64)> {
    crate::process::parse_stat(text).map(|stat| (stat.pid, stat.start_ticks))
}

/// The boot id in a text of the form of /proc/sys/kernel/random/boot_id.
#[must_use]
pub fn boot_id(text: &str) -> Option<u128> {
    crate::process::parse_boot_id(text)
}

/// The bytes of the sectors that an attribute of sysfs counts.
#[must_use]
pub fn bytes_of_sectors(text: &str) -> Option<u64> {
    crate::locate::bytes_of_sectors(text)
}

/// The number in an attribute `dev` of sysfs.
#[must_use]
pub fn device_number(text: &str) -> Option<(u32, u32)> {
    crate::locate::device_number(text)
}

/// The node that an attribute `uevent` of sysfs names.
#[must_use]
pub fn node_of(uevent: &str) -> Option<PathBuf> {
    crate::locate::node_of(uevent)
}

/// Whether a text of the form of /proc/self/mountinfo has devtmpfs under that number.
#[must_use]
pub fn is_devtmpfs(mounts: &str, device: (u32, u32)) -> bool {
    crate::open::is_devtmpfs(mounts, device)
}

/// The identity of a disk that the kernel calls so, or of its partition at `base`.
#[must_use]
pub fn disk_called(name: &str, base: u64) -> DeviceIdentity {
    crate::identity::disk_called(name, base)
}

/// The value of a file's identity attribute, where Oarlock wrote it.
///
/// # Errors
/// Where it did not.
pub fn own_attribute(value: &[u8]) -> Result<String, IdentityError> {
    crate::identity::own_attribute(value)
}
