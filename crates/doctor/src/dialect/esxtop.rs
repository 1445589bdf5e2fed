//! esxtop in batch mode: a table of thousands of columns, one row an interval.

use std::collections::BTreeMap;

use super::esxtop_table::{self, Form};
use super::{Dialect, Reading};
use crate::error::DoctorError;
use crate::fact::{Kind, Queue};
use crate::ledger::{Draft, Ledger};
use crate::record::{Ahead, Record};
use crate::rule::is_local;
use crate::stamp::Stamp;
use crate::text::{has, holds};

/// The table's columns that matter, found in its first row.
#[derive(Debug, Default)]
pub struct Esxtop {
    /// How the table is written; `None` before its header.
    form: Option<Form>,
    /// Whether it was told that rows of this input cannot be read.
    complained: bool,
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
    Guest,
    Commands,
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

/// Why a table says nothing.
const NO_HEADER: &str = "a table of counters whose header is missing, so that its columns have no names: give the part with the header too";
const NO_DEVICE: &str = "a table of esxtop without a column of a device, only of adapters, paths or other things: write it with all counters (`esxtop -b -a`)";
const NO_NUMBER: &str = "a table of esxtop in which no number can be read: give the file as esxtop wrote it, not as a spreadsheet saved it";

impl Dialect for Esxtop {
    fn name(&self) -> &'static str {
        "esxtop, batch mode"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![esxtop_table::MARK]
    }

    fn is_table(&self) -> bool {
        true
    }

    fn begins(&self, first: &str) -> bool {
        esxtop_table::is_headless(first)
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        if let Some(form) = Form::of_header(record.line) {
            self.header(form, record.line);
            return Reading::More;
        }
        let Some(form) = &self.form else {
            return if esxtop_table::is_headless(record.line) {
                self.passed_over(NO_HEADER, record, ledger)
            } else {
                Reading::Stranger
            };
        };
        if !form.is_row(record.line) {
            self.form = None;
            return Reading::Stranger;
        }
        if self.columns.is_empty() {
            return self.passed_over(NO_DEVICE, record, ledger);
        }
        if !form.is_ambiguous(record.line) && self.row(record, ledger) {
            Reading::More
        } else {
            self.passed_over(NO_NUMBER, record, ledger)
        }
    }

    fn end(&mut self, _ledger: &mut Ledger) {
        *self = Esxtop::default();
    }
}

