//! `device-fault`: a disk fails, most often a local one that nobody else uses.

use super::case::{Case, command, total};
use super::{Confidence, Judgement, Proof};
use crate::fact::{Fact, HostStatus, Kind, Sense, TaskKind};

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
    Judgement::Silent
}

const NEXT: &str = "SMART data of the disk (`esxcli storage core device smart get -d DEVICE`, `smartctl -x`), its firmware, and its controller's driver.";

/// A SATA controller's driver: what it resets is a disk in this host's own case, whatever volume suffers.
fn is_of_a_local_driver(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Task { .. }) && fact.text.contains("ahci")
}

/// Names that VMware gives to disks that are not on a network.
fn is_local(device: &str) -> bool {
    ["t10.ATA", "t10.NVMe", "mpx.vmhba", "t10.SATA", "t10.USB"].iter().any(|start| device.starts_with(start))
}
