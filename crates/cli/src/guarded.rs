//! A guarded command: it runs while its lock holds, and not longer (R29).

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use oarlock::{Api, RemoteGuard};
use oarlock_host::{boot_time_ns, wait_for};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::gate;
use crate::watchman::Watchman;

/// From SIGTERM to SIGKILL, where the lock is still held in between.
const GRACE: Duration = Duration::from_secs(1);
/// The word of the lock's loss may be on its way while its consequence is seen already.
const WORD_LIMIT: Duration = Duration::from_millis(200);
/// Between two looks at the lock, which costs a look at the clock.
const LOOK: Duration = Duration::from_millis(20);
/// The part of a lease that is left when a lock counts as lost.
const LEASE_PART_LEFT: u32 = 4;
/// A shell adds this to a signal's number.
const SIGNALLED: i32 = 128;

/// What the threads tell.
enum News {
    Ended,
    /// The watchman has ended, and was not told to.
    Unwatched,
    Signal(i32),
    /// The lock is lost, or the lease's end is to be looked at.
    Lost,
}

/// A running command, and its watchman.
pub struct Guarded {
    child: Child,
    group: Pid,
    watchman: Watchman,
    news: Receiver<News>,
    /// What is left to the command once the lock is lost by the clock.
    grace: Duration,
}

impl Guarded {
    /// Starts the command in a process group of its own; it begins once it is watched.
    ///
    /// # Errors
    /// Where a process or thread cannot be had; [`Code::LockLost`] where the lock was lost before the command began.
    pub fn start(
        command: &[OsString],
        environment: &[(&str, String)],
        guard: &RemoteGuard,
    ) -> Result<Guarded, Failure> {
        let own = std::env::current_exe()
            .map_err(|error| Failure::system("this program cannot be found", &error))?;
        let (sender, news) = channel();
        tell_signals(sender.clone())?;
        // Where the host dies, another may have the lock within milliseconds: its word is not waited for by looks.
        let (told, told_to) = (guard.when_told(), sender.clone());
        thread("oarlock-lost", move || {
            let _ = wait_for(told);
            let _ = told_to.send(News::Lost);
        })?;
        let connection = guard
            .connection()
            .map_err(|error| Failure::system("a second handle on the lock cannot be had", &error))?;
        let (mut started, gate) = Started::at_the_gate(&own, command, environment)?;
        let group = started.group;
        let watchman = Watchman::start(Command::new(&own).process_group(0), group, connection);
        let watchman = watchman.map_err(|error| Failure::system("the watchman cannot be started", &error))?;
        // It stays unreaped until the watchman knows, so that its number is nobody else's meanwhile.
        tell_end("oarlock-child", group, News::Ended, sender.clone())?;
        tell_end("oarlock-watched", watchman.pid(), News::Unwatched, sender)?;
        let child = started.child.take().ok_or_else(|| Failure::new(Code::System, "the command is gone"))?;
        let grace = GRACE.min((guard.lease() / LEASE_PART_LEFT).saturating_sub(LOOK));
        let mut guarded = Guarded { child, group, watchman, news, grace };
        guarded.tell_the_watchman(guard);
        if let Some(reason) = guard.lost(Duration::ZERO) {
            guarded.signal(Signal::KILL);
            guarded.end()?;
            let what = format!("the lock was lost before the command began: {reason}");
            return Err(Failure::new(Code::LockLost, what));
        }
        // Where that fails the command's first step has ended, and the news of it comes.
        let _ = gate::open(&gate, std::io::stdin());
        Ok(guarded)
    }

    /// Until when the command may run without further news: a stopped `lock run` hears of none, and kills nobody.
    fn tell_the_watchman(&mut self, guard: &RemoteGuard) {
        let now_ns = boot_time_ns();
        let left = guard.holds_for();
        if !left.is_zero() {
            let length = u64::try_from((left + self.grace).as_nanos()).unwrap_or(u64::MAX);
            self.watchman.allow_until(now_ns.saturating_add(length));
        }
    }

