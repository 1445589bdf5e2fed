//! `device-fault`: a disk fails, most often a local one that nobody else uses.

use super::case::{Case, command, total};
use super::{Confidence, Judgement, Proof};
use crate::fact::{Fact, HostStatus, Kind, PathEvent, Sense, TaskKind};
use crate::text::decimal;

/// Adapters that ESXi's own software makes have numbers from here on.
const FIRST_SOFTWARE_ADAPTER: u64 = 32;
/// A few failures may be a hiccup.
const FAILURES_MIN: u64 = 2;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let broken = case.all(|fact| {
        fact.kind == Kind::Medium
            || command(fact).is_some_and(|command| command.sense.is_some_and(Sense::is_broken))
    });
    let local = case.incident.devices.iter().any(|&device| is_local(case.scene.names.text(device)))
        || case.incident.devices.is_empty() && !case.all(is_of_a_local_driver).is_empty();
    let one_host = case.incident.hosts.len() <= 1;
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
        let confidence = match (local, medium) {
            (true, _) => Confidence::Certain,
            (false, true) if total(&broken) >= FAILURES_MIN => Confidence::Likely,
            (false, _) => Confidence::Possible,
        };
        return Judgement::Met(Proof::new(confidence, because, broken).and_collect(NEXT));
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

/// A SATA controller's driver: what it resets is a disk in this host's own case, whatever volume suffers.
fn is_of_a_local_driver(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Task { .. }) && fact.text.contains("ahci")
}

/// Names that VMware gives to disks that are not on a network. `t10.NVMe` is none of them: a namespace behind NVMe over Fabrics has it too.
pub(super) fn is_local(device: &str) -> bool {
    // `mpx.` is a device without an identity of its own, named by its path; adapters from vmhba32 on are USB or iSCSI.
    let of_adapter = device.strip_prefix("mpx.vmhba").and_then(decimal);
    of_adapter.is_some_and(|adapter| adapter < FIRST_SOFTWARE_ADAPTER)
        || ["t10.ATA", "t10.SATA", "t10.USB"].iter().any(|start| device.starts_with(start))
}
