//! `oarlock disk flatten`: copies what a disk reads of the layers below it, so that it needs none.

use clap::Args;
use oarlock_format::LayerName;

use super::{Plain, disk_name};
use crate::failure::Failure;

/// What `oarlock disk flatten` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "Guests may use the disk meanwhile. The host goes on where this program is interrupted; where the host ends, \
    nothing is lost, and it may be asked for again."
)]
pub struct Arguments {
    /// The disk
    #[arg(value_parser = disk_name)]
    name: LayerName,
    #[command(flatten)]
    plain: Plain,
}

/// Flattens it.
///
/// # Errors
/// Why it still stands above others.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, plain } = arguments;
    let done = format!("{name} stands on nothing but itself");
    plain.run((name, name.as_str()), &done, |api| api.flatten_disk(name.as_str()))
}
