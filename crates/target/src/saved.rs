//! What of a unit outlives the array: its reservations (APTPL), and settings that an initiator saved (MODE SELECT with SP).
//!
//! ```text
//! oarlock reservations 2
//! serial 5A0C11D2E8F3B746
//! generation 7
//! registrant iqn.1998-01.com.example:host 400001370000 1 00000000deadbeef
//! registrant-of-all-ports iqn.1998-01.com.example:host 400001370000 2 00000000deadbeef
//! held iqn.1998-01.com.example:host 400001370000 1 5
//! settings task-aborted-status
//! sanitize-overwrites exit-allowed 1234 begun 3 inverted a55a
//! checksum 1a2b3c4d
//! ```
//!
//! A registrant's line has its initiator, its ISID, its relative target port and its key; the holder's the type's number in place of
//! the key. Without a generation there are no reservations that outlive the array. The settings are those that are on. A sanitize that
//! has not ended well overwrites or erases the file of that number (`-`: a block device), or failed. The checksum is
//! the CRC32C of all before it; empty lines behind it keep the place of what is saved next. Version 1 had neither serial number nor settings.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use oarlock_block::crc32c;
use oarlock_device::Medium;
use oarlock_scsi::iscsi::SessionId;
use oarlock_scsi::{ModeSettings, ReservationType, SanitizeOverwrite};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::execute::Erasure;
use crate::reservations::{Held, Registration, Reservations};
use crate::session::{Nexus, PortalIndex};
use crate::unit::Sanitizing;

const FIRST_LINE: &str = "oarlock reservations 2";
const FIRST_LINE_OF_1: &str = "oarlock reservations 1";

/// Where units on block devices, beside which there is no place, have what they save.
const FOLDER: &str = "/var/lib/oarlock";

const EXTENSION: &str = "reservations";

/// Files are a multiple of so many bytes long, so that what is saved next has place in the draft.
const PLACE: usize = 64 << 10;

/// What is behind the checksum.
const PADDING: u8 = b'\n';

/// What outlives the array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    /// With `persist`, or none.
    pub(crate) reservations: Option<Reservations>,
    pub(crate) settings: Option<ModeSettings>,
    pub(crate) sanitizing: Sanitizing,
}

/// The file of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedFile {
    path: PathBuf,
    serial: String,
    /// Beside a plain file a file of version 1 can only be of that file.
    may_be_of_1: bool,
}

impl SavedFile {
    /// Of a plain file beside it. Of a block device by the unit's serial number: its kernel's name is another device's after a restart.
    pub(crate) fn of(medium: &Medium, serial: &str) -> SavedFile {
        let path = path_of(medium, serial, EXTENSION);
        SavedFile { path, serial: serial.to_owned(), may_be_of_1: !medium.is_block_device() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What changes places with it.
    fn draft(&self) -> PathBuf {
        self.path.with_extension("reservations.draft")
    }

    /// Saves it, durably. Where there is nothing to save, and nothing was ever saved, there is no file.
    ///
    /// The file that it replaces becomes the next draft, and has its place: a cluster preempts whoever filled the file system.
    pub(crate) fn save(&self, saved: &Saved) -> io::Result<()> {
        let is_there = self.path.try_exists()?;
        if *saved == Saved::default() && !is_there {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let draft = self.draft();
        let mut text = encode(saved, &self.serial).into_bytes();
        text.resize(text.len().next_multiple_of(PLACE), PADDING);
        write_over(&draft, &text)?;
        if !is_there || !exchange(&draft, &self.path)? {
            fs::rename(&draft, &self.path)?;
        }
        sync(folder)?;
        // Where there is no place for the next one, this one is saved all the same.
        let _ = lengthen(&draft, text.len());
        Ok(())
    }

    /// What was saved.
    ///
    /// # Errors
    /// Where the file cannot be read, is not what was written, or is another unit's: reservations that are forgotten are worse than an
    /// array that does not start.
    pub(crate) fn load(&self) -> io::Result<Saved> {
        let path = self.path.display();
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Saved::default()),
            Err(error) => return Err(error),
        };
        let (saved, serial) =
            decode(&text).ok_or_else(|| io::Error::other(format!("{path} is not as it was written")))?;
        let is_own = serial.as_ref().map_or(self.may_be_of_1, |serial| *serial == self.serial);
        if !is_own && saved != Saved::default() {
            return Err(io::Error::other(format!(
                "{path} is of the unit with serial number {}, and this one has {}: give it that one by serial=, or remove the file where \
                 nobody counts on those reservations",
                serial.as_deref().unwrap_or("unknown"),
                self.serial
            )));
        }
        // What an earlier version saved has no place for what is saved next. Where there is none, that is told then.
        for path in [&self.path, &self.draft()] {
            let _ = lengthen(path, text.len().next_multiple_of(PLACE));
        }
        Ok(saved)
    }
}

/// Where a unit has what is not in its medium: of a plain file beside it, of a block device by the serial number.
pub(crate) fn path_of(medium: &Medium, serial: &str, extension: &str) -> PathBuf {
    match medium.is_block_device() {
        true => Path::new(FOLDER).join(format!("{}.{extension}", escaped(serial))),
        false => beside(medium.path(), extension),
    }
}

fn beside(file: &Path, extension: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.parent().unwrap_or(file).join(format!("{name}.{extension}"))
}

/// A serial number as a part of a file's name.
pub(crate) fn escaped(serial: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'-' | b'_' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    serial.bytes().map(escaped).collect()
}

/// Writes a file's content where its bytes have place already, as far as they do.
fn write_over(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

/// Lets two files have each other's names; `false` where the file system cannot.
fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        exchanged => Ok(exchanged.map(|()| true)?),
    }
}

