//! VMware: what VMFS says about its heartbeats, from VMFS-3 to VMFS-6.

use super::{Dialect, Reading};
use crate::fact::{Heartbeat, HeartbeatStep, Kind};
use crate::image_line;
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::subject;
use crate::text::{has, position};

/// Lines of HBX, and of FS3 before it.
#[derive(Debug)]
pub struct EsxHeartbeat;

impl Dialect for EsxHeartbeat {
    fn name(&self) -> &'static str {
        "VMware: heartbeats"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            "HBX: ",
            "HB state ",
            "heartbeat [",
            "HB images",
            "timed out HB",
            "imed out heartbeat",
            "orrupt heartbeat",
        ]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        let Some(step) = step(&body.to_ascii_lowercase()) else { return Reading::Stranger };
        let whole = |text: &str| image_line::slot(text).is_some();
        let cut = (has(body, "[HB") || body.trim_end().ends_with(':')) && !whole(body);
        let unwrapped = if cut { record.unwrapped(whole) } else { None };
        let (text, and_lines) = unwrapped.unwrap_or_else(|| (body.to_owned(), 0));
        let slot = image_line::slot(&text);
        // Two images: what was to be tested and what was to be set.
        let second = position(&text, "HB state ").and_then(|at| image_line::slot(&text[at + 9..]));
        let about = subject::device_and_volume(&text);
        let kind = Kind::Heartbeat(Box::new(Heartbeat { step, slot, wanted: second }));
        let draft = Draft { device: about.device, volume: about.volume, ..Draft::of(kind) };
        if and_lines > 0 {
            ledger.note_text(record, &text, draft)
        } else {
            ledger.note(record, draft)
        }
        Reading::Understood { and_lines }
    }
}

/// What happened, by a message in small letters. Spelling changed over the years, and one release says `beween`.
fn step(text: &str) -> Option<HeartbeatStep> {
    const STEPS: [(&[&str], HeartbeatStep); 17] = [
        (&["corrupt heartbeat"], HeartbeatStep::Corrupt),
        (&["miscompare", "hb image"], HeartbeatStep::Miscompare),
        (&["miscompare", "hbx"], HeartbeatStep::Miscompare),
        (&["reclaim", "failed"], HeartbeatStep::ReclaimFailed),
        (&["reclaimed"], HeartbeatStep::Reclaimed),
        (&["reclaiming"], HeartbeatStep::TimedOut),
        (&["waiting for timed out"], HeartbeatStep::TimedOut),
        (&["timed out hb"], HeartbeatStep::TimedOut),
        (&["timed out heartbeat"], HeartbeatStep::TimedOut),
        (&["hbx", "taken over"], HeartbeatStep::TakenOver),
        (&["hbx", "hb slot", "changed"], HeartbeatStep::Changed),
        (&["failed to pulse"], HeartbeatStep::TimedOut),
        (&["setting pulse", "failed"], HeartbeatStep::TimedOut),
        (&["hbx", "marking hb"], HeartbeatStep::CleanedUp),
        (&["hbx", "marked hb"], HeartbeatStep::CleanedUp),
        // Whoever clears a slot cleans up behind its owner; the owner itself is not told by any line of its own.
        (&["hbx", "clearing hb"], HeartbeatStep::CleanedUp),
        (&["hbx", "cleared pulse"], HeartbeatStep::CleanedUp),
    ];
    STEPS.iter().find(|(words, _)| words.iter().all(|word| has(text, word))).map(|(_, step)| *step)
}
