//! `oarlock disk revert`: lets a disk show again what its snapshot shows; what it showed since is lost.

use clap::Args;
use oarlock_format::DiskTarget;

use super::{Plain, snapshot_of, target};
use crate::failure::Failure;

/// What `oarlock disk revert` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "Whatever was written to the disk since the snapshot is lost. A snapshot of it first keeps it."
)]
pub struct Arguments {
    /// The disk, which nobody has attached, and its snapshot
    #[arg(value_parser = target, value_name = "NAME@SNAP")]
    name: DiskTarget,
    #[command(flatten)]
    plain: Plain,
}

/// Reverts it.
///
/// # Errors
/// Why it shows what it did.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = snapshot_of(&arguments.name)?;
    let done = format!("{} shows what {name} shows", arguments.name.disk);
    arguments.plain.run((&arguments.name.disk, &name), &done, |api| api.revert_disk(&name))
}
