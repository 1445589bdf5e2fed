//! One line, field by field: what each number in it means, in every reading that public sources give.

mod meaning;
mod words;

use serde::Serialize;

use self::meaning::Meaning;
use crate::bounds::RECORD_BYTES_MAX;
use crate::dialect::{Dialects, Reading};
use crate::fact::{Command, DeviceStatus, Fact, Kind, NvmeStatus, Opcode, Outcome, Place, Sense};
use crate::ledger::Ledger;
use crate::plain::plain;
use crate::prefix;
use crate::record::Record;
use crate::scsi_line::{self, CommandLine, SenseClaim};
use crate::sieve::Sieve;
use crate::subject;
use crate::text::{cut, has};

/// One field of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name: `H`, `D`, `P`, `sense`, `opcode`.
    pub name: String,
    /// As the line has it.
    pub value: String,
    /// What it means.
    pub meaning: String,
}

/// A line, decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The fields, in the order in which they matter.
    pub fields: Vec<Field>,
    /// What the whole line says, as far as one line can.
    pub summary: String,
}

/// Decodes a line. Nothing in it need be whole.
#[must_use]
pub fn explain(line: &str) -> Explanation {
    let line = plain(cut(line, RECORD_BYTES_MAX).as_bytes());
    let prefix = prefix::split(&line);
    let mut found = scsi_line::read(prefix.body);
    let read = understood(&line);
    if let Some(command) = read.facts.iter().find_map(command).filter(|_| !says_anything(&found)) {
        found.command = command;
    }
    let mut fields = Vec::new();
    let mut field = |name: &str, value: String, meaning: String| {
        fields.push(Field { name: name.to_owned(), value, meaning });
    };
    if let Some(when) = prefix.when {
        let own = when.in_own_zone().map_or_else(String::new, |own| format!("; in the log's own zone {own}"));
        field("time", when.to_string(), format!("when the line was written{own}"));
    }
    if let Some(host) = prefix.host {
        field("host", host.to_owned(), "the host that wrote it, as a log server noted".to_owned());
    }
    // Words that no dialect understood name nobody: any text may hold them.
    let known = read.is_known || says_anything(&found);
    fields.extend(words::writer(&line).filter(|_| known));
    if known {
        about(&line, prefix.body, &found, &mut fields);
    }
    let mut field = |name: &str, value: String, meaning: String| {
        fields.push(Field { name: name.to_owned(), value, meaning });
    };
    statuses(&found, &mut field);
    numbers(&found, &mut field);
    let meanings = meanings(&read, &found, &mut fields);
    let summary = meanings.first().map_or_else(
        || summary(&found, !says_anything(&found)).to_owned(),
        |first| format!("{}. {}", capital(first.says), first.next),
    );
    Explanation { fields, summary }
}

/// What the dialects made of a line.
struct Read {
    /// What it says.
    facts: Vec<Fact>,
    /// The words by which it was known.
    words: Option<&'static str>,
    /// Whether a dialect understood it at all.
    is_known: bool,
}

/// Reads a line as one of a log.
fn understood(line: &str) -> Read {
    let mut ledger = Ledger::default();
    let input = ledger.begin("line", None);
    let mut dialects = Dialects::all();
    let mut hits = Vec::new();
    if let Some(sieve) = Sieve::of_all() {
        sieve.search(line.as_bytes(), &mut hits);
    }
    let mask = hits.iter().fold(dialects.last_resort(), |mask, hit| mask | hit.mask);
    let record = Record::new(Place { input, line: 1 }, line, &[]);
    let (dialect, reading) = dialects.read(mask, &record, &mut ledger);
    dialects.end(&mut ledger);
    let is_known = reading != Reading::Stranger;
    // The longest of the dialect's words says most.
    let words = dialects.key_words().nth(dialect).into_iter().flat_map(|(_, words)| words);
    let words = words.filter(|word| is_known && has(line, word)).max_by_key(|word| word.len());
    Read { facts: ledger.facts().to_vec(), words, is_known }
}

fn command(fact: &Fact) -> Option<Command> {
    match fact.kind {
        Kind::Command(command) => Some(command),
        _ => None,
    }
}

fn says_anything(found: &CommandLine<'_>) -> bool {
    found.command != Command::default() || found.printed_sense.is_some()
}

/// What the line is about.
fn about(line: &str, body: &str, found: &CommandLine<'_>, fields: &mut Vec<Field>) {
    let subject = subject::find(body);
    let mut field = |name: &str, value: &str, meaning: &str| fields.push(words::field(name, value, meaning));
    if let Some(Opcode(code)) = found.command.opcode {
        field("opcode", &format!("{code:#04x}"), Opcode(code).name());
    }
    if let Some(device) = found.device.or(subject.device) {
        field("device", device, device_meaning(device));
    }
    if let Some(path) = found.path.or(subject.path) {
        field("path", path, path_meaning(path));
    }
    if let Some(volume) = subject.volume {
        field("volume", volume, "the volume, by its label or its id");
    }
    words::figures(line, fields);
}

