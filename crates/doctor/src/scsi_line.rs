//! Reads the statuses of a command out of a line by their shape, wherever they stand: H, D, P, sense, opcode, CmdSN.
//!
//! Forms changed from ESX 3.5 to ESXi 8 and people cut and mask them; the parts stayed.

use crate::fact::{Command, DeviceStatus, HostStatus, NvmeStatus, Opcode, PluginStatus, Sense};
use crate::sense_bytes;
use crate::text::{after, between, has, hex, number, position, word};

/// Whether the sense data can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenseClaim {
    /// `Valid sense data`
    Valid,
    /// `Possible sense data`: only if there is a check condition.
    Possible,
    /// `Invalid sense data`: rubbish.
    Invalid,
}

/// What a line says about a command.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CommandLine<'a> {
    /// The command and its statuses.
    pub command: Command,
    /// What is claimed of the sense data.
    pub claim: Option<SenseClaim>,
    /// The three numbers of the sense data as they are printed.
    pub printed_sense: Option<[u64; 3]>,
    /// The device.
    pub device: Option<&'a str>,
    /// The path.
    pub path: Option<&'a str>,
    /// The command's serial number.
    pub cmd_sn: Option<u64>,
    /// The world that sent it.
    pub world: Option<u64>,
    /// The number behind `D:` where it is too large for SCSI: an NVMe status.
    pub wide_status: Option<u64>,
}

impl CommandLine<'_> {
    /// Whether it says who sent the command, or which of many it was.
    #[must_use]
    pub fn names_a_sender(&self) -> bool {
        self.cmd_sn.is_some() || self.world.is_some()
    }

    /// Whether the device's status is none that SCSI has, and nothing else tells how the command ended.
    #[must_use]
    pub fn is_without_names(&self) -> bool {
        self.command.nvme.is_none()
            && self.command.sense.is_none()
            && self.command.device.is_some_and(|status| !status.has_a_name())
    }
}

/// Reads a message that holds `H:` and `D:`, or ends before them with `Failed:`.
#[must_use]
pub fn read(text: &str) -> CommandLine<'_> {
    let mut found = CommandLine {
        device: device(text).or_else(|| any_device(text)),
        path: between(text, "path \"", "\"").filter(|path| !path.is_empty()).or_else(|| any_path(text)),
        cmd_sn: after(text, "CmdSN ").and_then(number).or_else(|| after(text, "cmdSN ").and_then(number)),
        world: after(text, "from world ").and_then(number),
        ..CommandLine::default()
    };
    found.command.opcode = opcode(text);
    statuses(text, &mut found);
    sense(text, &mut found);
    found
}

/// `Cmd(0x43be1974bb80) 0x89`, `Cmd 0x89 (0x45dd`, `Command 0x28 to`, `Cmd: 0x89`, `opcode 0x89`.
fn opcode(text: &str) -> Option<Opcode> {
    const WORDS: [&str; 8] = ["Cmd(", "Cmd ", "Command ", "Cmd=", "cmd ", "opcode ", "opcode=", "OpCode "];
    let rest = WORDS.iter().find_map(|word| after(text, word).map(|rest| (word, rest)));
    let rest = match rest? {
        (&"Cmd(", rest) => rest.split_once(')')?.1,
        (_, rest) => rest,
    };
    let value = number(rest.trim_start_matches([' ', ':', '=']))?;
    u8::try_from(value).ok().map(Opcode)
}

/// The device, in quotes of any kind or bare.
fn device(text: &str) -> Option<&str> {
    let marks = ["dev \"", "device \"", "Device \"", "dev '", "device '"];
    let quoted = marks.iter().find_map(|mark| {
        let rest = after(text, mark)?;
        Some(rest.find(['"', '\'']).map_or_else(|| word(rest), |end| rest[..end].trim()))
    });
    quoted
        .or_else(|| ["to dev ", "device ", "Device "].iter().find_map(|mark| bare(after(text, mark)?)))
        .filter(|device| !device.is_empty())
}

fn bare(text: &str) -> Option<&str> {
    let name = word(text.trim_start_matches(['"', '\'']));
    let known = ["naa.", "eui.", "t10.", "mpx.", "sym.", "vml.", "vmhba", "uuid."];
    known.iter().any(|start| name.starts_with(start)).then(|| name.trim_end_matches(['.', ':']))
}

