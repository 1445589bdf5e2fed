//! `oarlock guard`: the two helpers of `lock run`, which keep a command from running on without its lock (R29).
//!
//! ```text
//!   lock run --starts--> guard exec: asks to be killed with its parent, then becomes the command   (own process group)
//!            --starts--> guard watch: waits for the end of a pipe that `lock run` holds, then kills the group
//! ```
//! The first covers the command itself without a gap, the second everything that the command started. The second also holds
//! the connection to the host, so that the lock goes to nobody before it is done.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use rustix::process::{
    Pid, Signal, getppid, kill_process_group, set_parent_process_death_signal, test_kill_process_group,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::catalogue::{Code, EXIT_NOT_FOUND};
use crate::failure::Failure;

/// The byte that `lock run` sends when the command has ended by itself.
pub const DONE: u8 = b'.';

/// From SIGTERM to SIGKILL, where the lock is still held in between.
pub const GRACE: Duration = Duration::from_secs(1);

/// Between two looks whether a killed group is gone.
const LOOK: Duration = Duration::from_millis(2);

/// As shells have it: the command is there and may not be executed.
const EXIT_NOT_EXECUTABLE: u8 = 126;

/// What `oarlock guard` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Become the command, and die with the parent
    Exec {
        /// The process that must be the parent
        #[arg(long)]
        parent: i32,
        /// The command
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Kill a process group when standard input ends without a word
    Watch {
        /// The group
        #[arg(long)]
        group: i32,
    },
}

/// Does the one or the other.
///
/// # Errors
/// Where the command cannot be started.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    match arguments.task {
        Task::Exec { parent, command } => Err(exec(parent, &command)),
        Task::Watch { group } => {
            watch(group);
            Ok(0)
        }
    }
}

/// Returns only where it failed.
fn exec(parent: i32, command: &[OsString]) -> Failure {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return Failure::system("this process cannot ask to be killed with its parent", &error.into());
    }
    // The parent may have died before the request: then nobody would be told.
    if getppid() != Pid::from_raw(parent) {
        return Failure::new(Code::LockLost, "the process that holds the lock is gone");
    }
    let Some((program, arguments)) = command.split_first() else {
        return Failure::new(Code::Usage, "there is no command to run");
    };
    let error = Command::new(program).args(arguments).exec();
    let exit = match error.kind() {
        std::io::ErrorKind::NotFound => EXIT_NOT_FOUND,
        _ => EXIT_NOT_EXECUTABLE,
    };
    let what = format!("`{}` could not be started: {error}", program.to_string_lossy());
    Failure::new(Code::CommandNotStarted, what).with_exit(exit)
}

/// The pipe ends when its one writer does, however it ends.
///
/// No signal that asks ends it before: where it was stopped, the end of `lock run` makes its process group an orphaned one,
/// and the kernel sends that SIGHUP (setpgid(2)). Nobody would kill what the command started, and the lock would be free.
fn watch(group: i32) {
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        // It fails for signals that cannot be caught, and these can.
        let _ = signal_hook::flag::register(signal, Arc::default());
    }
    let mut last = None;
    for byte in std::io::stdin().lock().bytes() {
        last = byte.ok();
    }
    if last != Some(DONE)
        && let Some(group) = Pid::from_raw(group)
    {
        // The process that held the lock is gone: there is no time to give. The host keeps the lock for as long as this one
        // has the connection, its standard output, which is until the group is seen to be gone.
        let _ = kill_process_group(group, Signal::KILL);
        let until = Instant::now() + GRACE;
        while test_kill_process_group(group).is_ok() && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
    }
}
