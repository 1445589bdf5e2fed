//! `oarlock disk export`: writes a disk, or a snapshot, into an image file, whole or not at all.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::BinaryBytes;
use oarlock::{Api, Purpose};
use oarlock_block::BlockSize;
use oarlock_format::{DiskTarget, stamp_of};
use oarlock_image::{Destination, Exported, Format, export};
use serde::Serialize;

use super::copy::{FormatName, Watcher, attach};
use super::target;
use crate::catalogue::Code;
use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;
use crate::stop::Stop;

/// What `oarlock disk export` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "The disk is attached to be read meanwhile: nobody may have it to write. Of a disk that guests use, make a snapshot and export \
    that. FILE gets its name once all of it is durable; a copy that fails, or is ended by SIGINT, SIGTERM or the end of its terminal, leaves nothing behind. \
    What is empty or zeros on the disk takes no space in the file."
)]
pub struct Arguments {
    /// The disk; or NAME@SNAP, a snapshot
    #[arg(value_parser = target, value_name = "NAME[@SNAP]")]
    name: DiskTarget,
    /// The new image
    file: PathBuf,
    /// What it is to be; without it, qcow2 where FILE ends in `.qcow2`, and raw elsewhere
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// Write it over the plain file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{name, file, size, format, read}`
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    file: &'a Path,
    size: u64,
    format: String,
    /// Bytes that were read; the rest is zeros.
    read: u64,
}

/// Writes it.
///
/// # Errors
/// Why there is no image.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut watcher = Watcher::new(Stop::catch()?, "exporting");
    let file = arguments.file.as_path();
    let format = arguments.format.map_or_else(|| Format::of_name(file), Format::from);
    // First: it refuses what is no plain file, and a pipe would be opened for ever.
    let destination = Destination::new(file, format, arguments.force)?;
    refuse_a_datastore(file)?;
    let api = arguments.choice.find(Purpose::OneHost)?;
    let name = arguments.name.to_string();
    let copied = copy(&api, &name, &destination, &mut watcher);
    watcher.finish();
    let Exported { size_bytes: size, read_bytes: read, .. } = copied?;
    if arguments.json {
        report::print_json(&Report { name: &name, file, size, format: format.to_string(), read })
    } else {
        let (size, read) = (BinaryBytes(size), BinaryBytes(read));
        report::print(&format!(
            "{} has what {name} shows: {size}, of which {read} are data\n",
            file.display()
        ))
    }
}

/// A datastore is no file that may go, whatever is said: every disk in it would, that of this export among them.
fn refuse_a_datastore(file: &Path) -> Result<(), Failure> {
    let mut beginning = Vec::new();
    // One that cannot be read is looked at by whoever puts the image in its place.
    let read =
        File::open(file).and_then(|there| there.take(BlockSize::LARGEST as u64).read_to_end(&mut beginning));
    let lengths = [BlockSize::B512, BlockSize::B4096].map(BlockSize::length);
    let holds_one = |length: usize| beginning.get(..length).and_then(stamp_of).is_some();
    if read.is_err() || !lengths.into_iter().any(holds_one) {
        return Ok(());
    }
    let what = format!("{} holds a datastore: no image is put in its place", file.display());
    Err(Failure::new(Code::ImageExists, what).with_cure("Give another path."))
}

/// Attaches what is to be copied, writes the image and detaches it, whatever came of it.
fn copy(
    api: &Api,
    name: &str,
    destination: &Destination,
    watcher: &mut Watcher,
) -> Result<Exported, Failure> {
    let address = attach(api, name, true)?;
    let exported = export(&address, destination, watcher).map_err(|error| watcher.failure(error));
    let detached = api.detach_disk(name);
    let still = |error: &oarlock::Error| format!("{name} is attached still: {error}");
    match (exported, detached) {
        (Ok(exported), Ok(())) => Ok(exported),
        (Ok(_), Err(error)) => {
            Err(Failure::from(error).and(&format!("the image is whole, and {name} is attached still")))
        }
        (Err(failure), Ok(())) => Err(failure),
        (Err(failure), Err(error)) => Err(failure.and(&still(&error))),
    }
}
