//! `oarlock disk show`: one disk, with its snapshots.

use clap::Args;
use indicatif::BinaryBytes;
use oarlock::Purpose;
use oarlock::api::DiskDetails;
use oarlock_format::LayerName;

use super::disk_name;
use super::list::attached;
use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;
use crate::terminal::Look;

/// What `oarlock disk show` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "What is allocated is counted by a walk over the disk's map: the clusters of data that the disk owns itself. \
    What it shares with its snapshots, or with what it was cloned from, is theirs."
)]
pub struct Arguments {
    /// The disk
    #[arg(value_parser = disk_name)]
    name: LayerName,
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{name, size, allocated, cluster_size, state, owner, mode, snapshots:[{name, time}], parent, attached:[{host, uri}]}`
    #[arg(long)]
    json: bool,
}

/// Prints it.
///
/// # Errors
/// Where there is none of that name, or no host answers.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let disk = arguments.choice.find(Purpose::AnyHost)?.disk(arguments.name.as_str())?;
    if arguments.json { report::print_json(&disk) } else { report::print(&text(&disk, Look::of_output())) }
}

fn thickness(disk: &DiskDetails) -> &'static str {
    match (disk.thick, disk.full) {
        (_, true) => ", thick",
        (true, false) => ", thick but for what snapshots hold",
        (false, false) => "",
    }
}

fn text(disk: &DiskDetails, look: Look) -> String {
    let allocated = disk.allocated.map_or("not known".to_owned(), |bytes| BinaryBytes(bytes).to_string());
    let size = BinaryBytes(disk.size);
    let mut lines = vec![
        ("disk", disk.name.clone()),
        ("size", format!("{size} ({} bytes), {allocated} allocated{}", disk.size, thickness(disk))),
        ("clusters", BinaryBytes(disk.cluster_size).to_string()),
        ("made", disk.time.clone()),
        ("state", format!("{}, {}", disk.state, disk.mode)),
        ("attached", attached(&disk.attached)),
    ];
    lines.extend(disk.parent.as_ref().map(|parent| ("parent", parent.clone())));
    let snapshots = disk.snapshots.iter();
    lines.extend(snapshots.map(|snapshot| ("snapshot", format!("{} of {}", snapshot.name, snapshot.time))));
    lines.iter().map(|(name, value)| format!("{} {value}\n", look.bold(&format!("{name:<10}")))).collect()
}
