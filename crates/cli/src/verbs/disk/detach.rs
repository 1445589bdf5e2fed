//! `oarlock disk detach`: ends the serving of a disk or a snapshot.

use clap::Args;
use oarlock_format::DiskTarget;

use super::{Plain, target};
use crate::failure::Failure;

/// What `oarlock disk detach` takes.
#[derive(Args, Debug)]
#[command(after_help = "What clients asked for by then is answered; then they are cut off, and any host may attach the disk.")]
pub struct Arguments {
    /// What is served: NAME, or NAME@SNAP
    #[arg(value_parser = target, value_name = "NAME[@SNAP]")]
    name: DiskTarget,
    #[command(flatten)]
    plain: Plain,
}

/// Detaches it.
///
/// # Errors
/// Why it is attached still.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = arguments.name.to_string();
    let done = format!("{name} is not served any more");
    arguments.plain.run((&arguments.name.disk, &name), &done, |api| api.detach_disk(&name))
}
