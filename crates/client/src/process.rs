//! The process behind a socket: what /proc tells of a host that does not reply.

use std::fmt;
use std::os::fd::AsFd;

use oarlock_host::peer_pid;

/// A process, and what it was doing when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostProcess {
    /// Its number, as this process sees it.
    pub pid: u32,
    /// The letter of its state in `/proc/PID/stat`; `None` where /proc does not tell: it has ended, or is hidden from
    /// this user (`hidepid`).
    pub state: Option<char>,
}

impl HostProcess {
    /// The process that listens where this socket leads; `None` where it is in a pid namespace that this one cannot see.
    pub(crate) fn behind(socket: impl AsFd) -> Option<HostProcess> {
        let pid = peer_pid(socket)?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        Some(HostProcess { pid, state: state(&stat) })
    }

    /// Whether it is stopped, by a signal or by a debugger: it replies to nobody until it goes on.
    #[must_use]
    pub fn is_stopped(self) -> bool {
        matches!(self.state, Some('T' | 't'))
    }
}

/// The field behind the program's name, which stands in parentheses and may have some of its own (proc_pid_stat(5)).
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

impl fmt::Display for HostProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.state {
            Some('T') => "is stopped",
            Some('t') => "is stopped by a debugger",
            Some('D') => "waits for a device",
            Some('Z' | 'X') => "has ended",
            Some(_) => "runs",
            None => "cannot be looked at",
        };
        write!(formatter, "its process {} {what}", self.pid)?;
        self.state.map_or(Ok(()), |state| write!(formatter, " (state {state})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name_whatever_that_is() {
        assert_eq!(state("7 (a) T (b)) S 1 7"), Some('S'));
        assert_eq!(state(""), None);
        let stopped = HostProcess { pid: 7, state: Some('T') };
        assert!(stopped.is_stopped() && !HostProcess { state: Some('S'), ..stopped }.is_stopped());
        assert_eq!(stopped.to_string(), "its process 7 is stopped (state T)");
        assert_eq!(HostProcess { state: None, ..stopped }.to_string(), "its process 7 cannot be looked at");
    }
}
