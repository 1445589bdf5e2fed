//! `ats-unsupported`: the device does not execute COMPARE AND WRITE.

use super::case::{Case, command, total};
use super::local::lie_in_the_host;
use super::{Confidence, Judgement, Proof, words};
use crate::bounds::EXCERPT_LINES_MAX;
use crate::fact::{Command, Fact, Kind, NvmeStatus, Opcode, Sense, Support};
use crate::incident::{Weight, is_denied, weight};
use crate::scene::{before, same_host};
use crate::text::{after, decimal, hex};

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    const BAD_OPCODE: NvmeStatus = NvmeStatus { kind: 0, code: 1 };
    // That a device does not know the opcode which one vendor used before the standard had one says nothing of COMPARE AND WRITE.
    let refused = case.commands(|command| {
        command.is_ats()
            && command.opcode != Some(Opcode::VENDOR_ATS)
            && (command.sense.is_some_and(Sense::is_unsupported) || command.nvme == Some(BAD_OPCODE))
    });
    let needed = case.all(|fact| fact.kind == Kind::Support(Support::NeededByVolume));
    let not_there = case.all(|fact| fact.kind == Kind::Support(Support::No));
    if !refused.is_empty() {
        let because = "The device refused an atomic test and set as a command or a field that it does not know. It compared nothing.";
        let mut lines = refused;
        lines.extend(not_there);
        if lie_in_the_host(case) {
            return Judgement::Met(
                Proof::new(Confidence::Certain, because, lines).in_words(&words::LOCAL_WITHOUT_ATS),
            );
        }
        if let Some(answered) = elsewhere(case, &lines) {
            let because = "The device refused an atomic test and set on one path as a command that it does not know, and executed others of the same host on another path. It knows the command: what \
                           stands on that path, or the controller behind it, does not.";
            let lines = lines.into_iter().take(4).chain(answered.into_iter().take(4)).collect();
            return Judgement::Met(Proof::new(Confidence::Possible, because, lines).and_collect(NEXT).and_collect(
                "Which controller, firmware or appliance stands behind each path (`esxcli storage core path list`): one path of them refuses.",
            ));
        }
        if let Some(compared) = before_and_after(case, &lines) {
            let because = "The device refused an atomic test and set as a command that it does not know; but before and after that it executed others. It knows the command, and for \
                           a while it, or the controller or appliance that stood before it then, did not.";
            let lines = lines.into_iter().take(4).chain(compared).collect();
            return Judgement::Met(Proof::new(Confidence::Possible, because, lines).and_collect(NEXT).and_collect(
                "What was done to the array, its controllers or its paths in those minutes: an update, a failover, a migration.",
            ));
        }
        // INVALID FIELD: the command is known; its count of blocks, DPO or FUA is beyond what the device takes (SBC-4, COMPARE AND WRITE).
        let of_a_field = lines
            .iter()
            .filter_map(|fact| command(fact))
            .all(|command| command.sense.is_some_and(|sense| (sense.key, sense.code) == (5, 0x24)));
        let many = lines.iter().any(|fact| asks_for_several(&fact.text));
        // The device's own page says that it has the command: what it refused is how it was asked.
        let has_it = case.scene.knowledge.one_supports();
        if of_a_field && many && has_it {
            return Judgement::Aside(
                "The command asked for more blocks at once than one, and was refused for that (5/24/00); the device's own pages say that it executes the command."
                    .to_owned(),
            );
        }
        // A device that compares, before or behind it, knows the command; and one that does not know it refuses each of them.
        let compares = of_a_field && (!case.miscompares().is_empty() || compared_ever(case, &lines));
        let once = total(&lines) <= 1 && case.scene.lines > EXCERPT_LINES_MAX;
        let confidence = match (of_a_field, many || has_it || compares || once) {
            (true, true) => Confidence::Possible,
            (true, false) => Confidence::Likely,
            (false, _) => Confidence::Certain,
        };
        return Judgement::Met(Proof::new(confidence, because, lines).and_collect(NEXT));
    }
    if needed.is_empty() {
        let alone = case.all(|fact| weight(fact) > Weight::Context).is_empty();
        let because = "The device itself says that it has no atomic test and set (in its VPD page B0h or its list of commands). Nothing here shows that anybody needs one.";
        let denied = case.all(is_denied);
        return if alone && !denied.is_empty() && !case.scene.knowledge.one_supports() {
            Judgement::Met(Proof::new(Confidence::Likely, because, denied).and_collect(NEXT))
        } else {
            Judgement::Silent
        };
    }
    let because = "A volume that locks by atomic test and set only lies on a device that does not, or no longer, support it.";
    let mut lines = needed;
    lines.extend(not_there);
    Judgement::Met(Proof::new(Confidence::Likely, because, lines).and_collect(NEXT))
}

const NEXT: &str = "`esxcli storage core device vaai status get -d DEVICE` on every host; VPD page B0h, byte 5 (`sg_vpd -p bl DEVICE`); whether a \
                    migration or virtualisation appliance stands before the array.";

/// Whether the same device compared for the same host at any time.
fn compared_ever(case: &Case<'_>, refused: &[&Fact]) -> bool {
    let Some(first) = refused.iter().find(|fact| command(fact).is_some()) else { return false };
    case.scene.facts.iter().any(|fact| {
        fact.device.is_some()
            && fact.device == first.device
            && same_host(fact, first)
            && command(fact).is_some_and(Command::miscompared)
    })
}

/// Answers of the same device to atomic tests and sets before and after those that were refused, whenever that was.
fn before_and_after<'a>(case: &Case<'a>, refused: &[&Fact]) -> Option<[&'a Fact; 2]> {
    let is_refusal = |fact: &&&Fact| command(fact).is_some();
    let (first, last) = (refused.iter().find(is_refusal)?, refused.iter().rfind(is_refusal)?);
    let compared = |fact: &&&Fact| {
        let same = fact.device.is_some() && fact.device == first.device && same_host(fact, first);
        same && command(fact).is_some_and(|command| command.is_ats() && command.miscompared())
    };
    let facts = case.scene.facts;
    let earlier = facts.iter().find(|fact| compared(&fact) && before(fact, first))?;
    let later = facts.iter().find(|fact| compared(&fact) && before(last, fact))?;
    Some([earlier, later])
}

/// Answers of the same device to atomic tests and sets on paths other than those that refused: it compared there.
fn elsewhere<'a>(case: &Case<'a>, refused: &[&Fact]) -> Option<Vec<&'a Fact>> {
    let refused: Vec<&&Fact> = refused.iter().filter(|fact| command(fact).is_some()).collect();
    let on_paths = !refused.is_empty() && refused.iter().all(|fact| fact.path.is_some());
    let other = |fact: &Fact| {
        refused
            .iter()
            .all(|known| fact.path.is_some() && known.path != fact.path && known.device == fact.device)
    };
    let answered: Vec<&Fact> = case.miscompares().into_iter().filter(|fact| other(fact)).collect();
    (on_paths && !answered.is_empty()).then_some(answered)
}

/// Whether a line, or what was quoted with it, asks to test more than one block: the count stands in byte 13 of the CDB.
fn asks_for_several(text: &str) -> bool {
    let typed = after(text, "--num=").and_then(decimal).is_some_and(|blocks| blocks > 1);
    let bytes = after(text, " 89 00 ").map(|rest| rest.split_whitespace().map_while(hex).collect::<Vec<_>>());
    typed || bytes.and_then(|bytes| bytes.get(11).copied()).is_some_and(|blocks| blocks > 1)
}
