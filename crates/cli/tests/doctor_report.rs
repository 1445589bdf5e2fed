//! `oarlock doctor --html` and `--redact`: the file, and what may be written over; that no form of the report tells names.
#![allow(clippy::unwrap_used)] // Its functions are called by tests alone.

use std::fs;

use crate::common::{Place, Ran};

const LOG: &str = "\
2026-05-09T03:10:02.120Z In(182) vmkernel: cpu3:2097152)ScsiDeviceIO: 4124: Cmd(0x45b8c1d2e3f0) 0x89, CmdSN 0x2f1c from world 2097170 to dev \"naa.600a0b8000aa17d7000002a1cafe0001\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0
2026-05-09T03:10:09.000Z In(182) vmkernel: cpu3:2097152)HBX: 294: 'Plover-7': HB at offset 3411968 - Waiting for timed out HB:
";

fn doctor(place: &Place, more: &[&str]) -> Ran {
    let mut arguments = vec!["doctor", "plover04-vmkernel.log"];
    arguments.extend(more);
    place.run(&arguments)
}

fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("plover04-vmkernel.log"), LOG).unwrap();
    place
}

#[test]
fn html_is_written_beside_the_other_forms_and_again_over_itself() {
    let place = place();
    for _ in 0..2 {
        let ran = doctor(&place, &["--json", "--html", "report.html"]);
        assert_eq!(ran.succeeds().json()["files"].as_u64(), Some(1));
        let page = fs::read_to_string(place.path("report.html")).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
        assert!(page.contains("plover04-vmkernel.log:1"));
    }
}

#[test]
fn html_is_written_over_another_page_only_if_told_and_over_a_log_never() {
    let place = place();
    let refused = |arguments: &[&str]| {
        let ran = doctor(&place, arguments);
        assert_eq!(ran.exit, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains("OAR-0513") && ran.stdout.is_empty(), "{}", ran.stderr);
        assert!(ran.stderr.contains("Give another path"), "{}", ran.stderr);
    };
    refused(&["--html", "plover04-vmkernel.log"]);
    refused(&["--html", "plover04-vmkernel.log", "--force"]);
    assert_eq!(fs::read_to_string(place.path("plover04-vmkernel.log")).unwrap(), LOG);
    fs::write(place.path("notes.html"), "<!doctype html>mine").unwrap();
    refused(&["--html", "notes.html"]);
    doctor(&place, &["--html", "notes.html", "--force"]).succeeds();
    assert!(fs::read_to_string(place.path("notes.html")).unwrap().contains("oarlock doctor"));
}

#[test]
fn redact_leaves_no_name_in_any_form() {
    let place = place();
    let terminal = doctor(&place, &["--redact", "--html", "report.html"]);
    let json = doctor(&place, &["--redact", "--json"]);
    let html = fs::read_to_string(place.path("report.html")).unwrap();
    for form in [&terminal.succeeds().stdout, &json.succeeds().stdout, &html] {
        for original in ["600a0b80", "cafe0001", "plover", "Plover"] {
            assert!(!form.contains(original), "{original}: {form}");
        }
        assert!(form.contains("device-1") && form.contains("0x89"), "{form}");
    }
}
