//! VMware: `vmkfstools -D FILE`, by which people ask who holds a file.
//!
//! ```text
//!  Lock [type 10c00001 offset 154857472 v 47, hb offset 3264512
//!  gen 18043, mode 1, owner 5e21a8bb-2f0b1b3c-8a1c-0050569a1b2c mtime 5436998
//!  num 0 gblnum 0 gblgen 0 gblbrk 0]
//!  RO Owner[0] HB Offset 3293184 524d4c0f-15cd0c26-2d4a-e41f1337a4b0
//!  Addr <4, 349, 165>, gen 45, links 1, type reg, flags 0, uid 0, gid 0, mode 600
//! ```

use super::{Dialect, Reading};
use crate::bounds::RECORD_LINES_MAX;
use crate::fact::{Kind, LockRecord, Place, Uuid};
use crate::image_line;
use crate::image_words;
use crate::ledger::{Draft, Ledger};
use crate::record::{Ahead, Record};
use crate::text::{after, decimal, has};

/// What one file's answer says.
#[derive(Debug, Default)]
pub struct Vmkfstools {
    /// The datastore of the file that was asked for, and whether its answer goes on.
    volume: Option<String>,
    reading: bool,
    /// The lock's lines, as far as they were read, and where they begin.
    open: Option<(Place, String, usize)>,
    lock: Option<LockRecord>,
}

impl Dialect for Vmkfstools {
    fn name(&self) -> &'static str {
        "VMware: vmkfstools -D"
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["Lock [type 10c", "vmkfstools -D", "RO Owner["]
    }

    fn reads_prompts(&self) -> bool {
        true
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        // In a log such a record stands behind a time, and is the host's own.
        if record.prefix.begins {
            *self = Vmkfstools::default();
            return Reading::Stranger;
        }
        let line = record.body().trim();
        if let Some(file) = after(line, "vmkfstools -D") {
            let volume = after(file, "/vmfs/volumes/").and_then(|path| path.split('/').next());
            *self = Vmkfstools { volume: volume.map(str::to_owned), reading: true, ..Vmkfstools::default() };
            return Reading::More;
        }
        if line.starts_with("Lock [type ") {
            self.reading = true;
            self.lock = None;
            self.open = Some((record.place, String::new(), 0));
        }
        if self.open.is_some() {
            return self.go_on(line, ledger);
        }
        if line.starts_with("RO Owner[") {
            self.reading = true;
            self.reader(record, line, ledger);
            return Reading::More;
        }
        let known = ["Addr <", "len ", "num ", "HB Offset "].iter().any(|start| line.starts_with(start))
            || line.is_empty();
        if self.reading && known {
            return Reading::More;
        }
        self.reading = false;
        Reading::Stranger
    }

    fn end(&mut self, _ledger: &mut Ledger) {
        *self = Vmkfstools::default();
    }
}

impl Vmkfstools {
    /// A line of the lock's own brackets.
    fn go_on(&mut self, line: &str, ledger: &mut Ledger) -> Reading {
        let Some((place, mut text, lines)) = self.open.take() else { return Reading::Stranger };
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
        if !has(line, "]") {
            if lines >= RECORD_LINES_MAX {
                return Reading::Stranger;
            }
            self.open = Some((place, text, lines + 1));
            return Reading::More;
        }
        let Some(lock) = image_line::lock(&text) else { return Reading::Stranger };
        self.lock = Some(lock);
        self.note(&Record::new(place, &text, Ahead::NOTHING), lock, ledger);
        Reading::More
    }

    /// `RO Owner[0] HB Offset 3293184 524d4c0f-15cd0c26-2d4a-e41f1337a4b0`: one of several that hold the lock.
    fn reader(&self, record: &Record<'_>, line: &str, ledger: &mut Ledger) {
        let Some((lock, owner)) = self.lock.zip(Uuid::find(line)) else { return };
        let slot_offset = after(line, "HB Offset ").and_then(decimal);
        let lock =
            LockRecord { owner: Some(owner), slot_offset, slot_generation: None, version: None, ..lock };
        self.note(record, lock, ledger);
    }

    fn note(&self, record: &Record<'_>, lock: LockRecord, ledger: &mut Ledger) {
        let text = format!("{}: {}", image_words::lock(&lock), record.line.trim());
        let draft = Draft { volume: self.volume.as_deref(), ..Draft::of(Kind::LockDump(Box::new(lock))) };
        ledger.note_text(record, &text, draft);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Doctor, Report};

    const LOCK: &str = "Lock [type 10c00001 offset 99614720 v 12, hb offset 3146752\ngen 77, mode 1, owner 60aa0001-bb000002-1111-0050560d0e0f mtime 4711\n\
                        num 0 gblnum 0 gblgen 0 gblbrk 0]\n";
    const TAIL: &str = "Addr <4, 1, 2>, gen 5, links 1, type reg, flags 0, uid 0, gid 0, mode 600\nlen 1048576, nb 1 tbz 0, cow 0, zla 3, bs 1048576\n";

    fn judge(session: &str) -> Report {
        let mut doctor = Doctor::new();
        doctor.read("ticket", &mut session.as_bytes(), &mut |_| {});
        doctor.judge()
    }

    #[test]
    fn a_lock_that_was_asked_for_names_its_owners_card_and_slot() {
        let report =
            judge(&format!("[root@h4:~] vmkfstools -D /vmfs/volumes/gold-2/vm/vm.vmdk\n{LOCK}{TAIL}"));
        let finding = &report.incidents[0];
        assert_eq!((finding.cause.as_str(), finding.volume.as_deref()), ("cannot-tell", Some("gold-2")));
        for says in ["exclusive", "00:50:56:0d:0e:0f", "slot 2, at offset 0x300400", "type 10c00001"] {
            assert!(finding.because.contains(says), "{says}: {}", finding.because);
        }
        assert_eq!((report.understood, report.strange), (6, 0));
    }

    #[test]
    fn every_reader_of_a_shared_lock_is_told() {
        let shared = LOCK.replace(
            "mode 1, owner 60aa0001-bb000002-1111-0050560d0e0f",
            "mode 2, owner 00000000-00000000-0000-000000000000",
        );
        let readers = "RO Owner[0] HB Offset 3146240 60aa0001-bb000002-1111-0050560a0b01\nRO Owner[1] HB Offset 3147264 60aa0001-bb000002-1111-0050560a0b02\n";
        let report = judge(&format!("{shared}{readers}{TAIL}"));
        assert_eq!(report.incidents.len(), 1);
        for says in ["00:50:56:0a:0b:01", "slot 1,", "00:50:56:0a:0b:02", "slot 3,"] {
            assert!(report.incidents[0].because.contains(says), "{says}: {}", report.incidents[0].because);
        }
        assert_eq!((report.understood, report.strange), (7, 0));
    }
}