/// Gives a file that is not so long, or not there, the rest of that length.
fn lengthen(path: &Path, length: usize) -> io::Result<()> {
    let mut file = File::options().append(true).create(true).mode(0o600).open(path)?;
    let there = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    file.write_all(&vec![PADDING; length.saturating_sub(there)])?;
    file.sync_all()
}

/// Makes the entries of a folder durable.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

pub(crate) fn encode(saved: &Saved, serial: &str) -> String {
    let nexus = |nexus: &Nexus| format!("{} {} {}", nexus.initiator, nexus.session_id, nexus.portal.port());
    let mut text = format!("{FIRST_LINE}\nserial {serial}\n");
    if let Some(reservations) = &saved.reservations {
        text += &format!("generation {}\n", reservations.generation);
        for (who, registration) in &reservations.registrants {
            let kind = if registration.all_ports { "registrant-of-all-ports" } else { "registrant" };
            text += &format!("{kind} {} {:016x}\n", nexus(who), registration.key);
        }
        if let Some(held) = &reservations.held {
            text += &format!("held {} {}\n", nexus(&held.by), held.kind.bits());
        }
    }
    if let Some(mut settings) = saved.settings {
        text += "settings";
        for (name, setting) in SETTINGS {
            if *setting(&mut settings) {
                text += &format!(" {name}");
            }
        }
        text += "\n";
    }
    text += &sanitizing(&saved.sanitizing);
    let checksum = crc32c(&[text.as_bytes()]);
    text + &format!("checksum {checksum:08x}\n")
}

const SANITIZE: &str = "sanitize-";

/// Whether a sanitize that fails may be left without another, as the file says it.
const EXITS: [&str; 2] = ["exit-refused", "exit-allowed"];

/// How far one under way is.
const BEGINNINGS: [&str; 2] = ["asked", "begun"];

/// How the bytes of a pattern go from pass to pass.
const INVERSION: [&str; 2] = ["steady", "inverted"];

fn sanitizing(sanitizing: &Sanitizing) -> String {
    let exit = |may_exit: bool| EXITS[usize::from(may_exit)];
    let Erasure { overwrite, may_exit_failure, file_number, has_begun } = match sanitizing {
        Sanitizing::No => return String::new(),
        Sanitizing::Failed { may_exit } => return format!("{SANITIZE}failed {}\n", exit(*may_exit)),
        Sanitizing::Under { erasure, .. } => erasure,
    };
    let (exit, file) =
        (exit(*may_exit_failure), file_number.map_or("-".to_owned(), |number| number.to_string()));
    let begun = BEGINNINGS[usize::from(*has_begun)];
    match overwrite {
        None => format!("{SANITIZE}erases {exit} {file} {begun}\n"),
        Some(SanitizeOverwrite { passes, invert, pattern }) => {
            let inversion = INVERSION[usize::from(*invert)];
            let pattern: String = pattern.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{SANITIZE}overwrites {exit} {file} {begun} {passes} {inversion} {pattern}\n")
        }
    }
}

