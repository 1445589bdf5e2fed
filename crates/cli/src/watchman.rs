//! The watchman of a guarded command: a process that kills its process group where `lock run` cannot (R29).
//!
//! ```text
//!   lock run                                        guard watch
//!     | <--- READY ------------------------------------- |   signals do not end it any more
//!     |---- until when it may let the command run -----> |   again with every renewal
//!     |---- DONE --------------------------------------> |   ends
//!
//!   lock run ends without DONE, or the host's connection ends, or that time passes ---> the group is killed
//! ```
//! `lock run` itself does all of this earlier and more gently, as long as it lives and is not stopped. The watchman also
//! has the connection to the host, so that the lock goes to nobody before its work is done. And where it ends without having
//! been told, `lock run` kills the group: the two look after each other, and neither lets the command run without the other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oarlock_host::boot_time_ns;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::catalogue::EXIT_LOST;
use crate::gate;

/// The watchman's word that nothing that asks it to stop ends it any more.
const READY: [u8; 1] = *b"r";
/// The word of `lock run` that the command has ended.
const DONE: [u8; 1] = *b".";
/// So long may a watchman take to begin: only a machine that is starved for long needs it.
const READY_LIMIT: Duration = Duration::from_secs(10);
/// A killed group has so long to be gone before the connection is let go of.
const GONE_LIMIT: Duration = Duration::from_secs(1);
/// Between two looks whether a killed group is gone.
const LOOK: Duration = Duration::from_millis(2);
/// The longest time between two looks at the clock, which goes on while the machine is suspended and this wait does not.
const CLOCK_LOOK: Duration = Duration::from_millis(250);

/// A watchman, seen from `lock run`.
pub struct Watchman {
    process: Child,
    socket: OwnedFd,
    told_ns: u64,
}

impl Watchman {
    /// Starts the watchman of a group, who keeps `connection`; returns once it watches.
    ///
    /// # Errors
    /// Where a process cannot be had, or does not begin in time.
    pub fn start(program: &mut Command, group: Pid, connection: OwnedFd) -> io::Result<Watchman> {
        let (socket, theirs) = gate::pair()?;
        let process = program
            .args(["guard", "watch", "--group", &group.as_raw_nonzero().to_string()])
            .stdin(theirs)
            .stdout(connection)
            .spawn()?;
        let watchman = Watchman { process, socket, told_ns: 0 };
        match next(&[(watchman.socket.as_fd(), PollFlags::IN)], READY_LIMIT) {
            true if message(watchman.socket.as_fd(), &mut [0]) == Some(READY.len()) => Ok(watchman),
            true => Err(io::Error::other("it ended at once")),
            false => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Lets the command run until that time of `CLOCK_BOOTTIME`, and no longer without another word.
    pub fn allow_until(&mut self, until_ns: u64) {
        // Where the watchman is stopped, words that it cannot take are left out: then it kills too early, not too late.
        let told = until_ns > self.told_ns
            && send(&self.socket, &until_ns.to_le_bytes(), SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok();
        if told {
            self.told_ns = until_ns;
        }
    }

    /// The command has ended: the watchman ends, too. Whether it had to kill the group. The group's number must not be
    /// another's before.
    pub fn dismiss(mut self) -> bool {
        let _ = send(&self.socket, &DONE, SendFlags::NOSIGNAL);
        drop(self.socket);
        self.process.wait().is_ok_and(|status| status.code() == Some(i32::from(EXIT_LOST)))
    }
}

/// The watchman's own work: `socket` leads to `lock run`, `connection` to the host. Returns its exit code.
///
/// No signal that asks ends it: where it was stopped, the end of `lock run` makes its process group an orphaned one, and
/// the kernel sends that SIGHUP (setpgid(2)). Nobody would kill what the command started, and the lock would be free.
pub fn watch(group: Pid, socket: BorrowedFd<'_>, connection: BorrowedFd<'_>) -> u8 {
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        // It fails for signals that cannot be caught, and these can.
        let _ = signal_hook::flag::register(signal, Arc::default());
    }
    let _ = send(socket, &READY, SendFlags::NOSIGNAL);
    if ends_by_itself(socket, connection) {
        return 0;
    }
    // There is no time to give. The host keeps the lock for as long as this one has the connection, which is until the
    // group is seen to be gone.
    let _ = kill_process_group(group, Signal::KILL);
    let until = Instant::now() + GONE_LIMIT;
    while test_kill_process_group(group).is_ok() && Instant::now() < until {
        if next(&[(socket, PollFlags::IN)], Duration::ZERO)
            && message(socket, &mut [0; 8]) == Some(DONE.len())
        {
            break;
        }
        std::thread::sleep(LOOK);
    }
    EXIT_LOST
}

/// Whether the command ended under its lock; returns at once where it must not go on.
fn ends_by_itself(socket: BorrowedFd<'_>, connection: BorrowedFd<'_>) -> bool {
    let mut until_ns: Option<u64> = None;
    loop {
        let left = until_ns.map(|until| Duration::from_nanos(until.saturating_sub(boot_time_ns())));
        // The word of `lock run` comes first: where it is done, all else is no news.
        let both = [(socket, PollFlags::IN), (connection, PollFlags::RDHUP)];
        let limit = left.unwrap_or(CLOCK_LOOK).min(CLOCK_LOOK);
        if !next(&both, limit) {
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            continue;
        }
        if !next(&both[..1], Duration::ZERO) {
            return false;
        }
        let mut word = [0; 8];
        match message(socket, &mut word) {
            Some(length) if length == word.len() => until_ns = Some(u64::from_le_bytes(word)),
            Some(length) => return length == DONE.len(),
            None => return false,
        }
    }
}

/// Waits for anything on any of these, for `limit` at most. A signal that was caught meanwhile is no end of the wait.
fn next(of: &[(BorrowedFd<'_>, PollFlags)], limit: Duration) -> bool {
    let mut of: Vec<PollFd<'_>> =
        of.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
    let until = Instant::now() + limit;
    loop {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).ok();
        match poll(&mut of, left.as_ref()) {
            Err(Errno::INTR) => {}
            found => return found.is_ok_and(|found| found > 0),
        }
    }
}

/// The length of the next message; `None`: no more come.
fn message(socket: BorrowedFd<'_>, into: &mut [u8]) -> Option<usize> {
    loop {
        match recv(socket, &mut *into, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            Ok((length, _)) if length > 0 => return Some(length),
            Ok(_) | Err(_) => return None,
        }
    }
}
