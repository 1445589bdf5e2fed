//! `reservation`: another host's SCSI reservation stands in the way.

use super::case::{Case, command, total};
use super::{Confidence, Judgement, Proof, words};
use crate::fact::{Command, DeviceStatus, Fact, Kind, Opcode, PluginStatus};
use crate::text::{after, number};

/// A conflict is said by the device itself (18h, SAM-5 5.3.1); a reservation that was lost, by the plug-in alone, is
/// proof only where the command reached the device at all.
pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let by_fence = super::fenced::after_a_fence(case);
    let conflicts = case.all(|fact| {
        command(fact).is_some_and(is_conflict) && !by_fence.iter().any(|known| std::ptr::eq(*known, fact))
    });
    let failing = case.all(|fact| fact.kind == Kind::ReservationConflicts);
    let lost = case.commands(|command| {
        command.plugin == Some(PluginStatus::RESERVATION_LOST)
            && !is_conflict(command)
            && command.host.is_none_or(|host| host.0 == 0)
    });
    let count = total(&conflicts) + total(&failing);
    let on_linux =
        !conflicts.is_empty() && failing.is_empty() && conflicts.iter().all(|fact| is_of_linux(fact));
    let of_guests = case.stakes().is_empty()
        && case.incident.volumes.is_empty()
        && conflicts.iter().chain(&failing).all(|fact| is_of_a_guest(fact));
    let of_a_scan = case.stakes().is_empty()
        && case.incident.volumes.is_empty()
        && !carries_a_volume(case)
        && conflicts.iter().chain(&failing).all(|fact| only_looks(fact));
    // ESX before VMFS-5, and later without ATS: RESERVE itself is what is refused, or the host names the changes that it tried.
    let by_locks = failing.iter().any(|fact| is_of_metadata(fact))
        || !conflicts.is_empty()
            && conflicts
                .iter()
                .all(|fact| command(fact).is_some_and(|known| known.opcode == Some(Opcode::RESERVE)));
    let mut lines = conflicts;
    lines.extend(failing);
    if on_linux {
        let proof = Proof::new(Confidence::Likely, UNREGISTERED, lines).in_words(&words::NOT_ALLOWED);
        return Judgement::Met(proof.and_collect(ON_LINUX).and_collect(
            "How the cluster fences (`pcs stonith config`): does it name this path alone (`/dev/sdX`), or the whole map (`/dev/mapper/...`)?",
        ));
    }
    if !lines.is_empty() && of_guests {
        let proof = Proof::new(Confidence::Likely, GUESTS, lines).in_words(&words::CLUSTERED_DISK);
        return Judgement::Met(proof.and_collect(
            "What the device is: a raw mapping of virtual machines (`vmkfstools -q`), a disk of a Windows failover cluster, or a shared VMFS volume?",
        ));
    }
    if !lines.is_empty() && of_a_scan {
        let proof = Proof::new(Confidence::Likely, SCAN, lines).in_words(&words::CLUSTERED_DISK);
        return Judgement::Met(proof.and_collect(
            "Whether the device is a raw mapping of virtual machines (`vmkfstools -q`) or carries a VMFS volume (`esxcli storage vmfs extent list`), and whether it is marked already \
             (`esxcli storage core device list -d DEVICE`: Is Perennially Reserved).",
        ));
    }
    if !lines.is_empty() {
        let because = format!(
            "The device answered RESERVATION CONFLICT (D:0x18), or the host gave up because of such answers, {count} time(s): \
             another host holds a SCSI reservation, or, where hosts register for a persistent one, \
             this path is not registered. This is no answer to an atomic test and set; the command was not executed."
        );
        let proof = Proof::new(Confidence::Certain, because, lines).and_collect(
            "Who holds it: `esxcli storage core device stats get` and `vmkfstools -L readkeys /vmfs/devices/disks/DEVICE` on ESXi, \
             `sg_persist --in --read-reservation DEVICE` on Linux; and whether that host lives.",
        );
        return Judgement::Met(if by_locks { proof.in_words(&words::LOCKING_BY_RESERVATION) } else { proof });
    }
    if lost.is_empty() && !by_fence.is_empty() {
        return Judgement::Aside(
            "The host met reservation conflicts after it had been fenced: they are the fence at work, not a reservation that stands in the way.".to_owned(),
        );
    }
    if lost.is_empty() {
        return Judgement::Silent;
    }
    let because = "The multipathing plug-in says that a reservation was lost (P:0x3); the device itself said nothing of a conflict.";
    Judgement::Met(Proof::new(Confidence::Possible, because, lost))
}

