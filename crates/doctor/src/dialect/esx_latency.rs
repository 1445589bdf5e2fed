//! VMware: a device's latency changed.

use super::{Dialect, Reading};
use crate::fact::{Kind, Notice};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::subject;
use crate::text::{after, decimal, has};

/// Words of lines that tell it at once.
const SPEAKS: [&str; 4] = ["performance has ", "latency increased", "latency reduced", "io.latency."];

/// `Device naa.6 performance has deteriorated. I/O latency increased from average value of 1 microseconds to 2
/// microseconds.`
#[derive(Debug)]
pub struct EsxLatency;

impl Dialect for EsxLatency {
    fn name(&self) -> &'static str {
        "VMware: latency"
    }

    fn words(&self) -> Vec<&'static str> {
        SPEAKS.into_iter().chain(["ScsiDeviceIO: ", "sub=IoTracker"]).collect()
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        if has(record.line, "sub=IoTracker") {
            return waited_for(record, ledger);
        }
        // Failed commands have the same topic, and none of the words.
        let speaks = SPEAKS.iter().any(|word| record.holds_word(word));
        if speaks && let Some((usual, now)) = figures(body) {
            // The second half of a record whose first half named the device: by itself it is about any, of any host.
            if record.prefix.begins && body.starts_with("performance has") {
                return Reading::UNDERSTOOD;
            }
            note(record, body, usual, now, ledger);
            return Reading::UNDERSTOOD;
        }
        // A web page may have wrapped it around the device.
        if !(has(body, "Device naa.") || has(body, "Device eui.") || has(body, "performance has")) {
            return Reading::Stranger;
        }
        let Some((text, and_lines)) = record.unwrapped(|text| figures(text).is_some()) else {
            return Reading::Stranger;
        };
        let Some((usual, now)) = figures(&text) else { return Reading::Stranger };
        note(record, &text, usual, now, ledger);
        // Another record may have been glued to the last of the lines: it is read again, and not understood twice.
        Reading::Understood { and_lines: and_lines.saturating_sub(1) }
    }
}

/// `In thread 2101, access("/vmfs/volumes/66aa0001-bb000001-1111-0050560a0b0c/vm1/vm1.vmx") took over 300 sec.`: some seconds are everyday.
fn waited_for(record: &Record<'_>, ledger: &mut Ledger) -> Reading {
    const LONG_S: u64 = 120;
    let Some(seconds) = after(record.line, " took over ").and_then(decimal) else { return Reading::Stranger };
    let path = after(record.line, "/vmfs/volumes/");
    let volume =
        path.and_then(|path| path.split(['/', '"', '\'', ')']).next()).filter(|name| !name.is_empty());
    if seconds >= LONG_S && volume.is_some() {
        ledger.note(record, Draft { volume, ..Draft::of(Kind::Notice(Notice::FileSlow)) });
    }
    Reading::UNDERSTOOD
}

fn note(record: &Record<'_>, text: &str, usual_us: Option<u64>, now_us: u64, ledger: &mut Ledger) {
    let device = subject::device_of(text);
    let draft = Draft { device, ..Draft::of(Kind::Latency { usual_us, now_us }) };
    ledger.note_text(record, text, draft);
}

/// The usual latency and the one now, in microseconds; both stand in one message, the older first.
fn figures(text: &str) -> Option<(Option<u64>, u64)> {
    let rest = after(text, "latency ")?;
    let rest = after(rest, "from ")?;
    let usual = after(rest, "average value of ").and_then(decimal);
    let now = after(rest, " to ")?;
    let value = decimal(now)?;
    let unit = now.trim_start_matches(|letter: char| letter.is_ascii_digit()).trim_start();
    if unit.starts_with("milli") {
        return Some((usual.map(|usual| usual.saturating_mul(1_000)), value.saturating_mul(1_000)));
    }
    unit.starts_with("micro").then_some((usual, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_figures_are_read() {
        let text = "I/O latency increased from average value of 1200 microseconds to 38000 microseconds.";
        assert_eq!(figures(text), Some((Some(1200), 38_000)));
        assert_eq!(figures("latency increased from average value of 12 micro"), None);
    }
}
