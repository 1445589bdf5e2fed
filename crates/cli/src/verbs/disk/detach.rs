//! `oarlock disk detach`: ends the serving of a disk or a snapshot.

use clap::Args;
use oarlock::Purpose;
use oarlock_format::DiskTarget;

use super::{Done, target};
use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;

/// What `oarlock disk detach` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "What clients asked for by then is answered; then they are cut off, and any host may attach the disk. A host that served it \
    before it was started anew, and does not yet, forgets it. Of several hosts on this machine, say which with --host."
)]
pub struct Arguments {
    /// What is served: NAME, or NAME@SNAP
    #[arg(value_parser = target, value_name = "NAME[@SNAP]")]
    name: DiskTarget,
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{name}`
    #[arg(long)]
    json: bool,
}

/// Detaches it.
///
/// # Errors
/// Why it is attached still.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = arguments.name.to_string();
    arguments.choice.find(Purpose::OneHost)?.detach_disk(&name)?;
    if arguments.json {
        report::print_json(&Done { name: &name })
    } else {
        report::print(&format!("{name} is not served any more\n"))
    }
}
