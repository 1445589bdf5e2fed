//! `oarlock disk delete`: deletes a disk, or a snapshot. No data moves; what nobody needs comes free in the background.

use clap::Args;
use oarlock_format::DiskTarget;

use super::{Plain, target};
use crate::failure::Failure;

/// What `oarlock disk delete` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The disk, which nobody has attached and which has no snapshots; or NAME@SNAP, a snapshot
    #[arg(value_parser = target, value_name = "NAME[@SNAP]")]
    name: DiskTarget,
    #[command(flatten)]
    plain: Plain,
}

/// Deletes it.
///
/// # Errors
/// Why it is still there.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = arguments.name.to_string();
    let done = format!("{name} is gone");
    arguments.plain.run((&arguments.name.disk, &name), &done, |api| api.delete_disk(&name))
}
