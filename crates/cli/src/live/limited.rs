//! Reads files, each with a limit of time: a driver that does not answer when one of its values is read takes that value, and no other.
//!
//! A read that hangs in the kernel cannot be ended from outside. So it is done on a thread; where that does not answer in time it is left behind, and
//! another goes on with the next file. So many threads are left behind and no more: from then on nothing further is read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A value of sysfs takes microseconds; an adapter that asks its firmware, some milliseconds.
const FILE_LIMIT: Duration = Duration::from_secs(1);
/// Files that hang before no other is tried: together they must take less time than their source has.
const HUNG_MAX: usize = 6;

/// How a file is read.
type Read = fn(&Path) -> io::Result<Vec<u8>>;

/// A thread that reads what it is asked for.
#[derive(Debug)]
struct Hand {
    ask: mpsc::Sender<PathBuf>,
    answers: mpsc::Receiver<io::Result<Vec<u8>>>,
}

/// A reader that does not wait for ever.
#[derive(Debug)]
pub struct Limited {
    read: Read,
    limit: Duration,
    hand: Option<Hand>,
    /// The files that did not answer.
    hung: Vec<PathBuf>,
}

impl Limited {
    /// Reads by that function.
    #[must_use]
    pub fn by(read: Read) -> Limited {
        Limited { read, limit: FILE_LIMIT, hand: None, hung: Vec::new() }
    }

    /// What a file holds.
    ///
    /// # Errors
    /// Why it cannot be read; that it did not answer in time; or that too many others did not.
    pub fn bytes(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        if self.hung.len() >= HUNG_MAX {
            return Err(io::Error::other(format!("not tried: {HUNG_MAX} other files gave no answer")));
        }
        if self.hung.iter().any(|hung| hung == path) {
            return Err(timed_out());
        }
        let hand = match &mut self.hand {
            Some(hand) => hand,
            none => none.insert(Hand::reading_by(self.read)?),
        };
        let asked = hand.ask.send(path.to_owned()).is_ok();
        let answer = hand.answers.recv_timeout(self.limit);
        match answer {
            Ok(answer) if asked => answer,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.hung.push(path.to_owned());
                self.hand = None;
                Err(timed_out())
            }
            _ => {
                self.hand = None;
                Err(io::Error::other("it could not be read"))
            }
        }
    }

    /// The files that did not answer.
    pub fn hung(&self) -> impl Iterator<Item = &Path> {
        self.hung.iter().map(PathBuf::as_path)
    }
}

impl Hand {
    fn reading_by(read: Read) -> io::Result<Hand> {
        let (ask, asked) = mpsc::channel::<PathBuf>();
        let (answer, answers) = mpsc::channel();
        let work = move || {
            // Whoever asked is gone: so is this thread, as soon as the kernel lets it.
            while let Ok(path) = asked.recv() {
                if answer.send(read(&path)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("oarlock-live-file".to_owned()).spawn(work)?;
        Ok(Hand { ask, answers })
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", FILE_LIMIT.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than any test waits for.
    const LONG: Duration = Duration::from_secs(600);

    fn read(path: &Path) -> io::Result<Vec<u8>> {
        if path.to_string_lossy().contains("hangs") {
            thread::park_timeout(LONG);
        }
        Ok(path.to_string_lossy().into_owned().into_bytes())
    }

    #[test]
    fn a_file_that_hangs_takes_itself_and_no_other() {
        // Only what hangs is waited for with a short limit: a busy machine may take long over the others.
        let mut limited = Limited { limit: LONG, ..Limited::by(read) };
        assert_eq!(limited.bytes(Path::new("a")).unwrap(), b"a");
        limited.limit = Duration::from_millis(20);
        let why = limited.bytes(Path::new("hangs")).unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::TimedOut);
        limited.limit = LONG;
        assert_eq!(limited.bytes(Path::new("b")).unwrap(), b"b");
        assert_eq!(limited.bytes(Path::new("hangs")).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(limited.hung().collect::<Vec<_>>(), [Path::new("hangs")], "it is tried once");
    }

    #[test]
    fn so_many_threads_are_left_behind_and_no_more() {
        let mut limited = Limited { limit: Duration::from_millis(5), ..Limited::by(read) };
        for number in 0..HUNG_MAX {
            assert!(limited.bytes(Path::new(&format!("hangs-{number}"))).is_err());
        }
        let why = limited.bytes(Path::new("a")).unwrap_err().to_string();
        assert!(why.starts_with("not tried"), "{why}");
    }
}
