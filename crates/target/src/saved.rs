//! Reservations that outlive the array (APTPL): a small file beside the medium's.
//!
//! ```text
//! oarlock reservations 1
//! generation 7
//! registrant iqn.1998-01.com.example:host 400001370000 1 00000000deadbeef
//! registrant-of-all-ports iqn.1998-01.com.example:host 400001370000 2 00000000deadbeef
//! held iqn.1998-01.com.example:host 400001370000 1 5
//! checksum 1a2b3c4d
//! ```
//!
//! A registrant's line has its initiator, its ISID, its relative target port and its key; the holder's the type's number in place of
//! the key. The checksum is the CRC32C of all before it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use oarlock_block::crc32c;
use oarlock_scsi::ReservationType;
use oarlock_scsi::iscsi::SessionId;

use crate::reservations::{Held, Registration, Reservations};
use crate::session::{Nexus, PortalIndex};

const FIRST_LINE: &str = "oarlock reservations 1";

/// The file that has the reservations of a medium.
pub(crate) fn path_of(medium: &Path) -> PathBuf {
    let folder = if medium.starts_with("/dev") {
        Path::new("/var/lib/oarlock")
    } else {
        medium.parent().unwrap_or(medium)
    };
    let name = medium.file_name().unwrap_or_default().to_string_lossy();
    // Shared memory is below /dev, too, and files there are plain ones.
    let folder = if medium.starts_with("/dev/shm") { medium.parent().unwrap_or(medium) } else { folder };
    folder.join(format!("{name}.reservations"))
}

/// Saves them, durably; where they are not to outlive the array, there is no file.
pub(crate) fn save(medium: &Path, reservations: &Reservations) -> io::Result<()> {
    let path = path_of(medium);
    let folder = path.parent().unwrap_or(Path::new("."));
    if !reservations.persist {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => sync(folder),
        };
    }
    fs::create_dir_all(folder)?;
    let draft = path.with_extension("reservations.draft");
    let mut file = File::create(&draft)?;
    file.write_all(encode(reservations).as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    sync(folder)
}

fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// What was saved; `None` where nothing was.
///
/// # Errors
/// Where the file cannot be read, or is not what was written: reservations that are forgotten are worse than an array that does
/// not start.
pub(crate) fn load(medium: &Path) -> io::Result<Option<Reservations>> {
    let path = path_of(medium);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let spoiled = || io::Error::other(format!("{} is not as it was written", path.display()));
    decode(&text).map(Some).ok_or_else(spoiled)
}

fn encode(reservations: &Reservations) -> String {
    let nexus = |nexus: &Nexus| format!("{} {} {}", nexus.initiator, nexus.session_id, nexus.portal.port());
    let mut text = format!("{FIRST_LINE}\ngeneration {}\n", reservations.generation);
    for (who, registration) in &reservations.registrants {
        let kind = if registration.all_ports { "registrant-of-all-ports" } else { "registrant" };
        text += &format!("{kind} {} {:016x}\n", nexus(who), registration.key);
    }
    if let Some(held) = &reservations.held {
        text += &format!("held {} {}\n", nexus(&held.by), held.kind.bits());
    }
    let checksum = crc32c(&[text.as_bytes()]);
    text + &format!("checksum {checksum:08x}\n")
}

fn decode(text: &str) -> Option<Reservations> {
    let (body, checksum) = text.rsplit_once("checksum ")?;
    if u32::from_str_radix(checksum.trim_end(), 16).ok()? != crc32c(&[body.as_bytes()]) {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let mut all = Reservations { persist: true, ..Reservations::default() };
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["generation", number] => all.generation = number.parse().ok()?,
            [kind @ ("registrant" | "registrant-of-all-ports"), name, id, port, key] => {
                let all_ports = kind == "registrant-of-all-ports";
                let key = u64::from_str_radix(key, 16).ok()?;
                all.registrants.insert(nexus(name, id, port)?, Registration { key, all_ports });
            }
            ["held", name, id, port, kind] => {
                let kind = ReservationType::from_bits(kind.parse().ok()?)?;
                all.held = Some(Held { by: nexus(name, id, port)?, kind });
            }
            _ => return None,
        }
    }
    // Earlier versions saved as the holder of a reservation of all registrants who was none any more.
    all.settle();
    Some(all)
}

fn nexus(name: &str, id: &str, port: &str) -> Option<Nexus> {
    let id = u64::from_str_radix(id, 16).ok().filter(|_| id.len() == 12)?;
    let [_, _, id @ ..] = id.to_be_bytes();
    let portal = PortalIndex(port.parse::<u16>().ok()?.checked_sub(1)?);
    Some(Nexus { initiator: name.parse().ok()?, session_id: SessionId(id), portal })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reservations() -> Reservations {
        let nexus = |port| Nexus {
            initiator: "iqn.1998-01.com.example:host".parse().unwrap(),
            session_id: SessionId([0x40, 0, 1, 0x37, 0, 0]),
            portal: PortalIndex(port),
        };
        let mut all = Reservations { generation: 7, persist: true, ..Reservations::default() };
        all.registrants.insert(nexus(0), Registration { key: 0xdead_beef, all_ports: false });
        all.registrants.insert(nexus(1), Registration { key: 1, all_ports: true });
        all.held = Some(Held { by: nexus(1), kind: ReservationType::WriteExclusiveRegistrantsOnly });
        all
    }

    #[test]
    fn what_was_saved_is_loaded_and_what_is_not_to_last_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let medium = folder.path().join("disk.img");
        assert_eq!(load(&medium).unwrap(), None);
        save(&medium, &reservations()).unwrap();
        assert_eq!(load(&medium).unwrap(), Some(reservations()));
        save(&medium, &Reservations::default()).unwrap();
        assert_eq!(load(&medium).unwrap(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_was_changed_is_refused() {
        let text = encode(&reservations());
        assert_eq!(decode(&text), Some(reservations()));
        for place in 0..text.len() - 1 {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert_ne!(decode(&changed), Some(reservations()), "byte {place}");
        }
    }
}
