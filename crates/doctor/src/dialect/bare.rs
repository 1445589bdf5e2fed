//! Pieces of lines, as people paste them: a sense triple alone, H, D and P alone, a phrase in somebody's own words.
//!
//! The last resort: it is asked where no other dialect understood a line, and, in a text of a few lines, of every line.

use super::{Dialect, Reading};
use crate::fact::{
    Command, DeviceStatus, Heartbeat, HeartbeatStep, Kind, Lock, LockStep, Opcode, PluginStatus, Sense,
};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::scsi_line::{self, SenseClaim};
use crate::subject;
use crate::text::{hex, holds, number};

/// Lines without anything else.
#[derive(Debug)]
pub struct Bare;

/// Words that may stand beside the three numbers.
const BESIDE: [&str; 13] = [
    "sense",
    "data",
    "valid",
    "possible",
    "key",
    "asc",
    "ascq",
    "code",
    "qualifier",
    "scsi",
    "additional",
    "senses",
    "sk",
];
/// A piece has no more words.
const WORDS_MAX: usize = 12;

impl Dialect for Bare {
    fn name(&self) -> &'static str {
        "pieces of lines"
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["0xe 0x1d", "0xE 0x1D", "0x0e 0x1d", "0x0E 0x1D", "0xe/0x1d", "0x0e/0x1d"]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        if record.prefix.is_foreign {
            return Reading::Stranger;
        }
        let Some(kind) = kind(body) else { return wrapped(record, ledger) };
        note(record, ledger, record.line, kind);
        Reading::UNDERSTOOD
    }

    fn is_last_resort(&self) -> bool {
        true
    }
}

fn note(record: &Record<'_>, ledger: &mut Ledger, text: &str, kind: Kind) {
    let about = subject::find(text);
    let draft = Draft { device: about.device, path: about.path, volume: about.volume, ..Draft::of(kind) };
    ledger.note_text(record, text, draft);
}

/// A sentence that a mail or a web page broke in two.
fn wrapped(record: &Record<'_>, ledger: &mut Ledger) -> Reading {
    let body = record.body();
    if !(holds(body, "atomic test") || holds(body, "ats mis") || holds(body, "lost access")) {
        return Reading::Stranger;
    }
    let Some(next) = record.following().next() else { return Reading::Stranger };
    let joined = format!("{} {}", body.trim_end(), next.trim_start());
    let Some(kind) = kind(&joined) else { return Reading::Stranger };
    note(record, ledger, &joined, kind);
    Reading::Understood { and_lines: 1 }
}

fn kind(body: &str) -> Option<Kind> {
    phrase(body).or_else(|| statuses(body).or_else(|| triple(body)).map(Kind::Command))
}

/// What people write from memory, in letters of either case.
fn phrase(body: &str) -> Option<Kind> {
    let test = holds(body, "atomic test and set")
        && ["false", "equality", "miscompare"].iter().any(|word| holds(body, word));
    let miscompare = holds_word(body, "ats") && holds(body, "miscompare");
    if miscompare && (holds(body, "hb image") || holds(body, "heartbeat")) {
        return Some(heartbeat(HeartbeatStep::Miscompare));
    }
    if miscompare && holds(body, "lock") && !holds(body, "block") {
        return Some(Kind::Lock(Box::new(Lock { step: LockStep::Miscompare, record: None })));
    }
    if test || miscompare {
        let opcode = Some(Opcode::COMPARE_AND_WRITE);
        let plugin = Some(PluginStatus::ATS_MISCOMPARE);
        return Some(Kind::Command(Command { opcode, plugin, ..Command::default() }));
    }
    holds(body, "lost access to volume").then(|| heartbeat(HeartbeatStep::LostAccess))
}

/// Whether a word stands alone, in letters of either case: `AtsMiscompare` is a name that somebody gave.
fn holds_word(body: &str, word: &str) -> bool {
    body.split(|letter: char| !letter.is_alphanumeric()).any(|part| part.eq_ignore_ascii_case(word))
}

fn heartbeat(step: HeartbeatStep) -> Kind {
    Kind::Heartbeat(Box::new(Heartbeat { step, slot: None, wanted: None }))
}

