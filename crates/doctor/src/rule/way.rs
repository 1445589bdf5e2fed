//! The way that a command took: which adapter, and whether what happened to an adapter can have touched it.
//!
//! A host has several adapters, and a LUN is reached over some of them. What one adapter suffers is no proof about commands that
//! are known to have gone over another.

use std::collections::BTreeSet;

use super::case::{Case, FIRST, JUST_BEFORE_US, command, total};
use crate::fact::{Command, DeviceStatus, Fact, Kind};
use crate::incident::SLOW_US;
use crate::names::Name;
use crate::ports;
use crate::scene::{before, near, same_host};
use crate::text::{after, decimal, whole};

/// An adapter, by the name or the number that its host gives it. Two of different forms are not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Adapter<'a> {
    /// `vmhba2`
    Vmware(&'a str),
    /// Linux's SCSI host: the first number of `2:0:0:1`, of `host2`, of `rport-2:0-3`, and in front of what qla2xxx says.
    Linux(u64),
    /// A controller of NVMe: `nvme3`, and the one that `nvme1c3n1` is reached over.
    Nvme(u64),
    /// A session or a connection of iSCSI: in their own numbers.
    Other(&'a str),
}

/// A way, as far as a line tells it: an adapter, the target behind it, the unit behind that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way<'a> {
    adapter: Adapter<'a>,
    target: Option<u64>,
    unit: Option<u64>,
}

impl<'a> Way<'a> {
    fn of(case: &Case<'a>, fact: &'a Fact) -> Option<Way<'a>> {
        let alone = |adapter| Way { adapter, target: None, unit: None };
        let Some(name) = adapter(case, fact) else {
            let of_a_port = of_qlogic(&fact.text).map(Adapter::Linux);
            return of_a_port.or_else(|| of_a_path_of_nvme(case.text(fact.device)?)).map(alone);
        };
        let number = ["host", "rport-", ""].iter().find_map(|start| whole(name.strip_prefix(start)?));
        let adapter = match (number, name.strip_prefix("nvme").and_then(whole)) {
            _ if name.starts_with("vmhba") => Adapter::Vmware(name),
            (Some(number), _) => Adapter::Linux(number),
            (None, Some(controller)) => Adapter::Nvme(controller),
            (None, None) => Adapter::Other(name),
        };
        // `vmhba2:C0:T7:L31`, `2:0:7:31`; and `vmhba64:CH:0 T:1 CN:0`, as ESXi's iSCSI has it.
        let parts: Vec<&str> = case.text(fact.path).unwrap_or_default().split(':').collect();
        let number = |part: &str| whole(part.trim_start_matches(['T', 'L']));
        Some(match parts[..] {
            [_, _, target, unit] => Way { adapter, target: number(target), unit: number(unit) },
            [_, "CH", _] => Way { target: after(&fact.text, " T:").and_then(decimal), ..alone(adapter) },
            _ => alone(adapter),
        })
    }

    /// The way that a line tells; where it tells a driver alone, those of all adapters of that driver.
    fn all_of(case: &Case<'a>, fact: &'a Fact) -> Vec<Way<'a>> {
        if let Some(way) = Way::of(case, fact) {
            return vec![way];
        }
        let numbers = case.scene.knowledge.drivers.numbers(fact.host, &fact.text);
        numbers
            .into_iter()
            .map(|number| Way { adapter: Adapter::Linux(number), target: None, unit: None })
            .collect()
    }

    /// Whether the kernel said that this is an adapter of another driver than a line is of.
    fn is_of_another_driver(&self, case: &Case<'_>, fact: &Fact) -> bool {
        matches!(self.adapter, Adapter::Linux(number) if case.scene.knowledge.drivers.is_of_another(fact.host, number, &fact.text))
    }

    /// Whether two may be one: what either does not tell is no difference, and one unit may be behind several targets.
    fn may_be(&self, other: &Way<'_>) -> bool {
        let differ =
            |one: Option<u64>, other: Option<u64>| one.zip(other).is_some_and(|(one, other)| one != other);
        let one_unit = self.unit.is_some() && self.unit == other.unit;
        self.adapter == other.adapter && (one_unit || !differ(self.target, other.target))
    }
}

