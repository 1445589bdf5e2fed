//! A running machine's own lines: what they call for, and that a healthy one is left alone.
#![allow(clippy::unwrap_used)] // Its functions are called by tests alone.

use oarlock_doctor::report::{html, terminal::Page};
use oarlock_doctor::{Doctor, MachineLine, Part, Report};

const T0: i64 = 1_780_000_000_000_000;

fn line(part: Part, name: &str, values: &[(&str, &str)]) -> String {
    let line = MachineLine::new(T0, "gw-1", part, name);
    values.iter().fold(line, |line, (key, value)| line.with(key, value)).to_string() + "\n"
}

fn judged(text: &str) -> Report {
    let mut doctor = Doctor::new();
    doctor.read("this machine", &mut text.as_bytes(), &mut |_| {});
    doctor.judge()
}

fn loads(values: &[(&str, &str)]) -> String {
    (0..4)
        .map(|look| {
            let line = MachineLine::new(T0 + look * 500_000, "gw-1", Part::Load, "sdc");
            values.iter().fold(line, |line, (key, value)| line.with(key, value)).to_string() + "\n"
        })
        .collect()
}

/// The causes and subjects of the suggestions.
fn called_for(text: &str) -> Vec<(String, String)> {
    judged(text).suggestions.into_iter().map(|found| (found.cause, found.subject)).collect()
}

fn one(cause: &str, subject: &str) -> Vec<(String, String)> {
    vec![(cause.to_owned(), subject.to_owned())]
}

#[test]
fn a_healthy_machine_has_no_incident_and_calls_for_nothing() {
    let text = [
        line(
            Part::Disk,
            "sdc",
            &[
                ("vendor", "PURE"),
                ("model", "FlashArray"),
                ("queue_depth", "128"),
                ("timeout_s", "60"),
                ("state", "running"),
                ("transport", "fc"),
                ("caw_blocks", "1"),
            ],
        ),
        line(
            Part::Disk,
            "sda",
            &[
                ("vendor", "ATA"),
                ("timeout_s", "30"),
                ("state", "running"),
                ("transport", "local"),
                ("caw_blocks", "0"),
            ],
        ),
        line(
            Part::Port,
            "host3",
            &[("state", "Online"), ("link_failure_count", "2"), ("invalid_crc_count", "0")],
        ),
        line(Part::Path, "sdc", &[("map", "mpatha"), ("dm", "active"), ("checker", "ready")]),
        line(Part::Map, "mpatha", &[("paths", "4"), ("active", "4")]),
        line(
            Part::Nvme,
            "nvme0",
            &[("transport", "pcie"), ("state", "live"), ("model", "X"), ("firmware", "1")],
        ),
        loads(&[("await_ms", "0.4"), ("under_way", "3.0"), ("ended", "900"), ("queue_depth", "128")]),
    ]
    .concat();
    let report = judged(&text);
    assert_eq!((report.incidents.len(), report.strange), (0, 0));
    assert_eq!(report.suggestions, []);
    assert_eq!(report.machine.len(), 6, "loads are moments, and are not listed");
}