/// What the facts mean, each once; the commands among them are told by their fields.
fn meanings(read: &Read, found: &CommandLine<'_>, fields: &mut Vec<Field>) -> Vec<Meaning> {
    let mut meanings: Vec<Meaning> = Vec::new();
    for meaning in read.facts.iter().filter_map(|fact| meaning::of(&fact.kind)) {
        if !meanings.contains(&meaning) {
            meanings.push(meaning);
        }
    }
    if meanings.is_empty() && read.is_known && !says_anything(found) {
        meanings.push(meaning::USUAL);
    }
    for meaning in &meanings {
        fields.push(words::field(meaning.about, read.words.unwrap_or("").trim(), meaning.says));
    }
    for fact in &read.facts {
        match &fact.kind {
            Kind::Heartbeat(heartbeat) => {
                let images = [("slot", &heartbeat.slot), ("second image's", &heartbeat.wanted)];
                for (name, image) in images {
                    image.iter().for_each(|image| words::slot(name, image, fields));
                }
            }
            Kind::Lock(lock) => lock.record.iter().for_each(|record| words::lock(record, fields)),
            _ => {}
        }
    }
    meanings
}

/// A sentence begins with a capital.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn statuses(found: &CommandLine<'_>, field: &mut dyn FnMut(&str, String, String)) {
    if let Some(status) = found.command.host {
        field("H", format!("{:#x}", status.0), status.reading().to_owned());
    }
    if let Some(status) = found.command.device.filter(|_| found.wide_status.is_none()) {
        field("D", format!("{:#x}", status.0), device_status(status, found.device));
    }
    if let Some(status) = found.command.nvme {
        let meaning =
            format!("NVMe status type {:#x}, code {:#04x}: {}", status.kind, status.code, status.reading());
        match found.wide_status {
            Some(value) => field("D", format!("{value:#x}"), meaning),
            None => field("NVMe status", format!("{:#x}/{:#x}", status.kind, status.code), meaning),
        }
    }
    if let Some(status) = found.command.plugin {
        field("P", format!("{:#x}", status.0), status.reading().to_owned());
    }
    if let Some([key, code, qualifier]) = found.printed_sense {
        field("sense", format!("{key:#x} {code:#x} {qualifier:#x}"), sense_meaning(found));
    } else if let Some(sense) = found.command.sense {
        field("sense", sense.to_string(), in_words(sense));
    }
}

/// D, in both readings where the device speaks NVMe and the number is a status there too.
fn device_status(status: DeviceStatus, device: Option<&str>) -> String {
    let of_nvme = NvmeStatus::of(u64::from(status.0));
    if status == DeviceStatus::GOOD || !device.is_some_and(words::may_be_nvme) {
        return status.reading().to_owned();
    }
    format!(
        "{}; where the driver of an NVMe device prints its own status: {}",
        status.reading(),
        of_nvme.reading()
    )
}

fn sense_meaning(found: &CommandLine<'_>) -> String {
    match (found.command.sense, found.claim) {
        (_, Some(SenseClaim::Invalid)) => {
            "invalid by the line's own word: uninitialised memory, to be ignored".to_owned()
        }
        (Some(sense), _) => in_words(sense),
        (None, _) => {
            "no sense data: zero, or left there by another command, for this one met no check condition"
                .to_owned()
        }
    }
}

fn in_words(sense: Sense) -> String {
    let code = sense.code_name().unwrap_or("a code without a name here");
    format!("{}: {code}", sense.key_name())
}

fn numbers(found: &CommandLine<'_>, field: &mut dyn FnMut(&str, String, String)) {
    if let Some(number) = found.cmd_sn {
        let meaning = if number >= 0x8000_0000 {
            "the command's serial number; with the highest bit set it is I/O of a guest"
        } else {
            "the command's serial number; a small one is I/O of the host itself, such as file system metadata and heartbeats"
        };
        field("CmdSN", format!("{number:#x}"), meaning.to_owned());
    }
    if let Some(world) = found.world {
        field("world", world.to_string(), "the process of the host that sent it; 0 is the kernel".to_owned());
    }
}

