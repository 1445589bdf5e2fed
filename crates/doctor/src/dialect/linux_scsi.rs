//! Linux: SCSI commands that failed (`sd`), each told over several lines of the kernel log.
//!
//! ```text
//!  sd 2:0:0:1: [sdc] tag#3 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=0s
//!  sd 2:0:0:1: [sdc] tag#3 Sense Key : Miscompare [current]
//!  sd 2:0:0:1: [sdc] tag#3 Add. Sense: Miscompare during verify operation
//!  sd 2:0:0:1: [sdc] tag#3 CDB: opcode=0x89 89 00 00 00 ...
//! ```

use super::{Dialect, Reading};
use crate::fact::{Command, DeviceStatus, HostStatus, Kind, NvmeStatus, Opcode, Sense};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::subject;
use crate::text::{after, decimal, has, hex, holds, number, word};

/// Lines of sd, of the block layer and of nvme.
#[derive(Debug)]
pub struct LinuxScsi;

impl Dialect for LinuxScsi {
    fn name(&self) -> &'static str {
        "Linux: failed commands"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            "hostbyte=",
            "return code = 0x",
            "Sense Key : ",
            "Add. Sense: ",
            "CDB: ",
            "reservation conflict",
            "timing out command",
            "I/O error, dev ",
            "critical target error",
            "critical medium error",
            "nvme_status:",
            "NVMe status",
        ]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        if has(body, "hostbyte=") {
            return failed(record, ledger);
        }
        if let Some(code) = after(body, "return code = ").filter(|_| has(body, "SCSI error")).and_then(number)
        {
            return returned(record, ledger, code);
        }
        let about = subject::find(body);
        if about.device.is_none() && about.path.is_none() {
            return Reading::Stranger;
        }
        if has(body, "reservation conflict") {
            note(
                record,
                ledger,
                Command { device: Some(DeviceStatus::RESERVATION_CONFLICT), ..Command::default() },
            );
        } else if has(body, "timing out command") {
            note(record, ledger, Command { host: Some(HostStatus::TIMEOUT), ..Command::default() });
        } else if has(body, "critical medium error") {
            let draft = Draft { device: about.device, path: about.path, ..Draft::of(Kind::Medium) };
            ledger.note(record, draft);
        } else if let Some(sense) = key_of(body).filter(|_| has(body, "Sense Key")) {
            // A sense key whose first line is missing.
            note(record, ledger, Command { sense: Some(sense), ..Command::default() });
        } else if has(body, "NVMe status") || has(body, "nvme_status:") {
            let status = after(body, "nvme_status:").or_else(|| after(body, "NVMe status"));
            let nvme =
                status.map(|rest| rest.trim_start_matches([' ', ':'])).and_then(number).map(NvmeStatus::of);
            note(record, ledger, nvme.map(Command::of_nvme).unwrap_or_default());
        }
        // The block layer repeats what the lines before said.
        Reading::UNDERSTOOD
    }
}

fn note(record: &Record<'_>, ledger: &mut Ledger, command: Command) {
    let about = subject::find(record.body());
    ledger
        .note(record, Draft { device: about.device, path: about.path, ..Draft::of(Kind::Command(command)) });
}

/// Kernels before 2.6.27: `SCSI error : <0 0 2 14> return code = 0x10000`, `sd 3:0:1:42: SCSI error: return code = 0x06000000`. One number of
/// four bytes: driver, host, message, device (include/scsi/scsi.h of that time).
fn returned(record: &Record<'_>, ledger: &mut Ledger, code: u64) -> Reading {
    const DRIVER_TIMEOUT: u8 = 6;
    let byte = |at: u32| u8::try_from(code >> at & 0xff).unwrap_or(0);
    let (driver, host, device) = (byte(24) & 0xf, byte(16), byte(0));
    let host =
        if driver == DRIVER_TIMEOUT && host == 0 { HostStatus::TIMEOUT } else { HostStatus(host.into()) };
    let device = (device != 0).then_some(DeviceStatus(device));
    let command = Command { host: Some(host), device, ..Command::default() };
    let body = record.body();
    let about = subject::find(body);
    let nexus = after(body, "SCSI error : <").and_then(|rest| rest.split('>').next());
    let nexus = nexus.map(|numbers| numbers.split(' ').collect::<Vec<_>>().join(":"));
    let path = about.path.or(nexus.as_deref());
    ledger.note(record, Draft { device: about.device, path, ..Draft::of(Kind::Command(command)) });
    Reading::UNDERSTOOD
}

