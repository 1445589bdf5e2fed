//! `device-fault`: a disk fails, most often a local one that nobody else uses.

use std::collections::BTreeSet;

use super::case::{Case, FIRST, command, total};
use super::local::is_a_local_disk;
use super::{Confidence, Judgement, Proof, words};
use crate::fact::{Fact, HostStatus, Kind, LockStep, Opcode, PathEvent, Sense, TaskKind};
use crate::scene::same_host;

/// A few failures may be a hiccup.
const FAILURES_MIN: u64 = 2;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let broken = case.all(|fact| {
        fact.kind == Kind::Medium
            || command(fact).is_some_and(|command| {
                command.sense.is_some_and(|sense| sense.is_broken() && !sense.is_of_an_optical_drive())
                    && command.opcode.is_none_or(|opcode| !asks_the_device(opcode))
            })
    });
    let local = case.incident.devices.iter().any(|&device| is_a_local_disk(case, device))
        || case.incident.devices.is_empty() && !case.all(is_of_a_local_driver).is_empty();
    let one_host = case.incident.hosts.len() <= 1;
    if !broken.is_empty() && broken.iter().all(|fact| fact.text.contains("Bootbank cannot be found")) {
        let because = "The host does not find the medium any more that it started from. Whether that is worn out, was pulled or only lost its connection, no line here tells.";
        let proof = Proof::new(Confidence::Possible, because, broken).in_words(&words::BOOT_MEDIUM);
        return Judgement::Met(proof.and_collect(NEXT));
    }
    if !broken.is_empty() {
        let because = if local && one_host {
            "A local disk that one host uses alone reports errors of its medium or hardware. Nobody can compete for it."
        } else {
            "The device reports errors of its medium or hardware: behind a LUN, the array has a failing disk."
        };
        // On a LUN of an array, a hardware error may be the array's own trouble (4/44/0: internal target failure): its disks
        // are hidden behind it. A medium error is a disk's wherever it lies.
        let medium = broken.iter().any(|fact| {
            fact.kind == Kind::Medium
                || command(fact).is_some_and(|command| command.sense.is_some_and(|sense| sense.key == 3))
        });
        // What cannot be read or written after all that the device tried, it says once.
        let is_final = broken.iter().any(|fact| {
            command(fact).is_some_and(|command| command.sense.is_some_and(Sense::is_of_a_lost_sector))
        });
        let confidence = match (local, medium) {
            (true, _) if case.has_local_disks_alone() && !has_no_identity(case) => Confidence::Certain,
            (true, _) => Confidence::Likely,
            (false, true) if total(&broken) >= FAILURES_MIN || is_final => Confidence::Likely,
            (false, _) => Confidence::Possible,
        };
        let proof = Proof::new(confidence, because, broken).and_collect(NEXT);
        let of_an_array = !local
            && medium
            && case.incident.devices.iter().any(|&device| case.scene.names.text(device).starts_with("naa.6"));
        return Judgement::Met(if of_an_array { proof.in_words(&words::MEDIUM_OF_AN_ARRAY) } else { proof });
    }
    let failing = case.all(|fact| match &fact.kind {
        Kind::Command(command) => command
            .host
            .is_some_and(|status| status == HostStatus::BUS_BUSY || status.leaves_the_command_open()),
        Kind::Task { task, .. } => *task != TaskKind::Abort || is_of_a_local_driver(fact),
        _ => false,
    });
    if local && one_host && total(&failing) >= FAILURES_MIN {
        let because = format!(
            "The device is a local disk that one host uses alone, and {} of its commands or resets failed. No other host can have written \
             there: whatever was late or false comes from the disk, its controller or its driver.",
            total(&failing)
        );
        let lines: Vec<&Fact> =
            failing.into_iter().take(4).chain(case.stakes().into_iter().take(2)).collect();
        return Judgement::Met(Proof::new(Confidence::Likely, because, lines).and_collect(NEXT));
    }
    off_the_bus(case).unwrap_or_else(|| given_up(case))
}

/// A volume that an ESXi host made for itself on the medium that it starts from; no other host uses it.
fn is_of_the_boot_medium(volume: &str) -> bool {
    ["LOCKER-", "OSDATA-", "BOOTBANK"].iter().any(|start| volume.starts_with(start))
}

