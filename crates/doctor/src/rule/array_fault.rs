//! `array-fault`: what executes ATS breaks its atomicity.

use super::case::{Case, command};
use super::{Confidence, Judgement, Proof};
use crate::fact::{Fact, Kind, NvmeStatus, TargetStep};

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let split = case.all(|fact| fact.kind == Kind::Target(TargetStep::FusedSplit));
    if !split.is_empty() {
        let because = "The target's own log shows that it separated the two halves of a fused compare and write, and failed them. No \
                       image differed: the answer says nothing about the block.";
        let proof = Proof::new(Confidence::Certain, because, split)
            .and_collect("The target's version and transport; whether larger writes ran at the same time.");
        // Two fused halves are NVMe's; COMPARE AND WRITE is one command of SCSI, and no half of anything.
        let of_scsi = |fact: &&Fact| {
            case.text(fact.device).is_some_and(|device| device.starts_with("naa."))
                && command(fact).is_some_and(|command| command.is_ats() && command.nvme.is_none())
        };
        let is_another = case.facts().any(|fact| of_scsi(&fact));
        return Judgement::Met(if is_another {
            proof.but("But the tests that failed on these hosts are COMPARE AND WRITE to a device of SCSI, which is one command and has no halves: that target serves another device.")
        } else {
            proof
        });
    }
    let missing = case.commands(|command| command.nvme.is_some_and(NvmeStatus::is_split_fuse));
    if missing.is_empty() {
        return Judgement::Silent;
    }
    let because = "The target says that one half of a fused compare and write is missing: it was separated on the way or in the target.";
    // ESXi's own driver splits them, too (KB312191), and so does a local drive: a host's log alone does not tell which.
    let by_the_host = missing.iter().all(|fact| fact.text.contains("NVMEIO")) || case.has_local_disks_alone();
    let confidence = if by_the_host { Confidence::Possible } else { Confidence::Likely };
    Judgement::Met(Proof::new(confidence, because, missing).and_collect(
        "The version of the host's NVMe driver, and whether other hosts on that target saw the same: where one host alone did, it is that host's driver.",
    ))
}
