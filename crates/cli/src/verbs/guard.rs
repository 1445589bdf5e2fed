//! `oarlock guard`: the two processes of `lock run` that keep a command from running on without its lock (R29).
//!
//! ```text
//!   lock run --starts--> guard exec: asks to be killed with its parent, waits at the gate (gate.rs), becomes the command
//!            --starts--> guard watch: kills the group where `lock run` cannot (watchman.rs)
//! ```
//! The first covers the command itself, the second everything that the command started. The command does not begin before
//! the second is there.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::{Args, Subcommand};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::catalogue::{Code, EXIT_NOT_FOUND};
use crate::failure::Failure;
use crate::{gate, watchman};

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
        /// Standard input is a gate: wait there for the command's own
        #[arg(long)]
        gated: bool,
        /// The command
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Kill a process group when it must not go on
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
        Task::Exec { parent, gated, command } => Err(exec(parent, gated, &command)),
        Task::Watch { group } => {
            let group =
                Pid::from_raw(group).ok_or_else(|| Failure::new(Code::Usage, "0 is no process group"))?;
            Ok(watchman::watch(group, std::io::stdin().as_fd(), std::io::stdout().as_fd()))
        }
    }
}

/// Returns only where it failed.
fn exec(parent: i32, gated: bool, command: &[OsString]) -> Failure {
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
    let mut started = Command::new(program);
    if gated {
        match gate::wait(std::io::stdin()) {
            Ok(Some(input)) => started.stdin(input),
            Ok(None) => return Failure::new(Code::LockLost, "the process that holds the lock is gone"),
            Err(error) => return Failure::system("standard input is no gate", &error.into()),
        };
    }
    let error = started.args(arguments).exec();
    let exit = match error.kind() {
        std::io::ErrorKind::NotFound => EXIT_NOT_FOUND,
        _ => EXIT_NOT_EXECUTABLE,
    };
    let what = format!("`{}` could not be started: {error}", program.to_string_lossy());
    Failure::new(Code::CommandNotStarted, what).with_exit(exit)
}