const UNREGISTERED: &str = "The device answered RESERVATION CONFLICT to this Linux host. Linux reserves nothing by itself: there it is a persistent \
                            reservation, of this host's own cluster (fence_scsi, fence_mpath, a database's) or of another, and this host's key is not \
                            registered over this path, or no longer. The command was not executed. Which of the two it is, no line here tells.";
const ON_LINUX: &str = "The keys and the reservation, for every path of the map: `sg_persist --in --read-keys /dev/sdX`, `sg_persist --in --read-reservation \
                        /dev/sdX`. A key that is there once for each path but this one: this path is not registered. None of this host's: it was fenced, or \
                        never let in.";

const GUESTS: &str = "The device answered RESERVATION CONFLICT to commands of guests or of Windows, and no volume, heartbeat or atomic test and set is among \
                      these lines. A cluster of such machines reserves its shared disks all the time: its other nodes, and every ESXi host that only scans \
                      the device, then meet this answer every day. The commands were not executed.";

const SCAN: &str = "The device answered RESERVATION CONFLICT to reads and questions of an ESXi host alone, and no write, heartbeat, atomic test and set or volume is among these lines: the \
                    host only looked what the device is, as it does when it starts and when it scans. So it meets a disk that a cluster of guests reserves for good; each such look waits \
                    for its time-out, and starts and rescans take long. The commands were not executed.";

/// Whether a line is about a command that asks or reads, or about a partition table that could not be read.
fn only_looks(fact: &Fact) -> bool {
    match command(fact) {
        Some(command) => command
            .opcode
            .is_some_and(|opcode| !opcode.writes() && opcode != Opcode::RESERVE && !opcode.is_ats()),
        None => fact.text.contains("Partition:"),
    }
}

/// Whether any line ties a volume to one of the devices.
fn carries_a_volume(case: &Case<'_>) -> bool {
    let known = case.scene.knowledge;
    case.incident.devices.iter().any(|&device| known.carried(device, case.when()).is_some())
}

/// From here on a command's serial number is a guest's own; the host's own commands count from small numbers.
pub const FIRST_OF_GUESTS: u64 = 0x8000_0000;

/// Whether a conflict was a guest's or a Windows machine's, by what its line says; a throttled line names no serial number.
fn is_of_a_guest(fact: &Fact) -> bool {
    let serial = after(&fact.text, "CmdSN ").and_then(number);
    let of_windows = fact.text.contains("com.microsoft");
    let unsaid = fact.text.contains("nmp_ThrottleLogForDevice")
        && command(fact).is_some_and(|command| !command.is_ats());
    of_windows || serial.is_some_and(|serial| serial >= FIRST_OF_GUESTS) || unsaid
}

/// sg3_utils' word for a status.
const BY_HAND: &str = "SCSI status: Reservation Conflict";

/// Linux's kernel names neither the command nor VMware's statuses beside a conflict, and calls it EBADE to programs.
fn is_of_linux(fact: &Fact) -> bool {
    // Kernels before 2.6.28 print the status once more, as a byte of their own number.
    if fact.text.contains("SCSI error") && fact.text.contains("return code = 0x") {
        return true;
    }
    command(fact).is_some_and(|command| {
        command.host.is_none()
            && command.plugin.is_none()
            && (command.opcode.is_none() || command.nvme.is_some() || fact.text.contains(BY_HAND))
    }) && [
        "reservation conflict",
        "critical nexus error",
        "eservation Conflict (sct",
        ": Invalid exchange",
        BY_HAND,
    ]
    .iter()
    .any(|mark| fact.text.contains(mark))
}

/// A change of metadata that a host gave up because of reservations.
fn is_of_metadata(fact: &Fact) -> bool {
    ["Sync CR at", "too many reservation conflicts", "committing txn", ") : RESERVATION CONFLICT"]
        .iter()
        .any(|words| fact.text.contains(words))
}

fn is_conflict(command: &Command) -> bool {
    command.device == Some(DeviceStatus::RESERVATION_CONFLICT)
}