/// A record of a local volume is damaged, and commands to the device below it fail: whatever broke the record went over that device. A damaged record
/// stays damaged, so that the two may be hours apart.
pub fn below_a_damaged_record<'a>(case: &Case<'a>) -> Judgement<'a> {
    let damaged = case.locks(|lock| lock.step == LockStep::Corrupt);
    let volumes = &case.incident.volumes;
    let of_boot = volumes.iter().any(|&volume| is_of_the_boot_medium(case.scene.names.text(volume)));
    if damaged.is_empty() || !of_boot {
        return Judgement::Silent;
    }
    let told = case.scene.knowledge;
    let devices: BTreeSet<_> = volumes
        .iter()
        .filter_map(|volume| told.carriers(*volume, case.when()))
        .flat_map(std::borrow::Cow::into_owned)
        .collect();
    let fails = |fact: &&'a Fact| {
        let of_it = fact.device.is_some_and(|device| devices.contains(&device));
        let failed = command(fact).is_some_and(|command| {
            command.sense.is_some_and(Sense::is_broken)
                || command.host.is_some_and(|status| !matches!(status.0, 0))
        });
        of_it && failed && damaged.iter().take(FIRST).any(|record| same_host(record, fact))
    };
    let failing: Vec<&Fact> = case.scene.facts.iter().filter(fails).take(4).collect();
    if failing.is_empty() {
        return Judgement::Silent;
    }
    let because = "A record on a volume that this host made for itself on its boot medium is damaged, and commands to that very device fail. No other host writes there: the \
                   medium, its controller or its driver broke the record. Whether the medium is worn out or only loses its connection, these lines do not tell.";
    let lines = failing.into_iter().chain(damaged.into_iter().take(4)).collect();
    let proof = Proof::new(Confidence::Likely, because, lines).in_words(&words::BOOT_MEDIUM);
    Judgement::Met(proof.and_collect(
        "Which medium the host starts from (`esxcli system boot device get`), the host's version, and all lines about that device since its last start.",
    ))
}

/// A register of PCI Express that reads as ones alone is no answer: the device is not on its bus (drivers/nvme/host/pci.c).
fn off_the_bus<'a>(case: &Case<'a>) -> Option<Judgement<'a>> {
    let silent =
        case.all(|fact| matches!(fact.kind, Kind::Task { .. }) && fact.text.contains("CSTS=0xffffffff"));
    let because = "A local NVMe drive stopped answering on its bus (its status register reads as ones alone), and the driver resets it: the drive itself, its \
                   firmware, its slot, its power, or its power saving. Nothing between hosts is in question.";
    let proof = Proof::new(Confidence::Possible, because, silent.clone()).and_collect(NEXT).and_collect(
        "Whether it stays away without power saving: the driver's own advice is `nvme_core.default_ps_max_latency_us=0 pcie_aspm=off` on the kernel's command line.",
    );
    (!silent.is_empty()).then_some(Judgement::Met(proof))
}

/// The driver of a bus within the host gave a disk up: the disk, its cable, its power or its port.
fn given_up<'a>(case: &Case<'a>) -> Judgement<'a> {
    let lost = case.all(|fact| fact.kind == Kind::Path(PathEvent::GivenUp));
    if lost.is_empty() {
        return Judgement::Silent;
    }
    let because = "The driver of a bus within this host gave a disk up after its resets did not help: the disk itself, its cable, its power or its port. \
                   Nothing between hosts is in question.";
    Judgement::Met(Proof::new(Confidence::Possible, because, lost).and_collect(NEXT).and_collect(
        "The kernel's lines of the minutes before (`exception`, `hard resetting link`, `SError`), and whether somebody pulled the disk.",
    ))
}

const NEXT: &str = "SMART data of the disk (`esxcli storage core device smart get -d DEVICE`, `smartctl -x`), its firmware, and its controller's driver.";

/// A SATA controller's driver: what it resets is a disk in this host's own case, whatever volume suffers. That a command of one disk had no answer, as FreeBSD tells
/// by its channel (`ahcich2`), may be the cable or what several disks share.
fn is_of_a_local_driver(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Task { .. }) && fact.text.contains("ahci") && !fact.text.contains(":ahcich")
}

/// Commands that ask the device about itself, through layers that may not know how: ATA PASS-THROUGH, MODE SENSE, LOG SENSE, INQUIRY.
const fn asks_the_device(opcode: Opcode) -> bool {
    matches!(opcode.0, 0x85 | 0xa1 | 0x1a | 0x5a | 0x4d | 0x12)
}

/// Whether a device is named by its path alone, for it tells no identity of its own: an old disk, a card reader, an optical drive.
fn has_no_identity(case: &Case<'_>) -> bool {
    case.incident.devices.iter().any(|&device| case.scene.names.text(device).starts_with("mpx."))
}
