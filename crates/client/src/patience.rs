//! A connection to a host, and how long it may say nothing: as long as it was given, or until its process is seen to be stopped.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::process::HostProcess;

/// How often the process of a host that says nothing is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A host that is stopped at so many looks in a row is given up. A debugger that traces it stops it for an instant again and
/// again, and whoever stops it by mistake has time to let it go on.
const STOPPED_LOOKS_MAX: u32 = 5;

/// The reading end of a connection.
#[derive(Debug)]
pub(crate) struct Patience {
    stream: UnixStream,
    limit: Option<Duration>,
}

/// Nothing came: for how long, and what the process behind the socket was doing then.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nothing came within {} ms", waited.as_millis())]
pub(crate) struct Silence {
    pub(crate) waited: Duration,
    pub(crate) process: Option<HostProcess>,
}

/// The looks in a row at which a process was stopped.
#[derive(Debug, Default)]
struct Looks {
    stopped: u32,
}

impl Looks {
    /// Counts one more look; whether the process is to be given up.
    fn give_up(&mut self, process: Option<HostProcess>) -> bool {
        let stopped = process.is_some_and(HostProcess::is_stopped);
        self.stopped = if stopped { self.stopped + 1 } else { 0 };
        self.stopped >= STOPPED_LOOKS_MAX
    }
}

impl Patience {
    /// Each read may take `limit`; `None`: as long as it takes, without a look at the process.
    pub(crate) fn new(stream: UnixStream, limit: Option<Duration>) -> Patience {
        Patience { stream, limit }
    }

    pub(crate) fn set_limit(&mut self, limit: Option<Duration>) {
        self.limit = limit;
    }

    /// A second handle on the connection.
    pub(crate) fn stream(&self) -> io::Result<UnixStream> {
        self.stream.try_clone()
    }

    /// Waits until something can be read, or the connection has ended.
    fn await_bytes(&self, limit: Duration) -> io::Result<()> {
        let begin = Instant::now();
        let mut looks = Looks::default();
        loop {
            let left = limit.saturating_sub(begin.elapsed());
            let time_out = Timespec::try_from(left.min(LOOK_EVERY)).ok();
            match poll(&mut [PollFd::new(&self.stream, PollFlags::IN)], time_out.as_ref()) {
                Ok(0) => {}
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            let process = HostProcess::behind(&self.stream);
            if looks.give_up(process) || left <= LOOK_EVERY {
                let silence = Silence { waited: begin.elapsed(), process };
                return Err(io::Error::new(io::ErrorKind::TimedOut, silence));
            }
        }
    }
}

impl Read for Patience {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(limit) = self.limit {
            self.await_bytes(limit)?;
        }
        self.stream.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn give_up_after(states: &str) -> Option<usize> {
        let mut looks = Looks::default();
        let processes = states.chars().map(|state| Some(HostProcess { pid: 7, state: Some(state) }));
        processes.enumerate().find(|(_, process)| looks.give_up(*process)).map(|(index, _)| index + 1)
    }

    #[test]
    fn a_process_is_given_up_only_where_it_is_stopped_at_every_look() {
        assert_eq!(give_up_after("TTTTT"), Some(5));
        assert_eq!(give_up_after("StTtTt"), Some(6));
        assert_eq!(give_up_after("TTTTSTTTTRTTTTD"), None, "it went on in between");
        assert!(!(0..10).any(|_| Looks::default().give_up(None)), "nothing is known of it");
    }

    #[test]
    fn a_silence_ends_with_its_limit_and_bytes_that_are_there_are_read_after_it() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let limit = Duration::from_millis(20);
        let mut patience = Patience::new(theirs, Some(limit));
        let error = patience.read(&mut [0; 8]).unwrap_err();
        let silence = error.get_ref().unwrap().downcast_ref::<Silence>().unwrap();
        assert!(silence.waited >= limit);
        assert_eq!(silence.process.unwrap().pid, std::process::id());
        io::Write::write_all(&mut ours, b"x").unwrap();
        patience.set_limit(Some(Duration::ZERO));
        assert_eq!(patience.read(&mut [0; 8]).unwrap(), 1, "what is there costs no time");
        drop(ours);
        assert_eq!(patience.read(&mut [0; 8]).unwrap(), 0, "so does the end");
    }
}
