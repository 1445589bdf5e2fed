//! `oarlock disk create`: makes an empty disk. What was never written takes no space, and reads as zeros.

use clap::Args;
use oarlock::Purpose;
use oarlock_block::ByteCount;
use oarlock_format::LayerName;
use serde::Serialize;

use super::disk_name;
use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::{report, values};

/// What `oarlock disk create` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The new disk: 1 to 255 bytes, `/` between folders, no `@`
    #[arg(value_parser = disk_name)]
    name: LayerName,
    /// What a guest is to see: a multiple of 512, 64T at most
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    size: ByteCount,
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{name, size}`
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Created<'a> {
    name: &'a str,
    size: u64,
}

/// Makes it.
///
/// # Errors
/// Why there is none.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (name, size) = (arguments.name.as_str(), arguments.size.0);
    arguments.choice.find(Purpose::AnyHost)?.create_disk(name, size)?;
    if arguments.json {
        report::print_json(&Created { name, size })
    } else {
        report::print(&format!("{name} has {} bytes, all of them zero\n", size))
    }
}
