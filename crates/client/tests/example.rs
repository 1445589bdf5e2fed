//! The example of the documentation runs, on a file that it makes itself.

#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn the_nightly_job_runs_twice_and_its_token_grows() {
    // Cargo builds the examples beside the tests.
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/nightly");
    let folder = tempfile::tempdir().unwrap();
    let token = || {
        let output = Command::new(&program).arg(folder.path().join("pool.img")).arg("a").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        text.lines().last().unwrap().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let first = token();
    assert!(token() > first);
}
