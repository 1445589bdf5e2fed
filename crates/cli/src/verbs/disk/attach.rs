//! `oarlock disk attach`: a host serves a disk, or a snapshot, over NBD.

use std::path::{Path, PathBuf};

use clap::Args;
use oarlock::Purpose;
use oarlock::api::AttachDiskRequest;
use oarlock_format::DiskTarget;
use oarlock_host::HostError;
use oarlock_host::export::Place;

use super::target;
use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;

/// What `oarlock disk attach` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "The host serves the disk until it is detached, and again after each of its starts. Several disks may be served at one \
    place: clients ask for one by its name, which the URI has. Of several hosts on this machine, say which with --host. With --shared the guests \
    must agree among themselves on who writes what: a file system that several of them mount must be made for that."
)]
pub struct Arguments {
    /// The disk; or NAME@SNAP, a snapshot, to be read
    #[arg(value_parser = target, value_name = "NAME[@SNAP]")]
    name: DiskTarget,
    /// Where: `unix:PATH` or `tcp:ADDRESS:PORT`; without it, a unix socket beside the host's own
    #[arg(long, value_name = "PLACE", value_parser = place)]
    nbd: Option<Place>,
    /// Let nobody write; several hosts may do so at once
    #[arg(long)]
    read_only: bool,
    /// Let other hosts that attach it so write it at the same time; only a thick disk without snapshots
    #[arg(long, conflicts_with = "read_only")]
    shared: bool,
    /// Stand by for a disk that another host has, until that one hands it over (`oarlock disk handoff`): clients may connect, and wait
    #[arg(long, conflicts_with_all = ["read_only", "shared"])]
    incoming: bool,
    /// Let in only who takes TLS: the folder with server-cert.pem, server-key.pem and ca-cert.pem
    #[arg(long, value_name = "FOLDER")]
    tls: Option<PathBuf>,
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{name, uri}`
    #[arg(long)]
    json: bool,
}

fn place(text: &str) -> Result<Place, HostError> {
    text.parse()
}

/// Attaches it, and prints the URI.
///
/// # Errors
/// Why it is not attached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let place = match &arguments.nbd {
        Some(Place::Unix(path)) => Some(Place::Unix(absolute(path)?)),
        other => other.clone(),
    };
    let request = AttachDiskRequest {
        nbd: place.map(|place| place.to_string()),
        read_only: arguments.read_only,
        shared: arguments.shared,
        tls: arguments.tls.as_deref().map(absolute).transpose()?.map(|path| path.display().to_string()),
        incoming: arguments.incoming,
    };
    let api = arguments.choice.find(Purpose::OneHost)?;
    let attached = api.attach_disk(&arguments.name.to_string(), &request)?;
    if arguments.json { report::print_json(&attached) } else { report::print(&format!("{}\n", attached.uri)) }
}

/// The host has another current folder.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::system(&path.display().to_string(), &error))
}
