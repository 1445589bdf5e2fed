//! `oarlock disk clone`: makes a disk that shows what another disk, or a snapshot, shows. Nothing is copied.

use clap::Args;
use oarlock_format::{DiskTarget, LayerName};

use super::{Plain, disk_name, target};
use crate::failure::Failure;

/// What `oarlock disk clone` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The disk as it is now; or NAME@SNAP, a snapshot
    #[arg(value_parser = target, value_name = "NAME[@SNAP]")]
    name: DiskTarget,
    /// The new disk
    #[arg(value_parser = disk_name)]
    new: LayerName,
    #[command(flatten)]
    plain: Plain,
}

/// Makes it.
///
/// # Errors
/// Why there is none.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (name, new) = (arguments.name.to_string(), arguments.new.as_str());
    let done = format!("{new} shows what {name} shows");
    arguments.plain.run((&arguments.name.disk, new), &done, |api| api.clone_disk(&name, new))
}
