//! Our own lines in the shapes of real ones (testdata/logs), each with the first finding that it must give.

use std::path::{Path, PathBuf};

use oarlock_doctor::{Doctor, Report};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/logs")
}

fn text(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn judge(name: &str, log: &[u8]) -> Report {
    let mut doctor = Doctor::new();
    doctor.read(name, &mut &log[..], &mut |_| {});
    doctor.judge()
}

/// The names and expected causes of the cases.
fn cases() -> Vec<(String, String)> {
    let list = text("EXPECTED.tsv");
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let fields = lines.filter_map(|line| line.split_once('\t'));
    fields.map(|(name, cause)| (name.to_owned(), cause.to_owned())).collect()
}

fn first_cause(report: &Report) -> String {
    report.incidents.first().map_or_else(|| "none".to_owned(), |finding| finding.cause.clone())
}

#[test]
fn every_case_of_our_own_gives_its_cause_first_and_no_other_surely() {
    let mut faults = Vec::new();
    for (name, expected) in cases() {
        let report = judge(&name, text(&format!("{name}.log")).as_bytes());
        let others = report.incidents.iter().skip(1).filter(|finding| finding.confidence != "possible");
        if first_cause(&report) != expected || others.clone().any(|finding| finding.cause != expected) {
            let found: Vec<_> =
                report.incidents.iter().map(|finding| (&finding.cause, &finding.confidence)).collect();
            faults.push(format!("{name}: {expected} was expected, found {found:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_case_has_its_file_and_every_file_its_case() {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_string_lossy().strip_suffix(".log").map(str::to_owned))
        .collect();
    files.sort();
    let cases: Vec<String> = cases().into_iter().map(|(name, _)| name).collect();
    assert_eq!(files, cases);
}

/// A confident wrong answer is the worst of all: the near miss of a cause is never given as it.
#[test]
fn a_near_miss_is_not_diagnosed_as_what_it_resembles() {
    let causes: Vec<&str> = oarlock_causes::Cause::ALL.iter().map(|cause| cause.name()).collect();
    let near: Vec<(String, String)> =
        cases().into_iter().filter(|(name, _)| name.starts_with("near-")).collect();
    for (name, _) in &near {
        let rest = &name["near-".len()..];
        let resembled =
            causes.iter().filter(|cause| rest.starts_with(**cause)).max_by_key(|cause| cause.len());
        // `snapshot` and `slow-storage` are named by the beginning of their cause.
        let resembled = resembled.copied().unwrap_or_else(|| rest.split('-').next().unwrap_or(""));
        let report = judge(name, text(&format!("{name}.log")).as_bytes());
        let said: Vec<&String> = report.incidents.iter().map(|finding| &finding.cause).collect();
        assert!(
            !resembled.is_empty() && said.iter().all(|cause| !cause.starts_with(resembled)),
            "{name}: {said:?}"
        );
    }
    assert!(near.len() >= 24, "only {} near misses", near.len());
}

/// Two cases of its own for each cause, and one that resembles it.
#[test]
fn every_cause_has_two_cases_of_its_own() {
    for cause in oarlock_causes::Cause::ALL {
        let own =
            cases().iter().filter(|(name, said)| said == cause.name() && !name.starts_with("near-")).count();
        assert!(own >= 2, "{}: {own} case(s)", cause.name());
    }
}

/// Lines that are cut at any place, joined without newlines, or have Windows' line ends never make it fall.
#[test]
fn mangled_lines_never_make_it_fall() {
    for (name, _) in cases() {
        let log = text(&format!("{name}.log"));
        for cut in (0..log.len()).step_by(37) {
            judge(&name, &log.as_bytes()[cut..]);
        }
        judge(&name, log.replace('\n', "").as_bytes());
        let curly = log.replace('"', "”").replace("0x", "0×");
        judge(&name, curly.as_bytes());
    }
}

#[test]
fn what_the_wild_does_to_a_line_does_not_change_the_cause() {
    for (name, expected) in cases() {
        let log = text(&format!("{name}.log"));
        let windows = log.replace('\n', "\r\n");
        assert_eq!(first_cause(&judge(&name, windows.as_bytes())), expected, "{name} with CRLF");
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(log.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(first_cause(&judge(&name, &wide)), expected, "{name} in UTF-16");
        let curly = log.replace("\" ", "” ").replace(" \"", " “").replace("0x", "0×");
        assert_eq!(first_cause(&judge(&name, curly.as_bytes())), expected, "{name} from a web page");
    }
}
