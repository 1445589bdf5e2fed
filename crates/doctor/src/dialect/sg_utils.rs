//! sg3_utils in a terminal: commands that a person typed, and what they answered.

use super::{Dialect, Reading};
use crate::fact::{Command, DeviceStatus, Kind, Opcode, Place, Sense};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::text::{after, holds, word};

/// Commands of one session.
const COMMANDS_MAX: usize = 1_000;

/// A session in a terminal.
#[derive(Debug, Default)]
pub struct SgUtils {
    /// The last command's device.
    device: Option<String>,
    /// The last command, and those before it that were answered without a word: they had swapped.
    command: Option<String>,
    swapped: Vec<String>,
    /// Whether the last test was false; and whether the block was read directly since.
    was_false: bool,
    read_directly: bool,
    /// The last command, where it followed a false one and a direct read: if nothing is said of it, it swapped.
    retried: Option<(Place, String)>,
    /// Whether the last answer was told already: some versions say it twice.
    told: bool,
}

impl Dialect for SgUtils {
    fn name(&self) -> &'static str {
        "sg3_utils"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            "sg_compare_and_write",
            "COMPARE AND WRITE",
            "Compare and write",
            "Miscompare at byte offset",
            "iscompare during verify operation",
            "Info fld=",
            "iflag=direct",
        ]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        if body.contains("iflag=direct") {
            self.settle(ledger);
            self.read_directly = self.was_false;
            return Reading::UNDERSTOOD;
        }
        if body.contains("sg_compare_and_write --") || body.contains("sg_compare_and_write -") {
            if let Some(done) = self.command.take().filter(|_| !self.told)
                && self.swapped.len() < COMMANDS_MAX
            {
                self.swapped.push(done);
            }
            self.settle(ledger);
            if std::mem::take(&mut self.was_false) && std::mem::take(&mut self.read_directly) {
                self.retried = Some((record.place, record.line.to_owned()));
            }
            self.command = body.find("sg_compare_and_write").map(|at| body[at..].trim().to_owned());
            let device = after(body, " /dev/").map(word);
            self.device = device.map(str::to_owned);
            self.told = false;
            return Reading::UNDERSTOOD;
        }
        let of_linux = body.contains("Add. Sense") || body.contains("TARGET") || body.contains("CAM status");
        let key = holds(body, "sense key: miscompare") || body.contains("Miscompare at byte offset");
        if key && !of_linux {
            self.retried = None;
            self.was_false = true;
            if !std::mem::replace(&mut self.told, true) || self.device.is_none() {
                let command = Command {
                    opcode: Some(Opcode::COMPARE_AND_WRITE),
                    device: Some(DeviceStatus::CHECK_CONDITION),
                    sense: Some(Sense::MISCOMPARE),
                    ..Command::default()
                };
                let device = self.device.as_deref();
                // The same command had swapped before: what stands there is what it wrote.
                if self.command.as_ref().is_some_and(|command| self.swapped.contains(command)) {
                    ledger.note(record, Draft { device, ..Draft::of(Kind::OwnImage) });
                }
                ledger.note(record, Draft { device, ..Draft::of(Kind::Command(command)) });
            }
            return Reading::UNDERSTOOD;
        }
        let rest = ["Additional sense", "Info fld", "SCSI COMPARE AND WRITE failed"];
        if rest.iter().any(|part| body.contains(part)) { Reading::UNDERSTOOD } else { Reading::Stranger }
    }

    fn end(&mut self, ledger: &mut Ledger) {
        self.settle(ledger);
        *self = SgUtils::default();
    }
}

impl SgUtils {
    /// A command of which nothing was said has swapped.
    fn settle(&mut self, ledger: &mut Ledger) {
        if let Some((place, line)) = self.retried.take() {
            let record = Record::new(place, &line, &[]);
            let device = self.device.as_deref();
            ledger.note(&record, Draft { device, ..Draft::of(Kind::StaleImage) });
        }
    }
}
