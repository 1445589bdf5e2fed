//! Real lines with what their publishers said, from the folder that `OARLOCK_CORPUS` names. They are no part of this repository.
//!
//! Each case gives its expected diagnosis, or `cannot-tell` with the right next step; never a confident wrong answer.

use std::fs::File;
use std::path::{Path, PathBuf};

use oarlock_doctor::{Doctor, Report};

/// What a case must give.
enum Expected {
    /// The first finding has one of these causes.
    Cause(&'static [&'static str]),
    /// The only findings are `cannot-tell`, and one of their next steps holds these words.
    CannotTell(&'static str),
    /// There is no incident.
    Nothing,
}

const CASES: [(&str, Expected); 20] = [
    ("01", Expected::Cause(&["slow-storage", "reset-cascade", "known-advisory", "delayed-own-write"])),
    ("02", Expected::CannotTell("from 60 seconds before")),
    ("05", Expected::Cause(&["array-full"])),
    ("07", Expected::Cause(&["path-fault", "hba-fault"])),
    ("09", Expected::Cause(&["fabric-congestion"])),
    ("11", Expected::Cause(&["contention"])),
    ("12", Expected::Cause(&["corrupt-block"])),
    ("13", Expected::Cause(&["slow-storage"])),
    ("15", Expected::Cause(&["hba-fault", "path-fault", "known-advisory"])),
    ("17", Expected::Cause(&["reservation"])),
    ("20", Expected::Cause(&["device-fault", "slow-storage", "hba-fault"])),
    ("21", Expected::CannotTell("initiators' logs")),
    ("23", Expected::Cause(&["slow-storage", "delayed-own-write"])),
    ("25", Expected::Cause(&["gateway-fault"])),
    ("27", Expected::Cause(&["array-fault"])),
    ("30", Expected::Cause(&["delayed-own-write"])),
    ("31", Expected::Cause(&["reservation"])),
    ("36", Expected::CannotTell("every other host")),
    ("37", Expected::Nothing),
    ("38", Expected::Nothing),
];

fn diagnose(path: &Path) -> Report {
    let mut doctor = Doctor::new();
    let mut file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    doctor.read(&name, &mut file, &mut |_| {});
    doctor.judge()
}

fn log_of(folder: &Path, case: &str) -> Option<PathBuf> {
    let entries =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut logs = entries.filter(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with(&format!("{case}-")) && name.ends_with(".log")
    });
    logs.next()
}

/// What is wrong with a report, if anything.
fn fault(report: &Report, expected: &Expected) -> Option<String> {
    let causes: Vec<String> = report
        .incidents
        .iter()
        .map(|finding| format!("{} ({})", finding.cause, finding.confidence))
        .collect();
    let right = match expected {
        Expected::Cause(names) => {
            let sure_strangers = report
                .incidents
                .iter()
                .any(|finding| finding.confidence != "possible" && !names.contains(&finding.cause.as_str()));
            report.incidents.first().is_some_and(|finding| names.contains(&finding.cause.as_str()))
                && !sure_strangers
        }
        Expected::CannotTell(step) => {
            let steps = report.incidents.iter().flat_map(|finding| &finding.collect_next);
            !report.incidents.is_empty()
                && report.incidents.iter().all(|finding| finding.cause == "cannot-tell")
                && steps.into_iter().any(|text| text.contains(step))
        }
        Expected::Nothing => report.incidents.is_empty(),
    };
    (!right).then(|| format!("{causes:?}"))
}

#[test]
fn every_real_case_gets_its_diagnosis_or_an_honest_cannot_tell() {
    let Some(folder) = std::env::var_os("OARLOCK_CORPUS") else {
        eprintln!("OARLOCK_CORPUS is not set: the real cases were not tried");
        return;
    };
    let folder = PathBuf::from(folder);
    let mut faults = Vec::new();
    for (case, expected) in &CASES {
        let Some(path) = log_of(&folder, case) else {
            faults.push(format!("{case}: there is no such case in {}", folder.display()));
            continue;
        };
        let report = diagnose(&path);
        faults.extend(fault(&report, expected).map(|fault| format!("{case}: {fault}")));
        for finding in &report.incidents {
            assert!(!finding.evidence.is_empty(), "{case}: {} without evidence", finding.cause);
        }
    }
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), CASES.len(), faults.join("\n"));
}