#[test]
fn each_trouble_is_named_with_its_remedy_and_source() {
    let cases = [
        (line(Part::Disk, "sdc", &[("state", "transport-offline")]), one("path-fault", "sdc")),
        (line(Part::Disk, "sdc", &[("transport", "fc"), ("caw_blocks", "0")]), one("ats-unsupported", "sdc")),
        (line(Part::Disk, "sdc", &[("transport", "iscsi"), ("timeout_s", "5")]), one("reset-cascade", "sdc")),
        (line(Part::Disk, "sdc", &[("wwid", "naa.60050768018000")]), one("known-advisory", "sdc")),
        (line(Part::Driver, "lpfc", &[("version", "0:10.0.10.1")]), one("known-advisory", "lpfc")),
        (
            line(Part::Disk, "sdc", &[("vendor", "LIO-ORG"), ("model", "TCMU device")]),
            one("gateway-fault", "sdc"),
        ),
        (
            line(Part::Nvme, "nvme1", &[("transport", "tcp"), ("state", "live")]),
            one("ats-unsupported", "nvme1"),
        ),
        (line(Part::Port, "host3", &[("invalid_crc_count", "7")]), one("path-fault", "host3")),
        (line(Part::Port, "host3", &[("fpin_cn", "7")]), one("fabric-congestion", "host3")),
        (
            line(Part::Port, "host3", &[("loss_of_sync_count", "7"), ("loss_of_sync_count_grew", "1")]),
            one("path-fault", "host3"),
        ),
        (
            line(Part::Path, "sdc", &[("map", "m"), ("dm", "failed"), ("checker", "faulty")]),
            one("path-fault", "sdc"),
        ),
        (
            loads(&[("await_ms", "8"), ("under_way", "64"), ("ended", "100"), ("queue_depth", "16")]),
            one("queue-depth", "sdc"),
        ),
        (
            loads(&[("await_ms", "90"), ("under_way", "2"), ("ended", "10"), ("queue_depth", "16")]),
            one("slow-storage", "sdc"),
        ),
        (loads(&[("under_way", "2"), ("ended", "0"), ("queue_depth", "16")]), one("slow-storage", "sdc")),
    ];
    for (text, expected) in cases {
        assert_eq!(called_for(&text), expected, "{text}");
        let report = judged(&text);
        assert!(
            report.suggestions.iter().all(|found| !found.source.is_empty() && found.text.len() > 20),
            "{text}"
        );
    }
}

#[test]
fn a_full_queue_explains_the_false_answer_of_the_same_minute() {
    let device = "2026-05-28T20:26:41.000000Z gw-1 kernel: sd 2:0:0:1: [sdc] tag#3";
    let text = format!(
        "{device} FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK\n{device} Sense Key : Miscompare [current]\n\
         {device} Add. Sense: Miscompare during verify operation\n{device} CDB: opcode=0x89 89 00 00 00\n{}",
        loads(&[("await_ms", "80"), ("under_way", "64"), ("ended", "100"), ("queue_depth", "4")])
    );
    let report = judged(&text);
    assert_eq!(report.incidents.len(), 1, "{report:?}");
    assert_eq!(report.incidents[0].cause, "queue-depth");
}

#[test]
fn a_map_without_a_path_is_an_incident() {
    let report = judged(&line(Part::Map, "mpatha", &[("paths", "2"), ("active", "0")]));
    assert_eq!(report.incidents.len(), 1);
    assert_eq!(
        (report.incidents[0].cause.as_str(), report.incidents[0].device.as_deref()),
        ("path-fault", Some("mpatha"))
    );
}

#[test]
fn every_form_of_the_report_has_the_machine_and_none_of_a_shared_one_its_names() {
    let text = line(
        Part::Disk,
        "sdzq",
        &[("wwid", "naa.60050768018000aa"), ("hctl", "7:0:3:9"), ("transport", "fc"), ("timeout_s", "5")],
    ) + &line(Part::Path, "sdzq", &[("map", "mpath-plover"), ("dm", "failed")])
        + &line(Part::Map, "mpath-plover", &[("paths", "2"), ("active", "1")]);
    let forms = |redacts: bool| {
        let mut doctor = Doctor::new().redacting(redacts);
        doctor.read("this machine", &mut text.as_bytes(), &mut |_| {});
        let report = doctor.judge();
        let page = Page { width: 100, colours: false }.report(&report);
        [page, html::page(&report), serde_json::to_string(&report).unwrap()]
    };
    for form in forms(false) {
        assert!(
            form.contains("timeout_s") && form.contains("sdzq") && form.contains("docs/ATS.md"),
            "{form}"
        );
    }
    for form in forms(true) {
        for name in ["sdzq", "60050768018000", "plover", "7:0:3:9", "gw-1"] {
            assert!(!form.contains(name), "{name}: {form}");
        }
        assert!(form.contains("timeout_s"), "{form}");
    }
}
