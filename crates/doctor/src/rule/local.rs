//! Disks that one host has for itself: in its own case, behind its own USB, or in its drive for discs. No array is behind them, and no other host reaches them.

use std::collections::BTreeSet;

use super::case::Case;
use crate::fact::{Fact, Kind};
use crate::incident::{Weight, weight};
use crate::names::Name;
use crate::text::decimal;

/// Adapters that ESXi's own software makes have numbers from here on: first those of USB, ...
const FIRST_SOFTWARE_ADAPTER: u64 = 32;
/// ... then those of networks.
const FIRST_OF_NETWORKS: u64 = 64;

/// Makers of single disks, by the company's id in a name of the fifth kind (`naa.5`, then six digits): no array is named by one of these.
const MAKERS_OF_DISKS: [&str; 12] = [
    "000c50", // Seagate
    "000cca", // HGST
    "0014ee", // Western Digital
    "000039", // Toshiba
    "8ce38e", // Kioxia
    "002538", // Samsung
    "5cd2e4", // Intel
    "001517", // Intel, older
    "aca32f", // Solidigm
    "00a075", // Micron, Crucial
    "001b44", // SanDisk
    "0026b7", // Kingston
];

/// Makers of sticks and cards, as ESXi names what stands behind USB.
const MAKERS_OF_STICKS: [&str; 8] = [
    "t10.USB",
    "t10.SanDisk",
    "t10.Kingston",
    "t10.Lexar",
    "t10.JetFlash",
    "t10.Verbatim",
    "t10.Generic",
    "t10.General",
];

/// Names that VMware gives to disks that are not on a network. `t10.NVMe` is none of them: a namespace behind NVMe over Fabrics has it too.
#[must_use]
pub fn is_local(device: &str) -> bool {
    // `mpx.` is a device without an identity of its own, named by its path; adapters from vmhba32 on are USB or iSCSI.
    let of_adapter = device.strip_prefix("mpx.vmhba").and_then(decimal);
    of_adapter.is_some_and(|adapter| adapter < FIRST_SOFTWARE_ADAPTER)
        || ["t10.ATA", "t10.SATA", "t10.USB"].iter().any(|start| device.starts_with(start))
}

/// Whether a device is a disk in its host's own case: its name is one of those, and no way to it leads over a fabric or a network. A target that hands a disk
/// of its own through, as LIO's pscsi does, shows that disk's name to hosts far away.
#[must_use]
pub fn is_a_local_disk(case: &Case<'_>, device: Name) -> bool {
    let name = case.scene.names.text(device);
    is_local(name) && !is_behind_a_fabric(case, device, name)
}

/// Whether a device is a disk in its host's own case, or a namespace of NVMe of which no line says that a network lies before it.
#[must_use]
pub fn may_be_local(case: &Case<'_>, device: Name) -> bool {
    let name = case.scene.names.text(device);
    is_a_local_disk(case, device) || name.starts_with("t10.NVMe") && !is_behind_a_fabric(case, device, name)
}

/// Whether a device is any disk, stick, card or disc that one host has for itself.
#[must_use]
pub fn is_of_one_host(case: &Case<'_>, device: Name) -> bool {
    let name = case.scene.names.text(device);
    // ESXi's own iSCSI has an adapter of USB's numbers in old releases: its driver speaks of it.
    is_a_medium(name) && !is_spoken_of_by_a_fabric(case, device, name)
        || (is_local(name) || is_a_single_disk(name)) && !is_behind_a_fabric(case, device, name)
}

/// Whether the way to what fails ends in the host's case or at its USB, by its devices, or by lines that only drivers of such disks write.
pub fn is_within_the_host(case: &Case<'_>) -> bool {
    are_of_one_host(case) || case.facts().take(super::case::FIRST).any(is_of_a_local_bus)
}

/// Whether a driver of USB, of SATA, of cards or of NVMe over PCI Express wrote the line (drivers/usb/storage/uas.c, drivers/ata/libata-eh.c,
/// drivers/nvme/host/pci.c): no fabric and no network is behind these.
fn is_of_a_local_bus(fact: &Fact) -> bool {
    const ANY: [&str; 7] = [
        "uas_eh_",
        "USB disconnect",
        "hard resetting link",
        "failed command: ",
        ":ahcich",
        "dev mmcblk",
        "(device mmcblk",
    ];
    const NVME: [&str; 6] = [
        "timeout, aborting",
        "timeout, reset controller",
        "timeout, disable controller",
        "controller is down; will reset",
        "Removing after probe failure",
        "Disabling device after reset failure",
    ];
    let text = &*fact.text;
    ANY.iter().any(|mark| text.contains(mark))
        || text.contains("nvme") && NVME.iter().any(|mark| text.contains(mark))
}

