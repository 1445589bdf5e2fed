//! `oarlock disk list`: every disk of the datastore.

use clap::Args;
use indicatif::BinaryBytes;
use oarlock::Purpose;
use oarlock::api::{AttachedEntry, DiskEntry};

use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;
use crate::terminal::{Look, table};

/// What `oarlock disk list` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `[{name, size, state, owner, mode, attached:[{host, uri}]}]`
    #[arg(long)]
    json: bool,
}

/// Prints them.
///
/// # Errors
/// Where no host answers.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let disks = arguments.choice.find(Purpose::AnyHost)?.disks()?;
    if arguments.json { report::print_json(&disks) } else { report::print(&text(&disks, Look::of_output())) }
}

fn text(disks: &[DiskEntry], look: Look) -> String {
    let heading = ["DISK", "SIZE", "STATE", "MODE", "ATTACHED"].map(str::to_owned).to_vec();
    let rows = disks.iter().map(|disk| {
        vec![
            disk.name.clone(),
            BinaryBytes(disk.size).to_string(),
            disk.state.clone(),
            disk.mode.clone(),
            attached(&disk.attached),
        ]
    });
    table(look, &std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

/// Who has a disk, and where it is served.
pub(super) fn attached(entries: &[AttachedEntry]) -> String {
    if entries.is_empty() {
        return "nowhere".to_owned();
    }
    let one = |entry: &AttachedEntry| match &entry.uri {
        Some(uri) => format!("{} at {uri}", entry.host),
        None => entry.host.clone(),
    };
    entries.iter().map(one).collect::<Vec<_>>().join(", ")
}
