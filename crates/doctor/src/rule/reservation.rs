//! `reservation`: another host's SCSI reservation stands in the way.

use super::case::{Case, total};
use super::{Confidence, Judgement, Proof};
use crate::fact::{Command, DeviceStatus, Kind, PluginStatus};

/// A conflict is said by the device itself (18h, SAM-5 5.3.1); a reservation that was lost, by the plug-in alone, is
/// proof only where the command reached the device at all.
pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let conflicts = case.commands(is_conflict);
    let failing = case.all(|fact| fact.kind == Kind::ReservationConflicts);
    let lost = case.commands(|command| {
        command.plugin == Some(PluginStatus::RESERVATION_LOST)
            && !is_conflict(command)
            && command.host.is_none_or(|host| host.0 == 0)
    });
    let count = total(&conflicts) + total(&failing);
    let mut lines = conflicts;
    lines.extend(failing);
    if !lines.is_empty() {
        let because = format!(
            "The device answered RESERVATION CONFLICT (D:0x18), or the host gave up because of such answers, {count} time(s): \
             another host holds a SCSI reservation. This is no answer to an atomic test and set; the command was not executed."
        );
        let proof = Proof::new(Confidence::Certain, because, lines).and_collect(
            "Who holds it: `esxcli storage core device stats get` and `vmkfstools -L readkeys /vmfs/devices/disks/DEVICE` on ESXi, \
             `sg_persist --in --read-reservation DEVICE` on Linux; and whether that host lives.",
        );
        return Judgement::Met(proof);
    }
    if lost.is_empty() {
        return Judgement::Silent;
    }
    let because = "The multipathing plug-in says that a reservation was lost (P:0x3); the device itself said nothing of a conflict.";
    Judgement::Met(Proof::new(Confidence::Possible, because, lost))
}

fn is_conflict(command: &Command) -> bool {
    command.device == Some(DeviceStatus::RESERVATION_CONFLICT)
}
