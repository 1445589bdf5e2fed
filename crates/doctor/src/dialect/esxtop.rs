//! esxtop in batch mode: a table of thousands of columns, one row an interval.

use std::collections::BTreeMap;

use super::{Dialect, Reading};
use crate::fact::{Kind, Queue};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::stamp::Stamp;
use crate::text::{has, holds};

/// The table's columns that matter, found in its first row.
#[derive(Debug, Default)]
pub struct Esxtop {
    host: String,
    columns: Vec<(usize, usize, Counter)>,
    devices: Vec<String>,
    /// What a counter that only grows said in the row before, by column.
    before: BTreeMap<usize, f64>,
    /// When that row was written.
    before_when: Option<Stamp>,
}

/// Columns that are kept.
const COLUMNS_MAX: usize = 20_000;

/// A counter of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counter {
    Device,
    Kernel,
    Queue,
    Active,
    Queued,
    Length,
    Ats,
    AtsFailed,
    /// Since the host started.
    AtsSoFar,
    /// Since the host started.
    AtsFailedSoFar,
    Aborts,
    Resets,
    Conflicts,
}

impl Dialect for Esxtop {
    fn name(&self) -> &'static str {
        "esxtop, batch mode"
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["(PDH-CSV 4.0)"]
    }

    fn is_table(&self) -> bool {
        true
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        if has(record.line, "(PDH-CSV 4.0)") {
            self.header(record.line);
            return Reading::More;
        }
        if !record.line.starts_with('"') || self.columns.is_empty() {
            self.columns.clear();
            return Reading::Stranger;
        }
        self.row(record, ledger);
        Reading::More
    }

    fn end(&mut self, _ledger: &mut Ledger) {
        *self = Esxtop::default();
    }
}

impl Esxtop {
    /// `"\\host\Physical Disk SCSI Device(naa.6)\Average Driver MilliSec/Command"`.
    fn header(&mut self, line: &str) {
        *self = Esxtop::default();
        for (column, name) in cells(line).enumerate() {
            let mut parts = name.trim_start_matches('\\').splitn(3, '\\');
            let (Some(host), Some(object), Some(counter)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let Some(counter) = counter_of(counter) else { continue };
            let Some(device) = device_of(object) else { continue };
            if self.columns.len() >= COLUMNS_MAX {
                break;
            }
            host.clone_into(&mut self.host);
            let known = self.devices.iter().position(|known| known == device);
            let device = known.unwrap_or_else(|| {
                self.devices.push(device.to_owned());
                self.devices.len() - 1
            });
            self.columns.push((column, device, counter));
        }
        self.columns.sort_by_key(|column| column.0);
    }

    fn row(&mut self, record: &Record<'_>, ledger: &mut Ledger) {
        let mut samples: BTreeMap<usize, Queue> = BTreeMap::new();
        let mut when = None;
        let mut wanted = self.columns.iter().peekable();
        for (column, cell) in cells(record.line).enumerate() {
            if column == 0 {
                when = time(cell);
            }
            while let Some(&&(_, device, counter)) = wanted.peek().filter(|wanted| wanted.0 == column) {
                wanted.next();
                if let Ok(value) = cell.parse::<f64>()
                    && value.is_finite()
                {
                    let elapsed = elapsed_seconds(self.before_when, when);
                    let value = match counter {
                        Counter::AtsSoFar | Counter::AtsFailedSoFar => {
                            grown(self.before.insert(column, value), value, elapsed)
                        }
                        _ => Some(value),
                    };
                    if let Some(value) = value {
                        set(samples.entry(device).or_default(), counter, value);
                    }
                }
            }
            if wanted.peek().is_none() {
                break;
            }
        }
        self.before_when = when;
        for (device, queue) in samples {
            if !is_idle(&queue) {
                self.note(record, when, device, queue, ledger);
            }
        }
    }

    fn note(
        &self,
        record: &Record<'_>,
        when: Option<Stamp>,
        device: usize,
        queue: Queue,
        ledger: &mut Ledger,
    ) {
        let Some(device) = self.devices.get(device) else { return };
        let figure = |name: &str, value: Option<f64>| {
            value.map_or_else(String::new, |value| format!(" {name} {value}"))
        };
        let text = format!(
            "{device}:{}{}{}{}{}{}{}{}",
            figure("DAVG", queue.device_ms),
            figure("KAVG", queue.kernel_ms),
            figure("QAVG", queue.queue_ms),
            figure("ACTV", queue.active),
            figure("QUED", queue.queued),
            figure("LQLEN", queue.length),
            figure("ATSF", queue.ats_failed),
            figure("ABRTS", queue.aborts),
        );
        let mut dated = Record::new(record.place, &text, &[]);
        dated.prefix.when = when;
        dated.prefix.begins = true;
        let host = (!self.host.is_empty()).then_some(self.host.as_str());
        ledger.note_text(
            &dated,
            &text,
            Draft { host, device: Some(device), ..Draft::of(Kind::Queue(Box::new(queue))) },
        );
    }
}

/// Rows in which nothing happens are not kept: a day of them would fill the memory.
fn is_idle(queue: &Queue) -> bool {
    let over = |value: Option<f64>, limit: f64| value.is_some_and(|value| value > limit);
    !(over(queue.device_ms, 20.0)
        || over(queue.kernel_ms, 1.0)
        || over(queue.queued, 0.9)
        || over(queue.aborts, 0.0)
        || over(queue.resets, 0.0)
        || over(queue.ats_failed, 0.0)
        || over(queue.conflicts, 20.0))
}

/// The cells of a row, without their quotes.
fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.trim_end().trim_start_matches('"').trim_end_matches('"').split("\",\"")
}

