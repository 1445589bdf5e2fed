//! Disks on a bus of ATA in this host's own case: commands that failed, as Linux's libata and FreeBSD's CAM tell them, each over several lines.
//!
//! ```text
//!  ata4.00: failed command: WRITE FPDMA QUEUED
//!  ata4.00: cmd 61/08:40:...
//!           res 40/00:01:... Emask 0x4 (timeout)
//!  ata4.00: error: { UNC }                              the medium, told for itself
//!
//!  (ada3:ahcich2:0:0:0): WRITE_FPDMA_QUEUED. ACB: 61 08 ...
//!  (ada3:ahcich2:0:0:0): CAM status: Command timeout
//! ```
//! Whether a write that had no answer stands on the disk, nobody knows then; nor what the disk's cache held, where that was to be flushed.

use std::borrow::Cow;

use super::{Dialect, Reading};
use crate::fact::{Kind, TaskKind, TaskOutcome};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::text::{after, between, has, whole};

/// Lines of libata and CAM.
#[derive(Debug)]
pub struct Ata;

/// Lines of one failure stand right behind its first.
const LINES_MAX: usize = 4;

impl Dialect for Ata {
    fn name(&self) -> &'static str {
        "disks of ATA"
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["failed command: ", " ACB: "]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        if record.prefix.is_foreign {
            return Reading::Stranger;
        }
        let (command, end) = match after(body, "failed command: ").filter(|_| has(body, "ata")) {
            Some(command) => (command, of_libata(record, command)),
            None => match body.split_once("): ").and_then(|(_, rest)| rest.split_once(" ACB: ")) {
                Some((command, _)) => (command, of_cam(record)),
                None => return Reading::Stranger,
            },
        };
        let command = command.strip_prefix("ATA_").unwrap_or(command);
        // A drive without a disc, or asleep, does not answer such a question; of what is on it, that says nothing.
        if !moves_data(command) {
            return Reading::UNDERSTOOD;
        }
        let kind = match end {
            Some(End::Medium) => Kind::Medium,
            Some(End::Unanswered) => Kind::Task { task: TaskKind::Abort, outcome: TaskOutcome::Issued },
            None => return Reading::UNDERSTOOD,
        };
        let of_a_write = ["WRITE", "FLUSH"].iter().any(|start| command.starts_with(start));
        ledger.note(record, Draft { of_a_write, ..Draft::of(kind) });
        Reading::UNDERSTOOD
    }
}

/// The disk that a line is of, by its place: the port `ata4` of `ata4.00: failed command:` and of `ata4: hard resetting link`, and `ada3`.
#[must_use]
pub fn disk(text: &str) -> Option<&str> {
    if let Some((before, _)) = text.split_once(" ACB: ") {
        return between(before, "(", ":");
    }
    let port = |word: &str| {
        let number = word.strip_prefix("ata")?.strip_suffix(':')?;
        let port = number.split('.').next().unwrap_or(number);
        whole(port).map(|_| "ata".len() + port.len())
    };
    text.split([' ', ']']).find_map(|word| port(word).map(|end| &word[..end]))
}

/// Whether a command reads, writes, trims or flushes, by its name (`ata_get_cmd_name`, drivers/ata/libata-eh.c): no PACKET, SMART or IDENTIFY.
fn moves_data(command: &str) -> bool {
    const NAMES: [&str; 7] = ["READ", "WRITE", "FLUSH", "DATA SET", "DSM", "SEND", "ZERO"];
    NAMES.iter().any(|name| command.starts_with(name))
}

/// How a command ended.
enum End {
    /// The disk could not read or write the medium.
    Medium,
    /// Nobody knows: it took too long, or the bus failed under it.
    Unanswered,
}

/// The reason in brackets behind the mask of errors (`ata_err_string`, drivers/ata/libata-eh.c). The error that is told for itself counts there.
fn of_libata(record: &Record<'_>, command: &str) -> Option<End> {
    let of_it = |line: &Cow<'_, str>| !line.trim().is_empty() && !has(line, "failed command: ");
    let behind: Vec<Cow<'_, str>> = record.following().take(LINES_MAX).take_while(of_it).collect();
    // Alone, as a search for these words finds it: that it failed is all that is told.
    if behind.is_empty() {
        return Some(End::Unanswered);
    }
    let reason = behind.iter().find_map(|line| between(after(line, "Emask 0x")?, "(", ")"))?;
    match reason {
        "media error" if behind.iter().any(|line| has(line, "error: { UNC")) => None,
        "media error" => Some(End::Medium),
        "timeout" | "ATA bus error" | "host bus error" => Some(End::Unanswered),
        // What the disk's cache held when it refused to write it down, nobody knows.
        "device error" if command.starts_with("FLUSH") => Some(End::Unanswered),
        _ => None,
    }
}

fn of_cam(record: &Record<'_>) -> Option<End> {
    let next = record.following().next()?;
    has(&next, "CAM status: Command timeout").then_some(End::Unanswered)
}