/// `H:0x0 D:0x2 P:0x0`, `Valid sense data: 0xe 0x1d 0x0`: what stands in every line of a failed command, without the command.
fn statuses(body: &str) -> Option<Command> {
    let found = scsi_line::read(body);
    let mut command = found.command;
    let told = command.host.is_some() || command.device.is_some() || command.plugin.is_some();
    let sense = command.sense.filter(|_| found.claim == Some(SenseClaim::Valid) || told);
    if sense.is_some() && command.device.is_none() {
        command.device = Some(DeviceStatus::CHECK_CONDITION);
    }
    (command.opcode.is_none() && (told || sense.is_some() || command.nvme.is_some())).then_some(command)
}

/// `0xe 0x1d 0x0`, `0xe/0x1d/0x0`, `e/1d/0`, `sense key 0xe asc 0x1d ascq 0x0`, and nothing else.
fn triple(body: &str) -> Option<Command> {
    let parts = body.split(|letter: char| letter.is_whitespace() || ",/:;()[]{}\"'=.|".contains(letter));
    let mut numbers = [0; 3];
    let (mut count, mut words, mut marked, mut beside) = (0, 0, false, false);
    let mut opcode = None;
    let mut parts = parts.filter(|part| !part.is_empty());
    while let Some(part) = parts.next() {
        words += 1;
        if words > WORDS_MAX {
            return None;
        }
        if BESIDE.iter().any(|word| part.eq_ignore_ascii_case(word)) {
            beside = true;
            continue;
        }
        // `0x5 0x24 0x0 at 0x89`: whose answer it was.
        if count == 3 && opcode.is_none() && ["at", "for", "on", "to", "cmd"].contains(&part) {
            let code = parts.next().filter(|code| code.starts_with("0x")).and_then(number)?;
            opcode = Some(Opcode(u8::try_from(code).ok()?));
            continue;
        }
        let digits = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
        marked |= digits.is_some();
        let digits = digits.unwrap_or_else(|| part.trim_end_matches(['h', 'H']));
        let is_byte = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = Some(digits).filter(|_| is_byte).and_then(hex)?;
        *numbers.get_mut(count)? = value;
        count += 1;
    }
    let [key, code, qualifier] = numbers;
    // Three numbers may be anything, a date too: without a mark or a word beside them only the miscompare is known by its look.
    let known = marked || beside || (key, code) == (0xe, 0x1d);
    let sense = Sense::of(key, code, qualifier).filter(|_| count == 3 && known)?;
    Some(Command {
        opcode,
        device: Some(DeviceStatus::CHECK_CONDITION),
        sense: Some(sense),
        ..Command::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triple_is_known_alone_and_in_every_spelling() {
        let spellings = [
            "0xe 0x1d 0x0",
            "0x0e 0x1d 0x00.",
            "0xE, 0x1D, 0x0",
            "(0xe/0x1d/0x0)",
            "e/1d/0",
            "E 1D 00",
            "Eh 1Dh 00h",
            "sense key 0xe asc 0x1d ascq 0x0",
            "Sense data: 0xe 0x1d 0x0",
        ];
        for spelling in spellings {
            assert_eq!(
                triple(spelling).and_then(|command| command.sense),
                Some(Sense::MISCOMPARE),
                "{spelling}"
            );
        }
        assert!(triple("0x5 0x20 0x0").is_some());
        for other in
            ["6/29/07", "1 2 3", "0xe 0x1d", "0x12 0x1d 0x0", "0x0 0x0 0x0", "0xe 0x1d 0x0 0x0", "", "10.1.2"]
        {
            assert_eq!(triple(other), None, "{other}");
        }
        assert_eq!(triple(&"sense ".repeat(20)), None);
    }

    #[test]
    fn a_sentence_from_memory_is_known() {
        let lock = Kind::Lock(Box::new(Lock { step: LockStep::Miscompare, record: None }));
        assert_eq!(kind("ats miscompare on a lock record"), Some(lock));
        assert_eq!(kind("ATS Miscompare on HB images"), Some(heartbeat(HeartbeatStep::Miscompare)));
        assert!(
            matches!(kind("got an ATS miscompare"), Some(Kind::Command(command)) if command.miscompared())
        );
        assert_eq!(kind("stats of the compare run"), None);
        assert_eq!(kind("- alert: AtsMiscompare"), None, "a name, and no sentence");
        assert_eq!(kind("a quiet line"), None);
    }
}
