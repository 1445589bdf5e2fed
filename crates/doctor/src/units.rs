//! Units that a line names by their numbers alone: `sd 7:0:0:9: reservation conflict`, `path vmhba2:C0:T3:L9 failed`.
//!
//! Such numbers are a subject of their own. What the unit behind them says is said of that unit, and not of whichever disk stands near in
//! the log: it is that disk's only where a line names both together.

use std::collections::{BTreeSet, HashMap};

use crate::fact::{Command, DeviceStatus, Fact, Kind, PathEvent};
use crate::names::{Name, Names};
use crate::text::whole;

/// A unit by its numbers, whichever way they are written: adapter, channel, target, unit.
type Numbers<'a> = (&'a str, u64, u64, u64);

/// Gives what units say of themselves a device: the one that another line of that host names with the same numbers, else the numbers.
pub fn settle(facts: &mut [Fact], names: &Names) {
    let mut known: HashMap<Numbers<'_>, BTreeSet<(Option<Name>, Name)>> = HashMap::new();
    for fact in facts.iter() {
        if let (Some(device), Some(numbers)) = (fact.device, fact.path.and_then(|path| numbers(names, path)))
        {
            known.entry(numbers).or_default().insert((fact.host, device));
        }
    }
    for fact in facts.iter_mut().filter(|fact| fact.device.is_none() && fact.volume.is_none()) {
        let Some(path) = fact.path.filter(|_| is_said_by_a_unit(&fact.kind)) else { continue };
        let Some(numbers) = numbers(names, path) else { continue };
        let of_host =
            |&&(host, _): &&(Option<Name>, Name)| host.is_none() || fact.host.is_none() || host == fact.host;
        let devices: BTreeSet<Name> =
            known.get(&numbers).into_iter().flatten().filter(of_host).map(|&(_, device)| device).collect();
        fact.device = match devices.first() {
            Some(&device) if devices.len() == 1 => Some(device),
            _ if is_an_atomic_test(&fact.kind) => None,
            _ => Some(path),
        };
    }
}

/// Whether a name is nothing but the numbers of a unit, which mean something on one host alone.
pub fn is_numbers(name: &str) -> bool {
    parse(name).is_some()
}

fn numbers(names: &Names, path: Name) -> Option<Numbers<'_>> {
    parse(names.text(path))
}

/// `2:0:0:1`, `vmhba2:C0:T3:L9`, and as ESX 3.5 had it `vmhba2:3:9` and `vmhba2:3:9:1`, whose last number is a partition's.
fn parse(path: &str) -> Option<Numbers<'_>> {
    let parts: Vec<&str> = path.split(':').collect();
    let number = |part: &str| whole(part.trim_start_matches(['C', 'T', 'L']));
    let first = *parts.first()?;
    let of_vmware = first.starts_with("vmhba");
    match parts[..] {
        [_, channel, target, unit] if !of_vmware || channel.starts_with('C') => {
            whole(first).is_some().then_some(()).or(of_vmware.then_some(()))?;
            Some((first, number(channel)?, number(target)?, number(unit)?))
        }
        [_, target, unit] | [_, target, unit, _] if of_vmware => {
            Some((first, 0, number(target)?, number(unit)?))
        }
        _ => None,
    }
}

/// The adapter and the number of the target in the numbers of a unit.
pub fn adapter_and_target(path: &str) -> Option<(&str, u64)> {
    parse(path).map(|(adapter, _, target, _)| (adapter, target))
}

/// Whether it is what a unit itself answered or is found to be, or that its host uses it no more. What happened to the way there is of the way: a lost path and a notice of a
/// reset tell of the adapter and of the target too, whichever unit's command met them.
fn is_said_by_a_unit(kind: &Kind) -> bool {
    match kind {
        Kind::Command(command) => answered(command),
        Kind::Path(event) => matches!(event, PathEvent::Offline | PathEvent::GivenUp),
        Kind::Medium | Kind::ReservationConflicts | Kind::Snapshot | Kind::Space(_) => true,
        _ => false,
    }
}

fn answered(command: &Command) -> bool {
    let of_the_way = |key: u8| matches!(key, 2 | 6 | 0xb);
    let refused = command
        .device
        .is_some_and(|status| status != DeviceStatus::GOOD && status != DeviceStatus::CHECK_CONDITION);
    refused || command.sense.is_some_and(|sense| !of_the_way(sense.key))
}

