//! Linux: SCSI commands that failed (`sd`), each told over several lines of the kernel log.
//!
//! ```text
//!  sd 2:0:0:1: [sdc] tag#3 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=0s
//!  sd 2:0:0:1: [sdc] tag#3 Sense Key : Miscompare [current]
//!  sd 2:0:0:1: [sdc] tag#3 Add. Sense: Miscompare during verify operation
//!  sd 2:0:0:1: [sdc] tag#3 CDB: opcode=0x89 89 00 00 00 ...
//! ```

use super::{Dialect, Reading, sense_words};
use crate::fact::{Command, DeviceStatus, HostStatus, Kind, Notice, NvmeStatus, Opcode, Place, Sense};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::stamp::Stamp;
use crate::subject;
use crate::text::{after, between, decimal, has, hex, number, position, word};

/// Lines of sd, of the block layer and of nvme.
#[derive(Debug, Default)]
pub struct LinuxScsi {
    /// The last command that was told, and where: what follows about the same device belongs to it.
    told: Option<Told>,
}

/// A command that was told.
#[derive(Debug)]
struct Told {
    place: Place,
    when: Option<Stamp>,
    host: Option<String>,
    device: String,
}

/// Lines of one command stand together, but for those of other processors between them.
const APART_MAX: u64 = 20;
/// An export of a journal has dozens of lines for each; its times tell.
const APART_US: i64 = 1_000_000;

impl Dialect for LinuxScsi {
    fn name(&self) -> &'static str {
        "Linux: failed commands"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            "hostbyte=",
            "return code = 0x",
            "Sense Key : ",
            "sense key: ",
            "Add. Sense: ",
            "CDB: ",
            "reservation conflict",
            "timing out command",
            "I/O error, dev ",
            "critical target error",
            "critical medium error",
            "critical nexus error",
            "nvme_status:",
            "NVMe status",
        ]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        // VMware's words for what failed to read a partition table.
        if has(body, "SCSI reservation conflict") {
            return Reading::Stranger;
        }
        if subject::is_of_no_disk(body) {
            return Reading::UNDERSTOOD;
        }
        if has(body, "hostbyte=") {
            self.tell(record);
            // What scsi_logging prints of a command that went well (drivers/scsi/scsi_logging.c).
            if has(body, "Done: SUCCESS") && has(body, "hostbyte=DID_OK") && !is_followed_by_sense(record) {
                return Reading::UNDERSTOOD;
            }
            return failed(record, ledger);
        }
        if let Some(code) = after(body, "return code = ").filter(|_| has(body, "SCSI error")).and_then(number)
        {
            return returned(record, ledger, code);
        }
        if let Some(disk) = served_disk(body) {
            note_error(record, ledger, disk, Notice::BlockError);
            return Reading::UNDERSTOOD;
        }
        let about = subject::find(body);
        if about.device.is_none() && about.path.is_none() {
            return Reading::Stranger;
        }
        // The block layer calls a reservation conflict a nexus error in kernels before 6.5 (block/blk-core.c: BLK_STS_NEXUS).
        if has(body, "reservation conflict") || has(body, "critical nexus error") {
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
        } else if has(body, "Sense Key") && self.was_told(record) {
            return Reading::UNDERSTOOD;
        } else if let Some(sense) = key_of(body) {
            // A sense key whose first line is missing; its code may stand in the next one, which in kernels before 2.6.27 names no disk.
            let is_old = has(body, "urrent: sense key: ");
            let of_it = |line: &std::borrow::Cow<'_, str>| {
                self::device(line) == self::device(body) || is_old && self::device(line).is_none()
            };
            let code = record.following().next().filter(of_it);
            let code = code.as_deref().and_then(|line| code_in(line).map(|text| with_code(sense, text)));
            note(record, ledger, Command { sense: Some(code.unwrap_or(sense)), ..Command::default() });
            self.tell(record);
        } else if let Some(text) = after(body, "Add. Sense: ") {
            // A code whose key is missing too: as from a search for the word.
            if let Some(sense) = alone(text).filter(|_| !self.was_told(record)) {
                note(record, ledger, Command { sense: Some(sense), ..Command::default() });
            }
        } else if has(body, "NVMe status") || has(body, "nvme_status:") {
            let status = after(body, "nvme_status:").or_else(|| after(body, "NVMe status"));
            let nvme =
                status.map(|rest| rest.trim_start_matches([' ', ':'])).and_then(number).map(NvmeStatus::of);
            note(record, ledger, nvme.map(Command::of_nvme).unwrap_or_default());
        } else if let Some(disk) =
            after(body, "I/O error, dev ").and_then(block_device).filter(|_| !self.was_told(record))
        {
            note_error(record, ledger, disk, Notice::DiskError);
        }
        // Otherwise the block layer repeats what the lines before said.
        Reading::UNDERSTOOD
    }

    fn end(&mut self, _ledger: &mut Ledger) {
        self.told = None;
    }
}

