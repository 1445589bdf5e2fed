//! The way that a command took: which adapter, and whether what happened to an adapter can have touched it.
//!
//! A host has several adapters, and a LUN is reached over some of them. What one adapter suffers is no proof about commands that
//! are known to have gone over another.

use std::collections::BTreeSet;

use super::case::{Case, FIRST, command};
use crate::fact::{Command, Fact};
use crate::names::Name;
use crate::text::{after, decimal};

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
fn ways<'a>(case: &Case<'a>) -> BTreeSet<&'a str> {
    let (devices, volumes) = (&case.incident.devices, &case.incident.volumes);
    let mut devices: BTreeSet<Name> = devices.iter().copied().collect();
    for carriers in volumes.iter().filter_map(|&volume| case.scene.knowledge.carriers(volume, case.when())) {
        devices.extend(carriers.iter());
    }
    let of_these = |fact: &&Fact| fact.device.is_some_and(|device| devices.contains(&device));
    case.scene.facts.iter().filter(of_these).filter_map(|fact| adapter(case, fact)).collect()
}

/// Whether any line ties what happened to an adapter, a link or a path to the incident's own device: it names the device, or the adapter is
/// one over which the device is reached, or a command that may have gone over it was left without an answer.
pub fn is_of_this_device(case: &Case<'_>, hit: &[&Fact]) -> bool {
    let own: Vec<&Fact> = case.all(|fact| fact.device.is_some() && command(fact).is_some());
    let ways = ways(case);
    let lost: Vec<&str> = hit.iter().take(FIRST).filter_map(|fact| adapter(case, fact)).collect();
    let names_it = hit.iter().take(FIRST).any(|fact| {
        fact.device.is_some_and(|device| own.iter().any(|other| other.device == Some(device)))
            || adapter(case, fact).is_some_and(|adapter| ways.contains(adapter))
    });
    if names_it {
        return true;
    }
    // The ways are known, and what was lost is none of them; or it is Fibre Channel's, and they are a network's.
    let elsewhere =
        lost.iter().any(|lost| lost.starts_with("vmhba")) && ways.iter().any(|way| way.starts_with("vmhba"));
    let network = !ways.is_empty() && ways.iter().all(|way| is_of_a_software_adapter(way));
    if elsewhere || lost.is_empty() && network || case.is_of_local_volumes_alone() {
        return false;
    }
    // Lines that name no device contradict nothing.
    own.is_empty() || own.iter().take(FIRST).any(|fact| command(fact).is_some_and(Command::unanswered))
}

/// Whether every way to the incident's devices that any line tells leads over a network's adapter: no fabric of Fibre Channel lies on it.
pub fn is_over_a_network_alone(case: &Case<'_>) -> bool {
    let ways = ways(case);
    !ways.is_empty() && ways.iter().all(|way| is_of_a_software_adapter(way))
}
