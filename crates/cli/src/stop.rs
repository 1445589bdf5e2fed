//! Signals that ask the program to stop: SIGINT, SIGTERM, and SIGHUP where the terminal's end shall end it; as a future.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};
use signal_hook::consts::signal::SIGXFSZ;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::catalogue::Code;
use crate::failure::Failure;

/// The verbs that end in their own way when they are asked to, as they stand on the command line.
const HEEDING: [&str; 9] =
    ["bench", "check", "disk export", "disk import", "format", "grow", "resignature", "sim", "target serve"];

/// What was caught before the verb itself asked for it.
static EARLY: Mutex<Option<Stop>> = Mutex::new(None);

/// Signals that may wait to be noticed; more of the same say nothing new.
const SIGNALS_WAITING_MAX: usize = 4;

/// Catches the signals for a verb that heeds them, before anything else is done: until then they end the program with
/// neither a word nor an exit code. Where it cannot be done, the verb says so itself.
pub fn catch_early(words: impl Iterator<Item = OsString>) {
    let words: Vec<OsString> = words.take(2).collect();
    let are_first = |heeding: &&str| {
        let mut heeding = heeding.split(' ').enumerate();
        heeding.all(|(place, word)| words.get(place).is_some_and(|there| there == word))
    };
    if HEEDING.iter().any(are_first) {
        *EARLY.lock().unwrap_or_else(PoisonError::into_inner) = Stop::new().ok();
    }
}

/// A file that may not grow any more (`ulimit -f`) is an error to be told, not the program's end. Caught rather than ignored, so
/// that a command under `lock run` begins without it.
pub fn outlive_file_limits() {
    // Where that fails the program ends as the system says.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// What a verb that was cut short by a signal ends with.
#[must_use]
pub fn interrupted(signal: &str) -> Failure {
    Failure::new(Code::Interrupted, format!("interrupted by {signal}"))
}

/// Whether this program was told to outlive its terminal (`nohup`): then a hangup asks for nothing.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Where the system does not say, its default stands, which ends the program.
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_none_or(|mask| mask & 1 << (SIGHUP - 1) != 0)
}

/// Catches SIGINT, SIGTERM and SIGHUP while it lives.
pub struct Stop {
    signals: mpsc::Receiver<i32>,
    handle: Handle,
}

impl Stop {
    /// Catches the signals from now on, or has done so since the program began, so that a verb can clean up behind itself.
    ///
    /// # Errors
    /// Where the system gives no handler or no thread.
    pub fn catch() -> Result<Stop, Failure> {
        let early = EARLY.lock().unwrap_or_else(PoisonError::into_inner).take();
        early.map_or_else(Stop::new, Ok)
    }

    fn new() -> Result<Stop, Failure> {
        let hangup = (!ignores_hangup()).then_some(SIGHUP);
        let mut caught = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))
            .map_err(|error| Failure::system("signals cannot be caught", &error))?;
        let handle = caught.handle();
        let (mut sender, signals) = mpsc::channel(SIGNALS_WAITING_MAX);
        let thread = std::thread::Builder::new().name("oarlock-signals".to_owned());
        thread
            .spawn(move || {
                for signal in &mut caught {
                    // A full channel already says that the program is to stop.
                    let _ = sender.try_send(signal);
                }
            })
            .map_err(|error| Failure::system("signals cannot be waited for", &error))?;
        Ok(Stop { signals, handle })
    }

    /// The signal's name, where one came and was not told of yet.
    pub fn came(&mut self) -> Option<&'static str> {
        self.signal().now_or_never()
    }

    /// Resolves with the signal's name once one came.
    pub fn signal(&mut self) -> impl Future<Output = &'static str> + Unpin + '_ {
        Box::pin(async {
            match self.signals.next().await {
                Some(SIGINT) => "SIGINT",
                Some(SIGHUP) => "SIGHUP",
                Some(_) => "SIGTERM",
                // The thread ends only with this value.
                None => futures::future::pending().await,
            }
        })
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.handle.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_that_heeds_signals_does_so_from_the_program_s_first_moment() {
        let verbs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verbs");
        let files = |folder: &str| {
            let entries = std::fs::read_dir(verbs.join(folder)).unwrap();
            let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
            files.collect::<Vec<_>>()
        };
        let mut heeding: Vec<String> = ["", "disk", "target"]
            .iter()
            .flat_map(|folder| files(folder))
            .filter(|path| std::fs::read_to_string(path).unwrap().contains("Stop::catch()"))
            .map(|path| {
                path.strip_prefix(&verbs).unwrap().with_extension("").to_str().unwrap().replace('/', " ")
            })
            .collect();
        heeding.sort();
        assert_eq!(heeding, HEEDING);
    }
}