/// A whole id, whatever stands around it: an export's or a page's quotes (`&quot;`, `\u0022`, a backtick) are many.
fn any_device(text: &str) -> Option<&str> {
    const DIGITS_MIN: usize = 16;
    let ids = ["naa.", "eui."].iter().filter_map(|start| Some((position(text, start)?, start.len())));
    ids.filter_map(|(at, start)| {
        let digits = text[at + start..].bytes().take_while(u8::is_ascii_hexdigit).count();
        (digits >= DIGITS_MIN).then(|| &text[at..at + start + digits])
    })
    .next()
}

/// A whole path, whatever stands around it: `to path vmhba2:C0:T3:L9 failed`.
fn any_path(text: &str) -> Option<&str> {
    let at = position(text, "vmhba").filter(|&at| !text[..at].ends_with("mpx."))?;
    let length = text[at..].bytes().take_while(|&byte| byte.is_ascii_alphanumeric() || byte == b':').count();
    let path = text[at..at + length].trim_end_matches(':');
    (path.split(':').count() == 4 && has(path, ":L")).then_some(path)
}

/// `H:0x5 D:0x0 P:0x0`; each of them may be cut off or masked.
fn statuses(text: &str, found: &mut CommandLine<'_>) {
    let status = |mark: &str| {
        let at = position(text, mark)?;
        let before = text[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_ascii_alphanumeric()) {
            return None;
        }
        number(text[at + mark.len()..].trim_start())
    };
    found.command.host = status("H:").and_then(|value| u16::try_from(value).ok()).map(HostStatus);
    found.command.plugin = status("P:").and_then(|value| u8::try_from(value).ok()).map(PluginStatus);
    if let Some(value) = status("D:") {
        match u8::try_from(value) {
            // No status of SCSI is so large (SAM-5, 5.3.1): these are NVMe's, of type 0.
            Ok(value) if value < 0x80 => found.command.device = Some(DeviceStatus(value)),
            _ => {
                let Command { device, nvme, .. } = Command::of_nvme(NvmeStatus::of(value));
                found.wide_status = Some(value);
                (found.command.device, found.command.nvme) = (device, nvme);
            }
        }
    }
}

/// `Valid sense data: 0xe 0x1d 0x0`.
fn sense(text: &str, found: &mut CommandLine<'_>) {
    let Some((before, rest)) = split_at_sense(text) else { return by_letters(text, found) };
    let last = before.trim_end().rsplit(' ').next().unwrap_or("");
    found.claim = match last {
        word if word.eq_ignore_ascii_case("invalid") => Some(SenseClaim::Invalid),
        word if word.eq_ignore_ascii_case("possible") => Some(SenseClaim::Possible),
        word if word.eq_ignore_ascii_case("valid") => Some(SenseClaim::Valid),
        _ => None,
    };
    let mut numbers = rest.split([' ', ',', '/']).filter(|part| !part.is_empty()).map_while(|part| {
        let part = part.trim_end_matches(['.', ';']);
        if part.starts_with("0x") { number(part) } else { hex(part) }
    });
    let (Some(key), Some(code), Some(qualifier)) = (numbers.next(), numbers.next(), numbers.next()) else {
        return;
    };
    // The first byte of sense data is their format, and no key.
    let is_format = (0x70..=0x73).contains(&(key & 0x7f));
    let dumped =
        is_format.then(|| sense_bytes::find(text)).flatten().map(|bytes| bytes.numbers.map(u64::from));
    let [key, code, qualifier] = dumped.unwrap_or([key, code, qualifier]);
    found.printed_sense = Some([key, code, qualifier]);
    // Without a check condition, the numbers are what the last command left there.
    let checked = found.command.device.is_none_or(|status| status == DeviceStatus::CHECK_CONDITION);
    if found.claim != Some(SenseClaim::Invalid) && checked {
        found.command.sense = Sense::of(key, code, qualifier);
    }
}