fn device_meaning(device: &str) -> &'static str {
    const KNOWN: [(&str, &str); 16] = [
        ("naa.6005076", "an IBM array, by its NAA id (SVC, Storwize, FlashSystem, DS8000)"),
        ("naa.6000d31", "a Dell Compellent (SC) array, by its NAA id"),
        ("naa.600601", "an EMC CLARiiON, VNX or Unity array, by its NAA id"),
        ("naa.60000970", "an EMC Symmetrix, VMAX or PowerMax array, by its NAA id"),
        ("naa.60060e8", "a Hitachi array, by its NAA id"),
        ("naa.600a098", "a NetApp array, by its NAA id"),
        ("naa.6001405", "a Linux target (LIO), by its NAA id"),
        ("naa.600508", "an HP or LSI local controller or array, by its NAA id"),
        ("naa.", "a SCSI device, by its NAA id"),
        ("sd", "a SCSI disk of Linux: one path to a LUN"),
        ("dm-", "a device of Linux's device mapper: a multipath map or a logical volume"),
        ("mpath", "a multipath map of Linux"),
        ("nvme", "an NVMe namespace of Linux"),
        ("eui.", "an NVMe namespace or SCSI device, by its EUI-64"),
        ("t10.NVMe", "an NVMe namespace, local or over a fabric: its name does not tell which"),
        ("t10.", "a device known by vendor, model and serial number: often a local disk"),
    ];
    KNOWN.iter().find(|(start, _)| device.starts_with(start)).map_or("the device", |(_, meaning)| meaning)
}

fn path_meaning(path: &str) -> &'static str {
    match path {
        path if path.starts_with("vmhba") && path.contains(':') => "adapter, channel, target and LUN",
        path if path.starts_with("vmhba") => "the adapter",
        path if path.starts_with("connection") => "an iSCSI connection, by session and number",
        path if path.starts_with("session") => "an iSCSI session",
        path if path.starts_with("rport") => "a remote port of the fabric",
        path if path.starts_with("nvme") => "a controller of NVMe: a way to its namespaces",
        path if path.starts_with("host") => "an adapter of Linux, by its number",
        _ => "Linux's four numbers: adapter, channel, target and LUN",
    }
}

fn summary(found: &CommandLine<'_>, empty: bool) -> &'static str {
    let ats = found.command.is_ats();
    match (ats, found.command.outcome()) {
        _ if empty => "Nothing in this line is known here.",
        (_, Outcome::Miscompared) => {
            "An atomic test and set was answered: the block was not equal. One line cannot say why: what stands in the block \
             decides, and what this host sent just before. Collect this host's log from a minute before it, the other hosts' of the \
             same minute, and a dump of the block."
        }
        (true, Outcome::Unknown) => {
            "An atomic test and set has no answer. It may have been executed: the next one may meet this host's own image \
             (a false miscompare)."
        }
        (true, Outcome::Refused) => "An atomic test and set was refused, and not executed.",
        (false, Outcome::Unknown) => "A command has no answer. If it was a write, it may have been executed.",
        (false, Outcome::Refused) => {
            "A command was refused by the device. Which command, and on which device, stands in the whole line and in those around it."
        }
        (_, Outcome::Unsaid) => "The line does not say how the command ended.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(explanation: &Explanation, name: &str) -> String {
        explanation.fields.iter().find(|field| field.name == name).map(|field| field.meaning.clone()).unwrap()
    }

    #[test]
    fn a_line_is_decoded_field_by_field() {
        let line = "2026-05-05T05:05:05.555Z cpu1:7)ScsiDeviceIO: 2651: Cmd(0x43) 0x89, CmdSN 0x8000001b from world 34 to dev \
                    \"naa.6001405aa\" failed H:0x0 D:0x2 P:0x5 Valid sense data: 0xe 0x1d 0x0.";
        let explanation = explain(line);
        assert!(meaning(&explanation, "opcode").contains("COMPARE AND WRITE"));
        assert!(meaning(&explanation, "P").contains("returned false for equality"));
        assert!(meaning(&explanation, "sense").starts_with("MISCOMPARE"));
        assert!(meaning(&explanation, "CmdSN").contains("guest"));
        assert!(explanation.summary.contains("not equal"));
    }

    #[test]
    fn where_sources_disagree_both_readings_are_given() {
        let explanation = explain("Cmd 0x2a (0x41, 20) to dev \"naa.6\" Failed: H:0xb D:0x0 P:0x0");
        let reading = meaning(&explanation, "H");
        assert!(reading.contains("VMware") && reading.contains("Linux"), "{reading}");
    }

    #[test]
    fn an_nvme_status_is_taken_apart() {
        let explanation = explain("Cmd(0x4) 0x89 to dev \"eui.1\" failed H:0x0 D:0x285 P:0x0");
        assert!(meaning(&explanation, "D").contains("COMPARE FAILURE"));
    }
}
