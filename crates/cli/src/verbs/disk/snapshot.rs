//! `oarlock disk snapshot`: makes a snapshot of a disk, which guests may use meanwhile.

use clap::Args;
use oarlock_format::DiskTarget;

use super::{Plain, snapshot_of, target};
use crate::failure::Failure;

/// What `oarlock disk snapshot` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The disk, and the snapshot's name
    #[arg(value_parser = target, value_name = "NAME@SNAP")]
    name: DiskTarget,
    #[command(flatten)]
    plain: Plain,
}

/// Makes it.
///
/// # Errors
/// Why there is none.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = snapshot_of(&arguments.name)?;
    let done = format!("{name} keeps what {} shows now", arguments.name.disk);
    arguments.plain.run((&arguments.name.disk, &name), &done, |api| api.snapshot_disk(&name))
}
