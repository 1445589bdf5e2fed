//! `oarlock disk rename`: gives a disk another name; its snapshots keep theirs.

use clap::Args;
use oarlock_format::LayerName;

use super::{Plain, disk_name};
use crate::failure::Failure;

/// What `oarlock disk rename` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The disk, which nobody has attached
    #[arg(value_parser = disk_name)]
    name: LayerName,
    /// Its new name
    #[arg(value_parser = disk_name)]
    new: LayerName,
    #[command(flatten)]
    plain: Plain,
}

/// Renames it.
///
/// # Errors
/// Why it has its old name.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, new, plain } = arguments;
    let done = format!("{name} is called {new} now");
    plain.run((name, new.as_str()), &done, |api| api.rename_disk(name.as_str(), new.as_str()))
}
