//! `array-full`: no space is left below the device.

use super::case::{Case, total};
use super::{Confidence, Judgement, Proof, words};
use crate::fact::{DeviceStatus, Kind, PluginStatus, Sense, SpaceEvent};

/// One BUSY may be anything; an array without space says it to every write.
const BUSY_MIN: u64 = 2;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let said = case.all(|fact| match &fact.kind {
        Kind::Command(command) => {
            command.sense.is_some_and(Sense::is_out_of_space)
                || command.plugin == Some(PluginStatus::NO_SPACE)
        }
        Kind::Space(event) => *event == SpaceEvent::Full,
        _ => false,
    });
    if !said.is_empty() {
        let because = "The device itself says that it cannot allocate: there is no space left below it, whatever free space the \
                       volume shows. Commands that write fail; no image is in question.";
        return Judgement::Met(Proof::new(Confidence::Certain, because, said));
    }
    let busy = case.commands(|command| {
        command.device == Some(DeviceStatus::BUSY) && command.opcode.is_none_or(|opcode| opcode.writes())
    });
    let busy_reads = case.commands(|command| {
        command.device == Some(DeviceStatus::BUSY) && command.opcode.is_some_and(|opcode| !opcode.writes())
    });
    if busy.is_empty() {
        return Judgement::Silent;
    }
    if !busy_reads.is_empty() {
        return Judgement::Aside(
            "The device answered BUSY to reads too: it is overloaded or in transition, not full.".to_owned(),
        );
    }
    // A device that compares has room enough to answer.
    let ats = case.commands(|command| command.is_ats() && !command.miscompared());
    if ats.is_empty() || total(&busy) < BUSY_MIN {
        return Judgement::Aside(
            "BUSY alone, without an atomic test and set that fails, may be any short overload.".to_owned(),
        );
    }
    let warned = case.all(|fact| fact.kind == Kind::Space(SpaceEvent::Warning));
    let confidence = if warned.is_empty() { Confidence::Possible } else { Confidence::Likely };
    let because = format!(
        "The device answered BUSY (D:0x8) to {} write(s) and to no read, and an atomic test and set failed on it without a \
         miscompare: so does an array whose pool is full while the volume still shows free space.",
        total(&busy)
    );
    let mut lines: Vec<_> = ats.into_iter().take(2).collect();
    lines.extend(busy.into_iter().take(4));
    lines.extend(warned);
    let proof = Proof::new(confidence, because, lines).and_collect(
        "The array's own figures: physical space of the pool or aggregate, and its log of that minute.",
    );
    // BUSY alone says nothing of space: the headline must not either.
    Judgement::Met(if confidence == Confidence::Possible {
        proof.in_words(&words::BUSY_TO_WRITES)
    } else {
        proof
    })
}
