//! `oarlock lock run`: runs a command under a lock of the datastore, as flock(1) does under one of a host's.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Subcommand};
use oarlock::Purpose;
use oarlock::api::LockMode;
use oarlock_format::{LockName, NameError};

use crate::failure::Failure;
use crate::guarded::Guarded;
use crate::host_choice::HostChoice;
use crate::values;

/// What `oarlock lock` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run a command while a lock is held
    Run(Run),
}

#[derive(Args, Debug)]
#[command(
    after_help = "The command runs in a process group of its own, with OARLOCK_LOCK (the name) and OARLOCK_LOCK_TOKEN \
    (a number that only grows from owner to owner) in its environment; SIGINT and SIGTERM are passed on to it; SIGTSTP (Ctrl-Z) is ignored. If the lock \
    is lost, the group gets SIGTERM, and SIGKILL a second later or when the lease ends, whichever is first; if the host \
    or this program goes away, SIGKILL at once; if this program is stopped, when the lease that it knew last ends. A watchman (`oarlock guard watch`) sees to the last two; if it is killed, \
    the group gets SIGKILL at once, too. Where this program and the watchman are both stopped, or killed in one instant, nobody sees to it.\n\
    Exit codes: the command's; 128 and the signal's number if a signal ended it; 75 the lock was not got in time, no host \
    is there, or it ended first; 76 the lock was lost, or the watchman was killed; 126, 127 the command could not be started."
)]
struct Run {
    /// The lock: 1 to 255 bytes, `/` between parts
    #[arg(value_parser = lock_name)]
    name: LockName,
    /// Share the lock with others who share it
    #[arg(long)]
    shared: bool,
    /// How long to wait for it; 0s is one try
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::wait)]
    wait: Duration,
    #[command(flatten)]
    choice: HostChoice,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

fn lock_name(text: &str) -> Result<LockName, NameError> {
    LockName::new(text)
}

/// Takes the lock, runs the command, and releases the lock.
///
/// # Errors
/// Where the lock was not got or was lost, or the command could not be started.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let What::Run(run) = arguments.what;
    let api = run.choice.find(Purpose::OneHost)?;
    let mode = if run.shared { LockMode::Shared } else { LockMode::Exclusive };
    let guard = api.lock(run.name.as_str(), mode, run.wait)?;
    let environment =
        [("OARLOCK_LOCK", run.name.as_str().to_owned()), ("OARLOCK_LOCK_TOKEN", guard.token().to_string())];
    let guarded = Guarded::start(&run.command, &environment, &guard)?;
    let exit = guarded.until_its_end(&api, &guard)?;
    guard.release();
    Ok(exit)
}