/// The first line of a failure, with those of the same tag that follow.
fn failed(record: &Record<'_>, ledger: &mut Ledger) -> Reading {
    let body = record.body();
    let mut command = Command { host: after(body, "hostbyte=").and_then(host_status), ..Command::default() };
    let about = subject::find(body);
    let mut quoted = record.line.trim_end().to_owned();
    let mut taken = 0;
    for line in record.following() {
        let same = about.device.is_some_and(|device| line.contains(&format!("[{device}]")));
        let rest = !has(&line, "hostbyte=");
        if !(same && rest) {
            break;
        }
        if let Some(sense) = key_of(&line).filter(|_| has(&line, "Sense Key")) {
            command.sense = Some(sense);
            command.device = Some(DeviceStatus::CHECK_CONDITION);
        } else if let Some(text) = after(&line, "Add. Sense: ") {
            command.sense = command.sense.map(|sense| with_code(sense, text));
        } else if let Some(text) = after(&line, "CDB: ") {
            command.opcode = opcode(text);
        } else {
            break;
        }
        taken += 1;
        if let Some(at) = line.find(']').filter(|_| has(&line, "[sd")) {
            quoted.push_str(" |");
            quoted.push_str(
                line.get(at..).and_then(|rest| rest.split_once("] ")).map_or("", |(_, rest)| rest).trim_end(),
            );
        }
    }
    let draft = Draft { device: about.device, path: about.path, ..Draft::of(Kind::Command(command)) };
    ledger.note_text(record, &quoted, draft);
    Reading::Understood { and_lines: taken }
}

/// Linux's names for what VMware prints as H.
fn host_status(text: &str) -> Option<HostStatus> {
    const NAMES: [(&str, u16); 14] = [
        ("DID_OK", 0),
        ("DID_NO_CONNECT", 1),
        ("DID_BUS_BUSY", 2),
        ("DID_TIME_OUT", 3),
        ("DID_BAD_TARGET", 4),
        ("DID_ABORT", 5),
        ("DID_PARITY", 6),
        ("DID_ERROR", 7),
        ("DID_RESET", 8),
        ("DID_SOFT_ERROR", 0xb),
        ("DID_IMM_RETRY", 0xc),
        ("DID_REQUEUE", 0xd),
        ("DID_TRANSPORT_DISRUPTED", 0xe),
        ("DID_TRANSPORT_FAILFAST", 0xf),
    ];
    let name = word(text);
    let named = NAMES.iter().find(|(known, _)| *known == name).map(|(_, status)| *status);
    named.or_else(|| number(text).and_then(|value| u16::try_from(value).ok())).map(HostStatus)
}

/// `Sense Key : Miscompare [current]`, and in older kernels `Sense Key : 0xe`.
fn key_of(text: &str) -> Option<Sense> {
    const KEYS: [(&str, u8); 13] = [
        ("No Sense", 0),
        ("Recovered Error", 1),
        ("Not Ready", 2),
        ("Medium Error", 3),
        ("Hardware Error", 4),
        ("Illegal Request", 5),
        ("Unit Attention", 6),
        ("Data Protect", 7),
        ("Copy Aborted", 0xa),
        ("Aborted Command", 0xb),
        ("Volume Overflow", 0xd),
        ("Miscompare", 0xe),
        ("0xe", 0xe),
    ];
    let rest = after(text, "Sense Key : ")?;
    let key = KEYS.iter().find(|(name, _)| rest.starts_with(name)).map(|(_, key)| *key)?;
    Some(Sense { key, code: if key == 0xe { 0x1d } else { 0 }, qualifier: 0 })
}

fn with_code(sense: Sense, text: &str) -> Sense {
    const CODES: [(&str, u8, u8); 18] = [
        ("miscompare during verify", 0x1d, 0),
        ("i_t nexus loss", 0x29, 7),
        ("power on", 0x29, 0),
        ("logical unit not supported", 0x25, 0),
        ("logical unit communication failure", 0x08, 0),
        ("registrations preempted", 0x2a, 5),
        ("reservations preempted", 0x2a, 3),
        ("bus device reset", 0x29, 3),
        ("invalid command operation code", 0x20, 0),
        ("invalid field in cdb", 0x24, 0),
        ("space allocation failed", 0x27, 7),
        ("write protected", 0x27, 0),
        ("thin provisioning soft threshold", 0x38, 7),
        ("asymmetric access state transition", 0x04, 0x0a),
        ("asymmetric access state changed", 0x2a, 6),
        ("unrecovered read error", 0x11, 0),
        ("write error", 0x0c, 0),
        ("internal target failure", 0x44, 0),
    ];
    let known = CODES.iter().find(|(name, _, _)| holds(text, name));
    known.map_or(sense, |&(_, code, qualifier)| Sense { code, qualifier, ..sense })
}

/// `opcode=0x89 89 00 ...`, `Compare and write 89 00 ...`, `Write(10) 2a 00 ...`.
fn opcode(text: &str) -> Option<Opcode> {
    let byte = |value: u64| u8::try_from(value).ok().map(Opcode);
    if let Some(value) = after(text, "opcode=").and_then(number) {
        return byte(value);
    }
    let pair = text.split(' ').find(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))?;
    // `Write(10)` has its length in brackets, never as a word of its own.
    decimal(pair).or_else(|| hex(pair)).and_then(|_| hex(pair)).and_then(byte)
}
