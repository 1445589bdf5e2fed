//! One line, field by field: what each number in it means, in every reading that public sources give.

mod cdb;
mod codes;
mod meaning;
mod words;

use serde::Serialize;

use self::meaning::Meaning;
use crate::bounds::RECORD_BYTES_MAX;
use crate::dialect::{Dialects, Reading};
use crate::fact::{Command, DeviceStatus, Fact, HostStatus, Kind, NvmeStatus, Opcode, Outcome, Place, Sense};
use crate::image_line;
use crate::ledger::Ledger;
use crate::plain::plain;
use crate::prefix::{self, Prefix};
use crate::record::{Ahead, Record};
use crate::scsi_line::{self, CommandLine, SenseClaim};
use crate::sieve::Sieve;
use crate::subject;
use crate::text::{after, cut, number};

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
    let mut codes = Vec::new();
    codes::complete(&line, &mut found, &mut codes);
    let block = cdb::find(&line);
    if let Some(block) = &block {
        found.command.opcode = found.command.opcode.or(cdb::opcode(block));
        cdb::fields(block, &mut codes);
    }
    let mut fields = Vec::new();
    written(&prefix, &mut fields);
    // Words that no dialect understood name nobody: any text may hold them.
    let known = read.is_known || says_anything(&found);
    fields.extend(words::writer(&line).filter(|_| known));
    if known {
        about(&line, prefix.body, &found, &mut fields);
    }
    fields.append(&mut codes);
    let mut field = |name: &str, value: String, meaning: String| {
        fields.push(Field { name: name.to_owned(), value, meaning });
    };
    statuses(&found, &mut field);
    numbers(&found, &mut field);
    if let Some(code) = after(&line, "return code = ").and_then(number).filter(|_| known) {
        field("return code", format!("{code:#010x}"), words::return_code(code));
    }
    let meanings = meanings(&line, &read, &found, &mut fields);
    let summary = meanings.first().map_or_else(
        || summary(&found, block.is_some(), !says_anything(&found) && !found.names_a_sender()).to_owned(),
        |first| format!("{}. {}", capital(first.says), first.next),
    );
    Explanation { fields, summary }
}

/// When and where a line was written.
fn written(prefix: &Prefix<'_>, fields: &mut Vec<Field>) {
    if let Some(when) = prefix.when {
        let own = when.in_own_zone().map_or_else(String::new, |own| format!("; in the log's own zone {own}"));
        let (value, zone) = match when.zone_minutes {
            Some(_) => (when.to_string(), own),
            // What has no zone is in the writer's: sanlock, syslog and journals write local time.
            None => {
                (when.to_string().trim_end_matches('Z').to_owned(), "; the line names no zone".to_owned())
            }
        };
        fields.push(words::field("time", &value, &format!("when the line was written{zone}")));
    }
    if let Some(host) = prefix.host {
        fields.push(words::field("host", host, "the host that wrote it, as a log server noted"));
    }
}

