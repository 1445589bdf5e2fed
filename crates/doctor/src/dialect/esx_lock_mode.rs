//! VMware: `esxcli storage vmfs lockmode list`, as hosts print it. Two hosts that list one volume in two modes disagree.

use std::collections::BTreeMap;

use super::{Dialect, Reading};
use crate::fact::{Kind, Support, Uuid};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::text::has;

/// Volumes whose modes are remembered.
const VOLUMES_MAX: usize = 10_000;

/// The modes that were listed, over all inputs.
#[derive(Debug, Default)]
pub struct EsxLockMode {
    modes: BTreeMap<Uuid, String>,
}

impl Dialect for EsxLockMode {
    fn name(&self) -> &'static str {
        "VMware: lock modes"
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["vmfs lockmode set", "  VMFS-5  ", "  VMFS-6  ", "Locking Mode  "]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        // What was listed before the mode was changed, and what is listed after it, are not of one time.
        if has(record.line, "vmfs lockmode set") {
            self.modes.clear();
            return Reading::UNDERSTOOD;
        }
        let Some(id) = Uuid::find(record.line) else {
            let title = has(record.line, "Locking Mode");
            return if title { Reading::UNDERSTOOD } else { Reading::Stranger };
        };
        let mut cells = record.line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        let label = cells.next().unwrap_or("");
        let Some(mode) = cells.find(|cell| matches!(*cell, "ATS" | "ATS+SCSI" | "SCSI")) else {
            return Reading::Stranger;
        };
        match self.modes.get(&id) {
            Some(known) if known != mode => {
                let text = format!("{} [another list says {known}]", record.line.trim());
                let draft = Draft { volume: Some(label), ..Draft::of(Kind::Support(Support::MixedModes)) };
                ledger.note_text(record, &text, draft);
            }
            Some(_) => {}
            None if self.modes.len() < VOLUMES_MAX => {
                self.modes.insert(id, mode.to_owned());
            }
            None => {}
        }
        Reading::UNDERSTOOD
    }
}
