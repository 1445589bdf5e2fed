//! An array's metrics as Prometheus reads them: the text format, version 0.0.4. docs/METRICS.md is held to this list by a test.

use std::fmt::Write;

use oarlock_scsi::Opcode;
use oarlock_target::MetricsReport;

/// What the answer says it is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric: its name, its type, what it is. It has its samples by its place here.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: fn(&mut Samples<'_>),
}

const FAMILIES: [Family; 16] = [
    Family {
        name: "oarlock_target_info",
        kind: "gauge",
        help: "1, for its labels: the target's name and the program's version",
        samples: |samples| {
            let name = samples.name.to_owned();
            let version = env!("CARGO_PKG_VERSION");
            samples.put("", &[("name", &name), ("version", version)], 1);
        },
    },
    Family {
        name: "oarlock_target_commands_total",
        kind: "counter",
        help: "SCSI commands that have ended, by operation code (as 89h) and status; status `none`: never answered, because it was aborted or its session ended",
        samples: |samples| {
            for command in &samples.report.commands {
                let opcode = Opcode(command.opcode).to_string();
                samples.put("", &[("opcode", &opcode), ("status", command.status)], command.count);
            }
        },
    },
    Family {
        name: "oarlock_target_command_duration_seconds",
        kind: "histogram",
        help: "From a command's arrival to its status, by kind: read, write, compare_and_write, other",
        samples: |samples| samples.durations(),
    },
    Family {
        name: "oarlock_target_read_bytes_total",
        kind: "counter",
        help: "Bytes that commands sent to initiators",
        samples: |samples| samples.put("", &[], samples.report.read_bytes),
    },
    Family {
        name: "oarlock_target_written_bytes_total",
        kind: "counter",
        help: "Bytes that commands had from initiators; a COMPARE AND WRITE has twice its blocks",
        samples: |samples| samples.put("", &[], samples.report.written_bytes),
    },
    Family {
        name: "oarlock_target_media_commands_total",
        kind: "counter",
        help: "Commands to the files and devices below, by kind: read, write (durable by a later flush), write_durable, flush, discard, zero, reserve",
        samples: |samples| {
            for (kind, count) in &samples.report.media {
                samples.put("", &[("kind", kind)], *count);
            }
        },
    },
    Family {
        name: "oarlock_target_ats_total",
        kind: "counter",
        help: "COMPARE AND WRITE commands that have ended",
        samples: |samples| samples.put("", &[], samples.report.compares),
    },
    Family {
        name: "oarlock_target_ats_false_total",
        kind: "counter",
        help: "Those of them that were answered MISCOMPARE",
        samples: |samples| samples.put("", &[], samples.report.miscompares),
    },
    Family {
        name: "oarlock_target_task_set_full_total",
        kind: "counter",
        help: "Commands that were told TASK SET FULL",
        samples: |samples| {
            let full = samples.report.commands.iter().filter(|command| command.status == "task_set_full");
            samples.put("", &[], full.map(|command| command.count).sum());
        },
    },
    Family {
        name: "oarlock_target_task_management_total",
        kind: "counter",
        help: "Task management functions that were asked for, by function",
        samples: |samples| {
            for (function, count) in &samples.report.functions {
                samples.put("", &[("function", function)], *count);
            }
        },
    },
    Family {
        name: "oarlock_target_logins_total",
        kind: "counter",
        help: "Logins, by result: accepted, refused",
        samples: |samples| {
            samples.put("", &[("result", "accepted")], samples.report.logins);
            samples.put("", &[("result", "refused")], samples.report.logins_refused);
        },
    },
    Family {
        name: "oarlock_target_sessions",
        kind: "gauge",
        help: "Sessions now, those of discovery included",
        samples: |samples| samples.put("", &[], samples.report.sessions as u64),
    },
    Family {
        name: "oarlock_target_connections",
        kind: "gauge",
        help: "Connections now, those that log in included",
        samples: |samples| samples.put("", &[], samples.report.connections as u64),
    },
    Family {
        name: "oarlock_target_units",
        kind: "gauge",
        help: "Logical units now",
        samples: |samples| samples.put("", &[], samples.report.units as u64),
    },
    Family {
        name: "oarlock_target_units_with_lost_writes",
        kind: "gauge",
        help: "Units of which a flush failed: what was answered since the last good one may not be there",
        samples: |samples| samples.put("", &[], samples.report.units_with_lost_writes as u64),
    },
    Family {
        name: "oarlock_target_fault_struck_total",
        kind: "counter",
        help: "Commands that a fault struck, by fault, where `--fault` arms the array with some",
        samples: |samples| {
            for (fault, struck) in &samples.report.faults {
                samples.put("", &[("fault", fault)], *struck);
            }
        },
    },
];

