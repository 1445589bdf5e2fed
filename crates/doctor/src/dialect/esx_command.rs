//! VMware: commands that failed, from ESX 3.5 to ESXi 8, SCSI and NVMe.

use super::{Dialect, Reading};
use crate::fact::{Command, DeviceStatus, HostStatus, Kind, NvmeStatus, Place, Sense};
use crate::ledger::{Draft, Ledger};
use crate::prefix;
use crate::record::Record;
use crate::scsi_line::{self, CommandLine};
use crate::text::{after, between, decimal, has, number, position, word};

/// The line that stands for others.
const REPEATED: &str = "last error status from device";
/// The two halves of a record are written so soon after each other.
const HALVES_US: i64 = 5_000;
/// Before ESX 4.
const OLDEST: &str = " status = ";

/// Lines with H, D and P, and the half of a record that is still nobody's.
#[derive(Debug, Default)]
pub struct EsxCommand {
    /// The statuses that were read last, where no line before them asked for them: in a log that stands newest first, the next line does.
    orphan: Option<(Place, String)>,
    /// The line whose statuses were read with the line before them.
    taken: Option<Place>,
}

impl Dialect for EsxCommand {
    fn name(&self) -> &'static str {
        "VMware: failed commands"
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["H:0x", "H:0\u{d7}", "D:0x", "Failed:", REPEATED, OLDEST]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        if record.holds_word(REPEATED)
            && let Some(rest) = after(body, REPEATED)
            && let Some(rest) = rest.strip_prefix(' ')
        {
            return repeated(record, rest, ledger);
        }
        if record.holds_word(OLDEST)
            && let Some(rest) = after(body, OLDEST)
        {
            return oldest(record, body, rest, ledger);
        }
        // VMware's own fault injection says so in front of what it made up (KB338435).
        if has(body, "Error Inject: ") {
            return Reading::UNDERSTOOD;
        }
        let mut found = scsi_line::read(body);
        let mut and_lines = 0;
        let has_status = found.command.host.is_some() || found.command.device.is_some();
        if found.command.opcode.is_none() && found.wide_status.is_none() {
            // The second half of a record that was split; it is read together with its first half.
            let half = has_status && has(body, "nmp_");
            if half && self.taken != Some(record.place) {
                self.orphan = Some((record.place, record.line.to_owned()));
            }
            return if half { Reading::UNDERSTOOD } else { Reading::Stranger };
        }
        let mut quoted = None;
        if !has_status && found.wide_status.is_none() {
            if !body.trim_end().ends_with("ailed:") && !has(body, "Failed") {
                return Reading::Stranger;
            }
            if let Some((status, text)) = self.second_half(record) {
                found.command = Command { opcode: found.command.opcode, ..status };
                quoted = Some(format!("{} {text}", record.line.trim_end()));
                and_lines = 0;
            }
        }
        // A line that was cut between the statuses and the sense data: they are of this command, and of no other.
        let tail = if has_status && found.claim.is_none() { sense_behind(record) } else { None };
        let whole = tail.map(|tail| format!("{} {tail}", body.trim_end()));
        if let Some(whole) = &whole {
            let sensed = scsi_line::read(whole);
            (found.command, found.claim, and_lines) = (sensed.command, sensed.claim, 1);
            quoted = Some(format!("{}{}", &record.line[..record.line.len() - body.len()], whole));
        }
        note(record, quoted.as_deref().unwrap_or(record.line), &found, 1, ledger);
        Reading::Understood { and_lines }
    }

    fn end(&mut self, _ledger: &mut Ledger) {
        *self = EsxCommand::default();
    }
}

