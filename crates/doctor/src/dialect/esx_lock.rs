//! VMware: what VMFS says about its locks (DLX, and FS3 before it), and the message of the false ATS itself.

use super::{Dialect, Reading};
use crate::fact::{Command, Kind, Lock, LockStep, Opcode, PluginStatus};
use crate::image_line;
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::subject;
use crate::text::{has, holds};

/// Lines about locks.
#[derive(Debug)]
pub struct EsxLock;

/// The message of VMK_ATS_MISCOMPARE.
const FALSE_FOR_EQUALITY: &str = "returned false for equality";

impl Dialect for EsxLock {
    fn name(&self) -> &'static str {
        "VMware: locks"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            "DLX: ",
            "[type 10c0",
            FALSE_FOR_EQUALITY,
            "ATS_MISCOMPARE",
            "ptimistic lock",
            "Lock was not free",
            "lock holders are live",
        ]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        if record.prefix.is_foreign {
            return Reading::Stranger;
        }
        let of_a_block = holds(body, "test and set")
            || has(body, "disk block")
            || body.trim_start().starts_with("returned");
        if body.contains(FALSE_FOR_EQUALITY) && of_a_block || has(body, "ATS_MISCOMPARE") {
            let about = subject::find(body);
            let command = Command {
                opcode: Some(Opcode::COMPARE_AND_WRITE),
                plugin: Some(PluginStatus::ATS_MISCOMPARE),
                ..Command::default()
            };
            let draft = Draft {
                device: about.device,
                path: about.path,
                volume: about.volume,
                ..Draft::of(Kind::Command(command))
            };
            ledger.note(record, draft);
            return Reading::UNDERSTOOD;
        }
        // The lock of a device, by which hosts extend or make a volume, is no record of the volume's: no host keeps it alive, and none is named.
        if has(body, "LVM: ") && !has(body, "[type 10c0") {
            return Reading::Stranger;
        }
        // Databases and clusters have optimistic locks of their own.
        let of_another =
            record.prefix.process.is_some_and(|process| !process.to_ascii_lowercase().starts_with("vm"));
        let Some(step) = step(body).filter(|_| !of_another || has(body, "DLX") || has(body, "[type 10c0"))
        else {
            return Reading::Stranger;
        };
        // Publishers mask the owner; what stands behind it shows that the record is whole.
        let whole = |text: &str| {
            image_line::lock(text).is_some_and(|lock| lock.owner.is_some() || has(text, " mtime "))
        };
        let cut = (has(body, "[type") || body.trim_end().ends_with(':')) && !whole(body);
        let unwrapped = if cut { record.unwrapped(whole) } else { None };
        let (text, and_lines) = unwrapped.unwrap_or_else(|| (body.to_owned(), 0));
        let about = subject::find(&text);
        let kind = Kind::Lock(Box::new(Lock { step, record: image_line::lock(&text) }));
        let draft = Draft { device: about.device, volume: about.volume, ..Draft::of(kind) };
        if and_lines > 0 {
            ledger.note_text(record, &text, draft)
        } else {
            ledger.note(record, draft)
        }
        Reading::Understood { and_lines }
    }
}

fn step(text: &str) -> Option<LockStep> {
    const STEPS: [(&str, LockStep); 11] = [
        ("checking liveness", LockStep::CheckingLiveness),
        ("lock holders are live", LockStep::CheckingLiveness),
        ("miscompare", LockStep::Miscompare),
        ("corrupt", LockStep::Corrupt),
        ("break", LockStep::Breaking),
        ("replay", LockStep::Breaking),
        ("optimistic lock", LockStep::Stale),
        ("not free", LockStep::NotFree),
        ("failed", LockStep::Failed),
        ("error", LockStep::Failed),
        ("timed out", LockStep::Failed),
    ];
    STEPS.iter().find(|(word, _)| holds(text, word)).map(|(_, step)| *step)
}