/// What the dialects made of a line.
struct Read {
    /// What it says.
    facts: Vec<Fact>,
    /// The words of it by which it was known, whole.
    words: String,
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
    let record = Record::new(Place { input, line: 1 }, line, Ahead::NOTHING);
    let (dialect, reading) = dialects.read(mask, &record, &mut ledger);
    dialects.end(&mut ledger);
    let is_known = reading != Reading::Stranger;
    let told_by = if is_known { dialects.told_by(dialect, &record) } else { Vec::new() };
    let words = words::around(record.body(), &told_by);
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
        field("opcode", &format!("{code:#04x}"), &codes::opcode_name(Opcode(code), line));
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
fn meanings(line: &str, read: &Read, found: &CommandLine<'_>, fields: &mut Vec<Field>) -> Vec<Meaning> {
    let mut meanings: Vec<Meaning> = Vec::new();
    for meaning in read.facts.iter().filter_map(|fact| meaning::of(&fact.kind)) {
        if !meanings.contains(&meaning) {
            meanings.push(meaning);
        }
    }
    let image = image_line::slot(line).filter(|_| meanings.is_empty());
    let lock = image_line::lock(line).filter(|lock| meanings.is_empty() && lock.offset.is_some());
    if meanings.is_empty() && image.is_some() {
        meanings.push(meaning::SLOT);
    } else if meanings.is_empty() && lock.is_some() {
        meanings.push(meaning::LOCK);
    }
    if meanings.is_empty() && read.is_known && !says_anything(found) {
        meanings.push(meaning::USUAL);
    }
    for meaning in &meanings {
        // What is printed in brackets or dumped is told number by number below.
        let printed = [meaning::SLOT, meaning::LOCK].contains(meaning);
        let value = if printed { "as printed" } else { &read.words };
        if meaning.about != meaning::VERSION {
            fields.push(words::field(meaning.about, value, meaning.says));
        }
    }
    image.iter().for_each(|image| words::slot("slot", image, fields));
    lock.iter().for_each(|record| words::lock(record, fields));
    for fact in &read.facts {
        match &fact.kind {
            Kind::Heartbeat(heartbeat) => {
                let images = [("slot", &heartbeat.slot), ("second image's", &heartbeat.wanted)];
                for (name, image) in images {
                    image.iter().for_each(|image| words::slot(name, image, fields));
                }
            }
            Kind::Lock(lock) => lock.record.iter().for_each(|record| words::lock(record, fields)),
            Kind::Slot(image) => words::slot("slot", image, fields),
            Kind::LockDump(record) => words::lock(record, fields),
            Kind::Version(component) => words::component(line, component, fields),
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
            Some(value) => {
                let marks = NvmeStatus::marks(value).map_or_else(String::new, |marks| format!("; {marks}"));
                field("D", format!("{value:#x}"), meaning + &marks);
            }
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
        (None, _) if found.command.device == Some(DeviceStatus::CHECK_CONDITION) => {
            "none that the standards know, although the status says that there are some: the numbers were cut, masked or overwritten"
                .to_owned()
        }
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

fn summary(found: &CommandLine<'_>, has_block: bool, empty: bool) -> &'static str {
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
        (_, Outcome::Refused) if found.is_without_names() => {
            "The device answered with a status that has no name here: what became of the command is not known."
        }
        (true, Outcome::Refused) => "An atomic test and set was refused, and not executed.",
        (false, Outcome::Unknown) => "A command has no answer. If it was a write, it may have been executed.",
        (false, Outcome::Refused) => {
            "A command was refused by the device. Which command, and on which device, stands in the whole line and in those around it."
        }
        (true, Outcome::Unsaid) if has_block => {
            "This is the atomic test and set itself. How it ended stands in the lines around it, with the same tag and device."
        }
        (_, Outcome::Unsaid) if found.command.host.is_some_and(HostStatus::is_of_a_lost_way) => {
            "The command came to nothing because the way to the device was gone. Whether it was sent before, and executed, this line does not say."
        }
        (_, Outcome::Unsaid) => "The line does not say how the command ended.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_without_their_words_are_decoded_as_what_they_may_be() {
        let sense = [
            "SCSI: 2897: vmhba1:2:3 returned I/O error D:0x2/H:0x0 0xe 0x1d 0x0",
            "failed D:0x2/H:0x0 sense: 0xe 0x1d 0x0",
            "Add. Sense: Miscompare during verify operation",
            "kvm3 kernel: Add. Sense: Miscompare during verify operation",
            "Sense Key : Miscompare [current] Add. Sense: Miscompare during verify operation",
        ];
        for line in sense {
            let explanation = explain(line);
            assert!(meaning(&explanation, "sense").starts_with("MISCOMPARE"), "{line}: {explanation:?}");
            assert!(explanation.summary.contains("not equal"), "{line}: {explanation:?}");
        }
        assert!(meaning(&explain("Sense Key : Miscompare [current]"), "sense").starts_with("MISCOMPARE"));
        let nvme = explain("COMPARE FAILURE (02/85)");
        assert!(meaning(&nvme, "NVMe status").contains("COMPARE FAILURE"), "{nvme:?}");
        assert!(nvme.fields.iter().all(|field| field.name != "sense"), "NVMe has none: {nvme:?}");
        assert!(meaning(&explain("0x89"), "opcode").contains("COMPARE AND WRITE"));
        for status in ["(0x4285)", "0x285"] {
            assert!(meaning(&explain(status), "NVMe status").contains("COMPARE FAILURE"), "{status}");
        }
        for line in ["0x7fff", "0x12345678", "0xc0ffee (0x4285)", "D:0x2/H:0x0 0x5 0x200 0x0"] {
            let explanation = explain(line);
            assert!(
                explanation.fields.iter().all(|field| !["sense", "NVMe status"].contains(&&*field.name)),
                "{line}: {explanation:?}"
            );
        }
        assert!(!explain("CmdSN 0x80000033").summary.contains("Nothing"));
        assert!(explain("H:0x0 D:0x77 P:0x0").summary.contains("no name here"));
        assert!(explain("H:0x0 D:0x18 P:0x0").summary.contains("refused"));
        assert!(explain("16/9").fields.is_empty(), "a fraction");
        let oldest = explain("24/0");
        assert!(meaning(&oldest, "D").contains("RESERVATION CONFLICT"), "{oldest:?}");
        assert!(meaning(&oldest, "code").contains("invalid field in CDB"), "{oldest:?}");
        for line in ["1/2", "24/12/2026"] {
            assert!(explain(line).fields.iter().all(|field| field.name != "status"), "{line}");
        }
        assert!(!explain("ata3.00: failed command: WRITE DMA EXT").summary.contains("usual"));
    }

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

    fn value(explanation: &Explanation, name: &str) -> String {
        let field = explanation.fields.iter().find(|field| field.name == name);
        field.map(|field| field.value.clone()).unwrap_or_default()
    }

    /// These are the false answer itself, whatever program prints it, and were called usual or unknown.
    #[test]
    fn the_false_answer_is_known_in_every_spelling() {
        let lines = [
            "sd 2:0:0:1: [sdc] tag#11 Add. Sense: Miscompare during verify operation",
            "sense data: 72 0e 1d 00 00 00 00 00",
            "Sense: 70 00 0e 00 00 00 00 0a 00 00 00 00 1d 00 00 00 00 00",
            "f0 00 0e 00 00 01 fe 0a 00 00 00 00 1d 00 00 00 00 00",
            "K:0xe C:0x1d Q:0x0",
            "[e/1d/0]",
            "nvme_ctrlr: COMPARE FAILURE (02/85) qid:1 cid:120 cdw0:0 sqhd:0012 p:0 m:0 dnr:0",
            "NVMe status: COMPARE_FAILED: The command failed due to a miscompare during a Compare command. (0x4285)",
            "NVMe Status:COMPARE_FAILED(285)",
            "cpu1:2097)NVMEIO:3863 Ctlr 257, nsid 1: cmd 0x5 failed: status 0x285",
        ];
        for line in lines {
            let explanation = explain(line);
            assert!(explanation.summary.contains("the block was not equal"), "{line}: {explanation:?}");
        }
        assert_eq!(value(&explain(lines[3]), "information"), "510");
        assert!(meaning(&explain(lines[7]), "status field").contains("do not retry"));
    }

    #[test]
    fn a_nexus_that_was_lost_is_no_answer_in_any_spelling() {
        for line in
            ["K:0x6 C:0x29 Q:0x7", "[6/29/7]", "Add. Sense: I_T nexus loss occurred on sd 2:0:0:1: [sdc]"]
        {
            let explanation = explain(line);
            assert!(explanation.summary.contains("no answer"), "{line}: {explanation:?}");
        }
        assert_eq!(explain("on 6/29/07 the array was moved").fields, [], "a date");
    }

    #[test]
    fn a_command_descriptor_block_is_decoded() {
        let explanation = explain(
            "sd 2:0:0:1: [sdc] tag#11 CDB: Compare and write 89 00 00 00 00 00 00 00 12 67 00 00 00 01 00 00",
        );
        let told = ["opcode", "LBA", "blocks"].map(|name| value(&explanation, name));
        assert_eq!(told, ["0x89", "4711", "1"]);
        assert!(explanation.summary.contains("atomic test and set itself"), "{}", explanation.summary);
    }

    #[test]
    fn a_row_of_a_dump_and_a_lock_record_are_told_number_by_number() {
        let row = explain("01400000  02 ef cd ab 00 00 30 00  00 00 00 00 07 00 00 00  |......0.........|");
        let told = ["slot state", "slot offset", "slot gen"].map(|name| value(&row, name));
        assert_eq!(told, ["abcdef02", "3145728", "7"]);
        assert_eq!(value(&row, "slot stamp"), "", "the row does not reach the stamp");
        let lock = explain(
            "Lock [type 10c00001 offset 1024 v 47, hb offset 512 gen 18, mode 1, owner 5e21a8bb-2f0b1b3c-8a1c-0050569a1b2c mtime 5",
        );
        assert_eq!(["hb offset", "hb gen", "lock mode"].map(|name| value(&lock, name)), ["512", "18", "1"]);
        assert!(meaning(&lock, "owner").contains("00:50:56:9a:1b:2c"));
    }

    #[test]
    fn values_are_whole_words_of_the_line() {
        let cases = [
            ("fnic: host: 2 abort 0x4 rejected", "task", "fnic: host: 2 abort 0x4 rejected"),
            (
                "nvme nvme2: I/O 21 QID 4 timeout, aborting",
                "task",
                "nvme nvme2: I/O 21 QID 4 timeout, aborting",
            ),
            (
                "FS3: 4831: Reclaimed timed out heartbeat [HB state abcdef02",
                "heartbeat",
                "timed out heartbeat",
            ),
            ("scsi 2:0:0:1: Direct-Access     IBM      2145             0000 PQ: 0 ANSI: 6", "model", "2145"),
        ];
        for (line, name, wanted) in cases {
            let explanation = explain(line);
            assert_eq!(value(&explanation, name), wanted, "{line}: {explanation:?}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_not_called_utc() {
        let explanation = explain(
            "2024-05-01 02:03:04 1234 [567]: s3 renewal error -202 delta_length 20 last_success 1200",
        );
        assert_eq!(value(&explanation, "time"), "2024-05-01T02:03:04");
        assert!(meaning(&explanation, "time").contains("no zone"));
        assert_eq!(
            value(&explain("2026-05-05T05:05:05.555Z cpu1:7)HBX: x"), "time"),
            "2026-05-05T05:05:05.555Z"
        );
    }

    #[test]
    fn no_line_makes_it_fall_wherever_it_is_cut() {
        let lines = [
            "é sense data: 72 0e 1d 00 00 00 00 0c 00 0a 80 00 é [6/29/7] K:0xe C:0x1d Q:0x0 CDB: Write(10) 2a 00 00 00 12 67 00 00 08 00",
            "é nvme (02/85) qid:1 NVMe status: x (0x4285) Direct-Access  é  M 0 PQ: Lock [type 10c00001 offset 9 v é [HB state abcdef02 offset 7",
            "sd 2:0:0:1: [sdc] Add. Sense: ASC=0x3f ASCQ=0xe fnic: abort 0x4 rejected é 01400000  02 ef cd ab 00 00 30 00  00 00 00 00 07 00 00 00",
        ];
        for line in lines {
            for (at, _) in line.char_indices() {
                let _ = explain(&line[..at]);
                let _ = explain(&line[at..]);
            }
        }
    }

    #[test]
    fn red_hats_words_for_a_reservation_conflict_are_known() {
        let explanation = explain("critical nexus error, dev sdb, sector 0");
        assert!(meaning(&explanation, "D").starts_with("RESERVATION CONFLICT"));
    }

    #[test]
    fn bits_above_an_nvme_status_are_told() {
        let explanation = explain("Command 0x5 (0x45d9) to dev eui.0025 failed H:0x0 D:0x1080 P:0x0");
        assert!(meaning(&explanation, "D").contains("bits 12 and 11"), "{explanation:?}");
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