impl LinuxScsi {
    fn tell(&mut self, record: &Record<'_>) {
        self.told = device(record.body()).map(|device| Told {
            place: record.place,
            when: record.prefix.when,
            host: record.prefix.host.map(str::to_owned),
            device: device.to_owned(),
        });
    }

    /// Whether the lines just before told of a command to the device that this line is about.
    fn was_told(&self, record: &Record<'_>) -> bool {
        self.told.as_ref().is_some_and(|told| {
            let gap = record.prefix.when.zip(told.when).and_then(|(when, then)| when.since(&then));
            let near = record.place.line.abs_diff(told.place.line) <= APART_MAX
                || gap.is_some_and(|us| us.abs() <= APART_US);
            told.place.input == record.place.input
                && near
                && told.host.as_deref() == record.prefix.host
                && device(record.body()) == Some(told.device.as_str())
        })
    }
}

/// What the block layer says of a request that failed; newer kernels tell whether it was a write (block/blk-core.c).
fn note_error(record: &Record<'_>, ledger: &mut Ledger, disk: &str, notice: Notice) {
    let of_a_write = has(record.body(), ":(WRITE)");
    ledger.note(record, Draft { device: Some(disk), of_a_write, ..Draft::of(Kind::Notice(notice)) });
}

/// Whether sense data stand right behind a command's end.
fn is_followed_by_sense(record: &Record<'_>) -> bool {
    const LINES: usize = 2;
    record.following().take(LINES).any(|line| has(&line, "Sense Key"))
}

/// `nvme0n1` of `nvme0n1, sector 8`
fn block_device(text: &str) -> Option<&str> {
    text.split([',', ' ']).next().filter(|name| !name.is_empty())
}

/// The disk of `I/O error, dev rbd0, sector 8`, where its driver has no SCSI answer to tell: of Ceph, of a network, of virtio and Xen.
fn served_disk(text: &str) -> Option<&str> {
    let name = after(text, "I/O error, dev ").and_then(block_device)?;
    ["rbd", "nbd", "vd", "xvd"]
        .iter()
        .any(|kind| name.strip_prefix(kind).is_some_and(|rest| !rest.is_empty() && rest.len() <= 4))
        .then_some(name)
}

fn device(text: &str) -> Option<&str> {
    subject::device_of(text)
}

/// The sense data of which a line gives the code alone.
fn alone(text: &str) -> Option<Sense> {
    let Sense { code, qualifier, .. } = with_code(Sense { key: 0, code: 0, qualifier: 0 }, text);
    let key = Sense::usual_key(code)?;
    Some(Sense { key, code, qualifier })
}