/// `Physical Disk SCSI Device(naa.6)`; paths and partitions are parts of it.
fn device_of(object: &str) -> Option<&str> {
    let name = object
        .strip_prefix("Physical Disk SCSI Device(")
        .or_else(|| object.strip_prefix("Physical Disk("))?;
    let name = name.strip_suffix(')')?;
    (!has(name, "-vmhba") && !name.starts_with("vmhba")).then_some(name)
}

fn counter_of(name: &str) -> Option<Counter> {
    Some(match name {
        "Average Driver MilliSec/Command" => Counter::Device,
        "Average Kernel MilliSec/Command" => Counter::Kernel,
        "Average Queue MilliSec/Command" => Counter::Queue,
        "Active Commands" => Counter::Active,
        "Queued Commands" => Counter::Queued,
        "Device Q Depth" | "LUN Queue Depth" | "Lun Queue Depth" | "Queue Depth" => Counter::Length,
        "Aborts/sec" => Counter::Aborts,
        "Resets/sec" => Counter::Resets,
        "Conflicts/sec" | "Failed Reserves/sec" => Counter::Conflicts,
        _ => return ats_counter_of(name),
    })
}

/// The counters of ATS, whose names changed: told by what they hold. Their latencies are none of them. The screen's `ATS` and
/// `ATSF` count since the host started (KB342563), so a name without a rate is such a count.
fn ats_counter_of(name: &str) -> Option<Counter> {
    let is_ats =
        name.split([' ', '/', '_']).any(|word| matches!(word, "ATS" | "ATSF")) || holds(name, "atomic test");
    let is_time = ["latency", "avg", "average", "millisec", "ms/"].iter().any(|word| holds(name, word));
    let failed = holds(name, "fail") || has(name, "ATSF");
    let rate = ["/sec", "/s"].iter().any(|end| name.ends_with(end));
    (is_ats && !is_time).then_some(match (failed, rate) {
        (false, true) => Counter::Ats,
        (true, true) => Counter::AtsFailed,
        (false, false) => Counter::AtsSoFar,
        (true, false) => Counter::AtsFailedSoFar,
    })
}