    /// Waits for the command's end, or for the lock's: then the command is killed.
    ///
    /// # Errors
    /// [`Code::LockLost`].
    pub fn until_its_end(mut self, api: &Api, guard: &RemoteGuard) -> Result<u8, Failure> {
        loop {
            self.tell_the_watchman(guard);
            match self.news.recv_timeout(LOOK) {
                Ok(News::Ended) | Err(RecvTimeoutError::Disconnected) => {
                    let (status, killed) = self.end()?;
                    return if killed { Err(lost_first(guard, WORD_LIMIT)) } else { end_of(status, guard) };
                }
                Ok(News::Unwatched) => return Err(self.end_unwatched(guard)),
                Ok(News::Signal(number)) => self.signal(signal_of(number)),
                Ok(News::Lost) | Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(reason) = guard.lost(Duration::ZERO) {
                self.kill(api);
                self.end()?;
                return Err(Failure::new(
                    Code::LockLost,
                    format!("the lock was lost: {reason}; the command was killed"),
                ));
            }
        }
    }

    /// Nobody is left who would kill what the command started, should this process be killed: so it is killed at once, while this
    /// process is there to do it. Another watchman would come too late for what happens until it watches.
    fn end_unwatched(self, guard: &RemoteGuard) -> Failure {
        self.signal(Signal::KILL);
        match self.end() {
            // It ended because it had to kill the group.
            Ok((_, true)) => lost_first(guard, WORD_LIMIT),
            Ok((_, false)) => Failure::new(
                Code::Unwatched,
                "the command's watchman has ended, and nobody else would kill what the command started; the command was killed",
            ),
            Err(failure) => failure,
        }
    }

    /// SIGTERM, and SIGKILL after the grace that is left; at once where the host is gone, for then another may take the
    /// lock at once.
    fn kill(&mut self, api: &Api) {
        let until = Instant::now() + self.grace;
        let left = || until.saturating_duration_since(Instant::now());
        if host_lives(api, left()) {
            self.signal(Signal::TERM);
            while !left().is_zero()
                && !matches!(self.news.recv_timeout(left()), Ok(News::Ended | News::Unwatched))
            {}
        }
        // The command's own children may have outlived it.
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // A group that is empty already needs no signal.
        let _ = kill_process_group(self.group, signal);
    }

    /// Tells the watchman that all is over, and collects both. The command stays uncollected until the watchman is gone,
    /// so that its number is nobody else's. Also says whether the watchman had to kill it.
    fn end(mut self) -> Result<(ExitStatus, bool), Failure> {
        let killed = self.watchman.dismiss();
        let status =
            self.child.wait().map_err(|error| Failure::system("the command's end is unknown", &error))?;
        Ok((status, killed))
    }
}

/// Catches the signals that are passed on, on a thread of its own.
///
/// SIGTSTP (Ctrl-Z) is caught and passed on to nobody: a `lock run` that is stopped hears of no renewal, and its command
/// would be killed with the lease that it knew last.
fn tell_signals(sender: Sender<News>) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP])
        .map_err(|error| Failure::system("signals cannot be caught", &error))?;
    thread("oarlock-signals", move || {
        for signal in &mut signals {
            if signal != SIGTSTP && sender.send(News::Signal(signal)).is_err() {
                return;
            }
        }
    })
}

/// The command's own end, if its lock was held until then.
fn end_of(status: ExitStatus, guard: &RemoteGuard) -> Result<u8, Failure> {
    if guard.is_lost() { Err(lost_first(guard, Duration::ZERO)) } else { Ok(exit_code(status)) }
}

/// The lock was lost before the command was seen to end; why is told within `limit`, or never.
fn lost_first(guard: &RemoteGuard, limit: Duration) -> Failure {
    let reason = guard.lost(limit).unwrap_or_else(|| "no renewal came in time".to_owned());
    let what = format!("the lock was lost before the command was seen to end: {reason}");
    Failure::new(Code::LockLost, what)
}

/// Tells of a child's end, which is not collected by that, on a thread of its own.
fn tell_end(name: &str, child: Pid, news: News, to: Sender<News>) -> Result<(), Failure> {
    thread(name, move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while rustix::process::waitid(WaitId::Pid(child), options)
            .is_err_and(|error| error == rustix::io::Errno::INTR)
        {}
        let _ = to.send(news);
    })
}

/// Whether anybody listens at the host's socket; asked on a thread of its own, because a stopped host's may not answer.
fn host_lives(api: &Api, limit: Duration) -> bool {
    let (sender, answer) = channel();
    let path = api.path().to_owned();
    let asked = thread("oarlock-glance", move || {
        let _ = sender.send(Api::connect(&path).is_ok());
    });
    asked.is_ok() && answer.recv_timeout(limit).unwrap_or(false)
}

/// A command whose guard is not complete: it does not outlive an error on the way.
struct Started {
    child: Option<Child>,
    group: Pid,
}

impl Started {
    /// Starts the command's first step; also returns the gate at which it waits.
    ///
    /// It is started by the thread that lives as long as the program: the command's request to be killed with its parent is
    /// tied to the thread that started it (prctl(2), PR_SET_PDEATHSIG).
    fn at_the_gate(
        own: &Path,
        command: &[OsString],
        environment: &[(&str, String)],
    ) -> Result<(Started, OwnedFd), Failure> {
        let (gate, theirs) =
            gate::pair().map_err(|error| Failure::system("a socket cannot be had", &error.into()))?;
        let mut first = Command::new(own);
        first.args(["guard", "exec", "--gated", "--parent", &std::process::id().to_string(), "--"]);
        first.args(command).envs(environment.iter().map(|(name, value)| (name, value)));
        let child = first.stdin(theirs).process_group(0).spawn();
        let child = child.map_err(|error| Failure::system("the command cannot be started", &error))?;
        let group = Pid::from_child(&child);
        Ok((Started { child: Some(child), group }, gate))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = kill_process_group(self.group, Signal::KILL);
            let _ = child.wait();
        }
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(|_| ()).map_err(|error| Failure::system("a thread cannot be had", &error))
}

fn signal_of(number: i32) -> Signal {
    match number {
        SIGINT => Signal::INT,
        SIGHUP => Signal::HUP,
        SIGQUIT => Signal::QUIT,
        _ => Signal::TERM,
    }
}

/// As shells have it: the command's code, or 128 and the number of the signal that ended it.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| SIGNALLED + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_s_end_becomes_the_exit_code_that_a_shell_would_give() {
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137, "SIGKILL");
    }
}