/// `qla2xxx [0000:81:00.1]-500b:10: LOOP DOWN detected`: the SCSI host stands behind the number of the message (drivers/scsi/qla2xxx/qla_dbg.c).
fn of_qlogic(text: &str) -> Option<u64> {
    let (_, rest) = after(text, "qla2xxx [")?.split_once("]-")?;
    whole(rest.split(':').nth(1)?)
}

/// `nvme1c3n1` is what the multipathing of NVMe calls the path to `nvme1n1` over the controller `nvme3` (drivers/nvme/host/core.c).
fn of_a_path_of_nvme<'a>(device: &str) -> Option<Adapter<'a>> {
    let (_, path) = device.strip_prefix("nvme")?.split_once('c')?;
    whole(path.split('n').next()?).map(Adapter::Nvme)
}

/// Adapters that ESXi's software makes for iSCSI and NVMe over TCP have numbers from here on.
const FIRST_OF_NETWORKS: u64 = 64;

/// `vmhba2` of `vmhba2:C0:T0:L6`.
pub fn adapter<'a>(case: &Case<'a>, fact: &Fact) -> Option<&'a str> {
    case.text(fact.path).map(|path| path.split(':').next().unwrap_or(path))
}

/// Whether a line is about an adapter that ESXi's software makes for a network.
pub fn is_of_a_software_adapter(text: &str) -> bool {
    after(text, "vmhba").and_then(decimal).is_some_and(|adapter| adapter >= FIRST_OF_NETWORKS)
}

/// The adapters over which the incident's devices are reached, as any line of the logs says: those that it names, and those that carry its
/// volumes.
fn ways<'a>(case: &Case<'a>) -> BTreeSet<Way<'a>> {
    let (devices, volumes) = (&case.incident.devices, &case.incident.volumes);
    let mut devices: BTreeSet<Name> = devices.iter().copied().collect();
    for carriers in volumes.iter().filter_map(|&volume| case.scene.knowledge.carriers(volume, case.when())) {
        devices.extend(carriers.iter());
    }
    // `vmhba2` of another host is another adapter.
    let hosts = &case.incident.hosts;
    let of_its_hosts = |fact: &Fact| hosts.is_empty() || fact.host.is_none_or(|host| hosts.contains(&host));
    let of_these =
        |fact: &&Fact| fact.device.is_some_and(|device| devices.contains(&device)) && of_its_hosts(fact);
    case.scene.facts.iter().filter(of_these).filter_map(|fact| Way::of(case, fact)).collect()
}

/// Whether all of these lead over a network's adapter.
fn are_of_a_network(ways: &BTreeSet<Way<'_>>) -> bool {
    !ways.is_empty()
        && ways
            .iter()
            .all(|way| matches!(way.adapter, Adapter::Vmware(name) if is_of_a_software_adapter(name)))
}

/// Whether the host has adapters of another kind than those that were lost, a fabric's or a network's: over which of them the device is reached, nobody says.
fn has_ways_of_both_kinds(case: &Case<'_>, lost: &[Way<'_>]) -> bool {
    let kind = |name: &str| name.starts_with("vmhba").then(|| is_of_a_software_adapter(name));
    let of_the_lost: BTreeSet<bool> = lost
        .iter()
        .filter_map(|way| if let Adapter::Vmware(name) = way.adapter { kind(name) } else { None })
        .collect();
    let mut known = case.scene.knowledge.fabric().filter_map(|path| kind(case.scene.names.text(path)));
    of_the_lost.len() == 1 && known.any(|kind| !of_the_lost.contains(&kind))
}