fn set(queue: &mut Queue, counter: Counter, value: f64) {
    let field = match counter {
        Counter::Device => &mut queue.device_ms,
        Counter::Kernel => &mut queue.kernel_ms,
        Counter::Queue => &mut queue.queue_ms,
        Counter::Active => &mut queue.active,
        Counter::Queued => &mut queue.queued,
        Counter::Length => &mut queue.length,
        Counter::Ats | Counter::AtsSoFar => &mut queue.ats,
        Counter::AtsFailed | Counter::AtsFailedSoFar => &mut queue.ats_failed,
        Counter::Aborts => &mut queue.aborts,
        Counter::Resets => &mut queue.resets,
        Counter::Conflicts => &mut queue.conflicts,
    };
    *field = Some(value);
}

/// The seconds between two rows; esxtop's own interval, five, where the times do not tell.
fn elapsed_seconds(before: Option<Stamp>, now: Option<Stamp>) -> f64 {
    let us = before.zip(now).and_then(|(before, now)| now.since(&before)).filter(|us| *us > 0);
    us.and_then(|us| u32::try_from(us / 1_000_000).ok()).filter(|seconds| *seconds > 0).map_or(5.0, f64::from)
}

/// By how much a counter grew a second. What it counted before the first row, or before it began again, is not known.
fn grown(before: Option<f64>, now: f64, seconds: f64) -> Option<f64> {
    before.filter(|before| *before <= now).map(|before| (now - before) / seconds)
}

/// `11/20/2026 01:02:03`: the month first.
fn time(cell: &str) -> Option<Stamp> {
    let (date, clock) = cell.split_once(' ')?;
    let mut parts = date.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    crate::prefix::split(&format!("{year}-{month:0>2}-{day:0>2}T{clock}")).when
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{InputId, Place};

    const COUNTERS: [&str; 5] =
        ["Device Q Depth", "Average Driver MilliSec/Command", "ATS", "ATSF", "Average Latency ms/ATS"];

    /// The samples that are kept of a table with these rows.
    fn samples(rows: &[[f64; 5]]) -> Vec<Queue> {
        let mut esxtop = Esxtop::default();
        let mut ledger = Ledger::default();
        let names =
            COUNTERS.map(|name| format!("\"\\\\h1\\Physical Disk SCSI Device(naa.6001)\\{name}\"")).join(",");
        let mut lines = vec![format!("\"(PDH-CSV 4.0) (UTC)(0)\",{names}")];
        for (number, row) in rows.iter().enumerate() {
            let cells = row.map(|value| format!("\"{value}\"")).join(",");
            lines.push(format!("\"11/20/2026 01:02:{:02}\",{cells}", number * 5));
        }
        for (number, line) in lines.iter().enumerate() {
            let place = Place { input: InputId(0), line: number as u64 + 1 };
            assert_eq!(esxtop.read(&Record::new(place, line, &[]), &mut ledger), Reading::More);
        }
        let kept = ledger.facts().iter().map(|fact| match &fact.kind {
            Kind::Queue(queue) => **queue,
            other => panic!("{other:?}"),
        });
        kept.collect()
    }

    #[test]
    fn counters_since_the_start_of_the_host_are_read_as_what_they_grew_by() {
        let rows =
            [[64.0, 1.0, 900.0, 70.0, 9.0], [64.0, 1.0, 950.0, 80.0, 9.0], [64.0, 1.0, 990.0, 80.0, 9.0]];
        let kept = samples(&rows);
        assert_eq!(
            kept.len(),
            1,
            "the first row says nothing of its time, the third has no false ATS: {kept:?}"
        );
        assert_eq!((kept[0].ats, kept[0].ats_failed, kept[0].length), (Some(10.0), Some(2.0), Some(64.0)));
    }

    #[test]
    fn names_of_ats_are_told_from_their_latencies() {
        let cases = [
            ("ATS/sec", Some(Counter::Ats)),
            ("Failed ATS/s", Some(Counter::AtsFailed)),
            ("Failed Atomic Test And Set Commands", Some(Counter::AtsFailedSoFar)),
            ("ATSF", Some(Counter::AtsFailedSoFar)),
            ("Avg. Success Latency ms/ATS", None),
            ("Stats/sec", None),
        ];
        for (name, counter) in cases {
            assert_eq!(counter_of(name), counter, "{name}");
        }
    }
}
