//! Commands under `oarlock lock run`, as the tests of them see their processes.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::Pid;

use super::{Place, Up, eventually};

/// A lock of `host`'s with a command that writes its pid to `pid` and sleeps; returned once it runs.
pub fn sleeping(place: &Place, host: &str) -> (Child, Pid) {
    let script = "echo $$ > pid.new; mv pid.new pid; sleep 1000 & echo $! > child; wait";
    let run = place
        .command(&["lock", "run", "nightly", "--host", host, "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = place.path("pid");
    eventually("the command runs", || place.path("child").exists() && number(&place.path("child")).is_some());
    (run, number(&pid).unwrap())
}

/// The watchman of a `lock run` whose command is there.
pub fn watchman_of(run: &Child, command: Pid) -> Pid {
    let of_run = format!("/proc/{0}/task/{0}/children", run.id());
    let watchman = || {
        let children = fs::read_to_string(&of_run).unwrap();
        let mut pids = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        pids.find(|pid| *pid != command)
    };
    eventually("there is a watchman", || watchman().is_some());
    let watchman = watchman().unwrap();
    // Not before it has become the watchman: what is stopped or killed earlier has not begun to watch.
    let line = format!("/proc/{}/cmdline", watchman.as_raw_nonzero());
    let started = || fs::read_to_string(&line).is_ok_and(|text| text.contains("watch"));
    eventually("it watches", || started() && state(watchman) == Some('S'));
    watchman
}

pub fn number(path: &Path) -> Option<Pid> {
    Pid::from_raw(fs::read_to_string(path).ok()?.trim().parse().ok()?)
}

/// Gone, or a zombie that its parent has not collected: it runs no more.
pub fn runs(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

/// The letter of a process's state.
pub fn state(pid: Pid) -> Option<char> {
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    status.rsplit(')').next()?.trim().chars().next()
}

pub fn place_with(hosts: &[&str]) -> (Place, Vec<Up>) {
    let place = Place::new();
    place.format();
    let hosts = hosts.iter().map(|host| place.up(host)).collect();
    (place, hosts)
}
