//! What a unit is called where its owner gives it no serial number: by its machine and the name of its medium.

use std::path::{Path, PathBuf};

use oarlock_device::Medium;
use sha2::{Digest, Sha256};

/// What makes these numbers others than anybody else's hashes of a machine's name, which is to stay unknown (machine-id(5)).
const PURPOSE: &[u8] = b"serial number of a unit of an oarlock array";

/// The machine's name for itself.
const MACHINE_ID: &str = "/etc/machine-id";

/// The folder in which the kernel names devices.
const DEVICES: &str = "/dev";

/// The serial number of what is called so on this machine: the same at the next start, another for another name, and another on another
/// machine that has a file of the same name.
pub(crate) fn serial_of(given: &Path) -> String {
    serial(given, machine_id().as_deref().unwrap_or_default())
}

/// Of the name as it was given, not of what it leads to: `/dev/vg/lun1` is the same volume at each start, `/dev/dm-3` another.
fn serial(given: &Path, machine: &str) -> String {
    let mut hash = Sha256::new();
    for part in [PURPOSE, machine.as_bytes(), lexical(given).as_os_str().as_encoded_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02X}")).collect()
}

fn machine_id() -> Option<String> {
    let text = std::fs::read_to_string(MACHINE_ID).ok()?;
    let is_set = |id: &&str| !id.is_empty() && *id != "uninitialized";
    Some(text.trim()).filter(is_set).map(str::to_owned)
}

/// Absolute, with its links as they are.
pub(crate) fn lexical(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What an operator is to know of a unit that has no serial number of its own.
pub(crate) fn doubt(given: &Path, medium: &Medium) -> Option<String> {
    let is_fleeting = medium.is_block_device() && is_kernel_name(&lexical(given), medium.path());
    is_fleeting.then(|| {
        format!(
            "{} is the kernel's name, which may be another device's after a restart, and its serial number is made of it: initiators \
             would take one disk for the other. Give it serial=, or name it by a link of /dev/disk/by-id or of its volume group",
            given.display()
        )
    })
}

fn is_kernel_name(given: &Path, resolved: &Path) -> bool {
    given == resolved && given.parent() == Some(Path::new(DEVICES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_on_two_machines_is_two_units_and_two_names_on_one_are_too() {
        let path = Path::new("/srv/lun0.img");
        let numbers = [
            serial(path, "4f0c1a7e9b2d4c6f8a1b3c5d7e9f0a2b"),
            serial(path, "4f0c1a7e9b2d4c6f8a1b3c5d7e9f0a2c"),
            serial(path, ""),
            serial(Path::new("/srv/lun1.img"), "4f0c1a7e9b2d4c6f8a1b3c5d7e9f0a2b"),
        ];
        for (place, number) in numbers.iter().enumerate() {
            assert_eq!(number.len(), 16, "64 bits");
            assert!(!numbers[..place].contains(number), "{numbers:?}");
        }
        assert_eq!(serial(path, "4f0c"), serial(Path::new("/srv/./lun0.img"), "4f0c"));
    }

    /// A link of a volume group leads to dm-3 today and to dm-4 tomorrow.
    #[test]
    fn what_a_link_leads_to_changes_no_serial_number() {
        let folder = tempfile::tempdir().unwrap();
        let [link, first, second] = ["lun1", "dm-3", "dm-4"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink(&first, &link).unwrap();
        let before = serial_of(&link);
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&second, &link).unwrap();
        assert_eq!(serial_of(&link), before);
        assert_ne!(serial_of(&second), before);
    }

    #[test]
    fn a_device_is_doubted_where_it_is_named_as_the_kernel_names_it() {
        for (given, resolved, is_doubted) in [
            ("/dev/sdb", "/dev/sdb", true),
            ("/dev/dm-3", "/dev/dm-3", true),
            ("/dev/nvme0n1", "/dev/nvme0n1", true),
            ("/dev/vg/lun1", "/dev/dm-3", false),
            ("/dev/lun1", "/dev/vda", false),
            ("/dev/mapper/lun1", "/dev/mapper/lun1", false),
        ] {
            assert_eq!(is_kernel_name(Path::new(given), Path::new(resolved)), is_doubted, "{given}");
        }
    }
}
