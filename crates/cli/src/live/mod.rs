//! `doctor --live`: what this machine tells of itself, gathered as lines that the doctor reads like any log.
//!
//! ```text
//!  /sys, /proc ----\
//!  kernel log ------+--> lines, and what could not be read and why --> Doctor::read
//!  multipathd ------/
//!  running hosts --/
//! ```
//!
//! Nothing is changed and nothing is needed but what the caller may read. Whatever is asked is asked on a thread of its own
//! with a limit, and so is each file: a driver or a daemon that hangs is told as that, and the rest is judged without it.

mod command;
mod disks;
#[cfg(feature = "datastore")]
mod hosts;
mod kernel_log;
mod limited;
mod load;
mod multipath;
mod ports;
mod view;

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use oarlock_doctor::{Doctor, DoctorError};

pub use view::View;

/// All sources together answer within this time, and then the running hosts; who does not is told to have been silent. An adapter's driver asks its firmware for counters.
const SOURCE_LIMIT: Duration = Duration::from_secs(15);

/// What a source gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Its lines.
    pub text: String,
    /// What it did not tell, and why.
    pub unread: Vec<(String, String)>,
}

impl Gathered {
    /// Adds a line.
    pub fn line(&mut self, line: &impl std::fmt::Display) {
        self.text.push_str(&line.to_string());
        self.text.push('\n');
    }

    /// Notes what could not be read.
    pub fn unread(&mut self, what: impl Into<String>, why: impl std::fmt::Display) {
        self.unread.push((what.into(), why.to_string()));
    }
}

/// Something to be asked: what it is called in a report, and how.
type Source = (&'static str, fn(View) -> Gathered);

/// In the order in which they are read. The load comes with two looks at the ports around it, for counters that grow.
const SOURCES: [Source; 4] = [
    ("disks", disks::gather),
    ("load and ports", load_and_ports),
    ("multipath", multipath::gather),
    ("kernel log", kernel_log::gather),
];

/// Gives the doctor all that the machine below `root` tells. Programs and running hosts are asked only where that is the
/// machine that this runs on.
pub fn read(doctor: &mut Doctor, root: &Path) {
    // All at once: the load takes its two seconds, and what hangs hangs only once.
    let asked: Vec<_> = SOURCES.into_iter().map(|(name, ask)| (name, ask_for(View::of(root), ask))).collect();
    let until = Instant::now() + SOURCE_LIMIT;
    for (name, answer) in asked {
        give(doctor, name, before(until, &answer));
    }
    #[cfg(feature = "datastore")]
    {
        let view = View::of(root);
        if view.is_here() {
            give(doctor, "events", before(Instant::now() + SOURCE_LIMIT, &ask_for(view, hosts::gather)));
        }
    }
}

fn ask_for(view: View, ask: fn(View) -> Gathered) -> mpsc::Receiver<Gathered> {
    let (sender, answer) = mpsc::sync_channel(1);
    let ask = move |view: View| {
        let mut gathered = ask(view.clone());
        for (file, why) in view.hung() {
            gathered.unread(file, why);
        }
        gathered
    };
    // Without a thread the sender is gone, and the answer says so. Nobody listens any more once the limit is over.
    let _ = thread::Builder::new().name("oarlock-live".to_owned()).spawn(move || sender.send(ask(view)));
    answer
}

fn before(until: Instant, answer: &mpsc::Receiver<Gathered>) -> Result<Gathered, String> {
    answer.recv_timeout(until.saturating_duration_since(Instant::now())).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => format!("no answer within {} s", SOURCE_LIMIT.as_secs()),
        mpsc::RecvTimeoutError::Disconnected => "it could not be asked".to_owned(),
    })
}

fn give(doctor: &mut Doctor, name: &str, gathered: Result<Gathered, String>) {
    let gathered =
        gathered.unwrap_or_else(|why| Gathered { text: String::new(), unread: vec![(name.to_owned(), why)] });
    if !gathered.text.is_empty() {
        doctor.read(name, &mut gathered.text.as_bytes(), &mut |_| {});
    }
    for (part, why) in gathered.unread {
        doctor.problem(&DoctorError::Machine { part, why });
    }
}

fn load_and_ports(view: View) -> Gathered {
    let before = ports::counters(&view);
    let mut gathered = load::gather(&view);
    let ports = ports::gather(&view, &before);
    gathered.text.push_str(&ports.text);
    gathered.unread.extend(ports.unread);
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than any test waits for.
    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_source_that_hangs_is_told_and_costs_no_more_than_its_time() {
        let hangs = ask_for(View::of(Path::new("/")), |_| {
            thread::park_timeout(LONG);
            Gathered::default()
        });
        let began = Instant::now();
        let told = before(began + Duration::from_millis(50), &hangs).unwrap_err();
        assert!(told.starts_with("no answer within") && began.elapsed() < LONG / 10, "{told}");
        let falls = ask_for(View::of(Path::new("/")), |_| panic!("a source that falls"));
        assert_eq!(before(Instant::now() + LONG, &falls), Err("it could not be asked".to_owned()));
    }
}
