//! Which system wrote a line, by its own words.

use super::Case;
use crate::fact::{Fact, Kind};
use crate::subject::is_linux_device;

/// Whether VMware's kernel or tools wrote the line: its adapters, processors and packages have names of their own.
#[must_use]
pub fn is_of_vmware(fact: &Fact) -> bool {
    ["vmhba", "VMware", "VMW", "ESX", "vmkernel", ")"].iter().any(|word| match *word {
        ")" => fact.text.contains("cpu") && fact.text.contains(")lpfc"),
        word => fact.text.contains(word),
    })
}

/// Whether the incident is of Linux's hosts or Oarlock's alone: nobody needs to be told there what helps on ESXi. Whose hosts a target serves, its log does
/// not say.
#[must_use]
pub fn is_without_vmware(case: &Case<'_>) -> bool {
    let may_be_of_vmware = |fact: &Fact| {
        let of_vmfs =
            matches!(fact.kind, Kind::Heartbeat(_) | Kind::Lock(_) | Kind::Slot(_) | Kind::LockDump(_));
        let of_a_target = matches!(fact.kind, Kind::Task { .. } | Kind::Target(_) | Kind::Gateway(_));
        is_of_vmware(fact) || fact.volume.is_some() || of_vmfs || of_a_target
    };
    let of_another = |fact: &Fact| {
        matches!(fact.kind, Kind::Oarlock(_))
            || [
                " kernel: ",
                "multipathd",
                "iscsid",
                "blk_update_request",
                "I/O error, dev ",
                "critical medium error, dev ",
            ]
            .iter()
            .any(|word| fact.text.contains(word))
            || case.text(fact.device).is_some_and(is_linux_device)
    };
    case.facts().any(of_another) && !case.facts().any(may_be_of_vmware)
}
