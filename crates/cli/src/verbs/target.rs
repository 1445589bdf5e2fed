//! `oarlock target`: the array, an iSCSI target; and what can be asked of one that runs.

mod lun;
mod serve;
mod sessions;

use clap::{Args, Subcommand};

use crate::failure::Failure;

/// What `oarlock target` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve files and block devices as logical units over iSCSI, until SIGTERM
    Serve(Box<serve::Arguments>),
    /// The units of a running array: list, add, remove and grow them
    Lun(lun::Arguments),
    /// Who has a session with a running array
    Sessions(sessions::Arguments),
    /// A running array: its name and where it listens
    Status(sessions::Arguments),
}

/// Does what the words behind `target` say.
///
/// # Errors
/// Why it failed.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    match arguments.verb {
        Verb::Serve(arguments) => serve::run(*arguments),
        Verb::Lun(arguments) => lun::run(arguments),
        Verb::Sessions(arguments) => sessions::run(&arguments),
        Verb::Status(arguments) => sessions::run_status(&arguments),
    }
}
