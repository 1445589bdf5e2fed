//! esxtop in batch mode: a table of thousands of columns, one row an interval.

use std::collections::BTreeMap;

use super::{Dialect, Reading};
use crate::fact::{Kind, Queue};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::stamp::Stamp;

/// The table's columns that matter, found in its first row.
#[derive(Debug, Default)]
pub struct Esxtop {
    host: String,
    columns: Vec<(usize, usize, Counter)>,
    devices: Vec<String>,
    rows: u64,
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
        if record.line.contains("(PDH-CSV 4.0)") {
            self.header(record.line);
            return Reading::More;
        }
        if !record.line.starts_with('"') || self.columns.is_empty() {
            self.columns.clear();
            return Reading::Stranger;
        }
        self.rows += 1;
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
                    set(samples.entry(device).or_default(), counter, value);
                }
            }
            if wanted.peek().is_none() {
                break;
            }
        }
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
    (!name.contains("-vmhba") && !name.starts_with("vmhba")).then_some(name)
}

fn counter_of(name: &str) -> Option<Counter> {
    Some(match name {
        "Average Driver MilliSec/Command" => Counter::Device,
        "Average Kernel MilliSec/Command" => Counter::Kernel,
        "Average Queue MilliSec/Command" => Counter::Queue,
        "Active Commands" => Counter::Active,
        "Queued Commands" => Counter::Queued,
        "LUN Queue Depth" | "Lun Queue Depth" | "Queue Depth" => Counter::Length,
        "Successful ATS" | "ATS/sec" | "Atomic Test And Set Commands" => Counter::Ats,
        "Failed ATS" | "ATSF/sec" | "Failed Atomic Test And Set Commands" => Counter::AtsFailed,
        "Aborts/sec" => Counter::Aborts,
        "Resets/sec" => Counter::Resets,
        "Conflicts/sec" => Counter::Conflicts,
        _ => return None,
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
        Counter::Ats => &mut queue.ats,
        Counter::AtsFailed => &mut queue.ats_failed,
        Counter::Aborts => &mut queue.aborts,
        Counter::Resets => &mut queue.resets,
        Counter::Conflicts => &mut queue.conflicts,
    };
    *field = Some(value);
}

/// `11/20/2026 01:02:03`: the month first.
fn time(cell: &str) -> Option<Stamp> {
    let (date, clock) = cell.split_once(' ')?;
    let mut parts = date.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    crate::prefix::split(&format!("{year}-{month:0>2}-{day:0>2}T{clock}")).when
}