impl EsxCommand {
    /// ESXi 8 writes the statuses into a record of their own, a line or a few further on; where a log stands newest first, they are the line before.
    fn second_half(&mut self, record: &Record<'_>) -> Option<(Command, String)> {
        // Both are written in one breath, by one world: records of several processors and hosts run into one another.
        let is_own = |line: &str| !record.is_of_another(&prefix::split(line));
        let mut own = (1..).zip(record.following()).filter(|(_, line)| is_own(line));
        let behind = own.find_map(|(lines, line)| half(&line).map(|found| (lines, line, found)));
        // Two of them in a row: one is another record's, and nobody can tell which.
        let is_one_of_two = behind.is_some() && own.next().is_some_and(|(_, line)| half(&line).is_some());
        let is_next =
            |place: &Place| place.input == record.place.input && place.line + 1 == record.place.line;
        let before = self.orphan.take().filter(|(place, _)| is_next(place)).map(|(_, line)| line);
        let is_close = |line: &str| {
            let apart =
                prefix::split(line).when.zip(record.prefix.when).and_then(|(when, then)| when.since(&then));
            apart.is_some_and(|us| us.abs() <= HALVES_US)
        };
        let (line, (at, command)) = match (before.filter(|line| is_own(line) && is_close(line)), behind) {
            (Some(_), Some((_, behind, _))) if is_close(&behind) => return None,
            (Some(before), _) => {
                let found = half(&before)?;
                (before, found)
            }
            (_, Some((lines, behind, found))) if !is_one_of_two => {
                self.taken = Some(Place { line: record.place.line + lines, ..record.place });
                (behind.into_owned(), found)
            }
            _ => return None,
        };
        Some((command, line[at..].to_owned()))
    }
}

fn note(record: &Record<'_>, text: &str, found: &CommandLine<'_>, count: u64, ledger: &mut Ledger) {
    let of_nvme = found.command.nvme.and_then(NvmeStatus::as_sense);
    let command = Command { sense: found.command.sense.or(of_nvme), ..found.command };
    let draft = Draft { device: found.device, path: found.path, count, ..Draft::of(Kind::Command(command)) };
    ledger.note_text(record, text, draft);
}

/// The sense data of a record, where they begin the line behind it.
fn sense_behind(record: &Record<'_>) -> Option<String> {
    const STARTS: [&str; 4] = ["Valid sense data", "Possible sense data", "Invalid sense data", "sense data"];
    let ends = record.body().trim_end();
    // `P:0x0`, `P:0x0 Valid`
    let is_cut = ends.rsplit(' ').take(2).any(|word| word.starts_with("P:"));
    let next =
        record.next_if(|line| is_cut && STARTS.iter().any(|start| line.starts_with(start.as_bytes())))?;
    Some(next.trim_matches([' ', '>', '|']).to_owned())
}

/// Where the statuses stand in a second half, and what they say.
fn half(line: &str) -> Option<(usize, Command)> {
    let plugin = has(line, "nmp_") || has(line, "Hpp");
    let at = position(line, "H:0x").filter(|_| plugin)?;
    let found = Some(scsi_line::read(line)).filter(|found| found.command.opcode.is_none())?;
    Some((at, found.command))
}

/// `naa.6 repeated 10 times`
fn repeated(record: &Record<'_>, rest: &str, ledger: &mut Ledger) -> Reading {
    let device = word(rest);
    let count = after(rest, "repeated ").and_then(decimal).unwrap_or(1);
    let draft = Draft { device: Some(device), count, ..Draft::of(Kind::Command(Command::default())) };
    ledger.note(record, draft);
    Reading::UNDERSTOOD
}

/// ESX 3.5: `SCSI: 5663: vmhba0:0:1:1 status = 24/0 0x0 0x0 0x0`: the device's status first, the host's behind it.
fn oldest(record: &Record<'_>, body: &str, rest: &str, ledger: &mut Ledger) -> Reading {
    let Some((device, host)) = rest.split_once('/') else { return Reading::Stranger };
    let (Some(device), Some(host)) = (number(device), number(host)) else { return Reading::Stranger };
    let (Ok(device), Ok(host)) = (u8::try_from(device), u16::try_from(host)) else {
        return Reading::Stranger;
    };
    let Some(at) = position(body, "vmhba") else { return Reading::Stranger };
    let path = between(&body[at..], "", " ").unwrap_or("");
    // `2/0 0x5 0x24 0x0`: key, code and qualifier stand behind the statuses.
    let mut sense = rest.split(' ').skip(1).map_while(number);
    let sense = match (sense.next(), sense.next(), sense.next()) {
        (Some(key), Some(code), Some(qualifier)) if device == DeviceStatus::CHECK_CONDITION.0 => {
            Sense::of(key, code, qualifier)
        }
        _ => None,
    };
    let command = Command {
        host: Some(HostStatus(host)),
        device: Some(DeviceStatus(device)),
        sense,
        ..Command::default()
    };
    // Path and device were one name then: adapter, target, LUN.
    ledger.note(record, Draft { device: Some(path), path: Some(path), ..Draft::of(Kind::Command(command)) });
    Reading::UNDERSTOOD
}