/// The sense data of a line that names no disk: `Add. Sense: Miscompare during verify operation`, `Sense Key : Miscompare [current]`.
#[must_use]
pub fn printed_sense(line: &str) -> Option<Sense> {
    let code = after(line, "Add. Sense: ");
    match (key_of(line), code) {
        (Some(sense), code) => Some(code.map_or(sense, |text| with_code(sense, text))),
        (None, code) => code.and_then(alone),
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
    let bracketed = about.device.map(|device| format!("[{device}]"));
    let tag = between(body, "tag#", " ");
    let (mut taken, mut parted) = (0, false);
    for line in record.following() {
        let same = bracketed.as_deref().is_some_and(|device| has(&line, device))
            && between(&line, "tag#", " ") == tag
            && record.prefix.host.is_none_or(|host| names(&line, host));
        if !same {
            // Lines of other disks, and in a log server's file of other hosts, stand between them, and are read for themselves.
            parted = true;
            continue;
        }
        if has(&line, "hostbyte=") {
            break;
        }
        if let Some(sense) = key_of(&line).filter(|_| has(&line, "Sense Key")) {
            command.sense = Some(sense);
            command.device = Some(DeviceStatus::CHECK_CONDITION);
        } else if let Some(text) = code_in(&line) {
            command.sense = command.sense.map(|sense| with_code(sense, text));
        } else if let Some(text) = after(&line, "CDB: ") {
            command.opcode = opcode(text);
        } else {
            break;
        }
        taken += u64::from(!parted);
        if let Some(at) = line.find(']').filter(|_| has(&line, "[sd")) {
            quoted.push_str(" |");
            quoted.push_str(
                line.get(at..).and_then(|rest| rest.split_once("] ")).map_or("", |(_, rest)| rest).trim_end(),
            );
        }
    }
    answer_behind(&mut command);
    let draft = Draft { device: about.device, path: about.path, ..Draft::of(Kind::Command(command)) };
    ledger.note_text(record, &quoted, draft);
    Reading::Understood { and_lines: taken }
}

/// Whether a line has a host's name as a word.
pub(super) fn names(line: &str, host: &str) -> bool {
    let ends =
        |at: usize| !line[at..].starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '-');
    let begins =
        |at: usize| !line[..at].ends_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '-');
    position(line, host).is_some_and(|at| begins(at) && ends(at + host.len()))
}

/// Three host bytes are what Linux's error handling makes of a device's answer (`scsi_decide_disposition`, `scsi_check_sense` in
/// drivers/scsi/scsi_error.c): they name it where nothing else does.
fn answer_behind(command: &mut Command) {
    let Some(HostStatus(host)) = command.host else { return };
    if command.sense.is_some() || command.device.is_some() {
        return;
    }
    match host {
        0x11 => command.device = Some(DeviceStatus::RESERVATION_CONFLICT),
        0x12 => command.sense = Some(Sense { key: 7, code: 0x27, qualifier: 7 }),
        0x13 => command.sense = Some(Sense { key: 3, code: 0, qualifier: 0 }),
        _ => {}
    }
}

/// Linux's names for what VMware prints as H.
fn host_status(text: &str) -> Option<HostStatus> {
    const NAMES: [(&str, u16); 19] = [
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
        ("DID_TARGET_FAILURE", 0x10),
        ("DID_NEXUS_FAILURE", 0x11),
        ("DID_ALLOC_FAILURE", 0x12),
        ("DID_MEDIUM_ERROR", 0x13),
        ("DID_TRANSPORT_MARGINAL", 0x14),
    ];
    let name = word(text);
    let named = NAMES.iter().find(|(known, _)| *known == name).map(|(_, status)| *status);
    named.or_else(|| number(text).and_then(|value| u16::try_from(value).ok())).map(HostStatus)
}

/// `Sense Key : Miscompare [current]`, and in older kernels `Sense Key : 0xe`.
fn key_of(text: &str) -> Option<Sense> {
    let key = after(text, "Sense Key : ").or_else(|| after(text, "urrent: sense key: "));
    key.and_then(sense_words::of_key)
}

/// Where a line gives the code: `Add. Sense: Unrecovered read error`, and `ASC=0x11 ASCQ=0x0` in kernels that were built without words for it.
fn code_in(line: &str) -> Option<&str> {
    after(line, "Add. Sense: ").or_else(|| position(line, " ASC=0x").map(|at| &line[at..]))
}

/// The code in words; or `ASC=0x3f <<vendor>>ASCQ=0xe`, as the kernel prints codes that it has no words for.
fn with_code(sense: Sense, text: &str) -> Sense {
    let byte = |mark: &str| after(text, mark).and_then(hex).and_then(|value| u8::try_from(value).ok());
    if let (Some(code), Some(qualifier)) = (byte("ASC=0x"), byte("ASCQ=0x")) {
        return Sense { code, qualifier, ..sense };
    }
    sense_words::with_code(sense, text)
}

/// `opcode=0x89 89 00 ...`, `Compare and write 89 00 ...`, `Write(10) 2a 00 ...`.
pub(super) fn opcode(text: &str) -> Option<Opcode> {
    let byte = |value: u64| u8::try_from(value).ok().map(Opcode);
    if let Some(value) = after(text, "opcode=").and_then(number) {
        return byte(value);
    }
    let pair = text.split(' ').find(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))?;
    // `Write(10)` has its length in brackets, never as a word of its own.
    decimal(pair).or_else(|| hex(pair)).and_then(|_| hex(pair)).and_then(byte)
}