/// The samples of one family on their way into the text.
struct Samples<'a> {
    text: &'a mut String,
    family: &'static str,
    name: &'a str,
    report: &'a MetricsReport,
}

impl Samples<'_> {
    fn put(&mut self, suffix: &str, labels: &[(&str, &str)], value: u64) {
        self.put_shown(suffix, labels, &value.to_string());
    }

    fn put_shown(&mut self, suffix: &str, labels: &[(&str, &str)], value: &str) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "{}{suffix}{labels} {value}", self.family);
    }

    fn durations(&mut self) {
        for latency in &self.report.latencies {
            let kind = ("kind", latency.class.name());
            for (edge, count) in &latency.edges {
                self.put("_bucket", &[kind, ("le", &edge.as_secs_f64().to_string())], *count);
            }
            self.put("_bucket", &[kind, ("le", "+Inf")], latency.count);
            self.put_shown("_sum", &[kind], &latency.sum.as_secs_f64().to_string());
            self.put("_count", &[kind], latency.count);
        }
    }
}

/// A label's value as the format quotes it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// All of it as text.
#[must_use]
pub fn text(name: &str, report: &MetricsReport) -> String {
    let mut text = String::new();
    for Family { name: family, kind, help, samples } in FAMILIES {
        let _ = writeln!(text, "# HELP {family} {help}\n# TYPE {family} {kind}");
        samples(&mut Samples { text: &mut text, family, name, report });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    use oarlock_target::{CommandClass, CommandCount, LatencyReport};

    fn report() -> MetricsReport {
        let edges = vec![(Duration::from_micros(8), 0), (Duration::from_millis(1), 2)];
        MetricsReport {
            commands: vec![
                CommandCount { opcode: 0x89, status: "check_condition", count: 1 },
                CommandCount { opcode: 0x2a, status: "task_set_full", count: 3 },
            ],
            read_bytes: 512,
            written_bytes: 1024,
            latencies: vec![LatencyReport {
                class: CommandClass::CompareAndWrite,
                edges,
                count: 3,
                sum: Duration::from_millis(2500),
            }],
            compares: 1,
            miscompares: 1,
            logins: 2,
            logins_refused: 4,
            functions: vec![("abort_task", 5)],
            sessions: 2,
            connections: 3,
            units: 6,
            units_with_lost_writes: 1,
            faults: vec![("refuse:lun=0".to_owned(), 7)],
            media: vec![("write_durable", 8)],
        }
    }

    #[test]
    fn every_metric_has_its_help_its_type_and_its_samples() {
        let text = text("iqn.2026-11.org.example:\"a\\b", &report());
        for line in [
            r#"oarlock_target_info{name="iqn.2026-11.org.example:\"a\\b",version="0.1.0"} 1"#,
            r#"oarlock_target_commands_total{opcode="89h",status="check_condition"} 1"#,
            r#"oarlock_target_command_duration_seconds_bucket{kind="compare_and_write",le="0.000008"} 0"#,
            r#"oarlock_target_command_duration_seconds_bucket{kind="compare_and_write",le="0.001"} 2"#,
            r#"oarlock_target_command_duration_seconds_bucket{kind="compare_and_write",le="+Inf"} 3"#,
            r#"oarlock_target_command_duration_seconds_sum{kind="compare_and_write"} 2.5"#,
            r#"oarlock_target_command_duration_seconds_count{kind="compare_and_write"} 3"#,
            "oarlock_target_task_set_full_total 3",
            r#"oarlock_target_task_management_total{function="abort_task"} 5"#,
            r#"oarlock_target_logins_total{result="refused"} 4"#,
            "oarlock_target_units 6",
            "oarlock_target_units_with_lost_writes 1",
            r#"oarlock_target_media_commands_total{kind="write_durable"} 8"#,
            r#"oarlock_target_fault_struck_total{fault="refuse:lun=0"} 7"#,
            "# TYPE oarlock_target_ats_total counter",
        ] {
            assert!(text.lines().any(|there| there == line), "{line}\n{text}");
        }
        for family in FAMILIES {
            let samples = text.lines().filter(|line| line.starts_with(family.name));
            assert!(samples.count() > 0, "{}", family.name);
        }
    }

    #[test]
    fn metrics_md_has_exactly_the_metrics_of_the_list() {
        const DOCUMENT: &str = include_str!("../../../../docs/METRICS.md");
        let told: BTreeSet<&str> =
            DOCUMENT.lines().filter(|line| line.starts_with("| `oarlock_target_")).collect();
        let rows = FAMILIES.map(|Family { name, kind, help, .. }| format!("| `{name}` | {kind} | {help} |"));
        assert_eq!(told, rows.iter().map(String::as_str).collect::<BTreeSet<_>>());
    }
}
