//! What names a device (R22): a file by its file system, inode and attribute; a disk by what the kernel knows of it.

use std::fmt::Write as _;
use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use oarlock_block::{DeviceIdentity, Random};
use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::random::OsRandom;

/// The extended attribute that tells two files of one inode number apart: a file that was made anew, or lies in the
/// copy of a file system.
const ATTRIBUTE: &str = "user.oarlock.identity";

/// The attribute's length: 32 hexadecimal digits.
const ATTRIBUTE_LENGTH: usize = 32;

/// An identity that could not be set or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The attribute could not be written, though the file system has attributes.
    #[error("the identity could not be written into the file's attribute {ATTRIBUTE}: {reason}")]
    Write {
        /// The operating system's words.
        reason: String,
    },
    /// The attribute is there, but is not what Oarlock writes.
    #[error(
        "the file's attribute {ATTRIBUTE} holds something else; remove it with `setfattr -x {ATTRIBUTE} FILE`"
    )]
    Foreign,
}

/// The identity of a plain file as it stands.
pub(crate) fn of_file(file: BorrowedFd<'_>) -> rustix::io::Result<DeviceIdentity> {
    let status = rustix::fs::fstat(file)?;
    let mut text = format!("file:{}:{}", file_system_name(file, status.st_dev), status.st_ino);
    if let Ok(Some(attribute)) = attribute(file) {
        let _ = write!(text, ":{attribute}");
    }
    Ok(graphic(&text))
}

/// Makes sure that the file has an attribute of its own, where the file system has attributes at all.
pub(crate) fn ensure(file: BorrowedFd<'_>) -> Result<(), IdentityError> {
    match attribute(file) {
        Ok(Some(_)) => return Ok(()),
        Ok(None) => {}
        Err(error) => return Err(error),
    }
    let value = format!("{:032x}", OsRandom.nonce());
    match rustix::fs::fsetxattr(file, ATTRIBUTE, value.as_bytes(), XattrFlags::CREATE) {
        // Somebody else was first, and then it is theirs.
        Ok(()) | Err(Errno::EXIST | Errno::OPNOTSUPP) => Ok(()),
        Err(errno) => Err(IdentityError::Write { reason: errno.to_string() }),
    }
}

/// The attribute's value; `None` where it is not set, or cannot be on this file system.
fn attribute(file: BorrowedFd<'_>) -> Result<Option<String>, IdentityError> {
    let mut value = [0; ATTRIBUTE_LENGTH + 1];
    let length = match rustix::fs::fgetxattr(file, ATTRIBUTE, &mut value) {
        Ok(length) => length,
        Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
        Err(_) => return Err(IdentityError::Foreign),
    };
    own_attribute(&value[..length]).map(Some)
}

/// The attribute's bytes, where Oarlock wrote them: 32 hexadecimal digits.
pub(crate) fn own_attribute(value: &[u8]) -> Result<String, IdentityError> {
    let ours = value.len() == ATTRIBUTE_LENGTH && value.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(value).ok().filter(|_| ours);
    text.map(str::to_owned).ok_or(IdentityError::Foreign)
}

/// A name for the file system that outlives a reboot: its UUID, where the kernel tells it (6.9 and later), else the
/// number of its device, which changes when disks are found in another order.
fn file_system_name(file: BorrowedFd<'_>, device: u64) -> String {
    match file_system_uuid(file) {
        Some(uuid) => uuid.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
        None => format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device)),
    }
}

fn file_system_uuid(file: BorrowedFd<'_>) -> Option<[u8; 16]> {
    /// `struct fsuuid2` of linux/fs.h.
    #[repr(C)]
    struct Uuid {
        length: u8,
        bytes: [u8; 16],
    }
    const _: () = assert!(size_of::<Uuid>() == 17);
    /// `FS_IOC_GETFSUUID`: `_IOR(0x15, 0, struct fsuuid2)`.
    const GET_FILE_SYSTEM_UUID: u64 = 0x8011_1500;
    let mut uuid = Uuid { length: 0, bytes: [0; 16] };
    let request = libc::Ioctl::try_from(GET_FILE_SYSTEM_UUID).ok()?;
    // SAFETY: the command writes one `struct fsuuid2`, which `uuid` has the layout of, and nothing else; the
    // descriptor is open while it is borrowed. A kernel that does not know the command writes nothing.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), request, &raw mut uuid) };
    let told = result == 0 && uuid.length == 16 && uuid.bytes != [0; 16];
    told.then_some(uuid.bytes)
}

/// The identity of a disk, or of the partition at `base`, described by a folder of sysfs.
pub(crate) fn of_disk(folder: &Path, number: (u32, u32), base: u64) -> DeviceIdentity {
    let told =
        ["wwid", "device/wwid", "dm/uuid", "serial", "device/serial", "md/uuid"].iter().find_map(|name| {
            let text = fs::read_to_string(folder.join(name)).ok()?;
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        });
    disk_called(&told.unwrap_or_else(|| format!("{}:{}", number.0, number.1)), base)
}

/// The identity of a disk that the kernel calls so, or of its partition at `base`.
pub(crate) fn disk_called(name: &str, base: u64) -> DeviceIdentity {
    let suffix = if base == 0 { String::new() } else { format!("+{base}") };
    graphic(&format!("disk:{}{suffix}", name.chars().take(80).collect::<String>()))
}

/// An identity of `text`, with what is not printable replaced and what is too long cut off.
fn graphic(text: &str) -> DeviceIdentity {
    let text: String = text
        .chars()
        .map(|letter| if letter.is_ascii_graphic() { letter } else { '_' })
        .take(DeviceIdentity::LENGTH_MAX)
        .collect();
    match DeviceIdentity::new(&text) {
        Some(identity) => identity,
        None => unreachable!("an identity of printable letters, neither empty nor too long: {text:?}"),
    }
}
