//! VMware: lists by which a host tells where its volumes lie, and its own id: what people are asked for, and what support bundles hold.
//!
//! ```text
//!  esxcli storage vmfs extent list     Volume Name  VMFS UUID  Extent Number  Device Name  Partition
//!  esxcfg-scsidevs -m                  naa.60aa01:1 /vmfs/devices/disks/naa.60aa01:1 5a1b2c3d-...-0050560d0e0f 0 gold
//!  vmkfstools -P /vmfs/volumes/gold    File system label (if any): gold
//!                                      Partitions spanned (on "lvm"):
//!                                              naa.60aa01:1
//!  esxcli system uuid get              5a1b2c3d-1111-2222-3333-0050560d0e0f
//! ```

use super::{Dialect, Reading};
use crate::fact::{Kind, Uuid, VolumeEvent};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::text::{after, has};

/// Lists of where volumes lie.
#[derive(Debug, Default)]
pub struct EsxList {
    reading: Reads,
}

/// What the next lines are.
#[derive(Debug, Default)]
enum Reads {
    #[default]
    Nothing,
    /// Rows of the list of extents.
    Extents,
    /// What is told of the volume of that label.
    Volume(String),
    /// The devices of that volume.
    Spanned(String),
    /// The host's own id.
    Id,
}

/// The title of the list of extents.
const EXTENTS: &str = "Extent Number  Device Name";

impl Dialect for EsxList {
    fn name(&self) -> &'static str {
        "VMware: where volumes lie"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            EXTENTS,
            "scsidevs -m",
            "/vmfs/devices/disks/",
            "File system label (if any)",
            "Partitions spanned (on",
            "system uuid get",
        ]
    }

    fn reads_prompts(&self) -> bool {
        true
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        // A line of a log ends every list.
        if record.prefix.begins {
            self.reading = Reads::Nothing;
            return Reading::Stranger;
        }
        let line = record.line.trim();
        if let Some(begun) = begins(line) {
            self.reading = begun;
            return Reading::More;
        }
        self.go_on(record, line, ledger)
    }

    fn end(&mut self, _ledger: &mut Ledger) {
        self.reading = Reads::Nothing;
    }
}

/// What begins with that line.
fn begins(line: &str) -> Option<Reads> {
    if has(line, EXTENTS) {
        return Some(Reads::Extents);
    }
    // A row of that map tells by itself what it is.
    if line.ends_with("scsidevs -m") {
        return Some(Reads::Nothing);
    }
    if line.ends_with("system uuid get") {
        return Some(Reads::Id);
    }
    let label = after(line, "File system label (if any):")?;
    Some(Reads::Volume(label.trim().to_owned()))
}

impl EsxList {
    fn go_on(&mut self, record: &Record<'_>, line: &str, ledger: &mut Ledger) -> Reading {
        let of_map = mapped(line);
        if of_map.is_some() {
            self.reading = Reads::Nothing;
        }
        let row = of_map.or_else(|| match &self.reading {
            Reads::Extents => extent(line),
            Reads::Spanned(label) => device(line).map(|device| (label.clone(), device)),
            _ => None,
        });
        if let Some((volume, device)) = row {
            let lies_on = Draft::of(Kind::Volume(VolumeEvent::LiesOn));
            ledger.note(record, Draft { device: Some(device), volume: Some(&volume), ..lies_on });
            return Reading::More;
        }
        let of_volume =
            || ["Mode:", "Capacity", "UUID:", "Logical device:"].iter().any(|start| line.starts_with(start));
        self.reading = match std::mem::take(&mut self.reading) {
            Reads::Extents if line.starts_with("---") => Reads::Extents,
            Reads::Volume(label) if line.starts_with("Partitions spanned (on") => Reads::Spanned(label),
            Reads::Volume(label) if of_volume() => Reads::Volume(label),
            Reads::Id => {
                let Some(id) = own_id(line) else { return Reading::Stranger };
                ledger.note(record, Draft::of(Kind::HostId(id)));
                return Reading::UNDERSTOOD;
            }
            _ => return Reading::Stranger,
        };
        Reading::More
    }
}

/// `gold  5a1b2c3d-11111111-2222-333344445555  0  naa.60aa01  1`: a label may hold blanks.
fn extent(line: &str) -> Option<(String, &str)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| word.len() == UUID_BYTES && Uuid::find(word).is_some())?;
    let device = device(words.get(at + 2)?)?;
    (at > 0).then(|| (words[..at].join(" "), device))
}

/// `naa.60aa01:1 /vmfs/devices/disks/naa.60aa01:1 5a1b2c3d-11111111-2222-333344445555 0 gold`
fn mapped(line: &str) -> Option<(String, &str)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [first, path, id, _, label @ ..] = words.as_slice() else { return None };
    let is_row =
        path.starts_with("/vmfs/devices/disks/") && id.len() == UUID_BYTES && Uuid::find(id).is_some();
    (is_row && !label.is_empty()).then(|| Some((label.join(" "), device(first)?))).flatten()
}

/// The device of `naa.60aa01:1`, of which the number is its partition; the name of `mpx.vmhba1:C0:T0:L0:1` has colons of its own.
fn device(text: &str) -> Option<&str> {
    let name = text.split_once(char::is_whitespace).map_or(text, |(name, _)| name);
    let known = ["naa.", "eui.", "t10.", "mpx.vmhba"].iter().any(|start| name.starts_with(start));
    let (device, partition) = name.rsplit_once(':').unwrap_or((name, ""));
    let is_partition = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
    known.then_some(if is_partition { device } else { name })
}

/// Characters of an id of VMFS.
const UUID_BYTES: usize = 35;

/// `5a1b2c3d-1111-2222-3333-0050560d0e0f` is `5a1b2c3d-11112222-3333-0050560d0e0f` in slots and locks.
fn own_id(line: &str) -> Option<Uuid> {
    let parts: Vec<&str> = line.split('-').collect();
    let [first, second, third, rest @ ..] = parts.as_slice() else { return None };
    Uuid::find(&format!("{first}-{second}{third}-{}", rest.join("-")))
        .filter(|_| line.len() == UUID_BYTES + 1)
}
