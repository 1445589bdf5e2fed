//! `oarlock disk resize`: lets a disk grow.

use clap::Args;
use oarlock_block::ByteCount;
use oarlock_format::LayerName;

use super::{Plain, disk_name};
use crate::failure::Failure;
use crate::values;

/// What `oarlock disk resize` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "A disk does not shrink. Clients of NBD see the new size when they connect the next time."
)]
pub struct Arguments {
    /// The disk
    #[arg(value_parser = disk_name)]
    name: LayerName,
    /// What a guest is to see
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    size: ByteCount,
    #[command(flatten)]
    plain: Plain,
}

/// Resizes it.
///
/// # Errors
/// Why it has the size that it had.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, size, plain } = arguments;
    let done = format!("{name} has {} bytes", size.0);
    plain.run((name, name.as_str()), &done, |api| api.resize_disk(name.as_str(), size.0))
}