fn take_sanitize(kind: &str, exit: &str, rest: &[&str]) -> Option<Sanitizing> {
    let one_of = |word: &str, words: [&str; 2]| words.iter().position(|known| *known == word);
    let may_exit_failure = one_of(exit, EXITS)? == 1;
    let (overwrite, file, begun) = match (kind.strip_prefix(SANITIZE)?, rest) {
        ("failed", []) => return Some(Sanitizing::Failed { may_exit: may_exit_failure }),
        ("erases", [file, begun]) => (None, file, begun),
        ("overwrites", [file, begun, passes, inversion, pattern]) => {
            let invert = one_of(inversion, INVERSION)? == 1;
            let (passes, pattern) = (passes.parse().ok()?, bytes_of(pattern)?);
            (Some(SanitizeOverwrite { passes, invert, pattern }), file, begun)
        }
        _ => return None,
    };
    let file_number = if *file == "-" { None } else { Some(file.parse().ok()?) };
    let has_begun = one_of(begun, BEGINNINGS)? == 1;
    let erasure = Erasure { overwrite, may_exit_failure, file_number, has_begun };
    Some(Sanitizing::Under { erasure, progress: 0 })
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_whole = !text.is_empty() && text.len().is_multiple_of(2);
    text.as_bytes().chunks(2).map(byte).collect::<Option<_>>().filter(|_| is_whole)
}

type Setting = fn(&mut ModeSettings) -> &mut bool;

/// How settings are called in the file.
const SETTINGS: [(&str, Setting); 5] = [
    ("write-cache", |settings| &mut settings.write_cache),
    ("read-ahead-disabled", |settings| &mut settings.read_ahead_disabled),
    ("descriptor-sense", |settings| &mut settings.descriptor_sense),
    ("write-protected", |settings| &mut settings.write_protected),
    ("task-aborted-status", |settings| &mut settings.task_aborted_status),
];

/// What a file has, and whose it is, where it says so.
pub(crate) fn decode(text: &str) -> Option<(Saved, Option<String>)> {
    let (body, checksum) = text.rsplit_once("checksum ")?;
    if u32::from_str_radix(checksum.trim_end(), 16).ok()? != crc32c(&[body.as_bytes()]) {
        return None;
    }
    let mut lines = body.lines();
    let serial = match lines.next()? {
        FIRST_LINE => Some(lines.next()?.strip_prefix("serial ")?.to_owned()),
        FIRST_LINE_OF_1 => None,
        _ => return None,
    };
    let mut saved = Saved::default();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["generation", number] => {
                let generation = number.parse().ok()?;
                let reservations = Reservations { generation, persist: true, ..Reservations::default() };
                saved.reservations = Some(reservations);
            }
            ["settings", ref names @ ..] => saved.settings = Some(settings(names)?),
            [kind, exit, ref rest @ ..] if kind.starts_with(SANITIZE) => {
                saved.sanitizing = take_sanitize(kind, exit, rest)?;
            }
            _ => take_reservation(saved.reservations.as_mut()?, &words)?,
        }
    }
    // Earlier versions saved as the holder of a reservation of all registrants who was none any more.
    saved.reservations.iter_mut().for_each(Reservations::settle);
    Some((saved, serial))
}

