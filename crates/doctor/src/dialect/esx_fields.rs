//! VMware: commands that a converter took apart into fields, one a line (`Cmd : 0xf1`).

use super::{Dialect, Reading};
use crate::fact::Kind;
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::scsi_line;

/// Fields that are collected until one is repeated or the block ends.
#[derive(Debug, Default)]
pub struct EsxFields {
    fields: Vec<(String, String)>,
}

/// Fields of one block.
const FIELDS_MAX: usize = 40;

impl Dialect for EsxFields {
    fn name(&self) -> &'static str {
        "VMware: commands as fields"
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["HostDevicePlugInCode", "LogType  "]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let Some((name, value)) = record.line.split_once(" :").filter(|(name, _)| is_field(name.trim()))
        else {
            self.fields.clear();
            return Reading::Stranger;
        };
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        let last = name == "SenseData";
        if self.fields.len() < FIELDS_MAX {
            self.fields.push((name, value));
        }
        if !last {
            return Reading::More;
        }
        let line = self.as_line();
        self.fields.clear();
        let found = scsi_line::read(&line);
        let draft =
            Draft { device: found.device, path: found.path, ..Draft::of(Kind::Command(found.command)) };
        ledger.note_text(record, &line, draft);
        Reading::UNDERSTOOD
    }

    fn end(&mut self, _ledger: &mut Ledger) {
        self.fields.clear();
    }
}

impl EsxFields {
    /// The fields as the line that they came from.
    fn as_line(&self) -> String {
        let field = |wanted: &str| {
            self.fields.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str())
        };
        format!(
            "Cmd {} to dev \"{}\" on path \"{}\" Failed: {} {} sense data: {}",
            field("Cmd"),
            field("to_dev"),
            field("on_path"),
            field("HostDevicePlugInCode"),
            field("SenseDataValidity"),
            field("SenseData"),
        )
    }
}

fn is_field(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 30
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