fn is_an_atomic_test(kind: &Kind) -> bool {
    matches!(kind, Kind::Command(command) if command.is_ats())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Doctor;

    fn judge(log: &str) -> Vec<(String, String, Vec<String>)> {
        let mut doctor = Doctor::new();
        doctor.read("messages", &mut log.as_bytes(), &mut |_| {});
        let incidents = doctor.judge().incidents.into_iter();
        incidents.map(|found| (found.cause, found.confidence, found.devices)).collect()
    }

    const FALSE: &str = "\
2026-03-02T02:00:09Z tern kernel: sd 3:0:0:4: [sdf] tag#1 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK
2026-03-02T02:00:09Z tern kernel: sd 3:0:0:4: [sdf] tag#1 Sense Key : Miscompare [current]
2026-03-02T02:00:09Z tern kernel: sd 3:0:0:4: [sdf] tag#1 Add. Sense: Miscompare during verify operation
2026-03-02T02:00:09Z tern kernel: sd 3:0:0:4: [sdf] tag#1 CDB: Compare and write 89 00 00 00 00 00 00 00 10 00 00 00 00 01 00 00
";

    #[test]
    fn a_unit_is_its_numbers_however_they_are_written() {
        assert_eq!(parse("2:0:0:1"), Some(("2", 0, 0, 1)));
        assert_eq!(parse("vmhba2:C0:T3:L9"), Some(("vmhba2", 0, 3, 9)));
        assert_eq!(parse("vmhba2:3:9:1"), parse("vmhba2:C0:T3:L9"));
        assert_eq!(parse("vmhba2:3:9"), parse("vmhba2:C0:T3:L9"));
        for other in ["vmhba2", "host3", "rport-2:0-3", "connection1:0", "vmhba64:CH:0", "naa.6005:1"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_unit_says_behind_other_numbers_is_not_of_the_disk_nearby() {
        for said in [
            "sd 7:0:0:9: reservation conflict",
            "sg 6:0:3:0: [sg4] Sense Key : Medium Error [current]",
            "st 6:0:1:0: reservation conflict",
            "st 6:0:1:0: [st0] Sense Key : Data Protect [current]",
            "sd 7:0:0:9: Sense Key : Medium Error [current]",
        ] {
            let log = format!("2026-03-02T02:00:01Z tern kernel: {said}\n{FALSE}");
            for (cause, confidence, devices) in judge(&log) {
                let of_the_disk = devices.iter().any(|device| device == "sdf");
                assert!(
                    !of_the_disk || cause == "cannot-tell" || confidence == "possible",
                    "{said}: {cause}"
                );
            }
        }
    }

    #[test]
    fn what_a_unit_says_is_of_the_disk_that_a_line_names_with_its_numbers() {
        let log = format!("2026-03-02T02:00:01Z tern kernel: sd 3:0:0:4: reservation conflict\n{FALSE}");
        let found = judge(&log);
        assert!(
            found.iter().any(|(cause, _, devices)| cause == "reservation" && devices == &["sdf"]),
            "{found:?}"
        );
    }

    #[test]
    fn a_path_of_another_target_and_unit_is_another_device() {
        let late = "2026-03-02T02:00:09.000Z esx3 vmkernel: cpu3:2097)NMP: nmp_ThrottleLogForDevice:3303: Cmd 0x89 (0x43be, 2097) to dev \"naa.60060e80aa\" on path \"vmhba2:C0:T0:L4\" Failed: H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0. Act:NONE\n";
        for said in [
            "ScsiPath: 5133: Command 0x5f (cmdSN 0x0, World 0) to path vmhba2:C0:T3:L9 failed H:0x0 D:0x18 P:0x0",
            "WARNING: SCSI: 4519: Reservation error: SCSI reservation conflict on vmhba2:C0:T3:L9",
            "LVM: 5573: Device vmhba2:3:9:1 is a snapshot:",
        ] {
            let log = format!("2026-03-02T02:00:01.000Z esx3 vmkernel: cpu2:2097){said}\n{late}");
            let found = judge(&log);
            let strange = |cause: &str| ["reservation", "snapshot-signature"].contains(&cause);
            assert!(
                found.iter().all(|(cause, _, devices)| !strange(cause)
                    || devices.iter().all(|name| name != "naa.60060e80aa")),
                "{said}: {found:?}"
            );
        }
    }
}
