//! `oarlock disk`: virtual disks; a file of disk/ for each of its verbs.

mod attach;
mod clone;
mod copy;
mod create;
mod delete;
mod detach;
mod export;
mod flatten;
mod handoff;
mod import;
mod list;
mod rename;
mod resize;
mod revert;
mod show;
mod snapshot;
mod thick;

use clap::{Args, Subcommand};
use oarlock::{Api, Purpose};
use oarlock_format::{DiskTarget, LayerName, NameError};
use oarlock_host::Code as HostCode;
use serde::Serialize;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;

/// What `oarlock disk` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

/// Defines the verbs of disks, as arguments.rs does the program's.
macro_rules! verbs {
    ($( $(#[$attribute:meta])* $verb:ident => $module:ident; )+) => {
        #[derive(Debug, Subcommand)]
        enum What {
            $( $(#[$attribute])* $verb($module::Arguments), )+
        }

        /// Does it.
        ///
        /// # Errors
        /// Why it was not done.
        pub fn run(arguments: Arguments) -> Result<u8, Failure> {
            match arguments.what {
                $( What::$verb(arguments) => $module::run(&arguments)?, )+
            }
            Ok(0)
        }
    };
}

verbs! {
    /// Make an empty disk
    Create => create;
    /// Every disk
    List => list;
    /// One disk, with its snapshots
    Show => show;
    /// Give a disk another name
    Rename => rename;
    /// Let a disk grow, also while guests use it
    Resize => resize;
    /// Delete a disk, or a snapshot
    Delete => delete;
    /// Serve a disk, or a snapshot, over NBD
    Attach => attach;
    /// End the serving of a disk or a snapshot
    Detach => detach;
    /// Give a disk to another living host while guests use it: live migration
    Handoff => handoff;
    /// Make a snapshot of a disk as it is now
    Snapshot => snapshot;
    /// Let a disk show again what its snapshot shows
    Revert => revert;
    /// Make a disk that shows what another disk, or a snapshot, shows
    Clone => clone;
    /// Copy what a disk reads of the layers below it, so that it needs none
    Flatten => flatten;
    /// Make a disk of an image file, raw or qcow2
    Import => import;
    /// Write a disk, or a snapshot, into an image file
    Export => export;
}

/// A verb that has nothing to say but that it is done.
#[derive(Args, Debug)]
struct Plain {
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{name}`
    #[arg(long)]
    json: bool,
}

/// What it then says.
#[derive(Serialize)]
struct Done<'a> {
    name: &'a str,
}

impl Plain {
    /// Does it at whichever host can, and says so.
    fn run<T>(
        &self,
        (disk, name): (&LayerName, &str),
        done: &str,
        verb: impl Fn(&Api) -> Result<T, oarlock::Error>,
    ) -> Result<(), Failure> {
        at_its_host(&self.choice, disk, verb)?;
        if self.json { report::print_json(&Done { name }) } else { report::print(&format!("{done}\n")) }
    }
}

/// Asks any host; where another one has the disk that runs here, too, and nobody said which is to be asked, then that one.
fn at_its_host<T>(
    choice: &HostChoice,
    disk: &LayerName,
    verb: impl Fn(&Api) -> Result<T, oarlock::Error>,
) -> Result<T, Failure> {
    let api = choice.find(Purpose::AnyHost)?;
    let error = match verb(&api) {
        Ok(done) => return Ok(done),
        Err(error) => error,
    };
    let is_elsewhere = [HostCode::DiskInUse, HostCode::NotAttached].map(HostCode::text);
    if is_elsewhere.contains(&error.code())
        && choice.is_open()
        && let Some(owner) = owner_of(&api, disk)
        && let Ok(its) = choice.at(&owner)
        && its.path() != api.path()
    {
        return Ok(verb(&its)?);
    }
    Err(error.into())
}

fn owner_of(api: &Api, disk: &LayerName) -> Option<String> {
    let disks = api.disks().ok()?;
    let found = disks.into_iter().find(|entry| entry.name == disk.as_str())?;
    found.owner.or_else(|| found.attached.into_iter().next().map(|attached| attached.host))
}

fn disk_name(text: &str) -> Result<LayerName, NameError> {
    LayerName::new(text)
}

fn target(text: &str) -> Result<DiskTarget, NameError> {
    DiskTarget::new(text)
}

/// The text of a target that must be a snapshot.
fn snapshot_of(target: &DiskTarget) -> Result<String, Failure> {
    match target.snapshot {
        Some(_) => Ok(target.to_string()),
        None => {
            Err(Failure::new(Code::BadValue, format!("{target} names no snapshot: it is given as NAME@SNAP")))
        }
    }
}