impl Esxtop {
    /// Passes over a row; why is told once for each input.
    fn passed_over(&mut self, why: &'static str, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        if !std::mem::replace(&mut self.complained, true) {
            let input = ledger.inputs.get(record.place.input.0 as usize);
            let input = input.map(|input| input.name.clone()).unwrap_or_default();
            ledger.problem(&DoctorError::Table { input, what: why });
        }
        Reading::Skipped
    }

    /// `"\\host\Physical Disk SCSI Device(naa.6)\Average Driver MilliSec/Command"`.
    fn header(&mut self, form: Form, line: &str) {
        *self = Esxtop { complained: self.complained, ..Esxtop::default() };
        for (column, name) in form.cells(line).enumerate() {
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
        self.form = Some(form);
    }

    /// Reads a row; the answer is whether any of its numbers could be read.
    fn row(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> bool {
        let Some(form) = &mut self.form else { return false };
        form.learn(record.line);
        let form = *form;
        let mut samples: BTreeMap<usize, Queue> = BTreeMap::new();
        let mut when = None;
        let mut read = 0_usize;
        let mut wanted = self.columns.iter().peekable();
        for (column, cell) in form.cells(record.line).enumerate() {
            if column == 0 {
                when = form.time(cell);
            }
            while let Some(&&(_, device, counter)) = wanted.peek().filter(|wanted| wanted.0 == column) {
                wanted.next();
                let Some(value) = form.number(cell) else { continue };
                read += 1;
                let elapsed = elapsed_seconds(self.before_when, when);
                samples.entry(device).or_default().seconds = Some(elapsed);
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
            if wanted.peek().is_none() {
                break;
            }
        }
        self.before_when = when;
        for (device, queue) in samples {
            let of_a_lone_disk = || {
                queue.has_little_to_do() && self.devices.get(device).is_some_and(|name| is_of_one_host(name))
            };
            if !is_idle(&queue) && !of_a_lone_disk() {
                self.note(record, when, device, queue, ledger);
            }
        }
        read > 0
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
        let text = format!("{device}:{}", figures(&queue));
        let mut dated = Record::new(record.place, &text, Ahead::NOTHING);
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

/// All that a sample says, by the names that esxtop's screen has for it.
fn figures(queue: &Queue) -> String {
    let figures = [
        ("DAVG", queue.device_ms),
        ("KAVG", queue.kernel_ms),
        ("QAVG", queue.queue_ms),
        ("GAVG", queue.guest_ms),
        ("CMDS/s", queue.commands),
        ("ACTV", queue.active),
        ("QUED", queue.queued),
        ("LQLEN", queue.length),
        ("ATS/s", queue.ats),
        ("ATSF/s", queue.ats_failed),
        ("ABRTS/s", queue.aborts),
        ("RESETS/s", queue.resets),
        ("CONS/s", queue.conflicts),
    ];
    let told = figures.into_iter().filter_map(|(name, value)| Some((name, value?)));
    told.map(|(name, value)| format!(" {name} {}", (value * 100.0).round() / 100.0)).collect()
}

/// Rows in which nothing happens are not kept: a day of them would fill the memory.
fn is_idle(queue: &Queue) -> bool {
    let over = |value: Option<f64>, limit: f64| value.is_some_and(|value| value > limit);
    !(over(queue.device_ms, 20.0)
        || over(queue.guest_ms, 20.0)
        || over(queue.kernel_ms, 1.0)
        || over(queue.queued, 0.9)
        || over(queue.aborts, 0.0)
        || over(queue.resets, 0.0)
        || over(queue.ats_failed, 0.0)
        || over(queue.conflicts, 20.0))
}

/// A disk that no other host uses, or that has no identity of its own, as USB sticks and optical drives have none.
fn is_of_one_host(device: &str) -> bool {
    device.starts_with("mpx.") || is_local(device)
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
        "Average Guest MilliSec/Command" => Counter::Guest,
        "Commands/sec" => Counter::Commands,
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
        Counter::Guest => &mut queue.guest_ms,
        Counter::Commands => &mut queue.commands,
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
            assert_eq!(esxtop.read(&Record::new(place, line, Ahead::NOTHING), &mut ledger), Reading::More);
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

    /// How a cell is written.
    type Cell = fn(&str) -> String;

    /// A table in the words of `cell`, joined by `separator`: slow from the second row to the fifth.
    fn table(header: &str, separator: &str, cell: Cell, counters: &[&str]) -> String {
        let name = |counter: &&str| cell(&format!("\\\\h1\\Physical Disk SCSI Device(naa.6001)\\{counter}"));
        let mut lines =
            vec![[vec![cell(header)], counters.iter().map(name).collect()].concat().join(separator)];
        for number in 0..20 {
            let slow = if (2..12).contains(&number) { "812.50" } else { "0.75" };
            let time = cell(&format!("11/20/2026 10:{:02}:50 PM", number / 2));
            lines.push([vec![time], vec![cell(slow); counters.len()]].concat().join(separator));
        }
        lines.join("\r\n")
    }

    fn judge(log: &str) -> crate::Report {
        let mut doctor = crate::Doctor::new();
        doctor.read("table", &mut log.as_bytes(), &mut |_| {});
        doctor.judge()
    }

    fn quoted(cell: &str) -> String {
        format!("\"{cell}\"")
    }

    /// One command in five seconds, each of which took an eighth of a second.
    fn idle(device: &str, active: &str) -> String {
        let counters = ["Average Driver MilliSec/Command", "Commands/sec", "Active Commands"];
        let names =
            counters.map(|name| format!("\"\\\\h1\\Physical Disk SCSI Device({device})\\{name}\"")).join(",");
        let rows = (0..20).map(|number| {
            format!("\"11/20/2026 10:00:{:02}\",\"125.00\",\"0.2\",\"{active}\"\n", number * 2)
        });
        format!("\"(PDH-CSV 4.0) (UTC)(0)\",{names}\n{}", rows.collect::<String>())
    }

    #[test]
    fn the_average_of_next_to_no_commands_says_next_to_nothing() {
        assert!(
            judge(&idle("mpx.vmhba33:C0:T0:L0", "1")).incidents.is_empty(),
            "a stick that is read now and then"
        );
        let told = |log: &str| judge(log).incidents.first().map(|finding| finding.confidence.clone());
        assert_eq!(told(&idle("naa.60aa01", "1")).as_deref(), Some("possible"));
        assert_eq!(
            told(&idle("naa.60aa01", "20")).as_deref(),
            Some("likely"),
            "commands wait, and do not end"
        );
    }

    const DAVG: &[&str] = &["Average Driver MilliSec/Command", "Resets/sec", "Conflicts/sec", "ATS/sec"];

    /// `\\web3` and `\\Split Commands/sec` are no patterns, a guest's name is nobody's word.
    #[test]
    fn a_table_is_one_whatever_its_hosts_guests_and_counters_are_called() {
        let header = "(PDH-CSV 4.0) (UTC)(0)";
        let plain = table(header, ",", quoted, DAVG);
        let length = judge(&plain).understood;
        for host in ["web3", "dell1", "Site2-esx", "dc1-esx2", "esx[^1]", "esx.*"] {
            let report = judge(&plain.replace("\\\\h1\\", &format!("\\\\{host}\\")));
            assert_eq!((report.understood, report.incidents.len()), (length, 1), "{host}: {report:?}");
            assert_eq!(report.incidents[0].cause, "slow-storage", "{host}");
        }
        let others = [
            "\\Split Commands/sec",
            "\\Swap Used MBytes",
            "\\% Used",
            "(no error expected: <vm name> %s)\\Reads/sec",
            "('let x = \"1\"')\\Writes/sec",
        ];
        for counter in others {
            let mut counters = DAVG.to_vec();
            counters.push(counter);
            let report = judge(&table(header, ",", quoted, &counters));
            assert_eq!((report.understood, report.incidents.len()), (length, 1), "{counter}: {report:?}");
        }
    }

    #[test]
    fn a_spreadsheets_copy_says_what_the_table_said() {
        let header = "(PDH-CSV 4.0) (Pacific Standard Time)(480)";
        let comma: Cell = |cell| cell.replace('.', ",").replace("4,0", "4.0").replace("naa,", "naa.");
        let forms: [(&str, Cell); 6] = [
            (",", quoted),
            (",", str::to_owned),
            (";", str::to_owned),
            ("\t", str::to_owned),
            (";", comma),
            (",", |cell| quoted(&cell.replace('.', ",").replace("4,0", "4.0").replace("naa,", "naa."))),
        ];
        for (number, (separator, cell)) in forms.into_iter().enumerate() {
            let report = judge(&table(header, separator, cell, DAVG));
            let finding =
                report.incidents.first().unwrap_or_else(|| panic!("form {number}: nothing was found"));
            assert_eq!(finding.cause, "slow-storage", "form {number}");
            let first = &finding.evidence[0];
            // Ten in the evening in Seattle is six in the morning in UTC.
            assert_eq!(first.time.as_deref(), Some("2026-11-21T06:01:50Z"), "form {number}");
            assert_eq!(first.local_time.as_deref(), Some("2026-11-20T22:01:50-08:00"), "form {number}");
            for figure in ["DAVG 812.5", "RESETS/s 812.5", "CONS/s 812.5", "ATS/s 812.5"] {
                assert!(first.text.contains(figure), "form {number}: {}", first.text);
            }
            assert_eq!(
                (report.understood, report.strange, report.problems.len()),
                (21, 0, 0),
                "form {number}"
            );
        }
    }

    #[test]
    fn a_table_that_cannot_be_read_is_told_and_not_called_healthy() {
        let header = "(PDH-CSV 4.0) (UTC)(0)";
        let whole = table(header, ",", quoted, DAVG);
        let (_, headless) = whole.split_once("\r\n").unwrap();
        let of_paths =
            whole.replace("Physical Disk SCSI Device(naa.6001)", "Physical Disk Path(vmhba1:C0:T0:L7)");
        let ambiguous =
            table(header, ",", |cell| cell.replace("0.75", "0,75").replace("812.50", "812,50"), DAVG);
        for (log, why) in [
            (headless, "header"),
            (of_paths.as_str(), "column of a device"),
            (ambiguous.as_str(), "no number"),
        ] {
            let report = judge(log);
            assert_eq!((report.strange, report.incidents.len()), (20, 0), "{why}");
            assert!(
                report.problems.len() == 1 && report.problems[0].contains(why),
                "{why}: {:?}",
                report.problems
            );
        }
        assert!(
            judge("\"11/20/2026 01:02:03\",\"hello\",\"you\"\n").problems.is_empty(),
            "a table of something else"
        );
    }

    #[test]
    fn the_time_that_guests_see_says_that_something_is_slow_but_not_where() {
        let report =
            judge(&table("(PDH-CSV 4.0) (UTC)(0)", ",", quoted, &["Average Guest MilliSec/Command"]));
        let finding = &report.incidents[0];
        assert_eq!((finding.cause.as_str(), finding.confidence.as_str()), ("slow-storage", "possible"));
        assert!(finding.because.contains("GAVG"), "{}", finding.because);
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
