//! `ats-unsupported`: the device does not execute COMPARE AND WRITE.

use super::case::Case;
use super::{Confidence, Judgement, Proof};
use crate::fact::{Kind, NvmeStatus, Sense, Support};

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    const BAD_OPCODE: NvmeStatus = NvmeStatus { kind: 0, code: 1 };
    let refused = case.commands(|command| {
        command.is_ats()
            && (command.sense.is_some_and(Sense::is_unsupported) || command.nvme == Some(BAD_OPCODE))
    });
    let needed = case.all(|fact| fact.kind == Kind::Support(Support::NeededByVolume));
    let not_there = case.all(|fact| fact.kind == Kind::Support(Support::No));
    if !refused.is_empty() {
        let because = "The device refused an atomic test and set as a command or a field that it does not know. It compared nothing.";
        let mut lines = refused;
        lines.extend(not_there);
        return Judgement::Met(Proof::new(Confidence::Certain, because, lines).and_collect(NEXT));
    }
    if needed.is_empty() {
        return Judgement::Silent;
    }
    let because = "A volume that locks by atomic test and set only lies on a device that does not, or no longer, support it.";
    let mut lines = needed;
    lines.extend(not_there);
    Judgement::Met(Proof::new(Confidence::Likely, because, lines).and_collect(NEXT))
}

const NEXT: &str = "`esxcli storage core device vaai status get -d DEVICE` on every host; VPD page B0h, byte 5 (`sg_vpd -p bl DEVICE`); whether a \
                    migration or virtualisation appliance stands before the array.";
