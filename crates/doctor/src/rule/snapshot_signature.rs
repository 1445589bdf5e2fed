//! `snapshot-signature`: the device is a copy of another.

use super::case::Case;
use super::{Confidence, Judgement, Proof};
use crate::fact::{Kind, PluginStatus};

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let said = case.all(|fact| fact.kind == Kind::Snapshot);
    let marked = case.commands(|command| command.plugin == Some(PluginStatus::SNAPSHOT));
    let confidence = match (said.is_empty(), marked.is_empty()) {
        (true, true) => return Judgement::Silent,
        (false, _) => Confidence::Certain,
        (true, false) => Confidence::Likely,
    };
    let because = "The host found that the device's identity is not the one in the volume's metadata: this is a copy, or the LUN's \
                   identity was changed.";
    let lines = said.into_iter().chain(marked).collect();
    Judgement::Met(Proof::new(confidence, because, lines).and_collect(
        "`esxcli storage vmfs snapshot list`; the NAA id of the device against the one in the metadata.",
    ))
}