/// `K:0x6 C:0x29 Q:0x7`, as some drivers print key, code and qualifier; or bytes behind the word `sense` alone.
fn by_letters(text: &str, found: &mut CommandLine<'_>) {
    let letters = || {
        let mut numbers = ["K:0x", " C:0x", " Q:0x"].iter().map(|mark| after(text, mark).and_then(hex));
        Some([numbers.next()??, numbers.next()??, numbers.next()??])
    };
    // Most lines of commands name no sense data at all, and need not be looked through for bytes.
    let bytes = || has(text, "ense").then(|| sense_bytes::find(text)).flatten();
    let numbers = letters()
        .or_else(|| bytes().map(|bytes| bytes.numbers.map(u64::from)))
        .or_else(|| behind_the_statuses(text, found));
    if let Some([key, code, qualifier]) = numbers {
        found.printed_sense = Some([key, code, qualifier]);
        found.claim = Some(SenseClaim::Valid);
        found.command.sense = Sense::of(key, code, qualifier);
    }
}

/// `D:0x2/H:0x0 0x5 0x20 0x0`: three numbers without a word, behind a check condition.
fn behind_the_statuses(text: &str, found: &CommandLine<'_>) -> Option<[u64; 3]> {
    if found.command.device != Some(DeviceStatus::CHECK_CONDITION) {
        return None;
    }
    let last = ["H:0x", "D:0x", "P:0x"].iter().filter_map(|mark| text.rfind(mark)).max()?;
    let mut words =
        text[last..].split([' ', ',']).skip(1).filter(|word| !["", "sense:", "sense"].contains(word));
    let mut byte =
        || words.next().filter(|word| word.starts_with("0x")).and_then(number).filter(|value| *value <= 0xff);
    Some([byte()?, byte()?, byte()?])
}

fn split_at_sense(text: &str) -> Option<(&str, &str)> {
    let at = position(text, "sense data").or_else(|| position(text, "Sense data"))?;
    let rest = text[at + "sense data".len()..].trim_start_matches([':', ' ']);
    Some((&text[..at], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generation_of_the_line_is_read() {
        let line = read(
            "ScsiDeviceIO: 2651: Cmd(0x43a6) 0x89, CmdSN 0x1b from world 34 to dev \"naa.6000\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.",
        );
        assert!(line.command.miscompared());
        assert_eq!((line.device, line.cmd_sn, line.world), (Some("naa.6000"), Some(0x1b), Some(34)));
        let line = read(
            "NMP: nmp_ThrottleLogForDevice:3617: Cmd 0x2a (0x4395, 65) to dev \"t10.A\" on path \"vmhba0:C0:T0:L0\" Failed: H:0x2 D:0x0 P:0x0 Invalid sense data: 0x75 0x70 0x64.",
        );
        assert_eq!(line.command.host, Some(HostStatus::BUS_BUSY));
        assert_eq!((line.command.sense, line.path), (None, Some("vmhba0:C0:T0:L0")));
        let line = read("ScsiDeviceIO: 1672: Command 0x28 to device \"naa.6\" failed H:0x0 D:0x18 P:0x3");
        assert_eq!(line.command.opcode, Some(Opcode(0x28)));
        assert_eq!(line.command.device, Some(DeviceStatus::RESERVATION_CONFLICT));
        let line = read("Cmd(0x4) 0x89, to dev \"eui.1\" failed H:0x0 D:0x285 P:0x0");
        assert!(line.command.miscompared() && line.command.device.is_none());
        let line = read("Cmd(0x4) 0x2a, to dev \"eui.1\" failed H:0x0 D:0x83 P:0x0");
        assert_eq!(line.command.device, Some(DeviceStatus::RESERVATION_CONFLICT));
        assert_eq!(
            (line.wide_status, line.command.nvme),
            (Some(0x83), Some(NvmeStatus { kind: 0, code: 0x83 }))
        );
    }

    #[test]
    fn sense_data_are_read_as_letters_and_as_bytes() {
        for text in [
            "sense data: 72 0e 1d 00 00 00 00 00",
            "Sense: 70 00 0e 00 00 00 00 0a 00 00 00 00 1d 00 00 00 00 00",
            "K:0xe C:0x1d Q:0x0",
        ] {
            assert_eq!(read(text).command.sense, Some(Sense::MISCOMPARE), "{text}");
        }
        assert!(read("K:0x6 C:0x29 Q:0x7").command.sense.is_some_and(Sense::is_nexus_loss));
    }

    #[test]
    fn sense_data_without_a_check_condition_are_what_another_command_left() {
        let line = read("Cmd 0x2a failed H:0x5 D:0x0 P:0x0 Possible sense data: 0xe 0x1d 0x0.");
        assert_eq!(line.command.sense, None);
        assert_eq!(line.printed_sense, Some([0xe, 0x1d, 0]));
    }
}
