//! `oarlock disk create`: makes an empty disk. What was never written takes no space, and reads as zeros; a thick disk has all of its
//! space from the start.

use clap::Args;
use oarlock::Purpose;
use oarlock_block::ByteCount;
use oarlock_format::LayerName;
use serde::Serialize;

use super::{disk_name, thick};
use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::{report, values};

/// What `oarlock disk create` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "A thick disk takes as long as writing zeros to all of it does, or no longer than a command where the device zeroes by itself. \
    It is told beforehand where the datastore has no room for it. There is no such disk before it is whole: where this program is interrupted, \
    the host undoes it; where the host ends, another does."
)]
pub struct Arguments {
    /// The new disk: 1 to 255 bytes, `/` between folders, no `@`
    #[arg(value_parser = disk_name)]
    name: LayerName,
    /// What a guest is to see: a multiple of 512, 64T at most
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    size: ByteCount,
    /// Allocate and zero all of it now; what several hosts are to write at once must be thick
    #[arg(long)]
    thick: bool,
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{name, size, thick}`
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Created<'a> {
    name: &'a str,
    size: u64,
    thick: bool,
}

/// Makes it.
///
/// # Errors
/// Why there is none.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (name, size) = (arguments.name.as_str(), arguments.size.0);
    let api = arguments.choice.find(Purpose::AnyHost)?;
    if arguments.thick {
        // A signal ends this program, and the host undoes what it did.
        thick::create(&api, name, size, || None)?;
    } else {
        api.create_disk(name, size)?;
    }
    if arguments.json {
        report::print_json(&Created { name, size, thick: arguments.thick })
    } else {
        let place = if arguments.thick { ", and has room for all of them" } else { "" };
        report::print(&format!("{name} has {size} bytes, all of them zero{place}\n"))
    }
}