/// Whether every device of the incident is one that its host has for itself.
pub fn are_of_one_host(case: &Case<'_>) -> bool {
    let devices = &case.incident.devices;
    !devices.is_empty() && devices.iter().all(|&device| is_of_one_host(case, device))
}

/// Whether every device of the incident lies in its host's case: such a disk, or a volume of Smart Array, of LSI's Integrated RAID or of MegaRAID, which have
/// these companies' and these kinds' numbers.
pub fn lie_in_the_host(case: &Case<'_>) -> bool {
    let devices = &case.incident.devices;
    let of_a_card = |device: Name| {
        ["naa.600508b1", "naa.600508e0", "naa.600605b"]
            .iter()
            .any(|start| case.scene.names.text(device).starts_with(start))
    };
    !devices.is_empty() && devices.iter().all(|&device| of_a_card(device) || is_of_one_host(case, device))
}

/// Whether an incident is nothing but times of such devices. Of sticks, cards and discs they are everyday; of a disk they are a matter of its host as long as it answers within
/// the time that a heartbeat has.
#[must_use]
pub fn is_an_everyday_time(case: &Case<'_>) -> bool {
    const HEARTBEAT_US: u64 = 8_000_000;
    let is_everyday = |fact: &Fact| match fact.kind {
        Kind::Latency { now_us, .. } => {
            now_us < HEARTBEAT_US
                || fact.device.is_some_and(|device| is_a_medium(case.scene.names.text(device)))
        }
        _ => weight(fact) == Weight::Context,
    };
    case.facts().all(is_everyday) && are_of_one_host(case)
}

/// Whether a device is a stick, a card or a drive for discs: a time of some hundred milliseconds is usual with them.
#[must_use]
pub fn is_a_medium(device: &str) -> bool {
    let of_adapter = device.strip_prefix("mpx.vmhba").and_then(decimal);
    of_adapter.is_some_and(|adapter| adapter < FIRST_OF_NETWORKS)
        || MAKERS_OF_STICKS.iter().any(|start| device.starts_with(start))
}

/// Whether a device is a stick or a card behind USB.
#[must_use]
pub fn is_behind_usb(device: &str) -> bool {
    let adapter = device.strip_prefix("mpx.vmhba").and_then(decimal);
    device.starts_with("t10.USB")
        || adapter.is_some_and(|adapter| (FIRST_SOFTWARE_ADAPTER..FIRST_OF_NETWORKS).contains(&adapter))
}

/// Whether the name of a device is one that a maker of disks burnt into it.
fn is_a_single_disk(device: &str) -> bool {
    let maker = device.strip_prefix("naa.5").and_then(|rest| rest.get(..6));
    maker.is_some_and(|maker| MAKERS_OF_DISKS.iter().any(|known| known.eq_ignore_ascii_case(maker)))
}

/// Whether an adapter by which a device is reached is one of a fabric or a network: by its number, or by what its driver says anywhere.
fn is_behind_a_fabric(case: &Case<'_>, device: Name, name: &str) -> bool {
    // A USB adapter has such a number, too.
    let number = |adapter: &str| adapter.strip_prefix("vmhba").and_then(decimal);
    let by_software = |adapter: &&str| {
        !name.starts_with("t10.USB") && number(adapter).is_some_and(|number| number >= FIRST_SOFTWARE_ADAPTER)
    };
    adapters(case, device, name).iter().any(by_software) || is_spoken_of_by_a_fabric(case, device, name)
}

/// Whether a driver of a fabric or a network speaks of an adapter by which a device is reached.
fn is_spoken_of_by_a_fabric(case: &Case<'_>, device: Name, name: &str) -> bool {
    let ways = adapters(case, device, name);
    case.scene.knowledge.fabric().any(|path| ways.contains(adapter_of(case, path)))
}

/// The adapters by which a device is reached, as far as its name or any line tells.
fn adapters<'a>(case: &Case<'a>, device: Name, name: &'a str) -> BTreeSet<&'a str> {
    let of_name = name.strip_prefix("mpx.").and_then(|path| path.split(':').next());
    case.scene.knowledge.paths(device).map(|path| adapter_of(case, path)).chain(of_name).collect()
}

fn adapter_of<'a>(case: &Case<'a>, path: Name) -> &'a str {
    let path = case.scene.names.text(path);
    path.split(':').next().unwrap_or(path)
}
