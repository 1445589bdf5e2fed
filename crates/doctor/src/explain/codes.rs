//! Statuses in forms that only a person pastes, or another program prints: sense data as bytes or as three numbers, NVMe statuses of
//! SPDK and nvme-cli.

use super::Field;
use super::words::field;
use crate::dialect::linux_scsi;
use crate::fact::{Command, DeviceStatus, HostStatus, NvmeStatus, Opcode, Sense};
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
    if *found == CommandLine::default() {
        found.command.sense = linux_scsi::printed_sense(line);
    }
    if *found == CommandLine::default() {
        oldest(line, found, fields);
        two_numbers(line, found, fields);
        one_number(line, found, fields);
    }
    if found.command.nvme.is_none()
        && let Some(status) = nvme(line)
    {
        let Command { device, nvme, .. } = Command::of_nvme(NvmeStatus::of(status));
        (found.command.device, found.command.nvme) = (device, nvme);
        // What a dialect takes for a false answer, it notes as the sense data of one.
        if found.printed_sense.is_none() && !holds(line, "sense") {
            found.command.sense = None;
        }
        if let Some(marks) = NvmeStatus::marks(status) {
            fields.push(field("status field", &format!("{status:#x}"), &marks));
        }
    }
}

/// `status 24/0`, `status = 2/0 0x5 0x24 0x0`, and `24/0` alone: ESX 3 wrote the device's status first and the host's behind it, in decimal.
fn oldest(line: &str, found: &mut CommandLine<'_>, fields: &mut Vec<Field>) {
    // Those that logs have. A pair of others without the word before it is a fraction or a date.
    const OF_DEVICES: [u64; 9] = [0, 2, 4, 8, 16, 24, 40, 48, 64];
    const USUAL: [u64; 5] = [0, 2, 8, 24, 40];
    const HOSTS_MAX: u64 = 0xf;
    let behind = after(line, "status").map(|rest| rest.trim_start_matches([' ', '=', ':']));
    let alone = || Some(line.trim().trim_matches(['(', ')', '[', ']'])).filter(|pair| !pair.contains(' '));
    let Some(rest) = behind.or_else(alone) else { return };
    let pair = rest.split(' ').next().unwrap_or("").trim_end_matches([',', '.', ';']);
    let Some((device, host)) = pair.split_once('/') else { return };
    let whole = |text: &str| text.parse::<u64>().ok().filter(|_| text.len() <= 2);
    let (Some(device), Some(host)) = (whole(device), whole(host)) else { return };
    let devices: &[u64] = if behind.is_some() { &OF_DEVICES } else { &USUAL };
    if !devices.contains(&device) || host > HOSTS_MAX {
        return;
    }
    found.command.device = u8::try_from(device).ok().map(DeviceStatus);
    found.command.host = u16::try_from(host).ok().map(HostStatus);
    let mut sense = rest.split(' ').skip(1).map_while(number);
    if let (Some(key), Some(code), Some(qualifier)) = (sense.next(), sense.next(), sense.next()) {
        found.printed_sense = Some([key, code, qualifier]);
        found.command.sense = Sense::of(key, code, qualifier).filter(|_| device == 2);
    }
    let says = "as ESX 3 wrote it: the device's status, then the host's, in decimal; later releases print H before D, in hex";
    fields.push(field("status", pair, says));
    if behind.is_none()
        && let Some(name) = code_of(pair)
    {
        let says =
            format!("the other reading, as an additional sense code and its qualifier, in hex: {name}");
        fields.push(field("code", pair, &says));
    }
}

/// What `24/0` is called as an additional sense code and its qualifier, whatever key goes with it.
fn code_of(pair: &str) -> Option<&'static str> {
    let (code, qualifier) = pair.split_once('/')?;
    let (code, qualifier) = (hex(code)?, hex(qualifier)?);
    (1..=0xf).find_map(|key| Sense::of(key, code, qualifier).and_then(Sense::code_name))
}

/// `0x89 0x1d`, `0xe 0x1d`, and nothing else: what somebody remembers of a line. Which numbers they are is not said, so each possible reading is.
fn two_numbers(line: &str, found: &mut CommandLine<'_>, fields: &mut Vec<Field>) {
    let mut words = line.split([' ', ',', '/']).filter(|word| !word.is_empty());
    let marked = |word: &str| number(word).filter(|_| word.starts_with("0x") || word.starts_with("0X"));
    let (Some(first), Some(second), None) =
        (words.next().and_then(marked), words.next().and_then(marked), words.next())
    else {
        return;
    };
    if let Some(sense) = Sense::of(first, second, 0).filter(|sense| sense.code_name().is_some()) {
        found.command.sense = Some(sense);
        let says = "the sense data's qualifier is not there: 0 is taken for it";
        fields.push(field("qualifier", "missing", says));
        return;
    }
    let Ok(code) = u8::try_from(first) else { return };
    let known = Opcode(code).name();
    // Any key that goes with a code tells its name.
    let name = (1..=0xf).find_map(|key| Sense::of(key, second, 0).and_then(Sense::code_name));
    let Some(name) = name.filter(|_| Opcode(code).is_ats() || !known.contains("without a name")) else {
        return;
    };
    found.command.opcode = Some(Opcode(code));
    let says = format!(
        "as an additional sense code: {name}. The sense key before it and the qualifier behind it are not there; of an atomic test and set that was false \
         they are 0xe and 0x0"
    );
    fields.push(field("code", &format!("{second:#04x}"), &says));
}

/// `0x89`, `(0x4285)`: the last number that somebody has of a line. By its size it is an operation code, or a status of NVMe.
fn one_number(line: &str, found: &mut CommandLine<'_>, fields: &mut Vec<Field>) {
    let bare = line.trim().trim_matches(['(', ')', '[', ']', '"', '\'', '.', ',']);
    let Some(value) = number(bare).filter(|_| bare.starts_with("0x") && !bare.contains(' ')) else { return };
    match u8::try_from(value) {
        Ok(code) if !Opcode(code).name().contains("without a name") => {
            found.command.opcode = Some(Opcode(code));
            fields.push(field(
                "number",
                bare,
                "what it is stands nowhere: as an operation code of SCSI it is this",
            ));
        }
        Err(_) if value <= u64::from(u16::MAX) => {
            let status = NvmeStatus::of(value);
            if !status.has_a_name() {
                return;
            }
            let Command { device, nvme, .. } = Command::of_nvme(status);
            (found.command.device, found.command.nvme) = (device, nvme);
            fields.push(field("number", bare, "what it is stands nowhere: as a status of NVMe it is this"));
        }
        _ => {}
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
    // SPDK's words are in capitals, and may be all that was copied.
    let words = line.split_once('(').map_or("", |(words, _)| words.trim_end());
    let is_named = words.len() > 2 && words.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ');
    if is_named || has(line, " qid:") || has(line, "sqhd:") {
        let (kind, code) =
            line.split('(').skip(1).find_map(|rest| rest.split_once(')')?.0.split_once('/'))?;
        let short = |digits: &str| (1..=2).contains(&digits.len());
        return (short(kind) && short(code)).then(|| Some(hex(kind)? << 8 | hex(code)?))?;
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
