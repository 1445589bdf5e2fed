//! A script that asked for JSON gets JSON when the program fails, too.

use crate::common;

use common::Place;
use serde_json::Value;

/// One way in which each verb that has `--json` fails, its exit code, and its error.
const FAILURES: &[(&[&str], i32, &str)] = &[
    (&["format", "small", "--name", "s", "--size", "1M", "--json"], 1, "OAR-0262"),
    (&["status", "--json"], 75, "OAR-0401"),
    (&["hosts", "--json"], 75, "OAR-0401"),
    (&["locks", "--json"], 75, "OAR-0401"),
    (&["events", "--follow", "--json"], 75, "OAR-0401"),
    (&["evict", "a", "--json"], 75, "OAR-0401"),
    (&["check", "none", "--json"], 1, "OAR-0101"),
    (&["inspect", "none", "--json"], 1, "OAR-0101"),
    (&["grow", "none", "--json"], 1, "OAR-0101"),
    (&["resignature", "none", "--json"], 1, "OAR-0101"),
    (&["bench", "lock", "none", "--json"], 1, "OAR-0507"),
    (&["causes", "nonsense", "--json"], 2, "OAR-0511"),
    (&["doctor", "none", "--json"], 1, "OAR-0503"),
    (&["sim", "--seeds", "9..1", "--json"], 2, "OAR-0502"),
    (&["demo", "--nonsense", "--json"], 2, "OAR-0501"),
];

fn error_of(stderr: &str) -> Value {
    let document: Value =
        serde_json::from_str(stderr).unwrap_or_else(|error| panic!("{error}, in place of JSON: {stderr}"));
    document
}

#[test]
fn every_verb_that_fails_under_json_says_why_in_one_document() {
    let place = Place::new();
    for (arguments, exit, code) in FAILURES {
        let ran = place.run(arguments);
        let all = format!("{arguments:?}: exit {}, {}", ran.exit, ran.stderr);
        assert_eq!(ran.exit, *exit, "{all}");
        assert_eq!(ran.stdout, "", "a failure writes no result: {all}");
        assert_eq!(ran.stderr.lines().count(), 1, "{all}");
        let document = error_of(&ran.stderr);
        assert_eq!(document["error"]["code"], *code, "{all}");
        assert_eq!(document["exit"], *exit, "{all}");
        for field in ["message", "hint"] {
            assert!(!document["error"][field].as_str().unwrap().is_empty(), "{field}: {all}");
        }
    }
}

#[test]
fn no_verb_with_json_is_left_out_above() {
    let place = Place::new();
    let help = place.run(&["--help"]).stdout;
    let verbs =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for verb in verbs.filter_map(|line| line.split_whitespace().next()) {
        let text = place.run(&[verb, "--help"]).stdout;
        let tried = FAILURES.iter().any(|(arguments, ..)| arguments[0] == verb);
        // What `bench` measures has the flag, each a verb below it.
        let has_json = text.contains("--json") || verb == "bench";
        assert_eq!(has_json, tried, "{verb}");
    }
}

#[test]
fn a_command_s_own_json_flag_is_none_of_the_program_s() {
    let place = Place::new();
    let ran = place.run(&["lock", "run", "nightly", "--", "jq", "--json"]);
    ran.fails(75, "OAR-0401");
}