/// Whether any line ties what happened to an adapter, a link or a path to the incident's own device: it names the device, or the adapter is
/// one over which the device is reached, or a command that may have been under way over it was left without an answer.
pub fn is_of_this_device(case: &Case<'_>, hit: &[&Fact]) -> bool {
    if names_this_device(case, hit) {
        return true;
    }
    let own = commands_to_devices(case);
    let ways = ways(case);
    let lost: Vec<Way<'_>> = hit.iter().take(FIRST).flat_map(|fact| Way::all_of(case, fact)).collect();
    // The ways are known, and what was lost is none of them; or it is Fibre Channel's, and they are a network's.
    let both = |form: fn(&Adapter<'_>) -> bool| {
        lost.iter().any(|way| form(&way.adapter)) && ways.iter().any(|way| form(&way.adapter))
    };
    let of_another_driver = !ways.is_empty()
        && hit.iter().take(FIRST).all(|fact| ways.iter().all(|way| way.is_of_another_driver(case, fact)));
    let elsewhere = of_another_driver
        || both(|way| matches!(way, Adapter::Vmware(_)))
        || both(|way| matches!(way, Adapter::Linux(_)))
        || both(|way| matches!(way, Adapter::Nvme(_)));
    if elsewhere
        || are_of_another_protocol(case, &own, &lost)
        || lost.is_empty() && are_of_a_network(&ways)
        || ways.is_empty() && has_ways_of_both_kinds(case, &lost)
        || case.is_of_local_volumes_alone()
    {
        return false;
    }
    // Lines that name no device contradict nothing.
    let was_slow = was_slow_before(case, hit);
    own.is_empty() || own.iter().take(FIRST).any(|fact| was_taken_by(fact, hit, was_slow))
}

/// Whether the device was slow or busy long before anything was lost: then a command that was given up before the loss waited for that.
pub fn was_slow_before(case: &Case<'_>, lost: &[&Fact]) -> bool {
    /// A queue that was full once is everyday, and so is one slow command.
    const BUSY_MIN: u64 = 3;
    const SLOW_MIN: u64 = 2;
    let is_before = |fact: &Fact| {
        lost.iter()
            .take(FIRST)
            .any(|lost| same_host(lost, fact) && before(fact, lost) && !near(lost, fact, TOLD_LATE_US))
    };
    let is_busy = |fact: &Fact| {
        let status = command(fact).and_then(|command| command.device);
        status.is_some_and(|status| matches!(status, DeviceStatus::BUSY | DeviceStatus::TASK_SET_FULL))
    };
    let is_slow = |fact: &Fact| matches!(fact.kind, Kind::Latency { now_us, .. } if now_us >= SLOW_US);
    let of_before = |mut facts: Vec<&Fact>| {
        facts.truncate(FIRST);
        facts.retain(|fact| is_before(fact));
        total(&facts)
    };
    of_before(case.all(is_slow)) >= SLOW_MIN || of_before(case.all(is_busy)) >= BUSY_MIN
}

/// A way that fails takes commands before anybody tells of it: a port waits for its light, a session for an answer to its ping.
pub const TOLD_LATE_US: i64 = 10_000_000;

/// Whether a command stayed without an answer that was under way when something was lost: what had ended long before that was not taken by it.
fn was_taken_by(fact: &Fact, lost: &[&Fact], was_slow: bool) -> bool {
    command(fact).is_some_and(Command::unanswered)
        && lost.iter().take(FIRST).any(|lost| {
            let is_before = before(fact, lost);
            let within = if is_before { TOLD_LATE_US } else { JUST_BEFORE_US };
            !(is_before && was_slow) && same_host(lost, fact) && near(lost, fact, within)
        })
}