fn take_reservation(all: &mut Reservations, words: &[&str]) -> Option<()> {
    match *words {
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
    Some(())
}

fn settings(names: &[&str]) -> Option<ModeSettings> {
    let mut settings = ModeSettings::default();
    for name in names {
        let (_, setting) = SETTINGS.iter().find(|(known, _)| known == name)?;
        *setting(&mut settings) = true;
    }
    Some(settings)
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

    fn saved() -> Saved {
        let settings = ModeSettings { write_cache: false, write_protected: true, ..ModeSettings::default() };
        let sanitizing = Sanitizing::Under {
            erasure: Erasure {
                overwrite: Some(SanitizeOverwrite { invert: true, passes: 3, pattern: vec![0xa5, 0x5a] }),
                may_exit_failure: true,
                file_number: Some(1234),
                has_begun: true,
            },
            progress: 0,
        };
        Saved { reservations: Some(reservations()), settings: Some(settings), sanitizing }
    }

    fn file_beside(disk: &Path, serial: &str) -> SavedFile {
        SavedFile { path: beside(disk, EXTENSION), serial: serial.to_owned(), may_be_of_1: true }
    }

    #[test]
    fn what_was_saved_is_loaded_and_nobody_misses_what_is_not_to_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_beside(&folder.path().join("disk.img"), "A7");
        assert_eq!(file.load().unwrap(), Saved::default());
        let only = |sanitizing| Saved { sanitizing, ..Saved::default() };
        let erases =
            Erasure { overwrite: None, may_exit_failure: false, file_number: None, has_begun: false };
        for part in [
            saved(),
            Saved { settings: None, ..saved() },
            Saved { reservations: None, ..saved() },
            only(Sanitizing::Failed { may_exit: true }),
            only(Sanitizing::Under { erasure: erases, progress: 0 }),
        ] {
            file.save(&part).unwrap();
            assert_eq!(file.load().unwrap(), part);
        }
        file.save(&Saved::default()).unwrap();
        assert_eq!(file.load().unwrap(), Saved::default());
        let other = file_beside(&folder.path().join("disk.img"), "A8");
        assert_eq!(other.load().unwrap(), Saved::default(), "nothing is anybody's");
        let unused = file_beside(&folder.path().join("other.img"), "A9");
        unused.save(&Saved::default()).unwrap();
        assert!(!unused.path.exists());
    }

    #[test]
    fn what_is_saved_next_has_its_place_already() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_beside(&folder.path().join("disk.img"), "A7");
        let draft = file.draft();
        // As an earlier version left it.
        fs::write(&file.path, encode(&saved(), "A7")).unwrap();
        let length = |path: &Path| fs::metadata(path).unwrap().len();
        assert_eq!(file.load().unwrap(), saved());
        assert_eq!([length(&draft), length(&file.path)], [PLACE as u64; 2], "before it is full");
        for part in [saved(), Saved { settings: None, ..saved() }, Saved::default()] {
            file.save(&part).unwrap();
            assert_eq!(file.load().unwrap(), part);
            assert_eq!([length(&draft), length(&file.path)], [PLACE as u64; 2]);
        }
    }

    #[test]
    fn a_file_that_was_changed_is_refused() {
        let text = encode(&saved(), "A7");
        assert_eq!(decode(&text), Some((saved(), Some("A7".to_owned()))));
        for place in 0..text.len() - 1 {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert_ne!(decode(&changed), Some((saved(), Some("A7".to_owned()))), "byte {place}");
        }
    }

    /// The device that had been dm-3 came back as dm-4: its hosts met the reservations of another volume, or none.
    #[test]
    fn what_a_block_device_saves_goes_by_its_serial_number_and_no_other_unit_takes_it() {
        assert_eq!(escaped("vg/lun 1"), "vg%2flun%201");
        let folder = tempfile::tempdir().unwrap();
        let of = |serial: &str, may_be_of_1| SavedFile {
            path: folder.path().join("x.reservations"),
            serial: serial.to_owned(),
            may_be_of_1,
        };
        of("A7", false).save(&saved()).unwrap();
        assert_eq!(of("A7", false).load().unwrap(), saved());
        for may_be_of_1 in [false, true] {
            let refused = of("A8", may_be_of_1).load().unwrap_err().to_string();
            assert!(refused.contains("A7") && refused.contains("A8"), "{refused}");
        }
        let foreign = encode(&saved(), "A7");
        fs::write(&of("A8", false).path, &foreign).unwrap();
        of("A8", false).load().unwrap_err();
        assert_eq!(
            fs::read_to_string(&of("A8", false).path).unwrap(),
            foreign,
            "it is not this unit's to touch"
        );
    }

    #[test]
    fn a_file_of_version_1_is_read_beside_the_file_that_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_beside(&folder.path().join("disk.img"), "A7");
        let body = "oarlock reservations 1\ngeneration 3\n\
                    registrant iqn.1998-01.com.example:host 400001370000 1 00000000deadbeef\n";
        fs::write(&file.path, format!("{body}checksum {:08x}\n", crc32c(&[body.as_bytes()]))).unwrap();
        let loaded = file.load().unwrap().reservations.unwrap();
        assert_eq!((loaded.generation, loaded.registrants.len(), loaded.persist), (3, 1, true));
        SavedFile { may_be_of_1: false, ..file }.load().unwrap_err();
    }
}
