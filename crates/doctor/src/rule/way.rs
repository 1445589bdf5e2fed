//! The way that a command took: which adapter, and whether what happened to an adapter can have touched it.
//!
//! A host has several adapters, and a LUN is reached over some of them. What one adapter suffers is no proof about commands that
//! are known to have gone over another.

use super::case::{Case, FIRST, command};
use crate::fact::{Command, Fact};
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

/// Whether any line ties what happened to an adapter, a link or a path to the incident's own device: it names the device, or the adapter is
/// one over which the device is reached, or a command that may have gone over it was left without an answer.
pub fn is_of_this_device(case: &Case<'_>, hit: &[&Fact]) -> bool {
    let own: Vec<&Fact> = case.all(|fact| fact.device.is_some() && command(fact).is_some());
    let ways: Vec<&str> = own.iter().take(FIRST).filter_map(|fact| adapter(case, fact)).collect();
    let lost: Vec<&str> = hit.iter().take(FIRST).filter_map(|fact| adapter(case, fact)).collect();
    let may_be_lost = |fact: &&Fact| {
        let way = adapter(case, fact);
        command(fact).is_some_and(Command::unanswered)
            && (way.is_none() || lost.is_empty() || way.is_some_and(|way| lost.contains(&way)))
    };
    // Lines that name no device contradict nothing.
    own.is_empty()
        || own.iter().take(FIRST).any(may_be_lost)
        || hit.iter().take(FIRST).any(|fact| {
            let its = fact.device.is_some_and(|device| own.iter().any(|other| other.device == Some(device)));
            its || adapter(case, fact).is_some_and(|adapter| ways.contains(&adapter))
        })
}

/// Whether every command of the incident whose way is known went over a network's adapter: no fabric of Fibre Channel lies on that way.
pub fn is_over_a_network_alone(case: &Case<'_>) -> bool {
    let ways: Vec<&Fact> = case.all(|fact| {
        command(fact).is_some() && adapter(case, fact).is_some_and(|way| way.starts_with("vmhba"))
    });
    let text = |fact: &Fact| case.text(fact.path).is_some_and(is_of_a_software_adapter);
    !ways.is_empty() && ways.iter().take(FIRST).all(|fact| text(fact))
}