/// Whether all that was lost speaks another protocol than the devices: no controller of NVMe is on the way to a disk of SCSI, and no session
/// of iSCSI on that to a namespace of NVMe.
fn are_of_another_protocol(case: &Case<'_>, own: &[&Fact], lost: &[Way<'_>]) -> bool {
    let all_lost =
        |form: fn(&Adapter<'_>) -> bool| !lost.is_empty() && lost.iter().all(|way| form(&way.adapter));
    let all_own = |starts: &[&str]| {
        let is_one = |fact: &&Fact| {
            case.text(fact.device).is_some_and(|name| starts.iter().any(|start| name.starts_with(start)))
        };
        !own.is_empty() && own.iter().take(FIRST).all(is_one)
    };
    all_lost(|way| matches!(way, Adapter::Nvme(_))) && all_own(&["sd", "naa."])
        || all_lost(|way| matches!(way, Adapter::Other(_))) && all_own(&["nvme"])
}

/// Whether a line names the incident's own device, or an adapter over which it is known to be reached.
pub fn names_this_device(case: &Case<'_>, hit: &[&Fact]) -> bool {
    let own = commands_to_devices(case);
    let ways = ways(case);
    hit.iter().take(FIRST).any(|fact| {
        fact.device.is_some_and(|device| own.iter().any(|other| other.device == Some(device)))
            || !is_of_a_far_port(case, fact)
                && !leads_elsewhere(case, fact, &ways)
                && is_on_one(&Way::all_of(case, fact), &ways)
    })
}

/// Whether the kernel said that the adapter which a line names is the only one of the driver of one of these faults, on the same host.
pub fn is_behind_the_driver(case: &Case<'_>, fact: &Fact, faults: &[&Fact]) -> bool {
    let Some(Way { adapter: Adapter::Linux(number), .. }) = Way::of(case, fact) else { return false };
    let drivers = &case.scene.knowledge.drivers;
    let mut faults = faults.iter().take(FIRST).filter(|fault| same_host(fault, fact));
    faults.any(|fault| drivers.numbers(fault.host, &fault.text) == [number])
}

/// Whether no other adapter of its host has the driver of a line, as far as the kernel said.
pub fn is_the_only_one(case: &Case<'_>, fault: &Fact) -> bool {
    case.scene.knowledge.drivers.numbers(fault.host, &fault.text).len() <= 1
}

/// Whether a line names the adapter itself, or a device.
pub fn tells_its_way(case: &Case<'_>, fact: &Fact) -> bool {
    fact.device.is_some() || Way::of(case, fact).is_some()
}

fn commands_to_devices<'a>(case: &Case<'a>) -> Vec<&'a Fact> {
    case.all(|fact| fact.device.is_some() && command(fact).is_some())
}

/// Whether a line names the port of an array that was lost, and the host lists others behind all of these ways.
fn leads_elsewhere(case: &Case<'_>, fact: &Fact, ways: &BTreeSet<Way<'_>>) -> bool {
    let Some(port) = ports::port(&fact.text) else { return false };
    let is_another = |way: &Way<'_>| match (way.adapter, way.target) {
        (Adapter::Vmware(adapter), Some(target)) => {
            case.scene.knowledge.ports.is_another(fact.host, adapter, target, port)
        }
        _ => false,
    };
    !ways.is_empty() && ways.iter().all(is_another)
}

/// Whether what was lost lies on one of these ways, whichever of a driver's adapters it was.
fn is_on_one(lost: &[Way<'_>], ways: &BTreeSet<Way<'_>>) -> bool {
    !lost.is_empty() && lost.iter().all(|lost| ways.iter().any(|way| way.may_be(lost)))
}

/// Whether a line is about one of the ports behind an adapter: another target's may be lost, and this device's stay.
fn is_of_a_far_port(case: &Case<'_>, fact: &Fact) -> bool {
    case.text(fact.path).is_some_and(|path| path.starts_with("rport-"))
}

/// Whether every way to the incident's devices that any line tells leads over a network's adapter: no fabric of Fibre Channel lies on it.
pub fn is_over_a_network_alone(case: &Case<'_>) -> bool {
    are_of_a_network(&ways(case))
}
