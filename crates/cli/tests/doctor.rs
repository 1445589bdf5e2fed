//! The verb doctor, as a person and as a script use it.

use std::io::Write;
use std::process::Stdio;

use crate::common::{Place, Ran};

const LATE: &str = "2026-07-07T07:00:00.000Z cpu7:2055)ScsiDeviceIO: 2633: Cmd(0x439d00000001) 0x89, CmdSN 0x31 from world 32807 to dev \
                    \"naa.6000000000000000000000000000e001\" failed H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.\n";
const FALSE: &str = "2026-07-07T07:00:03.000Z cpu7:2055)ScsiDeviceIO: 2633: Cmd(0x439d00000002) 0x89, CmdSN 0x32 from world 32807 to dev \
                     \"naa.6000000000000000000000000000e001\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.\n";

#[test]
fn the_json_has_the_fields_that_scripts_rely_on() {
    let place = Place::new();
    place.write("esx1-vmkernel.log", format!("{LATE}{FALSE}").as_bytes());
    let report = place.run(&["doctor", "esx1-vmkernel.log", "--json"]).json();
    assert_eq!((report["files"].as_u64(), report["lines"].as_u64()), (Some(1), Some(2)));
    assert_eq!(report["understood"].as_u64(), Some(2));
    let incident = &report["incidents"][0];
    assert_eq!(incident["cause"], "delayed-own-write");
    assert_eq!(
        (incident["layer"].as_str(), incident["confidence"].as_str()),
        (Some("array"), Some("likely"))
    );
    assert_eq!((&incident["hosts"][0], &incident["events"]), (&"esx1".into(), &2.into()));
    assert_eq!(incident["device"], "naa.6000000000000000000000000000e001");
    assert_eq!(incident["first"], "2026-07-07T07:00:00.000Z");
    let evidence = &incident["evidence"][1];
    assert_eq!((&evidence["file"], &evidence["line"]), (&"esx1-vmkernel.log".into(), &2.into()));
    assert_eq!(evidence["text"], FALSE.trim_end());
    for field in ["also", "consequence", "volume", "last", "explanation", "collect_next"] {
        assert!(incident.get(field).is_some(), "{field} is missing");
    }
    for field in ["text", "source"] {
        assert!(incident["remedy"][0][field].is_string(), "{field} of the remedy is missing");
    }
}

#[test]
fn the_first_screen_says_what_happened_and_what_to_do_and_not_to_do() {
    let place = Place::new();
    place.write("x.log", format!("{LATE}{FALSE}").as_bytes());
    let ran = place.run(&["doctor", "x.log"]);
    let screen: Vec<&str> = ran.succeeds().stdout.lines().take(24).collect();
    for heading in ["What happened", "Is data at risk now?", "What to do now", "What not to do"] {
        assert!(screen.contains(&heading), "{heading} is not on the first screen: {screen:?}");
    }
    assert!(!ran.stdout.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn standard_input_is_read_as_a_dash() {
    let place = Place::new();
    let mut child = place
        .command(&["doctor", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(FALSE.as_bytes()).unwrap();
    let report = Ran::of(child.wait_with_output().unwrap()).json();
    assert_eq!(report["incidents"][0]["cause"], "cannot-tell");
    assert_eq!(report["incidents"][0]["evidence"][0]["file"], "-");
}

#[test]
fn a_single_line_is_explained_field_by_field() {
    let place = Place::new();
    let explained = place.run(&["doctor", "--explain", FALSE.trim_end(), "--json"]).json();
    let meaning = |name: &str| {
        let fields = explained["fields"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).unwrap()["meaning"].as_str().unwrap().to_owned()
    };
    assert!(meaning("opcode").contains("COMPARE AND WRITE"));
    assert!(meaning("sense").contains("MISCOMPARE"));
}

#[test]
fn a_report_to_be_shared_names_nobody() {
    let place = Place::new();
    place.write("esx1-vmkernel.log", format!("{LATE}{FALSE}").as_bytes());
    let ran = place.run(&["doctor", "esx1-vmkernel.log", "--redact"]);
    let text = &ran.succeeds().stdout;
    assert!(!text.contains("naa.6000") && !text.contains("esx1"), "{text}");
    assert!(text.contains("device-1") && text.contains("host-1"), "{text}");
}

#[test]
fn what_is_not_there_or_is_no_advisory_is_refused_with_a_cure() {
    let place = Place::new();
    place.run(&["doctor", "nowhere.log"]).fails(1, "OAR-0503");
    place.write("x.log", FALSE.as_bytes());
    place.write("bad.tsv", b"only\ttwo\n");
    place.run(&["doctor", "x.log", "--advisories", "bad.tsv"]).fails(2, "OAR-0502");
    place.run(&["doctor"]).fails(2, "OAR-0501");
}

/// Exit code 0 and "No incident" for logs that nobody could open sent people home with a sick datastore.
#[test]
fn what_nobody_can_read_ends_with_an_exit_code_and_its_reason() {
    let place = Place::new();
    place.write("logs.zip", b"PK\x03\x04rest");
    let ran = place.run(&["doctor", "logs.zip"]);
    assert!(ran.exit == 1 && ran.stderr.starts_with("OAR-0514"), "exit {}: {}", ran.exit, ran.stderr);
    assert!(
        ran.stdout.contains("Nothing could be read") && !ran.stdout.contains("No incident"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("is a zip archive"), "{}", ran.stdout);
    let ran = place.run(&["doctor", "logs.zip", "--json"]);
    assert_eq!(ran.exit, 1);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["coverage"], report["problems"].as_array().unwrap().len()), (&"nothing".into(), 1));
    place.write("quiet.log", b"quiet\n");
    let report = place.run(&["doctor", "logs.zip", "quiet.log", "--json"]).json();
    assert_eq!(report["coverage"], "part");
}

#[test]
fn a_folder_that_may_not_be_looked_into_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    std::fs::create_dir_all(place.path("logs/shut")).unwrap();
    place.write("logs/quiet.log", b"quiet\n");
    let shut = place.path("logs/shut");
    std::fs::set_permissions(&shut, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Root may look everywhere.
    let barred = std::fs::read_dir(&shut).is_err();
    let report = place.run(&["doctor", "logs", "--json"]).json();
    std::fs::set_permissions(&shut, std::fs::Permissions::from_mode(0o755)).unwrap();
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(
        problems.iter().any(|problem| problem.as_str().unwrap().contains("logs/shut")),
        barred,
        "{problems:?}"
    );
}
