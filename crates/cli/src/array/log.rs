//! What an array tells its operator: by a thread of its own, so that an array waits for nobody who reads it, and no more of it than anybody can read.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::flood::Flood;
use crate::report;

/// Lines that wait to be written: a fleet that comes back logs in at once.
const WAITING_MAX: usize = 4096;

const A_SECOND: Duration = Duration::from_secs(1);

/// How long the end of an array waits for its last lines.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The log of an array that runs.
pub struct Log {
    lines: SyncSender<String>,
    left_out: Arc<AtomicU64>,
    ended: Receiver<()>,
}

impl Log {
    /// Lines with their time, unless they go to the journal, which has its own.
    pub fn new() -> Log {
        let (lines, received) = mpsc::sync_channel::<String>(WAITING_MAX);
        let (ends, ended) = mpsc::channel();
        let left_out = Arc::<AtomicU64>::default();
        let (counted, has_time) = (Arc::clone(&left_out), !goes_to_the_journal());
        let write = move || {
            write_all(&received, &counted, has_time);
            drop(ends);
        };
        if let Err(error) = thread::Builder::new().name("oarlock-log".to_owned()).spawn(write) {
            report::say(&format!("it serves without a log, for that has no thread: {error}"));
        }
        Log { lines, left_out, ended }
    }

    /// What takes one line, and waits for nobody.
    pub fn line(&self) -> Arc<dyn Fn(&str) + Send + Sync> {
        let (lines, left_out) = (self.lines.clone(), Arc::clone(&self.left_out));
        Arc::new(move |line| {
            if lines.try_send(line.to_owned()).is_err() {
                left_out.fetch_add(1, Ordering::Relaxed);
            }
        })
    }

    /// Waits until all is written, and for no reader that does not read.
    pub fn end(self) {
        let Log { lines, ended, .. } = self;
        drop(lines);
        let _ = ended.recv_timeout(LAST_WORDS);
    }
}

fn write_all(lines: &Receiver<String>, left_out: &AtomicU64, has_time: bool) {
    let (mut second, mut flood) = (Instant::now(), Flood::default());
    loop {
        let line = lines.recv_timeout(A_SECOND);
        if second.elapsed() >= A_SECOND || line == Err(RecvTimeoutError::Disconnected) {
            second = Instant::now();
            let told = flood.second(left_out.swap(0, Ordering::Relaxed));
            told.iter().for_each(|told| say(told, has_time));
        }
        match line {
            Ok(line) if flood.admits(&line) => say(&line, has_time),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn say(line: &str, has_time: bool) {
    if has_time {
        report::say(&format!("{:.3} {line}", Timestamp::now()));
    } else {
        report::say(line);
    }
}

/// Whether standard error is what systemd connected to the journal (systemd.exec(5), `$JOURNAL_STREAM`): whoever was started by such a service and
/// writes to a file has the variable, too.
fn goes_to_the_journal() -> bool {
    let named = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let status = rustix::fs::fstat(std::io::stderr().as_fd());
    status.is_ok_and(|status| named == format!("{}:{}", status.st_dev, status.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_waits_for_nobody_and_what_is_left_out_is_counted() {
        let (lines, received) = mpsc::sync_channel(2);
        let left_out = Arc::<AtomicU64>::default();
        let (_, ended) = mpsc::channel();
        let log = Log { lines, left_out: Arc::clone(&left_out), ended };
        let line = log.line();
        (0..10).for_each(|number| line(&number.to_string()));
        assert_eq!(left_out.load(Ordering::Relaxed), 8);
        assert_eq!(received.try_iter().collect::<Vec<_>>(), ["0", "1"]);
        log.end();
    }
}
