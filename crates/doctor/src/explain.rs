//! One line, field by field: what each number in it means, in every reading that public sources give.

use serde::Serialize;

use crate::fact::{Opcode, Outcome, Sense};
use crate::plain::plain;
use crate::prefix;
use crate::scsi_line::{self, CommandLine, SenseClaim};

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
    let line = plain(line.as_bytes());
    let prefix = prefix::split(&line);
    let found = scsi_line::read(prefix.body);
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
    if let Some(Opcode(code)) = found.command.opcode {
        field("opcode", format!("{code:#04x}"), Opcode(code).name().to_owned());
    }
    if let Some(device) = found.device {
        field("device", device.to_owned(), device_meaning(device).to_owned());
    }
    if let Some(path) = found.path {
        field("path", path.to_owned(), "adapter, channel, target and LUN".to_owned());
    }
    statuses(&found, &mut field);
    numbers(&found, &mut field);
    Explanation { summary: summary(&found, fields.is_empty()), fields }
}

fn statuses(found: &CommandLine<'_>, field: &mut dyn FnMut(&str, String, String)) {
    if let Some(status) = found.command.host {
        field("H", format!("{:#x}", status.0), status.reading().to_owned());
    }
    if let Some(status) = found.command.device {
        field("D", format!("{:#x}", status.0), status.reading().to_owned());
    }
    if let (Some(value), Some(status)) = (found.wide_status, found.command.nvme) {
        let meaning =
            format!("NVMe status type {:#x}, code {:#04x}: {}", status.kind, status.code, status.reading());
        field("D", format!("{value:#x}"), meaning);
    }
    if let Some(status) = found.command.plugin {
        field("P", format!("{:#x}", status.0), status.reading().to_owned());
    }
    if let Some([key, code, qualifier]) = found.printed_sense {
        field("sense", format!("{key:#x} {code:#x} {qualifier:#x}"), sense_meaning(found));
    }
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
    const KNOWN: [(&str, &str); 11] = [
        ("naa.6005076", "an IBM array, by its NAA id (SVC, Storwize, FlashSystem, DS8000)"),
        ("naa.6000d31", "a Dell Compellent (SC) array, by its NAA id"),
        ("naa.600601", "an EMC CLARiiON, VNX or Unity array, by its NAA id"),
        ("naa.60000970", "an EMC Symmetrix, VMAX or PowerMax array, by its NAA id"),
        ("naa.60060e8", "a Hitachi array, by its NAA id"),
        ("naa.600a098", "a NetApp array, by its NAA id"),
        ("naa.6001405", "a Linux target (LIO), by its NAA id"),
        ("naa.600508", "an HP or LSI local controller or array, by its NAA id"),
        ("naa.", "a SCSI device, by its NAA id"),
        ("eui.", "an NVMe namespace or SCSI device, by its EUI-64"),
        ("t10.", "a device known by vendor, model and serial number: usually a local disk"),
    ];
    KNOWN.iter().find(|(start, _)| device.starts_with(start)).map_or("the device", |(_, meaning)| meaning)
}

fn summary(found: &CommandLine<'_>, empty: bool) -> String {
    let ats = found.command.is_ats();
    let text = match (ats, found.command.outcome()) {
        _ if empty => "Nothing in this line is known here.",
        (_, Outcome::Miscompared) => {
            "An atomic test and set was answered: the block was not equal. One line cannot say why: what stands in the block \
             decides, and what this host sent just before."
        }
        (true, Outcome::Unknown) => {
            "An atomic test and set has no answer. It may have been executed: the next one may meet this host's own image \
             (a false miscompare)."
        }
        (true, Outcome::Refused) => "An atomic test and set was refused, and not executed.",
        (false, Outcome::Unknown) => "A command has no answer. If it was a write, it may have been executed.",
        (false, Outcome::Refused) => "A command was refused by the device.",
        (_, Outcome::Unsaid) => "The line does not say how the command ended.",
    };
    text.to_owned()
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
