//! Statuses in forms that only a person pastes, or another program prints: sense data as bytes or as three numbers, NVMe statuses of
//! SPDK and nvme-cli.

use super::Field;
use super::words::field;
use crate::fact::{Command, NvmeStatus, Opcode, Sense};
use crate::scsi_line::CommandLine;
use crate::sense_bytes::{self, SenseBytes};
use crate::text::{after, has, hex, holds, number};

/// Adds to what was read of a line; the fields that have no place elsewhere are pushed.
pub(super) fn complete(line: &str, found: &mut CommandLine<'_>, fields: &mut Vec<Field>) {
    if let Some(bytes) = sense_bytes::find(line) {
        format_of(&bytes, fields);
        if found.printed_sense.is_none() {
            found.command.sense = bytes.sense();
        }
    }
    if found.command.sense.is_none() && found.claim.is_none() {
        let sense = between_slashes(line);
        if let Some(sense) = sense {
            found.command.sense = Some(sense);
            found.printed_sense = None;
        }
    }
    if found.command.nvme.is_none()
        && let Some(status) = nvme(line)
    {
        let Command { device, nvme, .. } = Command::of_nvme(NvmeStatus::of(status));
        (found.command.device, found.command.nvme) = (device, nvme);
        if let Some(marks) = NvmeStatus::marks(status) {
            fields.push(field("status field", &format!("{status:#x}"), &marks));
        }
    }
}

fn format_of(bytes: &SenseBytes, fields: &mut Vec<Field>) {
    let (name, place) = if bytes.descriptors { ("descriptor", "2 to 4") } else { ("fixed", "3, 13 and 14") };
    let about = if bytes.deferred {
        ", deferred: they are of an earlier command than the one that was answered"
    } else {
        ""
    };
    let says = format!("bytes in the {name} format: key, code and qualifier are the bytes {place}{about}");
    fields.push(field("sense format", name, &says));
    if let Some(information) = bytes.information {
        let says = if bytes.sense().is_some_and(Sense::is_miscompare) {
            "the first byte that was not equal, counted from the beginning of what was to be compared"
        } else {
            "the sense data's INFORMATION field: mostly the block that the answer is about"
        };
        fields.push(field("information", &information.to_string(), says));
    }
}

/// `[6/29/7]`, `sense 06/29/07`, in hex; three numbers with slashes may be a date, unless they are in brackets, alone, or beside the word.
fn between_slashes(line: &str) -> Option<Sense> {
    let told = holds(line, "sense") || holds(line, "asc");
    let alone = line.split_whitespace().count() == 1;
    line.split_whitespace().find_map(|word| {
        let bare = word.trim_matches(['[', ']', '(', ')', '{', '}', ',', ';', '.', ':']);
        let in_brackets = word.starts_with(['[', '(', '{']);
        if !(told || alone || in_brackets) {
            return None;
        }
        let byte = |part: &str| {
            let digits = part.strip_prefix("0x").unwrap_or(part).trim_end_matches(['h', 'H']);
            let short =
                (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            short.then(|| hex(digits))?
        };
        let mut parts = bare.split('/').map(byte);
        let (key, code, qualifier) = (parts.next()??, parts.next()??, parts.next()??);
        let sense = Sense::of(key, code, qualifier).filter(|_| parts.next().is_none())?;
        sense.code_name().map(|_| sense)
    })
}

/// The status field as a program of NVMe prints it: `COMPARE FAILURE (02/85) qid:1` (SPDK), `NVMe status: COMPARE_FAILED: ... (0x4285)`,
/// `NVMe status: 0x2002` (nvme-cli), `NVMEIO:3863 ... status 0x285` (ESXi).
fn nvme(line: &str) -> Option<u64> {
    if has(line, " qid:") || has(line, "sqhd:") {
        let (kind, code) =
            line.split('(').skip(1).find_map(|rest| rest.split_once(')')?.0.split_once('/'))?;
        return (kind.len() <= 2 && code.len() <= 2).then(|| Some(hex(kind)? << 8 | hex(code)?))?;
    }
    if !holds(line, "nvme") {
        return None;
    }
    let told = ["NVMe status", "NVMe Status", "nvme_status"].iter().find_map(|mark| after(line, mark));
    let told = told.and_then(|rest| {
        // Older ones print it in hex without a mark.
        let in_brackets = rest.split('(').skip(1).find_map(|rest| {
            let (inside, _) = rest.split_once(')')?;
            let digits = inside.strip_prefix("0x").unwrap_or(inside);
            let short =
                (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            short.then(|| hex(digits))?
        });
        number(rest.trim_start_matches([':', ' ', '='])).or(in_brackets)
    });
    told.or_else(|| {
        ["status 0x", "status: 0x", "status=0x"].iter().find_map(|mark| after(line, mark)).and_then(hex)
    })
}

/// What an operation code is where a line of NVMe names it: NVMe numbers its commands itself (NVM command set, figure "opcodes").
pub(super) fn opcode_name(Opcode(code): Opcode, line: &str) -> String {
    let of_scsi = Opcode(code).name();
    let of_nvme = match code {
        0x00 => "Flush",
        0x01 => "Write",
        0x02 => "Read",
        0x04 => "Write Uncorrectable",
        0x05 => "Compare: the first half of NVMe's atomic test and set, where a Write is fused to it",
        0x08 => "Write Zeroes",
        0x09 => "Dataset Management",
        0x0d => "Reservation Register",
        0x0e => "Reservation Report",
        0x11 => "Reservation Acquire",
        0x15 => "Reservation Release",
        0x19 => "Copy",
        _ => "",
    };
    let driver = ["NVMEIO", "NvmeDeviceIO", "NVMePSA", "psaCmd"].iter().any(|word| has(line, word));
    match (of_nvme, driver) {
        ("", _) => of_scsi.to_owned(),
        (name, true) => format!("{name} (by NVMe's numbers)"),
        (name, false) if holds(line, "nvme") => format!("{of_scsi}; by NVMe's numbers {name}"),
        _ => of_scsi.to_owned(),
    }
}
